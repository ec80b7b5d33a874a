/* Reading and writing whole files.
 *
 * Invariants: the final name never stands for a half-written file; the temporary file is gone when a write fails; a
 * write that the system cuts short or interrupts is continued.
 */
#include "base/file.h"

#include "base/error.h"
#include "base/format.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A single read or write moves less than 2 GiB on Linux. */
#define MAX_TRANSFER (1u << 30)

static const char *
remedy_for_writing (int number)
{
  switch (number) {
  case ENOSPC:
    return "no space is left on the device; free some or write elsewhere";
  case EDQUOT:
    return "the disk quota is used up; free some space or write elsewhere";
  case EACCES:
  case EPERM:
    return "permission is denied; write to a directory of your own";
  case EROFS:
    return "the file system is read-only; write elsewhere";
  case EISDIR:
    return "a directory of that name is in the way; remove it or choose another name";
  case ENOTDIR:
  case EEXIST:
    return "a part of the path is a file, not a directory; choose another directory";
  case EFBIG:
    return "the file would be larger than the limit on file sizes; raise it (ulimit -f) or write elsewhere";
  case ENAMETOOLONG:
    return "the name is too long; choose a shorter one";
  case ENOENT:
    return "its directory does not exist any more; write elsewhere";
  default:
    return NULL;
  }
}

gboolean
lb_output_error (const char *path, int number, GError **error)
{
  const char *remedy = remedy_for_writing (number);

  if (remedy != NULL)
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "%s: cannot be written: %s", path, remedy);
  else
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "%s: cannot be written: %s; write elsewhere", path,
                 g_strerror (number));
  return FALSE;
}

/* Returns 0 or the errno. */
static int
write_all (int descriptor, const char *data, gsize length)
{
  while (length > 0) {
    gssize written = write (descriptor, data, MIN (length, MAX_TRANSFER));
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errno;
    data += written;
    length -= written;
  }
  return 0;
}

/* A file beside the final one that nobody else has; its name does not grow with the final name, which may be as long as
 * the file system allows. */
static int
open_temporary (const char *directory, char **name)
{
  static gint counter;

  for (;;) {
    g_autofree char *base = g_strdup_printf (".limbeck-%d-%d.tmp", (int)getpid (), g_atomic_int_add (&counter, 1));
    g_autofree char *path = g_build_filename (directory, base, NULL);
    int descriptor = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0)
      *name = g_steal_pointer (&path);
    if (descriptor >= 0 || errno != EEXIST)
      return descriptor;
  }
}

/* Makes a rename last through a power cut. File systems that cannot do that say EINVAL, and there is nothing better;
 * nor is there for a directory that may be written but not opened. Returns 0 or the errno. */
static int
sync_directory (int descriptor)
{
  if (descriptor < 0 || fsync (descriptor) == 0 || errno == EINVAL || errno == ENOTSUP)
    return 0;
  return errno;
}

/* Only a regular file may be replaced: renaming over a device or a pipe would destroy it. */
static gboolean
check_target (const char *path, GError **error)
{
  struct stat status;

  if (path[0] == '\0') {
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "the name of a file to write is empty; give it a name");
    return FALSE;
  }
  if (g_str_has_suffix (path, "/"))
    return lb_output_error (path, EISDIR, error);
  if (stat (path, &status) != 0)
    return TRUE;
  if (S_ISDIR (status.st_mode))
    return lb_output_error (path, EISDIR, error);
  if (S_ISREG (status.st_mode))
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
               "%s: is a device, pipe or socket, where a regular file was expected; choose another name", path);
  return FALSE;
}

struct _LbFileWriter {
  char *path, *temporary;
  gboolean durable;
  int descriptor; /* -1 once it is closed */
};

static LbFileWriter *
open_writer (const char *path, gboolean durable, GError **error)
{
  if (!check_target (path, error))
    return NULL;

  g_autofree char *directory = g_path_get_dirname (path);
  if (g_mkdir_with_parents (directory, 0777) != 0) {
    lb_output_error (path, errno, error);
    return NULL;
  }
  g_autofree char *temporary = NULL;
  int descriptor = open_temporary (directory, &temporary);
  if (descriptor < 0) {
    lb_output_error (path, errno, error);
    return NULL;
  }
  LbFileWriter *writer = g_new0 (LbFileWriter, 1);
  *writer = (LbFileWriter){ g_strdup (path), g_steal_pointer (&temporary), durable, descriptor };
  return writer;
}

LbFileWriter *
lb_file_writer_new (const char *path, GError **error)
{
  return open_writer (path, TRUE, error);
}

gboolean
lb_file_writer_put (LbFileWriter *writer, gconstpointer data, gsize length, GError **error)
{
  return lb_file_put (writer->descriptor, writer->path, data, length, error);
}

gboolean
lb_file_writer_sink (gpointer writer, gconstpointer data, gsize length, GError **error)
{
  return lb_file_writer_put (writer, data, length, error);
}

/* Closes the temporary file, safely on the disk if it is to be durable, and gives it the final name. Returns 0 or the
 * errno. */
static int
finish_and_rename (LbFileWriter *writer)
{
  int number = writer->durable && fsync (writer->descriptor) != 0 ? errno : 0;

  if (close (writer->descriptor) != 0 && number == 0 && errno != EINTR)
    number = errno;
  writer->descriptor = -1;
  if (number == 0 && rename (writer->temporary, writer->path) != 0)
    number = errno;
  if (number == 0)
    g_clear_pointer (&writer->temporary, g_free);
  return number;
}

