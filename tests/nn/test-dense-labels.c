/* Dense labels as they are stored, and what is read of them. */
#include "nn/numeric.h"

#include "nn/dense-labels.h"

#define WHOSE "labels.augmented"

/* @values, a row for each of @n images with one view, stored and read again. */
static LbTensor *
there_and_back (const float *values, gint64 n, gint64 classes, LbLabelPrecision precision, gint64 kept,
                LbTensor **labels, LbTensor **named)
{
  g_autoptr (LbTensor) probabilities = tensor_of (LB_SHAPE (n, 1, classes), values);
  g_autoptr (GError) error = NULL;
  LbTensor *decoded;

  lb_dense_labels_encode (probabilities, precision, kept, labels, named);
  decoded = lb_dense_labels_decode (WHOSE, *labels, *named, n, 1, classes, &error);
  g_assert_no_error (error);
  return decoded;
}

static void
test_bytes_of_a_label (void)
{
  g_assert_cmpint (lb_dense_labels_bytes (LB_LABELS_F32, 3, 10), ==, 40);
  g_assert_cmpint (lb_dense_labels_bytes (LB_LABELS_F16, 3, 10), ==, 20);
  g_assert_cmpint (lb_dense_labels_bytes (LB_LABELS_U8, 3, 10), ==, 10);
  g_assert_cmpint (lb_dense_labels_bytes (LB_LABELS_TOP_K, 3, 10), ==, 6);
  g_assert_cmpint (lb_dense_labels_bytes (LB_LABELS_TOP_K, 3, 256), ==, 6);
  g_assert_cmpint (lb_dense_labels_bytes (LB_LABELS_TOP_K, 3, 257), ==, 15);
}

/* What is stored takes the bytes that were told, and what is read are distributions near those that were stored. */
static void
test_every_precision_there_and_back (void)
{
  /* The largest distance from a probability. */
  static const double errors[] = { 0, 1.0 / 2048, 1.0 / 255, 1 };
  enum { N = 40, CLASSES = 10 };
  float values[N * CLASSES];
  LbRandom random = lb_random (lb_key (4));

  for (int i = 0; i < N; i++) {
    double sum = 0;
    for (int k = 0; k < CLASSES; k++)
      sum += values[i * CLASSES + k] = (float)(lb_random_uniform (&random) * (k == i % CLASSES ? 50 : 1));
    for (int k = 0; k < CLASSES; k++)
      values[i * CLASSES + k] = (float)(values[i * CLASSES + k] / sum);
  }
  for (LbLabelPrecision precision = LB_LABELS_F32; precision <= LB_LABELS_TOP_K; precision++) {
    g_autoptr (LbTensor) labels = NULL, named = NULL;
    g_autoptr (LbTensor) decoded = there_and_back (values, N, CLASSES, precision, 4, &labels, &named);
    gsize bytes = lb_tensor_bytes (labels) + (named ? lb_tensor_bytes (named) : 0);

    g_assert_cmpuint (bytes, ==, (gsize)(N * lb_dense_labels_bytes (precision, 4, CLASSES)));
    for (int i = 0; i < N; i++) {
      double sum = 0;
      for (int k = 0; k < CLASSES; k++) {
        float p = lb_tensor_f32 (decoded)[i * CLASSES + k];
        sum += p;
        g_assert_cmpfloat (fabs (p - values[i * CLASSES + k]), <=, errors[precision]);
      }
      g_assert_cmpfloat (fabs (sum - 1), <, precision == LB_LABELS_F16 ? 1e-3 : 1e-6);
    }
  }
}

static void
test_parts_sum_to_255 (void)
{
  const float values[] = { 0.5f, 0.25f, 0.25f };
  g_autoptr (LbTensor) labels = NULL, named = NULL;
  g_autoptr (LbTensor) decoded = there_and_back (values, 1, 3, LB_LABELS_U8, 0, &labels, &named);
  const guint8 *q = lb_tensor_u8 (labels);

  /* 127.5, 63.75, 63.75: the two that lost 0.75 get the two missing parts. */
  g_assert_cmpint (q[0], ==, 127);
  g_assert_cmpint (q[1], ==, 64);
  g_assert_cmpint (q[2], ==, 64);
  g_assert_null (named);
  g_assert_cmpfloat (lb_tensor_f32 (decoded)[0], ==, 127 / 255.0f);
}

static void
test_top_k_shares_the_rest (void)
{
  const float values[] = { 0.125f, 0.0625f, 0.5f, 0.25f, 0.0625f };
  g_autoptr (LbTensor) labels = NULL, named = NULL;
  g_autoptr (LbTensor) decoded = there_and_back (values, 1, 5, LB_LABELS_TOP_K, 2, &labels, &named);
  const float *p = lb_tensor_f32 (decoded);

  /* 127.5, 63.75 and the rest 63.75. */
  g_assert_cmpint (lb_tensor_u8 (named)[0], ==, 2);
  g_assert_cmpint (lb_tensor_u8 (named)[1], ==, 3);
  g_assert_cmpint (lb_tensor_u8 (labels)[0], ==, 127);
  g_assert_cmpint (lb_tensor_u8 (labels)[1], ==, 64);
  g_assert_cmpfloat (p[2], ==, 127 / 255.0f);
  for (int k = 0; k < 5; k++)
    if (k != 2 && k != 3)
      g_assert_cmpfloat (p[k], ==, 64 / (3 * 255.0f));
}

