/* Whether packets that come one by one are those that a manifest tells of. */
#pragma once

#include "archive/manifest.h"
#include "stream/packet.h"

G_BEGIN_DECLS

typedef struct {
  const LbManifestOutput *output;
  guint64 n;                      /* packets so far */
  guint64 in_group;               /* of these, in the group that is not complete */
  guint group;                    /* the one that the next belongs to */
  guint8 digest[LB_DIGEST_BYTES]; /* of these */
} LbSequence;

/* Whether @packet may be the next of sequence->output, of which there are more. One that is told in a group is only
 * known with the last of the group. */
gboolean lb_sequence_next (LbSequence *sequence, const LbPacket *packet);

G_END_DECLS
