/* Parts of a stage that are done side by side.
 *
 * A part is an LbStage of its own, a copy of the whole one with its own counter of operations, that a thread made here
 * runs. The thread of the stage looks after them: it alone sends, records and saves, so everybody behind it sees one
 * sequential process.
 *
 * Invariants: parts begin in order, and none begins that is @side_by_side or more behind the first that has not been
 * sent: so at most that many, and always neighbours, hold memory. What a part tells is kept until its turn; then its
 * packets, figures and reports go out as one, between two checkpoints. A copy of a part's state is never changed while
 * anybody may look at it, so saving shares it; then its memory is used again. Everything below @lock is guarded by it.
 */
#include "base/timeline.h"
#include "plugin/running.h"

/* How often the stage's thread looks whether a checkpoint is due. */
#define TICK_USEC (G_USEC_PER_SEC / 20)

typedef enum { WAITS, WORKS, ENDED } PartState;

/* Something that a part tells, in its order: a packet, or a figure, or a report. */
typedef struct {
  guint output;
  LbPacket *packet; /* or NULL */
  char *name;       /* of the figure; NULL: @text is a report */
  double value;
  char *text; /* the figure's unit, or the report */
} Word;

typedef struct _Parts Parts;
typedef struct {
  Parts *parts;
  guint number;
  PartState state;
  LbStage stage;
  gboolean resumes, is_credited; /* there is a state to resume from; its operations were counted */
  guint asked;                   /* request for a copy that was followed last */
  GPtrArray *words;              /* Word* */
  GArray *copy;                  /* of its state, named for the whole's; NULL: none */
  GArray *spare;                 /* the one before, whose memory the next may have; the part's thread's */
  guint64 done, total;
  GError *error;
} Part;

struct _Parts {
  LbStage *stage;
  guint n, side_by_side;
  LbStagePart function;
  gpointer data;
  gint stop;           /* atomic: parts are not to go on */
  gint asked;          /* atomic: number of the last request for copies */
  gint64 sent;         /* parts, by the stage's thread alone */
  gboolean is_sending; /* a part has been sent in part: no moment for a checkpoint */
  GMutex files;        /* of the stage's keeper */
  GMutex lock;
  GCond changed;
  guint next, skipped; /* part to begin; parts that an earlier run has sent */
  Part *all;
};

static void
word_free (gpointer data)
{
  Word *word = data;

  g_clear_pointer (&word->packet, lb_packet_unref);
  g_free (word->name);
  g_free (word->text);
  g_free (word);
}

/* ---- What a part calls, in its own thread ---- */

static char *
prefix_of (const Part *part)
{
  return g_strdup_printf ("part %u ", part->number);
}

/* Steps of all parts that are done, and all there are: those of parts that have not begun are taken to be as many as
 * the others have. With the lock held. */
static void
sum_steps (const Parts *parts, LbPartProgress *progress)
{
  guint64 total = 0, done = 0;
  guint known = 0;

  for (guint i = 0; i < parts->n; i++) {
    known += parts->all[i].total > 0;
    total += parts->all[i].total;
    done += parts->all[i].done;
  }
  guint64 each = known > 0 ? total / known : 0;
  progress->all_done = done + each * parts->skipped;
  progress->all_total = total + each * (parts->n - known);
}

static void
tell_progress (Part *part, guint64 done, guint64 total, const char *what, double value, gboolean has_ended)
{
  Parts *parts = part->parts;
  LbStage *stage = parts->stage;
  LbPartProgress progress = { part->number, parts->n, has_ended, done, total, what, value, 0, 0 };

  g_mutex_lock (&parts->lock);
  part->done = done;
  part->total = total;
  sum_steps (parts, &progress);
  if (stage->listener.part != NULL)
    stage->listener.part (stage->listener_data, stage, &progress);
  else if (stage->listener.progress != NULL && !has_ended)
    stage->listener.progress (stage->listener_data, stage, progress.all_done, progress.all_total, what, value);
  g_mutex_unlock (&parts->lock);
}

static void
on_progress (gpointer data, LbStage *unused, guint64 done, guint64 total, const char *what, double value)
{
  tell_progress (data, done, total, what, value, FALSE);
}

static Word *
add_word (Part *part)
{
  Word *word = g_new0 (Word, 1);

  g_ptr_array_add (part->words, word);
  return word;
}

static gboolean
on_packet (gpointer data, guint output, LbPacket *packet, GError **error)
{
  Word *word = add_word (data);

  word->output = output;
  word->packet = lb_packet_ref (packet);
  return TRUE;
}

