/* The trajectory-matching stage, on small images and experts of its own making. */
#include "plugins/harness.h"

#define SNAPSHOTS    5
#define CLASSES      3
#define ARCHITECTURE "convnet-d1:width=8"

/* Parameters of @architecture for grey 8 x 8 images after 0, 1, ... epochs on @samples: an expert. @seed draws its
 * start.
 */
static LbPacket *
train_expert (const char *architecture, LbPacket *samples, gint64 snapshots, guint64 seed)
{
  g_autoptr (LbNetwork) network = lb_network_new (architecture, (LbImageSize){ 1, 8, 8 }, CLASSES, NULL);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (seed));
  gint64 p = lb_network_n_parameters (network);
  LbTensor *all = lb_tensor_new (LB_F32, LB_SHAPE (snapshots, p)), *images = lb_packet_get (samples, "images");
  LbLearnerSettings settings = { .batch = 16 };
  g_autoptr (LbLearner) learner = lb_learner_new (network, lb_tensor_dim (images, 0), &settings, NULL);
  LbLearningSet set
      = { images, lb_packet_get (samples, "labels"), lb_packet_get (samples, "mean"), lb_packet_get (samples, "std") };
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  LbPacket *packet = lb_packet_new ();
  double loss;

  lb_learner_start (learner, parameters, 0.05);
  for (gint64 k = 0; k < snapshots; k++) {
    memcpy (lb_tensor_f32 (all) + k * p, lb_tensor_f32 (parameters), lb_tensor_bytes (parameters));
    lb_learner_begin_epoch (learner, &set, lb_key_index (lb_key (seed), (guint64)k));
    while (lb_learner_step (learner, compute, &loss))
      ;
  }
  lb_packet_take (packet, "parameters", all);
  lb_packet_set_text (packet, "architecture", architecture);
  lb_packet_share (packet, samples, "mean", "std", NULL);
  lb_packet_set_integer (packet, "index", (gint64)seed);
  lb_packet_set_integer (packet, "epochs_apart", 1);
  lb_packet_set_number (packet, "learning_rate", 0.05);
  lb_packet_set_number (packet, "training_flops", 1e6);
  return packet;
}

static LbPacket *
expert (LbPacket *samples, guint64 seed)
{
  return train_expert (ARCHITECTURE, samples, SNAPSHOTS, seed);
}

/* A stage of one image a class and three experts, at settings where the loss of small images falls soon. */
static LbHarness *
matching (LbPacket *source, const char *iterations)
{
  LbHarness *h = lb_harness_new ("trajectory-matching");

  lb_harness_set (h, "iterations", iterations);
  lb_harness_set (h, "inner-steps", "4");
  lb_harness_set (h, "expert-epochs", "2");
  lb_harness_set (h, "max-start", "2");
  lb_harness_set (h, "inner-learning-rate", "0.05");
  lb_harness_set (h, "rate-learning-rate", "1e-4");
  lb_harness_set (h, "image-learning-rate", "20");
  lb_harness_set (h, "augmentation", "none");
  lb_harness_feed (h, "source", "set.samples", "samples", source, CLASSES);
  for (guint64 seed = 0; seed < 3; seed++) {
    g_autoptr (LbPacket) one = expert (source, seed);
    lb_harness_feed (h, "experts", "teachers.trajectory", "trajectory", one, CLASSES);
  }
  lb_harness_announce (h, "teachers.trajectory");
  return h;
}

static double
inner_rate (LbHarness *h)
{
  return lb_tensor_f64 (lb_packet_get (lb_harness_output (h, "samples", 0), "inner_learning_rate"))[0];
}

static LbTensor *
images_of (LbHarness *h)
{
  return lb_packet_get (lb_harness_output (h, "samples", 0), "images");
}

static void
test_loss_falls (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) h = matching (source, "60");
  LbPacket *samples;

  lb_harness_set (h, "max-start", "1");
  lb_harness_set (h, "start", "noise");
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_steps (h), ==, 60);
  g_assert_cmpfloat (lb_harness_last_value (h), <, 0.5 * lb_harness_first_value (h));
  g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
  samples = lb_harness_output (h, "samples", 0);
  g_assert_true (lb_shape_equal (lb_tensor_shape (images_of (h)), LB_SHAPE (3, 1, 8, 8)));
  assert_same_tensor (lb_packet_get (samples, "mean"), lb_packet_get (source, "mean"));
  for (int class = 0; class < CLASSES; class ++)
    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (samples, "labels"))[class], ==, class);
}

