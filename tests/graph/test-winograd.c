/* Convolutions that the compiler lowers to Winograd's algorithm, forward, by input and by weight, cut and whole,
 * against the direct ones of f64; and the same bits from pieces as from one worker. */
#include "base/random.h"
#include "graph/program.h"

#include <math.h>
#include <string.h>

typedef struct {
  const char *label;
  gint64 n, h, w, in, out, taps;
} Case;

static const Case cases[] = {
  { "3x3-cut", 6, 13, 18, 32, 48, 3 },    { "5x5-cut", 5, 9, 11, 32, 48, 5 },
  { "3x3-whole", 40, 4, 4, 144, 272, 3 }, { "3x3-whole-small", 64, 2, 2, 256, 272, 3 },
  { "5x5-whole", 20, 4, 4, 144, 272, 5 }, { "3x3-whole-many-tiles", 37, 8, 8, 144, 272, 3 },
};

static LbTensor *
normal (LbDType dtype, LbShape shape, guint64 seed)
{
  LbTensor *tensor = lb_tensor_new (dtype, shape);
  LbRandom random = lb_random (lb_key (seed));
  for (gint64 i = 0; i < lb_tensor_size (tensor); i++) {
    double value = (float)lb_random_normal (&random);
    if (dtype == LB_F64)
      lb_tensor_f64 (tensor)[i] = value;
    else
      lb_tensor_f32 (tensor)[i] = (float)value;
  }
  return tensor;
}

/* The convolution and both its adjoints, copied out. */
static void
run (const Case *c, LbDType dtype, guint threads, LbTensor **results)
{
  g_autoptr (LbGraph) graph = lb_graph_new (dtype);
  g_autoptr (LbPool) pool = lb_pool_new (threads);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  LbShape x_shape = LB_SHAPE (c->n, c->h, c->w, c->in), y_shape = LB_SHAPE (c->n, c->h, c->w, c->out);
  LbShape w_shape = LB_SHAPE (c->out, c->taps, c->taps, c->in);
  LbNode *x = lb_batch_input (graph, "x", x_shape), *g = lb_batch_input (graph, "g", y_shape);
  LbNode *w = lb_input (graph, "w", w_shape);
  guint pad = (guint)c->taps / 2;
  LbNode *outputs[] = { lb_conv2d (x, w, 1, pad), lb_conv2d_by_input (g, w, x_shape, 1, pad),
                        lb_conv2d_by_weight (x, g, w_shape, 1, pad) };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, outputs, 3, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) images = normal (dtype, x_shape, 1), gradients = normal (dtype, y_shape, 2);
  g_autoptr (LbTensor) weights = normal (dtype, w_shape, 3);
  lb_program_bind (program, x, images);
  lb_program_bind (program, g, gradients);
  lb_program_bind (program, w, weights);
  lb_program_run (program, compute);
  for (guint i = 0; i < 3; i++) {
    LbTensor *result = lb_program_result (program, outputs[i]);
    results[i] = lb_tensor_new (dtype, lb_tensor_shape (result));
    memcpy (lb_tensor_data (results[i]), lb_tensor_data (result), lb_tensor_bytes (result));
  }
}

static void
test_direct (gconstpointer data)
{
  const Case *c = data;
  LbTensor *exact[3], *found[3], *again[3];
  run (c, LB_F64, 2, exact);
  run (c, LB_F32, 1, found);
  run (c, LB_F32, 3, again);
  for (guint i = 0; i < 3; i++) {
    double error = 0, square = 0;
    for (gint64 k = 0; k < lb_tensor_size (exact[i]); k++) {
      double d = (double)lb_tensor_f32 (found[i])[k] - lb_tensor_f64 (exact[i])[k];
      error = MAX (error, fabs (d));
      square += lb_tensor_f64 (exact[i])[k] * lb_tensor_f64 (exact[i])[k];
    }
    g_assert_cmpfloat (error, <, 1e-4 * sqrt (square / (double)lb_tensor_size (exact[i])));
    g_assert_cmpmem (lb_tensor_data (found[i]), lb_tensor_bytes (found[i]), lb_tensor_data (again[i]),
                     lb_tensor_bytes (again[i]));
    lb_tensor_unref (exact[i]);
    lb_tensor_unref (found[i]);
    lb_tensor_unref (again[i]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strdup_printf ("/winograd/%s-equals-direct", cases[i].label);
    g_test_add_data_func (path, &cases[i], test_direct);
  }
  return g_test_run ();
}
