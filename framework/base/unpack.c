/* Packed files, through GIO (gzip, whose checksum it compares) and libarchive (all else).
 *
 * A tar file passes through a callback of ours, because libarchive takes one that was cut off between two members for
 * a whole one: the bytes at its end are looked at here.
 */
#include "base/unpack.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <gio/gunixinputstream.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#define BLOCK         65536
#define TAR_TAIL      1024 /* zero bytes that end a tar file */
#define GZIP_FACTOR   1040 /* deflate cannot do better than 1032 : 1 */
#define MAX_PRINTABLE 100
#define TRUSTED       ((gsize)1 << 20) /* a declared size that memory is taken for at once */

typedef struct archive Archive;
typedef struct archive_entry ArchiveEntry;

struct _LbUnpack {
  char *path, *expected;
  LbUnpackFormat format;
  int descriptor;
  guint64 file_size;
  locale_t locale;
  Archive *archive;
  LbUnpackMember member;
  char *place; /* of messages: the path, and the member if there is one */
  /* What a tar file is read from: one of these, or the descriptor when it is not compressed. */
  GInputStream *stream;
  Archive *filter;
  gboolean is_plain;
  char *failure;    /* why the source could not be read on */
  gint64 position;  /* bytes read or passed over */
  guint64 most;     /* that position may become */
  gsize tail_zeros; /* zero bytes at the end of what was read */
  gboolean has_ended;
  guint8 block[BLOCK];
};

/* ---- Streams ---- */

/* A buffered stream over @descriptor, which it closes, filled for a look at its beginning. */
static GBufferedInputStream *
open_buffered (const char *path, guint64 *size, GError **error)
{
  g_autoptr (GError) reason = NULL;
  int descriptor = lb_file_open (path, size, error);

  if (descriptor < 0)
    return NULL;
  g_autoptr (GInputStream) plain = g_unix_input_stream_new (descriptor, TRUE);
  g_autoptr (GInputStream) buffered = g_buffered_input_stream_new_sized (plain, BLOCK);
  if (g_buffered_input_stream_fill (G_BUFFERED_INPUT_STREAM (buffered), -1, NULL, &reason) < 0) {
    lb_input_error (path, error, "cannot be read: %s; check the device", reason->message);
    return NULL;
  }
  return G_BUFFERED_INPUT_STREAM (g_steal_pointer (&buffered));
}

static gboolean
begins_with (GBufferedInputStream *stream, const char *mark, gsize length)
{
  gsize n = 0;
  const void *start = g_buffered_input_stream_peek_buffer (stream, &n);

  return n >= length && memcmp (start, mark, length) == 0;
}

GInputStream *
lb_unpack_stream (const char *path, guint64 *most, GError **error)
{
  guint64 size = 0;
  g_autoptr (GBufferedInputStream) buffered = open_buffered (path, &size, error);

  if (!buffered)
    return NULL;
  gboolean is_gzip = begins_with (buffered, "\x1f\x8b", 2);
  if (most)
    *most = is_gzip ? size * GZIP_FACTOR + BLOCK : size;
  if (!is_gzip)
    return G_INPUT_STREAM (g_steal_pointer (&buffered));
  g_autoptr (GConverter) gunzip = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP));
  return g_converter_input_stream_new (G_INPUT_STREAM (buffered), gunzip);
}

/* ---- Messages ---- */

char *
lb_unpack_printable (const char *name)
{
  g_autofree char *shortened = g_strndup (name, MAX_PRINTABLE);
  char *valid = g_utf8_make_valid (shortened, -1);

  for (char *letter = valid; *letter != '\0'; letter++)
    *letter = g_ascii_iscntrl (*letter) ? '?' : *letter;
  return valid;
}

