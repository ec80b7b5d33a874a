/* Configure: links against ports, symbols unified, outputs computed, every refusal with whom it blames. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "plugin/configure.h"

typedef struct {
  gint64 per_class;
  char *misuse;
} Toy;

static const char *const misuses[] = { "none",    "input", "field",      "output", "dtype",        "negative", "silent",
                                       "packets", "texts", "text-field", "number", "number-field", NULL };

static const LbProperty properties[] = {
  LB_INTEGER (Toy, per_class, "per-class", NULL, 1, 100, NULL, "images of each class"),
  LB_CHOICE (Toy, misuse, "misuse", "none", misuses, "what to do wrong"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "samples", "samples", "c h w classes", LB_PORT_REQUIRED, "the images" },
  { "model", "model", "c h w classes", LB_PORT_OPTIONAL, "the network" },
  { "extra", "samples", "c=1 h=rows", LB_PORT_OPTIONAL | LB_PORT_MANY, "more images" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "made", "samples", "n=synthetic c h w classes", 0, "synthetic images" },
  { "views", "views", "v=4", 0, "windows" },
  LB_PORTS_END,
};

static gboolean
toy_configure (LbConfigure *configure, gpointer self, GError **error)
{
  Toy *toy = self;
  gint64 classes = lb_configure_dim (configure, "classes");

  if (toy->per_class == 13)
    return lb_configure_property_error (configure, "per-class", error, "%d is refused", 13);
  if (strcmp (toy->misuse, "input") == 0)
    lb_configure_has_port (configure, "smaples");
  if (strcmp (toy->misuse, "field") == 0)
    lb_configure_input_dtypes (configure, "samples", "image");
  if (strcmp (toy->misuse, "output") == 0)
    lb_configure_set_output_dtype (configure, "mode", "images", LB_F32);
  if (strcmp (toy->misuse, "dtype") == 0)
    lb_configure_set_output_dtype (configure, "made", "images", LB_I64);
  if (strcmp (toy->misuse, "packets") == 0)
    lb_configure_set_output_packets (configure, "mode", 1);
  if (strcmp (toy->misuse, "texts") == 0)
    lb_configure_set_output_texts (configure, "made", "labels", (const char *const[]){ "x", NULL });
  if (strcmp (toy->misuse, "text-field") == 0)
    lb_configure_input_texts (configure, "samples", "architecture");
  if (strcmp (toy->misuse, "number") == 0)
    lb_configure_set_output_number (configure, "made", "mean", 1);
  if (strcmp (toy->misuse, "number-field") == 0)
    lb_configure_input_number (configure, "samples", "temperature");
  if (strcmp (toy->misuse, "negative") == 0)
    return lb_configure_set_dim (configure, "synthetic", -5, error);
  if (strcmp (toy->misuse, "silent") == 0)
    return FALSE;

  lb_configure_set_output_dtype (configure, "made", "images", LB_F32);
  lb_configure_cost (configure, 1e9, 4096);
  return lb_configure_set_dim (configure, "synthetic", classes == LB_UNKNOWN ? classes : classes * toy->per_class,
                               error);
}

static const LbStageType type = { .name = "toy",
                                  .summary = "A toy",
                                  .inputs = inputs,
                                  .outputs = outputs,
                                  .properties = properties,
                                  .instance_size = sizeof (Toy),
                                  .configure = toy_configure };

typedef struct {
  LbSchemas *schemas;
  LbSpec *samples, *other, *augmented, *model;
  Toy toy;
  LbInputSpec links[4];
  guint n_links;
  const char *property;
  int input;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->schemas = lb_schemas_new ();
  lb_schemas_load (fixture->schemas, g_getenv ("LIMBECK_SCHEMA_PATH"), &error);
  g_assert_no_error (error);
  fixture->samples = lb_spec_new (lb_schemas_find (fixture->schemas, "samples"));
  fixture->other = lb_spec_new (lb_schemas_find (fixture->schemas, "samples"));
  fixture->augmented = lb_spec_new (lb_schemas_find (fixture->schemas, "augmented"));
  fixture->model = lb_spec_new (lb_schemas_find (fixture->schemas, "model"));
  lb_spec_set_dim (fixture->samples, "c", 1);
  lb_spec_set_dim (fixture->samples, "h", 28);
  lb_spec_set_dim (fixture->samples, "classes", 10);
  lb_properties_init (&type, &fixture->toy);
  fixture->toy.per_class = 2;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  lb_properties_clear (&type, &fixture->toy);
  lb_spec_free (fixture->samples);
  lb_spec_free (fixture->other);
  lb_spec_free (fixture->augmented);
  lb_spec_free (fixture->model);
  lb_schemas_free (fixture->schemas);
}

static void
link_to (Fixture *fixture, const char *port, const char *source, const LbSpec *spec)
{
  g_autoptr (GError) error = NULL;
  const LbPort *row = lb_port_find_input (&type, port, &error);

  g_assert_no_error (error);
  fixture->links[fixture->n_links++] = (LbInputSpec){ row, source, spec };
}

static LbConfigured *
configure (Fixture *fixture, GError **error)
{
  return lb_configure_run (&type, &fixture->toy, fixture->schemas, fixture->links, fixture->n_links, 1,
                           &fixture->property, &fixture->input, error);
}

static void
assert_refused (Fixture *fixture, LbError code, const char *property, int input, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (configure (fixture, &error));
  g_assert_error (error, LB_ERROR, (int)code);
  g_assert_cmpstr (error->message, ==, message);
  g_assert_cmpstr (fixture->property, ==, property);
  g_assert_cmpint (fixture->input, ==, input);
}

static void
test_computes_outputs (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  link_to (fixture, "samples", "source.samples", fixture->samples);
  g_autoptr (LbConfigured) result = configure (fixture, &error);
  g_assert_no_error (error);

  const LbSpec *made = result->outputs->pdata[0], *views = result->outputs->pdata[1];
  g_assert_cmpint (lb_spec_dim (made, "n"), ==, 20);
  g_assert_cmpint (lb_spec_dim (made, "c"), ==, 1);
  g_assert_cmpint (lb_spec_dim (made, "h"), ==, 28);
  g_assert_cmpint (lb_spec_dim (made, "w"), ==, LB_UNKNOWN);
  g_assert_cmpuint (lb_spec_dtypes (made, "images"), ==, 1u << LB_F32);
  g_assert_cmpint (lb_spec_dim (views, "v"), ==, 4);
  g_assert_cmpint (lb_spec_dim (views, "h"), ==, LB_UNKNOWN);
  g_assert_cmpint (*(gint64 *)g_hash_table_lookup (result->dims, "synthetic"), ==, 20);
  g_assert_null (g_hash_table_lookup (result->dims, "w"));
  g_assert_cmpfloat (result->flops, ==, 1e9);
  g_assert_cmpfloat (result->bytes, ==, 4096);
  g_assert_cmpuint (result->inputs->len, ==, 1);
  g_assert_cmpint (lb_spec_dim (g_array_index (result->inputs, LbConfiguredInput, 0).spec, "h"), ==, 28);
}

static void
test_leaves_unknown_unknown (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  link_to (fixture, "samples", "source.samples", fixture->other);
  g_autoptr (LbConfigured) result = configure (fixture, &error);
  g_assert_no_error (error);
  g_assert_cmpint (lb_spec_dim (result->outputs->pdata[0], "n"), ==, LB_UNKNOWN);
}

static void
test_takes_extended_schema (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  link_to (fixture, "samples", "labels.augmented", fixture->augmented);
  g_autoptr (LbConfigured) result = configure (fixture, &error);
  g_assert_no_error (error);
}

static void
test_takes_many_links (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  link_to (fixture, "samples", "source.samples", fixture->samples);
  link_to (fixture, "extra", "a.samples", fixture->samples);
  link_to (fixture, "extra", "b.augmented", fixture->augmented);
  g_autoptr (LbConfigured) result = configure (fixture, &error);
  g_assert_no_error (error);
  g_assert_cmpint (*(gint64 *)g_hash_table_lookup (result->dims, "rows"), ==, 28);
}

static void
test_refuses_clash (Fixture *fixture, gconstpointer data)
{
  lb_spec_set_dim (fixture->model, "h", 32);
  link_to (fixture, "samples", "source.samples", fixture->samples);
  link_to (fixture, "model", "teacher.model", fixture->model);
  assert_refused (
      fixture, LB_ERROR_PIPELINE, NULL, 1,
      "input 'model' does not fit: 'teacher.model' has h 32, but 'source.samples' has h 28 (rows of pixels of "
      "the input); both must be the same, so link streams that agree");
}

static void
test_refuses_wrong_fixed_value (Fixture *fixture, gconstpointer data)
{
  lb_spec_set_dim (fixture->other, "c", 3);
  link_to (fixture, "samples", "source.samples", fixture->samples);
  link_to (fixture, "extra", "cifar.samples", fixture->other);
  assert_refused (fixture, LB_ERROR_PIPELINE, NULL, 1,
                  "input 'extra' takes only c 1 (channels), but 'cifar.samples' has c 3; link a stream that fits");
}

static void
test_refuses_wrong_schema (Fixture *fixture, gconstpointer data)
{
  link_to (fixture, "samples", "source.samples", fixture->samples);
  link_to (fixture, "model", "source.samples", fixture->samples);
  assert_refused (
      fixture, LB_ERROR_PIPELINE, NULL, 1,
      "input 'model' takes streams of 'model', but 'source.samples' is a stream of 'samples'; link an output "
      "that makes 'model'");
}

static void
test_refuses_second_link (Fixture *fixture, gconstpointer data)
{
  link_to (fixture, "samples", "a.samples", fixture->samples);
  link_to (fixture, "samples", "b.samples", fixture->samples);
  assert_refused (
      fixture, LB_ERROR_PIPELINE, NULL, 1,
      "input 'samples' is linked to 'a.samples' and to 'b.samples', but takes one stream; remove one of them");
}

static void
test_refuses_missing_input (Fixture *fixture, gconstpointer data)
{
  assert_refused (
      fixture, LB_ERROR_PIPELINE, NULL, -1,
      "input 'samples' is not linked; it takes a stream of 'samples' (the images): add 'samples: STAGE.OUTPUT' "
      "under 'inputs'");
}

static void
test_refuses_missing_property (Fixture *fixture, gconstpointer data)
{
  lb_properties_clear (&type, &fixture->toy);
  lb_properties_init (&type, &fixture->toy);
  link_to (fixture, "samples", "source.samples", fixture->samples);
  assert_refused (
      fixture, LB_ERROR_PIPELINE, "per-class", -1,
      "property 'per-class' is missing; it expects a whole number from 1 to 100 (images of each class): give it "
      "under 'with'");
}

static void
test_blames_property (Fixture *fixture, gconstpointer data)
{
  fixture->toy.per_class = 13;
  link_to (fixture, "samples", "source.samples", fixture->samples);
  assert_refused (fixture, LB_ERROR_PIPELINE, "per-class", -1, "property 'per-class': 13 is refused");
}

static void
test_names_unknown_ports (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  static const LbStageType source = { .name = "source" };

  g_assert_null (lb_port_find_input (&type, "smaples", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_assert_cmpstr (error->message, ==,
                   "'toy' has no input 'smaples'; it has samples, model, extra; did you mean 'samples'?");
  g_clear_error (&error);
  g_assert_null (lb_port_find_output (&type, "images", &error));
  g_assert_cmpstr (error->message, ==, "'toy' has no output 'images'; it has made, views");
  g_clear_error (&error);
  g_assert_null (lb_port_find_input (&source, "samples", &error));
  g_assert_cmpstr (error->message, ==, "'samples' is not an input of 'source', which has none");
  g_assert_true (lb_port_find_output (&type, "views", NULL) == &outputs[1]);
}

static gboolean
ask_rows (LbConfigure *configure, gpointer self, GError **error)
{
  return lb_configure_set_dim (configure, "h", 32, error);
}

static void
test_set_dim_clashes_with_input (Fixture *fixture, gconstpointer data)
{
  LbStageType asks = type;
  g_autoptr (GError) error = NULL;

  asks.configure = ask_rows;
  link_to (fixture, "samples", "source.samples", fixture->samples);
  g_assert_null (lb_configure_run (&asks, &fixture->toy, fixture->schemas, fixture->links, fixture->n_links, 1,
                                   &fixture->property, &fixture->input, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_assert_cmpstr (
      error->message, ==,
      "the stage needs h 32, but 'source.samples' has h 28 (rows of pixels); change its properties or link a "
      "stream that fits");
}

static gboolean
look_at_inputs (LbConfigure *configure, gpointer self, GError **error)
{
  g_assert_true (lb_configure_has_port (configure, "samples"));
  g_assert_false (lb_configure_has_port (configure, "model"));
  g_assert_cmpstr (lb_configure_input_schema (configure, "samples"), ==, "augmented");
  g_assert_null (lb_configure_input_schema (configure, "model"));
  g_assert_cmpuint (lb_configure_input_dtypes (configure, "samples", "images"), ==, 1u << LB_U8);
  g_assert_cmpuint (lb_configure_input_dtypes (configure, "extra", "images"), ==, 1u << LB_U8 | 1u << LB_F32);
  g_assert_cmpuint (lb_configure_input_dtypes (configure, "model", "parameters"), ==, 0);
  g_assert_cmpint (lb_configure_dim (configure, "v"), ==, LB_UNKNOWN);
  return TRUE;
}

static void
test_tells_of_inputs (Fixture *fixture, gconstpointer data)
{
  LbStageType looks = type;
  g_autoptr (GError) error = NULL;

  looks.configure = look_at_inputs;
  lb_spec_set_dtype (fixture->augmented, "images", LB_U8);
  lb_spec_set_dtype (fixture->other, "images", LB_F32);
  link_to (fixture, "samples", "labels.augmented", fixture->augmented);
  link_to (fixture, "extra", "labels.augmented", fixture->augmented);
  link_to (fixture, "extra", "source.samples", fixture->other);
  g_autoptr (LbConfigured) result = lb_configure_run (&looks, &fixture->toy, fixture->schemas, fixture->links,
                                                      fixture->n_links, 1, &fixture->property, &fixture->input, &error);
  g_assert_no_error (error);
}

/* ---- Whole streams ---- */

