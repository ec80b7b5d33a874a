/* Properties: strict parsing, messages, defaults, canonical texts. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "plugin/property.h"

typedef struct {
  gboolean flag;
  gint64 grid, any, count;
  double rate, must;
  char *label, *data, *maybe, *mode, *sheet;
  char **names;
  GArray *values;
} Toy;

static const char *const modes[] = { "noise", "real", NULL };

static const LbProperty properties[] = {
  LB_BOOLEAN (Toy, flag, "flag", "true", "whether"),
  LB_INTEGER (Toy, grid, "grid", "5", 1, 32, "views", "views on each side"),
  LB_INTEGER (Toy, any, "any", "-7", 0, 0, NULL, "any number"),
  LB_INTEGER (Toy, count, "count", NULL, 0, 10, NULL, "must be given"),
  LB_NUMBER (Toy, rate, "rate", "1e-3", 0, INFINITY, NULL, "learning rate"),
  LB_NUMBER (Toy, must, "must", NULL, -1, 1, NULL, "must be given"),
  LB_STRING (Toy, label, "label", "", "some text"),
  LB_PATH (Toy, data, "data", NULL, "file of data"),
  LB_PATH (Toy, maybe, "maybe", "", "file that may be left out"),
  LB_RESULT (Toy, sheet, "sheet", "*.png", "picture"),
  LB_CHOICE (Toy, mode, "mode", "noise", modes, "start"),
  LB_STRINGS (Toy, names, "names", "[convnet-d3, vgg11]", "networks"),
  LB_NUMBERS (Toy, values, "values", "0.1, 0.25", 0, 1, NULL, "shares"),
  LB_PROPERTIES_END,
};

static const LbStageType type = { .name = "toy", .properties = properties, .instance_size = sizeof (Toy) };

static void
set_up (Toy *toy, gconstpointer data)
{
  lb_properties_init (&type, toy);
}

static void
tear_down (Toy *toy, gconstpointer data)
{
  lb_properties_clear (&type, toy);
}

/* Sets @name from "value: @yaml". */
static gboolean
set_yaml (Toy *toy, const char *name, const char *yaml, GError **error)
{
  g_autofree char *text = g_strconcat ("value: ", yaml, "\n", NULL);
  g_autoptr (LbDocument) document = lb_document_parse ("test.yaml", text, strlen (text), LB_ERROR_PIPELINE, error);

  g_assert_nonnull (document);
  return lb_property_set (lb_property_find (&type, name), toy, lb_document_get (document->root, "value"), "/base",
                          error);
}

static void
assert_set (Toy *toy, const char *name, const char *yaml)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (set_yaml (toy, name, yaml, &error));
  g_assert_no_error (error);
}

static void
test_takes_defaults (Toy *toy, gconstpointer data)
{
  g_assert_true (toy->flag);
  g_assert_cmpint (toy->grid, ==, 5);
  g_assert_cmpint (toy->any, ==, -7);
  g_assert_cmpfloat (toy->rate, ==, 1e-3);
  g_assert_cmpstr (toy->label, ==, "");
  g_assert_null (toy->data);
  g_assert_cmpstr (toy->maybe, ==, "");
  g_assert_cmpstr (toy->mode, ==, "noise");
  g_assert_cmpuint (g_strv_length (toy->names), ==, 2);
  g_assert_cmpstr (toy->names[1], ==, "vgg11");
  g_assert_cmpuint (toy->values->len, ==, 2);
  g_assert_cmpfloat (g_array_index (toy->values, double, 1), ==, 0.25);
}

static void
test_knows_what_was_given (Toy *toy, gconstpointer data)
{
  static const char *const needed[] = { "count", "must", "data" };
  static const char *const values[] = { "0", "0", "x" };

  for (guint i = 0; i < G_N_ELEMENTS (needed); i++) {
    const LbProperty *property = lb_property_find (&type, needed[i]);
    g_assert_false (lb_property_is_given (property, toy));
    g_autofree char *text = lb_property_to_text (property, toy);
    g_assert_cmpstr (text, ==, "");
    assert_set (toy, needed[i], values[i]);
    g_assert_true (lb_property_is_given (property, toy));
  }
  g_assert_true (lb_property_is_given (lb_property_find (&type, "grid"), toy));
  g_autofree char *text = lb_property_missing_text (lb_property_find (&type, "count"));
  g_assert_cmpstr (text, ==,
                   "property 'count' is missing; it expects a whole number from 0 to 10 (must be given): give it "
                   "under 'with'");
}

