/* evaluator: how well models do on a whole test set. One metrics packet for each model; no choosing among epochs or
 * models.
 */
#include "limbeck.h"

typedef struct {
  gint64 top;
} Evaluator;

static const LbProperty properties[] = {
  LB_INTEGER (
      Evaluator, top, "top", "1", 1, 100000, "classes",
      "With more than 1, also counts an answer as right whose class is among so many likeliest (top-k accuracy)"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "model", "model", "c h w classes", 0, "The models, one after the other" },
  { "samples", "samples", "n c h w classes", 0,
    "The test set; u8 images are normalised as the model's were, f32 images must agree with them" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "metrics", "metrics", "classes", 0, "Accuracy, loss and confusion matrix of each model" },
  LB_PORTS_END,
};

/* What is compiled for the architecture at hand. */
typedef struct {
  LbNetwork *network;
  LbPredictor *predictor;
} Bench;

static void
bench_clear (Bench *bench)
{
  g_clear_pointer (&bench->predictor, lb_predictor_free);
  g_clear_pointer (&bench->network, lb_network_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bench, bench_clear)

/* Makes @bench ready for @model, keeping what is compiled when the architecture stays. */
static gboolean
bench_set (Bench *bench, LbStage *stage, LbPacket *model, LbTensor *images, GError **error)
{
  g_autofree char *architecture = lb_packet_get_text (model, "architecture");
  LbTensor *parameters = lb_packet_get (model, "parameters");

  if (!bench->network || !g_str_equal (lb_network_architecture (bench->network), architecture)) {
    LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };

    bench_clear (bench);
    bench->network = lb_network_new (architecture, size, lb_stage_dim (stage, "classes"), error);
    if (bench->network)
      bench->predictor = lb_predictor_new (bench->network, lb_tensor_dim (images, 0), FALSE, 1, error);
    if (!bench->predictor)
      return FALSE;
  }
  if (lb_tensor_size (parameters) != lb_network_n_parameters (bench->network)) {
    g_set_error (
        error, LB_ERROR, LB_ERROR_INPUT,
        "a model of '%s' has %d parameters, but %s for the test images has %d; the model was made for other images or "
        "by another version",
        lb_stage_source (stage, "model", 0), (int)lb_tensor_size (parameters), architecture,
        (int)lb_network_n_parameters (bench->network));
    return FALSE;
  }
  lb_predictor_set_parameters (bench->predictor, parameters);
  return TRUE;
}

/* ---- Counting ---- */

typedef struct {
  LbTensor *confusion; /* i64 [classes, classes] */
  gint64 correct;
  gint64 top, among_top; /* images whose class is among the @top likeliest */
  double loss;           /* sum over images */
} Tally;

/* Classes that come before @label: likelier ones, and equal ones that stand before it. */
static gint64
rank_of (const float *row, gint64 label, gint64 classes)
{
  gint64 rank = 0;

  for (gint64 k = 0; k < classes; k++)
    rank += row[k] > row[label] || (row[k] == row[label] && k < label);
  return rank;
}

/* Adds @n rows of log probabilities; the first of equal scores counts as the answer. */
static void
tally_add (Tally *tally, const float *rows, const gint32 *labels, gint64 n, gint64 classes)
{
  for (gint64 i = 0; i < n; i++, rows += classes) {
    gint64 answer = 0;

    for (gint64 k = 1; k < classes; k++)
      if (rows[k] > rows[answer])
        answer = k;
    lb_tensor_i64 (tally->confusion)[labels[i] * classes + answer]++;
    tally->correct += answer == labels[i];
    tally->among_top += rank_of (rows, labels[i], classes) < tally->top;
    tally->loss -= rows[labels[i]];
  }
}

static gboolean
evaluate (LbStage *stage, const Bench *bench, LbPacket *test, LbPacket *model, Tally *tally, guint64 number,
          GError **error)
{
  LbTensor *images = lb_packet_get (test, "images"), *labels = lb_packet_get (test, "labels");
  gint64 n = lb_tensor_dim (images, 0), count;

  for (gint64 first = 0; first < n; first += count) {
    count = lb_predictor_run (bench->predictor, lb_stage_compute (stage), images, lb_packet_get (model, "mean"),
                              lb_packet_get (model, "std"), NULL, first);
    tally_add (tally, lb_predictor_log_probabilities (bench->predictor), lb_tensor_i32 (labels) + first, count,
               lb_network_classes (bench->network));
    /* How many models are to come is not known, so there is no total. */
    if (!lb_stage_progress (stage, number * (guint64)n + (guint64)(first + count), 0, NULL, 0, error))
      return FALSE;
  }
  return lb_stage_check_finite (stage, "test loss", number, tally->loss,
                                "look at the training of the model with this number", error);
}

static LbPacket *
metrics_packet (const Tally *tally, gint64 n, LbPacket *model)
{
  static const char *const kept[] = { "architecture", "index", "set_images", "set_bytes", "training_flops" };
  LbPacket *packet = lb_packet_new ();

  lb_packet_set_number (packet, "accuracy", (double)tally->correct / (double)n);
  lb_packet_set_number (packet, "loss", tally->loss / (double)n);
  if (tally->top > 1)
    lb_packet_set_number (packet, "top_accuracy", (double)tally->among_top / (double)n);
  lb_packet_set_integer (packet, "images", n);
  lb_packet_set (packet, "confusion", tally->confusion);
  for (guint i = 0; i < G_N_ELEMENTS (kept); i++)
    lb_packet_set (packet, kept[i], lb_packet_get (model, kept[i]));
  lb_packet_share (packet, model, "set_flops", NULL);
  return packet;
}

