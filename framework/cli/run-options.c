/* limbeck run: what it may be told, and what follows from it for a run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/run-parts.h"
#include "graph/program.h"

#define MAX_INTERVAL 86400
#define MAX_JOBS     1024

void
lb_run_options_clear (LbRunOptions *options)
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
  g_free (options->only);
  g_free (options->until);
  g_free (options->jobs);
  g_strfreev (options->files);
  g_strfreev (options->data);
}

static gboolean
parse_interval (LbRunOptions *options)
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

LbParsed
lb_run_options_parse (int argc, char **argv, LbRunOptions *options)
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
      "What goes to standard error (default: auto, which is redrawn on a terminal)", "auto|plain|json|none" },
    { "trace", 0, 0, G_OPTION_ARG_FILENAME, &options->trace,
      "Write what every thread does when to FILE, for ui.perfetto.dev or chrome://tracing", "FILE" },
    { "store", 0, 0, G_OPTION_ARG_FILENAME, &options->store,
      "Where results are kept (default: what LIMBECK_STORE names, or $XDG_CACHE_HOME/limbeck)", "DIR" },
    { "no-store", 0, 0, G_OPTION_ARG_NONE, &options->no_store, "Keep nothing, reuse nothing, and write no checkpoints",
      NULL },
    { "checkpoint-interval", 0, 0, G_OPTION_ARG_FILENAME, &options->interval,
      "Seconds between two checkpoints of a stage (default: 30)", "SECONDS" },
    { "until", 0, 0, G_OPTION_ARG_FILENAME, &options->until, "Run STAGE and what it needs, nothing else", "STAGE" },
    { "only", 0, 0, G_OPTION_ARG_FILENAME, &options->only, "Run STAGE alone, on results that are kept", "STAGE" },
    { "dry-run", 'n', 0, G_OPTION_ARG_NONE, &options->dry_run,
      "Run nothing: say which stages would be run, resumed or reused, and why", NULL },
    { "data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->data,
      "A folder that has inputs which an archive does not carry, under any names; may be given again", "DIR" },
    { "jobs", 'j', 0, G_OPTION_ARG_FILENAME, &options->jobs,
      "Runs of a matrix side by side, as far as memory allows (default: one for each processor)", "N" },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, "Print nothing but errors", NULL },
    { "format", 0, 0, G_OPTION_ARG_FILENAME, &options->format, "What goes to standard output (default: text)",
      "text|json" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (
      argc, argv, entries, "FILE", "Runs the pipeline that FILE, a pipeline file or an archive, describes.",
      "A --param is read as if written in FILE; paths in a --set are taken from the current directory.\n"
      "Progress goes to standard error, as one JSON object a line with --progress=json; DIR/run/ holds\n"
      "the pipeline as run, the log, the metrics as they come, and what 'limbeck status DIR' tells. Reports and a "
      "table of costs, or with --format=json the\n"
      "content of DIR/metrics.json, go to standard output, also with --quiet in the latter case.\n"
      "An archive is run as it was; --set, --param and --seed make a variation of it.\n"
      "Where FILE has a matrix, there is a run for each combination of its values, in DIR/NAME=VALUE,...; what they\n"
      "have in common is computed once, in the store.",
      1, 1, &options->files);
  if (parsed != LB_PARSED)
    return parsed;
  static const char *const formats[] = { "text", "json", NULL };
  int format = lb_command_choice ("format", options->format != NULL ? options->format : "text", formats);
  if (format < 0)
    return LB_PARSED_WRONG;
  options->output_format = (LbRunFormat)format;
  static const char *const kinds[] = { "auto", "plain", "json", "none", NULL };
  int kind = lb_command_choice ("progress", options->progress != NULL ? options->progress : "auto", kinds);
  if (kind < 0)
    return LB_PARSED_WRONG;
  options->show = options->quiet ? LB_SHOW_NONE : (LbRunShow)kind;
  int threads = lb_command_threads (options->threads);
  if (threads < 0 || !parse_interval (options))
    return LB_PARSED_WRONG;
  guint64 jobs = 0;
  if (options->jobs != NULL && !g_ascii_string_to_unsigned (options->jobs, 10, 1, MAX_JOBS, &jobs, NULL)) {
    lb_command_usage ("--jobs is '%s'; expected a whole number from 1 to %d", options->jobs, MAX_JOBS);
    return LB_PARSED_WRONG;
  }
  options->n_jobs = (guint)jobs;
  if (options->only != NULL && options->until != NULL) {
    lb_command_usage ("--only and --until are given together; give one of them");
    return LB_PARSED_WRONG;
  }
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

/* ---- What follows for a run ---- */

guint64
lb_run_options_memory (const LbRunOptions *options, guint64 taken, const char **whose)
{
  *whose = options->most_memory != 0 ? "are allowed" : "are there for it";
  if (options->most_memory != 0)
    return options->most_memory;
  /* What is available is beside what the process has taken already. */
  guint64 available = lb_memory_available ();
  return available != 0 ? available + taken : G_MAXUINT64;
}

LbRunSettings
lb_run_options_settings (const LbRunOptions *options, LbStore *store)
{
  return (LbRunSettings){ .threads = options->n_threads,
                          .arithmetic = lb_arithmetic_description (),
                          .trace_numerics = options->trace_numerics,
                          .store = store,
                          .checkpoint_interval = options->checkpoint_interval };
}

gboolean
lb_run_options_only (const LbRunOptions *options, const LbPlan *plan, LbStore *store, GError **error)
{
  if (options->only == NULL)
    return TRUE;
  if (store == NULL) {
    g_set_error (error, LB_ERROR, LB_ERROR_USAGE,
                 "--only %s needs the results that other stages have left in a store, but there is none; name it with "
                 "--store",
                 options->only);
    return FALSE;
  }
  g_autoptr (LbReuse) reuse = lb_reuse_decide (plan, store, lb_arithmetic_description (), TRUE, error);
  for (guint i = 0; reuse != NULL && i < plan->n_stages; i++) {
    const char *name = plan->stages[i].written->name;
    if (strcmp (name, options->only) == 0 || reuse->stages[i].kind == LB_REUSE_RESULT || reuse->stages[i].cheap)
      continue;
    g_set_error (error, LB_ERROR, LB_ERROR_USAGE,
                 "--only %s: stage '%s', which it needs, would have to be run (%s); run it first, or use --until %s",
                 options->only, name, reuse->stages[i].why, options->only);
    return FALSE;
  }
  return reuse != NULL;
}

static gboolean
is_live (int fd)
{
  const char *terminal = g_getenv ("TERM");
  return isatty (fd) && terminal != NULL && strcmp (terminal, "dumb") != 0;
}

LbProgress *
lb_run_options_progress (const LbRunOptions *options, gboolean may_be_live)
{
  if (options->show == LB_SHOW_NONE)
    return NULL;
  gboolean live = may_be_live && options->show == LB_SHOW_AUTO && is_live (STDERR_FILENO);
  return lb_progress_new (STDERR_FILENO, options->show == LB_SHOW_JSON ? LB_PROGRESS_JSON
                                         : live                        ? LB_PROGRESS_LIVE
                                                                       : LB_PROGRESS_PLAIN);
}
