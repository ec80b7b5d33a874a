/* Options, loading and error output of all subcommands. Nothing goes through g_print(), which would replace what the
 * locale cannot show.
 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

#define MAX_THREADS 1024

void
lb_changes_clear (LbChanges *changes)
{
  g_clear_pointer (&changes->params, g_strfreev);
  g_clear_pointer (&changes->settings, g_strfreev);
  g_clear_pointer (&changes->seed, g_free);
  g_clear_pointer (&changes->found, g_strfreev);
}

void
lb_loaded_clear (LbLoaded *loaded)
{
  g_clear_pointer (&loaded->plan, lb_plan_free);
  g_clear_pointer (&loaded->pipeline, lb_pipeline_free);
  g_clear_pointer (&loaded->registry, lb_registry_free);
}

/* ---- Output ---- */

int
lb_command_fail (const GError *error)
{
  g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    fprintf (stderr, "limbeck: %s\n", lines[i]);
  return lb_error_exit_status (error);
}

int
lb_command_usage (const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  fprintf (stderr, "limbeck: %s\n", text);
  return LB_ERROR_USAGE;
}

/* ---- Options ---- */

/* Who wants to know what a subcommand says of itself; set while it is asked. */
static struct {
  const LbCommand *command;
  void (*visit) (const LbCommand *command, const LbCommandHelp *help, gpointer data);
  gpointer data;
} visitor;

void
lb_command_describe (const LbCommand *command,
                     void (*visit) (const LbCommand *command, const LbCommandHelp *help, gpointer data), gpointer data)
{
  char *argv[] = { (char *)command->name, NULL };
  visitor.command = command;
  visitor.visit = visit;
  visitor.data = data;
  command->run (1, argv);
  visitor.visit = NULL;
}

LbParsed
lb_command_parse (int argc, char **argv, const GOptionEntry *entries, const char *arguments, const char *summary,
                  const char *description, guint min, guint max, GStrv *others)
{
  gboolean help = FALSE;
  if (visitor.visit != NULL) {
    visitor.visit (visitor.command, &(LbCommandHelp){ entries, arguments, summary, description }, visitor.data);
    return LB_PARSED_HELP;
  }
  const GOptionEntry common[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "Show this help", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, others, NULL, arguments },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GError) error = NULL;
  g_autofree char *name = g_strconcat ("limbeck ", argv[0], NULL);
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, summary);
  g_option_context_set_description (context, description);
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  g_set_prgname (name);

  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    lb_command_usage ("%s; see '%s --help'", error->message, name);
    return LB_PARSED_WRONG;
  }
  if (help) {
    g_autofree char *text = g_option_context_get_help (context, TRUE, NULL);
    fputs (text, stdout);
    return LB_PARSED_HELP;
  }
  guint n = *others != NULL ? g_strv_length (*others) : 0;
  if (n >= min && n <= max)
    return LB_PARSED;
  if (n < min)
    lb_command_usage ("%s is missing; see '%s --help'", arguments, name);
  else
    lb_command_usage ("'%s' is one argument too many; see '%s --help'", (*others)[max], name);
  return LB_PARSED_WRONG;
}

int
lb_command_choice (const char *option, const char *text, const char *const *words)
{
  for (int i = 0; words[i] != NULL; i++)
    if (strcmp (words[i], text) == 0)
      return i;
  g_autofree char *list = g_strjoinv (", ", (char **)words);
  lb_command_usage ("--%s is '%s'; expected one of %s", option, text, list);
  return -1;
}

int
lb_command_threads (const char *text)
{
  guint64 threads = 0;
  if (text == NULL || g_ascii_string_to_unsigned (text, 10, 1, MAX_THREADS, &threads, NULL))
    return (int)threads;
  lb_command_usage ("--threads is '%s'; expected a whole number from 1 to %d", text, MAX_THREADS);
  return -1;
}

/* ---- Pipelines ---- */

/* NULL-terminated texts from the command line may be in any encoding; everything behind expects UTF-8. */
static gboolean
check_encoding (const char *option, const char *const *texts)
{
  for (guint i = 0; texts != NULL && texts[i] != NULL; i++)
    if (!g_utf8_validate (texts[i], -1, NULL)) {
      g_autofree char *shown = g_utf8_make_valid (texts[i], -1);
      lb_command_usage ("--%s %s: the text is not UTF-8", option, shown);
      return FALSE;
    }
  return TRUE;
}

