/* Losses and optimisers as graph nodes. */
#include "nn/train.h"

#include <math.h>

LbNode *
lb_cross_entropy (LbNode *scores, LbNode *targets)
{
  return lb_scale (lb_sum (lb_mul (targets, lb_log_softmax (scores))), -1.0 / (double)MAX (lb_node_dim (scores, 0), 1));
}

/* Added to a square before its root is taken: a pixel that changes nothing pulls nowhere. */
#define TINY 1e-12

LbNode *
lb_gradient_penalty (LbNode *scores, LbNode *images)
{
  LbShape pixels = lb_node_shape (images);
  LbNode *slope, *norm, *excess;

  lb_gradients (lb_sum (scores), &images, 1, &slope);
  pixels.dim[pixels.rank - 1] = 1;
  norm = lb_sqrt (lb_affine (lb_sum_to (lb_mul (slope, slope), pixels), 1, TINY));
  excess = lb_affine (norm, 1, -1);
  return lb_scale (lb_sum (lb_mul (excess, excess)), 1.0 / (double)MAX (lb_shape_size (pixels), 1));
}

void
lb_clip_norm (LbNode **gradients, guint n, double limit)
{
  LbNode *square = NULL, *excess;

  for (guint i = 0; i < n; i++) {
    LbNode *part = lb_sum (lb_mul (gradients[i], gradients[i]));
    square = square ? lb_add (square, part) : part;
  }
  excess = lb_relu (lb_affine (lb_sqrt (square), 1 / limit, 1e-6 / limit - 1));
  for (guint i = 0; i < n; i++)
    gradients[i] = lb_div (gradients[i], lb_affine (excess, 1, 1));
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
lb_adam_step (const LbAdam *adam, LbNode *const *parameters, LbNode *const *gradients, LbNode *const *first,
              LbNode *const *second, guint n, LbNode *rate, LbNode *c1, LbNode *c2, LbNode **new_parameters,
              LbNode **new_first, LbNode **new_second)
{
  LbNode *size = lb_mul (rate, c1), *kept = lb_affine (rate, -adam->weight_decay, 1);

  for (guint i = 0; i < n; i++) {
    LbNode *p = parameters[i], *g = gradients[i], *m, *v;

    if (adam->weight_decay != 0 && adam->decoupled)
      p = lb_mul (p, kept);
    else if (adam->weight_decay != 0)
      g = lb_add (g, lb_scale (p, adam->weight_decay));
    m = lb_add (lb_scale (first[i], adam->beta1), lb_scale (g, 1 - adam->beta1));
    v = lb_add (lb_scale (second[i], adam->beta2), lb_scale (lb_mul (g, g), 1 - adam->beta2));
    new_first[i] = m;
    new_second[i] = v;
    new_parameters[i] = lb_sub (p, lb_mul (lb_div (m, lb_affine (lb_mul (lb_sqrt (v), c2), 1, adam->epsilon)), size));
  }
}

/* By repeated squaring, so that no C library has a say in it. */
static double
power (double base, guint64 exponent)
{
  double result = 1;

  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1)
      result *= base;
  return result;
}

void
lb_adam_corrections (const LbAdam *adam, guint64 step, double *c1, double *c2)
{
  *c1 = 1 / (1 - power (adam->beta1, step));
  *c2 = 1 / sqrt (1 - power (adam->beta2, step));
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
