/* image-folder: a set whose classes are folders of PNG and JPEG images, or a tar file of such folders, as ImageNet and
 * its relatives come.
 */
#include "stages.h"

#include "feed.h"
#include "limbeck.h"
#include "listing.h"
#include "load.h"

#define BATCH_IMAGES 64
#define BATCH_BYTES  ((gsize)16 << 20) /* of files */
#define NAME_BYTES   256               /* about what the listing takes for each image */

typedef struct {
  char *path, *split, *fit, *colour;
  char **classes;
  gint64 first_classes, size;
  LbNormalisation normalisation;
} Folder;

static const char *const fits[] = { "crop", "squash", NULL };
static const char *const colours[] = { "rgb", "grey", NULL };

static const LbProperty properties[] = {
  LB_PATH (Folder, path, "path", NULL,
           "The folder, or a tar file of it (plain or compressed with gzip, bzip2, xz or zstd)"),
  LB_STRING (Folder, split, "split", "", "Name of the folder above the class folders, such as train or val"),
  LB_INTEGER (Folder, size, "size", "0", 0, 4096, "pixels",
              "Height and width that images are resized to; 0: as stored, which must be the same for all"),
  LB_CHOICE (Folder, fit, "fit", "crop", fits,
             "crop: the shorter side is resized and the middle taken; squash: both sides are resized"),
  LB_CHOICE (Folder, colour, "colour", "rgb", colours,
             "rgb: grey images are repeated; grey: colour images become luma"),
  LB_STRINGS (Folder, classes, "classes", "[]",
              "Class folders to take, in the order of their labels; left out: all, sorted"),
  LB_INTEGER (Folder, first_classes, "first-classes", "0", 0, 100000, "classes",
              "Only so many of the sorted class folders; 0: all"),
  LB_CHOICE (Folder, normalisation.choice, "normalisation", "given", lb_normalisations, LB_NORMALISATION_DOC),
  LB_NUMBERS (Folder, normalisation.mean, "mean", "[]", 0, 1, NULL, LB_MEAN_DOC),
  LB_NUMBERS (Folder, normalisation.std, "std", "[]", 1e-6, 1e6, NULL, LB_STD_DOC),
  LB_PROPERTIES_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n c h w classes least", 0, "The images (u8), by class, then by name" },
  LB_PORTS_END,
};

static ListingQuery
query_of (const Folder *self)
{
  return (ListingQuery){ self->path, self->split, (const char *const *)self->classes, self->first_classes };
}

static guint
channels_of (const Folder *self)
{
  return g_str_equal (self->colour, "grey") ? 1 : 3;
}

/* "PATH: train/cat/1.png"; free with g_free(). */
static char *
place_of (const Folder *self, const Listing *listing, guint index)
{
  const ListedImage *image = g_ptr_array_index (listing->images, index);
  g_autofree char *name = lb_unpack_printable (image->name);

  return g_strdup_printf ("%s: %s", self->path, name);
}

/* ---- Configure ---- */

/* The size of the first image of the listing, which all others must have. */
static gboolean
find_size (const Folder *self, const Listing *listing, gint64 *height, gint64 *width, GError **error)
{
  g_autoptr (ImageFeed) feed = image_feed_new (self->path, listing, error);
  g_autofree char *place = place_of (self, listing, 0);
  g_autoptr (ImageDecoder) decoder = NULL;
  g_autoptr (GBytes) bytes = NULL;
  ImageInfo info;
  guint index = 1;
  gsize length;

  if (!feed)
    return FALSE;
  while (!bytes || index != 0) {
    g_clear_pointer (&bytes, g_bytes_unref);
    if (!image_feed_next (feed, &bytes, &index, error))
      return FALSE;
  }
  gconstpointer data = g_bytes_get_data (bytes, &length);
  if (!(decoder = image_decoder_new (place, data, length, &info, error)))
    return FALSE;
  *height = info.height;
  *width = info.width;
  return TRUE;
}

static gint64
least_of (const Listing *listing)
{
  gint64 least = listing->images->len;

  for (guint k = 0; k < listing->counts->len; k++)
    least = MIN (least, g_array_index (listing->counts, gint64, k));
  return least;
}

