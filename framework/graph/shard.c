/* When every node is computed: what is cut into samples, parts, waves and groups, chunks and segments (plan.h). */
#include "graph/plan.h"

/* Bytes of the largest value of a step: a few of them fill a second-level cache. */
#define STEP_BYTES    (512 * 1024)
#define LONGEST_CHUNK 16

/* Partitions: as many as a small machine has cores, where their sums are small; each costs memory for its own. Powers
 * of two, two at least. */
#define MOST_PARTITIONS 8
#define PARTITION_BYTES (40 * 1024 * 1024)

static LbStep *
step_of (LbProgramPlan *plan, const LbNode *node)
{
  return &plan->steps[node->id];
}

/* Samples along which a value is cut, 0 when it is whole. */
static gint64
samples_of (LbProgramPlan *plan, const LbNode *node)
{
  LbStep *step = step_of (plan, node);
  gboolean is_cut = step->shard == LB_SHARD_EACH || (node->op == LB_OP_INPUT && node->is_batch);
  return is_cut ? node->shape.dim[0] : 0;
}

/* Decides how @node runs, given that its operands are decided. */
static void
decide_shard (LbProgramPlan *plan, LbNode *node)
{
  LbStep *step = step_of (plan, node);
  gint64 samples = 0;
  gboolean cut[LB_MAX_INPUTS] = { FALSE };
  for (guint i = 0; i < node->n_inputs; i++) {
    gint64 of_input = samples_of (plan, node->inputs[i]);
    if (of_input == 0)
      continue;
    if (samples != 0 && of_input != samples)
      return;
    cut[i] = TRUE;
    samples = of_input;
  }
  if (samples == 0 || lb_ops[node->op]->shard == NULL)
    return;
  LbShard shard = lb_ops[node->op]->shard (node, samples, cut);
  for (guint i = 0; i < node->n_inputs; i++) {
    LbShape shape = node->inputs[i]->shape;
    if (cut[i] && (shape.rank == 0 || shape.dim[0] != samples))
      return; /* a whole operand that cannot be cut alike */
  }
  step->shard = shard;
  for (guint i = 0; i < node->n_inputs; i++)
    step->cut[i] = cut[i];
}

static gint64
group_samples (LbProgramPlan *plan, LbNode *node)
{
  LbStep *step = step_of (plan, node);
  for (guint i = 0; i < node->n_inputs; i++)
    if (step->cut[i])
      return node->inputs[i]->shape.dim[0];
  return 0;
}

/* The first part at which all operands are there. */
static void
decide_part (LbProgramPlan *plan, LbNode *node)
{
  LbStep *step = step_of (plan, node);
  gint64 samples = step->shard == LB_SHARD_NO ? 0 : group_samples (plan, node);
  step->part = node->earliest;
  for (guint i = 0; i < node->n_inputs; i++) {
    LbNode *input = step_of (plan, node->inputs[i])->root;
    LbStep *before = step_of (plan, input);
    guint ready = before->part;
    /* Chunk by chunk only where both are cut alike; all else waits for the group's end. */
    gboolean follows = step->cut[i] && step_of (plan, node->inputs[i])->shard == LB_SHARD_EACH
                       && group_samples (plan, input) == samples;
    if (before->shard != LB_SHARD_NO && !follows)
      ready++;
    step->part = MAX (step->part, ready);
  }
  plan->n_parts = MAX (plan->n_parts, step->part + 1);
}

guint *
lb_program_plan_first_reads (const LbProgramPlan *plan)
{
  GPtrArray *nodes = plan->graph->nodes;
  guint *first = g_new (guint, nodes->len);
  for (guint id = 0; id < nodes->len; id++)
    first[id] = G_MAXUINT;
  for (guint id = 0; id < nodes->len; id++) {
    LbNode *reader = g_ptr_array_index (nodes, id);
    for (guint i = 0; i < reader->n_inputs; i++)
      first[reader->inputs[i]->id] = MIN (first[reader->inputs[i]->id], plan->steps[id].part);
  }
  return first;
}

static gboolean
is_filter (LbProgramPlan *plan, const LbNode *node)
{
  return node->op == LB_OP_WINOGRAD_FILTER && step_of (plan, node)->shard == LB_SHARD_NO;
}

/* Transformed weights are made of parameters alone and could be there from the start, but wait for the first part that
 * reads them: those of the backward pass are kept for it alone. */
static void
postpone_filters (LbProgramPlan *plan)
{
  g_autofree guint *first = lb_program_plan_first_reads (plan);
  for (guint id = 0; id < plan->graph->nodes->len; id++)
    if (is_filter (plan, g_ptr_array_index (plan->graph->nodes, id)) && first[id] != G_MAXUINT)
      plan->steps[id].part = first[id];
}

