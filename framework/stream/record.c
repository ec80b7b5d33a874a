/* Writing and reading of records.
 *
 * Invariant: no packet leaves before the digest over all of its record has been found right, and no memory is taken
 * that the record is too short to fill.
 */
#include "stream/record.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "tensor/digest.h"

#define MAGIC      "LBREC1\n"
#define MAX_FIELDS 1024
#define MAX_NAME   4096
/* Read at once when only digests are computed. */
#define PIECE (1 << 20)

void
lb_record_chain (const LbPacket *packet, guint64 n, guint8 digest[LB_DIGEST_BYTES], LbSha256 *sha256)
{
  if (n > 0)
    lb_sha256_add (sha256, digest, LB_DIGEST_BYTES);
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const char *name = lb_packet_field_name (packet, i);

    lb_sha256_add (sha256, name, strlen (name) + 1);
    lb_tensor_add_to_digest (lb_packet_field_tensor (packet, i), sha256);
  }
  lb_sha256_end_bytes (sha256, digest);
}

/* ---- Writing ---- */

static void
append_u32 (GByteArray *bytes, gsize value)
{
  guint32 little = GUINT32_TO_LE ((guint32)value);

  g_byte_array_append (bytes, (guint8 *)&little, sizeof little);
}

static void
append_text (GByteArray *bytes, const char *text)
{
  append_u32 (bytes, strlen (text));
  g_byte_array_append (bytes, (const guint8 *)text, (guint)strlen (text));
}

static void
append_field_header (GByteArray *bytes, const char *name, const LbTensor *tensor)
{
  LbShape shape = lb_tensor_shape (tensor);

  append_text (bytes, name);
  append_text (bytes, lb_dtype_name (lb_tensor_dtype (tensor)));
  append_u32 (bytes, shape.rank);
  for (guint axis = 0; axis < shape.rank; axis++) {
    guint64 dim = GUINT64_TO_LE ((guint64)shape.dim[axis]);
    g_byte_array_append (bytes, (guint8 *)&dim, sizeof dim);
  }
}

/* A sink and what has gone there. */
typedef struct {
  LbByteSink sink;
  gpointer data;
  LbSha256 *sha256;
  guint64 length;
} Writer;

static gboolean
put (Writer *writer, gconstpointer bytes, gsize length, GError **error)
{
  writer->length += length;
  lb_sha256_add (writer->sha256, bytes, length);
  return length == 0 || writer->sink (writer->data, bytes, length, error);
}

gboolean
lb_record_write (const LbPacket *packet, LbByteSink sink, gpointer data, guint64 *length, char digest[LB_DIGEST_SIZE],
                 GError **error)
{
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  g_autoptr (GByteArray) header = g_byte_array_new ();
  Writer writer = { sink, data, sha256, 0 };

  g_byte_array_append (header, (const guint8 *)MAGIC, sizeof MAGIC);
  append_u32 (header, lb_packet_n_fields (packet));
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const LbTensor *tensor = lb_packet_field_tensor (packet, i);
    append_field_header (header, lb_packet_field_name (packet, i), tensor);
    if (!put (&writer, header->data, header->len, error)
        || !put (&writer, lb_tensor_data (tensor), lb_tensor_bytes (tensor), error))
      return FALSE;
    g_byte_array_set_size (header, 0);
  }
  if (!put (&writer, header->data, header->len, error))
    return FALSE;
  *length = writer.length;
  lb_sha256_end (sha256, digest);
  return TRUE;
}

/* ---- Reading ---- */

/* A record that is being read. */
typedef struct {
  int descriptor;
  const char *path;
  guint64 offset, left;
  LbSha256 *sha256;
} Reader;

static gboolean
damaged (const Reader *reader, GError **error, const char *what)
{
  return lb_input_error (reader->path, error, "%s at byte %" G_GUINT64_FORMAT, what, reader->offset);
}

