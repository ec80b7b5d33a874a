/* Reading of pipeline files: what is understood, and every mistake with its place. */
#include "pipeline/pipeline.h"

#include <string.h>

static LbPipeline *
parse (const char *text, const LbPipelineOverrides *overrides, LbProblems *problems)
{
  return lb_pipeline_parse ("dir/p.yaml", text, strlen (text), overrides, problems);
}

/* The problems of @text, all of them. */
static void
assert_problems (const char *text, const LbPipelineOverrides *overrides, const char *expected)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse (text, overrides, problems);
  g_autofree char *told = lb_problems_to_text (problems);
  g_assert_cmpstr (told, ==, expected);
}

static const char good[] = "limbeck: 1\n"
                           "title: Up to ${n}\n"
                           "seed: 7\n"
                           "params:\n"
                           "  n: 10\n"
                           "  data: /data\n"
                           "stages:\n"
                           "  source:\n"
                           "    plugin: counter\n"
                           "    with: {packets: \"${n}\", file: \"${data}/a-${n}.gz\", cost: \"$${n} $5\"}\n"
                           "  end:\n"
                           "    plugin: sum\n"
                           "    inputs:\n"
                           "      numbers: [source.numbers, source.numbers]\n"
                           "      more: source.numbers\n"
                           "    with:\n"
                           "      list: [a, \"${n}\"]\n";

static const LbPipelineProperty *
property (const LbPipeline *pipeline, const char *stage, guint index)
{
  return lb_pipeline_find (pipeline, stage, NULL)->properties->pdata[index];
}

static void
test_reads_all_parts (void)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse (good, NULL, problems);
  g_assert_cmpuint (lb_problems_count (problems), ==, 0);
  g_assert_cmpint (lb_problems_exit_status (problems), ==, 0);
  g_assert_cmpstr (pipeline->title, ==, "Up to 10");
  g_assert_cmpstr (pipeline->directory, ==, "dir");
  g_assert_cmpint (pipeline->seed, ==, 7);
  g_assert_cmpuint (pipeline->stages->len, ==, 2);

  guint index = 0;
  const LbPipelineStage *end = lb_pipeline_find (pipeline, "end", &index);
  g_assert_cmpuint (index, ==, 1);
  g_assert_cmpstr (end->plugin, ==, "sum");
  g_assert_cmpuint (end->inputs->len, ==, 3);
  const LbPipelineInput *second = end->inputs->pdata[1], *third = end->inputs->pdata[2];
  g_assert_cmpstr (second->stage, ==, "source");
  g_assert_cmpstr (second->output, ==, "numbers");
  g_assert_true (second->listed);
  g_assert_cmpuint (second->place->line, ==, 14);
  g_assert_cmpuint (second->place->column, ==, 33);
  g_assert_cmpstr (third->port, ==, "more");
  g_assert_false (third->listed);
}

static void
test_replaces_params_in_values (void)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse (good, NULL, problems);
  g_assert_cmpstr (property (pipeline, "source", 0)->value->text, ==, "10");
  g_assert_cmpstr (property (pipeline, "source", 1)->value->text, ==, "/data/a-10.gz");
  g_assert_cmpstr (property (pipeline, "source", 2)->value->text, ==, "${n} $5");
  const LbDocumentNode *list = property (pipeline, "end", 0)->value;
  g_assert_cmpuint (list->items->len, ==, 2);
  g_assert_cmpstr (((LbDocumentNode *)list->items->pdata[1])->text, ==, "10");
}

static void
test_command_line_overrides (void)
{
  const char *const params[] = { "n=3=4", NULL };
  const char *const settings[] = { "source.packets=5", NULL };
  LbPipelineOverrides overrides = { params, settings, "9223372036854775807" };
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse (good, &overrides, problems);
  g_assert_cmpuint (lb_problems_count (problems), ==, 0);
  g_assert_cmpint (pipeline->seed, ==, G_MAXINT64);
  g_assert_cmpstr (pipeline->title, ==, "Up to 3=4");
  g_assert_cmpstr (property (pipeline, "source", 1)->value->text, ==, "/data/a-3=4.gz");
  const LbPipelineProperty *set = property (pipeline, "source", 3);
  g_assert_cmpstr (set->name, ==, "packets");
  g_assert_cmpstr (set->text, ==, "5");
  g_assert_null (set->value);
}

/* The items of the list that the only property of stage a is, with blanks between. */
static char *
read_list (const char *text, const char *const *params)
{
  LbPipelineOverrides overrides = { .params = params };
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse (text, &overrides, problems);
  GString *out = g_string_new (NULL);
  g_assert_cmpuint (lb_problems_count (problems), ==, 0);
  const LbDocumentNode *list = property (pipeline, "a", 0)->value;
  g_assert_cmpint (list->kind, ==, LB_DOCUMENT_SEQUENCE);
  for (guint i = 0; i < list->items->len; i++)
    g_string_append_printf (out, "%s%s", i > 0 ? " " : "", ((LbDocumentNode *)list->items->pdata[i])->text);
  return g_string_free (out, FALSE);
}