/* A reshape of a value that is cut alike, or of a whole one, is the same bytes. */
static void
decide_root (LbProgramPlan *plan, LbNode *node)
{
  LbStep *step = step_of (plan, node);
  step->root = node;
  if (node->op != LB_OP_RESHAPE)
    return;
  LbNode *input = node->inputs[0];
  step->root = step_of (plan, input)->root;
}

/* ---- Waves ---- */

/* Whether @node is computed in a wave of @part. */
static gboolean
is_in_wave (LbProgramPlan *plan, const LbNode *node, guint part)
{
  LbStep *step = step_of (plan, node);
  return step->part == part && step->shard == LB_SHARD_NO && node->n_inputs > 0 && step->root == node;
}

/* Transformed weights could be there from the start of their part, but are computed just before their first reader. */
static void
delay_filters (LbProgramPlan *plan, guint part, guint last, guint *level)
{
  GPtrArray *nodes = plan->graph->nodes;
  for (guint id = 0; id < nodes->len; id++)
    if (is_filter (plan, g_ptr_array_index (nodes, id)) && plan->steps[id].part == part)
      level[id] = last;
  for (guint id = 0; id < nodes->len; id++) {
    LbNode *reader = g_ptr_array_index (nodes, id);
    for (guint i = 0; i < reader->n_inputs && is_in_wave (plan, reader, part); i++) {
      LbNode *input = reader->inputs[i];
      if (is_filter (plan, input) && is_in_wave (plan, input, part))
        level[input->id] = MIN (level[input->id], level[id] - 1);
    }
  }
}

/* How many whole nodes of @part each of these waits for; returns the most. */
static guint
find_levels (LbProgramPlan *plan, guint part, guint *level)
{
  guint last = 0;
  for (guint id = 0; id < plan->graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (plan->graph->nodes, id);
    for (guint i = 0; i < node->n_inputs && is_in_wave (plan, node, part); i++) {
      LbNode *input = step_of (plan, node->inputs[i])->root;
      if (is_in_wave (plan, input, part))
        level[id] = MAX (level[id], level[input->id] + 1);
      last = MAX (last, level[id]);
    }
  }
  delay_filters (plan, part, last, level);
  return last;
}

static void
wave_add (LbWave *wave, LbNode *node)
{
  guint n_pieces = lb_ops[node->op]->pieces != NULL ? lb_ops[node->op]->pieces (node) : 1;
  g_ptr_array_add (wave->nodes, node);
  for (guint piece = 0; piece < n_pieces; piece++) {
    LbPiece one = { node, piece, piece + 1 };
    g_array_append_val (wave->pieces, one);
  }
}

/* Whole nodes by part, and within a part by how many whole nodes they wait for. */
static void
make_waves (LbProgramPlan *plan)
{
  guint n = plan->graph->nodes->len;
  g_autofree guint *level = g_new0 (guint, n);
  for (guint part = 0; part < plan->n_parts; part++) {
    guint last = find_levels (plan, part, level);
    for (guint at = 0; at <= last; at++) {
      LbWave *wave = g_new0 (LbWave, 1);
      wave->part = part;
      wave->nodes = g_ptr_array_new ();
      wave->pieces = g_array_new (FALSE, FALSE, sizeof (LbPiece));
      for (guint id = 0; id < n; id++)
        if (level[id] == at && is_in_wave (plan, g_ptr_array_index (plan->graph->nodes, id), part))
          wave_add (wave, g_ptr_array_index (plan->graph->nodes, id));
      g_ptr_array_add (plan->waves, wave);
    }
  }
}

/* ---- Groups ---- */

static LbGroup *
group_at (LbProgramPlan *plan, guint part, gint64 samples)
{
  for (guint i = 0; i < plan->groups->len; i++) {
    LbGroup *group = g_ptr_array_index (plan->groups, i);
    if (group->part == part && group->samples == samples)
      return group;
  }
  LbGroup *group = g_new0 (LbGroup, 1);
  group->part = part;
  group->samples = samples;
  group->nodes = g_ptr_array_new ();
  group->sums = g_ptr_array_new ();
  group->segments = g_array_new (FALSE, TRUE, sizeof (LbSegment));
  g_ptr_array_add (plan->groups, group);
  return group;
}

static gsize
sample_bytes (LbProgramPlan *plan, const LbNode *node)
{
  return (gsize)(lb_shape_size (node->shape) / MAX (node->shape.dim[0], 1)) * plan->element;
}

