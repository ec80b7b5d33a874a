/* ZCA whitening: covariance, eigenvectors, and the two maps.
 *
 * Invariant: work is cut into blocks of fixed size, each computed by one task from beginning to end.
 */
#include "nn/whitening.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "graph/kernels/kernels.h"
#include "nn/images.h"

#define BLOCK 256 /* rows of a matrix that one task computes */
#define CHUNK 128 /* images at a time */

/* Largest difference of two means of the same fit, which may have been written and read. */
#define SAME 1e-5

void
lb_whitening_clear (LbWhitening *whitening)
{
  g_clear_pointer (&whitening->mean, lb_tensor_unref);
  g_clear_pointer (&whitening->whitening, lb_tensor_unref);
  g_clear_pointer (&whitening->unwhitening, lb_tensor_unref);
}

static gint64
image_size (LbTensor *images)
{
  return lb_tensor_dim (images, 1) * lb_tensor_dim (images, 2) * lb_tensor_dim (images, 3);
}

static guint
n_blocks (gint64 size, gint64 block)
{
  return (guint)((size + block - 1) / block);
}

/* ---- Mean and covariance ---- */

typedef struct {
  const float *images; /* [n, size] */
  gint64 n, size;
  double *mean;       /* [size] */
  double *covariance; /* [size, size]; its upper blocks are computed, then mirrored */
} Moments;

/* A block of the mean. */
static void
mean_task (guint index, guint worker, gpointer data)
{
  Moments *m = data;
  gint64 first = index * (gint64)BLOCK, last = MIN (first + BLOCK, m->size);

  for (gint64 i = 0; i < m->n; i++)
    for (gint64 k = first; k < last; k++)
      m->mean[k] += m->images[i * m->size + k];
  for (gint64 k = first; k < last; k++)
    m->mean[k] /= (double)m->n;
}

/* Images [@first, @first + @count) less the mean, from element @from on: rows of @size - @from. */
static void
centre (const Moments *m, gint64 first, gint64 count, gint64 from, double *rows)
{
  gint64 width = m->size - from;

  for (gint64 i = 0; i < count; i++)
    for (gint64 k = 0; k < width; k++)
      rows[i * width + k] = m->images[(first + i) * m->size + from + k] - m->mean[from + k];
}

/* A block of rows of the covariance, from its diagonal on. */
static void
covariance_task (guint index, guint worker, gpointer data)
{
  Moments *m = data;
  gint64 first = index * (gint64)BLOCK, height = MIN (BLOCK, m->size - first), width = m->size - first;
  g_autofree double *rows = g_new (double, CHUNK *width);
  double *block = m->covariance + first * m->size + first;

  for (gint64 i = 0; i < m->n; i += CHUNK) {
    gint64 count = MIN (CHUNK, m->n - i);

    centre (m, i, count, first, rows);
    lb_gemm_f64 (TRUE, FALSE, height, width, count, rows, width, rows, width, i > 0, block, m->size);
  }
  for (gint64 r = 0; r < height; r++)
    for (gint64 k = 0; k < width; k++)
      block[r * m->size + k] /= (double)(m->n - 1);
}

static void
mirror (double *matrix, gint64 size)
{
  for (gint64 i = 0; i < size; i++)
    for (gint64 k = 0; k < i; k++)
      matrix[i * size + k] = matrix[k * size + i];
}

/* ---- The two maps ---- */

typedef struct {
  gint64 size;
  const double *vectors; /* [size, size]: an eigenvector a row */
  const double *scales;  /* [size] */
  float *out;            /* [size, size] */
} Product;

/* A block of rows of V diag (scales) V', V having the vectors as columns. */
static void
product_task (guint index, guint worker, gpointer data)
{
  Product *p = data;
  gint64 first = index * (gint64)BLOCK, height = MIN (BLOCK, p->size - first);
  g_autofree double *scaled = g_new (double, p->size *height), *block = g_new (double, height * p->size);

  for (gint64 i = 0; i < p->size; i++)
    for (gint64 r = 0; r < height; r++)
      scaled[i * height + r] = p->vectors[i * p->size + first + r] * p->scales[i];
  lb_gemm_f64 (TRUE, FALSE, height, p->size, p->size, scaled, height, p->vectors, p->size, 0, block, p->size);
  for (gint64 i = 0; i < height * p->size; i++)
    p->out[first * p->size + i] = (float)block[i];
}

/* V diag ((l + epsilon)^(+-1/2)) V' as f32 [c, h, w, c, h, w]. */
static LbTensor *
matrix_of (LbPool *pool, LbShape shape, gint64 size, const double *vectors, const double *values, double epsilon,
           gboolean inverse)
{
  g_autofree double *scales = g_new (double, size);
  LbTensor *tensor = lb_tensor_new (LB_F32, shape);
  Product product = { size, vectors, scales, lb_tensor_f32 (tensor) };

  for (gint64 i = 0; i < size; i++) {
    double root = sqrt (MAX (values[i], 0) + epsilon); /* rounding can make an eigenvalue of 0 negative */
    scales[i] = inverse ? 1 / root : root;
  }
  lb_pool_run (pool, n_blocks (size, BLOCK), product_task, &product);
  return tensor;
}

