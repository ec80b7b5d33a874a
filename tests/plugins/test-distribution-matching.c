/* The distribution-matching stage, on small images. */
#include "plugins/harness.h"

static LbHarness *
matching (LbPacket *source, const char *ipc, const char *iterations)
{
  LbHarness *h = lb_harness_new ("distribution-matching");

  lb_harness_set (h, "architecture", "convnet-d1");
  lb_harness_set (h, "images-per-class", ipc);
  lb_harness_set (h, "iterations", iterations);
  lb_harness_set (h, "real-batch", "8");
  lb_harness_set (h, "augmentation", "none");
  lb_harness_feed (h, "source", "set.samples", "samples", source, 3);
  return h;
}

static void
test_loss_falls (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = matching (source, "1", "30");
  LbPacket *samples;
  const float *x;

  lb_harness_set (h, "start", "noise");
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_steps (h), ==, 30);
  g_assert_cmpfloat (lb_harness_last_value (h), <, 0.5 * lb_harness_first_value (h));
  g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
  samples = lb_harness_output (h, "samples", 0);
  x = lb_tensor_f32 (lb_packet_get (samples, "images"));
  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (samples, "images")), LB_SHAPE (3, 1, 8, 8)));
  assert_same_tensor (lb_packet_get (samples, "mean"), lb_packet_get (source, "mean"));
  /* Bright where the class is bright. */
  for (int class = 0; class < 3; class ++) {
    double inside = 0, outside = 0;
    int n = 0;

    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (samples, "labels"))[class], ==, class);
    for (int p = 0; p < 64; p++) {
      gboolean bright = p % 8 * 3 / 8 == class;

      n += bright;
      *(bright ? &inside : &outside) += x[64 * class + p];
    }
    g_assert_cmpfloat (inside / n, >, outside / (64 - n) + 0.3);
  }
}

/* Three images, each many times, and synthetic images that are these: features agree, if augmentation is shared. */
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
    g_autoptr (LbHarness) h = matching (same, "2", iterations);

    lb_harness_set (h, "image-learning-rate", "0");
    lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
    harness_run_well (h);
    g_assert_cmpfloat (lb_harness_last_value (h), <, 1e-6);
  }
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) one = matching (source, "2", "3"), two = matching (source, "2", "3");

  for (guint i = 0; i < 2; i++) {
    LbHarness *h = i ? two : one;

    lb_harness_set_threads (h, i ? 3 : 1);
    lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
    harness_run_well (h);
  }
  assert_same_tensor (lb_packet_get (lb_harness_output (one, "samples", 0), "images"),
                      lb_packet_get (lb_harness_output (two, "samples", 0), "images"));
}

static void
test_refuses_what_cannot_work (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1), small = toy_samples (5, 8, 3, 1);
  g_autoptr (LbHarness) few = matching (small, "2", "1"), wild = matching (source, "1", "40");
  g_autoptr (GError) error = NULL;

  harness_refuses (few, LB_ERROR_INPUT,
                   "'set.samples' has 1 images of class 2; expected at least 2, so ask for fewer images per class, or "
                   "give a larger source");
  lb_harness_set (wild, "image-learning-rate", "1e6");
  lb_harness_set (wild, "image-momentum", "1");
  lb_harness_set (wild, "architecture", "convnet-d1:norm=none");
  g_assert_false (lb_harness_run (wild, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_assert_nonnull (strstr (error->message, "matching loss is "));
  g_assert_nonnull (strstr (error->message, "; lower image-learning-rate"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/distribution-matching/loss-falls", test_loss_falls);
  g_test_add_func ("/distribution-matching/both-sides-are-augmented-alike", test_both_sides_are_augmented_alike);
  g_test_add_func ("/distribution-matching/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  g_test_add_func ("/distribution-matching/refuses-what-cannot-work", test_refuses_what_cannot_work);
  return g_test_run ();
}
