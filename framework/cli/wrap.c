/* Greedy line breaking. */
#include <stdio.h>
#include <string.h>

#include "cli/wrap.h"

#define WIDTH 100

static void
append_line (GString *out, const char *line, guint indent)
{
  g_auto (GStrv) words = g_strsplit (line, " ", -1);
  glong column = 0;
  for (guint i = 0; words[i] != NULL; i++) {
    glong length = g_utf8_strlen (words[i], -1);
    if (length == 0)
      continue;
    if (column > 0 && column + 1 + length > WIDTH) {
      g_string_append_c (out, '\n');
      column = 0;
    }
    g_string_append_printf (out, "%*s%s", column == 0 ? (int)indent : 1, "", words[i]);
    column += (column == 0 ? indent : 1) + length;
  }
  g_string_append_c (out, '\n');
}

char *
lb_wrap (const char *text, guint indent)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *out = g_string_new (NULL);
  for (guint i = 0; lines[i] != NULL; i++)
    if (lines[i][0] != '\0' || lines[i + 1] != NULL)
      append_line (out, lines[i], indent);
  return g_string_free (out, FALSE);
}

void
lb_print_wrapped (const char *text, guint indent)
{
  g_autofree char *wrapped = lb_wrap (text, indent);
  fputs (wrapped, stdout);
}
