/* Ordering by barycentres, placing by averaging: both are repeated a fixed number of times, so they always end. */
#include "pipeline/layout.h"

#define N_SWEEPS     16
#define N_PLACEMENTS 200

static void
node_clear (gpointer data)
{
  LbLayoutNode *node = data;
  g_array_unref (node->arriving);
  g_array_unref (node->leaving);
}

LbLayout *
lb_layout_new (void)
{
  LbLayout *layout = g_new0 (LbLayout, 1);
  layout->nodes = g_array_new (FALSE, FALSE, sizeof (LbLayoutNode));
  layout->edges = g_array_new (FALSE, FALSE, sizeof (LbLayoutEdge));
  layout->layers = g_ptr_array_new_with_free_func ((GDestroyNotify)g_array_unref);
  g_array_set_clear_func (layout->nodes, node_clear);
  return layout;
}

void
lb_layout_free (LbLayout *layout)
{
  if (layout == NULL)
    return;
  g_array_unref (layout->nodes);
  g_array_unref (layout->edges);
  g_ptr_array_unref (layout->layers);
  g_free (layout);
}

LbLayoutNode *
lb_layout_node (const LbLayout *layout, guint index)
{
  return &g_array_index (layout->nodes, LbLayoutNode, index);
}

LbLayoutEdge *
lb_layout_edge (const LbLayout *layout, guint index)
{
  return &g_array_index (layout->edges, LbLayoutEdge, index);
}

guint
lb_layout_add_node (LbLayout *layout, guint layer, double width, double height)
{
  guint index = layout->nodes->len;
  while (layout->layers->len <= layer)
    g_ptr_array_add (layout->layers, g_array_new (FALSE, FALSE, sizeof (guint)));
  GArray *nodes = layout->layers->pdata[layer];
  LbLayoutNode node = { .layer = layer, .width = width, .height = height, .position = nodes->len };
  node.arriving = g_array_new (FALSE, FALSE, sizeof (guint));
  node.leaving = g_array_new (FALSE, FALSE, sizeof (guint));
  g_array_append_val (nodes, index);
  g_array_append_val (layout->nodes, node);
  return index;
}

guint
lb_layout_add_edge (LbLayout *layout, guint from, guint to)
{
  guint index = layout->edges->len;
  LbLayoutEdge edge = { from, to };
  g_array_append_val (lb_layout_node (layout, from)->leaving, index);
  g_array_append_val (lb_layout_node (layout, to)->arriving, index);
  g_array_append_val (layout->edges, edge);
  return index;
}

/* The node at @position of a layer. */
static LbLayoutNode *
layer_node (const LbLayout *layout, const GArray *layer, guint position)
{
  return lb_layout_node (layout, g_array_index (layer, guint, position));
}

/* ---- Order ---- */

/* Crossings among the edges that leave @layer. */
static guint
count_crossings (const LbLayout *layout, const GArray *layer)
{
  g_autoptr (GArray) ends = g_array_new (FALSE, FALSE, sizeof (guint)); /* of the edges met so far, from the top */
  guint n = 0;
  for (guint i = 0; i < layer->len; i++) {
    const GArray *leaving = layer_node (layout, layer, i)->leaving;
    guint n_before = ends->len;
    for (guint k = 0; k < leaving->len; k++) {
      const LbLayoutEdge *edge = lb_layout_edge (layout, g_array_index (leaving, guint, k));
      guint end = lb_layout_node (layout, edge->to)->position;
      for (guint m = 0; m < n_before; m++)
        n += g_array_index (ends, guint, m) > end;
      g_array_append_val (ends, end);
    }
  }
  return n;
}

guint
lb_layout_n_crossings (const LbLayout *layout)
{
  guint n = 0;
  for (guint i = 0; i < layout->layers->len; i++)
    n += count_crossings (layout, layout->layers->pdata[i]);
  return n;
}

/* Mean position of the neighbours of @node on the left or on the right; its own where it has none. */
static double
barycentre (const LbLayout *layout, const LbLayoutNode *node, gboolean left)
{
  const GArray *edges = left ? node->arriving : node->leaving;
  double sum = 0;
  for (guint i = 0; i < edges->len; i++) {
    const LbLayoutEdge *edge = lb_layout_edge (layout, g_array_index (edges, guint, i));
    sum += lb_layout_node (layout, left ? edge->from : edge->to)->position;
  }
  return edges->len > 0 ? sum / edges->len : node->position;
}

/* Sorts one layer by barycentres; equal ones keep their order. */
static void
order_layer (LbLayout *layout, GArray *layer, gboolean left)
{
  guint *nodes = (guint *)layer->data;
  g_autofree double *keys = g_new (double, layer->len + 1);
  for (guint i = 0; i < layer->len; i++)
    keys[i] = barycentre (layout, layer_node (layout, layer, i), left);
  for (guint i = 1; i < layer->len; i++)
    for (guint k = i; k > 0 && keys[k - 1] > keys[k]; k--) {
      double key = keys[k];
      guint node = nodes[k];
      keys[k] = keys[k - 1];
      keys[k - 1] = key;
      nodes[k] = nodes[k - 1];
      nodes[k - 1] = node;
    }
  for (guint i = 0; i < layer->len; i++)
    layer_node (layout, layer, i)->position = i;
}

