/* Dropout masks: word j % 4 of block j / 4 of a sample's Philox sequence decides about its element j. */
#include "graph/kernels/variant.h"

#include "base/philox.h"

/* Blocks at a time, for vectors across blocks. */
#define BLOCKS 32

/* The upper half of the counter: what base/random.c does not use. */
static guint64
use_of (gint64 salt)
{
  return (guint64)salt << 8 | 3;
}

static guint64
key_of (const real *row)
{
  guint64 word = 0;
  for (guint k = 0; k < LB_DROPOUT_KEY; k++)
    word |= (guint64)row[k] << 16 * k;
  return word;
}

static void
fill_sample (guint64 key, gint64 salt, guint32 threshold, real kept, gint64 n, real *out)
{
  guint32 words[4][BLOCKS];
  for (gint64 first = 0; first < n; first += 4 * BLOCKS) {
    lb_philox_blocks (key, (guint64)first / 4, use_of (salt), BLOCKS, words[0], words[1], words[2], words[3]);
    for (gint64 i = first; i < MIN (first + 4 * BLOCKS, n); i++)
      out[i] = words[i % 4][(i - first) / 4] < threshold ? 0 : kept;
  }
}

void
KERNEL (dropout_mask) (const LbCall *call)
{
  double rate = call->node->attributes.factor;
  guint32 threshold = (guint32)(rate * 4294967296.0);
  gint64 samples = call->output_shape.dim[0], n = lb_shape_size (call->output_shape) / MAX (samples, 1);
  const real *keys = call->inputs[0];
  for (gint64 i = 0; i < samples; i++)
    fill_sample (key_of (keys + LB_DROPOUT_KEY * i), call->node->attributes.a, threshold, (real)(1 / (1 - rate)), n,
                 (real *)call->output + i * n);
}
