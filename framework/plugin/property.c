/* Properties at work: strict parsing of what a user wrote, and the canonical text of what is stored.
 *
 * Invariants: a value is parsed whole before the old one is let go, so a refused value changes nothing. A property
 * without a default holds a mark that no user can write until it is set, so the struct itself tells what was given.
 * Defaults in the tables go through the same parser as users' values. Nothing depends on the locale.
 */
#include "plugin/property.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/format.h"

/* Marks of properties that were not given; strings and lists use NULL. G_MININT64 and NaN are refused by the parser. */
#define INTEGER_NOT_GIVEN G_MININT64
#define BOOLEAN_NOT_GIVEN (-1)

#define MEMBER(ctype, self, property) G_STRUCT_MEMBER (ctype, self, (property)->offset)

/* One parsed item; which member counts follows from the kind. */
typedef struct {
  gboolean boolean;
  gint64 integer;
  double number;
  char *text;
} LbItem;

const LbProperty *
lb_property_find (const LbStageType *type, const char *name)
{
  for (const LbProperty *property = type->properties; property != NULL && property->name != NULL; property++)
    if (strcmp (property->name, name) == 0)
      return property;
  return NULL;
}

/* ---- Texts ---- */

/* A bound as people write it: 100000 and not 1e+05. */
static char *
bound_to_text (double bound)
{
  if (bound == floor (bound) && fabs (bound) < 1e15)
    return g_strdup_printf ("%" G_GINT64_FORMAT, (gint64)bound);
  return lb_format_number (bound);
}

void
lb_property_bounds (const LbProperty *property, double *minimum, double *maximum)
{
  /* Tables say "any" by limits that no value of the kind is beyond, too. */
  double limit = property->kind == LB_PROPERTY_INTEGER ? 9.2e18 : G_MAXDOUBLE;
  gboolean any = !(property->minimum < property->maximum);

  *minimum = !any && property->minimum > -limit ? property->minimum : -INFINITY;
  *maximum = !any && property->maximum < limit ? property->maximum : INFINITY;
}

/* " from 1 to 32", " of at least 0", "" */
static char *
range_text (const LbProperty *property)
{
  double least, most;
  lb_property_bounds (property, &least, &most);
  gboolean has_minimum = isfinite (least), has_maximum = isfinite (most);
  g_autofree char *minimum = has_minimum ? bound_to_text (least) : NULL;
  g_autofree char *maximum = has_maximum ? bound_to_text (most) : NULL;

  if (has_minimum && has_maximum)
    return g_strdup_printf (" from %s to %s", minimum, maximum);
  if (has_minimum)
    return g_strdup_printf (" of at least %s", minimum);
  if (has_maximum)
    return g_strdup_printf (" of at most %s", maximum);
  return g_strdup ("");
}

char *
lb_property_type_text (const LbProperty *property)
{
  g_autofree char *range = range_text (property);
  g_autofree char *choices = NULL;

  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    return g_strdup ("true or false");
  case LB_PROPERTY_INTEGER:
    return g_strconcat ("whole number", range, NULL);
  case LB_PROPERTY_NUMBER:
    return g_strconcat ("number", range, NULL);
  case LB_PROPERTY_STRING:
    return g_strdup ("text");
  case LB_PROPERTY_PATH:
    return g_strdup ("path");
  case LB_PROPERTY_RESULT:
    return g_strdup ("file name in the output directory ('*' is the stage's name)");
  case LB_PROPERTY_CHOICE:
    choices = g_strjoinv (", ", (char **)property->choices);
    return g_strconcat ("one of ", choices, NULL);
  case LB_PROPERTY_STRINGS:
    return g_strdup ("list of texts");
  case LB_PROPERTY_NUMBERS:
    return g_strconcat ("list of numbers", range[0] != '\0' ? ", each" : "", range, NULL);
  }
  g_return_val_if_reached (NULL);
}

/* "a whole number from 1 to 32 (views on each side)" */
static char *
expectation (const LbProperty *property)
{
  g_autofree char *type = lb_property_type_text (property);
  gboolean article = property->kind != LB_PROPERTY_BOOLEAN && property->kind != LB_PROPERTY_STRING
                     && property->kind != LB_PROPERTY_CHOICE;

  return g_strconcat (article ? "a " : "", type, " (", property->doc, ")", NULL);
}

