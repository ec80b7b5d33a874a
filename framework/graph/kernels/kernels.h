/* Kernels: what computes a node's value, on one thread, for all or some samples.
 *
 * Each file of this folder is compiled once for every variant (dtype and instruction set) with LB_VARIANT naming it,
 * LB_REAL its element type and LB_VECTOR_BYTES the width of its vectors; select.c picks a set when the process starts.
 * Invariants: a kernel allocates nothing, reads nothing but its operands, and gives the same bits for the same
 * operands.
 */
#pragma once

#include "graph/op.h"
#include "graph/program.h"

G_BEGIN_DECLS

typedef struct {
  const LbNode *node; /* for attributes */
  const void *inputs[LB_MAX_INPUTS];
  LbShape input_shapes[LB_MAX_INPUTS]; /* of what is given: the first dimension may be cut */
  void *output;
  LbShape output_shape;
  gboolean accumulate;          /* add to the output instead of overwriting it (LB_SHARD_SUM) */
  void *scratch;                /* as much as the row asks for */
  guint first_piece, end_piece; /* what to compute of a whole node, where the row has pieces */
} LbCall;

typedef void (*LbKernel) (const LbCall *call);

/* Rows without arithmetic (inputs, reshape) have none. */
typedef struct {
  LbKernel run[LB_N_OPS];
} LbKernelSet;

/* The set for @dtype on this processor. */
const LbKernelSet *lb_kernels (LbDType dtype);

/* Makes @program use @kernels, which must outlive it: for measurements. */
void lb_program_use_kernels (LbProgram *program, const LbKernelSet *kernels);

/* "x86-64-v4", "x86-64-v3", "baseline": the best that the processor can run, or what LIMBECK_KERNELS names if it is
 * less. */
const char *lb_kernels_name (void);

/* ---- Matrix product of OpenBLAS, one thread, row-major: c = beta c + op (a) op (b); op (a) is m x k ---- */

void lb_gemm_f32 (gboolean ta, gboolean tb, gint64 m, gint64 n, gint64 k, const float *a, gint64 lda, const float *b,
                  gint64 ldb, float beta, float *c, gint64 ldc);
void lb_gemm_f64 (gboolean ta, gboolean tb, gint64 m, gint64 n, gint64 k, const double *a, gint64 lda, const double *b,
                  gint64 ldb, double beta, double *c, gint64 ldc);

/* ---- LAPACK, one thread; lb_blas_load() first ---- */

/* Eigenvalues of the symmetric @a, n x n, in ascending order, into @values [n]; @a becomes the eigenvectors, one a row.
 * FALSE when LAPACK does not find them. */
gboolean lb_eigen_f64 (gint64 n, double *a, double *values);

/* Inverts the symmetric @a, n x n, of which the upper triangle is read and written. FALSE when it is not positive
 * definite. */
gboolean lb_invert_positive_f64 (gint64 n, double *a);

/* Loads OpenBLAS with the right core type; aborts with a sentence when it is not installed. Called before the first
 * use. */
void lb_blas_load (void);

/* "OpenBLAS 0.3.21, core SkylakeX". Static. */
const char *lb_blas_description (void);

G_END_DECLS
