/* idx: reads a data set in the IDX format of MNIST and its relatives (LeCun, Cortes, Burges; Fashion-MNIST: Xiao et
 * al., arXiv 1708.07747): two files, of images and of labels, plain or compressed with gzip.
 *
 * Nothing in the files is believed: the header's sizes are compared with the bytes that are there before memory is
 * taken for them, and every byte must be accounted for.
 */
#include "limbeck.h"

#include <string.h>

#define IMAGES_MARK 0x00000803u /* unsigned bytes, three dimensions */
#define LABELS_MARK 0x00000801u
#define MAX_SIDE    16384
#define MAX_BYTES   (G_GUINT64_CONSTANT (16) << 30)

typedef struct {
  char *images, *labels;
  gint64 classes, limit;
  LbNormalisation normalisation;
} Idx;

static const LbProperty properties[] = {
  LB_PATH (Idx, images, "images", NULL, "IDX file of images (u8, three dimensions), plain or .gz"),
  LB_PATH (Idx, labels, "labels", NULL, "IDX file of their labels (u8, one dimension), plain or .gz"),
  LB_INTEGER (Idx, classes, "classes", "10", 1, 256, "classes", "Number of classes; labels are 0 to classes - 1"),
  LB_INTEGER (Idx, limit, "limit", "0", 0, G_MAXINT32, "images", "Only the first so many images; 0 takes all"),
  LB_CHOICE (Idx, normalisation.choice, "normalisation", "given", lb_normalisations, LB_NORMALISATION_DOC),
  LB_NUMBERS (Idx, normalisation.mean, "mean", "[]", 0, 1, NULL, LB_MEAN_DOC),
  LB_NUMBERS (Idx, normalisation.std, "std", "[]", 1e-6, 1e6, NULL, LB_STD_DOC),
  LB_PROPERTIES_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n c=1 h w classes least", 0, "The images as stored (u8), with their labels, in file order" },
  LB_PORTS_END,
};

/* ---- Files ---- */

/* An open IDX file whose header has been read. */
typedef struct {
  const char *path;
  GInputStream *stream; /* at the first element */
  guint32 dim[3];
  guint64 bytes; /* of the elements, as the header promises */
} IdxFile;

