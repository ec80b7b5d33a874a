/* Winograd convolution F(4x4, 3x3) (Lavin, Gray, arXiv 1509.09308): 3x3 kernels, stride 1, pad 1, channels last.
 *
 * Forward: Y = A' [(G g G') . (B' d B)] A for tiles of 4x4 results that see 6x6 inputs. By weight, the same three
 * matrices transposed: dg = G' [sum over tiles (B' d B) . (A dY A')] G. The sum over input channels is 36 matrix
 * products, one for each point of the transformed tile. By input is forward with the kernel turned by 180 degrees and
 * channels exchanged.
 *
 * Transformed weights are [36, channels summed over, channels of the result] and their sums [36, out, in], each of the
 * 36 in panels (gemm.h): all of them are larger than the second-level cache and are streamed past every block of tiles.
 * Transformed tiles are [36, tiles, channels], a block at a time, so that both sides of a block's products stay there.
 */
#include "graph/kernels/gemm.h"

#define POINTS LB_WINOGRAD_POINTS

/* ---- One-dimensional transforms of vectors at d[0], d[s], d[2 s], ... ---- */

/* x + factor y */
static inline vec
plus (vec x, double factor, vec y)
{
  return multiply_add (spread ((real)factor), y, x);
}

/* B' */
static inline void
transform_input (const vec *d, int s, vec *t, int ts)
{
  vec d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
  vec a = plus (d4, -4, d2), b = plus (d3, -4, d1), e = d4 - d2, f = d3 - d1;
  t[0] = plus (plus (d4, -5, d2), 4, d0);
  t[ts] = a + b;
  t[2 * ts] = a - b;
  t[3 * ts] = plus (e, 2, f);
  t[4 * ts] = plus (e, -2, f);
  t[5 * ts] = plus (plus (d5, -5, d3), 4, d1);
}

/* A' */
static inline void
transform_output (const vec *m, int s, vec *t, int ts)
{
  vec a = m[s] + m[2 * s], b = m[s] - m[2 * s], e = m[3 * s] + m[4 * s], f = m[3 * s] - m[4 * s];
  t[0] = m[0] + a + e;
  t[ts] = plus (b, 2, f);
  t[2 * ts] = plus (a, 4, e);
  t[3 * ts] = plus (b, 8, f) + m[5 * s];
}

/* A */
static inline void
transform_gradient (const vec *y, int s, vec *t, int ts)
{
  vec y0 = y[0], y1 = y[s], y2 = y[2 * s], y3 = y[3 * s];
  vec a = y0 + y2, b = y1 + y3, e = plus (y0, 4, y2), f = plus (y1, 4, y3);
  t[0] = y0;
  t[ts] = a + b;
  t[2 * ts] = a - b;
  t[3 * ts] = plus (e, 2, f);
  t[4 * ts] = plus (e, -2, f);
  t[5 * ts] = y3;
}

/* G */
static inline void
transform_filter (const vec *g, int s, vec *t, int ts)
{
  vec g0 = g[0], g1 = g[s], g2 = g[2 * s];
  vec a = (g0 + g2) * (real)(-1.0 / 6), e = plus (g0 * (real)(1.0 / 24), 1.0 / 6, g2);
  t[0] = g0 * (real)0.25;
  t[ts] = plus (a, -1.0 / 6, g1);
  t[2 * ts] = plus (a, 1.0 / 6, g1);
  t[3 * ts] = plus (e, 1.0 / 12, g1);
  t[4 * ts] = plus (e, -1.0 / 12, g1);
  t[5 * ts] = g2;
}

/* G' */
static inline void
transform_filter_back (const vec *u, int s, vec *t, int ts)
{
  vec a = u[s] + u[2 * s], b = u[2 * s] - u[s], e = u[3 * s] + u[4 * s], f = u[3 * s] - u[4 * s];
  t[0] = plus (plus (u[0] * (real)0.25, -1.0 / 6, a), 1.0 / 24, e);
  t[ts] = plus (b * (real)(1.0 / 6), 1.0 / 12, f);
  t[2 * ts] = plus (u[5 * s], 1.0 / 6, e - a);
}

/* ---- Tiles ---- */

typedef struct {
  gint64 h, w, across, tiles; /* image, tiles in a row and in an image */
} Grid;

static Grid
grid_of (const LbShape *shape)
{
  Grid grid = { .h = shape->dim[1], .w = shape->dim[2], .across = (shape->dim[2] + 3) / 4 };
  grid.tiles = grid.across * ((shape->dim[1] + 3) / 4);
  return grid;
}

