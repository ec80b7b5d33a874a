/* Joining the packets of a stream into one. Private to plugin/. */
#pragma once

#include "stream/packet.h"
#include "stream/schema.h"

G_BEGIN_DECLS

/* One packet of all @packets (LbPacket*, one at least, of @schema or of one that is like it) of input @port, joined
 * along the symbol that comes first in the schema's first field: fields whose first dimension it is are put one after
 * the other, all others must be the same in every packet. A single packet is returned as it is. LB_ERROR_INPUT. */
LbPacket *lb_packets_join (const char *port, const LbSchema *schema, GPtrArray *packets, GError **error);

G_END_DECLS
