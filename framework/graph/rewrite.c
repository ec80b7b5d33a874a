/* The compiler's first half: what the outputs need, copied into a fresh graph with repeated nodes merged, trivial ones
 * dropped, 3x3 and 5x5 convolutions of many tiles lowered to Winograd's algorithm, and large values that cost little
 * computed again in the backward pass instead of being kept.
 */
#include "graph/rewrite.h"

#include <string.h>

/* Fewer tiles than points make matrix products too thin to win over direct convolution. */
#define LEAST_TILES LB_WINOGRAD_POINTS

typedef struct {
  LbGraph *graph;
  GHashTable *known; /* a set of nodes, equal when they compute the same */
  LbNode **map;      /* by id of the old graph */
} Rewriter;

static guint
mix (guint hash, gconstpointer bytes, gsize n)
{
  for (gsize i = 0; i < n; i++)
    hash = (hash ^ ((const guint8 *)bytes)[i]) * 16777619u;
  return hash;
}

static guint
node_hash (gconstpointer key)
{
  const LbNode *node = key;
  const LbAttributes *attributes = &node->attributes;
  guint hash = 2166136261u ^ node->op;
  for (guint i = 0; i < node->n_inputs; i++)
    hash = mix (hash, &node->inputs[i]->id, sizeof node->inputs[i]->id);
  hash = mix (hash, &attributes->factor, 2 * sizeof (double));
  hash = mix (hash, &attributes->a, 2 * sizeof (gint64));
  return mix (hash, attributes->shape.dim, attributes->shape.rank * sizeof (gint64));
}

/* Numbers are compared by their bits: 0 and -0 differ, and a NaN equals itself. */
static gboolean
node_equal (gconstpointer a_, gconstpointer b_)
{
  const LbNode *a = a_, *b = b_;
  return a->op == b->op && a->n_inputs == b->n_inputs
         && memcmp (a->inputs, b->inputs, a->n_inputs * sizeof (LbNode *)) == 0
         && memcmp (&a->attributes.factor, &b->attributes.factor, 2 * sizeof (double)) == 0
         && a->attributes.a == b->attributes.a && a->attributes.b == b->attributes.b
         && lb_shape_equal (a->attributes.shape, b->attributes.shape);
}

/* The node for this computation: one that stands already, or a new one. */
static LbNode *
merge (Rewriter *rewriter, LbOpCode op, LbNode *const *inputs, guint n_inputs, const LbAttributes *attributes,
       LbShape shape, const char *here)
{
  LbNode probe = { .op = op, .n_inputs = n_inputs, .attributes = *attributes };
  for (guint i = 0; i < n_inputs; i++)
    probe.inputs[i] = inputs[i];
  LbNode *node = g_hash_table_lookup (rewriter->known, &probe);
  if (node != NULL)
    return node;
  node = g_memdup2 (&probe, sizeof probe);
  node->graph = rewriter->graph;
  node->id = rewriter->graph->nodes->len;
  node->shape = shape;
  node->here = here;
  g_ptr_array_add (rewriter->graph->nodes, node);
  g_hash_table_add (rewriter->known, node);
  return node;
}

static LbNode *
merge_constant (Rewriter *rewriter, double value, LbShape shape, const char *here)
{
  LbAttributes attributes = { .offset = value, .shape = shape };
  return merge (rewriter, LB_OP_CONSTANT, NULL, 0, &attributes, shape, here);
}

/* ---- Trivial nodes ---- */

static gboolean
is_constant (const LbNode *node, double value)
{
  return node->op == LB_OP_CONSTANT && node->attributes.offset == value;
}

