/* Reuse: what of a plan has to be computed, and what the store already has. */
#pragma once

#include "pipeline/plan.h"
#include "pipeline/store.h"

G_BEGIN_DECLS

typedef enum {
  LB_REUSE_NOT,        /* the stage runs */
  LB_REUSE_CHECKPOINT, /* it goes on where a stopped run left it, or a shorter one ended */
  LB_REUSE_RESULT      /* it does not run: its results are brought back */
} LbReuseKind;

/* "run", "resumed", "reused". */
const char *lb_reuse_word (LbReuseKind kind);

typedef struct {
  LbReuseKind kind;
  char *why; /* of the kind, as a phrase */
  char *key, *recipe;
  char *shorter;     /* key of the result at whose end it goes on; or NULL */
  LbLedger *result;  /* what is kept: of LB_REUSE_RESULT; or of a cheap stage that runs for its packets alone */
  LbStoreLock *lock; /* shared, on that result */
  gboolean cheap;    /* its packets are not kept */
  gboolean closes;   /* it tells of this run: nothing of it is kept */
  gboolean send;     /* a stage that runs reads it */
} LbReuseStage;

typedef struct {
  LbStore *store;       /* borrowed */
  LbReuseStage *stages; /* beside plan->stages */
  guint n_stages;
  GPtrArray *notices; /* char*: what was found damaged */
} LbReuse;

/* Decides for every stage of the configured @plan. Results that are to be used are verified; a damaged one is set aside
 * (with @look_only: only told). @arithmetic as in recipe.h. LB_ERROR_OUTPUT when the store cannot be locked. */
LbReuse *
lb_reuse_decide (const LbPlan *plan, LbStore *store, const char *arithmetic, gboolean look_only, GError **error);
void lb_reuse_free (LbReuse *reuse);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbReuse, lb_reuse_free)

G_END_DECLS