static void
test_stores_values (Toy *toy, gconstpointer data)
{
  assert_set (toy, "flag", "false");
  assert_set (toy, "grid", "32");
  assert_set (toy, "any", "+9007199254740993");
  assert_set (toy, "rate", "2.5e+2");
  assert_set (toy, "must", "-.5");
  assert_set (toy, "label", "\"5: five\"");
  assert_set (toy, "mode", "'real'");
  assert_set (toy, "names", "resnet18");
  assert_set (toy, "values", "[1, 0, 1e-1]");
  g_assert_false (toy->flag);
  g_assert_cmpint (toy->grid, ==, 32);
  g_assert_cmpint (toy->any, ==, G_GINT64_CONSTANT (9007199254740993));
  g_assert_cmpfloat (toy->rate, ==, 250);
  g_assert_cmpfloat (toy->must, ==, -0.5);
  g_assert_cmpstr (toy->label, ==, "5: five");
  g_assert_cmpstr (toy->mode, ==, "real");
  g_assert_cmpstr (toy->names[0], ==, "resnet18");
  g_assert_null (toy->names[1]);
  g_assert_cmpuint (toy->values->len, ==, 3);
  g_assert_cmpfloat (g_array_index (toy->values, double, 2), ==, 0.1);
  assert_set (toy, "names", "[]");
  g_assert_null (toy->names[0]);
}

static void
test_takes_paths_from_directory (Toy *toy, gconstpointer data)
{
  assert_set (toy, "data", "set/images.gz");
  g_assert_cmpstr (toy->data, ==, "/base/set/images.gz");
  assert_set (toy, "data", "/data/images.gz");
  g_assert_cmpstr (toy->data, ==, "/data/images.gz");
  assert_set (toy, "maybe", "''");
  g_assert_cmpstr (toy->maybe, ==, "");
  g_assert_true (lb_property_set_text (lb_property_find (&type, "data"), toy, "images.gz", ".", NULL));
  g_assert_cmpstr (toy->data, ==, "images.gz");
}

static void
test_names_results_after_the_stage (Toy *toy, gconstpointer data)
{
  lb_properties_complete (&type, toy, "distill");
  g_assert_cmpstr (toy->sheet, ==, "distill.png");
  assert_set (toy, "sheet", "sheets/of-*/*.png");
  lb_properties_complete (&type, toy, "x");
  g_assert_cmpstr (toy->sheet, ==, "sheets/of-x/x.png");
  assert_set (toy, "sheet", "plain.png");
  lb_properties_complete (&type, toy, "x");
  g_assert_cmpstr (toy->sheet, ==, "plain.png");
}

static void
test_splits_texts_at_commas (Toy *toy, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const LbProperty *names = lb_property_find (&type, "names"), *label = lb_property_find (&type, "label");

  g_assert_true (lb_property_set_text (names, toy, "a, b ,c", NULL, &error));
  g_assert_cmpuint (g_strv_length (toy->names), ==, 3);
  g_assert_cmpstr (toy->names[1], ==, "b");
  g_assert_true (lb_property_set_text (names, toy, "['a, b', c]", NULL, &error));
  g_assert_cmpstr (toy->names[0], ==, "a, b");
  g_assert_true (lb_property_set_text (names, toy, "", NULL, &error));
  g_assert_null (toy->names[0]);
  g_assert_true (lb_property_set_text (label, toy, "a, [b", NULL, &error));
  g_assert_cmpstr (toy->label, ==, "a, [b");

  g_assert_false (lb_property_set_text (names, toy, "a,,b", NULL, &error));
  g_assert_cmpstr (error->message, ==, "property 'names', item 2, is left empty; expected a list of texts (networks)");
  g_clear_error (&error);
  g_assert_false (lb_property_set_text (names, toy, "[a", NULL, &error));
  g_assert_cmpstr (error->message, ==, "property 'names' is '[a'; expected a list of texts (networks)");
}