char *
lb_property_missing_text (const LbProperty *property)
{
  g_autofree char *expected = expectation (property);

  return g_strdup_printf ("property '%s' is missing; it expects %s: give it under 'with'", property->name, expected);
}

/* What a user wrote, short and printable, in quotes. */
static char *
quote_found (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *escaped = g_strescape (valid, NULL);
  /* g_strescape() also escapes everything beyond ASCII, which is only wanted for control characters. */
  const char *shown = strpbrk (valid, "\b\f\n\r\t\v\033") != NULL ? escaped : valid;

  if (g_utf8_strlen (shown, -1) <= 60)
    return g_strdup_printf ("'%s'", shown);
  g_autofree char *start = g_utf8_substring (shown, 0, 60);
  return g_strdup_printf ("'%s...'", start);
}

/* Always FALSE: "property 'grid' is 0; expected ..." with the choice nearest to @word, if it is not NULL. @item counts
 * list items from 1; 0 for the value itself. */
static gboolean
refuse (const LbProperty *property, guint item, const char *found, const char *word, GError **error)
{
  g_autofree char *expected = expectation (property);
  g_autofree char *which = item > 0 ? g_strdup_printf (", item %u,", item) : g_strdup ("");
  gboolean is_choice = property->kind == LB_PROPERTY_CHOICE && word != NULL;
  g_autofree char *hint = is_choice ? lb_did_you_mean (word, property->choices) : g_strdup ("");

  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "property '%s'%s is %s; expected %s%s", property->name, which, found,
               expected, hint);
  return FALSE;
}

/* ---- Parsing ---- */

static gboolean
in_range (const LbProperty *property, double value)
{
  return !(property->minimum < property->maximum) || (value >= property->minimum && value <= property->maximum);
}

static const char *
skip_digits (const char *text)
{
  while (g_ascii_isdigit (*text))
    text++;
  return text;
}

/* Decimal digits with a sign at most, within 64 bits. */
static gboolean
parse_integer (const char *text, gint64 *value)
{
  const char *digits = text + (*text == '-' || *text == '+');
  const char *end = skip_digits (digits);

  if (end == digits || *end != '\0')
    return FALSE;
  errno = 0;
  *value = g_ascii_strtoll (text, NULL, 10);
  return errno == 0 && *value != INTEGER_NOT_GIVEN;
}

/* Decimal notation, whole string, finite: no hexadecimal, no spaces, no "inf" or "nan". */
static gboolean
parse_number (const char *text, double *value)
{
  const char *digits = text + (*text == '-' || *text == '+');
  const char *end = skip_digits (digits);
  gsize n_digits = end - digits;

  if (*end == '.') {
    const char *fraction = end + 1;
    end = skip_digits (fraction);
    n_digits += end - fraction;
  }
  if (n_digits == 0)
    return FALSE;
  if (*end == 'e' || *end == 'E') {
    const char *exponent = end + 1;
    exponent += *exponent == '-' || *exponent == '+';
    end = skip_digits (exponent);
    if (end == exponent)
      return FALSE;
  }
  if (*end != '\0')
    return FALSE;
  *value = g_ascii_strtod (text, NULL);
  return isfinite (*value);
}

static char *
resolve_path (const char *text, const char *directory)
{
  if (*text == '\0' || g_path_is_absolute (text) || directory == NULL || *directory == '\0'
      || strcmp (directory, ".") == 0)
    return g_strdup (text);
  return g_build_filename (directory, text, NULL);
}

/* A relative name that does not climb out of the output directory. */
static gboolean
is_result_name (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", -1);
  gboolean good = g_utf8_validate (text, -1, NULL);

  for (guint i = 0; parts[i] != NULL; i++)
    good = good && *parts[i] != '\0' && strcmp (parts[i], ".") != 0 && strcmp (parts[i], "..") != 0;
  return good && parts[0] != NULL;
}

