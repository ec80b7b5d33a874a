/* Packed files: members of tar files in every compression, and files that stop early. */
#include "base/error.h"
#include "base/random.h"
#include "base/unpack.h"
#include "one-file.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define EXPECTED "a tar file of numbers"

/* What member @index holds: @length bytes that do not compress to nothing. */
static guint8
byte_at (guint index, gsize i)
{
  return (guint8)(index * 37 + i * 7 + (i >> 5));
}

static const gsize lengths[] = { 0, 1, 512, 100000, 700 };

/* A tar file with a folder and five members. @filter as libarchive calls it, or NULL. */
static void
write_tar (OneFile *fixture, const char *filter)
{
  struct archive *tar = archive_write_new ();
  struct archive_entry *entry = archive_entry_new ();
  guint8 *bytes = g_malloc (100000);

  archive_write_set_format_ustar (tar);
  if (filter)
    g_assert_cmpint (archive_write_add_filter_by_name (tar, filter), ==, ARCHIVE_OK);
  archive_write_set_bytes_in_last_block (tar, 1);
  g_assert_cmpint (archive_write_open_filename (tar, fixture->path), ==, ARCHIVE_OK);
  archive_entry_set_pathname (entry, "d/");
  archive_entry_set_filetype (entry, AE_IFDIR);
  archive_entry_set_perm (entry, 0755);
  g_assert_cmpint (archive_write_header (tar, entry), ==, ARCHIVE_OK);
  for (guint m = 0; m < G_N_ELEMENTS (lengths); m++) {
    g_autofree char *name = g_strdup_printf ("d/\xc3\xa9%u", m);

    archive_entry_clear (entry);
    archive_entry_set_pathname (entry, name);
    archive_entry_set_filetype (entry, AE_IFREG);
    archive_entry_set_perm (entry, 0644);
    archive_entry_set_size (entry, (la_int64_t)lengths[m]);
    for (gsize i = 0; i < lengths[m]; i++)
      bytes[i] = byte_at (m, i);
    g_assert_cmpint (archive_write_header (tar, entry), ==, ARCHIVE_OK);
    g_assert_cmpint (archive_write_data (tar, bytes, lengths[m]), ==, lengths[m]);
  }
  g_free (bytes);
  archive_entry_free (entry);
  g_assert_cmpint (archive_write_free (tar), ==, ARCHIVE_OK);
}

/* Reads the first, third, ... file, and passes over the others. The number of files; -1 with an error. */
static int
read_tar (OneFile *fixture, GError **error)
{
  g_autoptr (LbUnpack) unpack = lb_unpack_open (fixture->path, LB_UNPACK_TAR, EXPECTED, error);
  const LbUnpackMember *member = NULL;
  int files = 0;

  if (!unpack)
    return -1;
  for (;;) {
    if (!lb_unpack_next (unpack, &member, error))
      return -1;
    if (!member)
      return files;
    if (!member->is_file)
      continue;
    if (files % 2 == 0) {
      g_autoptr (GBytes) bytes = lb_unpack_read_member (unpack, 1 << 20, error);

      if (!bytes)
        return -1;
    }
    files++;
  }
}

static void
assert_refused (OneFile *fixture, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (read_tar (fixture, &error), ==, -1);
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, fixture->path));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  if (part && !strstr (error->message, part))
    g_error ("'%s' does not say '%s'", error->message, part);
}

static void
test_reads (OneFile *fixture, gconstpointer filter)
{
  const LbUnpackMember *member;
  g_autoptr (GError) error = NULL;

  write_tar (fixture, filter);
  g_autoptr (LbUnpack) unpack = lb_unpack_open (fixture->path, LB_UNPACK_TAR, EXPECTED, &error);
  g_assert_no_error (error);
  g_assert_cmpint (lb_unpack_skips (unpack), ==, filter == NULL);
  g_assert_true (lb_unpack_next (unpack, &member, NULL));
  g_assert_true (member->is_folder && !member->is_file);
  for (guint m = 0; m < G_N_ELEMENTS (lengths); m++) {
    g_autofree char *name = g_strdup_printf ("d/\xc3\xa9%u", m);
    gsize length;

    g_assert_true (lb_unpack_next (unpack, &member, &error));
    g_assert_cmpstr (member->name, ==, name);
    g_assert_cmpuint (member->size, ==, lengths[m]);
    g_assert_true (member->is_file);
    if (m == 2)
      continue;
    g_autoptr (GBytes) bytes = lb_unpack_read_member (unpack, 100000, &error);
    g_assert_no_error (error);
    const guint8 *data = g_bytes_get_data (bytes, &length);
    g_assert_cmpuint (length, ==, lengths[m]);
    for (gsize i = 0; i < length; i++)
      g_assert_cmpuint (data[i], ==, byte_at (m, i));
  }
  for (int i = 0; i < 2; i++) {
    g_assert_true (lb_unpack_next (unpack, &member, &error));
    g_assert_null (member);
  }
}

