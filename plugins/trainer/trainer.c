/* trainer: trains networks from scratch on a set: labelers on the source set and students on synthetic ones alike. One
 * model packet for each architecture and repeat.
 *
 * What is set when nothing is said is the protocol of Zhao et al. (arXiv 2006.05929): SGD with momentum and weight
 * decay, a tenth of the learning rate once past half way (the momentum starts again from zero there), the last epoch
 * counts. On a set with dense labels (LADD, arXiv 2409.16239) the loss has a second term for views of the images, which
 * are cut again at each step:
 *
 *   loss = CE (images, hard labels) + dense-weight * T^2 * CE (views / T, dense labels)
 *
 * with T the temperature of the labels, unless dense-temperature says otherwise.
 */
#include "trainer.h"

#include <math.h>

/* In the order of LbOptimiser and LbScheduleKind. */
static const char *const optimizers[] = { "sgd", "adam", "adamw", NULL };
static const char *const schedules[] = { "constant", "step", "cosine", "two-steps", NULL };

static const LbProperty properties[] = {
  LB_STRINGS (Trainer, architectures, "architecture", "convnet-d3", "Architectures to train, one or a list"),
  LB_INTEGER (Trainer, repeats, "repeats", "1", 1, 10000, "models",
              "Models of each architecture, each from a fresh start"),
  LB_INTEGER (Trainer, epochs, "epochs", "0", 0, 1000000, "epochs",
              "Passes over the set; 0: as published, 300, and 1000 with augmentation"),
  LB_INTEGER (Trainer, batch, "batch", "256", 1, 65536, "images", "Images of one step; a smaller set is one batch"),
  LB_NUMBER (Trainer, learning_rate, "learning-rate", "0.01", 0, 1000, NULL, "Learning rate"),
  LB_BOOLEAN (Trainer, learned_rate, "learned-rate", "false",
              "The learning rate is the one that was learned with the set (trajectory matching), not learning-rate"),
  LB_CHOICE (Trainer, optimizer, "optimizer", "sgd", optimizers,
             "SGD with momentum, Adam, or Adam with decoupled weight decay"),
  LB_NUMBER (Trainer, momentum, "momentum", "0.9", 0, 1, NULL, "Momentum of SGD"),
  LB_NUMBERS (Trainer, betas, "betas", "[0.9, 0.999]", 0, 1, NULL, "Decay of the two moments of Adam, each below 1"),
  LB_NUMBER (Trainer, epsilon, "epsilon", "1e-8", 1e-30, 1, NULL, "Added to the denominator of Adam"),
  LB_NUMBER (Trainer, weight_decay, "weight-decay", "0.0005", 0, 1, NULL, "Weight decay, on all parameters"),
  LB_NUMBER (
      Trainer, clip, "gradient-clip", "0", 0, 1e9, NULL,
      "Largest norm of a step's gradient, all parameters together; a longer one is made as short as that; 0: no limit"),
  LB_CHOICE (
      Trainer, schedule, "schedule", "step", schedules,
      "The learning rate: constant, one step past half of the epochs, half a cosine down to 0, or two steps at two "
      "thirds and five sixths of the epochs (IDC)"),
  LB_NUMBER (
      Trainer, decay, "learning-rate-decay", "0.1", 0, 1, NULL,
      "Factor of each step on the learning rate; the optimizer starts afresh at step, unless this is 1, and goes on "
      "at two-steps"),
  LB_INTEGER (Trainer, warmup_epochs, "warmup-epochs", "0", 0, 1000000, "epochs",
              "Epochs in front during which the learning rate rises in equal steps to its full value"),
  LB_NUMBER (Trainer, warmup_start, "warmup-start", "0", 0, 1, NULL,
             "Part of the learning rate that the warm-up rises from (AST's experts: 0.5, over 5 epochs)"),
  LB_NUMBER (Trainer, ema, "ema", "0", 0, 0.999999, NULL,
             "Weight of the past in an exponential moving average of the weights, which is then the model; 0: none"),
  LB_STRING (
      Trainer, augmentation, "augmentation", "none",
      "Drawn for each image at each step: none, crop-flip, or groups such as "
      "color_crop_cutout_flip_scale_rotate, one of which is drawn for a batch (DSA); view, or flip-view: windows, "
      "for labelers of views"),
  LB_NUMBER (Trainer, cutmix, "cutmix", "0", 0, 1, NULL,
             "Probability that in a step a rectangle of each image, and so much of its label, is that of another image "
             "of the batch (CutMix); not of views"),
  LB_NUMBER (
      Trainer, dense_weight, "dense-weight", "0.5", 0, 1000, NULL,
      "Weight of the loss on views, where the set has dense labels; the square of their temperature comes on top"),
  LB_NUMBER (Trainer, dense_temperature, "dense-temperature", "0", 0, 1000, NULL,
             "T: scores of views are divided by it before softmax, where the set has dense labels; 0: the temperature "
             "that the labels were made with"),
  LB_INTEGER (
      Trainer, views_per_image, "views-per-image", "1", 0, 1024, "views",
      "Views of each image in a step, drawn without replacement; 0 takes all. A step costs 1 + this many images"),
  LB_NUMBER (
      Trainer, gradient_penalty, "gradient-penalty", "0", 0, 1000, NULL,
      "Weight of a penalty on scores that change faster or slower with a pixel than by one: mean over images and "
      "pixels of (norm over channels of the gradient of the sum of all scores - 1)^2 (AST's experts: 0.1). A step "
      "then takes three times the operations"),
  LB_INTEGER (Trainer, snapshot_epochs, "snapshot-epochs", "1", 1, 1000000, "epochs",
              "Epochs between two snapshots of a trajectory, where 'trajectory' is read"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "n c h w classes", 0,
    "The set to train on; with dense labels (augmented), views are used too" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "model", "model", "p c h w classes", 0,
    "The trained models: all repeats of the first architecture, then of the next" },
  { "trajectory", "trajectory", "s p c h w classes", LB_PORT_ON_DEMAND,
    "Where each model went: its parameters at the start and after every few epochs (experts of trajectory matching)" },
  LB_PORTS_END,
};

