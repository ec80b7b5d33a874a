/* Every row of the op table against finite differences, to second order, in double precision. */
#include "examples.h"

#include "base/random.h"
#include "graph/program.h"

#include <math.h>
#include <string.h>

static LbPool *pool;
static LbCompute *compute;

/* A scalar made of an example: its value, gradient and the gradient of a combination of its gradients. */
typedef struct {
  const Example *example;
  LbGraph *graph;
  LbNode *inputs[LB_MAX_INPUTS];
  LbNode *gradients[LB_MAX_INPUTS];
  LbNode *loss, *combined;
  LbNode *seconds[LB_MAX_INPUTS];
  LbTensor *values[LB_MAX_INPUTS];
  LbProgram *program;
} Subject;

/* Fixed random weights, so that no two elements of a result count the same. */
static LbNode *
weighted_sum (LbNode *node, guint salt)
{
  LbNode *ramp = lb_constant (lb_node_graph (node), 0, lb_node_shape (node));
  LbNode *phase = lb_tanh (lb_affine (node, 0.3 + 0.1 * salt, 0.5));
  return lb_sum (lb_add (lb_mul (node, phase), ramp));
}

static void
subject_init (Subject *subject, const Example *example, LbDType dtype, gboolean batch)
{
  LbNode *wrt[LB_MAX_INPUTS], *found[LB_MAX_INPUTS];
  guint n = 0;
  memset (subject, 0, sizeof *subject);
  subject->example = example;
  subject->graph = lb_graph_new (dtype);
  for (guint i = 0; i < example->n_inputs; i++) {
    LbShape shape = example->shapes[i];
    gboolean cut = batch && shape.rank > 0 && shape.dim[0] == example->shapes[0].dim[0];
    subject->inputs[i] = cut ? lb_batch_input (subject->graph, "x", shape) : lb_input (subject->graph, "x", shape);
    subject->values[i] = example_values (example, i, dtype);
    if (!example->fixed[i])
      wrt[n++] = subject->inputs[i];
  }
  subject->loss = weighted_sum (example->build (subject->inputs), 0);
  lb_gradients (subject->loss, wrt, n, found);
  for (guint i = 0, k = 0; i < example->n_inputs; i++)
    subject->gradients[i] = example->fixed[i] ? NULL : found[k++];
  for (guint k = 0; k < n; k++) {
    LbNode *part = weighted_sum (found[k], k + 1);
    subject->combined = k == 0 ? part : lb_add (subject->combined, part);
  }
  lb_gradients (subject->combined, wrt, n, found);
  for (guint i = 0, k = 0; i < example->n_inputs; i++)
    subject->seconds[i] = example->fixed[i] ? NULL : found[k++];

  LbNode *outputs[2 + 2 * LB_MAX_INPUTS] = { subject->loss, subject->combined };
  guint n_outputs = 2;
  for (guint i = 0; i < example->n_inputs; i++)
    if (!example->fixed[i]) {
      outputs[n_outputs++] = subject->gradients[i];
      outputs[n_outputs++] = subject->seconds[i];
    }
  g_autoptr (GError) error = NULL;
  subject->program = lb_compile (subject->graph, outputs, n_outputs, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < example->n_inputs; i++)
    lb_program_bind (subject->program, subject->inputs[i], subject->values[i]);
}

static void
subject_clear (Subject *subject)
{
  lb_program_free (subject->program);
  lb_graph_unref (subject->graph);
  for (guint i = 0; i < subject->example->n_inputs; i++)
    lb_tensor_unref (subject->values[i]);
}

static double
evaluate (Subject *subject, LbNode *scalar)
{
  lb_program_run (subject->program, compute);
  return lb_program_scalar (subject->program, scalar);
}

