/* Documents: the plain subset of YAML that schemas and pipeline files are written in, as a tree whose every node keeps
 * its line and column. Read with libyaml. Mappings, sequences and scalars only: no anchors, aliases, tags, several
 * documents or duplicate keys; scalars stay text, whatever they look like.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum { LB_DOCUMENT_SCALAR, LB_DOCUMENT_SEQUENCE, LB_DOCUMENT_MAPPING } LbDocumentKind;

typedef struct _LbDocumentNode LbDocumentNode;
struct _LbDocumentNode {
  LbDocumentKind kind;
  guint line, column; /* from 1 */
  gboolean quoted;    /* a scalar written in quotes or as a block (after | or >) */
  char *text;         /* of a scalar */
  GPtrArray *keys;    /* of a mapping: LbDocumentNode* scalars, in file order; */
  GPtrArray *items;   /* of a mapping: the values, beside the keys; of a sequence: the items */
};

typedef struct {
  char *path;           /* as given, for messages */
  char *text;           /* as it was read */
  LbDocumentNode *root; /* a mapping */
} LbDocument;

/* Parses @text; @path is only for messages. Depth, size (1 MiB) and number of nodes are bounded. Fails with @code,
 * message "path:line:col: ...". */
LbDocument *lb_document_parse (const char *path, const char *text, gsize length, int code, GError **error);
LbDocument *lb_document_read (const char *path, int code, GError **error);
void lb_document_free (LbDocument *document);

/* The value of @key in @mapping, or NULL. */
const LbDocumentNode *lb_document_get (const LbDocumentNode *mapping, const char *key);

/* "path:line:col"; free with g_free(). */
char *lb_document_place (const LbDocument *document, const LbDocumentNode *node);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbDocument, lb_document_free)

G_END_DECLS