/* A simpler node with the value of @old, whose operands in the new graph are @inputs; NULL when there is none. */
static LbNode *
simplify (Rewriter *rewriter, const LbNode *old, LbNode **inputs)
{
  const LbAttributes *attributes = &old->attributes;
  switch (old->op) {
  case LB_OP_AFFINE:
    if (inputs[0]->op == LB_OP_CONSTANT)
      return merge_constant (rewriter, attributes->factor * inputs[0]->attributes.offset + attributes->offset,
                             old->shape, old->here);
    return attributes->factor == 1 && attributes->offset == 0 ? inputs[0] : NULL;
  case LB_OP_RESHAPE:
    if (lb_shape_equal (inputs[0]->shape, old->shape))
      return inputs[0];
    /* fall through */
  case LB_OP_BROADCAST:
    if (inputs[0]->op == LB_OP_CONSTANT)
      return merge_constant (rewriter, inputs[0]->attributes.offset, old->shape, old->here);
    return NULL;
  case LB_OP_MUL:
    for (guint i = 0; i < 2; i++)
      if (is_constant (inputs[i], 1) && lb_shape_equal (inputs[1 - i]->shape, old->shape))
        return inputs[1 - i];
    return NULL;
  default:
    return NULL;
  }
}

/* ---- Gates ---- */

/* A gate passes the same elements whether it looks at an activation's operand or, where that is at hand, at its result,
 * which the next layer reads anyhow: the operand need not be kept. */
static void
look_at_activation (Rewriter *rewriter, const LbNode *old, LbNode **inputs)
{
  if (old->op != LB_OP_GATE)
    return;
  LbNode probe = { .op = LB_OP_RELU, .n_inputs = 1, .inputs = { inputs[0] } };
  LbNode *activation = g_hash_table_lookup (rewriter->known, &probe);
  if (activation != NULL)
    inputs[0] = activation;
}

/* ---- Broadcasts ---- */

/* @narrow with the dimensions that @stretched got from a shape of ones: @wide reshapes @stretched, and so adds or drops
 * only ones. FALSE when it does anything else. */
static gboolean
reshape_narrow (LbShape stretched, LbShape narrow, LbShape wide, LbShape *shape)
{
  guint i = 0;
  *shape = wide;
  for (guint k = 0; k < wide.rank; k++) {
    if (wide.dim[k] == 1)
      continue;
    while (i < stretched.rank && stretched.dim[i] == 1)
      i++;
    if (i == stretched.rank || stretched.dim[i] != wide.dim[k])
      return FALSE;
    shape->dim[k] = narrow.dim[i++];
  }
  return TRUE;
}

/* What @node was before it was stretched along some of its axes, which are 1 there; @node itself when it was not. */
static LbNode *
unstretched (Rewriter *rewriter, LbNode *node)
{
  if (node->op == LB_OP_BROADCAST)
    return unstretched (rewriter, node->inputs[0]);
  if (node->op != LB_OP_RESHAPE)
    return node;
  LbNode *of = node->inputs[0], *narrow = unstretched (rewriter, of);
  LbShape shape;
  if (narrow == of || !reshape_narrow (of->shape, narrow->shape, node->shape, &shape))
    return node;
  LbAttributes attributes = { .shape = shape };
  return merge (rewriter, LB_OP_RESHAPE, &narrow, 1, &attributes, shape, node->here);
}

/* Operands of elementwise ops need not be stretched where the others have the shape of the result: they are read over
 * and over instead. (The gradient of a sum is such a value, often of the size of all images of a batch.) */
static void
read_unstretched (Rewriter *rewriter, const LbNode *old, LbNode **inputs)
{
  if (!lb_ops[old->op]->elementwise || old->n_inputs != 2)
    return;
  for (guint i = 0; i < 2; i++)
    if (lb_shape_equal (inputs[1 - i]->shape, old->shape)
        && (inputs[i]->op == LB_OP_BROADCAST || inputs[i]->op == LB_OP_RESHAPE))
      inputs[i] = unstretched (rewriter, inputs[i]);
}

/* ---- Winograd ---- */

/* Whether a convolution of images @x (or of that shape) with @weight suits F(4x4, 3x3) or F(2x2, 5x5). */
static gboolean
suits_winograd (const LbNode *node, LbShape x, LbShape weight)
{
  gint64 taps = weight.dim[1];
  return node->graph->dtype == LB_F32 && (taps == 3 || taps == 5) && weight.dim[2] == taps && node->attributes.a == 1
         && node->attributes.b == taps / 2 && weight.dim[0] % 16 == 0 && weight.dim[3] % 16 == 0
         && x.dim[0] * lb_winograd_tiles (x.dim[1], x.dim[2], taps) >= LEAST_TILES;
}

