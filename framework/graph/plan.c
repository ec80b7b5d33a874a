/* Where every value lives, and the plan as a whole (plan.h). */
#include "graph/plan.h"

/* Every worker has an arena. One of more bytes is made smaller by shorter chunks, down to so many samples: fewer would
 * make thin products of what the samples of a chunk have in common. */
#define LARGE_ARENA (12 * 1024 * 1024)
#define SHORT_CHUNK 2

static LbStep *
step_of (LbProgramPlan *plan, const LbNode *node)
{
  return &plan->steps[node->id];
}

static LbGroup *
group_of (LbProgramPlan *plan, const LbStep *step)
{
  for (guint i = 0; i < plan->groups->len; i++) {
    LbGroup *group = g_ptr_array_index (plan->groups, i);
    if (step->shard != LB_SHARD_NO && step->position >= group->position
        && step->position < group->position + group->nodes->len)
      return group;
  }
  return NULL;
}

static guint
group_end (const LbGroup *group)
{
  return group->position + group->nodes->len;
}

static LbSegment *
segment_of (LbGroup *group, guint position)
{
  guint index = position - group->position;
  for (guint i = 0; i < group->segments->len; i++) {
    LbSegment *segment = &g_array_index (group->segments, LbSegment, i);
    if (index >= segment->first && index <= segment->last)
      return segment;
  }
  g_assert_not_reached ();
}

/* ---- Who reads what ---- */

typedef struct {
  guint first, last; /* positions of the readers */
  guint n;
  gboolean outside; /* read by another group, a whole node or, uncut, by its own group */
  gboolean across;  /* read outside its segment */
} Uses;

static void
note_use (LbProgramPlan *plan, Uses *uses, LbNode *reader, guint operand)
{
  LbStep *by = step_of (plan, reader), *of = step_of (plan, step_of (plan, reader->inputs[operand])->root);
  LbGroup *writer_group = group_of (plan, of), *reader_group = group_of (plan, by);
  uses->n++;
  gboolean same
      = writer_group != NULL && writer_group == reader_group && of->shard == LB_SHARD_EACH && by->cut[operand];
  guint at = reader_group != NULL && !same ? group_end (reader_group) : by->position;
  uses->last = MAX (uses->last, at);
  if (!same)
    uses->outside = TRUE;
  else if (segment_of (writer_group, of->position) != segment_of (writer_group, by->position))
    uses->across = TRUE;
}

static Uses *
find_uses (LbProgramPlan *plan)
{
  guint n = plan->graph->nodes->len;
  Uses *uses = g_new0 (Uses, n);
  for (guint id = 0; id < n; id++) {
    LbNode *reader = g_ptr_array_index (plan->graph->nodes, id);
    if (step_of (plan, reader)->root != reader)
      continue; /* a reshape reads nothing */
    for (guint i = 0; i < reader->n_inputs; i++)
      note_use (plan, &uses[step_of (plan, reader->inputs[i])->root->id], reader, i);
  }
  return uses;
}

/* ---- Blocks ---- */

typedef struct {
  GArray *blocks;        /* LbBlock */
  GPtrArray *targets;    /* gsize* that a block's offset goes to */
  GArray *target_blocks; /* guint: which block */
} Region;

static void
region_init (Region *region)
{
  region->blocks = g_array_new (FALSE, TRUE, sizeof (LbBlock));
  region->targets = g_ptr_array_new ();
  region->target_blocks = g_array_new (FALSE, TRUE, sizeof (guint));
}

static guint
region_add (Region *region, gsize *target, gsize bytes, guint from, guint to)
{
  LbBlock block = { .bytes = MAX (bytes, 1), .from = from, .to = MAX (from, to) };
  guint index = region->blocks->len;
  g_array_append_val (region->blocks, block);
  g_ptr_array_add (region->targets, target);
  g_array_append_val (region->target_blocks, index);
  return index;
}

/* @target takes over block @index and keeps it alive until @to. */
static void
region_share (Region *region, gsize *target, guint index, guint to)
{
  LbBlock *block = &g_array_index (region->blocks, LbBlock, index);
  block->to = MAX (block->to, to);
  g_ptr_array_add (region->targets, target);
  g_array_append_val (region->target_blocks, index);
}

/* Returns the region's size. */
static gsize
region_finish (Region *region)
{
  gsize bytes = lb_storage_assign ((LbBlock *)region->blocks->data, region->blocks->len);
  for (guint i = 0; i < region->targets->len; i++) {
    guint index = g_array_index (region->target_blocks, guint, i);
    *(gsize *)g_ptr_array_index (region->targets, i) = g_array_index (region->blocks, LbBlock, index).offset;
  }
  g_array_unref (region->blocks);
  g_array_unref (region->target_blocks);
  g_ptr_array_unref (region->targets);
  return bytes;
}

