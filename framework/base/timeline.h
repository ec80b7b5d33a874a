/* Timelines: what each thread did when (limbeck run --trace), as a file that chrome://tracing and
 * https://ui.perfetto.dev show (the JSON array form of the "Trace Event Format", complete events).
 *
 * One timeline at a time in a process. Off, it costs a look at a variable; on, events are formatted into a small buffer
 * of their thread, and full buffers are written out, so memory is bounded by the number of threads. After each writing
 * the file is complete JSON, also for those who look while it grows or find it after a kill.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes of a timeline by default. */
#define LB_TIMELINE_LIMIT ((guint64)1 << 30)

/* Starts a timeline in @path; at most @limit bytes, after which events are dropped and counted. LB_ERROR_OUTPUT. */
gboolean lb_timeline_start (const char *path, guint64 limit, GError **error);

/* Ends it, once all threads whose events matter have been joined or have come to rest. LB_ERROR_OUTPUT when some of it
 * could not be written. */
gboolean lb_timeline_stop (GError **error);

/* Writes out what threads have in their buffers; from any thread. LB_ERROR_OUTPUT once, when the timeline can no longer
 * be written; it then drops all that follows. TRUE when there is no timeline. */
gboolean lb_timeline_flush (GError **error);

/* How many events were dropped so far, for want of room or because of an error. */
guint64 lb_timeline_dropped (void);

/* Names the calling thread in the timeline. Like all names here: of characters that JSON does not escape. */
void lb_timeline_thread (const char *name);

/* An event of the calling thread, from @began until now: a name, and up to two figures (@key NULL: none). Events of a
 * thread must nest. @category is what they can be filtered by. */
void lb_timeline_record (gint64 began, const char *category, const char *name, const char *key, gint64 value,
                         const char *key_2, gint64 value_2);

extern gboolean lb_timeline_is_on; /* for what follows; atomic */

/* Nanoseconds of a clock that is the timeline's own. */
gint64 lb_timeline_now (void);

/* What to give lb_timeline_end(): when something begins; 0 when there is no timeline. */
static inline gint64
lb_timeline_begin (void)
{
  return G_UNLIKELY (__atomic_load_n (&lb_timeline_is_on, __ATOMIC_RELAXED)) ? lb_timeline_now () : 0;
}

static inline void
lb_timeline_end (gint64 began, const char *category, const char *name, const char *key, gint64 value, const char *key_2,
                 gint64 value_2)
{
  if (G_UNLIKELY (began != 0))
    lb_timeline_record (began, category, name, key, value, key_2, value_2);
}

G_END_DECLS
