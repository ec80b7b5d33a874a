/* The inner loop and its gradient. */
#include "trajectory-matching.h"

#include <string.h>

static void
inner_step_clear (InnerStep *step)
{
  g_clear_pointer (&step->program, lb_program_free);
  g_clear_pointer (&step->augmenter, lb_augmenter_free);
  g_clear_pointer (&step->graph, lb_graph_unref);
  g_clear_pointer (&step->parameters, g_free);
  g_clear_pointer (&step->gradients, g_free);
}

static void
inner_step_build (InnerStep *step, const Unroll *unroll, const LbAugmentation *augmentation)
{
  LbImageSize s = lb_network_input (unroll->network);
  guint n_tensors = lb_network_n_tensors (unroll->network);
  LbNode *scores, *targets;

  step->graph = lb_graph_new (unroll->dtype);
  step->parameters = g_new0 (LbNode *, n_tensors);
  step->gradients = g_new0 (LbNode *, n_tensors);
  step->images = lb_batch_input (step->graph, "images", LB_SHAPE (unroll->batch, s.height, s.width, s.channels));
  step->labels = lb_batch_input (step->graph, "labels", LB_SHAPE (unroll->batch, lb_network_classes (unroll->network)));
  step->rate = lb_input (step->graph, "rate", LB_SCALAR);
  lb_network_inputs (unroll->network, step->graph, "", step->parameters);
  scores
      = lb_network_apply (unroll->network, step->parameters, lb_augment (step->images, augmentation, &step->augmenter));
  targets = unroll->soft ? lb_softmax (step->labels) : step->labels;
  step->loss = lb_cross_entropy (scores, targets);
  lb_gradients (step->loss, step->parameters, n_tensors, step->gradients);
}

/* <a, b> over @n tensors. */
static LbNode *
inner_product (LbNode *const *a, LbNode *const *b, guint n)
{
  LbNode *total = lb_sum (lb_mul (a[0], b[0]));

  for (guint i = 1; i < n; i++)
    total = lb_add (total, lb_sum (lb_mul (a[i], b[i])));
  return total;
}

static gboolean
build_forward (Unroll *unroll, const LbAugmentation *augmentation, GError **error)
{
  InnerStep *step = &unroll->forward;
  guint n = lb_network_n_tensors (unroll->network);
  g_autofree LbNode **outputs = g_new0 (LbNode *, n + 1);
  LbNode **moved = outputs + 1;

  inner_step_build (step, unroll, augmentation);
  outputs[0] = step->loss;
  lb_sgd_step (step->parameters, step->gradients, NULL, n, step->rate, 0, 0, moved, NULL);
  if (!(step->program = lb_compile (step->graph, outputs, n + 1, error)))
    return FALSE;
  for (guint i = 0; i < n; i++)
    lb_program_carry (step->program, moved[i], step->parameters[i]);
  return TRUE;
}

static gboolean
build_backward (Unroll *unroll, const LbAugmentation *augmentation, GError **error)
{
  InnerStep *step = &unroll->backward;
  guint n = lb_network_n_tensors (unroll->network), n_wrt = 0, n_outputs = 0;
  g_autofree LbNode **wrt = g_new0 (LbNode *, n + 2), **gradients = g_new0 (LbNode *, n + 2),
                    **carried = g_new0 (LbNode *, n), **outputs = g_new0 (LbNode *, n + 3);

  inner_step_build (step, unroll, augmentation);
  unroll->lambda = g_new0 (LbNode *, n);
  lb_network_inputs (unroll->network, step->graph, "lambda ", unroll->lambda);
  unroll->product = inner_product (unroll->lambda, step->gradients, n);
  wrt[n_wrt++] = step->images;
  if (unroll->soft)
    wrt[n_wrt++] = step->labels;
  for (guint i = 0; i < n && !unroll->detached; i++)
    wrt[n_wrt++] = step->parameters[i];
  lb_gradients (unroll->product, wrt, n_wrt, gradients);
  outputs[n_outputs++] = unroll->product;
  outputs[n_outputs++] = unroll->by_images = gradients[0];
  if (unroll->soft)
    outputs[n_outputs++] = unroll->by_labels = gradients[1];
  if (!unroll->detached) {
    lb_sgd_step (unroll->lambda, gradients + (unroll->soft ? 2 : 1), NULL, n, step->rate, 0, 0, carried, NULL);
    for (guint i = 0; i < n; i++)
      outputs[n_outputs++] = carried[i];
  }
  if (!(step->program = lb_compile (step->graph, outputs, n_outputs, error)))
    return FALSE;
  for (guint i = 0; i < n && !unroll->detached; i++)
    lb_program_carry (step->program, carried[i], unroll->lambda[i]);
  return TRUE;
}

