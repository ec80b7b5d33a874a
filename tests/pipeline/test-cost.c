/* What a plan is predicted to cost: operations of all stages, and memory of those that work at the same time. */
#include "fixture.h"
#include "pipeline/cost.h"

/* ---- worker: predicts what its properties say ---- */

typedef struct {
  double flops, bytes; /* negative: cannot tell */
  gint64 packets, size;
} Worker;

static const LbProperty worker_properties[] = {
  LB_NUMBER (Worker, flops, "flops", "0", -1, 1e18, NULL, "operations"),
  LB_NUMBER (Worker, bytes, "bytes", "0", -1, 1e18, NULL, "bytes"),
  LB_INTEGER (Worker, packets, "packets", "1", -1, 1000, NULL, "packets it promises; -1: none"),
  LB_INTEGER (Worker, size, "size", "0", 0, 100000000, NULL, "bytes of a packet"),
  LB_PROPERTIES_END,
};

static const LbPort worker_inputs[]
    = { { "from", "numbers", "", LB_PORT_OPTIONAL | LB_PORT_MANY, "read" }, LB_PORTS_END };
static const LbPort worker_outputs[] = { { "to", "numbers", "", 0, "made" }, LB_PORTS_END };

static gboolean
worker_configure (LbConfigure *configure, gpointer data, GError **error)
{
  const Worker *self = data;

  if (self->flops >= 0)
    lb_configure_cost (configure, self->flops, self->bytes);
  if (self->packets >= 0)
    lb_configure_set_output_packets (configure, "to", self->packets);
  lb_configure_set_output_bytes (configure, "to", self->size);
  return TRUE;
}

static gboolean
worker_run (LbStage *stage, gpointer data, GError **error)
{
  return TRUE;
}

static const LbStageType worker_type = {
  .name = "worker",
  .summary = "costs",
  .inputs = worker_inputs,
  .outputs = worker_outputs,
  .properties = worker_properties,
  .instance_size = sizeof (Worker),
  .configure = worker_configure,
  .run = worker_run,
};

/* ---- Plans ---- */

typedef struct {
  LbProblems *problems;
  LbPipeline *pipeline;
  LbPlan *plan;
  LbCost *cost;
} Job;

static void
job_set_up (Job *job, Fixture *fixture, const char *stages)
{
  g_autofree char *text = g_strconcat ("limbeck: 1\nstages:\n", stages, NULL);

  job->problems = lb_problems_new ("p.yaml");
  job->pipeline = lb_pipeline_parse ("p.yaml", text, strlen (text), NULL, job->problems);
  job->plan = lb_plan_new (job->pipeline, fixture->registry, job->problems);
  lb_plan_configure (job->plan, job->problems);
  g_autofree char *told = lb_problems_to_text (job->problems);
  g_assert_cmpstr (told, ==, "");
  job->cost = lb_cost_new (job->plan);
}

static void
job_clear (Job *job)
{
  lb_cost_free (job->cost);
  lb_plan_free (job->plan);
  lb_pipeline_free (job->pipeline);
  lb_problems_free (job->problems);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Job, job_clear)

static void
assert_costs (Fixture *fixture, const char *stages, double flops, double peak_bytes)
{
  g_auto (Job) job = { 0 };

  job_set_up (&job, fixture, stages);
  g_assert_cmpfloat (job.cost->flops, ==, flops);
  g_assert_cmpfloat (job.cost->peak_bytes, ==, peak_bytes);
  g_assert_cmpuint (job.cost->n_silent, ==, 0);
}

static void
test_one_after_the_other (Fixture *fixture, gconstpointer data)
{
  /* The packet of 10 bytes is held while its reader works, and the first stage's memory is free by then. */
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 100, bytes: 1000, size: 10}}\n"
                "  b: {plugin: worker, inputs: {from: a.to}, with: {flops: 50, bytes: 700, size: 400}}\n",
                150, 700 + 10 + 400);
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 100, bytes: 2000, size: 10}}\n"
                "  b: {plugin: worker, inputs: {from: a.to}, with: {flops: 50, bytes: 700, size: 400}}\n",
                150, 2000 + 10);
}

