/* Elementwise kernels, with NumPy's broadcasting.
 *
 * The axes of the result are merged as far as the operands' strides allow, so that equal shapes run as one loop and a
 * bias [c] under [n, h, w, c] as one loop for each pixel.
 */
#include "graph/kernels/functions.h"

/* The result may stand where an operand stood, element by element, never shifted: the loop may be vectorised as it is.
 */
#ifdef __clang__
#  define IN_PLACE _Pragma ("clang loop vectorize(assume_safety)")
#else
#  define IN_PLACE _Pragma ("GCC ivdep")
#endif

/* Merged axes, innermost last; a stride is 0 where the operand broadcasts. */
typedef struct {
  guint rank;
  gint64 dim[LB_MAX_RANK], a[LB_MAX_RANK], b[LB_MAX_RANK];
} Axes;

/* Elements to step over when axis @axis of the result (of rank @rank) advances; 0 where @shape broadcasts. */
static gint64
stride_of (const LbShape *shape, guint rank, guint axis)
{
  if (axis + shape->rank < rank || shape->dim[axis + shape->rank - rank] == 1)
    return 0;
  gint64 stride = 1;
  for (guint i = axis + shape->rank - rank + 1; i < shape->rank; i++)
    stride *= shape->dim[i];
  return stride;
}

static Axes
merge_axes (const LbShape *out, const LbShape *a, const LbShape *b)
{
  Axes axes = { 0 };
  for (guint i = 0; i < out->rank; i++) {
    gint64 dim = out->dim[i];
    if (dim == 1)
      continue;
    gint64 sa = stride_of (a, out->rank, i), sb = stride_of (b, out->rank, i);
    guint last = axes.rank - 1;
    if (axes.rank > 0 && axes.a[last] == sa * dim && axes.b[last] == sb * dim) {
      axes.dim[last] *= dim;
      axes.a[last] = sa;
      axes.b[last] = sb;
    } else {
      axes.dim[axes.rank] = dim;
      axes.a[axes.rank] = sa;
      axes.b[axes.rank++] = sb;
    }
  }
  if (axes.rank == 0)
    axes = (Axes){ .rank = 1, .dim = { 1 }, .a = { 1 }, .b = { 1 } };
  return axes;
}

typedef void (*Row) (gint64 n, const real *a, gint64 sa, const real *b, gint64 sb, real *out);

/* Calls @row for every innermost run. */
static void
walk (const LbCall *call, Row row)
{
  Axes axes = merge_axes (&call->output_shape, &call->input_shapes[0], &call->input_shapes[1]);
  const real *a = call->inputs[0], *b = call->inputs[1];
  real *out = call->output;
  guint inner = axes.rank - 1;
  gint64 n = axes.dim[inner], rows = 1, at[LB_MAX_RANK] = { 0 };
  for (guint i = 0; i < inner; i++)
    rows *= axes.dim[i];
  for (gint64 r = 0; r < rows; r++, out += n) {
    row (n, a, axes.a[inner], b, axes.b[inner], out);
    for (guint i = inner; i-- > 0;) {
      a += axes.a[i];
      b += axes.b[i];
      if (++at[i] < axes.dim[i])
        break;
      at[i] = 0;
      a -= axes.a[i] * axes.dim[i];
      b -= axes.b[i] * axes.dim[i];
    }
  }
}

