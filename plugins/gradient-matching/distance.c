/* Distances of gradients. Names and formulas of the first three are those of the public code of dataset condensation
 * (VICO-UoE/DatasetCondensation), of the last that of multi-formation (snu-mllab/Efficient-Dataset-Condensation):
 *
 *   ours   sum over weights of two and four dimensions, and over their rows, one for each output of the layer, of
 *          1 - <a, b> / (|a| |b| + 1e-6)
 *   mse    |a - b|^2, a and b all parameters as one vector
 *   cos    1 - <a, b> / (|a| |b| + 1e-6), likewise
 *   l1     sum of |a - b| over weights of convolutions
 */
#include "gradient-matching.h"

gboolean
distance_takes (Distance distance, LbShape shape)
{
  switch (distance) {
  case DISTANCE_OURS:
    return shape.rank == 2 || shape.rank == 4;
  case DISTANCE_L1:
    return shape.rank == 4;
  default:
    return TRUE;
  }
}

/* The tiny number keeps the derivative of the root finite where a sum of squares is zero; it is lost in any other. */
static LbNode *
root (LbNode *squares)
{
  return lb_sqrt (lb_affine (squares, 1, 1e-30));
}

/* 1 - cosine from the sums <a, b>, <a, a> and <b, b>. */
static LbNode *
one_minus_cosine (LbNode *ab, LbNode *aa, LbNode *bb)
{
  return lb_affine (lb_div (ab, lb_affine (lb_mul (root (aa), root (bb)), 1, 1e-6)), -1, 1);
}

static LbNode *
rows_distance (LbNode *real, LbNode *synthetic)
{
  LbShape shape = lb_node_shape (real);
  LbShape matrix = LB_SHAPE (shape.dim[0], lb_shape_size (shape) / shape.dim[0]), column = LB_SHAPE (shape.dim[0], 1);
  LbNode *a = lb_reshape (real, matrix), *b = lb_reshape (synthetic, matrix);

  return lb_sum (one_minus_cosine (lb_sum_to (lb_mul (a, b), column), lb_sum_to (lb_mul (a, a), column),
                                   lb_sum_to (lb_mul (b, b), column)));
}

static LbNode *
squared_distance (LbNode *a, LbNode *b)
{
  LbNode *difference = lb_sub (a, b);

  return lb_sum (lb_mul (difference, difference));
}

static LbNode *
absolute_distance (LbNode *a, LbNode *b)
{
  LbNode *difference = lb_sub (a, b);

  return lb_sum (lb_add (lb_relu (difference), lb_relu (lb_neg (difference))));
}

/* The square root of the sum over tensors of |a|^2. */
static LbNode *
norm_of_all (LbNode *const *a, guint n)
{
  LbNode *sum = lb_sum (lb_mul (a[0], a[0]));

  for (guint i = 1; i < n; i++)
    sum = lb_add (sum, lb_sum (lb_mul (a[i], a[i])));
  return root (sum);
}

/* With P = |a| |b| and u = a / |a| - b / |b|, <a, b> is P (1 - |u|^2 / 2), and so the distance (P |u|^2 / 2 + 1e-6) /
 * (P + 1e-6): one minus a cosine near 1 would lose its digits in single precision. */
static LbNode *
cosine_distance (LbNode *const *a, LbNode *const *b, guint n)
{
  LbNode *norm_a = norm_of_all (a, n), *norm_b = norm_of_all (b, n), *product = lb_mul (norm_a, norm_b), *u = NULL;

  for (guint i = 0; i < n; i++) {
    LbNode *part = squared_distance (lb_div (a[i], norm_a), lb_div (b[i], norm_b));
    u = u ? lb_add (u, part) : part;
  }
  return lb_div (lb_affine (lb_mul (product, u), 0.5, 1e-6), lb_affine (product, 1, 1e-6));
}

LbNode *
distance_build (Distance distance, LbNode *const *real, LbNode *const *synthetic, guint n)
{
  LbNode *sum = NULL;

  if (distance == DISTANCE_COS)
    return cosine_distance (real, synthetic, n);
  for (guint i = 0; i < n; i++) {
    LbNode *part = distance == DISTANCE_MSE  ? squared_distance (real[i], synthetic[i])
                   : distance == DISTANCE_L1 ? absolute_distance (real[i], synthetic[i])
                                             : rows_distance (real[i], synthetic[i]);
    sum = sum ? lb_add (sum, part) : part;
  }
  return sum;
}
