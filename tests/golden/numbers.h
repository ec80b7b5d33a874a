/* The numbers that golden values and benchmarks are computed from, repeated exactly by make-golden.py (which describes
 * them) and here: any element of any stream from integer arithmetic, the same in float and in double.
 */
#pragma once

#include "limbeck.h"

/* Streams; the parameter tensors of ConvNet-D3 are 0 to 13. */
enum { IMAGES = 100, REAL, SYNTHETIC, PICTURE, VECTOR, GRADIENT, MAPS, WEIGHTS, DIRECTION, SCORES, TARGETS };

/* Element @i of @stream, in [-1, 1). */
static inline double
number (guint32 stream, guint32 i)
{
  guint32 h = i * 0x9E3779B1u + stream * 0x85EBCA77u + 1;
  h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
  h = (h ^ (h >> 12)) * 0x297A2D39u;
  h = h ^ (h >> 15);
  return (h >> 16) / 32768.0 - 1;
}

/* Element @i of an f32 or f64 tensor. */
static inline void
set_element (LbTensor *tensor, gint64 i, double value)
{
  if (lb_tensor_dtype (tensor) == LB_F64)
    lb_tensor_f64 (tensor)[i] = value;
  else
    lb_tensor_f32 (tensor)[i] = (float)value;
}

static inline double
get_element (const LbTensor *tensor, gint64 i)
{
  return lb_tensor_dtype (tensor) == LB_F64 ? lb_tensor_f64 (tensor)[i] : lb_tensor_f32 (tensor)[i];
}

/* A new tensor of offset + scale * number. */
static inline LbTensor *
numbers (LbDType dtype, guint stream, LbShape shape, double offset, double scale)
{
  LbTensor *tensor = lb_tensor_new (dtype, shape);
  for (gint64 i = 0; i < lb_tensor_size (tensor); i++)
    set_element (tensor, i, offset + scale * number (stream, i));
  return tensor;
}

/* Parameter tensor @k of ConvNet-D3. */
static inline LbTensor *
convnet_parameter (LbDType dtype, guint k, LbShape shape)
{
  static const double scales[4] = { 1. / 4, 1. / 8, 1. / 4, 1. / 8 }; /* weight, bias, norm scale, norm offset */
  gboolean is_later_weight = k == 4 || k == 8 || k == 12, is_norm_scale = k < 12 && k % 4 == 2;
  return numbers (dtype, k, shape, is_norm_scale ? 1 : 0, is_later_weight ? 1. / 32 : scales[k % 4]);
}
