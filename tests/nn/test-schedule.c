/* Learning-rate schedules against values worked out by hand. */
#include "nn/numeric.h"

static void
test_nothing_asked_for_is_a_constant_rate (void)
{
  LbSchedule schedule = { 0 };

  for (guint epoch = 0; epoch < 5; epoch++) {
    g_assert_cmpfloat (lb_schedule_factor (&schedule, epoch, 1, 3), ==, 1);
    g_assert_false (lb_schedule_restarts (&schedule, epoch));
  }
}

/* 300 epochs: 151 at the full rate, then a tenth. */
static void
test_step_comes_once_past_half_way (void)
{
  LbSchedule schedule = { LB_SCHEDULE_STEP, 300, 0, 0.1 };

  g_assert_cmpfloat (lb_schedule_factor (&schedule, 150, 9, 10), ==, 1);
  g_assert_cmpfloat (lb_schedule_factor (&schedule, 151, 0, 10), ==, 0.1);
  g_assert_cmpfloat (lb_schedule_factor (&schedule, 299, 9, 10), ==, 0.1);
  for (guint epoch = 0; epoch < 300; epoch++)
    g_assert_true (lb_schedule_restarts (&schedule, epoch) == (epoch == 151));
  schedule.decay = 1;
  g_assert_false (lb_schedule_restarts (&schedule, 151));
}

static void
test_cosine_falls_at_every_step (void)
{
  LbSchedule schedule = { LB_SCHEDULE_COSINE, 4, 0, 0.1 };
  double before = 2;

  CLOSE (lb_schedule_factor (&schedule, 0, 0, 2), 1, 1e-15);
  CLOSE (lb_schedule_factor (&schedule, 1, 0, 2), 0.5 + sqrt (0.125), 1e-15); /* a quarter of the way */
  CLOSE (lb_schedule_factor (&schedule, 2, 0, 2), 0.5, 1e-15);
  CLOSE (lb_schedule_factor (&schedule, 3, 1, 2), 0.5 * (1 + cos (G_PI * 7 / 8)), 1e-15);
  for (guint step = 0; step < 8; step++) {
    double factor = lb_schedule_factor (&schedule, step / 2, step % 2, 2);
    g_assert_cmpfloat (factor, <, before);
    before = factor;
  }
  g_assert_false (lb_schedule_restarts (&schedule, 3));
}

/* As a scheduler with milestones at 2/3 and 5/6 of 1000 epochs, rounded down, that is stepped behind each of them. */
static void
test_two_steps_come_at_two_thirds_and_five_sixths (void)
{
  LbSchedule schedule = { LB_SCHEDULE_TWO_STEPS, 1000, 0, 0.2 };

  g_assert_cmpfloat (lb_schedule_factor (&schedule, 665, 9, 10), ==, 1);
  g_assert_cmpfloat (lb_schedule_factor (&schedule, 666, 0, 10), ==, 0.2);
  g_assert_cmpfloat (lb_schedule_factor (&schedule, 832, 9, 10), ==, 0.2);
  g_assert_cmpfloat (lb_schedule_factor (&schedule, 833, 0, 10), ==, 0.2 * 0.2);
  g_assert_cmpfloat (lb_schedule_factor (&schedule, 999, 9, 10), ==, 0.2 * 0.2);
  for (guint epoch = 0; epoch < 1000; epoch++)
    g_assert_false (lb_schedule_restarts (&schedule, epoch));
}

/* Two epochs of three steps: 1/6, 2/6, ... 1; the cosine then has the rest to itself. */
static void
test_warmup_rises_in_equal_steps (void)
{
  LbSchedule schedule = { LB_SCHEDULE_COSINE, 6, 2, 1 };

  for (guint step = 0; step < 6; step++)
    CLOSE (lb_schedule_factor (&schedule, step / 3, step % 3, 3), (step + 1) / 6.0, 1e-15);
  CLOSE (lb_schedule_factor (&schedule, 2, 0, 3), 1, 1e-15);
  CLOSE (lb_schedule_factor (&schedule, 4, 0, 3), 0.5, 1e-15);
  schedule.kind = LB_SCHEDULE_CONSTANT;
  CLOSE (lb_schedule_factor (&schedule, 0, 0, 3), 1 / 6.0, 1e-15);
  CLOSE (lb_schedule_factor (&schedule, 5, 2, 3), 1, 1e-15);
}

/* Two epochs of two steps, from a half: 5/8, 6/8, 7/8, 1. */
static void
test_warmup_may_start_above_zero (void)
{
  LbSchedule schedule = { LB_SCHEDULE_CONSTANT, 6, 2, 1, 0.5 };

  for (guint step = 0; step < 4; step++)
    CLOSE (lb_schedule_factor (&schedule, step / 2, step % 2, 2), (step + 5) / 8.0, 1e-15);
  CLOSE (lb_schedule_factor (&schedule, 2, 0, 2), 1, 1e-15);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/schedule/nothing-asked-for-is-a-constant-rate", test_nothing_asked_for_is_a_constant_rate);
  g_test_add_func ("/schedule/step-comes-once-past-half-way", test_step_comes_once_past_half_way);
  g_test_add_func ("/schedule/cosine-falls-at-every-step", test_cosine_falls_at_every_step);
  g_test_add_func ("/schedule/two-steps-come-at-two-thirds-and-five-sixths",
                   test_two_steps_come_at_two_thirds_and_five_sixths);
  g_test_add_func ("/schedule/warmup-rises-in-equal-steps", test_warmup_rises_in_equal_steps);
  g_test_add_func ("/schedule/warmup-may-start-above-zero", test_warmup_may_start_above_zero);
  return g_test_run ();
}
