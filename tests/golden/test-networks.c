/* Every architecture against golden values from PyTorch (torch_networks.py, which also says how inputs are made):
 * scores, loss, the gradient of every tensor and of the images, and a second derivative.
 *
 * In f64 all must agree to rounding. In f32 a pre-activation near zero may fall on the other side of a ReLU, or another
 * element of a window be the largest, so networks with these are held to 5e-2 there, and their second derivative, which
 * has no small steps, is not compared.
 */
#include <math.h>

#include "golden/networks.h"

#define CLASSES      3
#define BATCH        2
#define KEPT         8
#define SUMMARY      (2 + KEPT)
#define GOLDEN_LIMIT (1 << 20)

/* Of images at which sanitizers would take minutes over f64, where f32 runs through the same lines of all but kernels.
 */
#ifdef __SANITIZE_ADDRESS__
#  define LARGE 128
#else
#  define LARGE G_MAXINT64
#endif

enum { NETWORK_DIRECTIONS = 400, PROJECTION = 800 };

typedef struct {
  const char *architecture;
  gint64 channels, size;
  gboolean smooth; /* no ReLU, no maxima */
} Case;

typedef struct {
  Case network;
  LbDType dtype;
} Job;

static const Case cases[] = {
  { "alexnet", 1, 28, FALSE },
  { "alexnet", 3, 32, FALSE },
  { "vgg11", 1, 28, FALSE },
  { "vgg11", 3, 32, FALSE },
  { "resnet18", 1, 28, FALSE },
  { "resnet18", 3, 32, FALSE },
  { "vit", 1, 28, TRUE },
  { "vit", 3, 32, TRUE },
  { "vit:patch=2:depth=2:norm=none", 3, 8, TRUE },
  { "convnet-d2:width=8:norm=group:activation=leaky-relu:pooling=max", 3, 8, FALSE },
  { "convnet-d2:width=8:norm=batch:activation=sigmoid", 1, 8, TRUE },
  { "convnet-d1:width=8:norm=none:activation=sigmoid:pooling=none", 3, 8, TRUE },
  { "convnet-d4:width=16", 3, 64, FALSE },
  { "convnet-d5:width=16", 3, 128, FALSE },
  { "convnet-d5:width=16", 1, 128, FALSE },
  { "alexnet", 3, 64, FALSE },
  { "alexnet", 1, 128, FALSE },
  { "vgg11", 3, 64, FALSE },
  { "vgg11", 1, 128, FALSE },
  { "resnet18", 3, 64, FALSE },
  { "resnet18", 1, 128, FALSE },
  { "vit", 3, 64, TRUE },
  { "vit:depth=2", 1, 128, TRUE },
};

/* ---- Golden values ---- */

static const double *
golden_values (GArray *golden, const Case *c, const char *what, gint64 size)
{
  g_autofree char *name = g_strdup_printf ("%s_%d_%d__%s", c->architecture, (int)c->channels, (int)c->size, what);
  g_strdelimit (name, ":=", '_');
  for (guint i = 0; i < golden->len; i++) {
    const LbNamedTensor *named = &g_array_index (golden, LbNamedTensor, i);
    if (!g_str_equal (named->name, name))
      continue;
    g_assert_cmpint (lb_tensor_size (named->tensor), ==, size);
    return lb_tensor_f64 (named->tensor);
  }
  g_error ("no golden values named %s", name);
}

static void
assert_near (const char *what, double found, double expected, double bound)
{
  if (!(fabs (found - expected) <= bound))
    g_error ("%s is %.17g, golden %.17g, allowed difference %g", what, found, expected, bound);
}

static void
assert_all_near (const char *what, const LbTensor *found, const double *expected, gint64 count, double tolerance)
{
  double largest = 0;
  for (gint64 i = 0; i < count; i++)
    largest = MAX (largest, fabs (expected[i]));
  for (gint64 i = 0; i < count; i++)
    assert_near (what, get_element (found, i), expected[i], tolerance * largest);
}

/* @golden holds the norm, the product with fixed numbers and the first elements. What cancels but for rounding, as the
 * gradient of a bias before an instance norm does, has @floor to be wrong by. */
static void
assert_summary (const char *what, const LbTensor *found, const double *golden, double floor, double tolerance)
{
  gint64 size = lb_tensor_size (found);
  double squares = 0, product = 0, bound = tolerance * (golden[0] + floor);
  for (gint64 i = 0; i < size; i++) {
    double value = get_element (found, i);
    squares += value * value;
    product += value * number (PROJECTION, i);
  }
  assert_near (what, sqrt (squares), golden[0], bound);
  assert_near (what, product, golden[1], bound);
  for (gint64 i = 0; i < MIN (size, KEPT); i++)
    assert_near (what, get_element (found, i), golden[2 + i], bound);
}

