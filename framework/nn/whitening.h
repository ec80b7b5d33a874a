/* ZCA whitening (Krizhevsky, "Learning multiple layers of features from tiny images", 2009): a linear map that makes
 * the numbers of an image uncorrelated over a set and yet leaves it looking like itself. Trajectory matching distils
 * colour sets whitened with epsilon 0.1.
 *
 * With m the mean of the normalised images x of a set, C their covariance (over n - 1) and C = V diag (l) V',
 *
 *   whitening    W = V diag (1 / sqrt (l + epsilon)) V'     y = W (x - m)
 *   unwhitening  U = V diag (sqrt (l + epsilon)) V'         x = U y + m
 *
 * W and U are symmetric and do not depend on the choice of eigenvectors. A whitened set carries m and U in its fields
 * whitening_mean and unwhitening, so whoever has it can undo it: in NumPy, x = y.reshape (n, -1) @ U.reshape (d, d) +
 * m.ravel(). W is U's inverse.
 *
 * Sums run in f64 in an order that depends on the set alone, not on the number of workers. Eigenvalues come from
 * LAPACK: another release or kernel of OpenBLAS may round them differently.
 */
#pragma once

#include "base/compute.h"
#include "tensor/tensor.h"

G_BEGIN_DECLS

/* Numbers in an image up to which whitening is offered: 64 x 64 in colour. The matrix has the square of it. */
#define LB_WHITENING_MOST 12288

typedef struct {
  LbTensor *mean;        /* m, f32 [c, h, w] */
  LbTensor *whitening;   /* W, f32 [c, h, w, c, h, w] */
  LbTensor *unwhitening; /* U, likewise */
} LbWhitening;

/* Frees what @whitening holds and zero-fills it. */
void lb_whitening_clear (LbWhitening *whitening);

/* Fits on @images, u8, f16 or f32 [n, c, h, w], at least two, finite and of no more than LB_WHITENING_MOST numbers;
 * @mean and @std as in images.h, @epsilon > 0. @whitening is filled. LB_ERROR_INPUT; @whose begins the message. */
gboolean lb_whitening_fit (LbWhitening *whitening, LbCompute *compute, const char *whose, LbTensor *images,
                           LbTensor *mean, LbTensor *std, double epsilon, GError **error);

/* The whitening that a set carries: W from @unwhitening by Cholesky's decomposition. @mean and @unwhitening are kept.
 * LB_ERROR_INPUT when that is not one of a whitening. */
gboolean
lb_whitening_from (LbWhitening *whitening, const char *whose, LbTensor *mean, LbTensor *unwhitening, GError **error);

/* @images, as above and of the size of the whitening, whitened. New tensor f32 [n, c, h, w]. */
LbTensor *
lb_whitening_apply (const LbWhitening *whitening, LbCompute *compute, LbTensor *images, LbTensor *mean, LbTensor *std);

/* Whitened f16 or f32 images [n, c, h, w] as they were: normalised, f32. New tensor. */
LbTensor *lb_whitening_undo (LbCompute *compute, LbTensor *images, LbTensor *whitening_mean, LbTensor *unwhitening);

/* As they were stored, for looking at: lb_images_to_u8() of what lb_whitening_undo() gives, or of @images where one of
 * the last two is NULL. New tensor, u8 [n, c, h, w]. */
LbTensor *lb_whitening_to_u8 (LbCompute *compute, LbTensor *images, LbTensor *mean, LbTensor *std,
                              LbTensor *whitening_mean, LbTensor *unwhitening);

/* Whether two sets, or a set and a model, were whitened alike; @mine and @their_mean are their whitening_mean, NULL
 * when not whitened. If not, FALSE with LB_ERROR_INPUT naming both sides. */
gboolean
lb_whitening_same (const char *ours, LbTensor *our_mean, const char *theirs, LbTensor *their_mean, GError **error);

/* Floating-point operations of a fit, and of an apply or undo, for @n images of @size numbers. */
double lb_whitening_fit_flops (gint64 n, gint64 size);
double lb_whitening_apply_flops (gint64 n, gint64 size);

/* Most bytes that a fit holds beside its images and results. */
double lb_whitening_fit_bytes (gint64 n, gint64 size, guint threads);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LbWhitening, lb_whitening_clear)

G_END_DECLS
