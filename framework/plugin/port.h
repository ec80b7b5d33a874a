/* Ports of a stage type: their `dims` text, parsed. Private to plugin/.
 *
 *   dims  = [ term { " " term } ]
 *   term  = SYMBOL              the schema's symbol has the value of the stage's symbol of the same name
 *         | SYMBOL "=" SYMBOL   ... of the stage's symbol behind the sign
 *         | SYMBOL "=" NUMBER   ... this value
 */
#pragma once

#include "plugin/stage.h"
#include "stream/schema.h"

G_BEGIN_DECLS

typedef struct {
  char *symbol; /* of the schema */
  char *name;   /* of the stage; NULL when the value is fixed */
  gint64 value; /* when fixed */
} LbDimTerm;

/* LbDimTerm of @port, whose schema is @schema, in the order written; the array frees its elements. LB_ERROR_PLUGIN when
 * the text is not of the grammar, names a symbol that the schema does not have, or one twice. */
GArray *lb_port_parse_dims (const LbPort *port, const LbSchema *schema, GError **error);

/* Rows of a port table; 0 for NULL. */
guint lb_ports_count (const LbPort *ports);

/* The row named @name, or NULL. */
const LbPort *lb_ports_find (const LbPort *ports, const char *name);

G_END_DECLS
