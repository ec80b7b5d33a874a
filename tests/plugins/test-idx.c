/* The idx stage: what it reads, and files that are not what they say. */
#include "plugins/harness.h"

#include <gio/gio.h>

typedef struct {
  char *directory, *images, *labels;
} Files;

static void
files_clear (Files *files)
{
  g_unlink (files->images);
  g_unlink (files->labels);
  g_rmdir (files->directory);
  g_free (files->directory);
  g_free (files->images);
  g_free (files->labels);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Files, files_clear)

/* Three images of 2 x 2: 0 1 2 3, 10 11 12 13, 20 21 22 23, and their labels 2, 0, 1. */
static const guint8 good_images[]
    = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23 };
static const guint8 good_labels[] = { 0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1 };

static void
write_file (const char *path, const guint8 *bytes, gsize n, gboolean zipped)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GOutputStream) plain = G_OUTPUT_STREAM (g_file_replace (file, NULL, FALSE, 0, NULL, NULL));
  g_autoptr (GConverter) zip = G_CONVERTER (g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, -1));
  g_autoptr (GOutputStream) out = zipped ? g_converter_output_stream_new (plain, zip) : g_object_ref (plain);

  g_assert_true (g_output_stream_write_all (out, bytes, n, NULL, NULL, NULL));
  g_assert_true (g_output_stream_close (out, NULL, NULL));
}

static Files
files_new (gboolean zipped)
{
  Files files = { g_dir_make_tmp ("limbeck-idx-XXXXXX", NULL) };

  files.images = g_build_filename (files.directory, "images", NULL);
  files.labels = g_build_filename (files.directory, "labels", NULL);
  write_file (files.images, good_images, sizeof good_images, zipped);
  write_file (files.labels, good_labels, sizeof good_labels, zipped);
  return files;
}

static LbHarness *
idx (const Files *files)
{
  LbHarness *h = lb_harness_new ("idx");

  lb_harness_set (h, "images", files->images);
  lb_harness_set (h, "labels", files->labels);
  lb_harness_set (h, "classes", "3");
  return h;
}

static void
test_reads (gconstpointer zipped)
{
  g_auto (Files) files = files_new (GPOINTER_TO_INT (zipped));
  g_autoptr (LbHarness) h = idx (&files);
  LbPacket *packet;
  LbTensor *images;
  const double mean = 138 / 12.0 / 255;
  double squares = 0;

  harness_run_well (h);
  packet = lb_harness_output (h, "samples", 0);
  images = lb_packet_get (packet, "images");
  g_assert_cmpint (lb_tensor_dtype (images), ==, LB_U8);
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (3, 1, 2, 2)));
  g_assert_cmpmem (lb_tensor_data (images), 12, good_images + 16, 12);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[0], ==, 2);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[2], ==, 1);
  for (int i = 0; i < 12; i++)
    squares += (good_images[16 + i] / 255.0 - mean) * (good_images[16 + i] / 255.0 - mean);
  g_assert_cmpfloat (fabs (lb_tensor_f32 (lb_packet_get (packet, "mean"))[0] - mean), <, 1e-8);
  g_assert_cmpfloat (fabs (lb_tensor_f32 (lb_packet_get (packet, "std"))[0] - sqrt (squares / 12)), <, 1e-8);
}

static void
test_limit_takes_the_first (void)
{
  g_auto (Files) files = files_new (TRUE);
  g_autoptr (LbHarness) h = idx (&files);
  LbPacket *packet;

  lb_harness_set (h, "limit", "2");
  lb_harness_set (h, "mean", "0.25");
  lb_harness_set (h, "std", "0.5");
  harness_run_well (h);
  packet = lb_harness_output (h, "samples", 0);
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (packet, "images"), 0), ==, 2);
  g_assert_cmpint (lb_tensor_size (lb_packet_get (packet, "labels")), ==, 2);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (packet, "mean"))[0], ==, 0.25f);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (packet, "std"))[0], ==, 0.5f);
}

/* Writes @bytes as the images (or labels) file and expects "PATH: @message". */
static void
refuses (gboolean images, const guint8 *bytes, gsize n, gboolean zipped, const char *message)
{
  g_auto (Files) files = files_new (FALSE);
  const char *path = images ? files.images : files.labels;
  g_autoptr (LbHarness) h = idx (&files);
  g_autofree char *whole = g_strdup_printf ("%s: %s", path, message);

  write_file (path, bytes, n, zipped);
  harness_refuses (h, LB_ERROR_INPUT, whole);
}

/* The good images with byte @at changed. */
static void
refuses_byte (gsize at, guint8 value, const char *message)
{
  guint8 bytes[sizeof good_images];

  memcpy (bytes, good_images, sizeof bytes);
  bytes[at] = value;
  refuses (TRUE, bytes, sizeof bytes, FALSE, message);
}

