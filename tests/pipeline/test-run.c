/* Running pipelines: what is computed, written and reported, how errors and cancelling end a run, and what is shown. */
#include <math.h>
#include <unistd.h>

#include <glib-unix.h>
#include <json-glib/json-glib.h>

#include "fixture.h"
#include "pipeline/metrics.h"
#include "pipeline/run.h"

/* One pipeline, planned and ready. */
typedef struct {
  LbProblems *problems;
  LbPipeline *pipeline;
  LbPlan *plan;
  LbRun *run;
  char *output;
} Job;

static void
job_set_up (Job *job, Fixture *fixture, const char *text, guint threads, gsize link_capacity)
{
  g_autoptr (GError) error = NULL;
  job->problems = lb_problems_new ("p.yaml");
  job->pipeline = lb_pipeline_parse ("dir/p.yaml", text, strlen (text), NULL, job->problems);
  job->plan = lb_plan_new (job->pipeline, fixture->registry, job->problems);
  lb_plan_configure (job->plan, job->problems);
  g_autofree char *told = lb_problems_to_text (job->problems);
  g_assert_cmpstr (told, ==, "");
  job->output = g_build_filename (fixture->directory, "out", "put", NULL);
  LbRunSettings settings = {
    .output_directory = job->output, .threads = threads, .link_capacity = link_capacity, .arithmetic = "by hand"
  };
  job->run = lb_run_new (job->plan, &settings, &error);
  g_assert_no_error (error);
}

static void
job_tear_down (Job *job)
{
  lb_run_free (job->run);
  lb_plan_free (job->plan);
  lb_pipeline_free (job->pipeline);
  lb_problems_free (job->problems);
  g_free (job->output);
}

static const char simple[]
    = "limbeck: 1\n"
      "title: Sums\n"
      "seed: 3\n"
      "stages:\n"
      "  source: {plugin: counter, with: {packets: 100, size: 2}}\n"
      "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
      "  end: {plugin: sum, inputs: {numbers: [twice.doubled, source.numbers], more: twice.doubled}}\n";

static double
metric (const Job *job, guint stage, guint index)
{
  const LbMetric *found = lb_run_metrics (job->run, stage)->pdata[index];
  return found->value;
}

static void
test_computes_and_writes (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autoptr (GError) error = NULL;
  job_set_up (&job, fixture, simple, 1, 0);
  g_assert_true (lb_run_execute (job.run, NULL, &error));
  g_assert_no_error (error);
  /* 0 + ... + 99 = 4950, twice for the size of 2. */
  g_assert_cmpfloat (metric (&job, 2, 0), ==, 3 * 9900);
  g_assert_cmpfloat (metric (&job, 2, 1), ==, 5 * 9900);
  g_autofree char *result = read_text (job.output, "end.txt");
  g_assert_cmpstr (result, ==, "end: 49500");
  g_assert_cmpstr (lb_run_reports (job.run, 2)->pdata[0], ==, "end: 49500");
  g_assert_cmpuint (lb_run_activity (job.run, 0)->bytes_out, ==, 1600);
  g_assert_cmpuint (lb_run_activity (job.run, 1)->bytes_out, ==, 1600);
  g_assert_cmpfloat (lb_run_activity (job.run, 1)->flops, ==, 200);
  g_assert_cmpint (lb_run_activity (job.run, 2)->state, ==, LB_ACTIVITY_DONE);
  job_tear_down (&job);
}

/* metrics.json without its timing. */
static char *
reproducible_part (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) root = json_from_string (text, &error);
  g_assert_no_error (error);
  g_assert_true (json_object_has_member (json_node_get_object (root), "timing"));
  json_object_remove_member (json_node_get_object (root), "timing");
  return json_to_string (root, FALSE);
}