gboolean
lb_file_writer_commit (LbFileWriter *writer, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (writer->path);
  int directory_descriptor = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int number = finish_and_rename (writer);

  if (number == 0 && writer->durable && (number = sync_directory (directory_descriptor)) != 0)
    unlink (writer->path);
  if (directory_descriptor >= 0)
    close (directory_descriptor);
  return number == 0 ? TRUE : lb_output_error (writer->path, number, error);
}

void
lb_file_writer_free (LbFileWriter *writer)
{
  if (writer == NULL)
    return;
  if (writer->descriptor >= 0)
    close (writer->descriptor);
  if (writer->temporary != NULL)
    unlink (writer->temporary);
  g_free (writer->path);
  g_free (writer->temporary);
  g_free (writer);
}

static gboolean
write_file (const char *path, gconstpointer data, gsize length, gboolean durable, GError **error)
{
  g_autoptr (LbFileWriter) writer = open_writer (path, durable, error);

  return writer != NULL && lb_file_writer_put (writer, data, length, error) && lb_file_writer_commit (writer, error);
}

gboolean
lb_file_write (const char *path, gconstpointer data, gsize length, GError **error)
{
  return write_file (path, data, length, TRUE, error);
}

gboolean
lb_file_replace (const char *path, gconstpointer data, gsize length, GError **error)
{
  return write_file (path, data, length, FALSE, error);
}

gboolean
lb_file_put (int descriptor, const char *path, gconstpointer data, gsize length, GError **error)
{
  int number = write_all (descriptor, data, length);

  return number == 0 ? TRUE : lb_output_error (path, number, error);
}

gboolean
lb_file_sync (int descriptor, const char *path, GError **error)
{
  return fsync (descriptor) == 0 ? TRUE : lb_output_error (path, errno, error);
}

gboolean
lb_directory_sync (const char *directory, GError **error)
{
  int descriptor = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int number = sync_directory (descriptor);

  if (descriptor >= 0)
    close (descriptor);
  return number == 0 ? TRUE : lb_output_error (directory, number, error);
}

void
lb_file_remove_leftovers (const char *directory)
{
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    int pid, number, end = 0;
    if (sscanf (name, ".limbeck-%d-%d.tmp%n", &pid, &number, &end) != 2 || end == 0 || name[end] != '\0')
      continue;
    if (pid <= 0 || kill (pid, 0) == 0 || errno != ESRCH)
      continue;
    g_autofree char *path = g_build_filename (directory, name, NULL);
    unlink (path);
  }
}

static const char *
remedy_for_reading (int number)
{
  switch (number) {
  case ENOENT:
    return "there is no such file; check the path";
  case EACCES:
  case EPERM:
    return "permission is denied; make it readable for you";
  case EISDIR:
    return "it is a directory, where a file was expected; name a file in it";
  case ENOTDIR:
    return "a part of the path is a file, not a directory; check the path";
  case ELOOP:
    return "its symbolic links lead in a circle; check the path";
  case ENAMETOOLONG:
    return "the name is too long; check the path";
  default:
    return NULL;
  }
}

static void
cannot_read (const char *path, int number, GError **error)
{
  const char *remedy = remedy_for_reading (number);

  if (remedy != NULL)
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "%s: cannot be read: %s", path, remedy);
  else
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "%s: cannot be read: %s; check the device", path,
                 g_strerror (number));
}

int
lb_file_open (const char *path, guint64 *size, GError **error)
{
  struct stat status;
  /* Without O_NONBLOCK, opening a pipe nobody writes to would wait for ever. */
  int descriptor = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), number = 0;

  if (descriptor < 0 || fstat (descriptor, &status) != 0)
    number = errno;
  else if (S_ISDIR (status.st_mode))
    number = EISDIR;
  if (number != 0) {
    cannot_read (path, number, error);
  } else if (!S_ISREG (status.st_mode)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: is a device, pipe or socket, where a regular file was expected; copy its contents to a file",
                 path);
  } else {
    *size = status.st_size;
    return descriptor;
  }
  if (descriptor >= 0)
    close (descriptor);
  return -1;
}

/* Reads to the end, or to one byte more than @limit. Returns 0 or the errno. */
static int
read_all (int descriptor, gsize expected, gsize limit, char **data, gsize *length)
{
  gsize room = MIN (expected, limit) + 1, filled = 0;
  char *buffer = g_malloc (room);

  for (;;) {
    gssize got = read (descriptor, buffer + filled, MIN (room - filled, MAX_TRANSFER));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      g_free (buffer);
      return errno;
    }
    filled += got;
    if (got == 0 || filled > limit)
      break;
    if (filled == room) {
      room = MIN (room * 2, limit + 1);
      buffer = g_realloc (buffer, room);
    }
  }
  *data = buffer;
  *length = filled;
  return 0;
}

gboolean
lb_file_read (const char *path, gsize limit, GBytes **bytes, GError **error)
{
  guint64 size = 0;
  char *data = NULL;
  gsize length = 0;
  int descriptor = lb_file_open (path, &size, error);

  if (descriptor < 0)
    return FALSE;
  limit = MIN (limit, G_MAXSSIZE - 1);
  int number = size > limit ? 0 : read_all (descriptor, size, limit, &data, &length);
  close (descriptor);
  if (number != 0) {
    cannot_read (path, number, error);
    return FALSE;
  }
  if (size > limit || length > limit) {
    g_autofree char *found = lb_format_bytes (MAX (size, length)), *most = lb_format_bytes (limit);
    g_free (data);
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: is %s long, where at most %s were expected; check that it is the right file", path, found, most);
    return FALSE;
  }
  *bytes = g_bytes_new_take (data, length);
  return TRUE;
}
