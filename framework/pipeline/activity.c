/* Rates and times of a stage's work. */
#include <math.h>
#include <string.h>

#include "pipeline/activity.h"

void
lb_activity_report (LbActivity *activity, guint64 done, guint64 total, const char *what, double value, gint64 now)
{
  /* The first report, and each that starts over, is where counting begins: what went before it was of another kind. */
  if (activity->rate_time == 0 || done < activity->done || total != activity->total) {
    activity->rate_time = now;
    activity->rate_done = done;
  }
  activity->reports++;
  activity->done = done;
  activity->total = total;
  /* Not-a-number may come with a sign, which says nothing to anybody. */
  activity->value = isnan (value) ? NAN : value;
  g_strlcpy (activity->what, what != NULL ? what : "", sizeof activity->what);
}

/* Where part @part stands among those at work, or would stand. */
static guint
part_index (const LbActivity *activity, guint part)
{
  guint i = 0;
  while (i < activity->n_parts && activity->parts[i].number < part)
    i++;
  return i;
}

void
lb_activity_part (LbActivity *activity, guint part, gboolean has_ended, guint64 done, guint64 total, const char *what,
                  double value)
{
  guint i = part_index (activity, part), n = activity->n_parts;
  LbPartActivity *place = &activity->parts[i];
  gboolean there = i < n && place->number == part;
  if (has_ended) {
    if (there) {
      memmove (place, place + 1, (n - i - 1) * sizeof *place);
      activity->n_parts--;
    }
    return;
  }
  if (!there && n == LB_MOST_PARTS)
    return;
  if (!there) {
    memmove (place + 1, place, (n - i) * sizeof *place);
    activity->n_parts++;
  }
  *place = (LbPartActivity){ .number = part, .done = done, .total = total, .value = isnan (value) ? NAN : value };
  g_strlcpy (place->what, what != NULL ? what : "", sizeof place->what);
}

void
lb_activity_metric (LbActivity *activity, const char *name, double value)
{
  g_strlcpy (activity->metric, name, sizeof activity->metric);
  activity->metric_value = isnan (value) ? NAN : value;
}

const char *
lb_activity_state_name (LbActivityState state)
{
  static const char *const names[] = { [LB_ACTIVITY_WAITING] = "waiting",
                                       [LB_ACTIVITY_RUNNING] = "running",
                                       [LB_ACTIVITY_DONE] = "done",
                                       [LB_ACTIVITY_STOPPED] = "stopped",
                                       [LB_ACTIVITY_FAILED] = "failed" };
  return names[state];
}

double
lb_activity_rate (const LbActivity *activity, gint64 now)
{
  gint64 end = activity->ended != 0 ? activity->ended : now;
  double seconds = (double)(end - activity->rate_time) / G_USEC_PER_SEC;
  if (activity->rate_time == 0 || seconds <= 0 || activity->done <= activity->rate_done)
    return 0;
  return (double)(activity->done - activity->rate_done) / seconds;
}

double
lb_activity_left (const LbActivity *activity, gint64 now)
{
  double rate = lb_activity_rate (activity, now);
  if (rate <= 0 || activity->total < activity->done || activity->total == 0)
    return -1;
  return (double)(activity->total - activity->done) / rate;
}

double
lb_activity_seconds (const LbActivity *activity, gint64 now)
{
  if (activity->started == 0)
    return 0;
  gint64 end = activity->ended != 0 ? activity->ended : now;
  return (double)MAX (end - activity->started - activity->waited, 0) / G_USEC_PER_SEC;
}
