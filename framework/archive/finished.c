/* Reading of a run's provenance. */
#include "archive/finished.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/journal.h"
#include "pipeline/provenance.h"

static JsonObject *
get_object (const LbFinished *finished, const char *name)
{
  JsonObject *root = JSON_NODE_HOLDS_OBJECT (finished->root) ? json_node_get_object (finished->root) : NULL;
  JsonNode *node = root != NULL ? json_object_get_member (root, name) : NULL;
  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static gboolean
take_parts (LbFinished *finished, const char *path, GError **error)
{
  finished->object = get_object (finished, "manifest");
  finished->texts = get_object (finished, "texts");
  finished->keys = get_object (finished, "keys");
  if (finished->object == NULL || finished->texts == NULL || finished->keys == NULL)
    return lb_input_error (path, error, "is not what a run leaves; run the pipeline again");
  g_autofree char *text
      = json_to_string (json_object_get_member (json_node_get_object (finished->root), "manifest"), FALSE);
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
