/* The second step of a plan: values into structs, and types along links.
 *
 * A stage whose input comes from a broken stage is not configured: whatever it would complain of may be a consequence.
 */
#include <string.h>

#include "pipeline/plan.h"
#include "plugin/port.h"

/* ---- Properties ---- */

/* Where a problem with @property of @stage is told: at its value, at its command line argument, or at the stage's name.
 */
static void
tell_property (const LbPlanStage *stage, const char *property, const GError *error, LbProblems *problems)
{
  const LbDocumentNode *place = stage->written->place;
  const char *argument = NULL;
  for (guint i = 0; property != NULL && i < stage->written->properties->len; i++) {
    const LbPipelineProperty *written = stage->written->properties->pdata[i];
    if (strcmp (written->name, property) != 0)
      continue;
    if (written->value != NULL)
      place = written->value;
    argument = written->argument;
  }
  if (argument != NULL)
    lb_problems_add (problems, NULL, lb_error_exit_status (error), "--set %s: stage '%s': %s", argument,
                     stage->written->name, error->message);
  else
    lb_problems_add (problems, place, lb_error_exit_status (error), "stage '%s': %s", stage->written->name,
                     error->message);
}

static void
tell_unknown_property (const LbPlanStage *stage, const LbPipelineProperty *written, LbProblems *problems)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (const LbProperty *row = stage->entry->type->properties; row != NULL && row->name != NULL; row++)
    g_ptr_array_add (names, (gpointer)row->name);
  g_ptr_array_add (names, NULL);
  g_autofree char *hint = lb_suggestion (written->name, (const char *const *)names->pdata);
  if (written->argument != NULL)
    lb_problems_add (problems, NULL, LB_ERROR_USAGE, "--set %s: stage '%s': plugin '%s' has no property '%s'%s",
                     written->argument, stage->written->name, stage->written->plugin, written->name, hint);
  else
    lb_problems_add (problems, written->place, LB_ERROR_PIPELINE, "stage '%s': plugin '%s' has no property '%s'%s",
                     stage->written->name, stage->written->plugin, written->name, hint);
}

static gboolean
set_property (const LbPlan *plan, LbPlanStage *stage, const LbPipelineProperty *written, LbProblems *problems)
{
  g_autoptr (GError) error = NULL;
  const LbProperty *row = lb_property_find (stage->entry->type, written->name);
  if (row == NULL) {
    tell_unknown_property (stage, written, problems);
    return FALSE;
  }
  if (written->argument != NULL) {
    if (lb_property_set_text (row, stage->self, written->text, ".", &error))
      return TRUE;
    lb_problems_add (problems, NULL, LB_ERROR_USAGE, "--set %s: stage '%s': %s", written->argument,
                     stage->written->name, error->message);
    return FALSE;
  }
  if (written->value == NULL)
    return FALSE;
  if (lb_property_set (row, stage->self, written->value, plan->pipeline->directory, &error))
    return TRUE;
  lb_problems_add (problems, written->value, lb_error_exit_status (error), "stage '%s': %s", stage->written->name,
                   error->message);
  return FALSE;
}

static void
tell_missing_properties (LbPlanStage *stage, LbProblems *problems)
{
  for (const LbProperty *row = stage->entry->type->properties; row != NULL && row->name != NULL; row++) {
    gboolean written = lb_property_is_given (row, stage->self);
    for (guint i = 0; i < stage->written->properties->len; i++)
      written |= strcmp (((LbPipelineProperty *)stage->written->properties->pdata[i])->name, row->name) == 0;
    if (written)
      continue;
    g_autofree char *text = lb_property_missing_text (row);
    stage->broken = TRUE;
    lb_problems_add (problems, stage->written->place, LB_ERROR_PIPELINE, "stage '%s': %s", stage->written->name, text);
  }
}

/* Fills the struct of @stage. A value of the file is checked even where --set replaces it: the file is to be right. */
static void
set_properties (const LbPlan *plan, LbPlanStage *stage, LbProblems *problems)
{
  const LbStageType *type = stage->entry->type;
  stage->self = g_malloc0 (MAX (type->instance_size, 1));
  lb_properties_init (type, stage->self);
  for (guint i = 0; i < stage->written->properties->len; i++)
    if (!set_property (plan, stage, stage->written->properties->pdata[i], problems))
      stage->broken = TRUE;
  tell_missing_properties (stage, problems);
  lb_properties_complete (type, stage->self, stage->written->name);
}

