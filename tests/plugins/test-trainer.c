/* The trainer stage. */
#include "plugins/harness.h"

#include <string.h>

static LbHarness *
trainer (LbPacket *samples, const char *schema, const char *epochs)
{
  LbHarness *h = lb_harness_new ("trainer");

  lb_harness_set (h, "architecture", "convnet-d2");
  lb_harness_set (h, "epochs", epochs);
  lb_harness_set (h, "batch", "8");
  lb_harness_feed (h, "samples", "set.samples", schema, samples, 2);
  return h;
}

/* The toy set with four views of each image, labelled as the image. */
static LbPacket *
augmented (LbPacket *samples)
{
  LbPacket *packet = lb_packet_new ();
  gint64 n = lb_tensor_size (lb_packet_get (samples, "labels"));
  LbTensor *dense = lb_tensor_new (LB_F32, LB_SHAPE (n, 4, 2));

  for (guint i = 0; i < lb_packet_n_fields (samples); i++)
    lb_packet_set (packet, lb_packet_field_name (samples, i), lb_packet_field_tensor (samples, i));
  for (gint64 row = 0; row < 4 * n; row++)
    lb_tensor_f32 (dense)[2 * row + row / 4 % 2] = 1;
  lb_packet_take (packet, "windows", lb_view_windows (8, 8, 2, 0.75));
  lb_packet_take (packet, "dense_labels", dense);
  return packet;
}

static void
test_learns_a_separable_set (void)
{
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1), test = toy_samples (50, 8, 2, 2);
  g_autoptr (LbHarness) h = trainer (samples, "samples", "8"), scores = lb_harness_new ("evaluator");
  LbPacket *model;

  lb_harness_set (h, "repeats", "2");
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "model"), ==, 2);
  g_assert_cmpuint (lb_harness_steps (h), ==, 2 * 8 * 3); /* batches of 8, 8 and 4 */
  g_assert_cmpfloat (lb_harness_last_value (h), <, lb_harness_first_value (h));
  for (guint i = 0; i < 2; i++) {
    model = lb_harness_output (h, "model", i);
    g_assert_cmpint (lb_tensor_i64 (lb_packet_get (model, "index"))[0], ==, i);
    g_assert_cmpint (lb_tensor_i64 (lb_packet_get (model, "set_images"))[0], ==, 20);
    g_assert_cmpint (lb_tensor_i64 (lb_packet_get (model, "set_bytes"))[0], ==, 20 * 64 + 20 * 4);
    g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (model, "training_flops"))[0], >, 1e6);
    lb_harness_feed (scores, "model", "students.model", "model", model, 2);
  }
  g_assert_cmpfloat (
      fabs (2 * lb_tensor_f64 (lb_packet_get (model, "training_flops"))[0] / lb_harness_predicted_flops (h) - 1), <,
      1e-9);
  g_assert_false (same_bytes (lb_packet_get (model, "parameters"),
                              lb_packet_get (lb_harness_output (h, "model", 0), "parameters")));
  lb_harness_feed (scores, "samples", "test.samples", "samples", test, 2);
  harness_run_well (scores);
  for (guint i = 0; i < 2; i++)
    g_assert_cmpfloat (lb_harness_metric_at (scores, i), >, 0.95);
}

static void
test_augmented_sets_train_on_views (void)
{
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1), more = augmented (samples);
  g_autoptr (LbHarness) plain = trainer (samples, "samples", "3"), one = trainer (more, "augmented", "3");
  g_autoptr (LbHarness) all = trainer (more, "augmented", "3");
  double plain_flops, one_flops, all_flops;

  harness_run_well (plain);
  harness_run_well (one);
  lb_harness_set (all, "views-per-image", "0");
  harness_run_well (all);
  plain_flops = lb_tensor_f64 (lb_packet_get (lb_harness_output (plain, "model", 0), "training_flops"))[0];
  one_flops = lb_tensor_f64 (lb_packet_get (lb_harness_output (one, "model", 0), "training_flops"))[0];
  all_flops = lb_tensor_f64 (lb_packet_get (lb_harness_output (all, "model", 0), "training_flops"))[0];
  /* One view of each image doubles the work, all four make it five times as much. */
  g_assert_cmpfloat (fabs (one_flops / plain_flops - 2), <, 0.1);
  g_assert_cmpfloat (fabs (all_flops / plain_flops - 5), <, 0.4);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (lb_harness_output (one, "model", 0), "set_bytes"))[0], ==,
                   8 * 64 + 8 * 4 + 4 * 4 * 4 + 8 * 4 * 2 * 4);
}