static void
test_metrics_are_the_same_at_any_thread_count (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = NULL;
  for (guint threads = 1; threads <= 4; threads *= 2) {
    Job job = { 0 };
    job_set_up (&job, fixture, simple, threads, 0);
    g_assert_true (lb_run_execute (job.run, NULL, NULL));
    g_autofree char *text = read_text (job.output, "metrics.json");
    g_autofree char *part = reproducible_part (text);
    if (first == NULL)
      first = g_steal_pointer (&part);
    else
      g_assert_cmpstr (part, ==, first);
    job_tear_down (&job);
  }
}

static void
test_metrics_say_what_was_run (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  job_set_up (&job, fixture, simple, 2, 0);
  g_assert_true (lb_run_execute (job.run, NULL, NULL));
  g_autofree char *text = read_text (job.output, "metrics.json");
  g_autofree char *same = lb_metrics_to_json (job.run);
  g_assert_cmpstr (text, ==, same);
  g_autoptr (JsonNode) root = json_from_string (text, NULL);
  JsonObject *object = json_node_get_object (root);
  g_assert_cmpstr (json_object_get_string_member (object, "title"), ==, "Sums");
  g_assert_cmpstr (json_object_get_string_member (object, "pipeline"), ==, "p.yaml");
  g_assert_cmpint (json_object_get_int_member (object, "seed"), ==, 3);
  g_assert_cmpstr (json_object_get_string_member (object, "arithmetic"), ==, "by hand");
  g_assert_cmpint (json_object_get_int_member (json_object_get_object_member (object, "timing"), "threads"), ==, 2);
  JsonObject *end = json_array_get_object_element (json_object_get_array_member (object, "stages"), 2);
  g_assert_cmpstr (json_object_get_string_member (end, "name"), ==, "end");
  g_assert_cmpstr (json_object_get_string_member (end, "plugin"), ==, "sum");
  JsonArray *metrics = json_object_get_array_member (end, "metrics");
  g_assert_cmpuint (json_array_get_length (metrics), ==, 3);
  JsonObject *sum = json_array_get_object_element (metrics, 1), *ratio = json_array_get_object_element (metrics, 2);
  g_assert_cmpstr (json_object_get_string_member (sum, "name"), ==, "sum");
  g_assert_cmpfloat (json_object_get_double_member (sum, "value"), ==, 49500);
  g_assert_cmpstr (json_object_get_string_member (sum, "unit"), ==, "numbers");
  /* Not a number: JSON has no word for it. */
  g_assert_true (json_object_get_null_member (ratio, "value"));
  job_tear_down (&job);
}

