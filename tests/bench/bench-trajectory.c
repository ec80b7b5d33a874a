/* Limbeck's side of tests/bench/compare for trajectory matching.
 *
 *   bench-trajectory mtt-IPC-N THREADS
 *
 * One iteration of ConvNet-D3 on grey images of 28 x 28 in 10 classes: N inner steps on all of the IPC images of each
 * class, the distance to three quarters of the parameters, and its gradient by images and rate, as the stage computes
 * them. The value is the L2 norm of the images' gradient. answer.h says how it is asked.
 */
#include <math.h>
#include <stdlib.h>

#include "../plugins/trajectory-matching/trajectory-matching.h"
#include "bench/answer.h"
#include "golden/networks.h"

#define CLASSES 10
#define RATE    0.01

typedef struct {
  Unroll unroll;
  Synthetic synthetic, gradient;
  LbTensor *start;
  LbCompute *compute;
} Work;

static gboolean
check (gboolean done, GError *error)
{
  if (!done)
    g_printerr ("bench-trajectory: %s\n", error->message);
  return done;
}

/* dL/dtheta_N into the adjoint. */
static void
aim (Work *w)
{
  const float *theta = lb_tensor_f32 (w->unroll.theta), *start = lb_tensor_f32 (w->start);
  float *adjoint = lb_tensor_f32 (w->unroll.adjoint);
  gint64 p = lb_tensor_size (w->start);
  double apart = 0;

  for (gint64 i = 0; i < p; i++)
    apart += (0.25 * start[i]) * (0.25 * start[i]);
  for (gint64 i = 0; i < p; i++)
    adjoint[i] = (float)(2 * (theta[i] - 0.75 * start[i]) / apart);
}

static void
iterate (gpointer data)
{
  Work *w = data;
  Unroll *u = &w->unroll;
  double loss, by_rate = 0;
  g_autoptr (GError) error = NULL;
  gboolean good = TRUE;

  memcpy (lb_tensor_data (u->theta), lb_tensor_data (w->start), lb_tensor_bytes (w->start));
  memset (lb_tensor_data (w->gradient.images), 0, lb_tensor_bytes (w->gradient.images));
  for (gint64 k = 0; k < u->steps && good; k++)
    good = unroll_forward (u, k, &w->synthetic, RATE, &loss, lb_key (1), w->compute, &error);
  aim (w);
  for (gint64 k = u->steps - 1; k >= 0 && good; k--)
    good = unroll_backward (u, k, &w->synthetic, &w->gradient, RATE, &by_rate, lb_key (1), w->compute, &error);
  if (!check (good, error))
    exit (1);
}

static gboolean
build (Work *w, const LbNetwork *network, gint64 ipc, gint64 steps, const char *directory, GError **error)
{
  TrajectoryMatching settings
      = { .images_per_class = ipc, .inner_steps = steps, .augmentation = (char *)"none", .gradient = (char *)"exact" };
  gint64 n = CLASSES * ipc;

  if (!unroll_build (&w->unroll, network, &settings, LB_F32, error) || !unroll_bind (&w->unroll, directory, error))
    return FALSE;
  w->start = network_parameters (network);
  w->synthetic.images = numbers (LB_F32, SYNTHETIC, LB_SHAPE (n, 28, 28, 1), 0, 2);
  w->synthetic.labels = lb_tensor_new (LB_F32, LB_SHAPE (n, CLASSES));
  w->gradient.images = lb_tensor_new (LB_F32, LB_SHAPE (n, 28, 28, 1));
  for (gint64 i = 0; i < n; i++)
    lb_tensor_f32 (w->synthetic.labels)[i * CLASSES + i / ipc] = 1;
  unroll_draw (&w->unroll, lb_key (1));
  return TRUE;
}

static double
norm (LbTensor *tensor)
{
  double sum = 0;

  for (gint64 i = 0; i < lb_tensor_size (tensor); i++)
    sum += (double)lb_tensor_f32 (tensor)[i] * lb_tensor_f32 (tensor)[i];
  return sqrt (sum);
}

int
main (int argc, char **argv)
{
  int ipc, steps;
  g_autoptr (GError) error = NULL;
  Work w = { 0 };

  if (argc != 3 || sscanf (argv[1], "mtt-%d-%d", &ipc, &steps) != 2 || ipc < 1 || steps < 1) {
    fprintf (stderr, "usage: bench-trajectory mtt-IPC-N THREADS\n");
    return 2;
  }
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d3", (LbImageSize){ 1, 28, 28 }, CLASSES, NULL);
  g_autoptr (LbPool) pool = lb_pool_new (atoi (argv[2]));
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  if (!check (build (&w, network, ipc, steps, g_get_tmp_dir (), &error), error))
    return 1;
  w.compute = compute;
  answer_requests (iterate, &w);
  answer_end (norm (w.gradient.images), lb_compute_flops (compute));
  lb_tensor_unref (w.start);
  lb_tensor_unref (w.synthetic.images);
  lb_tensor_unref (w.synthetic.labels);
  lb_tensor_unref (w.gradient.images);
  unroll_clear (&w.unroll);
  return 0;
}
