/* gradient-matching: dataset condensation (DC; Zhao, Mopuri, Bilen: "Dataset condensation with gradient matching",
 * arXiv 2006.05929), and with differentiable siamese augmentation (DSA; Zhao, Bilen, arXiv 2102.08259). Synthetic
 * images are moved so that the gradients they give a network become those that real images give it:
 *
 *   loss = sum over classes of D (dCE (real images of the class)/dw, dCE (synthetic images of the class)/dw)
 *
 * over freshly initialised networks, each trained a little on the synthetic images between the steps ("outer" steps).
 */
#include "limbeck.h"

#include <string.h>

typedef struct {
  char *architecture, *start, *augmentation;
  gint64 images_per_class, iterations, outer_steps, inner_epochs, real_batch, batch;
  double image_learning_rate, image_momentum, learning_rate;
} GradientMatching;

static const char *const starts[] = { "noise", "real", NULL };

static const LbProperty properties[] = {
  LB_INTEGER (GradientMatching, images_per_class, "images-per-class", "1", 1, 10000, "images",
              "Synthetic images of each class"),
  LB_STRING (GradientMatching, architecture, "architecture", "convnet-d3", "Network whose gradients are matched"),
  LB_INTEGER (GradientMatching, iterations, "iterations", "1000", 1, 1000000, "networks",
              "Networks, each from a fresh start"),
  LB_INTEGER (GradientMatching, outer_steps, "outer-steps", "0", 0, 100000, "steps",
              "Steps of the images with each network; 0: as published for the nearest images-per-class"),
  LB_INTEGER (GradientMatching, inner_epochs, "inner-epochs", "0", 0, 100000, "epochs",
              "Training of the network between two steps; 0: as published for the nearest images-per-class"),
  LB_INTEGER (GradientMatching, real_batch, "real-batch", "256", 1, 65536, "images",
              "Real images of a class in a step; if a class has fewer, as many as the smallest class has"),
  LB_INTEGER (GradientMatching, batch, "batch", "256", 1, 65536, "images", "Synthetic images in a step of the network"),
  LB_NUMBER (GradientMatching, image_learning_rate, "image-learning-rate", "0.1", 0, 1e6, NULL,
             "Learning rate of the images"),
  LB_NUMBER (GradientMatching, image_momentum, "image-momentum", "0.5", 0, 1, NULL, "Momentum of the images"),
  LB_NUMBER (GradientMatching, learning_rate, "learning-rate", "0.01", 0, 1000, NULL, "Learning rate of the network"),
  LB_CHOICE (GradientMatching, start, "start", "noise", starts, "Start from normal noise or from real images"),
  LB_STRING (
      GradientMatching, augmentation, "augmentation", "none",
      "none (DC), or groups such as color_crop_cutout_flip_scale_rotate (DSA): one is drawn for a class and step, "
      "the same for its real and synthetic images"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The source set" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=synthetic least=each c h w classes", 0,
    "The synthetic images (f32, normalised), class by class" },
  LB_PORTS_END,
};

/* ---- The loss ---- */

static LbNode *
row_norms (LbNode *a)
{
  /* The tiny number keeps the derivative of the root finite where a row is zero; it is lost in any other sum. */
  return lb_sqrt (lb_affine (lb_sum_to (lb_mul (a, a), LB_SHAPE (lb_node_dim (a, 0), 1)), 1, 1e-30));
}

/* The paper's layer-wise distance: sum over rows, one for each output of the layer, of 1 - <a, b> / (|a| |b| + 1e-6).
 */
static LbNode *
layer_distance (LbNode *real, LbNode *synthetic)
{
  LbShape shape = lb_node_shape (real);
  LbShape matrix = LB_SHAPE (shape.dim[0], lb_shape_size (shape) / shape.dim[0]), column = LB_SHAPE (shape.dim[0], 1);
  LbNode *a = lb_reshape (real, matrix), *b = lb_reshape (synthetic, matrix);
  LbNode *product = lb_sum_to (lb_mul (a, b), column);
  LbNode *cosine = lb_div (product, lb_affine (lb_mul (row_norms (a), row_norms (b)), 1, 1e-6));

  return lb_sum (lb_affine (cosine, -1, 1));
}

