/* Shapes that do not fit: whatever the op, the graph remembers the op, the shapes and the line that built it, and
 * compiling reports that.
 */
#include "examples.h"

#include "base/error.h"
#include "graph/program.h"

#include <string.h>

/* A wrong shape made of @right: variants 0, 1, ... FALSE when there are no more. */
static gboolean
spoil (LbShape right, guint variant, LbShape *wrong)
{
  *wrong = right;
  if (variant < 3 * right.rank) {
    gint64 *dim = &wrong->dim[variant / 3];
    *dim = variant % 3 == 0 ? *dim + 1 : variant % 3 == 1 ? 2 * *dim + 3 : 0;
    return TRUE;
  }
  switch (variant - 3 * right.rank) {
  case 0: /* the last axis is missing */
    wrong->rank -= right.rank > 0 ? 1 : 0;
    return TRUE;
  case 1: /* one axis more */
    if (right.rank < LB_MAX_RANK)
      wrong->dim[wrong->rank++] = 2;
    return TRUE;
  case 2: /* the first axis is missing */
    for (guint i = 1; i < right.rank; i++)
      wrong->dim[i - 1] = right.dim[i];
    wrong->rank -= right.rank > 0 ? 1 : 0;
    return TRUE;
  case 3:
    *wrong = LB_SCALAR;
    return TRUE;
  default:
    return FALSE;
  }
}

static void
assert_holds (const char *message, const char *part)
{
  if (strstr (message, part) == NULL)
    g_error ("expected \"%s\" in: %s", part, message);
}

/* The node of @example's op, built with the shapes it was made for. */
static LbNode *
build_right (LbGraph *graph, const Example *example)
{
  LbNode *inputs[LB_MAX_INPUTS];

  for (guint i = 0; i < example->n_inputs; i++)
    inputs[i] = lb_input (graph, "x", example->shapes[i]);
  example->build (inputs);
  g_assert_no_error (lb_graph_error (graph));
  for (guint id = 0; id < graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (graph->nodes, id);
    if (node->op == example->op)
      return node;
  }
  g_error ("example '%s' of %s has no such node", example->label, lb_ops[example->op]->name);
}

/* The op of @right on operands of @shapes, with the same attributes. TRUE when that is a mistake; it must then be told
 * with the line, the op and all shapes. */
static gboolean
is_mistake (const LbNode *right, const LbShape *shapes)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *inputs[LB_MAX_INPUTS];
  const char *here = LB_HERE;
  g_autoptr (GString) expected = g_string_new (NULL);

  g_string_printf (expected, "%s: %s of ", here, lb_ops[right->op]->name);
  for (guint i = 0; i < right->n_inputs; i++) {
    g_autofree char *shape = lb_shape_to_string (shapes[i]);
    inputs[i] = lb_input (graph, "x", shapes[i]);
    g_string_append_printf (expected, "%s%s", i == 0 ? "" : i + 1 == right->n_inputs ? " and " : ", ", shape);
  }
  lb_node_new (here, right->op, inputs, right->n_inputs, &right->attributes);
  const GError *mistake = lb_graph_error (graph);
  if (mistake != NULL && !g_str_has_prefix (mistake->message, expected->str))
    g_error ("expected \"%s ...\": %s", expected->str, mistake->message);
  return mistake != NULL;
}

/* Only ops of one operand that they treat element by element take any shape. */
static gboolean
takes_any_shape (const LbNode *node)
{
  return lb_ops[node->op]->elementwise && node->n_inputs == 1;
}

/* The rule for the op's shape, operand by operand. */
static void
test_rule (gconstpointer data)
{
  const Example *example = data;
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  const LbNode *right = build_right (graph, example);
  LbShape shapes[LB_MAX_INPUTS];
  guint n_mistakes = 0;

  for (guint i = 0; i < right->n_inputs; i++)
    shapes[i] = right->inputs[i]->shape;
  g_assert_false (is_mistake (right, shapes));
  for (guint i = 0; i < right->n_inputs; i++) {
    for (guint variant = 0; spoil (right->inputs[i]->shape, variant, &shapes[i]); variant++)
      n_mistakes += is_mistake (right, shapes);
    shapes[i] = right->inputs[i]->shape;
  }
  if (takes_any_shape (right))
    g_assert_cmpuint (n_mistakes, ==, 0);
  else if (n_mistakes == 0)
    g_error ("%s takes every wrong shape", lb_ops[example->op]->name);
}

/* A formula goes on after a mistake; differentiating and compiling it must report the first one. */
static void
check_formula (const Example *example, const LbShape *shapes)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *inputs[LB_MAX_INPUTS], *gradient;

  for (guint i = 0; i < example->n_inputs; i++)
    inputs[i] = lb_input (graph, "x", shapes[i]);
  LbNode *loss = lb_sum (example->build (inputs));
  if (lb_graph_error (graph) == NULL)
    return;
  g_autofree char *first = g_strdup (lb_graph_error (graph)->message);
  assert_holds (first, "examples.c:");
  assert_holds (first, " do not fit");
  lb_gradients (loss, inputs, 1, &gradient);
  g_autoptr (GError) error = NULL;
  g_assert_null (lb_compile (graph, &gradient, 1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_cmpstr (error->message, ==, first);
}

static void
test_formula (gconstpointer data)
{
  const Example *example = data;
  LbShape shapes[LB_MAX_INPUTS];

  memcpy (shapes, example->shapes, sizeof shapes);
  for (guint i = 0; i < example->n_inputs; i++) {
    for (guint variant = 0; spoil (example->shapes[i], variant, &shapes[i]); variant++)
      check_formula (example, shapes);
    shapes[i] = example->shapes[i];
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < n_examples; i++) {
    const char *name = lb_ops[examples[i].op]->name;
    g_autofree char *rule = g_strdup_printf ("/mistakes/%s/%s/names-line-op-and-shapes", name, examples[i].label);
    g_autofree char *formula = g_strdup_printf ("/mistakes/%s/%s/first-one-is-reported", name, examples[i].label);
    g_test_add_data_func (rule, &examples[i], test_rule);
    g_test_add_data_func (formula, &examples[i], test_formula);
  }
  return g_test_run ();
}
