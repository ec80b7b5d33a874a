/* Stages that close a run: they wait for all others, are told of the run, and are run every time. */
#include <json-glib/json-glib.h>

#include "fixture.h"
#include "pipeline/run.h"

/* Runs @text in a directory that the caller frees; stages are read from @store unless it is NULL. NULL on error. */
static char *
run (Fixture *fixture, const char *text, LbStore *store, GCancellable *cancellable, GError **error)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("dir/p.yaml", text, strlen (text), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  g_autofree char *output = g_build_filename (fixture->directory, "out", NULL);
  lb_plan_configure (plan, problems);
  g_autofree char *told = lb_problems_to_text (problems);
  g_assert_cmpstr (told, ==, "");
  LbRunSettings settings
      = { .output_directory = output, .threads = 1, .link_capacity = 64, .arithmetic = "by hand", .store = store };
  g_autoptr (LbRun) made = lb_run_new (plan, &settings, error);
  g_assert_no_error (*error);
  return lb_run_execute (made, cancellable, error) ? g_steal_pointer (&output) : NULL;
}

static JsonNode *
facts_of (const char *output, const char *stage)
{
  g_autofree char *name = g_strconcat (stage, ".facts", NULL), *text = read_text (output, name);
  g_autoptr (GError) error = NULL;
  JsonNode *node = json_from_string (text, &error);
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (node));
  return node;
}

/* Links hold one packet, so that the writers of 'end' are blocked again and again while 'last' waits for it. */
static const char simple[] = "limbeck: 1\n"
                             "title: Sums\n"
                             "seed: 3\n"
                             "stages:\n"
                             "  last: {plugin: closer, inputs: {numbers: twice.doubled}}\n"
                             "  source: {plugin: counter, with: {packets: 200, size: 2}}\n"
                             "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
                             "  end: {plugin: sum, inputs: {numbers: [twice.doubled, source.numbers]}}\n"
                             "  nap: {plugin: napper, with: {milliseconds: 300}}\n"
                             "  other: {plugin: closer}\n";

static void
test_tells_of_all_other_stages (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *output = run (fixture, simple, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (JsonNode) node = facts_of (output, "last"), other = facts_of (output, "other");
  JsonObject *facts = json_node_get_object (node);
  g_assert_true (json_node_equal (node, other));
  g_assert_cmpstr (json_object_get_string_member (facts, "limbeck"), ==, LB_VERSION);
  g_assert_true (g_str_has_prefix (json_object_get_string_member (facts, "drawing"), "<?xml"));
  assert_contains (json_object_get_string_member (facts, "pipeline"), "plugin: doubler");

  JsonArray *stages = json_object_get_array_member (facts, "stages");
  g_assert_cmpuint (json_array_get_length (stages), ==, 6);
  JsonObject *third = json_array_get_object_element (stages, 2);
  g_assert_cmpstr (json_object_get_string_member (third, "name"), ==, "twice");
  g_assert_cmpstr (json_object_get_string_member (third, "summary"), ==, "doubles numbers");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (third, "models")), ==, 0);

  /* What 'end' recorded last, and what the napper took, are told, so both had ended. */
  JsonObject *metrics = json_object_get_object_member (facts, "metrics");
  JsonObject *end = json_array_get_object_element (json_object_get_array_member (metrics, "stages"), 3);
  JsonArray *figures = json_object_get_array_member (end, "metrics");
  g_assert_cmpfloat (json_object_get_double_member (json_array_get_object_element (figures, 1), "value"), ==, 119400);
  JsonObject *seconds = json_object_get_object_member (json_object_get_object_member (metrics, "timing"), "stages");
  g_assert_cmpfloat (json_object_get_double_member (seconds, "nap"), >=, 0.25);
}

static void
test_tells_curves (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *output = run (fixture, simple, NULL, NULL, &error);
  g_autoptr (JsonNode) node = facts_of (output, "last");
  JsonArray *curves = json_object_get_array_member (json_node_get_object (node), "curves");
  JsonObject *curve = json_array_get_object_element (curves, 0);
  JsonArray *steps = json_object_get_array_member (curve, "steps");
  JsonArray *values = json_object_get_array_member (curve, "values");
  g_assert_cmpstr (json_object_get_string_member (curve, "stage"), ==, "source");
  g_assert_cmpstr (json_object_get_string_member (curve, "name"), ==, "number");
  g_assert_cmpint (json_object_get_int_member (curve, "total"), ==, 200);
  g_assert_cmpuint (json_array_get_length (steps), ==, 200);
  g_assert_cmpuint (json_array_get_length (values), ==, 200);
  for (guint i = 0; i < 200; i++) {
    g_assert_cmpint (json_array_get_int_element (steps, i), ==, i + 1);
    g_assert_cmpfloat (json_array_get_double_element (values, i), ==, i);
  }
}

