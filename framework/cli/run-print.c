/* What 'limbeck run' prints on standard output. */
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "cli/run-parts.h"
#include "cli/table.h"
#include "graph/program.h"
#include "pipeline/metrics.h"

static char *
format_rate (double flops, double seconds)
{
  if (!(flops > 0 && seconds > 0))
    return NULL;
  return g_strdup_printf ("%.1f GFLOP/s", flops / seconds / 1e9);
}

static void
add_stage_row (LbTable *table, const LbRun *run, guint index)
{
  const LbPlanStage *stage = &lb_run_plan (run)->stages[index];
  const LbActivity *activity = lb_run_activity (run, index);
  gboolean reused = lb_run_outcome (run, index) == LB_REUSE_RESULT;
  double seconds = reused ? 0 : lb_activity_seconds (activity, activity->ended);
  g_autofree char *time = reused ? g_strdup ("reused") : lb_format_seconds (seconds);
  g_autofree char *flops = activity->flops > 0 ? lb_format_flops (activity->flops) : NULL;
  /* Work that was done in an earlier run did not take this time. */
  g_autofree char *rate = format_rate (activity->flops - activity->flops_before, seconds);
  g_autofree char *bytes = activity->bytes_out > 0 ? lb_format_bytes (activity->bytes_out) : NULL;
  g_autofree char *held = activity->held > 0 ? lb_format_bytes (activity->held) : NULL;
  lb_table_add (table, stage->written->name, stage->written->plugin, time, flops, rate, held, bytes);
}

static void
print_text (const LbRun *run)
{
  const LbPlan *plan = lb_run_plan (run);
  for (guint i = 0; i < plan->n_stages; i++) {
    GPtrArray *reports = lb_run_reports (run, i);
    for (guint k = 0; k < reports->len; k++) {
      const char *text = reports->pdata[k];
      printf ("%s%s\n", text, g_str_has_suffix (text, "\n") ? "" : "\n");
    }
  }
  g_autoptr (LbTable) table = lb_table_new ("llrrrrr");
  lb_table_add (table, "stage", "plugin", "time", "work", "rate", "memory", "sent");
  for (guint i = 0; i < plan->n_stages; i++)
    add_stage_row (table, run, i);
  g_autofree char *text = lb_table_to_text (table, 0);
  g_autofree char *seconds = lb_format_seconds (lb_run_seconds (run));
  printf ("%s\nDone in %s on %u thread%s. Results are in %s\n", text, seconds, lb_run_threads (run),
          lb_run_threads (run) == 1 ? "" : "s", lb_run_output_directory (run));
  g_autofree char *peak = lb_format_bytes (lb_run_memory_peak (run));
  if (lb_run_memory_peak (run) > 0)
    printf ("It took at most %s of memory.\n", peak);
}

void
lb_run_print (const LbRun *run, const LbRunOptions *options)
{
  if (options->output_format == LB_FORMAT_JSON) {
    g_autofree char *json = lb_metrics_to_json (run);
    fputs (json, stdout);
  } else if (!options->quiet) {
    print_text (run);
  }
}

int
lb_run_print_plan (const LbPlan *plan, LbStore *store, const char *point)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbReuse) reuse
      = store != NULL ? lb_reuse_decide (plan, store, lb_arithmetic_description (), TRUE, &error) : NULL;
  g_autoptr (LbTable) table = lb_table_new ("lll");
  if (error != NULL)
    return lb_command_fail (error);
  lb_table_add (table, "stage", "would be", "because");
  for (guint i = 0; i < plan->n_stages; i++)
    lb_table_add (table, plan->stages[i].written->name,
                  lb_reuse_word (reuse != NULL ? reuse->stages[i].kind : LB_REUSE_NOT),
                  reuse != NULL ? reuse->stages[i].why : "no result is kept");
  for (guint i = 0; reuse != NULL && i < reuse->notices->len; i++)
    fprintf (stderr, "limbeck: %s\n", (char *)reuse->notices->pdata[i]);
  g_autofree char *text = lb_table_to_text (table, 0);
  printf ("%s%s%s", point != NULL ? point : "", point != NULL ? "\n" : "", text);
  return 0;
}
