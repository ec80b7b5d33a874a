/* Verifying an archive, at one of four levels, each of which asks for all of those before it. */
#pragma once

#include <gio/gio.h>

#include "archive/compare.h"
#include "archive/reader.h"
#include "pipeline/progress.h"

G_BEGIN_DECLS

typedef enum {
  LB_VERIFY_INTACT, /* every byte is what was written, and the parts agree */
  LB_VERIFY_LOADS,  /* plugins are found, inputs are found and have the same digests, the pipeline negotiates */
  LB_VERIFY_CLOSE,  /* run again, metrics and tensors are within the tolerances of the manifest */
  LB_VERIFY_EXACT   /* run again, everything that came out has the same bits */
} LbVerifyLevel;

typedef struct {
  LbVerifyLevel level;
  const char *const *folders; /* to look for inputs in, NULL-terminated, or NULL */
  guint threads;              /* of the run; 0: one for each processor */
  const char *arithmetic;     /* as in pipeline/run.h */
  LbProgress *progress;       /* borrowed; NULL: none */
  GCancellable *cancellable;  /* borrowed; NULL: none */
} LbVerifySettings;

typedef struct {
  guint n_members;
  LbComparison *comparison; /* of the archive with the run; NULL below LB_VERIFY_CLOSE */
  GPtrArray *circumstances; /* char*: what else differs, from the archive to here; NULL below LB_VERIFY_CLOSE */
} LbVerdict;

/* Verifies @path in a new folder among the system's temporary ones (TMPDIR), which is removed at the end; a run neither
 * reads nor fills any store. The result tells by its comparison whether the run has parted. LB_ERROR_INPUT when the
 * archive is not intact or inputs are missing; LB_ERROR_PIPELINE or LB_ERROR_PLUGIN when it does not load, with a line
 * for each mistake; and whatever a run may fail of. */
LbVerdict *lb_archive_verify (const char *path, const LbVerifySettings *settings, GError **error);
void lb_verdict_free (LbVerdict *verdict);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbVerdict, lb_verdict_free)

G_END_DECLS