/* The @size x @size pixels from (@top, @left) of one vector of channels; zero outside the image. @row: channels of a
 * pixel. */
static inline void
load_tile (const Grid *grid, const real *image, gint64 row, gint64 top, gint64 left, int size, vec *tile)
{
  if (top >= 0 && left >= 0 && top + size <= grid->h && left + size <= grid->w) {
    for (int i = 0; i < size; i++)
      for (int j = 0; j < size; j++)
        tile[i * size + j] = load (image + ((top + i) * grid->w + left + j) * row);
    return;
  }
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      gint64 y = top + i, x = left + j;
      gboolean inside = y >= 0 && x >= 0 && y < grid->h && x < grid->w;
      tile[i * size + j] = inside ? load (image + (y * grid->w + x) * row) : spread (0);
    }
}

/* From one point of a block of @n tiles to the next. A line more than they hold: the points of a tile are written
 * together, and at a distance of a power of two they would all fall into one set of the first-level cache. */
static inline gint64
point_stride (gint64 n, gint64 c)
{
  return n * c + LB_WINOGRAD_GAP;
}

/* @c channels of tiles [first, first + n) of a run of images (counted through), transformed: to[p, tile, c] = B' d B.
 * Pixels have @row channels. */
static void
gather_inputs (const Grid *grid, const real *images, gint64 row, gint64 c, gint64 first, gint64 n, real *to)
{
  for (gint64 t = 0; t < n; t++) {
    gint64 image = (first + t) / grid->tiles, at = (first + t) % grid->tiles;
    const real *x = images + image * grid->h * grid->w * row;
    gint64 top = at / grid->across * 4 - 1, left = at % grid->across * 4 - 1;
    for (gint64 k = 0; k < c; k += LANES) {
      vec d[36], half[36], v[36];
      load_tile (grid, x + k, row, top, left, 6, d);
      for (int j = 0; j < 6; j++)
        transform_input (d + j, 6, half + j, 6);
      for (int i = 0; i < 6; i++)
        transform_input (half + 6 * i, 1, v + 6 * i, 1);
      for (int p = 0; p < POINTS; p++)
        store (to + p * point_stride (n, c) + t * c + k, v[p]);
    }
  }
}

/* The same for gradients of results: to[p, tile, c] = A dY A'. */
static void
gather_gradients (const Grid *grid, const real *images, gint64 row, gint64 c, gint64 first, gint64 n, real *to)
{
  for (gint64 t = 0; t < n; t++) {
    gint64 image = (first + t) / grid->tiles, at = (first + t) % grid->tiles;
    const real *y = images + image * grid->h * grid->w * row;
    for (gint64 k = 0; k < c; k += LANES) {
      vec d[16], half[24], v[36];
      load_tile (grid, y + k, row, at / grid->across * 4, at % grid->across * 4, 4, d);
      for (int j = 0; j < 4; j++)
        transform_gradient (d + j, 4, half + j, 4);
      for (int i = 0; i < 6; i++)
        transform_gradient (half + 4 * i, 1, v + 6 * i, 1);
      for (int p = 0; p < POINTS; p++)
        store (to + p * point_stride (n, c) + t * c + k, v[p]);
    }
  }
}

/* from[p, tile, c] transformed back to 4x4 results, A' m A, and put into the images. */
static void
scatter_outputs (const Grid *grid, const real *from, gint64 row, gint64 c, gint64 first, gint64 n, real *images)
{
  for (gint64 t = 0; t < n; t++) {
    gint64 image = (first + t) / grid->tiles, at = (first + t) % grid->tiles;
    gint64 top = at / grid->across * 4, left = at % grid->across * 4;
    gint64 rows = MIN (4, grid->h - top), columns = MIN (4, grid->w - left);
    real *y = images + ((image * grid->h + top) * grid->w + left) * row;
    for (gint64 k = 0; k < c; k += LANES) {
      vec m[36], half[24], out[16];
      for (int p = 0; p < POINTS; p++)
        m[p] = load (from + p * point_stride (n, c) + t * c + k);
      for (int j = 0; j < 6; j++)
        transform_output (m + j, 6, half + j, 6);
      for (int i = 0; i < 4; i++)
        transform_output (half + 6 * i, 1, out + 4 * i, 1);
      for (gint64 i = 0; i < rows; i++)
        for (gint64 j = 0; j < columns; j++)
          store (y + (i * grid->w + j) * row + k, out[4 * i + j]);
    }
  }
}

