/* The observer of a run: everything that tells others how it goes. It feeds the progress on standard error, the journal
 * in the output directory (journal.h), and looks out for what people would want to know within seconds: values that are
 * no numbers, a run that does not get on, a disk that fills up.
 *
 * What stages compute never depends on it.
 */
#pragma once

#include "pipeline/activity.h"
#include "pipeline/plan.h"
#include "pipeline/progress.h"

G_BEGIN_DECLS

typedef struct {
  LbProgress *progress; /* borrowed; NULL: none */
  guint threads;        /* of the pool, for the log */
  const char *arithmetic;
  double patience; /* seconds without progress that are told as a stall; 0: 10 */
  guint64 scarce;  /* bytes left on the output's disk that are told as few; 0: 64 MiB */
} LbObserverSettings;

typedef struct _LbObserver LbObserver;

/* Starts the journal in @directory; LB_ERROR_OUTPUT. @plan outlives it. */
LbObserver *
lb_observer_new (const LbPlan *plan, const char *directory, const LbObserverSettings *settings, GError **error);
void lb_observer_free (LbObserver *observer);

/* ---- From any thread ---- */

/* A line for people: shown with the next update, and logged. */
void lb_observer_say (LbObserver *observer, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* A line for the log alone. */
void lb_observer_log (LbObserver *observer, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* A figure that stage @stage (an index of the plan) records at @step. */
void
lb_observer_metric (LbObserver *observer, guint stage, guint64 step, const char *name, double value, const char *unit);

/* The current value that it tells with its progress; goes into the journal at steps that their number chooses: all of
 * the first hundred, then about a hundred for each tenfold, and the last. */
void lb_observer_value (LbObserver *observer, guint stage, guint64 step, guint64 total, const char *name, double value);

/* The same of one of the parts that it does side by side; steps are the part's. */
void lb_observer_part (LbObserver *observer, guint stage, guint part, guint64 step, guint64 total, const char *name,
                       double value);

/* That link @link grew; see lb_flow_on_grown(). Told at the first time and each time its bound has doubled since. */
void lb_observer_grown (LbObserver *observer, const char *link, gsize from, gsize to);

/* ---- From the main thread ---- */

/* Shows and records the state at @now; call several times a second. @moved is a count of packets that passed links. */
void lb_observer_tick (LbObserver *observer, const LbActivity *activities, guint n, guint64 moved, gint64 now);

/* The same for the last time. @failure is what the run failed of, or NULL. LB_ERROR_OUTPUT when the journal could not
 * be completed. */
gboolean lb_observer_end (LbObserver *observer, const LbActivity *activities, guint n, const GError *failure,
                          gint64 now, GError **error);

/* Writes the journal up to now, if that can be done. */
void lb_observer_flush (LbObserver *observer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbObserver, lb_observer_free)

G_END_DECLS
