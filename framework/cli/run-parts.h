/* The parts of 'limbeck run': its options, one run, the runs of a matrix, and what they print. Private to cli/. */
#pragma once

#include "cli/command.h"
#include "pipeline/run.h"

G_BEGIN_DECLS

typedef enum { LB_FORMAT_TEXT, LB_FORMAT_JSON } LbRunFormat;
typedef enum { LB_SHOW_AUTO, LB_SHOW_PLAIN, LB_SHOW_JSON, LB_SHOW_NONE } LbRunShow;

typedef struct {
  LbChanges changes;
  char *output, *threads, *format, *memory_limit, *progress, *trace, *store, *interval, *only, *until, *jobs;
  gboolean quiet, trace_numerics, no_store, dry_run;
  GStrv files, data;
  guint n_threads, n_jobs; /* 0: one for each processor */
  double checkpoint_interval;
  LbRunFormat output_format;
  LbRunShow show;
  guint64 most_memory; /* bytes; G_MAXUINT64 for any, 0 for what is there */
} LbRunOptions;

LbParsed lb_run_options_parse (int argc, char **argv, LbRunOptions *options);
void lb_run_options_clear (LbRunOptions *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LbRunOptions, lb_run_options_clear)

/* What a run is to be, without output directory, progress and pool. */
LbRunSettings lb_run_options_settings (const LbRunOptions *options, LbStore *store);

/* The bytes that a run may be predicted to take beside @taken, which the process has taken; G_MAXUINT64: any. *whose
 * says where they come from. */
guint64 lb_run_options_memory (const LbRunOptions *options, guint64 taken, const char **whose);

/* NULL where nothing is to be shown. */
LbProgress *lb_run_options_progress (const LbRunOptions *options, gboolean may_be_live);

/* Whether --only can be done: all that the stage needs is kept, or cheap. Tells if not. */
gboolean lb_run_options_only (const LbRunOptions *options, const LbPlan *plan, LbStore *store, GError **error);

/* Opens the archive that is to be run, files[0]: unpacks it below the output directory, finds its inputs, and puts the
 * pipeline file's path, the changes that lead to it and the output directory into @options. Returns the exit status. */
int lb_run_open_archive (LbRunOptions *options);

/* Runs every point of the matrix that @first, the pipeline without it, has. Returns the exit status. */
int lb_run_matrix (const LbRunOptions *options, const LbLoaded *first, LbStore *store);

/* On standard output: the reports and the table of costs; metrics.json; or with --dry-run what would be done. */
void lb_run_print (const LbRun *run, const LbRunOptions *options);
int lb_run_print_plan (const LbPlan *plan, LbStore *store, const char *point);

G_END_DECLS
