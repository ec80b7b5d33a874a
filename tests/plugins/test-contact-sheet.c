/* The contact-sheet stage; the PNG is read back with libpng. */
#include "plugins/harness.h"

#include <png.h>

/* The sheet as red, green, blue; free with g_free(). */
static guint8 *
read_sheet (LbHarness *h, guint *width, guint *height)
{
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.png", NULL);
  png_image image = { .version = PNG_IMAGE_VERSION };
  guint8 *pixels;

  g_assert_true (png_image_begin_read_from_file (&image, path));
  image.format = PNG_FORMAT_RGB;
  pixels = g_malloc (PNG_IMAGE_SIZE (image));
  g_assert_true (png_image_finish_read (&image, NULL, pixels, 0, NULL));
  *width = image.width;
  *height = image.height;
  return pixels;
}

static guint32
pixel (const guint8 *sheet, guint width, guint x, guint y)
{
  const guint8 *p = sheet + 3 * (y * width + x);

  return (guint32)p[0] << 16 | (guint32)p[1] << 8 | p[2];
}

static void
test_rows_are_classes (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("contact-sheet");
  g_autoptr (LbPacket) samples = toy_samples (7, 8, 3, 1); /* three of class 0, two of each other */
  const guint8 *images = lb_tensor_u8 (lb_packet_get (samples, "images"));
  g_autofree guint8 *sheet = NULL;
  guint width = 0, height = 0;

  lb_harness_set (h, "scale", "3");
  lb_harness_set (h, "gap", "1");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 3);
  harness_run_well (h);
  sheet = read_sheet (h, &width, &height);
  g_assert_cmpuint (width, ==, 1 + 3 * 25);
  g_assert_cmpuint (height, ==, 1 + 3 * 25);
  g_assert_cmphex (pixel (sheet, width, 0, 0), ==, 0xffffff);
  /* Image 4 is the second of class 1: its pixel in row 2, column 5 covers 3 x 3. */
  for (int y = 0; y < 3; y++)
    for (int x = 0; x < 3; x++)
      g_assert_cmphex (pixel (sheet, width, 1 + 25 + 3 * 5 + x, 1 + 25 + 3 * 2 + y), ==,
                       images[4 * 64 + 2 * 8 + 5] * 0x010101u);
  /* Class 1 has no third image. */
  g_assert_cmphex (pixel (sheet, width, 1 + 50 + 4, 1 + 25 + 4), ==, 0xffffff);
}

static void
test_normalised_colour_is_shown_as_stored (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("contact-sheet");
  g_autoptr (LbPacket) samples = lb_packet_new ();
  g_autofree guint8 *sheet = NULL;
  guint width = 0, height = 0;

  lb_packet_take (samples, "images", f32_of (LB_SHAPE (1, 3, 1, 1), (const float[]){ 1, -1, 9 }));
  lb_packet_take (samples, "labels", lb_tensor_new (LB_I32, LB_SHAPE (1)));
  lb_packet_take (samples, "mean", f32_of (LB_SHAPE (3), (const float[]){ 0.2f, 0.6f, 0.5f }));
  lb_packet_take (samples, "std", f32_of (LB_SHAPE (3), (const float[]){ 0.2f, 0.2f, 0.5f }));
  lb_harness_set (h, "gap", "0");
  lb_harness_set (h, "scale", "1");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 1);
  harness_run_well (h);
  sheet = read_sheet (h, &width, &height);
  g_assert_cmpuint (width, ==, 1);
  g_assert_cmphex (pixel (sheet, width, 0, 0), ==, 0x6666ff);
}

static void
test_columns_are_bounded (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("contact-sheet");
  g_autoptr (LbPacket) samples = toy_samples (12, 8, 2, 1);
  g_autofree guint8 *sheet = NULL;
  guint width = 0, height = 0;

  lb_harness_set (h, "columns", "4");
  lb_harness_set (h, "scale", "1");
  lb_harness_set (h, "gap", "0");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 2);
  harness_run_well (h);
  sheet = read_sheet (h, &width, &height);
  g_assert_cmpuint (width, ==, 32);
  g_assert_cmpuint (height, ==, 16);
}

/* The packet holds the file and says where the images come from. */
static void
test_sheet_is_sent_on (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("contact-sheet");
  g_autoptr (LbPacket) samples = toy_samples (4, 8, 2, 1);
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.png", NULL), *file = NULL, *title = NULL;
  gsize length;

  lb_harness_set (h, "title", "Toys");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 2);
  harness_run_well (h);
  LbPacket *picture = lb_harness_output (h, "picture", 0);
  g_assert_true (g_file_get_contents (path, &file, &length, NULL));
  g_assert_cmpmem (file, length, lb_tensor_data (lb_packet_get (picture, "png")),
                   lb_tensor_bytes (lb_packet_get (picture, "png")));
  title = lb_packet_get_text (picture, "title");
  g_assert_cmpstr (title, ==, "Toys");
}

static void
test_refuses_two_channels (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("contact-sheet");
  g_autoptr (LbPacket) samples = lb_packet_new ();

  lb_packet_take (samples, "images", lb_tensor_new (LB_U8, LB_SHAPE (1, 2, 1, 1)));
  lb_packet_take (samples, "labels", lb_tensor_new (LB_I32, LB_SHAPE (1)));
  lb_packet_take (samples, "mean", lb_tensor_new (LB_F32, LB_SHAPE (2)));
  lb_packet_take (samples, "std", lb_tensor_new (LB_F32, LB_SHAPE (2)));
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 1);
  harness_refuses (h, LB_ERROR_PIPELINE, "the images have 2 channels; a contact sheet shows 1 (grey) or 3 (colour)");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/contact-sheet/rows-are-classes", test_rows_are_classes);
  g_test_add_func ("/contact-sheet/normalised-colour-is-shown-as-stored", test_normalised_colour_is_shown_as_stored);
  g_test_add_func ("/contact-sheet/columns-are-bounded", test_columns_are_bounded);
  g_test_add_func ("/contact-sheet/sheet-is-sent-on", test_sheet_is_sent_on);
  g_test_add_func ("/contact-sheet/refuses-two-channels", test_refuses_two_channels);
  return g_test_run ();
}
