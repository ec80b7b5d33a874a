/* What every stage promises, asked of every stage there is: tables that tell everything, defaults that are valid, a
 * configure that is pure, the same bits at any number of threads, stopped and taken up again, and cancelled anywhere.
 *
 * Each stage has a row in the table below, with an example that takes moments; a stage without one fails the test.
 */
#include "plugins/harness.h"

#include "plugin/port.h"
#include "plugin/property.h"
#include "plugin/registry.h"

#define CLASSES 3
#define NETWORK "convnet-d1:width=8"

/* ---- Packets and files that examples are made of ---- */

static char *folder; /* of the files, removed at the end */

static char *
put (const char *name, gconstpointer data, gsize length)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *directory = g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, data, (gssize)length, NULL));
  return path;
}

static void
feed_samples (LbHarness *h, const char *port, gint64 n, guint64 seed)
{
  g_autoptr (LbPacket) samples = toy_samples (n, 8, CLASSES, seed);

  lb_harness_feed (h, port, "set.samples", "samples", samples, CLASSES);
  lb_harness_announce (h, "set.samples");
  lb_harness_announce_dim (h, "set.samples", "least", n / CLASSES);
}

static LbTensor *
trained (guint64 seed)
{
  g_autoptr (LbNetwork) network = lb_network_new (NETWORK, (LbImageSize){ 1, 8, 8 }, CLASSES, NULL);

  return lb_network_initialise (network, lb_key (seed));
}

static void
feed_models (LbHarness *h, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autoptr (LbPacket) model = model_packet (NETWORK, trained (i), i);
    lb_harness_feed (h, "model", "net.model", "model", model, CLASSES);
  }
  lb_harness_announce (h, "net.model");
}

static LbPacket *
views_of (void)
{
  LbPacket *views = lb_packet_new ();

  lb_packet_take (views, "windows", lb_view_windows (8, 8, 2, 0.5));
  return views;
}

static LbPacket *
augmented_of (gint64 n)
{
  LbPacket *packet = toy_samples (n, 8, CLASSES, 3);
  LbTensor *dense = lb_tensor_new (LB_F32, LB_SHAPE (n, 4, CLASSES));

  for (gint64 i = 0; i < 4 * n; i++)
    lb_tensor_f32 (dense)[CLASSES * i + i % CLASSES] = 1;
  lb_packet_take (packet, "windows", lb_view_windows (8, 8, 2, 0.5));
  lb_packet_take (packet, "dense_labels", dense);
  return packet;
}

/* A file that @sink left, under a name of its own. */
static char *
file_of (LbHarness *sink, const char *file, const char *name)
{
  g_autofree char *path = g_build_filename (lb_harness_directory (sink), file, NULL), *contents = NULL;
  gsize length;

  harness_run_well (sink);
  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  return put (name, contents, length);
}

/* ---- Examples ---- */

static void
idx (LbHarness *h)
{
  static const guint8 images[]
      = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23 };
  static const guint8 labels[] = { 0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1 };
  g_autofree char *pixels = put ("images", images, sizeof images), *classes = put ("labels", labels, sizeof labels);

  lb_harness_set (h, "images", pixels);
  lb_harness_set (h, "labels", classes);
  lb_harness_set (h, "classes", "3");
}

static void
cifar (LbHarness *h)
{
  lb_harness_set (h, "path", folder);
}

static char *
picture (const char *name)
{
  g_autoptr (LbHarness) sheet = lb_harness_new ("contact-sheet");

  feed_samples (sheet, "samples", 6, 1);
  return file_of (sheet, "stage.png", name);
}

static void
image_folder (LbHarness *h)
{
  g_autofree char *one = picture ("photographs/bag/1.png"), *two = picture ("photographs/shoe/1.png");
  g_autofree char *path = g_build_filename (folder, "photographs", NULL);

  lb_harness_set (h, "path", path);
  lb_harness_set (h, "size", "8");
}

static void
image_grid (LbHarness *h)
{
  g_autofree char *path = picture ("grid.png");

  lb_harness_set (h, "file", path);
  lb_harness_set (h, "rows", "1");
  lb_harness_set (h, "columns", "1");
  lb_harness_set (h, "images-per-class", "1");
}

static void
tensors (LbHarness *h)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (LbTensor) images = lb_tensor_new (LB_F32, LB_SHAPE (4, 1, 8, 8));
  g_autofree char *path = NULL;

  lb_npy_append (bytes, images);
  path = put ("images.npy", bytes->data, bytes->len);
  lb_harness_set (h, "file", path);
  lb_harness_set (h, "values", "unit");
  lb_harness_set (h, "normalisation", "mnist");
  lb_harness_set (h, "images-per-class", "2");
}

