/* The sub-sampler stage. */
#include "plugins/harness.h"

static void
test_sends_the_windows (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("sub-sampler");
  g_autoptr (LbPacket) samples = toy_samples (4, 16, 2, 1);
  g_autoptr (LbTensor) expected = lb_view_windows (16, 16, 3, 0.5);

  lb_harness_set (h, "grid", "3");
  lb_harness_set (h, "ratio", "0.5");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 2);
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "views"), ==, 1);
  assert_same_tensor (lb_packet_get (lb_harness_output (h, "views", 0), "windows"), expected);
}

/* N = 5, R = 62.5 % of 128 pixels, or 80 pixels: every 12 pixels; rectangular images have square windows in pixels. */
static void
test_ratio_and_pixels_agree (void)
{
  g_autoptr (LbPacket) samples = toy_samples (1, 128, 2, 1);
  g_autoptr (LbHarness) by_ratio = lb_harness_new ("sub-sampler"), by_pixels = lb_harness_new ("sub-sampler");
  const float *row;

  lb_harness_set (by_pixels, "window", "80");
  lb_harness_feed (by_ratio, "samples", "set.samples", "samples", samples, 2);
  lb_harness_feed (by_pixels, "samples", "set.samples", "samples", samples, 2);
  harness_run_well (by_ratio);
  harness_run_well (by_pixels);
  row = lb_tensor_f32 (lb_packet_get (lb_harness_output (by_pixels, "views", 0), "windows"));
  for (int i = 0; i < 25; i++, row += 4) {
    g_assert_cmpfloat (row[0], ==, 12 * (i % 5));
    g_assert_cmpfloat (row[1], ==, 12 * (i / 5));
    g_assert_cmpfloat (row[2], ==, 80);
    g_assert_cmpfloat (row[3], ==, 80);
  }
  assert_same_tensor (lb_packet_get (lb_harness_output (by_pixels, "views", 0), "windows"),
                      lb_packet_get (lb_harness_output (by_ratio, "views", 0), "windows"));
}

static void
test_refuses_windows_above_the_image (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("sub-sampler");
  g_autoptr (LbPacket) samples = toy_samples (4, 16, 2, 1);

  lb_harness_set (h, "window", "17");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 2);
  harness_refuses (h, LB_ERROR_PIPELINE,
                   "property 'window': windows of 17 x 17 pixels do not fit into images of 16 x 16; expected 1 to 16 "
                   "pixels");
}

static void
test_refuses_windows_below_one_pixel (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("sub-sampler");
  g_autoptr (LbPacket) samples = toy_samples (4, 16, 2, 1);

  lb_harness_set (h, "ratio", "0.05");
  lb_harness_feed (h, "samples", "set.samples", "samples", samples, 2);
  harness_refuses (
      h, LB_ERROR_PIPELINE,
      "property 'ratio': 0.05 makes windows of 0.8 x 0.8 pixels in images of 16 x 16; expected at least one pixel and "
      "at most the image, so a ratio from 0.0625 to 1");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sub-sampler/sends-the-windows", test_sends_the_windows);
  g_test_add_func ("/sub-sampler/ratio-and-pixels-agree", test_ratio_and_pixels_agree);
  g_test_add_func ("/sub-sampler/refuses-windows-above-the-image", test_refuses_windows_above_the_image);
  g_test_add_func ("/sub-sampler/refuses-windows-below-one-pixel", test_refuses_windows_below_one_pixel);
  return g_test_run ();
}
