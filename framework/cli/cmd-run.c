/* limbeck run: the run of a pipeline, of a matrix, or of an archive. */
#include <signal.h>
#include <stdio.h>

#include <glib-unix.h>

#include "archive/reader.h"
#include "base/memory.h"
#include "base/timeline.h"
#include "cli/run-parts.h"
#include "pipeline/cost.h"

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

/* ---- The command ---- */

/* Refuses what will not fit: better now than after hours. */
static gboolean
check_memory (const LbRunOptions *options, LbPlan *plan, GError **error)
{
  const char *whose;
  guint64 taken = lb_memory_resident (), limit = lb_run_options_memory (options, taken, &whose);
  g_autoptr (LbCost) cost = lb_cost_that_fits (plan, taken, limit, whose, error);
  return cost != NULL;
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

/* The one run of a pipeline without a matrix. Returns the exit status. */
static int
run_alone (const LbRunOptions *options, const LbLoaded *loaded, LbStore *store)
{
  g_autoptr (GError) error = NULL;
  if (!check_memory (options, loaded->plan, &error) || !lb_run_options_only (options, loaded->plan, store, &error))
    return lb_command_fail (error);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (LbProgress) progress = lb_run_options_progress (options, TRUE);
  LbRunSettings settings = lb_run_options_settings (options, store);
  settings.output_directory = options->output;
  settings.progress = progress;
  /* Before the pool, whose threads give their names. */
  if (options->trace != NULL && !lb_timeline_start (options->trace, LB_TIMELINE_LIMIT, &error))
    return lb_command_fail (error);
  g_autoptr (LbRun) run = lb_run_new (loaded->plan, &settings, &error);
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
  lb_run_print (run, options);
  return 0;
}

int
lb_command_run (int argc, char **argv)
{
  g_auto (LbRunOptions) options = { 0 };
  LbParsed parsed = lb_run_options_parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  int opened = lb_archive_is (options.files[0]) ? lb_run_open_archive (&options) : 0;
  if (opened != 0)
    return opened;
  g_auto (LbLoaded) loaded
      = { .threads = options.n_threads, .until = options.only != NULL ? options.only : options.until };
  int status = lb_command_load (options.files[0], &options.changes, TRUE, &loaded);
  if (status != 0)
    return status;
  g_autoptr (LbStore) store = NULL;
  status = lb_command_open_store (options.store, options.no_store, options.dry_run, &store);
  if (status != 0)
    return status;
  if (loaded.pipeline->matrix->len > 0)
    return lb_run_matrix (&options, &loaded, store);
  return options.dry_run ? lb_run_print_plan (loaded.plan, store, NULL) : run_alone (&options, &loaded, store);
}