/* alpha at its start moves as SGD on alpha itself with rate-learning-rate would move it. */
static void
test_rate_is_learned (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) fixed = matching (source, "1"), slow = matching (source, "1"), fast = matching (source, "1");

  lb_harness_set (fixed, "rate-learning-rate", "0");
  lb_harness_set (slow, "rate-learning-rate", "1e-6");
  lb_harness_set (fast, "rate-learning-rate", "2e-6");
  harness_run_well (fixed);
  harness_run_well (slow);
  harness_run_well (fast);
  g_assert_cmpfloat (fabs (inner_rate (fixed) - 0.05), <, 1e-15);
  g_assert_cmpfloat (fabs (inner_rate (slow) - 0.05), >, 1e-9);
  g_assert_cmpfloat (fabs ((inner_rate (fast) - 0.05) / (inner_rate (slow) - 0.05) - 2), <, 1e-3);
}

/* However large the steps of its logarithm: never zero or less. */
static void
test_rate_stays_positive (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) h = matching (source, "4");

  lb_harness_set (h, "rate-learning-rate", "0.005");
  lb_harness_set (h, "image-learning-rate", "0");
  lb_harness_set (h, "inner-learning-rate", "0.4");
  harness_run_well (h);
  g_assert_cmpfloat (inner_rate (h), >, 0);
  g_assert_cmpfloat (fabs (inner_rate (h) / 0.4 - 1), >, 1e-3);
}

/* The rate that the first expert was trained with. */
static void
test_rate_of_the_experts (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) h = matching (source, "1");

  lb_harness_set (h, "inner-learning-rate", "0");
  lb_harness_set (h, "rate-learning-rate", "0");
  harness_run_well (h);
  g_assert_cmpfloat (fabs (inner_rate (h) - 0.05), <, 1e-15);
}

static void
test_soft_labels (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) hard = matching (source, "2"), soft = matching (source, "2");
  const float *p;
  double moved = 0;

  lb_harness_set (soft, "learn-labels", "true");
  lb_harness_set (soft, "label-confidence", "0.8");
  harness_run_well (hard);
  harness_run_well (soft);
  p = lb_tensor_f32 (lb_packet_get (lb_harness_output (hard, "soft", 0), "dense_labels"));
  for (int i = 0; i < CLASSES * CLASSES; i++)
    g_assert_cmpfloat (p[i], ==, i / CLASSES == i % CLASSES);
  p = lb_tensor_f32 (lb_packet_get (lb_harness_output (soft, "soft", 0), "dense_labels"));
  for (int i = 0; i < CLASSES; i++) {
    g_assert_cmpfloat (fabs (p[CLASSES * i] + p[CLASSES * i + 1] + p[CLASSES * i + 2] - 1), <, 1e-6);
    moved += fabs (p[CLASSES * i + i] - 0.8);
  }
  g_assert_cmpfloat (moved, >, 1e-6);
  assert_same_tensor (lb_packet_get (lb_harness_output (soft, "soft", 0), "images"), images_of (soft));
}

/* Each of them another way to the same kind of set, and other bits. */
static void
test_variants (void)
{
  static const char *const variants[][2]
      = { { "gradient", "detached" }, { "intermediate-weight", "1" },
          { "clip", "0.01" },         { "synthetic-batch", "2" },
          { "start-growth", "4" },    { "start", "noise" },
          { "start", "k-means" },     { "augmentation", "color_crop_cutout_flip_scale_rotate" } };
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) plain = matching (source, "4");

  harness_run_well (plain);
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++) {
    g_autoptr (LbHarness) h = matching (source, "4");

    lb_harness_set (h, variants[i][0], variants[i][1]);
    harness_run_well (h);
    g_test_message ("%s", variants[i][0]);
    g_assert_false (same_bytes (images_of (h), images_of (plain)));
    g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
  }
}

/* Images that are not moved are the centres of clusters of their class. */
static void
test_starts_from_centres (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) h = matching (source, "1");
  LbTensor *images = lb_packet_get (source, "images"), *labels = lb_packet_get (source, "labels");
  const float *mean = lb_tensor_f32 (lb_packet_get (source, "mean")),
              *std = lb_tensor_f32 (lb_packet_get (source, "std"));

  lb_harness_set (h, "start", "k-means");
  lb_harness_set (h, "image-learning-rate", "0");
  harness_run_well (h);
  /* One image a class: the mean of its images. */
  for (int class = 0; class < CLASSES; class ++)
    for (int pixel = 0; pixel < 64; pixel++) {
      double sum = 0;
      int n = 0;

      for (gint64 i = 0; i < 60; i++)
        if (lb_tensor_i32 (labels)[i] == class) {
          sum += lb_tensor_dtype (images) == LB_U8 ? (lb_tensor_u8 (images)[64 * i + pixel] / 255.0 - mean[0]) / std[0]
                                                   : lb_tensor_f32 (images)[64 * i + pixel];
          n++;
        }
      g_assert_cmpfloat (fabs (lb_tensor_f32 (images_of (h))[64 * class + pixel] - sum / n), <, 1e-5);
    }
}

