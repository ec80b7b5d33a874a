/* distribution-matching: dataset condensation with distribution matching (DM; Zhao, Bilen, arXiv 2110.04181). Synthetic
 * images are moved so that randomly initialised networks see them, on the mean, where they see real ones:
 *
 *   loss = sum over classes of |mean f (real images of the class) - mean f (synthetic images of the class)|^2
 *
 * f: the features that the network's classifier is given. Networks are never trained, and both batches of a class are
 * augmented alike.
 */
#include "limbeck.h"

/* ---- What a user sets ---- */

typedef struct {
  char *architecture, *start, *augmentation;
  gint64 images_per_class, iterations, real_batch;
  double image_learning_rate, image_momentum;
} Settings;

static const char *const starts[] = { "real", "noise", NULL };

static const LbProperty properties[] = {
  LB_INTEGER (Settings, images_per_class, "images-per-class", "1", 1, 10000, "images",
              "Synthetic images of each class"),
  LB_STRING (Settings, architecture, "architecture", "convnet-d3", "Network whose features are matched"),
  LB_INTEGER (Settings, iterations, "iterations", "20000", 1, 10000000, "networks", "Fresh networks, a step each"),
  LB_INTEGER (Settings, real_batch, "real-batch", "256", 1, 65536, "images", "Real images of a class in a step"),
  LB_NUMBER (Settings, image_learning_rate, "image-learning-rate", "1", 0, 1e6, NULL, "Learning rate of the images"),
  LB_NUMBER (Settings, image_momentum, "image-momentum", "0.5", 0, 1, NULL, "Momentum of the images"),
  LB_CHOICE (Settings, start, "start", "real", starts, "Start from real images or from normal noise"),
  LB_STRING (Settings, augmentation, "augmentation", "color_crop_cutout_flip_scale_rotate", "Alike for both sides"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The source set" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=synthetic least=each c h w classes", 0, "Synthetic images, class by class" },
  LB_PORTS_END,
};

/* ---- The formula, compiled once for all classes and networks ---- */

typedef struct {
  LbNetwork *network;
  LbNode *real, *images, *momentum, **parameters, *loss;
  LbAugmenter *for_real, *for_images;               /* NULL without augmentation */
  LbProgram *program;                               /* moves the images that are bound to it */
  LbTensor *all_images, *all_momenta, *real_images; /* f32 [classes * images-per-class, h, w, c]; of one class */
} Match;

