/* JSON that anybody may have written: what is refused before it is parsed, and members of another kind than asked for.
 */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

static void
test_refuses_what_is_no_json (void)
{
  g_autofree char *deep = g_strnfill (2000000, '[');
  const char *const texts[] = { "", "{", "]", "{\"a\": 1}}", "{\"a\": \"\xff\"}", "{'a': 1}", "{\"a\": 1", deep };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (lb_json_parse ("f.json", texts[i], strlen (texts[i]), &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_cmpstr (error->message, ==, "f.json: is not JSON, or nested deeper than 32 levels; get the file again");
  }
}

static void
test_depth (void)
{
  for (guint depth = 31; depth <= 33; depth++) {
    g_autofree char *open = g_strnfill (depth, '['), *close = g_strnfill (depth, ']');
    g_autofree char *text = g_strconcat (open, close, NULL);
    g_autoptr (JsonNode) root = lb_json_parse ("f.json", text, strlen (text), NULL);
    g_assert_true ((root != NULL) == (depth <= 32));
  }
}

static JsonNode *
parse (const char *text)
{
  JsonNode *root = lb_json_parse ("f.json", text, strlen (text), NULL);
  g_assert_nonnull (root);
  return root;
}

static void
test_getters (void)
{
  g_autoptr (JsonNode) root
      = parse ("{\"text\": \"a\\\"[\", \"null\": null, \"yes\": true, \"n\": 9007199254740993, \"x\": 0.5,"
               " \"inf\": \"-inf\", \"list\": [{}, [], \"b\"],"
               " \"sha256\": \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}");
  LbJsonReader reader = { .place = "f.json" };
  JsonObject *object = lb_json_root (&reader, root);
  JsonArray *list = lb_json_array (&reader, object, "list");
  char digest[LB_DIGEST_SIZE];

  g_assert_cmpstr (lb_json_text (&reader, object, "text", FALSE), ==, "a\"[");
  g_assert_null (lb_json_text (&reader, object, "null", TRUE));
  g_assert_null (lb_json_text (&reader, object, "missing", TRUE));
  g_assert_true (lb_json_boolean (&reader, object, "yes", FALSE));
  g_assert_false (lb_json_boolean (&reader, object, "missing", TRUE));
  g_assert_cmpuint (lb_json_count (&reader, object, "n"), ==, G_GUINT64_CONSTANT (9007199254740993));
  g_assert_cmpfloat (lb_json_number (&reader, object, "x"), ==, 0.5);
  g_assert_cmpfloat (lb_json_number (&reader, object, "inf"), ==, -INFINITY);
  g_assert_cmpuint (lb_json_length (&reader, list), ==, 3);
  g_assert_nonnull (lb_json_item (&reader, list, "list", 0));
  g_assert_nonnull (lb_json_item_array (&reader, list, "list", 1));
  g_assert_cmpstr (lb_json_item_text (&reader, list, "list", 2), ==, "b");
  lb_json_digest (&reader, object, digest);
  g_assert_true (g_str_has_prefix (digest, "0123456789abcdef"));
  g_assert_no_error (reader.error);
}

/* The first thing wrong is told; what is asked behind it, of a missing object too, is harmless. */
static void
test_first_error_counts (void)
{
  g_autoptr (JsonNode) root = parse ("{\"n\": -1, \"list\": [1]}");
  LbJsonReader reader = { .place = "f.json" };
  JsonObject *object = lb_json_root (&reader, root), *none;
  JsonArray *list = lb_json_array (&reader, object, "list");
  char digest[LB_DIGEST_SIZE] = "";

  g_assert_cmpuint (lb_json_length (&reader, list), ==, 1);
  g_assert_cmpuint (lb_json_count (&reader, object, "n"), ==, 0);
  none = lb_json_item (&reader, list, "list", 0);
  g_assert_null (none);
  g_assert_null (lb_json_text (&reader, none, "a", FALSE));
  g_assert_cmpfloat (lb_json_number (&reader, none, "a"), ==, 0);
  g_assert_false (lb_json_boolean (&reader, none, "a", FALSE));
  g_assert_null (lb_json_object (&reader, none, "a"));
  lb_json_digest (&reader, none, digest);
  g_assert_cmpstr (digest, ==, "");
  g_assert_cmpuint (lb_json_length (&reader, list), ==, 0);
  g_assert_cmpuint (lb_json_length (&reader, NULL), ==, 0);
  g_assert_error (reader.error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (reader.error->message, ==,
                   "f.json: member 'n' is no whole number of 0 or more; it is not as Limbeck writes it");
  g_error_free (reader.error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/refuses-what-is-no-json", test_refuses_what_is_no_json);
  g_test_add_func ("/json/depth", test_depth);
  g_test_add_func ("/json/getters", test_getters);
  g_test_add_func ("/json/first-error-counts", test_first_error_counts);
  return g_test_run ();
}
