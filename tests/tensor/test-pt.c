/* PyTorch's files of tensors: what is read, and files that lie or want more than to be read. */
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "one-file.h"
#include "tensor/tensors.h"

#include <archive.h>
#include <archive_entry.h>
#include <math.h>
#include <string.h>

#define LIMIT ((gsize)1 << 20)

/* Reads the file; FALSE after a proper refusal. */
static gboolean
read_or_refuse (OneFile *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) tensors = lb_tensors_read (fixture->path, LIMIT, &error);

  if (tensors) {
    g_assert_no_error (error);
    return TRUE;
  }
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, fixture->path));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  return FALSE;
}

static void
assert_refused (OneFile *fixture, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) tensors = lb_tensors_read (fixture->path, LIMIT, &error);

  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  if (!strstr (error->message, part))
    g_error ("'%s' does not say '%s'", error->message, part);
}

/* ---- What PyTorch wrote ---- */

static LbTensor *
get (GArray *tensors, const char *name, LbDType dtype, LbShape shape)
{
  g_autoptr (GError) error = NULL;
  LbTensor *tensor = lb_tensors_find (tensors, "x", name, &error);

  g_assert_no_error (error);
  g_assert_cmpint (lb_tensor_dtype (tensor), ==, dtype);
  g_assert_true (lb_shape_equal (lb_tensor_shape (tensor), shape));
  return tensor;
}

static void
test_every_dtype (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "golden", "tensors.pt", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) tensors = lb_tensors_read (path, LIMIT, &error);
  const float *f;

  g_assert_no_error (error);
  f = lb_tensor_f32 (get (tensors, "f32", LB_F32, LB_SHAPE (3)));
  g_assert_true (f[0] == 1.5f && f[1] == 0 && signbit (f[1]) && f[2] == INFINITY);
  g_autoptr (LbTensor) halves = lb_tensor_convert (get (tensors, "f16", LB_F16, LB_SHAPE (6)), LB_F32);
  f = lb_tensor_f32 (halves);
  g_assert_true (f[0] == 1 && f[1] == 0 && signbit (f[1]) && f[2] == 65504);
  g_assert_true (f[3] == 0x1p-24f && f[4] == 0.333251953125f && f[5] == -INFINITY);
  f = lb_tensor_f32 (get (tensors, "bf16", LB_F32, LB_SHAPE (3)));
  g_assert_true (f[0] == 1 && f[1] == -3.140625f && f[2] == 0x1p127f);
  const double *d = lb_tensor_f64 (get (tensors, "f64", LB_F64, LB_SHAPE (2)));
  g_assert_true (d[0] == 0.1 && d[1] == -0x1p300);
  const gint64 *i64 = lb_tensor_i64 (get (tensors, "i64", LB_I64, LB_SHAPE (2)));
  g_assert_true (i64[0] == -1 && i64[1] == G_GINT64_CONSTANT (1) << 40);
  static const struct {
    const char *name;
    int last;
  } whole[] = { { "i32", 1 << 30 }, { "i16", 300 }, { "i8", 100 } };
  for (guint i = 0; i < G_N_ELEMENTS (whole); i++) {
    const gint32 *i32 = lb_tensor_i32 (get (tensors, whole[i].name, LB_I32, LB_SHAPE (2)));
    g_assert_true (i32[0] == -1 && i32[1] == whole[i].last);
  }
  const guint8 *u8 = lb_tensor_u8 (get (tensors, "u8", LB_U8, LB_SHAPE (2)));
  g_assert_true (u8[0] == 0 && u8[1] == 255);
  u8 = lb_tensor_u8 (get (tensors, "bool", LB_U8, LB_SHAPE (2)));
  g_assert_true (u8[0] == 1 && u8[1] == 0);
  /* 10 dtypes, 4 views, 2 in a tuple, a parameter: and nothing that is no tensor. */
  g_assert_cmpuint (tensors->len, ==, 17);
}

