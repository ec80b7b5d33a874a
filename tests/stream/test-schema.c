/* Schemas: the installed ones, extending, and every refusal with its place. */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "stream/schema.h"

typedef struct {
  char *directory;
  LbSchemas *schemas;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->directory = g_dir_make_tmp ("limbeck-schema-XXXXXX", NULL);
  fixture->schemas = lb_schemas_new ();
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (fixture->directory, 0, NULL);

  for (const char *name; (name = g_dir_read_name (dir)) != NULL;) {
    g_autofree char *path = g_build_filename (fixture->directory, name, NULL);
    g_remove (path);
  }
  g_rmdir (fixture->directory);
  g_free (fixture->directory);
  lb_schemas_free (fixture->schemas);
}

static void
write_file (Fixture *fixture, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (fixture->directory, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
load (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  lb_schemas_load (fixture->schemas, fixture->directory, &error);
  g_assert_no_error (error);
}

/* Loading fails at "FILE:@place: " with @part in the sentence, and leaves nothing behind. */
static void
assert_refused (Fixture *fixture, const char *place, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_schemas_load (fixture->schemas, fixture->directory, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
  g_autofree char *start = g_strdup_printf ("%s/%s: ", fixture->directory, place);
  if (!g_str_has_prefix (error->message, start) || strstr (error->message, part) == NULL)
    g_error ("expected '%s...%s...', found '%s'", start, part, error->message);
  g_autofree const char **names = lb_schemas_names (fixture->schemas);
  g_assert_null (names[0]);
}

static void
test_reads_installed (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  lb_schemas_load (fixture->schemas, g_getenv ("LIMBECK_SCHEMA_PATH"), &error);
  g_assert_no_error (error);

  const LbSchema *samples = lb_schemas_find (fixture->schemas, "samples");
  g_assert_nonnull (samples);
  g_assert_cmpuint (samples->version, ==, 1);
  g_assert_true (lb_schema_has_symbol (samples, "classes"));
  const LbField *images = lb_schema_field (samples, "images");
  g_autofree char *type = lb_field_to_string (images);
  g_assert_cmpstr (type, ==, "u8|f32|f16[n, c, h, w]");
  g_assert_cmpuint (images->dtypes, ==, 1u << LB_U8 | 1u << LB_F16 | 1u << LB_F32);

  const LbSchema *augmented = lb_schemas_find (fixture->schemas, "augmented");
  g_assert_true (augmented->base == samples);
  g_assert_true (lb_schema_is_a (augmented, samples));
  g_assert_false (lb_schema_is_a (samples, augmented));
  g_assert_nonnull (lb_schema_field (augmented, "labels"));

  const LbField *architecture = lb_schema_field (lb_schemas_find (fixture->schemas, "model"), "architecture");
  g_autofree char *text = lb_field_to_string (architecture);
  g_assert_cmpstr (text, ==, "text");
  g_assert_true (architecture->is_text);
}

static void
test_keeps_docs (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "figure.yaml",
              "schema: figure\nversion: 3\ndoc: A figure.\ndims:\n  n: points\nfields:\n"
              "  points: {type: 'f64[n, 2]', doc: x and y}\n  mean: f64\n  u8: i32 | i64[7]\n");
  load (fixture);
  const LbSchema *figure = lb_schemas_find (fixture->schemas, "figure");
  g_assert_cmpstr (figure->doc, ==, "A figure.");
  g_assert_true (g_str_has_suffix (figure->path, "/figure.yaml"));
  g_assert_cmpstr (((LbSymbol *)figure->symbols->pdata[0])->doc, ==, "points");
  g_assert_cmpstr (lb_schema_field (figure, "points")->doc, ==, "x and y");
  g_assert_cmpstr (lb_schema_field (figure, "points")->dims[1], ==, "2");
  g_assert_null (lb_schema_field (figure, "mean")->doc);
  g_assert_cmpuint (lb_schema_field (figure, "mean")->rank, ==, 0);
  g_autofree char *type = lb_field_to_string (lb_schema_field (figure, "u8"));
  g_assert_cmpstr (type, ==, "i32|i64[7]");
}

static void
test_extends_in_any_order (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "a.yaml", "schema: a\nversion: 1\ndoc: A.\nextends: b\nfields:\n  third: f32[k, m]\n");
  write_file (fixture, "b.yaml",
              "schema: b\nversion: 1\ndoc: B.\nextends: c\ndims: {m: em}\nfields:\n  second: f32[m]\n");
  write_file (fixture, "c.yaml", "schema: c\nversion: 1\ndoc: C.\ndims: {k: kay}\nfields:\n  first: f32[k]\n");
  load (fixture);

  const LbSchema *a = lb_schemas_find (fixture->schemas, "a"), *c = lb_schemas_find (fixture->schemas, "c");
  g_assert_true (lb_schema_is_a (a, c));
  g_assert_cmpuint (a->fields->len, ==, 3);
  g_assert_cmpstr (((LbField *)a->fields->pdata[0])->name, ==, "first");
  g_assert_cmpstr (((LbField *)a->fields->pdata[1])->name, ==, "second");
  g_assert_cmpstr (((LbField *)a->fields->pdata[2])->name, ==, "third");
  g_assert_cmpstr (((LbSymbol *)a->symbols->pdata[1])->doc, ==, "em");
  g_autofree const char **names = lb_schemas_names (fixture->schemas);
  g_assert_cmpstr (names[0], ==, "a");
  g_assert_cmpstr (names[2], ==, "c");
  g_assert_null (names[3]);
}

static void
test_skips_other_yaml (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "notes.yaml", "title: no schema\n");
  write_file (fixture, "one.yaml", "schema: one\nversion: 1\ndoc: One.\nfields:\n  x: f32[1]\n");
  write_file (fixture, "broken.yaml.orig", "schema: [\n");
  load (fixture);
  g_autofree const char **names = lb_schemas_names (fixture->schemas);
  g_assert_cmpstr (names[0], ==, "one");
  g_assert_null (names[1]);
}

