/* The registry: where plugins and schemas are looked for, and what was found.
 *
 * Invariants: a plugin is taken in whole or not at all; its object stays mapped for the life of the process, so tables
 * and functions may be pointed to from everywhere; a file or directory that is reached by several ways is read once.
 */
#include "plugin/registry.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "plugin/loader.h"
#include "plugin/places.h"
#include "plugin/table.h"

struct _LbRegistry {
  LbSchemas *schemas;
  GHashTable *entries; /* char* (the type's) -> LbStageEntry* */
  GHashTable *seen;    /* real paths of plugins and directories read so far */
  GPtrArray *problems; /* char* */
};

/* Stands for types that are linked in. */
static const LbPlugin linked_in = { LB_PLUGIN_MAGIC,
                                    LB_INTERFACE_MAJOR,
                                    LB_INTERFACE_MINOR,
                                    sizeof (LbPlugin),
                                    "built-in",
                                    LB_VERSION,
                                    "LGPL-2.1-or-later",
                                    NULL,
                                    NULL };

static void
entry_free (gpointer data)
{
  LbStageEntry *entry = data;

  g_free (entry->path);
  g_free (entry);
}

const char *
lb_plugin_source (const LbPlugin *plugin)
{
  return plugin->interface_minor < 2 ? NULL : plugin->source;
}

LbRegistry *
lb_registry_new (void)
{
  LbRegistry *registry = g_new0 (LbRegistry, 1);

  registry->schemas = lb_schemas_new ();
  registry->entries = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, entry_free);
  registry->seen = g_hash_table_new_full (g_str_hash, g_str_equal, free, NULL);
  registry->problems = g_ptr_array_new_with_free_func (g_free);
  return registry;
}

void
lb_registry_free (LbRegistry *registry)
{
  if (registry == NULL)
    return;
  lb_schemas_free (registry->schemas);
  g_hash_table_unref (registry->entries);
  g_hash_table_unref (registry->seen);
  g_ptr_array_unref (registry->problems);
  g_free (registry);
}

LbSchemas *
lb_registry_schemas (LbRegistry *registry)
{
  return registry->schemas;
}

GPtrArray *
lb_registry_problems (LbRegistry *registry)
{
  return registry->problems;
}

static void
add_problem (LbRegistry *registry, GError *error)
{
  g_ptr_array_add (registry->problems, g_strdup (error->message));
  g_error_free (error);
}

static gboolean
was_seen (LbRegistry *registry, const char *path)
{
  g_autofree char *real = realpath (path, NULL);

  return real != NULL && g_hash_table_contains (registry->seen, real);
}

/* TRUE when @path exists and is met for the first time. */
static gboolean
first_seen (LbRegistry *registry, const char *path)
{
  char *real = realpath (path, NULL);

  return real != NULL && g_hash_table_add (registry->seen, real);
}

/* ---- Plugins ---- */

static gboolean
check_new (LbRegistry *registry, const LbStageType *type, const char *path, GError **error)
{
  const LbStageEntry *known = lb_registry_find (registry, type->name);

  if (known == NULL)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
               "stage type '%s' of '%s' is known already from '%s'; keep one of the two on the plugin path", type->name,
               path, known->path);
  return FALSE;
}

static void
add_entry (LbRegistry *registry, const LbStageType *type, const LbPlugin *plugin, const char *path)
{
  LbStageEntry *entry = g_new0 (LbStageEntry, 1);

  *entry = (LbStageEntry){ type, plugin, g_strdup (path) };
  g_hash_table_insert (registry->entries, (gpointer)type->name, entry);
}

/* Types of plugins that were built for interface 1.0 end before their flags. */
static LbStageFlags
flags_of (const LbStageType *type, const LbPlugin *plugin)
{
  return plugin->interface_minor >= 1 ? type->flags : 0;
}

LbStageFlags
lb_stage_entry_flags (const LbStageEntry *entry)
{
  return flags_of (entry->type, entry->plugin);
}

