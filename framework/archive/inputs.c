/* Finding inputs. */
#include "archive/inputs.h"

#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "pipeline/digest.h"

/* Folders within folders that are looked into. */
#define MOST_DEPTH 16

typedef struct {
  const LbManifestInput *input;
  const char *name; /* of a folder; files are known by size and digest */
  const char *cache;
} Wanted;

static gboolean
is_it (const Wanted *wanted, const char *path)
{
  struct stat status;
  const LbManifestInput *input = wanted->input;
  if (stat (path, &status) != 0)
    return FALSE;
  if (input->is_folder ? !S_ISDIR (status.st_mode)
                       : !S_ISREG (status.st_mode) || (guint64)status.st_size != input->bytes)
    return FALSE;
  g_autofree char *digest = lb_digest_of_path (path, wanted->cache);
  return strcmp (digest, input->digest) == 0;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

/* Names in @folder in order, so that of two equal files the same is always taken. */
static GPtrArray *
list (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

/* The path below @folder, or of @folder itself, that is wanted; NULL when there is none. Links to folders are not
 * followed: they may lead in a circle. */
static char *
search (const Wanted *wanted, const char *folder, guint depth)
{
  g_autoptr (GPtrArray) names = list (folder);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename (folder, names->pdata[i], NULL);
    gboolean is_folder = g_file_test (path, G_FILE_TEST_IS_DIR);
    if ((!is_folder || strcmp (names->pdata[i], wanted->name) == 0) && is_it (wanted, path))
      return g_steal_pointer (&path);
    char *inner = is_folder && depth < MOST_DEPTH && !g_file_test (path, G_FILE_TEST_IS_SYMLINK)
                      ? search (wanted, path, depth + 1)
                      : NULL;
    if (inner != NULL)
      return inner;
  }
  return NULL;
}

static char *
find (const LbManifestInput *input, const LbInputPlaces *places)
{
  g_autofree char *name = g_path_get_basename (input->path);
  Wanted wanted = { input, name, places->cache };
  g_autofree char *carried = places->unpacked != NULL ? g_build_filename (places->unpacked, input->path, NULL) : NULL;
  /* What was just unpacked is not worth remembering. */
  Wanted fresh = { input, name, NULL };
  if (carried != NULL && is_it (&fresh, carried))
    return g_steal_pointer (&carried);
  for (guint i = 0; places->folders != NULL && places->folders[i] != NULL; i++) {
    const char *folder = places->folders[i];
    char *path = input->is_folder && is_it (&wanted, folder) ? g_strdup (folder) : search (&wanted, folder, 0);
    if (path != NULL)
      return path;
  }
  /* The archive may have been made by anybody: a folder is not read through on its word. */
  if (!input->is_folder && input->found != NULL && is_it (&wanted, input->found))
    return g_strdup (input->found);
  return NULL;
}

static gboolean
is_given (const LbInputPlaces *places, const char *stage, const char *property)
{
  g_autofree char *prefix = g_strdup_printf ("%s.%s=", stage, property);
  for (guint i = 0; places->given != NULL && places->given[i] != NULL; i++)
    if (g_str_has_prefix (places->given[i], prefix))
      return TRUE;
  return FALSE;
}

/* Whether a stage reads it that has not been given another. */
static gboolean
is_needed (const LbManifest *manifest, const LbInputPlaces *places, const LbManifestInput *input)
{
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    for (guint k = 0; k < stage->files->len; k++) {
      const LbFact *file = stage->files->pdata[k];
      if (strcmp (file->value, input->path) == 0 && !is_given (places, stage->name, file->name))
        return TRUE;
    }
  }
  return FALSE;
}

static void
tell_missing (GString *missing, const LbManifestInput *input)
{
  g_autofree char *name = g_path_get_basename (input->path);
  g_string_append_printf (missing, "%s%s '%s' with the SHA-256 %s", missing->len > 0 ? ", " : "",
                          input->is_folder ? "the folder" : "the file", name, input->digest);
}

char **
lb_inputs_find (const LbManifest *manifest, const LbInputPlaces *places, GError **error)
{
  g_autoptr (GHashTable) paths = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  g_autoptr (GString) missing = g_string_new (NULL);
  for (guint i = 0; i < manifest->inputs->len; i++) {
    const LbManifestInput *input = manifest->inputs->pdata[i];
    if (!is_needed (manifest, places, input))
      continue;
    char *path = find (input, places);
    if (path != NULL)
      g_hash_table_insert (paths, input->path, path);
    else
      tell_missing (missing, input);
  }
  if (missing->len > 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "not found: %s; name a folder that has them with --data, whatever they are called there",
                 missing->str);
    return NULL;
  }
  GPtrArray *settings = g_ptr_array_new ();
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    for (guint k = 0; k < stage->files->len; k++) {
      const LbFact *file = stage->files->pdata[k];
      if (is_given (places, stage->name, file->name))
        continue;
      g_autofree char *path = g_canonicalize_filename (g_hash_table_lookup (paths, file->value), NULL);
      g_ptr_array_add (settings, g_strdup_printf ("%s.%s=%s", stage->name, file->name, path));
    }
  }
  g_ptr_array_add (settings, NULL);
  return (char **)g_ptr_array_free (settings, FALSE);
}
