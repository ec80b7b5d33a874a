/* Records: packets as bytes in a file, for the store. Private to the framework; what leaves it is written as .npz.
 *
 *   record = "LBREC1\n\0"  u32 fields  { field }          all numbers little-endian
 *   field  = u32 length of name, name, u32 length of dtype, dtype, u32 rank, { u64 dimension }, elements
 */
#pragma once

#include "base/file.h"
#include "base/sha256.h"
#include "stream/packet.h"

G_BEGIN_DECLS

/* Writes @packet to @sink, from the tensors' own memory. *length is that of the record, @digest its SHA-256. */
gboolean lb_record_write (const LbPacket *packet, LbByteSink sink, gpointer data, guint64 *length,
                          char digest[LB_DIGEST_SIZE], GError **error);

/* The digest of packets that follow each other: @digest, that of the @n before, becomes that of these and @packet. It
 * is over the digest before, if there is one, and for each field of @packet in order its name, a zero byte, and what
 * lb_tensor_add_to_digest() adds of its tensor. @sha256 is one that nothing was added to, and is that again. */
void lb_record_chain (const LbPacket *packet, guint64 n, guint8 digest[LB_DIGEST_BYTES], LbSha256 *sha256);

/* Reads the record of @length bytes that begins at @offset of @descriptor, whose SHA-256 must be @digest.
 * LB_ERROR_INPUT with a sentence that begins with @path when it is cut short, changed, or no record. */
LbPacket *
lb_record_read (int descriptor, const char *path, guint64 offset, guint64 length, const char *digest, GError **error);

/* The same from the file @path. */
LbPacket *lb_record_read_file (const char *path, guint64 offset, guint64 length, const char *digest, GError **error);

/* Whether @length bytes at @offset have the SHA-256 @digest. LB_ERROR_INPUT. */
gboolean
lb_record_verify (int descriptor, const char *path, guint64 offset, guint64 length, const char *digest, GError **error);

G_END_DECLS
