/* The labeler stage. */
#include "plugins/harness.h"

static LbPacket *
views_packet (void)
{
  LbPacket *views = lb_packet_new ();

  lb_packet_take (views, "windows", lb_view_windows (8, 8, 2, 0.5));
  return views;
}

static void
feed (LbHarness *h, LbPacket *samples, LbPacket *views, LbPacket *model)
{
  lb_harness_feed (h, "samples", "distill.samples", "samples", samples, 3);
  lb_harness_feed (h, "views", "views.views", "views", views, 0);
  lb_harness_feed (h, "model", "teacher.model", "model", model, 3);
}

/* What the network says of an image that was cut and resized before, its scores divided by 4 as they are when nothing
 * is said, is what the labeler says of the view. */
static void
test_dense_labels_are_the_networks_of_the_cut_views (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("labeler");
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, 3, NULL);
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1), views = views_packet ();
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (1));
  g_autoptr (LbPacket) model = model_packet ("convnet-d1", lb_tensor_ref (parameters), 0);
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbPredictor) predictor = lb_predictor_new (network, 1, FALSE, 4, NULL);
  g_autoptr (LbTensor) cut = lb_tensor_new (LB_F32, LB_SHAPE (1, 1, 8, 8)),
                       loaded = lb_tensor_new (LB_F32, LB_SHAPE (6, 8, 8, 1));
  LbTensor *dense;
  const float *whole;

  feed (h, samples, views, model);
  harness_run_well (h);
  dense = lb_packet_get (lb_harness_output (h, "augmented", 0), "dense_labels");
  g_assert_true (lb_shape_equal (lb_tensor_shape (dense), LB_SHAPE (6, 4, 3)));
  for (int row = 0; row < 24; row++) {
    const float *p = lb_tensor_f32 (dense) + 3 * row;
    g_assert_cmpfloat (fabs (p[0] + p[1] + p[2] - 1), <, 1e-6);
  }

  /* View 3 of image 5: the lower right 4 x 4 pixels, doubled: places 4 + (j + 0.5) / 2 - 0.5 within [4, 7]. */
  lb_images_load (lb_packet_get (samples, "images"), NULL, 6, lb_packet_get (samples, "mean"),
                  lb_packet_get (samples, "std"), loaded);
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 8; j++) {
      double y = CLAMP (3.75 + i / 2.0, 4, 7), x = CLAMP (3.75 + j / 2.0, 4, 7), fy = y - floor (y), fx = x - floor (x);
      const float *image = lb_tensor_f32 (loaded) + 5 * 64;
      int y0 = (int)floor (y), x0 = (int)floor (x), y1 = MIN (y0 + 1, 7), x1 = MIN (x0 + 1, 7);

      lb_tensor_f32 (cut)[8 * i + j] = (float)((1 - fy) * ((1 - fx) * image[8 * y0 + x0] + fx * image[8 * y0 + x1])
                                               + fy * ((1 - fx) * image[8 * y1 + x0] + fx * image[8 * y1 + x1]));
    }
  lb_predictor_set_parameters (predictor, parameters);
  lb_predictor_run (predictor, compute, cut, NULL, NULL, NULL, 0);
  whole = lb_predictor_probabilities (predictor);
  for (int k = 0; k < 3; k++)
    g_assert_cmpfloat (fabs (lb_tensor_f32 (dense)[3 * (5 * 4 + 3) + k] - whole[k]), <, 1e-5);
}

static void
test_carries_the_samples_on (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("labeler");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1), views = views_packet ();
  g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, 0, logf (2) }, 3, 0);
  LbPacket *augmented;

  lb_harness_set (h, "temperature", "0.5");
  feed (h, samples, views, model);
  harness_run_well (h);
  augmented = lb_harness_output (h, "augmented", 0);
  assert_same_tensor (lb_packet_get (augmented, "images"), lb_packet_get (samples, "images"));
  assert_same_tensor (lb_packet_get (augmented, "labels"), lb_packet_get (samples, "labels"));
  assert_same_tensor (lb_packet_get (augmented, "windows"), lb_packet_get (views, "windows"));
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (augmented, "temperature"))[0], ==, 0.5);
  /* Scores 0, 0, log 2 at temperature 1/2: 1/6, 1/6, 4/6. */
  g_assert_cmpfloat (fabs (lb_tensor_f32 (lb_packet_get (augmented, "dense_labels"))[2] - 4 / 6.0), <, 1e-6);
}

static void
test_refuses_another_normalisation (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("labeler");
  g_autoptr (LbPacket) stored = toy_samples (6, 8, 3, 1), views = views_packet ();
  g_autoptr (LbPacket) samples = packet_with (stored, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.5f }));
  g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, 0, 0 }, 3, 0);

  feed (h, samples, views, model);
  harness_refuses (
      h, LB_ERROR_INPUT,
      "channel 0 of 'distill.samples' is normalised with mean 0.4 and std 0.5, but that of the model 'teacher.model' "
      "with mean 0.4 and std 0.3; give both the same source set, or the same mean and std");
}

