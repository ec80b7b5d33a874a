/* formation: a set of formed images (multi-formation, IDC; Kim et al., arXiv 2205.14959), as files hold them, becomes
 * the set that networks see: each of the factor x factor small images of a stored one, enlarged bilinearly. So a formed
 * set that was written, or that somebody else made, is trained on as the distiller meant it, and its storage stays that
 * of the stored images.
 */
#include "gradient-matching.h"

#include <string.h>

typedef struct {
  gint64 factor;
} Formation;

static const LbProperty properties[] = {
  LB_INTEGER (Formation, factor, "factor", "0", 0, 16, "images",
              "Stored images hold this many small ones a side; 0: as the set says"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "n least c h w classes", 0, "Formed images, as stored" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n=seen least=each c h w classes", 0,
    "Their small images (f32, normalised), enlarged: image by image, row by row" },
  LB_PORTS_END,
};

/* ---- Layout ---- */

/* Where row @row of all rows of small images, [n * f * f, h, w, c], lies in the stored ones, in rows of small images.
 */
static gint64
stored_row (gint64 row, gint64 f, gint64 h)
{
  gint64 image = row / (f * f * h), cell = row / h % (f * f), y = cell / f * h + row % h;

  return (image * h * f + y) * f + cell % f;
}

LbTensor *
formation_compose (LbTensor *small, gint64 f)
{
  gint64 h = lb_tensor_dim (small, 1), w = lb_tensor_dim (small, 2), c = lb_tensor_dim (small, 3);
  LbTensor *stored = lb_tensor_new (LB_F32, LB_SHAPE (lb_tensor_dim (small, 0) / (f * f), h * f, w * f, c));
  const float *from = lb_tensor_f32 (small);

  for (gint64 i = 0; i < lb_tensor_dim (small, 0) * h; i++)
    memcpy (lb_tensor_f32 (stored) + stored_row (i, f, h) * w * c, from + i * w * c, (gsize)(w * c) * sizeof (float));
  return stored;
}

/* The other way: fills @small from @stored. */
static void
take_apart (LbTensor *stored, gint64 f, LbTensor *small)
{
  gint64 h = lb_tensor_dim (small, 1), row = lb_tensor_dim (small, 2) * lb_tensor_dim (small, 3);
  float *to = lb_tensor_f32 (small);

  for (gint64 i = 0; i < lb_tensor_dim (small, 0) * h; i++)
    memcpy (to + i * row, lb_tensor_f32 (stored) + stored_row (i, f, h) * row, (gsize)row * sizeof (float));
}

/* ---- The stage ---- */

static gboolean
check_sides (const char *whose, gint64 factor, gint64 height, gint64 width, GError **error)
{
  if (height % factor == 0 && width % factor == 0)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "'%s' has images of %d x %d pixels, which %d does not divide into whole ones; expected a factor that "
               "divides both sides",
               whose, (int)height, (int)width, (int)factor);
  return FALSE;
}

/* The factor given, or that which the set tells; 0 with an error if it is not one. */
static gint64
find_factor (const Formation *self, const char *whose, LbPacket *packet, GError **error)
{
  LbTensor *told = lb_packet_get (packet, "formation");
  gint64 factor = told ? lb_tensor_i64 (told)[0] : self->factor;

  if (factor >= 1 && (!self->factor || factor == self->factor))
    return factor;
  if (told)
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "'%s' says that its images hold %d small ones a side, where 'factor' is %d; leave 'factor' out", whose,
                 (int)factor, (int)self->factor);
  else
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "'%s' does not say how many small images its images hold a side; set 'factor'", whose);
  return 0;
}

/* The set as seen: @seen, f32 [n * f * f, h, w, c]. */
static LbPacket *
seen_packet (LbPacket *stored, LbTensor *seen, gint64 factor)
{
  LbTensor *images = lb_packet_get (stored, "images"), *labels = lb_packet_get (stored, "labels");
  LbTensor *repeated = lb_tensor_new (LB_I32, LB_SHAPE (lb_tensor_dim (seen, 0)));
  LbPacket *packet = lb_packet_new ();

  for (gint64 i = 0; i < lb_tensor_size (repeated); i++)
    lb_tensor_i32 (repeated)[i] = lb_tensor_i32 (labels)[i / (factor * factor)];
  lb_packet_take (packet, "images", lb_images_to_stream (seen));
  lb_packet_take (packet, "labels", repeated);
  lb_packet_share (packet, stored, LB_NORMALISATION_FIELDS, "making_flops", NULL);
  lb_packet_set_integer (packet, "stored_images", lb_tensor_dim (images, 0));
  lb_packet_set_integer (packet, "stored_bytes", (gint64)(lb_tensor_bytes (images) + lb_tensor_bytes (labels)));
  return packet;
}

