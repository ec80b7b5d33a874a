/* Stream schemas: reading, extending, looking up.
 *
 * Invariants: schemas live as long as their LbSchemas, so pointers to them may be kept; a directory is taken in whole
 * or not at all; a schema's base is complete before the schema is, whatever the order of the files.
 */
#include "stream/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/document.h"
#include "base/error.h"

#define MAX_SCHEMA_VERSION 65535

struct _LbSchemas {
  GHashTable *by_name; /* char* (the schema's) -> LbSchema* */
};

/* A schema on its way in: read, but not joined with its base yet. */
typedef struct {
  LbDocument *document;
  LbSchema *schema;
  const LbDocumentNode *name, *extends, *dims, *fields;
  enum { WAITING, VISITING, DONE } state;
} LbDraft;

/* ---- Life ---- */

static void
field_free (gpointer data)
{
  LbField *field = data;

  g_free (field->name);
  g_free (field->doc);
  for (guint i = 0; i < field->rank; i++)
    g_free (field->dims[i]);
  g_free (field);
}

static void
symbol_free (gpointer data)
{
  LbSymbol *symbol = data;

  g_free (symbol->name);
  g_free (symbol->doc);
  g_free (symbol);
}

static void
schema_free (gpointer data)
{
  LbSchema *schema = data;

  if (schema == NULL)
    return;
  g_free (schema->name);
  g_free (schema->doc);
  g_free (schema->path);
  g_ptr_array_unref (schema->symbols);
  g_ptr_array_unref (schema->fields);
  g_free (schema);
}

static void
draft_free (gpointer data)
{
  LbDraft *draft = data;

  lb_document_free (draft->document);
  schema_free (draft->schema);
  g_free (draft);
}

LbSchemas *
lb_schemas_new (void)
{
  LbSchemas *schemas = g_new0 (LbSchemas, 1);

  schemas->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, schema_free);
  return schemas;
}

void
lb_schemas_free (LbSchemas *schemas)
{
  if (schemas == NULL)
    return;
  g_hash_table_unref (schemas->by_name);
  g_free (schemas);
}

/* ---- Messages ---- */

/* Always FALSE: "path:line:col: ..." */
static gboolean G_GNUC_PRINTF (4, 5)
    refuse (const LbDraft *draft, const LbDocumentNode *node, GError **error, const char *format, ...)
{
  g_autofree char *place = lb_document_place (draft->document, node);
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN, "%s: %s", place, text);
  return FALSE;
}

/* ---- Pieces of a file ---- */

/* A text that must be there and say something. */
static const char *
want_text (const LbDraft *draft, const LbDocumentNode *node, const char *what, GError **error)
{
  if (node->kind == LB_DOCUMENT_SCALAR && *node->text != '\0')
    return node->text;
  refuse (draft, node, error, "%s must be a text of one line or more; write it behind the colon", what);
  return NULL;
}

static gboolean
check_keys (const LbDraft *draft, const LbDocumentNode *mapping, const char *const *known, GError **error)
{
  for (guint i = 0; i < mapping->keys->len; i++) {
    const LbDocumentNode *key = g_ptr_array_index (mapping->keys, i);
    if (g_strv_contains (known, key->text))
      continue;
    g_autofree char *hint = lb_did_you_mean (key->text, known);
    g_autofree char *list = g_strjoinv (", ", (char **)known);
    return refuse (draft, key, error, "unknown key '%s'; expected one of %s%s", key->text, list, hint);
  }
  return TRUE;
}

static gboolean
read_symbols (LbDraft *draft, GError **error)
{
  if (draft->dims == NULL)
    return TRUE;
  if (draft->dims->kind != LB_DOCUMENT_MAPPING)
    return refuse (draft, draft->dims, error, "dims must be a mapping; write one 'symbol: meaning' a line");
  for (guint i = 0; i < draft->dims->keys->len; i++) {
    const LbDocumentNode *key = g_ptr_array_index (draft->dims->keys, i);
    const char *doc = want_text (draft, g_ptr_array_index (draft->dims->items, i), "the meaning of a dimension", error);
    if (doc == NULL)
      return FALSE;
    if (!lb_is_name (key->text, '_'))
      return refuse (draft, key, error,
                     "'%s' cannot be a dimension symbol; use small letters, digits and '_', starting with a letter",
                     key->text);
    if (lb_schema_has_symbol (draft->schema, key->text))
      return refuse (draft, key, error,
                     "dimension '%s' stands in schema '%s' already, which this one extends; remove it", key->text,
                     draft->schema->base->name);
    LbSymbol *symbol = g_new0 (LbSymbol, 1);
    symbol->name = g_strdup (key->text);
    symbol->doc = g_strdup (doc);
    g_ptr_array_add (draft->schema->symbols, symbol);
  }
  return TRUE;
}

