/* The gradient-matching stage, on small images. */
#include "plugins/harness.h"

static LbHarness *
matching (LbPacket *source, const char *ipc, const char *iterations)
{
  LbHarness *h = lb_harness_new ("gradient-matching");

  lb_harness_set (h, "architecture", "convnet-d1");
  lb_harness_set (h, "images-per-class", ipc);
  lb_harness_set (h, "iterations", iterations);
  lb_harness_set (h, "real-batch", "8");
  lb_harness_feed (h, "source", "set.samples", "samples", source, 3);
  return h;
}

static void
test_loss_falls (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = matching (source, "1", "12");
  LbPacket *samples;

  lb_harness_set (h, "image-learning-rate", "1");
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_steps (h), ==, 12);
  g_assert_cmpfloat (lb_harness_last_value (h), <, 0.8 * lb_harness_first_value (h));
  g_assert_cmpfloat (lb_harness_last_value (h), >, 0);
  g_assert_cmpuint (lb_harness_n_metrics (h), ==, 2);
  g_assert_cmpfloat (lb_harness_metric_at (h, 1), ==, lb_harness_last_value (h));

  samples = lb_harness_output (h, "samples", 0);
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
  g_autoptr (LbHarness) h = matching (source, "1", "60");
  const float *x;

  lb_harness_set (h, "image-learning-rate", "1");
  harness_run_well (h);
  x = lb_tensor_f32 (lb_packet_get (lb_harness_output (h, "samples", 0), "images"));
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
static LbHarness *
full (LbPacket *source, guint threads)
{
  LbHarness *h = matching (source, "3", "2");

  lb_harness_set (h, "outer-steps", "2");
  lb_harness_set (h, "inner-epochs", "2");
  lb_harness_set (h, "batch", "4");
  lb_harness_set (h, "start", "real");
  lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
  lb_harness_set_threads (h, threads);
  harness_run_well (h);
  return h;
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) one = full (source, 1), again = full (source, 1), two = full (source, 2),
                        four = full (source, 4);
  LbTensor *images = lb_packet_get (lb_harness_output (one, "samples", 0), "images");

  g_assert_cmpuint (lb_harness_steps (one), ==, 4);
  assert_same_tensor (images, lb_packet_get (lb_harness_output (again, "samples", 0), "images"));
  assert_same_tensor (images, lb_packet_get (lb_harness_output (two, "samples", 0), "images"));
  assert_same_tensor (images, lb_packet_get (lb_harness_output (four, "samples", 0), "images"));
}

static void
test_real_start_is_near_real_images (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = matching (source, "2", "1");
  g_autoptr (LbTensor) u8 = NULL;
  LbPacket *samples;

  lb_harness_set (h, "start", "real");
  lb_harness_set (h, "image-learning-rate", "0");
  harness_run_well (h);
  samples = lb_harness_output (h, "samples", 0);
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
    g_autoptr (LbHarness) h = matching (same, "1", iterations);

    lb_harness_set (h, "start", "real");
    lb_harness_set (h, "image-learning-rate", "0");
    lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
    harness_run_well (h);
    /* Not 0, for the 1e-6 of the distance; over 100 when they differ. */
    g_assert_cmpfloat (lb_harness_last_value (h), <, 5);
  }
}

static void
test_augmentation_moves_images_elsewhere (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) plain = matching (source, "1", "3"), augmented = matching (source, "1", "3");
  g_autoptr (LbHarness) wrong = matching (source, "1", "3");

  lb_harness_set (augmented, "augmentation", "scale_rotate");
  harness_run_well (plain);
  harness_run_well (augmented);
  g_assert_false (same_bytes (lb_packet_get (lb_harness_output (plain, "samples", 0), "images"),
                              lb_packet_get (lb_harness_output (augmented, "samples", 0), "images")));
  lb_harness_set (wrong, "augmentation", "scales");
  harness_refuses (
      wrong, LB_ERROR_PIPELINE,
      "property 'augmentation': augmentation 'scales' has 'scales'; expected none, or some of color, crop, cutout, "
      "flip, scale, rotate, view, each once, joined by '_' (one is drawn) or '-' (all are used); did you mean "
      "'scale'?");
}

static double
predicted_flops (LbPacket *source, const char *ipc, const char *outer_steps, const char *inner_epochs)
{
  g_autoptr (LbHarness) h = matching (source, ipc, "10");
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "outer-steps", outer_steps);
  lb_harness_set (h, "inner-epochs", inner_epochs);
  g_assert_true (lb_harness_configure (h, &error));
  g_assert_cmpint (lb_harness_dim (h, "synthetic"), ==, 3 * atoi (ipc));
  return lb_harness_predicted_flops (h);
}

