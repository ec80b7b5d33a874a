/* Losses and optimisers against values worked out by hand. */
#include "nn/numeric.h"

/* Two images, two classes; scores (0, log 3) have probabilities 1/4 and 3/4. */
static void
test_cross_entropy_by_hand (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *scores = lb_input (graph, "scores", LB_SHAPE (2, 2)), *targets = lb_input (graph, "targets", LB_SHAPE (2, 2));
  LbNode *loss = lb_cross_entropy (scores, targets), *gradient;
  g_autoptr (LbProgram) program = NULL;
  g_autoptr (GError) error = NULL;
  const float *g;

  lb_gradients (loss, &scores, 1, &gradient);
  program = lb_compile (graph, (LbNode *[]){ loss, gradient }, 2, &error);
  g_assert_no_error (error);
  bind_take (program, scores, TENSOR (LB_SHAPE (2, 2), 0, logf (3), 5, 5));
  bind_take (program, targets, TENSOR (LB_SHAPE (2, 2), 1, 0, 0.25f, 0.75f));
  run_once (program);
  /* A hard label, then a soft one; the mean of both. */
  CLOSE (lb_program_scalar (program, loss), (log (4) + log (2)) / 2, 1e-6);
  /* (softmax - target) / n */
  g = lb_tensor_f32 (lb_program_result (program, gradient));
  CLOSE (g[0], (0.25 - 1) / 2, 1e-6);
  CLOSE (g[1], 0.75 / 2, 1e-6);
  CLOSE (g[2], (0.5 - 0.25) / 2, 1e-6);
  CLOSE (g[3], (0.5 - 0.75) / 2, 1e-6);
}

/* Three steps on a parameter of 2 with a constant gradient of 1: rate 0.1, momentum 0.5, weight decay 0.01. */
static void
test_sgd_by_hand (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *p = lb_input (graph, "p", LB_SHAPE (1)), *g = lb_input (graph, "g", LB_SHAPE (1));
  LbNode *m = lb_input (graph, "m", LB_SHAPE (1)), *rate = lb_input (graph, "rate", LB_SCALAR), *new_p, *new_m;
  g_autoptr (LbTensor) parameter = TENSOR (LB_SHAPE (1), 2), momentum = TENSOR (LB_SHAPE (1), 0);
  g_autoptr (LbTensor) rate_value = TENSOR (LB_SCALAR, 0.1f);
  g_autoptr (LbProgram) program = NULL;
  g_autoptr (GError) error = NULL;
  double x = 2, v = 0;

  lb_sgd_step (&p, &g, &m, 1, rate, 0.5, 0.01, &new_p, &new_m);
  program = lb_compile (graph, (LbNode *[]){ new_p, new_m }, 2, &error);
  g_assert_no_error (error);
  lb_program_bind (program, p, parameter);
  lb_program_bind (program, m, momentum);
  lb_program_bind (program, rate, rate_value);
  bind_take (program, g, TENSOR (LB_SHAPE (1), 1));
  lb_program_carry (program, new_p, p);
  lb_program_carry (program, new_m, m);
  for (int step = 0; step < 3; step++) {
    /* The rate is an input: a schedule needs no new program. */
    lb_tensor_f32 (rate_value)[0] = step < 2 ? 0.1f : 0.01f;
    v = 0.5 * v + (1 + 0.01 * x);
    x -= (step < 2 ? 0.1 : 0.01) * v;
    run_once (program);
    CLOSE (lb_tensor_f32 (parameter)[0], x, 1e-6);
    CLOSE (lb_tensor_f32 (momentum)[0], v, 1e-6);
  }
  CLOSE (x, 1.7272826, 1e-6);
}

static void
test_plain_sgd_needs_no_state (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *p = lb_input (graph, "p", LB_SHAPE (2)), *g = lb_input (graph, "g", LB_SHAPE (2)), *new_p;
  g_autoptr (LbProgram) program = NULL;
  g_autoptr (GError) error = NULL;

  lb_sgd_step (&p, &g, NULL, 1, lb_constant (graph, 0.5, LB_SCALAR), 0, 0, &new_p, NULL);
  program = lb_compile (graph, &new_p, 1, &error);
  g_assert_no_error (error);
  bind_take (program, p, TENSOR (LB_SHAPE (2), 3, 4));
  bind_take (program, g, TENSOR (LB_SHAPE (2), 2, -2));
  run_once (program);
  g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, new_p))[0], ==, 2);
  g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, new_p))[1], ==, 5);
}

static void
test_one_hot_rows (void)
{
  const float expected[] = { 0, 0, 1, 1, 0, 0 };
  float rows[6] = { 7, 7, 7, 7, 7, 7 };

  lb_one_hot ((const gint32[]){ 2, 0 }, 2, 3, rows);
  g_assert_cmpmem (rows, sizeof rows, expected, sizeof expected);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/cross-entropy-by-hand", test_cross_entropy_by_hand);
  g_test_add_func ("/train/sgd-by-hand", test_sgd_by_hand);
  g_test_add_func ("/train/plain-sgd-needs-no-state", test_plain_sgd_needs_no_state);
  g_test_add_func ("/train/one-hot-rows", test_one_hot_rows);
  return g_test_run ();
}
