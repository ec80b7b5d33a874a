/* Convolution and its two adjoints as matrix products (product.h) whose operands are read where they are: tables tell
 * where a pixel begins and where, from there, each element of its patch is. Nothing is copied but images with a border,
 * into frames (graph/conv.h).
 */
#include "graph/conv.h"
#include "graph/kernels/product.h"

static void
fill_frame (const LbFrame *frame, const real *image, gint64 h, gint64 w, real *to)
{
  gint64 c = frame->channels, before = CLAMP (-frame->left, 0, frame->width);
  gint64 first = MAX (frame->left, 0), inside = CLAMP (w - first, 0, frame->width - before);
  for (gint64 i = 0; i < frame->height; i++, to += frame->width * c) {
    gint64 y = frame->top + i;
    if (y < 0 || y >= h) {
      memset (to, 0, frame->width * c * sizeof (real));
      continue;
    }
    memset (to, 0, before * c * sizeof (real));
    memcpy (to + before * c, image + (y * w + first) * c, inside * c * sizeof (real));
    memset (to + (before + inside) * c, 0, (frame->width - before - inside) * c * sizeof (real));
  }
}

/* Frames of @n images of @h x @w pixels, in @room, or the images themselves where no frame is needed. */
static const real *
frames (const LbFrame *frame, const real *images, gint64 h, gint64 w, gint64 n, real *room)
{
  if (frame->top == 0 && frame->left == 0 && frame->height == h && frame->width == w)
    return images;
  for (gint64 i = 0; i < n; i++)
    fill_frame (frame, images + i * h * w * frame->channels, h, w, room + i * lb_frame_size (frame));
  return room;
}

/* Where the patches of @n images begin, seen from the first frame. */
static void
place_pixels (const LbConv *g, const LbFrame *frame, gint64 n, gint32 *to)
{
  for (gint64 image = 0; image < n; image++)
    for (gint64 i = 0; i < g->oh; i++)
      for (gint64 j = 0; j < g->ow; j++)
        *to++ = (gint32)(image * lb_frame_size (frame) + (i * frame->width + j) * g->stride * frame->channels);
}

/* Where the elements of a patch are, seen from its beginning. */
static void
place_patch (const LbConv *g, const LbFrame *frame, gint32 *to)
{
  for (gint64 i = 0; i < g->kh; i++)
    for (gint64 k = 0; k < g->kw * g->in; k++)
      *to++ = (gint32)(i * frame->width * g->in + k);
}

static LbConv
conv_of (const LbCall *call, const LbShape *x, const LbShape *weight, const LbShape *y)
{
  return lb_conv (*x, *weight, *y, call->node->attributes.a, call->node->attributes.b);
}

void
KERNEL (conv2d) (const LbCall *call)
{
  LbConv g = conv_of (call, &call->input_shapes[0], &call->input_shapes[1], &call->output_shape);
  LbFrame frame = lb_conv_frame (&g);
  gint64 images = call->output_shape.dim[0], block = lb_frame_block (&frame, images);
  real *room = call->scratch;
  gint32 *pixel = (gint32 *)(room + block * lb_frame_size (&frame)), *patch = pixel + block * g.pixels;
  place_pixels (&g, &frame, block, pixel);
  place_patch (&g, &frame, patch);
  for (gint64 first = 0; first < images; first += block) {
    gint64 n = MIN (block, images - first);
    const real *x = (const real *)call->inputs[0] + first * g.h * g.w * g.in;
    PRODUCT (&(Product){ .m = n * g.pixels,
                         .n = g.out,
                         .k = g.patch,
                         .a = frames (&frame, x, g.h, g.w, n, room),
                         .a_row.offset = pixel,
                         .a_column.offset = patch,
                         .b = call->inputs[1],
                         .b_line.stride = g.patch,
                         .b_transposed = TRUE,
                         .c = (real *)call->output + first * g.pixels * g.out,
                         .c_row.stride = g.out });
  }
}

/* ---- By input ---- */

/* Tables of one phase: the pixels of the image that lie (row, column) modulo the stride meet the same taps. */
typedef struct {
  gint64 pixels, depth; /* of an image; taps times channels */
  gint32 *pixel;        /* in frames of the gradient */
  gint32 *to;           /* in images */
  gint32 *element;      /* of what a pixel meets, seen from there */
  gint32 *line;         /* of the weight that it meets */
} Phase;

