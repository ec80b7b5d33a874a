/* The outer loop: experts are drawn, followed and matched, and images, labels and rate take a step. */
#include "trajectory-matching.h"

#include <math.h>
#include <string.h>

/* A pixel this many standard deviations from the mean shows nothing any more: the images have diverged. */
#define LARGEST_PIXEL 1e4

/* What an iteration matches: the student starts at snapshot @epoch of expert @expert. */
typedef struct {
  gint64 expert, epoch;
  double rate, loss, by_rate;
  LbKey key;
} Match;

static LbShape
labels_shape (const Distillation *d)
{
  return LB_SHAPE (d->unroll.n, d->classes);
}

/* ---- Cost ---- */

double
distillation_flops (const Distillation *d)
{
  return (double)d->self->iterations * unroll_flops (&d->unroll);
}

double
distillation_bytes (const Distillation *d, guint threads)
{
  LbImageSize s = lb_network_input (d->network);
  gint64 row = s.channels * s.height * s.width + d->classes;

  /* Synthetic, gradient and momentum; the target. */
  return unroll_bytes (&d->unroll, threads)
         + (double)(3 * d->unroll.n * row + lb_network_n_parameters (d->network)) * sizeof (float);
}

void
distillation_clear (Distillation *d)
{
  LbTensor **tensors[] = { &d->synthetic.images, &d->synthetic.labels, &d->gradient.images, &d->gradient.labels,
                           &d->momentum.images,  &d->momentum.labels,  &d->target };

  for (guint i = 0; i < G_N_ELEMENTS (tensors); i++)
    g_clear_pointer (tensors[i], lb_tensor_unref);
  g_clear_pointer (&d->apart, g_free);
  unroll_clear (&d->unroll);
  experts_clear (&d->experts);
  g_clear_pointer (&d->normalisation, lb_packet_unref);
  g_clear_pointer (&d->network, lb_network_free);
}

/* ---- What is sent ---- */

LbPacket *
distillation_samples (const Distillation *d)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (d->synthetic.images));
  lb_packet_take (packet, "labels", lb_class_labels (d->classes, d->self->images_per_class));
  lb_packet_share (packet, d->normalisation, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "inner_learning_rate", exp (d->log_rate));
  lb_packet_set_number (packet, "making_flops", d->experts.flops + lb_compute_flops (lb_stage_compute (d->stage)));
  return packet;
}

/* Softmax of each row. */
static LbTensor *
probabilities (LbTensor *logits)
{
  gint64 n = lb_tensor_dim (logits, 0), classes = lb_tensor_dim (logits, 1);
  LbTensor *result = lb_tensor_new (LB_F32, LB_SHAPE (n, 1, classes));

  for (gint64 i = 0; i < n; i++) {
    const float *from = lb_tensor_f32 (logits) + i * classes;
    float *to = lb_tensor_f32 (result) + i * classes;
    double sum = 0, largest = from[0];

    for (gint64 k = 1; k < classes; k++)
      largest = MAX (largest, (double)from[k]);
    for (gint64 k = 0; k < classes; k++)
      sum += exp (from[k] - largest);
    for (gint64 k = 0; k < classes; k++)
      to[k] = (float)(exp (from[k] - largest) / sum);
  }
  return result;
}

LbPacket *
distillation_augmented (const Distillation *d)
{
  LbPacket *packet = distillation_samples (d);
  LbImageSize s = lb_network_input (d->network);
  LbTensor *window = lb_tensor_new (LB_F32, LB_SHAPE (1, 4));

  lb_tensor_f32 (window)[2] = (float)s.width;
  lb_tensor_f32 (window)[3] = (float)s.height;
  lb_packet_take (packet, "windows", window);
  if (d->self->learn_labels)
    lb_packet_take (packet, "dense_labels", probabilities (d->synthetic.labels));
  else
    lb_packet_take (packet, "dense_labels",
                    lb_tensor_view (d->synthetic.labels, 0, LB_SHAPE (d->unroll.n, 1, d->classes)));
  return packet;
}

/* ---- Start ---- */

/* One-hot rows, or logits whose softmax gives the image's own class label-confidence. */
static LbTensor *
start_labels (const Distillation *d)
{
  LbTensor *rows = lb_tensor_new (LB_F32, labels_shape (d));
  g_autoptr (LbTensor) labels = lb_class_labels (d->classes, d->self->images_per_class);
  double p = d->self->label_confidence, logit = log (p * (double)(d->classes - 1) / (1 - p));

  lb_one_hot (lb_tensor_i32 (labels), d->unroll.n, d->classes, lb_tensor_f32 (rows));
  for (gint64 i = 0; i < lb_tensor_size (rows) && d->self->learn_labels; i++)
    lb_tensor_f32 (rows)[i] *= (float)logit;
  return rows;
}

