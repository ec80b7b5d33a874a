/* A stream spec: what is known of one stream before it flows: its schema, the value of each dimension symbol where
 * known, the dtype of each field where narrowed to one, how many packets it has, what its text fields say, and the
 * value of fields that hold one number.
 */
#pragma once

#include "stream/packet.h"
#include "stream/schema.h"

G_BEGIN_DECLS

typedef struct _LbSpec LbSpec;

LbSpec *lb_spec_new (const LbSchema *schema);
LbSpec *lb_spec_copy (const LbSpec *spec);
void lb_spec_free (LbSpec *spec);

const LbSchema *lb_spec_schema (const LbSpec *spec);

/* LB_UNKNOWN until set. The symbol must be the schema's. */
gint64 lb_spec_dim (const LbSpec *spec, const char *symbol);
void lb_spec_set_dim (LbSpec *spec, const char *symbol, gint64 value);

/* Allowed dtypes of a field, as bits; starts as the schema's, narrowed by the second. */
guint lb_spec_dtypes (const LbSpec *spec, const char *field);
void lb_spec_set_dtype (LbSpec *spec, const char *field, LbDType dtype);

/* Packets of the whole stream; LB_UNKNOWN until set. */
gint64 lb_spec_packets (const LbSpec *spec);
void lb_spec_set_packets (LbSpec *spec, gint64 packets);

/* What the packets say in text field @field, one text for each packet in order; NULL until set. NULL-terminated; the
 * spec's. Setting takes a copy and fixes the number of packets. */
const char *const *lb_spec_texts (const LbSpec *spec, const char *field);
void lb_spec_set_texts (LbSpec *spec, const char *field, const char *const *texts);

/* The number that @field, f64 [1] of the schema, holds in each packet, none of which then lacks it; NAN until set. */
double lb_spec_number (const LbSpec *spec, const char *field);
void lb_spec_set_number (LbSpec *spec, const char *field, double number);

/* Whether a field of the schema may have a number. */
gboolean lb_field_holds_number (const LbField *field);

/* Bytes of a packet, LB_UNKNOWN unless all dims and dtypes are known. A text that is not known and fields that are
 * optional count as nothing. */
gint64 lb_spec_packet_bytes (const LbSpec *spec);

/* Bytes that each packet takes of its own: as set, otherwise lb_spec_packet_bytes(). */
gint64 lb_spec_own_bytes (const LbSpec *spec);
void lb_spec_set_own_bytes (LbSpec *spec, gint64 bytes);

/* "samples {n 10, c 1, h 28, w 28, classes 10}, 1 packet: images f32[10, 1, 28, 28], labels i32[10]"; texts that are
 * known follow their field: "architecture text (5 x convnet-d3)"; optional fields are left out. Free with g_free(). */
char *lb_spec_to_string (const LbSpec *spec);

/* Whether @packet may be packet @number, counted from 0, of this stream: every field there (but optional ones), dtype
 * allowed, dims consistent with each other and the known values, texts and numbers as promised, no more packets than
 * promised. Extra fields are refused. LB_ERROR_PROGRAM. */
gboolean lb_spec_check_packet (const LbSpec *spec, LbPacket *packet, gint64 number, GError **error);

/* Whether a stream that ended after @packets was as long as promised. LB_ERROR_PROGRAM. */
gboolean lb_spec_check_end (const LbSpec *spec, gint64 packets, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbSpec, lb_spec_free)

G_END_DECLS
