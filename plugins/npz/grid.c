/* Finding the grid of windows, by making the windows of the only grid that it can be. */
#include "grid.h"

#include <math.h>

/* Windows are f32: farther than this from where they are expected, in pixels, they are others. */
#define NEAR 1e-3

gboolean
grid_has (const Grid *grid, LbTensor *windows, gint64 height, gint64 width)
{
  g_autoptr (LbTensor) expected = NULL;

  if (grid->n < 1 || grid->n > 32 || grid->n * grid->n != lb_tensor_dim (windows, 0)
      || !(grid->rows > 0 && grid->rows <= 1 && grid->columns > 0 && grid->columns <= 1))
    return FALSE;
  expected
      = lb_view_windows_of (height, width, (guint)grid->n, grid->rows * (double)height, grid->columns * (double)width);
  for (gint64 i = 0; i < lb_tensor_size (windows); i++)
    if (fabsf (lb_tensor_f32 (windows)[i] - lb_tensor_f32 (expected)[i]) > NEAR)
      return FALSE;
  return TRUE;
}

gboolean
find_grid (LbTensor *windows, gint64 height, gint64 width, Grid *grid)
{
  const float *first = lb_tensor_f32 (windows);

  *grid = (Grid){ .n = (gint64)lround (sqrt ((double)lb_tensor_dim (windows, 0))),
                  .rows = first[3] / (double)height,
                  .columns = first[2] / (double)width };
  return grid_has (grid, windows, height, width);
}