static gboolean
prepare (Distillation *d, GError **error)
{
  LbShape shape = lb_tensor_shape (d->synthetic.images);
  g_autofree char *output = lb_stage_output_path (d->stage, d->self->last_good);
  g_autofree char *directory = g_path_get_dirname (output);

  d->synthetic.labels = start_labels (d);
  d->gradient = (Synthetic){ lb_tensor_new (LB_F32, shape), lb_tensor_new (LB_F32, labels_shape (d)) };
  d->momentum = (Synthetic){ lb_tensor_new (LB_F32, shape), lb_tensor_new (LB_F32, labels_shape (d)) };
  d->apart = g_new0 (double, d->self->expert_epochs + 1);
  d->target = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (d->network)));
  d->first_rate = d->self->inner_learning_rate > 0 ? d->self->inner_learning_rate : d->experts.rate;
  d->log_rate = log (d->first_rate);
  return unroll_bind (&d->unroll, directory, error);
}

/* ---- One iteration ---- */

/* The largest start at this iteration, exclusive: a window that grows from 1 to max-start, or that at once. */
static gint64
start_window (const Distillation *d)
{
  gint64 most = d->self->max_start, growth = d->self->start_growth;

  return d->iteration >= growth ? most : 1 + (most - 1) * d->iteration / growth;
}

static Match
draw_match (const Distillation *d)
{
  Match match = { .rate = exp (d->log_rate),
                  .key = lb_key_index (lb_stage_key (d->stage, "iteration"), (guint64)d->iteration) };
  LbRandom random = lb_random (lb_key_derive (match.key, "expert"));

  match.expert = (gint64)lb_random_below (&random, (guint64)d->experts.n);
  match.epoch = (gint64)lb_random_below (&random, (guint64)start_window (d));
  return match;
}

static double
squared_distance (LbTensor *a, LbTensor *b)
{
  const float *x = lb_tensor_f32 (a), *y = lb_tensor_f32 (b);
  double sum = 0;

  for (gint64 i = 0; i < lb_tensor_size (a); i++)
    sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
  return sum;
}

/* How far the expert goes from the match's start, where theta is, to its snapshot @epochs later, squared, to ->apart.
 */
static gboolean
measure_expert (Distillation *d, const Match *match, gint64 epochs, GError **error)
{
  double *apart = &d->apart[epochs];

  if (!experts_load (&d->experts, match->expert, match->epoch + epochs, d->target, error))
    return FALSE;
  *apart = squared_distance (d->unroll.theta, d->target);
  if (*apart > 0 && isfinite (*apart))
    return TRUE;
  g_set_error (
      error, LB_ERROR, LB_ERROR_INPUT,
      "expert %d of '%s': the squared distance from its snapshot after epoch %d to that after epoch %d is %g, by "
      "which the matching loss is divided; expected a number above 0, so leave this expert out or train it "
      "again",
      (int)match->expert, lb_stage_source (d->stage, "experts", 0), (int)match->epoch, (int)(match->epoch + epochs),
      *apart);
  return FALSE;
}

/* Adds weight |theta - target|^2 / apart to the loss, and its gradient to the adjoint; the target is the expert's
 * snapshot @epochs after the start. */
static gboolean
aim (Distillation *d, Match *match, double weight, gint64 epochs, GError **error)
{
  const float *theta = lb_tensor_f32 (d->unroll.theta), *target = lb_tensor_f32 (d->target);
  float *adjoint = lb_tensor_f32 (d->unroll.adjoint), factor = (float)(2 * weight / d->apart[epochs]);

  if (!experts_load (&d->experts, match->expert, match->epoch + epochs, d->target, error))
    return FALSE;
  match->loss += weight * squared_distance (d->unroll.theta, d->target) / d->apart[epochs];
  for (gint64 i = 0; i < lb_tensor_size (d->target); i++)
    adjoint[i] += factor * (theta[i] - target[i]);
  return TRUE;
}

/* The steps after which the student should be where the expert was after @epochs epochs: as far in its N as that is in
 * the expert's M. */
static gint64
steps_of (const Distillation *d, gint64 epochs)
{
  return d->self->inner_steps * epochs / d->self->expert_epochs;
}

static gboolean
check_finite (Distillation *d, const Match *match, gint64 step, const char *what, double value, GError **error)
{
  g_autofree char *place = NULL;

  if (isfinite (value))
    return TRUE;
  place = g_strdup_printf ("%s at inner step %d from epoch %d of expert %d, with inner learning rate %g,", what,
                           (int)step, (int)match->epoch, (int)match->expert, match->rate);
  return lb_stage_check_finite (d->stage, place, (guint64)d->iteration, value,
                                "lower inner-learning-rate, rate-learning-rate or image-learning-rate", error);
}

