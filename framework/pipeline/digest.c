/* Digests of files, with a memory: large data sets are not read again only to find that they are the same. */
#include "pipeline/digest.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define PIECE (1 << 20)

/* A file that was changed this short a time ago may change again without showing it in its times. */
#define RACY_SECONDS 2

char *
lb_digest_of_text (const char *text)
{
  char digest[LB_DIGEST_SIZE];
  lb_sha256_of (text, strlen (text), digest);
  return g_strdup (digest);
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
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  char whole[LB_DIGEST_SIZE];
  g_autofree guint8 *piece = g_malloc (PIECE);
  gssize got;
  while ((got = read (descriptor, piece, PIECE)) > 0)
    lb_sha256_add (sha256, piece, (gsize)got);
  close (descriptor);
  if (got < 0)
    return g_strdup ("unreadable");
  lb_sha256_end (sha256, whole);
  if (cache != NULL)
    remember (path, &status, whole, cache);
  return g_strdup (whole);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

static void
add_text (LbSha256 *sha256, const char *text)
{
  lb_sha256_add (sha256, text, strlen (text) + 1);
}

/* Links are followed for files but not for directories below @path, which may lead in a circle. */
static char *
digest_of_directory (const char *path, const char *cache)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  char whole[LB_DIGEST_SIZE];
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
    add_text (sha256, names->pdata[i]);
    add_text (sha256, digest != NULL ? digest : "unreadable");
  }
  lb_sha256_end (sha256, whole);
  return g_strdup (whole);
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

gboolean
lb_digest_copy (const char *from, const char *to, guint64 *bytes, char digest[LB_DIGEST_SIZE], GError **error)
{
  guint64 size;
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  g_autofree guint8 *piece = g_malloc (PIECE);
  g_autoptr (LbFileWriter) writer = lb_file_writer_new (to, error);
  int descriptor = writer != NULL ? lb_file_open (from, &size, error) : -1;
  gboolean good = descriptor >= 0;
  gssize got = 0;
  *bytes = 0;
  while (good && ((got = read (descriptor, piece, PIECE)) > 0 || (got < 0 && errno == EINTR))) {
    if (got < 0)
      continue;
    lb_sha256_add (sha256, piece, (gsize)got);
    *bytes += (guint64)got;
    good = lb_file_writer_put (writer, piece, (gsize)got, error);
  }
  if (good && got < 0)
    good = lb_input_error (from, error, "cannot be read: %s", g_strerror (errno));
  if (descriptor >= 0)
    close (descriptor);
  lb_sha256_end (sha256, digest);
  return good && lb_file_writer_commit (writer, error);
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
