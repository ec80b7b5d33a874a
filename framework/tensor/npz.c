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

static void
archive_close_writer (Archive *archive)
{
  archive_write_free (archive);
}

static la_ssize_t
append_to_string (Archive *archive, void *data, const void *buffer, size_t length)
{
  g_string_append_len (data, buffer, length);
  return length;
}

static gboolean
check_names (const char *path, const LbNamedTensor *tensors, guint n_tensors, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < n_tensors; i++) {
    const char *name = tensors[i].name, *letter = name;
    while (*letter > ' ' && *letter < 0x7F)
      letter++;
    if (name[0] == '\0' || *letter != '\0' || strlen (name) > MAX_NAME) {
      g_autofree char *found = g_strescape (name, NULL);
      g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
                   "%s: a tensor has the name '%s', where 1 to %d printable ASCII letters were expected; rename it",
                   path, found, MAX_NAME);
      return FALSE;
    }
    if (!g_hash_table_add (names, tensors[i].name)) {
      g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
                   "%s: two tensors have the name '%s', where each name was expected once; rename one", path, name);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
write_member (Archive *zip, const LbNamedTensor *named)
{
  g_autofree char *member = g_strconcat (named->name, ".npy", NULL);
  g_autoptr (GString) header = lb_npy_header (named->tensor);
  gsize bytes = lb_tensor_bytes (named->tensor);
  ArchiveEntry *entry = archive_entry_new ();

  archive_entry_set_pathname (entry, member);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  /* The zip format's own beginning of time, whatever the time zone. */
  archive_entry_set_mtime (entry, 0, 0);
  archive_entry_set_size (entry, header->len + bytes);
  gboolean good
      = archive_write_header (zip, entry) == ARCHIVE_OK
        && archive_write_data (zip, header->str, header->len) == (la_ssize_t)header->len
        && (bytes == 0 || archive_write_data (zip, lb_tensor_data (named->tensor), bytes) == (la_ssize_t)bytes);
  archive_entry_free (entry);
  return good;
}

gboolean
lb_npz_write (const char *path, const LbNamedTensor *tensors, guint n_tensors, gboolean compress, GError **error)
{
  g_autoptr (GString) bytes = g_string_new (NULL);

  if (!check_names (path, tensors, n_tensors, error))
    return FALSE;
  Archive *zip = archive_write_new ();
  archive_write_set_format_zip (zip);
  if (compress)
    archive_write_zip_set_compression_deflate (zip);
  else
    archive_write_zip_set_compression_store (zip);
  archive_write_set_bytes_in_last_block (zip, 1);
  gboolean good = archive_write_open (zip, bytes, NULL, append_to_string, NULL) == ARCHIVE_OK;
  for (guint i = 0; i < n_tensors && good; i++)
    good = write_member (zip, &tensors[i]);
  good = good && archive_write_close (zip) == ARCHIVE_OK;
  if (!good)
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "%s: cannot be packed: %s; write fewer or smaller tensors", path,
                 archive_error_string (zip) != NULL ? archive_error_string (zip) : "libarchive gives no reason");
  archive_close_writer (zip);
  return good && lb_file_write (path, bytes->str, bytes->len, error);
}

/* Reading. */
typedef struct {
  const char *path;
  LbUnpack *zip;
  gsize limit;
  gsize used; /* of @limit */
  GHashTable *names;
  GArray *tensors;
} Reader;

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

/* Reads the current member from its beginning; @start is room for a header. */
static LbTensor *
read_array (Reader *reader, const char *place, guint8 *start, GError **error)
{
  LbNpyHeader header;
  gsize filled, more;

  if (!lb_unpack_read (reader->zip, start, LB_NPY_MAX_HEADER, &filled, error)
      || !lb_npy_header_parse (place, start, filled, &header, error))
    return NULL;
  gsize already = filled - header.header_bytes;
  if (!check_size (reader, place, &header, error))
    return NULL;
  if (already > header.data_bytes || (already < header.data_bytes && filled < LB_NPY_MAX_HEADER)) {
    wrong_length (place, already, header.data_bytes, error);
    return NULL;
  }
  g_autoptr (LbTensor) tensor = lb_npy_tensor (place, &header, error);
  if (tensor == NULL)
    return NULL;
  char *data = lb_tensor_data (tensor);
  memcpy (data, start + header.header_bytes, already);
  if (!lb_unpack_read (reader->zip, data + already, header.data_bytes - already, &more, error))
    return NULL;
  gsize found = already + more;
  /* Reading on to the end is also what makes libarchive compare the checksum. */
  if (!lb_unpack_read (reader->zip, start, LB_NPY_MAX_HEADER, &more, error))
    return NULL;
  if (found + more != header.data_bytes) {
    wrong_length (place, found + more, header.data_bytes, error);
    return NULL;
  }
  return lb_npy_check (place, &header, tensor, error) ? g_steal_pointer (&tensor) : NULL;
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

static gboolean
read_member (Reader *reader, const LbUnpackMember *member, GError **error)
{
  guint8 start[LB_NPY_MAX_HEADER];
  g_autofree char *name = member_name (reader, member, error);

  if (name == NULL)
    return FALSE;
  g_autofree char *place = g_strdup_printf ("%s: member %s", reader->path, name);
  if (g_hash_table_contains (reader->names, name)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: stands in the file twice, where each name was expected once; write the file again", place);
    return FALSE;
  }
  if (member->is_encrypted) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: is encrypted, where plain data was expected; write the file again without a password", place);
    return FALSE;
  }
  if (reader->tensors->len == MAX_MEMBERS) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: has more than %d members, where fewer were expected; check that it is the right file",
                 reader->path, MAX_MEMBERS);
    return FALSE;
  }
  LbNamedTensor named = { .tensor = read_array (reader, place, start, error) };
  if (named.tensor == NULL)
    return FALSE;
  named.name = g_steal_pointer (&name);
  g_array_append_val (reader->tensors, named);
  g_hash_table_add (reader->names, named.name);
  return TRUE;
}

static gboolean
read_members (Reader *reader, GError **error)
{
  const LbUnpackMember *member;

  while (lb_unpack_next (reader->zip, &member, error)) {
    if (member == NULL)
      return TRUE;
    if (!read_member (reader, member, error))
      return FALSE;
  }
  return FALSE;
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
  Reader reader = { .path = path, .limit = limit };

  reader.zip = lb_unpack_open (path, LB_UNPACK_ZIP, "an intact .npz file (a zip of .npy arrays)", error);
  if (reader.zip == NULL)
    return NULL;
  reader.names = g_hash_table_new (g_str_hash, g_str_equal);
  reader.tensors = lb_named_tensors_new ();
  gboolean good = read_members (&reader, error);
  g_hash_table_unref (reader.names);
  lb_unpack_free (reader.zip);
  if (!good)
    g_clear_pointer (&reader.tensors, g_array_unref);
  return reader.tensors;
}
