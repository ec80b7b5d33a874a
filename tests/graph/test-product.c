/* Matrix products: each element is one chain of fused multiply-adds over k in ascending order, to the bit, whatever
 * the shape, the transposes, the blocking and the kernels. */
#include "base/random.h"
#include "graph/program.h"

#include <math.h>
#include <string.h>

static LbTensor *
uniform (LbShape shape, guint64 seed)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, shape);
  LbRandom random = lb_random (lb_key (seed));
  lb_random_fill_uniform (&random, lb_tensor_f32 (tensor), (gsize)lb_tensor_size (tensor), -1, 1);
  return tensor;
}

static void
check_product (gboolean ta, gboolean tb, gint64 m, gint64 n, gint64 k)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  g_autoptr (LbTensor) a = uniform (ta ? LB_SHAPE (k, m) : LB_SHAPE (m, k), 1);
  g_autoptr (LbTensor) b = uniform (tb ? LB_SHAPE (n, k) : LB_SHAPE (k, n), 2);
  LbNode *left = lb_input (graph, "a", lb_tensor_shape (a)), *right = lb_input (graph, "b", lb_tensor_shape (b));
  LbNode *product = lb_matmul (left, ta, right, tb);
  g_autoptr (LbProgram) program = lb_compile (graph, &product, 1, &error);
  g_assert_no_error (error);
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_bind (program, left, a);
  lb_program_bind (program, right, b);
  lb_program_run (program, compute);
  const float *found = lb_tensor_f32 (lb_program_result (program, product));
  for (gint64 i = 0; i < m; i++)
    for (gint64 j = 0; j < n; j++) {
      float sum = 0;
      for (gint64 p = 0; p < k; p++)
        sum = fmaf (lb_tensor_f32 (a)[ta ? p * m + i : i * k + p], lb_tensor_f32 (b)[tb ? j * k + p : p * n + j], sum);
      if (memcmp (&sum, &found[i * n + j], sizeof sum) != 0)
        g_error ("%d%d %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT ": element (%" G_GINT64_FORMAT
                 ", %" G_GINT64_FORMAT ") is %a, the chain gives %a",
                 ta, tb, m, n, k, i, j, (double)found[i * n + j], (double)sum);
    }
}

static void
test_chain (void)
{
  static const gint64 shapes[][3]
      = { { 1, 1, 1 },    { 5, 3, 7 },      { 7, 33, 300 },  { 16, 10, 2048 }, { 17, 65, 64 },
          { 65, 65, 64 }, { 60, 200, 512 }, { 250, 70, 30 }, { 40, 100, 257 }, { 3, 150, 9 } };
#ifdef __x86_64__
  if (strstr (lb_arithmetic_description (), "kernels baseline") != NULL) {
    g_test_skip ("these kernels cannot fuse");
    return;
  }
#endif
  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (guint transposes = 0; transposes < 4; transposes++)
      check_product (transposes & 1, transposes >> 1, shapes[i][0], shapes[i][1], shapes[i][2]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/product/each-element-is-one-chain", test_chain);
  return g_test_run ();
}
