/* Examples of every op: shapes small enough for finite differences, with every stride, broadcast and border that a
 * kernel treats apart. */
#include "examples.h"

#include "base/random.h"

#define BUILD(name, expression)                                                                                        \
  static LbNode *name (LbNode **x)                                                                                     \
  {                                                                                                                    \
    return expression;                                                                                                 \
  }

BUILD (build_add, lb_add (x[0], x[1]))
BUILD (build_sub, lb_sub (x[0], x[1]))
BUILD (build_mul, lb_mul (x[0], x[1]))
BUILD (build_div, lb_div (x[0], x[1]))
BUILD (build_affine, lb_affine (x[0], -1.5, 0.25))
BUILD (build_exp, lb_exp (x[0]))
BUILD (build_log, lb_log (x[0]))
BUILD (build_sqrt, lb_sqrt (x[0]))
BUILD (build_tanh, lb_tanh (x[0]))
BUILD (build_erf, lb_erf (x[0]))
BUILD (build_sigmoid, lb_sigmoid (x[0]))
BUILD (build_leaky_relu, lb_mul (lb_leaky_relu (x[0], 0.1), x[0]))
BUILD (build_gelu, lb_gelu (x[0]))
BUILD (build_relu, lb_mul (lb_relu (x[0]), x[0]))
BUILD (build_gate, lb_mul (lb_gate (x[0], x[1]), x[1]))
BUILD (build_reshape, lb_reshape (lb_mul (x[0], x[0]), LB_SHAPE (2, 6)))
BUILD (build_sum_rows, lb_sum_to (lb_mul (x[0], x[0]), LB_SHAPE (1, 4)))
BUILD (build_sum_columns, lb_sum_to (lb_mul (x[0], x[0]), LB_SHAPE (3, 1)))
BUILD (build_sum_middle, lb_sum_to (lb_mul (x[0], x[0]), LB_SHAPE (2, 1, 1, 3)))
BUILD (build_sum_all, lb_sum (lb_mul (x[0], x[0])))
BUILD (build_broadcast, lb_broadcast (lb_mul (x[0], x[0]), LB_SHAPE (3, 4, 2)))
BUILD (build_broadcast_last, lb_broadcast (lb_mul (x[0], x[0]), LB_SHAPE (3, 5)))
BUILD (build_permute, lb_permute (lb_mul (x[0], x[0]), 0, 3, 1, 2))
BUILD (build_permute_first, lb_permute (lb_mul (x[0], x[0]), 2, 1, 0))
BUILD (build_slice, lb_slice (lb_mul (x[0], x[0]), 1, 1, 2))
BUILD (build_slice_first, lb_slice (lb_mul (x[0], x[0]), 0, 2, 1))
BUILD (build_pad, lb_pad (lb_mul (x[0], x[0]), 2, 1, 2))
BUILD (build_pad_first, lb_pad (lb_mul (x[0], x[0]), 0, 1, 0))
BUILD (build_matmul, lb_matmul (x[0], FALSE, x[1], FALSE))
BUILD (build_matmul_t, lb_matmul (x[0], FALSE, x[1], TRUE))
BUILD (build_t_matmul, lb_matmul (x[0], TRUE, x[1], FALSE))
BUILD (build_t_matmul_t, lb_matmul (x[0], TRUE, x[1], TRUE))
BUILD (build_batch_matmul, lb_batch_matmul (x[0], FALSE, x[1], FALSE))
BUILD (build_batch_matmul_t, lb_batch_matmul (x[0], FALSE, x[1], TRUE))
BUILD (build_t_batch_matmul, lb_batch_matmul (x[0], TRUE, x[1], FALSE))
BUILD (build_t_batch_matmul_t, lb_batch_matmul (x[0], TRUE, x[1], TRUE))
BUILD (build_max_pool, lb_max_pool (lb_mul (x[0], x[0]), 2))
BUILD (build_max_pool_three, lb_max_pool (lb_mul (x[0], x[0]), 3))
BUILD (build_max_gather, lb_max_gather (x[0], lb_mul (x[1], x[1]), 2))
BUILD (build_max_scatter, lb_max_scatter (x[0], lb_mul (x[1], x[1]), 2))
BUILD (build_conv_point, lb_conv2d (x[0], x[1], 2, 0))
BUILD (build_conv_patches, lb_conv2d (x[0], x[1], 4, 0))
BUILD (build_conv, lb_conv2d (x[0], x[1], 1, 1))
BUILD (build_conv_wide_pad, lb_conv2d (x[0], x[1], 1, 3))
BUILD (build_conv_stride, lb_conv2d (x[0], x[1], 2, 1))
BUILD (build_by_input, lb_conv2d_by_input (x[0], x[1], LB_SHAPE (2, 5, 4, 2), 1, 1))
BUILD (build_by_input_stride, lb_conv2d_by_input (x[0], x[1], LB_SHAPE (2, 5, 5, 2), 2, 1))
BUILD (build_by_weight, lb_conv2d_by_weight (x[0], x[1], LB_SHAPE (3, 3, 3, 2), 1, 1))
BUILD (build_by_weight_stride, lb_conv2d_by_weight (x[0], x[1], LB_SHAPE (3, 3, 3, 2), 2, 1))
BUILD (build_pool, lb_avg_pool (lb_mul (x[0], x[0]), 2))
BUILD (build_unpool, lb_avg_unpool (lb_mul (x[0], x[0]), 3))
BUILD (build_bilinear_clamp, lb_bilinear (lb_mul (x[0], x[0]), x[1], 4, 3, LB_BORDER_CLAMP))
BUILD (build_bilinear_zero, lb_bilinear (lb_mul (x[0], x[0]), x[1], 4, 3, LB_BORDER_ZERO))
BUILD (build_bilinear_adjoint, lb_bilinear_adjoint (lb_mul (x[0], x[0]), x[1], 5, 4, LB_BORDER_ZERO))
BUILD (build_norm, lb_instance_norm (x[0], 1e-3))
BUILD (build_softmax, lb_softmax (x[0]))
BUILD (build_dropout, lb_mul (lb_dropout_mask (x[1], LB_SHAPE (2, 3, 4), 0.3, 5), lb_mul (x[0], x[0])))
BUILD (build_log_softmax, lb_log_softmax (x[0]))

