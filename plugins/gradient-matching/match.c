/* The programs of a match. */
#include "gradient-matching.h"

/* ---- Multi-formation (IDC; Kim et al., arXiv 2205.14959): small images are enlarged, bilinearly ---- */

/* @images [n, h / f, w / f, c] as [n, h, w, c]; *enlarging is a new input, or NULL without formation. */
static LbNode *
enlarge (LbNode *images, LbImageSize size, gint64 formation, LbNode **enlarging)
{
  *enlarging = NULL;
  if (formation == 1)
    return images;
  *enlarging = lb_batch_input (lb_node_graph (images), "enlarging", LB_SHAPE (lb_node_dim (images, 0), 10));
  return lb_bilinear (images, *enlarging, size.height, size.width, LB_BORDER_CLAMP);
}

/* Binds what @enlarging reads: the whole of each image of shape @small. New; NULL without formation. */
static LbTensor *
bind_enlarging (LbProgram *program, LbNode *enlarging, LbShape small, gint64 height, gint64 width)
{
  const float whole[4] = { 0, 0, (float)small.dim[2], (float)small.dim[1] };
  LbTensor *rows;

  if (!enlarging)
    return NULL;
  rows = lb_tensor_new (LB_F32, lb_node_shape (enlarging));
  for (gint64 i = 0; i < small.dim[0]; i++)
    lb_window_sampling (whole, height, width, lb_tensor_f32 (rows) + 10 * i);
  lb_program_bind (program, enlarging, rows);
  return rows;
}

static LbShape
small_shape (gint64 n, LbImageSize size, gint64 formation)
{
  return LB_SHAPE (n, size.height / formation, size.width / formation, size.channels);
}

static gsize
input_bytes (LbNode *input)
{
  return input ? (gsize)lb_shape_size (lb_node_shape (input)) * sizeof (float) : 0;
}

gboolean
enlarger_build (Enlarger *enlarger, gint64 n, LbImageSize size, gint64 formation, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);

  enlarger->images = lb_batch_input (graph, "small images", small_shape (n, size, formation));
  enlarger->seen = enlarge (enlarger->images, size, formation, &enlarger->enlarging);
  enlarger->program = lb_compile (graph, &enlarger->seen, 1, error);
  return enlarger->program != NULL;
}

void
enlarger_bind (Enlarger *enlarger, LbTensor *small)
{
  lb_program_bind (enlarger->program, enlarger->images, small);
  enlarger->enlarging_values = bind_enlarging (enlarger->program, enlarger->enlarging, lb_node_shape (enlarger->images),
                                               lb_node_dim (enlarger->seen, 1), lb_node_dim (enlarger->seen, 2));
}

gsize
enlarger_bytes (const Enlarger *enlarger, guint threads)
{
  return enlarger->program ? lb_program_peak_bytes (enlarger->program, threads) + input_bytes (enlarger->enlarging) : 0;
}

void
enlarger_clear (Enlarger *enlarger)
{
  g_clear_pointer (&enlarger->program, lb_program_free);
  g_clear_pointer (&enlarger->enlarging_values, lb_tensor_unref);
}

/* ---- Sides ---- */

static void
side_clear (Side *side)
{
  g_clear_pointer (&side->program, lb_program_free);
  g_clear_pointer (&side->augmenter, lb_augmenter_free);
  g_clear_pointer (&side->graph, lb_graph_unref);
  g_clear_pointer (&side->image_values, lb_tensor_unref);
  g_clear_pointer (&side->enlarging_values, lb_tensor_unref);
  g_clear_pointer (&side->target_values, lb_tensor_unref);
  g_clear_pointer (&side->parameters, g_free);
  g_clear_pointer (&side->gradients, g_free);
}

