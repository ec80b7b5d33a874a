/* The limbeck command: the table of subcommands; finds the one that is asked for and hands over. */
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/table.h"
#include "graph/program.h"
#include "plugin/crash.h"

const LbCommand lb_commands[] = {
  { "run", "FILE", "run a pipeline, or an archive again", lb_command_run },
  { "check", "FILE", "find all mistakes in a pipeline, print its types and its cost", lb_command_check },
  { "graph", "FILE", "draw a pipeline", lb_command_graph },
  { "status", "DIR", "tell how far a run is, or how it ended", lb_command_status },
  { "store", "list|verify|prune", "look after the results that are kept", lb_command_store },
  { "archive", "RUN", "put a finished run into one file", lb_command_archive },
  { "verify", "FILE", "check an archive, up to running it again to the same bits", lb_command_verify },
  { "show", "FILE", "tell what is inside an archive", lb_command_show },
  { "diff", "A B", "compare two archives or runs", lb_command_diff },
  { "inspect", "[NAME]", "describe a stage type or a stream schema, or list all", lb_command_inspect },
  { "new-plugin", "NAME", "write a plugin to start from", lb_command_new_plugin },
  { "schema", "", "print the JSON Schema of pipeline files, for editors", lb_command_schema },
  { "manual", "[PAGE]", "print a page of the manual, for man", lb_command_manual },
  { "completion", "bash|zsh|fish", "print what makes a shell complete command lines", lb_command_completion },
  { NULL, NULL, NULL, NULL },
};

const LbCommandNote lb_exit_statuses[] = {
  { "0", "success" },
  { "1", "a failure without a kind of its own" },
  { "2", "the command line is wrong" },
  { "3", "the pipeline file, a property, a link or a stream type is wrong" },
  { "4", "a plugin or a schema cannot be loaded" },
  { "5", "input data is missing, truncated or not what it says it is" },
  { "6", "a result cannot be written" },
  { "7", "a value became infinite or not a number" },
  { "8", "a stage broke a rule of the framework" },
  { "9", "a run is predicted to take more memory than there is" },
  { "10", "a run is not the same as its archive, or as another run" },
  { "130", "stopped by SIGINT or SIGTERM, with a checkpoint; a second one kills at once" },
  { NULL, NULL },
};

const LbCommandNote lb_environment[] = {
  { "LIMBECK_PLUGIN_PATH", "more directories to look for plugins in, separated by ':'" },
  { "LIMBECK_SCHEMA_PATH", "more directories to look for stream schemas in" },
  { "LIMBECK_STORE", "directory of the store of results, or none (default: $XDG_CACHE_HOME/limbeck)" },
  { "LIMBECK_KERNELS", "baseline, x86-64-v3 or x86-64-v4: compute as that processor would" },
  { NULL, NULL },
};

static void
print_notes (FILE *file, const char *title, const LbCommandNote *notes)
{
  g_autoptr (LbTable) table = lb_table_new ("ll");
  for (; notes->name != NULL; notes++)
    lb_table_add (table, notes->name, notes->meaning);
  g_autofree char *text = lb_table_to_text (table, 2);
  fprintf (file, "\n%s:\n%s", title, text);
}

static void
print_help (FILE *file)
{
  g_autoptr (LbTable) table = lb_table_new ("ll");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++) {
    g_autofree char *usage
        = g_strjoin (command->arguments[0] != '\0' ? " " : "", command->name, command->arguments, NULL);
    lb_table_add (table, usage, command->summary);
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  fprintf (file,
           "Usage: limbeck COMMAND [OPTION...] [ARGUMENT]\n"
           "       limbeck --version | --help\n"
           "\n"
           "Limbeck runs pipelines of typed tensor streams through stage plugins.\n"
           "\n"
           "Commands:\n%s\n'limbeck COMMAND --help' tells the options of a command.\n",
           text);
  print_notes (file, "Exit status", lb_exit_statuses);
  print_notes (file, "Environment", lb_environment);
}

static int
run_command (int argc, char **argv)
{
  const char *names[G_N_ELEMENTS (lb_commands)];
  for (guint i = 0; i < G_N_ELEMENTS (lb_commands); i++) {
    names[i] = lb_commands[i].name;
    if (names[i] != NULL && strcmp (argv[0], names[i]) == 0)
      return lb_commands[i].run (argc, argv);
  }
  g_autofree char *word = g_utf8_make_valid (argv[0], -1);
  g_autofree char *hint = lb_suggestion (word, names);
  return lb_command_usage ("'%s' is not a command%s", word, hint);
}

/* Fails for kernels nobody has: to run with others would be to give other bits in silence. */
static int
check_environment (void)
{
  const char *kernels = g_getenv ("LIMBECK_KERNELS");
  if (kernels == NULL || lb_kernels_known (kernels))
    return 0;
  return lb_command_usage ("the environment's LIMBECK_KERNELS is '%s'; expected baseline, x86-64-v3 or x86-64-v4",
                           kernels);
}

static int
dispatch (int argc, char **argv)
{
  if (argc < 2) {
    print_help (stderr);
    return LB_ERROR_USAGE;
  }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0 || strcmp (argv[1], "help") == 0) {
    print_help (stdout);
    return 0;
  }
  if (strcmp (argv[1], "--version") == 0) {
    printf ("limbeck %s\n%s\n", LB_VERSION, lb_arithmetic_description ());
    return 0;
  }
  return run_command (argc - 1, argv + 1);
}

static gboolean
reader_has_left (void)
{
  struct pollfd output = { .fd = STDOUT_FILENO };
  return poll (&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

/* What was printed may still wait in a buffer; whether it arrives is part of success. A reader that has left wanted no
 * more, which needs no words. */
static int
finish_output (int status)
{
  errno = 0;
  if (fflush (stdout) == 0 && !ferror (stdout))
    return status;
  /* The reason of an earlier failure is forgotten. */
  if (errno != 0 ? errno != EPIPE : !reader_has_left ())
    fprintf (stderr, "limbeck: standard output cannot be written%s%s\n", errno != 0 ? ": " : "",
             errno != 0 ? g_strerror (errno) : "");
  return status != 0 ? status : LB_ERROR_OUTPUT;
}

int
main (int argc, char **argv)
{
  /* Names of files in the user's encoding; numbers always with a point. */
  setlocale (LC_CTYPE, "");
  /* A full disk and a reader that has left are errors of write(), told with a sentence. */
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);
  lb_crash_report ();
  /* Large blocks go back to the system when they are freed, whatever was freed before: what a run takes can be
   * predicted. */
  mallopt (M_MMAP_THRESHOLD, 1 << 20);
  int status = check_environment ();
  return finish_output (status != 0 ? status : dispatch (argc, argv));
}
