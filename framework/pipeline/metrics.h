/* metrics.json: the figures of one run, for programs. */
#pragma once

#include <json-glib/json-glib.h>

#include "pipeline/run.h"

G_BEGIN_DECLS

/* The text of metrics.json. All that depends on the machine's speed or load stands in the object "timing"; all else is
 * the same for the same pipeline, seed and arithmetic. A figure that is not finite is null. Free with g_free(). */
char *lb_metrics_to_json (const LbRun *run);

/* The same as one object that is added to what @builder builds. */
void lb_metrics_add (JsonBuilder *builder, const LbRun *run);

G_END_DECLS
