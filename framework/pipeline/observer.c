/* Observing a run.
 *
 * Stage threads only append to what waits (in the journal and in @events, both behind locks); everything that writes,
 * formats or looks at the clock for long is done by the main thread, a few times a second.
 */
#include <math.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/format.h"
#include "base/timeline.h"
#include "pipeline/observer.h"
#include "pipeline/journal.h"
#include "pipeline/resolved.h"
#include "pipeline/status.h"
#include "pipeline/watch.h"

#define FLUSH_MS  200
#define STATUS_MS 1000
#define DISK_MS   3000
#define LOG_MS    60000
#define PATIENCE  10.0
/* Seconds of work that are worth the word "started" in the log. */
#define BRIEF    0.05
#define SCARCE   ((guint64)64 << 20)
#define ROW_EACH 100 /* steps whose values are all recorded, and how many of each further tenfold are */

/* What waits to be shown: a line, or a figure when @name is there. */
typedef struct {
  char *text, *name, *unit;
  guint stage;
  guint64 step;
  double value;
} Event;

/* What was told of a stage. */
typedef struct {
  LbActivityState state;
  gboolean started;
  gint64 logged;
  gboolean not_finite; /* told; under the lock */
} Told;

/* What was told of a link's growth. */
typedef struct {
  gsize from, told;
  guint n;
} Growth;

struct _LbObserver {
  const LbPlan *plan;
  char *directory;
  LbProgress *progress;
  LbJournal *journal;
  gint64 started, started_real;
  LbWatch watch;
  guint64 scarce, told_left;
  gint64 flushed, written, traced, looked_at_disk;
  gboolean failing;   /* the journal could not be written; told */
  GMutex lock;        /* what follows */
  GPtrArray *events;  /* Event* */
  GHashTable *growth; /* link's name -> Growth */
  Told *told;         /* beside the plan's stages */
};

static void
event_free (gpointer data)
{
  Event *event = data;
  g_free (event->text);
  g_free (event->name);
  g_free (event->unit);
  g_free (event);
}

/* ---- Life ---- */

LbObserver *
lb_observer_new (const LbPlan *plan, const char *directory, const LbObserverSettings *settings, GError **error)
{
  g_autofree char *yaml = lb_plan_to_yaml (plan);
  LbJournal *journal = lb_journal_new (directory, yaml, error);
  if (journal == NULL)
    return NULL;
  LbObserver *observer = g_new0 (LbObserver, 1);
  observer->plan = plan;
  observer->directory = g_strdup (directory);
  observer->progress = settings->progress;
  observer->journal = journal;
  observer->started = g_get_monotonic_time ();
  observer->started_real = g_get_real_time ();
  observer->watch = lb_watch_new (settings->patience > 0 ? settings->patience : PATIENCE);
  observer->scarce = settings->scarce > 0 ? settings->scarce : SCARCE;
  observer->told_left = G_MAXUINT64;
  g_mutex_init (&observer->lock);
  observer->events = g_ptr_array_new_with_free_func (event_free);
  observer->growth = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  observer->told = g_new0 (Told, plan->n_stages);
  if (observer->progress != NULL)
    lb_progress_begin (observer->progress, plan->pipeline->title, plan->pipeline->path);
  lb_observer_log (observer, "limbeck %s runs '%s' (%s), process %d, seed %" G_GINT64_FORMAT ", %u threads, %s",
                   LB_VERSION, plan->pipeline->title, plan->pipeline->path, (int)getpid (), plan->pipeline->seed,
                   settings->threads, settings->arithmetic != NULL ? settings->arithmetic : "arithmetic not told");
  return observer;
}

void
lb_observer_free (LbObserver *observer)
{
  if (observer == NULL)
    return;
  lb_journal_free (observer->journal);
  g_ptr_array_unref (observer->events);
  g_hash_table_unref (observer->growth);
  g_mutex_clear (&observer->lock);
  g_free (observer->told);
  g_free (observer->directory);
  g_free (observer);
}

/* ---- From any thread ---- */

static void
add_event (LbObserver *observer, Event *event)
{
  if (observer->progress == NULL) {
    event_free (event);
    return;
  }
  g_mutex_lock (&observer->lock);
  g_ptr_array_add (observer->events, event);
  g_mutex_unlock (&observer->lock);
}

void
lb_observer_say (LbObserver *observer, const char *format, ...)
{
  Event *event = g_new0 (Event, 1);
  va_list arguments;
  va_start (arguments, format);
  event->text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  lb_journal_log (observer->journal, event->text);
  add_event (observer, event);
}

void
lb_observer_log (LbObserver *observer, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  lb_journal_log (observer->journal, text);
}

static const char *
stage_name (const LbObserver *observer, guint stage)
{
  return observer->plan->stages[stage].written->name;
}

