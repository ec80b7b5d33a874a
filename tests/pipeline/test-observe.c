/* What a run tells while it runs: the journal in its directory, stalls, full disks, growing links, the resolved
 * pipeline.
 */
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include <json-glib/json-glib.h>

#include "base/timeline.h"
#include "fixture.h"
#include "pipeline/journal.h"
#include "pipeline/resolved.h"
#include "pipeline/run.h"
#include "pipeline/watch.h"
#include "timeline.h"

/* ---- The journal ---- */

static void
assert_rows (Fixture *fixture, const char *expected)
{
  g_autofree char *csv = read_text (fixture->directory, "run/metrics.csv");
  g_assert_cmpstr (csv, ==, expected);
}

/* The lines of metrics.jsonl say the same as those of metrics.csv. */
static void
assert_objects (Fixture *fixture, guint n)
{
  g_autofree char *text = read_text (fixture->directory, "run/metrics.jsonl");
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, n + 1);
  for (guint i = 0; i < n; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = json_from_string (lines[i], &error);
    g_assert_no_error (error);
    g_assert_cmpuint (json_object_get_size (json_node_get_object (node)), ==, 5);
    g_assert_cmpstr (json_object_get_string_member (json_node_get_object (node), "stage"), ==, "a");
  }
}

static void
test_journal_writes_rows (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbJournal) journal = lb_journal_new (fixture->directory, "limbeck: 1\n", &error);
  g_assert_no_error (error);
  lb_journal_value (journal, "a", 7, "loss", 0.1, NULL);
  g_assert_true (lb_journal_flush (journal, NULL));
  assert_rows (fixture, "stage,step,name,value,unit\na,7,loss,0.10000000000000001,\n");
  lb_journal_value (journal, "a", 8, "so \"called\", a\nname", -INFINITY, "m, s");
  lb_journal_value (journal, "a", 9, "loss", -NAN, "\\");
  g_assert_true (lb_journal_flush (journal, NULL));
  assert_rows (fixture, "stage,step,name,value,unit\na,7,loss,0.10000000000000001,\n"
                        "a,8,\"so \"\"called\"\", a\nname\",-inf,\"m, s\"\na,9,loss,nan,\\\n");
  assert_objects (fixture, 3);
  g_autofree char *yaml = read_text (fixture->directory, "run/pipeline.yaml");
  g_assert_cmpstr (yaml, ==, "limbeck: 1\n");
}

static void
test_journal_goes_on_after_a_kill (Fixture *fixture, gconstpointer data)
{
  LbJournal *journal = lb_journal_new (fixture->directory, "one", NULL);
  lb_journal_value (journal, "a", 1, "x", 1, NULL);
  lb_journal_log (journal, "first");
  g_assert_true (lb_journal_flush (journal, NULL));
  lb_journal_free (journal);
  /* Killed in the middle of a line. */
  g_autofree char *csv = lb_journal_path (fixture->directory, "metrics.csv");
  g_autofree char *whole = read_text (fixture->directory, "run/metrics.csv");
  g_autofree char *torn = g_strconcat (whole, "a,2,x", NULL);
  g_file_set_contents (csv, torn, -1, NULL);

  journal = lb_journal_new (fixture->directory, "one", NULL);
  lb_journal_value (journal, "a", 2, "x", 2, NULL);
  lb_journal_log (journal, "second");
  g_assert_true (lb_journal_flush (journal, NULL));
  lb_journal_free (journal);
  assert_rows (fixture, "stage,step,name,value,unit\na,1,x,1,\na,2,x,2,\n");
  assert_objects (fixture, 2);

  /* Another pipeline, or one that had come to its end, starts anew; the log goes on. */
  lb_journal_free (lb_journal_new (fixture->directory, "two", NULL));
  assert_rows (fixture, "");
  journal = lb_journal_new (fixture->directory, "two", NULL);
  lb_journal_value (journal, "a", 5, "x", 5, NULL);
  g_assert_true (lb_journal_flush (journal, NULL));
  lb_journal_free (journal);
  write_text (fixture->directory, "metrics.json", "{}");
  journal = lb_journal_new (fixture->directory, "two", NULL);
  g_assert_true (lb_journal_flush (journal, NULL));
  lb_journal_free (journal);
  assert_rows (fixture, "stage,step,name,value,unit\n");
  g_autofree char *log = read_text (fixture->directory, "run/log.txt");
  assert_contains (log, "Z first\n");
  assert_contains (log, "Z second\n");
}

