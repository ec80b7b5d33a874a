/* Training of one network.
 *
 * Invariants: the programs of full and last batches are bound to the same parameters, moments and rate, so that an
 * epoch may use them in turn. Whatever a step draws comes from the epoch's key and its place in the epoch, so that the
 * state is the tensors and a few counters.
 */
#include "nn/learner.h"

#include <string.h>

#include "base/error.h"
#include "nn/batch-step.h"

struct _LbLearner {
  const LbNetwork *network;
  LbLearnerSettings settings;
  gint64 n_images;
  LbBatchStep *full, *rest; /* rest NULL when batches go into the set evenly */
  double base_rate;
  LbOptimiserState state;
  LbTensor *average;
  LbLearningSet set;
  guint32 *order;
  /* The position. */
  LbKey key;       /* of the epoch */
  gint64 next;     /* image of the order; n_images between epochs */
  guint64 epochs;  /* complete ones */
  guint64 steps;   /* since the start */
  guint64 updates; /* since the moments were zero */
};

LbLearner *
lb_learner_new (const LbNetwork *network, gint64 n_images, const LbLearnerSettings *settings, GError **error)
{
  g_autoptr (LbLearner) learner = g_new0 (LbLearner, 1);
  gint64 batch = MIN (settings->batch, n_images), rest = n_images % batch;

  learner->network = network;
  learner->settings = *settings;
  learner->n_images = learner->next = n_images;
  learner->full = lb_batch_step_new (network, batch, settings, error);
  if (!learner->full || (rest && !(learner->rest = lb_batch_step_new (network, rest, settings, error))))
    return NULL;
  return g_steal_pointer (&learner);
}

void
lb_learner_free (LbLearner *learner)
{
  if (!learner)
    return;
  lb_batch_step_free (learner->full);
  lb_batch_step_free (learner->rest);
  g_clear_pointer (&learner->state.parameters, lb_tensor_unref);
  g_clear_pointer (&learner->average, lb_tensor_unref);
  g_clear_pointer (&learner->state.rate, lb_tensor_unref);
  for (guint k = 0; k < LB_MOST_MOMENTS; k++) {
    g_clear_pointer (&learner->state.moments[k], lb_tensor_unref);
    g_clear_pointer (&learner->state.corrections[k], lb_tensor_unref);
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

gsize
lb_learner_peak_bytes (const LbLearner *learner, guint threads)
{
  return lb_batch_step_bytes (learner->full, threads)
         + (learner->rest ? lb_batch_step_bytes (learner->rest, threads) : 0)
         + (gsize)lb_network_n_parameters (learner->network) * sizeof (float)
               * (lb_learner_n_moments (&learner->settings) + (learner->settings.average_decay != 0 ? 1 : 0))
         + (gsize)learner->n_images * sizeof *learner->order;
}

/* ---- Start ---- */

static void
forget_moments (LbLearner *learner)
{
  for (guint k = 0; k < lb_learner_n_moments (&learner->settings); k++)
    memset (lb_tensor_f32 (learner->state.moments[k]), 0, lb_tensor_bytes (learner->state.moments[k]));
  learner->updates = 0;
}

void
lb_learner_start (LbLearner *learner, LbTensor *parameters, double rate)
{
  LbShape shape = lb_tensor_shape (parameters);

  lb_tensor_ref (parameters);
  g_clear_pointer (&learner->state.parameters, lb_tensor_unref);
  learner->state.parameters = parameters;
  learner->base_rate = rate;
  if (!learner->state.rate) {
    learner->state.rate = lb_tensor_new (LB_F32, LB_SCALAR);
    for (guint k = 0; k < lb_learner_n_moments (&learner->settings); k++)
      learner->state.moments[k] = lb_tensor_new (LB_F32, shape);
    for (guint k = 0; k < LB_MOST_MOMENTS; k++)
      learner->state.corrections[k] = lb_tensor_new (LB_F32, LB_SCALAR);
    learner->order = g_new (guint32, learner->n_images);
  }
  /* A fresh one for each start: the last one may be in use as what a training gave. */
  g_clear_pointer (&learner->average, lb_tensor_unref);
  if (learner->settings.average_decay != 0)
    learner->average = lb_tensor_copy (parameters);
  lb_batch_step_bind (learner->full, &learner->state);
  if (learner->rest)
    lb_batch_step_bind (learner->rest, &learner->state);
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

static void
set_rate (LbLearner *learner)
{
  guint64 steps = lb_learner_epoch_steps (learner), step = (guint64)(learner->next / learner->full->batch);
  double c1, c2;

  lb_tensor_f32 (learner->state.rate)[0]
      = (float)(learner->base_rate * lb_schedule_factor (&learner->settings.schedule, learner->epochs, step, steps));
  if (learner->settings.optimiser == LB_OPTIMISER_SGD)
    return;
  LbAdam adam = lb_learner_adam (&learner->settings);
  lb_adam_corrections (&adam, learner->updates + 1, &c1, &c2);
  lb_tensor_f32 (learner->state.corrections[0])[0] = (float)c1;
  lb_tensor_f32 (learner->state.corrections[1])[0] = (float)c2;
}

/* The warm-up of the decay is TensorFlow's (tf.train.ExponentialMovingAverage with num_updates). */
static void
update_average (LbLearner *learner)
{
  double t = (double)learner->steps;
  float decay = (float)MIN (learner->settings.average_decay, (1 + t) / (10 + t)), rest = 1 - decay;
  float *average = lb_tensor_f32 (learner->average);
  const float *parameters = lb_tensor_f32 (learner->state.parameters);

  for (gint64 i = 0; i < lb_tensor_size (learner->average); i++)
    average[i] = decay * average[i] + rest * parameters[i];
}

gboolean
lb_learner_step (LbLearner *learner, LbCompute *compute, double *loss)
{
  LbBatchStep *step = learner->n_images - learner->next >= learner->full->batch ? learner->full : learner->rest;
  LbBatch batch = { &learner->set, learner->order + learner->next, learner->key, learner->next };

  if (learner->next >= learner->n_images)
    return FALSE;
  lb_batch_step_load (step, &batch);
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
  return learner->average ? learner->average : learner->state.parameters;
}

/* ---- State ---- */

enum { KEY, NEXT, EPOCHS, STEPS, UPDATES, N_COUNTERS };

/* The flat tensors of the state, by name; returns how many. */
static guint
state_tensors (const LbLearner *learner, LbNamedTensor tensors[4])
{
  const LbNamedTensor all[4] = { { (char *)"parameters", learner->state.parameters },
                                 { (char *)"moment1", learner->state.moments[0] },
                                 { (char *)"moment2", learner->state.moments[1] },
                                 { (char *)"average", learner->average } };
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    if (all[i].tensor)
      tensors[n++] = all[i];
  return n;
}

GArray *
lb_learner_save (const LbLearner *learner)
{
  GArray *state = lb_named_tensors_new ();
  LbNamedTensor tensors[4], position = { g_strdup ("position"), lb_tensor_new (LB_I64, LB_SHAPE (N_COUNTERS)) };
  guint n = state_tensors (learner, tensors);
  gint64 *counters = lb_tensor_i64 (position.tensor);

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
