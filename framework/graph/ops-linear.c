/* Linear maps: matrix product, convolution and its two adjoints, average pooling and its adjoint, bilinear sampling and
 * its adjoint. The derivative of each is another of the family, so gradients of gradients need nothing more.
 */
#include "graph/conv.h"
#include "graph/op.h"

/* ---- Matrix product: attributes a, b tell which operands are transposed ---- */

/* All axes but the last count rows. */
static gint64
matrix_rows (LbShape shape)
{
  gint64 rows = 1;
  for (guint i = 0; i + 1 < shape.rank; i++)
    rows *= shape.dim[i];
  return rows;
}

static gboolean
matmul_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape a = inputs[0]->shape, b = inputs[1]->shape;
  if (a.rank < 2 || b.rank < 2 || (attributes->b && b.rank > 2))
    return FALSE;
  gint64 inner_a = attributes->a ? matrix_rows (a) : a.dim[a.rank - 1];
  gint64 inner_b = attributes->b ? b.dim[b.rank - 1] : matrix_rows (b);
  *shape = a;
  if (attributes->a)
    *shape = LB_SHAPE (a.dim[a.rank - 1], 0);
  shape->dim[shape->rank - 1] = b.dim[attributes->b ? 0 : b.rank - 1];
  return inner_a == inner_b;
}

static void
matmul_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *a = node->inputs[0], *b = node->inputs[1];
  gboolean ta = node->attributes.a != 0, tb = node->attributes.b != 0;
  if (wanted[0])
    gradients[0] = ta ? lb_matmul (b, tb, g, TRUE) : lb_matmul (g, FALSE, b, !tb);
  if (wanted[1])
    gradients[1] = tb ? lb_matmul (g, TRUE, a, ta) : lb_matmul (a, !ta, g, FALSE);
}

static LbShard
matmul_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  gboolean ta = node->attributes.a != 0, tb = node->attributes.b != 0;
  /* Rows of a are samples: so are rows of the result. */
  if (cut[0] && !cut[1] && !ta)
    return LB_SHARD_EACH;
  /* The inner dimension counts samples: both are cut, the products add up. */
  if (ta && !tb && node->inputs[0]->shape.dim[0] == samples && node->inputs[1]->shape.dim[0] == samples) {
    cut[0] = cut[1] = TRUE;
    return LB_SHARD_SUM;
  }
  return LB_SHARD_NO;
}

static double
matmul_flops (const LbNode *node)
{
  LbShape a = node->inputs[0]->shape;
  return 2.0 * (double)lb_shape_size (node->shape) * (double)(node->attributes.a ? matrix_rows (a) : a.dim[a.rank - 1]);
}

const LbOp lb_op_matmul = { .name = "matmul",
                            .n_inputs = 2,
                            .shape = matmul_shape,
                            .gradient = matmul_gradient,
                            .shard = matmul_shard,
                            .flops = matmul_flops };

LbNode *
lb_matmul_at (const char *here, LbNode *a, gboolean transpose_a, LbNode *b, gboolean transpose_b)
{
  LbAttributes attributes = { .a = transpose_a != FALSE, .b = transpose_b != FALSE };
  return lb_node_new (here, LB_OP_MATMUL, (LbNode *[]){ a, b }, 2, &attributes);
}

/* ---- Convolution: attributes a = stride, b = pad ---- */

/* Whether image x, weight w and result y belong together. */
static gboolean
conv2d_fits (LbShape x, LbShape w, LbShape y, gint64 stride, gint64 pad)
{
  if (x.rank != 4 || w.rank != 4 || y.rank != 4 || stride < 1 || pad < 0)
    return FALSE;
  if (x.dim[1] + 2 * pad < w.dim[1] || x.dim[2] + 2 * pad < w.dim[2])
    return FALSE;
  return x.dim[3] == w.dim[3] && y.dim[3] == w.dim[0] && x.dim[0] == y.dim[0]
         && y.dim[1] == (x.dim[1] + 2 * pad - w.dim[1]) / stride + 1
         && y.dim[2] == (x.dim[2] + 2 * pad - w.dim[2]) / stride + 1;
}

