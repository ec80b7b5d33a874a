/* Outputs that are made only when some stage reads them. */
#include "job.h"

/* ---- giver: sends a number, and on demand what it is made of ---- */

static const LbPort giver_outputs[] = { { "numbers", "numbers", "n=1", 0, "a number" },
                                        { "parts", "numbers", "n=2", LB_PORT_ON_DEMAND, "what it is made of" },
                                        LB_PORTS_END };

static gboolean
giver_configure (LbConfigure *configure, gpointer self, GError **error)
{
  g_assert_true (lb_configure_has_port (configure, "numbers"));
  lb_configure_set_output_packets (configure, "parts", lb_configure_has_port (configure, "parts") ? 1 : 0);
  return TRUE;
}

static gboolean
give (LbStage *stage, const char *port, gint64 n, GError **error)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "values", lb_tensor_new (LB_F64, LB_SHAPE (n)));
  return lb_stage_push (stage, port, packet, error);
}

static gboolean
giver_run (LbStage *stage, gpointer self, GError **error)
{
  g_assert_true (lb_stage_has_port (stage, "numbers"));
  lb_stage_metric (stage, "parts", lb_stage_has_port (stage, "parts"), "outputs");
  return give (stage, "numbers", 1, error) && (!lb_stage_has_port (stage, "parts") || give (stage, "parts", 2, error));
}

static const LbStageType giver_type = {
  .name = "giver",
  .summary = "gives a number",
  .outputs = giver_outputs,
  .configure = giver_configure,
  .run = giver_run,
};

static void
demand_set_up (Fixture *fixture, gconstpointer data)
{
  fixture_set_up (fixture, data);
  g_assert_true (lb_registry_add_type (fixture->registry, &giver_type, NULL));
}

#define HEAD "limbeck: 1\nstages:\n  give: {plugin: giver}\n"

/* What the giver told of its port "parts", and what was done with each stage. */
static double
parts_made (Fixture *fixture, const char *text, char **words)
{
  Job job = { 0 };
  job_set_up (&job, fixture, text, "out");
  job_execute (&job);
  LbMetric *metric = lb_run_metrics (job.run, 0)->pdata[0];
  double value = metric->value;
  *words = outcomes (&job);
  job_tear_down (&job);
  return value;
}

static void
test_made_when_read (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = NULL, *second = NULL, *third = NULL, *fourth = NULL;

  g_assert_cmpfloat (parts_made (fixture, HEAD, &first), ==, 0);
  g_assert_cmpstr (first, ==, "run");
  /* Who reads the other output changes nothing, and what is kept serves. */
  g_assert_cmpfloat (parts_made (fixture, HEAD "  end: {plugin: sum, inputs: {numbers: give.numbers}}\n", &second), ==,
                     0);
  g_assert_cmpstr (second, ==, "reused run");
  g_assert_cmpfloat (parts_made (fixture, HEAD "  end: {plugin: sum, inputs: {numbers: give.parts}}\n", &third), ==, 1);
  g_assert_cmpstr (third, ==, "run run");
  g_assert_cmpfloat (parts_made (fixture, HEAD "  end: {plugin: sum, inputs: {numbers: give.parts}}\n", &fourth), ==,
                     1);
  g_assert_cmpstr (fourth, ==, "reused reused");
}

/* Why it is run again is said. */
static void
test_demand_is_told (Fixture *fixture, gconstpointer data)
{
  g_autofree char *words = NULL;
  Job job = { 0 };

  parts_made (fixture, HEAD, &words);
  job_set_up (&job, fixture, HEAD "  end: {plugin: sum, inputs: {numbers: give.parts}}\n", "out");
  g_autoptr (GError) error = NULL;
  g_autoptr (LbReuse) reuse = lb_reuse_decide (job.plan, job.store, "by hand", FALSE, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (reuse->stages[0].why, ==, "output parts is read now");
  job_tear_down (&job);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, demand_set_up, function, fixture_tear_down)
  ADD ("/demand/made-when-read", test_made_when_read);
  ADD ("/demand/demand-is-told", test_demand_is_told);
  return g_test_run ();
}