/* Makes @positions the positions of all nodes. */
static void
restore_positions (LbLayout *layout, const guint *positions)
{
  for (guint i = 0; i < layout->nodes->len; i++) {
    LbLayoutNode *node = lb_layout_node (layout, i);
    node->position = positions[i];
    g_array_index ((GArray *)layout->layers->pdata[node->layer], guint, node->position) = i;
  }
}

static void
save_positions (const LbLayout *layout, guint *positions)
{
  for (guint i = 0; i < layout->nodes->len; i++)
    positions[i] = lb_layout_node (layout, i)->position;
}

/* Sweeps to the right and to the left in turn and keeps the best order seen. */
static void
order_nodes (LbLayout *layout)
{
  guint best = lb_layout_n_crossings (layout), n_layers = layout->layers->len;
  g_autofree guint *positions = g_new (guint, layout->nodes->len + 1);
  save_positions (layout, positions);
  for (guint sweep = 0; sweep < N_SWEEPS && best > 0; sweep++) {
    gboolean left = sweep % 2 == 0;
    for (guint k = 1; k < n_layers; k++)
      order_layer (layout, layout->layers->pdata[left ? k : n_layers - 1 - k], left);
    guint n = lb_layout_n_crossings (layout);
    if (n < best)
      save_positions (layout, positions);
    best = MIN (n, best);
  }
  restore_positions (layout, positions);
}

/* ---- Place ---- */

static double
centre (const LbLayoutNode *node)
{
  return node->y + node->height / 2;
}

/* How much an edge wants to be level: long lines, of which most nodes have one edge on each side, more than others. */
static double
stiffness (const LbLayoutNode *from, const LbLayoutNode *to)
{
  gboolean from_passes = from->arriving->len == 1 && from->leaving->len == 1;
  gboolean to_passes = to->arriving->len == 1 && to->leaving->len == 1;
  return from_passes && to_passes ? 8 : from_passes || to_passes ? 2 : 1;
}

/* Where the upper edge of @node would be best: level with its neighbours. */
static double
wish (const LbLayout *layout, const LbLayoutNode *node)
{
  double sum = 0, weights = 0;
  for (guint i = 0; i < node->arriving->len + node->leaving->len; i++) {
    gboolean arrives = i < node->arriving->len;
    guint index = arrives ? g_array_index (node->arriving, guint, i)
                          : g_array_index (node->leaving, guint, i - node->arriving->len);
    const LbLayoutEdge *edge = lb_layout_edge (layout, index);
    const LbLayoutNode *other = lb_layout_node (layout, arrives ? edge->from : edge->to);
    double weight = stiffness (lb_layout_node (layout, edge->from), lb_layout_node (layout, edge->to));
    sum += weight * centre (other);
    weights += weight;
  }
  return weights > 0 ? sum / weights - node->height / 2 : node->y;
}

/* Moves the nodes of a layer towards their wishes. Pushing down from the top and pushing up from the bottom each keep
 * the distances; so does their mean, since distances are linear. */
static void
place_layer (LbLayout *layout, const GArray *layer, double gap)
{
  g_autofree double *down = g_new (double, layer->len + 1), *up = g_new (double, layer->len + 1);
  for (guint i = 0; i < layer->len; i++) {
    down[i] = up[i] = wish (layout, layer_node (layout, layer, i));
    if (i > 0)
      down[i] = MAX (down[i], down[i - 1] + layer_node (layout, layer, i - 1)->height + gap);
  }
  for (guint i = layer->len; i-- > 1;)
    up[i - 1] = MIN (up[i - 1], up[i] - layer_node (layout, layer, i - 1)->height - gap);
  for (guint i = 0; i < layer->len; i++)
    layer_node (layout, layer, i)->y = (down[i] + up[i]) / 2;
}

/* Columns side by side, each as wide as its widest node; nodes stacked from 0: a start without overlap. */
static void
place_columns (LbLayout *layout, double layer_gap, double node_gap)
{
  double x = 0;
  for (guint k = 0; k < layout->layers->len; k++) {
    const GArray *layer = layout->layers->pdata[k];
    double width = 0, y = 0;
    for (guint i = 0; i < layer->len; i++)
      width = MAX (width, layer_node (layout, layer, i)->width);
    for (guint i = 0; i < layer->len; i++) {
      LbLayoutNode *node = layer_node (layout, layer, i);
      node->x = x;
      node->width = width;
      node->y = y;
      y += node->height + node_gap;
    }
    x += width + layer_gap;
  }
  layout->width = MAX (x - layer_gap, 0);
}

void
lb_layout_run (LbLayout *layout, double layer_gap, double node_gap)
{
  guint n_layers = layout->layers->len;
  order_nodes (layout);
  place_columns (layout, layer_gap, node_gap);
  for (guint i = 0; i < N_PLACEMENTS; i++)
    for (guint k = 0; k < n_layers; k++)
      place_layer (layout, layout->layers->pdata[i % 2 == 0 ? k : n_layers - 1 - k], node_gap);

  double top = G_MAXDOUBLE, bottom = 0;
  for (guint i = 0; i < layout->nodes->len; i++)
    top = MIN (top, lb_layout_node (layout, i)->y);
  for (guint i = 0; i < layout->nodes->len; i++) {
    LbLayoutNode *node = lb_layout_node (layout, i);
    node->y -= top;
    bottom = MAX (bottom, node->y + node->height);
  }
  layout->height = bottom;
}
