/* Digests through Nettle. */
#include "base/sha256.h"

#include <string.h>

#include <nettle/base16.h>
#include <nettle/sha2.h>

struct _LbSha256 {
  struct sha256_ctx context;
};

LbSha256 *
lb_sha256_new (void)
{
  LbSha256 *sha256 = g_new (LbSha256, 1);
  sha256_init (&sha256->context);
  return sha256;
}

void
lb_sha256_free (LbSha256 *sha256)
{
  g_free (sha256);
}

void
lb_sha256_add (LbSha256 *sha256, gconstpointer data, gsize length)
{
  if (length > 0)
    sha256_update (&sha256->context, length, data);
}

void
lb_sha256_end_bytes (LbSha256 *sha256, guint8 bytes[LB_DIGEST_BYTES])
{
  sha256_digest (&sha256->context, LB_DIGEST_BYTES, bytes);
}

void
lb_digest_to_text (const guint8 bytes[LB_DIGEST_BYTES], char digest[LB_DIGEST_SIZE])
{
  base16_encode_update (digest, LB_DIGEST_BYTES, bytes);
  digest[LB_DIGEST_SIZE - 1] = '\0';
}

gboolean
lb_digest_from_text (const char *digest, guint8 bytes[LB_DIGEST_BYTES])
{
  struct base16_decode_ctx context;
  size_t length = LB_DIGEST_BYTES;
  base16_decode_init (&context);
  return lb_is_digest (digest) && base16_decode_update (&context, &length, bytes, LB_DIGEST_SIZE - 1, digest) != 0;
}

void
lb_sha256_end (LbSha256 *sha256, char digest[LB_DIGEST_SIZE])
{
  guint8 bytes[LB_DIGEST_BYTES];
  lb_sha256_end_bytes (sha256, bytes);
  lb_digest_to_text (bytes, digest);
}

void
lb_sha256_of (gconstpointer data, gsize length, char digest[LB_DIGEST_SIZE])
{
  LbSha256 sha256;
  sha256_init (&sha256.context);
  lb_sha256_add (&sha256, data, length);
  lb_sha256_end (&sha256, digest);
}

gboolean
lb_is_digest (const char *text)
{
  return text != NULL && strlen (text) == LB_DIGEST_SIZE - 1 && strspn (text, "0123456789abcdef") == LB_DIGEST_SIZE - 1;
}