/* Four ways of looking at the numbers 0 to 23 in [2, 3, 4]. */
static void
test_strides (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "golden", "tensors.pt", NULL);
  g_autoptr (GArray) tensors = lb_tensors_read (path, LIMIT, NULL);
  const float *f = lb_tensor_f32 (get (tensors, "views.0", LB_F32, LB_SHAPE (2, 3, 4)));

  for (int i = 0; i < 24; i++)
    g_assert_true (f[i] == (float)i);
  f = lb_tensor_f32 (get (tensors, "views.1", LB_F32, LB_SHAPE (4, 2, 3)));
  for (int i = 0; i < 24; i++)
    g_assert_true (f[i] == (float)(i / 6 + i % 6 * 4));
  f = lb_tensor_f32 (get (tensors, "views.2", LB_F32, LB_SHAPE (2, 2)));
  g_assert_true (f[0] == 16 && f[1] == 18 && f[2] == 20 && f[3] == 22);
  f = lb_tensor_f32 (get (tensors, "views.3", LB_F32, LB_SHAPE (2, 1, 2)));
  g_assert_true (f[0] == 0 && f[1] == 0 && f[2] == 0 && f[3] == 0);
  g_assert_true (lb_tensor_f32 (get (tensors, "scalar.0", LB_F32, LB_SCALAR))[0] == 7);
  get (tensors, "scalar.1", LB_F32, LB_SHAPE (0, 3));
  g_assert_true (lb_tensor_f32 (get (tensors, "parameter", LB_F32, LB_SHAPE (1)))[0] == 2);
}

static void
test_unknown_name (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "golden", "distilled.pt", NULL);
  g_autoptr (GArray) tensors = lb_tensors_read (path, LIMIT, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_tensors_find (tensors, "x.pt", "data.1.0", &error));
  g_assert_cmpstr (error->message, ==, "x.pt: has no tensor 'data.1.0'; it has 'data.0.0', 'data.0.1'");
}

/* ---- What nobody should have written ---- */

