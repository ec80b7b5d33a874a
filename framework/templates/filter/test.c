/* my-stage alone, without a pipeline. */
#include "limbeck-test.h"

/* Two images of one pixel, with the values 1 and -2. */
static LbHarness *
two_images (void)
{
  LbHarness *h = lb_harness_new ("my-stage");
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *images = lb_tensor_new (LB_F32, LB_SHAPE (2, 1, 1, 1)), *std = lb_tensor_new (LB_F32, LB_SHAPE (1));

  lb_tensor_f32 (images)[0] = 1;
  lb_tensor_f32 (images)[1] = -2;
  lb_tensor_f32 (std)[0] = 1;
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", lb_tensor_new (LB_I32, LB_SHAPE (2)));
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", std);
  lb_harness_feed (h, "samples", "source.samples", "samples", packet, 1);
  return h;
}

static void
test_multiplies (void)
{
  g_autoptr (LbHarness) h = two_images ();
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "factor", "3");
  lb_harness_run (h, &error);
  g_assert_no_error (error);
  LbTensor *images = lb_packet_get (lb_harness_output (h, "samples", 0), "images");
  g_assert_cmpfloat (lb_tensor_f32 (images)[0], ==, 3);
  g_assert_cmpfloat (lb_tensor_f32 (images)[1], ==, -6);
}

/* What pipelines rely on, whatever the stage does. */
static void
test_promises (void)
{
  g_autoptr (LbHarness) h = two_images ();
  g_autoptr (GError) error = NULL;

  if (lb_harness_check_configure (h, &error) && lb_harness_check_threads (h, &error)
      && lb_harness_check_resume (h, 4, &error))
    lb_harness_check_cancel (h, 4, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/my-stage/multiplies", test_multiplies);
  g_test_add_func ("/my-stage/keeps-its-promises", test_promises);
  return g_test_run ();
}
