/* The resolved pipeline: what is really run, as a pipeline file again. */
#pragma once

#include "pipeline/plan.h"

G_BEGIN_DECLS

/* The text of a pipeline file that runs what @plan (configured, without problems) runs, wherever it is read: no params,
 * every property of every stage with its value, absolute paths, the seed. Free with g_free(). */
char *lb_plan_to_yaml (const LbPlan *plan);

/* The path that stands for the file or folder that property @property of stage @stage names; NULL: its own. */
typedef const char *(*LbPathName) (gpointer data, guint stage, const LbProperty *property);

/* The same with other paths, as they are where it will be read. */
char *lb_plan_to_portable_yaml (const LbPlan *plan, LbPathName name, gpointer data);

/* What stage @index was made by, the same way, without the title: itself and all stages that it needs, those it reads
 * before it, in the order of their links. Follows from the recipe of the stage alone, as its results do. */
char *lb_plan_ancestry (const LbPlan *plan, guint index, LbPathName name, gpointer data);

G_END_DECLS
