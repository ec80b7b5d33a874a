/* Ops that move or add up elements without arithmetic of their own: reshape, sum, broadcast. */
#include "graph/op.h"

/* ---- Reshape ---- */

static gboolean
reshape_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return lb_shape_size (inputs[0]->shape) == lb_shape_size (attributes->shape);
}

static void
reshape_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_reshape (g, node->inputs[0]->shape);
}

static LbShard
reshape_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  gboolean keeps = node->shape.rank > 0 && node->shape.dim[0] == samples && node->inputs[0]->shape.rank > 0
                   && node->inputs[0]->shape.dim[0] == samples;
  return keeps ? LB_SHARD_EACH : LB_SHARD_NO;
}

const LbOp lb_op_reshape = {
  .name = "reshape", .n_inputs = 1, .shape = reshape_shape, .gradient = reshape_gradient, .shard = reshape_shard
};

LbNode *
lb_reshape_at (const char *here, LbNode *a, LbShape shape)
{
  if (lb_shape_equal (a->shape, shape))
    return a;
  LbAttributes attributes = { .shape = shape };
  return lb_node_new (here, LB_OP_RESHAPE, &a, 1, &attributes);
}

/* ---- Sum and broadcast, adjoints of each other ---- */

static gboolean
stretches (LbShape narrow, LbShape wide)
{
  if (narrow.rank != wide.rank)
    return FALSE;
  for (guint i = 0; i < wide.rank; i++)
    if (narrow.dim[i] != wide.dim[i] && narrow.dim[i] != 1)
      return FALSE;
  return TRUE;
}

static gboolean
sum_to_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return stretches (attributes->shape, inputs[0]->shape);
}

static void
sum_to_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_broadcast (g, node->inputs[0]->shape);
}

static LbShard
sum_to_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  if (node->inputs[0]->shape.dim[0] != samples)
    return LB_SHARD_NO;
  return node->shape.dim[0] == samples ? LB_SHARD_EACH : LB_SHARD_SUM;
}

static double
sum_to_flops (const LbNode *node)
{
  return (double)lb_shape_size (node->inputs[0]->shape);
}

const LbOp lb_op_sum_to = { .name = "sum-to",
                            .n_inputs = 1,
                            .shape = sum_to_shape,
                            .gradient = sum_to_gradient,
                            .shard = sum_to_shard,
                            .flops = sum_to_flops };

LbNode *
lb_sum_to_at (const char *here, LbNode *a, LbShape shape)
{
  if (lb_shape_equal (a->shape, shape))
    return a;
  LbAttributes attributes = { .shape = shape };
  return lb_node_new (here, LB_OP_SUM_TO, &a, 1, &attributes);
}

static gboolean
broadcast_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return stretches (inputs[0]->shape, attributes->shape);
}

static void
broadcast_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_sum_to (g, node->inputs[0]->shape);
}

static LbShard
broadcast_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  gboolean keeps = node->shape.dim[0] == samples && node->inputs[0]->shape.dim[0] == samples;
  return keeps ? LB_SHARD_EACH : LB_SHARD_NO;
}

const LbOp lb_op_broadcast = {
  .name = "broadcast", .n_inputs = 1, .shape = broadcast_shape, .gradient = broadcast_gradient, .shard = broadcast_shard
};

LbNode *
lb_broadcast_at (const char *here, LbNode *a, LbShape shape)
{
  if (lb_shape_equal (a->shape, shape))
    return a;
  LbAttributes attributes = { .shape = shape };
  return lb_node_new (here, LB_OP_BROADCAST, &a, 1, &attributes);
}

LbNode *
lb_sum_at (const char *here, LbNode *a)
{
  LbShape ones = { .rank = a->shape.rank };
  for (guint i = 0; i < ones.rank; i++)
    ones.dim[i] = 1;
  return lb_reshape_at (here, lb_sum_to_at (here, a, ones), LB_SCALAR);
}
