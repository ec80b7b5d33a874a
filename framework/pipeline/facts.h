/* What a stage that closes a run (LB_STAGE_CLOSES) is told of it, once all others have ended. Private to pipeline/. */
#pragma once

#include "pipeline/run.h"
#include "plugin/stage.h"
#include "stream/link.h"

G_BEGIN_DECLS

typedef struct _LbFacts LbFacts;

/* Of a run of @plan. Both are borrowed. */
LbFacts *lb_facts_new (LbFlow *flow, const LbPlan *plan);
void lb_facts_free (LbFacts *facts);

/* From the thread of a closing stage: blocks until there is something to tell; see lb_stage_run_facts(). */
gboolean lb_facts_wait (LbFacts *facts, LbStage *stage, char **json, GError **error);

/* From any thread: stage @index of the plan has ended. */
void lb_facts_stage_ended (LbFacts *facts, guint index);

/* From the main thread: whether somebody waits and all others have ended; then tell it, once. Takes @json. */
gboolean lb_facts_due (LbFacts *facts);
void lb_facts_tell (LbFacts *facts, char *json);

/* The text that lb_stage_run_facts() describes, of what has come in @run up to now. The record must be written. Free
 * with g_free(). */
char *lb_facts_to_json (const LbRun *run);

G_END_DECLS
