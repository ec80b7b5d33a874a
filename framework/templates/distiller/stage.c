/* my-stage: learns a few images per class whose mean features are those of real images, for a network with random
 * weights. Put a formula of your own into loss_of().
 */
#include "limbeck.h"

/* ---- What a user sets ---- */

typedef struct {
  char *architecture;
  gint64 images_per_class, iterations, real_batch;
  double rate;
} MyStage;

static const LbProperty properties[] = {
  LB_INTEGER (MyStage, images_per_class, "images-per-class", "1", 1, 1000, "images", "Synthetic images of each class"),
  LB_STRING (MyStage, architecture, "architecture", "convnet-d3", "Network whose features are matched"),
  LB_INTEGER (MyStage, iterations, "iterations", "1000", 1, 10000000, "steps", "Fresh networks, a step each"),
  LB_INTEGER (MyStage, real_batch, "real-batch", "128", 1, 65536, "images", "Real images of a class in a step"),
  LB_NUMBER (MyStage, rate, "image-learning-rate", "1", 0, 1e6, NULL, "Learning rate of the images"),
  LB_PROPERTIES_END,
};

/* ---- What flows ---- */

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The set to distil" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=synthetic least=each c h w classes", 0, "Synthetic images, class by class" },
  LB_PORTS_END,
};

/* ---- The formula, compiled once for all classes and networks ---- */

typedef struct {
  LbNetwork *network;
  LbNode *real, *synthetic; /* images of one class, [n, h, w, c]; a run moves the synthetic ones */
  LbNode **parameters, *loss;
  LbProgram *program;
} Match;

static void
match_clear (Match *m)
{
  g_clear_pointer (&m->program, lb_program_free);
  g_clear_pointer (&m->parameters, g_free);
  g_clear_pointer (&m->network, lb_network_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Match, match_clear)

/* The mean over images of what the network's classifier is given: [1, d]. */
static LbNode *
mean_features (const Match *m, LbNode *images)
{
  LbNode *features = lb_network_features (m->network, m->parameters, images);

  return lb_scale (lb_sum_to (features, LB_SHAPE (1, lb_node_dim (features, 1))),
                   1.0 / (double)lb_node_dim (images, 0));
}

/* |mean f (real) - mean f (synthetic)|^2 */
static LbNode *
loss_of (const Match *m)
{
  LbNode *difference = lb_sub (mean_features (m, m->real), mean_features (m, m->synthetic));

  return lb_sum (lb_mul (difference, difference));
}

static gboolean
match_build (Match *m, const MyStage *self, LbImageSize size, gint64 classes, gint64 n_real, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *gradient, *moved;

  if (!(m->network = lb_network_new (self->architecture, size, classes, error)))
    return FALSE;
  m->parameters = g_new0 (LbNode *, lb_network_n_tensors (m->network));
  lb_network_inputs (m->network, graph, "", m->parameters);
  m->real = lb_batch_input (graph, "real", LB_SHAPE (n_real, size.height, size.width, size.channels));
  m->synthetic
      = lb_batch_input (graph, "synthetic", LB_SHAPE (self->images_per_class, size.height, size.width, size.channels));
  m->loss = loss_of (m);
  lb_gradients (m->loss, &m->synthetic, 1, &gradient);
  lb_sgd_step (&m->synthetic, &gradient, NULL, 1, lb_constant (graph, self->rate, LB_SCALAR), 0, 0, &moved, NULL);
  if (!(m->program = lb_compile (graph, (LbNode *[]){ m->loss, moved }, 2, error)))
    return FALSE;
  lb_program_carry (m->program, moved, m->synthetic);
  return TRUE;
}

/* ---- Before anything runs: the output's type, and what the stage costs ---- */

static gboolean
my_stage_configure (LbConfigure *configure, gpointer data, GError **error)
{
  const MyStage *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 classes = lb_configure_dim (configure, "classes"), least = lb_configure_dim (configure, "least");
  g_auto (Match) m = { 0 };

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!lb_configure_set_dim (configure, "each", self->images_per_class, error))
    return FALSE;
  /* What the source has not told yet cannot be counted with. */
  if (classes < 1 || size.channels < 1 || size.height < 1 || size.width < 1)
    return TRUE;
  if (!lb_configure_set_dim (configure, "synthetic", classes * self->images_per_class, error)
      || !match_build (&m, self, size, classes, least > 0 ? MIN (self->real_batch, least) : self->real_batch, error))
    return FALSE;
  double floats = (double)(classes * lb_shape_size (lb_node_shape (m.synthetic))
                           + lb_shape_size (lb_node_shape (m.real)) + 2 * lb_network_n_parameters (m.network));
  lb_configure_cost (configure, (double)(self->iterations * classes) * lb_program_flops (m.program),
                     (double)lb_program_peak_bytes (m.program, lb_configure_threads (configure))
                         + floats * sizeof (float) + (double)lb_class_images_bytes (lb_configure_dim (configure, "n"))
                         + (double)lb_configure_collect_bytes (configure, "source"));
  return TRUE;
}

