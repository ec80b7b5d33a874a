/* limbeck run: runs a pipeline, shows its progress, prints what its stages report and what they cost. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib-unix.h>

#include "base/format.h"
#include "base/memory.h"
#include "base/timeline.h"
#include "cli/command.h"
#include "cli/table.h"
#include "graph/program.h"
#include "pipeline/cost.h"
#include "pipeline/metrics.h"
#include "pipeline/run.h"

#define MAX_INTERVAL 86400

typedef enum { FORMAT_TEXT, FORMAT_JSON } Format;
typedef enum { SHOW_AUTO, SHOW_PLAIN, SHOW_JSON, SHOW_NONE } Show;

typedef struct {
  LbChanges changes;
  char *output, *threads, *format, *memory_limit, *progress, *trace, *store, *interval;
  gboolean quiet, trace_numerics, no_store;
  GStrv files;
  guint n_threads;
  double checkpoint_interval;
  Format output_format;
  Show show;
  guint64 most_memory; /* bytes; G_MAXUINT64 for any, 0 for what is there */
} Options;

static void
options_clear (Options *options)
{
  lb_changes_clear (&options->changes);
  g_free (options->output);
  g_free (options->threads);
  g_free (options->format);
  g_free (options->progress);
  g_free (options->trace);
  g_free (options->memory_limit);
  g_free (options->store);
  g_free (options->interval);
  g_strfreev (options->files);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
parse_interval (Options *options)
{
  char *end = NULL;
  if (options->interval == NULL)
    return TRUE;
  options->checkpoint_interval = g_ascii_strtod (options->interval, &end);
  if (end != options->interval && *end == '\0' && options->checkpoint_interval > 0
      && options->checkpoint_interval <= MAX_INTERVAL)
    return TRUE;
  lb_command_usage ("--checkpoint-interval is '%s'; expected seconds, more than 0 and at most %d", options->interval,
                    MAX_INTERVAL);
  return FALSE;
}

static LbParsed
parse (int argc, char **argv, Options *options)
{
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &options->output,
      "Directory for results (default: FILE's name with .out, in the current directory)", "DIR" },
    LB_CHANGE_ENTRIES (&options->changes),
    { "threads", 't', 0, G_OPTION_ARG_FILENAME, &options->threads, "Threads for arithmetic (default: all processors)",
      "N" },
    { "memory-limit", 0, 0, G_OPTION_ARG_FILENAME, &options->memory_limit,
      "Refuse to run what is predicted to take more: SIZE such as 800M or 4G, or none (default: what is available)",
      "SIZE" },
    { "trace-numerics", 0, 0, G_OPTION_ARG_NONE, &options->trace_numerics,
      "Stop at the first value that is not finite and name the operation that made it (slower)", NULL },
    { "progress", 0, 0, G_OPTION_ARG_FILENAME, &options->progress,
      "What goes to standard error: auto (redrawn on a terminal), plain, json or none", "KIND" },
    { "trace", 0, 0, G_OPTION_ARG_FILENAME, &options->trace,
      "Write what every thread does when to FILE, for ui.perfetto.dev or chrome://tracing", "FILE" },
    { "store", 0, 0, G_OPTION_ARG_FILENAME, &options->store,
      "Where results are kept (default: what LIMBECK_STORE names, or $XDG_CACHE_HOME/limbeck)", "DIR" },
    { "no-store", 0, 0, G_OPTION_ARG_NONE, &options->no_store, "Keep nothing, reuse nothing, and write no checkpoints",
      NULL },
    { "checkpoint-interval", 0, 0, G_OPTION_ARG_FILENAME, &options->interval,
      "Seconds between two checkpoints of a stage (default: 30)", "SECONDS" },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, "Print nothing but errors", NULL },
    { "format", 0, 0, G_OPTION_ARG_FILENAME, &options->format, "What goes to standard output: text or json", "FORMAT" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (
      argc, argv, entries, "FILE", "Runs the pipeline that FILE describes.",
      "A --param is read as if written in FILE; paths in a --set are taken from the current directory.\n"
      "Progress goes to standard error, as one JSON object a line with --progress=json; DIR/run/ holds\n"
      "the pipeline as run, the log, the metrics as they come, and what 'limbeck status DIR' tells. Reports and a "
      "table of costs, or with --format=json the\n"
      "content of DIR/metrics.json, go to standard output, also with --quiet in the latter case.",
      1, 1, &options->files);
  if (parsed != LB_PARSED)
    return parsed;
  static const char *const formats[] = { "text", "json", NULL };
  int format = lb_command_choice ("format", options->format != NULL ? options->format : "text", formats);
  if (format < 0)
    return LB_PARSED_WRONG;
  options->output_format = format;
  static const char *const kinds[] = { "auto", "plain", "json", "none", NULL };
  int kind = lb_command_choice ("progress", options->progress != NULL ? options->progress : "auto", kinds);
  if (kind < 0)
    return LB_PARSED_WRONG;
  options->show = options->quiet ? SHOW_NONE : (Show)kind;
  int threads = lb_command_threads (options->threads);
  if (threads < 0 || !parse_interval (options))
    return LB_PARSED_WRONG;
  options->n_threads = (guint)threads;
  const char *limit = options->memory_limit;
  if (limit != NULL && strcmp (limit, "none") == 0) {
    options->most_memory = G_MAXUINT64;
  } else if (limit != NULL && !lb_memory_parse (limit, &options->most_memory)) {
    lb_command_usage ("--memory-limit is '%s'; expected a size such as 800M or 4G, or none", limit);
    return LB_PARSED_WRONG;
  }
  return LB_PARSED;
}

