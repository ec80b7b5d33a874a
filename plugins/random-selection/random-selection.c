/* random-selection: so many real images of each class, drawn at random without replacement. The baseline that every
 * distiller must beat at the same number of images per class.
 */
#include "limbeck.h"

typedef struct {
  gint64 images_per_class;
} RandomSelection;

static const LbProperty properties[] = {
  LB_INTEGER (RandomSelection, images_per_class, "images-per-class", "1", 1, 100000, "images",
              "Images to draw of each class"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "source", "samples", "n least c h w classes", 0, "The set to draw from" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=selected least=each c h w classes", 0,
    "The images drawn, class by class, as stored in the source" },
  LB_PORTS_END,
};

static gboolean
random_selection_configure (LbConfigure *configure, gpointer data, GError **error)
{
  RandomSelection *self = data;
  guint dtypes = lb_configure_input_dtypes (configure, "source", "images");
  gint64 classes = lb_configure_dim (configure, "classes"), least = lb_configure_dim (configure, "least");
  gint64 n = lb_configure_dim (configure, "n");

  if (least != LB_UNKNOWN && least < self->images_per_class)
    return lb_configure_property_error (
        configure, "images-per-class", error,
        "%d is more than the %d images that the smallest class of the source has; ask for fewer, or give a larger "
        "source",
        (int)self->images_per_class, (int)least);
  for (guint dtype = 0; dtype < LB_N_DTYPES; dtype++)
    if (dtypes == 1u << dtype)
      lb_configure_set_output_dtype (configure, "samples", "images", (LbDType)dtype);
  lb_configure_set_output_packets (configure, "samples", 1);
  /* The images in order of their classes, and an order to draw from. */
  lb_configure_cost (
      configure, 0,
      (double)(MAX (n, 0) * 2 * (gint64)sizeof (guint32) + lb_configure_collect_bytes (configure, "source")));
  return lb_configure_set_dim (configure, "each", self->images_per_class, error)
         && (classes < 0 || lb_configure_set_dim (configure, "selected", classes * self->images_per_class, error));
}

/* Indices of @count images of each class, drawn without replacement, class by class. NULL on error. */
static GArray *
draw (LbStage *stage, LbTensor *labels, gint64 classes, gint64 count, GError **error)
{
  g_autoptr (GArray) chosen = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autofree gint64 *first = g_new (gint64, classes + 1);
  g_autofree guint32 *by_class = lb_images_by_class (labels, classes, first);
  g_autofree guint32 *order = g_new (guint32, lb_tensor_size (labels));

  for (gint64 class = 0; class < classes; class ++) {
    gint64 available = first[class + 1] - first[class];
    LbRandom random = lb_random (lb_key_index (lb_stage_key (stage, "selection"), (guint64) class));

    if (available < count) {
      g_set_error (
          error, LB_ERROR, LB_ERROR_INPUT,
          "'%s' has %d images of class %d, but images-per-class asks for %d; ask for fewer, or give a larger source",
          lb_stage_source (stage, "source", 0), (int)available, (int)class, (int)count);
      return NULL;
    }
    lb_random_permutation (&random, order, (gsize)available);
    for (gint64 i = 0; i < count; i++)
      g_array_append_val (chosen, by_class[first[class] + order[i]]);
  }
  return g_steal_pointer (&chosen);
}

/* The images at @indices, with everything that is said of the set as a whole. */
static LbPacket *
select_images (LbPacket *source, const GArray *indices)
{
  const guint32 *rows = (const guint32 *)(const void *)indices->data;
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_tensor_select (lb_packet_get (source, "images"), rows, indices->len));
  lb_packet_take (packet, "labels", lb_tensor_select (lb_packet_get (source, "labels"), rows, indices->len));
  lb_packet_share (packet, source, LB_NORMALISATION_FIELDS, NULL);
  lb_packet_set_number (packet, "making_flops", 0);
  return packet;
}

static gboolean
random_selection_run (LbStage *stage, gpointer data, GError **error)
{
  RandomSelection *self = data;
  g_autoptr (LbPacket) source = lb_stage_collect (stage, "source", error);
  g_autoptr (GArray) chosen = NULL;
  gint64 classes = lb_stage_dim (stage, "classes");

  if (!source
      || !lb_labels_check (lb_stage_source (stage, "source", 0), lb_packet_get (source, "labels"), classes, error))
    return FALSE;
  chosen = draw (stage, lb_packet_get (source, "labels"), classes, self->images_per_class, error);
  return chosen && lb_stage_push (stage, "samples", select_images (source, chosen), error);
}

static const LbStageType random_selection_type = {
  .name = "random-selection",
  .summary = "Draws real images of each class at random: the baseline of every distiller",
  .description
  = "Draws images-per-class images of each class without replacement, keyed by the pipeline's seed and the stage's "
    "name. They are sent as stored, so that their size in bytes is that of the real images.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (RandomSelection),
  .configure = random_selection_configure,
  .run = random_selection_run,
};

LB_DEFINE_PLUGIN ("random-selection", "1.0", "LGPL-2.1-or-later", &random_selection_type);
