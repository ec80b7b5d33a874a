/* The image-folder stage: what becomes of images in class folders. */
#include "plugins/pictures.h"

/* Two splits; classes b, a-1 and a, whose folders sort otherwise as paths; other files beside the images. */
static void
make_tree (Tree *tree)
{
  tree_put (tree, "train/b/2.png", make_png (1, 20, 12, rgb_png));
  tree_put (tree, "train/b/1.JPEG", make_jpeg (2, 9, 15, 3, FALSE));
  tree_put (tree, "train/a-1/x.png", make_png (3, 8, 8, grey_png));
  tree_put (tree, "train/a/x.png", make_png (4, 30, 31, rgb_png));
  tree_put (tree, "train/a/y.jpg", make_jpeg (5, 16, 16, 1, TRUE));
  tree_put_bytes (tree, "train/a/notes.txt", "x", 1);
  tree_put_bytes (tree, "train/a/._x.png", "x", 1);
  tree_put_bytes (tree, "train/readme", "x", 1);
  tree_put (tree, "val/b/1.png", make_png (6, 8, 8, rgb_png));
}

static const TarMember members[] = {
  { "./set/", NULL },
  { "./set/val/b/1.png", "val/b/1.png" },
  { "./set/train/b/2.png", "train/b/2.png" },
  { "./set/train/a/y.jpg", "train/a/y.jpg" },
  { "./set/train/a/notes.txt", "train/a/notes.txt" },
  { "./set/train/b/1.JPEG", "train/b/1.JPEG" },
  { "./set/train/a/._x.png", "train/a/._x.png" },
  { "./set/train/a-1/", NULL },
  { "./set/train/a-1/x.png", "train/a-1/x.png" },
  { "./set/train/a/x.png", "train/a/x.png" },
};

static LbPacket *
run (LbHarness *h)
{
  harness_run_well (h);
  return lb_harness_output (h, "samples", 0);
}

static void
assert_labels (LbPacket *packet, const char *expected)
{
  LbTensor *labels = lb_packet_get (packet, "labels");
  g_autoptr (GString) found = g_string_new (NULL);

  for (gint64 i = 0; i < lb_tensor_size (labels); i++)
    g_string_append_printf (found, "%d", lb_tensor_i32 (labels)[i]);
  g_assert_cmpstr (found->str, ==, expected);
}

static void
test_folders_and_tar_files_give_the_same (Tree *tree, gconstpointer data)
{
  static const char *const filters[] = { NULL, "gzip", "xz" };
  g_autoptr (LbHarness) folder = NULL;

  make_tree (tree);
  folder = image_folder (tree, NULL);
  lb_harness_set (folder, "split", "train");
  lb_harness_set (folder, "size", "10");
  LbPacket *expected = run (folder);
  assert_labels (expected, "00122");
  for (guint i = 0; i < G_N_ELEMENTS (filters); i++) {
    g_autofree char *path = tree_make_tar (tree, "set.tar", filters[i], members, G_N_ELEMENTS (members));
    g_autoptr (LbHarness) tar = image_folder (tree, path);

    lb_harness_set_threads (tar, 1 + 2 * i);
    lb_harness_set (tar, "split", "train");
    lb_harness_set (tar, "size", "10");
    LbPacket *packet = run (tar);
    assert_same_tensor (lb_packet_get (packet, "images"), lb_packet_get (expected, "images"));
    assert_same_tensor (lb_packet_get (packet, "labels"), lb_packet_get (expected, "labels"));
    g_assert_nonnull (strstr (lb_harness_report (tar),
                              ", train: 5 images of 3 classes, resized to 10 x 10 (triangle filter, "
                              "shorter side, middle taken)\n"
                              "  2 grey, repeated as red, green and blue\n"
                              "  2 other files in the class folders, which were left out\n"
                              "  labels: 0 a (2), 1 a-1 (1), 2 b (2)\n"));
  }
}

