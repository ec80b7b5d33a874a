/* limbeck status: how far a run is, told from its record, by whatever process and however the run ended. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/table.h"
#include "pipeline/journal.h"

#define LARGEST_STATUS (16 << 20)
#define LARGEST_LOG    ((gsize)1 << 30)

typedef struct {
  char *format, *lines;
  GStrv directories;
  gboolean as_json;
  guint n_lines;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->format);
  g_free (options->lines);
  g_strfreev (options->directories);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static LbParsed
parse (int argc, char **argv, Options *options)
{
  const GOptionEntry entries[] = {
    { "format", 0, 0, G_OPTION_ARG_FILENAME, &options->format, "What to print (default: text)", "text|json" },
    { "lines", 'n', 0, G_OPTION_ARG_FILENAME, &options->lines, "Lines of the log to print (default: 5)", "N" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (
      argc, argv, entries, "DIR", "Tells how far the run is that writes to DIR, or how it ended.",
      "DIR is what 'limbeck run' has as --output. The state is running, done, failed, stopped, or\n"
      "killed: of a run whose process is gone without having said so. The run itself is left alone.",
      1, 1, &options->directories);
  if (parsed != LB_PARSED)
    return parsed;
  static const char *const formats[] = { "text", "json", NULL };
  int format = lb_command_choice ("format", options->format != NULL ? options->format : "text", formats);
  guint64 lines = 5;
  if (format < 0)
    return LB_PARSED_WRONG;
  if (options->lines != NULL && !g_ascii_string_to_unsigned (options->lines, 10, 0, 1000000, &lines, NULL)) {
    lb_command_usage ("--lines is '%s'; expected a whole number from 0 to 1000000", options->lines);
    return LB_PARSED_WRONG;
  }
  options->as_json = format == 1;
  options->n_lines = (guint)lines;
  return LB_PARSED;
}

/* ---- Reading ---- */

/* status.json as an object; members may be missing or of any type, as anybody can write such a file. */
static JsonNode *
read_status (const char *directory, GError **error)
{
  g_autofree char *path = lb_journal_path (directory, "status.json");
  g_autoptr (GBytes) bytes = NULL;
  if (!lb_file_read (path, LARGEST_STATUS, &bytes, error)) {
    g_prefix_error (error, "'%s' holds no run that can be told of: ", directory);
    return NULL;
  }
  gsize length;
  const char *text = g_bytes_get_data (bytes, &length);
  g_autoptr (JsonNode) root = lb_json_parse (path, text != NULL ? text : "", length, NULL);
  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
    return g_steal_pointer (&root);
  lb_input_error (path, error, "is not the status of a run; start the run again to have it written anew");
  return NULL;
}

static const char *
get_text (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

/* NAN when it is null or missing. */
static double
get_number (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node))
    return NAN;
  GType type = json_node_get_value_type (node);
  return type == G_TYPE_INT64 || type == G_TYPE_DOUBLE ? json_node_get_double (node) : NAN;
}

/* The last @n lines of the log, without line ends. Free with g_strfreev(). */
static GStrv
read_log (const char *directory, guint n)
{
  g_autofree char *path = lb_journal_path (directory, "log.txt");
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GPtrArray) lines = g_ptr_array_new ();
  gsize length = 0;
  const char *text = lb_file_read (path, LARGEST_LOG, &bytes, NULL) ? g_bytes_get_data (bytes, &length) : NULL;
  while (lines->len < n && length > 0) {
    gsize end = text[length - 1] == '\n' ? length - 1 : length, start = end;
    while (start > 0 && text[start - 1] != '\n')
      start--;
    g_autofree char *line = g_strndup (text + start, end - start);
    g_ptr_array_insert (lines, 0, g_utf8_make_valid (line, -1));
    length = start;
  }
  g_ptr_array_add (lines, NULL);
  return (GStrv)g_ptr_array_free (g_steal_pointer (&lines), FALSE);
}

/* ---- Telling ---- */

/* Makes the file's state that of this moment: who says "running" and is not there was killed. */
static void
correct_state (JsonObject *status, gboolean live)
{
  JsonNode *node = json_object_get_member (status, "stages");
  JsonArray *stages = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  json_object_set_boolean_member (status, "alive", live);
  if (live || g_strcmp0 (get_text (status, "state"), "running") != 0)
    return;
  json_object_set_string_member (status, "state", "killed");
  for (guint i = 0; stages != NULL && i < json_array_get_length (stages); i++) {
    JsonNode *item = json_array_get_element (stages, i);
    const char *state = JSON_NODE_HOLDS_OBJECT (item) ? get_text (json_node_get_object (item), "state") : NULL;
    if (g_strcmp0 (state, "running") == 0 || g_strcmp0 (state, "waiting") == 0)
      json_object_set_string_member (json_node_get_object (item), "state", "killed");
  }
}

static char *
steps_text (JsonObject *stage)
{
  double done = get_number (stage, "done"), total = get_number (stage, "total");
  if (!(done >= 0) || (done == 0 && !(total > 0)))
    return NULL;
  g_autofree char *count = lb_format_count ((guint64)done);
  if (!(total > 0))
    return g_steal_pointer (&count);
  g_autofree char *all = lb_format_count ((guint64)total);
  return g_strdup_printf ("%s/%s  %3.0f%%", count, all, 100 * MIN (done / total, 1));
}

