/* The store's directory: opening, locks, and results as wholes. */
#include "pipeline/store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/file.h"

#define MARK_NAME "limbeck-store"
#define MARK      "Results of pipelines that 'limbeck run' keeps; 'limbeck store' looks after it.\n"

/* An index is a few lines a packet. */
#define MAX_INDEX ((gsize)1 << 30)

struct _LbStore {
  char *path;
};

struct _LbStoreLock {
  int descriptor;
};

/* ---- Opening ---- */

char *
lb_store_default_path (void)
{
  return g_build_filename (g_get_user_cache_dir (), "limbeck", NULL);
}

/* Whether @path holds nothing, or only the mark that another run is writing. */
static gboolean
is_free (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name = dir != NULL ? g_dir_read_name (dir) : NULL;
  while (name != NULL && g_str_has_prefix (name, ".limbeck-"))
    name = g_dir_read_name (dir);
  return name == NULL;
}

gboolean
lb_store_may_be_made (const char *path)
{
  return g_file_test (path, G_FILE_TEST_IS_DIR) ? is_free (path) : !g_file_test (path, G_FILE_TEST_EXISTS);
}

static gboolean
make_directories (const char *path, GError **error)
{
  static const char *const names[] = { "results", "work", "locks", "aside", "digests" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *directory = g_build_filename (path, names[i], NULL);
    if (g_mkdir_with_parents (directory, 0777) != 0)
      return lb_output_error (directory, errno, error);
  }
  return TRUE;
}

static gboolean
prepare (const char *path, GError **error)
{
  g_autofree char *mark = g_build_filename (path, MARK_NAME, NULL);
  if (!g_file_test (mark, G_FILE_TEST_EXISTS)) {
    /* Another run may make the same store at this moment; its mark comes before all else. */
    if (!is_free (path) && !g_file_test (mark, G_FILE_TEST_EXISTS)) {
      g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
                   "%s: holds something else than a store; name an empty or a new directory", path);
      return FALSE;
    }
    if (!lb_file_write (mark, MARK, strlen (MARK), error))
      return FALSE;
  }
  return make_directories (path, error);
}

static LbStore *
store_new (const char *path)
{
  LbStore *store = g_new0 (LbStore, 1);
  store->path = g_canonicalize_filename (path, NULL);
  return store;
}

LbStore *
lb_store_find (const char *path, GError **error)
{
  g_autofree char *mark = g_build_filename (path, MARK_NAME, NULL);
  if (g_file_test (mark, G_FILE_TEST_EXISTS))
    return store_new (path);
  lb_input_error (path, error, "is no store of results, which 'limbeck run' makes; check the path");
  return NULL;
}

LbStore *
lb_store_open (const char *path, GError **error)
{
  if (!prepare (path, error)) {
    g_prefix_error (error, "the store of results cannot be used (--store places it, --no-store goes without): ");
    return NULL;
  }
  return store_new (path);
}

void
lb_store_free (LbStore *store)
{
  if (store == NULL)
    return;
  g_free (store->path);
  g_free (store);
}

const char *
lb_store_path (const LbStore *store)
{
  return store->path;
}

/* ---- Paths ---- */

char *
lb_store_result_path (const LbStore *store, const char *key)
{
  return g_build_filename (store->path, "results", key, NULL);
}

char *
lb_store_work_path (const LbStore *store, const char *key)
{
  return g_build_filename (store->path, "work", key, NULL);
}

char *
lb_store_digests_path (const LbStore *store)
{
  return g_build_filename (store->path, "digests", NULL);
}

char *
lb_store_output_path (const char *directory, guint output)
{
  g_autofree char *name = g_strdup_printf ("output-%u.packets", output + 1);
  return g_build_filename (directory, name, NULL);
}

char *
lb_store_file_path (const char *directory, const char *name)
{
  return g_build_filename (directory, "files", name, NULL);
}

/* ---- Locks ---- */

/* Whether @path still names the file that is open as @descriptor: a lock on a file that was removed locks nobody out.
 */
static gboolean
is_current (int descriptor, const char *path)
{
  struct stat open_file, named;
  return fstat (descriptor, &open_file) == 0 && stat (path, &named) == 0 && open_file.st_ino == named.st_ino
         && open_file.st_dev == named.st_dev;
}

gboolean
lb_store_try_lock (LbStore *store, const char *key, gboolean shared, LbStoreLock **lock, GError **error)
{
  g_autofree char *path = g_build_filename (store->path, "locks", key, NULL);
  *lock = NULL;
  for (;;) {
    int descriptor = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0)
      return lb_output_error (path, errno, error);
    if (flock (descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
      int number = errno;
      close (descriptor);
      return number == EWOULDBLOCK || number == EINTR || lb_output_error (path, number, error);
    }
    if (is_current (descriptor, path)) {
      *lock = g_new0 (LbStoreLock, 1);
      (*lock)->descriptor = descriptor;
      return TRUE;
    }
    close (descriptor);
  }
}

void
lb_store_unlock (LbStoreLock *lock)
{
  if (lock == NULL)
    return;
  close (lock->descriptor);
  g_free (lock);
}

/* ---- Results ---- */

