/* The same bits: what programs compute, as SHA-256 digests, at 1, 2, 3, 4 and 8 threads, beside the digests of
 * tests/graph/digests. Those are the same for every set of kernels that fuses multiply-adds and for every compiler; the
 * baseline set, which cannot fuse, has its own.
 *
 *   test-digests --print           prints the lines of this process's kernels (tests/graph/renew-digests)
 */
#include "examples.h"

#include <stdio.h>
#include <string.h>

#include "golden/numbers.h"

static const guint thread_counts[] = { 1, 2, 3, 4, 8 };
static LbPool *pools[G_N_ELEMENTS (thread_counts)];

#define CLASSES   10
#define N_TENSORS 14 /* of ConvNet-D3 */

static const char *
kernel_family (void)
{
#ifdef __x86_64__
  if (strstr (lb_arithmetic_description (), "kernels baseline") != NULL)
    return "separate";
#endif
  return "fused";
}

static void
digest_tensor (GChecksum *checksum, LbTensor *tensor)
{
  g_checksum_update (checksum, lb_tensor_data (tensor), lb_tensor_bytes (tensor));
}

/* ---- Ops: value, gradients, gradients of these ---- */

static void
add_second_order (LbNode *loss, LbNode **wrt, guint n, LbNode **outputs)
{
  LbNode *combined = lb_constant (lb_node_graph (loss), 0, LB_SCALAR);
  lb_gradients (loss, wrt, n, outputs);
  for (guint i = 0; i < n; i++)
    combined = lb_add (combined, lb_sum (lb_mul (outputs[i], lb_tanh (outputs[i]))));
  lb_gradients (combined, wrt, n, outputs + n);
}

static void
digest_example (const Example *example, gboolean batch, LbPool *pool, GChecksum *checksum)
{
  LbNode *inputs[LB_MAX_INPUTS], *wrt[LB_MAX_INPUTS], *outputs[2 * LB_MAX_INPUTS + 1];
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  g_autoptr (GError) error = NULL;
  guint n = 0;
  for (guint i = 0; i < example->n_inputs; i++) {
    LbShape shape = example->shapes[i];
    gboolean cut = batch && shape.rank > 0 && shape.dim[0] == example->shapes[0].dim[0];
    inputs[i] = cut ? lb_batch_input (graph, "x", shape) : lb_input (graph, "x", shape);
    if (!example->fixed[i])
      wrt[n++] = inputs[i];
  }
  outputs[2 * n] = example->build (inputs);
  add_second_order (lb_sum (lb_mul (outputs[2 * n], lb_tanh (outputs[2 * n]))), wrt, n, outputs);
  g_autoptr (LbProgram) program = lb_compile (graph, outputs, 2 * n + 1, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < example->n_inputs; i++) {
    g_autoptr (LbTensor) values = example_values (example, i, LB_F32);
    lb_program_bind (program, inputs[i], values);
  }
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  for (guint i = 0; i < 2 * n + 1; i++)
    digest_tensor (checksum, lb_program_result (program, outputs[i]));
}

/* All examples of the op @data points to. */
static void
digest_op (gconstpointer data, LbPool *pool, GChecksum *checksum)
{
  for (guint i = 0; i < n_examples; i++)
    if (&lb_ops[examples[i].op] == data) {
      digest_example (&examples[i], FALSE, pool, checksum);
      digest_example (&examples[i], TRUE, pool, checksum);
    }
}

/* ---- Networks ---- */

static LbNode *
build_loss (LbNetwork *network, LbGraph *graph, gint64 count, LbNode **images, LbNode **targets, LbNode **parameters)
{
  LbImageSize size = lb_network_input (network);
  *images = lb_batch_input (graph, "images", LB_SHAPE (count, size.height, size.width, size.channels));
  *targets = lb_batch_input (graph, "targets", LB_SHAPE (count, CLASSES));
  lb_network_inputs (network, graph, "", parameters);
  return lb_cross_entropy (lb_network_apply (network, parameters, *images), *targets);
}

static void
bind_batch (LbProgram *program, LbNode *images, LbNode *targets, guint stream)
{
  g_autoptr (LbTensor) pixels = numbers (LB_F32, stream, lb_node_shape (images), 0, 2);
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_F32, lb_node_shape (targets));
  for (gint64 i = 0; i < lb_tensor_dim (labels, 0); i++)
    set_element (labels, i * CLASSES + i % CLASSES, 1);
  lb_program_bind (program, images, pixels);
  lb_program_bind (program, targets, labels);
}