/* Tells once of each stage that a value of it is no number: its author may not check, and nothing good comes after. */
static void
check_finite (LbObserver *observer, guint stage, guint64 step, const char *name, double value)
{
  if (isfinite (value))
    return;
  g_mutex_lock (&observer->lock);
  gboolean told = observer->told[stage].not_finite;
  observer->told[stage].not_finite = TRUE;
  g_mutex_unlock (&observer->lock);
  if (!told)
    lb_observer_say (observer, "warning: stage '%s': %s is %s at step %" G_GUINT64_FORMAT, stage_name (observer, stage),
                     name, isnan (value) ? "not a number" : "infinite", step);
}

void
lb_observer_metric (LbObserver *observer, guint stage, guint64 step, const char *name, double value, const char *unit)
{
  Event *event = g_new0 (Event, 1);
  *event = (Event){ NULL, g_strdup (name), g_strdup (unit), stage, step, value };
  lb_journal_value (observer->journal, stage_name (observer, stage), step, name, value, unit);
  lb_observer_log (observer, "stage '%s': %s %.6g%s%s", stage_name (observer, stage), name, isnan (value) ? NAN : value,
                   unit != NULL ? " " : "", unit != NULL ? unit : "");
  add_event (observer, event);
  check_finite (observer, stage, step, name, value);
}

static gboolean
is_chosen (guint64 step, guint64 total)
{
  guint64 stride = 1;
  while (step / stride > 10 * ROW_EACH)
    stride *= 10;
  return step % stride == 0 || step == total;
}

void
lb_observer_value (LbObserver *observer, guint stage, guint64 step, guint64 total, const char *name, double value)
{
  if (is_chosen (step, total))
    lb_journal_value (observer->journal, stage_name (observer, stage), step, name, value, NULL);
  check_finite (observer, stage, step, name, value);
}

void
lb_observer_part (LbObserver *observer, guint stage, guint part, guint64 step, guint64 total, const char *name,
                  double value)
{
  g_autofree char *who = g_strdup_printf ("%s/%u", stage_name (observer, stage), part);
  if (is_chosen (step, total))
    lb_journal_value (observer->journal, who, step, name, value, NULL);
  check_finite (observer, stage, step, name, value);
}

void
lb_observer_grown (LbObserver *observer, const char *link, gsize from, gsize to)
{
  g_mutex_lock (&observer->lock);
  Growth *growth = g_hash_table_lookup (observer->growth, link);
  if (growth == NULL) {
    growth = g_new0 (Growth, 1);
    growth->from = from;
    g_hash_table_insert (observer->growth, g_strdup (link), growth);
  }
  gboolean tell = growth->n++ == 0 || to / 2 >= growth->told;
  if (tell)
    growth->told = to;
  g_mutex_unlock (&observer->lock);
  if (!tell)
    return;
  g_autofree char *before = lb_format_bytes (from), *after = lb_format_bytes (to);
  lb_observer_say (observer, "link '%s' grew from %s to %s: all stages waited, this one for room", link, before, after);
}

/* ---- Showing ---- */

static void
show_events (LbObserver *observer)
{
  g_mutex_lock (&observer->lock);
  GPtrArray *events = observer->events;
  observer->events = g_ptr_array_new_with_free_func (event_free);
  g_mutex_unlock (&observer->lock);
  for (guint i = 0; i < events->len; i++) {
    const Event *event = events->pdata[i];
    if (event->name != NULL)
      lb_progress_metric (observer->progress, stage_name (observer, event->stage), event->step, event->name,
                          event->value, event->unit);
    else
      lb_progress_say (observer->progress, event->text);
  }
  g_ptr_array_unref (events);
}

/* Logs what became of each stage since the last look. */
static void
log_stages (LbObserver *observer, const LbActivity *activities, guint n, gint64 now)
{
  for (guint i = 0; i < n; i++) {
    Told *told = &observer->told[i];
    LbActivityState state = activities[i].state;
    gboolean ended = state > LB_ACTIVITY_RUNNING;
    if (state == LB_ACTIVITY_RUNNING && !told->started && lb_activity_seconds (&activities[i], now) >= BRIEF) {
      told->started = TRUE;
      told->logged = now;
      lb_observer_log (observer, "stage '%s': started", activities[i].name);
    } else if (ended ? told->state != state
                     : state == LB_ACTIVITY_RUNNING && told->started && now - told->logged >= LOG_MS * 1000) {
      told->logged = now;
      g_autofree char *line = lb_progress_line (&activities[i], FALSE, G_MAXINT, now);
      lb_observer_log (observer, "stage '%s': %s", activities[i].name, g_strchug (line));
    }
    told->state = state;
  }
}