static void
place_phase (const LbConv *g, const LbFrame *frame, gint64 row, gint64 column, gint64 images, Phase *phase)
{
  gint64 s = g->stride, n = 0;
  for (gint64 image = 0; image < images; image++)
    for (gint64 y = row; y < g->h; y += s)
      for (gint64 x = column; x < g->w; x += s, n++) {
        phase->pixel[n] = (gint32)(image * lb_frame_size (frame) + (y / s * frame->width + x / s) * g->out);
        phase->to[n] = (gint32)(((image * g->h + y) * g->w + x) * g->in);
      }
  phase->pixels = n / images;
  n = 0;
  for (gint64 tap = 0; tap < g->taps; tap++) {
    gint64 y = row + g->pad - tap / g->kw, x = column + g->pad - tap % g->kw;
    if (lb_floor_divide (y, s) * s != y || lb_floor_divide (x, s) * s != x)
      continue;
    gint64 at = (lb_floor_divide (y, s) - frame->top) * frame->width + lb_floor_divide (x, s) - frame->left;
    for (gint64 o = 0; o < g->out; o++, n++) {
      phase->element[n] = (gint32)(at * g->out + o);
      phase->line[n] = (gint32)(o * g->patch + tap * g->in);
    }
  }
  phase->depth = n;
}

static void
by_input_in_phases (const LbConv *g, const LbCall *call)
{
  LbFrame frame = lb_conv_gradient_frame (g);
  gint64 images = call->output_shape.dim[0], block = lb_frame_block (&frame, images);
  real *room = call->scratch;
  gint32 *tables = (gint32 *)(room + block * lb_frame_size (&frame));
  Phase phase = { .pixel = tables,
                  .to = tables + block * g->h * g->w,
                  .element = tables + 2 * block * g->h * g->w,
                  .line = tables + 2 * block * g->h * g->w + g->taps * g->out };
  /* Pixels between those that a small kernel meets. */
  if (g->stride > MIN (g->kh, g->kw))
    memset (call->output, 0, lb_shape_size (call->output_shape) * sizeof (real));
  for (gint64 first = 0; first < images; first += block) {
    gint64 n = MIN (block, images - first);
    const real *y = frames (&frame, (const real *)call->inputs[0] + first * g->pixels * g->out, g->oh, g->ow, n, room);
    for (gint64 p = 0; p < g->stride * g->stride; p++) {
      if (p / g->stride >= g->h || p % g->stride >= g->w)
        continue;
      if (first == 0 || g->stride > 1)
        place_phase (g, &frame, p / g->stride, p % g->stride, MIN (block, images), &phase);
      PRODUCT (&(Product){ .m = n * phase.pixels,
                           .n = g->in,
                           .k = phase.depth,
                           .a = y,
                           .a_row.offset = phase.pixel,
                           .a_column.offset = phase.element,
                           .b = call->inputs[1],
                           .b_line.offset = phase.line,
                           .c = (real *)call->output + first * g->h * g->w * g->in,
                           .c_row.offset = phase.to });
    }
  }
}

/* Adds the patches of pixels [first, first + n) to their image. */
static void
add_patches (const LbConv *g, const real *patches, gint64 first, gint64 n, real *image)
{
  for (gint64 pixel = first; pixel < first + n; pixel++)
    for (gint64 i = 0; i < g->kh; i++, patches += g->kw * g->in) {
      gint64 y = pixel / g->ow * g->stride - g->pad + i, x = pixel % g->ow * g->stride - g->pad;
      if (y < 0 || y >= g->h)
        continue;
      gint64 from = MAX (0, -x) * g->in, to = MIN (g->kw, g->w - x) * g->in;
      real *line = image + (y * g->w + x) * g->in;
      for (gint64 k = from; k < to; k++)
        line[k] += patches[k];
    }
}

