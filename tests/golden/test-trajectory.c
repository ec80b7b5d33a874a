/* The gradient of trajectory-matching, taken backward one step at a time, against the unrolled graph and PyTorch. */
#include <glib/gstdio.h>

#include "../plugins/trajectory-matching/trajectory-matching.h"
#include "golden/methods.h"

#define STEPS 3

/* Of the tests in double precision: a small network, all kinds of layers. */
#define SMALL ((LbImageSize){ 1, 8, 8 })

static const TrajectoryMatching settings
    = { .images_per_class = 2, .inner_steps = STEPS, .augmentation = (char *)"none", .gradient = (char *)"exact" };

/* |theta - target|^2 as a node, over @n tensors. */
static LbNode *
squared_distance_node (LbNode *const *theta, LbNode *const *target, guint n)
{
  LbNode *total = NULL;

  for (guint i = 0; i < n; i++) {
    LbNode *d = lb_sub (theta[i], target[i]), *square = lb_sum (lb_mul (d, d));
    total = total ? lb_add (total, square) : square;
  }
  return total;
}

typedef struct {
  LbTensor *images, *labels; /* gradients */
  double rate, loss;
} Gradient;

static void
gradient_clear (Gradient *g)
{
  lb_tensor_unref (g->images);
  lb_tensor_unref (g->labels);
}

/* What both ways are given. */
typedef struct {
  LbNetwork *network;
  TrajectoryMatching self;
  Synthetic synthetic;
  LbTensor *start, *target;
  double rate;
  LbKey key;
} Work;

static void
work_clear (Work *work)
{
  lb_network_free (work->network);
  lb_tensor_unref (work->synthetic.images);
  lb_tensor_unref (work->synthetic.labels);
  lb_tensor_unref (work->start);
  lb_tensor_unref (work->target);
}

/* Labels are one-hot, or logits. */
static Work
work_new (const TrajectoryMatching *self, LbDType dtype, gint64 classes)
{
  g_autoptr (GError) error = NULL;
  Work work = { .self = *self, .rate = 0.125, .key = lb_key (3) };
  gint64 n = self->images_per_class * classes;

  work.network = lb_network_new ("convnet-d2:width=8:activation=sigmoid", SMALL, classes, &error);
  g_assert_no_error (error);
  LbShape flat = LB_SHAPE (lb_network_n_parameters (work.network));
  work.start = numbers (dtype, WEIGHTS, flat, 0, 0.5);
  work.target = numbers (dtype, DIRECTION, flat, 0, 0.5);
  work.synthetic.images = numbers (dtype, SYNTHETIC, LB_SHAPE (n, SMALL.height, SMALL.width, 1), 0, 2);
  work.synthetic.labels = numbers (dtype, TARGETS, LB_SHAPE (n, classes), 0, self->learn_labels ? 2 : 0);
  for (gint64 i = 0; i < n && !self->learn_labels; i++)
    set_element (work.synthetic.labels, i * classes + i / self->images_per_class, 1);
  return work;
}

/* dL/dtheta at the end, L = |theta_N - target|^2; returns L. */
static double
end_adjoint (const LbTensor *theta, const LbTensor *target, LbTensor *adjoint)
{
  double loss = 0;

  for (gint64 i = 0; i < lb_tensor_size (theta); i++) {
    double d = get_element (theta, i) - get_element (target, i);
    set_element (adjoint, i, 2 * d);
    loss += d * d;
  }
  return loss;
}

