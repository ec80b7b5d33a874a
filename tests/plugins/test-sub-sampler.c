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
  g_test_add_func ("/sub-sampler/refuses-windows-below-one-pixel", test_refuses_windows_below_one_pixel);
  return g_test_run ();
}
