/* Grad-CAM against golden values from PyTorch (torch_networks.py, which also says how inputs are made): heat maps and
 * probabilities of every family of architectures. They are computed in f32, PyTorch's in f64: a pre-activation near
 * zero may fall on the other side of a ReLU, so all are held to 1e-3 of the largest value.
 */
#include <math.h>

#include "golden/networks.h"

#define CLASSES      3
#define BATCH        2
#define GOLDEN_LIMIT (1 << 20)

typedef struct {
  const char *architecture;
  gint64 channels, size, side; /* of images, and of the heat map */
} Case;

static const Case cases[] = {
  { "convnet-d3", 1, 28, 8 }, { "convnet-d2:width=8:norm=group:activation=leaky-relu:pooling=max", 3, 8, 4 },
  { "alexnet", 1, 28, 8 },    { "vgg11", 3, 32, 2 },
  { "resnet18", 3, 32, 4 },   { "vit", 1, 28, 7 },
};

static void
assert_golden (const Case *c, const char *what, LbTensor *found)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) golden
      = lb_npz_read (g_test_get_filename (G_TEST_DIST, "golden", "grad-cam.npz", NULL), GOLDEN_LIMIT, &error);
  g_autofree char *name = g_strdup_printf ("%s_%d_%d__%s", c->architecture, (int)c->channels, (int)c->size, what);
  const double *expected = NULL;
  double largest = 0;

  g_assert_no_error (error);
  g_strdelimit (name, ":=", '_');
  for (guint i = 0; i < golden->len; i++) {
    const LbNamedTensor *named = &g_array_index (golden, LbNamedTensor, i);

    if (!g_str_equal (named->name, name))
      continue;
    g_assert_cmpint (lb_tensor_size (named->tensor), ==, lb_tensor_size (found));
    expected = lb_tensor_f64 (named->tensor);
  }
  g_assert_nonnull (expected);
  for (gint64 i = 0; i < lb_tensor_size (found); i++)
    largest = MAX (largest, expected[i]);
  for (gint64 i = 0; i < lb_tensor_size (found); i++)
    if (!(fabs (get_element (found, i) - expected[i]) <= 1e-3 * largest))
      g_error ("%s[%d] is %g, golden %g, largest %g", name, (int)i, get_element (found, i), expected[i], largest);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbNetwork) network
      = lb_network_new (c->architecture, (LbImageSize){ c->channels, c->size, c->size }, CLASSES, &error);
  g_autoptr (LbTensor) parameters = network_parameters (network);
  g_autoptr (LbTensor) images = numbers (LB_F32, IMAGES, LB_SHAPE (BATCH, c->size, c->size, c->channels), 0, 2);
  g_autoptr (LbTensor) labels = lb_tensor_new (LB_I32, LB_SHAPE (BATCH));
  g_autoptr (LbGradCam) cam = lb_grad_cam_new (network, BATCH, &error);

  g_assert_no_error (error);
  lb_tensor_i32 (labels)[0] = 1;
  g_assert_cmpint (lb_grad_cam_height (cam), ==, c->side);
  g_assert_cmpint (lb_grad_cam_width (cam), ==, c->side);
  lb_grad_cam_run (cam, compute, parameters, images, labels);
  assert_golden (c, "heat", lb_grad_cam_heat (cam));
  assert_golden (c, "probabilities", lb_grad_cam_probabilities (cam));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path
        = g_strdup_printf ("/grad-cam/%s-of-%d-pixels-is-that-of-pytorch", cases[i].architecture, (int)cases[i].size);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  return g_test_run ();
}