static void
npz_sink (LbHarness *h)
{
  feed_samples (h, "samples", 6, 1);
}

static void
npz_source (LbHarness *h)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink");
  g_autofree char *path = NULL;

  npz_sink (sink);
  path = file_of (sink, "stage.npz", "set.npz");
  lb_harness_set (h, "file", path);
}

static void
npz_augmented_source (LbHarness *h)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-sink");
  g_autoptr (LbPacket) augmented = augmented_of (6);
  g_autofree char *path = NULL;

  lb_harness_feed (sink, "samples", "set.augmented", "augmented", augmented, CLASSES);
  path = file_of (sink, "stage.npz", "augmented.npz");
  lb_harness_set (h, "file", path);
}

static LbPacket *
trajectory_of (guint64 seed)
{
  LbPacket *packet = lb_packet_new ();
  g_autoptr (LbTensor) start = trained (seed);
  gint64 p = lb_tensor_size (start);
  LbTensor *parameters = lb_tensor_new (LB_F32, LB_SHAPE (4, p));

  for (gint64 i = 0; i < 4 * p; i++)
    lb_tensor_f32 (parameters)[i] = lb_tensor_f32 (start)[i % p] * (1 - 0.1f * (float)(i / p));
  lb_packet_take (packet, "parameters", parameters);
  lb_packet_set_text (packet, "architecture", NETWORK);
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  lb_packet_set_integer (packet, "index", (gint64)seed);
  lb_packet_set_integer (packet, "epochs_apart", 1);
  lb_packet_set_number (packet, "learning_rate", 0.01);
  lb_packet_set_number (packet, "training_flops", 1e9);
  return packet;
}

static void
feed_trajectories (LbHarness *h, const char *port)
{
  for (guint i = 0; i < 2; i++) {
    g_autoptr (LbPacket) trajectory = trajectory_of (i);
    lb_harness_feed (h, port, "experts.trajectory", "trajectory", trajectory, CLASSES);
  }
  lb_harness_announce (h, "experts.trajectory");
  lb_harness_announce_dim (h, "experts.trajectory", "h", 8);
  lb_harness_announce_dim (h, "experts.trajectory", "w", 8);
}

static void
npz_trajectory_sink (LbHarness *h)
{
  feed_trajectories (h, "trajectory");
}

static void
npz_trajectory_source (LbHarness *h)
{
  g_autoptr (LbHarness) sink = lb_harness_new ("npz-trajectory-sink");
  g_autofree char *path = NULL;

  npz_trajectory_sink (sink);
  path = file_of (sink, "stage.npz", "experts.npz");
  lb_harness_set (h, "file", path);
}

static void
random_selection (LbHarness *h)
{
  feed_samples (h, "source", 12, 1);
}

static void
coreset (LbHarness *h)
{
  feed_samples (h, "source", 12, 1);
  feed_models (h, 1);
}

static void
sub_sampler (LbHarness *h)
{
  feed_samples (h, "samples", 6, 1);
}

static void
labeler (LbHarness *h)
{
  g_autoptr (LbPacket) views = views_of ();

  feed_samples (h, "samples", 6, 1);
  lb_harness_feed (h, "views", "views.views", "views", views, 0);
  feed_models (h, 1);
}

static void
trainer (LbHarness *h)
{
  g_autoptr (LbPacket) augmented = augmented_of (12);

  /* At 1 a step takes fewer operations; the stage predicts those of the temperature that it is told. */
  lb_packet_set_number (augmented, "temperature", 4);
  lb_harness_feed (h, "samples", "set.augmented", "augmented", augmented, CLASSES);
  lb_harness_announce (h, "set.augmented");
  lb_harness_set (h, "architecture", NETWORK);
  lb_harness_set (h, "epochs", "4");
  lb_harness_set (h, "repeats", "2");
  lb_harness_set (h, "batch", "5");
  lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
}

static void
evaluator (LbHarness *h)
{
  feed_samples (h, "samples", 12, 1);
  feed_models (h, 2);
}

static void
comparison (LbHarness *h)
{
  for (guint i = 0; i < 2; i++) {
    g_autoptr (LbPacket) packet = lb_packet_new ();

    lb_packet_set_number (packet, "accuracy", 0.5 + 0.1 * i);
    lb_packet_set_number (packet, "loss", 1);
    lb_packet_set_integer (packet, "images", 100);
    lb_packet_take (packet, "confusion", lb_tensor_new (LB_I64, LB_SHAPE (CLASSES, CLASSES)));
    lb_packet_set_text (packet, "architecture", NETWORK);
    lb_packet_set_integer (packet, "index", i);
    lb_packet_set_integer (packet, "set_images", 10);
    lb_packet_set_integer (packet, "set_bytes", 7880);
    lb_packet_set_number (packet, "training_flops", 1e9);
    lb_harness_feed (h, "metrics", "score.metrics", "metrics", packet, CLASSES);
  }
}

