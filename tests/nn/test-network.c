/* Architectures: sizes, parameters, their start, and what is refused. */
#include "nn/numeric.h"

static LbNetwork *
network (const char *architecture, gint64 channels, gint64 size, gint64 classes)
{
  g_autoptr (GError) error = NULL;
  LbNetwork *result = lb_network_new (architecture, (LbImageSize){ channels, size, size }, classes, &error);

  g_assert_no_error (error);
  return result;
}

/* The counts of the public code this network comes from. */
static void
test_parameter_counts (void)
{
  g_autoptr (LbNetwork) fashion = network ("convnet-d3", 1, 28, 10), cifar = network ("convnet-d3", 3, 32, 10);

  g_assert_cmpint (lb_network_n_parameters (fashion), ==, 317706);
  g_assert_cmpint (lb_network_n_parameters (cifar), ==, 320010);
  g_assert_cmpuint (lb_network_n_tensors (fashion), ==, 14);
  g_assert_cmpstr (lb_network_tensor_name (fashion, 0), ==, "1.conv.weight");
  g_assert_true (lb_shape_equal (lb_network_tensor_shape (fashion, 0), LB_SHAPE (128, 3, 3, 1)));
  g_assert_cmpstr (lb_network_tensor_name (fashion, 12), ==, "linear.weight");
  g_assert_true (lb_shape_equal (lb_network_tensor_shape (fashion, 12), LB_SHAPE (10, 4 * 4 * 128)));
  g_assert_cmpstr (lb_network_architecture (fashion), ==, "convnet-d3");
  g_assert_cmpint (lb_network_classes (fashion), ==, 10);
  g_assert_cmpint (lb_network_input (cifar).channels, ==, 3);
}

static void
test_depth_is_one_number (void)
{
  for (guint depth = 1; depth <= 5; depth++) {
    g_autofree char *name = g_strdup_printf ("convnet-d%u", depth);
    g_autoptr (LbNetwork) net = network (name, 3, 32, 10);
    gint64 side = 32 >> depth;

    g_assert_cmpuint (lb_network_n_tensors (net), ==, 4 * depth + 2);
    g_assert_cmpint (lb_network_n_parameters (net), ==,
                     3 * 9 * 128 + 128 + 256 + (depth - 1) * (128 * 9 * 128 + 128 + 256) + side * side * 1280 + 10);
  }
}

static void
test_start_is_within_bounds (void)
{
  g_autoptr (LbNetwork) net = network ("convnet-d2", 3, 8, 4);
  g_autoptr (LbTensor) flat = lb_network_initialise (net, lb_key (5));
  const float *values = lb_tensor_f32 (flat);

  g_assert_cmpint (lb_tensor_size (flat), ==, lb_network_n_parameters (net));
  for (guint i = 0; i < lb_network_n_tensors (net); i++) {
    gint64 n = lb_shape_size (lb_network_tensor_shape (net, i));
    const char *name = lb_network_tensor_name (net, i);
    double fan_in = g_str_has_prefix (name, "1.conv") ? 27 : g_str_has_prefix (name, "2.conv") ? 1152 : 512;
    double largest = 0, sum = 0;

    for (gint64 j = 0; j < n; j++) {
      largest = MAX (largest, fabs (values[j]));
      sum += values[j];
    }
    if (g_str_has_suffix (name, "scale")) {
      g_assert_cmpfloat (sum, ==, n);
    } else if (g_str_has_suffix (name, "offset")) {
      g_assert_cmpfloat (largest, ==, 0);
    } else {
      g_assert_cmpfloat (largest, <=, 1 / sqrt (fan_in));
      g_assert_cmpfloat (largest, >, (n > 100 ? 0.97 : 0.2) / sqrt (fan_in));
      g_assert_cmpfloat (fabs (sum / n), <=, 4 / sqrt (3 * fan_in * n));
    }
    values += n;
  }
}

