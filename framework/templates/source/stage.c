/* my-stage: makes images of stripes, whose direction is their class. */
#include "limbeck.h"

/* ---- What a user sets ---- */

typedef struct {
  gint64 images_per_class, size;
  double noise;
} MyStage;

static const LbProperty properties[] = {
  LB_INTEGER (MyStage, images_per_class, "images-per-class", "20", 1, 100000, "images", "Images of each class"),
  LB_INTEGER (MyStage, size, "size", "16", 4, 256, "pixels", "Height and width of the images"),
  LB_NUMBER (MyStage, noise, "noise", "0.1", 0, 10, NULL, "Standard deviation of what is added to each pixel"),
  LB_PROPERTIES_END,
};

/* ---- What flows ---- */

enum { CLASSES = 2 };

static const LbPort outputs[] = {
  { "samples", "samples", "n least c=1 h w classes", 0,
    "Images of horizontal and of vertical stripes, class by class" },
  LB_PORTS_END,
};

/* A source knows all there is to know before anything runs. */
static gboolean
my_stage_configure (LbConfigure *configure, gpointer data, GError **error)
{
  const MyStage *self = data;

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  lb_configure_set_output_packets (configure, "samples", 1);
  lb_configure_cost (configure, 0, 0);
  return lb_configure_set_dim (configure, "classes", CLASSES, error)
         && lb_configure_set_dim (configure, "least", self->images_per_class, error)
         && lb_configure_set_dim (configure, "n", CLASSES * self->images_per_class, error)
         && lb_configure_set_dim (configure, "h", self->size, error)
         && lb_configure_set_dim (configure, "w", self->size, error);
}

/* ---- The work ---- */

/* Stripes four pixels apart that begin anywhere, with noise. */
static void
draw (const MyStage *self, float *image, gint64 label, LbKey key)
{
  LbRandom random = lb_random (key);
  guint32 start = lb_random_below (&random, 4);

  for (gint64 y = 0; y < self->size; y++)
    for (gint64 x = 0; x < self->size; x++) {
      gint64 across = label == 0 ? y : x;
      float stripe = (start + across) % 4 < 2 ? 1 : -1;
      *image++ = stripe + (float)(self->noise * lb_random_normal (&random));
    }
}

/* All randomness comes from keys: the same pipeline file makes the same images. */
static gboolean
my_stage_run (LbStage *stage, gpointer data, GError **error)
{
  const MyStage *self = data;
  gint64 n = CLASSES * self->images_per_class, pixels = self->size * self->size;
  LbTensor *images = lb_tensor_new (LB_F32, LB_SHAPE (n, 1, self->size, self->size));
  LbTensor *std = lb_tensor_new (LB_F32, LB_SHAPE (1));
  LbPacket *packet = lb_packet_new ();

  for (gint64 i = 0; i < n; i++)
    draw (self, lb_tensor_f32 (images) + i * pixels, i / self->images_per_class,
          lb_key_index (lb_stage_key (stage, "image"), (guint64)i));
  lb_tensor_f32 (std)[0] = 1;
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", lb_class_labels (CLASSES, self->images_per_class));
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", std);
  return lb_stage_push (stage, "samples", packet, error);
}

static const LbStageType my_stage_type = {
  .name = "my-stage",
  .summary = "Makes images of stripes, whose direction is their class",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (MyStage),
  .configure = my_stage_configure,
  .run = my_stage_run,
  .flags = LB_STAGE_CHEAP,
};

LB_DEFINE_PLUGIN ("my-stage", "0.1.0", "LGPL-2.1-or-later", &my_stage_type);