static LbNode *
transformed_filter (Rewriter *rewriter, LbNode *weight, gboolean turned, const char *here)
{
  gint64 out = weight->shape.dim[0], in = weight->shape.dim[3];
  LbAttributes attributes = { .a = turned, .shape = LB_SHAPE (LB_WINOGRAD_POINTS, in * out + LB_WINOGRAD_GAP) };
  return merge (rewriter, LB_OP_WINOGRAD_FILTER, &weight, 1, &attributes, attributes.shape, here);
}

static LbNode *
lower (Rewriter *rewriter, const LbNode *old, LbNode **inputs)
{
  LbAttributes attributes = { .shape = old->shape };
  switch (old->op) {
  case LB_OP_CONV2D:
  case LB_OP_CONV2D_BY_INPUT:
    if (!suits_winograd (old, old->shape, inputs[1]->shape))
      return NULL;
    if (lb_winograd_takes_whole (old->shape, inputs[0]->shape.dim[3], old->shape.dim[3])) {
      attributes.a = old->op == LB_OP_CONV2D_BY_INPUT;
      return merge (rewriter, LB_OP_WINOGRAD_WHOLE, inputs, 2, &attributes, old->shape, old->here);
    }
    attributes.b = inputs[1]->shape.dim[1];
    LbNode *filter = transformed_filter (rewriter, inputs[1], old->op == LB_OP_CONV2D_BY_INPUT, old->here);
    return merge (rewriter, LB_OP_WINOGRAD_CONV2D, (LbNode *[]){ inputs[0], filter }, 2, &attributes, old->shape,
                  old->here);
  case LB_OP_CONV2D_BY_WEIGHT:
    if (!suits_winograd (old, inputs[0]->shape, old->shape))
      return NULL;
    if (lb_winograd_takes_whole (inputs[0]->shape, old->shape.dim[3], old->shape.dim[0]))
      return merge (rewriter, LB_OP_WINOGRAD_WHOLE_BY_WEIGHT, inputs, 2, &attributes, old->shape, old->here);
    LbAttributes sums = { .b = old->shape.dim[1] };
    sums.shape = LB_SHAPE (LB_WINOGRAD_POINTS, old->shape.dim[0] * old->shape.dim[3] + LB_WINOGRAD_GAP);
    LbNode *sum = merge (rewriter, LB_OP_WINOGRAD_BY_WEIGHT, inputs, 2, &sums, sums.shape, old->here);
    return merge (rewriter, LB_OP_WINOGRAD_FILTER_ADJOINT, &sum, 1, &attributes, old->shape, old->here);
  default:
    return NULL;
  }
}

/* ---- Computing again ---- */

/* Longest patch of a convolution that is computed again in the backward pass. Its result is as large as a layer with
 * many inputs would make it, half a megabyte an image in a ConvNet's first layer: to keep a chunk of them moves more
 * bytes through the slow caches than to compute them from the image a second time. */
#define SHORT_PATCH 32

gboolean
lb_is_short_conv2d (const LbNode *node)
{
  if (node->op != LB_OP_CONV2D)
    return FALSE;
  LbShape weight = node->inputs[1]->shape;
  return weight.dim[1] * weight.dim[2] * weight.dim[3] <= SHORT_PATCH;
}

/* A copy of a cheap operand of the backward pass, which stands apart from the one of the forward pass. */
static LbNode *
again (Rewriter *rewriter, LbNode *node)
{
  LbAttributes attributes = node->attributes;
  attributes.factor = 1; /* tells it from the first; convolutions have none */
  return merge (rewriter, node->op, node->inputs, node->n_inputs, &attributes, node->shape, node->here);
}