static void
gradient_matching (LbHarness *h)
{
  feed_samples (h, "source", 12, 1);
  lb_harness_set (h, "architecture", NETWORK);
  lb_harness_set (h, "iterations", "2");
  lb_harness_set (h, "outer-steps", "2");
  lb_harness_set (h, "inner-epochs", "2");
  lb_harness_set (h, "augmentation", "color_crop_cutout_flip_scale_rotate");
}

static void
distribution_matching (LbHarness *h)
{
  feed_samples (h, "source", 12, 1);
  lb_harness_set (h, "architecture", NETWORK);
  lb_harness_set (h, "iterations", "3");
}

/* Stored images of a formation, as gradient-matching sends them. */
static void
formation (LbHarness *h)
{
  g_autoptr (LbHarness) matching = lb_harness_new ("gradient-matching");

  gradient_matching (matching);
  lb_harness_set (matching, "formation", "2");
  harness_run_well (matching);
  lb_harness_feed (h, "samples", "distil.stored", "samples", lb_harness_output (matching, "stored", 0), CLASSES);
}

static void
grad_cam (LbHarness *h)
{
  feed_samples (h, "samples", 6, 1);
  feed_models (h, 1);
}

/* A contact sheet as it is sent. */
static void
report (LbHarness *h)
{
  g_autoptr (LbHarness) sheet = lb_harness_new ("contact-sheet");

  feed_samples (sheet, "samples", 6, 1);
  harness_run_well (sheet);
  lb_harness_feed (h, "pictures", "sheet.picture", "picture", lb_harness_output (sheet, "picture", 0), 0);
}

static void
trajectory_matching (LbHarness *h)
{
  feed_samples (h, "source", 12, 1);
  feed_trajectories (h, "experts");
  lb_harness_set (h, "iterations", "3");
  lb_harness_set (h, "inner-steps", "4");
  lb_harness_set (h, "image-learning-rate", "1");
}

static void
zca (LbHarness *h)
{
  feed_samples (h, "samples", 12, 1);
}

typedef struct {
  const char *name;
  void (*make) (LbHarness *h);
  gboolean
      large; /* its files have a size of their own, of many megabytes: it is configured, and run by its own tests */
} Example;

static const Example examples[] = {
  { "cifar", cifar, TRUE },
  { "comparison", comparison },
  { "contact-sheet", sub_sampler },
  { "distribution-matching", distribution_matching },
  { "evaluator", evaluator },
  { "formation", formation },
  { "grad-cam", grad_cam },
  { "gradient-matching", gradient_matching },
  { "herding", coreset },
  { "idx", idx },
  { "image-folder", image_folder },
  { "image-grid", image_grid },
  { "k-center", coreset },
  { "labeler", labeler },
  { "npz-augmented-source", npz_augmented_source },
  { "npz-sink", npz_sink },
  { "npz-source", npz_source },
  { "npz-trajectory-sink", npz_trajectory_sink },
  { "npz-trajectory-source", npz_trajectory_source },
  { "random-selection", random_selection },
  { "report", report },
  { "sub-sampler", sub_sampler },
  { "tensors", tensors },
  { "trainer", trainer },
  { "trajectory-matching", trajectory_matching },
  { "zca", zca },
};

static const Example *
find_example (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (examples); i++)
    if (g_str_equal (examples[i].name, name))
      return &examples[i];
  g_error ("stage type '%s' has no example; add a row to the table of tests/plugins/test-promises.c", name);
}

/* ---- Tables ---- */

static void
assert_said (const char *type, const char *what, const char *name, const char *doc)
{
  if (!doc || strlen (doc) < 8)
    g_error ("stage type '%s': %s '%s' has no documentation", type, what, name);
  if (g_str_has_suffix (doc, ".") && !g_str_has_suffix (doc, "..."))
    g_error ("stage type '%s': %s '%s': a line of documentation has no full stop", type, what, name);
}

static void
assert_named (const char *type, const char *name)
{
  if (!*name || strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen (name))
    g_error ("stage type '%s': '%s' is no name of small letters, digits and hyphens", type, name);
}

