/* Steps on batches of one size. */
#include "nn/batch-step.h"

#include <string.h>

#include "nn/images.h"
#include "nn/views.h"

/* ---- Optimisers ---- */

guint
lb_learner_n_moments (const LbLearnerSettings *settings)
{
  if (settings->optimiser == LB_OPTIMISER_SGD)
    return settings->momentum != 0 ? 1 : 0;
  return 2;
}

LbAdam
lb_learner_adam (const LbLearnerSettings *settings)
{
  return (LbAdam){ settings->beta1, settings->beta2, settings->epsilon, settings->weight_decay,
                   settings->optimiser == LB_OPTIMISER_ADAMW };
}

/* The new parameters into @outputs, the new moments, @n of each, into @moments. */
static void
build_update (LbBatchStep *step, LbGraph *graph, const LbLearnerSettings *settings, LbNode *const *gradients, guint n,
              LbNode **outputs, LbNode **moments)
{
  LbAdam adam = lb_learner_adam (settings);

  step->rate = lb_input (graph, "rate", LB_SCALAR);
  if (settings->optimiser == LB_OPTIMISER_SGD) {
    lb_sgd_step (step->parameters, gradients, step->moments[0], n, step->rate, settings->momentum,
                 settings->weight_decay, outputs, moments);
    return;
  }
  step->corrections[0] = lb_input (graph, "correction 1", LB_SCALAR);
  step->corrections[1] = lb_input (graph, "correction 2", LB_SCALAR);
  lb_adam_step (&adam, step->parameters, gradients, step->moments[0], step->moments[1], n, step->rate,
                step->corrections[0], step->corrections[1], outputs, moments, moments + n);
}

/* ---- Programs ---- */

void
lb_batch_step_free (LbBatchStep *step)
{
  if (!step)
    return;
  lb_program_free (step->program);
  lb_augmenter_free (step->augmenter);
  lb_augmenter_free (step->view_augmenter);
  lb_augmenter_free (step->partner_augmenter);
  lb_cutmix_free (step->cutmix);
  g_free (step->view_order);
  g_free (step->view_rows);
  g_free (step->places);
  g_free (step->partner_images);
  g_clear_pointer (&step->partner_values, lb_tensor_unref);
  g_free (step->parameters);
  for (guint k = 0; k < LB_MOST_MOMENTS; k++)
    g_free (step->moments[k]);
  g_clear_pointer (&step->image_values, lb_tensor_unref);
  g_clear_pointer (&step->target_values, lb_tensor_unref);
  g_clear_pointer (&step->view_values, lb_tensor_unref);
  g_clear_pointer (&step->where_values, lb_tensor_unref);
  g_clear_pointer (&step->view_target_values, lb_tensor_unref);
  g_clear_pointer (&step->key_values, lb_tensor_unref);
  g_clear_pointer (&step->view_key_values, lb_tensor_unref);
  g_free (step);
}

/* An input of dropout keys for @n samples; NULL when the network drops nothing. */
static LbNode *
key_input (LbGraph *graph, const LbNetwork *network, const char *name, gint64 n)
{
  return lb_network_has_dropout (network) ? lb_batch_input (graph, name, LB_SHAPE (n, LB_DROPOUT_KEY)) : NULL;
}

/* What the network sees of a batch; appends its images, and their partners with CutMix. */
static LbNode *
build_images (LbBatchStep *step, LbGraph *graph, LbImageSize size, const LbLearnerSettings *settings)
{
  LbShape shape = LB_SHAPE (step->batch, size.height, size.width, size.channels);
  LbNode *x;

  step->images = lb_batch_input (graph, "images", shape);
  x = lb_augment (step->images, &settings->augmentation, &step->augmenter);
  if (settings->cutmix == 0)
    return x;
  step->partners = lb_batch_input (graph, "partners", shape);
  step->places = g_new (guint32, step->batch);
  step->partner_images = g_new (guint32, step->batch);
  return lb_cutmix (x, lb_augment (step->partners, &settings->augmentation, &step->partner_augmenter), &step->cutmix);
}

