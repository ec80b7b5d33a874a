/* Keep: one stage of a run whose results go to the store, or come from there.
 *
 * While the stage runs, its packets are appended to files of its work in the store, and checkpoints tell how far they
 * and all else had come when the stage could be taken up again. When it has ended, the work becomes the result.
 */
#pragma once

#include "pipeline/reuse.h"
#include "plugin/host.h"

G_BEGIN_DECLS

typedef struct {
  const LbReuseStage *reuse; /* borrowed; decided for this stage */
  LbStore *store;
  guint n_outputs;
  const char *output_directory;
  LbFlow *flow;
  gint64 checkpoint_interval;                       /* microseconds */
  void (*notice) (gpointer data, const char *text); /* a sentence for the user; from the stage's thread */
  gpointer data;
} LbKeepSetup;

typedef struct _LbKeep LbKeep;

LbKeep *lb_keep_new (const LbKeepSetup *setup);
void lb_keep_free (LbKeep *keep);

/* For the stage's setup; the data is the LbKeep. */
extern const LbStageKeeper lb_keep_keeper;

/* In place of lb_stage_run(): brings the stage's results back, or waits for another run that computes them, or runs the
 * stage and keeps them. */
gboolean lb_keep_run (LbKeep *keep, LbStage *stage, GError **error);

/* What the stage has sent, written and told, once lb_keep_run() has succeeded; the keep's. */
const LbLedger *lb_keep_ledger (const LbKeep *keep);

/* What came of it, once lb_keep_run() has ended. */
LbReuseKind lb_keep_outcome (const LbKeep *keep);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbKeep, lb_keep_free)

G_END_DECLS
