/* The JSON Schema of pipeline files.
 *
 * It never refuses what the reader accepts: numbers may stand in quotes, and a text with ${ in it may become anything.
 * What it cannot know is left to `limbeck check`: whether a linked stage is there, dimensions, what configure decides.
 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "pipeline/json-schema.h"
#include "pipeline/keys.h"
#include "plugin/port.h"
#include "plugin/property.h"

#define PARAM           "\\$\\{"
#define INTEGER_PATTERN "^[-+]?[0-9]+$|" PARAM
#define NUMBER_PATTERN  "^[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][-+]?[0-9]+)?$|" PARAM
#define BOOLEAN_PATTERN "^(true|false)$|" PARAM
#define PART            "(?!\\.{1,2}(/|$))[^/]+"
#define RESULT_PATTERN  "^" PART "(/" PART ")*$|" PARAM

static void
open_member (JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
}

static void
open_list (JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
}

static void
add_reference (JsonBuilder *builder, const char *kind, const char *name)
{
  g_autofree char *place = g_strconcat ("#/definitions/", kind, name, NULL);
  lb_json_add_text (builder, "$ref", place);
}

static void
add_types (JsonBuilder *builder, const char *const *types)
{
  open_list (builder, "type");
  for (guint i = 0; types[i] != NULL; i++)
    json_builder_add_string_value (builder, types[i]);
  json_builder_end_array (builder);
}

/* A bound or a default, as people write it. */
static void
add_value (JsonBuilder *builder, double value)
{
  if (value == floor (value) && fabs (value) < 1e15)
    json_builder_add_int_value (builder, (gint64)value);
  else
    json_builder_add_double_value (builder, value);
}

/* ---- Properties ---- */

static void
add_number_branch (JsonBuilder *builder, const LbProperty *property)
{
  double minimum, maximum;
  lb_property_bounds (property, &minimum, &maximum);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "type", property->kind == LB_PROPERTY_INTEGER ? "integer" : "number");
  if (isfinite (minimum)) {
    json_builder_set_member_name (builder, "minimum");
    add_value (builder, minimum);
  }
  if (isfinite (maximum)) {
    json_builder_set_member_name (builder, "maximum");
    add_value (builder, maximum);
  }
  json_builder_end_object (builder);
}

static void
add_text_branch (JsonBuilder *builder, const char *pattern)
{
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "type", "string");
  lb_json_add_text (builder, "pattern", pattern);
  json_builder_end_object (builder);
}

/* Texts, which YAML may take for something else. */
static void
add_scalar_branch (JsonBuilder *builder, gboolean may_be_empty)
{
  static const char *const types[] = { "string", "number", "boolean", NULL };
  static const char *const all[] = { "string", "number", "boolean", "null", NULL };
  json_builder_begin_object (builder);
  add_types (builder, may_be_empty ? all : types);
  if (!may_be_empty)
    lb_json_add_integer (builder, "minLength", 1);
  json_builder_end_object (builder);
}

/* The choices, also as what YAML takes them for. */
static void
add_choices (JsonBuilder *builder, const LbProperty *property)
{
  json_builder_begin_object (builder);
  open_list (builder, "enum");
  for (guint i = 0; property->choices[i] != NULL; i++) {
    g_autoptr (JsonNode) other = json_from_string (property->choices[i], NULL);
    json_builder_add_string_value (builder, property->choices[i]);
    if (other != NULL && JSON_NODE_HOLDS_VALUE (other))
      json_builder_add_value (builder, g_steal_pointer (&other));
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* What one value may be, as items of a list: any of them. */
static void
add_branches (JsonBuilder *builder, const LbProperty *property)
{
  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "type", "boolean");
    json_builder_end_object (builder);
    add_text_branch (builder, BOOLEAN_PATTERN);
    return;
  case LB_PROPERTY_INTEGER:
    add_number_branch (builder, property);
    add_text_branch (builder, INTEGER_PATTERN);
    return;
  case LB_PROPERTY_NUMBER:
  case LB_PROPERTY_NUMBERS:
    add_number_branch (builder, property);
    add_text_branch (builder, NUMBER_PATTERN);
    return;
  case LB_PROPERTY_CHOICE:
    add_choices (builder, property);
    add_text_branch (builder, PARAM);
    return;
  case LB_PROPERTY_STRING:
  case LB_PROPERTY_STRINGS:
    add_scalar_branch (builder, TRUE);
    return;
  case LB_PROPERTY_PATH:
    add_scalar_branch (builder, property->fallback != NULL && *property->fallback == '\0');
    return;
  case LB_PROPERTY_RESULT:
    add_text_branch (builder, RESULT_PATTERN);
    return;
  }
  g_return_if_reached ();
}

