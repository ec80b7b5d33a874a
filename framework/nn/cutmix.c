/* CutMix as graph nodes: images (1 - rows columns) + partners rows columns, with ones where the rectangle is. Weights
 * of 0 and 1 keep pixels to the bit. */
#include "nn/cutmix.h"

#include <math.h>

struct _LbCutMix {
  LbNode *rows, *columns; /* [n, h, 1, 1] and [n, 1, w, 1] */
  LbTensor *row_values, *column_values;
};

LbNode *
lb_cutmix (LbNode *images, LbNode *partners, LbCutMix **cutmix)
{
  LbGraph *graph = lb_node_graph (images);
  LbShape shape = lb_node_shape (images);
  LbNode *mask;

  *cutmix = g_new0 (LbCutMix, 1);
  (*cutmix)->rows = lb_batch_input (graph, "mixed rows", LB_SHAPE (shape.dim[0], shape.dim[1], 1, 1));
  (*cutmix)->columns = lb_batch_input (graph, "mixed columns", LB_SHAPE (shape.dim[0], 1, shape.dim[2], 1));
  mask = lb_mul ((*cutmix)->rows, (*cutmix)->columns);
  return lb_add (lb_mul (images, lb_affine (mask, -1, 1)), lb_mul (partners, mask));
}

void
lb_cutmix_free (LbCutMix *cutmix)
{
  if (!cutmix)
    return;
  g_clear_pointer (&cutmix->row_values, lb_tensor_unref);
  g_clear_pointer (&cutmix->column_values, lb_tensor_unref);
  g_free (cutmix);
}

static void
bind (LbProgram *program, LbNode *input, LbTensor **values)
{
  if (!*values)
    *values = lb_tensor_new (lb_graph_dtype (lb_node_graph (input)), lb_node_shape (input));
  lb_program_bind (program, input, *values);
}

void
lb_cutmix_bind (LbCutMix *cutmix, LbProgram *program)
{
  bind (program, cutmix->rows, &cutmix->row_values);
  bind (program, cutmix->columns, &cutmix->column_values);
  lb_cutmix_set (cutmix, &(LbCutMixBox){ 0 });
}

/* Ones at places @first up to @first + @count of each image. */
static void
set_places (LbTensor *values, gint64 first, gint64 count)
{
  gint64 size = lb_tensor_size (values) / lb_tensor_dim (values, 0);

  for (gint64 i = 0; i < lb_tensor_size (values); i++) {
    gboolean within = i % size >= first && i % size < first + count;

    if (lb_tensor_dtype (values) == LB_F64)
      lb_tensor_f64 (values)[i] = within;
    else
      lb_tensor_f32 (values)[i] = (float)within;
  }
}

void
lb_cutmix_set (LbCutMix *cutmix, const LbCutMixBox *box)
{
  set_places (cutmix->row_values, box->y, box->height);
  set_places (cutmix->column_values, box->x, box->width);
}

/* From half of @length before a place of @size to half of it behind, whole pixels, clipped. */
static void
draw_side (LbRandom *random, gint64 size, gint64 length, gint64 *first, gint64 *count)
{
  gint64 centre = (gint64)lb_random_below (random, (guint64)size);
  gint64 end = MIN (centre + length / 2, size);

  *first = MAX (centre - length / 2, 0);
  *count = end - *first;
}

LbCutMixBox
lb_cutmix_draw (double probability, gint64 height, gint64 width, LbKey key)
{
  LbRandom random = lb_random (key);
  LbCutMixBox box = { 0 };

  if (lb_random_uniform (&random) >= probability)
    return box;
  double part = sqrt (1 - lb_random_uniform (&random));
  draw_side (&random, height, (gint64)(part * (double)height), &box.y, &box.height);
  draw_side (&random, width, (gint64)(part * (double)width), &box.x, &box.width);
  return box;
}

double
lb_cutmix_share (const LbCutMixBox *box, gint64 height, gint64 width)
{
  return (double)(box->width * box->height) / (double)(width * height);
}
