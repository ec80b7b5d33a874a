/* The project's own matrix product for any shape and any place of its elements, so that convolutions are products
 * without a copy of their patches.
 *
 * Each element of the result is one chain of fused multiply-adds over k in ascending order, begun with what stood there
 * or zero. So its bits depend on nothing but its row of A and its column of B: not on blocking, the width of vectors,
 * or which samples are computed together.
 */
#pragma once

#include "graph/kernels/variant.h"

/* Where a row or a column begins, in elements: index * stride, or offset[index] when there is a table. */
typedef struct {
  gint64 stride;
  const gint32 *offset;
} Places;

static inline gint64
place (const Places *places, gint64 index)
{
  return places->offset != NULL ? places->offset[index] : index * places->stride;
}

/* C [m, n] = [C +] A [m, k] B [k, n] */
typedef struct {
  gint64 m, n, k;
  const real *a, *b;
  Places a_row, a_column; /* element (i, p) is a[a_row (i) + a_column (p)] */
  Places b_line;          /* element (p, j) is b[b_line (p) + j]; if transposed b[b_line (j) + p] */
  gboolean b_transposed;
  gboolean add;
  real *c;
  Places c_row; /* element (i, j) is c[c_row (i) + j] */
} Product;

#define PRODUCT LB_JOIN (lb_product, LB_VARIANT)
void PRODUCT (const Product *product);
