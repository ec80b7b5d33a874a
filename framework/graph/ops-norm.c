/* Instance norm with its first and second derivative as ops of their own, softmax and its logarithm.
 *
 * For each image and channel, over m pixels: mean mu, r = 1 / sqrt (variance + epsilon), xhat = (x - mu) r. The
 * Jacobian of xhat is symmetric, J = r (I - 1 1' / m - xhat xhat' / m), so instance-norm-gradient (x, g) = J g is its
 * own adjoint in g, and the gradient of <v, J g> by x is symmetric in g and v. With g, v less their means written gc,
 * vc, and A = sum gc vc, B = sum g xhat, C = sum v xhat:
 *
 *   instance-norm-second (x, g, v) = -(r^2 / m) (xhat (A - 3 B C / m) + C gc + B vc)
 */
#include "graph/op.h"

static gboolean
norm_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return inputs[0]->shape.rank == 4;
}

static gboolean
norm_gradient_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return shape->rank == 4 && lb_shape_equal (inputs[1]->shape, *shape);
}

static gboolean
norm_second_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  return norm_gradient_shape (inputs, attributes, shape) && lb_shape_equal (inputs[2]->shape, *shape);
}

static LbNode *
norm_gradient_at (const char *here, LbNode *x, LbNode *g, double epsilon)
{
  LbAttributes attributes = { .factor = epsilon };
  return lb_node_new (here, LB_OP_INSTANCE_NORM_GRADIENT, (LbNode *[]){ x, g }, 2, &attributes);
}

static void
norm_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = norm_gradient_at (LB_HERE, node->inputs[0], g, node->attributes.factor);
}

static void
norm_gradient_gradient (LbNode *node, LbNode *v, const gboolean *wanted, LbNode **gradients)
{
  LbNode *x = node->inputs[0], *g = node->inputs[1];
  if (wanted[0])
    gradients[0] = lb_node_new (LB_HERE, LB_OP_INSTANCE_NORM_SECOND, (LbNode *[]){ x, g, v }, 3, &node->attributes);
  if (wanted[1])
    gradients[1] = norm_gradient_at (LB_HERE, x, v, node->attributes.factor);
}

/* The formula above in ops with derivatives, for those who go beyond second order. */
static LbNode *
norm_second_expand (LbNode *node)
{
  LbNode *x = node->inputs[0], *g = node->inputs[1], *v = node->inputs[2];
  LbShape row = LB_SHAPE (x->shape.dim[0], 1, 1, x->shape.dim[3]);
  double m = (double)(x->shape.dim[1] * x->shape.dim[2]);
  LbNode *centred = lb_sub (x, lb_scale (lb_sum_to (x, row), 1 / m));
  LbNode *variance = lb_scale (lb_sum_to (lb_mul (centred, centred), row), 1 / m);
  LbNode *r2 = lb_div (lb_constant (x->graph, 1, row), lb_affine (variance, 1, node->attributes.factor));
  LbNode *xhat = lb_mul (centred, lb_sqrt (r2));
  LbNode *gc = lb_sub (g, lb_scale (lb_sum_to (g, row), 1 / m));
  LbNode *vc = lb_sub (v, lb_scale (lb_sum_to (v, row), 1 / m));
  LbNode *A = lb_sum_to (lb_mul (gc, vc), row);
  LbNode *B = lb_sum_to (lb_mul (g, xhat), row);
  LbNode *C = lb_sum_to (lb_mul (v, xhat), row);
  LbNode *along = lb_sub (A, lb_scale (lb_mul (B, C), 3 / m));
  LbNode *sum = lb_add (lb_mul (xhat, along), lb_add (lb_mul (gc, C), lb_mul (vc, B)));
  return lb_mul (sum, lb_scale (r2, -1 / m));
}

static LbShard
each_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  for (guint i = 0; i < node->n_inputs; i++)
    cut[i] = TRUE;
  return LB_SHARD_EACH;
}

/* Multiplications and additions for each element: see the kernels. */
static double
norm_flops (const LbNode *node)
{
  return 6.0 * (double)lb_shape_size (node->shape);
}

static double
norm_gradient_flops (const LbNode *node)
{
  return 12.0 * (double)lb_shape_size (node->shape);
}

static double
norm_second_flops (const LbNode *node)
{
  return 20.0 * (double)lb_shape_size (node->shape);
}

/* Per-channel sums of one image. */
static gsize
norm_scratch (const LbNode *node, gint64 samples)
{
  return 8 * (gsize)node->shape.dim[3];
}

const LbOp lb_op_instance_norm = { .name = "instance-norm",
                                   .n_inputs = 1,
                                   .shape = norm_shape,
                                   .gradient = norm_gradient,
                                   .shard = each_shard,
                                   .flops = norm_flops,
                                   .scratch = norm_scratch };

const LbOp lb_op_instance_norm_gradient = { .name = "instance-norm-gradient",
                                            .n_inputs = 2,
                                            .shape = norm_gradient_shape,
                                            .gradient = norm_gradient_gradient,
                                            .shard = each_shard,
                                            .flops = norm_gradient_flops,
                                            .scratch = norm_scratch };

const LbOp lb_op_instance_norm_second = { .name = "instance-norm-second",
                                          .n_inputs = 3,
                                          .shape = norm_second_shape,
                                          .expand = norm_second_expand,
                                          .shard = each_shard,
                                          .flops = norm_second_flops,
                                          .scratch = norm_scratch };

LbNode *
lb_instance_norm_at (const char *here, LbNode *x, double epsilon)
{
  LbAttributes attributes = { .factor = epsilon };
  return lb_node_new (here, LB_OP_INSTANCE_NORM, &x, 1, &attributes);
}

/* ---- Log-softmax over the last axis ---- */

static gboolean
log_softmax_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return shape->rank >= 1;
}

/* g - softmax (x) sum g */
static void
log_softmax_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbShape row = node->shape;
  row.dim[row.rank - 1] = 1;
  gradients[0] = lb_sub (g, lb_mul (lb_exp (node), lb_sum_to (g, row)));
}

static LbShard
log_softmax_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return node->shape.rank > 1 ? LB_SHARD_EACH : LB_SHARD_NO;
}

static double
log_softmax_flops (const LbNode *node)
{
  return 4.0 * (double)lb_shape_size (node->shape);
}

const LbOp lb_op_log_softmax = { .name = "log-softmax",
                                 .n_inputs = 1,
                                 .shape = log_softmax_shape,
                                 .gradient = log_softmax_gradient,
                                 .shard = log_softmax_shard,
                                 .flops = log_softmax_flops };

LbNode *
lb_log_softmax_at (const char *here, LbNode *x)
{
  return lb_node_new (here, LB_OP_LOG_SOFTMAX, &x, 1, NULL);
}

/* ---- Softmax over the last axis ---- */

/* y (g - sum y g) */
static void
softmax_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbShape row = node->shape;
  row.dim[row.rank - 1] = 1;
  gradients[0] = lb_mul (node, lb_sub (g, lb_sum_to (lb_mul (g, node), row)));
}

const LbOp lb_op_softmax = { .name = "softmax",
                             .n_inputs = 1,
                             .shape = log_softmax_shape,
                             .gradient = softmax_gradient,
                             .shard = log_softmax_shard,
                             .flops = log_softmax_flops };

LbNode *
lb_softmax_at (const char *here, LbNode *x)
{
  return lb_node_new (here, LB_OP_SOFTMAX, &x, 1, NULL);
}
