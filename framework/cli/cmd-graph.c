/* limbeck graph: draws a pipeline. Its values and data need not be right for that, only its names and links. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "pipeline/diagram.h"

typedef enum { FORMAT_DOT, FORMAT_SVG } Format;

static GBytes *
draw (const LbPlan *plan, Format format, GError **error)
{
  if (format == FORMAT_SVG)
    return lb_diagram_to_svg (plan, error);
  char *text = lb_diagram_to_dot (plan);
  return g_bytes_new_take (text, strlen (text));
}

int
lb_command_graph (int argc, char **argv)
{
  static const char *const formats[] = { "dot", "svg", NULL };
  g_auto (LbChanges) changes = { 0 };
  g_auto (GStrv) files = NULL;
  g_autofree char *format_name = NULL, *output = NULL;
  const GOptionEntry entries[] = {
    { "format", 0, 0, G_OPTION_ARG_FILENAME, &format_name, "What to draw (default: as the output file is named, or dot)",
      "dot|svg" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "File to write (default: standard output)", "PATH" },
    LB_CHANGE_ENTRIES (&changes),
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (argc, argv, entries, "FILE",
                                      "Draws the pipeline that FILE describes: stages as boxes, streams as lines.",
                                      NULL, 1, 1, &files);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  const char *implied = output != NULL && g_str_has_suffix (output, ".svg") ? "svg" : "dot";
  int format = lb_command_choice ("format", format_name != NULL ? format_name : implied, formats);
  if (format < 0)
    return LB_ERROR_USAGE;

  g_auto (LbLoaded) loaded = { 0 };
  g_autoptr (GError) error = NULL;
  int status = lb_command_load (files[0], &changes, FALSE, &loaded);
  if (status != 0)
    return status;
  g_autoptr (GBytes) bytes = draw (loaded.plan, format, &error);
  if (bytes == NULL)
    return lb_command_fail (error);
  gsize length;
  const char *data = g_bytes_get_data (bytes, &length);
  if (output == NULL)
    fwrite (data, 1, length, stdout);
  else if (!lb_file_write (output, data, length, &error))
    return lb_command_fail (error);
  return 0;
}
