/* The loops of a distillation. */
#include "gradient-matching.h"

#include <math.h>
#include <string.h>

static gboolean
learns_from_source (const Distillation *d)
{
  return g_str_equal (d->self->network_data, "source");
}

void
distillation_clear (Distillation *d)
{
  match_clear (&d->match);
  enlarger_clear (&d->enlarger);
  statistics_clear (&d->statistics);
  g_clear_pointer (&d->learner, lb_learner_free);
  g_clear_pointer (&d->by_class, lb_class_images_free);
  g_clear_pointer (&d->order, g_free);
  g_clear_pointer (&d->chosen, g_free);
  g_clear_pointer (&d->synthetic, lb_tensor_unref);
  g_clear_pointer (&d->gradient, lb_tensor_unref);
  g_clear_pointer (&d->momentum, lb_tensor_unref);
  g_clear_pointer (&d->labels, lb_tensor_unref);
  g_clear_pointer (&d->real_images, lb_tensor_unref);
  g_clear_pointer (&d->real_labels, lb_tensor_unref);
  g_clear_pointer (&d->parameters, lb_tensor_unref);
  g_clear_pointer (&d->network, lb_network_free);
}

/* ---- Loops and programs ---- */

/* Steps of the images with each network, and epochs of training between them. Of networks that learn from the synthetic
 * images, as published for 1, 10, 20, 30, 40 and 50 images per class, straight lines in between, and the last beyond;
 * of networks that learn from the source, 100 and 1 (IDC). */
static void
set_loops (Distillation *d)
{
  static const gint64 published[][3]
      = { { 1, 1, 1 }, { 10, 10, 50 }, { 20, 20, 25 }, { 30, 30, 20 }, { 40, 40, 15 }, { 50, 50, 10 } };
  gint64 wanted = MIN (d->self->images_per_class, 50), outer = 100, inner = 1;
  guint i = 1;

  if (!learns_from_source (d)) {
    while (published[i][0] < wanted)
      i++;
    double share = (double)(wanted - published[i - 1][0]) / (double)(published[i][0] - published[i - 1][0]);
    outer = llround ((double)published[i - 1][1] + share * (double)(published[i][1] - published[i - 1][1]));
    inner = llround ((double)published[i - 1][2] + share * (double)(published[i][2] - published[i - 1][2]));
  }
  d->outer_steps = d->self->outer_steps ? d->self->outer_steps : outer;
  d->inner_epochs = d->self->inner_epochs ? d->self->inner_epochs : inner;
}

/* What the network between steps is augmented by. */
static const char *
network_augmentation (const GradientMatching *self)
{
  return g_str_equal (self->network_augmentation, "same") ? self->augmentation : self->network_augmentation;
}

gboolean
distillation_compile (Distillation *d, gint64 images, gint64 smallest, GError **error)
{
  const GradientMatching *self = d->self;
  gint64 real = smallest > 0 ? MIN (self->real_batch, smallest) : self->real_batch;
  LbLearnerSettings settings = {
    .batch = self->batch, .momentum = self->momentum, .weight_decay = self->weight_decay, .cutmix = self->network_cutmix
  };

  set_loops (d);
  d->images = MAX (images, 0);
  d->small = self->images_per_class * self->formation * self->formation;
  d->matched = self->synthetic_batch ? MIN (self->synthetic_batch, d->small) : d->small;
  if (!lb_augmentation_parse (network_augmentation (self), &settings.augmentation, error)
      || !match_build (&d->match, d->network, self, real, d->matched, error)
      || !statistics_build (&d->statistics, d->network, smallest, error))
    return FALSE;
  if (self->formation > 1
      && !enlarger_build (&d->enlarger, d->classes * d->small, lb_network_input (d->network), self->formation, error))
    return FALSE;
  if (d->outer_steps == 1)
    return TRUE;
  d->network_images = !learns_from_source (d) ? d->classes * d->small
                      : images > 0            ? MIN (self->network_images, images)
                                              : self->network_images;
  d->learner = lb_learner_new (d->network, d->network_images, &settings, error);
  return d->learner != NULL;
}

