/* limbeck completion: what makes a shell complete command lines, from the tables of subcommands.
 *
 * What a word may be follows from the tables' words for it: FILE, PATH and DIR are looked for on disk, "a|b" is one of
 * these, NAME of inspect is asked of the command itself, so that plugins of others are known; other words are the
 * user's own.
 */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

typedef enum { WORD_OWN, WORD_FILE, WORD_DIRECTORY, WORD_CHOICE, WORD_NAME } WordKind;

static WordKind
word_kind (const char *word)
{
  if (word == NULL)
    return WORD_OWN;
  if (strchr (word, '|') != NULL)
    return WORD_CHOICE;
  if (strstr (word, "NAME]") != NULL)
    return WORD_NAME;
  if (strstr (word, "DIR") != NULL)
    return WORD_DIRECTORY;
  return strstr (word, "FILE") != NULL || strstr (word, "PATH") != NULL ? WORD_FILE : WORD_OWN;
}

/* The words of "a|b", parted by spaces. */
static char *
choices (const char *word)
{
  char *list = g_strdup (word);
  for (char *c = list; *c != '\0'; c++)
    if (strchr ("|[]", *c) != NULL)
      *c = ' ';
  return g_strstrip (list);
}

/* @text within single quotes of a shell. */
static char *
quoted (const char *text, gboolean zsh)
{
  GString *out = g_string_new (NULL);
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '\'')
      g_string_append (out, "'\\''");
    else if (zsh && strchr (":[]\\", *c) != NULL)
      g_string_append_printf (out, "\\%c", *c);
    else
      g_string_append_c (out, *c);
  }
  return g_string_free (out, FALSE);
}

/* ---- bash ---- */

/* The command that fills COMPREPLY with what @word may be. */
static void
bash_word (GString *out, const char *indent, const char *word)
{
  g_autofree char *list = word_kind (word) == WORD_CHOICE ? choices (word) : NULL;
  switch (word_kind (word)) {
  case WORD_FILE:
    g_string_append_printf (out, "%scompopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\"))\n", indent);
    return;
  case WORD_DIRECTORY:
    g_string_append_printf (out, "%scompopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\"))\n", indent);
    return;
  case WORD_CHOICE:
    g_string_append_printf (out, "%sCOMPREPLY=($(compgen -W '%s' -- \"$word\"))\n", indent, list);
    return;
  case WORD_NAME:
    g_string_append_printf (
        out, "%sCOMPREPLY=($(compgen -W \"$(limbeck inspect --format=names 2>/dev/null)\" -- \"$word\"))\n", indent);
    return;
  default:
    g_string_append_printf (out, "%s:\n", indent);
  }
}

static void
bash_command (const LbCommand *command, const LbCommandHelp *help, gpointer data)
{
  GString *out = data;
  g_string_append_printf (out, "    %s)\n      case $previous in\n", command->name);
  for (const GOptionEntry *entry = help->entries; entry->long_name != NULL; entry++) {
    if (entry->arg_description == NULL)
      continue;
    g_string_append_printf (out, "        --%s", entry->long_name);
    if (entry->short_name != '\0')
      g_string_append_printf (out, " | -%c", entry->short_name);
    g_string_append (out, ")\n");
    bash_word (out, "          ", entry->arg_description);
    g_string_append (out, "          return ;;\n");
  }
  g_string_append (out, "      esac\n      case $word in\n        -*) COMPREPLY=($(compgen -W '");
  for (const GOptionEntry *entry = help->entries; entry->long_name != NULL; entry++)
    g_string_append_printf (out, "--%s ", entry->long_name);
  g_string_append (out, "--help' -- \"$word\")) ;;\n        *)\n");
  bash_word (out, "          ", help->arguments);
  g_string_append (out, "          ;;\n      esac ;;\n");
}

