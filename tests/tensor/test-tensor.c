/* Dtypes, shapes, tensors, views and digests. */
#include "tensor/tensor.h"

#include <string.h>

static void
test_dtypes (void)
{
  static const gsize sizes[LB_N_DTYPES] = { 1, 4, 8, 4, 8, 2 };

  for (guint i = 0; i < LB_N_DTYPES; i++) {
    LbDType dtype = LB_N_DTYPES;
    g_assert_true (lb_dtype_from_name (lb_dtype_name (i), &dtype));
    g_assert_cmpint (dtype, ==, i);
    g_assert_cmpuint (lb_dtype_size (i), ==, sizes[i]);
  }
  LbDType untouched = LB_I64;
  g_assert_false (lb_dtype_from_name ("f128", &untouched));
  g_assert_false (lb_dtype_from_name ("", &untouched));
  g_assert_cmpint (untouched, ==, LB_I64);
}

static void
test_shapes (void)
{
  LbShape shape = LB_SHAPE (256, 28, 28, 1);
  g_autofree char *text = lb_shape_to_string (shape), *scalar = lb_shape_to_string (LB_SCALAR);
  g_autofree char *row = lb_shape_to_string (LB_SHAPE (3));

  g_assert_cmpstr (text, ==, "[256, 28, 28, 1]");
  g_assert_cmpstr (scalar, ==, "[]");
  g_assert_cmpstr (row, ==, "[3]");
  g_assert_cmpint (lb_shape_size (shape), ==, 256 * 28 * 28);
  g_assert_cmpint (lb_shape_size (LB_SCALAR), ==, 1);
  g_assert_cmpint (lb_shape_size (LB_SHAPE (3, 0, 5)), ==, 0);
  g_assert_true (lb_shape_equal (shape, LB_SHAPE (256, 28, 28, 1)));
  g_assert_false (lb_shape_equal (shape, LB_SHAPE (256, 28, 28)));
  g_assert_false (lb_shape_equal (shape, LB_SHAPE (256, 28, 28, 2)));
}

static void
test_impossible_shapes (void)
{
  gint64 huge = G_GINT64_CONSTANT (1) << 40;
  gsize bytes = 1;

  g_assert_cmpint (lb_shape_size (LB_SHAPE (huge, huge)), ==, G_MAXINT64);
  g_assert_cmpint (lb_shape_size (LB_SHAPE (huge, huge, 0)), ==, 0);
  g_assert_false (lb_shape_bytes (LB_SHAPE (huge, huge), LB_U8, &bytes));
  g_assert_false (lb_shape_bytes (LB_SHAPE (G_MAXINT64), LB_F32, &bytes));
  g_assert_false (lb_shape_bytes (LB_SHAPE (-1), LB_F32, &bytes));
  g_assert_false (lb_shape_bytes ((LbShape){ .rank = LB_MAX_RANK + 1 }, LB_F32, &bytes));
  g_assert_true (lb_shape_bytes (LB_SHAPE (huge, huge, 0), LB_F32, &bytes));
  g_assert_cmpuint (bytes, ==, 0);
  g_assert_true (lb_shape_bytes (LB_SHAPE (2, 3), LB_F64, &bytes));
  g_assert_cmpuint (bytes, ==, 48);
  g_assert_null (lb_tensor_try_new (LB_F32, LB_SHAPE (huge, huge)));
  g_assert_null (lb_tensor_try_new (LB_F32, LB_SHAPE (-2)));
}

static void
test_no_memory (void)
{
  if (g_test_subprocess ()) {
    lb_tensor_new (LB_F32, LB_SHAPE (G_MAXINT64 / 2));
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*no memory for a tensor f32?4611686018427387903?*");
}

static void
test_new (void)
{
  for (gint64 n = 0; n < 100000; n = n * 2 + 1) {
    g_autoptr (LbTensor) tensor = lb_tensor_new (LB_I32, LB_SHAPE (n, 2));
    g_assert_cmpint (lb_tensor_dtype (tensor), ==, LB_I32);
    g_assert_cmpint (lb_tensor_dim (tensor, 0), ==, n);
    g_assert_cmpint (lb_tensor_dim (tensor, 1), ==, 2);
    g_assert_cmpint (lb_tensor_size (tensor), ==, 2 * n);
    g_assert_cmpuint (lb_tensor_bytes (tensor), ==, 8 * n);
    g_assert_cmpuint ((guintptr)lb_tensor_data (tensor) % 64, ==, 0);
    for (gint64 i = 0; i < 2 * n; i++)
      g_assert_cmpint (lb_tensor_i32 (tensor)[i], ==, 0);
    memset (lb_tensor_data (tensor), 0xFF, lb_tensor_bytes (tensor));
  }
}

static void
test_typed_access (void)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F32, LB_SHAPE (2));

  g_assert_true (lb_tensor_f32 (tensor) == lb_tensor_data (tensor));
  g_test_expect_message (NULL, G_LOG_LEVEL_CRITICAL, "*LB_F64*failed");
  g_assert_null (lb_tensor_f64 (tensor));
  g_test_assert_expected_messages ();
}

