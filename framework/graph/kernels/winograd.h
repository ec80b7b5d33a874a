/* Winograd convolution (Lavin, Gray, arXiv 1509.09308), its transforms: F(4x4, 3x3) for kernels of 3 x 3 taps and pad
 * 1, F(2x2, 5x5) for 5 x 5 taps and pad 2; stride 1, channels last.
 *
 * Forward: Y = A' [(G g G') . (B' d B)] A for tiles of 4 x 4 or 2 x 2 results that see 6 x 6 inputs. By weight, the
 * same three matrices transposed: dg = G' [sum over tiles (B' d B) . (A dY A')] G. The sum over input channels is 36
 * matrix products, one for each point of the transformed tile. By input is forward with the kernel turned by 180
 * degrees and channels exchanged. Both sizes evaluate polynomials at the same places, 0, 1, -1, 2, -2 and infinity, so
 * they share B.
 *
 * Transformed weights are [36, channels summed over, channels of the result] and their sums [36, out, in], each of the
 * 36 in panels (gemm.h): all of them are larger than the second-level cache and are streamed past every block of tiles.
 * Transformed tiles are [36, tiles, channels], a block at a time, so that both sides of a block's products stay there.
 */
#pragma once

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
INLINE
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

/* A', of which 3 taps have four rows and 5 taps two. */
INLINE
transform_output (int taps, const vec *m, int s, vec *t, int ts)
{
  vec a = m[s] + m[2 * s], b = m[s] - m[2 * s], e = m[3 * s] + m[4 * s], f = m[3 * s] - m[4 * s];
  t[0] = m[0] + a + e;
  t[ts] = plus (b, 2, f);
  if (taps == 5) {
    t[ts] += m[5 * s];
  } else {
    t[2 * ts] = plus (a, 4, e);
    t[3 * ts] = plus (b, 8, f) + m[5 * s];
  }
}

/* A */
INLINE
transform_gradient (int taps, const vec *y, int s, vec *t, int ts)
{
  vec y0 = y[0], y1 = y[s], a = y0, b = y1, e = y0, f = y1;
  t[0] = y0;
  t[5 * ts] = y1;
  if (taps == 3) {
    vec y2 = y[2 * s], y3 = y[3 * s];
    a = y0 + y2, b = y1 + y3, e = plus (y0, 4, y2), f = plus (y1, 4, y3);
    t[5 * ts] = y3;
  }
  t[ts] = a + b;
  t[2 * ts] = a - b;
  t[3 * ts] = plus (e, 2, f);
  t[4 * ts] = plus (e, -2, f);
}

/* G */
INLINE
transform_filter (int taps, const vec *g, int s, vec *t, int ts)
{
  vec g0 = g[0], g1 = g[s], g2 = g[2 * s], a = g0 + g2, b = g1, e = plus (g0 * (real)(1.0 / 24), 1.0 / 6, g2);
  t[0] = g0 * (real)0.25;
  t[3 * ts] = plus (e, 1.0 / 12, g1);
  t[4 * ts] = plus (e, -1.0 / 12, g1);
  t[5 * ts] = g2;
  if (taps == 5) {
    vec g3 = g[3 * s], g4 = g[4 * s];
    a += g4, b += g3, e = plus (e, 2.0 / 3, g4);
    t[3 * ts] = plus (plus (e, 1.0 / 12, g1), 1.0 / 3, g3);
    t[4 * ts] = plus (plus (e, -1.0 / 12, g1), -1.0 / 3, g3);
    t[5 * ts] = g4;
  }
  t[ts] = plus (a * (real)(-1.0 / 6), -1.0 / 6, b);
  t[2 * ts] = plus (a * (real)(-1.0 / 6), 1.0 / 6, b);
}

/* G' */
INLINE
transform_filter_back (int taps, const vec *u, int s, vec *t, int ts)
{
  vec a = u[s] + u[2 * s], b = u[2 * s] - u[s], e = u[3 * s] + u[4 * s], f = u[3 * s] - u[4 * s];
  t[0] = plus (plus (u[0] * (real)0.25, -1.0 / 6, a), 1.0 / 24, e);
  t[ts] = plus (b * (real)(1.0 / 6), 1.0 / 12, f);
  if (taps == 5) {
    t[2 * ts] = (e - a) * (real)(1.0 / 6);
    t[3 * ts] = plus (b * (real)(1.0 / 6), 1.0 / 3, f);
    t[4 * ts] = plus (plus (u[5 * s], 2.0 / 3, e), -1.0 / 6, a);
  } else {
    t[2 * ts] = plus (u[5 * s], 1.0 / 6, e - a);
  }
}

/* ---- Numbers of taps ---- */