static LbNode *
matching_distance (LbNode *const *real, LbNode *const *synthetic, guint n)
{
  LbNode *distance = layer_distance (real[0], synthetic[0]);

  for (guint i = 1; i < n; i++)
    distance = lb_add (distance, layer_distance (real[i], synthetic[i]));
  return distance;
}

/* ---- Programs: compiled once, used for every class and network ---- */

/* One side of the match: a batch of images of one class, and the gradients that its mean cross-entropy has with respect
 * to the network's weights. Weights are the tensors of two and of four dimensions, linear and convolutional: the
 * distance skips biases, norms and embeddings. */
typedef struct {
  guint n_weights;
  LbGraph *graph;
  LbNode *images, *targets, **parameters, **gradients;
  LbAugmenter *augmenter; /* NULL without augmentation */
  LbProgram *program;
  LbTensor *image_values, *target_values;
} Side;

static void
side_clear (Side *side)
{
  g_clear_pointer (&side->program, lb_program_free);
  g_clear_pointer (&side->augmenter, lb_augmenter_free);
  g_clear_pointer (&side->graph, lb_graph_unref);
  g_clear_pointer (&side->image_values, lb_tensor_unref);
  g_clear_pointer (&side->target_values, lb_tensor_unref);
  g_clear_pointer (&side->parameters, g_free);
  g_clear_pointer (&side->gradients, g_free);
}

/* @n: images of the batch. */
static void
side_build (Side *side, const LbNetwork *network, gint64 n, const LbAugmentation *augmentation)
{
  LbImageSize size = lb_network_input (network);
  guint n_tensors = lb_network_n_tensors (network);
  g_autofree LbNode **weights = g_new0 (LbNode *, n_tensors);
  LbNode *scores;

  side->graph = lb_graph_new (LB_F32);
  side->parameters = g_new0 (LbNode *, n_tensors);
  side->gradients = g_new0 (LbNode *, n_tensors);
  side->images = lb_batch_input (side->graph, "images", LB_SHAPE (n, size.height, size.width, size.channels));
  side->targets = lb_batch_input (side->graph, "targets", LB_SHAPE (n, lb_network_classes (network)));
  lb_network_inputs (network, side->graph, "", side->parameters);
  scores = lb_network_apply (network, side->parameters, lb_augment (side->images, augmentation, &side->augmenter));
  for (guint i = 0; i < n_tensors; i++)
    if (lb_network_tensor_shape (network, i).rank == 2 || lb_network_tensor_shape (network, i).rank == 4)
      weights[side->n_weights++] = side->parameters[i];
  lb_gradients (lb_cross_entropy (scores, side->targets), weights, side->n_weights, side->gradients);
}

static gboolean
side_compile (Side *side, LbNode *const *outputs, guint n_outputs, GError **error)
{
  side->program = lb_compile (side->graph, outputs, n_outputs, error);
  return side->program != NULL;
}

/* Gives the program a batch of its own, and the parameters in @flat. */
static void
side_bind (Side *side, const LbNetwork *network, LbTensor *flat)
{
  side->image_values = lb_tensor_new (LB_F32, lb_node_shape (side->images));
  side->target_values = lb_tensor_new (LB_F32, lb_node_shape (side->targets));
  lb_program_bind (side->program, side->images, side->image_values);
  lb_program_bind (side->program, side->targets, side->target_values);
  lb_augmenter_bind (side->augmenter, side->program);
  lb_network_bind (network, side->program, side->parameters, flat);
}

/* ---- Distillation ---- */