/* Parses one scalar of @property, or one item (@number, from 1) of its list. */
static gboolean
parse_item (const LbProperty *property, guint number, const char *text, const char *directory, LbItem *item,
            GError **error)
{
  gboolean good = FALSE;

  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    item->boolean = strcmp (text, "true") == 0;
    good = item->boolean || strcmp (text, "false") == 0;
    break;
  case LB_PROPERTY_INTEGER:
    good = parse_integer (text, &item->integer) && in_range (property, (double)item->integer);
    break;
  case LB_PROPERTY_NUMBER:
  case LB_PROPERTY_NUMBERS:
    good = parse_number (text, &item->number) && in_range (property, item->number);
    break;
  case LB_PROPERTY_CHOICE:
    good = g_strv_contains (property->choices, text);
    break;
  case LB_PROPERTY_STRING:
  case LB_PROPERTY_STRINGS:
    good = g_utf8_validate (text, -1, NULL);
    break;
  case LB_PROPERTY_RESULT:
    good = is_result_name (text);
    break;
  case LB_PROPERTY_PATH:
    /* An empty path says "none", which only a property whose default says so understands. */
    good = *text != '\0' || (property->fallback != NULL && *property->fallback == '\0');
    break;
  }
  if (!good) {
    g_autofree char *found = quote_found (text);
    return refuse (property, number, found, text, error);
  }
  if (property->kind == LB_PROPERTY_PATH)
    item->text = resolve_path (text, directory);
  else if (property->kind == LB_PROPERTY_STRING || property->kind == LB_PROPERTY_STRINGS
           || property->kind == LB_PROPERTY_CHOICE || property->kind == LB_PROPERTY_RESULT)
    item->text = g_strdup (text);
  return TRUE;
}

static gboolean
is_list (const LbProperty *property)
{
  return property->kind == LB_PROPERTY_STRINGS || property->kind == LB_PROPERTY_NUMBERS;
}

static void
store_scalar (const LbProperty *property, gpointer self, LbItem item)
{
  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    MEMBER (gboolean, self, property) = item.boolean;
    return;
  case LB_PROPERTY_INTEGER:
    MEMBER (gint64, self, property) = item.integer;
    return;
  case LB_PROPERTY_NUMBER:
    MEMBER (double, self, property) = item.number;
    return;
  default:
    g_free (MEMBER (char *, self, property));
    MEMBER (char *, self, property) = item.text;
  }
}

/* Parses all @texts before storing any. */
static gboolean
set_list (const LbProperty *property, gpointer self, const char *const *texts, const char *directory, GError **error)
{
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (double));

  for (guint i = 0; texts[i] != NULL; i++) {
    LbItem item = { 0 };
    if (!parse_item (property, i + 1, texts[i], directory, &item, error))
      return FALSE;
    if (property->kind == LB_PROPERTY_NUMBERS)
      g_array_append_val (numbers, item.number);
    else
      g_ptr_array_add (strings, item.text);
  }

  if (property->kind == LB_PROPERTY_NUMBERS) {
    g_clear_pointer (&MEMBER (GArray *, self, property), g_array_unref);
    MEMBER (GArray *, self, property) = g_steal_pointer (&numbers);
  } else {
    g_ptr_array_add (strings, NULL);
    g_strfreev (MEMBER (char **, self, property));
    MEMBER (char **, self, property) = (char **)g_ptr_array_steal (strings, NULL);
  }
  return TRUE;
}

static gboolean
set_scalar (const LbProperty *property, gpointer self, const char *text, const char *directory, GError **error)
{
  LbItem item = { 0 };

  if (is_list (property)) {
    const char *const texts[] = { text, NULL };
    return set_list (property, self, texts, directory, error);
  }
  if (!parse_item (property, 0, text, directory, &item, error))
    return FALSE;
  store_scalar (property, self, item);
  return TRUE;
}

/* A scalar that was left out altogether, as in "grid:" with nothing behind it. */
static gboolean
is_blank (const LbDocumentNode *node)
{
  return node->kind == LB_DOCUMENT_SCALAR && *node->text == '\0' && !node->quoted;
}

