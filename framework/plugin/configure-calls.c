/* What the configure of a stage type may call. */
#include "plugin/configuring.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "plugin/port.h"

/* Records the first misuse of the interface by the stage's configure; reported when it returns. */
static void G_GNUC_PRINTF (2, 3) misused (LbConfigure *configure, const char *format, ...)
{
  va_list arguments;

  if (configure->misuse != NULL)
    return;
  va_start (arguments, format);
  configure->misuse = g_error_new_valist (LB_ERROR, LB_ERROR_PROGRAM, format, arguments);
  va_end (arguments);
}

gint64
lb_configure_dim (LbConfigure *configure, const char *symbol)
{
  const LbBinding *binding = g_hash_table_lookup (configure->result->dims, symbol);

  return binding != NULL ? binding->value : LB_UNKNOWN;
}

gboolean
lb_configure_set_dim (LbConfigure *configure, const char *symbol, gint64 value, GError **error)
{
  const LbBinding *bound = g_hash_table_lookup (configure->result->dims, symbol);

  if (value == LB_UNKNOWN)
    return TRUE;
  if (value < 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "configure of stage type '%s' gives dimension %s the value %" G_GINT64_FORMAT
                 "; the plugin must not set one below 0",
                 configure->type->name, symbol, value);
    return FALSE;
  }
  if (bound == NULL) {
    LbBinding *binding = g_new0 (LbBinding, 1);
    *binding = (LbBinding){ value, NULL, g_strdup_printf ("the stage has set %s to %" G_GINT64_FORMAT, symbol, value) };
    g_hash_table_insert (configure->result->dims, g_strdup (symbol), binding);
    return TRUE;
  }
  if (bound->value == value)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "the stage needs %s %" G_GINT64_FORMAT
               ", but %s%s%s%s; change its properties or link a stream that fits",
               symbol, value, bound->origin, bound->meaning != NULL ? " (" : "",
               bound->meaning != NULL ? bound->meaning : "", bound->meaning != NULL ? ")" : "");
  return FALSE;
}

static const LbSpec *
input_spec (LbConfigure *configure, const char *port)
{
  if (lb_ports_find (configure->type->inputs, port) == NULL)
    misused (configure,
             "configure of stage type '%s' asks for input '%s', which is not in its table; correct the plugin",
             configure->type->name, port);
  for (guint i = 0; i < configure->n_inputs; i++)
    if (strcmp (configure->inputs[i].port->name, port) == 0)
      return configure->inputs[i].spec;
  return NULL;
}

gboolean
lb_configure_has_port (LbConfigure *configure, const char *port)
{
  const LbPort *output = lb_ports_find (configure->type->outputs, port);

  if (output != NULL && lb_ports_find (configure->type->inputs, port) == NULL)
    return !configure->result->unread[output - configure->type->outputs];
  return input_spec (configure, port) != NULL;
}

const char *
lb_configure_input_schema (LbConfigure *configure, const char *port)
{
  const LbSpec *spec = input_spec (configure, port);

  return spec != NULL ? lb_spec_schema (spec)->name : NULL;
}

guint
lb_configure_input_dtypes (LbConfigure *configure, const char *port, const char *field)
{
  const LbPort *row = lb_ports_find (configure->type->inputs, port);
  guint dtypes = 0;

  if (input_spec (configure, port) == NULL)
    return 0;
  /* Any link of a port that takes many may bring its own. */
  for (guint i = 0; i < configure->n_inputs; i++) {
    const LbSpec *spec = configure->inputs[i].spec;
    if (configure->inputs[i].port != row)
      continue;
    if (lb_schema_field (lb_spec_schema (spec), field) == NULL) {
      misused (configure,
               "configure of stage type '%s' asks for field '%s' of input '%s', but schema '%s' has none; "
               "correct the plugin",
               configure->type->name, field, port, lb_spec_schema (spec)->name);
      return 0;
    }
    dtypes |= lb_spec_dtypes (spec, field);
  }
  return dtypes;
}

gint64
lb_configure_input_dim (LbConfigure *configure, const char *port, const char *symbol)
{
  const LbSpec *spec = input_spec (configure, port);

  return spec != NULL && lb_schema_has_symbol (lb_spec_schema (spec), symbol) ? lb_spec_dim (spec, symbol) : LB_UNKNOWN;
}

