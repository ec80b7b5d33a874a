/* Programs: lowering, cutting, memory and state change nothing in the values. */
#include "base/error.h"
#include "base/random.h"
#include "graph/program.h"
#include "graph/plan.h"

#include <math.h>
#include <string.h>

static LbTensor *
normal (LbDType dtype, LbShape shape, guint64 seed)
{
  LbTensor *tensor = lb_tensor_new (dtype, shape);
  LbRandom random = lb_random (lb_key (seed));
  for (gint64 i = 0; i < lb_tensor_size (tensor); i++) {
    double value = lb_random_normal (&random);
    if (dtype == LB_F64)
      lb_tensor_f64 (tensor)[i] = value;
    else
      lb_tensor_f32 (tensor)[i] = (float)value;
  }
  return tensor;
}

/* A small network in the manner of a ConvNet, big enough for Winograd, fine segments and several chunks; its loss and
 * the gradients to images and both weights. */
typedef struct {
  LbGraph *graph;
  LbNode *images, *first, *second, *outputs[4];
  LbProgram *program;
} Net;

static void
net_init (Net *net, LbDType dtype, gboolean batch)
{
  net->graph = lb_graph_new (dtype);
  LbShape shape = LB_SHAPE (37, 40, 40, 1);
  net->images = batch ? lb_batch_input (net->graph, "images", shape) : lb_input (net->graph, "images", shape);
  net->first = lb_input (net->graph, "first", LB_SHAPE (64, 3, 3, 1));
  net->second = lb_input (net->graph, "second", LB_SHAPE (32, 3, 3, 64));
  LbNode *x = lb_tanh (lb_instance_norm (lb_conv2d (net->images, net->first, 1, 1), 1e-5));
  x = lb_avg_pool (lb_tanh (lb_conv2d (lb_avg_pool (x, 2), net->second, 1, 1)), 2);
  net->outputs[0] = lb_scale (lb_sum (lb_mul (x, x)), 1.0 / 37);
  lb_gradients (net->outputs[0], ((LbNode *[]){ net->images, net->first, net->second }), 3, net->outputs + 1);
  g_autoptr (GError) error = NULL;
  net->program = lb_compile (net->graph, net->outputs, 4, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) images = normal (dtype, shape, 1), first = normal (dtype, LB_SHAPE (64, 3, 3, 1), 2),
                       second = normal (dtype, LB_SHAPE (32, 3, 3, 64), 3);
  lb_program_bind (net->program, net->images, images);
  lb_program_bind (net->program, net->first, first);
  lb_program_bind (net->program, net->second, second);
}

static void
net_run (Net *net, guint threads)
{
  g_autoptr (LbPool) pool = lb_pool_new (threads);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (net->program, compute);
  g_assert_cmpfloat (lb_compute_flops (compute), ==, lb_program_flops (net->program));
}

static void
net_clear (Net *net)
{
  lb_program_free (net->program);
  lb_graph_unref (net->graph);
}

/* Relative distance of two results in the Euclidean norm. */
static double
distance (LbTensor *a, LbTensor *b)
{
  double difference = 0, norm = 0;
  for (gint64 i = 0; i < lb_tensor_size (a); i++) {
    double x = lb_tensor_dtype (a) == LB_F64 ? lb_tensor_f64 (a)[i] : (double)lb_tensor_f32 (a)[i];
    double y = lb_tensor_dtype (b) == LB_F64 ? lb_tensor_f64 (b)[i] : (double)lb_tensor_f32 (b)[i];
    difference += (x - y) * (x - y);
    norm += x * x;
  }
  return sqrt (difference / norm);
}

static void
test_cut_and_lowered (void)
{
  Net plain, cut;
  net_init (&plain, LB_F64, FALSE);
  net_init (&cut, LB_F32, TRUE);
  net_run (&plain, 2);
  net_run (&cut, 2);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpfloat (
        distance (lb_program_result (plain.program, plain.outputs[i]), lb_program_result (cut.program, cut.outputs[i])),
        <, 2e-5);
  /* A direct convolution's operations are counted whatever algorithm ran. */
  g_assert_cmpfloat_with_epsilon (lb_program_flops (plain.program), lb_program_flops (cut.program), 1e6);
  g_assert_cmpuint (lb_program_peak_bytes (cut.program, 2), <, lb_program_peak_bytes (plain.program, 2) / 4);
  net_clear (&plain);
  net_clear (&cut);
}

