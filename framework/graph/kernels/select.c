/* Picks the kernels for the processor this process runs on. */
#include "graph/kernels/kernels.h"

extern const LbKernelSet lb_kernel_set_f64, lb_kernel_set_f32;

#ifdef LB_X86_VARIANTS
extern const LbKernelSet lb_kernel_set_f32_v3, lb_kernel_set_f32_v4;

const char *
lb_kernels_name (void)
{
  __builtin_cpu_init ();
  if (__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512dq")
      && __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512cd"))
    return "x86-64-v4";
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    return "x86-64-v3";
  return "baseline";
}

static const LbKernelSet *
best_f32 (void)
{
  const char *name = lb_kernels_name ();
  if (g_str_equal (name, "x86-64-v4"))
    return &lb_kernel_set_f32_v4;
  return g_str_equal (name, "x86-64-v3") ? &lb_kernel_set_f32_v3 : &lb_kernel_set_f32;
}
#else
const char *
lb_kernels_name (void)
{
  return "baseline";
}

static const LbKernelSet *
best_f32 (void)
{
  return &lb_kernel_set_f32;
}
#endif

const LbKernelSet *
lb_kernels (LbDType dtype)
{
  static const LbKernelSet *f32;
  if (g_once_init_enter (&f32))
    g_once_init_leave (&f32, best_f32 ());
  return dtype == LB_F64 ? &lb_kernel_set_f64 : f32;
}
