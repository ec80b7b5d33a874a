/* What packed files hold: the bytes of a file that may be compressed, and the members of a zip or a tar file, in order.
 *
 * Everything read is hostile until proven: no member is written anywhere, sizes are bounded by the caller, and a file
 * that stops early is an error, never a shorter file. Errors are LB_ERROR_INPUT and begin with the path.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The bytes of @path, through gunzip when it begins as gzip does. @most, unless NULL, gets an upper bound of how many
 * they can be. Reading fails, with a GIO error, when the compressed data is truncated or its checksum is wrong. */
GInputStream *lb_unpack_stream (const char *path, guint64 *most, GError **error);

typedef enum {
  LB_UNPACK_ZIP, /* stored or deflated; its directory must be there */
  LB_UNPACK_TAR  /* plain or compressed with gzip, bzip2, xz or zstd; it must end as a tar file does */
} LbUnpackFormat;

typedef struct {
  const char *name; /* as stored, not empty; may be anything, so it is not to be opened or printed as it is */
  guint64 size;     /* as declared */
  gboolean is_file; /* a regular file, and no link */
  gboolean is_folder;
  gboolean is_encrypted;
} LbUnpackMember;

/* A packed file that is open, read from its first member to its last. */
typedef struct _LbUnpack LbUnpack;

/* Opens @path. @expected says in errors what it should be: "an intact .npz file (a zip of .npy arrays)". */
LbUnpack *lb_unpack_open (const char *path, LbUnpackFormat format, const char *expected, GError **error);
void lb_unpack_free (LbUnpack *unpack);

/* Bounds what a tar file may unpack to, members, headers and what follows them together: reading on behind that fails. */
void lb_unpack_limit (LbUnpack *unpack, guint64 most);

/* Bytes of the packed file. */
guint64 lb_unpack_file_size (const LbUnpack *unpack);

/* Whether members can be passed over without reading them: a tar file that is not compressed. */
gboolean lb_unpack_skips (const LbUnpack *unpack);

/* Goes to the next member; *member is NULL at the end, and lasts until the next call. */
gboolean lb_unpack_next (LbUnpack *unpack, const LbUnpackMember **member, GError **error);

/* Reads up to @length bytes of the member; fewer only at its end. */
gboolean lb_unpack_read (LbUnpack *unpack, gpointer data, gsize length, gsize *filled, GError **error);

/* The whole member from its beginning, at most @limit bytes; memory is taken only for bytes that are there. */
GBytes *lb_unpack_read_member (LbUnpack *unpack, gsize limit, GError **error);

/* @name as it can stand in a message: at most 100 bytes, one line, valid UTF-8; free with g_free(). */
char *lb_unpack_printable (const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbUnpack, lb_unpack_free)

G_END_DECLS
