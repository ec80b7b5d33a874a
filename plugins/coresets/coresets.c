/* coresets: real images that stand for their class best, chosen by the features that a trained network gives them
 * (those that its classifier is given). Two stage types, both class by class.
 *
 * herding: the next image is the one that brings the mean of those chosen nearest to the mean m of the class. Of the
 * k + 1-st, f minimises |(k + 1) m - (sum of those chosen) - f| (Welling, "Herding dynamical weights to learn", ICML
 * 2009; as Rebuffi et al., arXiv 1611.07725, choose exemplars).
 *
 * k-center: the first image is the one nearest to the mean, each next one that which is farthest from its nearest
 * chosen one (the greedy 2-approximation of Gonzalez 1985; Sener, Savarese, arXiv 1708.00489).
 *
 * Sums are taken in double precision in the order of the images, and of equal distances the first image counts.
 */
#include "limbeck.h"

#include <math.h>

typedef struct {
  gint64 images_per_class;
} Coreset;

static const LbProperty properties[] = {
  LB_INTEGER (Coreset, images_per_class, "images-per-class", "1", 1, 100000, "images",
              "Images to choose of each class"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The set to choose from" },
  { "model", "model", "c h w classes", 0, "The network whose features are compared: one model" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=selected least=each c h w classes", 0,
    "The images chosen, class by class in the order of choice, as stored in the source" },
  LB_PORTS_END,
};

/* ---- Choosing among the images of one class ---- */

/* Features f32 [n, d] of the set; the class is rows[0 .. n_rows). */
typedef struct {
  const float *features;
  gint64 d;
  const guint32 *rows;
  gint64 n_rows;
  double *mean, *sum, *distance; /* [d], [d] and [n_rows]: working memory */
  gboolean *chosen;              /* [n_rows] */
} Class;

typedef void (*Choose) (Class *class, gint64 count, guint32 *out);

static const float *
row_of (const Class *class, gint64 i)
{
  return class->features + (gint64) class->rows[i] * class->d;
}

static void
set_mean (Class *class)
{
  for (gint64 k = 0; k < class->d; k++)
    class->mean[k] = 0;
  for (gint64 i = 0; i < class->n_rows; i++)
    for (gint64 k = 0; k < class->d; k++)
      class->mean[k] += row_of (class, i)[k];
  for (gint64 k = 0; k < class->d; k++)
    class->mean[k] /= (double)class->n_rows;
}

/* The image not chosen yet whose features are nearest to @wanted; it counts as chosen from now on. */
static gint64
choose_nearest (Class *class, const double *wanted)
{
  gint64 best = -1;
  double least = INFINITY;

  for (gint64 i = 0; i < class->n_rows; i++) {
    double distance = 0;

    if (class->chosen[i])
      continue;
    for (gint64 k = 0; k < class->d; k++) {
      double difference = wanted[k] - row_of (class, i)[k];
      distance += difference * difference;
    }
    if (best < 0 || distance < least) {
      best = i;
      least = distance;
    }
  }
  class->chosen[best] = TRUE;
  return best;
}

static void
choose_herding (Class *class, gint64 count, guint32 *out)
{
  /* sum holds (k + 1) mean - sum of those chosen. */
  for (gint64 k = 0; k < class->d; k++)
    class->sum[k] = class->mean[k];
  for (gint64 i = 0; i < count; i++) {
    gint64 next = choose_nearest (class, class->sum);

    for (gint64 k = 0; k < class->d; k++)
      class->sum[k] += class->mean[k] - row_of (class, next)[k];
    out[i] = class->rows[next];
  }
}

/* Makes each image's distance that to its nearest chosen one, after @next has been chosen; returns the farthest. */
static gint64
update_distances (Class *class, gint64 next)
{
  gint64 farthest = -1;

  for (gint64 i = 0; i < class->n_rows; i++) {
    double distance = 0;

    for (gint64 k = 0; k < class->d; k++) {
      double difference = (double)row_of (class, i)[k] - row_of (class, next)[k];
      distance += difference * difference;
    }
    class->distance[i] = MIN (class->distance[i], distance);
    if (!class->chosen[i] && (farthest < 0 || class->distance[i] > class->distance[farthest]))
      farthest = i;
  }
  return farthest;
}

static void
choose_k_center (Class *class, gint64 count, guint32 *out)
{
  gint64 next = choose_nearest (class, class->mean);

  for (gint64 i = 0; i < class->n_rows; i++)
    class->distance[i] = INFINITY;
  for (gint64 i = 0; i < count; i++) {
    out[i] = class->rows[next];
    class->chosen[next] = TRUE;
    next = update_distances (class, next);
  }
}

/* ---- Features ---- */

/* The network of @model for the images of @source; NULL with a sentence when it does not fit. */
static LbNetwork *
open_model (LbStage *stage, LbPacket *source, LbPacket *model, GError **error)
{
  g_autofree char *architecture = lb_packet_get_text (model, "architecture");
  g_autofree char *ours = g_strdup_printf ("'%s'", lb_stage_source (stage, "source", 0));
  g_autofree char *theirs = g_strdup_printf ("the model '%s'", lb_stage_source (stage, "model", 0));
  LbTensor *images = lb_packet_get (source, "images");
  LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };
  g_autoptr (LbNetwork) network = NULL;

  if (!lb_images_same_normalisation (ours, lb_packet_get (source, "mean"), lb_packet_get (source, "std"), theirs,
                                     lb_packet_get (model, "mean"), lb_packet_get (model, "std"), error)
      || !lb_whitening_same (ours, lb_packet_get (source, "whitening_mean"), theirs,
                             lb_packet_get (model, "whitening_mean"), error)
      || !(network = lb_network_new (architecture, size, lb_stage_dim (stage, "classes"), error)))
    return NULL;
  if (lb_tensor_size (lb_packet_get (model, "parameters")) != lb_network_n_parameters (network)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s has %d parameters, but %s for these images has %d; the model was made for other images or by "
                 "another version",
                 theirs, (int)lb_tensor_size (lb_packet_get (model, "parameters")), architecture,
                 (int)lb_network_n_parameters (network));
    return NULL;
  }
  return g_steal_pointer (&network);
}