static gsize
node_bytes (LbProgramPlan *plan, const LbNode *node)
{
  return (gsize)lb_shape_size (node->shape) * plan->element;
}

/* Whether an operand other than @operand sees the same bytes under another shape. */
static gboolean
seen_otherwise (LbProgramPlan *plan, LbNode *node, guint operand)
{
  LbNode *root = step_of (plan, node->inputs[operand])->root;
  for (guint i = 0; i < node->n_inputs; i++)
    if (step_of (plan, node->inputs[i])->root == root && !lb_shape_equal (node->inputs[i]->shape, node->shape))
      return TRUE;
  return FALSE;
}

/* An operand of @node that dies with it and has its shape and kind of place, whose block @node may take over; NULL if
 * none. */
static LbNode *
overwritten_operand (LbProgramPlan *plan, LbNode *node, const Uses *uses)
{
  LbStep *step = step_of (plan, node);
  if (!lb_ops[node->op]->elementwise || (step->shard == LB_SHARD_EACH && step->place == LB_PLACE_STATIC))
    return NULL;
  for (guint i = 0; i < node->n_inputs; i++) {
    LbNode *input = step_of (plan, node->inputs[i])->root;
    LbStep *before = step_of (plan, input);
    gboolean computed = input->n_inputs > 0;
    gboolean alike = before->shard == step->shard && before->place == step->place
                     && lb_shape_equal (node->inputs[i]->shape, node->shape)
                     && (step->shard == LB_SHARD_NO || step->cut[i]) && !seen_otherwise (plan, node, i);
    gboolean dies = !before->is_output && uses[input->id].last == step->position
                    && (step->shard == LB_SHARD_EACH || uses[input->id].n == 1);
    if (computed && alike && dies)
      return input;
  }
  return NULL;
}

/* ---- Arenas: values and working memory of cut nodes ---- */

static void
choose_place (LbProgramPlan *plan, LbGroup *group, LbNode *node, const Uses *uses)
{
  LbStep *step = step_of (plan, node);
  LbSegment *segment = segment_of (group, step->position);
  if (step->is_output || uses->outside)
    step->place = LB_PLACE_STATIC;
  else
    step->place = segment->step < group->longest_chunk && !uses->across ? LB_PLACE_STEP : LB_PLACE_CHUNK;
}

/* First and last position between which a chunk's value written at @from and last read at @to must stay: whole
 * segments, for these run again for the next step. */
static void
widen (LbGroup *group, guint *from, guint *to)
{
  LbSegment *first = segment_of (group, *from), *last = segment_of (group, *to);
  if (first->step < group->longest_chunk)
    *from = group->position + first->first;
  if (last->step < group->longest_chunk)
    *to = group->position + last->last;
}

static gsize
plan_arena (LbProgramPlan *plan, LbGroup *group, const Uses *uses)
{
  Region region;
  region_init (&region);
  g_autofree guint *block_of = g_new0 (guint, plan->graph->nodes->len);
  for (guint i = 0; i < group->nodes->len; i++)
    if (step_of (plan, g_ptr_array_index (group->nodes, i))->shard == LB_SHARD_EACH)
      choose_place (plan, group, g_ptr_array_index (group->nodes, i),
                    &uses[((LbNode *)g_ptr_array_index (group->nodes, i))->id]);
  for (guint i = 0; i < group->nodes->len; i++) {
    LbNode *node = g_ptr_array_index (group->nodes, i);
    LbStep *step = step_of (plan, node);
    gint64 step_samples = MIN (segment_of (group, step->position)->step, group->longest_chunk);
    guint from = step->position, to = MAX (uses[node->id].last, from);
    if (step->shard == LB_SHARD_EACH && step->place != LB_PLACE_STATIC) {
      LbNode *input = overwritten_operand (plan, node, uses);
      gsize samples = (gsize)(step->place == LB_PLACE_STEP ? step_samples : group->longest_chunk);
      if (step->place == LB_PLACE_CHUNK)
        widen (group, &from, &to);
      if (input != NULL) {
        block_of[node->id] = block_of[input->id];
        region_share (&region, &step->offset, block_of[node->id], to);
      } else {
        block_of[node->id] = region_add (&region, &step->offset,
                                         samples * node_bytes (plan, node) / (gsize)node->shape.dim[0], from, to);
      }
    }
    if (lb_ops[node->op]->scratch != NULL) {
      gsize elements = lb_ops[node->op]->scratch (node, step_samples);
      region_add (&region, &step->scratch, elements * plan->element, step->position, step->position);
    }
  }
  return region_finish (&region);
}