/* Always FALSE when @node cannot be @what at all. */
static gboolean
check_scalar_node (const LbProperty *property, guint item, const LbDocumentNode *node, GError **error)
{
  if (node->kind == LB_DOCUMENT_SEQUENCE)
    return refuse (property, item, "a list", NULL, error);
  if (node->kind == LB_DOCUMENT_MAPPING)
    return refuse (property, item, "a mapping", NULL, error);
  if (is_blank (node))
    return refuse (property, item, "left empty", NULL, error);
  return TRUE;
}

gboolean
lb_property_set (const LbProperty *property, gpointer self, const LbDocumentNode *node, const char *directory,
                 GError **error)
{
  if (node->kind != LB_DOCUMENT_SEQUENCE || !is_list (property))
    return check_scalar_node (property, 0, node, error) && set_scalar (property, self, node->text, directory, error);

  g_autoptr (GPtrArray) texts = g_ptr_array_new ();
  for (guint i = 0; i < node->items->len; i++) {
    const LbDocumentNode *item = g_ptr_array_index (node->items, i);
    if (!check_scalar_node (property, i + 1, item, error))
      return FALSE;
    g_ptr_array_add (texts, item->text);
  }
  g_ptr_array_add (texts, NULL);
  return set_list (property, self, (const char *const *)texts->pdata, directory, error);
}

/* "[a, b]" as it would be read from a pipeline file. */
static gboolean
set_bracketed (const LbProperty *property, gpointer self, const char *text, const char *directory, GError **error)
{
  g_autofree char *yaml = g_strconcat ("value: ", text, NULL);
  g_autoptr (LbDocument) document = lb_document_parse (property->name, yaml, strlen (yaml), LB_ERROR_PIPELINE, NULL);
  const LbDocumentNode *value = document != NULL ? lb_document_get (document->root, "value") : NULL;

  if (value == NULL || value->kind != LB_DOCUMENT_SEQUENCE || document->root->keys->len != 1) {
    g_autofree char *found = quote_found (text);
    return refuse (property, 0, found, NULL, error);
  }
  return lb_property_set (property, self, value, directory, error);
}

gboolean
lb_property_set_text (const LbProperty *property, gpointer self, const char *text, const char *directory,
                      GError **error)
{
  if (!is_list (property))
    return set_scalar (property, self, text, directory, error);

  g_autofree char *list = g_strstrip (g_strdup (text));
  if (*list == '[')
    return set_bracketed (property, self, list, directory, error);

  /* Splitting "" gives no items: the empty list. */
  g_auto (GStrv) items = g_strsplit (list, ",", -1);
  for (guint i = 0; items[i] != NULL; i++)
    if (*g_strstrip (items[i]) == '\0')
      return refuse (property, i + 1, "left empty", NULL, error);
  return set_list (property, self, (const char *const *)items, directory, error);
}

/* ---- Life of a struct ---- */

static void
mark_not_given (const LbProperty *property, gpointer self)
{
  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    MEMBER (gboolean, self, property) = BOOLEAN_NOT_GIVEN;
    return;
  case LB_PROPERTY_INTEGER:
    MEMBER (gint64, self, property) = INTEGER_NOT_GIVEN;
    return;
  case LB_PROPERTY_NUMBER:
    MEMBER (double, self, property) = NAN;
    return;
  default:
    MEMBER (gpointer, self, property) = NULL;
  }
}

gboolean
lb_property_is_given (const LbProperty *property, gconstpointer self)
{
  if (property->fallback != NULL)
    return TRUE;
  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    return MEMBER (gboolean, self, property) != BOOLEAN_NOT_GIVEN;
  case LB_PROPERTY_INTEGER:
    return MEMBER (gint64, self, property) != INTEGER_NOT_GIVEN;
  case LB_PROPERTY_NUMBER:
    return !isnan (MEMBER (double, self, property));
  default:
    return MEMBER (gpointer, self, property) != NULL;
  }
}

void
lb_properties_init (const LbStageType *type, gpointer self)
{
  for (const LbProperty *property = type->properties; property != NULL && property->name != NULL; property++) {
    g_autoptr (GError) error = NULL;

    mark_not_given (property, self);
    /* Registration has tried every default, so this can only fail for a type that was never registered. */
    if (property->fallback != NULL && !lb_property_set_text (property, self, property->fallback, NULL, &error))
      g_critical ("stage type '%s': default of %s", type->name, error->message);
  }
}