/* What making the set took: the experts, a million operations each, and the matching. */
static void
test_counts_its_experts (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) h = matching (source, "1");

  harness_run_well (h);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (lb_harness_output (h, "samples", 0), "making_flops"))[0], ==,
                     3e6 + lb_harness_flops (h));
}

/* A gradient that is scaled down to nothing moves nothing. */
static void
test_clip_bounds_the_step (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) still = matching (source, "1"), clipped = matching (source, "1");
  double norm = 0;

  lb_harness_set (still, "image-learning-rate", "0");
  lb_harness_set (clipped, "image-learning-rate", "1");
  lb_harness_set (clipped, "clip", "0.0001");
  harness_run_well (still);
  harness_run_well (clipped);
  for (gint64 i = 0; i < lb_tensor_size (images_of (still)); i++)
    norm += pow (lb_tensor_f32 (images_of (still))[i] - lb_tensor_f32 (images_of (clipped))[i], 2);
  g_assert_cmpfloat (sqrt (norm), >, 0.00009);
  g_assert_cmpfloat (sqrt (norm), <, 0.00011);
}

/* ---- The gradient, seen from outside: small steps of the images against what they do to the loss ---- */

#define SMOOTH "convnet-d1:width=8:activation=sigmoid"

/* One iteration from @images, one of each class, moved at @rate. */
static LbHarness *
one_iteration (LbPacket *source, LbTensor *images, LbPacket *one_expert, const char *const *variant, const char *rate)
{
  LbHarness *h = lb_harness_new ("trajectory-matching");
  g_autoptr (LbPacket) from = lb_packet_new ();

  lb_packet_set (from, "images", images);
  lb_packet_take (from, "labels", lb_class_labels (CLASSES, 1));
  lb_packet_share (from, source, "mean", "std", NULL);
  lb_harness_feed (h, "source", "set.samples", "samples", from, CLASSES);
  lb_harness_feed (h, "experts", "teachers.trajectory", "trajectory", one_expert, CLASSES);
  lb_harness_set (h, "iterations", "1");
  lb_harness_set (h, "inner-steps", "5");
  lb_harness_set (h, "expert-epochs", "3");
  lb_harness_set (h, "inner-learning-rate", "0.5");
  lb_harness_set (h, "augmentation", "none");
  lb_harness_set (h, "image-learning-rate", rate);
  for (guint i = 0; variant[i]; i += 2)
    lb_harness_set (h, variant[i], variant[i + 1]);
  harness_run_well (h);
  return h;
}

/* The loss at @images + @by @direction. */
static double
loss_at (LbPacket *source, LbTensor *images, LbTensor *direction, double by, LbPacket *one_expert,
         const char *const *variant)
{
  g_autoptr (LbTensor) moved = lb_tensor_copy (images);

  for (gint64 i = 0; i < lb_tensor_size (moved); i++)
    lb_tensor_f32 (moved)[i] += (float)(by * lb_tensor_f32 (direction)[i]);
  g_autoptr (LbHarness) h = one_iteration (source, moved, one_expert, variant, "0");
  return lb_harness_first_value (h);
}

