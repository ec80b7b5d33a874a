/* A worker pool and a counter of floating-point operations.
 *
 * Invariant: the count is a whole number, so that it does not depend on the order in which threads add to it.
 */
#include "base/compute.h"

struct _LbCompute {
  LbPool *pool;
  guint64 flops; /* atomic */
  gboolean is_traced;
  char *finding; /* or NULL */
};

LbCompute *
lb_compute_new (LbPool *pool)
{
  g_return_val_if_fail (pool != NULL, NULL);

  LbCompute *compute = g_new0 (LbCompute, 1);
  compute->pool = pool;
  return compute;
}

void
lb_compute_free (LbCompute *compute)
{
  if (compute == NULL)
    return;
  g_free (compute->finding);
  g_free (compute);
}

LbPool *
lb_compute_pool (LbCompute *compute)
{
  return compute->pool;
}

double
lb_compute_flops (LbCompute *compute)
{
  return (double)__atomic_load_n (&compute->flops, __ATOMIC_RELAXED);
}

void
lb_compute_add_flops (LbCompute *compute, double flops)
{
  g_return_if_fail (flops >= 0 && flops < 0x1p63);

  __atomic_fetch_add (&compute->flops, (guint64)(flops + 0.5), __ATOMIC_RELAXED);
}

void
lb_compute_trace (LbCompute *compute, gboolean trace)
{
  compute->is_traced = trace;
}

gboolean
lb_compute_is_traced (const LbCompute *compute)
{
  return compute->is_traced;
}

void
lb_compute_tell (LbCompute *compute, const char *finding)
{
  if (compute->finding == NULL)
    compute->finding = g_strdup (finding);
}

const char *
lb_compute_finding (const LbCompute *compute)
{
  return compute->finding;
}