typedef struct {
  const GradientMatching *self;
  LbStage *stage;
  LbNetwork *network;
  gint64 classes, outer_steps, inner_epochs;
  LbPacket *source;              /* borrowed */
  LbTensor *images, *mean, *std; /* of the source; its packet's */
  guint32 *by_class;             /* the source's images, sorted by class, and where each class begins */
  gint64 *first;
  gint64 per_class;                           /* floats of the synthetic images of a class */
  LbTensor *synthetic, *gradient, *momentum;  /* f32 [classes * images-per-class, h, w, c] */
  LbTensor *labels;                           /* i32, of the synthetic images */
  LbTensor *parameters;                       /* f32 [p], of the network at hand */
  Side real, ours;                            /* @ours takes the gradients of @real as inputs ... */
  LbNode **given, *distance, *image_gradient; /* ... these, and ends in these */
  LbLearner *learner;                         /* trains the network between steps; NULL when there is one step */
  gint64 iteration, outer, step;              /* networks and steps with this one that are over; steps in all */
  gint64 training;                            /* 1 while the network is being trained after such a step */
} Distillation;

static void
distillation_clear (Distillation *d)
{
  side_clear (&d->ours);
  side_clear (&d->real);
  g_clear_pointer (&d->learner, lb_learner_free);
  g_free (d->given);
  g_free (d->by_class);
  g_free (d->first);
  g_clear_pointer (&d->synthetic, lb_tensor_unref);
  g_clear_pointer (&d->gradient, lb_tensor_unref);
  g_clear_pointer (&d->momentum, lb_tensor_unref);
  g_clear_pointer (&d->labels, lb_tensor_unref);
  g_clear_pointer (&d->parameters, lb_tensor_unref);
  g_clear_pointer (&d->network, lb_network_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Distillation, distillation_clear)

/* Steps of the images with each network, and epochs of training between them: as published for the nearest number of
 * images per class, the smaller one when two are as near. */
static void
set_loops (Distillation *d)
{
  static const gint64 published[][3]
      = { { 1, 1, 1 }, { 10, 10, 50 }, { 20, 20, 25 }, { 30, 30, 20 }, { 40, 40, 15 }, { 50, 50, 10 } };
  gint64 wanted = d->self->images_per_class;
  guint nearest = 0;

  for (guint i = 1; i < G_N_ELEMENTS (published); i++)
    if (ABS (published[i][0] - wanted) < ABS (published[nearest][0] - wanted))
      nearest = i;
  d->outer_steps = d->self->outer_steps ? d->self->outer_steps : published[nearest][1];
  d->inner_epochs = d->self->inner_epochs ? d->self->inner_epochs : published[nearest][2];
}

/* Compiles what @d->network, its classes and loops ask for. @real_batch: real images of a class in a step. */
static gboolean
compile_all (Distillation *d, gint64 real_batch, GError **error)
{
  LbLearnerSettings settings = { .batch = d->self->batch };

  if (!lb_augmentation_parse (d->self->augmentation, &settings.augmentation, error))
    return FALSE;
  side_build (&d->real, d->network, real_batch, &settings.augmentation);
  side_build (&d->ours, d->network, d->self->images_per_class, &settings.augmentation);
  d->given = g_new0 (LbNode *, d->ours.n_weights);
  for (guint i = 0; i < d->ours.n_weights; i++)
    d->given[i] = lb_input (d->ours.graph, "real gradient", lb_node_shape (d->ours.gradients[i]));
  d->distance = matching_distance (d->given, d->ours.gradients, d->ours.n_weights);
  lb_gradients (d->distance, &d->ours.images, 1, &d->image_gradient);
  if (!side_compile (&d->real, d->real.gradients, d->real.n_weights, error)
      || !side_compile (&d->ours, (LbNode *[]){ d->distance, d->image_gradient }, 2, error))
    return FALSE;
  if (d->outer_steps > 1)
    d->learner = lb_learner_new (d->network, d->classes * d->self->images_per_class, &settings, error);
  return d->outer_steps == 1 || d->learner;
}

static void
bind_all (Distillation *d)
{
  d->parameters = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (d->network)));
  side_bind (&d->real, d->network, d->parameters);
  side_bind (&d->ours, d->network, d->parameters);
  for (guint i = 0; i < d->ours.n_weights; i++)
    lb_program_bind (d->ours.program, d->given[i], lb_program_result (d->real.program, d->real.gradients[i]));
}