static gboolean
check_stages (LbRegistry *registry, const LbPlugin *plugin, const char *path, GError **error)
{
  for (guint i = 0; plugin->stages != NULL && plugin->stages[i] != NULL; i++) {
    const LbStageType *type = plugin->stages[i];
    if (!lb_stage_type_check (type, flags_of (type, plugin), registry->schemas, error)) {
      g_prefix_error (error, "plugin '%s': ", path);
      return FALSE;
    }
    if (!check_new (registry, type, path, error))
      return FALSE;
    for (guint j = 0; j < i; j++)
      if (strcmp (plugin->stages[j]->name, type->name) == 0) {
        g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
                     "plugin '%s': stage type '%s' is in its descriptor twice; correct the plugin", path, type->name);
        return FALSE;
      }
  }
  return TRUE;
}

/* Checks all that @plugin brings, then takes it in. */
static gboolean
add_plugin (LbRegistry *registry, const LbPlugin *plugin, const char *path, GError **error)
{
  LbPluginLoad load = lb_plugin_load_function (plugin);

  if (!check_stages (registry, plugin, path, error))
    return FALSE;
  /* Last of what can fail: it may hand out pointers into the plugin, which is resident from here on. */
  if (load != NULL && !load (path, error)) {
    g_prefix_error (error, "plugin '%s': ", path);
    return FALSE;
  }
  for (guint i = 0; plugin->stages != NULL && plugin->stages[i] != NULL; i++)
    add_entry (registry, plugin->stages[i], plugin, path);
  return TRUE;
}

gboolean
lb_registry_load (LbRegistry *registry, const char *path, GError **error)
{
  GModule *module = NULL;

  if (was_seen (registry, path))
    return TRUE;
  const LbPlugin *plugin = lb_plugin_open (path, &module, error);
  if (plugin == NULL)
    return FALSE;
  if (!add_plugin (registry, plugin, path, error)) {
    g_module_close (module);
    return FALSE;
  }
  g_module_make_resident (module);
  first_seen (registry, path);
  return TRUE;
}

gboolean
lb_registry_add_type (LbRegistry *registry, const LbStageType *type, GError **error)
{
  if (!lb_stage_type_check (type, type->flags, registry->schemas, error)
      || !check_new (registry, type, linked_in.name, error))
    return FALSE;
  add_entry (registry, type, &linked_in, linked_in.name);
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* Names in @directory in byte order; NULL, with a problem, when it cannot be read. */
static GPtrArray *
list_names (LbRegistry *registry, const char *directory)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GDir) dir = g_dir_open (directory, 0, &reason);
  const char *name;

  if (dir == NULL) {
    g_ptr_array_add (registry->problems,
                     g_strdup_printf ("plugins in '%s' cannot be looked for: %s; correct its permissions", directory,
                                      reason->message));
    return NULL;
  }
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

void
lb_registry_scan (LbRegistry *registry, const char *directory)
{
  /* A directory that links to one above it has been seen, which ends the descent. */
  if (!g_file_test (directory, G_FILE_TEST_IS_DIR) || !first_seen (registry, directory))
    return;
  g_autoptr (GPtrArray) names = list_names (registry, directory);
  if (names == NULL)
    return;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    g_autofree char *path = g_build_filename (directory, name, NULL);
    GError *error = NULL;
    if (g_file_test (path, G_FILE_TEST_IS_DIR))
      lb_registry_scan (registry, path);
    else if (g_str_has_suffix (name, ".so") && !lb_registry_load (registry, path, &error))
      add_problem (registry, error);
  }
}

/* ---- Standard places ---- */

/* Where to look, in order. */
typedef struct {
  GPtrArray *schemas, *plugins; /* char* */
} LbPlaces;

static void
add_path_variable (LbRegistry *registry, const char *variable, GPtrArray *places)
{
  g_auto (GStrv) parts = g_strsplit (g_getenv (variable) != NULL ? g_getenv (variable) : "", ":", -1);

  for (guint i = 0; parts[i] != NULL; i++) {
    if (*parts[i] == '\0')
      continue;
    if (g_file_test (parts[i], G_FILE_TEST_IS_DIR))
      g_ptr_array_add (places, g_strdup (parts[i]));
    else
      g_ptr_array_add (
          registry->problems,
          g_strdup_printf ("%s names '%s', which is not a directory; correct the variable", variable, parts[i]));
  }
}

/* Where this library lies, however it came into the process; NULL when the system does not tell. */
static char *
own_directory (void)
{
  Dl_info info;
  char *real = NULL;

  if (dladdr ((gpointer)lb_registry_new_default, &info) != 0 && info.dli_fname != NULL)
    real = realpath (info.dli_fname, NULL);
  g_autofree char *path = real != NULL ? g_strdup (real) : NULL;
  free (real);
  return path != NULL ? g_path_get_dirname (path) : NULL;
}

