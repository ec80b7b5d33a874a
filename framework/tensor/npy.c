/* NumPy's .npy format: magic, version, a Python dictionary as text, and the elements.
 *
 * Invariant: the dictionary is parsed strictly: the three known keys once each, and no value but those of a plain
 * little-endian array in C order. A size is believed only once the bytes are there.
 */
#include "tensor/npy.h"
#include "tensor/npz.h"

#include "base/error.h"

#include <string.h>

#define MAGIC        "\x93NUMPY"
#define MAGIC_LENGTH 6
#define ALIGNMENT    64

static const struct {
  const char *descr;
  LbDType dtype;
} known[] = {
  { "|u1", LB_U8 },  { "|b1", LB_U8 },  { "<i4", LB_I32 }, { "<i8", LB_I64 },
  { "<f4", LB_F32 }, { "<f8", LB_F64 }, { "<f2", LB_F16 },
};

GString *
lb_npy_header (const LbTensor *tensor)
{
  LbShape shape = lb_tensor_shape (tensor);
  const char *descr = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (known) && descr == NULL; i++) {
    if (known[i].dtype == lb_tensor_dtype (tensor))
      descr = known[i].descr;
  }
  GString *header = g_string_new_len (MAGIC "\1\0\0\0", MAGIC_LENGTH + 4);
  g_string_append_printf (header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (guint i = 0; i < shape.rank; i++)
    g_string_append_printf (header, "%s%" G_GINT64_FORMAT, i > 0 ? ", " : "", shape.dim[i]);
  g_string_append (header, shape.rank == 1 ? ",), }" : "), }");
  while ((header->len + 1) % ALIGNMENT != 0)
    g_string_append_c (header, ' ');
  g_string_append_c (header, '\n');
  gsize text = header->len - MAGIC_LENGTH - 4;
  header->str[MAGIC_LENGTH + 2] = (char)(text & 0xFF);
  header->str[MAGIC_LENGTH + 3] = (char)(text >> 8);
  return header;
}

void
lb_npy_append (GByteArray *bytes, const LbTensor *tensor)
{
  g_autoptr (GString) header = lb_npy_header (tensor);

  g_return_if_fail (lb_tensor_bytes (tensor) + header->len <= G_MAXUINT - bytes->len);

  g_byte_array_append (bytes, (const guint8 *)header->str, header->len);
  g_byte_array_append (bytes, lb_tensor_data (tensor), lb_tensor_bytes (tensor));
}

/* The dictionary, read from left to right. */
typedef struct {
  const char *place;
  const char *at, *end;
  gboolean has_descr, has_order, has_shape;
  GError **error;
} Reader;

static gboolean
damaged (Reader *reader, const char *expected)
{
  g_autofree char *rest = g_strndup (reader->at, MIN (reader->end - reader->at, 24));
  g_autofree char *found = g_strescape (rest, NULL);

  g_set_error (
      reader->error, LB_ERROR, LB_ERROR_INPUT,
      "%s: its .npy header has '%s' where %s was expected; the file is damaged, write it again with numpy.save",
      reader->place, found, expected);
  return FALSE;
}

static void
skip_spaces (Reader *reader)
{
  while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\t'))
    reader->at++;
}

static gboolean
accept (Reader *reader, const char *token)
{
  gsize length = strlen (token);

  skip_spaces (reader);
  if ((gsize)(reader->end - reader->at) < length || memcmp (reader->at, token, length) != 0)
    return FALSE;
  reader->at += length;
  return TRUE;
}

/* A quoted string without escapes into @text, which has room for @room bytes. */
static gboolean
accept_string (Reader *reader, char *text, gsize room)
{
  skip_spaces (reader);
  if (reader->at == reader->end || (*reader->at != '\'' && *reader->at != '"'))
    return FALSE;
  char quote = *reader->at;
  const char *first = reader->at + 1, *last = memchr (first, quote, reader->end - first);
  if (last == NULL || (gsize)(last - first) >= room || memchr (first, '\\', last - first) != NULL)
    return FALSE;
  memcpy (text, first, last - first);
  text[last - first] = '\0';
  reader->at = last + 1;
  return TRUE;
}