static gboolean
get (Reader *reader, gpointer bytes, gsize length, GError **error)
{
  guint8 *at = bytes;

  if (length > reader->left)
    return damaged (reader, error, "a record holds less than it says");
  while (length > 0) {
    gssize got = pread (reader->descriptor, at, MIN (length, 1u << 30), (off_t)reader->offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return lb_input_error (reader->path, error, "cannot be read: %s", g_strerror (errno));
    if (got == 0)
      return damaged (reader, error, "the file is cut short");
    lb_sha256_add (reader->sha256, at, (gsize)got);
    at += got;
    length -= (gsize)got;
    reader->offset += (guint64)got;
    reader->left -= (guint64)got;
  }
  return TRUE;
}

static gboolean
get_u32 (Reader *reader, guint32 *value, GError **error)
{
  if (!get (reader, value, sizeof *value, error))
    return FALSE;
  *value = GUINT32_FROM_LE (*value);
  return TRUE;
}

static char *
get_text (Reader *reader, GError **error)
{
  guint32 length;

  if (!get_u32 (reader, &length, error))
    return NULL;
  if (length > MAX_NAME) {
    damaged (reader, error, "a record has a name that is too long");
    return NULL;
  }
  g_autofree char *text = g_malloc0 (length + 1);
  return get (reader, text, length, error) ? g_steal_pointer (&text) : NULL;
}

static gboolean
get_shape (Reader *reader, LbShape *shape, GError **error)
{
  if (!get_u32 (reader, &shape->rank, error))
    return FALSE;
  if (shape->rank > LB_MAX_RANK)
    return damaged (reader, error, "a record has a tensor of too many dimensions");
  for (guint axis = 0; axis < shape->rank; axis++) {
    if (!get (reader, &shape->dim[axis], sizeof (gint64), error))
      return FALSE;
    shape->dim[axis] = GINT64_FROM_LE (shape->dim[axis]);
  }
  return TRUE;
}

static gboolean
get_field (Reader *reader, LbPacket *packet, GError **error)
{
  g_autofree char *name = get_text (reader, error);
  g_autofree char *dtype_name = name != NULL ? get_text (reader, error) : NULL;
  LbShape shape = { 0 };
  LbDType dtype;
  gsize bytes;

  if (dtype_name == NULL || !get_shape (reader, &shape, error))
    return FALSE;
  if (!lb_dtype_from_name (dtype_name, &dtype) || !lb_shape_bytes (shape, dtype, &bytes) || bytes > reader->left)
    return damaged (reader, error, "a record has an impossible tensor");
  g_autoptr (LbTensor) tensor = lb_tensor_try_new (dtype, shape);
  if (tensor == NULL)
    return lb_input_error (reader->path, error, "memory is exhausted while it is read; free some");
  if (!get (reader, lb_tensor_data (tensor), bytes, error))
    return FALSE;
  lb_packet_set (packet, name, tensor);
  return TRUE;
}

static gboolean
check_digest (Reader *reader, const char *digest, GError **error)
{
  char found[LB_DIGEST_SIZE];

  lb_sha256_end (reader->sha256, found);
  if (strcmp (found, digest) == 0)
    return TRUE;
  return lb_input_error (
      reader->path, error,
      "a record that ends at byte %" G_GUINT64_FORMAT " is not what was written: its SHA-256 differs", reader->offset);
}

gboolean
lb_record_verify (int descriptor, const char *path, guint64 offset, guint64 length, const char *digest, GError **error)
{
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  g_autofree guint8 *piece = g_malloc (PIECE);
  Reader reader = { descriptor, path, offset, length, sha256 };

  while (reader.left > 0)
    if (!get (&reader, piece, (gsize)MIN (reader.left, PIECE), error))
      return FALSE;
  return check_digest (&reader, digest, error);
}

LbPacket *
lb_record_read (int descriptor, const char *path, guint64 offset, guint64 length, const char *digest, GError **error)
{
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  g_autoptr (LbPacket) packet = lb_packet_new ();
  Reader reader = { descriptor, path, offset, length, sha256 };
  char magic[sizeof MAGIC];
  guint32 n_fields = 0;

  if (!get (&reader, magic, sizeof magic, error) || !get_u32 (&reader, &n_fields, error))
    return NULL;
  if (memcmp (magic, MAGIC, sizeof magic) != 0 || n_fields > MAX_FIELDS) {
    damaged (&reader, error, "there is no record");
    return NULL;
  }
  for (guint i = 0; i < n_fields; i++)
    if (!get_field (&reader, packet, error))
      return NULL;
  if (reader.left > 0) {
    damaged (&reader, error, "a record holds more than its fields");
    return NULL;
  }
  return check_digest (&reader, digest, error) ? g_steal_pointer (&packet) : NULL;
}

LbPacket *
lb_record_read_file (const char *path, guint64 offset, guint64 length, const char *digest, GError **error)
{
  guint64 size;
  int descriptor = lb_file_open (path, &size, error);

  if (descriptor < 0)
    return NULL;
  LbPacket *packet = lb_record_read (descriptor, path, offset, length, digest, error);
  close (descriptor);
  return packet;
}