static void
count_release (gpointer data)
{
  (*(guint *)data)++;
}

static void
test_view (void)
{
  gint32 numbers[12];
  guint released = 0;

  for (gint32 i = 0; i < 12; i++)
    numbers[i] = i;
  LbTensor *tensor = lb_tensor_wrap (LB_I32, LB_SHAPE (3, 4), numbers, &released, count_release);
  LbTensor *row = lb_tensor_view (tensor, 4, LB_SHAPE (2, 4));
  LbTensor *part = lb_tensor_view (row, 5, LB_SHAPE (3));
  LbTensor *nothing = lb_tensor_view (part, 3, LB_SHAPE (0));
  g_assert_true (lb_tensor_i32 (part) == numbers + 9);
  lb_tensor_unref (tensor);
  lb_tensor_unref (row);
  g_assert_cmpuint (released, ==, 0);
  g_assert_cmpint (lb_tensor_i32 (part)[2], ==, 11);
  numbers[11] = -1;
  g_assert_cmpint (lb_tensor_i32 (part)[2], ==, -1);
  lb_tensor_unref (part);
  g_assert_cmpuint (released, ==, 0);
  lb_tensor_unref (nothing);
  g_assert_cmpuint (released, ==, 1);
}

static void
test_view_bounds (void)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F32, LB_SHAPE (10));
  static const gint64 starts[] = { -1, 8, 11 };

  for (guint i = 0; i < G_N_ELEMENTS (starts); i++) {
    g_test_expect_message (NULL, G_LOG_LEVEL_CRITICAL, "*assertion*failed");
    g_assert_null (lb_tensor_view (tensor, starts[i], LB_SHAPE (3)));
    g_test_assert_expected_messages ();
  }
}

static void
test_copy (void)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F64, LB_SHAPE (2, 2));

  lb_tensor_f64 (tensor)[3] = 0.1;
  g_autoptr (LbTensor) copy = lb_tensor_copy (tensor);
  lb_tensor_f64 (tensor)[3] = 0.2;
  g_assert_cmpfloat (lb_tensor_f64 (copy)[3], ==, 0.1);
  g_assert_true (lb_shape_equal (lb_tensor_shape (copy), LB_SHAPE (2, 2)));
}

static void
assert_digests (const LbTensor *a, const LbTensor *b, gboolean equal)
{
  g_autofree char *one = lb_tensor_digest (a), *other = lb_tensor_digest (b);

  g_assert_cmpuint (strlen (one), ==, 64);
  g_assert_true ((strcmp (one, other) == 0) == equal);
}

static void
test_digest (void)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_I32, LB_SHAPE (2, 6));
  for (gint32 i = 0; i < 12; i++)
    lb_tensor_i32 (tensor)[i] = i;
  g_autoptr (LbTensor) copy = lb_tensor_copy (tensor);
  g_autoptr (LbTensor) reshaped = lb_tensor_view (tensor, 0, LB_SHAPE (6, 2));
  g_autoptr (LbTensor) retyped = lb_tensor_wrap (LB_F32, LB_SHAPE (2, 6), lb_tensor_data (tensor), NULL, NULL);
  g_autoptr (LbTensor) row = lb_tensor_view (tensor, 6, LB_SHAPE (6));
  g_autoptr (LbTensor) row_copy = lb_tensor_copy (row);

  assert_digests (tensor, copy, TRUE);
  assert_digests (row, row_copy, TRUE);
  assert_digests (tensor, reshaped, FALSE);
  assert_digests (tensor, retyped, FALSE);
  lb_tensor_i32 (copy)[11]++;
  assert_digests (tensor, copy, FALSE);
}

/* As "printf 'u8[3]\1\2\3' | sha256sum" has it: digests are part of archives. */
static void
test_digest_stays (void)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_U8, LB_SHAPE (3));

  memcpy (lb_tensor_u8 (tensor), "\1\2\3", 3);
  g_autofree char *digest = lb_tensor_digest (tensor);
  g_assert_cmpstr (digest, ==, "21cb5a6f54887025d53ad286c278c3c9c12f959fd08249437168e42008d6a2bf");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tensor/dtypes-have-names-and-sizes", test_dtypes);
  g_test_add_func ("/tensor/shapes-count-and-print", test_shapes);
  g_test_add_func ("/tensor/impossible-shapes-are-noticed", test_impossible_shapes);
  g_test_add_func ("/tensor/no-memory-ends-with-the-shape", test_no_memory);
  g_test_add_func ("/tensor/new-is-zero-and-aligned", test_new);
  g_test_add_func ("/tensor/typed-access-checks-the-dtype", test_typed_access);
  g_test_add_func ("/tensor/views-share-and-keep", test_view);
  g_test_add_func ("/tensor/views-stay-inside", test_view_bounds);
  g_test_add_func ("/tensor/copies-share-nothing", test_copy);
  g_test_add_func ("/tensor/digest-tells-dtype-shape-and-elements", test_digest);
  g_test_add_func ("/tensor/digest-of-archived-runs-stays", test_digest_stays);
  return g_test_run ();
}