static gboolean
refuse_descr (Reader *reader, const char *descr)
{
  const char *what = descr[0] == '>'       ? "big-endian numbers"
                     : strchr (descr, 'O') ? "Python objects"
                     : descr[0] == '['     ? "records"
                                           : "a type that is not used here";

  g_autofree char *found = g_strescape (descr, NULL);
  g_set_error (reader->error, LB_ERROR, LB_ERROR_INPUT,
               "%s: has the dtype '%s' (%s), where one of |u1, |b1, <i4, <i8, <f2, <f4, <f8 was expected; "
               "convert it with numpy's astype",
               reader->place, found, what);
  return FALSE;
}

static gboolean
read_descr (Reader *reader, LbNpyHeader *header)
{
  char descr[16];

  if (accept (reader, "["))
    return refuse_descr (reader, "[...]");
  if (!accept_string (reader, descr, sizeof descr))
    return damaged (reader, "a dtype in quotes");
  for (guint i = 0; i < G_N_ELEMENTS (known); i++) {
    if (strcmp (descr, known[i].descr) == 0) {
      header->dtype = known[i].dtype;
      header->is_bool = strcmp (descr, "|b1") == 0;
      return TRUE;
    }
  }
  return refuse_descr (reader, descr);
}

static gboolean
read_order (Reader *reader)
{
  if (accept (reader, "False"))
    return TRUE;
  if (!accept (reader, "True"))
    return damaged (reader, "True or False");
  g_set_error (reader->error, LB_ERROR, LB_ERROR_INPUT,
               "%s: is in Fortran order, where C order was expected; save numpy.ascontiguousarray of it",
               reader->place);
  return FALSE;
}

static gboolean
read_dimension (Reader *reader, gint64 *dimension)
{
  gint64 value = 0;
  const char *first = reader->at;

  for (; reader->at < reader->end && g_ascii_isdigit (*reader->at); reader->at++) {
    if (__builtin_mul_overflow (value, 10, &value) || __builtin_add_overflow (value, *reader->at - '0', &value))
      return FALSE;
  }
  *dimension = value;
  return reader->at > first;
}

static gboolean
read_shape (Reader *reader, LbNpyHeader *header)
{
  if (!accept (reader, "("))
    return damaged (reader, "a shape in parentheses");
  header->shape = LB_SCALAR;
  while (!accept (reader, ")")) {
    if (header->shape.rank == LB_MAX_RANK) {
      g_set_error (reader->error, LB_ERROR, LB_ERROR_INPUT,
                   "%s: has more than %d dimensions, where at most that many were expected; reshape it", reader->place,
                   LB_MAX_RANK);
      return FALSE;
    }
    if (!read_dimension (reader, &header->shape.dim[header->shape.rank]))
      return damaged (reader, "a dimension");
    header->shape.rank++;
    gboolean comma = accept (reader, ",");
    skip_spaces (reader);
    /* (3) is a number in Python, and (3,) a shape. */
    if (!comma && (header->shape.rank == 1 || reader->at == reader->end || *reader->at != ')'))
      return damaged (reader, "a comma");
  }
  return TRUE;
}

static gboolean
read_entry (Reader *reader, LbNpyHeader *header)
{
  char key[16];

  skip_spaces (reader);
  const char *key_at = reader->at;
  if (!accept_string (reader, key, sizeof key))
    return damaged (reader, "a key in quotes");
  gboolean *seen = strcmp (key, "descr") == 0           ? &reader->has_descr
                   : strcmp (key, "fortran_order") == 0 ? &reader->has_order
                   : strcmp (key, "shape") == 0         ? &reader->has_shape
                                                        : NULL;
  if (seen == NULL || *seen) {
    reader->at = key_at;
    return damaged (reader, "each of the keys descr, fortran_order and shape once");
  }
  *seen = TRUE;
  if (!accept (reader, ":"))
    return damaged (reader, "a colon");
  return seen == &reader->has_descr   ? read_descr (reader, header)
         : seen == &reader->has_order ? read_order (reader)
                                      : read_shape (reader, header);
}