static void
make_bash (GString *out)
{
  g_string_append (out, "# bash completion of limbeck; made by 'limbeck completion bash'\n"
                        "_limbeck () {\n"
                        "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
                        "  COMPREPLY=()\n"
                        "  # bash parts --option=value into three words.\n"
                        "  [ \"$word\" != = ] || word=\n"
                        "  [ \"$previous\" != = ] || previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
                        "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                        "    COMPREPLY=($(compgen -W '");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++)
    g_string_append_printf (out, "%s ", command->name);
  g_string_append (out, "--help --version' -- \"$word\"))\n    return\n  fi\n  case ${COMP_WORDS[1]} in\n");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++)
    lb_command_describe (command, bash_command, out);
  g_string_append (out, "  esac\n}\ncomplete -F _limbeck limbeck\n");
}

/* ---- zsh ---- */

/* What _arguments runs for a word. */
static char *
zsh_action (const char *word)
{
  g_autofree char *list = word_kind (word) == WORD_CHOICE ? choices (word) : NULL;
  switch (word_kind (word)) {
  case WORD_FILE:
    return g_strdup ("_files");
  case WORD_DIRECTORY:
    return g_strdup ("_files -/");
  case WORD_CHOICE:
    return g_strdup_printf ("(%s)", list);
  case WORD_NAME:
    return g_strdup ("_limbeck_names");
  default:
    return g_strdup (" ");
  }
}

static void
zsh_command (const LbCommand *command, const LbCommandHelp *help, gpointer data)
{
  GString *out = data;
  g_string_append_printf (out, "    %s)\n      _arguments -s \\\n", command->name);
  for (const GOptionEntry *entry = help->entries; entry->long_name != NULL; entry++) {
    g_autofree char *doc = quoted (entry->description, TRUE), *action = zsh_action (entry->arg_description);
    /* Lists may be given several times. */
    gboolean many = entry->arg == G_OPTION_ARG_FILENAME_ARRAY || entry->arg == G_OPTION_ARG_STRING_ARRAY;
    for (guint form = 0; form < 2; form++) {
      if (form == 0 && entry->short_name == '\0')
        continue;
      g_string_append_printf (out, "        '%s", many ? "*" : "");
      if (form == 0)
        g_string_append_printf (out, "-%c", entry->short_name);
      else
        g_string_append_printf (out, "--%s%s", entry->long_name, entry->arg_description != NULL ? "=" : "");
      g_string_append_printf (out, "[%s]", doc);
      if (entry->arg_description != NULL) {
        g_autofree char *word = quoted (entry->arg_description, TRUE);
        g_string_append_printf (out, ":%s:%s", word, action);
      }
      g_string_append (out, "' \\\n");
    }
  }
  g_string_append (out, "        '--help[Show this help]'");
  if (help->arguments[0] != '\0') {
    g_autofree char *action = zsh_action (help->arguments), *word = quoted (help->arguments, TRUE);
    g_string_append_printf (out, " \\\n        '*:%s:%s'", word, action);
  }
  g_string_append (out, " ;;\n");
}

static void
make_zsh (GString *out)
{
  g_string_append (out, "#compdef limbeck\n"
                        "# zsh completion of limbeck; made by 'limbeck completion zsh'\n"
                        "_limbeck_names () {\n"
                        "  local -a names\n"
                        "  names=(${(f)\"$(limbeck inspect --format=names 2>/dev/null)\"})\n"
                        "  _describe name names\n"
                        "}\n"
                        "_limbeck () {\n"
                        "  local -a commands\n"
                        "  commands=(\n");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++) {
    g_autofree char *doc = quoted (command->summary, TRUE);
    g_string_append_printf (out, "    '%s:%s'\n", command->name, doc);
  }
  g_string_append (out, "  )\n"
                        "  if (( CURRENT == 2 )); then\n"
                        "    _describe command commands\n"
                        "    return\n"
                        "  fi\n"
                        "  local command=$words[2]\n"
                        "  shift words\n"
                        "  (( CURRENT-- ))\n"
                        "  case $command in\n");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++)
    lb_command_describe (command, zsh_command, out);
  g_string_append (out,
                   "  esac\n}\n"
                   "if [ \"$funcstack[1]\" = _limbeck ]; then _limbeck \"$@\"; else compdef _limbeck limbeck; fi\n");
}