/* ---- The run ---- */

/* The part of @images that belongs to class @label, shared with it. */
static LbTensor *
of_class (const Match *m, LbTensor *images, gint64 label)
{
  LbShape shape = lb_node_shape (m->synthetic);

  return lb_tensor_view (images, label * lb_shape_size (shape), shape);
}

/* Real images of each class, where synthetic ones start: f32 [classes * images-per-class, h, w, c]. */
static LbTensor *
draw_start (const Match *m, LbClassImages *source, LbKey key)
{
  LbShape shape = lb_node_shape (m->synthetic);
  LbTensor *images;

  shape.dim[0] *= lb_network_classes (m->network);
  images = lb_tensor_new (LB_F32, shape);
  for (gint64 label = 0; label < lb_network_classes (m->network); label++) {
    g_autoptr (LbTensor) part = of_class (m, images, label);
    lb_class_images_draw (source, label, key, part);
  }
  return images;
}

/* A fresh network, and one step of all images with it. The sum of the classes' losses. */
static double
step (Match *m, LbCompute *compute, LbClassImages *source, LbTensor *images, LbKey key)
{
  g_autoptr (LbTensor) parameters = lb_network_initialise (m->network, lb_key_derive (key, "parameters"));
  g_autoptr (LbTensor) real = lb_tensor_new (LB_F32, lb_node_shape (m->real));
  double loss = 0;

  lb_network_bind (m->network, m->program, m->parameters, parameters);
  lb_program_bind (m->program, m->real, real);
  for (gint64 label = 0; label < lb_network_classes (m->network); label++) {
    g_autoptr (LbTensor) synthetic = of_class (m, images, label);

    lb_program_bind (m->program, m->synthetic, synthetic);
    lb_class_images_draw (source, label, lb_key_derive (key, "real batch"), real);
    lb_program_run (m->program, compute);
    loss += lb_program_scalar (m->program, m->loss);
  }
  return loss;
}

/* All steps, from where an earlier run was stopped. */
static gboolean
distil (LbStage *stage, const MyStage *self, Match *m, LbClassImages *source, LbTensor *images, GError **error)
{
  g_autoptr (LbState) state = lb_state_new ();
  gint64 i = 0;

  lb_state_add_tensor (state, "images", images);
  lb_state_add_counter (state, "iteration", &i);
  if (!lb_stage_resume (stage, state, error))
    return FALSE;
  while (i < self->iterations) {
    LbKey key = lb_key_index (lb_stage_key (stage, "iteration"), (guint64)i++);
    double loss = step (m, lb_stage_compute (stage), source, images, key);

    if (!lb_stage_check_finite (stage, "loss", (guint64)i, loss, "lower image-learning-rate", error)
        || !lb_stage_progress (stage, (guint64)i, (guint64)self->iterations, "loss", loss, error)
        || !lb_stage_checkpoint (stage, state, error))
      return FALSE;
  }
  /* A run of more iterations goes on from here. */
  return lb_stage_keep_end (stage, "iterations", state, error);
}

static gboolean
my_stage_run (LbStage *stage, gpointer data, GError **error)
{
  const MyStage *self = data;
  gint64 classes = lb_stage_dim (stage, "classes");
  LbImageSize size = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_auto (Match) m = { 0 };

  if (!source)
    return FALSE;
  LbLearningSet set = { lb_packet_get (source, "images"), lb_packet_get (source, "labels"),
                        lb_packet_get (source, "mean"), lb_packet_get (source, "std") };
  g_autoptr (LbClassImages) by_class
      = lb_class_images_new (lb_stage_source (stage, "source", 0), &set, classes, self->images_per_class, error);
  if (!by_class
      || !match_build (&m, self, size, classes, MIN (self->real_batch, lb_class_images_smallest (by_class)), error))
    return FALSE;
  g_autoptr (LbTensor) images = draw_start (&m, by_class, lb_stage_key (stage, "start"));
  if (!distil (stage, self, &m, by_class, images, error))
    return FALSE;
  LbPacket *packet = lb_packet_new ();
  lb_packet_take (packet, "images", lb_images_to_stream (images));
  lb_packet_take (packet, "labels", lb_class_labels (classes, self->images_per_class));
  lb_packet_share (packet, source, LB_NORMALISATION_FIELDS, NULL);
  return lb_stage_push (stage, "samples", packet, error);
}

static const LbStageType my_stage_type = {
  .name = "my-stage",
  .summary = "Distils a set into a few images per class by matching mean features",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (MyStage),
  .configure = my_stage_configure,
  .run = my_stage_run,
};

LB_DEFINE_PLUGIN ("my-stage", "0.1.0", "LGPL-2.1-or-later", &my_stage_type);
