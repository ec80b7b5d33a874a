/* Stages that do like things side by side. */
#include <math.h>

#include "job.h"

/* ---- climber: part k climbs 20 + 5 k steps, the first slowest, and sends how high it came ---- */

static gint climber_steps, climbers, most_climbers;

typedef struct {
  gint64 parts, pause, fails, meet;
} Climber;

static const LbProperty climber_properties[] = {
  LB_INTEGER (Climber, parts, "parts", "5", 1, 100, "parts", "how many climb"),
  LB_INTEGER (Climber, pause, "pause", "0", 0, 100000, "microseconds", "pause after each step"),
  LB_INTEGER (Climber, fails, "fails", "-1", -1, 100, "parts", "the one that fails"),
  LB_INTEGER (Climber, meet, "meet", "0", 0, 100, "parts", "so many first ones wait for each other before they climb"),
  LB_PROPERTIES_END,
};

static const LbPort climber_outputs[] = { { "numbers", "numbers", "n=2", 0, "number and height" }, LB_PORTS_END };

static gboolean
climber_configure (LbConfigure *configure, gpointer data, GError **error)
{
  const Climber *self = data;
  lb_configure_cost (configure, 0, 100 * lb_configure_side_by_side (configure, (guint)self->parts));
  return TRUE;
}

static gboolean
send_height (LbStage *part, guint number, double height, GError **error)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *values = lb_tensor_new (LB_F64, LB_SHAPE (2));
  lb_tensor_f64 (values)[0] = number;
  lb_tensor_f64 (values)[1] = height;
  lb_packet_take (packet, "values", values);
  lb_stage_metric (part, "height", height, "steps");
  lb_stage_report (part, number % 2 == 0 ? "even" : "odd");
  return lb_stage_push (part, "numbers", packet, error);
}

static void
note_climbers (gint change)
{
  gint now = g_atomic_int_add (&climbers, change) + change, most = g_atomic_int_get (&most_climbers);
  while (now > most && !g_atomic_int_compare_and_exchange (&most_climbers, most, now))
    most = g_atomic_int_get (&most_climbers);
}

static gboolean
climb (LbStage *part, guint number, gpointer data, GError **error)
{
  const Climber *self = data;
  gint64 step = 0, total = 20 + 5 * number;
  double height = 0;
  g_autoptr (LbState) state = lb_state_new ();
  gboolean goes_on;
  lb_state_add_counter (state, "step", &step);
  lb_state_add_number (state, "height", &height);
  if (!lb_stage_resume (part, state, error))
    return FALSE;
  note_climbers (1);
  while (number < self->meet && g_atomic_int_get (&most_climbers) < self->meet)
    g_usleep (100);
  for (goes_on = TRUE; goes_on && step < total;) {
    g_atomic_int_inc (&climber_steps);
    step++;
    height += (double)step / (number + 1);
    lb_compute_add_flops (lb_stage_compute (part), 2);
    if (number == self->fails && step == 7)
      height = NAN;
    goes_on = lb_stage_check_finite (part, "height", (guint64)step, height, "climb less", error)
              && lb_stage_checkpoint (part, state, error)
              && lb_stage_progress (part, (guint64)step, (guint64)total, "height", height, error);
    /* The first is slow, so that others end before it. */
    g_usleep ((gulong)(self->pause * (number == 0 ? 4 : 1)));
  }
  note_climbers (-1);
  return goes_on && send_height (part, number, height, error);
}

static gboolean
climber_run (LbStage *stage, gpointer data, GError **error)
{
  return lb_stage_parts (stage, (guint)((Climber *)data)->parts, climb, data, error);
}

static const LbStageType climber_type = {
  .name = "climber",
  .summary = "climbs",
  .outputs = climber_outputs,
  .properties = climber_properties,
  .instance_size = sizeof (Climber),
  .configure = climber_configure,
  .run = climber_run,
};

static void
parts_set_up (Fixture *fixture, gconstpointer data)
{
  fixture_set_up (fixture, data);
  g_assert_true (lb_registry_add_type (fixture->registry, &climber_type, NULL));
  climber_steps = climbers = most_climbers = 0;
}

#define PIPELINE(with)                                                                                                 \
  "limbeck: 1\nstages:\n  climb: {plugin: climber, with: {" with                                                       \
  "}}\n  end: {plugin: sum, inputs: {numbers: climb.numbers}}\n"

/* What part @number's climb comes to. */
static double
height_of (guint number)
{
  double height = 0;
  for (guint step = 1; step <= 20 + 5 * number; step++)
    height += (double)step / (number + 1);
  return height;
}

