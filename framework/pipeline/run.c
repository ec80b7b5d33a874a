/* Runs.
 *
 * The main thread makes everything, starts one thread a stage and waits in its main context. All that stage threads
 * tell goes through @lock; records are read without it only after the threads have ended.
 */
#include "pipeline/run.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "pipeline/journal.h"
#include "pipeline/metrics.h"
#include "pipeline/note.h"
#include "pipeline/output.h"
#include "pipeline/run-stage.h"

/* How exactly the start of a stage's work is known. */
#define SAMPLE_MS 50

/* ---- Making a run ---- */

/* From any thread. */
static void
say (gpointer data, const char *text)
{
  LbRun *run = data;
  lb_observer_say (run->observer, "limbeck: %s", text);
}

static void
on_grown (gpointer data, const char *link, gsize from, gsize to)
{
  LbRun *run = data;
  lb_observer_grown (run->observer, link, from, to);
}

static void
connect_stages (LbRun *run, gsize capacity)
{
  for (guint i = 0; i < run->n_stages; i++) {
    const LbPlanStage *planned = &run->plan->stages[i];
    for (guint k = 0; k < planned->links->len; k++) {
      const LbPlanLink *written = &g_array_index (planned->links, LbPlanLink, k);
      g_autofree char *name
          = g_strdup_printf ("%s -> %s.%s", written->written->source, planned->written->name, written->port->name);
      LbLink *link = lb_flow_add_link (run->flow, name, capacity);
      LbStageLink input = { written->port->name, written->written->source, link };
      LbStageLink output = { lb_plan_output (run->plan, written->source, written->output)->name, NULL, link };
      g_array_append_val (run->stages[i].inputs, input);
      g_array_append_val (run->stages[written->source].outputs, output);
    }
  }
}

/* The keeper of @stage. */
static void
make_keep (LbRun *run, LbRunStage *stage, double interval)
{
  guint index = (guint)(stage - run->stages);
  LbKeepSetup setup = {
    .reuse = &run->reuse->stages[index],
    .store = run->reuse->store,
    .n_outputs = stage->planned->configured->outputs->len,
    .output_directory = run->output_directory,
    .flow = run->flow,
    .checkpoint_interval = (gint64)((interval > 0 ? interval : LB_CHECKPOINT_INTERVAL) * G_USEC_PER_SEC),
    .notice = say,
    .data = run,
  };
  stage->keep = lb_keep_new (&setup);
}

static void
make_stage (LbRun *run, LbRunStage *stage, gboolean trace_numerics)
{
  const LbPlanStage *planned = stage->planned;
  g_autofree char *ancestry = lb_provenance_ancestry (run->provenance, (guint)(stage - run->stages));
  LbStageSetup setup = {
    .name = planned->written->name,
    .ancestry = ancestry,
    .type = planned->entry->type,
    .self = planned->self,
    .key = lb_key ((guint64)run->plan->pipeline->seed),
    .flow = run->flow,
    .pool = run->pool,
    .trace_numerics = trace_numerics,
    .output_directory = run->output_directory,
    .configured = planned->configured,
    .inputs = (const LbStageLink *)stage->inputs->data,
    .n_inputs = stage->inputs->len,
    .outputs = (const LbStageLink *)stage->outputs->data,
    .n_outputs = stage->outputs->len,
    .listener = &lb_run_stage_listener,
    .listener_data = stage,
    .keeper = stage->keep != NULL ? &lb_keep_keeper : &lb_note_keeper,
    .keeper_data = stage->keep != NULL ? (gpointer)stage->keep : stage->note,
  };
  stage->stage = lb_stage_new (&setup);
}

