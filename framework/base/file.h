/* Results appear under their final name only when they are complete. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Writes @length bytes under @path: temporary file beside it, fsync, rename, so that a reader sees the old file or the
 * whole new one. Parent directories are made. Fails with LB_ERROR_OUTPUT naming path, reason and remedy (no space left,
 * no permission, a directory in the way, ...); nothing is left behind then. Only a regular file is ever replaced.
 * A limit on file sizes (ulimit -f) is reported like any other reason if the process ignores SIGXFSZ; otherwise that
 * signal ends it. */
gboolean lb_file_write (const char *path, gconstpointer data, gsize length, GError **error);

/* The same without waiting for the disk: a reader sees the old file or the whole new one, but a power cut may lose both.
 * For what is written often and worth little afterwards. */
gboolean lb_file_replace (const char *path, gconstpointer data, gsize length, GError **error);

/* Sets LB_ERROR_OUTPUT: "@path: cannot be written: ...", with what to do about the errno @number. Always FALSE. */
gboolean lb_output_error (const char *path, int number, GError **error);

/* Reads a whole file of at most @limit bytes. Fails with LB_ERROR_INPUT. */
gboolean lb_file_read (const char *path, gsize limit, GBytes **bytes, GError **error);

/* Opens a regular file for reading; anything else (a directory, a pipe that would block for ever) is refused. Returns
 * the descriptor, which the caller closes, and the size in @size; -1 with LB_ERROR_INPUT. */
int lb_file_open (const char *path, guint64 *size, GError **error);

G_END_DECLS
