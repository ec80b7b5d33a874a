/* Elementwise ops: builders, derivatives and rows. */
#include "graph/op.h"

#include <math.h>

/* ---- Shapes ---- */

gboolean
lb_shape_broadcast (LbShape a, LbShape b, LbShape *out)
{
  LbShape shape = { .rank = MAX (a.rank, b.rank) };
  for (guint i = 0; i < shape.rank; i++) {
    gint64 da = i + a.rank >= shape.rank ? a.dim[i + a.rank - shape.rank] : 1;
    gint64 db = i + b.rank >= shape.rank ? b.dim[i + b.rank - shape.rank] : 1;
    if (da != db && da != 1 && db != 1)
      return FALSE;
    shape.dim[i] = da == 1 ? db : da;
  }
  *out = shape;
  return TRUE;
}

static gboolean
binary_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  return lb_shape_broadcast (inputs[0]->shape, inputs[1]->shape, shape);
}

static gboolean
unary_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return TRUE;
}

static gboolean
gate_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = inputs[0]->shape;
  return lb_shape_equal (inputs[0]->shape, inputs[1]->shape);
}

LbNode *
lb_unbroadcast (LbNode *g, LbShape shape)
{
  if (lb_shape_equal (g->shape, shape))
    return g;
  LbShape aligned = { .rank = g->shape.rank };
  for (guint i = 0; i < aligned.rank; i++)
    aligned.dim[i] = i + shape.rank >= aligned.rank ? shape.dim[i + shape.rank - aligned.rank] : 1;
  return lb_reshape (lb_sum_to (g, aligned), shape);
}

/* ---- Derivatives ---- */

static void
add_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  for (guint i = 0; i < 2; i++)
    if (wanted[i])
      gradients[i] = lb_unbroadcast (g, node->inputs[i]->shape);
}

static void
sub_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  if (wanted[0])
    gradients[0] = lb_unbroadcast (g, node->inputs[0]->shape);
  if (wanted[1])
    gradients[1] = lb_neg (lb_unbroadcast (g, node->inputs[1]->shape));
}

static void
mul_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  for (guint i = 0; i < 2; i++)
    if (wanted[i])
      gradients[i] = lb_unbroadcast (lb_mul (g, node->inputs[1 - i]), node->inputs[i]->shape);
}

static void
div_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *by_a = lb_div (g, node->inputs[1]);
  if (wanted[0])
    gradients[0] = lb_unbroadcast (by_a, node->inputs[0]->shape);
  if (wanted[1])
    gradients[1] = lb_neg (lb_unbroadcast (lb_mul (by_a, node), node->inputs[1]->shape));
}

static void
affine_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_scale (g, node->attributes.factor);
}

static void
exp_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_mul (g, node);
}

static void
log_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_div (g, node->inputs[0]);
}

static void
sqrt_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_scale (lb_div (g, node), 0.5);
}

static void
tanh_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_mul (g, lb_affine (lb_mul (node, node), -1, 1));
}

/* 2 / sqrt (pi) exp (-x^2) */
static void
erf_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *x = node->inputs[0];
  gradients[0] = lb_mul (g, lb_scale (lb_exp (lb_neg (lb_mul (x, x))), 2 / sqrt (G_PI)));
}

static void
relu_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_gate (node->inputs[0], g);
}

static void
gate_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  if (wanted[1])
    gradients[1] = lb_gate (node->inputs[0], g);
}

/* ---- Cutting and cost ---- */

/* Operands that carry the samples are cut, those that broadcast over them stay whole. */
static LbShard
elementwise_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  if (node->shape.rank == 0 || node->shape.dim[0] != samples)
    return LB_SHARD_NO;
  for (guint i = 0; i < node->n_inputs; i++) {
    const LbShape *shape = &node->inputs[i]->shape;
    gboolean carries = shape->rank == node->shape.rank && shape->dim[0] == samples;
    if (cut[i] && !carries)
      return LB_SHARD_NO;
    cut[i] = carries;
  }
  return LB_SHARD_EACH;
}

static double
one_flop (const LbNode *node)
{
  return (double)lb_shape_size (node->shape);
}

