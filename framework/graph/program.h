/* A compiled graph: dead and repeated nodes removed, every buffer planned by lifetime, cost known; run it many times.
 *
 *   g_autoptr (LbProgram) program = lb_compile (graph, (LbNode *[]){ loss, gradient }, 2, &error);
 *   lb_program_bind (program, images, tensor);
 *   lb_program_run (program, compute);
 *   float *g = lb_tensor_f32 (lb_program_result (program, gradient));
 *
 * The same inputs give the same bits at any number of workers: work is cut by shape alone and sums have a fixed order.
 */
#pragma once

#include "base/compute.h"
#include "graph/graph.h"

G_BEGIN_DECLS

/* A compiled graph: what is to be run in which order, where every value lies, and what it costs. */
typedef struct _LbProgram LbProgram;

/* Compiles what @outputs need. Keeps @graph. NULL and LB_ERROR_PROGRAM when the graph holds a mistake. */
LbProgram *lb_compile (LbGraph *graph, LbNode *const *outputs, guint n_outputs, GError **error);
void lb_program_free (LbProgram *program);

/* Makes the program read @tensor (same dtype and shape as @input) at each run; keeps a reference. The contents may
 * change between runs. An input the program does not need is ignored. A wrong shape is a programmer error. */
void lb_program_bind (LbProgram *program, LbNode *input, LbTensor *tensor);

/* After each run, @output becomes the next value of @input: the tensor bound to @input is overwritten. For parameters
 * and optimiser state. */
void lb_program_carry (LbProgram *program, LbNode *output, LbNode *input);

/* Where the value of @output appears; the program's, valid as long as it, overwritten by each run. */
LbTensor *lb_program_result (LbProgram *program, LbNode *output);

/* The value of a scalar output after a run. */
double lb_program_scalar (LbProgram *program, LbNode *output);

/* All inputs must be bound. Allocates nothing after the first run. One program runs once at a time; several programs
 * may run at the same time. */
void lb_program_run (LbProgram *program, LbCompute *compute);

/* Floating-point operations of one run, counting convolutions as direct ones. */
double lb_program_flops (const LbProgram *program);

/* Bytes the program holds while it runs on @threads workers: intermediates, partial sums, results, and its own nodes;
 * bound inputs are not counted. */
gsize lb_program_peak_bytes (const LbProgram *program, guint threads);

/* What the arithmetic library is, for logs and archives: "OpenBLAS 0.3.21, core SkylakeX, kernels x86-64-v4". Static.
 */
const char *lb_arithmetic_description (void);

/* Whether @name may stand in LIMBECK_KERNELS, which limits the kernels to those of an older processor. */
gboolean lb_kernels_known (const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbProgram, lb_program_free)

G_END_DECLS
