/* Work: what a stage that runs has left in the store so far: packets, copies of its result files, and checkpoints that
 * tell how far both had come. Private to pipeline/.
 *
 * Only who holds the exclusive lock of the key uses it. Files of packets may be longer than any checkpoint knows; a
 * checkpoint never knows more than is safely on the disk.
 */
#pragma once

#include "pipeline/store.h"

G_BEGIN_DECLS

typedef struct _LbWork LbWork;

/* Touches nothing yet. The stage writes its result files to @output_directory. */
LbWork *lb_work_new (const LbStore *store, const char *key, guint n_outputs, const char *output_directory);
void lb_work_free (LbWork *work);
const char *lb_work_path (const LbWork *work);

/* Begins it, or takes it up as an earlier run has left it. LB_ERROR_OUTPUT. */
gboolean lb_work_begin (LbWork *work, const char *recipe, GError **error);

/* Appends what @output sends next; @ledger tells of it. LB_ERROR_OUTPUT. */
gboolean lb_work_append (LbWork *work, guint output, const LbPacket *packet, LbLedger *ledger, GError **error);

/* The stage may write the result file @name from now on. What lies there at the first call is of an earlier run. */
void lb_work_expect_file (LbWork *work, const char *name);

/* Copies the result files that were written since the last time, of which @ledger tells then, and makes all packets
 * safe on the disk. LB_ERROR_OUTPUT. */
gboolean lb_work_save (LbWork *work, LbLedger *ledger, GError **error);

/* Writes the next checkpoint, as lb_checkpoint_write(). What @ledger tells of has been saved. LB_ERROR_OUTPUT. */
gboolean
lb_work_add_checkpoint (LbWork *work, const GArray *state, const LbLedger *ledger, const char *end_of, GError **error);

/* The state of a checkpoint, and *ledger. LB_ERROR_INPUT when it, or anything it tells of, is damaged. */
GArray *lb_work_read_checkpoint (const LbWork *work, guint64 number, LbLedger **ledger, GError **error);

/* Goes on where @ledger ends: packets behind it are cut off. LB_ERROR_OUTPUT. */
gboolean lb_work_go_on (LbWork *work, const LbLedger *ledger, GError **error);

/* Nothing is appended any more. */
void lb_work_close (LbWork *work);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbWork, lb_work_free)

G_END_DECLS