static LbNode *
build_norm_gradient (LbNode **x)
{
  LbAttributes attributes = { .factor = 1e-3 };
  return lb_node_new (LB_HERE, LB_OP_INSTANCE_NORM_GRADIENT, x, 2, &attributes);
}

static LbNode *
build_norm_second (LbNode **x)
{
  LbAttributes attributes = { .factor = 1e-3 };
  return lb_node_new (LB_HERE, LB_OP_INSTANCE_NORM_SECOND, x, 3, &attributes);
}

/* Two operands that are one value: its two gradients must not be counted twice. */
static LbNode *
build_norm_second_repeated (LbNode **x)
{
  LbAttributes attributes = { .factor = 1e-3 };
  return lb_node_new (LB_HERE, LB_OP_INSTANCE_NORM_SECOND, (LbNode *[]){ x[0], x[1], x[1] }, 3, &attributes);
}

BUILD (build_block, lb_norm_relu_pool (x[0], x[1], x[2], 1e-3, 2))
BUILD (build_block_unpooled, lb_norm_relu_pool (x[0], x[1], x[2], 1e-3, 1))

/* The derivative of a block by operand @index, given x[3] as the gradient of its result. */
static LbNode *
block_derivative (LbNode **x, guint pool, guint index)
{
  LbNode *gradient;
  lb_gradients (lb_sum (lb_mul (lb_norm_relu_pool (x[0], x[1], x[2], 1e-3, pool), x[3])), &x[index], 1, &gradient);
  return gradient;
}

BUILD (build_block_gradient, block_derivative (x, 2, 0))
BUILD (build_block_gradient_unpooled, block_derivative (x, 1, 0))
BUILD (build_block_by_scale, block_derivative (x, 2, 1))
BUILD (build_block_by_offset, block_derivative (x, 3, 2))

