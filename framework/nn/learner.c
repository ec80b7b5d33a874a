/* Training of one network.
 *
 * Invariants: the programs of full and last batches are bound to the same parameters, moments and rate, so that an
 * epoch may use them in turn. Whatever a step draws comes from the epoch's key and its place in the epoch, so that the
 * state is the tensors and a few counters.
 */
#include "nn/learner.h"

#include <string.h>

#include "base/error.h"
#include "nn/images.h"
#include "nn/train.h"
#include "nn/views.h"

#define MOMENTS 2

/* One step on batches of one size, compiled. */
typedef struct {
  gint64 batch;
  LbProgram *program;
  LbNode **parameters, **moments[MOMENTS]; /* inputs; NULL where the optimiser has none */
  LbNode *rate, *corrections[MOMENTS], *images, *targets, *view_images, *where, *view_targets;
  LbNode *keys, *view_keys; /* of dropout; NULL without */
  LbAugmenter *augmenter, *view_augmenter;
  LbNode *loss;
  /* Of CutMix: the images that show through, as they are augmented among the batch; NULL without. */
  LbNode *partners;
  LbAugmenter *partner_augmenter;
  LbCutMix *cutmix;
  guint32 *places, *partner_images; /* [batch]: of the partners in the batch and in the set */
  LbTensor *partner_values;
  /* What is bound to the inputs of a batch; NULL until the first start. */
  LbTensor *image_values, *target_values, *view_values, *where_values, *view_target_values;
  LbTensor *key_values, *view_key_values;
} Step;

struct _LbLearner {
  const LbNetwork *network;
  LbLearnerSettings settings;
  gint64 n_images;
  Step *full, *rest; /* rest NULL when batches go into the set evenly */
  double base_rate;
  LbTensor *parameters, *moments[MOMENTS], *average, *rate, *corrections[MOMENTS];
  LbLearningSet set;
  guint32 *order;
  /* The position. */
  LbKey key;       /* of the epoch */
  gint64 next;     /* image of the order; n_images between epochs */
  guint64 epochs;  /* complete ones */
  guint64 steps;   /* since the start */
  guint64 updates; /* since the moments were zero */
};

/* ---- Optimisers ---- */

static guint
n_moments (const LbLearnerSettings *settings)
{
  if (settings->optimiser == LB_OPTIMISER_SGD)
    return settings->momentum != 0 ? 1 : 0;
  return 2;
}

static LbAdam
adam_of (const LbLearnerSettings *settings)
{
  return (LbAdam){ settings->beta1, settings->beta2, settings->epsilon, settings->weight_decay,
                   settings->optimiser == LB_OPTIMISER_ADAMW };
}

