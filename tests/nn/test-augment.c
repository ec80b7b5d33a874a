/* Augmentation: strategies, each op against its definition, and what is drawn. PyTorch's values are in golden/. */
#include "nn/numeric.h"

#define HEIGHT 8
#define WIDTH  12

/* A program that augments a batch of images. */
typedef struct {
  LbAugmenter *augmenter;
  LbProgram *program;
  LbNode *out;
  LbTensor *images;
} Bench;

static void
bench_clear (Bench *bench)
{
  lb_augmenter_free (bench->augmenter);
  lb_program_free (bench->program);
  lb_tensor_unref (bench->images);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Bench, bench_clear)

static Bench
bench_new (const char *strategy, gint64 n, gint64 channels)
{
  Bench bench = { .images = lb_tensor_new (LB_F32, LB_SHAPE (n, HEIGHT, WIDTH, channels)) };
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", lb_tensor_shape (bench.images));
  LbRandom random = lb_random (lb_key (5));
  LbAugmentation augmentation;
  g_autoptr (GError) error = NULL;

  lb_random_fill_normal (&random, lb_tensor_f32 (bench.images), (gsize)lb_tensor_size (bench.images));
  lb_augmentation_parse (strategy, &augmentation, &error);
  g_assert_no_error (error);
  /* Something behind it, so that there is a program for no augmentation too. */
  bench.out = lb_scale (lb_augment (x, &augmentation, &bench.augmenter), 2);
  bench.program = lb_compile (graph, &bench.out, 1, &error);
  g_assert_no_error (error);
  lb_program_bind (bench.program, x, bench.images);
  lb_augmenter_bind (bench.augmenter, bench.program);
  return bench;
}

/* Pixel of the result. */
static double
result (Bench *bench, gint64 n, gint64 i, gint64 j, gint64 k)
{
  gint64 c = lb_tensor_dim (bench->images, 3);
  return lb_tensor_f32 (lb_program_result (bench->program, bench->out))[((n * HEIGHT + i) * WIDTH + j) * c + k] / 2;
}

/* Pixel of the input, 0 outside. */
static double
pixel (Bench *bench, gint64 n, gint64 i, gint64 j, gint64 k)
{
  gint64 c = lb_tensor_dim (bench->images, 3);
  if (i < 0 || j < 0 || i >= HEIGHT || j >= WIDTH)
    return 0;
  return lb_tensor_f32 (bench->images)[((n * HEIGHT + i) * WIDTH + j) * c + k];
}

#define EACH_PIXEL                                                                                                     \
  for (gint64 i = 0; i < HEIGHT; i++)                                                                                  \
    for (gint64 j = 0; j < WIDTH; j++)

#define EXPECTED                                                                                                       \
  "expected none, or some of color, crop, cutout, flip, scale, rotate, view, each once, joined by '_' (one is drawn) or " \
  "'-' (all are used)"

