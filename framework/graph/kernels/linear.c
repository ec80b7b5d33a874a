/* Matrix product, average pooling, bilinear sampling. */
#include "graph/kernels/product.h"

/* c = [c +] op (a) op (b) with rows of @row_a and @row_b elements; op (a) is m x k. */
static void
multiply (const LbCall *call, gint64 m, gint64 n, gint64 k, const real *a, gint64 row_a, const real *b, gint64 row_b,
          real *c)
{
  gboolean ta = call->node->attributes.a != 0, tb = call->node->attributes.b != 0;
  PRODUCT (&(Product){ .m = m,
                       .n = n,
                       .k = k,
                       .a = a,
                       .a_row.stride = ta ? 1 : row_a,
                       .a_column.stride = ta ? row_a : 1,
                       .b = b,
                       .b_line.stride = row_b,
                       .b_transposed = tb,
                       .add = call->accumulate,
                       .c = c,
                       .c_row.stride = n });
}

void
KERNEL (matmul) (const LbCall *call)
{
  const LbShape *a = &call->input_shapes[0], *b = &call->input_shapes[1], *out = &call->output_shape;
  gint64 row_a = a->dim[a->rank - 1], row_b = b->dim[b->rank - 1], n = out->dim[out->rank - 1];
  gint64 m = lb_shape_size (*out) / MAX (n, 1);
  gint64 k = call->node->attributes.a != 0 ? lb_shape_size (*a) / MAX (row_a, 1) : row_a;
  multiply (call, m, n, k, call->inputs[0], row_a, call->inputs[1], row_b, call->output);
}

void
KERNEL (batch_matmul) (const LbCall *call)
{
  guint rank = call->output_shape.rank;
  const gint64 *a = call->input_shapes[0].dim + rank - 2, *b = call->input_shapes[1].dim + rank - 2;
  gint64 m = call->output_shape.dim[rank - 2], n = call->output_shape.dim[rank - 1];
  gint64 k = a[call->node->attributes.a != 0 ? 0 : 1];
  gint64 pairs = lb_shape_size (call->output_shape) / MAX (m * n, 1);
  for (gint64 i = 0; i < pairs; i++)
    multiply (call, m, n, k, (const real *)call->inputs[0] + i * m * k, a[1], (const real *)call->inputs[1] + i * k * n,
              b[1], (real *)call->output + i * m * n);
}

/* The common size 2, which the compiler can turn into vectors. */
static void
pool_pairs (const real *restrict x, gint64 row, gint64 c, real *restrict y)
{
  for (gint64 k = 0; k < c; k++)
    y[k] = ((x[k] + x[c + k]) + (x[row + k] + x[row + c + k])) * (real)0.25;
}

static void
pool_window (const real *x, gint64 size, gint64 row, gint64 c, real *y)
{
  for (gint64 k = 0; k < c; k++) {
    real sum = 0;
    for (gint64 p = 0; p < size; p++)
      for (gint64 q = 0; q < size; q++)
        sum += x[p * row + q * c + k];
    y[k] = sum / (real)(size * size);
  }
}

void
KERNEL (avg_pool) (const LbCall *call)
{
  const LbShape *out = &call->output_shape;
  gint64 size = call->node->attributes.a, c = out->dim[3], row = call->input_shapes[0].dim[2] * c;
  const real *x = call->inputs[0];
  real *y = call->output;
  for (gint64 line = 0; line < out->dim[0] * out->dim[1]; line++, x += size * row)
    for (gint64 j = 0; j < out->dim[2]; j++, y += c) {
      if (size == 2)
        pool_pairs (x + 2 * j * c, row, c, y);
      else
        pool_window (x + j * size * c, size, row, c, y);
    }
}

void
KERNEL (avg_unpool) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0];
  gint64 size = call->node->attributes.a, c = in->dim[3], row = call->output_shape.dim[2] * c;
  const real *g = call->inputs[0];
  real *x = call->output, share = 1 / (real)(size * size);
  for (gint64 line = 0; line < in->dim[0] * in->dim[1]; line++, x += size * row)
    for (gint64 j = 0; j < in->dim[2]; j++, g += c)
      for (gint64 p = 0; p < size; p++)
        for (gint64 q = 0; q < size; q++) {
          real *cell = x + p * row + (j * size + q) * c;
          for (gint64 k = 0; k < c; k++)
            cell[k] = g[k] * share;
        }
}

