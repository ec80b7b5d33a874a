/* limbeck check: all mistakes of a pipeline, or the types of its streams and what its stages predict to cost. */
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "cli/calibrate.h"
#include "cli/command.h"
#include "cli/table.h"
#include "cli/wrap.h"
#include "pipeline/cost.h"

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

/* "?" for a figure that a stage cannot tell. */
static char *
format_figure (double value, char *(*format) (double value))
{
  return value >= 0 ? format (value) : g_strdup ("?");
}

static char *
format_bytes (double bytes)
{
  return lb_format_bytes ((guint64)bytes);
}

/* @rate: operations per second, 0 when not known. */
static void
print_cost (const LbPlan *plan, const LbCost *cost, double rate)
{
  g_autoptr (LbTable) table = lb_table_new ("llrrrr");
  lb_table_add (table, "stage", "plugin", "work", "memory", "packets", "time alone");
  for (guint k = 0; k < plan->n_ordered; k++) {
    const LbPlanStage *stage = &plan->stages[plan->order[k]];
    const LbStageCost *predicted = &cost->stages[plan->order[k]];
    g_autofree char *work = format_figure (predicted->flops, lb_format_flops);
    g_autofree char *memory = format_figure (predicted->bytes, format_bytes);
    g_autofree char *packets = format_figure (predicted->packets, format_bytes);
    g_autofree char *time = rate > 0
                                ? format_figure (predicted->flops < 0 ? -1 : predicted->flops / rate, lb_format_seconds)
                                : g_strdup ("?");
    lb_table_add (table, stage->written->name, stage->written->plugin, work, memory, packets, time);
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  printf ("\nPredicted cost on %u thread%s (memory beside the packets that a stage sends, and of these):\n%s",
          plan->threads, plan->threads == 1 ? "" : "s", text);
}

static void
print_totals (const LbCost *cost, double rate)
{
  g_autofree char *flops = lb_format_flops (cost->flops);
  g_autofree char *peak = format_bytes (cost->peak_bytes);
  g_autofree char *base = lb_format_bytes (lb_memory_resident ());
  g_autofree char *available = lb_format_bytes (lb_memory_available ());
  g_autofree char *seconds = rate > 0 ? lb_format_seconds (cost->flops / rate) : g_strdup ("?");
  printf ("  in all: %s; at most %s of memory at once, beside %s that the command takes by itself (%s are available)\n",
          flops, peak, base, available);
  printf ("  time: about %s", seconds);
  if (rate > 0)
    printf (", an estimate from " LB_CALIBRATION_TEXT ", which just now ran at %.0f GFLOP/s", rate / 1e9);
  printf ("\n");
  if (cost->n_silent > 0)
    printf ("  Nothing is counted for the %u stage%s that cannot tell (?).\n", cost->n_silent,
            cost->n_silent == 1 ? "" : "s");
}

int
lb_command_check (int argc, char **argv)
{
  g_auto (LbChanges) changes = { 0 };
  g_auto (GStrv) files = NULL;
  g_autofree char *threads = NULL;
  const GOptionEntry entries[] = {
    LB_CHANGE_ENTRIES (&changes),
    { "threads", 't', 0, G_OPTION_ARG_FILENAME, &threads, "Threads to predict for (default: all processors)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (argc, argv, entries, "FILE",
                                      "Finds all mistakes in the pipeline that FILE describes, without running it.\n"
                                      "Where there is none, prints the types of its streams and what it will cost.",
                                      NULL, 1, 1, &files);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  int n_threads = lb_command_threads (threads);
  if (n_threads < 0)
    return LB_ERROR_USAGE;
  g_auto (LbLoaded) loaded = { .threads = (guint)n_threads };
  int status = lb_command_load (files[0], &changes, TRUE, &loaded);
  if (status != 0)
    return status;
  printf ("%s\n\n", loaded.pipeline->title);
  print_streams (loaded.plan);
  g_autoptr (LbCost) cost = lb_cost_new (loaded.plan);
  double rate = lb_calibrate ((guint)n_threads);
  print_cost (loaded.plan, cost, rate);
  print_totals (cost, rate);
  return 0;
}
