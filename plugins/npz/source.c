/* Reading of samples: a file is checked in full, when the pipeline is checked and again when it is read. */
#include "grid.h"
#include "npz.h"

#include <math.h>

#define MAX_BYTES ((gsize)8 << 30)

#define SHA256_LETTERS 64

typedef struct {
  char *file;
  gint64 classes;
} Source;

static const LbProperty source_properties[] = {
  LB_PATH (Source, file, "file", NULL, "The .npz file"),
  LB_INTEGER (Source, classes, "classes", "0", 0, 100000, "classes",
              "Number of classes; 0: as the file's member 'classes' says"),
  LB_PROPERTIES_END,
};

static const LbPort source_outputs[] = {
  { "samples", "samples", "n c h w classes least", 0, "The images and labels" },
  LB_PORTS_END,
};

static const LbPort augmented_outputs[] = {
  { "augmented", "augmented", "n v kept c h w classes least", 0,
    "The images and labels, with windows and dense labels" },
  LB_PORTS_END,
};

static LbTensor *
find_member (GArray *members, const char *name)
{
  for (guint i = 0; i < members->len; i++)
    if (g_str_equal (g_array_index (members, LbNamedTensor, i).name, name))
      return g_array_index (members, LbNamedTensor, i).tensor;
  return NULL;
}

/* The member @name, which must be of one of @dtypes (bits 1 << LbDType) and of @rank, with at least one element. */
static LbTensor *
get_member (const char *path, GArray *members, const char *name, guint dtypes, guint rank, GError **error)
{
  LbTensor *tensor = find_member (members, name);
  g_autofree char *shape = tensor ? lb_shape_to_string (lb_tensor_shape (tensor)) : NULL;
  g_autoptr (GString) expected = g_string_new (NULL);

  for (guint i = 0; i < LB_N_DTYPES; i++)
    if (dtypes & 1u << i)
      g_string_append_printf (expected, "%s%s", expected->len ? " or " : "", lb_dtype_name ((LbDType)i));
  if (!tensor)
    lb_input_error (path, error, "has no member '%s'; expected one of %s with %u dimensions", name, expected->str,
                    rank);
  else if (!(dtypes & 1u << lb_tensor_dtype (tensor)) || lb_tensor_shape (tensor).rank != rank
           || lb_tensor_size (tensor) == 0)
    lb_input_error (path, error, "member '%s' is %s%s; expected %s with %u dimensions and at least one element", name,
                    lb_dtype_name (lb_tensor_dtype (tensor)), shape, expected->str, rank);
  else
    return tensor;
  return NULL;
}

static gboolean
all_finite (const char *path, const char *name, LbTensor *tensor, GError **error)
{
  g_autoptr (LbTensor) wide
      = lb_tensor_dtype (tensor) == LB_F16 ? lb_tensor_convert (tensor, LB_F32) : lb_tensor_ref (tensor);

  for (gint64 i = 0; i < lb_tensor_size (wide) && lb_tensor_dtype (wide) == LB_F32; i++)
    if (!isfinite (lb_tensor_f32 (wide)[i]))
      return lb_input_error (path, error, "element %" G_GINT64_FORMAT " of member '%s' is %g; expected finite numbers",
                             i, name, lb_tensor_f32 (wide)[i]);
  return TRUE;
}

/* mean or std: one finite number for each channel. NumPy's own f64 is taken too. New tensor. */
static LbTensor *
get_channels (const char *path, GArray *members, const char *name, gint64 channels, GError **error)
{
  LbTensor *member = get_member (path, members, name, 1u << LB_F32 | 1u << LB_F64, 1, error);
  g_autoptr (LbTensor) values = lb_tensor_new (LB_F32, LB_SHAPE (channels));

  if (!member)
    return NULL;
  if (lb_tensor_size (member) != channels) {
    lb_input_error (path, error, "member '%s' has %d numbers; expected %d, one for each channel of the images", name,
                    (int)lb_tensor_size (member), (int)channels);
    return NULL;
  }
  for (gint64 i = 0; i < channels; i++) {
    double value = lb_tensor_dtype (member) == LB_F64 ? lb_tensor_f64 (member)[i] : lb_tensor_f32 (member)[i];

    lb_tensor_f32 (values)[i] = (float)value;
    if (g_str_equal (name, "std") && !(value > 0)) {
      lb_input_error (path, error, "std of channel %d is %g; expected a number above 0", (int)i, value);
      return NULL;
    }
  }
  return all_finite (path, name, values, error) ? g_steal_pointer (&values) : NULL;
}

