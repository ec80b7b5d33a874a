/* The grad-cam stage; the PNG is read back with libpng. What heat maps hold is tested in nn/ and golden/. */
#include "plugins/harness.h"

#include <png.h>

#define SIDE 32

/* Networks that only tell bright images from dark ones, with one 1 x 1 place of heat for each pixel: convnet-d1 whose
 * one channel is the image and whose scores for class 0 are the sum of it, and for class 1 its negative. @bias is added
 * to the score of class 1. */
static LbPacket *
pixel_model (float bias)
{
  g_autoptr (LbNetwork) network
      = lb_network_new ("convnet-d1:width=1:norm=none:pooling=none", (LbImageSize){ 1, 8, 8 }, 2, NULL);
  LbTensor *parameters = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (network)));
  float *p = lb_tensor_f32 (parameters);

  p[4] = 1;
  for (gint64 i = 0; i < 64; i++) {
    p[10 + i] = 1;
    p[10 + 64 + i] = -1;
  }
  p[10 + 128 + 1] = bias;
  return model_packet ("convnet-d1:width=1:norm=none:pooling=none", parameters, 0);
}

static void
feed_model (LbHarness *h, const char *source, LbPacket *model)
{
  lb_harness_feed (h, "model", source, "model", model, 2);
  lb_packet_unref (model);
}

/* Two images of 8 x 8, the first of class 0 with one bright pixel at row 2, column 5. */
static LbPacket *
samples (void)
{
  LbPacket *packet = toy_samples (2, 8, 2, 1);
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (2, 1, 8, 8));

  lb_tensor_u8 (images)[2 * 8 + 5] = 255;
  lb_packet_take (packet, "images", images);
  return packet;
}

static LbHarness *
stage (void)
{
  g_autoptr (LbPacket) set = samples ();
  LbHarness *h = lb_harness_new ("grad-cam");

  lb_harness_set (h, "side", G_STRINGIFY (SIDE));
  lb_harness_feed (h, "samples", "test.samples", "samples", set, 2);
  return h;
}

/* As red, green, blue; free with g_free(). */
static guint8 *
read_png (LbTensor *file, guint *width, guint *height)
{
  png_image image = { .version = PNG_IMAGE_VERSION };
  guint8 *pixels;

  g_assert_true (png_image_begin_read_from_memory (&image, lb_tensor_u8 (file), lb_tensor_bytes (file)));
  image.format = PNG_FORMAT_RGB;
  pixels = g_malloc (PNG_IMAGE_SIZE (image));
  g_assert_true (png_image_finish_read (&image, NULL, pixels, 0, NULL));
  *width = image.width;
  *height = image.height;
  return pixels;
}

/* Where the sheet is brightest within the picture of @row and @column, in pixels of the sheet. */
static void
find_brightest (const guint8 *sheet, guint width, guint left, guint top, guint *x, guint *y)
{
  int most = -1;

  for (guint j = 0; j < SIDE; j++)
    for (guint i = 0; i < SIDE; i++) {
      const guint8 *p = sheet + 3 * ((top + j) * width + left + i);

      if (p[0] + p[1] + p[2] > most) {
        most = p[0] + p[1] + p[2];
        *x = i;
        *y = j;
      }
    }
}

/* The sheet is the file and the packet; its first row shows the image, and beside it heat at the pixel that speaks for
 * class 0. */
static void
test_heat_lies_where_the_network_looks (void)
{
  g_autoptr (LbHarness) h = stage ();
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.png", NULL), *file = NULL, *said = NULL;
  g_autofree guint8 *sheet = NULL;
  guint width = 0, height = 0, x = 0, y = 0;
  gsize length;

  feed_model (h, "students.model", pixel_model (0));
  harness_run_well (h);
  g_assert_true (g_file_get_contents (path, &file, &length, NULL));
  LbTensor *png = lb_packet_get (lb_harness_output (h, "picture", 0), "png");
  g_assert_cmpmem (file, length, lb_tensor_data (png), lb_tensor_bytes (png));
  sheet = read_png (png, &width, &height);
  g_assert_cmpuint (width, ==, 10 + 2 * (SIDE + 10));
  find_brightest (sheet, width, 10 + SIDE + 10, 60 + 10, &x, &y);
  g_assert_cmpuint (x / (SIDE / 8), ==, 5);
  g_assert_cmpuint (y / (SIDE / 8), ==, 2);
  said = lb_packet_get_text (lb_harness_output (h, "picture", 0), "alternative");
  g_assert_cmpstr (said, ==,
                   "Heat maps over 2 test images for 1 networks. students (convnet-d1:width=1:norm=none:pooling=none) "
                   "answers 1 of 2 right.");
}

