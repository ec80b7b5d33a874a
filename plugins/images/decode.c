/* Which format an image is of, and what holds for both. */
#include "decode.h"

#include "limbeck.h"

#include <string.h>

#define MOST_PIXELS_A_BYTE (1040 * 8)

gboolean
image_check_size (const char *place, gint64 width, gint64 height, gsize length, GError **error)
{
  if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || width * height > IMAGE_MAX_PIXELS)
    return lb_input_error (
        place, error, "says to have %d x %d pixels; expected at most %d on a side and %d in all, so make it smaller",
        (int)width, (int)height, IMAGE_MAX_SIDE, (int)IMAGE_MAX_PIXELS);
  if ((gsize)(width * height) / MOST_PIXELS_A_BYTE > length)
    return lb_input_error (place, error,
                           "says to have %d x %d pixels, more than its %" G_GSIZE_FORMAT
                           " bytes can hold; it is damaged, get it again",
                           (int)width, (int)height, length);
  return TRUE;
}

ImageDecoder *
image_decoder_new (const char *place, gconstpointer data, gsize length, ImageInfo *info, GError **error)
{
  *info = (ImageInfo){ 0 };
  if (length >= 8 && memcmp (data, "\x89PNG\r\n\x1a\n", 8) == 0)
    return image_open_png (place, data, length, info, error);
  if (length >= 3 && memcmp (data, "\xff\xd8\xff", 3) == 0)
    return image_open_jpeg (place, data, length, info, error);
  lb_input_error (place, error,
                  "begins neither as PNG nor as JPEG; expected one of these, so convert it or get it again");
  return NULL;
}

void
image_decoder_free (ImageDecoder *decoder)
{
  if (decoder)
    decoder->format->free (decoder);
}

gboolean
image_decoder_read_row (ImageDecoder *decoder, guint8 *row, GError **error)
{
  return decoder->format->read_row (decoder, row, error);
}

gboolean
image_decoder_finish (ImageDecoder *decoder, GError **error)
{
  return decoder->format->finish (decoder, error);
}