static gboolean
damaged (LbUnpack *unpack, const char *reason, GError **error)
{
  /* libarchive's text may quote the file. */
  g_autofree char *text = lb_unpack_printable (reason ? reason : "cannot be unpacked");

  if (g_str_has_suffix (text, "."))
    text[strlen (text) - 1] = '\0';
  return lb_input_error (unpack->place, error,
                         "%s, where %s was expected; the file is truncated or damaged, get it again", text,
                         unpack->expected);
}

static gboolean
damaged_here (LbUnpack *unpack, GError **error)
{
  return damaged (unpack, unpack->failure ? unpack->failure : archive_error_string (unpack->archive), error);
}

/* ---- The source of a tar file ---- */

static void
count_tail_zeros (LbUnpack *unpack, const guint8 *data, gsize length)
{
  gsize zeros = 0;

  while (zeros < length && data[length - 1 - zeros] == 0)
    zeros++;
  unpack->tail_zeros = zeros == length ? unpack->tail_zeros + zeros : zeros;
}

static gssize
read_descriptor (LbUnpack *unpack)
{
  gssize got;

  do
    got = read (unpack->descriptor, unpack->block, BLOCK);
  while (got < 0 && errno == EINTR);
  return got;
}

static la_ssize_t
read_source (Archive *archive, void *data, const void **block)
{
  LbUnpack *unpack = data;
  g_autoptr (GError) reason = NULL;
  const char *text = NULL;
  gssize got;

  if (unpack->filter)
    got = archive_read_data (unpack->filter, unpack->block, BLOCK);
  else if (unpack->stream)
    got = g_input_stream_read (unpack->stream, unpack->block, BLOCK, NULL, &reason);
  else
    got = read_descriptor (unpack);
  if (got < 0) {
    text = unpack->filter ? archive_error_string (unpack->filter) : reason ? reason->message : g_strerror (errno);
    g_free (unpack->failure);
    unpack->failure = g_strdup (text);
    return ARCHIVE_FATAL;
  }
  count_tail_zeros (unpack, unpack->block, (gsize)got);
  unpack->position += got;
  if ((guint64)unpack->position > unpack->most) {
    g_autofree char *most = lb_format_bytes (unpack->most);
    g_free (unpack->failure);
    unpack->failure = g_strdup_printf ("unpacks to more than %s", most);
    return ARCHIVE_FATAL;
  }
  *block = unpack->block;
  return got;
}

static la_int64_t
skip_source (Archive *archive, void *data, la_int64_t request)
{
  LbUnpack *unpack = data;

  /* One that leads beyond the end of the file shows when the end is looked at: no zeros were read there. */
  if (!unpack->is_plain || lseek (unpack->descriptor, request, SEEK_CUR) < 0)
    return 0;
  unpack->position += request;
  unpack->tail_zeros = 0;
  return request;
}

/* Decompresses what GIO does not. */
static gboolean
open_filter (LbUnpack *unpack, GError **error)
{
  ArchiveEntry *entry;
  gboolean good;

  unpack->filter = archive_read_new ();
  archive_read_support_filter_bzip2 (unpack->filter);
  archive_read_support_filter_xz (unpack->filter);
  archive_read_support_filter_zstd (unpack->filter);
  archive_read_support_format_raw (unpack->filter);
  good = archive_read_open_fd (unpack->filter, unpack->descriptor, BLOCK) == ARCHIVE_OK
         && archive_read_next_header (unpack->filter, &entry) == ARCHIVE_OK;
  return good || damaged (unpack, archive_error_string (unpack->filter), error);
}

