/* Products of many pairs of matrices, as attention takes them. Attributes a, b tell which operands are transposed. */
#include "graph/op.h"

static gboolean
batch_matmul_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape a = inputs[0]->shape, b = inputs[1]->shape;
  guint rank = a.rank;
  if (rank < 3 || b.rank != rank)
    return FALSE;
  for (guint i = 0; i + 2 < rank; i++)
    if (a.dim[i] != b.dim[i])
      return FALSE;
  *shape = a;
  shape->dim[rank - 2] = a.dim[attributes->a ? rank - 1 : rank - 2];
  shape->dim[rank - 1] = b.dim[attributes->b ? rank - 2 : rank - 1];
  return a.dim[attributes->a ? rank - 2 : rank - 1] == b.dim[attributes->b ? rank - 1 : rank - 2];
}

static void
batch_matmul_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *a = node->inputs[0], *b = node->inputs[1];
  gboolean ta = node->attributes.a != 0, tb = node->attributes.b != 0;
  if (wanted[0])
    gradients[0] = ta ? lb_batch_matmul (b, tb, g, TRUE) : lb_batch_matmul (g, FALSE, b, !tb);
  if (wanted[1])
    gradients[1] = tb ? lb_batch_matmul (g, TRUE, a, ta) : lb_batch_matmul (a, !ta, g, FALSE);
}

static LbShard
batch_matmul_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  cut[0] = cut[1] = TRUE;
  return LB_SHARD_EACH;
}

static double
batch_matmul_flops (const LbNode *node)
{
  LbShape a = node->inputs[0]->shape;
  return 2.0 * (double)lb_shape_size (node->shape) * (double)a.dim[node->attributes.a ? a.rank - 2 : a.rank - 1];
}

const LbOp lb_op_batch_matmul = { .name = "batch-matmul",
                                  .n_inputs = 2,
                                  .shape = batch_matmul_shape,
                                  .gradient = batch_matmul_gradient,
                                  .shard = batch_matmul_shard,
                                  .flops = batch_matmul_flops };

LbNode *
lb_batch_matmul_at (const char *here, LbNode *a, gboolean transpose_a, LbNode *b, gboolean transpose_b)
{
  LbAttributes attributes = { .a = transpose_a != FALSE, .b = transpose_b != FALSE };
  return lb_node_new (here, LB_OP_BATCH_MATMUL, (LbNode *[]){ a, b }, 2, &attributes);
}