/* Each element of @x, less the mean over all samples of its activation, times that activation: what it reads again is
 * there only when all samples have been seen, and costs less to compute again than to keep. */
static void
test_computed_again (void)
{
  enum { SAMPLES = 64, FEATURES = 16 * 1024 };
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", LB_SHAPE (SAMPLES, FEATURES));
  LbNode *activation = lb_relu (lb_affine (x, 2, -1));
  LbNode *mean = lb_scale (lb_sum_to (activation, LB_SHAPE (1, FEATURES)), 1. / SAMPLES);
  LbNode *sums = lb_sum_to (lb_mul (activation, lb_sub (x, mean)), LB_SHAPE (1, FEATURES));
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, &sums, 1, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) values = lb_tensor_new (LB_F32, LB_SHAPE (SAMPLES, FEATURES));
  for (gint64 i = 0; i < SAMPLES * FEATURES; i++)
    lb_tensor_f32 (values)[i] = (float)(i * 7 % 13) / 8;
  lb_program_bind (program, x, values);
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  for (gint64 feature = 0; feature < FEATURES; feature += 1001) {
    double of_activations = 0, sum = 0;
    for (gint64 i = feature; i < SAMPLES * FEATURES; i += FEATURES)
      of_activations += MAX (2 * (double)lb_tensor_f32 (values)[i] - 1, 0);
    for (gint64 i = feature; i < SAMPLES * FEATURES; i += FEATURES) {
      double element = (double)lb_tensor_f32 (values)[i];
      sum += MAX (2 * element - 1, 0) * (element - of_activations / SAMPLES);
    }
    g_assert_cmpfloat_with_epsilon ((double)lb_tensor_f32 (lb_program_result (program, sums))[feature], sum, 1e-3);
  }
  g_assert_cmpuint (lb_program_peak_bytes (program, 1), <, lb_tensor_bytes (values));
}

/* The same of the result of a convolution, which is larger than what it is computed from. */
static void
test_convolution_again (void)
{
  enum { SAMPLES = 40 };
  const LbShape shapes[] = { LB_SHAPE (SAMPLES, 32, 32, 16), LB_SHAPE (64, 3, 3, 16) };
  LbTensor *sums[2];
  gsize bytes[2];
  for (guint batch = 0; batch < 2; batch++) {
    g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
    LbNode *x = batch ? lb_batch_input (graph, "x", shapes[0]) : lb_input (graph, "x", shapes[0]);
    LbNode *weight = lb_input (graph, "weight", shapes[1]), *y = lb_conv2d (x, weight, 1, 1);
    LbNode *mean = lb_scale (lb_sum_to (y, LB_SHAPE (1, 32, 32, 64)), 1. / SAMPLES);
    LbNode *sum = lb_sum_to (lb_mul (y, lb_sub (y, mean)), LB_SHAPE (1, 32, 32, 64));
    g_autoptr (GError) error = NULL;
    g_autoptr (LbProgram) program = lb_compile (graph, &sum, 1, &error);
    g_assert_no_error (error);
    g_autoptr (LbTensor) images = normal (LB_F32, shapes[0], 1), weights = normal (LB_F32, shapes[1], 2);
    lb_program_bind (program, x, images);
    lb_program_bind (program, weight, weights);
    g_autoptr (LbPool) pool = lb_pool_new (2);
    g_autoptr (LbCompute) compute = lb_compute_new (pool);
    lb_program_run (program, compute);
    g_assert_cmpfloat (lb_compute_flops (compute), ==, lb_program_flops (program));
    sums[batch] = lb_tensor_copy (lb_program_result (program, sum));
    bytes[batch] = lb_program_peak_bytes (program, 1);
  }
  g_assert_cmpfloat (distance (sums[0], sums[1]), <, 1e-5);
  g_assert_cmpuint (bytes[0], >, SAMPLES * 32 * 32 * 64 * sizeof (float));
  g_assert_cmpuint (bytes[1], <, SAMPLES * 32 * 32 * 64 * sizeof (float));
  lb_tensor_unref (sums[0]);
  lb_tensor_unref (sums[1]);
}

