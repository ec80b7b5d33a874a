/* A run and its stages, while they run; for run.c and run-stage.c alone. */
#pragma once

#include "pipeline/facts.h"
#include "pipeline/keep.h"
#include "pipeline/observer.h"
#include "pipeline/provenance.h"
#include "pipeline/run.h"
#include "plugin/host.h"

G_BEGIN_DECLS

typedef struct {
  LbRun *run;
  const LbPlanStage *planned;
  LbStage *stage;
  LbKeep *keep;             /* NULL without a store; */
  LbLedger *note;           /* then this is there */
  GArray *inputs, *outputs; /* LbStageLink */
  GThread *thread;
  LbActivity activity;
  GPtrArray *metrics; /* LbMetric* */
  GPtrArray *reports; /* char* */
} LbRunStage;

struct _LbRun {
  LbPlan *plan;
  char *output_directory;
  char *arithmetic;
  LbObserver *observer;
  LbPool *pool;
  gboolean shares_pool; /* it is another's */
  LbFlow *flow;
  LbReuse *reuse;     /* NULL without a store */
  LbRunStage *stages; /* beside plan->stages */
  guint n_stages;
  GMainContext *context;
  LbFacts *facts; /* for stages that close the run */
  GMutex lock;    /* guards what follows and the activities, metrics and reports */
  guint n_alive;
  gboolean cancelled;  /* by the user, before any stage failed and all had ended */
  GPtrArray *failures; /* GError*, in the order they happened */
  GError *stop;        /* what stopped a stage when nothing else explains it */
  gint64 started, ended, started_real;
  LbProvenance *provenance;
  LbCost *cost;
  gboolean knows_peak;
  guint64 memory_before, memory_peak;
};

/* What a stage tells while it runs goes here, with its LbRunStage. */
extern const LbStageListener lb_run_stage_listener;

/* Runs a stage, an LbRunStage, from its beginning to its end: the function of its thread. */
gpointer lb_run_stage_thread (gpointer stage);

/* The last thing that happens to a stage, whether or not it could be started. @error, which is taken, is NULL when it
 * went through. */
void lb_run_stage_end (LbRunStage *stage, GError *error);

G_END_DECLS