/* The directory that LB_LIBDIR is relative to, when @library is that one: "/opt/x" of "/opt/x/lib". */
static char *
prefix_of (const char *library)
{
  g_auto (GStrv) parts = g_strsplit (LB_LIBDIR, "/", -1);
  char *prefix = g_strdup (library);

  if (g_path_is_absolute (LB_LIBDIR)) {
    g_free (prefix);
    return g_strdup (LB_PREFIX);
  }
  for (guint i = 0; parts[i] != NULL; i++) {
    char *parent = g_path_get_dirname (prefix);
    g_free (prefix);
    prefix = parent;
  }
  return prefix;
}

/* The build tree that this library lies in, or else the prefix that it is installed under. */
static void
add_own_places (LbPlaces *places)
{
  g_autofree char *library = own_directory ();

  if (library == NULL)
    return;
  g_autofree char *tree = g_path_get_dirname (library);
  g_autofree char *schemas = g_build_filename (tree, "schemas", NULL);
  g_autofree char *plugins = g_build_filename (tree, "plugins", NULL);
  if (g_file_test (schemas, G_FILE_TEST_IS_DIR) && g_file_test (plugins, G_FILE_TEST_IS_DIR)) {
    g_ptr_array_add (places->schemas, g_steal_pointer (&schemas));
    g_ptr_array_add (places->plugins, g_steal_pointer (&plugins));
    return;
  }

  g_autofree char *prefix = prefix_of (library);
  g_autofree char *data = g_canonicalize_filename (LB_DATADIR, prefix);
  g_ptr_array_add (places->schemas, g_build_filename (data, "limbeck", "schemas", NULL));
  g_ptr_array_add (places->plugins, g_build_filename (library, "limbeck", NULL));
  g_ptr_array_add (places->plugins, g_build_filename (prefix, "lib", "limbeck", NULL));
}

static void
load_schemas (LbRegistry *registry, GPtrArray *places)
{
  g_autofree const char **names = NULL;

  for (guint i = 0; i < places->len; i++) {
    const char *directory = g_ptr_array_index (places, i);
    GError *error = NULL;
    if (g_file_test (directory, G_FILE_TEST_IS_DIR) && first_seen (registry, directory)
        && !lb_schemas_load (registry->schemas, directory, &error))
      add_problem (registry, error);
  }
  names = lb_schemas_names (registry->schemas);
  if (names[0] == NULL) {
    g_ptr_array_add (places, NULL);
    g_autofree char *looked = g_strjoinv (", ", (char **)places->pdata);
    g_ptr_array_add (
        registry->problems,
        g_strdup_printf ("no stream schemas were found in %s; set LIMBECK_SCHEMA_PATH to the directory that "
                         "samples.yaml is in",
                         looked));
  }
}

LbRegistry *
lb_registry_new_default (void)
{
  LbRegistry *registry = lb_registry_new ();
  g_autoptr (GPtrArray) schemas = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) plugins = g_ptr_array_new_with_free_func (g_free);
  LbPlaces places = { schemas, plugins };

  add_own_places (&places);
  g_ptr_array_add (schemas, g_build_filename (g_get_home_dir (), ".local", "share", "limbeck", "schemas", NULL));
  g_ptr_array_add (plugins, g_build_filename (g_get_home_dir (), ".local", "lib", "limbeck", NULL));
  add_path_variable (registry, "LIMBECK_SCHEMA_PATH", schemas);
  add_path_variable (registry, "LIMBECK_PLUGIN_PATH", plugins);

  load_schemas (registry, schemas);
  for (guint i = 0; i < plugins->len; i++)
    lb_registry_scan (registry, g_ptr_array_index (plugins, i));
  return registry;
}

/* ---- Looking up ---- */

const LbStageEntry *
lb_registry_find (LbRegistry *registry, const char *name)
{
  return g_hash_table_lookup (registry->entries, name);
}

const char **
lb_registry_names (LbRegistry *registry)
{
  guint n;
  const char **names = (const char **)g_hash_table_get_keys_as_array (registry->entries, &n);

  qsort (names, n, sizeof *names, compare_names);
  return names;
}
