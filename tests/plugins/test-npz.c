/* The npz stages: there and back, and files that are not what they should be. */
#include "plugins/harness.h"

/* A set with everything: 2 images of 2 x 2, two classes, one view. */
static LbPacket *
small_set (gboolean augmented)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (2));

  lb_tensor_i32 (labels)[1] = 1;
  lb_packet_take (packet, "images",
                  f32_of (LB_SHAPE (2, 1, 2, 2), (const float[]){ 0.5f, -1, 2, 0, 1, 1.5f, -0.25f, 3 }));
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  if (augmented) {
    lb_packet_take (packet, "windows", f32_of (LB_SHAPE (1, 4), (const float[]){ 0, 1, 2, 1 }));
    lb_packet_take (packet, "dense_labels", f32_of (LB_SHAPE (2, 1, 2), (const float[]){ 0.25f, 0.75f, 1, 0 }));
  }
  return packet;
}

/* Writes @packet with npz-sink; the file stays with @h. */
static char *
write_set (LbHarness *h, LbPacket *packet, const char *schema)
{
  lb_harness_feed (h, "samples", "labels.out", schema, packet, 2);
  harness_run_well (h);
  return g_build_filename (lb_harness_directory (h), "stage.npz", NULL);
}

static void
test_samples_come_back (gconstpointer compress)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-source");
  g_autoptr (LbPacket) packet = small_set (FALSE);
  g_autofree char *path = NULL;
  LbPacket *back;

  lb_harness_set (sink, "compress", compress);
  path = write_set (sink, packet, "samples");
  lb_harness_set (source, "file", path);
  harness_run_well (source);
  back = lb_harness_output (source, "samples", 0);
  for (guint i = 0; i < 4; i++)
    assert_same_tensor (lb_packet_get (back, lb_packet_field_name (packet, i)), lb_packet_field_tensor (packet, i));
  g_assert_cmpint (lb_harness_dim (source, "classes"), ==, 2);
}

static void
test_augmented_samples_come_back (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-augmented-source");
  g_autoptr (LbPacket) packet = small_set (TRUE);
  g_autofree char *path = write_set (sink, packet, "augmented");
  LbPacket *back;

  lb_harness_set (source, "file", path);
  harness_run_well (source);
  back = lb_harness_output (source, "augmented", 0);
  for (guint i = 0; i < 6; i++)
    assert_same_tensor (lb_packet_get (back, lb_packet_field_name (packet, i)), lb_packet_field_tensor (packet, i));
}

/* Half precision as nearest, stored values as rounded; both are read back as they were written. */
static void
test_storage_of_images (void)
{
  static const struct {
    const char *storage;
    LbDType dtype;
    double error; /* of a normalised value */
  } cases[] = { { "f16", LB_F16, 1.0 / 2048 }, { "u8", LB_U8, 0.5 / 255 / 0.3 + 1e-6 }, { "f32", LB_F32, 0 } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-source");
    g_autoptr (LbPacket) packet = small_set (FALSE);
    const float *x = lb_tensor_f32 (lb_packet_get (packet, "images"));
    g_autoptr (LbTensor) loaded = lb_tensor_new (LB_F32, LB_SHAPE (2, 2, 2, 1));
    g_autofree char *path = NULL;
    LbPacket *back;

    lb_harness_set (sink, "storage", cases[i].storage);
    path = write_set (sink, packet, "samples");
    lb_harness_set (source, "file", path);
    harness_run_well (source);
    back = lb_harness_output (source, "samples", 0);
    g_assert_cmpint (lb_tensor_dtype (lb_packet_get (back, "images")), ==, cases[i].dtype);
    lb_images_load (lb_packet_get (back, "images"), NULL, 2, lb_packet_get (back, "mean"), lb_packet_get (back, "std"),
                    loaded);
    for (guint k = 0; k < 8; k++) {
      /* A picture has no values past black and white. */
      double wanted = cases[i].dtype == LB_U8 ? CLAMP (x[k], -0.4 / 0.3, 0.6 / 0.3) : x[k];
      g_assert_cmpfloat (fabs (lb_tensor_f32 (loaded)[k] - wanted), <=, cases[i].error);
    }
  }
}

