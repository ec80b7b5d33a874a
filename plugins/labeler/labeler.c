/* labeler: a soft label for each view of each image (LADD, arXiv 2409.16239, section 3): y_ij = softmax (g (x_ij) / T),
 * where g is a network trained on the source set and x_ij is the j-th view of image i, cut and resized to the image's
 * size. Of several networks, the mean of what they say. Labels are stored in the precision asked for.
 */
#include "limbeck.h"

#include <string.h>

typedef struct {
  double temperature;
  char *precision;
  gint64 kept;
} Labeler;

/* In the order of LbLabelPrecision. */
static const char *const precisions[] = { "f32", "f16", "u8", "top-k", NULL };

static const LbProperty properties[] = {
  LB_NUMBER (Labeler, temperature, "temperature", "4", 0.01, 1000, NULL,
             "T: scores are divided by it before softmax; goes with the labels, whose learners divide by it too"),
  LB_CHOICE (
      Labeler, precision, "precision", "f32", precisions,
      "How a label is stored: f32 (4 bytes a class), f16 (2), u8 (1, in 255ths), or top-k: the likeliest classes "
      "alone, each with its name (2 bytes each, 5 beyond 256 classes)"),
  LB_INTEGER (Labeler, kept, "kept", "3", 1, 100000, "classes", "k: classes that a top-k label names"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "n least c h w classes", 0, "The images whose views are labelled" },
  { "views", "views", "v h w", 0, "Where the views are" },
  { "model", "model", "c h w classes", LB_PORT_MANY,
    "The labeler: one network, or several, whose probabilities are averaged" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "augmented", "augmented", "n least v kept c h w classes", 0,
    "The images with their labels, windows and dense labels" },
  LB_PORTS_END,
};

static LbLabelPrecision
precision_of (const Labeler *self)
{
  guint i = 0;

  while (!g_str_equal (self->precision, precisions[i]))
    i++;
  return (LbLabelPrecision)i;
}

/* ---- Labelling ---- */

/* What is labelled, and what has been said of it. */
typedef struct {
  LbPacket *samples;
  LbTensor *images, *windows;
  gint64 n, views, classes;
  guint models;        /* that have been asked */
  gint64 done;         /* views, of all models */
  LbTensor *said;      /* f32 [n, views, classes]: the sum of their probabilities */
  double making_flops; /* of training the models */
} Work;

/* Adds what @predictor says of all views. */
static gboolean
ask (LbStage *stage, Work *work, LbPredictor *predictor, GError **error)
{
  gint64 total = work->n * work->views, count;

  for (gint64 first = 0; first < total; first += count) {
    float *said = lb_tensor_f32 (work->said) + first * work->classes;
    const float *rows;
    double sum = 0;

    count = lb_predictor_run (predictor, lb_stage_compute (stage), work->images, lb_packet_get (work->samples, "mean"),
                              lb_packet_get (work->samples, "std"), work->windows, first);
    rows = lb_predictor_probabilities (predictor);
    for (gint64 i = 0; i < count * work->classes; i++) {
      said[i] += rows[i];
      sum += rows[i];
    }
    work->done += count;
    if (!lb_stage_check_finite (stage, "sum of soft labels", (guint64)first, sum,
                                "look at the labeler network's training", error)
        || !lb_stage_progress (stage, (guint64)work->done, (guint64)(work->models + 1) * (guint64)total, NULL, 0,
                               error))
      return FALSE;
  }
  work->models++;
  return TRUE;
}

/* The network of @model, which must be one for these images. */
static LbNetwork *
open_model (LbStage *stage, const Work *work, const char *source, LbPacket *model, GError **error)
{
  g_autofree char *ours = g_strdup_printf ("'%s'", lb_stage_source (stage, "samples", 0));
  g_autofree char *theirs = g_strdup_printf ("the model '%s'", source);
  g_autofree char *architecture = lb_packet_get_text (model, "architecture");
  LbImageSize size
      = { lb_tensor_dim (work->images, 1), lb_tensor_dim (work->images, 2), lb_tensor_dim (work->images, 3) };
  LbTensor *parameters = lb_packet_get (model, "parameters");
  g_autoptr (LbNetwork) network = NULL;

  if (!lb_images_same_normalisation (ours, lb_packet_get (work->samples, "mean"), lb_packet_get (work->samples, "std"),
                                     theirs, lb_packet_get (model, "mean"), lb_packet_get (model, "std"), error)
      || !lb_whitening_same (ours, lb_packet_get (work->samples, "whitening_mean"), theirs,
                             lb_packet_get (model, "whitening_mean"), error)
      || !(network = lb_network_new (architecture, size, work->classes, error)))
    return NULL;
  if (lb_tensor_size (parameters) == lb_network_n_parameters (network))
    return g_steal_pointer (&network);
  g_set_error (
      error, LB_ERROR, LB_ERROR_INPUT,
      "%s has %d parameters, but %s for these images has %d; the model was made for other images or by another "
      "version",
      theirs, (int)lb_tensor_size (parameters), architecture, (int)lb_network_n_parameters (network));
  return NULL;
}

