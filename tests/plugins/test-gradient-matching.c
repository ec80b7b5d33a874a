/* The gradient-matching stage, on small images. */
#include "plugins/harness.h"

static Harness *
matching (LbPacket *source, const char *ipc, const char *iterations)
{
  Harness *h = harness_new ("gradient-matching");

  harness_set (h, "architecture", "convnet-d1");
  harness_set (h, "images-per-class", ipc);
  harness_set (h, "iterations", iterations);
  harness_set (h, "real-batch", "8");
  harness_feed (h, "source", "set.samples", "samples", source, 3);
  return h;
}

static void
test_loss_falls (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (Harness) h = matching (source, "1", "12");
  LbPacket *samples;

  harness_set (h, "image-learning-rate", "1");
  harness_run_well (h);
  g_assert_cmpuint (h->steps, ==, 12);
  g_assert_cmpfloat (h->last_value, <, 0.8 * h->first_value);
  g_assert_cmpfloat (h->last_value, >, 0);
  g_assert_cmpuint (h->metrics->len, ==, 2);
  g_assert_cmpfloat (g_array_index (h->metrics, double, 1), ==, h->last_value);

  samples = harness_output (h, "samples", 0);
  g_assert_cmpint (lb_tensor_dtype (lb_packet_get (samples, "images")), ==, LB_F32);
  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (samples, "images")), LB_SHAPE (3, 1, 8, 8)));
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (samples, "labels"))[i], ==, i);
  assert_same_tensor (lb_packet_get (samples, "mean"), lb_packet_get (source, "mean"));
}

/* What images start from noise and match becomes bright where the class is bright. */
static void
test_images_grow_like_their_class (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (Harness) h = matching (source, "1", "60");
  const float *x;

  harness_set (h, "image-learning-rate", "1");
  harness_run_well (h);
  x = lb_tensor_f32 (lb_packet_get (harness_output (h, "samples", 0), "images"));
  for (int class = 0; class < 3; class ++) {
    double inside = 0, outside = 0;
    int n = 0;

    for (int p = 0; p < 64; p++) {
      gboolean bright = p % 8 * 3 / 8 == class;

      n += bright;
      *(bright ? &inside : &outside) += x[64 * class + p];
    }
    g_assert_cmpfloat (inside / n, >, outside / (64 - n) + 0.3);
  }
}

/* Outer steps, training between them, batches that do not come out even, a start from real images, augmentation: all at
 * once. */
static Harness *
full (LbPacket *source, guint threads)
{
  Harness *h = matching (source, "3", "2");

  harness_set (h, "outer-steps", "2");
  harness_set (h, "inner-epochs", "2");
  harness_set (h, "batch", "4");
  harness_set (h, "start", "real");
  harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
  h->threads = threads;
  harness_run_well (h);
  return h;
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (Harness) one = full (source, 1), again = full (source, 1), two = full (source, 2), four = full (source, 4);
  LbTensor *images = lb_packet_get (harness_output (one, "samples", 0), "images");

  g_assert_cmpuint (one->steps, ==, 4);
  assert_same_tensor (images, lb_packet_get (harness_output (again, "samples", 0), "images"));
  assert_same_tensor (images, lb_packet_get (harness_output (two, "samples", 0), "images"));
  assert_same_tensor (images, lb_packet_get (harness_output (four, "samples", 0), "images"));
}

static void
test_real_start_is_near_real_images (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (Harness) h = matching (source, "2", "1");
  g_autoptr (LbTensor) u8 = NULL;
  LbPacket *samples;

  harness_set (h, "start", "real");
  harness_set (h, "image-learning-rate", "0");
  harness_run_well (h);
  samples = harness_output (h, "samples", 0);
  u8 = lb_images_to_u8 (lb_packet_get (samples, "images"), lb_packet_get (samples, "mean"),
                        lb_packet_get (samples, "std"));
  for (int i = 0; i < 6; i++) {
    gboolean found = FALSE;

    for (int j = i / 2; j < 60 && !found; j += 3)
      found = memcmp (lb_tensor_u8 (u8) + 64 * i, lb_tensor_u8 (lb_packet_get (source, "images")) + 64 * j, 64) == 0;
    g_assert_true (found);
  }
}

/* A set of three images, each many times, and synthetic images that are these: whatever the augmentation, both sides of
 * the match give one gradient, unless they are augmented differently. */
static void
test_both_sides_are_augmented_alike (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  LbTensor *images = lb_tensor_copy (lb_packet_get (source, "images"));
  g_autoptr (LbPacket) same = packet_with (source, "images", images);

  for (int i = 3; i < 60; i++)
    memcpy (lb_tensor_u8 (images) + 64 * i, lb_tensor_u8 (images) + 64 * (i % 3), 64);
  for (guint last = 1; last <= 4; last++) {
    g_autofree char *iterations = g_strdup_printf ("%u", last);
    g_autoptr (Harness) h = matching (same, "1", iterations);

    harness_set (h, "start", "real");
    harness_set (h, "image-learning-rate", "0");
    harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
    harness_run_well (h);
    /* Not 0, for the 1e-6 of the distance; over 100 when they differ. */
    g_assert_cmpfloat (h->last_value, <, 5);
  }
}

