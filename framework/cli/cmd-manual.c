/* limbeck manual: the manual, in roff; one page for man, or all into a directory for those who install it. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/manual.h"

static int
print_page (const char *name)
{
  g_autofree const char **pages = lb_manual_pages ();
  g_autofree char *file = NULL, *word = g_utf8_make_valid (name, -1);
  g_autofree char *text = lb_manual_page (word, &file);
  if (text == NULL) {
    g_autofree char *hint = lb_suggestion (word, pages);
    return lb_command_usage ("the manual has no page '%s'%s", word, hint);
  }
  fputs (text, stdout);
  return 0;
}

/* All pages as DIRECTORY/man1/limbeck.1, ... */
static int
write_pages (const char *directory)
{
  g_autofree const char **pages = lb_manual_pages ();
  g_autoptr (GError) error = NULL;
  for (guint i = 0; pages[i] != NULL; i++) {
    g_autofree char *file = NULL;
    g_autofree char *text = lb_manual_page (pages[i], &file);
    g_autofree char *section = g_strconcat ("man", strrchr (file, '.') + 1, NULL);
    g_autofree char *folder = g_build_filename (directory, section, NULL);
    g_autofree char *path = g_build_filename (folder, file, NULL);
    if (!lb_file_replace (path, text, strlen (text), &error))
      return lb_command_fail (error);
  }
  return 0;
}

int
lb_command_manual (int argc, char **argv)
{
  g_auto (GStrv) names = NULL;
  g_autofree char *directory = NULL;
  const GOptionEntry entries[] = {
    { "directory", 0, 0, G_OPTION_ARG_FILENAME, &directory, "Write all pages into DIR/man1 and DIR/man5", "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed
      = lb_command_parse (argc, argv, entries, "[PAGE]", "Prints a page of the manual in roff.",
                          "PAGE is limbeck, the name of a command, or pipeline. To read one that is not installed:\n"
                          "  limbeck manual run | man -l -",
                          0, 1, &names);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  if (directory != NULL)
    return names == NULL ? write_pages (directory)
                         : lb_command_usage ("--directory writes all pages; leave out '%s'", names[0]);
  return print_page (names != NULL ? names[0] : "limbeck");
}
