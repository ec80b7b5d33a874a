/* Packets of schema 'picture': a PNG file and what there is to say of it. */
#pragma once

#include "stream/packet.h"

G_BEGIN_DECLS

/* The file's @length bytes are copied. @title: a few words; @caption: what it shows; @alternative: the same for those
 * who cannot see it. New packet. */
LbPacket *
lb_picture_packet (gconstpointer png, gsize length, const char *title, const char *caption, const char *alternative);

G_END_DECLS
