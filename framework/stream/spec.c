/* What is known of one stream before it flows, and the check that its packets keep to it.
 *
 * Invariants: one value for each symbol and one set of dtypes for each field of the schema, in the schema's order; a
 * set of dtypes is never empty. Lists of texts are as long as the stream has packets. Only fields that hold one number
 * have one that is not NAN.
 */
#include "stream/spec.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

struct _LbSpec {
  const LbSchema *schema;
  gint64 *dims;    /* beside schema->symbols */
  guint *dtypes;   /* beside schema->fields */
  char ***texts;   /* beside schema->fields: one for each packet, or NULL */
  double *numbers; /* beside schema->fields: of each packet, or NAN */
  gint64 packets;  /* or LB_UNKNOWN */
  gint64 own;      /* bytes of a packet that it shares with no other; or LB_UNKNOWN */
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
  spec->texts = g_new0 (char **, schema->fields->len);
  spec->numbers = g_new (double, schema->fields->len);
  for (guint i = 0; i < schema->fields->len; i++)
    spec->numbers[i] = NAN;
  spec->packets = spec->own = LB_UNKNOWN;
  return spec;
}

LbSpec *
lb_spec_copy (const LbSpec *spec)
{
  LbSpec *copy = g_new0 (LbSpec, 1);

  copy->schema = spec->schema;
  copy->dims = g_memdup2 (spec->dims, spec->schema->symbols->len * sizeof *spec->dims);
  copy->dtypes = g_memdup2 (spec->dtypes, spec->schema->fields->len * sizeof *spec->dtypes);
  copy->texts = g_new0 (char **, spec->schema->fields->len);
  for (guint i = 0; i < spec->schema->fields->len; i++)
    copy->texts[i] = g_strdupv (spec->texts[i]);
  copy->numbers = g_memdup2 (spec->numbers, spec->schema->fields->len * sizeof *spec->numbers);
  copy->packets = spec->packets;
  copy->own = spec->own;
  return copy;
}

void
lb_spec_free (LbSpec *spec)
{
  if (spec == NULL)
    return;
  g_free (spec->dims);
  g_free (spec->dtypes);
  for (guint i = 0; i < spec->schema->fields->len; i++)
    g_strfreev (spec->texts[i]);
  g_free (spec->texts);
  g_free (spec->numbers);
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

gint64
lb_spec_packets (const LbSpec *spec)
{
  return spec->packets;
}

void
lb_spec_set_packets (LbSpec *spec, gint64 packets)
{
  g_return_if_fail (packets >= LB_UNKNOWN);
  spec->packets = packets;
}

const char *const *
lb_spec_texts (const LbSpec *spec, const char *field)
{
  int index = field_index (spec->schema, field);

  g_return_val_if_fail (index >= 0, NULL);
  return (const char *const *)spec->texts[index];
}

void
lb_spec_set_texts (LbSpec *spec, const char *field, const char *const *texts)
{
  int index = field_index (spec->schema, field);

  g_return_if_fail (index >= 0 && ((LbField *)g_ptr_array_index (spec->schema->fields, index))->is_text);
  char **copy = g_strdupv ((char **)texts);
  g_strfreev (spec->texts[index]);
  spec->texts[index] = copy;
  spec->packets = g_strv_length (copy);
}

gboolean
lb_field_holds_number (const LbField *field)
{
  return !field->is_text && field->dtypes == 1u << LB_F64 && field->rank == 1 && strcmp (field->dims[0], "1") == 0;
}

double
lb_spec_number (const LbSpec *spec, const char *field)
{
  int index = field_index (spec->schema, field);

  g_return_val_if_fail (index >= 0, NAN);
  return spec->numbers[index];
}

void
lb_spec_set_number (LbSpec *spec, const char *field, double number)
{
  int index = field_index (spec->schema, field);

  g_return_if_fail (index >= 0 && lb_field_holds_number (g_ptr_array_index (spec->schema->fields, index)));
  spec->numbers[index] = number;
}

gint64
lb_spec_own_bytes (const LbSpec *spec)
{
  return spec->own != LB_UNKNOWN ? spec->own : lb_spec_packet_bytes (spec);
}

void
lb_spec_set_own_bytes (LbSpec *spec, gint64 bytes)
{
  g_return_if_fail (bytes >= LB_UNKNOWN);
  spec->own = bytes;
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

/* Bytes of field @index in the largest packet, LB_UNKNOWN when its type does not tell. */
static gint64
field_bytes (const LbSpec *spec, guint index)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);
  LbShape shape = { .rank = field->rank };
  gsize bytes = 0;

  if (field->is_text) {
    for (char **text = spec->texts[index]; text != NULL && *text != NULL; text++)
      bytes = MAX (bytes, strlen (*text));
    return (gint64)bytes;
  }
  for (guint axis = 0; axis < field->rank; axis++) {
    shape.dim[axis] = dim_value (spec->schema, spec->dims, field->dims[axis]);
    if (shape.dim[axis] == LB_UNKNOWN)
      return LB_UNKNOWN;
  }
  for (guint dtype = 0; dtype < LB_N_DTYPES; dtype++)
    if (spec->dtypes[index] == 1u << dtype)
      return lb_shape_bytes (shape, dtype, &bytes) ? (gint64)bytes : LB_UNKNOWN;
  return LB_UNKNOWN;
}

