/* A stage alone: a host with links that the test itself writes and reads, no pipeline. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "plugin/host.h"

static const LbPort inputs[] = {
  { "samples", "samples", "c", LB_PORT_OPTIONAL, "images" },
  { "more", "samples", NULL, LB_PORT_OPTIONAL | LB_PORT_MANY, "more images" },
  { "metrics", "metrics", NULL, LB_PORT_OPTIONAL, "how well" },
  { "augmented", "augmented", NULL, LB_PORT_OPTIONAL, "images with dense labels" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "made", "samples", "c", 0, "images" },
  { "views", "views", NULL, 0, "windows" },
  LB_PORTS_END,
};

typedef gboolean (*Body) (LbStage *stage, gpointer self, GError **error);

/* Everything around one stage. Links are roomy, so that a test may write before anyone reads. */
typedef struct {
  LbSchemas *schemas;
  LbFlow *flow;
  LbPool *pool;
  char *directory;
  LbStageType type;
  LbConfigured *configured;
  LbStage *stage;
  LbStageLink in[4], out[4];
  LbInputSpec specs[4];
  LbSpec *spec_of[4];
  guint n_in, n_out;
  GString *heard; /* what the listener was told */
} Fixture;

static gboolean
do_nothing (LbStage *stage, gpointer self, GError **error)
{
  return TRUE;
}

static void
hear_progress (gpointer data, LbStage *stage, guint64 done, guint64 total, const char *what, double value)
{
  g_string_append_printf (data, "%s %d/%d %s %g;", lb_stage_name (stage), (int)done, (int)total, what, value);
}

static void
hear_metric (gpointer data, LbStage *stage, const char *name, double value, const char *unit)
{
  g_string_append_printf (data, "%s %g %s;", name, value, unit);
}

static void
hear_report (gpointer data, LbStage *stage, const char *text)
{
  g_string_append_printf (data, "[%s];", text);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->schemas = lb_schemas_new ();
  lb_schemas_load (fixture->schemas, g_getenv ("LIMBECK_SCHEMA_PATH"), &error);
  g_assert_no_error (error);
  fixture->flow = lb_flow_new ();
  fixture->pool = lb_pool_new (1);
  fixture->directory = g_dir_make_tmp ("limbeck-stage-XXXXXX", NULL);
  fixture->type
      = (LbStageType){ .name = "toy", .summary = "A toy", .inputs = inputs, .outputs = outputs, .run = do_nothing };
  fixture->heard = g_string_new (NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = g_build_filename (fixture->directory, "sub", "result.txt", NULL);
  g_autofree char *sub = g_build_filename (fixture->directory, "sub", NULL);

  lb_stage_free (fixture->stage);
  lb_configured_free (fixture->configured);
  for (guint i = 0; i < fixture->n_in; i++)
    lb_spec_free (fixture->spec_of[i]);
  lb_flow_free (fixture->flow);
  lb_pool_free (fixture->pool);
  lb_schemas_free (fixture->schemas);
  g_remove (file);
  g_rmdir (sub);
  g_rmdir (fixture->directory);
  g_free (fixture->directory);
  g_string_free (fixture->heard, TRUE);
}

static LbLink *
link_input (Fixture *fixture, const char *port, const char *source, const char *schema)
{
  guint i = fixture->n_in++;

  fixture->spec_of[i] = lb_spec_new (lb_schemas_find (fixture->schemas, schema));
  fixture->specs[i] = (LbInputSpec){ lb_port_find_input (&fixture->type, port, NULL), source, fixture->spec_of[i] };
  fixture->in[i] = (LbStageLink){ port, source, lb_flow_add_link (fixture->flow, source, 1 << 20) };
  return fixture->in[i].link;
}

static LbLink *
link_output (Fixture *fixture, const char *port)
{
  guint i = fixture->n_out++;

  fixture->out[i] = (LbStageLink){ port, NULL, lb_flow_add_link (fixture->flow, port, 1 << 20) };
  return fixture->out[i].link;
}

/* The stage, once its links are there. */
static LbStage *
make_stage (Fixture *fixture)
{
  static const LbStageListener listener = { hear_progress, hear_metric, hear_report };
  g_autoptr (GError) error = NULL;
  const char *property;
  int input;

  fixture->configured = lb_configure_run (&fixture->type, NULL, fixture->schemas, fixture->specs, fixture->n_in, 1,
                                          &property, &input, &error);
  g_assert_no_error (error);
  LbStageSetup setup = { .name = "views",
                         .type = &fixture->type,
                         .key = lb_key (7),
                         .flow = fixture->flow,
                         .pool = fixture->pool,
                         .output_directory = fixture->directory,
                         .configured = fixture->configured,
                         .inputs = fixture->in,
                         .n_inputs = fixture->n_in,
                         .outputs = fixture->out,
                         .n_outputs = fixture->n_out,
                         .listener = &listener,
                         .listener_data = fixture->heard };
  fixture->stage = lb_stage_new (&setup);
  return fixture->stage;
}

/* @n images of 1 x 2 x 2 whose labels count from @first. */
static LbPacket *
make_samples (gint64 n, gint32 first)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *images = lb_tensor_new (LB_F32, LB_SHAPE (n, 1, 2, 2)), *labels = lb_tensor_new (LB_I32, LB_SHAPE (n));

  for (gint32 i = 0; i < n; i++) {
    lb_tensor_i32 (labels)[i] = first + i;
    lb_tensor_f32 (images)[4 * i] = (float)(first + i) / 2;
  }
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  return packet;
}

