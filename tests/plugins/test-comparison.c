/* The comparison stage. */
#include "plugins/harness.h"

#include <json-glib/json-glib.h>

static LbPacket *
metrics (const char *architecture, double accuracy, gint64 images, gint64 bytes, double flops)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_set_number (packet, "accuracy", accuracy);
  lb_packet_set_number (packet, "loss", 1);
  lb_packet_set_integer (packet, "images", 100);
  lb_packet_take (packet, "confusion", lb_tensor_new (LB_I64, LB_SHAPE (2, 2)));
  lb_packet_set_text (packet, "architecture", architecture);
  lb_packet_set_integer (packet, "index", 0);
  lb_packet_set_integer (packet, "set_images", images);
  lb_packet_set_integer (packet, "set_bytes", bytes);
  lb_packet_set_number (packet, "training_flops", flops);
  return packet;
}

static void
feed (LbHarness *h, const char *source, LbPacket *packet)
{
  lb_harness_feed (h, "metrics", source, "metrics", packet, 2);
  lb_packet_unref (packet);
}

/* Random selection: two students at 50 and 60 %, and one of another architecture; distilled: two at 70 and 71 %. */
static LbHarness *
comparison (void)
{
  LbHarness *h = lb_harness_new ("comparison");

  feed (h, "random.metrics", metrics ("convnet-d3", 0.5, 10, 7880, 1e9));
  feed (h, "random.metrics", metrics ("convnet-d3", 0.6, 10, 7880, 3e9));
  feed (h, "random.metrics", metrics ("convnet-d2", 0.4, 10, 7880, 1e9));
  feed (h, "distilled.metrics", metrics ("convnet-d3", 0.7, 10, 31400, 2e9));
  feed (h, "distilled.metrics", metrics ("convnet-d3", 0.71, 10, 31400, 2e9));
  lb_harness_set (h, "title", "What it bought");
  return h;
}

static void
test_table (void)
{
  g_autoptr (LbHarness) h = comparison ();
  g_auto (GStrv) lines = NULL;

  harness_run_well (h);
  lines = g_strsplit (lb_harness_report (h), "\n", -1);
  g_assert_cmpstr (lines[0], ==, "What it bought");
  g_assert_cmpstr (lines[1], ==,
                   "  set        architecture        accuracy    gain  models  images    stored    training");
  g_assert_cmpstr (lines[2], ==,
                   "  random     convnet-d3    55.00 ± 7.07 %       -       2      10  7.70 KiB  2.00 GFLOP");
  g_assert_cmpstr (lines[3], ==,
                   "  random     convnet-d2           40.00 %       -       1      10  7.70 KiB  1.00 GFLOP");
  g_assert_cmpstr (lines[4], ==,
                   "  distilled  convnet-d3    70.50 ± 0.71 %  +15.50       2      10  30.7 KiB  2.00 GFLOP");
  g_assert_true (g_strrstr (lines[5], "points over 'random'") != NULL);
}

/* What making a set took has a column where any set tells of it. */
static void
test_making (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("comparison");
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.json", NULL);
  g_auto (GStrv) lines = NULL;
  LbPacket *told = metrics ("convnet-d3", 0.7, 10, 1000, 1e9);
  JsonArray *rows;

  lb_packet_set_number (told, "set_flops", 5e12);
  feed (h, "distilled.metrics", told);
  feed (h, "full.metrics", metrics ("convnet-d3", 0.9, 100, 10000, 1e9));
  harness_run_well (h);
  lines = g_strsplit (lb_harness_report (h), "\n", -1);
  g_assert_cmpstr (lines[1], ==,
                   "  set        architecture  accuracy    gain  models  images    stored      making    training");
  g_assert_cmpstr (lines[2], ==,
                   "  distilled  convnet-d3     70.00 %       -       1      10    1000 B  5.00 TFLOP  1.00 GFLOP");
  g_assert_cmpstr (lines[3], ==,
                   "  full       convnet-d3     90.00 %  +20.00       1     100  9.77 KiB           -  1.00 GFLOP");
  g_assert_true (json_parser_load_from_file (parser, path, NULL));
  rows = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "rows");
  g_assert_cmpfloat (json_object_get_double_member (json_array_get_object_element (rows, 0), "making_flops"), ==, 5e12);
  g_assert_true (json_object_get_null_member (json_array_get_object_element (rows, 1), "making_flops"));
}

