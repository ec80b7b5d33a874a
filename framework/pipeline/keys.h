/* The keys of a pipeline file, declared once: the reader knows no others, and the JSON Schema and the manual page list
 * them with what is said here. Private to the framework.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const char *name;
  const char *doc;    /* one line */
  const char *schema; /* JSON Schema of the value; NULL: made elsewhere, as plugins decide about it */
} LbPipelineKey;

/* Each ends with a row without a name. */
extern const LbPipelineKey lb_pipeline_keys[]; /* of the file */
extern const LbPipelineKey lb_stage_keys[];    /* of each stage */

/* NULL when @word is the name of a row of @keys; otherwise the end of a sentence about it, freed with g_free(). */
char *lb_keys_suggest (const LbPipelineKey *keys, const char *word);

G_END_DECLS
