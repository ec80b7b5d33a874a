/* Finding the input files of an archive: those that it carries, or files and folders elsewhere with the same digest. */
#pragma once

#include "archive/manifest.h"

G_BEGIN_DECLS

/* Where inputs are looked for, in this order. */
typedef struct {
  const char *unpacked;       /* the folder that the archive was unpacked to; NULL: it was not */
  const char *const *folders; /* of --data, NULL-terminated, with all below them; or NULL */
  const char *cache;          /* as in pipeline/digest.h */
  const char *const *given;   /* "STAGE.PROPERTY=..." that are set already, NULL-terminated, or NULL: not looked for */
} LbInputPlaces;

/* What tells a pipeline (--set) where its inputs are: "STAGE.PROPERTY=PATH" for each, NULL-terminated. A file is taken
 * only when its digest is right, so it does not matter what it is called. Last of all it is looked for under the path
 * that it had in the run. LB_ERROR_INPUT names all that were not found. Free with g_strfreev(). */
char **lb_inputs_find (const LbManifest *manifest, const LbInputPlaces *places, GError **error);

G_END_DECLS