/* The labels as i32. New tensor. */
static LbTensor *
get_labels (const char *path, GArray *members, gint64 n, gint64 classes, GError **error)
{
  LbTensor *member = get_member (path, members, "labels", 1u << LB_I32 | 1u << LB_I64, 1, error);

  return member ? lb_labels_from (path, "member 'labels'", member, n, classes, error) : NULL;
}

static gboolean
get_classes (const Source *self, GArray *members, gint64 *classes, GError **error)
{
  LbTensor *member = find_member (members, "classes");

  *classes = self->classes;
  if (*classes)
    return TRUE;
  if (!member)
    return lb_input_error (self->file, error, "has no member 'classes'; set the property 'classes'");
  if (lb_tensor_dtype (member) != LB_I64 || lb_tensor_size (member) != 1 || lb_tensor_i64 (member)[0] < 1
      || lb_tensor_i64 (member)[0] > 100000)
    return lb_input_error (self->file, error,
                           "member 'classes' is not one i64 from 1 to 100000; set the property 'classes'");
  *classes = lb_tensor_i64 (member)[0];
  return TRUE;
}

/* The member @name of a text of @length letters, where the file has it; new string in *text. */
static gboolean
get_text (const char *path, GArray *members, const char *name, gint64 length, char **text, GError **error)
{
  LbTensor *member = find_member (members, name);

  *text = NULL;
  if (!member)
    return TRUE;
  if (lb_tensor_dtype (member) != LB_U8 || lb_tensor_size (member) != length)
    return lb_input_error (path, error, "member '%s' is %s of %d elements; expected u8 of %d letters", name,
                           lb_dtype_name (lb_tensor_dtype (member)), (int)lb_tensor_size (member), (int)length);
  *text = g_strndup ((const char *)lb_tensor_u8 (member), (gsize)length);
  return TRUE;
}

/* Where the file tells of a grid, it must be that of its windows, or whoever cuts by the grid cuts other views. */
static gboolean
check_grid (const char *path, GArray *members, LbTensor *windows, LbTensor *images, GError **error)
{
  LbTensor *n = find_member (members, "grid"), *ratio = find_member (members, "ratio");
  const float *first = lb_tensor_f32 (windows);
  Grid grid;

  if (!n && !ratio)
    return TRUE;
  if (!n || lb_tensor_dtype (n) != LB_I64 || lb_tensor_size (n) != 1)
    return lb_input_error (path, error, "member 'grid' is not one i64, which the member 'ratio' belongs to");
  if (!ratio || lb_tensor_dtype (ratio) != LB_F64 || lb_tensor_size (ratio) != 2)
    return lb_input_error (path, error, "member 'ratio' is not two f64, which the member 'grid' belongs to");
  grid = (Grid){ lb_tensor_i64 (n)[0], lb_tensor_f64 (ratio)[0], lb_tensor_f64 (ratio)[1] };
  if (grid_has (&grid, windows, lb_tensor_dim (images, 2), lb_tensor_dim (images, 3)))
    return TRUE;
  return lb_input_error (path, error,
                         "members 'grid' and 'ratio' are %d and %g of the height and %g of the width, but member "
                         "'windows' has %d windows, the first of %g x %g pixels; expected those of the grid",
                         (int)grid.n, grid.rows, grid.columns, (int)lb_tensor_dim (windows, 0), first[3], first[2]);
}