static gboolean
check_images (const char *whose, LbTensor *images, GError **error)
{
  if (lb_tensor_dim (images, 0) < 2) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s has %d images; expected at least two to whiten, and better more than the %" G_GINT64_FORMAT
                 " numbers of an image",
                 whose, (int)lb_tensor_dim (images, 0), image_size (images));
    return FALSE;
  }
  if (image_size (images) > LB_WHITENING_MOST) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s has images of %" G_GINT64_FORMAT
                 " numbers; expected at most %d (64 x 64 in colour), as whitening needs the square of it, so use "
                 "smaller images or do without",
                 whose, image_size (images), LB_WHITENING_MOST);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_finite (const char *whose, const float *values, gint64 n, gint64 size, GError **error)
{
  for (gint64 i = 0; i < n * size; i++)
    if (!isfinite (values[i])) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "%s: a value of image %" G_GINT64_FORMAT
                   " is %g, where finite numbers were expected; find what made it before whitening",
                   whose, i / size, values[i]);
      return FALSE;
    }
  return TRUE;
}

static LbTensor *
mean_tensor (const double *mean, LbTensor *images)
{
  LbTensor *tensor = lb_tensor_new (
      LB_F32, LB_SHAPE (lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3)));

  for (gint64 k = 0; k < lb_tensor_size (tensor); k++)
    lb_tensor_f32 (tensor)[k] = (float)mean[k];
  return tensor;
}

gboolean
lb_whitening_fit (LbWhitening *whitening, LbCompute *compute, const char *whose, LbTensor *images, LbTensor *mean,
                  LbTensor *std, double epsilon, GError **error)
{
  gint64 c = lb_tensor_dim (images, 1), h = lb_tensor_dim (images, 2), w = lb_tensor_dim (images, 3), size = c * h * w;
  LbShape shape = LB_SHAPE (c, h, w, c, h, w);
  LbPool *pool = lb_compute_pool (compute);
  g_autoptr (LbTensor) wide = NULL;

  if (!check_images (whose, images, error) || !(wide = lb_images_convert (whose, images, mean, std, LB_F32, error)))
    return FALSE;
  if (!check_finite (whose, lb_tensor_f32 (wide), lb_tensor_dim (wide, 0), size, error))
    return FALSE;

  /* A tensor, so that its memory is counted as the stage's. */
  g_autoptr (LbTensor) square = lb_tensor_new (LB_F64, LB_SHAPE (size, size));
  double *matrix = lb_tensor_f64 (square);
  g_autofree double *sums = g_new0 (double, size);
  g_autofree double *values = g_new (double, size);
  Moments moments = { lb_tensor_f32 (wide), lb_tensor_dim (wide, 0), size, sums, matrix };
  lb_blas_load ();
  lb_pool_run (pool, n_blocks (size, BLOCK), mean_task, &moments);
  lb_pool_run (pool, n_blocks (size, BLOCK), covariance_task, &moments);
  mirror (matrix, size);
  if (!lb_eigen_f64 (size, matrix, values)) {
    g_set_error (error, LB_ERROR, LB_ERROR_NUMERIC,
                 "%s: the eigenvalues of its covariance did not converge; raise 'epsilon' or look at the images",
                 whose);
    return FALSE;
  }
  whitening->mean = mean_tensor (sums, images);
  whitening->whitening = matrix_of (pool, shape, size, matrix, values, epsilon, TRUE);
  whitening->unwhitening = matrix_of (pool, shape, size, matrix, values, epsilon, FALSE);
  lb_compute_add_flops (compute, lb_whitening_fit_flops (moments.n, size));
  return TRUE;
}

gboolean
lb_whitening_from (LbWhitening *whitening, const char *whose, LbTensor *mean, LbTensor *unwhitening, GError **error)
{
  gint64 size = lb_tensor_size (mean);
  g_autoptr (LbTensor) square = lb_tensor_new (LB_F64, LB_SHAPE (size, size));
  double *matrix = lb_tensor_f64 (square);

  g_assert (lb_tensor_size (unwhitening) == size * size);
  for (gint64 i = 0; i < size * size; i++)
    matrix[i] = lb_tensor_f32 (unwhitening)[i];
  lb_blas_load ();
  if (!check_finite (whose, lb_tensor_f32 (unwhitening), 1, size * size, NULL)
      || !lb_invert_positive_f64 (size, matrix)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: its field 'unwhitening' has no inverse, where that of a whitening was expected; the set is "
                 "damaged, make it again",
                 whose);
    return FALSE;
  }
  mirror (matrix, size);
  whitening->mean = lb_tensor_ref (mean);
  whitening->unwhitening = lb_tensor_ref (unwhitening);
  whitening->whitening = lb_tensor_new (LB_F32, lb_tensor_shape (unwhitening));
  for (gint64 i = 0; i < size * size; i++)
    lb_tensor_f32 (whitening->whitening)[i] = (float)matrix[i];
  return TRUE;
}

