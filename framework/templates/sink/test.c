/* my-stage alone, without a pipeline. */
#include "limbeck-test.h"

/* Three images of one pixel, of the classes 1, 0 and 1. */
static LbHarness *
three_images (void)
{
  LbHarness *h = lb_harness_new ("my-stage");
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (3));

  lb_tensor_i32 (labels)[0] = lb_tensor_i32 (labels)[2] = 1;
  lb_packet_take (packet, "images", lb_tensor_new (LB_F32, LB_SHAPE (3, 1, 1, 1)));
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_harness_feed (h, "samples", "source.samples", "samples", packet, 2);
  return h;
}

static void
test_counts (void)
{
  g_autoptr (LbHarness) h = three_images ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "counts.csv", NULL), *text = NULL;

  lb_harness_set (h, "file", "counts.csv");
  lb_harness_run (h, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "class,images\n0,1\n1,2\n");
}

/* What pipelines rely on, whatever the stage does. */
static void
test_promises (void)
{
  g_autoptr (LbHarness) h = three_images ();
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
  g_test_add_func ("/my-stage/counts", test_counts);
  g_test_add_func ("/my-stage/keeps-its-promises", test_promises);
  return g_test_run ();
}
