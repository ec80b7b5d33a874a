/* The .npz format: round trips, equal bytes for equal tensors, nothing under the final name after a failure. */
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "one-file.h"
#include "tensor/npz.h"

#include <string.h>

/* Tensors of every dtype and rank, the last one larger than any buffer inside. */
static GArray *
all_tensors (void)
{
  static const gint64 dims[LB_MAX_RANK] = { 3, 1, 2, 5, 2, 3 };
  GArray *tensors = g_array_new (FALSE, FALSE, sizeof (LbNamedTensor));

  for (guint i = 0; i <= LB_N_DTYPES * (LB_MAX_RANK + 1); i++) {
    gboolean large = i == LB_N_DTYPES * (LB_MAX_RANK + 1);
    LbDType dtype = i % LB_N_DTYPES;
    LbShape shape = { .rank = large ? 2 : i / LB_N_DTYPES };
    memcpy (shape.dim, dims, sizeof dims);
    shape.dim[0] = large ? 200001 : shape.dim[0];
    LbNamedTensor named = { g_strdup_printf ("field-%u", i), lb_tensor_new (dtype, shape) };
    LbRandom random = lb_random (lb_key (i));
    for (gsize j = 0; j < lb_tensor_bytes (named.tensor); j++)
      ((guint8 *)lb_tensor_data (named.tensor))[j] = large ? j % 251 : lb_random_below (&random, 256);
    g_array_append_val (tensors, named);
  }
  return tensors;
}

static void
free_tensors (GArray *tensors)
{
  for (guint i = 0; i < tensors->len; i++) {
    g_free (g_array_index (tensors, LbNamedTensor, i).name);
    lb_tensor_unref (g_array_index (tensors, LbNamedTensor, i).tensor);
  }
  g_array_unref (tensors);
}

static void
test_round_trip (OneFile *fixture, gconstpointer data)
{
  GArray *tensors = all_tensors ();

  for (gboolean compress = FALSE; compress <= TRUE; compress++) {
    g_autoptr (GError) error = NULL;
    lb_npz_write (fixture->path, (LbNamedTensor *)tensors->data, tensors->len, compress, &error);
    g_assert_no_error (error);
    g_autoptr (GArray) read = lb_npz_read (fixture->path, 1 << 24, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (read->len, ==, tensors->len);
    for (guint i = 0; i < read->len; i++) {
      const LbNamedTensor *a = &g_array_index (tensors, LbNamedTensor, i), *b = &g_array_index (read, LbNamedTensor, i);
      g_autofree char *before = lb_tensor_digest (a->tensor), *after = lb_tensor_digest (b->tensor);
      g_assert_cmpstr (a->name, ==, b->name);
      g_assert_cmpstr (before, ==, after);
      g_assert_cmpuint ((guintptr)lb_tensor_data (b->tensor) % 64, ==, 0);
    }
  }
  free_tensors (tensors);
}

static GBytes *
written (OneFile *fixture, const LbNamedTensor *tensors, guint n, gboolean compress)
{
  g_autoptr (GError) error = NULL;
  GBytes *bytes = NULL;

  lb_npz_write (fixture->path, tensors, n, compress, &error);
  g_assert_no_error (error);
  g_assert_true (lb_file_read (fixture->path, 1 << 24, &bytes, NULL));
  return bytes;
}

static void
test_equal_bytes (OneFile *fixture, gconstpointer data)
{
  GArray *tensors = all_tensors ();

  for (gboolean compress = FALSE; compress <= TRUE; compress++) {
    g_setenv ("TZ", "Pacific/Kiritimati", TRUE);
    g_autoptr (GBytes) first = written (fixture, (LbNamedTensor *)tensors->data, tensors->len, compress);
    g_setenv ("TZ", "America/Los_Angeles", TRUE);
    /* Times in a zip count in steps of two seconds. */
    g_usleep (compress ? 2100000 : 0);
    g_autoptr (GBytes) second = written (fixture, (LbNamedTensor *)tensors->data, tensors->len, compress);
    g_assert_true (g_bytes_equal (first, second));
  }
  free_tensors (tensors);
}

static void
test_compression (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbTensor) zeros = lb_tensor_new (LB_F32, LB_SHAPE (100, 100));
  LbNamedTensor named = { "zeros", zeros };
  g_autoptr (GBytes) stored = written (fixture, &named, 1, FALSE);
  g_autoptr (GBytes) deflated = written (fixture, &named, 1, TRUE);

  g_assert_cmpuint (g_bytes_get_size (stored), >, 40000);
  g_assert_cmpuint (g_bytes_get_size (deflated), <, 1000);
}

static void
test_bad_names (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F32, LB_SCALAR);
  static char *const names[][2] = { { "a", "a" }, { "a", "" }, { "a", "b c" }, { "a", "b\n" }, { "a", "\xC3\xBC" } };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    LbNamedTensor tensors[] = { { names[i][0], tensor }, { names[i][1], tensor } };
    g_autoptr (GError) error = NULL;
    g_assert_false (lb_npz_write (fixture->path, tensors, 2, FALSE, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
    g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  }
}

static void
test_cannot_write (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F32, LB_SCALAR);
  LbNamedTensor named = { "x", tensor };
  g_autofree char *below = g_build_filename (fixture->path, "y.npz", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_file_write (fixture->path, "x", 1, NULL));
  g_assert_false (lb_npz_write (below, &named, 1, FALSE, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  g_assert_true (g_str_has_prefix (error->message, below));
}

static void
test_limit (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F32, LB_SHAPE (100));
  LbNamedTensor tensors[] = { { "a", tensor }, { "b", tensor } };
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_npz_write (fixture->path, tensors, 2, TRUE, NULL));
  g_autoptr (GArray) read = lb_npz_read (fixture->path, 800, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (read->len, ==, 2);
  g_assert_null (lb_npz_read (fixture->path, 799, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, ": member b: declares 400 bytes"));
}

#define ADD(name, function) g_test_add ("/npz/" name, OneFile, NULL, one_file_set_up, function, one_file_tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("every-dtype-and-rank-comes-back", test_round_trip);
  ADD ("equal-tensors-give-equal-bytes", test_equal_bytes);
  ADD ("compression-compresses", test_compression);
  ADD ("write-refuses-bad-and-duplicate-names", test_bad_names);
  ADD ("write-names-the-path-it-cannot-write", test_cannot_write);
  ADD ("read-stops-at-the-limit", test_limit);
  return g_test_run ();
}
