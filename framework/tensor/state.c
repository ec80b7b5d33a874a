/* Saving and restoring of state. Numbers are seen as tensors of one element, so that all is handled alike. */
#include "tensor/state.h"

#include <string.h>

#include "base/error.h"

struct _LbState {
  GArray *parts;    /* LbNamedTensor; those of numbers wrap the caller's variable */
  GArray *is_final; /* gboolean, beside @parts: a copy may share it */
};

LbState *
lb_state_new (void)
{
  LbState *state = g_new0 (LbState, 1);

  state->parts = lb_named_tensors_new ();
  state->is_final = g_array_new (FALSE, FALSE, sizeof (gboolean));
  return state;
}

void
lb_state_free (LbState *state)
{
  if (state == NULL)
    return;
  g_array_unref (state->parts);
  g_array_unref (state->is_final);
  g_free (state);
}

/* Takes @tensor. */
static void
add (LbState *state, const char *name, LbTensor *tensor, gboolean is_final)
{
  LbNamedTensor part = { g_strdup (name), tensor };

  for (guint i = 0; i < state->parts->len; i++)
    g_return_if_fail (strcmp (g_array_index (state->parts, LbNamedTensor, i).name, name) != 0);
  g_array_append_val (state->parts, part);
  g_array_append_val (state->is_final, is_final);
}

void
lb_state_add_tensor (LbState *state, const char *name, LbTensor *tensor)
{
  add (state, name, lb_tensor_ref (tensor), FALSE);
}

void
lb_state_add_finished (LbState *state, const char *name, LbTensor *tensor)
{
  add (state, name, lb_tensor_ref (tensor), TRUE);
}

void
lb_state_add_counter (LbState *state, const char *name, gint64 *counter)
{
  add (state, name, lb_tensor_wrap (LB_I64, LB_SHAPE (1), counter, NULL, NULL), FALSE);
}

void
lb_state_add_number (LbState *state, const char *name, double *number)
{
  add (state, name, lb_tensor_wrap (LB_F64, LB_SHAPE (1), number, NULL, NULL), FALSE);
}

LbState *
lb_state_renamed (const LbState *state, const char *prefix)
{
  LbState *renamed = lb_state_new ();

  for (guint i = 0; i < state->parts->len; i++) {
    const LbNamedTensor *part = &g_array_index (state->parts, LbNamedTensor, i);
    g_autofree char *name = g_strconcat (prefix, part->name, NULL);
    add (renamed, name, lb_tensor_ref (part->tensor), g_array_index (state->is_final, gboolean, i));
  }
  return renamed;
}

static void
copy_values (LbTensor *to, const LbTensor *from)
{
  if (lb_tensor_bytes (from) > 0)
    memcpy (lb_tensor_data (to), lb_tensor_data (from), lb_tensor_bytes (from));
}

static gboolean
is_like (const LbTensor *a, const LbTensor *b)
{
  return lb_tensor_dtype (a) == lb_tensor_dtype (b) && lb_shape_equal (lb_tensor_shape (a), lb_tensor_shape (b));
}

/* Whether copies share part @index. */
static gboolean
is_shared (const LbState *state, guint index)
{
  return g_array_index (state->is_final, gboolean, index);
}

/* Whether @saved is a copy of a state with the same parts. */
static gboolean
is_copy_of (const GArray *saved, const LbState *state)
{
  gboolean same = saved->len == state->parts->len;

  for (guint i = 0; same && i < saved->len; i++) {
    const LbNamedTensor *part = &g_array_index (state->parts, LbNamedTensor, i);
    const LbNamedTensor *copy = &g_array_index (saved, LbNamedTensor, i);
    same = strcmp (part->name, copy->name) == 0 && is_like (part->tensor, copy->tensor)
           && is_shared (state, i) == (part->tensor == copy->tensor);
  }
  return same;
}

/* Gives *copy the values of @from, unless others hold it: then it becomes another. */
static void
overwrite (LbTensor **copy, const LbTensor *from)
{
  if (!lb_tensor_is_shared (*copy)) {
    copy_values (*copy, from);
    return;
  }
  lb_tensor_unref (*copy);
  *copy = lb_tensor_copy (from);
}

GArray *
lb_state_save (const LbState *state, GArray *earlier)
{
  if (earlier != NULL && is_copy_of (earlier, state)) {
    for (guint i = 0; i < state->parts->len; i++)
      if (!is_shared (state, i))
        overwrite (&g_array_index (earlier, LbNamedTensor, i).tensor,
                   g_array_index (state->parts, LbNamedTensor, i).tensor);
    return earlier;
  }
  if (earlier != NULL)
    g_array_unref (earlier);
  GArray *saved = lb_named_tensors_new ();
  for (guint i = 0; i < state->parts->len; i++) {
    const LbNamedTensor *part = &g_array_index (state->parts, LbNamedTensor, i);
    LbNamedTensor copy = { g_strdup (part->name),
                           is_shared (state, i) ? lb_tensor_ref (part->tensor) : lb_tensor_copy (part->tensor) };
    g_array_append_val (saved, copy);
  }
  return saved;
}

static LbTensor *
find (const GArray *saved, const char *name)
{
  for (guint i = 0; i < saved->len; i++)
    if (strcmp (g_array_index (saved, LbNamedTensor, i).name, name) == 0)
      return g_array_index (saved, LbNamedTensor, i).tensor;
  return NULL;
}

gboolean
lb_state_restore (LbState *state, const GArray *saved, GError **error)
{
  for (guint i = 0; i < state->parts->len; i++) {
    const LbNamedTensor *part = &g_array_index (state->parts, LbNamedTensor, i);
    const LbTensor *copy = find (saved, part->name);
    if (copy != NULL && is_like (part->tensor, copy))
      continue;
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "the saved state has %s '%s' that the stage expects; it is of another version",
                 copy != NULL ? "another dtype or shape of" : "no", part->name);
    return FALSE;
  }
  for (guint i = 0; i < state->parts->len; i++) {
    const LbNamedTensor *part = &g_array_index (state->parts, LbNamedTensor, i);
    copy_values (part->tensor, find (saved, part->name));
  }
  return TRUE;
}
