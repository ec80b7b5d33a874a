/* labeler: a soft label for each view of each image (LADD, arXiv 2409.16239, section 3): y_ij = softmax (g (x_ij) / T),
 * where g is a network trained on the source set and x_ij is the j-th view of image i, cut and resized to the image's
 * size.
 */
#include "limbeck.h"

#include <string.h>

typedef struct {
  double temperature;
} Labeler;

static const LbProperty properties[] = {
  LB_NUMBER (Labeler, temperature, "temperature", "1", 0.01, 1000, NULL, "T: scores are divided by it before softmax"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "n least c h w classes", 0, "The images whose views are labelled" },
  { "views", "views", "v h w", 0, "Where the views are" },
  { "model", "model", "c h w classes", 0, "The labeler network: one model" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "augmented", "augmented", "n least v c h w classes", 0, "The images with their labels, windows and dense labels" },
  LB_PORTS_END,
};

/* Dense labels f32 [n, v, classes] of all views of all images. */
static LbTensor *
label_views (LbStage *stage, const Labeler *self, const LbNetwork *network, LbPacket *model, LbPacket *samples,
             LbTensor *windows, GError **error)
{
  gint64 n = lb_tensor_dim (lb_packet_get (samples, "images"), 0), views = lb_tensor_dim (windows, 0);
  gint64 total = n * views, classes = lb_network_classes (network), count;
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (n, views, classes));
  g_autoptr (LbPredictor) predictor = lb_predictor_new (network, total, TRUE, self->temperature, error);

  if (!predictor)
    return NULL;
  lb_predictor_set_parameters (predictor, lb_packet_get (model, "parameters"));
  for (gint64 first = 0; first < total; first += count) {
    const float *rows;
    double sum = 0;

    count = lb_predictor_run (predictor, lb_stage_compute (stage), lb_packet_get (samples, "images"),
                              lb_packet_get (samples, "mean"), lb_packet_get (samples, "std"), windows, first);
    rows = lb_predictor_probabilities (predictor);
    for (gint64 i = 0; i < count * classes; i++)
      sum += rows[i];
    if (!lb_stage_check_finite (stage, "sum of soft labels", (guint64)first, sum,
                                "look at the labeler network's training", error)
        || !lb_stage_progress (stage, (guint64)(first + count), (guint64)total, NULL, 0, error))
      return NULL;
    memcpy (lb_tensor_f32 (dense) + first * classes, rows, (gsize)(count * classes) * sizeof (float));
  }
  return g_steal_pointer (&dense);
}

/* The one model of the input. */
static LbPacket *
pull_model (LbStage *stage, GError **error)
{
  g_autoptr (LbPacket) model = NULL, second = NULL;

  if (!lb_stage_pull (stage, "model", &model, error) || (model && !lb_stage_pull (stage, "model", &second, error)))
    return NULL;
  if (!model || second) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' sends %s; expected exactly one labeler network%s",
                 lb_stage_source (stage, "model", 0), model ? "more than one model" : "no model",
                 model ? ", so train one architecture with repeats: 1" : "");
    return NULL;
  }
  return g_steal_pointer (&model);
}

static LbPacket *
augment (LbPacket *samples, LbTensor *windows, LbTensor *dense)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_share (packet, samples, "images", "labels", LB_NORMALISATION_FIELDS, "stored_images", "stored_bytes",
                   "inner_learning_rate", NULL);
  lb_packet_set (packet, "windows", windows);
  lb_packet_set (packet, "dense_labels", dense);
  return packet;
}

