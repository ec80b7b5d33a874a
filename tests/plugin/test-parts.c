/* Parts: things that one stage does side by side, told in order, each resumed by itself. */
#include "limbeck-test.h"

typedef struct {
  gint64 parts, steps, fails, meet;
} Counter;

static const LbProperty properties[] = {
  LB_INTEGER (Counter, parts, "parts", "5", 0, 100, "parts", "How many parts there are"),
  LB_INTEGER (Counter, steps, "steps", "6", 1, 1000, "steps", "Steps of the first part; each other has one more"),
  LB_INTEGER (Counter, fails, "fails", "-1", -1, 100, NULL, "Part that fails at its second step; -1: none"),
  LB_INTEGER (Counter, meet, "meet", "1", 1, 100, "parts",
              "So many parts, the first, go on only once all of them are at work"),
  LB_PROPERTIES_END,
};

static const LbPort outputs[] = {
  { "views", "views", "v", 0, "One packet of each part" },
  LB_PORTS_END,
};

static gint at_work, most_at_work; /* atomic */

/* Adds up random numbers, so that the sum depends on every step before. */
static gboolean
count (LbStage *part, guint number, gpointer data, GError **error)
{
  const Counter *self = data;
  g_autoptr (LbState) state = lb_state_new ();
  LbTensor *sum = lb_tensor_new (LB_F32, LB_SHAPE (1, 4));
  g_autoptr (LbTensor) owned = sum;
  gint64 step = 0, steps = self->steps + number;
  g_autoptr (LbPacket) packet = lb_packet_new ();
  gint now = g_atomic_int_add (&at_work, 1) + 1, most;

  while (now > (most = g_atomic_int_get (&most_at_work))
         && !g_atomic_int_compare_and_exchange (&most_at_work, most, now))
    ;
  for (guint wait = 0; (gint64)number < self->meet && g_atomic_int_get (&most_at_work) < self->meet; wait++) {
    g_assert_cmpuint (wait, <, 30000);
    g_usleep (1000);
  }
  lb_state_add_tensor (state, "sum", sum);
  lb_state_add_counter (state, "step", &step);
  gboolean done = lb_stage_resume (part, state, error);
  while (done && step < steps) {
    LbRandom random = lb_random (lb_key_index (lb_key_index (lb_stage_key (part, "step"), number), (guint64)step));

    lb_tensor_f32 (sum)[2] = lb_tensor_f32 (sum)[2] * 0.5f + (float)lb_random_uniform (&random);
    lb_tensor_f32 (sum)[3] += (float)number;
    step++;
    g_usleep (2000);
    if ((gint64)number == self->fails && step == 2) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "part %u is out of numbers; give it some", number);
      done = FALSE;
    } else {
      done = lb_stage_progress (part, (guint64)step, (guint64)steps, "sum", lb_tensor_f32 (sum)[2], error)
             && lb_stage_checkpoint (part, state, error);
    }
  }
  g_atomic_int_add (&at_work, -1);
  if (!done)
    return FALSE;
  lb_stage_metric (part, "sum", lb_tensor_f32 (sum)[2], NULL);
  lb_packet_set (packet, "windows", sum);
  return lb_stage_push (part, "views", g_steal_pointer (&packet), error);
}

static gboolean
run (LbStage *stage, gpointer data, GError **error)
{
  return lb_stage_parts (stage, (guint)((Counter *)data)->parts, count, data, error);
}

static gboolean
configure (LbConfigure *configure, gpointer data, GError **error)
{
  lb_configure_side_by_side (configure, (guint)((Counter *)data)->parts);
  return TRUE;
}

static const LbStageType counter = {
  .name = "counter",
  .summary = "Counts in parts",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Counter),
  .configure = configure,
  .run = run,
};

static void
test_come_in_order (void)
{
  g_autoptr (LbHarness) h = lb_harness_new_for (&counter);
  g_autoptr (GError) error = NULL;

  lb_harness_set_threads (h, 3);
  lb_harness_run (h, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (lb_harness_n_outputs (h, "views"), ==, 5);
  for (guint i = 0; i < 5; i++) {
    LbTensor *sum = lb_packet_get (lb_harness_output (h, "views", i), "windows");
    g_assert_cmpfloat (lb_tensor_f32 (sum)[3], ==, (float)(i * (6 + i)));
    g_assert_cmpfloat (lb_harness_metric_at (h, i), ==, lb_tensor_f32 (sum)[2]);
  }
}

/* As many as there are threads, and no more. */
static void
test_work_side_by_side (void)
{
  g_autoptr (LbHarness) h = lb_harness_new_for (&counter);
  g_autoptr (GError) error = NULL;

  for (guint threads = 1; threads <= 3; threads++) {
    g_autofree char *meet = g_strdup_printf ("%u", threads);

    g_atomic_int_set (&most_at_work, 0);
    lb_harness_set (h, "meet", meet);
    lb_harness_set_threads (h, threads);
    lb_harness_run (h, &error);
    g_assert_no_error (error);
    g_assert_cmpint (g_atomic_int_get (&most_at_work), ==, threads);
  }
}

static void
test_promises (void)
{
  g_autoptr (LbHarness) h = lb_harness_new_for (&counter);
  g_autoptr (GError) error = NULL;

  lb_harness_check_threads (h, &error);
  g_assert_no_error (error);
  for (guint threads = 1; threads <= 3; threads++) {
    lb_harness_set_threads (h, threads);
    lb_harness_check_resume (h, 12, &error);
    g_assert_no_error (error);
    lb_harness_check_cancel (h, 12, &error);
    g_assert_no_error (error);
  }
}

static void
test_first_error_is_told (void)
{
  g_autoptr (LbHarness) h = lb_harness_new_for (&counter);
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "fails", "2");
  lb_harness_set_threads (h, 3);
  g_assert_false (lb_harness_run (h, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, "part 2 is out of numbers; give it some");
}

static void
test_none (void)
{
  g_autoptr (LbHarness) h = lb_harness_new_for (&counter);
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "parts", "0");
  lb_harness_run (h, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (lb_harness_n_outputs (h, "views"), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/parts/come-in-order", test_come_in_order);
  g_test_add_func ("/parts/work-side-by-side", test_work_side_by_side);
  g_test_add_func ("/parts/same-bits-stopped-and-cancelled", test_promises);
  g_test_add_func ("/parts/first-error-is-told", test_first_error_is_told);
  g_test_add_func ("/parts/none", test_none);
  return g_test_run ();
}
