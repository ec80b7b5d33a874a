/* Pictures in rows, one for each image: the image with its label, then each network's heat map over it, with what the
 * network answers. Heat is shown on inferno, dark to bright yellow, which is told apart without colours, too: of each
 * map from nothing to its own largest value, as scores of different networks have no common scale.
 */
#include "sheet.h"

#include <math.h>
#include <string.h>

#define GAP         10.0
#define FONT_SIZE   12.0
#define LINE        15.0
#define HEADER      (4 * LINE) /* three lines of a name and one of an architecture */
#define CAPTION     22.0       /* what stands below a picture */
#define MOST_LINES  3
#define HEAT_OPAQUE 0.65 /* how much of the picture the hottest place covers */
#define HEAT_LEAST  0.35 /* and the coldest */

void
column_free (gpointer data)
{
  Column *column = data;

  g_free (column->name);
  g_free (column->architecture);
  g_clear_pointer (&column->heat, lb_tensor_unref);
  g_free (column->answers);
  g_free (column);
}

char *
sheet_class_name (const Sheet *sheet, gint64 class)
{
  return sheet->class_names[0] ? g_strdup (sheet->class_names[class]) : g_strdup_printf ("class %d", (int)class);
}

/* ---- Where things are ---- */

/* Factor from pixels of an image to those of the sheet. */
static double
scale_of (gint64 side, gint64 height, gint64 width)
{
  return (double)side / (double)MAX (MAX (height, width), 1);
}

static double
column_left (gint64 side, gint64 column)
{
  return GAP + (double)column * ((double)side + GAP);
}

static double
row_top (double picture_height, gint64 row)
{
  return HEADER + GAP + (double)row * (picture_height + CAPTION + GAP / 2);
}

void
sheet_size (gint64 side, gint64 height, gint64 width, gint64 rows, gint64 columns, gint64 *sheet_height,
            gint64 *sheet_width)
{
  double picture_height = (double)height * scale_of (side, height, width);

  *sheet_height = (gint64)ceil (row_top (picture_height, rows) + GAP / 2);
  *sheet_width = (gint64)column_left (side, columns + 1);
}

/* ---- Colours ---- */

/* Inferno (Smith, van der Walt, the colour maps of matplotlib 1.5) at six places, in between a straight line. */
static void
heat_colour (double heat, double *rgb)
{
  static const double inferno[][3] = { { 0.001, 0.000, 0.014 }, { 0.258, 0.039, 0.406 }, { 0.578, 0.148, 0.404 },
                                       { 0.865, 0.317, 0.226 }, { 0.988, 0.645, 0.040 }, { 0.988, 0.998, 0.645 } };
  double place = CLAMP (heat, 0, 1) * (G_N_ELEMENTS (inferno) - 1);
  guint below = MIN ((guint)place, G_N_ELEMENTS (inferno) - 2);

  for (guint k = 0; k < 3; k++)
    rgb[k] = inferno[below][k] + (place - below) * (inferno[below + 1][k] - inferno[below][k]);
}

/* @map, f32 [height, width] stretched over the unit square, at (x, y): bilinear between the centres of its places. */
static double
heat_at (const float *map, gint64 height, gint64 width, double x, double y)
{
  double column = CLAMP (x * (double)width - 0.5, 0, (double)width - 1);
  double row = CLAMP (y * (double)height - 0.5, 0, (double)height - 1);
  gint64 left = (gint64)column, top = (gint64)row, right = MIN (left + 1, width - 1), low = MIN (top + 1, height - 1);
  double a = column - (double)left, b = row - (double)top;

  return (1 - b) * ((1 - a) * map[top * width + left] + a * map[top * width + right])
         + b * ((1 - a) * map[low * width + left] + a * map[low * width + right]);
}

static guint32
argb (const double *rgb)
{
  return 0xff000000u | (guint32)lround (255 * rgb[0]) << 16 | (guint32)lround (255 * rgb[1]) << 8
         | (guint32)lround (255 * rgb[2]);
}

/* ---- Pictures ---- */

