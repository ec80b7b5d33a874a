/* PyTorch's zipped files (torch/serialization.py; since 1.6): NAME/data.pkl tells what there is, NAME/data/KEY holds
 * the bytes of each storage, NAME/byteorder their order.
 */
#include "tensor/pt.h"

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/unpack.h"
#include "tensor/npz.h"
#include "tensor/pickle.h"

#include <string.h>

#define MAX_PICKLE  ((gsize)16 << 20)
#define MAX_MEMBERS 65536
#define MAX_TENSORS 65536
#define MAX_VISITS  (1 << 20) /* shared values can make a small pickle endless to walk through */
#define MAX_DEPTH   32
#define EXPECTED    "an intact file of torch.save"

typedef struct {
  const char *path;
  gsize limit, used;   /* bytes of members, then of tensors */
  GHashTable *members; /* name without the first folder -> GBytes */
  LbPickle *pickle;
  GHashTable *built; /* LbPickleValue -> LbTensor */
  GHashTable *names;
  GArray *tensors;
  GString *name; /* of the value that is being visited */
  guint visits;
} Reader;

/* ---- Members ---- */

static gboolean
is_known (const char *name)
{
  return g_str_equal (name, "data.pkl") || g_str_equal (name, "version") || g_str_equal (name, "byteorder")
         || g_str_has_prefix (name, "data/") || name[0] == '.';
}

static gboolean
read_member (Reader *reader, LbUnpack *zip, const LbUnpackMember *member, GError **error)
{
  const char *slash = strchr (member->name, '/'), *name = slash ? slash + 1 : member->name;
  gsize most
      = g_str_equal (name, "data.pkl") ? MIN (MAX_PICKLE, reader->limit - reader->used) : reader->limit - reader->used;

  if (!slash || !member->is_file || member->is_encrypted || !is_known (name)) {
    g_autofree char *printable = lb_unpack_printable (member->name);
    return lb_input_error (reader->path, error,
                           "has the member '%s', where only NAME/data.pkl and NAME/data/NUMBER were expected; save "
                           "tensors with torch.save, not a model with torch.jit.save",
                           printable);
  }
  if (g_hash_table_size (reader->members) == MAX_MEMBERS)
    return lb_input_error (reader->path, error, "has more than %d members; check that it is the right file",
                           MAX_MEMBERS);
  if (g_hash_table_contains (reader->members, name))
    return lb_input_error (reader->path, error, "has two members of one name; the file is damaged, get it again");
  char *key = g_strdup (name);
  GBytes *bytes = lb_unpack_read_member (zip, most, error);
  if (!bytes) {
    g_free (key);
    return FALSE;
  }
  reader->used += g_bytes_get_size (bytes);
  g_hash_table_insert (reader->members, key, bytes);
  return TRUE;
}

static gboolean
read_members (Reader *reader, GError **error)
{
  g_autoptr (LbUnpack) zip = lb_unpack_open (reader->path, LB_UNPACK_ZIP, EXPECTED, error);
  const LbUnpackMember *member = NULL;

  if (!zip)
    return FALSE;
  do {
    if (!lb_unpack_next (zip, &member, error) || (member && !read_member (reader, zip, member, error)))
      return FALSE;
  } while (member);
  return TRUE;
}

static gboolean
check_byte_order (Reader *reader, GError **error)
{
  GBytes *order = g_hash_table_lookup (reader->members, "byteorder");

  if (!order || (g_bytes_get_size (order) == 6 && memcmp (g_bytes_get_data (order, NULL), "little", 6) == 0))
    return TRUE;
  return lb_input_error (reader->path, error, "was written on a big-endian machine; save it again on another");
}

/* ---- Tensors ---- */

static LbDType
dtype_of (const LbPickleElement *element)
{
  switch (element->code) {
  case 'u':
  case 'B':
    return LB_U8;
  case '8':
    return LB_I64;
  case 'F':
    return LB_F64;
  case 'h':
    return LB_F16;
  case '4':
  case '2':
  case '1':
    return LB_I32;
  default:
    return LB_F32;
  }
}

/* Element @to of @tensor from the bytes of one element of a storage; these need not be aligned. FALSE when it is a bool
 * and neither true nor false. */
