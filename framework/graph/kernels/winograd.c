/* Winograd convolution: the kernels (transforms in winograd.h). */
#include "graph/kernels/winograd.h"

/* Attribute a: turned. */
void
KERNEL (winograd_filter) (const LbCall *call)
{
  gint64 out = call->input_shapes[0].dim[0], in = call->input_shapes[0].dim[3];
  gint64 taps = call->input_shapes[0].dim[1];
  if (call->node->attributes.a != 0)
    FOR_TAPS (taps, filter_turned, call->inputs[0], in, out, in, call->output);
  else
    FOR_TAPS (taps, filter_forward, call->inputs[0], in, out, in, call->output);
}

void
KERNEL (winograd_filter_adjoint) (const LbCall *call)
{
  gint64 out = call->output_shape.dim[0], in = call->output_shape.dim[3];
  FOR_TAPS (call->output_shape.dim[1], filter_adjoint, call->inputs[0], in, out, in, call->output);
}

/* Images by transformed weights [36, channels of the images, channels of the result]; attribute b: taps. */
void
KERNEL (winograd_conv2d) (const LbCall *call)
{
  gint64 taps = call->node->attributes.b;
  gint64 from = call->input_shapes[0].dim[3], to = call->output_shape.dim[3];
  Grid grid = grid_of (&call->output_shape, taps);
  gint64 total = grid.tiles * call->output_shape.dim[0];
  const real *weights = call->inputs[1];
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK) {
    gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
    real *v = call->scratch, *m = v + POINTS * point_stride (n, from);
    FOR_TAPS (taps, gather_inputs, &grid, call->inputs[0], from, from, first, n, v);
    for (gint64 p = 0; p < POINTS; p++)
      gemm_by_panels (n, to, from, v + p * point_stride (n, from), from, weights + p * point_stride (from, to), FALSE,
                      m + p * point_stride (n, to), to);
    FOR_TAPS (taps, scatter_outputs, &grid, m, to, to, first, n, call->output);
  }
}

/* Sum over tiles of (A dY A')' (B' d B): [36, out, in], in panels; attribute b: taps. */
void
KERNEL (winograd_by_weight) (const LbCall *call)
{
  gint64 taps = call->node->attributes.b;
  gint64 in = call->input_shapes[0].dim[3], out = call->input_shapes[1].dim[3];
  Grid grid = grid_of (&call->input_shapes[0], taps);
  gint64 total = grid.tiles * call->input_shapes[0].dim[0];
  real *sums = call->output;
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK) {
    gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
    real *v = call->scratch, *d = v + POINTS * point_stride (n, in);
    FOR_TAPS (taps, gather_inputs, &grid, call->inputs[0], in, in, first, n, v);
    FOR_TAPS (taps, gather_gradients, &grid, call->inputs[1], out, out, first, n, d);
    for (gint64 p = 0; p < POINTS; p++)
      gemm_to_panels (out, in, n, d + p * point_stride (n, out), out, v + p * point_stride (n, in), in,
                      call->accumulate || first > 0, sums + p * point_stride (out, in));
  }
}

/* ---- Layers whose transformed weights are larger than their images ----
 *
 * There the images are taken whole and the channels in parts of LB_WINOGRAD_PART: the weights of a part are
 * transformed, used for all tiles, and forgotten. A piece of the result is a part of its channels; of a weight's
 * gradient a part of each side's.
 */

#define PART LB_WINOGRAD_PART

/* Elements of a part's transformed weights, and of a block's transformed tiles. */
#define PART_WEIGHTS (POINTS * (PART * PART + LB_WINOGRAD_GAP))
#define PART_BLOCK   (POINTS * (LB_WINOGRAD_BLOCK * PART + LB_WINOGRAD_GAP))

