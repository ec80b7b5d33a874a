/* Progress of a run: for people a block of lines redrawn in place on a terminal, plain lines otherwise; for programs
 * one JSON object a line (status.h).
 *
 * Invariant: what was printed above the block is never touched, and nothing has to be restored when the process dies:
 * the cursor always rests at the start of a line.
 */
#pragma once

#include "pipeline/activity.h"

G_BEGIN_DECLS

typedef struct _LbProgress LbProgress;

typedef enum { LB_PROGRESS_PLAIN, LB_PROGRESS_LIVE, LB_PROGRESS_JSON } LbProgressKind;

/* Writes to @fd, LB_PROGRESS_LIVE if it is a terminal. Errors in writing are ignored: a run does not fail because
 * nobody looks on. Everything here is for one thread. */
LbProgress *lb_progress_new (int fd, LbProgressKind kind);
void lb_progress_free (LbProgress *progress);

/* Names the run where several tell of themselves: before each plain line, as "point" in each JSON object. */
void lb_progress_set_point (LbProgress *progress, const char *point);

/* Shows @activities, all stages in pipeline order; call several times a second. */
void lb_progress_update (LbProgress *progress, const LbActivity *activities, guint n, gint64 now);

/* Prints @line above the block, with the next update. */
void lb_progress_say (LbProgress *progress, const char *line);

/* What programs are told, and people see elsewhere: the start and the end of the run, and each figure recorded. */
void lb_progress_begin (LbProgress *progress, const char *title, const char *pipeline);
void lb_progress_metric (LbProgress *progress, const char *stage, guint64 step, const char *name, double value,
                         const char *unit);
void lb_progress_result (LbProgress *progress, const char *state, const char *error);

/* Shows the last state and ends the block. */
void lb_progress_finish (LbProgress *progress, const LbActivity *activities, guint n, gint64 now);

/* One line on @activity, without line end, at most @width columns: "61% 1,234/2,000  35.1/s  22 s left  loss 0.0123".
 * @bar draws a bar in front. Free with g_free(). */
char *lb_progress_line (const LbActivity *activity, gboolean bar, guint width, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbProgress, lb_progress_free)

G_END_DECLS
