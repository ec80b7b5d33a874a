/* Pages of the manual in roff, from the tables of subcommands and of keys of pipeline files. Private to cli/. */
#pragma once

#include "cli/command.h"

G_BEGIN_DECLS

/* "limbeck", the subcommands, "pipeline"; NULL-terminated, in that order; free the array with g_free(). */
const char **lb_manual_pages (void);

/* The page @name, and the name of its file ("limbeck-run.1") in *file; NULL when there is none. Free both with
 * g_free(). */
char *lb_manual_page (const char *name, char **file);

G_END_DECLS