/* libarchive alone would take a tar file cut between two members for a whole one. */
static void
test_truncated (OneFile *fixture, gconstpointer filter)
{
  g_autofree char *bytes = NULL;
  gsize length;

  write_tar (fixture, filter);
  g_assert_true (g_file_get_contents (fixture->path, &bytes, &length, NULL));
  for (gsize part = 0; part < length; part += part % 512 == 0 || part > length - 40 ? 1 : 511 - (part - 1) % 512) {
    one_file_put (fixture, bytes, part);
    assert_refused (fixture, NULL);
  }
}

static void
test_flipped (OneFile *fixture, gconstpointer filter)
{
  g_autofree char *bytes = NULL;
  LbRandom random = lb_random (lb_key (5));
  gsize length;

  write_tar (fixture, filter);
  g_assert_true (g_file_get_contents (fixture->path, &bytes, &length, NULL));
  for (guint i = 0; i < 200; i++) {
    g_autoptr (GError) error = NULL;
    gsize at = lb_random_below (&random, (guint32)MIN (length, 4000));
    char kept = bytes[at];

    bytes[at] = (char)lb_random_below (&random, 256);
    one_file_put (fixture, bytes, length);
    if (read_tar (fixture, &error) < 0)
      g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    bytes[at] = kept;
  }
}

/* gzip has a checksum of what it holds. */
static void
test_checksum_of_gzip (OneFile *fixture, gconstpointer data)
{
  g_autofree char *bytes = NULL;
  gsize length;

  write_tar (fixture, "gzip");
  g_assert_true (g_file_get_contents (fixture->path, &bytes, &length, NULL));
  bytes[length - 6] ^= 1;
  one_file_put (fixture, bytes, length);
  assert_refused (fixture, EXPECTED);
}

static void
test_refuses_large_members (OneFile *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const LbUnpackMember *member;

  write_tar (fixture, "gzip");
  g_autoptr (LbUnpack) unpack = lb_unpack_open (fixture->path, LB_UNPACK_TAR, EXPECTED, NULL);
  for (int i = 0; i < 5; i++)
    g_assert_true (lb_unpack_next (unpack, &member, NULL));
  g_assert_cmpuint (member->size, ==, 100000);
  g_assert_null (lb_unpack_read_member (unpack, 99999, &error));
  g_autofree char *message
      = g_strdup_printf ("%s: member d/\xc3\xa9"
                         "3: is larger than 97.7 KiB, the most that was expected; check that it is the right file",
                         fixture->path);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_refuses_other_files (OneFile *fixture, gconstpointer data)
{
  assert_refused (fixture, "there is no such file");
  one_file_put (fixture, "", 0);
  assert_refused (fixture, "where " EXPECTED " was expected");
  one_file_put (fixture, "no tar file, but long enough that one could think of it", 55);
  assert_refused (fixture, "where " EXPECTED " was expected");
}

#define ADD(name, data, function)                                                                                      \
  g_test_add ("/unpack/" name, OneFile, data, one_file_set_up, function, one_file_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("reads-plain-tar", NULL, test_reads);
  ADD ("reads-tar-gz", "gzip", test_reads);
  ADD ("reads-tar-bz2", "bzip2", test_reads);
  ADD ("reads-tar-xz", "xz", test_reads);
  ADD ("reads-tar-zst", "zstd", test_reads);
  ADD ("refuses-truncated-tar", NULL, test_truncated);
  ADD ("refuses-truncated-tar-gz", "gzip", test_truncated);
  ADD ("refuses-truncated-tar-zst", "zstd", test_truncated);
  ADD ("survives-flipped-tar", NULL, test_flipped);
  ADD ("survives-flipped-tar-xz", "xz", test_flipped);
  ADD ("compares-the-checksum-of-gzip", NULL, test_checksum_of_gzip);
  ADD ("refuses-members-larger-than-asked-for", NULL, test_refuses_large_members);
  ADD ("refuses-other-files", NULL, test_refuses_other_files);
  return g_test_run ();
}
