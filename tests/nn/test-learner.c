/* Learning on a toy set. */
#include "nn/toy.h"

typedef struct {
  LbNetwork *network;
  LbLearner *learner;
  LbTensor *parameters;
  double first, last; /* mean loss of the first and last epoch */
} Lesson;

static void
lesson_clear (Lesson *lesson)
{
  lb_learner_free (lesson->learner);
  lb_network_free (lesson->network);
  lb_tensor_unref (lesson->parameters);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Lesson, lesson_clear)

static Lesson
learn (const LbLearningSet *set, const LbLearnerSettings *settings, double rate, guint epochs, guint threads)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (threads);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  Lesson lesson = { lb_network_new ("convnet-d2", (LbImageSize){ 1, 8, 8 }, 2, &error) };

  g_assert_no_error (error);
  lesson.learner = lb_learner_new (lesson.network, lb_tensor_dim (set->images, 0), settings, &error);
  g_assert_no_error (error);
  lesson.parameters = lb_network_initialise (lesson.network, lb_key (3));
  lb_learner_start (lesson.learner, lesson.parameters, rate);
  for (guint epoch = 0; epoch < epochs; epoch++) {
    double loss = 0, sum = 0;
    guint steps = 0;

    lb_learner_begin_epoch (lesson.learner, set, lb_key_index (lb_key (4), epoch));
    while (lb_learner_step (lesson.learner, compute, &loss)) {
      sum += loss;
      steps++;
    }
    g_assert_cmpuint (steps, ==, lb_learner_epoch_steps (lesson.learner));
    if (epoch == 0) {
      lesson.first = sum / steps;
      CLOSE (lb_compute_flops (compute) / lb_learner_epoch_flops (lesson.learner), 1, 1e-9);
    }
    lesson.last = sum / steps;
  }
  return lesson;
}

static void
test_learns_what_can_be_learnt (void)
{
  g_auto (Toy) toy = toy_new (21, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  g_auto (Lesson) lesson = learn (&set, &(LbLearnerSettings){ .batch = 8, .momentum = 0.9 }, 0.01, 10, 1);

  g_assert_cmpuint (lb_learner_epoch_steps (lesson.learner), ==, 3); /* 8 + 8 + 5 */
  g_assert_cmpfloat (lesson.last, <, 0.05);
  g_assert_cmpfloat (lesson.first, >, 2 * lesson.last);
}

static void
test_small_set_is_one_batch (void)
{
  g_auto (Toy) toy = toy_new (6, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  g_auto (Lesson) lesson = learn (&set, &(LbLearnerSettings){ .batch = 256 }, 0.01, 1, 1);

  g_assert_cmpuint (lb_learner_epoch_steps (lesson.learner), ==, 1);
}

/* One step with a rate of 0 leaves the parameters alone, and the loss of a network that knows nothing is near log 2. */
static void
test_loss_is_that_before_the_step (void)
{
  g_auto (Toy) toy = toy_new (6, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  g_auto (Lesson) lesson = learn (&set, &(LbLearnerSettings){ .batch = 6, .momentum = 0.9 }, 0, 2, 1);
  g_autoptr (LbTensor) start = lb_network_initialise (lesson.network, lb_key (3));

  g_assert_cmpmem (lb_tensor_data (start), lb_tensor_bytes (start), lb_tensor_data (lesson.parameters),
                   lb_tensor_bytes (lesson.parameters));
  CLOSE (lesson.first, lesson.last, 1e-6);
  CLOSE (lesson.first, log (2), 0.3);
}

/* Hard labels that say nothing, dense labels of views that tell the classes apart: only the views can teach it. */
static void
test_views_teach_too (void)
{
  g_auto (Toy) toy = toy_new (12, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 2, 0.75);
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (12, 4, 2));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  LbLearnerSettings settings = { .batch = 12, .momentum = 0.9, .views = 3, .dense_weight = 2 };

  for (gint64 row = 0; row < 48; row++)
    lb_tensor_f32 (dense)[2 * row + row / 4 % 2] = 1;
  g_auto (Lesson) both = learn (&set, &settings, 0.01, 30, 1);
  g_assert_cmpfloat (both.first, >, 1.5); /* 3 log 2 */
  g_assert_cmpfloat (both.last, <, 0.2);
  settings.views = 0;
  g_auto (Lesson) alone = learn (&set, &settings, 0.01, 1, 1);
  CLOSE (alone.first, log (2), 0.3);
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_auto (Toy) toy = toy_new (20, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 2, 0.6);
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (20, 4, 2));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  LbLearnerSettings settings = { .batch = 8, .momentum = 0.9, .weight_decay = 5e-4, .views = 2, .dense_weight = 1 };

  for (gint64 i = 0; i < 160; i++)
    lb_tensor_f32 (dense)[i] = 0.5f;
  g_auto (Lesson) one = learn (&set, &settings, 0.01, 2, 1);
  for (guint threads = 2; threads <= 4; threads += 2) {
    g_auto (Lesson) more = learn (&set, &settings, 0.01, 2, threads);
    g_assert_cmpmem (lb_tensor_data (one.parameters), lb_tensor_bytes (one.parameters),
                     lb_tensor_data (more.parameters), lb_tensor_bytes (more.parameters));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/learner/learns-what-can-be-learnt", test_learns_what_can_be_learnt);
  g_test_add_func ("/learner/small-set-is-one-batch", test_small_set_is_one_batch);
  g_test_add_func ("/learner/loss-is-that-before-the-step", test_loss_is_that_before_the_step);
  g_test_add_func ("/learner/views-teach-too", test_views_teach_too);
  g_test_add_func ("/learner/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  return g_test_run ();
}