gint64
lb_configure_input_packets (LbConfigure *configure, const char *port)
{
  gint64 packets = 0;

  if (input_spec (configure, port) == NULL)
    return LB_UNKNOWN;
  for (guint i = 0; i < configure->n_inputs; i++)
    if (strcmp (configure->inputs[i].port->name, port) == 0) {
      gint64 more = lb_spec_packets (configure->inputs[i].spec);
      packets = packets == LB_UNKNOWN || more == LB_UNKNOWN ? LB_UNKNOWN : packets + more;
    }
  return packets;
}

guint
lb_configure_n_links (LbConfigure *configure, const char *port)
{
  guint n = 0;

  for (guint i = 0; input_spec (configure, port) != NULL && i < configure->n_inputs; i++)
    n += strcmp (configure->inputs[i].port->name, port) == 0;
  return n;
}

/* Whether input @spec of @port has @field; notes the misuse. */
static gboolean
has_field (LbConfigure *configure, const char *port, const LbSpec *spec, const char *field)
{
  if (lb_schema_field (lb_spec_schema (spec), field) != NULL)
    return TRUE;
  misused (configure,
           "configure of stage type '%s' asks for field '%s' of input '%s', but schema '%s' has none; "
           "correct the plugin",
           configure->type->name, field, port, lb_spec_schema (spec)->name);
  return FALSE;
}

/* Those of @count links of @port from link @first on. */
static const char *const *
texts_of_links (LbConfigure *configure, const char *port, guint first, guint count, const char *field)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();
  guint link = 0;

  if (input_spec (configure, port) == NULL)
    return NULL;
  for (guint i = 0; i < configure->n_inputs; i++) {
    const LbSpec *spec = configure->inputs[i].spec;
    if (strcmp (configure->inputs[i].port->name, port) != 0 || link++ < first || link - first > count)
      continue;
    if (!has_field (configure, port, spec, field))
      return NULL;
    const char *const *more = lb_spec_texts (spec, field);
    if (more == NULL)
      return NULL;
    for (; *more != NULL; more++)
      g_ptr_array_add (texts, (gpointer)*more);
  }
  g_ptr_array_add (texts, NULL);
  g_ptr_array_add (configure->lists, texts->pdata);
  return (const char *const *)g_ptr_array_free (g_steal_pointer (&texts), FALSE);
}

const char *const *
lb_configure_input_texts (LbConfigure *configure, const char *port, const char *field)
{
  return texts_of_links (configure, port, 0, configure->n_inputs, field);
}

const char *const *
lb_configure_link_texts (LbConfigure *configure, const char *port, guint index, const char *field)
{
  return texts_of_links (configure, port, index, 1, field);
}

double
lb_configure_input_number (LbConfigure *configure, const char *port, const char *field)
{
  double number = NAN;
  gboolean is_first = TRUE;

  if (input_spec (configure, port) == NULL)
    return NAN;
  for (guint i = 0; i < configure->n_inputs; i++) {
    const LbSpec *spec = configure->inputs[i].spec;
    if (strcmp (configure->inputs[i].port->name, port) != 0)
      continue;
    if (!has_field (configure, port, spec, field) || (!is_first && lb_spec_number (spec, field) != number))
      return NAN;
    number = lb_spec_number (spec, field);
    is_first = FALSE;
  }
  return number;
}

gint64
lb_configure_input_bytes (LbConfigure *configure, const char *port)
{
  gint64 sum = 0;

  if (input_spec (configure, port) == NULL)
    return LB_UNKNOWN;
  for (guint i = 0; i < configure->n_inputs; i++)
    if (strcmp (configure->inputs[i].port->name, port) == 0) {
      gint64 packets = lb_spec_packets (configure->inputs[i].spec);
      gint64 bytes = lb_spec_packet_bytes (configure->inputs[i].spec), product;
      if (packets == LB_UNKNOWN || bytes == LB_UNKNOWN || __builtin_mul_overflow (packets, bytes, &product)
          || __builtin_add_overflow (sum, product, &sum))
        return LB_UNKNOWN;
    }
  return sum;
}