LbRun *
lb_run_new (LbPlan *plan, const LbRunSettings *settings, GError **error)
{
  g_autofree char *directory = settings->output_directory != NULL ? g_strdup (settings->output_directory)
                                                                  : lb_run_default_output (plan->pipeline->path);
  if (!lb_output_prepare (directory, error))
    return NULL;
  g_autoptr (LbReuse) reuse = NULL;
  if (settings->store != NULL
      && (reuse = lb_reuse_decide (plan, settings->store, settings->arithmetic, FALSE, error)) == NULL)
    return NULL;
  LbPool *pool = settings->pool != NULL ? settings->pool : lb_pool_new (settings->threads);
  LbObserverSettings watched = { .progress = settings->progress,
                                 .threads = lb_pool_threads (pool),
                                 .arithmetic = settings->arithmetic,
                                 .patience = settings->patience,
                                 .scarce = settings->scarce };
  LbObserver *observer = lb_observer_new (plan, directory, &watched, error);
  if (observer == NULL) {
    if (settings->pool == NULL)
      lb_pool_free (pool);
    return NULL;
  }
  LbRun *run = g_new0 (LbRun, 1);
  run->observer = observer;
  run->reuse = g_steal_pointer (&reuse);
  run->plan = plan;
  run->cost = lb_cost_new (plan);
  g_autofree char *cache = settings->store != NULL ? lb_store_digests_path (settings->store) : NULL;
  run->provenance = lb_provenance_new (plan, cache);
  run->output_directory = g_steal_pointer (&directory);
  run->arithmetic = g_strdup (settings->arithmetic);
  run->pool = pool;
  run->shares_pool = settings->pool != NULL;
  run->flow = lb_flow_new ();
  lb_flow_on_grown (run->flow, on_grown, run);
  run->n_stages = plan->n_stages;
  run->stages = g_new0 (LbRunStage, run->n_stages);
  run->context = g_main_context_ref_thread_default ();
  run->facts = lb_facts_new (run->flow, plan);
  run->failures = g_ptr_array_new_with_free_func ((GDestroyNotify)g_error_free);
  g_mutex_init (&run->lock);
  for (guint i = 0; i < run->n_stages; i++) {
    LbRunStage *stage = &run->stages[i];
    stage->run = run;
    stage->planned = &plan->stages[i];
    stage->activity.name = stage->planned->written->name;
    stage->inputs = g_array_new (FALSE, FALSE, sizeof (LbStageLink));
    stage->outputs = g_array_new (FALSE, FALSE, sizeof (LbStageLink));
    stage->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_metric_free);
    stage->reports = g_ptr_array_new_with_free_func (g_free);
  }
  connect_stages (run, settings->link_capacity != 0 ? settings->link_capacity : LB_LINK_CAPACITY);
  for (guint i = 0; i < run->n_stages; i++) {
    if (run->reuse != NULL && !run->reuse->stages[i].closes)
      make_keep (run, &run->stages[i], settings->checkpoint_interval);
    else
      run->stages[i].note = lb_ledger_new (plan->stages[i].configured->outputs->len);
    make_stage (run, &run->stages[i], settings->trace_numerics);
  }
  return run;
}

void
lb_run_free (LbRun *run)
{
  if (run == NULL)
    return;
  for (guint i = 0; i < run->n_stages; i++) {
    LbRunStage *stage = &run->stages[i];
    lb_stage_free (stage->stage);
    lb_keep_free (stage->keep);
    lb_ledger_free (stage->note);
    g_array_unref (stage->inputs);
    g_array_unref (stage->outputs);
    g_ptr_array_unref (stage->metrics);
    g_ptr_array_unref (stage->reports);
  }
  g_free (run->stages);
  lb_facts_free (run->facts);
  lb_flow_free (run->flow);
  lb_observer_free (run->observer);
  if (!run->shares_pool)
    lb_pool_free (run->pool);
  lb_reuse_free (run->reuse);
  g_ptr_array_unref (run->failures);
  g_clear_error (&run->stop);
  g_main_context_unref (run->context);
  g_mutex_clear (&run->lock);
  g_free (run->output_directory);
  g_free (run->arithmetic);
  lb_cost_free (run->cost);
  lb_provenance_free (run->provenance);
  g_free (run);
}

/* ---- Its stages' threads ---- */

static void
start_stages (LbRun *run)
{
  run->n_alive = run->n_stages;
  lb_flow_set_stages (run->flow, run->n_stages);
  for (guint i = 0; i < run->n_stages; i++) {
    LbRunStage *stage = &run->stages[i];
    GError *error = NULL;
    stage->activity.started = run->started;
    stage->thread = g_thread_try_new (stage->activity.name, lb_run_stage_thread, stage, &error);
    if (stage->thread == NULL) {
      GError *failure = g_error_new (LB_ERROR, LB_ERROR_PROGRAM, "its thread cannot be started: %s; free some memory",
                                     error->message);
      g_error_free (error);
      lb_run_stage_end (stage, failure);
    }
  }
}

/* ---- Waiting ---- */

static gboolean
is_output (const LbRunStage *stage, const LbLink *link)
{
  for (guint i = 0; i < stage->outputs->len; i++)
    if (g_array_index (stage->outputs, LbStageLink, i).link == link)
      return TRUE;
  return FALSE;
}

/* Packets that passed any link so far. */
static guint64
count_packets (LbRun *run)
{
  guint64 n = 0;
  for (guint i = 0; i < run->n_stages; i++)
    for (guint k = 0; k < run->stages[i].outputs->len; k++)
      n += lb_link_packets (g_array_index (run->stages[i].outputs, LbStageLink, k).link);
  return n;
}