static gboolean
is_list (const LbProperty *property)
{
  return property->kind == LB_PROPERTY_STRINGS || property->kind == LB_PROPERTY_NUMBERS;
}

/* What the default in the table is, as a value of its kind. */
static void
add_default (JsonBuilder *builder, const LbProperty *property, gconstpointer self)
{
  gconstpointer place = (const char *)self + property->offset;
  json_builder_set_member_name (builder, "default");
  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    json_builder_add_boolean_value (builder, *(const gboolean *)place);
    return;
  case LB_PROPERTY_INTEGER:
    json_builder_add_int_value (builder, *(const gint64 *)place);
    return;
  case LB_PROPERTY_NUMBER:
    add_value (builder, *(const double *)place);
    return;
  case LB_PROPERTY_STRINGS:
    json_builder_begin_array (builder);
    for (char **item = *(char **const *)place; *item != NULL; item++)
      json_builder_add_string_value (builder, *item);
    json_builder_end_array (builder);
    return;
  case LB_PROPERTY_NUMBERS: {
    const GArray *numbers = *(GArray *const *)place;
    json_builder_begin_array (builder);
    for (guint i = 0; i < numbers->len; i++)
      add_value (builder, g_array_index (numbers, double, i));
    json_builder_end_array (builder);
    return;
  }
  default:
    json_builder_add_string_value (builder, *(char *const *)place);
  }
}

