/* Losses and optimisers, built from graph nodes alone. */
#pragma once

#include "graph/graph.h"

G_BEGIN_DECLS

/* Mean over the batch of -sum_k t_k log softmax (z)_k, a scalar. @scores and @targets [n, classes]; hard labels are
 * one-hot rows, soft labels any distribution. */
LbNode *lb_cross_entropy (LbNode *scores, LbNode *targets);

/* How far the scores are from moving with every pixel at the same speed, a scalar:
 *
 *   mean over images and pixels of (|d (sum_k z_k) / dx|_2 - 1)^2, the norm taken over the channels of a pixel
 *
 * @scores [n, classes] are those of @images, an input [n, h, w, c]. As a part of the loss it makes the trajectories of
 * experts smooth (AST; Shen et al., arXiv 2310.10541, and its public code). */
LbNode *lb_gradient_penalty (LbNode *scores, LbNode *images);

/* Makes the gradient of all parameters together no longer than @limit > 0, in its Euclidean norm (Pascanu, Mikolov,
 * Bengio, arXiv 1211.5063): g' = g / max (1, (|g| + 1e-6) / limit), as PyTorch's clip_grad_norm_(). Replaces the @n
 * gradients. */
void lb_clip_norm (LbNode **gradients, guint n, double limit);

/* One step of SGD with momentum as PyTorch's: g' = g + weight_decay p; m' = momentum m + g'; p' = p - rate m'. @rate is
 * a scalar node. @parameters, @gradients, @momenta: @n each; stores the new values. Plain SGD (momentum 0) needs no
 * state:
 * @momenta and @new_momenta may then be NULL. */
void lb_sgd_step (LbNode *const *parameters, LbNode *const *gradients, LbNode *const *momenta, guint n, LbNode *rate,
                  double momentum, double weight_decay, LbNode **new_parameters, LbNode **new_momenta);

typedef struct {
  double beta1, beta2; /* in [0, 1) */
  double epsilon, weight_decay;
  gboolean decoupled; /* AdamW: the decay does not go through the moments */
} LbAdam;

/* One step of Adam (Kingma, Ba, arXiv 1412.6980) or AdamW (Loshchilov, Hutter, arXiv 1711.05101) as PyTorch's:
 *
 *   g' = g + weight_decay p (Adam), p = p - rate weight_decay p (AdamW)
 *   m' = beta1 m + (1 - beta1) g', v' = beta2 v + (1 - beta2) g'^2
 *   p' = p - rate c1 m' / (c2 sqrt (v') + epsilon)
 *
 * @rate, @c1 and @c2 are scalar nodes; lb_adam_corrections() tells the values of the last two. All arrays are @n long;
 * @first and @second are m and v. */
void lb_adam_step (const LbAdam *adam, LbNode *const *parameters, LbNode *const *gradients, LbNode *const *first,
                   LbNode *const *second, guint n, LbNode *rate, LbNode *c1, LbNode *c2, LbNode **new_parameters,
                   LbNode **new_first, LbNode **new_second);

/* Corrections of the moments' bias in step @step = 1, 2, ...: c1 = 1 / (1 - beta1^step), c2 = 1 / sqrt (1 -
 * beta2^step). */
void lb_adam_corrections (const LbAdam *adam, guint64 step, double *c1, double *c2);

/* Writes one-hot rows: @rows f32 [n, classes] from @labels, n of them, each in {0, ..., classes - 1}. */
void lb_one_hot (const gint32 *labels, gint64 n, gint64 classes, float *rows);

G_END_DECLS
