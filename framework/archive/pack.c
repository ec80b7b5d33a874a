/* Packing, through libarchive. */
#include "archive/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "archive/member.h"
#include "base/error.h"
#include "base/file.h"

#define PIECE 65536
#define LEVEL "9" /* of zstd; part of the format, as bytes depend on it */

typedef struct archive Archive;
typedef struct archive_entry ArchiveEntry;

typedef struct {
  char *name;
  char *text, *path; /* one of them */
  guint64 bytes;
  char digest[LB_DIGEST_SIZE];
} Member;

struct _LbPack {
  GPtrArray *members; /* Member* */
  LbMemberNames *names;
  gboolean is_sorted;
};

/* A pack that is being written. */
typedef struct {
  Archive *archive;
  LbFileWriter *file;
  GError *error; /* of writing to it */
} Writer;

static void
member_free (gpointer data)
{
  Member *member = data;
  g_free (member->name);
  g_free (member->text);
  g_free (member->path);
  g_free (member);
}

LbPack *
lb_pack_new (void)
{
  LbPack *pack = g_new0 (LbPack, 1);
  pack->members = g_ptr_array_new_with_free_func (member_free);
  pack->names = lb_member_names_new ();
  return pack;
}

void
lb_pack_free (LbPack *pack)
{
  if (pack == NULL)
    return;
  g_ptr_array_unref (pack->members);
  lb_member_names_free (pack->names);
  g_free (pack);
}

/* ---- Members ---- */

static gboolean
add_member (LbPack *pack, Member *member, GError **error)
{
  const char *fault = lb_member_fault (member->name);
  if (fault == NULL)
    fault = lb_member_names_add (pack->names, member->name);
  if (fault == NULL && pack->members->len >= LB_ARCHIVE_MOST_MEMBERS)
    fault = "is one file too many for an archive; pack folders of many files as a tar file";
  if (fault == NULL) {
    g_ptr_array_add (pack->members, member);
    pack->is_sorted = FALSE;
    return TRUE;
  }
  lb_input_error (member->path != NULL ? member->path : member->name, error,
                  "cannot be put into an archive: the name '%s' %s; rename it", member->name, fault);
  member_free (member);
  return FALSE;
}

gboolean
lb_pack_add_text (LbPack *pack, const char *name, const char *text, GError **error)
{
  Member *member = g_new0 (Member, 1);
  member->name = g_strdup (name);
  member->text = g_strdup (text);
  member->bytes = strlen (text);
  lb_sha256_of (text, member->bytes, member->digest);
  return add_member (pack, member, error);
}

/* Reads the next piece of an open file; negative after telling that it cannot be read. */
static gssize
read_piece (int descriptor, const char *path, guint8 *piece, GError **error)
{
  gssize got;
  do
    got = read (descriptor, piece, PIECE);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    lb_input_error (path, error, "cannot be read: %s; check the device", g_strerror (errno));
  return got;
}

static gboolean
digest_file (Member *member, GError **error)
{
  guint64 size;
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  g_autofree guint8 *piece = g_malloc (PIECE);
  int descriptor = lb_file_open (member->path, &size, error);
  gssize got = -1;
  while (descriptor >= 0 && (got = read_piece (descriptor, member->path, piece, error)) > 0) {
    lb_sha256_add (sha256, piece, (gsize)got);
    member->bytes += (guint64)got;
  }
  if (descriptor >= 0)
    close (descriptor);
  lb_sha256_end (sha256, member->digest);
  return got == 0;
}

gboolean
lb_pack_add_file (LbPack *pack, const char *name, const char *path, char digest[LB_DIGEST_SIZE], GError **error)
{
  Member *member = g_new0 (Member, 1);
  member->name = g_strdup (name);
  member->path = g_strdup (path);
  if (!digest_file (member, error)) {
    member_free (member);
    return FALSE;
  }
  if (digest != NULL)
    g_strlcpy (digest, member->digest, LB_DIGEST_SIZE);
  return add_member (pack, member, error);
}

static int
compare_members (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const Member *const *)a)->name, (*(const Member *const *)b)->name);
}

static void
sort (LbPack *pack)
{
  if (!pack->is_sorted)
    g_ptr_array_sort (pack->members, compare_members);
  pack->is_sorted = TRUE;
}

guint
lb_pack_n_members (LbPack *pack)
{
  return pack->members->len;
}

const char *
lb_pack_name (LbPack *pack, guint index)
{
  sort (pack);
  return ((Member *)pack->members->pdata[index])->name;
}

/* ---- Writing ---- */

