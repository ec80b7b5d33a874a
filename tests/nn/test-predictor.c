/* Predictions over a set: batches, views, temperature. */
#include "nn/toy.h"

/* Predicts @n items; rows [n, 2], new. */
static float *
predict (const LbNetwork *network, LbTensor *parameters, const Toy *toy, LbTensor *windows, gint64 n,
         double temperature, gboolean logarithm)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbPredictor) predictor = lb_predictor_new (network, n, windows != NULL, temperature, &error);
  float *rows = g_new (float, 2 * n);
  gint64 count;

  g_assert_no_error (error);
  lb_predictor_set_parameters (predictor, parameters);
  for (gint64 first = 0; first < n; first += count) {
    count = lb_predictor_run (predictor, compute, toy->images, toy->mean, toy->std, windows, first);
    memcpy (rows + 2 * first,
            logarithm ? lb_predictor_log_probabilities (predictor) : lb_predictor_probabilities (predictor),
            (gsize)(2 * count) * sizeof (float));
  }
  return rows;
}

/* Items do not see each other: 600 in three batches give what each gives alone. */
static void
test_batches_do_not_matter (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (1));
  g_auto (Toy) toy = toy_new (600, 1), few = toy_new (7, 1);
  g_autofree float *all = predict (network, parameters, &toy, NULL, 600, 1, FALSE);
  g_autofree float *some = predict (network, parameters, &few, NULL, 7, 1, FALSE);
  g_autofree float *logs = predict (network, parameters, &toy, NULL, 600, 1, TRUE);

  for (int i = 0; i < 14; i++)
    CLOSE (all[i], some[i], 1e-6);
  for (int i = 0; i < 1200; i += 2)
    CLOSE (all[i] + all[i + 1], 1, 1e-6);
  for (int i = 0; i < 1200; i++)
    CLOSE (exp (logs[i]), all[i], 1e-6);
}

/* Views are counted image by image, and the view that is the whole image says what the image says. */
static void
test_views_are_counted_image_by_image (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (1));
  g_auto (Toy) toy = toy_new (3, 1);
  g_autoptr (LbTensor) windows = TENSOR (LB_SHAPE (2, 4), 1, 1, 4, 4, 0, 0, 8, 8);
  g_autofree float *whole = predict (network, parameters, &toy, NULL, 3, 1, FALSE);
  g_autofree float *views = predict (network, parameters, &toy, windows, 6, 1, FALSE);

  for (int i = 0; i < 3; i++)
    CLOSE (views[2 * (2 * i + 1)], whole[2 * i], 1e-6);
  g_assert_cmpfloat (fabs (views[0] - whole[0]), >, 1e-4);
}

static void
test_temperature_flattens (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (1));
  g_auto (Toy) toy = toy_new (1, 1);
  g_autofree float *cold = predict (network, parameters, &toy, NULL, 1, 1, TRUE);
  g_autofree float *warm = predict (network, parameters, &toy, NULL, 1, 4, TRUE);

  /* The difference of log probabilities is that of the scores. */
  CLOSE (warm[0] - warm[1], (cold[0] - cold[1]) / 4, 1e-6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/predictor/batches-do-not-matter", test_batches_do_not_matter);
  g_test_add_func ("/predictor/views-are-counted-image-by-image", test_views_are_counted_image_by_image);
  g_test_add_func ("/predictor/temperature-flattens", test_temperature_flattens);
  return g_test_run ();
}
