/* The cifar stage: records of the published number, in a folder or a tar file, and files that are not. */
#include "plugins/harness.h"

#include <archive.h>
#include <archive_entry.h>

#define PIXELS 3072

typedef struct {
  char *directory;
  GPtrArray *files; /* written there */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->directory = g_dir_make_tmp ("limbeck-cifar-XXXXXX", NULL);
  fixture->files = g_ptr_array_new_with_free_func (g_free);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < fixture->files->len; i++)
    g_unlink (g_ptr_array_index (fixture->files, i));
  g_assert_cmpint (g_rmdir (fixture->directory), ==, 0);
  g_ptr_array_unref (fixture->files);
  g_free (fixture->directory);
}

/* Image @i of a file: labels, then pixel p of channel k is i + 50 k + p. */
static void
fill_record (guint8 *record, guint label_bytes, gsize i)
{
  record[0] = (guint8)(label_bytes == 1 ? i % 10 : i % 20);
  if (label_bytes == 2)
    record[1] = (guint8)(i % 100);
  for (gsize p = 0; p < PIXELS; p++)
    record[label_bytes + p] = (guint8)(i + p / 1024 * 50 + p % 1024);
}

static guint8 *
make_records (guint label_bytes, gsize n)
{
  guint8 *bytes = g_malloc (n * (label_bytes + PIXELS));

  for (gsize i = 0; i < n; i++)
    fill_record (bytes + i * (label_bytes + PIXELS), label_bytes, i);
  return bytes;
}

static char *
put (Fixture *fixture, const char *name, gconstpointer data, gsize length)
{
  char *path = g_build_filename (fixture->directory, name, NULL);
  FILE *file = g_fopen (path, "w");

  g_assert_cmpuint (fwrite (data, 1, length, file), ==, length);
  g_assert_cmpint (fclose (file), ==, 0);
  g_ptr_array_add (fixture->files, path);
  return path;
}

static void
check_image (LbPacket *packet, gsize i, int label)
{
  const guint8 *image = lb_tensor_u8 (lb_packet_get (packet, "images")) + i * PIXELS;
  guint8 record[1 + PIXELS];

  fill_record (record, 1, i);
  g_assert_cmpmem (image, PIXELS, record + 1, PIXELS);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[i], ==, label);
}

static void
test_cifar10_test_set (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new ("cifar");
  g_autofree guint8 *bytes = make_records (1, 10000);

  put (fixture, "test_batch.bin", bytes, 10000 * 3073);
  lb_harness_set (h, "path", fixture->directory);
  lb_harness_set (h, "split", "test");
  lb_harness_set (h, "normalisation", "cifar10");
  harness_run_well (h);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (packet, "images")), LB_SHAPE (10000, 3, 32, 32)));
  check_image (packet, 0, 0);
  check_image (packet, 9999, 9);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (packet, "mean"))[1], ==, 0.4822f);
}

static void
add_member (struct archive *tar, const char *name, gconstpointer data, gsize length)
{
  struct archive_entry *entry = archive_entry_new ();

  archive_entry_set_pathname (entry, name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_entry_set_size (entry, (la_int64_t)length);
  g_assert_cmpint (archive_write_header (tar, entry), ==, ARCHIVE_OK);
  g_assert_cmpint (archive_write_data (tar, data, length), ==, length);
  archive_entry_free (entry);
}

/* CIFAR-100's test set, as it is published. */
static char *
put_archive (Fixture *fixture, const char *member, gsize images)
{
  g_autofree guint8 *bytes = make_records (2, images);
  char *path = g_build_filename (fixture->directory, "cifar-100-binary.tar.gz", NULL);
  struct archive *tar = archive_write_new ();

  archive_write_set_format_ustar (tar);
  archive_write_add_filter_gzip (tar);
  archive_write_set_options (tar, "compression-level=1");
  g_assert_cmpint (archive_write_open_filename (tar, path), ==, ARCHIVE_OK);
  add_member (tar, "cifar-100-binary/coarse_label_names.txt", "x\n", 2);
  add_member (tar, member, bytes, images * 3074);
  g_assert_cmpint (archive_write_free (tar), ==, ARCHIVE_OK);
  g_ptr_array_add (fixture->files, path);
  return path;
}

static LbHarness *
cifar100 (const char *path, const char *labels)
{
  LbHarness *h = lb_harness_new ("cifar");

  lb_harness_set (h, "path", path);
  lb_harness_set (h, "set", "cifar100");
  lb_harness_set (h, "split", "test");
  lb_harness_set (h, "labels", labels);
  return h;
}

static void
test_cifar100_archive (Fixture *fixture, gconstpointer data)
{
  const char *path = put_archive (fixture, "cifar-100-binary/test.bin", 10000);
  g_autoptr (LbHarness) fine = cifar100 (path, "fine"), coarse = cifar100 (path, "coarse");

  harness_run_well (fine);
  check_image (lb_harness_output (fine, "samples", 0), 0, 0);
  check_image (lb_harness_output (fine, "samples", 0), 9999, 99);
  harness_run_well (coarse);
  check_image (lb_harness_output (coarse, "samples", 0), 9999, 19);
}

/* The training set of CIFAR-10 is five files, all of which must be there. */
static void
test_five_batches (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new ("cifar"), missing = lb_harness_new ("cifar");
  g_autofree guint8 *bytes = make_records (1, 10000);
  g_autofree char *message = NULL;
  const char *path = NULL;

  for (int i = 1; i <= 5; i++) {
    g_autofree char *name = g_strdup_printf ("data_batch_%d.bin", i);
    bytes[0] = (guint8)i;
    path = put (fixture, name, bytes, 10000 * 3073);
  }
  lb_harness_set (h, "path", fixture->directory);
  harness_run_well (h);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (packet, "images"), 0), ==, 50000);
  for (int i = 0; i < 5; i++)
    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[i * 10000], ==, i + 1);
  g_unlink (path);
  lb_harness_set (missing, "path", fixture->directory);
  message = g_strdup_printf ("%s: cannot be read: there is no such file; check the path", path);
  harness_refuses (missing, LB_ERROR_INPUT, message);
}

