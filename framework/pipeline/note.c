/* Noting in a ledger. */
#include "pipeline/note.h"

#include <string.h>

static gboolean
on_packet (gpointer data, guint output, LbPacket *packet, GError **error)
{
  lb_ledger_note (data, output, packet);
  return TRUE;
}

static void
on_file (gpointer data, const char *name)
{
  LbLedger *ledger = data;
  for (guint i = 0; i < ledger->files->len; i++)
    if (strcmp (g_array_index (ledger->files, LbKept, i).name, name) == 0)
      return;
  LbKept file = { .name = g_strdup (name) };
  g_array_append_val (ledger->files, file);
}

const LbStageKeeper lb_note_keeper = { .packet = on_packet, .file = on_file };
