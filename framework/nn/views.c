/* The geometry of views. */
#include "nn/views.h"

#include "base/error.h"

LbTensor *
lb_view_windows (gint64 height, gint64 width, guint grid, double ratio)
{
  g_return_val_if_fail (ratio > 0 && ratio <= 1, NULL);

  return lb_view_windows_of (height, width, grid, ratio * (double)height, ratio * (double)width);
}

LbTensor *
lb_view_windows_of (gint64 height, gint64 width, guint grid, double h, double w)
{
  g_return_val_if_fail (grid >= 1, NULL);

  LbTensor *windows = lb_tensor_new (LB_F32, LB_SHAPE ((gint64)grid * grid, 4));
  /* A single window stands in the middle; more stretch from edge to edge. */
  double first = grid == 1 ? 0.5 : 0, steps = grid == 1 ? 1 : grid - 1;
  float *row = lb_tensor_f32 (windows);

  for (guint i = 0; i < grid; i++)
    for (guint j = 0; j < grid; j++, row += 4) {
      row[0] = (float)(((double)width - w) * (first + j) / steps);
      row[1] = (float)(((double)height - h) * (first + i) / steps);
      row[2] = (float)w;
      row[3] = (float)h;
    }
  return windows;
}

/* The centre of output pixel j lies at (j + 0.5) size / n of the window's length; centres are at whole numbers, half a
 * pixel from their edges. Places outside the centres of the window's first and last pixel are moved onto them, as if
 * the window had been cut out before. */
void
lb_window_sampling (const float window[4], gint64 height, gint64 width, float row[10])
{
  double x = window[0], y = window[1], w = window[2], h = window[3];
  double across = w / width, down = h / height;

  row[0] = (float)across;
  row[1] = 0;
  row[2] = (float)(0.5 * across - 0.5 + x);
  row[3] = 0;
  row[4] = (float)down;
  row[5] = (float)(0.5 * down - 0.5 + y);
  row[6] = (float)x;
  row[7] = (float)y;
  row[8] = (float)(x + w - 1);
  row[9] = (float)(y + h - 1);
}

gboolean
lb_windows_check (const char *whose, LbTensor *windows, gint64 height, gint64 width, GError **error)
{
  const float *row = lb_tensor_f32 (windows);

  for (gint64 i = 0; i < lb_tensor_dim (windows, 0); i++, row += 4) {
    /* A window that reaches the edge may be past it by rounding. All comparisons are false for NaN. */
    if (row[0] >= 0 && row[1] >= 0 && row[2] >= 1 && row[3] >= 1 && row[0] + row[2] <= width * (1 + 1e-6)
        && row[1] + row[3] <= height * (1 + 1e-6))
      continue;
    g_set_error (
        error, LB_ERROR, LB_ERROR_INPUT,
        "%s: window %d is at (%g, %g) and has %g x %g pixels; expected at least one pixel, inside images of %d x %d",
        whose, (int)i, row[0], row[1], row[2], row[3], (int)width, (int)height);
    return FALSE;
  }
  return TRUE;
}
