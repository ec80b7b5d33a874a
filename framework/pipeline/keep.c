/* Keeping one stage's results.
 *
 * Invariants: while @recording, the exclusive lock of the key is held and nobody else touches the work. A result is
 * brought back only from bytes whose digests are right.
 */
#include "pipeline/keep.h"

#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/checkpoint.h"
#include "pipeline/digest.h"
#include "pipeline/work.h"

/* How old the copy of the state in memory gets: what is lost when a run is stopped whose stage waits for others. A copy
 * takes some milliseconds for a network and its momentum. */
#define SNAPSHOT_EVERY G_USEC_PER_SEC

/* How often a result that another run computes is looked for. */
#define POLL_USEC 50000

/* A copy of where the stage stood. */
typedef struct {
  GArray *state;     /* NULL: there is none */
  LbSentMark *marks; /* of each output */
  guint n_metrics, n_reports;
  double flops, seconds;
  guint64 bytes_out;
  gint64 taken;   /* when; 0: never */
  gboolean fresh; /* not written yet */
} Snapshot;

struct _LbKeep {
  LbKeepSetup setup;
  char *output_directory;
  LbStage *stage;
  LbReuseKind outcome;
  gboolean recording, asked; /* asked: the stage has asked for its checkpoint */
  LbStoreLock *lock;
  LbWork *work;
  LbLedger *ledger;               /* of all so far */
  LbLedger *result;               /* that another run has made meanwhile; or NULL */
  const LbLedger *outcome_ledger; /* of the three that may tell it */
  GArray *saved;                  /* what the stage resumed from; NULL: nothing */
  Snapshot snapshot;
  Snapshot end;             /* where a run goes on whose ... */
  char *end_property;       /* ... value of this property is larger; NULL: none does */
  gint64 started, written;  /* when the stage began here, and when the last checkpoint was written */
  double seconds_before;    /* of work, before it was resumed */
  gboolean told_of_trouble; /* in writing checkpoints */
};

LbKeep *
lb_keep_new (const LbKeepSetup *setup)
{
  LbKeep *keep = g_new0 (LbKeep, 1);
  keep->setup = *setup;
  keep->output_directory = g_strdup (setup->output_directory);
  keep->outcome = setup->reuse->kind;
  keep->work = lb_work_new (setup->store, setup->reuse->key, setup->n_outputs, setup->output_directory);
  keep->ledger = lb_ledger_new (setup->n_outputs);
  keep->snapshot.marks = g_new0 (LbSentMark, setup->n_outputs);
  keep->end.marks = g_new0 (LbSentMark, setup->n_outputs);
  return keep;
}

static void
snapshot_clear (Snapshot *snapshot)
{
  g_clear_pointer (&snapshot->state, g_array_unref);
  g_clear_pointer (&snapshot->marks, g_free);
}

void
lb_keep_free (LbKeep *keep)
{
  if (keep == NULL)
    return;
  lb_store_unlock (keep->lock);
  lb_ledger_free (keep->ledger);
  lb_ledger_free (keep->result);
  g_clear_pointer (&keep->saved, g_array_unref);
  snapshot_clear (&keep->snapshot);
  snapshot_clear (&keep->end);
  g_free (keep->end_property);
  g_free (keep->output_directory);
  lb_work_free (keep->work);
  g_free (keep);
}

LbReuseKind
lb_keep_outcome (const LbKeep *keep)
{
  return keep->outcome;
}

const LbLedger *
lb_keep_ledger (const LbKeep *keep)
{
  return keep->outcome_ledger;
}

static void G_GNUC_PRINTF (2, 3) notice (LbKeep *keep, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_autofree char *whole = g_strdup_printf ("stage '%s': %s", lb_stage_name (keep->stage), text);
  keep->setup.notice (keep->setup.data, whole);
}

/* ---- What is kept comes again ---- */

/* Puts the result files of @ledger, which lie in @directory, into the run's output directory. */
static gboolean
bring_files (LbKeep *keep, const char *directory, const LbLedger *ledger, GError **error)
{
  for (guint i = 0; i < ledger->files->len; i++) {
    const LbKept *kept = &g_array_index (ledger->files, LbKept, i);
    guint64 bytes;
    char digest[LB_DIGEST_SIZE];
    g_autofree char *from = lb_store_file_path (directory, kept->name);
    g_autofree char *to = g_build_filename (keep->output_directory, kept->name, NULL);
    if (!lb_digest_copy (from, to, &bytes, digest, error))
      return FALSE;
  }
  return TRUE;
}

