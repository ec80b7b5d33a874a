/* Comparing two runs by their manifests: what came out, and what else differs. */
#pragma once

#include "archive/manifest.h"

G_BEGIN_DECLS

/* A run to compare: its manifest, and where its bytes are. Folders may be NULL: then what differs in value is told by
 * its digest alone. */
typedef struct {
  const LbManifest *manifest;
  const char *results; /* folder of result files */
  const char *packets; /* folder of packets as an archive has them: STAGE/PORT/000001.npz */
  /* The packet @index of an output where there is no such folder, an array of LbNamedTensor; or NULL: not known. */
  GArray *(*read) (gpointer data, const char *stage, guint output, guint index);
  gpointer data;
} LbRunSide;

typedef struct {
  GPtrArray *parted; /* char*: sentences, the first place that parts first */
  guint n_compared;  /* tensors, groups of packets, files and metrics */
  guint n_unknown;   /* of these, that differ by nobody knows how much: they are not judged close */
} LbComparison;

/* Compares what came out, in the order in which stages run. Nothing has parted when @second has all that @first has;
 * what only @second has (a new port or field) does not count. With @close, values may be off by the tolerances of the
 * first run's manifest. */
LbComparison *lb_compare_results (const LbRunSide *first, const LbRunSide *second, gboolean close);
void lb_comparison_free (LbComparison *comparison);

/* What else differs: framework, machine, plugins, inputs, properties; "compiler: gcc 12.2.0, was clang 14.0.6". Free
 * with g_ptr_array_unref(). */
GPtrArray *lb_compare_circumstances (const LbManifest *first, const LbManifest *second);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbComparison, lb_comparison_free)

G_END_DECLS
