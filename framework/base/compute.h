/* Where arithmetic happens and is counted: a worker pool and a counter of floating-point operations. One for each
 * stage. */
#pragma once

#include "base/pool.h"

G_BEGIN_DECLS

/* A worker pool, and what programs of one stage have counted. */
typedef struct _LbCompute LbCompute;

/* @pool is borrowed and must outlive the result. */
LbCompute *lb_compute_new (LbPool *pool);
void lb_compute_free (LbCompute *compute);
LbPool *lb_compute_pool (LbCompute *compute);

/* Floating-point operations so far (a fused multiply-add counts as 2). May be called from any thread. */
double lb_compute_flops (LbCompute *compute);
void lb_compute_add_flops (LbCompute *compute, double flops);

/* Whether programs look at every value they make for one that is infinite or not a number. That takes about as long as
 * making them; off at first. */
void lb_compute_trace (LbCompute *compute, gboolean trace);
gboolean lb_compute_is_traced (const LbCompute *compute);

/* What tracing found: a sentence on where the first such value was made; NULL for nothing yet. Only the first that is
 * told is kept. To be called from the thread that runs the programs. */
void lb_compute_tell (LbCompute *compute, const char *finding);
const char *lb_compute_finding (const LbCompute *compute);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbCompute, lb_compute_free)

G_END_DECLS
