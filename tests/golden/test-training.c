/* Optimisers and augmentation against golden values from PyTorch (make-golden.py, which also says how inputs are made).
 */
#include <math.h>

#include "golden/numbers.h"

#define GOLDEN_LIMIT (1 << 20)
#define SIZE         11 /* of the photos */

enum { PHOTOS = 120, PHOTO_WEIGHTS, PHOTO_DIRECTION, SET, MIXING };

typedef struct {
  const char *name;
  LbDType dtype;
  double tolerance; /* relative to the largest value */
} Precision;

static const Precision precisions[] = { { "f64", LB_F64, 1e-12 }, { "f32", LB_F32, 3e-6 } };

/* Every element of @found near that of @name. */
static void
assert_golden (const Precision *precision, const char *name, gint64 first, const LbTensor *found)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) golden
      = lb_npz_read (g_test_get_filename (G_TEST_DIST, "golden", "training.npz", NULL), GOLDEN_LIMIT, &error);
  const LbTensor *expected = NULL;
  double largest = 0;

  g_assert_no_error (error);
  for (guint i = 0; i < golden->len; i++)
    if (g_str_equal (g_array_index (golden, LbNamedTensor, i).name, name))
      expected = g_array_index (golden, LbNamedTensor, i).tensor;
  g_assert_nonnull (expected);
  g_assert_cmpint (first + lb_tensor_size (found), <=, lb_tensor_size (expected));
  for (gint64 i = 0; i < lb_tensor_size (expected); i++)
    largest = MAX (largest, fabs (get_element (expected, i)));
  for (gint64 i = 0; i < lb_tensor_size (found); i++)
    if (!(fabs (get_element (found, i) - get_element (expected, first + i)) <= precision->tolerance * largest))
      g_error ("%s[%d] is %.17g, golden %.17g", name, (int)i, get_element (found, i),
               get_element (expected, first + i));
}

static void
bind_take (LbProgram *program, LbNode *input, LbTensor *tensor)
{
  lb_program_bind (program, input, tensor);
  lb_tensor_unref (tensor);
}

static void
run_once (LbProgram *program)
{
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);

  lb_program_run (program, compute);
}

/* ---- Adam ---- */

