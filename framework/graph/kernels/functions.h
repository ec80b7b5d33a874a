/* exp, log, tanh and erf of vectors.
 *
 * Those of the C library may differ in the last bit from one release or processor to the next; these are chains of IEEE
 * operations, lane by lane, so that every set of kernels with fused multiply-adds gives the same bits. f32: the error
 * is below 1.1 units in the last place (exp, log), 1.6 (tanh) and 1.8 (erf); subnormal numbers,
 * infinities and not-a-number are treated as IEEE asks. tests/graph/test-functions.c holds them to this. f64, which
 * serves checks alone, takes the C library's.
 */
#pragma once

#include "graph/kernels/variant.h"

#if LB_REAL_BITS == 32

typedef gint32 ivec __attribute__ ((vector_size (LB_VECTOR_BYTES)));
typedef guint32 uvec __attribute__ ((vector_size (LB_VECTOR_BYTES))); /* for sums that may wrap around */

/* @yes in lanes where @mask is all ones, @no where it is zero. */
static inline vec
choose_lanes (ivec mask, vec yes, vec no)
{
  return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

static inline vec
absolute (vec x)
{
  return (vec)((ivec)x & 0x7fffffff);
}

/* @magnitude (not negative) with the sign of @x */
static inline vec
with_sign_of (vec magnitude, vec x)
{
  return (vec)((ivec)magnitude | ((ivec)x & ~0x7fffffff));
}

/* sum c[i] x^i for i < n, by Horner's rule; n is a constant. */
static inline __attribute__ ((always_inline)) vec
polynomial (vec x, const real *c, int n)
{
  vec sum = spread (c[n - 1]);
  for (int i = n - 2; i >= 0; i--)
    sum = multiply_add (sum, x, spread (c[i]));
  return sum;
}

/* ln 2; a multiple of the first part by an exponent has no rounding error. */
#  define LN_2_HIGH 0x1.62ep-1f
#  define LN_2_LOW  0x1.0bfbe8p-15f

/* x = k ln 2 + r with ln 2 in two parts (Cody, Waite, "Software manual for the elementary functions", 1980), Taylor's
 * series of e^r for |r| <= ln 2 / 2, and 2^k in two factors, so that results below the normal range are rounded once.
 */
static inline vec
vec_exp (vec x)
{
  static const real series[] = { 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040 };
  const vec rounder = spread (0x1.8p23f), least = spread (-104), most = spread (89);
  x = choose_lanes (x < least, least, choose_lanes (x > most, most, x));
  vec shifted = multiply_add (x, spread (0x1.715476p+0f), rounder), k = shifted - rounder;
  vec r = multiply_add (k, spread (-LN_2_HIGH), x);
  r = multiply_add (k, spread (-LN_2_LOW), r);
  vec tail = multiply_add (r * r, polynomial (r, series, G_N_ELEMENTS (series)), r);
  ivec exponent = (ivec)((uvec)shifted - (uvec)rounder), half = exponent >> 1;
  uvec first = (uvec)half, second = (uvec)exponent - first;
  return (tail + spread (1)) * (vec)((first + 127) << 23) * (vec)((second + 127) << 23);
}

/* x = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2), ln (1 + f) = 2 artanh (f / (2 + f)) as a series, arranged so that
 * f - f^2 / 2 carries most of the value (Tang, "Table-driven implementation of the logarithm function in IEEE
 * floating-point arithmetic", ACM TOMS 16, 1990). */
static inline vec
vec_log (vec x)
{
  static const real series[] = { 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9 };
  const vec smallest_normal = spread (0x1p-126f);
  ivec is_small = x < smallest_normal;
  vec normal = choose_lanes (is_small, x * 0x1p23f, x);
  uvec bits = (uvec)normal - 0x3f3504f3; /* sqrt 1/2 */
  ivec exponent = ((ivec)bits >> 23) - (is_small & 23);
  vec f = (vec)((bits & 0x7fffff) + 0x3f3504f3) - spread (1);
  vec k = __builtin_convertvector(exponent, vec);
  vec s = f / (f + spread (2)), square = s * s, half = f * f * (real)0.5;
  vec rest = square * polynomial (square, series, G_N_ELEMENTS (series));
  vec low = multiply_add (k, spread (LN_2_LOW), s * (half + rest)); /* of k ln 2 and the series */
  vec y = multiply_add (k, spread (LN_2_HIGH), f - (half - low));
  y = choose_lanes (x == spread (0), spread (-INFINITY), y);
  y = choose_lanes (x < spread (0), spread (NAN), y);
  return choose_lanes ((x == spread (INFINITY)) | (x != x), x, y);
}

/* Lambert's continued fraction to x^9 for small |x|, and 1 - 2 / (e^2|x| + 1). */
static inline vec
vec_tanh (vec x)
{
  static const real above[] = { 315, 14 }, below[] = { 945, 420, 15 };
  vec a = absolute (x), square = x * x;
  vec ratio = square * polynomial (square, above, 2) / polynomial (square, below, 3);
  vec inner = multiply_add (-a, ratio, a);
  vec outer = spread (1) - spread (2) / (vec_exp (a + a) + spread (1));
  return with_sign_of (choose_lanes (a < spread ((real)0.55), inner, outer), x);
}

/* Maclaurin's series for |x| < 1; above, 1 - e^(-x^2) w with w = e^(x^2) erfc x interpolated in Chebyshev's points as a
 * polynomial of 1 / (|x| + 1.5) on [1, 4]. */
static inline vec
vec_erf (vec x)
{
  static const real series[]
      = { 1.0 / 3,     -1.0 / 10,     1.0 / 42,      -1.0 / 216,      1.0 / 1320,     -1.0 / 9360,
          1.0 / 75600, -1.0 / 685440, 1.0 / 6894720, -1.0 / 76204800, 1.0 / 918086400 };
  static const real tail[]
      = { 0.262237607, 0.144643681, 0.0202580349, 0.000656125389, -0.000208197966, -7.74557759e-06, 4.07340193e-06 };
  const real two_by_root_pi = (real)1.1283791670955126, extra = (real)0.1283791670955126;
  vec a = absolute (x), square = x * x;
  vec inner
      = multiply_add (a, multiply_add (-square * two_by_root_pi, polynomial (square, series, 11), spread (extra)), a);
  vec t = multiply_add (spread (1) / (a + spread ((real)1.5)), spread ((real)(55.0 / 6)), spread ((real)(-8.0 / 3)));
  vec outer = multiply_add (-vec_exp (-square), polynomial (t, tail, G_N_ELEMENTS (tail)), spread (1));
  outer = choose_lanes (a > spread (4), spread (1), outer);
  outer = choose_lanes (x != x, x, outer);
  return with_sign_of (choose_lanes (a < spread (1), inner, outer), x);
}

#else

#  define LANE_BY_LANE(name, expression)                                                                               \
    static inline vec vec_##name (vec v)                                                                               \
    {                                                                                                                  \
      for (gint64 i = 0; i < LANES; i++) {                                                                             \
        real x = v[i];                                                                                                 \
        v[i] = (expression);                                                                                           \
      }                                                                                                                \
      return v;                                                                                                        \
    }
LANE_BY_LANE (exp, exp (x))
LANE_BY_LANE (log, log (x))
LANE_BY_LANE (tanh, tanh (x))
LANE_BY_LANE (erf, erf (x))

#endif

/* y[i] = function (x[i]); y may be x. */
INLINE
map_function (vec (*function) (vec), gint64 n, const real *x, real *y)
{
  gint64 i = 0;
  for (; i + LANES <= n; i += LANES)
    store (y + i, function (load (x + i)));
  if (i < n) {
    real rest[LANES];
    memset (rest, 0, sizeof rest);
    memcpy (rest, x + i, (n - i) * sizeof (real));
    store (rest, function (load (rest)));
    memcpy (y + i, rest, (n - i) * sizeof (real));
  }
}

/* ln of one number. */
static inline real
log_one (real x)
{
  return vec_log (spread (x))[0];
}