static void
test_strategies (void)
{
  static const struct {
    const char *strategy, *message;
  } wrong[] = {
    { "color_crp", "augmentation 'color_crp' has 'crp'; " EXPECTED "; did you mean 'crop'?" },
    { "flip_crop_flip", "augmentation 'flip_crop_flip' has 'flip' twice; " EXPECTED },
    { "flip-crop_flip", "augmentation 'flip-crop_flip' has 'flip' twice; " EXPECTED },
    { "color_none", "augmentation 'color_none' has 'none'; " EXPECTED },
    { "color_crop-flip_scale", "augmentation 'color_crop-flip_scale' has 2 choices; expected at most one" },
  };
  static const char *const empty[] = { "", "_", "color_", "_flip", "-", "color-" };
  LbAugmentation augmentation;

  g_assert_true (lb_augmentation_parse ("none", &augmentation, NULL));
  g_assert_cmpuint (augmentation.groups, ==, 0);
  g_assert_true (lb_augmentation_parse ("rotate_color", &augmentation, NULL));
  g_assert_cmpuint (augmentation.groups, ==, LB_AUGMENT_COLOR | LB_AUGMENT_ROTATE);
  g_assert_cmpuint (augmentation.always, ==, 0);
  g_assert_true (lb_augmentation_parse ("crop-flip", &augmentation, NULL));
  g_assert_cmpuint (augmentation.groups, ==, LB_AUGMENT_CROP | LB_AUGMENT_FLIP);
  g_assert_cmpuint (augmentation.always, ==, LB_AUGMENT_CROP | LB_AUGMENT_FLIP);
  g_assert_true (lb_augmentation_parse ("color-crop_scale_rotate-flip", &augmentation, NULL));
  g_assert_cmpuint (augmentation.groups, ==,
                    LB_AUGMENT_COLOR | LB_AUGMENT_CROP | LB_AUGMENT_SCALE | LB_AUGMENT_ROTATE | LB_AUGMENT_FLIP);
  g_assert_cmpuint (augmentation.always, ==, LB_AUGMENT_COLOR | LB_AUGMENT_FLIP);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_false (lb_augmentation_parse (wrong[i].strategy, &augmentation, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
    g_assert_cmpstr (error->message, ==, wrong[i].message);
  }
  for (guint i = 0; i < G_N_ELEMENTS (empty); i++)
    g_assert_false (lb_augmentation_parse (empty[i], &augmentation, NULL));
}

static void
test_no_augmentation_adds_nothing (void)
{
  g_auto (Bench) bench = bench_new ("none", 2, 1);

  g_assert_null (bench.augmenter);
  lb_augmenter_draw (bench.augmenter, FALSE, lb_key (1));
  run_once (bench.program);
  EACH_PIXEL g_assert_cmpfloat (result (&bench, 1, i, j, 0), ==, pixel (&bench, 1, i, j, 0));
}

/* All ops in one program, none of them drawn. */
static void
test_what_is_not_drawn_changes_no_bit (void)
{
  for (gint64 channels = 1; channels <= 3; channels += 2) {
    g_auto (Bench) bench = bench_new ("color_crop_cutout_flip_scale_rotate", 3, channels);

    run_once (bench.program);
    EACH_PIXEL for (gint64 n = 0; n < 3; n++) for (gint64 k = 0; k < channels; k++)
        g_assert_cmpfloat (result (&bench, n, i, j, k), ==, pixel (&bench, n, i, j, k));
  }
}

static void
test_shifts_and_flips_are_exact (void)
{
  for (gint64 shift_y = -3; shift_y <= 3; shift_y++)
    for (gint64 shift_x = -3; shift_x <= 3; shift_x++)
      for (guint flip = 0; flip < 2; flip++) {
        g_auto (Bench) bench = bench_new ("crop-flip", 2, 2);
        LbAugmentParameters p = LB_AUGMENT_NOTHING;

        p.shift_x = shift_x;
        p.shift_y = shift_y;
        p.flip = flip;
        lb_augmenter_set (bench.augmenter, 1, &p);
        run_once (bench.program);
        EACH_PIXEL for (gint64 k = 0; k < 2; k++)
        {
          gint64 from = (flip ? WIDTH - 1 - j : j) + shift_x;
          g_assert_cmpfloat (result (&bench, 0, i, j, k), ==, pixel (&bench, 0, i, j, k));
          g_assert_cmpfloat (result (&bench, 1, i, j, k), ==, pixel (&bench, 1, i + shift_y, from, k));
        }
      }
}

/* Brightness, saturation and contrast one after the other. */
static void
test_color_by_its_definition (void)
{
  const double brightness = 0.3, saturation = 1.7, contrast = 0.6;

  for (gint64 channels = 1; channels <= 3; channels += 2) {
    g_auto (Bench) bench = bench_new ("color", 2, channels);
    LbAugmentParameters p = LB_AUGMENT_NOTHING;
    double x[HEIGHT][WIDTH][3], mean = 0;

    p.brightness = brightness;
    p.saturation = saturation;
    p.contrast = contrast;
    lb_augmenter_set (bench.augmenter, 1, &p);
    run_once (bench.program);
    EACH_PIXEL
    {
      double grey = 0;
      for (gint64 k = 0; k < channels; k++)
        grey += (pixel (&bench, 1, i, j, k) + brightness) / (double)channels;
      for (gint64 k = 0; k < channels; k++) {
        x[i][j][k] = (pixel (&bench, 1, i, j, k) + brightness - grey) * saturation + grey;
        mean += x[i][j][k] / (double)(HEIGHT * WIDTH * channels);
      }
    }
    EACH_PIXEL for (gint64 k = 0; k < channels; k++)
        CLOSE (result (&bench, 1, i, j, k), (x[i][j][k] - mean) * contrast + mean, 2e-6);
  }
}

static void
test_cutout_zeroes_a_rectangle (void)
{
  g_auto (Bench) bench = bench_new ("cutout", 1, 2);
  LbAugmentParameters p = LB_AUGMENT_NOTHING;

  p.cut_x = -2;
  p.cut_y = 5;
  p.cut_width = 6;
  p.cut_height = 4;
  lb_augmenter_set (bench.augmenter, 0, &p);
  run_once (bench.program);
  EACH_PIXEL g_assert_cmpfloat (result (&bench, 0, i, j, 1), ==, i >= 5 && j < 4 ? 0 : pixel (&bench, 0, i, j, 1));
}

/* Halving the distances from the centre enlarges; the centre of an odd line stays. */
static void
test_scale_is_about_the_centre (void)
{
  g_auto (Bench) bench = bench_new ("scale", 1, 1);
  LbAugmentParameters p = LB_AUGMENT_NOTHING;

  p.scale_x = 0.5;
  lb_augmenter_set (bench.augmenter, 0, &p);
  run_once (bench.program);
  /* Column j shows 5.5 + (j - 5.5) / 2. */
  for (gint64 i = 0; i < HEIGHT; i++) {
    CLOSE (result (&bench, 0, i, 5, 0), 0.75 * pixel (&bench, 0, i, 5, 0) + 0.25 * pixel (&bench, 0, i, 6, 0), 1e-6);
    CLOSE (result (&bench, 0, i, 0, 0), 0.25 * pixel (&bench, 0, i, 2, 0) + 0.75 * pixel (&bench, 0, i, 3, 0), 1e-6);
  }
}

/* What one draw did to the ramp image: which of the groups. */
typedef enum { NOTHING, COLOR, CROP, CUTOUT, FLIP, SMOOTH } Effect;

static Effect
effect_of (Bench *bench, gint64 n)
{
  gint64 same = 0, zero = 0, flipped = 0, whole = 0, affine = 0;
  double first = result (bench, n, 0, 0, 0),
         slope = (result (bench, n, HEIGHT - 1, WIDTH - 1, 0) - first) / (HEIGHT * WIDTH - 1);

  EACH_PIXEL
  {
    double value = result (bench, n, i, j, 0);
    same += value == pixel (bench, n, i, j, 0);
    flipped += value == pixel (bench, n, i, WIDTH - 1 - j, 0);
    zero += value == 0;
    whole += value == floor (value);
    affine += fabs (value - first - slope * (pixel (bench, n, i, j, 0) - 1)) < 1e-3;
  }
  if (same == HEIGHT * WIDTH)
    return NOTHING;
  if (flipped == HEIGHT * WIDTH)
    return FLIP;
  if (same + zero == HEIGHT * WIDTH)
    return CUTOUT;
  if (whole == HEIGHT * WIDTH)
    return CROP;
  return affine == HEIGHT * WIDTH ? COLOR : SMOOTH;
}

/* Pixels 1, 2, 3, ... in every image. */
static void
fill_ramp (Bench *bench)
{
  for (gint64 i = 0; i < lb_tensor_size (bench->images); i++)
    lb_tensor_f32 (bench->images)[i] = (float)(1 + i % (HEIGHT * WIDTH));
}

/* One group for a call, each in its turn; different parameters for each image. */
static void
test_a_draw_uses_one_group (void)
{
  g_auto (Bench) bench = bench_new ("color_crop_cutout_flip_scale_rotate", 6, 1);
  guint seen[SMOOTH + 1] = { 0 };

  fill_ramp (&bench);
  for (guint64 key = 0; key < 300; key++) {
    Effect effects[6], effect = NOTHING;
    guint others = 0;

    lb_augmenter_draw (bench.augmenter, FALSE, lb_key (key));
    run_once (bench.program);
    for (guint n = 0; n < 6; n++) {
      effects[n] = effect_of (&bench, n);
      effect = MAX (effect, effects[n]);
    }
    seen[effect]++;
    /* A crop of nothing and a flip not taken look like nothing; some shifts put zeroes where a cut could be. */
    for (guint n = 0; n < 6; n++)
      others += effects[n] != effect && effects[n] != NOTHING;
    if (effect != SMOOTH)
      g_assert_cmpuint (others, ==, 0);
  }
  /* 50 expected of each, 100 of scale and rotate together. */
  for (Effect effect = COLOR; effect <= SMOOTH; effect++) {
    g_assert_cmpuint (seen[effect], >, effect == SMOOTH ? 60 : 20);
    g_assert_cmpuint (seen[effect], <, effect == SMOOTH ? 150 : 90);
  }
}

static void
test_ranges_are_reached_and_kept (void)
{
  g_auto (Bench) bench = bench_new ("crop", 64, 1);
  gboolean reached[5][3] = { { FALSE } };

  fill_ramp (&bench);
  lb_augmenter_draw (bench.augmenter, FALSE, lb_key (3));
  run_once (bench.program);
  for (gint64 n = 0; n < 64; n++) {
    /* int (12 / 8 + 1/2) = 2 columns, int (8 / 8 + 1/2) = 1 row */
    gint64 shift = (gint64)result (&bench, n, 4, 6, 0) - (1 + 4 * WIDTH + 6), y = 0;
    for (y = -1; y <= 1 && (shift - y * WIDTH < -2 || shift - y * WIDTH > 2); y++)
      ;
    g_assert_cmpint (y, <=, 1);
    reached[shift - y * WIDTH + 2][y + 1] = TRUE;
  }
  for (guint x = 0; x < 5; x++)
    g_assert_true (reached[x][0] || reached[x][1] || reached[x][2]);
  for (guint y = 0; y < 3; y++)
    g_assert_true (reached[0][y] || reached[1][y] || reached[2][y] || reached[3][y] || reached[4][y]);
}

/* On a ramp, the first and the last column tell where the window is. */
static void
test_views_are_windows_of_the_image (void)
{
  g_auto (Bench) bench = bench_new ("view", 200, 1);
  double smallest = 1, largest = 0, left = WIDTH, right = 0;

  fill_ramp (&bench);
  lb_augmenter_draw (bench.augmenter, FALSE, lb_key (3));
  run_once (bench.program);
  for (gint64 n = 0; n < 200; n++) {
    double first = result (&bench, n, 0, 0, 0), across = result (&bench, n, 0, WIDTH - 1, 0) - first;
    double part = across / (WIDTH - 1);
    double row = floor ((first - 1 + 1e-3) / WIDTH * 1e3) / 1e3;

    /* Of rows it shows the same part, so of the whole ramp too. */
    CLOSE ((result (&bench, n, HEIGHT - 1, 0, 0) - first) / ((HEIGHT - 1) * WIDTH), part, 1e-3);
    g_assert_cmpfloat (row, >=, 0);
    g_assert_cmpfloat (result (&bench, n, HEIGHT - 1, WIDTH - 1, 0), <=, HEIGHT * WIDTH + 1e-3);
    smallest = MIN (smallest, part);
    largest = MAX (largest, part);
    left = MIN (left, row);
    right = MAX (right, row);
  }
  g_assert_cmpfloat (smallest, >=, 0.5);
  g_assert_cmpfloat (smallest, <, 0.53);
  g_assert_cmpfloat (largest, >, 0.97);
  g_assert_cmpfloat (largest, <=, 1 + 1e-6);
  g_assert_cmpfloat (right - left, >, 2);
}

/* The real and the synthetic side of a matching step, of different sizes. */
static void
test_shared_draws_treat_all_images_alike (void)
{
  g_auto (Bench) few = bench_new ("color_crop_cutout_flip_scale_rotate", 2, 1);
  g_auto (Bench) many = bench_new ("color_crop_cutout_flip_scale_rotate", 9, 1);

  fill_ramp (&few);
  fill_ramp (&many);
  for (guint64 key = 0; key < 20; key++) {
    lb_augmenter_draw (few.augmenter, TRUE, lb_key (key));
    lb_augmenter_draw (many.augmenter, TRUE, lb_key (key));
    run_once (few.program);
    run_once (many.program);
    EACH_PIXEL
    {
      g_assert_cmpfloat (result (&few, 0, i, j, 0), ==, result (&few, 1, i, j, 0));
      for (gint64 n = 0; n < 9; n++)
        g_assert_cmpfloat (result (&many, n, i, j, 0), ==, result (&few, 0, i, j, 0));
    }
  }
}

static void
test_equal_keys_draw_alike (void)
{
  g_auto (Bench) bench = bench_new ("scale_rotate", 4, 1);
  g_autoptr (LbTensor) first = NULL, second = NULL;

  lb_augmenter_draw (bench.augmenter, FALSE, lb_key (8));
  run_once (bench.program);
  first = lb_tensor_copy (lb_program_result (bench.program, bench.out));
  lb_augmenter_draw (bench.augmenter, FALSE, lb_key (9));
  run_once (bench.program);
  second = lb_tensor_copy (lb_program_result (bench.program, bench.out));
  g_assert_true (memcmp (lb_tensor_data (first), lb_tensor_data (second), lb_tensor_bytes (first)) != 0);
  lb_augmenter_draw (bench.augmenter, FALSE, lb_key (8));
  run_once (bench.program);
  g_assert_cmpmem (lb_tensor_data (first), lb_tensor_bytes (first),
                   lb_tensor_data (lb_program_result (bench.program, bench.out)), lb_tensor_bytes (first));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/augment/strategies", test_strategies);
  g_test_add_func ("/augment/no-augmentation-adds-nothing", test_no_augmentation_adds_nothing);
  g_test_add_func ("/augment/what-is-not-drawn-changes-no-bit", test_what_is_not_drawn_changes_no_bit);
  g_test_add_func ("/augment/shifts-and-flips-are-exact", test_shifts_and_flips_are_exact);
  g_test_add_func ("/augment/color-by-its-definition", test_color_by_its_definition);
  g_test_add_func ("/augment/cutout-zeroes-a-rectangle", test_cutout_zeroes_a_rectangle);
  g_test_add_func ("/augment/scale-is-about-the-centre", test_scale_is_about_the_centre);
  g_test_add_func ("/augment/a-draw-uses-one-group", test_a_draw_uses_one_group);
  g_test_add_func ("/augment/ranges-are-reached-and-kept", test_ranges_are_reached_and_kept);
  g_test_add_func ("/augment/views-are-windows-of-the-image", test_views_are_windows_of_the_image);
  g_test_add_func ("/augment/shared-draws-treat-all-images-alike", test_shared_draws_treat_all_images_alike);
  g_test_add_func ("/augment/equal-keys-draw-alike", test_equal_keys_draw_alike);
  return g_test_run ();
}