static gboolean
evaluate_model (LbStage *stage, const Evaluator *self, Bench *bench, LbPacket *test, LbPacket *model, guint64 number,
                GError **error)
{
  LbTensor *images = lb_packet_get (test, "images");
  gint64 n = lb_tensor_dim (images, 0), classes = lb_stage_dim (stage, "classes");
  g_autofree char *ours = g_strdup_printf ("'%s'", lb_stage_source (stage, "samples", 0));
  g_autofree char *theirs = g_strdup_printf ("the model '%s'", lb_stage_source (stage, "model", 0));
  Tally tally = { .top = self->top };
  gboolean done;

  /* What is stored as u8 can be normalised as the model wants it; what is normalised already cannot be undone. */
  if (lb_tensor_dtype (images) != LB_U8
      && !lb_images_same_normalisation (ours, lb_packet_get (test, "mean"), lb_packet_get (test, "std"), theirs,
                                        lb_packet_get (model, "mean"), lb_packet_get (model, "std"), error))
    return FALSE;
  if (!lb_whitening_same (ours, lb_packet_get (test, "whitening_mean"), theirs, lb_packet_get (model, "whitening_mean"),
                          error))
    return FALSE;
  if (!bench_set (bench, stage, model, images, error))
    return FALSE;

  g_autoptr (LbTensor) confusion = tally.confusion = lb_tensor_new (LB_I64, LB_SHAPE (classes, classes));
  done = evaluate (stage, bench, test, model, &tally, number, error);
  if (done)
    lb_stage_metric (stage, "accuracy", (double)tally.correct / (double)n, "fraction");
  if (done && self->top > 1)
    lb_stage_metric (stage, "top accuracy", (double)tally.among_top / (double)n, "fraction");
  return done && lb_stage_push (stage, "metrics", metrics_packet (&tally, n, model), error);
}

static gboolean
evaluator_run (LbStage *stage, gpointer data, GError **error)
{
  g_autoptr (LbPacket) test = lb_stage_collect (stage, "samples", error);
  g_auto (Bench) bench = { 0 };

  if (!test
      || !lb_labels_check (lb_stage_source (stage, "samples", 0), lb_packet_get (test, "labels"),
                           lb_stage_dim (stage, "classes"), error))
    return FALSE;
  if (lb_tensor_dim (lb_packet_get (test, "images"), 0) == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' has no images; expected at least one to evaluate on",
                 lb_stage_source (stage, "samples", 0));
    return FALSE;
  }
  for (guint64 number = 0;; number++) {
    g_autoptr (LbPacket) model = NULL;

    if (!lb_stage_pull (stage, "model", &model, error))
      return FALSE;
    if (!model)
      return TRUE;
    if (!evaluate_model (stage, data, &bench, test, model, number, error))
      return FALSE;
  }
}

/* Predicts what scoring takes where the architectures of all models are known; each model makes one packet. */
static gboolean
evaluator_configure (LbConfigure *configure, gpointer data, GError **error)
{
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes"), n = lb_configure_dim (configure, "n");
  const char *const *architectures = lb_configure_input_texts (configure, "model", "architecture");
  const Evaluator *self = data;
  double flops = 0, bytes = 0, of_one = 0;

  if (classes > 0 && self->top > classes)
    return lb_configure_property_error (configure, "top", error, "%d, but there are %d classes; ask for fewer of them",
                                        (int)self->top, (int)classes);
  lb_configure_set_output_packets (configure, "metrics", lb_configure_input_packets (configure, "model"));
  if (!architectures)
    return TRUE;
  lb_configure_set_output_texts (configure, "metrics", "architecture", architectures);
  if (size.channels < 1 || size.height < 1 || size.width < 1 || classes < 1 || n < 1)
    return TRUE;
  for (guint i = 0; architectures[i]; i++, flops += of_one) {
    g_autoptr (LbNetwork) network = NULL;
    g_autoptr (LbPredictor) predictor = NULL;

    if (i && g_str_equal (architectures[i], architectures[i - 1]))
      continue;
    if (!(network = lb_network_new (architectures[i], size, classes, error))
        || !(predictor = lb_predictor_new (network, n, FALSE, 1, error)))
      return FALSE;
    of_one = lb_predictor_flops (predictor);
    bytes = MAX (bytes, (double)lb_predictor_peak_bytes (predictor, lb_configure_threads (configure)));
  }
  lb_configure_cost (configure, flops, bytes + (double)lb_configure_collect_bytes (configure, "samples"));
  return TRUE;
}

static const LbStageType evaluator_type = {
  .name = "evaluator",
  .summary = "Measures models on a whole test set: accuracy, loss, confusion matrix",
  .description
  = "Runs each model on every image of the test set and sends one packet of metrics for each. Stored (u8) images are "
    "normalised with the model's mean and std; images that are normalised already must have been so in the same "
    "way. The accuracy of each model is also recorded as the metric 'accuracy', a fraction of the test set, and top-k "
    "accuracy, if asked for, as 'top accuracy'.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Evaluator),
  .configure = evaluator_configure,
  .run = evaluator_run,
};

LB_DEFINE_PLUGIN ("evaluator", "1.0", "LGPL-2.1-or-later", &evaluator_type);
