/* Whole files: complete under the final name or not there at all, and a sentence for each way to fail. */
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* While this is on, every write is interrupted once and then does a part of its work only. */
static gboolean writes_badly;

/* Stands in front of the C library's for the library under test. */
ssize_t
write (int descriptor, const void *data, size_t length)
{
  static guint calls;

  if (writes_badly && calls++ % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  return syscall (SYS_write, descriptor, data, writes_badly ? MIN (length, 7) : length);
}

typedef struct {
  char *directory;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_assert_nonnull (fixture->directory);
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);

  for (const char *name; directory != NULL && (name = g_dir_read_name (directory)) != NULL;) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    remove_tree (child);
  }
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  remove_tree (fixture->directory);
  g_free (fixture->directory);
}

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (directory) != NULL)
    n++;
  return n;
}

static void
assert_contents (const char *path, const char *expected)
{
  g_autofree char *contents = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  g_assert_cmpmem (contents, length, expected, strlen (expected));
}

/* The error must be of @code and say @path first and @part somewhere. */
static void
assert_error (GError *error, int code, const char *path, const char *part)
{
  g_autofree char *start = g_strconcat (path, ": ", NULL);

  g_assert_error (error, LB_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, start));
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, part);
  g_error_free (error);
}

static void
assert_cannot_write (const char *path, const char *part)
{
  GError *error = NULL;

  g_assert_false (lb_file_write (path, "text", 4, &error));
  assert_error (error, LB_ERROR_OUTPUT, path, part);
}

static void
assert_cannot_read (const char *path, gsize limit, const char *part)
{
  GError *error = NULL;
  GBytes *bytes = NULL;

  g_assert_false (lb_file_read (path, limit, &bytes, &error));
  g_assert_null (bytes);
  assert_error (error, LB_ERROR_INPUT, path, part);
}

static void
test_write (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "a", "b", "result.json", NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_file_write (path, "one", 3, &error));
  assert_contents (path, "one");
  g_assert_true (lb_file_write (path, "two and more", 12, &error));
  assert_contents (path, "two and more");
  g_assert_true (lb_file_write (path, NULL, 0, &error));
  assert_contents (path, "");
  g_assert_no_error (error);
  g_assert_cmpuint (count_entries (parent), ==, 1);
}

static void
test_short_writes (Fixture *fixture, gconstpointer data)
{
  static const char text[] = "a text that takes several writes of a few letters each, in the right order";
  g_autofree char *path = g_build_filename (fixture->directory, "result", NULL);

  writes_badly = TRUE;
  gboolean written = lb_file_write (path, text, strlen (text), NULL);
  writes_badly = FALSE;
  g_assert_true (written);
  assert_contents (path, text);
}

static void
test_mode (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "result", NULL);
  struct stat status;
  mode_t before = umask (027);

  g_assert_true (lb_file_write (path, "x", 1, NULL));
  umask (before);
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_mode & 0777, ==, 0640);
}

static void
test_relative (Fixture *fixture, gconstpointer data)
{
  g_autofree char *before = g_get_current_dir ();

  g_assert_cmpint (g_chdir (fixture->directory), ==, 0);
  g_assert_true (lb_file_write ("result", "x", 1, NULL));
  assert_contents ("result", "x");
  g_assert_cmpint (g_chdir (before), ==, 0);
}

static void
test_long_name (Fixture *fixture, gconstpointer data)
{
  g_autofree char *longest = g_strnfill (255, 'x'), *too_long = g_strnfill (256, 'x');
  g_autofree char *good = g_build_filename (fixture->directory, longest, NULL);
  g_autofree char *bad = g_build_filename (fixture->directory, too_long, NULL);

  g_assert_true (lb_file_write (good, "x", 1, NULL));
  assert_cannot_write (bad, "the name is too long");
  g_assert_cmpuint (count_entries (fixture->directory), ==, 1);
}

static void
test_directory_in_the_way (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "result", NULL);
  g_autofree char *slash = g_strconcat (fixture->directory, "/new/", NULL);

  g_assert_cmpint (g_mkdir (path, 0777), ==, 0);
  assert_cannot_write (path, "a directory of that name is in the way; remove it");
  assert_cannot_write (slash, "a directory of that name is in the way");
  g_assert_cmpuint (count_entries (fixture->directory), ==, 1);
  g_assert_cmpuint (count_entries (path), ==, 0);
}