/* Asks every model of input link @link. */
static gboolean
ask_link (LbStage *stage, const Labeler *self, Work *work, guint link, GError **error)
{
  const char *source = lb_stage_source (stage, "model", link);

  for (;;) {
    g_autoptr (LbPacket) model = NULL;
    g_autoptr (LbNetwork) network = NULL;
    g_autoptr (LbPredictor) predictor = NULL;

    if (!lb_stage_pull_nth (stage, "model", link, &model, error))
      return FALSE;
    if (!model)
      return TRUE;
    if (!(network = open_model (stage, work, source, model, error))
        || !(predictor = lb_predictor_new (network, work->n * work->views, TRUE, self->temperature, error)))
      return FALSE;
    lb_predictor_set_parameters (predictor, lb_packet_get (model, "parameters"));
    if (!ask (stage, work, predictor, error))
      return FALSE;
    work->making_flops += lb_tensor_f64 (lb_packet_get (model, "training_flops"))[0];
  }
}

/* The labels as they are stored, with the images that they are of. */
static LbPacket *
augment (LbStage *stage, const Labeler *self, const Work *work)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *labels, *named, *making = lb_packet_get (work->samples, "making_flops");
  g_autofree char *digest = lb_tensor_digest (work->images);
  float *said = lb_tensor_f32 (work->said);

  for (gint64 i = 0; work->models > 1 && i < lb_tensor_size (work->said); i++)
    said[i] /= (float)work->models;
  lb_dense_labels_encode (work->said, precision_of (self), self->kept, &labels, &named);
  lb_packet_share (packet, work->samples, "images", "labels", LB_NORMALISATION_FIELDS, "formation",
                   "inner_learning_rate", "stored_images", "stored_bytes", NULL);
  lb_packet_set_number (packet, "making_flops",
                        (making ? lb_tensor_f64 (making)[0] : 0) + work->making_flops
                            + lb_compute_flops (lb_stage_compute (stage)));
  lb_packet_set (packet, "windows", work->windows);
  lb_packet_take (packet, "dense_labels", labels);
  if (named)
    lb_packet_take (packet, "dense_classes", named);
  lb_packet_set_number (packet, "temperature", self->temperature);
  lb_packet_set_text (packet, "labelled_images", digest);
  return packet;
}

static gboolean
labeler_run (LbStage *stage, gpointer data, GError **error)
{
  Labeler *self = data;
  g_autoptr (LbPacket) samples = lb_stage_collect (stage, "samples", error), views = NULL;
  g_autoptr (LbTensor) said = NULL;

  if (!samples || !(views = lb_stage_collect (stage, "views", error)))
    return FALSE;
  Work work = { .samples = samples,
                .images = lb_packet_get (samples, "images"),
                .windows = lb_packet_get (views, "windows"),
                .classes = lb_stage_dim (stage, "classes") };
  work.n = lb_tensor_dim (work.images, 0);
  work.views = lb_tensor_dim (work.windows, 0);
  if (!lb_windows_check (lb_stage_source (stage, "views", 0), work.windows, lb_tensor_dim (work.images, 2),
                         lb_tensor_dim (work.images, 3), error))
    return FALSE;
  work.said = said = lb_tensor_new (LB_F32, LB_SHAPE (work.n, work.views, work.classes));
  for (guint link = 0; link < lb_stage_n_links (stage, "model"); link++)
    if (!ask_link (stage, self, &work, link, error))
      return FALSE;
  if (work.models == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' sends no model; expected at least one labeler network",
                 lb_stage_source (stage, "model", 0));
    return FALSE;
  }
  return lb_stage_push (stage, "augmented", augment (stage, self, &work), error);
}

/* ---- Configuring ---- */