/* Bytes of one sample of the largest cut operand or result. */
static gsize
largest_sample (LbProgramPlan *plan, const LbNode *node)
{
  LbStep *step = step_of (plan, node);
  gsize largest = step->shard == LB_SHARD_EACH ? sample_bytes (plan, node) : 0;
  for (guint i = 0; i < node->n_inputs; i++)
    if (step->cut[i])
      largest = MAX (largest, sample_bytes (plan, node->inputs[i]));
  return largest;
}

/* Samples at a time that suit @node: a power of two. */
static gint64
suitable_step (LbProgramPlan *plan, const LbNode *node)
{
  gint64 step = 1;
  while (step < LONGEST_CHUNK && largest_sample (plan, node) * (gsize)step * 2 <= STEP_BYTES)
    step *= 2;
  return step;
}

static guint
suitable_partitions (LbProgramPlan *plan, const LbGroup *group)
{
  gsize bytes = 0;
  guint n = MOST_PARTITIONS;
  for (guint i = 0; i < group->sums->len; i++)
    bytes += (gsize)lb_shape_size (((LbNode *)g_ptr_array_index (group->sums, i))->shape) * plan->element;
  while (n > 2 && n * bytes > PARTITION_BYTES)
    n /= 2;
  return MIN (group->n_chunks, n);
}

static void
make_segments (LbProgramPlan *plan, LbGroup *group)
{
  gint64 chunk = 1;
  for (guint i = 0; i < group->nodes->len; i++) {
    LbSegment segment = { .first = i, .last = i, .step = suitable_step (plan, g_ptr_array_index (group->nodes, i)) };
    guint n = group->segments->len;
    LbSegment *before = n == 0 ? NULL : &g_array_index (group->segments, LbSegment, n - 1);
    if (before != NULL && before->step == segment.step)
      before->last = i;
    else
      g_array_append_val (group->segments, segment);
    chunk = MAX (chunk, segment.step);
  }
  /* Few samples are spread over several workers rather than kept together. */
  chunk = MIN (chunk, MAX (MIN (4, (group->samples + 3) / 4), (group->samples + 7) / 8));
  lb_group_set_chunks (group, (guint)((group->samples + chunk - 1) / chunk));
  group->n_partitions = suitable_partitions (plan, group);
}

static void
make_groups (LbProgramPlan *plan)
{
  for (guint part = 0; part < plan->n_parts; part++)
    for (guint id = 0; id < plan->graph->nodes->len; id++) {
      LbNode *node = g_ptr_array_index (plan->graph->nodes, id);
      LbStep *step = &plan->steps[id];
      if (step->part != part || step->shard == LB_SHARD_NO || step->root != node)
        continue;
      LbGroup *group = group_at (plan, part, group_samples (plan, node));
      g_ptr_array_add (group->nodes, node);
      if (step->shard == LB_SHARD_SUM)
        g_ptr_array_add (group->sums, node);
    }
  for (guint i = 0; i < plan->groups->len; i++)
    make_segments (plan, g_ptr_array_index (plan->groups, i));
}

gint64
lb_chunk_start (const LbGroup *group, guint index)
{
  return group->samples * index / group->n_chunks;
}

void
lb_group_set_chunks (LbGroup *group, guint n_chunks)
{
  group->n_chunks = n_chunks;
  group->longest_chunk = (group->samples + n_chunks - 1) / n_chunks;
}

/* One position for each wave, one for each node of a group. */
static void
number_positions (LbProgramPlan *plan)
{
  guint position = 0;
  for (guint part = 0; part < plan->n_parts; part++) {
    for (guint i = 0; i < plan->waves->len; i++) {
      LbWave *wave = g_ptr_array_index (plan->waves, i);
      if (wave->part != part)
        continue;
      wave->position = position;
      for (guint k = 0; k < wave->nodes->len; k++)
        step_of (plan, g_ptr_array_index (wave->nodes, k))->position = position;
      position++;
    }
    for (guint i = 0; i < plan->groups->len; i++) {
      LbGroup *group = g_ptr_array_index (plan->groups, i);
      if (group->part != part)
        continue;
      group->position = position;
      for (guint k = 0; k < group->nodes->len; k++)
        step_of (plan, g_ptr_array_index (group->nodes, k))->position = position++;
      position++; /* the adding up of partitions */
    }
  }
}

void
lb_program_plan_time (LbProgramPlan *plan)
{
  plan->n_parts = 1;
  for (guint id = 0; id < plan->graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (plan->graph->nodes, id);
    plan->steps[id].node = node;
    decide_shard (plan, node);
    decide_root (plan, node);
    decide_part (plan, node);
  }
  postpone_filters (plan);
  make_waves (plan);
  make_groups (plan);
  number_positions (plan);
}
