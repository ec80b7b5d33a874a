/* Scratch: room on the disk for records that are too many for memory and are needed again soon, such as the parameters
 * after every step of an unrolled training. The file has no name: the system frees it however the process ends, and
 * nothing of it is a result.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Room for records of one size, as long as the process lives. */
typedef struct _LbScratch LbScratch;

/* For records of @record bytes each, on the disk of @directory, which is made if need be. LB_ERROR_OUTPUT. */
LbScratch *lb_scratch_new (const char *directory, gsize record, GError **error);
void lb_scratch_free (LbScratch *scratch);

/* Record @index, from or to @record bytes at @data. Records may be written in any order and again; one that was never
 * written must not be read. Both allocate nothing. LB_ERROR_OUTPUT, with what to do about a full disk. */
gboolean lb_scratch_write (LbScratch *scratch, guint64 index, gconstpointer data, GError **error);
gboolean lb_scratch_read (LbScratch *scratch, guint64 index, gpointer data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbScratch, lb_scratch_free)

G_END_DECLS
