/* Steps of a training allocate nothing, once the first is done: first touch of a page is expensive. */
#include "allocations.h"
#include "nn/toy.h"

#define IMAGES 21

static const struct {
  const char *name, *architecture;
  LbLearnerSettings settings;
} trainings[] = {
  { "plain", "convnet-d2", { .batch = 8, .momentum = 0.9 } },
  { "batch-norm", "convnet-d2:norm=batch", { .batch = 8 } },
  { "adam-with-average",
    "convnet-d2",
    { .batch = 8,
      .optimiser = LB_OPTIMISER_ADAM,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8,
      .average_decay = 0.9,
      .clip = 1 } },
  { "augmented", "convnet-d2", { .batch = 8, .cutmix = 1 } },
  { "views", "convnet-d2", { .batch = 8, .views = 2, .dense_weight = 1 } },
  { "penalty", "convnet-d2", { .batch = 8, .gradient_penalty = 0.1 } },
  { "dropout", "alexnet", { .batch = 8 } },
  { "attention", "vit:patch=4", { .batch = 8 } },
};

static void
test_steps (gconstpointer data)
{
  guint index = GPOINTER_TO_UINT (data);
  LbLearnerSettings settings = trainings[index].settings;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbNetwork) network = lb_network_new (trainings[index].architecture, (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_assert_no_error (error);
  g_auto (Toy) toy = toy_new (IMAGES, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 2, 0.75);
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (IMAGES, 4, 2));
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (3));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  if (settings.cutmix != 0)
    g_assert_true (lb_augmentation_parse ("color_crop_cutout_flip_scale_rotate", &settings.augmentation, NULL));
  g_autoptr (LbLearner) learner = lb_learner_new (network, IMAGES, &settings, &error);
  g_assert_no_error (error);
  lb_learner_start (learner, parameters, 0.01);
  for (guint epoch = 0; epoch < 3; epoch++) {
    double loss;
    lb_learner_begin_epoch (learner, &set, lb_key_index (lb_key (4), epoch));
    guint before = n_allocations ();
    while (lb_learner_step (learner, compute, &loss))
      ;
    if (epoch > 0)
      g_assert_cmpuint (n_allocations () - before, ==, 0);
  }
}

/* That the count sees what is allocated, through whichever library. */
static void
test_counts (void)
{
  guint before = n_allocations ();
  g_free (g_malloc (8));
  lb_tensor_unref (lb_tensor_new (LB_F32, LB_SHAPE (4)));
  g_assert_cmpuint (n_allocations () - before, >=, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/allocations/counts", test_counts);
  for (guint i = 0; i < G_N_ELEMENTS (trainings); i++) {
    g_autofree char *name = g_strdup_printf ("/allocations/steps/%s", trainings[i].name);
    g_test_add_data_func (name, GUINT_TO_POINTER (i), test_steps);
  }
  return g_test_run ();
}
