/* .npz files that lie: each is refused in one sentence, or read, and never anything else. */
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "one-file.h"
#include "tensor/npz.h"

#include <archive.h>
#include <archive_entry.h>
#include <glib/gstdio.h>
#include <string.h>

#define LIMIT (1 << 20)

static GBytes *
good_file (OneFile *fixture, gboolean compress)
{
  g_autoptr (LbTensor) images = lb_tensor_new (LB_U8, LB_SHAPE (4, 1, 16, 16));
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (4));
  LbNamedTensor tensors[] = { { "images", images }, { "labels", labels } };
  LbRandom random = lb_random (lb_key (1));
  GBytes *bytes = NULL;

  for (gint64 i = 0; i < lb_tensor_size (images); i++)
    lb_tensor_u8 (images)[i] = lb_random_below (&random, 16);
  g_assert_true (lb_npz_write (fixture->path, tensors, 2, compress, NULL));
  g_assert_true (lb_file_read (fixture->path, LIMIT, &bytes, NULL));
  return bytes;
}

/* Reads the file; FALSE after a proper refusal. */
static gboolean
read_or_refuse (OneFile *fixture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) tensors = lb_npz_read (fixture->path, LIMIT, &error);

  if (tensors != NULL) {
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
test_truncated (OneFile *fixture, gconstpointer data)
{
  for (gboolean compress = FALSE; compress <= TRUE; compress++) {
    g_autoptr (GBytes) bytes = good_file (fixture, compress);
    gsize length;
    const char *contents = g_bytes_get_data (bytes, &length);
    for (gsize part = 0; part < length; part = part + 64 < length || part == length - 1 ? part + 64 : length - 1) {
      one_file_put (fixture, contents, part);
      g_assert_false (read_or_refuse (fixture));
    }
  }
}

static void
test_flipped (OneFile *fixture, gconstpointer data)
{
  guint refused = 0;

  for (gboolean compress = FALSE; compress <= TRUE; compress++) {
    g_autoptr (GBytes) bytes = good_file (fixture, compress);
    gsize length;
    g_autofree char *contents = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));
    LbRandom random = lb_random (lb_key_index (lb_key (2), compress));
    for (guint i = 0; i < 1500; i++) {
      gsize at[3];
      char kept[3];
      guint n = 1 + lb_random_below (&random, 3);
      for (guint j = 0; j < n; j++) {
        /* Half of the blows fall on the directory at the end, where the sizes stand. */
        at[j] = lb_random_below (&random, 2) ? lb_random_below (&random, length)
                                             : length - 1 - lb_random_below (&random, 250);
        kept[j] = contents[at[j]];
        contents[at[j]] = lb_random_below (&random, 256);
      }
      one_file_put (fixture, contents, length);
      refused += !read_or_refuse (fixture);
      while (n-- > 0)
        contents[at[n]] = kept[n];
    }
  }
  g_assert_cmpuint (refused, >, 1000);
}

/* Any single changed byte of an element must be noticed: the checksums are there for that. */
static void
test_element_changed (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GBytes) bytes = good_file (fixture, FALSE);
  gsize length;
  g_autofree char *contents = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));

  /* The first member is 128 bytes of .npy header and 1024 elements, behind less than 128 bytes of zip header. */
  for (gsize at = 300; at < 1100; at += 50) {
    contents[at] ^= 1;
    one_file_put (fixture, contents, length);
    g_assert_false (read_or_refuse (fixture));
    contents[at] ^= 1;
  }
  one_file_put (fixture, contents, length);
  g_assert_true (read_or_refuse (fixture));
}

typedef struct {
  const char *name;
  const char *bytes;
  gsize length;
  mode_t type;
} Member;

static void
write_zip (OneFile *fixture, const Member *members, guint n_members)
{
  struct archive *zip = archive_write_new ();

  archive_write_set_format_zip (zip);
  archive_write_zip_set_compression_deflate (zip);
  g_assert_cmpint (archive_write_open_filename (zip, fixture->path), ==, ARCHIVE_OK);
  for (guint i = 0; i < n_members; i++) {
    struct archive_entry *entry = archive_entry_new ();
    archive_entry_set_pathname (entry, members[i].name);
    archive_entry_set_filetype (entry, members[i].type);
    archive_entry_set_perm (entry, 0644);
    if (members[i].type == AE_IFLNK)
      archive_entry_set_symlink (entry, "/etc/passwd");
    archive_entry_set_size (entry, members[i].length);
    g_assert_cmpint (archive_write_header (zip, entry), ==, ARCHIVE_OK);
    if (members[i].length > 0)
      g_assert_cmpint (archive_write_data (zip, members[i].bytes, members[i].length), ==, members[i].length);
    archive_entry_free (entry);
  }
  g_assert_cmpint (archive_write_free (zip), ==, ARCHIVE_OK);
}