static void
add_member (struct archive *zip, const char *name, gconstpointer data, gsize length)
{
  struct archive_entry *entry = archive_entry_new ();

  archive_entry_set_pathname (entry, name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_entry_set_size (entry, (la_int64_t)length);
  g_assert_cmpint (archive_write_header (zip, entry), ==, ARCHIVE_OK);
  g_assert_cmpint (archive_write_data (zip, data, length), ==, length);
  archive_entry_free (entry);
}

/* A file with this pickle and one storage, "0", of four floats 1, 2, 3, 4. */
static void
put_pickle (OneFile *fixture, const char *pickle, gsize length)
{
  const float numbers[] = { 1, 2, 3, 4 };
  struct archive *zip = archive_write_new ();

  archive_write_set_format_zip (zip);
  archive_write_zip_set_compression_store (zip);
  g_assert_cmpint (archive_write_open_filename (zip, fixture->path), ==, ARCHIVE_OK);
  add_member (zip, "x/data.pkl", pickle, length);
  add_member (zip, "x/data/0", numbers, sizeof numbers);
  g_assert_cmpint (archive_write_free (zip), ==, ARCHIVE_OK);
}

#define PICKLE(text) put_pickle (fixture, "\x80\x02" text, sizeof ("\x80\x02" text) - 1)

/* A tensor of storage "0" that says to have COUNT floats, with offset, sizes and strides as given. */
#define STORAGE(count)                                                                                                 \
  "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                                                  \
  "0X\3\0\0\0cpuK" count "tQ"
#define TENSOR(count, rest)                                                                                            \
  "ctorch._utils\n_rebuild_tensor_v2\n" STORAGE (count) rest "\x89N"                                                   \
                                                             "tR"

static void
test_by_hand (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  PICKLE (TENSOR ("\4", "K\1K\2\x85K\2\x85") ".");
  g_autoptr (GArray) tensors = lb_tensors_read (fixture->path, LIMIT, &error);
  g_assert_no_error (error);
  const float *f = lb_tensor_f32 (get (tensors, "", LB_F32, LB_SHAPE (2)));
  g_assert_true (f[0] == 2 && f[1] == 4);
}

static void
test_executes_nothing (OneFile *fixture, gconstpointer data)
{
  PICKLE ("cos\nsystem\nX\4\0\0\0true\x85R.");
  assert_refused (fixture, ": data.pkl: wants 'os.system', which is not one of the types that tensors are made of");
  PICKLE ("cbuiltins\neval\n.");
  assert_refused (fixture, "wants 'builtins.eval'");
  PICKLE ("ctorch\nload\n.");
  assert_refused (fixture, "wants 'torch.load'");
  PICKLE ("c__builtin__\n\xff\x1b[31m\n.");
  assert_refused (fixture, "wants '__builtin__.");
  PICKLE ("(S'x'\nios\nsystem\n.");
  assert_refused (fixture, "has the pickle opcode 0x53 at byte 3, which files of tensors do not need");
  PICKLE ("\x82\1.");
  assert_refused (fixture, "has the pickle opcode 0x82 at byte 2");
  PICKLE ("K\1K\2R.");
  assert_refused (fixture, "calls something that is no name");
  PICKLE ("ctorch\nFloatStorage\nK\1\x85R.");
  assert_refused (fixture, "makes a storage by hand");
}

static void
test_refuses_broken_machines (OneFile *fixture, gconstpointer data)
{
  PICKLE (".");
  assert_refused (fixture, "ends with more or fewer values than one");
  PICKLE ("NN.");
  assert_refused (fixture, "ends with more or fewer values than one");
  PICKLE ("N.N");
  assert_refused (fixture, "goes on after its end");
  PICKLE ("]");
  assert_refused (fixture, "stops in the middle at byte 3");
  PICKLE ("t.");
  assert_refused (fixture, "has no mark");
  PICKLE ("(\x86.");
  assert_refused (fixture, "takes more values than there are");
  PICKLE ("](Nu.");
  assert_refused (fixture, "adds to no dictionary");
  PICKLE ("}Na.");
  assert_refused (fixture, "adds to no list");
  PICKLE ("h\1.");
  assert_refused (fixture, "asks for a value that was not kept");
  PICKLE ("q\1.");
  assert_refused (fixture, "keeps a value that is not there");
  PICKLE ("X\xff\xff\xff\xffx.");
  assert_refused (fixture, "stops in the middle");
  PICKLE ("\x8a\x09"
          "123456789.");
  assert_refused (fixture, "has a number of more than 64 bits");
  put_pickle (fixture, "\x80\x04N.", 4);
  assert_refused (fixture, "is pickled with protocol 4, where 2 was expected");
  put_pickle (fixture, "hello", 5);
  assert_refused (fixture, "begins as no pickle does");
  PICKLE ("N.");
  assert_refused (fixture, "holds no tensor");
}

static void
test_refuses_tensors_outside_their_storage (OneFile *fixture, gconstpointer data)
{
  PICKLE (TENSOR ("\4", "K\1K\4\x85K\1\x85") ".");
  assert_refused (fixture, "has a tensor that reaches beyond its storage");
  PICKLE (TENSOR ("\4", "J\xff\xff\xff\xffK\2\x85K\1\x85") ".");
  assert_refused (fixture, "has a tensor that reaches beyond its storage");
  PICKLE (TENSOR ("\4", "K\3K\2\x85J\xff\xff\xff\xff\x85") ".");
  assert_refused (fixture, "has a tensor that reaches beyond its storage");
  PICKLE (TENSOR ("\4", "K\0J\xff\xff\xff\xff\x85K\1\x85") ".");
  assert_refused (fixture, "has a tensor whose sizes are no numbers");
  PICKLE (TENSOR ("\4", "K\0K\2\x85K\1K\1\x86") ".");
  assert_refused (fixture, "has a tensor without storage, sizes or strides");
  PICKLE (TENSOR ("\4", "K\0(K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1t") ".");
  assert_refused (fixture, "has a tensor of 7 dimensions, where at most 6 were expected");
  PICKLE (TENSOR ("\5", "K\0K\2\x85K\1\x85") ".");
  assert_refused (fixture, "storage '0' has 16 bytes, where 5 elements of 4 bytes were expected");
}

/* One number, seen as more than the limit, and as more than any computer has. */
static void
test_small_storages_do_not_become_large_tensors (OneFile *fixture, gconstpointer data)
{
  PICKLE (TENSOR ("\4", "K\0J\0\0\x10\0\x85K\0\x85") ".");
  assert_refused (fixture, "tensor '' would make the tensors larger than 1.00 MiB");
  PICKLE (TENSOR ("\4", "K\0(\x8a\7\0\0\0\0\0\0\1\x8a\7\0\0\0\0\0\0\1t(K\0K\0t") ".");
  assert_refused (fixture, "has a tensor that reaches beyond its storage");
}

static void
test_refuses_circles_and_towers (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GString) tower = g_string_new (NULL);

  PICKLE ("]q\1h\1a.");
  assert_refused (fixture, "is nested too deeply, or contains itself");
  /* Twenty-five floors, each holding the one below twice: 2 ^ 25 ways down. */
  g_string_append_len (tower, "\x80\x02]", 3);
  for (int i = 0; i < 25; i++)
    g_string_append_len (tower, "q\1h\1\x86", 5);
  g_string_append_c (tower, '.');
  put_pickle (fixture, tower->str, tower->len);
  assert_refused (fixture, "is nested too deeply, or contains itself");
  PICKLE ("}N" TENSOR ("\4", "K\0K\2\x85K\1\x85") "s.");
  assert_refused (fixture, "has a dictionary whose keys are neither texts nor whole numbers");
}

