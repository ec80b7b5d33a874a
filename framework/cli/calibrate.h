/* How fast this machine computes, for time estimates. Private to cli/. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What LB_CALIBRATION steps are: for telling people what an estimate is based on. */
#define LB_CALIBRATION_TEXT "training steps of convnet-d3 on 28 x 28 images"

/* Floating-point operations per second of a few training steps, measured now in some 200 ms on @threads threads (0: one
 * for each processor), counted as programs count. 0 when they cannot be made. */
double lb_calibrate (guint threads);

G_END_DECLS
