/* What inspect tells programs. */
#include <math.h>

#include "base/json.h"
#include "cli/inspect.h"
#include "nn/table.h"
#include "plugin/property.h"

static void
begin (JsonBuilder *builder, const char *member)
{
  json_builder_set_member_name (builder, member);
  json_builder_begin_object (builder);
}

static void
begin_list (JsonBuilder *builder, const char *member)
{
  json_builder_set_member_name (builder, member);
  json_builder_begin_array (builder);
}

static void
add_flag (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

/* ---- A stage type ---- */

static void
add_ports (JsonBuilder *builder, const char *member, const LbPort *ports)
{
  begin_list (builder, member);
  for (; ports != NULL && ports->name != NULL; ports++) {
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", ports->name);
    lb_json_add_text (builder, "schema", ports->schema);
    lb_json_add_text (builder, "dims", ports->dims);
    add_flag (builder, "optional", (ports->flags & LB_PORT_OPTIONAL) != 0);
    add_flag (builder, "many", (ports->flags & LB_PORT_MANY) != 0);
    add_flag (builder, "on_demand", (ports->flags & LB_PORT_ON_DEMAND) != 0);
    lb_json_add_text (builder, "doc", ports->doc);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static const char *
kind_name (LbPropertyKind kind)
{
  static const char *const names[]
      = { "boolean", "integer", "number", "string", "path", "result", "choice", "strings", "numbers" };
  G_STATIC_ASSERT (G_N_ELEMENTS (names) == LB_PROPERTY_NUMBERS + 1);
  return names[kind];
}

static void
add_properties (JsonBuilder *builder, const LbStageType *type)
{
  begin_list (builder, "properties");
  for (const LbProperty *property = type->properties; property != NULL && property->name != NULL; property++) {
    double minimum, maximum;
    lb_property_bounds (property, &minimum, &maximum);
    g_autofree char *fallback = property->fallback != NULL ? lb_inspect_default (type, property) : NULL;
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", property->name);
    lb_json_add_text (builder, "kind", kind_name (property->kind));
    lb_json_add_text (builder, "default", fallback);
    lb_json_add_number (builder, "minimum", minimum);
    lb_json_add_number (builder, "maximum", maximum);
    begin_list (builder, "choices");
    for (guint i = 0; property->choices != NULL && property->choices[i] != NULL; i++)
      json_builder_add_string_value (builder, property->choices[i]);
    json_builder_end_array (builder);
    lb_json_add_text (builder, "unit", property->unit);
    lb_json_add_text (builder, "doc", property->doc);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_stage (JsonBuilder *builder, LbRegistry *registry, const LbStageEntry *entry)
{
  const LbStageType *type = entry->type;
  g_autofree char *path = NULL, *text = NULL;
  double flops = lb_inspect_example (entry, &path, &text) ? lb_inspect_cost (registry, entry, path) : -1;
  begin (builder, "stage");
  lb_json_add_text (builder, "name", type->name);
  lb_json_add_text (builder, "summary", type->summary);
  lb_json_add_text (builder, "description", type->description);
  add_ports (builder, "inputs", type->inputs);
  add_ports (builder, "outputs", type->outputs);
  add_properties (builder, type);
  lb_json_add_text (builder, "example", text);
  lb_json_add_text (builder, "example_path", path);
  lb_json_add_number (builder, "example_flops", flops >= 0 ? flops : NAN);
  begin (builder, "plugin");
  lb_json_add_text (builder, "name", entry->plugin->name);
  lb_json_add_text (builder, "version", entry->plugin->version);
  lb_json_add_text (builder, "licence", entry->plugin->licence);
  lb_json_add_text (builder, "path", entry->path);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

/* ---- A schema, an architecture ---- */

static void
add_schema (JsonBuilder *builder, const LbSchema *schema)
{
  begin (builder, "schema");
  lb_json_add_text (builder, "name", schema->name);
  lb_json_add_integer (builder, "version", schema->version);
  lb_json_add_text (builder, "doc", schema->doc);
  lb_json_add_text (builder, "extends", schema->base != NULL ? schema->base->name : NULL);
  begin (builder, "dims");
  for (guint i = 0; i < schema->symbols->len; i++) {
    const LbSymbol *symbol = schema->symbols->pdata[i];
    lb_json_add_text (builder, symbol->name, symbol->doc);
  }
  json_builder_end_object (builder);
  begin_list (builder, "fields");
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = schema->fields->pdata[i];
    g_autofree char *type = lb_field_to_string (field);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", field->name);
    lb_json_add_text (builder, "type", type);
    lb_json_add_text (builder, "doc", field->doc);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  lb_json_add_text (builder, "path", schema->path);
  json_builder_end_object (builder);
}

static void
add_architecture (JsonBuilder *builder, const LbArchitecture *architecture)
{
  begin (builder, "architecture");
  lb_json_add_text (builder, "name", architecture->name);
  lb_json_add_text (builder, "summary", architecture->summary);
  lb_json_add_text (builder, "description", architecture->description);
  begin_list (builder, "options");
  for (const LbArchitectureOption *option = architecture->options; option != NULL && option->name != NULL; option++) {
    g_autofree char *expected = lb_architecture_option_expected (option);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", option->name);
    lb_json_add_text (builder, "expected", expected);
    lb_json_add_text (builder, "default", option->fallback);
    lb_json_add_text (builder, "doc", option->doc);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  lb_json_add_text (builder, "origin", lb_architecture_origin (architecture));
  json_builder_end_object (builder);
}

char *
lb_inspect_to_json (LbRegistry *registry, const LbInspected *found)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  if (found->entry != NULL)
    add_stage (builder, registry, found->entry);
  if (found->schema != NULL)
    add_schema (builder, found->schema);
  if (found->architecture != NULL)
    add_architecture (builder, found->architecture);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, TRUE);
}

/* ---- Everything ---- */

static void
add_row (JsonBuilder *builder, const char *name, const char *summary)
{
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "name", name);
  lb_json_add_text (builder, "summary", summary);
  json_builder_end_object (builder);
}

char *
lb_inspect_all_to_json (LbRegistry *registry)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autofree const char **stages = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  g_autofree const char **architectures = lb_architecture_names ();
  const GPtrArray *problems = lb_registry_problems (registry);
  json_builder_begin_object (builder);
  begin_list (builder, "stages");
  for (guint i = 0; stages[i] != NULL; i++)
    add_row (builder, stages[i], lb_registry_find (registry, stages[i])->type->summary);
  json_builder_end_array (builder);
  begin_list (builder, "schemas");
  for (guint i = 0; schemas[i] != NULL; i++) {
    g_autofree char *summary = lb_inspect_sentence (lb_schemas_find (lb_registry_schemas (registry), schemas[i])->doc);
    add_row (builder, schemas[i], summary);
  }
  json_builder_end_array (builder);
  begin_list (builder, "architectures");
  for (guint i = 0; architectures[i] != NULL; i++)
    add_row (builder, architectures[i], lb_architecture_find (architectures[i])->summary);
  json_builder_end_array (builder);
  begin_list (builder, "problems");
  for (guint i = 0; i < problems->len; i++)
    json_builder_add_string_value (builder, problems->pdata[i]);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, TRUE);
}
