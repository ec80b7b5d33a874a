/* Matrix product (product.h), blocked for registers and caches.
 *
 * A block of C, a few rows by a few vectors, stays in registers while k runs; a panel of B, as wide as a block, is
 * packed, some of them at a time, unless too few rows would use it, and stays in the first-level cache while rows of A
 * pass over it. A is read where it is, since each of its elements is spread over a vector, which asks for no order;
 * but rows that would push each other out of the cache there, and what lies in columns, are copied as rows.
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

/* Rows that lie a multiple of so many bytes apart would push each other out of the first-level cache, and elements of
 * one column stand in as many lines of it. Such rows are copied when there are enough of them and at least so many
 * panels pass; they then lie a line more than DEPTH apart. */
#define CROWDING          2048
#define LEAST_PANELS      3
#define LEAST_COPIED_ROWS 16
#define COPIED_ROW        (DEPTH + LINE)

/* No more rows than this are exchanged with columns: see exchange(). */
#define FEW_ROWS 16
#define STRIP    128

/* Fewer rows than this do not pay for packing. */
#define LEAST_PACKED_ROWS 7

/* Panels that are packed together, 128 KiB of them, each a few lines of the cache further than its size, so that they
 * do not push each other out; and how far ahead B's lines are asked for. */
#define TOGETHER    (128 * 1024 / (DEPTH * MOST_VECTORS * LB_VECTOR_BYTES))
#define PANEL_ROOM  (DEPTH * MOST_VECTORS * (gint64)(LB_VECTOR_BYTES / sizeof (real)) + 3 * LINE)
#define LINES_AHEAD 8

/* ---- Blocks ---- */

typedef void (*Block) (gint64 k, const real *const *a, const gint64 *column, const real *b, gint64 ldb, gboolean add,
                       real *const *c);

/* Defines a block of @rows rows and @vectors vectors. */
#define BLOCK(rows, vectors)                                                                                           \
  static void block_##rows##_##vectors (gint64 k, const real *const *a, const gint64 *column, const real *b,           \
                                        gint64 ldb, gboolean add, real *const *c)                                      \
  {                                                                                                                    \
    const real *left[MOST_BLOCK_ROWS];                                                                                 \
    vec sum[MOST_BLOCK_ROWS][MOST_BLOCK_VECTORS];                                                                      \
    OF_ROWS (rows, TAKE_ROW, )                                                                                         \
    OF_BLOCK (rows, vectors, START_SUM)                                                                                \
    for (gint64 p = 0; p < k; p++, b += ldb) {                                                                         \
      gint64 at = column[p];                                                                                           \
      vec right[MOST_BLOCK_VECTORS];                                                                                   \
      OF_VECTORS (vectors, TAKE_VECTOR, )                                                                              \
      OF_ROWS (rows, MULTIPLY_ROW, vectors)                                                                            \
    }                                                                                                                  \
    OF_BLOCK (rows, vectors, FINISH_SUM)                                                                               \
  }
