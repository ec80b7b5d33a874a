/* Rates and times of a stage's work. */
#include "pipeline/activity.h"

void
lb_activity_report (LbActivity *activity, guint64 done, guint64 total, const char *what, double value, gint64 now)
{
  /* The first report, and each that starts over, is where counting begins: what went before it was of another kind. */
  if (activity->rate_time == 0 || done < activity->done || total != activity->total) {
    activity->rate_time = now;
    activity->rate_done = done;
  }
  activity->done = done;
  activity->total = total;
  activity->value = value;
  g_strlcpy (activity->what, what != NULL ? what : "", sizeof activity->what);
}

double
lb_activity_rate (const LbActivity *activity, gint64 now)
{
  double seconds = (double)(now - activity->rate_time) / G_USEC_PER_SEC;
  if (activity->rate_time == 0 || seconds <= 0 || activity->done <= activity->rate_done)
    return 0;
  return (double)(activity->done - activity->rate_done) / seconds;
}

double
lb_activity_seconds (const LbActivity *activity, gint64 now)
{
  if (activity->started == 0)
    return 0;
  gint64 end = activity->ended != 0 ? activity->ended : now;
  return (double)MAX (end - activity->started - activity->waited, 0) / G_USEC_PER_SEC;
}