double
distillation_flops (const Distillation *d)
{
  double step = (double)d->classes * match_flops (&d->match) + statistics_flops (&d->statistics);
  double enlarging = d->enlarger.program ? lb_program_flops (d->enlarger.program) : 0;
  double training = d->learner ? (double)d->inner_epochs * lb_learner_epoch_flops (d->learner)
                                     + (learns_from_source (d) ? 0 : enlarging)
                               : 0;

  /* Enlarged once more to be sent. */
  return (double)d->self->iterations * ((double)d->outer_steps * step + (double)(d->outer_steps - 1) * training)
         + enlarging;
}

double
distillation_bytes (const Distillation *d, guint threads)
{
  LbImageSize size = lb_network_input (d->network);
  gint64 pixels = size.channels * size.height * size.width, floats = d->classes * d->self->images_per_class * pixels;
  gint64 copies = 3; /* the images, their gradient and momentum */
  double bytes = (double)(match_bytes (&d->match, threads) + enlarger_bytes (&d->enlarger, threads)
                          + statistics_bytes (&d->statistics, threads) + lb_class_images_bytes (d->images));

  if (d->learner)
    bytes += (double)lb_learner_peak_bytes (d->learner, threads);
  /* What the network learns from: images drawn from the source, u8 at least, or a copy of the synthetic ones as seen.
   */
  if (d->learner && learns_from_source (d))
    bytes += (double)(d->network_images * (pixels + (gint64)sizeof (gint32)) + d->images * (gint64)sizeof (guint32));
  else if (d->learner)
    copies += d->self->formation * d->self->formation;
  /* The network at hand and its fresh parameters. */
  return bytes + (double)d->small * sizeof *d->chosen
         + (double)sizeof (float) * (double)(copies * floats + 2 * lb_network_n_parameters (d->network));
}

/* ---- Steps ---- */

static void
set_targets (LbTensor *targets, gint64 class)
{
  gint32 label = (gint32) class;

  for (gint64 i = 0; i < lb_tensor_dim (targets, 0); i++)
    lb_one_hot (&label, 1, lb_tensor_dim (targets, 1), lb_tensor_f32 (targets) + i * lb_tensor_dim (targets, 1));
}

/* The matching loss of one class; the gradient of its synthetic images goes to @d->gradient. */
static double
match_class (Distillation *d, gint64 class, LbKey key)
{
  Match *m = &d->match;
  LbCompute *compute = lb_stage_compute (d->stage);
  LbKey augmentation = lb_key_index (lb_key_derive (key, "augmentation"), (guint64) class);

  lb_augmenter_draw (m->real.augmenter, TRUE, augmentation);
  lb_augmenter_draw (m->ours.augmenter, TRUE, augmentation);
  lb_class_images_draw (d->by_class, class, key, m->real.image_values);
  set_targets (m->real.target_values, class);
  lb_program_run (m->real.program, compute);

  images_load (d, class, lb_key_index (lb_key_derive (key, "synthetic batch"), (guint64) class));
  set_targets (m->ours.target_values, class);
  lb_program_run (m->ours.program, compute);
  images_store_gradient (d, class);
  return lb_program_scalar (m->ours.program, m->distance);
}

/* Draws the real images that the network learns from. */
static void
draw_source (Distillation *d, LbKey key)
{
  LbTensor *images = lb_packet_get (d->source, "images"), *labels = lb_packet_get (d->source, "labels");
  gsize bytes = lb_tensor_bytes (images) / (gsize)lb_tensor_dim (images, 0);
  LbRandom random = lb_random (key);

  lb_random_permutation (&random, d->order, (gsize)lb_tensor_dim (images, 0));
  for (gint64 i = 0; i < d->network_images; i++) {
    memcpy ((guint8 *)lb_tensor_data (d->real_images) + (gsize)i * bytes,
            (guint8 *)lb_tensor_data (images) + d->order[i] * bytes, bytes);
    lb_tensor_i32 (d->real_labels)[i] = lb_tensor_i32 (labels)[d->order[i]];
  }
}