/* Forward and backward: the loss and its gradients to all that is trained. */
static void
digest_network (gconstpointer name, LbPool *pool, GChecksum *checksum)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new (name, (LbImageSize){ 3, 32, 32 }, CLASSES, &error);
  g_assert_no_error (error);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  guint n = lb_network_n_trained_tensors (network);
  g_autofree LbNode **parameters = g_new (LbNode *, lb_network_n_tensors (network));
  g_autofree LbNode **outputs = g_new (LbNode *, n + 1);
  LbNode *images, *targets;
  outputs[n] = build_loss (network, graph, 6, &images, &targets, parameters);
  lb_gradients (outputs[n], parameters, n, outputs);
  g_autoptr (LbProgram) program = lb_compile (graph, outputs, n + 1, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) flat = lb_network_initialise (network, lb_key (1));
  lb_network_bind (network, program, parameters, flat);
  bind_batch (program, images, targets, REAL);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  digest_tensor (checksum, flat);
  for (guint i = 0; i <= n; i++)
    digest_tensor (checksum, lb_program_result (program, outputs[i]));
}

/* Distance of two gradients as gradient matching's "mse", and its gradient to the synthetic images. */
static void
digest_matching (gconstpointer name, LbPool *pool, GChecksum *checksum)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new (name, (LbImageSize){ 1, 28, 28 }, CLASSES, &error);
  g_assert_no_error (error);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  guint n = lb_network_n_trained_tensors (network);
  LbNode *images[2], *targets[2], *distance = lb_constant (graph, 0, LB_SCALAR), *outputs[2];
  g_autofree LbNode **parameters = g_new (LbNode *, lb_network_n_tensors (network));
  g_autofree LbNode **again = g_new (LbNode *, lb_network_n_tensors (network));
  g_autofree LbNode **real = g_new (LbNode *, n), **synthetic = g_new (LbNode *, n);
  lb_gradients (build_loss (network, graph, 21, &images[0], &targets[0], parameters), parameters, n, real);
  lb_gradients (build_loss (network, graph, 3, &images[1], &targets[1], again), again, n, synthetic);
  for (guint i = 0; i < n; i++) {
    LbNode *difference = lb_sub (real[i], synthetic[i]);
    distance = lb_add (distance, lb_sum (lb_mul (difference, difference)));
  }
  outputs[0] = distance;
  lb_gradients (distance, &images[1], 1, &outputs[1]);
  g_autoptr (LbProgram) program = lb_compile (graph, outputs, 2, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) flat = lb_network_initialise (network, lb_key (2));
  lb_network_bind (network, program, parameters, flat);
  lb_network_bind (network, program, again, flat);
  bind_batch (program, images[0], targets[0], REAL);
  bind_batch (program, images[1], targets[1], SYNTHETIC);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_program_run (program, compute);
  digest_tensor (checksum, lb_program_result (program, outputs[0]));
  digest_tensor (checksum, lb_program_result (program, outputs[1]));
}

/* Two epochs of training with augmentation, momentum and a cosine schedule. */
static void
digest_training (gconstpointer name, LbPool *pool, GChecksum *checksum)
{
  enum { IMAGES_OF_SET = 20 };
  g_autoptr (GError) error = NULL;
  LbLearnerSettings settings = { .batch = 8, .momentum = 0.9, .weight_decay = 5e-4 };
  settings.schedule = (LbSchedule){ .kind = LB_SCHEDULE_COSINE, .epochs = 2 };
  lb_augmentation_parse ("color_crop_cutout_flip_scale_rotate", &settings.augmentation, &error);
  g_assert_no_error (error);
  g_autoptr (LbNetwork) network = lb_network_new (name, (LbImageSize){ 3, 32, 32 }, CLASSES, &error);
  g_assert_no_error (error);
  g_autoptr (LbTensor) images = numbers (LB_F32, PICTURE, LB_SHAPE (IMAGES_OF_SET, 3, 32, 32), 0.5, 0.5);
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (IMAGES_OF_SET));
  for (gint64 i = 0; i < IMAGES_OF_SET; i++)
    lb_tensor_i32 (labels)[i] = (gint32)(i % CLASSES);
  g_autoptr (LbTensor) mean = numbers (LB_F32, 0, LB_SHAPE (3), 0.5, 0);
  g_autoptr (LbTensor) std = numbers (LB_F32, 0, LB_SHAPE (3), 0.25, 0);
  LbLearningSet set = { .images = images, .labels = labels, .mean = mean, .std = std };
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (3));
  g_autoptr (LbLearner) learner = lb_learner_new (network, IMAGES_OF_SET, &settings, &error);
  g_assert_no_error (error);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  lb_learner_start (learner, parameters, 0.01);
  for (guint64 epoch = 0; epoch < 2; epoch++) {
    double loss;
    lb_learner_begin_epoch (learner, &set, lb_key_index (lb_key (4), epoch));
    while (lb_learner_step (learner, compute, &loss))
      g_checksum_update (checksum, (const guchar *)&loss, sizeof loss);
  }
  digest_tensor (checksum, lb_learner_result (learner));
}

