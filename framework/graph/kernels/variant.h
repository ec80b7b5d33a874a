/* What a kernel file sees of the variant it is compiled for: real, vec, names that do not clash. */
#pragma once

#include "graph/kernels/kernels.h"

#include <math.h>
#include <string.h>

typedef LB_REAL real;

/* A vector of the variant's width that may stand at any address of a real. */
typedef LB_REAL vec __attribute__ ((vector_size (LB_VECTOR_BYTES), aligned (sizeof (LB_REAL)), may_alias));
#define LANES ((gint64)(LB_VECTOR_BYTES / sizeof (LB_REAL)))

#define LB_JOIN_(a, b) a##_##b
#define LB_JOIN(a, b)  LB_JOIN_ (a, b)
/* The name of a kernel in this variant: KERNEL (add) is lb_kernel_add_f32_v4. */
#define KERNEL(name)         LB_JOIN (lb_kernel_##name, LB_VARIANT)
#define DECLARE_KERNEL(name) void KERNEL (name) (const LbCall *call)

#define LB_GEMM            LB_GEMM_OF (LB_DTYPE)
#define LB_GEMM_OF(dtype)  LB_GEMM_OF_ (dtype)
#define LB_GEMM_OF_(dtype) lb_gemm_##dtype

/* One for each op; reshape has none. */
#define DECLARE_ROW(code, symbol) DECLARE_KERNEL (symbol);
DECLARE_KERNEL (constant);
LB_OPS (DECLARE_ROW)

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

/* All lanes @x. (Not x + (vec){}: -0 + 0 is 0.) */
static inline vec
spread (real x)
{
  vec v;
  for (gint64 i = 0; i < LANES; i++)
    v[i] = x;
  return v;
}
