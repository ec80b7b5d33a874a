/* Accounts of memory. An account lives as long as anything that is counted on it: packets outlive their stage. */
#include "base/account.h"

struct _LbAccount {
  gint references; /* atomic, like all here */
  guint64 now, peak;
};

static __thread LbAccount *entered;

LbAccount *
lb_account_new (void)
{
  LbAccount *account = g_new0 (LbAccount, 1);

  account->references = 1;
  return account;
}

void
lb_account_unref (LbAccount *account)
{
  if (account != NULL && g_atomic_int_dec_and_test (&account->references))
    g_free (account);
}

guint64
lb_account_peak (const LbAccount *account)
{
  return __atomic_load_n (&account->peak, __ATOMIC_RELAXED);
}

void
lb_account_enter (LbAccount *account)
{
  entered = account;
}

LbAccount *
lb_account_take (gsize bytes)
{
  LbAccount *account = entered;

  if (account == NULL)
    return NULL;
  g_atomic_int_inc (&account->references);
  guint64 now = __atomic_add_fetch (&account->now, bytes, __ATOMIC_RELAXED);
  guint64 peak = lb_account_peak (account);
  while (now > peak
         && !__atomic_compare_exchange_n (&account->peak, &peak, now, TRUE, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    ;
  return account;
}

void
lb_account_give (LbAccount *account, gsize bytes)
{
  if (account == NULL)
    return;
  __atomic_sub_fetch (&account->now, bytes, __ATOMIC_RELAXED);
  lb_account_unref (account);
}
