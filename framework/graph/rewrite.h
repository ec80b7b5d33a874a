/* The compiler's first half: from the user's graph to one that is worth planning. */
#pragma once

#include "graph/op.h"

G_BEGIN_DECLS

/* A new graph that computes @outputs, with dead nodes left out, repeated ones merged and trivial ones dropped. *map
 * (freed with g_free()) gives for each id of @graph the new node with the same value, NULL where it is not computed. */
LbGraph *lb_rewrite (LbGraph *graph, LbNode *const *outputs, guint n_outputs, LbNode ***map);

/* recompute.c: lets later parts of the program compute again what they read and costs little; FALSE when there is
 * nothing to gain. Nodes may be left without a reader. */
gboolean lb_compute_again (LbGraph *graph, LbNode *const *outputs, guint n_outputs);

/* Whether @node is a convolution with few enough inputs for each output to be computed again rather than kept. */
gboolean lb_is_short_conv2d (const LbNode *node);

G_END_DECLS
