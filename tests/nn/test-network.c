/* Architectures: sizes, parameters, their start, and what is refused. */
#include "nn/numeric.h"

#include <string.h>

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

/* Every architecture at every size that data sets have, in grey and in colour. The counts are those of
 * torch_networks.py (tests/golden) for 10 classes. */
static void
test_all_sizes (void)
{
  static const struct {
    const char *name;
    gint64 channels, size, parameters; /* 0: only that it can be built */
  } rows[] = {
    { "convnet-d3", 3, 28, 320010 },
    { "convnet-d4", 3, 64, 467850 },
    { "convnet-d5", 3, 128, 615690 },
    { "convnet-d4", 1, 64, 0 },
    { "convnet-d5", 1, 128, 0 },
    { "alexnet", 1, 28, 1865802 },
    { "alexnet", 3, 28, 1872202 },
    { "alexnet", 1, 32, 0 },
    { "alexnet", 3, 32, 1872202 },
    { "alexnet", 1, 64, 0 },
    { "alexnet", 3, 64, 1964362 },
    { "alexnet", 3, 128, 2333002 },
    { "vgg11", 1, 28, 9229962 },
    { "vgg11", 3, 28, 9231114 },
    { "vgg11", 3, 32, 9231114 },
    { "vgg11", 1, 64, 0 },
    { "vgg11", 3, 64, 9246474 },
    { "vgg11", 3, 128, 9307914 },
    { "resnet18", 1, 28, 11172810 },
    { "resnet18", 3, 28, 11173962 },
    { "resnet18", 3, 32, 11173962 },
    { "resnet18", 3, 64, 11173962 },
    { "resnet18", 3, 128, 11173962 },
    { "vit", 1, 28, 9499658 },
    { "vit", 3, 32, 9523722 },
    { "vit", 3, 28, 0 },
    { "vit", 1, 64, 0 },
    { "vit", 3, 64, 9597450 },
    { "vit", 3, 128, 16198154 },
    { "vit", 1, 128, 0 },
    { "vit:depth=2:patch=7", 1, 28, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (LbNetwork) net = network (rows[i].name, rows[i].channels, rows[i].size, 10);

    if (rows[i].parameters && lb_network_n_parameters (net) != rows[i].parameters)
      g_error ("%s for %d channels of %d pixels has %d parameters, expected %d", rows[i].name, (int)rows[i].channels,
               (int)rows[i].size, (int)lb_network_n_parameters (net), (int)rows[i].parameters);
    g_assert_cmpint (lb_network_n_trained (net), ==, lb_network_n_parameters (net));
    g_assert_cmpint (lb_network_has_dropout (net), ==, g_str_has_prefix (rows[i].name, "vit"));
  }
}

/* Whatever is asked for, the name has one form: options that matter, in the order of the table. */
static void
test_names_have_one_form (void)
{
  static const char *const names[][2] = {
    { "convnet-d3", "convnet-d3" },
    { "convnet-d3:norm=batch:width=64", "convnet-d3:width=64:norm=batch" },
    { "convnet-d3:width=128:pooling=avg", "convnet-d3" },
    { "convnet-d3:activation=leaky-relu:pooling=max", "convnet-d3:activation=leaky-relu:pooling=max" },
    { "convnet-d2:width=064", "convnet-d2:width=64" },
    { "vit:dropout=.5:depth=2", NULL },
    { "vit:dropout=0.50:depth=2", "vit:depth=2:dropout=0.5" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (LbNetwork) net = lb_network_new (names[i][0], (LbImageSize){ 3, 32, 32 }, 10, &error);

    if (names[i][1]) {
      g_assert_no_error (error);
      g_assert_cmpstr (lb_network_architecture (net), ==, names[i][1]);
    } else {
      g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
    }
  }
}

static void
test_width_and_norm_change_the_parameters (void)
{
  g_autoptr (LbNetwork) narrow = network ("convnet-d1:width=8", 3, 8, 4);
  g_autoptr (LbNetwork) bare = network ("convnet-d1:width=8:norm=none", 3, 8, 4);
  g_autoptr (LbNetwork) whole = network ("convnet-d1:width=8:pooling=none", 3, 8, 4);
  g_autoptr (LbNetwork) batch = network ("convnet-d1:width=8:norm=batch", 3, 8, 4);

  g_assert_cmpint (lb_network_n_parameters (narrow), ==, 8 * 27 + 8 + 16 + 4 * 16 * 8 + 4);
  g_assert_cmpint (lb_network_n_parameters (bare), ==, 8 * 27 + 8 + 4 * 16 * 8 + 4);
  g_assert_cmpint (lb_network_n_parameters (whole), ==, 8 * 27 + 8 + 16 + 4 * 64 * 8 + 4);
  /* Running statistics lie behind what is trained. */
  g_assert_cmpint (lb_network_n_trained (batch), ==, lb_network_n_parameters (narrow));
  g_assert_cmpint (lb_network_n_parameters (batch), ==, lb_network_n_parameters (narrow) + 16);
  g_assert_cmpuint (lb_network_n_trained_tensors (batch), ==, 6);
  g_assert_cmpuint (lb_network_n_tensors (batch), ==, 8);
  g_assert_cmpstr (lb_network_tensor_name (batch, 6), ==, "1.norm.mean");
  g_autoptr (LbTensor) fresh = lb_network_initialise (batch, lb_key (1));
  const float *statistics = lb_tensor_f32 (fresh) + lb_network_n_trained (batch);
  for (guint i = 0; i < 16; i++)
    g_assert_cmpfloat (statistics[i], ==, i < 8 ? 0 : 1);
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
      "convnet-d5, alexnet, vgg11, resnet18, vit; did you mean 'convnet-d3'?");
  assert_refused (
      "convnet-d3", (LbImageSize){ 3, 30, 28 }, 10,
      "architecture 'convnet-d3' halves its images 3 times, so it takes sizes that are multiples of 8 pixels (and "
      "28 x 28, which is padded to 32 x 32 if that is one), but the images are 30 x 28; choose another depth");
  assert_refused (
      "convnet-d3", (LbImageSize){ 1, -1, 28 }, 10,
      "architecture 'convnet-d3' is asked for 1 channels of -1 x 28 pixels and 10 classes; expected 1 to 1024 "
      "channels, 1 to 8192 pixels and 1 to 100000 classes");
  assert_refused (
      "convnet-d3", (LbImageSize){ 1, 28, 28 }, 0,
      "architecture 'convnet-d3' is asked for 1 channels of 28 x 28 pixels and 0 classes; expected 1 to 1024 "
      "channels, 1 to 8192 pixels and 1 to 100000 classes");
}

static void
test_unknown_options_are_refused (void)
{
  LbImageSize size = { 3, 32, 32 };

  assert_refused ("convnet-d3:widht=64", size, 10,
                  "architecture 'convnet-d3:widht=64': option 'widht' is not known; 'convnet-d3' has width, norm, "
                  "activation, pooling; did you mean 'width'?");
  assert_refused ("convnet-d3:norm=bach", size, 10,
                  "architecture 'convnet-d3:norm=bach': option 'norm' is 'bach'; expected instance, group, batch or "
                  "none; did you mean 'batch'?");
  assert_refused ("convnet-d3:width=6.5", size, 10,
                  "architecture 'convnet-d3:width=6.5': option 'width' is '6.5'; expected a whole number from 1 to "
                  "4096");
  assert_refused ("convnet-d3:width=-1", size, 10,
                  "architecture 'convnet-d3:width=-1': option 'width' is '-1'; expected a whole number from 1 to 4096");
  assert_refused ("convnet-d3:width=8:width=9", size, 10,
                  "architecture 'convnet-d3:width=8:width=9': option 'width' is given twice; keep one of them");
  assert_refused ("convnet-d3:batch", size, 10,
                  "architecture 'convnet-d3:batch': 'batch' is not an option; expected OPTION=VALUE, as in "
                  "convnet-d3:width=128");
  assert_refused ("alexnet:norm=batch", size, 10,
                  "architecture 'alexnet:norm=batch': option 'norm' is not known; 'alexnet' has no options");
  assert_refused ("", size, 10,
                  "architecture '' is not known; expected one of convnet-d1, convnet-d2, convnet-d3, convnet-d4, "
                  "convnet-d5, alexnet, vgg11, resnet18, vit");
  assert_refused ("convnet-d3:width=6:norm=group", size, 10,
                  "architecture 'convnet-d3:width=6:norm=group' normalises four groups of channels, so its width must "
                  "be a multiple of 4");
  assert_refused ("vit", (LbImageSize){ 1, 30, 30 }, 10,
                  "architecture 'vit' cuts images into patches of 4 x 4 pixels, but the images are 30 x 30; give a "
                  "patch that divides both, as in vit:patch=7");
  assert_refused ("vgg11", (LbImageSize){ 3, 30, 32 }, 10,
                  "architecture 'vgg11' halves its images five times and takes 32 x 32 pixels at least, but these are "
                  "30 x 32; choose alexnet, resnet18 or a ConvNet");
  assert_refused ("alexnet", (LbImageSize){ 3, 7, 32 }, 10,
                  "architecture 'alexnet' takes images of at least 8 x 8 pixels, but these are 7 x 32; choose a "
                  "ConvNet of little depth");
}

/* Without a size, a name can be wrong or right all the same. */
static void
test_names_are_checked_without_images (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_architecture_check ("vit:patch=7", &error));
  g_assert_no_error (error);
  g_assert_false (lb_architecture_check ("vit:patch=seven", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_assert_cmpstr (error->message, ==,
                   "architecture 'vit:patch=seven': option 'patch' is 'seven'; expected a whole number from 0 to 1024");
}

/* A mistake inside a layer names the place that called the layer, not the layer's own file. */
static LbNode *
build_mistaken (LbBuilder *builder, LbNode *images)
{
  LbNode *flat = lb_reshape (images, LB_SHAPE (lb_node_dim (images, 0), 64));

  return lb_layer_conv (builder, "conv", flat, 8, 3, 1, 1, LB_BIAS_ADDED); /* the mistake's line */
}

static LbNode *
build_headless (LbBuilder *builder, LbNode *images)
{
  return lb_layer_linear (builder, "linear", images, lb_builder_classes (builder) + 1);
}

static const LbArchitecture mistaken
    = { .name = "mistaken", .summary = "Convolves what is flat", .build = build_mistaken };
static const LbArchitecture headless = { .name = "headless", .summary = "Has one class more", .build = build_headless };

static void
test_mistakes_name_the_place_in_the_architecture (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  guint line = 0;

  g_assert_true (lb_architectures_add ((const LbArchitecture *const[]){ &mistaken, &headless, NULL }, "test", &error));
  g_assert_no_error (error);
  g_assert_null (lb_network_new ("mistaken", (LbImageSize){ 1, 8, 8 }, 3, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_true (
      g_file_get_contents (g_test_get_filename (G_TEST_DIST, "nn", "test-network.c", NULL), &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  while (lines[line] && !strstr (lines[line], "/* the mistake's line */"))
    line++;
  g_autofree char *place = g_strdup_printf ("test-network.c:%u: conv2d of [1, 64] and [8, 3, 3, 1]", line + 1);
  g_assert_nonnull (strstr (error->message, place));
  g_assert_true (g_str_has_prefix (error->message, "architecture 'mistaken': "));
  g_clear_error (&error);
  g_assert_null (lb_network_new ("headless", (LbImageSize){ 1, 8, 8 }, 3, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_nonnull (strstr (error->message, "gives scores of shape [1, 4] for one image; expected [1, 3] from a linear layer"));
}

/* Rows that cannot be right are refused, and none of their list is taken. */
static void
test_tables_of_plugins_are_checked (void)
{
  static const LbArchitecture good = { .name = "good", .summary = "Fine", .build = build_headless };
  static const LbArchitecture taken = { .name = "vit", .summary = "Another", .build = build_headless };
  static const LbArchitecture silent = { .name = "silent", .build = build_headless };
  static const LbArchitecture empty = { .name = "empty", .summary = "Nothing" };
  static const LbArchitectureOption options[] = { LB_OPTION_INTEGER ("width", "9", 1, 8, "Channels"), LB_OPTIONS_END };
  static const LbArchitecture beyond
      = { .name = "beyond", .summary = "Default out of range", .options = options, .build = build_headless };
  static const struct {
    const LbArchitecture *row;
    const char *message;
  } rows[] = {
    { &taken, "architecture 'vit' of 'p.so' is known already from 'built-in'; keep one of the two on the plugin path" },
    { &silent, "architecture 'silent' has no summary; correct the plugin's table" },
    { &empty, "architecture 'empty' has no build function; correct the plugin's table" },
    { &beyond, "the default of option 'width' of architecture 'beyond' is not one of its values; correct the plugin's "
               "table" },
    { &good, "architecture 'good' stands in the table twice; correct the plugin's table" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_false (lb_architectures_add ((const LbArchitecture *const[]){ &good, rows[i].row, NULL }, "p.so", &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
    g_assert_cmpstr (error->message, ==, rows[i].message);
    g_clear_error (&error);
    g_assert_null (lb_network_new ("good", (LbImageSize){ 1, 8, 8 }, 3, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  }
}

/* ---- Training and being asked ---- */

typedef struct {
  LbNetwork *net;
  LbNode **parameters, *images, *keys, *asked, *trained;
  LbProgram *program;
  LbTensor *flat, *values, *key_values;
} Pair;

/* @net both ways on a batch of @n images; dropout is drawn by @key. */
static Pair
pair_new (const char *architecture, gint64 n, guint64 key)
{
  Pair pair = { .net = network (architecture, 1, 8, 3) };
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  guint n_tensors = lb_network_n_tensors (pair.net);
  g_autofree LbNode **statistics = g_new0 (LbNode *, n_tensors);
  g_autoptr (GError) error = NULL;
  LbRandom random = lb_random (lb_key (8));

  pair.parameters = g_new0 (LbNode *, n_tensors);
  lb_network_inputs (pair.net, graph, "", pair.parameters);
  pair.images = lb_batch_input (graph, "images", LB_SHAPE (n, 8, 8, 1));
  pair.keys = lb_batch_input (graph, "keys", LB_SHAPE (n, LB_DROPOUT_KEY));
  pair.asked = lb_network_apply (pair.net, pair.parameters, pair.images);
  pair.trained = lb_network_apply_training (pair.net, pair.parameters, pair.images, pair.keys, statistics);
  pair.program = lb_compile (graph, (LbNode *[]){ pair.asked, pair.trained }, 2, &error);
  g_assert_no_error (error);
  pair.flat = lb_network_initialise (pair.net, lb_key (7));
  pair.values = lb_tensor_new (LB_F32, LB_SHAPE (n, 8, 8, 1));
  pair.key_values = lb_tensor_new (LB_F32, LB_SHAPE (n, LB_DROPOUT_KEY));
  lb_random_fill_normal (&random, lb_tensor_f32 (pair.values), (gsize)lb_tensor_size (pair.values));
  lb_dropout_keys (lb_key (key), n, lb_tensor_f32 (pair.key_values));
  lb_network_bind (pair.net, pair.program, pair.parameters, pair.flat);
  lb_program_bind (pair.program, pair.images, pair.values);
  lb_program_bind (pair.program, pair.keys, pair.key_values);
  run_once (pair.program);
  return pair;
}

static void
pair_clear (Pair *pair)
{
  lb_program_free (pair->program);
  lb_network_free (pair->net);
  lb_tensor_unref (pair->flat);
  lb_tensor_unref (pair->values);
  lb_tensor_unref (pair->key_values);
  g_free (pair->parameters);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

static const float *
scores_of (const Pair *pair, LbNode *node)
{
  return lb_tensor_f32 (lb_program_result (pair->program, node));
}

static void
test_dropout_is_for_training (void)
{
  g_auto (Pair) one = pair_new ("vit:depth=1:dropout=0.5", 5, 1), again = pair_new ("vit:depth=1:dropout=0.5", 5, 1);
  g_auto (Pair) other = pair_new ("vit:depth=1:dropout=0.5", 5, 2), without = pair_new ("vit:depth=1:dropout=0", 5, 1);
  g_auto (Pair) more = pair_new ("vit:depth=1:dropout=0.5", 9, 1);

  for (int i = 0; i < 15; i++) {
    g_assert_cmpfloat (scores_of (&one, one.asked)[i], ==, scores_of (&other, other.asked)[i]);
    g_assert_cmpfloat (scores_of (&one, one.asked)[i], ==, scores_of (&without, without.trained)[i]);
    g_assert_cmpfloat (scores_of (&one, one.trained)[i], ==, scores_of (&again, again.trained)[i]);
    g_assert_cmpfloat (scores_of (&one, one.trained)[i], !=, scores_of (&other, other.trained)[i]);
    g_assert_cmpfloat (scores_of (&one, one.trained)[i], !=, scores_of (&one, one.asked)[i]);
    /* What stands beside an image does not change what is dropped of it. */
    CLOSE (scores_of (&one, one.trained)[i], scores_of (&more, more.trained)[i], 1e-5);
  }
  g_assert_false (lb_network_has_dropout (without.net));
}

/* Asked, an image is alone; in training, batch norm looks at the whole batch. */
static void
test_batch_statistics_are_for_training (void)
{
  g_auto (Pair) few = pair_new ("convnet-d1:width=8:norm=batch", 5, 1);
  g_auto (Pair) more = pair_new ("convnet-d1:width=8:norm=batch", 9, 1);

  for (int i = 0; i < 15; i++) {
    CLOSE (scores_of (&few, few.asked)[i], scores_of (&more, more.asked)[i], 1e-6);
    g_assert_cmpfloat (fabs (scores_of (&few, few.trained)[i] - scores_of (&more, more.trained)[i]), >, 1e-5);
  }
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
  g_test_add_func ("/network/every-architecture-at-every-size", test_all_sizes);
  g_test_add_func ("/network/names-have-one-form", test_names_have_one_form);
  g_test_add_func ("/network/width-and-norm-change-the-parameters", test_width_and_norm_change_the_parameters);
  g_test_add_func ("/network/unknown-options-are-refused", test_unknown_options_are_refused);
  g_test_add_func ("/network/names-are-checked-without-images", test_names_are_checked_without_images);
  g_test_add_func ("/network/mistakes-name-the-place-in-the-architecture",
                   test_mistakes_name_the_place_in_the_architecture);
  g_test_add_func ("/network/tables-of-plugins-are-checked", test_tables_of_plugins_are_checked);
  g_test_add_func ("/network/dropout-is-for-training", test_dropout_is_for_training);
  g_test_add_func ("/network/batch-statistics-are-for-training", test_batch_statistics_are_for_training);
  return g_test_run ();
}