/* Sends the packets of @ledger again, which lie in @directory. */
static gboolean
send_packets (LbKeep *keep, const char *directory, const LbLedger *ledger, GError **error)
{
  for (guint output = 0; output < ledger->outputs->len; output++) {
    const GArray *packets = ledger->outputs->pdata[output];
    g_autofree char *path = lb_store_output_path (directory, output);
    guint64 offset = 0, size;
    int descriptor = packets->len > 0 ? lb_file_open (path, &size, error) : -1;
    gboolean good = packets->len == 0 || descriptor >= 0;
    for (guint i = 0; good && i < packets->len; i++) {
      const LbKept *kept = &g_array_index (packets, LbKept, i);
      g_autoptr (LbPacket) packet = lb_record_read (descriptor, path, offset, kept->bytes, kept->digest, error);
      good = packet != NULL && lb_stage_resend (keep->stage, output, packet, error);
      offset += kept->bytes;
    }
    if (descriptor >= 0)
      close (descriptor);
    if (!good)
      return FALSE;
  }
  return TRUE;
}

/* Metrics and reports appear again. */
static void
tell_again (LbKeep *keep, const LbLedger *ledger)
{
  for (guint i = 0; i < ledger->metrics->len; i++) {
    const LbMetric *metric = ledger->metrics->pdata[i];
    lb_stage_metric (keep->stage, metric->name, metric->value, metric->unit);
  }
  for (guint i = 0; i < ledger->reports->len; i++)
    lb_stage_report (keep->stage, ledger->reports->pdata[i]);
}

/* ---- Checkpoints ---- */

static double
seconds_so_far (const LbKeep *keep)
{
  const LbLink *link;
  gint64 since, now = g_get_monotonic_time (), waited = lb_stage_waited (keep->stage, now, &link, &since);
  return keep->seconds_before + (double)MAX (now - keep->started - waited, 0) / G_USEC_PER_SEC;
}

static void
take_snapshot (LbKeep *keep, Snapshot *snapshot, const LbState *state, gint64 now)
{
  snapshot->state = lb_state_save (state, snapshot->state);
  for (guint i = 0; i < keep->setup.n_outputs; i++)
    snapshot->marks[i] = lb_ledger_mark (keep->ledger, i);
  snapshot->n_metrics = keep->ledger->metrics->len;
  snapshot->n_reports = keep->ledger->reports->len;
  snapshot->flops = lb_compute_flops (lb_stage_compute (keep->stage));
  snapshot->bytes_out = lb_stage_bytes_out (keep->stage);
  snapshot->seconds = seconds_so_far (keep);
  snapshot->taken = now;
  snapshot->fresh = TRUE;
}

/* The ledger as it was when the snapshot was taken. Files may be newer: what is written again after the checkpoint is
 * written with the same bytes. */
static LbLedger *
ledger_of_snapshot (const LbKeep *keep, const Snapshot *snapshot)
{
  LbLedger *ledger = lb_ledger_copy (keep->ledger);
  for (guint i = 0; i < keep->setup.n_outputs; i++)
    lb_ledger_cut (ledger, i, &snapshot->marks[i]);
  g_ptr_array_set_size (ledger->metrics, (int)snapshot->n_metrics);
  g_ptr_array_set_size (ledger->reports, (int)snapshot->n_reports);
  ledger->flops = snapshot->flops;
  ledger->bytes_out = snapshot->bytes_out;
  ledger->seconds = snapshot->seconds;
  return ledger;
}

/* That a checkpoint cannot be written ends no run: it loses nothing, and the next may go well. */
static void
write_snapshot (LbKeep *keep)
{
  g_autoptr (GError) error = NULL;
  gboolean written = lb_work_save (keep->work, keep->ledger, &error);
  if (written) {
    g_autoptr (LbLedger) ledger = ledger_of_snapshot (keep, &keep->snapshot);
    written = lb_work_add_checkpoint (keep->work, keep->snapshot.state, ledger, NULL, &error);
  }
  keep->written = g_get_monotonic_time ();
  keep->snapshot.fresh = !written;
  if (!written && !keep->told_of_trouble)
    notice (keep, "no checkpoint could be written; if the run ends now, it goes on from the last one: %s",
            error->message);
  keep->told_of_trouble = !written;
}

