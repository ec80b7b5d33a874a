/* Images, folders and tar files that are not what they should be: each is refused in one sentence, or read. */
#include "plugins/pictures.h"

/* Runs image-folder at 8 pixels; FALSE after a proper refusal. */
static gboolean
read_or_refuse (Tree *tree, const char *path)
{
  g_autoptr (LbHarness) h = image_folder (tree, path);
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "size", "8");
  if (lb_harness_run (h, &error))
    return TRUE;
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, path ? path : tree->directory));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  return FALSE;
}

/* Expects "DIRECTORY: @message"; @property, unless NULL, is set first. */
static void
assert_refused (Tree *tree, const char *property, const char *value, const char *message)
{
  g_autoptr (LbHarness) h = image_folder (tree, NULL);
  g_autofree char *whole = g_strdup_printf ("%s: %s", tree->directory, message);

  if (property)
    lb_harness_set (h, property, value);
  harness_refuses (h, LB_ERROR_INPUT, whole);
}

static void
assert_refuses_image (Tree *tree, GByteArray *bytes, const char *part)
{
  g_autoptr (LbHarness) h = image_folder (tree, NULL);
  g_autoptr (GError) error = NULL;

  tree_put (tree, "c/x.png", bytes);
  lb_harness_set (h, "size", "8");
  g_assert_false (lb_harness_run (h, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, ": c/x.png: "));
  if (!strstr (error->message, part))
    g_error ("'%s' does not say '%s'", error->message, part);
}

/* ---- Images ---- */

static GByteArray *
make_kind (int kind)
{
  switch (kind) {
  case 0:
    return make_png (1, 11, 9, rgb_png);
  case 1:
    return make_png (1, 11, 9, (PngKind){ PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_ADAM7 });
  case 2:
    return make_jpeg (1, 11, 9, 3, FALSE);
  default:
    return make_jpeg (1, 11, 9, 1, TRUE);
  }
}

static void
test_truncated (Tree *tree, gconstpointer data)
{
  for (int kind = 0; kind < 4; kind++) {
    g_autoptr (GByteArray) bytes = make_kind (kind);

    for (guint length = 0; length < bytes->len; length += length < 40 || length > bytes->len - 40 ? 1 : 5) {
      tree_put_bytes (tree, "c/x.png", bytes->data, length);
      if (read_or_refuse (tree, NULL))
        g_error ("kind %d was read from %u of %u bytes", kind, length, bytes->len);
    }
  }
}

static void
test_flipped (Tree *tree, gconstpointer data)
{
  LbRandom random = lb_random (lb_key (6));

  for (int kind = 0; kind < 4; kind++) {
    g_autoptr (GByteArray) bytes = make_kind (kind);
    guint refused = 0;

    for (guint i = 0; i < 200; i++) {
      guint at = lb_random_below (&random, bytes->len);
      guint8 kept = bytes->data[at];

      bytes->data[at] = (guint8)lb_random_below (&random, 256);
      tree_put_bytes (tree, "c/x.png", bytes->data, bytes->len);
      refused += !read_or_refuse (tree, NULL);
      bytes->data[at] = kept;
    }
    /* PNG has checksums; of a JPEG file most bytes are tables and headers. */
    g_assert_cmpuint (refused, >, kind < 2 ? 180 : 20);
  }
}

