/* The .npy format: bytes as NumPy writes them, a round trip of every dtype and rank, and a sentence for each refusal.
 */
#include "base/error.h"
#include "base/random.h"
#include "tensor/npz.h"

#include <string.h>

static LbTensor *
random_tensor (LbDType dtype, guint rank)
{
  static const gint64 dims[LB_MAX_RANK] = { 3, 1, 2, 5, 2, 3 };
  LbShape shape = { .rank = rank };

  memcpy (shape.dim, dims, rank * sizeof (gint64));
  LbTensor *tensor = lb_tensor_new (dtype, shape);
  LbRandom random = lb_random (lb_key_index (lb_key (dtype), rank));
  for (gsize i = 0; i < lb_tensor_bytes (tensor); i++)
    ((guint8 *)lb_tensor_data (tensor))[i] = lb_random_below (&random, 256);
  return tensor;
}

static void
test_round_trip (void)
{
  for (guint dtype = 0; dtype < LB_N_DTYPES; dtype++) {
    for (guint rank = 0; rank <= LB_MAX_RANK; rank++) {
      g_autoptr (LbTensor) tensor = random_tensor (dtype, rank);
      g_autoptr (GByteArray) bytes = g_byte_array_new ();
      g_autoptr (GError) error = NULL;
      lb_npy_append (bytes, tensor);
      g_autoptr (LbTensor) read = lb_npy_parse ("x", bytes->data, bytes->len, &error);
      g_assert_no_error (error);
      g_assert_cmpint (lb_tensor_dtype (read), ==, dtype);
      g_assert_true (lb_shape_equal (lb_tensor_shape (read), lb_tensor_shape (tensor)));
      g_assert_cmpmem (lb_tensor_data (read), lb_tensor_bytes (read), lb_tensor_data (tensor),
                       lb_tensor_bytes (tensor));
    }
  }
}

/* What numpy.save writes for the same array. */
static void
test_bytes (void)
{
  static const char text[] = "\x93NUMPY\1\0v\0{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_I32, LB_SHAPE (2));
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  guint8 expected[136];

  lb_tensor_i32 (tensor)[0] = 1;
  lb_tensor_i32 (tensor)[1] = -1;
  memset (expected, ' ', 127);
  memcpy (expected, text, sizeof text - 1);
  expected[127] = '\n';
  memcpy (expected + 128, "\1\0\0\0\xFF\xFF\xFF\xFF", 8);
  lb_npy_append (bytes, tensor);
  g_assert_cmpmem (bytes->data, bytes->len, expected, 136);
}

/* An image of version @major with header @text and @n_data bytes 1. */
static GString *
image (guint8 major, const char *text, gsize n_data)
{
  GString *bytes = g_string_new ("\x93NUMPY");
  gsize length = strlen (text);

  g_string_append_c (bytes, major);
  g_string_append_c (bytes, 0);
  for (guint i = 0; i < (major == 1 ? 2 : 4); i++)
    g_string_append_c (bytes, (char)(length >> 8 * i));
  g_string_append (bytes, text);
  for (gsize i = 0; i < n_data; i++)
    g_string_append_c (bytes, 1);
  return bytes;
}

static void
test_variants (void)
{
  static const struct {
    guint8 major;
    const char *text;
    LbDType dtype;
    guint rank;
    gsize n_data;
  } cases[] = {
    { 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", LB_U8, 1, 3 },
    { 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }    \n", LB_F32, 2, 24 },
    { 3, "{\"shape\":(),\"fortran_order\":False,\"descr\":\"<f8\"}", LB_F64, 0, 8 },
    { 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 2,)}", LB_U8, 2, 4 },
    { 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 9), }", LB_I64, 2, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GString) bytes = image (cases[i].major, cases[i].text, cases[i].n_data);
    g_autoptr (GError) error = NULL;
    g_autoptr (LbTensor) tensor = lb_npy_parse ("x", bytes->str, bytes->len, &error);
    g_assert_no_error (error);
    g_assert_cmpint (lb_tensor_dtype (tensor), ==, cases[i].dtype);
    g_assert_cmpuint (lb_tensor_shape (tensor).rank, ==, cases[i].rank);
    g_assert_cmpuint (lb_tensor_bytes (tensor), ==, cases[i].n_data);
  }
}

#define HEADER(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"

