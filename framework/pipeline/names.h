/* Names that a pipeline file makes up: of stages and params. Private to pipeline/. */
#pragma once

#include "base/document.h"

G_BEGIN_DECLS

/* They become file names, thread names and parts of "stage.port", so they are plain. */
#define LB_NAME_RULE "a letter followed by letters, digits, '-' or '_'"

static inline gboolean
lb_name_is_valid (const char *name)
{
  gboolean valid = g_ascii_isalpha (name[0]);
  for (const char *c = name; valid && *c != '\0'; c++)
    valid = g_ascii_isalnum (*c) || *c == '-' || *c == '_';
  return valid;
}

/* What a node is, as a sentence says it after "is". */
static inline const char *
lb_node_kind_name (const LbDocumentNode *node)
{
  switch (node->kind) {
  case LB_DOCUMENT_SEQUENCE:
    return "a list";
  case LB_DOCUMENT_MAPPING:
    return "a mapping";
  default:
    return node->text[0] == '\0' && !node->quoted ? "empty" : "a single value";
  }
}

G_END_DECLS