gint64
lb_configure_collect_bytes (LbConfigure *configure, const char *port)
{
  gint64 bytes = lb_configure_input_bytes (configure, port);

  /* The parts and the whole. */
  return bytes == LB_UNKNOWN || lb_configure_input_packets (configure, port) <= 1 ? 0 : 2 * bytes;
}

guint
lb_configure_threads (LbConfigure *configure)
{
  return configure->use->threads;
}

guint
lb_configure_side_by_side (LbConfigure *configure, guint most)
{
  guint limit = configure->use->side_by_side != 0 ? configure->use->side_by_side : configure->use->threads;

  configure->result->side_by_side = CLAMP (most, 1, MAX (limit, 1));
  return configure->result->side_by_side;
}

/* The spec of output @port, or NULL after noting the misuse; @does is what configure does to it. */
static LbSpec *
output_spec (LbConfigure *configure, const char *port, const char *does)
{
  const LbPort *row = lb_ports_find (configure->type->outputs, port);

  if (row != NULL)
    return g_ptr_array_index (configure->result->outputs, row - configure->type->outputs);
  misused (configure, "configure of stage type '%s' %s output '%s', which is not in its table; correct the plugin",
           configure->type->name, does, port);
  return NULL;
}

void
lb_configure_set_output_packets (LbConfigure *configure, const char *port, gint64 packets)
{
  LbSpec *spec = output_spec (configure, port, "counts the packets of");

  if (spec != NULL)
    lb_spec_set_packets (spec, packets);
}

void
lb_configure_set_output_bytes (LbConfigure *configure, const char *port, gint64 bytes)
{
  LbSpec *spec = output_spec (configure, port, "tells the bytes of");

  if (spec != NULL)
    lb_spec_set_own_bytes (spec, bytes);
}

void
lb_configure_set_output_texts (LbConfigure *configure, const char *port, const char *field, const char *const *texts)
{
  LbSpec *spec = output_spec (configure, port, "tells the texts of");

  if (spec == NULL)
    return;
  const LbField *row = lb_schema_field (lb_spec_schema (spec), field);
  if (row != NULL && row->is_text)
    lb_spec_set_texts (spec, field, texts);
  else
    misused (configure,
             "configure of stage type '%s' tells the texts of field '%s' of output '%s', which is no text of schema "
             "'%s'; correct the plugin",
             configure->type->name, field, port, lb_spec_schema (spec)->name);
}

void
lb_configure_set_output_number (LbConfigure *configure, const char *port, const char *field, double number)
{
  LbSpec *spec = output_spec (configure, port, "tells a number of");

  if (spec == NULL)
    return;
  const LbField *row = lb_schema_field (lb_spec_schema (spec), field);
  if (row != NULL && lb_field_holds_number (row))
    lb_spec_set_number (spec, field, number);
  else
    misused (configure,
             "configure of stage type '%s' tells the number in field '%s' of output '%s', which is no f64[1] of schema "
             "'%s'; correct the plugin",
             configure->type->name, field, port, lb_spec_schema (spec)->name);
}

void
lb_configure_set_output_dtype (LbConfigure *configure, const char *port, const char *field, LbDType dtype)
{
  LbSpec *spec = output_spec (configure, port, "narrows");

  if (spec == NULL)
    return;
  const LbSchema *schema = lb_spec_schema (spec);
  if (lb_schema_field (schema, field) == NULL || (lb_spec_dtypes (spec, field) & (1u << dtype)) == 0) {
    misused (configure,
             "configure of stage type '%s' makes field '%s' of output '%s' %s, which schema '%s' does not "
             "allow; correct the plugin",
             configure->type->name, field, port, lb_dtype_name (dtype), schema->name);
    return;
  }
  lb_spec_set_dtype (spec, field, dtype);
}

gboolean
lb_configure_property_error (LbConfigure *configure, const char *name, GError **error, const char *format, ...)
{
  const LbProperty *property = lb_property_find (configure->type, name);
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (property != NULL)
    *configure->property = property->name;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "property '%s': %s", name, text);
  return FALSE;
}

void
lb_configure_cost (LbConfigure *configure, double flops, double bytes)
{
  configure->result->flops = flops;
  configure->result->bytes = bytes;
}
