/* The program of distribution-matching, as the stage builds it, against golden values from PyTorch. */
#include "../plugins/distribution-matching/distribution-matching.c"
#include "golden/methods.h"

static void
test_step (void)
{
  Settings self = { .architecture = (char *)ARCHITECTURE,
                    .augmentation = (char *)"color_crop_cutout_flip_scale_rotate",
                    .images_per_class = 2,
                    .image_learning_rate = 1,
                    .image_momentum = 0.5 };
  g_autoptr (GError) error = NULL;
  g_auto (Match) m = { 0 };
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbTensor) real = numbers (LB_F32, REAL, LB_SHAPE (8, 28, 28, 1), 0, 2), parameters = NULL;
  g_autoptr (LbTensor) images = numbers (LB_F32, SYNTHETIC, LB_SHAPE (2, 28, 28, 1), 0, 2);
  g_autoptr (LbTensor) momentum = lb_tensor_new (LB_F32, LB_SHAPE (2, 28, 28, 1));
  float distance;

  match_build (&m, &self, (LbImageSize){ 1, 28, 28 }, CLASSES, 8, &error);
  g_assert_no_error (error);
  parameters = golden_parameters (m.network);
  lb_network_bind (m.network, m.program, m.parameters, parameters);
  lb_program_bind (m.program, m.real, real);
  lb_program_bind (m.program, m.images, images);
  lb_program_bind (m.program, m.momentum, momentum);
  lb_augmenter_bind (m.for_real, m.program);
  lb_augmenter_bind (m.for_images, m.program);
  for (gint64 i = 0; i < 8; i++)
    lb_augmenter_set (m.for_real, i, &scaled);
  for (gint64 i = 0; i < 2; i++)
    lb_augmenter_set (m.for_images, i, &scaled);
  lb_program_run (m.program, compute);

  /* After the first step, the momentum is the gradient. */
  distance = (float)lb_program_scalar (m.program, m.loss);
  assert_golden ("dm", "distance", &distance, 1);
  assert_golden ("dm", "gradient", lb_tensor_f32 (momentum), lb_tensor_size (momentum));
  for (gint64 i = 0; i < lb_tensor_size (images); i++)
    g_assert_cmpfloat (
        fabs (lb_tensor_f32 (images)[i] - (2 * number (SYNTHETIC, (guint32)i) - lb_tensor_f32 (momentum)[i])), <, 1e-5);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/golden/distribution-matching-is-that-of-pytorch", test_step);
  return g_test_run ();
}