/* ---- Kernels ---- */

/* One vector of channels: 9 weights to 36 points. */
static inline void
filter_points (const vec *g, vec *u)
{
  vec half[18];
  for (int j = 0; j < 3; j++)
    transform_filter (g + j, 3, half + j, 3);
  for (int i = 0; i < 6; i++)
    transform_filter (half + 3 * i, 1, u + 6 * i, 1);
}

/* Weight [out, 3, 3, in], whose taps are @row apart, to [36, in, out], in panels, for the forward product. */
static void
filter_forward (const real *weight, gint64 row, gint64 out, gint64 in, real *to)
{
  for (gint64 o = 0, stride; o < out; o += LANES) {
    real *panel = to + panel_at (in, out, o, &stride);
    for (gint64 k = 0; k < in; k++) {
      real lanes[9][LANES];
      vec g[9], u[POINTS];
      for (int i = 0; i < 9; i++)
        for (gint64 l = 0; l < LANES; l++)
          lanes[i][l] = weight[((o + l) * 9 + i) * row + k];
      for (int i = 0; i < 9; i++)
        g[i] = load (lanes[i]);
      filter_points (g, u);
      for (int p = 0; p < POINTS; p++)
        store (panel + p * in * out + k * stride, u[p]);
    }
  }
}

/* The same, turned by 180 degrees, to [36, out, in], in panels, for the product by input. */
static void
filter_turned (const real *weight, gint64 row, gint64 out, gint64 in, real *to)
{
  for (gint64 o = 0; o < out; o++)
    for (gint64 k = 0, stride; k < in; k += LANES) {
      vec g[9], u[POINTS];
      for (int i = 0; i < 9; i++)
        g[i] = load (weight + (o * 9 + 8 - i) * row + k);
      filter_points (g, u);
      real *cell = to + panel_at (out, in, k, &stride);
      for (int p = 0; p < POINTS; p++)
        store (cell + p * out * in + o * stride, u[p]);
    }
}

/* Attribute a: turned. */
void
KERNEL (winograd_filter) (const LbCall *call)
{
  gint64 out = call->input_shapes[0].dim[0], in = call->input_shapes[0].dim[3];
  if (call->node->attributes.a != 0)
    filter_turned (call->inputs[0], in, out, in, call->output);
  else
    filter_forward (call->inputs[0], in, out, in, call->output);
}

/* The adjoint: [36, out, in], in panels, to weights [out, 3, 3, in] whose taps are @row apart. */
static void
filter_adjoint (const real *sums, gint64 row, gint64 out, gint64 in, real *weight)
{
  for (gint64 o = 0; o < out; o++)
    for (gint64 k = 0, stride; k < in; k += LANES) {
      const real *cell = sums + panel_at (out, in, k, &stride);
      vec u[36], half[18], g[9];
      for (int p = 0; p < POINTS; p++)
        u[p] = load (cell + p * out * in + o * stride);
      for (int j = 0; j < 6; j++)
        transform_filter_back (u + j, 6, half + j, 6);
      for (int i = 0; i < 3; i++)
        transform_filter_back (half + 6 * i, 1, g + 3 * i, 1);
      for (int i = 0; i < 9; i++)
        store (weight + (o * 9 + i) * row + k, g[i]);
    }
}

void
KERNEL (winograd_filter_adjoint) (const LbCall *call)
{
  gint64 out = call->output_shape.dim[0], in = call->output_shape.dim[3];
  filter_adjoint (call->inputs[0], in, out, in, call->output);
}

/* Images by transformed weights [36, channels of the images, channels of the result]. */
void
KERNEL (winograd_conv2d) (const LbCall *call)
{
  gint64 from = call->input_shapes[0].dim[3], to = call->output_shape.dim[3];
  Grid grid = grid_of (&call->output_shape);
  gint64 total = grid.tiles * call->output_shape.dim[0];
  const real *weights = call->inputs[1];
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK) {
    gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
    real *v = call->scratch, *m = v + POINTS * point_stride (n, from);
    gather_inputs (&grid, call->inputs[0], from, from, first, n, v);
    for (gint64 p = 0; p < POINTS; p++)
      gemm_by_panels (n, to, from, v + p * point_stride (n, from), from, weights + p * from * to, FALSE,
                      m + p * point_stride (n, to), to);
    scatter_outputs (&grid, m, to, to, first, n, call->output);
  }
}

