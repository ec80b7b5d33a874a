/* Documents: from libyaml's events to a tree with places.
 *
 * Invariants: whatever YAML has beyond mappings, sequences and scalars is refused by name, never ignored; every scalar
 * stays the text that stands in the file; depth, length and number of nodes are bounded before anything is built.
 */
#include "base/document.h"

#include "base/error.h"
#include "base/file.h"

#include <string.h>
#include <yaml.h>

#define MAX_BYTES (1024 * 1024)
#define MAX_DEPTH 32
#define MAX_NODES 100000

typedef struct {
  const char *path;
  int code;
  GError **error;
  yaml_parser_t yaml;
  GPtrArray *open;      /* LbDocumentNode*: the mappings and sequences around the current place */
  GPtrArray *open_keys; /* GHashTable* of text -> key node, or NULL for a sequence, beside @open */
  guint n_nodes;
  guint n_documents;
  LbDocumentNode *root;
} Parser;

static void
node_free (gpointer data)
{
  LbDocumentNode *node = data;

  g_free (node->text);
  g_clear_pointer (&node->keys, g_ptr_array_unref);
  g_clear_pointer (&node->items, g_ptr_array_unref);
  g_free (node);
}

static LbDocumentNode *
node_new (LbDocumentKind kind, const yaml_mark_t *mark)
{
  LbDocumentNode *node = g_new0 (LbDocumentNode, 1);

  node->kind = kind;
  node->line = mark->line + 1;
  node->column = mark->column + 1;
  if (kind == LB_DOCUMENT_MAPPING)
    node->keys = g_ptr_array_new_with_free_func (node_free);
  if (kind != LB_DOCUMENT_SCALAR)
    node->items = g_ptr_array_new_with_free_func (node_free);
  return node;
}

static gboolean G_GNUC_PRINTF (4, 5) fail (Parser *parser, gsize line, gsize column, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (parser->error, LB_ERROR, parser->code, "%s:%" G_GSIZE_FORMAT ":%" G_GSIZE_FORMAT ": %s", parser->path,
               line + 1, column + 1, text);
  return FALSE;
}

static gboolean
fail_at (Parser *parser, const yaml_mark_t *mark, const char *text)
{
  return fail (parser, mark->line, mark->column, "%s", text);
}

/* libyaml's reader, unlike its scanner, counts in bytes. */
static gboolean
fail_at_byte (Parser *parser, const char *text, gsize offset, const char *found)
{
  gsize line = 0, column = 0;

  for (gsize i = 0; i < offset; i++) {
    gboolean starts_letter = ((guchar)text[i] & 0xC0) != 0x80;
    line += text[i] == '\n';
    column = text[i] == '\n' ? 0 : column + starts_letter;
  }
  return fail (parser, line, column,
               "%s, where printable UTF-8 text was expected; save the file as plain text in UTF-8", found);
}

/* Anything beyond the plain subset on a node. */
static gboolean
check_plain (Parser *parser, const yaml_mark_t *mark, const yaml_char_t *anchor, const yaml_char_t *tag)
{
  if (anchor != NULL)
    return fail (parser, mark->line, mark->column,
                 "the anchor '&%s' is not part of the plain YAML read here; write the value out where it is needed",
                 (const char *)anchor);
  if (tag != NULL)
    return fail (parser, mark->line, mark->column,
                 "the tag '%s' is not part of the plain YAML read here; leave it out, types follow from the key",
                 (const char *)tag);
  return TRUE;
}

static gboolean
add_key (Parser *parser, LbDocumentNode *mapping, LbDocumentNode *key)
{
  GHashTable *keys = g_ptr_array_index (parser->open_keys, parser->open_keys->len - 1);
  const LbDocumentNode *first = g_hash_table_lookup (keys, key->text);

  g_ptr_array_add (mapping->keys, key);
  if (first != NULL)
    return fail (parser, key->line - 1, key->column - 1,
                 "the key '%s' stands here again after %s:%u:%u, where each key was expected once; "
                 "remove or rename one of them",
                 key->text, parser->path, first->line, first->column);
  g_hash_table_insert (keys, key->text, key);
  return TRUE;
}