/* Features f32 [n, d] of all images; new. */
static LbTensor *
all_features (LbStage *stage, LbPacket *source, LbPacket *model, GError **error)
{
  LbTensor *images = lb_packet_get (source, "images"), *features;
  gint64 n = lb_tensor_dim (images, 0), d, count;
  g_autoptr (LbNetwork) network = open_model (stage, source, model, error);
  g_autoptr (LbPredictor) predictor = NULL;
  g_autoptr (LbTensor) all = NULL;

  if (!network || !(predictor = lb_predictor_new_features (network, n, error)))
    return NULL;
  d = lb_predictor_n_features (predictor);
  all = features = lb_tensor_new (LB_F32, LB_SHAPE (n, d));
  lb_predictor_set_parameters (predictor, lb_packet_get (model, "parameters"));
  for (gint64 first = 0; first < n; first += count) {
    const float *rows;
    double sum = 0;

    count = lb_predictor_run (predictor, lb_stage_compute (stage), images, lb_packet_get (source, "mean"),
                              lb_packet_get (source, "std"), NULL, first);
    rows = lb_predictor_features (predictor);
    for (gint64 i = 0; i < count * d; i++)
      sum += lb_tensor_f32 (features)[first * d + i] = rows[i];
    if (!lb_stage_check_finite (stage, "sum of features", (guint64)first, sum, "look at the training of the model",
                                error)
        || !lb_stage_progress (stage, (guint64)(first + count), (guint64)n, NULL, 0, error))
      return NULL;
  }
  return g_steal_pointer (&all);
}

/* The one model of the input. */
static LbPacket *
pull_model (LbStage *stage, GError **error)
{
  g_autoptr (LbPacket) model = NULL, second = NULL;

  if (!lb_stage_pull (stage, "model", &model, error) || (model && !lb_stage_pull (stage, "model", &second, error)))
    return NULL;
  if (!model || second) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' sends %s; expected exactly one network%s",
                 lb_stage_source (stage, "model", 0), model ? "more than one model" : "no model",
                 model ? ", so train one architecture with repeats: 1" : "");
    return NULL;
  }
  return g_steal_pointer (&model);
}

/* ---- The stages ---- */

/* Indices of the images chosen, class by class; NULL with a sentence when a class has too few. */
static guint32 *
choose_all (LbStage *stage, LbTensor *labels, LbTensor *features, gint64 count, Choose choose, GError **error)
{
  gint64 classes = lb_stage_dim (stage, "classes"), n = lb_tensor_size (labels), d = lb_tensor_dim (features, 1);
  g_autofree gint64 *first = g_new (gint64, classes + 1);
  g_autofree guint32 *by_class = lb_images_by_class (labels, classes, first);
  g_autofree double *mean = g_new (double, d), *sum = g_new (double, d), *distance = g_new (double, n);
  g_autofree gboolean *chosen = g_new0 (gboolean, n);
  g_autofree guint32 *out = g_new (guint32, classes * count);

  for (gint64 k = 0; k < classes; k++) {
    Class class = { lb_tensor_f32 (features), d, by_class + first[k], first[k + 1] - first[k], mean, sum, distance,
                    chosen + first[k] };

    if (class.n_rows < count) {
      g_set_error (
          error, LB_ERROR, LB_ERROR_INPUT,
          "'%s' has %d images of class %d, but images-per-class asks for %d; ask for fewer, or give a larger source",
          lb_stage_source (stage, "source", 0), (int)class.n_rows, (int)k, (int)count);
      return NULL;
    }
    set_mean (&class);
    choose (&class, count, out + k * count);
  }
  return g_steal_pointer (&out);
}

