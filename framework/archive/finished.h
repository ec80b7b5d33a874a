/* A finished run, as its directory tells of it. Private to archive/. */
#pragma once

#include "archive/manifest.h"

G_BEGIN_DECLS

typedef struct {
  LbManifest *manifest;
  JsonNode *root;           /* of run/provenance.json */
  JsonObject *object;       /* its manifest, borrowed; may be changed */
  JsonObject *texts, *keys; /* and the others of its members, borrowed */
} LbFinished;

/* LB_ERROR_INPUT when there is no finished run in @directory. */
LbFinished *lb_finished_read (const char *directory, GError **error);
void lb_finished_free (LbFinished *finished);

/* The key that a store has the packets of @stage under; NULL when the run had none. */
const char *lb_finished_key (const LbFinished *finished, const char *stage);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbFinished, lb_finished_free)

G_END_DECLS
