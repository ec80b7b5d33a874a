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

/* No block has more. */
#define MOST_BLOCK_ROWS    8
#define MOST_BLOCK_VECTORS 4

#define PANEL_K 256
#ifdef __clang__
#  define UNROLL _Pragma ("unroll")
#else
#  define UNROLL _Pragma ("GCC unroll 16")
#endif

/* Elements of a cache line. */
#define LINE ((gint64)(64 / sizeof (real)))

/* Lanes of the lower and the upper halves of two vectors, by turns. */
#if LB_VECTOR_BYTES * 8 / LB_REAL_BITS == 16
#  define LOWER_LANES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#  define UPPER_LANES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LB_VECTOR_BYTES * 8 / LB_REAL_BITS == 8
#  define LOWER_LANES 0, 8, 1, 9, 2, 10, 3, 11
#  define UPPER_LANES 4, 12, 5, 13, 6, 14, 7, 15
#elif LB_VECTOR_BYTES * 8 / LB_REAL_BITS == 4
#  define LOWER_LANES 0, 4, 1, 5
#  define UPPER_LANES 2, 6, 3, 7
#else
#  define LOWER_LANES 0, 2
#  define UPPER_LANES 1, 3
#endif

/* As many vectors as they have lanes, transposed in place: each pass deals the rows of its two halves like cards, so a
 * pass for each doubling of lanes brings every element to its place. */
INLINE
transpose_lanes (vec *rows)
{
  vec dealt[LB_VECTOR_BYTES / sizeof (real)];
  UNROLL for (gint64 pass = 1; pass < LANES; pass *= 2)
  {
    UNROLL for (gint64 i = 0; i < LANES / 2; i++)
    {
      dealt[2 * i] = (vec)__builtin_shufflevector (rows[i], rows[i + LANES / 2], LOWER_LANES);
      dealt[2 * i + 1] = (vec)__builtin_shufflevector (rows[i], rows[i + LANES / 2], UPPER_LANES);
    }
    UNROLL for (gint64 i = 0; i < LANES; i++) rows[i] = dealt[i];
  }
}

/* S (i, ...) for the rows, S (v, ...) for the vectors and S (v, i) for both of a block, whose numbers are constants.
 * Written out, because compilers unroll loops only after they have chosen what becomes a register and have instrumented
 * for sanitizers what does not; twice, because a macro cannot stand in itself. (Functions of a row would not do: what
 * has an address is no register where it is watched.)
 */
#define OF_VECTORS(n, S, ...)                                                                                          \
  if ((n) > 0)                                                                                                         \
    S (0, __VA_ARGS__);                                                                                                \
  if ((n) > 1)                                                                                                         \
    S (1, __VA_ARGS__);                                                                                                \
  if ((n) > 2)                                                                                                         \
    S (2, __VA_ARGS__);                                                                                                \
  if ((n) > 3)                                                                                                         \
    S (3, __VA_ARGS__);
#define OF_ROWS(n, S, ...)                                                                                             \
  if ((n) > 0)                                                                                                         \
    S (0, __VA_ARGS__);                                                                                                \
  if ((n) > 1)                                                                                                         \
    S (1, __VA_ARGS__);                                                                                                \
  if ((n) > 2)                                                                                                         \
    S (2, __VA_ARGS__);                                                                                                \
  if ((n) > 3)                                                                                                         \
    S (3, __VA_ARGS__);                                                                                                \
  if ((n) > 4)                                                                                                         \
    S (4, __VA_ARGS__);                                                                                                \
  if ((n) > 5)                                                                                                         \
    S (5, __VA_ARGS__);                                                                                                \
  if ((n) > 6)                                                                                                         \
    S (6, __VA_ARGS__);                                                                                                \
  if ((n) > 7)                                                                                                         \
    S (7, __VA_ARGS__);
#define OF_ROW(i, vectors, S)                                                                                          \
  {                                                                                                                    \
    OF_VECTORS (vectors, S, i)                                                                                         \
  }
#define OF_BLOCK(rows, vectors, S) OF_ROWS (rows, OF_ROW, vectors, S)

/* Rows [0, mr) and @nv vectors of C; mr and nv are constants where it matters. With @ahead, a line from there on is
 * brought into the second-level cache for each k. */
INLINE
gemm_block (int mr, int nv, gint64 k, const real *a, gint64 row, gint64 step, const real *b, gint64 ldb, gboolean add,
            real *c, gint64 ldc, const real *ahead)
{
#define START(v, i)    sum[i][v] = add ? load (c + (i)*ldc + (v)*LANES) : spread (0)
#define TAKE(v, ...)   right[v] = load (b + p * ldb + (v)*LANES)
#define MULTIPLY(v, i) sum[i][v] = multiply_add (left, right[v], sum[i][v])
#define FINISH(v, i)   store (c + (i)*ldc + (v)*LANES, sum[i][v])
#define MULTIPLY_ROW(i, ...)                                                                                           \
  {                                                                                                                    \
    vec left = spread (a[(i)*row + p * step]);                                                                         \
    OF_VECTORS (nv, MULTIPLY, i)                                                                                       \
  }
  vec sum[MOST_BLOCK_ROWS][MOST_BLOCK_VECTORS];
  OF_BLOCK (mr, nv, START)
  for (gint64 p = 0; p < k; p++) {
    vec right[MOST_BLOCK_VECTORS];
    if (ahead != NULL)
      __builtin_prefetch (ahead + p * LINE, 0, 2);
    OF_VECTORS (nv, TAKE, )
    OF_ROWS (mr, MULTIPLY_ROW, )
  }
  OF_BLOCK (mr, nv, FINISH)
#undef START
#undef TAKE
#undef MULTIPLY
#undef FINISH
#undef MULTIPLY_ROW
}

