/* Instance norm, scale and offset, ReLU and average pooling in one pass (formulas in ops-norm-relu-pool.c): image by
 * image, a strip of channels at a time, the sums of a strip in registers. Each channel adds its pixels up in one order,
 * so its bits do not depend on the vector length.
 */
#include "graph/kernels/variant.h"

/* Vectors of a strip: enough independent sums to hide the latency of an addition. */
#define STRIP 4

typedef __typeof__ ((vec){ 0 } < (vec){ 0 }) mask;

/* The first @count elements at @p; a constant of LANES makes it a plain load. */
static inline vec
load_some (const real *p, gint64 count)
{
  if (count == LANES)
    return load (p);
  vec v = { 0 };
  for (gint64 i = 0; i < count; i++)
    v[i] = p[i];
  return v;
}

static inline void
store_some (real *p, vec v, gint64 count)
{
  if (count == LANES)
    store (p, v);
  else
    for (gint64 i = 0; i < count; i++)
      p[i] = v[i];
}

/* @v where @of is above 0 or not a number, else 0. */
static inline vec
gated (vec of, vec v)
{
  return (vec)((mask)v & ~(of <= spread (0)));
}

/* One image's place in the operands. */
typedef struct {
  gint64 h, w, c, pool;                            /* of x */
  const real *x, *scale, *offset, *statistics, *g; /* g pooled */
  const real *sums;
  const real *v, *second_sums, *t; /* of the second order (ops-norm-relu-pool-second.c): v is of the size of x */
  double epsilon;                  /* of the statistics */
  real *out;
} Image;

/* FORMS defines what a strip function is for the usual pools, as constants, and for any; each for strips, for single
 * vectors and for the channels that are left. Nine forms in one function take compilers more than twice the time. */
#define PART(STRIP_FUNCTION, name, pool, vectors, count)                                                               \
  NOINLINE STRIP_FUNCTION##_##name (const Image *image, gint64 k)                                                      \
  {                                                                                                                    \
    STRIP_FUNCTION (image, pool, k, vectors, count);                                                                   \
  }
#define FORM(STRIP_FUNCTION, form, pool)                                                                               \
  PART (STRIP_FUNCTION, form##_strip, pool, STRIP, LANES)                                                              \
  PART (STRIP_FUNCTION, form##_vector, pool, 1, LANES)                                                                 \
  PART (STRIP_FUNCTION, form##_rest, pool, 1, image->c - k)                                                            \
  static void STRIP_FUNCTION##_##form (const Image *image)                                                             \
  {                                                                                                                    \
    gint64 k = 0;                                                                                                      \
    for (; k + STRIP * LANES <= image->c; k += STRIP * LANES)                                                          \
      STRIP_FUNCTION##_##form##_strip (image, k);                                                                      \
    for (; k + LANES <= image->c; k += LANES)                                                                          \
      STRIP_FUNCTION##_##form##_vector (image, k);                                                                     \
    if (k < image->c)                                                                                                  \
      STRIP_FUNCTION##_##form##_rest (image, k);                                                                       \
  }
#define FORMS(STRIP_FUNCTION)                                                                                          \
  FORM (STRIP_FUNCTION, whole, 1)                                                                                      \
  FORM (STRIP_FUNCTION, halved, 2)                                                                                     \
  FORM (STRIP_FUNCTION, pooled, image->pool)

/* ---- Statistics ---- */

INLINE
statistics_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 m = image->h * image->w, c = image->c;
  vec sum[STRIP] = { { 0 } }, square[STRIP] = { { 0 } };
  for (gint64 i = 0; i < m; i++)
    for (int v = 0; v < nv; v++)
      sum[v] += load_some (image->x + i * c + k + v * LANES, count);
  for (int v = 0; v < nv; v++)
    sum[v] /= spread ((real)m);
  for (gint64 i = 0; i < m; i++)
    for (int v = 0; v < nv; v++) {
      vec d = load_some (image->x + i * c + k + v * LANES, count) - sum[v];
      square[v] = multiply_add (d, d, square[v]);
    }
  for (int v = 0; v < nv; v++) {
    store_some (image->out + k + v * LANES, sum[v], count);
    for (gint64 i = 0; i < count; i++)
      image->out[c + k + v * LANES + i] = 1 / (real)sqrt ((double)(square[v][i] / (real)m) + image->epsilon);
  }
}

FORM (statistics_strip, whole, 1)

void
KERNEL (norm_statistics) (const LbCall *call)
{
  const gint64 *x = call->input_shapes[0].dim;
  for (gint64 n = 0; n < x[0]; n++) {
    Image image = { .h = x[1],
                    .w = x[2],
                    .c = x[3],
                    .x = (const real *)call->inputs[0] + n * x[1] * x[2] * x[3],
                    .epsilon = call->node->attributes.factor,
                    .out = (real *)call->output + n * 2 * x[3] };
    statistics_strip_whole (&image);
  }
}

/* ---- Forward and backward ---- */

static Image
image_at (const LbCall *call, gint64 n)
{
  const gint64 *x = call->input_shapes[0].dim;
  gint64 pool = call->node->attributes.a, size = x[1] * x[2] * x[3];
  return (Image){ .h = x[1],
                  .w = x[2],
                  .c = x[3],
                  .pool = pool,
                  .x = (const real *)call->inputs[0] + n * size,
                  .scale = call->inputs[1],
                  .offset = call->inputs[2],
                  .statistics = (const real *)call->inputs[3] + n * 2 * x[3],
                  .g = call->inputs[4] ? (const real *)call->inputs[4] + n * size / (pool * pool) : NULL,
                  .sums = call->inputs[5] ? (const real *)call->inputs[5] + n * 2 * x[3] : NULL };
}

/* A strip's part of what is constant over pixels; slope = r scale, so that p = (x - mean) slope + offset. */
typedef struct {
  vec mean[STRIP], r[STRIP], slope[STRIP], offset[STRIP];
} Channels;

INLINE
load_channels (const Image *image, Channels *channels, gint64 k, int nv, gint64 count)
{
  for (int v = 0; v < nv; v++) {
    gint64 o = k + v * LANES;
    channels->mean[v] = load_some (image->statistics + o, count);
    channels->r[v] = load_some (image->statistics + image->c + o, count);
    channels->slope[v] = channels->r[v] * load_some (image->scale + o, count);
    channels->offset[v] = load_some (image->offset + o, count);
  }
}

INLINE
forward_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec share = spread ((real)(1.0 / (double)(pool * pool)));
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      const real *corner = image->x + ((i * image->w + j) * pool) * c + k;
      vec sum[STRIP] = { { 0 } };
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            vec x = load_some (corner + (a * image->w + b) * c + v * LANES, count);
            vec p = multiply_add (x - channels.mean[v], channels.slope[v], channels.offset[v]);
            sum[v] += gated (p, p);
          }
      for (int v = 0; v < nv; v++)
        store_some (image->out + (i * w + j) * c + k + v * LANES, sum[v] * share, count);
    }
}