/* The four pixels around a place and their weights; weight 0 where a pixel counts as zero. */
typedef struct {
  gint64 pixel[4];
  real weight[4];
} Corners;

static Corners
corners_of (const real *row, gint64 i, gint64 j, gint64 height, gint64 width, LbBorder border)
{
  real x = row[0] * j + row[1] * i + row[2], y = row[3] * j + row[4] * i + row[5];
  real x0 = row[6], y0 = row[7], x1 = row[8], y1 = row[9];
  if (border == LB_BORDER_CLAMP) {
    x = x < x0 ? x0 : x > x1 ? x1 : x;
    y = y < y0 ? y0 : y > y1 ? y1 : y;
  }
  real left = (real)floor ((double)x), top = (real)floor ((double)y), fx = x - left, fy = y - top;
  real wx[2] = { 1 - fx, fx }, wy[2] = { 1 - fy, fy };
  Corners corners;
  for (guint k = 0; k < 4; k++) {
    real px = left + (real)(k & 1), py = top + (real)(k >> 1);
    /* A clamped place between the last pixel of the box and the next has the box's last pixel on both sides. */
    if (border == LB_BORDER_CLAMP) {
      px = px > x1 ? (real)floor ((double)x1) : px;
      py = py > y1 ? (real)floor ((double)y1) : py;
    }
    gboolean inside = px >= x0 && px <= x1 && py >= y0 && py <= y1 && px >= 0 && py >= 0 && px <= (real)(width - 1)
                      && py <= (real)(height - 1);
    if (border == LB_BORDER_CLAMP)
      inside = px >= 0 && py >= 0 && px <= (real)(width - 1) && py <= (real)(height - 1);
    corners.pixel[k] = inside ? (gint64)py * width + (gint64)px : 0;
    corners.weight[k] = inside ? wx[k & 1] * wy[k >> 1] : 0;
  }
  return corners;
}

void
KERNEL (bilinear) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0], *out = &call->output_shape;
  gint64 c = out->dim[3], image = in->dim[1] * in->dim[2] * c;
  const real *where = call->inputs[1];
  real *y = call->output;
  for (gint64 n = 0; n < out->dim[0]; n++)
    for (gint64 i = 0; i < out->dim[1]; i++)
      for (gint64 j = 0; j < out->dim[2]; j++, y += c) {
        const real *x = (const real *)call->inputs[0] + n * image;
        Corners at = corners_of (where + 10 * n, i, j, in->dim[1], in->dim[2], (LbBorder)call->node->attributes.a);
        for (gint64 k = 0; k < c; k++) {
          real sum = 0;
          for (guint q = 0; q < 4; q++)
            sum = multiply_add_one (at.weight[q], x[at.pixel[q] * c + k], sum);
          y[k] = sum;
        }
      }
}

void
KERNEL (bilinear_adjoint) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0], *out = &call->output_shape;
  gint64 c = out->dim[3], image = out->dim[1] * out->dim[2] * c;
  const real *where = call->inputs[1], *g = call->inputs[0];
  memset (call->output, 0, lb_shape_size (*out) * sizeof (real));
  for (gint64 n = 0; n < in->dim[0]; n++)
    for (gint64 i = 0; i < in->dim[1]; i++)
      for (gint64 j = 0; j < in->dim[2]; j++, g += c) {
        real *x = (real *)call->output + n * image;
        Corners at = corners_of (where + 10 * n, i, j, out->dim[1], out->dim[2], (LbBorder)call->node->attributes.a);
        for (guint q = 0; q < 4; q++)
          for (gint64 k = 0; k < c; k++)
            x[at.pixel[q] * c + k] = multiply_add_one (at.weight[q], g[k], x[at.pixel[q] * c + k]);
      }
}
