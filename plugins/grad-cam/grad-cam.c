/* grad-cam: where networks look. Heat maps by Grad-CAM (nn/grad-cam.h) over test images, the same images for each
 * network, as one PNG: students with and without label augmentation side by side.
 */
#include "sheet.h"

#define MOST_SIDE 32000 /* of the sheet, in pixels: cairo's pictures end there */

typedef struct {
  char *file, *title, *target;
  char **names, **class_names;
  gint64 images, side;
} GradCam;

static const char *const targets[] = { "label", "answer", NULL };

static const LbProperty properties[] = {
  LB_RESULT (GradCam, file, "file", "*.png", "The file to write"),
  LB_STRING (GradCam, title, "title", "Where the networks look", "What to call it"),
  LB_INTEGER (GradCam, images, "images", "10", 1, 1000, "images",
              "Test images to show: the first of each class in turn, then the second ones"),
  LB_STRINGS (GradCam, names, "names", "[]", "What to call the inputs, in order; left out: the stages they come from"),
  LB_STRINGS (GradCam, class_names, "class-names", "[]", "What to call the classes; left out: their numbers"),
  LB_CHOICE (GradCam, target, "target", "label", targets,
             "Class whose score is looked into: the image's label, or what the network answers"),
  LB_INTEGER (GradCam, side, "side", "124", 16, 2048, "pixels", "Longer side of a picture on the sheet"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "model", "model", "c h w classes", LB_PORT_MANY,
    "Networks; of each input the first of every architecture is shown, in a column" },
  { "samples", "samples", "n c h w classes", 0, "The test set; one channel (grey) or three (red, green, blue)" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "picture", "picture", NULL, 0, "The sheet" },
  LB_PORTS_END,
};

/* ---- The images ---- */

/* Indices of @count images of @labels, class by class in turn; new. */
static guint32 *
choose_images (LbTensor *labels, gint64 classes, gint64 count)
{
  g_autofree gint64 *first = g_new (gint64, classes + 1);
  g_autofree guint32 *by_class = lb_images_by_class (labels, classes, first);
  guint32 *chosen = g_new (guint32, count);
  gint64 n = 0;

  for (gint64 turn = 0; n < count; turn++)
    for (gint64 k = 0; k < classes && n < count; k++)
      if (first[k] + turn < first[k + 1])
        chosen[n++] = by_class[first[k] + turn];
  return chosen;
}

/* Rows @indices[0 .. count) of @tensor, new. */
static LbTensor *
take_rows (LbTensor *tensor, const guint32 *indices, gint64 count)
{
  LbShape shape = lb_tensor_shape (tensor);
  gsize row = lb_tensor_bytes (tensor) / (gsize)shape.dim[0];

  shape.dim[0] = count;
  LbTensor *rows = lb_tensor_new (lb_tensor_dtype (tensor), shape);
  for (gint64 i = 0; i < count; i++)
    memcpy ((guint8 *)lb_tensor_data (rows) + (gsize)i * row, (guint8 *)lb_tensor_data (tensor) + indices[i] * row,
            row);
  return rows;
}

/* The images to show, as a set of their own. */
static LbPacket *
choose_samples (LbStage *stage, const GradCam *self, GError **error)
{
  g_autoptr (LbPacket) all = lb_stage_collect (stage, "samples", error);
  LbTensor *images = all ? lb_packet_get (all, "images") : NULL, *labels = all ? lb_packet_get (all, "labels") : NULL;
  const char *source = lb_stage_source (stage, "samples", 0);
  gint64 classes = lb_stage_dim (stage, "classes");

  if (!all || !lb_labels_check (source, labels, classes, error))
    return NULL;
  if (lb_tensor_dim (images, 0) == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' has no images; expected at least one to look at", source);
    return NULL;
  }
  gint64 count = MIN (self->images, lb_tensor_dim (images, 0));
  g_autofree guint32 *indices = choose_images (labels, classes, count);
  LbPacket *chosen = lb_packet_new ();
  lb_packet_take (chosen, "images", take_rows (images, indices, count));
  lb_packet_take (chosen, "labels", take_rows (labels, indices, count));
  lb_packet_share (chosen, all, LB_NORMALISATION_FIELDS, NULL);
  return chosen;
}

/* ---- The networks ---- */

