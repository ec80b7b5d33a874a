/* Checkpoint files: a stage's saved state and its ledger up to there. Private to pipeline/.
 *
 *   WORK/checkpoint-00000007 = record of the state and the ledger, then the record's SHA-256 in hexadecimal
 *
 * The last two are kept, so that one is whole whatever happens to the other. A result keeps one, the end, when runs
 * that differ in nothing but a larger value of some property go on from there.
 */
#pragma once

#include "pipeline/ledger.h"
#include "tensor/state.h"

G_BEGIN_DECLS

/* Numbers of the checkpoints in @work, the latest first; guint64. */
GArray *lb_checkpoint_numbers (const char *work);

/* Free with g_free(). */
char *lb_checkpoint_path (const char *work, guint64 number);

/* Writes number @number, safely on the disk, and removes all but the last two. @end_of: of an end, the property that
 * says how far runs go; or NULL. LB_ERROR_OUTPUT. */
gboolean lb_checkpoint_write (const char *work, guint64 number, const GArray *state, const LbLedger *ledger,
                              const char *end_of, GError **error);

/* Removes all but the last @n_kept. */
void lb_checkpoint_remove_old (const char *work, guint n_kept);

/* The state, and *ledger. LB_ERROR_INPUT when it is damaged. */
GArray *lb_checkpoint_read (const char *work, guint64 number, guint n_outputs, LbLedger **ledger, GError **error);

/* Reads the end that the result in @directory has: *end_of is its property, free with g_free(); NULL when there is
 * none. LB_ERROR_INPUT when it is damaged. */
gboolean lb_checkpoint_read_end (const char *directory, char **end_of, GError **error);

/* Copies the last checkpoint of directory @from, with the packets and result files that it speaks of, into @work.
 * LB_ERROR_INPUT when there is none or it is damaged, LB_ERROR_OUTPUT. */
gboolean lb_checkpoint_copy (const char *from, const char *work, guint n_outputs, GError **error);

G_END_DECLS
