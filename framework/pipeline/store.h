/* The store: results of finished stages, kept under the digest of their recipe, and the work of unfinished ones.
 *
 *   STORE/limbeck-store                       marks the directory as one
 *   STORE/results/KEY/recipe, index, output-1.packets, ..., files/NAME, and checkpoint-N where a longer run goes on
 *   STORE/work/KEY/recipe, output-1.packets, ..., files/NAME, checkpoint-N
 *   STORE/locks/KEY                           locked while KEY is computed (exclusive) or used (shared)
 *   STORE/aside/                              what was found damaged
 *   STORE/digests/                            remembered digests of input files
 *
 * A result appears under results/ with one rename, when all of it is on the disk. Only who holds the exclusive lock of
 * a key touches its work. Locks are the kernel's (flock), so that those of a process that dies are free at once.
 */
#pragma once

#include "pipeline/ledger.h"

G_BEGIN_DECLS

typedef struct _LbStore LbStore;

/* $XDG_CACHE_HOME/limbeck; free with g_free(). */
char *lb_store_default_path (void);

/* Makes it if need be. LB_ERROR_OUTPUT; a directory that holds something else is refused. */
LbStore *lb_store_open (const char *path, GError **error);

/* One that is there. LB_ERROR_INPUT. */
LbStore *lb_store_find (const char *path, GError **error);

/* Whether nothing is at @path, or an empty directory. */
gboolean lb_store_may_be_made (const char *path);

void lb_store_free (LbStore *store);
const char *lb_store_path (const LbStore *store);

/* ---- Where things are; free with g_free() ---- */

char *lb_store_result_path (const LbStore *store, const char *key);
char *lb_store_work_path (const LbStore *store, const char *key);
char *lb_store_digests_path (const LbStore *store);

/* "DIRECTORY/output-1.packets" of output 0. */
char *lb_store_output_path (const char *directory, guint output);
char *lb_store_file_path (const char *directory, const char *name);

/* ---- Locks ---- */

typedef struct _LbStoreLock LbStoreLock;

/* *lock is NULL when somebody else holds it. LB_ERROR_OUTPUT. */
gboolean lb_store_try_lock (LbStore *store, const char *key, gboolean shared, LbStoreLock **lock, GError **error);
void lb_store_unlock (LbStoreLock *lock);

/* ---- Results ---- */

/* The ledger of the result of @key, which must be locked; *ledger is NULL when there is none. LB_ERROR_INPUT when its
 * index is damaged. */
gboolean lb_store_read (LbStore *store, const char *key, guint n_outputs, LbLedger **ledger, GError **error);

/* Whether the bytes of the result files and, with @packets, of the packets in @directory, a result or unfinished work,
 * are what @ledger tells. LB_ERROR_INPUT. */
gboolean lb_store_verify (const char *directory, const LbLedger *ledger, gboolean packets, GError **error);

/* Notes that the result was used now. */
void lb_store_touch (LbStore *store, const char *key);

/* Turns the work of @key into its result. All files but those of the index must be on the disk already.
 * LB_ERROR_OUTPUT. */
gboolean lb_store_commit (LbStore *store, const char *key, const LbLedger *ledger, GError **error);

/* The recipe of a result or of unfinished work; NULL when there is none. Free with g_free(). */
char *lb_store_recipe (const char *directory);

/* Takes @path, a file or directory of the store that was found damaged, out of use. Returns where it is now; NULL when
 * it could only be removed. Free with g_free(). */
char *lb_store_set_aside (LbStore *store, const char *path);

/* Removes a directory with all that is in it. */
void lb_store_remove_tree (const char *path);

/* ---- Everything that is kept ---- */

typedef struct {
  char *key, *stage, *type; /* of its recipe; "?" when it cannot be read */
  gboolean finished;        /* a result; or else unfinished work */
  guint64 bytes;            /* on the disk */
  gint64 used;              /* when last, seconds since 1970 */
} LbStoreItem;

/* LbStoreItem*, the most recently used first; the array frees them. */
GPtrArray *lb_store_items (LbStore *store);

/* Bytes of what was set aside, which is removed with @remove. */
guint64 lb_store_aside_bytes (LbStore *store, gboolean remove);

/* Removes what is kept under the item's key, unless a run uses it: FALSE then. */
gboolean lb_store_remove (LbStore *store, const LbStoreItem *item);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbStore, lb_store_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbStoreLock, lb_store_unlock)

G_END_DECLS