INLINE
sums_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec share = spread ((real)(1.0 / (double)(pool * pool))), sum[STRIP] = { { 0 } }, product[STRIP] = { { 0 } };
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      const real *corner = image->x + ((i * image->w + j) * pool) * c + k;
      vec g[STRIP];
      for (int v = 0; v < nv; v++)
        g[v] = load_some (image->g + (i * w + j) * c + k + v * LANES, count);
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            vec d = load_some (corner + (a * image->w + b) * c + v * LANES, count) - channels.mean[v];
            vec u = gated (multiply_add (d, channels.slope[v], channels.offset[v]), g[v]);
            sum[v] += u;
            product[v] = multiply_add (u, d, product[v]);
          }
    }
  for (int v = 0; v < nv; v++) {
    store_some (image->out + k + v * LANES, sum[v] * share, count);
    store_some (image->out + c + k + v * LANES, product[v] * channels.r[v] * share, count);
  }
}

/* slope (u - mean (u) - xhat mean (u xhat)) */
INLINE
gradient_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec share = spread ((real)(1.0 / (double)(pool * pool))), m = spread ((real)(image->h * image->w));
  vec factor[STRIP], along[STRIP], mean[STRIP];
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (int v = 0; v < nv; v++) {
    factor[v] = channels.slope[v] * share;
    mean[v] = channels.slope[v] * (load_some (image->sums + k + v * LANES, count) / m);
    along[v] = channels.slope[v] * channels.r[v] * (load_some (image->sums + c + k + v * LANES, count) / m);
  }
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      gint64 corner = ((i * image->w + j) * pool) * c + k;
      vec g[STRIP];
      for (int v = 0; v < nv; v++)
        g[v] = load_some (image->g + (i * w + j) * c + k + v * LANES, count) * factor[v];
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            gint64 at = corner + (a * image->w + b) * c + v * LANES;
            vec d = load_some (image->x + at, count) - channels.mean[v];
            vec u = gated (multiply_add (d, channels.slope[v], channels.offset[v]), g[v]);
            store_some (image->out + at, u - multiply_add (d, along[v], mean[v]), count);
          }
    }
}