/* ---- Where it stands ---- */

/* What a step depends on; everything else is made again from the seed. @learnt: of the learner. */
static LbState *
make_state (Distillation *d, const GArray *learnt)
{
  LbState *state = lb_state_new ();

  lb_state_add_tensor (state, "images", d->synthetic);
  lb_state_add_tensor (state, "momentum", d->momentum);
  lb_state_add_tensor (state, "network", d->parameters);
  lb_state_add_counter (state, "iteration", &d->iteration);
  lb_state_add_counter (state, "outer step", &d->outer);
  lb_state_add_counter (state, "step", &d->step);
  lb_state_add_counter (state, "training", &d->training);
  lb_state_add_number (state, "loss", &d->loss);
  for (guint i = 0; learnt && i < learnt->len; i++)
    lb_state_add_tensor (state, g_array_index (learnt, LbNamedTensor, i).name,
                         g_array_index (learnt, LbNamedTensor, i).tensor);
  return state;
}

/* The learner's part. @set: of the epoch at hand, where there is one. */
static gboolean
resume_learner (Distillation *d, const LbLearningSet *set, GError **error)
{
  g_autoptr (GArray) learnt = lb_learner_save (d->learner);
  g_autoptr (LbState) state = make_state (d, learnt);

  return lb_stage_resume (d->stage, state, error) && lb_learner_restore (d->learner, set, learnt, error);
}

static gboolean
resume (Distillation *d, GError **error)
{
  g_autoptr (LbState) state = make_state (d, NULL);

  if (d->learner)
    lb_learner_start (d->learner, d->parameters, d->self->learning_rate);
  if (!lb_stage_resume (d->stage, state, error))
    return FALSE;
  /* Between two steps with a network its momentum counts; within a training, train_network() goes on with it. */
  return d->outer == 0 || d->training || resume_learner (d, &(LbLearningSet){ 0 }, error);
}

static gboolean
checkpoint (Distillation *d, GError **error)
{
  if (!lb_stage_checkpoint_due (d->stage))
    return lb_stage_may_go_on (d->stage, error);
  g_autoptr (GArray) learnt = d->learner ? lb_learner_save (d->learner) : NULL;
  g_autoptr (LbState) state = make_state (d, learnt);
  return lb_stage_checkpoint (d->stage, state, error);
}

/* More iterations go on from here, unless the rate of the images was brought down to end here. */
static gboolean
keep_end (Distillation *d, GError **error)
{
  g_autoptr (LbState) state = make_state (d, NULL);

  return !g_str_equal (d->self->image_schedule, "constant") || lb_stage_keep_end (d->stage, "iterations", state, error);
}

/* ---- Loops ---- */

/* Trains the network at hand before step d->outer with it; its momentum lives as long as the network. */
static gboolean
train_network (Distillation *d, LbKey key, GError **error)
{
  g_autoptr (LbTensor) seen = NULL, images = NULL;
  LbLearningSet set = { .mean = lb_packet_get (d->source, "mean"), .std = lb_packet_get (d->source, "std") };
  guint64 end = (guint64)(d->outer * d->inner_epochs);
  double loss = 0;

  if (learns_from_source (d)) {
    draw_source (d, lb_key_derive (key, "images"));
    set.images = d->real_images;
    set.labels = d->real_labels;
  } else {
    seen = images_seen (d);
    set.images = images = lb_images_to_stream (seen);
    set.labels = d->labels;
  }
  if (d->training && !resume_learner (d, &set, error))
    return FALSE;
  d->training = 1;
  while (lb_learner_epochs (d->learner) < end) {
    if (!lb_learner_in_epoch (d->learner))
      lb_learner_begin_epoch (d->learner, &set, lb_key_index (key, lb_learner_epochs (d->learner)));
    while (lb_learner_step (d->learner, lb_stage_compute (d->stage), &loss))
      if (!checkpoint (d, error))
        return FALSE;
  }
  d->training = 0;
  return lb_stage_check_finite (d->stage, "training loss of the network", (guint64)d->step, loss, "lower learning-rate",
                                error);
}

