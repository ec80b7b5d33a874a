/* Training of one network by SGD.
 *
 * Invariant: the programs of full and last batches are bound to the same parameters, momenta and rate, so that an epoch
 * may use them in turn.
 */
#include "nn/learner.h"

#include <string.h>

#include "nn/images.h"
#include "nn/train.h"
#include "nn/views.h"

/* One step on batches of one size, compiled. */
typedef struct {
  gint64 batch;
  LbProgram *program;
  LbNode **parameters, **momenta; /* inputs; momenta NULL for plain SGD */
  LbNode *rate, *images, *targets, *view_images, *where, *view_targets;
  LbNode *loss;
  /* What is bound to the inputs of a batch; NULL until the first start. */
  LbTensor *image_values, *target_values, *view_values, *where_values, *view_target_values;
} Step;

struct _LbLearner {
  const LbNetwork *network;
  LbLearnerSettings settings;
  gint64 n_images;
  Step *full, *rest; /* rest NULL when batches go into the set evenly */
  LbTensor *parameters, *momenta, *rate;
  LbLearningSet set;
  LbKey key;
  guint32 *order;
  gint64 next; /* image of the order */
};

/* ---- Programs ---- */

static void
step_free (Step *step)
{
  if (!step)
    return;
  lb_program_free (step->program);
  g_free (step->parameters);
  g_free (step->momenta);
  g_clear_pointer (&step->image_values, lb_tensor_unref);
  g_clear_pointer (&step->target_values, lb_tensor_unref);
  g_clear_pointer (&step->view_values, lb_tensor_unref);
  g_clear_pointer (&step->where_values, lb_tensor_unref);
  g_clear_pointer (&step->view_target_values, lb_tensor_unref);
  g_free (step);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Step, step_free)

/* The loss; appends the inputs of a batch. Views are cut in the program, so no cut image is ever stored. */
static LbNode *
build_loss (Step *step, LbGraph *graph, const LbNetwork *network, const LbLearnerSettings *settings)
{
  LbImageSize size = lb_network_input (network);
  gint64 classes = lb_network_classes (network), n = step->batch;
  LbNode *loss, *dense, *cut;

  step->images = lb_batch_input (graph, "images", LB_SHAPE (n, size.height, size.width, size.channels));
  step->targets = lb_batch_input (graph, "targets", LB_SHAPE (n, classes));
  loss = lb_cross_entropy (lb_network_apply (network, step->parameters, step->images), step->targets);
  if (!settings->views)
    return loss;

  n *= settings->views;
  step->view_images = lb_batch_input (graph, "view images", LB_SHAPE (n, size.height, size.width, size.channels));
  step->where = lb_batch_input (graph, "where", LB_SHAPE (n, 10));
  step->view_targets = lb_batch_input (graph, "view targets", LB_SHAPE (n, classes));
  cut = lb_bilinear (step->view_images, step->where, size.height, size.width, LB_BORDER_CLAMP);
  dense = lb_cross_entropy (lb_network_apply (network, step->parameters, cut), step->view_targets);
  return lb_add (loss, lb_scale (dense, settings->dense_weight));
}

