/* contact-sheet: the images of a set as one PNG, a row for each class, for looking at; as a file, and as a packet for
 * stage 'report'. */
#include "limbeck.h"

#include <png.h>
#include <string.h>

#define MAX_BYTES ((gint64)1 << 30)

typedef struct {
  char *file, *title;
  gint64 columns, scale, gap;
} ContactSheet;

static const LbProperty properties[] = {
  LB_RESULT (ContactSheet, file, "file", "*.png", "The file to write"),
  LB_INTEGER (ContactSheet, columns, "columns", "10", 1, 1000, "images",
              "At most so many images of each class, the first ones"),
  LB_INTEGER (ContactSheet, scale, "scale", "2", 1, 64, NULL, "Each pixel is shown as scale x scale pixels"),
  LB_INTEGER (ContactSheet, gap, "gap", "2", 0, 64, "pixels", "White space around each image"),
  LB_STRING (ContactSheet, title, "title", "", "What to call it; left out: the stream that the images come from"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "n least c h w classes", 0, "The images; one channel (grey) or three (red, green, blue)" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "picture", "picture", NULL, 0, "The sheet" },
  LB_PORTS_END,
};

/* Where things are on the sheet. */
typedef struct {
  gint64 channels, height, width; /* of an image */
  gint64 scale, gap, columns, rows;
  gint64 sheet_height, sheet_width;
} Layout;

/* The layout of a sheet of @rows classes, the largest of which has @most images. */
static Layout
make_layout (const ContactSheet *self, LbShape images, gint64 rows, gint64 most)
{
  Layout layout = { .channels = images.dim[1],
                    .height = images.dim[2],
                    .width = images.dim[3],
                    .scale = self->scale,
                    .gap = self->gap,
                    .columns = CLAMP (most, 1, self->columns),
                    .rows = rows };

  layout.sheet_height = layout.gap + layout.rows * (layout.height * layout.scale + layout.gap);
  layout.sheet_width = layout.gap + layout.columns * (layout.width * layout.scale + layout.gap);
  return layout;
}

static gint64
sheet_bytes (const Layout *layout)
{
  return layout->sheet_height * layout->sheet_width * layout->channels;
}

/* Predicts memory: the images as u8, the sheet, and the file, which is at worst about as large and sent as well. */
static void
predict (const ContactSheet *self, LbConfigure *configure)
{
  gint64 n = lb_configure_dim (configure, "n"), classes = lb_configure_dim (configure, "classes");
  gint64 least = lb_configure_dim (configure, "least"), most;
  LbShape images = LB_SHAPE (n, lb_configure_dim (configure, "c"), lb_configure_dim (configure, "h"),
                             lb_configure_dim (configure, "w"));

  if (n < 0 || classes < 1 || images.dim[1] < 0 || images.dim[2] < 0 || images.dim[3] < 0)
    return;
  most = least == LB_UNKNOWN ? n : n - least * (classes - 1);
  Layout layout = make_layout (self, images, classes, most);
  lb_configure_set_output_bytes (configure, "picture", sheet_bytes (&layout));
  lb_configure_cost (configure, 0,
                     (double)(lb_shape_size (images) + n * (gint64)sizeof (guint32) + 2 * sheet_bytes (&layout)
                              + lb_configure_collect_bytes (configure, "samples")));
}

static gboolean
contact_sheet_configure (LbConfigure *configure, gpointer data, GError **error)
{
  gint64 channels = lb_configure_dim (configure, "c");

  lb_configure_set_output_packets (configure, "picture", 1);
  if (channels == LB_UNKNOWN || channels == 1 || channels == 3) {
    predict (data, configure);
    return TRUE;
  }
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "the images have %d channels; a contact sheet shows 1 (grey) or 3 (colour)", (int)channels);
  return FALSE;
}

/* Draws image @image, u8 [c, h, w], at @row and @column of @sheet, u8 [sheet_height, sheet_width, c]. */
static void
draw (const Layout *layout, const guint8 *image, gint64 row, gint64 column, guint8 *sheet)
{
  gint64 top = layout->gap + row * (layout->height * layout->scale + layout->gap);
  gint64 left = layout->gap + column * (layout->width * layout->scale + layout->gap);

  for (gint64 y = 0; y < layout->height * layout->scale; y++)
    for (gint64 x = 0; x < layout->width * layout->scale; x++)
      for (gint64 k = 0; k < layout->channels; k++)
        sheet[((top + y) * layout->sheet_width + left + x) * layout->channels + k]
            = image[(k * layout->height + y / layout->scale) * layout->width + x / layout->scale];
}

