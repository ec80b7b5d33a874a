/* Losses and optimisers as graph nodes. */
#include "nn/train.h"

LbNode *
lb_cross_entropy (LbNode *scores, LbNode *targets)
{
  return lb_scale (lb_sum (lb_mul (targets, lb_log_softmax (scores))), -1.0 / (double)MAX (lb_node_dim (scores, 0), 1));
}

void
lb_sgd_step (LbNode *const *parameters, LbNode *const *gradients, LbNode *const *momenta, guint n, LbNode *rate,
             double momentum, double weight_decay, LbNode **new_parameters, LbNode **new_momenta)
{
  g_assert (momenta || momentum == 0);
  for (guint i = 0; i < n; i++) {
    LbNode *step = gradients[i];

    if (weight_decay != 0)
      step = lb_add (step, lb_scale (parameters[i], weight_decay));
    if (momenta) {
      step = lb_add (lb_scale (momenta[i], momentum), step);
      new_momenta[i] = step;
    }
    new_parameters[i] = lb_sub (parameters[i], lb_mul (step, rate));
  }
}

void
lb_one_hot (const gint32 *labels, gint64 n, gint64 classes, float *rows)
{
  for (gint64 i = 0; i < n; i++) {
    g_assert (labels[i] >= 0 && labels[i] < classes);
    for (gint64 k = 0; k < classes; k++)
      rows[i * classes + k] = labels[i] == k;
  }
}