static Gradient
backward_by_steps (Work *work, LbDType dtype)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autofree char *directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_auto (Unroll) unroll = { 0 };
  Gradient g = { lb_tensor_new (dtype, lb_tensor_shape (work->synthetic.images)),
                 lb_tensor_new (dtype, lb_tensor_shape (work->synthetic.labels)), 0, 0 };
  Synthetic sums = { g.images, g.labels };
  double of_batch;

  unroll_build (&unroll, work->network, &work->self, dtype, &error);
  g_assert_no_error (error);
  unroll_bind (&unroll, directory, &error);
  g_assert_no_error (error);
  unroll_draw (&unroll, work->key);
  memcpy (lb_tensor_data (unroll.theta), lb_tensor_data (work->start), lb_tensor_bytes (work->start));
  for (gint64 k = 0; k < STEPS; k++)
    unroll_forward (&unroll, k, &work->synthetic, work->rate, &of_batch, work->key, compute, &error);
  g_assert_no_error (error);
  g.loss = end_adjoint (unroll.theta, work->target, unroll.adjoint);
  for (gint64 k = STEPS - 1; k >= 0; k--)
    unroll_backward (&unroll, k, &work->synthetic, &sums, work->rate, &g.rate, work->key, compute, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
  return g;
}

/* ---- The same as one graph ---- */

typedef struct {
  LbGraph *graph;
  LbNode *images, *labels, *rate, **start, **target;
  LbAugmenter *augmenters[STEPS];
} Whole;

/* Rows @order of @all as a node. */
static LbNode *
rows_node (LbNode *all, const guint32 *order, gint64 n)
{
  LbNode *rows = NULL;

  for (gint64 i = 0; i < n; i++) {
    LbNode *row = lb_pad (lb_slice (all, 0, order[i], 1), 0, i, n - 1 - i);
    rows = rows ? lb_add (rows, row) : row;
  }
  return rows;
}

static LbNode *
build_whole (Whole *whole, Work *work, const Unroll *unroll, LbDType dtype)
{
  guint n = lb_network_n_tensors (work->network);
  g_autofree LbNode **theta = g_new0 (LbNode *, n), **gradients = g_new0 (LbNode *, n);
  LbAugmentation augmentation;

  lb_augmentation_parse (work->self.augmentation, &augmentation, NULL);
  whole->graph = lb_graph_new (dtype);
  whole->images = lb_input (whole->graph, "images", lb_tensor_shape (work->synthetic.images));
  whole->labels = lb_input (whole->graph, "labels", lb_tensor_shape (work->synthetic.labels));
  whole->rate = lb_input (whole->graph, "rate", LB_SCALAR);
  whole->start = g_new0 (LbNode *, n);
  whole->target = g_new0 (LbNode *, n);
  lb_network_inputs (work->network, whole->graph, "start ", whole->start);
  lb_network_inputs (work->network, whole->graph, "target ", whole->target);
  memcpy (theta, whole->start, n * sizeof (LbNode *));
  for (gint64 k = 0; k < STEPS; k++) {
    const guint32 *order = unroll->order + k * unroll->batch;
    LbNode *x = rows_node (whole->images, order, unroll->batch);
    LbNode *y = rows_node (whole->labels, order, unroll->batch);
    LbNode *scores = lb_network_apply (work->network, theta, lb_augment (x, &augmentation, &whole->augmenters[k]));

    lb_gradients (lb_cross_entropy (scores, unroll->soft ? lb_softmax (y) : y), theta, n, gradients);
    for (guint i = 0; i < n; i++)
      theta[i] = lb_sub (theta[i], lb_mul (whole->rate, gradients[i]));
  }
  return squared_distance_node (theta, whole->target, n);
}