static gboolean
is_time_to_write (const LbKeep *keep, gint64 now)
{
  return now - keep->written >= keep->setup.checkpoint_interval || lb_flow_is_cancelled (keep->setup.flow);
}

static gboolean
on_due (gpointer data)
{
  const LbKeep *keep = data;
  gint64 now = g_get_monotonic_time ();
  return keep->recording
         && (keep->snapshot.taken == 0 || now - keep->snapshot.taken >= SNAPSHOT_EVERY || is_time_to_write (keep, now));
}

static void
on_checkpoint (gpointer data, LbState *state)
{
  LbKeep *keep = data;
  gint64 now = g_get_monotonic_time ();
  take_snapshot (keep, &keep->snapshot, state, now);
  if (is_time_to_write (keep, now))
    write_snapshot (keep);
}

static void
on_end (gpointer data, const char *property, LbState *state)
{
  LbKeep *keep = data;
  if (!keep->recording)
    return;
  take_snapshot (keep, &keep->end, state, g_get_monotonic_time ());
  g_free (keep->end_property);
  keep->end_property = g_strdup (property);
}

/* Goes on from checkpoint @number. FALSE without @error when it is damaged: it was set aside, and nothing was changed.
 */
static gboolean
resume_from (LbKeep *keep, LbState *state, guint64 number, GError **error)
{
  const char *work = lb_work_path (keep->work);
  g_autoptr (GError) damage = NULL;
  g_autoptr (LbLedger) ledger = NULL;
  g_autoptr (GArray) saved = lb_work_read_checkpoint (keep->work, number, &ledger, &damage);
  if (saved == NULL || !lb_state_restore (state, saved, &damage)) {
    g_autofree char *path = lb_checkpoint_path (work, number);
    g_autofree char *aside = lb_store_set_aside (keep->setup.store, path);
    notice (keep, "a checkpoint is damaged, set aside as '%s': %s", aside != NULL ? aside : "(removed)",
            damage->message);
    return FALSE;
  }
  if (!lb_work_go_on (keep->work, ledger, error) || !bring_files (keep, work, ledger, error)
      || !send_packets (keep, work, ledger, error))
    return FALSE;
  /* Metrics and reports come into the ledger by being told again. */
  tell_again (keep, ledger);
  lb_stage_credit (keep->stage, ledger->flops, 0);
  for (guint i = 0; i < keep->setup.n_outputs; i++)
    lb_ledger_take_packets (keep->ledger, ledger, i);
  lb_ledger_take_files (keep->ledger, ledger);
  keep->seconds_before = ledger->seconds;
  keep->saved = g_steal_pointer (&saved);
  return TRUE;
}

static gboolean
on_resume (gpointer data, LbStage *stage, LbState *state, GError **error)
{
  LbKeep *keep = data;
  if (!keep->recording)
    return TRUE;
  if (keep->asked)
    return keep->saved == NULL || lb_state_restore (state, keep->saved, error);
  keep->asked = TRUE;
  if (lb_stage_bytes_out (stage) > 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "the stage asks for its checkpoint after it has sent packets; correct the plugin");
    return FALSE;
  }
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (lb_work_path (keep->work));
  gboolean resumed = FALSE;
  keep->outcome = LB_REUSE_NOT;
  keep->written = g_get_monotonic_time ();
  for (guint i = 0; i < numbers->len && !resumed; i++) {
    GError *failure = NULL;
    resumed = resume_from (keep, state, g_array_index (numbers, guint64, i), &failure);
    if (failure != NULL) {
      g_propagate_error (error, failure);
      return FALSE;
    }
  }
  keep->outcome = resumed ? LB_REUSE_CHECKPOINT : LB_REUSE_NOT;
  return TRUE;
}

/* ---- What the stage tells ---- */

static gboolean
on_packet (gpointer data, guint output, LbPacket *packet, GError **error)
{
  LbKeep *keep = data;
  /* One that runs for its packets alone has told what they are. */
  if (keep->setup.reuse->result == NULL)
    lb_ledger_note (keep->ledger, output, packet);
  return !keep->recording || !keep->ledger->has_packets
         || lb_work_append (keep->work, output, packet, keep->ledger, error);
}

