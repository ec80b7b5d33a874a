/* OpenBLAS, loaded when first needed, with one thread and the core type that suits the processor.
 *
 * OpenBLAS chooses its kernels once, while it is being loaded, and takes only the environment's word for it. Release
 * 0.3.21 does not know newer AMD processors and runs its Haswell kernels there, at a third to a half of their speed; so
 * the variables are set before the library is opened, which linking to it would not allow. What it chose is asked back
 * and reported.
 */
#include "graph/kernels/kernels.h"

#include <gmodule.h>

/* Values of CBLAS's enums; part of its stable binary interface. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void (*Sgemm) (int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *,
                       int);
typedef void (*Dgemm) (int, int, int, int, int, int, double, const double *, int, const double *, int, double, double *,
                       int);

/* LAPACK's, of Fortran: everything by address, and the lengths of texts behind. */
typedef void (*Dsyevd) (const char *, const char *, const int *, double *, const int *, double *, double *, const int *,
                        int *, const int *, int *, gsize, gsize);
typedef void (*Dpotr) (const char *, const int *, double *, const int *, int *, gsize);

static struct {
  Sgemm sgemm;
  Dgemm dgemm;
  Dsyevd dsyevd;
  Dpotr dpotrf, dpotri;
  char *description;
} blas;

static const char *
core_type (void)
{
  const char *kernels = lb_kernels_name ();
  if (g_str_equal (kernels, "x86-64-v4"))
    return "SKYLAKEX";
  return g_str_equal (kernels, "x86-64-v3") ? "HASWELL" : NULL;
}

static gpointer
symbol (GModule *module, const char *name)
{
  gpointer address = NULL;
  if (!g_module_symbol (module, name, &address))
    g_error ("the OpenBLAS library has no function %s; install Debian's package libopenblas0", name);
  return address;
}

static gpointer
open_library (gpointer unused)
{
  const char *core = core_type ();
  if (core != NULL)
    g_setenv ("OPENBLAS_CORETYPE", core, TRUE);
  g_setenv ("OPENBLAS_NUM_THREADS", "1", TRUE);
  GModule *module = g_module_open ("libopenblas.so.0", G_MODULE_BIND_LOCAL);
  if (module == NULL)
    g_error ("OpenBLAS cannot be loaded (%s); install Debian's package libopenblas0", g_module_error ());
  g_module_make_resident (module);
  blas.sgemm = (Sgemm)symbol (module, "cblas_sgemm");
  blas.dgemm = (Dgemm)symbol (module, "cblas_dgemm");
  blas.dsyevd = (Dsyevd)symbol (module, "dsyevd_");
  blas.dpotrf = (Dpotr)symbol (module, "dpotrf_");
  blas.dpotri = (Dpotr)symbol (module, "dpotri_");
  void (*set_threads) (int) = (void (*) (int))symbol (module, "openblas_set_num_threads");
  char *(*config) (void) = (char *(*)(void))symbol (module, "openblas_get_config");
  char *(*chosen) (void) = (char *(*)(void))symbol (module, "openblas_get_corename");
  set_threads (1);
  g_auto (GStrv) words = g_strsplit (config (), " ", 3);
  blas.description = g_strdup_printf ("OpenBLAS %s, core %s",
                                      g_strv_length (words) > 1 ? words[1] : "of unknown version", chosen ());
  return NULL;
}

void
lb_blas_load (void)
{
  static GOnce once = G_ONCE_INIT;
  g_once (&once, open_library, NULL);
}

const char *
lb_blas_description (void)
{
  lb_blas_load ();
  return blas.description;
}

void
lb_gemm_f32 (gboolean ta, gboolean tb, gint64 m, gint64 n, gint64 k, const float *a, gint64 lda, const float *b,
             gint64 ldb, float beta, float *c, gint64 ldc)
{
  blas.sgemm (ROW_MAJOR, ta ? TRANSPOSE : NO_TRANSPOSE, tb ? TRANSPOSE : NO_TRANSPOSE, m, n, k, 1, a, lda, b, ldb, beta,
              c, ldc);
}

void
lb_gemm_f64 (gboolean ta, gboolean tb, gint64 m, gint64 n, gint64 k, const double *a, gint64 lda, const double *b,
             gint64 ldb, double beta, double *c, gint64 ldc)
{
  blas.dgemm (ROW_MAJOR, ta ? TRANSPOSE : NO_TRANSPOSE, tb ? TRANSPOSE : NO_TRANSPOSE, m, n, k, 1, a, lda, b, ldb, beta,
              c, ldc);
}

gboolean
lb_eigen_f64 (gint64 n, double *a, double *values)
{
  int size = (int)n, info = 0, least_work = -1, least_integers = -1, integers_wanted = 0;
  double work_wanted = 0;

  /* What is asked for first is how much to work in. */
  blas.dsyevd ("V", "U", &size, a, &size, values, &work_wanted, &least_work, &integers_wanted, &least_integers, &info,
               1, 1);
  least_work = (int)work_wanted;
  least_integers = integers_wanted;
  g_autoptr (LbTensor) work = lb_tensor_new (LB_F64, LB_SHAPE (least_work)); /* counted as the stage's memory */
  g_autofree int *integers = g_new (int, least_integers);
  blas.dsyevd ("V", "U", &size, a, &size, values, lb_tensor_f64 (work), &least_work, integers, &least_integers, &info,
               1, 1);
  return info == 0;
}

gboolean
lb_invert_positive_f64 (gint64 n, double *a)
{
  int size = (int)n, info = 0;

  /* LAPACK counts by columns: its lower triangle is the upper one of rows. */
  blas.dpotrf ("L", &size, a, &size, &info, 1);
  if (info == 0)
    blas.dpotri ("L", &size, a, &size, &info, 1);
  return info == 0;
}
