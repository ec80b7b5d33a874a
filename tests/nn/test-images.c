/* Images between streams and programs, and the checks of what is said of them. */
#include "nn/numeric.h"

static LbTensor *
colour_pair (void)
{
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (2, 3, 1, 2));

  for (int i = 0; i < 12; i++)
    lb_tensor_u8 (images)[i] = (guint8)(20 * i);
  return images;
}

static void
test_stored_images_are_normalised (void)
{
  g_autoptr (LbTensor) images = colour_pair ();
  g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (3), 0.1f, 0.2f, 0.3f), std = TENSOR (LB_SHAPE (3), 1, 0.5f, 0.25f);
  g_autoptr (LbTensor) out = lb_tensor_new (LB_F32, LB_SHAPE (2, 1, 2, 3));
  const float *x = lb_tensor_f32 (out);

  lb_images_load (images, (const guint32[]){ 1, 0 }, 2, mean, std, out);
  /* Image 1, first pixel: channels 120, 160, 200; second pixel: 140, 180, 220. */
  CLOSE (x[0], 120 / 255.0 - 0.1, 1e-6);
  CLOSE (x[1], (160 / 255.0 - 0.2) / 0.5, 1e-6);
  CLOSE (x[2], (200 / 255.0 - 0.3) / 0.25, 1e-6);
  CLOSE (x[5], (220 / 255.0 - 0.3) / 0.25, 1e-6);
  /* Image 0, second pixel. */
  CLOSE (x[9], 20 / 255.0 - 0.1, 1e-6);
  CLOSE (x[11], (100 / 255.0 - 0.3) / 0.25, 1e-6);
}

static void
test_normalised_images_are_only_reordered (void)
{
  g_autoptr (LbTensor) images = TENSOR (LB_SHAPE (1, 2, 1, 3), 1, 2, 3, 4, 5, 6), back = NULL;
  g_autoptr (LbTensor) out = lb_tensor_new (LB_F32, LB_SHAPE (1, 1, 3, 2));
  const float expected[] = { 1, 4, 2, 5, 3, 6 };

  lb_images_load (images, NULL, 1, NULL, NULL, out);
  g_assert_cmpmem (lb_tensor_data (out), lb_tensor_bytes (out), expected, sizeof expected);
  back = lb_images_to_stream (out);
  g_assert_true (lb_shape_equal (lb_tensor_shape (back), lb_tensor_shape (images)));
  g_assert_cmpmem (lb_tensor_data (back), lb_tensor_bytes (back), lb_tensor_data (images), lb_tensor_bytes (images));
}

/* Longer than the blocks that are converted at a time. */
static void
test_halves_are_loaded_as_their_values (void)
{
  LbShape shape = LB_SHAPE (2, 3, 17, 19);
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, shape), half = NULL, wide = NULL;
  g_autoptr (LbTensor) expected = lb_tensor_new (LB_F32, LB_SHAPE (2, 17, 19, 3)), out = lb_tensor_copy (expected);
  LbRandom random = lb_random (lb_key (6));
  guint differ = 0;

  lb_random_fill_normal (&random, lb_tensor_f32 (images), (gsize)lb_tensor_size (images));
  half = lb_images_convert ("set", images, NULL, NULL, LB_F16, NULL);
  wide = lb_images_convert ("set", half, NULL, NULL, LB_F32, NULL);
  lb_images_load (wide, NULL, 2, NULL, NULL, expected);
  lb_images_load (half, NULL, 2, NULL, NULL, out);
  g_assert_cmpmem (lb_tensor_data (out), lb_tensor_bytes (out), lb_tensor_data (expected), lb_tensor_bytes (expected));
  for (gint64 i = 0; i < lb_tensor_size (images); i++) {
    CLOSE (lb_tensor_f32 (wide)[i], lb_tensor_f32 (images)[i], fabs (lb_tensor_f32 (images)[i]) / 2048 + 1e-7);
    differ += lb_tensor_f32 (wide)[i] != lb_tensor_f32 (images)[i];
  }
  g_assert_cmpuint (differ, >, 1000);
}

static void
test_stored_images_convert_to_normalised_ones (void)
{
  g_autoptr (LbTensor) images = colour_pair (), back = NULL, again = NULL;
  g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (3), 0.1f, 0.2f, 0.3f), std = TENSOR (LB_SHAPE (3), 1, 0.5f, 0.25f);
  g_autoptr (LbTensor) loaded = lb_tensor_new (LB_F32, LB_SHAPE (2, 1, 2, 3)), expected = NULL;

  lb_images_load (images, NULL, 2, mean, std, loaded);
  expected = lb_images_to_stream (loaded);
  back = lb_images_convert ("set", images, mean, std, LB_F32, NULL);
  g_assert_cmpmem (lb_tensor_data (back), lb_tensor_bytes (back), lb_tensor_data (expected),
                   lb_tensor_bytes (expected));
  again = lb_images_convert ("set", back, mean, std, LB_U8, NULL);
  g_assert_cmpmem (lb_tensor_data (again), lb_tensor_bytes (again), lb_tensor_data (images), lb_tensor_bytes (images));
}

