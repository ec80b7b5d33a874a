/* Reading of a run's provenance. */
#include "archive/finished.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/journal.h"
#include "pipeline/provenance.h"

/* Member @name, an object whose members are all texts. */
static JsonObject *
texts_of (LbJsonReader *reader, JsonObject *root, const char *name)
{
  JsonObject *object = lb_json_object (reader, root, name);
  g_autoptr (GList) names = object != NULL ? json_object_get_members (object) : NULL;
  for (GList *at = names; at != NULL; at = at->next)
    lb_json_text (reader, object, at->data, FALSE);
  return object;
}

static gboolean
take_parts (LbFinished *finished, const char *path, GError **error)
{
  LbJsonReader reader = { .place = path };
  JsonObject *root = lb_json_root (&reader, finished->root);
  finished->object = lb_json_object (&reader, root, "manifest");
  finished->texts = texts_of (&reader, root, "texts");
  finished->keys = texts_of (&reader, root, "keys");
  if (reader.error != NULL) {
    g_propagate_error (error, reader.error);
    return FALSE;
  }
  g_autofree char *text = json_to_string (json_object_get_member (root, "manifest"), FALSE);
  finished->manifest = lb_manifest_parse (path, text, strlen (text), error);
  return finished->manifest != NULL;
}

LbFinished *
lb_finished_read (const char *directory, GError **error)
{
  g_autofree char *path = lb_journal_path (directory, LB_PROVENANCE_FILE);
  g_autofree char *end = g_build_filename (directory, "metrics.json", NULL);
  g_autoptr (LbFinished) finished = g_new0 (LbFinished, 1);
  g_autoptr (GBytes) bytes = NULL;
  gsize length;
  if (!g_file_test (path, G_FILE_TEST_EXISTS) || !g_file_test (end, G_FILE_TEST_EXISTS)) {
    lb_input_error (directory, error,
                    "holds no finished run (run/" LB_PROVENANCE_FILE
                    " and metrics.json, which limbeck run leaves at its end); run the pipeline to its end");
    return NULL;
  }
  if (!lb_file_read (path, LB_MANIFEST_MOST, &bytes, error))
    return NULL;
  const char *text = g_bytes_get_data (bytes, &length);
  finished->root = lb_json_parse (path, text != NULL ? text : "", length, error);
  return finished->root != NULL && take_parts (finished, path, error) ? g_steal_pointer (&finished) : NULL;
}

void
lb_finished_free (LbFinished *finished)
{
  if (finished == NULL)
    return;
  lb_manifest_free (finished->manifest);
  g_clear_pointer (&finished->root, json_node_unref);
  g_free (finished);
}

const char *
lb_finished_key (const LbFinished *finished, const char *stage)
{
  const char *key = json_object_get_string_member_with_default (finished->keys, stage, NULL);
  return lb_is_digest (key) ? key : NULL;
}