static void
match_clear (Match *m)
{
  LbTensor *tensors[] = { m->all_images, m->all_momenta, m->real_images };

  g_clear_pointer (&m->program, lb_program_free);
  g_clear_pointer (&m->for_real, lb_augmenter_free);
  g_clear_pointer (&m->for_images, lb_augmenter_free);
  g_clear_pointer (&m->parameters, g_free);
  g_clear_pointer (&m->network, lb_network_free);
  for (guint i = 0; i < G_N_ELEMENTS (tensors); i++)
    g_clear_pointer (&tensors[i], lb_tensor_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Match, match_clear)

/* mean f (images), [1, d]. */
static LbNode *
mean_features (Match *m, LbNode *images, const LbAugmentation *augmentation, LbAugmenter **augmenter)
{
  LbNode *f = lb_network_features (m->network, m->parameters, lb_augment (images, augmentation, augmenter));

  return lb_scale (lb_sum_to (f, LB_SHAPE (1, lb_node_dim (f, 1))), 1.0 / (double)lb_node_dim (f, 0));
}

static gboolean
match_build (Match *m, const Settings *self, LbImageSize s, gint64 classes, gint64 real_batch, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbShape shape = LB_SHAPE (self->images_per_class, s.height, s.width, s.channels);
  LbNode *difference, *gradient, *moved[2], *rate = lb_constant (graph, self->image_learning_rate, LB_SCALAR);
  LbAugmentation augmentation;

  if (!lb_augmentation_parse (self->augmentation, &augmentation, error)
      || !(m->network = lb_network_new (self->architecture, s, classes, error)))
    return FALSE;
  m->parameters = g_new0 (LbNode *, lb_network_n_tensors (m->network));
  lb_network_inputs (m->network, graph, "", m->parameters);
  m->real = lb_batch_input (graph, "real", LB_SHAPE (real_batch, s.height, s.width, s.channels));
  m->images = lb_batch_input (graph, "images", shape);
  m->momentum = lb_batch_input (graph, "momentum", shape);

  difference = lb_sub (mean_features (m, m->real, &augmentation, &m->for_real),
                       mean_features (m, m->images, &augmentation, &m->for_images));
  m->loss = lb_sum (lb_mul (difference, difference));
  lb_gradients (m->loss, &m->images, 1, &gradient);
  lb_sgd_step (&m->images, &gradient, &m->momentum, 1, rate, self->image_momentum, 0, &moved[0], &moved[1]);

  if (!(m->program = lb_compile (graph, (LbNode *[]){ m->loss, moved[0], moved[1] }, 3, error)))
    return FALSE;
  lb_program_carry (m->program, moved[0], m->images);
  lb_program_carry (m->program, moved[1], m->momentum);
  return TRUE;
}

/* ---- The run ---- */

/* The part of @all that belongs to @class. */
static LbTensor *
of_class (const Match *m, LbTensor *all, gint64 class)
{
  return lb_tensor_view (all, class * lb_shape_size (lb_node_shape (m->images)), lb_node_shape (m->images));
}

static void
match_start (Match *m, const Settings *self, LbKey key, LbClassImages *source)
{
  LbShape all = lb_node_shape (m->images);
  LbRandom random = lb_random (key);

  all.dim[0] *= lb_network_classes (m->network);
  m->all_images = lb_tensor_new (LB_F32, all);
  m->all_momenta = lb_tensor_new (LB_F32, all);
  m->real_images = lb_tensor_new (LB_F32, lb_node_shape (m->real));
  lb_random_fill_normal (&random, lb_tensor_f32 (m->all_images), (gsize)lb_shape_size (all));
  for (gint64 class = 0; class < lb_network_classes (m->network) && g_str_equal (self->start, "real"); class ++) {
    g_autoptr (LbTensor) images = of_class (m, m->all_images, class);
    lb_class_images_draw (source, class, key, images);
  }
  lb_program_bind (m->program, m->real, m->real_images);
  lb_augmenter_bind (m->for_real, m->program);
  lb_augmenter_bind (m->for_images, m->program);
}

/* A fresh network, and one step of all images with it: as the loss is a sum over classes, each class can step alone. */
static double
run_iteration (Match *m, LbCompute *compute, LbClassImages *source, LbKey key)
{
  g_autoptr (LbTensor) fresh = lb_network_initialise (m->network, lb_key_derive (key, "parameters"));
  LbKey real = lb_key_derive (key, "real batch"), augmentation = lb_key_derive (key, "augmentation");
  double loss = 0;

  lb_network_bind (m->network, m->program, m->parameters, fresh);
  for (gint64 class = 0; class < lb_network_classes (m->network); class ++) {
    g_autoptr (LbTensor) images = of_class (m, m->all_images, class), momentum = of_class (m, m->all_momenta, class);

    lb_program_bind (m->program, m->images, images);
    lb_program_bind (m->program, m->momentum, momentum);
    lb_class_images_draw (source, class, real, m->real_images);
    lb_augmenter_draw (m->for_real, TRUE, lb_key_index (augmentation, (guint64) class));
    lb_augmenter_draw (m->for_images, TRUE, lb_key_index (augmentation, (guint64) class));
    lb_program_run (m->program, compute);
    loss += lb_program_scalar (m->program, m->loss);
  }
  return loss;
}

static gboolean
run (LbStage *stage, gpointer data, GError **error)
{
  Settings *self = data;
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error), packet = lb_packet_new ();
  g_autoptr (LbClassImages) by_class = NULL;
  g_autoptr (LbState) state = lb_state_new ();
  g_auto (Match) m = { 0 };
  gint64 done = 0, classes = lb_stage_dim (stage, "classes"),
         wanted = g_str_equal (self->start, "real") ? self->images_per_class : 1;
  LbImageSize size = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };

  if (!source)
    return FALSE;
  LbLearningSet set = { lb_packet_get (source, "images"), lb_packet_get (source, "labels"),
                        lb_packet_get (source, "mean"), lb_packet_get (source, "std") };
  if (!(by_class = lb_class_images_new (lb_stage_source (stage, "source", 0), &set, classes, wanted, error))
      || !match_build (&m, self, size, classes, MIN (self->real_batch, lb_class_images_smallest (by_class)), error))
    return FALSE;
  match_start (&m, self, lb_stage_key (stage, "start"), by_class);
  lb_state_add_tensor (state, "images", m.all_images);
  lb_state_add_tensor (state, "momentum", m.all_momenta);
  lb_state_add_counter (state, "iteration", &done);
  if (!lb_stage_resume (stage, state, error))
    return FALSE;
  while (done < self->iterations) {
    LbKey key = lb_key_index (lb_stage_key (stage, "iteration"), (guint64)done++);
    double loss = run_iteration (&m, lb_stage_compute (stage), by_class, key);

    if (!lb_stage_check_finite (stage, "matching loss", (guint64)done, loss, "lower image-learning-rate", error)
        || !lb_stage_progress (stage, (guint64)done, (guint64)self->iterations, "matching loss", loss, error)
        || !lb_stage_checkpoint (stage, state, error))
      return FALSE;
  }
  lb_packet_take (packet, "images", lb_images_to_stream (m.all_images));
  lb_packet_take (packet, "labels", lb_class_labels (classes, self->images_per_class));
  lb_packet_share (packet, source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops", lb_compute_flops (lb_stage_compute (stage)));
  return lb_stage_keep_end (stage, "iterations", state, error)
         && lb_stage_push (stage, "samples", g_steal_pointer (&packet), error);
}

