/* Sides of a comparison. */
#include "archive/side.h"

#include "archive/finished.h"
#include "archive/reader.h"
#include "stream/record.h"
#include "tensor/npz.h"

struct _LbSide {
  LbRunSide run;
  LbFinished *finished; /* one of these two */
  LbArchive *archive;
  LbStore *store;
  char *folder, *results, *packets; /* @folder: what the archive was unpacked to */
};

static GArray *
tensors_of (const LbPacket *packet)
{
  GArray *tensors = lb_named_tensors_new ();
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    LbNamedTensor tensor
        = { g_strdup (lb_packet_field_name (packet, i)), lb_tensor_ref (lb_packet_field_tensor (packet, i)) };
    g_array_append_val (tensors, tensor);
  }
  return tensors;
}

static GArray *
read_record (const char *path, const GArray *kept, guint index)
{
  guint64 offset = 0;
  for (guint i = 0; i < index; i++)
    offset += g_array_index (kept, LbKept, i).bytes;
  const LbKept *record = &g_array_index (kept, LbKept, index);
  g_autoptr (LbPacket) packet = lb_record_read_file (path, offset, record->bytes, record->digest, NULL);
  return packet != NULL ? tensors_of (packet) : NULL;
}

/* A packet that the run's store still has. */
static GArray *
read_kept (gpointer data, const char *stage, guint output, guint index)
{
  LbSide *side = data;
  const char *key = lb_finished_key (side->finished, stage);
  g_autoptr (LbStoreLock) lock = NULL;
  g_autoptr (LbLedger) ledger = NULL;
  if (key == NULL || !lb_store_try_lock (side->store, key, TRUE, &lock, NULL) || lock == NULL
      || !lb_store_read (side->store, key, LB_ANY_OUTPUTS, &ledger, NULL) || ledger == NULL || !ledger->has_packets
      || output >= ledger->outputs->len)
    return NULL;
  const GArray *kept = ledger->outputs->pdata[output];
  g_autofree char *directory = lb_store_result_path (side->store, key),
                  *path = lb_store_output_path (directory, output);
  return index < kept->len ? read_record (path, kept, index) : NULL;
}

static gboolean
open_archive (LbSide *side, const char *path, GError **error)
{
  side->folder = g_dir_make_tmp ("limbeck-XXXXXX", error);
  static const char *const only[] = { "outputs/", "packets/", NULL };
  if (side->folder == NULL || (side->archive = lb_archive_read (path, side->folder, only, error)) == NULL)
    return FALSE;
  side->results = g_build_filename (side->folder, "outputs", NULL);
  side->packets = g_build_filename (side->folder, "packets", NULL);
  side->run = (LbRunSide){ .manifest = side->archive->manifest, .results = side->results, .packets = side->packets };
  return TRUE;
}

static gboolean
open_run (LbSide *side, const char *path, GError **error)
{
  side->finished = lb_finished_read (path, error);
  if (side->finished == NULL)
    return FALSE;
  side->results = g_strdup (path);
  side->run = (LbRunSide){ .manifest = side->finished->manifest,
                           .results = side->results,
                           .read = side->store != NULL ? read_kept : NULL,
                           .data = side };
  return TRUE;
}

LbSide *
lb_side_open (const char *path, LbStore *store, GError **error)
{
  g_autoptr (LbSide) side = g_new0 (LbSide, 1);
  side->store = store;
  gboolean is_folder = g_file_test (path, G_FILE_TEST_IS_DIR);
  return (is_folder ? open_run (side, path, error) : open_archive (side, path, error)) ? g_steal_pointer (&side) : NULL;
}

void
lb_side_free (LbSide *side)
{
  if (side == NULL)
    return;
  if (side->folder != NULL)
    lb_store_remove_tree (side->folder);
  lb_finished_free (side->finished);
  lb_archive_free (side->archive);
  g_free (side->folder);
  g_free (side->results);
  g_free (side->packets);
  g_free (side);
}

const LbRunSide *
lb_side_run (const LbSide *side)
{
  return &side->run;
}
