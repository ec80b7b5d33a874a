/* The tensors stage: sets that others made. */
#include "one-file.h"
#include "plugins/harness.h"

/* Writes images of this dtype whose element i is i * @factor, and labels. */
static LbHarness *
harness_with (OneFile *fixture, LbDType dtype, LbShape shape, double factor)
{
  g_autoptr (LbTensor) images = lb_tensor_new (dtype, shape), labels = lb_tensor_new (LB_I64, LB_SHAPE (2));
  g_autoptr (LbTensor) mean = f32_of (LB_SHAPE (2), (const float[]){ 0.5f, 0.25f });
  LbNamedTensor tensors[] = { { "images", images }, { "labels", labels }, { "m", mean }, { "s", mean } };
  LbHarness *h = lb_harness_new ("tensors");

  lb_tensor_i64 (labels)[0] = 2;
  for (gint64 i = 0; i < lb_tensor_size (images); i++)
    if (dtype == LB_U8)
      lb_tensor_u8 (images)[i] = (guint8)(i * factor);
    else if (dtype == LB_F64)
      lb_tensor_f64 (images)[i] = (double)i * factor;
    else
      lb_tensor_f32 (images)[i] = (float)((double)i * factor);
  g_assert_true (lb_npz_write (fixture->path, tensors, 4, FALSE, NULL));
  lb_harness_set (h, "file", fixture->path);
  return h;
}

static LbHarness *
distilled (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "golden", "distilled.pt", NULL);
  LbHarness *h = lb_harness_new ("tensors");

  lb_harness_set (h, "file", path);
  lb_harness_set (h, "images", "data.0.0");
  return h;
}

/* A file as DC writes it: image i is i in red, -i in green and 0.5 in blue, labels 0 0 1 1. */
static void
test_reads_what_dc_writes (void)
{
  g_autoptr (LbHarness) h = distilled ();

  lb_harness_set (h, "labels", "data.0.1");
  lb_harness_set (h, "normalisation", "cifar10");
  harness_run_well (h);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  LbTensor *images = lb_packet_get (packet, "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (4, 3, 8, 8)));
  const float *value = lb_tensor_f32 (images);
  for (int i = 0; i < 4; i++)
    for (int p = 0; p < 64; p++) {
      const float *red = value + i * 192 + p;
      g_assert_true (red[0] == (float)i && red[64] == (float)-i && red[128] == 0.5f);
    }
  const gint32 *labels = lb_tensor_i32 (lb_packet_get (packet, "labels"));
  g_assert_true (labels[0] == 0 && labels[1] == 0 && labels[2] == 1 && labels[3] == 1);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (packet, "mean"))[2], ==, 0.4465f);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (packet, "std"))[0], ==, 0.2023f);
  g_assert_nonnull (strstr (lb_harness_report (h), "f32 images of 2 classes, stored values from -3 to 3"));
}

static void
test_labels_by_order (void)
{
  g_autoptr (LbHarness) h = distilled (), wrong = distilled ();
  g_autofree char *message = NULL;

  lb_harness_set (h, "images-per-class", "1");
  lb_harness_set (h, "mean", "0.5");
  lb_harness_set (h, "std", "0.25");
  harness_run_well (h);
  for (int i = 0; i < 4; i++)
    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (lb_harness_output (h, "samples", 0), "labels"))[i], ==, i);
  lb_harness_set (wrong, "images-per-class", "3");
  lb_harness_set (wrong, "normalisation", "svhn");
  message = g_strdup_printf ("%s/golden/distilled.pt: has 4 images, but 'images-per-class' is 3 and 'classes' 0; "
                             "expected the product of the two (classes 0: any multiple, of at most 100000)",
                             g_test_get_dir (G_TEST_DIST));
  harness_refuses (wrong, LB_ERROR_INPUT, message);
}

static char *
put_npy (OneFile *fixture, const char *name, LbTensor *tensor)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  char *path = g_build_filename (fixture->directory, name, NULL);

  lb_npy_append (bytes, tensor);
  g_assert_true (g_file_set_contents (path, (const char *)bytes->data, bytes->len, NULL));
  return path;
}

