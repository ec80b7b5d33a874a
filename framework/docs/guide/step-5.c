/* Step 5: what makes it a good neighbour. Mistakes in properties are found and the cost is predicted before anything
 * runs, and a run that was stopped goes on where it stood.
 */
#include "limbeck.h"

/* ---- What a user sets, and what flows ---- */

typedef struct {
  char *architecture, *augmentation;
  gint64 images_per_class, real_batch, iterations;
  double rate, momentum;
} MeanMatching;

static const LbProperty properties[] = {
  LB_INTEGER (MeanMatching, images_per_class, "images-per-class", "1", 1, 1000, "images",
              "Synthetic images of each class"),
  LB_STRING (MeanMatching, architecture, "architecture", "convnet-d3", "Network whose features are matched"),
  LB_INTEGER (MeanMatching, real_batch, "real-batch", "256", 1, 65536, "images", "Real images of a class in a step"),
  LB_INTEGER (MeanMatching, iterations, "iterations", "20000", 1, 10000000, "steps", "Fresh networks, a step each"),
  LB_NUMBER (MeanMatching, rate, "image-learning-rate", "1", 0, 1e6, NULL, "Learning rate of the images"),
  LB_NUMBER (MeanMatching, momentum, "image-momentum", "0.5", 0, 1, NULL, "Momentum of the images"),
  LB_STRING (MeanMatching, augmentation, "augmentation", "color_crop_cutout_flip_scale_rotate",
             "How real and synthetic images are augmented, alike"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The set to distil" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=synthetic least=each c h w classes", 0, "Synthetic images, class by class" },
  LB_PORTS_END,
};

/* ---- The formula ---- */

typedef struct {
  LbNetwork *network;
  LbNode *real, *synthetic; /* images of one class, [n, h, w, c]; a run moves the synthetic ones */
  LbNode *momentum, **parameters, *loss;
  LbAugmenter *for_real, *for_synthetic; /* NULL without augmentation */
  LbProgram *program;
} Match;

static void
match_clear (Match *m)
{
  g_clear_pointer (&m->program, lb_program_free);
  g_clear_pointer (&m->for_real, lb_augmenter_free);
  g_clear_pointer (&m->for_synthetic, lb_augmenter_free);
  g_clear_pointer (&m->parameters, g_free);
  g_clear_pointer (&m->network, lb_network_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Match, match_clear)

/* The mean over augmented images of what the network's classifier is given: [1, d]. */
static LbNode *
mean_features (const Match *m, LbNode *images, const LbAugmentation *augmentation, LbAugmenter **augmenter)
{
  LbNode *augmented = lb_augment (images, augmentation, augmenter);
  LbNode *features = lb_network_features (m->network, m->parameters, augmented);

  return lb_scale (lb_sum_to (features, LB_SHAPE (1, lb_node_dim (features, 1))),
                   1.0 / (double)lb_node_dim (images, 0));
}

/* |mean f (real) - mean f (synthetic)|^2 for images of @size, @n_real and images-per-class of them. */
static gboolean
match_build (Match *m, const MeanMatching *self, LbImageSize size, gint64 classes, gint64 n_real, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbShape shape = LB_SHAPE (self->images_per_class, size.height, size.width, size.channels);
  LbAugmentation augmentation;

  if (!lb_augmentation_parse (self->augmentation, &augmentation, error)
      || !(m->network = lb_network_new (self->architecture, size, classes, error)))
    return FALSE;
  m->parameters = g_new0 (LbNode *, lb_network_n_tensors (m->network));
  lb_network_inputs (m->network, graph, "", m->parameters);
  m->real = lb_batch_input (graph, "real", LB_SHAPE (n_real, size.height, size.width, size.channels));
  m->synthetic = lb_batch_input (graph, "synthetic", shape);
  m->momentum = lb_batch_input (graph, "momentum", shape);

  LbNode *gradient, *moved[2], *rate = lb_constant (graph, self->rate, LB_SCALAR);
  LbNode *difference = lb_sub (mean_features (m, m->real, &augmentation, &m->for_real),
                               mean_features (m, m->synthetic, &augmentation, &m->for_synthetic));
  m->loss = lb_sum (lb_mul (difference, difference));
  lb_gradients (m->loss, &m->synthetic, 1, &gradient);
  lb_sgd_step (&m->synthetic, &gradient, &m->momentum, 1, rate, self->momentum, 0, &moved[0], &moved[1]);

  if (!(m->program = lb_compile (graph, (LbNode *[]){ m->loss, moved[0], moved[1] }, 3, error)))
    return FALSE;
  lb_program_carry (m->program, moved[0], m->synthetic);
  lb_program_carry (m->program, moved[1], m->momentum);
  return TRUE;
}

/* ---- From the type of the input to that of the output, and to the cost ---- */

static gboolean
check_properties (LbConfigure *configure, const MeanMatching *self, GError **error)
{
  g_autoptr (GError) reason = NULL;
  LbAugmentation augmentation;

  if (!lb_architecture_check (self->architecture, &reason))
    return lb_configure_property_error (configure, "architecture", error, "%s", reason->message);
  if (!lb_augmentation_parse (self->augmentation, &augmentation, &reason))
    return lb_configure_property_error (configure, "augmentation", error, "%s", reason->message);
  return TRUE;
}

/* Bytes beside the program's: images, momenta, a batch, a network as it is drawn, and the source by class. */
static double
bytes_beside (LbConfigure *configure, const Match *m, gint64 classes)
{
  double floats = 2.0 * (double)(classes * lb_shape_size (lb_node_shape (m->synthetic)))
                  + (double)lb_shape_size (lb_node_shape (m->real))
                  + 2.0 * (double)lb_network_n_parameters (m->network);

  return floats * sizeof (float) + (double)lb_class_images_bytes (lb_configure_dim (configure, "n"))
         + (double)lb_configure_collect_bytes (configure, "source");
}

static gboolean
configure_stage (LbConfigure *configure, gpointer data, GError **error)
{
  const MeanMatching *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes"), least = lb_configure_dim (configure, "least");
  g_auto (Match) m = { 0 };

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!check_properties (configure, self, error)
      || !lb_configure_set_dim (configure, "each", self->images_per_class, error))
    return FALSE;
  /* What the source has not told yet cannot be counted with. */
  if (classes < 1 || size.channels < 1 || size.height < 1 || size.width < 1)
    return TRUE;
  if (!lb_configure_set_dim (configure, "synthetic", classes * self->images_per_class, error)
      || !match_build (&m, self, size, classes, least > 0 ? MIN (self->real_batch, least) : self->real_batch, error))
    return FALSE;
  lb_configure_cost (configure, (double)(self->iterations * classes) * lb_program_flops (m.program),
                     (double)lb_program_peak_bytes (m.program, lb_configure_threads (configure))
                         + bytes_beside (configure, &m, classes));
  return TRUE;
}

