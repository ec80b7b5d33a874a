/* Params of a pipeline file: named texts, or lists of them, that ${name} in values stands for. Private to pipeline/. */
#pragma once

#include "pipeline/problems.h"

G_BEGIN_DECLS

typedef struct _LbParams LbParams;

/* Reads the mapping `params` (NULL: none) and the "name=text" of @overrides (NULL-terminated, or NULL). */
LbParams *lb_params_new (const LbDocumentNode *mapping, const char *const *overrides, LbProblems *problems);
void lb_params_free (LbParams *params);

/* A copy of the scalar @node with each ${name} replaced and each $${ turned into ${. NULL when that failed; @context
 * ("stage 'x': ", or "") begins the problem. Free with lb_node_free(). */
LbDocumentNode *
lb_params_replace (LbParams *params, const LbDocumentNode *node, const char *context, LbProblems *problems);

/* The list that the scalar @node stands for, when it is nothing but ${name} of a param that is a list in the file: a
 * sequence, free with lb_node_free(). NULL otherwise. On the command line the items have commas between. */
LbDocumentNode *lb_params_list (LbParams *params, const LbDocumentNode *node);

/* Whether there is a param @name, and whether the command line gave it its value. */
gboolean lb_params_has (LbParams *params, const char *name, gboolean *overridden);

/* The end of a sentence about the unknown param @word; free with g_free(). */
char *lb_params_suggest (LbParams *params, const char *word);

/* A param that nothing refers to is most likely a mistake elsewhere. */
void lb_params_tell_unused (LbParams *params, LbProblems *problems);

/* A scalar node of our own, at the place of @like. Takes @text. */
LbDocumentNode *lb_node_new_scalar (const LbDocumentNode *like, char *text);
/* A sequence of our own, at the place of @like; its items are freed with it. */
LbDocumentNode *lb_node_new_sequence (const LbDocumentNode *like);
void lb_node_free (LbDocumentNode *node);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbParams, lb_params_free)

G_END_DECLS
