/* Writing and reading of checkpoints. */
#include "pipeline/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/digest.h"
#include "pipeline/store.h"

#define PREFIX       "checkpoint-"
#define LEDGER_FIELD "ledger"
#define END_FIELD    "end of"
/* Before the names of the state's tensors, so that none is taken for one of the above. */
#define STATE_PREFIX "state "
#define N_KEPT       2

static int
compare_numbers (gconstpointer a, gconstpointer b)
{
  guint64 first = *(const guint64 *)a, second = *(const guint64 *)b;
  return first < second ? 1 : first > second ? -1 : 0;
}

GArray *
lb_checkpoint_numbers (const char *work)
{
  GArray *numbers = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_autoptr (GDir) dir = g_dir_open (work, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    guint64 number;
    if (g_str_has_prefix (name, PREFIX)
        && g_ascii_string_to_unsigned (name + strlen (PREFIX), 10, 0, G_MAXUINT64, &number, NULL))
      g_array_append_val (numbers, number);
  }
  g_array_sort (numbers, compare_numbers);
  return numbers;
}

char *
lb_checkpoint_path (const char *work, guint64 number)
{
  return g_strdup_printf ("%s/" PREFIX "%08" G_GUINT64_FORMAT, work, number);
}

void
lb_checkpoint_remove_old (const char *work, guint n_kept)
{
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (work);
  for (guint i = n_kept; i < numbers->len; i++) {
    g_autofree char *path = lb_checkpoint_path (work, g_array_index (numbers, guint64, i));
    unlink (path);
  }
}

gboolean
lb_checkpoint_write (const char *work, guint64 number, const GArray *state, const LbLedger *ledger, const char *end_of,
                     GError **error)
{
  g_autofree char *path = lb_checkpoint_path (work, number), *json = lb_ledger_to_json (ledger);
  g_autoptr (LbPacket) packet = lb_packet_new ();
  g_autoptr (LbFileWriter) writer = lb_file_writer_new (path, error);
  char digest[LB_DIGEST_SIZE];
  guint64 length;
  if (writer == NULL)
    return FALSE;
  lb_packet_set_text (packet, LEDGER_FIELD, json);
  if (end_of != NULL)
    lb_packet_set_text (packet, END_FIELD, end_of);
  for (guint i = 0; i < state->len; i++) {
    const LbNamedTensor *part = &g_array_index (state, LbNamedTensor, i);
    g_autofree char *field = g_strconcat (STATE_PREFIX, part->name, NULL);
    lb_packet_set (packet, field, part->tensor);
  }
  if (!lb_record_write (packet, lb_file_writer_sink, writer, &length, digest, error)
      || !lb_file_writer_put (writer, digest, strlen (digest), error) || !lb_file_writer_commit (writer, error))
    return FALSE;
  lb_checkpoint_remove_old (work, N_KEPT);
  return TRUE;
}

/* The record of a checkpoint file that is @size bytes long. */
static LbPacket *
read_sealed (int descriptor, const char *path, guint64 size, GError **error)
{
  char digest[LB_DIGEST_SIZE] = "";
  gsize length = LB_DIGEST_SIZE - 1;
  if (size < length || pread (descriptor, digest, length, (off_t)(size - length)) != (gssize)length) {
    lb_input_error (path, error, "is cut short");
    return NULL;
  }
  return lb_record_read (descriptor, path, 0, size - length, digest, error);
}

static LbPacket *
read_record (const char *path, GError **error)
{
  guint64 size;
  int descriptor = lb_file_open (path, &size, error);
  if (descriptor < 0)
    return NULL;
  LbPacket *packet = read_sealed (descriptor, path, size, error);
  close (descriptor);
  return packet;
}

gboolean
lb_checkpoint_read_end (const char *directory, char **end_of, GError **error)
{
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (directory);
  *end_of = NULL;
  if (numbers->len == 0)
    return TRUE;
  g_autofree char *path = lb_checkpoint_path (directory, g_array_index (numbers, guint64, 0));
  g_autoptr (LbPacket) packet = read_record (path, error);
  if (packet == NULL)
    return FALSE;
  *end_of = lb_packet_get_text (packet, END_FIELD);
  return *end_of != NULL || lb_input_error (path, error, "is no end of a result");
}

GArray *
lb_checkpoint_read (const char *work, guint64 number, guint n_outputs, LbLedger **ledger, GError **error)
{
  g_autofree char *path = lb_checkpoint_path (work, number);
  g_autoptr (LbPacket) packet = read_record (path, error);
  g_autofree char *json = packet != NULL ? lb_packet_get_text (packet, LEDGER_FIELD) : NULL;
  if (packet != NULL && json == NULL)
    lb_input_error (path, error, "is no checkpoint");
  *ledger = json != NULL ? lb_ledger_from_json (path, json, strlen (json), n_outputs, error) : NULL;
  if (*ledger == NULL)
    return NULL;
  GArray *state = lb_named_tensors_new ();
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const char *field = lb_packet_field_name (packet, i);
    if (!g_str_has_prefix (field, STATE_PREFIX))
      continue;
    LbNamedTensor part
        = { g_strdup (field + strlen (STATE_PREFIX)), lb_tensor_ref (lb_packet_field_tensor (packet, i)) };
    g_array_append_val (state, part);
  }
  return state;
}

gboolean
lb_checkpoint_copy (const char *from, const char *work, guint n_outputs, GError **error)
{
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (from);
  g_autoptr (LbLedger) ledger = NULL;
  char digest[LB_DIGEST_SIZE];
  guint64 bytes, number = numbers->len > 0 ? g_array_index (numbers, guint64, 0) : 0;
  g_autofree char *checkpoint = lb_checkpoint_path (from, number), *copy = lb_checkpoint_path (work, number);
  g_autoptr (GArray) state = lb_checkpoint_read (from, number, n_outputs, &ledger, error);
  if (state == NULL)
    return FALSE;
  for (guint i = 0; i < ledger->files->len; i++) {
    const char *name = g_array_index (ledger->files, LbKept, i).name;
    g_autofree char *old = lb_store_file_path (from, name), *new = lb_store_file_path (work, name);
    if (!lb_digest_copy (old, new, &bytes, digest, error))
      return FALSE;
  }
  for (guint i = 0; i < n_outputs; i++) {
    g_autofree char *old = lb_store_output_path (from, i), *new = lb_store_output_path (work, i);
    if (lb_ledger_output_bytes (ledger, i) > 0 && !lb_digest_copy (old, new, &bytes, digest, error))
      return FALSE;
  }
  /* Last, as what it speaks of has to be there. */
  return lb_digest_copy (checkpoint, copy, &bytes, digest, error);
}
