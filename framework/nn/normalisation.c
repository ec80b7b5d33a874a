/* Mean and std of sources of images. */
#include "nn/normalisation.h"

#include <math.h>

#include "base/error.h"

#define MAX_CHANNELS 3

const char *const lb_normalisations[]
    = { "given", "mnist", "fashion-mnist", "svhn", "cifar10", "cifar100", "imagenet", NULL };

typedef struct {
  const char *name;
  guint channels;
  double mean[MAX_CHANNELS], std[MAX_CHANNELS];
} Published;

static const Published published[] = {
  { "mnist", 1, { 0.1307 }, { 0.3081 } },
  { "fashion-mnist", 1, { 0.2861 }, { 0.3530 } },
  { "svhn", 3, { 0.4377, 0.4438, 0.4728 }, { 0.1980, 0.2010, 0.1970 } },
  { "cifar10", 3, { 0.4914, 0.4822, 0.4465 }, { 0.2023, 0.1994, 0.2010 } },
  { "cifar100", 3, { 0.5071, 0.4866, 0.4409 }, { 0.2673, 0.2564, 0.2762 } },
  { "imagenet", 3, { 0.485, 0.456, 0.406 }, { 0.229, 0.224, 0.225 } },
};

static const Published *
find_published (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (published); i++)
    if (g_str_equal (published[i].name, name))
      return &published[i];
  return NULL;
}

const char *
lb_normalisation_check (const LbNormalisation *normalisation, gint64 channels, char **problem)
{
  const Published *known = find_published (normalisation->choice);

  if (known && (normalisation->mean->len || normalisation->std->len)) {
    *problem = g_strdup_printf ("is '%s', but 'mean' or 'std' is given too; leave one of them out", known->name);
    return "normalisation";
  }
  if (known && known->channels != channels) {
    *problem = g_strdup_printf ("'%s' is of %u channels, but the images have %d; give 'mean' and 'std'", known->name,
                                known->channels, (int)channels);
    return "normalisation";
  }
  for (guint i = 0; i < 2; i++) {
    guint n = (i ? normalisation->std : normalisation->mean)->len;

    if (n > 1 && n != channels) {
      *problem = g_strdup_printf ("%u numbers are given, but the images have %d channel%s; give one for each, or one "
                                  "for all",
                                  n, (int)channels, channels == 1 ? "" : "s");
      return i ? "std" : "mean";
    }
  }
  return NULL;
}

void
lb_images_statistics (LbTensor *images, gint64 channel, double *mean, double *std)
{
  gint64 n = lb_tensor_dim (images, 0), channels = lb_tensor_dim (images, 1);
  gint64 pixels = lb_tensor_dim (images, 2) * lb_tensor_dim (images, 3);
  guint64 count[256] = { 0 };
  double sum = 0, squares = 0;

  /* From how often each of the 256 values occurs. */
  for (gint64 i = 0; i < n; i++) {
    const guint8 *values = lb_tensor_u8 (images) + (i * channels + channel) * pixels;

    for (gint64 p = 0; p < pixels; p++)
      count[values[p]]++;
  }
  for (guint u = 0; u < 256; u++)
    sum += (double)count[u] * u / 255;
  *mean = sum / (double)(n * pixels);
  for (guint u = 0; u < 256; u++)
    squares += (double)count[u] * (u / 255.0 - *mean) * (u / 255.0 - *mean);
  *std = sqrt (squares / (double)(n * pixels));
}

/* Number @channel of those given or published; FALSE when there is none. */
static gboolean
look_up (const LbNormalisation *normalisation, gboolean is_std, gint64 channel, double *value)
{
  const Published *known = find_published (normalisation->choice);
  const GArray *given = is_std ? normalisation->std : normalisation->mean;

  if (known)
    *value = is_std ? known->std[channel] : known->mean[channel];
  else if (given->len)
    *value = g_array_index (given, double, given->len > 1 ? channel : 0);
  return known || given->len;
}

/* The numbers of one channel. */
static gboolean
make_channel (const LbNormalisation *normalisation, const char *place, LbTensor *images, gint64 channel, double *mean,
              double *std, GError **error)
{
  gboolean has_mean = look_up (normalisation, FALSE, channel, mean);
  gboolean has_std = look_up (normalisation, TRUE, channel, std);
  double computed_mean, computed_std;

  if (has_mean && has_std)
    return TRUE;
  if (lb_tensor_dtype (images) != LB_U8)
    return lb_input_error (place, error,
                           "holds numbers that are normalised already, from which mean and std cannot be "
                           "computed; give 'mean' and 'std', or 'normalisation'");
  lb_images_statistics (images, channel, &computed_mean, &computed_std);
  if (!has_mean)
    *mean = computed_mean;
  if (!has_std)
    *std = computed_std;
  if (*std > 0)
    return TRUE;
  g_autofree char *of
      = lb_tensor_dim (images, 1) > 1 ? g_strdup_printf (" of channel %d", (int)channel) : g_strdup ("");
  return lb_input_error (place, error,
                         "all pixels%s have the same value, so there is no deviation to normalise with; "
                         "give 'std' if that is what you want",
                         of);
}

gboolean
lb_normalisation_make (const LbNormalisation *normalisation, const char *place, LbTensor *images, LbTensor **mean,
                       LbTensor **std, GError **error)
{
  gint64 channels = lb_tensor_dim (images, 1);
  g_autoptr (LbTensor) means = lb_tensor_new (LB_F32, LB_SHAPE (channels));
  g_autoptr (LbTensor) stds = lb_tensor_new (LB_F32, LB_SHAPE (channels));
  g_autofree char *problem = NULL;
  const char *property = lb_normalisation_check (normalisation, channels, &problem);

  if (property)
    return lb_input_error (place, error, "property '%s': %s", property, problem);
  for (gint64 k = 0; k < channels; k++) {
    double m = 0, s = 0;

    if (!make_channel (normalisation, place, images, k, &m, &s, error))
      return FALSE;
    lb_tensor_f32 (means)[k] = (float)m;
    lb_tensor_f32 (stds)[k] = (float)s;
  }
  *mean = g_steal_pointer (&means);
  *std = g_steal_pointer (&stds);
  return TRUE;
}