static void
test_below_a_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = g_build_filename (fixture->directory, "file", NULL);
  g_autofree char *child = g_build_filename (file, "result", NULL);
  g_autofree char *grandchild = g_build_filename (file, "a", "result", NULL);

  g_assert_true (lb_file_write (file, "x", 1, NULL));
  assert_cannot_write (child, "a part of the path is a file");
  assert_cannot_write (grandchild, "a part of the path is a file");
  assert_contents (file, "x");
}

static void
test_devices (Fixture *fixture, gconstpointer data)
{
  g_autofree char *pipe = g_build_filename (fixture->directory, "pipe", NULL);
  struct stat status;

  g_assert_cmpint (mkfifo (pipe, 0666), ==, 0);
  assert_cannot_write (pipe, "is a device, pipe or socket");
  assert_cannot_write ("/dev/null", "is a device, pipe or socket");
  g_assert_true (stat ("/dev/null", &status) == 0 && S_ISCHR (status.st_mode));
  assert_cannot_read (pipe, 100, "is a device, pipe or socket");
  assert_cannot_read ("/dev/zero", 100, "is a device, pipe or socket");
}

static void
test_empty_name (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_file_write ("", "x", 1, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
}

/* A limit on the size of files stands in for a full disk: the first write comes back short, the next fails. */
static void
test_no_room (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "result", NULL);
  g_autofree char *large = g_malloc0 (100000);
  struct rlimit before, small;
  GError *error = NULL;

  g_assert_true (lb_file_write (path, "old", 3, NULL));
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small = before;
  small.rlim_cur = 5000;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  gboolean written = lb_file_write (path, large, 100000, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false (written);
  assert_error (error, LB_ERROR_OUTPUT, path, "limit on file sizes; raise it (ulimit -f)");
  assert_contents (path, "old");
  g_assert_cmpuint (count_entries (fixture->directory), ==, 1);
}

static void
test_read (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->directory, "file", NULL);
  g_autoptr (GBytes) bytes = NULL;
  gsize length;

  g_assert_true (lb_file_write (path, "12345", 5, NULL));
  g_assert_true (lb_file_read (path, 5, &bytes, NULL));
  const char *text = g_bytes_get_data (bytes, &length);
  g_assert_cmpmem (text, length, "12345", 5);
  assert_cannot_read (path, 4, "is 5 B long, where at most 4 B were expected");
}

/* Files whose size is not known beforehand. */
static void
test_read_growing (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) bytes = NULL;

  g_assert_true (lb_file_read ("/proc/self/status", 1 << 20, &bytes, NULL));
  g_assert_cmpuint (g_bytes_get_size (bytes), >, 100);
  assert_cannot_read ("/proc/self/status", 10, "where at most 10 B were expected");
}

static void
test_cannot_read (Fixture *fixture, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (fixture->directory, "missing", NULL);
  g_autofree char *file = g_build_filename (fixture->directory, "file", NULL);
  g_autofree char *below = g_build_filename (file, "x", NULL);

  g_assert_true (lb_file_write (file, "x", 1, NULL));
  assert_cannot_read (missing, 100, "there is no such file");
  assert_cannot_read (fixture->directory, 100, "it is a directory");
  assert_cannot_read (below, 100, "a part of the path is a file");
}

#define ADD(name, function) g_test_add ("/file/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("write-makes-parents-and-replaces", test_write);
  ADD ("write-goes-on-after-short-and-interrupted-writes", test_short_writes);
  ADD ("write-obeys-the-umask", test_mode);
  ADD ("write-takes-a-relative-path", test_relative);
  ADD ("write-takes-the-longest-name", test_long_name);
  ADD ("write-refuses-a-directory-in-the-way", test_directory_in_the_way);
  ADD ("write-refuses-a-path-below-a-file", test_below_a_file);
  ADD ("devices-and-pipes-are-refused", test_devices);
  ADD ("write-refuses-an-empty-name", test_empty_name);
  ADD ("failed-write-leaves-the-old-file-alone", test_no_room);
  ADD ("read-gives-the-bytes-up-to-the-limit", test_read);
  ADD ("read-copes-with-unknown-size", test_read_growing);
  ADD ("read-says-why-it-cannot", test_cannot_read);
  return g_test_run ();
}
