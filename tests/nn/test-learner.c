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

/* One image of two classes, whose only view is all of it, labelled alike: with a margin m between the scores both
 * losses are log (1 + exp (-m)), and that of the view is log (1 + exp (-m / T)) at temperature T. */
static void
test_temperature_divides_the_scores_of_views (void)
{
  g_auto (Toy) toy = toy_new (1, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 1, 1);
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (1, 1, 2));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  LbLearnerSettings settings = { .batch = 1, .views = 1, .dense_weight = 1, .dense_temperature = 1 };

  lb_tensor_f32 (dense)[lb_tensor_i32 (toy.labels)[0]] = 1;
  g_auto (Lesson) plain = learn (&set, &settings, 0.01, 1, 1);
  double loss = plain.first / 2, margin = -log (expm1 (loss));
  settings.dense_temperature = 4;
  g_auto (Lesson) warm = learn (&set, &settings, 0.01, 1, 1);
  g_assert_cmpfloat (fabs (margin), >, 0.01);
  CLOSE (warm.first, loss + log1p (exp (-margin / 4)), 1e-5);
}

static void
test_same_bits_at_any_thread_count (void)
{
  g_auto (Toy) toy = toy_new (20, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 2, 0.6);
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (20, 4, 2));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  LbLearnerSettings settings
      = { .batch = 8, .momentum = 0.9, .weight_decay = 5e-4, .views = 2, .dense_weight = 1, .clip = 0.5 };

  for (gint64 i = 0; i < 160; i++)
    lb_tensor_f32 (dense)[i] = 0.5f;
  g_auto (Lesson) one = learn (&set, &settings, 0.01, 2, 1);
  for (guint threads = 2; threads <= 4; threads += 2) {
    g_auto (Lesson) more = learn (&set, &settings, 0.01, 2, threads);
    g_assert_cmpmem (lb_tensor_data (one.parameters), lb_tensor_bytes (one.parameters),
                     lb_tensor_data (more.parameters), lb_tensor_bytes (more.parameters));
  }
}

/* ---- Optimisers, averages, augmentation ---- */

