/* What inspect tells people on a terminal. */
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "cli/inspect.h"
#include "cli/table.h"
#include "cli/wrap.h"
#include "nn/table.h"

static void
print_table (const LbTable *table, guint indent)
{
  g_autofree char *text = lb_table_to_text (table, indent);
  fputs (text, stdout);
}

static void
print_paragraph (const char *text)
{
  fputs ("\n", stdout);
  lb_print_wrapped (text, 0);
}

/* ---- Everything ---- */

void
lb_inspect_print_all (LbRegistry *registry)
{
  g_autofree const char **stages = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  g_autofree const char **architectures = lb_architecture_names ();
  g_autoptr (LbTable) stage_table = lb_table_new ("ll"), schema_table = lb_table_new ("lll");
  g_autoptr (LbTable) architecture_table = lb_table_new ("ll");
  for (guint i = 0; stages[i] != NULL; i++)
    lb_table_add (stage_table, stages[i], lb_registry_find (registry, stages[i])->type->summary);
  for (guint i = 0; schemas[i] != NULL; i++) {
    const LbSchema *schema = lb_schemas_find (lb_registry_schemas (registry), schemas[i]);
    g_autofree char *version = g_strdup_printf ("%u", schema->version);
    g_autofree char *summary = lb_inspect_sentence (schema->doc);
    lb_table_add (schema_table, schemas[i], version, summary);
  }
  printf ("Stage types:%s\n", stages[0] == NULL ? " none; put plugins into a directory of LIMBECK_PLUGIN_PATH" : "");
  print_table (stage_table, 2);
  printf ("\nStream schemas:%s\n",
          schemas[0] == NULL ? " none; put schemas into a directory of LIMBECK_SCHEMA_PATH" : "");
  print_table (schema_table, 2);
  for (guint i = 0; architectures[i] != NULL; i++)
    lb_table_add (architecture_table, architectures[i], lb_architecture_find (architectures[i])->summary);
  printf ("\nArchitectures:\n");
  print_table (architecture_table, 2);
  GPtrArray *problems = lb_registry_problems (registry);
  for (guint i = 0; i < problems->len; i++)
    printf ("%s  %s\n", i == 0 ? "\nCould not be loaded:\n" : "", (char *)problems->pdata[i]);
}

/* ---- A schema ---- */

/* Fields of @schema; one line each. */
static void
print_fields (const LbSchema *schema, guint indent)
{
  g_autoptr (LbTable) table = lb_table_new ("lll");
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = schema->fields->pdata[i];
    g_autofree char *name = g_strconcat (field->name, ":", NULL);
    g_autofree char *type = lb_field_to_string (field);
    lb_table_add (table, name, type, field->doc);
  }
  print_table (table, indent);
}

static void
print_schema (const LbSchema *schema)
{
  g_autoptr (LbTable) dims = lb_table_new ("ll");
  for (guint i = 0; i < schema->symbols->len; i++) {
    const LbSymbol *symbol = schema->symbols->pdata[i];
    lb_table_add (dims, symbol->name, symbol->doc);
  }
  printf ("%s: stream schema, version %u\n", schema->name, schema->version);
  if (schema->doc != NULL && schema->doc[0] != '\0')
    print_paragraph (schema->doc);
  if (schema->base != NULL)
    printf ("\nExtends %s: may be linked wherever that is asked for.\n", schema->base->name);
  printf ("\nFields:\n");
  print_fields (schema, 2);
  printf ("\nDimensions:\n");
  print_table (dims, 2);
  printf ("\nFile: %s\n", schema->path);
}

/* ---- A stage type ---- */

static void
print_ports (LbRegistry *registry, const char *title, const LbPort *ports, gboolean inputs)
{
  if (ports == NULL || ports[0].name == NULL)
    return;
  printf ("\n%s:\n", title);
  for (const LbPort *port = ports; port->name != NULL; port++) {
    const LbSchema *schema = lb_schemas_find (lb_registry_schemas (registry), port->schema);
    g_autofree char *rule = lb_inspect_port_rule (port, inputs);
    printf ("  %s: %s%s%s\n", port->name, port->schema, rule[0] != '\0' ? ", " : "", rule);
    if (port->doc != NULL)
      lb_print_wrapped (port->doc, 4);
    if (port->dims != NULL && port->dims[0] != '\0')
      printf ("    dimensions: %s\n", port->dims);
    print_fields (schema, 6);
  }
}