/* Order of classes as asked for; the first of the sorted ones. */
static void
test_choice_of_classes (Tree *tree, gconstpointer data)
{
  g_autoptr (LbHarness) asked = NULL, first = NULL;

  make_tree (tree);
  asked = image_folder (tree, NULL);
  lb_harness_set (asked, "split", "train");
  lb_harness_set (asked, "size", "4");
  lb_harness_set (asked, "classes", "b,a-1");
  assert_labels (run (asked), "001");
  g_assert_nonnull (strstr (lb_harness_report (asked), "labels: 0 b (2), 1 a-1 (1)\n"));
  first = image_folder (tree, NULL);
  lb_harness_set (first, "split", "train");
  lb_harness_set (first, "size", "4");
  lb_harness_set (first, "first-classes", "2");
  assert_labels (run (first), "001");
}

/* Without 'size', pixels are those of the files: of every kind of PNG. */
static void
test_as_stored (Tree *tree, gconstpointer data)
{
  static const PngKind kinds[] = { { PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE },
                                   { PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_ADAM7 },
                                   { PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_ADAM7 },
                                   { PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_NONE },
                                   { PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_NONE } };
  g_autoptr (LbHarness) h = image_folder (tree, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree char *name = g_strdup_printf ("c/%u.png", i);
    tree_put (tree, name, make_png (i, 13, 9, kinds[i]));
  }
  LbTensor *images = lb_packet_get (run (h), "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (5, 3, 9, 13)));
  const guint8 *value = lb_tensor_u8 (images);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (guint k = 0; k < 3; k++)
      for (gint64 y = 0; y < 9; y++)
        for (gint64 x = 0; x < 13; x++, value++)
          g_assert_cmpuint (*value, ==, picture_value (i, x, y, kinds[i].colour & PNG_COLOR_MASK_COLOR ? k : 0));
  g_assert_nonnull (strstr (lb_harness_report (h), "  2 with transparency, which was left out\n"));
}

/* What a triangle filter makes of channel @k of picture 1 at a place of the wanted image, computed as one sum in double
 * precision. */
static double
filtered (gint64 width, gint64 height, double scale_x, double scale_y, double x, double y, guint k)
{
  double support_x = fmax (scale_x, 1), support_y = fmax (scale_y, 1), sum = 0, weights = 0;

  for (gint64 v = 0; v < height; v++)
    for (gint64 u = 0; u < width; u++) {
      double weight = fmax (1 - fabs (((double)u + 0.5 - (x + 0.5) * scale_x) / support_x), 0)
                      * fmax (1 - fabs (((double)v + 0.5 - (y + 0.5) * scale_y) / support_y), 0);
      sum += weight * picture_value (1, u, v, k);
      weights += weight;
    }
  return sum / weights;
}

static void
check_resized (Tree *tree, gint64 width, gint64 height, const char *size, const char *fit)
{
  g_autoptr (LbHarness) h = image_folder (tree, NULL);
  gint64 side = g_ascii_strtoll (size, NULL, 10), shorter = MIN (width, height);
  double scale_x = (double)width / (double)side, scale_y = (double)height / (double)side, left = 0, top = 0;

  tree_put (tree, "c/1.png", make_png (1, width, height, rgb_png));
  lb_harness_set (h, "size", size);
  lb_harness_set (h, "fit", fit);
  const guint8 *value = lb_tensor_u8 (lb_packet_get (run (h), "images"));
  if (g_str_equal (fit, "crop")) {
    gint64 resized_width = side * width / shorter, resized_height = side * height / shorter;
    scale_x = (double)width / (double)resized_width;
    scale_y = (double)height / (double)resized_height;
    left = nearbyint ((double)(resized_width - side) / 2);
    top = nearbyint ((double)(resized_height - side) / 2);
  }
  for (guint k = 0; k < 3; k++)
    for (gint64 y = 0; y < side; y++)
      for (gint64 x = 0; x < side; x++, value++)
        g_assert_cmpfloat (
            fabs (*value - filtered (width, height, scale_x, scale_y, (double)x + left, (double)y + top, k)), <, 1.01);
}

static void
test_resizes_with_antialiasing (Tree *tree, gconstpointer data)
{
  check_resized (tree, 40, 40, "10", "crop");
  check_resized (tree, 40, 23, "10", "crop");
  check_resized (tree, 23, 47, "16", "crop");
  check_resized (tree, 40, 23, "9", "squash");
  check_resized (tree, 7, 5, "12", "crop");
  check_resized (tree, 7, 5, "12", "squash");
  check_resized (tree, 12, 12, "12", "crop");
  check_resized (tree, 200, 1, "3", "squash");
}

static void
test_colours (Tree *tree, gconstpointer data)
{
  g_autoptr (LbHarness) grey = NULL, inks = NULL;

  tree_put (tree, "a/1.png", make_png (1, 5, 4, rgb_png));
  tree_put (tree, "a/2.png", make_png (2, 5, 4, grey_png));
  grey = lb_harness_new ("image-folder");
  lb_harness_set (grey, "path", tree->directory);
  lb_harness_set (grey, "colour", "grey");
  LbTensor *images = lb_packet_get (run (grey), "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (2, 1, 4, 5)));
  for (gint64 y = 0; y < 4; y++)
    for (gint64 x = 0; x < 5; x++) {
      double luma = 0.299 * picture_value (1, x, y, 0) + 0.587 * picture_value (1, x, y, 1)
                    + 0.114 * picture_value (1, x, y, 2);
      g_assert_cmpfloat (fabs (lb_tensor_u8 (images)[y * 5 + x] - luma), <, 0.51);
      g_assert_cmpuint (lb_tensor_u8 (images)[20 + y * 5 + x], ==, picture_value (2, x, y, 0));
    }
  g_assert_nonnull (strstr (lb_harness_report (grey), "  1 in colour, turned to grey\n"));

  /* Inverted inks 40, 120, 200 without black are that light. */
  g_autofree char *first = g_build_filename (tree->directory, "a", "1.png", NULL);
  g_autofree char *second = g_build_filename (tree->directory, "a", "2.png", NULL);
  g_unlink (first);
  g_unlink (second);
  tree_put (tree, "a/3.jpg", make_jpeg (0, 16, 16, 4, FALSE));
  inks = image_folder (tree, NULL);
  images = lb_packet_get (run (inks), "images");
  for (int k = 0; k < 3; k++)
    for (int p = 0; p < 256; p++)
      g_assert_cmpint (ABS (lb_tensor_u8 (images)[k * 256 + p] - (k * 80 + 40)), <=, 2);
  g_assert_nonnull (strstr (lb_harness_report (inks), "  1 of four inks, turned to red, green and blue\n"));
}

/* Quality 98 leaves a smooth picture nearly as it was; grey, colour, progressive. */
static void
test_jpeg (Tree *tree, gconstpointer data)
{
  g_autoptr (LbHarness) h = image_folder (tree, NULL);

  tree_put (tree, "a/1.jpg", make_jpeg (1, 24, 17, 1, FALSE));
  tree_put (tree, "a/2.jpeg", make_jpeg (1, 24, 17, 1, TRUE));
  tree_put (tree, "a/3.JPG", make_jpeg (1, 24, 17, 3, FALSE));
  const guint8 *value = lb_tensor_u8 (lb_packet_get (run (h), "images"));
  for (int i = 0; i < 3; i++)
    for (guint k = 0; k < 3; k++)
      for (int y = 0; y < 17; y++)
        for (int x = 0; x < 24; x++, value++)
          g_assert_cmpint (ABS (*value - (picture_value (1, 0, 0, i == 2 ? k : 0) / 2 + 2 * y)), <=, 4);
}

#define ADD(name, function) g_test_add ("/image-folder/" name, Tree, NULL, tree_set_up, function, tree_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("folders-and-tar-files-give-the-same-bits", test_folders_and_tar_files_give_the_same);
  ADD ("takes-the-classes-asked-for", test_choice_of_classes);
  ADD ("keeps-pixels-as-stored", test_as_stored);
  ADD ("resizes-with-antialiasing", test_resizes_with_antialiasing);
  ADD ("brings-colours-together", test_colours);
  ADD ("reads-jpeg", test_jpeg);
  return g_test_run ();
}
