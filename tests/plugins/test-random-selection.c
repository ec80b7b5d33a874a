/* The random-selection stage. */
#include "plugins/harness.h"

static LbPacket *
select_from (LbPacket *samples, const char *count, guint64 seed)
{
  g_autoptr (LbHarness) h = lb_harness_new ("random-selection");

  lb_harness_set_seed (h, seed);
  lb_harness_set (h, "images-per-class", count);
  lb_harness_feed (h, "source", "set.samples", "samples", samples, 4);
  harness_run_well (h);
  return lb_packet_ref (lb_harness_output (h, "samples", 0));
}

/* Each image of the source is told apart by its pixels. */
static gint64
find_image (LbPacket *samples, const guint8 *pixels)
{
  LbTensor *images = lb_packet_get (samples, "images");

  for (gint64 i = 0; i < lb_tensor_dim (images, 0); i++)
    if (memcmp (lb_tensor_u8 (images) + 64 * i, pixels, 64) == 0)
      return i;
  return -1;
}

static void
test_draws_so_many_of_each_class (void)
{
  g_autoptr (LbPacket) samples = toy_samples (40, 8, 4, 1), chosen = select_from (samples, "5", 7);
  LbTensor *images = lb_packet_get (chosen, "images"), *labels = lb_packet_get (chosen, "labels");
  gboolean seen[40] = { FALSE };

  g_assert_cmpint (lb_tensor_dim (images, 0), ==, 20);
  g_assert_cmpint (lb_tensor_dtype (images), ==, LB_U8);
  for (gint64 i = 0; i < 20; i++) {
    gint64 from = find_image (samples, lb_tensor_u8 (images) + 64 * i);

    g_assert_cmpint (lb_tensor_i32 (labels)[i], ==, i / 5);
    g_assert_cmpint (from, >=, 0);
    g_assert_cmpint (from % 4, ==, i / 5);
    g_assert_false (seen[from]);
    seen[from] = TRUE;
  }
  assert_same_tensor (lb_packet_get (chosen, "mean"), lb_packet_get (samples, "mean"));
}

static void
test_depends_on_the_seed_alone (void)
{
  g_autoptr (LbPacket) samples = toy_samples (40, 8, 4, 1), a = select_from (samples, "2", 7);
  g_autoptr (LbPacket) b = select_from (samples, "2", 7), c = select_from (samples, "2", 8);

  assert_same_tensor (lb_packet_get (a, "images"), lb_packet_get (b, "images"));
  g_assert_false (same_bytes (lb_packet_get (a, "images"), lb_packet_get (c, "images")));
}

static void
test_refuses_classes_with_too_few (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("random-selection");
  g_autoptr (LbPacket) samples = toy_samples (10, 8, 4, 1);

  lb_harness_set (h, "images-per-class", "3");
  lb_harness_feed (h, "source", "set.samples", "samples", samples, 4);
  harness_refuses (
      h, LB_ERROR_INPUT,
      "'set.samples' has 2 images of class 2, but images-per-class asks for 3; ask for fewer, or give a larger source");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/random-selection/draws-so-many-of-each-class", test_draws_so_many_of_each_class);
  g_test_add_func ("/random-selection/depends-on-the-seed-alone", test_depends_on_the_seed_alone);
  g_test_add_func ("/random-selection/refuses-classes-with-too-few", test_refuses_classes_with_too_few);
  return g_test_run ();
}