/* ---- Inputs ---- */

/* sum_k <gradient k, direction k> */
static LbNode *
direction_product (LbGraph *graph, LbNode *const *gradients, LbNode **directions, guint n)
{
  LbNode *sum = NULL;
  for (guint k = 0; k < n; k++) {
    directions[k] = lb_input (graph, "direction", lb_node_shape (gradients[k]));
    LbNode *part = lb_sum (lb_mul (gradients[k], directions[k]));
    sum = k == 0 ? part : lb_add (sum, part);
  }
  return sum;
}

/* ---- The test ---- */

typedef struct {
  const Job *job;
  LbNetwork *network;
  guint n, n_trained;
  LbNode *images, *targets, **parameters, **directions, **statistics;
  LbNode *scores, *loss, *asked, *product, *second, **gradients; /* of trained tensors, then of the images */
  LbProgram *program;
} Subject;

static void
subject_build (Subject *s, LbGraph *graph, GPtrArray *outputs)
{
  const Case *c = &s->job->network;
  s->images = lb_batch_input (graph, "images", LB_SHAPE (BATCH, c->size, c->size, c->channels));
  s->targets = lb_batch_input (graph, "targets", LB_SHAPE (BATCH, CLASSES));
  s->parameters = g_new0 (LbNode *, s->n);
  s->directions = g_new0 (LbNode *, s->n);
  s->statistics = g_new0 (LbNode *, s->n);
  s->gradients = g_new0 (LbNode *, s->n + 1);
  lb_network_inputs (s->network, graph, "", s->parameters);
  s->asked = lb_network_apply (s->network, s->parameters, s->images);
  s->scores = lb_network_apply_training (s->network, s->parameters, s->images, NULL, s->statistics);
  s->loss = lb_cross_entropy (s->scores, s->targets);
  g_autofree LbNode **wrt = g_memdup2 (s->parameters, s->n * sizeof (LbNode *));
  wrt = g_renew (LbNode *, wrt, s->n + 1);
  wrt[s->n_trained] = s->images;
  lb_gradients (s->loss, wrt, s->n_trained + 1, s->gradients);
  s->product = direction_product (graph, s->gradients, s->directions, s->n_trained);
  lb_gradients (s->product, &s->images, 1, &s->second);
  LbNode *const single[] = { s->scores, s->loss, s->asked, s->product, s->second };
  for (guint i = 0; i < G_N_ELEMENTS (single); i++)
    g_ptr_array_add (outputs, single[i]);
  for (guint i = 0; i <= s->n_trained; i++)
    g_ptr_array_add (outputs, s->gradients[i]);
  for (guint i = 0; i < s->n - s->n_trained; i++)
    g_ptr_array_add (outputs, s->statistics[i]);
}

static void
bind_new (Subject *s, LbNode *input, LbTensor *tensor)
{
  lb_program_bind (s->program, input, tensor);
  lb_tensor_unref (tensor);
}

static void
subject_init (Subject *s, const Job *job)
{
  const Case *c = &job->network;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbGraph) graph = lb_graph_new (job->dtype);
  g_autoptr (GPtrArray) outputs = g_ptr_array_new ();
  *s = (Subject){ .job = job };
  s->network = lb_network_new (c->architecture, (LbImageSize){ c->channels, c->size, c->size }, CLASSES, &error);
  g_assert_no_error (error);
  s->n = lb_network_n_tensors (s->network);
  s->n_trained = lb_network_n_trained_tensors (s->network);
  subject_build (s, graph, outputs);
  s->program = lb_compile (graph, (LbNode **)outputs->pdata, outputs->len, &error);
  g_assert_no_error (error);
  for (guint k = 0; k < s->n; k++)
    bind_new (s, s->parameters[k], network_tensor (s->network, job->dtype, k));
  for (guint k = 0; k < s->n_trained; k++) {
    LbShape shape = lb_network_tensor_shape (s->network, k);
    bind_new (s, s->directions[k],
              numbers (job->dtype, NETWORK_DIRECTIONS + k, shape, 0, network_weight_scale (shape)));
  }
  bind_new (s, s->images, numbers (job->dtype, IMAGES, lb_node_shape (s->images), 0, 2));
  LbTensor *targets = lb_tensor_new (job->dtype, LB_SHAPE (BATCH, CLASSES));
  set_element (targets, 1, 1);
  set_element (targets, CLASSES, 1);
  bind_new (s, s->targets, targets);
}

