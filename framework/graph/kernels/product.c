/* Matrix product (product.h), blocked for registers and caches.
 *
 * A block of C, a few rows by a few vectors, stays in registers while k runs; a panel of B, as wide as a block, is
 * packed where it does not already lie well and stays in the first-level cache while rows of A pass over it. A is read
 * where it is: each of its elements is spread over a vector, which asks for no order.
 */
#include "graph/kernels/product.h"

#include "graph/kernels/gemm.h"

/* Vectors of the widest block, and how far k runs at a time: a panel takes 64 KiB at most. */
#define MOST_VECTORS GEMM_NV
#ifndef DEPTH
#  define DEPTH ((gint64)256)
#endif

/* Rows of A that pass over a panel before the next one is packed: they stay in the second-level cache. */
#define MOST_ROWS 240

/* Rows that lie a multiple of so many bytes apart would push each other out of the first-level cache; they are copied
 * when at least so many panels pass, and then lie a line more than DEPTH apart. */
#define CROWDING     2048
#define LEAST_PANELS 3
#define COPIED_ROW   (DEPTH + (gint64)(64 / sizeof (real)))

/* No more rows than this are exchanged with columns: see exchange(). */
#define FEW_ROWS 16
#define STRIP    128

/* Fewer rows than this do not pay for packing. */
#define LEAST_PACKED_ROWS 48

/* ---- Blocks ---- */

typedef void (*Block) (gint64 k, const real *const *a, const gint64 *column, const real *b, gint64 ldb, gboolean add,
                       real *const *c);

/* Defines a block of @rows rows and @vectors vectors. */
#define BLOCK(rows, vectors)                                                                                           \
  static void block_##rows##_##vectors (gint64 k, const real *const *a, const gint64 *column, const real *b,           \
                                        gint64 ldb, gboolean add, real *const *c)                                      \
  {                                                                                                                    \
    const real *left[rows];                                                                                            \
    vec sum[rows][vectors];                                                                                            \
    UNROLL for (int i = 0; i < rows; i++) left[i] = a[i];                                                              \
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++) sum[i][v]                           \
        = add ? load (c[i] + v * LANES) : (vec){ 0 };                                                                  \
    for (gint64 p = 0; p < k; p++, b += ldb) {                                                                         \
      gint64 at = column[p];                                                                                           \
      vec right[vectors];                                                                                              \
      UNROLL for (int v = 0; v < vectors; v++) right[v] = load (b + v * LANES);                                        \
      UNROLL for (int i = 0; i < rows; i++)                                                                            \
      {                                                                                                                \
        vec x = spread (left[i][at]);                                                                                  \
        UNROLL for (int v = 0; v < vectors; v++) sum[i][v] = multiply_add (x, right[v], sum[i][v]);                    \
      }                                                                                                                \
    }                                                                                                                  \
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < vectors; v++)                                     \
        store (c[i] + v * LANES, sum[i][v]);                                                                           \
  }

#define BLOCKS_TO_6(vectors)                                                                                           \
  BLOCK (1, vectors) BLOCK (2, vectors) BLOCK (3, vectors) BLOCK (4, vectors) BLOCK (5, vectors) BLOCK (6, vectors)
#define ROW_TO_6(vectors)                                                                                              \
  block_1_##vectors, block_2_##vectors, block_3_##vectors, block_4_##vectors, block_5_##vectors, block_6_##vectors
#define BLOCKS_TO_8(vectors) BLOCKS_TO_6 (vectors) BLOCK (7, vectors) BLOCK (8, vectors)
#define ROW_TO_8(vectors)    ROW_TO_6 (vectors), block_7_##vectors, block_8_##vectors

/* By vectors - 1 and rows - 1; as many rows as registers hold. */
BLOCKS_TO_8 (1)
#if LB_VECTOR_BYTES == 64
BLOCKS_TO_8 (2)
BLOCKS_TO_8 (3)
BLOCKS_TO_6 (4)
static const Block blocks[][8] = { { ROW_TO_8 (1) }, { ROW_TO_8 (2) }, { ROW_TO_8 (3) }, { ROW_TO_6 (4) } };
static const gint64 tallest[] = { 8, 8, 8, 6 };
#else
BLOCKS_TO_6 (2)
static const Block blocks[][8] = { { ROW_TO_8 (1) }, { ROW_TO_6 (2) } };
static const gint64 tallest[] = { 8, 6 };
#endif
#define MOST_BLOCK_ROWS 8

/* ---- Packing ---- */

