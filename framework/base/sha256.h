/* SHA-256 (FIPS 180-4), computed by Nettle, which uses the processor's instructions for it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Hexadecimal, in small letters, with its end. */
#define LB_DIGEST_SIZE 65

#define LB_DIGEST_BYTES 32

typedef struct _LbSha256 LbSha256;

LbSha256 *lb_sha256_new (void);
void lb_sha256_free (LbSha256 *sha256);
void lb_sha256_add (LbSha256 *sha256, gconstpointer data, gsize length);

/* The digest of all that was added; begins anew behind it. */
void lb_sha256_end (LbSha256 *sha256, char digest[LB_DIGEST_SIZE]);

/* The same as the bytes that it is; and those as text, and back: FALSE when @digest is none. */
void lb_sha256_end_bytes (LbSha256 *sha256, guint8 bytes[LB_DIGEST_BYTES]);
void lb_digest_to_text (const guint8 bytes[LB_DIGEST_BYTES], char digest[LB_DIGEST_SIZE]);
gboolean lb_digest_from_text (const char *digest, guint8 bytes[LB_DIGEST_BYTES]);

/* Of one piece. */
void lb_sha256_of (gconstpointer data, gsize length, char digest[LB_DIGEST_SIZE]);

/* Whether @text is written as a digest is. */
gboolean lb_is_digest (const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbSha256, lb_sha256_free)

G_END_DECLS
