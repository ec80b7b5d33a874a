/* tensors: a set of images that somebody else made, from a file of tensors: NumPy's .npy and .npz, or PyTorch's .pt. So
 * anybody's distilled set can be evaluated, label-augmented or compared.
 *
 * Tensors are found by name, in nested lists and dictionaries by path: "data.0.0" is the first tensor of the first
 * entry of the list "data". What the numbers mean is declared, not guessed: their layout, their scale, their
 * normalisation.
 */
#include "limbeck.h"

#include <math.h>

#define MAX_BYTES   ((gsize)8 << 30)
#define MAX_CLASSES 100000
#define MAX_SIDE    16384

typedef struct {
  char *file, *images, *labels_file, *labels, *layout, *values, *mean_from, *std_from;
  gint64 images_per_class, classes;
  LbNormalisation normalisation;
} Tensors;

static const char *const layouts[] = { "nchw", "nhwc", "nhw", NULL };
static const char *const scales[] = { "by-type", "normalised", "unit", "bytes", NULL };

static const LbProperty properties[] = {
  LB_PATH (Tensors, file, "file", NULL, "The .npy, .npz or .pt file"),
  LB_STRING (Tensors, images, "images", "", "Name of the images; left out: 'images', or the only tensor of the file"),
  LB_PATH (Tensors, labels_file, "labels-file", "", "File of the labels; left out: the same file"),
  LB_STRING (Tensors, labels, "labels", "",
             "Name of the labels, whole numbers; left out: 'labels', or the only tensor of 'labels-file'"),
  LB_INTEGER (Tensors, images_per_class, "images-per-class", "0", 0, 100000, "images",
              "Instead of labels: so many images of class 0, then as many of class 1, ..."),
  LB_INTEGER (Tensors, classes, "classes", "0", 0, MAX_CLASSES, "classes",
              "Number of classes; 0: as many as the labels name"),
  LB_CHOICE (Tensors, layout, "layout", "nchw", layouts, "Order of the images' dimensions; nhw: grey"),
  LB_CHOICE (
      Tensors, values, "values", "by-type", scales,
      "normalised; unit: 0 to 1, normalised on reading; bytes: 0 to 255; by-type: u8 is bytes, others normalised"),
  LB_CHOICE (Tensors, normalisation.choice, "normalisation", "given", lb_normalisations, LB_NORMALISATION_DOC),
  LB_NUMBERS (Tensors, normalisation.mean, "mean", "[]", -1e6, 1e6, NULL, LB_MEAN_DOC),
  LB_NUMBERS (Tensors, normalisation.std, "std", "[]", 1e-6, 1e6, NULL, LB_STD_DOC),
  LB_STRING (Tensors, mean_from, "mean-from", "", "Name of a tensor of the file with the mean of each channel"),
  LB_STRING (Tensors, std_from, "std-from", "", "Name of a tensor of the file with the deviation of each channel"),
  LB_PROPERTIES_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n c h w classes least", 0, "The images and labels" },
  LB_PORTS_END,
};

/* What was read. */
typedef struct {
  LbPacket *packet;
  gint64 classes;
  gsize file_bytes; /* of all tensors */
  double least, most;
} Loaded;