static GByteArray *
array_image (guint n)
{
  GByteArray *bytes = g_byte_array_new ();
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_U8, LB_SHAPE (n));

  lb_npy_append (bytes, tensor);
  return bytes;
}

static void
assert_refused (OneFile *fixture, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_npz_read (fixture->path, LIMIT, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, fixture->path));
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, part);
}

static void
test_duplicates (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GByteArray) array = array_image (3);
  const char *bytes = (const char *)array->data;
  Member members[] = { { "a.npy", bytes, array->len, AE_IFREG },
                       { "b.npy", bytes, array->len, AE_IFREG },
                       { "a.npy", bytes, array->len, AE_IFREG } };

  write_zip (fixture, members, 3);
  assert_refused (fixture, ": member a: stands in the file twice");
}

static void
test_other_members (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GByteArray) array = array_image (3);
  const char *bytes = (const char *)array->data;
  static const struct {
    const char *name;
    mode_t type;
    const char *shown;
  } cases[] = {
    { "readme.txt", AE_IFREG, "'readme.txt'" },
    { ".npy", AE_IFREG, "'.npy'" },
    { "a", AE_IFREG, "'a'" },
    { "a.npy", AE_IFLNK, "'a.npy'" },
    { "a.npy/", AE_IFDIR, "'a.npy/'" },
    { "a\n.npy", AE_IFREG, "'a\\n.npy'" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Member member = { cases[i].name, bytes, cases[i].type == AE_IFREG ? array->len : 0, cases[i].type };
    write_zip (fixture, &member, 1);
    assert_refused (fixture, ": has the member ");
    assert_refused (fixture, cases[i].shown);
  }
}

static void
test_not_npy (OneFile *fixture, gconstpointer data)
{
  Member text = { "a.npy", "hello, world", 12, AE_IFREG }, nothing = { "a.npy", "", 0, AE_IFREG };

  write_zip (fixture, &text, 1);
  assert_refused (fixture, ": member a: does not begin as one");
  write_zip (fixture, &nothing, 1);
  assert_refused (fixture, ": member a: is too short");
}

static void
test_wrong_length (OneFile *fixture, gconstpointer data)
{
  static const guint sizes[] = { 3, 3967, 3968, 3969, 100000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GByteArray) array = array_image (sizes[i]);
    g_byte_array_append (array, (const guint8 *)"", 1);
    Member shorter = { "a.npy", (const char *)array->data, array->len - 2, AE_IFREG };
    Member exact = { "a.npy", (const char *)array->data, array->len - 1, AE_IFREG };
    Member longer = { "a.npy", (const char *)array->data, array->len, AE_IFREG };
    g_autofree char *declared = g_strdup_printf ("where its header declares %u", sizes[i]);
    write_zip (fixture, &shorter, 1);
    assert_refused (fixture, declared);
    write_zip (fixture, &longer, 1);
    assert_refused (fixture, declared);
    write_zip (fixture, &exact, 1);
    g_assert_true (read_or_refuse (fixture));
  }
}

/* A few hundred bytes that claim a gigabyte must not cost one, whatever the limit. */
static void
test_lying_shape (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GByteArray) array = array_image (1);
  g_autoptr (GError) error = NULL;
  char *shape = strstr ((char *)array->data + 10, "(1,), }       ");

  memcpy (shape, "(999999999,), }", 15);
  Member member = { "a.npy", (const char *)array->data, array->len, AE_IFREG };
  write_zip (fixture, &member, 1);
  assert_refused (fixture,
                  ": member a: declares 999999999 bytes, where the whole file was expected to hold at most 1.00 MiB");
  g_assert_null (lb_npz_read (fixture->path, G_MAXSIZE, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "declares 999999999 bytes of elements, where no more than a file of "));
}

static void
test_not_zip (OneFile *fixture, gconstpointer data)
{
  one_file_put (fixture, "this is no zip file", 19);
  assert_refused (fixture, "where an intact .npz file");
  one_file_put (fixture, "", 0);
  assert_refused (fixture, "where an intact .npz file");
  g_remove (fixture->path);
  assert_refused (fixture, "there is no such file");
}

#define ADD(name, function)                                                                                            \
  g_test_add ("/npz-hostile/" name, OneFile, NULL, one_file_set_up, function, one_file_tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("refuses-a-file-truncated-anywhere", test_truncated);
  ADD ("survives-flipped-bytes", test_flipped);
  ADD ("notices-a-changed-element", test_element_changed);
  ADD ("refuses-duplicate-members", test_duplicates);
  ADD ("refuses-members-that-are-not-arrays", test_other_members);
  ADD ("refuses-members-that-are-not-npy", test_not_npy);
  ADD ("refuses-sizes-that-do-not-match", test_wrong_length);
  ADD ("a-lying-shape-costs-no-memory", test_lying_shape);
  ADD ("refuses-what-is-no-zip", test_not_zip);
  return g_test_run ();
}