/* Labels of another precision train alike, and count as they are stored; those of other images are refused. */
static void
test_labels_are_taken_as_stored (void)
{
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1), f32 = augmented (samples), u8 = augmented (samples);
  g_autoptr (LbPacket) wrong = augmented (samples);
  g_autoptr (LbHarness) one = NULL, two = NULL, refused = NULL;
  g_autoptr (GError) error = NULL;
  LbTensor *labels, *named;

  /* Labels of 0 and 1 lose nothing. */
  lb_dense_labels_encode (lb_packet_get (f32, "dense_labels"), LB_LABELS_TOP_K, 1, &labels, &named);
  lb_packet_take (u8, "dense_labels", labels);
  lb_packet_take (u8, "dense_classes", named);
  one = trainer (f32, "augmented", "3");
  two = trainer (u8, "augmented", "3");
  harness_run_well (one);
  harness_run_well (two);
  assert_same_tensor (lb_packet_get (lb_harness_output (one, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (two, "model", 0), "parameters"));
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (lb_harness_output (two, "model", 0), "set_bytes"))[0], ==,
                   8 * 64 + 8 * 4 + 4 * 4 * 4 + 8 * 4 * 2);

  lb_packet_set_text (wrong, "labelled_images", "0123");
  refused = trainer (wrong, "augmented", "3");
  g_assert_false (lb_harness_run (refused, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message,
                            "set.samples: the dense labels are those of other images: they were made for "
                            "images with the SHA-256 0123, but the set's images have "));
}

/* A set brings the temperature of its labels, unless the property has another. */
static void
test_set_brings_its_temperature (void)
{
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1), plain = augmented (samples), warm = augmented (samples);
  g_autoptr (LbHarness) told = NULL, brought = NULL, cold = NULL, other = NULL;
  LbTensor *by_told, *by_brought;

  lb_packet_set_number (warm, "temperature", 3);
  told = trainer (plain, "augmented", "3");
  lb_harness_set (told, "dense-temperature", "3");
  brought = trainer (warm, "augmented", "3");
  cold = trainer (plain, "augmented", "3");
  other = trainer (warm, "augmented", "3");
  lb_harness_set (other, "dense-temperature", "1");
  harness_run_well (told);
  harness_run_well (brought);
  harness_run_well (cold);
  harness_run_well (other);
  by_told = lb_packet_get (lb_harness_output (told, "model", 0), "parameters");
  by_brought = lb_packet_get (lb_harness_output (brought, "model", 0), "parameters");
  assert_same_tensor (by_told, by_brought);
  g_assert_false (same_bytes (by_told, lb_packet_get (lb_harness_output (cold, "model", 0), "parameters")));
  assert_same_tensor (lb_packet_get (lb_harness_output (cold, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (other, "model", 0), "parameters"));
}

