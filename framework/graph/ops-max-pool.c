/* Max pooling as choosing: a pair of adjoint linear maps, chosen by where x has its maxima. The choice is constant
 * almost everywhere, so the derivative of each is the other one and nothing flows to x through it.
 */
#include "graph/op.h"

static gint64
pooled (gint64 length, gint64 size)
{
  return length / size;
}

/* Attribute a = size. */
static gboolean
gather_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape;
  gint64 size = attributes->a;
  if (x.rank != 4 || size < 1 || x.dim[1] < size || x.dim[2] < size)
    return FALSE;
  *shape = LB_SHAPE (x.dim[0], pooled (x.dim[1], size), pooled (x.dim[2], size), x.dim[3]);
  return lb_shape_equal (inputs[1]->shape, x);
}

static gboolean
scatter_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape;
  gint64 size = attributes->a;
  if (x.rank != 4 || size < 1)
    return FALSE;
  *shape = x;
  return lb_shape_equal (inputs[1]->shape,
                         LB_SHAPE (x.dim[0], pooled (x.dim[1], size), pooled (x.dim[2], size), x.dim[3]));
}

static void
gather_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  if (wanted[1])
    gradients[1] = lb_max_scatter (node->inputs[0], g, node->attributes.a);
}

static void
scatter_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  if (wanted[1])
    gradients[1] = lb_max_gather (node->inputs[0], g, node->attributes.a);
}

static LbShard
both_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  cut[0] = cut[1] = TRUE;
  return LB_SHARD_EACH;
}

/* One comparison for each element of x. */
static double
choice_flops (const LbNode *node)
{
  return (double)lb_shape_size (node->inputs[0]->shape);
}

const LbOp lb_op_max_gather = { .name = "max-gather",
                                .n_inputs = 2,
                                .shape = gather_shape,
                                .gradient = gather_gradient,
                                .shard = both_shard,
                                .flops = choice_flops };

const LbOp lb_op_max_scatter = { .name = "max-scatter",
                                 .n_inputs = 2,
                                 .shape = scatter_shape,
                                 .gradient = scatter_gradient,
                                 .shard = both_shard,
                                 .flops = choice_flops };

LbNode *
lb_max_gather_at (const char *here, LbNode *x, LbNode *v, guint size)
{
  LbAttributes attributes = { .a = size };
  return lb_node_new (here, LB_OP_MAX_GATHER, (LbNode *[]){ x, v }, 2, &attributes);
}

LbNode *
lb_max_scatter_at (const char *here, LbNode *x, LbNode *g, guint size)
{
  LbAttributes attributes = { .a = size };
  return lb_node_new (here, LB_OP_MAX_SCATTER, (LbNode *[]){ x, g }, 2, &attributes);
}

LbNode *
lb_max_pool_at (const char *here, LbNode *x, guint size)
{
  return lb_max_gather_at (here, x, x, size);
}
