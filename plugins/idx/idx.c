/* idx: reads a data set in the IDX format of MNIST and its relatives (LeCun, Cortes, Burges; Fashion-MNIST: Xiao et
 * al., arXiv 1708.07747): two files, of images and of labels, plain or compressed with gzip.
 *
 * Nothing in the files is believed: the header's sizes are compared with the bytes that are there before memory is
 * taken for them, and every byte must be accounted for.
 */
#include "limbeck.h"

#include <gio/gio.h>
#include <math.h>
#include <string.h>

#define IMAGES_MARK 0x00000803u /* unsigned bytes, three dimensions */
#define LABELS_MARK 0x00000801u
#define MAX_SIDE    16384
#define MAX_BYTES   (G_GUINT64_CONSTANT (16) << 30)
#define GZIP_FACTOR 1040 /* deflate cannot do better than 1032 : 1 */

typedef struct {
  char *images, *labels;
  gint64 classes, limit;
  GArray *mean, *std;
} Idx;

static const LbProperty properties[] = {
  LB_PATH (Idx, images, "images", NULL, "IDX file of images (u8, three dimensions), plain or .gz"),
  LB_PATH (Idx, labels, "labels", NULL, "IDX file of their labels (u8, one dimension), plain or .gz"),
  LB_INTEGER (Idx, classes, "classes", "10", 1, 256, "classes", "Number of classes; labels are 0 to classes - 1"),
  LB_INTEGER (Idx, limit, "limit", "0", 0, G_MAXINT32, "images", "Only the first so many images; 0 takes all"),
  LB_NUMBERS (Idx, mean, "mean", "[]", 0, 1, NULL,
              "Mean to normalise with, of values scaled to [0, 1]; left out: computed from the images read"),
  LB_NUMBERS (Idx, std, "std", "[]", 1e-6, 1e6, NULL,
              "Standard deviation to normalise with; left out: computed from the images read"),
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

/* Opens @path, through gunzip when it begins as gzip does. *@most is an upper bound of the bytes it can hold. */
static GInputStream *
open_stream (const char *path, guint64 *most, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) reason = NULL;
  g_autoptr (GFileInputStream) plain = g_file_read (file, NULL, &reason);
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GInputStream) buffered = NULL;
  const guint8 *start;
  gsize n = 0;

  if (plain)
    info = g_file_input_stream_query_info (plain, G_FILE_ATTRIBUTE_STANDARD_SIZE, NULL, &reason);
  if (info) {
    buffered = g_buffered_input_stream_new_sized (G_INPUT_STREAM (plain), 65536);
    g_buffered_input_stream_fill (G_BUFFERED_INPUT_STREAM (buffered), -1, NULL, &reason);
  }
  if (reason) {
    lb_input_error (path, error, "cannot be read: %s; expected an IDX file", reason->message);
    return NULL;
  }

  *most = (guint64)g_file_info_get_size (info);
  start = g_buffered_input_stream_peek_buffer (G_BUFFERED_INPUT_STREAM (buffered), &n);
  if (n < 2 || start[0] != 0x1f || start[1] != 0x8b)
    return g_steal_pointer (&buffered);

  g_autoptr (GConverter) gunzip = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP));
  *most = *most * GZIP_FACTOR + 65536;
  return g_converter_input_stream_new (buffered, gunzip);
}

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
  file->stream = open_stream (path, &most, error);
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

/* The first @keep bytes of data. Reads on to the end, to see that the file holds what its header promises and no more.
 */