/* Loads real images of @class, as many as @out takes, drawn without replacement. */
static void
draw_real (Distillation *d, gint64 class, LbKey key, LbTensor *out)
{
  gint64 available = d->first[class + 1] - d->first[class], count = lb_tensor_dim (out, 0);
  g_autofree guint32 *order = g_new (guint32, available);
  LbRandom random = lb_random (lb_key_index (key, (guint64) class));

  lb_random_permutation (&random, order, (gsize)available);
  for (gint64 i = 0; i < count; i++)
    order[i] = d->by_class[d->first[class] + order[i]];
  lb_images_load (d->images, order, count, d->mean, d->std, out);
}

static void
set_targets (LbTensor *targets, gint64 class)
{
  gint32 label = (gint32) class;

  for (gint64 i = 0; i < lb_tensor_dim (targets, 0); i++)
    lb_one_hot (&label, 1, lb_tensor_dim (targets, 1), lb_tensor_f32 (targets) + i * lb_tensor_dim (targets, 1));
}

/* The matching loss of one class; the gradient of its synthetic images goes to @d->gradient. */
static double
match_class (Distillation *d, gint64 class, LbKey key)
{
  LbKey augmentation = lb_key_index (lb_key_derive (key, "augmentation"), (guint64) class);
  gint64 first = class * d->per_class;
  gsize bytes = (gsize)d->per_class * sizeof (float);

  lb_augmenter_draw (d->real.augmenter, TRUE, augmentation);
  lb_augmenter_draw (d->ours.augmenter, TRUE, augmentation);
  draw_real (d, class, key, d->real.image_values);
  set_targets (d->real.target_values, class);
  lb_program_run (d->real.program, lb_stage_compute (d->stage));

  memcpy (lb_tensor_f32 (d->ours.image_values), lb_tensor_f32 (d->synthetic) + first, bytes);
  set_targets (d->ours.target_values, class);
  lb_program_run (d->ours.program, lb_stage_compute (d->stage));
  memcpy (lb_tensor_f32 (d->gradient) + first, lb_tensor_f32 (lb_program_result (d->ours.program, d->image_gradient)),
          bytes);
  return lb_program_scalar (d->ours.program, d->distance);
}

/* SGD with momentum on all images at once. */
static void
move_images (Distillation *d)
{
  float *x = lb_tensor_f32 (d->synthetic), *m = lb_tensor_f32 (d->momentum), *g = lb_tensor_f32 (d->gradient);
  float rate = (float)d->self->image_learning_rate, momentum = (float)d->self->image_momentum;

  for (gint64 i = 0; i < lb_tensor_size (d->synthetic); i++) {
    m[i] = momentum * m[i] + g[i];
    x[i] -= rate * m[i];
  }
}

/* ---- Where it stands ---- */

/* What a step depends on; everything else is made again from the seed. @learnt: of the learner while it trains. */
static LbState *
make_state (Distillation *d, const GArray *learnt)
{
  LbState *state = lb_state_new ();

  lb_state_add_tensor (state, "images", d->synthetic);
  lb_state_add_tensor (state, "momentum", d->momentum);
  lb_state_add_tensor (state, "network", d->parameters);
  lb_state_add_counter (state, "iteration", &d->iteration);
  lb_state_add_counter (state, "outer step", &d->outer);
  lb_state_add_counter (state, "step", &d->step);
  lb_state_add_counter (state, "training", &d->training);
  for (guint i = 0; learnt && i < learnt->len; i++)
    lb_state_add_tensor (state, g_array_index (learnt, LbNamedTensor, i).name,
                         g_array_index (learnt, LbNamedTensor, i).tensor);
  return state;
}

