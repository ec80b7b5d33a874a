/* Writing of the resolved pipeline. */
#include <string.h>

#include "pipeline/resolved.h"
#include "plugin/property.h"

/* Keeps "${" what it is: in a pipeline file it would begin the name of a param. */
static void
append_literal (GString *out, const char *text)
{
  for (const char *c = text; *c != '\0'; c++) {
    if (c[0] == '$' && c[1] == '{')
      g_string_append_c (out, '$');
    g_string_append_c (out, *c);
  }
}

static void
append_quoted (GString *out, const char *text)
{
  g_autoptr (GString) literal = g_string_new (NULL);
  append_literal (literal, text);
  g_string_append_c (out, '"');
  for (const char *c = literal->str; *c != '\0'; c++) {
    if ((guchar)*c < 0x20 || *c == 0x7f)
      g_string_append_printf (out, "\\u%04x", (guint)(guchar)*c);
    else
      g_string_append_printf (out, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
  }
  g_string_append_c (out, '"');
}

static void
append_inputs (GString *out, const LbPlanStage *stage)
{
  for (guint i = 0; i < stage->links->len; i++) {
    const LbPipelineInput *input = g_array_index (stage->links, LbPlanLink, i).written;
    const LbPipelineInput *before = i > 0 ? g_array_index (stage->links, LbPlanLink, i - 1).written : NULL;
    const LbPipelineInput *after
        = i + 1 < stage->links->len ? g_array_index (stage->links, LbPlanLink, i + 1).written : NULL;
    gboolean first = before == NULL || strcmp (before->port, input->port) != 0;
    gboolean last = after == NULL || strcmp (after->port, input->port) != 0;
    if (i == 0)
      g_string_append (out, "    inputs:\n");
    if (first)
      g_string_append_printf (out, "      %s: %s", input->port, input->listed ? "[" : "");
    g_string_append_printf (out, "%s%s", first ? "" : ", ", input->source);
    if (last)
      g_string_append (out, input->listed ? "]\n" : "\n");
  }
}

static void
append_property (GString *out, const LbProperty *property, gconstpointer self, const char *other)
{
  g_string_append_printf (out, "      %s: ", property->name);
  const char *path
      = property->kind == LB_PROPERTY_PATH ? *(char *const *)((const char *)self + property->offset) : NULL;
  if (other != NULL) {
    append_quoted (out, other);
  } else if (path != NULL && path[0] != '\0') {
    g_autofree char *absolute = g_canonicalize_filename (path, NULL);
    append_quoted (out, absolute);
  } else {
    g_autofree char *text = lb_property_to_text (property, self);
    append_literal (out, text);
  }
  g_string_append_c (out, '\n');
}

static void
append_stage (GString *out, const LbPlan *plan, guint index, LbPathName name, gpointer data)
{
  const LbPlanStage *stage = &plan->stages[index];
  const LbProperty *properties = stage->entry->type->properties;
  g_string_append_printf (out, "  %s:\n    plugin: %s\n", stage->written->name, stage->written->plugin);
  append_inputs (out, stage);
  for (const LbProperty *row = properties; row != NULL && row->name != NULL; row++) {
    if (row == properties)
      g_string_append (out, "    with:\n");
    append_property (out, row, stage->self, name != NULL ? name (data, index, row) : NULL);
  }
}

char *
lb_plan_to_portable_yaml (const LbPlan *plan, LbPathName name, gpointer data)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_string_append_printf (out, "limbeck: %d\ntitle: ", LB_PIPELINE_FORMAT);
  append_quoted (out, plan->pipeline->title);
  g_string_append_printf (out, "\nseed: %" G_GINT64_FORMAT "\nstages:\n", plan->pipeline->seed);
  for (guint i = 0; i < plan->n_stages; i++)
    append_stage (out, plan, i, name, data);
  return g_strdup (out->str);
}

char *
lb_plan_to_yaml (const LbPlan *plan)
{
  return lb_plan_to_portable_yaml (plan, NULL, NULL);
}

/* ---- Ancestry ---- */

/* Appends stage @index, after those that it reads, to @order, each once. */
static void
visit (const LbPlan *plan, guint index, GArray *order)
{
  for (guint i = 0; i < order->len; i++)
    if (g_array_index (order, guint, i) == index)
      return;
  const GArray *links = plan->stages[index].links;
  for (guint i = 0; i < links->len; i++)
    visit (plan, g_array_index (links, LbPlanLink, i).source, order);
  g_array_append_val (order, index);
}

char *
lb_plan_ancestry (const LbPlan *plan, guint index, LbPathName name, gpointer data)
{
  GString *out = g_string_new (NULL);
  g_autoptr (GArray) order = g_array_new (FALSE, FALSE, sizeof (guint));
  visit (plan, index, order);
  g_string_append_printf (out, "limbeck: %d\nseed: %" G_GINT64_FORMAT "\nstages:\n", LB_PIPELINE_FORMAT,
                          plan->pipeline->seed);
  for (guint i = 0; i < order->len; i++)
    append_stage (out, plan, g_array_index (order, guint, i), name, data);
  return g_string_free (out, FALSE);
}