static gboolean
run (LbStage *stage, const Coreset *self, Choose choose, GError **error)
{
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error), model = NULL, packet = NULL;
  g_autoptr (LbTensor) features = NULL;
  g_autofree guint32 *chosen = NULL;
  gint64 classes = lb_stage_dim (stage, "classes"), n = classes * self->images_per_class;
  LbTensor *labels;

  if (!source || !(model = pull_model (stage, error)))
    return FALSE;
  labels = lb_packet_get (source, "labels");
  if (!lb_labels_check (lb_stage_source (stage, "source", 0), labels, classes, error)
      || !(features = all_features (stage, source, model, error))
      || !(chosen = choose_all (stage, labels, features, self->images_per_class, choose, error)))
    return FALSE;
  packet = lb_packet_new ();
  lb_packet_take (packet, "images", lb_tensor_select (lb_packet_get (source, "images"), chosen, n));
  lb_packet_take (packet, "labels", lb_tensor_select (labels, chosen, n));
  lb_packet_share (packet, source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops",
                        lb_compute_flops (lb_stage_compute (stage))
                            + lb_tensor_f64 (lb_packet_get (model, "training_flops"))[0]);
  return lb_stage_push (stage, "samples", g_steal_pointer (&packet), error);
}

static gboolean
herding_run (LbStage *stage, gpointer data, GError **error)
{
  return run (stage, data, choose_herding, error);
}

static gboolean
k_center_run (LbStage *stage, gpointer data, GError **error)
{
  return run (stage, data, choose_k_center, error);
}

/* What computing and comparing the features takes, where the network is known. */
static gboolean
predict (LbConfigure *configure, gint64 n, GError **error)
{
  const char *const *architectures = lb_configure_input_texts (configure, "model", "architecture");
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes"), bytes;
  g_autoptr (LbNetwork) network = NULL;
  g_autoptr (LbPredictor) predictor = NULL;

  if (!architectures || !architectures[0] || size.channels < 1 || size.height < 1 || size.width < 1 || n < 1
      || classes < 1)
    return TRUE;
  if (architectures[1]) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "input 'model' brings %u models; expected exactly one network, so train one architecture with "
                 "repeats: 1",
                 g_strv_length ((char **)architectures));
    return FALSE;
  }
  if (!(network = lb_network_new (architectures[0], size, classes, error))
      || !(predictor = lb_predictor_new_features (network, n, error)))
    return FALSE;
  bytes = n * lb_predictor_n_features (predictor) * (gint64)sizeof (float)
          + n * (gint64)(sizeof (guint32) + sizeof (double) + sizeof (gboolean))
          + lb_configure_collect_bytes (configure, "source");
  lb_configure_cost (configure, lb_predictor_flops (predictor),
                     (double)bytes + (double)lb_predictor_peak_bytes (predictor, lb_configure_threads (configure)));
  return TRUE;
}

static gboolean
coreset_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Coreset *self = data;
  guint dtypes = lb_configure_input_dtypes (configure, "source", "images");
  gint64 classes = lb_configure_dim (configure, "classes"), least = lb_configure_dim (configure, "least");

  if (least != LB_UNKNOWN && least < self->images_per_class)
    return lb_configure_property_error (
        configure, "images-per-class", error,
        "%d is more than the %d images that the smallest class of the source has; ask for fewer, or give a larger "
        "source",
        (int)self->images_per_class, (int)least);
  for (LbDType dtype = 0; dtype < LB_N_DTYPES; dtype++)
    if (dtypes == 1u << dtype)
      lb_configure_set_output_dtype (configure, "samples", "images", dtype);
  lb_configure_set_output_packets (configure, "samples", 1);
  return lb_configure_set_dim (configure, "each", self->images_per_class, error)
         && (classes < 0 || lb_configure_set_dim (configure, "selected", classes * self->images_per_class, error))
         && predict (configure, lb_configure_dim (configure, "n"), error);
}

static const LbStageType herding_type = {
  .name = "herding",
  .summary = "Chooses real images whose mean features come nearest to those of their class: a coreset",
  .description
  = "Class by class, the next image is the one that brings the mean feature of those chosen nearest to the mean "
    "feature "
    "of the class (Welling, ICML 2009, as Rebuffi et al., arXiv 1611.07725, choose exemplars). Features are what the "
    "classifier of the model is given. Nothing is drawn; of equal distances the first image counts. Images are sent "
    "as stored.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Coreset),
  .configure = coreset_configure,
  .run = herding_run,
};

static const LbStageType k_center_type = {
  .name = "k-center",
  .summary = "Chooses real images so that no image of a class is far from a chosen one: a coreset",
  .description
  = "Class by class, the first image is the one whose features are nearest to the mean feature, and each next one is "
    "the one farthest from its nearest chosen image (greedy k-center: Gonzalez 1985; Sener, Savarese, arXiv "
    "1708.00489). Features are what the classifier of the model is given. Nothing is drawn; of equal distances the "
    "first image counts. Images are sent as stored.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Coreset),
  .configure = coreset_configure,
  .run = k_center_run,
};

LB_DEFINE_PLUGIN ("coresets", "1.0", "LGPL-2.1-or-later", &herding_type, &k_center_type);
