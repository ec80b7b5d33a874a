/* Provenance: what a run was made of and what came of it, in OUTPUT/run/provenance.json, beside the record (record.h).
 *
 *   {"manifest": {...}, "texts": {"pipeline.yaml": "...", ...}, "keys": {"STAGE": "..."}}
 *
 * The manifest is that of an archive (schemas/archive-manifest.schema.json): pipeline, plugins, schemas, build and
 * machine, digests of input files, of every tensor of every packet and of every result file, metrics. The texts are the
 * files that an archive holds beside it; the keys tell where a store has the packets. Nothing in it is a path of this
 * machine but those that the user wrote.
 */
#pragma once

#include "pipeline/ledger.h"
#include "pipeline/plan.h"

G_BEGIN_DECLS

#define LB_PROVENANCE_FILE "provenance.json"

/* The version of the manifest. */
#define LB_MANIFEST_FORMAT 1

/* How far a metric may be off where a run is compared within tolerance, unless the archive says otherwise: absolute for
 * fractions, such as accuracies; relative for all else. */
#define LB_TOLERANCE_FRACTION 0.02
#define LB_TOLERANCE_RELATIVE 0.05

typedef struct _LbProvenance LbProvenance;

/* Of the configured @plan; looks at the input files. @cache as in digest.h. */
LbProvenance *lb_provenance_new (const LbPlan *plan, const char *cache);
void lb_provenance_free (LbProvenance *provenance);

/* What stage @index was made by, as lb_plan_ancestry(): files are named by their content alone, as sha256:DIGEST.
 * Free with g_free(). */
char *lb_provenance_ancestry (const LbProvenance *provenance, guint index);

/* What is known only when the run has ended. */
typedef struct {
  const char *output_directory;
  const char *arithmetic; /* or NULL */
  guint threads;          /* of the pool */
  gint64 started;         /* of g_get_real_time() */
  double seconds;
  const char *const *keys;        /* beside plan->stages: of the store; or NULL */
  const LbLedger *const *ledgers; /* beside plan->stages: what was sent, and the names of result files */
  GPtrArray *const *metrics;      /* beside plan->stages: LbMetric* */
  const double *stage_seconds;    /* beside plan->stages */
} LbProvenanceEnd;

/* Writes the file. LB_ERROR_OUTPUT. */
gboolean lb_provenance_write (const LbProvenance *provenance, const LbProvenanceEnd *end, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbProvenance, lb_provenance_free)

G_END_DECLS
