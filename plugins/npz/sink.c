/* Writing of samples: one member for each field of the packet, and what it does not tell itself. */
#include "grid.h"
#include "npz.h"

#include <string.h>

typedef struct {
  char *file, *storage;
  gboolean compress;
} Sink;

static const char *const storages[] = { "carried", "u8", "f16", "f32", NULL };

static const LbProperty sink_properties[] = {
  LB_RESULT (Sink, file, "file", "*.npz", "The file to write"),
  LB_CHOICE (Sink, storage, "storage", "carried", storages,
             "Images as they are carried; u8: stored values, rounded and clipped to 0 to 255; f16 or f32: normalised"),
  LB_BOOLEAN (Sink, compress, "compress", "false", "Whether members are deflated"),
  LB_PROPERTIES_END,
};

static const LbPort sink_inputs[] = {
  { "samples", "samples", "n c h w classes", 0,
    "What to write: samples, or augmented samples with windows and dense labels" },
  LB_PORTS_END,
};

static gboolean
sink_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Sink *self = data;
  gint64 elements = 1;

  for (guint i = 0; i < 4; i++)
    elements *= MAX (lb_configure_dim (configure, ((const char *[]){ "n", "c", "h", "w" })[i]), 0);
  /* Images of another dtype pass through f32. */
  if (g_str_equal (self->storage, "carried"))
    elements = 0;
  lb_configure_cost (configure, 0,
                     (double)(elements * (gint64)sizeof (float) + lb_configure_collect_bytes (configure, "samples")));
  return TRUE;
}

/* The images as they are to be stored; new reference. */
static LbTensor *
stored_images (const Sink *self, LbStage *stage, LbPacket *packet, GError **error)
{
  LbTensor *images = lb_packet_get (packet, "images");
  LbDType dtype = lb_tensor_dtype (images);

  if (!g_str_equal (self->storage, "carried"))
    lb_dtype_from_name (self->storage, &dtype);
  if (dtype == LB_U8 && lb_packet_get (packet, "unwhitening")) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "'%s' is whitened, and u8 holds stored values alone; expected 'storage' to be f16 or f32 here",
                 lb_stage_source (stage, "samples", 0));
    return NULL;
  }
  return lb_images_convert (lb_stage_source (stage, "samples", 0), images, lb_packet_get (packet, "mean"),
                            lb_packet_get (packet, "std"), dtype, error);
}

/* What is written: @packet with the images as they are stored, to which the dense labels are bound again. */
static LbPacket *
packet_as_stored (LbPacket *packet, LbTensor *images)
{
  LbPacket *stored = lb_packet_new ();
  g_autofree char *digest = lb_packet_get (packet, "labelled_images") ? lb_tensor_digest (images) : NULL;

  for (guint i = 0; i < lb_packet_n_fields (packet); i++)
    lb_packet_set (stored, lb_packet_field_name (packet, i), lb_packet_field_tensor (packet, i));
  lb_packet_set (stored, "images", images);
  if (digest)
    lb_packet_set_text (stored, "labelled_images", digest);
  return stored;
}

/* Adds a member of the file that is no field of the packet; takes @tensor. */
static void
add_member (GArray *members, GPtrArray *owned, const char *name, LbTensor *tensor)
{
  LbNamedTensor member = { (char *)name, tensor };

  g_ptr_array_add (owned, tensor);
  g_array_append_val (members, member);
}

static void
add_classes (LbStage *stage, GArray *members, GPtrArray *owned)
{
  LbTensor *classes;

  if (lb_stage_dim (stage, "classes") == LB_UNKNOWN)
    return;
  classes = lb_tensor_new (LB_I64, LB_SHAPE (1));
  lb_tensor_i64 (classes)[0] = lb_stage_dim (stage, "classes");
  add_member (members, owned, "classes", classes);
}

static void
add_grid (LbPacket *packet, GArray *members, GPtrArray *owned)
{
  LbTensor *windows = lb_packet_get (packet, "windows"), *images = lb_packet_get (packet, "images"), *n, *ratio;
  Grid grid;

  if (!windows || lb_tensor_dim (windows, 0) < 1
      || !find_grid (windows, lb_tensor_dim (images, 2), lb_tensor_dim (images, 3), &grid))
    return;
  n = lb_tensor_new (LB_I64, LB_SHAPE (1));
  lb_tensor_i64 (n)[0] = grid.n;
  add_member (members, owned, "grid", n);
  ratio = lb_tensor_new (LB_F64, LB_SHAPE (2));
  lb_tensor_f64 (ratio)[0] = grid.rows;
  lb_tensor_f64 (ratio)[1] = grid.columns;
  add_member (members, owned, "ratio", ratio);
}

static void
add_provenance (LbStage *stage, GArray *members, GPtrArray *owned)
{
  const char *ancestry = lb_stage_ancestry (stage);
  LbTensor *letters;

  if (!ancestry)
    return;
  letters = lb_tensor_new (LB_U8, LB_SHAPE ((gint64)strlen (ancestry)));
  memcpy (lb_tensor_u8 (letters), ancestry, strlen (ancestry));
  add_member (members, owned, "provenance", letters);
}

static gboolean
sink_run (LbStage *stage, gpointer data, GError **error)
{
  Sink *self = data;
  g_autoptr (LbPacket) packet = lb_stage_collect (stage, "samples", error), stored = NULL;
  g_autoptr (LbTensor) images = NULL;
  g_autoptr (GPtrArray) owned = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_tensor_unref);
  g_autoptr (GArray) members = g_array_new (FALSE, FALSE, sizeof (LbNamedTensor));
  g_autofree char *path = lb_stage_output_path (stage, self->file);

  if (!packet || !(images = stored_images (self, stage, packet, error)))
    return FALSE;
  stored = packet_as_stored (packet, images);
  for (guint i = 0; i < lb_packet_n_fields (stored); i++) {
    LbNamedTensor member = { (char *)lb_packet_field_name (stored, i), lb_packet_field_tensor (stored, i) };

    g_array_append_val (members, member);
  }
  add_classes (stage, members, owned);
  add_grid (stored, members, owned);
  add_provenance (stage, members, owned);
  return lb_npz_write (path, (LbNamedTensor *)(void *)members->data, members->len, self->compress, error);
}

const LbStageType npz_sink_type = {
  .name = "npz-sink",
  .summary = "Writes samples, or augmented samples, as an .npz file that NumPy loads",
  .description
  = "Writes one member for each field as it is carried (images, labels, mean, std, and windows and dense_labels when "
    "there are any), the number of classes, grid and ratio where the windows form a grid, and provenance: the text of "
    "the pipeline that made the set, with its seed, every property, and digests of the input files. With "
    "storage, images are written as u8 (a quarter of f32, but rounded "
    "to the 256 values of a picture) or f16 (a half, with 11 bits of precision); sources read either back. The same "
    "samples give the same bytes. The file appears under its name only when it is complete.",
  .inputs = sink_inputs,
  .properties = sink_properties,
  .instance_size = sizeof (Sink),
  .configure = sink_configure,
  .run = sink_run,
};
