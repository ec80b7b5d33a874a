/* limbeck check: all mistakes of a pipeline, or the types of its streams and what its stages predict to cost. */
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/wrap.h"

static guint
count_outputs (const LbPlan *plan, guint stage)
{
  const LbPort *ports = plan->stages[stage].entry->type->outputs;
  guint n = 0;
  while (ports != NULL && ports[n].name != NULL)
    n++;
  return n;
}

/* Each stream with its dimensions, and below its fields. */
static void
print_streams (const LbPlan *plan)
{
  printf ("Streams:\n");
  for (guint k = 0; k < plan->n_ordered; k++) {
    guint i = plan->order[k];
    for (guint output = 0; output < count_outputs (plan, i); output++) {
      g_autofree char *spec = lb_spec_to_string (lb_plan_spec (plan, i, output));
      char *fields = strstr (spec, ": ");
      if (fields != NULL)
        *fields = '\0';
      printf ("  %s.%s: %s%s\n", plan->stages[i].written->name, lb_plan_output (plan, i, output)->name, spec,
              lb_plan_n_readers (plan, i, output) == 0 ? ", read by nobody" : "");
      if (fields != NULL)
        lb_print_wrapped (fields + 2, 6);
    }
  }
}

static void
print_cost (const LbPlan *plan)
{
  double flops = 0;
  guint n_silent = 0;
  g_autoptr (LbTable) table = lb_table_new ("llrr");
  lb_table_add (table, "stage", "plugin", "work", "memory");
  for (guint k = 0; k < plan->n_ordered; k++) {
    const LbPlanStage *stage = &plan->stages[plan->order[k]];
    const LbConfigured *configured = stage->configured;
    g_autofree char *work = configured->flops >= 0 ? lb_format_flops (configured->flops) : NULL;
    g_autofree char *memory = configured->bytes >= 0 ? lb_format_bytes ((guint64)configured->bytes) : NULL;
    lb_table_add (table, stage->written->name, stage->written->plugin, work != NULL ? work : "?",
                  memory != NULL ? memory : "?");
    n_silent += configured->flops < 0;
    flops += MAX (configured->flops, 0);
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  g_autofree char *total = lb_format_flops (flops);
  printf ("\nPredicted cost (memory beside packets):\n%s  in all: %s", text, total);
  if (n_silent > 0)
    printf (", without the %u stage%s that cannot tell", n_silent, n_silent == 1 ? "" : "s");
  printf ("\n");
}

int
lb_command_check (int argc, char **argv)
{
  g_auto (LbChanges) changes = { 0 };
  g_auto (GStrv) files = NULL;
  const GOptionEntry entries[] = { LB_CHANGE_ENTRIES (&changes), G_OPTION_ENTRY_NULL };
  LbParsed parsed = lb_command_parse (argc, argv, entries, "FILE",
                                      "Finds all mistakes in the pipeline that FILE describes, without running it.\n"
                                      "Where there is none, prints the types of its streams and what it will cost.",
                                      NULL, 1, 1, &files);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_auto (LbLoaded) loaded = { 0 };
  int status = lb_command_load (files[0], &changes, TRUE, &loaded);
  if (status != 0)
    return status;
  printf ("%s\n\n", loaded.pipeline->title);
  print_streams (loaded.plan);
  print_cost (loaded.plan);
  return 0;
}
