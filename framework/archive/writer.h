/* Writing of an archive: a finished run in one file. The same run gives the same bytes: names are sorted, times and
 * owners are zero, and the compressor has one thread and a fixed level.
 */
#pragma once

#include "pipeline/store.h"

G_BEGIN_DECLS

typedef struct {
  gboolean with_inputs;  /* the input files too */
  gboolean with_packets; /* and the packets of all stages but cheap ones, which the store must still have */
  LbStore *store;        /* where these are; borrowed; NULL: none */
  /* "STAGE.METRIC=VALUE" for metrics and "tensors=VALUE" for tensors, NULL-terminated or NULL: how far they may be off
   * at level close, in place of what the run has put down. */
  const char *const *tolerances;
} LbArchiveSettings;

/* Writes an archive of the run in @directory to @path, whole or not at all. LB_ERROR_INPUT when the run is not
 * finished, or a file is no longer what it was at its end; LB_ERROR_USAGE for a wrong tolerance; LB_ERROR_OUTPUT. */
gboolean lb_archive_write (const char *directory, const char *path, const LbArchiveSettings *settings, GError **error);

G_END_DECLS
