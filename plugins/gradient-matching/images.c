/* The synthetic images: how they begin and move, and in which forms they are sent. */
#include "gradient-matching.h"

#include <math.h>
#include <string.h>

/* A pixel this many standard deviations from the mean shows nothing any more: the images have diverged. */
#define LARGEST_PIXEL 1e4

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

void
images_start (Distillation *d)
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

/* ---- Steps ---- */

/* Chooses which small images of a class are matched with @key; all, in order, when there is no choice. */
static void
choose (Distillation *d, LbKey key)
{
  LbRandom random = lb_random (key);

  if (d->matched < d->small)
    lb_random_permutation (&random, d->chosen, (gsize)d->small);
}

void
images_load (Distillation *d, gint64 class, LbKey key)
{
  gint64 pixels = lb_tensor_size (d->synthetic) / lb_tensor_dim (d->synthetic, 0);
  const float *from = lb_tensor_f32 (d->synthetic) + class * d->small * pixels;
  float *to = lb_tensor_f32 (d->match.ours.image_values);

  choose (d, key);
  for (gint64 i = 0; i < d->matched; i++)
    memcpy (to + i * pixels, from + d->chosen[i] * pixels, (gsize)pixels * sizeof (float));
}

void
images_store_gradient (Distillation *d, gint64 class)
{
  gint64 pixels = lb_tensor_size (d->synthetic) / lb_tensor_dim (d->synthetic, 0);
  const float *from = lb_tensor_f32 (lb_program_result (d->match.ours.program, d->match.image_gradient));
  float *to = lb_tensor_f32 (d->gradient) + class * d->small * pixels;

  memset (to, 0, (gsize)(d->small * pixels) * sizeof (float));
  for (gint64 i = 0; i < d->matched; i++)
    memcpy (to + d->chosen[i] * pixels, from + i * pixels, (gsize)pixels * sizeof (float));
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
move (Distillation *d)
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

gboolean
images_move (Distillation *d, GError **error)
{
  static const char *const advice = "lower image-learning-rate";
  double largest = move (d);

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

void
images_clamp (Distillation *d)
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

/* ---- What is sent ---- */

LbTensor *
images_seen (Distillation *d)
{
  if (d->self->formation == 1)
    return lb_tensor_ref (d->synthetic);
  lb_program_run (d->enlarger.program, lb_stage_compute (d->stage));
  return lb_tensor_ref (lb_program_result (d->enlarger.program, d->enlarger.seen));
}

LbPacket *
images_seen_packet (Distillation *d)
{
  g_autoptr (LbTensor) images = images_seen (d);
  gint64 stored = d->classes * d->self->images_per_class;
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (images));
  lb_packet_set (packet, "labels", d->labels);
  lb_packet_share (packet, d->source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops", lb_compute_flops (lb_stage_compute (d->stage)));
  if (d->self->formation > 1) {
    lb_packet_set_integer (packet, "stored_images", stored);
    lb_packet_set_integer (packet, "stored_bytes",
                           (gint64)lb_tensor_bytes (d->synthetic) + stored * (gint64)sizeof (gint32));
  }
  return packet;
}

LbPacket *
images_stored_packet (Distillation *d)
{
  g_autoptr (LbTensor) images = formation_compose (d->synthetic, d->self->formation);
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (images));
  lb_packet_take (packet, "labels", lb_class_labels (d->classes, d->self->images_per_class));
  if (d->self->formation > 1)
    lb_packet_set_integer (packet, "formation", d->self->formation);
  lb_packet_share (packet, d->source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops", lb_compute_flops (lb_stage_compute (d->stage)));
  return packet;
}