static gboolean
conv2d_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape, w = inputs[1]->shape;
  if (x.rank != 4 || w.rank != 4 || attributes->a < 1)
    return FALSE;
  *shape = LB_SHAPE (x.dim[0], (x.dim[1] + 2 * attributes->b - w.dim[1]) / attributes->a + 1,
                     (x.dim[2] + 2 * attributes->b - w.dim[2]) / attributes->a + 1, w.dim[0]);
  return conv2d_fits (x, w, *shape, attributes->a, attributes->b);
}

static gboolean
conv2d_by_input_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return conv2d_fits (attributes->shape, inputs[1]->shape, inputs[0]->shape, attributes->a, attributes->b);
}

static gboolean
conv2d_by_weight_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return conv2d_fits (inputs[0]->shape, attributes->shape, inputs[1]->shape, attributes->a, attributes->b);
}

static void
conv2d_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *x = node->inputs[0], *w = node->inputs[1];
  guint stride = node->attributes.a, pad = node->attributes.b;
  if (wanted[0])
    gradients[0] = lb_conv2d_by_input (g, w, x->shape, stride, pad);
  if (wanted[1])
    gradients[1] = lb_conv2d_by_weight (x, g, w->shape, stride, pad);
}

static void
conv2d_by_input_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *y = node->inputs[0], *w = node->inputs[1];
  guint stride = node->attributes.a, pad = node->attributes.b;
  if (wanted[0])
    gradients[0] = lb_conv2d (g, w, stride, pad);
  if (wanted[1])
    gradients[1] = lb_conv2d_by_weight (g, y, w->shape, stride, pad);
}

static void
conv2d_by_weight_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbNode *x = node->inputs[0], *y = node->inputs[1];
  guint stride = node->attributes.a, pad = node->attributes.b;
  if (wanted[0])
    gradients[0] = lb_conv2d_by_input (y, g, x->shape, stride, pad);
  if (wanted[1])
    gradients[1] = lb_conv2d (x, g, stride, pad);
}

/* The first operand is cut and the weight is not. */
static LbShard
images_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return cut[0] && !cut[1] ? LB_SHARD_EACH : LB_SHARD_NO;
}

/* Elements of a large weight: enough for several workers. */
#define LARGE_WEIGHT (512 * 1024)

/* A large weight, about as large as the images on both sides together, is not summed by partition, for each partition
 * would have a sum as large: it runs whole, in pieces of the weight. */
static gboolean
takes_whole (const LbNode *node)
{
  gint64 images = lb_shape_size (node->inputs[0]->shape) + lb_shape_size (node->inputs[1]->shape);
  gint64 weight = lb_shape_size (node->shape);
  return weight >= LARGE_WEIGHT && 2 * weight > images;
}

static LbShard
conv2d_by_weight_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  cut[0] = cut[1] = TRUE;
  return takes_whole (node) ? LB_SHARD_NO : LB_SHARD_SUM;
}

static guint
conv2d_by_weight_pieces (const LbNode *node)
{
  gint64 pieces = (node->shape.dim[0] + LB_CONV_PIECE - 1) / LB_CONV_PIECE;
  return node->shape.dim[3] < LB_CONV_FEW_CHANNELS ? 1 : (guint)pieces;
}

/* The same for all three: each pair of an output pixel and a weight is one multiply-add. */
static double
conv2d_flops_of (LbShape y, LbShape w)
{
  return 2.0 * (double)lb_shape_size (y) * (double)(w.dim[1] * w.dim[2] * w.dim[3]);
}

static double
conv2d_flops (const LbNode *node)
{
  return conv2d_flops_of (node->shape, node->inputs[1]->shape);
}

static double
conv2d_by_input_flops (const LbNode *node)
{
  return conv2d_flops_of (node->inputs[0]->shape, node->inputs[1]->shape);
}

static double
conv2d_by_weight_flops (const LbNode *node)
{
  return conv2d_flops_of (node->inputs[1]->shape, node->shape);
}

/* Frames of a block of images and the tables of places in them. */
static gsize
conv2d_scratch (const LbNode *node, gint64 samples)
{
  LbConv g
      = lb_conv (node->inputs[0]->shape, node->inputs[1]->shape, node->shape, node->attributes.a, node->attributes.b);
  LbFrame frame = lb_conv_frame (&g);
  return (gsize)(lb_frame_block (&frame, samples) * (lb_frame_size (&frame) + g.pixels) + g.patch);
}

