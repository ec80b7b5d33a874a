/* Packets: an ordered list of named tensors behind an atomic reference count.
 *
 * Invariants: field names are unique; a packet changes only while one holder has it, and never gives a tensor away.
 */
#include "stream/packet.h"

#include <string.h>

typedef struct {
  char *name;
  LbTensor *tensor;
} LbPacketField;

struct _LbPacket {
  gint refs;
  GArray *fields; /* LbPacketField; a handful, so that a search is a walk */
};

static void
field_clear (gpointer data)
{
  LbPacketField *field = data;

  g_free (field->name);
  lb_tensor_unref (field->tensor);
}

static LbPacketField *
field_find (const LbPacket *packet, const char *name)
{
  for (guint i = 0; i < packet->fields->len; i++) {
    LbPacketField *field = &g_array_index (packet->fields, LbPacketField, i);
    if (strcmp (field->name, name) == 0)
      return field;
  }
  return NULL;
}

LbPacket *
lb_packet_new (void)
{
  LbPacket *packet = g_new0 (LbPacket, 1);

  packet->refs = 1;
  packet->fields = g_array_new (FALSE, FALSE, sizeof (LbPacketField));
  g_array_set_clear_func (packet->fields, field_clear);
  return packet;
}

LbPacket *
lb_packet_ref (LbPacket *packet)
{
  g_atomic_int_inc (&packet->refs);
  return packet;
}

void
lb_packet_unref (LbPacket *packet)
{
  if (packet == NULL || !g_atomic_int_dec_and_test (&packet->refs))
    return;
  g_array_unref (packet->fields);
  g_free (packet);
}

void
lb_packet_take (LbPacket *packet, const char *field, LbTensor *tensor)
{
  g_return_if_fail (packet != NULL && field != NULL && tensor != NULL);
  g_return_if_fail (g_atomic_int_get (&packet->refs) == 1);

  LbPacketField *old = field_find (packet, field);
  if (old != NULL) {
    lb_tensor_unref (old->tensor);
    old->tensor = tensor;
    return;
  }
  LbPacketField added = { g_strdup (field), tensor };
  g_array_append_val (packet->fields, added);
}

void
lb_packet_set (LbPacket *packet, const char *field, LbTensor *tensor)
{
  g_return_if_fail (tensor != NULL);
  lb_packet_take (packet, field, lb_tensor_ref (tensor));
}

void
lb_packet_set_text (LbPacket *packet, const char *field, const char *text)
{
  g_return_if_fail (text != NULL);

  gsize length = strlen (text);
  LbTensor *tensor = lb_tensor_new (LB_U8, LB_SHAPE ((gint64)length));
  if (length > 0)
    memcpy (lb_tensor_data (tensor), text, length);
  lb_packet_take (packet, field, tensor);
}

LbTensor *
lb_packet_get (const LbPacket *packet, const char *field)
{
  LbPacketField *found = field_find (packet, field);

  return found != NULL ? found->tensor : NULL;
}

char *
lb_packet_get_text (const LbPacket *packet, const char *field)
{
  LbTensor *tensor = lb_packet_get (packet, field);

  if (tensor == NULL || lb_tensor_dtype (tensor) != LB_U8 || lb_tensor_shape (tensor).rank != 1)
    return NULL;
  return g_strndup (lb_tensor_data (tensor), lb_tensor_bytes (tensor));
}

guint
lb_packet_n_fields (const LbPacket *packet)
{
  return packet->fields->len;
}

const char *
lb_packet_field_name (const LbPacket *packet, guint index)
{
  g_return_val_if_fail (index < packet->fields->len, NULL);
  return g_array_index (packet->fields, LbPacketField, index).name;
}

LbTensor *
lb_packet_field_tensor (const LbPacket *packet, guint index)
{
  g_return_val_if_fail (index < packet->fields->len, NULL);
  return g_array_index (packet->fields, LbPacketField, index).tensor;
}

gsize
lb_packet_bytes (const LbPacket *packet)
{
  gsize bytes = 0;

  for (guint i = 0; i < packet->fields->len; i++)
    bytes += lb_tensor_bytes (lb_packet_field_tensor (packet, i));
  return bytes;
}
