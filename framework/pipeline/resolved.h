/* The resolved pipeline: what is really run, as a pipeline file again. */
#pragma once

#include "pipeline/plan.h"

G_BEGIN_DECLS

/* The text of a pipeline file that runs what @plan (configured, without problems) runs, wherever it is read: no params,
 * every property of every stage with its value, absolute paths, the seed. Free with g_free(). */
char *lb_plan_to_yaml (const LbPlan *plan);

G_END_DECLS
