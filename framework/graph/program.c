/* Programs: a plan with memory, bound tensors and results, run on a pool (plan.h says when and where). */
#include "graph/program.h"

#include "base/account.h"
#include "base/memory.h"
#include "base/timeline.h"
#include "graph/kernels/kernels.h"
#include "graph/plan.h"
#include "graph/rewrite.h"
#include "graph/trace.h"

#include <fenv.h>
#include <stdlib.h>
#include <string.h>

/* Elements that one task adds up over partitions. */
#define SUM_SLICE 65536

typedef struct {
  LbNode *node;
  gint64 first, n;
} SumSlice;

typedef struct {
  LbNode *output, *input; /* of the rewritten graph */
} Carry;

struct _LbProgram {
  LbGraph *source; /* keeps the user's nodes alive */
  LbGraph *graph;
  LbNode **map; /* user's id -> node of graph */
  guint n_map;
  LbProgramPlan *plan;
  const LbKernelSet *kernels;
  double flops;

  guint8 *memory; /* static values */
  guint8 *arenas; /* one for each worker, made at the first run */
  guint n_arenas;
  LbAccount *memory_account, *arenas_account; /* that these are counted on */
  LbTensor **bound;                           /* by id: inputs */
  GHashTable *results;                        /* node -> LbTensor */
  GArray *carries;                            /* Carry */
  GArray **slices;                            /* SumSlice, by group */
  LbTrace *trace;                             /* of the run at hand, when it is traced */
};

/* ---- Addresses ---- */

/* Where a worker stands inside a group: samples [first, first + n) of a chunk that began at @chunk. */
typedef struct {
  LbProgram *program;
  guint8 *arena;
  gint64 chunk, first, n;
  guint partition;
} Cursor;

static guint8 *
static_address (LbProgram *program, const LbNode *root)
{
  LbStep *step = &program->plan->steps[root->id];
  if (step->place == LB_PLACE_BOUND)
    return lb_tensor_data (program->bound[root->id]);
  return program->memory + step->offset;
}

/* Bytes of one sample of a value that is cut. */
static gsize
sample_bytes (LbProgram *program, const LbNode *node)
{
  return (gsize)(lb_shape_size (node->shape) / node->shape.dim[0]) * program->plan->element;
}

/* The samples, of @bytes each, that @cursor stands at, in the place of @root. */
static guint8 *
cut_address (const Cursor *cursor, const LbNode *root, gsize bytes)
{
  LbStep *step = &cursor->program->plan->steps[root->id];
  switch (step->place) {
  case LB_PLACE_STEP:
    return cursor->arena + step->offset;
  case LB_PLACE_CHUNK:
    return cursor->arena + step->offset + (gsize)(cursor->first - cursor->chunk) * bytes;
  default:
    return static_address (cursor->program, root) + (gsize)cursor->first * bytes;
  }
}

/* Computes what @call asks for: samples from @first_sample on of a cut node, or a whole one. */
static inline void
run_kernel (LbProgram *program, const LbStep *step, const LbCall *call, gint64 first_sample)
{
  LbKernel kernel = program->kernels->run[call->node->op];
  gint64 began = lb_timeline_begin ();
  if (G_LIKELY (program->trace == NULL))
    kernel (call);
  else
    lb_trace_call (program->trace, step, kernel, call,
                   first_sample == 0 ? 0 : first_sample * lb_shape_size (call->node->shape) / call->node->shape.dim[0]);
  lb_timeline_end (began, "op", lb_ops[call->node->op]->name, "node", call->node->id, "first_sample", first_sample);
}

static guint
pieces_of (const LbNode *node)
{
  return lb_ops[node->op]->pieces != NULL ? lb_ops[node->op]->pieces (node) : 1;
}

/* ---- Whole nodes ---- */

static void
run_whole (LbProgram *program, const LbPiece *piece, guint worker)
{
  LbNode *node = piece->node;
  LbStep *step = &program->plan->steps[node->id];
  LbCall call = { .node = node,
                  .output = static_address (program, node),
                  .output_shape = node->shape,
                  .scratch = program->arenas + worker * program->plan->arena_bytes,
                  .first_piece = piece->first_piece,
                  .end_piece = piece->end_piece };
  for (guint i = 0; i < node->n_inputs; i++) {
    call.inputs[i] = static_address (program, program->plan->steps[node->inputs[i]->id].root);
    call.input_shapes[i] = node->inputs[i]->shape;
  }
  run_kernel (program, step, &call, 0);
}