static void
on_metric (gpointer data, const char *name, double value, const char *unit)
{
  Word *word = add_word (data);

  word->name = g_strdup (name);
  word->value = value;
  word->text = g_strdup (unit);
}

static void
on_report (gpointer data, const char *text)
{
  add_word (data)->text = g_strdup (text);
}

static void
on_file (gpointer data, const char *name)
{
  Parts *parts = ((Part *)data)->parts;

  g_mutex_lock (&parts->files);
  if (parts->stage->keeper.file != NULL)
    parts->stage->keeper.file (parts->stage->keeper_data, name);
  g_mutex_unlock (&parts->files);
}

/* The state as it is called in that of the whole, with the operations so far in @flops. */
static LbState *
whole_state (const Part *part, const LbState *state, double *flops)
{
  g_autofree char *prefix = prefix_of (part), *operations = g_strconcat (prefix, "operations of the part", NULL);
  LbState *whole = lb_state_renamed (state, prefix);

  lb_state_add_number (whole, operations, flops);
  return whole;
}

static gboolean
on_resume (gpointer data, LbStage *unused, LbState *state, GError **error)
{
  Part *part = data;
  double flops = 0;
  g_autoptr (LbState) whole = NULL;

  if (!part->resumes)
    return TRUE;
  whole = whole_state (part, state, &flops);
  if (!lb_stage_resume (part->parts->stage, whole, error))
    return FALSE;
  if (!part->is_credited)
    lb_compute_add_flops (part->stage.compute, flops);
  part->is_credited = TRUE;
  return TRUE;
}

static gboolean
on_due (gpointer data)
{
  Part *part = data;

  return (guint)g_atomic_int_get (&part->parts->asked) != part->asked
         || (part->stage.flow != NULL && lb_flow_is_cancelled (part->stage.flow));
}

static void
on_checkpoint (gpointer data, LbState *state)
{
  Part *part = data;
  Parts *parts = part->parts;
  double flops = lb_compute_flops (part->stage.compute);
  g_autoptr (LbState) whole = whole_state (part, state, &flops);
  GArray *copy = lb_state_save (whole, part->spare);

  part->asked = (guint)g_atomic_int_get (&parts->asked);
  g_mutex_lock (&parts->lock);
  part->spare = part->copy;
  part->copy = copy;
  g_mutex_unlock (&parts->lock);
}

/* ---- Threads ---- */

static void
part_init (Part *part, Parts *parts, guint number)
{
  static const LbStageListener listener = { .progress = on_progress };
  static const LbStageKeeper keeper = { on_resume, on_due, on_checkpoint, on_packet, on_metric, on_report, on_file };

  part->parts = parts;
  part->number = number;
  part->words = g_ptr_array_new_with_free_func (word_free);
  part->stage = *parts->stage;
  part->stage.compute = lb_compute_new (lb_compute_pool (parts->stage->compute));
  lb_compute_trace (part->stage.compute, lb_compute_is_traced (parts->stage->compute));
  part->stage.listener = listener;
  part->stage.keeper = keeper;
  part->stage.listener_data = part->stage.keeper_data = part;
  part->stage.saving = 0;
  part->stage.stop = &parts->stop;
}

static void
part_clear (Part *part)
{
  g_ptr_array_unref (part->words);
  lb_compute_free (part->stage.compute);
  g_clear_pointer (&part->copy, g_array_unref);
  g_clear_pointer (&part->spare, g_array_unref);
  g_clear_error (&part->error);
}

static void
do_part (Part *part)
{
  Parts *parts = part->parts;
  GError *error = NULL;

  if (!parts->function (&part->stage, part->number, parts->data, &error)) {
    if (error == NULL)
      error = g_error_new (LB_ERROR, LB_ERROR_PROGRAM,
                           "part %u of stage type '%s' failed without saying why; the plugin must set an error",
                           part->number, parts->stage->type->name);
    /* Before it is known: the others end because of it. */
    g_mutex_lock (&parts->lock);
    part->error = error;
    g_mutex_unlock (&parts->lock);
    g_atomic_int_set (&parts->stop, 1);
  }
  tell_progress (part, part->done, part->total, NULL, 0, TRUE);
}

