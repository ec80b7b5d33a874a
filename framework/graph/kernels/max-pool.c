/* Choosing by maxima (ops-max-pool.c), vectors across channels: for a strip of channels, which element of the window
 * is the largest; then that element is taken, or put there.
 */
#include "graph/kernels/variant.h"

/* Channels of a strip: its maxima and their places stay in the first-level cache. */
#define STRIP 64

typedef struct {
  gint64 size, row, c; /* elements of a row of pixels, and of a pixel */
} Window;

/* The place in its window, row by row, of the maximum of each of @n channels. */
static void
find_maxima (const Window *w, const real *x, gint64 n, real *place)
{
  real best[STRIP];
  for (gint64 k = 0; k < n; k++) {
    best[k] = x[k];
    place[k] = 0;
  }
  for (gint64 q = 1; q < w->size * w->size; q++) {
    const real *cell = x + q / w->size * w->row + q % w->size * w->c;
    for (gint64 k = 0; k < n; k++) {
      gboolean larger = cell[k] > best[k] || cell[k] != cell[k];
      best[k] = larger ? cell[k] : best[k];
      place[k] = larger ? (real)q : place[k];
    }
  }
}

static void
gather (const Window *w, const real *x, const real *v, gint64 n, real *y)
{
  real place[STRIP];
  find_maxima (w, x, n, place);
  for (gint64 k = 0; k < n; k++)
    y[k] = v[k];
  for (gint64 q = 1; q < w->size * w->size; q++) {
    const real *cell = v + q / w->size * w->row + q % w->size * w->c;
    for (gint64 k = 0; k < n; k++)
      y[k] = place[k] == (real)q ? cell[k] : y[k];
  }
}

static void
scatter (const Window *w, const real *x, const real *g, gint64 n, real *out)
{
  real place[STRIP];
  find_maxima (w, x, n, place);
  for (gint64 q = 0; q < w->size * w->size; q++) {
    real *cell = out + q / w->size * w->row + q % w->size * w->c;
    for (gint64 k = 0; k < n; k++)
      cell[k] = place[k] == (real)q ? g[k] : 0;
  }
}

void
KERNEL (max_gather) (const LbCall *call)
{
  const LbShape *in = &call->input_shapes[0], *out = &call->output_shape;
  Window w = { call->node->attributes.a, in->dim[2] * in->dim[3], in->dim[3] };
  real *y = call->output;
  for (gint64 line = 0; line < out->dim[0] * out->dim[1]; line++) {
    gint64 top = line / out->dim[1] * in->dim[1] + line % out->dim[1] * w.size;
    for (gint64 j = 0; j < out->dim[2]; j++, y += w.c)
      for (gint64 k = 0; k < w.c; k += STRIP) {
        gint64 at = top * w.row + j * w.size * w.c + k;
        gather (&w, (const real *)call->inputs[0] + at, (const real *)call->inputs[1] + at, MIN (STRIP, w.c - k),
                y + k);
      }
  }
}

void
KERNEL (max_scatter) (const LbCall *call)
{
  const LbShape *pooled = &call->input_shapes[1], *out = &call->output_shape;
  Window w = { call->node->attributes.a, out->dim[2] * out->dim[3], out->dim[3] };
  const real *g = call->inputs[1];
  if (out->dim[1] % w.size != 0 || out->dim[2] % w.size != 0)
    memset (call->output, 0, lb_shape_size (*out) * sizeof (real));
  for (gint64 line = 0; line < pooled->dim[0] * pooled->dim[1]; line++) {
    gint64 top = line / pooled->dim[1] * out->dim[1] + line % pooled->dim[1] * w.size;
    for (gint64 j = 0; j < pooled->dim[2]; j++, g += w.c)
      for (gint64 k = 0; k < w.c; k += STRIP) {
        gint64 at = top * w.row + j * w.size * w.c + k;
        scatter (&w, (const real *)call->inputs[0] + at, g + k, MIN (STRIP, w.c - k), (real *)call->output + at);
      }
  }
}