static void
test_journal_has_one_writer (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (lb_journal_is_live (fixture->directory));
  LbJournal *journal = lb_journal_new (fixture->directory, "one", NULL);
  lb_journal_value (journal, "a", 1, "x", 1, NULL);
  g_assert_true (lb_journal_flush (journal, NULL));
  g_assert_true (lb_journal_is_live (fixture->directory));
  g_assert_null (lb_journal_new (fixture->directory, "two", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  assert_contains (error->message, "is being written by another run");
  /* The refused one has touched nothing. */
  assert_rows (fixture, "stage,step,name,value,unit\na,1,x,1,\n");
  lb_journal_free (journal);
  g_assert_false (lb_journal_is_live (fixture->directory));
}

/* A limit on file sizes acts as a full disk does: first a short write, then an error. */
static void
limit_file_size (rlim_t bytes)
{
  struct rlimit limit;
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = bytes;
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

static void
test_full_disk_loses_nothing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbJournal) journal = lb_journal_new (fixture->directory, "one", NULL);
  g_autoptr (GString) expected = g_string_new ("stage,step,name,value,unit\n");
  for (guint i = 0; i < 1000; i++) {
    lb_journal_value (journal, "a", i, "x", i, NULL);
    g_string_append_printf (expected, "a,%u,x,%u,\n", i, i);
  }
  limit_file_size (1000);
  gboolean written = lb_journal_flush (journal, &error);
  limit_file_size (RLIM_INFINITY);
  g_assert_false (written);
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  assert_contains (error->message, "run/metrics.csv: cannot be written: the file would be larger than the limit");
  lb_journal_value (journal, "a", 1000, "x", 1000, NULL);
  g_string_append (expected, "a,1000,x,1000,\n");
  g_assert_true (lb_journal_flush (journal, NULL));
  assert_rows (fixture, expected->str);
  assert_objects (fixture, 1001);
}

/* ---- The watch ---- */

static void
assert_look (LbWatch *watch, double seconds, guint64 moved, double busy, const char *expected)
{
  const LbActivity activities[] = { { .name = "a", .waits_for = "b.x -> a.y" },
                                    { .name = "b" },
                                    { .name = "c", .waits_for = "c.x -> d.y", .is_writing = TRUE },
                                    { .name = "d", .ended = 1, .state = LB_ACTIVITY_DONE } };
  g_autofree char *said = lb_watch_look (watch, activities, 4, moved, busy, (gint64)((100 + seconds) * G_USEC_PER_SEC));
  g_assert_cmpstr (said, ==, expected);
}

#define WHO                                                                                                            \
  ", and no stage computes: 'a' waits for a packet from 'b.x -> a.y'; 'b' neither computes nor waits for a link, so "  \
  "it may wait for a file or a device; 'c' waits for room in 'c.x -> d.y'"

static void
test_watch_tells_stalls (void)
{
  LbWatch watch = lb_watch_new (10);
  assert_look (&watch, 0, 1, 1, NULL);
  assert_look (&watch, 9, 1, 1.001, NULL);
  assert_look (&watch, 10, 1, 1.001, "nothing has moved for 10.0 s" WHO);
  assert_look (&watch, 19, 1, 1.001, NULL);
  assert_look (&watch, 20, 1, 1.001, "nothing has moved for 20.0 s" WHO);
  assert_look (&watch, 25, 2, 1.001, "the run goes on after 25.0 s");
  /* A long step that computes is no stall, and neither is one that has just ended. */
  assert_look (&watch, 50, 2, 20, NULL);
  assert_look (&watch, 59, 2, 20, NULL);
  assert_look (&watch, 60, 2, 20.01, "nothing has moved for 10.0 s" WHO);
  assert_look (&watch, 61, 2, 22, "the run goes on after 11.0 s");
}

/* ---- Whole runs ---- */

typedef struct {
  LbProblems *problems;
  LbPipeline *pipeline;
  LbPlan *plan;
} Planned;

static void
plan_set_up (Planned *planned, Fixture *fixture, const char *text, const LbPipelineOverrides *overrides)
{
  planned->problems = lb_problems_new ("p.yaml");
  planned->pipeline = lb_pipeline_parse ("dir/p.yaml", text, strlen (text), overrides, planned->problems);
  planned->plan = lb_plan_new (planned->pipeline, fixture->registry, planned->problems);
  lb_plan_configure (planned->plan, planned->problems);
  g_autofree char *told = lb_problems_to_text (planned->problems);
  g_assert_cmpstr (told, ==, "");
}

static void
plan_tear_down (Planned *planned)
{
  lb_plan_free (planned->plan);
  lb_pipeline_free (planned->pipeline);
  lb_problems_free (planned->problems);
}

/* Runs @text in the fixture's directory and returns its log. */
static char *
run_to_log (Fixture *fixture, const char *text, LbRunSettings settings)
{
  g_autoptr (GError) error = NULL;
  Planned planned = { 0 };
  plan_set_up (&planned, fixture, text, NULL);
  settings.output_directory = fixture->directory;
  settings.threads = 1;
  LbRun *run = lb_run_new (planned.plan, &settings, &error);
  g_assert_no_error (error);
  g_assert_true (lb_run_execute (run, NULL, &error));
  g_assert_no_error (error);
  lb_run_free (run);
  plan_tear_down (&planned);
  return read_text (fixture->directory, "run/log.txt");
}

static void
test_run_tells_a_stall (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = run_to_log (fixture,
                                     "limbeck: 1\n"
                                     "stages:\n"
                                     "  nap: {plugin: napper, with: {milliseconds: 1500}}\n"
                                     "  end: {plugin: sum, inputs: {numbers: nap.numbers}}\n",
                                     (LbRunSettings){ .patience = 0.4 });
  assert_contains (log, "warning: nothing has moved for ");
  assert_contains (log, "'nap' neither computes nor waits for a link");
  assert_contains (log, "'end' waits for a packet from 'nap.numbers -> end.numbers'");
  assert_contains (log, "the run goes on after ");
  assert_contains (log, "Z done after ");
}

static const char diamond[] = "limbeck: 1\n"
                              "stages:\n"
                              "  source: {plugin: counter, with: {packets: 500}}\n"
                              "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
                              "  end: {plugin: sum, inputs: {numbers: twice.doubled, more: source.numbers}}\n";

static void
test_run_tells_of_growth (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = run_to_log (fixture, diamond, (LbRunSettings){ .link_capacity = 64 });
  assert_contains (log,
                   "link 'source.numbers -> end.more' grew from 64 B to 128 B: all stages waited, this one for room");
  /* Nearly five hundred times, told at each doubling. */
  g_auto (GStrv) told = g_strsplit (log, "' grew from ", -1);
  g_assert_cmpuint (g_strv_length (told) - 1, >=, 8);
  g_assert_cmpuint (g_strv_length (told) - 1, <=, 24);
}

static void
test_run_tells_of_a_disk_that_fills_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = run_to_log (fixture, diamond, (LbRunSettings){ .scarce = G_MAXUINT64 });
  assert_contains (log, "warning: only ");
  assert_contains (log, " are left on the disk of '");
}