/* The rate falls once past half way: with a decay of 0 the second half changes nothing. */
static void
test_rate_falls_past_half_way (void)
{
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1);
  g_autoptr (LbHarness) four = trainer (samples, "samples", "4"), five = trainer (samples, "samples", "5");
  g_autoptr (LbHarness) three = trainer (samples, "samples", "3");

  lb_harness_set (four, "learning-rate-decay", "0");
  lb_harness_set (five, "learning-rate-decay", "0");
  lb_harness_set (three, "learning-rate-decay", "1");
  harness_run_well (four);
  harness_run_well (five);
  harness_run_well (three);
  assert_same_tensor (lb_packet_get (lb_harness_output (four, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (five, "model", 0), "parameters"));
  assert_same_tensor (lb_packet_get (lb_harness_output (four, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (three, "model", 0), "parameters"));
}

/* A decay of 0 at two thirds: what comes behind changes nothing. */
static void
test_rate_falls_at_two_thirds (void)
{
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1);
  g_autoptr (LbHarness) six = trainer (samples, "samples", "6"), four = trainer (samples, "samples", "4");

  lb_harness_set (six, "schedule", "two-steps");
  lb_harness_set (six, "learning-rate-decay", "0");
  lb_harness_set (six, "cutmix", "0.5");
  lb_harness_set (four, "schedule", "constant");
  lb_harness_set (four, "cutmix", "0.5");
  harness_run_well (six);
  harness_run_well (four);
  assert_same_tensor (lb_packet_get (lb_harness_output (six, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (four, "model", 0), "parameters"));
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1), more = augmented (samples);
  g_autoptr (LbHarness) one = trainer (more, "augmented", "3");

  harness_run_well (one);
  for (guint threads = 2; threads <= 4; threads += 2) {
    g_autoptr (LbHarness) several = trainer (more, "augmented", "3");

    lb_harness_set_threads (several, threads);
    harness_run_well (several);
    assert_same_tensor (lb_packet_get (lb_harness_output (one, "model", 0), "parameters"),
                        lb_packet_get (lb_harness_output (several, "model", 0), "parameters"));
  }
}

/* The toy set in @channels channels, all alike. */
static LbPacket *
with_channels (LbPacket *samples, gint64 channels)
{
  LbTensor *grey = lb_packet_get (samples, "images");
  gint64 n = lb_tensor_dim (grey, 0), pixels = lb_tensor_size (grey) / n;
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (n, channels, lb_tensor_dim (grey, 2), lb_tensor_dim (grey, 3)));
  g_autoptr (LbPacket) mean = NULL, std = NULL;

  for (gint64 i = 0; i < n * channels; i++)
    memcpy (lb_tensor_u8 (images) + i * pixels, lb_tensor_u8 (grey) + i / channels * pixels, (gsize)pixels);
  mean = packet_with (samples, "mean", f32_of (LB_SHAPE (channels), (const float[]){ 0.4f, 0.4f, 0.4f }));
  std = packet_with (mean, "std", f32_of (LB_SHAPE (channels), (const float[]){ 0.3f, 0.3f, 0.3f }));
  return packet_with (std, "images", images);
}

/* Trains @architectures for two steps on @threads threads; the models are scored by the evaluator. */
static LbHarness *
train_all (LbPacket *samples, const char *architectures, guint n, guint threads)
{
  LbHarness *h = trainer (samples, "samples", "2");
  g_autoptr (LbHarness) scores = lb_harness_new ("evaluator");

  lb_harness_set (h, "architecture", architectures);
  lb_harness_set_threads (h, threads);
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "model"), ==, n);
  g_assert_cmpuint (lb_harness_steps (h), ==, 2 * n);
  for (guint i = 0; i < n; i++)
    lb_harness_feed (scores, "model", "students.model", "model", lb_harness_output (h, "model", i), 2);
  lb_harness_feed (scores, "samples", "test.samples", "samples", samples, 2);
  harness_run_well (scores);
  g_assert_cmpuint (lb_harness_n_metrics (scores), ==, n);
  /* ConvNet-D3, the first, learns the toy set in two steps. */
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (lb_harness_output (scores, "metrics", 0), "accuracy"))[0], ==, 1);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (lb_harness_output (scores, "metrics", 0), "loss"))[0], <, 0.1);
  return h;
}