static gboolean
look_at_streams (LbConfigure *configure, gpointer self, GError **error)
{
  g_assert_cmpuint (lb_configure_threads (configure), ==, 3);
  g_assert_cmpint (lb_configure_input_dim (configure, "samples", "v"), ==, 25);
  g_assert_cmpint (lb_configure_input_dim (configure, "model", "v"), ==, LB_UNKNOWN);
  g_assert_cmpint (lb_configure_input_packets (configure, "samples"), ==, LB_UNKNOWN);
  g_assert_cmpint (lb_configure_input_packets (configure, "extra"), ==, 3);
  /* Two packets of 2 + 4 + 4 + 4 bytes and one of twice the images. */
  g_assert_cmpint (lb_configure_input_bytes (configure, "extra"), ==, 2 * (4 + 4 + 4 + 4) + (16 + 16 + 4 + 4));
  g_assert_cmpint (lb_configure_collect_bytes (configure, "extra"), ==, 2 * (2 * (4 + 4 + 4 + 4) + (16 + 16 + 4 + 4)));
  g_assert_cmpint (lb_configure_input_bytes (configure, "samples"), ==, LB_UNKNOWN);
  g_assert_cmpint (lb_configure_collect_bytes (configure, "samples"), ==, 0);
  const char *const *texts = lb_configure_input_texts (configure, "model", "architecture");
  g_assert_cmpstr (texts[1], ==, "large");
  g_assert_null (texts[2]);
  g_assert_cmpuint (lb_configure_n_links (configure, "extra"), ==, 2);
  g_assert_cmpuint (lb_configure_n_links (configure, "model"), ==, 1);
  texts = lb_configure_link_texts (configure, "model", 0, "architecture");
  g_assert_cmpstr (texts[1], ==, "large");
  texts = lb_configure_link_texts (configure, "model", 1, "architecture");
  g_assert_null (texts[0]);
  g_assert_cmpfloat (lb_configure_input_number (configure, "samples", "temperature"), ==, 4);
  g_assert_true (isnan (lb_configure_input_number (configure, "model", "training_flops")));
  lb_configure_set_output_packets (configure, "made", lb_configure_input_packets (configure, "model"));
  lb_configure_set_output_bytes (configure, "views", 77);
  return TRUE;
}