static void
assert_all_climbed (const Job *job, guint parts)
{
  double sum = 0;
  GPtrArray *metrics = lb_run_metrics (job->run, 0), *reports = lb_run_reports (job->run, 0);
  g_autofree char *text = read_text (job->output, "end.txt");
  g_assert_cmpuint (metrics->len, ==, parts);
  for (guint i = 0; i < parts; i++) {
    g_assert_cmpfloat (((LbMetric *)metrics->pdata[i])->value, ==, height_of (i));
    g_assert_cmpstr (reports->pdata[i], ==, i % 2 == 0 ? "even" : "odd");
    sum += i + height_of (i);
  }
  g_assert_cmpfloat (fabs (g_ascii_strtod (strpbrk (text, "0123456789"), NULL) / sum - 1), <, 1e-4);
  g_assert_cmpfloat (lb_run_activity (job->run, 0)->flops, ==, 2.0 * (20 * parts + 5 * parts * (parts - 1) / 2));
}

/* Two at once on two threads; in order, though the first ends last. */
static void
test_side_by_side_in_order (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autofree char *text = g_strdup_printf (PIPELINE ("pause: 500, meet: %u"), MIN (g_get_num_processors (), 5));
  job_set_up (&job, fixture, text, "out");
  g_assert_cmpuint (job.plan->stages[0].configured->side_by_side, ==, MIN (job.plan->threads, 5));
  job_execute (&job);
  assert_all_climbed (&job, 5);
  g_assert_cmpint (most_climbers, ==, (gint)MIN (job.plan->threads, 5));
  g_autofree char *rows = read_text (job.output, "run/metrics.csv");
  assert_contains (rows, "climb/4,40,height,");
  assert_contains (rows, "climb/0,20,height,");
  job_tear_down (&job);
}

/* In a plan that has to be narrow they come one after the other, and are predicted to take less. */
static void
test_narrow_plans_take_turns (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  job_plan (&job, fixture, PIPELINE ("pause: 100"));
  double wide = job.plan->stages[0].configured->bytes;
  if (job.plan->threads > 1) {
    g_assert_true (lb_plan_configure_narrow (job.plan, job.problems));
    g_assert_cmpfloat (job.plan->stages[0].configured->bytes, <, wide);
  }
  g_assert_false (lb_plan_configure_narrow (job.plan, job.problems));
  job_begin (&job, fixture, "out");
  job_execute (&job);
  assert_all_climbed (&job, 5);
  g_assert_cmpint (most_climbers, ==, 1);
  job_tear_down (&job);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  while (g_atomic_int_get (&climber_steps) < 40)
    g_usleep (200);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* A run that is stopped goes on with each part where it stood. */
static void
test_parts_resume_one_by_one (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Job job = { 0 };
  job_set_up (&job, fixture, PIPELINE ("parts: 6, pause: 2000"), "out");
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_false (lb_run_execute (job.run, cancellable, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_thread_join (thread);
  job_tear_down (&job);
  gint before = climber_steps;
  climber_steps = 0;

  job_set_up (&job, fixture, PIPELINE ("parts: 6, pause: 2000"), "out");
  job_execute (&job);
  assert_all_climbed (&job, 6);
  g_assert_cmpint (lb_run_outcome (job.run, 0), ==, LB_REUSE_CHECKPOINT);
  /* What is done twice is what came after the last copies of the two at work, of which one may have ended. */
  g_assert_cmpint (before, >=, 40);
  g_assert_cmpint (climber_steps, <, 6 * 20 + 5 * 15);
  job_tear_down (&job);
}

static void
test_failure_of_one_ends_all (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  Job job = { 0 };
  job_set_up (&job, fixture, PIPELINE ("parts: 6, pause: 500, fails: 1"), "out");
  g_assert_false (lb_run_execute (job.run, NULL, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  assert_contains (error->message, "stage 'climb': height is not a number at step 7");
  g_assert_cmpint (climber_steps, <, 150);
  job_tear_down (&job);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, parts_set_up, function, fixture_tear_down)
  ADD ("/parts/side-by-side-in-order", test_side_by_side_in_order);
  ADD ("/parts/narrow-plans-take-turns", test_narrow_plans_take_turns);
  ADD ("/parts/parts-resume-one-by-one", test_parts_resume_one_by_one);
  ADD ("/parts/failure-of-one-ends-all", test_failure_of_one_ends_all);
  return g_test_run ();
}