/* Of each input the first model of an architecture has a column. */
static void
test_a_column_for_each_architecture (void)
{
  g_autoptr (LbHarness) h = stage (), alone = stage ();
  const float scores[] = { 0, 1 };
  g_autofree guint8 *sheet = NULL;
  g_autofree char *said = NULL;
  guint width = 0, height = 0;

  feed_model (h, "few.model", pixel_model (0));
  feed_model (h, "few.model", pixel_model (1));
  feed_model (h, "few.model", constant_model (scores, 2, 0));
  feed_model (h, "many.model", pixel_model (1000));
  lb_harness_set (h, "names", "IPC 1,IPC 1 + LADD");
  harness_run_well (h);
  sheet = read_png (lb_packet_get (lb_harness_output (h, "picture", 0), "png"), &width, &height);
  g_assert_cmpuint (width, ==, 10 + 4 * (SIDE + 10));
  said = lb_packet_get_text (lb_harness_output (h, "picture", 0), "alternative");
  g_assert_true (g_str_has_suffix (said, " IPC 1 + LADD (convnet-d1:width=1:norm=none:pooling=none) answers 1 of 2 "
                                         "right."));
  g_assert_nonnull (strstr (said, " IPC 1 (convnet-d1) answers 1 of 2 right."));
}

/* Asked about its answer, a network that always says class 1 shows what speaks for class 1. */
static void
test_target_decides_what_is_asked (void)
{
  g_autoptr (LbHarness) label = stage (), answer = stage ();

  feed_model (label, "students.model", pixel_model (1000));
  feed_model (answer, "students.model", pixel_model (1000));
  lb_harness_set (answer, "target", "answer");
  harness_run_well (label);
  harness_run_well (answer);
  g_assert_false (same_bytes (lb_packet_get (lb_harness_output (label, "picture", 0), "png"),
                              lb_packet_get (lb_harness_output (answer, "picture", 0), "png")));
  g_assert_cmpfloat (lb_harness_flops (answer), ==, 2 * lb_harness_flops (label));
}

/* What is predicted is what is counted, and images are taken class by class. */
static void
test_images_and_cost (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("grad-cam");
  g_autoptr (LbPacket) set = toy_samples (9, 8, 2, 1);
  g_autofree guint8 *sheet = NULL;
  guint width = 0, height = 0;

  lb_harness_set (h, "side", G_STRINGIFY (SIDE));
  lb_harness_set (h, "images", "3");
  lb_harness_feed (h, "samples", "test.samples", "samples", set, 2);
  feed_model (h, "students.model", pixel_model (0));
  harness_run_well (h);
  sheet = read_png (lb_packet_get (lb_harness_output (h, "picture", 0), "png"), &width, &height);
  g_assert_cmpuint (height, ==, 60 + 10 + 3 * (SIDE + 22 + 5) + 5);
  g_assert_cmpfloat (lb_harness_flops (h), >, 0);
}

static void
test_refuses_names_that_do_not_count (void)
{
  g_autoptr (LbHarness) h = stage (), classes = stage ();

  feed_model (h, "students.model", pixel_model (0));
  lb_harness_set (h, "names", "a,b");
  harness_refuses (h, LB_ERROR_PIPELINE,
                   "property 'names': has 2 names for 1 inputs; give one for each input, or leave it out");
  feed_model (classes, "students.model", pixel_model (0));
  lb_harness_set (classes, "class-names", "cat");
  harness_refuses (classes, LB_ERROR_PIPELINE,
                   "property 'class-names': has 1 names for 2 classes; give one for each class, or leave it out");
}

static void
test_refuses_other_images (void)
{
  g_autoptr (LbHarness) size = stage (), normalised = lb_harness_new ("grad-cam");
  g_autoptr (LbPacket) set = samples (), floats = NULL;

  feed_model (size, "students.model", model_packet ("convnet-d1", lb_tensor_new (LB_F32, LB_SHAPE (7)), 0));
  harness_refuses (
      size, LB_ERROR_INPUT,
      "the model 'students.model' has 7 parameters, but convnet-d1 for the test images has 5634; the model "
      "was made for other images or by another version");
  floats = packet_with (set, "images", lb_tensor_new (LB_F32, LB_SHAPE (2, 1, 8, 8)));
  lb_packet_take (floats, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.1f }));
  lb_harness_feed (normalised, "samples", "test.samples", "samples", floats, 2);
  feed_model (normalised, "students.model", pixel_model (0));
  g_autoptr (GError) error = NULL;
  g_assert_false (lb_harness_run (normalised, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "'test.samples'"));
  g_assert_nonnull (strstr (error->message, "the model 'students.model'"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/grad-cam/heat-lies-where-the-network-looks", test_heat_lies_where_the_network_looks);
  g_test_add_func ("/grad-cam/a-column-for-each-architecture", test_a_column_for_each_architecture);
  g_test_add_func ("/grad-cam/target-decides-what-is-asked", test_target_decides_what_is_asked);
  g_test_add_func ("/grad-cam/images-and-cost", test_images_and_cost);
  g_test_add_func ("/grad-cam/refuses-names-that-do-not-count", test_refuses_names_that_do_not_count);
  g_test_add_func ("/grad-cam/refuses-other-images", test_refuses_other_images);
  return g_test_run ();
}
