/* The values that networks have in golden tests and benchmarks, each tensor by its role: see torch_networks.py. */
#pragma once

#include <string.h>

#include "golden/numbers.h"

/* Number streams of a network's first trained tensor and of its first running statistic. */
enum { NETWORK_TENSORS = 200, NETWORK_STATISTICS = 900 };

static inline double
network_weight_scale (LbShape shape)
{
  double fan_in = 1, scale = 1;
  for (guint i = 1; i < shape.rank; i++)
    fan_in *= shape.dim[i];
  while (scale * scale * fan_in > 12)
    scale /= 2;
  return scale;
}

static inline LbTensor *
network_tensor (const LbNetwork *network, LbDType dtype, guint k)
{
  const char *name = strrchr (lb_network_tensor_name (network, k), '.') + 1;
  LbShape shape = lb_network_tensor_shape (network, k);
  guint n_trained = lb_network_n_trained_tensors (network);
  gboolean is_one = g_str_equal (name, "scale") || g_str_equal (name, "variance");
  gboolean is_embedding = g_str_equal (name, "position") || g_str_equal (name, "class");
  guint stream = k < n_trained ? NETWORK_TENSORS + k : NETWORK_STATISTICS + k - n_trained;
  if (g_str_equal (name, "weight"))
    return numbers (dtype, stream, shape, 0, network_weight_scale (shape));
  return numbers (dtype, stream, shape, is_one ? 1 : 0, is_one ? 0.25 : is_embedding ? 1 : 0.125);
}

/* All of them as one f32 tensor [p]. */
static inline LbTensor *
network_parameters (const LbNetwork *network)
{
  LbTensor *flat = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (network)));
  float *to = lb_tensor_f32 (flat);
  for (guint k = 0; k < lb_network_n_tensors (network); k++) {
    g_autoptr (LbTensor) tensor = network_tensor (network, LB_F32, k);
    memcpy (to, lb_tensor_f32 (tensor), lb_tensor_bytes (tensor));
    to += lb_tensor_size (tensor);
  }
  return flat;
}
