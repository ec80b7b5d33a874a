/* Specs: what is known of a stream, and packets that keep to it or do not. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "stream/spec.h"

typedef struct {
  LbSchemas *schemas;
  LbSpec *samples, *model;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->schemas = lb_schemas_new ();
  lb_schemas_load (fixture->schemas, g_getenv ("LIMBECK_SCHEMA_PATH"), &error);
  g_assert_no_error (error);
  fixture->samples = lb_spec_new (lb_schemas_find (fixture->schemas, "samples"));
  fixture->model = lb_spec_new (lb_schemas_find (fixture->schemas, "model"));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  lb_spec_free (fixture->samples);
  lb_spec_free (fixture->model);
  lb_schemas_free (fixture->schemas);
}

static LbPacket *
make_samples (gint64 n)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "images", lb_tensor_new (LB_F32, LB_SHAPE (n, 1, 28, 28)));
  lb_packet_take (packet, "labels", lb_tensor_new (LB_I32, LB_SHAPE (n)));
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  return packet;
}

static void
assert_refused (const LbSpec *spec, LbPacket *packet, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_spec_check_packet (spec, packet, 0, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_starts_unknown (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (lb_spec_dim (fixture->samples, "n"), ==, LB_UNKNOWN);
  g_assert_cmpint (lb_spec_dim (fixture->samples, "classes"), ==, LB_UNKNOWN);
  g_assert_cmpuint (lb_spec_dtypes (fixture->samples, "images"), ==, 1u << LB_U8 | 1u << LB_F16 | 1u << LB_F32);
  g_autofree char *text = lb_spec_to_string (fixture->samples);
  g_assert_cmpstr (
      text, ==,
      "samples {n ?, c ?, h ?, w ?, classes ?, least ?}: images u8|f32|f16[n, c, h, w], labels i32[n], mean "
      "f32[c], std f32[c]");
}

static void
test_prints_what_is_known (Fixture *fixture, gconstpointer data)
{
  lb_spec_set_dim (fixture->samples, "n", 10);
  lb_spec_set_dim (fixture->samples, "c", 1);
  lb_spec_set_dtype (fixture->samples, "images", LB_F32);
  g_autofree char *text = lb_spec_to_string (fixture->samples);
  g_assert_cmpstr (text, ==,
                   "samples {n 10, c 1, h ?, w ?, classes ?, least ?}: images f32[10, 1, h, w], labels i32[10], mean "
                   "f32[1], std f32[1]");
  g_autofree char *model = lb_spec_to_string (fixture->model);
  g_assert_nonnull (strstr (model, "architecture text"));
}

static void
test_copies_apart (Fixture *fixture, gconstpointer data)
{
  lb_spec_set_dim (fixture->samples, "n", 10);
  g_autoptr (LbSpec) copy = lb_spec_copy (fixture->samples);
  lb_spec_set_dim (copy, "n", 11);
  lb_spec_set_dtype (copy, "images", LB_U8);
  g_assert_cmpint (lb_spec_dim (fixture->samples, "n"), ==, 10);
  g_assert_cmpuint (lb_spec_dtypes (fixture->samples, "images"), ==, 1u << LB_U8 | 1u << LB_F16 | 1u << LB_F32);
  g_assert_true (lb_spec_schema (copy) == lb_spec_schema (fixture->samples));
}

static void
test_accepts_fitting_packets (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) five = make_samples (5), none = make_samples (0);
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_spec_check_packet (fixture->samples, five, 0, &error));
  g_assert_no_error (error);
  g_assert_true (lb_spec_check_packet (fixture->samples, none, 0, &error));
  /* Checking one packet fixes nothing for the next. */
  g_assert_cmpint (lb_spec_dim (fixture->samples, "n"), ==, LB_UNKNOWN);
  lb_spec_set_dim (fixture->samples, "n", 5);
  g_assert_true (lb_spec_check_packet (fixture->samples, five, 0, &error));
}

static void
test_refuses_inconsistent_packets (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) packet = make_samples (5);

  lb_packet_take (packet, "labels", lb_tensor_new (LB_I32, LB_SHAPE (4)));
  assert_refused (fixture->samples, packet, "packet of 'samples' has labels i32[4]; expected i32[n], where n is 5");

  lb_packet_take (packet, "labels", lb_tensor_new (LB_I64, LB_SHAPE (5)));
  assert_refused (fixture->samples, packet, "packet of 'samples' has labels i64[5]; expected i32[n]");

  lb_packet_take (packet, "labels", lb_tensor_new (LB_I32, LB_SHAPE (5, 1)));
  assert_refused (fixture->samples, packet, "packet of 'samples' has labels i32[5, 1]; expected i32[n]");
}