static void
set_size (LbSpec *spec, gint64 n, gint64 size)
{
  lb_spec_set_dim (spec, "n", n);
  lb_spec_set_dim (spec, "c", 1);
  lb_spec_set_dim (spec, "h", size);
  lb_spec_set_dim (spec, "w", size);
  lb_spec_set_dtype (spec, "images", LB_U8);
}

static void
test_tells_of_whole_streams (Fixture *fixture, gconstpointer data)
{
  LbStageType looks = type;
  g_autoptr (GError) error = NULL;
  g_autoptr (LbSpec) second = lb_spec_copy (fixture->other);

  looks.configure = look_at_streams;
  lb_spec_set_dim (fixture->augmented, "v", 25);
  lb_spec_set_number (fixture->augmented, "temperature", 4);
  set_size (fixture->other, 1, 2);
  lb_spec_set_packets (fixture->other, 2);
  set_size (second, 4, 2);
  lb_spec_set_packets (second, 1);
  lb_spec_set_texts (fixture->model, "architecture", (const char *const[]){ "small", "large", NULL });
  link_to (fixture, "samples", "labels.augmented", fixture->augmented);
  link_to (fixture, "extra", "a.samples", fixture->other);
  link_to (fixture, "extra", "b.samples", second);
  link_to (fixture, "model", "teacher.model", fixture->model);
  g_autoptr (LbConfigured) result = lb_configure_run (&looks, &fixture->toy, fixture->schemas, fixture->links,
                                                      fixture->n_links, 3, &fixture->property, &fixture->input, &error);
  g_assert_no_error (error);
  g_assert_cmpint (lb_spec_packets (result->outputs->pdata[0]), ==, 2);
  g_assert_cmpint (lb_spec_own_bytes (result->outputs->pdata[1]), ==, 77);
}