static guint
index_of (const char *choice, const char *const *choices)
{
  guint i = 0;

  while (!g_str_equal (choice, choices[i]))
    i++;
  return i;
}

gint64
n_epochs (const Trainer *self)
{
  return self->epochs ? self->epochs : g_str_equal (self->augmentation, "none") ? 300 : 1000;
}

gint64
n_snapshots (const Trainer *self)
{
  return 1 + n_epochs (self) / self->snapshot_epochs;
}

gboolean
make_settings (const Trainer *self, gint64 available, double temperature, LbLearnerSettings *settings, GError **error)
{
  double t = self->dense_temperature != 0 ? self->dense_temperature : temperature;

  *settings = (LbLearnerSettings){ .batch = self->batch,
                                   .optimiser = (LbOptimiser)index_of (self->optimizer, optimizers),
                                   .momentum = self->momentum,
                                   .weight_decay = self->weight_decay,
                                   .beta1 = g_array_index (self->betas, double, 0),
                                   .beta2 = g_array_index (self->betas, double, 1),
                                   .epsilon = self->epsilon,
                                   .schedule = { .kind = (LbScheduleKind)index_of (self->schedule, schedules),
                                                 .epochs = n_epochs (self),
                                                 .warmup = self->warmup_epochs,
                                                 .decay = self->decay,
                                                 .warmup_start = self->warmup_start },
                                   .average_decay = self->ema,
                                   .cutmix = self->cutmix,
                                   .views = self->views_per_image && available ? self->views_per_image : available,
                                   .dense_weight = self->dense_weight * t * t,
                                   .dense_temperature = t,
                                   .gradient_penalty = self->gradient_penalty,
                                   .clip = self->clip };
  if (!lb_augmentation_parse (self->augmentation, &settings->augmentation, error))
    return FALSE;
  if (settings->views <= available)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "property 'views-per-image' is %d, but the set has %d views of each image; ask for that many or fewer",
               (int)settings->views, (int)available);
  return FALSE;
}

gboolean
choose_rate (Trainer *self, LbStage *stage, LbPacket *samples, GError **error)
{
  LbTensor *learned = lb_packet_get (samples, "inner_learning_rate");

  if (!self->learned_rate)
    return TRUE;
  if (learned) {
    self->learning_rate = lb_tensor_f64 (learned)[0];
    return TRUE;
  }
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "'%s' has no learning rate that was learned with it, which property 'learned-rate' asks for; expected a "
               "set of trajectory matching (field inner_learning_rate), so leave the property out and set "
               "'learning-rate'",
               lb_stage_source (stage, "samples", 0));
  return FALSE;
}