static void
test_gradient_is_that_of_the_loss (gconstpointer data)
{
  const char *const *variant = data;
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbPacket) one_expert = train_expert (SMOOTH, source, SNAPSHOTS, 2);
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, LB_SHAPE (CLASSES, 1, 8, 8));
  LbRandom random = lb_random (lb_key (5));
  double square = 0;

  lb_random_fill_normal (&random, lb_tensor_f32 (images), (gsize)lb_tensor_size (images));
  g_autoptr (LbHarness) h = one_iteration (source, images, one_expert, variant, "1");
  g_autoptr (LbTensor) gradient = lb_tensor_copy (images_of (h));
  for (gint64 i = 0; i < lb_tensor_size (images); i++) {
    float *g = lb_tensor_f32 (gradient) + i;

    *g = lb_tensor_f32 (images)[i] - *g;
    square += (double)*g * *g;
  }
  g_assert_cmpfloat (square, >, 0);
  double by = 0.005 / sqrt (square);
  double slope = (loss_at (source, images, gradient, by, one_expert, variant)
                  - loss_at (source, images, gradient, -by, one_expert, variant))
                 / (2 * by);
  g_test_message ("slope %g, squared gradient %g", slope, square);
  g_assert_cmpfloat (fabs (slope / square - 1), <, 0.005);
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) one = matching (source, "3"), two = matching (source, "3");

  for (guint i = 0; i < 2; i++) {
    LbHarness *h = i ? two : one;

    lb_harness_set_threads (h, i ? 3 : 1);
    lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
    lb_harness_set (h, "learn-labels", "true");
    harness_run_well (h);
  }
  assert_same_tensor (images_of (one), images_of (two));
  g_assert_cmpfloat (inner_rate (one), ==, inner_rate (two));
  assert_same_tensor (lb_packet_get (lb_harness_output (one, "soft", 0), "dense_labels"),
                      lb_packet_get (lb_harness_output (two, "soft", 0), "dense_labels"));
}

/* ---- What cannot work ---- */

/* @h with one expert more. */
static void
add_expert (LbHarness *h, LbPacket *packet)
{
  lb_harness_feed (h, "experts", "teachers.trajectory", "trajectory", packet, CLASSES);
}

static void
test_refuses_other_experts (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbPacket) wide = train_expert ("convnet-d1:width=16", source, SNAPSHOTS, 9);
  g_autoptr (LbPacket) short_one = train_expert ("convnet-d1:width=8", source, 3, 9);
  g_autoptr (LbPacket) good = expert (source, 9);
  g_autoptr (LbPacket) bright = packet_with (good, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.6f }));
  g_autoptr (LbPacket) whitened = packet_with (good, "whitening_mean", lb_tensor_new (LB_F32, LB_SHAPE (1, 8, 8)));
  g_autoptr (LbHarness) other = matching (source, "1"), few = matching (source, "1"),
                        normalised = matching (source, "1");
  g_autoptr (LbHarness) zca = matching (source, "1");

  add_expert (other, wide);
  harness_refuses (other, LB_ERROR_INPUT,
                   "expert 3 of 'teachers.trajectory' is a 'convnet-d1:width=16', the first a 'convnet-d1:width=8'; "
                   "expected experts of one architecture");
  add_expert (few, short_one);
  harness_refuses (
      few, LB_ERROR_INPUT,
      "expert 3 of 'teachers.trajectory' has 3 snapshots, but max-start + expert-epochs wants 4 (the start, "
      "and one after each epoch); train experts longer, or lower max-start");
  add_expert (normalised, bright);
  g_autoptr (GError) error = NULL;
  g_assert_false (lb_harness_run (normalised, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "expert 3 of 'teachers.trajectory'"));
  g_clear_error (&error);
  add_expert (zca, whitened);
  g_assert_false (lb_harness_run (zca, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "whiten"));
}

/* The first expert decides about all; here it does not fit to the source. */
static void
test_refuses_experts_of_another_set (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1), other = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbPacket) bright = packet_with (other, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.6f }));
  g_autoptr (LbPacket) of_bright = expert (bright, 1), of_source = expert (source, 1);
  g_autoptr (LbHarness) h = lb_harness_new ("trajectory-matching"), classes = lb_harness_new ("trajectory-matching");
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "iterations", "1");
  lb_harness_feed (h, "source", "set.samples", "samples", source, CLASSES);
  add_expert (h, of_bright);
  g_assert_false (lb_harness_run (h, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "set.samples"));
  g_assert_nonnull (strstr (error->message, "teachers.trajectory"));
  g_clear_error (&error);
  /* Another number of classes is seen before anything runs. */
  lb_harness_feed (classes, "source", "set.samples", "samples", source, CLASSES + 1);
  add_expert (classes, of_source);
  g_assert_false (lb_harness_configure (classes, &error));
  g_assert_nonnull (strstr (error->message, "classes"));
}

static void
test_refuses_too_few_epochs (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) h = matching (source, "1");

  lb_harness_set (h, "max-start", "4");
  harness_refuses (
      h, LB_ERROR_PIPELINE,
      "property 'max-start': with expert-epochs 2 a start before 4 needs 6 snapshots of an expert (its start, "
      "and one after each epoch), where there are 5; lower it, or train experts longer");
}

