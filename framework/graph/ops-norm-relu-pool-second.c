/* The second order of norm-relu-pool, as gradient matching and trajectory matching need it. In the words of
 * ops-norm-relu-pool.c, with m pixels and, for each image and channel, the sums S0 = sum u and S1 = sum u xhat:
 *
 *   gradient:  y = r scale (u - S0 / m - xhat S1 / m), the sums being operands of their own
 *
 * Given v, the gradient of y, and w0 = sum v, w1 = sum v xhat, w2 = sum v u (second-sums), K = w2 - (S0 w0 + S1 w1) /
 * m:
 *
 *   by g:      the mean over each window of r scale v where p > 0 (second-by-g)
 *   by S0, S1: -r scale w0 / m, -r scale w1 / m
 *   by scale:  r K, summed over images
 *   by x:      -r^2 scale (K xhat / m + S1 (v - w0 / m - xhat w1 / m) / m) (second-by-x)
 *
 * as dxhat/dx is symmetric, r (I - 1 1' / m - xhat xhat' / m), and dr/dx = -r^2 xhat / m. And given t0, t1, the
 * gradients of the sums:
 *
 *   by g:      the mean over each window of t0 + t1 xhat where p > 0 (sums-by-g)
 *   by x:      r t1 (u - S0 / m - xhat S1 / m) (sums-by-x)
 *
 * The gate p > 0 is taken as constant. Beyond this order the ops expand into instance norm, gate and unpooling.
 */
#include "graph/norm-relu-pool.h"

/* ---- Derivatives of the first order's ops ---- */

void
lb_norm_relu_pool_sums_gradient (LbNode *node, LbNode *t, const gboolean *wanted, LbNode **gradients)
{
  LbNode **of = node->inputs;
  if (wanted[0])
    gradients[0] = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_SUMS_BY_X,
                                (LbNode *[]){ of[0], of[1], of[2], of[3], of[4], node, t }, 7, &node->attributes);
  if (wanted[4])
    gradients[4] = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_SUMS_BY_G, (LbNode *[]){ of[0], of[1], of[2], of[3], t },
                                5, &node->attributes);
}

void
lb_norm_relu_pool_gradient_gradient (LbNode *node, LbNode *v, const gboolean *wanted, LbNode **gradients)
{
  LbNode **of = node->inputs, *x = of[0], *scale = of[1], *sums = of[5];
  gint64 n = x->shape.dim[0], c = x->shape.dim[3];
  double share = 1.0 / (double)(x->shape.dim[1] * x->shape.dim[2]);
  LbNode *w = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_SECOND_SUMS, (LbNode *[]){ x, scale, of[2], of[3], of[4], v },
                           6, &node->attributes);
  LbNode *first_two = lb_slice (w, 1, 0, 2), *r = lb_slice (of[3], 1, 1, 1);
  if (wanted[0])
    gradients[0] = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_SECOND_BY_X,
                                (LbNode *[]){ x, scale, of[2], of[3], v, sums, w }, 7, &node->attributes);
  if (wanted[1]) {
    LbNode *met = lb_scale (lb_sum_to (lb_mul (sums, first_two), LB_SHAPE (n, 1, c)), share);
    LbNode *k = lb_sub (lb_slice (w, 1, 2, 1), met);
    gradients[1] = lb_unbroadcast (lb_reshape (lb_mul (r, k), LB_SHAPE (n, c)), scale->shape);
  }
  if (wanted[4])
    gradients[4] = lb_node_new (LB_HERE, LB_OP_NORM_RELU_POOL_SECOND_BY_G, (LbNode *[]){ x, scale, of[2], of[3], v }, 5,
                                &node->attributes);
  if (wanted[5])
    gradients[5] = lb_mul (first_two, lb_scale (lb_mul (r, scale), -share));
}

/* ---- Expansions ---- */

/* What the ops are made of, as nodes with derivatives. */
typedef struct {
  LbNode *xhat, *r, *p;
} Parts;

static Parts
expand_parts (LbNode *node)
{
  LbNode *x = node->inputs[0], *mean, *r = lb_norm_relu_pool_r (x, node->attributes.factor, &mean);
  LbNode *xhat = lb_instance_norm (x, node->attributes.factor);
  return (Parts){ xhat, r, lb_add (lb_mul (xhat, node->inputs[1]), node->inputs[2]) };
}

/* u, from operand 4. */
static LbNode *
expand_gated (LbNode *node, const Parts *parts)
{
  guint pool = (guint)node->attributes.a;
  return lb_gate (parts->p, pool > 1 ? lb_avg_unpool (node->inputs[4], pool) : node->inputs[4]);
}

static LbNode *
pooled (LbNode *node, LbNode *image)
{
  return node->attributes.a > 1 ? lb_avg_pool (image, (guint)node->attributes.a) : image;
}

static LbNode *
sums_by_x_expand (LbNode *node)
{
  Parts parts = expand_parts (node);
  LbAttributes attributes = { .factor = node->attributes.factor };
  LbNode *projected = lb_node_new (LB_HERE, LB_OP_INSTANCE_NORM_GRADIENT,
                                   (LbNode *[]){ node->inputs[0], expand_gated (node, &parts) }, 2, &attributes);
  return lb_mul (projected, lb_norm_relu_pool_row (node->inputs[6], 1, 4));
}