static gboolean
check_properties (LbConfigure *configure, const Trainer *self, GError **error)
{
  LbAugmentation augmentation;
  g_autoptr (GError) reason = NULL;

  if (!self->architectures[0])
    return lb_configure_property_error (configure, "architecture", error, "the list is empty; expected at least one");
  for (guint i = 0; self->architectures[i]; i++)
    if (!lb_architecture_check (self->architectures[i], &reason))
      return lb_configure_property_error (configure, "architecture", error, "%s", reason->message);
  if (!lb_augmentation_parse (self->augmentation, &augmentation, &reason))
    return lb_configure_property_error (configure, "augmentation", error, "%s", reason->message);
  if (self->betas->len != 2)
    return lb_configure_property_error (configure, "betas", error, "%u numbers are given; expected two",
                                        self->betas->len);
  if (self->dense_temperature != 0 && self->dense_temperature < 0.01)
    return lb_configure_property_error (configure, "dense-temperature", error,
                                        "%g is too low for softmax; expected 0, for that of the labels, or 0.01 to "
                                        "1000",
                                        self->dense_temperature);
  for (guint i = 0; i < 2; i++)
    if (g_array_index (self->betas, double, i) >= 1)
      return lb_configure_property_error (configure, "betas", error,
                                          "a beta of 1 never moves; expected numbers below 1");
  if (lb_configure_has_port (configure, "trajectory") && self->snapshot_epochs > n_epochs (self))
    return lb_configure_property_error (configure, "snapshot-epochs", error,
                                        "%d epochs between snapshots of %d epochs; expected no more, so that a "
                                        "trajectory has an end",
                                        (int)self->snapshot_epochs, (int)n_epochs (self));
  if (self->warmup_epochs >= n_epochs (self) && self->warmup_epochs > 0)
    return lb_configure_property_error (configure, "warmup-epochs", error,
                                        "%d of %d epochs; expected fewer than there are 'epochs'",
                                        (int)self->warmup_epochs, (int)n_epochs (self));
  if (self->warmup_start > 0 && self->warmup_epochs == 0)
    return lb_configure_property_error (configure, "warmup-start", error,
                                        "there is no warm-up to start; expected 0, or 'warmup-epochs' above 0");
  return TRUE;
}

/* What training on the set takes, as far as is known. */
typedef struct {
  gint64 n;             /* images, LB_UNKNOWN when not known */
  gboolean knows_views; /* whether @settings are those of the run */
  LbLearnerSettings settings;
  guint threads;
  double flops;
  GArray *bytes;       /* double: that training each model takes */
  gint64 packet_bytes; /* of the largest model */
  GPtrArray *sent;     /* char *: architecture of each model, in order */
} Cost;

/* Adds training @architecture; checks that it fits. */
static gboolean
add_cost (Cost *cost, LbConfigure *configure, const Trainer *self, const char *architecture, LbImageSize size,
          gint64 classes, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (LbNetwork) network = lb_network_new (architecture, size, classes, &reason);
  g_autoptr (LbLearner) learner = NULL;
  gint64 parameter_bytes;

  if (!network)
    return lb_configure_property_error (configure, "architecture", error, "%s", reason->message);
  if (!self->architectures[1] && !lb_configure_set_dim (configure, "p", lb_network_n_parameters (network), error))
    return FALSE;
  for (gint64 i = 0; i < self->repeats; i++)
    g_ptr_array_add (cost->sent, g_strdup (lb_network_architecture (network)));
  parameter_bytes = lb_network_n_parameters (network) * (gint64)sizeof (float);
  cost->packet_bytes = MAX (cost->packet_bytes, parameter_bytes);
  if (cost->n < 1 || !cost->knows_views)
    return TRUE;
  if (!(learner = lb_learner_new (network, cost->n, &cost->settings, error)))
    return FALSE;
  cost->flops += (double)(self->repeats * n_epochs (self)) * lb_learner_epoch_flops (learner);
  double bytes = (double)lb_learner_peak_bytes (learner, cost->threads);
  for (gint64 i = 0; i < self->repeats; i++)
    g_array_append_val (cost->bytes, bytes);
  return TRUE;
}

/* Images of a step, views and all, that keep so many threads busy that a second network at work adds nothing. */
#define MANY_IMAGES       64
#define THREADS_OF_A_STEP 8

/* How many networks are trained at once. A step on few images leaves threads idle between the pieces of its work, and
 * takes little memory. */
static guint
side_by_side (LbConfigure *configure, const Trainer *self, const Cost *cost)
{
  gint64 batch = cost->n > 0 ? MIN (self->batch, cost->n) : self->batch, images = batch * (1 + cost->settings.views);
  guint threads = images < MANY_IMAGES ? cost->threads : cost->threads / THREADS_OF_A_STEP;

  return lb_configure_side_by_side (configure, MIN (MAX (threads, 1), cost->sent->len));
}