static void
test_to_u8_gives_stored_values_back (void)
{
  g_autoptr (LbTensor) images = colour_pair (), back = NULL;
  g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (3), 0.1f, 0.2f, 0.3f), std = TENSOR (LB_SHAPE (3), 1, 0.5f, 0.25f);
  g_autoptr (LbTensor) loaded = lb_tensor_new (LB_F32, LB_SHAPE (2, 1, 2, 3)), stream = NULL;

  lb_images_load (images, NULL, 2, mean, std, loaded);
  stream = lb_images_to_stream (loaded);
  back = lb_images_to_u8 (stream, mean, std);
  g_assert_cmpmem (lb_tensor_data (back), lb_tensor_bytes (back), lb_tensor_data (images), lb_tensor_bytes (images));
}

static void
test_to_u8_clips (void)
{
  g_autoptr (LbTensor) images = TENSOR (LB_SHAPE (1, 1, 1, 5), -100, 100, NAN, INFINITY, 0);
  g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (1), 0.5f), std = TENSOR (LB_SHAPE (1), 0.5f);
  g_autoptr (LbTensor) shown = lb_images_to_u8 (images, mean, std);
  const guint8 expected[] = { 0, 255, 0, 255, 128 };

  g_assert_cmpmem (lb_tensor_data (shown), 5, expected, 5);
}

static void
test_normalisations_are_compared (void)
{
  g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (1), 0.25f), std = TENSOR (LB_SHAPE (1), 0.5f);
  g_autoptr (LbTensor) other = TENSOR (LB_SHAPE (1), 0.26f), colour = TENSOR (LB_SHAPE (3), 1, 1, 1);
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_images_same_normalisation ("'a'", mean, std, "'b'", mean, std, &error));
  g_assert_false (lb_images_same_normalisation ("'a'", mean, std, "'b'", other, std, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (
      error->message, ==,
      "channel 0 of 'a' is normalised with mean 0.25 and std 0.5, but that of 'b' with mean 0.26 and std 0.5; give "
      "both the same source set, or the same mean and std");
  g_clear_error (&error);
  g_assert_false (lb_images_same_normalisation ("'a'", mean, std, "'b'", colour, colour, &error));
  g_assert_cmpstr (error->message, ==,
                   "'a' is normalised over 1 channels, but 'b' over 3; use the same source set for both");
}

static void
test_labels_are_checked (void)
{
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (3));
  g_autoptr (GError) error = NULL;

  lb_tensor_i32 (labels)[2] = 4;
  g_assert_true (lb_labels_check ("set", labels, 5, &error));
  g_assert_false (lb_labels_check ("set", labels, 4, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, "set: image 2 has label 4; expected 0 to 3, as there are 4 classes");
  g_clear_error (&error);
  lb_tensor_i32 (labels)[2] = -1;
  g_assert_false (lb_labels_check ("set", labels, 4, &error));
  g_clear_error (&error);
  g_assert_false (lb_labels_check ("set", labels, -1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
}

static void
test_images_are_sorted_by_class (void)
{
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (6));
  const gint32 values[] = { 2, 0, 2, 3, 0, 2 };
  const guint32 expected[] = { 1, 4, 0, 2, 5, 3 };
  g_autofree guint32 *indices = NULL;
  gint64 first[5];

  memcpy (lb_tensor_i32 (labels), values, sizeof values);
  indices = lb_images_by_class (labels, 4, first);
  g_assert_cmpmem (indices, sizeof expected, expected, sizeof expected);
  g_assert_cmpint (first[0], ==, 0);
  g_assert_cmpint (first[1], ==, 2);
  g_assert_cmpint (first[2], ==, 2);
  g_assert_cmpint (first[3], ==, 5);
  g_assert_cmpint (first[4], ==, 6);
}

/* Channel 1 holds 40, 60, 160, 180: mean 110, deviations 70, 50, 50, 70. Two of three classes have one image, one none. */
static void
test_statistics (void)
{
  g_autoptr (LbTensor) images = colour_pair (), labels = lb_tensor_new (LB_I32, LB_SHAPE (2));
  double mean, std;

  lb_images_statistics (images, 1, &mean, &std);
  CLOSE (mean, 110 / 255.0, 1e-12);
  CLOSE (std, sqrt (3700) / 255, 1e-12);
  lb_tensor_i32 (labels)[1] = 1;
  g_assert_cmpint (lb_labels_smallest_class (labels, 2), ==, 1);
  g_assert_cmpint (lb_labels_smallest_class (labels, 3), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/images/stored-images-are-normalised", test_stored_images_are_normalised);
  g_test_add_func ("/images/normalised-images-are-only-reordered", test_normalised_images_are_only_reordered);
  g_test_add_func ("/images/halves-are-loaded-as-their-values", test_halves_are_loaded_as_their_values);
  g_test_add_func ("/images/stored-images-convert-to-normalised-ones", test_stored_images_convert_to_normalised_ones);
  g_test_add_func ("/images/to-u8-gives-stored-values-back", test_to_u8_gives_stored_values_back);
  g_test_add_func ("/images/to-u8-clips", test_to_u8_clips);
  g_test_add_func ("/images/normalisations-are-compared", test_normalisations_are_compared);
  g_test_add_func ("/images/labels-are-checked", test_labels_are_checked);
  g_test_add_func ("/images/sorted-by-class", test_images_are_sorted_by_class);
  g_test_add_func ("/images/statistics-of-a-channel-and-of-classes", test_statistics);
  return g_test_run ();
}