static void
compute_again (Rewriter *rewriter, const LbNode *old, LbNode **inputs)
{
  gboolean backward = old->op >= LB_OP_NORM_RELU_POOL_SUMS && old->op <= LB_OP_NORM_RELU_POOL_SECOND_BY_G;
  if (backward && lb_is_short_conv2d (inputs[0]))
    inputs[0] = again (rewriter, inputs[0]);
}

/* ---- Walk ---- */

static LbNode *
rewrite_node (Rewriter *rewriter, const LbNode *old)
{
  LbNode *inputs[LB_MAX_INPUTS] = { NULL };
  for (guint i = 0; i < old->n_inputs; i++)
    inputs[i] = rewriter->map[old->inputs[i]->id];
  compute_again (rewriter, old, inputs);
  look_at_activation (rewriter, old, inputs);
  if (old->n_inputs > 0)
    read_unstretched (rewriter, old, inputs);
  LbNode *node = simplify (rewriter, old, inputs);
  if (node == NULL)
    node = lower (rewriter, old, inputs);
  if (node == NULL)
    node = merge (rewriter, old->op, inputs, old->n_inputs, &old->attributes, old->shape, old->here);
  if (old->op == LB_OP_INPUT) {
    node->is_batch = old->is_batch;
    node->name = g_strdup (old->name);
  }
  return node;
}

static gboolean *
find_needed (LbGraph *graph, LbNode *const *outputs, guint n_outputs)
{
  gboolean *needed = g_new0 (gboolean, graph->nodes->len);
  for (guint i = 0; i < n_outputs; i++)
    needed[outputs[i]->id] = TRUE;
  for (guint id = graph->nodes->len; id-- > 0;) {
    LbNode *node = g_ptr_array_index (graph->nodes, id);
    for (guint i = 0; needed[id] && i < node->n_inputs; i++)
      needed[node->inputs[i]->id] = TRUE;
  }
  return needed;
}

/* Drops what merging and lowering left without a reader, and numbers the rest anew. */
static void
sweep (LbGraph *graph, LbNode **map, guint n_map, LbNode *const *outputs, guint n_outputs)
{
  g_autofree LbNode **kept = g_new (LbNode *, n_outputs);
  for (guint i = 0; i < n_outputs; i++)
    kept[i] = map[outputs[i]->id];
  g_autofree gboolean *needed = find_needed (graph, kept, n_outputs);
  for (guint i = 0; i < n_map; i++)
    if (map[i] != NULL && !needed[map[i]->id])
      map[i] = NULL;
  guint n = 0;
  for (guint id = 0; id < graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (graph->nodes, id);
    if (needed[id]) {
      graph->nodes->pdata[n] = node;
      node->id = n++;
    } else {
      g_free (node->name);
      g_free (node);
    }
  }
  g_ptr_array_set_size (graph->nodes, (gint)n);
}

LbGraph *
lb_rewrite (LbGraph *graph, LbNode *const *outputs, guint n_outputs, LbNode ***map)
{
  guint n = graph->nodes->len;
  Rewriter rewriter = { .graph = lb_graph_new (graph->dtype),
                        .known = g_hash_table_new (node_hash, node_equal),
                        .map = g_new0 (LbNode *, n) };
  g_autofree gboolean *needed = find_needed (graph, outputs, n_outputs);
  for (guint id = 0; id < n; id++)
    if (needed[id])
      rewriter.map[id] = rewrite_node (&rewriter, g_ptr_array_index (graph->nodes, id));
  g_hash_table_unref (rewriter.known);
  sweep (rewriter.graph, rewriter.map, n, outputs, n_outputs);
  g_autofree LbNode **kept = g_new (LbNode *, n_outputs);
  for (guint i = 0; i < n_outputs; i++)
    kept[i] = rewriter.map[outputs[i]->id];
  if (lb_compute_again (rewriter.graph, kept, n_outputs))
    sweep (rewriter.graph, rewriter.map, n, outputs, n_outputs);
  *map = rewriter.map;
  return rewriter.graph;
}