/* Whether @model is one for images such as @samples. */
static gboolean
check_model (LbStage *stage, guint link, LbPacket *model, LbPacket *samples, const LbNetwork *network, GError **error)
{
  g_autofree char *ours = g_strdup_printf ("'%s'", lb_stage_source (stage, "samples", 0));
  g_autofree char *theirs = g_strdup_printf ("the model '%s'", lb_stage_source (stage, "model", link));
  gint64 found = lb_tensor_size (lb_packet_get (model, "parameters")), expected = lb_network_n_parameters (network);

  /* Stored images can be normalised as the model wants them. */
  if (lb_tensor_dtype (lb_packet_get (samples, "images")) != LB_U8
      && !lb_images_same_normalisation (ours, lb_packet_get (samples, "mean"), lb_packet_get (samples, "std"), theirs,
                                        lb_packet_get (model, "mean"), lb_packet_get (model, "std"), error))
    return FALSE;
  if (!lb_whitening_same (ours, lb_packet_get (samples, "whitening_mean"), theirs,
                          lb_packet_get (model, "whitening_mean"), error))
    return FALSE;
  if (found == expected)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "%s has %d parameters, but %s for the test images has %d; the model was made for other images or by "
               "another version",
               theirs, (int)found, lb_network_architecture (network), (int)expected);
  return FALSE;
}

/* Which class has the highest score, for each image; the first of equal ones, as evaluators count. */
static void
read_answers (LbTensor *probabilities, Answer *answers)
{
  gint64 n = lb_tensor_dim (probabilities, 0), classes = lb_tensor_dim (probabilities, 1);
  const float *row = lb_tensor_f32 (probabilities);

  for (gint64 i = 0; i < n; i++, row += classes) {
    answers[i].answer = 0;
    for (gint64 k = 1; k < classes; k++)
      if (row[k] > row[answers[i].answer])
        answers[i].answer = k;
    answers[i].probability = row[answers[i].answer];
  }
}

/* Asks @model about the images; what it says, new. */
static Column *
ask (LbStage *stage, const GradCam *self, guint link, LbPacket *model, LbPacket *samples, GError **error)
{
  g_autofree char *architecture = lb_packet_get_text (model, "architecture");
  LbTensor *images = lb_packet_get (samples, "images"), *parameters = lb_packet_get (model, "parameters");
  LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };
  gint64 n = lb_tensor_dim (images, 0);
  g_autoptr (LbNetwork) network = lb_network_new (architecture, size, lb_stage_dim (stage, "classes"), error);
  g_autoptr (LbGradCam) cam = NULL;
  g_autoptr (LbTensor) loaded = lb_tensor_new (LB_F32, LB_SHAPE (n, size.height, size.width, size.channels));
  g_autoptr (LbTensor) classes = NULL;

  if (!network || !check_model (stage, link, model, samples, network, error)
      || !(cam = lb_grad_cam_new (network, n, error)))
    return NULL;
  Column *column = g_new0 (Column, 1);
  column->architecture = g_steal_pointer (&architecture);
  column->answers = g_new0 (Answer, n);
  lb_images_load (images, NULL, n, lb_packet_get (model, "mean"), lb_packet_get (model, "std"), loaded);
  lb_grad_cam_run (cam, lb_stage_compute (stage), parameters, loaded, lb_packet_get (samples, "labels"));
  read_answers (lb_grad_cam_probabilities (cam), column->answers);
  if (g_str_equal (self->target, "answer")) {
    classes = lb_tensor_new (LB_I32, LB_SHAPE (n));
    for (gint64 i = 0; i < n; i++)
      lb_tensor_i32 (classes)[i] = (gint32)column->answers[i].answer;
    lb_grad_cam_run (cam, lb_stage_compute (stage), parameters, loaded, classes);
  }
  column->heat = lb_tensor_copy (lb_grad_cam_heat (cam));
  return column;
}

/* Whether one of @columns from @first on has this architecture. */
static gboolean
has_architecture (GPtrArray *columns, guint first, LbPacket *model)
{
  g_autofree char *architecture = lb_packet_get_text (model, "architecture");

  for (guint i = first; i < columns->len; i++)
    if (g_str_equal (((Column *)g_ptr_array_index (columns, i))->architecture, architecture))
      return TRUE;
  return FALSE;
}

