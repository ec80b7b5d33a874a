/* Problems: every mistake that is found in a pipeline file and its command line, so that all are told at once.
 *
 * Invariant: a problem is one line of text. Control characters of what it quotes are escaped.
 */
#pragma once

#include "base/document.h"
#include "base/error.h"

G_BEGIN_DECLS

typedef struct _LbProblems LbProblems;

/* @path is the pipeline file as the user named it; it begins the place of each problem. */
LbProblems *lb_problems_new (const char *path);
void lb_problems_free (LbProblems *problems);

/* Adds "path:line:col: sentence" for @place, or the bare sentence when it is NULL (a mistake of the command line).
 * @code is an LbError. */
void lb_problems_add (LbProblems *problems, const LbDocumentNode *place, int code, const char *format, ...)
    G_GNUC_PRINTF (4, 5);

/* Adds a sentence that carries its own place, or none. */
void lb_problems_add_error (LbProblems *problems, const GError *error);

/* Adds a line that is told after all problems and counts as none: what may have caused them. Equal notes are kept once.
 */
void lb_problems_note (LbProblems *problems, const char *text);

guint lb_problems_count (const LbProblems *problems);

/* One line each, in the order of the file, then those of the command line, then the notes. Free with g_free(). */
char *lb_problems_to_text (LbProblems *problems);

/* The exit status: that of the first problem of lb_problems_to_text(); 0 when there is none. */
int lb_problems_exit_status (LbProblems *problems);

/* "file:line:col" of @place in the problems' file; free with g_free(). */
char *lb_problems_place (const LbProblems *problems, const LbDocumentNode *place);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbProblems, lb_problems_free)

G_END_DECLS
