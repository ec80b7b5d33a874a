/* What the subcommands share: their table's row, options, loading of a pipeline, error output. Private to cli/.
 *
 * Results go to stdout, all else to stderr. A subcommand returns the exit status; the values are those of LbError.
 */
#pragma once

#include "pipeline/plan.h"
#include "pipeline/store.h"

G_BEGIN_DECLS

/* ---- The table of subcommands ---- */

/* Help, manual pages and completion are made from it and from what lb_command_parse() is given. */
typedef struct {
  const char *name, *arguments; /* "run", "FILE"; words to choose from stand beside each other: "list|verify" */
  const char *summary;          /* one line */
  int (*run) (int argc, char **argv);
} LbCommand;

/* A name and what it means: an exit status, a variable of the environment. */
typedef struct {
  const char *name, *meaning;
} LbCommandNote;

/* Each ends with a row without a name. Defined beside main(). */
extern const LbCommand lb_commands[];
extern const LbCommandNote lb_exit_statuses[];
extern const LbCommandNote lb_environment[];

/* argv[0] is the subcommand's name. */
int lb_command_run (int argc, char **argv);
int lb_command_check (int argc, char **argv);
int lb_command_inspect (int argc, char **argv);
int lb_command_schema (int argc, char **argv);
int lb_command_new_plugin (int argc, char **argv);
int lb_command_manual (int argc, char **argv);
int lb_command_completion (int argc, char **argv);
int lb_command_graph (int argc, char **argv);
int lb_command_status (int argc, char **argv);
int lb_command_store (int argc, char **argv);
int lb_command_archive (int argc, char **argv);
int lb_command_verify (int argc, char **argv);
int lb_command_show (int argc, char **argv);
int lb_command_diff (int argc, char **argv);

/* ---- Options ---- */

/* What --param, --set and --seed were given. Zero-fill first. */
typedef struct {
  char **params;
  char **settings;
  char *seed;
  char **found; /* of no option: where an archive's inputs lie */
} LbChanges;

void lb_changes_clear (LbChanges *changes);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LbChanges, lb_changes_clear)

/* Rows of an option table that fill @changes. */
#define LB_CHANGE_ENTRIES(changes)                                                                                     \
  { "param",     'p', 0, G_OPTION_ARG_FILENAME_ARRAY, &(changes)->params, "Give a param of the file another value",    \
    "NAME=VALUE" },                                                                                                    \
      { "set",                                                                                                         \
        's',                                                                                                           \
        0,                                                                                                             \
        G_OPTION_ARG_FILENAME_ARRAY,                                                                                   \
        &(changes)->settings,                                                                                          \
        "Give a property of a stage another value",                                                                    \
        "STAGE.PROPERTY=VALUE" },                                                                                      \
  {                                                                                                                    \
    "seed", 0, 0, G_OPTION_ARG_FILENAME, &(changes)->seed, "Seed of all randomness in place of the file's", "N"        \
  }

typedef enum { LB_PARSED, LB_PARSED_HELP, LB_PARSED_WRONG } LbParsed;

/* Parses the options of a subcommand and takes at most @max other arguments, at least @min. @arguments describes them
 * in the help ("FILE"), which LB_PARSED_HELP has printed; LB_PARSED_WRONG has told what is wrong. *others is
 * NULL-terminated. */
LbParsed lb_command_parse (int argc, char **argv, const GOptionEntry *entries, const char *arguments,
                           const char *summary, const char *description, guint min, guint max, GStrv *others);

/* What a subcommand gives lb_command_parse(). In @entries "long_name" ends the table; an arg_description that holds '|'
 * lists all values there are. */
typedef struct {
  const GOptionEntry *entries;
  const char *arguments, *summary, *description; /* @description may be NULL */
} LbCommandHelp;

/* Hands @visit what @command would print as its help, without running it. */
void
lb_command_describe (const LbCommand *command,
                     void (*visit) (const LbCommand *command, const LbCommandHelp *help, gpointer data), gpointer data);

/* The number that --threads gives, 0 for NULL; -1 after telling that @text is none. */
int lb_command_threads (const char *text);

/* The index of @text in @words, or -1 after telling that --@option has no such value. */
int lb_command_choice (const char *option, const char *text, const char *const *words);

/* ---- Pipelines ---- */

/* A pipeline with what it refers to. */
typedef struct {
  guint threads;     /* that costs are predicted for, set before loading; 0: one for each processor */
  const char *until; /* a stage: all that is not needed for it is left out; set before loading; NULL: nothing */
  LbRegistry *registry;
  LbPipeline *pipeline;
  LbPlan *plan;
} LbLoaded;

void lb_loaded_clear (LbLoaded *loaded);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LbLoaded, lb_loaded_clear)

/* Reads and resolves @path, and configures it if @configure. All problems are told, and the exit status for them is
 * returned; 0 when there is none. */
int lb_command_load (const char *path, const LbChanges *changes, gboolean configure, LbLoaded *loaded);

/* ---- The store ---- */

/* Opens the store at @path or, where that is NULL, at the place that the environment's LIMBECK_STORE names ("none": no
 * store) or else the user's own; with @without none is opened. *store is NULL then, and also when the user's own cannot
 * be used, which is told as a warning: a run does not fail because nothing can be kept. With @is_dry none is made, and
 * *store is NULL where a run would make one. Returns the exit status. */
int lb_command_open_store (const char *path, gboolean without, gboolean is_dry, LbStore **store);

/* The same for those who look at what runs have kept: none is made. One that @path names has to be there; *store is
 * NULL when another is not. */
int lb_command_find_store (const char *path, LbStore **store);

/* ---- Output ---- */

/* Prints @error, each of its lines after "limbeck: ", and returns its exit status. */
int lb_command_fail (const GError *error);

/* The same for a mistake in the command line; returns LB_ERROR_USAGE. */
int lb_command_usage (const char *format, ...) G_GNUC_PRINTF (1, 2);

G_END_DECLS
