/* The loops of a distillation. */
#include "gradient-matching.h"

#include <math.h>
#include <string.h>

/* A pixel this many standard deviations from the mean shows nothing any more: the images have diverged. */
#define LARGEST_PIXEL 1e4

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

/* ---- The images ---- */

/* Fills small images with means of @formation x @formation pixels of whole ones, [n, h, w, c]. */
static void
shrink (LbTensor *whole, gint64 formation, LbTensor *small)
{
  gint64 h = lb_tensor_dim (small, 1), w = lb_tensor_dim (small, 2), c = lb_tensor_dim (small, 3);
  const float *from = lb_tensor_f32 (whole);
  float *to = lb_tensor_f32 (small);

  for (gint64 i = 0; i < lb_tensor_dim (small, 0) * h; i++)
    for (gint64 x = 0; x < w; x++)
      for (gint64 k = 0; k < c; k++) {
        double sum = 0;

        for (gint64 dy = 0; dy < formation; dy++)
          for (gint64 dx = 0; dx < formation; dx++)
            sum += from[((i * formation + dy) * w * formation + x * formation + dx) * c + k];
        to[(i * w + x) * c + k] = (float)(sum / (double)(formation * formation));
      }
}

static void
start_images (Distillation *d)
{
  LbImageSize size = lb_network_input (d->network);
  LbShape block = lb_node_shape (d->match.ours.images), all;
  LbKey key = lb_stage_key (d->stage, "start");
  LbRandom random = lb_random (key);

  block.dim[0] = d->small;
  all = block;
  all.dim[0] *= d->classes;
  d->synthetic = lb_tensor_new (LB_F32, all);
  d->gradient = lb_tensor_new (LB_F32, all);
  d->momentum = lb_tensor_new (LB_F32, all);
  d->labels = lb_class_labels (d->classes, d->small);
  lb_random_fill_normal (&random, lb_tensor_f32 (d->synthetic), (gsize)lb_shape_size (all));
  if (!g_str_equal (d->self->start, "real"))
    return;

  g_autoptr (LbTensor) whole = lb_tensor_new (LB_F32, LB_SHAPE (block.dim[0], size.height, size.width, size.channels));
  for (gint64 class = 0; class < d->classes; class ++) {
    g_autoptr (LbTensor) small = lb_tensor_view (d->synthetic, class * lb_shape_size (block), block);

    lb_class_images_draw (d->by_class, class, key, whole);
    shrink (whole, d->self->formation, small);
  }
}

/* What networks see of the images, f32 [n, h, w, c]; new reference. */
static LbTensor *
seen_images (Distillation *d)
{
  if (d->self->formation == 1)
    return lb_tensor_ref (d->synthetic);
  lb_program_run (d->enlarger.program, lb_stage_compute (d->stage));
  return lb_tensor_ref (lb_program_result (d->enlarger.program, d->enlarger.seen));
}

static void
take_i64 (LbPacket *packet, const char *field, gint64 value)
{
  LbTensor *tensor = lb_tensor_new (LB_I64, LB_SHAPE (1));

  lb_tensor_i64 (tensor)[0] = value;
  lb_packet_take (packet, field, tensor);
}

LbPacket *
distillation_seen (Distillation *d)
{
  g_autoptr (LbTensor) images = seen_images (d);
  gint64 stored = d->classes * d->self->images_per_class;
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (images));
  lb_packet_set (packet, "labels", d->labels);
  lb_packet_share (packet, d->source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops", lb_compute_flops (lb_stage_compute (d->stage)));
  if (d->self->formation > 1) {
    take_i64 (packet, "stored_images", stored);
    take_i64 (packet, "stored_bytes", (gint64)lb_tensor_bytes (d->synthetic) + stored * (gint64)sizeof (gint32));
  }
  return packet;
}

/* Puts the small images of each stored one beside and below each other: f32 [n, h, w, c], new. */
static LbTensor *
compose (Distillation *d)
{
  gint64 f = d->self->formation, h = lb_tensor_dim (d->synthetic, 1), row = lb_tensor_dim (d->synthetic, 2);
  gint64 n = d->classes * d->self->images_per_class, c = lb_tensor_dim (d->synthetic, 3);
  LbTensor *stored = lb_tensor_new (LB_F32, LB_SHAPE (n, h * f, row * f, c));
  const float *from = lb_tensor_f32 (d->synthetic);

  row *= c;
  for (gint64 i = 0; i < n * f * f * h; i++, from += row) {
    gint64 image = i / (f * f * h), cell = i / h % (f * f), y = cell / f * h + i % h;

    memcpy (lb_tensor_f32 (stored) + ((image * h * f + y) * f + cell % f) * row, from, (gsize)row * sizeof (float));
  }
  return stored;
}

LbPacket *
distillation_stored (Distillation *d)
{
  g_autoptr (LbTensor) images = compose (d);
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (images));
  lb_packet_take (packet, "labels", lb_class_labels (d->classes, d->self->images_per_class));
  if (d->self->formation > 1)
    take_i64 (packet, "formation", d->self->formation);
  lb_packet_share (packet, d->source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops", lb_compute_flops (lb_stage_compute (d->stage)));
  return packet;
}