#define TAKE_ROW(i, ...)    left[i] = a[i]
#define START_SUM(v, i)     sum[i][v] = add ? load (c[i] + (v)*LANES) : spread (0)
#define TAKE_VECTOR(v, ...) right[v] = load (b + (v)*LANES)
#define ADD_PRODUCT(v, i)   sum[i][v] = multiply_add (x, right[v], sum[i][v])
#define FINISH_SUM(v, i)    store (c[i] + (v)*LANES, sum[i][v])
#define MULTIPLY_ROW(i, vectors)                                                                                       \
  {                                                                                                                    \
    vec x = spread (left[i][at]);                                                                                      \
    OF_VECTORS (vectors, ADD_PRODUCT, i)                                                                               \
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

/* ---- Packing ---- */

/* Columns [first, first + n) of lines [from, from + k) of B given transposed, as [k, width], zeros to the right. */
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

/* Lines from @from on of those of @n panels that stand in @room: line by line, so that memory is read in order, and
 * asked for ahead; zeros to the right. */
static void
pack_lines (const Panel *panels, gint64 n, gint64 from, real *room)
{
  const Product *g = panels->product;
  for (gint64 p = 0; p < panels->k; p++) {
    const real *line = g->b + place (&g->b_line, from + p);
    const real *ahead = g->b + place (&g->b_line, from + MIN (p + LINES_AHEAD, panels->k - 1));
    for (gint64 i = 0; i < n; i++) {
      const Panel *t = &panels[i];
      if (t->b != room + i * PANEL_ROOM)
        continue;
      real *to = room + i * PANEL_ROOM + p * t->ldb;
      gint64 j = 0;
      for (gint64 k = 0; k < t->n; k += LINE)
        __builtin_prefetch (ahead + t->first_column + k);
      for (; j + LANES <= t->n; j += LANES)
        store (to + j, load (line + t->first_column + j));
      for (; j < t->n; j++)
        to[j] = line[t->first_column + j];
      for (; j < t->ldb; j++)
        to[j] = 0;
    }
  }
}

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
  for (gint64 i = row; i < MIN (row + rows, t->end_row); i++) {
    const real *c = g->c + place (&g->c_row, i) + t->first_column, *a = row_of (t, i) + t->column[0];
    for (gint64 j = 0; t->add && j < t->vectors * LANES; j += LINE)
      __builtin_prefetch (c + j, 1);
    for (gint64 p = 0; (t->a != NULL || g->a_column.stride == 1) && p < t->k; p += LINE)
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

/* Rows [first, end) of A, which lies in columns, as rows of @room. */
static void
turn_rows (const Product *g, gint64 first, gint64 end, gint64 k, const gint64 *column, real *room)
{
  gint64 i = first;
  for (; i + LANES <= end; i += LANES, room += LANES * COPIED_ROW) {
    gint64 p = 0;
    for (; p + LANES <= k; p += LANES) {
      vec square[LB_VECTOR_BYTES / sizeof (real)];
      UNROLL for (int l = 0; l < LANES; l++) square[l] = load (g->a + column[p + l] + i);
      transpose_lanes (square);
      UNROLL for (int l = 0; l < LANES; l++) store (room + l * COPIED_ROW + p, square[l]);
    }
    for (; p < k; p++)
      for (gint64 l = 0; l < LANES; l++)
        room[l * COPIED_ROW + p] = g->a[column[p] + i + l];
  }
  for (; i < end; i++, room += COPIED_ROW)
    for (gint64 p = 0; p < k; p++)
      room[p] = g->a[column[p] + i];
}

/* Whether rows of A crowd each other out of the cache where they are. */
static gboolean
rows_crowd (const Product *g)
{
  return g->a_row.offset == NULL && g->a_column.offset == NULL && g->a_column.stride == 1
         && g->a_row.stride * (gint64)sizeof (real) % CROWDING == 0;
}

/* Rows [first, end) of columns [from, from + k) of A, in @room when they had better not stay where they are; *column is
 * then where columns are. NULL: they stay. */
static const real *
copy_rows (const Product *g, gint64 first, gint64 end, gint64 from, gint64 k, real *room, gint64 *column)
{
  gboolean in_columns = g->a_row.offset == NULL && g->a_row.stride == 1;
  if (g->n <= (LEAST_PANELS - 1) * MOST_VECTORS * LANES || end - first < LEAST_COPIED_ROWS
      || !(in_columns || rows_crowd (g)))
    return NULL;
  if (in_columns)
    turn_rows (g, first, end, k, column, room);
  for (gint64 i = first; i < end && !in_columns; i++)
    memcpy (room + (i - first) * COPIED_ROW, g->a + i * g->a_row.stride + from, k * sizeof (real));
  for (gint64 p = 0; p < k; p++)
    column[p] = p;
  return room;
}

/* The panel of vectors [left, right) of C, from line @from of B on. It lies where B does if few rows pass over it. */
static void
place_panel (Panel *t, gint64 from, gint64 left, gint64 right, real *room)
{
  const Product *g = t->product;
  t->first_column = left * LANES;
  t->n = MIN (g->n, right * LANES) - left * LANES;
  t->vectors = right - left;
  t->b = room;
  t->ldb = t->vectors * LANES;
  if (g->b_transposed) {
    pack_transposed (g, from, t->k, t->first_column, t->n, t->ldb, room);
  } else if (g->b_line.offset == NULL && t->n == t->ldb && t->end_row - t->first_row < LEAST_PACKED_ROWS) {
    t->b = g->b + from * g->b_line.stride + t->first_column;
    t->ldb = g->b_line.stride;
  }
}

/* All panels of rows [first, end) of C and lines [from, from + k) of B. */
static void
run_depth (const Product *g, gint64 first, gint64 end, gint64 from, gint64 k)
{
  real packed[TOGETHER * PANEL_ROOM] __attribute__ ((aligned (64)));
  real copied[MOST_ROWS * COPIED_ROW] __attribute__ ((aligned (64)));
  gint64 column[DEPTH];
  for (gint64 p = 0; p < k; p++)
    column[p] = place (&g->a_column, from + p);
  const real *a = copy_rows (g, first, end, from, k, copied, column);
  gint64 vectors = (g->n + LANES - 1) / LANES, panels = (vectors + MOST_VECTORS - 1) / MOST_VECTORS;
  for (gint64 panel = 0; panel < panels; panel += TOGETHER) {
    Panel t[TOGETHER];
    gint64 n = MIN (TOGETHER, panels - panel);
    for (gint64 i = 0; i < n; i++) {
      t[i] = (Panel){
        .product = g, .a = a, .first_row = first, .end_row = end, .k = k, .column = column, .add = g->add || from > 0
      };
      /* Panels of about the same width: a narrow last one would be slow. */
      place_panel (&t[i], from, vectors * (panel + i) / panels, vectors * (panel + i + 1) / panels,
                   packed + i * PANEL_ROOM);
    }
    if (!g->b_transposed)
      pack_lines (t, n, from, packed);
    for (gint64 i = 0; i < n; i++)
      run_panel (&t[i]);
  }
}

static void
multiply (const Product *g)
{
  for (gint64 first = 0; first < g->m; first += MOST_ROWS)
    for (gint64 from = 0; from < g->k; from += DEPTH)
      run_depth (g, first, MIN (g->m, first + MOST_ROWS), from, MIN (DEPTH, g->k - from));
}

/* A few rows times a transposed matrix (a linear layer on a few samples, the last convolutions of a network): packing B
 * would take longer than multiplying by it. So C' = B' A' is computed instead, where A' is what is packed. */

/* c [n, m] = [c +] B' [first, first + n) A', columns [from, from + k) of @a, of which @line tells where rows begin. */
static void
multiply_strip (const Product *g, gint64 first, gint64 n, gint64 from, gint64 k, const real *a, Places line,
                gboolean add, real *c)
{
  multiply (&(Product){ .m = n,
                        .n = g->m,
                        .k = k,
                        .a = g->b + first * g->b_line.stride + from,
                        .a_row.stride = g->b_line.stride,
                        .a_column.stride = 1,
                        .b = a,
                        .b_line = line,
                        .b_transposed = TRUE,
                        .add = add,
                        .c = c,
                        .c_row.stride = g->m });
}

/* The same for all columns of an A whose elements are anywhere, copied together as far as k runs at a time. */
static void
multiply_strip_by_copies (const Product *g, gint64 first, gint64 n, real *c)
{
  real few[FEW_ROWS * DEPTH];
  for (gint64 from = 0; from < g->k; from += DEPTH) {
    gint64 k = MIN (DEPTH, g->k - from);
    for (gint64 i = 0; i < g->m; i++)
      for (gint64 p = 0; p < k; p++)
        few[i * k + p] = g->a[place (&g->a_row, i) + place (&g->a_column, from + p)];
    multiply_strip (g, first, n, from, k, few, (Places){ .stride = k }, g->add || from > 0, c);
  }
}

static void
exchange (const Product *g)
{
  gboolean in_rows = g->a_column.offset == NULL && g->a_column.stride == 1;
  real strip[STRIP * FEW_ROWS];
  for (gint64 first = 0; first < g->n; first += STRIP) {
    gint64 n = MIN (STRIP, g->n - first);
    for (gint64 i = 0; g->add && i < g->m; i++)
      for (gint64 j = 0; j < n; j++)
        strip[j * g->m + i] = g->c[place (&g->c_row, i) + first + j];
    if (in_rows)
      multiply_strip (g, first, n, 0, g->k, g->a, g->a_row, g->add, strip);
    else
      multiply_strip_by_copies (g, first, n, strip);
    for (gint64 i = 0; i < g->m; i++)
      for (gint64 j = 0; j < n; j++)
        g->c[place (&g->c_row, i) + first + j] = strip[j * g->m + i];
  }
}

void
PRODUCT (const Product *g)
{
  if (g->m <= FEW_ROWS && g->b_transposed && g->b_line.offset == NULL)
    exchange (g);
  else
    multiply (g);
}
