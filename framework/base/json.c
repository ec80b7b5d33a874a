/* Getters and builders of JSON's members. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/format.h"

#define MOST_DEPTH 32

/* ---- Reading ---- */

/* Whether it can be JSON and is nested no deeper than may be. */
static gboolean
is_json (const char *text, gsize length)
{
  guint depth = 0;
  gboolean in_string = FALSE;
  for (gsize i = 0; i < length; i++) {
    char c = text[i];
    if (in_string) {
      i += c == '\\';
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    if (c == '[' || c == '{')
      depth++;
    else if ((c == ']' || c == '}') && depth > 0)
      depth--;
    else if (!g_ascii_isalnum (c) && strchr (" \t\r\n\":,+-.", c) == NULL)
      return FALSE;
    if (depth > MOST_DEPTH || c == '\0')
      return FALSE;
  }
  return !in_string && depth == 0;
}

JsonNode *
lb_json_parse (const char *place, const char *text, gsize length, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  if (is_json (text, length) && g_utf8_validate (text, (gssize)length, NULL)
      && json_parser_load_from_data (parser, text, (gssize)length, NULL) && json_parser_get_root (parser) != NULL)
    return json_parser_steal_root (parser);
  lb_input_error (place, error, "is not JSON, or nested deeper than %d levels; get the file again", MOST_DEPTH);
  return NULL;
}

void
lb_json_fail (LbJsonReader *reader, const char *name, const char *format, ...)
{
  if (reader->error != NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  lb_input_error (reader->place, &reader->error, "member '%s' %s; it is not as Limbeck writes it", name, what);
}

JsonObject *
lb_json_root (LbJsonReader *reader, JsonNode *root)
{
  if (JSON_NODE_HOLDS_OBJECT (root))
    return json_node_get_object (root);
  if (reader->error == NULL)
    lb_input_error (reader->place, &reader->error, "is no JSON object; get the file again");
  return NULL;
}

static JsonNode *
member (JsonObject *object, const char *name)
{
  return object != NULL ? json_object_get_member (object, name) : NULL;
}

/* Of a value; G_TYPE_INVALID for everything else, NULL too. */
static GType
value_type (JsonNode *node)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
}

const char *
lb_json_text (LbJsonReader *reader, JsonObject *object, const char *name, gboolean may_lack)
{
  JsonNode *node = member (object, name);
  if (value_type (node) == G_TYPE_STRING)
    return json_node_get_string (node);
  if (!may_lack || (node != NULL && !JSON_NODE_HOLDS_NULL (node)))
    lb_json_fail (reader, name, "is %s, where a text was expected", node == NULL ? "missing" : "no text");
  return NULL;
}

gboolean
lb_json_boolean (LbJsonReader *reader, JsonObject *object, const char *name, gboolean may_lack)
{
  JsonNode *node = member (object, name);
  if (value_type (node) == G_TYPE_BOOLEAN)
    return json_node_get_boolean (node);
  if (!may_lack || node != NULL)
    lb_json_fail (reader, name, "is neither true nor false");
  return FALSE;
}

guint64
lb_json_count (LbJsonReader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = member (object, name);
  if (value_type (node) == G_TYPE_INT64 && json_node_get_int (node) >= 0)
    return (guint64)json_node_get_int (node);
  lb_json_fail (reader, name, "is no whole number of 0 or more");
  return 0;
}

double
lb_json_number (LbJsonReader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = member (object, name);
  GType type = value_type (node);
  if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE)
    return json_node_get_double (node);
  if (type == G_TYPE_STRING
      && g_strv_contains ((const char *const[]){ "nan", "inf", "-inf", NULL }, json_node_get_string (node)))
    return g_ascii_strtod (json_node_get_string (node), NULL);
  lb_json_fail (reader, name, "is no number");
  return 0;
}

void
lb_json_digest (LbJsonReader *reader, JsonObject *object, char digest[LB_DIGEST_SIZE])
{
  const char *text = lb_json_text (reader, object, "sha256", FALSE);
  if (lb_is_digest (text))
    g_strlcpy (digest, text, LB_DIGEST_SIZE);
  else
    lb_json_fail (reader, "sha256", "is no SHA-256 in 64 hexadecimal digits");
}

JsonObject *
lb_json_object (LbJsonReader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = member (object, name);
  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);
  lb_json_fail (reader, name, "is no object");
  return NULL;
}

JsonArray *
lb_json_array (LbJsonReader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = member (object, name);
  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node))
    return json_node_get_array (node);
  lb_json_fail (reader, name, "is no list");
  return NULL;
}

guint
lb_json_length (const LbJsonReader *reader, JsonArray *array)
{
  return array != NULL && reader->error == NULL ? json_array_get_length (array) : 0;
}

JsonObject *
lb_json_item (LbJsonReader *reader, JsonArray *array, const char *name, guint index)
{
  JsonNode *node = json_array_get_element (array, index);
  if (JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);
  lb_json_fail (reader, name, "has an item that is no object");
  return NULL;
}

JsonArray *
lb_json_item_array (LbJsonReader *reader, JsonArray *array, const char *name, guint index)
{
  JsonNode *node = json_array_get_element (array, index);
  if (JSON_NODE_HOLDS_ARRAY (node))
    return json_node_get_array (node);
  lb_json_fail (reader, name, "has an item that is no list");
  return NULL;
}

const char *
lb_json_item_text (LbJsonReader *reader, JsonArray *array, const char *name, guint index)
{
  JsonNode *node = json_array_get_element (array, index);
  if (value_type (node) == G_TYPE_STRING)
    return json_node_get_string (node);
  lb_json_fail (reader, name, "has an item that is no text");
  return NULL;
}

/* ---- Writing ---- */

void
lb_json_add_text (JsonBuilder *builder, const char *name, const char *text)
{
  json_builder_set_member_name (builder, name);
  if (text == NULL) {
    json_builder_add_null_value (builder);
    return;
  }
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  json_builder_add_string_value (builder, valid);
}

void
lb_json_add_number (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  if (isfinite (value))
    json_builder_add_double_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

void
lb_json_add_integer (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

char *
lb_json_node_to_text (JsonNode *root, gboolean pretty)
{
  g_autofree char *text = json_to_string (root, pretty);
  g_autofree char *corrected = lb_format_json (text);
  return g_strconcat (corrected, "\n", NULL);
}

char *
lb_json_to_text (JsonBuilder *builder, gboolean pretty)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  return lb_json_node_to_text (root, pretty);
}
