/* my-stage alone, without a pipeline. */
#include "limbeck-test.h"

/* Four images of noise of each of two classes, and a small network. */
static LbHarness *
small_set (void)
{
  LbHarness *h = lb_harness_new ("my-stage");
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *images = lb_tensor_new (LB_F32, LB_SHAPE (8, 1, 8, 8)), *std = lb_tensor_new (LB_F32, LB_SHAPE (1));
  LbRandom random = lb_random (lb_key (1));

  lb_random_fill_normal (&random, lb_tensor_f32 (images), (gsize)lb_tensor_size (images));
  lb_tensor_f32 (std)[0] = 1;
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", lb_class_labels (2, 4));
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", std);
  lb_harness_feed (h, "source", "source.samples", "samples", packet, 2);
  lb_harness_set (h, "architecture", "convnet-d1:width=8");
  lb_harness_set (h, "iterations", "20");
  return h;
}

static void
test_learns (void)
{
  g_autoptr (LbHarness) h = small_set ();
  g_autoptr (GError) error = NULL;

  lb_harness_run (h, &error);
  g_assert_no_error (error);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (packet, "images"), 0), ==, 2);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[1], ==, 1);
  g_assert_cmpfloat (lb_harness_last_value (h), <, lb_harness_first_value (h));
}

/* What pipelines rely on, whatever the stage does. */
static void
test_promises (void)
{
  g_autoptr (LbHarness) h = small_set ();
  g_autoptr (GError) error = NULL;

  if (lb_harness_check_configure (h, &error) && lb_harness_check_threads (h, &error)
      && lb_harness_check_resume (h, 4, &error) && lb_harness_check_longer (h, "iterations", 2, &error))
    lb_harness_check_cancel (h, 4, &error);
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/my-stage/learns", test_learns);
  g_test_add_func ("/my-stage/keeps-its-promises", test_promises);
  return g_test_run ();
}