static gboolean
folder_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Folder *self = data;
  ListingQuery query = query_of (self);
  g_autoptr (Listing) listing = NULL;
  g_autofree char *problem = NULL;
  const char *property = lb_normalisation_check (&self->normalisation, channels_of (self), &problem);
  gint64 height = self->size, width = self->size;

  if (property)
    return lb_configure_property_error (configure, property, error, "%s", problem);
  if (self->first_classes && self->classes[0])
    return lb_configure_property_error (configure, "first-classes", error,
                                        "is given beside 'classes'; leave one of them out");
  lb_configure_set_output_dtype (configure, "samples", "images", LB_U8);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!(listing = listing_new (&query, error)) || (!self->size && !find_size (self, listing, &height, &width, error)))
    return FALSE;
  lb_configure_cost (configure, 0, (double)BATCH_BYTES + (double)listing->images->len * NAME_BYTES);
  return lb_configure_set_dim (configure, "n", listing->images->len, error)
         && lb_configure_set_dim (configure, "c", channels_of (self), error)
         && lb_configure_set_dim (configure, "h", height, error) && lb_configure_set_dim (configure, "w", width, error)
         && lb_configure_set_dim (configure, "classes", listing->classes->len, error)
         && lb_configure_set_dim (configure, "least", least_of (listing), error);
}

/* ---- Run ---- */

/* One image of a batch. */
typedef struct {
  GBytes *bytes;
  guint index;
  char *place;
  ImageInfo info;
  GError *error;
} Item;

typedef struct {
  const Folder *self;
  const Listing *listing;
  ImageTarget target;
  guint8 *images; /* the tensor's */
  Item items[BATCH_IMAGES];
  guint n_items;
  gint64 done, grey, colour, alpha, cmyk; /* images so far */
} Loader;

static void
load_item (guint index, guint worker, gpointer data)
{
  Loader *loader = data;
  Item *item = &loader->items[index];
  gsize image = (gsize)(loader->target.channels * loader->target.height * loader->target.width), length;
  gconstpointer bytes = g_bytes_get_data (item->bytes, &length);

  image_load (item->place, bytes, length, &loader->target, loader->images + item->index * image, &item->info,
              &item->error);
}

static void
clear_batch (Loader *loader)
{
  for (guint i = 0; i < loader->n_items; i++) {
    g_bytes_unref (loader->items[i].bytes);
    g_free (loader->items[i].place);
    g_clear_error (&loader->items[i].error);
  }
  loader->n_items = 0;
}

/* Reads files until a batch is full or there are no more. */
static gboolean
fill_batch (Loader *loader, ImageFeed *feed, GError **error)
{
  gsize bytes = 0;

  while (loader->n_items < BATCH_IMAGES && bytes < BATCH_BYTES) {
    Item item = { 0 };

    if (!image_feed_next (feed, &item.bytes, &item.index, error))
      return FALSE;
    if (!item.bytes)
      return TRUE;
    bytes += g_bytes_get_size (item.bytes);
    item.place = place_of (loader->self, loader->listing, item.index);
    loader->items[loader->n_items++] = item;
  }
  return TRUE;
}

/* Decodes a batch on the pool; of several errors, the first in the order of reading is told. */
static gboolean
decode_batch (Loader *loader, LbStage *stage, GError **error)
{
  lb_pool_run (lb_compute_pool (lb_stage_compute (stage)), loader->n_items, load_item, loader);
  for (guint i = 0; i < loader->n_items; i++) {
    Item *item = &loader->items[i];

    if (item->error) {
      g_propagate_error (error, g_steal_pointer (&item->error));
      return FALSE;
    }
    loader->done++;
    loader->grey += item->info.channels == 1;
    loader->colour += item->info.channels == 3;
    loader->alpha += item->info.has_alpha;
    loader->cmyk += item->info.is_cmyk;
  }
  return lb_stage_progress (stage, (guint64)loader->done, loader->listing->images->len, NULL, 0, error);
}

static gboolean
load_all (Loader *loader, LbStage *stage, GError **error)
{
  g_autoptr (ImageFeed) feed = image_feed_new (loader->self->path, loader->listing, error);
  gboolean good = feed != NULL, at_end = FALSE;

  while (good && !at_end) {
    good = fill_batch (loader, feed, error);
    at_end = loader->n_items == 0;
    good = good && (at_end || decode_batch (loader, stage, error));
    clear_batch (loader);
  }
  return good;
}

static void
report_count (GString *text, gint64 count, const char *what)
{
  g_autofree char *number = lb_format_count ((guint64)count);

  if (count)
    g_string_append_printf (text, "  %s %s\n", number, what);
}