/* Of each size and number of channels; options travel with the models. The bits do not depend on threads. */
static void
test_every_architecture_trains_and_is_scored (void)
{
  static const char all[] = "[convnet-d3, alexnet, vgg11, resnet18, vit:depth=2, convnet-d2:norm=batch:width=16, "
                            "convnet-d1:norm=group:pooling=max:activation=leaky-relu, "
                            "convnet-d1:width=8:norm=none:pooling=none:activation=sigmoid]";
  g_autoptr (LbPacket) grey = toy_samples (4, 28, 2, 1), square = toy_samples (4, 32, 2, 1);
  g_autoptr (LbPacket) colour = with_channels (square, 3);
  g_autoptr (LbHarness) of_grey = train_all (grey, all, 8, 1), again = train_all (grey, all, 8, 3);
  g_autoptr (LbHarness) of_colour = train_all (colour, "[convnet-d3, alexnet, vgg11, resnet18, vit:depth=2]", 5, 2);
  g_autofree char *name = lb_packet_get_text (lb_harness_output (of_grey, "model", 5), "architecture");

  g_assert_cmpstr (name, ==, "convnet-d2:width=16:norm=batch");
  for (guint i = 0; i < 8; i++)
    assert_same_tensor (lb_packet_get (lb_harness_output (of_grey, "model", i), "parameters"),
                        lb_packet_get (lb_harness_output (again, "model", i), "parameters"));
  g_assert_cmpint (lb_tensor_size (lb_packet_get (lb_harness_output (of_colour, "model", 3), "parameters")), >,
                   11000000);
}

/* A trajectory: the start, every second epoch, and in the end the model; the same steps as without. */
static void
test_trajectories_hold_where_networks_went (void)
{
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1);
  g_autoptr (LbHarness) h = trainer (samples, "samples", "5"), two = trainer (samples, "samples", "2");
  g_autoptr (LbHarness) four = trainer (samples, "samples", "4");
  LbHarness *shorter[] = { two, four };

  lb_harness_set (h, "repeats", "2");
  lb_harness_set (h, "snapshot-epochs", "2");
  lb_harness_set (h, "schedule", "constant");
  lb_harness_set (h, "learning-rate", "0.02");
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "trajectory"), ==, 2);
  LbPacket *packet = lb_harness_output (h, "trajectory", 1);
  gint64 p = lb_tensor_size (lb_packet_get (lb_harness_output (h, "model", 1), "parameters"));
  g_autofree char *architecture = lb_packet_get_text (packet, "architecture");
  g_assert_cmpstr (architecture, ==, "convnet-d2");
  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (packet, "parameters")), LB_SHAPE (3, p)));
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (packet, "index"))[0], ==, 1);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (packet, "epochs_apart"))[0], ==, 2);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (packet, "learning_rate"))[0], ==, 0.02);
  assert_same_tensor (lb_packet_get (packet, "training_flops"),
                      lb_packet_get (lb_harness_output (h, "model", 1), "training_flops"));
  for (guint k = 0; k < 2; k++) {
    lb_harness_set (shorter[k], "repeats", "2");
    lb_harness_set (shorter[k], "schedule", "constant");
    lb_harness_set (shorter[k], "learning-rate", "0.02");
    harness_run_well (shorter[k]);
    g_autoptr (LbTensor) row = lb_tensor_view (lb_packet_get (packet, "parameters"), ((gint64)k + 1) * p, LB_SHAPE (p));
    assert_same_tensor (row, lb_packet_get (lb_harness_output (shorter[k], "model", 1), "parameters"));
    /* Both begin alike. */
    g_autoptr (LbTensor) start = lb_tensor_view (lb_packet_get (packet, "parameters"), 0, LB_SHAPE (p));
    g_autoptr (LbTensor) other = lb_tensor_view (
        lb_packet_get (lb_harness_output (shorter[k], "trajectory", 1), "parameters"), 0, LB_SHAPE (p));
    assert_same_tensor (start, other);
    g_assert_false (same_bytes (start, row));
  }
}