static gboolean
resume (Distillation *d, GError **error)
{
  g_autoptr (LbState) state = make_state (d, NULL);

  return lb_stage_resume (d->stage, state, error);
}

/* The learner's part, once it has been started. */
static gboolean
resume_training (Distillation *d, const LbLearningSet *set, GError **error)
{
  g_autoptr (GArray) learnt = lb_learner_save (d->learner);
  g_autoptr (LbState) state = make_state (d, learnt);

  return lb_stage_resume (d->stage, state, error) && lb_learner_restore (d->learner, set, learnt, error);
}

static gboolean
checkpoint (Distillation *d, GError **error)
{
  if (!lb_stage_checkpoint_due (d->stage))
    return lb_stage_may_go_on (d->stage, error);
  g_autoptr (GArray) learnt = d->training ? lb_learner_save (d->learner) : NULL;
  g_autoptr (LbState) state = make_state (d, learnt);
  return lb_stage_checkpoint (d->stage, state, error);
}

/* ---- Steps ---- */

/* Trains the network at hand on the synthetic images. */
static gboolean
train_network (Distillation *d, LbKey key, GError **error)
{
  g_autoptr (LbTensor) images = lb_images_to_stream (d->synthetic);
  LbLearningSet set = { .images = images, .labels = d->labels };
  gboolean begun = d->training != 0;
  double loss;

  lb_learner_start (d->learner, d->parameters, d->self->learning_rate);
  if (begun && !resume_training (d, &set, error))
    return FALSE;
  d->training = 1;
  while (lb_learner_epochs (d->learner) < (guint64)d->inner_epochs) {
    if (!lb_learner_in_epoch (d->learner))
      lb_learner_begin_epoch (d->learner, &set, lb_key_index (key, lb_learner_epochs (d->learner)));
    while (lb_learner_step (d->learner, lb_stage_compute (d->stage), &loss))
      if (!checkpoint (d, error))
        return FALSE;
  }
  d->training = 0;
  return TRUE;
}

/* One step of the images with the network at hand, which is trained before every step but the first. */
static gboolean
run_step (Distillation *d, LbKey key, GError **error)
{
  LbKey real = lb_key_index (lb_key_derive (key, "real batch"), (guint64)d->outer);
  gint64 total = d->self->iterations * d->outer_steps;
  double loss = 0;

  if (d->outer > 0 && !train_network (d, lb_key_index (lb_key_derive (key, "inner loop"), (guint64)d->outer), error))
    return FALSE;
  for (gint64 class = 0; class < d->classes; class ++) {
    if (!lb_stage_may_go_on (d->stage, error))
      return FALSE;
    loss += match_class (d, class, real);
  }
  d->step++;
  if (!lb_stage_check_finite (d->stage, "matching loss", (guint64)d->step, loss,
                              "lower image-learning-rate or learning-rate", error))
    return FALSE;
  move_images (d);
  if (d->step == 1 || d->step == total)
    lb_stage_metric (d->stage, d->step == 1 ? "first matching loss" : "last matching loss", loss, NULL);
  return lb_stage_progress (d->stage, (guint64)d->step, (guint64)total, "matching loss", loss, error);
}