#define BINARY(symbol)                                                                                                 \
  const LbOp lb_op_##symbol = { .name = #symbol,                                                                       \
                                .n_inputs = 2,                                                                         \
                                .shape = binary_shape,                                                                 \
                                .gradient = symbol##_gradient,                                                         \
                                .shard = elementwise_shard,                                                            \
                                .flops = one_flop,                                                                     \
                                .elementwise = TRUE };                                                                 \
  LbNode *lb_##symbol##_at (const char *here, LbNode *a, LbNode *b)

#define UNARY(symbol)                                                                                                  \
  const LbOp lb_op_##symbol = { .name = #symbol,                                                                       \
                                .n_inputs = 1,                                                                         \
                                .shape = unary_shape,                                                                  \
                                .gradient = symbol##_gradient,                                                         \
                                .shard = elementwise_shard,                                                            \
                                .flops = one_flop,                                                                     \
                                .elementwise = TRUE };                                                                 \
  LbNode *lb_##symbol##_at (const char *here, LbNode *a)

BINARY (add)
{
  return lb_node_new (here, LB_OP_ADD, (LbNode *[]){ a, b }, 2, NULL);
}

BINARY (sub)
{
  return lb_node_new (here, LB_OP_SUB, (LbNode *[]){ a, b }, 2, NULL);
}

BINARY (mul)
{
  return lb_node_new (here, LB_OP_MUL, (LbNode *[]){ a, b }, 2, NULL);
}

BINARY (div)
{
  return lb_node_new (here, LB_OP_DIV, (LbNode *[]){ a, b }, 2, NULL);
}

UNARY (exp)
{
  return lb_node_new (here, LB_OP_EXP, &a, 1, NULL);
}

UNARY (log)
{
  return lb_node_new (here, LB_OP_LOG, &a, 1, NULL);
}

UNARY (sqrt)
{
  return lb_node_new (here, LB_OP_SQRT, &a, 1, NULL);
}

UNARY (tanh)
{
  return lb_node_new (here, LB_OP_TANH, &a, 1, NULL);
}

UNARY (erf)
{
  return lb_node_new (here, LB_OP_ERF, &a, 1, NULL);
}

UNARY (relu)
{
  return lb_node_new (here, LB_OP_RELU, &a, 1, NULL);
}

const LbOp lb_op_affine = { .name = "affine",
                            .n_inputs = 1,
                            .shape = unary_shape,
                            .gradient = affine_gradient,
                            .shard = elementwise_shard,
                            .flops = one_flop,
                            .elementwise = TRUE };

LbNode *
lb_affine_at (const char *here, LbNode *a, double factor, double offset)
{
  LbAttributes attributes = { .factor = factor, .offset = offset };
  return lb_node_new (here, LB_OP_AFFINE, &a, 1, &attributes);
}

const LbOp lb_op_gate = { .name = "gate",
                          .n_inputs = 2,
                          .shape = gate_shape,
                          .gradient = gate_gradient,
                          .shard = elementwise_shard,
                          .flops = one_flop,
                          .elementwise = TRUE };

LbNode *
lb_gate_at (const char *here, LbNode *a, LbNode *b)
{
  return lb_node_new (here, LB_OP_GATE, (LbNode *[]){ a, b }, 2, NULL);
}

/* ---- What is made of others ---- */

LbNode *
lb_sigmoid_at (const char *here, LbNode *a)
{
  return lb_affine_at (here, lb_tanh_at (here, lb_affine_at (here, a, 0.5, 0)), 0.5, 0.5);
}

LbNode *
lb_leaky_relu_at (const char *here, LbNode *a, double slope)
{
  LbNode *positive = lb_affine_at (here, lb_relu_at (here, a), 1 - slope, 0);
  return lb_add_at (here, lb_affine_at (here, a, slope, 0), positive);
}

LbNode *
lb_gelu_at (const char *here, LbNode *a)
{
  LbNode *erf = lb_erf_at (here, lb_affine_at (here, a, G_SQRT2 / 2, 0));
  return lb_mul_at (here, a, lb_affine_at (here, erf, 0.5, 0.5));
}
