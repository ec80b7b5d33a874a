/* The tensor engine against golden values from PyTorch (make-golden.py, which also says how inputs are made).
 *
 * ReLU networks come from the architecture table; a smooth twin with tanh is built here. In f64 both must agree to
 * rounding. In f32 rounding may flip a ReLU that is near zero, so only the smooth twin is held to a tight bound there.
 */
#include <math.h>

#include "golden/numbers.h"

#define CLASSES       10
#define N_TENSORS     14
#define GOLDEN_LIMIT  (1 << 20)
#define KEPT          32 /* leading elements stored of a parameter's gradient, behind its norm and its sum */
#define F64_TOLERANCE 1e-11

typedef struct {
  const char *path; /* of the test */
  LbDType dtype;
  gboolean smooth;  /* tanh in place of ReLU */
  double tolerance; /* relative to the norm of what is compared */
} Case;

/* ---- Inputs ---- */

/* One-hot rows of @labels; with @n_labels of 1 every row is the same. */
static LbTensor *
one_hot (LbDType dtype, const gint32 *labels, guint n_labels, gint64 rows)
{
  LbTensor *tensor = lb_tensor_new (dtype, LB_SHAPE (rows, CLASSES));
  for (gint64 row = 0; row < rows; row++)
    set_element (tensor, row * CLASSES + labels[row % n_labels], 1);
  return tensor;
}

/* ---- Golden values ---- */

static GArray *
load (const char *name)
{
  g_autoptr (GError) error = NULL;
  GArray *golden = lb_npz_read (g_test_get_filename (G_TEST_DIST, "golden", name, NULL), GOLDEN_LIMIT, &error);
  g_assert_no_error (error);
  return golden;
}

static const LbTensor *
golden_tensor (GArray *golden, const char *name)
{
  for (guint i = 0; i < golden->len; i++)
    if (g_str_equal (g_array_index (golden, LbNamedTensor, i).name, name))
      return g_array_index (golden, LbNamedTensor, i).tensor;
  g_error ("no golden values named %s", name);
}

static const double *
golden_values (GArray *golden, const Case *c, const char *name, gint64 size)
{
  g_autofree char *full = c == NULL ? g_strdup (name) : g_strdup_printf ("%s_%s", c->smooth ? "tanh" : "relu", name);
  const LbTensor *tensor = golden_tensor (golden, full);
  g_assert_cmpint (lb_tensor_size (tensor), ==, size);
  return lb_tensor_f64 (tensor);
}

/* Every |found - expected| within @bound. */
static void
assert_within (const char *what, const LbTensor *found, const double *expected, gint64 count, double bound)
{
  for (gint64 i = 0; i < count; i++)
    if (!(fabs (get_element (found, i) - expected[i]) <= bound))
      g_error ("%s[%" G_GINT64_FORMAT "] is %.17g, golden %.17g, allowed difference %g", what, i,
               get_element (found, i), expected[i], bound);
}

static void
assert_close (const char *what, const LbTensor *found, const double *expected, gint64 count, double tolerance)
{
  double largest = 0;
  for (gint64 i = 0; i < count; i++)
    largest = MAX (largest, fabs (expected[i]));
  g_assert_cmpint (lb_tensor_size (found), ==, count);
  assert_within (what, found, expected, count, tolerance * largest);
}

/* ---- Networks ---- */

/* The parameters of ConvNet-D3 in a graph, bound to the numbers above. */
typedef struct {
  const Case *c;
  LbNetwork *network;
  LbNode *nodes[N_TENSORS];
} Net;