static void
test_run_tells_of_values_that_are_no_numbers (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = run_to_log (fixture, diamond, (LbRunSettings){ 0 });
  assert_contains (log, "warning: stage 'end': ratio is not a number at step 0\n");
}

static void
test_run_records_curves (Fixture *fixture, gconstpointer data)
{
  g_autofree char *log = run_to_log (fixture,
                                     "limbeck: 1\n"
                                     "stages:\n"
                                     "  source: {plugin: counter, with: {packets: 2345}}\n",
                                     (LbRunSettings){ 0 });
  assert_contains (log, "stage 'source': done after ");
  g_autofree char *csv = read_text (fixture->directory, "run/metrics.csv");
  g_auto (GStrv) rows = g_strsplit (csv, "\n", -1);
  /* A header, 1 to 1000, then each tenth, the last, and the empty text after the last line end. */
  g_assert_cmpuint (g_strv_length (rows), ==, 1 + 1000 + 134 + 1 + 1);
  g_assert_cmpstr (rows[1000], ==, "source,1000,number,999,");
  g_assert_cmpstr (rows[1001], ==, "source,1010,number,1009,");
  g_assert_cmpstr (rows[1135], ==, "source,2345,number,2344,");
}

/* ---- Timelines ---- */

static void
assert_moved (const Timeline *timeline, const char *link, guint n, double bytes)
{
  double sum, length;
  g_assert_cmpuint (timeline_sum (timeline, "push", link, "bytes", &sum, &length), ==, n);
  g_assert_cmpfloat (sum, ==, bytes);
  g_assert_cmpuint (timeline_sum (timeline, "pull", link, "bytes", &sum, &length), ==, n);
  g_assert_cmpfloat (sum, ==, bytes);
}

