/* limbeck inspect: everything one needs to write a stage into a pipeline file, made from the plugins' own tables; and
 * the schemas of streams and the architectures that stages can be given. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/inspect.h"
#include "nn/table.h"

typedef enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_MARKDOWN, FORMAT_NAMES } Format;

static LbInspected
find (LbRegistry *registry, const char *name)
{
  return (LbInspected){ lb_registry_find (registry, name), lb_schemas_find (lb_registry_schemas (registry), name),
                        lb_architecture_find (name) };
}

static int
tell_unknown (LbRegistry *registry, const char *name)
{
  g_autofree const char **stages = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  g_autofree const char **architectures = lb_architecture_names ();
  g_autofree char *word = g_utf8_make_valid (name, -1);
  const char **lists[] = { stages, schemas, architectures };
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    g_strv_builder_addv (builder, lists[i]);
  g_auto (GStrv) names = g_strv_builder_end (builder);
  g_autofree char *hint = lb_did_you_mean (word, (const char *const *)names);
  lb_command_usage ("'%s' is neither a stage type nor a stream schema nor an architecture%s", word,
                    *hint != '\0' ? hint : "; 'limbeck inspect' lists all");
  GPtrArray *problems = lb_registry_problems (registry);
  for (guint i = 0; i < problems->len; i++)
    fprintf (stderr, "limbeck: note: %s\n", (char *)problems->pdata[i]);
  return LB_ERROR_USAGE;
}

static void
print_names (const char **names)
{
  for (guint i = 0; names[i] != NULL; i++)
    puts (names[i]);
}

static int
print_all (LbRegistry *registry, Format format)
{
  g_autofree const char **stages = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  g_autofree const char **architectures = lb_architecture_names ();
  g_autofree char *text = format == FORMAT_JSON       ? lb_inspect_all_to_json (registry)
                          : format == FORMAT_MARKDOWN ? lb_inspect_all_to_markdown (registry)
                                                      : NULL;
  if (text != NULL) {
    fputs (text, stdout);
  } else if (format == FORMAT_NAMES) {
    print_names (stages);
    print_names (schemas);
    print_names (architectures);
  } else {
    lb_inspect_print_all (registry);
  }
  return 0;
}

static int
print_one (LbRegistry *registry, const char *name, Format format)
{
  LbInspected found = find (registry, name);
  if (found.entry == NULL && found.schema == NULL && found.architecture == NULL)
    return tell_unknown (registry, name);
  g_autofree char *text = format == FORMAT_JSON       ? lb_inspect_to_json (registry, &found)
                          : format == FORMAT_MARKDOWN ? lb_inspect_to_markdown (registry, &found)
                                                      : NULL;
  if (text != NULL)
    fputs (text, stdout);
  else if (format == FORMAT_NAMES)
    puts (name);
  else
    lb_inspect_print (registry, &found);
  return 0;
}

/* ---- Pages ---- */

static gboolean
write_page (const char *directory, const char *folder, const char *name, const char *text, GError **error)
{
  g_autofree char *file = g_strconcat (name, ".md", NULL);
  g_autofree char *path = g_build_filename (directory, folder, file, NULL);
  return lb_file_replace (path, text, strlen (text), error);
}

/* A page of each of @names; @kind is which of the three they are. */
static gboolean
write_kind (LbRegistry *registry, const char *directory, const char *folder, const char **names, guint kind,
            GError **error)
{
  for (guint i = 0; names[i] != NULL; i++) {
    LbInspected all = find (registry, names[i]), one = { 0 };
    if (kind == 0)
      one.entry = all.entry;
    else if (kind == 1)
      one.schema = all.schema;
    else
      one.architecture = all.architecture;
    g_autofree char *text = lb_inspect_to_markdown (registry, &one);
    if (!write_page (directory, folder, names[i], text, error))
      return FALSE;
  }
  return TRUE;
}

static int
write_pages (LbRegistry *registry, const char *directory)
{
  g_autoptr (GError) error = NULL;
  g_autofree const char **stages = lb_registry_names (registry);
  g_autofree const char **schemas = lb_schemas_names (lb_registry_schemas (registry));
  g_autofree const char **architectures = lb_architecture_names ();
  g_autofree char *index = lb_inspect_all_to_markdown (registry);
  if (write_page (directory, "", "reference", index, &error)
      && write_kind (registry, directory, "stages", stages, 0, &error)
      && write_kind (registry, directory, "streams", schemas, 1, &error)
      && write_kind (registry, directory, "architectures", architectures, 2, &error))
    return 0;
  return lb_command_fail (error);
}

int
lb_command_inspect (int argc, char **argv)
{
  static const char *const formats[] = { "text", "json", "markdown", "names", NULL };
  g_auto (GStrv) names = NULL;
  g_autofree char *format_name = NULL, *directory = NULL;
  const GOptionEntry entries[] = {
    { "format", 0, 0, G_OPTION_ARG_FILENAME, &format_name, "What to print (default: text)",
      "text|json|markdown|names" },
    { "directory", 0, 0, G_OPTION_ARG_FILENAME, &directory,
      "Write DIR/reference.md and a page for each of all there are, in Markdown", "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed
      = lb_command_parse (argc, argv, entries, "[NAME]",
                          "Describes the stage type, stream schema or architecture NAME; without it, lists all\n"
                          "there are and what could not be loaded.",
                          NULL, 0, 1, &names);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  int format = lb_command_choice ("format", format_name != NULL ? format_name : "text", formats);
  if (format < 0)
    return LB_ERROR_USAGE;
  if (directory != NULL && names != NULL)
    return lb_command_usage ("--directory writes pages of all there are; leave out '%s'", names[0]);
  g_autoptr (LbRegistry) registry = lb_registry_new_default ();
  if (directory != NULL)
    return write_pages (registry, directory);
  return names == NULL ? print_all (registry, (Format)format) : print_one (registry, names[0], (Format)format);
}
