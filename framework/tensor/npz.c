/* NumPy's .npz: a zip of .npy members, through libarchive.
 *
 * Invariants: what is written depends on the tensors alone, not on clock, time zone, user or locale. What is read is
 * hostile until proven: nothing is believed for longer than it takes to read the bytes it speaks of, and memory is
 * taken only for what @limit and the size of the file allow.
 */
#include "tensor/npz.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/unpack.h"
#include "tensor/npy.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#define MAX_MEMBERS 65536
#define MAX_NAME    1024
/* Deflate cannot make anything smaller than this. */
#define MAX_DEFLATE_RATIO 1032

typedef struct archive Archive;
typedef struct archive_entry ArchiveEntry;

/* ---- Writing ---- */

struct _LbNpzWriter {
  char *place;
  LbByteSink sink;
  gpointer data;      /* of the sink */
  LbFileWriter *file; /* what @data is, or NULL */
  Archive *zip;
  GHashTable *names; /* char *, owned */
  GError *failure;   /* of the sink, inside libarchive */
};

static la_ssize_t
append (Archive *archive, void *data, const void *buffer, size_t length)
{
  LbNpzWriter *writer = data;

  return writer->failure == NULL && writer->sink (writer->data, buffer, length, &writer->failure) ? (la_ssize_t)length
                                                                                                  : -1;
}

static gboolean
check_name (LbNpzWriter *writer, const char *name, GError **error)
{
  const char *letter = name;

  while (*letter > ' ' && *letter < 0x7F)
    letter++;
  if (name[0] == '\0' || *letter != '\0' || strlen (name) > MAX_NAME) {
    g_autofree char *found = g_strescape (name, NULL);
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
                 "%s: a tensor has the name '%s', where 1 to %d printable ASCII letters were expected; rename it",
                 writer->place, found, MAX_NAME);
    return FALSE;
  }
  if (!g_hash_table_add (writer->names, g_strdup (name))) {
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
                 "%s: two tensors have the name '%s', where each name was expected once; rename one", writer->place,
                 name);
    return FALSE;
  }
  return TRUE;
}

static gboolean
write_member (Archive *zip, const char *name, const LbTensor *tensor)
{
  g_autofree char *member = g_strconcat (name, ".npy", NULL);
  g_autoptr (GString) header = lb_npy_header (tensor);
  gsize bytes = lb_tensor_bytes (tensor);
  ArchiveEntry *entry = archive_entry_new ();

  archive_entry_set_pathname (entry, member);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  /* The zip format's own beginning of time, whatever the time zone. */
  archive_entry_set_mtime (entry, 0, 0);
  archive_entry_set_size (entry, header->len + bytes);
  gboolean good = archive_write_header (zip, entry) == ARCHIVE_OK
                  && archive_write_data (zip, header->str, header->len) == (la_ssize_t)header->len
                  && (bytes == 0 || archive_write_data (zip, lb_tensor_data (tensor), bytes) == (la_ssize_t)bytes);
  archive_entry_free (entry);
  return good;
}

/* Always FALSE: what libarchive, or the file under it, could not do. */
static gboolean
cannot_pack (LbNpzWriter *writer, GError **error)
{
  if (writer->failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&writer->failure));
    return FALSE;
  }
  g_set_error (
      error, LB_ERROR, LB_ERROR_OUTPUT, "%s: cannot be packed: %s; write fewer or smaller tensors", writer->place,
      archive_error_string (writer->zip) != NULL ? archive_error_string (writer->zip) : "libarchive gives no reason");
  return FALSE;
}

LbNpzWriter *
lb_npz_writer_new_to (const char *place, gboolean compress, LbByteSink sink, gpointer data, GError **error)
{
  LbNpzWriter *writer = g_new0 (LbNpzWriter, 1);

  writer->place = g_strdup (place);
  writer->sink = sink;
  writer->data = data;
  writer->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  writer->zip = archive_write_new ();
  archive_write_set_format_zip (writer->zip);
  if (compress)
    archive_write_zip_set_compression_deflate (writer->zip);
  else
    archive_write_zip_set_compression_store (writer->zip);
  archive_write_set_bytes_in_last_block (writer->zip, 1);
  if (archive_write_open (writer->zip, writer, NULL, append, NULL) == ARCHIVE_OK)
    return writer;
  cannot_pack (writer, error);
  lb_npz_writer_free (writer);
  return NULL;
}

LbNpzWriter *
lb_npz_writer_new (const char *path, gboolean compress, GError **error)
{
  g_autoptr (LbFileWriter) file = lb_file_writer_new (path, error);
  LbNpzWriter *writer = file != NULL ? lb_npz_writer_new_to (path, compress, lb_file_writer_sink, file, error) : NULL;

  if (writer != NULL)
    writer->file = g_steal_pointer (&file);
  return writer;
}