/* Of two networks, from one stage or from two, the mean of what they say. */
static void
test_several_models_are_averaged (gconstpointer second)
{
  g_autoptr (LbHarness) h = lb_harness_new ("labeler");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1), views = views_packet ();
  g_autoptr (LbPacket) even = constant_model ((const float[]){ 0, 0, 0 }, 3, 0);
  g_autoptr (LbPacket) sure = constant_model ((const float[]){ 0, 0, logf (2) }, 3, 1);
  LbPacket *augmented;
  const float *p;

  lb_harness_set (h, "temperature", "1");
  feed (h, samples, views, even);
  lb_harness_feed (h, "model", second, "model", sure, 3);
  harness_run_well (h);
  augmented = lb_harness_output (h, "augmented", 0);
  p = lb_tensor_f32 (lb_packet_get (augmented, "dense_labels"));
  g_assert_cmpfloat (fabs (p[0] - (1 / 3.0 + 1 / 4.0) / 2), <, 1e-6);
  g_assert_cmpfloat (fabs (p[2] - (1 / 3.0 + 2 / 4.0) / 2), <, 1e-6);
  /* Training both, 2 GFLOP each, and asking them. */
  g_assert_cmpfloat (fabs (lb_tensor_f64 (lb_packet_get (augmented, "making_flops"))[0] - (4e9 + lb_harness_flops (h))),
                     <, 1);
}

/* The bytes are those told, and all precisions are of the same probabilities. */
static void
test_precisions (void)
{
  static const struct {
    const char *precision;
    gsize bytes; /* of a label of three classes */
  } cases[] = { { "f32", 12 }, { "f16", 6 }, { "u8", 3 }, { "top-k", 4 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (LbHarness) h = lb_harness_new ("labeler");
    g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1), views = views_packet ();
    g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, 0, logf (2) }, 3, 0);
    g_autoptr (LbTensor) decoded = NULL;
    g_autofree char *digest = lb_tensor_digest (lb_packet_get (samples, "images")), *labelled = NULL;
    g_autoptr (GError) error = NULL;
    LbPacket *augmented;
    LbTensor *named;

    lb_harness_set (h, "temperature", "1");
    lb_harness_set (h, "precision", cases[i].precision);
    lb_harness_set (h, "kept", "2");
    feed (h, samples, views, model);
    harness_run_well (h);
    augmented = lb_harness_output (h, "augmented", 0);
    named = lb_packet_get (augmented, "dense_classes");
    g_assert_cmpuint (lb_tensor_bytes (lb_packet_get (augmented, "dense_labels"))
                          + (named ? lb_tensor_bytes (named) : 0),
                      ==, 6 * 4 * cases[i].bytes);
    decoded = lb_dense_labels_decode ("labels", lb_packet_get (augmented, "dense_labels"), named, 6, 4, 3, &error);
    g_assert_no_error (error);
    g_assert_cmpfloat (fabs (lb_tensor_f32 (decoded)[2] - 0.5), <, 1 / 255.0);
    g_assert_cmpfloat (fabs (lb_tensor_f32 (decoded)[0] - 0.25), <, 1 / 255.0);
    labelled = lb_packet_get_text (augmented, "labelled_images");
    g_assert_cmpstr (labelled, ==, digest);
  }
}

static void
test_refuses_more_kept_than_classes (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("labeler");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1), views = views_packet ();
  g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, 0, 0 }, 3, 0);

  lb_harness_set (h, "precision", "top-k");
  lb_harness_set (h, "kept", "4");
  feed (h, samples, views, model);
  harness_refuses (h, LB_ERROR_PIPELINE, "property 'kept': 4 of 3 classes; expected that many or fewer");
}

static void
test_refuses_windows_outside (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("labeler");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1), views = lb_packet_new ();
  g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, 0, 0 }, 3, 0);

  lb_packet_take (views, "windows", f32_of (LB_SHAPE (1, 4), (const float[]){ 2, 2, 7, 2 }));
  feed (h, samples, views, model);
  harness_refuses (
      h, LB_ERROR_INPUT,
      "views.views: window 0 is at (2, 2) and has 7 x 2 pixels; expected at least one pixel, inside images of 8 x 8");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/labeler/dense-labels-are-the-networks-of-the-cut-views",
                   test_dense_labels_are_the_networks_of_the_cut_views);
  g_test_add_func ("/labeler/carries-the-samples-on", test_carries_the_samples_on);
  g_test_add_func ("/labeler/refuses-another-normalisation", test_refuses_another_normalisation);
  g_test_add_data_func ("/labeler/models-of-one-stage-are-averaged", "teacher.model", test_several_models_are_averaged);
  g_test_add_data_func ("/labeler/models-of-two-stages-are-averaged", "other.model", test_several_models_are_averaged);
  g_test_add_func ("/labeler/precisions", test_precisions);
  g_test_add_func ("/labeler/refuses-more-kept-than-classes", test_refuses_more_kept_than_classes);
  g_test_add_func ("/labeler/refuses-windows-outside", test_refuses_windows_outside);
  return g_test_run ();
}
