/* Reading the tables of ports: names and the `dims` language. */
#include "plugin/port.h"

#include <string.h>

#include "base/error.h"
#include "plugin/configure.h"

guint
lb_ports_count (const LbPort *ports)
{
  guint n = 0;

  while (ports != NULL && ports[n].name != NULL)
    n++;
  return n;
}

const LbPort *
lb_ports_find (const LbPort *ports, const char *name)
{
  for (const LbPort *port = ports; port != NULL && port->name != NULL; port++)
    if (strcmp (port->name, name) == 0)
      return port;
  return NULL;
}

static void
term_clear (gpointer data)
{
  LbDimTerm *term = data;

  g_free (term->symbol);
  g_free (term->name);
}

/* Parses "symbol", "symbol=name" or "symbol=number" into @term, which the caller clears. */
static gboolean
parse_term (const LbPort *port, const LbSchema *schema, const char *text, LbDimTerm *term, GError **error)
{
  const char *sign = strchr (text, '=');
  const char *right = sign != NULL ? sign + 1 : text;
  guint64 value = 0;

  term->symbol = sign != NULL ? g_strndup (text, sign - text) : g_strdup (text);
  if (!lb_schema_has_symbol (schema, term->symbol)) {
    g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                 "port '%s' has dims '%s', but schema '%s' has no dimension '%s'; list it under dims in the schema or "
                 "correct the port's table",
                 port->name, port->dims, schema->name, term->symbol);
    return FALSE;
  }
  if (lb_is_name (right, '_')) {
    term->name = g_strdup (right);
    return TRUE;
  }
  if (g_ascii_isdigit (*right) && g_ascii_string_to_unsigned (right, 10, 0, G_MAXINT32, &value, NULL)) {
    term->value = (gint64)value;
    return TRUE;
  }
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
               "port '%s' has dims '%s', where '%s' is neither SYMBOL, SYMBOL=SYMBOL nor SYMBOL=NUMBER; correct the "
               "port's table",
               port->name, port->dims, text);
  return FALSE;
}

GArray *
lb_port_parse_dims (const LbPort *port, const LbSchema *schema, GError **error)
{
  g_autoptr (GArray) terms = g_array_new (FALSE, TRUE, sizeof (LbDimTerm));
  g_auto (GStrv) words = g_strsplit (port->dims != NULL ? port->dims : "", " ", -1);

  g_array_set_clear_func (terms, term_clear);
  for (guint i = 0; words[i] != NULL; i++) {
    LbDimTerm term = { 0 };
    if (words[i][0] == '\0')
      continue;
    if (!parse_term (port, schema, words[i], &term, error)) {
      term_clear (&term);
      return NULL;
    }
    for (guint j = 0; j < terms->len; j++)
      if (strcmp (g_array_index (terms, LbDimTerm, j).symbol, term.symbol) == 0) {
        g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                     "port '%s' has dims '%s', which names '%s' twice; correct the port's table", port->name,
                     port->dims, term.symbol);
        term_clear (&term);
        return NULL;
      }
    g_array_append_val (terms, term);
  }
  return g_steal_pointer (&terms);
}

static const LbPort *
find_port (const LbStageType *type, const LbPort *ports, const char *kind, const char *name, GError **error)
{
  const LbPort *found = lb_ports_find (ports, name);
  guint n = lb_ports_count (ports);

  if (found != NULL)
    return found;
  if (n == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "'%s' is not an %s of '%s', which has none", name, kind,
                 type->name);
    return NULL;
  }

  g_autofree const char **names = g_new0 (const char *, n + 1);
  for (guint i = 0; i < n; i++)
    names[i] = ports[i].name;
  g_autofree char *known = g_strjoinv (", ", (char **)names), *hint = lb_did_you_mean (name, names);
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "'%s' has no %s '%s'; it has %s%s", type->name, kind, name, known,
               hint);
  return NULL;
}

const LbPort *
lb_port_find_input (const LbStageType *type, const char *name, GError **error)
{
  return find_port (type, type->inputs, "input", name, error);
}

const LbPort *
lb_port_find_output (const LbStageType *type, const char *name, GError **error)
{
  return find_port (type, type->outputs, "output", name, error);
}