static void
test_start_depends_on_the_key_alone (void)
{
  g_autoptr (LbNetwork) net = network ("convnet-d1", 1, 8, 4), again = network ("convnet-d1", 1, 8, 4);
  g_autoptr (LbTensor) a = lb_network_initialise (net, lb_key (5)), b = lb_network_initialise (again, lb_key (5));
  g_autoptr (LbTensor) c = lb_network_initialise (net, lb_key (6));

  g_assert_cmpmem (lb_tensor_data (a), lb_tensor_bytes (a), lb_tensor_data (b), lb_tensor_bytes (b));
  g_assert_cmpfloat (lb_tensor_f32 (a)[0], !=, lb_tensor_f32 (c)[0]);
}

/* With all weights zero, the scores are the biases of the linear layer, whatever the images. */
static void
test_flat_parameters_go_where_they_belong (void)
{
  g_autoptr (LbNetwork) net = network ("convnet-d1", 1, 4, 3);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  g_autofree LbNode **parameters = g_new0 (LbNode *, lb_network_n_tensors (net));
  LbNode *images = lb_batch_input (graph, "images", LB_SHAPE (2, 4, 4, 1)), *scores;
  g_autoptr (LbTensor) flat = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (net)));
  g_autoptr (LbProgram) program = NULL;
  g_autoptr (GError) error = NULL;

  lb_network_inputs (net, graph, "", parameters);
  scores = lb_network_apply (net, parameters, images);
  program = lb_compile (graph, &scores, 1, &error);
  g_assert_no_error (error);
  for (int k = 0; k < 3; k++)
    lb_tensor_f32 (flat)[lb_network_n_parameters (net) - 3 + k] = (float)(k + 1);
  lb_network_bind (net, program, parameters, flat);
  bind_take (program, images, lb_tensor_new (LB_F32, LB_SHAPE (2, 4, 4, 1)));
  run_once (program);
  for (int i = 0; i < 6; i++)
    g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, scores))[i], ==, i % 3 + 1);
}

static void
assert_refused (const char *architecture, LbImageSize size, gint64 classes, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_network_new (architecture, size, classes, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_what_does_not_fit_is_refused (void)
{
  assert_refused (
      "convnet-d33", (LbImageSize){ 1, 28, 28 }, 10,
      "architecture 'convnet-d33' is not known; expected one of convnet-d1, convnet-d2, convnet-d3, convnet-d4, "
      "convnet-d5; did you mean 'convnet-d3'?");
  assert_refused (
      "convnet-d3", (LbImageSize){ 3, 28, 28 }, 10,
      "architecture 'convnet-d3' halves its images 3 times, so it takes sizes that are multiples of 8 pixels (and "
      "grey 28 x 28, which is padded to 32 x 32 if that is one), but the images are 28 x 28; choose another depth");
  assert_refused (
      "convnet-d3", (LbImageSize){ 1, -1, 28 }, 10,
      "architecture 'convnet-d3' is asked for 1 channels of -1 x 28 pixels and 10 classes; expected 1 to 1024 "
      "channels, 1 to 8192 pixels and 1 to 100000 classes");
  assert_refused (
      "convnet-d3", (LbImageSize){ 1, 28, 28 }, 0,
      "architecture 'convnet-d3' is asked for 1 channels of 28 x 28 pixels and 0 classes; expected 1 to 1024 "
      "channels, 1 to 8192 pixels and 1 to 100000 classes");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/network/parameter-counts", test_parameter_counts);
  g_test_add_func ("/network/depth-is-one-number", test_depth_is_one_number);
  g_test_add_func ("/network/start-is-within-bounds", test_start_is_within_bounds);
  g_test_add_func ("/network/start-depends-on-the-key-alone", test_start_depends_on_the_key_alone);
  g_test_add_func ("/network/flat-parameters-go-where-they-belong", test_flat_parameters_go_where_they_belong);
  g_test_add_func ("/network/what-does-not-fit-is-refused", test_what_does_not_fit_is_refused);
  return g_test_run ();
}
