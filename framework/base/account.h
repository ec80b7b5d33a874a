/* Accounts of memory: how many bytes of tensors and programs a stage holds. What a thread takes is counted on the
 * account it has entered, until it is freed, by whatever thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _LbAccount LbAccount;

LbAccount *lb_account_new (void);
void lb_account_unref (LbAccount *account);

/* The most bytes that were on the account at once. */
guint64 lb_account_peak (const LbAccount *account);

/* From now on what this thread takes is counted on @account; NULL: on none. Borrowed. */
void lb_account_enter (LbAccount *account);

/* Counts @bytes on this thread's account. The result is for lb_account_give(): a reference, NULL when there is none. */
LbAccount *lb_account_take (gsize bytes);

/* The end of what lb_account_take() counted; takes the reference. NULL is none. */
void lb_account_give (LbAccount *account, gsize bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbAccount, lb_account_unref)

G_END_DECLS
