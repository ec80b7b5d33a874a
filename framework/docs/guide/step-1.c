/* Step 1: a stage. It draws real images of each class and sends them: no distiller yet, but a plugin that loads, is
 * checked, and runs.
 */
#include "limbeck.h"

/* ---- What a user sets, and what flows ---- */

typedef struct {
  gint64 images_per_class;
} MeanMatching;

static const LbProperty properties[] = {
  LB_INTEGER (MeanMatching, images_per_class, "images-per-class", "1", 1, 1000, "images",
              "Synthetic images of each class"),
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

static gboolean
run (LbStage *stage, gpointer data, GError **error)
{
  const MeanMatching *self = data;
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_autoptr (LbClassImages) set = source ? by_class (stage, self, source, error) : NULL;
  g_autoptr (LbTensor) images = set ? draw_start (stage, self, set) : NULL;

  return images && send (stage, self, source, images, error);
}

static const LbStageType type = {
  .name = "mean-matching",
  .summary = "Draws images of each class",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (MeanMatching),
  .configure = configure_stage,
  .run = run,
};

LB_DEFINE_PLUGIN ("mean-matching", "1.0", "LGPL-2.1-or-later", &type);