static void
on_metric (gpointer data, const char *name, double value, const char *unit)
{
  LbKeep *keep = data;
  g_ptr_array_add (keep->ledger->metrics, lb_metric_new (name, value, unit));
}

static void
on_report (gpointer data, const char *text)
{
  LbKeep *keep = data;
  g_ptr_array_add (keep->ledger->reports, g_strdup (text));
}

static void
on_file (gpointer data, const char *name)
{
  LbKeep *keep = data;
  lb_work_expect_file (keep->work, name);
}

const LbStageKeeper lb_keep_keeper
    = { on_resume, on_due, on_checkpoint, on_packet, on_metric, on_report, on_file, on_end };

/* ---- The stage as a whole ---- */

/* Where an earlier, shorter run ended is put where checkpoints of this one are looked for: from there it goes on as if
 * it had been stopped. What is not whole is found when it does. */
static void
begin_at_end_of_shorter (LbKeep *keep)
{
  const char *key = keep->setup.reuse->shorter, *work = lb_work_path (keep->work);
  g_autofree char *from = lb_store_result_path (keep->setup.store, key);
  g_autoptr (GArray) own = lb_checkpoint_numbers (work);
  g_autoptr (LbStoreLock) lock = NULL;
  g_autoptr (GError) error = NULL;
  if (own->len > 0)
    return;
  if (!lb_store_try_lock (keep->setup.store, key, TRUE, &lock, &error)
      || (lock != NULL && !lb_checkpoint_copy (from, work, keep->setup.n_outputs, &error)))
    notice (keep, "it begins at the beginning, as it cannot go on where an earlier run ended: %s", error->message);
}

static gboolean
begin_recording (LbKeep *keep, GError **error)
{
  if (!lb_work_begin (keep->work, keep->setup.reuse->recipe, error))
    return FALSE;
  if (keep->setup.reuse->shorter != NULL)
    begin_at_end_of_shorter (keep);
  keep->ledger->has_packets = !keep->setup.reuse->cheap;
  keep->recording = TRUE;
  keep->started = g_get_monotonic_time ();
  keep->outcome = LB_REUSE_NOT;
  return TRUE;
}

/* The one checkpoint that stays with the result; as good as any if the run is stopped before there is one. */
static gboolean
write_end (LbKeep *keep, GError **error)
{
  if (keep->end_property == NULL)
    return TRUE;
  g_autoptr (LbLedger) ledger = ledger_of_snapshot (keep, &keep->end);
  return lb_work_add_checkpoint (keep->work, keep->end.state, ledger, keep->end_property, error);
}

static gboolean
commit (LbKeep *keep, GError **error)
{
  keep->ledger->flops = lb_compute_flops (lb_stage_compute (keep->stage));
  keep->ledger->bytes_out = lb_stage_bytes_out (keep->stage);
  keep->ledger->seconds = seconds_so_far (keep);
  if (!lb_work_save (keep->work, keep->ledger, error) || !write_end (keep, error))
    return FALSE;
  lb_checkpoint_remove_old (lb_work_path (keep->work), keep->end_property != NULL ? 1 : 0);
  return lb_store_commit (keep->setup.store, keep->setup.reuse->key, keep->ledger, error);
}

/* Runs the stage; its key is locked. */
static gboolean
run_and_record (LbKeep *keep, GError **error)
{
  if (!begin_recording (keep, error))
    return FALSE;
  gboolean done = lb_stage_run (keep->stage, error) && commit (keep, error);
  /* What is new since the last checkpoint is not to be lost when the run is stopped. */
  if (!done && keep->snapshot.fresh)
    write_snapshot (keep);
  lb_work_close (keep->work);
  keep->recording = FALSE;
  g_clear_pointer (&keep->lock, lb_store_unlock);
  return done;
}

static gboolean
bring_back (LbKeep *keep, const LbLedger *ledger, GError **error)
{
  const char *key = keep->setup.reuse->key;
  g_autofree char *directory = lb_store_result_path (keep->setup.store, key);
  keep->outcome = LB_REUSE_RESULT;
  lb_store_touch (keep->setup.store, key);
  lb_stage_close_inputs (keep->stage);
  if (!bring_files (keep, directory, ledger, error))
    return FALSE;
  tell_again (keep, ledger);
  if (keep->setup.reuse->send && !send_packets (keep, directory, ledger, error))
    return FALSE;
  lb_stage_credit (keep->stage, ledger->flops, ledger->bytes_out - lb_stage_bytes_out (keep->stage));
  lb_stage_close_outputs (keep->stage);
  return TRUE;
}

