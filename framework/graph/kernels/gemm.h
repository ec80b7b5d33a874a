/* The project's own matrix product, for shapes that convolutions have: C (m x n) = [C +] A B with rows of B and C
 * contiguous, n a multiple of the vector length, A with any strides.
 *
 * Each element of C is one chain of fused multiply-adds over k in ascending order, so its bits do not depend on the
 * vector length, on blocking or on neighbours. Nothing is packed: a panel of B of PANEL_K rows and NV vectors stays in
 * the first-level cache while all rows of A pass over it.
 */
#pragma once

#include "graph/kernels/variant.h"

/* Rows and vectors of a block of C: as many as registers hold. */
#if LB_VECTOR_BYTES == 64
#  define GEMM_MR 6
#  define GEMM_NV 4
#elif LB_VECTOR_BYTES == 32
#  define GEMM_MR 6
#  define GEMM_NV 2
#else
#  define GEMM_MR 4
#  define GEMM_NV 2
#endif
#define PANEL_K 256
#ifdef __clang__
#  define UNROLL _Pragma ("unroll")
#else
#  define UNROLL _Pragma ("GCC unroll 16")
#endif

/* Rows [0, mr) and @nv vectors of C; mr and nv are constants where it matters. */
static inline __attribute__ ((always_inline)) void
gemm_block (int mr, int nv, gint64 k, const real *a, gint64 row, gint64 step, const real *b, gint64 ldb, gboolean add,
            real *c, gint64 ldc)
{
  /* Unrolled, so that sums become registers. */
  vec sum[GEMM_MR][GEMM_NV];
  UNROLL for (int i = 0; i < mr; i++) UNROLL for (int v = 0; v < nv; v++) sum[i][v]
      = add ? load (c + i * ldc + v * LANES) : (vec){ 0 };
  for (gint64 p = 0; p < k; p++) {
    vec right[GEMM_NV];
    UNROLL for (int v = 0; v < nv; v++) right[v] = load (b + p * ldb + v * LANES);
    UNROLL for (int i = 0; i < mr; i++)
    {
      vec left = spread (a[i * row + p * step]);
      UNROLL for (int v = 0; v < nv; v++) sum[i][v] = multiply_add (left, right[v], sum[i][v]);
    }
  }
  UNROLL for (int i = 0; i < mr; i++) UNROLL for (int v = 0; v < nv; v++) store (c + i * ldc + v * LANES, sum[i][v]);
}

static inline __attribute__ ((always_inline)) void
gemm_rows (int nv, gint64 m, gint64 k, const real *a, gint64 row, gint64 step, const real *b, gint64 ldb, gboolean add,
           real *c, gint64 ldc)
{
  gint64 i = 0;
  for (; i + GEMM_MR <= m; i += GEMM_MR)
    gemm_block (GEMM_MR, nv, k, a + i * row, row, step, b, ldb, add, c + i * ldc, ldc);
  for (; i + 2 <= m; i += 2)
    gemm_block (2, nv, k, a + i * row, row, step, b, ldb, add, c + i * ldc, ldc);
  if (i < m)
    gemm_block (1, nv, k, a + i * row, row, step, b, ldb, add, c + i * ldc, ldc);
}

/* A's element (i, p) is a[i * row + p * step]. */
static inline void
gemm (gint64 m, gint64 n, gint64 k, const real *a, gint64 row, gint64 step, const real *b, gint64 ldb, gboolean add,
      real *c, gint64 ldc)
{
  for (gint64 p = 0; p < k; p += PANEL_K) {
    gint64 depth = MIN (PANEL_K, k - p), j = 0;
    const real *left = a + p * step, *right = b + p * ldb;
    for (; j + GEMM_NV * LANES <= n; j += GEMM_NV * LANES)
      gemm_rows (GEMM_NV, m, depth, left, row, step, right + j, ldb, add || p > 0, c + j, ldc);
    for (; j < n; j += LANES)
      gemm_rows (1, m, depth, left, row, step, right + j, ldb, add || p > 0, c + j, ldc);
  }
}