/* Adds a column for the first model of each architecture that comes over @link. */
static gboolean
add_columns (LbStage *stage, const GradCam *self, guint link, LbPacket *samples, GPtrArray *columns, GError **error)
{
  const char *source = lb_stage_source (stage, "model", link);
  guint first = columns->len;

  for (;;) {
    g_autoptr (LbPacket) model = NULL;
    Column *column;

    if (!lb_stage_pull_nth (stage, "model", link, &model, error))
      return FALSE;
    if (!model && columns->len > first)
      return TRUE;
    if (!model) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' sends no model; expected at least one to look into", source);
      return FALSE;
    }
    if (has_architecture (columns, first, model))
      continue;
    if (!(column = ask (stage, self, link, model, samples, error)))
      return FALSE;
    column->name = self->names[0] ? g_strdup (self->names[link]) : g_strndup (source, strcspn (source, "."));
    g_ptr_array_add (columns, column);
  }
}

/* ---- The result ---- */

/* "random images (convnet-d3) answers 6 of 10 right; ..." */
static char *
describe (const Sheet *sheet)
{
  gint64 n = lb_tensor_dim (sheet->labels, 0);
  GString *text = g_string_new (NULL);

  g_string_printf (text, "Heat maps over %d test images for %u networks.", (int)n, sheet->columns->len);
  for (guint k = 0; k < sheet->columns->len; k++) {
    const Column *column = g_ptr_array_index (sheet->columns, k);
    gint64 right = 0;

    for (gint64 i = 0; i < n; i++)
      right += column->answers[i].answer == lb_tensor_i32 (sheet->labels)[i];
    g_string_append_printf (text, " %s (%s) answers %d of %d right.", column->name, column->architecture, (int)right,
                            (int)n);
  }
  return g_string_free (text, FALSE);
}

static gboolean
write_sheet (LbStage *stage, const GradCam *self, const Sheet *sheet, GError **error)
{
  g_autoptr (GByteArray) png = sheet_draw (sheet, error);
  g_autofree char *alternative = describe (sheet);
  g_autofree char *caption = g_strdup_printf (
      "Grad-CAM: the brighter a place, the more it speaks for %s in the eyes of the network; each map by its own "
      "largest value, and without light where nothing does. Below stands what the network answers, and how sure it is.",
      g_str_equal (self->target, "label") ? "the image's label" : "what the network answers");

  return png && lb_stage_write (stage, self->file, png->data, png->len, error)
         && lb_stage_push (stage, "picture", lb_picture_packet (png->data, png->len, self->title, caption, alternative),
                           error);
}

static gboolean
grad_cam_run (LbStage *stage, gpointer data, GError **error)
{
  GradCam *self = data;
  g_autoptr (LbPacket) samples = choose_samples (stage, self, error);
  g_autoptr (GPtrArray) columns = g_ptr_array_new_with_free_func (column_free);
  g_autoptr (LbTensor) images = NULL;

  if (!samples)
    return FALSE;
  for (guint link = 0; link < lb_stage_n_links (stage, "model"); link++)
    if (!add_columns (stage, self, link, samples, columns, error))
      return FALSE;
  images = lb_whitening_to_u8 (lb_stage_compute (stage), lb_packet_get (samples, "images"),
                               lb_packet_get (samples, "mean"), lb_packet_get (samples, "std"),
                               lb_packet_get (samples, "whitening_mean"), lb_packet_get (samples, "unwhitening"));
  Sheet sheet = { images, lb_packet_get (samples, "labels"), columns, self->class_names, self->side };
  return write_sheet (stage, self, &sheet, error);
}

/* ---- Before the run ---- */

static gboolean
check_names (LbConfigure *configure, const GradCam *self, GError **error)
{
  guint n_names = g_strv_length (self->names), n_links = lb_configure_n_links (configure, "model");
  guint n_classes = g_strv_length (self->class_names);
  gint64 classes = lb_configure_dim (configure, "classes"), channels = lb_configure_dim (configure, "c");

  if (n_names && n_names != n_links)
    return lb_configure_property_error (configure, "names", error,
                                        "has %u names for %u inputs; give one for each input, or leave it out", n_names,
                                        n_links);
  if (n_classes && classes != LB_UNKNOWN && n_classes != classes)
    return lb_configure_property_error (configure, "class-names", error,
                                        "has %u names for %d classes; give one for each class, or leave it out",
                                        n_classes, (int)classes);
  if (channels == LB_UNKNOWN || channels == 1 || channels == 3)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "the images have %d channels; a sheet of heat maps shows 1 (grey) or 3 (colour)", (int)channels);
  return FALSE;
}

