/* Building of metrics.json. json-glib writes a double with 17 significant digits, which reads back the same. */
#include <math.h>

#include "base/json.h"
#include "pipeline/metrics.h"

/* Negative: there is none. */
static void
add_prediction (JsonBuilder *builder, const char *name, double value)
{
  lb_json_add_number (builder, name, value >= 0 ? value : NAN);
}

static void
add_stage (JsonBuilder *builder, const LbRun *run, guint index)
{
  const LbPlanStage *stage = &lb_run_plan (run)->stages[index];
  const LbActivity *activity = lb_run_activity (run, index);
  const GPtrArray *metrics = lb_run_metrics (run, index);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "name", stage->written->name);
  lb_json_add_text (builder, "plugin", stage->written->plugin);
  lb_json_add_text (builder, "version", stage->entry->plugin != NULL ? stage->entry->plugin->version : NULL);
  lb_json_add_number (builder, "flops", activity->flops);
  add_prediction (builder, "flops_predicted", lb_run_cost (run)->stages[index].flops);
  lb_json_add_integer (builder, "bytes_out", (gint64)activity->bytes_out);
  json_builder_set_member_name (builder, "metrics");
  json_builder_begin_array (builder);
  for (guint i = 0; i < metrics->len; i++) {
    const LbMetric *metric = metrics->pdata[i];
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", metric->name);
    lb_json_add_number (builder, "value", metric->value);
    lb_json_add_text (builder, "unit", metric->unit);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* Bytes of memory: what the process took before and at most, and what the run was predicted to add; of each stage what
 * it held at most, in packets or beside them. */
static void
add_memory (JsonBuilder *builder, const LbRun *run)
{
  const LbCost *cost = lb_run_cost (run);
  json_builder_set_member_name (builder, "memory");
  json_builder_begin_object (builder);
  lb_json_add_integer (builder, "before", (gint64)lb_run_memory_before (run));
  add_prediction (builder, "peak", lb_run_memory_peak (run) > 0 ? (double)lb_run_memory_peak (run) : -1);
  add_prediction (builder, "predicted_growth", cost->n_silent == 0 ? cost->peak_bytes : -1);
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_object (builder);
  for (guint i = 0; i < cost->n_stages; i++) {
    const LbStageCost *stage = &cost->stages[i];
    const LbActivity *activity = lb_run_activity (run, i);
    json_builder_set_member_name (builder, activity->name);
    json_builder_begin_object (builder);
    lb_json_add_integer (builder, "held", (gint64)activity->held);
    add_prediction (builder, "predicted", stage->bytes < 0 ? -1 : stage->bytes + stage->packets);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

/* What another run of the same pipeline may have otherwise: seconds of work of each stage, and of these on checkpoints,
 * those of parts side by side added up. */
static void
add_timing (JsonBuilder *builder, const LbRun *run)
{
  json_builder_set_member_name (builder, "timing");
  json_builder_begin_object (builder);
  lb_json_add_integer (builder, "threads", lb_run_threads (run));
  lb_json_add_integer (builder, "links_grown", lb_run_links_grown (run));
  lb_json_add_number (builder, "seconds", lb_run_seconds (run));
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_object (builder);
  for (guint i = 0; i < lb_run_plan (run)->n_stages; i++) {
    const LbActivity *activity = lb_run_activity (run, i);
    lb_json_add_number (builder, activity->name, lb_activity_seconds (activity, activity->ended));
  }
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "checkpoints");
  json_builder_begin_object (builder);
  for (guint i = 0; i < lb_run_plan (run)->n_stages; i++) {
    const LbActivity *activity = lb_run_activity (run, i);
    lb_json_add_number (builder, activity->name, (double)activity->saving / G_USEC_PER_SEC);
  }
  json_builder_end_object (builder);
  add_memory (builder, run);
  json_builder_set_member_name (builder, "results");
  json_builder_begin_object (builder);
  for (guint i = 0; i < lb_run_plan (run)->n_stages; i++)
    lb_json_add_text (builder, lb_run_activity (run, i)->name, lb_reuse_word (lb_run_outcome (run, i)));
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

void
lb_metrics_add (JsonBuilder *builder, const LbRun *run)
{
  const LbPipeline *pipeline = lb_run_plan (run)->pipeline;
  g_autofree char *file = g_path_get_basename (pipeline->path);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "title", pipeline->title);
  lb_json_add_text (builder, "pipeline", file);
  lb_json_add_integer (builder, "seed", pipeline->seed);
  lb_json_add_text (builder, "arithmetic", lb_run_arithmetic (run));
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_array (builder);
  for (guint i = 0; i < lb_run_plan (run)->n_stages; i++)
    add_stage (builder, run, i);
  json_builder_end_array (builder);
  add_timing (builder, run);
  json_builder_end_object (builder);
}

char *
lb_metrics_to_json (const LbRun *run)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  lb_metrics_add (builder, run);
  return lb_json_to_text (builder, TRUE);
}
