/* Curves: what stages told of their progress, value by value, as the record of a run (metrics.jsonl) has it. Private to
 * pipeline/.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef struct _LbCurves LbCurves;

/* Those of the record @path, by stage and name; none where it cannot be read. */
LbCurves *lb_curves_read (const char *path);
void lb_curves_free (LbCurves *curves);

/* Adds those of @stage, which came @done steps far, to the array that @builder builds, as lb_stage_run_facts()
 * describes them; of parts side by side by their number, as whose rows come first is chance. */
void lb_curves_add (LbCurves *curves, JsonBuilder *builder, const char *stage, gint64 done);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbCurves, lb_curves_free)

G_END_DECLS
