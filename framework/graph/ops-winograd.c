/* What the compiler puts in place of 3x3 and 5x5 convolutions (kernels/winograd.c): rows without derivatives, for
 * lowering comes after differentiation.
 */
#include "graph/op.h"

gint64
lb_winograd_tiles (gint64 height, gint64 width, gint64 taps)
{
  gint64 side = 7 - taps;
  return ((height + side - 1) / side) * ((width + side - 1) / side);
}

/* Taps on a side of the kernel: attribute b, where no weight or its gradient tells it. */
static gint64
taps_of (const LbNode *node)
{
  if (node->op == LB_OP_WINOGRAD_WHOLE)
    return node->inputs[1]->shape.dim[1];
  return node->op == LB_OP_WINOGRAD_WHOLE_BY_WEIGHT ? node->shape.dim[1] : node->attributes.b;
}

static gboolean
given_shape (LbNode *const *inputs, const LbAttributes *attributes, LbShape *shape)
{
  *shape = attributes->shape;
  return TRUE;
}

static LbShard
images_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  return cut[0] && !cut[1] ? LB_SHARD_EACH : LB_SHARD_NO;
}

static LbShard
both_shard (const LbNode *node, gint64 samples, gboolean *cut)
{
  cut[0] = cut[1] = TRUE;
  return LB_SHARD_SUM;
}

/* Counted as the direct convolution it stands for, so that figures can be compared. */
static double
conv2d_flops (const LbNode *node)
{
  gint64 in = node->inputs[0]->shape.dim[3];
  return 2.0 * (double)(taps_of (node) * taps_of (node) * in) * (double)lb_shape_size (node->shape);
}

static double
by_weight_flops (const LbNode *node)
{
  gint64 in = node->inputs[0]->shape.dim[3];
  return 2.0 * (double)(taps_of (node) * taps_of (node) * in) * (double)lb_shape_size (node->inputs[1]->shape);
}

static gsize
block_scratch (LbShape images, gint64 taps, gint64 samples, gint64 channels)
{
  gint64 tiles = samples * lb_winograd_tiles (images.dim[1], images.dim[2], taps);
  return (gsize)(LB_WINOGRAD_POINTS * (MIN (tiles, LB_WINOGRAD_BLOCK) * channels + 2 * LB_WINOGRAD_GAP));
}

static gsize
conv2d_scratch (const LbNode *node, gint64 samples)
{
  return block_scratch (node->shape, taps_of (node), samples, node->inputs[0]->shape.dim[3] + node->shape.dim[3]);
}

static gsize
by_weight_scratch (const LbNode *node, gint64 samples)
{
  LbShape x = node->inputs[0]->shape, y = node->inputs[1]->shape;
  return block_scratch (x, taps_of (node), samples, x.dim[3] + y.dim[3]);
}

/* ---- Layers taken whole, in parts of their channels ---- */

static guint
parts_of (gint64 channels)
{
  return (guint)((channels + LB_WINOGRAD_PART - 1) / LB_WINOGRAD_PART);
}

gint64
lb_winograd_part (gint64 channels)
{
  gint64 parts = parts_of (channels), sixteens = (channels + 15) / 16;
  return (sixteens + parts - 1) / parts * 16;
}

static guint
whole_pieces (const LbNode *node)
{
  return parts_of (node->shape.dim[3]);
}

static guint
whole_by_weight_pieces (const LbNode *node)
{
  return parts_of (node->shape.dim[0]) * parts_of (node->shape.dim[3]);
}

gboolean
lb_winograd_takes_whole (LbShape images, gint64 in, gint64 out)
{
  gint64 pixels = images.dim[0] * images.dim[1] * images.dim[2];
  return parts_of (out) > 1 && 2 * pixels * (in + out) <= 3 * LB_WINOGRAD_POINTS * in * out;
}

/* A part's weights, and @blocks of transformed tiles (see the kernels). */
static gsize
whole_blocks (gint64 blocks)
{
  gint64 block = LB_WINOGRAD_POINTS * (LB_WINOGRAD_BLOCK * LB_WINOGRAD_PART + LB_WINOGRAD_GAP);
  return (gsize)(LB_WINOGRAD_POINTS * (LB_WINOGRAD_PART * LB_WINOGRAD_PART + LB_WINOGRAD_GAP) + blocks * block);
}

static gsize
whole_scratch (const LbNode *node, gint64 samples)
{
  gint64 tiles = samples * lb_winograd_tiles (node->shape.dim[1], node->shape.dim[2], taps_of (node));
  return whole_blocks (1 + MIN (LB_WINOGRAD_TOGETHER, (tiles + LB_WINOGRAD_BLOCK - 1) / LB_WINOGRAD_BLOCK));
}

static gsize
whole_by_weight_scratch (const LbNode *node, gint64 samples)
{
  return whole_blocks (2);
}

const LbOp lb_op_winograd_whole = { .name = "winograd-whole",
                                    .n_inputs = 2,
                                    .shape = given_shape,
                                    .pieces = whole_pieces,
                                    .flops = conv2d_flops,
                                    .scratch = whole_scratch };

const LbOp lb_op_winograd_whole_by_weight = { .name = "winograd-whole-by-weight",
                                              .n_inputs = 2,
                                              .shape = given_shape,
                                              .pieces = whole_by_weight_pieces,
                                              .flops = by_weight_flops,
                                              .scratch = whole_by_weight_scratch };

/* ---- Layers cut into samples ---- */

const LbOp lb_op_winograd_filter = { .name = "winograd-filter", .n_inputs = 1, .shape = given_shape };

const LbOp lb_op_winograd_filter_adjoint = { .name = "winograd-filter-adjoint", .n_inputs = 1, .shape = given_shape };

const LbOp lb_op_winograd_conv2d = { .name = "winograd-conv2d",
                                     .n_inputs = 2,
                                     .shape = given_shape,
                                     .shard = images_shard,
                                     .flops = conv2d_flops,
                                     .scratch = conv2d_scratch };

const LbOp lb_op_winograd_by_weight = { .name = "winograd-by-weight",
                                        .n_inputs = 2,
                                        .shape = given_shape,
                                        .shard = both_shard,
                                        .flops = by_weight_flops,
                                        .scratch = by_weight_scratch };
