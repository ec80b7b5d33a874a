/* Graphs and nodes: what holds the values, and how mistakes are remembered.
 *
 * Invariant: a node's operands come before it in graph->nodes, so that position is a topological order.
 */
#include "graph/op.h"

#include "base/error.h"

#include <string.h>

LbGraph *
lb_graph_new (LbDType dtype)
{
  g_return_val_if_fail (dtype == LB_F32 || dtype == LB_F64, NULL);
  LbGraph *graph = g_new0 (LbGraph, 1);
  graph->references = 1;
  graph->dtype = dtype;
  graph->nodes = g_ptr_array_new ();
  return graph;
}

LbGraph *
lb_graph_ref (LbGraph *graph)
{
  g_atomic_int_inc (&graph->references);
  return graph;
}

void
lb_graph_unref (LbGraph *graph)
{
  if (graph == NULL || !g_atomic_int_dec_and_test (&graph->references))
    return;
  for (guint i = 0; i < graph->nodes->len; i++) {
    LbNode *node = g_ptr_array_index (graph->nodes, i);
    g_free (node->name);
    g_free (node);
  }
  g_ptr_array_unref (graph->nodes);
  g_clear_error (&graph->error);
  g_free (graph);
}

LbDType
lb_graph_dtype (const LbGraph *graph)
{
  return graph->dtype;
}

const GError *
lb_graph_error (const LbGraph *graph)
{
  return graph->error;
}

LbGraph *
lb_node_graph (const LbNode *node)
{
  return node->graph;
}

LbShape
lb_node_shape (const LbNode *node)
{
  return node->shape;
}

gint64
lb_node_dim (const LbNode *node, guint axis)
{
  /* A placeholder after a mistake has no axes; the formula goes on with a harmless number. */
  return axis < node->shape.rank ? node->shape.dim[axis] : 1;
}

void
lb_graph_fail (LbGraph *graph, const char *here, const char *format, ...)
{
  if (graph->error != NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  graph->error = g_error_new (LB_ERROR, LB_ERROR_PROGRAM, "%s: %s", here, message);
}

static char *
describe_operands (LbNode *const *inputs, guint n_inputs)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < n_inputs; i++) {
    g_autofree char *shape = lb_shape_to_string (inputs[i]->shape);
    g_string_append_printf (text, "%s%s", i == 0 ? "" : i + 1 == n_inputs ? " and " : ", ", shape);
  }
  return g_string_free (text, FALSE);
}

static LbNode *
append (LbGraph *graph, LbOpCode op, const char *here)
{
  LbNode *node = g_new0 (LbNode, 1);
  node->graph = graph;
  node->id = graph->nodes->len;
  node->op = op;
  node->here = here;
  g_ptr_array_add (graph->nodes, node);
  return node;
}

LbNode *
lb_node_new (const char *here, LbOpCode op, LbNode *const *inputs, guint n_inputs, const LbAttributes *attributes)
{
  LbGraph *graph = inputs[0]->graph;
  LbNode *node = append (graph, op, here);
  node->n_inputs = n_inputs;
  if (attributes != NULL)
    node->attributes = *attributes;
  for (guint i = 0; i < n_inputs; i++) {
    node->inputs[i] = inputs[i];
    if (inputs[i]->graph != graph)
      lb_graph_fail (graph, here, "%s: operands belong to different graphs", lb_ops[op]->name);
  }
  if (graph->error != NULL)
    return node;
  if (!lb_ops[op]->shape (inputs, &node->attributes, &node->shape)) {
    g_autofree char *operands = describe_operands (inputs, n_inputs);
    g_autofree char *wanted = lb_shape_to_string (node->attributes.shape);
    if (node->attributes.shape.rank > 0)
      lb_graph_fail (graph, here, "%s of %s to %s: shapes do not fit", lb_ops[op]->name, operands, wanted);
    else
      lb_graph_fail (graph, here, "%s of %s: shapes do not fit", lb_ops[op]->name, operands);
    node->shape = LB_SCALAR;
  }
  return node;
}

static LbNode *
leaf (const char *here, LbGraph *graph, const char *name, LbShape shape, gboolean is_batch)
{
  LbNode *node = append (graph, LB_OP_INPUT, here);
  node->name = g_strdup (name);
  node->shape = shape;
  node->is_batch = is_batch;
  /* Two inputs are never the same value, whatever their shapes. */
  node->attributes.a = (gint64)node->id;
  if (is_batch && (shape.rank == 0 || shape.dim[0] < 1))
    lb_graph_fail (graph, here, "batch input '%s' has no samples", name);
  return node;
}

LbNode *
lb_input_at (const char *here, LbGraph *graph, const char *name, LbShape shape)
{
  return leaf (here, graph, name, shape, FALSE);
}

LbNode *
lb_batch_input_at (const char *here, LbGraph *graph, const char *name, LbShape shape)
{
  return leaf (here, graph, name, shape, TRUE);
}

LbNode *
lb_constant_at (const char *here, LbGraph *graph, double value, LbShape shape)
{
  LbNode *node = append (graph, LB_OP_CONSTANT, here);
  node->shape = shape;
  node->attributes.offset = value;
  node->attributes.shape = shape;
  return node;
}
