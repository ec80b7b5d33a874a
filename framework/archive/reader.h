/* Reading of an archive. Its bytes are hostile until proven: it is read once from front to back, every name, size and
 * digest is checked before anything is believed, and nothing is written but below the folder that the caller gives.
 *
 * What is checked: it is a tar file (packed with zstd as written here), whole to its end; members are regular files
 * with good names (member.h), in ascending order; the first, SHA256SUMS, lists all others with their digests; each has
 * the digest it should; manifest, metadata and pipeline can be read; and the manifest knows every member. Memory is
 * bounded whatever the file says: members pass through in pieces, but for the manifest and the texts.
 */
#pragma once

#include "archive/manifest.h"

G_BEGIN_DECLS

typedef struct {
  char *name;
  guint64 bytes;
  char digest[LB_DIGEST_SIZE];
} LbArchiveMember;

typedef struct {
  char *path;
  guint64 bytes;      /* of the file */
  GPtrArray *members; /* LbArchiveMember*, by name */
  LbManifest *manifest;
  GBytes *pipeline, *written; /* the texts of these members */
} LbArchive;

/* Whether @path is likely to be an archive rather than a pipeline file: by its first bytes. */
gboolean lb_archive_is (const char *path);

/* Reads and checks all of @path; with @folder, a folder that is there and empty, members are unpacked there: all, or
 * those whose names begin with one of @only, NULL-terminated. After an error some may be. LB_ERROR_INPUT: one sentence
 * that names the member; LB_ERROR_OUTPUT. */
LbArchive *lb_archive_read (const char *path, const char *folder, const char *const *only, GError **error);
void lb_archive_free (LbArchive *archive);

/* NULL when there is none. */
const LbArchiveMember *lb_archive_member (const LbArchive *archive, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbArchive, lb_archive_free)

G_END_DECLS
