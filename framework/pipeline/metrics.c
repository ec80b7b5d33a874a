/* Building of metrics.json. json-glib writes a double with 17 significant digits, which reads back the same. */
#include <math.h>

#include <json-glib/json-glib.h>

#include "pipeline/metrics.h"

static void
add_text (JsonBuilder *builder, const char *name, const char *text)
{
  json_builder_set_member_name (builder, name);
  if (text == NULL) {
    json_builder_add_null_value (builder);
    return;
  }
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  json_builder_add_string_value (builder, valid);
}

/* JSON has no way to write infinity or NaN. */
static void
add_number (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  if (isfinite (value))
    json_builder_add_double_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

/* Negative: there is none. */
static void
add_prediction (JsonBuilder *builder, const char *name, double value)
{
  add_number (builder, name, value >= 0 ? value : NAN);
}

static void
add_integer (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
add_stage (JsonBuilder *builder, const LbRun *run, guint index)
{
  const LbPlanStage *stage = &lb_run_plan (run)->stages[index];
  const LbActivity *activity = lb_run_activity (run, index);
  const GPtrArray *metrics = lb_run_metrics (run, index);
  json_builder_begin_object (builder);
  add_text (builder, "name", stage->written->name);
  add_text (builder, "plugin", stage->written->plugin);
  add_text (builder, "version", stage->entry->plugin != NULL ? stage->entry->plugin->version : NULL);
  add_number (builder, "flops", activity->flops);
  add_prediction (builder, "flops_predicted", lb_run_cost (run)->stages[index].flops);
  add_integer (builder, "bytes_out", (gint64)activity->bytes_out);
  json_builder_set_member_name (builder, "metrics");
  json_builder_begin_array (builder);
  for (guint i = 0; i < metrics->len; i++) {
    const LbMetric *metric = metrics->pdata[i];
    json_builder_begin_object (builder);
    add_text (builder, "name", metric->name);
    add_number (builder, "value", metric->value);
    add_text (builder, "unit", metric->unit);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* Bytes of memory. Predicted: how much the run adds to what the process takes before; of a stage what it holds at most,
 * in packets or beside them. */
static void
add_memory (JsonBuilder *builder, const LbRun *run)
{
  const LbCost *cost = lb_run_cost (run);
  json_builder_set_member_name (builder, "memory");
  json_builder_begin_object (builder);
  add_integer (builder, "before", (gint64)lb_run_memory_before (run));
  add_prediction (builder, "peak", lb_run_memory_peak (run) > 0 ? (double)lb_run_memory_peak (run) : -1);
  add_prediction (builder, "predicted_growth", cost->n_silent == 0 ? cost->peak_bytes : -1);
  json_builder_set_member_name (builder, "predicted_stages");
  json_builder_begin_object (builder);
  for (guint i = 0; i < cost->n_stages; i++) {
    const LbStageCost *stage = &cost->stages[i];
    add_prediction (builder, lb_run_activity (run, i)->name, stage->bytes < 0 ? -1 : stage->bytes + stage->packets);
  }
  json_builder_end_object (builder);
  json_builder_end_object (builder);
}

/* What another run of the same pipeline may have otherwise. */
static void
add_timing (JsonBuilder *builder, const LbRun *run)
{
  json_builder_set_member_name (builder, "timing");
  json_builder_begin_object (builder);
  add_integer (builder, "threads", lb_run_threads (run));
  add_integer (builder, "links_grown", lb_run_links_grown (run));
  add_number (builder, "seconds", lb_run_seconds (run));
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_object (builder);
  for (guint i = 0; i < lb_run_plan (run)->n_stages; i++) {
    const LbActivity *activity = lb_run_activity (run, i);
    add_number (builder, activity->name, lb_activity_seconds (activity, activity->ended));
  }
  json_builder_end_object (builder);
  add_memory (builder, run);
  json_builder_end_object (builder);
}

char *
lb_metrics_to_json (const LbRun *run)
{
  const LbPipeline *pipeline = lb_run_plan (run)->pipeline;
  g_autofree char *file = g_path_get_basename (pipeline->path);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_text (builder, "title", pipeline->title);
  add_text (builder, "pipeline", file);
  add_integer (builder, "seed", pipeline->seed);
  add_text (builder, "arithmetic", lb_run_arithmetic (run));
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_array (builder);
  for (guint i = 0; i < lb_run_plan (run)->n_stages; i++)
    add_stage (builder, run, i);
  json_builder_end_array (builder);
  add_timing (builder, run);
  json_builder_end_object (builder);

  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = json_to_string (root, TRUE);
  return g_strconcat (text, "\n", NULL);
}
