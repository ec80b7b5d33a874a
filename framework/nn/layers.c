/* Layers that architectures are put together from. */
#include "nn/table.h"

#define NORM_EPSILON 1e-5
#define GROUPS       4    /* of group norm: what the public code of dataset condensation takes */
#define LEAKY_SLOPE  0.01 /* PyTorch's default */
#define MOMENTUM     0.1  /* of running statistics: PyTorch's default */

const char *const lb_norm_choices[] = { "instance", "group", "batch", "none", NULL };
const char *const lb_activation_choices[] = { "relu", "sigmoid", "leaky-relu", NULL };
const char *const lb_pooling_choices[] = { "avg", "max", "none", NULL };

LbNode *
lb_layer_conv_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size,
                  guint stride, guint pad, LbBias bias)
{
  gint64 in = lb_node_dim (x, 3), fan_in = in * size * size;
  LbNode *weight
      = lb_builder_parameter (builder, layer, "weight", LB_SHAPE (out, size, size, in), LB_INIT_FAN_IN, fan_in);
  LbNode *y = lb_conv2d_at (here, x, weight, stride, pad), *values;

  if (bias != LB_BIAS_NONE) {
    values = lb_builder_parameter (builder, layer, "bias", LB_SHAPE (out), LB_INIT_FAN_IN, fan_in);
    y = bias == LB_BIAS_ADDED ? lb_add_at (here, y, values) : y;
  }
  lb_builder_set_maps (builder, y, lb_node_dim (y, 1), lb_node_dim (y, 2));
  return y;
}

LbBias
lb_norm_bias (LbNorm norm)
{
  return norm == LB_NORM_INSTANCE ? LB_BIAS_CANCELLED : LB_BIAS_ADDED;
}

/* ---- Normalisation ---- */

/* The mean of @x over the axes on which @shape has 1. */
static LbNode *
mean_to (const char *here, LbNode *x, LbShape shape)
{
  double n = (double)lb_shape_size (lb_node_shape (x)) / (double)MAX (lb_shape_size (shape), 1);

  return lb_affine_at (here, lb_sum_to_at (here, x, shape), 1 / n, 0);
}

/* (x - mean) / sqrt (variance + epsilon), mean and biased variance over the axes on which @shape has 1; stores both
 * where asked. */
static LbNode *
standardise (const char *here, LbNode *x, LbShape shape, LbNode **mean_out, LbNode **variance_out)
{
  LbNode *mean = mean_to (here, x, shape), *centred = lb_sub_at (here, x, mean);
  LbNode *variance = mean_to (here, lb_mul_at (here, centred, centred), shape);

  if (mean_out) {
    *mean_out = mean;
    *variance_out = variance;
  }
  return lb_div_at (here, centred, lb_sqrt_at (here, lb_affine_at (here, variance, 1, NORM_EPSILON)));
}

static LbNode *
group_norm (const char *here, LbNode *x)
{
  gint64 n = lb_node_dim (x, 0), channels = lb_node_dim (x, 3);
  gint64 pixels = lb_node_dim (x, 1) * lb_node_dim (x, 2);
  LbNode *groups = lb_reshape_at (here, x, LB_SHAPE (n, pixels, GROUPS, channels / GROUPS));

  return lb_reshape_at (here, standardise (here, groups, LB_SHAPE (n, 1, GROUPS, 1), NULL, NULL), lb_node_shape (x));
}

/* What @statistic becomes: a tenth of the way to @value, of one row of channels. */
static void
move_statistic (const char *here, LbBuilder *builder, LbNode *statistic, LbNode *value, double factor)
{
  LbNode *row = lb_reshape_at (here, value, lb_node_shape (statistic));

  lb_builder_set_statistic (builder, statistic,
                            lb_add_at (here, lb_affine_at (here, statistic, 1 - MOMENTUM, 0),
                                       lb_affine_at (here, row, MOMENTUM * factor, 0)));
}

static LbNode *
batch_norm (const char *here, LbBuilder *builder, const char *layer, LbNode *x)
{
  gint64 channels = lb_node_dim (x, 3), n = lb_shape_size (lb_node_shape (x)) / MAX (channels, 1);
  LbNode *mean = lb_builder_statistic (builder, layer, "mean", LB_SHAPE (channels), LB_INIT_ZERO);
  LbNode *variance = lb_builder_statistic (builder, layer, "variance", LB_SHAPE (channels), LB_INIT_ONE);
  LbNode *batch_mean, *batch_variance, *y;

  if (!lb_builder_is_training (builder))
    return lb_div_at (here, lb_sub_at (here, x, mean),
                      lb_sqrt_at (here, lb_affine_at (here, variance, 1, NORM_EPSILON)));
  y = standardise (here, x, LB_SHAPE (1, 1, 1, channels), &batch_mean, &batch_variance);
  move_statistic (here, builder, mean, batch_mean, 1);
  /* The running variance is the unbiased one; of a single value there is none. */
  move_statistic (here, builder, variance, batch_variance, n > 1 ? (double)n / (double)(n - 1) : 1);
  return y;
}

