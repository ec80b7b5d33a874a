/* Images between streams ([n, c, h, w]) and programs ([n, h, w, c]). */
#include "nn/images.h"

#include <math.h>

#include "base/error.h"
#include "tensor/half.h"

#define HALF_BLOCK 256 /* pixels converted at a time */

static void
load_u8 (const guint8 *from, gint64 channels, gint64 pixels, const float *mean, const float *std, float *to)
{
  for (gint64 k = 0; k < channels; k++)
    for (gint64 p = 0; p < pixels; p++)
      to[p * channels + k] = ((float)from[k * pixels + p] / 255.0f - mean[k]) / std[k];
}

static void
load_f32 (const float *from, gint64 channels, gint64 pixels, float *to)
{
  for (gint64 k = 0; k < channels; k++)
    for (gint64 p = 0; p < pixels; p++)
      to[p * channels + k] = from[k * pixels + p];
}

static void
load_f16 (const guint16 *from, gint64 channels, gint64 pixels, float *to)
{
  float block[HALF_BLOCK];

  for (gint64 k = 0; k < channels; k++)
    for (gint64 first = 0; first < pixels; first += HALF_BLOCK) {
      gint64 n = MIN (HALF_BLOCK, pixels - first);

      lb_f16_to_f32 (from + k * pixels + first, block, (gsize)n);
      for (gint64 p = 0; p < n; p++)
        to[(first + p) * channels + k] = block[p];
    }
}

void
lb_images_load (LbTensor *images, const guint32 *indices, gint64 count, LbTensor *mean, LbTensor *std, LbTensor *out)
{
  gint64 channels = lb_tensor_dim (images, 1), pixels = lb_tensor_dim (images, 2) * lb_tensor_dim (images, 3);
  gint64 size = channels * pixels;

  g_assert (lb_tensor_size (out) >= count * size);
  for (gint64 i = 0; i < count; i++) {
    gint64 index = indices ? indices[i] : i;
    float *to = lb_tensor_f32 (out) + i * size;

    g_assert (index < lb_tensor_dim (images, 0));
    if (lb_tensor_dtype (images) == LB_U8)
      load_u8 (lb_tensor_u8 (images) + index * size, channels, pixels, lb_tensor_f32 (mean), lb_tensor_f32 (std), to);
    else if (lb_tensor_dtype (images) == LB_F16)
      load_f16 (lb_tensor_f16 (images) + index * size, channels, pixels, to);
    else
      load_f32 (lb_tensor_f32 (images) + index * size, channels, pixels, to);
  }
}

LbTensor *
lb_images_to_stream (LbTensor *images)
{
  gint64 n = lb_tensor_dim (images, 0), height = lb_tensor_dim (images, 1), width = lb_tensor_dim (images, 2);
  gint64 channels = lb_tensor_dim (images, 3), pixels = height * width;
  LbTensor *result = lb_tensor_new (LB_F32, LB_SHAPE (n, channels, height, width));
  const float *from = lb_tensor_f32 (images);
  float *to = lb_tensor_f32 (result);

  for (gint64 i = 0; i < n; i++, from += pixels * channels, to += pixels * channels)
    for (gint64 p = 0; p < pixels; p++)
      for (gint64 k = 0; k < channels; k++)
        to[k * pixels + p] = from[p * channels + k];
  return result;
}