static void
test_stops_when_the_loss_explodes (void)
{
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1);
  g_autoptr (LbHarness) h = trainer (samples, "samples", "50");
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "learning-rate", "1000");
  lb_harness_set (h, "weight-decay", "1");
  g_assert_false (lb_harness_run (h, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_assert_true (g_str_has_prefix (error->message, "training loss is "));
  g_assert_nonnull (strstr (error->message, " where a finite number was expected; lower the learning-rate; "));
  g_assert_cmpuint (lb_harness_steps (h), <, 150);
}

static void
test_refuses_what_does_not_fit (void)
{
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1), more = augmented (samples), odd = toy_samples (8, 6, 2, 1);
  g_autoptr (LbHarness) views = trainer (more, "augmented", "1"), size = trainer (odd, "samples", "1");
  g_autoptr (LbHarness) label = NULL;
  LbTensor *labels = lb_tensor_copy (lb_packet_get (samples, "labels"));
  g_autoptr (LbPacket) wrong = packet_with (samples, "labels", labels);

  lb_harness_set (views, "views-per-image", "5");
  harness_refuses (
      views, LB_ERROR_PIPELINE,
      "property 'views-per-image' is 5, but the set has 4 views of each image; ask for that many or fewer");
  harness_refuses (
      size, LB_ERROR_PIPELINE,
      "property 'architecture': architecture 'convnet-d2' halves its images 2 times, so it takes sizes that are "
      "multiples of 4 pixels (and 28 x 28, which is padded to 32 x 32 if that is one), but the images are 6 x 6; "
      "choose another depth");
  lb_tensor_i32 (labels)[3] = 2;
  label = trainer (wrong, "samples", "1");
  harness_refuses (label, LB_ERROR_INPUT, "set.samples: image 3 has label 2; expected 0 to 1, as there are 2 classes");
}

/* What each property of the optimisation changes shows in the parameters. */
static void
test_every_choice_reaches_the_training (void)
{
  static const struct {
    const char *property, *value, *optimizer;
  } changes[] = {
    { "optimizer", "adam", "sgd" },
    { "optimizer", "adamw", "adam" },
    { "betas", "[0.5, 0.999]", "adam" },
    { "betas", "[0.9, 0.5]", "adamw" },
    { "epsilon", "0.1", "adam" },
    { "weight-decay", "0.5", "adamw" },
    { "weight-decay", "0.5", "adam" },
    { "schedule", "cosine", "sgd" },
    { "schedule", "constant", "sgd" },
    { "warmup-epochs", "2", "sgd" },
    { "ema", "0.99", "sgd" },
    { "gradient-penalty", "0.1", "sgd" },
    { "augmentation", "crop-flip", "sgd" },
    { "augmentation", "color_cutout", "sgd" },
  };
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1);

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++) {
    g_autoptr (LbHarness) plain = trainer (samples, "samples", "4"), changed = trainer (samples, "samples", "4");

    lb_harness_set (plain, "optimizer", changes[i].optimizer);
    lb_harness_set (changed, "optimizer", changes[i].optimizer);
    lb_harness_set (changed, changes[i].property, changes[i].value);
    harness_run_well (plain);
    harness_run_well (changed);
    g_test_message ("%s: %s", changes[i].property, changes[i].value);
    g_assert_false (same_bytes (lb_packet_get (lb_harness_output (plain, "model", 0), "parameters"),
                                lb_packet_get (lb_harness_output (changed, "model", 0), "parameters")));
  }
}

static void
test_warmup_starts_where_it_is_told (void)
{
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1);
  g_autoptr (LbHarness) plain = trainer (samples, "samples", "4"), half = trainer (samples, "samples", "4"),
                        whole = trainer (samples, "samples", "4");
  LbHarness *warm[] = { half, whole };

  for (guint i = 0; i < G_N_ELEMENTS (warm); i++) {
    lb_harness_set (warm[i], "warmup-epochs", "2");
    lb_harness_set (warm[i], "warmup-start", i == 0 ? "0.5" : "1");
    harness_run_well (warm[i]);
  }
  harness_run_well (plain);
  /* From the whole rate there is nothing to rise. */
  assert_same_tensor (lb_packet_get (lb_harness_output (plain, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (whole, "model", 0), "parameters"));
  g_assert_false (same_bytes (lb_packet_get (lb_harness_output (plain, "model", 0), "parameters"),
                              lb_packet_get (lb_harness_output (half, "model", 0), "parameters")));
}