/* The gradient penalty at the images themselves. */
static LbNode *
build_penalty (LbBatchStep *step, const LbNetwork *network)
{
  guint kept = lb_network_n_tensors (network) - lb_network_n_trained_tensors (network);
  g_autofree LbNode **statistics = g_new0 (LbNode *, kept + 1);

  return lb_gradient_penalty (
      lb_network_apply_training (network, step->parameters, step->images, step->keys, statistics), step->images);
}

/* The loss; appends the inputs of a batch. Views are cut in the program, so no cut image is ever stored. What the
 * network's statistics become goes to @statistics: moved by the images' batch first, then by the views'. */
static LbNode *
build_loss (LbBatchStep *step, LbGraph *graph, const LbNetwork *network, const LbLearnerSettings *settings,
            LbNode **statistics)
{
  LbImageSize size = lb_network_input (network);
  gint64 classes = lb_network_classes (network), n = step->batch;
  double temperature = settings->dense_temperature != 0 ? settings->dense_temperature : 1;
  guint n_tensors = lb_network_n_tensors (network), n_trained = lb_network_n_trained_tensors (network);
  g_autofree LbNode **moved = g_memdup2 (step->parameters, n_tensors * sizeof (LbNode *));
  LbNode *x, *loss, *scores, *cut;

  x = build_images (step, graph, size, settings);
  step->targets = lb_batch_input (graph, "targets", LB_SHAPE (n, classes));
  step->keys = key_input (graph, network, "dropout keys", n);
  loss = lb_cross_entropy (lb_network_apply_training (network, step->parameters, x, step->keys, statistics),
                           step->targets);
  if (settings->gradient_penalty != 0)
    loss = lb_add (loss, lb_scale (build_penalty (step, network), settings->gradient_penalty));
  if (!settings->views)
    return loss;

  n *= settings->views;
  step->view_rows = g_new (guint32, n);
  step->view_images = lb_batch_input (graph, "view images", LB_SHAPE (n, size.height, size.width, size.channels));
  step->where = lb_batch_input (graph, "where", LB_SHAPE (n, 10));
  step->view_targets = lb_batch_input (graph, "view targets", LB_SHAPE (n, classes));
  cut = lb_bilinear (step->view_images, step->where, size.height, size.width, LB_BORDER_CLAMP);
  cut = lb_augment (cut, &settings->augmentation, &step->view_augmenter);
  step->view_keys = key_input (graph, network, "view dropout keys", n);
  memcpy (moved + n_trained, statistics, (n_tensors - n_trained) * sizeof (LbNode *));
  scores = lb_network_apply_training (network, moved, cut, step->view_keys, statistics);
  scores = lb_scale (scores, 1 / temperature);
  return lb_add (loss, lb_scale (lb_cross_entropy (scores, step->view_targets), settings->dense_weight));
}

static void
build_state (LbBatchStep *step, LbGraph *graph, const LbNetwork *network, const LbLearnerSettings *settings)
{
  static const char *const prefixes[LB_MOST_MOMENTS] = { "moment1.", "moment2." };
  guint n = lb_network_n_tensors (network);

  step->parameters = g_new0 (LbNode *, n);
  lb_network_inputs (network, graph, "", step->parameters);
  for (guint k = 0; k < lb_learner_n_moments (settings); k++) {
    step->moments[k] = g_new0 (LbNode *, n);
    lb_network_inputs (network, graph, prefixes[k], step->moments[k]);
  }
}