static int
tell_problems (const char *path, LbProblems *problems)
{
  g_autofree char *text = lb_problems_to_text (problems);
  guint n = lb_problems_count (problems);
  fprintf (stderr, "%slimbeck: '%s' has %u mistake%s\n", text, path, n, n == 1 ? "" : "s");
  return lb_problems_exit_status (problems);
}

/* Leaves out what is not needed for the stage @loaded->until; the whole has been checked. */
static int
restrict_to (LbLoaded *loaded, LbProblems *problems)
{
  if (!lb_pipeline_restrict (loaded->pipeline, loaded->until)) {
    g_autoptr (GPtrArray) names = g_ptr_array_new ();
    for (guint i = 0; i < loaded->pipeline->stages->len; i++)
      g_ptr_array_add (names, ((LbPipelineStage *)loaded->pipeline->stages->pdata[i])->name);
    g_ptr_array_add (names, NULL);
    g_autofree char *hint = lb_suggestion (loaded->until, (const char *const *)names->pdata);
    return lb_command_usage ("the pipeline has no stage '%s'%s", loaded->until, hint);
  }
  guint threads = loaded->plan->threads;
  lb_plan_free (loaded->plan);
  loaded->plan = lb_plan_new (loaded->pipeline, loaded->registry, problems);
  loaded->plan->threads = threads;
  lb_plan_configure (loaded->plan, problems);
  return 0;
}

int
lb_command_load (const char *path, const LbChanges *changes, gboolean configure, LbLoaded *loaded)
{
  const char *const *params = (const char *const *)changes->params;
  const char *const *settings = (const char *const *)changes->settings;
  const char *const seeds[] = { changes->seed, NULL };
  if (!check_encoding ("param", params) || !check_encoding ("set", settings) || !check_encoding ("seed", seeds))
    return LB_ERROR_USAGE;

  g_autoptr (LbProblems) problems = lb_problems_new (path);
  LbPipelineOverrides overrides = { params, settings, changes->seed, (const char *const *)changes->found };
  loaded->pipeline = lb_pipeline_read (path, &overrides, problems);
  if (loaded->pipeline != NULL) {
    loaded->registry = lb_registry_new_default ();
    loaded->plan = lb_plan_new (loaded->pipeline, loaded->registry, problems);
    if (loaded->threads > 0)
      loaded->plan->threads = loaded->threads;
    if (configure)
      lb_plan_configure (loaded->plan, problems);
  }
  if (lb_problems_count (problems) > 0)
    return tell_problems (path, problems);
  GPtrArray *failed = lb_registry_problems (loaded->registry);
  for (guint i = 0; i < failed->len; i++)
    fprintf (stderr, "limbeck: warning: %s\n", (char *)failed->pdata[i]);
  return loaded->until != NULL ? restrict_to (loaded, problems) : 0;
}

/* ---- The store ---- */

/* Where the store is, free with g_free(): @path or what the environment names, or else the user's own; NULL when there
 * is to be none. */
static char *
place_store (const char *path, gboolean *is_named)
{
  const char *named = path != NULL ? path : g_getenv ("LIMBECK_STORE");
  *is_named = named != NULL && *named != '\0';
  if (path == NULL && g_strcmp0 (named, "none") == 0)
    return NULL;
  return *is_named ? g_strdup (named) : lb_store_default_path ();
}

int
lb_command_find_store (const char *path, LbStore **store)
{
  g_autoptr (GError) error = NULL;
  gboolean is_named;
  g_autofree char *place = place_store (path, &is_named);
  *store = place != NULL ? lb_store_find (place, &error) : NULL;
  return error != NULL && path != NULL ? lb_command_fail (error) : 0;
}

int
lb_command_open_store (const char *path, gboolean without, gboolean is_dry, LbStore **store)
{
  g_autoptr (GError) error = NULL;
  gboolean is_named;
  g_autofree char *place = place_store (path, &is_named);
  *store = NULL;
  if (without && path != NULL)
    return lb_command_usage ("--store and --no-store are given together; give one of them");
  if (without || place == NULL || (is_dry && lb_store_may_be_made (place)))
    return 0;
  *store = lb_store_open (place, &error);
  if (*store != NULL)
    return 0;
  if (is_named)
    return lb_command_fail (error);
  fprintf (stderr, "limbeck: warning: nothing is kept: %s\n", error->message);
  return 0;
}