/* ---- Signals ---- */

typedef struct {
  GCancellable *cancellable;
  LbRun *run;
  guint sources[2];
} Signals;

/* The first signal stops the run in order. Without their sources the signals act as always, so a second one kills. */
static gboolean
on_signal (gpointer data)
{
  Signals *signals = data;
  for (guint i = 0; i < G_N_ELEMENTS (signals->sources); i++) {
    g_source_remove (signals->sources[i]);
    signals->sources[i] = 0;
  }
  lb_run_say (signals->run, "limbeck: stopping; another signal kills at once");
  g_cancellable_cancel (signals->cancellable);
  return G_SOURCE_REMOVE;
}

static void
watch_signals (Signals *signals)
{
  signals->sources[0] = g_unix_signal_add (SIGINT, on_signal, signals);
  signals->sources[1] = g_unix_signal_add (SIGTERM, on_signal, signals);
}

static void
unwatch_signals (Signals *signals)
{
  for (guint i = 0; i < G_N_ELEMENTS (signals->sources); i++)
    if (signals->sources[i] != 0)
      g_source_remove (signals->sources[i]);
}

/* ---- Output ---- */

static char *
format_rate (double flops, double seconds)
{
  if (!(flops > 0 && seconds > 0))
    return NULL;
  return g_strdup_printf ("%.1f GFLOP/s", flops / seconds / 1e9);
}

static void
add_stage_row (LbTable *table, const LbRun *run, guint index)
{
  const LbPlanStage *stage = &lb_run_plan (run)->stages[index];
  const LbActivity *activity = lb_run_activity (run, index);
  gboolean reused = lb_run_outcome (run, index) == LB_REUSE_RESULT;
  /* Work that was done in an earlier run did not take this time. */
  double seconds = reused ? 0 : lb_activity_seconds (activity, activity->ended);
  g_autofree char *time = reused ? g_strdup ("reused") : lb_format_seconds (seconds);
  g_autofree char *flops = activity->flops > 0 ? lb_format_flops (activity->flops) : NULL;
  g_autofree char *rate = format_rate (activity->flops, seconds);
  g_autofree char *bytes = activity->bytes_out > 0 ? lb_format_bytes (activity->bytes_out) : NULL;
  g_autofree char *held = activity->held > 0 ? lb_format_bytes (activity->held) : NULL;
  lb_table_add (table, stage->written->name, stage->written->plugin, time, flops, rate, held, bytes);
}