static void
test_run_draws_a_timeline (Fixture *fixture, gconstpointer data)
{
  static const char *const stages[] = { "source", "twice", "end" };
  g_autofree char *path = g_build_filename (fixture->directory, "timeline.json", NULL);
  Timeline timeline;
  double sum, length, in_stages = 0, waited = 0, moving = 0;
  g_assert_true (lb_timeline_start (path, LB_TIMELINE_LIMIT, NULL));
  g_autofree char *log = run_to_log (fixture, diamond, (LbRunSettings){ .link_capacity = 640 });
  g_assert_true (lb_timeline_stop (NULL));
  timeline_read (&timeline, path);
  timeline_assert_nested (&timeline);
  for (guint i = 0; i < G_N_ELEMENTS (stages); i++) {
    g_assert_cmpuint (timeline_sum (&timeline, "stage", stages[i], "bytes_out", &sum, &length), ==, 1);
    g_assert_cmpfloat (sum, ==, i < 2 ? 4000 : 0);
    in_stages += length;
  }
  assert_moved (&timeline, "source.numbers -> twice.numbers", 500, 4000);
  assert_moved (&timeline, "source.numbers -> end.more", 500, 4000);
  assert_moved (&timeline, "twice.doubled -> end.numbers", 500, 4000);
  /* Waiting is part of pushing and pulling, which are part of the stages' time. */
  g_assert_cmpuint (timeline_sum (&timeline, "wait", NULL, NULL, &sum, &waited), >, 400);
  timeline_sum (&timeline, "push", NULL, NULL, &sum, &length);
  moving += length;
  timeline_sum (&timeline, "pull", NULL, NULL, &sum, &length);
  moving += length;
  g_assert_cmpfloat (waited, >, 0);
  /* Three waits found the end of the stream and no packet. */
  g_assert_cmpfloat (moving, <, in_stages);
  timeline_clear (&timeline);
  g_unlink (path);
}

/* ---- The resolved pipeline ---- */

static void
test_resolved_pipeline_is_whole (Fixture *fixture, gconstpointer data)
{
  static const char text[] = "limbeck: 1\n"
                             "title: \"${n} of \\\"$${x}\\\"\"\n"
                             "params: {n: 4}\n"
                             "stages:\n"
                             "  source: {plugin: counter, with: {packets: \"${n}\"}}\n"
                             "  says: {plugin: speaker, with: {text: 'a: \"$${b}\"'}}\n"
                             "  end:\n"
                             "    plugin: sum\n"
                             "    inputs: {more: source.numbers, numbers: [source.numbers, source.numbers]}\n"
                             "    with: {file: some/where}\n";
  const char *const settings[] = { "source.size=3", NULL };
  const LbPipelineOverrides overrides = { .settings = settings, .seed = "9" };
  Planned planned = { 0 }, again = { 0 };
  plan_set_up (&planned, fixture, text, &overrides);
  g_autofree char *yaml = lb_plan_to_yaml (planned.plan);
  g_autofree char *file = g_canonicalize_filename ("dir/some/where", NULL);
  g_autofree char *expected = g_strdup_printf ("limbeck: 1\n"
                                               "title: \"4 of \\\"$${x}\\\"\"\n"
                                               "seed: 9\n"
                                               "stages:\n"
                                               "  source:\n"
                                               "    plugin: counter\n"
                                               "    with:\n"
                                               "      packets: 4\n"
                                               "      size: 3\n"
                                               "      kind: up\n"
                                               "  says:\n"
                                               "    plugin: speaker\n"
                                               "    with:\n"
                                               "      text: \"a: \\\"$${b}\\\"\"\n"
                                               "  end:\n"
                                               "    plugin: sum\n"
                                               "    inputs:\n"
                                               "      more: source.numbers\n"
                                               "      numbers: [source.numbers, source.numbers]\n"
                                               "    with:\n"
                                               "      file: \"%s\"\n"
                                               "      result: end.txt\n",
                                               file);
  g_assert_cmpstr (yaml, ==, expected);
  /* It is a pipeline file, and resolves to itself. */
  plan_set_up (&again, fixture, yaml, NULL);
  g_autofree char *same = lb_plan_to_yaml (again.plan);
  g_assert_cmpstr (same, ==, yaml);
  plan_tear_down (&planned);
  plan_tear_down (&again);
}

#define ADD(name, function) g_test_add (name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/journal/writes-rows-and-objects", test_journal_writes_rows);
  ADD ("/journal/goes-on-after-a-kill", test_journal_goes_on_after_a_kill);
  ADD ("/journal/has-one-writer", test_journal_has_one_writer);
  ADD ("/journal/full-disk-loses-nothing", test_full_disk_loses_nothing);
  g_test_add_func ("/watch/tells-stalls", test_watch_tells_stalls);
  ADD ("/observer/run-tells-a-stall", test_run_tells_a_stall);
  ADD ("/observer/run-tells-of-growing-links", test_run_tells_of_growth);
  ADD ("/observer/run-tells-of-a-disk-that-fills-up", test_run_tells_of_a_disk_that_fills_up);
  ADD ("/observer/run-tells-of-values-that-are-no-numbers", test_run_tells_of_values_that_are_no_numbers);
  ADD ("/observer/run-records-curves", test_run_records_curves);
  ADD ("/observer/run-draws-a-timeline", test_run_draws_a_timeline);
  ADD ("/resolved/is-whole-and-resolves-to-itself", test_resolved_pipeline_is_whole);
  return g_test_run ();
}