/* Loops that are not given are those published, and straight lines in between, seen by what they cost. */
static void
test_loops_are_the_published_ones (void)
{
  static const struct {
    const char *ipc, *outer_steps, *inner_epochs;
  } cases[] = { { "1", "1", "1" },    { "4", "4", "17" },   { "10", "10", "50" }, { "15", "15", "38" },
                { "20", "20", "25" }, { "50", "50", "10" }, { "60", "50", "10" } };
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    double given = predicted_flops (source, cases[i].ipc, cases[i].outer_steps, cases[i].inner_epochs);

    g_assert_cmpfloat (given, >, 0);
    g_assert_cmpfloat (predicted_flops (source, cases[i].ipc, "0", "0"), ==, given);
  }
}

/* Multi-formation along networks that learn from the source, as IDC sets it. */
static LbHarness *
formed (LbPacket *source, guint threads)
{
  LbHarness *h = matching (source, "1", "2");

  lb_harness_set (h, "formation", "2");
  lb_harness_set (h, "network-data", "source");
  lb_harness_set (h, "network-images", "22");
  lb_harness_set (h, "outer-steps", "3");
  lb_harness_set (h, "distance", "l1");
  lb_harness_set (h, "batch", "8");
  lb_harness_set (h, "momentum", "0.9");
  lb_harness_set (h, "weight-decay", "0.0005");
  lb_harness_set (h, "augmentation", "color-crop-cutout");
  lb_harness_set (h, "network-augmentation", "color-crop");
  lb_harness_set (h, "network-cutmix", "0.5");
  lb_harness_set (h, "start", "real");
  lb_harness_set (h, "clamp", "true");
  lb_harness_set (h, "image-learning-rate", "0.001");
  lb_harness_set_threads (h, threads);
  harness_run_well (h);
  return h;
}

/* Bilinear enlarging of one row or column by two, pixel areas aligned, the edge repeated. */
static double
enlarged (const float *image, int stride, int i, int j)
{
  double y = CLAMP ((i + 0.5) / 2 - 0.5, 0, 3), x = CLAMP ((j + 0.5) / 2 - 0.5, 0, 3);
  int y0 = MIN ((int)y, 2), x0 = MIN ((int)x, 2);
  double fy = y - y0, fx = x - x0;

  return (1 - fy) * ((1 - fx) * image[y0 * stride + x0] + fx * image[y0 * stride + x0 + 1])
         + fy * ((1 - fx) * image[(y0 + 1) * stride + x0] + fx * image[(y0 + 1) * stride + x0 + 1]);
}

static void
test_formation_stores_four_in_one (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = formed (source, 1), two = formed (source, 2);
  LbPacket *seen = lb_harness_output (h, "samples", 0), *stored = lb_harness_output (h, "stored", 0);
  const float *all = lb_tensor_f32 (lb_packet_get (seen, "images"));

  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (stored, "images")), LB_SHAPE (3, 1, 8, 8)));
  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (seen, "images")), LB_SHAPE (12, 1, 8, 8)));
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (seen, "stored_images"))[0], ==, 3);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (seen, "stored_bytes"))[0], ==, 3 * (64 + 1) * 4);
  for (int n = 0; n < 12; n++) {
    const float *small = lb_tensor_f32 (lb_packet_get (stored, "images")) + n / 4 * 64 + n % 4 / 2 * 32 + n % 2 * 4;

    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (seen, "labels"))[n], ==, n / 4);
    for (int p = 0; p < 64; p++)
      g_assert_cmpfloat (fabs (all[n * 64 + p] - enlarged (small, 8, p / 8, p % 8)), <, 1e-5);
  }
  g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
  assert_same_tensor (lb_packet_get (stored, "images"), lb_packet_get (lb_harness_output (two, "stored", 0), "images"));
}

/* A step of two of a class's eight small images leaves the other six as they were; the next one may draw others. */
static void
test_batch_of_synthetic_images_moves_alone (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) start = matching (source, "8", "1"), one = matching (source, "8", "1");
  g_autoptr (LbHarness) ten = matching (source, "8", "10");
  LbHarness *const all[3] = { start, one, ten };
  guint moved[3] = { 0 };

  for (guint k = 0; k < 3; k++) {
    const float *x, *x0;

    lb_harness_set (all[k], "synthetic-batch", "2");
    lb_harness_set (all[k], "outer-steps", "1");
    lb_harness_set (all[k], "start", "real");
    lb_harness_set (all[k], "image-learning-rate", k == 0 ? "0" : "0.1");
    harness_run_well (all[k]);
    g_assert_cmpfloat (lb_harness_flops (all[k]), ==, lb_harness_predicted_flops (all[k]));
    x = lb_tensor_f32 (lb_packet_get (lb_harness_output (all[k], "samples", 0), "images"));
    x0 = lb_tensor_f32 (lb_packet_get (lb_harness_output (start, "samples", 0), "images"));
    for (guint i = 0; i < 24; i++)
      moved[k] += memcmp (x + 64 * i, x0 + 64 * i, 64 * sizeof (float)) != 0;
  }
  g_assert_cmpuint (moved[1], ==, 3 * 2);
  g_assert_cmpuint (moved[2], >, 3 * 4);
}

