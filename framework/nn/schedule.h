/* Learning-rate schedules: a factor on the rate for every step of a training. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  LB_SCHEDULE_CONSTANT,
  LB_SCHEDULE_STEP, /* times .decay once past half of the epochs, where the optimiser starts afresh (Zhao et al., arXiv
                       2006.05929) */
  LB_SCHEDULE_COSINE, /* half a cosine from 1 to 0 over all steps (Loshchilov, Hutter, arXiv 1608.03983), no restarts */
  LB_SCHEDULE_TWO_STEPS /* times .decay once two thirds of the epochs are over and again at five sixths, no restarts
                           (IDC; Kim et al., arXiv 2205.14959) */
} LbScheduleKind;

/* A plain value; all zero is a constant rate. */
typedef struct {
  LbScheduleKind kind;
  gint64 epochs; /* of the whole training, warm-up included */
  gint64 warmup; /* epochs in front during which the factor rises in equal steps up to 1, where .kind takes over */
  double decay;  /* of LB_SCHEDULE_STEP and LB_SCHEDULE_TWO_STEPS */
  double warmup_start; /* what the factor rises from, in [0, 1]; the first step is one step above it */
} LbSchedule;

/* The factor for step @step of epoch @epoch, both from 0, when an epoch has @epoch_steps. */
double lb_schedule_factor (const LbSchedule *schedule, guint64 epoch, guint64 step, guint64 epoch_steps);

/* Whether the optimiser starts afresh (its moments from zero) before @epoch. */
gboolean lb_schedule_restarts (const LbSchedule *schedule, guint64 epoch);

G_END_DECLS
