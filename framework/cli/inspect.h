/* What `limbeck inspect` tells of stage types, stream schemas and architectures, in its formats. Private to cli/.
 *
 * A stage type has an example when a file STAGE.yaml lies beside the shared object that it came from: a whole pipeline
 * that runs as it is.
 */
#pragma once

#include "nn/architecture.h"
#include "plugin/registry.h"

G_BEGIN_DECLS

/* What has the name that was asked for; at least one of them is not NULL. */
typedef struct {
  const LbStageEntry *entry;
  const LbSchema *schema;
  const LbArchitecture *architecture;
} LbInspected;

/* The default of @property as a pipeline file would hold it; free with g_free(). */
char *lb_inspect_default (const LbStageType *type, const LbProperty *property);

/* "whole number from 1 to 32, in windows"; free with g_free(). */
char *lb_inspect_type (const LbProperty *property);

/* Of an input "must be linked", "optional, takes a list of streams"; of an output "", "made only when it is read". Free
 * with g_free(). */
char *lb_inspect_port_rule (const LbPort *port, gboolean is_input);

/* Path and text of the stage's example, in which lines end with \n; FALSE when there is none. Free both. */
gboolean lb_inspect_example (const LbStageEntry *entry, char **path, char **text);

/* Predicted floating-point operations of the stage in the example at @path; negative when it cannot be told. */
double lb_inspect_cost (LbRegistry *registry, const LbStageEntry *entry, const char *path);

/* The first sentence of @text; free with g_free(). NULL for NULL. */
char *lb_inspect_sentence (const char *text);

/* For people on a terminal: printed. */
void lb_inspect_print_all (LbRegistry *registry);
void lb_inspect_print (LbRegistry *registry, const LbInspected *found);

/* For programs. Free with g_free(). */
char *lb_inspect_all_to_json (LbRegistry *registry);
char *lb_inspect_to_json (LbRegistry *registry, const LbInspected *found);

/* Pages: of all there are, with links to stages/NAME.md, streams/NAME.md and architectures/NAME.md, and of each. Free
 * with g_free(). */
char *lb_inspect_all_to_markdown (LbRegistry *registry);
char *lb_inspect_to_markdown (LbRegistry *registry, const LbInspected *found);

G_END_DECLS