static void
test_refuses_other_files (OneFile *fixture, gconstpointer data)
{
  struct archive *zip = archive_write_new ();

  one_file_put (fixture,
                "\x80\x02\x8a\nl\xfc\x9c"
                "F",
                8);
  assert_refused (fixture, "is of a PyTorch before 1.6");
  one_file_put (fixture, "something else", 14);
  assert_refused (fixture, "begins neither as .npy, nor as .npz, nor as a file of torch.save");
  archive_write_set_format_zip (zip);
  g_assert_cmpint (archive_write_open_filename (zip, fixture->path), ==, ARCHIVE_OK);
  add_member (zip, "x/code/__torch__.py", "pass", 4);
  g_assert_cmpint (archive_write_free (zip), ==, ARCHIVE_OK);
  assert_refused (fixture, "has the member 'x/code/__torch__.py'");
}

/* Anything may happen to the bytes: the file is read or refused in a sentence. Cut off anywhere, it is refused. */
static void
test_truncated_and_flipped (OneFile *fixture, gconstpointer data)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "golden", "distilled.pt", NULL), *bytes = NULL;
  LbRandom random = lb_random (lb_key (3));
  gsize length;
  guint refused = 0;

  g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
  for (gsize part = 0; part < length; part += part < length - 400 ? 31 : 1) {
    one_file_put (fixture, bytes, part);
    g_assert_false (read_or_refuse (fixture));
  }
  for (guint i = 0; i < 600; i++) {
    gsize at = lb_random_below (&random, (guint32)length);
    char kept = bytes[at];

    bytes[at] = (char)lb_random_below (&random, 256);
    one_file_put (fixture, bytes, length);
    refused += !read_or_refuse (fixture);
    bytes[at] = kept;
  }
  g_assert_cmpuint (refused, >, 200);
}

/* The pickle alone, without a checksum that notices first. */
static void
test_flipped_pickle (OneFile *fixture, gconstpointer data)
{
  static const char good[] = "\x80\x02}(X\1\0\0\0a](" TENSOR ("\4", "K\1K\2\x85K\2\x85")
      TENSOR ("\4", "K\0K\2K\2\x86K\2K\1\x86") "eX\1\0\0\0bK\1u.";
  char bytes[sizeof good - 1];
  LbRandom random = lb_random (lb_key (4));
  guint refused = 0;

  for (guint i = 0; i < 1200; i++) {
    memcpy (bytes, good, sizeof bytes);
    for (guint n = 1 + lb_random_below (&random, 3); n > 0; n--)
      bytes[lb_random_below (&random, sizeof bytes)] = lb_random_below (&random, 2)
                                                           ? (char)lb_random_below (&random, 256)
                                                           : bytes[lb_random_below (&random, sizeof bytes)];
    put_pickle (fixture, bytes, sizeof bytes);
    refused += !read_or_refuse (fixture);
  }
  g_assert_cmpuint (refused, >, 400);
  g_assert_cmpuint (refused, <, 1200);
}

#define ADD(name, function) g_test_add ("/pt/" name, OneFile, NULL, one_file_set_up, function, one_file_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pt/reads-every-dtype", test_every_dtype);
  g_test_add_func ("/pt/reads-any-strides", test_strides);
  g_test_add_func ("/pt/an-unknown-name-is-told-with-those-there-are", test_unknown_name);
  ADD ("reads-what-is-written-by-hand", test_by_hand);
  ADD ("executes-nothing", test_executes_nothing);
  ADD ("refuses-broken-machines", test_refuses_broken_machines);
  ADD ("refuses-tensors-outside-their-storage", test_refuses_tensors_outside_their_storage);
  ADD ("small-storages-do-not-become-large-tensors", test_small_storages_do_not_become_large_tensors);
  ADD ("refuses-circles-and-towers", test_refuses_circles_and_towers);
  ADD ("refuses-other-files", test_refuses_other_files);
  ADD ("refuses-truncated-and-survives-flipped-files", test_truncated_and_flipped);
  ADD ("survives-flipped-pickles", test_flipped_pickle);
  return g_test_run ();
}
