/* Pages of what inspect tells, which the documentation keeps for the stages, schemas and architectures of its own tree.
 */
#include <string.h>

#include "base/format.h"
#include "cli/inspect.h"
#include "nn/table.h"

/* ---- Texts ---- */

/* Letters that Markdown would take for markup, and in a cell of a table the bar. */
static void
add_text (GString *page, const char *text, gboolean cell)
{
  for (const char *c = text; *c != '\0'; c++) {
    if (strchr ("*_<\\`", *c) != NULL || (cell && *c == '|'))
      g_string_append_c (page, '\\');
    if (cell && *c == '\n')
      g_string_append_c (page, ' ');
    else
      g_string_append_c (page, *c);
  }
}

/* The digits of "arXiv 2409.16239" at @text; 0 when there are none. */
static gsize
arxiv_length (const char *text)
{
  gsize length = strspn (text, "0123456789.");
  while (length > 0 && text[length - 1] == '.')
    length--;
  return length >= 9 ? length : 0;
}

/* Prose, in which papers of arXiv become links. */
static void
add_prose (GString *page, const char *text)
{
  static const char mark[] = "arXiv ";
  const char *next;
  while ((next = strstr (text, mark)) != NULL) {
    const char *number = next + strlen (mark);
    gsize length = arxiv_length (number);
    g_autofree char *before = g_strndup (text, (gsize)(next - text));
    add_text (page, before, FALSE);
    if (length > 0)
      g_string_append_printf (page, "[arXiv %.*s](https://arxiv.org/abs/%.*s)", (int)length, number, (int)length,
                              number);
    else
      g_string_append (page, mark);
    text = number + length;
  }
  add_text (page, text, FALSE);
}

/* "| a | b |", the cells as they are. */
static void
add_row (GString *page, const char *const *cells)
{
  for (guint i = 0; cells[i] != NULL; i++)
    g_string_append_printf (page, "| %s%s", cells[i], cells[i][0] != '\0' ? " " : "");
  g_string_append (page, "|\n");
}

static char *
cell (const char *text)
{
  GString *out = g_string_new (NULL);
  add_text (out, text != NULL ? text : "", TRUE);
  return g_string_free (out, FALSE);
}

static GString *
page_new (const char *name, const char *kind, const char *summary)
{
  GString *page = g_string_new ("<!-- Made by tests/renew-generated. -->\n");
  g_string_append_printf (page, "# %s\n\n%s", name, kind);
  if (summary != NULL)
    add_prose (page, summary);
  g_string_append (page, summary != NULL && g_str_has_suffix (summary, ".") ? "\n" : ".\n");
  return page;
}

/* ---- A stage type ---- */

static void
add_ports (GString *page, const char *title, const LbPort *ports, gboolean inputs)
{
  if (ports == NULL || ports->name == NULL)
    return;
  g_string_append_printf (page, "\n## %s\n\n", title);
  add_row (page, (const char *const[]){ "port", "stream", "dimensions", "", "what it is", NULL });
  add_row (page, (const char *const[]){ "---", "---", "---", "---", "---", NULL });
  for (; ports->name != NULL; ports++) {
    g_autofree char *name = g_strdup_printf ("`%s`", ports->name), *doc = cell (ports->doc);
    g_autofree char *stream = g_strdup_printf ("[%s](../streams/%s.md)", ports->schema, ports->schema);
    g_autofree char *rule = lb_inspect_port_rule (ports, inputs), *dims = cell (ports->dims);
    add_row (page, (const char *const[]){ name, stream, dims, rule, doc, NULL });
  }
}

static void
add_properties (GString *page, const LbStageType *type)
{
  if (type->properties == NULL || type->properties->name == NULL)
    return;
  g_string_append (page, "\n## Properties\n\n");
  add_row (page, (const char *const[]){ "property", "value", "default", "what it does", NULL });
  add_row (page, (const char *const[]){ "---", "---", "---", "---", NULL });
  for (const LbProperty *property = type->properties; property->name != NULL; property++) {
    g_autofree char *kind = lb_inspect_type (property), *default_ = lb_inspect_default (type, property);
    g_autofree char *name = g_strdup_printf ("`%s`", property->name), *doc = cell (property->doc);
    g_autofree char *value = cell (kind), *shown = g_strdup_printf ("`%s`", default_);
    gboolean empty = default_[0] == '\0' || strcmp (default_, "\"\"") == 0;
    add_row (page, (const char *const[]){ name, value,
                                          property->fallback == NULL ? "must be given"
                                          : empty                    ? "empty"
                                                                     : shown,
                                          doc, NULL });
  }
}

static void
add_cost_and_example (GString *page, LbRegistry *registry, const LbStageEntry *entry)
{
  g_autofree char *path = NULL, *text = NULL;
  gboolean has_example = lb_inspect_example (entry, &path, &text);
  double flops = has_example ? lb_inspect_cost (registry, entry, path) : -1;
  g_autofree char *work = flops >= 0 ? lb_format_flops (flops) : NULL;
  g_string_append (page, "\n## Cost\n\n`limbeck check` predicts the operations and the memory of every stage of a "
                         "pipeline before it runs.");
  if (work != NULL)
    g_string_append_printf (page, " In the example below this stage takes %s.", work);
  if (has_example)
    g_string_append_printf (page, "\n\n## A pipeline that runs\n\n```yaml\n%s```", text);
  g_string_append_printf (page, "\n\nPlugin `%s` %s, %s. [All stages](../reference.md).\n", entry->plugin->name,
                          entry->plugin->version, entry->plugin->licence);
}

