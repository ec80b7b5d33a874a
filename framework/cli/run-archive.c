/* limbeck run ARCHIVE: as it was run, or a variation.
 *
 * What was run stands in pipeline.yaml without params. A variation by --param starts from the file as its author wrote
 * it and what was given on the command line then. Either is told where the inputs are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "archive/inputs.h"
#include "archive/reader.h"
#include "base/file.h"
#include "cli/run-parts.h"
#include "graph/program.h"
#include "pipeline/journal.h"

static char *
default_output (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  char *ending = strstr (base, ".tar");
  if (ending != NULL && ending != base)
    *ending = '\0';
  return g_strconcat (base, ".out", NULL);
}

/* What was given when the archive's run was made, but for what @now gives otherwise: "NAME=...". Free with
 * g_strfreev(). */
static char **
join (const LbManifest *manifest, const char *kind, char **now)
{
  GPtrArray *all = g_ptr_array_new ();
  for (guint i = 0; i < manifest->overrides->len; i++) {
    const LbFact *given = manifest->overrides->pdata[i];
    gsize name = strcspn (given->value, "=") + 1;
    gboolean is_replaced = strcmp (given->name, kind) != 0;
    for (guint k = 0; now != NULL && now[k] != NULL; k++)
      is_replaced = is_replaced || strncmp (given->value, now[k], name) == 0;
    if (!is_replaced)
      g_ptr_array_add (all, g_strdup (given->value));
  }
  for (guint k = 0; now != NULL && now[k] != NULL; k++)
    g_ptr_array_add (all, g_strdup (now[k]));
  g_ptr_array_add (all, NULL);
  return (char **)g_ptr_array_free (all, FALSE);
}

static void
start_from_written (LbChanges *changes, const LbManifest *manifest)
{
  char **params = join (manifest, "param", changes->params), **settings = join (manifest, "set", changes->settings);
  g_strfreev (changes->params);
  g_strfreev (changes->settings);
  changes->params = params;
  changes->settings = settings;
  if (changes->seed == NULL)
    changes->seed = g_strdup (manifest->seed);
}

/* A setting of a file that the archive's run was given, and that is found now, is not set twice. */
static void
drop_found (LbChanges *changes)
{
  GPtrArray *left = g_ptr_array_new ();
  for (guint i = 0; changes->settings != NULL && changes->settings[i] != NULL; i++) {
    gsize name = strcspn (changes->settings[i], "=") + 1;
    gboolean is_found = FALSE;
    for (guint k = 0; changes->found[k] != NULL; k++)
      is_found = is_found || strncmp (changes->settings[i], changes->found[k], name) == 0;
    if (!is_found)
      g_ptr_array_add (left, g_strdup (changes->settings[i]));
  }
  g_ptr_array_add (left, NULL);
  g_strfreev (changes->settings);
  changes->settings = (char **)g_ptr_array_free (left, FALSE);
}

static void
tell (const LbRunOptions *options, const char *path, const LbManifest *manifest, gboolean is_variation)
{
  const char *arithmetic = lb_fact_get (manifest->facts, "machine arithmetic");
  if (options->quiet)
    return;
  fprintf (stderr, "limbeck: %s '%s', run at %s\n", is_variation ? "a variation of" : "as recorded in", path,
           manifest->started);
  if (g_strcmp0 (arithmetic, lb_arithmetic_description ()) != 0)
    fprintf (stderr, "limbeck: it was computed with %s, and is now with %s\n", arithmetic != NULL ? arithmetic : "?",
             lb_arithmetic_description ());
}

int
lb_run_open_archive (LbRunOptions *options)
{
  static const char *const only[] = { "inputs/", "pipeline.", NULL };
  g_autoptr (GError) error = NULL;
  const char *path = options->files[0];
  LbChanges *changes = &options->changes;
  gboolean is_variation = changes->params != NULL || changes->settings != NULL || changes->seed != NULL;
  gboolean from_written = changes->params != NULL;
  if (options->output == NULL)
    options->output = default_output (path);
  g_autofree char *folder = lb_journal_path (options->output, "archive");
  lb_store_remove_tree (folder);
  if (g_mkdir_with_parents (folder, 0777) != 0) {
    lb_output_error (folder, errno, &error);
    return lb_command_fail (error);
  }
  g_autoptr (LbArchive) archive = lb_archive_read (path, folder, only, &error);
  LbInputPlaces places = { .unpacked = folder,
                           .folders = (const char *const *)options->data,
                           .given = (const char *const *)changes->settings };
  changes->found = archive != NULL ? lb_inputs_find (archive->manifest, &places, &error) : NULL;
  if (changes->found == NULL)
    return lb_command_fail (error);
  if (from_written) {
    start_from_written (changes, archive->manifest);
    drop_found (changes);
  }
  tell (options, path, archive->manifest, is_variation);
  char *pipeline = g_build_filename (folder, from_written ? LB_ARCHIVE_WRITTEN : LB_ARCHIVE_PIPELINE, NULL);
  g_free (options->files[0]);
  options->files[0] = pipeline;
  return 0;
}