/* Places the arena of @group; with shorter chunks while these make a large one. */
static gsize
plan_short_arena (LbProgramPlan *plan, LbGroup *group, const Uses *uses)
{
  gsize bytes = plan_arena (plan, group, uses);
  while (bytes > LARGE_ARENA && group->longest_chunk > SHORT_CHUNK) {
    lb_group_set_chunks (group, 2 * group->n_chunks);
    bytes = plan_arena (plan, group, uses);
  }
  return bytes;
}

/* ---- The program's own memory ---- */

static void
place_static (LbProgramPlan *plan, Region *region, guint *block_of, LbNode *node, const Uses *uses)
{
  LbStep *step = step_of (plan, node);
  LbGroup *group = group_of (plan, step);
  guint from = group != NULL ? group->position : step->position;
  guint to = group != NULL ? MAX (uses[node->id].last, group_end (group)) : MAX (uses[node->id].last, from);
  /* Constants are filled in once; outputs are read after the run. */
  if (node->n_inputs == 0)
    from = 0, to = G_MAXUINT;
  if (step->is_output)
    to = G_MAXUINT;
  step->place = LB_PLACE_STATIC;
  LbNode *input = step->shard == LB_SHARD_NO && node->n_inputs > 0 ? overwritten_operand (plan, node, uses) : NULL;
  if (input != NULL) {
    block_of[node->id] = block_of[input->id];
    region_share (region, &step->offset, block_of[node->id], to);
  } else {
    block_of[node->id] = region_add (region, &step->offset, node_bytes (plan, node), from, to);
  }
  if (step->shard == LB_SHARD_SUM && group->n_partitions > 1)
    region_add (region, &step->sums, (group->n_partitions - 1) * node_bytes (plan, node), group->position,
                group_end (group));
  if (step->shard == LB_SHARD_NO && lb_ops[node->op]->scratch != NULL) {
    gsize elements = lb_ops[node->op]->scratch (node, node->shape.rank > 0 ? node->shape.dim[0] : 1);
    plan->arena_bytes = MAX (plan->arena_bytes, elements * plan->element);
  }
}

void
lb_program_plan_places (LbProgramPlan *plan)
{
  g_autofree Uses *uses = find_uses (plan);
  for (guint i = 0; i < plan->groups->len; i++)
    plan->arena_bytes = MAX (plan->arena_bytes, plan_short_arena (plan, g_ptr_array_index (plan->groups, i), uses));
  Region region;
  region_init (&region);
  g_autofree guint *block_of = g_new0 (guint, plan->graph->nodes->len);
  for (guint id = 0; id < plan->graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (plan->graph->nodes, id);
    LbStep *step = step_of (plan, node);
    if (node->op == LB_OP_INPUT) {
      step->place = LB_PLACE_BOUND;
    } else if (step->root == node && (step->shard != LB_SHARD_EACH || step->place == LB_PLACE_STATIC)) {
      place_static (plan, &region, block_of, node, uses);
    }
  }
  plan->static_bytes = region_finish (&region);
}

/* ---- All of it ---- */

LbProgramPlan *
lb_program_plan_begin (LbGraph *graph)
{
  LbProgramPlan *plan = g_new0 (LbProgramPlan, 1);
  plan->graph = graph;
  plan->element = lb_dtype_size (graph->dtype);
  plan->steps = g_new0 (LbStep, graph->nodes->len);
  plan->waves = g_ptr_array_new ();
  plan->groups = g_ptr_array_new ();
  lb_program_plan_time (plan);
  return plan;
}

LbProgramPlan *
lb_program_plan_new (LbGraph *graph, LbNode *const *outputs, guint n_outputs)
{
  LbProgramPlan *plan = lb_program_plan_begin (graph);
  for (guint i = 0; i < n_outputs; i++)
    step_of (plan, step_of (plan, outputs[i])->root)->is_output = TRUE;
  lb_program_plan_places (plan);
  return plan;
}

void
lb_program_plan_free (LbProgramPlan *plan)
{
  for (guint i = 0; i < plan->waves->len; i++) {
    LbWave *wave = g_ptr_array_index (plan->waves, i);
    g_ptr_array_unref (wave->nodes);
    g_array_unref (wave->pieces);
    g_free (wave);
  }
  for (guint i = 0; i < plan->groups->len; i++) {
    LbGroup *group = g_ptr_array_index (plan->groups, i);
    g_ptr_array_unref (group->nodes);
    g_ptr_array_unref (group->sums);
    g_array_unref (group->segments);
    g_free (group);
  }
  g_ptr_array_unref (plan->waves);
  g_ptr_array_unref (plan->groups);
  g_free (plan->steps);
  g_free (plan);
}
