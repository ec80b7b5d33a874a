/* A plan: a pipeline whose names have been resolved against the registry, ready to be drawn, and, once configured, to
 * run.
 *
 * The two steps tell all mistakes they find, and leave out what depends on something already told, so that one mistake
 * is told once. A plan refers to its pipeline and registry, which must outlive it.
 */
#pragma once

#include "pipeline/pipeline.h"
#include "plugin/configure.h"
#include "plugin/registry.h"

G_BEGIN_DECLS

/* One resolved link into a stage. */
typedef struct {
  const LbPipelineInput *written;
  const LbPort *port; /* of the reading stage */
  guint source;       /* index of the writing stage */
  guint output;       /* index of its output port */
} LbPlanLink;

typedef struct {
  const LbPipelineStage *written;
  const LbStageEntry *entry; /* NULL when its plugin is not known */
  GArray *links;             /* LbPlanLink, in file order */
  gpointer self;             /* the struct with its properties; NULL until configured */
  LbConfigured *configured;  /* NULL until configured */
  gboolean broken;           /* a mistake in it or before it was told */
} LbPlanStage;

typedef struct {
  const LbPipeline *pipeline;
  LbRegistry *registry;
  LbPlanStage *stages; /* in the order of pipeline->stages */
  guint n_stages;
  guint threads;      /* that programs will run on; one for each processor unless changed before configuring */
  guint side_by_side; /* parts of a stage at once; 0: as many as threads */
  guint *order;       /* indices of stages, sources first; those of a cycle and behind it are left out */
  guint n_ordered;
} LbPlan;

/* Step 1: plugins, ports, references, schemas, cycles. Reads nothing but the pipeline. */
LbPlan *lb_plan_new (const LbPipeline *pipeline, LbRegistry *registry, LbProblems *problems);
void lb_plan_free (LbPlan *plan);

/* Step 2: properties, then each stage's configure in topological order, with dimension symbols unified along links.
 * Stages may look at their input files. */
void lb_plan_configure (LbPlan *plan, LbProblems *problems);

/* Step 2 once more for a plan without problems, with parts of stages one after the other, which takes less memory.
 * FALSE when no stage does several at once anyway. */
gboolean lb_plan_configure_narrow (LbPlan *plan, LbProblems *problems);

/* Output port @output of stage @stage. */
const LbPort *lb_plan_output (const LbPlan *plan, guint stage, guint output);
/* What is known of its stream, after lb_plan_configure() without problems. */
const LbSpec *lb_plan_spec (const LbPlan *plan, guint stage, guint output);
/* How many links read it. */
guint lb_plan_n_readers (const LbPlan *plan, guint stage, guint output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPlan, lb_plan_free)

G_END_DECLS