/* What the network learns from is augmented and mixed as it is told, apart from what is matched: that changes nothing
 * before it has learnt anything. */
static void
test_network_has_an_augmentation_of_its_own (void)
{
  static const char *const cases[][3]
      = { { "none", "same", "0" }, { "none", "crop", "0" }, { "none", "same", "1" }, { "crop", "none", "0" } };
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) wrong = matching (source, "1", "1");
  double first[4], last[4];

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (LbHarness) h = matching (source, "2", "1");

    lb_harness_set (h, "outer-steps", "3");
    lb_harness_set (h, "inner-epochs", "5");
    lb_harness_set (h, "augmentation", cases[i][0]);
    lb_harness_set (h, "network-augmentation", cases[i][1]);
    lb_harness_set (h, "network-cutmix", cases[i][2]);
    harness_run_well (h);
    g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
    first[i] = lb_harness_first_value (h);
    last[i] = lb_harness_last_value (h);
  }
  g_assert_cmpfloat (first[1], ==, first[0]);
  g_assert_cmpfloat (first[2], ==, first[0]);
  g_assert_cmpfloat (first[3], !=, first[0]);
  g_assert_cmpfloat (last[1], !=, last[0]);
  g_assert_cmpfloat (last[2], !=, last[0]);
  lb_harness_set (wrong, "network-augmentation", "mirror");
  harness_refuses (
      wrong, LB_ERROR_PIPELINE,
      "property 'network-augmentation': augmentation 'mirror' has 'mirror'; expected none, or some of color, "
      "crop, cutout, flip, scale, rotate, view, each once, joined by '_' (one is drawn) or '-' (all are used)");
}

/* With statistics of its own, at any number of threads, predicted to the last operation. */
static void
test_networks_with_batch_norm_are_matched (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) one = matching (source, "2", "2"), two = matching (source, "2", "2");
  LbHarness *const both[2] = { one, two };

  for (guint k = 0; k < 2; k++) {
    lb_harness_set (both[k], "architecture", "convnet-d1:norm=batch");
    lb_harness_set (both[k], "outer-steps", "3");
    lb_harness_set (both[k], "inner-epochs", "2");
    lb_harness_set (both[k], "image-learning-rate", "1");
    lb_harness_set_threads (both[k], k + 1);
    harness_run_well (both[k]);
    g_assert_cmpfloat (lb_harness_flops (both[k]), ==, lb_harness_predicted_flops (both[k]));
  }
  g_assert_cmpfloat (lb_harness_last_value (one), <, lb_harness_first_value (one));
  assert_same_tensor (lb_packet_get (lb_harness_output (one, "samples", 0), "images"),
                      lb_packet_get (lb_harness_output (two, "samples", 0), "images"));
}

/* Half a cosine: the first of two steps is whole, the second half as large. */
static void
test_rate_of_the_images_falls (void)
{
  static const char *const cases[][2]
      = { { "constant", "1" }, { "cosine", "1" }, { "constant", "2" }, { "cosine", "2" } };
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (GPtrArray) runs = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_harness_free);
  LbTensor *images[4];

  for (guint i = 0; i < 4; i++) {
    LbHarness *h = matching (source, "1", cases[i][1]);

    g_ptr_array_add (runs, h);
    lb_harness_set (h, "image-schedule", cases[i][0]);
    lb_harness_set (h, "image-momentum", "0");
    harness_run_well (h);
    images[i] = lb_packet_get (lb_harness_output (h, "samples", 0), "images");
  }
  assert_same_tensor (images[0], images[1]);
  for (gint64 i = 0; i < lb_tensor_size (images[0]); i++) {
    float first = lb_tensor_f32 (images[0])[i];

    g_assert_cmpfloat (fabs (2 * (lb_tensor_f32 (images[3])[i] - first) - (lb_tensor_f32 (images[2])[i] - first)), <,
                       1e-5);
  }
}

