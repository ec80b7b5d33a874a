/* The block that follows a convolution in distillation's networks: instance norm with scale and offset, ReLU, average
 * pooling. As separate ops it moves an image of half a megabyte through the cache some twenty times, forward and
 * backward; as these it is read twice each way and only the pooled result is kept.
 *
 * With xhat = (x - mean) r for each image and channel (statistics holds mean and r = 1 / sqrt (variance + epsilon)),
 * p = scale xhat + offset, and u = the pooled gradient spread over its window where p > 0:
 *
 *   by-channel: sum u xhat (scale) and sum u (offset), kept for each image in sums
 *   gradient by x: r scale (u - mean (u) - xhat mean (u xhat))
 *
 * Statistics and sums are operands only so that they are computed once: derivatives treat them as what they are,
 * functions of x. Beyond the first order the ops expand into instance norm, gate and unpooling.
 */
#include "graph/op.h"

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

static gboolean
pooled_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
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
  if (!pooled_shape (inputs, attributes, &pooled) || !lb_shape_equal (inputs[4]->shape, pooled))
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

static gboolean
by_channel_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = LB_SHAPE (inputs[0]->shape.dim[0], inputs[0]->shape.dim[3]);
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
  for (guint i = 1; i <= 2; i++)
    if (wanted[i]) {
      attributes.b = i == 1;
      gradients[i] = lb_unbroadcast (
          lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_BY_CHANNEL, operands, 6, &attributes), node->inputs[i]->shape);
    }
}

/* The gradient of the pooled result, spread and gated; *xhat is that of the formulas. */
static LbNode *
expand_gated (LbNode *node, LbNode **xhat)
{
  LbNode *x = node->inputs[0], *scale = node->inputs[1], *offset = node->inputs[2], *g = node->inputs[4];
  *xhat = lb_instance_norm (x, node->attributes.factor);
  LbNode *spread = node->attributes.a > 1 ? lb_avg_unpool (g, (guint)node->attributes.a) : g;
  return lb_gate (lb_add (lb_mul (*xhat, scale), offset), spread);
}

static LbNode *
gradient_expand (LbNode *node)
{
  LbNode *xhat, *gated = expand_gated (node, &xhat);
  LbAttributes attributes = { .factor = node->attributes.factor };
  return lb_node_new (LB_HERE, LB_OP_INSTANCE_NORM_GRADIENT,
                      (LbNode *[]){ node->inputs[0], lb_mul (gated, node->inputs[1]) }, 2, &attributes);
}

static LbNode *
by_channel_expand (LbNode *node)
{
  LbNode *xhat, *gated = expand_gated (node, &xhat);
  LbShape row = LB_SHAPE (node->shape.dim[0], 1, 1, node->shape.dim[1]);
  return lb_reshape (lb_sum_to (node->attributes.b != 0 ? lb_mul (gated, xhat) : gated, row), node->shape);
}

/* All operands but scale and offset carry the images. */
static LbShard
block_shard (const LbNode *node, gint64 samples, gboolean *cut)
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
                                     .shard = block_shard,
                                     .flops = statistics_flops };

const LbOp lb_op_norm_relu_pool = { .name = "norm-relu-pool",
                                    .n_inputs = 4,
                                    .shape = pooled_shape,
                                    .gradient = block_gradient,
                                    .shard = block_shard,
                                    .flops = block_flops };

const LbOp lb_op_norm_relu_pool_sums = {
  .name = "norm-relu-pool-sums", .n_inputs = 5, .shape = sums_shape, .shard = block_shard, .flops = sums_flops
};

const LbOp lb_op_norm_relu_pool_gradient = { .name = "norm-relu-pool-gradient",
                                             .n_inputs = 6,
                                             .shape = gradient_shape,
                                             .expand = gradient_expand,
                                             .shard = block_shard,
                                             .flops = gradient_flops };

const LbOp lb_op_norm_relu_pool_by_channel = { .name = "norm-relu-pool-by-channel",
                                               .n_inputs = 6,
                                               .shape = by_channel_shape,
                                               .expand = by_channel_expand,
                                               .shard = block_shard };

LbNode *
lb_norm_relu_pool_at (const char *here, LbNode *x, LbNode *scale, LbNode *offset, double epsilon, guint pool)
{
  LbAttributes attributes = { .factor = epsilon, .a = pool }, of_statistics = { .factor = epsilon };
  LbNode *statistics = lb_node_new (here, LB_OP_NORM_STATISTICS, &x, 1, &of_statistics);
  return lb_node_new (here, LB_OP_NORM_RELU_POOL, (LbNode *[]){ x, scale, offset, statistics }, 4, &attributes);
}
