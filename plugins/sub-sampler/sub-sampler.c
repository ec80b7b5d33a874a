/* sub-sampler: the static views of label augmentation (LADD, arXiv 2409.16239, section 3): N x N windows that cover R
 * of each axis of an image, at a uniform stride. Only the windows travel; whoever uses a view cuts it again.
 */
#include "limbeck.h"

typedef struct {
  gint64 grid, window;
  double ratio;
} SubSampler;

static const LbProperty properties[] = {
  LB_INTEGER (SubSampler, grid, "grid", "5", 1, 32, "windows", "N: windows along each axis"),
  LB_NUMBER (SubSampler, ratio, "ratio", "0.625", 0, 1, NULL, "R: part of each axis that a window covers"),
  LB_INTEGER (SubSampler, window, "window", "0", 0, 65536, "pixels",
              "R in pixels: the side of a window that is square; 0: as 'ratio' says"),
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

/* How high and wide the windows are. */
static void
window_size (const SubSampler *self, gint64 height, gint64 width, double *h, double *w)
{
  *h = self->window ? (double)self->window : self->ratio * (double)height;
  *w = self->window ? (double)self->window : self->ratio * (double)width;
}

/* Which property makes windows that are too small or too large for such images, and what is wrong with it; or NULL. */
static char *
find_fault (const SubSampler *self, gint64 height, gint64 width, const char **property)
{
  double h, w;
  gint64 least = MIN (height, width);

  window_size (self, height, width, &h, &w);
  *property = self->window ? "window" : "ratio";
  if (h >= 1 && w >= 1 && h <= (double)height && w <= (double)width)
    return NULL;
  if (self->window)
    return g_strdup_printf ("windows of %d x %d pixels do not fit into images of %d x %d; expected 1 to %d pixels",
                            (int)self->window, (int)self->window, (int)height, (int)width, (int)least);
  return g_strdup_printf (
      "%g makes windows of %g x %g pixels in images of %d x %d; expected at least one pixel and at most "
      "the image, so a ratio from %g to 1",
      self->ratio, h, w, (int)height, (int)width, 1.0 / (double)least);
}

static gboolean
sub_sampler_configure (LbConfigure *configure, gpointer data, GError **error)
{
  SubSampler *self = data;
  gint64 height = lb_configure_dim (configure, "h"), width = lb_configure_dim (configure, "w");
  const char *property = NULL;
  g_autofree char *fault = height > 0 && width > 0 ? find_fault (self, height, width, &property) : NULL;

  if (fault)
    return lb_configure_property_error (configure, property, error, "%s", fault);
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
  g_autofree char *fault = NULL;
  const char *property;
  gint64 height, width;
  double h, w;

  if (!lb_stage_pull (stage, "samples", &samples, error))
    return FALSE;
  if (!samples)
    return TRUE;
  height = lb_tensor_dim (lb_packet_get (samples, "images"), 2);
  width = lb_tensor_dim (lb_packet_get (samples, "images"), 3);
  if ((fault = find_fault (self, height, width, &property))) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "property '%s': %s", property, fault);
    return FALSE;
  }
  window_size (self, height, width, &h, &w);
  lb_packet_take (views, "windows", lb_view_windows_of (height, width, (guint)self->grid, h, w));
  return lb_stage_push (stage, "views", g_steal_pointer (&views), error);
}

static const LbStageType sub_sampler_type = {
  .name = "sub-sampler",
  .summary = "Cuts N x N views out of every image, each covering R of its axes (LADD)",
  .description
  = "The sub-sampling of label-augmented dataset distillation (Kang, Shin, Jang, Kim, arXiv 2409.16239): N x N "
    "windows, each covering R of an image's height and width, at a uniform stride of (1 - R) / (N - 1). In pixels "
    "of an image of height H and width W, window (i, j), counted from 0, is R W wide and R H high, its left edge at "
    "j (1 - R) W / (N - 1) and its upper edge at i (1 - R) H / (N - 1); one window alone stands in the middle. N = "
    "5 and R = 0.625 of 128 x 128 pixels, or window 80, are 80 x 80 pixels every 12 pixels. Windows are static, the "
    "same for every image, and may lie between pixels.\n\n"
    "A view is made when it is used, and never stored: its window is resized to the image's size, bilinear with "
    "pixel areas aligned, nothing from outside the window (PyTorch: interpolate (image[..., y:y+h, x:x+w], size=(H, "
    "W), mode='bilinear', align_corners=False)).",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (SubSampler),
  .configure = sub_sampler_configure,
  .run = sub_sampler_run,
};

LB_DEFINE_PLUGIN ("sub-sampler", "1.1", "LGPL-2.1-or-later", &sub_sampler_type);