/* Everything else comes from the store; of what did not run there are no curves. */
static void
test_runs_every_time (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  g_autoptr (LbStore) store = lb_store_open (place, &error);
  g_assert_no_error (error);
  g_autofree char *first = run (fixture, simple, store, NULL, &error), *file = NULL;
  g_assert_no_error (error);
  file = g_build_filename (first, "last.facts", NULL);
  g_unlink (file);
  g_autofree char *second = run (fixture, simple, store, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (JsonNode) node = facts_of (second, "last");
  JsonObject *facts = json_node_get_object (node);
  JsonObject *results = json_object_get_object_member (
      json_object_get_object_member (json_object_get_object_member (facts, "metrics"), "timing"), "results");
  g_assert_cmpstr (json_object_get_string_member (results, "last"), ==, "run");
  g_assert_cmpstr (json_object_get_string_member (results, "twice"), ==, "reused");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (facts, "curves")), ==, 0);
}

static void
test_failing_ends_the_wait (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (run (fixture,
                      "limbeck: 1\ntitle: t\nstages:\n  last: {plugin: closer}\n  nap: {plugin: napper, with: "
                      "{milliseconds: 200}}\n  bad: {plugin: doubler, inputs: {numbers: nap.numbers}, with: "
                      "{fail-at: 0}}\n",
                      NULL, NULL, &error));
  g_assert_cmpstr (error->message, ==, "stage 'bad': packet 0 is too much; send fewer");
}

static gboolean
cancel (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return G_SOURCE_REMOVE;
}

static void
test_cancelling_ends_the_wait (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_timeout_add (200, cancel, cancellable);
  g_assert_null (run (fixture, "limbeck: 1\ntitle: t\nstages:\n  last: {plugin: closer}\n  s: {plugin: sleeper}\n",
                      NULL, cancellable, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
}

/* ---- Mistakes of plugins ---- */

static gboolean
ask (LbStage *stage, gpointer self, GError **error)
{
  g_autofree char *facts = NULL;
  return lb_stage_run_facts (stage, &facts, error);
}

static void
test_others_may_not_ask (Fixture *fixture, gconstpointer data)
{
  static const LbStageType asker = { .name = "asker", .summary = "asks", .instance_size = 1, .run = ask };
  g_autoptr (GError) error = NULL;
  g_assert_true (lb_registry_add_type (fixture->registry, &asker, &error));
  g_assert_null (run (fixture, "limbeck: 1\ntitle: t\nstages:\n  a: {plugin: asker}\n", NULL, NULL, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_cmpstr (error->message, ==,
                   "stage 'a': stage type 'asker' asks for the facts of the run, but does not say that it closes one; "
                   "correct the plugin: its flags need LB_STAGE_CLOSES");
}

static void
test_nothing_reads_a_closing_stage (Fixture *fixture, gconstpointer data)
{
  static const LbStageType knot = { .name = "knot",
                                    .summary = "ties",
                                    .outputs = counter_outputs,
                                    .instance_size = 1,
                                    .run = ask,
                                    .flags = LB_STAGE_CLOSES };
  g_autoptr (GError) error = NULL;
  g_assert_false (lb_registry_add_type (fixture->registry, &knot, &error));
  g_assert_cmpstr (
      error->message, ==,
      "stage type 'knot': it closes a run (LB_STAGE_CLOSES), but has output 'numbers'; correct the plugin's "
      "table");
}

#define ADD(name, function) g_test_add ("/facts/" name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("tells-of-all-other-stages", test_tells_of_all_other_stages);
  ADD ("tells-curves", test_tells_curves);
  ADD ("runs-every-time", test_runs_every_time);
  ADD ("failing-ends-the-wait", test_failing_ends_the_wait);
  ADD ("cancelling-ends-the-wait", test_cancelling_ends_the_wait);
  ADD ("others-may-not-ask", test_others_may_not_ask);
  ADD ("nothing-reads-a-closing-stage", test_nothing_reads_a_closing_stage);
  return g_test_run ();
}
