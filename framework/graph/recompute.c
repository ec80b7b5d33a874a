/* The compiler between its halves: values that a later part of the program reads, usually its backward pass, are
 * computed again there where that costs little, rather than kept for all samples in between.
 *
 * Invariants: what is computed again has the bits that it had, for it is the same kernel on the same operands. It reads
 * nothing that would not be kept anyhow, so that no value is traded for another. No other node changes its part.
 */
#include "graph/plan.h"
#include "graph/rewrite.h"

/* Values of fewer bytes are kept. */
#define LEAST_BYTES (1024 * 1024)

typedef struct {
  LbProgramPlan *plan;
  gboolean *outside;  /* by id of a root: whether a later part, or a whole node, reads it */
  gboolean *uncut;    /* ... and needs it for all samples at once */
  gboolean *again;    /* by id: whether it can be computed again from what is kept */
  gboolean *kept;     /* by id of a root */
  GHashTable *copies; /* part and id -> copy; copies keep the id of what they copy until the end */
  GPtrArray *nodes;   /* of the graph to be, in order */
} Recomputer;

static LbStep *
step_of (const Recomputer *recomputer, const LbNode *node)
{
  return &recomputer->plan->steps[node->id];
}

/* Whether to compute @node takes about as long as to read it from memory. */
static gboolean
is_cheap (const LbNode *node)
{
  switch (node->op) {
  case LB_OP_ADD:
  case LB_OP_SUB:
  case LB_OP_MUL:
  case LB_OP_AFFINE:
  case LB_OP_RELU:
  case LB_OP_GATE:
  case LB_OP_RESHAPE:
  case LB_OP_BROADCAST:
  case LB_OP_AVG_POOL:
  case LB_OP_AVG_UNPOOL:
  case LB_OP_MAX_GATHER:
  case LB_OP_MAX_SCATTER:
  case LB_OP_INSTANCE_NORM:
  case LB_OP_INSTANCE_NORM_GRADIENT:
  case LB_OP_NORM_RELU_POOL:
  case LB_OP_NORM_RELU_POOL_GRADIENT:
    return TRUE;
  default:
    return lb_is_short_conv2d (node);
  }
}

/* ---- What is kept ---- */

static void
note_reader (Recomputer *recomputer, const LbNode *reader)
{
  const LbStep *by = step_of (recomputer, reader);
  if (by->root != reader)
    return; /* a reshape reads nothing */
  for (guint i = 0; i < reader->n_inputs; i++) {
    LbNode *root = step_of (recomputer, reader->inputs[i])->root;
    gboolean cut = by->shard != LB_SHARD_NO && by->cut[i];
    if (!cut || by->part != step_of (recomputer, root)->part)
      recomputer->outside[root->id] = TRUE;
    if (!cut)
      recomputer->uncut[root->id] = TRUE;
  }
}

/* Whether @node, which is cut, can be computed again when its operands can or are kept. */
static gboolean
can_again (const Recomputer *recomputer, const LbNode *node)
{
  if (!is_cheap (node))
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++) {
    LbNode *input = node->inputs[i];
    LbNode *root = step_of (recomputer, input)->root;
    if (step_of (recomputer, root)->shard == LB_SHARD_EACH && !recomputer->kept[root->id]
        && !recomputer->again[input->id])
      return FALSE;
  }
  return TRUE;
}

/* Operands before their readers: one pass decides. Returns whether there is anything to compute again. */
static gboolean
decide (Recomputer *recomputer, LbNode *const *outputs, guint n_outputs)
{
  GPtrArray *nodes = recomputer->plan->graph->nodes;
  gboolean any = FALSE;
  for (guint id = 0; id < nodes->len; id++)
    note_reader (recomputer, g_ptr_array_index (nodes, id));
  for (guint i = 0; i < n_outputs; i++) {
    LbNode *root = step_of (recomputer, outputs[i])->root;
    recomputer->outside[root->id] = recomputer->uncut[root->id] = TRUE;
  }
  for (guint id = 0; id < nodes->len; id++) {
    LbNode *node = g_ptr_array_index (nodes, id);
    LbStep *step = step_of (recomputer, node);
    if (step->shard != LB_SHARD_EACH)
      continue;
    gboolean small = lb_shape_size (node->shape) * (gint64)recomputer->plan->element < LEAST_BYTES;
    recomputer->again[id] = can_again (recomputer, node);
    recomputer->kept[id] = recomputer->outside[id] && (recomputer->uncut[id] || small || !recomputer->again[id]);
    any = any || (step->root == node && recomputer->outside[id] && !recomputer->kept[id]);
  }
  return any;
}

/* ---- Copies ---- */

/* What a reader in @part, which is cut, is to read in place of @node. */
static LbNode *
operand_in (Recomputer *recomputer, LbNode *node, guint part)
{
  const LbStep *step = step_of (recomputer, node);
  if (step->shard != LB_SHARD_EACH || step->part >= part || recomputer->kept[step->root->id]
      || !recomputer->again[node->id])
    return node;
  gint64 place = (gint64)part << 32 | node->id;
  LbNode *copy = g_hash_table_lookup (recomputer->copies, &place);
  if (copy != NULL)
    return copy;
  copy = g_memdup2 (node, sizeof *node);
  copy->earliest = part;
  for (guint i = 0; i < node->n_inputs; i++)
    copy->inputs[i] = operand_in (recomputer, node->inputs[i], part);
  g_ptr_array_add (recomputer->nodes, copy);
  g_hash_table_insert (recomputer->copies, g_memdup2 (&place, sizeof place), copy);
  return copy;
}

/* Lets every reader in a later part read copies, each just before its first reader. */
static void
copy_for_readers (Recomputer *recomputer)
{
  GPtrArray *nodes = recomputer->plan->graph->nodes;
  for (guint id = 0; id < nodes->len; id++) {
    LbNode *reader = g_ptr_array_index (nodes, id);
    const LbStep *by = step_of (recomputer, reader);
    for (guint i = 0; by->root == reader && by->shard != LB_SHARD_NO && i < reader->n_inputs; i++)
      if (by->cut[i])
        reader->inputs[i] = operand_in (recomputer, reader->inputs[i], by->part);
    g_ptr_array_add (recomputer->nodes, reader);
  }
}

static void
replace_nodes (LbGraph *graph, GPtrArray *nodes)
{
  g_ptr_array_set_size (graph->nodes, 0);
  for (guint id = 0; id < nodes->len; id++) {
    LbNode *node = g_ptr_array_index (nodes, id);
    node->id = id;
    g_ptr_array_add (graph->nodes, node);
  }
}

gboolean
lb_compute_again (LbGraph *graph, LbNode *const *outputs, guint n_outputs)
{
  gsize n = graph->nodes->len;
  LbProgramPlan *plan = lb_program_plan_begin (graph);
  g_autofree gboolean *flags = g_new0 (gboolean, 4 * n);
  Recomputer recomputer
      = { .plan = plan, .outside = flags, .uncut = flags + n, .again = flags + 2 * n, .kept = flags + 3 * n };
  gboolean any = plan->n_parts > 1 && decide (&recomputer, outputs, n_outputs);
  if (any) {
    recomputer.copies = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    recomputer.nodes = g_ptr_array_new ();
    copy_for_readers (&recomputer);
    replace_nodes (graph, recomputer.nodes);
    g_hash_table_unref (recomputer.copies);
    g_ptr_array_unref (recomputer.nodes);
  }
  lb_program_plan_free (plan);
  return any;
}