static void
print_text (const LbRun *run)
{
  const LbPlan *plan = lb_run_plan (run);
  for (guint i = 0; i < plan->n_stages; i++) {
    GPtrArray *reports = lb_run_reports (run, i);
    for (guint k = 0; k < reports->len; k++) {
      const char *text = reports->pdata[k];
      printf ("%s%s\n", text, g_str_has_suffix (text, "\n") ? "" : "\n");
    }
  }
  g_autoptr (LbTable) table = lb_table_new ("llrrrrr");
  lb_table_add (table, "stage", "plugin", "time", "work", "rate", "memory", "sent");
  for (guint i = 0; i < plan->n_stages; i++)
    add_stage_row (table, run, i);
  g_autofree char *text = lb_table_to_text (table, 0);
  g_autofree char *seconds = lb_format_seconds (lb_run_seconds (run));
  printf ("%s\nDone in %s on %u thread%s. Results are in %s\n", text, seconds, lb_run_threads (run),
          lb_run_threads (run) == 1 ? "" : "s", lb_run_output_directory (run));
  g_autofree char *peak = lb_format_bytes (lb_run_memory_peak (run));
  if (lb_run_memory_peak (run) > 0)
    printf ("It took at most %s of memory.\n", peak);
}

static void
print_result (const LbRun *run, const Options *options)
{
  if (options->output_format == FORMAT_JSON) {
    g_autofree char *json = lb_metrics_to_json (run);
    fputs (json, stdout);
  } else if (!options->quiet) {
    print_text (run);
  }
}

/* ---- The command ---- */

/* Refuses what will not fit: better now than after hours. */
static gboolean
check_memory (const Options *options, const LbPlan *plan, GError **error)
{
  if (options->most_memory == G_MAXUINT64)
    return TRUE;
  g_autoptr (LbCost) cost = lb_cost_new (plan);
  if (options->most_memory != 0)
    return lb_cost_fits (cost, lb_memory_resident (), options->most_memory, "are allowed", error);
  /* What is available is beside what the process has taken already. */
  guint64 available = lb_memory_available (), taken = lb_memory_resident ();
  return available == 0 || lb_cost_fits (cost, taken, available + taken, "are there for it", error);
}

/* Runs it, with a timeline if that is wanted. */
static gboolean
execute (LbRun *run, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) incomplete = NULL;
  gboolean done = lb_run_execute (run, cancellable, error);
  guint64 n_dropped = lb_timeline_dropped ();
  if (lb_timeline_stop (&incomplete)) {
    if (n_dropped > 0)
      fprintf (stderr, "limbeck: warning: the trace is full and lacks the last %" G_GUINT64_FORMAT " events\n",
               n_dropped);
    return done;
  }
  if (done)
    g_propagate_error (error, g_steal_pointer (&incomplete));
  return FALSE;
}

static gboolean
is_live (int fd)
{
  const char *terminal = g_getenv ("TERM");
  return isatty (fd) && terminal != NULL && strcmp (terminal, "dumb") != 0;
}

static LbProgress *
make_progress (Show show)
{
  if (show == SHOW_NONE)
    return NULL;
  return lb_progress_new (STDERR_FILENO, show == SHOW_JSON                              ? LB_PROGRESS_JSON
                                         : show == SHOW_AUTO && is_live (STDERR_FILENO) ? LB_PROGRESS_LIVE
                                                                                        : LB_PROGRESS_PLAIN);
}

int
lb_command_run (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  LbParsed parsed = parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_auto (LbLoaded) loaded = { .threads = options.n_threads };
  int status = lb_command_load (options.files[0], &options.changes, TRUE, &loaded);
  if (status != 0)
    return status;

  g_autoptr (LbStore) store = NULL;
  status = lb_command_open_store (options.store, options.no_store, &store);
  if (status != 0)
    return status;

  g_autoptr (GError) error = NULL;
  if (!check_memory (&options, loaded.plan, &error))
    return lb_command_fail (error);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LbProgress) progress = make_progress (options.show);
  LbRunSettings settings = { .output_directory = options.output,
                             .threads = options.n_threads,
                             .arithmetic = lb_arithmetic_description (),
                             .progress = progress,
                             .trace_numerics = options.trace_numerics,
                             .store = store,
                             .checkpoint_interval = options.checkpoint_interval };
  /* Before the pool, whose threads give their names. */
  if (options.trace != NULL && !lb_timeline_start (options.trace, LB_TIMELINE_LIMIT, &error))
    return lb_command_fail (error);
  g_autoptr (LbRun) run = lb_run_new (loaded.plan, &settings, &error);
  if (run == NULL) {
    lb_timeline_stop (NULL);
    return lb_command_fail (error);
  }
  Signals signals = { .cancellable = cancellable, .run = run };
  watch_signals (&signals);
  gboolean done = execute (run, cancellable, &error);
  unwatch_signals (&signals);
  if (!done)
    return lb_command_fail (error);
  print_result (run, &options);
  return 0;
}