static void
feed (LbLink *link, LbPacket *packet)
{
  g_assert_true (lb_link_push (link, packet, NULL));
  lb_packet_unref (packet);
}

static void
assert_label (LbPacket *packet, guint index, gint32 label)
{
  g_assert_nonnull (packet);
  g_assert_cmpint (lb_tensor_i32 (lb_packet_get (packet, "labels"))[index], ==, label);
}

/* ---- Reading ---- */

static void
test_pulls_until_end (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_input (fixture, "samples", "source.samples", "samples");
  LbStage *stage = make_stage (fixture);
  LbPacket *packet = NULL;

  feed (link, make_samples (2, 5));
  lb_link_close_writer (link);
  g_assert_true (lb_stage_pull (stage, "samples", &packet, NULL));
  assert_label (packet, 1, 6);
  lb_packet_unref (packet);
  for (guint i = 0; i < 2; i++) {
    g_assert_true (lb_stage_pull (stage, "samples", &packet, NULL));
    g_assert_null (packet);
  }
  g_assert_cmpstr (lb_stage_source (stage, "samples", 0), ==, "source.samples");
}

static void
test_unlinked_input_has_ended (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);
  LbPacket *packet = (LbPacket *)stage;

  g_assert_true (lb_stage_pull (stage, "samples", &packet, NULL));
  g_assert_null (packet);
  g_assert_null (lb_stage_source (stage, "samples", 0));
  g_assert_cmpuint (lb_stage_n_links (stage, "samples"), ==, 0);
}

static void
test_reads_many_in_order (Fixture *fixture, gconstpointer data)
{
  LbLink *a = link_input (fixture, "more", "a.samples", "samples"),
         *b = link_input (fixture, "more", "b.samples", "samples");
  LbStage *stage = make_stage (fixture);
  LbPacket *packet = NULL;

  feed (b, make_samples (1, 20));
  feed (b, make_samples (1, 21));
  feed (a, make_samples (1, 10));
  lb_link_close_writer (a);
  lb_link_close_writer (b);
  g_assert_cmpuint (lb_stage_n_links (stage, "more"), ==, 2);
  g_assert_cmpstr (lb_stage_source (stage, "more", 1), ==, "b.samples");
  g_assert_null (lb_stage_source (stage, "more", 2));

  g_assert_true (lb_stage_pull_nth (stage, "more", 1, &packet, NULL));
  assert_label (packet, 0, 20);
  lb_packet_unref (packet);
  g_autoptr (LbPacket) rest = lb_stage_collect (stage, "more", NULL);
  assert_label (rest, 0, 10);
  assert_label (rest, 1, 21);
  g_assert_true (lb_stage_pull_nth (stage, "more", 2, &packet, NULL));
  g_assert_null (packet);
}

