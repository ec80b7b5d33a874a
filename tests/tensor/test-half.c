/* Half precision: every half, and floats of all kinds. */
#include <math.h>
#include <string.h>

#include "limbeck.h"
#include "tensor/half.h"

static float
float_from_bits (guint32 bits)
{
  float value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

static guint16
half_of (float value)
{
  guint16 half;

  lb_f16_from_f32_portable (&value, &half, 1);
  return half;
}

static float
float_of (guint16 half)
{
  float value;

  lb_f16_to_f32_portable (&half, &value, 1);
  return value;
}

/* By the definition of the format. */
static void
test_values_of_halves (void)
{
  for (guint half = 0; half < 0x7c00; half++) {
    guint exponent = half >> 10, fraction = half & 0x3ff;
    double value = exponent == 0 ? ldexp (fraction, -24) : ldexp (1024 + fraction, (int)exponent - 25);

    g_assert_cmpfloat (float_of ((guint16)half), ==, value);
    g_assert_cmpfloat (float_of ((guint16)(half | 0x8000)), ==, -value);
  }
  g_assert_true (isinf (float_of (0x7c00)) && float_of (0xfc00) < 0);
  g_assert_true (isnan (float_of (0x7c01)) && isnan (float_of (0xffff)));
  g_assert_true (signbit (float_of (0x8000)));
}

static void
test_every_half_survives_a_round_trip (void)
{
  for (guint half = 0; half <= 0xffff; half++)
    if ((half & 0x7c00) != 0x7c00 || (half & 0x3ff) == 0 || (half & 0x200))
      g_assert_cmphex (half_of (float_of ((guint16)half)), ==, half);
}

/* Half-way between two neighbours the even one is taken; a touch more or less decides. */
static void
test_rounds_to_nearest_and_ties_to_even (void)
{
  for (guint half = 0; half < 0x7bff; half++) {
    double low = float_of ((guint16)half), high = float_of ((guint16)(half + 1));
    float middle = (float)((low + high) / 2);

    g_assert_cmpfloat (middle, ==, (low + high) / 2);
    g_assert_cmphex (half_of (middle), ==, half & 1 ? half + 1 : half);
    g_assert_cmphex (half_of (-middle), ==, (half & 1 ? half + 1 : half) | 0x8000);
    g_assert_cmphex (half_of (nextafterf (middle, INFINITY)), ==, half + 1);
    g_assert_cmphex (half_of (nextafterf (middle, 0)), ==, half);
  }
  g_assert_cmphex (half_of (65519.99f), ==, 0x7bff);
  g_assert_cmphex (half_of (65520), ==, 0x7c00);
  g_assert_cmphex (half_of (1e30f), ==, 0x7c00);
  g_assert_cmphex (half_of (1e-30f), ==, 0);
  g_assert_cmphex (half_of (NAN) & 0x7e00, ==, 0x7e00);
}

/* Whatever the processor has, on runs of all lengths. */
static void
test_same_bits_with_and_without_instructions (void)
{
  enum { N = 4099 };
  static float values[N], back[N], back_portable[N];
  static guint16 halves[N], portable[N];
  LbRandom random = lb_random (lb_key (9));

  for (guint round = 0; round < 200; round++) {
    gsize n = N - round % 17;
    for (guint i = 0; i < N; i++) {
      guint32 bits = (guint32)lb_random_below (&random, G_MAXUINT32);
      /* Exponents that halves have, in most. */
      if (i % 4)
        bits = (bits & 0x807fffff) | (guint32)(100 + bits % 47) << 23;
      values[i] = float_from_bits (bits);
    }
    lb_f16_from_f32 (values, halves, n);
    lb_f16_from_f32_portable (values, portable, n);
    g_assert_cmpmem (halves, n * 2, portable, n * 2);
    for (guint i = 0; i < N; i++)
      halves[i] = (guint16)(round * N + i);
    lb_f16_to_f32 (halves, back, n);
    lb_f16_to_f32_portable (halves, back_portable, n);
    g_assert_cmpmem (back, n * 4, back_portable, n * 4);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/half/values-of-halves", test_values_of_halves);
  g_test_add_func ("/half/every-half-survives-a-round-trip", test_every_half_survives_a_round_trip);
  g_test_add_func ("/half/rounds-to-nearest-and-ties-to-even", test_rounds_to_nearest_and_ties_to_even);
  g_test_add_func ("/half/same-bits-with-and-without-instructions", test_same_bits_with_and_without_instructions);
  return g_test_run ();
}