/* The new parameters into @outputs, the new moments, @n of each, into @moments. */
static void
build_update (Step *step, LbGraph *graph, const LbLearnerSettings *settings, LbNode *const *gradients, guint n,
              LbNode **outputs, LbNode **moments)
{
  LbAdam adam = adam_of (settings);

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

static void
step_free (Step *step)
{
  if (!step)
    return;
  lb_program_free (step->program);
  lb_augmenter_free (step->augmenter);
  lb_augmenter_free (step->view_augmenter);
  lb_augmenter_free (step->partner_augmenter);
  lb_cutmix_free (step->cutmix);
  g_free (step->places);
  g_free (step->partner_images);
  g_clear_pointer (&step->partner_values, lb_tensor_unref);
  g_free (step->parameters);
  for (guint k = 0; k < MOMENTS; k++)
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

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Step, step_free)

/* An input of dropout keys for @n samples; NULL when the network drops nothing. */
static LbNode *
key_input (LbGraph *graph, const LbNetwork *network, const char *name, gint64 n)
{
  return lb_network_has_dropout (network) ? lb_batch_input (graph, name, LB_SHAPE (n, LB_DROPOUT_KEY)) : NULL;
}

/* What the network sees of a batch; appends its images, and their partners with CutMix. */
static LbNode *
build_images (Step *step, LbGraph *graph, LbImageSize size, const LbLearnerSettings *settings)
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
build_penalty (Step *step, const LbNetwork *network)
{
  guint kept = lb_network_n_tensors (network) - lb_network_n_trained_tensors (network);
  g_autofree LbNode **statistics = g_new0 (LbNode *, kept + 1);

  return lb_gradient_penalty (
      lb_network_apply_training (network, step->parameters, step->images, step->keys, statistics), step->images);
}

/* The loss; appends the inputs of a batch. Views are cut in the program, so no cut image is ever stored. What the
 * network's statistics become goes to @statistics: moved by the images' batch first, then by the views'. */
static LbNode *
build_loss (Step *step, LbGraph *graph, const LbNetwork *network, const LbLearnerSettings *settings,
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
build_state (Step *step, LbGraph *graph, const LbNetwork *network, const LbLearnerSettings *settings)
{
  static const char *const prefixes[MOMENTS] = { "moment1.", "moment2." };
  guint n = lb_network_n_tensors (network);

  step->parameters = g_new0 (LbNode *, n);
  lb_network_inputs (network, graph, "", step->parameters);
  for (guint k = 0; k < n_moments (settings); k++) {
    step->moments[k] = g_new0 (LbNode *, n);
    lb_network_inputs (network, graph, prefixes[k], step->moments[k]);
  }
}

static Step *
step_new (const LbNetwork *network, gint64 batch, const LbLearnerSettings *settings, GError **error)
{
  g_autoptr (Step) step = g_new0 (Step, 1);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  guint n = lb_network_n_trained_tensors (network), n_all = lb_network_n_tensors (network);
  guint n_updated = n_all + n * n_moments (settings);
  g_autofree LbNode **gradients = g_new0 (LbNode *, n), **outputs = g_new0 (LbNode *, n_updated + 1);

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

LbLearner *
lb_learner_new (const LbNetwork *network, gint64 n_images, const LbLearnerSettings *settings, GError **error)
{
  g_autoptr (LbLearner) learner = g_new0 (LbLearner, 1);
  gint64 batch = MIN (settings->batch, n_images), rest = n_images % batch;

  learner->network = network;
  learner->settings = *settings;
  learner->n_images = learner->next = n_images;
  learner->full = step_new (network, batch, settings, error);
  if (!learner->full || (rest && !(learner->rest = step_new (network, rest, settings, error))))
    return NULL;
  return g_steal_pointer (&learner);
}

void
lb_learner_free (LbLearner *learner)
{
  if (!learner)
    return;
  step_free (learner->full);
  step_free (learner->rest);
  g_clear_pointer (&learner->parameters, lb_tensor_unref);
  g_clear_pointer (&learner->average, lb_tensor_unref);
  g_clear_pointer (&learner->rate, lb_tensor_unref);
  for (guint k = 0; k < MOMENTS; k++) {
    g_clear_pointer (&learner->moments[k], lb_tensor_unref);
    g_clear_pointer (&learner->corrections[k], lb_tensor_unref);
  }
  g_free (learner->order);
  g_free (learner);
}

guint
lb_learner_epoch_steps (const LbLearner *learner)
{
  return (guint)(learner->n_images / learner->full->batch) + (learner->rest ? 1 : 0);
}

double
lb_learner_epoch_flops (const LbLearner *learner)
{
  return (double)(learner->n_images / learner->full->batch) * lb_program_flops (learner->full->program)
         + (learner->rest ? lb_program_flops (learner->rest->program) : 0);
}

/* Bytes of what is bound to an input. */
static gsize
input_bytes (LbNode *input)
{
  return input ? (gsize)lb_shape_size (lb_node_shape (input)) * sizeof (float) : 0;
}

static gsize
step_bytes (const Step *step, guint threads)
{
  if (!step)
    return 0;
  return lb_program_peak_bytes (step->program, threads) + input_bytes (step->images) + input_bytes (step->targets)
         + input_bytes (step->partners) + input_bytes (step->view_images) + input_bytes (step->where)
         + input_bytes (step->view_targets) + input_bytes (step->keys) + input_bytes (step->view_keys);
}

gsize
lb_learner_peak_bytes (const LbLearner *learner, guint threads)
{
  return step_bytes (learner->full, threads) + step_bytes (learner->rest, threads)
         + (gsize)lb_network_n_parameters (learner->network) * sizeof (float)
               * (n_moments (&learner->settings) + (learner->settings.average_decay != 0 ? 1 : 0))
         + (gsize)learner->n_images * sizeof *learner->order;
}

/* ---- Start ---- */

/* A tensor of the shape of @input, bound to it. */
static LbTensor *
bind_new (LbProgram *program, LbNode *input)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, lb_node_shape (input));

  lb_program_bind (program, input, tensor);
  return tensor;
}

static void
step_start (Step *step, LbLearner *learner)
{
  if (!step)
    return;
  lb_network_bind (learner->network, step->program, step->parameters, learner->parameters);
  for (guint k = 0; k < MOMENTS && step->moments[k]; k++)
    lb_network_bind (learner->network, step->program, step->moments[k], learner->moments[k]);
  if (step->image_values)
    return;
  lb_program_bind (step->program, step->rate, learner->rate);
  for (guint k = 0; k < MOMENTS && step->corrections[k]; k++)
    lb_program_bind (step->program, step->corrections[k], learner->corrections[k]);
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

static void
forget_moments (LbLearner *learner)
{
  for (guint k = 0; k < n_moments (&learner->settings); k++)
    memset (lb_tensor_f32 (learner->moments[k]), 0, lb_tensor_bytes (learner->moments[k]));
  learner->updates = 0;
}

void
lb_learner_start (LbLearner *learner, LbTensor *parameters, double rate)
{
  LbShape shape = lb_tensor_shape (parameters);

  lb_tensor_ref (parameters);
  g_clear_pointer (&learner->parameters, lb_tensor_unref);
  learner->parameters = parameters;
  learner->base_rate = rate;
  if (!learner->rate) {
    learner->rate = lb_tensor_new (LB_F32, LB_SCALAR);
    for (guint k = 0; k < n_moments (&learner->settings); k++)
      learner->moments[k] = lb_tensor_new (LB_F32, shape);
    for (guint k = 0; k < MOMENTS; k++)
      learner->corrections[k] = lb_tensor_new (LB_F32, LB_SCALAR);
    learner->order = g_new (guint32, learner->n_images);
  }
  /* A fresh one for each start: the last one may be in use as what a training gave. */
  g_clear_pointer (&learner->average, lb_tensor_unref);
  if (learner->settings.average_decay != 0)
    learner->average = lb_tensor_copy (parameters);
  step_start (learner->full, learner);
  step_start (learner->rest, learner);
  learner->next = learner->n_images;
  learner->epochs = learner->steps = 0;
  forget_moments (learner);
}

/* ---- Epochs ---- */

/* Opens @set for the epoch of @learner->key. */
static void
open_epoch (LbLearner *learner, const LbLearningSet *set)
{
  LbRandom random = lb_random (lb_key_derive (learner->key, "order"));

  g_assert (lb_tensor_dim (set->images, 0) == learner->n_images);
  g_assert (!learner->settings.views || lb_tensor_dim (set->windows, 0) >= learner->settings.views);
  learner->set = *set;
  lb_random_permutation (&random, learner->order, (gsize)learner->n_images);
}

void
lb_learner_begin_epoch (LbLearner *learner, const LbLearningSet *set, LbKey key)
{
  learner->key = key;
  learner->next = 0;
  open_epoch (learner, set);
  if (lb_schedule_restarts (&learner->settings.schedule, learner->epochs))
    forget_moments (learner);
}

/* Draws views of the images @indices and loads them with their dense labels. */
static void
load_views (Step *step, const LbLearner *learner, const guint32 *indices, LbKey key)
{
  const LbLearningSet *set = &learner->set;
  LbImageSize size = lb_network_input (learner->network);
  gint64 classes = lb_network_classes (learner->network), available = lb_tensor_dim (set->windows, 0), row = 0;
  g_autofree guint32 *order = g_new (guint32, available);
  g_autofree guint32 *images = g_new (guint32, step->batch * learner->settings.views);
  LbRandom random = lb_random (key);

  for (gint64 i = 0; i < step->batch; i++) {
    lb_random_permutation (&random, order, (gsize)available);
    for (gint64 k = 0; k < learner->settings.views; k++, row++) {
      const float *dense = lb_tensor_f32 (set->dense_labels) + (indices[i] * available + order[k]) * classes;

      images[row] = indices[i];
      lb_window_sampling (lb_tensor_f32 (set->windows) + 4 * order[k], size.height, size.width,
                          lb_tensor_f32 (step->where_values) + 10 * row);
      memcpy (lb_tensor_f32 (step->view_target_values) + row * classes, dense, (gsize)classes * sizeof (float));
    }
  }
  lb_images_load (set->images, images, row, set->mean, set->std, step->view_values);
}

/* A key for what the next step draws for @purpose. */
static LbKey
step_key (const LbLearner *learner, const char *purpose)
{
  return lb_key_index (lb_key_derive (learner->key, purpose), (guint64)learner->next);
}

/* Draws what the step drops. */
static void
load_keys (Step *step, const LbLearner *learner)
{
  if (step->key_values)
    lb_dropout_keys (step_key (learner, "dropout"), lb_tensor_dim (step->key_values, 0),
                     lb_tensor_f32 (step->key_values));
  if (step->view_key_values)
    lb_dropout_keys (step_key (learner, "view dropout"), lb_tensor_dim (step->view_key_values, 0),
                     lb_tensor_f32 (step->view_key_values));
}

/* Draws a rectangle and loads what shows in it; targets are mixed as the areas are. */
static void
load_partners (Step *step, const LbLearner *learner)
{
  const LbLearningSet *set = &learner->set;
  const guint32 *indices = learner->order + learner->next;
  LbImageSize size = lb_network_input (learner->network);
  gint64 classes = lb_network_classes (learner->network);
  LbKey key = step_key (learner, "cutmix");
  LbRandom random = lb_random (lb_key_derive (key, "partner"));
  LbCutMixBox box = lb_cutmix_draw (learner->settings.cutmix, size.height, size.width, lb_key_derive (key, "box"));
  float share = (float)lb_cutmix_share (&box, size.height, size.width), *target = lb_tensor_f32 (step->target_values);

  lb_random_permutation (&random, step->places, (gsize)step->batch);
  for (gint64 i = 0; i < step->batch; i++, target += classes) {
    step->partner_images[i] = indices[step->places[i]];
    target[lb_tensor_i32 (set->labels)[indices[i]]] = 1 - share;
    target[lb_tensor_i32 (set->labels)[step->partner_images[i]]] += share;
  }
  lb_images_load (set->images, step->partner_images, step->batch, set->mean, set->std, step->partner_values);
  lb_augmenter_draw_as (step->partner_augmenter, step->places, step_key (learner, "augmentation"));
  lb_cutmix_set (step->cutmix, &box);
}

static void
load_batch (Step *step, const LbLearner *learner)
{
  const LbLearningSet *set = &learner->set;
  const guint32 *indices = learner->order + learner->next;
  gint64 classes = lb_network_classes (learner->network);

  lb_images_load (set->images, indices, step->batch, set->mean, set->std, step->image_values);
  for (gint64 i = 0; i < step->batch; i++)
    lb_one_hot (lb_tensor_i32 (set->labels) + indices[i], 1, classes,
                lb_tensor_f32 (step->target_values) + i * classes);
  lb_augmenter_draw (step->augmenter, FALSE, step_key (learner, "augmentation"));
  if (step->partners)
    load_partners (step, learner);
  load_keys (step, learner);
  if (!learner->settings.views)
    return;
  load_views (step, learner, indices, step_key (learner, "views"));
  lb_augmenter_draw (step->view_augmenter, FALSE, step_key (learner, "view augmentation"));
}

static void
set_rate (LbLearner *learner)
{
  guint64 steps = lb_learner_epoch_steps (learner), step = (guint64)(learner->next / learner->full->batch);
  double c1, c2;

  lb_tensor_f32 (learner->rate)[0]
      = (float)(learner->base_rate * lb_schedule_factor (&learner->settings.schedule, learner->epochs, step, steps));
  if (learner->settings.optimiser == LB_OPTIMISER_SGD)
    return;
  LbAdam adam = adam_of (&learner->settings);
  lb_adam_corrections (&adam, learner->updates + 1, &c1, &c2);
  lb_tensor_f32 (learner->corrections[0])[0] = (float)c1;
  lb_tensor_f32 (learner->corrections[1])[0] = (float)c2;
}

/* The warm-up of the decay is TensorFlow's (tf.train.ExponentialMovingAverage with num_updates). */
static void
update_average (LbLearner *learner)
{
  double t = (double)learner->steps;
  float decay = (float)MIN (learner->settings.average_decay, (1 + t) / (10 + t)), rest = 1 - decay;
  float *average = lb_tensor_f32 (learner->average);
  const float *parameters = lb_tensor_f32 (learner->parameters);

  for (gint64 i = 0; i < lb_tensor_size (learner->average); i++)
    average[i] = decay * average[i] + rest * parameters[i];
}

gboolean
lb_learner_step (LbLearner *learner, LbCompute *compute, double *loss)
{
  Step *step = learner->n_images - learner->next >= learner->full->batch ? learner->full : learner->rest;

  if (learner->next >= learner->n_images)
    return FALSE;
  load_batch (step, learner);
  set_rate (learner);
  lb_program_run (step->program, compute);
  *loss = lb_program_scalar (step->program, step->loss);
  if (learner->average)
    update_average (learner);
  learner->steps++;
  learner->updates++;
  learner->next += step->batch;
  if (learner->next == learner->n_images)
    learner->epochs++;
  return TRUE;
}

guint64
lb_learner_epochs (const LbLearner *learner)
{
  return learner->epochs;
}

gboolean
lb_learner_in_epoch (const LbLearner *learner)
{
  return learner->next < learner->n_images;
}

guint64
lb_learner_steps (const LbLearner *learner)
{
  return learner->steps;
}

LbTensor *
lb_learner_result (const LbLearner *learner)
{
  return learner->average ? learner->average : learner->parameters;
}

/* ---- State ---- */

enum { KEY, NEXT, EPOCHS, STEPS, UPDATES, N_COUNTERS };

/* The flat tensors of the state, by name; returns how many. */
static guint
state_tensors (const LbLearner *learner, LbNamedTensor tensors[4])
{
  const LbNamedTensor all[4] = { { (char *)"parameters", learner->parameters },
                                 { (char *)"moment1", learner->moments[0] },
                                 { (char *)"moment2", learner->moments[1] },
                                 { (char *)"average", learner->average } };
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    if (all[i].tensor)
      tensors[n++] = all[i];
  return n;
}

static void
clear_named (gpointer data)
{
  LbNamedTensor *named = data;

  g_free (named->name);
  lb_tensor_unref (named->tensor);
}

GArray *
lb_learner_save (const LbLearner *learner)
{
  GArray *state = g_array_new (FALSE, FALSE, sizeof (LbNamedTensor));
  LbNamedTensor tensors[4], position = { g_strdup ("position"), lb_tensor_new (LB_I64, LB_SHAPE (N_COUNTERS)) };
  guint n = state_tensors (learner, tensors);
  gint64 *counters = lb_tensor_i64 (position.tensor);

  g_array_set_clear_func (state, clear_named);
  for (guint i = 0; i < n; i++) {
    LbNamedTensor named = { g_strdup (tensors[i].name), lb_tensor_ref (tensors[i].tensor) };
    g_array_append_val (state, named);
  }
  counters[KEY] = (gint64)learner->key.word;
  counters[NEXT] = learner->next;
  counters[EPOCHS] = (gint64)learner->epochs;
  counters[STEPS] = (gint64)learner->steps;
  counters[UPDATES] = (gint64)learner->updates;
  g_array_append_val (state, position);
  return state;
}

/* The tensor @name of @state, which must be of @dtype and @shape. */
static LbTensor *
state_tensor (GArray *state, const char *name, LbDType dtype, LbShape shape, GError **error)
{
  g_autofree char *expected = lb_shape_to_string (shape);

  for (guint i = 0; i < state->len; i++) {
    const LbNamedTensor *named = &g_array_index (state, LbNamedTensor, i);
    g_autofree char *found = lb_shape_to_string (lb_tensor_shape (named->tensor));

    if (!g_str_equal (named->name, name))
      continue;
    if (lb_tensor_dtype (named->tensor) == dtype && lb_shape_equal (lb_tensor_shape (named->tensor), shape))
      return named->tensor;
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "'%s' of a saved training is %s%s, where %s%s was expected; it was saved with another network, start "
                 "the training again",
                 name, lb_dtype_name (lb_tensor_dtype (named->tensor)), found, lb_dtype_name (dtype), expected);
    return NULL;
  }
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "a saved training has no '%s', where %s%s was expected; it was saved with other settings, start the "
               "training again",
               name, lb_dtype_name (dtype), expected);
  return NULL;
}

