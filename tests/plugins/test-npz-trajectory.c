/* Files of trajectories: there and back, and files that are not what they should be. */
#include "plugins/harness.h"

/* An expert of convnet-d1 for grey 8 x 8 images with @snapshots; its numbers are counted up from @first. */
static LbPacket *
expert (gint64 snapshots, float first, gint64 index)
{
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, 2, NULL);
  LbPacket *packet = lb_packet_new ();
  LbTensor *parameters = lb_tensor_new (LB_F32, LB_SHAPE (snapshots, lb_network_n_parameters (network)));

  for (gint64 i = 0; i < lb_tensor_size (parameters); i++)
    lb_tensor_f32 (parameters)[i] = first + (float)i / 1024;
  lb_packet_take (packet, "parameters", parameters);
  lb_packet_set_text (packet, "architecture", "convnet-d1");
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  lb_packet_take (packet, "whitening_mean", lb_tensor_new (LB_F32, LB_SHAPE (1, 8, 8)));
  lb_packet_set_integer (packet, "index", index);
  lb_packet_set_integer (packet, "epochs_apart", 3);
  lb_packet_set_number (packet, "learning_rate", 0.01);
  lb_packet_set_number (packet, "training_flops", 5e9 + (double)index);
  return packet;
}

/* A file of @n experts; it stays with @sink. */
static char *
write_file (LbHarness *sink, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autoptr (LbPacket) packet = expert (3, (float)i, i);
    lb_harness_feed (sink, "trajectory", "experts.trajectory", "trajectory", packet, 2);
  }
  harness_run_well (sink);
  return g_build_filename (lb_harness_directory (sink), "stage.npz", NULL);
}

static void
test_experts_come_back (gconstpointer compress)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-trajectory-sink"),
                        source = lb_harness_new ("npz-trajectory-source");
  g_autoptr (LbHarness) some = lb_harness_new ("npz-trajectory-source");
  g_autofree char *path = NULL;

  lb_harness_set (sink, "compress", compress);
  path = write_file (sink, 3);
  lb_harness_set (source, "file", path);
  harness_run_well (source);
  g_assert_cmpuint (lb_harness_n_outputs (source, "trajectory"), ==, 3);
  for (guint i = 0; i < 3; i++) {
    g_autoptr (LbPacket) packet = expert (3, (float)i, i);
    LbPacket *back = lb_harness_output (source, "trajectory", i);

    g_assert_cmpuint (lb_packet_n_fields (back), ==, lb_packet_n_fields (packet));
    for (guint k = 0; k < lb_packet_n_fields (packet); k++)
      assert_same_tensor (lb_packet_get (back, lb_packet_field_name (packet, k)), lb_packet_field_tensor (packet, k));
  }
  g_assert_cmpint (lb_harness_dim (source, "s"), ==, 3);
  g_assert_cmpint (lb_harness_dim (source, "h"), ==, 8);
  lb_harness_set (some, "file", path);
  lb_harness_set (some, "experts", "2");
  harness_run_well (some);
  g_assert_cmpuint (lb_harness_n_outputs (some, "trajectory"), ==, 2);
}

static void
test_experts_of_two_kinds_are_refused (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-trajectory-sink");
  g_autoptr (LbPacket) first = expert (3, 0, 0), second = NULL;
  LbTensor *apart = lb_tensor_new (LB_I64, LB_SHAPE (1));

  second = packet_with (first, "epochs_apart", apart);
  lb_harness_feed (sink, "trajectory", "experts.trajectory", "trajectory", first, 2);
  lb_harness_feed (sink, "trajectory", "experts.trajectory", "trajectory", second, 2);
  harness_refuses (
      sink, LB_ERROR_INPUT,
      "'experts.trajectory': expert 1 has another epochs_apart than expert 0; expected experts of one kind "
      "in a file, so write others to a file of their own");
  g_autofree char *path = g_build_filename (lb_harness_directory (sink), "stage.npz", NULL);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

/* The members of a good file, with @name replaced by @tensor (taken), or left out when that is NULL. */
static char *
spoilt_file (LbHarness *sink, const char *name, LbTensor *tensor)
{
  g_autofree char *good = write_file (sink, 2);
  g_autoptr (GArray) members = lb_npz_read (good, 1 << 20, NULL);
  char *path = g_build_filename (lb_harness_directory (sink), "spoilt.npz", NULL);

  for (guint i = 0; i < members->len; i++) {
    LbNamedTensor *member = &g_array_index (members, LbNamedTensor, i);

    if (!g_str_equal (member->name, name))
      continue;
    lb_tensor_unref (member->tensor);
    member->tensor = tensor;
    if (!tensor) {
      member->tensor = lb_tensor_new (LB_F32, LB_SHAPE (1));
      g_array_remove_index (members, i);
    }
    break;
  }
  g_assert_true (lb_npz_write (path, (LbNamedTensor *)(void *)members->data, members->len, FALSE, NULL));
  return path;
}

static LbTensor *
i64_of (gint64 value)
{
  LbTensor *tensor = lb_tensor_new (LB_I64, LB_SHAPE (1));

  lb_tensor_i64 (tensor)[0] = value;
  return tensor;
}

static LbTensor *
letters (const char *text)
{
  LbTensor *tensor = lb_tensor_new (LB_U8, LB_SHAPE ((gint64)strlen (text)));

  memcpy (lb_tensor_u8 (tensor), text, strlen (text));
  return tensor;
}

static LbTensor *
with_nan (void)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, LB_SHAPE (3, 5634));

  lb_tensor_f32 (tensor)[5] = NAN;
  return tensor;
}

