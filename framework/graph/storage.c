/* Placing blocks with known lifetimes: one after the other, each at the lowest place that is free for as long as it
 * lives. Which order is best depends on the program, so several are tried. */
#include "graph/plan.h"

/* A cache line, and the alignment of tensors. */
#define ALIGNMENT 64

static gint
larger_first (gconstpointer a_, gconstpointer b_)
{
  const LbBlock *a = *(LbBlock *const *)a_, *b = *(LbBlock *const *)b_;
  if (a->bytes != b->bytes)
    return a->bytes < b->bytes ? 1 : -1;
  return a < b ? -1 : a > b; /* order of the array: the result may not depend on the sort */
}

static gint
earlier_first (gconstpointer a_, gconstpointer b_)
{
  const LbBlock *a = *(LbBlock *const *)a_, *b = *(LbBlock *const *)b_;
  return a->from != b->from ? (a->from > b->from ? 1 : -1) : larger_first (a_, b_);
}

static gint
later_first (gconstpointer a_, gconstpointer b_)
{
  const LbBlock *a = *(LbBlock *const *)a_, *b = *(LbBlock *const *)b_;
  return a->to != b->to ? (a->to < b->to ? 1 : -1) : larger_first (a_, b_);
}

static gint
longer_first (gconstpointer a_, gconstpointer b_)
{
  const LbBlock *a = *(LbBlock *const *)a_, *b = *(LbBlock *const *)b_;
  guint of_a = a->to - a->from, of_b = b->to - b->from;
  return of_a != of_b ? (of_a < of_b ? 1 : -1) : larger_first (a_, b_);
}

static gint
lower_first (gconstpointer a_, gconstpointer b_)
{
  const LbBlock *a = *(LbBlock *const *)a_, *b = *(LbBlock *const *)b_;
  return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Places @order one after the other, each at the lowest place that is free; returns the bytes needed in all. */
static gsize
place_in_order (GPtrArray *order)
{
  gsize total = 0;
  g_autoptr (GPtrArray) placed = g_ptr_array_new (), rivals = g_ptr_array_new ();
  for (guint i = 0; i < order->len; i++) {
    LbBlock *block = g_ptr_array_index (order, i);
    g_ptr_array_set_size (rivals, 0);
    for (guint k = 0; k < placed->len; k++) {
      LbBlock *other = g_ptr_array_index (placed, k);
      if (other->from <= block->to && block->from <= other->to)
        g_ptr_array_add (rivals, other);
    }
    g_ptr_array_sort (rivals, lower_first);
    gsize offset = 0;
    for (guint k = 0; k < rivals->len; k++) {
      LbBlock *other = g_ptr_array_index (rivals, k);
      if (offset + block->bytes <= other->offset)
        break;
      offset = MAX (offset, other->offset + other->bytes);
    }
    block->offset = offset;
    total = MAX (total, offset + block->bytes);
    g_ptr_array_add (placed, block);
  }
  return total;
}

gsize
lb_storage_assign (LbBlock *blocks, guint n_blocks)
{
  static const GCompareFunc orders[] = { larger_first, earlier_first, later_first, longer_first };
  gsize best = G_MAXSIZE;
  g_autoptr (GPtrArray) order = g_ptr_array_new ();
  g_autofree gsize *offsets = g_new (gsize, n_blocks);
  for (guint i = 0; i < n_blocks; i++) {
    blocks[i].bytes = (blocks[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    g_ptr_array_add (order, &blocks[i]);
  }
  for (guint k = 0; k < G_N_ELEMENTS (orders); k++) {
    g_ptr_array_sort (order, orders[k]);
    gsize bytes = place_in_order (order);
    if (bytes >= best)
      continue;
    best = bytes;
    for (guint i = 0; i < n_blocks; i++)
      offsets[i] = blocks[i].offset;
  }
  for (guint i = 0; i < n_blocks; i++)
    blocks[i].offset = offsets[i];
  return n_blocks > 0 ? best : 0;
}
