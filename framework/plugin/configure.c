/* One stage's part of the check.
 *
 * Dimension symbols are unified by name: every known value that a port brings is bound to the stage's symbol, with
 * where it came from, so that a clash can name both ends. Streams only ever tell forward: what a stage needs is checked
 * against what its inputs say, and an input that does not say stays unknown until packets are checked.
 */
#include "plugin/configure.h"

#include <stdarg.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "plugin/crash.h"
#include "plugin/port.h"

/* A stage symbol with a known value. */
typedef struct {
  gint64 value;  /* first, so that the table maps to gint64* */
  char *meaning; /* from the schema's dims, or NULL */
  char *origin;  /* "'source.samples' has h 28" */
} LbBinding;

struct _LbConfigure {
  const LbStageType *type;
  LbSchemas *schemas;
  const LbInputSpec *inputs;
  guint n_inputs;
  const LbConfigureUse *use;
  LbConfigured *result;
  const char **property;
  GError *misuse;   /* a call of the stage's configure that its own tables forbid */
  GPtrArray *lists; /* char **: texts handed out */
};

static void
binding_free (gpointer data)
{
  LbBinding *binding = data;

  g_free (binding->meaning);
  g_free (binding->origin);
  g_free (binding);
}

static void
configured_input_clear (gpointer data)
{
  lb_spec_free (((LbConfiguredInput *)data)->spec);
}

static LbConfigured *
configured_new (void)
{
  LbConfigured *configured = g_new0 (LbConfigured, 1);

  configured->inputs = g_array_new (FALSE, FALSE, sizeof (LbConfiguredInput));
  g_array_set_clear_func (configured->inputs, configured_input_clear);
  configured->outputs = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_spec_free);
  configured->dims = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, binding_free);
  configured->flops = configured->bytes = -1;
  return configured;
}

void
lb_configured_free (LbConfigured *configured)
{
  if (configured == NULL)
    return;
  g_array_unref (configured->inputs);
  g_ptr_array_unref (configured->outputs);
  g_hash_table_unref (configured->dims);
  g_free (configured->unread);
  g_free (configured);
}

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

/* ---- Before the type's configure ---- */

static gboolean
check_given (LbConfigure *configure, gconstpointer self, GError **error)
{
  for (const LbProperty *property = configure->type->properties; property != NULL && property->name != NULL; property++)
    if (!lb_property_is_given (property, self)) {
      g_autofree char *text = lb_property_missing_text (property);
      g_set_error_literal (error, LB_ERROR, LB_ERROR_PIPELINE, text);
      *configure->property = property->name;
      return FALSE;
    }
  return TRUE;
}

static const char *
symbol_meaning (const LbSchema *schema, const char *symbol)
{
  for (guint i = 0; i < schema->symbols->len; i++) {
    const LbSymbol *known = g_ptr_array_index (schema->symbols, i);
    if (strcmp (known->name, symbol) == 0)
      return known->doc;
  }
  return NULL;
}

/* Checks that input @index may be linked to its port at all: schema and number of links. */
static gboolean
check_link (LbConfigure *configure, guint index, GError **error)
{
  const LbInputSpec *input = &configure->inputs[index];
  const LbSchema *wanted = lb_schemas_find (configure->schemas, input->port->schema);
  const LbSchema *found = lb_spec_schema (input->spec);

  if (wanted == NULL) {
    g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                 "input '%s' takes streams of '%s', a schema that is not installed; install %s.yaml with the plugin",
                 input->port->name, input->port->schema, input->port->schema);
    return FALSE;
  }
  if (!lb_schema_is_a (found, wanted)) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "input '%s' takes streams of '%s', but '%s' is a stream of '%s'; link an output that makes '%s'",
                 input->port->name, wanted->name, input->source, found->name, wanted->name);
    return FALSE;
  }
  if ((input->port->flags & LB_PORT_MANY) == 0)
    for (guint i = 0; i < index; i++)
      if (configure->inputs[i].port == input->port) {
        g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                     "input '%s' is linked to '%s' and to '%s', but takes one stream; remove one of them",
                     input->port->name, configure->inputs[i].source, input->source);
        return FALSE;
      }
  return TRUE;
}

