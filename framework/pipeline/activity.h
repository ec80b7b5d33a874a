/* What is known of a stage while it runs: written by its thread, shown by progress.h, kept for metrics. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  LB_ACTIVITY_WAITING, /* for a packet to come or to be taken */
  LB_ACTIVITY_RUNNING,
  LB_ACTIVITY_DONE,
  LB_ACTIVITY_STOPPED, /* because the run was stopped or another stage failed */
  LB_ACTIVITY_FAILED
} LbActivityState;

/* Parts of a stage at work that are shown. */
#define LB_MOST_PARTS 16

/* One of the parts that a stage does side by side. */
typedef struct {
  guint number;
  guint64 done, total; /* steps */
  char what[24];       /* name of @value; "" for none */
  double value;
} LbPartActivity;

/* A plain value. Times are of g_get_monotonic_time(). */
typedef struct {
  const char *name; /* of the stage */
  LbActivityState state;
  gint64 started, ended; /* 0 until then */
  gint64 waited;         /* microseconds between them that it was blocked on its links */
  guint64 done, total;   /* steps; @total 0 until the stage tells */
  gint64 rate_time;      /* when @rate_done steps were done: the rate is counted from there */
  guint64 rate_done;
  guint64 reports; /* of progress, so far */
  char what[24];   /* name of @value; "" for none */
  double value;    /* current value, such as the loss */
  char metric[24]; /* name of the figure recorded last; "" for none */
  double metric_value;
  const char *waits_for;               /* name of the link that it is blocked on; the run's; NULL when it is not */
  gboolean is_writing;                 /* blocked for room there; otherwise for a packet */
  guint n_parts;                       /* at work side by side; 0 in a stage without */
  LbPartActivity parts[LB_MOST_PARTS]; /* the first @n_parts, in order */
  double flops;                        /* floating-point operations; at the end */
  double flops_before;                 /* of these, those that an earlier run did; at the end */
  guint64 bytes_out;                   /* at the end */
  gint64 saving;                       /* microseconds spent on checkpoints; at the end */
  guint64 held;                        /* most bytes of tensors and programs at once; at the end */
} LbActivity;

/* Notes a report of progress that came at @now. */
void lb_activity_report (LbActivity *activity, guint64 done, guint64 total, const char *what, double value, gint64 now);

/* Notes how far part @part is; when it has ended, it is no longer shown. */
void lb_activity_part (LbActivity *activity, guint part, gboolean has_ended, guint64 done, guint64 total,
                       const char *what, double value);

/* Notes a figure that the stage records. */
void lb_activity_metric (LbActivity *activity, const char *name, double value);

/* "waiting", "running", "done", "stopped" or "failed". */
const char *lb_activity_state_name (LbActivityState state);

/* Steps per second, 0 when not known yet. */
double lb_activity_rate (const LbActivity *activity, gint64 now);

/* Seconds until @done is @total at that rate; -1 when not known. */
double lb_activity_left (const LbActivity *activity, gint64 now);

/* Seconds of work so far, or in all; waiting does not count. */
double lb_activity_seconds (const LbActivity *activity, gint64 now);

G_END_DECLS
