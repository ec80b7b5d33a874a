/* Conversion between f16 and f32.
 *
 * A half has a sign, 5 bits of exponent with a bias of 15, and 10 bits of fraction; a float has 8, 127 and 23.
 */
#include "tensor/half.h"

#include <string.h>

#ifdef __x86_64__
#  include <immintrin.h>
#endif

/* ---- By integers ---- */

static guint16
half_of (float value)
{
  guint32 bits, sign, magnitude, shift, whole, rest, half;

  memcpy (&bits, &value, sizeof bits);
  sign = bits >> 16 & 0x8000;
  magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) /* not a number: quiet, as processors make it */
    return (guint16)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude >= 0x47800000) /* 2^16 and more */
    return (guint16)(sign | 0x7c00);
  if (magnitude < 0x33000000) /* below half of the smallest half */
    return (guint16)sign;
  /* Below 2^-14 halves have no leading one: its place is in the fraction. */
  shift = magnitude < 0x38800000 ? 126 - (magnitude >> 23) : 13;
  whole = magnitude < 0x38800000 ? (magnitude & 0x7fffff) | 0x800000 : magnitude - 0x38000000;
  rest = whole & ((1u << shift) - 1);
  half = whole >> shift;
  if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1)))
    half++; /* may carry into the exponent, up to infinity: the next number all the same */
  return (guint16)(sign | half);
}

static float
float_of (guint16 half)
{
  guint32 sign = (guint32)(half & 0x8000) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff, bits;
  float value;

  if (exponent == 0x1f)
    bits = sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0);
  else if (exponent != 0)
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  else {
    value = (float)fraction * 0x1p-24f;
    memcpy (&bits, &value, sizeof bits);
    bits |= sign;
  }
  memcpy (&value, &bits, sizeof value);
  return value;
}

void
lb_f16_from_f32_portable (const float *from, guint16 *to, gsize n)
{
  for (gsize i = 0; i < n; i++)
    to[i] = half_of (from[i]);
}

void
lb_f16_to_f32_portable (const guint16 *from, float *to, gsize n)
{
  for (gsize i = 0; i < n; i++)
    to[i] = float_of (from[i]);
}

/* ---- By the processor ---- */

#ifdef __x86_64__

static gboolean
has_f16c (void)
{
  __builtin_cpu_init ();
  /* Every processor with AVX2 has F16C, a name that clang 14 does not know. */
  return __builtin_cpu_supports ("avx2");
}

__attribute__ ((target ("avx,f16c"))) static void
from_f32_f16c (const float *from, guint16 *to, gsize n)
{
  gsize i = 0;

  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128 ((__m128i *)(void *)(to + i),
                      _mm256_cvtps_ph (_mm256_loadu_ps (from + i), _MM_FROUND_TO_NEAREST_INT));
  lb_f16_from_f32_portable (from + i, to + i, n - i);
}

__attribute__ ((target ("avx,f16c"))) static void
to_f32_f16c (const guint16 *from, float *to, gsize n)
{
  gsize i = 0;

  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps (to + i, _mm256_cvtph_ps (_mm_loadu_si128 ((const __m128i *)(const void *)(from + i))));
  lb_f16_to_f32_portable (from + i, to + i, n - i);
}

#endif

void
lb_f16_from_f32 (const float *from, guint16 *to, gsize n)
{
#ifdef __x86_64__
  if (has_f16c ()) {
    from_f32_f16c (from, to, n);
    return;
  }
#endif
  lb_f16_from_f32_portable (from, to, n);
}

void
lb_f16_to_f32 (const guint16 *from, float *to, gsize n)
{
#ifdef __x86_64__
  if (has_f16c ()) {
    to_f32_f16c (from, to, n);
    return;
  }
#endif
  lb_f16_to_f32_portable (from, to, n);
}
