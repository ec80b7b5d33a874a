/* Moving elements: permuted axes, slices and their adjoint. */
#include "graph/kernels/variant.h"

/* Runs of the innermost axis of the result, which lies at a stride in the operand. */
void
KERNEL (permute) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0], *out = &call->output_shape;
  gint64 strides[LB_MAX_RANK], at[LB_MAX_RANK] = { 0 };
  guint inner = out->rank - 1;
  for (guint i = 0; i < out->rank; i++) {
    guint from = call->node->attributes.a >> 4 * i & 15;
    strides[i] = 1;
    for (guint k = from + 1; k < in->rank; k++)
      strides[i] *= in->dim[k];
  }
  const real *x = call->inputs[0];
  real *y = call->output;
  gint64 n = out->dim[inner], stride = strides[inner], rows = lb_shape_size (*out) / MAX (n, 1);
  for (gint64 r = 0; r < rows; r++, y += n) {
    if (stride == 1)
      memcpy (y, x, n * sizeof (real));
    else
      for (gint64 i = 0; i < n; i++)
        y[i] = x[i * stride];
    for (guint i = inner; i-- > 0;) {
      x += strides[i];
      if (++at[i] < out->dim[i])
        break;
      at[i] = 0;
      x -= strides[i] * out->dim[i];
    }
  }
}

/* Elements behind one index of @axis. */
static gint64
elements_of (const LbShape *shape, gint64 axis)
{
  gint64 n = 1;
  for (guint i = (guint)axis + 1; i < shape->rank; i++)
    n *= shape->dim[i];
  return n;
}

void
KERNEL (slice) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0], *out = &call->output_shape;
  gint64 axis = call->node->attributes.a, inner = elements_of (out, axis);
  gint64 run = out->dim[axis] * inner, row = in->dim[axis] * inner, rows = lb_shape_size (*in) / MAX (row, 1);
  const real *x = (const real *)call->inputs[0] + call->node->attributes.b * inner;
  real *y = call->output;
  for (gint64 r = 0; r < rows; r++, x += row, y += run)
    memcpy (y, x, run * sizeof (real));
}

void
KERNEL (pad) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0], *out = &call->output_shape;
  gint64 axis = call->node->attributes.a, inner = elements_of (out, axis);
  gint64 run = in->dim[axis] * inner, row = out->dim[axis] * inner, rows = lb_shape_size (*out) / MAX (row, 1);
  gint64 before = call->node->attributes.b * inner;
  const real *x = call->inputs[0];
  real *y = call->output;
  for (gint64 r = 0; r < rows; r++, x += run, y += row) {
    memset (y, 0, before * sizeof (real));
    memcpy (y + before, x, run * sizeof (real));
    memset (y + before + run, 0, (row - before - run) * sizeof (real));
  }
}