static void
test_adam_learns_too (void)
{
  g_auto (Toy) toy = toy_new (21, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  LbLearnerSettings settings = {
    .batch = 8, .optimiser = LB_OPTIMISER_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.1
  };
  g_auto (Lesson) adam = learn (&set, &settings, 0.001, 8, 1);

  g_assert_cmpfloat (adam.last, <, 0.2);
  g_assert_cmpfloat (adam.first, >, 2 * adam.last);
  settings.optimiser = LB_OPTIMISER_ADAMW;
  g_auto (Lesson) adamw = learn (&set, &settings, 0.001, 8, 1);
  g_assert_cmpfloat (adamw.last, <, 0.2);
  g_assert_cmpfloat (fabs (adamw.last - adam.last), >, 1e-6);
}

/* How far one step of plain SGD at a rate of 0.5 goes with gradients clipped to @limit. */
static double
step_length (const LbLearningSet *set, double limit)
{
  LbLearnerSettings settings = { .batch = 8, .clip = limit };
  g_auto (Lesson) lesson = learn (set, &settings, 0.5, 1, 1);
  g_autoptr (LbTensor) start = lb_network_initialise (lesson.network, lb_key (3));
  double sum = 0;

  for (gint64 i = 0; i < lb_tensor_size (start); i++) {
    double d = lb_tensor_f32 (lesson.parameters)[i] - lb_tensor_f32 (start)[i];
    sum += d * d;
  }
  return sqrt (sum);
}

/* All parameters together go as far as the limit lets them, and a limit that is not reached changes nothing. */
static void
test_clipped_gradients_take_short_steps (void)
{
  g_auto (Toy) toy = toy_new (8, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  double whole = step_length (&set, 0);

  g_assert_cmpfloat (whole, >, 0.1);
  CLOSE (step_length (&set, 0.125) / 0.0625, 1, 1e-3);
  CLOSE (step_length (&set, whole), whole / 2, whole * 1e-3);
  CLOSE (step_length (&set, 1e9), whole, whole * 1e-6);
}

/* Flipped images of the toy set are those of the other class, so nothing can be learnt from them. */
static void
test_images_are_augmented (void)
{
  g_auto (Toy) toy = toy_new (24, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  LbLearnerSettings settings = { .batch = 24, .momentum = 0.9 };

  g_assert_true (lb_augmentation_parse ("flip", &settings.augmentation, NULL));
  g_auto (Lesson) flipped = learn (&set, &settings, 0.005, 25, 1);
  g_assert_cmpfloat (flipped.last, >, 0.55);
  g_assert_true (lb_augmentation_parse ("crop", &settings.augmentation, NULL));
  g_auto (Lesson) cropped = learn (&set, &settings, 0.005, 25, 1);
  g_assert_cmpfloat (cropped.last, <, 0.2);
}

/* Mixed on every step, the labels of the toy set are soft, which no network gets below their entropy; what is learnt
 * from them tells whole images apart nonetheless. */
static void
test_images_are_mixed (void)
{
  g_auto (Toy) toy = toy_new (24, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  LbLearnerSettings settings = { .batch = 12, .momentum = 0.9, .cutmix = 1 };
  g_auto (Lesson) mixed = learn (&set, &settings, 0.01, 25, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbLearner) plain = lb_learner_new (mixed.network, 24, &(LbLearnerSettings){ .batch = 24 }, &error);
  double loss;

  g_assert_cmpfloat (mixed.last, >, 0.1);
  g_assert_cmpfloat (mixed.last, <, 0.6);
  g_assert_no_error (error);
  lb_learner_start (plain, mixed.parameters, 0);
  lb_learner_begin_epoch (plain, &set, lb_key (1));
  g_assert_true (lb_learner_step (plain, compute, &loss));
  g_assert_cmpfloat (loss, <, 0.25);
}

/* Labels of the images say nothing; views, when they are not flipped, tell all. */
static void
test_views_are_augmented (void)
{
  g_auto (Toy) toy = toy_new (12, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 1, 1);
  g_autoptr (LbTensor) dense = lb_tensor_new (LB_F32, LB_SHAPE (12, 1, 2));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  LbLearnerSettings settings = { .batch = 12, .momentum = 0.9, .views = 1, .dense_weight = 10 };

  for (gint64 row = 0; row < 12; row++)
    lb_tensor_f32 (dense)[2 * row + row % 2] = 1;
  g_auto (Lesson) plain = learn (&set, &settings, 0.001, 15, 1);
  g_assert_cmpfloat (plain.last, <, 11 * 0.1);
  g_assert_true (lb_augmentation_parse ("flip", &settings.augmentation, NULL));
  g_auto (Lesson) flipped = learn (&set, &settings, 0.001, 15, 1);
  g_assert_cmpfloat (flipped.last, >, 11 * 0.4);
}

/* After each step t: d = min (0.5, (1 + t) / (10 + t)). */
static void
test_average_follows_the_parameters (void)
{
  g_auto (Toy) toy = toy_new (16, 1);
  LbLearningSet set = { .images = toy.images, .labels = toy.labels, .mean = toy.mean, .std = toy.std };
  LbLearnerSettings settings = { .batch = 8, .momentum = 0.9, .average_decay = 0.15 };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d2", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_autoptr (LbLearner) learner = lb_learner_new (network, 16, &settings, &error);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (3));
  double average = lb_tensor_f32 (parameters)[5], start = average, loss;

  lb_learner_start (learner, parameters, 0.1);
  for (guint t = 0; t < 4; t++) {
    double d = MIN (0.15, (1.0 + t) / (10.0 + t));
    if (!lb_learner_in_epoch (learner))
      lb_learner_begin_epoch (learner, &set, lb_key_index (lb_key (4), lb_learner_epochs (learner)));
    g_assert_true (lb_learner_step (learner, compute, &loss));
    average = d * average + (1 - d) * lb_tensor_f32 (parameters)[5];
    CLOSE (lb_tensor_f32 (lb_learner_result (learner))[5], average, 1e-6);
  }
  g_assert_cmpfloat (fabs (average - start), >, 1e-4);
  g_assert_cmpfloat (fabs (average - lb_tensor_f32 (parameters)[5]), >, 1e-5);
}

/* ---- Saving and restoring ---- */

/* Learns @steps steps; with @state goes on from there. Everything is made anew. */
static GArray *
learn_steps (const Toy *toy, const LbLearnerSettings *settings, GArray *state, guint steps)
{
  LbLearningSet set = { .images = toy->images, .labels = toy->labels, .mean = toy->mean, .std = toy->std };
  gint64 n = lb_tensor_dim (toy->images, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d2", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_autoptr (LbLearner) learner = lb_learner_new (network, n, settings, &error);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (state ? 77 : 3));
  double loss;

  g_assert_no_error (error);
  lb_learner_start (learner, parameters, 0.01);
  if (state && !lb_learner_restore (learner, &set, state, &error))
    g_assert_no_error (error);
  while (lb_learner_steps (learner) < steps) {
    if (!lb_learner_in_epoch (learner))
      lb_learner_begin_epoch (learner, &set, lb_key_index (lb_key (4), lb_learner_epochs (learner)));
    g_assert_true (lb_learner_step (learner, compute, &loss));
  }
  return lb_learner_save (learner);
}

static LbTensor *
named (GArray *state, const char *name)
{
  for (guint i = 0; i < state->len; i++)
    if (g_str_equal (g_array_index (state, LbNamedTensor, i).name, name))
      return g_array_index (state, LbNamedTensor, i).tensor;
  return NULL;
}

static void
assert_same_state (GArray *a, GArray *b)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++) {
    const LbNamedTensor *x = &g_array_index (a, LbNamedTensor, i), *y = &g_array_index (b, LbNamedTensor, i);
    g_assert_cmpstr (x->name, ==, y->name);
    g_assert_cmpmem (lb_tensor_data (x->tensor), lb_tensor_bytes (x->tensor), lb_tensor_data (y->tensor),
                     lb_tensor_bytes (y->tensor));
  }
}

/* 20 images in batches of 8: three steps an epoch. Cut inside an epoch, at its end, before its last step. */
static void
test_restored_training_ends_in_the_same_bits (void)
{
  g_auto (Toy) toy = toy_new (20, 1);
  LbLearnerSettings settings[] = {
    { .batch = 8, .momentum = 0.9, .weight_decay = 5e-4, .schedule = { LB_SCHEDULE_STEP, 3, 0, 0.1 } },
    { .batch = 8,
      .optimiser = LB_OPTIMISER_ADAMW,
      .beta1 = 0.9,
      .beta2 = 0.999,
      .epsilon = 1e-8,
      .weight_decay = 0.1,
      .schedule = { LB_SCHEDULE_COSINE, 3, 1 },
      .average_decay = 0.9 },
    { .batch = 8, .cutmix = 0.5, .schedule = { LB_SCHEDULE_TWO_STEPS, 3, 0, 0.2 } },
    { .batch = 8, .gradient_penalty = 0.1, .schedule = { LB_SCHEDULE_CONSTANT, 3, 2, 1, 0.5 } },
    { .batch = 8 },
  };

  g_assert_true (lb_augmentation_parse ("color_crop_cutout_scale_rotate", &settings[1].augmentation, NULL));
  g_assert_true (lb_augmentation_parse ("color-crop", &settings[2].augmentation, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (settings); i++) {
    g_autoptr (GArray) whole = learn_steps (&toy, &settings[i], NULL, 9);
    for (guint cut = 2; cut <= 8; cut += 3) {
      g_autoptr (GArray) first = learn_steps (&toy, &settings[i], NULL, cut);
      g_autoptr (GArray) second = learn_steps (&toy, &settings[i], first, 9);
      assert_same_state (whole, second);
    }
    g_autoptr (GArray) epoch = learn_steps (&toy, &settings[i], NULL, 6);
    g_autoptr (GArray) rest = learn_steps (&toy, &settings[i], epoch, 9);
    assert_same_state (whole, rest);
  }
}

static void
refuse_state (const Toy *toy, const LbLearnerSettings *settings, GArray *state, const char *message)
{
  LbLearningSet set = { .images = toy->images, .labels = toy->labels, .mean = toy->mean, .std = toy->std };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d2", (LbImageSize){ 1, 8, 8 }, 2, NULL);
  g_autoptr (LbLearner) learner = lb_learner_new (network, 20, settings, NULL);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (3)), before = lb_tensor_copy (parameters);

  lb_learner_start (learner, parameters, 0.01);
  g_assert_false (lb_learner_restore (learner, &set, state, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, message);
  g_assert_cmpmem (lb_tensor_data (before), lb_tensor_bytes (before), lb_tensor_data (parameters),
                   lb_tensor_bytes (parameters));
}

static void
test_foreign_states_are_refused (void)
{
  g_auto (Toy) toy = toy_new (20, 1);
  LbLearnerSettings plain = { .batch = 8 }, momentum = { .batch = 8, .momentum = 0.9 };
  g_autoptr (GArray) state = learn_steps (&toy, &plain, NULL, 2);
  gint64 *position = lb_tensor_i64 (named (state, "position"));

  refuse_state (&toy, &momentum, state,
                "a saved training has no 'moment1', where f32[150402] was expected; it was saved with other settings, "
                "start the training again");
  position[1] = 12;
  refuse_state (&toy, &plain, state,
                "a saved training stands at image 12 after 0 epochs and 2 steps, where batches of 8 of 20 images were "
                "expected; it is damaged or was saved with another set, start the training again");
  position[1] = -8;
  refuse_state (&toy, &plain, state,
                "a saved training stands at image -8 after 0 epochs and 2 steps, where batches of 8 of 20 images were "
                "expected; it is damaged or was saved with another set, start the training again");
}

/* A rate of 0 leaves what is trained alone, weight decay and all; running statistics follow the images nonetheless, and
 * those of the views after them. */
static void
test_statistics_follow_the_images (void)
{
  g_auto (Toy) toy = toy_new (12, 1);
  g_autoptr (LbTensor) windows = lb_view_windows (8, 8, 2, 0.75), dense = lb_tensor_new (LB_F32, LB_SHAPE (12, 4, 2));
  LbLearningSet set = { toy.images, toy.labels, toy.mean, toy.std, windows, dense };
  LbLearnerSettings settings = { .batch = 6, .momentum = 0.9, .weight_decay = 0.1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1:width=4:norm=batch", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_autoptr (LbTensor) start = lb_network_initialise (network, lb_key (3));
  gint64 trained = lb_network_n_trained (network), all = lb_network_n_parameters (network);
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  double loss, moved[2] = { 0 };

  for (settings.views = 0; settings.views < 2; settings.views++) {
    g_autoptr (LbLearner) learner = lb_learner_new (network, 12, &settings, &error);
    g_autoptr (LbTensor) parameters = lb_tensor_copy (start);

    g_assert_no_error (error);
    lb_learner_start (learner, parameters, 0);
    lb_learner_begin_epoch (learner, &set, lb_key (4));
    while (lb_learner_step (learner, compute, &loss))
      ;
    g_assert_cmpmem (lb_tensor_data (start), (gsize)trained * 4, lb_tensor_data (parameters), (gsize)trained * 4);
    for (gint64 i = trained; i < all; i++)
      moved[settings.views] += fabs (lb_tensor_f32 (parameters)[i] - lb_tensor_f32 (start)[i]);
  }
  /* Two steps go 1 - 0.9^2 of the way, four 1 - 0.9^4. */
  g_assert_cmpfloat (moved[0], >, 0.01);
  g_assert_cmpfloat (moved[1], >, 1.5 * moved[0]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/learner/learns-what-can-be-learnt", test_learns_what_can_be_learnt);
  g_test_add_func ("/learner/small-set-is-one-batch", test_small_set_is_one_batch);
  g_test_add_func ("/learner/loss-is-that-before-the-step", test_loss_is_that_before_the_step);
  g_test_add_func ("/learner/views-teach-too", test_views_teach_too);
  g_test_add_func ("/learner/temperature-divides-the-scores-of-views", test_temperature_divides_the_scores_of_views);
  g_test_add_func ("/learner/same-bits-at-any-thread-count", test_same_bits_at_any_thread_count);
  g_test_add_func ("/learner/adam-learns-too", test_adam_learns_too);
  g_test_add_func ("/learner/clipped-gradients-take-short-steps", test_clipped_gradients_take_short_steps);
  g_test_add_func ("/learner/images-are-augmented", test_images_are_augmented);
  g_test_add_func ("/learner/images-are-mixed", test_images_are_mixed);
  g_test_add_func ("/learner/views-are-augmented", test_views_are_augmented);
  g_test_add_func ("/learner/average-follows-the-parameters", test_average_follows_the_parameters);
  g_test_add_func ("/learner/restored-training-ends-in-the-same-bits", test_restored_training_ends_in_the_same_bits);
  g_test_add_func ("/learner/statistics-follow-the-images", test_statistics_follow_the_images);
  g_test_add_func ("/learner/foreign-states-are-refused", test_foreign_states_are_refused);
  return g_test_run ();
}
