/* limbeck diff: what two runs have otherwise. */
#include <stdio.h>

#include "archive/side.h"
#include "cli/command.h"

typedef struct {
  char *store;
  GStrv others;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->store);
  g_strfreev (options->others);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static LbParsed
parse (int argc, char **argv, Options *options)
{
  const GOptionEntry entries[] = {
    { "store", 0, 0, G_OPTION_ARG_FILENAME, &options->store,
      "Where packets of runs are kept, to tell by how much they differ (default: what LIMBECK_STORE names, or "
      "$XDG_CACHE_HOME/limbeck)",
      "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  return lb_command_parse (
      argc, argv, entries, "A B", "Compares two archives or directories of runs.",
      "Lines tell what B has and what A had: properties, versions, machines and inputs, then metrics, packets "
      "and files.\nExit status 0 means that the same came out, 10 that something else did.",
      2, 2, &options->others);
}

static void
print_lines (const GPtrArray *lines, const char *title)
{
  if (lines->len > 0)
    printf ("%s\n", title);
  for (guint i = 0; i < lines->len; i++)
    printf ("  %s\n", (char *)lines->pdata[i]);
}

int
lb_command_diff (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  g_autoptr (GError) error = NULL;
  LbParsed parsed = parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_autoptr (LbStore) store = NULL;
  int status = lb_command_find_store (options.store, &store);
  if (status != 0)
    return status;
  g_autoptr (LbSide) first = lb_side_open (options.others[0], store, &error);
  g_autoptr (LbSide) second = first != NULL ? lb_side_open (options.others[1], store, &error) : NULL;
  if (second == NULL)
    return lb_command_fail (error);
  const LbRunSide *a = lb_side_run (first), *b = lb_side_run (second);
  g_autoptr (LbComparison) comparison = lb_compare_results (a, b, FALSE);
  g_autoptr (GPtrArray) circumstances = lb_compare_circumstances (a->manifest, b->manifest);
  print_lines (circumstances, "What was run, and where:");
  print_lines (comparison->parted, "What came out:");
  if (comparison->parted->len > 0)
    return LB_ERROR_DIFFERENT;
  printf ("The same came out: %u tensors, files and metrics have the same bits.\n", comparison->n_compared);
  return 0;
}