/* A weight as large as the images is summed over all of them at once, in pieces: without the sums of partitions, and
 * with the same bits from one worker as from several. */
static void
test_large_weight (void)
{
  enum { N = 8, SIDE = 8, IN = 224, OUT = 272, KERNEL = 3 };
  const LbShape x_shape = LB_SHAPE (N, SIDE, SIDE, IN), y_shape = LB_SHAPE (N, SIDE / 2, SIDE / 2, OUT);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", x_shape), *y = lb_batch_input (graph, "y", y_shape);
  LbNode *sum = lb_conv2d_by_weight (x, y, LB_SHAPE (OUT, KERNEL, KERNEL, IN), 2, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, &sum, 1, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) images = normal (LB_F32, x_shape, 1), gradient = normal (LB_F32, y_shape, 2), first = NULL;
  lb_program_bind (program, x, images);
  lb_program_bind (program, y, gradient);
  LbTensor *result = lb_program_result (program, sum);
  for (guint threads = 1; threads <= 4; threads += 3) {
    g_autoptr (LbPool) pool = lb_pool_new (threads);
    g_autoptr (LbCompute) compute = lb_compute_new (pool);
    lb_program_run (program, compute);
    if (first == NULL)
      first = lb_tensor_copy (result);
    g_assert_cmpmem (lb_tensor_data (first), lb_tensor_bytes (first), lb_tensor_data (result),
                     lb_tensor_bytes (result));
  }
  for (gint64 o = 0; o < OUT; o += 90)
    for (gint64 tap = 0; tap < KERNEL * KERNEL; tap++) {
      double exact = 0;
      for (gint64 at = 0; at < N * SIDE / 2 * SIDE / 2; at++) {
        gint64 image = at / (SIDE / 2 * SIDE / 2), row = at / (SIDE / 2) % (SIDE / 2) * 2 + tap / KERNEL - 1;
        gint64 column = at % (SIDE / 2) * 2 + tap % KERNEL - 1;
        if (row >= 0 && row < SIDE && column >= 0 && column < SIDE)
          exact += (double)lb_tensor_f32 (images)[((image * SIDE + row) * SIDE + column) * IN + 5]
                   * (double)lb_tensor_f32 (gradient)[at * OUT + o];
      }
      g_assert_cmpfloat_with_epsilon ((double)lb_tensor_f32 (result)[(o * KERNEL * KERNEL + tap) * IN + 5], exact,
                                      1e-4);
    }
  g_assert_cmpuint (lb_program_peak_bytes (program, 1), <, 3 * lb_tensor_bytes (result));
}

static void
test_threads (void)
{
  Net net;
  g_autoptr (GPtrArray) digests = g_ptr_array_new_with_free_func (g_free);
  for (guint threads = 1; threads <= 8; threads++) {
    net_init (&net, LB_F32, TRUE);
    for (guint run = 0; run < 2; run++) {
      net_run (&net, threads);
      for (guint i = 0; i < 4; i++) {
        g_autofree char *digest = lb_tensor_digest (lb_program_result (net.program, net.outputs[i]));
        if (digests->len < 4)
          g_ptr_array_add (digests, g_steal_pointer (&digest));
        else
          g_assert_cmpstr (digest, ==, g_ptr_array_index (digests, i));
      }
    }
    net_clear (&net);
  }
}