/* Checks the architecture and predicts what the whole stage takes. */
static gboolean
predict (LbConfigure *configure, gpointer data, GError **error)
{
  Settings *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes"), least = lb_configure_dim (configure, "least"), floats;
  g_auto (Match) m = { 0 };

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!lb_configure_set_dim (configure, "each", self->images_per_class, error))
    return FALSE;
  if (size.channels < 1 || size.height < 1 || size.width < 1 || classes < 1)
    return TRUE;
  if (!match_build (&m, self, size, classes, least > 0 ? MIN (self->real_batch, least) : self->real_batch, error)
      || !lb_configure_set_dim (configure, "synthetic", classes * self->images_per_class, error))
    return FALSE;
  floats = 2 * classes * lb_shape_size (lb_node_shape (m.images)) + lb_shape_size (lb_node_shape (m.real))
           + 2 * lb_network_n_parameters (m.network);
  lb_configure_cost (configure, (double)(self->iterations * classes) * lb_program_flops (m.program),
                     (double)lb_program_peak_bytes (m.program, lb_configure_threads (configure))
                         + (double)floats * sizeof (float)
                         + (double)lb_class_images_bytes (lb_configure_dim (configure, "n"))
                         + (double)lb_configure_collect_bytes (configure, "source"));
  return TRUE;
}

static const LbStageType type = {
  .name = "distribution-matching",
  .summary = "Distils a set into a few images per class by matching mean features (DM, arXiv 2110.04181)",
  .description
  = "Each step draws a fresh network and moves the synthetic images of each class so that the mean of their "
    "features comes nearer to that of real images. A class smaller than real-batch sets that batch.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Settings),
  .configure = predict,
  .run = run,
};

LB_DEFINE_PLUGIN ("distribution-matching", "1.0", "LGPL-2.1-or-later", &type);
