/* sub-sampler: the static views of label augmentation (LADD, arXiv 2409.16239, section 3): N x N windows that cover R
 * of each axis of an image, at a uniform stride. Only the windows travel; whoever uses a view cuts it again.
 */
#include "limbeck.h"

typedef struct {
  gint64 grid;
  double ratio;
} SubSampler;

static const LbProperty properties[] = {
  LB_INTEGER (SubSampler, grid, "grid", "5", 1, 32, "windows", "N: windows along each axis"),
  LB_NUMBER (SubSampler, ratio, "ratio", "0.625", 0, 1, NULL, "R: part of each axis that a window covers"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "h w", 0, "The images to cut; only their size is looked at" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "views", "views", "v h w", 0, "The windows, row by row" },
  LB_PORTS_END,
};

static gboolean
window_fits (double ratio, gint64 height, gint64 width)
{
  return ratio * height >= 1 && ratio * width >= 1 && ratio <= 1;
}

static gboolean
sub_sampler_configure (LbConfigure *configure, gpointer data, GError **error)
{
  SubSampler *self = data;
  gint64 height = lb_configure_dim (configure, "h"), width = lb_configure_dim (configure, "w");

  if (height > 0 && width > 0 && !window_fits (self->ratio, height, width))
    return lb_configure_property_error (configure, "ratio", error,
                                        "%g makes windows of %g x %g pixels in images of %d x %d; expected at least "
                                        "one pixel and at most the image, so a ratio from %g to 1",
                                        self->ratio, self->ratio * height, self->ratio * width, (int)height, (int)width,
                                        1.0 / MIN (height, width));
  if (lb_configure_input_packets (configure, "samples") > 0)
    lb_configure_set_output_packets (configure, "views", 1);
  lb_configure_cost (configure, 0, 0);
  return lb_configure_set_dim (configure, "v", self->grid * self->grid, error);
}

static gboolean
sub_sampler_run (LbStage *stage, gpointer data, GError **error)
{
  SubSampler *self = data;
  g_autoptr (LbPacket) samples = NULL, views = lb_packet_new ();
  gint64 height, width;

  if (!lb_stage_pull (stage, "samples", &samples, error))
    return FALSE;
  if (!samples)
    return TRUE;
  height = lb_tensor_dim (lb_packet_get (samples, "images"), 2);
  width = lb_tensor_dim (lb_packet_get (samples, "images"), 3);
  if (!window_fits (self->ratio, height, width)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "ratio %g of images of %d x %d pixels leaves windows of less than one pixel; expected at least %g",
                 self->ratio, (int)height, (int)width, 1.0 / MIN (height, width));
    return FALSE;
  }
  lb_packet_take (views, "windows", lb_view_windows (height, width, (guint)self->grid, self->ratio));
  return lb_stage_push (stage, "views", g_steal_pointer (&views), error);
}

static const LbStageType sub_sampler_type = {
  .name = "sub-sampler",
  .summary = "Cuts N x N views out of every image, each covering R of its axes (LADD)",
  .description
  = "The sub-sampling of label-augmented dataset distillation (Kang, Shin, Jang, Kim, arXiv 2409.16239): N x N "
    "windows, each covering R of an image's height and width, at a uniform stride of (1 - R) / (N - 1). Each view "
    "is resized to the image's size when it is used. Windows are static and may lie between pixels.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (SubSampler),
  .configure = sub_sampler_configure,
  .run = sub_sampler_run,
};

LB_DEFINE_PLUGIN ("sub-sampler", "1.0", "LGPL-2.1-or-later", &sub_sampler_type);