static void
net_init (Net *net, const Case *c, LbGraph *graph)
{
  g_autoptr (GError) error = NULL;
  net->c = c;
  net->network = lb_network_new ("convnet-d3", (LbImageSize){ 1, 28, 28 }, CLASSES, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (lb_network_n_tensors (net->network), ==, N_TENSORS);
  g_assert_cmpint (lb_network_n_parameters (net->network), ==, 317706);
  lb_network_inputs (net->network, graph, "", net->nodes);
}

static void
net_bind (Net *net, LbProgram *program)
{
  for (guint k = 0; k < N_TENSORS; k++) {
    g_autoptr (LbTensor) tensor = convnet_parameter (net->c->dtype, k, lb_network_tensor_shape (net->network, k));
    lb_program_bind (program, net->nodes[k], tensor);
  }
}

static LbNode *
net_scores (Net *net, LbNode *x)
{
  if (!net->c->smooth)
    return lb_network_apply (net->network, net->nodes, x);
  for (guint block = 0; block < 3; block++) {
    LbNode **p = net->nodes + 4 * block;
    x = lb_add (lb_conv2d (x, p[0], 1, block == 0 ? 3 : 1), p[1]);
    x = lb_add (lb_mul (lb_instance_norm (x, 1e-5), p[2]), p[3]);
    x = lb_avg_pool (lb_tanh (x), 2);
  }
  LbNode *features = lb_reshape (x, LB_SHAPE (lb_node_dim (x, 0), 4 * 4 * 128));
  return lb_add (lb_matmul (features, FALSE, net->nodes[12], TRUE), net->nodes[13]);
}

/* A program, what it runs on, and short ways to use both. */
typedef struct {
  LbPool *pool;
  LbCompute *compute;
  LbProgram *program;
} Runner;

static void
runner_init (Runner *runner, LbGraph *graph, LbNode **outputs, guint n_outputs)
{
  g_autoptr (GError) error = NULL;
  runner->pool = lb_pool_new (2);
  runner->compute = lb_compute_new (runner->pool);
  runner->program = lb_compile (graph, outputs, n_outputs, &error);
  g_assert_no_error (error);
}

/* Takes @tensor. */
static void
bind_new (Runner *runner, LbNode *input, LbTensor *tensor)
{
  lb_program_bind (runner->program, input, tensor);
  lb_tensor_unref (tensor);
}

static void
run (Runner *runner)
{
  lb_program_run (runner->program, runner->compute);
}

static LbTensor *
result (Runner *runner, LbNode *output)
{
  return lb_program_result (runner->program, output);
}

static void
runner_clear (Runner *runner)
{
  lb_program_free (runner->program);
  lb_compute_free (runner->compute);
  lb_pool_free (runner->pool);
}

/* ---- Tests ---- */

/* Norm, sum and leading elements of one parameter's gradient. Convolution biases in front of an instance norm have no
 * gradient but rounding, hence the floor, relative to the whole gradient. */
static void
check_gradient (const char *name, const LbTensor *gradient, const double *golden, double whole, double tolerance)
{
  gint64 size = lb_tensor_size (gradient);
  double sum = 0, squares = 0, bound = tolerance * (golden[0] + 1e-2 * whole);
  for (gint64 i = 0; i < size; i++) {
    sum += get_element (gradient, i);
    squares += get_element (gradient, i) * get_element (gradient, i);
  }
  g_assert_cmpfloat_with_epsilon (sqrt (squares), golden[0], bound);
  g_assert_cmpfloat_with_epsilon (sum, golden[1], bound * sqrt (size));
  assert_within (name, gradient, golden + 2, MIN (size, KEPT), bound);
}

/* Those of every parameter, as they stand in @nodes. */
static void
check_gradients (const Net *net, Runner *runner, LbNode *const *nodes, const double *golden)
{
  double whole = 0;

  for (guint k = 0; k < N_TENSORS; k++)
    whole = hypot (whole, golden[k * (2 + KEPT)]);
  for (guint k = 0; k < N_TENSORS; k++)
    check_gradient (lb_network_tensor_name (net->network, k), result (runner, nodes[k]), golden + k * (2 + KEPT), whole,
                    net->c->tolerance);
}

static void
test_network (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GArray) golden = load ("convnet.npz");
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  Net net;
  net_init (&net, c, graph);
  LbNode *images = lb_batch_input (graph, "images", LB_SHAPE (4, 28, 28, 1));
  LbNode *targets = lb_batch_input (graph, "targets", LB_SHAPE (4, CLASSES));
  LbNode *outputs[2 + N_TENSORS];
  outputs[0] = net_scores (&net, images);
  outputs[1] = lb_cross_entropy (outputs[0], targets);
  lb_gradients (outputs[1], net.nodes, N_TENSORS, outputs + 2);

  Runner runner;
  runner_init (&runner, graph, outputs, G_N_ELEMENTS (outputs));
  net_bind (&net, runner.program);
  bind_new (&runner, images, numbers (c->dtype, IMAGES, LB_SHAPE (4, 28, 28, 1), 0, 2));
  bind_new (&runner, targets, one_hot (c->dtype, (gint32[]){ 1, 4, 7, 0 }, 4, 4));
  run (&runner);

  assert_close ("scores", result (&runner, outputs[0]), golden_values (golden, c, "scores", 4 * CLASSES), 4 * CLASSES,
                c->tolerance);
  assert_close ("loss", result (&runner, outputs[1]), golden_values (golden, c, "loss", 1), 1, c->tolerance);
  check_gradients (&net, &runner, outputs + 2, golden_values (golden, c, "gradients", N_TENSORS * (2 + KEPT)));
  runner_clear (&runner);
  lb_network_free (net.network);
}

