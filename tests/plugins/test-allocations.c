/* A step of a distiller allocates nothing but the fresh network that it matches with. */
#include "allocations.h"
#include "plugins/harness.h"

static guint
allocations_of (const char *stage, const char *iterations)
{
  g_autoptr (LbPacket) source = toy_samples (60, 8, 3, 1);
  g_autoptr (LbHarness) h = lb_harness_new (stage);
  lb_harness_set (h, "architecture", "convnet-d1");
  lb_harness_set (h, "images-per-class", "1");
  lb_harness_set (h, "real-batch", "8");
  lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
  lb_harness_set (h, "iterations", iterations);
  lb_harness_feed (h, "source", "set.samples", "samples", source, 3);
  guint before = n_allocations ();
  harness_run_well (h);
  return n_allocations () - before;
}

static void
test_steps (gconstpointer stage)
{
  allocations_of (stage, "1"); /* the first of a process loads plugins */
  guint few = allocations_of (stage, "20"), many = allocations_of (stage, "60");
  g_assert_cmpuint (many, >, few);
  g_assert_cmpuint (many - few, <=, 2 * 40);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/allocations/gradient-matching", "gradient-matching", test_steps);
  g_test_add_data_func ("/allocations/distribution-matching", "distribution-matching", test_steps);
  return g_test_run ();
}