static la_ssize_t
put (Archive *archive, void *data, const void *bytes, size_t length)
{
  Writer *writer = data;
  return writer->error == NULL && lb_file_writer_put (writer->file, bytes, length, &writer->error) ? (la_ssize_t)length
                                                                                                   : -1;
}

/* Always FALSE: what libarchive found wrong, unless it was the file. */
static gboolean
failed (Writer *writer, const char *name, GError **error)
{
  if (writer->error == NULL)
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "member '%s' cannot be packed: %s; report this", name,
                 archive_error_string (writer->archive));
  else
    g_propagate_error (error, g_steal_pointer (&writer->error));
  return FALSE;
}

static gboolean
changed (const Member *member, GError **error)
{
  return lb_input_error (member->path, error,
                         "changed while it was being packed; leave it alone until the archive is written");
}

static gboolean
write_file (Writer *writer, const Member *member, GError **error)
{
  guint64 size, left = member->bytes;
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  g_autofree guint8 *piece = g_malloc (PIECE);
  char digest[LB_DIGEST_SIZE];
  int descriptor = lb_file_open (member->path, &size, error);
  gboolean good = descriptor >= 0;
  gssize got = 1;
  while (good && got > 0) {
    got = read_piece (descriptor, member->path, piece, error);
    lb_sha256_add (sha256, piece, (gsize)MAX (got, 0));
    good = got >= 0 && ((guint64)got <= left || changed (member, error))
           && (got == 0 || archive_write_data (writer->archive, piece, (gsize)got) == got
               || failed (writer, member->name, error));
    left -= good ? (guint64)got : 0;
  }
  if (descriptor >= 0)
    close (descriptor);
  lb_sha256_end (sha256, digest);
  return good && (strcmp (digest, member->digest) == 0 || changed (member, error));
}

static gboolean
write_member (Writer *writer, const Member *member, GError **error)
{
  ArchiveEntry *entry = archive_entry_new ();
  archive_entry_update_pathname_utf8 (entry, member->name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_entry_set_size (entry, (gint64)member->bytes);
  archive_entry_set_mtime (entry, 0, 0);
  gboolean good = archive_write_header (writer->archive, entry) == ARCHIVE_OK || failed (writer, member->name, error);
  archive_entry_free (entry);
  if (!good || member->path != NULL)
    return good && write_file (writer, member, error);
  return archive_write_data (writer->archive, member->text, member->bytes) == (la_ssize_t)member->bytes
         || failed (writer, member->name, error);
}

static char *
sums (LbPack *pack)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < pack->members->len; i++) {
    const Member *member = pack->members->pdata[i];
    g_string_append_printf (text, "%s  %s\n", member->digest, member->name);
  }
  return g_string_free (text, FALSE);
}

static gboolean
write_members (LbPack *pack, Writer *writer, GError **error)
{
  Archive *archive = writer->archive;
  /* No zeros behind what zstd ends with: its own tool refuses them. */
  archive_write_set_bytes_in_last_block (archive, 1);
  if (archive_write_set_format_pax_restricted (archive) != ARCHIVE_OK
      || archive_write_set_options (archive, "hdrcharset=UTF-8") != ARCHIVE_OK
      || archive_write_add_filter_zstd (archive) != ARCHIVE_OK
      || archive_write_set_filter_option (archive, "zstd", "compression-level", LEVEL) != ARCHIVE_OK
      || archive_write_open (archive, writer, NULL, put, NULL) != ARCHIVE_OK)
    return failed (writer, LB_ARCHIVE_SUMS, error);
  for (guint i = 0; i < pack->members->len; i++)
    if (!write_member (writer, pack->members->pdata[i], error))
      return FALSE;
  return archive_write_close (archive) == ARCHIVE_OK || failed (writer, LB_ARCHIVE_SUMS, error);
}

gboolean
lb_pack_write (LbPack *pack, const char *path, GError **error)
{
  sort (pack);
  g_autofree char *list = sums (pack);
  if (!lb_pack_add_text (pack, LB_ARCHIVE_SUMS, list, error))
    return FALSE;
  sort (pack);
  g_autoptr (LbFileWriter) file = lb_file_writer_new (path, error);
  if (file == NULL)
    return FALSE;
  Writer writer = { archive_write_new (), file, NULL };
  /* libarchive takes names from UTF-8 through the locale; see base/unpack.c. */
  locale_t utf8 = newlocale (LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  locale_t before = utf8 != (locale_t)0 ? uselocale (utf8) : (locale_t)0;
  gboolean good = write_members (pack, &writer, error);
  archive_write_free (writer.archive);
  if (utf8 != (locale_t)0) {
    uselocale (before);
    freelocale (utf8);
  }
  g_clear_error (&writer.error);
  return good && lb_file_writer_commit (file, error);
}
