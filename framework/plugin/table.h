/* Whether the tables of a stage type make sense. Private to plugin/. */
#pragma once

#include "plugin/stage.h"
#include "stream/schema.h"

G_BEGIN_DECLS

/* Checks everything about @type that all later code relies on: names, schemas and dims of ports, and kinds, offsets,
 * ranges, choices and defaults of properties. @flags are the type's, none where its plugin is older than flags.
 * LB_ERROR_PLUGIN: "stage type 'x': ...". */
gboolean lb_stage_type_check (const LbStageType *type, LbStageFlags flags, LbSchemas *schemas, GError **error);

G_END_DECLS
