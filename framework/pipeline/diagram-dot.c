/* The drawing as a Graphviz file, for those who want to lay it out or join it with others themselves. */
#include <string.h>

#include "pipeline/diagram.h"

char *
lb_diagram_label (const LbPlan *plan, guint stage, guint output)
{
  const LbPort *port = lb_plan_output (plan, stage, output);
  if (strcmp (port->name, port->schema) == 0)
    return g_strdup (port->schema);
  return g_strdup_printf ("%s: %s", port->name, port->schema);
}

static void
append_quoted (GString *out, const char *text)
{
  g_string_append_c (out, '"');
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_c (out, '\\');
    g_string_append_c (out, *c);
  }
  g_string_append_c (out, '"');
}

static void
append_stage (GString *out, const LbPlanStage *stage)
{
  g_autofree char *label = g_strdup_printf ("%s\n%s", stage->written->name, stage->written->plugin);
  g_autoptr (GString) quoted = g_string_new (NULL);
  append_quoted (quoted, label);
  g_string_replace (quoted, "\n", "\\n", 0);
  g_string_append (out, "  ");
  append_quoted (out, stage->written->name);
  g_string_append_printf (out, " [label=%s];\n", quoted->str);
}

static void
append_link (GString *out, const LbPlan *plan, const LbPlanStage *reader, const LbPlanLink *link)
{
  g_autofree char *label = lb_diagram_label (plan, link->source, link->output);
  g_string_append (out, "  ");
  append_quoted (out, plan->stages[link->source].written->name);
  g_string_append (out, " -> ");
  append_quoted (out, reader->written->name);
  g_string_append (out, " [label=");
  append_quoted (out, label);
  g_string_append (out, "];\n");
}

char *
lb_diagram_to_dot (const LbPlan *plan)
{
  GString *out = g_string_new ("digraph pipeline {\n  label=");
  append_quoted (out, plan->pipeline->title);
  g_string_append (out, ";\n  labelloc=t;\n  rankdir=LR;\n  node [shape=box, style=rounded];\n");
  for (guint i = 0; i < plan->n_stages; i++)
    append_stage (out, &plan->stages[i]);
  for (guint i = 0; i < plan->n_stages; i++)
    for (guint k = 0; k < plan->stages[i].links->len; k++)
      append_link (out, plan, &plan->stages[i], &g_array_index (plan->stages[i].links, LbPlanLink, k));
  g_string_append (out, "}\n");
  return g_string_free (out, FALSE);
}
