/* The watch over a run: says when nothing goes on any more, and when it does again. It stops nothing, as only the user
 * can know whether a slow disk is worth waiting for.
 */
#pragma once

#include "pipeline/activity.h"

G_BEGIN_DECLS

typedef struct {
  gint64 patience;     /* microseconds without progress that make a stall */
  gint64 since;        /* when there was progress last; 0 before the first look */
  guint64 moved;       /* what had been moved by then */
  double busy;         /* seconds of processor time by then */
  gint64 next_warning; /* after how many microseconds it is told again */
} LbWatch;

/* @patience in seconds. */
LbWatch lb_watch_new (double patience);

/* One look at @now (of g_get_monotonic_time()). @moved is any count that grows when some stage gets on: packets, steps;
 * @busy the processor time in seconds that stages and workers have taken. A stall is when neither grows, the latter by
 * no more than a hundredth of the time. Returns a sentence when one begins, at each doubling of its length, and when it
 * has ended; NULL otherwise. Free with g_free(). */
char *lb_watch_look (LbWatch *watch, const LbActivity *activities, guint n, guint64 moved, double busy, gint64 now);

G_END_DECLS
