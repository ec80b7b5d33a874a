/* Decoding, colours, resizing: row by row, so that an image needs little memory beside what it becomes. */
#include "load.h"

#include "limbeck.h"
#include "resample.h"

#include <math.h>

/* One side of an image of @side pixels whose shorter side is @shorter, as torchvision's Resize and CenterCrop cut it.
 */
static ResampleAxis
cropped_axis (gint64 side, gint64 shorter, gint64 size)
{
  gint64 resized = side == shorter ? size : (gint64)((double)(size * side) / (double)shorter);

  return (ResampleAxis){ side, resized, (gint64)nearbyint ((double)(resized - size) / 2), size };
}

static Resampler *
make_resampler (const ImageTarget *target, const ImageInfo *info, guint channels)
{
  ResampleAxis horizontal = { info->width, target->width, 0, target->width };
  ResampleAxis vertical = { info->height, target->height, 0, target->height };

  if (target->is_cropped) {
    gint64 shorter = MIN (info->width, info->height);

    horizontal = cropped_axis (info->width, shorter, target->width);
    vertical = cropped_axis (info->height, shorter, target->height);
  }
  return resampler_new (horizontal, vertical, channels);
}

/* Colour to luma, in place. */
static void
to_luma (guint8 *row, gint64 width)
{
  for (gint64 x = 0; x < width; x++)
    row[x] = (guint8)((row[3 * x] * 19595u + row[3 * x + 1] * 38470u + row[3 * x + 2] * 7471u + 32768u) >> 16);
}

/* @count pixels of @channels to row or image @out, whose channels lie @stride apart. */
static void
to_planes (const guint8 *pixels, gint64 count, guint channels, const ImageTarget *target, guint8 *out, gint64 stride)
{
  for (guint k = 0; k < target->channels; k++)
    for (gint64 i = 0; i < count; i++)
      out[k * stride + i] = pixels[i * channels + (channels == 1 ? 0 : k)];
}

static gboolean
read_rows (ImageDecoder *decoder, const ImageTarget *target, const ImageInfo *info, guint8 *out, GError **error)
{
  guint channels = MIN (info->channels, target->channels);
  gint64 pixels = target->height * target->width;
  g_autofree guint8 *row = g_malloc ((gsize)info->width * info->channels);
  g_autoptr (Resampler) resampler = target->is_resized ? make_resampler (target, info, channels) : NULL;

  for (gint64 y = 0; y < info->height; y++) {
    if (!image_decoder_read_row (decoder, row, error))
      return FALSE;
    if (channels < info->channels)
      to_luma (row, info->width);
    if (resampler)
      resampler_put_row (resampler, row);
    else
      to_planes (row, target->width, channels, target, out + y * target->width, pixels);
  }
  if (resampler)
    to_planes (resampler_result (resampler), pixels, channels, target, out, pixels);
  return image_decoder_finish (decoder, error);
}

gboolean
image_load (const char *place, gconstpointer data, gsize length, const ImageTarget *target, guint8 *out,
            ImageInfo *info, GError **error)
{
  g_autoptr (ImageDecoder) decoder = image_decoder_new (place, data, length, info, error);

  if (!decoder)
    return FALSE;
  if (!target->is_resized && (info->width != target->width || info->height != target->height))
    return lb_input_error (
        place, error,
        "has %d x %d pixels, where %d x %d were expected, as the first image has; set 'size', so that "
        "all are resized to it",
        (int)info->width, (int)info->height, (int)target->width, (int)target->height);
  return read_rows (decoder, target, info, out, error);
}
