/* The guide's test: the distiller alone, without a pipeline, on a set that is made here. */
#include "limbeck-test.h"

#define CLASSES 3
#define COUNT   24
#define SIDE    8

/* Images of a class are bright in a third of their own, over noise. */
static LbPacket *
make_set (void)
{
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (COUNT, 1, SIDE, SIDE));
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (COUNT));
  LbTensor *mean = lb_tensor_new (LB_F32, LB_SHAPE (1)), *std = lb_tensor_new (LB_F32, LB_SHAPE (1));
  LbRandom random = lb_random (lb_key (1));
  LbPacket *packet = lb_packet_new ();

  for (int i = 0; i < COUNT * SIDE * SIDE; i++) {
    gboolean bright = i % SIDE * CLASSES / SIDE == i / (SIDE * SIDE) % CLASSES;
    lb_tensor_u8 (images)[i] = (guint8)(lb_random_below (&random, 64) + (bright ? 160 : 0));
  }
  for (int i = 0; i < COUNT; i++)
    lb_tensor_i32 (labels)[i] = i % CLASSES;
  lb_tensor_f32 (mean)[0] = lb_tensor_f32 (std)[0] = 0.5F;
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", mean);
  lb_packet_take (packet, "std", std);
  return packet;
}

static LbHarness *
mean_matching (void)
{
  LbHarness *h = lb_harness_new ("mean-matching");
  g_autoptr (LbPacket) set = make_set ();

  lb_harness_set (h, "architecture", "convnet-d1:width=32");
  lb_harness_set (h, "iterations", "10");
  lb_harness_set (h, "real-batch", "8");
  lb_harness_feed (h, "source", "set.samples", "samples", set, CLASSES);
  return h;
}

static void
test_loss_falls (void)
{
  g_autoptr (LbHarness) h = mean_matching ();
  g_autoptr (GError) error = NULL;

  lb_harness_set (h, "augmentation", "none");
  lb_harness_set (h, "iterations", "30");
  g_assert_true (lb_harness_run (h, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat (lb_harness_last_value (h), <, lb_harness_first_value (h));
  g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
  g_assert_cmpint (lb_harness_output_dim (h, "samples", "n"), ==, CLASSES);
}

/* What every stage promises. */
static void
test_promises (void)
{
  g_autoptr (LbHarness) h = mean_matching ();
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_harness_check_configure (h, &error) && lb_harness_check_threads (h, &error)
                 && lb_harness_check_resume (h, 3, &error) && lb_harness_check_cancel (h, 4, &error)
                 && lb_harness_check_longer (h, "iterations", 2, &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/mean-matching/loss-falls", test_loss_falls);
  g_test_add_func ("/mean-matching/promises", test_promises);
  return g_test_run ();
}