/* Transforms of tiles and of weights are compiled for 3 and for 5 taps; FOR_TAPS calls the one that fits. */
#define BOTH_TAPS_OF_TILES(FUNCTION)                                                                                   \
  ONE_TAPS_OF_TILES (FUNCTION, 3)                                                                                      \
  ONE_TAPS_OF_TILES (FUNCTION, 5)
#define ONE_TAPS_OF_TILES(FUNCTION, taps)                                                                              \
  NOINLINE FUNCTION##_##taps (const Grid *grid, const real *from, gint64 row, gint64 c, gint64 first, gint64 n,        \
                              real *to)                                                                                \
  {                                                                                                                    \
    FUNCTION (taps, grid, from, row, c, first, n, to);                                                                 \
  }
#define BOTH_TAPS_OF_WEIGHTS(FUNCTION)                                                                                 \
  ONE_TAPS_OF_WEIGHTS (FUNCTION, 3)                                                                                    \
  ONE_TAPS_OF_WEIGHTS (FUNCTION, 5)
#define ONE_TAPS_OF_WEIGHTS(FUNCTION, taps)                                                                            \
  NOINLINE FUNCTION##_##taps (const real *from, gint64 row, gint64 out, gint64 in, real *to)                           \
  {                                                                                                                    \
    FUNCTION (taps, from, row, out, in, to);                                                                           \
  }
#define FOR_TAPS(n, FUNCTION, ...)                                                                                     \
  do {                                                                                                                 \
    if ((n) == 3)                                                                                                      \
      FUNCTION##_3 (__VA_ARGS__);                                                                                      \
    else                                                                                                               \
      FUNCTION##_5 (__VA_ARGS__);                                                                                      \
  } while (0)

/* ---- Tiles ---- */

/* Results on a side of a tile. */
#define TILE(taps) (7 - (taps))

/* The most taps, and results, of a kernel and a tile. */
#define MOST_TAPS 25
#define MOST_TILE 16

typedef struct {
  gint64 h, w, across, tiles; /* image, tiles in a row and in an image */
} Grid;

static inline Grid
grid_of (const LbShape *shape, int taps)
{
  gint64 side = TILE (taps), h = shape->dim[1], w = shape->dim[2], across = (w + side - 1) / side;
  return (Grid){ h, w, across, across * ((h + side - 1) / side) };
}

/* The @size x @size pixels from (@top, @left) of one vector of channels; zero outside the image. @row: channels of a
 * pixel. */
INLINE
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

/* From one point of a block of @n tiles, or of the weights of @n channels, to the next. A line more than they hold: the
 * points of a tile, or of a weight, are written together, and at a distance of a power of two they would all fall into
 * one set of each cache. */
static inline gint64
point_stride (gint64 n, gint64 c)
{
  return n * c + LB_WINOGRAD_GAP;
}

/* @c channels of tiles [first, first + n) of a run of images (counted through), transformed: to[p, tile, c] = B' d B.
 * Pixels have @row channels. */