/* Images and labels in a file each, as MTT leaves them; the tensors have no names. */
static void
test_two_files (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbTensor) images = lb_tensor_new (LB_U8, LB_SHAPE (2, 1, 2, 2)),
                       labels = lb_tensor_new (LB_U8, LB_SHAPE (2));
  g_autofree char *first = put_npy (fixture, "images.npy", images), *second = NULL;
  g_autoptr (LbHarness) h = lb_harness_new ("tensors");

  lb_tensor_u8 (labels)[0] = 4;
  second = put_npy (fixture, "labels.npy", labels);
  lb_harness_set (h, "file", first);
  lb_harness_set (h, "labels-file", second);
  lb_harness_set (h, "mean", "0.5");
  lb_harness_set (h, "std", "0.5");
  harness_run_well (h);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (lb_harness_output (h, "samples", 0), "labels"))[0], ==, 4);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (lb_harness_output (h, "samples", 0), "labels"))[1], ==, 0);
  g_unlink (first);
  g_unlink (second);
}

/* [2, 2, 3, 2]: channels last, so that channel k of pixel p is element 2 p + k. */
static void
test_channels_last (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbHarness) h = harness_with (fixture, LB_U8, LB_SHAPE (2, 2, 3, 2), 1);

  lb_harness_set (h, "layout", "nhwc");
  harness_run_well (h);
  LbTensor *images = lb_packet_get (lb_harness_output (h, "samples", 0), "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (2, 2, 2, 3)));
  for (int i = 0; i < 24; i++)
    g_assert_cmpint (lb_tensor_u8 (images)[i], ==, i / 12 * 12 + i % 6 * 2 + i / 6 % 2);
}

/* Values of 0 to 1 are normalised with the numbers that the file gives. */
static void
test_unit_values (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbHarness) h = harness_with (fixture, LB_F64, LB_SHAPE (2, 2, 1, 1), 0.25);

  lb_harness_set (h, "values", "unit");
  lb_harness_set (h, "mean-from", "m");
  lb_harness_set (h, "std-from", "s");
  harness_run_well (h);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  const float *value = lb_tensor_f32 (lb_packet_get (packet, "images"));
  g_assert_true (value[0] == -1 && value[1] == 0 && value[2] == 0 && value[3] == 2);
  g_assert_true (lb_tensor_f32 (lb_packet_get (packet, "mean"))[1] == 0.25f);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[0], ==, 2);
}

/* A set stored as halves stays as small, unless it has to be normalised. */
static void
test_halves (OneFile *fixture, gconstpointer data)
{
  const float values[] = { 1, -2.5f, 0.25f, 3 };
  g_autoptr (LbTensor) wide = f32_of (LB_SHAPE (2, 1, 1, 2), values), images = lb_tensor_convert (wide, LB_F16);
  g_autofree char *path = put_npy (fixture, "images.npy", images);

  for (int unit = 0; unit < 2; unit++) {
    g_autoptr (LbHarness) h = lb_harness_new ("tensors");

    lb_harness_set (h, "file", path);
    lb_harness_set (h, "images-per-class", "1");
    lb_harness_set (h, "values", unit ? "unit" : "by-type");
    lb_harness_set (h, "mean", "0.5");
    lb_harness_set (h, "std", "0.5");
    harness_run_well (h);
    LbTensor *found = lb_packet_get (lb_harness_output (h, "samples", 0), "images");
    if (!unit)
      assert_same_tensor (found, images);
    for (int i = 0; i < 4 && unit; i++)
      g_assert_cmpfloat (lb_tensor_f32 (found)[i], ==, values[i] * 2 - 1);
  }
  g_unlink (path);
}

static void
test_bytes_as_floats (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbHarness) h = harness_with (fixture, LB_F32, LB_SHAPE (2, 2, 2), 17);

  lb_harness_set (h, "layout", "nhw");
  lb_harness_set (h, "values", "bytes");
  harness_run_well (h);
  LbTensor *images = lb_packet_get (lb_harness_output (h, "samples", 0), "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (2, 1, 2, 2)));
  for (int i = 0; i < 8; i++)
    g_assert_cmpint (lb_tensor_u8 (images)[i], ==, i * 17);
}

