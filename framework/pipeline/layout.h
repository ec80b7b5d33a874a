/* Layered layout of a directed graph (after Sugiyama, Tagawa and Toda, 1981), from left to right. Private to pipeline/.
 *
 * Every node has a layer and a size; every edge joins neighbouring layers (long ones are cut at nodes made for them,
 * labels are nodes too). Nodes of one layer are ordered to reduce crossings, then placed so that none overlap and edges
 * are short. The result depends on the order in which nodes and edges were added and on nothing else.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint layer;
  double width, height;
  double x, y;      /* upper left corner, after lb_layout_run(); the node is as wide as its layer */
  guint position;   /* in its layer, from the top */
  GArray *arriving; /* guint, edges from the layer before, in the order added */
  GArray *leaving;  /* guint, edges to the layer behind */
} LbLayoutNode;

typedef struct {
  guint from, to; /* nodes; the layer of @to is that of @from + 1 */
} LbLayoutEdge;

typedef struct {
  GArray *nodes;        /* LbLayoutNode */
  GArray *edges;        /* LbLayoutEdge */
  GPtrArray *layers;    /* GArray* of guint: the nodes of each layer from the top */
  double width, height; /* of all, after lb_layout_run() */
} LbLayout;

LbLayout *lb_layout_new (void);
void lb_layout_free (LbLayout *layout);

/* Both return the index of what they add. */
guint lb_layout_add_node (LbLayout *layout, guint layer, double width, double height);
guint lb_layout_add_edge (LbLayout *layout, guint from, guint to);

LbLayoutNode *lb_layout_node (const LbLayout *layout, guint index);
LbLayoutEdge *lb_layout_edge (const LbLayout *layout, guint index);

/* Places all nodes, layers @layer_gap apart and nodes of a layer @node_gap apart at least. */
void lb_layout_run (LbLayout *layout, double layer_gap, double node_gap);

/* Pairs of edges that cross. */
guint lb_layout_n_crossings (const LbLayout *layout);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbLayout, lb_layout_free)

G_END_DECLS
