/* Losses and optimisers, built from graph nodes alone. */
#pragma once

#include "graph/graph.h"

G_BEGIN_DECLS

/* Mean over the batch of -sum_k t_k log softmax (z)_k, a scalar. @scores and @targets [n, classes]; hard labels are
 * one-hot rows, soft labels any distribution. */
LbNode *lb_cross_entropy (LbNode *scores, LbNode *targets);

/* One step of SGD with momentum as PyTorch's: g' = g + weight_decay p; m' = momentum m + g'; p' = p - rate m'. @rate is
 * a scalar node. @parameters, @gradients, @momenta: @n each; stores the new values. Plain SGD (momentum 0) needs no
 * state:
 * @momenta and @new_momenta may then be NULL. */
void lb_sgd_step (LbNode *const *parameters, LbNode *const *gradients, LbNode *const *momenta, guint n, LbNode *rate,
                  double momentum, double weight_decay, LbNode **new_parameters, LbNode **new_momenta);

/* Writes one-hot rows: @rows f32 [n, classes] from @labels, n of them, each in {0, ..., classes - 1}. */
void lb_one_hot (const gint32 *labels, gint64 n, gint64 classes, float *rows);

G_END_DECLS
