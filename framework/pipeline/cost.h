/* What a plan will cost, from what its stages predict: floating-point operations, and the most memory that the whole
 * run takes at once.
 *
 * Memory depends on which stages work at the same time, so the run is played through: stages whose inputs have come
 * share the machine evenly, each goes on for the operations it predicts, and its reader starts when its first packet is
 * there. A stage holds what it predicts from its start to its end; packets live until the last of their readers has
 * ended. A stage that reads a stream of one packet starts when the writer has ended and has let go of its memory.
 */
#pragma once

#include "pipeline/plan.h"

G_BEGIN_DECLS

/* A figure is negative when the stage cannot tell. */
typedef struct {
  double flops;
  double bytes;   /* held beside packets */
  double packets; /* bytes of the packets it sends that are alive at once */
} LbStageCost;

typedef struct {
  LbStageCost *stages; /* in the order of plan->stages */
  guint n_stages;
  guint n_silent;    /* stages that cannot tell their operations or memory; they count as nothing below */
  double flops;      /* of all */
  double peak_bytes; /* at once, beside what the command takes by itself */
} LbCost;

/* Of a plan that was configured without problems. */
LbCost *lb_cost_new (const LbPlan *plan);
void lb_cost_free (LbCost *cost);

/* Whether @base bytes that the process takes already and what the run is predicted to add fit in @limit bytes, of which
 * @whose says where they come from ("are available"). LB_ERROR_MEMORY with both figures if not. */
gboolean lb_cost_fits (const LbCost *cost, guint64 base, guint64 limit, const char *whose, GError **error);

/* What @plan, which is configured, will take. Where that does not fit, parts of stages are done one after the other
 * instead of side by side, and the plan is changed to that; NULL with LB_ERROR_MEMORY when that does not help. A @limit
 * of G_MAXUINT64 is none. */
LbCost *lb_cost_that_fits (LbPlan *plan, guint64 base, guint64 limit, const char *whose, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbCost, lb_cost_free)

G_END_DECLS
