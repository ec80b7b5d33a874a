/* What the tests of the distillers' golden values share (torch_methods.py says what they are of). */
#pragma once

#include <math.h>
#include <string.h>

#include "golden/numbers.h"

#define ARCHITECTURE "convnet-d3:activation=sigmoid"
#define CLASSES      10
#define CLASS        3
#define TOLERANCE    1e-4 /* of the largest golden value */

/* Augmentation of the golden values: the same for every image. */
static const LbAugmentParameters scaled = { .saturation = 1, .contrast = 1, .scale_x = 1.125, .scale_y = 0.875 };

/* All parameters of the network, f32 [p]; new. */
static inline LbTensor *
golden_parameters (const LbNetwork *network)
{
  LbTensor *flat = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (network)));
  gint64 first = 0;

  for (guint k = 0; k < lb_network_n_tensors (network); k++) {
    LbShape shape = lb_network_tensor_shape (network, k);
    gboolean is_trained = k < lb_network_n_trained_tensors (network);
    gboolean is_variance = g_str_has_suffix (lb_network_tensor_name (network, k), ".variance");
    /* Running statistics are those of the start. */
    g_autoptr (LbTensor) part
        = is_trained ? convnet_parameter (LB_F32, k, shape) : numbers (LB_F32, 0, shape, is_variance ? 1 : 0, 0);

    memcpy (lb_tensor_f32 (flat) + first, lb_tensor_f32 (part), lb_tensor_bytes (part));
    first += lb_tensor_size (part);
  }
  return flat;
}

static inline void
assert_golden (const char *name, const char *what, const float *found, gint64 count)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) all
      = lb_npz_read (g_test_get_filename (G_TEST_DIST, "golden", "methods.npz", NULL), 1 << 20, &error);
  g_autofree char *wanted = g_strdup_printf ("%s_%s", name, what);
  const double *golden = NULL;
  double largest = 0;

  g_assert_no_error (error);
  for (guint i = 0; i < all->len; i++) {
    LbNamedTensor *member = &g_array_index (all, LbNamedTensor, i);

    if (!g_str_equal (member->name, wanted))
      continue;
    g_assert_cmpint (lb_tensor_size (member->tensor), ==, count);
    golden = lb_tensor_f64 (member->tensor);
  }
  g_assert_nonnull (golden);
  for (gint64 i = 0; i < count; i++)
    largest = MAX (largest, fabs (golden[i]));
  for (gint64 i = 0; i < count; i++)
    if (!(fabs (found[i] - golden[i]) <= TOLERANCE * largest))
      g_error ("%s[%d] is %g, golden %g, largest %g", wanted, (int)i, found[i], golden[i], largest);
}