static void
test_diamond_with_tiny_links_ends (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autoptr (GError) error = NULL;
  /* The sum reads all of one branch before the other, which has to wait somewhere. */
  job_set_up (&job, fixture, simple, 1, 1);
  g_assert_true (lb_run_execute (job.run, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat (metric (&job, 2, 1), ==, 5 * 9900);
  g_assert_cmpuint (lb_run_links_grown (job.run), >, 0);
  job_tear_down (&job);
}

static void
test_failure_stops_the_run (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autoptr (GError) error = NULL;
  job_set_up (&job, fixture,
              "limbeck: 1\n"
              "stages:\n"
              "  source: {plugin: counter, with: {packets: 100}}\n"
              "  early: {plugin: sum, inputs: {numbers: source.numbers}}\n"
              "  endless: {plugin: sleeper}\n"
              "  fails: {plugin: doubler, inputs: {numbers: source.numbers}, with: {fail-at: 50}}\n"
              "  late: {plugin: sum, inputs: {numbers: [early2.doubled, fails.doubled]}}\n"
              "  early2: {plugin: doubler, inputs: {numbers: source.numbers}}\n",
              1, 0);
  write_text (job.output, "metrics.json", "of an earlier run");
  g_assert_false (lb_run_execute (job.run, NULL, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_assert_cmpstr (error->message, ==, "stage 'fails': packet 50 is too much; send fewer");
  g_assert_cmpint (lb_run_activity (job.run, 3)->state, ==, LB_ACTIVITY_FAILED);
  g_assert_cmpint (lb_run_activity (job.run, 2)->state, ==, LB_ACTIVITY_STOPPED);
  g_assert_false (file_exists (job.output, "late.txt"));
  g_assert_false (file_exists (job.output, "metrics.json"));
  job_tear_down (&job);
}

static void
test_giving_up_unasked_is_an_error (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autoptr (GError) error = NULL;
  job_set_up (&job, fixture,
              "limbeck: 1\n"
              "stages:\n"
              "  endless: {plugin: sleeper}\n"
              "  first: {plugin: quitter}\n",
              1, 0);
  g_assert_false (lb_run_execute (job.run, NULL, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_cmpstr (error->message, ==, "stage 'first': gave up, although nobody stopped the run; correct the plugin");
  job_tear_down (&job);
}

static gboolean
cancel_later (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return G_SOURCE_REMOVE;
}

static void
test_cancelling_ends_the_run (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  job_set_up (&job, fixture,
              "limbeck: 1\n"
              "stages:\n"
              "  endless: {plugin: sleeper}\n"
              "  source: {plugin: counter}\n"
              "  quick: {plugin: sum, inputs: {numbers: source.numbers}}\n",
              1, 0);
  g_timeout_add (300, cancel_later, cancellable);
  gint64 begin = g_get_monotonic_time ();
  g_assert_false (lb_run_execute (job.run, cancellable, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 2 * G_USEC_PER_SEC);
  g_assert_cmpint (lb_run_activity (job.run, 0)->state, ==, LB_ACTIVITY_STOPPED);
  g_autofree char *kept = read_text (job.output, "quick.txt");
  g_assert_cmpstr (kept, ==, "quick: 45");
  g_assert_false (file_exists (job.output, "metrics.json"));
  job_tear_down (&job);
}

static void
test_cancelled_before_start_leaves_no_result (Fixture *fixture, gconstpointer data)
{
  Job job = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  job_set_up (&job, fixture, "limbeck: 1\nstages: {endless: {plugin: sleeper}}\n", 1, 0);
  g_assert_true (g_file_test (job.output, G_FILE_TEST_IS_DIR));
  g_cancellable_cancel (cancellable);
  g_assert_false (lb_run_execute (job.run, cancellable, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_false (file_exists (job.output, "metrics.json"));
  g_autofree char *log = read_text (job.output, "run/log.txt");
  assert_contains (log, "stopped after ");
  job_tear_down (&job);
}

static void
test_refuses_an_output_that_cannot_be_made (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("p.yaml", simple, strlen (simple), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  lb_plan_configure (plan, problems);
  g_autoptr (GError) error = NULL;
  write_text (fixture->directory, "file", "in the way");
  g_autofree char *path = g_build_filename (fixture->directory, "file", "out", NULL);
  LbRunSettings settings = { .output_directory = path };
  g_assert_null (lb_run_new (plan, &settings, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  g_autofree char *expected = g_strdup_printf (
      "output directory '%s' cannot be made: Not a directory; name one that can be written to with --output", path);
  g_assert_cmpstr (error->message, ==, expected);
}

/* ---- Progress ---- */

static void
assert_line (const LbActivity *activity, gboolean bar, guint width, const char *expected)
{
  g_autofree char *line = lb_progress_line (activity, bar, width, 20 * G_USEC_PER_SEC);
  g_assert_cmpstr (line, ==, expected);
}

static void
test_progress_lines (void)
{
  LbActivity activity = { .name = "distill" };
  assert_line (&activity, TRUE, 200, "waiting");
  activity.state = LB_ACTIVITY_RUNNING;
  activity.started = 5 * G_USEC_PER_SEC;
  assert_line (&activity, TRUE, 200, "running  15.0 s");
  /* Rates count from the first report on. */
  lb_activity_report (&activity, 500, 2000, NULL, 0, 10 * G_USEC_PER_SEC);
  lb_activity_report (&activity, 1000, 2000, "loss", 0.12345, 20 * G_USEC_PER_SEC);
  assert_line (&activity, FALSE, 200, " 50%  1,000/2,000  50.0/s  20.0 s left  loss 0.1235");
  assert_line (&activity, TRUE, 200, "[==========>         ]   50%  1,000/2,000  50.0/s  20.0 s left  loss 0.1235");
  assert_line (&activity, TRUE, 30, "[==========>         ]   50%  ");
  lb_activity_metric (&activity, "accuracy", 0.75);
  assert_line (&activity, FALSE, 200, " 50%  1,000/2,000  50.0/s  20.0 s left  loss 0.1235  accuracy 0.75");
  activity.state = LB_ACTIVITY_DONE;
  activity.ended = 20 * G_USEC_PER_SEC;
  activity.flops = 2.5e9;
  activity.bytes_out = 2048;
  assert_line (&activity, TRUE, 200, "done after 15.0 s, 2.50 GFLOP, 2.00 KiB sent, accuracy 0.75");
}

/* What lb_progress prints over a short life of two stages. */
static char *
show (gboolean live)
{
  int ends[2];
  g_assert_true (g_unix_open_pipe (ends, 0, NULL));
  g_autoptr (LbProgress) progress = lb_progress_new (ends[1], live ? LB_PROGRESS_LIVE : LB_PROGRESS_PLAIN);
  LbActivity activities[] = { { .name = "a", .state = LB_ACTIVITY_RUNNING, .started = 1 }, { .name = "later" } };
  lb_progress_update (progress, activities, 2, 1);
  lb_progress_update (progress, activities, 2, 2);
  lb_activity_report (&activities[0], 1, 4, "loss", NAN, 3);
  lb_progress_update (progress, activities, 2, 11 * G_USEC_PER_SEC);
  lb_progress_say (progress, "stopping");
  activities[0].state = LB_ACTIVITY_DONE;
  activities[1].state = LB_ACTIVITY_STOPPED;
  activities[0].ended = activities[1].ended = activities[1].started = 12 * G_USEC_PER_SEC;
  lb_progress_finish (progress, activities, 2, 12 * G_USEC_PER_SEC);
  close (ends[1]);
  char text[4096];
  gssize n = read (ends[0], text, sizeof text);
  close (ends[0]);
  return g_strndup (text, n);
}

static void
test_plain_progress (void)
{
  g_autofree char *text = show (FALSE);
  g_assert_cmpstr (text, ==,
                   "a: started\n"
                   "a: 25%  1/4  loss nan\n"
                   "stopping\n"
                   "a: done after 12.0 s\n"
                   "later: stopped after 0 ms\n");
}

static void
test_live_progress (void)
{
  g_autofree char *text = show (TRUE);
  g_assert_cmpstr (text, ==,
                   "a      running  0 ms\033[K\nwaiting: later\033[K\n\033[J"
                   "\033[2Aa      [=====>              ]   25%  1/4  loss nan\033[K\nwaiting: later\033[K\n\033[J"
                   "\033[2Astopping\033[K\na      done after 12.0 s\033[K\nlater  stopped after 0 ms\033[K\n\033[J");
}

#define ADD(name, function) g_test_add (name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/run/computes-and-writes", test_computes_and_writes);
  ADD ("/run/metrics-are-the-same-at-any-thread-count", test_metrics_are_the_same_at_any_thread_count);
  ADD ("/run/metrics-say-what-was-run", test_metrics_say_what_was_run);
  ADD ("/run/diamond-with-tiny-links-ends", test_diamond_with_tiny_links_ends);
  ADD ("/run/failure-stops-the-run", test_failure_stops_the_run);
  ADD ("/run/giving-up-unasked-is-an-error", test_giving_up_unasked_is_an_error);
  ADD ("/run/cancelling-ends-the-run", test_cancelling_ends_the_run);
  ADD ("/run/cancelled-before-start-leaves-no-result", test_cancelled_before_start_leaves_no_result);
  ADD ("/run/refuses-an-output-that-cannot-be-made", test_refuses_an_output_that_cannot_be_made);
  g_test_add_func ("/progress/lines", test_progress_lines);
  g_test_add_func ("/progress/plain", test_plain_progress);
  g_test_add_func ("/progress/live", test_live_progress);
  return g_test_run ();
}