/* Copies all activities for showing. */
static LbActivity *
sample (LbRun *run, gint64 now)
{
  LbActivity *activities = g_new (LbActivity, run->n_stages);
  g_mutex_lock (&run->lock);
  for (guint i = 0; i < run->n_stages; i++) {
    LbRunStage *stage = &run->stages[i];
    if (stage->activity.ended == 0) {
      const LbLink *link;
      gint64 since;
      stage->activity.waited = lb_stage_waited (stage->stage, now, &link, &since);
      stage->activity.state = link != NULL ? LB_ACTIVITY_WAITING : LB_ACTIVITY_RUNNING;
      stage->activity.waits_for = link != NULL ? lb_link_name (link) : NULL;
      stage->activity.is_writing = link != NULL && is_output (stage, link);
    }
    activities[i] = stage->activity;
  }
  g_mutex_unlock (&run->lock);
  return activities;
}

static gboolean
on_tick (gpointer data)
{
  LbRun *run = data;
  gint64 now = g_get_monotonic_time ();
  g_autofree LbActivity *activities = sample (run, now);
  lb_observer_tick (run->observer, activities, run->n_stages, count_packets (run), now);
  return G_SOURCE_CONTINUE;
}

static guint
n_alive (LbRun *run)
{
  g_mutex_lock (&run->lock);
  guint n = run->n_alive;
  g_mutex_unlock (&run->lock);
  return n;
}

/* What stages that close the run wait for: all others have ended. */
static void
tell_facts (LbRun *run)
{
  lb_observer_flush (run->observer);
  g_mutex_lock (&run->lock);
  char *json = lb_facts_to_json (run);
  g_mutex_unlock (&run->lock);
  lb_facts_tell (run->facts, json);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  LbRun *run = data;
  g_mutex_lock (&run->lock);
  run->cancelled = run->n_alive > 0 && run->failures->len == 0;
  g_mutex_unlock (&run->lock);
  lb_flow_cancel (run->flow);
}

static void
wait_for_stages (LbRun *run, GCancellable *cancellable)
{
  g_autoptr (GSource) ticks = g_timeout_source_new (SAMPLE_MS);
  g_source_set_callback (ticks, on_tick, run, NULL);
  g_source_attach (ticks, run->context);
  gulong handler = cancellable != NULL ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), run, NULL) : 0;
  on_tick (run);
  while (n_alive (run) > 0) {
    g_main_context_iteration (run->context, TRUE);
    if (lb_facts_due (run->facts))
      tell_facts (run);
  }
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  g_source_destroy (ticks);
  for (guint i = 0; i < run->n_stages; i++)
    g_clear_pointer (&run->stages[i].thread, g_thread_join);
}

/* ---- The end ---- */

/* What the run failed of, or nothing. */
static GError *
find_failure (LbRun *run)
{
  if (run->failures->len > 0 && !run->cancelled) {
    g_autoptr (GString) text = g_string_new (NULL);
    const GError *first = run->failures->pdata[0];
    for (guint i = 0; i < run->failures->len; i++)
      g_string_append_printf (text, "%s%s", i > 0 ? "\n" : "", ((GError *)run->failures->pdata[i])->message);
    return g_error_new_literal (first->domain, first->code, text->str);
  }
  if (run->cancelled)
    return g_error_new (LB_ERROR, LB_ERROR_CANCELLED,
                        "stopped before the end; what stages had finished writing is in '%s'%s", run->output_directory,
                        run->reuse != NULL ? "; the same command goes on from here" : "");
  if (run->stop != NULL)
    return g_error_new (LB_ERROR, LB_ERROR_PROGRAM, "%s, although nobody stopped the run; correct the plugin",
                        run->stop->message);
  return NULL;
}

static gboolean
write_metrics (LbRun *run, const char *path, GError **error)
{
  g_autofree char *text = lb_metrics_to_json (run);
  return lb_file_write (path, text, strlen (text), error);
}