static void
test_refuses_what_half_precision_cannot_hold (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink");
  g_autoptr (LbPacket) packet = small_set (FALSE);

  lb_packet_take (packet, "images", f32_of (LB_SHAPE (2, 1, 2, 2), (const float[]){ 0, 0, 0, 65519, 0, -1e6f, 0, 0 }));
  lb_harness_set (sink, "storage", "f16");
  lb_harness_feed (sink, "samples", "labels.out", "samples", packet, 2);
  harness_refuses (sink, LB_ERROR_INPUT,
                   "labels.out: a value of image 1 is -1e+06, where at most 65504 was expected, the most that f16 "
                   "holds; keep f32");
}

static void
test_the_same_set_gives_the_same_bytes (void)
{
  g_autoptr (LbHarness) one = lb_harness_new ("npz-sink"), two = lb_harness_new ("npz-sink");
  g_autoptr (LbPacket) packet = small_set (TRUE);
  g_autofree char *a = write_set (one, packet, "augmented"), *b = write_set (two, packet, "augmented");
  g_autofree char *a_bytes = NULL, *b_bytes = NULL;
  gsize a_n = 0, b_n = 0;

  g_assert_true (g_file_get_contents (a, &a_bytes, &a_n, NULL));
  g_assert_true (g_file_get_contents (b, &b_bytes, &b_n, NULL));
  g_assert_cmpmem (a_bytes, a_n, b_bytes, b_n);
}

static void
test_packets_are_joined (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-source");
  g_autoptr (LbPacket) packet = small_set (FALSE);
  g_autofree char *path = NULL;

  lb_harness_feed (sink, "samples", "labels.out", "samples", packet, 2);
  path = write_set (sink, packet, "samples");
  lb_harness_set (source, "file", path);
  harness_run_well (source);
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (lb_harness_output (source, "samples", 0), "images"), 0), ==, 4);
}

/* Writes the members of the small set with @name replaced by @tensor (taken; NULL: left out), and expects @type to
 * refuse the file with "PATH: @message". */
static void
refuses (const char *type, const char *name, LbTensor *tensor, const char *message)
{
  g_autoptr (LbHarness) source = lb_harness_new (type);
  g_autoptr (LbPacket) packet = small_set (TRUE);
  g_autoptr (LbTensor) classes = lb_tensor_new (LB_I64, LB_SHAPE (1)), owned = tensor;
  g_autofree char *path = g_build_filename (lb_harness_directory (source), "bad.npz", NULL);
  g_autofree char *whole = g_strdup_printf ("%s: %s", path, message);
  g_autoptr (GError) error = NULL;
  LbNamedTensor members[8];
  guint n = 0;

  lb_tensor_i64 (classes)[0] = 2;
  lb_packet_set (packet, "classes", classes);
  lb_packet_set_number (packet, "temperature", 2);
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const char *field = lb_packet_field_name (packet, i);
    gboolean changed = g_str_equal (field, name);

    if (!changed || tensor)
      members[n++] = (LbNamedTensor){ (char *)field, changed ? tensor : lb_packet_field_tensor (packet, i) };
  }
  lb_npz_write (path, members, n, FALSE, &error);
  g_assert_no_error (error);
  lb_harness_set (source, "file", path);
  harness_refuses (source, LB_ERROR_INPUT, whole);
}

static LbTensor *
i32_pair (gint32 a, gint32 b)
{
  LbTensor *tensor = lb_tensor_new (LB_I32, LB_SHAPE (2));

  lb_tensor_i32 (tensor)[0] = a;
  lb_tensor_i32 (tensor)[1] = b;
  return tensor;
}

