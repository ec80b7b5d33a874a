/* Running a network forward over a set: one program for full batches, one for the last, smaller one. */
#include "nn/predictor.h"

#include "nn/images.h"
#include "nn/views.h"

#define BATCH 256

typedef struct {
  gint64 batch;
  LbProgram *program;
  LbNode **parameters, *probabilities, *log_probabilities, *features; /* features, or the other two */
  LbTensor *images, *where;                                           /* where NULL for whole images */
} Part;

/* What is predicted. */
typedef struct {
  gboolean cut, features;
  double temperature;
} Wish;

struct _LbPredictor {
  const LbNetwork *network;
  gint64 n;
  Part *full, *rest;
  const Part *last; /* run */
};

static void
part_free (Part *part)
{
  if (!part)
    return;
  lb_program_free (part->program);
  g_free (part->parameters);
  g_clear_pointer (&part->images, lb_tensor_unref);
  g_clear_pointer (&part->where, lb_tensor_unref);
  g_free (part);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Part, part_free)

static Part *
part_new (const LbNetwork *network, gint64 batch, const Wish *wish, GError **error)
{
  g_autoptr (Part) part = g_new0 (Part, 1);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbImageSize size = lb_network_input (network);
  LbShape shape = LB_SHAPE (batch, size.height, size.width, size.channels);
  LbNode *images = lb_batch_input (graph, "images", shape), *where = NULL, *x = images;

  part->batch = batch;
  part->parameters = g_new0 (LbNode *, lb_network_n_tensors (network));
  lb_network_inputs (network, graph, "", part->parameters);
  if (wish->cut) {
    where = lb_batch_input (graph, "where", LB_SHAPE (batch, 10));
    x = lb_bilinear (images, where, size.height, size.width, LB_BORDER_CLAMP);
  }
  if (wish->features) {
    part->features = lb_network_features (network, part->parameters, x);
    part->program = lb_compile (graph, &part->features, 1, error);
  } else {
    part->log_probabilities
        = lb_log_softmax (lb_scale (lb_network_apply (network, part->parameters, x), 1 / wish->temperature));
    part->probabilities = lb_exp (part->log_probabilities);
    part->program = lb_compile (graph, (LbNode *[]){ part->log_probabilities, part->probabilities }, 2, error);
  }
  if (!part->program)
    return NULL;
  part->images = lb_tensor_new (LB_F32, shape);
  lb_program_bind (part->program, images, part->images);
  if (wish->cut) {
    part->where = lb_tensor_new (LB_F32, LB_SHAPE (batch, 10));
    lb_program_bind (part->program, where, part->where);
  }
  return g_steal_pointer (&part);
}

static LbPredictor *
predictor_new (const LbNetwork *network, gint64 n, const Wish *wish, GError **error)
{
  g_autoptr (LbPredictor) predictor = g_new0 (LbPredictor, 1);

  predictor->network = network;
  predictor->n = n;
  if ((n >= BATCH && !(predictor->full = part_new (network, BATCH, wish, error)))
      || (n % BATCH && !(predictor->rest = part_new (network, n % BATCH, wish, error))))
    return NULL;
  return g_steal_pointer (&predictor);
}

LbPredictor *
lb_predictor_new (const LbNetwork *network, gint64 n, gboolean cut, double temperature, GError **error)
{
  return predictor_new (network, n, &(Wish){ .cut = cut, .temperature = temperature }, error);
}

LbPredictor *
lb_predictor_new_features (const LbNetwork *network, gint64 n, GError **error)
{
  return predictor_new (network, n, &(Wish){ .features = TRUE }, error);
}

void
lb_predictor_free (LbPredictor *predictor)
{
  if (!predictor)
    return;
  part_free (predictor->full);
  part_free (predictor->rest);
  g_free (predictor);
}

double
lb_predictor_flops (const LbPredictor *predictor)
{
  return (predictor->full ? (double)(predictor->n / BATCH) * lb_program_flops (predictor->full->program) : 0)
         + (predictor->rest ? lb_program_flops (predictor->rest->program) : 0);
}

static gsize
part_bytes (const Part *part, guint threads)
{
  return part ? lb_program_peak_bytes (part->program, threads) + lb_tensor_bytes (part->images)
                    + (part->where ? lb_tensor_bytes (part->where) : 0)
              : 0;
}

gsize
lb_predictor_peak_bytes (const LbPredictor *predictor, guint threads)
{
  return part_bytes (predictor->full, threads) + part_bytes (predictor->rest, threads);
}

void
lb_predictor_set_parameters (LbPredictor *predictor, LbTensor *parameters)
{
  if (predictor->full)
    lb_network_bind (predictor->network, predictor->full->program, predictor->full->parameters, parameters);
  if (predictor->rest)
    lb_network_bind (predictor->network, predictor->rest->program, predictor->rest->parameters, parameters);
}

gint64
lb_predictor_run (LbPredictor *predictor, LbCompute *compute, LbTensor *images, LbTensor *mean, LbTensor *std,
                  LbTensor *windows, gint64 first)
{
  const Part *part = predictor->n - first >= BATCH ? predictor->full : predictor->rest;
  gint64 views = windows ? lb_tensor_dim (windows, 0) : 1;
  g_autofree guint32 *indices = g_new (guint32, part->batch);

  g_assert ((windows != NULL) == (part->where != NULL) && first + part->batch <= predictor->n);
  for (gint64 i = 0; i < part->batch; i++) {
    indices[i] = (guint32)((first + i) / views);
    if (windows)
      lb_window_sampling (lb_tensor_f32 (windows) + 4 * ((first + i) % views), lb_tensor_dim (images, 2),
                          lb_tensor_dim (images, 3), lb_tensor_f32 (part->where) + 10 * i);
  }
  lb_images_load (images, indices, part->batch, mean, std, part->images);
  lb_program_run (part->program, compute);
  predictor->last = part;
  return part->batch;
}

const float *
lb_predictor_probabilities (const LbPredictor *predictor)
{
  return lb_tensor_f32 (lb_program_result (predictor->last->program, predictor->last->probabilities));
}

const float *
lb_predictor_log_probabilities (const LbPredictor *predictor)
{
  return lb_tensor_f32 (lb_program_result (predictor->last->program, predictor->last->log_probabilities));
}

const float *
lb_predictor_features (const LbPredictor *predictor)
{
  return lb_tensor_f32 (lb_program_result (predictor->last->program, predictor->last->features));
}

gint64
lb_predictor_n_features (const LbPredictor *predictor)
{
  return lb_node_dim ((predictor->full ? predictor->full : predictor->rest)->features, 1);
}
