/* The programs of gradient-matching, as the stage builds them, against golden values from PyTorch. */
#include "../plugins/gradient-matching/gradient-matching.h"
#include "golden/methods.h"

/* A case of torch_methods.py and what the stage would be told. */
typedef struct {
  const char *name, *distance, *augmentation;
  gint64 formation, small;
} Case;

static void
set_batch (Side *side, guint stream)
{
  LbTensor *targets = side->target_values;
  g_autoptr (LbTensor) images = numbers (LB_F32, stream, lb_tensor_shape (side->image_values), 0, 2);

  memcpy (lb_tensor_f32 (side->image_values), lb_tensor_f32 (images), lb_tensor_bytes (images));
  for (gint64 i = 0; i < lb_tensor_dim (targets, 0); i++)
    lb_tensor_f32 (targets)[i * CLASSES + CLASS] = 1;
  for (gint64 i = 0; side->augmenter && i < lb_tensor_dim (targets, 0); i++)
    lb_augmenter_set (side->augmenter, i, &scaled);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  GradientMatching self
      = { .distance = (char *)c->distance, .augmentation = (char *)c->augmentation, .formation = c->formation };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network = lb_network_new (ARCHITECTURE, (LbImageSize){ 1, 28, 28 }, CLASSES, &error);
  g_autoptr (LbTensor) parameters = golden_parameters (network);
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  Match match = { 0 };
  LbTensor *gradient;
  float distance;

  match_build (&match, network, &self, 8, c->small, &error);
  g_assert_no_error (error);
  match_bind (&match, network, parameters);
  set_batch (&match.real, REAL);
  set_batch (&match.ours, SYNTHETIC);
  lb_program_run (match.real.program, compute);
  lb_program_run (match.ours.program, compute);

  distance = (float)lb_program_scalar (match.ours.program, match.distance);
  gradient = lb_program_result (match.ours.program, match.image_gradient);
  assert_golden (c->name, "distance", &distance, 1);
  assert_golden (c->name, "gradient", lb_tensor_f32 (gradient), lb_tensor_size (gradient));
  match_clear (&match);
}

/* A network with batch norm, whose statistics one pass of 20 real images moves first. */
static void
test_batch_norm (void)
{
  GradientMatching self = { .distance = (char *)"ours", .augmentation = (char *)"none", .formation = 1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbNetwork) network
      = lb_network_new (ARCHITECTURE ":norm=batch", (LbImageSize){ 1, 28, 28 }, CLASSES, &error);
  g_autoptr (LbTensor) parameters = golden_parameters (network);
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbTensor) seen = NULL;
  Match match = { 0 };
  Statistics statistics = { 0 };
  float distance;

  statistics_build (&statistics, network, 2, &error);
  g_assert_no_error (error);
  statistics_bind (&statistics, network, parameters);
  seen = numbers (LB_F32, PICTURE, lb_tensor_shape (statistics.image_values), 0, 2);
  memcpy (lb_tensor_f32 (statistics.image_values), lb_tensor_f32 (seen), lb_tensor_bytes (seen));
  lb_program_run (statistics.program, compute);
  assert_golden ("batch_norm", "statistics", lb_tensor_f32 (parameters) + lb_network_n_trained (network),
                 lb_network_n_parameters (network) - lb_network_n_trained (network));

  match_build (&match, network, &self, 8, 2, &error);
  g_assert_no_error (error);
  match_bind (&match, network, parameters);
  set_batch (&match.real, REAL);
  set_batch (&match.ours, SYNTHETIC);
  lb_program_run (match.real.program, compute);
  lb_program_run (match.ours.program, compute);
  distance = (float)lb_program_scalar (match.ours.program, match.distance);
  assert_golden ("batch_norm", "distance", &distance, 1);
  assert_golden ("batch_norm", "gradient", lb_tensor_f32 (lb_program_result (match.ours.program, match.image_gradient)),
                 2 * 28 * 28);
  match_clear (&match);
  statistics_clear (&statistics);
}

int
main (int argc, char **argv)
{
  static const Case cases[] = {
    { "ours", "ours", "none", 1, 2 },      { "mse", "mse", "none", 1, 2 },
    { "cos", "cos", "none", 1, 2 },        { "l1", "l1", "none", 1, 2 },
    { "formation", "ours", "none", 2, 4 }, { "dsa", "ours", "color_crop_cutout_flip_scale_rotate", 1, 2 },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strdup_printf ("/golden/gradient-matching-is-that-of-pytorch/%s", cases[i].name);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/golden/gradient-matching-is-that-of-pytorch/batch-norm", test_batch_norm);
  return g_test_run ();
}
