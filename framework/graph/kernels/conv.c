/* Convolution, directly or as a matrix product of patches, one image at a time: by the project's own product where
 * channels fill vectors, by OpenBLAS otherwise; first layers, whose patches are short, by
 * hand (conv-short.h).
 */
#include "graph/kernels/conv-short.h"

/* Rows of patches, [pixels, patch]: what each output pixel sees, zero outside the image. */
static void
gather_patches (const Geometry *g, const real *image, real *patches)
{
  for (gint64 i = 0; i < g->oh; i++)
    for (gint64 j = 0; j < g->ow; j++)
      for (gint64 p = 0; p < g->kh; p++) {
        gint64 y = i * g->stride + p - g->pad, x = j * g->stride - g->pad;
        gint64 before = x < 0 ? MIN (-x, g->kw) : 0, after = x + g->kw > g->w ? MIN (x + g->kw - g->w, g->kw) : 0;
        if (y < 0 || y >= g->h || before + after >= g->kw)
          before = g->kw, after = 0;
        gint64 there = g->kw - before - after;
        memset (patches, 0, before * g->in * sizeof (real));
        if (there > 0)
          memcpy (patches + before * g->in, image + (y * g->w + x + before) * g->in, there * g->in * sizeof (real));
        memset (patches + (before + there) * g->in, 0, after * g->in * sizeof (real));
        patches += g->kw * g->in;
      }
}

/* The adjoint: adds rows of patches back to the image. */
static void
scatter_patches (const Geometry *g, const real *patches, real *image)
{
  for (gint64 i = 0; i < g->oh; i++)
    for (gint64 j = 0; j < g->ow; j++)
      for (gint64 p = 0; p < g->kh; p++)
        for (gint64 q = 0; q < g->kw; q++, patches += g->in) {
          gint64 y = i * g->stride + p - g->pad, x = j * g->stride + q - g->pad;
          if (y < 0 || y >= g->h || x < 0 || x >= g->w)
            continue;
          real *pixel = image + (y * g->w + x) * g->in;
          for (gint64 k = 0; k < g->in; k++)
            pixel[k] += patches[k];
        }
}

static void
transpose (const real *from, gint64 rows, gint64 columns, real *to)
{
  for (gint64 i = 0; i < rows; i++)
    for (gint64 j = 0; j < columns; j++)
      to[j * rows + i] = from[i * columns + j];
}

void
KERNEL (conv2d) (const LbCall *call)
{
  Geometry g = geometry_of (call, &call->input_shapes[0], &call->input_shapes[1], &call->output_shape);
  const real *x = call->inputs[0], *w = call->inputs[1];
  real *out = call->output, *patches = call->scratch, *turned = patches + g.pixels * g.patch;
  gboolean hand = by_hand (&g), own = g.out % LANES == 0;
  if (hand || own)
    transpose (w, g.out, g.patch, turned);
  for (gint64 n = 0; n < call->output_shape.dim[0]; n++) {
    if (hand) {
      pad_image (&g, x + n * g.h * g.w * g.in, patches);
      multiply_short (&g, patches, turned, out + n * g.pixels * g.out);
      continue;
    }
    gather_patches (&g, x + n * g.h * g.w * g.in, patches);
    if (own)
      gemm (g.pixels, g.out, g.patch, patches, g.patch, 1, turned, g.out, FALSE, out + n * g.pixels * g.out, g.out);
    else
      LB_GEMM (FALSE, TRUE, g.pixels, g.out, g.patch, patches, g.patch, w, g.patch, 0, out + n * g.pixels * g.out,
               g.out);
  }
}

void
KERNEL (conv2d_by_input) (const LbCall *call)
{
  Geometry g = geometry_of (call, &call->output_shape, &call->input_shapes[1], &call->input_shapes[0]);
  const real *y = call->inputs[0], *w = call->inputs[1];
  real *out = call->output, *patches = call->scratch;
  memset (out, 0, lb_shape_size (call->output_shape) * sizeof (real));
  for (gint64 n = 0; n < call->output_shape.dim[0]; n++) {
    const real *rows = y + n * g.pixels * g.out;
    if (g.patch % LANES == 0)
      gemm (g.pixels, g.patch, g.out, rows, g.out, 1, w, g.patch, FALSE, patches, g.patch);
    else
      LB_GEMM (FALSE, FALSE, g.pixels, g.patch, g.out, rows, g.out, w, g.patch, 0, patches, g.patch);
    scatter_patches (&g, patches, out + n * g.h * g.w * g.in);
  }
}

void
KERNEL (conv2d_by_weight) (const LbCall *call)
{
  Geometry g = geometry_of (call, &call->input_shapes[0], &call->output_shape, &call->input_shapes[1]);
  const real *x = call->inputs[0], *y = call->inputs[1];
  real *out = call->output, *patches = call->scratch, *turned = patches + g.pixels * g.patch;
  gboolean hand = by_hand (&g);
  if (hand)
    memset (turned, 0, g.patch * g.out * sizeof (real));
  else if (!call->accumulate)
    memset (out, 0, g.patch * g.out * sizeof (real));
  for (gint64 n = 0; n < call->input_shapes[0].dim[0]; n++) {
    if (hand) {
      pad_image (&g, x + n * g.h * g.w * g.in, patches);
      outer_short (&g, patches, y + n * g.pixels * g.out, turned);
      continue;
    }
    gather_patches (&g, x + n * g.h * g.w * g.in, patches);
    if (g.patch % LANES == 0)
      gemm (g.out, g.patch, g.pixels, y + n * g.pixels * g.out, 1, g.out, patches, g.patch, TRUE, out, g.patch);
    else
      LB_GEMM (TRUE, FALSE, g.out, g.patch, g.pixels, y + n * g.pixels * g.out, g.out, patches, g.patch, 1, out,
               g.patch);
  }
  if (!hand)
    return;
  for (gint64 o = 0; o < g.out; o++)
    for (gint64 k = 0; k < g.patch; k++) {
      real sum = turned[k * g.out + o];
      out[o * g.patch + k] = call->accumulate ? out[o * g.patch + k] + sum : sum;
    }
}