static LbNode *
normalise (const char *here, LbBuilder *builder, const char *layer, LbNode *x, LbNorm norm)
{
  switch (norm) {
  case LB_NORM_INSTANCE:
    return lb_instance_norm_at (here, x, NORM_EPSILON);
  case LB_NORM_GROUP:
    return group_norm (here, x);
  case LB_NORM_BATCH:
    return batch_norm (here, builder, layer, x);
  default:
    return x;
  }
}

/* The learnt scale and offset of each feature of the last axis. */
typedef struct {
  LbNode *scale, *offset;
} Affine;

static Affine
affine_of (LbBuilder *builder, const char *layer, LbNode *x)
{
  gint64 features = lb_node_dim (x, MAX (lb_node_shape (x).rank, 1) - 1);
  LbNode *scale = lb_builder_parameter (builder, layer, "scale", LB_SHAPE (features), LB_INIT_ONE, 0);

  return (Affine){ scale, lb_builder_parameter (builder, layer, "offset", LB_SHAPE (features), LB_INIT_ZERO, 0) };
}

static LbNode *
apply_affine (const char *here, LbNode *x, Affine affine)
{
  return lb_add_at (here, lb_mul_at (here, x, affine.scale), affine.offset);
}

static LbNode *
activate (const char *here, LbNode *x, LbActivation activation)
{
  switch (activation) {
  case LB_ACTIVATION_RELU:
    return lb_relu_at (here, x);
  case LB_ACTIVATION_SIGMOID:
    return lb_sigmoid_at (here, x);
  case LB_ACTIVATION_LEAKY_RELU:
    return lb_leaky_relu_at (here, x, LEAKY_SLOPE);
  default:
    return x;
  }
}

static LbNode *
pool (const char *here, LbNode *x, LbPooling pooling)
{
  switch (pooling) {
  case LB_POOLING_AVG:
    return lb_avg_pool_at (here, x, 2);
  case LB_POOLING_MAX:
    return lb_max_pool_at (here, x, 2);
  default:
    return x;
  }
}

LbNode *
lb_layer_norm_act_pool_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, LbNorm norm,
                           LbActivation activation, LbPooling pooling)
{
  /* The usual block is one op, but for a max pooling behind it. */
  gboolean fused = norm == LB_NORM_INSTANCE && activation == LB_ACTIVATION_RELU;
  gboolean fuse_pooling = fused && pooling != LB_POOLING_MAX && !lb_builder_wants_maps (builder);

  if (norm != LB_NORM_NONE) {
    Affine affine = affine_of (builder, layer, x);

    x = fused ? lb_norm_relu_pool_at (here, x, affine.scale, affine.offset, NORM_EPSILON,
                                      fuse_pooling && pooling == LB_POOLING_AVG ? 2 : 1)
              : apply_affine (here, normalise (here, builder, layer, x, norm), affine);
  }
  if (fuse_pooling)
    return x;
  if (!fused)
    x = activate (here, x, activation);
  lb_builder_set_maps (builder, x, lb_node_dim (x, 1), lb_node_dim (x, 2));
  return pool (here, x, pooling);
}

LbNode *
lb_layer_layer_norm_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x)
{
  LbShape row = lb_node_shape (x);

  if (row.rank > 0)
    row.dim[row.rank - 1] = 1;
  return apply_affine (here, standardise (here, x, row, NULL, NULL), affine_of (builder, layer, x));
}

/* ---- Linear maps ---- */

LbNode *
lb_layer_dense_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gboolean bias)
{
  gint64 features = lb_node_dim (x, MAX (lb_node_shape (x).rank, 1) - 1);
  LbNode *weight = lb_builder_parameter (builder, layer, "weight", LB_SHAPE (out, features), LB_INIT_FAN_IN, features);
  LbNode *y = lb_matmul_at (here, x, FALSE, weight, TRUE);

  if (!bias)
    return y;
  return lb_add_at (here, y, lb_builder_parameter (builder, layer, "bias", LB_SHAPE (out), LB_INIT_FAN_IN, features));
}

LbNode *
lb_layer_linear_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, gint64 out)
{
  gint64 n = lb_node_dim (x, 0), features = lb_shape_size (lb_node_shape (x)) / MAX (n, 1);

  x = lb_reshape_at (here, x, LB_SHAPE (n, features));
  lb_builder_set_features (builder, x);
  return lb_layer_dense_at (here, builder, layer, x, out, TRUE);
}

LbNode *
lb_global_avg_pool_at (const char *here, LbNode *x)
{
  gint64 n = lb_node_dim (x, 0), channels = lb_node_dim (x, 3);

  return lb_reshape_at (here, mean_to (here, x, LB_SHAPE (n, 1, 1, channels)), LB_SHAPE (n, channels));
}