static gboolean
put_element (LbTensor *tensor, gint64 to, const LbPickleElement *element, const guint8 *from)
{
  gint16 i16;
  guint16 u16;
  guint32 bits;

  switch (element->code) {
  case 'b':
    memcpy (&u16, from, 2);
    bits = (guint32)u16 << 16;
    memcpy (lb_tensor_f32 (tensor) + to, &bits, 4);
    return TRUE;
  case '2':
    memcpy (&i16, from, 2);
    lb_tensor_i32 (tensor)[to] = i16;
    return TRUE;
  case '1':
    lb_tensor_i32 (tensor)[to] = (gint8)*from;
    return TRUE;
  default:
    memcpy ((guint8 *)lb_tensor_data (tensor) + to * element->size, from, element->size);
    return element->code != 'B' || *from <= 1;
  }
}

/* Copies the elements in C order. */
static gboolean
fill (LbTensor *tensor, const LbPickleValue *value, const guint8 *data)
{
  gint64 index[LB_MAX_RANK] = { 0 }, at = value->offset, n = lb_tensor_size (tensor);

  for (gint64 i = 0; i < n; i++) {
    if (!put_element (tensor, i, value->storage->element, data + at * value->storage->element->size))
      return FALSE;
    for (guint axis = value->shape.rank; axis-- > 0;) {
      at += value->stride[axis];
      if (++index[axis] < value->shape.dim[axis])
        break;
      at -= value->stride[axis] * value->shape.dim[axis];
      index[axis] = 0;
    }
  }
  return TRUE;
}

static GBytes *
find_storage (Reader *reader, const LbPickleValue *storage, GError **error)
{
  g_autofree char *name = g_strconcat ("data/", storage->text, NULL), *printable = lb_unpack_printable (storage->text);
  GBytes *bytes = g_hash_table_lookup (reader->members, name);
  gsize size = bytes ? g_bytes_get_size (bytes) : 0;

  if (bytes && size % storage->element->size == 0 && (gint64)(size / storage->element->size) == storage->integer)
    return bytes;
  if (!bytes)
    lb_input_error (reader->path, error, "has no storage '%s', which a tensor needs; the file is damaged, get it again",
                    printable);
  else
    lb_input_error (reader->path, error,
                    "storage '%s' has %" G_GSIZE_FORMAT " bytes, where %" G_GINT64_FORMAT
                    " elements of %d bytes were expected; the file is damaged, get it again",
                    printable, size, storage->integer, storage->element->size);
  return NULL;
}

static LbTensor *
build (Reader *reader, const LbPickleValue *value, GError **error)
{
  g_autoptr (LbTensor) tensor = NULL;
  GBytes *bytes = find_storage (reader, value->storage, error);
  LbDType dtype = dtype_of (value->storage->element);
  gsize size = 0;

  if (!bytes)
    return NULL;
  if (!lb_shape_bytes (value->shape, dtype, &size) || size > reader->limit - reader->used) {
    g_autofree char *most = lb_format_bytes (reader->limit);
    lb_input_error (reader->path, error,
                    "tensor '%s' would make the tensors larger than %s, the most that was expected; check that it is "
                    "the right file",
                    reader->name->str, most);
    return NULL;
  }
  reader->used += size;
  if (!(tensor = lb_tensor_try_new (dtype, value->shape)))
    lb_input_error (reader->path, error, "there is no memory for tensor '%s'; free some memory", reader->name->str);
  else if (fill (tensor, value, g_bytes_get_data (bytes, NULL)))
    return g_steal_pointer (&tensor);
  else
    lb_input_error (reader->path, error,
                    "tensor '%s' has a bool that is neither 0 nor 1; the file is damaged, get it "
                    "again",
                    reader->name->str);
  return NULL;
}

/* ---- Names ---- */