static void
test_refuses_bad_samples (void)
{
  refuses ("npz-source", "images", NULL, "has no member 'images'; expected one of u8 or f32 or f16 with 4 dimensions");
  refuses ("npz-source", "images", lb_tensor_new (LB_F64, LB_SHAPE (2, 1, 2, 2)),
           "member 'images' is f64[2, 1, 2, 2]; expected u8 or f32 or f16 with 4 dimensions and at least one element");
  refuses ("npz-source", "images", lb_tensor_new (LB_U8, LB_SHAPE (2, 4)),
           "member 'images' is u8[2, 4]; expected u8 or f32 or f16 with 4 dimensions and at least one element");
  refuses ("npz-source", "images", lb_tensor_new (LB_U8, LB_SHAPE (0, 1, 2, 2)),
           "member 'images' is u8[0, 1, 2, 2]; expected u8 or f32 or f16 with 4 dimensions and at least one element");
  refuses ("npz-source", "images", f32_of (LB_SHAPE (2, 1, 1, 1), (const float[]){ 0, NAN }),
           "element 1 of member 'images' is nan; expected finite numbers");
  refuses ("npz-source", "labels", lb_tensor_new (LB_I32, LB_SHAPE (3)),
           "member 'labels' has 3 labels for 2 images; expected one each");
  refuses ("npz-source", "labels", i32_pair (0, 2), "label 1 is 2; expected 0 to 1, as there are 2 classes");
  refuses ("npz-source", "labels", i32_pair (-1, 0), "label 0 is -1; expected 0 to 1, as there are 2 classes");
  refuses ("npz-source", "mean", NULL, "has no member 'mean'; expected one of f32 or f64 with 1 dimensions");
  refuses ("npz-source", "mean", lb_tensor_new (LB_F32, LB_SHAPE (3)),
           "member 'mean' has 3 numbers; expected 1, one for each channel of the images");
  refuses ("npz-source", "std", lb_tensor_new (LB_F32, LB_SHAPE (1)),
           "std of channel 0 is 0; expected a number above 0");
  refuses ("npz-source", "std", f32_of (LB_SHAPE (1), (const float[]){ INFINITY }),
           "element 0 of member 'std' is inf; expected finite numbers");
  refuses ("npz-source", "classes", NULL, "has no member 'classes'; set the property 'classes'");
  refuses ("npz-source", "classes", lb_tensor_new (LB_I64, LB_SHAPE (1)),
           "member 'classes' is not one i64 from 1 to 100000; set the property 'classes'");
}

static void
test_refuses_bad_dense_labels (void)
{
  const char *type = "npz-augmented-source";

  refuses (type, "windows", NULL, "has no member 'windows'; expected one of f32 with 2 dimensions");
  refuses (type, "dense_labels", NULL,
           "has no member 'dense_labels'; expected one of u8 or f32 or f16 with 3 dimensions");
  refuses (type, "windows", lb_tensor_new (LB_F32, LB_SHAPE (1, 5)),
           "member 'windows' has 5 columns; expected 4: x, y, width, height");
  refuses (type, "windows", f32_of (LB_SHAPE (1, 4), (const float[]){ 0, 0, 3, 1 }),
           "window 0 is at (0, 0) and has 3 x 1 pixels; expected at least one pixel, inside images of 2 x 2");
  refuses (type, "dense_labels", lb_tensor_new (LB_F32, LB_SHAPE (2, 2, 2)),
           "dense labels are [2, 2, 2]; expected [2, 1, 2]: images, windows, classes");
  refuses (
      type, "dense_labels", f32_of (LB_SHAPE (2, 1, 2), (const float[]){ 0.5f, 0.5f, 0.5f, 0.75f }),
      "dense label of view 0 of image 1 is not a distribution (it sums to 1.25); expected probabilities that sum to 1");
  refuses (
      type, "dense_labels", f32_of (LB_SHAPE (2, 1, 2), (const float[]){ -1, 2, 0, 1 }),
      "dense label of view 0 of image 0 is not a distribution (it sums to 1); expected probabilities that sum to 1");
  refuses (type, "temperature", lb_tensor_new (LB_F64, LB_SHAPE (1)),
           "member 'temperature' is 0; expected what the labeler's scores were divided by, 0.01 to 1000");
  refuses (type, "temperature", lb_tensor_new (LB_F32, LB_SHAPE (1)),
           "member 'temperature' is not one f64; expected that of the labeler");
}

