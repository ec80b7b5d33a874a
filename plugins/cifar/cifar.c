/* cifar: CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning multiple layers of features from tiny images", 2009), in the
 * binary version: records of one label (CIFAR-100: coarse and fine) and 32 x 32 pixels, first all red, then green, then
 * blue. Read from a folder, or from the .tar.gz as it was published.
 *
 * The sets have a fixed number of images, so a file that is a record short is known to be damaged.
 */
#include "limbeck.h"

#include <string.h>
#include <unistd.h>

#define CHANNELS    3
#define SIDE        32
#define PIXEL_BYTES (CHANNELS * SIDE * SIDE)
#define MAX_FILES   5

typedef struct {
  char *path, *set, *split, *labels;
  LbNormalisation normalisation;
} Cifar;

static const char *const sets[] = { "cifar10", "cifar100", NULL };
static const char *const splits[] = { "train", "test", NULL };
static const char *const label_kinds[] = { "fine", "coarse", NULL };

static const LbProperty properties[] = {
  LB_PATH (Cifar, path, "path", NULL,
           "Folder of the binary version (or the one above it), or its .tar.gz as published"),
  LB_CHOICE (Cifar, set, "set", "cifar10", sets, "Which of the two sets"),
  LB_CHOICE (Cifar, split, "split", "train", splits, "50,000 images to train with, or 10,000 to test"),
  LB_CHOICE (Cifar, labels, "labels", "fine", label_kinds, "For CIFAR-100: its 100 classes, or the 20 coarse ones"),
  LB_CHOICE (Cifar, normalisation.choice, "normalisation", "given", lb_normalisations, LB_NORMALISATION_DOC),
  LB_NUMBERS (Cifar, normalisation.mean, "mean", "[]", 0, 1, NULL, LB_MEAN_DOC),
  LB_NUMBERS (Cifar, normalisation.std, "std", "[]", 1e-6, 1e6, NULL, LB_STD_DOC),
  LB_PROPERTIES_END,
};

static const LbPort outputs[] = {
  { "samples", "samples", "n c=3 h=32 w=32 classes least", 0, "The images as stored (u8), in file order" },
  LB_PORTS_END,
};

/* The files of one split: what is known of them before they are opened. */
typedef struct {
  const char *folder; /* that the published archive makes */
  const char *files[MAX_FILES];
  guint n_files;
  gint64 images;     /* in each file */
  guint label_bytes; /* before each image */
  guint label_at;    /* of these */
  guint8 classes;
} Split;