/* Image @index, with @heat over it unless that is NULL, enlarged to @height x @width; new. */
static cairo_surface_t *
picture (const Sheet *sheet, gint64 index, LbTensor *heat, int height, int width)
{
  gint64 channels = lb_tensor_dim (sheet->images, 1), rows = lb_tensor_dim (sheet->images, 2);
  gint64 columns = lb_tensor_dim (sheet->images, 3);
  const guint8 *image = lb_tensor_u8 (sheet->images) + index * channels * rows * columns;
  gint64 map_height = heat ? lb_tensor_dim (heat, 1) : 1, map_width = heat ? lb_tensor_dim (heat, 2) : 1;
  const float *map = heat ? lb_tensor_f32 (heat) + index * map_height * map_width : NULL;
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);
  guint8 *data = cairo_image_surface_get_data (surface);
  double hottest = 0, rgb[3], colour[3];

  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    return surface;
  for (gint64 i = 0; map && i < map_height * map_width; i++)
    hottest = MAX (hottest, map[i]);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      gint64 pixel = (gint64)y * rows / height * columns + (gint64)x * columns / width;
      double value = map && hottest > 0
                         ? heat_at (map, map_height, map_width, (x + 0.5) / width, (y + 0.5) / height) / hottest
                         : 0;
      double share = map ? HEAT_LEAST + value * (HEAT_OPAQUE - HEAT_LEAST) : 0;

      heat_colour (value, colour);
      for (gint64 k = 0; k < 3; k++)
        rgb[k] = (1 - share) * image[(channels == 1 ? 0 : k) * rows * columns + pixel] / 255 + share * colour[k];
      ((guint32 *)(gpointer)(data + (gsize)y * (gsize)cairo_image_surface_get_stride (surface)))[x] = argb (rgb);
    }
  cairo_surface_mark_dirty (surface);
  return surface;
}

static void
draw_picture (const Sheet *sheet, cairo_t *cairo, gint64 index, LbTensor *heat, double left, double top)
{
  gint64 rows = lb_tensor_dim (sheet->images, 2), columns = lb_tensor_dim (sheet->images, 3);
  double scale = scale_of (sheet->side, rows, columns);
  int height = MAX ((int)((double)rows * scale), 1), width = MAX ((int)((double)columns * scale), 1);
  cairo_surface_t *surface = picture (sheet, index, heat, height, width);

  cairo_set_source_surface (cairo, surface, left, top);
  cairo_paint (cairo);
  cairo_surface_destroy (surface);
}

/* ---- Letters ---- */

static double
text_width (cairo_t *cairo, const char *text)
{
  cairo_text_extents_t extents;

  cairo_text_extents (cairo, text, &extents);
  return extents.x_advance;
}

/* @text, with its end left out where it is wider than @room; new. */
static char *
fit (cairo_t *cairo, const char *text, double room)
{
  g_autofree char *fitting = g_utf8_make_valid (text, -1);

  for (glong length = g_utf8_strlen (fitting, -1); text_width (cairo, fitting) > room && length > 0;) {
    g_autofree char *begin = g_utf8_substring (fitting, 0, --length);

    g_free (fitting);
    fitting = g_strconcat (begin, length > 0 ? "…" : "", NULL);
  }
  return g_steal_pointer (&fitting);
}

static void
draw_text (cairo_t *cairo, const char *text, double left, double baseline, double room)
{
  g_autofree char *fitting = fit (cairo, text, room);

  cairo_move_to (cairo, left, baseline);
  cairo_show_text (cairo, fitting);
}

/* Words in at most three lines above @bottom. */
static void
draw_words (cairo_t *cairo, const char *text, double left, double bottom, double room)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; words[i]; i++) {
    char *last = lines->len ? g_ptr_array_index (lines, lines->len - 1) : NULL;
    g_autofree char *longer = last ? g_strconcat (last, " ", words[i], NULL) : NULL;

    if (longer && (text_width (cairo, longer) <= room || lines->len == MOST_LINES)) {
      g_free (last);
      g_ptr_array_index (lines, lines->len - 1) = g_steal_pointer (&longer);
    } else {
      g_ptr_array_add (lines, g_strdup (words[i]));
    }
  }
  for (guint i = 0; i < lines->len; i++)
    draw_text (cairo, g_ptr_array_index (lines, i), left, bottom - (lines->len - 1 - i) * LINE, room);
}