/* One step of the images with the network at hand, which has been trained after every step but the first. */
static gboolean
run_step (Distillation *d, LbKey key, GError **error)
{
  LbKey real = lb_key_index (lb_key_derive (key, "real batch"), (guint64)d->outer);
  gint64 total = d->self->iterations * d->outer_steps;
  double loss = 0;

  if (d->outer > 0 && !train_network (d, lb_key_index (lb_key_derive (key, "inner loop"), (guint64)d->outer), error))
    return FALSE;
  statistics_move (&d->statistics, d->by_class, lb_key_derive (real, "statistics"), lb_stage_compute (d->stage));
  for (gint64 class = 0; class < d->classes; class ++) {
    if (!lb_stage_may_go_on (d->stage, error))
      return FALSE;
    loss += match_class (d, class, real);
  }
  d->step++;
  if (!lb_stage_check_finite (d->stage, "matching loss", (guint64)d->step, loss,
                              "lower image-learning-rate or learning-rate", error)
      || !images_move (d, error))
    return FALSE;
  d->loss = loss;
  if (d->step == 1)
    lb_stage_metric (d->stage, "first matching loss", loss, NULL);
  return lb_stage_progress (d->stage, (guint64)d->step, (guint64)total, "matching loss", loss, error);
}

/* A fresh network takes the place of the one at hand. */
static void
start_network (Distillation *d, LbKey key)
{
  g_autoptr (LbTensor) fresh = lb_network_initialise (d->network, lb_key_derive (key, "parameters"));

  memcpy (lb_tensor_f32 (d->parameters), lb_tensor_f32 (fresh), lb_tensor_bytes (fresh));
  if (d->learner)
    lb_learner_start (d->learner, d->parameters, d->self->learning_rate);
  if (d->self->clamp)
    images_clamp (d);
}

/* Tensors of the loops. */
static void
prepare (Distillation *d)
{
  LbTensor *images = lb_packet_get (d->source, "images");
  LbShape shape = lb_tensor_shape (images);

  d->parameters = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (d->network)));
  match_bind (&d->match, d->network, d->parameters);
  statistics_bind (&d->statistics, d->network, d->parameters);
  images_start (d);
  d->chosen = g_new (guint32, d->small);
  for (gint64 i = 0; i < d->small; i++)
    d->chosen[i] = (guint32)i;
  if (d->self->formation > 1)
    enlarger_bind (&d->enlarger, d->synthetic);
  if (!d->learner || !learns_from_source (d))
    return;
  d->order = g_new (guint32, shape.dim[0]);
  shape.dim[0] = d->network_images;
  d->real_images = lb_tensor_new (lb_tensor_dtype (images), shape);
  d->real_labels = lb_tensor_new (LB_I32, LB_SHAPE (d->network_images));
}

gboolean
distillation_run (Distillation *d, GError **error)
{
  prepare (d);
  if (!resume (d, error))
    return FALSE;
  while (d->iteration < d->self->iterations) {
    LbKey key = lb_key_index (lb_stage_key (d->stage, "iteration"), (guint64)d->iteration);

    if (d->outer == 0)
      start_network (d, key);
    if (!run_step (d, key, error))
      return FALSE;
    if (++d->outer == d->outer_steps) {
      d->outer = 0;
      d->iteration++;
    }
    if (!checkpoint (d, error))
      return FALSE;
  }
  if (!keep_end (d, error))
    return FALSE;
  if (d->step > 1)
    lb_stage_metric (d->stage, "last matching loss", d->loss, NULL);
  if (d->self->clamp)
    images_clamp (d);
  return TRUE;
}
