/* The kernels of one variant, by op. Reshape has none: it moves nothing. */
#include "graph/kernels/variant.h"

extern const LbKernelSet LB_JOIN (lb_kernel_set, LB_VARIANT);

const LbKernelSet LB_JOIN (lb_kernel_set, LB_VARIANT);

const LbKernelSet LB_JOIN (lb_kernel_set, LB_VARIANT)
    = { .run = {
            [LB_OP_CONSTANT] = KERNEL (constant),
            [LB_OP_ADD] = KERNEL (add),
            [LB_OP_SUB] = KERNEL (sub),
            [LB_OP_MUL] = KERNEL (mul),
            [LB_OP_DIV] = KERNEL (div),
            [LB_OP_AFFINE] = KERNEL (affine),
            [LB_OP_EXP] = KERNEL (exp),
            [LB_OP_LOG] = KERNEL (log),
            [LB_OP_SQRT] = KERNEL (sqrt),
            [LB_OP_TANH] = KERNEL (tanh),
            [LB_OP_ERF] = KERNEL (erf),
            [LB_OP_RELU] = KERNEL (relu),
            [LB_OP_GATE] = KERNEL (gate),
            [LB_OP_SUM_TO] = KERNEL (sum_to),
            [LB_OP_BROADCAST] = KERNEL (broadcast),
            [LB_OP_PERMUTE] = KERNEL (permute),
            [LB_OP_SLICE] = KERNEL (slice),
            [LB_OP_PAD] = KERNEL (pad),
            [LB_OP_MATMUL] = KERNEL (matmul),
            [LB_OP_BATCH_MATMUL] = KERNEL (batch_matmul),
            [LB_OP_CONV2D] = KERNEL (conv2d),
            [LB_OP_CONV2D_BY_INPUT] = KERNEL (conv2d_by_input),
            [LB_OP_CONV2D_BY_WEIGHT] = KERNEL (conv2d_by_weight),
            [LB_OP_AVG_POOL] = KERNEL (avg_pool),
            [LB_OP_AVG_UNPOOL] = KERNEL (avg_unpool),
            [LB_OP_MAX_GATHER] = KERNEL (max_gather),
            [LB_OP_MAX_SCATTER] = KERNEL (max_scatter),
            [LB_OP_BILINEAR] = KERNEL (bilinear),
            [LB_OP_BILINEAR_ADJOINT] = KERNEL (bilinear_adjoint),
            [LB_OP_INSTANCE_NORM] = KERNEL (instance_norm),
            [LB_OP_INSTANCE_NORM_GRADIENT] = KERNEL (instance_norm_gradient),
            [LB_OP_INSTANCE_NORM_SECOND] = KERNEL (instance_norm_second),
            [LB_OP_NORM_STATISTICS] = KERNEL (norm_statistics),
            [LB_OP_NORM_RELU_POOL] = KERNEL (norm_relu_pool),
            [LB_OP_NORM_RELU_POOL_SUMS] = KERNEL (norm_relu_pool_sums),
            [LB_OP_NORM_RELU_POOL_GRADIENT] = KERNEL (norm_relu_pool_gradient),
            [LB_OP_NORM_RELU_POOL_BY_CHANNEL] = KERNEL (norm_relu_pool_by_channel),
            [LB_OP_LOG_SOFTMAX] = KERNEL (log_softmax),
            [LB_OP_SOFTMAX] = KERNEL (softmax),
            [LB_OP_DROPOUT_MASK] = KERNEL (dropout_mask),
            [LB_OP_WINOGRAD_FILTER] = KERNEL (winograd_filter),
            [LB_OP_WINOGRAD_CONV2D] = KERNEL (winograd_conv2d),
            [LB_OP_WINOGRAD_BY_WEIGHT] = KERNEL (winograd_by_weight),
            [LB_OP_WINOGRAD_FILTER_ADJOINT] = KERNEL (winograd_filter_adjoint),
        } };
