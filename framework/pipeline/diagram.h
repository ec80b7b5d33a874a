/* Drawings of a pipeline: its stages as boxes, its streams as lines with the name of their schema. */
#pragma once

#include "pipeline/plan.h"

G_BEGIN_DECLS

/* In the language of Graphviz. @plan needs no configuring. Free with g_free(). */
char *lb_diagram_to_dot (const LbPlan *plan);

/* As an SVG file. */
GBytes *lb_diagram_to_svg (const LbPlan *plan, GError **error);

/* What a stream of stage @stage's output @output is labelled with: its schema, and the port where it is named
 * otherwise. Free with g_free(). */
char *lb_diagram_label (const LbPlan *plan, guint stage, guint output);

G_END_DECLS