static void
test_collect_joins (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_input (fixture, "samples", "source.samples", "samples");
  LbStage *stage = make_stage (fixture);
  g_autoptr (GError) error = NULL;

  feed (link, make_samples (3, 0));
  feed (link, make_samples (0, 0));
  feed (link, make_samples (2, 3));
  lb_link_close_writer (link);
  g_autoptr (LbPacket) whole = lb_stage_collect (stage, "samples", &error);
  g_assert_no_error (error);

  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (whole, "images")), LB_SHAPE (5, 1, 2, 2)));
  g_assert_cmpint (lb_tensor_size (lb_packet_get (whole, "mean")), ==, 1);
  for (gint32 i = 0; i < 5; i++) {
    assert_label (whole, i, i);
    g_assert_cmpfloat (lb_tensor_f32 (lb_packet_get (whole, "images"))[4 * i], ==, (float)i / 2);
  }
}

static void
test_collect_keeps_one (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_input (fixture, "samples", "source.samples", "samples");
  LbStage *stage = make_stage (fixture);
  LbPacket *packet = make_samples (3, 0);

  feed (link, packet);
  lb_link_close_writer (link);
  g_autoptr (LbPacket) whole = lb_stage_collect (stage, "samples", NULL);
  g_assert_true (whole == packet);
}

static void
test_collect_joins_fields_of_an_extended_schema (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_input (fixture, "samples", "labels.augmented", "augmented");
  LbStage *stage = make_stage (fixture);

  for (gint32 i = 0; i < 2; i++) {
    LbPacket *packet = make_samples (2, 2 * i);
    LbTensor *dense = lb_tensor_new (LB_F32, LB_SHAPE (2, 3, 10));
    lb_tensor_f32 (dense)[0] = (float)i + 1;
    lb_packet_take (packet, "windows", lb_tensor_new (LB_F32, LB_SHAPE (3, 4)));
    lb_packet_take (packet, "dense_labels", dense);
    feed (link, packet);
  }
  lb_link_close_writer (link);
  g_autoptr (LbPacket) whole = lb_stage_collect (stage, "samples", NULL);
  LbTensor *dense = lb_packet_get (whole, "dense_labels");
  g_assert_true (lb_shape_equal (lb_tensor_shape (dense), LB_SHAPE (4, 3, 10)));
  g_assert_cmpfloat (lb_tensor_f32 (dense)[60], ==, 2);
  g_assert_true (lb_shape_equal (lb_tensor_shape (lb_packet_get (whole, "windows")), LB_SHAPE (3, 4)));
}