gboolean
unroll_build (Unroll *unroll, const LbNetwork *network, const TrajectoryMatching *self, LbDType dtype, GError **error)
{
  LbAugmentation augmentation;

  unroll->network = network;
  unroll->dtype = dtype;
  unroll->n = self->images_per_class * lb_network_classes (network);
  unroll->batch = self->synthetic_batch ? MIN (self->synthetic_batch, unroll->n) : unroll->n;
  unroll->steps = self->inner_steps;
  unroll->soft = self->learn_labels;
  unroll->detached = g_str_equal (self->gradient, "detached");
  if (lb_network_n_trained (network) != lb_network_n_parameters (network)) {
    g_set_error (
        error, LB_ERROR, LB_ERROR_PIPELINE,
        "input 'experts': architecture '%s' has running statistics, which no gradient reaches; expected experts "
        "with another norm, such as norm=instance",
        lb_network_architecture (network));
    return FALSE;
  }
  return lb_augmentation_parse (self->augmentation, &augmentation, error)
         && build_forward (unroll, &augmentation, error) && build_backward (unroll, &augmentation, error);
}

static void
inner_step_bind (InnerStep *step, const Unroll *unroll)
{
  lb_program_bind (step->program, step->images, unroll->batch_images);
  lb_program_bind (step->program, step->labels, unroll->batch_labels);
  lb_program_bind (step->program, step->rate, unroll->rate_value);
  lb_network_bind (unroll->network, step->program, step->parameters, unroll->theta);
  lb_augmenter_bind (step->augmenter, step->program);
}

gboolean
unroll_bind (Unroll *unroll, const char *directory, GError **error)
{
  LbShape flat = LB_SHAPE (lb_network_n_parameters (unroll->network));
  LbDType dtype = unroll->dtype;

  unroll->batch_images = lb_tensor_new (dtype, lb_node_shape (unroll->forward.images));
  unroll->batch_labels = lb_tensor_new (dtype, lb_node_shape (unroll->forward.labels));
  unroll->rate_value = lb_tensor_new (dtype, LB_SCALAR);
  unroll->theta = lb_tensor_new (dtype, flat);
  unroll->adjoint = lb_tensor_new (dtype, flat);
  unroll->order = g_new (guint32, unroll->steps * unroll->batch);
  unroll->permutation = g_new (guint32, unroll->n);
  inner_step_bind (&unroll->forward, unroll);
  inner_step_bind (&unroll->backward, unroll);
  lb_network_bind (unroll->network, unroll->backward.program, unroll->lambda, unroll->adjoint);
  unroll->tape = lb_scratch_new (directory, lb_tensor_bytes (unroll->theta), error);
  return unroll->tape != NULL;
}

/* Batches follow each other through a permutation of all images, and through another when it does not fill a batch. */
void
unroll_draw (Unroll *unroll, LbKey key)
{
  LbRandom random = lb_random (key);
  gint64 at = unroll->n;

  for (gint64 step = 0; step < unroll->steps; step++, at += unroll->batch) {
    if (at + unroll->batch > unroll->n) {
      lb_random_permutation (&random, unroll->permutation, (gsize)unroll->n);
      at = 0;
    }
    memcpy (unroll->order + step * unroll->batch, unroll->permutation + at, (gsize)unroll->batch * sizeof (guint32));
  }
}

/* Rows @order[0 .. n) of @all, in this order, to @rows. */
static void
gather (LbTensor *all, const guint32 *order, LbTensor *rows)
{
  gint64 n = lb_tensor_dim (rows, 0);
  gsize bytes = lb_tensor_bytes (rows) / (gsize)n;

  for (gint64 i = 0; i < n; i++)
    memcpy ((char *)lb_tensor_data (rows) + (gsize)i * bytes, (char *)lb_tensor_data (all) + order[i] * bytes, bytes);
}

