/* What stands behind an LbStage: links, types, pool and listeners. The runner makes one for each stage of a pipeline; a
 * test harness can make one alone. Private to the framework.
 */
#pragma once

#include "plugin/configure.h"
#include "stream/link.h"

G_BEGIN_DECLS

/* How far one of the parts of a stage is, and with it the stage (lb_stage_parts()). */
typedef struct {
  guint part, n_parts;
  gboolean has_ended;
  guint64 done, total; /* steps of the part */
  const char *what;
  double value;
  guint64 all_done, all_total; /* steps of the stage; those of parts that have not told are taken to be as many */
} LbPartProgress;

/* Called from the stage's thread, and from those of its parts one at a time. Any may be NULL. */
typedef struct {
  void (*progress) (gpointer data, LbStage *stage, guint64 done, guint64 total, const char *what, double value);
  void (*metric) (gpointer data, LbStage *stage, const char *name, double value, const char *unit);
  void (*report) (gpointer data, LbStage *stage, const char *text);
  gboolean (*facts) (gpointer data, LbStage *stage, char **facts, GError **error); /* waits for the other stages */
  void (*part) (gpointer data, LbStage *stage, const LbPartProgress *progress);    /* NULL: parts come as progress */
} LbStageListener;

/* Who keeps what a stage has done, so that it need not be done again. Called from the stage's thread. */
typedef struct {
  gboolean (*resume) (gpointer data, LbStage *stage, LbState *state, GError **error);
  gboolean (*due) (gpointer data); /* is it time to copy the state? */
  void (*checkpoint) (gpointer data, LbState *state);
  gboolean (*packet) (gpointer data, guint output, LbPacket *packet, GError **error); /* before it is sent */
  void (*metric) (gpointer data, const char *name, double value, const char *unit);
  void (*report) (gpointer data, const char *text);
  void (*file) (gpointer data, const char *name);                    /* a result file is going to be written */
  void (*end) (gpointer data, const char *property, LbState *state); /* where a longer run goes on */
} LbStageKeeper;

typedef struct {
  const char *port;   /* of the stage */
  const char *source; /* "distill.samples"; inputs only */
  LbLink *link;
} LbStageLink;

typedef struct {
  const char *name;     /* in the pipeline */
  const char *ancestry; /* or NULL; see lb_stage_ancestry() */
  const LbStageType *type;
  gpointer self; /* properties set; the caller's */
  LbKey key;     /* of the pipeline's seed */
  LbFlow *flow;
  LbPool *pool;
  gboolean trace_numerics;        /* look for the operation that makes the first value that is not finite */
  const char *output_directory;   /* made when first written to */
  const LbConfigured *configured; /* borrowed */
  const LbStageLink *inputs;      /* links of one port in the order lb_configure_run() got them */
  guint n_inputs;
  const LbStageLink *outputs; /* several may name one port: fan-out */
  guint n_outputs;
  const LbStageListener *listener;
  gpointer listener_data;
  const LbStageKeeper *keeper; /* or NULL */
  gpointer keeper_data;
} LbStageSetup;

LbStage *lb_stage_new (const LbStageSetup *setup);
void lb_stage_free (LbStage *stage);

/* Runs the stage in the calling thread, then closes its links at both ends: writers first, so that end of stream
 * travels on. When the stage fails, the links are left to lb_flow_cancel(). The caller then calls
 * lb_flow_stage_ended(), after lb_flow_cancel() if it cancels, so that the others see a cancelled run and not a
 * deadlock. */
gboolean lb_stage_run (LbStage *stage, GError **error);

/* What lb_stage_run() is made of, for one who brings results back instead. Closing the inputs drops what still comes;
 * closing the outputs ends the streams. */
gboolean lb_stage_work (LbStage *stage, GError **error);
void lb_stage_close_inputs (LbStage *stage);
void lb_stage_close_outputs (LbStage *stage);

/* Sends a packet that the stage sent once before; it is not checked, and the keeper is not told. */
gboolean lb_stage_resend (LbStage *stage, guint output, LbPacket *packet, GError **error);

/* Counts operations and bytes that were done before, by an earlier run; and the operations that were so counted. */
void lb_stage_credit (LbStage *stage, double flops, guint64 bytes_out);
double lb_stage_credited_flops (LbStage *stage);

/* Bytes pushed on all ports, each packet counted once however many readers it has. */
guint64 lb_stage_bytes_out (LbStage *stage);

/* The most bytes of tensors and programs made by the stage, packets included, that were there at once. */
guint64 lb_stage_held_bytes (LbStage *stage);

/* Microseconds that the stage has spent on checkpoints, those of its parts added up. */
gint64 lb_stage_saving (LbStage *stage);
void lb_stage_count_saving (LbStage *stage, gint64 microseconds);

/* Microseconds that the stage has been blocked on its links up to @now (of g_get_monotonic_time()); and on which, and
 * since when, it is: NULL and 0 when it runs. */
gint64 lb_stage_waited (LbStage *stage, gint64 now, const LbLink **link, gint64 *since);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbStage, lb_stage_free)

G_END_DECLS