/* ---- The run ---- */

/* The images of @source by class; NULL when a class has too few. */
static LbClassImages *
by_class (LbStage *stage, const MeanMatching *self, LbPacket *source, GError **error)
{
  LbLearningSet set = { lb_packet_get (source, "images"), lb_packet_get (source, "labels"),
                        lb_packet_get (source, "mean"), lb_packet_get (source, "std") };

  return lb_class_images_new (lb_stage_source (stage, "source", 0), &set, lb_stage_dim (stage, "classes"),
                              self->images_per_class, error);
}

/* The part of @images that belongs to @class, shared with it. */
static LbTensor *
of_class (const MeanMatching *self, LbTensor *images, gint64 class)
{
  LbShape shape = lb_tensor_shape (images);

  shape.dim[0] = self->images_per_class;
  return lb_tensor_view (images, class * lb_shape_size (shape), shape);
}

/* Real images of each class, where synthetic ones start: f32 [classes * images-per-class, h, w, c]. */
static LbTensor *
draw_start (LbStage *stage, const MeanMatching *self, LbClassImages *source)
{
  gint64 classes = lb_stage_dim (stage, "classes");
  LbTensor *images = lb_tensor_new (LB_F32, LB_SHAPE (classes * self->images_per_class, lb_stage_dim (stage, "h"),
                                                      lb_stage_dim (stage, "w"), lb_stage_dim (stage, "c")));

  for (gint64 class = 0; class < classes; class ++) {
    g_autoptr (LbTensor) part = of_class (self, images, class);
    lb_class_images_draw (source, class, lb_stage_key (stage, "start"), part);
  }
  return images;
}

/* Sends @images, f32 [classes * images-per-class, h, w, c], with their labels and the source's normalisation. */
static gboolean
send (LbStage *stage, const MeanMatching *self, LbPacket *source, LbTensor *images, GError **error)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_images_to_stream (images));
  lb_packet_take (packet, "labels", lb_class_labels (lb_stage_dim (stage, "classes"), self->images_per_class));
  lb_packet_share (packet, source, LB_NORMALISATION_FIELDS, NULL);
  return lb_stage_push (stage, "samples", packet, error);
}

