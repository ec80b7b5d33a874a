/* The formation stage: formed sets that were stored are what networks saw of them. */
#include "plugins/harness.h"

/* A short distillation of formed images; 3 classes of 2 stored ones. */
static LbHarness *
distilled (LbPacket *source)
{
  LbHarness *h = lb_harness_new ("gradient-matching");

  lb_harness_set (h, "architecture", "convnet-d1");
  lb_harness_set (h, "images-per-class", "2");
  lb_harness_set (h, "formation", "2");
  lb_harness_set (h, "iterations", "1");
  lb_harness_set (h, "start", "real");
  lb_harness_set (h, "real-batch", "8");
  lb_harness_feed (h, "source", "set.samples", "samples", source, 3);
  harness_run_well (h);
  return h;
}

/* What npz-source reads of what npz-sink wrote of @packet. */
static LbPacket *
through_a_file (LbPacket *packet, const char *storage)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-source");
  g_autofree char *path = g_build_filename (lb_harness_directory (sink), "stage.npz", NULL);

  lb_harness_set (sink, "storage", storage);
  lb_harness_feed (sink, "samples", "distill.stored", "samples", packet, 3);
  harness_run_well (sink);
  lb_harness_set (source, "file", path);
  harness_run_well (source);
  return lb_packet_ref (lb_harness_output (source, "samples", 0));
}

static LbTensor *
number (gint64 value)
{
  LbTensor *tensor = lb_tensor_new (LB_I64, LB_SHAPE (1));

  lb_tensor_i64 (tensor)[0] = value;
  return tensor;
}

static LbHarness *
formation (LbPacket *stored, const char *factor)
{
  LbHarness *h = lb_harness_new ("formation");

  lb_harness_set (h, "factor", factor);
  lb_harness_feed (h, "samples", "file.samples", "samples", stored, 3);
  return h;
}

static void
test_a_stored_set_comes_back_as_it_was_seen (void)
{
  static const char *const factors[] = { "0", "2" };
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = distilled (source);
  LbPacket *seen = lb_harness_output (h, "samples", 0);
  g_autoptr (LbPacket) stored = through_a_file (lb_harness_output (h, "stored", 0), "carried");

  g_assert_cmpint (lb_tensor_dim (lb_packet_get (stored, "images"), 0), ==, 6);
  for (guint k = 0; k < G_N_ELEMENTS (factors); k++) {
    g_autoptr (LbHarness) again = formation (stored, factors[k]);
    LbPacket *back;

    harness_run_well (again);
    back = lb_harness_output (again, "samples", 0);
    g_assert_null (lb_packet_get (back, "formation"));
    for (guint i = 0; i < lb_packet_n_fields (seen); i++)
      assert_same_tensor (lb_packet_get (back, lb_packet_field_name (seen, i)), lb_packet_field_tensor (seen, i));
    if (k == 0)
      continue;
    g_assert_cmpfloat (lb_harness_flops (again), ==, lb_harness_predicted_flops (again));
    g_assert_cmpint (lb_harness_dim (again, "seen"), ==, 24);
  }
}

/* As a picture would hold it, a set takes a quarter; what is seen of it is that, too, when it was itself written. */
static void
test_storage_is_what_is_carried (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = distilled (source);
  g_autoptr (LbPacket) bytes = through_a_file (lb_harness_output (h, "stored", 0), "u8"), seen = NULL;
  g_autoptr (LbHarness) again = formation (bytes, "0");

  harness_run_well (again);
  seen = through_a_file (lb_harness_output (again, "samples", 0), "carried");
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (seen, "images"), 0), ==, 24);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (seen, "stored_images"))[0], ==, 6);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (seen, "stored_bytes"))[0], ==, 6 * (64 + 4));
}

static void
test_trainers_want_what_networks_see (void)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = distilled (source), trainer = lb_harness_new ("trainer"), seen = NULL, students = NULL;
  LbPacket *stored = lb_harness_output (h, "stored", 0);

  lb_harness_set (trainer, "architecture", "convnet-d1");
  lb_harness_feed (trainer, "samples", "file.samples", "samples", stored, 3);
  harness_refuses (trainer, LB_ERROR_INPUT,
                   "'file.samples' holds formed images, each of several small ones, as they are stored; expected what "
                   "networks see of them, so put the stage 'formation' between");
  seen = formation (stored, "0");
  harness_run_well (seen);
  students = lb_harness_new ("trainer");
  lb_harness_set (students, "architecture", "convnet-d1");
  lb_harness_set (students, "epochs", "1");
  lb_harness_feed (students, "samples", "seen.samples", "samples", lb_harness_output (seen, "samples", 0), 3);
  harness_run_well (students);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (lb_harness_output (students, "model", 0), "set_images"))[0], ==, 6);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (lb_harness_output (students, "model", 0), "set_bytes"))[0], ==,
                   6 * (64 + 1) * 4);
}

static void
test_factors_that_do_not_fit_are_refused (void)
{
  g_autoptr (LbPacket) plain = toy_samples (6, 8, 3, 1), told = packet_with (plain, "formation", number (3));
  g_autoptr (LbHarness) none = formation (plain, "0"), three = formation (plain, "3"), other = formation (told, "2");
  g_autoptr (LbHarness) wrong = formation (told, "0");

  harness_refuses (none, LB_ERROR_INPUT,
                   "'file.samples' does not say how many small images its images hold a side; set 'factor'");
  harness_refuses (three, LB_ERROR_PIPELINE,
                   "property 'factor': 3 does not divide the images' 8 x 8 pixels into whole ones; expected a number "
                   "that divides both sides");
  harness_refuses (other, LB_ERROR_INPUT,
                   "'file.samples' says that its images hold 3 small ones a side, where 'factor' is 2; leave 'factor' "
                   "out");
  harness_refuses (
      wrong, LB_ERROR_INPUT,
      "'file.samples' has images of 8 x 8 pixels, which 3 does not divide into whole ones; expected a factor "
      "that divides both sides");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/formation/a-stored-set-comes-back-as-it-was-seen", test_a_stored_set_comes_back_as_it_was_seen);
  g_test_add_func ("/formation/storage-is-what-is-carried", test_storage_is_what_is_carried);
  g_test_add_func ("/formation/trainers-want-what-networks-see", test_trainers_want_what_networks_see);
  g_test_add_func ("/formation/factors-that-do-not-fit-are-refused", test_factors_that_do_not_fit_are_refused);
  return g_test_run ();
}