static Split
find_split (const Cifar *self)
{
  gboolean is_train = g_str_equal (self->split, "train"), is_coarse = g_str_equal (self->labels, "coarse");

  if (g_str_equal (self->set, "cifar100"))
    return (Split){
      "cifar-100-binary",  { is_train ? "train.bin" : "test.bin" }, 1, is_train ? 50000 : 10000, 2, is_coarse ? 0 : 1,
      is_coarse ? 20 : 100
    };
  if (is_train)
    return (
        Split){ "cifar-10-batches-bin",
                { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin" },
                5,
                10000,
                1,
                0,
                10 };
  return (Split){ "cifar-10-batches-bin", { "test_batch.bin" }, 1, 10000, 1, 0, 10 };
}

/* ---- Records ---- */

/* Bytes of one file, from a folder or an archive. */
typedef struct {
  const char *place;
  GInputStream *stream;
  LbUnpack *unpack;
} Bytes;

static gboolean
read_bytes (Bytes *bytes, gpointer to, gsize length, gsize *got, GError **error)
{
  g_autoptr (GError) reason = NULL;

  if (bytes->unpack)
    return lb_unpack_read (bytes->unpack, to, length, got, error);
  return g_input_stream_read_all (bytes->stream, to, length, got, NULL, &reason)
         || lb_input_error (bytes->place, error, "cannot be read to its end: %s; get the file again", reason->message);
}

/* Reads all records of one file to @images and @labels. */
static gboolean
read_records (const Split *split, Bytes *bytes, guint8 *images, gint32 *labels, GError **error)
{
  guint8 record[2 + PIXEL_BYTES];
  gsize length = split->label_bytes + PIXEL_BYTES, got = 0;

  for (gint64 i = 0; i < split->images; i++) {
    if (!read_bytes (bytes, record, length, &got, error))
      return FALSE;
    if (got < length)
      return lb_input_error (bytes->place, error,
                             "ends in image %" G_GINT64_FORMAT ", where %" G_GINT64_FORMAT " images of %" G_GSIZE_FORMAT
                             " bytes were expected; the file is truncated, or not of the "
                             "set that 'set' names",
                             i, split->images, length);
    if (record[split->label_at] >= split->classes)
      return lb_input_error (bytes->place, error,
                             "the label of image %" G_GINT64_FORMAT
                             " is %u, where 0 to %u was expected; the file is damaged, or not of the set that 'set' "
                             "names",
                             i, record[split->label_at], split->classes - 1);
    labels[i] = record[split->label_at];
    memcpy (images + i * PIXEL_BYTES, record + split->label_bytes, PIXEL_BYTES);
  }
  if (!read_bytes (bytes, record, 1, &got, error))
    return FALSE;
  return got == 0
         || lb_input_error (bytes->place, error,
                            "goes on after %" G_GINT64_FORMAT " images of %" G_GSIZE_FORMAT
                            " bytes; the file is damaged, or not of the set that 'set' "
                            "names",
                            split->images, length);
}

/* ---- Folders and archives ---- */

/* PATH/FILE, or PATH/FOLDER/FILE when only that is there; free with g_free(). */
static char *
file_in_folder (const Cifar *self, const Split *split, guint index)
{
  g_autofree char *direct = g_build_filename (self->path, split->files[index], NULL);
  g_autofree char *below = g_build_filename (self->path, split->folder, split->files[index], NULL);

  return !g_file_test (direct, G_FILE_TEST_EXISTS) && g_file_test (below, G_FILE_TEST_EXISTS)
             ? g_steal_pointer (&below)
             : g_steal_pointer (&direct);
}

/* The part of @images and @labels that is for file @index. */
static gboolean
read_file (const Split *split, guint index, Bytes *bytes, LbTensor *images, LbTensor *labels, GError **error)
{
  gint64 first = index * split->images;

  return read_records (split, bytes, lb_tensor_u8 (images) + first * PIXEL_BYTES, lb_tensor_i32 (labels) + first,
                       error);
}

static gboolean
read_folder (const Cifar *self, const Split *split, LbTensor *images, LbTensor *labels, GError **error)
{
  for (guint i = 0; i < split->n_files; i++) {
    g_autofree char *path = file_in_folder (self, split, i);
    g_autoptr (GInputStream) stream = lb_unpack_stream (path, NULL, error);
    Bytes bytes = { path, stream, NULL };

    if (!stream || !read_file (split, i, &bytes, images, labels, error))
      return FALSE;
  }
  return TRUE;
}

/* Which of the files @member is; n_files when it is none. */
static guint
find_member (const Split *split, const LbUnpackMember *member)
{
  const char *slash = strrchr (member->name, '/'), *name = slash ? slash + 1 : member->name;
  guint i = 0;

  while (i < split->n_files && !(member->is_file && g_str_equal (name, split->files[i])))
    i++;
  return i;
}

static gboolean
read_archive (const Cifar *self, const Split *split, LbTensor *images, LbTensor *labels, GError **error)
{
  g_autoptr (LbUnpack) unpack
      = lb_unpack_open (self->path, LB_UNPACK_TAR, "a tar file of the binary version of CIFAR", error);
  gboolean is_read[MAX_FILES] = { FALSE };
  const LbUnpackMember *member = NULL;

  if (!unpack)
    return FALSE;
  for (;;) {
    if (!lb_unpack_next (unpack, &member, error))
      return FALSE;
    if (!member)
      break;
    guint i = find_member (split, member);
    if (i == split->n_files)
      continue;
    g_autofree char *place = g_strdup_printf ("%s: member %s", self->path, split->files[i]);
    Bytes bytes = { place, NULL, unpack };
    if (is_read[i])
      return lb_input_error (place, error, "stands in the file twice; get the file again");
    if (!read_file (split, i, &bytes, images, labels, error))
      return FALSE;
    is_read[i] = TRUE;
  }
  for (guint i = 0; i < split->n_files; i++)
    if (!is_read[i])
      return lb_input_error (self->path, error,
                             "has no member '%s'; expected the binary version of the set that 'set' names",
                             split->files[i]);
  return TRUE;
}

/* ---- The stage ---- */

/* Looks at sizes alone: unpacking an archive takes seconds. */
static gboolean
check_files (const Cifar *self, const Split *split, GError **error)
{
  gboolean is_folder = g_file_test (self->path, G_FILE_TEST_IS_DIR);
  guint64 expected = (guint64)split->images * (split->label_bytes + PIXEL_BYTES);

  for (guint i = 0; i < (is_folder ? split->n_files : 1); i++) {
    g_autofree char *path = is_folder ? file_in_folder (self, split, i) : g_strdup (self->path);
    guint64 size = 0;
    int descriptor = lb_file_open (path, &size, error);

    if (descriptor < 0)
      return FALSE;
    close (descriptor);
    if (is_folder && size != expected)
      return lb_input_error (path, error,
                             "has %" G_GUINT64_FORMAT " bytes, where %" G_GUINT64_FORMAT
                             " were expected; the file is truncated, or not of the set that 'set' names",
                             size, expected);
  }
  return TRUE;
}

static gboolean
cifar_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Cifar *self = data;
  Split split = find_split (self);
  gint64 n = split.n_files * split.images;
  g_autofree char *problem = NULL;
  const char *property = lb_normalisation_check (&self->normalisation, CHANNELS, &problem);

  if (property)
    return lb_configure_property_error (configure, property, error, "%s", problem);
  if (g_str_equal (self->set, "cifar10") && g_str_equal (self->labels, "coarse"))
    return lb_configure_property_error (configure, "labels", error,
                                        "is 'coarse', but CIFAR-10 has one kind of labels; leave it out");
  lb_configure_set_output_dtype (configure, "samples", "images", LB_U8);
  lb_configure_set_output_packets (configure, "samples", 1);
  lb_configure_cost (configure, 0, 0);
  return check_files (self, &split, error)
         && lb_configure_set_dim (configure, "n", n, error)
         /* All classes have as many. */
         && lb_configure_set_dim (configure, "least", n / split.classes, error)
         && lb_configure_set_dim (configure, "classes", split.classes, error);
}

