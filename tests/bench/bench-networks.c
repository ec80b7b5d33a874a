/* Limbeck's side of tests/bench/compare: one workload, measured when asked.
 *
 *   bench-networks WORKLOAD THREADS [fast]
 *
 *   train        forward and backward of ConvNet-D3, 256 images, gradients of all parameters
 *   match-IPC    the matching step of one class: ConvNet-D3, 256 real images and IPC synthetic ones
 *   epoch        ConvNet-D3 trained on 60,000 images in batches of 256 by SGD with momentum
 *   another      the name of an architecture: forward and backward of 64 images
 *
 * Images are grey, 28 x 28; inputs are those of tests/golden. answer.h says how it is asked. With "fast" the programs
 * run without exact numerics (fast-kernels.h).
 */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/answer.h"
#include "bench/fast-kernels.h"
#include "golden/networks.h"

#define CLASSES     10
#define BATCH       256 /* of training and of real images */
#define SMALL_BATCH 64  /* of other architectures */
#define EPOCH       60000

/* The loss of a batch and its gradients: of all parameters to train, of the weights (tensors of two dimensions and
 * more) to match, as the distance skips the others. */
typedef struct {
  LbGraph *graph;
  LbNode **parameters, *images, *targets, *loss, **gradients;
  guint n_gradients;
} Batch;

typedef struct {
  LbNetwork *network;
  LbTensor *parameters; /* f32 [p] */
  gboolean matching;
  Batch real, synthetic;
  LbProgram *first, *second; /* on the real batch; on the synthetic one when matching */
  LbNode *value;
  LbLearner *learner; /* of an epoch, with ... */
  LbLearningSet set;
  double loss; /* ... the mean of its last one */
} Workload;

static void
batch_build (Workload *w, Batch *batch, gint64 count)
{
  guint n = lb_network_n_trained_tensors (w->network);
  g_autofree LbNode **wanted = g_new (LbNode *, n);
  batch->graph = lb_graph_new (LB_F32);
  batch->images = lb_batch_input (batch->graph, "images", LB_SHAPE (count, 28, 28, 1));
  batch->targets = lb_batch_input (batch->graph, "targets", LB_SHAPE (count, CLASSES));
  batch->parameters = g_new (LbNode *, lb_network_n_tensors (w->network));
  batch->gradients = g_new (LbNode *, n);
  lb_network_inputs (w->network, batch->graph, "", batch->parameters);
  batch->loss = lb_cross_entropy (lb_network_apply (w->network, batch->parameters, batch->images), batch->targets);
  for (guint k = 0; k < n; k++)
    if (!w->matching || lb_network_tensor_shape (w->network, k).rank > 1)
      wanted[batch->n_gradients++] = batch->parameters[k];
  lb_gradients (batch->loss, wanted, batch->n_gradients, batch->gradients);
}

/* Labels are all of class 0 when matching, in turn when training. */
static void
batch_bind (Workload *w, Batch *batch, LbProgram *program, guint stream)
{
  g_autoptr (LbTensor) images = numbers (LB_F32, stream, lb_node_shape (batch->images), 0, 2);
  g_autoptr (LbTensor) targets = lb_tensor_new (LB_F32, lb_node_shape (batch->targets));
  for (gint64 i = 0; i < lb_tensor_dim (targets, 0); i++)
    set_element (targets, i * CLASSES + (w->matching ? 0 : i % CLASSES), 1);
  lb_program_bind (program, batch->images, images);
  lb_program_bind (program, batch->targets, targets);
  lb_network_bind (w->network, program, batch->parameters, w->parameters);
}

static void
batch_clear (Batch *batch)
{
  g_clear_pointer (&batch->graph, lb_graph_unref);
  g_clear_pointer (&batch->parameters, g_free);
  g_clear_pointer (&batch->gradients, g_free);
}

/* Distance "ours" of gradient matching between two gradients of one layer's weight. */
static LbNode *
layer_distance (LbNode *a, LbNode *b)
{
  gint64 rows = lb_node_dim (a, 0);
  LbShape matrix = LB_SHAPE (rows, lb_shape_size (lb_node_shape (a)) / rows), column = LB_SHAPE (rows, 1);
  a = lb_reshape (a, matrix);
  b = lb_reshape (b, matrix);
  LbNode *norms = lb_mul (lb_sqrt (lb_sum_to (lb_mul (a, a), column)), lb_sqrt (lb_sum_to (lb_mul (b, b), column)));
  LbNode *cosine = lb_div (lb_sum_to (lb_mul (a, b), column), lb_affine (norms, 1, 1e-6));
  return lb_sum (lb_affine (cosine, -1, 1));
}

/* The loss, or the gradients alone that the second program reads. */
static gboolean
build_first (Workload *w, GError **error)
{
  guint n = w->real.n_gradients;
  g_autofree LbNode **outputs = g_new (LbNode *, n + 1);
  memcpy (outputs, w->real.gradients, n * sizeof *outputs);
  if (!w->matching)
    outputs[n++] = w->value = w->real.loss;
  w->first = lb_compile (w->real.graph, outputs, n, error);
  if (w->first == NULL)
    return FALSE;
  batch_bind (w, &w->real, w->first, REAL);
  return TRUE;
}

