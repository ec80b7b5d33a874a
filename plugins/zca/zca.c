/* zca: whitens sets, as trajectory matching (Cazenavette et al., arXiv 2203.11932) does with colour images. Fitted on
 * the training set and applied to it and to a test set; what is sent carries what it takes to undo it.
 */
#include "limbeck.h"

typedef struct {
  double epsilon;
} Zca;

static const LbProperty properties[] = {
  LB_NUMBER (Zca, epsilon, "epsilon", "0.1", 1e-9, 1e6, NULL,
             "Added to each eigenvalue of the covariance, so that what hardly varies is not blown up"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "n c h w classes least", 0, "The set to fit on and to whiten" },
  { "test", "samples", "n=tests c h w classes least=least_tests", LB_PORT_OPTIONAL,
    "Another set to whiten as the first" },
  { "like", "samples", "n=others c h w classes=other_classes least=least_others", LB_PORT_OPTIONAL,
    "A whitened set, such as one distilled elsewhere: its whitening is used instead of fitting one" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n c h w classes least", 0, "The set, whitened (f32)" },
  { "test", "samples", "n=tests c h w classes least=least_tests", 0, "The other set, whitened (f32)" },
  LB_PORTS_END,
};

/* Reads a whole set and checks that it can be whitened. */
static LbPacket *
open_set (LbStage *stage, const char *port, GError **error)
{
  g_autoptr (LbPacket) packet = lb_stage_collect (stage, port, error);

  if (packet && lb_packet_get (packet, "unwhitening")) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "'%s' is whitened already; expected a set that is not, so leave out one of the stages",
                 lb_stage_source (stage, port, 0));
    return NULL;
  }
  return g_steal_pointer (&packet);
}

/* What the sets are whitened with: a whitening, and the normalisation that goes in front of it. */
typedef struct {
  LbPacket *like;       /* NULL when fitted */
  LbTensor *mean, *std; /* a packet's */
  LbWhitening whitening;
} Recipe;

static void
recipe_clear (Recipe *recipe)
{
  lb_whitening_clear (&recipe->whitening);
  g_clear_pointer (&recipe->like, lb_packet_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Recipe, recipe_clear)

static gboolean
fit (LbStage *stage, const Zca *self, LbPacket *samples, Recipe *recipe, GError **error)
{
  recipe->mean = lb_packet_get (samples, "mean");
  recipe->std = lb_packet_get (samples, "std");
  return lb_whitening_fit (&recipe->whitening, lb_stage_compute (stage), lb_stage_source (stage, "samples", 0),
                           lb_packet_get (samples, "images"), recipe->mean, recipe->std, self->epsilon, error);
}

/* Takes the recipe of the set on input 'like'. */
static gboolean
follow (LbStage *stage, Recipe *recipe, GError **error)
{
  const char *source = lb_stage_source (stage, "like", 0);
  LbTensor *whitening_mean, *unwhitening;

  if (!(recipe->like = lb_stage_collect (stage, "like", error)))
    return FALSE;
  recipe->mean = lb_packet_get (recipe->like, "mean");
  recipe->std = lb_packet_get (recipe->like, "std");
  whitening_mean = lb_packet_get (recipe->like, "whitening_mean");
  unwhitening = lb_packet_get (recipe->like, "unwhitening");
  if (whitening_mean && unwhitening)
    return lb_whitening_from (&recipe->whitening, source, whitening_mean, unwhitening, error);
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "'%s' is not whitened; expected a set that is, to whiten another like it", source);
  return FALSE;
}

static gboolean
send_whitened (LbStage *stage, const char *port, const Recipe *recipe, LbPacket *set, GError **error)
{
  LbTensor *images = lb_packet_get (set, "images");
  g_autofree char *ours = g_strdup_printf ("'%s'", lb_stage_source (stage, port, 0));
  g_autoptr (LbPacket) packet = lb_packet_new ();

  /* Stored images are normalised as the recipe says; what is normalised already cannot be undone. */
  if (lb_tensor_dtype (images) != LB_U8
      && !lb_images_same_normalisation (ours, lb_packet_get (set, "mean"), lb_packet_get (set, "std"),
                                        "the set that whitening was fitted on", recipe->mean, recipe->std, error))
    return FALSE;
  lb_packet_take (packet, "images",
                  lb_whitening_apply (&recipe->whitening, lb_stage_compute (stage), images, recipe->mean, recipe->std));
  lb_packet_share (packet, set, "labels", "making_flops", NULL);
  lb_packet_set (packet, "mean", recipe->mean);
  lb_packet_set (packet, "std", recipe->std);
  lb_packet_set (packet, "whitening_mean", recipe->whitening.mean);
  lb_packet_set (packet, "unwhitening", recipe->whitening.unwhitening);
  return lb_stage_push (stage, port, g_steal_pointer (&packet), error);
}