static void
idx_file_close (IdxFile *file)
{
  g_clear_object (&file->stream);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (IdxFile, idx_file_close)

/* Reads exactly @length bytes; @what names them. */
static gboolean
read_exactly (IdxFile *file, gpointer to, gsize length, const char *what, GError **error)
{
  g_autoptr (GError) reason = NULL;
  gsize got = 0;

  if (!g_input_stream_read_all (file->stream, to, length, &got, NULL, &reason))
    return lb_input_error (file->path, error,
                           "cannot be read to its end (%s); the file is truncated or damaged, get it again",
                           reason->message);
  if (got != length)
    return lb_input_error (file->path, error,
                           "ends %" G_GSIZE_FORMAT
                           " bytes short of %s; the file is truncated or its header is wrong, get it "
                           "again",
                           length - got, what);
  return TRUE;
}

/* Opens @path and reads its header: the mark, then @rank sizes, all big-endian 32-bit numbers. */
static gboolean
open_idx (IdxFile *file, const char *path, guint32 mark, guint rank, GError **error)
{
  guint64 most = 0;
  guint32 header[4];

  file->path = path;
  file->stream = lb_unpack_stream (path, &most, error);
  if (!file->stream || !read_exactly (file, header, 4 * (1 + rank), "an IDX header", error))
    return FALSE;
  if (GUINT32_FROM_BE (header[0]) != mark)
    return lb_input_error (path, error, "begins with 0x%08x; expected 0x%08x, the mark of an IDX file of %s%s",
                           GUINT32_FROM_BE (header[0]), mark, mark == IMAGES_MARK ? "images" : "labels",
                           (GUINT32_FROM_BE (header[0]) ^ mark) == 2 ? "; are 'images' and 'labels' exchanged?" : "");

  file->bytes = 1;
  for (guint i = 0; i < rank; i++) {
    guint32 dim = GUINT32_FROM_BE (header[1 + i]);

    if (dim == 0 || dim > (i ? MAX_SIDE : G_MAXINT32))
      return lb_input_error (path, error, "its header tells of %u %s; expected 1 to %d", dim,
                             i == 0   ? "entries"
                             : i == 1 ? "rows"
                                      : "columns",
                             i ? MAX_SIDE : G_MAXINT32);
    file->dim[i] = dim;
    file->bytes *= dim; /* below 2^31 * 2^14 * 2^14 */
  }
  if (file->bytes > most || file->bytes > MAX_BYTES)
    return lb_input_error (path, error,
                           "its header promises %" G_GUINT64_FORMAT
                           " bytes of data, more than %s; the file is truncated or its "
                           "header is wrong, get it again",
                           file->bytes, file->bytes > most ? "the file can hold" : "the 16 GiB that are supported");
  return TRUE;
}

/* The first bytes of data as a tensor of @shape. Reads on to the end, to see that the file holds what its header
 * promises and no more. */
static LbTensor *
read_data (IdxFile *file, LbShape shape, GError **error)
{
  g_autoptr (LbTensor) data = lb_tensor_try_new (LB_U8, shape);
  gsize keep = (gsize)lb_shape_size (shape);
  guint8 chunk[65536];
  gssize more;

  if (!data) {
    lb_input_error (file->path, error, "there is no memory for %" G_GSIZE_FORMAT " bytes of data; set 'limit'", keep);
    return NULL;
  }
  if (!read_exactly (file, lb_tensor_u8 (data), keep, "what its header promises", error))
    return NULL;
  for (guint64 left = file->bytes - keep; left > 0; left -= MIN (left, sizeof chunk))
    if (!read_exactly (file, chunk, MIN (left, sizeof chunk), "what its header promises", error))
      return NULL;

  g_autoptr (GError) reason = NULL;
  more = g_input_stream_read (file->stream, chunk, sizeof chunk, NULL, &reason);
  if (more != 0) {
    lb_input_error (file->path, error, "%s; the file is damaged or its header is wrong, get it again",
                    more > 0 ? "goes on after the data that its header promises" : reason->message);
    return NULL;
  }
  return g_steal_pointer (&data);
}

static gboolean
open_both (const Idx *self, IdxFile *images, IdxFile *labels, GError **error)
{
  if (!open_idx (images, self->images, IMAGES_MARK, 3, error)
      || !open_idx (labels, self->labels, LABELS_MARK, 1, error))
    return FALSE;
  if (labels->dim[0] != images->dim[0])
    return lb_input_error (self->labels, error,
                           "holds %u labels, but %s holds %u images; expected one label for each image", labels->dim[0],
                           self->images, images->dim[0]);
  return TRUE;
}

static gint64
n_used (const Idx *self, const IdxFile *images)
{
  return self->limit ? MIN (self->limit, images->dim[0]) : images->dim[0];
}

/* All labels of the file, checked. */
static LbTensor *
read_labels (const Idx *self, IdxFile *file, GError **error)
{
  g_autoptr (LbTensor) labels = read_data (file, LB_SHAPE ((gint64)file->bytes), error);
  const guint8 *values = labels ? lb_tensor_u8 (labels) : NULL;

  for (guint64 i = 0; values && i < file->bytes; i++)
    if (values[i] >= self->classes) {
      lb_input_error (file->path, error, "label %" G_GUINT64_FORMAT " is %u; expected 0 to %d, as 'classes' is %d", i,
                      values[i], (int)self->classes - 1, (int)self->classes);
      return NULL;
    }
  return g_steal_pointer (&labels);
}

/* Images of the class that has fewest among the first @n. */
static gint64
smallest_class (const Idx *self, const guint8 *labels, gint64 n)
{
  gint64 count[256] = { 0 }, least = n;

  for (gint64 i = 0; i < n; i++)
    count[labels[i]]++;
  for (gint64 k = 0; k < self->classes; k++)
    least = MIN (least, count[k]);
  return least;
}

/* ---- The stage ---- */

static gboolean
idx_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Idx *self = data;
  g_auto (IdxFile) images = { 0 }, labels = { 0 };
  g_autoptr (LbTensor) values = NULL;
  g_autofree char *problem = NULL;
  const char *property = lb_normalisation_check (&self->normalisation, 1, &problem);

  if (property)
    return lb_configure_property_error (configure, property, error, "%s", problem);
  lb_configure_set_output_dtype (configure, "samples", "images", LB_U8);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!open_both (self, &images, &labels, error) || !(values = read_labels (self, &labels, error)))
    return FALSE;
  /* Beside its packet: the labels as stored. */
  lb_configure_cost (configure, 0, (double)labels.bytes);
  return lb_configure_set_dim (configure, "n", n_used (self, &images), error)
         && lb_configure_set_dim (configure, "least",
                                  smallest_class (self, lb_tensor_u8 (values), n_used (self, &images)), error)
         && lb_configure_set_dim (configure, "h", images.dim[1], error)
         && lb_configure_set_dim (configure, "w", images.dim[2], error)
         && lb_configure_set_dim (configure, "classes", self->classes, error);
}