/* Adds the cost of the first model of each architecture of @link. *n_columns is LB_UNKNOWN when it is not known. */
static gboolean
predict_link (LbConfigure *configure, guint link, LbImageSize size, gint64 n, double *flops, double *bytes,
              gint64 *n_columns, GError **error)
{
  const char *const *architectures = lb_configure_link_texts (configure, "model", link, "architecture");
  gint64 classes = lb_configure_dim (configure, "classes");
  guint i, before;

  if (!architectures)
    *n_columns = LB_UNKNOWN;
  for (i = 0; architectures && architectures[i]; i++) {
    g_autoptr (LbNetwork) network = NULL;
    g_autoptr (LbGradCam) cam = NULL;

    for (before = 0; before < i && !g_str_equal (architectures[before], architectures[i]);)
      before++;
    if (before < i)
      continue;
    if (!(network = lb_network_new (architectures[i], size, classes, error))
        || !(cam = lb_grad_cam_new (network, n, error)))
      return FALSE;
    *flops += lb_grad_cam_flops (cam);
    *bytes = MAX (*bytes, (double)lb_grad_cam_peak_bytes (cam, lb_configure_threads (configure)));
    *n_columns += *n_columns != LB_UNKNOWN;
  }
  return TRUE;
}

static gboolean
grad_cam_configure (LbConfigure *configure, gpointer data, GError **error)
{
  GradCam *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 n = MIN (lb_configure_dim (configure, "n"), self->images), columns = 0, height, width;
  double flops = 0, bytes = 0;

  lb_configure_set_output_packets (configure, "picture", 1);
  if (!check_names (configure, self, error))
    return FALSE;
  if (size.channels < 1 || size.height < 1 || size.width < 1 || n < 1
      || lb_configure_dim (configure, "classes") == LB_UNKNOWN)
    return TRUE;
  for (guint link = 0; link < lb_configure_n_links (configure, "model"); link++)
    if (!predict_link (configure, link, size, n, &flops, &bytes, &columns, error))
      return FALSE;
  if (columns == LB_UNKNOWN)
    return TRUE;
  sheet_size (self->side, size.height, size.width, n, columns, &height, &width);
  if (height > MOST_SIDE || width > MOST_SIDE)
    return lb_configure_property_error (configure, "images", error,
                                        "asks for a sheet of %d x %d pixels; expected at most %d a side, so show fewer "
                                        "images or smaller ones",
                                        (int)width, (int)height, MOST_SIDE);
  /* The networks are gone when the sheet is drawn. As a PNG such a picture takes about a third of a byte for each
   * pixel. */
  lb_configure_set_output_bytes (configure, "picture", height * width / 3);
  lb_configure_cost (configure, g_str_equal (self->target, "answer") ? 2 * flops : flops,
                     MAX (bytes, (double)(SHEET_PIXEL_BYTES * height * width))
                         + (double)lb_configure_collect_bytes (configure, "samples"));
  return TRUE;
}

static const LbStageType grad_cam_type = {
  .name = "grad-cam",
  .summary = "Shows where networks look: heat maps over test images as one PNG (Grad-CAM, arXiv 1610.02391)",
  .description
  = "Each network is asked about the same test images. The gradient of a class's score (before softmax) with respect "
    "to "
    "the feature maps of the last convolution, averaged over places, weighs these maps; their sum, where it is "
    "positive, is the heat map. It is stretched over the image, bilinearly, and laid over it in the colours of "
    "inferno, each map by its own largest value. For ConvNets, AlexNet and VGG the maps are those in front of the "
    "last pooling, for ResNet18 those of the last block, for a ViT the tokens of patches that enter the last "
    "attention: behind it the class token alone counts. Names and answers are drawn with the machine's fonts, so the "
    "file's bytes may differ on another machine.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (GradCam),
  .configure = grad_cam_configure,
  .run = grad_cam_run,
};

LB_DEFINE_PLUGIN ("grad-cam", "1.0", "LGPL-2.1-or-later", &grad_cam_type);
