/* PNG and JPEG images, decoded row by row from memory. What the bytes say is not believed: sizes are bounded before
 * memory is taken for them, and damage that the libraries would repair or pass over is an error. Errors are
 * LB_ERROR_INPUT and begin with the place. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define IMAGE_MAX_SIDE   16384
#define IMAGE_MAX_PIXELS ((gint64)1 << 26)
#define IMAGE_MAX_BYTES  ((gsize)1 << 26) /* of the file */

typedef struct {
  gint64 width, height;
  guint channels;     /* of its rows: 1 (grey) or 3 (red, green, blue) */
  gboolean has_alpha; /* transparency, which is left out */
  gboolean is_cmyk;   /* four inks, shown as red, green and blue */
} ImageInfo;

typedef struct _ImageDecoder ImageDecoder;

/* Reads the header of the image of @length bytes at @data, which must stay. @place names it in errors and must stay,
 * too. */
ImageDecoder *image_decoder_new (const char *place, gconstpointer data, gsize length, ImageInfo *info, GError **error);
void image_decoder_free (ImageDecoder *decoder);

/* Decodes the next row, width * channels bytes. */
gboolean image_decoder_read_row (ImageDecoder *decoder, guint8 *row, GError **error);

/* After the last row: whether the image ends as it should. */
gboolean image_decoder_finish (ImageDecoder *decoder, GError **error);

/* For the two formats: a decoder begins with these. */
typedef struct {
  gboolean (*read_row) (ImageDecoder *decoder, guint8 *row, GError **error);
  gboolean (*finish) (ImageDecoder *decoder, GError **error);
  void (*free) (ImageDecoder *decoder);
} ImageFormat;

struct _ImageDecoder {
  const ImageFormat *format;
  const char *place;
};

ImageDecoder *image_open_jpeg (const char *place, gconstpointer data, gsize length, ImageInfo *info, GError **error);
ImageDecoder *image_open_png (const char *place, gconstpointer data, gsize length, ImageInfo *info, GError **error);

/* Refuses sizes beyond the bounds, and those that @length bytes cannot hold: none of the two formats makes a pixel
 * smaller than a 1024th of a byte, but for PNG files of less than 8 bits, which a factor of 8 is left for. */
gboolean image_check_size (const char *place, gint64 width, gint64 height, gsize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ImageDecoder, image_decoder_free)

G_END_DECLS
