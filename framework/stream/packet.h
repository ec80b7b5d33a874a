/* Packets: what flows through streams. A packet is a set of named tensors, immutable once sent and reference-counted,
 * so that sending one to many readers copies nothing.
 */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

/* A dimension of a stream that is not known yet. */
#define LB_UNKNOWN (-1)

/* A set of named tensors, in the order they were added. */
typedef struct _LbPacket LbPacket;

/* An empty packet of the caller alone. Reference-counted. */
LbPacket *lb_packet_new (void);
LbPacket *lb_packet_ref (LbPacket *packet);
void lb_packet_unref (LbPacket *packet);

/* Adds a field, or replaces the one of that name in its place; takes over the reference to @tensor. A packet that
 * others hold too must not be changed. */
void lb_packet_take (LbPacket *packet, const char *field, LbTensor *tensor);

/* Adds a field that shares @tensor (keeps a reference of its own). */
void lb_packet_set (LbPacket *packet, const char *field, LbTensor *tensor);

/* Adds those of the named fields, a list that ends with NULL, that @from has, and shares their tensors. */
void lb_packet_share (LbPacket *packet, const LbPacket *from, const char *field, ...) G_GNUC_NULL_TERMINATED;

/* Adds a text field: UTF-8 as u8 [bytes]. */
void lb_packet_set_text (LbPacket *packet, const char *field, const char *text);

/* Adds a field of one number: f64 [1]. */
void lb_packet_set_number (LbPacket *packet, const char *field, double number);

/* The same of a whole one: i64 [1]. Since 1.2. */
void lb_packet_set_integer (LbPacket *packet, const char *field, gint64 number);

/* The tensor of @field, or NULL when there is none. The packet's. */
LbTensor *lb_packet_get (const LbPacket *packet, const char *field);

/* A text field as a new string; NULL when there is none, or it is not u8 [bytes]. */
char *lb_packet_get_text (const LbPacket *packet, const char *field);

/* Fields in the order they were added. */
guint lb_packet_n_fields (const LbPacket *packet);
const char *lb_packet_field_name (const LbPacket *packet, guint index);
LbTensor *lb_packet_field_tensor (const LbPacket *packet, guint index);

/* Sum of the tensors' bytes. */
gsize lb_packet_bytes (const LbPacket *packet);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPacket, lb_packet_unref)

G_END_DECLS
