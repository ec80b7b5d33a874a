/* Tracing: the first value that is not finite is found, wherever it is made, and told the same at any thread count. */
#include "base/error.h"
#include "graph/program.h"

#include <math.h>
#include <string.h>

/* A chain on samples or on a whole value, whose middle fails where an element of the input is 0. */
typedef struct {
  LbGraph *graph;
  LbNode *x, *w;
  LbProgram *program;
  LbTensor *values, *weights;
} Chain;

static void
chain_init (Chain *chain, LbDType dtype, gint64 n, gboolean batch, LbNode *(*build) (LbNode *x, LbNode *w))
{
  chain->graph = lb_graph_new (dtype);
  LbShape shape = LB_SHAPE (n, 6);
  chain->x = batch ? lb_batch_input (chain->graph, "x", shape) : lb_input (chain->graph, "x", shape);
  chain->w = lb_input (chain->graph, "w", LB_SHAPE (6));
  LbNode *out = build (chain->x, chain->w);
  g_autoptr (GError) error = NULL;
  chain->program = lb_compile (chain->graph, &out, 1, &error);
  g_assert_no_error (error);
  chain->values = lb_tensor_new (dtype, shape);
  chain->weights = lb_tensor_new (dtype, LB_SHAPE (6));
  for (gint64 i = 0; i < 6 * (n + 1); i++) {
    LbTensor *tensor = i < 6 * n ? chain->values : chain->weights;
    if (dtype == LB_F64)
      lb_tensor_f64 (tensor)[i % (6 * n)] = 1 + (double)(i % 7);
    else
      lb_tensor_f32 (tensor)[i % (6 * n)] = 1 + (float)(i % 7);
  }
  lb_program_bind (chain->program, chain->x, chain->values);
  lb_program_bind (chain->program, chain->w, chain->weights);
}

static void
chain_clear (Chain *chain)
{
  lb_program_free (chain->program);
  lb_graph_unref (chain->graph);
  lb_tensor_unref (chain->values);
  lb_tensor_unref (chain->weights);
}

/* What tracing a run on @threads workers finds; NULL for nothing. */
static char *
find (Chain *chain, guint threads)
{
  g_autoptr (LbPool) pool = lb_pool_new (threads);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);

  lb_compute_trace (compute, TRUE);
  lb_program_run (chain->program, compute);
  return g_strdup (lb_compute_finding (compute));
}

/* The finding, the same on one worker and on several, holds each of the texts. */
static void
assert_finds (Chain *chain, const char *const *texts)
{
  g_autofree char *finding = find (chain, 1);

  g_assert_nonnull (finding);
  for (; *texts != NULL; texts++)
    if (strstr (finding, *texts) == NULL)
      g_error ("expected \"%s\" in: %s", *texts, finding);
  for (guint threads = 2; threads <= 4; threads++) {
    g_autofree char *again = find (chain, threads);
    g_assert_cmpstr (again, ==, finding);
  }
}

static const char *log_place; /* what is told of where the log was built */

#define LOG_HERE(x) (log_place = "log, made at " LB_HERE ", gave ", lb_log (x))

static LbNode *
build_log (LbNode *x, LbNode *w)
{
  LbNode *shifted = lb_affine (lb_mul (x, w), 1, -1);
  return lb_sum (lb_tanh (lb_add (LOG_HERE (shifted), w)));
}

static void
test_log_of_zero (gconstpointer data)
{
  gboolean batch = GPOINTER_TO_INT (data);
  Chain chain;

  chain_init (&chain, LB_F32, 37, batch, build_log);
  for (gint64 k = 0; k < 6; k++)
    lb_tensor_f32 (chain.weights)[k] = 2;
  g_autofree char *nothing = find (&chain, 2);
  g_assert_null (nothing);
  /* 0.5 * 2 - 1 = 0; later samples make infinities too. */
  lb_tensor_f32 (chain.values)[6 * 20 + 4] = 0.5f;
  lb_tensor_f32 (chain.values)[6 * 31 + 1] = 0.5f;
  assert_finds (&chain,
                (const char *const[]){ log_place, "minus infinite", "[20, 4] of [37, 6]",
                                       "operand 1, [37, 6] made by affine at ", "was finite, from 0 to ", NULL });
  g_autofree char *finding = find (&chain, 1);
  g_assert_null (strstr (finding, "tanh"));
  chain_clear (&chain);
}

static LbNode *
build_overflow (LbNode *x, LbNode *w)
{
  return lb_exp (lb_mul (lb_exp (x), w));
}

static void
test_overflow_in_double (void)
{
  Chain chain;

  chain_init (&chain, LB_F64, 5, TRUE, build_overflow);
  for (gint64 i = 0; i < 30; i++)
    lb_tensor_f64 (chain.values)[i] = 1;
  lb_tensor_f64 (chain.values)[6 * 3] = 800;
  assert_finds (&chain, (const char *const[]){ "exp, made at ", "infinite", "[3, 0] of [5, 6]", "bound to input 'x'",
                                               "from 1 to 800", NULL });
  chain_clear (&chain);
}