/* Whether a learner of this kind can stand where @counters say. */
static gboolean
check_position (const LbLearner *learner, const gint64 *counters, GError **error)
{
  gint64 next = counters[NEXT], batch = learner->full->batch;
  gboolean between = next == learner->n_images;
  guint64 steps = lb_learner_epoch_steps (learner);

  if (next >= 0 && next <= learner->n_images && (between || next % batch == 0) && counters[EPOCHS] >= 0
      && counters[EPOCHS] < G_MAXINT32 && counters[UPDATES] >= 0 && counters[UPDATES] <= counters[STEPS]
      && (guint64)counters[STEPS] == (guint64)counters[EPOCHS] * steps + (between ? 0 : (guint64)(next / batch)))
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "a saved training stands at image %" G_GINT64_FORMAT " after %" G_GINT64_FORMAT
               " epochs and %" G_GINT64_FORMAT " steps, where batches of %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
               " images were expected; it is damaged or was saved with another set, start the training again",
               next, counters[EPOCHS], counters[STEPS], batch, learner->n_images);
  return FALSE;
}

gboolean
lb_learner_restore (LbLearner *learner, const LbLearningSet *set, GArray *state, GError **error)
{
  LbNamedTensor tensors[4];
  guint n = state_tensors (learner, tensors);
  LbTensor *from[4], *position = state_tensor (state, "position", LB_I64, LB_SHAPE (N_COUNTERS), error);
  const gint64 *counters;

  for (guint i = 0; i < n && position; i++)
    if (!(from[i] = state_tensor (state, tensors[i].name, LB_F32, lb_tensor_shape (tensors[i].tensor), error)))
      return FALSE;
  if (!position || !check_position (learner, counters = lb_tensor_i64 (position), error))
    return FALSE;
  for (guint i = 0; i < n; i++)
    memcpy (lb_tensor_f32 (tensors[i].tensor), lb_tensor_f32 (from[i]), lb_tensor_bytes (from[i]));
  learner->key = (LbKey){ (guint64)counters[KEY] };
  learner->next = counters[NEXT];
  learner->epochs = (guint64)counters[EPOCHS];
  learner->steps = (guint64)counters[STEPS];
  learner->updates = (guint64)counters[UPDATES];
  if (lb_learner_in_epoch (learner))
    open_epoch (learner, set);
  return TRUE;
}