static void
test_refuses_misuse (Fixture *fixture, gconstpointer data)
{
  static const char *const cases[][2] = {
    { "input", "asks for input 'smaples', which is not in its table" },
    { "field", "asks for field 'image' of input 'samples', but schema 'samples' has none" },
    { "output", "narrows output 'mode', which is not in its table" },
    { "dtype", "makes field 'images' of output 'made' i64, which schema 'samples' does not allow" },
    { "negative", "gives dimension synthetic the value -5" },
    { "silent", "failed without saying why" },
    { "packets", "counts the packets of output 'mode', which is not in its table" },
    { "texts", "tells the texts of field 'labels' of output 'made', which is no text of schema 'samples'" },
    { "text-field", "asks for field 'architecture' of input 'samples', but schema 'samples' has none" },
    { "number", "tells the number in field 'mean' of output 'made', which is no f64[1] of schema 'samples'" },
    { "number-field", "asks for field 'temperature' of input 'samples', but schema 'samples' has none" },
  };

  link_to (fixture, "samples", "source.samples", fixture->samples);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_true (lb_property_set_text (&properties[1], &fixture->toy, cases[i][0], NULL, NULL));
    g_assert_null (configure (fixture, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_PROGRAM);
    if (strstr (error->message, cases[i][1]) == NULL)
      g_error ("expected '%s' in '%s'", cases[i][1], error->message);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/configure/computes-outputs", test_computes_outputs);
  ADD ("/configure/leaves-unknown-values-unknown", test_leaves_unknown_unknown);
  ADD ("/configure/takes-an-extended-schema", test_takes_extended_schema);
  ADD ("/configure/takes-many-links-where-declared", test_takes_many_links);
  ADD ("/configure/refuses-a-clash-naming-both-ends", test_refuses_clash);
  ADD ("/configure/refuses-a-wrong-fixed-value", test_refuses_wrong_fixed_value);
  ADD ("/configure/refuses-a-wrong-schema-naming-both", test_refuses_wrong_schema);
  ADD ("/configure/refuses-a-second-link", test_refuses_second_link);
  ADD ("/configure/refuses-a-missing-input", test_refuses_missing_input);
  ADD ("/configure/refuses-a-missing-property", test_refuses_missing_property);
  ADD ("/configure/blames-the-property-the-stage-names", test_blames_property);
  ADD ("/configure/names-the-ports-there-are", test_names_unknown_ports);
  ADD ("/configure/what-a-stage-sets-must-fit-its-inputs", test_set_dim_clashes_with_input);
  ADD ("/configure/tells-a-stage-of-its-inputs", test_tells_of_inputs);
  ADD ("/configure/tells-a-stage-of-whole-streams", test_tells_of_whole_streams);
  ADD ("/configure/refuses-misuse-by-a-plugin", test_refuses_misuse);
  return g_test_run ();
}
