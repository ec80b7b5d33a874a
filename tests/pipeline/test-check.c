/* Checking a pipeline against the registry: every mistake in one pass, at its place, once. */
#include "fixture.h"

/* The problems of @text, and the plan unless @plan is NULL. */
static char *
check (Fixture *fixture, const char *text, const LbPipelineOverrides *overrides, int *status)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("p.yaml", text, strlen (text), overrides, problems);
  g_assert_nonnull (pipeline);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  lb_plan_configure (plan, problems);
  if (status != NULL)
    *status = lb_problems_exit_status (problems);
  return lb_problems_to_text (problems);
}

static void
assert_problems (Fixture *fixture, const char *text, const char *expected)
{
  g_autofree char *told = check (fixture, text, NULL, NULL);
  g_assert_cmpstr (told, ==, expected);
}

static const char good[] = "limbeck: 1\n"
                           "stages:\n"
                           "  end:\n"
                           "    plugin: sum\n"
                           "    inputs: {numbers: [twice.doubled, source.numbers]}\n"
                           "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
                           "  source: {plugin: counter, with: {size: 3, packets: 5}}\n";

static void
test_negotiates_types_and_cost (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("p.yaml", good, strlen (good), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  lb_plan_configure (plan, problems);
  g_assert_cmpuint (lb_problems_count (problems), ==, 0);

  g_assert_cmpuint (plan->n_ordered, ==, 3);
  g_assert_cmpuint (plan->order[0], ==, 2);
  g_assert_cmpuint (plan->order[1], ==, 1);
  g_assert_cmpuint (plan->order[2], ==, 0);
  g_assert_cmpuint (lb_plan_n_readers (plan, 2, 0), ==, 2);
  g_assert_cmpint (lb_spec_dim (lb_plan_spec (plan, 1, 0), "n"), ==, 3);
  g_autofree char *spec = lb_spec_to_string (lb_plan_spec (plan, 1, 0));
  g_assert_cmpstr (spec, ==, "numbers {n 3}: values f64[3]");
  g_assert_cmpfloat (plan->stages[2].configured->flops, ==, 5);
  g_assert_cmpfloat (plan->stages[2].configured->bytes, ==, 24);
  g_assert_cmpfloat (plan->stages[1].configured->flops, <, 0);
  g_assert_cmpint (((Counter *)plan->stages[2].self)->packets, ==, 5);
}

static void
test_tells_all_mistakes_at_their_places (Fixture *fixture, gconstpointer data)
{
  assert_problems (
      fixture,
      "limbeck: 1\n"
      "stages:\n"
      "  a: {plugin: countre}\n"
      "  b:\n"
      "    plugin: counter\n"
      "    with:\n"
      "      siez: 4\n"
      "      packets: many\n"
      "      kind: upp\n"
      "  c:\n"
      "    plugin: doubler\n"
      "    inputs: {number: b.numbers}\n"
      "  d:\n"
      "    plugin: sum\n"
      "    inputs:\n"
      "      numbers: [e.numbers, b.number, c.doubled, a.numbers]\n"
      "      more: [b.numbers]\n"
      "  speak: {plugin: speaker}\n"
      "  f: {plugin: doubler, inputs: {numbers: speak.words}}\n",
      "p.yaml:3:15: stage 'a': plugin 'countre' is not known; did you mean 'counter'?\n"
      "p.yaml:7:7: stage 'b': plugin 'counter' has no property 'siez'; did you mean 'size'?\n"
      "p.yaml:8:16: stage 'b': property 'packets' is 'many'; expected a whole number from 0 to 1000000 (packets "
      "to send)\n"
      "p.yaml:9:13: stage 'b': property 'kind' is 'upp'; expected one of up, down (whether it counts up or "
      "down); did you mean 'up'?\n"
      "p.yaml:10:3: stage 'c': input 'numbers' is missing; link a stream of numbers (to be doubled) under "
      "'inputs'\n"
      "p.yaml:12:14: stage 'c': plugin 'doubler' has no input 'number'; did you mean 'numbers'?\n"
      "p.yaml:16:17: stage 'd': input 'numbers' reads 'e.numbers', but there is no stage 'e'; known are a, b, "
      "c, d, speak, f\n"
      "p.yaml:16:28: stage 'd': input 'numbers' reads 'b.number', but plugin 'counter' of stage 'b' has no "
      "output 'number'; did you mean 'numbers'?\n"
      "p.yaml:17:14: stage 'd': input 'more' takes one stream, not a list; write one STAGE.PORT without "
      "brackets\n"
      "p.yaml:18:3: stage 'speak': property 'text' is missing; it expects text (what it says): give it under "
      "'with'\n"
      "p.yaml:19:42: stage 'f': input 'numbers' takes a stream of numbers, but 'speak.words' (stage at "
      "p.yaml:18:3) is one of words; link a stream of numbers\n");
}

static void
test_names_cycles_stage_by_stage (Fixture *fixture, gconstpointer data)
{
  assert_problems (
      fixture,
      "limbeck: 1\n"
      "stages:\n"
      "  end: {plugin: sum, inputs: {numbers: c.doubled}}\n"
      "  a: {plugin: doubler, inputs: {numbers: b.doubled}}\n"
      "  b: {plugin: doubler, inputs: {numbers: c.doubled}}\n"
      "  c: {plugin: doubler, inputs: {numbers: a.doubled}}\n"
      "  self: {plugin: doubler, inputs: {numbers: self.doubled}}\n",
      "p.yaml:4:3: stage 'a': waits for its own output: a reads b, which reads c, which reads a; remove one of "
      "these links\n"
      "p.yaml:7:3: stage 'self': waits for its own output: self reads self; remove one of these links\n");
}

static void
test_names_both_ends_of_a_clash (Fixture *fixture, gconstpointer data)
{
  g_autofree char *told = check (fixture,
                                 "limbeck: 1\n"
                                 "stages:\n"
                                 "  few: {plugin: counter, with: {size: 2}}\n"
                                 "  many: {plugin: counter, with: {size: 3}}\n"
                                 "  pair:\n"
                                 "    plugin: pair\n"
                                 "    inputs: {left: few.numbers, right: many.numbers}\n",
                                 NULL, NULL);
  g_assert_true (g_str_has_prefix (told, "p.yaml:7:40: stage 'pair': "));
  assert_contains (told, "few.numbers");
  assert_contains (told, "many.numbers");
  assert_contains (told, "('many' stands at p.yaml:4:3)\n");
  g_assert_true (strchr (told, '\n') == strrchr (told, '\n'));
}

static void
test_places_what_configure_finds (Fixture *fixture, gconstpointer data)
{
  int status;
  const char *const settings[] = { "a.size=13", NULL };
  LbPipelineOverrides overrides = { .settings = settings };
  g_autofree char *in_file = check (fixture,
                                    "limbeck: 1\nstages:\n"
                                    "  a: {plugin: counter, with: {size: 13}}\n"
                                    "  b: {plugin: doubler, inputs: {numbers: a.numbers}, with: {fail-at: 0}}\n",
                                    NULL, &status);
  g_assert_cmpstr (in_file, ==, "p.yaml:3:37: stage 'a': property 'size': 13 is unlucky; choose another\n");
  g_assert_cmpint (status, ==, LB_ERROR_PIPELINE);
  g_autofree char *on_command_line = check (fixture, good, NULL, &status);
  g_assert_cmpstr (on_command_line, ==, "");
  g_assert_cmpint (status, ==, 0);
  g_autofree char *set
      = check (fixture, "limbeck: 1\nstages:\n  a: {plugin: counter, with: {size: 12}}\n", &overrides, &status);
  g_assert_cmpstr (set, ==, "--set a.size=13: stage 'a': property 'size': 13 is unlucky; choose another\n");
}

static void
test_checks_settings (Fixture *fixture, gconstpointer data)
{
  int status;
  const char *const settings[] = { "end.filee=x", "source.size=0", "source.packets=2", NULL };
  LbPipelineOverrides overrides = { .settings = settings };
  g_autofree char *told = check (fixture, good, &overrides, &status);
  g_assert_cmpstr (
      told, ==,
      "--set end.filee=x: stage 'end': plugin 'sum' has no property 'filee'; did you mean 'file'?\n"
      "--set source.size=0: stage 'source': property 'size' is '0'; expected a whole number from 1 to 1000000 "
      "(numbers in each packet)\n");
  g_assert_cmpint (status, ==, LB_ERROR_USAGE);
}

static void
test_setting_gives_a_missing_property (Fixture *fixture, gconstpointer data)
{
  const char *const settings[] = { "s.text=a=b", NULL };
  LbPipelineOverrides overrides = { .settings = settings };
  g_autofree char *told = check (fixture, "limbeck: 1\nstages: {s: {plugin: speaker}}\n", &overrides, NULL);
  g_assert_cmpstr (told, ==, "");
}

static void
test_paths_are_taken_from_the_file (Fixture *fixture, gconstpointer data)
{
  static const char text[] = "limbeck: 1\nstages:\n"
                             "  s: {plugin: counter}\n"
                             "  e: {plugin: sum, inputs: {numbers: s.numbers}, with: {file: data/x}}\n";
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("some/where/p.yaml", text, strlen (text), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  lb_plan_configure (plan, problems);
  g_assert_cmpstr (((Sum *)plan->stages[1].self)->file, ==, "some/where/data/x");
}

/* Neither result would be safe from the other. */
static void
test_keeps_results_apart (Fixture *fixture, gconstpointer data)
{
  assert_problems (fixture,
                   "limbeck: 1\n"
                   "stages:\n"
                   "  source: {plugin: counter}\n"
                   "  a: {plugin: sum, inputs: {numbers: source.numbers}, with: {result: sub/x.txt}}\n"
                   "  b: {plugin: sum, inputs: {numbers: source.numbers}, with: {result: c.txt}}\n"
                   "  c: {plugin: sum, inputs: {numbers: source.numbers}}\n"
                   "  d: {plugin: sum, inputs: {numbers: source.numbers}, with: {result: ../x.txt}}\n",
                   "p.yaml:6:3: stage 'c': writes 'c.txt', as stage 'b' does; give one of them another 'result'\n"
                   "p.yaml:7:70: stage 'd': property 'result' is '../x.txt'; expected a file name in the output "
                   "directory ('*' is the stage's name) (where the sum goes)\n");
}

static void
test_mentions_plugins_that_failed_to_load (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "broken.so", "this is no shared object");
  lb_registry_scan (fixture->registry, fixture->directory);
  g_autofree char *told
      = check (fixture, "limbeck: 1\nstages: {a: {plugin: unheard-of}, b: {plugin: unknown}}\n", NULL, NULL);
  assert_contains (told, "stage 'a': plugin 'unheard-of' is not known; 'limbeck inspect' lists those that are\n");
  const char *note = strstr (told, "\nnote: ");
  g_assert_nonnull (note);
  assert_contains (note, "broken.so");
  g_assert_null (strstr (note + 1, "\nnote:"));
  g_autofree char *unrelated = check (fixture, "limbeck: 1\nstages: {a: {plugin: speaker}}\n", NULL, NULL);
  g_assert_null (strstr (unrelated, "broken.so"));
}

#define ADD(name, function) g_test_add (name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/check/negotiates-types-and-cost", test_negotiates_types_and_cost);
  ADD ("/check/tells-all-mistakes-at-their-places", test_tells_all_mistakes_at_their_places);
  ADD ("/check/names-cycles-stage-by-stage", test_names_cycles_stage_by_stage);
  ADD ("/check/names-both-ends-of-a-clash", test_names_both_ends_of_a_clash);
  ADD ("/check/places-what-configure-finds", test_places_what_configure_finds);
  ADD ("/check/checks-settings", test_checks_settings);
  ADD ("/check/setting-gives-a-missing-property", test_setting_gives_a_missing_property);
  ADD ("/check/paths-are-taken-from-the-file", test_paths_are_taken_from_the_file);
  ADD ("/check/keeps-results-apart", test_keeps_results_apart);
  ADD ("/check/mentions-plugins-that-failed-to-load", test_mentions_plugins_that_failed_to_load);
  return g_test_run ();
}
