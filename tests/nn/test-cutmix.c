/* CutMix: where images are mixed, and what is drawn. Values of PyTorch are in golden/. */
#include "nn/numeric.h"

#define HEIGHT 6
#define WIDTH  9

static void
test_rectangle_shows_the_partner (void)
{
  LbShape shape = LB_SHAPE (2, HEIGHT, WIDTH, 3);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbNode *x = lb_batch_input (graph, "x", shape), *y = lb_batch_input (graph, "y", shape), *out;
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, shape), partners = lb_tensor_new (LB_F32, shape);
  LbRandom random = lb_random (lb_key (5));
  g_autoptr (LbCutMix) cutmix = NULL;
  g_autoptr (LbProgram) program = NULL;
  const LbCutMixBox boxes[] = { { 0 }, { .x = 4, .y = 1, .width = 5, .height = 3 } };

  lb_random_fill_normal (&random, lb_tensor_f32 (images), (gsize)lb_tensor_size (images));
  lb_random_fill_normal (&random, lb_tensor_f32 (partners), (gsize)lb_tensor_size (partners));
  out = lb_cutmix (x, y, &cutmix);
  program = lb_compile (graph, &out, 1, NULL);
  lb_program_bind (program, x, images);
  lb_program_bind (program, y, partners);
  lb_cutmix_bind (cutmix, program);
  for (guint b = 0; b < G_N_ELEMENTS (boxes); b++) {
    if (b > 0) /* what is bound mixes nothing until it is told to */
      lb_cutmix_set (cutmix, &boxes[b]);
    run_once (program);
    for (gint64 i = 0; i < lb_shape_size (shape); i++) {
      gint64 row = i / (3 * WIDTH) % HEIGHT, column = i / 3 % WIDTH;
      gboolean within = row >= boxes[b].y && row < boxes[b].y + boxes[b].height && column >= boxes[b].x
                        && column < boxes[b].x + boxes[b].width;
      float expected = lb_tensor_f32 (within ? partners : images)[i];

      g_assert_cmpfloat (lb_tensor_f32 (lb_program_result (program, out))[i], ==, expected);
    }
  }
  g_assert_cmpfloat (lb_cutmix_share (&boxes[1], HEIGHT, WIDTH), ==, 15.0 / 54);
}

/* The rectangle's area, before the edges clip it, is uniform; its centre is any pixel. */
static void
test_rectangles_are_drawn_as_published (void)
{
  guint drawn = 0, whole = 0, n = 4000;
  double inner = 0;

  for (guint i = 0; i < n; i++) {
    LbCutMixBox box = lb_cutmix_draw (0.25, 100, 50, lb_key_index (lb_key (1), i));

    g_assert_true (box.x >= 0 && box.y >= 0 && box.width >= 0 && box.height >= 0);
    g_assert_true (box.x + box.width <= 50 && box.y + box.height <= 100);
    drawn += box.height > 0;
    if (box.x > 0 && box.y > 0 && box.x + box.width < 50 && box.y + box.height < 100 && box.height > 0) {
      g_assert_cmpint (ABS (box.height - 2 * box.width), <=, 4); /* the image's form */
      inner += lb_cutmix_share (&box, 100, 50);
      whole++;
    }
  }
  CLOSE ((double)drawn / n, 0.25, 0.03);
  /* Of area a, (1 - sqrt (a))^2 lie within, 1/6 of all; their mean area is 1/5. */
  CLOSE ((double)whole / drawn, 1 / 6.0, 0.04);
  CLOSE (inner / whole, 1 / 5.0, 0.04);
  for (guint i = 0; i < 50; i++)
    g_assert_cmpint (lb_cutmix_draw (0, 100, 50, lb_key (i)).width, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cutmix/rectangle-shows-the-partner", test_rectangle_shows_the_partner);
  g_test_add_func ("/cutmix/rectangles-are-drawn-as-published", test_rectangles_are_drawn_as_published);
  return g_test_run ();
}
