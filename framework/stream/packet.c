/* Packets: an ordered list of named tensors behind an atomic reference count.
 *
 * Invariants: field names are unique; a packet changes only while one holder has it, and never gives a tensor away.
 */
#include "stream/packet.h"

#include <string.h>

/* Names shorter than this are kept in place. */
#define BRIEF 16
/* Most packets have no more fields than these, which need no memory of their own. */
#define FEW 4

typedef struct {
  char *name; /* NULL for a brief one */
  char brief[BRIEF];
  LbTensor *tensor;
} LbPacketField;

struct _LbPacket {
  gint refs;
  guint n_fields, room;
  LbPacketField *fields; /* @few, or more on the heap; a handful, so that a search is a walk */
  LbPacketField few[FEW];
};

static const char *
field_name (const LbPacketField *field)
{
  return field->name != NULL ? field->name : field->brief;
}

static LbPacketField *
field_find (const LbPacket *packet, const char *name)
{
  for (guint i = 0; i < packet->n_fields; i++)
    if (strcmp (field_name (&packet->fields[i]), name) == 0)
      return &packet->fields[i];
  return NULL;
}

LbPacket *
lb_packet_new (void)
{
  LbPacket *packet = g_slice_new (LbPacket); /* see tensor.c */

  packet->refs = 1;
  packet->n_fields = 0;
  packet->room = FEW;
  packet->fields = packet->few;
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
  for (guint i = 0; i < packet->n_fields; i++) {
    g_free (packet->fields[i].name);
    lb_tensor_unref (packet->fields[i].tensor);
  }
  if (packet->fields != packet->few)
    g_free (packet->fields);
  g_slice_free (LbPacket, packet);
}

static void
add_room (LbPacket *packet)
{
  gpointer before = packet->fields == packet->few ? NULL : packet->fields;

  packet->room *= 2;
  packet->fields = g_realloc_n (before, packet->room, sizeof *packet->fields);
  if (before == NULL)
    memcpy (packet->fields, packet->few, sizeof packet->few);
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
  if (packet->n_fields == packet->room)
    add_room (packet);
  LbPacketField *added = &packet->fields[packet->n_fields++];
  added->name = strlen (field) < BRIEF ? NULL : g_strdup (field);
  if (added->name == NULL)
    strcpy (added->brief, field);
  added->tensor = tensor;
}

void
lb_packet_set (LbPacket *packet, const char *field, LbTensor *tensor)
{
  g_return_if_fail (tensor != NULL);
  lb_packet_take (packet, field, lb_tensor_ref (tensor));
}

void
lb_packet_share (LbPacket *packet, const LbPacket *from, const char *field, ...)
{
  va_list fields;

  va_start (fields, field);
  for (; field != NULL; field = va_arg (fields, const char *)) {
    LbTensor *tensor = lb_packet_get (from, field);

    if (tensor != NULL)
      lb_packet_set (packet, field, tensor);
  }
  va_end (fields);
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

void
lb_packet_set_number (LbPacket *packet, const char *field, double number)
{
  LbTensor *tensor = lb_tensor_new (LB_F64, LB_SHAPE (1));

  lb_tensor_f64 (tensor)[0] = number;
  lb_packet_take (packet, field, tensor);
}

void
lb_packet_set_integer (LbPacket *packet, const char *field, gint64 number)
{
  LbTensor *tensor = lb_tensor_new (LB_I64, LB_SHAPE (1));

  lb_tensor_i64 (tensor)[0] = number;
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
  return packet->n_fields;
}

const char *
lb_packet_field_name (const LbPacket *packet, guint index)
{
  g_return_val_if_fail (index < packet->n_fields, NULL);
  return field_name (&packet->fields[index]);
}

LbTensor *
lb_packet_field_tensor (const LbPacket *packet, guint index)
{
  g_return_val_if_fail (index < packet->n_fields, NULL);
  return packet->fields[index].tensor;
}

gsize
lb_packet_bytes (const LbPacket *packet)
{
  gsize bytes = 0;

  for (guint i = 0; i < packet->n_fields; i++)
    bytes += lb_tensor_bytes (packet->fields[i].tensor);
  return bytes;
}