static gboolean
open_tar (LbUnpack *unpack, GError **error)
{
  static const char *const filters[] = { "BZh",
                                         "\xfd"
                                         "7zXZ",
                                         "\x28\xb5\x2f\xfd" };
  char start[8] = { 0 };
  gboolean is_filtered = FALSE;

  unpack->descriptor = lb_file_open (unpack->path, &unpack->file_size, error);
  if (unpack->descriptor < 0)
    return FALSE;
  /* A file that cannot be read says so again when it is. */
  gssize got = pread (unpack->descriptor, start, sizeof start, 0);
  for (guint i = 0; i < G_N_ELEMENTS (filters); i++)
    is_filtered = is_filtered || (got == sizeof start && memcmp (start, filters[i], strlen (filters[i])) == 0);
  gboolean is_gzip = start[0] == '\x1f' && start[1] == '\x8b';
  unpack->is_plain = !is_filtered && !is_gzip;
  if (is_filtered && !open_filter (unpack, error))
    return FALSE;
  if (is_gzip && !(unpack->stream = lb_unpack_stream (unpack->path, NULL, error)))
    return FALSE;
  archive_read_support_format_tar (unpack->archive);
  return archive_read_open2 (unpack->archive, unpack, NULL, read_source, skip_source, NULL) == ARCHIVE_OK
         || damaged_here (unpack, error);
}

/* After the last member: everything up to the end must be readable, and the end that of a tar file. */
static gboolean
check_tar_end (LbUnpack *unpack, GError **error)
{
  const void *block;
  la_ssize_t got;

  while ((got = read_source (unpack->archive, unpack, &block)) > 0)
    ;
  if (got < 0)
    return damaged_here (unpack, error);
  /* The last header that was looked for is the first of the zero bytes; those that pad the last member do not count. */
  gint64 tail = unpack->position - archive_read_header_position (unpack->archive);
  return (unpack->tail_zeros >= TAR_TAIL && tail >= TAR_TAIL)
         || damaged (unpack, "does not end as a tar file does, with 1024 zero bytes", error);
}

/* ---- Members ---- */

static gboolean
open_zip (LbUnpack *unpack, GError **error)
{
  unpack->descriptor = lb_file_open (unpack->path, &unpack->file_size, error);
  if (unpack->descriptor < 0)
    return FALSE;
  /* The seeking reader insists on the directory at the end of the file, so a truncated file is never taken for a whole
   * one. */
  archive_read_support_format_zip_seekable (unpack->archive);
  return archive_read_open_fd (unpack->archive, unpack->descriptor, BLOCK) == ARCHIVE_OK
         || damaged_here (unpack, error);
}

