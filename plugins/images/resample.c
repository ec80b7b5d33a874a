/* Resampling with a triangle filter, one row at a time. */
#include "resample.h"

#include <math.h>

#define FRACTION_BITS 22
#define HALF          (1 << (FRACTION_BITS - 1))

/* What each wanted pixel of an axis is made of: @n pixels from @start on, with these weights. */
typedef struct {
  gint64 start, n;
  gint32 *weights;
} Window;

struct _Resampler {
  guint channels;
  gint64 width, height; /* wanted */
  Window *columns, *rows;
  gint32 *weights;   /* all of them */
  gint64 y;          /* the next row */
  gint64 first_open; /* rows before it are complete */
  guint8 *line;      /* the row, resized */
  gint32 *sums;      /* [height, width, channels] */
  guint8 *result;
};

/* The filter's half width, in pixels of the original. */
static double
support_of (const ResampleAxis *axis)
{
  return fmax ((double)axis->from / (double)axis->to, 1);
}

static gint64
most_weights (const ResampleAxis *axis)
{
  return 2 * (gint64)ceil (support_of (axis)) + 1;
}

static Window
make_window (const ResampleAxis *axis, gint64 index, gint32 *weights)
{
  double support = support_of (axis), sum = 0;
  double centre = ((double)(axis->first + index) + 0.5) * ((double)axis->from / (double)axis->to);
  gint64 start = MAX ((gint64)(centre - support + 0.5), 0);
  gint64 end = MIN ((gint64)(centre + support + 0.5), axis->from);

  for (gint64 i = start; i < end; i++)
    sum += fmax (1 - fabs (((double)i - centre + 0.5) / support), 0);
  for (gint64 i = start; i < end; i++) {
    double weight = fmax (1 - fabs (((double)i - centre + 0.5) / support), 0) / sum;

    weights[i - start] = (gint32)(weight * (1 << FRACTION_BITS) + 0.5);
  }
  return (Window){ start, end - start, weights };
}

Resampler *
resampler_new (ResampleAxis horizontal, ResampleAxis vertical, guint channels)
{
  Resampler *resampler = g_new0 (Resampler, 1);
  gint64 wide = most_weights (&horizontal), high = most_weights (&vertical);
  gsize size = (gsize)(horizontal.count * vertical.count * channels);

  resampler->channels = channels;
  resampler->width = horizontal.count;
  resampler->height = vertical.count;
  resampler->columns = g_new (Window, horizontal.count);
  resampler->rows = g_new (Window, vertical.count);
  resampler->weights = g_new (gint32, horizontal.count * wide + vertical.count * high);
  resampler->line = g_malloc ((gsize)horizontal.count * channels);
  resampler->sums = g_new (gint32, size);
  resampler->result = g_malloc (size);
  for (gsize i = 0; i < size; i++)
    resampler->sums[i] = HALF;
  for (gint64 x = 0; x < horizontal.count; x++)
    resampler->columns[x] = make_window (&horizontal, x, resampler->weights + x * wide);
  for (gint64 y = 0; y < vertical.count; y++)
    resampler->rows[y] = make_window (&vertical, y, resampler->weights + horizontal.count * wide + y * high);
  return resampler;
}

void
resampler_free (Resampler *resampler)
{
  if (!resampler)
    return;
  g_free (resampler->columns);
  g_free (resampler->rows);
  g_free (resampler->weights);
  g_free (resampler->line);
  g_free (resampler->sums);
  g_free (resampler->result);
  g_free (resampler);
}

static guint8
to_byte (gint32 sum)
{
  return (guint8)CLAMP (sum >> FRACTION_BITS, 0, 255);
}

static void
resize_line (Resampler *resampler, const guint8 *row)
{
  guint channels = resampler->channels;

  for (gint64 x = 0; x < resampler->width; x++) {
    const Window *window = &resampler->columns[x];

    for (guint k = 0; k < channels; k++) {
      const guint8 *from = row + window->start * channels + k;
      gint32 sum = HALF;

      for (gint64 i = 0; i < window->n; i++)
        sum += from[i * channels] * window->weights[i];
      resampler->line[x * channels + k] = to_byte (sum);
    }
  }
}

void
resampler_put_row (Resampler *resampler, const guint8 *row)
{
  gint64 y = resampler->y++, length = resampler->width * resampler->channels;
  gint64 first = resampler->first_open;

  while (first < resampler->height && resampler->rows[first].start + resampler->rows[first].n <= y)
    first++;
  resampler->first_open = first;
  if (first == resampler->height || resampler->rows[first].start > y)
    return;
  resize_line (resampler, row);
  for (gint64 j = first; j < resampler->height && resampler->rows[j].start <= y; j++) {
    gint32 weight = resampler->rows[j].weights[y - resampler->rows[j].start], *sums = resampler->sums + j * length;

    for (gint64 i = 0; i < length; i++)
      sums[i] += resampler->line[i] * weight;
  }
}

const guint8 *
resampler_result (Resampler *resampler)
{
  gint64 size = resampler->width * resampler->height * resampler->channels;

  for (gint64 i = 0; i < size; i++)
    resampler->result[i] = to_byte (resampler->sums[i]);
  return resampler->result;
}
