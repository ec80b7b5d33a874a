/* Inside graph/: nodes, and the op table that everything else is driven by.
 *
 * A row of the table holds all there is to know of an op: its name, how many operands, the rule for its shape, its
 * derivative (written in ops of the same table), how it behaves when its operands are cut into samples, its cost.
 * Kernels, one set for each instruction set and dtype, are found by the same index (kernels/kernels.h).
 */
#pragma once

#include "graph/graph.h"

G_BEGIN_DECLS

#define LB_MAX_INPUTS 7

typedef enum {
  LB_OP_INPUT,
  LB_OP_CONSTANT,
  LB_OP_ADD,
  LB_OP_SUB,
  LB_OP_MUL,
  LB_OP_DIV,
  LB_OP_AFFINE,
  LB_OP_EXP,
  LB_OP_LOG,
  LB_OP_SQRT,
  LB_OP_TANH,
  LB_OP_ERF,
  LB_OP_RELU,
  LB_OP_GATE,
  LB_OP_RESHAPE,
  LB_OP_SUM_TO,
  LB_OP_BROADCAST,
  LB_OP_PERMUTE,
  LB_OP_SLICE,
  LB_OP_PAD,
  LB_OP_MATMUL,
  LB_OP_BATCH_MATMUL,
  LB_OP_CONV2D,
  LB_OP_CONV2D_BY_INPUT,
  LB_OP_CONV2D_BY_WEIGHT,
  LB_OP_AVG_POOL,
  LB_OP_AVG_UNPOOL,
  LB_OP_MAX_GATHER,
  LB_OP_MAX_SCATTER,
  LB_OP_BILINEAR,
  LB_OP_BILINEAR_ADJOINT,
  LB_OP_INSTANCE_NORM,
  LB_OP_INSTANCE_NORM_GRADIENT,
  LB_OP_INSTANCE_NORM_SECOND,
  LB_OP_NORM_STATISTICS,
  LB_OP_NORM_RELU_POOL,
  LB_OP_NORM_RELU_POOL_SUMS,
  LB_OP_NORM_RELU_POOL_GRADIENT,
  LB_OP_NORM_RELU_POOL_SUMS_BY_X,
  LB_OP_NORM_RELU_POOL_SUMS_BY_G,
  LB_OP_NORM_RELU_POOL_SECOND_SUMS,
  LB_OP_NORM_RELU_POOL_SECOND_BY_X,
  LB_OP_NORM_RELU_POOL_SECOND_BY_G,
  LB_OP_LOG_SOFTMAX,
  LB_OP_SOFTMAX,
  LB_OP_DROPOUT_MASK,
  /* What the compiler puts in place of other ops; never built by hand. */
  LB_OP_WINOGRAD_FILTER,
  LB_OP_WINOGRAD_CONV2D,
  LB_OP_WINOGRAD_BY_WEIGHT,
  LB_OP_WINOGRAD_FILTER_ADJOINT,
  LB_OP_WINOGRAD_WHOLE,
  LB_OP_WINOGRAD_WHOLE_BY_WEIGHT,
  LB_N_OPS
} LbOpCode;

/* Everything that makes two nodes with the same operands differ. */
typedef struct {
  double factor, offset; /* affine; constant's value in offset; instance norm's epsilon in factor */
  gint64 a, b;           /* transposes; stride and pad; pool size; border; flipped; axis and first; order of axes */
  LbShape shape;         /* of the result, where operands do not tell it */
} LbAttributes;

struct _LbNode {
  LbGraph *graph;
  guint id; /* position in the graph: operands have smaller ones */
  LbOpCode op;
  LbShape shape;
  guint n_inputs;
  LbNode *inputs[LB_MAX_INPUTS];
  LbAttributes attributes;
  char *name;        /* inputs only */
  gboolean is_batch; /* inputs only: the first dimension counts independent samples */
  const char *here;  /* where the user's code made it */
  guint earliest;    /* part of a program before which it is not computed, though it could be */
};

