/* The kernels' own transcendental functions, beside those of the C library in double precision. */
#include "graph/program.h"

#include <math.h>
#include <string.h>

#ifdef __SSE__
#  include <xmmintrin.h>
#endif

typedef struct {
  const char *name;
  LbNode *(*build) (const char *here, LbNode *x);
  double (*reference) (double);
  double bound; /* units in the last place */
} Function;

/* As kernels/functions.h promises. */
static const Function functions[] = {
  { "exp", lb_exp_at, exp, 1.1 },
  { "log", lb_log_at, log, 1.1 },
  { "tanh", lb_tanh_at, tanh, 1.6 },
  { "erf", lb_erf_at, erf, 1.8 },
};

/* f (x), by a program of one op. */
static LbTensor *
apply (const Function *f, LbTensor *x)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *in = lb_input (graph, "x", lb_tensor_shape (x)), *out = f->build (LB_HERE, in);
  g_autoptr (LbProgram) program = lb_compile (graph, &out, 1, &error);
  g_assert_no_error (error);
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_bind (program, in, x);
  lb_program_run (program, compute);
  LbTensor *y = lb_tensor_new (LB_F32, lb_tensor_shape (x));
  memcpy (lb_tensor_f32 (y), lb_tensor_f32 (lb_program_result (program, out)), lb_tensor_bytes (y));
  return y;
}

/* Distance of @got from @wanted in units in the last place of a float of @wanted's size. */
static double
distance (float got, double wanted)
{
  int exponent;
  if (isnan (wanted))
    return isnan (got) ? 0 : INFINITY;
  if (isinf ((float)wanted) || isinf (got))
    return got == (float)wanted ? 0 : INFINITY;
  frexp (wanted, &exponent);
  return fabs (got - wanted) / ldexp (1, MAX (exponent - 24, -149));
}

/* Every 2039th bit pattern of a float: all exponents, both signs, subnormal numbers, not-a-numbers. */
static void
test_bound (gconstpointer data)
{
  const Function *f = data;
  const guint32 stride = 2039;
  gint64 n = G_MAXUINT32 / stride + 1;
  g_autoptr (LbTensor) x = lb_tensor_new (LB_F32, LB_SHAPE (n));
  for (gint64 i = 0; i < n; i++) {
    guint32 bits = (guint32)i * stride;
    memcpy (lb_tensor_f32 (x) + i, &bits, sizeof bits);
  }
  g_autoptr (LbTensor) y = apply (f, x);
  for (gint64 i = 0; i < n; i++) {
    double in = (double)lb_tensor_f32 (x)[i], off = distance (lb_tensor_f32 (y)[i], f->reference (in));
    if (!(off <= f->bound))
      g_error ("%s (%a) is %a, %g units from %a", f->name, in, (double)lb_tensor_f32 (y)[i], off, f->reference (in));
  }
}

static void
test_special_values (gconstpointer data)
{
  const Function *f = data;
  const float values[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1, -1, 0x1p-149f, -0x1p-149f, 0x1.fffffep127f };
  g_autoptr (LbTensor) x = lb_tensor_new (LB_F32, LB_SHAPE (G_N_ELEMENTS (values)));
  memcpy (lb_tensor_f32 (x), values, sizeof values);
  g_autoptr (LbTensor) y = apply (f, x);
  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    float wanted = (float)f->reference ((double)values[i]), got = lb_tensor_f32 (y)[i];
    g_assert_true (distance (got, (double)wanted) <= f->bound);
    if (wanted == 0)
      g_assert_true (signbit (got) == signbit (wanted));
  }
}

/* A thread that flushes subnormal numbers to zero, as code built with -ffast-math leaves it, computes the same. */
static void
test_flushing_thread (void)
{
#ifdef __SSE__
  g_autoptr (LbTensor) x = lb_tensor_new (LB_F32, LB_SHAPE (2));
  lb_tensor_f32 (x)[0] = -100;
  lb_tensor_f32 (x)[1] = -90;
  guint before = _mm_getcsr ();
  _mm_setcsr (before | 0x8040);
  g_autoptr (LbTensor) y = apply (&functions[0], x);
  g_assert_cmphex (_mm_getcsr () & 0x8040, ==, 0x8040);
  _mm_setcsr (before);
  g_assert_true (lb_tensor_f32 (y)[0] > 0 && lb_tensor_f32 (y)[0] < 0x1p-126f);
  g_assert_true (distance (lb_tensor_f32 (y)[0], exp (-100)) <= 1.1);
#else
  g_test_skip ("this processor has no such switch here");
#endif
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++) {
    g_autofree char *bound = g_strdup_printf ("/functions/%s/within-its-bound-everywhere", functions[i].name);
    g_autofree char *special = g_strdup_printf ("/functions/%s/special-values", functions[i].name);
    g_test_add_data_func (bound, &functions[i], test_bound);
    g_test_add_data_func (special, &functions[i], test_special_values);
  }
  g_test_add_func ("/functions/subnormal-numbers-survive-a-flushing-thread", test_flushing_thread);
  return g_test_run ();
}