static void
test_json (void)
{
  g_autoptr (LbHarness) h = comparison ();
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.json", NULL);
  JsonObject *row, *root;

  lb_harness_set (h, "baseline", "distilled");
  harness_run_well (h);
  g_assert_true (json_parser_load_from_file (parser, path, NULL));
  root = json_node_get_object (json_parser_get_root (parser));
  g_assert_cmpstr (json_object_get_string_member (root, "baseline"), ==, "distilled");
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (root, "rows")), ==, 3);
  row = json_array_get_object_element (json_object_get_array_member (root, "rows"), 0);
  g_assert_cmpstr (json_object_get_string_member (row, "set"), ==, "random");
  g_assert_cmpfloat (fabs (json_object_get_double_member (row, "gain") + 0.155), <, 1e-12);
  g_assert_cmpfloat (fabs (json_object_get_double_member (row, "std") - 0.1 / sqrt (2)), <, 1e-12);
  g_assert_cmpint (json_object_get_int_member (row, "bytes"), ==, 7880);
  g_assert_cmpuint (json_array_get_length (json_object_get_array_member (row, "accuracies")), ==, 2);
  row = json_array_get_object_element (json_object_get_array_member (root, "rows"), 1);
  g_assert_true (json_object_get_null_member (row, "std"));
  g_assert_true (json_object_get_null_member (row, "gain"));
}

static void
assert_text (LbPacket *packet, const char *field, const char *expected)
{
  g_autofree char *text = lb_packet_get_text (packet, field);

  g_assert_cmpstr (text, ==, expected);
}

/* What the table says goes on as packets, a row each. */
static void
test_rows_are_sent_on (void)
{
  g_autoptr (LbHarness) h = comparison ();

  lb_harness_set (h, "published", "0,70.6");
  harness_run_well (h);
  g_assert_cmpuint (lb_harness_n_outputs (h, "rows"), ==, 3);
  LbPacket *first = lb_harness_output (h, "rows", 0), *last = lb_harness_output (h, "rows", 2);
  assert_text (first, "title", "What it bought");
  assert_text (first, "set", "random");
  assert_text (last, "set", "distilled");
  assert_text (last, "architecture", "convnet-d3");
  assert_text (last, "baseline", "random");
  g_assert_cmpint (lb_tensor_size (lb_packet_get (last, "accuracies")), ==, 2);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (last, "accuracies"))[1], ==, 0.71);
  g_assert_cmpfloat (fabs (lb_tensor_f64 (lb_packet_get (last, "gain"))[0] - 0.155), <, 1e-12);
  g_assert_true (isnan (lb_tensor_f64 (lb_packet_get (first, "gain"))[0]));
  g_assert_cmpfloat (fabs (lb_tensor_f64 (lb_packet_get (last, "published"))[0] - 0.706), <, 1e-12);
  g_assert_cmpint (lb_tensor_i64 (lb_packet_get (last, "bytes"))[0], ==, 31400);
  g_assert_cmpfloat (lb_tensor_f64 (lb_packet_get (last, "training_flops"))[0], ==, 2e9);
}

static void
test_names_can_be_given (void)
{
  g_autoptr (LbHarness) h = comparison (), wrong = comparison ();

  lb_harness_set (h, "names", "picked at random,DC");
  harness_run_well (h);
  g_assert_nonnull (strstr (lb_harness_report (h), "\n  DC                convnet-d3"));
  lb_harness_set (wrong, "names", "one");
  harness_refuses (wrong, LB_ERROR_PIPELINE,
                   "property 'names' has 1 names for 2 inputs; give one for each input, or leave it out");
}

static void
test_refuses_an_unknown_baseline (void)
{
  g_autoptr (LbHarness) h = comparison ();

  lb_harness_set (h, "baseline", "randon");
  harness_refuses (h, LB_ERROR_PIPELINE,
                   "property 'baseline' is 'randon'; expected one of random, distilled; did you mean 'random'?");
}

