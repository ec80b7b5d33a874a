/* The sizes of a convolution, as its kernels use them. */
#pragma once

#include "graph/kernels/gemm.h"

typedef struct {
  gint64 h, w, in;    /* image */
  gint64 kh, kw, out; /* weight */
  gint64 oh, ow;      /* result */
  gint64 stride, pad, patch, pixels;
} Geometry;

static Geometry
geometry_of (const LbCall *call, const LbShape *x, const LbShape *w, const LbShape *y)
{
  Geometry g = { .h = x->dim[1],
                 .w = x->dim[2],
                 .in = x->dim[3],
                 .kh = w->dim[1],
                 .kw = w->dim[2],
                 .out = w->dim[0],
                 .oh = y->dim[1],
                 .ow = y->dim[2],
                 .stride = call->node->attributes.a,
                 .pad = call->node->attributes.b };
  g.patch = g.kh * g.kw * g.in;
  g.pixels = g.oh * g.ow;
  return g;
}
