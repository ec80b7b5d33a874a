/* Packing of files into a .tar.zst whose bytes depend on names and contents alone. Private to archive/. */
#pragma once

#include <glib.h>

#include "base/sha256.h"

G_BEGIN_DECLS

typedef struct _LbPack LbPack;

LbPack *lb_pack_new (void);
void lb_pack_free (LbPack *pack);

/* Adds a member: the bytes of @text, or the file @path, which must stay until lb_pack_write(). *digest, unless NULL,
 * gets the SHA-256. LB_ERROR_INPUT for a name that no member can have or a file that cannot be read. */
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
