/* Pages of the manual. roff reads a line that begins with '.' or ''' as a request, and '\' everywhere; a '-' that is
 * meant to be typed is written "\-". All texts pass add_text(), which sees to that.
 */
#include <string.h>

#include "cli/manual.h"
#include "pipeline/keys.h"

/* ---- Texts ---- */

static void
add_text (GString *page, const char *text)
{
  for (const char *c = text; *c != '\0'; c++) {
    gboolean starts = page->len == 0 || page->str[page->len - 1] == '\n';
    if (starts && (*c == '.' || *c == '\''))
      g_string_append (page, "\\&");
    if (*c == '\\')
      g_string_append (page, "\\e");
    else if (*c == '-')
      g_string_append (page, "\\-");
    else
      g_string_append_c (page, *c);
  }
}

static void
add_line (GString *page, const char *text)
{
  add_text (page, text);
  g_string_append_c (page, '\n');
}

/* A line that is laid out by its spaces. */
static gboolean
is_laid_out (const char *line)
{
  return line[0] == ' ' || strstr (line, "   ") != NULL;
}

/* Lines of prose are filled; empty ones part paragraphs; laid-out ones stay as they are. */
static void
add_prose (GString *page, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  gboolean laid_out = FALSE, empty = TRUE;
  for (guint i = 0; lines[i] != NULL; i++) {
    if (lines[i][0] == '\0' && (empty || lines[i + 1] == NULL))
      continue;
    if (is_laid_out (lines[i]) != laid_out && lines[i][0] != '\0') {
      laid_out = !laid_out;
      g_string_append (page, laid_out ? ".RS\n.nf\n" : ".fi\n.RE\n");
    }
    empty = lines[i][0] == '\0';
    if (empty)
      g_string_append (page, laid_out ? "\n" : ".PP\n");
    else
      add_line (page, lines[i]);
  }
  if (laid_out)
    g_string_append (page, ".fi\n.RE\n");
}

static void
add_section (GString *page, const char *title)
{
  g_string_append_printf (page, ".SH %s\n", title);
}

static void
add_notes (GString *page, const char *title, const LbCommandNote *notes)
{
  add_section (page, title);
  for (; notes->name != NULL; notes++) {
    g_string_append (page, ".TP\n.B ");
    add_line (page, notes->name);
    add_line (page, notes->meaning);
  }
}

/* ".TH" and NAME; @name is "limbeck-run". */
static GString *
page_new (const char *name, guint section, const char *summary)
{
  GString *page = g_string_new (".\\\" Made by 'limbeck manual' from the command's own tables.\n");
  g_autofree char *title = g_ascii_strup (name, -1);
  g_string_append (page, ".TH ");
  add_text (page, title);
  g_string_append_printf (page, " %u \"\" \"Limbeck " LB_VERSION "\" \"Manual of Limbeck\"\n.SH NAME\n", section);
  add_text (page, name);
  g_string_append (page, " \\- ");
  add_line (page, summary);
  return page;
}

/* ---- A subcommand ---- */

static void
add_option (GString *page, const GOptionEntry *entry)
{
  g_string_append (page, ".TP\n");
  if (entry->short_name != '\0')
    g_string_append_printf (page, "\\fB\\-%c\\fR, ", entry->short_name);
  g_string_append (page, "\\fB\\-\\-");
  add_text (page, entry->long_name);
  g_string_append (page, "\\fR");
  if (entry->arg_description != NULL) {
    g_string_append (page, "=\\fI");
    add_text (page, entry->arg_description);
    g_string_append (page, "\\fR");
  }
  g_string_append_c (page, '\n');
  add_line (page, entry->description);
}

static void
add_command (const LbCommand *command, const LbCommandHelp *help, gpointer data)
{
  GString *page = data;
  add_section (page, "SYNOPSIS");
  g_string_append (page, ".B limbeck ");
  add_line (page, command->name);
  g_string_append (page, ".RI [ OPTION ...]\n");
  if (help->arguments[0] != '\0') {
    g_string_append (page, ".I ");
    add_line (page, help->arguments);
  }
  add_section (page, "DESCRIPTION");
  add_prose (page, help->summary);
  if (help->description != NULL) {
    g_string_append (page, ".PP\n");
    add_prose (page, help->description);
  }
  add_section (page, "OPTIONS");
  for (const GOptionEntry *entry = help->entries; entry->long_name != NULL; entry++)
    add_option (page, entry);
  add_option (page, &(GOptionEntry){ "help", 'h', 0, G_OPTION_ARG_NONE, NULL, "Show this help", NULL });
}

static char *
command_page (const LbCommand *command)
{
  g_autofree char *name = g_strconcat ("limbeck-", command->name, NULL);
  GString *page = page_new (name, 1, command->summary);
  lb_command_describe (command, add_command, page);
  add_notes (page, "EXIT STATUS", lb_exit_statuses);
  add_notes (page, "ENVIRONMENT", lb_environment);
  add_section (page, "SEE ALSO");
  g_string_append (page, ".BR limbeck (1),\n.BR limbeck\\-pipeline (5)\n");
  return g_string_free (page, FALSE);
}