static void
assert_not_collected (LbStage *stage, const char *port, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_stage_collect (stage, port, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_collect_refuses_no_packet (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_input (fixture, "samples", "source.samples", "samples");
  LbStage *stage = make_stage (fixture);

  lb_link_close_writer (link);
  assert_not_collected (
      stage, "samples",
      "input 'samples' got no packet from 'source.samples'; it needs one at least, so look at what the "
      "stage before it sends");
}

static void
test_collect_refuses_differences (Fixture *fixture, gconstpointer data)
{
  LbPacket *size = make_samples (1, 0), *value = make_samples (1, 0), *dtype = make_samples (1, 0);
  LbTensor *mean = lb_tensor_new (LB_F32, LB_SHAPE (1));
  const struct {
    LbPacket *second;
    const char *message;
  } cases[] = {
    { size,
      "packets of input 'samples' cannot be joined: images is f32[2, 1, 2, 2] in the first and f32[1, 1, 3, 2] in "
      "packet 2; link streams of one size and dtype" },
    { dtype,
      "packets of input 'samples' cannot be joined: images is f32[2, 1, 2, 2] in the first and u8[1, 1, 2, 2] in "
      "packet 2; link streams of one size and dtype" },
    { value,
      "packets of input 'samples' cannot be joined: mean is f32[1] in the first and f32[1] in packet 2; the values "
      "differ, but must be the same in all packets" },
  };
  LbLink *link = link_input (fixture, "samples", "source.samples", "samples");

  lb_tensor_f32 (mean)[0] = 0.5f;
  lb_packet_take (size, "images", lb_tensor_new (LB_F32, LB_SHAPE (1, 1, 3, 2)));
  lb_packet_take (dtype, "images", lb_tensor_new (LB_U8, LB_SHAPE (1, 1, 2, 2)));
  lb_packet_take (value, "mean", mean);
  make_stage (fixture);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    /* One stage reads a stream once, so each case has a stage of its own on the same link. */
    g_autoptr (LbFlow) flow = lb_flow_new ();
    LbStageLink one = { "samples", "source.samples", lb_flow_add_link (flow, "x", 1 << 20) };
    LbStageSetup setup = { .name = "s",
                           .type = &fixture->type,
                           .flow = flow,
                           .pool = fixture->pool,
                           .configured = fixture->configured,
                           .inputs = &one,
                           .n_inputs = 1 };
    g_autoptr (LbStage) stage = lb_stage_new (&setup);
    feed (one.link, make_samples (2, 0));
    feed (one.link, cases[i].second);
    lb_link_close_writer (one.link);
    assert_not_collected (stage, "samples", cases[i].message);
  }
  lb_link_close_writer (link);
}

static void
test_collect_refuses_what_cannot_be_joined (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_input (fixture, "metrics", "score.metrics", "metrics");
  LbStage *stage = make_stage (fixture);

  feed (link, lb_packet_new ());
  feed (link, lb_packet_new ());
  lb_link_close_writer (link);
  assert_not_collected (
      stage, "metrics",
      "input 'metrics' got 2 packets, but packets of 'metrics' cannot be joined; link a stream of one "
      "packet");
}

/* ---- Writing ---- */

static void
test_push_reaches_all_readers (Fixture *fixture, gconstpointer data)
{
  LbLink *first = link_output (fixture, "made"), *second = link_output (fixture, "made");
  LbStage *stage = make_stage (fixture);
  g_autoptr (GError) error = NULL;
  LbPacket *packet = make_samples (2, 0);
  gsize bytes = lb_packet_bytes (packet);

  g_assert_true (lb_stage_push (stage, "made", packet, &error));
  g_assert_no_error (error);
  g_autoptr (LbPacket) one = NULL, two = NULL;
  g_assert_true (lb_link_pull (first, &one, NULL));
  g_assert_true (lb_link_pull (second, &two, NULL));
  g_assert_true (one == packet && two == packet);
  g_assert_cmpuint (lb_stage_bytes_out (stage), ==, bytes);
}

static void
test_push_without_readers (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);

  g_assert_true (lb_stage_push (stage, "made", make_samples (2, 0), NULL));
  g_assert_cmpuint (lb_stage_bytes_out (stage), >, 0);
}

