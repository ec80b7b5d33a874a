/* JSON. Reading of what anybody may have written: bounded, and every member of the kind that was asked for, or a
 * sentence; and writing of Limbeck's own, in one form everywhere.
 *
 * A getter takes the object and the member's name. The first that fails sets the reader's error, and what it returns is
 * harmless: NULL, 0 or an empty list. So one look at the error at the end of a part is enough.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "base/sha256.h"

G_BEGIN_DECLS

/* ---- Reading ---- */

/* Parses JSON of at most 32 levels; anything else is refused before a parser sees it that could run out of stack.
 * @place begins the message. LB_ERROR_INPUT. */
JsonNode *lb_json_parse (const char *place, const char *text, gsize length, GError **error);

typedef struct {
  const char *place; /* begins messages */
  GError *error;     /* the first, LB_ERROR_INPUT; whoever made the reader takes it */
} LbJsonReader;

/* Sets the error, if there is none yet: "PLACE: member 'NAME' ...; it is not as Limbeck writes it". */
void lb_json_fail (LbJsonReader *reader, const char *name, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The object that the whole is. */
JsonObject *lb_json_root (LbJsonReader *reader, JsonNode *root);

/* In all below @object may be NULL, as one that failed is: then the member is missing. */

/* The object's; NULL for null and with @may_lack for what is not there too. */
const char *lb_json_text (LbJsonReader *reader, JsonObject *object, const char *name, gboolean may_lack);

/* FALSE, too, with @may_lack for what is not there. */
gboolean lb_json_boolean (LbJsonReader *reader, JsonObject *object, const char *name, gboolean may_lack);

/* A whole number of 0 or more. */
guint64 lb_json_count (LbJsonReader *reader, JsonObject *object, const char *name);

/* A number, or the name of one that JSON does not know: "nan", "inf", "-inf". */
double lb_json_number (LbJsonReader *reader, JsonObject *object, const char *name);

/* Member "sha256", in hexadecimal. */
void lb_json_digest (LbJsonReader *reader, JsonObject *object, char digest[LB_DIGEST_SIZE]);

JsonObject *lb_json_object (LbJsonReader *reader, JsonObject *object, const char *name);
JsonArray *lb_json_array (LbJsonReader *reader, JsonObject *object, const char *name);

/* Number of items; 0 for NULL, and once there is an error, which ends loops. */
guint lb_json_length (const LbJsonReader *reader, JsonArray *array);

/* Items of list @name as what they are to be. */
JsonObject *lb_json_item (LbJsonReader *reader, JsonArray *array, const char *name, guint index);
JsonArray *lb_json_item_array (LbJsonReader *reader, JsonArray *array, const char *name, guint index);
const char *lb_json_item_text (LbJsonReader *reader, JsonArray *array, const char *name, guint index);

/* ---- Writing ---- */

/* Adds one member. A text that is NULL and a number that is not finite become null. */
void lb_json_add_text (JsonBuilder *builder, const char *name, const char *text);
void lb_json_add_number (JsonBuilder *builder, const char *name, double value);
void lb_json_add_integer (JsonBuilder *builder, const char *name, gint64 value);

/* What @builder holds, or @root, indented or in one line; with a line end. Free with g_free(). */
char *lb_json_to_text (JsonBuilder *builder, gboolean pretty);
char *lb_json_node_to_text (JsonNode *root, gboolean pretty);

G_END_DECLS