/* Columns [first, first + n) of rows [from, from + k) of B, [k, width], zeros to the right. */
static void
pack_lines (const Product *g, gint64 from, gint64 k, gint64 first, gint64 n, gint64 width, real *panel)
{
  for (gint64 p = 0; p < k; p++, panel += width) {
    const real *line = g->b + place (&g->b_line, from + p) + first;
    gint64 j = 0;
    for (; j + LANES <= n; j += LANES)
      store (panel + j, load (line + j));
    for (; j < n; j++)
      panel[j] = line[j];
    for (; j < width; j++)
      panel[j] = 0;
  }
}

/* The same of B given transposed. */
static void
pack_transposed (const Product *g, gint64 from, gint64 k, gint64 first, gint64 n, gint64 width, real *panel)
{
  for (gint64 j = 0; j < width; j += LANES) {
    gint64 lines = CLAMP (n - j, 0, LANES), p = 0;
    const real *line[LB_VECTOR_BYTES / sizeof (real)] = { NULL };
    for (gint64 l = 0; l < lines; l++)
      line[l] = g->b + place (&g->b_line, first + j + l) + from;
    for (; lines == LANES && p + LANES <= k; p += LANES) {
      vec square[LB_VECTOR_BYTES / sizeof (real)];
      UNROLL for (int l = 0; l < LANES; l++) square[l] = load (line[l] + p);
      transpose_lanes (square);
      UNROLL for (int l = 0; l < LANES; l++) store (panel + (p + l) * width + j, square[l]);
    }
    for (; p < k; p++)
      for (gint64 l = 0; l < LANES; l++)
        panel[p * width + j + l] = l < lines ? line[l][p] : 0;
  }
}

/* ---- Loops ---- */

/* What one panel is multiplied by, and where it goes. */
typedef struct {
  const Product *product;
  const real *a; /* instead of the product's, from its first_row on, COPIED_ROW apart; or NULL */
  gint64 first_row, end_row, first_column, n, vectors; /* of C; n columns in whole or broken vectors */
  gint64 k;
  const gint64 *column; /* of A */
  const real *b;
  gint64 ldb;
  gboolean add;
} Panel;

static inline const real *
row_of (const Panel *t, gint64 row)
{
  if (t->a != NULL)
    return t->a + (row - t->first_row) * COPIED_ROW;
  return t->product->a + place (&t->product->a_row, row);
}

/* Rows of C whose last vector is broken go through whole ones. */
static void
run_broken_block (const Panel *t, Block block, gint64 rows, const real *const *a, real *const *c)
{
  real room[MOST_BLOCK_ROWS * MOST_VECTORS * (LB_VECTOR_BYTES / sizeof (real))], *whole[MOST_BLOCK_ROWS];
  for (gint64 i = 0; i < rows; i++) {
    whole[i] = room + i * t->vectors * LANES;
    for (gint64 j = 0; t->add && j < t->vectors * LANES; j++)
      whole[i][j] = j < t->n ? c[i][j] : 0;
  }
  block (t->k, a, t->column, t->b, t->ldb, t->add, whole);
  for (gint64 i = 0; i < rows; i++)
    memcpy (c[i], whole[i], t->n * sizeof (real));
}

/* Asks for what the block after the next @rows rows will read, while that one computes. */
static inline void
fetch_ahead (const Panel *t, gint64 row, gint64 rows)
{
  const Product *g = t->product;
  gint64 line = 64 / sizeof (real);
  for (gint64 i = row; i < MIN (row + rows, t->end_row); i++) {
    const real *c = g->c + place (&g->c_row, i) + t->first_column, *a = row_of (t, i) + t->column[0];
    for (gint64 j = 0; t->add && j < t->vectors * LANES; j += line)
      __builtin_prefetch (c + j, 1);
    for (gint64 p = 0; g->a_column.stride == 1 && p < t->k; p += line)
      __builtin_prefetch (a + p);
  }
}

/* Blocks of about the same height: a low last one would be slow. */
static void
run_panel (const Panel *t)
{
  const Product *g = t->product;
  gint64 m = t->end_row - t->first_row, n_blocks = (m + tallest[t->vectors - 1] - 1) / tallest[t->vectors - 1];
  const real *a[MOST_BLOCK_ROWS];
  real *c[MOST_BLOCK_ROWS];
  for (gint64 block = 0, row = t->first_row; block < n_blocks; block++) {
    gint64 rows = (t->end_row - row + n_blocks - block - 1) / (n_blocks - block);
    Block run = blocks[t->vectors - 1][rows - 1];
    for (gint64 i = 0; i < rows; i++) {
      a[i] = row_of (t, row + i);
      c[i] = g->c + place (&g->c_row, row + i) + t->first_column;
    }
    row += rows;
    fetch_ahead (t, row, rows);
    if (t->n == t->vectors * LANES)
      run (t->k, a, t->column, t->b, t->ldb, t->add, c);
    else
      run_broken_block (t, run, rows, a, c);
  }
}

/* Rows [first, end) of columns [from, from + k) of A, in @room when they had better not stay where they are; *column is
 * then where columns are. NULL: they stay. */