/* Four steps on five numbers, the last with another rate. */
static void
check_adam (const Precision *precision, gboolean decoupled)
{
  const LbAdam adam = { 0.9, 0.99, 1e-3, 0.05, decoupled };
  LbDType dtype = precision->dtype;
  LbShape shape = LB_SHAPE (5);
  g_autoptr (LbGraph) graph = lb_graph_new (dtype);
  LbNode *p = lb_input (graph, "p", shape), *g = lb_input (graph, "g", shape);
  LbNode *m = lb_input (graph, "m", shape), *v = lb_input (graph, "v", shape);
  LbNode *scalars[3]
      = { lb_input (graph, "rate", LB_SCALAR), lb_input (graph, "c1", LB_SCALAR), lb_input (graph, "c2", LB_SCALAR) };
  LbNode *state[3] = { p, m, v }, *outputs[3];
  g_autoptr (LbTensor) vector = numbers (dtype, VECTOR, shape, 0, 1);
  g_autoptr (LbTensor) gradients = numbers (dtype, GRADIENT, LB_SHAPE (4, 5), 0, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = NULL;

  lb_adam_step (&adam, &p, &g, &m, &v, 1, scalars[0], scalars[1], scalars[2], &outputs[0], &outputs[1], &outputs[2]);
  program = lb_compile (graph, outputs, 3, &error);
  g_assert_no_error (error);
  lb_program_bind (program, p, vector);
  bind_take (program, m, lb_tensor_new (dtype, shape));
  bind_take (program, v, lb_tensor_new (dtype, shape));
  for (guint i = 0; i < 3; i++)
    lb_program_carry (program, outputs[i], state[i]);
  for (guint step = 0; step < 4; step++) {
    double values[3] = { step < 3 ? 0.1 : 0.02 };

    lb_adam_corrections (&adam, step + 1, &values[1], &values[2]);
    for (guint i = 0; i < 3; i++) {
      LbTensor *scalar = lb_tensor_new (dtype, LB_SCALAR);
      set_element (scalar, 0, values[i]);
      bind_take (program, scalars[i], scalar);
    }
    bind_take (program, g, lb_tensor_view (gradients, step * 5, shape));
    run_once (program);
    assert_golden (precision, decoupled ? "adamw" : "adam", step * 5, vector);
  }
}

static void
test_adam (gconstpointer precision)
{
  check_adam (precision, FALSE);
}

static void
test_adamw (gconstpointer precision)
{
  check_adam (precision, TRUE);
}

/* ---- Clipping ---- */

/* A vector's and a matrix's gradient, which together are longer than the first limit and shorter than the second. */
static void
test_clip (gconstpointer data)
{
  static const double limits[] = { 0.5, 100 };
  const Precision *precision = data;

  for (guint i = 0; i < G_N_ELEMENTS (limits); i++) {
    g_autoptr (LbGraph) graph = lb_graph_new (precision->dtype);
    LbNode *inputs[2] = { lb_input (graph, "vector", LB_SHAPE (5)), lb_input (graph, "matrix", LB_SHAPE (3, 5)) };
    LbNode *clipped[2] = { inputs[0], inputs[1] };
    g_autoptr (LbTensor) gradients = numbers (precision->dtype, GRADIENT, LB_SHAPE (4, 5), 0, 1);
    g_autoptr (GError) error = NULL;
    g_autoptr (LbProgram) program = NULL;

    lb_clip_norm (clipped, 2, limits[i]);
    program = lb_compile (graph, clipped, 2, &error);
    g_assert_no_error (error);
    bind_take (program, inputs[0], lb_tensor_view (gradients, 0, LB_SHAPE (5)));
    bind_take (program, inputs[1], lb_tensor_view (gradients, 5, LB_SHAPE (3, 5)));
    run_once (program);
    assert_golden (precision, "clipped", 20 * i, lb_program_result (program, clipped[0]));
    assert_golden (precision, "clipped", 20 * i + 5, lb_program_result (program, clipped[1]));
  }
}

/* ---- Augmentation ---- */

static LbAugmentParameters
parameters_of (const char *op)
{
  LbAugmentParameters p = LB_AUGMENT_NOTHING;

  if (g_str_equal (op, "color")) {
    p.brightness = 0.25;
    p.saturation = 1.5;
    p.contrast = 0.75;
  } else if (g_str_equal (op, "crop")) {
    p.shift_x = 1;
    p.shift_y = -1;
  } else if (g_str_equal (op, "cutout")) {
    p.cut_x = -2;
    p.cut_y = 3;
    p.cut_width = p.cut_height = 6;
  } else if (g_str_equal (op, "flip")) {
    p.flip = TRUE;
  } else if (g_str_equal (op, "scale")) {
    p.scale_x = 1.125;
    p.scale_y = 0.875;
  } else {
    p.angle = 12.5 * G_PI / 180;
  }
  return p;
}

/* y = op (x), d sum (a y^2) / dx, and the gradient of that one's product with b. */
static void
check_op (const Precision *precision, const char *op)
{
  LbShape shape = LB_SHAPE (2, SIZE, SIZE, 3);
  LbAugmentParameters parameters = parameters_of (op);
  LbAugmentation augmentation;
  g_autoptr (LbAugmenter) augmenter = NULL;
  g_autoptr (LbGraph) graph = lb_graph_new (precision->dtype);
  LbNode *x = lb_batch_input (graph, "x", shape), *a = lb_batch_input (graph, "a", shape);
  LbNode *b = lb_batch_input (graph, "b", shape), *outputs[3];
  static const char *const suffixes[3] = { "", "_first", "_second" };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = NULL;

  g_assert_true (lb_augmentation_parse (op, &augmentation, NULL));
  outputs[0] = lb_augment (x, &augmentation, &augmenter);
  lb_gradients (lb_sum (lb_mul (a, lb_mul (outputs[0], outputs[0]))), &x, 1, &outputs[1]);
  lb_gradients (lb_sum (lb_mul (b, outputs[1])), &x, 1, &outputs[2]);
  program = lb_compile (graph, outputs, 3, &error);
  g_assert_no_error (error);
  bind_take (program, x, numbers (precision->dtype, PHOTOS, shape, 0, 1));
  bind_take (program, a, numbers (precision->dtype, PHOTO_WEIGHTS, shape, 0, 1));
  bind_take (program, b, numbers (precision->dtype, PHOTO_DIRECTION, shape, 0, 1));
  lb_augmenter_bind (augmenter, program);
  for (gint64 i = 0; i < 2; i++)
    lb_augmenter_set (augmenter, i, &parameters);
  run_once (program);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *name = g_strconcat (op, suffixes[i], NULL);
    assert_golden (precision, name, 0, lb_program_result (program, outputs[i]));
  }
}

static void
test_augmentation (gconstpointer precision)
{
  static const char *const ops[] = { "color", "crop", "cutout", "flip", "scale", "rotate" };

  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    check_op (precision, ops[i]);
}

/* ---- CutMix ---- */