static gsize
conv2d_by_input_scratch (const LbNode *node, gint64 samples)
{
  LbConv g
      = lb_conv (node->shape, node->inputs[1]->shape, node->inputs[0]->shape, node->attributes.a, node->attributes.b);
  LbFrame frame = lb_conv_gradient_frame (&g);
  if (g.in < LB_CONV_FEW_CHANNELS)
    return (gsize)(MIN (LB_CONV_PATCHES, g.pixels) * g.patch);
  return (gsize)(lb_frame_block (&frame, samples) * (lb_frame_size (&frame) + 2 * g.h * g.w) + 2 * g.taps * g.out);
}

/* The same as forward, and the weight's gradient once more. */
static gsize
conv2d_by_weight_scratch (const LbNode *node, gint64 samples)
{
  LbConv g
      = lb_conv (node->inputs[0]->shape, node->shape, node->inputs[1]->shape, node->attributes.a, node->attributes.b);
  LbFrame frame = lb_conv_frame (&g);
  return (gsize)(lb_frame_block (&frame, samples) * (lb_frame_size (&frame) + g.pixels) + g.patch * (g.out + 1));
}

const LbOp lb_op_conv2d = { .name = "conv2d",
                            .n_inputs = 2,
                            .shape = conv2d_shape,
                            .gradient = conv2d_gradient,
                            .shard = images_shard,
                            .flops = conv2d_flops,
                            .scratch = conv2d_scratch };

const LbOp lb_op_conv2d_by_input = { .name = "conv2d-by-input",
                                     .n_inputs = 2,
                                     .shape = conv2d_by_input_shape,
                                     .gradient = conv2d_by_input_gradient,
                                     .shard = images_shard,
                                     .flops = conv2d_by_input_flops,
                                     .scratch = conv2d_by_input_scratch };

const LbOp lb_op_conv2d_by_weight = { .name = "conv2d-by-weight",
                                      .n_inputs = 2,
                                      .shape = conv2d_by_weight_shape,
                                      .gradient = conv2d_by_weight_gradient,
                                      .shard = conv2d_by_weight_shard,
                                      .pieces = conv2d_by_weight_pieces,
                                      .flops = conv2d_by_weight_flops,
                                      .scratch = conv2d_by_weight_scratch };

LbNode *
lb_conv2d_at (const char *here, LbNode *x, LbNode *weight, guint stride, guint pad)
{
  LbAttributes attributes = { .a = stride, .b = pad };
  return lb_node_new (here, LB_OP_CONV2D, (LbNode *[]){ x, weight }, 2, &attributes);
}

LbNode *
lb_conv2d_by_input_at (const char *here, LbNode *g, LbNode *weight, LbShape x_shape, guint stride, guint pad)
{
  LbAttributes attributes = { .a = stride, .b = pad, .shape = x_shape };
  return lb_node_new (here, LB_OP_CONV2D_BY_INPUT, (LbNode *[]){ g, weight }, 2, &attributes);
}

LbNode *
lb_conv2d_by_weight_at (const char *here, LbNode *x, LbNode *g, LbShape weight_shape, guint stride, guint pad)
{
  LbAttributes attributes = { .a = stride, .b = pad, .shape = weight_shape };
  return lb_node_new (here, LB_OP_CONV2D_BY_WEIGHT, (LbNode *[]){ x, g }, 2, &attributes);
}

/* ---- Average pooling: attribute a = size ---- */

static gboolean
avg_pool_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape;
  gint64 size = attributes->a;
  if (x.rank != 4 || size < 1 || x.dim[1] % size != 0 || x.dim[2] % size != 0)
    return FALSE;
  *shape = LB_SHAPE (x.dim[0], x.dim[1] / size, x.dim[2] / size, x.dim[3]);
  return TRUE;
}

static gboolean
avg_unpool_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape g = inputs[0]->shape;
  gint64 size = attributes->a;
  if (g.rank != 4 || size < 1)
    return FALSE;
  *shape = LB_SHAPE (g.dim[0], g.dim[1] * size, g.dim[2] * size, g.dim[3]);
  return TRUE;
}

static void
avg_pool_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_avg_unpool (g, node->attributes.a);
}

static void
avg_unpool_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  gradients[0] = lb_avg_pool (g, node->attributes.a);
}

static LbShard
each_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return LB_SHARD_EACH;
}

