/* The compiler between its halves: values that a later part of the program reads, usually its backward pass, are
 * computed again there where that costs little, rather than kept for all samples in between.
 *
 * Invariants: what is computed again has the bits that it had, for it is the same kernel on the same operands. It reads
 * nothing that would not be kept until then anyhow, so that no value is traded for another. Of the other nodes only
 * gradients change their part, to be computed where they are read.
 */
#include "graph/plan.h"
#include "graph/rewrite.h"

/* The deepest convolution that is computed again: 3 x 3 of 64 channels. */
#define MOST_DEPTH 576

/* Values of fewer bytes are kept. */
#define LEAST_BYTES (1024 * 1024)

/* Read in several parts. */
#define SEVERAL G_MAXUINT

typedef struct {
  LbProgramPlan *plan;
  gboolean *outside;  /* by id of a root: whether a later part, or a whole node, reads it */
  gboolean *uncut;    /* ... and needs it for all samples at once */
  guint *read_in;     /* by id of a root: the later part that reads it, or SEVERAL; 0 for none */
  guint *bound_to;    /* by id: the only part where it is computed again, as that takes deep convolutions; or 0 */
  guint *last;        /* by id of a root: the last part that reads it */
  guint *lasts;       /* by id: the last part where all that it is computed again from is there */
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

/* Taps of a convolution times channels of its images: multiply-adds for each element of its result. */
static gint64
depth_of (const LbNode *node)
{
  if (node->op == LB_OP_CONV2D)
    return node->inputs[1]->shape.dim[1] * node->inputs[1]->shape.dim[2] * node->inputs[1]->shape.dim[3];
  if (node->op == LB_OP_WINOGRAD_CONV2D)
    return node->attributes.b * node->attributes.b * node->inputs[0]->shape.dim[3];
  return G_MAXINT64;
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
    guint *read_in = &recomputer->read_in[root->id], *last = &recomputer->last[root->id];
    *last = MAX (*last, by->part);
    if (!cut || by->part != step_of (recomputer, root)->part) {
      recomputer->outside[root->id] = TRUE;
      *read_in = *read_in == 0 || *read_in == by->part ? by->part : SEVERAL;
    }
    if (!cut)
      recomputer->uncut[root->id] = TRUE;
  }
}

static gboolean
is_small (const Recomputer *recomputer, const LbNode *node)
{
  return lb_shape_size (node->shape) * (gint64)recomputer->plan->element < LEAST_BYTES;
}

/* The last part where @node, which stays, can be read without keeping it for longer than it is kept anyhow. */
static guint
stays_until (const Recomputer *recomputer, const LbNode *node, const LbNode *root)
{
  gboolean always = root->n_inputs == 0 || node->op == LB_OP_WINOGRAD_FILTER || is_small (recomputer, root);
  return always ? G_MAXUINT : recomputer->last[root->id];
}

/* Whether @node, which is cut, can be computed again when its operands can or are kept. Deep convolutions are computed
 * again once at most: in one part, which reads all that needs them. */
static gboolean
can_again (Recomputer *recomputer, const LbNode *node)
{
  if (!is_cheap (node) && depth_of (node) > MOST_DEPTH)
    return FALSE;
  const LbNode *own = step_of (recomputer, node)->root;
  guint read_in = recomputer->read_in[own->id], bound = 0, lasts = G_MAXUINT;
  for (guint i = 0; i < node->n_inputs; i++) {
    LbNode *input = node->inputs[i];
    LbNode *root = step_of (recomputer, input)->root;
    if (step_of (recomputer, root)->shard != LB_SHARD_EACH || recomputer->kept[root->id]) {
      lasts = MIN (lasts, stays_until (recomputer, input, root));
      continue;
    }
    guint of_input = recomputer->bound_to[input->id];
    if (!recomputer->again[input->id] || (bound != 0 && of_input != 0 && of_input != bound))
      return FALSE;
    bound = MAX (bound, of_input);
    lasts = MIN (lasts, recomputer->lasts[input->id]);
  }
  if (!is_cheap (node) && bound == 0)
    bound = read_in;
  recomputer->bound_to[node->id] = bound;
  recomputer->lasts[node->id] = lasts;
  if (read_in != 0 && recomputer->last[own->id] > lasts)
    return FALSE;
  return bound != SEVERAL && (bound == 0 ? is_cheap (node) : read_in == 0 || read_in == bound);
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
    recomputer->again[id] = can_again (recomputer, node);
    recomputer->kept[id]
        = recomputer->outside[id] && (recomputer->uncut[id] || is_small (recomputer, node) || !recomputer->again[id]);
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
  gboolean again = step->shard == LB_SHARD_EACH && !recomputer->kept[step->root->id] && recomputer->again[node->id];
  if (step->part >= part || (!again && node->op != LB_OP_WINOGRAD_FILTER))
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

/* ---- Waiting ---- */

/* Elements of what @node, which is cut, reads of the samples. */
static gint64
size_of_operands (const LbProgramPlan *plan, const LbNode *node)
{
  gint64 size = 0;
  for (guint i = 0; i < node->n_inputs; i++)
    if (plan->steps[node->id].cut[i])
      size += lb_shape_size (node->inputs[i]->shape);
  return size;
}

/* Lets a gradient by input that is larger than what it is made of wait for the part that reads it, and the gradient by
 * weight, which reads the same, with it: there the images are at hand. */
static void
wait_for_readers (LbGraph *graph, LbNode *const *outputs, guint n_outputs)
{
  LbProgramPlan *plan = lb_program_plan_begin (graph);
  g_autofree guint *first = lb_program_plan_first_reads (plan), *waits = g_new0 (guint, graph->nodes->len);
  for (guint i = 0; i < n_outputs; i++)
    first[outputs[i]->id] = 0;
  for (guint id = 0; id < graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (graph->nodes, id);
    const LbStep *step = &plan->steps[id];
    if (node->op == LB_OP_CONV2D_BY_INPUT && step->shard == LB_SHARD_EACH && first[id] != G_MAXUINT
        && first[id] > step->part && lb_shape_size (node->shape) > size_of_operands (plan, node))
      node->earliest = waits[node->inputs[0]->id] = first[id];
  }
  for (guint id = 0; id < graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (graph->nodes, id);
    if (node->op == LB_OP_CONV2D_BY_WEIGHT && plan->steps[id].shard == LB_SHARD_SUM)
      node->earliest = waits[node->inputs[1]->id];
  }
  lb_program_plan_free (plan);
}

gboolean
lb_compute_again (LbGraph *graph, LbNode *const *outputs, guint n_outputs)
{
  gsize n = graph->nodes->len;
  wait_for_readers (graph, outputs, n_outputs);
  LbProgramPlan *plan = lb_program_plan_begin (graph);
  g_autofree gboolean *flags = g_new0 (gboolean, 4 * n);
  g_autofree guint *parts = g_new0 (guint, 4 * n);
  Recomputer recomputer = { .plan = plan,
                            .outside = flags,
                            .uncut = flags + n,
                            .again = flags + 2 * n,
                            .kept = flags + 3 * n,
                            .read_in = parts,
                            .bound_to = parts + n,
                            .last = parts + 2 * n,
                            .lasts = parts + 3 * n };
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