/* Sets @property, and expects "FILE: @message". */
static void
refuses (OneFile *fixture, LbDType dtype, LbShape shape, double factor, const char *property, const char *value,
         const char *message)
{
  g_autoptr (LbHarness) h = harness_with (fixture, dtype, shape, factor);
  g_autofree char *whole = g_strdup_printf ("%s: %s", fixture->path, message);

  if (property)
    lb_harness_set (h, property, value);
  harness_refuses (h, LB_ERROR_INPUT, whole);
}

static void
test_refusals (OneFile *fixture, gconstpointer data)
{
  const LbShape shape = LB_SHAPE (2, 1, 2, 2);

  refuses (fixture, LB_F32, shape, 1, NULL, NULL,
           "holds numbers that are normalised already, from which mean and std cannot be computed; give 'mean' and "
           "'std', or 'normalisation'");
  refuses (fixture, LB_F32, shape, 40, "values", "bytes",
           "image 1 has the value 280 at channel 0, row 1, column 1; expected whole numbers from 0 to 255, as 'values' "
           "says: give another 'values'");
  refuses (fixture, LB_F64, shape, 1e308, NULL, NULL,
           "image 0 has the value 1e+308 at channel 0, row 0, column 1; expected finite numbers");
  refuses (fixture, LB_U8, shape, 1, "values", "unit",
           "the images are u8, which cannot be unit; say 'values: bytes' if they are 0 to 255");
  refuses (fixture, LB_U8, shape, 1, "layout", "nhw",
           "the images are [2, 1, 2, 2]; expected three dimensions with 'layout' nhw, and none of them 0: name another "
           "tensor with 'images', or another 'layout'");
  refuses (fixture, LB_U8, LB_SHAPE (3, 1, 2, 2), 1, NULL, NULL,
           "the tensor of labels has 2 labels for 3 images; expected one each");
  refuses (fixture, LB_U8, shape, 1, "classes", "2", "label 0 is 2; expected 0 to 1, as there are 2 classes");
  refuses (fixture, LB_U8, shape, 1, "labels", "m",
           "the tensor of labels is f32[2]; expected whole numbers (u8, i32 or i64), one for each image");
  refuses (fixture, LB_U8, shape, 1, "labels", "lables", "has no tensor 'lables'; it has 'images', 'labels', 'm', 's'");
}

static void
test_refuses_contradictions (OneFile *fixture, gconstpointer data)
{
  static const struct {
    const char *property, *value, *other, *other_value, *message;
  } pairs[] = {
    { "mean-from", "m", "layout", "nchw",
      "property 'mean-from': is given alone; give both, 'mean-from' and 'std-from'" },
    { "images-per-class", "1", "labels", "labels",
      "property 'images-per-class': is given beside labels; leave one of them out" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_autoptr (LbHarness) h = harness_with (fixture, LB_U8, LB_SHAPE (2, 2, 2, 2), 1);

    lb_harness_set (h, pairs[i].property, pairs[i].value);
    lb_harness_set (h, pairs[i].other, pairs[i].other_value);
    harness_refuses (h, LB_ERROR_PIPELINE, pairs[i].message);
  }
}

#define ADD(name, function) g_test_add ("/tensors/" name, OneFile, NULL, one_file_set_up, function, one_file_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tensors/reads-what-dc-writes", test_reads_what_dc_writes);
  g_test_add_func ("/tensors/labels-by-order", test_labels_by_order);
  ADD ("labels-may-be-in-a-file-of-their-own", test_two_files);
  ADD ("channels-last", test_channels_last);
  ADD ("unit-values-are-normalised-as-the-file-says", test_unit_values);
  ADD ("halves-stay-halves", test_halves);
  ADD ("bytes-may-be-floats", test_bytes_as_floats);
  ADD ("refuses-what-the-properties-do-not-describe", test_refusals);
  ADD ("refuses-contradicting-properties", test_refuses_contradictions);
  return g_test_run ();
}
