/* SHA-256 (FIPS 180-4), computed by Nettle, which uses the processor's instructions for it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Hexadecimal, in small letters, with its end. */
#define LB_DIGEST_SIZE 65

typedef struct _LbSha256 LbSha256;

LbSha256 *lb_sha256_new (void);
void lb_sha256_free (LbSha256 *sha256);
void lb_sha256_add (LbSha256 *sha256, gconstpointer data, gsize length);

/* The digest of all that was added; begins anew behind it. */
void lb_sha256_end (LbSha256 *sha256, char digest[LB_DIGEST_SIZE]);

/* Of one piece. */
void lb_sha256_of (gconstpointer data, gsize length, char digest[LB_DIGEST_SIZE]);

/* Whether @text is written as a digest is. */
gboolean lb_is_digest (const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbSha256, lb_sha256_free)

G_END_DECLS
