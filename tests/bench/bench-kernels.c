/* How fast the kernels are on one thread: GFLOP/s of convolutions and matrix products as networks have them, in each
 * direction, and their share of what the core can do at most.
 *
 *   bench-kernels [WORD]          only rows that hold WORD, such as vgg11 or '5x5'
 *
 * Each figure is the best of several runs of a compiled program of one op, so it holds what the compiler makes of the
 * op (Winograd's transforms, chunks). Operations are counted as those of the direct algorithm: Winograd may pass 100 %.
 * The peak is that of multiply-adds that touch nothing but registers, of the vectors that the kernels use, measured
 * between the rows; its best counts.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "limbeck.h"

#ifdef __x86_64__
#  include <immintrin.h>
#endif

#define LEAST_SECONDS 0.1
#define LEAST_RUNS    3

/* Seconds that this thread computed: what others take from the core does not count. */
static double
seconds (void)
{
  struct timespec time;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- The peak ---- */

#define CHAINS 14
#define ROUNDS 20000

#ifdef __x86_64__
/* One loop of independent chains for each width of vectors. */
#  define PEAK(name, isa, type, spread, fma)                                                                           \
    __attribute__ ((target (isa), noinline)) static double name (void)                                                 \
    {                                                                                                                  \
      type sum[CHAINS], factor = spread (0.999f), term = spread (0.001f);                                              \
      for (int i = 0; i < CHAINS; i++)                                                                                 \
        sum[i] = spread ((float)i);                                                                                    \
      for (int r = 0; r < ROUNDS; r++)                                                                                 \
        _Pragma ("GCC unroll 14") for (int i = 0; i < CHAINS; i++) sum[i] = fma (sum[i], factor, term);                \
      for (int i = 0; i < CHAINS; i++)                                                                                 \
        __asm__ volatile("" ::"x"(sum[i]));                                                                            \
      return 2.0 * ROUNDS * CHAINS * (sizeof (type) / sizeof (float));                                                 \
    }
#  define MUL_ADD(x, y, z) _mm_add_ps (_mm_mul_ps (x, y), z)
PEAK (peak_512, "avx512f", __m512, _mm512_set1_ps, _mm512_fmadd_ps)
PEAK (peak_256, "avx2,fma", __m256, _mm256_set1_ps, _mm256_fmadd_ps)
PEAK (peak_128, "sse2", __m128, _mm_set1_ps, MUL_ADD)
#else
static double
peak_128 (void)
{
  float sum[4 * CHAINS] = { 0 };
  for (int r = 0; r < ROUNDS; r++)
    for (int i = 0; i < 4 * CHAINS; i++)
      sum[i] = sum[i] * 0.999f + 0.001f;
  for (int i = 0; i < 4 * CHAINS; i++)
    __asm__ volatile("" ::"m"(sum[i]));
  return 2.0 * ROUNDS * CHAINS * 4;
}
#endif

static double peak; /* GFLOP/s, the best seen */

static void
measure_peak (void)
{
  double (*run) (void) = peak_128;
#ifdef __x86_64__
  if (strstr (lb_arithmetic_description (), "x86-64-v4") != NULL)
    run = peak_512;
  else if (strstr (lb_arithmetic_description (), "x86-64-v3") != NULL)
    run = peak_256;
#endif
  for (int i = 0; i < 20; i++) {
    double start = seconds (), flops = run ();
    peak = MAX (peak, flops / (seconds () - start) / 1e9);
  }
}

/* ---- What is measured ---- */

/* A convolution, or a matrix product when @kernel is 0: then @images x @in by @in x @out. */
typedef struct {
  const char *network;
  gint64 images, size, in, kernel, out;
  guint stride, pad;
} Layer;

static const Layer layers[] = {
  /* The real images of a batch or a matching step; those in colour; the synthetic ones. */
  { "convnet-d3", 256, 28, 1, 3, 128, 1, 3 },  { "convnet-d3", 256, 16, 128, 3, 128, 1, 1 },
  { "convnet-d3", 256, 8, 128, 3, 128, 1, 1 }, { "convnet-d3", 256, 0, 2048, 0, 10, 0, 0 },
  { "convnet-d3", 256, 32, 3, 3, 128, 1, 1 },  { "convnet-d3", 10, 28, 1, 3, 128, 1, 3 },
  { "convnet-d3", 10, 16, 128, 3, 128, 1, 1 }, { "convnet-d3", 10, 8, 128, 3, 128, 1, 1 },
  { "convnet-d3", 10, 0, 2048, 0, 10, 0, 0 },  { "convnet-d3", 1, 28, 1, 3, 128, 1, 3 },
  { "convnet-d3", 1, 16, 128, 3, 128, 1, 1 },  { "convnet-d3", 1, 8, 128, 3, 128, 1, 1 },
  { "convnet-d3", 1, 0, 2048, 0, 10, 0, 0 },   { "alexnet", 32, 28, 1, 5, 128, 1, 4 },
  { "alexnet", 32, 32, 3, 5, 128, 1, 2 },      { "alexnet", 32, 16, 128, 5, 192, 1, 2 },
  { "alexnet", 32, 8, 192, 3, 256, 1, 1 },     { "alexnet", 32, 8, 256, 3, 192, 1, 1 },
  { "alexnet", 64, 0, 3072, 0, 10, 0, 0 },     { "vgg11", 32, 32, 3, 3, 64, 1, 1 },
  { "vgg11", 32, 16, 64, 3, 128, 1, 1 },       { "vgg11", 32, 8, 256, 3, 256, 1, 1 },
  { "vgg11", 32, 4, 512, 3, 512, 1, 1 },       { "vgg11", 32, 2, 512, 3, 512, 1, 1 },
  { "resnet18", 32, 32, 64, 3, 64, 1, 1 },     { "resnet18", 32, 32, 64, 3, 128, 2, 1 },
  { "resnet18", 32, 32, 64, 1, 128, 2, 0 },    { "resnet18", 32, 8, 256, 3, 512, 2, 1 },
  { "resnet18", 32, 8, 256, 1, 512, 2, 0 },    { "resnet18", 32, 4, 512, 3, 512, 1, 1 },
  { "vit", 4096, 0, 48, 0, 512, 0, 0 },        { "vit", 4160, 0, 512, 0, 512, 0, 0 },
  { "vit", 4160, 0, 512, 0, 1536, 0, 0 },      { "vit", 65, 0, 64, 0, 65, 0, 0 },
  { "square", 2048, 0, 2048, 0, 2048, 0, 0 },
};

typedef enum { FORWARD, BY_INPUT, BY_WEIGHT, N_DIRECTIONS } Direction;

static void
bind_noise (LbProgram *program, LbNode *input, guint64 stream)
{
  LbShape shape = lb_node_shape (input);
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_F32, shape);
  LbRandom random = lb_random (lb_key (stream));
  for (gint64 i = 0; i < lb_shape_size (shape); i++)
    lb_tensor_f32 (tensor)[i] = (float)lb_random_uniform (&random) - 0.5f;
  lb_program_bind (program, input, tensor);
}