/* Runs a strip function over the images of @call; the statements that follow give each `image` what else it reads. */
#define FOR_IMAGES(STRIP_FUNCTION, out_size, ...)                                                                      \
  do {                                                                                                                 \
    for (gint64 n = 0; n < call->input_shapes[0].dim[0]; n++) {                                                        \
      Image image = image_at (call, n);                                                                                \
      __VA_ARGS__;                                                                                                     \
      image.out = (real *)call->output + n * (out_size);                                                               \
      if (image.pool == 1)                                                                                             \
        STRIP_FUNCTION##_whole (&image);                                                                               \
      else if (image.pool == 2)                                                                                        \
        STRIP_FUNCTION##_halved (&image);                                                                              \
      else                                                                                                             \
        STRIP_FUNCTION##_pooled (&image);                                                                              \
    }                                                                                                                  \
  } while (0)

FORMS (forward_strip)
FORMS (sums_strip)
FORMS (gradient_strip)

void
KERNEL (norm_relu_pool) (const LbCall *call)
{
  const gint64 *y = call->output_shape.dim;
  FOR_IMAGES (forward_strip, y[1] * y[2] * y[3]);
}

void
KERNEL (norm_relu_pool_sums) (const LbCall *call)
{
  FOR_IMAGES (sums_strip, 2 * call->output_shape.dim[2]);
}

void
KERNEL (norm_relu_pool_gradient) (const LbCall *call)
{
  const gint64 *x = call->output_shape.dim;
  FOR_IMAGES (gradient_strip, x[1] * x[2] * x[3]);
}

/* ---- Second order ---- */

/* Gives @image operand @index of @call, of @size elements an image, as its @member. */
#define SET(image, member, index, size) (image).member = (const real *)call->inputs[index] + n * (size)

/* Like gradient_strip, with r t1 for slope. */
INLINE
sums_by_x_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec share = spread ((real)(1.0 / (double)(pool * pool))), m = spread ((real)(image->h * image->w));
  vec factor[STRIP], along[STRIP], mean[STRIP];
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (int v = 0; v < nv; v++) {
    vec f = channels.r[v] * load_some (image->t + c + k + v * LANES, count);
    factor[v] = f * share;
    mean[v] = f * (load_some (image->sums + k + v * LANES, count) / m);
    along[v] = f * channels.r[v] * (load_some (image->sums + c + k + v * LANES, count) / m);
  }
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      gint64 corner = ((i * image->w + j) * pool) * c + k;
      vec g[STRIP];
      for (int v = 0; v < nv; v++)
        g[v] = load_some (image->g + (i * w + j) * c + k + v * LANES, count) * factor[v];
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            gint64 at = corner + (a * image->w + b) * c + v * LANES;
            vec d = load_some (image->x + at, count) - channels.mean[v];
            vec u = gated (multiply_add (d, channels.slope[v], channels.offset[v]), g[v]);
            store_some (image->out + at, u - multiply_add (d, along[v], mean[v]), count);
          }
    }
}

INLINE
sums_by_g_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec share = spread ((real)(1.0 / (double)(pool * pool))), level[STRIP], along[STRIP];
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (int v = 0; v < nv; v++) {
    level[v] = load_some (image->t + k + v * LANES, count);
    along[v] = channels.r[v] * load_some (image->t + c + k + v * LANES, count);
  }
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      const real *corner = image->x + ((i * image->w + j) * pool) * c + k;
      vec sum[STRIP] = { { 0 } };
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            vec d = load_some (corner + (a * image->w + b) * c + v * LANES, count) - channels.mean[v];
            sum[v] += gated (multiply_add (d, channels.slope[v], channels.offset[v]),
                             multiply_add (d, along[v], level[v]));
          }
      for (int v = 0; v < nv; v++)
        store_some (image->out + (i * w + j) * c + k + v * LANES, sum[v] * share, count);
    }
}

INLINE
second_sums_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec share = spread ((real)(1.0 / (double)(pool * pool)));
  vec sum[STRIP] = { { 0 } }, along[STRIP] = { { 0 } }, met[STRIP] = { { 0 } };
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      gint64 corner = ((i * image->w + j) * pool) * c + k;
      vec g[STRIP];
      for (int v = 0; v < nv; v++)
        g[v] = load_some (image->g + (i * w + j) * c + k + v * LANES, count);
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            gint64 at = corner + (a * image->w + b) * c + v * LANES;
            vec d = load_some (image->x + at, count) - channels.mean[v], y = load_some (image->v + at, count);
            vec u = gated (multiply_add (d, channels.slope[v], channels.offset[v]), g[v]);
            sum[v] += y;
            along[v] = multiply_add (y, d, along[v]);
            met[v] = multiply_add (y, u, met[v]);
          }
    }
  for (int v = 0; v < nv; v++) {
    store_some (image->out + k + v * LANES, sum[v], count);
    store_some (image->out + c + k + v * LANES, along[v] * channels.r[v], count);
    store_some (image->out + 2 * c + k + v * LANES, met[v] * share, count);
  }
}