/* ---- The whole command ---- */

static char *
main_page (void)
{
  GString *page = page_new ("limbeck", 1, "run pipelines of typed tensor streams, for the distillation of data sets");
  add_section (page, "SYNOPSIS");
  g_string_append (page, ".B limbeck\n.I COMMAND\n.RI [ OPTION ...]\n.RI [ ARGUMENT ]\n.br\n"
                         ".B limbeck\n.BR \\-\\-version\\~ |\\~ \\-\\-help\n");
  add_section (page, "DESCRIPTION");
  add_prose (page,
             "Limbeck loads stage plugins (sources, distillers, trainers, evaluators), connects them through typed "
             "streams of tensors, and runs what a pipeline file describes. Its first use is dataset distillation with "
             "label augmentation. A pipeline is checked before anything runs; results appear under their final names "
             "only when they are complete; the same file and seed give the same bits at any number of threads, on any "
             "processor with AVX2 or AVX-512, but for whitening, which is OpenBLAS's.");
  add_section (page, "COMMANDS");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++) {
    g_string_append (page, ".TP\n.BR limbeck\\-");
    add_text (page, command->name);
    g_string_append (page, " (1)\n");
    add_line (page, command->summary);
  }
  add_notes (page, "EXIT STATUS", lb_exit_statuses);
  add_notes (page, "ENVIRONMENT", lb_environment);
  add_section (page, "SEE ALSO");
  g_string_append (page, ".BR limbeck\\-pipeline (5)\n");
  return g_string_free (page, FALSE);
}

/* ---- Pipeline files ---- */

static void
add_keys (GString *page, const LbPipelineKey *keys)
{
  for (; keys->name != NULL; keys++) {
    g_string_append (page, ".TP\n.B ");
    add_line (page, keys->name);
    add_line (page, keys->doc);
  }
}

static char *
pipeline_page (void)
{
  GString *page = page_new ("limbeck-pipeline", 5, "what a pipeline file of Limbeck says");
  add_section (page, "DESCRIPTION");
  add_prose (page,
             "A pipeline file is a plain subset of YAML: mappings, lists and single values, without anchors, tags and "
             "duplicate keys. What a value means is decided by the table of properties of its stage and not guessed "
             "from how it looks. All mistakes of a file are told in one pass, each with its line and column.");
  add_section (page, "KEYS");
  add_keys (page, lb_pipeline_keys);
  add_section (page, "KEYS OF A STAGE");
  add_keys (page, lb_stage_keys);
  add_section (page, "EXAMPLE");
  add_prose (page, " limbeck: 1\n"
                   " title: Ten real images of each class\n"
                   " seed: 7\n"
                   " params: {data: /usr/share/datasets/fashion-mnist, ipc: 10}\n"
                   " stages:\n"
                   "   train:\n"
                   "     plugin: idx\n"
                   "     with:\n"
                   "       images: \"${data}/train-images-idx3-ubyte.gz\"\n"
                   "       labels: \"${data}/train-labels-idx1-ubyte.gz\"\n"
                   "   chosen:\n"
                   "     plugin: random-selection\n"
                   "     inputs: {source: train.samples}\n"
                   "     with: {images-per-class: \"${ipc}\"}\n"
                   "   result:\n"
                   "     plugin: npz-sink\n"
                   "     inputs: {samples: chosen.samples}\n");
  add_section (page, "SEE ALSO");
  g_string_append (page, ".BR limbeck\\-inspect (1),\n.BR limbeck\\-check (1),\n.BR limbeck\\-schema (1)\n");
  return g_string_free (page, FALSE);
}

/* ---- All pages ---- */

const char **
lb_manual_pages (void)
{
  GPtrArray *names = g_ptr_array_new ();
  g_ptr_array_add (names, "limbeck");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++)
    g_ptr_array_add (names, (gpointer)command->name);
  g_ptr_array_add (names, "pipeline");
  g_ptr_array_add (names, NULL);
  return (const char **)g_ptr_array_free (names, FALSE);
}

char *
lb_manual_page (const char *name, char **file)
{
  *file = NULL;
  if (strcmp (name, "limbeck") == 0) {
    *file = g_strdup ("limbeck.1");
    return main_page ();
  }
  if (strcmp (name, "pipeline") == 0) {
    *file = g_strdup ("limbeck-pipeline.5");
    return pipeline_page ();
  }
  for (const LbCommand *command = lb_commands; command->name != NULL; command++)
    if (strcmp (command->name, name) == 0) {
      *file = g_strdup_printf ("limbeck-%s.1", name);
      return command_page (command);
    }
  return NULL;
}
