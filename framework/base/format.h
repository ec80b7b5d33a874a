/* Numbers as people read them. All results are new strings, freed with g_free(). Locale-independent. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

char *lb_format_bytes (guint64 bytes);    /* "784 B", "30.6 KiB", "1.25 GiB" */
char *lb_format_flops (double flops);     /* "288 MFLOP", "1.02 PFLOP" */
char *lb_format_seconds (double seconds); /* "0.4 s", "3 min 05 s", "2 h 07 min" */
char *lb_format_count (guint64 count);    /* "60,000" */
char *lb_format_number (double value);    /* "0.1": the shortest decimal that reads back as @value */

/* JSON @text as json-glib wrote it, with each fraction as lb_format_number() writes it: json-glib 1.6 puts ".0" behind one
 * such as 1e-08, which nobody can read back. */
char *lb_format_json (const char *text);

G_END_DECLS
