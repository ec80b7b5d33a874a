/* Packing of files into a .tar.zst whose bytes depend on names and contents alone. Private to archive/. */
#pragma once

#include "base/file.h"
#include "base/sha256.h"

G_BEGIN_DECLS

typedef struct _LbPack LbPack;

LbPack *lb_pack_new (void);
void lb_pack_free (LbPack *pack);

/* Makes the bytes of a member, @data, by writing them to @sink with @to as its data; the same bytes each time. */
typedef gboolean (*LbPackMake) (gpointer data, LbByteSink sink, gpointer to, GError **error);

/* Adds a member. Its bytes are made twice, so that they need be nowhere in between: here, for the digest that stands in
 * front of all, and in lb_pack_write(). The pack owns @data, also when that fails; @place begins error messages.
 * LB_ERROR_INPUT for a name that no member can have, or what @make fails with. */
gboolean lb_pack_add (LbPack *pack, const char *name, const char *place, LbPackMake make, gpointer data,
                      GDestroyNotify destroy, GError **error);

/* The same of @text, and of the file @path, which must stay until lb_pack_write(). *digest, unless NULL, gets the
 * SHA-256. */
gboolean lb_pack_add_text (LbPack *pack, const char *name, const char *text, GError **error);
gboolean
lb_pack_add_file (LbPack *pack, const char *name, const char *path, char digest[LB_DIGEST_SIZE], GError **error);

/* Members so far, by name. */
guint lb_pack_n_members (LbPack *pack);
const char *lb_pack_name (LbPack *pack, guint index);

/* Writes all, and SHA256SUMS in front, to @path, whole or not at all. LB_ERROR_OUTPUT; LB_ERROR_INPUT when a file has
 * changed since it was added. */
gboolean lb_pack_write (LbPack *pack, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPack, lb_pack_free)

G_END_DECLS