/* Begins parts in order, and does them, until none is left. */
static gpointer
work (gpointer data)
{
  Parts *parts = data;

  lb_timeline_thread (parts->stage->name);
  lb_account_enter (parts->stage->account);
  g_mutex_lock (&parts->lock);
  while (parts->next < parts->n && !g_atomic_int_get (&parts->stop)) {
    if (parts->next >= (guint64)parts->sent + parts->side_by_side) {
      g_cond_wait (&parts->changed, &parts->lock);
      continue;
    }
    Part *part = &parts->all[parts->next++];
    part->state = WORKS;
    g_mutex_unlock (&parts->lock);
    do_part (part);
    g_mutex_lock (&parts->lock);
    part->state = ENDED;
    g_cond_broadcast (&parts->changed);
  }
  g_mutex_unlock (&parts->lock);
  lb_account_enter (NULL);
  return NULL;
}

/* ---- The stage's thread ---- */

/* The state of the whole: how many parts were sent, and the copies of those that others come before. @begun, i64 [n],
 * tells which these are. */
static LbState *
state_of_all (Parts *parts, LbTensor *begun)
{
  LbState *state = lb_state_new ();

  lb_state_add_counter (state, "parts sent", &parts->sent);
  lb_state_add_tensor (state, "parts begun", begun);
  g_mutex_lock (&parts->lock);
  for (guint i = (guint)parts->sent; i < parts->n; i++) {
    const GArray *copy = parts->all[i].copy;

    lb_tensor_i64 (begun)[i] = copy != NULL;
    for (guint k = 0; copy != NULL && k < copy->len; k++)
      lb_state_add_finished (state, g_array_index (copy, LbNamedTensor, k).name,
                             g_array_index (copy, LbNamedTensor, k).tensor);
  }
  g_mutex_unlock (&parts->lock);
  return state;
}

/* Saves what the parts have copied, and asks them for newer copies. FALSE when the run is stopped. */
static gboolean
checkpoint (Parts *parts, GError **error)
{
  if (!lb_stage_checkpoint_due (parts->stage))
    return lb_stage_may_go_on (parts->stage, error);
  g_autoptr (LbTensor) begun = lb_tensor_new (LB_I64, LB_SHAPE (parts->n));
  g_autoptr (LbState) state = state_of_all (parts, begun);
  g_mutex_lock (&parts->files);
  gboolean goes_on = lb_stage_checkpoint (parts->stage, state, error);
  g_mutex_unlock (&parts->files);
  g_atomic_int_inc (&parts->asked);
  return goes_on;
}

/* Where an earlier run had come to. */
static gboolean
resume (Parts *parts, GError **error)
{
  g_autoptr (LbTensor) begun = lb_tensor_new (LB_I64, LB_SHAPE (parts->n));
  g_autoptr (LbState) state = lb_state_new ();

  lb_state_add_counter (state, "parts sent", &parts->sent);
  lb_state_add_tensor (state, "parts begun", begun);
  if (!lb_stage_resume (parts->stage, state, error))
    return FALSE;
  parts->next = parts->skipped = (guint)parts->sent;
  for (guint i = 0; i < parts->n; i++)
    parts->all[i].resumes = i >= parts->sent && lb_tensor_i64 (begun)[i] != 0;
  return TRUE;
}

/* Sends, records and reports what @part, which has ended, has told. */
static gboolean
send_words (Parts *parts, Part *part, GError **error)
{
  LbStage *stage = parts->stage;

  lb_compute_add_flops (stage->compute, lb_compute_flops (part->stage.compute));
  lb_stage_count_saving (stage, lb_stage_saving (&part->stage));
  for (guint i = 0; i < part->words->len; i++) {
    Word *word = g_ptr_array_index (part->words, i);

    if (word->packet != NULL) {
      if (!lb_stage_push (stage, stage->type->outputs[word->output].name, g_steal_pointer (&word->packet), error))
        return FALSE;
    } else if (word->name != NULL) {
      lb_stage_metric (stage, word->name, word->value, word->text);
    } else {
      lb_stage_report (stage, word->text);
    }
  }
  return TRUE;
}

/* The part whose turn it is has ended well: it is sent, and then forgotten. */
static gboolean
send_part (Parts *parts, GError **error)
{
  Part *part = &parts->all[parts->sent];

  parts->is_sending = TRUE;
  if (!send_words (parts, part, error))
    return FALSE;
  parts->is_sending = FALSE;
  g_ptr_array_set_size (part->words, 0);
  g_clear_pointer (&part->spare, g_array_unref);
  g_mutex_lock (&parts->lock);
  g_clear_pointer (&part->copy, g_array_unref);
  parts->sent++;
  g_cond_broadcast (&parts->changed);
  g_mutex_unlock (&parts->lock);
  return TRUE;
}