static void
test_penalty (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GArray) golden = load ("convnet.npz");
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  Net net;
  net_init (&net, c, graph);
  LbNode *images = lb_batch_input (graph, "images", LB_SHAPE (4, 28, 28, 1));
  LbNode *outputs[1 + N_TENSORS];
  outputs[0] = lb_gradient_penalty (net_scores (&net, images), images);
  lb_gradients (outputs[0], net.nodes, N_TENSORS, outputs + 1);

  Runner runner;
  runner_init (&runner, graph, outputs, G_N_ELEMENTS (outputs));
  net_bind (&net, runner.program);
  bind_new (&runner, images, numbers (c->dtype, IMAGES, LB_SHAPE (4, 28, 28, 1), 0, 2));
  run (&runner);
  assert_close ("penalty", result (&runner, outputs[0]), golden_values (golden, c, "penalty", 1), 1, c->tolerance);
  check_gradients (&net, &runner, outputs + 1, golden_values (golden, c, "penalty_gradients", N_TENSORS * (2 + KEPT)));
  runner_clear (&runner);
  lb_network_free (net.network);
}

/* Distance "ours" of one layer: over rows, sum of 1 - <a, b> / (|a| |b| + 1e-6). */
static LbNode *
layer_distance (LbNode *a, LbNode *b)
{
  gint64 rows = lb_node_dim (a, 0), columns = lb_shape_size (lb_node_shape (a)) / rows;
  LbShape matrix = LB_SHAPE (rows, columns), column = LB_SHAPE (rows, 1);
  a = lb_reshape (a, matrix);
  b = lb_reshape (b, matrix);
  LbNode *norm_a = lb_sqrt (lb_sum_to (lb_mul (a, a), column));
  LbNode *norm_b = lb_sqrt (lb_sum_to (lb_mul (b, b), column));
  LbNode *cosine = lb_div (lb_sum_to (lb_mul (a, b), column), lb_affine (lb_mul (norm_a, norm_b), 1, 1e-6));
  return lb_sum (lb_affine (cosine, -1, 1));
}

/* Gradients of the loss of @count images of one class. */
static void
class_gradients (Net *net, LbNode *images, LbNode *targets, LbNode **gradients)
{
  lb_gradients (lb_cross_entropy (net_scores (net, images), targets), net->nodes, N_TENSORS, gradients);
}

static void
test_matching (gconstpointer data)
{
  static const guint matched[4] = { 0, 4, 8, 12 };
  const Case *c = data;
  g_autoptr (GArray) golden = load ("matching.npz");
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  Net net;
  net_init (&net, c, graph);
  LbNode *real = lb_batch_input (graph, "real", LB_SHAPE (8, 28, 28, 1));
  LbNode *real_targets = lb_batch_input (graph, "real targets", LB_SHAPE (8, CLASSES));
  LbNode *synthetic = lb_batch_input (graph, "synthetic", LB_SHAPE (2, 28, 28, 1));
  LbNode *synthetic_targets = lb_batch_input (graph, "synthetic targets", LB_SHAPE (2, CLASSES));
  LbNode *of_real[N_TENSORS], *of_synthetic[N_TENSORS], *outputs[6];
  class_gradients (&net, real, real_targets, of_real);
  class_gradients (&net, synthetic, synthetic_targets, of_synthetic);
  outputs[0] = lb_constant (graph, 0, LB_SCALAR);
  for (guint i = 0; i < 4; i++) {
    outputs[1 + i] = layer_distance (of_real[matched[i]], of_synthetic[matched[i]]);
    outputs[0] = lb_add (outputs[0], outputs[1 + i]);
  }
  lb_gradients (outputs[0], &synthetic, 1, &outputs[5]);

  Runner runner;
  runner_init (&runner, graph, outputs, G_N_ELEMENTS (outputs));
  net_bind (&net, runner.program);
  bind_new (&runner, real, numbers (c->dtype, REAL, LB_SHAPE (8, 28, 28, 1), 0, 2));
  bind_new (&runner, synthetic, numbers (c->dtype, SYNTHETIC, LB_SHAPE (2, 28, 28, 1), 0, 2));
  bind_new (&runner, real_targets, one_hot (c->dtype, (gint32[]){ 3 }, 1, 8));
  bind_new (&runner, synthetic_targets, one_hot (c->dtype, (gint32[]){ 3 }, 1, 2));
  run (&runner);

  assert_close ("distance", result (&runner, outputs[0]), golden_values (golden, c, "distance", 1), 1, c->tolerance);
  const double *layers = golden_values (golden, c, "layers", 4);
  for (guint i = 0; i < 4; i++)
    assert_close ("layer", result (&runner, outputs[1 + i]), layers + i, 1, c->tolerance);
  assert_close ("image gradient", result (&runner, outputs[5]), golden_values (golden, c, "gradient", 2 * 28 * 28),
                2 * 28 * 28, c->tolerance);
  runner_clear (&runner);
  lb_network_free (net.network);
}