/* All networks: a fresh one for each iteration, and steps of the images with it. */
static gboolean
distil (Distillation *d, GError **error)
{
  if (!resume (d, error))
    return FALSE;
  while (d->iteration < d->self->iterations) {
    LbKey key = lb_key_index (lb_stage_key (d->stage, "iteration"), (guint64)d->iteration);
    if (d->outer == 0) {
      g_autoptr (LbTensor) fresh = lb_network_initialise (d->network, lb_key_derive (key, "parameters"));
      memcpy (lb_tensor_f32 (d->parameters), lb_tensor_f32 (fresh), lb_tensor_bytes (fresh));
    }
    if (!run_step (d, key, error))
      return FALSE;
    if (++d->outer == d->outer_steps) {
      d->outer = 0;
      d->iteration++;
    }
    if (!checkpoint (d, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- The stage ---- */

/* Sorts the source's images by class; *smallest is the size of the smallest class. */
static gboolean
sort_source (Distillation *d, LbTensor *labels, gint64 *smallest, GError **error)
{
  const char *source = lb_stage_source (d->stage, "source", 0);
  gint64 wanted = g_str_equal (d->self->start, "real") ? d->self->images_per_class : 1;

  if (!lb_labels_check (source, labels, d->classes, error))
    return FALSE;
  d->first = g_new (gint64, d->classes + 1);
  d->by_class = lb_images_by_class (labels, d->classes, d->first);
  *smallest = lb_tensor_size (labels);
  for (gint64 class = 0; class < d->classes; class ++) {
    gint64 n = d->first[class + 1] - d->first[class];

    *smallest = MIN (*smallest, n);
    if (n < wanted) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' has %d images of class %d; expected at least %d%s", source,
                   (int)n, (int)class, (int)wanted,
                   wanted > 1 ? ", as the synthetic images start from real ones" : " to match");
      return FALSE;
    }
  }
  return TRUE;
}

static void
start_images (Distillation *d)
{
  gint64 per_class = d->self->images_per_class;
  LbImageSize size = lb_network_input (d->network);
  LbShape block = LB_SHAPE (per_class, size.height, size.width, size.channels), all = block;
  LbKey key = lb_stage_key (d->stage, "start");
  LbRandom random = lb_random (key);

  all.dim[0] *= d->classes;
  d->per_class = lb_shape_size (block);
  d->synthetic = lb_tensor_new (LB_F32, all);
  d->gradient = lb_tensor_new (LB_F32, all);
  d->momentum = lb_tensor_new (LB_F32, all);
  d->labels = lb_tensor_new (LB_I32, LB_SHAPE (all.dim[0]));
  lb_random_fill_normal (&random, lb_tensor_f32 (d->synthetic), (gsize)lb_shape_size (all));
  for (gint64 i = 0; i < all.dim[0]; i++)
    lb_tensor_i32 (d->labels)[i] = (gint32)(i / per_class);
  for (gint64 class = 0; class < d->classes && g_str_equal (d->self->start, "real"); class ++) {
    g_autoptr (LbTensor) images = lb_tensor_view (d->synthetic, class * d->per_class, block);
    draw_real (d, class, key, images);
  }
}

static LbPacket *
synthetic_packet (Distillation *d)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (d->synthetic));
  lb_packet_set (packet, "labels", d->labels);
  lb_packet_share (packet, d->source, LB_NORMALISATION_FIELDS, NULL);
  return packet;
}

static gboolean
gradient_matching_run (LbStage *stage, gpointer data, GError **error)
{
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_auto (Distillation) d = { .self = data, .stage = stage, .classes = lb_stage_dim (stage, "classes") };
  gint64 smallest = 0;

  if (!source || !sort_source (&d, lb_packet_get (source, "labels"), &smallest, error))
    return FALSE;
  d.source = source;
  d.images = lb_packet_get (source, "images");
  d.mean = lb_packet_get (source, "mean");
  d.std = lb_packet_get (source, "std");
  LbImageSize size = { lb_tensor_dim (d.images, 1), lb_tensor_dim (d.images, 2), lb_tensor_dim (d.images, 3) };
  d.network = lb_network_new (d.self->architecture, size, d.classes, error);
  if (!d.network)
    return FALSE;
  set_loops (&d);
  if (!compile_all (&d, MIN (d.self->real_batch, smallest), error))
    return FALSE;
  bind_all (&d);
  start_images (&d);
  return distil (&d, error) && lb_stage_push (stage, "samples", synthetic_packet (&d), error);
}

static gsize
side_bytes (const Side *side, guint threads)
{
  return lb_program_peak_bytes (side->program, threads)
         + (gsize)(lb_shape_size (lb_node_shape (side->images)) + lb_shape_size (lb_node_shape (side->targets)))
               * sizeof (float);
}