/* The best rate of the program for @output, whose operands are @a and @b, in GFLOP/s. */
static double
rate (LbGraph *graph, LbNode *output, LbNode *a, LbNode *b, LbCompute *compute)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = lb_compile (graph, &output, 1, &error);
  if (program == NULL)
    g_error ("%s", error->message);
  bind_noise (program, a, 1);
  bind_noise (program, b, 2);
  lb_program_run (program, compute);
  double best = G_MAXDOUBLE, total = 0;
  for (int run = 0; run < LEAST_RUNS || total < LEAST_SECONDS; run++) {
    double start = seconds ();
    lb_program_run (program, compute);
    double time = seconds () - start;
    best = MIN (best, time);
    total += time;
  }
  return lb_program_flops (program) / best / 1e9;
}

static double
matmul_rate (const Layer *l, Direction direction, LbCompute *compute)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", LB_SHAPE (l->images, l->in));
  LbNode *w = lb_input (graph, "w", LB_SHAPE (l->out, l->in));
  LbNode *y = lb_batch_input (graph, "y", LB_SHAPE (l->images, l->out));
  switch (direction) {
  case FORWARD:
    return rate (graph, lb_matmul (x, FALSE, w, TRUE), x, w, compute);
  case BY_INPUT:
    return rate (graph, lb_matmul (y, FALSE, w, FALSE), y, w, compute);
  default:
    return rate (graph, lb_matmul (y, TRUE, x, FALSE), y, x, compute);
  }
}

static double
conv2d_rate (const Layer *l, Direction direction, LbCompute *compute)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  gint64 size = (l->size + 2 * l->pad - l->kernel) / l->stride + 1;
  LbShape from = LB_SHAPE (l->images, l->size, l->size, l->in), weight = LB_SHAPE (l->out, l->kernel, l->kernel, l->in);
  LbNode *x = lb_batch_input (graph, "x", from), *w = lb_input (graph, "w", weight);
  LbNode *y = lb_batch_input (graph, "y", LB_SHAPE (l->images, size, size, l->out));
  switch (direction) {
  case FORWARD:
    return rate (graph, lb_conv2d (x, w, l->stride, l->pad), x, w, compute);
  case BY_INPUT:
    return rate (graph, lb_conv2d_by_input (y, w, from, l->stride, l->pad), y, w, compute);
  default:
    return rate (graph, lb_conv2d_by_weight (x, y, weight, l->stride, l->pad), x, y, compute);
  }
}

static char *
describe (const Layer *l)
{
  if (l->kernel == 0)
    return g_strdup_printf ("%-10s %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " -> %" G_GINT64_FORMAT, l->network,
                            l->images, l->in, l->out);
  return g_strdup_printf ("%-10s %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "->%" G_GINT64_FORMAT
                          " @%" G_GINT64_FORMAT "%s, %" G_GINT64_FORMAT " images",
                          l->network, l->kernel, l->kernel, l->in, l->out, l->size, l->stride == 2 ? " /2" : "",
                          l->images);
}

int
main (int argc, char **argv)
{
  if (argc > 2) {
    fprintf (stderr, "usage: bench-kernels [WORD]\n");
    return 2;
  }
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  double rates[G_N_ELEMENTS (layers)][N_DIRECTIONS] = { 0 };
  measure_peak ();
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autofree char *name = describe (&layers[i]);
    for (Direction d = 0; d < N_DIRECTIONS && (argc == 1 || strstr (name, argv[1]) != NULL); d++)
      rates[i][d] = (layers[i].kernel == 0 ? matmul_rate : conv2d_rate) (&layers[i], d, compute);
    measure_peak ();
  }
  printf ("%s; one thread; peak %.1f GFLOP/s\n", lb_arithmetic_description (), peak);
  printf ("%-40s %16s %16s %16s\n", "GFLOP/s and share of the peak", "forward", "by input", "by weight");
  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autofree char *name = describe (&layers[i]);
    if (rates[i][FORWARD] == 0)
      continue;
    printf ("%-40s", name);
    for (Direction d = 0; d < N_DIRECTIONS; d++)
      printf (" %8.1f  %4.0f %%", rates[i][d], 100 * rates[i][d] / peak);
    printf ("\n");
  }
  return 0;
}
