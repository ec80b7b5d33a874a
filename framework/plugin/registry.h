/* The registry: finds plugins on the search path, loads them, and knows their stage types and the schemas.
 *
 * A plugin that cannot be loaded never stops the others; it is kept as a problem, one sentence with path, both
 * interface versions where that is the trouble, and the remedy.
 */
#pragma once

#include "plugin/stage.h"
#include "stream/schema.h"

G_BEGIN_DECLS

typedef struct {
  const LbStageType *type;
  const LbPlugin *plugin;
  char *path; /* shared object it came from; "built-in" for one that is linked in */
} LbStageEntry;

/* The flags of its type; none for a plugin that was built before there were flags. */
LbStageFlags lb_stage_entry_flags (const LbStageEntry *entry);

/* The digest of the sources that a plugin was built from; NULL when it does not tell, as those of interface 1.1. */
const char *lb_plugin_source (const LbPlugin *plugin);

typedef struct _LbRegistry LbRegistry;

/* Loads the schemas and plugins of the standard places: the build tree that this library lies in (`plugins` and
 * `schemas` beside its folder) or else the prefix that it is installed under, wherever that was moved to,
 * ~/.local/lib/limbeck and ~/.local/share/limbeck/schemas, and the directories in LIMBECK_PLUGIN_PATH and
 * LIMBECK_SCHEMA_PATH, separated by colons. */
LbRegistry *lb_registry_new_default (void);

/* Empty, for tests. */
LbRegistry *lb_registry_new (void);
void lb_registry_free (LbRegistry *registry);

LbSchemas *lb_registry_schemas (LbRegistry *registry);

/* Loads every shared object in @directory and its subdirectories, in name order. A directory that is not there is
 * skipped. */
void lb_registry_scan (LbRegistry *registry, const char *directory);

/* Loads one shared object: local binding, resident; one that was loaded before is left as it is. LB_ERROR_PLUGIN. */
gboolean lb_registry_load (LbRegistry *registry, const char *path, GError **error);

/* Adds a stage type that is linked in, for tests. */
gboolean lb_registry_add_type (LbRegistry *registry, const LbStageType *type, GError **error);

const LbStageEntry *lb_registry_find (LbRegistry *registry, const char *name);
/* NULL-terminated, sorted; free the array with g_free(). */
const char **lb_registry_names (LbRegistry *registry);

/* Sentences about what could not be loaded, in order. The registry's. */
GPtrArray *lb_registry_problems (LbRegistry *registry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbRegistry, lb_registry_free)

G_END_DECLS
