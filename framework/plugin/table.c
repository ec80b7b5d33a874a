/* Checking the tables of a stage type once, when it is registered.
 *
 * Everything behind this check (validation, configure, inspect, documentation) takes the tables at their word.
 */
#include "plugin/table.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "plugin/port.h"
#include "plugin/property.h"

/* More than any stage needs; a table that says more is a wrong cast or an uninitialised field. */
#define MAX_INSTANCE_SIZE (1024 * 1024)

/* Always FALSE: a sentence about the tables of a plugin, which only its author can correct. */
static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN, "%s; correct the plugin's table", text);
  return FALSE;
}

static gboolean
is_empty (const char *text)
{
  return text == NULL || *text == '\0';
}

static gboolean
check_port (const LbPort *ports, guint index, const char *kind, LbSchemas *schemas, GError **error)
{
  const LbPort *port = &ports[index];
  guint allowed = strcmp (kind, "input") == 0 ? LB_PORT_OPTIONAL | LB_PORT_MANY : LB_PORT_ON_DEMAND;

  if (!lb_is_name (port->name, '-'))
    return refuse (error, "%s '%s' is not named in small letters, digits and '-'", kind, port->name);
  if (lb_ports_find (ports, port->name) != port)
    return refuse (error, "%s '%s' stands in the table twice", kind, port->name);
  if (is_empty (port->doc))
    return refuse (error, "%s '%s' has no doc", kind, port->name);
  if ((port->flags & ~allowed) != 0)
    return refuse (error, "%s '%s' has flags 0x%x, of which 0x%x are allowed", kind, port->name, port->flags, allowed);
  if (is_empty (port->schema))
    return refuse (error, "%s '%s' names no schema", kind, port->name);

  const LbSchema *schema = lb_schemas_find (schemas, port->schema);
  if (schema == NULL) {
    g_autofree const char **known = lb_schemas_names (schemas);
    g_autofree char *hint = lb_did_you_mean (port->schema, known);
    g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                 "%s '%s' is of schema '%s', which is not installed; install %s.yaml with the plugin or correct its "
                 "table%s",
                 kind, port->name, port->schema, port->schema, hint);
    return FALSE;
  }
  g_autoptr (GArray) terms = lb_port_parse_dims (port, schema, error);
  return terms != NULL;
}

static gsize
kind_size (LbPropertyKind kind)
{
  switch (kind) {
  case LB_PROPERTY_BOOLEAN:
    return sizeof (gboolean);
  case LB_PROPERTY_INTEGER:
    return sizeof (gint64);
  case LB_PROPERTY_NUMBER:
    return sizeof (double);
  case LB_PROPERTY_STRING:
  case LB_PROPERTY_PATH:
  case LB_PROPERTY_RESULT:
  case LB_PROPERTY_CHOICE:
  case LB_PROPERTY_STRINGS:
  case LB_PROPERTY_NUMBERS:
    return sizeof (gpointer);
  }
  return 0;
}

/* Whether the value of @property lies in the struct, aligned, and beside those of the properties before it. */
static gboolean
check_place (const LbStageType *type, const LbProperty *property, GError **error)
{
  gsize size = kind_size (property->kind);

  if (property->offset % size != 0 || property->offset > type->instance_size
      || type->instance_size - property->offset < size)
    return refuse (error,
                   "property '%s' at offset %" G_GSIZE_FORMAT " does not lie in a struct of %" G_GSIZE_FORMAT " bytes",
                   property->name, property->offset, type->instance_size);
  for (const LbProperty *other = type->properties; other != property; other++)
    if (property->offset < other->offset + kind_size (other->kind) && other->offset < property->offset + size)
      return refuse (error, "properties '%s' and '%s' lie in the same place of the struct", other->name,
                     property->name);
  return TRUE;
}

static gboolean
check_choices (const LbProperty *property, GError **error)
{
  if (property->kind != LB_PROPERTY_CHOICE)
    return property->choices == NULL || refuse (error, "property '%s' has choices but is not a choice", property->name);
  if (property->choices == NULL || property->choices[0] == NULL)
    return refuse (error, "property '%s' is a choice of nothing", property->name);
  return TRUE;
}

/* Tries the default of @property in a struct of its own. */
static gboolean
check_default (const LbStageType *type, const LbProperty *property, GError **error)
{
  if (property->fallback == NULL)
    return TRUE;
  if (property->kind == LB_PROPERTY_PATH && *property->fallback != '\0' && !g_path_is_absolute (property->fallback))
    return refuse (error,
                   "property '%s' has the relative path '%s' as its default, which no file's directory completes",
                   property->name, property->fallback);

  const LbProperty alone[] = { *property, { .name = NULL } };
  const LbStageType tried = { .properties = alone };
  g_autofree gpointer self = g_malloc0 (type->instance_size);
  g_autoptr (GError) reason = NULL;
  gboolean good = lb_property_set_text (property, self, property->fallback, NULL, &reason);
  lb_properties_clear (&tried, self);
  return good || refuse (error, "the default of %s", reason->message);
}

static gboolean
check_property (const LbStageType *type, const LbProperty *property, GError **error)
{
  if (!lb_is_name (property->name, '-'))
    return refuse (error, "property '%s' is not named in small letters, digits and '-'", property->name);
  if (lb_property_find (type, property->name) != property)
    return refuse (error, "property '%s' stands in the table twice", property->name);
  if (is_empty (property->doc))
    return refuse (error, "property '%s' has no doc", property->name);
  if (kind_size (property->kind) == 0)
    return refuse (error, "property '%s' is of the unknown kind %d", property->name, property->kind);
  if (isnan (property->minimum) || isnan (property->maximum) || property->minimum > property->maximum)
    return refuse (error, "property '%s' has a range whose minimum is not below its maximum", property->name);
  return check_place (type, property, error) && check_choices (property, error)
         && check_default (type, property, error);
}

static gboolean
check_tables (const LbStageType *type, LbStageFlags flags, LbSchemas *schemas, GError **error)
{
  if (is_empty (type->summary))
    return refuse (error, "it has no summary");
  if (type->run == NULL)
    return refuse (error, "it has no run function");
  if (type->instance_size > MAX_INSTANCE_SIZE)
    return refuse (error, "its struct has %" G_GSIZE_FORMAT " bytes, more than the %d allowed", type->instance_size,
                   MAX_INSTANCE_SIZE);
  /* Its readers would wait for it, and it for them. */
  if ((flags & LB_STAGE_CLOSES) != 0 && lb_ports_count (type->outputs) > 0)
    return refuse (error, "it closes a run (LB_STAGE_CLOSES), but has output '%s'", type->outputs[0].name);
  for (guint i = 0; i < lb_ports_count (type->inputs); i++)
    if (!check_port (type->inputs, i, "input", schemas, error))
      return FALSE;
  for (guint i = 0; i < lb_ports_count (type->outputs); i++)
    if (!check_port (type->outputs, i, "output", schemas, error))
      return FALSE;
  for (const LbProperty *property = type->properties; property != NULL && property->name != NULL; property++)
    if (!check_property (type, property, error))
      return FALSE;
  return TRUE;
}

gboolean
lb_stage_type_check (const LbStageType *type, LbStageFlags flags, LbSchemas *schemas, GError **error)
{
  if (type == NULL || is_empty (type->name))
    return refuse (error, "a stage type has no name");
  if (!lb_is_name (type->name, '-'))
    return refuse (error, "stage type '%s' is not named in small letters, digits and '-'", type->name);
  if (check_tables (type, flags, schemas, error))
    return TRUE;
  g_prefix_error (error, "stage type '%s': ", type->name);
  return FALSE;
}
