/* image-grid: a synthetic set that is stored as one picture, as torchvision's save_image() makes it and public codes
 * leave it: images in rows and columns, with padding between and around them.
 */
#include "stages.h"

#include "decode.h"
#include "limbeck.h"
#include "load.h"

#include <string.h>

typedef struct {
  char *file, *colour;
  gint64 rows, columns, padding, images, images_per_class;
  LbNormalisation normalisation;
} Grid;

static const char *const colours[] = { "rgb", "grey", NULL };

static const LbProperty properties[] = {
  LB_PATH (Grid, file, "file", NULL, "The PNG or JPEG file"),
  LB_INTEGER (Grid, rows, "rows", NULL, 1, 100000, "images", "Rows of images"),
  LB_INTEGER (Grid, columns, "columns", NULL, 1, 100000, "images", "Images in a row (nrow of save_image)"),
  LB_INTEGER (Grid, padding, "padding", "2", 0, 1000, "pixels", "Space between and around images"),
  LB_INTEGER (Grid, images, "images", "0", 0, G_MAXINT32, "images",
              "How many there are, row by row, if the last row is not full; 0: rows x columns"),
  LB_INTEGER (Grid, images_per_class, "images-per-class", NULL, 1, 100000, "images",
              "So many of class 0 come first, then as many of class 1, ..."),
  LB_CHOICE (Grid, colour, "colour", "rgb", colours,
             "grey: save_image() repeats the channel of grey images, and the others are not taken"),
  LB_CHOICE (Grid, normalisation.choice, "normalisation", "given", lb_normalisations, LB_NORMALISATION_DOC),
  LB_NUMBERS (Grid, normalisation.mean, "mean", "[]", 0, 1, NULL, LB_MEAN_DOC),
  LB_NUMBERS (Grid, normalisation.std, "std", "[]", 1e-6, 1e6, NULL, LB_STD_DOC),
  LB_PROPERTIES_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n c h w classes least", 0, "The images (u8), row by row" },
  LB_PORTS_END,
};

/* What the properties and the size of the picture make together. */
typedef struct {
  gint64 n, channels, height, width; /* of the images */
} Cells;

/* Pixels of one image along a side of @side pixels with @count images; 0 when it does not divide. */
static gint64
cell_size (gint64 side, gint64 count, gint64 padding)
{
  gint64 left = side - padding * (count + 1);

  return left > 0 && left % count == 0 ? left / count : 0;
}

static gboolean
find_cells (const Grid *self, const ImageInfo *info, Cells *cells, GError **error)
{
  cells->n = self->images ? self->images : self->rows * self->columns;
  cells->channels = g_str_equal (self->colour, "grey") ? 1 : 3;
  cells->height = cell_size (info->height, self->rows, self->padding);
  cells->width = cell_size (info->width, self->columns, self->padding);
  if (!cells->height || !cells->width)
    return lb_input_error (
        self->file, error,
        "has %d x %d pixels, which %d columns and %d rows with %d pixels of padding between and around "
        "them do not divide; check 'columns', 'rows' and 'padding'",
        (int)info->width, (int)info->height, (int)self->columns, (int)self->rows, (int)self->padding);
  if (cells->n % self->images_per_class != 0)
    return lb_input_error (self->file, error, "has %d images, no multiple of the %d that 'images-per-class' says",
                           (int)cells->n, (int)self->images_per_class);
  return TRUE;
}

/* The file and its header. */
static gboolean
open_file (const Grid *self, GBytes **bytes, ImageInfo *info, ImageDecoder **decoder, Cells *cells, GError **error)
{
  gsize length;

  if (!lb_file_read (self->file, IMAGE_MAX_BYTES, bytes, error))
    return FALSE;
  gconstpointer data = g_bytes_get_data (*bytes, &length);
  *decoder = image_decoder_new (self->file, data, length, info, error);
  return *decoder && find_cells (self, info, cells, error);
}