static void
test_other_files_are_refused (void)
{
  struct {
    const char *member;
    LbTensor *tensor;
    const char *told;
  } cases[] = {
    { "architecture", NULL, "has no member 'architecture' with the letters of a name (u8); it is no file of" },
    { "architecture", letters ("convnet-d2"),
      "parameters_0' is f32[3, 5634]; expected f32 with two snapshots at least" },
    { "architecture", letters ("convnot"), "convnot" },
    { "mean", NULL, "has no member 'mean' in front of the parameters, where f32[1] was expected; it is no file" },
    { "std", lb_tensor_new (LB_F32, LB_SHAPE (1)), "element 0 of member 'std' is 0; expected numbers above 0" },
    { "classes", i64_of (0), "member 'classes' is 0; expected a number from 1 to 100000" },
    { "epochs_apart", i64_of (-1), "member 'epochs_apart' is -1; expected a number from 1 to 1000000" },
    { "parameters_0", lb_tensor_new (LB_F32, LB_SHAPE (1, 5634)), "'parameters_0' is f32[1, 5634]; expected f32" },
    { "parameters_1", lb_tensor_new (LB_F32, LB_SHAPE (2, 5634)), "has 2 snapshots; expected 3, as expert 0 has" },
    { "index_1", NULL, "has no member 'index'" },
    { "parameters_0", NULL, "has no member 'parameters_0'; expected a file of trajectories" },
    { "parameters_1", with_nan (), "element 5 of member 'parameters_1' is nan; expected finite" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (LbHarness) sink = lb_harness_new ("npz-trajectory-sink"),
                          source = lb_harness_new ("npz-trajectory-source");
    g_autoptr (GError) error = NULL;
    g_autofree char *path = spoilt_file (sink, cases[i].member, cases[i].tensor);

    lb_harness_set (source, "file", path);
    g_assert_false (lb_harness_run (source, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    if (!g_str_has_prefix (error->message, path) || !strstr (error->message, cases[i].told))
      g_error ("expected '%s' in: %s", cases[i].told, error->message);
  }
}

static void
test_more_than_there_are_is_refused (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-trajectory-sink"),
                        source = lb_harness_new ("npz-trajectory-source");
  g_autofree char *path = write_file (sink, 2);
  g_autofree char *message
      = g_strdup_printf ("%s: has 2 experts, but 5 were asked for; lower 'experts' or train more", path);

  lb_harness_set (source, "file", path);
  lb_harness_set (source, "experts", "5");
  harness_refuses (source, LB_ERROR_INPUT, message);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/npz-trajectory/experts-come-back", "false", test_experts_come_back);
  g_test_add_data_func ("/npz-trajectory/deflated-experts-come-back", "true", test_experts_come_back);
  g_test_add_func ("/npz-trajectory/experts-of-two-kinds-are-refused", test_experts_of_two_kinds_are_refused);
  g_test_add_func ("/npz-trajectory/other-files-are-refused", test_other_files_are_refused);
  g_test_add_func ("/npz-trajectory/more-than-there-are-is-refused", test_more_than_there_are_is_refused);
  return g_test_run ();
}
