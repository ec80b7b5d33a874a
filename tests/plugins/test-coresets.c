/* The stages herding and k-center, against plain searches over features computed here. */
#include "plugins/harness.h"

#define N       30
#define CLASSES 3
#define EACH    (N / CLASSES)
#define COUNT   4

/* The model that both stages get: convnet-d1 of few channels, as it starts. */
static LbPacket *
fresh_model (void)
{
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1:width=8", (LbImageSize){ 1, 8, 8 }, CLASSES, NULL);

  return model_packet ("convnet-d1:width=8", lb_network_initialise (network, lb_key (5)), 0);
}

static LbHarness *
coreset (const char *type, LbPacket *source, LbPacket *model, const char *count)
{
  LbHarness *h = lb_harness_new (type);

  lb_harness_set (h, "images-per-class", count);
  lb_harness_feed (h, "source", "set.samples", "samples", source, CLASSES);
  lb_harness_feed (h, "model", "net.model", "model", model, CLASSES);
  return h;
}

/* Features f32 [N, d], by a program of their own. */
static LbTensor *
features_of (LbPacket *source, LbPacket *model)
{
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1:width=8", (LbImageSize){ 1, 8, 8 }, CLASSES, NULL);
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  g_autofree LbNode **parameters = g_new0 (LbNode *, lb_network_n_tensors (network));
  LbNode *images = lb_batch_input (graph, "images", LB_SHAPE (N, 8, 8, 1)), *features;
  g_autoptr (LbTensor) values = lb_tensor_new (LB_F32, LB_SHAPE (N, 8, 8, 1));
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (LbCompute) compute = lb_compute_new (pool);
  g_autoptr (LbProgram) program = NULL;

  lb_network_inputs (network, graph, "", parameters);
  features = lb_network_features (network, parameters, images);
  g_assert_true (lb_shape_equal (lb_node_shape (features), LB_SHAPE (N, 4 * 4 * 8)));
  program = lb_compile (graph, &features, 1, NULL);
  lb_images_load (lb_packet_get (source, "images"), NULL, N, lb_packet_get (source, "mean"),
                  lb_packet_get (source, "std"), values);
  lb_program_bind (program, images, values);
  lb_network_bind (network, program, parameters, lb_packet_get (model, "parameters"));
  lb_program_run (program, compute);
  return lb_tensor_copy (lb_program_result (program, features));
}

static double
squared (const double *a, const float *b, gint64 d)
{
  double sum = 0;

  for (gint64 k = 0; k < d; k++)
    sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}

/* Image @i of class @class in the toy set. */
static gint64
nth (gint64 class, gint64 i)
{
  return i * CLASSES + class;
}

/* Whether image @i of the output shows image @j of the source. */
static gboolean
shows (LbPacket *samples, gint64 i, LbPacket *source, gint64 j)
{
  return memcmp (lb_tensor_u8 (lb_packet_get (samples, "images")) + 64 * i,
                 lb_tensor_u8 (lb_packet_get (source, "images")) + 64 * j, 64)
         == 0;
}

static void
test_herding (void)
{
  g_autoptr (LbPacket) source = toy_samples (N, 8, CLASSES, 3), model = fresh_model ();
  g_autoptr (LbHarness) h = coreset ("herding", source, model, "4");
  g_autoptr (LbTensor) features = features_of (source, model);
  gint64 d = lb_tensor_dim (features, 1);
  LbPacket *samples;

  lb_harness_announce (h, "net.model");
  harness_run_well (h);
  samples = lb_harness_output (h, "samples", 0);
  g_assert_cmpint (lb_tensor_dim (lb_packet_get (samples, "images"), 0), ==, COUNT * CLASSES);
  for (gint64 class = 0; class < CLASSES; class ++) {
    gboolean used[EACH] = { FALSE };
    g_autofree double *chosen = g_new0 (double, d), *mean = g_new0 (double, d), *target = g_new0 (double, d);

    for (gint64 i = 0; i < EACH; i++)
      for (gint64 k = 0; k < d; k++)
        mean[k] += lb_tensor_f32 (features)[nth (class, i) * d + k] / (double)EACH;
    for (gint64 c = 0; c < COUNT; c++) {
      gint64 best = -1;
      double least = 0;

      for (gint64 k = 0; k < d; k++)
        target[k] = (double)(c + 1) * mean[k] - chosen[k];
      for (gint64 i = 0; i < EACH; i++) {
        double distance = squared (target, lb_tensor_f32 (features) + nth (class, i) * d, d);
        if (!used[i] && (best < 0 || distance < least)) {
          best = i;
          least = distance;
        }
      }
      used[best] = TRUE;
      for (gint64 k = 0; k < d; k++)
        chosen[k] += lb_tensor_f32 (features)[nth (class, best) * d + k];
      g_assert_true (shows (samples, class * COUNT + c, source, nth (class, best)));
      g_assert_cmpint (lb_tensor_i32 (lb_packet_get (samples, "labels"))[class * COUNT + c], ==, class);
    }
  }
  g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
}