static gboolean
cifar_run (LbStage *stage, gpointer data, GError **error)
{
  Cifar *self = data;
  Split split = find_split (self);
  gint64 n = split.n_files * split.images;
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (n, CHANNELS, SIDE, SIDE));
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (n)), *mean, *std;
  g_autoptr (LbPacket) packet = lb_packet_new ();

  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", labels);
  if (!(g_file_test (self->path, G_FILE_TEST_IS_DIR) ? read_folder : read_archive) (self, &split, images, labels, error)
      || !lb_normalisation_make (&self->normalisation, self->path, images, &mean, &std, error))
    return FALSE;
  lb_packet_take (packet, "mean", mean);
  lb_packet_take (packet, "std", std);
  return lb_stage_push (stage, "samples", g_steal_pointer (&packet), error);
}

static const LbStageType cifar_type = {
  .name = "cifar",
  .summary = "Reads CIFAR-10 or CIFAR-100 (binary version)",
  .description
  = "Reads the training or the test images with their labels from the files of the binary version, in a folder or "
    "still "
    "in the .tar.gz that is published at https://www.cs.toronto.edu/~kriz/cifar.html, and sends them as one packet. A "
    "file that has not exactly the published number of images is refused.",
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Cifar),
  .configure = cifar_configure,
  .run = cifar_run,
  .flags = LB_STAGE_CHEAP,
};

LB_DEFINE_PLUGIN ("cifar", "1.0", "LGPL-2.1-or-later", &cifar_type);
