/* What is known of one stream before it flows, and the check that its packets keep to it.
 *
 * Invariants: one value for each symbol and one set of dtypes for each field of the schema, in the schema's order; a
 * set of dtypes is never empty.
 */
#include "stream/spec.h"

#include <string.h>

#include "base/error.h"

struct _LbSpec {
  const LbSchema *schema;
  gint64 *dims;  /* beside schema->symbols */
  guint *dtypes; /* beside schema->fields */
};

static int
symbol_index (const LbSchema *schema, const char *symbol)
{
  for (guint i = 0; i < schema->symbols->len; i++)
    if (strcmp (((LbSymbol *)g_ptr_array_index (schema->symbols, i))->name, symbol) == 0)
      return (int)i;
  return -1;
}

static int
field_index (const LbSchema *schema, const char *name)
{
  for (guint i = 0; i < schema->fields->len; i++)
    if (strcmp (((LbField *)g_ptr_array_index (schema->fields, i))->name, name) == 0)
      return (int)i;
  return -1;
}

LbSpec *
lb_spec_new (const LbSchema *schema)
{
  LbSpec *spec = g_new0 (LbSpec, 1);

  spec->schema = schema;
  spec->dims = g_new0 (gint64, schema->symbols->len);
  for (guint i = 0; i < schema->symbols->len; i++)
    spec->dims[i] = LB_UNKNOWN;
  spec->dtypes = g_new0 (guint, schema->fields->len);
  for (guint i = 0; i < schema->fields->len; i++)
    spec->dtypes[i] = ((LbField *)g_ptr_array_index (schema->fields, i))->dtypes;
  return spec;
}

LbSpec *
lb_spec_copy (const LbSpec *spec)
{
  LbSpec *copy = g_new0 (LbSpec, 1);

  copy->schema = spec->schema;
  copy->dims = g_memdup2 (spec->dims, spec->schema->symbols->len * sizeof *spec->dims);
  copy->dtypes = g_memdup2 (spec->dtypes, spec->schema->fields->len * sizeof *spec->dtypes);
  return copy;
}

void
lb_spec_free (LbSpec *spec)
{
  if (spec == NULL)
    return;
  g_free (spec->dims);
  g_free (spec->dtypes);
  g_free (spec);
}

const LbSchema *
lb_spec_schema (const LbSpec *spec)
{
  return spec->schema;
}

gint64
lb_spec_dim (const LbSpec *spec, const char *symbol)
{
  int index = symbol_index (spec->schema, symbol);

  g_return_val_if_fail (index >= 0, LB_UNKNOWN);
  return spec->dims[index];
}

void
lb_spec_set_dim (LbSpec *spec, const char *symbol, gint64 value)
{
  int index = symbol_index (spec->schema, symbol);

  g_return_if_fail (index >= 0 && value >= LB_UNKNOWN);
  spec->dims[index] = value;
}

guint
lb_spec_dtypes (const LbSpec *spec, const char *field)
{
  int index = field_index (spec->schema, field);

  g_return_val_if_fail (index >= 0, 0);
  return spec->dtypes[index];
}

void
lb_spec_set_dtype (LbSpec *spec, const char *field, LbDType dtype)
{
  int index = field_index (spec->schema, field);

  g_return_if_fail (index >= 0 && (spec->dtypes[index] & (1u << dtype)) != 0);
  spec->dtypes[index] = 1u << dtype;
}

/* Appends "u8|f32". */
static void
append_dtypes (GString *out, guint dtypes)
{
  const char *separator = "";

  for (guint dtype = 0; dtype < LB_N_DTYPES; dtype++)
    if ((dtypes & (1u << dtype)) != 0) {
      g_string_append_printf (out, "%s%s", separator, lb_dtype_name (dtype));
      separator = "|";
    }
}

/* The value that @dim (a symbol or a number) of a field has among @values; LB_UNKNOWN when it is not known. */
static gint64
dim_value (const LbSchema *schema, const gint64 *values, const char *dim)
{
  return g_ascii_isdigit (*dim) ? g_ascii_strtoll (dim, NULL, 10) : values[symbol_index (schema, dim)];
}

