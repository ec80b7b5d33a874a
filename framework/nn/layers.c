/* Layers that architectures are put together from. */
#include "nn/architecture.h"

#define NORM_EPSILON 1e-5

static LbNode *
conv (LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size, guint pad, LbNode **bias)
{
  gint64 in = lb_node_dim (x, 3), fan_in = in * size * size;
  LbNode *weight
      = lb_builder_parameter (builder, layer, "weight", LB_SHAPE (out, size, size, in), LB_INIT_FAN_IN, fan_in);

  *bias = lb_builder_parameter (builder, layer, "bias", LB_SHAPE (out), LB_INIT_FAN_IN, fan_in);
  return lb_conv2d (x, weight, 1, pad);
}

LbNode *
lb_layer_conv (LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size, guint pad)
{
  LbNode *bias, *y = conv (builder, layer, x, out, size, pad, &bias);

  return lb_add (y, bias);
}

LbNode *
lb_layer_conv_before_norm (LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size, guint pad)
{
  LbNode *bias;

  return conv (builder, layer, x, out, size, pad, &bias);
}

LbNode *
lb_layer_norm_relu_pool (LbBuilder *builder, const char *layer, LbNode *x, guint pool)
{
  gint64 channels = lb_node_dim (x, 3);
  LbNode *scale = lb_builder_parameter (builder, layer, "scale", LB_SHAPE (channels), LB_INIT_ONE, 0);
  LbNode *offset = lb_builder_parameter (builder, layer, "offset", LB_SHAPE (channels), LB_INIT_ZERO, 0);

  return lb_norm_relu_pool (x, scale, offset, NORM_EPSILON, pool);
}

LbNode *
lb_layer_linear (LbBuilder *builder, const char *layer, LbNode *x, gint64 out)
{
  gint64 n = lb_node_dim (x, 0), features = lb_shape_size (lb_node_shape (x)) / MAX (n, 1);
  LbNode *weight = lb_builder_parameter (builder, layer, "weight", LB_SHAPE (out, features), LB_INIT_FAN_IN, features);
  LbNode *bias = lb_builder_parameter (builder, layer, "bias", LB_SHAPE (out), LB_INIT_FAN_IN, features);

  return lb_add (lb_matmul (lb_reshape (x, LB_SHAPE (n, features)), FALSE, weight, TRUE), bias);
}
