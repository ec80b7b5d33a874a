/* Archives of runs. */
#include "archive/writer.h"

#include <string.h>

#include "archive/crate.h"
#include "archive/finished.h"
#include "archive/pack.h"
#include "archive/sequence.h"
#include "base/error.h"
#include "base/json.h"
#include "pipeline/digest.h"
#include "pipeline/journal.h"
#include "stream/record.h"
#include "tensor/npz.h"

typedef struct {
  const char *directory;
  const LbArchiveSettings *settings;
  LbFinished *run; /* its manifest is changed on the way */
  LbPack *pack;
  GPtrArray *locks; /* LbStoreLock*: what the store must keep until its packets are written */
} Writer;

/* A packet that lies in the store. */
typedef struct {
  char *path, *name; /* of the store's file, and of the member */
  guint64 offset, bytes;
  char digest[LB_DIGEST_SIZE];
  LbPacket *packet; /* borrowed, while it is in memory */
} Stored;

/* ---- Members ---- */

static gboolean
add_texts (Writer *writer, GError **error)
{
  JsonObject *texts = writer->run->texts;
  g_autoptr (GList) names = json_object_get_members (texts);
  for (GList *at = names; at != NULL; at = at->next)
    if (!lb_pack_add_text (writer->pack, at->data, json_object_get_string_member (texts, at->data), error))
      return FALSE;
  static const char *const records[] = { "log.txt", "metrics.csv", "metrics.jsonl" };
  for (guint i = 0; i < G_N_ELEMENTS (records); i++) {
    g_autofree char *name = g_strconcat ("run/", records[i], NULL);
    g_autofree char *path = lb_journal_path (writer->directory, records[i]);
    if (!lb_pack_add_file (writer->pack, name, path, NULL, error))
      return FALSE;
  }
  g_autofree char *metrics = g_build_filename (writer->directory, "metrics.json", NULL);
  return lb_pack_add_file (writer->pack, "run/metrics.json", metrics, NULL, error);
}

static gboolean
add_results (Writer *writer, const LbManifestStage *stage, GError **error)
{
  for (guint i = 0; i < stage->results->len; i++) {
    const LbManifestResult *result = stage->results->pdata[i];
    g_autofree char *name = g_strconcat ("outputs/", result->name, NULL);
    g_autofree char *path = g_build_filename (writer->directory, result->name, NULL);
    char digest[LB_DIGEST_SIZE];
    if (!lb_pack_add_file (writer->pack, name, path, digest, error))
      return FALSE;
    if (strcmp (digest, result->digest) != 0)
      return lb_input_error (
          path, error,
          "has the SHA-256 %s, where stage '%s' left %s; the file was changed after the run: run the "
          "pipeline again",
          digest, stage->name, result->digest);
  }
  return TRUE;
}

