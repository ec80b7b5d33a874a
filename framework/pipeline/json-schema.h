/* The JSON Schema of pipeline files, made from the tables of all plugins and schemas that a registry knows, so that an
 * editor with a YAML language server completes and checks what `limbeck check` would accept. Draft 07.
 */
#pragma once

#include "plugin/registry.h"

G_BEGIN_DECLS

/* The schema as JSON text, the same for the same plugins. Free with g_free(). */
char *lb_json_schema (LbRegistry *registry);

G_END_DECLS