static void
by_input_in_patches (const LbConv *g, const LbCall *call)
{
  real *patches = call->scratch;
  memset (call->output, 0, lb_shape_size (call->output_shape) * sizeof (real));
  for (gint64 image = 0; image < call->output_shape.dim[0]; image++)
    for (gint64 first = 0; first < g->pixels; first += LB_CONV_PATCHES) {
      gint64 n = MIN (LB_CONV_PATCHES, g->pixels - first);
      PRODUCT (&(Product){ .m = n,
                           .n = g->patch,
                           .k = g->out,
                           .a = (const real *)call->inputs[0] + (image * g->pixels + first) * g->out,
                           .a_row.stride = g->out,
                           .a_column.stride = 1,
                           .b = call->inputs[1],
                           .b_line.stride = g->patch,
                           .c = patches,
                           .c_row.stride = g->patch });
      add_patches (g, patches, first, n, (real *)call->output + image * g->h * g->w * g->in);
    }
}

void
KERNEL (conv2d_by_input) (const LbCall *call)
{
  LbConv g = conv_of (call, &call->output_shape, &call->input_shapes[1], &call->input_shapes[0]);
  if (g.in < LB_CONV_FEW_CHANNELS)
    by_input_in_patches (&g, call);
  else
    by_input_in_phases (&g, call);
}

/* ---- By weight ---- */

static void
transpose (const real *from, gint64 rows, gint64 columns, real *to)
{
  for (gint64 i = 0; i < rows; i++)
    for (gint64 j = 0; j < columns; j++)
      to[j * rows + i] = from[i * columns + j];
}

/* out[o, tap, k] += sum over pixels of y[pixel, o] x[pixel + tap, k], tap by tap, for o in [first, end). */
static void
add_weights (const LbConv *g, gint64 first, gint64 end, gint64 pixels, const real *x, const gint32 *pixel,
             const gint32 *patch, const real *y, gboolean add, real *out)
{
  for (gint64 tap = 0; tap < g->taps; tap++)
    PRODUCT (&(Product){ .m = end - first,
                         .n = g->in,
                         .k = pixels,
                         .a = y + first,
                         .a_row.stride = 1,
                         .a_column.stride = g->out,
                         .b = x + patch[tap * g->in],
                         .b_line.offset = pixel,
                         .add = add,
                         .c = out + first * g->patch + tap * g->in,
                         .c_row.stride = g->patch });
}

/* The same with its sides exchanged: out is [patch, o]. */
static void
add_weights_exchanged (const LbConv *g, gint64 pixels, const real *x, const gint32 *pixel, const gint32 *patch,
                       const real *y, gboolean add, real *out)
{
  PRODUCT (&(Product){ .m = g->patch,
                       .n = g->out,
                       .k = pixels,
                       .a = x,
                       .a_row.offset = patch,
                       .a_column.offset = pixel,
                       .b = y,
                       .b_line.stride = g->out,
                       .add = add,
                       .c = out,
                       .c_row.stride = g->out });
}

void
KERNEL (conv2d_by_weight) (const LbCall *call)
{
  LbConv g = conv_of (call, &call->input_shapes[0], &call->output_shape, &call->input_shapes[1]);
  LbFrame frame = lb_conv_frame (&g);
  gint64 images = call->input_shapes[0].dim[0], block = lb_frame_block (&frame, images);
  gboolean exchanged = g.in < LB_CONV_FEW_CHANNELS;
  gint64 first_out = (gint64)call->first_piece * LB_CONV_PIECE;
  gint64 end_out = MIN ((gint64)call->end_piece * LB_CONV_PIECE, g.out);
  real *room = call->scratch, *turned = room + block * lb_frame_size (&frame);
  gint32 *pixel = (gint32 *)(turned + g.patch * g.out), *patch = pixel + block * g.pixels;
  place_pixels (&g, &frame, block, pixel);
  place_patch (&g, &frame, patch);
  if (exchanged && call->accumulate)
    transpose (call->output, g.out, g.patch, turned);
  for (gint64 first = 0; first < images; first += block) {
    gint64 n = MIN (block, images - first);
    const real *x = frames (&frame, (const real *)call->inputs[0] + first * g.h * g.w * g.in, g.h, g.w, n, room);
    const real *y = (const real *)call->inputs[1] + first * g.pixels * g.out;
    gboolean add = call->accumulate || first > 0;
    if (exchanged)
      add_weights_exchanged (&g, n * g.pixels, x, pixel, patch, y, add, turned);
    else
      add_weights (&g, first_out, end_out, n * g.pixels, x, pixel, patch, y, add, call->output);
  }
  if (exchanged)
    transpose (turned, g.patch, g.out, call->output);
}