static void
add_property (JsonBuilder *builder, const LbProperty *property, gconstpointer self)
{
  g_autofree char *type = lb_property_type_text (property);
  g_autofree char *doc
      = g_strdup_printf ("%s (%s%s%s)", property->doc != NULL ? property->doc : property->name, type,
                         property->unit != NULL ? ", in " : "", property->unit != NULL ? property->unit : "");
  open_member (builder, property->name);
  lb_json_add_text (builder, "description", doc);
  if (property->fallback != NULL)
    add_default (builder, property, self);
  open_list (builder, "anyOf");
  add_branches (builder, property);
  if (is_list (property)) {
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "type", "array");
    open_member (builder, "items");
    open_list (builder, "anyOf");
    add_branches (builder, property);
    json_builder_end_array (builder);
    json_builder_end_object (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* TRUE when one must be given. */
static gboolean
add_with (JsonBuilder *builder, const LbStageType *type)
{
  gpointer self = g_malloc0 (MAX (type->instance_size, 1));
  gboolean required = FALSE;
  lb_properties_init (type, self);
  open_member (builder, "with");
  lb_json_add_text (builder, "type", "object");
  open_member (builder, "properties");
  for (const LbProperty *property = type->properties; property != NULL && property->name != NULL; property++) {
    add_property (builder, property, self);
    required |= property->fallback == NULL;
  }
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "additionalProperties");
  json_builder_add_boolean_value (builder, FALSE);
  if (required) {
    open_list (builder, "required");
    for (const LbProperty *property = type->properties; property->name != NULL; property++)
      if (property->fallback == NULL)
        json_builder_add_string_value (builder, property->name);
    json_builder_end_array (builder);
  }
  json_builder_end_object (builder);
  lb_properties_clear (type, self);
  g_free (self);
  return required;
}

/* ---- Inputs ---- */

static gboolean
is_required (const LbPort *port)
{
  return (port->flags & LB_PORT_OPTIONAL) == 0;
}

static void
add_input (JsonBuilder *builder, const LbPort *port)
{
  open_member (builder, port->name);
  if (port->doc != NULL)
    lb_json_add_text (builder, "description", port->doc);
  open_list (builder, "anyOf");
  json_builder_begin_object (builder);
  add_reference (builder, "stream-", port->schema);
  json_builder_end_object (builder);
  if (port->flags & LB_PORT_MANY) {
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "type", "array");
    lb_json_add_integer (builder, "minItems", 1);
    open_member (builder, "items");
    add_reference (builder, "stream-", port->schema);
    json_builder_end_object (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* TRUE when one must be linked. */
static gboolean
add_inputs (JsonBuilder *builder, const LbStageType *type)
{
  gboolean required = FALSE;
  open_member (builder, "inputs");
  lb_json_add_text (builder, "type", "object");
  open_member (builder, "properties");
  for (const LbPort *port = type->inputs; port != NULL && port->name != NULL; port++) {
    add_input (builder, port);
    required |= is_required (port);
  }
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "additionalProperties");
  json_builder_add_boolean_value (builder, FALSE);
  if (required) {
    open_list (builder, "required");
    for (const LbPort *port = type->inputs; port->name != NULL; port++)
      if (is_required (port))
        json_builder_add_string_value (builder, port->name);
    json_builder_end_array (builder);
  }
  json_builder_end_object (builder);
  return required;
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* Names of all outputs that may be linked where @wanted is asked for, each once, in byte order. */
static GPtrArray *
ports_of_schema (LbRegistry *registry, const char *const *types, const LbSchema *wanted)
{
  GPtrArray *names = g_ptr_array_new ();
  for (guint i = 0; types[i] != NULL; i++) {
    const LbPort *outputs = lb_registry_find (registry, types[i])->type->outputs;
    for (const LbPort *port = outputs; port != NULL && port->name != NULL; port++)
      if (lb_schema_is_a (lb_schemas_find (lb_registry_schemas (registry), port->schema), wanted)
          && !g_ptr_array_find_with_equal_func (names, port->name, g_str_equal, NULL))
        g_ptr_array_add (names, (gpointer)port->name);
  }
  g_ptr_array_sort (names, compare_texts);
  g_ptr_array_add (names, NULL);
  return names;
}

/* What a reference to a stream of @schema looks like: STAGE and one of the outputs there are. */
static void
add_stream (JsonBuilder *builder, LbRegistry *registry, const char *const *types, const char *schema)
{
  g_autoptr (GPtrArray) ports
      = ports_of_schema (registry, types, lb_schemas_find (lb_registry_schemas (registry), schema));
  g_autofree char *names = g_strjoinv ("|", (char **)ports->pdata);
  g_autofree char *listed = g_strjoinv (", STAGE.", (char **)ports->pdata);
  g_autofree char *pattern = g_strdup_printf ("^[A-Za-z][A-Za-z0-9_-]*\\.(%s)$", names);
  g_autofree char *member = g_strconcat ("stream-", schema, NULL);
  g_autofree char *text
      = g_strdup_printf ("A stream of %s: %s%s", schema, ports->len > 1 ? "STAGE." : "no plugin has one", listed);
  open_member (builder, member);
  lb_json_add_text (builder, "description", text);
  lb_json_add_text (builder, "type", "string");
  lb_json_add_text (builder, "pattern", pattern);
  lb_json_add_text (builder, "patternErrorMessage", text);
  json_builder_end_object (builder);
}

/* ---- Stages ---- */

static void
add_stage_type (JsonBuilder *builder, const LbStageType *type)
{
  g_autofree char *member = g_strconcat ("stage-", type->name, NULL);
  g_autofree char *doc = g_strconcat (type->summary != NULL ? type->summary : type->name,
                                      type->description != NULL ? "\n\n" : NULL, type->description, NULL);
  open_member (builder, member);
  open_member (builder, "properties");
  open_member (builder, "plugin");
  lb_json_add_text (builder, "description", doc);
  json_builder_end_object (builder);
  gboolean needs_inputs = add_inputs (builder, type);
  gboolean needs_with = add_with (builder, type);
  json_builder_end_object (builder);
  if (needs_inputs || needs_with) {
    open_list (builder, "required");
    if (needs_inputs)
      json_builder_add_string_value (builder, "inputs");
    if (needs_with)
      json_builder_add_string_value (builder, "with");
    json_builder_end_array (builder);
  }
  json_builder_end_object (builder);
}

/* "plugin", with all names, and the two others, of which the stage type decides more. */
static void
add_stage_keys (JsonBuilder *builder, LbRegistry *registry, const char *const *types)
{
  open_member (builder, "properties");
  for (const LbPipelineKey *key = lb_stage_keys; key->name != NULL; key++) {
    gboolean names_type = strcmp (key->name, "plugin") == 0;
    open_member (builder, key->name);
    lb_json_add_text (builder, "description", key->doc);
    lb_json_add_text (builder, "type", names_type ? "string" : "object");
    if (names_type) {
      open_list (builder, "enum");
      for (guint i = 0; types[i] != NULL; i++)
        json_builder_add_string_value (builder, types[i]);
      json_builder_end_array (builder);
      open_list (builder, "enumDescriptions");
      for (guint i = 0; types[i] != NULL; i++)
        json_builder_add_string_value (builder, lb_registry_find (registry, types[i])->type->summary);
      json_builder_end_array (builder);
    }
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
}

/* Any stage: what all have, and one condition for each type. */
static void
add_stage (JsonBuilder *builder, LbRegistry *registry, const char *const *types)
{
  open_member (builder, "stage");
  lb_json_add_text (builder, "type", "object");
  open_list (builder, "required");
  json_builder_add_string_value (builder, "plugin");
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "additionalProperties");
  json_builder_add_boolean_value (builder, FALSE);
  add_stage_keys (builder, registry, types);
  open_list (builder, "allOf");
  for (guint i = 0; types[i] != NULL; i++) {
    json_builder_begin_object (builder);
    open_member (builder, "if");
    open_member (builder, "properties");
    open_member (builder, "plugin");
    lb_json_add_text (builder, "const", types[i]);
    json_builder_end_object (builder);
    json_builder_end_object (builder);
    open_list (builder, "required");
    json_builder_add_string_value (builder, "plugin");
    json_builder_end_array (builder);
    json_builder_end_object (builder);
    open_member (builder, "then");
    add_reference (builder, "stage-", types[i]);
    json_builder_end_object (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
add_definitions (JsonBuilder *builder, LbRegistry *registry)
{
  g_autofree const char **types = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  open_member (builder, "definitions");
  add_stage (builder, registry, types);
  for (guint i = 0; schemas[i] != NULL; i++)
    add_stream (builder, registry, types, schemas[i]);
  for (guint i = 0; types[i] != NULL; i++)
    add_stage_type (builder, lb_registry_find (registry, types[i])->type);
  json_builder_end_object (builder);
}

/* ---- The file ---- */

static void
add_keys (JsonBuilder *builder)
{
  open_member (builder, "properties");
  for (const LbPipelineKey *key = lb_pipeline_keys; key->name != NULL; key++) {
    g_autoptr (JsonNode) schema = json_from_string (key->schema, NULL);
    json_object_set_string_member (json_node_get_object (schema), "description", key->doc);
    json_builder_set_member_name (builder, key->name);
    json_builder_add_value (builder, g_steal_pointer (&schema));
  }
  json_builder_end_object (builder);
}

char *
lb_json_schema (LbRegistry *registry)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "$schema", "http://json-schema.org/draft-07/schema#");
  lb_json_add_text (builder, "title", "Pipeline file of Limbeck");
  lb_json_add_text (builder, "description", "Made by 'limbeck schema' from the tables of all stages it finds.");
  lb_json_add_text (builder, "type", "object");
  open_list (builder, "required");
  json_builder_add_string_value (builder, "limbeck");
  json_builder_add_string_value (builder, "stages");
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "additionalProperties");
  json_builder_add_boolean_value (builder, FALSE);
  add_keys (builder);
  add_definitions (builder, registry);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, TRUE);
}