/* Tiles [tile, end) of channels [to_first, to_first + to_n) of the result; attribute a: the weight is turned. */
static void
whole_tiles (int taps, const LbCall *call, const Grid *grid, gint64 to_first, gint64 to_n, gint64 tile, gint64 end)
{
  gint64 from = call->input_shapes[0].dim[3], to = call->output_shape.dim[3], in = call->input_shapes[1].dim[3];
  gboolean turned = call->node->attributes.a != 0;
  real *u = call->scratch, *v = u + PART_WEIGHTS, *products = v + PART_BLOCK;
  for (gint64 f = 0; f < from; f += PART) {
    gint64 n_from = MIN (PART, from - f);
    if (turned)
      FOR_TAPS (taps, filter_turned, (const real *)call->inputs[1] + f * taps * taps * in + to_first, in, n_from, to_n,
                u);
    else
      FOR_TAPS (taps, filter_forward, (const real *)call->inputs[1] + to_first * taps * taps * in + f, in, to_n, n_from,
                u);
    real *m = products;
    for (gint64 first = tile; first < end; first += LB_WINOGRAD_BLOCK, m += PART_BLOCK) {
      gint64 n = MIN (LB_WINOGRAD_BLOCK, end - first);
      FOR_TAPS (taps, gather_inputs, grid, (const real *)call->inputs[0] + f, from, n_from, first, n, v);
      for (gint64 p = 0; p < POINTS; p++)
        gemm_by_panels (n, to_n, n_from, v + p * point_stride (n, n_from), n_from, u + p * point_stride (n_from, to_n),
                        f > 0, m + p * point_stride (n, to_n), to_n);
    }
  }
  for (gint64 first = tile; first < end; first += LB_WINOGRAD_BLOCK, products += PART_BLOCK)
    FOR_TAPS (taps, scatter_outputs, grid, products, to, to_n, first, MIN (LB_WINOGRAD_BLOCK, end - first),
              (real *)call->output + to_first);
}

static void
whole_piece (int taps, const LbCall *call, gint64 to_first, gint64 to_n)
{
  const gint64 together = LB_WINOGRAD_TOGETHER * LB_WINOGRAD_BLOCK;
  Grid grid = grid_of (&call->output_shape, taps);
  gint64 total = grid.tiles * call->output_shape.dim[0];
  for (gint64 tile = 0; tile < total; tile += together)
    whole_tiles (taps, call, &grid, to_first, to_n, tile, MIN (tile + together, total));
}

void
KERNEL (winograd_whole) (const LbCall *call)
{
  gint64 part = lb_winograd_part (call->output_shape.dim[3]);
  for (guint piece = call->first_piece; piece < call->end_piece; piece++)
    whole_piece (call->input_shapes[1].dim[1], call, piece * part,
                 MIN (part, call->output_shape.dim[3] - piece * part));
}

static void
whole_by_weight_piece (int taps, const LbCall *call, gint64 o, gint64 k)
{
  gint64 out = call->output_shape.dim[0], in = call->output_shape.dim[3];
  gint64 n_out = MIN (lb_winograd_part (out), out - o), n_in = MIN (lb_winograd_part (in), in - k);
  Grid grid = grid_of (&call->input_shapes[0], taps);
  gint64 total = grid.tiles * call->input_shapes[0].dim[0];
  real *sums = call->scratch, *v = sums + PART_WEIGHTS, *d = v + PART_BLOCK;
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK) {
    gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
    FOR_TAPS (taps, gather_inputs, &grid, (const real *)call->inputs[0] + k, in, n_in, first, n, v);
    FOR_TAPS (taps, gather_gradients, &grid, (const real *)call->inputs[1] + o, out, n_out, first, n, d);
    for (gint64 p = 0; p < POINTS; p++)
      gemm_to_panels (n_out, n_in, n, d + p * point_stride (n, n_out), n_out, v + p * point_stride (n, n_in), n_in,
                      first > 0, sums + p * point_stride (n_out, n_in));
  }
  FOR_TAPS (taps, filter_adjoint, sums, in, n_out, n_in, (real *)call->output + o * taps * taps * in + k);
}

void
KERNEL (winograd_whole_by_weight) (const LbCall *call)
{
  gint64 across = (call->output_shape.dim[3] + PART - 1) / PART;
  gint64 part_out = lb_winograd_part (call->output_shape.dim[0]),
         part_in = lb_winograd_part (call->output_shape.dim[3]);
  for (guint piece = call->first_piece; piece < call->end_piece; piece++)
    whole_by_weight_piece (call->output_shape.dim[1], call, piece / across * part_out, piece % across * part_in);
}
