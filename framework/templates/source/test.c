/* my-stage alone, without a pipeline. */
#include "limbeck-test.h"

static LbHarness *
three_of_each (void)
{
  LbHarness *h = lb_harness_new ("my-stage");

  lb_harness_set (h, "images-per-class", "3");
  lb_harness_set (h, "noise", "0");
  return h;
}

static void
test_stripes (void)
{
  g_autoptr (LbHarness) h = three_of_each ();
  g_autoptr (GError) error = NULL;

  lb_harness_run (h, &error);
  g_assert_no_error (error);
  LbPacket *packet = lb_harness_output (h, "samples", 0);
  const float *images = lb_tensor_f32 (lb_packet_get (packet, "images"));
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (packet, "images"), 0), ==, 6);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[3], ==, 1);
  /* Two rows, or two columns, further on everything is the other way round. */
  g_assert_cmpfloat (images[0], ==, -images[2 * 16]);
  g_assert_cmpfloat (images[3 * 256], ==, -images[3 * 256 + 2]);
}

/* What pipelines rely on, whatever the stage does. */
static void
test_promises (void)
{
  g_autoptr (LbHarness) h = three_of_each ();
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
  g_test_add_func ("/my-stage/makes-stripes", test_stripes);
  g_test_add_func ("/my-stage/keeps-its-promises", test_promises);
  return g_test_run ();
}
