/* limbeck show: what is inside an archive, for people. */
#include <stdio.h>
#include <string.h>

#include "archive/reader.h"
#include "base/format.h"
#include "cli/command.h"
#include "cli/table.h"

static LbParsed
parse (int argc, char **argv, GStrv *others)
{
  const GOptionEntry entries[] = { G_OPTION_ENTRY_NULL };
  return lb_command_parse (argc, argv, entries, "FILE",
                           "Tells what is inside an archive, which is checked to be intact.",
                           "'limbeck run FILE' runs it again; 'tar -xf FILE' unpacks it.", 1, 1, others);
}

static void
print_facts (const GPtrArray *facts, const char *title)
{
  g_autoptr (LbTable) table = lb_table_new ("ll");
  if (facts->len == 0)
    return;
  for (guint i = 0; i < facts->len; i++) {
    const LbFact *fact = facts->pdata[i];
    lb_table_add (table, fact->name, fact->value != NULL ? fact->value : "not told");
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  printf ("\n%s\n%s", title, text);
}

static void
print_inputs (const LbArchive *archive)
{
  const LbManifest *manifest = archive->manifest;
  g_autoptr (LbTable) table = lb_table_new ("lrll");
  if (manifest->inputs->len == 0)
    return;
  for (guint i = 0; i < manifest->inputs->len; i++) {
    const LbManifestInput *input = manifest->inputs->pdata[i];
    g_autofree char *name = g_path_get_basename (input->path);
    g_autofree char *size = input->is_folder ? g_strdup ("folder") : lb_format_bytes (input->bytes);
    lb_table_add (table, name, size, input->digest, manifest->has_inputs ? "inside" : "not inside");
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  printf ("\nInputs\n%s", text);
}

static guint64
count_packets (const LbManifestStage *stage)
{
  guint64 n = 0;
  for (guint i = 0; i < stage->outputs->len; i++)
    n += ((LbManifestOutput *)stage->outputs->pdata[i])->n_packets;
  return n;
}

/* "accuracy 0.7 fraction, loss 0.9" */
static char *
metrics_text (const LbManifestStage *stage)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < MIN (stage->metrics->len, 4); i++) {
    const LbManifestMetric *metric = stage->metrics->pdata[i];
    g_string_append_printf (text, "%s%s %.4g", i > 0 ? ", " : "", metric->name, metric->value);
  }
  if (stage->metrics->len > 4)
    g_string_append_printf (text, ", and %u more", stage->metrics->len - 4);
  return g_string_free (text, FALSE);
}

static char *
results_text (const LbManifestStage *stage)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (guint i = 0; i < stage->results->len; i++)
    g_ptr_array_add (names, ((LbManifestResult *)stage->results->pdata[i])->name);
  g_ptr_array_add (names, NULL);
  return g_strjoinv (", ", (char **)names->pdata);
}

static void
print_stages (const LbManifest *manifest)
{
  g_autoptr (LbTable) table = lb_table_new ("llrll");
  lb_table_add (table, "stage", "plugin", "packets", "files", "metrics");
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    g_autofree char *packets = g_strdup_printf ("%" G_GUINT64_FORMAT, count_packets (stage));
    g_autofree char *results = results_text (stage), *metrics = metrics_text (stage);
    lb_table_add (table, stage->name, stage->type, packets, results, metrics);
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  printf ("\nStages\n%s", text);
}

/* "plugin NAME version" and the like, one row a plugin. */
static void
print_plugins (const GPtrArray *facts)
{
  static const char prefix[] = "plugin ", suffix[] = " version";
  g_autoptr (LbTable) table = lb_table_new ("llll");
  for (guint i = 0; i < facts->len; i++) {
    const LbFact *fact = facts->pdata[i];
    if (!g_str_has_prefix (fact->name, prefix) || !g_str_has_suffix (fact->name, suffix))
      continue;
    g_autofree char *name = g_strndup (fact->name, strlen (fact->name) - strlen (suffix));
    g_autofree char *interface = g_strconcat (name, " interface", NULL), *source = g_strconcat (name, " source", NULL);
    const char *digest = lb_fact_get (facts, source), *built_for = lb_fact_get (facts, interface);
    lb_table_add (table, name + strlen (prefix), fact->value != NULL ? fact->value : "not told",
                  built_for != NULL ? built_for : "not told", digest != NULL ? digest : "not told");
  }
  g_autofree char *text = lb_table_to_text (table, 2);
  printf ("\nPlugins: version, interface, sources\n%s", text);
}

int
lb_command_show (int argc, char **argv)
{
  g_auto (GStrv) others = NULL;
  g_autoptr (GError) error = NULL;
  LbParsed parsed = parse (argc, argv, &others);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_autoptr (LbArchive) archive = lb_archive_read (others[0], NULL, NULL, &error);
  if (archive == NULL)
    return lb_command_fail (error);
  const LbManifest *manifest = archive->manifest;
  g_autofree char *bytes = lb_format_bytes (archive->bytes);
  guint64 unpacked = 0;
  for (guint i = 0; i < archive->members->len; i++)
    unpacked += ((LbArchiveMember *)archive->members->pdata[i])->bytes;
  g_autofree char *size = lb_format_bytes (unpacked);
  printf ("%s\n", manifest->title);
  printf ("Run from %s to %s, seed %s; %u members, %s, %s unpacked\n", manifest->started, manifest->ended,
          manifest->seed, archive->members->len, bytes, size);
  print_stages (manifest);
  print_inputs (archive);
  print_facts (manifest->overrides, "Given on the command line");
  print_facts (manifest->facts, "Where it was run");
  print_plugins (manifest->plugins);
  return 0;
}