/* Waits until the part whose turn it is has ended; TRUE then, FALSE after a while, or when parts are to stop. */
static gboolean
wait_for_turn (Parts *parts)
{
  gint64 end = g_get_monotonic_time () + TICK_USEC;
  const Part *part = &parts->all[parts->sent];

  g_mutex_lock (&parts->lock);
  while (part->state != ENDED && !g_atomic_int_get (&parts->stop)
         && g_cond_wait_until (&parts->changed, &parts->lock, end))
    ;
  gboolean ended = part->state == ENDED && part->error == NULL;
  g_mutex_unlock (&parts->lock);
  return ended;
}

static gboolean
look_after (Parts *parts, GError **error)
{
  while (parts->sent < parts->n) {
    if (wait_for_turn (parts) && !send_part (parts, error))
      return FALSE;
    if (g_atomic_int_get (&parts->stop) || !checkpoint (parts, error))
      return FALSE;
  }
  return TRUE;
}

/* Why parts have stopped: what the first of them says that did not merely follow the others. */
static GError *
first_error (Parts *parts)
{
  GError *first = NULL;

  for (guint i = 0; i < parts->n; i++) {
    GError *error = parts->all[i].error;
    if (error != NULL && (first == NULL || g_error_matches (first, LB_ERROR, LB_ERROR_CANCELLED))
        && (first == NULL || !g_error_matches (error, LB_ERROR, LB_ERROR_CANCELLED)))
      first = error;
  }
  return first;
}

/* Starts the threads; one at least. */
static gboolean
start_threads (Parts *parts, GPtrArray *threads, GError **error)
{
  GError *reason = NULL;

  while (threads->len < MIN (parts->side_by_side, parts->n)) {
    GThread *thread = g_thread_try_new (parts->stage->name, work, parts, &reason);
    if (thread == NULL)
      break;
    g_ptr_array_add (threads, thread);
  }
  if (threads->len > 0) {
    g_clear_error (&reason);
    return TRUE;
  }
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM, "the thread of a part cannot be started: %s; free some memory",
               reason->message);
  g_error_free (reason);
  return FALSE;
}

static gboolean
run_parts (Parts *parts, GError **error)
{
  g_autoptr (GPtrArray) threads = g_ptr_array_new ();
  GError *failure = NULL, *first;

  if (!resume (parts, error) || (parts->sent < parts->n && !start_threads (parts, threads, error)))
    return FALSE;
  gboolean done = look_after (parts, &failure);
  g_mutex_lock (&parts->lock);
  if (!done)
    g_atomic_int_set (&parts->stop, 1);
  g_cond_broadcast (&parts->changed);
  g_mutex_unlock (&parts->lock);
  for (guint i = 0; i < threads->len; i++)
    g_thread_join (threads->pdata[i]);
  if (done)
    return TRUE;
  first = first_error (parts);
  if (first != NULL && (failure == NULL || !g_error_matches (first, LB_ERROR, LB_ERROR_CANCELLED))) {
    g_clear_error (&failure);
    failure = g_error_copy (first);
  }
  /* Their last copies are of the moment they stopped. */
  if (g_error_matches (failure, LB_ERROR, LB_ERROR_CANCELLED) && !parts->is_sending)
    checkpoint (parts, NULL);
  g_propagate_error (error, failure);
  return FALSE;
}

guint
lb_stage_side_by_side (LbStage *stage)
{
  return MAX (stage->configured->side_by_side, 1);
}

gboolean
lb_stage_parts (LbStage *stage, guint n, LbStagePart part, gpointer data, GError **error)
{
  Parts parts = { .stage = stage,
                  .n = n,
                  .side_by_side = lb_stage_side_by_side (stage),
                  .function = part,
                  .data = data,
                  .all = g_new0 (Part, n) };

  g_mutex_init (&parts.files);
  g_mutex_init (&parts.lock);
  g_cond_init (&parts.changed);
  for (guint i = 0; i < n; i++)
    part_init (&parts.all[i], &parts, i);
  gboolean done = n == 0 || run_parts (&parts, error);
  for (guint i = 0; i < n; i++)
    part_clear (&parts.all[i]);
  g_free (parts.all);
  g_cond_clear (&parts.changed);
  g_mutex_clear (&parts.lock);
  g_mutex_clear (&parts.files);
  return done;
}
