/* Learning-rate schedules. */
#include "nn/schedule.h"

#include "base/angle.h"

/* The first epoch past half-way, as the protocol of dataset condensation counts it. */
static guint64
step_epoch (const LbSchedule *schedule)
{
  return (guint64)(schedule->epochs / 2 + 1);
}

/* Half a cosine over the steps behind the warm-up. */
static double
cosine (const LbSchedule *schedule, guint64 done, guint64 epoch_steps)
{
  double warm = (double)((guint64)schedule->warmup * epoch_steps);
  double all = (double)((guint64)schedule->epochs * epoch_steps), s, c;

  lb_sine_cosine (2 * MIN (1, ((double)done - warm) / MAX (1, all - warm)), &s, &c);
  return 0.5 * (1 + c);
}

/* Behind 2/3 and 5/6 of the epochs, rounded down. */
static double
two_steps (const LbSchedule *schedule, gint64 epoch)
{
  double factor = epoch >= 2 * schedule->epochs / 3 ? schedule->decay : 1;

  return epoch >= 5 * schedule->epochs / 6 ? factor * schedule->decay : factor;
}

double
lb_schedule_factor (const LbSchedule *schedule, guint64 epoch, guint64 step, guint64 epoch_steps)
{
  guint64 done = epoch * epoch_steps + step, warm = (guint64)schedule->warmup * epoch_steps;

  if (done < warm)
    return schedule->warmup_start + (1 - schedule->warmup_start) * ((double)(done + 1) / (double)warm);
  switch (schedule->kind) {
  case LB_SCHEDULE_STEP:
    return epoch >= step_epoch (schedule) ? schedule->decay : 1;
  case LB_SCHEDULE_COSINE:
    return cosine (schedule, done, epoch_steps);
  case LB_SCHEDULE_TWO_STEPS:
    return two_steps (schedule, (gint64)epoch);
  case LB_SCHEDULE_CONSTANT:
    break;
  }
  return 1;
}

gboolean
lb_schedule_restarts (const LbSchedule *schedule, guint64 epoch)
{
  return schedule->kind == LB_SCHEDULE_STEP && schedule->decay != 1 && epoch == step_epoch (schedule);
}