void
lb_properties_complete (const LbStageType *type, gpointer self, const char *stage)
{
  for (const LbProperty *row = type->properties; row != NULL && row->name != NULL; row++) {
    char **name = &MEMBER (char *, self, row);

    if (row->kind != LB_PROPERTY_RESULT || !lb_property_is_given (row, self) || *name == NULL)
      continue;
    g_auto (GStrv) parts = g_strsplit (*name, "*", -1);
    g_free (*name);
    *name = g_strjoinv (stage, parts);
  }
}

void
lb_properties_clear (const LbStageType *type, gpointer self)
{
  for (const LbProperty *property = type->properties; property != NULL && property->name != NULL; property++)
    switch (property->kind) {
    case LB_PROPERTY_BOOLEAN:
      MEMBER (gboolean, self, property) = FALSE;
      break;
    case LB_PROPERTY_INTEGER:
      MEMBER (gint64, self, property) = 0;
      break;
    case LB_PROPERTY_NUMBER:
      MEMBER (double, self, property) = 0;
      break;
    case LB_PROPERTY_STRINGS:
      g_clear_pointer (&MEMBER (char **, self, property), g_strfreev);
      break;
    case LB_PROPERTY_NUMBERS:
      g_clear_pointer (&MEMBER (GArray *, self, property), g_array_unref);
      break;
    default:
      g_clear_pointer (&MEMBER (char *, self, property), g_free);
    }
}

/* ---- Canonical text ---- */

/* Whether YAML reads @text back as it stands, even inside brackets. */
static gboolean
is_plain (const char *text)
{
  if (!g_ascii_isalnum (*text) && *text != '/' && *text != '.' && *text != '_')
    return FALSE;
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr ("/._+-", *p) == NULL)
      return FALSE;
  return strcmp (text, "...") != 0;
}

/* Appends @text as YAML writes it: plain where that is safe, in double quotes otherwise. */
static void
append_text (GString *out, const char *text)
{
  if (is_plain (text)) {
    g_string_append (out, text);
    return;
  }

  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_string_append_c (out, '"');
  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);
    if (c == '"' || c == '\\')
      g_string_append_printf (out, "\\%c", (char)c);
    else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe
             || c == 0xffff)
      g_string_append_printf (out, "\\u%04x", c);
    else
      g_string_append_unichar (out, c);
  }
  g_string_append_c (out, '"');
}

static void
append_number (GString *out, double value)
{
  g_autofree char *text = lb_format_number (value);

  g_string_append (out, text);
}

char *
lb_property_to_text (const LbProperty *property, gconstpointer self)
{
  GString *out = g_string_new (NULL);

  if (!lb_property_is_given (property, self))
    return g_string_free (out, FALSE);

  switch (property->kind) {
  case LB_PROPERTY_BOOLEAN:
    g_string_append (out, MEMBER (gboolean, self, property) ? "true" : "false");
    break;
  case LB_PROPERTY_INTEGER:
    g_string_append_printf (out, "%" G_GINT64_FORMAT, MEMBER (gint64, self, property));
    break;
  case LB_PROPERTY_NUMBER:
    append_number (out, MEMBER (double, self, property));
    break;
  case LB_PROPERTY_STRINGS: {
    char **texts = MEMBER (char **, self, property);
    g_string_append_c (out, '[');
    for (guint i = 0; texts[i] != NULL; i++) {
      g_string_append (out, i > 0 ? ", " : "");
      append_text (out, texts[i]);
    }
    g_string_append_c (out, ']');
    break;
  }
  case LB_PROPERTY_NUMBERS: {
    GArray *numbers = MEMBER (GArray *, self, property);
    g_string_append_c (out, '[');
    for (guint i = 0; i < numbers->len; i++) {
      g_string_append (out, i > 0 ? ", " : "");
      append_number (out, g_array_index (numbers, double, i));
    }
    g_string_append_c (out, ']');
    break;
  }
  default:
    append_text (out, MEMBER (char *, self, property));
  }
  return g_string_free (out, FALSE);
}