static Gradient
backward_through_the_whole (Work *work, LbDType dtype)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbTensor) rate = lb_tensor_new (dtype, LB_SCALAR);
  g_autofree char *directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_auto (Unroll) unroll = { 0 }; /* for its batches */
  Whole whole = { 0 };
  LbNode *loss, *gradients[3];
  Gradient g = { 0 };

  unroll_build (&unroll, work->network, &work->self, dtype, NULL);
  unroll_bind (&unroll, directory, NULL);
  unroll_draw (&unroll, work->key);
  loss = build_whole (&whole, work, &unroll, dtype);
  lb_gradients (loss, ((LbNode *[]){ whole.images, whole.labels, whole.rate }), 3, gradients);
  g_autoptr (LbProgram) program
      = lb_compile (whole.graph, (LbNode *[]){ loss, gradients[0], gradients[1], gradients[2] }, 4, &error);
  g_assert_no_error (error);
  set_element (rate, 0, work->rate);
  lb_program_bind (program, whole.images, work->synthetic.images);
  lb_program_bind (program, whole.labels, work->synthetic.labels);
  lb_program_bind (program, whole.rate, rate);
  lb_network_bind (work->network, program, whole.start, work->start);
  lb_network_bind (work->network, program, whole.target, work->target);
  for (guint64 k = 0; k < STEPS; k++) {
    lb_augmenter_bind (whole.augmenters[k], program);
    lb_augmenter_draw (whole.augmenters[k], FALSE, lb_key_index (work->key, k));
  }
  lb_program_run (program, compute);
  g.loss = lb_program_scalar (program, loss);
  g.images = lb_tensor_copy (lb_program_result (program, gradients[0]));
  g.labels = lb_tensor_copy (lb_program_result (program, gradients[1]));
  g.rate = lb_program_scalar (program, gradients[2]);
  for (guint k = 0; k < STEPS; k++)
    lb_augmenter_free (whole.augmenters[k]);
  g_free (whole.start);
  g_free (whole.target);
  lb_graph_unref (whole.graph);
  g_assert_cmpint (g_rmdir (directory), ==, 0);
  return g;
}

static void
assert_near (const LbTensor *found, const LbTensor *wanted, double tolerance)
{
  double largest = 0;

  for (gint64 i = 0; i < lb_tensor_size (wanted); i++)
    largest = MAX (largest, fabs (get_element (wanted, i)));
  g_assert_cmpfloat (largest, >, 0);
  for (gint64 i = 0; i < lb_tensor_size (wanted); i++)
    if (!(fabs (get_element (found, i) - get_element (wanted, i)) <= tolerance * largest))
      g_error ("element %d is %g, expected %g, largest %g", (int)i, get_element (found, i), get_element (wanted, i),
               largest);
}

typedef struct {
  const char *augmentation;
  gint64 batch;
  gboolean soft;
} UnrolledCase;

static void
compare_with_whole (const UnrolledCase *c, LbDType dtype, double tolerance)
{
  TrajectoryMatching self = settings;

  self.augmentation = (char *)c->augmentation;
  self.synthetic_batch = c->batch;
  self.learn_labels = c->soft;
  Work work = work_new (&self, dtype, 3);
  Gradient steps = backward_by_steps (&work, dtype), whole = backward_through_the_whole (&work, dtype);

  g_assert_cmpfloat (fabs (steps.loss - whole.loss), <=, tolerance * whole.loss);
  g_assert_cmpfloat (fabs (steps.rate - whole.rate), <=, tolerance * fabs (whole.rate));
  assert_near (steps.images, whole.images, tolerance);
  if (c->soft)
    assert_near (steps.labels, whole.labels, tolerance);
  gradient_clear (&steps);
  gradient_clear (&whole);
  work_clear (&work);
}

static void
test_double (gconstpointer data)
{
  compare_with_whole (data, LB_F64, 1e-11);
}

static void
test_float (gconstpointer data)
{
  compare_with_whole (data, LB_F32, 1e-5);
}

/* Without lambda's way through the steps it is another gradient, and at one step the same. */
static void
test_detached (void)
{
  TrajectoryMatching self = settings;
  Work work = work_new (&self, LB_F64, 3);
  Gradient exact = backward_by_steps (&work, LB_F64), detached;
  double difference = 0;

  work.self.gradient = (char *)"detached";
  detached = backward_by_steps (&work, LB_F64);
  for (gint64 i = 0; i < lb_tensor_size (exact.images); i++)
    difference = MAX (difference, fabs (get_element (exact.images, i) - get_element (detached.images, i)));
  g_assert_cmpfloat (difference, >, 1e-6);
  g_assert_cmpfloat (exact.loss, ==, detached.loss);
  gradient_clear (&exact);
  gradient_clear (&detached);
  work_clear (&work);
}

