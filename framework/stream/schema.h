/* Stream schemas: the types of streams. A schema is a file schemas/NAME.yaml:
 *
 *   schema: samples
 *   version: 1
 *   doc: Images with one hard label each.
 *   dims:
 *     n: images
 *     classes: classes that labels may name
 *   fields:
 *     images: u8|f32[n, c, h, w]      # dtypes | dtypes [symbols or numbers]
 *     labels: i32[n]
 *     architecture: text              # UTF-8, carried as u8 [length]
 *     loss: {type: "f64[1]", doc: mean cross-entropy}
 *     history: {type: "f64[n]", optional: true}
 *
 * `extends: NAME` takes over the dims and fields of another schema; a stream of the extended type may be linked
 * wherever the base is asked for. Every symbol that a field uses is listed under `dims`, with its meaning; a symbol
 * that no field uses (classes above) is carried by the type alone.
 */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

typedef struct {
  char *name;
  char *doc;    /* or NULL */
  guint dtypes; /* bit (1 << LbDType) for each allowed one */
  gboolean is_text;
  gboolean is_optional; /* packets may lack it */
  guint rank;
  char *dims[LB_MAX_RANK]; /* a symbol of the schema, or a decimal number */
} LbField;

typedef struct {
  char *name;
  char *doc;
} LbSymbol;

typedef struct _LbSchema LbSchema;
struct _LbSchema {
  char *name;
  guint version;
  char *doc;
  char *path;           /* file it was read from */
  const LbSchema *base; /* extended schema or NULL */
  GPtrArray *symbols;   /* LbSymbol*, those of the base first */
  GPtrArray *fields;    /* LbField*, those of the base first */
};

/* All schemas known to a process, by name. */
typedef struct _LbSchemas LbSchemas;

LbSchemas *lb_schemas_new (void);
void lb_schemas_free (LbSchemas *schemas);

/* Reads every *.yaml of @directory (in name order) that is a schema. Mistakes: LB_ERROR_PLUGIN with path:line:col. */
gboolean lb_schemas_load (LbSchemas *schemas, const char *directory, GError **error);

const LbSchema *lb_schemas_find (LbSchemas *schemas, const char *name);
/* NULL-terminated, sorted; free the array with g_free(). */
const char **lb_schemas_names (LbSchemas *schemas);

const LbField *lb_schema_field (const LbSchema *schema, const char *name);
gboolean lb_schema_has_symbol (const LbSchema *schema, const char *symbol);
/* Whether a stream of @schema may be linked where @wanted is asked for. */
gboolean lb_schema_is_a (const LbSchema *schema, const LbSchema *wanted);

/* Whether @text is a name as schemas and plugins have them: small letters, digits and @joiner ('-' for schemas, stages,
 * ports and properties, '_' for fields and dimension symbols), starting with a letter. */
gboolean lb_is_name (const char *text, char joiner);

/* "u8|f32[n, c, h, w]", with ", optional" behind it; free with g_free(). */
char *lb_field_to_string (const LbField *field);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbSchemas, lb_schemas_free)

G_END_DECLS