static void
loaded_clear (Loaded *loaded)
{
  g_clear_pointer (&loaded->packet, lb_packet_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Loaded, loaded_clear)

/* ---- Finding ---- */

static gboolean
has_tensor (GArray *tensors, const char *name)
{
  for (guint i = 0; i < tensors->len; i++)
    if (g_str_equal (g_array_index (tensors, LbNamedTensor, i).name, name))
      return TRUE;
  return FALSE;
}

/* The tensor called @name; if that is empty, the only one, or the one called @usual. */
static LbTensor *
find (GArray *tensors, const char *path, const char *name, const char *usual, GError **error)
{
  if (name[0] == '\0' && has_tensor (tensors, usual))
    name = usual;
  if (name[0] == '\0' && tensors->len == 1)
    return g_array_index (tensors, LbNamedTensor, 0).tensor;
  return lb_tensors_find (tensors, path, name[0] ? name : usual, error);
}

/* ---- Images ---- */

/* How images lie in a stored tensor: element (i, k, y, x) is at the sum of index times step. */
typedef struct {
  gint64 n, channels, height, width;
  gint64 step[4];
} Layout;

static gboolean
find_layout (const Tensors *self, LbTensor *stored, Layout *layout, GError **error)
{
  LbShape shape = lb_tensor_shape (stored);
  const gint64 *dim = shape.dim;
  gboolean last = g_str_equal (self->layout, "nhwc"), grey = g_str_equal (self->layout, "nhw");
  g_autofree char *text = lb_shape_to_string (shape);

  if (shape.rank != (grey ? 3 : 4) || lb_tensor_size (stored) == 0)
    return lb_input_error (self->file, error,
                           "the images are %s; expected %s with 'layout' %s, and none of them 0: name another tensor "
                           "with 'images', or another 'layout'",
                           text, grey ? "three dimensions" : "four dimensions", self->layout);
  if (grey)
    *layout = (Layout){ dim[0], 1, dim[1], dim[2], { dim[1] * dim[2], 0, dim[2], 1 } };
  else if (last)
    *layout = (Layout){ dim[0], dim[3], dim[1], dim[2], { dim[1] * dim[2] * dim[3], 1, dim[2] * dim[3], dim[3] } };
  else
    *layout = (Layout){ dim[0], dim[1], dim[2], dim[3], { dim[1] * dim[2] * dim[3], dim[2] * dim[3], dim[3], 1 } };
  if (layout->height > MAX_SIDE || layout->width > MAX_SIDE || layout->channels > 1024)
    return lb_input_error (self->file, error,
                           "the images are %s, which 'layout' %s makes %d channels of %d x %d pixels; expected at most "
                           "1024 of 16384 x 16384: give another 'layout'",
                           text, self->layout, (int)layout->channels, (int)layout->width, (int)layout->height);
  return TRUE;
}

static double
number_at (LbTensor *tensor, gint64 i)
{
  float half;

  switch (lb_tensor_dtype (tensor)) {
  case LB_U8:
    return lb_tensor_u8 (tensor)[i];
  case LB_I32:
    return lb_tensor_i32 (tensor)[i];
  case LB_I64:
    return (double)lb_tensor_i64 (tensor)[i];
  case LB_F32:
    return lb_tensor_f32 (tensor)[i];
  case LB_F16:
    lb_f16_to_f32 (lb_tensor_f16 (tensor) + i, &half, 1);
    return half;
  default:
    return lb_tensor_f64 (tensor)[i];
  }
}

/* Copies @stored into @images, u8 or f32 [n, c, h, w], and finds the least and the greatest value. */
static gboolean
copy_images (const Tensors *self, LbTensor *stored, const Layout *layout, LbTensor *images, Loaded *loaded,
             GError **error)
{
  gboolean as_bytes = lb_tensor_dtype (images) == LB_U8;
  gint64 to = 0;

  loaded->least = G_MAXDOUBLE;
  loaded->most = -G_MAXDOUBLE;
  for (gint64 i = 0; i < layout->n; i++)
    for (gint64 k = 0; k < layout->channels; k++)
      for (gint64 y = 0; y < layout->height; y++)
        for (gint64 x = 0; x < layout->width; x++, to++) {
          double value = number_at (stored, i * layout->step[0] + k * layout->step[1] + y * layout->step[2]
                                                + x * layout->step[3]);

          if (as_bytes ? !(value >= 0 && value <= 255 && value == floor (value)) : !isfinite ((float)value))
            return lb_input_error (
                self->file, error, "image %d has the value %g at channel %d, row %d, column %d; expected %s", (int)i,
                value, (int)k, (int)y, (int)x,
                as_bytes ? "whole numbers from 0 to 255, as 'values' says: give another 'values'" : "finite numbers");
          loaded->least = MIN (loaded->least, value);
          loaded->most = MAX (loaded->most, value);
          if (as_bytes)
            lb_tensor_u8 (images)[to] = (guint8)value;
          else
            lb_tensor_f32 (images)[to] = (float)value;
        }
  return TRUE;
}

static gboolean
load_images (const Tensors *self, LbTensor *stored, Loaded *loaded, GError **error)
{
  LbDType dtype = lb_tensor_dtype (stored);
  gboolean is_float = dtype == LB_F32 || dtype == LB_F64 || dtype == LB_F16,
           by_type = g_str_equal (self->values, "by-type");
  gboolean as_bytes = g_str_equal (self->values, "bytes") || (by_type && dtype == LB_U8);
  Layout layout = { 0 };
  LbTensor *images;

  if (!find_layout (self, stored, &layout, error))
    return FALSE;
  if (!as_bytes && !is_float)
    return lb_input_error (self->file, error,
                           "the images are %s, which cannot be %s; say 'values: bytes' if they are 0 to 255",
                           lb_dtype_name (dtype), by_type ? "normalised" : self->values);
  images = lb_tensor_try_new (as_bytes ? LB_U8 : LB_F32,
                              LB_SHAPE (layout.n, layout.channels, layout.height, layout.width));
  if (!images)
    return lb_input_error (self->file, error, "there is no memory for its images; free some memory");
  lb_packet_take (loaded->packet, "images", images);
  if (!copy_images (self, stored, &layout, images, loaded, error))
    return FALSE;
  /* Halves that need no more arithmetic stay halves, so that a set is as small as it was stored. */
  if (dtype == LB_F16 && !as_bytes && !g_str_equal (self->values, "unit"))
    lb_packet_take (loaded->packet, "images", lb_tensor_convert (images, LB_F16));
  return TRUE;
}

/* ---- Normalisation ---- */

/* @name's numbers, one for each channel, as f32. New tensor. */
static LbTensor *
read_channels (const Tensors *self, GArray *tensors, const char *name, gint64 channels, gboolean is_std, GError **error)
{
  LbTensor *stored = lb_tensors_find (tensors, self->file, name, error);
  g_autoptr (LbTensor) values = lb_tensor_new (LB_F32, LB_SHAPE (channels));

  if (!stored)
    return NULL;
  if (lb_tensor_size (stored) != channels) {
    lb_input_error (self->file, error, "tensor '%s' has %d numbers; expected %d, one for each channel", name,
                    (int)lb_tensor_size (stored), (int)channels);
    return NULL;
  }
  for (gint64 k = 0; k < channels; k++) {
    double value = number_at (stored, k);

    lb_tensor_f32 (values)[k] = (float)value;
    if (isfinite ((float)value) && (!is_std || (float)value > 0))
      continue;
    lb_input_error (self->file, error, "number %d of tensor '%s' is %g; expected a finite number%s", (int)k, name,
                    value, is_std ? " above 0" : "");
    return NULL;
  }
  return g_steal_pointer (&values);
}

static gboolean
load_normalisation (const Tensors *self, GArray *tensors, LbPacket *packet, GError **error)
{
  LbTensor *images = lb_packet_get (packet, "images"), *mean = NULL, *std = NULL;
  gint64 channels = lb_tensor_dim (images, 1);

  if (!self->mean_from[0]) {
    if (!lb_normalisation_make (&self->normalisation, self->file, images, &mean, &std, error))
      return FALSE;
  } else if ((mean = read_channels (self, tensors, self->mean_from, channels, FALSE, error))) {
    std = read_channels (self, tensors, self->std_from, channels, TRUE, error);
  }
  if (mean)
    lb_packet_take (packet, "mean", mean);
  if (std)
    lb_packet_take (packet, "std", std);
  return mean && std;
}

/* Values of 0 to 1 as networks want them. */
static void
normalise (LbPacket *packet)
{
  LbTensor *images = lb_packet_get (packet, "images");
  gint64 channels = lb_tensor_dim (images, 1), pixels = lb_tensor_dim (images, 2) * lb_tensor_dim (images, 3);
  float *value = lb_tensor_f32 (images);

  for (gint64 i = 0; i < lb_tensor_dim (images, 0) * channels; i++) {
    float mean = lb_tensor_f32 (lb_packet_get (packet, "mean"))[i % channels];
    float std = lb_tensor_f32 (lb_packet_get (packet, "std"))[i % channels];

    for (gint64 p = 0; p < pixels; p++, value++)
      *value = (*value - mean) / std;
  }
}

/* ---- Labels ---- */

static gboolean
labels_by_order (const Tensors *self, Loaded *loaded, GError **error)
{
  gint64 n = lb_tensor_dim (lb_packet_get (loaded->packet, "images"), 0), each = self->images_per_class;
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (n));

  lb_packet_take (loaded->packet, "labels", labels);
  loaded->classes = n / each;
  if (n % each != 0 || loaded->classes > MAX_CLASSES || (self->classes && loaded->classes != self->classes))
    return lb_input_error (self->file, error,
                           "has %" G_GINT64_FORMAT
                           " images, but 'images-per-class' is %d and 'classes' %d; expected the "
                           "product of the two (classes 0: any multiple, of at most 100000)",
                           n, (int)each, (int)self->classes);
  for (gint64 i = 0; i < n; i++)
    lb_tensor_i32 (labels)[i] = (gint32)(i / each);
  return TRUE;
}