static void
test_refuses_an_expert_that_stands_still (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1), good = expert (source, 1);
  LbTensor *still = lb_tensor_copy (lb_packet_get (good, "parameters"));
  g_autoptr (LbPacket) one = packet_with (good, "parameters", still);
  g_autoptr (LbHarness) h = lb_harness_new ("trajectory-matching");
  gsize row = lb_tensor_bytes (still) / SNAPSHOTS;

  memcpy ((char *)lb_tensor_data (still) + 2 * row, lb_tensor_data (still), row);
  lb_harness_set (h, "iterations", "1");
  lb_harness_set (h, "max-start", "1");
  lb_harness_set (h, "augmentation", "none");
  lb_harness_feed (h, "source", "set.samples", "samples", source, CLASSES);
  add_expert (h, one);
  harness_refuses (
      h, LB_ERROR_INPUT,
      "expert 0 of 'teachers.trajectory': the squared distance from its snapshot after epoch 0 to that after "
      "epoch 2 is 0, by which the matching loss is divided; expected a number above 0, so leave this expert "
      "out or train it again");
}

/* The last good images are kept, and what they are followed by is told with its place. */
static void
test_explosions_are_named (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, CLASSES, 1);
  g_autoptr (LbHarness) inner = lb_harness_new ("trajectory-matching"), outer = matching (source, "40");
  g_autoptr (LbPacket) wild = train_expert (ARCHITECTURE ":norm=none", source, SNAPSHOTS, 1);
  g_autofree char *path = g_build_filename (lb_harness_directory (inner), "stage-last-good.npz", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) members = NULL;

  lb_harness_set (inner, "inner-learning-rate", "1000");
  lb_harness_feed (inner, "source", "set.samples", "samples", source, CLASSES);
  add_expert (inner, wild);
  g_assert_false (lb_harness_run (inner, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, " at inner step "));
  g_assert_nonnull (strstr (error->message, " of expert "));
  g_assert_nonnull (strstr (error->message, "with inner learning rate 1000, "));
  g_assert_nonnull (strstr (error->message, "stage-last-good.npz'; "));
  g_clear_error (&error);
  members = lb_npz_read (path, 1 << 20, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_array_index (members, LbNamedTensor, 0).name, ==, "images");
  for (gint64 i = 0; i < 3 * 64; i++)
    g_assert_true (isfinite (lb_tensor_f32 (g_array_index (members, LbNamedTensor, 0).tensor)[i]));

  lb_harness_set (outer, "image-learning-rate", "1e8");
  g_assert_false (lb_harness_run (outer, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, "the synthetic images diverge: iteration "));
}

int
main (int argc, char **argv)
{
  static const char *const variants[][5] = { { NULL },
                                             { "intermediate-weight", "2" },
                                             { "synthetic-batch", "2" },
                                             { "augmentation", "color_crop_cutout_flip_scale_rotate" },
                                             { "learn-labels", "true", "intermediate-weight", "1" } };
  static const char *const names[] = { "plain", "intermediate", "batches", "augmented", "soft-labels" };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (variants); i++) {
    g_autofree char *name = g_strdup_printf ("/trajectory-matching/gradient-is-that-of-the-loss/%s", names[i]);
    g_test_add_data_func (name, variants[i], test_gradient_is_that_of_the_loss);
  }
  g_test_add_func ("/trajectory-matching/loss-falls", test_loss_falls);
  g_test_add_func ("/trajectory-matching/rate-is-learned", test_rate_is_learned);
  g_test_add_func ("/trajectory-matching/rate-stays-positive", test_rate_stays_positive);
  g_test_add_func ("/trajectory-matching/rate-of-the-experts", test_rate_of_the_experts);
  g_test_add_func ("/trajectory-matching/soft-labels", test_soft_labels);
  g_test_add_func ("/trajectory-matching/variants", test_variants);
  g_test_add_func ("/trajectory-matching/starts-from-centres", test_starts_from_centres);
  g_test_add_func ("/trajectory-matching/counts-its-experts", test_counts_its_experts);
  g_test_add_func ("/trajectory-matching/clip-bounds-the-step", test_clip_bounds_the_step);
  g_test_add_func ("/trajectory-matching/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  g_test_add_func ("/trajectory-matching/refuses-other-experts", test_refuses_other_experts);
  g_test_add_func ("/trajectory-matching/refuses-experts-of-another-set", test_refuses_experts_of_another_set);
  g_test_add_func ("/trajectory-matching/refuses-too-few-epochs", test_refuses_too_few_epochs);
  g_test_add_func ("/trajectory-matching/refuses-an-expert-that-stands-still",
                   test_refuses_an_expert_that_stands_still);
  g_test_add_func ("/trajectory-matching/explosions-are-named", test_explosions_are_named);
  return g_test_run ();
}