/* ---- fish ---- */

/* Options of `complete` that say what a word may be. */
static char *
fish_word (const char *word)
{
  g_autofree char *list = word_kind (word) == WORD_CHOICE ? choices (word) : NULL;
  switch (word_kind (word)) {
  case WORD_FILE:
    return g_strdup ("-F");
  case WORD_DIRECTORY:
    return g_strdup ("-f -a '(__fish_complete_directories)'");
  case WORD_CHOICE:
    return g_strdup_printf ("-f -a '%s'", list);
  case WORD_NAME:
    return g_strdup ("-f -a '(limbeck inspect --format=names 2>/dev/null)'");
  default:
    return g_strdup ("-f");
  }
}

static void
fish_command (const LbCommand *command, const LbCommandHelp *help, gpointer data)
{
  GString *out = data;
  g_autofree char *summary = quoted (command->summary, FALSE), *words = fish_word (help->arguments);
  g_string_append_printf (out, "complete -c limbeck -n __fish_use_subcommand -f -a %s -d '%s'\n", command->name,
                          summary);
  g_string_append_printf (out, "complete -c limbeck -n '__fish_seen_subcommand_from %s' %s\n", command->name, words);
  for (const GOptionEntry *entry = help->entries; entry->long_name != NULL; entry++) {
    g_autofree char *doc = quoted (entry->description, FALSE), *word = fish_word (entry->arg_description);
    g_string_append_printf (out, "complete -c limbeck -n '__fish_seen_subcommand_from %s' -l %s", command->name,
                            entry->long_name);
    if (entry->short_name != '\0')
      g_string_append_printf (out, " -s %c", entry->short_name);
    g_string_append_printf (out, "%s%s -d '%s'\n", entry->arg_description != NULL ? " -r " : " ",
                            entry->arg_description != NULL ? word : "-f", doc);
  }
}

static void
make_fish (GString *out)
{
  g_string_append (out, "# fish completion of limbeck; made by 'limbeck completion fish'\n"
                        "complete -c limbeck -f\n"
                        "complete -c limbeck -l help -s h -d 'Show help'\n"
                        "complete -c limbeck -n __fish_use_subcommand -l version -d 'Show the version'\n");
  for (const LbCommand *command = lb_commands; command->name != NULL; command++)
    lb_command_describe (command, fish_command, out);
}

/* ---- The command ---- */

int
lb_command_completion (int argc, char **argv)
{
  static const char *const shells[] = { "bash", "zsh", "fish", NULL };
  static void (*const make[]) (GString *) = { make_bash, make_zsh, make_fish };
  g_auto (GStrv) names = NULL;
  const GOptionEntry entries[] = { G_OPTION_ENTRY_NULL };
  LbParsed parsed = lb_command_parse (argc, argv, entries, "bash|zsh|fish",
                                      "Prints what makes a shell complete command lines of limbeck.",
                                      "An installed limbeck has them in place. To try them from a build tree:\n"
                                      "  bash   source <(limbeck completion bash)\n"
                                      "  zsh    source <(limbeck completion zsh)\n"
                                      "  fish   limbeck completion fish | source",
                                      1, 1, &names);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  for (guint i = 0; shells[i] != NULL; i++) {
    if (strcmp (shells[i], names[0]) != 0)
      continue;
    g_autoptr (GString) text = g_string_new (NULL);
    make[i](text);
    fputs (text->str, stdout);
    return 0;
  }
  g_autofree char *word = g_utf8_make_valid (names[0], -1), *hint = lb_suggestion (word, shells);
  return lb_command_usage ("'%s' is no shell that completion is made for%s", word, hint);
}