/* The temperature of the labels, where the file tells one. */
static gboolean
add_temperature (const char *path, GArray *members, LbPacket *packet, GError **error)
{
  LbTensor *temperature = find_member (members, "temperature");
  double t;

  if (!temperature)
    return TRUE;
  if (lb_tensor_dtype (temperature) != LB_F64 || lb_tensor_size (temperature) != 1)
    return lb_input_error (path, error, "member 'temperature' is not one f64; expected that of the labeler");
  t = lb_tensor_f64 (temperature)[0];
  if (!(t >= 0.01 && t <= 1000))
    return lb_input_error (path, error,
                           "member 'temperature' is %g; expected what the labeler's scores were divided by, 0.01 to "
                           "1000",
                           t);
  lb_packet_set_number (packet, "temperature", t);
  return TRUE;
}

static gboolean
add_views (const char *path, GArray *members, gint64 classes, LbPacket *packet, GError **error)
{
  LbTensor *images = lb_packet_get (packet, "images"), *named = find_member (members, "dense_classes");
  LbTensor *windows = get_member (path, members, "windows", 1u << LB_F32, 2, error), *dense;
  g_autoptr (LbTensor) decoded = NULL;
  g_autofree char *labelled = NULL;

  if (!windows
      || !(dense = get_member (path, members, "dense_labels", 1u << LB_U8 | 1u << LB_F16 | 1u << LB_F32, 3, error))
      || !get_text (path, members, "labelled_images", SHA256_LETTERS, &labelled, error)
      || (named && !(named = get_member (path, members, "dense_classes", 1u << LB_U8 | 1u << LB_I32, 3, error))))
    return FALSE;
  if (lb_tensor_dim (windows, 1) != 4)
    return lb_input_error (path, error, "member 'windows' has %d columns; expected 4: x, y, width, height",
                           (int)lb_tensor_dim (windows, 1));
  lb_packet_set (packet, "windows", windows);
  lb_packet_set (packet, "dense_labels", dense);
  if (named)
    lb_packet_set (packet, "dense_classes", named);
  if (labelled)
    lb_packet_set_text (packet, "labelled_images", labelled);
  if (!lb_windows_check (path, windows, lb_tensor_dim (images, 2), lb_tensor_dim (images, 3), error)
      || !check_grid (path, members, windows, images, error) || !add_temperature (path, members, packet, error)
      || !lb_dense_labels_check_images (path, labelled, images, error))
    return FALSE;
  decoded = lb_dense_labels_decode (path, dense, named, lb_tensor_dim (images, 0), lb_tensor_dim (windows, 0), classes,
                                    error);
  return decoded != NULL;
}

/* What undoes whitening, where the file has it. */
static gboolean
add_whitening (const char *path, GArray *members, LbPacket *packet, GError **error)
{
  static const char *const names[] = { "whitening_mean", "unwhitening" };
  LbTensor *images = lb_packet_get (packet, "images");
  gint64 c = lb_tensor_dim (images, 1), h = lb_tensor_dim (images, 2), w = lb_tensor_dim (images, 3);

  if (!find_member (members, names[0]) && !find_member (members, names[1]))
    return TRUE;
  if (lb_tensor_dtype (images) == LB_U8)
    return lb_input_error (path, error, "has members of whitened images, but images of u8; expected f16 or f32");
  for (guint i = 0; i < 2; i++) {
    LbShape shape = i == 0 ? LB_SHAPE (c, h, w) : LB_SHAPE (c, h, w, c, h, w);
    LbTensor *member = get_member (path, members, names[i], 1u << LB_F32, shape.rank, error);
    g_autofree char *expected = lb_shape_to_string (shape);
    g_autofree char *found = member ? lb_shape_to_string (lb_tensor_shape (member)) : NULL;

    if (!member || !all_finite (path, names[i], member, error))
      return FALSE;
    if (!lb_shape_equal (lb_tensor_shape (member), shape))
      return lb_input_error (path, error, "member '%s' is %s; expected %s, as the images are", names[i], found,
                             expected);
    lb_packet_set (packet, names[i], member);
  }
  return TRUE;
}