static LbNode *
sums_by_g_expand (LbNode *node)
{
  Parts parts = expand_parts (node);
  LbNode *t = node->inputs[4], *along = lb_mul (parts.xhat, lb_norm_relu_pool_row (t, 1, 4));
  return pooled (node, lb_gate (parts.p, lb_add (along, lb_norm_relu_pool_row (t, 0, 4))));
}

static LbNode *
second_sums_expand (LbNode *node)
{
  Parts parts = expand_parts (node);
  LbNode *v = node->inputs[5], *terms[] = { v, lb_mul (v, parts.xhat), lb_mul (v, expand_gated (node, &parts)) };
  LbShape shape = node->shape;
  LbNode *sum = NULL;
  for (guint i = 0; i < 3; i++) {
    LbNode *row = lb_reshape (lb_sum_to (terms[i], LB_SHAPE (shape.dim[0], 1, 1, shape.dim[2])),
                              LB_SHAPE (shape.dim[0], 1, shape.dim[2]));
    LbNode *placed = lb_pad (row, 1, i, 2 - i);
    sum = i == 0 ? placed : lb_add (sum, placed);
  }
  return sum;
}

static LbNode *
second_by_x_expand (LbNode *node)
{
  Parts parts = expand_parts (node);
  LbNode *v = node->inputs[4], *s[2], *w[3];
  double share = 1.0 / (double)(v->shape.dim[1] * v->shape.dim[2]);
  for (guint i = 0; i < 2; i++)
    s[i] = lb_norm_relu_pool_row (node->inputs[5], i, 4);
  for (guint i = 0; i < 3; i++)
    w[i] = lb_norm_relu_pool_row (node->inputs[6], i, 4);
  LbNode *k = lb_sub (w[2], lb_scale (lb_add (lb_mul (s[0], w[0]), lb_mul (s[1], w[1])), share));
  LbNode *centred = lb_sub (lb_sub (v, lb_scale (w[0], share)), lb_mul (parts.xhat, lb_scale (w[1], share)));
  LbNode *sum = lb_add (lb_mul (parts.xhat, k), lb_mul (centred, s[1]));
  return lb_mul (sum, lb_mul (lb_scale (lb_mul (parts.r, parts.r), -share), node->inputs[1]));
}

static LbNode *
second_by_g_expand (LbNode *node)
{
  Parts parts = expand_parts (node);
  LbNode *factor = lb_mul (parts.r, node->inputs[1]);
  return pooled (node, lb_gate (parts.p, lb_mul (node->inputs[4], factor)));
}

/* ---- Rows ---- */

static gboolean
image_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return shape->rank == 4;
}

static gboolean
second_sums_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape;
  *shape = LB_SHAPE (x.dim[0], 3, x.dim[3]);
  return x.rank == 4 && lb_shape_equal (inputs[5]->shape, x);
}

static double
elements (const LbNode *node)
{
  return (double)lb_shape_size (node->inputs[0]->shape);
}

/* Multiplications and additions for each element of x: see the kernels. */
static double
few_flops (const LbNode *node)
{
  return 7 * elements (node);
}

static double
many_flops (const LbNode *node)
{
  return 10 * elements (node);
}

const LbOp lb_op_norm_relu_pool_sums_by_x = { .name = "norm-relu-pool-sums-by-x",
                                              .n_inputs = 7,
                                              .shape = image_shape,
                                              .expand = sums_by_x_expand,
                                              .shard = lb_norm_relu_pool_shard,
                                              .flops = many_flops };

const LbOp lb_op_norm_relu_pool_sums_by_g = { .name = "norm-relu-pool-sums-by-g",
                                              .n_inputs = 5,
                                              .shape = lb_norm_relu_pool_pooled,
                                              .expand = sums_by_g_expand,
                                              .shard = lb_norm_relu_pool_shard,
                                              .flops = few_flops };

const LbOp lb_op_norm_relu_pool_second_sums = { .name = "norm-relu-pool-second-sums",
                                                .n_inputs = 6,
                                                .shape = second_sums_shape,
                                                .expand = second_sums_expand,
                                                .shard = lb_norm_relu_pool_shard,
                                                .flops = many_flops };

const LbOp lb_op_norm_relu_pool_second_by_x = { .name = "norm-relu-pool-second-by-x",
                                                .n_inputs = 7,
                                                .shape = image_shape,
                                                .expand = second_by_x_expand,
                                                .shard = lb_norm_relu_pool_shard,
                                                .flops = few_flops };

const LbOp lb_op_norm_relu_pool_second_by_g = { .name = "norm-relu-pool-second-by-g",
                                                .n_inputs = 5,
                                                .shape = lb_norm_relu_pool_pooled,
                                                .expand = second_by_g_expand,
                                                .shard = lb_norm_relu_pool_shard,
                                                .flops = few_flops };