static void
test_params_may_be_lists (void)
{
  const char *text = "limbeck: 1\nparams: {l: [b, 2]}\nstages:\n  a: {plugin: p, with: {x: \"${l}\"}}\n";
  const char *const params[] = { "l=c, d,e", NULL };
  g_autofree char *own = read_list (text, NULL), *given = read_list (text, params);

  g_assert_cmpstr (own, ==, "b 2");
  g_assert_cmpstr (given, ==, "c d e");
  assert_problems (
      "limbeck: 1\nparams:\n  l: [\"b,c\", \"${m}\", {d: e}]\n  m: {f: g}\n"
      "stages:\n  a: {plugin: p, with: {x: \"${l}\", y: \"${m}\"}}\n",
      NULL,
      "p.yaml:3:7: param 'l', item 1: expected a single value without commas and without other params in it\n"
      "p.yaml:3:14: param 'l', item 2: expected a single value without commas and without other params in it\n"
      "p.yaml:3:22: param 'l', item 3: expected a single value without commas and without other params in it\n"
      "p.yaml:4:6: param 'm' is a mapping; expected a single value or a list\n");
}

static void
test_title_and_seed_may_be_left_out (void)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse ("limbeck: 1\nstages:\n  a: {plugin: b}\n", NULL, problems);
  g_assert_cmpuint (lb_problems_count (problems), ==, 0);
  g_assert_cmpstr (pipeline->title, ==, "p.yaml");
  g_assert_cmpint (pipeline->seed, ==, 0);
}

static void
test_refuses_other_versions (void)
{
  assert_problems ("limbeck: 2\nstagges: {}\n", NULL,
                   "p.yaml:1:10: the file is of format version 2; this limbeck (" LB_VERSION
                   ") reads version 1; use the limbeck that it was written for\n");
  assert_problems ("limbeck: one\n", NULL, "p.yaml:1:10: 'limbeck' is one; expected the version of the format, 1\n");
  assert_problems ("title: x\n", NULL,
                   "p.yaml:1:1: key 'limbeck' is missing; a pipeline file starts with 'limbeck: 1', the version of its "
                   "format\n");
}

static void
test_tells_all_mistakes_in_file_order (void)
{
  assert_problems (
      "limbeck: 1\n"
      "titel: x\n"
      "seed: -1\n"
      "matrix: {n: [1, 2]}\n"
      "stages:\n"
      "  a:\n"
      "    plugn: counter\n"
      "  2b: {plugin: [x]}\n"
      "  c:\n"
      "    plugin: sum\n"
      "    inputs: {numbers: a}\n"
      "    with: 5\n"
      "  d:\n",
      NULL,
      "p.yaml:2:1: key 'titel' is not known here; did you mean 'title'?\n"
      "p.yaml:3:7: 'seed' is -1; expected a whole number from 0 to 9223372036854775807\n"
      "p.yaml:4:10: matrix: 'n' is no param of this file; there are none\n"
      "p.yaml:6:3: stage 'a': 'plugin' is missing; write which plugin runs it\n"
      "p.yaml:7:5: stage 'a': key 'plugn' is not known here; did you mean 'plugin'?\n"
      "p.yaml:8:3: stage '2b': its name is not a letter followed by letters, digits, '-' or '_'\n"
      "p.yaml:8:16: stage '2b': 'plugin' is a list; expected the name of a plugin\n"
      "p.yaml:11:23: stage 'c': input 'numbers' is 'a'; expected STAGE.PORT, such as source.samples\n"
      "p.yaml:12:11: stage 'c': 'with' is a single value; expected a mapping of properties to values, or no "
      "'with' at all\n"
      "p.yaml:13:5: stage 'd': it is empty; expected a mapping with plugin, inputs and with\n");
}

