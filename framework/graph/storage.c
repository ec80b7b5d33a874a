/* Placing blocks with known lifetimes: largest first, each at the lowest place that is free for as long as it lives. */
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
lower_first (gconstpointer a_, gconstpointer b_)
{
  const LbBlock *a = *(LbBlock *const *)a_, *b = *(LbBlock *const *)b_;
  return a->offset < b->offset ? -1 : a->offset > b->offset;
}

gsize
lb_storage_assign (LbBlock *blocks, guint n_blocks)
{
  gsize total = 0;
  g_autoptr (GPtrArray) order = g_ptr_array_new (), placed = g_ptr_array_new (), rivals = g_ptr_array_new ();
  for (guint i = 0; i < n_blocks; i++) {
    blocks[i].bytes = (blocks[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    g_ptr_array_add (order, &blocks[i]);
  }
  g_ptr_array_sort (order, larger_first);
  for (guint i = 0; i < n_blocks; i++) {
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