gboolean
lb_npz_writer_add (LbNpzWriter *writer, const char *name, const LbTensor *tensor, GError **error)
{
  return check_name (writer, name, error) && (write_member (writer->zip, name, tensor) || cannot_pack (writer, error));
}

gboolean
lb_npz_writer_commit (LbNpzWriter *writer, GError **error)
{
  if (archive_write_close (writer->zip) != ARCHIVE_OK)
    return cannot_pack (writer, error);
  return writer->file == NULL || lb_file_writer_commit (writer->file, error);
}

void
lb_npz_writer_free (LbNpzWriter *writer)
{
  if (writer == NULL)
    return;
  archive_write_free (writer->zip);
  lb_file_writer_free (writer->file);
  g_hash_table_unref (writer->names);
  g_clear_error (&writer->failure);
  g_free (writer->place);
  g_free (writer);
}

gboolean
lb_npz_write (const char *path, const LbNamedTensor *tensors, guint n_tensors, gboolean compress, GError **error)
{
  g_autoptr (LbNpzWriter) writer = lb_npz_writer_new (path, compress, error);

  for (guint i = 0; writer != NULL && i < n_tensors; i++)
    if (!lb_npz_writer_add (writer, tensors[i].name, tensors[i].tensor, error))
      return FALSE;
  return writer != NULL && lb_npz_writer_commit (writer, error);
}

/* ---- Reading ---- */

struct _LbNpzReader {
  char *path;
  LbUnpack *zip;
  gsize limit;
  gsize used;        /* of @limit */
  GHashTable *names; /* char *, owned */
  /* The member at hand. */
  char *name, *place;
  LbNpyHeader header;
  guint8 start[LB_NPY_MAX_HEADER]; /* its first bytes, @filled of them */
  gsize filled;
};
typedef LbNpzReader Reader;

static void
named_tensor_clear (gpointer data)
{
  LbNamedTensor *named = data;

  g_free (named->name);
  lb_tensor_unref (named->tensor);
}

static gboolean
wrong_length (const char *place, gsize found, gsize declared, GError **error)
{
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "%s: has %s%" G_GSIZE_FORMAT " bytes of elements, where its header declares %" G_GSIZE_FORMAT
               "; the file is truncated or damaged, get it again",
               place, found > declared ? "more than " : "", MIN (found, declared), declared);
  return FALSE;
}

static gboolean
check_size (Reader *reader, const char *place, const LbNpyHeader *header, GError **error)
{
  if (header->data_bytes > reader->limit - reader->used) {
    g_autofree char *most = lb_format_bytes (reader->limit);
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: declares %" G_GSIZE_FORMAT " bytes, where the whole file was expected to hold at most %s; "
                 "check that it is the right file",
                 place, header->data_bytes, most);
    return FALSE;
  }
  /* A lie about the size must not cost memory. */
  if (header->data_bytes / MAX_DEFLATE_RATIO > lb_unpack_file_size (reader->zip)) {
    g_autofree char *size = lb_format_bytes (lb_unpack_file_size (reader->zip));
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: declares %" G_GSIZE_FORMAT
                 " bytes of elements, where no more than a file of %s can hold was expected; "
                 "the file is damaged, get it again",
                 place, header->data_bytes, size);
    return FALSE;
  }
  reader->used += header->data_bytes;
  return TRUE;
}

/* The elements of the member at hand. */
static LbTensor *
read_array (Reader *reader, GError **error)
{
  const char *place = reader->place;
  const LbNpyHeader *header = &reader->header;
  gsize already = reader->filled - header->header_bytes, more;

  if (!check_size (reader, place, header, error))
    return NULL;
  if (already > header->data_bytes || (already < header->data_bytes && reader->filled < LB_NPY_MAX_HEADER)) {
    wrong_length (place, already, header->data_bytes, error);
    return NULL;
  }
  g_autoptr (LbTensor) tensor = lb_npy_tensor (place, header, error);
  if (tensor == NULL)
    return NULL;
  char *data = lb_tensor_data (tensor);
  memcpy (data, reader->start + header->header_bytes, already);
  if (!lb_unpack_read (reader->zip, data + already, header->data_bytes - already, &more, error))
    return NULL;
  gsize found = already + more;
  /* Reading on to the end is also what makes libarchive compare the checksum. */
  if (!lb_unpack_read (reader->zip, reader->start, LB_NPY_MAX_HEADER, &more, error))
    return NULL;
  if (found + more != header->data_bytes) {
    wrong_length (place, found + more, header->data_bytes, error);
    return NULL;
  }
  return lb_npy_check (place, header, tensor, error) ? g_steal_pointer (&tensor) : NULL;
}

