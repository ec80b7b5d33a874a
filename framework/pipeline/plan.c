/* Resolving a pipeline: from names to stage types, ports and links, and from links to an order. */
#include <string.h>

#include "pipeline/plan.h"

static LbPlanLink *
get_link (const LbPlanStage *stage, guint index)
{
  return &g_array_index (stage->links, LbPlanLink, index);
}

static guint
count_ports (const LbPort *ports)
{
  guint n = 0;
  while (ports != NULL && ports[n].name != NULL)
    n++;
  return n;
}

/* Index of port @name, or -1. */
static int
find_port (const LbPort *ports, const char *name)
{
  for (guint i = 0; i < count_ports (ports); i++)
    if (strcmp (ports[i].name, name) == 0)
      return (int)i;
  return -1;
}

/* lb_suggestion() among @ports. */
static char *
suggest_port (const LbPort *ports, const char *word)
{
  guint n = count_ports (ports);
  g_autofree const char **names = g_new0 (const char *, n + 1);
  for (guint i = 0; i < n; i++)
    names[i] = ports[i].name;
  return lb_suggestion (word, names);
}

/* ---- Plugins ---- */

static void
tell_unknown_plugin (LbPlan *plan, const LbPipelineStage *written, LbProblems *problems)
{
  g_autofree const char **names = lb_registry_names (plan->registry);
  g_autofree char *hint = lb_did_you_mean (written->plugin, names);
  lb_problems_add (problems, written->plugin_place, LB_ERROR_PIPELINE, "stage '%s': plugin '%s' is not known%s",
                   written->name, written->plugin, *hint != '\0' ? hint : "; 'limbeck inspect' lists those that are");
  GPtrArray *failed = lb_registry_problems (plan->registry);
  for (guint i = 0; i < failed->len; i++) {
    g_autofree char *note = g_strdup_printf ("note: %s", (char *)failed->pdata[i]);
    lb_problems_note (problems, note);
  }
}

static void
resolve_plugin (LbPlan *plan, LbPlanStage *stage, LbProblems *problems)
{
  const char *plugin = stage->written->plugin;
  stage->broken = stage->written->broken;
  if (plugin != NULL) {
    stage->entry = lb_registry_find (plan->registry, plugin);
    if (stage->entry == NULL)
      tell_unknown_plugin (plan, stage->written, problems);
  }
  if (stage->entry == NULL)
    stage->broken = TRUE;
}

/* ---- Links ---- */

/* The port of @stage that @input is for, or NULL. */
static const LbPort *
resolve_port (LbPlanStage *stage, const LbPipelineInput *input, LbProblems *problems)
{
  const LbPort *ports = stage->entry->type->inputs;
  const char *name = stage->written->name;
  int index = find_port (ports, input->port);
  if (index < 0) {
    g_autofree char *hint = suggest_port (ports, input->port);
    lb_problems_add (problems, input->port_place, LB_ERROR_PIPELINE, "stage '%s': plugin '%s' has no input '%s'%s",
                     name, stage->written->plugin, input->port, hint);
    return NULL;
  }
  if (input->listed && !(ports[index].flags & LB_PORT_MANY)) {
    lb_problems_add (problems, input->place, LB_ERROR_PIPELINE,
                     "stage '%s': input '%s' takes one stream, not a list; write one STAGE.PORT without brackets", name,
                     input->port);
    return NULL;
  }
  return &ports[index];
}

/* Finds the writing end of @input. */
static gboolean
resolve_source (LbPlan *plan, LbPlanStage *stage, const LbPipelineInput *input, LbPlanLink *link, LbProblems *problems)
{
  const char *name = stage->written->name;
  if (lb_pipeline_find (plan->pipeline, input->stage, &link->source) == NULL) {
    g_autofree const char **names = g_new0 (const char *, plan->n_stages + 1);
    for (guint i = 0; i < plan->n_stages; i++)
      names[i] = plan->stages[i].written->name;
    g_autofree char *hint = lb_suggestion (input->stage, names);
    lb_problems_add (problems, input->place, LB_ERROR_PIPELINE,
                     "stage '%s': input '%s' reads '%s', but there is no stage '%s'%s", name, input->port,
                     input->source, input->stage, hint);
    return FALSE;
  }
  const LbPlanStage *source = &plan->stages[link->source];
  if (source->entry == NULL)
    return FALSE;
  int output = find_port (source->entry->type->outputs, input->output);
  if (output < 0) {
    g_autofree char *hint = suggest_port (source->entry->type->outputs, input->output);
    lb_problems_add (problems, input->place, LB_ERROR_PIPELINE,
                     "stage '%s': input '%s' reads '%s', but plugin '%s' of stage '%s' has no output '%s'%s", name,
                     input->port, input->source, source->written->plugin, input->stage, input->output, hint);
    return FALSE;
  }
  link->output = (guint)output;
  return TRUE;
}