/* "u8|f32": @text up to @length, no spaces. */
static gboolean
parse_dtypes (const LbDraft *draft, const LbDocumentNode *node, const char *text, guint *dtypes, GError **error)
{
  g_auto (GStrv) names = g_strsplit (text, "|", -1);

  *dtypes = 0;
  for (guint i = 0; names[i] != NULL; i++) {
    LbDType dtype;
    if (!lb_dtype_from_name (g_strstrip (names[i]), &dtype))
      return refuse (draft, node, error,
                     "'%s' is not a dtype; expected 'text' or some of u8, i32, i64, f16, f32, f64 with '|'"
                     " between them",
                     names[i]);
    if ((*dtypes & (1u << dtype)) != 0)
      return refuse (draft, node, error, "dtype %s stands twice; write it once", names[i]);
    *dtypes |= 1u << dtype;
  }
  return *dtypes != 0 || refuse (draft, node, error, "the dtype is missing; write for example f32[n]");
}

/* "n, c, h, w" between the brackets. */
static gboolean
parse_dims (const LbDraft *draft, const LbDocumentNode *node, const char *text, LbField *field, GError **error)
{
  g_auto (GStrv) dims = g_strsplit (text, ",", -1);
  guint64 value;

  if (dims[0] == NULL)
    return refuse (draft, node, error,
                   "the brackets are empty; name dimensions, or leave the brackets out for a number");
  if (g_strv_length (dims) > LB_MAX_RANK)
    return refuse (draft, node, error, "'%s' has more than %d dimensions; join some of them", text, LB_MAX_RANK);
  for (guint i = 0; dims[i] != NULL; i++) {
    const char *dim = g_strstrip (dims[i]);
    if (lb_is_name (dim, '_')) {
      if (!lb_schema_has_symbol (draft->schema, dim))
        return refuse (draft, node, error, "dimension '%s' is not explained; add '%s: MEANING' under dims", dim, dim);
    } else if (!g_ascii_isdigit (*dim) || !g_ascii_string_to_unsigned (dim, 10, 0, G_MAXINT32, &value, NULL)) {
      return refuse (draft, node, error, "'%s' is not a dimension; expected a symbol listed under dims, or a number",
                     dim);
    }
    field->dims[field->rank++] = g_strdup (dim);
  }
  return TRUE;
}

/* "text", "f64", "u8|f32[n, c, h, w]" into @field. */
static gboolean
parse_type (const LbDraft *draft, const LbDocumentNode *node, LbField *field, GError **error)
{
  const char *text = want_text (draft, node, "the type of a field", error);
  if (text == NULL)
    return FALSE;
  if (strcmp (text, "text") == 0) {
    field->is_text = TRUE;
    field->dtypes = 1u << LB_U8;
    return TRUE;
  }

  const char *open = strchr (text, '['), *close = strchr (text, ']');
  if (open == NULL && close == NULL)
    return parse_dtypes (draft, node, text, &field->dtypes, error);
  if (open == NULL || close == NULL || close < open || close[1] != '\0' || strchr (open + 1, '[') != NULL)
    return refuse (draft, node, error, "'%s' is not a type; expected 'text' or the form u8|f32[n, c, h, w]", text);

  g_autofree char *dtypes = g_strndup (text, open - text);
  g_autofree char *dims = g_strndup (open + 1, close - open - 1);
  return parse_dtypes (draft, node, dtypes, &field->dtypes, error) && parse_dims (draft, node, dims, field, error);
}