static const struct {
  const char *name, *yaml, *message;
} refusals[] = {
  { "grid", "0", "property 'grid' is '0'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "33", "property 'grid' is '33'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "1.5", "property 'grid' is '1.5'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "1e1", "property 'grid' is '1e1'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "0x5", "property 'grid' is '0x5'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "' 5'", "property 'grid' is ' 5'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "5 views", "property 'grid' is '5 views'; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "", "property 'grid' is left empty; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "''", "property 'grid' is ''; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "[5]", "property 'grid' is a list; expected a whole number from 1 to 32 (views on each side)" },
  { "grid", "{a: 5}", "property 'grid' is a mapping; expected a whole number from 1 to 32 (views on each side)" },
  { "any", "9223372036854775808", "property 'any' is '9223372036854775808'; expected a whole number (any number)" },
  { "any", "-9223372036854775808", "property 'any' is '-9223372036854775808'; expected a whole number (any number)" },
  { "any", "'-'", "property 'any' is '-'; expected a whole number (any number)" },
  { "rate", "-0.1", "property 'rate' is '-0.1'; expected a number of at least 0 (learning rate)" },
  { "rate", "nan", "property 'rate' is 'nan'; expected a number of at least 0 (learning rate)" },
  { "rate", "inf", "property 'rate' is 'inf'; expected a number of at least 0 (learning rate)" },
  { "rate", "1e999", "property 'rate' is '1e999'; expected a number of at least 0 (learning rate)" },
  { "rate", "0x1p3", "property 'rate' is '0x1p3'; expected a number of at least 0 (learning rate)" },
  { "rate", "1,5", "property 'rate' is '1,5'; expected a number of at least 0 (learning rate)" },
  { "rate", "1e", "property 'rate' is '1e'; expected a number of at least 0 (learning rate)" },
  { "rate", ".", "property 'rate' is '.'; expected a number of at least 0 (learning rate)" },
  { "flag", "yes", "property 'flag' is 'yes'; expected true or false (whether)" },
  { "flag", "True", "property 'flag' is 'True'; expected true or false (whether)" },
  { "mode", "nosie", "property 'mode' is 'nosie'; expected one of noise, real (start); did you mean 'noise'?" },
  { "mode", "zero", "property 'mode' is 'zero'; expected one of noise, real (start)" },
  { "sheet", "''",
    "property 'sheet' is ''; expected a file name in the output directory ('*' is the stage's name) (picture)" },
  { "sheet", "/x.png",
    "property 'sheet' is '/x.png'; expected a file name in the output directory ('*' is the stage's name) (picture)" },
  { "sheet", "a/../../x.png",
    "property 'sheet' is 'a/../../x.png'; expected a file name in the output directory ('*' is the stage's name) "
    "(picture)" },
  { "data", "''", "property 'data' is ''; expected a path (file of data)" },
  { "data", "", "property 'data' is left empty; expected a path (file of data)" },
  { "label", "\"a\\n\\\"b\"\n", NULL },
  { "names", "[a, [b]]", "property 'names', item 2, is a list; expected a list of texts (networks)" },
  { "names", "{a: b}", "property 'names' is a mapping; expected a list of texts (networks)" },
  { "values", "[0.5, 2]", "property 'values', item 2, is '2'; expected a list of numbers, each from 0 to 1 (shares)" },
  { "grid", "\"1\\n2\"", "property 'grid' is '1\\n2'; expected a whole number from 1 to 32 (views on each side)" },
  { "flag", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "property 'flag' is 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'; expected true or false "
    "(whether)" },
};

static void
test_refuses_wrong_values (Toy *toy, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) error = NULL;
    gboolean done = set_yaml (toy, refusals[i].name, refusals[i].yaml, &error);
    g_assert_cmpint (done, ==, refusals[i].message == NULL);
    if (done)
      continue;
    g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
    g_assert_cmpstr (error->message, ==, refusals[i].message);
  }
}

static void
test_refused_value_changes_nothing (Toy *toy, gconstpointer data)
{
  g_assert_false (set_yaml (toy, "values", "[0.5, 2]", NULL));
  g_assert_cmpuint (toy->values->len, ==, 2);
  g_assert_cmpfloat (g_array_index (toy->values, double, 0), ==, 0.1);
  g_assert_false (set_yaml (toy, "mode", "zero", NULL));
  g_assert_cmpstr (toy->mode, ==, "noise");
}

