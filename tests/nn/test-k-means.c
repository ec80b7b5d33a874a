/* k-means on points whose clusters are plain to see. */
#include "nn/numeric.h"

/* Three far groups of four points, corners of squares around (0, 0), (100, 0) and (0, 100), one after the other. */
static LbTensor *
three_squares (void)
{
  static const float middles[3][2] = { { 0, 0 }, { 100, 0 }, { 0, 100 } };
  LbTensor *points = lb_tensor_new (LB_F32, LB_SHAPE (12, 2));

  for (guint i = 0; i < 12; i++) {
    lb_tensor_f32 (points)[2 * i] = middles[i / 4][0] + (i & 1 ? 1 : -1);
    lb_tensor_f32 (points)[2 * i + 1] = middles[i / 4][1] + (i & 2 ? 1 : -1);
  }
  return points;
}

static void
test_far_groups_are_found (void)
{
  g_autoptr (LbTensor) points = three_squares (), centres = lb_tensor_new (LB_F32, LB_SHAPE (3, 2));

  for (guint64 seed = 0; seed < 20; seed++) {
    gboolean found[3] = { FALSE, FALSE, FALSE };

    lb_k_means (points, lb_key (seed), centres);
    for (guint k = 0; k < 3; k++) {
      const float *c = lb_tensor_f32 (centres) + 2 * k;
      guint group = c[0] > 50 ? 1 : c[1] > 50 ? 2 : 0;

      CLOSE (c[0], group == 1 ? 100 : 0, 1e-5);
      CLOSE (c[1], group == 2 ? 100 : 0, 1e-5);
      found[group] = TRUE;
    }
    g_assert_true (found[0] && found[1] && found[2]);
  }
}

static void
test_one_centre_is_the_mean (void)
{
  g_autoptr (LbTensor) points = three_squares (), centre = lb_tensor_new (LB_F32, LB_SHAPE (1, 2));

  lb_k_means (points, lb_key (1), centre);
  CLOSE (lb_tensor_f32 (centre)[0], 100.0 / 3, 1e-5);
  CLOSE (lb_tensor_f32 (centre)[1], 100.0 / 3, 1e-5);
}

/* As many centres as points: each is one. Points of 20 numbers, more than a distance adds side by side. */
static void
test_every_point_may_be_a_centre (void)
{
  g_autoptr (LbTensor) points = lb_tensor_new (LB_F32, LB_SHAPE (6, 20)),
                       centres = lb_tensor_new (LB_F32, LB_SHAPE (6, 20));
  LbRandom random = lb_random (lb_key (5));
  guint found = 0;

  lb_random_fill_normal (&random, lb_tensor_f32 (points), 120);
  lb_k_means (points, lb_key (2), centres);
  for (guint i = 0; i < 6; i++)
    for (guint k = 0; k < 6; k++)
      found += memcmp (lb_tensor_f32 (points) + 20 * i, lb_tensor_f32 (centres) + 20 * k, 20 * sizeof (float)) == 0;
  g_assert_cmpuint (found, ==, 6);
}

/* Equal points leave nothing to draw by distance. */
static void
test_equal_points (void)
{
  g_autoptr (LbTensor) points = lb_tensor_new (LB_F32, LB_SHAPE (5, 3)),
                       centres = lb_tensor_new (LB_F32, LB_SHAPE (2, 3));

  for (guint i = 0; i < 15; i++)
    lb_tensor_f32 (points)[i] = 7;
  lb_k_means (points, lb_key (3), centres);
  for (guint i = 0; i < 6; i++)
    CLOSE (lb_tensor_f32 (centres)[i], 7, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/k-means/far-groups-are-found", test_far_groups_are_found);
  g_test_add_func ("/k-means/one-centre-is-the-mean", test_one_centre_is_the_mean);
  g_test_add_func ("/k-means/every-point-may-be-a-centre", test_every_point_may_be_a_centre);
  g_test_add_func ("/k-means/equal-points-leave-nothing-to-draw", test_equal_points);
  return g_test_run ();
}