static guint8 *
read_data (IdxFile *file, gsize keep, GError **error)
{
  g_autofree guint8 *data = g_try_malloc (keep);
  guint8 chunk[65536];
  gssize more;

  if (!data) {
    lb_input_error (file->path, error, "there is no memory for %" G_GSIZE_FORMAT " bytes of data; set 'limit'", keep);
    return NULL;
  }
  if (!read_exactly (file, data, keep, "what its header promises", error))
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
static guint8 *
read_labels (const Idx *self, IdxFile *file, GError **error)
{
  g_autofree guint8 *values = read_data (file, file->bytes, error);

  for (guint64 i = 0; values && i < file->bytes; i++)
    if (values[i] >= self->classes) {
      lb_input_error (file->path, error, "label %" G_GUINT64_FORMAT " is %u; expected 0 to %d, as 'classes' is %d", i,
                      values[i], (int)self->classes - 1, (int)self->classes);
      return NULL;
    }
  return g_steal_pointer (&values);
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
  g_autofree guint8 *values = NULL;

  if (self->mean->len > 1 || self->std->len > 1)
    return lb_configure_property_error (configure, self->mean->len > 1 ? "mean" : "std", error,
                                        "more than one number is given, but IDX images have one channel; give one");
  lb_configure_set_output_dtype (configure, "samples", "images", LB_U8);
  lb_configure_set_output_packets (configure, "samples", 1);
  if (!open_both (self, &images, &labels, error) || !(values = read_labels (self, &labels, error)))
    return FALSE;
  /* Beside its packet: the labels as stored. */
  lb_configure_cost (configure, 0, (double)labels.bytes);
  return lb_configure_set_dim (configure, "n", n_used (self, &images), error)
         && lb_configure_set_dim (configure, "least", smallest_class (self, values, n_used (self, &images)), error)
         && lb_configure_set_dim (configure, "h", images.dim[1], error)
         && lb_configure_set_dim (configure, "w", images.dim[2], error)
         && lb_configure_set_dim (configure, "classes", self->classes, error);
}

/* Mean and standard deviation of values scaled to [0, 1], from how often each of the 256 values occurs: exact at any
 * size. */
static void
mean_and_std (const guint8 *values, gsize n, double *mean, double *std)
{
  guint64 count[256] = { 0 };
  double sum = 0, squares = 0;

  for (gsize i = 0; i < n; i++)
    count[values[i]]++;
  for (guint u = 0; u < 256; u++)
    sum += (double)count[u] * u / 255;
  *mean = sum / (double)n;
  for (guint u = 0; u < 256; u++)
    squares += (double)count[u] * (u / 255.0 - *mean) * (u / 255.0 - *mean);
  *std = sqrt (squares / (double)n);
}

static gboolean
set_normalisation (const Idx *self, LbPacket *packet, GError **error)
{
  LbTensor *images = lb_packet_get (packet, "images");
  LbTensor *means = lb_tensor_new (LB_F32, LB_SHAPE (1)), *stds = lb_tensor_new (LB_F32, LB_SHAPE (1));
  double mean = 0, std = 0;

  lb_packet_take (packet, "mean", means);
  lb_packet_take (packet, "std", stds);
  if (!self->mean->len || !self->std->len)
    mean_and_std (lb_tensor_u8 (images), lb_tensor_bytes (images), &mean, &std);
  if (self->mean->len)
    mean = g_array_index (self->mean, double, 0);
  if (self->std->len)
    std = g_array_index (self->std, double, 0);
  if (std == 0)
    return lb_input_error (self->images, error,
                           "all pixels have the same value, so there is no deviation to normalise with; give "
                           "'std' if that is what you want");
  lb_tensor_f32 (means)[0] = (float)mean;
  lb_tensor_f32 (stds)[0] = (float)std;
  return TRUE;
}

/* Takes the first @n labels over into the packet. */
static gboolean
set_labels (const Idx *self, IdxFile *file, gint64 n, LbPacket *packet, GError **error)
{
  g_autofree guint8 *values = read_labels (self, file, error);
  LbTensor *labels;

  if (!values)
    return FALSE;
  labels = lb_tensor_new (LB_I32, LB_SHAPE (n));
  for (gint64 i = 0; i < n; i++)
    lb_tensor_i32 (labels)[i] = values[i];
  lb_packet_take (packet, "labels", labels);
  return TRUE;
}

static gboolean
idx_run (LbStage *stage, gpointer data, GError **error)
{
  Idx *self = data;
  g_auto (IdxFile) images = { 0 }, labels = { 0 };
  g_autoptr (LbPacket) packet = lb_packet_new ();
  gint64 n, height, width;
  guint8 *pixels;

  if (!open_both (self, &images, &labels, error))
    return FALSE;
  n = n_used (self, &images);
  height = images.dim[1];
  width = images.dim[2];
  pixels = read_data (&images, (gsize)(n * height * width), error);
  if (!pixels)
    return FALSE;
  lb_packet_take (packet, "images", lb_tensor_wrap (LB_U8, LB_SHAPE (n, 1, height, width), pixels, pixels, g_free));
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
};

LB_DEFINE_PLUGIN ("idx", "1.0", "LGPL-2.1-or-later", &idx_type);