static double
avg_pool_flops (const LbNode *node)
{
  return (double)lb_shape_size (node->inputs[0]->shape);
}

static double
avg_unpool_flops (const LbNode *node)
{
  return (double)lb_shape_size (node->inputs[0]->shape);
}

const LbOp lb_op_avg_pool = { .name = "avg-pool",
                              .n_inputs = 1,
                              .shape = avg_pool_shape,
                              .gradient = avg_pool_gradient,
                              .shard = each_shard,
                              .flops = avg_pool_flops };

const LbOp lb_op_avg_unpool = { .name = "avg-unpool",
                                .n_inputs = 1,
                                .shape = avg_unpool_shape,
                                .gradient = avg_unpool_gradient,
                                .shard = each_shard,
                                .flops = avg_unpool_flops };

LbNode *
lb_avg_pool_at (const char *here, LbNode *x, guint size)
{
  LbAttributes attributes = { .a = size };
  return lb_node_new (here, LB_OP_AVG_POOL, &x, 1, &attributes);
}

LbNode *
lb_avg_unpool_at (const char *here, LbNode *g, guint size)
{
  LbAttributes attributes = { .a = size };
  return lb_node_new (here, LB_OP_AVG_UNPOOL, &g, 1, &attributes);
}

/* ---- Bilinear sampling: attribute a = border, shape [height, width] of the result ---- */

static gboolean
bilinear_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  LbShape x = inputs[0]->shape, where = inputs[1]->shape;
  if (x.rank != 4 || where.rank != 2 || where.dim[0] != x.dim[0] || where.dim[1] != 10)
    return FALSE;
  *shape = LB_SHAPE (x.dim[0], attributes->shape.dim[0], attributes->shape.dim[1], x.dim[3]);
  return attributes->shape.dim[0] > 0 && attributes->shape.dim[1] > 0;
}

static void
bilinear_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbShape x = node->inputs[0]->shape;
  if (wanted[0])
    gradients[0] = lb_bilinear_adjoint (g, node->inputs[1], x.dim[1], x.dim[2], (LbBorder)node->attributes.a);
}

static void
bilinear_adjoint_gradient (LbNode *node, LbNode *g, const gboolean *wanted, LbNode **gradients)
{
  LbShape y = node->inputs[0]->shape;
  if (wanted[0])
    gradients[0] = lb_bilinear (g, node->inputs[1], y.dim[1], y.dim[2], (LbBorder)node->attributes.a);
}

static LbShard
bilinear_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  cut[0] = cut[1] = TRUE;
  return LB_SHARD_EACH;
}

/* Four multiply-adds for each sampled element. */
static double
bilinear_flops (const LbNode *node)
{
  return 8.0 * (double)lb_shape_size (node->shape);
}

static double
bilinear_adjoint_flops (const LbNode *node)
{
  return 8.0 * (double)lb_shape_size (node->inputs[0]->shape);
}

const LbOp lb_op_bilinear = { .name = "bilinear",
                              .n_inputs = 2,
                              .shape = bilinear_shape,
                              .gradient = bilinear_gradient,
                              .shard = bilinear_shard,
                              .flops = bilinear_flops };

const LbOp lb_op_bilinear_adjoint = { .name = "bilinear-adjoint",
                                      .n_inputs = 2,
                                      .shape = bilinear_shape,
                                      .gradient = bilinear_adjoint_gradient,
                                      .shard = bilinear_shard,
                                      .flops = bilinear_adjoint_flops };

static LbNode *
bilinear (const char *here, LbOpCode op, LbNode *x, LbNode *where, gint64 height, gint64 width, LbBorder border)
{
  LbAttributes attributes = { .a = border, .shape = LB_SHAPE (height, width) };
  return lb_node_new (here, op, (LbNode *[]){ x, where }, 2, &attributes);
}

LbNode *
lb_bilinear_at (const char *here, LbNode *x, LbNode *where, gint64 height, gint64 width, LbBorder border)
{
  return bilinear (here, LB_OP_BILINEAR, x, where, height, width, border);
}

LbNode *
lb_bilinear_adjoint_at (const char *here, LbNode *g, LbNode *where, gint64 height, gint64 width, LbBorder border)
{
  return bilinear (here, LB_OP_BILINEAR_ADJOINT, g, where, height, width, border);
}
