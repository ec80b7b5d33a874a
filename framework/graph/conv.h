/* Geometry of a convolution, for its rows (ops-linear.c: costs, working memory) and its kernels (kernels/conv.c).
 *
 * Kernels are matrix products that read pixels where they are. So that no pixel lies outside, images with a border are
 * first copied into frames with zeros around them, a block of images at a time.
 */
#pragma once

#include "tensor/tensor.h"

typedef struct {
  gint64 h, w, in;    /* image */
  gint64 kh, kw, out; /* weight [out, kh, kw, in] */
  gint64 oh, ow;      /* result */
  gint64 stride, pad;
  gint64 taps, patch, pixels; /* kh kw; kh kw in; oh ow */
} LbConv;

static inline LbConv
lb_conv (LbShape x, LbShape weight, LbShape y, gint64 stride, gint64 pad)
{
  LbConv g = { .h = x.dim[1],
               .w = x.dim[2],
               .in = x.dim[3],
               .kh = weight.dim[1],
               .kw = weight.dim[2],
               .out = weight.dim[0],
               .oh = y.dim[1],
               .ow = y.dim[2],
               .stride = stride,
               .pad = pad };
  g.taps = g.kh * g.kw;
  g.patch = g.taps * g.in;
  g.pixels = g.oh * g.ow;
  return g;
}

/* Part of an image and zeros around it: pixel (0, 0) is the image's (top, left), which may be negative. */
typedef struct {
  gint64 top, left, height, width, channels;
} LbFrame;

/* What the convolution reads of an image. */
static inline LbFrame
lb_conv_frame (const LbConv *g)
{
  return (LbFrame){ .top = -g->pad,
                    .left = -g->pad,
                    .height = (g->oh - 1) * g->stride + g->kh,
                    .width = (g->ow - 1) * g->stride + g->kw,
                    .channels = g->in };
}

static inline gint64
lb_floor_divide (gint64 a, gint64 b)
{
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/* What its adjoint by input reads of a gradient of the result: pixel y of the image meets (y + pad - ky) / stride. */
static inline LbFrame
lb_conv_gradient_frame (const LbConv *g)
{
  LbFrame frame = { .top = lb_floor_divide (g->pad - g->kh + 1, g->stride),
                    .left = lb_floor_divide (g->pad - g->kw + 1, g->stride),
                    .channels = g->out };
  frame.height = (g->h - 1 + g->pad) / g->stride - frame.top + 1;
  frame.width = (g->w - 1 + g->pad) / g->stride - frame.left + 1;
  return frame;
}

static inline gint64
lb_frame_size (const LbFrame *frame)
{
  return frame->height * frame->width * frame->channels;
}

/* Images of a block: about a quarter of a mebibyte of frames, so that they stay in the second-level cache. */
static inline gint64
lb_frame_block (const LbFrame *frame, gint64 images)
{
  return CLAMP (65536 / lb_frame_size (frame), 1, MAX (images, 1));
}

/* With fewer channels than this, the adjoint by input adds up patches, and the one by weight exchanges its sides, so
 * that vectors are full. (Not the width of vectors: results depend on shapes alone.) */
#define LB_CONV_FEW_CHANNELS 16

/* Channels of the result in a piece of a weight's gradient, where that runs whole. */
#define LB_CONV_PIECE 128

/* Pixels whose patches the adjoint by input makes at a time. */
#define LB_CONV_PATCHES 256
