/* limbeck verify: whether an archive is what it says, at one of four levels. */
#include <stdio.h>
#include <unistd.h>

#include <glib-unix.h>

#include "archive/verify.h"
#include "cli/command.h"
#include "graph/program.h"

/* Lines of each kind that are printed; the rest are counted. */
#define MOST_LINES 20

typedef struct {
  char *level, *threads;
  gboolean quiet;
  GStrv folders, others;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->level);
  g_free (options->threads);
  g_strfreev (options->folders);
  g_strfreev (options->others);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static const char *const levels[] = { "intact", "loads", "close", "exact", NULL };

static LbParsed
parse (int argc, char **argv, Options *options)
{
  const GOptionEntry entries[] = {
    { "level", 'l', 0, G_OPTION_ARG_FILENAME, &options->level, "What is asked of it (default: intact)", "LEVEL" },
    { "data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->folders,
      "A folder that has inputs which FILE does not carry, under any names; may be given again", "DIR" },
    { "threads", 't', 0, G_OPTION_ARG_FILENAME, &options->threads, "Threads for arithmetic (default: all processors)",
      "N" },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, "Print nothing but errors and what has parted", NULL },
    G_OPTION_ENTRY_NULL,
  };
  return lb_command_parse (
      argc, argv, entries, "FILE", "Verifies an archive that 'limbeck archive' wrote.",
      "Levels, each of which asks for all of those before it:\n"
      "  intact  every byte is what was written, and the parts agree\n"
      "  loads   plugins and inputs are found, and the pipeline fits together\n"
      "  close   run again, metrics and tensors are within the archive's tolerances\n"
      "  exact   run again, everything that came out has the same bits\n"
      "It is run again in a temporary folder (TMPDIR says where), without any kept results. Where it parts, the first\n"
      "stage, packet and tensor are named, and what is different here. Exit status 10 means that it has parted.",
      1, 1, &options->others);
}

/* ---- What was found ---- */

static void
print_lines (FILE *file, const GPtrArray *lines, const char *title)
{
  if (lines->len > 0)
    fprintf (file, "%s\n", title);
  for (guint i = 0; i < MIN (lines->len, MOST_LINES); i++)
    fprintf (file, "  %s\n", (char *)lines->pdata[i]);
  if (lines->len > MOST_LINES)
    fprintf (file, "  and %u more\n", lines->len - MOST_LINES);
}

static int
tell_parted (const char *path, const LbVerdict *verdict)
{
  const GPtrArray *parted = verdict->comparison->parted;
  fprintf (stderr, "limbeck: %s: run again, it parts first at %s\n", path, (char *)parted->pdata[0]);
  g_autofree char *title = g_strdup_printf ("All %u places, in the order of stages:", parted->len);
  if (parted->len > 1)
    print_lines (stderr, parted, title);
  print_lines (stderr, verdict->circumstances, "What is different here:");
  if (verdict->circumstances->len == 0)
    fprintf (stderr, "Nothing else that an archive records is different here.\n");
  return LB_ERROR_DIFFERENT;
}

static int
tell (const Options *options, LbVerifyLevel level, const LbVerdict *verdict)
{
  const char *path = options->others[0];
  if (verdict->comparison != NULL && verdict->comparison->parted->len > 0)
    return tell_parted (path, verdict);
  if (options->quiet)
    return 0;
  printf ("%s: %s (%u members", path, levels[level], verdict->n_members);
  if (verdict->comparison != NULL)
    printf (", %u tensors, files and metrics compared", verdict->comparison->n_compared);
  printf (")\n");
  if (verdict->comparison != NULL && verdict->comparison->n_unknown > 0)
    printf ("%u of them are not the same, and whether they are close cannot be told, as their values were not kept "
            "(limbeck archive --with-store).\n",
            verdict->comparison->n_unknown);
  if (verdict->circumstances != NULL)
    print_lines (stdout, verdict->circumstances, "Different here, to no effect:");
  return 0;
}

/* ---- The command ---- */

static gboolean
on_signal (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_CONTINUE;
}

int
lb_command_verify (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  g_autoptr (GError) error = NULL;
  LbParsed parsed = parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  int level = lb_command_choice ("level", options.level != NULL ? options.level : levels[0], levels);
  int threads = lb_command_threads (options.threads);
  if (level < 0 || threads < 0)
    return LB_ERROR_USAGE;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LbProgress) progress = level >= LB_VERIFY_CLOSE && !options.quiet && isatty (STDERR_FILENO)
                                        ? lb_progress_new (STDERR_FILENO, LB_PROGRESS_LIVE)
                                        : NULL;
  LbVerifySettings settings = { .level = (LbVerifyLevel)level,
                                .folders = (const char *const *)options.folders,
                                .threads = (guint)threads,
                                .arithmetic = lb_arithmetic_description (),
                                .progress = progress,
                                .cancellable = cancellable };
  guint sources[]
      = { g_unix_signal_add (SIGINT, on_signal, cancellable), g_unix_signal_add (SIGTERM, on_signal, cancellable) };
  g_autoptr (LbVerdict) verdict = lb_archive_verify (options.others[0], &settings, &error);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
  return verdict != NULL ? tell (&options, (LbVerifyLevel)level, verdict) : lb_command_fail (error);
}