/* Top-k labels with what binds them to their images, which are stored otherwise than they are carried. */
static void
test_stored_labels_come_back (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-augmented-source");
  g_autoptr (LbPacket) packet = small_set (TRUE);
  g_autofree char *digest = lb_tensor_digest (lb_packet_get (packet, "images")), *path = NULL, *labelled = NULL;
  g_autofree char *stored = NULL;
  LbTensor *labels = lb_tensor_new (LB_U8, LB_SHAPE (2, 1, 1)), *named = lb_tensor_new (LB_U8, LB_SHAPE (2, 1, 1));
  LbPacket *back;

  lb_tensor_u8 (labels)[0] = 200;
  lb_tensor_u8 (labels)[1] = 255;
  lb_tensor_u8 (named)[0] = 1;
  lb_packet_take (packet, "dense_labels", labels);
  lb_packet_take (packet, "dense_classes", named);
  lb_packet_set_text (packet, "labelled_images", digest);
  lb_packet_set_number (packet, "making_flops", 3e9);
  lb_packet_set_number (packet, "temperature", 2.5);
  lb_harness_set (sink, "storage", "f16");
  path = write_set (sink, packet, "augmented");
  lb_harness_set (source, "file", path);
  harness_run_well (source);
  back = lb_harness_output (source, "augmented", 0);
  assert_same_tensor (lb_packet_get (back, "dense_labels"), labels);
  assert_same_tensor (lb_packet_get (back, "dense_classes"), named);
  stored = lb_tensor_digest (lb_packet_get (back, "images"));
  labelled = lb_packet_get_text (back, "labelled_images");
  g_assert_cmpstr (labelled, ==, stored);
  g_assert_cmpstr (labelled, !=, digest);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (back, "making_flops"))[0], ==, 3e9);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (back, "temperature"))[0], ==, 2.5);
}

/* The tensor of member @name of the file @path; NULL when there is none. */
static LbTensor *
member_of (const char *path, const char *name)
{
  g_autoptr (GArray) members = lb_npz_read (path, 1 << 20, NULL);
  LbTensor *found = NULL;

  g_assert_nonnull (members);
  for (guint i = 0; i < members->len; i++)
    if (g_str_equal (g_array_index (members, LbNamedTensor, i).name, name))
      found = lb_tensor_ref (g_array_index (members, LbNamedTensor, i).tensor);
  return found;
}

/* The file tells the grid of its windows and what part of each axis they cover, and is refused with another grid. */
static void
test_tells_the_grid_of_windows (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-augmented-source");
  g_autoptr (LbPacket) packet = small_set (TRUE);
  LbTensor *images = lb_packet_get (packet, "images");
  gint64 h = lb_tensor_dim (images, 2), w = lb_tensor_dim (images, 3);
  g_autoptr (LbTensor) windows = lb_view_windows (h, w, 1, 0.5), grid = NULL, ratio = NULL;
  g_autofree char *path = NULL;

  lb_packet_set (packet, "windows", windows);
  path = write_set (sink, packet, "augmented");
  grid = member_of (path, "grid");
  ratio = member_of (path, "ratio");
  g_assert_true (grid && ratio);
  g_assert_cmpint (lb_tensor_i64 (grid)[0], ==, 1);
  g_assert_cmpfloat (lb_tensor_f64 (ratio)[0], ==, 0.5);
  g_assert_cmpfloat (lb_tensor_f64 (ratio)[1], ==, 0.5);
  lb_harness_set (source, "file", path);
  harness_run_well (source);
}

static void
test_refuses_another_grid (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-augmented-source");
  g_autoptr (LbPacket) packet = small_set (TRUE);
  LbTensor *images = lb_packet_get (packet, "images");
  g_autoptr (LbTensor) windows = lb_view_windows (lb_tensor_dim (images, 2), lb_tensor_dim (images, 3), 1, 0.5);
  g_autofree char *path = NULL, *message = NULL;

  lb_packet_set (packet, "windows", windows);
  path = write_set (sink, packet, "augmented");
  {
    g_autoptr (GArray) members = lb_npz_read (path, 1 << 20, NULL);
    for (guint i = 0; i < members->len; i++)
      if (g_str_equal (g_array_index (members, LbNamedTensor, i).name, "ratio"))
        lb_tensor_f64 (g_array_index (members, LbNamedTensor, i).tensor)[1] = 0.75;
    g_assert_true (lb_npz_write (path, (LbNamedTensor *)(void *)members->data, members->len, FALSE, NULL));
  }
  message = g_strdup_printf ("%s: members 'grid' and 'ratio' are 1 and 0.5 of the height and 0.75 of the width, but "
                             "member 'windows' has 1 windows, the first of %g x %g pixels; expected those of the grid",
                             path, lb_tensor_f32 (windows)[3], lb_tensor_f32 (windows)[2]);
  lb_harness_set (source, "file", path);
  harness_refuses (source, LB_ERROR_INPUT, message);
}