/* ---- Lines ---- */

typedef void (*Digest) (gconstpointer data, LbPool *pool, GChecksum *checksum);

typedef struct {
  char *name;
  Digest digest;
  gconstpointer data;
} Item;

static char *
item_digest (const Item *item, LbPool *pool)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  item->digest (item->data, pool, checksum);
  return g_strdup (g_checksum_get_string (checksum));
}

static void
test_threads (gconstpointer data)
{
  const Item *item = data;
  g_autofree char *alone = item_digest (item, pools[0]);
  for (guint i = 1; i < G_N_ELEMENTS (pools); i++) {
    g_autofree char *together = item_digest (item, pools[i]);
    g_assert_cmpstr (together, ==, alone);
  }
}

static void
test_committed (gconstpointer data)
{
  const Item *item = data;
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "graph", "digests", NULL), *text = NULL;
  g_autofree char *found = item_digest (item, pools[1]);
  g_autofree char *line = g_strdup_printf ("\n%s %s %s\n", kernel_family (), item->name, found);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  if (strstr (text, line) == NULL)
    g_error ("%s (kernels: %s) is %s; tests/graph/digests has no such line. If the arithmetic was meant to change, or "
             "this is new, write the file anew with tests/graph/renew-digests and commit it",
             item->name, kernel_family (), found);
}

static void
add (GArray *items, const char *kind, const char *name, Digest digest, gconstpointer data)
{
  Item item = { g_strdup_printf ("%s/%s", kind, name), digest, data };
  g_array_append_val (items, item);
}

static GArray *
make_items (void)
{
  static const char *const networks[] = { "convnet-d3", "convnet-d3:norm=none:pooling=max", "vgg11", "resnet18" };
  GArray *items = g_array_new (FALSE, FALSE, sizeof (Item));
  for (guint op = 0; op < LB_N_OPS; op++) {
    gboolean there = FALSE;
    for (guint i = 0; i < n_examples; i++)
      there |= examples[i].op == op;
    if (there)
      add (items, "op", lb_ops[op]->name, digest_op, &lb_ops[op]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++)
    add (items, "forward-backward", networks[i], digest_network, networks[i]);
  add (items, "matching", "convnet-d3", digest_matching, "convnet-d3");
  add (items, "training", "convnet-d3:width=32", digest_training, "convnet-d3:width=32");
  return items;
}

int
main (int argc, char **argv)
{
  gboolean print = argc == 2 && g_str_equal (argv[1], "--print");
  GArray *items = make_items ();
  for (guint i = 0; i < G_N_ELEMENTS (pools); i++)
    pools[i] = lb_pool_new (thread_counts[i]);
  if (!print)
    g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < items->len; i++) {
    const Item *item = &g_array_index (items, Item, i);
    if (print) {
      g_autofree char *digest = item_digest (item, pools[1]);
      printf ("%s %s %s\n", kernel_family (), item->name, digest);
      continue;
    }
    g_autofree char *threads = g_strdup_printf ("/digests/%s/same-at-any-number-of-threads", item->name);
    g_autofree char *committed = g_strdup_printf ("/digests/%s/as-committed", item->name);
    g_test_add_data_func (threads, item, test_threads);
    g_test_add_data_func (committed, item, test_committed);
  }
  int status = print ? 0 : g_test_run ();
  for (guint i = 0; i < G_N_ELEMENTS (pools); i++)
    lb_pool_free (pools[i]);
  for (guint i = 0; i < items->len; i++)
    g_free (g_array_index (items, Item, i).name);
  g_array_unref (items);
  return status;
}