static const real *
copy_rows (const Product *g, gint64 first, gint64 end, gint64 from, gint64 k, real *room, gint64 *column)
{
  if (g->a_row.offset != NULL || g->a_column.offset != NULL || g->a_column.stride != 1
      || g->n <= (LEAST_PANELS - 1) * MOST_VECTORS * LANES || end - first < LEAST_PACKED_ROWS
      || g->a_row.stride * (gint64)sizeof (real) % CROWDING != 0)
    return NULL;
  for (gint64 i = first; i < end; i++)
    memcpy (room + (i - first) * COPIED_ROW, g->a + i * g->a_row.stride + from, k * sizeof (real));
  for (gint64 p = 0; p < k; p++)
    column[p] = p;
  return room;
}

/* Where lines [from, from + k) of B stand for a panel: in place if they lie well, or packed into @room. */
static void
place_panel (const Product *g, gint64 from, gint64 rows, Panel *t, real *room)
{
  gboolean in_place = !g->b_transposed && g->b_line.offset == NULL && t->n == t->vectors * LANES;
  t->b = room;
  t->ldb = t->vectors * LANES;
  if (in_place && rows < LEAST_PACKED_ROWS) {
    t->b = g->b + from * g->b_line.stride + t->first_column;
    t->ldb = g->b_line.stride;
  } else if (g->b_transposed) {
    pack_transposed (g, from, t->k, t->first_column, t->n, t->ldb, room);
  } else {
    pack_lines (g, from, t->k, t->first_column, t->n, t->ldb, room);
  }
}

/* All panels of rows [first, end) of C and lines [from, from + k) of B. */
static void
run_depth (const Product *g, gint64 first, gint64 end, gint64 from, gint64 k)
{
  real packed[DEPTH * MOST_VECTORS * (LB_VECTOR_BYTES / sizeof (real))] __attribute__ ((aligned (64)));
  real copied[MOST_ROWS * COPIED_ROW] __attribute__ ((aligned (64)));
  gint64 column[DEPTH];
  for (gint64 p = 0; p < k; p++)
    column[p] = place (&g->a_column, from + p);
  const real *a = copy_rows (g, first, end, from, k, copied, column);
  gint64 vectors = (g->n + LANES - 1) / LANES, panels = (vectors + MOST_VECTORS - 1) / MOST_VECTORS;
  for (gint64 panel = 0; panel < panels; panel++) {
    /* Panels of about the same width: a narrow last one would be slow. */
    gint64 left = vectors * panel / panels, right = vectors * (panel + 1) / panels;
    Panel t = { .product = g,
                .a = a,
                .first_row = first,
                .end_row = end,
                .first_column = left * LANES,
                .n = MIN (g->n, right * LANES) - left * LANES,
                .vectors = right - left,
                .k = k,
                .column = column,
                .add = g->add || from > 0 };
    place_panel (g, from, end - first, &t, packed);
    run_panel (&t);
  }
}

static void
multiply (const Product *g)
{
  for (gint64 first = 0; first < g->m; first += MOST_ROWS)
    for (gint64 from = 0; from < g->k; from += DEPTH)
      run_depth (g, first, MIN (g->m, first + MOST_ROWS), from, MIN (DEPTH, g->k - from));
}

/* A few rows times a transposed matrix (a linear layer on a few samples): packing B would take longer than multiplying
 * by it. So C' = B' A' is computed instead, where A' is what is packed. */
static void
exchange (const Product *g)
{
  real strip[STRIP * FEW_ROWS];
  for (gint64 first = 0; first < g->n; first += STRIP) {
    gint64 n = MIN (STRIP, g->n - first);
    for (gint64 i = 0; g->add && i < g->m; i++)
      for (gint64 j = 0; j < n; j++)
        strip[j * g->m + i] = g->c[place (&g->c_row, i) + first + j];
    multiply (&(Product){ .m = n,
                          .n = g->m,
                          .k = g->k,
                          .a = g->b + first * g->b_line.stride,
                          .a_row.stride = g->b_line.stride,
                          .a_column.stride = 1,
                          .b = g->a,
                          .b_line = g->a_row,
                          .b_transposed = TRUE,
                          .add = g->add,
                          .c = strip,
                          .c_row.stride = g->m });
    for (gint64 i = 0; i < g->m; i++)
      for (gint64 j = 0; j < n; j++)
        g->c[place (&g->c_row, i) + first + j] = strip[j * g->m + i];
  }
}

void
PRODUCT (const Product *g)
{
  gboolean is_thin = g->m <= FEW_ROWS && g->b_transposed && g->b_line.offset == NULL;
  if (is_thin && g->a_column.offset == NULL && g->a_column.stride == 1)
    exchange (g);
  else
    multiply (g);
}
