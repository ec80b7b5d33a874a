/* Differences of tensors. */
#include "archive/difference.h"

#include <math.h>
#include <string.h>

#include "tensor/half.h"

static double
element (const LbTensor *tensor, gint64 i)
{
  switch (lb_tensor_dtype (tensor)) {
  case LB_F16: {
    float value;
    lb_f16_to_f32 (lb_tensor_f16 (tensor) + i, &value, 1);
    return value;
  }
  case LB_F32:
    return lb_tensor_f32 (tensor)[i];
  case LB_F64:
    return lb_tensor_f64 (tensor)[i];
  case LB_U8:
    return lb_tensor_u8 (tensor)[i];
  case LB_I32:
    return lb_tensor_i32 (tensor)[i];
  case LB_I64:
    return (double)lb_tensor_i64 (tensor)[i];
  default:
    return NAN;
  }
}

LbDifference
lb_difference (const LbTensor *first, const LbTensor *second)
{
  LbDifference found = { 0 };
  LbDType dtype = lb_tensor_dtype (first);
  gsize size = lb_dtype_size (dtype);
  if (dtype != lb_tensor_dtype (second) || !lb_shape_equal (lb_tensor_shape (first), lb_tensor_shape (second)))
    return found;
  found.is_comparable = TRUE;
  const char *a = lb_tensor_data (first), *b = lb_tensor_data (second);
  for (gint64 i = 0; i < lb_tensor_size (first); i++) {
    double before = element (first, i), now = element (second, i), off = fabs (now - before);
    if (isfinite (before))
      found.magnitude = MAX (found.magnitude, fabs (before));
    if (memcmp (a + (gsize)i * size, b + (gsize)i * size, size) == 0)
      continue;
    found.n_different++;
    found.largest
        = isnan (off) && !(isnan (before) && isnan (now)) ? INFINITY : MAX (found.largest, isnan (off) ? 0 : off);
  }
  return found;
}