/* Two programs that carry state: one in a program, one by hand. */
static void
test_carry (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F64);
  LbNode *x = lb_input (graph, "x", LB_SHAPE (3)), *v = lb_input (graph, "v", LB_SHAPE (3));
  LbNode *new_v = lb_sub (lb_scale (v, 0.5), x), *new_x = lb_add (x, new_v);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, ((LbNode *[]){ new_x, new_v }), 2, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) tx = normal (LB_F64, LB_SHAPE (3), 1), tv = normal (LB_F64, LB_SHAPE (3), 2);
  double ex[3], ev[3];
  memcpy (ex, lb_tensor_data (tx), sizeof ex);
  memcpy (ev, lb_tensor_data (tv), sizeof ev);
  lb_program_bind (program, x, tx);
  lb_program_bind (program, v, tv);
  lb_program_carry (program, new_x, x);
  lb_program_carry (program, new_v, v);
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  for (guint step = 0; step < 4; step++) {
    lb_program_run (program, compute);
    for (guint i = 0; i < 3; i++) {
      ev[i] = 0.5 * ev[i] - ex[i];
      ex[i] = ex[i] + ev[i];
      g_assert_cmpfloat (lb_tensor_f64 (tx)[i], ==, ex[i]);
      g_assert_cmpfloat (lb_tensor_f64 (tv)[i], ==, ev[i]);
    }
  }
}

/* What a chain overwrites must not be needed later, in any order of uses. */
static void
test_overwriting (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F64);
  LbNode *x = lb_batch_input (graph, "x", LB_SHAPE (9, 4));
  LbNode *a = lb_scale (x, 2), *b = lb_affine (a, 1, 1), *c = lb_mul (a, b), *d = lb_add (c, b);
  LbNode *row = lb_sum_to (d, LB_SHAPE (1, 4)), *e = lb_mul (lb_sub (d, row), a);
  LbNode *turned = lb_reshape (e, LB_SHAPE (4, 9)), *f = lb_add (turned, lb_scale (turned, 3));
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, ((LbNode *[]){ e, f, turned }), 3, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) tx = normal (LB_F64, LB_SHAPE (9, 4), 1);
  lb_program_bind (program, x, tx);
  g_autoptr (LbPool) pool = lb_pool_new (3);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  const double *v = lb_tensor_f64 (tx);
  double sum[4] = { 0 };
  for (guint i = 0; i < 36; i++)
    sum[i % 4] += 2 * v[i] * (2 * v[i] + 1) + 2 * v[i] + 1;
  for (guint i = 0; i < 36; i++) {
    double expected = (2 * v[i] * (2 * v[i] + 1) + 2 * v[i] + 1 - sum[i % 4]) * 2 * v[i];
    g_assert_cmpfloat_with_epsilon (lb_tensor_f64 (lb_program_result (program, e))[i], expected,
                                    1e-12 * fabs (expected));
    g_assert_cmpfloat_with_epsilon (lb_tensor_f64 (lb_program_result (program, f))[i], 4 * expected,
                                    1e-11 * fabs (expected));
    g_assert_cmpfloat (lb_tensor_f64 (lb_program_result (program, turned))[i], ==,
                       lb_tensor_f64 (lb_program_result (program, e))[i]);
  }
}

/* An output may be an input, a reshape of one, a constant, or stand twice. */
static void
test_trivial_outputs (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_input (graph, "x", LB_SHAPE (2, 3)), *y = lb_input (graph, "y", LB_SHAPE (2));
  LbNode *flat = lb_reshape (x, LB_SHAPE (6)), *gradient;
  lb_gradients (lb_sum (x), &y, 1, &gradient);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, ((LbNode *[]){ flat, x, gradient, flat }), 4, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) tx = normal (LB_F32, LB_SHAPE (2, 3), 1);
  lb_program_bind (program, x, tx);
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  g_assert_cmpmem (lb_tensor_data (lb_program_result (program, flat)), 24, lb_tensor_data (tx), 24);
  g_assert_cmpmem (lb_tensor_data (lb_program_result (program, x)), 24, lb_tensor_data (tx), 24);
  g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, gradient))[1], ==, 0);
}