/* Everything that was done to the images, and which label is which class. */
static void
report (LbStage *stage, const Loader *loader)
{
  g_autoptr (GString) text = g_string_new (loader->self->path);
  g_autofree char *number = lb_format_count ((guint64)loader->done);
  const ImageTarget *target = &loader->target;
  const Listing *listing = loader->listing;

  g_string_append_printf (text, "%s%s: %s images of %u classes, ", loader->self->split[0] ? ", " : "",
                          loader->self->split, number, listing->classes->len);
  if (target->is_resized)
    g_string_append_printf (text, "resized to %d x %d (triangle filter, %s)\n", (int)target->width, (int)target->height,
                            target->is_cropped ? "shorter side, middle taken" : "both sides");
  else
    g_string_append_printf (text, "%d x %d as stored\n", (int)target->width, (int)target->height);
  if (target->channels == 3)
    report_count (text, loader->grey, "grey, repeated as red, green and blue");
  else
    report_count (text, loader->colour, "in colour, turned to grey");
  report_count (text, loader->alpha, "with transparency, which was left out");
  report_count (text, loader->cmyk, "of four inks, turned to red, green and blue");
  report_count (text, listing->others, "other files in the class folders, which were left out");
  g_string_append (text, "  labels:");
  for (guint k = 0; k < listing->classes->len; k++) {
    g_autofree char *name = lb_unpack_printable (g_ptr_array_index (listing->classes, k));

    g_string_append_printf (text, "%s %u %s (%d)", k ? "," : "", k, name,
                            (int)g_array_index (listing->counts, gint64, k));
  }
  g_string_append_c (text, '\n');
  lb_stage_report (stage, text->str);
}

static LbPacket *
new_packet (const Listing *listing, const ImageTarget *target)
{
  gint64 n = listing->images->len;
  LbTensor *images = lb_tensor_try_new (LB_U8, LB_SHAPE (n, target->channels, target->height, target->width));
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (n));
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "labels", labels);
  for (gint64 i = 0; i < n; i++)
    lb_tensor_i32 (labels)[i] = (gint32)((const ListedImage *)g_ptr_array_index (listing->images, i))->label;
  if (images)
    lb_packet_take (packet, "images", images);
  return packet;
}

static gboolean
folder_run (LbStage *stage, gpointer data, GError **error)
{
  Folder *self = data;
  ListingQuery query = query_of (self);
  g_autoptr (Listing) listing = listing_new (&query, error);
  g_autoptr (LbPacket) packet = NULL;
  LbTensor *images, *mean, *std;
  Loader loader = { .self = self,
                    .listing = listing,
                    .target = { .channels = channels_of (self),
                                .height = lb_stage_dim (stage, "h"),
                                .width = lb_stage_dim (stage, "w"),
                                .is_resized = self->size > 0,
                                .is_cropped = g_str_equal (self->fit, "crop") } };

  if (!listing)
    return FALSE;
  packet = new_packet (listing, &loader.target);
  if (!(images = lb_packet_get (packet, "images")))
    return lb_input_error (self->path, error, "there is no memory for %u images; set a smaller 'size', or 'classes'",
                           listing->images->len);
  loader.images = lb_tensor_u8 (images);
  if (!load_all (&loader, stage, error)
      || !lb_normalisation_make (&self->normalisation, self->path, images, &mean, &std, error))
    return FALSE;
  lb_packet_take (packet, "mean", mean);
  lb_packet_take (packet, "std", std);
  report (stage, &loader);
  return lb_stage_push (stage, "samples", g_steal_pointer (&packet), error);
}

const LbStageType image_folder_type = {
  .name = "image-folder",
  .summary = "Reads PNG and JPEG images in class folders, or a tar file of them, resized",
  .description
  = "Class = folder: [.../][SPLIT/]CLASS/FILE, in a folder or in a tar file, which is read without unpacking it. "
    "Classes "
    "and images are sorted by name, so that both give the same set. Images are resized as they are decoded, with a "
    "triangle filter that is as wide as the reduction (what Pillow calls bilinear), and carried as u8. What was done "
    "to "
    "them (grey repeated as colour, transparency left out), and which label is which class, is in the report.\n\n"
    "Orientation in EXIF data is not applied. A damaged image stops the run with its name. Folders of a synthetic set "
    "are read in the same way, without "
    "'size'; give them the normalisation of the real one. Checking a pipeline lists a compressed tar file, which takes "
    "as "
    "long as unpacking it.",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Folder),
  .configure = folder_configure,
  .run = folder_run,
};
