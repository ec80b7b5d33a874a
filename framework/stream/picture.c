#include "stream/picture.h"

#include <string.h>

LbPacket *
lb_picture_packet (gconstpointer png, gsize length, const char *title, const char *caption, const char *alternative)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *bytes = lb_tensor_new (LB_U8, LB_SHAPE ((gint64)length));

  memcpy (lb_tensor_u8 (bytes), png, length);
  lb_packet_take (packet, "png", bytes);
  lb_packet_set_text (packet, "title", title);
  lb_packet_set_text (packet, "caption", caption);
  lb_packet_set_text (packet, "alternative", alternative);
  return packet;
}