static void
test_refuses_settings_that_cannot_be (void)
{
  static const struct {
    const char *property, *value, *message;
  } wrong[] = {
    { "betas", "[0.9]", "property 'betas': 1 numbers are given; expected two" },
    { "betas", "[0.9, 1]", "property 'betas': a beta of 1 never moves; expected numbers below 1" },
    { "snapshot-epochs", "4",
      "property 'snapshot-epochs': 4 epochs between snapshots of 3 epochs; expected no more, so that a trajectory has "
      "an end" },
    { "warmup-epochs", "3", "property 'warmup-epochs': 3 of 3 epochs; expected fewer than there are 'epochs'" },
    { "warmup-start", "0.5",
      "property 'warmup-start': there is no warm-up to start; expected 0, or 'warmup-epochs' above 0" },
    { "augmentation", "flop",
      "property 'augmentation': augmentation 'flop' has 'flop'; expected none, or some of color, crop, cutout, flip, "
      "scale, rotate, view, each once, joined by '_' (one is drawn) or '-' (all are used); did you mean 'flip'?" },
  };
  g_autoptr (LbPacket) samples = toy_samples (8, 8, 2, 1);

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (LbHarness) h = trainer (samples, "samples", "3");

    lb_harness_set (h, wrong[i].property, wrong[i].value);
    harness_refuses (h, LB_ERROR_PIPELINE, wrong[i].message);
  }
}

/* The rate that was learned with a set does what the same rate does when it is set. */
static void
test_learned_rate (void)
{
  g_autoptr (LbPacket) samples = toy_samples (20, 8, 2, 1);
  LbTensor *rate = lb_tensor_new (LB_F64, LB_SHAPE (1));
  g_autoptr (LbPacket) learned = packet_with (samples, "inner_learning_rate", rate);
  g_autoptr (LbHarness) set = trainer (samples, "samples", "2"), taken = trainer (learned, "samples", "2");
  g_autoptr (LbHarness) missing = trainer (samples, "samples", "2");

  lb_tensor_f64 (rate)[0] = 0.0625;
  lb_harness_set (set, "learning-rate", "0.0625");
  lb_harness_set (taken, "learned-rate", "true");
  lb_harness_set (missing, "learned-rate", "true");
  harness_run_well (set);
  harness_run_well (taken);
  assert_same_tensor (lb_packet_get (lb_harness_output (set, "model", 0), "parameters"),
                      lb_packet_get (lb_harness_output (taken, "model", 0), "parameters"));
  harness_refuses (
      missing, LB_ERROR_INPUT,
      "'set.samples' has no learning rate that was learned with it, which property 'learned-rate' asks for; "
      "expected a set of trajectory matching (field inner_learning_rate), so leave the property out and set "
      "'learning-rate'");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/trainer/labels-are-taken-as-stored", test_labels_are_taken_as_stored);
  g_test_add_func ("/trainer/set-brings-its-temperature", test_set_brings_its_temperature);
  g_test_add_func ("/trainer/learns-a-separable-set", test_learns_a_separable_set);
  g_test_add_func ("/trainer/augmented-sets-train-on-views", test_augmented_sets_train_on_views);
  g_test_add_func ("/trainer/rate-falls-past-half-way", test_rate_falls_past_half_way);
  g_test_add_func ("/trainer/rate-falls-at-two-thirds", test_rate_falls_at_two_thirds);
  g_test_add_func ("/trainer/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  g_test_add_func ("/trainer/every-architecture-trains-and-is-scored", test_every_architecture_trains_and_is_scored);
  g_test_add_func ("/trainer/trajectories-hold-where-networks-went", test_trajectories_hold_where_networks_went);
  g_test_add_func ("/trainer/stops-when-the-loss-explodes", test_stops_when_the_loss_explodes);
  g_test_add_func ("/trainer/refuses-what-does-not-fit", test_refuses_what_does_not_fit);
  g_test_add_func ("/trainer/every-choice-reaches-the-training", test_every_choice_reaches_the_training);
  g_test_add_func ("/trainer/warmup-starts-where-it-is-told", test_warmup_starts_where_it_is_told);
  g_test_add_func ("/trainer/learned-rate", test_learned_rate);
  g_test_add_func ("/trainer/refuses-settings-that-cannot-be", test_refuses_settings_that_cannot_be);
  return g_test_run ();
}