/* Targets are mixed here, where the script mixes losses. */
static void
test_cutmix (gconstpointer data)
{
  const Precision *precision = data;
  static const gint64 partner[4] = { 3, 0, 1, 2 }, label[4] = { 1, 7, 7, 4 };
  const LbCutMixBox box = { .x = 5, .y = 2, .width = 6, .height = 5 };
  LbDType dtype = precision->dtype;
  LbShape shape = LB_SHAPE (4, SIZE, SIZE, 3), matrix = LB_SHAPE (10, SIZE * SIZE * 3);
  double share = lb_cutmix_share (&box, SIZE, SIZE);
  gint64 pixels = SIZE * SIZE * 3;
  g_autoptr (LbTensor) images = numbers (dtype, PHOTOS, shape, 0, 1), others = lb_tensor_copy (images);
  g_autoptr (LbTensor) targets = lb_tensor_new (dtype, LB_SHAPE (4, 10));
  g_autoptr (LbGraph) graph = lb_graph_new (dtype);
  LbNode *x = lb_batch_input (graph, "x", shape), *y = lb_batch_input (graph, "y", shape);
  LbNode *t = lb_batch_input (graph, "t", LB_SHAPE (4, 10)), *w = lb_input (graph, "w", matrix), *outputs[3];
  g_autoptr (LbCutMix) cutmix = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbProgram) program = NULL;

  outputs[0] = lb_cutmix (x, y, &cutmix);
  outputs[1] = lb_cross_entropy (lb_matmul (lb_reshape (outputs[0], LB_SHAPE (4, pixels)), FALSE, w, TRUE), t);
  lb_gradients (outputs[1], &w, 1, &outputs[2]);
  program = lb_compile (graph, outputs, 3, &error);
  g_assert_no_error (error);
  for (gint64 i = 0; i < 4; i++) {
    for (gint64 p = 0; p < pixels; p++)
      set_element (others, i * pixels + p, get_element (images, partner[i] * pixels + p));
    set_element (targets, 10 * i + label[i], 1 - share);
    set_element (targets, 10 * i + label[partner[i]], get_element (targets, 10 * i + label[partner[i]]) + share);
  }
  lb_program_bind (program, x, images);
  lb_program_bind (program, y, others);
  lb_program_bind (program, t, targets);
  bind_take (program, w, numbers (dtype, PHOTO_WEIGHTS, matrix, 0, 0.125));
  lb_cutmix_bind (cutmix, program);
  lb_cutmix_set (cutmix, &box);
  run_once (program);
  assert_golden (precision, "cutmix", 0, lb_program_result (program, outputs[0]));
  assert_golden (precision, "cutmix_loss", 0, lb_program_result (program, outputs[1]));
  assert_golden (precision, "cutmix_gradient", 0, lb_program_result (program, outputs[2]));
}

/* ---- Whitening ---- */

/* The set of make-golden.py, in f32. */
static LbTensor *
mixed_set (void)
{
  LbTensor *set = lb_tensor_new (LB_F32, LB_SHAPE (30, 2, 3, 4));

  for (gint64 i = 0; i < 30; i++)
    for (gint64 k = 0; k < 24; k++) {
      double sum = 0.5;

      for (gint64 j = 0; j < 10; j++)
        sum += number (SET, (guint32)(10 * i + j)) * number (MIXING, (guint32)(24 * j + k));
      set_element (set, 24 * i + k, sum);
    }
  return set;
}

/* Sums are in f64, but the set and the maps are rounded to f32. */
static void
test_whitening (gconstpointer data)
{
  static const Precision precision = { "f32", LB_F32, 1e-5 };
  g_autoptr (LbTensor) set = mixed_set (), whitened = NULL;
  g_autoptr (LbPool) pool = lb_pool_new (2);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (GError) error = NULL;
  g_auto (LbWhitening) whitening = { 0 };

  lb_whitening_fit (&whitening, compute, "the set", set, NULL, NULL, 0.1, &error);
  g_assert_no_error (error);
  whitened = lb_whitening_apply (&whitening, compute, set, NULL, NULL);
  assert_golden (&precision, "whitening_mean", 0, whitening.mean);
  assert_golden (&precision, "unwhitening", 0, whitening.unwhitening);
  assert_golden (&precision, "whitened", 0, whitened);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    GTestDataFunc test;
  } tests[] = {
    { "four-adam-steps-are-those-of-pytorch", test_adam },
    { "four-adamw-steps-are-those-of-pytorch", test_adamw },
    { "clipped-gradients-are-those-of-pytorch", test_clip },
    { "augmentation-and-two-derivatives-are-those-of-pytorch", test_augmentation },
    { "mixed-images-and-their-loss-are-those-of-pytorch", test_cutmix },
  };
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    for (guint j = 0; j < G_N_ELEMENTS (precisions); j++) {
      g_autofree char *path = g_strdup_printf ("/golden/%s/%s", tests[i].name, precisions[j].name);
      g_test_add_data_func (path, &precisions[j], tests[i].test);
    }
  g_test_add_data_func ("/golden/whitening-is-that-of-pytorch", NULL, test_whitening);
  return g_test_run ();
}