/* All files below @path, a folder. */
static gboolean
add_folder (Writer *writer, const char *name, const char *path, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *entry;
  if (dir == NULL)
    return lb_input_error (path, error, "cannot be opened; make it readable for you");
  while ((entry = g_dir_read_name (dir)) != NULL) {
    g_autofree char *inner = g_build_filename (path, entry, NULL), *inner_name = g_build_filename (name, entry, NULL);
    if (g_file_test (inner, G_FILE_TEST_IS_DIR) ? !add_folder (writer, inner_name, inner, error)
                                                : !lb_pack_add_file (writer->pack, inner_name, inner, NULL, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
add_input (Writer *writer, const LbManifestInput *input, GError **error)
{
  char digest[LB_DIGEST_SIZE] = "absent";
  const char *path = input->found != NULL ? input->found : "";
  if (input->is_folder) {
    g_autofree char *whole = lb_digest_of_path (path, NULL);
    g_strlcpy (digest, whole, sizeof digest);
  }
  if (input->is_folder ? !add_folder (writer, input->path, path, error)
                       : !lb_pack_add_file (writer->pack, input->path, path, digest, error))
    return FALSE;
  return strcmp (digest, input->digest) == 0
         || lb_input_error (path, error,
                            "has the SHA-256 %s, where the run read %s; the input was changed after the run: run the "
                            "pipeline again",
                            digest, input->digest);
}

/* ---- Packets ---- */

static void
stored_free (gpointer data)
{
  Stored *stored = data;
  g_free (stored->path);
  g_free (stored->name);
  g_free (stored);
}

/* Its bytes as an .npz file. */
static gboolean
make_npz (gpointer data, LbByteSink sink, gpointer to, GError **error)
{
  const Stored *stored = data;
  g_autoptr (LbPacket) packet = stored->packet != NULL ? lb_packet_ref (stored->packet)
                                                       : lb_record_read_file (stored->path, stored->offset,
                                                                              stored->bytes, stored->digest, error);
  g_autoptr (LbNpzWriter) npz = packet != NULL ? lb_npz_writer_new_to (stored->name, FALSE, sink, to, error) : NULL;
  for (guint i = 0; npz != NULL && i < lb_packet_n_fields (packet); i++)
    if (!lb_npz_writer_add (npz, lb_packet_field_name (packet, i), lb_packet_field_tensor (packet, i), error))
      return FALSE;
  return npz != NULL && lb_npz_writer_commit (npz, error);
}

static gboolean
other_packets (const char *path, GError **error)
{
  return lb_input_error (path, error, "holds other packets than the run sent; run the pipeline again");
}

static gboolean
add_packet (Writer *writer, LbSequence *sequence, Stored *stored, GError **error)
{
  g_autoptr (LbPacket) packet
      = lb_record_read_file (stored->path, stored->offset, stored->bytes, stored->digest, error);
  if (packet == NULL || !(lb_sequence_next (sequence, packet) || other_packets (stored->path, error))) {
    stored_free (stored);
    return FALSE;
  }
  stored->packet = packet;
  if (!lb_pack_add (writer->pack, stored->name, stored->name, make_npz, stored, stored_free, error))
    return FALSE;
  stored->packet = NULL;
  return TRUE;
}

static gboolean
add_output (Writer *writer, const LbManifestStage *stage, const LbManifestOutput *output, const char *path,
            const GArray *kept, GError **error)
{
  LbSequence sequence = { .output = output };
  guint64 offset = 0;
  if (kept->len != output->n_packets)
    return other_packets (path, error);
  for (guint i = 0; i < kept->len; i++) {
    const LbKept *record = &g_array_index (kept, LbKept, i);
    Stored *stored = g_new (Stored, 1);
    *stored = (Stored){ g_strdup (path), lb_manifest_packet_member (stage, output, i), offset, record->bytes };
    g_strlcpy (stored->digest, record->digest, LB_DIGEST_SIZE);
    if (!add_packet (writer, &sequence, stored, error))
      return FALSE;
    offset += record->bytes;
  }
  return TRUE;
}

static gboolean
no_packets (const LbManifestStage *stage, GError **error)
{
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "stage '%s': its packets are not in the store any more, or never were; run the pipeline again with that "
               "store, or archive it without --with-store",
               stage->name);
  return FALSE;
}

static gboolean
add_packets (Writer *writer, const LbManifestStage *stage, JsonObject *object, GError **error)
{
  const char *key = lb_finished_key (writer->run, stage->name);
  g_autoptr (LbStoreLock) lock = NULL;
  g_autoptr (LbLedger) ledger = NULL;
  LbStore *store = writer->settings->store;
  if (store == NULL || key == NULL)
    return no_packets (stage, error);
  if (!lb_store_try_lock (store, key, TRUE, &lock, error)
      || (lock != NULL && !lb_store_read (store, key, LB_ANY_OUTPUTS, &ledger, error)))
    return FALSE;
  if (ledger == NULL || ledger->outputs->len != stage->outputs->len)
    return no_packets (stage, error);
  g_ptr_array_add (writer->locks, g_steal_pointer (&lock));
  JsonArray *outputs = json_object_get_array_member (object, "outputs");
  g_autofree char *directory = lb_store_result_path (store, key);
  for (guint i = 0; ledger->has_packets && i < ledger->outputs->len; i++) {
    g_autofree char *path = lb_store_output_path (directory, i);
    if (!add_output (writer, stage, stage->outputs->pdata[i], path, ledger->outputs->pdata[i], error))
      return FALSE;
    json_object_set_boolean_member (json_array_get_object_element (outputs, i), "carried", TRUE);
  }
  return TRUE;
}

/* ---- Tolerances ---- */

static gboolean
wrong_tolerance (const char *text, GError **error)
{
  g_set_error (
      error, LB_ERROR, LB_ERROR_USAGE,
      "--tolerance %s: expected STAGE.METRIC=VALUE for a metric of the run, or tensors=VALUE, with a number of 0 "
      "or more",
      text);
  return FALSE;
}

/* Sets the tolerance of metrics called "stage.metric"; FALSE when there is none. */
static gboolean
set_metric (Writer *writer, const char *name, double value)
{
  JsonArray *stages = json_object_get_array_member (writer->run->object, "stages");
  gboolean found = FALSE;
  for (guint i = 0; i < json_array_get_length (stages); i++) {
    JsonObject *stage = json_array_get_object_element (stages, i);
    JsonArray *metrics = json_object_get_array_member (stage, "metrics");
    for (guint k = 0; k < json_array_get_length (metrics); k++) {
      JsonObject *metric = json_array_get_object_element (metrics, k);
      g_autofree char *whole = g_strdup_printf ("%s.%s", json_object_get_string_member (stage, "name"),
                                                json_object_get_string_member (metric, "name"));
      if (strcmp (whole, name) != 0)
        continue;
      json_object_set_double_member (metric, "tolerance", value);
      found = TRUE;
    }
  }
  return found;
}

static gboolean
set_tolerances (Writer *writer, GError **error)
{
  const char *const *texts = writer->settings->tolerances;
  json_object_set_double_member (writer->run->object, "tolerance", writer->run->manifest->tolerance);
  for (guint i = 0; texts != NULL && texts[i] != NULL; i++) {
    const char *equals = strrchr (texts[i], '=');
    char *end = NULL;
    double value = equals != NULL ? g_ascii_strtod (equals + 1, &end) : -1;
    if (!(value >= 0 && value < G_MAXDOUBLE) || end == equals + 1 || *end != '\0')
      return wrong_tolerance (texts[i], error);
    g_autofree char *name = g_strndup (texts[i], equals - texts[i]);
    if (strcmp (name, "tensors") == 0)
      json_object_set_double_member (writer->run->object, "tolerance", value);
    else if (!set_metric (writer, name, value))
      return wrong_tolerance (texts[i], error);
  }
  return TRUE;
}

/* ---- The whole ---- */

static gboolean
add_all (Writer *writer, GError **error)
{
  const LbManifest *manifest = writer->run->manifest;
  JsonArray *stages = json_object_get_array_member (writer->run->object, "stages");
  if (!add_texts (writer, error))
    return FALSE;
  for (guint i = 0; writer->settings->with_inputs && i < manifest->inputs->len; i++)
    if (!add_input (writer, manifest->inputs->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    if (!add_results (writer, stage, error)
        || (writer->settings->with_packets
            && !add_packets (writer, stage, json_array_get_object_element (stages, i), error)))
      return FALSE;
  }
  json_object_set_boolean_member (writer->run->object, "has-inputs", writer->settings->with_inputs);
  return set_tolerances (writer, error);
}

static gboolean
write_archive (Writer *writer, const char *path, GError **error)
{
  if (!add_all (writer, error))
    return FALSE;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  json_node_set_object (node, writer->run->object);
  g_autofree char *text = lb_json_node_to_text (node, TRUE);
  g_autofree char *crate = lb_crate_to_json (writer->run->manifest, writer->pack);
  return lb_pack_add_text (writer->pack, LB_ARCHIVE_MANIFEST, text, error)
         && lb_pack_add_text (writer->pack, LB_ARCHIVE_CRATE, crate, error)
         && lb_pack_write (writer->pack, path, error);
}

gboolean
lb_archive_write (const char *directory, const char *path, const LbArchiveSettings *settings, GError **error)
{
  g_autoptr (LbFinished) run = lb_finished_read (directory, error);
  g_autoptr (LbPack) pack = lb_pack_new ();
  g_autoptr (GPtrArray) locks = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_store_unlock);
  Writer writer = { directory, settings, run, pack, locks };
  return run != NULL && write_archive (&writer, path, error);
}