/* Central difference of fourth order. */
static double
difference (Subject *subject, LbNode *scalar, double *x)
{
  const double h = 1e-3;
  double at = *x, f[4];
  const double steps[4] = { -2, -1, 1, 2 };
  for (guint i = 0; i < 4; i++) {
    *x = at + steps[i] * h;
    f[i] = evaluate (subject, scalar);
  }
  *x = at;
  return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static void
check (Subject *subject, LbNode *scalar, LbNode *const *gradients)
{
  for (guint i = 0; i < subject->example->n_inputs; i++) {
    if (gradients[i] == NULL)
      continue;
    evaluate (subject, scalar);
    g_autoptr (LbTensor) analytic = lb_tensor_copy (lb_program_result (subject->program, gradients[i]));
    for (gint64 k = 0; k < lb_tensor_size (analytic); k++) {
      double expected = difference (subject, scalar, lb_tensor_f64 (subject->values[i]) + k);
      double found = lb_tensor_f64 (analytic)[k];
      if (fabs (found - expected) > 1e-7 * (1 + fabs (expected)))
        g_error ("%s, %s: gradient of operand %u, element %" G_GINT64_FORMAT " is %.12g; differences say %.12g",
                 lb_ops[subject->example->op]->name, subject->example->label, i, k, found, expected);
    }
  }
}

static void
test_differences (gconstpointer data)
{
  Subject subject;
  subject_init (&subject, data, LB_F64, FALSE);
  check (&subject, subject.loss, subject.gradients);
  check (&subject, subject.combined, subject.seconds);
  subject_clear (&subject);
}

/* Cut into samples, the results are those of the whole. */
static void
test_cut (gconstpointer data)
{
  const Example *example = data;
  Subject whole, cut;
  subject_init (&whole, example, LB_F64, FALSE);
  subject_init (&cut, example, LB_F64, TRUE);
  double expected = evaluate (&whole, whole.combined), found = evaluate (&cut, cut.combined);
  g_assert_cmpfloat_with_epsilon (found, expected, 1e-10 * (1 + fabs (expected)));
  for (guint i = 0; i < example->n_inputs; i++) {
    if (example->fixed[i])
      continue;
    const double *a = lb_tensor_f64 (lb_program_result (whole.program, whole.seconds[i]));
    const double *b = lb_tensor_f64 (lb_program_result (cut.program, cut.seconds[i]));
    for (gint64 k = 0; k < lb_shape_size (example->shapes[i]); k++)
      g_assert_cmpfloat_with_epsilon (a[k], b[k], 1e-10 * (1 + fabs (a[k])));
  }
  subject_clear (&whole);
  subject_clear (&cut);
}

/* Kernels for f32 agree with those for f64. */
static void
test_single (gconstpointer data)
{
  const Example *example = data;
  Subject f64, f32;
  subject_init (&f64, example, LB_F64, FALSE);
  subject_init (&f32, example, LB_F32, TRUE);
  double expected = evaluate (&f64, f64.combined), found = evaluate (&f32, f32.combined);
  g_assert_cmpfloat_with_epsilon (found, expected, 2e-4 * (1 + fabs (expected)));
  subject_clear (&f64);
  subject_clear (&f32);
}

/* Of many elements the asked share is dropped, the mean stays, and one sample's mask does not depend on the others. */
static void
test_dropout_share (void)
{
  enum { N = 3, SIZE = 40001 };
  float *masks[2] = { NULL };
  for (guint run = 0; run < 2; run++) {
    g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
    gint64 n = run == 0 ? N : 1;
    LbNode *keys = lb_batch_input (graph, "keys", LB_SHAPE (n, LB_DROPOUT_KEY));
    LbNode *mask = lb_dropout_mask (keys, LB_SHAPE (n, SIZE), 0.1, 2),
           *other = lb_dropout_mask (keys, LB_SHAPE (n, SIZE), 0.1, 3);
    g_autoptr (GError) error = NULL;
    LbProgram *program = lb_compile (graph, (LbNode *[]){ mask, other }, 2, &error);
    g_assert_no_error (error);
    g_autoptr (LbTensor) rows = lb_tensor_new (LB_F32, LB_SHAPE (n, LB_DROPOUT_KEY));
    lb_dropout_keys (lb_key (6), n, lb_tensor_f32 (rows));
    lb_program_bind (program, keys, rows);
    lb_program_run (program, compute);
    masks[run] = g_memdup2 (lb_tensor_data (lb_program_result (program, mask)), (gsize)n * SIZE * sizeof (float));
    const float *others = lb_tensor_f32 (lb_program_result (program, other));
    gint64 dropped = 0, both = 0;
    for (gint64 i = 0; i < n * SIZE; i++) {
      g_assert_true (masks[run][i] == 0 || fabsf (masks[run][i] - 1 / 0.9f) < 1e-6f);
      dropped += masks[run][i] == 0;
      both += masks[run][i] == 0 && others[i] == 0;
    }
    /* Five standard deviations. */
    g_assert_cmpfloat (fabs ((double)dropped / (n * SIZE) - 0.1), <, 5 * sqrt (0.09 / (n * SIZE)));
    g_assert_cmpfloat (fabs ((double)both / (n * SIZE) - 0.01), <, 5 * sqrt (0.0099 / (n * SIZE)));
    lb_program_free (program);
  }
  g_assert_cmpmem (masks[0], SIZE * sizeof (float), masks[1], SIZE * sizeof (float));
  /* The words are those of base/random.h, in order. */
  guint32 words[4];
  lb_philox (lb_key_index (lb_key (6), 0), 7, 2 << 8 | 3, words);
  for (guint k = 0; k < 4; k++)
    g_assert_cmpint (masks[0][4 * 7 + k] == 0, ==, words[k] < (guint32)(0.1 * 4294967296.0));
  g_free (masks[0]);
  g_free (masks[1]);
}

static void
test_complete (void)
{
  for (guint op = 0; op < LB_N_OPS; op++) {
    gboolean shown = lb_ops[op]->shape == NULL || (lb_ops[op]->gradient == NULL && lb_ops[op]->expand == NULL);
    for (guint i = 0; i < n_examples; i++)
      shown |= examples[i].op == op;
    if (!shown)
      g_error ("op %s has no example: add one to tests/graph/examples.c", lb_ops[op]->name);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pool = lb_pool_new (2);
  compute = lb_compute_new (pool);
  g_test_add_func ("/ops/dropout-drops-its-share", test_dropout_share);
  g_test_add_func ("/ops/every-op-has-an-example", test_complete);
  for (guint i = 0; i < n_examples; i++) {
    const char *name = lb_ops[examples[i].op]->name;
    g_autofree char *differences = g_strdup_printf ("/ops/%s/%s/finite-differences", name, examples[i].label);
    g_autofree char *cut = g_strdup_printf ("/ops/%s/%s/cut-into-samples", name, examples[i].label);
    g_autofree char *single = g_strdup_printf ("/ops/%s/%s/single-precision", name, examples[i].label);
    g_test_add_data_func (differences, &examples[i], test_differences);
    g_test_add_data_func (cut, &examples[i], test_cut);
    g_test_add_data_func (single, &examples[i], test_single);
  }
  int status = g_test_run ();
  lb_compute_free (compute);
  lb_pool_free (pool);
  return status;
}
