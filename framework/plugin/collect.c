/* Joining the packets of a stream into one.
 *
 * Invariant: nothing is dropped or guessed. Packets that differ in their fields, dtypes, inner dimensions, or in a
 * field that is not joined are refused.
 */
#include "plugin/collect.h"

#include <string.h>

#include "base/error.h"

/* The symbol that streams of @schema are joined along: the first dimension of the first field with any. NULL when that
 * is a number, or when the symbol also stands for an inner dimension, which joining would break. */
static const char *
joined_symbol (const LbSchema *schema)
{
  const char *symbol = NULL;

  for (guint i = 0; i < schema->fields->len && symbol == NULL; i++)
    symbol = ((LbField *)g_ptr_array_index (schema->fields, i))->dims[0];
  if (symbol == NULL || g_ascii_isdigit (*symbol))
    return NULL;
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (schema->fields, i);
    for (guint axis = 1; axis < field->rank; axis++)
      if (strcmp (field->dims[axis], symbol) == 0)
        return NULL;
  }
  return symbol;
}

static gboolean
refuse (const char *port, const char *field, const LbTensor *first, guint number, const LbTensor *other,
        const char *remedy, GError **error)
{
  g_autofree char *shape_a = lb_shape_to_string (lb_tensor_shape (first));
  g_autofree char *shape_b = lb_shape_to_string (lb_tensor_shape (other));

  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "packets of input '%s' cannot be joined: %s is %s%s in the first and %s%s in packet %u; %s", port, field,
               lb_dtype_name (lb_tensor_dtype (first)), shape_a, lb_dtype_name (lb_tensor_dtype (other)), shape_b,
               number, remedy);
  return FALSE;
}

/* Whether @packets can be joined in @field, and how many entries that gives along the first axis. */
static gboolean
check_field (const char *port, const char *field, gboolean joined, GPtrArray *packets, gint64 *entries, GError **error)
{
  const LbTensor *first = lb_packet_get (g_ptr_array_index (packets, 0), field);

  *entries = 0;
  for (guint i = 0; i < packets->len; i++) {
    const LbTensor *tensor = lb_packet_get (g_ptr_array_index (packets, i), field);
    if (tensor == NULL) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "packets of input '%s' cannot be joined: packet %u has no field '%s'; link streams of one schema",
                   port, i + 1, field);
      return FALSE;
    }

    LbShape shape = lb_tensor_shape (tensor), wanted = lb_tensor_shape (first);
    if (joined) {
      *entries += shape.dim[0];
      wanted.dim[0] = shape.dim[0];
    }
    if (lb_tensor_dtype (tensor) != lb_tensor_dtype (first) || !lb_shape_equal (shape, wanted))
      return refuse (port, field, first, i + 1, tensor, "link streams of one size and dtype", error);
    if (!joined && lb_tensor_bytes (tensor) > 0
        && memcmp (lb_tensor_data (tensor), lb_tensor_data (first), lb_tensor_bytes (tensor)) != 0)
      return refuse (port, field, first, i + 1, tensor, "the values differ, but must be the same in all packets",
                     error);
  }
  return TRUE;
}

static LbTensor *
concatenate (const char *field, gint64 entries, GPtrArray *packets)
{
  const LbTensor *first = lb_packet_get (g_ptr_array_index (packets, 0), field);
  LbShape shape = lb_tensor_shape (first);

  shape.dim[0] = entries;
  LbTensor *whole = lb_tensor_new (lb_tensor_dtype (first), shape);
  guint8 *out = lb_tensor_data (whole);
  for (guint i = 0; i < packets->len; i++) {
    const LbTensor *part = lb_packet_get (g_ptr_array_index (packets, i), field);
    if (lb_tensor_bytes (part) > 0)
      memcpy (out, lb_tensor_data (part), lb_tensor_bytes (part));
    out += lb_tensor_bytes (part);
  }
  return whole;
}

LbPacket *
lb_packets_join (const char *port, const LbSchema *schema, GPtrArray *packets, GError **error)
{
  LbPacket *first = g_ptr_array_index (packets, 0);
  const char *symbol = joined_symbol (schema);

  if (packets->len == 1)
    return lb_packet_ref (first);
  if (symbol == NULL) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "input '%s' got %u packets, but packets of '%s' cannot be joined; link a stream of one packet", port,
                 packets->len, schema->name);
    return NULL;
  }
  for (guint i = 1; i < packets->len; i++)
    if (lb_packet_n_fields (g_ptr_array_index (packets, i)) != lb_packet_n_fields (first)) {
      g_set_error (
          error, LB_ERROR, LB_ERROR_INPUT,
          "packets of input '%s' cannot be joined: the first has %u fields, packet %u has %u; link streams of one "
          "schema",
          port, lb_packet_n_fields (first), i + 1, lb_packet_n_fields (g_ptr_array_index (packets, i)));
      return NULL;
    }

  g_autoptr (LbPacket) whole = lb_packet_new ();
  for (guint i = 0; i < lb_packet_n_fields (first); i++) {
    const char *name = lb_packet_field_name (first, i);
    const LbField *field = lb_schema_field (schema, name);
    gboolean joined = field != NULL && field->rank > 0 && strcmp (field->dims[0], symbol) == 0;
    gint64 entries = 0;
    if (!check_field (port, name, joined, packets, &entries, error))
      return NULL;
    if (joined)
      lb_packet_take (whole, name, concatenate (name, entries, packets));
    else
      lb_packet_set (whole, name, lb_packet_field_tensor (first, i));
  }
  return g_steal_pointer (&whole);
}