/* A sum of v, x less its mean, and a constant, with factors for each image and channel. Pools do not matter. */
INLINE
second_by_x_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 pixels = image->h * image->w, c = image->c;
  vec m = spread ((real)pixels), by_v[STRIP], by_d[STRIP], level[STRIP];
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (int v = 0; v < nv; v++) {
    const real *s = image->sums + k + v * LANES, *w = image->second_sums + k + v * LANES;
    vec s0 = load_some (s, count), s1 = load_some (s + c, count);
    vec w0 = load_some (w, count), w1 = load_some (w + c, count), w2 = load_some (w + 2 * c, count);
    vec factor = -channels.r[v] * channels.slope[v] / m, both = w2 - multiply_add (s0, w0, s1 * w1) / m;
    by_v[v] = factor * s1;
    by_d[v] = factor * channels.r[v] * (both - s1 * w1 / m);
    level[v] = -factor * s1 * w0 / m;
  }
  for (gint64 i = 0; i < pixels; i++)
    for (int v = 0; v < nv; v++) {
      gint64 at = i * c + k + v * LANES;
      vec d = load_some (image->x + at, count) - channels.mean[v];
      vec sum = multiply_add (d, by_d[v], level[v]);
      store_some (image->out + at, multiply_add (load_some (image->v + at, count), by_v[v], sum), count);
    }
}

INLINE
second_by_g_strip (const Image *image, gint64 pool, gint64 k, int nv, gint64 count)
{
  gint64 h = image->h / pool, w = image->w / pool, c = image->c;
  vec factor[STRIP];
  Channels channels;
  load_channels (image, &channels, k, nv, count);
  for (int v = 0; v < nv; v++)
    factor[v] = channels.slope[v] * spread ((real)(1.0 / (double)(pool * pool)));
  for (gint64 i = 0; i < h; i++)
    for (gint64 j = 0; j < w; j++) {
      gint64 corner = ((i * image->w + j) * pool) * c + k;
      vec sum[STRIP] = { { 0 } };
      for (gint64 a = 0; a < pool; a++)
        for (gint64 b = 0; b < pool; b++)
          for (int v = 0; v < nv; v++) {
            gint64 at = corner + (a * image->w + b) * c + v * LANES;
            vec d = load_some (image->x + at, count) - channels.mean[v];
            sum[v] += gated (multiply_add (d, channels.slope[v], channels.offset[v]), load_some (image->v + at, count));
          }
      for (int v = 0; v < nv; v++)
        store_some (image->out + (i * w + j) * c + k + v * LANES, sum[v] * factor[v], count);
    }
}

FORMS (sums_by_x_strip)
FORMS (sums_by_g_strip)
FORMS (second_sums_strip)
FORMS (second_by_x_strip)
FORMS (second_by_g_strip)

void
KERNEL (norm_relu_pool_sums_by_x) (const LbCall *call)
{
  const gint64 *x = call->output_shape.dim;
  FOR_IMAGES (sums_by_x_strip, x[1] * x[2] * x[3], SET (image, t, 6, 2 * x[3]));
}

void
KERNEL (norm_relu_pool_sums_by_g) (const LbCall *call)
{
  const gint64 *y = call->output_shape.dim;
  FOR_IMAGES (sums_by_g_strip, y[1] * y[2] * y[3], SET (image, t, 4, 2 * y[3]));
}

void
KERNEL (norm_relu_pool_second_sums) (const LbCall *call)
{
  FOR_IMAGES (second_sums_strip, 3 * image.c, SET (image, v, 5, image.h * image.w * image.c));
}

void
KERNEL (norm_relu_pool_second_by_x) (const LbCall *call)
{
  const gint64 *x = call->output_shape.dim;
  FOR_IMAGES (second_by_x_strip, x[1] * x[2] * x[3], SET (image, v, 4, x[1] * x[2] * x[3]);
              SET (image, second_sums, 6, 3 * x[3]));
}

void
KERNEL (norm_relu_pool_second_by_g) (const LbCall *call)
{
  const gint64 *y = call->output_shape.dim;
  FOR_IMAGES (second_by_g_strip, y[1] * y[2] * y[3], SET (image, v, 4, image.h * image.w * image.c));
}
