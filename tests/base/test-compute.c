/* The counter of floating-point operations. */
#include "base/compute.h"

static void
add_one (guint index, guint worker, gpointer data)
{
  lb_compute_add_flops (data, index == 0 ? 0x1p60 : 1);
}

static void
test_flops (void)
{
  g_autoptr (LbPool) pool = lb_pool_new (4);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);

  g_assert_true (lb_compute_pool (compute) == pool);
  g_assert_cmpfloat (lb_compute_flops (compute), ==, 0);
  /* In doubles, 1 would be lost beside 2^60. */
  lb_pool_run (pool, 1025, add_one, compute);
  g_assert_cmpfloat (lb_compute_flops (compute), ==, 0x1p60 + 1024);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/compute/flops-of-all-threads-add-up-exactly", test_flops);
  return g_test_run ();
}
