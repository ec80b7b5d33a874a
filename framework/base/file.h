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

/* The same without waiting for the disk: a reader sees the old file or the whole new one, but a power cut may lose
 * both. For what is written often and worth little afterwards. */
gboolean lb_file_replace (const char *path, gconstpointer data, gsize length, GError **error);

/* Sets LB_ERROR_OUTPUT: "@path: cannot be written: ...", with what to do about the errno @number. Always FALSE. */
gboolean lb_output_error (const char *path, int number, GError **error);

/* Where bytes go, piece by piece; FALSE and an error ends the writing. */
typedef gboolean (*LbByteSink) (gpointer data, gconstpointer bytes, gsize length, GError **error);

/* Writing of a file piece by piece, with the same promises: it appears under @path with lb_file_writer_commit(), and
 * what was not committed is gone with lb_file_writer_free(). LB_ERROR_OUTPUT. */
typedef struct _LbFileWriter LbFileWriter;
LbFileWriter *lb_file_writer_new (const char *path, GError **error);
gboolean lb_file_writer_put (LbFileWriter *writer, gconstpointer data, gsize length, GError **error);
gboolean lb_file_writer_commit (LbFileWriter *writer, GError **error);
void lb_file_writer_free (LbFileWriter *writer);

/* lb_file_writer_put() as a sink, whose data is the writer. Since 1.2. */
gboolean lb_file_writer_sink (gpointer writer, gconstpointer data, gsize length, GError **error);

/* For those who keep a file open and write to it for long: all of @data to @descriptor, which is open on @path; and
 * what was written made to last through a power cut. LB_ERROR_OUTPUT. */
gboolean lb_file_put (int descriptor, const char *path, gconstpointer data, gsize length, GError **error);
gboolean lb_file_sync (int descriptor, const char *path, GError **error);

/* Makes what was created, renamed or removed in @directory last through a power cut. LB_ERROR_OUTPUT. */
gboolean lb_directory_sync (const char *directory, GError **error);

/* Removes temporary files that processes which live no more have left in @directory. */
void lb_file_remove_leftovers (const char *directory);

/* Reads a whole file of at most @limit bytes. Fails with LB_ERROR_INPUT. */
gboolean lb_file_read (const char *path, gsize limit, GBytes **bytes, GError **error);

/* Opens a regular file for reading; anything else (a directory, a pipe that would block for ever) is refused. Returns
 * the descriptor, which the caller closes, and the size in @size; -1 with LB_ERROR_INPUT. */
int lb_file_open (const char *path, guint64 *size, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbFileWriter, lb_file_writer_free)

G_END_DECLS
