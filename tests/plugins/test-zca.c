/* The zca stage, and what other stages do with whitened sets. */
#include "plugins/harness.h"

static LbHarness *
zca (LbPacket *samples, LbPacket *test, LbPacket *like)
{
  LbHarness *h = lb_harness_new ("zca");

  lb_harness_feed (h, "samples", "train.samples", "samples", samples, 2);
  if (test)
    lb_harness_feed (h, "test", "test.samples", "samples", test, 2);
  if (like)
    lb_harness_feed (h, "like", "distilled.samples", "samples", like, 2);
  return h;
}

/* Nearly the same values: those of @b within rounding. */
static void
assert_near (LbTensor *a, LbTensor *b, double tolerance)
{
  g_assert_cmpint (lb_tensor_size (a), ==, lb_tensor_size (b));
  for (gint64 i = 0; i < lb_tensor_size (a); i++)
    g_assert_cmpfloat (fabs (lb_tensor_f32 (a)[i] - lb_tensor_f32 (b)[i]), <, tolerance);
}

static void
test_both_sets_are_whitened_alike (void)
{
  g_autoptr (LbPacket) train = toy_samples (40, 8, 2, 1);
  g_autoptr (LbHarness) h = zca (train, train, NULL);
  LbPacket *samples, *test;

  harness_run_well (h);
  samples = lb_harness_output (h, "samples", 0);
  test = lb_harness_output (h, "test", 0);
  g_assert_cmpint (lb_tensor_dtype (lb_packet_get (samples, "images")), ==, LB_F32);
  assert_same_tensor (lb_packet_get (samples, "images"), lb_packet_get (test, "images"));
  assert_same_tensor (lb_packet_get (samples, "labels"), lb_packet_get (train, "labels"));
  assert_same_tensor (lb_packet_get (samples, "mean"), lb_packet_get (train, "mean"));
  g_assert_true (lb_packet_get (test, "unwhitening") == lb_packet_get (samples, "unwhitening"));
  g_assert_cmpfloat (fabs (lb_harness_flops (h) / lb_harness_predicted_flops (h) - 1), <, 1e-9);
}

static void
test_a_test_set_is_optional (void)
{
  g_autoptr (LbPacket) train = toy_samples (40, 8, 2, 1);
  g_autoptr (LbHarness) h = zca (train, NULL, NULL);

  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "samples"), ==, 1);
  g_assert_cmpuint (lb_harness_n_outputs (h, "test"), ==, 0);
}

static void
test_epsilon_damps (void)
{
  g_autoptr (LbPacket) train = toy_samples (40, 8, 2, 1);
  g_autoptr (LbHarness) strong = zca (train, NULL, NULL), weak = zca (train, NULL, NULL);
  double sums[2] = { 0 };

  lb_harness_set (weak, "epsilon", "10");
  harness_run_well (strong);
  harness_run_well (weak);
  for (guint i = 0; i < 2; i++) {
    LbTensor *images = lb_packet_get (lb_harness_output (i ? weak : strong, "samples", 0), "images");
    for (gint64 k = 0; k < lb_tensor_size (images); k++)
      sums[i] += lb_tensor_f32 (images)[k] * lb_tensor_f32 (images)[k];
  }
  g_assert_cmpfloat (sums[1], <, 0.5 * sums[0]);
}

/* The sheet of whitened images is that of the stored ones, to the byte. */
static void
test_contact_sheets_undo_it (void)
{
  g_autoptr (LbPacket) train = toy_samples (40, 8, 2, 1);
  g_autoptr (LbHarness) h = zca (train, NULL, NULL), before = lb_harness_new ("contact-sheet");
  g_autoptr (LbHarness) after = lb_harness_new ("contact-sheet");
  g_autofree char *a = g_build_filename (lb_harness_directory (before), "stage.png", NULL), *a_bytes = NULL;
  g_autofree char *b = g_build_filename (lb_harness_directory (after), "stage.png", NULL), *b_bytes = NULL;
  gsize a_n = 0, b_n = 0;

  harness_run_well (h);
  lb_harness_feed (before, "samples", "train.samples", "samples", train, 2);
  lb_harness_feed (after, "samples", "white.samples", "samples", lb_harness_output (h, "samples", 0), 2);
  harness_run_well (before);
  harness_run_well (after);
  g_assert_true (g_file_get_contents (a, &a_bytes, &a_n, NULL));
  g_assert_true (g_file_get_contents (b, &b_bytes, &b_n, NULL));
  g_assert_cmpmem (a_bytes, a_n, b_bytes, b_n);
}

