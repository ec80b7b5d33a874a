/* Whitening: what it does to a set, there and back, and what cannot be whitened. PyTorch's values are in golden/. */
#include "nn/numeric.h"

/* Colour images of 5 x 6 whose neighbours are alike, stored or normalised. */
static LbTensor *
smooth_set (gint64 n, LbDType dtype)
{
  LbTensor *images = lb_tensor_new (LB_F32, LB_SHAPE (n, 3, 5, 6));
  LbRandom random = lb_random (lb_key (2));
  float *x = lb_tensor_f32 (images);

  lb_random_fill_normal (&random, x, (gsize)lb_tensor_size (images));
  for (gint64 i = 0; i < n * 90; i++)
    x[i] = 0.3f * x[i] + (i % 90 ? 0.9f * x[i - 1] : 0);
  if (dtype == LB_U8) {
    g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (3), 0.5f, 0.5f, 0.5f), std = TENSOR (LB_SHAPE (3), 0.2f, 0.2f, 0.2f);
    g_autoptr (LbTensor) normalised = images;
    return lb_images_to_u8 (normalised, mean, std);
  }
  return images;
}

typedef struct {
  LbPool *pool;
  LbCompute *compute;
  LbTensor *images, *mean, *std, *whitened;
  LbWhitening whitening;
} Bench;

static void
bench_clear (Bench *bench)
{
  lb_whitening_clear (&bench->whitening);
  lb_tensor_unref (bench->images);
  lb_tensor_unref (bench->mean);
  lb_tensor_unref (bench->std);
  lb_tensor_unref (bench->whitened);
  lb_compute_free (bench->compute);
  lb_pool_free (bench->pool);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bench, bench_clear)

static Bench
bench_new (gint64 n, LbDType dtype, double epsilon, guint threads)
{
  Bench bench = { lb_pool_new (threads), NULL, smooth_set (n, dtype), TENSOR (LB_SHAPE (3), 0.5f, 0.5f, 0.5f),
                  TENSOR (LB_SHAPE (3), 0.2f, 0.2f, 0.2f) };
  g_autoptr (GError) error = NULL;

  bench.compute = lb_compute_new (bench.pool);
  lb_whitening_fit (&bench.whitening, bench.compute, "set", bench.images, bench.mean, bench.std, epsilon, &error);
  g_assert_no_error (error);
  bench.whitened = lb_whitening_apply (&bench.whitening, bench.compute, bench.images, bench.mean, bench.std);
  return bench;
}

/* With a tiny epsilon the covariance becomes the unit matrix. */
static void
test_numbers_become_uncorrelated (void)
{
  g_auto (Bench) bench = bench_new (300, LB_F32, 1e-7, 1);
  const float *y = lb_tensor_f32 (bench.whitened);

  for (gint64 a = 0; a < 90; a += 7)
    for (gint64 b = 0; b < 90; b++) {
      double sum = 0;
      for (gint64 i = 0; i < 300; i++)
        sum += (double)y[90 * i + a] * y[90 * i + b];
      CLOSE (sum / 299, a == b, 2e-3);
    }
  for (gint64 a = 0; a < 90; a++) {
    double sum = 0;
    for (gint64 i = 0; i < 300; i++)
      sum += y[90 * i + a];
    CLOSE (sum / 300, 0, 1e-4);
  }
}

static void
test_undo_gives_the_images_back (gconstpointer stored)
{
  g_auto (Bench) bench = bench_new (40, stored ? LB_U8 : LB_F32, 0.1, 2);
  g_autoptr (LbTensor) back
      = lb_whitening_undo (bench.compute, bench.whitened, bench.whitening.mean, bench.whitening.unwhitening);
  g_autoptr (LbTensor) half = lb_images_convert ("set", bench.whitened, NULL, NULL, LB_F16, NULL);
  g_autoptr (LbTensor) from_half
      = lb_whitening_undo (bench.compute, half, bench.whitening.mean, bench.whitening.unwhitening);

  if (stored) {
    g_autoptr (LbTensor) u8 = lb_images_to_u8 (back, bench.mean, bench.std);
    g_assert_cmpmem (lb_tensor_data (u8), lb_tensor_bytes (u8), lb_tensor_data (bench.images),
                     lb_tensor_bytes (bench.images));
    return;
  }
  for (gint64 i = 0; i < lb_tensor_size (back); i++) {
    CLOSE (lb_tensor_f32 (back)[i], lb_tensor_f32 (bench.images)[i], 1e-5);
    CLOSE (lb_tensor_f32 (from_half)[i], lb_tensor_f32 (bench.images)[i], 1e-2);
  }
}