typedef struct {
  LbProgram *program;
  LbWave *wave;
} WaveJob;

static void
wave_task (guint index, guint worker, gpointer data)
{
  WaveJob *job = data;
  run_whole (job->program, &g_array_index (job->wave->pieces, LbPiece, index), worker);
}

/* One node after the other, all pieces of a node at once. */
static void
run_wave_alone (LbProgram *program, LbWave *wave)
{
  for (guint i = 0; i < wave->nodes->len; i++) {
    LbNode *node = g_ptr_array_index (wave->nodes, i);
    LbPiece all = { node, 0, pieces_of (node) };
    run_whole (program, &all, 0);
  }
}

/* ---- Cut nodes ---- */

static void
run_cut (const Cursor *cursor, LbGroup *group, LbNode *node)
{
  LbProgram *program = cursor->program;
  LbStep *step = &program->plan->steps[node->id];
  LbCall call = {
    .node = node, .output_shape = node->shape, .scratch = cursor->arena + step->scratch, .end_piece = pieces_of (node)
  };
  for (guint i = 0; i < node->n_inputs; i++) {
    LbNode *root = program->plan->steps[node->inputs[i]->id].root;
    call.input_shapes[i] = node->inputs[i]->shape;
    if (step->cut[i]) {
      call.inputs[i] = cut_address (cursor, root, sample_bytes (program, node->inputs[i]));
      call.input_shapes[i].dim[0] = cursor->n;
    } else {
      call.inputs[i] = static_address (program, root);
    }
  }
  if (step->shard == LB_SHARD_EACH) {
    call.output = cut_address (cursor, node, sample_bytes (program, node));
    call.output_shape.dim[0] = cursor->n;
  } else {
    gsize bytes = lb_shape_size (node->shape) * program->plan->element;
    guint first_chunk = cursor->partition * group->n_chunks / group->n_partitions;
    call.output = cursor->partition == 0 ? program->memory + step->offset
                                         : program->memory + step->sums + (cursor->partition - 1) * bytes;
    call.accumulate = cursor->first > lb_chunk_start (group, first_chunk);
  }
  run_kernel (program, step, &call, step->shard == LB_SHARD_EACH ? cursor->first : 0);
}

static void
run_segment (Cursor *cursor, LbGroup *group, const LbSegment *segment, gint64 chunk_length)
{
  for (gint64 at = 0; at < chunk_length; at += segment->step) {
    cursor->first = cursor->chunk + at;
    cursor->n = MIN (segment->step, chunk_length - at);
    for (guint i = segment->first; i <= segment->last; i++)
      run_cut (cursor, group, g_ptr_array_index (group->nodes, i));
  }
}

typedef struct {
  LbProgram *program;
  LbGroup *group;
  GArray *slices;
} GroupJob;

static void
partition_task (guint index, guint worker, gpointer data)
{
  GroupJob *job = data;
  LbGroup *group = job->group;
  guint first = index * group->n_chunks / group->n_partitions;
  guint end = (index + 1) * group->n_chunks / group->n_partitions;
  for (guint chunk = first; chunk < end; chunk++) {
    Cursor cursor = { .program = job->program,
                      .arena = job->program->arenas + worker * job->program->plan->arena_bytes,
                      .chunk = lb_chunk_start (group, chunk),
                      .partition = index };
    gint64 length = lb_chunk_start (group, chunk + 1) - cursor.chunk;
    for (guint i = 0; i < group->segments->len; i++)
      run_segment (&cursor, group, &g_array_index (group->segments, LbSegment, i), length);
  }
}

/* Adds the sums of the other partitions to those of the first, which stand where the result goes: one slice of one sum,
 * in the order of partitions. */