/* Results of two stages under one name would be the results of whichever came last. */
static void
find_shared_results (LbPlan *plan, LbProblems *problems)
{
  g_autoptr (GHashTable) owners = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < plan->n_stages; i++) {
    LbPlanStage *stage = &plan->stages[i];
    const LbProperty *row = stage->entry != NULL ? stage->entry->type->properties : NULL;
    for (; row != NULL && row->name != NULL && !stage->broken; row++) {
      if (row->kind != LB_PROPERTY_RESULT)
        continue;
      char *name = G_STRUCT_MEMBER (char *, stage->self, row->offset);
      const LbPlanStage *owner = g_hash_table_lookup (owners, name);
      if (owner == NULL)
        g_hash_table_insert (owners, name, stage);
      else
        lb_problems_add (problems, stage->written->place, LB_ERROR_PIPELINE,
                         "stage '%s': writes '%s', as stage '%s' does; give one of them another '%s'",
                         stage->written->name, name, owner->written->name, row->name);
    }
  }
}

/* ---- Types ---- */

/* Tells what configure found, at the input or property that is to blame. */
static void
tell_configure (LbPlan *plan, const LbPlanStage *stage, const char *property, int input, const GError *error,
                LbProblems *problems)
{
  if (input < 0 || (guint)input >= stage->links->len) {
    tell_property (stage, property, error, problems);
    return;
  }
  const LbPlanLink *link = &g_array_index (stage->links, LbPlanLink, input);
  const LbPipelineStage *source = plan->stages[link->source].written;
  g_autofree char *other_end = lb_problems_place (problems, source->place);
  lb_problems_add (problems, link->written->place, lb_error_exit_status (error), "stage '%s': %s ('%s' stands at %s)",
                   stage->written->name, error->message, source->name, other_end);
}

static void
configure_stage (LbPlan *plan, LbPlanStage *stage, LbProblems *problems)
{
  g_autoptr (GError) error = NULL;
  const char *property = NULL;
  int blamed = -1;
  guint n = stage->links->len;
  g_autofree LbInputSpec *inputs = g_new0 (LbInputSpec, n + 1);
  for (guint i = 0; i < n; i++) {
    const LbPlanLink *link = &g_array_index (stage->links, LbPlanLink, i);
    if (plan->stages[link->source].broken)
      stage->broken = TRUE;
    else
      inputs[i] = (LbInputSpec){ link->port, link->written->source, lb_plan_spec (plan, link->source, link->output) };
  }
  if (stage->broken)
    return;
  guint n_outputs = lb_ports_count (stage->entry->type->outputs);
  g_autofree gboolean *unread = g_new0 (gboolean, n_outputs + 1);
  for (guint i = 0; i < n_outputs; i++)
    unread[i] = lb_plan_n_readers (plan, (guint)(stage - plan->stages), i) == 0;
  LbConfigureUse use = { .threads = plan->threads, .unread = unread, .side_by_side = plan->side_by_side };
  stage->configured = lb_configure_run_for (stage->entry->type, stage->self, lb_registry_schemas (plan->registry),
                                            inputs, n, &use, &property, &blamed, &error);
  if (stage->configured != NULL)
    return;
  stage->broken = TRUE;
  tell_configure (plan, stage, property, blamed, error, problems);
}

void
lb_plan_configure (LbPlan *plan, LbProblems *problems)
{
  for (guint i = 0; i < plan->n_stages; i++)
    if (plan->stages[i].entry != NULL)
      set_properties (plan, &plan->stages[i], problems);
  find_shared_results (plan, problems);
  for (guint i = 0; i < plan->n_ordered; i++)
    configure_stage (plan, &plan->stages[plan->order[i]], problems);
}

gboolean
lb_plan_configure_narrow (LbPlan *plan, LbProblems *problems)
{
  gboolean is_wide = FALSE;
  for (guint i = 0; i < plan->n_stages; i++)
    is_wide |= plan->stages[i].configured != NULL && plan->stages[i].configured->side_by_side > 1;
  if (!is_wide)
    return FALSE;
  plan->side_by_side = 1;
  for (guint i = 0; i < plan->n_ordered; i++) {
    LbPlanStage *stage = &plan->stages[plan->order[i]];
    g_clear_pointer (&stage->configured, lb_configured_free);
    configure_stage (plan, stage, problems);
  }
  return TRUE;
}