/* What is held while distilling from @n images. */
static double
peak_bytes (const Distillation *d, gint64 n, guint threads)
{
  LbImageSize size = lb_network_input (d->network);
  gint64 floats = d->classes * d->self->images_per_class * size.channels * size.height * size.width;

  /* The images, their gradient and momentum, and the copy that the network trains on; the network at hand and its fresh
   * parameters; the source in order of its classes. */
  return (double)(side_bytes (&d->real, threads) + side_bytes (&d->ours, threads)
                  + (d->learner ? lb_learner_peak_bytes (d->learner, threads) : 0))
         + (double)sizeof (float)
               * (double)((d->learner ? 4 : 3) * floats + 2 * lb_network_n_parameters (d->network) + MAX (n, 0));
}

/* Checks the architecture and predicts what the whole stage takes. */
static gboolean
gradient_matching_configure (LbConfigure *configure, gpointer data, GError **error)
{
  GradientMatching *self = data;
  LbAugmentation augmentation;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 least = lb_configure_dim (configure, "least");
  g_autoptr (GError) reason = NULL;
  g_auto (Distillation) d = { .self = self, .classes = lb_configure_dim (configure, "classes") };
  double step, training;

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  if (!lb_augmentation_parse (self->augmentation, &augmentation, &reason))
    return lb_configure_property_error (configure, "augmentation", error, "%s", reason->message);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!lb_configure_set_dim (configure, "each", self->images_per_class, error))
    return FALSE;
  if (size.channels < 1 || size.height < 1 || size.width < 1 || d.classes < 1)
    return TRUE;
  d.network = lb_network_new (self->architecture, size, d.classes, &reason);
  if (!d.network)
    return lb_configure_property_error (configure, "architecture", error, "%s", reason->message);
  set_loops (&d);
  /* Where the source does not tell how small its classes are, they are taken to be large enough. */
  if (!lb_configure_set_dim (configure, "synthetic", d.classes * self->images_per_class, error)
      || !compile_all (&d, least > 0 ? MIN (self->real_batch, least) : self->real_batch, error))
    return FALSE;
  step = (double)d.classes * (lb_program_flops (d.real.program) + lb_program_flops (d.ours.program));
  training = d.learner ? (double)d.inner_epochs * lb_learner_epoch_flops (d.learner) : 0;
  lb_configure_cost (configure,
                     (double)self->iterations * ((double)d.outer_steps * step + (double)(d.outer_steps - 1) * training),
                     peak_bytes (&d, lb_configure_dim (configure, "n"), lb_configure_threads (configure))
                         + (double)lb_configure_collect_bytes (configure, "source"));
  return TRUE;
}

static const LbStageType gradient_matching_type = {
  .name = "gradient-matching",
  .summary = "Distils a set into a few images per class by matching gradients (DC and DSA, arXiv 2006.05929)",
  .description
  = "Dataset condensation with gradient matching (Zhao, Mopuri, Bilen, ICLR 2021): for each freshly initialised "
    "network, synthetic images take a step that brings the gradients they give its weights nearer to those of "
    "real images of the same class; between steps, the network trains on the synthetic images. The distance is the "
    "paper's: over the outputs of each layer, one minus the cosine of the two gradients.\n\n"
    "With augmentation this is differentiable siamese augmentation (DSA; Zhao, Bilen, ICML 2021): the real and the "
    "synthetic images of a class are augmented alike in each step; when the network trains on the synthetic images, "
    "each is augmented in its own way. DSA's papers start from real images (start: real) and give students 1000 epochs "
    "with the same augmentation.\n\n"
    "outer-steps and inner-epochs of 0 take the published values for images-per-class 1 (1, 1), 10 (10, 50), "
    "20 (20, 25), 30 (30, 20), 40 (40, 15) or 50 (50, 10), whichever is nearest.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (GradientMatching),
  .configure = gradient_matching_configure,
  .run = gradient_matching_run,
};

LB_DEFINE_PLUGIN ("gradient-matching", "1.0", "LGPL-2.1-or-later", &gradient_matching_type);