static void
sum_task (guint index, guint worker, gpointer data)
{
  GroupJob *job = data;
  SumSlice *slice = &g_array_index (job->slices, SumSlice, index);
  LbStep *step = &job->program->plan->steps[slice->node->id];
  gint64 size = lb_shape_size (slice->node->shape);
  guint8 *sums = job->program->memory + step->sums, *out = job->program->memory + step->offset;
  guint n = job->group->n_partitions - 1;
  if (job->program->plan->element == sizeof (float)) {
    const float *from = (const float *)sums + slice->first;
    float *to = (float *)out + slice->first;
    for (guint p = 0; p < n; p++)
      for (gint64 i = 0; i < slice->n; i++)
        to[i] += from[p * size + i];
  } else {
    const double *from = (const double *)sums + slice->first;
    double *to = (double *)out + slice->first;
    for (guint p = 0; p < n; p++)
      for (gint64 i = 0; i < slice->n; i++)
        to[i] += from[p * size + i];
  }
  if (job->program->trace != NULL)
    lb_trace_sum (job->program->trace, step, job->group->position + job->group->nodes->len,
                  out + slice->first * job->program->plan->element, slice->first, slice->n);
}

static GArray *
make_slices (LbGroup *group)
{
  GArray *slices = g_array_new (FALSE, TRUE, sizeof (SumSlice));
  for (guint i = 0; group->n_partitions > 1 && i < group->sums->len; i++) {
    LbNode *node = g_ptr_array_index (group->sums, i);
    gint64 size = lb_shape_size (node->shape);
    for (gint64 first = 0; first < size; first += SUM_SLICE) {
      SumSlice slice = { .node = node, .first = first, .n = MIN (SUM_SLICE, size - first) };
      g_array_append_val (slices, slice);
    }
  }
  return slices;
}

/* ---- Running ---- */

static void
run_wave (LbProgram *program, LbWave *wave, LbPool *pool)
{
  WaveJob job = { .program = program, .wave = wave };
  double size = 0;
  for (guint i = 0; i < wave->nodes->len; i++)
    size += (double)lb_shape_size (((LbNode *)g_ptr_array_index (wave->nodes, i))->shape);
  /* Handing out less than some ten microseconds of work costs more than it saves. A value that is looked at must be
   * complete. */
  if (wave->pieces->len > 1 && size > 50000 && program->trace == NULL)
    lb_pool_run (pool, wave->pieces->len, wave_task, &job);
  else
    run_wave_alone (program, wave);
}

static void
run_group (LbProgram *program, guint index, LbPool *pool)
{
  LbGroup *group = g_ptr_array_index (program->plan->groups, index);
  GroupJob job = { .program = program, .group = group, .slices = program->slices[index] };
  lb_pool_run (pool, group->n_partitions, partition_task, &job);
  if (job.slices->len == 1)
    sum_task (0, 0, &job);
  else if (job.slices->len > 1)
    lb_pool_run (pool, job.slices->len, sum_task, &job);
}

static gpointer
allocate (gsize bytes)
{
  gpointer memory = NULL;
  if (posix_memalign (&memory, 64, MAX (bytes, 64)) != 0)
    g_error ("out of memory: %" G_GSIZE_FORMAT " bytes for a tensor program", bytes);
  lb_memory_prefer_large_pages (memory, bytes);
  return memory;
}

static void
free_arenas (LbProgram *program)
{
  lb_account_give (g_steal_pointer (&program->arenas_account), program->n_arenas * program->plan->arena_bytes);
  free (program->arenas);
}

static void
make_arenas (LbProgram *program, guint n)
{
  if (program->n_arenas >= n)
    return;
  free_arenas (program);
  program->arenas = allocate (n * program->plan->arena_bytes);
  program->arenas_account = lb_account_take (n * program->plan->arena_bytes);
  program->n_arenas = n;
}

static void
check_bound (LbProgram *program)
{
  for (guint id = 0; id < program->graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (program->graph->nodes, id);
    if (node->op == LB_OP_INPUT && program->bound[id] == NULL)
      g_error ("input '%s' of a program is not bound (made at %s)", node->name, node->here);
  }
}

static void
run_parts (LbProgram *program, LbPool *pool)
{
  for (guint part = 0; part < program->plan->n_parts; part++) {
    for (guint i = 0; i < program->plan->waves->len; i++) {
      LbWave *wave = g_ptr_array_index (program->plan->waves, i);
      if (wave->part == part)
        run_wave (program, wave, pool);
    }
    for (guint i = 0; i < program->plan->groups->len; i++)
      if (((LbGroup *)g_ptr_array_index (program->plan->groups, i))->part == part)
        run_group (program, i, pool);
  }
}