/* "; parts 3: 40 %, 4: 12 %" behind @text. */
static void
append_parts (GString *text, JsonObject *stage)
{
  JsonNode *node = json_object_get_member (stage, "parts");
  JsonArray *parts = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  for (guint i = 0; parts != NULL && i < json_array_get_length (parts); i++) {
    JsonNode *item = json_array_get_element (parts, i);
    JsonObject *part = JSON_NODE_HOLDS_OBJECT (item) ? json_node_get_object (item) : NULL;
    double number = part != NULL ? get_number (part, "part") : NAN;
    double share = part != NULL ? get_number (part, "done") / get_number (part, "total") : NAN;
    if (number >= 0 && share >= 0)
      g_string_append_printf (text, "%s%.0f: %.0f%%", i == 0 ? "; parts " : ", ", number, 100 * MIN (share, 1));
  }
}

static char *
value_text (JsonObject *stage)
{
  const char *name = get_text (stage, "name"), *metric = get_text (stage, "metric");
  GString *text = g_string_new (NULL);
  if (name != NULL)
    g_string_append_printf (text, "%s %.4g", name, get_number (stage, "value"));
  if (metric != NULL)
    g_string_append_printf (text, "%s%s %.4g", name != NULL ? ", " : "", metric, get_number (stage, "metric_value"));
  append_parts (text, stage);
  return g_string_free (text, FALSE);
}

static void
add_row (LbTable *table, JsonObject *stage)
{
  double rate = get_number (stage, "rate"), left = get_number (stage, "left"), spent = get_number (stage, "seconds");
  gboolean works = g_strcmp0 (get_text (stage, "state"), "running") == 0 || left > 0;
  const char *link = get_text (stage, "waits_for");
  g_autofree char *steps = steps_text (stage), *value = value_text (stage);
  g_autofree char *per_second = works && rate > 0 ? g_strdup_printf ("%.3g/s", rate) : NULL;
  g_autofree char *seconds_left = works && left >= 0 ? lb_format_seconds (left) : NULL;
  g_autofree char *seconds = spent >= 0 ? lb_format_seconds (spent) : NULL;
  g_autofree char *waits = link != NULL && g_strcmp0 (get_text (stage, "state"), "waiting") == 0
                               ? g_strdup_printf ("waits for '%s'", link)
                               : NULL;
  lb_table_add (table, get_text (stage, "stage"), get_text (stage, "state"), steps, per_second, seconds_left, seconds,
                waits != NULL ? waits : value);
}

static void
print_stages (JsonObject *status)
{
  JsonNode *node = json_object_get_member (status, "stages");
  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return;
  JsonArray *stages = json_node_get_array (node);
  g_autoptr (LbTable) table = lb_table_new ("llrrrrl");
  lb_table_add (table, "stage", "state", "steps", "rate", "left", "worked", "now");
  for (guint i = 0; i < json_array_get_length (stages); i++) {
    JsonNode *item = json_array_get_element (stages, i);
    if (JSON_NODE_HOLDS_OBJECT (item))
      add_row (table, json_node_get_object (item));
  }
  g_autofree char *text = lb_table_to_text (table, 0);
  fputs (text, stdout);
}

static const char *
or_unknown (const char *text)
{
  return text != NULL ? text : "?";
}

static void
print_text (JsonObject *status, GStrv log, gboolean live)
{
  double pid = get_number (status, "pid"), seconds = get_number (status, "seconds");
  const char *error = get_text (status, "error");
  g_autofree char *spent = lb_format_seconds (seconds);
  printf ("%s (%s)\n%s after %s; started %s, last told %s; process %.0f on %s is %s\n\n",
          or_unknown (get_text (status, "title")), or_unknown (get_text (status, "pipeline")),
          or_unknown (get_text (status, "state")), spent, or_unknown (get_text (status, "started")),
          or_unknown (get_text (status, "updated")), isnan (pid) ? 0 : pid, or_unknown (get_text (status, "host")),
          live ? "alive" : "gone");
  print_stages (status);
  if (error != NULL)
    printf ("\n%s\n", error);
  if (log[0] != NULL)
    putchar ('\n');
  for (guint i = 0; log[i] != NULL; i++)
    puts (log[i]);
}

static void
print_json (JsonNode *root, JsonObject *status, GStrv log)
{
  JsonArray *lines = json_array_new ();
  for (guint i = 0; log[i] != NULL; i++)
    json_array_add_string_element (lines, log[i]);
  json_object_set_array_member (status, "log", lines);
  g_autofree char *text = lb_json_node_to_text (root, TRUE);
  fputs (text, stdout);
}

int
lb_command_status (int argc, char **argv)
{
  g_auto (Options) options = { 0 };
  LbParsed parsed = parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_autoptr (GError) error = NULL;
  const char *directory = options.directories[0];
  /* Looked at first: a run that ends in between has then written its last status. */
  gboolean live = lb_journal_is_live (directory);
  g_autoptr (JsonNode) root = read_status (directory, &error);
  if (root == NULL)
    return lb_command_fail (error);
  JsonObject *status = json_node_get_object (root);
  g_auto (GStrv) log = read_log (directory, options.n_lines);
  correct_state (status, live);
  if (options.as_json)
    print_json (root, status, log);
  else
    print_text (status, log, live);
  return 0;
}
