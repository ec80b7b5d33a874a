/* State: what of a long computation has to be known to go on with it later, as named tensors and numbers that live in
 * the computation and are saved from there and restored to there.
 *
 *   g_autoptr (LbState) state = lb_state_new ();
 *   lb_state_add_tensor (state, "images", images);
 *   lb_state_add_counter (state, "iteration", &iteration);
 *   ...
 *   GArray *saved = lb_state_save (state, NULL);            # a copy
 *   lb_state_restore (state, saved, &error);                # images and iteration are again what they were
 */
#pragma once

#include "tensor/npz.h"

G_BEGIN_DECLS

/* Named tensors and numbers: where a long piece of work stands. */
typedef struct _LbState LbState;

/* An empty state. Freeing it leaves what it names. */
LbState *lb_state_new (void);
void lb_state_free (LbState *state);

/* Names are unique within a state. The tensor is kept; counters and numbers are the caller's and must outlive @state.
 */
void lb_state_add_tensor (LbState *state, const char *name, LbTensor *tensor);
void lb_state_add_counter (LbState *state, const char *name, gint64 *counter);
void lb_state_add_number (LbState *state, const char *name, double *number);

/* A tensor whose values are final, unless lb_state_restore() brings others: copies share it, so they cost
 * nothing. Its name is none that a changing tensor had. */
void lb_state_add_finished (LbState *state, const char *name, LbTensor *tensor);

/* The same parts, which are shared, with @prefix before their names. */
LbState *lb_state_renamed (const LbState *state, const char *prefix);

/* A copy of everything, LbNamedTensor in the order added, counters as i64 [1], numbers as f64 [1]. @earlier, an earlier
 * copy or NULL, is taken over: where names, dtypes and shapes are the same it is overwritten and returned, and nothing
 * is allocated, but for tensors of it that somebody else holds, too: in their place come new ones. */
GArray *lb_state_save (const LbState *state, GArray *earlier);

/* Puts a copy back: all that @state names, of what may be more in @saved. Dtypes and shapes must be the same (a copy
 * that came from a file may be of another program): else LB_ERROR_INPUT, and nothing is changed. */
gboolean lb_state_restore (LbState *state, const GArray *saved, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbState, lb_state_free)

G_END_DECLS