/* What goes wrong inside a network must show in its loss. */
static void
test_not_a_number (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_input (graph, "x", LB_SHAPE (3)), *relu = lb_relu (x), *gradient;
  lb_gradients (lb_sum (relu), &x, 1, &gradient);
  LbNode *gated = lb_gate (lb_constant (graph, 1, LB_SHAPE (3)), x);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, ((LbNode *[]){ relu, gated, gradient }), 3, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) tx = lb_tensor_new (LB_F32, LB_SHAPE (3));
  lb_tensor_f32 (tx)[0] = NAN;
  lb_tensor_f32 (tx)[1] = -2;
  lb_tensor_f32 (tx)[2] = 2;
  lb_program_bind (program, x, tx);
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  const float *y = lb_tensor_f32 (lb_program_result (program, relu));
  g_assert_true (isnan (y[0]));
  g_assert_true (y[1] == 0 && y[2] == 2);
  g_assert_true (isnan (lb_tensor_f32 (lb_program_result (program, gated))[0]));
  g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, gradient))[1], ==, 0);
  g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, gradient))[2], ==, 1);
}

static void
test_mistake (void)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *a = lb_input (graph, "a", LB_SHAPE (2, 3)), *b = lb_input (graph, "b", LB_SHAPE (4, 5));
  LbNode *bad = lb_matmul (a, FALSE, b, FALSE);
  LbNode *loss = lb_sum (lb_exp (lb_conv2d (bad, bad, 1, 1))), *gradient;
  lb_gradients (loss, &a, 1, &gradient);
  g_autoptr (GError) error = NULL;
  g_assert_null (lb_compile (graph, &gradient, 1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_nonnull (strstr (error->message, "test-program.c:"));
  g_assert_nonnull (strstr (error->message, "matmul of [2, 3] and [4, 5]"));
}

/* No two blocks that live at the same time overlap. */
static void
test_storage (void)
{
  LbRandom random = lb_random (lb_key (5));
  for (guint round = 0; round < 50; round++) {
    LbBlock blocks[60];
    for (guint i = 0; i < G_N_ELEMENTS (blocks); i++) {
      guint from = (guint)lb_random_below (&random, 40);
      blocks[i] = (LbBlock){ .bytes = 1 + lb_random_below (&random, 5000),
                             .from = from,
                             .to = from + (guint)lb_random_below (&random, 10) };
    }
    gsize total = lb_storage_assign (blocks, G_N_ELEMENTS (blocks));
    for (guint i = 0; i < G_N_ELEMENTS (blocks); i++) {
      g_assert_cmpuint (blocks[i].offset + blocks[i].bytes, <=, total);
      g_assert_cmpuint (blocks[i].offset % 64, ==, 0);
      for (guint k = 0; k < i; k++)
        if (blocks[i].from <= blocks[k].to && blocks[k].from <= blocks[i].to)
          g_assert_true (blocks[i].offset + blocks[i].bytes <= blocks[k].offset
                         || blocks[k].offset + blocks[k].bytes <= blocks[i].offset);
    }
  }
}

static void
test_description (void)
{
  g_assert_nonnull (strstr (lb_arithmetic_description (), "OpenBLAS 0."));
  g_assert_nonnull (strstr (lb_arithmetic_description (), "core "));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/cut-and-lowered-equals-plain", test_cut_and_lowered);
  g_test_add_func ("/program/cheap-values-are-not-kept", test_computed_again);
  g_test_add_func ("/program/large-values-of-thin-layers-are-not-kept", test_convolution_again);
  g_test_add_func ("/program/large-weights-have-no-partitions", test_large_weight);
  g_test_add_func ("/program/same-bits-at-1-to-8-threads", test_threads);
  g_test_add_func ("/program/carries-state", test_carry);
  g_test_add_func ("/program/overwrites-only-what-is-dead", test_overwriting);
  g_test_add_func ("/program/trivial-outputs", test_trivial_outputs);
  g_test_add_func ("/program/not-a-number-goes-through", test_not_a_number);
  g_test_add_func ("/program/mistake-names-op-shapes-and-place", test_mistake);
  g_test_add_func ("/program/blocks-do-not-overlap", test_storage);
  g_test_add_func ("/program/says-which-arithmetic", test_description);
  return g_test_run ();
}
