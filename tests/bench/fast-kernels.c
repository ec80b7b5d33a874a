/* Kernels without exact numerics (fast-kernels.h). */
#include "bench/fast-kernels.h"

#ifdef LB_FAST_KERNELS
extern const LbKernelSet lb_kernel_set_f32_v3_fast, lb_kernel_set_f32_v4_fast;

static void
multiply (const LbCall *call, gint64 m, gint64 n, gint64 k, const float *a, gint64 row_a, const float *b, gint64 row_b,
          float *c)
{
  lb_gemm_f32 (call->node->attributes.a != 0, call->node->attributes.b != 0, m, n, k, a, row_a, b, row_b,
               call->accumulate ? 1 : 0, c, n);
}

static void
matmul (const LbCall *call)
{
  const LbShape *a = &call->input_shapes[0], *b = &call->input_shapes[1], *out = &call->output_shape;
  gint64 row_a = a->dim[a->rank - 1], row_b = b->dim[b->rank - 1], n = out->dim[out->rank - 1];
  gint64 k = call->node->attributes.a != 0 ? lb_shape_size (*a) / MAX (row_a, 1) : row_a;
  multiply (call, lb_shape_size (*out) / MAX (n, 1), n, k, call->inputs[0], row_a, call->inputs[1], row_b,
            call->output);
}

static void
batch_matmul (const LbCall *call)
{
  guint rank = call->output_shape.rank;
  const gint64 *a = call->input_shapes[0].dim + rank - 2, *b = call->input_shapes[1].dim + rank - 2;
  gint64 m = call->output_shape.dim[rank - 2], n = call->output_shape.dim[rank - 1];
  gint64 k = a[call->node->attributes.a != 0 ? 0 : 1];
  for (gint64 i = 0; i < lb_shape_size (call->output_shape) / MAX (m * n, 1); i++)
    multiply (call, m, n, k, (const float *)call->inputs[0] + i * m * k, a[1],
              (const float *)call->inputs[1] + i * k * n, b[1], (float *)call->output + i * m * n);
}
#endif

const LbKernelSet *
fast_kernels (void)
{
#ifdef LB_FAST_KERNELS
  static LbKernelSet set;
  if (g_str_equal (lb_kernels_name (), "x86-64-v4"))
    set = lb_kernel_set_f32_v4_fast;
  else if (g_str_equal (lb_kernels_name (), "x86-64-v3"))
    set = lb_kernel_set_f32_v3_fast;
  else
    return NULL;
  set.run[LB_OP_MATMUL] = matmul;
  set.run[LB_OP_BATCH_MATMUL] = batch_matmul;
  return &set;
#else
  return NULL;
#endif
}