/* Through selection and a file, and from there to another set. */
static void
test_whitening_travels_with_the_set (void)
{
  g_autoptr (LbPacket) train = toy_samples (40, 8, 2, 1), other = toy_samples (10, 8, 2, 5);
  g_autoptr (LbHarness) first = zca (train, other, NULL), second = NULL;
  g_autoptr (LbHarness) selection = lb_harness_new ("random-selection"), sink = lb_harness_new ("npz-sink");
  g_autoptr (LbHarness) source = lb_harness_new ("npz-source");
  g_autofree char *path = NULL;

  harness_run_well (first);
  lb_harness_set (selection, "images-per-class", "3");
  lb_harness_feed (selection, "source", "white.samples", "samples", lb_harness_output (first, "samples", 0), 2);
  harness_run_well (selection);
  lb_harness_feed (sink, "samples", "few.samples", "samples", lb_harness_output (selection, "samples", 0), 2);
  harness_run_well (sink);
  path = g_build_filename (lb_harness_directory (sink), "stage.npz", NULL);
  lb_harness_set (source, "file", path);
  harness_run_well (source);
  assert_same_tensor (lb_packet_get (lb_harness_output (source, "samples", 0), "unwhitening"),
                      lb_packet_get (lb_harness_output (first, "samples", 0), "unwhitening"));
  second = zca (other, NULL, lb_harness_output (source, "samples", 0));
  harness_run_well (second);
  assert_near (lb_packet_get (lb_harness_output (second, "samples", 0), "images"),
               lb_packet_get (lb_harness_output (first, "test", 0), "images"), 1e-3);
}

/* A model of whitened images, on whitened images and on others. */
static void
test_models_want_what_they_were_trained_on (void)
{
  g_autoptr (LbPacket) train = toy_samples (20, 8, 2, 1);
  g_autoptr (LbHarness) h = zca (train, NULL, NULL), trainer = lb_harness_new ("trainer");
  g_autoptr (LbHarness) well = lb_harness_new ("evaluator"), wrong = lb_harness_new ("evaluator");
  LbPacket *white;

  harness_run_well (h);
  white = lb_harness_output (h, "samples", 0);
  lb_harness_set (trainer, "architecture", "convnet-d1");
  lb_harness_set (trainer, "epochs", "10");
  lb_harness_feed (trainer, "samples", "white.samples", "samples", white, 2);
  harness_run_well (trainer);
  for (guint i = 0; i < 2; i++) {
    lb_harness_feed (i ? wrong : well, "model", "students.model", "model", lb_harness_output (trainer, "model", 0), 2);
    lb_harness_feed (i ? wrong : well, "samples", "test.samples", "samples", i ? train : white, 2);
  }
  harness_run_well (well);
  g_assert_cmpfloat (lb_harness_metric_at (well, 0), >, 0.95);
  harness_refuses (wrong, LB_ERROR_INPUT,
                   "'test.samples' is not whitened, but the model 'students.model' is whitened; let one 'zca' stage "
                   "whiten the sets of both, or none");
}

static void
test_refuses_what_it_cannot_use (void)
{
  g_autoptr (LbPacket) train = toy_samples (40, 8, 2, 1), one = toy_samples (1, 8, 2, 1);
  g_autoptr (LbHarness) h = zca (train, NULL, NULL), twice = NULL, like = zca (train, NULL, train);
  g_autoptr (LbHarness) few = zca (one, NULL, NULL), sink = lb_harness_new ("npz-sink"), other = NULL;
  g_autoptr (LbTensor) images = NULL;
  g_autoptr (LbPacket) shifted = NULL;

  harness_run_well (h);
  twice = zca (lb_harness_output (h, "samples", 0), NULL, NULL);
  harness_refuses (twice, LB_ERROR_INPUT,
                   "'train.samples' is whitened already; expected a set that is not, so leave out one of the stages");
  harness_refuses (like, LB_ERROR_INPUT,
                   "'distilled.samples' is not whitened; expected a set that is, to whiten another like it");
  harness_refuses (
      few, LB_ERROR_INPUT,
      "train.samples has 1 images; expected at least two to whiten, and better more than the 64 numbers of "
      "an image");
  lb_harness_set (sink, "storage", "u8");
  lb_harness_feed (sink, "samples", "white.samples", "samples", lb_harness_output (h, "samples", 0), 2);
  harness_refuses (sink, LB_ERROR_INPUT,
                   "'white.samples' is whitened, and u8 holds stored values alone; expected 'storage' to be f16 or f32 "
                   "here");
  images = lb_images_convert ("set", lb_packet_get (train, "images"), lb_packet_get (train, "mean"),
                              lb_packet_get (train, "std"), LB_F32, NULL);
  shifted = packet_with (train, "images", lb_tensor_ref (images));
  lb_packet_take (shifted, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.9f }));
  other = zca (train, shifted, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_false (lb_harness_run (other, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, "channel 0 of 'test.samples' is normalised with mean 0.9"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/zca/both-sets-are-whitened-alike", test_both_sets_are_whitened_alike);
  g_test_add_func ("/zca/a-test-set-is-optional", test_a_test_set_is_optional);
  g_test_add_func ("/zca/epsilon-damps", test_epsilon_damps);
  g_test_add_func ("/zca/contact-sheets-undo-it", test_contact_sheets_undo_it);
  g_test_add_func ("/zca/whitening-travels-with-the-set", test_whitening_travels_with_the_set);
  g_test_add_func ("/zca/models-want-what-they-were-trained-on", test_models_want_what_they_were_trained_on);
  g_test_add_func ("/zca/refuses-what-it-cannot-use", test_refuses_what_it_cannot_use);
  return g_test_run ();
}
