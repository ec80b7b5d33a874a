/* The rounds of Philox4x32-10 (random.h), inline, for many consecutive counters at once: what compiles them may turn
 * the loops over blocks into vectors. Integers alone, so the words are the same however they are compiled.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define LB_PHILOX_ROUNDS       10
#define LB_PHILOX_MULTIPLIER_0 0xD2511F53u
#define LB_PHILOX_MULTIPLIER_1 0xCD9E8D57u
#define LB_PHILOX_WEYL_0       0x9E3779B9u
#define LB_PHILOX_WEYL_1       0xBB67AE85u

/* Word k of the block of counter (low + i, high) goes to xk[i], for i < n. */
static inline void
lb_philox_blocks (guint64 key, guint64 low, guint64 high, gsize n, guint32 *restrict x0, guint32 *restrict x1,
                  guint32 *restrict x2, guint32 *restrict x3)
{
  guint32 key_0 = (guint32)key, key_1 = (guint32)(key >> 32);

  for (gsize i = 0; i < n; i++) {
    x0[i] = (guint32)(low + i);
    x1[i] = (guint32)((low + i) >> 32);
    x2[i] = (guint32)high;
    x3[i] = (guint32)(high >> 32);
  }
  for (int round = 0; round < LB_PHILOX_ROUNDS; round++) {
    for (gsize i = 0; i < n; i++) {
      guint64 product_0 = (guint64)LB_PHILOX_MULTIPLIER_0 * x0[i];
      guint64 product_1 = (guint64)LB_PHILOX_MULTIPLIER_1 * x2[i];
      x0[i] = (guint32)(product_1 >> 32) ^ x1[i] ^ key_0;
      x1[i] = (guint32)product_1;
      x2[i] = (guint32)(product_0 >> 32) ^ x3[i] ^ key_1;
      x3[i] = (guint32)product_0;
    }
    key_0 += LB_PHILOX_WEYL_0;
    key_1 += LB_PHILOX_WEYL_1;
  }
}

G_END_DECLS