LbTensor *
lb_images_to_u8 (LbTensor *images, LbTensor *mean, LbTensor *std)
{
  gint64 n = lb_tensor_dim (images, 0), channels = lb_tensor_dim (images, 1);
  gint64 pixels = lb_tensor_dim (images, 2) * lb_tensor_dim (images, 3);

  if (lb_tensor_dtype (images) == LB_U8)
    return lb_tensor_copy (images);
  if (lb_tensor_dtype (images) == LB_F16) {
    g_autoptr (LbTensor) wide = lb_tensor_convert (images, LB_F32);
    return lb_images_to_u8 (wide, mean, std);
  }

  LbTensor *result = lb_tensor_new (LB_U8, lb_tensor_shape (images));
  const float *from = lb_tensor_f32 (images);
  guint8 *to = lb_tensor_u8 (result);

  for (gint64 i = 0; i < n; i++)
    for (gint64 k = 0; k < channels; k++)
      for (gint64 p = 0; p < pixels; p++) {
        double value = 255 * (*from++ * (double)lb_tensor_f32 (std)[k] + lb_tensor_f32 (mean)[k]);
        /* The comparison is false for NaN too, which is shown black. */
        *to++ = value > 0 ? (guint8)MIN (floor (value + 0.5), 255.0) : 0;
      }
  return result;
}

/* Stored images as normalised ones, in the order of streams. */
static LbTensor *
normalise (LbTensor *images, LbTensor *mean, LbTensor *std)
{
  gint64 channels = lb_tensor_dim (images, 1), pixels = lb_tensor_dim (images, 2) * lb_tensor_dim (images, 3);
  LbTensor *result = lb_tensor_new (LB_F32, lb_tensor_shape (images));

  /* Plane by plane: an image of one channel lies alike in streams and programs. */
  for (gint64 i = 0; i < lb_tensor_dim (images, 0) * channels; i++)
    load_u8 (lb_tensor_u8 (images) + i * pixels, 1, pixels, lb_tensor_f32 (mean) + i % channels,
             lb_tensor_f32 (std) + i % channels, lb_tensor_f32 (result) + i * pixels);
  return result;
}

LbTensor *
lb_images_convert (const char *whose, LbTensor *images, LbTensor *mean, LbTensor *std, LbDType dtype, GError **error)
{
  g_autoptr (LbTensor) wide = NULL;

  if (lb_tensor_dtype (images) == dtype)
    return lb_tensor_ref (images);
  if (dtype == LB_U8)
    return lb_images_to_u8 (images, mean, std);
  wide = lb_tensor_dtype (images) == LB_U8    ? normalise (images, mean, std)
         : lb_tensor_dtype (images) == LB_F16 ? lb_tensor_convert (images, LB_F32)
                                              : lb_tensor_ref (images);
  if (dtype == LB_F32)
    return g_steal_pointer (&wide);
  for (gint64 i = 0; i < lb_tensor_size (wide); i++)
    if (fabsf (lb_tensor_f32 (wide)[i]) >= 65520) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "%s: a value of image %" G_GINT64_FORMAT
                   " is %g, where at most 65504 was expected, the most that f16 holds; keep f32",
                   whose, i / (lb_tensor_size (wide) / lb_tensor_dim (wide, 0)), lb_tensor_f32 (wide)[i]);
      return NULL;
    }
  return lb_tensor_convert (wide, LB_F16);
}

gboolean
lb_images_same_normalisation (const char *ours, LbTensor *mean, LbTensor *std, const char *theirs, LbTensor *their_mean,
                              LbTensor *their_std, GError **error)
{
  gint64 channels = lb_tensor_size (mean);

  if (lb_tensor_size (their_mean) != channels) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s is normalised over %d channels, but %s over %d; use the same source set for both", ours,
                 (int)channels, theirs, (int)lb_tensor_size (their_mean));
    return FALSE;
  }
  for (gint64 k = 0; k < channels; k++) {
    double m = lb_tensor_f32 (mean)[k], s = lb_tensor_f32 (std)[k];
    double their_m = lb_tensor_f32 (their_mean)[k], their_s = lb_tensor_f32 (their_std)[k];

    if (!(fabs (m - their_m) <= 1e-5 && fabs (s - their_s) <= 1e-5)) {
      g_set_error (
          error, LB_ERROR, LB_ERROR_INPUT,
          "channel %d of %s is normalised with mean %.6g and std %.6g, but that of %s with mean %.6g and std %.6g; "
          "give both the same source set, or the same mean and std",
          (int)k, ours, m, s, theirs, their_m, their_s);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
lb_labels_check (const char *whose, LbTensor *labels, gint64 classes, GError **error)
{
  if (classes < 1) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "%s: the number of classes is not known; the stage that makes this stream has to set 'classes'",
                 whose);
    return FALSE;
  }
  for (gint64 i = 0; i < lb_tensor_size (labels); i++) {
    gint32 label = lb_tensor_i32 (labels)[i];

    if (label < 0 || label >= classes) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "%s: image %" G_GINT64_FORMAT " has label %d; expected 0 to %" G_GINT64_FORMAT
                   ", as there are %" G_GINT64_FORMAT " classes",
                   whose, i, label, classes - 1, classes);
      return FALSE;
    }
  }
  return TRUE;
}