/* A file whose images were put in place of those that were labelled. */
static void
test_refuses_labels_of_other_images (void)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink"), source = lb_harness_new ("npz-augmented-source");
  g_autoptr (LbPacket) packet = small_set (TRUE);
  g_autofree char *digest = lb_tensor_digest (lb_packet_get (packet, "images")), *path = NULL, *message = NULL;
  g_autofree char *other = NULL;

  lb_packet_set_text (packet, "labelled_images", digest);
  path = write_set (sink, packet, "augmented");
  {
    g_autoptr (GError) error = NULL;
    g_autoptr (GArray) members = lb_npz_read (path, 1 << 20, &error);
    g_assert_no_error (error);
    lb_tensor_f32 (g_array_index (members, LbNamedTensor, 0).tensor)[0] += 1;
    other = lb_tensor_digest (g_array_index (members, LbNamedTensor, 0).tensor);
    lb_npz_write (path, (LbNamedTensor *)(void *)members->data, members->len, FALSE, &error);
    g_assert_no_error (error);
  }
  message = g_strdup_printf (
      "%s: the dense labels are those of other images: they were made for images with the SHA-256 %s, but the set's "
      "images have %s; label these images anew, or put back those that were labelled",
      path, digest, other);
  lb_harness_set (source, "file", path);
  harness_refuses (source, LB_ERROR_INPUT, message);
}

static void
test_takes_numpys_own_dtypes (void)
{
  g_autoptr (LbHarness) source = lb_harness_new ("npz-source");
  g_autoptr (LbTensor) images = lb_tensor_new (LB_U8, LB_SHAPE (2, 1, 2, 2)),
                       labels = lb_tensor_new (LB_I64, LB_SHAPE (2));
  g_autoptr (LbTensor) mean = lb_tensor_new (LB_F64, LB_SHAPE (1)), std = lb_tensor_new (LB_F64, LB_SHAPE (1));
  g_autofree char *path = g_build_filename (lb_harness_directory (source), "numpy.npz", NULL);
  LbNamedTensor members[] = { { "images", images }, { "labels", labels }, { "mean", mean }, { "std", std } };

  lb_tensor_i64 (labels)[1] = 4;
  lb_tensor_f64 (std)[0] = 0.5;
  g_assert_true (lb_npz_write (path, members, 4, FALSE, NULL));
  lb_harness_set (source, "file", path);
  lb_harness_set (source, "classes", "5");
  harness_run_well (source);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (lb_harness_output (source, "samples", 0), "labels"))[1], ==, 4);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (lb_harness_output (source, "samples", 0), "std"))[0], ==, 0.5f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/npz/samples-come-back", "false", test_samples_come_back);
  g_test_add_data_func ("/npz/compressed-samples-come-back", "true", test_samples_come_back);
  g_test_add_func ("/npz/augmented-samples-come-back", test_augmented_samples_come_back);
  g_test_add_func ("/npz/storage-of-images", test_storage_of_images);
  g_test_add_func ("/npz/refuses-what-half-precision-cannot-hold", test_refuses_what_half_precision_cannot_hold);
  g_test_add_func ("/npz/the-same-set-gives-the-same-bytes", test_the_same_set_gives_the_same_bytes);
  g_test_add_func ("/npz/packets-are-joined", test_packets_are_joined);
  g_test_add_func ("/npz/refuses-bad-samples", test_refuses_bad_samples);
  g_test_add_func ("/npz/stored-labels-come-back", test_stored_labels_come_back);
  g_test_add_func ("/npz/refuses-labels-of-other-images", test_refuses_labels_of_other_images);
  g_test_add_func ("/npz/tells-the-grid-of-windows", test_tells_the_grid_of_windows);
  g_test_add_func ("/npz/refuses-another-grid", test_refuses_another_grid);
  g_test_add_func ("/npz/refuses-bad-dense-labels", test_refuses_bad_dense_labels);
  g_test_add_func ("/npz/takes-numpys-own-dtypes", test_takes_numpys_own_dtypes);
  return g_test_run ();
}
