/* Running statistics of batch norm, taken from real images before each match. */
#include "gradient-matching.h"

/* Images of a class: the public code's (VICO-UoE/DatasetCondensation). */
#define EACH 16

gboolean
statistics_build (Statistics *statistics, const LbNetwork *network, gint64 smallest, GError **error)
{
  LbImageSize size = lb_network_input (network);
  guint n = lb_network_n_tensors (network), trained = lb_network_n_trained_tensors (network);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  g_autofree LbNode **moved = g_new0 (LbNode *, n);

  statistics->each = smallest > 0 ? MIN (EACH, smallest) : EACH;
  if (n == trained)
    return TRUE;
  statistics->parameters = g_new0 (LbNode *, n);
  statistics->images = lb_batch_input (
      graph, "images",
      LB_SHAPE (lb_network_classes (network) * statistics->each, size.height, size.width, size.channels));
  lb_network_inputs (network, graph, "", statistics->parameters);
  lb_network_apply_training (network, statistics->parameters, statistics->images, NULL, moved);
  statistics->program = lb_compile (graph, moved, n - trained, error);
  for (guint i = trained; statistics->program && i < n; i++)
    lb_program_carry (statistics->program, moved[i - trained], statistics->parameters[i]);
  return statistics->program != NULL;
}

void
statistics_bind (Statistics *statistics, const LbNetwork *network, LbTensor *flat)
{
  if (!statistics->program)
    return;
  lb_network_bind (network, statistics->program, statistics->parameters, flat);
  statistics->image_values = lb_tensor_new (LB_F32, lb_node_shape (statistics->images));
  lb_program_bind (statistics->program, statistics->images, statistics->image_values);
}

void
statistics_move (Statistics *statistics, LbClassImages *source, LbKey key, LbCompute *compute)
{
  LbShape shape;

  if (!statistics->program)
    return;
  shape = lb_node_shape (statistics->images);
  gint64 classes = shape.dim[0] / statistics->each, block = lb_shape_size (shape) / classes;
  shape.dim[0] = statistics->each;
  for (gint64 class = 0; class < classes; class ++) {
    g_autoptr (LbTensor) part = lb_tensor_view (statistics->image_values, class * block, shape);
    lb_class_images_draw (source, class, key, part);
  }
  lb_program_run (statistics->program, compute);
}

double
statistics_flops (const Statistics *statistics)
{
  return statistics->program ? lb_program_flops (statistics->program) : 0;
}

gsize
statistics_bytes (const Statistics *statistics, guint threads)
{
  return statistics->program ? lb_program_peak_bytes (statistics->program, threads)
                                   + (gsize)lb_shape_size (lb_node_shape (statistics->images)) * sizeof (float)
                             : 0;
}

void
statistics_clear (Statistics *statistics)
{
  g_clear_pointer (&statistics->program, lb_program_free);
  g_clear_pointer (&statistics->parameters, g_free);
  g_clear_pointer (&statistics->image_values, lb_tensor_unref);
}
