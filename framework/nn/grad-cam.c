/* Grad-CAM: one program that answers, differentiates the score that is asked for by the feature maps, and weighs them.
 */
#include "nn/grad-cam.h"

#include <string.h>

#include "base/error.h"

struct _LbGradCam {
  const LbNetwork *network;
  LbNode *images, *chosen, **parameters, *heat, *probabilities;
  LbTensor *one_hot; /* f32 [n, classes]: the classes that are asked for */
  LbProgram *program;
};

/* @maps, or their gradients, as [n, places, features], without tokens that are no places. */
static LbNode *
places_of (LbNode *maps, gint64 places)
{
  LbShape shape = lb_node_shape (maps);
  gint64 features = shape.dim[shape.rank - 1], rows = lb_shape_size (shape) / (shape.dim[0] * features);
  LbNode *tokens = lb_reshape (maps, LB_SHAPE (shape.dim[0], rows, features));

  return rows == places ? tokens : lb_slice (tokens, 1, rows - places, places);
}

/* heat [n, height, width]. Each image's score depends on its own maps alone, so the sum of scores has all gradients. */
static LbNode *
weigh (LbNode *scores, LbNode *chosen, const LbFeatureMaps *maps)
{
  LbNode *gradient, *places, *slopes, *weights;
  gint64 n = lb_node_dim (scores, 0), count = maps->height * maps->width;

  lb_gradients (lb_sum (lb_mul (scores, chosen)), &maps->node, 1, &gradient);
  places = places_of (maps->node, count);
  slopes = places_of (gradient, count);
  weights = lb_scale (lb_sum_to (slopes, LB_SHAPE (n, 1, lb_node_dim (slopes, 2))), 1.0 / (double)count);
  return lb_reshape (lb_relu (lb_sum_to (lb_mul (places, weights), LB_SHAPE (n, count, 1))),
                     LB_SHAPE (n, maps->height, maps->width));
}

LbGradCam *
lb_grad_cam_new (const LbNetwork *network, gint64 n, GError **error)
{
  g_autoptr (LbGradCam) cam = g_new0 (LbGradCam, 1);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbImageSize size = lb_network_input (network);
  LbFeatureMaps maps;
  LbNode *scores;

  cam->network = network;
  cam->parameters = g_new0 (LbNode *, lb_network_n_tensors (network));
  lb_network_inputs (network, graph, "", cam->parameters);
  cam->images = lb_batch_input (graph, "images", LB_SHAPE (n, size.height, size.width, size.channels));
  cam->chosen = lb_batch_input (graph, "chosen", LB_SHAPE (n, lb_network_classes (network)));
  scores = lb_network_apply_maps (network, cam->parameters, cam->images, &maps);
  if (!maps.node) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "architecture '%s' has no feature maps that Grad-CAM could weigh: it has no convolution, and names "
                 "none with lb_builder_set_maps(); choose models of another architecture",
                 lb_network_architecture (network));
    return NULL;
  }
  cam->heat = weigh (scores, cam->chosen, &maps);
  cam->probabilities = lb_exp (lb_log_softmax (scores));
  cam->program = lb_compile (graph, (LbNode *[]){ cam->heat, cam->probabilities }, 2, error);
  if (!cam->program)
    return NULL;
  cam->one_hot = lb_tensor_new (LB_F32, lb_node_shape (cam->chosen));
  lb_program_bind (cam->program, cam->chosen, cam->one_hot);
  return g_steal_pointer (&cam);
}

void
lb_grad_cam_free (LbGradCam *cam)
{
  if (!cam)
    return;
  lb_program_free (cam->program);
  g_clear_pointer (&cam->one_hot, lb_tensor_unref);
  g_free (cam->parameters);
  g_free (cam);
}

gint64
lb_grad_cam_height (const LbGradCam *cam)
{
  return lb_node_dim (cam->heat, 1);
}

gint64
lb_grad_cam_width (const LbGradCam *cam)
{
  return lb_node_dim (cam->heat, 2);
}

double
lb_grad_cam_flops (const LbGradCam *cam)
{
  return lb_program_flops (cam->program);
}

gsize
lb_grad_cam_peak_bytes (const LbGradCam *cam, guint threads)
{
  return lb_program_peak_bytes (cam->program, threads) + lb_tensor_bytes (cam->one_hot);
}

void
lb_grad_cam_run (LbGradCam *cam, LbCompute *compute, LbTensor *parameters, LbTensor *images, LbTensor *classes)
{
  gint64 n = lb_tensor_dim (cam->one_hot, 0), n_classes = lb_tensor_dim (cam->one_hot, 1);

  g_assert (lb_tensor_size (classes) == n);
  memset (lb_tensor_data (cam->one_hot), 0, lb_tensor_bytes (cam->one_hot));
  for (gint64 i = 0; i < n; i++) {
    g_assert (lb_tensor_i32 (classes)[i] >= 0 && lb_tensor_i32 (classes)[i] < n_classes);
    lb_tensor_f32 (cam->one_hot)[i * n_classes + lb_tensor_i32 (classes)[i]] = 1;
  }
  lb_program_bind (cam->program, cam->images, images);
  lb_network_bind (cam->network, cam->program, cam->parameters, parameters);
  lb_program_run (cam->program, compute);
}

LbTensor *
lb_grad_cam_heat (const LbGradCam *cam)
{
  return lb_program_result (cam->program, cam->heat);
}

LbTensor *
lb_grad_cam_probabilities (const LbGradCam *cam)
{
  return lb_program_result (cam->program, cam->probabilities);
}