static void
test_push_checks_packet (Fixture *fixture, gconstpointer data)
{
  LbLink *link = link_output (fixture, "made");
  LbStage *stage = make_stage (fixture);
  LbPacket *packet = make_samples (2, 0);
  g_autoptr (GError) error = NULL;

  lb_packet_take (packet, "labels", lb_tensor_new (LB_I32, LB_SHAPE (3)));
  g_assert_false (lb_stage_push (stage, "made", packet, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_cmpstr (error->message, ==,
                   "output 'made': packet of 'samples' has labels i32[3]; expected i32[n], where n is 2");
  g_assert_cmpuint (lb_link_packets (link), ==, 0);
}

static void
test_refuses_unknown_ports (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);
  LbPacket *packet = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_stage_pull (stage, "smaples", &packet, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_nonnull (strstr (error->message, "reads input 'smaples', which is not in its table"));
  g_clear_error (&error);
  g_assert_false (lb_stage_push (stage, "samples", make_samples (1, 0), &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_nonnull (strstr (error->message, "writes output 'samples', which is not in its table"));
}

/* ---- Running ---- */

static gboolean
copy_all (LbStage *stage, gpointer self, GError **error)
{
  LbPacket *packet = NULL;

  while (lb_stage_pull (stage, "samples", &packet, error) && packet != NULL)
    if (!lb_stage_push (stage, "made", packet, error))
      return FALSE;
  return packet == NULL;
}

static void
test_run_closes_links (Fixture *fixture, gconstpointer data)
{
  LbLink *in = link_input (fixture, "samples", "source.samples", "samples"), *out = link_output (fixture, "made");
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPacket) late = make_samples (1, 0);
  LbPacket *packet = NULL;

  fixture->type.run = copy_all;
  feed (in, make_samples (1, 8));
  lb_link_close_writer (in);
  g_assert_true (lb_stage_run (make_stage (fixture), &error));
  g_assert_no_error (error);
  g_assert_true (lb_link_pull (out, &packet, NULL));
  assert_label (packet, 0, 8);
  lb_packet_unref (packet);
  g_assert_true (lb_link_pull (out, &packet, NULL));
  g_assert_null (packet);
  /* The reader's end is closed too: what is written now is dropped. */
  g_assert_true (lb_link_push (in, late, NULL));
  g_assert_cmpuint (lb_link_packets (in), ==, 1);
}

static gboolean
fail (LbStage *stage, gpointer self, GError **error)
{
  return lb_stage_check_finite (stage, "loss", 40, NAN, "lower learning-rate", error);
}

static void
test_failed_run_leaves_links (Fixture *fixture, gconstpointer data)
{
  LbLink *in = link_input (fixture, "samples", "source.samples", "samples");
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPacket) packet = make_samples (1, 0);

  fixture->type.run = fail;
  g_assert_false (lb_stage_run (make_stage (fixture), &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_NUMERIC);
  g_assert_cmpstr (error->message, ==,
                   "loss is not a number at step 40 where a finite number was expected; lower learning-rate; "
                   "'limbeck run --trace-numerics' names the operation that it came from");
  g_assert_true (lb_link_push (in, packet, NULL));
  g_assert_cmpuint (lb_link_packets (in), ==, 1);
}

static gboolean
fail_silently (LbStage *stage, gpointer self, GError **error)
{
  return FALSE;
}

static void
test_silent_failure_is_an_error (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->type.run = fail_silently;
  g_assert_false (lb_stage_run (make_stage (fixture), &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
}

static void
test_cancel_ends_everything (Fixture *fixture, gconstpointer data)
{
  LbLink *in = link_input (fixture, "samples", "source.samples", "samples");
  LbStage *stage = make_stage (fixture);
  g_autoptr (GError) error = NULL;
  LbPacket *packet = NULL;

  g_assert_true (lb_stage_progress (stage, 1, 10, "loss", 0.5, &error));
  feed (in, make_samples (1, 0));
  lb_flow_cancel (fixture->flow);
  g_assert_false (lb_stage_progress (stage, 2, 10, "loss", 0.4, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (lb_stage_pull (stage, "samples", &packet, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_null (packet);
  g_clear_error (&error);
  g_assert_null (lb_stage_collect (stage, "samples", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_cmpstr (fixture->heard->str, ==, "views 1/10 loss 0.5;");
}

/* ---- Telling and asking ---- */

/* An end is kept for more of a whole number that the stage has; this one has no property at all. */
static void
test_keeps_no_end_without_its_property (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbState) state = lb_state_new ();
  g_autoptr (GError) error = NULL;

  make_stage (fixture);
  g_assert_false (lb_stage_keep_end (fixture->stage, "iterations", state, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_nonnull (strstr (error->message, "keeps its end for property 'iterations', which is no whole number"));
}

static void
test_tells_listener (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);

  lb_stage_metric (stage, "accuracy", 0.75, "fraction");
  lb_stage_report (stage, "a table");
  g_assert_cmpstr (fixture->heard->str, ==, "accuracy 0.75 fraction;[a table];");
}

static void
test_finite_values_pass (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_stage_check_finite (stage, "loss", 1, 1e308, "", &error));
  g_assert_false (lb_stage_check_finite (stage, "distance", 3, -INFINITY, "use fewer steps", &error));
  g_assert_cmpstr (error->message, ==,
                   "distance is minus infinite at step 3 where a finite number was expected; use fewer steps; "
                   "'limbeck run --trace-numerics' names the operation that it came from");
}

static void
test_keys_are_of_seed_stage_and_purpose (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);
  LbKey expected = lb_key_derive (lb_key_derive (lb_key (7), "views"), "real batch");

  g_assert_cmpuint (lb_stage_key (stage, "real batch").word, ==, expected.word);
  g_assert_cmpuint (lb_stage_key (stage, "start").word, !=, expected.word);
}

static void
test_knows_dims (Fixture *fixture, gconstpointer data)
{
  link_input (fixture, "samples", "source.samples", "samples");
  lb_spec_set_dim (fixture->spec_of[0], "c", 3);
  LbStage *stage = make_stage (fixture);

  g_assert_cmpint (lb_stage_dim (stage, "c"), ==, 3);
  g_assert_cmpint (lb_stage_dim (stage, "h"), ==, LB_UNKNOWN);
  g_assert_true (lb_compute_pool (lb_stage_compute (stage)) == fixture->pool);
}

static void
test_writes_results (Fixture *fixture, gconstpointer data)
{
  LbStage *stage = make_stage (fixture);
  g_autoptr (GError) error = NULL;
  g_autofree char *path = lb_stage_output_path (stage, "sub/result.txt"), *text = NULL;

  g_assert_true (g_str_has_prefix (path, fixture->directory));
  g_assert_true (lb_stage_write (stage, "sub/result.txt", "done", 4, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "done");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/stage/pulls-until-the-end", test_pulls_until_end);
  ADD ("/stage/unlinked-input-has-ended", test_unlinked_input_has_ended);
  ADD ("/stage/reads-many-links-in-order", test_reads_many_in_order);
  ADD ("/stage/collect-joins-packets", test_collect_joins);
  ADD ("/stage/collect-keeps-a-single-packet", test_collect_keeps_one);
  ADD ("/stage/collect-joins-fields-of-an-extended-schema", test_collect_joins_fields_of_an_extended_schema);
  ADD ("/stage/collect-refuses-an-empty-stream", test_collect_refuses_no_packet);
  ADD ("/stage/collect-refuses-packets-that-differ", test_collect_refuses_differences);
  ADD ("/stage/collect-refuses-what-cannot-be-joined", test_collect_refuses_what_cannot_be_joined);
  ADD ("/stage/push-reaches-all-readers-and-counts-once", test_push_reaches_all_readers);
  ADD ("/stage/push-without-readers", test_push_without_readers);
  ADD ("/stage/push-checks-the-packet", test_push_checks_packet);
  ADD ("/stage/refuses-ports-it-does-not-have", test_refuses_unknown_ports);
  ADD ("/stage/run-closes-its-links", test_run_closes_links);
  ADD ("/stage/failed-run-leaves-its-links", test_failed_run_leaves_links);
  ADD ("/stage/silent-failure-is-an-error", test_silent_failure_is_an_error);
  ADD ("/stage/cancel-ends-everything", test_cancel_ends_everything);
  ADD ("/stage/keeps-no-end-without-its-property", test_keeps_no_end_without_its_property);
  ADD ("/stage/tells-its-listener", test_tells_listener);
  ADD ("/stage/finite-values-pass", test_finite_values_pass);
  ADD ("/stage/keys-are-of-seed-stage-and-purpose", test_keys_are_of_seed_stage_and_purpose);
  ADD ("/stage/knows-its-dimensions", test_knows_dims);
  ADD ("/stage/writes-results", test_writes_results);
  return g_test_run ();
}