/* The other way: row @order[i] of @all -= rate row i of @rows. */
static void
scatter_sub (const LbTensor *rows, double rate, const guint32 *order, LbTensor *all)
{
  gint64 n = lb_tensor_dim (rows, 0), length = lb_tensor_size (rows) / n;

  for (gint64 i = 0; i < n; i++)
    for (gint64 k = 0; k < length; k++) {
      gsize to = (gsize)(order[i] * length + k), from = (gsize)(i * length + k);

      if (lb_tensor_dtype (all) == LB_F64)
        lb_tensor_f64 (all)[to] -= rate * lb_tensor_f64 (rows)[from];
      else
        lb_tensor_f32 (all)[to] -= (float)rate * lb_tensor_f32 (rows)[from];
    }
}

/* What step @k reads, for @step's program. */
static void
set_step (Unroll *unroll, InnerStep *step, gint64 k, const Synthetic *synthetic, double rate, LbKey key)
{
  const guint32 *order = unroll->order + k * unroll->batch;

  gather (synthetic->images, order, unroll->batch_images);
  gather (synthetic->labels, order, unroll->batch_labels);
  if (lb_tensor_dtype (unroll->rate_value) == LB_F64)
    lb_tensor_f64 (unroll->rate_value)[0] = rate;
  else
    lb_tensor_f32 (unroll->rate_value)[0] = (float)rate;
  lb_augmenter_draw (step->augmenter, FALSE, lb_key_index (key, (guint64)k));
}

gboolean
unroll_forward (Unroll *unroll, gint64 step, const Synthetic *synthetic, double rate, double *loss, LbKey key,
                LbCompute *compute, GError **error)
{
  if (!lb_scratch_write (unroll->tape, (guint64)step, lb_tensor_data (unroll->theta), error))
    return FALSE;
  set_step (unroll, &unroll->forward, step, synthetic, rate, key);
  lb_program_run (unroll->forward.program, compute);
  *loss = lb_program_scalar (unroll->forward.program, unroll->forward.loss);
  return TRUE;
}

gboolean
unroll_backward (Unroll *unroll, gint64 step, const Synthetic *synthetic, const Synthetic *gradient, double rate,
                 double *by_rate, LbKey key, LbCompute *compute, GError **error)
{
  LbProgram *program = unroll->backward.program;
  const guint32 *order = unroll->order + step * unroll->batch;

  if (!lb_scratch_read (unroll->tape, (guint64)step, lb_tensor_data (unroll->theta), error))
    return FALSE;
  set_step (unroll, &unroll->backward, step, synthetic, rate, key);
  lb_program_run (program, compute);
  *by_rate -= lb_program_scalar (program, unroll->product);
  scatter_sub (lb_program_result (program, unroll->by_images), rate, order, gradient->images);
  if (unroll->soft)
    scatter_sub (lb_program_result (program, unroll->by_labels), rate, order, gradient->labels);
  return TRUE;
}

double
unroll_flops (const Unroll *unroll)
{
  return (double)unroll->steps
         * (lb_program_flops (unroll->forward.program) + lb_program_flops (unroll->backward.program));
}

double
unroll_bytes (const Unroll *unroll, guint threads)
{
  double bound = (double)(lb_shape_size (lb_node_shape (unroll->forward.images))
                          + lb_shape_size (lb_node_shape (unroll->forward.labels))
                          + 2 * lb_network_n_parameters (unroll->network));

  return (double)lb_program_peak_bytes (unroll->forward.program, threads)
         + (double)lb_program_peak_bytes (unroll->backward.program, threads) + bound * sizeof (float)
         + (double)(unroll->steps * unroll->batch + unroll->n) * sizeof (guint32);
}

void
unroll_clear (Unroll *unroll)
{
  LbTensor **tensors[]
      = { &unroll->batch_images, &unroll->batch_labels, &unroll->rate_value, &unroll->theta, &unroll->adjoint };

  inner_step_clear (&unroll->forward);
  inner_step_clear (&unroll->backward);
  g_clear_pointer (&unroll->lambda, g_free);
  for (guint i = 0; i < G_N_ELEMENTS (tensors); i++)
    g_clear_pointer (tensors[i], lb_tensor_unref);
  g_clear_pointer (&unroll->tape, lb_scratch_free);
  g_clear_pointer (&unroll->order, g_free);
  g_clear_pointer (&unroll->permutation, g_free);
}
