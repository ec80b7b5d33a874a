/* Telling of a run before it ends.
 *
 * The main thread tells, as it alone writes the record; the closing stage looks again a few times a second, so that
 * whatever cancels the run need not know of it. Meanwhile it counts as waiting for something outside: nobody reads it,
 * and links grow as if it were not there.
 */
#include "pipeline/facts.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "pipeline/diagram.h"
#include "pipeline/journal.h"
#include "pipeline/metrics.h"
#include "pipeline/resolved.h"
#include "plugin/host.h"

#define POLL_MS 100
/* Of a record's rows; each is about a hundred bytes, and their number grows with the logarithm of steps. */
#define MOST_ROWS ((gsize)256 << 20)

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

/* ---- Curves ---- */

typedef struct {
  gint64 step;
  double value;
} Point;

typedef struct {
  char *stage, *name;
  GArray *points; /* Point, as they came */
} Curve;

static void
curve_free (gpointer data)
{
  Curve *curve = data;
  g_free (curve->stage);
  g_free (curve->name);
  g_array_unref (curve->points);
  g_free (curve);
}

/* Adds a row of metrics.jsonl; those with a unit are figures, and no progress. */
static void
add_row (GPtrArray *curves, JsonObject *row)
{
  const char *stage = json_object_get_string_member_with_default (row, "stage", "");
  const char *name = json_object_get_string_member_with_default (row, "name", "");
  JsonNode *value = json_object_get_member (row, "value");
  Curve *curve = NULL;
  if (!json_object_get_null_member (row, "unit") || value == NULL)
    return;
  for (guint i = 0; curve == NULL && i < curves->len; i++) {
    Curve *other = curves->pdata[i];
    if (strcmp (other->stage, stage) == 0 && strcmp (other->name, name) == 0)
      curve = other;
  }
  if (curve == NULL) {
    curve = g_new0 (Curve, 1);
    *curve = (Curve){ g_strdup (stage), g_strdup (name), g_array_new (FALSE, FALSE, sizeof (Point)) };
    g_ptr_array_add (curves, curve);
  }
  Point point = { json_object_get_int_member_with_default (row, "step", 0),
                  JSON_NODE_HOLDS_NULL (value) ? NAN : json_node_get_double (value) };
  g_array_append_val (curve->points, point);
}

/* What stands in metrics.jsonl, by stage and name. */
static GPtrArray *
read_curves (const char *path)
{
  GPtrArray *curves = g_ptr_array_new_with_free_func (curve_free);
  g_autoptr (GBytes) bytes = NULL;
  if (!lb_file_read (path, MOST_ROWS, &bytes, NULL))
    return curves;
  gsize length;
  const char *text = g_bytes_get_data (bytes, &length), *end;
  for (; length > 0 && (end = memchr (text, '\n', length)) != NULL; length -= (gsize)(end + 1 - text), text = end + 1) {
    g_autoptr (JsonNode) row = lb_json_parse (path, text, (gsize)(end - text), NULL);
    if (row != NULL && JSON_NODE_HOLDS_OBJECT (row))
      add_row (curves, json_node_get_object (row));
  }
  return curves;
}

static int
compare_steps (gconstpointer a, gconstpointer b)
{
  gint64 first = ((const Point *)a)->step, second = ((const Point *)b)->step;
  return first < second ? -1 : first > second;
}

/* Sorts by step; of several points at one step the last that came counts, as a run that goes on writes rows again. */
static void
tidy (Curve *curve)
{
  GArray *points = curve->points;
  guint n = 0;
  g_array_sort (points, compare_steps); /* keeps the order of equal ones */
  for (guint i = 0; i < points->len; i++) {
    Point point = g_array_index (points, Point, i);
    if (n == 0 || g_array_index (points, Point, n - 1).step != point.step)
      n++;
    g_array_index (points, Point, n - 1) = point;
  }
  g_array_set_size (points, n);
}

static void
add_curve (JsonBuilder *builder, const Curve *curve, const char *stage, gint64 part, gint64 total)
{
  g_autofree char *name = part >= 0 ? g_strdup_printf ("%s (%d)", curve->name, (int)part) : g_strdup (curve->name);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "stage", stage);
  lb_json_add_text (builder, "name", name);
  lb_json_add_integer (builder, "total", total);
  json_builder_set_member_name (builder, "steps");
  json_builder_begin_array (builder);
  for (guint i = 0; i < curve->points->len; i++)
    json_builder_add_int_value (builder, g_array_index (curve->points, Point, i).step);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "values");
  json_builder_begin_array (builder);
  for (guint i = 0; i < curve->points->len; i++) {
    double value = g_array_index (curve->points, Point, i).value;
    if (isfinite (value))
      json_builder_add_double_value (builder, value);
    else
      json_builder_add_null_value (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* Which part of @stage @curve is of: -1 for the whole, -2 for none of it. */
static gint64
part_of (const Curve *curve, const char *stage)
{
  const char *rest = curve->stage + strlen (stage);
  if (!g_str_has_prefix (curve->stage, stage) || (*rest != '\0' && *rest != '/'))
    return -2;
  return *rest == '\0' ? -1 : g_ascii_strtoll (rest + 1, NULL, 10);
}

static int
compare_parts (gconstpointer a, gconstpointer b, gpointer stage)
{
  gint64 first = part_of (*(Curve *const *)a, stage), second = part_of (*(Curve *const *)b, stage);
  return first < second ? -1 : first > second;
}

/* Those of one stage, parts side by side by their number: whose rows come first is chance. */
static void
add_curves_of (JsonBuilder *builder, const GPtrArray *curves, const char *stage, gint64 done)
{
  g_autoptr (GPtrArray) own = g_ptr_array_new ();
  for (guint k = 0; k < curves->len; k++)
    if (part_of (curves->pdata[k], stage) >= -1)
      g_ptr_array_add (own, curves->pdata[k]);
  g_ptr_array_sort_with_data (own, compare_parts, (gpointer)stage);
  for (guint k = 0; k < own->len; k++) {
    Curve *curve = own->pdata[k];
    gint64 part = part_of (curve, stage);
    tidy (curve);
    add_curve (builder, curve, stage, part,
               part < 0 || curve->points->len == 0
                   ? done
                   : (gint64)g_array_index (curve->points, Point, curve->points->len - 1).step);
  }
}

/* Those of stages that ran; in the order of the pipeline file. */
static void
add_curves (JsonBuilder *builder, const LbRun *run)
{
  const LbPlan *plan = lb_run_plan (run);
  g_autofree char *path = lb_journal_path (lb_run_output_directory (run), "metrics.jsonl");
  g_autoptr (GPtrArray) curves = read_curves (path);
  json_builder_set_member_name (builder, "curves");
  json_builder_begin_array (builder);
  for (guint i = 0; i < plan->n_stages; i++)
    if (lb_run_outcome (run, i) != LB_REUSE_RESULT)
      add_curves_of (builder, curves, plan->stages[i].written->name, (gint64)lb_run_activity (run, i)->done);
  json_builder_end_array (builder);
}

/* ---- Stages ---- */

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
