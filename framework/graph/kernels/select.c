/* Picks the kernels for the processor this process runs on, or lesser ones that LIMBECK_KERNELS names: to repeat on a
 * new machine what an old one computed, and to test every set on one machine.
 */
#include "graph/kernels/kernels.h"
#include "graph/program.h"

extern const LbKernelSet lb_kernel_set_f64, lb_kernel_set_f32;
#ifdef LB_X86_VARIANTS
extern const LbKernelSet lb_kernel_set_f32_v3, lb_kernel_set_f32_v4;
#endif

typedef struct {
  const char *name;
  const LbKernelSet *f32;
} Choice;

/* From the least to the best. */
static const Choice choices[] = {
  { "baseline", &lb_kernel_set_f32 },
#ifdef LB_X86_VARIANTS
  { "x86-64-v3", &lb_kernel_set_f32_v3 },
  { "x86-64-v4", &lb_kernel_set_f32_v4 },
#endif
};

/* Index of the best that the processor can run. */
static guint
possible (void)
{
#ifdef LB_X86_VARIANTS
  __builtin_cpu_init ();
  if (__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512dq")
      && __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512cd"))
    return 2;
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    return 1;
#endif
  return 0;
}

static const Choice *
choose (void)
{
  const char *wanted = g_getenv ("LIMBECK_KERNELS");
  guint best = possible ();
  for (guint i = 0; wanted != NULL && i < best; i++)
    if (g_str_equal (wanted, choices[i].name))
      return &choices[i];
  return &choices[best];
}

static const Choice *
chosen (void)
{
  static const Choice *choice;
  if (g_once_init_enter (&choice))
    g_once_init_leave (&choice, choose ());
  return choice;
}

gboolean
lb_kernels_known (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (choices); i++)
    if (g_str_equal (name, choices[i].name))
      return TRUE;
  return FALSE;
}

const char *
lb_kernels_name (void)
{
  return chosen ()->name;
}

const LbKernelSet *
lb_kernels (LbDType dtype)
{
  return dtype == LB_F64 ? &lb_kernel_set_f64 : chosen ()->f32;
}
