/* Step 3: the gradient. The program also takes a step of the synthetic images down the gradient of the loss, and a run
 * of the stage takes many: a distiller, though with one network and without what makes the method good.
 */
#include "limbeck.h"

/* ---- What a user sets, and what flows ---- */

typedef struct {
  char *architecture;
  gint64 images_per_class, real_batch, iterations;
  double rate;
} MeanMatching;

static const LbProperty properties[] = {
  LB_INTEGER (MeanMatching, images_per_class, "images-per-class", "1", 1, 1000, "images",
              "Synthetic images of each class"),
  LB_STRING (MeanMatching, architecture, "architecture", "convnet-d3", "Network whose features are matched"),
  LB_INTEGER (MeanMatching, real_batch, "real-batch", "256", 1, 65536, "images", "Real images of a class in a step"),
  LB_INTEGER (MeanMatching, iterations, "iterations", "100", 1, 10000000, "steps", "Steps of the images"),
  LB_NUMBER (MeanMatching, rate, "image-learning-rate", "1", 0, 1e6, NULL, "Learning rate of the images"),
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

/* |mean f (real) - mean f (synthetic)|^2 for images of @size, @n_real and images-per-class of them. */
static gboolean
match_build (Match *m, const MeanMatching *self, LbImageSize size, gint64 classes, gint64 n_real, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);

  if (!(m->network = lb_network_new (self->architecture, size, classes, error)))
    return FALSE;
  m->parameters = g_new0 (LbNode *, lb_network_n_tensors (m->network));
  lb_network_inputs (m->network, graph, "", m->parameters);
  m->real = lb_batch_input (graph, "real", LB_SHAPE (n_real, size.height, size.width, size.channels));
  m->synthetic
      = lb_batch_input (graph, "synthetic", LB_SHAPE (self->images_per_class, size.height, size.width, size.channels));

  LbNode *gradient, *moved, *rate = lb_constant (graph, self->rate, LB_SCALAR);
  LbNode *difference = lb_sub (mean_features (m, m->real), mean_features (m, m->synthetic));
  m->loss = lb_sum (lb_mul (difference, difference));
  lb_gradients (m->loss, &m->synthetic, 1, &gradient);
  lb_sgd_step (&m->synthetic, &gradient, NULL, 1, rate, 0, 0, &moved, NULL);

  if (!(m->program = lb_compile (graph, (LbNode *[]){ m->loss, moved }, 2, error)))
    return FALSE;
  lb_program_carry (m->program, moved, m->synthetic);
  return TRUE;
}

/* ---- From the type of the input to that of the output ---- */

static gboolean
configure_stage (LbConfigure *configure, gpointer data, GError **error)
{
  const MeanMatching *self = data;
  gint64 classes = lb_configure_dim (configure, "classes");

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  lb_configure_set_output_packets (configure, "samples", 1);
  return lb_configure_set_dim (configure, "each", self->images_per_class, error)
         && (classes < 1 || lb_configure_set_dim (configure, "synthetic", classes * self->images_per_class, error));
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

/* One step of all classes; the loss before it. */
static double
step (LbStage *stage, Match *m, const MeanMatching *self, LbClassImages *set, LbTensor *images, LbTensor *real,
      LbKey key)
{
  double loss = 0;

  for (gint64 class = 0; class < lb_network_classes (m->network); class ++) {
    g_autoptr (LbTensor) synthetic = of_class (self, images, class);

    lb_program_bind (m->program, m->synthetic, synthetic);
    lb_class_images_draw (set, class, key, real);
    lb_program_run (m->program, lb_stage_compute (stage));
    loss += lb_program_scalar (m->program, m->loss);
  }
  return loss;
}

/* Moves @images; FALSE when the run is stopped or a loss is no number. */
static gboolean
distil (LbStage *stage, Match *m, const MeanMatching *self, LbClassImages *set, LbTensor *images, GError **error)
{
  g_autoptr (LbTensor) parameters = lb_network_initialise (m->network, lb_stage_key (stage, "parameters"));
  g_autoptr (LbTensor) real = lb_tensor_new (LB_F32, lb_node_shape (m->real));

  lb_network_bind (m->network, m->program, m->parameters, parameters);
  lb_program_bind (m->program, m->real, real);
  for (gint64 i = 0; i < self->iterations; i++) {
    LbKey key = lb_key_index (lb_stage_key (stage, "real images"), (guint64)i);
    double loss = step (stage, m, self, set, images, real, key);

    if (!lb_stage_check_finite (stage, "loss", (guint64)i, loss, "lower image-learning-rate", error)
        || !lb_stage_progress (stage, (guint64)i + 1, (guint64)self->iterations, "loss", loss, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
run (LbStage *stage, gpointer data, GError **error)
{
  const MeanMatching *self = data;
  LbImageSize size = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };
  g_auto (Match) m = { 0 };
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_autoptr (LbClassImages) set = source ? by_class (stage, self, source, error) : NULL;
  g_autoptr (LbTensor) images = set ? draw_start (stage, self, set) : NULL;

  return images
         && match_build (&m, self, size, lb_stage_dim (stage, "classes"),
                         MIN (self->real_batch, lb_class_images_smallest (set)), error)
         && distil (stage, &m, self, set, images, error) && send (stage, self, source, images, error);
}

static const LbStageType type = {
  .name = "mean-matching",
  .summary = "Moves images so that a network sees them where it sees their class",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (MeanMatching),
  .configure = configure_stage,
  .run = run,
};

LB_DEFINE_PLUGIN ("mean-matching", "1.0", "LGPL-2.1-or-later", &type);