static void
print_properties (const LbProperty *properties)
{
  if (properties == NULL || properties[0].name == NULL)
    return;
  printf ("\nProperties:\n");
  for (const LbProperty *property = properties; property->name != NULL; property++) {
    g_autofree char *type = lb_inspect_type (property);
    printf ("  %s: %s, ", property->name, type);
    if (property->fallback == NULL)
      printf ("must be given\n");
    else
      printf ("default %s\n", property->fallback[0] != '\0' ? property->fallback : "empty");
    if (property->doc != NULL)
      lb_print_wrapped (property->doc, 4);
  }
}

/* Its entry, with everything that may be written there. */
static void
print_entry (const LbStageType *type)
{
  gboolean has_inputs = type->inputs != NULL && type->inputs[0].name != NULL;
  gboolean has_properties = type->properties != NULL && type->properties[0].name != NULL;
  printf ("\nIn a pipeline file:\n  my-%s:\n    plugin: %s\n", type->name, type->name);
  if (has_inputs)
    printf ("    inputs:\n");
  for (const LbPort *port = type->inputs; has_inputs && port->name != NULL; port++)
    printf ("      %s: %s%s.%s%s%s\n", port->name, port->flags & LB_PORT_MANY ? "[" : "", "OTHER-STAGE", port->schema,
            port->flags & LB_PORT_MANY ? "]" : "", port->flags & LB_PORT_OPTIONAL ? "    # optional" : "");
  if (has_properties)
    printf ("    with:\n");
  for (const LbProperty *property = type->properties; has_properties && property->name != NULL; property++) {
    g_autofree char *value = lb_inspect_default (type, property);
    printf ("      %s: %s%s\n", property->name, value, property->fallback == NULL ? "    # must be given" : "");
  }
}

/* A whole pipeline that runs. */
static void
print_example (LbRegistry *registry, const LbStageEntry *entry)
{
  g_autofree char *path = NULL, *text = NULL;
  if (!lb_inspect_example (entry, &path, &text))
    return;
  double flops = lb_inspect_cost (registry, entry, path);
  g_autofree char *work = flops >= 0 ? lb_format_flops (flops) : NULL;
  g_auto (GStrv) lines = g_strsplit (g_strchomp (text), "\n", -1);
  printf ("\nA pipeline that runs: %s\n", path);
  if (work != NULL)
    printf ("  (%s in the stage; 'limbeck check' predicts what a run costs)\n", work);
  for (guint i = 0; lines[i] != NULL; i++)
    printf ("%s%s\n", lines[i][0] != '\0' ? "  " : "", lines[i]);
}

static void
print_stage (LbRegistry *registry, const LbStageEntry *entry)
{
  const LbStageType *type = entry->type;
  printf ("%s: %s\n", type->name, type->summary != NULL ? type->summary : "");
  if (type->description != NULL)
    print_paragraph (type->description);
  print_ports (registry, "Inputs", type->inputs, TRUE);
  print_ports (registry, "Outputs", type->outputs, FALSE);
  print_properties (type->properties);
  print_entry (type);
  print_example (registry, entry);
  if (entry->plugin != NULL)
    printf ("\nPlugin: %s %s, %s, %s\n", entry->plugin->name, entry->plugin->version, entry->plugin->licence,
            entry->path);
}

/* ---- An architecture ---- */

static void
print_architecture (const LbArchitecture *architecture)
{
  printf ("%s: %s\n", architecture->name, architecture->summary);
  if (architecture->description != NULL)
    print_paragraph (architecture->description);
  if (architecture->options == NULL || architecture->options[0].name == NULL) {
    printf ("\nIt has no options.\n");
  } else {
    printf ("\nOptions, behind the name as in %s:%s=%s:\n", architecture->name, architecture->options[0].name,
            architecture->options[0].fallback);
    for (const LbArchitectureOption *option = architecture->options; option->name != NULL; option++) {
      g_autofree char *expected = lb_architecture_option_expected (option);
      printf ("  %s: %s, default %s\n", option->name, expected, option->fallback);
      lb_print_wrapped (option->doc, 4);
    }
  }
  printf ("\nFrom: %s\n", lb_architecture_origin (architecture));
}

void
lb_inspect_print (LbRegistry *registry, const LbInspected *found)
{
  if (found->entry != NULL)
    print_stage (registry, found->entry);
  if (found->schema != NULL) {
    fputs (found->entry != NULL ? "\n" : "", stdout);
    print_schema (found->schema);
  }
  if (found->architecture != NULL) {
    fputs (found->entry != NULL || found->schema != NULL ? "\n" : "", stdout);
    print_architecture (found->architecture);
  }
}