/* W from what a set carries: U alone. */
static void
test_whitening_is_found_again_from_its_inverse (void)
{
  g_auto (Bench) bench = bench_new (40, LB_F32, 0.1, 1);
  g_auto (LbWhitening) found = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbTensor) again = NULL, zero = lb_tensor_new (LB_F32, lb_tensor_shape (bench.whitening.unwhitening));

  g_assert_true (lb_whitening_from (&found, "set", bench.whitening.mean, bench.whitening.unwhitening, &error));
  again = lb_whitening_apply (&found, bench.compute, bench.images, bench.mean, bench.std);
  for (gint64 i = 0; i < lb_tensor_size (again); i++)
    CLOSE (lb_tensor_f32 (again)[i], lb_tensor_f32 (bench.whitened)[i], 1e-4);
  lb_whitening_clear (&found);
  g_assert_false (lb_whitening_from (&found, "set", bench.whitening.mean, zero, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==,
                   "set: its field 'unwhitening' has no inverse, where that of a whitening was expected; the set is "
                   "damaged, make it again");
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_auto (Bench) one = bench_new (500, LB_F32, 0.1, 1);

  for (guint threads = 2; threads <= 4; threads++) {
    g_auto (Bench) more = bench_new (500, LB_F32, 0.1, threads);
    g_assert_cmpmem (lb_tensor_data (one.whitened), lb_tensor_bytes (one.whitened), lb_tensor_data (more.whitened),
                     lb_tensor_bytes (more.whitened));
    g_assert_cmpmem (lb_tensor_data (one.whitening.unwhitening), lb_tensor_bytes (one.whitening.unwhitening),
                     lb_tensor_data (more.whitening.unwhitening), lb_tensor_bytes (more.whitening.unwhitening));
  }
}

static void
refuses (LbTensor *images, const char *message)
{
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbTensor) owned = images;
  g_auto (LbWhitening) whitening = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_whitening_fit (&whitening, compute, "'set'", images, NULL, NULL, 0.1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_refuses_what_cannot_be_whitened (void)
{
  LbTensor *bad = smooth_set (3, LB_F32);

  lb_tensor_f32 (bad)[100] = INFINITY;
  refuses (bad, "'set': a value of image 1 is inf, where finite numbers were expected; find what made it before "
                "whitening");
  refuses (smooth_set (1, LB_F32), "'set' has 1 images; expected at least two to whiten, and better more than the 90 "
                                   "numbers of an image");
  refuses (lb_tensor_new (LB_F32, LB_SHAPE (2, 3, 128, 128)),
           "'set' has images of 49152 numbers; expected at most 12288 (64 x 64 in colour), as whitening needs the "
           "square of it, so use smaller images or do without");
}

static void
test_whitened_and_not_are_told_apart (void)
{
  g_autoptr (LbTensor) mean = TENSOR (LB_SHAPE (1, 1, 2), 0.5f, 1), near = TENSOR (LB_SHAPE (1, 1, 2), 0.500001f, 1);
  g_autoptr (LbTensor) other = TENSOR (LB_SHAPE (1, 1, 2), 0.5f, 1.1f), wide = TENSOR (LB_SHAPE (1, 2, 1), 0.5f, 1);
  g_autoptr (GError) first = NULL, second = NULL;

  g_assert_true (lb_whitening_same ("a", NULL, "b", NULL, NULL));
  g_assert_true (lb_whitening_same ("a", mean, "b", near, NULL));
  g_assert_false (lb_whitening_same ("a", mean, "b", wide, NULL));
  g_assert_false (lb_whitening_same ("'a'", NULL, "the model 'b'", mean, &first));
  g_assert_cmpstr (first->message, ==,
                   "'a' is not whitened, but the model 'b' is whitened; let one 'zca' stage whiten the sets of both, "
                   "or none");
  g_assert_false (lb_whitening_same ("'a'", other, "the model 'b'", mean, &second));
  g_assert_cmpstr (second->message, ==,
                   "'a' and the model 'b' are whitened, but not alike; let one 'zca' stage whiten the sets of both");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/whitening/numbers-become-uncorrelated", test_numbers_become_uncorrelated);
  g_test_add_data_func ("/whitening/undo-gives-normalised-images-back", NULL, test_undo_gives_the_images_back);
  g_test_add_data_func ("/whitening/undo-gives-stored-images-back", "u8", test_undo_gives_the_images_back);
  g_test_add_func ("/whitening/is-found-again-from-its-inverse", test_whitening_is_found_again_from_its_inverse);
  g_test_add_func ("/whitening/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  g_test_add_func ("/whitening/refuses-what-cannot-be-whitened", test_refuses_what_cannot_be_whitened);
  g_test_add_func ("/whitening/whitened-and-not-are-told-apart", test_whitened_and_not_are_told_apart);
  return g_test_run ();
}