LbBatchStep *
lb_batch_step_new (const LbNetwork *network, gint64 batch, const LbLearnerSettings *settings, GError **error)
{
  g_autoptr (LbBatchStep) step = g_new0 (LbBatchStep, 1);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  guint n = lb_network_n_trained_tensors (network), n_all = lb_network_n_tensors (network);
  guint n_updated = n_all + n * lb_learner_n_moments (settings);
  g_autofree LbNode **gradients = g_new0 (LbNode *, n), **outputs = g_new0 (LbNode *, n_updated + 1);

  step->network = network;
  step->settings = *settings;
  step->batch = batch;
  build_state (step, graph, network, settings);
  /* Outputs: all tensors of the network, the moments of the trained ones, the loss. */
  step->loss = build_loss (step, graph, network, settings, outputs + n);
  lb_gradients (step->loss, step->parameters, n, gradients);
  if (settings->clip != 0)
    lb_clip_norm (gradients, n, settings->clip);
  build_update (step, graph, settings, gradients, n, outputs, outputs + n_all);
  outputs[n_updated] = step->loss;
  step->program = lb_compile (graph, outputs, n_updated + 1, error);
  if (!step->program)
    return NULL;
  for (guint i = 0; i < n_all; i++)
    lb_program_carry (step->program, outputs[i], step->parameters[i]);
  for (guint i = n_all; i < n_updated; i++)
    lb_program_carry (step->program, outputs[i], step->moments[(i - n_all) / n][(i - n_all) % n]);
  return g_steal_pointer (&step);
}

/* Bytes of what is bound to an input. */
static gsize
input_bytes (LbNode *input)
{
  return input ? (gsize)lb_shape_size (lb_node_shape (input)) * sizeof (float) : 0;
}

gsize
lb_batch_step_bytes (const LbBatchStep *step, guint threads)
{
  return lb_program_peak_bytes (step->program, threads) + input_bytes (step->images) + input_bytes (step->targets)
         + input_bytes (step->partners) + input_bytes (step->view_images) + input_bytes (step->where)
         + input_bytes (step->view_targets) + input_bytes (step->keys) + input_bytes (step->view_keys);
}

/* ---- Batches ---- */

/* A tensor of the shape of @input, bound to it. */
static LbTensor *
bind_new (LbProgram *program, LbNode *input)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, lb_node_shape (input));

  lb_program_bind (program, input, tensor);
  return tensor;
}

void
lb_batch_step_bind (LbBatchStep *step, const LbOptimiserState *state)
{
  lb_network_bind (step->network, step->program, step->parameters, state->parameters);
  for (guint k = 0; k < LB_MOST_MOMENTS && step->moments[k]; k++)
    lb_network_bind (step->network, step->program, step->moments[k], state->moments[k]);
  if (step->image_values)
    return;
  lb_program_bind (step->program, step->rate, state->rate);
  for (guint k = 0; k < LB_MOST_MOMENTS && step->corrections[k]; k++)
    lb_program_bind (step->program, step->corrections[k], state->corrections[k]);
  step->image_values = bind_new (step->program, step->images);
  step->target_values = bind_new (step->program, step->targets);
  lb_augmenter_bind (step->augmenter, step->program);
  if (step->partners) {
    step->partner_values = bind_new (step->program, step->partners);
    lb_augmenter_bind (step->partner_augmenter, step->program);
    lb_cutmix_bind (step->cutmix, step->program);
  }
  if (step->view_images) {
    step->view_values = bind_new (step->program, step->view_images);
    step->where_values = bind_new (step->program, step->where);
    step->view_target_values = bind_new (step->program, step->view_targets);
    lb_augmenter_bind (step->view_augmenter, step->program);
  }
  if (step->keys)
    step->key_values = bind_new (step->program, step->keys);
  if (step->view_keys)
    step->view_key_values = bind_new (step->program, step->view_keys);
}

/* A key for what is drawn for @purpose. */
static LbKey
batch_key (const LbBatch *batch, const char *purpose)
{
  return lb_key_index (lb_key_derive (batch->key, purpose), (guint64)batch->place);
}

/* Room for an order of @n windows. */
static guint32 *
view_order (LbBatchStep *step, gint64 n)
{
  if (step->n_windows != n)
    step->view_order = g_renew (guint32, step->view_order, n);
  step->n_windows = n;
  return step->view_order;
}