static void
subject_clear (Subject *s)
{
  lb_program_free (s->program);
  lb_network_free (s->network);
  g_free (s->parameters);
  g_free (s->directions);
  g_free (s->statistics);
  g_free (s->gradients);
}

static const LbTensor *
value (Subject *s, LbNode *node)
{
  return lb_program_result (s->program, node);
}

static void
check_gradients (Subject *s, GArray *golden, double tolerance)
{
  const Case *c = &s->job->network;
  const double *expected = golden_values (golden, c, "gradients", s->n_trained * SUMMARY);
  double whole = 0;
  for (guint k = 0; k < s->n_trained; k++)
    whole = hypot (whole, expected[k * SUMMARY]);
  for (guint k = 0; k < s->n_trained; k++)
    assert_summary (lb_network_tensor_name (s->network, k), value (s, s->gradients[k]), expected + k * SUMMARY,
                    whole / 100, tolerance);
  assert_summary ("image gradient", value (s, s->gradients[s->n_trained]), golden_values (golden, c, "images", SUMMARY),
                  0, tolerance);
}

static void
check_second (Subject *s, GArray *golden, double tolerance)
{
  const Case *c = &s->job->network;
  const double *product = golden_values (golden, c, "product", 1);
  assert_near ("product", get_element (value (s, s->product), 0), *product, tolerance * fabs (*product));
  assert_summary ("second derivative", value (s, s->second), golden_values (golden, c, "second", SUMMARY), 0,
                  tolerance);
}

/* Batch norm's running statistics after the step, and what the network says with those before it. */
static void
check_statistics (Subject *s, GArray *golden, double tolerance)
{
  const Case *c = &s->job->network;
  gint64 first = 0, all = lb_network_n_parameters (s->network) - lb_network_n_trained (s->network);
  if (all == 0)
    return;
  const double *expected = golden_values (golden, c, "statistics", all);
  for (guint k = s->n_trained; k < s->n; k++) {
    const LbTensor *moved = value (s, s->statistics[k - s->n_trained]);
    assert_all_near (lb_network_tensor_name (s->network, k), moved, expected + first, lb_tensor_size (moved),
                     tolerance);
    first += lb_tensor_size (moved);
  }
  assert_all_near ("scores when asked", value (s, s->asked), golden_values (golden, c, "asked", BATCH * CLASSES),
                   BATCH * CLASSES, tolerance);
}

static void
test_network (gconstpointer data)
{
  const Job *job = data;
  const Case *c = &job->network;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) golden
      = lb_npz_read (g_test_get_filename (G_TEST_DIST, "golden", "networks.npz", NULL), GOLDEN_LIMIT, &error);
  g_assert_no_error (error);
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  gboolean exact = job->dtype == LB_F64;
  double tolerance = exact ? 1e-9 : c->smooth ? 1e-4 : 5e-2;
  Subject s;
  subject_init (&s, job);
  lb_program_run (s.program, compute);
  g_assert_cmpfloat (lb_network_n_trained (s.network), ==, *golden_values (golden, c, "parameters", 1));
  assert_all_near ("scores", value (&s, s.scores), golden_values (golden, c, "scores", BATCH * CLASSES),
                   BATCH * CLASSES, exact ? 1e-11 : 1e-4);
  assert_all_near ("loss", value (&s, s.loss), golden_values (golden, c, "loss", 1), 1, exact ? 1e-11 : 1e-4);
  check_gradients (&s, golden, tolerance);
  check_statistics (&s, golden, exact ? 1e-11 : 1e-5);
  if (exact || c->smooth)
    check_second (&s, golden, exact ? 1e-8 : 1e-3);
  subject_clear (&s);
}

int
main (int argc, char **argv)
{
  static Job jobs[2 * G_N_ELEMENTS (cases)];
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (jobs); i++) {
    jobs[i] = (Job){ cases[i / 2], i % 2 == 0 ? LB_F64 : LB_F32 };
    if (jobs[i].dtype == LB_F64 && jobs[i].network.size >= LARGE)
      continue;
    g_autofree char *path
        = g_strdup_printf ("/networks/%s-of-%d-channels-%d-pixels-is-that-of-pytorch/%s", jobs[i].network.architecture,
                           (int)jobs[i].network.channels, (int)jobs[i].network.size, i % 2 == 0 ? "f64" : "f32");
    g_test_add_data_func (path, &jobs[i], test_network);
  }
  return g_test_run ();
}