static void
test_tells_mistakes_with_params (void)
{
  assert_problems (
      "limbeck: 1\n"
      "params:\n"
      "  ipc: 1\n"
      "  other: 2\n"
      "  nested: \"${ipc}\"\n"
      "stages:\n"
      "  a:\n"
      "    plugin: counter\n"
      "    with:\n"
      "      x: \"${ipd}\"\n"
      "      y: \"${unlike}\"\n"
      "      z: [\"${ipc\"]\n"
      "      m: {a: b}\n",
      NULL,
      "p.yaml:4:3: param 'other' is never used; write ${other} in a 'with' value or remove it\n"
      "p.yaml:5:3: param 'nested' is never used; write ${nested} in a 'with' value or remove it\n"
      "p.yaml:5:11: param 'nested' refers to another param; ${...} is replaced only in title and in 'with' "
      "values\n"
      "p.yaml:10:10: stage 'a': '${ipd}' names no param of this file; did you mean 'ipc'?\n"
      "p.yaml:11:10: stage 'a': '${unlike}' names no param of this file; known are ipc, other, nested\n"
      "p.yaml:12:11: stage 'a': '${ipc' opens ${ without closing it; write } after the name, or $${ for the "
      "characters ${\n"
      "p.yaml:13:10: stage 'a': property 'm' is a mapping; expected a single value or a list\n");
}

static void
test_tells_mistakes_of_the_command_line (void)
{
  const char *const params[] = { "m=1", "n", "n=1", "n=2", NULL };
  const char *const settings[] = { "sorce.packets=5", "source=5", "source.size=1", "source.size=2", NULL };
  LbPipelineOverrides overrides = { params, settings, "x" };
  assert_problems (good, &overrides,
                   "--param m=1: the pipeline has no param 'm'; known are n, data\n"
                   "--param n: expected NAME=VALUE\n"
                   "--param n=2: 'n' is given twice; give it once\n"
                   "--seed x: expected a whole number from 0 to 9223372036854775807\n"
                   "--set sorce.packets=5: the pipeline has no stage 'sorce'; did you mean 'source'?\n"
                   "--set source=5: expected STAGE.PROPERTY=VALUE\n"
                   "--set source.size=2: 'source.size' is set twice; set it once\n");
}

static void
test_mistakes_of_the_file_come_first (void)
{
  const char *const params[] = { "m=1", NULL };
  LbPipelineOverrides overrides = { .params = params };
  assert_problems ("limbeck: 1\nstages: {}\n", &overrides,
                   "p.yaml:2:9: 'stages' is an empty mapping; expected a mapping of stage names to stages\n"
                   "--param m=1: the pipeline has no param 'm'; there are none\n");
}

static void
test_refuses_what_is_not_yaml (void)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = parse ("limbeck: [1\nstages: }\n", NULL, problems);
  g_autofree char *told = lb_problems_to_text (problems);
  g_assert_null (pipeline);
  g_assert_cmpuint (lb_problems_count (problems), ==, 1);
  g_assert_cmpint (lb_problems_exit_status (problems), ==, LB_ERROR_PIPELINE);
  g_assert_true (g_str_has_prefix (told, "dir/p.yaml:"));
}

static void
test_problems_are_one_printable_line_each (void)
{
  assert_problems (
      "limbeck: 1\n\"a\\e[2J\\nb\": 1\nstages: {a: {plugin: b}}\n", NULL,
      "p.yaml:2:1: key 'a\\x1b[2J\\x0ab' is not known here; known are limbeck, title, seed, params, matrix, stages\n");
}

static void
test_bounds_the_number_of_stages (void)
{
  g_autoptr (GString) text = g_string_new ("limbeck: 1\nstages:\n");
  for (guint i = 0; i <= LB_PIPELINE_MAX_STAGES; i++)
    g_string_append_printf (text, "  s%u: {plugin: counter}\n", i);
  assert_problems (text->str, NULL, "p.yaml:3:3: 'stages' has 257 entries; at most 256 are possible\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/read/reads-all-parts", test_reads_all_parts);
  g_test_add_func ("/read/replaces-params-in-values", test_replaces_params_in_values);
  g_test_add_func ("/read/params-may-be-lists", test_params_may_be_lists);
  g_test_add_func ("/read/command-line-overrides", test_command_line_overrides);
  g_test_add_func ("/read/title-and-seed-may-be-left-out", test_title_and_seed_may_be_left_out);
  g_test_add_func ("/read/refuses-other-versions", test_refuses_other_versions);
  g_test_add_func ("/read/tells-all-mistakes-in-file-order", test_tells_all_mistakes_in_file_order);
  g_test_add_func ("/read/tells-mistakes-with-params", test_tells_mistakes_with_params);
  g_test_add_func ("/read/tells-mistakes-of-the-command-line", test_tells_mistakes_of_the_command_line);
  g_test_add_func ("/read/mistakes-of-the-file-come-first", test_mistakes_of_the_file_come_first);
  g_test_add_func ("/read/refuses-what-is-not-yaml", test_refuses_what_is_not_yaml);
  g_test_add_func ("/read/problems-are-one-printable-line-each", test_problems_are_one_printable_line_each);
  g_test_add_func ("/read/bounds-the-number-of-stages", test_bounds_the_number_of_stages);
  return g_test_run ();
}