/* ConvNet-D3, two steps, as torch_methods.py computes it by unrolling. */
static void
test_golden (void)
{
  TrajectoryMatching self = settings;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbNetwork) network = lb_network_new (ARCHITECTURE, (LbImageSize){ 1, 28, 28 }, CLASSES, &error);
  g_autoptr (LbTensor) start = golden_parameters (network);
  g_autofree char *directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_auto (Unroll) unroll = { 0 };
  Synthetic synthetic
      = { numbers (LB_F32, SYNTHETIC, LB_SHAPE (10, 28, 28, 1), 0, 2), lb_tensor_new (LB_F32, LB_SHAPE (10, CLASSES)) };
  Synthetic sums = { lb_tensor_new (LB_F32, LB_SHAPE (10, 28, 28, 1)), lb_tensor_new (LB_F32, LB_SHAPE (10, CLASSES)) };
  g_autoptr (LbTensor) target = lb_tensor_copy (start);
  double by_rate = 0, of_batch;
  float loss, rate;

  self.images_per_class = 1;
  self.inner_steps = 2;
  for (gint64 i = 0; i < 10; i++)
    lb_tensor_f32 (synthetic.labels)[i * CLASSES + i] = 1;
  for (gint64 i = 0; i < lb_tensor_size (target); i++)
    lb_tensor_f32 (target)[i] *= 0.75f;
  unroll_build (&unroll, network, &self, LB_F32, &error);
  g_assert_no_error (error);
  unroll_bind (&unroll, directory, &error);
  unroll_draw (&unroll, lb_key (1));
  memcpy (lb_tensor_data (unroll.theta), lb_tensor_data (start), lb_tensor_bytes (start));
  for (gint64 k = 0; k < 2; k++)
    unroll_forward (&unroll, k, &synthetic, 0.125, &of_batch, lb_key (1), compute, &error);
  loss = (float)end_adjoint (unroll.theta, target, unroll.adjoint);
  for (gint64 k = 1; k >= 0; k--)
    unroll_backward (&unroll, k, &synthetic, &sums, 0.125, &by_rate, lb_key (1), compute, &error);
  g_assert_no_error (error);
  rate = (float)by_rate;
  assert_golden ("mtt", "loss", &loss, 1);
  assert_golden ("mtt", "by_rate", &rate, 1);
  assert_golden ("mtt", "by_images", lb_tensor_f32 (sums.images), lb_tensor_size (sums.images));
  g_assert_cmpint (g_rmdir (directory), ==, 0);
  lb_tensor_unref (synthetic.images);
  lb_tensor_unref (synthetic.labels);
  lb_tensor_unref (sums.images);
  lb_tensor_unref (sums.labels);
}

int
main (int argc, char **argv)
{
  static const UnrolledCase cases[] = {
    { "none", 0, FALSE }, { "none", 4, FALSE }, { "color_crop_cutout_flip_scale_rotate", 3, FALSE }, { "none", 0, TRUE }
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    const UnrolledCase *c = &cases[i];
    g_autofree char *name
        = g_strdup_printf ("%s-batch-%d%s", c->augmentation, (int)c->batch, c->soft ? "-soft-labels" : "");
    g_autofree char *exact = g_strdup_printf ("/trajectory/steps-are-the-unrolled-graph/f64/%s", name);
    g_autofree char *rounded = g_strdup_printf ("/trajectory/steps-are-the-unrolled-graph/f32/%s", name);

    g_test_add_data_func (exact, c, test_double);
    g_test_add_data_func (rounded, c, test_float);
  }
  g_test_add_func ("/trajectory/detached-is-an-approximation", test_detached);
  g_test_add_func ("/trajectory/steps-are-those-of-pytorch", test_golden);
  return g_test_run ();
}