static void
test_crop (gconstpointer data)
{
  enum { N = 6, H = 12, W = 10, C = 2, SIZE = H * W * C };
  const Case *c = data;
  g_autoptr (GArray) golden = load ("operations.npz");
  const double *windows = golden_values (golden, NULL, "windows", N * 4);
  g_autoptr (LbTensor) pictures = lb_tensor_new (c->dtype, LB_SHAPE (N, H, W, C));
  g_autoptr (LbTensor) rows = lb_tensor_new (c->dtype, LB_SHAPE (N, 10));
  for (guint i = 0; i < N; i++) {
    const double *w = windows + 4 * i;
    float row[10];
    lb_window_sampling ((float[]){ w[0], w[1], w[2], w[3] }, H, W, row);
    for (guint j = 0; j < 10; j++)
      set_element (rows, i * 10 + j, row[j]);
    for (guint j = 0; j < SIZE; j++)
      set_element (pictures, i * SIZE + j, number (PICTURE, j));
  }
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  LbNode *x = lb_batch_input (graph, "x", LB_SHAPE (N, H, W, C)),
         *where = lb_batch_input (graph, "where", LB_SHAPE (N, 10));
  LbNode *views = lb_bilinear (x, where, H, W, LB_BORDER_CLAMP);
  Runner runner;
  runner_init (&runner, graph, &views, 1);
  lb_program_bind (runner.program, x, pictures);
  lb_program_bind (runner.program, where, rows);
  run (&runner);
  /* Rows of sampling are single precision whatever the graph is. */
  assert_close ("views", result (&runner, views), golden_values (golden, NULL, "views", N * SIZE), N * SIZE, 2e-6);
  runner_clear (&runner);
}

static void
test_sgd (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GArray) golden = load ("operations.npz");
  const double *steps = golden_values (golden, NULL, "sgd", 3 * 5);
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  LbShape shape = LB_SHAPE (5);
  LbNode *p = lb_input (graph, "p", shape), *g = lb_input (graph, "g", shape), *m = lb_input (graph, "m", shape);
  LbNode *rate = lb_input (graph, "rate", LB_SCALAR), *outputs[2];
  lb_sgd_step (&p, &g, &m, 1, rate, 0.9, 0.0005, &outputs[0], &outputs[1]);
  Runner runner;
  runner_init (&runner, graph, outputs, 2);
  g_autoptr (LbTensor) vector = numbers (c->dtype, VECTOR, shape, 0, 1);
  g_autoptr (LbTensor) gradients = numbers (c->dtype, GRADIENT, LB_SHAPE (3, 5), 0, 1);
  g_autoptr (LbTensor) rate_value = lb_tensor_new (c->dtype, LB_SCALAR);
  set_element (rate_value, 0, 0.1);
  lb_program_bind (runner.program, p, vector);
  lb_program_bind (runner.program, rate, rate_value);
  bind_new (&runner, m, lb_tensor_new (c->dtype, shape));
  lb_program_carry (runner.program, outputs[0], p);
  lb_program_carry (runner.program, outputs[1], m);
  for (guint step = 0; step < 3; step++) {
    bind_new (&runner, g, lb_tensor_view (gradients, step * 5, shape));
    run (&runner);
    assert_close ("parameters after a step", vector, steps + step * 5, 5, c->tolerance);
  }
  runner_clear (&runner);
}