static void
test_refuses_damaged_files (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbHarness) shorter = lb_harness_new ("cifar"), label = lb_harness_new ("cifar"),
                        coarse = lb_harness_new ("cifar");
  g_autofree guint8 *bytes = make_records (1, 10000);
  const char *path = put (fixture, "test_batch.bin", bytes, 9999 * 3073);
  g_autofree char *first
      = g_strdup_printf ("%s: has 30726927 bytes, where 30730000 were expected; the file is truncated, "
                         "or not of the set that 'set' names",
                         path);
  g_autofree char *second = g_strdup_printf ("%s: the label of image 7 is 10, where 0 to 9 was expected; the file is "
                                             "damaged, or not of the set that 'set' names",
                                             path);

  lb_harness_set (shorter, "path", fixture->directory);
  lb_harness_set (shorter, "split", "test");
  harness_refuses (shorter, LB_ERROR_INPUT, first);
  bytes[7 * 3073] = 10;
  put (fixture, "test_batch.bin", bytes, 10000 * 3073);
  lb_harness_set (label, "path", fixture->directory);
  lb_harness_set (label, "split", "test");
  harness_refuses (label, LB_ERROR_INPUT, second);
  lb_harness_set (coarse, "path", fixture->directory);
  lb_harness_set (coarse, "labels", "coarse");
  harness_refuses (coarse, LB_ERROR_PIPELINE,
                   "property 'labels': is 'coarse', but CIFAR-10 has one kind of labels; leave it out");
}

static void
refuses_archive (const char *path, const char *message)
{
  g_autoptr (LbHarness) h = cifar100 (path, "fine");
  g_autofree char *whole = g_strdup_printf ("%s: %s", path, message);

  harness_refuses (h, LB_ERROR_INPUT, whole);
}

static void
test_refuses_damaged_archives (Fixture *fixture, gconstpointer data)
{
  refuses_archive (put_archive (fixture, "cifar-100-binary/test.bin", 10001),
                   "member test.bin: goes on after 10000 images of 3074 bytes; the file is damaged, or not of the set "
                   "that 'set' names");
  refuses_archive (put_archive (fixture, "cifar-100-binary/test.bin", 12),
                   "member test.bin: ends in image 12, where 10000 images of 3074 bytes were expected; the file is "
                   "truncated, or not of the set that 'set' names");
  refuses_archive (put_archive (fixture, "cifar-10-batches-bin/test_batch.bin", 1),
                   "has no member 'test.bin'; expected the binary version of the set that 'set' names");
}

/* Cut off or changed anywhere, an archive is refused: gzip has a checksum. */
static void
test_hostile_archives (Fixture *fixture, gconstpointer data)
{
  const char *path = put_archive (fixture, "cifar-100-binary/test.bin", 10000);
  g_autofree char *bytes = NULL;
  LbRandom random = lb_random (lb_key (8));
  gsize length;

  g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
  for (int i = 0; i < 24; i++) {
    gsize at = lb_random_below (&random, (guint32)length);
    g_autoptr (LbHarness) h = cifar100 (path, "fine");
    g_autoptr (GError) error = NULL;
    char kept;
    FILE *file = g_fopen (path, "w");

    /* Nothing guards the time and the system that a gzip file tells of at its beginning. */
    at = MAX (at, 10);
    kept = bytes[at];
    bytes[at] ^= (char)(1 << i % 8);
    fwrite (bytes, 1, i % 2 ? length : at, file);
    fclose (file);
    bytes[at] = kept;
    g_assert_false (lb_harness_run (h, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_true (g_str_has_prefix (error->message, path));
  }
}

#define ADD(name, function) g_test_add ("/cifar/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("reads-cifar-10-from-a-folder", test_cifar10_test_set);
  ADD ("reads-cifar-100-from-its-archive", test_cifar100_archive);
  ADD ("reads-all-five-batches", test_five_batches);
  ADD ("refuses-damaged-files", test_refuses_damaged_files);
  ADD ("refuses-damaged-archives", test_refuses_damaged_archives);
  ADD ("refuses-archives-cut-off-or-changed-anywhere", test_hostile_archives);
  return g_test_run ();
}
