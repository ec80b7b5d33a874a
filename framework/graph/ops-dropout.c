/* Dropout masks from keyed counters: a row of @keys holds the 64 bits of one sample's key as four numbers of 16 bits,
 * which any dtype of a graph holds exactly.
 */
#include "graph/op.h"

/* Attributes: factor = rate, a = salt, shape of the result. */
static gboolean
mask_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape keys = inputs[0]->shape;
  *shape = attributes->shape;
  return keys.rank == 2 && keys.dim[1] == LB_DROPOUT_KEY && shape->rank > 0 && shape->dim[0] == keys.dim[0]
         && attributes->factor >= 0 && attributes->factor < 1;
}

static void
mask_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
}

static LbShard
mask_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return LB_SHARD_EACH;
}

const LbOp lb_op_dropout_mask
    = { .name = "dropout-mask", .n_inputs = 1, .shape = mask_shape, .gradient = mask_gradient, .shard = mask_shard };

LbNode *
lb_dropout_mask_at (const char *here, LbNode *keys, LbShape shape, double rate, guint salt)
{
  LbAttributes attributes = { .factor = rate, .a = salt, .shape = shape };
  return lb_node_new (here, LB_OP_DROPOUT_MASK, &keys, 1, &attributes);
}

void
lb_dropout_keys (LbKey key, gint64 n, float *rows)
{
  for (gint64 i = 0; i < n; i++) {
    guint64 word = lb_key_index (key, (guint64)i).word;
    for (guint k = 0; k < LB_DROPOUT_KEY; k++)
      rows[LB_DROPOUT_KEY * i + k] = (float)(word >> 16 * k & 0xFFFF);
  }
}