/* ---- Whose turn it is ---- */

static gboolean
result_exists (const LbKeep *keep)
{
  g_autofree char *path = lb_store_result_path (keep->setup.store, keep->setup.reuse->key);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* The result that another run has made since this one was planned, shared by keep->lock; NULL when it is damaged. */
static LbLedger *
read_new_result (LbKeep *keep)
{
  g_autoptr (LbLedger) ledger = NULL;
  g_autoptr (GError) damage = NULL;
  const LbReuseStage *reuse = keep->setup.reuse;
  LbStore *store = keep->setup.store;
  g_autofree char *path = lb_store_result_path (store, reuse->key);
  if (lb_store_read (store, reuse->key, keep->setup.n_outputs, &ledger, &damage)
      && (ledger == NULL || lb_store_verify (path, ledger, TRUE, &damage)))
    return g_steal_pointer (&ledger);
  g_clear_pointer (&keep->lock, lb_store_unlock);
  if (!lb_store_try_lock (store, reuse->key, FALSE, &keep->lock, NULL) || keep->lock == NULL)
    return NULL;
  g_autofree char *aside = lb_store_set_aside (store, path);
  g_clear_pointer (&keep->lock, lb_store_unlock);
  notice (keep, "its kept result is damaged, set aside as '%s', and is computed again: %s",
          aside != NULL ? aside : "(removed)", damage->message);
  return NULL;
}

/* One try: TRUE when it is settled. Then *result is there, or the key is locked for computing it. */
static gboolean
try_claim (LbKeep *keep, LbLedger **result, GError **error)
{
  gboolean there = result_exists (keep);
  *result = NULL;
  if (!lb_store_try_lock (keep->setup.store, keep->setup.reuse->key, there, &keep->lock, error) || keep->lock == NULL)
    return FALSE;
  if (there && (*result = read_new_result (keep)) != NULL)
    return TRUE;
  if (!there && !result_exists (keep))
    return TRUE;
  g_clear_pointer (&keep->lock, lb_store_unlock);
  return FALSE;
}

/* Waits until it is this run's turn to compute the stage, or until another run has computed it. A cheap stage waits for
 * nobody: then there is neither a lock nor a result. */
static gboolean
claim (LbKeep *keep, LbLedger **result, GError **error)
{
  gboolean told = FALSE, cheap = keep->setup.reuse->cheap;
  for (;;) {
    GError *failure = NULL;
    if (try_claim (keep, result, &failure))
      return TRUE;
    if (failure != NULL) {
      g_propagate_error (error, failure);
      return FALSE;
    }
    if (cheap)
      return TRUE;
    if (!told)
      notice (keep, "another run is computing it; waiting for its result");
    told = TRUE;
    if (!lb_stage_may_go_on (keep->stage, error))
      return FALSE;
    lb_flow_begin_outside (keep->setup.flow);
    g_usleep (POLL_USEC);
    lb_flow_end_outside (keep->setup.flow);
  }
}

gboolean
lb_keep_run (LbKeep *keep, LbStage *stage, GError **error)
{
  const LbReuseStage *reuse = keep->setup.reuse;
  keep->stage = stage;
  keep->outcome_ledger = reuse->result != NULL ? reuse->result : keep->ledger;
  if (reuse->kind == LB_REUSE_RESULT)
    return bring_back (keep, reuse->result, error);
  /* What else it brings is kept already. */
  if (reuse->result != NULL)
    return lb_stage_run (stage, error);
  if (!claim (keep, &keep->result, error))
    return FALSE;
  const LbLedger *result = keep->result;
  if (result == NULL && keep->lock != NULL)
    return run_and_record (keep, error);
  if (result == NULL || (reuse->send && !result->has_packets))
    return lb_stage_run (stage, error);
  keep->outcome_ledger = result;
  gboolean done = bring_back (keep, result, error);
  g_clear_pointer (&keep->lock, lb_store_unlock);
  return done;
}
