/* One stage's part of the check.
 *
 * Dimension symbols are unified by name: every known value that a port brings is bound to the stage's symbol, with
 * where it came from, so that a clash can name both ends. Streams only ever tell forward: what a stage needs is checked
 * against what its inputs say, and an input that does not say stays unknown until packets are checked.
 */
#include "plugin/configuring.h"

#include <string.h>

#include "base/error.h"
#include "plugin/crash.h"
#include "plugin/port.h"

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