/* The member @name, one whole number from 1 to @most, where the file has it. */
static gboolean
add_number (const char *path, GArray *members, const char *name, gint64 most, LbPacket *packet, GError **error)
{
  LbTensor *member = find_member (members, name);

  if (!member)
    return TRUE;
  if (lb_tensor_dtype (member) != LB_I64 || lb_tensor_shape (member).rank != 1 || lb_tensor_size (member) != 1
      || lb_tensor_i64 (member)[0] < 1 || lb_tensor_i64 (member)[0] > most)
    return lb_input_error (path, error, "member '%s' is not one i64 from 1 to %" G_GINT64_FORMAT, name, most);
  lb_packet_set (packet, name, member);
  return TRUE;
}

/* Numbers that say how the set was made, where the file has them: the learning rate that was learned with the images,
 * and what making them took. */
static gboolean
add_making (const char *path, GArray *members, LbPacket *packet, GError **error)
{
  static const char *const names[] = { "inner_learning_rate", "making_flops" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    LbTensor *member = find_member (members, names[i]);
    gboolean may_be_zero = i == 1;
    double value;

    if (!member)
      continue;
    if (lb_tensor_dtype (member) != LB_F64 || lb_tensor_shape (member).rank != 1 || lb_tensor_size (member) != 1
        || !isfinite (value = lb_tensor_f64 (member)[0]) || !(value > 0 || (may_be_zero && value == 0)))
      return lb_input_error (path, error, "member '%s' is not one f64 above 0", names[i]);
    lb_packet_set (packet, names[i], member);
  }
  return TRUE;
}

/* What multi-formation has made of a set: formed images as stored, or what networks see of fewer stored ones. */
static gboolean
add_formation (const char *path, GArray *members, LbPacket *packet, GError **error)
{
  LbTensor *images = lb_packet_get (packet, "images");

  return add_number (path, members, "formation", 16, packet, error)
         && add_number (path, members, "stored_images", lb_tensor_dim (images, 0), packet, error)
         && add_number (path, members, "stored_bytes", (gint64)MAX_BYTES, packet, error);
}

/* Reads and checks the whole file; *bytes is what all its members take. */
static LbPacket *
read_packet (const Source *self, gboolean augmented, gint64 *classes, gsize *bytes, GError **error)
{
  g_autoptr (LbPacket) packet = lb_packet_new ();
  g_autoptr (GArray) members = lb_npz_read (self->file, MAX_BYTES, error);
  LbTensor *images, *labels, *mean, *std;

  if (!members
      || !(images = get_member (self->file, members, "images", 1u << LB_U8 | 1u << LB_F16 | 1u << LB_F32, 4, error))
      || !all_finite (self->file, "images", images, error) || !get_classes (self, members, classes, error))
    return NULL;
  lb_packet_set (packet, "images", images);
  *bytes = 0;
  for (guint i = 0; i < members->len; i++)
    *bytes += lb_tensor_bytes (g_array_index (members, LbNamedTensor, i).tensor);
  if (!(labels = get_labels (self->file, members, lb_tensor_dim (images, 0), *classes, error)))
    return NULL;
  lb_packet_take (packet, "labels", labels);
  if (!(mean = get_channels (self->file, members, "mean", lb_tensor_dim (images, 1), error)))
    return NULL;
  lb_packet_take (packet, "mean", mean);
  if (!(std = get_channels (self->file, members, "std", lb_tensor_dim (images, 1), error)))
    return NULL;
  lb_packet_take (packet, "std", std);
  if (!add_whitening (self->file, members, packet, error) || !add_formation (self->file, members, packet, error)
      || !add_making (self->file, members, packet, error))
    return NULL;
  if (augmented && !add_views (self->file, members, *classes, packet, error))
    return NULL;
  return g_steal_pointer (&packet);
}

