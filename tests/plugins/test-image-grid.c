/* The image-grid stage: a set cut out of one picture. */
#include "plugins/pictures.h"

/* Five columns and two rows of 4 x 3 pixels with padding 2: 32 x 12. */
static LbHarness *
grid (Tree *tree, PngKind kind)
{
  g_autofree char *path = g_build_filename (tree->directory, "grid.png", NULL);
  LbHarness *h = lb_harness_new ("image-grid");

  tree_put (tree, "grid.png", make_png (3, 32, 12, kind));
  lb_harness_set (h, "file", path);
  lb_harness_set (h, "rows", "2");
  lb_harness_set (h, "columns", "5");
  lb_harness_set (h, "images-per-class", "5");
  return h;
}

static void
test_cuts (Tree *tree, gconstpointer data)
{
  g_autoptr (LbHarness) h = grid (tree, rgb_png);

  harness_run_well (h);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  LbTensor *images = lb_packet_get (packet, "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (10, 3, 3, 4)));
  const guint8 *value = lb_tensor_u8 (images);
  for (int i = 0; i < 10; i++)
    for (guint k = 0; k < 3; k++)
      for (int y = 0; y < 3; y++)
        for (int x = 0; x < 4; x++, value++)
          g_assert_cmpuint (*value, ==, picture_value (3, 2 + i % 5 * 6 + x, 2 + i / 5 * 5 + y, k));
  for (int i = 0; i < 10; i++)
    g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[i], ==, i / 5);
}

static void
test_a_last_row_that_is_not_full (Tree *tree, gconstpointer data)
{
  g_autoptr (LbHarness) h = grid (tree, grey_png);

  lb_harness_set (h, "images", "6");
  lb_harness_set (h, "images-per-class", "3");
  lb_harness_set (h, "colour", "grey");
  lb_harness_set (h, "normalisation", "mnist");
  harness_run_well (h);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  LbTensor *images = lb_packet_get (packet, "images");
  g_assert_true (lb_shape_equal (lb_tensor_shape (images), LB_SHAPE (6, 1, 3, 4)));
  g_assert_cmpuint (lb_tensor_u8 (images)[5 * 12 + 7], ==, picture_value (3, 2 + 3, 2 + 5 + 1, 0));
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[5], ==, 1);
  g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (packet, "std"))[0], ==, 0.3081f);
}

/* Sets @property and expects the message, after the path of the grid if it is an error of the input. */
static void
refuses (Tree *tree, const char *property, const char *value, LbError code, const char *message)
{
  g_autoptr (LbHarness) h = grid (tree, rgb_png);
  g_autofree char *whole
      = code == LB_ERROR_INPUT ? g_strdup_printf ("%s/grid.png: %s", tree->directory, message) : g_strdup (message);

  lb_harness_set (h, property, value);
  harness_refuses (h, code, whole);
}

static void
test_refusals (Tree *tree, gconstpointer data)
{
  refuses (tree, "padding", "3", LB_ERROR_INPUT,
           "has 32 x 12 pixels, which 5 columns and 2 rows with 3 pixels of padding between and around them do not "
           "divide; check 'columns', 'rows' and 'padding'");
  refuses (tree, "columns", "40", LB_ERROR_INPUT,
           "has 32 x 12 pixels, which 40 columns and 2 rows with 2 pixels of padding between and around them do not "
           "divide; check 'columns', 'rows' and 'padding'");
  refuses (tree, "images-per-class", "3", LB_ERROR_INPUT,
           "has 10 images, no multiple of the 3 that 'images-per-class' says");
  refuses (tree, "colour", "grey", LB_ERROR_INPUT,
           "image 0 is in colour at row 0, column 0, but 'colour' is grey; set it to rgb");
  refuses (tree, "images", "11", LB_ERROR_PIPELINE,
           "property 'images': is 11, more than 'rows' x 'columns'; give fewer");
  refuses (tree, "normalisation", "mnist", LB_ERROR_PIPELINE,
           "property 'normalisation': 'mnist' is of 1 channels, but the images have 3; give 'mean' and 'std'");
  refuses (tree, "mean", "0.5,0.5", LB_ERROR_PIPELINE,
           "property 'mean': 2 numbers are given, but the images have 3 channels; give one for each, or one for all");
}

#define ADD(name, function) g_test_add ("/image-grid/" name, Tree, NULL, tree_set_up, function, tree_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("cuts-images-out-of-rows-and-columns", test_cuts);
  ADD ("a-last-row-need-not-be-full", test_a_last_row_that_is_not_full);
  ADD ("refuses-what-does-not-divide", test_refusals);
  return g_test_run ();
}