/* Sum over tiles of (A dY A')' (B' d B): [36, out, in], in panels. */
void
KERNEL (winograd_by_weight) (const LbCall *call)
{
  gint64 in = call->input_shapes[0].dim[3], out = call->input_shapes[1].dim[3];
  Grid grid = grid_of (&call->input_shapes[0]);
  gint64 total = grid.tiles * call->input_shapes[0].dim[0];
  real *sums = call->output;
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK) {
    gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
    real *v = call->scratch, *d = v + POINTS * point_stride (n, in);
    gather_inputs (&grid, call->inputs[0], in, in, first, n, v);
    gather_gradients (&grid, call->inputs[1], out, out, first, n, d);
    for (gint64 p = 0; p < POINTS; p++)
      gemm_to_panels (out, in, n, d + p * point_stride (n, out), out, v + p * point_stride (n, in), in,
                      call->accumulate || first > 0, sums + p * out * in);
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
#define PART_WEIGHTS (POINTS * PART * PART)
#define PART_BLOCK   (POINTS * (LB_WINOGRAD_BLOCK * PART + LB_WINOGRAD_GAP))

/* Channels [to_first, to_first + to_n) of the result; attribute a: the weight is turned. */
static void
whole_piece (const LbCall *call, gint64 to_first, gint64 to_n)
{
  gint64 from = call->input_shapes[0].dim[3], to = call->output_shape.dim[3], in = call->input_shapes[1].dim[3];
  gboolean turned = call->node->attributes.a != 0;
  Grid grid = grid_of (&call->output_shape);
  gint64 total = grid.tiles * call->output_shape.dim[0];
  real *u = call->scratch, *v = u + PART_WEIGHTS, *products = v + PART_BLOCK;
  for (gint64 f = 0; f < from; f += PART) {
    gint64 n_from = MIN (PART, from - f);
    if (turned)
      filter_turned ((const real *)call->inputs[1] + f * 9 * in + to_first, in, n_from, to_n, u);
    else
      filter_forward ((const real *)call->inputs[1] + to_first * 9 * in + f, in, to_n, n_from, u);
    real *m = products;
    for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK, m += PART_BLOCK) {
      gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
      gather_inputs (&grid, (const real *)call->inputs[0] + f, from, n_from, first, n, v);
      for (gint64 p = 0; p < POINTS; p++)
        gemm_by_panels (n, to_n, n_from, v + p * point_stride (n, n_from), n_from, u + p * n_from * to_n, f > 0,
                        m + p * point_stride (n, to_n), to_n);
    }
  }
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK, products += PART_BLOCK)
    scatter_outputs (&grid, products, to, to_n, first, MIN (LB_WINOGRAD_BLOCK, total - first),
                     (real *)call->output + to_first);
}

void
KERNEL (winograd_whole) (const LbCall *call)
{
  for (guint piece = call->first_piece; piece < call->end_piece; piece++)
    whole_piece (call, piece * PART, MIN (PART, call->output_shape.dim[3] - piece * PART));
}

static void
whole_by_weight_piece (const LbCall *call, gint64 o, gint64 k)
{
  gint64 out = call->output_shape.dim[0], in = call->output_shape.dim[3];
  gint64 n_out = MIN (PART, out - o), n_in = MIN (PART, in - k);
  Grid grid = grid_of (&call->input_shapes[0]);
  gint64 total = grid.tiles * call->input_shapes[0].dim[0];
  real *sums = call->scratch, *v = sums + PART_WEIGHTS, *d = v + PART_BLOCK;
  for (gint64 first = 0; first < total; first += LB_WINOGRAD_BLOCK) {
    gint64 n = MIN (LB_WINOGRAD_BLOCK, total - first);
    gather_inputs (&grid, (const real *)call->inputs[0] + k, in, n_in, first, n, v);
    gather_gradients (&grid, (const real *)call->inputs[1] + o, out, n_out, first, n, d);
    for (gint64 p = 0; p < POINTS; p++)
      gemm_to_panels (n_out, n_in, n, d + p * point_stride (n, n_out), n_out, v + p * point_stride (n, n_in), n_in,
                      first > 0, sums + p * n_out * n_in);
  }
  filter_adjoint (sums, in, n_out, n_in, (real *)call->output + o * 9 * in + k);
}

void
KERNEL (winograd_whole_by_weight) (const LbCall *call)
{
  gint64 across = (call->output_shape.dim[3] + PART - 1) / PART;
  for (guint piece = call->first_piece; piece < call->end_piece; piece++)
    whole_by_weight_piece (call, piece / across * PART, piece % across * PART);
}
