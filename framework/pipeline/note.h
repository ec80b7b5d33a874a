/* Note: what a stage of a run without a store sends and writes, for the run's provenance. */
#pragma once

#include "pipeline/ledger.h"
#include "plugin/host.h"

G_BEGIN_DECLS

/* For the stage's setup. The data is an LbLedger of the stage's outputs, which gets the digests of all packets and the
 * names of all result files; metrics and reports are the run's own. */
extern const LbStageKeeper lb_note_keeper;

G_END_DECLS