/* The value of a field: its type, or a mapping of type and doc. */
static gboolean
read_field (LbDraft *draft, const LbDocumentNode *node, LbField *field, GError **error)
{
  static const char *const known[] = { "type", "doc", "optional", NULL };

  if (node->kind != LB_DOCUMENT_MAPPING)
    return parse_type (draft, node, field, error);
  if (!check_keys (draft, node, known, error))
    return FALSE;

  const LbDocumentNode *type = lb_document_get (node, "type"), *doc = lb_document_get (node, "doc");
  const LbDocumentNode *optional = lb_document_get (node, "optional");
  if (type == NULL)
    return refuse (draft, node, error, "field '%s' has no type; add for example 'type: f32[n]'", field->name);
  if (doc != NULL) {
    field->doc = g_strdup (want_text (draft, doc, "the doc of a field", error));
    if (field->doc == NULL)
      return FALSE;
  }
  if (optional != NULL) {
    const char *text = want_text (draft, optional, "whether a field is optional", error);
    if (text == NULL)
      return FALSE;
    field->is_optional = strcmp (text, "true") == 0;
    if (!field->is_optional && strcmp (text, "false") != 0)
      return refuse (draft, optional, error, "optional is '%s'; expected true or false", text);
  }
  return parse_type (draft, type, field, error);
}

static gboolean
read_fields (LbDraft *draft, GError **error)
{
  if (draft->fields->kind != LB_DOCUMENT_MAPPING || draft->fields->keys->len == 0)
    return refuse (draft, draft->fields, error, "fields must be a mapping; write one 'name: type' a line");
  for (guint i = 0; i < draft->fields->keys->len; i++) {
    const LbDocumentNode *key = g_ptr_array_index (draft->fields->keys, i);
    if (!lb_is_name (key->text, '_'))
      return refuse (draft, key, error,
                     "'%s' cannot be a field name; use small letters, digits and '_', starting with a letter",
                     key->text);
    if (lb_schema_field (draft->schema, key->text) != NULL)
      return refuse (draft, key, error, "field '%s' stands in schema '%s' already, which this one extends; remove it",
                     key->text, draft->schema->base->name);
    LbField *field = g_new0 (LbField, 1);
    field->name = g_strdup (key->text);
    if (!read_field (draft, g_ptr_array_index (draft->fields->items, i), field, error)) {
      field_free (field);
      return FALSE;
    }
    g_ptr_array_add (draft->schema->fields, field);
  }
  return TRUE;
}

/* ---- Files ---- */