static void
test_k_center (void)
{
  g_autoptr (LbPacket) source = toy_samples (N, 8, CLASSES, 3), model = fresh_model ();
  g_autoptr (LbHarness) h = coreset ("k-center", source, model, "4");
  g_autoptr (LbTensor) features = features_of (source, model);
  gint64 d = lb_tensor_dim (features, 1);
  LbPacket *samples;

  harness_run_well (h);
  samples = lb_harness_output (h, "samples", 0);
  for (gint64 class = 0; class < CLASSES; class ++) {
    g_autofree double *mean = g_new0 (double, d), *centre = g_new0 (double, d);
    gint64 chosen[COUNT], best = 0;

    for (gint64 i = 0; i < EACH; i++)
      for (gint64 k = 0; k < d; k++)
        mean[k] += lb_tensor_f32 (features)[nth (class, i) * d + k] / (double)EACH;
    for (gint64 i = 1; i < EACH; i++)
      if (squared (mean, lb_tensor_f32 (features) + nth (class, i) * d, d)
          < squared (mean, lb_tensor_f32 (features) + nth (class, best) * d, d))
        best = i;
    for (gint64 c = 0; c < COUNT; c++) {
      double farthest = -1;

      chosen[c] = best;
      g_assert_true (shows (samples, class * COUNT + c, source, nth (class, best)));
      for (gint64 i = 0; i < EACH; i++) {
        double nearest = INFINITY;

        for (gint64 j = 0; j <= c; j++) {
          for (gint64 k = 0; k < d; k++)
            centre[k] = lb_tensor_f32 (features)[nth (class, chosen[j]) * d + k];
          nearest = MIN (nearest, squared (centre, lb_tensor_f32 (features) + nth (class, i) * d, d));
        }
        if (nearest > farthest) {
          farthest = nearest;
          best = i;
        }
      }
    }
  }
}

/* Of images that are all the same, the first ones are chosen, each once. */
static void
test_ties_go_to_the_first (void)
{
  static const char *const types[] = { "herding", "k-center" };
  g_autoptr (LbPacket) source = toy_samples (N, 8, CLASSES, 3), model = fresh_model ();
  LbTensor *images = lb_tensor_copy (lb_packet_get (source, "images"));
  g_autoptr (LbPacket) same = packet_with (source, "images", images);

  for (int i = CLASSES; i < N; i++)
    memcpy (lb_tensor_u8 (images) + 64 * i, lb_tensor_u8 (images) + 64 * (i % CLASSES), 64);
  for (guint t = 0; t < G_N_ELEMENTS (types); t++) {
    g_autoptr (LbHarness) h = coreset (types[t], same, model, "10");

    harness_run_well (h);
    for (gint64 i = 0; i < N; i++)
      g_assert_true (shows (lb_harness_output (h, "samples", 0), i, same, i / EACH));
  }
}

static void
test_refuses_what_cannot_work (void)
{
  g_autoptr (LbPacket) source = toy_samples (N, 8, CLASSES, 3), model = fresh_model ();
  g_autoptr (LbPacket) other = packet_with (model, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.5f }));
  g_autoptr (LbHarness) many = coreset ("herding", source, model, "11"), two = coreset ("k-center", source, model, "1");
  g_autoptr (LbHarness) different = coreset ("k-center", source, other, "1");
  g_autoptr (GError) error = NULL;

  harness_refuses (many, LB_ERROR_INPUT,
                   "'set.samples' has 10 images of class 0, but images-per-class asks for 11; ask for fewer, or give a "
                   "larger source");
  lb_harness_feed (two, "model", "net.model", "model", model, CLASSES);
  harness_refuses (
      two, LB_ERROR_INPUT,
      "'net.model' sends more than one model; expected exactly one network, so train one architecture with "
      "repeats: 1");
  g_assert_false (lb_harness_run (different, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "is normalised with mean 0.4 and std 0.3"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/coresets/herding-is-the-plain-search", test_herding);
  g_test_add_func ("/coresets/k-center-is-the-plain-search", test_k_center);
  g_test_add_func ("/coresets/ties-go-to-the-first", test_ties_go_to_the_first);
  g_test_add_func ("/coresets/refuses-what-cannot-work", test_refuses_what_cannot_work);
  return g_test_run ();
}