/* Sends the PNG file on. */
static gboolean
push_picture (LbStage *stage, const ContactSheet *self, const Layout *layout, gconstpointer png, gsize length,
              GError **error)
{
  const char *source = lb_stage_source (stage, "samples", 0);
  g_autofree char *caption = g_strdup_printf ("The first images of '%s', a row for each class.", source);
  g_autofree char *alternative
      = g_strdup_printf ("Contact sheet of '%s': %d rows, one for each class, of at most %d images", source,
                         (int)layout->rows, (int)layout->columns);

  return lb_stage_push (stage, "picture",
                        lb_picture_packet (png, length, *self->title ? self->title : source, caption, alternative),
                        error);
}

static gboolean
write_png (LbStage *stage, const ContactSheet *self, const Layout *layout, const guint8 *sheet, GError **error)
{
  png_image png = { .version = PNG_IMAGE_VERSION,
                    .width = (png_uint_32)layout->sheet_width,
                    .height = (png_uint_32)layout->sheet_height,
                    .format = layout->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB };
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX (png);
  g_autofree guint8 *bytes = g_malloc (size);

  if (!png_image_write_to_memory (&png, bytes, &size, 0, sheet, 0, NULL)) {
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "%s cannot be made: %s; ask for fewer columns or a smaller scale",
                 self->file, png.message);
    return FALSE;
  }
  return lb_stage_write (stage, self->file, bytes, size, error)
         && push_picture (stage, self, layout, bytes, size, error);
}

static gboolean
contact_sheet_run (LbStage *stage, gpointer data, GError **error)
{
  ContactSheet *self = data;
  g_autoptr (LbPacket) samples = lb_stage_collect (stage, "samples", error);
  gint64 classes = lb_stage_dim (stage, "classes");
  g_autoptr (LbTensor) images = NULL;
  g_autofree gint64 *first = NULL;
  g_autofree guint32 *by_class = NULL;
  g_autofree guint8 *sheet = NULL;

  if (!samples
      || !lb_labels_check (lb_stage_source (stage, "samples", 0), lb_packet_get (samples, "labels"), classes, error))
    return FALSE;
  images = lb_whitening_to_u8 (lb_stage_compute (stage), lb_packet_get (samples, "images"),
                               lb_packet_get (samples, "mean"), lb_packet_get (samples, "std"),
                               lb_packet_get (samples, "whitening_mean"), lb_packet_get (samples, "unwhitening"));
  first = g_new (gint64, classes + 1);
  by_class = lb_images_by_class (lb_packet_get (samples, "labels"), classes, first);

  gint64 most = 0;
  for (gint64 k = 0; k < classes; k++)
    most = MAX (most, first[k + 1] - first[k]);
  Layout layout = make_layout (self, lb_tensor_shape (images), classes, most);
  if ((layout.channels != 1 && layout.channels != 3) || layout.sheet_height > 1000000 || layout.sheet_width > 1000000
      || sheet_bytes (&layout) > MAX_BYTES) {
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
                 "a contact sheet of %d x %d pixels and %d channels cannot be made; expected at most 1 GiB and 1 or 3 "
                 "channels, so "
                 "ask for fewer columns or a smaller scale",
                 (int)layout.sheet_width, (int)layout.sheet_height, (int)layout.channels);
    return FALSE;
  }

  gsize bytes = (gsize)sheet_bytes (&layout);
  gint64 image_bytes = layout.channels * layout.height * layout.width;
  sheet = memset (g_malloc (bytes), 255, bytes);
  for (gint64 k = 0; k < classes; k++)
    for (gint64 i = 0; i < MIN (layout.columns, first[k + 1] - first[k]); i++)
      draw (&layout, lb_tensor_u8 (images) + by_class[first[k] + i] * image_bytes, k, i, sheet);
  return write_png (stage, self, &layout, sheet, error);
}

static const LbStageType contact_sheet_type = {
  .name = "contact-sheet",
  .summary = "Shows the images of a set as one PNG, a row for each class",
  .description = "Whitened images are unwhitened, and normalised ones brought back to stored values with the set's "
                 "mean and std, and "
                 "clipped to 0 to 255. Pixels are enlarged by a whole factor, without smoothing.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (ContactSheet),
  .configure = contact_sheet_configure,
  .run = contact_sheet_run,
};

LB_DEFINE_PLUGIN ("contact-sheet", "1.0", "LGPL-2.1-or-later", &contact_sheet_type);