/* Puts @node where the file has it. Takes @node in every case. */
static gboolean
place_node (Parser *parser, LbDocumentNode *node)
{
  if (parser->open->len == 0) {
    parser->root = node;
    if (node->kind == LB_DOCUMENT_MAPPING)
      return TRUE;
    gboolean empty = node->kind == LB_DOCUMENT_SCALAR && !node->quoted && node->text[0] == '\0';
    return fail (parser, node->line - 1, node->column - 1, "%s, where lines of the form 'key: value' were expected; %s",
                 empty                                ? "the document is empty"
                 : node->kind == LB_DOCUMENT_SEQUENCE ? "found a list"
                                                      : "found a single value",
                 "check that it is the right file");
  }
  LbDocumentNode *parent = g_ptr_array_index (parser->open, parser->open->len - 1);
  if (parent->kind == LB_DOCUMENT_SEQUENCE || parent->keys->len > parent->items->len) {
    g_ptr_array_add (parent->items, node);
    return TRUE;
  }
  if (node->kind == LB_DOCUMENT_SCALAR)
    return add_key (parser, parent, node);
  fail (parser, node->line - 1, node->column - 1, "found a %s as a key, where a plain word was expected; name the key",
        node->kind == LB_DOCUMENT_SEQUENCE ? "list" : "mapping");
  node_free (node);
  return FALSE;
}

static gboolean
count_node (Parser *parser, const yaml_mark_t *mark)
{
  if (++parser->n_nodes > MAX_NODES)
    return fail (parser, mark->line, mark->column,
                 "the document has more than %d values; check that it is the right file", MAX_NODES);
  return TRUE;
}

static gboolean
on_scalar (Parser *parser, const yaml_event_t *event)
{
  const yaml_mark_t *mark = &event->start_mark;

  if (!count_node (parser, mark) || !check_plain (parser, mark, event->data.scalar.anchor, event->data.scalar.tag))
    return FALSE;
  const char *text = (const char *)event->data.scalar.value;
  if (strlen (text) != event->data.scalar.length)
    return fail_at (parser, mark, "found the character \\0 in a value, where text was expected; remove it");
  LbDocumentNode *node = node_new (LB_DOCUMENT_SCALAR, mark);
  node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  node->text = g_strdup (text);
  return place_node (parser, node);
}

static gboolean
on_start (Parser *parser, LbDocumentKind kind, const yaml_mark_t *mark, const yaml_char_t *anchor,
          const yaml_char_t *tag)
{
  if (!count_node (parser, mark) || !check_plain (parser, mark, anchor, tag))
    return FALSE;
  if (parser->open->len >= MAX_DEPTH)
    return fail (parser, mark->line, mark->column, "values are nested more than %d deep; write them flatter",
                 MAX_DEPTH);
  LbDocumentNode *node = node_new (kind, mark);
  if (!place_node (parser, node))
    return FALSE;
  g_ptr_array_add (parser->open, node);
  g_ptr_array_add (parser->open_keys, kind == LB_DOCUMENT_MAPPING ? g_hash_table_new (g_str_hash, g_str_equal) : NULL);
  return TRUE;
}

static void
keys_free (gpointer data)
{
  if (data != NULL)
    g_hash_table_unref (data);
}

static gboolean
on_end (Parser *parser)
{
  g_ptr_array_set_size (parser->open, parser->open->len - 1);
  g_ptr_array_set_size (parser->open_keys, parser->open_keys->len - 1);
  return TRUE;
}