static gboolean
set_normalisation (const Idx *self, LbPacket *packet, GError **error)
{
  LbTensor *mean, *std;

  if (!lb_normalisation_make (&self->normalisation, self->images, lb_packet_get (packet, "images"), &mean, &std, error))
    return FALSE;
  lb_packet_take (packet, "mean", mean);
  lb_packet_take (packet, "std", std);
  return TRUE;
}

/* Takes the first @n labels over into the packet. */
static gboolean
set_labels (const Idx *self, IdxFile *file, gint64 n, LbPacket *packet, GError **error)
{
  g_autoptr (LbTensor) stored = read_labels (self, file, error);
  LbTensor *labels;

  if (!stored)
    return FALSE;
  labels = lb_tensor_new (LB_I32, LB_SHAPE (n));
  for (gint64 i = 0; i < n; i++)
    lb_tensor_i32 (labels)[i] = lb_tensor_u8 (stored)[i];
  lb_packet_take (packet, "labels", labels);
  return TRUE;
}

static gboolean
idx_run (LbStage *stage, gpointer data, GError **error)
{
  Idx *self = data;
  g_auto (IdxFile) images = { 0 }, labels = { 0 };
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *pixels;
  gint64 n;

  if (!open_both (self, &images, &labels, error))
    return FALSE;
  n = n_used (self, &images);
  if (!(pixels = read_data (&images, LB_SHAPE (n, 1, images.dim[1], images.dim[2]), error)))
    return FALSE;
  lb_packet_take (packet, "images", pixels);
  return set_labels (self, &labels, n, packet, error) && set_normalisation (self, packet, error)
         && lb_stage_push (stage, "samples", g_steal_pointer (&packet), error);
}

static const LbStageType idx_type = {
  .name = "idx",
  .summary = "Reads images and labels from IDX files (MNIST, Fashion-MNIST, KMNIST, ...)",
  .description
  = "Reads one IDX file of images and one of labels, plain or compressed with gzip, and sends them as one packet of "
    "samples. Images stay as stored; mean and std, computed from the images read unless given, say how a network "
    "normalises them. A file that does not hold exactly what its header promises is refused.",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Idx),
  .configure = idx_configure,
  .run = idx_run,
  .flags = LB_STAGE_CHEAP,
};

LB_DEFINE_PLUGIN ("idx", "1.0", "LGPL-2.1-or-later", &idx_type);
