/* my-stage: multiplies the values of images, so that they have more or less contrast. */
#include "limbeck.h"

/* ---- What a user sets ---- */

typedef struct {
  double factor;
} MyStage;

static const LbProperty properties[] = {
  LB_NUMBER (MyStage, factor, "factor", "0.5", 0, 1000, NULL, "What normalised values are multiplied by"),
  LB_PROPERTIES_END,
};

/* ---- What flows: everything but the values stays as it is ---- */

static const LbPort inputs[] = {
  { "samples", "samples", "n least c h w classes", 0, "Images to change" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n least c h w classes", 0, "The same images, multiplied (f32)" },
  LB_PORTS_END,
};

static gboolean
my_stage_configure (LbConfigure *configure, gpointer data, GError **error)
{
  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  return TRUE;
}

/* ---- The work: packet by packet ---- */

static gboolean
my_stage_run (LbStage *stage, gpointer data, GError **error)
{
  const MyStage *self = data;
  LbPacket *next;

  while (lb_stage_pull (stage, "samples", &next, error)) {
    g_autoptr (LbPacket) samples = next;
    if (samples == NULL)
      return TRUE;
    g_autoptr (LbTensor) images
        = lb_images_convert (lb_stage_name (stage), lb_packet_get (samples, "images"), lb_packet_get (samples, "mean"),
                             lb_packet_get (samples, "std"), LB_F32, error);
    if (images == NULL)
      return FALSE;
    /* What was received may be others' too, so the values go into a copy. */
    LbTensor *changed = lb_tensor_copy (images);
    for (gint64 i = 0; i < lb_tensor_size (changed); i++)
      lb_tensor_f32 (changed)[i] *= (float)self->factor;
    LbPacket *packet = lb_packet_new ();
    lb_packet_take (packet, "images", changed);
    lb_packet_share (packet, samples, "labels", LB_NORMALISATION_FIELDS, NULL);
    if (!lb_stage_push (stage, "samples", packet, error))
      return FALSE;
  }
  return FALSE;
}

static const LbStageType my_stage_type = {
  .name = "my-stage",
  .summary = "Multiplies the values of images",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (MyStage),
  .configure = my_stage_configure,
  .run = my_stage_run,
};

LB_DEFINE_PLUGIN ("my-stage", "0.1.0", "LGPL-2.1-or-later", &my_stage_type);