/* The derivative by operand @index of a block's derivative by operand @first, times x[4]. */
static LbNode *
block_second (LbNode **x, guint pool, guint first, guint index)
{
  LbNode *gradient;
  lb_gradients (lb_sum (lb_mul (block_derivative (x, pool, first), x[4])), &x[index], 1, &gradient);
  return gradient;
}

BUILD (build_block_second_by_x, block_second (x, 2, 0, 0))
BUILD (build_block_second_by_x_unpooled, block_second (x, 1, 0, 0))
BUILD (build_block_second_by_scale, block_second (x, 2, 0, 1))
BUILD (build_block_second_by_g, block_second (x, 2, 0, 3))
BUILD (build_block_second_by_g_unpooled, block_second (x, 1, 0, 3))
BUILD (build_block_sums_by_x, block_second (x, 2, 1, 0))
BUILD (build_block_sums_by_g, block_second (x, 3, 1, 3))
BUILD (build_block_statistics, lb_node_new (LB_HERE, LB_OP_NORM_STATISTICS, x, 1, &(LbAttributes){ .factor = 1e-3 }))

#define S(...) LB_SHAPE (__VA_ARGS__)

const Example examples[] = {
  { LB_OP_ADD, "equal", build_add, 2, { S (3, 4), S (3, 4) }, { 0 }, -1, 1 },
  { LB_OP_ADD, "bias", build_add, 2, { S (2, 2, 3), S (3) }, { 0 }, -1, 1 },
  { LB_OP_ADD, "outer", build_add, 2, { S (3, 1), S (1, 4) }, { 0 }, -1, 1 },
  { LB_OP_SUB, "inner", build_sub, 2, { S (2, 3, 4), S (2, 1, 4) }, { 0 }, -1, 1 },
  { LB_OP_SUB, "from-bias", build_sub, 2, { S (4), S (2, 3, 4) }, { 0 }, -1, 1 },
  { LB_OP_MUL, "equal", build_mul, 2, { S (3, 4), S (3, 4) }, { 0 }, -1, 1 },
  { LB_OP_MUL, "scale", build_mul, 2, { S (2, 2, 2, 3), S (3) }, { 0 }, -1, 1 },
  { LB_OP_MUL, "column", build_mul, 2, { S (3, 4), S (3, 1) }, { 0 }, -1, 1 },
  { LB_OP_MUL, "scalar", build_mul, 2, { S (3, 4), LB_SCALAR }, { 0 }, -1, 1 },
  { LB_OP_DIV, "equal", build_div, 2, { S (3, 4), S (3, 4) }, { 0 }, 0.5, 1.5 },
  { LB_OP_DIV, "row", build_div, 2, { S (3, 4), S (1, 4) }, { 0 }, 0.5, 1.5 },
  { LB_OP_AFFINE, "plain", build_affine, 1, { S (5) }, { 0 }, -1, 1 },
  { LB_OP_EXP, "plain", build_exp, 1, { S (5) }, { 0 }, -1, 1 },
  { LB_OP_LOG, "plain", build_log, 1, { S (5) }, { 0 }, 0.5, 2 },
  { LB_OP_SQRT, "plain", build_sqrt, 1, { S (5) }, { 0 }, 0.5, 2 },
  { LB_OP_TANH, "plain", build_tanh, 1, { S (5) }, { 0 }, -1, 1 },
  { LB_OP_ERF, "plain", build_erf, 1, { S (5) }, { 0 }, -1, 1 },
  { LB_OP_TANH, "sigmoid", build_sigmoid, 1, { S (4, 5) }, { 0 }, -1, 1 },
  { LB_OP_RELU, "leaky", build_leaky_relu, 1, { S (4, 5) }, { 0 }, -1, 1 },
  { LB_OP_ERF, "gelu", build_gelu, 1, { S (4, 5) }, { 0 }, -2, 2 },
  { LB_OP_RELU, "squared", build_relu, 1, { S (4, 5) }, { 0 }, -1, 1 },
  { LB_OP_GATE, "squared", build_gate, 2, { S (4, 5), S (4, 5) }, { 0 }, -1, 1 },
  { LB_OP_RESHAPE, "squared", build_reshape, 1, { S (4, 3) }, { 0 }, -1, 1 },
  { LB_OP_SUM_TO, "rows", build_sum_rows, 1, { S (3, 4) }, { 0 }, -1, 1 },
  { LB_OP_SUM_TO, "columns", build_sum_columns, 1, { S (3, 4) }, { 0 }, -1, 1 },
  { LB_OP_SUM_TO, "long-columns", build_sum_columns, 1, { S (3, 37) }, { 0 }, -1, 1 },
  { LB_OP_SUM_TO, "middle", build_sum_middle, 1, { S (2, 3, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_SUM_TO, "all", build_sum_all, 1, { S (3, 4) }, { 0 }, -1, 1 },
  { LB_OP_BROADCAST, "middle", build_broadcast, 1, { S (3, 1, 2) }, { 0 }, -1, 1 },
  { LB_OP_BROADCAST, "last", build_broadcast_last, 1, { S (3, 1) }, { 0 }, -1, 1 },
  { LB_OP_PERMUTE, "channels", build_permute, 1, { S (2, 3, 2, 4) }, { 0 }, -1, 1 },
  { LB_OP_PERMUTE, "samples", build_permute_first, 1, { S (2, 3, 4) }, { 0 }, -1, 1 },
  { LB_OP_SLICE, "middle", build_slice, 1, { S (2, 4, 3) }, { 0 }, -1, 1 },
  { LB_OP_SLICE, "samples", build_slice_first, 1, { S (4, 3) }, { 0 }, -1, 1 },
  { LB_OP_PAD, "last", build_pad, 1, { S (2, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_PAD, "samples", build_pad_first, 1, { S (2, 3) }, { 0 }, -1, 1 },
  { LB_OP_MATMUL, "places", build_matmul_t, 2, { S (3, 2, 4), S (5, 4) }, { 0 }, -1, 1 },
  { LB_OP_MATMUL, "places-by-weight", build_t_matmul, 2, { S (3, 2, 4), S (3, 2, 5) }, { 0 }, -1, 1 },
  { LB_OP_BATCH_MATMUL, "nn", build_batch_matmul, 2, { S (2, 3, 4), S (2, 4, 2) }, { 0 }, -1, 1 },
  { LB_OP_BATCH_MATMUL, "nt", build_batch_matmul_t, 2, { S (2, 2, 3, 4), S (2, 2, 2, 4) }, { 0 }, -1, 1 },
  { LB_OP_BATCH_MATMUL, "tn", build_t_batch_matmul, 2, { S (2, 4, 3), S (2, 4, 2) }, { 0 }, -1, 1 },
  { LB_OP_BATCH_MATMUL, "tt", build_t_batch_matmul_t, 2, { S (2, 4, 3), S (2, 2, 4) }, { 0 }, -1, 1 },
  { LB_OP_MATMUL, "nn", build_matmul, 2, { S (3, 4), S (4, 2) }, { 0 }, -1, 1 },
  { LB_OP_MATMUL, "nt", build_matmul_t, 2, { S (3, 4), S (2, 4) }, { 0 }, -1, 1 },
  { LB_OP_MATMUL, "tn", build_t_matmul, 2, { S (4, 3), S (4, 2) }, { 0 }, -1, 1 },
  { LB_OP_MATMUL, "tt", build_t_matmul_t, 2, { S (4, 3), S (2, 4) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D, "same", build_conv, 2, { S (2, 5, 4, 2), S (3, 3, 3, 2) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D, "wide-pad", build_conv_wide_pad, 2, { S (2, 2, 3, 1), S (8, 3, 3, 1) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D, "stride", build_conv_stride, 2, { S (2, 5, 5, 2), S (3, 3, 3, 2) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D, "point-stride", build_conv_point, 2, { S (2, 4, 5, 2), S (3, 1, 1, 2) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D, "patches", build_conv_patches, 2, { S (2, 8, 4, 1), S (3, 4, 4, 1) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D_BY_INPUT, "same", build_by_input, 2, { S (2, 5, 4, 3), S (3, 3, 3, 2) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D_BY_INPUT, "stride", build_by_input_stride, 2, { S (2, 3, 3, 3), S (3, 3, 3, 2) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D_BY_WEIGHT, "same", build_by_weight, 2, { S (2, 5, 4, 2), S (2, 5, 4, 3) }, { 0 }, -1, 1 },
  { LB_OP_CONV2D_BY_WEIGHT, "stride", build_by_weight_stride, 2, { S (2, 5, 5, 2), S (2, 3, 3, 3) }, { 0 }, -1, 1 },
  { LB_OP_AVG_POOL, "squared", build_pool, 1, { S (2, 4, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_AVG_UNPOOL, "squared", build_unpool, 1, { S (2, 1, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_MAX_GATHER, "pool", build_max_pool, 1, { S (2, 4, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_MAX_GATHER, "pool-of-three-with-a-rest", build_max_pool_three, 1, { S (2, 4, 7, 2) }, { 0 }, -1, 1 },
  { LB_OP_MAX_GATHER, "others", build_max_gather, 2, { S (2, 2, 4, 3), S (2, 2, 4, 3) }, { 1, 0 }, -1, 1 },
  { LB_OP_MAX_SCATTER, "others", build_max_scatter, 2, { S (2, 2, 5, 3), S (2, 1, 2, 3) }, { 1, 0 }, -1, 1 },
  { LB_OP_BILINEAR, "clamp", build_bilinear_clamp, 2, { S (2, 5, 4, 2), S (2, 10) }, { 0, 1 }, -1, 1 },
  { LB_OP_BILINEAR, "zero", build_bilinear_zero, 2, { S (2, 5, 4, 2), S (2, 10) }, { 0, 1 }, -1, 1 },
  { LB_OP_BILINEAR_ADJOINT, "zero", build_bilinear_adjoint, 2, { S (2, 4, 3, 2), S (2, 10) }, { 0, 1 }, -1, 1 },
  { LB_OP_INSTANCE_NORM, "plain", build_norm, 1, { S (2, 3, 2, 2) }, { 0 }, -1, 1 },
  { LB_OP_INSTANCE_NORM, "many-channels", build_norm, 1, { S (1, 2, 2, 9) }, { 0 }, -1, 1 },
  { LB_OP_INSTANCE_NORM_GRADIENT, "plain", build_norm_gradient, 2, { S (2, 3, 2, 2), S (2, 3, 2, 2) }, { 0 }, -1, 1 },
  { LB_OP_INSTANCE_NORM_SECOND,
    "plain",
    build_norm_second,
    3,
    { S (1, 3, 2, 2), S (1, 3, 2, 2), S (1, 3, 2, 2) },
    { 0 },
    -1,
    1 },
  { LB_OP_INSTANCE_NORM_SECOND,
    "repeated",
    build_norm_second_repeated,
    2,
    { S (1, 3, 2, 2), S (1, 3, 2, 2) },
    { 0 },
    -1,
    1 },
  { LB_OP_NORM_RELU_POOL, "pooled", build_block, 3, { S (2, 4, 6, 3), S (3), S (3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL, "wide", build_block, 3, { S (2, 2, 2, 9), S (9), S (9) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL, "unpooled", build_block_unpooled, 3, { S (2, 3, 3, 3), S (3), S (3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_GRADIENT, "pooled", build_block_gradient, 4, { S (2, 4, 2, 3), S (3), S (3), S (2, 2, 1, 3) },
    { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_GRADIENT, "unpooled", build_block_gradient_unpooled, 4,
    { S (2, 2, 3, 3), S (3), S (3), S (2, 2, 3, 3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_STATISTICS, "plain", build_block_statistics, 1, { S (2, 3, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SUMS, "by-scale", build_block_by_scale, 4, { S (2, 4, 2, 3), S (3), S (3), S (2, 2, 1, 3) },
    { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SUMS, "by-offset", build_block_by_offset, 4, { S (2, 3, 6, 3), S (3), S (3), S (2, 1, 2, 3) },
    { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SECOND_BY_X, "pooled", build_block_second_by_x, 5,
    { S (2, 4, 2, 3), S (3), S (3), S (2, 2, 1, 3), S (2, 4, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SECOND_BY_X, "unpooled", build_block_second_by_x_unpooled, 5,
    { S (2, 3, 2, 2), S (2), S (2), S (2, 3, 2, 2), S (2, 3, 2, 2) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SECOND_SUMS, "by-scale", build_block_second_by_scale, 5,
    { S (2, 4, 2, 3), S (3), S (3), S (2, 2, 1, 3), S (2, 4, 2, 3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SECOND_BY_G, "pooled", build_block_second_by_g, 5,
    { S (2, 2, 4, 3), S (3), S (3), S (2, 1, 2, 3), S (2, 2, 4, 3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SECOND_BY_G, "unpooled", build_block_second_by_g_unpooled, 5,
    { S (2, 2, 2, 9), S (9), S (9), S (2, 2, 2, 9), S (2, 2, 2, 9) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SUMS_BY_X, "pooled", build_block_sums_by_x, 5,
    { S (2, 4, 2, 3), S (3), S (3), S (2, 2, 1, 3), S (3) }, { 0 }, -1, 1 },
  { LB_OP_NORM_RELU_POOL_SUMS_BY_G, "pooled", build_block_sums_by_g, 5,
    { S (2, 3, 6, 3), S (3), S (3), S (2, 1, 2, 3), S (3) }, { 0 }, -1, 1 },
  { LB_OP_SOFTMAX, "plain", build_softmax, 1, { S (3, 2, 4) }, { 0 }, -1, 1 },
  { LB_OP_DROPOUT_MASK, "masked", build_dropout, 2, { S (2, 3, 4), S (2, 4) }, { 0, 1 }, -1, 1 },
  { LB_OP_LOG_SOFTMAX, "plain", build_log_softmax, 1, { S (3, 4) }, { 0 }, -1, 1 },
};
const guint n_examples = G_N_ELEMENTS (examples);

/* A rotated, stretched and shifted grid that leaves the box on some sides. */
static void
fill_places (double *rows, gint64 n)
{
  static const double first[10] = { 1.3, 0.21, -0.4, -0.17, 1.2, 0.3, 0, 0, 3, 4 };
  static const double second[10] = { 0.7, 0.11, 0.6, 0.09, 0.8, 1.3, 1, 1, 2, 3 };
  for (gint64 i = 0; i < n; i++)
    for (guint k = 0; k < 10; k++)
      rows[10 * i + k] = i % 2 == 0 ? first[k] : second[k];
}

static void
fill_keys (double *rows, gint64 n)
{
  g_autofree float *keys = g_new (float, LB_DROPOUT_KEY *n);
  lb_dropout_keys (lb_key (1), n, keys);
  for (gint64 i = 0; i < LB_DROPOUT_KEY * n; i++)
    rows[i] = (double)keys[i];
}

LbTensor *
example_values (const Example *example, guint index, LbDType dtype)
{
  LbTensor *tensor = lb_tensor_new (dtype, example->shapes[index]);
  gint64 n = lb_tensor_size (tensor);
  g_autofree double *values = g_new (double, MAX (n, 1));
  LbRandom random = lb_random (lb_key_index (lb_key_derive (lb_key (1), example->label), index));
  for (gint64 i = 0; i < n; i++)
    do
      values[i] = example->low + (example->high - example->low) * lb_random_uniform (&random);
    while (values[i] > -0.05 && values[i] < 0.05);
  if (example->fixed[index] && (example->op == LB_OP_BILINEAR || example->op == LB_OP_BILINEAR_ADJOINT))
    fill_places (values, n / 10);
  if (example->fixed[index] && example->op == LB_OP_DROPOUT_MASK)
    fill_keys (values, n / LB_DROPOUT_KEY);
  for (gint64 i = 0; i < n; i++)
    if (dtype == LB_F64)
      lb_tensor_f64 (tensor)[i] = values[i];
    else
      lb_tensor_f32 (tensor)[i] = (float)values[i];
  return tensor;
}
