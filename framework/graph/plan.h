/* The compiler's second half: when and where every node is computed, fixed by the graph alone.
 *
 * Time. Nodes that treat each sample alone are *cut*: they run for a few samples (a chunk) at a time on all workers.
 * The rest run *whole*. A program is a sequence of parts; each runs whole nodes in waves (nodes of a wave do not need
 * each other), then, for every number of samples, a group of cut nodes over all chunks. A node that sums over samples
 * (a weight's gradient) is cut too: every partition of the chunks adds up its own sum, and these are added in order
 * when the group is done; what needs the sum comes a part later. Chunks and partitions depend on the graph alone, never
 * on the number of workers.
 *
 * Within a group, consecutive nodes on samples of about the same size form a segment, which goes over the chunk in
 * steps of fewer samples the larger these are, so that what passes between its nodes stays in the second-level cache.
 *
 * Place. A value is static (in the program's memory), or, when only its own group reads it, in the worker's arena: the
 * samples of a chunk, or those of a step when only its own segment reads it. Places are shared by values whose
 * lifetimes do not meet.
 */
#pragma once

#include "graph/op.h"

G_BEGIN_DECLS

typedef enum {
  LB_PLACE_BOUND,  /* a tensor bound by the user */
  LB_PLACE_STATIC, /* offset in the program's memory */
  LB_PLACE_CHUNK,  /* offset in the arena; the chunk's samples */
  LB_PLACE_STEP    /* offset in the arena; the samples of a step */
} LbPlace;

typedef struct {
  LbNode *node;
  LbNode *root; /* whose bytes these are: the node itself, or what a reshape was made from */
  LbShard shard;
  gboolean cut[LB_MAX_INPUTS];
  gboolean is_output;
  guint part;
  guint position; /* in the order of execution: a wave, or a place in its group */

  LbPlace place;
  gsize offset;
  gsize scratch; /* offset of working memory in the worker's arena */
  gsize sums;    /* static offset of the sums of all partitions but the first, whose place is the result's */
} LbStep;

typedef struct {
  guint first, last; /* indices into the group's nodes, last included */
  gint64 step;       /* samples at a time */
} LbSegment;

typedef struct {
  guint part;
  gint64 samples;
  guint n_chunks, n_partitions;
  gint64 longest_chunk;
  guint position;
  GPtrArray *nodes; /* LbNode*, in order */
  GArray *segments; /* LbSegment */
  GPtrArray *sums;  /* LbNode* that sum over samples */
} LbGroup;

/* What one worker computes of a wave at a time: some pieces of a node. */
typedef struct {
  LbNode *node;
  guint first_piece, end_piece;
} LbPiece;

typedef struct {
  guint part, position;
  GPtrArray *nodes;
  GArray *pieces; /* LbPiece: all of all nodes */
} LbWave;

typedef struct {
  LbGraph *graph;
  LbStep *steps;     /* by node id */
  GPtrArray *waves;  /* LbWave*, in order */
  GPtrArray *groups; /* LbGroup*, in order */
  guint n_parts;
  gsize element; /* bytes of one */
  gsize static_bytes, arena_bytes;
} LbProgramPlan;

/* The first half of it: steps know when they run, not where their values live. */
LbProgramPlan *lb_program_plan_begin (LbGraph *graph);

LbProgramPlan *lb_program_plan_new (LbGraph *graph, LbNode *const *outputs, guint n_outputs);
void lb_program_plan_free (LbProgramPlan *plan);

/* First sample of chunk @index of @group; @index may be n_chunks. Chunks differ in length by one sample at most. */
gint64 lb_chunk_start (const LbGroup *group, guint index);

/* Cuts the samples of @group into so many chunks. */
void lb_group_set_chunks (LbGroup *group, guint n_chunks);

/* shard.c: fills in shard, cut, part, waves and groups. */
void lb_program_plan_time (LbProgramPlan *plan);

/* By id of a node, the first part that reads it; G_MAXUINT for none. Freed with g_free(). */
guint *lb_program_plan_first_reads (const LbProgramPlan *plan);

/* plan.c: fills in place, offset, scratch, sums and the sizes. */
void lb_program_plan_places (LbProgramPlan *plan);

/* storage.c: places blocks in as little memory as is easily found, so that none that live at the same time overlap. */
typedef struct {
  gsize bytes;
  guint from, to; /* first and last position at which it is alive */
  gsize offset;   /* result */
} LbBlock;

/* Returns the bytes needed in all. */
gsize lb_storage_assign (LbBlock *blocks, guint n_blocks);

G_END_DECLS