LbUnpack *
lb_unpack_open (const char *path, LbUnpackFormat format, const char *expected, GError **error)
{
  LbUnpack *unpack = g_new0 (LbUnpack, 1);

  unpack->path = g_strdup (path);
  unpack->place = g_strdup (path);
  unpack->expected = g_strdup (expected);
  unpack->format = format;
  unpack->descriptor = -1;
  unpack->most = G_MAXUINT64;
  unpack->locale = newlocale (LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  unpack->archive = archive_read_new ();
  if (format == LB_UNPACK_ZIP ? open_zip (unpack, error) : open_tar (unpack, error))
    return unpack;
  lb_unpack_free (unpack);
  return NULL;
}

void
lb_unpack_free (LbUnpack *unpack)
{
  if (!unpack)
    return;
  archive_read_free (unpack->archive);
  if (unpack->filter)
    archive_read_free (unpack->filter);
  g_clear_object (&unpack->stream);
  if (unpack->descriptor >= 0)
    close (unpack->descriptor);
  if (unpack->locale != (locale_t)0)
    freelocale (unpack->locale);
  g_free ((char *)unpack->member.name);
  g_free (unpack->failure);
  g_free (unpack->place);
  g_free (unpack->expected);
  g_free (unpack->path);
  g_free (unpack);
}

void
lb_unpack_limit (LbUnpack *unpack, guint64 most)
{
  unpack->most = most;
}

guint64
lb_unpack_file_size (const LbUnpack *unpack)
{
  return unpack->file_size;
}

gboolean
lb_unpack_skips (const LbUnpack *unpack)
{
  return unpack->is_plain;
}

static gboolean
set_member (LbUnpack *unpack, ArchiveEntry *entry, GError **error)
{
  const char *name = archive_entry_pathname_utf8 (entry);

  if (!name)
    name = archive_entry_pathname (entry);
  if (!name || name[0] == '\0')
    return damaged (unpack, "has a member without a name", error);
  g_free ((char *)unpack->member.name);
  unpack->member.name = g_strdup (name);
  unpack->member.size = (guint64)MAX (archive_entry_size (entry), 0);
  unpack->member.is_file = archive_entry_filetype (entry) == AE_IFREG && !archive_entry_hardlink (entry);
  unpack->member.is_folder = archive_entry_filetype (entry) == AE_IFDIR;
  unpack->member.is_encrypted = archive_entry_is_encrypted (entry) != 0;
  g_autofree char *printable = lb_unpack_printable (name);
  g_free (unpack->place);
  unpack->place = g_strdup_printf ("%s: member %s", unpack->path, printable);
  return TRUE;
}

/* libarchive translates names into the locale and fails where that has no such letters; a file must read the same in
 * every locale. Only this thread's locale is changed, and only for a while. */
static gboolean
next_in_utf8 (LbUnpack *unpack, gboolean *at_end, GError **error)
{
  locale_t before = unpack->locale != (locale_t)0 ? uselocale (unpack->locale) : (locale_t)0;
  ArchiveEntry *entry;
  int status = archive_read_next_header (unpack->archive, &entry);
  gboolean good = status == ARCHIVE_OK ? set_member (unpack, entry, error)
                                       : status == ARCHIVE_EOF || damaged_here (unpack, error);

  *at_end = status == ARCHIVE_EOF;
  if (unpack->locale != (locale_t)0)
    uselocale (before);
  return good;
}

gboolean
lb_unpack_next (LbUnpack *unpack, const LbUnpackMember **member, GError **error)
{
  gboolean at_end = unpack->has_ended;

  *member = NULL;
  g_free (unpack->place);
  unpack->place = g_strdup (unpack->path);
  if (!at_end && !next_in_utf8 (unpack, &at_end, error))
    return FALSE;
  if (!at_end)
    *member = &unpack->member;
  if (!at_end || unpack->has_ended)
    return TRUE;
  unpack->has_ended = TRUE;
  return unpack->format != LB_UNPACK_TAR || check_tar_end (unpack, error);
}

gboolean
lb_unpack_read (LbUnpack *unpack, gpointer data, gsize length, gsize *filled, GError **error)
{
  for (*filled = 0; *filled < length;) {
    la_ssize_t got
        = archive_read_data (unpack->archive, (char *)data + *filled, MIN (length - *filled, (gsize)1 << 20));
    if (got < 0)
      return damaged_here (unpack, error);
    if (got == 0)
      break;
    *filled += (gsize)got;
  }
  return TRUE;
}

static GBytes *
too_large (LbUnpack *unpack, gsize limit, GError **error)
{
  g_autofree char *most = lb_format_bytes (limit);

  lb_input_error (unpack->place, error,
                  "is larger than %s, the most that was expected; check that it is the right file", most);
  return NULL;
}

GBytes *
lb_unpack_read_member (LbUnpack *unpack, gsize limit, GError **error)
{
  gsize room = MIN (MIN (unpack->member.size, limit) + 1, TRUSTED), length = 0, got;
  g_autofree guint8 *data = g_malloc (room);

  if (unpack->member.size > limit)
    return too_large (unpack, limit, error);
  for (;;) {
    if (!lb_unpack_read (unpack, data + length, room - length, &got, error))
      return NULL;
    length += got;
    if (length > limit)
      return too_large (unpack, limit, error);
    if (length < room)
      return g_bytes_new_take (g_steal_pointer (&data), length);
    guint8 *larger = g_try_realloc (data, room * 2);
    if (!larger) {
      lb_input_error (unpack->place, error, "there is no memory for its bytes; free some memory");
      return NULL;
    }
    g_steal_pointer (&data);
    data = larger;
    room *= 2;
  }
}