static void
test_side_by_side (Fixture *fixture, gconstpointer data)
{
  /* c ends long before b begins; a works beside both. */
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 1000, bytes: 100}}\n"
                "  c: {plugin: worker, with: {flops: 10, bytes: 30}}\n"
                "  d: {plugin: worker, inputs: {from: c.to}, with: {flops: 100, bytes: 5}}\n"
                "  b: {plugin: worker, inputs: {from: d.to}, with: {flops: 10, bytes: 40}}\n",
                1120, 140);
}

static void
test_streams_overlap (Fixture *fixture, gconstpointer data)
{
  /* The reader of a stream of several packets works while they are made: two packets are alive. */
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 100, bytes: 1000, packets: 5, size: 10}}\n"
                "  b: {plugin: worker, inputs: {from: a.to}, with: {flops: 50, bytes: 700}}\n",
                150, 1000 + 700 + 20);
  /* So does one that was not told how many there are. */
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 100, bytes: 1000, packets: -1, size: 10}}\n"
                "  b: {plugin: worker, inputs: {from: a.to}, with: {flops: 50, bytes: 700}}\n",
                150, 1000 + 700 + 20);
}

static void
test_packets_wait (Fixture *fixture, gconstpointer data)
{
  /* b cannot begin before c has ended, so all packets of a wait; those of a source live until the last reader. */
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 10, packets: 5, size: 10}}\n"
                "  c: {plugin: worker, with: {flops: 100, bytes: 3}}\n"
                "  b: {plugin: worker, inputs: {from: [a.to, c.to]}, with: {flops: 1}}\n",
                111, 53);
  assert_costs (fixture,
                "  a: {plugin: worker, with: {size: 500}}\n"
                "  b: {plugin: worker, inputs: {from: a.to}, with: {flops: 1, bytes: 7}}\n"
                "  c: {plugin: worker, inputs: {from: [a.to, b.to]}, with: {flops: 1, bytes: 9}}\n",
                2, 509);
}

/* Packets count as they are made: while c works beside a, the first of five. */
static void
test_packets_come_one_by_one (Fixture *fixture, gconstpointer data)
{
  assert_costs (fixture,
                "  a: {plugin: worker, with: {flops: 100, bytes: 1000, packets: 5, size: 10}}\n"
                "  c: {plugin: worker, with: {flops: 30, bytes: 100}}\n"
                "  b: {plugin: worker, inputs: {from: [a.to, c.to]}, with: {flops: 1, bytes: 40}}\n",
                131, 1000 + 100 + 10);
}

static void
test_stages_that_cannot_tell (Fixture *fixture, gconstpointer data)
{
  g_auto (Job) job = { 0 };

  job_set_up (&job, fixture,
              "  a: {plugin: worker, with: {flops: -1, bytes: 1000}}\n"
              "  b: {plugin: worker, inputs: {from: a.to}, with: {flops: 5, bytes: 70}}\n");
  g_assert_cmpuint (job.cost->n_silent, ==, 1);
  g_assert_cmpfloat (job.cost->stages[0].flops, <, 0);
  g_assert_cmpfloat (job.cost->flops, ==, 5);
  g_assert_cmpfloat (job.cost->peak_bytes, ==, 70);
}

static void
test_fits (Fixture *fixture, gconstpointer data)
{
  g_auto (Job) job = { 0 };
  g_autoptr (GError) error = NULL;

  job_set_up (&job, fixture, "  a: {plugin: worker, with: {flops: 1, bytes: 3145728}}\n");
  g_assert_true (lb_cost_fits (job.cost, 1 << 20, 4 << 20, "are there", &error));
  g_assert_false (lb_cost_fits (job.cost, (1 << 20) + 1, 4 << 20, "are there", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_MEMORY);
  assert_contains (error->message, "predicted to take 4.00 MiB of memory, but 4.00 MiB are there; ");
  assert_contains (error->message, "--memory-limit");
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture_set_up (fixture, data);
  lb_registry_add_type (fixture->registry, &worker_type, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, fixture_tear_down)
  ADD ("/cost/stages-one-after-the-other", test_one_after_the_other);
  ADD ("/cost/stages-side-by-side", test_side_by_side);
  ADD ("/cost/streams-let-stages-overlap", test_streams_overlap);
  ADD ("/cost/packets-that-wait", test_packets_wait);
  ADD ("/cost/packets-come-one-by-one", test_packets_come_one_by_one);
  ADD ("/cost/stages-that-cannot-tell-count-as-nothing", test_stages_that_cannot_tell);
  ADD ("/cost/refuses-what-does-not-fit", test_fits);
  return g_test_run ();
}
