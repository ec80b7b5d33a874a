/* Finding the first value that is not finite, for runs that look for it (lb_compute_trace()).
 *
 * "First" is the order of execution: a program's inputs, then its nodes; of one node the first element. So what is
 * found does not depend on how many workers there are, and all operands of the node that is named were finite.
 */
#pragma once

#include "graph/kernels/kernels.h"
#include "graph/plan.h"

G_BEGIN_DECLS

typedef struct _LbTrace LbTrace;

/* For one run of a program. */
LbTrace *lb_trace_new (void);
void lb_trace_free (LbTrace *trace);

/* Looks at the value bound to @input. */
void lb_trace_input (LbTrace *trace, const LbNode *input, const LbTensor *value);

/* Runs @kernel and looks at what it made: elements from @first on of @step's node. From any worker. */
void lb_trace_call (LbTrace *trace, const LbStep *step, LbKernel kernel, const LbCall *call, gint64 first);

/* Looks at @n elements from @first on of the sum over partitions that @step's node is. @position: of the adding up. */
void lb_trace_sum (LbTrace *trace, const LbStep *step, guint position, gconstpointer values, gint64 first, gint64 n);

/* A sentence on what was found; NULL when all was finite. Free with g_free(). */
char *lb_trace_finding (const LbTrace *trace);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbTrace, lb_trace_free)

G_END_DECLS