/* Name, version and doc of @draft, and where the rest stands. */
static gboolean
read_head (LbDraft *draft, GError **error)
{
  static const char *const known[] = { "schema", "version", "doc", "extends", "dims", "fields", NULL };
  static const char *const needed[] = { "version", "doc", "fields" };
  const LbDocumentNode *root = draft->document->root;
  guint64 version = 0;

  if (!check_keys (draft, root, known, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (needed); i++)
    if (lb_document_get (root, needed[i]) == NULL)
      return refuse (draft, root, error, "the schema has no '%s'; add it", needed[i]);
  draft->name = lb_document_get (root, "schema");
  draft->extends = lb_document_get (root, "extends");
  draft->dims = lb_document_get (root, "dims");
  draft->fields = lb_document_get (root, "fields");

  const LbDocumentNode *number = lb_document_get (root, "version");
  const char *name = want_text (draft, draft->name, "schema", error);
  const char *doc = name != NULL ? want_text (draft, lb_document_get (root, "doc"), "doc", error) : NULL;
  if (doc == NULL || (draft->extends != NULL && want_text (draft, draft->extends, "extends", error) == NULL))
    return FALSE;
  if (!lb_is_name (name, '-'))
    return refuse (draft, draft->name, error,
                   "'%s' cannot be a schema name; use small letters, digits and '-', starting with a letter", name);
  if (number->kind != LB_DOCUMENT_SCALAR
      || !g_ascii_string_to_unsigned (number->text, 10, 1, MAX_SCHEMA_VERSION, &version, NULL))
    return refuse (draft, number, error, "version must be a whole number from 1 to %d", MAX_SCHEMA_VERSION);

  g_autofree char *file = g_path_get_basename (draft->document->path);
  g_autofree char *expected = g_strconcat (name, ".yaml", NULL);
  if (strcmp (file, expected) != 0)
    return refuse (draft, draft->name, error, "schema '%s' stands in a file named %s; rename one of them", name, file);

  draft->schema->name = g_strdup (name);
  draft->schema->version = (guint)version;
  draft->schema->doc = g_strdup (doc);
  draft->schema->path = g_strdup (draft->document->path);
  return TRUE;
}

/* Reads @path; *@draft stays NULL when it is not a schema. */
static gboolean
read_draft (const char *path, LbDraft **draft, GError **error)
{
  LbDocument *document = lb_document_read (path, LB_ERROR_PLUGIN, error);

  *draft = NULL;
  if (document == NULL)
    return FALSE;
  if (lb_document_get (document->root, "schema") == NULL) {
    lb_document_free (document);
    return TRUE;
  }

  LbDraft *made = g_new0 (LbDraft, 1);
  made->document = document;
  made->schema = g_new0 (LbSchema, 1);
  made->schema->symbols = g_ptr_array_new_with_free_func (symbol_free);
  made->schema->fields = g_ptr_array_new_with_free_func (field_free);
  if (!read_head (made, error)) {
    draft_free (made);
    return FALSE;
  }
  *draft = made;
  return TRUE;
}

/* ---- Extending ---- */

static LbDraft *
find_draft (GPtrArray *drafts, const char *name)
{
  for (guint i = 0; i < drafts->len; i++) {
    LbDraft *draft = g_ptr_array_index (drafts, i);
    if (strcmp (draft->schema->name, name) == 0)
      return draft;
  }
  return NULL;
}

static void
take_over (LbSchema *schema, const LbSchema *base)
{
  schema->base = base;
  for (guint i = 0; i < base->symbols->len; i++) {
    const LbSymbol *symbol = g_ptr_array_index (base->symbols, i);
    LbSymbol *copy = g_new0 (LbSymbol, 1);
    *copy = (LbSymbol){ g_strdup (symbol->name), g_strdup (symbol->doc) };
    g_ptr_array_add (schema->symbols, copy);
  }
  for (guint i = 0; i < base->fields->len; i++) {
    const LbField *field = g_ptr_array_index (base->fields, i);
    LbField *copy = g_memdup2 (field, sizeof *field);
    copy->name = g_strdup (field->name);
    copy->doc = g_strdup (field->doc);
    for (guint axis = 0; axis < field->rank; axis++)
      copy->dims[axis] = g_strdup (field->dims[axis]);
    g_ptr_array_add (schema->fields, copy);
  }
}

static gboolean
refuse_base (LbSchemas *schemas, GPtrArray *drafts, const LbDraft *draft, GError **error)
{
  g_autofree const char **known = lb_schemas_names (schemas);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; known[i] != NULL; i++)
    g_ptr_array_add (names, (gpointer)known[i]);
  for (guint i = 0; i < drafts->len; i++)
    if (g_ptr_array_index (drafts, i) != draft)
      g_ptr_array_add (names, ((LbDraft *)g_ptr_array_index (drafts, i))->schema->name);
  g_ptr_array_add (names, NULL);
  g_autofree char *hint = lb_did_you_mean (draft->extends->text, (const char *const *)names->pdata);
  return refuse (draft, draft->extends, error,
                 "there is no schema '%s' to extend%s; install %s.yaml too or correct the name", draft->extends->text,
                 hint, draft->extends->text);
}

/* Completes @draft, its base first. The depth is bounded by the number of files, and a cycle is met at its first
 * repeat. */
static gboolean
complete (LbSchemas *schemas, GPtrArray *drafts, LbDraft *draft, GError **error)
{
  if (draft->state == DONE)
    return TRUE;
  if (draft->state == VISITING)
    return refuse (draft, draft->extends, error,
                   "schema '%s' extends itself by way of '%s'; remove one 'extends' of the cycle", draft->schema->name,
                   draft->extends->text);
  draft->state = VISITING;
  if (draft->extends != NULL) {
    LbDraft *base = find_draft (drafts, draft->extends->text);
    const LbSchema *known = lb_schemas_find (schemas, draft->extends->text);
    if (base != NULL) {
      if (!complete (schemas, drafts, base, error))
        return FALSE;
      known = base->schema;
    }
    if (known == NULL)
      return refuse_base (schemas, drafts, draft, error);
    take_over (draft->schema, known);
  }
  draft->state = DONE;
  return read_symbols (draft, error) && read_fields (draft, error);
}