static gboolean
formation_run (LbStage *stage, gpointer data, GError **error)
{
  const char *whose = lb_stage_source (stage, "samples", 0);
  g_autoptr (LbPacket) packet = lb_stage_collect (stage, "samples", error);
  gint64 factor = packet ? find_factor (data, whose, packet, error) : 0;
  g_auto (Enlarger) enlarger = { 0 };
  g_autoptr (LbTensor) whole = NULL, small = NULL;

  if (factor == 0)
    return FALSE;
  LbTensor *images = lb_packet_get (packet, "images");
  LbImageSize size = { lb_tensor_dim (images, 1), lb_tensor_dim (images, 2), lb_tensor_dim (images, 3) };
  gint64 n = lb_tensor_dim (images, 0);
  if (!check_sides (whose, factor, size.height, size.width, error))
    return FALSE;
  if (n < 1) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' has no images; expected at least one", whose);
    return FALSE;
  }
  whole = lb_tensor_new (LB_F32, LB_SHAPE (n, size.height, size.width, size.channels));
  lb_images_load (images, NULL, n, lb_packet_get (packet, "mean"), lb_packet_get (packet, "std"), whole);
  if (factor == 1)
    return lb_stage_push (stage, "samples", seen_packet (packet, whole, 1), error);
  small = lb_tensor_new (LB_F32,
                         LB_SHAPE (n * factor * factor, size.height / factor, size.width / factor, size.channels));
  take_apart (whole, factor, small);
  if (!enlarger_build (&enlarger, n * factor * factor, size, factor, error))
    return FALSE;
  enlarger_bind (&enlarger, small);
  lb_program_run (enlarger.program, lb_stage_compute (stage));
  return lb_stage_push (stage, "samples",
                        seen_packet (packet, lb_program_result (enlarger.program, enlarger.seen), factor), error);
}

/* What enlarging @n stored images takes. */
static gboolean
predict (LbConfigure *configure, gint64 n, LbImageSize size, gint64 factor, GError **error)
{
  g_auto (Enlarger) enlarger = { 0 };
  gint64 values = n * size.channels * size.height * size.width;

  if (factor > 1 && !enlarger_build (&enlarger, n * factor * factor, size, factor, error))
    return FALSE;
  lb_configure_cost (configure, factor > 1 ? lb_program_flops (enlarger.program) : 0,
                     (double)enlarger_bytes (&enlarger, lb_configure_threads (configure))
                         + (double)(2 * values) * sizeof (float)
                         + (double)lb_configure_collect_bytes (configure, "samples"));
  return TRUE;
}

static gboolean
formation_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Formation *self = data;
  LbImageSize size
      = { lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"), lb_configure_dim (configure, "w") };
  gint64 n = lb_configure_dim (configure, "n"), least = lb_configure_dim (configure, "least");
  gint64 cells = self->factor * self->factor;

  lb_configure_set_output_dtype (configure, "samples", "images", LB_F32);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!self->factor)
    return TRUE;
  if ((size.height > 0 && size.height % self->factor) || (size.width > 0 && size.width % self->factor))
    return lb_configure_property_error (configure, "factor", error,
                                        "%d does not divide the images' %d x %d pixels into whole ones; expected a "
                                        "number that divides both sides",
                                        (int)self->factor, (int)size.height, (int)size.width);
  if ((n > 0 && !lb_configure_set_dim (configure, "seen", n * cells, error))
      || (least >= 0 && !lb_configure_set_dim (configure, "each", least * cells, error)))
    return FALSE;
  return n < 1 || size.channels < 1 || size.height < 1 || size.width < 1
         || predict (configure, n, size, self->factor, error);
}

const LbStageType formation_type = {
  .name = "formation",
  .summary = "Makes of formed images (IDC, arXiv 2205.14959), as stored, the enlarged small ones that networks see",
  .description
  = "A stored image of a formed set is factor x factor small ones, which a network sees enlarged bilinearly. The "
    "output "
    "'stored' of gradient-matching, and files written from it with npz-sink, say their factor; of a set that was made "
    "elsewhere ('tensors', 'image-grid') it is given. Reports count what the stored images take, as they are carried "
    "here. Trainers refuse a set that says it is formed unless it went through this stage.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Formation),
  .configure = formation_configure,
  .run = formation_run,
};
