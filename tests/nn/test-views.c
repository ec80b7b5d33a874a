/* The geometry of views, and what sampling makes of it. */
#include "nn/numeric.h"

/* N = 5 and R = 62.5 % of 128 pixels: windows of 80 pixels every 12 pixels. */
static void
test_windows_of_whole_pixels (void)
{
  g_autoptr (LbTensor) windows = lb_view_windows (128, 128, 5, 0.625);

  g_assert_true (lb_shape_equal (lb_tensor_shape (windows), LB_SHAPE (25, 4)));
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++) {
      const float *row = lb_tensor_f32 (windows) + 4 * (5 * i + j);
      g_assert_cmpfloat (row[0], ==, 12 * j);
      g_assert_cmpfloat (row[1], ==, 12 * i);
      g_assert_cmpfloat (row[2], ==, 80);
      g_assert_cmpfloat (row[3], ==, 80);
    }
}

static void
test_windows_between_pixels (void)
{
  g_autoptr (LbTensor) windows = lb_view_windows (28, 14, 5, 0.625);
  const float *row = lb_tensor_f32 (windows) + 4 * 7; /* second row, third column */

  g_assert_cmpfloat (row[0], ==, 2 * 5.25 / 4);
  g_assert_cmpfloat (row[1], ==, 2.625);
  g_assert_cmpfloat (row[2], ==, 8.75);
  g_assert_cmpfloat (row[3], ==, 17.5);
  row = lb_tensor_f32 (windows) + 4 * 24;
  g_assert_cmpfloat (row[0] + row[2], ==, 14);
  g_assert_cmpfloat (row[1] + row[3], ==, 28);
}

static void
test_one_window_is_centred (void)
{
  g_autoptr (LbTensor) windows = lb_view_windows (8, 16, 1, 0.5);
  const float *row = lb_tensor_f32 (windows);

  g_assert_cmpint (lb_tensor_dim (windows, 0), ==, 1);
  g_assert_cmpfloat (row[0], ==, 4);
  g_assert_cmpfloat (row[1], ==, 2);
  g_assert_cmpfloat (row[2], ==, 8);
  g_assert_cmpfloat (row[3], ==, 4);
}

/* Samples one window of @image, [1, h, w, 1], as @height x @width. */
static void
sample (LbTensor *image, const float window[4], gint64 height, gint64 width, float *out)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", lb_tensor_shape (image));
  LbNode *where = lb_batch_input (graph, "where", LB_SHAPE (1, 10));
  LbNode *y = lb_bilinear (x, where, height, width, LB_BORDER_CLAMP);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, &y, 1, &error);
  g_autoptr (LbTensor) row = lb_tensor_new (LB_F32, LB_SHAPE (1, 10));

  g_assert_no_error (error);
  lb_window_sampling (window, height, width, lb_tensor_f32 (row));
  lb_program_bind (program, x, image);
  lb_program_bind (program, where, row);
  run_once (program);
  memcpy (out, lb_tensor_f32 (lb_program_result (program, y)), (gsize)(height * width) * sizeof (float));
}

/* A ramp 0, 1, 2, ... along x: the window at 2 of 2 pixels becomes 4 pixels at 1.75, 2.25, 2.75, 3.25, where the outer
 * two are moved onto the window's own pixel centres, 2 and 3: nothing from outside the window is seen. */
static void
test_sampling_stays_inside_the_window (void)
{
  g_autoptr (LbTensor) image = TENSOR (LB_SHAPE (1, 1, 6, 1), 0, 1, 2, 3, 4, 5);
  float out[4];

  sample (image, (const float[]){ 2, 0, 2, 1 }, 1, 4, out);
  g_assert_cmpfloat (out[0], ==, 2);
  g_assert_cmpfloat (out[1], ==, 2.25);
  g_assert_cmpfloat (out[2], ==, 2.75);
  g_assert_cmpfloat (out[3], ==, 3);
}

/* 4 x 4 of which the lower right 2 x 2 (10, 11; 14, 15) becomes 3 x 3: places 2 + (j + 0.5) 2/3 - 0.5, so 2
 * (moved), 2.5, 3. */
static void
test_sampling_by_hand (void)
{
  float values[16], out[9];
  const float expected[9] = { 10, 10.5f, 11, 12, 12.5f, 13, 14, 14.5f, 15 };
  g_autoptr (LbTensor) image = NULL;

  for (int i = 0; i < 16; i++)
    values[i] = (float)i;
  image = tensor_of (LB_SHAPE (1, 4, 4, 1), values);
  sample (image, (const float[]){ 2, 2, 2, 2 }, 3, 3, out);
  for (int i = 0; i < 9; i++)
    CLOSE (out[i], expected[i], 1e-5);
}

static void
test_whole_window_changes_nothing (void)
{
  g_autoptr (LbTensor) image = TENSOR (LB_SHAPE (1, 2, 3, 1), 3, -1, 4, 1, -5, 9);
  float out[6];

  sample (image, (const float[]){ 0, 0, 3, 2 }, 2, 3, out);
  g_assert_cmpmem (out, sizeof out, lb_tensor_data (image), lb_tensor_bytes (image));
}

static void
test_bad_windows_are_refused (void)
{
  static const struct {
    float window[4];
    const char *message;
  } cases[] = {
    { { -1, 0, 4, 4 },
      "views: window 0 is at (-1, 0) and has 4 x 4 pixels; expected at least one pixel, inside images of 8 x 8" },
    { { 0, 0, 0.5f, 4 },
      "views: window 0 is at (0, 0) and has 0.5 x 4 pixels; expected at least one pixel, inside images of 8 x 8" },
    { { 5, 0, 4, 4 },
      "views: window 0 is at (5, 0) and has 4 x 4 pixels; expected at least one pixel, inside images of 8 x 8" },
    { { 0, NAN, 4, 4 },
      "views: window 0 is at (0, nan) and has 4 x 4 pixels; expected at least one pixel, inside images of 8 x 8" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (LbTensor) windows = tensor_of (LB_SHAPE (1, 4), cases[i].window);
    g_autoptr (GError) error = NULL;

    g_assert_false (lb_windows_check ("views", windows, 8, 8, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_cmpstr (error->message, ==, cases[i].message);
  }
}

static void
test_own_windows_are_accepted (void)
{
  for (gint64 size = 2; size < 140; size++)
    for (guint grid = 1; grid < 8; grid++) {
      g_autoptr (LbTensor) windows = lb_view_windows (size, size + 1, grid, 0.7);
      g_autoptr (GError) error = NULL;

      lb_windows_check ("views", windows, size, size + 1, &error);
      g_assert_no_error (error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/views/windows-of-whole-pixels", test_windows_of_whole_pixels);
  g_test_add_func ("/views/windows-between-pixels", test_windows_between_pixels);
  g_test_add_func ("/views/one-window-is-centred", test_one_window_is_centred);
  g_test_add_func ("/views/sampling-stays-inside-the-window", test_sampling_stays_inside_the_window);
  g_test_add_func ("/views/sampling-by-hand", test_sampling_by_hand);
  g_test_add_func ("/views/whole-window-changes-nothing", test_whole_window_changes_nothing);
  g_test_add_func ("/views/bad-windows-are-refused", test_bad_windows_are_refused);
  g_test_add_func ("/views/own-windows-are-accepted", test_own_windows_are_accepted);
  return g_test_run ();
}
