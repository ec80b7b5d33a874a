/* Reverse-mode differentiation: one walk from the loss back to what is asked for, adding up vector-Jacobian products.
 */
#include "graph/op.h"

#include <string.h>

/* Marks in @depends, by node id, whether a node up to @root depends on one of @wrt. */
static gboolean *
find_dependents (LbNode *root, LbNode *const *wrt, guint n_wrt)
{
  gboolean *depends = g_new0 (gboolean, root->id + 1);
  for (guint i = 0; i < n_wrt; i++)
    if (wrt[i]->id <= root->id)
      depends[wrt[i]->id] = TRUE;
  for (guint id = 0; id <= root->id; id++) {
    LbNode *node = g_ptr_array_index (root->graph->nodes, id);
    for (guint i = 0; i < node->n_inputs; i++)
      depends[id] |= depends[node->inputs[i]->id];
  }
  return depends;
}

/* What @root is made of, operands before what they go into, in an order that the formula alone decides. (The order in
 * which nodes were made does not do: C leaves open which argument of a builder is built first, and compilers differ.
 * Contributions to a gradient are added in this order's reverse.) */
static GPtrArray *
order_of (LbNode *root)
{
  GPtrArray *order = g_ptr_array_new (), *stack = g_ptr_array_new ();
  g_autofree guint8 *next = g_new0 (guint8, root->id + 1); /* by node id: the operand to visit next, 1 for the first */
  g_ptr_array_add (stack, root);
  next[root->id] = 1;
  while (stack->len > 0) {
    LbNode *node = g_ptr_array_index (stack, stack->len - 1);
    guint operand = next[node->id] - 1u;
    if (operand == node->n_inputs) {
      g_ptr_array_add (order, node);
      g_ptr_array_set_size (stack, (gint)stack->len - 1);
      continue;
    }
    next[node->id]++;
    if (next[node->inputs[operand]->id] == 0) {
      next[node->inputs[operand]->id] = 1;
      g_ptr_array_add (stack, node->inputs[operand]);
    }
  }
  g_ptr_array_unref (stack);
  return order;
}

/* Gradients of @node's operands given @g, through its row or through the row's expansion. */
static void
node_gradients (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  const LbOp *op = lb_ops[node->op];
  if (op->gradient != NULL)
    op->gradient (node, g, wanted, gradients);
  else if (op->expand != NULL) {
    lb_backpropagate (op->expand (node), g, node->inputs, node->n_inputs, gradients);
    /* An operand that stands twice was given its whole gradient twice. */
    for (guint i = 1; i < node->n_inputs; i++)
      for (guint j = 0; j < i; j++)
        if (node->inputs[i] == node->inputs[j])
          gradients[i] = NULL;
  } else
    lb_graph_fail (node->graph, node->here, "%s has no derivative", op->name);
}

/* What to tell people of where a node in the gradient of @node was made: the line that made @node, and of what op it is
 * the gradient. Kept for good, as string literals are; there are as many as lines that build graphs. */
static const char *
gradient_place (const LbNode *node)
{
  static const char first[] = ", gradient of ", second[] = ", second gradient of ";
  const char *mark = strstr (node->here, first);
  if (strstr (node->here, second) != NULL)
    return node->here;
  int length = mark != NULL ? (int)(mark - node->here) : (int)strlen (node->here);
  g_autofree char *text
      = g_strdup_printf ("%.*s%s%s", length, node->here, mark != NULL ? second : first, lb_ops[node->op]->name);
  return g_intern_string (text);
}

void
lb_backpropagate (LbNode *root, LbNode *seed, LbNode *const *wrt, guint n_wrt, LbNode **gradients)
{
  g_autofree gboolean *depends = find_dependents (root, wrt, n_wrt);
  g_autofree gboolean *is_leaf = g_new0 (gboolean, root->id + 1);
  g_autofree LbNode **adjoints = g_new0 (LbNode *, root->id + 1);
  for (guint i = 0; i < n_wrt; i++)
    if (wrt[i]->id <= root->id)
      is_leaf[wrt[i]->id] = TRUE;
  adjoints[root->id] = seed;
  g_autoptr (GPtrArray) order = order_of (root);
  for (guint at = order->len; at-- > 0;) {
    LbNode *node = g_ptr_array_index (order, at);
    guint id = node->id;
    if (adjoints[id] == NULL || is_leaf[id] || !depends[id] || node->n_inputs == 0)
      continue;
    gboolean wanted[LB_MAX_INPUTS];
    LbNode *parts[LB_MAX_INPUTS] = { NULL };
    guint n_before = node->graph->nodes->len;
    for (guint i = 0; i < node->n_inputs; i++)
      wanted[i] = depends[node->inputs[i]->id];
    node_gradients (node, adjoints[id], wanted, parts);
    for (guint i = 0; i < node->n_inputs; i++) {
      LbNode **sum = &adjoints[node->inputs[i]->id];
      if (parts[i] != NULL && wanted[i])
        *sum = *sum == NULL ? parts[i] : lb_add (*sum, parts[i]);
    }
    const char *here = gradient_place (node);
    for (guint made = n_before; made < node->graph->nodes->len; made++)
      ((LbNode *)g_ptr_array_index (node->graph->nodes, made))->here = here;
  }
  for (guint i = 0; i < n_wrt; i++)
    gradients[i] = wrt[i]->id <= root->id ? adjoints[wrt[i]->id] : NULL;
}

/* Fills @gradients from @seed on; what no gradient flows to, or everything after a mistake, gets zeros. */
static void
gradients_from (const char *here, LbNode *root, LbNode *seed, LbNode *const *wrt, guint n_wrt, LbNode **gradients)
{
  for (guint i = 0; i < n_wrt; i++)
    gradients[i] = NULL;
  if (root->graph->error == NULL)
    lb_backpropagate (root, seed, wrt, n_wrt, gradients);
  for (guint i = 0; i < n_wrt; i++)
    if (gradients[i] == NULL)
      gradients[i] = lb_constant_at (here, root->graph, 0, wrt[i]->shape);
}

void
lb_gradients_at (const char *here, LbNode *loss, LbNode *const *wrt, guint n_wrt, LbNode **gradients)
{
  if (loss->graph->error == NULL && loss->shape.rank != 0) {
    g_autofree char *shape = lb_shape_to_string (loss->shape);
    lb_graph_fail (loss->graph, here, "gradients of a value of shape %s; a scalar is needed", shape);
  }
  gradients_from (here, loss, lb_constant_at (here, loss->graph, 1, LB_SCALAR), wrt, n_wrt, gradients);
}

void
lb_vector_jacobian_at (const char *here, LbNode *root, LbNode *seed, LbNode *const *wrt, guint n_wrt, LbNode **products)
{
  if (root->graph->error == NULL && !lb_shape_equal (root->shape, seed->shape)) {
    g_autofree char *shape = lb_shape_to_string (root->shape), *of_seed = lb_shape_to_string (seed->shape);
    lb_graph_fail (root->graph, here,
                   "vector-Jacobian product of a value of shape %s with a vector of shape %s; equal "
                   "shapes are needed",
                   shape, of_seed);
  }
  gradients_from (here, root, seed, wrt, n_wrt, products);
}
