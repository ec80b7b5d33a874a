/* Members of an archive: what they may be called. Private to the framework.
 *
 * A name is a relative path of parts joined by '/'. What could leave a folder, or be taken for another name on some
 * file system, is no name: an archive is unpacked anywhere.
 */
#pragma once

#include "base/sha256.h"

G_BEGIN_DECLS

/* Members that an archive may have, and bytes of a name. */
#define LB_ARCHIVE_MOST_MEMBERS 65535
#define LB_ARCHIVE_MOST_NAME    1024

#define LB_ARCHIVE_SUMS     "SHA256SUMS"
#define LB_ARCHIVE_MANIFEST "manifest.json"
#define LB_ARCHIVE_CRATE    "ro-crate-metadata.json"
#define LB_ARCHIVE_PIPELINE "pipeline.yaml"
#define LB_ARCHIVE_WRITTEN  "pipeline.written.yaml"

/* NULL when @name can be that of a member; otherwise what is wrong, as the end of a sentence ("has a part '..'"). */
const char *lb_member_fault (const char *name);

/* A set of names that cannot get in each other's way, whatever the file system: no two are the same, or the same but
 * for capital letters, and none is a folder of another. */
typedef struct _LbMemberNames LbMemberNames;

LbMemberNames *lb_member_names_new (void);
void lb_member_names_free (LbMemberNames *names);

/* NULL, or what is wrong with adding @name. */
const char *lb_member_names_add (LbMemberNames *names, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbMemberNames, lb_member_names_free)

G_END_DECLS
