/* Digests of what a run reads: input files, plugins, the framework itself. Private to the framework. */
#pragma once

#include "base/sha256.h"

G_BEGIN_DECLS

/* SHA-256, hexadecimal, of the bytes of the file @path; of a directory, of the names and bytes of all in it; "absent"
 * or "unreadable" when there is nothing to read: whoever wants to read it will say so. Digests of files are remembered
 * in
 * @cache (a directory, or NULL) with size, times and number of the file, and found there while these stay the same.
 * Free with g_free(). */
char *lb_digest_of_path (const char *path, const char *cache);

/* Of a text. */
char *lb_digest_of_text (const char *text);

/* Copies the file @from to @to, whole or not at all, and tells size and digest of what was copied. */
gboolean lb_digest_copy (const char *from, const char *to, guint64 *bytes, char digest[LB_DIGEST_SIZE], GError **error);

/* The library that this code is in, or the executable when it is linked in. */
char *lb_framework_path (void);

G_END_DECLS