static void
choose_font (cairo_t *cairo, gboolean bold)
{
  cairo_select_font_face (cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                          bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (cairo, FONT_SIZE);
}

/* A tick or a cross in front of a line of text: right and wrong are told by shape as well as by colour. */
static void
draw_mark (cairo_t *cairo, gboolean right, double left, double baseline)
{
  double size = 8, top = baseline - size;

  if (right) {
    cairo_set_source_rgb (cairo, 0.0, 0.42, 0.31);
    cairo_move_to (cairo, left, top + 0.55 * size);
    cairo_line_to (cairo, left + 0.38 * size, baseline);
    cairo_line_to (cairo, left + size, top);
  } else {
    cairo_set_source_rgb (cairo, 0.74, 0.20, 0.02);
    cairo_move_to (cairo, left, top);
    cairo_line_to (cairo, left + size, baseline);
    cairo_move_to (cairo, left + size, top);
    cairo_line_to (cairo, left, baseline);
  }
  cairo_set_line_width (cairo, 2);
  cairo_stroke (cairo);
}

/* ---- The sheet ---- */

static void
draw_header (const Sheet *sheet, cairo_t *cairo, gint64 index)
{
  const Column *column = index > 0 ? g_ptr_array_index (sheet->columns, index - 1) : NULL;
  double left = column_left (sheet->side, index), room = (double)sheet->side;

  cairo_set_source_rgb (cairo, 0.1, 0.1, 0.1);
  choose_font (cairo, TRUE);
  draw_words (cairo, column ? column->name : "test image", left, column ? HEADER - LINE : HEADER, room);
  choose_font (cairo, FALSE);
  cairo_set_source_rgb (cairo, 0.35, 0.35, 0.35);
  if (column)
    draw_text (cairo, column->architecture, left, HEADER, room);
}

static void
draw_row (const Sheet *sheet, cairo_t *cairo, gint64 row)
{
  gint64 label = lb_tensor_i32 (sheet->labels)[row], height = lb_tensor_dim (sheet->images, 2);
  double picture_height = (double)height * scale_of (sheet->side, height, lb_tensor_dim (sheet->images, 3));
  double top = row_top (picture_height, row), baseline = top + picture_height + LINE;
  g_autofree char *label_name = sheet_class_name (sheet, label);

  draw_picture (sheet, cairo, row, NULL, column_left (sheet->side, 0), top);
  cairo_set_source_rgb (cairo, 0.1, 0.1, 0.1);
  draw_text (cairo, label_name, column_left (sheet->side, 0), baseline, (double)sheet->side);
  for (guint k = 0; k < sheet->columns->len; k++) {
    const Column *column = g_ptr_array_index (sheet->columns, k);
    const Answer *answer = &column->answers[row];
    double left = column_left (sheet->side, k + 1);
    g_autofree char *name = sheet_class_name (sheet, answer->answer);
    g_autofree char *share = g_strdup_printf ("%.0f %%", 100 * answer->probability);
    double share_width = text_width (cairo, share);

    draw_picture (sheet, cairo, row, column->heat, left, top);
    draw_mark (cairo, answer->answer == label, left + 1, baseline);
    draw_text (cairo, name, left + 14, baseline, (double)sheet->side - share_width - 20);
    draw_text (cairo, share, left + (double)sheet->side - share_width, baseline, share_width);
  }
}

static cairo_status_t
append (void *closure, const unsigned char *data, unsigned int length)
{
  g_byte_array_append (closure, data, length);
  return CAIRO_STATUS_SUCCESS;
}

GByteArray *
sheet_draw (const Sheet *sheet, GError **error)
{
  g_autoptr (GByteArray) png = g_byte_array_new ();
  gint64 rows = lb_tensor_dim (sheet->images, 0), height, width;

  sheet_size (sheet->side, lb_tensor_dim (sheet->images, 2), lb_tensor_dim (sheet->images, 3), rows,
              sheet->columns->len, &height, &width);
  /* Pixels in a tensor count as the stage's memory. */
  g_autoptr (LbTensor) pixels = lb_tensor_new (LB_U8, LB_SHAPE (height, width, SHEET_PIXEL_BYTES));
  cairo_surface_t *surface = cairo_image_surface_create_for_data (lb_tensor_u8 (pixels), CAIRO_FORMAT_RGB24, (int)width,
                                                                  (int)height, (int)width * SHEET_PIXEL_BYTES);
  cairo_t *cairo = cairo_create (surface);
  cairo_set_source_rgb (cairo, 1, 1, 1);
  cairo_paint (cairo);
  for (gint64 k = 0; k <= sheet->columns->len; k++)
    draw_header (sheet, cairo, k);
  for (gint64 row = 0; row < rows; row++)
    draw_row (sheet, cairo, row);

  cairo_status_t status = cairo_status (cairo);
  cairo_destroy (cairo);
  cairo_surface_flush (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_write_to_png_stream (surface, append, png);
  cairo_surface_destroy (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    return g_steal_pointer (&png);
  g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
               "a sheet of %d x %d pixels cannot be drawn: %s; show fewer images or a smaller side", (int)width,
               (int)height, cairo_status_to_string (status));
  return NULL;
}