/* The registry takes in no type whose ports carry unknown schemas. */
static gboolean
check_schemas (LbPlan *plan, LbPlanStage *stage, const LbPlanLink *link, LbProblems *problems)
{
  const LbPipelineInput *input = link->written;
  const LbPlanStage *source = &plan->stages[link->source];
  const LbPort *output = lb_plan_output (plan, link->source, link->output);
  LbSchemas *schemas = lb_registry_schemas (plan->registry);
  if (lb_schema_is_a (lb_schemas_find (schemas, output->schema), lb_schemas_find (schemas, link->port->schema)))
    return TRUE;
  g_autofree char *other_end = lb_problems_place (problems, source->written->place);
  lb_problems_add (
      problems, input->place, LB_ERROR_PIPELINE,
      "stage '%s': input '%s' takes a stream of %s, but '%s' (stage at %s) is one of %s; link a stream of %s",
      stage->written->name, input->port, link->port->schema, input->source, other_end, output->schema,
      link->port->schema);
  return FALSE;
}

static void
resolve_links (LbPlan *plan, LbPlanStage *stage, LbProblems *problems)
{
  GPtrArray *inputs = stage->written->inputs;
  for (guint i = 0; i < inputs->len; i++) {
    const LbPipelineInput *input = inputs->pdata[i];
    LbPlanLink link = { .written = input };
    if (stage->entry != NULL)
      link.port = resolve_port (stage, input, problems);
    gboolean found = input->stage != NULL && resolve_source (plan, stage, input, &link, problems);
    if (link.port != NULL && found && check_schemas (plan, stage, &link, problems))
      g_array_append_val (stage->links, link);
    else
      stage->broken = TRUE;
  }
}

/* Inputs that must be linked and are not even written. */
static void
tell_missing_inputs (LbPlanStage *stage, LbProblems *problems)
{
  const LbPort *ports = stage->entry->type->inputs;
  for (guint i = 0; i < count_ports (ports); i++) {
    gboolean written = (ports[i].flags & LB_PORT_OPTIONAL) != 0;
    for (guint k = 0; k < stage->written->inputs->len; k++)
      written |= strcmp (((LbPipelineInput *)stage->written->inputs->pdata[k])->port, ports[i].name) == 0;
    if (written)
      continue;
    stage->broken = TRUE;
    lb_problems_add (problems, stage->written->place, LB_ERROR_PIPELINE,
                     "stage '%s': input '%s' is missing; link a stream of %s (%s) under 'inputs'", stage->written->name,
                     ports[i].name, ports[i].schema, ports[i].doc != NULL ? ports[i].doc : "");
  }
}

/* ---- Order ---- */

/* Kahn's algorithm; among stages that are ready, the first in the file comes first. */
static void
sort_stages (LbPlan *plan, gboolean *placed)
{
  gboolean progress = TRUE;
  while (progress) {
    progress = FALSE;
    for (guint i = 0; i < plan->n_stages; i++) {
      gboolean ready = !placed[i];
      for (guint k = 0; ready && k < plan->stages[i].links->len; k++)
        ready = placed[get_link (&plan->stages[i], k)->source];
      if (!ready)
        continue;
      placed[i] = progress = TRUE;
      plan->order[plan->n_ordered++] = i;
    }
  }
}

/* The shortest way from @start back to itself along links, as the stages passed after it, the last being @start; empty
 * when there is none. Breadth first. */
