/* Philox4x32-10 and what is drawn from it.
 *
 * Invariants: a number is a function of key and position alone. The logarithm behind the normal numbers is
 * written out here in plain IEEE double operations, because that of the C library may differ in the last bit from one
 * release or processor to the next (angle.h has the sine and cosine).
 */
#include "base/random.h"

#include "base/angle.h"

#include <math.h>
#include <string.h>

#include "base/philox.h"

/* The upper half of the Philox counter, which tells apart what a key is used for. Drawing uses 0; dropout masks
 * (graph/kernels/dropout.c) use numbers that end in 3. */
enum { DRAW = 0, DERIVE = 1, INDEX = 2 };

void
lb_philox (LbKey key, guint64 counter_low, guint64 counter_high, guint32 out[4])
{
  lb_philox_blocks (key.word, counter_low, counter_high, 1, &out[0], &out[1], &out[2], &out[3]);
}

static LbKey
narrow (LbKey key, guint64 by, guint64 use)
{
  guint32 out[4];

  lb_philox (key, by, use, out);
  return (LbKey){ .word = (guint64)out[1] << 32 | out[0] };
}

LbKey
lb_key (guint64 seed)
{
  return (LbKey){ .word = seed };
}

LbKey
lb_key_derive (LbKey key, const char *purpose)
{
  gsize length = strlen (purpose);

  /* Eight letters at a time, then the length, so that no two purposes are absorbed alike. */
  for (gsize first = 0; first < length; first += 8) {
    guint64 letters = 0;
    for (gsize i = first; i < MIN (first + 8, length); i++)
      letters |= (guint64)(guchar)purpose[i] << 8 * (i - first);
    key = narrow (key, letters, DERIVE);
  }
  return narrow (key, length, DERIVE | G_GUINT64_CONSTANT (1) << 32);
}

LbKey
lb_key_index (LbKey key, guint64 index)
{
  return narrow (key, index, INDEX);
}

LbRandom
lb_random (LbKey key)
{
  return (LbRandom){ .key = key, .used = 4 };
}

static guint64
next_word (LbRandom *random)
{
  if (random->used >= 4) {
    lb_philox (random->key, random->counter++, DRAW, random->block);
    random->used = 0;
  }
  guint64 low = random->block[random->used], high = random->block[random->used + 1];
  random->used += 2;
  return high << 32 | low;
}

double
lb_random_uniform (LbRandom *random)
{
  return (double)(next_word (random) >> 11) * 0x1p-53;
}

/* ln x for 0 < x <= 1, to about one unit in the last place: x = 2^exponent m with m near 1, and
 * ln m = 2 artanh ((m - 1) / (m + 1)) as a power series. */
static double
natural_logarithm (double x)
{
  int exponent;
  double m = frexp (x, &exponent);

  if (m < 0.70710678118654752) {
    m *= 2;
    exponent--;
  }
  double s = (m - 1) / (m + 1), square = s * s, sum = 0;
  for (int k = 23; k >= 3; k -= 2)
    sum = (sum + 1.0 / k) * square;
  return exponent * 0.69314718055994530942 + 2 * (s + s * sum);
}

double
lb_random_normal (LbRandom *random)
{
  if (random->has_spare) {
    random->has_spare = FALSE;
    return random->spare;
  }
  /* (0, 1], so that the logarithm is finite. */
  double radius = sqrt (-2 * natural_logarithm (1 - lb_random_uniform (random)));
  double x, y;
  lb_sine_cosine (4 * lb_random_uniform (random), &y, &x);
  random->spare = radius * y;
  random->has_spare = TRUE;
  return radius * x;
}

guint64
lb_random_below (LbRandom *random, guint64 n)
{
  g_return_val_if_fail (n > 0, 0);

  /* The upper word of a product is uniform once the few lower words that have one more way than others are rejected
   * (Lemire, "Fast random integer generation in an interval", 2019). */
  guint64 reject_below = -n % n;
  for (;;) {
    unsigned __int128 product = (unsigned __int128)next_word (random) * n;
    if ((guint64)product >= reject_below)
      return (guint64)(product >> 64);
  }
}

void
lb_random_permutation (LbRandom *random, guint32 *order, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    gsize j = lb_random_below (random, i + 1);
    order[i] = order[j];
    order[j] = (guint32)i;
  }
}

void
lb_random_fill_normal (LbRandom *random, float *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    values[i] = (float)lb_random_normal (random);
}

void
lb_random_fill_uniform (LbRandom *random, float *values, gsize n, double low, double high)
{
  for (gsize i = 0; i < n; i++) {
    float value = (float)(low + (high - low) * lb_random_uniform (random));
    /* Rounding to float may reach the open end. */
    values[i] = value >= high && low < high ? nextafterf ((float)high, (float)low) : value;
  }
}