/* What is published stands beside what was measured, and what was run shorter says so. */
static void
test_published (void)
{
  g_autoptr (LbHarness) h = comparison ();
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.json", NULL);
  JsonArray *rows;

  lb_harness_set (h, "published", "0,70.6");
  lb_harness_set (h, "iterations", "1000,20");
  lb_harness_set (h, "published-iterations", "1000,1000");
  harness_run_well (h);
  g_assert_nonnull (strstr (lb_harness_report (h), "70.50 ± 0.71 %  70.60 (-0.10) after 20 of 1000 iterations"));
  g_assert_nonnull (strstr (lb_harness_report (h), "55.00 ± 7.07 %  -  "));
  g_assert_true (json_parser_load_from_file (parser, path, NULL));
  rows = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "rows");
  g_assert_true (json_object_get_null_member (json_array_get_object_element (rows, 0), "published"));
  g_assert_false (json_object_get_boolean_member (json_array_get_object_element (rows, 0), "shorter_than_published"));
  g_assert_cmpfloat (
      fabs (json_object_get_double_member (json_array_get_object_element (rows, 2), "published") - 0.706), <, 1e-12);
  g_assert_true (json_object_get_boolean_member (json_array_get_object_element (rows, 2), "shorter_than_published"));
}

/* Four models of two sets in one row: mean and deviation over all of them. */
static void
test_sets_of_one_name_share_a_row (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("comparison"), wrong = lb_harness_new ("comparison");
  g_auto (GStrv) lines = NULL;
  g_autofree char *path = NULL, *json = NULL;

  feed (h, "score-1.metrics", metrics ("convnet-d3", 0.70, 10, 31400, 1e9));
  feed (h, "score-1.metrics", metrics ("convnet-d3", 0.72, 10, 31400, 1e9));
  feed (h, "other.metrics", metrics ("convnet-d3", 0.5, 10, 31400, 1e9));
  feed (h, "score-2.metrics", metrics ("convnet-d3", 0.74, 10, 31400, 1e9));
  feed (h, "score-2.metrics", metrics ("convnet-d3", 0.76, 10, 31400, 1e9));
  lb_harness_set (h, "names", "DC,random,DC");
  lb_harness_set (h, "published", "70.5,0,70.5");
  harness_run_well (h);
  lines = g_strsplit (lb_harness_report (h), "\n", -1);
  g_assert_true (g_str_has_prefix (lines[2], "  DC      convnet-d3    73.00 ± 2.58 %  70.50 (+2.50)"));
  g_assert_true (g_str_has_prefix (lines[3], "  random  convnet-d3           50.00 %"));
  g_assert_true (g_str_has_prefix (lines[4], "Accuracy on"));
  path = g_build_filename (lb_harness_directory (h), "stage.json", NULL);
  g_assert_true (g_file_get_contents (path, &json, NULL, NULL));
  g_assert_nonnull (strstr (json, "\"sets\" : 2"));

  feed (wrong, "score-1.metrics", metrics ("convnet-d3", 0.70, 10, 31400, 1e9));
  feed (wrong, "score-2.metrics", metrics ("convnet-d3", 0.70, 20, 62800, 1e9));
  lb_harness_set (wrong, "names", "DC,DC");
  harness_refuses (wrong, LB_ERROR_INPUT,
                   "two inputs are called 'DC', but their sets have 10 images of 31400 bytes and 20 of 62800; expected "
                   "sets of one kind, so give them two names");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/comparison/making", test_making);
  g_test_add_func ("/comparison/table", test_table);
  g_test_add_func ("/comparison/json", test_json);
  g_test_add_func ("/comparison/rows-are-sent-on", test_rows_are_sent_on);
  g_test_add_func ("/comparison/published", test_published);
  g_test_add_func ("/comparison/names-can-be-given", test_names_can_be_given);
  g_test_add_func ("/comparison/refuses-an-unknown-baseline", test_refuses_an_unknown_baseline);
  g_test_add_func ("/comparison/sets-of-one-name-share-a-row", test_sets_of_one_name_share_a_row);
  return g_test_run ();
}