static void
test_augmentation_moves_images_elsewhere (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (Harness) plain = matching (source, "1", "3"), augmented = matching (source, "1", "3");
  g_autoptr (Harness) wrong = matching (source, "1", "3");

  harness_set (augmented, "augmentation", "scale_rotate");
  harness_run_well (plain);
  harness_run_well (augmented);
  g_assert_false (same_bytes (lb_packet_get (harness_output (plain, "samples", 0), "images"),
                              lb_packet_get (harness_output (augmented, "samples", 0), "images")));
  harness_set (wrong, "augmentation", "scales");
  harness_refuses (wrong, LB_ERROR_PIPELINE,
                   "property 'augmentation': augmentation 'scales' has 'scales'; expected none, crop-flip, or some of "
                   "color, crop, cutout, flip, scale and rotate joined by '_', each once (did you mean 'scale'?)");
}

static double
predicted_flops (LbPacket *source, const char *ipc, const char *outer_steps, const char *inner_epochs)
{
  g_autoptr (Harness) h = matching (source, ipc, "10");
  g_autoptr (GError) error = NULL;

  harness_set (h, "outer-steps", outer_steps);
  harness_set (h, "inner-epochs", inner_epochs);
  g_assert_true (harness_configure (h, &error));
  g_assert_cmpint (*(gint64 *)g_hash_table_lookup (h->configured->dims, "synthetic"), ==, 3 * atoi (ipc));
  return h->configured->flops;
}

/* Loops that are not given are those published for the nearest images per class, seen by what they cost. */
static void
test_loops_are_the_published_ones (void)
{
  static const struct {
    const char *ipc, *outer_steps, *inner_epochs;
  } cases[] = { { "1", "1", "1" },    { "5", "1", "1" },    { "6", "10", "50" },
                { "15", "10", "50" }, { "16", "20", "25" }, { "100", "50", "10" } };
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    double given = predicted_flops (source, cases[i].ipc, cases[i].outer_steps, cases[i].inner_epochs);

    g_assert_cmpfloat (given, >, 0);
    g_assert_cmpfloat (predicted_flops (source, cases[i].ipc, "0", "0"), ==, given);
  }
}

/* The prediction is what the run counts. */
static void
test_cost_is_predicted (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (Harness) h = full (source, 1);

  g_assert_cmpfloat (fabs (h->flops / h->configured->flops - 1), <, 1e-9);
}

static void
test_stops_when_the_loss_is_not_a_number (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, LB_SHAPE (60, 1, 8, 8));
  g_autoptr (LbPacket) bad = packet_with (source, "images", lb_tensor_ref (images));
  g_autoptr (Harness) h = matching (bad, "1", "5");

  for (int i = 0; i < 60 * 64; i++)
    lb_tensor_f32 (images)[i] = NAN;
  harness_refuses (
      h, LB_ERROR_NUMERIC,
      "matching loss is not a number at step 1 where a finite number was expected; lower image-learning-rate or "
      "learning-rate; 'limbeck run --trace-numerics' names the operation that it came from");
}

static void
test_refuses_a_class_without_images (void)
{
  g_autoptr (LbPacket) source = toy_samples (2, 8, 3, 1), small = toy_samples (5, 8, 3, 1);
  g_autoptr (Harness) none = matching (source, "1", "1"), few = matching (small, "2", "1");

  harness_refuses (none, LB_ERROR_INPUT, "'set.samples' has 0 images of class 2; expected at least 1 to match");
  harness_set (few, "start", "real");
  harness_refuses (
      few, LB_ERROR_INPUT,
      "'set.samples' has 1 images of class 2; expected at least 2, as the synthetic images start from real ones");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/gradient-matching/loss-falls", test_loss_falls);
  g_test_add_func ("/gradient-matching/images-grow-like-their-class", test_images_grow_like_their_class);
  g_test_add_func ("/gradient-matching/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  g_test_add_func ("/gradient-matching/real-start-is-near-real-images", test_real_start_is_near_real_images);
  g_test_add_func ("/gradient-matching/both-sides-are-augmented-alike", test_both_sides_are_augmented_alike);
  g_test_add_func ("/gradient-matching/augmentation-moves-images-elsewhere", test_augmentation_moves_images_elsewhere);
  g_test_add_func ("/gradient-matching/loops-are-the-published-ones", test_loops_are_the_published_ones);
  g_test_add_func ("/gradient-matching/cost-is-predicted", test_cost_is_predicted);
  g_test_add_func ("/gradient-matching/stops-when-the-loss-is-not-a-number", test_stops_when_the_loss_is_not_a_number);
  g_test_add_func ("/gradient-matching/refuses-a-class-without-images", test_refuses_a_class_without_images);
  return g_test_run ();
}
