/* The evaluator stage. */
#include "plugins/harness.h"

/* 300 images of 3 classes in turn (two batches); a model that answers 1 to everything is right for a third. */
static void
test_counts_exactly (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("evaluator");
  g_autoptr (LbPacket) samples = toy_samples (300, 8, 3, 1);
  g_autoptr (LbPacket) one = constant_model ((const float[]){ 0, logf (2), 0 }, 3, 0);
  g_autoptr (LbPacket) tie = constant_model ((const float[]){ 1, 1, 1 }, 3, 1);
  const gint64 expected[] = { 0, 100, 0, 0, 100, 0, 0, 100, 0 };
  LbPacket *metrics;

  lb_harness_feed (h, "model", "students.model", "model", one, 3);
  lb_harness_feed (h, "model", "students.model", "model", tie, 3);
  lb_harness_feed (h, "samples", "test.samples", "samples", samples, 3);
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "metrics"), ==, 2);
  metrics = lb_harness_output (h, "metrics", 0);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (metrics, "accuracy"))[0], ==, 100 / 300.0);
  g_assert_cmpfloat (fabs (lb_tensor_f64 (lb_packet_get (metrics, "loss"))[0] - (log (4) * 2 + log (2)) / 3), <, 1e-6);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (metrics, "images"))[0], ==, 300);
  g_assert_cmpmem (lb_tensor_data (lb_packet_get (metrics, "confusion")), sizeof expected, expected, sizeof expected);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (metrics, "set_images"))[0], ==, 20);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (metrics, "set_bytes"))[0], ==, 1000);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (metrics, "training_flops"))[0], ==, 2e9);
  g_autofree char *architecture = lb_packet_get_text (metrics, "architecture");
  g_assert_cmpstr (architecture, ==, "convnet-d1");

  /* Of equal scores the first counts, and the second model is known by its index. */
  metrics = lb_harness_output (h, "metrics", 1);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (metrics, "confusion"))[0], ==, 100);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (metrics, "index"))[0], ==, 1);
  g_assert_cmpuint (lb_harness_n_metrics (h), ==, 2);
  g_assert_cmpfloat (lb_harness_metric_at (h, 0), ==, 100 / 300.0);
}

/* Scores 1, 2, 0 and 0, 0, 0: of the two likeliest, classes 1 and 0 in both, ties going to the first. */
static void
test_counts_the_likeliest (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("evaluator"), more = lb_harness_new ("evaluator");
  g_autoptr (LbPacket) samples = toy_samples (300, 8, 3, 1);
  g_autoptr (LbPacket) one = constant_model ((const float[]){ 1, 2, 0 }, 3, 0);
  g_autoptr (LbPacket) tie = constant_model ((const float[]){ 0, 0, 0 }, 3, 1);

  lb_harness_set (h, "top", "2");
  lb_harness_feed (h, "model", "students.model", "model", one, 3);
  lb_harness_feed (h, "model", "students.model", "model", tie, 3);
  lb_harness_feed (h, "samples", "test.samples", "samples", samples, 3);
  harness_run_well (h);
  for (guint i = 0; i < 2; i++) {
    LbPacket *metrics = lb_harness_output (h, "metrics", i);
    g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (metrics, "accuracy"))[0], ==, 100 / 300.0);
    g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (metrics, "top_accuracy"))[0], ==, 200 / 300.0);
  }
  g_assert_cmpfloat (lb_harness_metric (h, "top accuracy"), ==, 200 / 300.0);

  lb_harness_set (more, "top", "4");
  lb_harness_feed (more, "model", "students.model", "model", one, 3);
  lb_harness_feed (more, "samples", "test.samples", "samples", samples, 3);
  harness_refuses (more, LB_ERROR_PIPELINE, "property 'top': 4, but there are 3 classes; ask for fewer of them");
}

static void
test_refuses_images_normalised_otherwise (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("evaluator");
  g_autoptr (LbPacket) stored = toy_samples (6, 8, 3, 1);
  g_autoptr (LbPacket) samples = packet_with (stored, "images", lb_tensor_new (LB_F32, LB_SHAPE (6, 1, 8, 8)));
  g_autoptr (LbPacket) other = packet_with (samples, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.5f }));
  g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, 1, 0 }, 3, 0);

  lb_harness_feed (h, "model", "students.model", "model", model, 3);
  lb_harness_feed (h, "samples", "test.samples", "samples", other, 3);
  harness_refuses (h, LB_ERROR_INPUT,
                   "channel 0 of 'test.samples' is normalised with mean 0.5 and std 0.3, but that of the model "
                   "'students.model' with "
                   "mean 0.4 and std 0.3; give both the same source set, or the same mean and std");
}

static void
test_refuses_parameters_of_another_size (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("evaluator");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1);
  g_autoptr (LbPacket) model = model_packet ("convnet-d1", lb_tensor_new (LB_F32, LB_SHAPE (5)), 0);

  lb_harness_feed (h, "model", "students.model", "model", model, 3);
  lb_harness_feed (h, "samples", "test.samples", "samples", samples, 3);
  harness_refuses (
      h, LB_ERROR_INPUT,
      "a model of 'students.model' has 5 parameters, but convnet-d1 for the test images has 7683; the model was made "
      "for other images or by another version");
}

static void
test_refuses_an_unknown_architecture (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("evaluator");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1);
  g_autoptr (LbPacket) model = model_packet ("lenet", lb_tensor_new (LB_F32, LB_SHAPE (5)), 0);

  lb_harness_feed (h, "model", "students.model", "model", model, 3);
  lb_harness_feed (h, "samples", "test.samples", "samples", samples, 3);
  harness_refuses (
      h, LB_ERROR_PIPELINE,
      "architecture 'lenet' is not known; expected one of convnet-d1, convnet-d2, convnet-d3, convnet-d4, convnet-d5, "
      "alexnet, vgg11, resnet18, vit; did you mean 'alexnet'?");
}

static void
test_names_a_model_that_is_not_a_number (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("evaluator");
  g_autoptr (LbPacket) samples = toy_samples (6, 8, 3, 1);
  g_autoptr (LbPacket) model = constant_model ((const float[]){ 0, NAN, 0 }, 3, 0);

  lb_harness_feed (h, "model", "students.model", "model", model, 3);
  lb_harness_feed (h, "samples", "test.samples", "samples", samples, 3);
  harness_refuses (
      h, LB_ERROR_NUMERIC,
      "test loss is not a number at step 0 where a finite number was expected; look at the training of the model with "
      "this number; 'limbeck run --trace-numerics' names the operation that it came from");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/evaluator/counts-exactly", test_counts_exactly);
  g_test_add_func ("/evaluator/counts-the-likeliest", test_counts_the_likeliest);
  g_test_add_func ("/evaluator/refuses-images-normalised-otherwise", test_refuses_images_normalised_otherwise);
  g_test_add_func ("/evaluator/refuses-parameters-of-another-size", test_refuses_parameters_of_another_size);
  g_test_add_func ("/evaluator/refuses-an-unknown-architecture", test_refuses_an_unknown_architecture);
  g_test_add_func ("/evaluator/names-a-model-that-is-not-a-number", test_names_a_model_that_is_not_a_number);
  return g_test_run ();
}
