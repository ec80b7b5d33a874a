#include "base/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

struct _LbScratch {
  int descriptor;
  gsize record;
  char *directory; /* for messages */
};

/* A file that is gone with its last descriptor. Not every file system has nameless ones: there it gets a name for the
 * moment that it is opened. */
static int
open_nameless (const char *directory)
{
  int descriptor = open (directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  g_autofree char *name = NULL;

  if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
    return descriptor;
  name = g_build_filename (directory, "scratch-XXXXXX.tmp", NULL);
  descriptor = g_mkstemp_full (name, O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0)
    g_unlink (name);
  return descriptor;
}

LbScratch *
lb_scratch_new (const char *directory, gsize record, GError **error)
{
  int descriptor = -1;
  LbScratch *scratch;

  g_return_val_if_fail (record > 0, NULL);
  if (g_mkdir_with_parents (directory, 0777) != 0 || (descriptor = open_nameless (directory)) < 0) {
    lb_output_error (directory, errno, error);
    return NULL;
  }
  scratch = g_new0 (LbScratch, 1);
  scratch->descriptor = descriptor;
  scratch->record = record;
  scratch->directory = g_strdup (directory);
  return scratch;
}

void
lb_scratch_free (LbScratch *scratch)
{
  if (!scratch)
    return;
  close (scratch->descriptor);
  g_free (scratch->directory);
  g_free (scratch);
}

gboolean
lb_scratch_write (LbScratch *scratch, guint64 index, gconstpointer data, GError **error)
{
  off_t place = (off_t)(index * scratch->record);

  for (gsize done = 0; done < scratch->record;) {
    gssize written
        = pwrite (scratch->descriptor, (const char *)data + done, scratch->record - done, place + (off_t)done);

    if (written < 0 && errno != EINTR)
      return lb_output_error (scratch->directory, errno, error);
    done += (gsize)MAX (written, 0);
  }
  return TRUE;
}

gboolean
lb_scratch_read (LbScratch *scratch, guint64 index, gpointer data, GError **error)
{
  off_t place = (off_t)(index * scratch->record);

  for (gsize done = 0; done < scratch->record;) {
    gssize got = pread (scratch->descriptor, (char *)data + done, scratch->record - done, place + (off_t)done);

    if (got == 0 || (got < 0 && errno != EINTR))
      return lb_output_error (scratch->directory, got == 0 ? EIO : errno, error);
    done += (gsize)MAX (got, 0);
  }
  return TRUE;
}
