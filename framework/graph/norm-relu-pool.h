/* What the first and the second order of norm-relu-pool share (ops-norm-relu-pool.c has the formulas). */
#pragma once

#include "graph/op.h"

G_BEGIN_DECLS

/* Shape of the pooled result, from operands x, scale and offset. */
gboolean lb_norm_relu_pool_pooled (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape);

LbShard lb_norm_relu_pool_shard (const LbNode *node, gint64 samples, gboolean *cut);

/* Row @row of @rows [n, k, c]: [n, c], or [n, 1, 1, c] for a @rank of 4. */
LbNode *lb_norm_relu_pool_row (LbNode *rows, guint row, guint rank);

/* r and the mean, [n, 1, 1, c], in ops with derivatives. */
LbNode *lb_norm_relu_pool_r (LbNode *x, double epsilon, LbNode **mean);

/* Vector-Jacobian products of the sums and of the gradient. */
void lb_norm_relu_pool_sums_gradient (LbNode *node, LbNode *t, const gboolean *wanted, LbNode **gradients);
void lb_norm_relu_pool_gradient_gradient (LbNode *node, LbNode *v, const gboolean *wanted, LbNode **gradients);

G_END_DECLS