static gboolean
load_labels (const Tensors *self, GArray *tensors, Loaded *loaded, GError **error)
{
  const char *path = self->labels_file[0] ? self->labels_file : self->file;
  gint64 n = lb_tensor_dim (lb_packet_get (loaded->packet, "images"), 0);
  g_autoptr (GArray) others = NULL;
  LbTensor *stored, *labels;

  if (self->images_per_class)
    return labels_by_order (self, loaded, error);
  if (self->labels_file[0] && !(tensors = others = lb_tensors_read (path, MAX_BYTES, error)))
    return FALSE;
  if (!(stored = find (tensors, path, self->labels, "labels", error)))
    return FALSE;
  labels = lb_labels_from (path, "the tensor of labels", stored, n, self->classes ? self->classes : MAX_CLASSES, error);
  if (!labels)
    return FALSE;
  lb_packet_take (loaded->packet, "labels", labels);
  loaded->classes = self->classes;
  for (gint64 i = 0; i < n && !self->classes; i++)
    loaded->classes = MAX (loaded->classes, lb_tensor_i32 (labels)[i] + 1);
  return TRUE;
}

/* ---- The stage ---- */

static gboolean
load (const Tensors *self, Loaded *loaded, GError **error)
{
  g_autoptr (GArray) tensors = lb_tensors_read (self->file, MAX_BYTES, error);
  LbTensor *stored = tensors ? find (tensors, self->file, self->images, "images", error) : NULL;

  if (!stored)
    return FALSE;
  loaded->packet = lb_packet_new ();
  for (guint i = 0; i < tensors->len; i++)
    loaded->file_bytes += lb_tensor_bytes (g_array_index (tensors, LbNamedTensor, i).tensor);
  if (!load_images (self, stored, loaded, error) || !load_normalisation (self, tensors, loaded->packet, error)
      || !load_labels (self, tensors, loaded, error))
    return FALSE;
  if (g_str_equal (self->values, "unit"))
    normalise (loaded->packet);
  return TRUE;
}

