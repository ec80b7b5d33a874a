/* The grid that windows form: what the sub-sampler was asked for, told again by files that hold its windows. */
#pragma once

#include "limbeck.h"

/* N windows along each axis, and what part of each axis they cover. */
typedef struct {
  gint64 n;
  double rows, columns;
} Grid;

/* Whether @windows of images of @height x @width pixels are those of a grid, which *grid then is. */
gboolean find_grid (LbTensor *windows, gint64 height, gint64 width, Grid *grid);

/* Whether @grid has those windows. */
gboolean grid_has (const Grid *grid, LbTensor *windows, gint64 height, gint64 width);
