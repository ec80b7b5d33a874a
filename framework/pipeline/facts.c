/* Telling of a run before it ends.
 *
 * The main thread tells, as it alone writes the record; the closing stage looks again a few times a second, so that
 * whatever cancels the run need not know of it. Meanwhile it counts as waiting for something outside: nobody reads it,
 * and links grow as if it were not there.
 */
#include "pipeline/facts.h"

#include <string.h>

#include "base/json.h"
#include "pipeline/curves.h"
#include "pipeline/diagram.h"
#include "pipeline/journal.h"
#include "pipeline/metrics.h"
#include "pipeline/resolved.h"
#include "plugin/host.h"

#define POLL_MS 100

struct _LbFacts {
  LbFlow *flow;
  const LbPlan *plan;
  GMutex lock; /* what follows */
  GCond told;
  guint n_others;  /* stages that close nothing and have not ended */
  guint n_waiting; /* stages that wait */
  char *json;
};

static gboolean
closes (const LbPlan *plan, guint index)
{
  return (lb_stage_entry_flags (plan->stages[index].entry) & LB_STAGE_CLOSES) != 0;
}

LbFacts *
lb_facts_new (LbFlow *flow, const LbPlan *plan)
{
  LbFacts *facts = g_new0 (LbFacts, 1);
  facts->flow = flow;
  facts->plan = plan;
  g_mutex_init (&facts->lock);
  g_cond_init (&facts->told);
  for (guint i = 0; i < plan->n_stages; i++)
    facts->n_others += !closes (plan, i);
  return facts;
}

void
lb_facts_free (LbFacts *facts)
{
  if (facts == NULL)
    return;
  g_mutex_clear (&facts->lock);
  g_cond_clear (&facts->told);
  g_free (facts->json);
  g_free (facts);
}

void
lb_facts_stage_ended (LbFacts *facts, guint index)
{
  g_mutex_lock (&facts->lock);
  facts->n_others -= !closes (facts->plan, index);
  g_mutex_unlock (&facts->lock);
}

gboolean
lb_facts_due (LbFacts *facts)
{
  g_mutex_lock (&facts->lock);
  gboolean due = facts->n_others == 0 && facts->n_waiting > 0 && facts->json == NULL;
  g_mutex_unlock (&facts->lock);
  return due;
}

void
lb_facts_tell (LbFacts *facts, char *json)
{
  g_mutex_lock (&facts->lock);
  facts->json = json;
  g_cond_broadcast (&facts->told);
  g_mutex_unlock (&facts->lock);
}

gboolean
lb_facts_wait (LbFacts *facts, LbStage *stage, char **json, GError **error)
{
  gboolean may_go_on = TRUE;
  lb_flow_begin_outside (facts->flow);
  g_mutex_lock (&facts->lock);
  facts->n_waiting++;
  while (facts->json == NULL && (may_go_on = lb_stage_may_go_on (stage, error)))
    g_cond_wait_until (&facts->told, &facts->lock, g_get_monotonic_time () + POLL_MS * G_TIME_SPAN_MILLISECOND);
  facts->n_waiting--;
  *json = may_go_on ? g_strdup (facts->json) : NULL;
  g_mutex_unlock (&facts->lock);
  lb_flow_end_outside (facts->flow);
  return may_go_on;
}

/* ---- What is told ---- */

static void
add_stage (JsonBuilder *builder, const LbPlanStage *stage)
{
  const LbPort *ports = stage->entry->type->outputs;
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "name", stage->written->name);
  lb_json_add_text (builder, "summary", stage->entry->type->summary);
  json_builder_set_member_name (builder, "models");
  json_builder_begin_array (builder);
  for (guint k = 0; k < stage->configured->outputs->len; k++) {
    const LbSpec *spec = stage->configured->outputs->pdata[k];
    const char *const *architectures
        = strcmp (ports[k].schema, "model") == 0 ? lb_spec_texts (spec, "architecture") : NULL;
    for (guint i = 0; architectures != NULL && architectures[i] != NULL; i++)
      json_builder_add_string_value (builder, architectures[i]);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* Curves of stages that ran, in the order of the pipeline file. */
static void
add_curves (JsonBuilder *builder, const LbRun *run)
{
  const LbPlan *plan = lb_run_plan (run);
  g_autofree char *path = lb_journal_path (lb_run_output_directory (run), "metrics.jsonl");
  g_autoptr (LbCurves) curves = lb_curves_read (path);
  json_builder_set_member_name (builder, "curves");
  json_builder_begin_array (builder);
  for (guint i = 0; i < plan->n_stages; i++)
    if (lb_run_outcome (run, i) != LB_REUSE_RESULT)
      lb_curves_add (curves, builder, plan->stages[i].written->name, (gint64)lb_run_activity (run, i)->done);
  json_builder_end_array (builder);
}

char *
lb_facts_to_json (const LbRun *run)
{
  const LbPlan *plan = lb_run_plan (run);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GBytes) drawing = lb_diagram_to_svg (plan, NULL);
  g_autofree char *yaml = lb_plan_to_yaml (plan);
  g_autofree char *svg
      = drawing != NULL ? g_strndup (g_bytes_get_data (drawing, NULL), g_bytes_get_size (drawing)) : NULL;
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "limbeck", LB_VERSION);
  json_builder_set_member_name (builder, "metrics");
  lb_metrics_add (builder, run);
  lb_json_add_text (builder, "pipeline", yaml);
  lb_json_add_text (builder, "drawing", svg);
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_array (builder);
  for (guint i = 0; i < plan->n_stages; i++)
    add_stage (builder, &plan->stages[i]);
  json_builder_end_array (builder);
  add_curves (builder, run);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, FALSE);
}