/* The canonical text of @name, set back, gives the same canonical text; returns it. */
static char *
round_trip (Toy *toy, const char *name)
{
  const LbProperty *property = lb_property_find (&type, name);
  char *text = lb_property_to_text (property, toy);

  assert_set (toy, name, text);
  g_autofree char *again = lb_property_to_text (property, toy);
  g_assert_cmpstr (again, ==, text);
  return text;
}

static void
test_texts_are_canonical (Toy *toy, gconstpointer data)
{
  static const struct {
    const char *name, *yaml, *text;
  } cases[] = {
    { "flag", "false", "false" },
    { "grid", "+07", "7" },
    { "any", "-9223372036854775807", "-9223372036854775807" },
    { "rate", "0.10", "0.1" },
    { "rate", "1e-3", "0.001" },
    { "rate", "0.1000000000000000055511151231257827", "0.1" },
    { "rate", "0.30000000000000004", "0.30000000000000004" },
    { "rate", "5e-324", "5e-324" },
    { "rate", "123456789", "123456789" },
    { "must", "-0.0", "-0" },
    { "label", "''", "\"\"" },
    { "label", "plain-text_1.0", "plain-text_1.0" },
    { "label", "'- a: [b], #c'", "\"- a: [b], #c\"" },
    { "label", "\"tab\\t quote\\\" back\\\\ \\u00e9 \\u2028 \\u0001\"",
      "\"tab\\u0009 quote\\\" back\\\\ é \\u2028 \\u0001\"" },
    { "data", "a b.gz", "\"/base/a b.gz\"" },
    { "names", "[a, 'b, c', '']", "[a, \"b, c\", \"\"]" },
    { "names", "one", "[one]" },
    { "values", "[1, 0.50]", "[1, 0.5]" },
    { "values", "[]", "[]" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    assert_set (toy, cases[i].name, cases[i].yaml);
    g_autofree char *text = round_trip (toy, cases[i].name);
    g_assert_cmpstr (text, ==, cases[i].text);
  }
}

static void
test_numbers_survive_their_text (Toy *toy, gconstpointer data)
{
  double value = 1.0 / 3;

  for (guint i = 0; i < 400; i++, value = value * -1.7 + i / 7.0) {
    toy->rate = fabs (value);
    double before = toy->rate;
    g_free (round_trip (toy, "rate"));
    g_assert_cmpfloat (toy->rate, ==, before);
  }
}

static void
test_types_are_told (Toy *toy, gconstpointer data)
{
  static const char *const texts[][2] = {
    { "flag", "true or false" },
    { "grid", "whole number from 1 to 32" },
    { "any", "whole number" },
    { "rate", "number of at least 0" },
    { "label", "text" },
    { "data", "path" },
    { "mode", "one of noise, real" },
    { "names", "list of texts" },
    { "values", "list of numbers, each from 0 to 1" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *text = lb_property_type_text (lb_property_find (&type, texts[i][0]));
    g_assert_cmpstr (text, ==, texts[i][1]);
  }
  g_assert_null (lb_property_find (&type, "gird"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Toy, NULL, set_up, function, tear_down)
  ADD ("/property/takes-defaults-from-the-table", test_takes_defaults);
  ADD ("/property/knows-what-was-given", test_knows_what_was_given);
  ADD ("/property/stores-values", test_stores_values);
  ADD ("/property/takes-relative-paths-from-the-directory", test_takes_paths_from_directory);
  ADD ("/property/names-results-after-the-stage", test_names_results_after_the_stage);
  ADD ("/property/splits-texts-at-commas", test_splits_texts_at_commas);
  ADD ("/property/refuses-wrong-values-in-a-sentence", test_refuses_wrong_values);
  ADD ("/property/refused-value-changes-nothing", test_refused_value_changes_nothing);
  ADD ("/property/texts-are-canonical", test_texts_are_canonical);
  ADD ("/property/numbers-survive-their-text", test_numbers_survive_their_text);
  ADD ("/property/types-are-told", test_types_are_told);
  return g_test_run ();
}
