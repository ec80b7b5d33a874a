/* Running a configured plan: one thread a stage, links between them, one pool for all arithmetic.
 *
 * The first stage that fails stops the others in order. What stages had finished writing by then stays in the output
 * directory; metrics.json is there only after a run that went through. Its folder run/ holds the record (record.h).
 */
#pragma once

#include <gio/gio.h>

#include "pipeline/activity.h"
#include "pipeline/cost.h"
#include "pipeline/progress.h"
#include "pipeline/reuse.h"

G_BEGIN_DECLS

/* Bytes that may wait in one link. */
#define LB_LINK_CAPACITY ((gsize)256 << 20)

/* Seconds between two checkpoints of a stage. */
#define LB_CHECKPOINT_INTERVAL 30.0

typedef struct {
  const char *output_directory; /* NULL: the pipeline file's base name with ".out", in the current directory */
  guint threads;                /* of the pool; 0: one for each processor */
  LbPool *pool;                 /* borrowed, shared with other runs; NULL: one of its own */
  const char *arithmetic;       /* what the arithmetic library is, for metrics.json; NULL: not told */
  gsize link_capacity;          /* 0: LB_LINK_CAPACITY */
  LbProgress *progress;         /* borrowed; NULL: none */
  gboolean trace_numerics;      /* stop at the first value that is not finite and tell what made it; slower */
  double patience;              /* seconds without progress that are told as a stall; 0: 10 */
  guint64 scarce;               /* bytes left on the output's disk that are told as few; 0: 64 MiB */
  LbStore *store;               /* borrowed; NULL: nothing is kept, and nothing reused */
  double checkpoint_interval;   /* seconds; 0: LB_CHECKPOINT_INTERVAL */
} LbRunSettings;

typedef struct _LbRun LbRun;

/* The output directory of the pipeline file @path where none is given; free with g_free(). */
char *lb_run_default_output (const char *path);

/* Makes the output directory and sees that it can be written to: LB_ERROR_OUTPUT. @plan must be free of problems and
 * outlive the result. */
LbRun *lb_run_new (LbPlan *plan, const LbRunSettings *settings, GError **error);
void lb_run_free (LbRun *run);

/* Runs all stages to their end and writes metrics.json. Meanwhile the caller's thread-default main context is iterated,
 * so that its sources (signals) are served. Once @cancellable is cancelled the stages stop at their next call of the
 * framework, and the result is LB_ERROR_CANCELLED. Stages' own errors come as "stage 'x': ...", one line each, the
 * first that happened first. May be called once. */
gboolean lb_run_execute (LbRun *run, GCancellable *cancellable, GError **error);

/* A line for people who watch the run, and for its log. From any thread. */
void lb_run_say (LbRun *run, const char *line);

const char *lb_run_output_directory (const LbRun *run);
guint lb_run_threads (const LbRun *run);
const LbPlan *lb_run_plan (const LbRun *run);
const char *lb_run_arithmetic (const LbRun *run);

/* After lb_run_execute(), for stage @index of the plan; some of it also tells of the run so far (facts.h): */
const LbActivity *lb_run_activity (const LbRun *run, guint index);
LbReuseKind lb_run_outcome (const LbRun *run, guint index);
GPtrArray *lb_run_metrics (const LbRun *run, guint index); /* LbMetric*, in the order recorded; the run's */
GPtrArray *lb_run_reports (const LbRun *run, guint index); /* char*; the run's */
double lb_run_seconds (const LbRun *run);

/* What was predicted; the run's. */
const LbCost *lb_run_cost (const LbRun *run);

/* Bytes of memory that the process took when the run began, and the most that it took during the run; 0 when the system
 * does not tell. */
guint64 lb_run_memory_before (const LbRun *run);
guint64 lb_run_memory_peak (const LbRun *run);

/* How often a link had to grow because every stage was blocked (link.h): a hint that its bound is too small. */
guint lb_run_links_grown (const LbRun *run);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbRun, lb_run_free)

G_END_DECLS