struct _LbGraph {
  gint references;
  LbDType dtype;
  GPtrArray *nodes;
  GError *error; /* first mistake */
};

/* What becomes of a node when operands are cut along their first dimension. */
typedef enum {
  LB_SHARD_NO,   /* it needs its operands whole */
  LB_SHARD_EACH, /* sample i of the result needs only sample i of the cut operands */
  LB_SHARD_SUM   /* the result is the sum of what each part of the samples gives */
} LbShard;

typedef struct {
  const char *name;
  guint n_inputs;

  /* Shape of the result, or FALSE when the operands' shapes do not fit. */
  gboolean (*shape) (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape);

  /* Vector-Jacobian product: stores the gradient for each operand in @gradients given @g, that of @node; leaves NULL
   * where none flows. Only those with @wanted are used. */
  void (*gradient) (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients);

  /* For rows without gradient: the same value from ops that have one. */
  LbNode *(*expand) (LbNode *node);

  /* @cut tells which operands are cut into samples, and is amended: TRUE for each operand that is to be cut, as some
   * uncut operands must be to fit. NULL: LB_SHARD_NO. */
  LbShard (*shard) (const LbNode *node, gint64 samples, gboolean *cut);

  /* Of a node that runs whole: in how many pieces its result falls that can be computed at the same time, each on its
   * own. NULL: 1. */
  guint (*pieces) (const LbNode *node);

  double (*flops) (const LbNode *node);                  /* NULL: none */
  gsize (*scratch) (const LbNode *node, gint64 samples); /* elements of working memory; NULL: none */
  gboolean elementwise;                                  /* may overwrite an operand of the same shape */
} LbOp;

/* clang-format off: one row a line */
/* All ops but the leaves: code, symbol of the row. */
#define LB_OPS(X)                                                                                                      \
  X (ADD, add)                                                                                                         \
  X (SUB, sub)                                                                                                         \
  X (MUL, mul)                                                                                                         \
  X (DIV, div)                                                                                                         \
  X (AFFINE, affine)                                                                                                   \
  X (EXP, exp)                                                                                                         \
  X (LOG, log)                                                                                                         \
  X (SQRT, sqrt)                                                                                                       \
  X (TANH, tanh)                                                                                                       \
  X (ERF, erf)                                                                                                         \
  X (RELU, relu)                                                                                                       \
  X (GATE, gate)                                                                                                       \
  X (RESHAPE, reshape)                                                                                                 \
  X (SUM_TO, sum_to)                                                                                                   \
  X (BROADCAST, broadcast)                                                                                             \
  X (PERMUTE, permute)                                                                                                 \
  X (SLICE, slice)                                                                                                     \
  X (PAD, pad)                                                                                                         \
  X (MATMUL, matmul)                                                                                                   \
  X (BATCH_MATMUL, batch_matmul)                                                                                       \
  X (CONV2D, conv2d)                                                                                                   \
  X (CONV2D_BY_INPUT, conv2d_by_input)                                                                                 \
  X (CONV2D_BY_WEIGHT, conv2d_by_weight)                                                                               \
  X (AVG_POOL, avg_pool)                                                                                               \
  X (AVG_UNPOOL, avg_unpool)                                                                                           \
  X (MAX_GATHER, max_gather)                                                                                           \
  X (MAX_SCATTER, max_scatter)                                                                                         \
  X (BILINEAR, bilinear)                                                                                               \
  X (BILINEAR_ADJOINT, bilinear_adjoint)                                                                               \
  X (INSTANCE_NORM, instance_norm)                                                                                     \
  X (INSTANCE_NORM_GRADIENT, instance_norm_gradient)                                                                   \
  X (INSTANCE_NORM_SECOND, instance_norm_second)                                                                       \
  X (NORM_STATISTICS, norm_statistics)                                                                                 \
  X (NORM_RELU_POOL, norm_relu_pool)                                                                                   \
  X (NORM_RELU_POOL_SUMS, norm_relu_pool_sums)                                                                         \
  X (NORM_RELU_POOL_GRADIENT, norm_relu_pool_gradient)                                                                 \
  X (NORM_RELU_POOL_SUMS_BY_X, norm_relu_pool_sums_by_x)                                                               \
  X (NORM_RELU_POOL_SUMS_BY_G, norm_relu_pool_sums_by_g)                                                               \
  X (NORM_RELU_POOL_SECOND_SUMS, norm_relu_pool_second_sums)                                                           \
  X (NORM_RELU_POOL_SECOND_BY_X, norm_relu_pool_second_by_x)                                                           \
  X (NORM_RELU_POOL_SECOND_BY_G, norm_relu_pool_second_by_g)                                                           \
  X (LOG_SOFTMAX, log_softmax)                                                                                         \
  X (SOFTMAX, softmax)                                                                                                 \
  X (DROPOUT_MASK, dropout_mask)                                                                                       \
  X (WINOGRAD_FILTER, winograd_filter)                                                                                 \
  X (WINOGRAD_CONV2D, winograd_conv2d)                                                                                 \
  X (WINOGRAD_BY_WEIGHT, winograd_by_weight)                                                                           \
  X (WINOGRAD_FILTER_ADJOINT, winograd_filter_adjoint)                                                                 \
  X (WINOGRAD_WHOLE, winograd_whole)                                                                                   \
  X (WINOGRAD_WHOLE_BY_WEIGHT, winograd_whole_by_weight)