static guint32
crc_of (const guint8 *bytes, gsize n)
{
  guint32 crc = G_MAXUINT32;

  for (gsize i = 0; i < n; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

/* A PNG file whose header tells of other sizes, with the right checksum. */
static GByteArray *
png_that_says (guint32 width, guint32 height)
{
  GByteArray *bytes = make_png (1, 11, 9, rgb_png);
  guint32 numbers[] = { GUINT32_TO_BE (width), GUINT32_TO_BE (height) }, crc;

  memcpy (bytes->data + 16, numbers, 8);
  crc = GUINT32_TO_BE (crc_of (bytes->data + 12, 17));
  memcpy (bytes->data + 29, &crc, 4);
  return bytes;
}

static void
test_bombs (Tree *tree, gconstpointer data)
{
  GByteArray *jpeg = make_jpeg (1, 11, 9, 3, FALSE);
  guint8 *frame = jpeg->data;

  assert_refuses_image (tree, png_that_says (16384, 4096), "says to have 16384 x 4096 pixels, more than its ");
  assert_refuses_image (tree, png_that_says (16384, 16384),
                        "says to have 16384 x 16384 pixels; expected at most 16384 on a side and 67108864 in all");
  assert_refuses_image (tree, png_that_says (1000000, 2), "is no intact PNG image (");
  assert_refuses_image (tree, png_that_says (11, 10), "is no intact PNG image (");
  assert_refuses_image (tree, png_that_says (11, 8), "is no intact PNG image (");
  while (!(frame[0] == 0xff && frame[1] == 0xc0))
    frame++;
  memcpy (frame + 5, "\x40\x00\x20\x00", 4);
  assert_refuses_image (tree, jpeg, "says to have 8192 x 16384 pixels; expected at most");
}

/* A scan of a progressive image can be repeated without end. */
static void
test_scans_without_end (Tree *tree, gconstpointer data)
{
  g_autoptr (GByteArray) good = make_jpeg (1, 16, 16, 1, TRUE);
  GByteArray *bytes = g_byte_array_new ();
  guint start = 0, end;

  while (!(good->data[start] == 0xff && good->data[start + 1] == 0xda))
    start++;
  for (end = start + 2; !(good->data[end] == 0xff && good->data[end + 1] >= 0xc0); end++)
    ;
  g_byte_array_append (bytes, good->data, start);
  for (int i = 0; i < 300; i++)
    g_byte_array_append (bytes, good->data + start, end - start);
  g_byte_array_append (bytes, good->data + end, good->len - end);
  assert_refuses_image (tree, bytes, "is no intact JPEG image (more than 100 scans)");
}

static void
test_other_images (Tree *tree, gconstpointer data)
{
  assert_refuses_image (tree, g_byte_array_append (g_byte_array_new (), (const guint8 *)"GIF89a", 6),
                        "begins neither as PNG nor as JPEG; expected one of these, so convert it or get it again");
  assert_refuses_image (tree, make_png (1, 4, 4, (PngKind){ PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_NONE }),
                        "is a PNG image of 16 bits a channel; expected at most 8, so convert it");
}

/* ---- Folders ---- */

static void
test_mixed_sizes (Tree *tree, gconstpointer data)
{
  tree_put (tree, "c/1.png", make_png (1, 8, 8, rgb_png));
  tree_put (tree, "c/2.png", make_png (1, 8, 9, rgb_png));
  assert_refused (tree, NULL, NULL,
                  "c/2.png: has 8 x 9 pixels, where 8 x 8 were expected, as the first image has; set 'size', so that "
                  "all are resized to it");
}

static void
test_folders (Tree *tree, gconstpointer data)
{
  g_autofree char *empty = g_build_filename (tree->directory, "d", NULL);
  g_autofree char *link = g_build_filename (tree->directory, "c", "link.png", NULL);

  assert_refused (tree, NULL, NULL,
                  "has no images (.png, .jpg, .jpeg) in class folders; expected CLASS/FILE, so check the path");
  tree_put (tree, "c/1.png", make_png (1, 8, 8, rgb_png));
  assert_refused (
      tree, "split", "train",
      "has no images (.png, .jpg, .jpeg) in class folders below 'train'; expected SPLIT/CLASS/FILE, so check "
      "the path and 'split'");
  assert_refused (tree, "classes", "c,e", "has no class folder 'e', which 'classes' names; it has 1, the first is 'c'");
  assert_refused (tree, "classes", "c,c", "'classes' names 'c' twice; name it once");
  assert_refused (tree, "first-classes", "2",
                  "has 1 class folders, fewer than 'first-classes' asks for; ask for fewer");
  g_assert_cmpint (g_mkdir (empty, 0777), ==, 0);
  assert_refused (tree, NULL, NULL, "class folder 'd' has no images; remove it, or leave it out of 'classes'");
  g_assert_cmpint (symlink ("nowhere.png", link), ==, 0);
  assert_refused (tree, "classes", "c",
                  "'c/link.png' is a link or a device; expected a regular file, so put a copy in its place");
  g_unlink (link);
  tree_put (tree, "d/e/1.png", make_png (1, 8, 8, rgb_png));
  assert_refused (
      tree, NULL, NULL,
      "has class folders in '' and in 'd/'; expected them in one folder, so name one of the two with 'split' "
      "(such as train)");
  tree_put (tree, "t/c/1.png", make_png (1, 8, 8, rgb_png));
  tree_put (tree, "t/c/f/1.png", make_png (1, 8, 8, rgb_png));
  assert_refused (tree, "split", "t",
                  "has the image 't/c/f/1.png' in a folder inside a class folder; expected CLASS/FILE");
}

/* ---- Tar files ---- */

static void
refuses_tar (Tree *tree, const TarMember *members, guint n, const char *message)
{
  g_autofree char *path = tree_make_tar (tree, "x.tar", NULL, members, n);
  g_autofree char *whole = g_strdup_printf ("%s: %s", path, message);
  g_autoptr (LbHarness) h = image_folder (tree, path);

  harness_refuses (h, LB_ERROR_INPUT, whole);
}

static void
test_tar_files (Tree *tree, gconstpointer data)
{
  const TarMember twice[] = { { "s/c/1.png", "1.png" }, { "s/c/1.png", "1.png" } };
  const TarMember link[] = { { "s/c/1.png", "1.png" }, { "s/c/2.png", NULL, "/etc/passwd" } };
  const TarMember empty[] = { { "s/c/1.png", "1.png" }, { "s/d/", NULL } };
  const TarMember flat[] = { { "1.png", "1.png" } };

  tree_put (tree, "1.png", make_png (1, 8, 8, rgb_png));
  refuses_tar (tree, twice, 2, "has two files 's/c/1.png'; remove one");
  refuses_tar (tree, link, 2, "'s/c/2.png' is a link or a device; expected a regular file, so put a copy in its place");
  refuses_tar (tree, empty, 2, "class folder 'd' has no images; remove it, or leave it out of 'classes'");
  refuses_tar (tree, flat, 1,
               "has no images (.png, .jpg, .jpeg) in class folders; expected CLASS/FILE, so check the path");
}

static void
test_hostile_tar_files (Tree *tree, gconstpointer data)
{
  const TarMember members[] = { { "s/c/1.png", "1.png" }, { "s/d/1.jpg", "2.jpg" } };
  LbRandom random = lb_random (lb_key (7));

  tree_put (tree, "1.png", make_png (1, 8, 8, rgb_png));
  tree_put (tree, "2.jpg", make_jpeg (1, 8, 8, 3, FALSE));
  for (int zipped = 0; zipped < 2; zipped++) {
    g_autofree char *path = tree_make_tar (tree, "x.tar", zipped ? "gzip" : NULL, members, 2), *bytes = NULL;
    gsize length;

    g_assert_true (read_or_refuse (tree, path));
    g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
    for (gsize part = 0; part < length; part += zipped ? 17 : 100) {
      tree_put_bytes (tree, "x.tar", bytes, part);
      g_assert_false (read_or_refuse (tree, path));
    }
    for (int i = 0; i < 150; i++) {
      gsize at = lb_random_below (&random, (guint32)length);
      char kept = bytes[at];

      bytes[at] = (char)lb_random_below (&random, 256);
      tree_put_bytes (tree, "x.tar", bytes, length);
      read_or_refuse (tree, path);
      bytes[at] = kept;
    }
  }
}

#define ADD(name, function) g_test_add ("/image-hostile/" name, Tree, NULL, tree_set_up, function, tree_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("refuses-images-cut-off-anywhere", test_truncated);
  ADD ("survives-flipped-images", test_flipped);
  ADD ("small-files-do-not-become-large-images", test_bombs);
  ADD ("refuses-scans-without-end", test_scans_without_end);
  ADD ("refuses-other-images", test_other_images);
  ADD ("refuses-mixed-sizes", test_mixed_sizes);
  ADD ("refuses-folders-of-another-shape", test_folders);
  ADD ("refuses-tar-files-of-another-shape", test_tar_files);
  ADD ("survives-hostile-tar-files", test_hostile_tar_files);
  return g_test_run ();
}