gint64
lb_spec_packet_bytes (const LbSpec *spec)
{
  gint64 sum = 0;

  for (guint i = 0; i < spec->schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (spec->schema->fields, i);
    gint64 bytes = field->is_optional ? 0 : field_bytes (spec, i);
    if (bytes == LB_UNKNOWN)
      return LB_UNKNOWN;
    sum += bytes;
  }
  return sum;
}

/* Appends " (5 x convnet-d3, 5 x vgg11)". */
static void
append_texts (GString *out, char **texts)
{
  const char *separator = " (";

  for (guint i = 0, n; texts[i] != NULL; i += n) {
    for (n = 1; texts[i + n] != NULL && strcmp (texts[i], texts[i + n]) == 0;)
      n++;
    g_string_append (out, separator);
    if (n > 1)
      g_string_append_printf (out, "%u x ", n);
    g_string_append (out, texts[i]);
    separator = ", ";
  }
  if (texts[0] != NULL)
    g_string_append_c (out, ')');
}

/* Appends the type of field @index with the values that are known: "u8|f32[10, c, 28, 28]". */
static void
append_type (GString *out, const LbSpec *spec, guint index)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);

  if (field->is_text) {
    g_string_append (out, "text");
    if (spec->texts[index] != NULL)
      append_texts (out, spec->texts[index]);
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
  if (!isnan (spec->numbers[index]))
    g_string_append_printf (out, " (%g)", spec->numbers[index]);
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
  if (spec->packets != LB_UNKNOWN)
    g_string_append_printf (out, ", %" G_GINT64_FORMAT " packet%s", spec->packets, spec->packets == 1 ? "" : "s");
  for (guint i = 0; i < spec->schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (spec->schema->fields, i);
    if (field->is_optional && isnan (spec->numbers[i]))
      continue;
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

/* Checks the text of field @index of packet @number, which is known to be in UTF-8. */
static gboolean
check_text (const LbSpec *spec, guint index, LbPacket *packet, gint64 number, GError **error)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);

  if (!field->is_text || spec->texts[index] == NULL)
    return TRUE;
  g_autofree char *text = lb_packet_get_text (packet, field->name);
  if (strcmp (text, spec->texts[index][number]) == 0)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
               "packet %" G_GINT64_FORMAT " of '%s' has %s '%s', where configure promised '%s'; correct the plugin",
               number + 1, spec->schema->name, field->name, text, spec->texts[index][number]);
  return FALSE;
}

/* Checks the number of field @index of packet @number, which has it or not. */
static gboolean
check_number (const LbSpec *spec, guint index, LbPacket *packet, gint64 number, GError **error)
{
  const LbField *field = g_ptr_array_index (spec->schema->fields, index);
  LbTensor *tensor = lb_packet_get (packet, field->name);
  double promised = spec->numbers[index];

  if (isnan (promised) || (tensor != NULL && lb_tensor_f64 (tensor)[0] == promised))
    return TRUE;
  g_autofree char *found = tensor != NULL ? g_strdup_printf ("%.17g", lb_tensor_f64 (tensor)[0]) : g_strdup ("none");
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
               "packet %" G_GINT64_FORMAT " of '%s' has %s %s, where configure promised %.17g; correct the plugin",
               number + 1, spec->schema->name, field->name, found, promised);
  return FALSE;
}

static gboolean
refuse_length (const LbSpec *spec, const char *found, gint64 packets, GError **error)
{
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
               "stream of '%s' %s %" G_GINT64_FORMAT " packet%s, where configure promised %" G_GINT64_FORMAT
               "; correct the plugin",
               spec->schema->name, found, packets, packets == 1 ? "" : "s", spec->packets);
  return FALSE;
}

gboolean
lb_spec_check_end (const LbSpec *spec, gint64 packets, GError **error)
{
  return spec->packets == LB_UNKNOWN || spec->packets == packets || refuse_length (spec, "ended after", packets, error);
}

gboolean
lb_spec_check_packet (const LbSpec *spec, LbPacket *packet, gint64 number, GError **error)
{
  const LbSchema *schema = spec->schema;
  gint64 few[16];
  g_autofree gint64 *many = schema->symbols->len > G_N_ELEMENTS (few) ? g_new (gint64, schema->symbols->len) : NULL;
  gint64 *values = many != NULL ? many : few;

  if (spec->packets != LB_UNKNOWN && number >= spec->packets)
    return refuse_length (spec, "goes on to", number + 1, error);
  if (schema->symbols->len > 0)
    memcpy (values, spec->dims, schema->symbols->len * sizeof *spec->dims);
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (schema->fields, i);
    LbTensor *tensor = lb_packet_get (packet, field->name);
    if (tensor == NULL && field->is_optional && isnan (spec->numbers[i]))
      continue;
    if (tensor == NULL && !field->is_optional) {
      g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM, "packet of '%s' has no field '%s'; the plugin must set it",
                   schema->name, field->name);
      return FALSE;
    }
    if ((tensor != NULL && !check_field (spec, i, tensor, values, error))
        || !check_text (spec, i, packet, number, error) || !check_number (spec, i, packet, number, error))
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
