/* The store as a whole: what is kept, how large it is, when it was used, and its removal. */
#include "pipeline/store.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "pipeline/recipe.h"

static void
item_free (gpointer data)
{
  LbStoreItem *item = data;
  g_free (item->key);
  g_free (item->stage);
  g_free (item->type);
  g_free (item);
}

/* Adds up what is below @path; *latest is raised to the time of the last change in it. Files may vanish meanwhile. */
static guint64
measure (const char *path, gint64 *latest)
{
  struct stat status;
  if (lstat (path, &status) != 0)
    return 0;
  if (!S_ISDIR (status.st_mode)) {
    *latest = MAX (*latest, status.st_mtim.tv_sec);
    return (guint64)status.st_size;
  }
  guint64 bytes = 0;
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *below = g_build_filename (path, name, NULL);
    bytes += measure (below, latest);
  }
  return bytes;
}

static char *
label_or_unknown (const char *recipe, const char *label)
{
  char *value = recipe != NULL ? lb_recipe_get (recipe, label) : NULL;
  return value != NULL ? value : g_strdup ("?");
}

static void
add_items (GPtrArray *items, LbStore *store, gboolean finished)
{
  g_autofree char *folder = g_build_filename (lb_store_path (store), finished ? "results" : "work", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *directory = g_build_filename (folder, name, NULL);
    g_autofree char *recipe = lb_store_recipe (directory);
    LbStoreItem *item = g_new0 (LbStoreItem, 1);
    item->key = g_strdup (name);
    item->stage = label_or_unknown (recipe, "stage");
    item->type = label_or_unknown (recipe, "type");
    item->finished = finished;
    item->bytes = measure (directory, &item->used);
    g_ptr_array_add (items, item);
  }
}

static int
compare_items (gconstpointer a, gconstpointer b)
{
  const LbStoreItem *first = *(const LbStoreItem *const *)a, *second = *(const LbStoreItem *const *)b;
  if (first->used != second->used)
    return first->used < second->used ? 1 : -1;
  return strcmp (first->key, second->key);
}

GPtrArray *
lb_store_items (LbStore *store)
{
  GPtrArray *items = g_ptr_array_new_with_free_func (item_free);
  add_items (items, store, TRUE);
  add_items (items, store, FALSE);
  g_ptr_array_sort (items, compare_items);
  return items;
}

guint64
lb_store_aside_bytes (LbStore *store, gboolean remove)
{
  g_autofree char *folder = g_build_filename (lb_store_path (store), "aside", NULL);
  gint64 latest = 0;
  guint64 bytes = measure (folder, &latest);
  g_autoptr (GDir) dir = remove ? g_dir_open (folder, 0, NULL) : NULL;
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    lb_store_remove_tree (path);
  }
  return bytes;
}

gboolean
lb_store_remove (LbStore *store, const LbStoreItem *item)
{
  g_autofree char *path
      = item->finished ? lb_store_result_path (store, item->key) : lb_store_work_path (store, item->key);
  g_autofree char *lock_path = g_build_filename (lb_store_path (store), "locks", item->key, NULL);
  g_autoptr (LbStoreLock) lock = NULL;
  if (!lb_store_try_lock (store, item->key, FALSE, &lock, NULL) || lock == NULL)
    return FALSE;
  /* Out of the way with one rename: nobody meets half of it. */
  g_autofree char *aside = lb_store_set_aside (store, path);
  if (aside != NULL)
    lb_store_remove_tree (aside);
  g_unlink (lock_path);
  return TRUE;
}