/* An innermost stride is 0 or 1: axes that keep a gap between elements were not merged away only if they broadcast. */
#define BINARY(name, expression)                                                                                       \
  static void name##_row (gint64 n, const real *a, gint64 sa, const real *b, gint64 sb, real *out)                     \
  {                                                                                                                    \
    if (sa != 0 && sb != 0)                                                                                            \
      IN_PLACE for (gint64 i = 0; i < n; i++)                                                                          \
      {                                                                                                                \
        real x = a[i], y = b[i];                                                                                       \
        out[i] = expression;                                                                                           \
      }                                                                                                                \
    else if (sa != 0)                                                                                                  \
      IN_PLACE for (gint64 i = 0; i < n; i++)                                                                          \
      {                                                                                                                \
        real x = a[i], y = *b;                                                                                         \
        out[i] = expression;                                                                                           \
      }                                                                                                                \
    else                                                                                                               \
      IN_PLACE for (gint64 i = 0; i < n; i++)                                                                          \
      {                                                                                                                \
        real x = *a, y = b[sb == 0 ? 0 : i];                                                                           \
        out[i] = expression;                                                                                           \
      }                                                                                                                \
  }                                                                                                                    \
  void KERNEL (name) (const LbCall *call)                                                                              \
  {                                                                                                                    \
    walk (call, name##_row);                                                                                           \
  }

BINARY (add, x + y)
BINARY (sub, x - y)
BINARY (mul, x *y)
BINARY (div, x / y)
/* Not a number goes through, so that it is seen in the loss. */
BINARY (gate, x <= 0 ? 0 : y)

#define UNARY(name, expression)                                                                                        \
  void KERNEL (name) (const LbCall *call)                                                                              \
  {                                                                                                                    \
    const real *a = call->inputs[0];                                                                                   \
    real *out = call->output;                                                                                          \
    gint64 n = lb_shape_size (call->output_shape);                                                                     \
    IN_PLACE for (gint64 i = 0; i < n; i++)                                                                            \
    {                                                                                                                  \
      real x = a[i];                                                                                                   \
      out[i] = expression;                                                                                             \
    }                                                                                                                  \
  }

UNARY (sqrt, sizeof (real) == 4 ? (real)sqrtf ((float)x) : (real)sqrt ((double)x))
UNARY (relu, x < 0 ? 0 : x)

#define FUNCTION(name)                                                                                                 \
  void KERNEL (name) (const LbCall *call)                                                                              \
  {                                                                                                                    \
    map_function (vec_##name, lb_shape_size (call->output_shape), call->inputs[0], call->output);                      \
  }

FUNCTION (exp)
FUNCTION (log)
FUNCTION (tanh)
FUNCTION (erf)

void
KERNEL (affine) (const LbCall *call)
{
  const real *a = call->inputs[0];
  real *out = call->output, factor = call->node->attributes.factor, offset = call->node->attributes.offset;
  gint64 n = lb_shape_size (call->output_shape);
  IN_PLACE for (gint64 i = 0; i < n; i++) out[i] = multiply_add_one (factor, a[i], offset);
}

void
KERNEL (constant) (const LbCall *call)
{
  real *out = call->output, value = call->node->attributes.offset;
  gint64 n = lb_shape_size (call->output_shape);
  for (gint64 i = 0; i < n; i++)
    out[i] = value;
}

/* Log of softmax over the last axis, shifted by the row's maximum so that no power overflows. */
void
KERNEL (log_softmax) (const LbCall *call)
{
  const real *x = call->inputs[0];
  real *out = call->output;
  gint64 n = call->output_shape.dim[call->output_shape.rank - 1], rows = lb_shape_size (call->output_shape) / n;
  for (gint64 r = 0; r < rows; r++, x += n, out += n) {
    real top = x[0];
    for (gint64 i = 1; i < n; i++)
      top = x[i] > top ? x[i] : top;
    for (gint64 i = 0; i < n; i++)
      out[i] = x[i] - top;
    map_function (vec_exp, n, out, out);
    real shift = top + log_one (sum_row (out, n));
    for (gint64 i = 0; i < n; i++)
      out[i] = x[i] - shift;
  }
}

void
KERNEL (softmax) (const LbCall *call)
{
  const real *x = call->inputs[0];
  real *out = call->output;
  gint64 n = call->output_shape.dim[call->output_shape.rank - 1], rows = lb_shape_size (call->output_shape) / n;
  for (gint64 r = 0; r < rows; r++, x += n, out += n) {
    real top = x[0];
    for (gint64 i = 1; i < n; i++)
      top = x[i] > top ? x[i] : top;
    for (gint64 i = 0; i < n; i++)
      out[i] = x[i] - top;
    map_function (vec_exp, n, out, out);
    real factor = 1 / sum_row (out, n);
    for (gint64 i = 0; i < n; i++)
      out[i] *= factor;
  }
}