/* Draws views of the images and loads them with their dense labels. */
static void
load_views (LbBatchStep *step, const LbBatch *batch)
{
  const LbLearningSet *set = batch->set;
  LbImageSize size = lb_network_input (step->network);
  gint64 classes = lb_network_classes (step->network), available = lb_tensor_dim (set->windows, 0), row = 0;
  LbRandom random = lb_random (batch_key (batch, "views"));
  guint32 *order = view_order (step, available), *images = step->view_rows;

  for (gint64 i = 0; i < step->batch; i++) {
    lb_random_permutation (&random, order, (gsize)available);
    for (gint64 k = 0; k < step->settings.views; k++, row++) {
      gint64 image = batch->images[i];
      const float *dense = lb_tensor_f32 (set->dense_labels) + (image * available + order[k]) * classes;

      images[row] = (guint32)image;
      lb_window_sampling (lb_tensor_f32 (set->windows) + 4 * order[k], size.height, size.width,
                          lb_tensor_f32 (step->where_values) + 10 * row);
      memcpy (lb_tensor_f32 (step->view_target_values) + row * classes, dense, (gsize)classes * sizeof (float));
    }
  }
  lb_images_load (set->images, images, row, set->mean, set->std, step->view_values);
}

/* Draws what the step drops. */
static void
load_keys (LbBatchStep *step, const LbBatch *batch)
{
  if (step->key_values)
    lb_dropout_keys (batch_key (batch, "dropout"), lb_tensor_dim (step->key_values, 0),
                     lb_tensor_f32 (step->key_values));
  if (step->view_key_values)
    lb_dropout_keys (batch_key (batch, "view dropout"), lb_tensor_dim (step->view_key_values, 0),
                     lb_tensor_f32 (step->view_key_values));
}

/* Draws a rectangle and loads what shows in it; targets are mixed as the areas are. */
static void
load_partners (LbBatchStep *step, const LbBatch *batch)
{
  const LbLearningSet *set = batch->set;
  const guint32 *images = batch->images;
  LbImageSize size = lb_network_input (step->network);
  gint64 classes = lb_network_classes (step->network);
  LbKey key = batch_key (batch, "cutmix");
  LbRandom random = lb_random (lb_key_derive (key, "partner"));
  LbCutMixBox box = lb_cutmix_draw (step->settings.cutmix, size.height, size.width, lb_key_derive (key, "box"));
  float share = (float)lb_cutmix_share (&box, size.height, size.width), *target = lb_tensor_f32 (step->target_values);

  lb_random_permutation (&random, step->places, (gsize)step->batch);
  for (gint64 i = 0; i < step->batch; i++, target += classes) {
    step->partner_images[i] = images[step->places[i]];
    target[lb_tensor_i32 (set->labels)[images[i]]] = 1 - share;
    target[lb_tensor_i32 (set->labels)[step->partner_images[i]]] += share;
  }
  lb_images_load (set->images, step->partner_images, step->batch, set->mean, set->std, step->partner_values);
  lb_augmenter_draw_as (step->partner_augmenter, step->places, batch_key (batch, "augmentation"));
  lb_cutmix_set (step->cutmix, &box);
}

void
lb_batch_step_load (LbBatchStep *step, const LbBatch *batch)
{
  const LbLearningSet *set = batch->set;
  gint64 classes = lb_network_classes (step->network);

  lb_images_load (set->images, batch->images, step->batch, set->mean, set->std, step->image_values);
  for (gint64 i = 0; i < step->batch; i++)
    lb_one_hot (lb_tensor_i32 (set->labels) + batch->images[i], 1, classes,
                lb_tensor_f32 (step->target_values) + i * classes);
  lb_augmenter_draw (step->augmenter, FALSE, batch_key (batch, "augmentation"));
  if (step->partners)
    load_partners (step, batch);
  load_keys (step, batch);
  if (!step->settings.views)
    return;
  load_views (step, batch);
  lb_augmenter_draw (step->view_augmenter, FALSE, batch_key (batch, "view augmentation"));
}