static void
test_instance_norm (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GArray) golden = load ("operations.npz");
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  LbShape shape = LB_SHAPE (2, 3, 4, 3);
  gint64 size = lb_shape_size (shape);
  LbNode *x = lb_batch_input (graph, "x", shape), *a = lb_batch_input (graph, "a", shape);
  LbNode *b = lb_batch_input (graph, "b", shape), *outputs[3];
  outputs[0] = lb_instance_norm (x, 1e-5);
  lb_gradients (lb_sum (lb_mul (a, outputs[0])), &x, 1, &outputs[1]);
  lb_gradients (lb_sum (lb_mul (b, outputs[1])), &x, 1, &outputs[2]);
  Runner runner;
  runner_init (&runner, graph, outputs, 3);
  bind_new (&runner, x, numbers (c->dtype, MAPS, shape, 0, 1));
  bind_new (&runner, a, numbers (c->dtype, WEIGHTS, shape, 0, 1));
  bind_new (&runner, b, numbers (c->dtype, DIRECTION, shape, 0, 1));
  run (&runner);
  const char *names[3] = { "norm", "norm_first", "norm_second" };
  for (guint i = 0; i < 3; i++)
    assert_close (names[i], result (&runner, outputs[i]), golden_values (golden, NULL, names[i], size), size,
                  c->tolerance);
  runner_clear (&runner);
}

static void
test_soft_labels (gconstpointer data)
{
  enum { ROWS = 5, COLUMNS = 7, SIZE = ROWS * COLUMNS };
  const Case *c = data;
  g_autoptr (GArray) golden = load ("operations.npz");
  g_autoptr (LbGraph) graph = lb_graph_new (c->dtype);
  LbShape shape = LB_SHAPE (ROWS, COLUMNS);
  LbNode *scores = lb_batch_input (graph, "scores", shape), *targets = lb_batch_input (graph, "targets", shape);
  LbNode *outputs[3] = { lb_log_softmax (scores), lb_cross_entropy (scores, targets), NULL };
  lb_gradients (outputs[1], &scores, 1, &outputs[2]);
  g_autoptr (LbTensor) soft = numbers (c->dtype, TARGETS, shape, 1.25, 1);
  for (guint row = 0; row < ROWS; row++) {
    double sum = 0;
    for (guint i = 0; i < COLUMNS; i++)
      sum += get_element (soft, row * COLUMNS + i);
    for (guint i = 0; i < COLUMNS; i++)
      set_element (soft, row * COLUMNS + i, get_element (soft, row * COLUMNS + i) / sum);
  }
  Runner runner;
  runner_init (&runner, graph, outputs, 3);
  bind_new (&runner, scores, numbers (c->dtype, SCORES, shape, 0, 4));
  lb_program_bind (runner.program, targets, soft);
  run (&runner);
  const char *names[3] = { "log_softmax", "soft_loss", "soft_gradient" };
  const gint64 sizes[3] = { SIZE, 1, SIZE };
  for (guint i = 0; i < 3; i++)
    assert_close (names[i], result (&runner, outputs[i]), golden_values (golden, NULL, names[i], sizes[i]), sizes[i],
                  c->tolerance);
  runner_clear (&runner);
}

int
main (int argc, char **argv)
{
  static const Case networks[] = {
    { "relu-f64", LB_F64, FALSE, F64_TOLERANCE },
    { "relu-f32", LB_F32, FALSE, 2e-3 },
    { "tanh-f64", LB_F64, TRUE, F64_TOLERANCE },
    { "tanh-f32", LB_F32, TRUE, 2e-5 },
  };
  static const Case dtypes[] = {
    { "f64", LB_F64, FALSE, 1e-12 },
    { "f32", LB_F32, FALSE, 2e-6 },
  };
  static const struct {
    const char *name;
    GTestDataFunc test;
  } operations[] = {
    { "crop-and-resize-is-that-of-pytorch", test_crop },
    { "three-sgd-steps-are-those-of-pytorch", test_sgd },
    { "instance-norm-and-two-derivatives-are-those-of-pytorch", test_instance_norm },
    { "soft-label-cross-entropy-is-that-of-pytorch", test_soft_labels },
  };
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autofree char *values = g_strdup_printf ("/golden/network-gradients-are-those-of-pytorch/%s", networks[i].path);
    g_autofree char *matching = g_strdup_printf ("/golden/matching-step-is-that-of-pytorch/%s", networks[i].path);
    g_autofree char *penalty = g_strdup_printf ("/golden/gradient-penalty-is-that-of-pytorch/%s", networks[i].path);
    g_test_add_data_func (values, &networks[i], test_network);
    g_test_add_data_func (matching, &networks[i], test_matching);
    g_test_add_data_func (penalty, &networks[i], test_penalty);
  }
  for (guint i = 0; i < G_N_ELEMENTS (operations); i++)
    for (guint j = 0; j < G_N_ELEMENTS (dtypes); j++) {
      g_autofree char *path = g_strdup_printf ("/golden/%s/%s", operations[i].name, dtypes[j].path);
      g_test_add_data_func (path, &dtypes[j], operations[i].test);
    }
  return g_test_run ();
}