static gboolean
on_document (Parser *parser, const yaml_event_t *event)
{
  const yaml_mark_t *mark = &event->start_mark;

  if (event->data.document_start.version_directive != NULL
      || event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
    return fail_at (parser, mark, "lines that start with '%' are not part of the plain YAML read here; leave them out");
  if (parser->n_documents++ > 0)
    return fail_at (parser, mark, "a second document starts here, where one was expected; put it in a file of its own");
  return TRUE;
}

static gboolean
on_event (Parser *parser, const yaml_event_t *event)
{
  switch (event->type) {
  case YAML_DOCUMENT_START_EVENT:
    return on_document (parser, event);
  case YAML_ALIAS_EVENT:
    return fail (
        parser, event->start_mark.line, event->start_mark.column,
        "the alias '*%s' is not part of the plain YAML read here; write the value out (or quote it, if it is text)",
        (const char *)event->data.alias.anchor);
  case YAML_SCALAR_EVENT:
    return on_scalar (parser, event);
  case YAML_SEQUENCE_START_EVENT:
    return on_start (parser, LB_DOCUMENT_SEQUENCE, &event->start_mark, event->data.sequence_start.anchor,
                     event->data.sequence_start.tag);
  case YAML_MAPPING_START_EVENT:
    return on_start (parser, LB_DOCUMENT_MAPPING, &event->start_mark, event->data.mapping_start.anchor,
                     event->data.mapping_start.tag);
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT:
    return on_end (parser);
  default:
    return TRUE;
  }
}

static gboolean
fail_syntax (Parser *parser, const char *text, gsize length)
{
  const yaml_parser_t *yaml = &parser->yaml;

  if (yaml->error == YAML_READER_ERROR)
    return fail_at_byte (parser, text, MIN (yaml->problem_offset, length), "found a control character");
  return fail (parser, yaml->problem_mark.line, yaml->problem_mark.column,
               "this is not YAML: %s%s%s; check indentation, brackets and quotes on this line and the one before",
               yaml->context != NULL ? yaml->context : "", yaml->context != NULL ? ", " : "",
               yaml->problem != NULL ? yaml->problem : "it cannot be understood");
}

static gboolean
parse_events (Parser *parser, const char *text, gsize length)
{
  for (gboolean done = FALSE; !done;) {
    yaml_event_t event;
    if (!yaml_parser_parse (&parser->yaml, &event))
      return fail_syntax (parser, text, length);
    done = event.type == YAML_STREAM_END_EVENT;
    gboolean good = on_event (parser, &event);
    yaml_event_delete (&event);
    if (!good)
      return FALSE;
  }
  if (parser->root == NULL)
    return fail (
        parser, 0, 0,
        "the document is empty, where lines of the form 'key: value' were expected; check that it is the right file");
  return TRUE;
}

static gboolean
check_text (Parser *parser, const char *text, gsize length)
{
  const char *end = NULL;

  if (length > MAX_BYTES) {
    g_set_error (parser->error, LB_ERROR, parser->code,
                 "%s: is %" G_GSIZE_FORMAT
                 " bytes long, where at most %d were expected; check that it is the right file",
                 parser->path, length, MAX_BYTES);
    return FALSE;
  }
  if (g_utf8_validate (text, length, &end))
    return TRUE;
  g_autofree char *found = g_strdup_printf ("found the byte 0x%02x", (guchar)*end);
  return fail_at_byte (parser, text, end - text, found);
}

LbDocument *
lb_document_parse (const char *path, const char *text, gsize length, int code, GError **error)
{
  Parser parser = { .path = path, .code = code, .error = error };
  LbDocument *document = NULL;

  if (!check_text (&parser, text, length))
    return NULL;
  if (!yaml_parser_initialize (&parser.yaml))
    g_error ("libyaml cannot allocate its parser");
  yaml_parser_set_input_string (&parser.yaml, (const unsigned char *)text, length);
  parser.open = g_ptr_array_new ();
  parser.open_keys = g_ptr_array_new_with_free_func (keys_free);
  if (parse_events (&parser, text, length)) {
    document = g_new0 (LbDocument, 1);
    document->path = g_strdup (path);
    document->text = g_strndup (text, length);
    document->root = g_steal_pointer (&parser.root);
  }
  g_clear_pointer (&parser.root, node_free);
  g_ptr_array_unref (parser.open);
  g_ptr_array_unref (parser.open_keys);
  yaml_parser_delete (&parser.yaml);
  return document;
}

LbDocument *
lb_document_read (const char *path, int code, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  GError *problem = NULL;
  gsize length;

  if (!lb_file_read (path, MAX_BYTES, &bytes, &problem)) {
    problem->code = code;
    g_propagate_error (error, problem);
    return NULL;
  }
  const char *text = g_bytes_get_data (bytes, &length);
  return lb_document_parse (path, text != NULL ? text : "", length, code, error);
}

void
lb_document_free (LbDocument *document)
{
  if (document == NULL)
    return;
  node_free (document->root);
  g_free (document->path);
  g_free (document->text);
  g_free (document);
}

const LbDocumentNode *
lb_document_get (const LbDocumentNode *mapping, const char *key)
{
  g_return_val_if_fail (mapping->kind == LB_DOCUMENT_MAPPING, NULL);

  for (guint i = 0; i < mapping->keys->len; i++) {
    const LbDocumentNode *node = g_ptr_array_index (mapping->keys, i);
    if (strcmp (node->text, key) == 0)
      return g_ptr_array_index (mapping->items, i);
  }
  return NULL;
}

char *
lb_document_place (const LbDocument *document, const LbDocumentNode *node)
{
  return g_strdup_printf ("%s:%u:%u", document->path, node->line, node->column);
}
