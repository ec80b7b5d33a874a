/* Measuring how fast this machine trains a small network: what the stages of a pipeline do most of the time. */
#include "cli/calibrate.h"

#include "nn/learner.h"

#define BATCH      64
#define ENOUGH_US  150000
#define MOST_STEPS 64

double
lb_calibrate (guint threads)
{
  static const LbLearnerSettings settings = { .batch = BATCH, .momentum = 0.9 };
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d3", (LbImageSize){ 1, 28, 28 }, 10, NULL);
  g_autoptr (LbLearner) learner = network != NULL ? lb_learner_new (network, BATCH, &settings, NULL) : NULL;
  if (learner == NULL)
    return 0;
  g_autoptr (LbPool) pool = lb_pool_new (threads);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (0));
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, LB_SHAPE (BATCH, 1, 28, 28));
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (BATCH));
  LbLearningSet set = { .images = images, .labels = labels };
  LbRandom random = lb_random (lb_key (0));
  lb_random_fill_normal (&random, lb_tensor_f32 (images), (gsize)lb_tensor_size (images));

  lb_learner_start (learner, parameters, 1e-6);
  gint64 started = 0;
  double before = 0, loss;
  /* The first step touches memory that later ones find there. */
  for (guint step = 0; step <= MOST_STEPS; step++) {
    lb_learner_begin_epoch (learner, &set, lb_key (step));
    lb_learner_step (learner, compute, &loss);
    gint64 now = g_get_monotonic_time ();
    if (step == 0) {
      started = now;
      before = lb_compute_flops (compute);
    } else if (now - started >= ENOUGH_US || step == MOST_STEPS) {
      return (lb_compute_flops (compute) - before) * G_USEC_PER_SEC / (double)MAX (now - started, 1);
    }
  }
  return 0;
}