/* ---- Mapping images ---- */

typedef struct {
  const float *from; /* [n, size] */
  gint64 n, size;
  const float *before, *after; /* added to each row before and after the product; NULL: nothing. before is subtracted */
  const float *matrix;
  float *to;
} Mapping;

static void
map_task (guint index, guint worker, gpointer data)
{
  Mapping *m = data;
  gint64 first = index * (gint64)CHUNK, count = MIN (CHUNK, m->n - first), size = m->size;
  const float *rows = m->from + first * size;
  float *out = m->to + first * size;
  g_autofree float *centred = m->before ? g_new (float, count *size) : NULL;

  for (gint64 i = 0; i < count && m->before; i++)
    for (gint64 k = 0; k < size; k++)
      centred[i * size + k] = rows[i * size + k] - m->before[k];
  lb_gemm_f32 (FALSE, FALSE, count, size, size, centred ? centred : rows, size, m->matrix, size, 0, out, size);
  for (gint64 i = 0; i < count && m->after; i++)
    for (gint64 k = 0; k < size; k++)
      out[i * size + k] += m->after[k];
}

static LbTensor *
map_images (LbCompute *compute, LbTensor *images, LbTensor *before, LbTensor *matrix, LbTensor *after)
{
  gint64 n = lb_tensor_dim (images, 0), size = image_size (images);
  LbTensor *result = lb_tensor_new (LB_F32, lb_tensor_shape (images));
  Mapping mapping = { lb_tensor_f32 (images),
                      n,
                      size,
                      before ? lb_tensor_f32 (before) : NULL,
                      after ? lb_tensor_f32 (after) : NULL,
                      lb_tensor_f32 (matrix),
                      lb_tensor_f32 (result) };

  g_assert (lb_tensor_size (matrix) == size * size);
  lb_blas_load ();
  lb_pool_run (lb_compute_pool (compute), n_blocks (n, CHUNK), map_task, &mapping);
  lb_compute_add_flops (compute, lb_whitening_apply_flops (n, size));
  return result;
}

LbTensor *
lb_whitening_apply (const LbWhitening *whitening, LbCompute *compute, LbTensor *images, LbTensor *mean, LbTensor *std)
{
  g_autoptr (LbTensor) wide = lb_images_convert ("", images, mean, std, LB_F32, NULL);

  return map_images (compute, wide, whitening->mean, whitening->whitening, NULL);
}

LbTensor *
lb_whitening_undo (LbCompute *compute, LbTensor *images, LbTensor *whitening_mean, LbTensor *unwhitening)
{
  g_autoptr (LbTensor) wide = lb_images_convert ("", images, NULL, NULL, LB_F32, NULL);

  return map_images (compute, wide, NULL, unwhitening, whitening_mean);
}

LbTensor *
lb_whitening_to_u8 (LbCompute *compute, LbTensor *images, LbTensor *mean, LbTensor *std, LbTensor *whitening_mean,
                    LbTensor *unwhitening)
{
  g_autoptr (LbTensor) normalised = whitening_mean && unwhitening
                                        ? lb_whitening_undo (compute, images, whitening_mean, unwhitening)
                                        : lb_tensor_ref (images);

  return lb_images_to_u8 (normalised, mean, std);
}

gboolean
lb_whitening_same (const char *ours, LbTensor *our_mean, const char *theirs, LbTensor *their_mean, GError **error)
{
  if (!our_mean && !their_mean)
    return TRUE;
  if (!our_mean || !their_mean) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s is %s, but %s is %s; let one 'zca' stage whiten the sets of both, or none", ours,
                 our_mean ? "whitened" : "not whitened", theirs, their_mean ? "whitened" : "not");
    return FALSE;
  }
  gboolean same = lb_shape_equal (lb_tensor_shape (our_mean), lb_tensor_shape (their_mean));
  for (gint64 i = 0; same && i < lb_tensor_size (our_mean); i++)
    same = fabsf (lb_tensor_f32 (our_mean)[i] - lb_tensor_f32 (their_mean)[i]) <= SAME;
  if (!same)
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s and %s are whitened, but not alike; let one 'zca' stage whiten the sets of both", ours, theirs);
  return same;
}

/* ---- Cost ---- */

double
lb_whitening_fit_flops (gint64 n, gint64 size)
{
  double d = (double)size;

  /* Half of the covariance, what LAPACK's divide and conquer takes (about 9 d^3), two products. */
  return (double)n * d * d + 9 * d * d * d + 4 * d * d * d;
}

double
lb_whitening_apply_flops (gint64 n, gint64 size)
{
  return 2.0 * (double)n * (double)size * (double)size;
}

double
lb_whitening_fit_bytes (gint64 n, gint64 size, guint threads)
{
  double d = (double)size;

  double matrix = 8 * d * d, blocks = 8.0 * threads * 2 * BLOCK * d;

  /* The images once as f32. The matrix; then either what LAPACK works in (1 + 6 d + 2 d^2 numbers), or blocks of the
   * tasks. */
  return 4.0 * (double)n * d + matrix + MAX (2 * matrix + 48 * d, blocks);
}