static gboolean
configure_source (LbConfigure *configure, const Source *self, const char *port, GError **error)
{
  static const char *const symbols[] = { "n", "c", "h", "w" };
  gint64 classes = 0;
  gsize bytes = 0;
  gboolean augmented = g_str_equal (port, "augmented");
  g_autoptr (LbPacket) packet = read_packet (self, augmented, &classes, &bytes, error);
  LbTensor *images;

  if (!packet)
    return FALSE;
  images = lb_packet_get (packet, "images");
  lb_configure_set_output_dtype (configure, port, "images", lb_tensor_dtype (images));
  if (augmented)
    lb_configure_set_output_dtype (configure, port, "dense_labels",
                                   lb_tensor_dtype (lb_packet_get (packet, "dense_labels")));
  if (lb_packet_get (packet, "temperature"))
    lb_configure_set_output_number (configure, port, "temperature",
                                    lb_tensor_f64 (lb_packet_get (packet, "temperature"))[0]);
  lb_configure_set_output_packets (configure, port, 1);
  /* Beside the images, which are carried as they are read. */
  lb_configure_cost (configure, 0, (double)(bytes - lb_tensor_bytes (images)));
  for (guint i = 0; i < 4; i++)
    if (!lb_configure_set_dim (configure, symbols[i], lb_tensor_dim (images, i), error))
      return FALSE;
  return lb_configure_set_dim (configure, "classes", classes, error)
         && lb_configure_set_dim (configure, "least",
                                  lb_labels_smallest_class (lb_packet_get (packet, "labels"), classes), error)
         && (!augmented
             || (lb_configure_set_dim (configure, "v", lb_tensor_dim (lb_packet_get (packet, "windows"), 0), error)
                 && lb_configure_set_dim (configure, "kept", lb_tensor_dim (lb_packet_get (packet, "dense_labels"), 2),
                                          error)));
}

static gboolean
source_configure (LbConfigure *configure, gpointer data, GError **error)
{
  return configure_source (configure, data, "samples", error);
}

static gboolean
augmented_configure (LbConfigure *configure, gpointer data, GError **error)
{
  return configure_source (configure, data, "augmented", error);
}

static gboolean
run_source (LbStage *stage, const Source *self, const char *port, GError **error)
{
  gint64 classes = 0;
  gsize bytes = 0;
  LbPacket *packet = read_packet (self, g_str_equal (port, "augmented"), &classes, &bytes, error);

  return packet && lb_stage_push (stage, port, packet, error);
}

static gboolean
source_run (LbStage *stage, gpointer data, GError **error)
{
  return run_source (stage, data, "samples", error);
}

static gboolean
augmented_run (LbStage *stage, gpointer data, GError **error)
{
  return run_source (stage, data, "augmented", error);
}

const LbStageType npz_source_type = {
  .name = "npz-source",
  .summary = "Reads samples from an .npz file",
  .description = "Reads members images (u8 as stored, f16 or f32 normalised, [n, c, h, w]), labels [n], mean and std "
                 "[c], and the number "
                 "of classes from 'classes' or from the property; and formation, stored_images and stored_bytes, where "
                 "there are some (stage 'formation'). Other members are left alone.",
  .outputs = source_outputs,
  .properties = source_properties,
  .instance_size = sizeof (Source),
  .configure = source_configure,
  .run = source_run,
  .flags = LB_STAGE_CHEAP,
};

const LbStageType npz_augmented_source_type = {
  .name = "npz-augmented-source",
  .summary = "Reads augmented samples (with dense labels) from an .npz file",
  .description
  = "Like npz-source, with members windows f32 [v, 4] and dense_labels of any precision: f32, f16 or u8 [n, v, "
    "classes], or "
    "u8 [n, v, k] of the classes that dense_classes u8|i32 [n, v, k] names (stage 'labeler'). Dense labels that are no "
    "distributions are refused, and so are those of other images, where the member labelled_images tells whose they "
    "are: "
    "the SHA-256, in hexadecimal, of dtype, shape and elements, as sha256 (b'u8' + b'[10, 1, 28, 28]' + images.tobytes "
    "()).",
  .outputs = augmented_outputs,
  .properties = source_properties,
  .instance_size = sizeof (Source),
  .configure = augmented_configure,
  .run = augmented_run,
  .flags = LB_STAGE_CHEAP,
};