INLINE
gather_inputs (int taps, const Grid *grid, const real *images, gint64 row, gint64 c, gint64 first, gint64 n, real *to)
{
  for (gint64 t = 0; t < n; t++) {
    gint64 image = (first + t) / grid->tiles, at = (first + t) % grid->tiles;
    const real *x = images + image * grid->h * grid->w * row;
    gint64 top = at / grid->across * TILE (taps) - taps / 2, left = at % grid->across * TILE (taps) - taps / 2;
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
INLINE
gather_gradients (int taps, const Grid *grid, const real *images, gint64 row, gint64 c, gint64 first, gint64 n,
                  real *to)
{
  for (gint64 t = 0; t < n; t++) {
    gint64 image = (first + t) / grid->tiles, at = (first + t) % grid->tiles;
    const real *y = images + image * grid->h * grid->w * row;
    const int side = TILE (taps);
    for (gint64 k = 0; k < c; k += LANES) {
      vec d[MOST_TILE], half[24], v[36];
      load_tile (grid, y + k, row, at / grid->across * side, at % grid->across * side, side, d);
      for (int j = 0; j < side; j++)
        transform_gradient (taps, d + j, side, half + j, side);
      for (int i = 0; i < 6; i++)
        transform_gradient (taps, half + side * i, 1, v + 6 * i, 1);
      for (int p = 0; p < POINTS; p++)
        store (to + p * point_stride (n, c) + t * c + k, v[p]);
    }
  }
}

/* from[p, tile, c] transformed back to results, A' m A, and put into the images. */
INLINE
scatter_outputs (int taps, const Grid *grid, const real *from, gint64 row, gint64 c, gint64 first, gint64 n,
                 real *images)
{
  for (gint64 t = 0; t < n; t++) {
    gint64 image = (first + t) / grid->tiles, at = (first + t) % grid->tiles;
    const int side = TILE (taps);
    gint64 top = at / grid->across * side, left = at % grid->across * side;
    gint64 rows = MIN (side, grid->h - top), columns = MIN (side, grid->w - left);
    real *y = images + ((image * grid->h + top) * grid->w + left) * row;
    for (gint64 k = 0; k < c; k += LANES) {
      vec m[36], half[24], out[MOST_TILE];
      for (int p = 0; p < POINTS; p++)
        m[p] = load (from + p * point_stride (n, c) + t * c + k);
      for (int j = 0; j < 6; j++)
        transform_output (taps, m + j, 6, half + j, 6);
      for (int i = 0; i < side; i++)
        transform_output (taps, half + 6 * i, 1, out + side * i, 1);
      for (gint64 i = 0; i < rows; i++)
        for (gint64 j = 0; j < columns; j++)
          store (y + (i * grid->w + j) * row + k, out[side * i + j]);
    }
  }
}

BOTH_TAPS_OF_TILES (gather_inputs)
BOTH_TAPS_OF_TILES (gather_gradients)
BOTH_TAPS_OF_TILES (scatter_outputs)

/* ---- Weights ---- */

/* One vector of channels: the weights of all taps to 36 points. */
INLINE
filter_points (int taps, const vec *g, vec *u)
{
  vec half[30];
  for (int j = 0; j < taps; j++)
    transform_filter (taps, g + j, taps, half + j, taps);
  for (int i = 0; i < 6; i++)
    transform_filter (taps, half + taps * i, 1, u + 6 * i, 1);
}

/* Weight [out, taps, taps, in], whose taps are @row apart, to [36, in, out], in panels, for the forward product. */
INLINE
filter_forward (int taps, const real *weight, gint64 row, gint64 out, gint64 in, real *to)
{
  const gint64 all = taps * taps;
  for (gint64 o = 0, stride; o < out; o += LANES) {
    real *panel = to + panel_at (in, out, o, &stride);
    for (gint64 k = 0; k < in; k += LANES) {
      vec lanes[MOST_TAPS][LANES];
      for (gint64 i = 0; i < all; i++) {
        for (gint64 l = 0; l < LANES; l++)
          lanes[i][l] = load (weight + ((o + l) * all + i) * row + k);
        transpose_lanes (lanes[i]);
      }
      for (gint64 l = 0; l < LANES; l++) {
        vec g[MOST_TAPS], u[POINTS];
        for (gint64 i = 0; i < all; i++)
          g[i] = lanes[i][l];
        filter_points (taps, g, u);
        for (int p = 0; p < POINTS; p++)
          store (panel + p * point_stride (in, out) + (k + l) * stride, u[p]);
      }
    }
  }
}

/* The same, turned by 180 degrees, to [36, out, in], in panels, for the product by input. */
INLINE
filter_turned (int taps, const real *weight, gint64 row, gint64 out, gint64 in, real *to)
{
  for (gint64 o = 0; o < out; o++)
    for (gint64 k = 0, stride; k < in; k += LANES) {
      vec g[MOST_TAPS], u[POINTS];
      for (int i = 0; i < taps * taps; i++)
        g[i] = load (weight + (o * taps * taps + taps * taps - 1 - i) * row + k);
      filter_points (taps, g, u);
      real *cell = to + panel_at (out, in, k, &stride);
      for (int p = 0; p < POINTS; p++)
        store (cell + p * point_stride (out, in) + o * stride, u[p]);
    }
}

/* The adjoint: [36, out, in], in panels, to weights [out, taps, taps, in] whose taps are @row apart. */
INLINE
filter_adjoint (int taps, const real *sums, gint64 row, gint64 out, gint64 in, real *weight)
{
  for (gint64 o = 0; o < out; o++)
    for (gint64 k = 0, stride; k < in; k += LANES) {
      const real *cell = sums + panel_at (out, in, k, &stride);
      vec u[36], half[30], g[MOST_TAPS];
      for (int p = 0; p < POINTS; p++)
        u[p] = load (cell + p * point_stride (out, in) + o * stride);
      for (int j = 0; j < 6; j++)
        transform_filter_back (taps, u + j, 6, half + j, 6);
      for (int i = 0; i < taps; i++)
        transform_filter_back (taps, half + 6 * i, 1, g + taps * i, 1);
      for (int i = 0; i < taps * taps; i++)
        store (weight + (o * taps * taps + i) * row + k, g[i]);
    }
}

BOTH_TAPS_OF_WEIGHTS (filter_forward)
BOTH_TAPS_OF_WEIGHTS (filter_turned)
BOTH_TAPS_OF_WEIGHTS (filter_adjoint)