/* The index begins with a line that holds the digest of the rest. */
static char *
seal (const char *text)
{
  char digest[LB_DIGEST_SIZE];
  lb_sha256_of (text, strlen (text), digest);
  return g_strconcat (digest, "\n", text, NULL);
}

static const char *
unseal (const char *path, const char *text, gsize length, GError **error)
{
  const char *end = memchr (text, '\n', length);
  if (end == NULL) {
    lb_input_error (path, error, "is cut short");
    return NULL;
  }
  gsize rest = length - (gsize)(end + 1 - text);
  char digest[LB_DIGEST_SIZE];
  lb_sha256_of (end + 1, rest, digest);
  if (strlen (digest) == (gsize)(end - text) && strncmp (text, digest, strlen (digest)) == 0)
    return end + 1;
  lb_input_error (path, error, "is not what was written: its SHA-256 differs");
  return NULL;
}

gboolean
lb_store_read (LbStore *store, const char *key, guint n_outputs, LbLedger **ledger, GError **error)
{
  g_autofree char *directory = lb_store_result_path (store, key);
  g_autofree char *path = g_build_filename (directory, "index", NULL);
  g_autoptr (GBytes) bytes = NULL;
  *ledger = NULL;
  if (!g_file_test (directory, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!lb_file_read (path, MAX_INDEX, &bytes, error))
    return FALSE;
  gsize length;
  const char *text = g_bytes_get_data (bytes, &length), *json;
  if (text == NULL)
    return lb_input_error (path, error, "is empty");
  json = unseal (path, text, length, error);
  if (json == NULL)
    return FALSE;
  *ledger = lb_ledger_from_json (path, json, length - (gsize)(json - text), n_outputs, error);
  return *ledger != NULL;
}

static gboolean
verify_file (const char *path, const LbKept *kept, GError **error)
{
  guint64 size;
  int descriptor = lb_file_open (path, &size, error);
  if (descriptor < 0)
    return FALSE;
  gboolean good = lb_record_verify (descriptor, path, 0, kept->bytes, kept->digest, error);
  close (descriptor);
  return good;
}

static gboolean
verify_output (const char *path, const GArray *packets, GError **error)
{
  guint64 size, offset = 0;
  if (packets->len == 0)
    return TRUE;
  int descriptor = lb_file_open (path, &size, error);
  gboolean good = descriptor >= 0;
  for (guint i = 0; good && i < packets->len; i++) {
    const LbKept *kept = &g_array_index (packets, LbKept, i);
    good = lb_record_verify (descriptor, path, offset, kept->bytes, kept->digest, error);
    offset += kept->bytes;
  }
  if (descriptor >= 0)
    close (descriptor);
  return good;
}

gboolean
lb_store_verify (const char *directory, const LbLedger *ledger, gboolean packets, GError **error)
{
  for (guint i = 0; i < ledger->files->len; i++) {
    const LbKept *kept = &g_array_index (ledger->files, LbKept, i);
    g_autofree char *path = lb_store_file_path (directory, kept->name);
    if (!verify_file (path, kept, error))
      return FALSE;
  }
  for (guint i = 0; packets && ledger->has_packets && i < ledger->outputs->len; i++) {
    g_autofree char *path = lb_store_output_path (directory, i);
    if (!verify_output (path, ledger->outputs->pdata[i], error))
      return FALSE;
  }
  return TRUE;
}

void
lb_store_touch (LbStore *store, const char *key)
{
  g_autofree char *directory = lb_store_result_path (store, key);
  g_autofree char *path = g_build_filename (directory, "index", NULL);
  utime (path, NULL);
}

gboolean
lb_store_commit (LbStore *store, const char *key, const LbLedger *ledger, GError **error)
{
  g_autofree char *work = lb_store_work_path (store, key), *result = lb_store_result_path (store, key);
  g_autofree char *index = g_build_filename (work, "index", NULL);
  g_autofree char *results = g_path_get_dirname (result);
  g_autofree char *json = lb_ledger_to_json (ledger), *sealed = seal (json);
  if (!lb_file_write (index, sealed, strlen (sealed), error) || !lb_directory_sync (work, error))
    return FALSE;
  if (g_rename (work, result) != 0)
    return lb_output_error (result, errno, error);
  return lb_directory_sync (results, error);
}

char *
lb_store_recipe (const char *directory)
{
  g_autofree char *path = g_build_filename (directory, "recipe", NULL);
  char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

static int
remove_entry (const char *path, const struct stat *status, int kind, struct FTW *walk)
{
  return remove (path);
}

void
lb_store_remove_tree (const char *path)
{
  nftw (path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

char *
lb_store_set_aside (LbStore *store, const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *place = g_strdup_printf ("%s/aside/%s.XXXXXX", store->path, base);
  gboolean is_directory = g_file_test (path, G_FILE_TEST_IS_DIR);
  int descriptor = is_directory ? -1 : g_mkstemp (place);
  gboolean made = is_directory ? g_mkdtemp (place) != NULL : descriptor >= 0;
  if (descriptor >= 0)
    close (descriptor);
  /* Renaming replaces the empty file or directory that keeps the name. */
  if (made && g_rename (path, place) == 0)
    return g_steal_pointer (&place);
  lb_store_remove_tree (path);
  return NULL;
}
