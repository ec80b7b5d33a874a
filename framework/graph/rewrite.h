/* The compiler's first half: from the user's graph to one that is worth planning. */
#pragma once

#include "graph/op.h"

G_BEGIN_DECLS

/* A new graph that computes @outputs, with dead nodes left out, repeated ones merged and trivial ones dropped. *map
 * (freed with g_free()) gives for each id of @graph the new node with the same value, NULL where it is not computed. */
LbGraph *lb_rewrite (LbGraph *graph, LbNode *const *outputs, guint n_outputs, LbNode ***map);

G_END_DECLS