static void
test_refuses_wrong_headers (void)
{
  refuses_byte (2, 9, "begins with 0x00000903; expected 0x00000803, the mark of an IDX file of images");
  refuses_byte (
      3, 1,
      "begins with 0x00000801; expected 0x00000803, the mark of an IDX file of images; are 'images' and 'labels' "
      "exchanged?");
  refuses_byte (7, 0, "its header tells of 0 entries; expected 1 to 2147483647");
  refuses_byte (8, 1, "its header tells of 16777218 rows; expected 1 to 16384");
  refuses_byte (
      4, 0x7f,
      "its header promises 8522825740 bytes of data, more than the file can hold; the file is truncated or its header "
      "is wrong, get it again");
  refuses_byte (
      11, 1,
      "goes on after the data that its header promises; the file is damaged or its header is wrong, get it again");
  refuses (TRUE, good_images, 10, FALSE,
           "ends 6 bytes short of an IDX header; the file is truncated or its header is wrong, get it again");
  refuses (TRUE, good_images, 0, FALSE,
           "ends 16 bytes short of an IDX header; the file is truncated or its header is wrong, get it again");
}

/* Label counts are compared before any data is read. */
static void
test_refuses_another_number_of_labels (void)
{
  g_auto (Files) files = files_new (FALSE);
  g_autoptr (LbHarness) h = idx (&files);
  const guint8 two[] = { 0, 0, 8, 1, 0, 0, 0, 2, 2, 0 };
  g_autofree char *message = g_strdup_printf (
      "%s: holds 2 labels, but %s holds 3 images; expected one label for each image", files.labels, files.images);

  write_file (files.labels, two, sizeof two, FALSE);
  harness_refuses (h, LB_ERROR_INPUT, message);
}

static void
test_refuses_labels_out_of_range (void)
{
  guint8 labels[sizeof good_labels];

  memcpy (labels, good_labels, sizeof labels);
  labels[9] = 3;
  refuses (FALSE, labels, sizeof labels, FALSE, "label 1 is 3; expected 0 to 2, as 'classes' is 3");
}

/* A gzip file that stops early, and one whose data does. */
static void
test_refuses_truncated_gzip (void)
{
  g_auto (Files) files = files_new (TRUE);
  g_autofree char *zipped = NULL;
  gsize n = 0;

  refuses (
      TRUE, good_images, sizeof good_images - 1, TRUE,
      "ends 1 bytes short of what its header promises; the file is truncated or its header is wrong, get it again");
  g_assert_true (g_file_get_contents (files.images, &zipped, &n, NULL));
  for (gsize length = 3; length < n; length++) {
    g_autoptr (LbHarness) h = idx (&files);
    g_autoptr (GError) error = NULL;

    write_file (files.images, (guint8 *)zipped, length, FALSE);
    g_assert_false (lb_harness_run (h, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_true (g_str_has_prefix (error->message, files.images));
  }
}

static void
test_refuses_what_is_not_there (void)
{
  g_auto (Files) files = files_new (FALSE);
  g_autoptr (LbHarness) h = idx (&files);
  g_autofree char *path = g_build_filename (files.directory, "none", NULL);
  g_autofree char *message = g_strdup_printf ("%s: cannot be read: there is no such file; check the path", path);

  lb_harness_set (h, "images", path);
  harness_refuses (h, LB_ERROR_INPUT, message);
}

static void
test_refuses_images_without_deviation (void)
{
  guint8 bytes[sizeof good_images];

  memcpy (bytes, good_images, sizeof bytes);
  memset (bytes + 16, 7, 12);
  refuses (TRUE, bytes, sizeof bytes, FALSE,
           "all pixels have the same value, so there is no deviation to normalise with; give 'std' if that is what you "
           "want");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/idx/reads-plain-files", GINT_TO_POINTER (FALSE), test_reads);
  g_test_add_data_func ("/idx/reads-gzip-files", GINT_TO_POINTER (TRUE), test_reads);
  g_test_add_func ("/idx/limit-takes-the-first", test_limit_takes_the_first);
  g_test_add_func ("/idx/refuses-wrong-headers", test_refuses_wrong_headers);
  g_test_add_func ("/idx/refuses-another-number-of-labels", test_refuses_another_number_of_labels);
  g_test_add_func ("/idx/refuses-labels-out-of-range", test_refuses_labels_out_of_range);
  g_test_add_func ("/idx/refuses-truncated-gzip", test_refuses_truncated_gzip);
  g_test_add_func ("/idx/refuses-what-is-not-there", test_refuses_what_is_not_there);
  g_test_add_func ("/idx/refuses-images-without-deviation", test_refuses_images_without_deviation);
  return g_test_run ();
}
