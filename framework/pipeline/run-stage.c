/* Stages of a run: what they tell, and how they end. All of it goes through the run's lock. */
#include "pipeline/run-stage.h"

#include "base/timeline.h"

/* ---- What it tells ---- */

static guint
stage_index (const LbRunStage *stage)
{
  return (guint)(stage - stage->run->stages);
}

static void
on_progress (gpointer data, LbStage *unused, guint64 done, guint64 total, const char *what, double value)
{
  LbRunStage *stage = data;
  gint64 now = g_get_monotonic_time ();
  g_mutex_lock (&stage->run->lock);
  lb_activity_report (&stage->activity, done, total, what, value, now);
  g_mutex_unlock (&stage->run->lock);
  if (what != NULL)
    lb_observer_value (stage->run->observer, stage_index (stage), done, total, what, value);
}

static void
on_part (gpointer data, LbStage *unused, const LbPartProgress *progress)
{
  LbRunStage *stage = data;
  gint64 now = g_get_monotonic_time ();
  g_mutex_lock (&stage->run->lock);
  if (!progress->has_ended)
    lb_activity_report (&stage->activity, progress->all_done, progress->all_total, progress->what, progress->value,
                        now);
  if (progress->n_parts > 1)
    lb_activity_part (&stage->activity, progress->part, progress->has_ended, progress->done, progress->total,
                      progress->what, progress->value);
  g_mutex_unlock (&stage->run->lock);
  if (progress->what != NULL && progress->n_parts > 1)
    lb_observer_part (stage->run->observer, stage_index (stage), progress->part, progress->done, progress->total,
                      progress->what, progress->value);
  else if (progress->what != NULL)
    lb_observer_value (stage->run->observer, stage_index (stage), progress->done, progress->total, progress->what,
                       progress->value);
}

static void
on_metric (gpointer data, LbStage *unused, const char *name, double value, const char *unit)
{
  LbRunStage *stage = data;
  LbMetric *metric = lb_metric_new (name, value, unit);
  g_mutex_lock (&stage->run->lock);
  g_ptr_array_add (stage->metrics, metric);
  lb_activity_metric (&stage->activity, name, value);
  guint64 step = stage->activity.done;
  g_mutex_unlock (&stage->run->lock);
  lb_observer_metric (stage->run->observer, stage_index (stage), step, name, value, unit);
}

static void
on_report (gpointer data, LbStage *unused, const char *text)
{
  LbRunStage *stage = data;
  g_mutex_lock (&stage->run->lock);
  g_ptr_array_add (stage->reports, g_strdup (text));
  g_mutex_unlock (&stage->run->lock);
  lb_observer_log (stage->run->observer, "stage '%s' reports:\n%s", stage->activity.name, text);
}

static gboolean
on_facts (gpointer data, LbStage *stage, char **facts, GError **error)
{
  return lb_facts_wait (((LbRunStage *)data)->run->facts, stage, facts, error);
}

const LbStageListener lb_run_stage_listener = { on_progress, on_metric, on_report, on_facts, on_part };

/* ---- Its thread ---- */

/* Notes how @stage ended. @error is NULL when it went through. Called with the lock held. */
static void
note_end (LbRunStage *stage, GError *error)
{
  LbRun *run = stage->run;
  const LbLink *link;
  gint64 since;
  stage->activity.ended = g_get_monotonic_time ();
  stage->activity.waited = lb_stage_waited (stage->stage, stage->activity.ended, &link, &since);
  stage->activity.waits_for = NULL;
  if (error == NULL) {
    stage->activity.state = LB_ACTIVITY_DONE;
  } else if (g_error_matches (error, LB_ERROR, LB_ERROR_CANCELLED)) {
    stage->activity.state = LB_ACTIVITY_STOPPED;
    if (run->stop == NULL)
      run->stop = g_error_copy (error);
  } else {
    stage->activity.state = LB_ACTIVITY_FAILED;
    g_ptr_array_add (run->failures, g_error_copy (error));
  }
  run->n_alive--;
}

void
lb_run_stage_end (LbRunStage *stage, GError *error)
{
  LbRun *run = stage->run;
  if (error != NULL)
    g_prefix_error (&error, "stage '%s': ", stage->activity.name);
  g_mutex_lock (&run->lock);
  stage->activity.flops = lb_compute_flops (lb_stage_compute (stage->stage));
  stage->activity.flops_before = lb_stage_credited_flops (stage->stage);
  stage->activity.bytes_out = lb_stage_bytes_out (stage->stage);
  stage->activity.saving = lb_stage_saving (stage->stage);
  stage->activity.held = lb_stage_held_bytes (stage->stage);
  note_end (stage, error);
  g_mutex_unlock (&run->lock);
  /* Cancelled before it counts as ended: the others are to see a stopped run and not a deadlock. */
  if (error != NULL)
    lb_flow_cancel (run->flow);
  lb_flow_stage_ended (run->flow);
  lb_facts_stage_ended (run->facts, stage_index (stage));
  g_clear_error (&error);
  g_main_context_wakeup (run->context);
}

gpointer
lb_run_stage_thread (gpointer data)
{
  LbRunStage *stage = data;
  GError *error = NULL;
  lb_timeline_thread (stage->activity.name);
  gint64 began = lb_timeline_begin ();
  if (stage->keep != NULL)
    lb_keep_run (stage->keep, stage->stage, &error);
  else
    lb_stage_run (stage->stage, &error);
  lb_timeline_end (began, "stage", stage->activity.name, "bytes_out", (gint64)lb_stage_bytes_out (stage->stage), NULL,
                   0);
  lb_run_stage_end (stage, error);
  return NULL;
}