/* clang-format on */

#define LB_DECLARE_ROW(code, symbol) extern const LbOp lb_op_##symbol;
LB_OPS (LB_DECLARE_ROW)

/* Indexed by LbOpCode. */
extern const LbOp *const lb_ops[LB_N_OPS];

/* Appends a node; on a shape mistake, records it and returns a placeholder of rank 0. */
LbNode *
lb_node_new (const char *here, LbOpCode op, LbNode *const *inputs, guint n_inputs, const LbAttributes *attributes);

/* Records a mistake, unless there is one already. */
void lb_graph_fail (LbGraph *graph, const char *here, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Sums @g down to @shape: the adjoint of broadcasting as binary ops do it. */
LbNode *lb_unbroadcast (LbNode *g, LbShape shape);

/* Shape of a binary op's result; FALSE when the operands do not broadcast. */
gboolean lb_shape_broadcast (LbShape a, LbShape b, LbShape *out);

/* Gradients of sum (seed * root) for @wrt, which are treated as leaves. NULL where none flows. */
void lb_backpropagate (LbNode *root, LbNode *seed, LbNode *const *wrt, guint n_wrt, LbNode **gradients);

/* Winograd F(4x4, 3x3) and F(2x2, 5x5) (Lavin, Gray, arXiv 1509.09308): tiles of 4 x 4 or 2 x 2 outputs, transformed to
 * 36 values. */
#define LB_WINOGRAD_POINTS 36

/* Tiles that a kernel transforms at a time: both sides of their products stay in the second-level cache. */
#define LB_WINOGRAD_BLOCK 32

/* Most channels of the parts that a layer with more weights than pixels is cut into. */
#define LB_WINOGRAD_PART 128

/* Blocks of tiles that a whole layer's part takes at a time: their products wait in transformed form until all channels
 * are through. */
#define LB_WINOGRAD_TOGETHER 4

/* Elements between the points of a block of transformed tiles, and of transformed weights. */
#define LB_WINOGRAD_GAP 16
gint64 lb_winograd_tiles (gint64 height, gint64 width, gint64 taps);

/* Channels of each part but the last of so many: parts are about alike, as workers share them. */
gint64 lb_winograd_part (gint64 channels);

/* Whether a layer's transformed weights are about as large as its @images [n, h, w, c] on both sides, or larger, so
 * that it is better computed whole, and it is wide enough to be shared among workers. */
gboolean lb_winograd_takes_whole (LbShape images, gint64 in, gint64 out);

G_END_DECLS
