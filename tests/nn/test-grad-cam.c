/* Grad-CAM: what it is asked for decides, images do not see each other, networks without places are refused. Values are
 * compared with PyTorch's in golden/. */
#include "nn/toy.h"

/* Heat maps of the first @n toy images for class @class; f32 [n, 8, 8], new. */
static LbTensor *
heat_of (const LbNetwork *network, LbTensor *parameters, gint64 n, gint32 class)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, LB_SHAPE (n, 8, 8, 1));
  g_autoptr (LbTensor) classes = lb_tensor_new (LB_I32, LB_SHAPE (n));
  g_autoptr (LbGradCam) cam = lb_grad_cam_new (network, n, &error);
  g_auto (Toy) toy = toy_new (n, 1);

  g_assert_no_error (error);
  for (gint64 i = 0; i < n; i++)
    lb_tensor_i32 (classes)[i] = class;
  lb_images_load (toy.images, NULL, n, toy.mean, toy.std, images);
  lb_grad_cam_run (cam, compute, parameters, images, classes);
  return tensor_of (LB_SHAPE (n, lb_grad_cam_height (cam), lb_grad_cam_width (cam)),
                    lb_tensor_f32 (lb_grad_cam_heat (cam)));
}

/* A linear layer that takes channel 0 for class 0 and channel 1 for class 1 leaves as heat that channel alone. */
static void
test_shows_the_maps_that_speak_for_the_class (void)
{
  g_autoptr (LbNetwork) network
      = lb_network_new ("convnet-d1:width=2:norm=none:pooling=none", (LbImageSize){ 1, 8, 8 }, 2, NULL);
  g_autoptr (LbTensor) parameters = lb_tensor_new (LB_F32, LB_SHAPE (lb_network_n_parameters (network)));
  float *p = lb_tensor_f32 (parameters);
  g_auto (Toy) toy = toy_new (1, 1);

  /* Channel 0 is the image where it is bright, channel 1 its negative; their slopes are 1/64 everywhere. */
  p[4] = 1;
  p[9 + 4] = -1;
  for (gint64 place = 0; place < 64; place++) {
    p[20 + 2 * place] = 1.f / 64;
    p[20 + 128 + 2 * place + 1] = 1.f / 64;
  }
  g_autoptr (LbTensor) bright = heat_of (network, parameters, 1, 0), dark = heat_of (network, parameters, 1, 1);
  for (gint64 i = 0; i < 64; i++) {
    double value = (lb_tensor_u8 (toy.images)[i] / 255. - 0.4) / 0.3;

    CLOSE (lb_tensor_f32 (bright)[i], MAX (value, 0) / 64, 1e-6);
    CLOSE (lb_tensor_f32 (dark)[i], MAX (-value, 0) / 64, 1e-6);
  }
}

static void
test_images_do_not_see_each_other (void)
{
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d2:width=16", (LbImageSize){ 1, 8, 8 }, 2, NULL);
  g_autoptr (LbTensor) parameters = lb_network_initialise (network, lb_key (1));
  g_autoptr (LbTensor) one = heat_of (network, parameters, 1, 0), many = heat_of (network, parameters, 7, 0);

  for (gint64 i = 0; i < lb_tensor_size (one); i++)
    CLOSE (lb_tensor_f32 (one)[i], lb_tensor_f32 (many)[i], 1e-6);
}

static LbNode *
build_flat (LbBuilder *builder, LbNode *images)
{
  return lb_layer_linear (builder, "linear", images, lb_builder_classes (builder));
}

static void
test_refuses_a_network_without_places (void)
{
  static const LbArchitecture flat = { .name = "flat", .summary = "No convolution", .build = build_flat };
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_architectures_add ((const LbArchitecture *const[]){ &flat, NULL }, "this test", &error));
  g_autoptr (LbNetwork) network = lb_network_new ("flat", (LbImageSize){ 1, 8, 8 }, 2, &error);
  g_assert_no_error (error);
  g_assert_null (lb_grad_cam_new (network, 1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_assert_true (
      g_str_has_prefix (error->message, "architecture 'flat' has no feature maps that Grad-CAM could weigh"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/grad-cam/shows-the-maps-that-speak-for-the-class", test_shows_the_maps_that_speak_for_the_class);
  g_test_add_func ("/grad-cam/images-do-not-see-each-other", test_images_do_not_see_each_other);
  g_test_add_func ("/grad-cam/refuses-a-network-without-places", test_refuses_a_network_without_places);
  return g_test_run ();
}