/* ---- Directories ---- */

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* Paths of the *.yaml files of @directory in name order; NULL when it cannot be read. */
static GPtrArray *
list_files (const char *directory, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GDir) dir = g_dir_open (directory, 0, &reason);
  const char *name;

  if (dir == NULL) {
    g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                 "cannot read the schemas in '%s': %s; correct LIMBECK_SCHEMA_PATH or the "
                 "installation",
                 directory, reason->message);
    return NULL;
  }
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, ".yaml") && name[0] != '.')
      g_ptr_array_add (paths, g_build_filename (directory, name, NULL));
  g_ptr_array_sort (paths, compare_names);
  return paths;
}

gboolean
lb_schemas_load (LbSchemas *schemas, const char *directory, GError **error)
{
  g_autoptr (GPtrArray) paths = list_files (directory, error);
  g_autoptr (GPtrArray) drafts = g_ptr_array_new_with_free_func (draft_free);

  if (paths == NULL)
    return FALSE;
  for (guint i = 0; i < paths->len; i++) {
    LbDraft *draft = NULL;
    if (!read_draft (g_ptr_array_index (paths, i), &draft, error))
      return FALSE;
    if (draft == NULL)
      continue;
    g_ptr_array_add (drafts, draft);

    const LbSchema *known = lb_schemas_find (schemas, draft->schema->name);
    if (known != NULL)
      return refuse (draft, draft->name, error, "schema '%s' is known already from %s; remove or rename one of them",
                     known->name, known->path);
  }
  for (guint i = 0; i < drafts->len; i++)
    if (!complete (schemas, drafts, g_ptr_array_index (drafts, i), error))
      return FALSE;
  for (guint i = 0; i < drafts->len; i++) {
    LbSchema *schema = g_steal_pointer (&((LbDraft *)g_ptr_array_index (drafts, i))->schema);
    g_hash_table_insert (schemas->by_name, schema->name, schema);
  }
  return TRUE;
}

/* ---- Looking up ---- */

gboolean
lb_is_name (const char *text, char joiner)
{
  if (!g_ascii_islower (*text))
    return FALSE;
  for (; *text != '\0'; text++)
    if (!g_ascii_islower (*text) && !g_ascii_isdigit (*text) && *text != joiner)
      return FALSE;
  return TRUE;
}

const LbSchema *
lb_schemas_find (LbSchemas *schemas, const char *name)
{
  return g_hash_table_lookup (schemas->by_name, name);
}

const char **
lb_schemas_names (LbSchemas *schemas)
{
  guint n;
  const char **names = (const char **)g_hash_table_get_keys_as_array (schemas->by_name, &n);

  qsort (names, n, sizeof *names, compare_names);
  return names;
}

const LbField *
lb_schema_field (const LbSchema *schema, const char *name)
{
  for (guint i = 0; i < schema->fields->len; i++) {
    const LbField *field = g_ptr_array_index (schema->fields, i);
    if (strcmp (field->name, name) == 0)
      return field;
  }
  return NULL;
}

gboolean
lb_schema_has_symbol (const LbSchema *schema, const char *symbol)
{
  for (guint i = 0; i < schema->symbols->len; i++)
    if (strcmp (((LbSymbol *)g_ptr_array_index (schema->symbols, i))->name, symbol) == 0)
      return TRUE;
  return FALSE;
}

gboolean
lb_schema_is_a (const LbSchema *schema, const LbSchema *wanted)
{
  for (; schema != NULL; schema = schema->base)
    if (schema == wanted)
      return TRUE;
  return FALSE;
}

char *
lb_field_to_string (const LbField *field)
{
  GString *out = g_string_new (field->is_text ? "text" : "");

  for (guint dtype = 0; dtype < LB_N_DTYPES && !field->is_text; dtype++)
    if ((field->dtypes & (1u << dtype)) != 0)
      g_string_append_printf (out, "%s%s", out->len > 0 ? "|" : "", lb_dtype_name (dtype));
  for (guint axis = 0; axis < field->rank; axis++)
    g_string_append_printf (out, "%s%s", axis == 0 ? "[" : ", ", field->dims[axis]);
  if (field->rank > 0)
    g_string_append_c (out, ']');
  if (field->is_optional)
    g_string_append (out, ", optional");
  return g_string_free (out, FALSE);
}