static void
test_refuses_against_known_values (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) packet = make_samples (5);

  lb_spec_set_dim (fixture->samples, "h", 32);
  assert_refused (fixture->samples, packet,
                  "packet of 'samples' has images f32[5, 1, 28, 28]; expected u8|f32|f16[n, c, 32, w], where h is 32");
  lb_spec_set_dim (fixture->samples, "h", 28);
  lb_spec_set_dtype (fixture->samples, "images", LB_U8);
  assert_refused (fixture->samples, packet,
                  "packet of 'samples' has images f32[5, 1, 28, 28]; expected u8[n, c, 28, w]");
}

static void
test_refuses_missing_and_extra_fields (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) packet = make_samples (5), empty = lb_packet_new ();

  lb_packet_take (packet, "weights", lb_tensor_new (LB_F32, LB_SHAPE (5)));
  assert_refused (
      fixture->samples, packet,
      "packet of 'samples' has a field 'weights' that the schema does not have; the plugin must not set it");
  assert_refused (fixture->samples, empty, "packet of 'samples' has no field 'images'; the plugin must set it");
}

/* May be left out (as the packets above do), but must be right when there, and fits the others. */
static void
test_optional_fields (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) packet = make_samples (5);
  gint64 bytes;

  lb_spec_set_dim (fixture->samples, "n", 5);
  lb_spec_set_dim (fixture->samples, "c", 1);
  lb_spec_set_dim (fixture->samples, "h", 28);
  lb_spec_set_dim (fixture->samples, "w", 28);
  lb_spec_set_dtype (fixture->samples, "images", LB_F32);
  bytes = lb_spec_packet_bytes (fixture->samples);
  g_assert_cmpint (bytes, ==, (gint64)lb_packet_bytes (packet));
  lb_packet_take (packet, "whitening_mean", lb_tensor_new (LB_F32, LB_SHAPE (1, 28, 28)));
  g_assert_true (lb_spec_check_packet (fixture->samples, packet, 0, NULL));
  lb_packet_take (packet, "whitening_mean", lb_tensor_new (LB_F32, LB_SHAPE (1, 28, 27)));
  assert_refused (fixture->samples, packet,
                  "packet of 'samples' has whitening_mean f32[1, 28, 27]; expected f32[1, 28, 28], where w is 28");
}

static void
test_refuses_text_that_is_not_utf8 (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *bytes = lb_tensor_new (LB_U8, LB_SHAPE (2));

  lb_packet_take (packet, "parameters", lb_tensor_new (LB_F32, LB_SHAPE (3)));
  lb_tensor_u8 (bytes)[0] = lb_tensor_u8 (bytes)[1] = 0xff;
  lb_packet_take (packet, "architecture", bytes);
  assert_refused (fixture->model, packet, "packet of 'model' has architecture u8[2]; expected text in UTF-8");
}

static LbPacket *
make_model (const char *architecture)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "parameters", lb_tensor_new (LB_F32, LB_SHAPE (3)));
  lb_packet_set_text (packet, "architecture", architecture);
  lb_packet_take (packet, "mean", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "std", lb_tensor_new (LB_F32, LB_SHAPE (1)));
  lb_packet_take (packet, "index", lb_tensor_new (LB_I64, LB_SHAPE (1)));
  lb_packet_take (packet, "set_images", lb_tensor_new (LB_I64, LB_SHAPE (1)));
  lb_packet_take (packet, "set_bytes", lb_tensor_new (LB_I64, LB_SHAPE (1)));
  lb_packet_take (packet, "training_flops", lb_tensor_new (LB_F64, LB_SHAPE (1)));
  return packet;
}