static const struct {
  const char *name;
  guint8 major;
  const char *text;
  gsize n_data;
  const char *part;
} refusals[] = {
  { "big-endian", 1, HEADER ("'>f4'", "False", "(1,)"), 4, "'>f4' (big-endian numbers)" },
  { "complex-numbers", 1, HEADER ("'<c8'", "False", "(1,)"), 8, "'<c8' (a type that is not used here)" },
  { "objects", 1, HEADER ("'|O'", "False", "(1,)"), 8, "'|O' (Python objects)" },
  { "records", 1, HEADER ("[('x', '<f4')]", "False", "(1,)"), 4, "(records)" },
  { "fortran-order", 1, HEADER ("'<f4'", "True", "(2, 2)"), 16, "is in Fortran order" },
  { "order-of-another-type", 1, HEADER ("'<f4'", "0", "(2, 2)"), 16, "where True or False was expected" },
  { "seven-dimensions", 1, HEADER ("'|u1'", "False", "(1, 1, 1, 1, 1, 1, 1)"), 1, "has more than 6 dimensions" },
  { "negative-dimension", 1, HEADER ("'|u1'", "False", "(-1,)"), 1, "has '-1,)}' where a dimension was expected" },
  { "overflowing-dimension", 1, HEADER ("'|u1'", "False", "(99999999999999999999,)"), 1, "a dimension was expected" },
  { "overflowing-product", 1, HEADER ("'<f4'", "False", "(4294967296, 4294967296)"), 4,
    "more elements than any machine" },
  { "number-as-shape", 1, HEADER ("'|u1'", "False", "(1)"), 1, "where a comma was expected" },
  { "open-shape", 1, HEADER ("'|u1'", "False", "(1, "), 1, "where a dimension was expected" },
  { "expression", 1, HEADER ("'|u1'", "False", "(1+1,)"), 2, "where a comma was expected" },
  { "missing-key", 1, "{'descr': '|u1', 'fortran_order': False}", 1, "each of the keys" },
  { "unknown-key", 1, "{'descr': '|u1', 'order': False, 'shape': ()}", 1, "has ''order': False, 'shape'" },
  { "key-twice", 1, "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': ()}", 1, "each of the keys" },
  { "text-after-the-end", 1, HEADER ("'|u1'", "False", "()") "x", 1, "has 'x' where its end was expected" },
  { "no-dictionary", 1, "[1, 2]", 1, "where an opening brace was expected" },
  { "escapes", 1, "{'de\\x73cr': '|u1', 'fortran_order': False, 'shape': ()}", 1,
    "where a key in quotes was expected" },
  { "version-4", 4, HEADER ("'|u1'", "False", "()"), 1, "has the format version 4.0" },
  { "too-few-elements", 1, HEADER ("'<f4'", "False", "(2,)"), 7,
    "has 7 bytes of elements, where its header declares 8; the file is truncated" },
  { "too-many-elements", 1, HEADER ("'<f4'", "False", "(2,)"), 9,
    "has 9 bytes of elements, where its header declares 8" },
  { "lying-shape", 1, HEADER ("'<f4'", "False", "(1000000000000,)"), 8, "where its header declares 4000000000000" },
};

static void
test_refusal (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (GString) bytes = image (refusals[i].major, refusals[i].text, refusals[i].n_data);
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_npy_parse ("a.npy", bytes->str, bytes->len, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, "a.npy: "));
  if (strstr (error->message, refusals[i].part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, refusals[i].part);
}

static void
test_bad_bool (void)
{
  g_autoptr (GString) bytes = image (1, HEADER ("'|b1'", "False", "(2,)"), 2);
  g_autoptr (GError) error = NULL;

  bytes->str[bytes->len - 1] = 2;
  g_assert_null (lb_npy_parse ("a.npy", bytes->str, bytes->len, &error));
  g_assert_nonnull (strstr (error->message, "element 1 of a bool array is 2, where 0 or 1 was expected"));
}

static void
test_long_header (void)
{
  g_autofree char *spaces = g_strnfill (1 << 20, ' ');
  g_autofree char *text = g_strconcat (HEADER ("'|u1'", "False", "()"), spaces, NULL);
  g_autoptr (GString) bytes = image (2, text, 1);
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_npy_parse ("a.npy", bytes->str, bytes->len, &error));
  g_assert_nonnull (strstr (error->message, "header longer than any plain array needs"));
}

/* Exact copies, so that a sanitizer sees a byte read too many. */
static void
test_every_prefix (void)
{
  for (guint8 major = 1; major <= 2; major++) {
    g_autoptr (GString) bytes = image (major, HEADER ("'<f4'", "False", "(2,)") "  \n", 8);
    for (gsize length = 0; length < bytes->len; length++) {
      g_autofree char *part = g_memdup2 (bytes->str, MAX (length, 1));
      g_autoptr (GError) error = NULL;
      g_assert_null (lb_npy_parse ("a.npy", part, length, &error));
      g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    }
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/npy/every-dtype-and-rank-comes-back", test_round_trip);
  g_test_add_func ("/npy/bytes-are-those-of-numpy", test_bytes);
  g_test_add_func ("/npy/reads-other-spellings-and-versions", test_variants);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *name = g_strconcat ("/npy/refuses/", refusals[i].name, NULL);
    g_test_add_data_func (name, GUINT_TO_POINTER (i), test_refusal);
  }
  g_test_add_func ("/npy/refuses/bool-of-2", test_bad_bool);
  g_test_add_func ("/npy/refuses/long-header", test_long_header);
  g_test_add_func ("/npy/refuses/every-prefix", test_every_prefix);
  return g_test_run ();
}
