/* Sums over axes, and their adjoint. */
#include "graph/kernels/variant.h"

/* Axes of the wide tensor, merged while the narrow one's strides allow; narrow stride 0 where it has length 1. */
typedef struct {
  guint rank;
  gint64 dim[LB_MAX_RANK], narrow[LB_MAX_RANK];
} Axes;

static Axes
merge_axes (const LbShape *wide, const LbShape *narrow)
{
  Axes axes = { 0 };
  for (guint i = 0; i < wide->rank; i++) {
    gint64 stride = 1;
    for (guint k = i + 1; k < wide->rank; k++)
      stride *= narrow->dim[k];
    if (narrow->dim[i] == 1)
      stride = 0;
    if (wide->dim[i] == 1)
      continue;
    guint last = axes.rank - 1;
    if (axes.rank > 0 && axes.narrow[last] == stride * wide->dim[i]) {
      axes.dim[last] *= wide->dim[i];
      axes.narrow[last] = stride;
    } else {
      axes.dim[axes.rank] = wide->dim[i];
      axes.narrow[axes.rank++] = stride;
    }
  }
  if (axes.rank == 0)
    axes = (Axes){ .rank = 1, .dim = { 1 }, .narrow = { 1 } };
  return axes;
}

static gint64
advance (const Axes *axes, gint64 *at, gint64 place)
{
  for (guint i = axes->rank - 1; i-- > 0;) {
    place += axes->narrow[i];
    if (++at[i] < axes->dim[i])
      break;
    at[i] = 0;
    place -= axes->narrow[i] * axes->dim[i];
  }
  return place;
}

void
KERNEL (sum_to) (const LbCall *call)
{
  Axes axes = merge_axes (&call->input_shapes[0], &call->output_shape);
  const real *x = call->inputs[0];
  real *out = call->output;
  guint inner = axes.rank - 1;
  gint64 n = axes.dim[inner], rows = lb_shape_size (call->input_shapes[0]) / n, at[LB_MAX_RANK] = { 0 }, place = 0;
  if (!call->accumulate)
    memset (out, 0, lb_shape_size (call->output_shape) * sizeof (real));
  for (gint64 r = 0; r < rows; r++, x += n) {
    if (axes.narrow[inner] == 0)
      out[place] += sum_row (x, n);
    else
      for (gint64 i = 0; i < n; i++)
        out[place + i] += x[i];
    place = advance (&axes, at, place);
  }
}

void
KERNEL (broadcast) (const LbCall *call)
{
  Axes axes = merge_axes (&call->output_shape, &call->input_shapes[0]);
  const real *x = call->inputs[0];
  real *out = call->output;
  guint inner = axes.rank - 1;
  gint64 n = axes.dim[inner], rows = lb_shape_size (call->output_shape) / n, at[LB_MAX_RANK] = { 0 }, place = 0;
  for (gint64 r = 0; r < rows; r++, out += n) {
    if (axes.narrow[inner] == 0)
      for (gint64 i = 0; i < n; i++)
        out[i] = x[place];
    else
      memcpy (out, x + place, n * sizeof (real));
    place = advance (&axes, at, place);
  }
}
