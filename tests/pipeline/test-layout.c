/* Drawing: nothing overlaps, lines cross no more than they must, both formats hold every stage and stream. */
#include "fixture.h"
#include "pipeline/diagram.h"
#include "pipeline/layout.h"

static gboolean
overlap (const LbLayoutNode *a, const LbLayoutNode *b)
{
  return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height && b->y < a->y + a->height;
}

static void
assert_no_overlap (const LbLayout *layout)
{
  for (guint i = 0; i < layout->nodes->len; i++)
    for (guint k = 0; k < i; k++)
      g_assert_false (overlap (lb_layout_node (layout, i), lb_layout_node (layout, k)));
}

static void
test_nodes_never_overlap (void)
{
  g_autoptr (LbLayout) layout = lb_layout_new ();
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  for (guint i = 0; i < 60; i++)
    lb_layout_add_node (layout, i % 6, 20 + i % 7 * 10, 10 + i % 5 * 12);
  for (guint i = 0; i < 120; i++) {
    guint layer = g_rand_int_range (random, 0, 5);
    lb_layout_add_edge (layout, layer + 6 * g_rand_int_range (random, 0, 10),
                        layer + 1 + 6 * g_rand_int_range (random, 0, 10));
  }
  guint before = lb_layout_n_crossings (layout);
  lb_layout_run (layout, 20, 8);
  g_assert_cmpuint (lb_layout_n_crossings (layout), <, before);
  assert_no_overlap (layout);
  for (guint i = 0; i < layout->nodes->len; i++) {
    const LbLayoutNode *node = lb_layout_node (layout, i);
    g_assert_cmpfloat (node->y, >=, 0);
    g_assert_cmpfloat (node->y + node->height, <=, layout->height + 1e-9);
    g_assert_cmpfloat (node->x + node->width, <=, layout->width + 1e-9);
  }
}

static void
test_crossings_are_undone (void)
{
  g_autoptr (LbLayout) layout = lb_layout_new ();
  guint left[4], right[4];
  for (guint i = 0; i < 4; i++) {
    left[i] = lb_layout_add_node (layout, 0, 10, 10);
    right[i] = lb_layout_add_node (layout, 1, 10, 10);
  }
  for (guint i = 0; i < 4; i++)
    lb_layout_add_edge (layout, left[i], right[3 - i]);
  g_assert_cmpuint (lb_layout_n_crossings (layout), ==, 6);
  lb_layout_run (layout, 20, 5);
  g_assert_cmpuint (lb_layout_n_crossings (layout), ==, 0);
  /* Then each line is level. */
  for (guint i = 0; i < 4; i++)
    g_assert_cmpfloat_with_epsilon (lb_layout_node (layout, left[i])->y, lb_layout_node (layout, right[3 - i])->y, 0.5);
}

static const char text[] = "limbeck: 1\n"
                           "title: Say \"sum\"\n"
                           "stages:\n"
                           "  source: {plugin: counter}\n"
                           "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
                           "  end: {plugin: sum, inputs: {numbers: [twice.doubled, source.numbers]}}\n";

static void
test_dot (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("p.yaml", text, strlen (text), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  g_autofree char *dot = lb_diagram_to_dot (plan);
  g_assert_cmpstr (dot, ==,
                   "digraph pipeline {\n"
                   "  label=\"Say \\\"sum\\\"\";\n"
                   "  labelloc=t;\n"
                   "  rankdir=LR;\n"
                   "  node [shape=box, style=rounded];\n"
                   "  \"source\" [label=\"source\\ncounter\"];\n"
                   "  \"twice\" [label=\"twice\\ndoubler\"];\n"
                   "  \"end\" [label=\"end\\nsum\"];\n"
                   "  \"source\" -> \"twice\" [label=\"numbers\"];\n"
                   "  \"twice\" -> \"end\" [label=\"doubled: numbers\"];\n"
                   "  \"source\" -> \"end\" [label=\"numbers\"];\n"
                   "}\n");
}

/* That the command writes the same bytes twice is tested in test-cli: cairo numbers its surfaces within a process. */
static void
test_svg (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("p.yaml", text, strlen (text), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = lb_diagram_to_svg (plan, &error);
  g_assert_no_error (error);
  g_autofree char *svg = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  assert_contains (svg, "<svg ");
  assert_contains (svg, "</svg>");
}

#define ADD(name, function) g_test_add (name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/layout/nodes-never-overlap", test_nodes_never_overlap);
  g_test_add_func ("/layout/crossings-are-undone", test_crossings_are_undone);
  ADD ("/diagram/dot", test_dot);
  ADD ("/diagram/svg", test_svg);
  return g_test_run ();
}