/* Properties that contradict each other. */
static gboolean
check_properties (LbConfigure *configure, const Tensors *self, GError **error)
{
  if (!self->mean_from[0] != !self->std_from[0])
    return lb_configure_property_error (configure, self->mean_from[0] ? "mean-from" : "std-from", error,
                                        "is given alone; give both, 'mean-from' and 'std-from'");
  if (self->mean_from[0]
      && (self->normalisation.mean->len || self->normalisation.std->len
          || !g_str_equal (self->normalisation.choice, "given")))
    return lb_configure_property_error (configure, "mean-from", error,
                                        "is given beside 'mean', 'std' or 'normalisation'; leave one of them out");
  if (self->images_per_class && (self->labels[0] || self->labels_file[0]))
    return lb_configure_property_error (configure, "images-per-class", error,
                                        "is given beside labels; leave one of them out");
  return TRUE;
}

static gboolean
tensors_configure (LbConfigure *configure, gpointer data, GError **error)
{
  static const char *const symbols[] = { "n", "c", "h", "w" };
  Tensors *self = data;
  g_auto (Loaded) loaded = { 0 };
  LbTensor *images;

  if (!check_properties (configure, self, error) || !load (self, &loaded, error))
    return FALSE;
  images = lb_packet_get (loaded.packet, "images");
  lb_configure_set_output_dtype (configure, "samples", "images", lb_tensor_dtype (images));
  for (guint i = 0; i < 4; i++)
    if (!lb_configure_set_dim (configure, symbols[i], lb_tensor_dim (images, i), error))
      return FALSE;
  lb_configure_set_output_packets (configure, "samples", 1);
  /* A file's members and its tensors are there at once, and the images among them are carried. */
  lb_configure_cost (configure, 0, (double)(2 * loaded.file_bytes));
  return lb_configure_set_dim (configure, "classes", loaded.classes, error)
         && lb_configure_set_dim (configure, "least",
                                  lb_labels_smallest_class (lb_packet_get (loaded.packet, "labels"), loaded.classes),
                                  error);
}

static gboolean
tensors_run (LbStage *stage, gpointer data, GError **error)
{
  Tensors *self = data;
  g_auto (Loaded) loaded = { 0 };
  g_autofree char *text = NULL;

  if (!load (self, &loaded, error))
    return FALSE;
  text = g_strdup_printf ("%s: %s images of %d classes, stored values from %.4g to %.4g\n", self->file,
                          lb_dtype_name (lb_tensor_dtype (lb_packet_get (loaded.packet, "images"))),
                          (int)loaded.classes, loaded.least, loaded.most);
  lb_stage_report (stage, text);
  return lb_stage_push (stage, "samples", g_steal_pointer (&loaded.packet), error);
}

static const LbStageType tensors_type = {
  .name = "tensors",
  .summary = "Reads images and labels that others made from .npy, .npz and PyTorch's .pt files",
  .description
  = "The file's format is told by its contents. A file of torch.save() may hold tensors alone or in nested lists, "
    "tuples and dictionaries; they are named by path: 'images: data.0.0' and 'labels: data.0.1' are those of DC's and "
    "DM's res_*.pt, and MTT's images_best.pt and labels_best.pt are single tensors in two files. Nothing in a file is "
    "executed: it is refused at the first thing that is no plain data. f16 is carried as it is, bfloat16 as f32.\n\n"
    "Images are carried as stored if they are bytes, else normalised. A set that was distilled in whitened (ZCA) space "
    "needs a test set in the same space.",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Tensors),
  .configure = tensors_configure,
  .run = tensors_run,
  .flags = LB_STAGE_CHEAP,
};

LB_DEFINE_PLUGIN ("tensors", "1.0", "LGPL-2.1-or-later", &tensors_type);
