/* Long texts on a terminal. Private to cli/. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Breaks @text between words so that lines hold at most 100 columns where words allow it, each after @indent spaces.
 * Line ends in @text stay. Ends with a line end. Free with g_free(). */
char *lb_wrap (const char *text, guint indent);

/* Prints it. */
void lb_print_wrapped (const char *text, guint indent);

G_END_DECLS