static void
test_refuses_second_of_a_name (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  write_file (fixture, "one.yaml", "schema: one\nversion: 1\ndoc: One.\nfields:\n  x: f32[1]\n");
  load (fixture);
  g_assert_false (lb_schemas_load (fixture->schemas, fixture->directory, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
  g_assert_nonnull (strstr (error->message, "schema 'one' is known already from "));
}

static void
test_refuses_missing_directory (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_schemas_load (fixture->schemas, "/nonexistent/schemas", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
  g_assert_nonnull (strstr (error->message, "'/nonexistent/schemas'"));
}

#define HEAD "schema: x\nversion: 1\ndoc: X.\n"

static const struct {
  const char *text, *place, *part;
} refusals[] = {
  { "schema: x\nversion: 1\ndoc: X.\nfeilds:\n  a: f32\n", "x.yaml:4:1", "'feilds'; expected one of" },
  { "schema: x\nversion: 1\ndoc: X.\nfeilds:\n  a: f32\n", "x.yaml:4:1", "did you mean 'fields'?" },
  { "schema: x\nversion: 1\nfields:\n  a: f32\n", "x.yaml:1:1", "no 'doc'" },
  { "schema: y\nversion: 1\ndoc: X.\nfields:\n  a: f32\n", "x.yaml:1:9", "stands in a file named x.yaml" },
  { "schema: X\nversion: 1\ndoc: X.\nfields:\n  a: f32\n", "x.yaml:1:9", "cannot be a schema name" },
  { "schema: [x]\nversion: 1\ndoc: X.\nfields:\n  a: f32\n", "x.yaml:1:9", "schema must be a text" },
  { "schema: x\nversion: 1.0\ndoc: X.\nfields:\n  a: f32\n", "x.yaml:2:10", "whole number from 1 to 65535" },
  { "schema: x\nversion: 0\ndoc: X.\nfields:\n  a: f32\n", "x.yaml:2:10", "whole number from 1 to 65535" },
  { HEAD "fields: f32\n", "x.yaml:4:9", "fields must be a mapping" },
  { HEAD "fields: {}\n", "x.yaml:4:9", "fields must be a mapping" },
  { HEAD "dims: [n]\nfields:\n  a: f32\n", "x.yaml:4:7", "dims must be a mapping" },
  { HEAD "dims: {n: }\nfields:\n  a: f32\n", "x.yaml:4:11", "the meaning of a dimension must be a text" },
  { HEAD "dims: {3n: three}\nfields:\n  a: f32\n", "x.yaml:4:8", "'3n' cannot be a dimension symbol" },
  { HEAD "fields:\n  a: f32[n]\n", "x.yaml:5:6", "add 'n: MEANING' under dims" },
  { HEAD "fields:\n  a: f128[2]\n", "x.yaml:5:6", "'f128' is not a dtype" },
  { HEAD "fields:\n  a: {type: f32, optional: maybe}\n", "x.yaml:5:28", "optional is 'maybe'; expected true or false" },
  { HEAD "fields:\n  a: f32|f32[2]\n", "x.yaml:5:6", "f32 stands twice" },
  { HEAD "fields:\n  a: f32|[2]\n", "x.yaml:5:6", "'' is not a dtype" },
  { HEAD "fields:\n  a: f32[2\n", "x.yaml:5:6", "'f32[2' is not a type" },
  { HEAD "fields:\n  a: f32 2]\n", "x.yaml:5:6", "is not a type" },
  { HEAD "fields:\n  a: f32[2] or so\n", "x.yaml:5:6", "is not a type" },
  { HEAD "fields:\n  a: f32[2][3]\n", "x.yaml:5:6", "is not a type" },
  { HEAD "fields:\n  a: f32[]\n", "x.yaml:5:6", "brackets are empty" },
  { HEAD "fields:\n  a: '[2]'\n", "x.yaml:5:6", "the dtype is missing" },
  { HEAD "fields:\n  a: f32[2, , 3]\n", "x.yaml:5:6", "'' is not a dimension" },
  { HEAD "fields:\n  a: f32[-1]\n", "x.yaml:5:6", "'-1' is not a dimension" },
  { HEAD "fields:\n  a: f32[99999999999]\n", "x.yaml:5:6", "is not a dimension" },
  { HEAD "fields:\n  a: f32[1,2,3,4,5,6,7]\n", "x.yaml:5:6", "more than 6 dimensions" },
  { HEAD "fields:\n  a: text[3]\n", "x.yaml:5:6", "'text' is not a dtype" },
  { HEAD "fields:\n  a:\n", "x.yaml:5:5", "the type of a field must be a text" },
  { HEAD "fields:\n  a: {doc: lost}\n", "x.yaml:5:6", "field 'a' has no type" },
  { HEAD "fields:\n  a: {type: f32, unit: m}\n", "x.yaml:5:18", "unknown key 'unit'" },
  { HEAD "fields:\n  A: f32\n", "x.yaml:5:3", "'A' cannot be a field name" },
  { HEAD "fields:\n  a: f32\n  a: f32\n", "x.yaml:6:3", "'a'" },
  { HEAD "extends: x\nfields:\n  a: f32\n", "x.yaml:4:10", "extends itself by way of 'x'" },
  { HEAD "extends: basis\nfields:\n  a: f32\n", "x.yaml:4:10", "no schema 'basis' to extend; install" },
  { HEAD "extends: base-on\nfields:\n  a: f32\n", "x.yaml:4:10", "did you mean 'base-one'?" },
  { HEAD "extends: base-one\nfields:\n  first: f32\n", "x.yaml:6:3", "'first' stands in schema 'base-one' already" },
  { HEAD "extends: base-one\ndims: {k: kay}\nfields:\n  a: f32\n", "x.yaml:5:8",
    "'k' stands in schema 'base-one' already" },
  { "schema: x\n  version: 1\n", "x.yaml:2:", "" },
};

static void
test_refuses_with_place (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "base-one.yaml",
              "schema: base-one\nversion: 1\ndoc: B.\ndims: {k: kay}\nfields:\n  first: f32[k]\n");
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_test_message ("%s", refusals[i].text);
    write_file (fixture, "x.yaml", refusals[i].text);
    if (refusals[i].part[0] != '\0') {
      assert_refused (fixture, refusals[i].place, refusals[i].part);
      continue;
    }
    /* A mistake of YAML itself: the place alone is ours to check. */
    g_autoptr (GError) error = NULL;
    g_assert_false (lb_schemas_load (fixture->schemas, fixture->directory, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
    g_assert_nonnull (strstr (error->message, refusals[i].place));
  }
}

static void
test_refuses_cycles (Fixture *fixture, gconstpointer data)
{
  write_file (fixture, "a.yaml", "schema: a\nversion: 1\ndoc: A.\nextends: b\nfields:\n  x: f32\n");
  write_file (fixture, "b.yaml", "schema: b\nversion: 1\ndoc: B.\nextends: a\nfields:\n  y: f32\n");
  assert_refused (fixture, "a.yaml:4:10", "schema 'a' extends itself by way of 'b'");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/schema/reads-the-installed-schemas", test_reads_installed);
  ADD ("/schema/keeps-docs-and-numbers", test_keeps_docs);
  ADD ("/schema/extends-whatever-the-order-of-files", test_extends_in_any_order);
  ADD ("/schema/skips-yaml-that-is-no-schema", test_skips_other_yaml);
  ADD ("/schema/refuses-a-second-schema-of-a-name", test_refuses_second_of_a_name);
  ADD ("/schema/refuses-a-missing-directory", test_refuses_missing_directory);
  ADD ("/schema/refuses-mistakes-at-their-place", test_refuses_with_place);
  ADD ("/schema/refuses-cycles", test_refuses_cycles);
  return g_test_run ();
}
