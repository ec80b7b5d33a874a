/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011).
 *
 * A number depends only on a key and a position, never on a clock, an address, a thread or the order of calls
 * elsewhere. A key is made from the pipeline's seed and narrowed by what the numbers are for:
 *
 *   LbKey key = lb_key_index (lb_key_derive (lb_stage_key (stage), "real batch"), iteration);
 *   LbRandom random = lb_random (key);
 *   double u = lb_random_uniform (&random);
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Identifies one independent sequence of random numbers. A plain value; copy freely. */
typedef struct {
  guint64 word;
} LbKey;

/* A position in the sequence that a key names. A plain value on the stack. */
typedef struct {
  LbKey key;
  guint64 counter;
  guint32 block[4];
  guint used;   /* words of @block already handed out */
  double spare; /* second number of the last Box-Muller pair */
  gboolean has_spare;
} LbRandom;

/* The key that all others of a run are derived from. */
LbKey lb_key (guint64 seed);

/* A key for one purpose: equal purposes give equal keys, different ones independent keys. */
LbKey lb_key_derive (LbKey key, const char *purpose);

/* A key for one step, class, student, ... of a purpose. */
LbKey lb_key_index (LbKey key, guint64 index);

/* Ten rounds of Philox4x32 on @counter with @key, for those who need the raw block. */
void lb_philox (LbKey key, guint64 counter_low, guint64 counter_high, guint32 out[4]);

/* The start of the sequence that @key names. */
LbRandom lb_random (LbKey key);

/* Uniform in [0, 1), 53 bits. */
double lb_random_uniform (LbRandom *random);

/* Standard normal, by Box-Muller. */
double lb_random_normal (LbRandom *random);

/* Uniform in {0, ..., n - 1}, without bias. @n must not be 0. */
guint64 lb_random_below (LbRandom *random, guint64 n);

/* Fills @order with a uniform permutation of {0, ..., n - 1} (Fisher-Yates). */
void lb_random_permutation (LbRandom *random, guint32 *order, gsize n);

/* Fills @values with @n numbers. */
void lb_random_fill_normal (LbRandom *random, float *values, gsize n);
void lb_random_fill_uniform (LbRandom *random, float *values, gsize n, double low, double high);

G_END_DECLS