/* ---- Steps ---- */

static void
set_targets (LbTensor *targets, gint64 class)
{
  gint32 label = (gint32) class;

  for (gint64 i = 0; i < lb_tensor_dim (targets, 0); i++)
    lb_one_hot (&label, 1, lb_tensor_dim (targets, 1), lb_tensor_f32 (targets) + i * lb_tensor_dim (targets, 1));
}

/* Chooses which small images of a class are matched with @key; all, in order, when there is no choice. */
static void
choose_images (Distillation *d, LbKey key)
{
  LbRandom random = lb_random (key);

  if (d->matched < d->small)
    lb_random_permutation (&random, d->chosen, (gsize)d->small);
}

/* Copies the chosen images of @class from the synthetic ones into the batch, or their gradient back: that of the others
 * is zero. */
static void
load_chosen (Distillation *d, gint64 class)
{
  gint64 pixels = lb_tensor_size (d->synthetic) / lb_tensor_dim (d->synthetic, 0);
  const float *from = lb_tensor_f32 (d->synthetic) + class * d->small * pixels;
  float *to = lb_tensor_f32 (d->match.ours.image_values);

  for (gint64 i = 0; i < d->matched; i++)
    memcpy (to + i * pixels, from + d->chosen[i] * pixels, (gsize)pixels * sizeof (float));
}

static void
store_gradient (Distillation *d, gint64 class)
{
  gint64 pixels = lb_tensor_size (d->synthetic) / lb_tensor_dim (d->synthetic, 0);
  const float *from = lb_tensor_f32 (lb_program_result (d->match.ours.program, d->match.image_gradient));
  float *to = lb_tensor_f32 (d->gradient) + class * d->small * pixels;

  memset (to, 0, (gsize)(d->small * pixels) * sizeof (float));
  for (gint64 i = 0; i < d->matched; i++)
    memcpy (to + d->chosen[i] * pixels, from + i * pixels, (gsize)pixels * sizeof (float));
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

  choose_images (d, lb_key_index (lb_key_derive (key, "synthetic batch"), (guint64) class));
  load_chosen (d, class);
  set_targets (m->ours.target_values, class);
  lb_program_run (m->ours.program, compute);
  store_gradient (d, class);
  return lb_program_scalar (m->ours.program, m->distance);
}

/* Of the step at hand. */
static float
image_rate (const Distillation *d)
{
  LbSchedule schedule = { .kind = LB_SCHEDULE_COSINE, .epochs = d->self->iterations };

  if (g_str_equal (d->self->image_schedule, "constant"))
    return (float)d->self->image_learning_rate;
  return (float)(d->self->image_learning_rate
                 * lb_schedule_factor (&schedule, (guint64)d->iteration, (guint64)d->outer, (guint64)d->outer_steps));
}

/* SGD with momentum on all images at once. Returns the largest pixel, not a number if there is one. */
static double
move_images (Distillation *d)
{
  float *x = lb_tensor_f32 (d->synthetic), *m = lb_tensor_f32 (d->momentum), *g = lb_tensor_f32 (d->gradient);
  float rate = image_rate (d), momentum = (float)d->self->image_momentum, largest = 0;

  for (gint64 i = 0; i < lb_tensor_size (d->synthetic); i++) {
    m[i] = momentum * m[i] + g[i];
    x[i] -= rate * m[i];
    if (!(fabsf (x[i]) <= largest))
      largest = fabsf (x[i]);
  }
  return largest;
}

/* Brings pixels back to values that can be stored, 0 to 1 before normalisation. */
static void
clamp_images (Distillation *d)
{
  const float *mean = lb_tensor_f32 (lb_packet_get (d->source, "mean"));
  const float *std = lb_tensor_f32 (lb_packet_get (d->source, "std"));
  gint64 channels = lb_tensor_dim (d->synthetic, 3);
  float *x = lb_tensor_f32 (d->synthetic);

  for (gint64 i = 0; i < lb_tensor_size (d->synthetic); i++) {
    gint64 k = i % channels;
    x[i] = CLAMP (x[i], -mean[k] / std[k], (1 - mean[k]) / std[k]);
  }
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
    seen = seen_images (d);
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

static gboolean
check_images (Distillation *d, double largest, GError **error)
{
  static const char *const advice = "lower image-learning-rate";

  if (!lb_stage_check_finite (d->stage, "the largest pixel", (guint64)d->step, largest, advice, error))
    return FALSE;
  if (largest <= LARGEST_PIXEL)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_NUMERIC,
               "the synthetic images diverge: at step %d their largest pixel is %g standard deviations from the mean, "
               "where at most %g was expected; %s",
               (int)d->step, largest, LARGEST_PIXEL, advice);
  return FALSE;
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
      || !check_images (d, move_images (d), error))
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
    clamp_images (d);
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
  start_images (d);
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
    clamp_images (d);
  return TRUE;
}