static void
test_holds_packets_to_their_texts (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbPacket) small = make_model ("small"), large = make_model ("large");
  g_autoptr (GError) error = NULL;

  lb_spec_set_texts (fixture->model, "architecture", (const char *const[]){ "small", "small", "large", NULL });
  g_assert_cmpint (lb_spec_packets (fixture->model), ==, 3);
  g_autoptr (LbSpec) copy = lb_spec_copy (fixture->model);
  g_assert_cmpstr (lb_spec_texts (copy, "architecture")[2], ==, "large");
  g_assert_true (lb_spec_check_packet (copy, small, 1, &error));
  g_assert_true (lb_spec_check_packet (copy, large, 2, &error));
  assert_refused (copy, large,
                  "packet 1 of 'model' has architecture 'large', where configure promised 'small'; correct the plugin");
  g_assert_false (lb_spec_check_packet (copy, large, 3, &error));
  g_assert_cmpstr (error->message, ==,
                   "stream of 'model' goes on to 4 packets, where configure promised 3; correct the plugin");
  g_clear_error (&error);
  g_assert_true (lb_spec_check_end (copy, 3, &error));
  g_assert_true (lb_spec_check_end (fixture->samples, 7, &error));
  g_assert_false (lb_spec_check_end (copy, 1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_cmpstr (error->message, ==,
                   "stream of 'model' ended after 1 packet, where configure promised 3; correct the plugin");
}

static void
test_prints_packets_and_texts (Fixture *fixture, gconstpointer data)
{
  lb_spec_set_texts (fixture->model, "architecture", (const char *const[]){ "small", "small", "large", NULL });
  g_autofree char *text = lb_spec_to_string (fixture->model);
  g_assert_true (g_str_has_prefix (text, "model {p ?, c ?, h ?, w ?, classes ?}, 3 packets: parameters f32[p], "
                                         "architecture text (2 x small, large), mean"));
  lb_spec_set_packets (fixture->samples, 1);
  g_autofree char *samples = lb_spec_to_string (fixture->samples);
  g_assert_nonnull (strstr (samples, "}, 1 packet: images"));
}

static void
test_holds_packets_to_their_numbers (Fixture *fixture, gconstpointer data)
{
  g_autoptr (LbSpec) augmented = lb_spec_new (lb_schemas_find (fixture->schemas, "augmented"));
  g_autoptr (LbPacket) packet = make_samples (2);
  g_autoptr (GError) error = NULL;

  lb_packet_take (packet, "windows", lb_tensor_new (LB_F32, LB_SHAPE (4, 4)));
  lb_packet_take (packet, "dense_labels", lb_tensor_new (LB_F32, LB_SHAPE (2, 4, 10)));
  g_assert_true (isnan (lb_spec_number (augmented, "temperature")));
  g_assert_true (lb_spec_check_packet (augmented, packet, 0, &error));
  lb_spec_set_number (augmented, "temperature", 4);
  g_autoptr (LbSpec) copy = lb_spec_copy (augmented);
  g_assert_cmpfloat (lb_spec_number (copy, "temperature"), ==, 4);
  assert_refused (copy, packet,
                  "packet 1 of 'augmented' has temperature none, where configure promised 4; correct the plugin");
  lb_packet_set_number (packet, "temperature", 2);
  assert_refused (copy, packet,
                  "packet 1 of 'augmented' has temperature 2, where configure promised 4; correct the plugin");
  lb_packet_set_number (packet, "temperature", 4);
  g_assert_true (lb_spec_check_packet (copy, packet, 0, &error));
  g_autofree char *text = lb_spec_to_string (copy);
  g_assert_nonnull (strstr (text, "temperature f64[1] (4)"));
}

static void
test_counts_bytes (Fixture *fixture, gconstpointer data)
{
  static const char *const symbols[] = { "n", "c", "h", "w" };

  for (guint i = 0; i < G_N_ELEMENTS (symbols); i++)
    lb_spec_set_dim (fixture->samples, symbols[i], i == 1 ? 3 : 10);
  g_assert_cmpint (lb_spec_packet_bytes (fixture->samples), ==, LB_UNKNOWN);
  lb_spec_set_dtype (fixture->samples, "images", LB_U8);
  g_assert_cmpint (lb_spec_packet_bytes (fixture->samples), ==, 3000 + 40 + 12 + 12);
  g_assert_cmpint (lb_spec_own_bytes (fixture->samples), ==, 3064);
  lb_spec_set_own_bytes (fixture->samples, 40);
  g_assert_cmpint (lb_spec_own_bytes (fixture->samples), ==, 40);
  g_assert_cmpint (lb_spec_packet_bytes (fixture->samples), ==, 3064);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/spec/starts-unknown", test_starts_unknown);
  ADD ("/spec/prints-what-is-known", test_prints_what_is_known);
  ADD ("/spec/copies-stand-apart", test_copies_apart);
  ADD ("/spec/accepts-packets-that-fit", test_accepts_fitting_packets);
  ADD ("/spec/refuses-packets-that-contradict-themselves", test_refuses_inconsistent_packets);
  ADD ("/spec/refuses-packets-that-contradict-known-values", test_refuses_against_known_values);
  ADD ("/spec/refuses-missing-and-extra-fields", test_refuses_missing_and_extra_fields);
  ADD ("/spec/optional-fields-may-be-left-out", test_optional_fields);
  ADD ("/spec/refuses-text-that-is-not-utf8", test_refuses_text_that_is_not_utf8);
  ADD ("/spec/holds-packets-to-their-texts-and-number", test_holds_packets_to_their_texts);
  ADD ("/spec/prints-packets-and-texts", test_prints_packets_and_texts);
  ADD ("/spec/holds-packets-to-their-numbers", test_holds_packets_to_their_numbers);
  ADD ("/spec/counts-the-bytes-of-a-packet", test_counts_bytes);
  return g_test_run ();
}