/* The most that @n neighbours take together, with what they are about to send beyond the first. */
static double
peak_of_neighbours (const Cost *cost, guint n, gint64 sent_bytes)
{
  double most = 0;

  for (guint i = 0; i + n <= cost->bytes->len; i++) {
    double sum = (double)sent_bytes * (n - 1);

    for (guint k = 0; k < n; k++)
      sum += g_array_index (cost->bytes, double, i + k);
    most = MAX (most, sum);
  }
  return most;
}

/* What is sent. @sent: architecture of each model, ends with NULL; @bytes: of the largest model. */
static void
promise (LbConfigure *configure, const Trainer *self, const GPtrArray *sent, gint64 bytes)
{
  lb_configure_set_output_texts (configure, "model", "architecture", (const char *const *)sent->pdata);
  lb_configure_set_output_bytes (configure, "model", bytes);
  if (!lb_configure_has_port (configure, "trajectory")) {
    lb_configure_set_output_packets (configure, "trajectory", 0);
    return;
  }
  lb_configure_set_output_texts (configure, "trajectory", "architecture", (const char *const *)sent->pdata);
  lb_configure_set_output_bytes (configure, "trajectory", bytes * n_snapshots (self));
}

/* Checks that the architectures fit, and predicts what training them takes. */
static gboolean
trainer_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Trainer *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes");
  gboolean augmented = g_strcmp0 (lb_configure_input_schema (configure, "samples"), "augmented") == 0;
  double temperature = augmented ? lb_configure_input_number (configure, "samples", "temperature") : NAN;
  gint64 views = lb_configure_input_dim (configure, "samples", "v");
  g_autoptr (GPtrArray) sent = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) bytes = g_array_new (FALSE, FALSE, sizeof (double));
  Cost cost = { .n = lb_configure_dim (configure, "n"),
                .knows_views = !augmented || views != LB_UNKNOWN || self->views_per_image,
                .threads = lb_configure_threads (configure),
                .bytes = bytes,
                .sent = sent };

  if (!check_properties (configure, self, error)
      || !make_settings (self,
                         !augmented            ? 0
                         : views != LB_UNKNOWN ? views
                                               : self->views_per_image,
                         isnan (temperature) ? 1 : temperature, &cost.settings, error))
    return FALSE;
  if (!lb_configure_set_dim (configure, "s", n_snapshots (self), error))
    return FALSE;
  if (size.channels < 1 || size.height < 1 || size.width < 1 || classes < 1)
    return TRUE;
  for (guint a = 0; self->architectures[a]; a++)
    if (!add_cost (&cost, configure, self, self->architectures[a], size, classes, error))
      return FALSE;
  guint at_once = side_by_side (configure, self, &cost);
  gint64 sent_bytes
      = cost.packet_bytes * (lb_configure_has_port (configure, "trajectory") ? 1 + n_snapshots (self) : 1);
  g_ptr_array_add (sent, NULL);
  promise (configure, self, sent, cost.packet_bytes);
  if (cost.flops > 0)
    lb_configure_cost (configure, cost.flops,
                       peak_of_neighbours (&cost, at_once, sent_bytes)
                           + (double)lb_configure_collect_bytes (configure, "samples"));
  return TRUE;
}

static const LbStageType trainer_type = {
  .name = "trainer",
  .summary = "Trains networks from scratch on a set: labelers and students alike",
  .description
  = "Trains `repeats` networks of each architecture and sends each as a model packet as soon as it is done. As set, "
    "this "
    "is the protocol of dataset condensation (arXiv 2006.05929): SGD, whose learning rate falls once, past half of the "
    "epochs, where the momentum starts again from zero; the last epoch counts. Epochs of 0 are "
    "its papers' 300, or 1000 with augmentation.\n\n"
    "A cosine schedule and warm-up change the rate at every step. With ema the model is an exponential moving average "
    "of the weights, d * average + (1 - d) * weights after each step t from 0, d = min (ema, (1 + t) / (10 + t)).\n\n"
    "On augmented samples a step also cuts views of its images and adds their cross-entropy with the dense labels, "
    "times dense-weight (LADD, arXiv 2409.16239). The networks' scores are divided by the temperature T that the "
    "labels were made with, and the term is multiplied by T^2, so that its gradients keep their size (Hinton, Vinyals, "
    "Dean, arXiv 1503.02531).\n\n"
    "Where 'trajectory' is read, the networks are experts of trajectory matching (arXiv 2203.11932): each also sends "
    "its "
    "parameters at the start and after every few epochs, of the average where there is one, in one packet. Start, "
    "order and views depend on the seed, the stage's "
    "name and the student's number alone.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Trainer),
  .configure = trainer_configure,
  .run = trainer_run,
};

LB_DEFINE_PLUGIN ("trainer", "1.0", "LGPL-2.1-or-later", &trainer_type);