static gboolean
go_forward (Distillation *d, const Match *match, GError **error)
{
  LbKey augmentation = lb_key_derive (match->key, "augmentation");

  for (gint64 k = 0; k < d->self->inner_steps; k++) {
    double loss;

    if (!lb_stage_may_go_on (d->stage, error)
        || !unroll_forward (&d->unroll, k, &d->synthetic, match->rate, &loss, augmentation, lb_stage_compute (d->stage),
                            error)
        || !check_finite (d, match, k, "the cross-entropy", loss, error))
      return FALSE;
  }
  return TRUE;
}

/* Snapshots of the expert before the last one that count as well, by this weight together (AST). */
static gboolean
counts_between (const Distillation *d)
{
  return d->self->intermediate_weight > 0 && d->self->expert_epochs > 1;
}

/* Those that the student should have reached by step @k; theta is theta_k. */
static gboolean
aim_between (Distillation *d, Match *match, gint64 k, GError **error)
{
  gint64 between = d->self->expert_epochs - 1;

  for (gint64 j = 1; j <= between && counts_between (d); j++)
    if (k > 0 && steps_of (d, j) == k && !aim (d, match, d->self->intermediate_weight / (double)between, j, error))
      return FALSE;
  return TRUE;
}

static gboolean
go_backward (Distillation *d, Match *match, GError **error)
{
  LbKey augmentation = lb_key_derive (match->key, "augmentation");

  for (gint64 k = d->self->inner_steps - 1; k >= 0; k--)
    if (!lb_stage_may_go_on (d->stage, error)
        || !unroll_backward (&d->unroll, k, &d->synthetic, &d->gradient, match->rate, &match->by_rate, augmentation,
                             lb_stage_compute (d->stage), error)
        || !aim_between (d, match, k, error))
      return FALSE;
  return TRUE;
}

/* The loss of a match, and its gradients. */
static gboolean
run_match (Distillation *d, Match *match, GError **error)
{
  LbTensor *zeroed[] = { d->unroll.adjoint, d->gradient.images, d->gradient.labels };
  gint64 epochs = d->self->expert_epochs;

  if (!experts_load (&d->experts, match->expert, match->epoch, d->unroll.theta, error))
    return FALSE;
  for (gint64 j = counts_between (d) ? 1 : epochs; j <= epochs; j++)
    if (!measure_expert (d, match, j, error))
      return FALSE;
  unroll_draw (&d->unroll, lb_key_derive (match->key, "batches"));
  for (guint i = 0; i < G_N_ELEMENTS (zeroed); i++)
    memset (lb_tensor_data (zeroed[i]), 0, lb_tensor_bytes (zeroed[i]));
  return go_forward (d, match, error) && aim (d, match, 1, epochs, error)
         && check_finite (d, match, d->self->inner_steps, "the matching loss", match->loss, error)
         && go_backward (d, match, error);
}

/* ---- Steps of what is learned ---- */

/* L2 norm of the gradient of images and labels. */
static double
gradient_norm (const Distillation *d)
{
  LbTensor *parts[] = { d->gradient.images, d->gradient.labels };
  double sum = 0;

  for (guint i = 0; i < 2; i++)
    for (gint64 k = 0; k < lb_tensor_size (parts[i]); k++)
      sum += (double)lb_tensor_f32 (parts[i])[k] * lb_tensor_f32 (parts[i])[k];
  return sqrt (sum);
}

/* SGD with momentum, m' = momentum m + scale g, x' = x - rate m'. Returns the largest |x'|; moves only when @apply. */
static double
sgd (LbTensor *values, LbTensor *momenta, LbTensor *gradients, double rate, double momentum, double scale,
     gboolean apply)
{
  float *x = lb_tensor_f32 (values), *m = lb_tensor_f32 (momenta), *g = lb_tensor_f32 (gradients), largest = 0;

  for (gint64 i = 0; i < lb_tensor_size (values); i++) {
    float moved = (float)momentum * m[i] + (float)scale * g[i], next = x[i] - (float)rate * moved;

    if (!(fabsf (next) <= largest))
      largest = fabsf (next);
    if (apply) {
      m[i] = moved;
      x[i] = next;
    }
  }
  return largest;
}

