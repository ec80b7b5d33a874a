/* What a kernel file sees of the variant it is compiled for: real, vec, names that do not clash. */
#pragma once

#include "graph/kernels/kernels.h"

#include <math.h>
#include <string.h>

#ifdef __FMA__
#  include <immintrin.h>
#endif

typedef LB_REAL real;

/* 32 or 64, for the preprocessor. */
#define LB_REAL_BITS   LB_JOIN (LB_BITS_OF, LB_DTYPE)
#define LB_BITS_OF_f32 32
#define LB_BITS_OF_f64 64

/* A vector of the variant's width that may stand at any address of a real. */
typedef LB_REAL vec __attribute__ ((vector_size (LB_VECTOR_BYTES), aligned (sizeof (LB_REAL)), may_alias));
#define LANES ((gint64)(LB_VECTOR_BYTES / sizeof (LB_REAL)))

#define LB_JOIN_(a, b) a##_##b
#define LB_JOIN(a, b)  LB_JOIN_ (a, b)
/* The name of a kernel in this variant: KERNEL (add) is lb_kernel_add_f32_v4. */
#define KERNEL(name)         LB_JOIN (lb_kernel_##name, LB_VARIANT)
#define DECLARE_KERNEL(name) void KERNEL (name) (const LbCall *call)

/* One for each op; reshape has none. */
#define DECLARE_ROW(code, symbol) DECLARE_KERNEL (symbol);
DECLARE_KERNEL (constant);
LB_OPS (DECLARE_ROW)

/* Functions that become part of their callers, for arguments that are constants there; and such as never do: what
 * compilers need for a function grows faster than the function, and variables of a caller take registers from its sums.
 */
#define INLINE   static inline __attribute__ ((always_inline)) void
#define NOINLINE static __attribute__ ((noinline, unused)) void

static inline vec
load (const real *p)
{
  return *(const vec *)p;
}

static inline void
store (real *p, vec v)
{
  *(vec *)p = v;
}

/* All lanes @x. (x + 0 would lose the sign of -0; of a loop over lanes compilers make poor code.) */
static inline vec
spread (real x)
{
  return x - (vec){ 0 };
}

/* x y + z, rounded once where the instruction set can: kernels write it where they want it, because compilers do not
 * agree on where to fuse by themselves (contraction is off). So AVX2 and AVX-512 sets give the same bits; the baseline
 * set, which rounds the product first, does not. */
static inline vec
multiply_add (vec x, vec y, vec z)
{
#if LB_REAL_BITS == 32 && LB_VECTOR_BYTES == 64 && defined __AVX512F__
  return (vec)_mm512_fmadd_ps ((__m512)x, (__m512)y, (__m512)z);
#elif LB_REAL_BITS == 32 && LB_VECTOR_BYTES == 32 && defined __FMA__
  return (vec)_mm256_fmadd_ps ((__m256)x, (__m256)y, (__m256)z);
#elif LB_REAL_BITS == 32 && defined FP_FAST_FMAF
  vec sum;
  for (gint64 i = 0; i < LANES; i++)
    sum[i] = __builtin_fmaf (x[i], y[i], z[i]);
  return sum;
#else
  return x * y + z;
#endif
}

/* The same for one number. */
static inline real
multiply_add_one (real x, real y, real z)
{
#if LB_REAL_BITS == 32 && (defined __FMA__ || defined FP_FAST_FMAF)
  return __builtin_fmaf (x, y, z);
#else
  return x * y + z;
#endif
}

/* Either, by what @x is. */
#define MULTIPLY_ADD(x, y, z)                                                                                          \
  _Generic((x), float : multiply_add_one, double : multiply_add_one, default : multiply_add) (x, y, z)

/* Sum in a fixed order, of 16 parts whatever the width of vectors. */
static inline real
sum_row (const real *x, gint64 n)
{
  real parts[16] = { 0 };
  gint64 i = 0;
  for (; i + 16 <= n; i += 16)
    for (gint64 k = 0; k < 16; k++)
      parts[k] += x[i + k];
  for (gint64 k = 0; i < n; i++, k++)
    parts[k] += x[i];
  for (gint64 width = 8; width > 0; width /= 2)
    for (gint64 k = 0; k < width; k++)
      parts[k] += parts[k + width];
  return parts[0];
}
