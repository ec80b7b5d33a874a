/* One of two runs that are compared: a run's directory, or an archive, unpacked for as long as this lasts. */
#pragma once

#include "archive/compare.h"
#include "pipeline/store.h"

G_BEGIN_DECLS

typedef struct _LbSide LbSide;

/* @path: either. @store: where the packets of a run may be; borrowed; NULL: none. LB_ERROR_INPUT, LB_ERROR_OUTPUT. */
LbSide *lb_side_open (const char *path, LbStore *store, GError **error);
void lb_side_free (LbSide *side);

/* The side's. */
const LbRunSide *lb_side_run (const LbSide *side);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbSide, lb_side_free)

G_END_DECLS