static void
test_many_classes_are_named_in_i32 (void)
{
  float values[300] = { 0 };
  g_autoptr (LbTensor) labels = NULL, named = NULL, decoded = NULL;

  values[299] = 0.75f;
  values[7] = 0.25f;
  decoded = there_and_back (values, 1, 300, LB_LABELS_TOP_K, 2, &labels, &named);
  g_assert_cmpint (lb_tensor_i32 (named)[0], ==, 299);
  g_assert_cmpint (lb_tensor_i32 (named)[1], ==, 7);
  g_assert_cmpfloat (fabs (lb_tensor_f32 (decoded)[299] - 0.75), <, 1.0 / 255);
}

static LbTensor *
u8_of (LbShape shape, const guint8 *values)
{
  LbTensor *tensor = lb_tensor_new (LB_U8, shape);

  memcpy (lb_tensor_u8 (tensor), values, lb_tensor_bytes (tensor));
  return tensor;
}

/* Takes both tensors. */
static void
refuses (LbTensor *labels, LbTensor *named, const char *message)
{
  g_autoptr (LbTensor) stored = labels, names = named;
  g_autoptr (LbTensor) decoded = NULL;
  g_autoptr (GError) error = NULL;

  decoded = lb_dense_labels_decode (WHOSE, stored, names, 1, 2, 3, &error);
  g_assert_null (decoded);
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_what_is_no_distribution_is_refused (void)
{
  LbShape all = LB_SHAPE (1, 2, 3), two = LB_SHAPE (1, 2, 2);
  const guint8 parts[] = { 255, 0, 0, 100, 100, 54 }, top[] = { 200, 55, 200, 56 }, good[] = { 200, 55, 200, 40 };

  refuses (tensor_of (all, (const float[]){ 1, 0, 0, 0.5f, 0.5f, 0.5f }), NULL,
           "labels.augmented: dense label of view 1 of image 0 is not a distribution (it sums to 1.5); expected "
           "probabilities that sum to 1");
  refuses (tensor_of (all, (const float[]){ 1, 0, 0, NAN, 0.5f, 0.5f }), NULL,
           "labels.augmented: dense label of view 1 of image 0 is not a distribution (it sums to nan); expected "
           "probabilities that sum to 1");
  refuses (
      u8_of (all, parts), NULL,
      "labels.augmented: dense label of view 1 of image 0 is not a distribution: its parts sum to 254; expected u8 "
      "that sum to 255");
  refuses (
      u8_of (two, top), u8_of (two, (const guint8[]){ 0, 1, 0, 1 }),
      "labels.augmented: dense label of view 1 of image 0 is not a distribution: its parts sum to 256; expected u8 "
      "that sum to at most 255");
  refuses (
      u8_of (two, good), u8_of (two, (const guint8[]){ 0, 1, 2, 2 }),
      "labels.augmented: dense label of view 1 of image 0 names class 2 twice; expected different classes from 0 to "
      "2");
  refuses (u8_of (two, good), u8_of (two, (const guint8[]){ 0, 1, 3, 2 }),
           "labels.augmented: dense label of view 1 of image 0 names class 3; expected different classes from 0 to 2");
}

static void
test_other_shapes_are_refused (void)
{
  refuses (lb_tensor_new (LB_F32, LB_SHAPE (1, 2, 4)), NULL,
           "labels.augmented: dense labels are [1, 2, 4]; expected [1, 2, 3]: images, windows, classes");
  refuses (lb_tensor_new (LB_F32, LB_SHAPE (1, 2, 2)), lb_tensor_new (LB_U8, LB_SHAPE (1, 2, 2)),
           "labels.augmented: dense labels are f32[1, 2, 2] of the classes named in u8[1, 2, 2]; expected u8 and u8 of "
           "one shape, and at most the 3 classes that there are");
  refuses (lb_tensor_new (LB_U8, LB_SHAPE (1, 2, 2)), lb_tensor_new (LB_U8, LB_SHAPE (1, 2, 1)),
           "labels.augmented: dense labels are u8[1, 2, 2] of the classes named in u8[1, 2, 1]; expected u8 and u8 of "
           "one shape, and at most the 3 classes that there are");
}

static void
test_labels_of_other_images_are_refused (void)
{
  g_autoptr (LbTensor) ours = TENSOR (LB_SHAPE (1, 1, 1, 2), 0, 1), theirs = TENSOR (LB_SHAPE (1, 1, 1, 2), 0, 2);
  g_autofree char *digest = lb_tensor_digest (theirs), *own = lb_tensor_digest (ours), *expected = NULL;
  g_autoptr (GError) error = NULL;

  expected = g_strdup_printf ("labels.augmented: the dense labels are those of other images: they were made for images "
                              "with the SHA-256 %s, but "
                              "the set's images have %s; label these images anew, or put back those that were labelled",
                              digest, own);
  g_assert_true (lb_dense_labels_check_images (WHOSE, own, ours, &error));
  g_assert_true (lb_dense_labels_check_images (WHOSE, NULL, ours, &error));
  g_assert_false (lb_dense_labels_check_images (WHOSE, digest, ours, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dense-labels/bytes-of-a-label", test_bytes_of_a_label);
  g_test_add_func ("/dense-labels/every-precision-there-and-back", test_every_precision_there_and_back);
  g_test_add_func ("/dense-labels/parts-sum-to-255", test_parts_sum_to_255);
  g_test_add_func ("/dense-labels/top-k-shares-the-rest", test_top_k_shares_the_rest);
  g_test_add_func ("/dense-labels/many-classes-are-named-in-i32", test_many_classes_are_named_in_i32);
  g_test_add_func ("/dense-labels/what-is-no-distribution-is-refused", test_what_is_no_distribution_is_refused);
  g_test_add_func ("/dense-labels/other-shapes-are-refused", test_other_shapes_are_refused);
  g_test_add_func ("/dense-labels/labels-of-other-images-are-refused", test_labels_of_other_images_are_refused);
  return g_test_run ();
}
