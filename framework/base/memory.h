/* How much memory the process takes, how much it may take, and in pages of what size. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes of this process that are in memory now (the resident set); 0 when the system does not tell. */
guint64 lb_memory_resident (void);

/* The most bytes that were in memory at once since the last lb_memory_reset_peak(); 0 when the system does not tell. */
guint64 lb_memory_peak (void);

/* Makes the peak start again from what is in memory now. FALSE when the system does not allow it. */
gboolean lb_memory_reset_peak (void);

/* Bytes that the process can still take without swapping: what the machine has available, or what its control groups
 * leave, whichever is less. 0 when the system does not tell. */
guint64 lb_memory_available (void);

/* The same as the files under @root tell, which stand in place of those under "/". */
guint64 lb_memory_available_under (const char *root);

/* Asks for large pages under what @memory has whole of them, when @bytes are some megabytes: networks whose weights
 * are larger than the table of pages that a core keeps at hand then wait less for it. Contents stay; a system without
 * such pages ignores it. */
void lb_memory_prefer_large_pages (gpointer memory, gsize bytes);

/* Bytes in "512M", "1.5G", "2GiB", "800000000": a number of 1 or more, with K, M, G or T (powers of 1024) or without.
 * FALSE when @text is none. */
gboolean lb_memory_parse (const char *text, guint64 *bytes);

G_END_DECLS
