/* The block that follows a convolution in distillation's networks: instance norm with scale and offset, ReLU, average
 * pooling. As separate ops it moves an image of half a megabyte through the cache some twenty times, forward and
 * backward; as these it is read twice each way and only the pooled result is kept.
 *
 * With xhat = (x - mean) r for each image and channel (statistics holds mean and r = 1 / sqrt (variance + epsilon)),
 * p = scale xhat + offset, and u = the pooled gradient spread over its window where p > 0:
 *
 *   sums, for each image: sum u (the gradient by offset) and sum u xhat (by scale)
 *   gradient by x: r scale (u - mean (u) - xhat mean (u xhat))
 *
 * Statistics are operands only so that they are computed once: derivatives treat them as what they are, a function of
 * x. The second order is in ops-norm-relu-pool-second.c.
 */
#include "graph/norm-relu-pool.h"

static gboolean
is_channels (const LbNode *node, gint64 channels)
{
  return node->shape.rank == 1 && node->shape.dim[0] == channels;
}

static gboolean
statistics_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = LB_SHAPE (inputs[0]->shape.dim[0], 2, inputs[0]->shape.dim[3]);
  return inputs[0]->shape.rank == 4;
}

gboolean
lb_norm_relu_pool_pooled (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape;
  gint64 pool = attributes->a;
  if (x.rank != 4 || pool < 1 || x.dim[1] % pool != 0 || x.dim[2] % pool != 0)
    return FALSE;
  *shape = LB_SHAPE (x.dim[0], x.dim[1] / pool, x.dim[2] / pool, x.dim[3]);
  return is_channels (inputs[1], x.dim[3]) && is_channels (inputs[2], x.dim[3]);
}

/* Operands x, scale, offset, statistics and g, the gradient of the pooled result. */
static gboolean
sums_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape pooled;
  if (!lb_norm_relu_pool_pooled (inputs, attributes, &pooled) || !lb_shape_equal (inputs[4]->shape, pooled))
    return FALSE;
  *shape = inputs[3]->shape;
  return TRUE;
}

static gboolean
gradient_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return inputs[0]->shape.rank == 4;
}

static void
block_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *operands[] = { node->inputs[0], node->inputs[1], node->inputs[2], node->inputs[3], g, NULL };
  LbAttributes attributes = node->attributes;
  operands[5] = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_SUMS, operands, 5, &attributes);
  if (wanted[0])
    gradients[0] = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_GRADIENT, operands, 6, &attributes);
  /* Sums of each image: the second row by scale, the first by offset. */
  for (guint i = 1; i <= 2; i++)
    if (wanted[i])
      gradients[i] = lb_unbroadcast (lb_norm_relu_pool_row (operands[5], i == 1, 2), node->inputs[i]->shape);
}

LbNode *
lb_norm_relu_pool_row (LbNode *rows, guint row, guint rank)
{
  LbShape shape = rows->shape;
  LbNode *slice = lb_slice (rows, 1, row, 1);
  return lb_reshape (slice,
                     rank == 2 ? LB_SHAPE (shape.dim[0], shape.dim[2]) : LB_SHAPE (shape.dim[0], 1, 1, shape.dim[2]));
}

/* Mean and r in ops with derivatives. */
static LbNode *
statistics_expand (LbNode *node)
{
  LbNode *x = node->inputs[0], *mean, *r = lb_norm_relu_pool_r (x, node->attributes.factor, &mean);
  LbShape row = LB_SHAPE (x->shape.dim[0], 1, x->shape.dim[3]);
  return lb_add (lb_pad (lb_reshape (mean, row), 1, 0, 1), lb_pad (lb_reshape (r, row), 1, 1, 0));
}

LbNode *
lb_norm_relu_pool_r (LbNode *x, double epsilon, LbNode **mean)
{
  LbShape row = LB_SHAPE (x->shape.dim[0], 1, 1, x->shape.dim[3]);
  double share = 1.0 / (double)(x->shape.dim[1] * x->shape.dim[2]);
  *mean = lb_scale (lb_sum_to (x, row), share);
  LbNode *centred = lb_sub (x, *mean);
  LbNode *variance = lb_scale (lb_sum_to (lb_mul (centred, centred), row), share);
  return lb_div (lb_constant (x->graph, 1, row), lb_sqrt (lb_affine (variance, 1, epsilon)));
}

/* All operands but scale and offset carry the images. */
LbShard
lb_norm_relu_pool_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  for (guint i = 0; i < node->n_inputs; i++) {
    if ((i == 1 || i == 2) && cut[i])
      return LB_SHARD_NO;
    cut[i] = i != 1 && i != 2;
  }
  return LB_SHARD_EACH;
}

/* Multiplications and additions for each element of x: see the kernels. */
static double
elements (const LbNode *node)
{
  return (double)lb_shape_size (node->inputs[0]->shape);
}

static double
statistics_flops (const LbNode *node)
{
  return 4 * elements (node);
}

static double
block_flops (const LbNode *node)
{
  return 6 * elements (node);
}

static double
sums_flops (const LbNode *node)
{
  return 8 * elements (node);
}

static double
gradient_flops (const LbNode *node)
{
  return 10 * elements (node);
}

const LbOp lb_op_norm_statistics = { .name = "norm-statistics",
                                     .n_inputs = 1,
                                     .shape = statistics_shape,
                                     .expand = statistics_expand,
                                     .shard = lb_norm_relu_pool_shard,
                                     .flops = statistics_flops };

const LbOp lb_op_norm_relu_pool = { .name = "norm-relu-pool",
                                    .n_inputs = 4,
                                    .shape = lb_norm_relu_pool_pooled,
                                    .gradient = block_gradient,
                                    .shard = lb_norm_relu_pool_shard,
                                    .flops = block_flops };

const LbOp lb_op_norm_relu_pool_sums = { .name = "norm-relu-pool-sums",
                                         .n_inputs = 5,
                                         .shape = sums_shape,
                                         .gradient = lb_norm_relu_pool_sums_gradient,
                                         .shard = lb_norm_relu_pool_shard,
                                         .flops = sums_flops };

const LbOp lb_op_norm_relu_pool_gradient = { .name = "norm-relu-pool-gradient",
                                             .n_inputs = 6,
                                             .shape = gradient_shape,
                                             .gradient = lb_norm_relu_pool_gradient_gradient,
                                             .shard = lb_norm_relu_pool_shard,
                                             .flops = gradient_flops };

LbNode *
lb_norm_relu_pool_at (const char *here, LbNode *x, LbNode *scale, LbNode *offset, double epsilon, guint pool)
{
  LbAttributes attributes = { .factor = epsilon, .a = pool }, of_statistics = { .factor = epsilon };
  LbNode *statistics = lb_node_new (here, LB_OP_NORM_STATISTICS, &x, 1, &of_statistics);
  return lb_node_new (here, LB_OP_NORM_RELU_POOL, (LbNode *[]){ x, scale, offset, statistics }, 4, &attributes);
}