/* @images: shape of the batch; @formation of its images. */
static void
side_build (Side *side, const LbNetwork *network, LbShape images, gint64 formation, Distance distance,
            const LbAugmentation *augmentation)
{
  guint n_tensors = lb_network_n_tensors (network), n_trained = lb_network_n_trained_tensors (network);
  g_autofree LbNode **weights = g_new0 (LbNode *, n_tensors);
  LbNode *seen, *scores;

  side->graph = lb_graph_new (LB_F32);
  side->parameters = g_new0 (LbNode *, n_tensors);
  side->gradients = g_new0 (LbNode *, n_tensors);
  side->images = lb_batch_input (side->graph, "images", images);
  side->targets = lb_batch_input (side->graph, "targets", LB_SHAPE (images.dim[0], lb_network_classes (network)));
  lb_network_inputs (network, side->graph, "", side->parameters);
  seen = enlarge (side->images, lb_network_input (network), formation, &side->enlarging);
  scores = lb_network_apply (network, side->parameters, lb_augment (seen, augmentation, &side->augmenter));
  for (guint i = 0; i < n_trained; i++)
    if (distance_takes (distance, lb_network_tensor_shape (network, i)))
      weights[side->n_weights++] = side->parameters[i];
  lb_gradients (lb_cross_entropy (scores, side->targets), weights, side->n_weights, side->gradients);
}

static void
side_bind (Side *side, const LbNetwork *network, LbTensor *flat)
{
  LbImageSize size = lb_network_input (network);

  side->image_values = lb_tensor_new (LB_F32, lb_node_shape (side->images));
  side->target_values = lb_tensor_new (LB_F32, lb_node_shape (side->targets));
  lb_program_bind (side->program, side->images, side->image_values);
  lb_program_bind (side->program, side->targets, side->target_values);
  side->enlarging_values
      = bind_enlarging (side->program, side->enlarging, lb_node_shape (side->images), size.height, size.width);
  lb_augmenter_bind (side->augmenter, side->program);
  lb_network_bind (network, side->program, side->parameters, flat);
}

static gsize
side_bytes (const Side *side, guint threads)
{
  return lb_program_peak_bytes (side->program, threads) + input_bytes (side->images) + input_bytes (side->enlarging)
         + input_bytes (side->targets);
}

/* ---- Both ---- */

static Distance
distance_of (const GradientMatching *self)
{
  static const char *const names[] = { "ours", "mse", "cos", "l1" };
  guint i = 0;

  while (!g_str_equal (self->distance, names[i]))
    i++;
  return (Distance)i;
}

gboolean
match_build (Match *match, const LbNetwork *network, const GradientMatching *self, gint64 real, gint64 small,
             GError **error)
{
  LbImageSize size = lb_network_input (network);
  Distance distance = distance_of (self);
  Side *ours = &match->ours;
  LbAugmentation augmentation;

  if (!lb_augmentation_parse (self->augmentation, &augmentation, error))
    return FALSE;
  side_build (&match->real, network, LB_SHAPE (real, size.height, size.width, size.channels), 1, distance,
              &augmentation);
  side_build (ours, network, small_shape (small, size, self->formation), self->formation, distance, &augmentation);
  if (ours->n_weights == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "property 'distance': '%s' compares weights of convolutions%s, of which architecture '%s' has none; "
                 "choose another distance or architecture",
                 self->distance, distance == DISTANCE_OURS ? " and linear layers" : "",
                 lb_network_architecture (network));
    return FALSE;
  }
  match->given = g_new0 (LbNode *, ours->n_weights);
  for (guint i = 0; i < ours->n_weights; i++)
    match->given[i] = lb_input (ours->graph, "real gradient", lb_node_shape (ours->gradients[i]));
  match->distance = distance_build (distance, match->given, ours->gradients, ours->n_weights);
  lb_gradients (match->distance, &ours->images, 1, &match->image_gradient);
  match->real.program = lb_compile (match->real.graph, match->real.gradients, match->real.n_weights, error);
  if (match->real.program)
    ours->program = lb_compile (ours->graph, (LbNode *[]){ match->distance, match->image_gradient }, 2, error);
  return ours->program != NULL;
}

void
match_bind (Match *match, const LbNetwork *network, LbTensor *flat)
{
  side_bind (&match->real, network, flat);
  side_bind (&match->ours, network, flat);
  for (guint i = 0; i < match->ours.n_weights; i++)
    lb_program_bind (match->ours.program, match->given[i],
                     lb_program_result (match->real.program, match->real.gradients[i]));
}

double
match_flops (const Match *match)
{
  return lb_program_flops (match->real.program) + lb_program_flops (match->ours.program);
}

gsize
match_bytes (const Match *match, guint threads)
{
  return side_bytes (&match->real, threads) + side_bytes (&match->ours, threads);
}

void
match_clear (Match *match)
{
  side_clear (&match->ours);
  side_clear (&match->real);
  g_clear_pointer (&match->given, g_free);
}