static gboolean
zca_run (LbStage *stage, gpointer data, GError **error)
{
  g_autoptr (LbPacket) samples = open_set (stage, "samples", error), test = NULL;
  g_auto (Recipe) recipe = { 0 };
  gboolean is_like = lb_stage_n_links (stage, "like") > 0;

  if (!samples || !(is_like ? follow (stage, &recipe, error) : fit (stage, data, samples, &recipe, error))
      || !send_whitened (stage, "samples", &recipe, samples, error))
    return FALSE;
  return !lb_stage_n_links (stage, "test")
         || ((test = open_set (stage, "test", error)) && send_whitened (stage, "test", &recipe, test, error));
}

/* ---- Before anything runs ---- */

static gint64
image_size (LbConfigure *configure)
{
  gint64 c = lb_configure_dim (configure, "c"), h = lb_configure_dim (configure, "h");
  gint64 w = lb_configure_dim (configure, "w"), size = 0;

  return c < 1 || h < 1 || w < 1 || __builtin_mul_overflow (c, h, &size) || __builtin_mul_overflow (size, w, &size)
             ? LB_UNKNOWN
             : size;
}

/* Predicts a fit, and the images as f32 once more while they are mapped. */
static void
predict (LbConfigure *configure, gint64 size)
{
  gint64 n = lb_configure_dim (configure, "n"), tests = MAX (lb_configure_dim (configure, "tests"), 0);
  gboolean is_like = lb_configure_has_port (configure, "like");
  double matrix = 4.0 * (double)size * (double)size, images = 4.0 * (double)MAX (n, tests) * (double)size;
  double flops = lb_whitening_apply_flops (n + tests, size), bytes = 3 * matrix + images;

  if (!is_like) {
    flops += lb_whitening_fit_flops (n, size);
    bytes = MAX (matrix + images, lb_whitening_fit_bytes (n, size, lb_configure_threads (configure)));
  }
  lb_configure_cost (configure, flops,
                     bytes + (double)lb_configure_collect_bytes (configure, "samples")
                         + (double)lb_configure_collect_bytes (configure, "test"));
  lb_configure_set_output_bytes (configure, "samples", n * size * 4 + n * 4 + size * size * 4);
  lb_configure_set_output_bytes (configure, "test", tests * size * 4 + tests * 4);
}

static gboolean
zca_configure (LbConfigure *configure, gpointer data, GError **error)
{
  gint64 size = image_size (configure);

  for (guint i = 0; i < 2; i++) {
    const char *port = outputs[i].name;

    lb_configure_set_output_dtype (configure, port, "images", LB_F32);
    lb_configure_set_output_packets (configure, port, lb_configure_has_port (configure, port) ? 1 : 0);
  }
  if (size == LB_UNKNOWN)
    return TRUE;
  if (size > LB_WHITENING_MOST) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "the images have %" G_GINT64_FORMAT
                 " numbers; expected at most %d (64 x 64 in colour), as whitening needs the square of it, so use "
                 "smaller images or do without",
                 size, LB_WHITENING_MOST);
    return FALSE;
  }
  if (lb_configure_dim (configure, "n") != LB_UNKNOWN)
    predict (configure, size);
  return TRUE;
}

static const LbStageType zca_type = {
  .name = "zca",
  .summary = "Whitens sets (ZCA), fitted on the training set; pictures of what is whitened are still pictures",
  .description
  = "Subtracts the mean of the normalised images and multiplies by V diag (1 / sqrt (l + epsilon)) V', with V and l "
    "the "
    "eigenvectors and eigenvalues of their covariance: numbers of an image become uncorrelated and about equally "
    "large. Trajectory matching does so with colour sets (epsilon 0.1). A test set must go through the same stage.\n\n"
    "What is sent carries whitening_mean and unwhitening in its fields. Stages pass them on, npz-sink stores them, and "
    "contact-sheet undoes whitening with them; so does whoever has the file: images @ U + mean, with U = "
    "unwhitening as a square matrix. They do not count in the bytes of a set. A model of whitened images refuses "
    "images that are not, or otherwise.\n\n"
    "With 'like' nothing is fitted: sets are whitened as that one was. Use it to score on a test set what was "
    "distilled elsewhere.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Zca),
  .configure = zca_configure,
  .run = zca_run,
};

LB_DEFINE_PLUGIN ("zca", "1.0", "LGPL-2.1-or-later", &zca_type);