static GArray *
find_cycle (LbPlan *plan, guint start)
{
  g_autofree int *reached_from = g_new (int, plan->n_stages);
  g_autofree guint *queue = g_new (guint, plan->n_stages + 1);
  guint head = 0, tail = 0;
  GArray *cycle = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < plan->n_stages; i++)
    reached_from[i] = -1;
  queue[tail++] = start;
  while (head < tail && reached_from[start] < 0) {
    guint at = queue[head++];
    for (guint k = 0; k < plan->stages[at].links->len; k++) {
      guint next = get_link (&plan->stages[at], k)->source;
      if (reached_from[next] >= 0)
        continue;
      reached_from[next] = (int)at;
      if (next != start)
        queue[tail++] = next;
    }
  }
  if (reached_from[start] < 0)
    return cycle;
  guint at = start;
  do {
    g_array_prepend_val (cycle, at);
    at = (guint)reached_from[at];
  } while (at != start);
  return cycle;
}

/* Tells each cycle among the stages that could not be placed once, at its first stage in the file. */
static void
tell_cycles (LbPlan *plan, const gboolean *placed, LbProblems *problems)
{
  g_autofree gboolean *told = g_new0 (gboolean, plan->n_stages);
  for (guint i = 0; i < plan->n_stages; i++) {
    if (placed[i])
      continue;
    plan->stages[i].broken = TRUE;
    g_autoptr (GArray) cycle = told[i] ? NULL : find_cycle (plan, i);
    if (cycle == NULL || cycle->len == 0)
      continue;
    g_autoptr (GString) path = g_string_new (plan->stages[i].written->name);
    for (guint k = 0; k < cycle->len; k++) {
      guint passed = g_array_index (cycle, guint, k);
      told[passed] = TRUE;
      g_string_append_printf (path, " reads %s%s", plan->stages[passed].written->name,
                              k + 1 < cycle->len ? ", which" : "");
    }
    lb_problems_add (problems, plan->stages[i].written->place, LB_ERROR_PIPELINE,
                     "stage '%s': waits for its own output: %s; remove one of these links",
                     plan->stages[i].written->name, path->str);
  }
}

/* ---- Plans ---- */

LbPlan *
lb_plan_new (const LbPipeline *pipeline, LbRegistry *registry, LbProblems *problems)
{
  LbPlan *plan = g_new0 (LbPlan, 1);
  plan->pipeline = pipeline;
  plan->registry = registry;
  plan->n_stages = pipeline->stages->len;
  plan->threads = g_get_num_processors ();
  plan->stages = g_new0 (LbPlanStage, plan->n_stages);
  plan->order = g_new0 (guint, plan->n_stages);
  for (guint i = 0; i < plan->n_stages; i++) {
    plan->stages[i].written = pipeline->stages->pdata[i];
    plan->stages[i].links = g_array_new (FALSE, FALSE, sizeof (LbPlanLink));
    resolve_plugin (plan, &plan->stages[i], problems);
  }
  for (guint i = 0; i < plan->n_stages; i++) {
    resolve_links (plan, &plan->stages[i], problems);
    if (plan->stages[i].entry != NULL)
      tell_missing_inputs (&plan->stages[i], problems);
  }
  g_autofree gboolean *placed = g_new0 (gboolean, plan->n_stages);
  sort_stages (plan, placed);
  tell_cycles (plan, placed, problems);
  return plan;
}

void
lb_plan_free (LbPlan *plan)
{
  if (plan == NULL)
    return;
  for (guint i = 0; i < plan->n_stages; i++) {
    LbPlanStage *stage = &plan->stages[i];
    g_clear_pointer (&stage->configured, lb_configured_free);
    if (stage->self != NULL)
      lb_properties_clear (stage->entry->type, stage->self);
    g_free (stage->self);
    g_array_unref (stage->links);
  }
  g_free (plan->stages);
  g_free (plan->order);
  g_free (plan);
}

const LbPort *
lb_plan_output (const LbPlan *plan, guint stage, guint output)
{
  return &plan->stages[stage].entry->type->outputs[output];
}

const LbSpec *
lb_plan_spec (const LbPlan *plan, guint stage, guint output)
{
  const LbConfigured *configured = plan->stages[stage].configured;
  return configured != NULL ? configured->outputs->pdata[output] : NULL;
}

guint
lb_plan_n_readers (const LbPlan *plan, guint stage, guint output)
{
  guint n = 0;
  for (guint i = 0; i < plan->n_stages; i++)
    for (guint k = 0; k < plan->stages[i].links->len; k++) {
      const LbPlanLink *link = get_link (&plan->stages[i], k);
      n += link->source == stage && link->output == output;
    }
  return n;
}
