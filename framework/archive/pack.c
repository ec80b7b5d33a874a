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
  char *name, *place;
  LbPackMake make;
  gpointer data; /* of make() */
  GDestroyNotify destroy;
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

/* What a member's bytes go through. */
typedef struct {
  Writer *writer; /* NULL: they are only counted */
  const Member *member;
  LbSha256 *sha256;
  guint64 bytes;
} Passage;

static void
member_free (gpointer data)
{
  Member *member = data;
  member->destroy (member->data);
  g_free (member->name);
  g_free (member->place);
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

/* Whether a member of this name may be added. */
static gboolean
check_name (LbPack *pack, const char *name, const char *place, GError **error)
{
  if (pack->members->len >= LB_ARCHIVE_MOST_MEMBERS)
    return lb_input_error (place, error,
                           "is one file too many for an archive, which has at most %d; leave out the packets "
                           "(--with-store), or make a tar file of an input folder of many files",
                           LB_ARCHIVE_MOST_MEMBERS);
  const char *fault = lb_member_fault (name);
  if (fault == NULL)
    fault = lb_member_names_add (pack->names, name);
  return fault == NULL
         || lb_input_error (place, error, "cannot be put into an archive: the name '%s' %s; rename it", name, fault);
}

static gboolean
count (gpointer data, gconstpointer bytes, gsize length, GError **error)
{
  Passage *passage = data;
  lb_sha256_add (passage->sha256, bytes, length);
  passage->bytes += length;
  return TRUE;
}

gboolean
lb_pack_add (LbPack *pack, const char *name, const char *place, LbPackMake make, gpointer data, GDestroyNotify destroy,
             GError **error)
{
  Member *member = g_new (Member, 1);
  *member = (Member){ g_strdup (name), g_strdup (place), make, data, destroy };
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  Passage passage = { .member = member, .sha256 = sha256 };
  if (!check_name (pack, name, place, error) || !make (data, count, &passage, error)) {
    member_free (member);
    return FALSE;
  }
  member->bytes = passage.bytes;
  lb_sha256_end (sha256, member->digest);
  g_ptr_array_add (pack->members, member);
  pack->is_sorted = FALSE;
  return TRUE;
}

static gboolean
make_text (gpointer data, LbByteSink sink, gpointer to, GError **error)
{
  return sink (to, data, strlen (data), error);
}

gboolean
lb_pack_add_text (LbPack *pack, const char *name, const char *text, GError **error)
{
  return lb_pack_add (pack, name, name, make_text, g_strdup (text), g_free, error);
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
make_file (gpointer data, LbByteSink sink, gpointer to, GError **error)
{
  const char *path = data;
  guint64 size;
  g_autofree guint8 *piece = g_malloc (PIECE);
  int descriptor = lb_file_open (path, &size, error);
  gssize got = -1;
  while (descriptor >= 0 && (got = read_piece (descriptor, path, piece, error)) > 0)
    if (!sink (to, piece, (gsize)got, error))
      break;
  if (descriptor >= 0)
    close (descriptor);
  return got == 0;
}

gboolean
lb_pack_add_file (LbPack *pack, const char *name, const char *path, char digest[LB_DIGEST_SIZE], GError **error)
{
  if (!lb_pack_add (pack, name, path, make_file, g_strdup (path), g_free, error))
    return FALSE;
  const Member *member = pack->members->pdata[pack->members->len - 1];
  if (digest != NULL)
    g_strlcpy (digest, member->digest, LB_DIGEST_SIZE);
  return TRUE;
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
  return lb_input_error (member->place, error,
                         "changed while it was being packed; leave it alone until the archive is written");
}

static gboolean
pass_on (gpointer data, gconstpointer bytes, gsize length, GError **error)
{
  Passage *passage = data;
  Writer *writer = passage->writer;
  const Member *member = passage->member;
  count (passage, bytes, length, NULL);
  return (passage->bytes <= member->bytes || changed (member, error))
         && (archive_write_data (writer->archive, bytes, length) == (la_ssize_t)length
             || failed (writer, member->name, error));
}

static gboolean
write_member (Writer *writer, const Member *member, GError **error)
{
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  Passage passage = { writer, member, sha256, 0 };
  char digest[LB_DIGEST_SIZE];
  ArchiveEntry *entry = archive_entry_new ();
  archive_entry_update_pathname_utf8 (entry, member->name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_entry_set_size (entry, (gint64)member->bytes);
  archive_entry_set_mtime (entry, 0, 0);
  gboolean good = archive_write_header (writer->archive, entry) == ARCHIVE_OK || failed (writer, member->name, error);
  archive_entry_free (entry);
  if (!good || !member->make (member->data, pass_on, &passage, error))
    return FALSE;
  lb_sha256_end (sha256, digest);
  return strcmp (digest, member->digest) == 0 || changed (member, error);
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