static gboolean
read_dictionary (Reader *reader, LbNpyHeader *header)
{
  if (!accept (reader, "{"))
    return damaged (reader, "an opening brace");
  while (!accept (reader, "}")) {
    if (!read_entry (reader, header))
      return FALSE;
    if (accept (reader, ","))
      continue;
    if (!accept (reader, "}"))
      return damaged (reader, "a comma or a closing brace");
    break;
  }
  skip_spaces (reader);
  if (reader->at != reader->end)
    return damaged (reader, "its end");
  if (!reader->has_descr || !reader->has_order || !reader->has_shape)
    return damaged (reader, "each of the keys descr, fortran_order and shape once");
  return TRUE;
}

static gboolean
not_npy (const char *place, const char *found, GError **error)
{
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "%s: %s, where an array in NumPy's .npy format was expected; write it with numpy.save or numpy.savez",
               place, found);
  return FALSE;
}

gboolean
lb_npy_header_parse (const char *place, const guint8 *data, gsize length, LbNpyHeader *header, GError **error)
{
  if (length < MAGIC_LENGTH + 4 || memcmp (data, MAGIC, MAGIC_LENGTH) != 0)
    return not_npy (place, length < MAGIC_LENGTH + 4 ? "is too short" : "does not begin as one", error);
  guint8 major = data[MAGIC_LENGTH], minor = data[MAGIC_LENGTH + 1];
  if (major < 1 || major > 3 || minor != 0) {
    g_autofree char *found
        = g_strdup_printf ("has the format version %d.%d, which is none of 1.0, 2.0 and 3.0", major, minor);
    return not_npy (place, found, error);
  }
  gsize start = MAGIC_LENGTH + (major == 1 ? 4 : 6);
  if (length < start)
    return not_npy (place, "ends within its header", error);
  gsize text = data[MAGIC_LENGTH + 2] | (gsize)data[MAGIC_LENGTH + 3] << 8;
  if (major > 1)
    text |= (gsize)data[MAGIC_LENGTH + 4] << 16 | (gsize)data[MAGIC_LENGTH + 5] << 24;
  if (text > LB_NPY_MAX_HEADER - start)
    return not_npy (place, "has a header longer than any plain array needs", error);
  if (length - start < text)
    return not_npy (place, "ends within its header", error);
  *header = (LbNpyHeader){ .header_bytes = start + text };
  Reader reader = { .place = place, .at = (const char *)data + start, .error = error };
  reader.end = reader.at + text;
  if (!read_dictionary (&reader, header))
    return FALSE;
  if (!lb_shape_bytes (header->shape, header->dtype, &header->data_bytes))
    return not_npy (place, "declares more elements than any machine can hold", error);
  return TRUE;
}

LbTensor *
lb_npy_tensor (const char *place, const LbNpyHeader *header, GError **error)
{
  LbTensor *tensor = lb_tensor_try_new (header->dtype, header->shape);

  if (tensor == NULL)
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: needs %" G_GSIZE_FORMAT
                 " bytes of memory, where less is free; use a machine with more or a part of it",
                 place, header->data_bytes);
  return tensor;
}

gboolean
lb_npy_check (const char *place, const LbNpyHeader *header, const LbTensor *tensor, GError **error)
{
  const guint8 *elements = lb_tensor_data (tensor);

  for (gsize i = 0; header->is_bool && i < header->data_bytes; i++) {
    if (elements[i] > 1) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "%s: element %" G_GSIZE_FORMAT " of a bool array is %d, where 0 or 1 was expected; "
                   "the file is damaged, write it again",
                   place, i, elements[i]);
      return FALSE;
    }
  }
  return TRUE;
}

LbTensor *
lb_npy_parse (const char *place, gconstpointer data, gsize length, GError **error)
{
  LbNpyHeader header;

  if (!lb_npy_header_parse (place, data, length, &header, error))
    return NULL;
  gsize found = length - header.header_bytes;
  if (found != header.data_bytes) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: has %" G_GSIZE_FORMAT " bytes of elements, where its header declares %" G_GSIZE_FORMAT
                 "; the file is %s, write it again",
                 place, found, header.data_bytes, found < header.data_bytes ? "truncated" : "damaged");
    return NULL;
  }
  g_autoptr (LbTensor) tensor = lb_npy_tensor (place, &header, error);
  if (tensor == NULL)
    return NULL;
  if (found > 0)
    memcpy (lb_tensor_data (tensor), (const char *)data + header.header_bytes, found);
  return lb_npy_check (place, &header, tensor, error) ? g_steal_pointer (&tensor) : NULL;
}
