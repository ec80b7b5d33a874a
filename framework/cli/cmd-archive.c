/* limbeck archive: a finished run in one file. */
#include <stdio.h>

#include <glib/gstdio.h>

#include "archive/writer.h"
#include "base/format.h"
#include "cli/command.h"

typedef struct {
  char *output, *store;
  gboolean with_inputs, with_store;
  GStrv tolerances, others;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->output);
  g_free (options->store);
  g_strfreev (options->tolerances);
  g_strfreev (options->others);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static LbParsed
parse (int argc, char **argv, Options *options)
{
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &options->output, "The archive (default: RUN's name with .tar.zst)",
      "FILE" },
    { "with-inputs", 0, 0, G_OPTION_ARG_NONE, &options->with_inputs,
      "Put the input files in, too; without, they are told by their digests", NULL },
    { "with-store", 0, 0, G_OPTION_ARG_NONE, &options->with_store,
      "Put the packets of all stages in, too, but for those of sources", NULL },
    { "store", 0, 0, G_OPTION_ARG_FILENAME, &options->store,
      "Where they are kept (default: what LIMBECK_STORE names, or $XDG_CACHE_HOME/limbeck)", "DIR" },
    { "tolerance", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->tolerances,
      "How far a metric may be off in 'limbeck verify --level close' (tensors=VALUE: tensors, relative)",
      "STAGE.METRIC=VALUE" },
    G_OPTION_ENTRY_NULL,
  };
  return lb_command_parse (
      argc, argv, entries, "RUN", "Archives the finished run in directory RUN.",
      "The archive holds what was run, with which plugins on which machine, digests of all that went in "
      "and came\nout, the results and the log. 'limbeck verify' checks it, 'limbeck run' runs it again.",
      1, 1, &options->others);
}

static char *
default_output (const char *run)
{
  g_autofree char *whole = g_canonicalize_filename (run, NULL), *base = g_path_get_basename (whole);
  return g_strconcat (base, ".tar.zst", NULL);
}

int
lb_command_archive (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  g_autoptr (GError) error = NULL;
  LbParsed parsed = parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_autoptr (LbStore) store = NULL;
  int status = options.with_store ? lb_command_find_store (options.store, &store) : 0;
  if (status != 0)
    return status;
  const char *run = options.others[0];
  g_autofree char *output = options.output != NULL ? g_strdup (options.output) : default_output (run);
  LbArchiveSettings settings
      = { options.with_inputs, options.with_store, store, (const char *const *)options.tolerances };
  if (!lb_archive_write (run, output, &settings, &error))
    return lb_command_fail (error);
  GStatBuf status_of_file;
  g_autofree char *size = g_stat (output, &status_of_file) == 0 ? lb_format_bytes ((guint64)status_of_file.st_size) : NULL;
  printf ("%s: %s\n", output, size != NULL ? size : "written");
  return 0;
}
