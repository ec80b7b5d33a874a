/* Ops that move or add up elements without arithmetic of their own: reshape, sum, broadcast, permute, slice, pad. */
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

/* ---- Permute: attribute a holds the order, four bits for each axis, the first in the lowest; b, how many ---- */

static gboolean
permute_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape;
  guint seen = 0;
  *shape = x;
  for (guint i = 0; i < x.rank; i++) {
    guint from = attributes->a >> 4 * i & 15;
    if (from >= x.rank)
      return FALSE;
    shape->dim[i] = x.dim[from];
    seen |= 1u << from;
  }
  return x.rank > 0 && x.rank == attributes->b && seen + 1 == 1u << x.rank;
}

static void
permute_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  guint back[LB_MAX_RANK] = { 0 };
  for (guint i = 0; i < node->shape.rank; i++)
    back[node->attributes.a >> 4 * i & 15] = i;
  gradients[0] = lb_permute_at (LB_HERE, g, back, node->shape.rank);
}

static LbShard
permute_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return (node->attributes.a & 15) == 0 ? LB_SHARD_EACH : LB_SHARD_NO;
}

const LbOp lb_op_permute = {
  .name = "permute", .n_inputs = 1, .shape = permute_shape, .gradient = permute_gradient, .shard = permute_shard
};

LbNode *
lb_permute_at (const char *here, LbNode *a, const guint *order, guint n)
{
  LbAttributes attributes = { .b = n };
  for (guint i = 0; i < n && i < LB_MAX_RANK; i++)
    attributes.a |= (gint64)MIN (order[i], 15) << 4 * i;
  return lb_node_new (here, LB_OP_PERMUTE, &a, 1, &attributes);
}

/* ---- Slice and pad, adjoints of each other: attributes a = axis, b = where the smaller one begins in the larger ----
 */

/* Whether @small lies in @large, different on the axis alone. */
static gboolean
lies_in (LbShape small, LbShape large, const LbAttributes *attributes)
{
  gint64 axis = attributes->a;
  if (small.rank != large.rank || axis >= small.rank || attributes->b < 0 || small.dim[axis] < 0
      || attributes->b + small.dim[axis] > large.dim[axis])
    return FALSE;
  for (guint i = 0; i < small.rank; i++)
    if (i != axis && small.dim[i] != large.dim[i])
      return FALSE;
  return TRUE;
}

static gboolean
slice_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return lies_in (attributes->shape, inputs[0]->shape, attributes);
}

static gboolean
pad_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return lies_in (inputs[0]->shape, attributes->shape, attributes);
}

static void
slice_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gint64 axis = node->attributes.a, first = node->attributes.b;
  gint64 behind = node->inputs[0]->shape.dim[axis] - first - node->shape.dim[axis];
  gradients[0] = lb_pad (g, (guint)axis, first, behind);
}

static void
pad_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gint64 axis = node->attributes.a;
  gradients[0] = lb_slice (g, (guint)axis, node->attributes.b, node->inputs[0]->shape.dim[axis]);
}

static LbShard
slice_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return node->attributes.a > 0 ? LB_SHARD_EACH : LB_SHARD_NO;
}

const LbOp lb_op_slice
    = { .name = "slice", .n_inputs = 1, .shape = slice_shape, .gradient = slice_gradient, .shard = slice_shard };

const LbOp lb_op_pad
    = { .name = "pad", .n_inputs = 1, .shape = pad_shape, .gradient = pad_gradient, .shard = slice_shard };

LbNode *
lb_slice_at (const char *here, LbNode *a, guint axis, gint64 first, gint64 count)
{
  LbAttributes attributes = { .a = axis, .b = first, .shape = a->shape };
  if (axis < a->shape.rank)
    attributes.shape.dim[axis] = count;
  return lb_node_new (here, LB_OP_SLICE, &a, 1, &attributes);
}

LbNode *
lb_pad_at (const char *here, LbNode *a, guint axis, gint64 before, gint64 after)
{
  LbAttributes attributes = { .a = axis, .b = before, .shape = a->shape };
  if (axis < a->shape.rank)
    attributes.shape.dim[axis] += before + after;
  return lb_node_new (here, LB_OP_PAD, &a, 1, &attributes);
}