/* The same, looking at every value. */
static void
run_traced (LbProgram *program, LbCompute *compute)
{
  g_autoptr (LbTrace) trace = lb_trace_new ();
  for (guint id = 0; id < program->graph->nodes->len; id++)
    if (program->bound[id] != NULL)
      lb_trace_input (trace, g_ptr_array_index (program->graph->nodes, id), program->bound[id]);
  program->trace = trace;
  run_parts (program, lb_compute_pool (compute));
  program->trace = NULL;
  g_autofree char *finding = lb_trace_finding (trace);
  if (finding != NULL)
    lb_compute_tell (compute, finding);
}

void
lb_program_run (LbProgram *program, LbCompute *compute)
{
  LbPool *pool = lb_compute_pool (compute);
  gint64 began = lb_timeline_begin ();
  check_bound (program);
  /* What somebody else's library did to this thread's rounding or subnormal numbers must not matter. */
  fenv_t before;
  fegetenv (&before);
  fesetenv (FE_DFL_ENV);
  make_arenas (program, lb_pool_threads (pool));
  if (lb_compute_is_traced (compute))
    run_traced (program, compute);
  else
    run_parts (program, pool);
  GHashTableIter iter;
  gpointer node, result;
  g_hash_table_iter_init (&iter, program->results);
  while (g_hash_table_iter_next (&iter, &node, &result)) {
    /* An output that is an input, or a reshape of one, has no place of its own. */
    LbNode *root = program->plan->steps[((LbNode *)node)->id].root;
    if (root->op == LB_OP_INPUT)
      memcpy (lb_tensor_data (result), static_address (program, root), lb_tensor_bytes (result));
  }
  for (guint i = 0; i < program->carries->len; i++) {
    Carry *carry = &g_array_index (program->carries, Carry, i);
    LbTensor *to = program->bound[carry->input->id];
    memcpy (lb_tensor_data (to), lb_tensor_data (g_hash_table_lookup (program->results, carry->output)),
            lb_tensor_bytes (to));
  }
  fesetenv (&before);
  lb_compute_add_flops (compute, program->flops);
  lb_timeline_end (began, "program", "program", "flops", (gint64)(program->flops + 0.5), "nodes",
                   program->graph->nodes->len);
}

/* ---- Making ---- */

static void
fill_constants (LbProgram *program)
{
  for (guint id = 0; id < program->graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (program->graph->nodes, id);
    if (node->op == LB_OP_CONSTANT)
      run_whole (program, &(LbPiece){ node, 0, 1 }, 0);
  }
}

static void
make_result (LbProgram *program, LbNode *node)
{
  LbNode *root = program->plan->steps[node->id].root;
  LbTensor *tensor;
  if (g_hash_table_contains (program->results, node))
    return;
  if (root->op == LB_OP_INPUT)
    tensor = lb_tensor_new (program->graph->dtype, node->shape);
  else
    tensor = lb_tensor_wrap (program->graph->dtype, node->shape, static_address (program, root), NULL, NULL);
  g_hash_table_insert (program->results, node, tensor);
}

LbProgram *
lb_compile (LbGraph *graph, LbNode *const *outputs, guint n_outputs, GError **error)
{
  if (graph->error != NULL) {
    g_propagate_error (error, g_error_copy (graph->error));
    return NULL;
  }
  lb_blas_load ();
  LbProgram *program = g_new0 (LbProgram, 1);
  program->source = lb_graph_ref (graph);
  program->n_map = graph->nodes->len;
  program->graph = lb_rewrite (graph, outputs, n_outputs, &program->map);
  g_autofree LbNode **new_outputs = g_new (LbNode *, n_outputs);
  for (guint i = 0; i < n_outputs; i++)
    new_outputs[i] = program->map[outputs[i]->id];
  program->plan = lb_program_plan_new (program->graph, new_outputs, n_outputs);
  program->kernels = lb_kernels (graph->dtype);
  program->memory = allocate (program->plan->static_bytes);
  program->memory_account = lb_account_take (program->plan->static_bytes);
  program->bound = g_new0 (LbTensor *, program->graph->nodes->len);
  program->results = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)lb_tensor_unref);
  program->carries = g_array_new (FALSE, TRUE, sizeof (Carry));
  program->slices = g_new0 (GArray *, program->plan->groups->len);
  for (guint i = 0; i < program->plan->groups->len; i++)
    program->slices[i] = make_slices (g_ptr_array_index (program->plan->groups, i));
  for (guint id = 0; id < program->graph->nodes->len; id++) {
    LbNode *node = g_ptr_array_index (program->graph->nodes, id);
    if (lb_ops[node->op]->flops != NULL)
      program->flops += lb_ops[node->op]->flops (node);
  }
  fill_constants (program);
  for (guint i = 0; i < n_outputs; i++)
    make_result (program, new_outputs[i]);
  return program;
}