/* The name without ".npy", or NULL with an error for one that no array should have. */
static char *
member_name (Reader *reader, const LbUnpackMember *member, GError **error)
{
  const char *name = member->name;
  gsize length = strlen (name);
  gboolean plain = length <= MAX_NAME && g_utf8_validate (name, length, NULL);

  for (gsize i = 0; i < length && plain; i++)
    plain = (guchar)name[i] >= ' ' && name[i] != 0x7F;
  if (plain && length > 4 && strcmp (name + length - 4, ".npy") == 0 && member->is_file)
    return g_strndup (name, length - 4);
  g_autofree char *shortened = g_strndup (name, MIN (length, 64));
  g_autofree char *found = g_strescape (shortened, NULL);
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "%s: has the member '%s', where only arrays (NAME.npy) were expected; write it with numpy.savez",
               reader->path, found);
  return NULL;
}

/* Opens @member: its name and header. */
static gboolean
open_member (Reader *reader, const LbUnpackMember *member, GError **error)
{
  g_clear_pointer (&reader->place, g_free);
  g_free (reader->name);
  reader->name = member_name (reader, member, error);
  if (reader->name == NULL)
    return FALSE;
  reader->place = g_strdup_printf ("%s: member %s", reader->path, reader->name);
  if (g_hash_table_contains (reader->names, reader->name)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: stands in the file twice, where each name was expected once; write the file again",
                 reader->place);
    return FALSE;
  }
  if (member->is_encrypted) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: is encrypted, where plain data was expected; write the file again without a password",
                 reader->place);
    return FALSE;
  }
  if (g_hash_table_size (reader->names) == MAX_MEMBERS) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: has more than %d members, where fewer were expected; check that it is the right file",
                 reader->path, MAX_MEMBERS);
    return FALSE;
  }
  g_hash_table_add (reader->names, g_strdup (reader->name));
  return lb_unpack_read (reader->zip, reader->start, LB_NPY_MAX_HEADER, &reader->filled, error)
         && lb_npy_header_parse (reader->place, reader->start, reader->filled, &reader->header, error);
}

LbNpzReader *
lb_npz_reader_new (const char *path, gsize limit, GError **error)
{
  LbUnpack *zip = lb_unpack_open (path, LB_UNPACK_ZIP, "an intact .npz file (a zip of .npy arrays)", error);

  if (zip == NULL)
    return NULL;
  LbNpzReader *reader = g_new0 (LbNpzReader, 1);
  reader->path = g_strdup (path);
  reader->zip = zip;
  reader->limit = limit;
  reader->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return reader;
}

gboolean
lb_npz_reader_next (LbNpzReader *reader, const char **name, LbDType *dtype, LbShape *shape, GError **error)
{
  const LbUnpackMember *member;

  *name = NULL;
  if (!lb_unpack_next (reader->zip, &member, error))
    return FALSE;
  if (member == NULL)
    return TRUE;
  if (!open_member (reader, member, error))
    return FALSE;
  *name = reader->name;
  *dtype = reader->header.dtype;
  *shape = reader->header.shape;
  return TRUE;
}

LbTensor *
lb_npz_reader_tensor (LbNpzReader *reader, GError **error)
{
  return read_array (reader, error);
}

void
lb_npz_reader_free (LbNpzReader *reader)
{
  if (reader == NULL)
    return;
  lb_unpack_free (reader->zip);
  g_hash_table_unref (reader->names);
  g_free (reader->name);
  g_free (reader->place);
  g_free (reader->path);
  g_free (reader);
}

GArray *
lb_named_tensors_new (void)
{
  GArray *tensors = g_array_new (FALSE, FALSE, sizeof (LbNamedTensor));

  g_array_set_clear_func (tensors, named_tensor_clear);
  return tensors;
}

GArray *
lb_npz_read (const char *path, gsize limit, GError **error)
{
  g_autoptr (LbNpzReader) reader = lb_npz_reader_new (path, limit, error);
  g_autoptr (GArray) tensors = lb_named_tensors_new ();
  const char *name;
  LbDType dtype;
  LbShape shape;

  while (reader != NULL && lb_npz_reader_next (reader, &name, &dtype, &shape, error)) {
    if (name == NULL)
      return g_steal_pointer (&tensors);
    LbNamedTensor named = { .tensor = lb_npz_reader_tensor (reader, error) };
    if (named.tensor == NULL)
      return NULL;
    named.name = g_strdup (name);
    g_array_append_val (tensors, named);
  }
  return NULL;
}