static gboolean
write_provenance (LbRun *run, GError **error)
{
  g_autofree const LbLedger **ledgers = g_new0 (const LbLedger *, run->n_stages);
  g_autofree GPtrArray **metrics = g_new0 (GPtrArray *, run->n_stages);
  g_autofree double *seconds = g_new0 (double, run->n_stages);
  g_autofree const char **keys = g_new0 (const char *, run->n_stages);
  for (guint i = 0; i < run->n_stages; i++) {
    const LbRunStage *stage = &run->stages[i];
    ledgers[i] = stage->keep != NULL ? lb_keep_ledger (stage->keep) : stage->note;
    metrics[i] = stage->metrics;
    keys[i] = run->reuse != NULL ? run->reuse->stages[i].key : NULL;
    seconds[i] = lb_activity_seconds (&stage->activity, stage->activity.ended);
  }
  LbProvenanceEnd end = { .output_directory = run->output_directory,
                          .arithmetic = run->arithmetic,
                          .threads = lb_run_threads (run),
                          .started = run->started_real,
                          .seconds = lb_run_seconds (run),
                          .keys = run->reuse != NULL ? keys : NULL,
                          .ledgers = ledgers,
                          .metrics = metrics,
                          .stage_seconds = seconds };
  return lb_provenance_write (run->provenance, &end, error);
}

/* What is going to be done with each stage, and what was found damaged. */
static void
tell_reuse (LbRun *run)
{
  gsize width = 0;
  for (guint i = 0; run->reuse != NULL && i < run->reuse->notices->len; i++)
    say (run, run->reuse->notices->pdata[i]);
  for (guint i = 0; i < run->n_stages; i++)
    width = MAX (width, strlen (run->stages[i].activity.name));
  for (guint i = 0; run->reuse != NULL && i < run->n_stages; i++) {
    const LbReuseStage *stage = &run->reuse->stages[i];
    lb_observer_say (run->observer, "%-*s  %-7s  %s", (int)width, run->stages[i].activity.name,
                     lb_reuse_word (stage->kind), stage->why);
  }
}

gboolean
lb_run_execute (LbRun *run, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_build_filename (run->output_directory, "metrics.json", NULL);
  g_autofree char *provenance = lb_journal_path (run->output_directory, LB_PROVENANCE_FILE);
  /* Those of an earlier run must not stand beside the results of this one. */
  g_unlink (path);
  g_unlink (provenance);
  lb_file_remove_leftovers (run->output_directory);
  tell_reuse (run);
  run->knows_peak = lb_memory_reset_peak ();
  run->memory_before = lb_memory_resident ();
  run->started = g_get_monotonic_time ();
  run->started_real = g_get_real_time ();
  start_stages (run);
  wait_for_stages (run, cancellable);
  run->ended = g_get_monotonic_time ();
  run->memory_peak = run->knows_peak ? lb_memory_peak () : 0;

  g_autofree LbActivity *activities = sample (run, run->ended);
  GError *failure = find_failure (run);
  if (failure == NULL)
    write_metrics (run, path, &failure);
  gboolean recorded
      = lb_observer_end (run->observer, activities, run->n_stages, failure, run->ended, failure == NULL ? error : NULL);
  if (failure == NULL)
    return recorded && write_provenance (run, error);
  g_propagate_error (error, failure);
  return FALSE;
}

/* ---- Looking at it ---- */

void
lb_run_say (LbRun *run, const char *line)
{
  lb_observer_say (run->observer, "%s", line);
}

const char *
lb_run_output_directory (const LbRun *run)
{
  return run->output_directory;
}

guint
lb_run_threads (const LbRun *run)
{
  return lb_pool_threads (run->pool);
}

const LbPlan *
lb_run_plan (const LbRun *run)
{
  return run->plan;
}

const char *
lb_run_arithmetic (const LbRun *run)
{
  return run->arithmetic;
}

const LbActivity *
lb_run_activity (const LbRun *run, guint index)
{
  return &run->stages[index].activity;
}

LbReuseKind
lb_run_outcome (const LbRun *run, guint index)
{
  return run->stages[index].keep != NULL ? lb_keep_outcome (run->stages[index].keep) : LB_REUSE_NOT;
}

GPtrArray *
lb_run_metrics (const LbRun *run, guint index)
{
  return run->stages[index].metrics;
}

GPtrArray *
lb_run_reports (const LbRun *run, guint index)
{
  return run->stages[index].reports;
}

const LbCost *
lb_run_cost (const LbRun *run)
{
  return run->cost;
}

guint64
lb_run_memory_before (const LbRun *run)
{
  return run->memory_before;
}

guint64
lb_run_memory_peak (const LbRun *run)
{
  return run->ended != 0 ? run->memory_peak : run->knows_peak ? lb_memory_peak () : 0;
}

guint
lb_run_links_grown (const LbRun *run)
{
  return lb_flow_n_grown (run->flow);
}

double
lb_run_seconds (const LbRun *run)
{
  return (double)((run->ended != 0 ? run->ended : g_get_monotonic_time ()) - run->started) / G_USEC_PER_SEC;
}