static Step *
step_new (const LbNetwork *network, gint64 batch, const LbLearnerSettings *settings, GError **error)
{
  g_autoptr (Step) step = g_new0 (Step, 1);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  guint n = lb_network_n_tensors (network), n_outputs = 0;
  g_autofree LbNode **gradients = g_new0 (LbNode *, n), **outputs = g_new0 (LbNode *, 2 * n + 1);

  step->batch = batch;
  step->parameters = g_new0 (LbNode *, n);
  lb_network_inputs (network, graph, "", step->parameters);
  if (settings->momentum != 0) {
    step->momenta = g_new0 (LbNode *, n);
    lb_network_inputs (network, graph, "momentum.", step->momenta);
  }
  step->rate = lb_input (graph, "rate", LB_SCALAR);
  step->loss = build_loss (step, graph, network, settings);
  lb_gradients (step->loss, step->parameters, n, gradients);
  lb_sgd_step (step->parameters, gradients, step->momenta, n, step->rate, settings->momentum, settings->weight_decay,
               outputs, outputs + n);
  n_outputs = step->momenta ? 2 * n : n;
  outputs[n_outputs++] = step->loss;
  step->program = lb_compile (graph, outputs, n_outputs, error);
  if (!step->program)
    return NULL;
  for (guint i = 0; i < n; i++) {
    lb_program_carry (step->program, outputs[i], step->parameters[i]);
    if (step->momenta)
      lb_program_carry (step->program, outputs[n + i], step->momenta[i]);
  }
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
  g_clear_pointer (&learner->momenta, lb_tensor_unref);
  g_clear_pointer (&learner->rate, lb_tensor_unref);
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

gsize
lb_learner_peak_bytes (const LbLearner *learner, guint threads)
{
  return lb_program_peak_bytes (learner->full->program, threads)
         + (learner->rest ? lb_program_peak_bytes (learner->rest->program, threads) : 0);
}

/* ---- Parameters ---- */

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
  if (step->momenta)
    lb_network_bind (learner->network, step->program, step->momenta, learner->momenta);
  if (step->image_values)
    return;
  lb_program_bind (step->program, step->rate, learner->rate);
  step->image_values = bind_new (step->program, step->images);
  step->target_values = bind_new (step->program, step->targets);
  if (step->view_images) {
    step->view_values = bind_new (step->program, step->view_images);
    step->where_values = bind_new (step->program, step->where);
    step->view_target_values = bind_new (step->program, step->view_targets);
  }
}

void
lb_learner_start (LbLearner *learner, LbTensor *parameters, double rate)
{
  lb_tensor_ref (parameters);
  g_clear_pointer (&learner->parameters, lb_tensor_unref);
  learner->parameters = parameters;
  if (!learner->rate) {
    learner->rate = lb_tensor_new (LB_F32, LB_SCALAR);
    learner->momenta = lb_tensor_new (LB_F32, lb_tensor_shape (parameters));
    learner->order = g_new (guint32, learner->n_images);
  }
  step_start (learner->full, learner);
  step_start (learner->rest, learner);
  lb_learner_set_rate (learner, rate);
}

void
lb_learner_set_rate (LbLearner *learner, double rate)
{
  lb_tensor_f32 (learner->rate)[0] = (float)rate;
  memset (lb_tensor_f32 (learner->momenta), 0, lb_tensor_bytes (learner->momenta));
}

/* ---- Epochs ---- */

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

void
lb_learner_begin_epoch (LbLearner *learner, const LbLearningSet *set, LbKey key)
{
  LbRandom random = lb_random (lb_key_derive (key, "order"));

  g_assert (lb_tensor_dim (set->images, 0) == learner->n_images);
  g_assert (!learner->settings.views || lb_tensor_dim (set->windows, 0) >= learner->settings.views);
  learner->set = *set;
  learner->key = lb_key_derive (key, "views");
  learner->next = 0;
  lb_random_permutation (&random, learner->order, (gsize)learner->n_images);
}

gboolean
lb_learner_step (LbLearner *learner, LbCompute *compute, double *loss)
{
  const LbLearningSet *set = &learner->set;
  Step *step = learner->n_images - learner->next >= learner->full->batch ? learner->full : learner->rest;
  gint64 classes = lb_network_classes (learner->network);
  const guint32 *indices = learner->order + learner->next;

  if (learner->next >= learner->n_images)
    return FALSE;
  lb_images_load (set->images, indices, step->batch, set->mean, set->std, step->image_values);
  for (gint64 i = 0; i < step->batch; i++)
    lb_one_hot (lb_tensor_i32 (set->labels) + indices[i], 1, classes,
                lb_tensor_f32 (step->target_values) + i * classes);
  if (learner->settings.views)
    load_views (step, learner, indices, lb_key_index (learner->key, (guint64)learner->next));
  lb_program_run (step->program, compute);
  *loss = lb_program_scalar (step->program, step->loss);
  learner->next += step->batch;
  return TRUE;
}
