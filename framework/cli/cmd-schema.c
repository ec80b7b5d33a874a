/* limbeck schema: the JSON Schema of pipeline files, for editors. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "pipeline/json-schema.h"

int
lb_command_schema (int argc, char **argv)
{
  g_auto (GStrv) none = NULL;
  g_autofree char *output = NULL;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "File to write (default: standard output)", "PATH" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (
      argc, argv, entries, "", "Prints the JSON Schema of pipeline files, made from the tables of all stages.",
      "A YAML language server completes and checks a file that begins with a line such as\n"
      "  # yaml-language-server: $schema=../schemas/pipeline.schema.json\n"
      "Plugins on LIMBECK_PLUGIN_PATH are part of it.",
      0, 0, &none);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbRegistry) registry = lb_registry_new_default ();
  g_autofree char *text = lb_json_schema (registry);
  GPtrArray *problems = lb_registry_problems (registry);
  for (guint i = 0; i < problems->len; i++)
    fprintf (stderr, "limbeck: warning: %s\n", (char *)problems->pdata[i]);
  if (output == NULL)
    fputs (text, stdout);
  else if (!lb_file_write (output, text, strlen (text), &error))
    return lb_command_fail (error);
  return 0;
}
