/* Digests of files, with a memory: large data sets are not read again only to find that they are the same. */
#include "pipeline/digest.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define PIECE (1 << 20)

/* A file that was changed this short a time ago may change again without showing it in its times. */
#define RACY_SECONDS 2

char *
lb_digest_of_text (const char *text)
{
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
}

/* ---- The memory ---- */

static char *
signature (const struct stat *status)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                          ".%09ld %" G_GINT64_FORMAT ".%09ld",
                          (guint64)status->st_dev, (guint64)status->st_ino, (guint64)status->st_size,
                          (gint64)status->st_mtim.tv_sec, status->st_mtim.tv_nsec, (gint64)status->st_ctim.tv_sec,
                          status->st_ctim.tv_nsec);
}

static char *
memory_path (const char *path, const char *cache)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autofree char *name = lb_digest_of_text (absolute);
  return g_build_filename (cache, name, NULL);
}

static char *
recall (const char *path, const struct stat *status, const char *cache)
{
  g_autofree char *file = memory_path (path, cache), *text = NULL, *wanted = signature (status);
  if (!g_file_get_contents (file, &text, NULL, NULL))
    return NULL;
  char *digest = strrchr (text, ' ');
  if (digest == NULL || strlen (digest + 1) != 64)
    return NULL;
  *digest = '\0';
  return strcmp (text, wanted) == 0 ? g_strdup (digest + 1) : NULL;
}

/* Errors do not matter: what is not remembered is computed again. */
static void
remember (const char *path, const struct stat *status, const char *digest, const char *cache)
{
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  if (now - MAX (status->st_mtim.tv_sec, status->st_ctim.tv_sec) <= RACY_SECONDS)
    return;
  g_autofree char *file = memory_path (path, cache), *signed_by = signature (status);
  g_autofree char *text = g_strdup_printf ("%s %s", signed_by, digest);
  lb_file_write (file, text, strlen (text), NULL);
}

/* ---- Files and directories ---- */

static char *
digest_of_file (const char *path, const char *cache)
{
  guint64 size;
  struct stat status;
  int descriptor = lb_file_open (path, &size, NULL);
  if (descriptor < 0 || fstat (descriptor, &status) != 0) {
    if (descriptor >= 0)
      close (descriptor);
    return g_strdup ("unreadable");
  }
  char *known = cache != NULL ? recall (path, &status, cache) : NULL;
  if (known != NULL) {
    close (descriptor);
    return known;
  }
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guint8 *piece = g_malloc (PIECE);
  gssize got;
  while ((got = read (descriptor, piece, PIECE)) > 0)
    g_checksum_update (checksum, piece, got);
  close (descriptor);
  if (got < 0)
    return g_strdup ("unreadable");
  if (cache != NULL)
    remember (path, &status, g_checksum_get_string (checksum), cache);
  return g_strdup (g_checksum_get_string (checksum));
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

static void
add_text (GChecksum *checksum, const char *text)
{
  g_checksum_update (checksum, (const guchar *)text, (gssize)strlen (text) + 1);
}

/* Links are followed for files but not for directories below @path, which may lead in a circle. */
static char *
digest_of_directory (const char *path, const char *cache)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  const char *name;
  if (dir == NULL)
    return g_strdup ("unreadable");
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *entry = g_build_filename (path, names->pdata[i], NULL), *digest = NULL;
    if (!g_file_test (entry, G_FILE_TEST_IS_DIR))
      digest = digest_of_file (entry, cache);
    else if (g_file_test (entry, G_FILE_TEST_IS_SYMLINK))
      digest = g_file_read_link (entry, NULL);
    else
      digest = digest_of_directory (entry, cache);
    add_text (checksum, names->pdata[i]);
    add_text (checksum, digest != NULL ? digest : "unreadable");
  }
  return g_strdup (g_checksum_get_string (checksum));
}

char *
lb_digest_of_path (const char *path, const char *cache)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return digest_of_directory (path, cache);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return g_strdup ("absent");
  return digest_of_file (path, cache);
}

char *
lb_framework_path (void)
{
  Dl_info info;
  if (dladdr ((gpointer)&lb_framework_path, &info) != 0 && info.dli_fname != NULL
      && g_file_test (info.dli_fname, G_FILE_TEST_IS_REGULAR))
    return g_strdup (info.dli_fname);
  return g_strdup ("/proc/self/exe");
}