static gint64
integer_at (LbTensor *tensor, gint64 i)
{
  switch (lb_tensor_dtype (tensor)) {
  case LB_U8:
    return lb_tensor_u8 (tensor)[i];
  case LB_I32:
    return lb_tensor_i32 (tensor)[i];
  default:
    return lb_tensor_i64 (tensor)[i];
  }
}

LbTensor *
lb_labels_from (const char *place, const char *what, LbTensor *stored, gint64 n, gint64 classes, GError **error)
{
  LbDType dtype = lb_tensor_dtype (stored);
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (n));

  if ((dtype != LB_U8 && dtype != LB_I32 && dtype != LB_I64) || lb_tensor_shape (stored).rank != 1) {
    g_autofree char *shape = lb_shape_to_string (lb_tensor_shape (stored));

    lb_input_error (place, error, "%s is %s%s; expected whole numbers (u8, i32 or i64), one for each image", what,
                    lb_dtype_name (dtype), shape);
    return NULL;
  }
  if (lb_tensor_size (stored) != n) {
    lb_input_error (place, error,
                    "%s has %" G_GINT64_FORMAT " labels for %" G_GINT64_FORMAT " images; expected one each", what,
                    lb_tensor_size (stored), n);
    return NULL;
  }
  for (gint64 i = 0; i < n; i++) {
    gint64 label = integer_at (stored, i);

    if (label < 0 || label >= classes) {
      lb_input_error (place, error,
                      "label %" G_GINT64_FORMAT " is %" G_GINT64_FORMAT "; expected 0 to %" G_GINT64_FORMAT
                      ", as there are %" G_GINT64_FORMAT " classes",
                      i, label, classes - 1, classes);
      return NULL;
    }
    lb_tensor_i32 (labels)[i] = (gint32)label;
  }
  return g_steal_pointer (&labels);
}

guint32 *
lb_images_by_class (LbTensor *labels, gint64 classes, gint64 *first)
{
  gint64 n = lb_tensor_size (labels);
  guint32 *indices = g_new (guint32, MAX (n, 1));
  g_autofree gint64 *next = g_new0 (gint64, classes + 1);

  for (gint64 i = 0; i < n; i++)
    next[lb_tensor_i32 (labels)[i] + 1]++;
  for (gint64 k = 0; k < classes; k++)
    next[k + 1] += next[k];
  for (gint64 k = 0; k <= classes; k++)
    first[k] = next[k];
  for (gint64 i = 0; i < n; i++)
    indices[next[lb_tensor_i32 (labels)[i]]++] = (guint32)i;
  return indices;
}

gint64
lb_labels_smallest_class (LbTensor *labels, gint64 classes)
{
  g_autofree gint64 *count = g_new0 (gint64, classes);
  gint64 least = lb_tensor_size (labels);

  for (gint64 i = 0; i < lb_tensor_size (labels); i++)
    count[lb_tensor_i32 (labels)[i]]++;
  for (gint64 k = 0; k < classes; k++)
    least = MIN (least, count[k]);
  return least;
}