static gboolean
grid_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Grid *self = data;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (ImageDecoder) decoder = NULL;
  g_autofree char *problem = NULL;
  const char *property
      = lb_normalisation_check (&self->normalisation, g_str_equal (self->colour, "grey") ? 1 : 3, &problem);
  ImageInfo info;
  Cells cells = { 0 };

  if (property)
    return lb_configure_property_error (configure, property, error, "%s", problem);
  if (self->images > self->rows * self->columns)
    return lb_configure_property_error (configure, "images", error, "is %d, more than 'rows' x 'columns'; give fewer",
                                        (int)self->images);
  lb_configure_set_output_dtype (configure, "samples", "images", LB_U8);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!open_file (self, &bytes, &info, &decoder, &cells, error))
    return FALSE;
  lb_configure_cost (configure, 0, (double)g_bytes_get_size (bytes) + (double)info.width * info.channels);
  return lb_configure_set_dim (configure, "n", cells.n, error)
         && lb_configure_set_dim (configure, "c", cells.channels, error)
         && lb_configure_set_dim (configure, "h", cells.height, error)
         && lb_configure_set_dim (configure, "w", cells.width, error)
         && lb_configure_set_dim (configure, "classes", cells.n / self->images_per_class, error)
         && lb_configure_set_dim (configure, "least", self->images_per_class, error);
}

/* Puts what row @y of the picture has of images into @images. */
static gboolean
cut_row (const Grid *self, const Cells *cells, const ImageInfo *info, gint64 y, const guint8 *row, guint8 *images,
         GError **error)
{
  gint64 line = y / (cells->height + self->padding), inside = y % (cells->height + self->padding) - self->padding;
  gint64 plane = cells->height * cells->width;

  for (gint64 column = 0; inside >= 0 && column < self->columns; column++) {
    gint64 image = line * self->columns + column;
    const guint8 *from = row + (self->padding + column * (cells->width + self->padding)) * (gint64)info->channels;

    for (gint64 x = 0; x < cells->width && image < cells->n; x++, from += info->channels) {
      guint8 *to = images + image * cells->channels * plane + inside * cells->width + x;

      if (cells->channels == 1 && info->channels == 3 && (from[0] != from[1] || from[0] != from[2]))
        return lb_input_error (self->file, error,
                               "image %d is in colour at row %d, column %d, but 'colour' is grey; set it to rgb",
                               (int)image, (int)inside, (int)x);
      for (gint64 k = 0; k < cells->channels; k++)
        to[k * plane] = from[info->channels == 1 ? 0 : k];
    }
  }
  return TRUE;
}

static gboolean
read_images (const Grid *self, LbTensor **images, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (ImageDecoder) decoder = NULL;
  g_autoptr (LbTensor) tensor = NULL;
  g_autofree guint8 *row = NULL;
  ImageInfo info;
  Cells cells = { 0 };

  if (!open_file (self, &bytes, &info, &decoder, &cells, error))
    return FALSE;
  tensor = lb_tensor_new (LB_U8, LB_SHAPE (cells.n, cells.channels, cells.height, cells.width));
  row = g_malloc ((gsize)info.width * info.channels);
  for (gint64 y = 0; y < info.height; y++)
    if (!image_decoder_read_row (decoder, row, error)
        || !cut_row (self, &cells, &info, y, row, lb_tensor_u8 (tensor), error))
      return FALSE;
  *images = g_steal_pointer (&tensor);
  return image_decoder_finish (decoder, error);
}

static gboolean
grid_run (LbStage *stage, gpointer data, GError **error)
{
  Grid *self = data;
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *images = NULL, *labels, *mean, *std;
  gboolean good = read_images (self, &images, error);

  if (images)
    lb_packet_take (packet, "images", images);
  if (!good || !lb_normalisation_make (&self->normalisation, self->file, images, &mean, &std, error))
    return FALSE;
  labels = lb_tensor_new (LB_I32, LB_SHAPE (lb_tensor_dim (images, 0)));
  for (gint64 i = 0; i < lb_tensor_size (labels); i++)
    lb_tensor_i32 (labels)[i] = (gint32)(i / self->images_per_class);
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", mean);
  lb_packet_take (packet, "std", std);
  return lb_stage_push (stage, "samples", g_steal_pointer (&packet), error);
}

const LbStageType image_grid_type = {
  .name = "image-grid",
  .summary = "Cuts a synthetic set out of one picture, as save_image() of torchvision writes it",
  .description
  = "Reads a PNG or JPEG file of rows and columns of images with padding between and around them. Labels follow from "
    "the "
    "order: images-per-class of class 0, then of class 1, and so on; public codes put a class in a row. Pictures hold "
    "what their makers clipped to 0 to 255: the exact set is in their tensors (see the stage tensors). Give the "
    "normalisation of the real set.",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Grid),
  .configure = grid_configure,
  .run = grid_run,
};
