/* A stream spec: what is known of one stream before it flows: its schema, the value of each dimension symbol where
 * known, and the dtype of each field where narrowed to one.
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

/* "samples {n 10, c 1, h 28, w 28, classes 10}: images f32[10, 1, 28, 28], labels i32[10]"; free with g_free(). */
char *lb_spec_to_string (const LbSpec *spec);

/* Whether @packet is one of this stream: every field there, dtype allowed, dims consistent with each other and the
 * known values. Extra fields are refused. LB_ERROR_PROGRAM. */
gboolean lb_spec_check_packet (const LbSpec *spec, LbPacket *packet, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbSpec, lb_spec_free)

G_END_DECLS