/* The distance to the gradients of the first program, and its gradient with respect to the synthetic images. */
static gboolean
build_second (Workload *w, GError **error)
{
  LbNode *outputs[2];
  guint n = w->synthetic.n_gradients;
  g_autofree LbNode **given = g_new (LbNode *, n);
  w->value = lb_constant (w->synthetic.graph, 0, LB_SCALAR);
  for (guint k = 0; k < n; k++) {
    given[k] = lb_input (w->synthetic.graph, "given", lb_node_shape (w->real.gradients[k]));
    w->value = lb_add (w->value, layer_distance (given[k], w->synthetic.gradients[k]));
  }
  outputs[0] = w->value;
  lb_gradients (w->value, &w->synthetic.images, 1, &outputs[1]);
  w->second = lb_compile (w->synthetic.graph, outputs, 2, error);
  if (w->second == NULL)
    return FALSE;
  batch_bind (w, &w->synthetic, w->second, SYNTHETIC);
  for (guint k = 0; k < n; k++)
    lb_program_bind (w->second, given[k], lb_program_result (w->first, w->real.gradients[k]));
  return TRUE;
}

static gboolean
build_epoch (Workload *w, GError **error)
{
  LbLearnerSettings settings = { .batch = BATCH, .momentum = 0.9 };
  g_autoptr (LbTensor) values = numbers (LB_F32, REAL, LB_SHAPE (EPOCH, 1, 28, 28), 0.5, 0.5);
  w->set.images = lb_tensor_new (LB_U8, lb_tensor_shape (values));
  for (gint64 i = 0; i < lb_tensor_size (values); i++)
    lb_tensor_u8 (w->set.images)[i] = (guint8)lrintf (255 * lb_tensor_f32 (values)[i]);
  w->set.labels = lb_tensor_new (LB_I32, LB_SHAPE (EPOCH));
  /* Normalised they are in [-2, 2], as the other side's. */
  w->set.mean = numbers (LB_F32, 0, LB_SHAPE (1), 0.5, 0);
  w->set.std = numbers (LB_F32, 0, LB_SHAPE (1), 0.25, 0);
  for (gint64 i = 0; i < EPOCH; i++)
    lb_tensor_i32 (w->set.labels)[i] = (gint32)(i % CLASSES);
  w->learner = lb_learner_new (w->network, EPOCH, &settings, error);
  if (w->learner != NULL)
    lb_learner_start (w->learner, w->parameters, 0.01);
  return w->learner != NULL;
}

static gboolean
build (Workload *w, const char *name, GError **error)
{
  guint ipc = g_str_has_prefix (name, "match-") ? atoi (name + strlen ("match-")) : 0;
  gboolean epoch = g_str_equal (name, "epoch"), convnet = epoch || ipc > 0 || g_str_equal (name, "train");
  w->matching = ipc > 0;
  w->network = lb_network_new (convnet ? "convnet-d3" : name, (LbImageSize){ 1, 28, 28 }, CLASSES, error);
  if (w->network == NULL)
    return FALSE;
  w->parameters = network_parameters (w->network);
  if (epoch)
    return build_epoch (w, error);
  batch_build (w, &w->real, convnet ? BATCH : SMALL_BATCH);
  if (!build_first (w, error))
    return FALSE;
  if (!w->matching)
    return TRUE;
  batch_build (w, &w->synthetic, ipc);
  return build_second (w, error);
}

static void
run_epoch (Workload *w, LbCompute *compute)
{
  double loss, sum = 0;
  guint n = 0;
  lb_learner_begin_epoch (w->learner, &w->set, lb_key_index (lb_key (1), lb_learner_epochs (w->learner)));
  for (; lb_learner_step (w->learner, compute, &loss); n++)
    sum += loss;
  w->loss = sum / n;
}

static void
workload_clear (Workload *w)
{
  g_clear_pointer (&w->second, lb_program_free);
  g_clear_pointer (&w->first, lb_program_free);
  g_clear_pointer (&w->learner, lb_learner_free);
  batch_clear (&w->real);
  batch_clear (&w->synthetic);
  g_clear_pointer (&w->set.images, lb_tensor_unref);
  g_clear_pointer (&w->set.labels, lb_tensor_unref);
  g_clear_pointer (&w->set.mean, lb_tensor_unref);
  g_clear_pointer (&w->set.std, lb_tensor_unref);
  g_clear_pointer (&w->parameters, lb_tensor_unref);
  g_clear_pointer (&w->network, lb_network_free);
}

/* FALSE where the programs cannot run without exact numerics. */
static gboolean
make_fast (Workload *w)
{
  const LbKernelSet *kernels = fast_kernels ();
  if (kernels == NULL || w->learner != NULL)
    return FALSE;
  lb_program_use_kernels (w->first, kernels);
  if (w->matching)
    lb_program_use_kernels (w->second, kernels);
  return TRUE;
}

static LbCompute *used;

static void
run_once (gpointer data)
{
  Workload *w = data;

  if (w->learner != NULL)
    run_epoch (w, used);
  else
    lb_program_run (w->first, used);
  if (w->matching)
    lb_program_run (w->second, used);
}

int
main (int argc, char **argv)
{
  gboolean fast = argc == 4 && g_str_equal (argv[3], "fast");
  if (argc != 3 && !fast) {
    fprintf (stderr, "usage: bench-networks train|match-IPC|epoch|ARCHITECTURE THREADS [fast]\n");
    return 2;
  }
  /* As the command sets it. */
  mallopt (M_MMAP_THRESHOLD, 1 << 20);
  g_autoptr (GError) error = NULL;
  Workload w = { NULL };
  if (!build (&w, argv[1], &error)) {
    fprintf (stderr, "bench-networks: %s\n", error->message);
    return 1;
  }
  if (fast && !make_fast (&w)) {
    fprintf (stderr,
             "bench-networks: only programs, not an epoch, and processors with AVX2 can do without exact numerics\n");
    return 1;
  }
  g_autoptr (LbPool) pool = lb_pool_new (atoi (argv[2]));
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  used = compute;
  answer_requests (run_once, &w);
  answer_end (w.learner != NULL ? w.loss : lb_program_scalar (w.matching ? w.second : w.first, w.value),
              lb_compute_flops (compute));
  workload_clear (&w);
  return 0;
}
