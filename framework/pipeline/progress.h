/* Progress of a run for people: a block of lines redrawn in place on a terminal, plain lines otherwise.
 *
 * Invariant: what was printed above the block is never touched, and nothing has to be restored when the process dies:
 * the cursor always rests at the start of a line.
 */
#pragma once

#include "pipeline/activity.h"

G_BEGIN_DECLS

typedef struct _LbProgress LbProgress;

/* Writes to @fd; @live for a terminal. Errors in writing are ignored: a run does not fail because nobody looks on. */
LbProgress *lb_progress_new (int fd, gboolean live);
void lb_progress_free (LbProgress *progress);

/* Shows @activities, all stages in pipeline order; call several times a second. */
void lb_progress_update (LbProgress *progress, const LbActivity *activities, guint n, gint64 now);

/* Prints @line above the block, with the next update. */
void lb_progress_say (LbProgress *progress, const char *line);

/* Shows the last state and ends the block. */
void lb_progress_finish (LbProgress *progress, const LbActivity *activities, guint n, gint64 now);

/* One line on @activity, without line end, at most @width columns: "61% 1,234/2,000  35.1/s  22 s left  loss 0.0123".
 * @bar draws a bar in front. Free with g_free(). */
char *lb_progress_line (const LbActivity *activity, gboolean bar, guint width, gint64 now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbProgress, lb_progress_free)

G_END_DECLS
