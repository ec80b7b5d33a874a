/* What all formats of inspect say alike. */
#include <string.h>

#include "cli/inspect.h"
#include "pipeline/cost.h"
#include "plugin/property.h"

/* A value that stands for what the author has to fill in. */
static char *
placeholder (const LbProperty *property)
{
  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    return g_strdup ("false");
  case LB_PROPERTY_INTEGER:
  case LB_PROPERTY_NUMBER:
  case LB_PROPERTY_NUMBERS:
    return property->minimum < property->maximum ? g_strdup_printf ("%.15g", MAX (property->minimum, -1e15))
                                                 : g_strdup ("1");
  case LB_PROPERTY_CHOICE:
    return g_strdup (property->choices[0]);
  case LB_PROPERTY_PATH:
    return g_strdup ("PATH");
  default:
    return g_strdup ("TEXT");
  }
}

char *
lb_inspect_default (const LbStageType *type, const LbProperty *property)
{
  if (property->fallback == NULL)
    return placeholder (property);
  gpointer self = g_malloc0 (MAX (type->instance_size, 1));
  lb_properties_init (type, self);
  char *text = lb_property_to_text (property, self);
  lb_properties_clear (type, self);
  g_free (self);
  return text;
}

char *
lb_inspect_type (const LbProperty *property)
{
  char *type = lb_property_type_text (property);
  if (property->unit == NULL)
    return type;
  char *whole = g_strconcat (type, ", in ", property->unit, NULL);
  g_free (type);
  return whole;
}

char *
lb_inspect_port_rule (const LbPort *port, gboolean is_input)
{
  if (!is_input)
    return g_strdup (port->flags & LB_PORT_ON_DEMAND ? "made only when it is read" : "");
  return g_strconcat (port->flags & LB_PORT_OPTIONAL ? "optional" : "must be linked",
                      port->flags & LB_PORT_MANY ? ", takes a list of streams" : "", NULL);
}

gboolean
lb_inspect_example (const LbStageEntry *entry, char **path, char **text)
{
  g_autofree char *directory = g_path_get_dirname (entry->path);
  g_autofree char *name = g_strconcat (entry->type->name, ".yaml", NULL);
  gsize length;
  *path = g_build_filename (directory, name, NULL);
  *text = NULL;
  if (g_file_get_contents (*path, text, &length, NULL) && g_utf8_validate (*text, (gssize)length, NULL))
    return TRUE;
  g_clear_pointer (path, g_free);
  g_clear_pointer (text, g_free);
  return FALSE;
}

double
lb_inspect_cost (LbRegistry *registry, const LbStageEntry *entry, const char *path)
{
  g_autoptr (LbProblems) problems = lb_problems_new (path);
  g_autoptr (LbPipeline) pipeline = lb_pipeline_read (path, &(LbPipelineOverrides){ 0 }, problems);
  g_autoptr (LbPlan) plan = pipeline != NULL ? lb_plan_new (pipeline, registry, problems) : NULL;
  if (plan == NULL || lb_problems_count (problems) > 0)
    return -1;
  lb_plan_configure (plan, problems);
  if (lb_problems_count (problems) > 0) /* such as data that is not on this machine */
    return -1;
  g_autoptr (LbCost) cost = lb_cost_new (plan);
  for (guint i = 0; i < plan->n_stages; i++)
    if (plan->stages[i].entry->type == entry->type)
      return cost->stages[i].flops;
  return -1;
}

char *
lb_inspect_sentence (const char *text)
{
  const char *end = text != NULL ? strstr (text, ". ") : NULL;
  return end != NULL ? g_strndup (text, end + 1 - text) : g_strdup (text);
}
