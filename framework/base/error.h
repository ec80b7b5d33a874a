/* Errors that users see, and the exit status each kind ends the command with.
 *
 * Every user error is a GError in LB_ERROR whose message is one sentence: the place (path, file:line:col or stage),
 * what was found, what was expected, what to do. The code is the kind of mistake, and doubles as the exit status.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The domain of all errors of the framework and of plugins; codes are LbError. */
#define LB_ERROR (lb_error_quark ())

/* What LB_ERROR stands for. */
GQuark lb_error_quark (void);

/**
 * LbError:
 *
 * The kinds of user error. The value is the exit status of the limbeck command; 0 is success, and 1 is kept for
 * failures of GLib calls that carry no kind of ours.
 */
typedef enum {
  LB_ERROR_USAGE = 2,      /* the command line is wrong */
  LB_ERROR_PIPELINE = 3,   /* the pipeline file, a property, a link or a stream type is wrong */
  LB_ERROR_PLUGIN = 4,     /* a plugin or a schema cannot be loaded */
  LB_ERROR_INPUT = 5,      /* input data is missing, truncated or not what it says it is */
  LB_ERROR_OUTPUT = 6,     /* a result cannot be written */
  LB_ERROR_NUMERIC = 7,    /* a value became infinite or not a number */
  LB_ERROR_PROGRAM = 8,    /* a stage broke a rule: wrong shapes in a graph, a packet that is not of its schema */
  LB_ERROR_MEMORY = 9,     /* a run is predicted to take more memory than there is */
  LB_ERROR_DIFFERENT = 10, /* two runs, or a run and its archive, are not the same */
  LB_ERROR_CANCELLED = 130 /* stopped by the user (128 + SIGINT) */
} LbError;

/* The exit status for @error: its code when it is one of ours, 1 otherwise, 0 for NULL. */
int lb_error_exit_status (const GError *error);

/* Sets LB_ERROR_INPUT with the message "@path: ..."; for those who read files. Always FALSE. */
gboolean lb_input_error (const char *path, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* The entry of @known (NULL-terminated) nearest to @word by edit distance, or NULL when none is near enough to be a
 * likely typing mistake (more than a third of the letters differ). Points into @known. */
const char *lb_nearest_name (const char *word, const char *const *known);

/* How a sentence ends that refuses @word: "; did you mean 'grid'?" when an entry of @known (NULL-terminated) is near,
 * else "". Free with g_free(). */
char *lb_did_you_mean (const char *word, const char *const *known);

/* The same for a sentence that has not said what is known: "; known are grid, ratio" or "; there are none" when nothing
 * is near. */
char *lb_suggestion (const char *word, const char *const *known);

G_END_DECLS