static void
test_tables (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  const LbStageType *type = lb_harness_type (h);

  assert_named (type->name, type->name);
  assert_said (type->name, "stage", type->name, type->summary);
  g_assert_nonnull (type->description);
  g_assert_true (lb_ports_count (type->inputs) + lb_ports_count (type->outputs) > 0);
  for (const LbPort *port = type->inputs; port && port->name; port++)
    assert_said (type->name, "input", port->name, port->doc);
  for (const LbPort *port = type->outputs; port && port->name; port++)
    assert_said (type->name, "output", port->name, port->doc);
  for (const LbProperty *p = type->properties; p && p->name; p++) {
    assert_named (type->name, p->name);
    assert_said (type->name, "property", p->name, p->doc);
    g_assert_true (p->maximum >= p->minimum);
    g_assert_true ((p->kind == LB_PROPERTY_CHOICE) == (p->choices != NULL));
  }
}

static void
test_defaults (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);

  for (const LbProperty *p = lb_harness_type (h)->properties; p && p->name; p++)
    if (p->fallback)
      lb_harness_set (h, p->name, p->fallback);
}

/* ---- Behaviour ---- */

static void
test_configure (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  g_autoptr (GError) error = NULL;

  find_example (data)->make (h);
  lb_harness_check_configure (h, &error);
  g_assert_no_error (error);
}

static void
test_threads (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  g_autoptr (GError) error = NULL;

  find_example (data)->make (h);
  lb_harness_check_threads (h, &error);
  g_assert_no_error (error);
}

static void
test_resume (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  g_autoptr (GError) error = NULL;

  find_example (data)->make (h);
  lb_harness_check_resume (h, 4, &error);
  g_assert_no_error (error);
}

/* Of stages whose iterations say nothing but how far they go. */
static void
test_longer (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  g_autoptr (GError) error = NULL;

  find_example (data)->make (h);
  lb_harness_check_longer (h, "iterations", 2, &error);
  g_assert_no_error (error);
}

static gboolean
has_iterations (const LbStageType *type)
{
  for (const LbProperty *p = type->properties; p && p->name; p++)
    if (g_str_equal (p->name, "iterations") && p->kind == LB_PROPERTY_INTEGER)
      return TRUE;
  return FALSE;
}

static void
test_cancel (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  g_autoptr (GError) error = NULL;

  find_example (data)->make (h);
  lb_harness_check_cancel (h, 6, &error);
  g_assert_no_error (error);
}

/* Every operation that was predicted is counted, and every output ends as it was told. */
static void
test_cost (gconstpointer data)
{
  g_autoptr (LbHarness) h = lb_harness_new (data);
  g_autoptr (GError) error = NULL;

  find_example (data)->make (h);
  lb_harness_run (h, &error);
  g_assert_no_error (error);
  if (lb_harness_predicted_flops (h) >= 0)
    g_assert_cmpfloat (lb_harness_flops (h), ==, lb_harness_predicted_flops (h));
}

/* Also the other way: what has an example is there. */
static void
test_all_are_there (void)
{
  g_autoptr (LbRegistry) registry = lb_registry_new_default ();

  for (guint i = 0; i < G_N_ELEMENTS (examples); i++)
    if (!lb_registry_find (registry, examples[i].name))
      g_error ("stage type '%s' of the table is not there", examples[i].name);
}

static void
add (const char *stage, const char *promise, GTestDataFunc test)
{
  g_autofree char *path = g_strdup_printf ("/promises/%s/%s", stage, promise);

  g_test_add_data_func (path, stage, test);
}

int
main (int argc, char **argv)
{
  g_autoptr (LbRegistry) registry = lb_registry_new_default ();
  g_autofree const char **names = lb_registry_names (registry);
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("limbeck-promises-XXXXXX", NULL);
  g_test_add_func ("/promises/all-stages-are-there", test_all_are_there);
  for (guint i = 0; names[i]; i++) {
    add (names[i], "tables-tell-everything", test_tables);
    add (names[i], "defaults-are-valid", test_defaults);
    if (find_example (names[i])->large)
      continue;
    add (names[i], "configure-is-pure", test_configure);
    add (names[i], "same-bits-at-any-thread-count", test_threads);
    add (names[i], "goes-on-where-it-was-stopped", test_resume);
    if (has_iterations (lb_registry_find (registry, names[i])->type))
      add (names[i], "goes-on-where-a-shorter-run-ended", test_longer);
    add (names[i], "stops-when-cancelled", test_cancel);
    add (names[i], "takes-what-was-predicted", test_cost);
  }
  status = g_test_run ();
  remove_all (folder);
  g_free (folder);
  return status;
}