/* Predicts what asking the networks for @labels takes, where that is known. */
static gboolean
predict_cost (LbConfigure *configure, const Labeler *self, gint64 labels, GError **error)
{
  const char *const *architectures = lb_configure_input_texts (configure, "model", "architecture");
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes");
  double flops = 0;
  gsize bytes = 0;

  if (!architectures || size.channels < 1 || size.height < 1 || size.width < 1 || labels < 1 || classes < 1)
    return TRUE;
  for (guint i = 0; architectures[i]; i++) {
    g_autoptr (LbNetwork) network = lb_network_new (architectures[i], size, classes, error);
    g_autoptr (LbPredictor) predictor
        = network ? lb_predictor_new (network, labels, TRUE, self->temperature, error) : NULL;

    if (!predictor)
      return FALSE;
    flops += lb_predictor_flops (predictor);
    bytes = MAX (bytes, lb_predictor_peak_bytes (predictor, lb_configure_threads (configure)));
  }
  bytes += (gsize)(labels * classes) * sizeof (float) + (gsize)lb_configure_collect_bytes (configure, "samples");
  lb_configure_cost (configure, flops, (double)bytes);
  return TRUE;
}

/* Dtypes and sizes of what is sent. */
static gboolean
promise (LbConfigure *configure, const Labeler *self, gint64 labels, GError **error)
{
  guint dtypes = lb_configure_input_dtypes (configure, "samples", "images");
  gint64 classes = lb_configure_dim (configure, "classes");
  LbLabelPrecision precision = precision_of (self);

  if (precision == LB_LABELS_TOP_K && classes > 0 && self->kept > classes)
    return lb_configure_property_error (configure, "kept", error, "%d of %d classes; expected that many or fewer",
                                        (int)self->kept, (int)classes);
  for (guint dtype = 0; dtype < LB_N_DTYPES; dtype++)
    if (dtypes == 1u << dtype)
      lb_configure_set_output_dtype (configure, "augmented", "images", (LbDType)dtype);
  lb_configure_set_output_dtype (configure, "augmented", "dense_labels", lb_dense_labels_dtype (precision));
  lb_configure_set_output_packets (configure, "augmented", 1);
  lb_configure_set_output_number (configure, "augmented", "temperature", self->temperature);
  if (classes < 1)
    return TRUE;
  if (labels > 0)
    lb_configure_set_output_bytes (configure, "augmented",
                                   labels * lb_dense_labels_bytes (precision, self->kept, classes));
  return lb_configure_set_dim (configure, "kept", lb_dense_labels_kept (precision, self->kept, classes), error);
}

/* The images go through as they come, in one packet. */
static gboolean
labeler_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Labeler *self = data;
  gint64 n = lb_configure_dim (configure, "n"), views = lb_configure_dim (configure, "v");
  gint64 labels = n < 1 || views < 1 ? LB_UNKNOWN : n * views;

  return promise (configure, self, labels, error) && predict_cost (configure, self, labels, error);
}

static const LbStageType labeler_type = {
  .name = "labeler",
  .summary = "Gives each view of each image a soft label, by a trained network or several (LADD)",
  .description
  = "Cuts every view of every image, resizes it to the image's size (bilinear, pixel areas aligned), and sends the "
    "network's softmax as its dense label, beside the images and their hard labels. The views themselves are not "
    "kept. The network must have been trained on images of the same size, classes and normalisation. Of several "
    "networks, "
    "from one stage or from several, the label is the mean of their probabilities. Networks that were trained with the "
    "augmentation 'view' have seen views before they are asked about them.\n\n"
    "Labels are stored as precision says. A label of C classes takes 4 C bytes as f32, 2 C as f16 and C as u8, which "
    "holds "
    "255ths that sum to 255: each 255 p rounded down, and what is then missing added to those that lost most. With "
    "top-k "
    "only the k likeliest classes are stored, with their numbers, as 255ths of which the other classes share what is "
    "missing; such a label takes 2 k bytes, and 5 k beyond 256 classes. An image takes as many bytes as all its views' "
    "labels, and the set 16 more for each window. Whoever uses labels decodes them, so trainers take any precision.\n\n"
    "The labels are bound to the images by a digest: whoever puts them beside other images is told.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Labeler),
  .configure = labeler_configure,
  .run = labeler_run,
};

LB_DEFINE_PLUGIN ("labeler", "1.1", "LGPL-2.1-or-later", &labeler_type);
