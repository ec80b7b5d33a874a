/* RO-Crate metadata of an archive (RO-Crate 1.1), by the profiles of workflow runs (Process, Workflow and Provenance
 * Run Crate 0.5): the pipeline is the workflow, the run is a CreateAction, and so is each stage in it. Private to
 * archive/.
 */
#pragma once

#include "archive/manifest.h"
#include "archive/pack.h"

G_BEGIN_DECLS

/* The text of ro-crate-metadata.json for an archive with the members of @pack. Free with g_free(). */
char *lb_crate_to_json (const LbManifest *manifest, LbPack *pack);

G_END_DECLS