static void
add_stage (GString *pages, LbRegistry *registry, const LbStageEntry *entry)
{
  const LbStageType *type = entry->type;
  g_autoptr (GString) page = page_new (type->name, "Stage type: ", type->summary);
  if (type->description != NULL) {
    g_string_append_c (page, '\n');
    add_prose (page, type->description);
    g_string_append_c (page, '\n');
  }
  add_ports (page, "Inputs", type->inputs, TRUE);
  add_ports (page, "Outputs", type->outputs, FALSE);
  add_properties (page, type);
  add_cost_and_example (page, registry, entry);
  g_string_append (pages, page->str);
}

/* ---- A stream schema ---- */

static void
add_schema (GString *pages, const LbSchema *schema)
{
  g_autoptr (GString) page = page_new (schema->name, "Stream schema: ", schema->doc);
  g_string_append_printf (page, "\nVersion %u.", schema->version);
  if (schema->base != NULL)
    g_string_append_printf (page, " Extends [%s](%s.md): may be linked wherever that is asked for.", schema->base->name,
                            schema->base->name);
  g_string_append (page, "\n\n| field | type | what it is |\n| --- | --- | --- |\n");
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = schema->fields->pdata[i];
    g_autofree char *type = lb_field_to_string (field), *shown = cell (type), *doc = cell (field->doc);
    g_autofree char *name = g_strdup_printf ("`%s`", field->name);
    add_row (page, (const char *const[]){ name, shown, doc, NULL });
  }
  g_string_append (page, "\n| dimension | what it counts |\n| --- | --- |\n");
  for (guint i = 0; i < schema->symbols->len; i++) {
    const LbSymbol *symbol = schema->symbols->pdata[i];
    g_autofree char *name = g_strdup_printf ("`%s`", symbol->name), *doc = cell (symbol->doc);
    add_row (page, (const char *const[]){ name, doc, NULL });
  }
  g_string_append (page, "\n[All stages and schemas](../reference.md).\n");
  g_string_append (pages, page->str);
}

/* ---- An architecture ---- */

static void
add_architecture (GString *pages, const LbArchitecture *architecture)
{
  g_autoptr (GString) page = page_new (architecture->name, "Architecture: ", architecture->summary);
  const LbArchitectureOption *option = architecture->options;
  if (architecture->description != NULL) {
    g_string_append_c (page, '\n');
    add_prose (page, architecture->description);
    g_string_append_c (page, '\n');
  }
  if (option != NULL && option->name != NULL) {
    g_string_append_printf (page, "\nOptions stand behind the name, as in `%s:%s=%s`.\n\n", architecture->name,
                            option->name, option->fallback);
    g_string_append (page, "| option | value | default | what it does |\n| --- | --- | --- | --- |\n");
  }
  for (; option != NULL && option->name != NULL; option++) {
    g_autofree char *expected = lb_architecture_option_expected (option), *value = cell (expected);
    g_autofree char *name = g_strdup_printf ("`%s`", option->name), *doc = cell (option->doc);
    g_autofree char *fallback = g_strdup_printf ("`%s`", option->fallback);
    add_row (page, (const char *const[]){ name, value, fallback, doc, NULL });
  }
  g_string_append (page, "\n[All stages and architectures](../reference.md).\n");
  g_string_append (pages, page->str);
}

char *
lb_inspect_to_markdown (LbRegistry *registry, const LbInspected *found)
{
  GString *pages = g_string_new (NULL);
  if (found->entry != NULL)
    add_stage (pages, registry, found->entry);
  if (found->schema != NULL)
    add_schema (pages, found->schema);
  if (found->architecture != NULL)
    add_architecture (pages, found->architecture);
  return g_string_free (pages, FALSE);
}

/* ---- Everything ---- */

static void
add_link (GString *page, const char *folder, const char *name, const char *summary)
{
  g_autofree char *link = g_strdup_printf ("[%s](%s/%s.md)", name, folder, name), *text = cell (summary);
  add_row (page, (const char *const[]){ link, text, NULL });
}

char *
lb_inspect_all_to_markdown (LbRegistry *registry)
{
  g_autofree const char **stages = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  g_autofree const char **architectures = lb_architecture_names ();
  GString *page = g_string_new ("<!-- Made by tests/renew-generated. -->\n"
                                "# Stages, streams and architectures\n\n"
                                "What `limbeck inspect` tells, a page for each.\n\n"
                                "| stage type | |\n| --- | --- |\n");
  for (guint i = 0; stages[i] != NULL; i++)
    add_link (page, "stages", stages[i], lb_registry_find (registry, stages[i])->type->summary);
  g_string_append (page, "\n| stream schema | |\n| --- | --- |\n");
  for (guint i = 0; schemas[i] != NULL; i++) {
    g_autofree char *summary = lb_inspect_sentence (lb_schemas_find (lb_registry_schemas (registry), schemas[i])->doc);
    add_link (page, "streams", schemas[i], summary);
  }
  g_string_append (page, "\n| architecture | |\n| --- | --- |\n");
  for (guint i = 0; architectures[i] != NULL; i++)
    add_link (page, "architectures", architectures[i], lb_architecture_find (architectures[i])->summary);
  return g_string_free (page, FALSE);
}
