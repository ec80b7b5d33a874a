/* Packets beside a manifest. */
#include "archive/sequence.h"

#include <string.h>

#include "stream/record.h"

static gboolean
is_told (const LbManifestPacket *told, const LbPacket *packet)
{
  gboolean same = lb_packet_n_fields (packet) == told->tensors->len;
  for (guint i = 0; same && i < told->tensors->len; i++) {
    const LbManifestTensor *tensor = told->tensors->pdata[i];
    g_autofree char *digest = lb_tensor_digest (lb_packet_field_tensor (packet, i));
    same = strcmp (digest, tensor->digest) == 0 && strcmp (tensor->name, lb_packet_field_name (packet, i)) == 0;
  }
  return same;
}

static gboolean
may_be_in_group (LbSequence *sequence, const LbPacket *packet)
{
  const LbManifestGroup *group = &g_array_index (sequence->output->groups, LbManifestGroup, sequence->group);
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  lb_record_chain (packet, sequence->in_group++, sequence->digest, sha256);
  if (sequence->in_group < group->n)
    return TRUE;
  char digest[LB_DIGEST_SIZE];
  lb_digest_to_text (sequence->digest, digest);
  sequence->in_group = 0;
  sequence->group++;
  return strcmp (digest, group->digest) == 0;
}

gboolean
lb_sequence_next (LbSequence *sequence, const LbPacket *packet)
{
  guint64 n = sequence->n++;
  return n < sequence->output->packets->len ? is_told (sequence->output->packets->pdata[n], packet)
                                            : may_be_in_group (sequence, packet);
}