static LbNode *
build_root_gradient (LbNode *x, LbNode *w)
{
  LbNode *gradient;

  lb_gradients (lb_sum (lb_mul (lb_sqrt (x), w)), &x, 1, &gradient);
  return gradient;
}

/* The root of 0 is 0; its derivative is not. */
static void
test_gradient (void)
{
  Chain chain;

  chain_init (&chain, LB_F32, 9, TRUE, build_root_gradient);
  lb_tensor_f32 (chain.values)[6 * 8 + 5] = 0;
  assert_finds (&chain, (const char *const[]){ "div, made at ", "test-trace.c:", ", gradient of sqrt, ", " infinite",
                                               "[8, 5] of [9, 6]", NULL });
  chain_clear (&chain);
}

static LbNode *
build_second_gradient (LbNode *x, LbNode *w)
{
  LbNode *first, *second;

  lb_gradients (lb_sum (lb_mul (lb_sqrt (x), w)), &x, 1, &first);
  lb_gradients (lb_sum (lb_mul (first, w)), &x, 1, &second);
  return second;
}

/* 1e-30 ^ -0.5 fits in a float; its power of -1.5 does not. */
static void
test_second_gradient (void)
{
  Chain chain;

  chain_init (&chain, LB_F32, 9, TRUE, build_second_gradient);
  lb_tensor_f32 (chain.values)[6 * 2 + 3] = 1e-30f;
  assert_finds (&chain, (const char *const[]){ ", second gradient of ", "infinite", "[2, 3] of [9, 6]", NULL });
  chain_clear (&chain);
}

static LbNode *
build_sum (LbNode *x, LbNode *w)
{
  return lb_add (lb_sum_to (x, LB_SHAPE (1, 6)), w);
}

/* Each worker's part of the sum is finite. */
static void
test_sum_over_samples (void)
{
  Chain chain;

  chain_init (&chain, LB_F32, 16, TRUE, build_sum);
  for (gint64 i = 0; i < 16; i++)
    lb_tensor_f32 (chain.values)[6 * i + 2] = 4e37f;
  assert_finds (&chain, (const char *const[]){ "sum-to, made at ", "infinite",
                                               "when its sums over samples were added up", "[0, 2] of [1, 6]", NULL });
  chain_clear (&chain);
}

static void
test_input (void)
{
  Chain chain;

  chain_init (&chain, LB_F32, 5, TRUE, build_log);
  lb_tensor_f32 (chain.weights)[3] = NAN;
  assert_finds (&chain,
                (const char *const[]){ "input 'w' of a program, made at ", "not a number", "[3] of [6]", NULL });
  chain_clear (&chain);
}

/* Looking changes nothing, and is off unless it is asked for. */
static void
test_same_values (void)
{
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) plain = lb_compute_new (pool), traced = lb_compute_new (pool);
  LbNode *out = NULL;
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", LB_SHAPE (9, 6));
  g_autoptr (LbTensor) values = lb_tensor_new (LB_F32, LB_SHAPE (9, 6));

  out = lb_sum (lb_log (lb_affine (x, 1, 2)));
  g_autoptr (LbProgram) program = lb_compile (graph, &out, 1, NULL);
  lb_program_bind (program, x, values);
  lb_compute_trace (traced, TRUE);
  lb_program_run (program, plain);
  double before = lb_program_scalar (program, out);
  lb_program_run (program, traced);
  g_assert_cmpfloat (lb_program_scalar (program, out), ==, before);
  g_assert_cmpfloat (lb_compute_flops (traced), ==, lb_compute_flops (plain));
  lb_tensor_f32 (values)[0] = -2;
  lb_program_run (program, plain);
  g_assert_null (lb_compute_finding (plain));
  lb_program_run (program, traced);
  g_assert_nonnull (lb_compute_finding (traced));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/trace/log-of-zero-in-a-whole-value", GINT_TO_POINTER (FALSE), test_log_of_zero);
  g_test_add_data_func ("/trace/log-of-zero-in-samples", GINT_TO_POINTER (TRUE), test_log_of_zero);
  g_test_add_func ("/trace/overflow-in-double", test_overflow_in_double);
  g_test_add_func ("/trace/a-gradient-names-the-line-it-comes-from", test_gradient);
  g_test_add_func ("/trace/a-second-gradient-names-the-line-it-comes-from", test_second_gradient);
  g_test_add_func ("/trace/a-sum-over-samples", test_sum_over_samples);
  g_test_add_func ("/trace/an-input", test_input);
  g_test_add_func ("/trace/changes-no-value", test_same_values);
  return g_test_run ();
}