INLINE
gemm_rows (int nv, gint64 m, gint64 k, const real *a, gint64 row, gint64 step, const real *b, gint64 ldb, gboolean add,
           real *c, gint64 ldc)
{
  gint64 i = 0;
  for (; i + GEMM_MR <= m; i += GEMM_MR)
    gemm_block (GEMM_MR, nv, k, a + i * row, row, step, b, ldb, add, c + i * ldc, ldc, NULL);
  for (; i + 2 <= m; i += 2)
    gemm_block (2, nv, k, a + i * row, row, step, b, ldb, add, c + i * ldc, ldc, NULL);
  if (i < m)
    gemm_block (1, nv, k, a + i * row, row, step, b, ldb, add, c + i * ldc, ldc, NULL);
}

/* A's element (i, p) is a[i * row + p * step]. */
NOINLINE
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

/* ---- Products with panels: matrices whose columns are cut into panels of PANEL_WIDTH (the last may be narrower), each
 * stored by itself, row after row. What a product reads or adds to is then contiguous, and the next panel can be
 * fetched while this one is in use. ---- */

#define PANEL_WIDTH (GEMM_NV * LANES)

/* Where column @column (a multiple of the vector length) of row 0 of a matrix of @rows x @columns stands, and how far
 * apart the rows of its panel are. */
static inline gint64
panel_at (gint64 rows, gint64 columns, gint64 column, gint64 *stride)
{
  gint64 first = column / PANEL_WIDTH * PANEL_WIDTH;
  *stride = MIN (PANEL_WIDTH, columns - first);
  return first * rows + column - first;
}

/* C (m x n, rows of @ldc) = [C +] A B with B (k x n) in panels: the rows of A pass over each panel while the next is
 * fetched. */
NOINLINE
gemm_by_panels (gint64 m, gint64 n, gint64 k, const real *a, gint64 row, const real *b, gboolean add, real *c,
                gint64 ldc)
{
  gint64 j = 0;
  for (; j + PANEL_WIDTH <= n; j += PANEL_WIDTH, b += k * PANEL_WIDTH, c += PANEL_WIDTH) {
    const real *next = b + k * PANEL_WIDTH;
    gint64 i = 0, lines = k * PANEL_WIDTH / LINE, fetched = 0;
    for (; i + GEMM_MR <= m && fetched + k <= lines; i += GEMM_MR, fetched += k)
      gemm_block (GEMM_MR, GEMM_NV, k, a + i * row, row, 1, b, PANEL_WIDTH, add, c + i * ldc, ldc,
                  next + fetched * LINE);
    for (; i + GEMM_MR <= m; i += GEMM_MR)
      gemm_block (GEMM_MR, GEMM_NV, k, a + i * row, row, 1, b, PANEL_WIDTH, add, c + i * ldc, ldc, NULL);
    for (; i + 2 <= m; i += 2)
      gemm_block (2, GEMM_NV, k, a + i * row, row, 1, b, PANEL_WIDTH, add, c + i * ldc, ldc, NULL);
    if (i < m)
      gemm_block (1, GEMM_NV, k, a + i * row, row, 1, b, PANEL_WIDTH, add, c + i * ldc, ldc, NULL);
  }
  for (gint64 width = n - j, at = 0; j < n; j += LANES, at += LANES)
    gemm_rows (1, m, k, a, row, 1, b + at, width, add, c + at, ldc);
}

/* C (m x n, in panels) = [C +] A B, where A's element (i, p) is a[i + p * step]; the next rows of C are fetched while
 * these are computed. */
NOINLINE
gemm_to_panels (gint64 m, gint64 n, gint64 k, const real *a, gint64 step, const real *b, gint64 ldb, gboolean add,
                real *c)
{
  gint64 j = 0;
  for (; j + PANEL_WIDTH <= n; j += PANEL_WIDTH, c += m * PANEL_WIDTH) {
    gint64 i = 0;
    for (; i + GEMM_MR <= m; i += GEMM_MR)
      gemm_block (GEMM_MR, GEMM_NV, k, a + i, 1, step, b + j, ldb, add, c + i * PANEL_WIDTH, PANEL_WIDTH,
                  c + (i + GEMM_MR) * PANEL_WIDTH);
    for (; i + 2 <= m; i += 2)
      gemm_block (2, GEMM_NV, k, a + i, 1, step, b + j, ldb, add, c + i * PANEL_WIDTH, PANEL_WIDTH, NULL);
    if (i < m)
      gemm_block (1, GEMM_NV, k, a + i, 1, step, b + j, ldb, add, c + i * PANEL_WIDTH, PANEL_WIDTH, NULL);
  }
  for (gint64 width = n - j, at = 0; j < n; j += LANES, at += LANES)
    gemm_rows (1, m, k, a, 1, step, b + j, ldb, add, c + at, width);
}