static void
write_status (LbObserver *observer, const LbActivity *activities, guint n, const char *state, const char *failure,
              gint64 now)
{
  LbStatusHead head = { .title = observer->plan->pipeline->title,
                        .pipeline = observer->plan->pipeline->path,
                        .seed = observer->plan->pipeline->seed,
                        .state = state,
                        .error = failure,
                        .started = observer->started_real,
                        .seconds = (double)(now - observer->started) / G_USEC_PER_SEC };
  g_autofree char *json = lb_status_to_json (&head, activities, n, now);
  /* A status that cannot be written is told by the flush: the same disk is full for both. */
  lb_journal_status (observer->journal, json, NULL);
}

void
lb_observer_flush (LbObserver *observer)
{
  g_autoptr (GError) error = NULL;
  gboolean written = lb_journal_flush (observer->journal, &error);
  if (!written && !observer->failing)
    lb_observer_say (observer, "warning: %s; the run goes on, and what is to be written waits", error->message);
  else if (written && observer->failing)
    lb_observer_say (observer, "the record of the run can be written again");
  observer->failing = !written;
}

static void
flush_trace (LbObserver *observer)
{
  g_autoptr (GError) error = NULL;
  if (!lb_timeline_flush (&error))
    lb_observer_say (observer, "warning: %s; the rest of the trace is left out, and the run goes on", error->message);
}

/* ---- Looking out ---- */

/* Processor time of all threads but this one, in seconds. */
static double
busy_seconds (void)
{
  struct timespec process, own;
  if (clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &process) != 0 || clock_gettime (CLOCK_THREAD_CPUTIME_ID, &own) != 0)
    return 0;
  return (double)(process.tv_sec - own.tv_sec) + (double)(process.tv_nsec - own.tv_nsec) / 1e9;
}

static void
look_for_stall (LbObserver *observer, const LbActivity *activities, guint n, guint64 moved, gint64 now)
{
  for (guint i = 0; i < n; i++)
    moved += activities[i].reports + (activities[i].ended != 0);
  g_autofree char *sentence = lb_watch_look (&observer->watch, activities, n, moved, busy_seconds (), now);
  if (sentence != NULL)
    lb_observer_say (observer, "warning: %s", sentence);
}

/* Told when it begins, and whenever half of it is gone. */
static void
look_at_disk (LbObserver *observer)
{
  struct statvfs disk;
  if (statvfs (observer->directory, &disk) != 0)
    return;
  guint64 left = (guint64)disk.f_bavail * disk.f_frsize;
  if (left >= observer->scarce) {
    observer->told_left = G_MAXUINT64;
    return;
  }
  if (left > observer->told_left / 2)
    return;
  observer->told_left = left;
  g_autofree char *bytes = lb_format_bytes (left);
  lb_observer_say (observer, "warning: only %s are left on the disk of '%s'; make room, or results may not fit", bytes,
                   observer->directory);
}

static gboolean
is_due (gint64 *last, gint64 milliseconds, gint64 now)
{
  if (*last != 0 && now - *last < milliseconds * 1000)
    return FALSE;
  *last = now;
  return TRUE;
}

void
lb_observer_tick (LbObserver *observer, const LbActivity *activities, guint n, guint64 moved, gint64 now)
{
  if (is_due (&observer->looked_at_disk, DISK_MS, now))
    look_at_disk (observer);
  if (is_due (&observer->flushed, FLUSH_MS, now)) {
    look_for_stall (observer, activities, n, moved, now);
    log_stages (observer, activities, n, now);
    lb_observer_flush (observer);
  }
  if (is_due (&observer->traced, STATUS_MS, now))
    flush_trace (observer);
  if (is_due (&observer->written, STATUS_MS, now))
    write_status (observer, activities, n, "running", NULL, now);
  if (observer->progress == NULL)
    return;
  show_events (observer);
  lb_progress_update (observer->progress, activities, n, now);
}

gboolean
lb_observer_end (LbObserver *observer, const LbActivity *activities, guint n, const GError *failure, gint64 now,
                 GError **error)
{
  const char *state = failure == NULL                                           ? "done"
                      : g_error_matches (failure, LB_ERROR, LB_ERROR_CANCELLED) ? "stopped"
                                                                                : "failed";
  g_autofree char *seconds = lb_format_seconds ((double)(now - observer->started) / G_USEC_PER_SEC);
  /* All stages have ended, which ends a stall too. */
  look_for_stall (observer, activities, n, 0, now);
  log_stages (observer, activities, n, now);
  lb_observer_log (observer, "%s after %s%s%s", state, seconds, failure != NULL ? ": " : "",
                   failure != NULL ? failure->message : "");
  gboolean written = lb_journal_flush (observer->journal, error);
  write_status (observer, activities, n, state, failure != NULL ? failure->message : NULL, now);
  if (observer->progress != NULL) {
    show_events (observer);
    lb_progress_finish (observer->progress, activities, n, now);
    lb_progress_result (observer->progress, state, failure != NULL ? failure->message : NULL);
  }
  return written;
}