void
lb_program_use_kernels (LbProgram *program, const LbKernelSet *kernels)
{
  program->kernels = kernels;
}

void
lb_program_free (LbProgram *program)
{
  if (program == NULL)
    return;
  for (guint id = 0; id < program->graph->nodes->len; id++)
    g_clear_pointer (&program->bound[id], lb_tensor_unref);
  for (guint i = 0; i < program->plan->groups->len; i++)
    g_array_unref (program->slices[i]);
  g_free (program->slices);
  g_free (program->bound);
  g_hash_table_unref (program->results);
  g_array_unref (program->carries);
  lb_account_give (program->memory_account, program->plan->static_bytes);
  free (program->memory);
  free_arenas (program);
  lb_program_plan_free (program->plan);
  lb_graph_unref (program->graph);
  lb_graph_unref (program->source);
  g_free (program->map);
  g_free (program);
}

/* The program's node for one of the user's; NULL when the outputs do not need it. */
static LbNode *
translate (LbProgram *program, LbNode *node)
{
  g_return_val_if_fail (node->graph == program->source && node->id < program->n_map, NULL);
  return program->map[node->id];
}

void
lb_program_bind (LbProgram *program, LbNode *input, LbTensor *tensor)
{
  LbNode *node = translate (program, input);
  if (node == NULL)
    return;
  if (input->op != LB_OP_INPUT || lb_tensor_dtype (tensor) != program->graph->dtype
      || !lb_shape_equal (lb_tensor_shape (tensor), input->shape)) {
    g_autofree char *given = lb_shape_to_string (lb_tensor_shape (tensor));
    g_autofree char *wanted = lb_shape_to_string (input->shape);
    g_error ("input '%s' is bound to %s%s; it is %s%s (made at %s)", input->name,
             lb_dtype_name (lb_tensor_dtype (tensor)), given, lb_dtype_name (program->graph->dtype), wanted,
             input->here);
  }
  lb_tensor_ref (tensor);
  g_clear_pointer (&program->bound[node->id], lb_tensor_unref);
  program->bound[node->id] = tensor;
}

void
lb_program_carry (LbProgram *program, LbNode *output, LbNode *input)
{
  Carry carry = { .output = translate (program, output), .input = translate (program, input) };
  g_return_if_fail (carry.output != NULL && carry.input != NULL && carry.input->op == LB_OP_INPUT);
  g_return_if_fail (g_hash_table_contains (program->results, carry.output));
  g_return_if_fail (lb_shape_equal (output->shape, input->shape));
  g_array_append_val (program->carries, carry);
}

LbTensor *
lb_program_result (LbProgram *program, LbNode *output)
{
  LbNode *node = translate (program, output);
  LbTensor *tensor = node != NULL ? g_hash_table_lookup (program->results, node) : NULL;
  g_return_val_if_fail (tensor != NULL, NULL);
  return tensor;
}

double
lb_program_scalar (LbProgram *program, LbNode *output)
{
  LbTensor *tensor = lb_program_result (program, output);
  g_return_val_if_fail (tensor != NULL && lb_tensor_size (tensor) == 1, 0);
  if (lb_tensor_dtype (tensor) == LB_F64)
    return *lb_tensor_f64 (tensor);
  return (double)*lb_tensor_f32 (tensor);
}

double
lb_program_flops (const LbProgram *program)
{
  return program->flops;
}

gsize
lb_program_peak_bytes (const LbProgram *program, guint threads)
{
  gsize nodes = program->source->nodes->len + program->graph->nodes->len;
  return program->plan->static_bytes + threads * program->plan->arena_bytes + nodes * sizeof (LbNode)
         + program->graph->nodes->len * sizeof (LbStep);
}

const char *
lb_arithmetic_description (void)
{
  static char *description;
  if (g_once_init_enter (&description))
    g_once_init_leave (&description, g_strdup_printf ("%s, kernels %s", lb_blas_description (), lb_kernels_name ()));
  return description;
}