static void
test_formation_must_divide_the_images (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = matching (source, "1", "1");

  lb_harness_set (h, "formation", "3");
  harness_refuses (
      h, LB_ERROR_PIPELINE,
      "property 'formation': 3 does not divide the images' 8 x 8 pixels into whole ones; expected a number "
      "that divides both sides");
}

/* Also with networks that learn from the synthetic images, formed ones enlarged. */
static void
test_every_distance_falls (void)
{
  static const char *const cases[][2] = { { "ours", "1" }, { "mse", "10" }, { "cos", "30" }, { "l1", "0.01" } };
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (LbHarness) h = matching (source, "2", "4");

    lb_harness_set (h, "distance", cases[i][0]);
    lb_harness_set (h, "formation", "2");
    lb_harness_set (h, "outer-steps", "3");
    lb_harness_set (h, "inner-epochs", "1");
    lb_harness_set (h, "image-learning-rate", cases[i][1]);
    harness_run_well (h);
    g_assert_cmpfloat (lb_harness_last_value (h), <, 0.97 * lb_harness_first_value (h));
    g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
  }
}

static void
test_ten_seeds_stay_finite (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);

  for (guint64 seed = 1; seed <= 12; seed++) {
    g_autoptr (LbHarness) h = matching (source, "2", "2");
    LbTensor *images;

    lb_harness_set_seed (h, seed);
    lb_harness_set (h, "outer-steps", "2");
    lb_harness_set (h, "inner-epochs", "3");
    lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
    harness_run_well (h);
    images = lb_packet_get (lb_harness_output (h, "samples", 0), "images");
    for (gint64 i = 0; i < lb_tensor_size (images); i++)
      g_assert_true (isfinite (lb_tensor_f32 (images)[i]));
  }
}

static void
test_stops_when_the_images_diverge (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = matching (source, "1", "50");
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "image-learning-rate", "100000");
  g_assert_false (lb_harness_run (h, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_assert_true (g_str_has_prefix (error->message, "the synthetic images diverge: at step 1 their largest pixel is "));
  g_assert_true (g_str_has_suffix (error->message, "where at most 10000 was expected; lower image-learning-rate"));
}

/* The prediction is what the run counts. */
static void
test_cost_is_predicted (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = full (source, 1);

  g_assert_cmpfloat (fabs (lb_harness_flops (h) / lb_harness_predicted_flops (h) - 1), <, 1e-9);
}

static void
test_stops_when_the_loss_is_not_a_number (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, LB_SHAPE (60, 1, 8, 8));
  g_autoptr (LbPacket) bad = packet_with (source, "images", lb_tensor_ref (images));
  g_autoptr (LbHarness) h = matching (bad, "1", "5");

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
  g_autoptr (LbHarness) none = matching (source, "1", "1"), few = matching (small, "2", "1");

  harness_refuses (
      none, LB_ERROR_INPUT,
      "'set.samples' has 0 images of class 2; expected at least 1, so ask for fewer images per class, or give a "
      "larger source");
  lb_harness_set (few, "start", "real");
  harness_refuses (
      few, LB_ERROR_INPUT,
      "'set.samples' has 1 images of class 2; expected at least 2, so ask for fewer images per class, or give a larger "
      "source");
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
  g_test_add_func ("/gradient-matching/formation-stores-four-in-one", test_formation_stores_four_in_one);
  g_test_add_func ("/gradient-matching/batch-of-synthetic-images-moves-alone",
                   test_batch_of_synthetic_images_moves_alone);
  g_test_add_func ("/gradient-matching/network-has-an-augmentation-of-its-own",
                   test_network_has_an_augmentation_of_its_own);
  g_test_add_func ("/gradient-matching/networks-with-batch-norm-are-matched",
                   test_networks_with_batch_norm_are_matched);
  g_test_add_func ("/gradient-matching/rate-of-the-images-falls", test_rate_of_the_images_falls);
  g_test_add_func ("/gradient-matching/formation-must-divide-the-images", test_formation_must_divide_the_images);
  g_test_add_func ("/gradient-matching/every-distance-falls", test_every_distance_falls);
  g_test_add_func ("/gradient-matching/ten-seeds-stay-finite", test_ten_seeds_stay_finite);
  g_test_add_func ("/gradient-matching/stops-when-the-images-diverge", test_stops_when_the_images_diverge);
  g_test_add_func ("/gradient-matching/cost-is-predicted", test_cost_is_predicted);
  g_test_add_func ("/gradient-matching/stops-when-the-loss-is-not-a-number", test_stops_when_the_loss_is_not_a_number);
  g_test_add_func ("/gradient-matching/refuses-a-class-without-images", test_refuses_a_class_without_images);
  return g_test_run ();
}