/* What is distilled: all images and their momenta, f32 [classes * images-per-class, h, w, c]. */
typedef struct {
  LbTensor *images, *momenta;
  LbTensor *real; /* of one class, for the program */
} Work;

static void
work_clear (Work *w)
{
  g_clear_pointer (&w->images, lb_tensor_unref);
  g_clear_pointer (&w->momenta, lb_tensor_unref);
  g_clear_pointer (&w->real, lb_tensor_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Work, work_clear)

/* One step of all classes with a fresh network; the loss before it. */
static double
step (LbStage *stage, Match *m, const MeanMatching *self, LbClassImages *set, const Work *w, LbKey key)
{
  g_autoptr (LbTensor) parameters = lb_network_initialise (m->network, lb_key_derive (key, "parameters"));
  double loss = 0;

  lb_network_bind (m->network, m->program, m->parameters, parameters);
  for (gint64 class = 0; class < lb_network_classes (m->network); class ++) {
    g_autoptr (LbTensor) images = of_class (self, w->images, class), momenta = of_class (self, w->momenta, class);
    LbKey drawn = lb_key_index (lb_key_derive (key, "augmentation"), (guint64) class);

    lb_program_bind (m->program, m->synthetic, images);
    lb_program_bind (m->program, m->momentum, momenta);
    lb_class_images_draw (set, class, lb_key_derive (key, "real batch"), w->real);
    /* The same key: both sides undergo the same. */
    lb_augmenter_draw (m->for_real, TRUE, drawn);
    lb_augmenter_draw (m->for_synthetic, TRUE, drawn);
    lb_program_run (m->program, lb_stage_compute (stage));
    loss += lb_program_scalar (m->program, m->loss);
  }
  return loss;
}

static void
bind (Match *m, const Work *w)
{
  lb_program_bind (m->program, m->real, w->real);
  lb_augmenter_bind (m->for_real, m->program);
  lb_augmenter_bind (m->for_synthetic, m->program);
}

/* Moves the images, from where an earlier run was stopped; FALSE when the run is stopped or a loss is no number. */
static gboolean
distil (LbStage *stage, Match *m, const MeanMatching *self, LbClassImages *set, const Work *w, GError **error)
{
  g_autoptr (LbState) state = lb_state_new ();
  gint64 i = 0;

  /* All that a step depends on, beside its key. */
  lb_state_add_tensor (state, "images", w->images);
  lb_state_add_tensor (state, "momenta", w->momenta);
  lb_state_add_counter (state, "iteration", &i);
  if (!lb_stage_resume (stage, state, error))
    return FALSE;
  while (i < self->iterations) {
    LbKey key = lb_key_index (lb_stage_key (stage, "iteration"), (guint64)i++);
    double loss = step (stage, m, self, set, w, key);

    if (!lb_stage_check_finite (stage, "loss", (guint64)i, loss, "lower image-learning-rate", error)
        || !lb_stage_progress (stage, (guint64)i, (guint64)self->iterations, "loss", loss, error)
        || !lb_stage_checkpoint (stage, state, error))
      return FALSE;
  }
  /* A run of more iterations goes on from here. */
  return lb_stage_keep_end (stage, "iterations", state, error);
}

static gboolean
run (LbStage *stage, gpointer data, GError **error)
{
  const MeanMatching *self = data;
  LbImageSize size = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };
  g_auto (Match) m = { 0 };
  g_auto (Work) w = { 0 };
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_autoptr (LbClassImages) set = source ? by_class (stage, self, source, error) : NULL;

  if (!set
      || !match_build (&m, self, size, lb_stage_dim (stage, "classes"),
                       MIN (self->real_batch, lb_class_images_smallest (set)), error))
    return FALSE;
  w.images = draw_start (stage, self, set);
  w.momenta = lb_tensor_new (LB_F32, lb_tensor_shape (w.images));
  w.real = lb_tensor_new (LB_F32, lb_node_shape (m.real));
  bind (&m, &w);
  return distil (stage, &m, self, set, &w, error) && send (stage, self, source, w.images, error);
}

static const LbStageType type = {
  .name = "mean-matching",
  .summary = "Distils a set by matching mean features (DM, arXiv 2110.04181)",
  .description
  = "Distribution matching (Zhao, Bilen, arXiv 2110.04181): each step draws a fresh network and moves the synthetic "
    "images of each class so that the mean of their features comes nearer to that of real images. Students should be "
    "trained with the same augmentation.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (MeanMatching),
  .configure = configure_stage,
  .run = run,
};

LB_DEFINE_PLUGIN ("mean-matching", "1.0", "LGPL-2.1-or-later", &type);
