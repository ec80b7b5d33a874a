/* First layers by hand: with 1 or 3 input channels a patch is too short for a matrix product to pay. Each pixel of a
 * patch is spread over vectors of output channels; patches are read where they lie in the image, which is copied once
 * with its zero border.
 */
#pragma once

#include "graph/kernels/conv.h"

/* Longest patch that runs by hand: 5 x 5 of 3 channels. */
#define SHORT_PATCH 75

/* Pixels, patch elements and vectors of a block: as many sums as registers hold. */
#define SHORT_PIXELS GEMM_MR
#define SHORT_VECTORS GEMM_NV
#define SHORT_ELEMENTS 9
#define SHORT_OUTER_VECTORS (GEMM_NV / 2)

static inline gint64
padded_width (const Geometry *g)
{
  return g->w + 2 * g->pad;
}

/* Whether patches are short, the result's channels fill blocks, and the padded image fits where patches would. */
static inline gboolean
by_hand (const Geometry *g)
{
  return g->patch <= SHORT_PATCH && g->out % (SHORT_VECTORS * LANES) == 0
         && (g->h + 2 * g->pad) * padded_width (g) * g->in <= g->pixels * g->patch;
}

static inline void
pad_image (const Geometry *g, const real *image, real *padded)
{
  gint64 row = g->w * g->in, margin = g->pad * g->in, wide = padded_width (g) * g->in;
  memset (padded, 0, (g->h + 2 * g->pad) * wide * sizeof (real));
  for (gint64 i = 0; i < g->h; i++)
    memcpy (padded + (i + g->pad) * wide + margin, image + i * row, row * sizeof (real));
}

/* @n pixels of a row from @corner on, one strip of channels: out[pixel, o] = sum_k patch[pixel, k] weight[k, o]. */
static inline __attribute__ ((always_inline)) void
short_block (const Geometry *g, int n, const real *corner, const real *weight, real *out)
{
  gint64 wide = padded_width (g) * g->in, run = g->kw * g->in, next = g->stride * g->in;
  vec sum[SHORT_PIXELS][SHORT_VECTORS];
  UNROLL for (int i = 0; i < n; i++) UNROLL for (int v = 0; v < SHORT_VECTORS; v++) sum[i][v] = (vec){ 0 };
  for (gint64 p = 0; p < g->kh; p++, corner += wide)
    for (gint64 t = 0; t < run; t++, weight += g->out) {
      vec right[SHORT_VECTORS];
      UNROLL for (int v = 0; v < SHORT_VECTORS; v++) right[v] = load (weight + v * LANES);
      UNROLL for (int i = 0; i < n; i++)
      {
        vec x = spread (corner[i * next + t]);
        UNROLL for (int v = 0; v < SHORT_VECTORS; v++) sum[i][v] = multiply_add (x, right[v], sum[i][v]);
      }
    }
  UNROLL for (int i = 0; i < n; i++) UNROLL for (int v = 0; v < SHORT_VECTORS; v++)
      store (out + i * g->out + v * LANES, sum[i][v]);
}

/* One image; @turned is the weight as [k, o]. */
static inline void
multiply_short (const Geometry *g, const real *padded, const real *turned, real *out)
{
  gint64 next = g->stride * g->in;
  for (gint64 i = 0; i < g->oh; i++) {
    const real *row = padded + i * g->stride * padded_width (g) * g->in;
    for (gint64 j = 0; j < g->ow;) {
      gint64 n = g->ow - j >= SHORT_PIXELS ? SHORT_PIXELS : g->ow - j >= 2 ? 2 : 1;
      real *to = out + (i * g->ow + j) * g->out;
      for (gint64 o = 0; o < g->out; o += SHORT_VECTORS * LANES)
        if (n == SHORT_PIXELS)
          short_block (g, SHORT_PIXELS, row + j * next, turned + o, to + o);
        else if (n == 2)
          short_block (g, 2, row + j * next, turned + o, to + o);
        else
          short_block (g, 1, row + j * next, turned + o, to + o);
      j += n;
    }
  }
}

/* turned[k, o] += sum_pixel patch[pixel, k] y[pixel, o] for @n elements of patches from @first on, one strip of
 * channels. */
static inline __attribute__ ((always_inline)) void
outer_block (const Geometry *g, int n, gint64 first, const real *padded, const real *y, real *turned)
{
  gint64 wide = padded_width (g) * g->in, run = g->kw * g->in, next = g->stride * g->in;
  const real *rows[SHORT_ELEMENTS];
  vec sum[SHORT_ELEMENTS][SHORT_OUTER_VECTORS];
  UNROLL for (int k = 0; k < n; k++) rows[k] = padded + (first + k) / run * wide + (first + k) % run;
  UNROLL for (int k = 0; k < n; k++) UNROLL for (int v = 0; v < SHORT_OUTER_VECTORS; v++) sum[k][v] = (vec){ 0 };
  for (gint64 i = 0; i < g->oh; i++) {
    gint64 at = i * g->stride * wide;
    for (gint64 j = 0; j < g->ow; j++, at += next, y += g->out) {
      vec right[SHORT_OUTER_VECTORS];
      UNROLL for (int v = 0; v < SHORT_OUTER_VECTORS; v++) right[v] = load (y + v * LANES);
      UNROLL for (int k = 0; k < n; k++)
      {
        vec x = spread (rows[k][at]);
        UNROLL for (int v = 0; v < SHORT_OUTER_VECTORS; v++) sum[k][v] = multiply_add (x, right[v], sum[k][v]);
      }
    }
  }
  for (int k = 0; k < n; k++)
    for (int v = 0; v < SHORT_OUTER_VECTORS; v++) {
      real *cell = turned + (first + k) * g->out + v * LANES;
      store (cell, load (cell) + sum[k][v]);
    }
}

/* One image. */
static inline void
outer_short (const Geometry *g, const real *padded, const real *y, real *turned)
{
  for (gint64 o = 0; o < g->out; o += SHORT_OUTER_VECTORS * LANES)
    for (gint64 k = 0; k < g->patch;) {
      gint64 n = g->patch - k >= SHORT_ELEMENTS ? SHORT_ELEMENTS : g->patch - k >= 3 ? 3 : 1;
      if (n == SHORT_ELEMENTS)
        outer_block (g, SHORT_ELEMENTS, k, padded, y + o, turned + o);
      else if (n == 3)
        outer_block (g, 3, k, padded, y + o, turned + o);
      else
        outer_block (g, 1, k, padded, y + o, turned + o);
      k += n;
    }
}
