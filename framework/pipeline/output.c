/* Output directories of runs. */
#include "pipeline/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "pipeline/run.h"

char *
lb_run_default_output (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  char *dot = strrchr (base, '.');
  if (dot != NULL && dot != base)
    *dot = '\0';
  return g_strconcat (base, ".out", NULL);
}

/* Whether a file can be made in it is known only by making one. */
gboolean
lb_output_prepare (const char *directory, GError **error)
{
  const char *failed = NULL;
  int reason = 0;
  if (g_mkdir_with_parents (directory, 0777) != 0) {
    failed = "cannot be made";
    reason = errno;
  } else {
    g_autofree char *probe = g_build_filename (directory, ".limbeck-XXXXXX", NULL);
    int fd = g_mkstemp (probe);
    if (fd < 0) {
      failed = "cannot be written to";
      reason = errno;
    } else {
      close (fd);
      g_unlink (probe);
    }
  }
  if (failed == NULL)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
               "output directory '%s' %s: %s; name one that can be written to with --output", directory, failed,
               g_strerror (reason));
  return FALSE;
}