static gboolean
add_tensor (Reader *reader, LbPickleValue *value, GError **error)
{
  LbTensor *tensor = g_hash_table_lookup (reader->built, value);

  if (reader->tensors->len == MAX_TENSORS)
    return lb_input_error (reader->path, error, "has more than %d tensors; check that it is the right file",
                           MAX_TENSORS);
  if (g_hash_table_contains (reader->names, reader->name->str))
    return lb_input_error (reader->path, error, "has two tensors that are called '%s'; rename one", reader->name->str);
  if (!tensor) {
    if (!(tensor = build (reader, value, error)))
      return FALSE;
    g_hash_table_insert (reader->built, value, tensor);
  }
  LbNamedTensor named = { g_strdup (reader->name->str), lb_tensor_ref (tensor) };
  g_array_append_val (reader->tensors, named);
  g_hash_table_add (reader->names, named.name);
  return TRUE;
}

static gboolean visit (Reader *reader, LbPickleValue *value, guint depth, GError **error);

/* Visits @value as the part @part of what is being visited. */
static gboolean
visit_part (Reader *reader, const char *part, LbPickleValue *value, guint depth, GError **error)
{
  gsize length = reader->name->len;

  if (length)
    g_string_append_c (reader->name, '.');
  g_string_append (reader->name, part);
  if (!visit (reader, value, depth, error))
    return FALSE;
  g_string_truncate (reader->name, length);
  return TRUE;
}

static gboolean
visit_dict (Reader *reader, LbPickleValue *dict, guint depth, GError **error)
{
  for (guint i = 0; i < dict->items->len; i += 2) {
    const LbPickleValue *key = g_ptr_array_index (dict->items, i);
    g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, key->integer);
    g_autofree char *text = key->kind == LB_PICKLE_TEXT ? lb_unpack_printable (key->text) : NULL;

    if (!text && key->kind != LB_PICKLE_INTEGER)
      return lb_input_error (reader->path, error,
                             "has a dictionary whose keys are neither texts nor whole numbers; save it with such keys");
    if (!visit_part (reader, text ? text : number, g_ptr_array_index (dict->items, i + 1), depth, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
visit (Reader *reader, LbPickleValue *value, guint depth, GError **error)
{
  if (depth > MAX_DEPTH || ++reader->visits > MAX_VISITS)
    return lb_input_error (reader->path, error,
                           "is nested too deeply, or contains itself; save tensors in plain lists or dictionaries");
  if (value->kind == LB_PICKLE_TENSOR)
    return add_tensor (reader, value, error);
  if (value->kind == LB_PICKLE_DICT)
    return visit_dict (reader, value, depth + 1, error);
  if (value->kind != LB_PICKLE_LIST && value->kind != LB_PICKLE_TUPLE)
    return TRUE;
  for (guint i = 0; i < value->items->len; i++) {
    char part[16];

    g_snprintf (part, sizeof part, "%u", i);
    if (!visit_part (reader, part, g_ptr_array_index (value->items, i), depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_tensors (Reader *reader, GError **error)
{
  g_autofree char *place = g_strconcat (reader->path, ": data.pkl", NULL);
  GBytes *bytes;
  gsize length;

  if (!read_members (reader, error) || !check_byte_order (reader, error))
    return FALSE;
  if (!(bytes = g_hash_table_lookup (reader->members, "data.pkl")))
    return lb_input_error (reader->path, error,
                           "has no member NAME/data.pkl; expected a file of torch.save, or an "
                           ".npz file");
  const guint8 *data = g_bytes_get_data (bytes, &length);
  if (!(reader->pickle = lb_pickle_parse (place, data, length, error)))
    return FALSE;
  reader->used = 0;
  if (!visit (reader, reader->pickle->top, 0, error))
    return FALSE;
  return reader->tensors->len > 0 || lb_input_error (reader->path, error, "holds no tensor; save some with torch.save");
}

GArray *
lb_pt_read (const char *path, gsize limit, GError **error)
{
  Reader reader = { .path = path, .limit = limit };
  gboolean good;

  reader.members = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
  reader.built = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)lb_tensor_unref);
  reader.names = g_hash_table_new (g_str_hash, g_str_equal);
  reader.tensors = lb_named_tensors_new ();
  reader.name = g_string_new (NULL);
  good = read_tensors (&reader, error);
  g_string_free (reader.name, TRUE);
  g_hash_table_unref (reader.names);
  g_hash_table_unref (reader.built);
  g_hash_table_unref (reader.members);
  lb_pickle_free (reader.pickle);
  if (!good)
    g_clear_pointer (&reader.tensors, g_array_unref);
  return reader.tensors;
}