/* The images go through as they come, in one packet. Predicts what labelling takes where the network is known. */
static gboolean
labeler_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Labeler *self = data;
  guint dtypes = lb_configure_input_dtypes (configure, "samples", "images");
  const char *const *architectures = lb_configure_input_texts (configure, "model", "architecture");
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 n = lb_configure_dim (configure, "n"), views = lb_configure_dim (configure, "v");
  gint64 classes = lb_configure_dim (configure, "classes");
  g_autoptr (LbNetwork) network = NULL;
  g_autoptr (LbPredictor) predictor = NULL;

  for (guint dtype = 0; dtype < LB_N_DTYPES; dtype++)
    if (dtypes == 1u << dtype)
      lb_configure_set_output_dtype (configure, "augmented", "images", (LbDType)dtype);
  lb_configure_set_output_packets (configure, "augmented", 1);
  if (!architectures || !architectures[0] || size.channels < 1 || size.height < 1 || size.width < 1 || n < 1
      || views < 1 || classes < 1)
    return TRUE;
  if (architectures[1]) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "input 'model' brings %u models; expected exactly one labeler network, so train one architecture with "
                 "repeats: 1",
                 g_strv_length ((char **)architectures));
    return FALSE;
  }
  if (!(network = lb_network_new (architectures[0], size, classes, error))
      || !(predictor = lb_predictor_new (network, n * views, TRUE, self->temperature, error)))
    return FALSE;
  lb_configure_set_output_bytes (configure, "augmented", n * views * classes * (gint64)sizeof (float));
  lb_configure_cost (configure, lb_predictor_flops (predictor),
                     (double)(lb_predictor_peak_bytes (predictor, lb_configure_threads (configure))
                              + (gsize)lb_configure_collect_bytes (configure, "samples")));
  return TRUE;
}

static gboolean
labeler_run (LbStage *stage, gpointer data, GError **error)
{
  Labeler *self = data;
  g_autoptr (LbPacket) samples = lb_stage_collect (stage, "samples", error), views = NULL, model = NULL;
  g_autoptr (LbNetwork) network = NULL;
  g_autoptr (LbTensor) dense = NULL;
  g_autofree char *architecture = NULL, *ours = NULL, *theirs = NULL;
  LbTensor *images, *windows, *parameters;

  if (!samples || !(views = lb_stage_collect (stage, "views", error)) || !(model = pull_model (stage, error)))
    return FALSE;
  images = lb_packet_get (samples, "images");
  windows = lb_packet_get (views, "windows");
  parameters = lb_packet_get (model, "parameters");
  architecture = lb_packet_get_text (model, "architecture");
  ours = g_strdup_printf ("'%s'", lb_stage_source (stage, "samples", 0));
  theirs = g_strdup_printf ("the model '%s'", lb_stage_source (stage, "model", 0));
  if (!lb_windows_check (lb_stage_source (stage, "views", 0), windows, lb_tensor_dim (images, 2),
                         lb_tensor_dim (images, 3), error)
      || !lb_images_same_normalisation (ours, lb_packet_get (samples, "mean"), lb_packet_get (samples, "std"), theirs,
                                        lb_packet_get (model, "mean"), lb_packet_get (model, "std"), error)
      || !lb_whitening_same (ours, lb_packet_get (samples, "whitening_mean"), theirs,
                             lb_packet_get (model, "whitening_mean"), error))
    return FALSE;

  LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };
  network = lb_network_new (architecture, size, lb_stage_dim (stage, "classes"), error);
  if (!network)
    return FALSE;
  if (lb_tensor_size (parameters) != lb_network_n_parameters (network)) {
    g_set_error (
        error, LB_ERROR, LB_ERROR_INPUT,
        "%s has %d parameters, but %s for these images has %d; the model was made for other images or by another "
        "version",
        theirs, (int)lb_tensor_size (parameters), architecture, (int)lb_network_n_parameters (network));
    return FALSE;
  }
  dense = label_views (stage, self, network, model, samples, windows, error);
  return dense && lb_stage_push (stage, "augmented", augment (samples, windows, dense), error);
}

static const LbStageType labeler_type = {
  .name = "labeler",
  .summary = "Gives each view of each image a soft label, by a trained network (LADD)",
  .description
  = "Cuts every view of every image, resizes it to the image's size (bilinear, pixel areas aligned), and sends the "
    "network's softmax as its dense label, beside the images and their hard labels. The views themselves are not "
    "kept. The network must have been trained on images of the same size, classes and normalisation.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Labeler),
  .configure = labeler_configure,
  .run = labeler_run,
};

LB_DEFINE_PLUGIN ("labeler", "1.0", "LGPL-2.1-or-later", &labeler_type);
