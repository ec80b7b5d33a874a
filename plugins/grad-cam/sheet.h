/* The drawing of a sheet of heat maps. Private to the plugin. */
#pragma once

#include <cairo.h>

#include "limbeck.h"

/* What a network said of one image. */
typedef struct {
  gint64 answer;      /* the class of its highest score */
  double probability; /* of that */
} Answer;

/* One column of the sheet: a network. */
typedef struct {
  char *name, *architecture;
  LbTensor *heat;  /* f32 [n, height, width] */
  Answer *answers; /* n */
} Column;

void column_free (gpointer column);

/* What is on the sheet: a row for each image. */
typedef struct {
  LbTensor *images;         /* u8 [n, c, h, w], 1 or 3 channels */
  LbTensor *labels;         /* i32 [n] */
  GPtrArray *columns;       /* Column */
  char *const *class_names; /* by class, or no names at all: NULL-terminated */
  gint64 side;              /* pixels of the longer side of a picture on the sheet */
} Sheet;

/* "sneaker", or "class 7"; new. */
char *sheet_class_name (const Sheet *sheet, gint64 class);

/* Size on paper of a sheet of @rows images of @height x @width and @columns networks. */
void sheet_size (gint64 side, gint64 height, gint64 width, gint64 rows, gint64 columns, gint64 *sheet_height,
                 gint64 *sheet_width);

/* Bytes that a pixel of it takes while it is drawn. */
#define SHEET_PIXEL_BYTES 4

/* The sheet as a PNG file; NULL with LB_ERROR_OUTPUT. */
GByteArray *sheet_draw (const Sheet *sheet, GError **error);