/* Everything takes its step, or nothing: on failure the last good images are still there. */
static gboolean
learn (Distillation *d, const Match *match, GError **error)
{
  const TrajectoryMatching *self = d->self;
  double norm = gradient_norm (d), scale = self->clip > 0 && norm > self->clip ? self->clip / norm : 1, largest;
  double by_log_rate = match->by_rate * match->rate, moved = self->image_momentum * d->rate_momentum + by_log_rate;
  /* A step of the logarithm by rate / alpha_0^2 moves alpha, at alpha_0, as far as SGD with that rate on alpha itself.
   */
  double log_rate = d->log_rate - self->rate_learning_rate / (d->first_rate * d->first_rate) * moved;

  if (!check_finite (d, match, 0, "the gradient's norm", norm, error)
      || !check_finite (d, match, 0, "the logarithm of the next inner learning rate", log_rate, error))
    return FALSE;
  largest = sgd (d->synthetic.images, d->momentum.images, d->gradient.images, self->image_learning_rate,
                 self->image_momentum, scale, FALSE);
  if (!(largest <= LARGEST_PIXEL)) {
    g_set_error (
        error, LB_ERROR, LB_ERROR_NUMERIC,
        "the synthetic images diverge: iteration %d, from epoch %d of expert %d, would take their largest pixel to "
        "%g standard deviations from the mean, where at most %g was expected; lower image-learning-rate, or set "
        "clip",
        (int)d->iteration, (int)match->epoch, (int)match->expert, largest, LARGEST_PIXEL);
    return FALSE;
  }
  sgd (d->synthetic.images, d->momentum.images, d->gradient.images, self->image_learning_rate, self->image_momentum,
       scale, TRUE);
  if (self->learn_labels)
    sgd (d->synthetic.labels, d->momentum.labels, d->gradient.labels, self->label_learning_rate, self->image_momentum,
         scale, TRUE);
  d->rate_momentum = moved;
  d->log_rate = log_rate;
  return TRUE;
}

/* ---- The loop ---- */

static LbState *
make_state (Distillation *d)
{
  LbState *state = lb_state_new ();

  lb_state_add_tensor (state, "images", d->synthetic.images);
  lb_state_add_tensor (state, "image momentum", d->momentum.images);
  lb_state_add_tensor (state, "labels", d->synthetic.labels);
  lb_state_add_tensor (state, "label momentum", d->momentum.labels);
  lb_state_add_number (state, "log rate", &d->log_rate);
  lb_state_add_number (state, "rate momentum", &d->rate_momentum);
  lb_state_add_number (state, "loss", &d->loss);
  lb_state_add_counter (state, "iteration", &d->iteration);
  return state;
}

/* After a numeric failure what was reached before it is worth having: in a file of its own, with a word about it. */
static void
keep_last_good (Distillation *d, GError **error)
{
  g_autoptr (LbPacket) packet = distillation_samples (d);
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (LbNamedTensor));
  g_autofree char *path = lb_stage_output_path (d->stage, d->self->last_good);
  g_autoptr (GError) failed = NULL;

  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    LbNamedTensor member = { (char *)lb_packet_field_name (packet, i), lb_packet_field_tensor (packet, i) };
    g_array_append_val (members, member);
  }
  if (lb_npz_write (path, (LbNamedTensor *)(void *)members->data, members->len, TRUE, &failed))
    g_prefix_error (error, "the images after iteration %d are in '%s'; ", (int)d->iteration, path);
}

static gboolean
run_iteration (Distillation *d, GError **error)
{
  Match match = draw_match (d);

  if (!run_match (d, &match, error) || !learn (d, &match, error))
    return FALSE;
  d->iteration++;
  d->loss = match.loss;
  if (d->iteration == 1)
    lb_stage_metric (d->stage, "first matching loss", match.loss, NULL);
  return lb_stage_progress (d->stage, (guint64)d->iteration, (guint64)d->self->iterations, "matching loss", match.loss,
                            error);
}

gboolean
distillation_run (Distillation *d, GError **error)
{
  g_autoptr (LbState) state = NULL;
  g_autoptr (GError) reason = NULL;

  if (!prepare (d, error))
    return FALSE;
  state = make_state (d);
  if (!lb_stage_resume (d->stage, state, error))
    return FALSE;
  while (d->iteration < d->self->iterations) {
    if (!run_iteration (d, &reason)) {
      if (g_error_matches (reason, LB_ERROR, LB_ERROR_NUMERIC))
        keep_last_good (d, &reason);
      g_propagate_error (error, g_steal_pointer (&reason));
      return FALSE;
    }
    if (!lb_stage_checkpoint (d->stage, state, error))
      return FALSE;
  }
  if (!lb_stage_keep_end (d->stage, "iterations", state, error))
    return FALSE;
  if (d->iteration > 1)
    lb_stage_metric (d->stage, "last matching loss", d->loss, NULL);
  lb_stage_metric (d->stage, "inner learning rate", exp (d->log_rate), NULL);
  return TRUE;
}