/* Appends the type of field @index with the values that are known: "u8|f32[10, c, 28, 28]". */
static void
append_type (GString *out, const LbSpec *spec, guint index)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);

  if (field->is_text) {
    g_string_append (out, "text");
    return;
  }
  append_dtypes (out, spec->dtypes[index]);
  for (guint axis = 0; axis < field->rank; axis++) {
    gint64 value = dim_value (spec->schema, spec->dims, field->dims[axis]);
    g_string_append (out, axis == 0 ? "[" : ", ");
    if (value == LB_UNKNOWN)
      g_string_append (out, field->dims[axis]);
    else
      g_string_append_printf (out, "%" G_GINT64_FORMAT, value);
  }
  if (field->rank > 0)
    g_string_append_c (out, ']');
}

char *
lb_spec_to_string (const LbSpec *spec)
{
  GString *out = g_string_new (spec->schema->name);

  for (guint i = 0; i < spec->schema->symbols->len; i++) {
    const LbSymbol *symbol = g_ptr_array_index (spec->schema->symbols, i);
    g_string_append_printf (out, "%s%s ", i == 0 ? " {" : ", ", symbol->name);
    if (spec->dims[i] == LB_UNKNOWN)
      g_string_append_c (out, '?');
    else
      g_string_append_printf (out, "%" G_GINT64_FORMAT, spec->dims[i]);
  }
  if (spec->schema->symbols->len > 0)
    g_string_append_c (out, '}');
  for (guint i = 0; i < spec->schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (spec->schema->fields, i);
    g_string_append_printf (out, "%s%s ", i == 0 ? ": " : ", ", field->name);
    append_type (out, spec, i);
  }
  return g_string_free (out, FALSE);
}

/* ---- Packets ---- */

static gboolean
refuse_field (const LbSpec *spec, guint index, const LbTensor *tensor, const char *why, GError **error)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);
  g_autofree char *shape = lb_shape_to_string (lb_tensor_shape (tensor));
  g_autoptr (GString) expected = g_string_new (NULL);

  append_type (expected, spec, index);
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM, "packet of '%s' has %s %s%s; expected %s%s", spec->schema->name,
               field->name, lb_dtype_name (lb_tensor_dtype (tensor)), shape, expected->str, why);
  return FALSE;
}

/* Checks the tensor of field @index; @values are those of the symbols so far and take up new ones. */
static gboolean
check_field (const LbSpec *spec, guint index, const LbTensor *tensor, gint64 *values, GError **error)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);
  LbShape shape = lb_tensor_shape (tensor);

  if ((spec->dtypes[index] & (1u << lb_tensor_dtype (tensor))) == 0)
    return refuse_field (spec, index, tensor, "", error);
  if (field->is_text) {
    if (shape.rank != 1 || !g_utf8_validate_len (lb_tensor_data (tensor), lb_tensor_bytes (tensor), NULL))
      return refuse_field (spec, index, tensor, " in UTF-8", error);
    return TRUE;
  }
  if (shape.rank != field->rank)
    return refuse_field (spec, index, tensor, "", error);

  for (guint axis = 0; axis < shape.rank; axis++) {
    const char *dim = field->dims[axis];
    gint64 value = dim_value (spec->schema, values, dim);
    if (value == LB_UNKNOWN) {
      values[symbol_index (spec->schema, dim)] = shape.dim[axis];
    } else if (value != shape.dim[axis]) {
      g_autofree char *why
          = g_ascii_isdigit (*dim) ? g_strdup ("") : g_strdup_printf (", where %s is %" G_GINT64_FORMAT, dim, value);
      return refuse_field (spec, index, tensor, why, error);
    }
  }
  return TRUE;
}

gboolean
lb_spec_check_packet (const LbSpec *spec, LbPacket *packet, GError **error)
{
  const LbSchema *schema = spec->schema;
  gint64 few[16];
  g_autofree gint64 *many = schema->symbols->len > G_N_ELEMENTS (few) ? g_new (gint64, schema->symbols->len) : NULL;
  gint64 *values = many != NULL ? many : few;

  if (schema->symbols->len > 0)
    memcpy (values, spec->dims, schema->symbols->len * sizeof *spec->dims);
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (schema->fields, i);
    LbTensor *tensor = lb_packet_get (packet, field->name);
    if (tensor == NULL) {
      g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM, "packet of '%s' has no field '%s'; the plugin must set it",
                   schema->name, field->name);
      return FALSE;
    }
    if (!check_field (spec, i, tensor, values, error))
      return FALSE;
  }
  for (guint i = 0; i < lb_packet_n_fields (packet); i++)
    if (field_index (schema, lb_packet_field_name (packet, i)) < 0) {
      g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                   "packet of '%s' has a field '%s' that the schema does not have; the plugin must not set it",
                   schema->name, lb_packet_field_name (packet, i));
      return FALSE;
    }
  return TRUE;
}
