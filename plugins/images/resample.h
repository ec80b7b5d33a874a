/* Making images smaller or larger, row by row as they are decoded, so that a large image never stands in memory whole.
 *
 * Triangle filter as wide as the reduction (antialiasing), first along rows, then down columns, in whole numbers with
 * 22 bits of fraction and rounding to u8 between the two: what Pillow's Image.resize (..., BILINEAR) computes
 * (src/libImaging/Resample.c), which the data sets of most published numbers were made with.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Along one axis: @from pixels are resized to @to, of which @count from @first on are wanted (a crop). */
typedef struct {
  gint64 from, to, first, count;
} ResampleAxis;

typedef struct _Resampler Resampler;

/* For images of @channels interleaved bytes a pixel. */
Resampler *resampler_new (ResampleAxis horizontal, ResampleAxis vertical, guint channels);
void resampler_free (Resampler *resampler);

/* Takes the next row, from the top, of the image: horizontal.from pixels. */
void resampler_put_row (Resampler *resampler, const guint8 *row);

/* After all rows: pixel by pixel, vertical.count x horizontal.count x channels. The resampler's. */
const guint8 *resampler_result (Resampler *resampler);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Resampler, resampler_free)

G_END_DECLS