/* Binds the known values of input @index to the stage's symbols. */
static gboolean
unify (LbConfigure *configure, guint index, GError **error)
{
  const LbInputSpec *input = &configure->inputs[index];
  const LbSchema *schema = lb_spec_schema (input->spec);
  g_autoptr (GArray) terms = lb_port_parse_dims (input->port, schema, error);

  if (terms == NULL)
    return FALSE;
  for (guint i = 0; i < terms->len; i++) {
    const LbDimTerm *term = &g_array_index (terms, LbDimTerm, i);
    gint64 value = lb_spec_dim (input->spec, term->symbol);
    const char *meaning = symbol_meaning (schema, term->symbol);

    if (value == LB_UNKNOWN)
      continue;
    if (term->name == NULL) {
      if (value == term->value)
        continue;
      g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                   "input '%s' takes only %s %" G_GINT64_FORMAT " (%s), but '%s' has %s %" G_GINT64_FORMAT
                   "; link a stream that fits",
                   input->port->name, term->symbol, term->value, meaning, input->source, term->symbol, value);
      return FALSE;
    }

    const LbBinding *bound = g_hash_table_lookup (configure->result->dims, term->name);
    g_autofree char *origin = g_strdup_printf ("'%s' has %s %" G_GINT64_FORMAT, input->source, term->symbol, value);
    if (bound == NULL) {
      LbBinding *binding = g_new0 (LbBinding, 1);
      *binding = (LbBinding){ value, g_strdup (meaning), g_steal_pointer (&origin) };
      g_hash_table_insert (configure->result->dims, g_strdup (term->name), binding);
    } else if (bound->value != value) {
      g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                   "input '%s' does not fit: %s, but %s (%s); both must be the same, so link streams that agree",
                   input->port->name, origin, bound->origin, meaning);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
check_inputs (LbConfigure *configure, int *blamed, GError **error)
{
  for (guint i = 0; i < configure->n_inputs; i++) {
    const LbInputSpec *input = &configure->inputs[i];
    LbConfiguredInput kept = { input->port, lb_spec_copy (input->spec) };

    g_array_append_val (configure->result->inputs, kept);
    if (!check_link (configure, i, error) || !unify (configure, i, error)) {
      *blamed = (int)i;
      return FALSE;
    }
  }
  for (const LbPort *port = configure->type->inputs; port != NULL && port->name != NULL; port++)
    if ((port->flags & LB_PORT_OPTIONAL) == 0 && !lb_configure_has_port (configure, port->name)) {
      g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                   "input '%s' is not linked; it takes a stream of '%s' (%s): add '%s: STAGE.OUTPUT' under 'inputs'",
                   port->name, port->schema, port->doc, port->name);
      return FALSE;
    }
  return TRUE;
}

/* ---- What the type's configure calls ---- */

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

/* ---- The whole ---- */

static gboolean
make_outputs (LbConfigure *configure, GError **error)
{
  for (const LbPort *port = configure->type->outputs; port != NULL && port->name != NULL; port++) {
    const LbSchema *schema = lb_schemas_find (configure->schemas, port->schema);
    if (schema == NULL) {
      g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                   "output '%s' makes streams of '%s', a schema that is not installed; install %s.yaml with the plugin",
                   port->name, port->schema, port->schema);
      return FALSE;
    }
    g_ptr_array_add (configure->result->outputs, lb_spec_new (schema));
  }
  guint n = configure->result->outputs->len;
  configure->result->unread = g_new0 (gboolean, n + 1);
  for (guint i = 0; configure->use->unread != NULL && i < n; i++)
    configure->result->unread[i]
        = configure->use->unread[i] && (configure->type->outputs[i].flags & LB_PORT_ON_DEMAND) != 0;
  return TRUE;
}

/* Gives the outputs the values that their symbols have by now. */
static gboolean
fill_outputs (LbConfigure *configure, GError **error)
{
  for (guint i = 0; i < configure->result->outputs->len; i++) {
    LbSpec *spec = g_ptr_array_index (configure->result->outputs, i);
    g_autoptr (GArray) terms = lb_port_parse_dims (&configure->type->outputs[i], lb_spec_schema (spec), error);
    if (terms == NULL)
      return FALSE;
    for (guint j = 0; j < terms->len; j++) {
      const LbDimTerm *term = &g_array_index (terms, LbDimTerm, j);
      lb_spec_set_dim (spec, term->symbol, term->name != NULL ? lb_configure_dim (configure, term->name) : term->value);
    }
  }
  return TRUE;
}

static gboolean
run_configure (LbConfigure *configure, gpointer self, GError **error)
{
  GError *failure = NULL;
  gboolean done = TRUE;
  if (configure->type->configure != NULL) {
    lb_crash_enter (lb_crash_path ((gconstpointer)configure->type->configure), "configure of stage type",
                    configure->type->name);
    done = configure->type->configure (configure, self, &failure);
    lb_crash_leave ();
  }

  if (configure->misuse != NULL) {
    g_clear_error (&failure);
    failure = g_steal_pointer (&configure->misuse);
  } else if (!done && failure == NULL) {
    failure = g_error_new (LB_ERROR, LB_ERROR_PROGRAM,
                           "configure of stage type '%s' failed without saying why; the plugin must set an error",
                           configure->type->name);
  }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

LbConfigured *
lb_configure_run_for (const LbStageType *type, gpointer self, LbSchemas *schemas, const LbInputSpec *inputs,
                      guint n_inputs, const LbConfigureUse *use, const char **property, int *input, GError **error)
{
  g_autoptr (GPtrArray) lists = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (LbConfigured) result = configured_new ();
  LbConfigure configure = { type, schemas, inputs, n_inputs, use, result, property, NULL, lists };

  *property = NULL;
  *input = -1;
  if (!check_given (&configure, self, error) || !check_inputs (&configure, input, error)
      || !make_outputs (&configure, error) || !run_configure (&configure, self, error)
      || !fill_outputs (&configure, error))
    return NULL;
  return g_steal_pointer (&result);
}

LbConfigured *
lb_configure_run (const LbStageType *type, gpointer self, LbSchemas *schemas, const LbInputSpec *inputs, guint n_inputs,
                  guint threads, const char **property, int *input, GError **error)
{
  const LbConfigureUse use = { .threads = threads };

  return lb_configure_run_for (type, self, schemas, inputs, n_inputs, &use, property, input, error);
}
