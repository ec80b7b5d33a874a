/* Writing of timelines.
 *
 * Invariants: a buffer is filled by its own thread, and emptied by whoever holds its lock; the file's end is moved
 * under the timeline's lock, which is always taken last. What stands in the file up to @end and the closing bracket
 * behind it are complete JSON: each writing begins where the bracket was and ends with a new one.
 */
#include "base/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define BUFFER_BYTES 65536
/* No event is longer: names are cut. */
#define LONGEST_EVENT 512
#define LONGEST_NAME  120

static const char closing[] = "\n]\n";

typedef struct {
  GMutex lock;
  guint thread;
  guint length, n_events;
  char text[BUFFER_BYTES + sizeof closing];
} Buffer;

typedef struct {
  char *path;
  int descriptor;
  gint64 started;
  guint64 limit, end, n_dropped;
  int problem; /* errno of what went wrong, 0 */
  gboolean told;
  GPtrArray *buffers; /* Buffer*; a thread's number is its place, from 1 */
} Timeline;

gboolean lb_timeline_is_on;

static GMutex lock; /* guards what follows */
static Timeline *timeline;
static guint generation;

/* The calling thread's buffer, as long as the timeline is the one it was made for. */
static __thread struct {
  guint generation;
  Buffer *buffer;
} own;

gint64
lb_timeline_now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (gint64)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- Text ---- */

static char *
put_text (char *out, const char *text)
{
  gsize length = MIN (strlen (text), LONGEST_NAME);
  memcpy (out, text, length);
  return out + length;
}

static char *
put_number (char *out, gint64 value)
{
  char digits[20];
  guint n = 0;
  guint64 rest = value < 0 ? 0 - (guint64)value : (guint64)value;
  if (value < 0)
    *out++ = '-';
  do
    digits[n++] = (char)('0' + rest % 10);
  while ((rest /= 10) > 0);
  while (n > 0)
    *out++ = digits[--n];
  return out;
}

/* Nanoseconds as microseconds, which the format counts in. */
static char *
put_time (char *out, gint64 nanoseconds)
{
  guint part = (guint)(nanoseconds % 1000);
  out = put_number (out, nanoseconds / 1000);
  *out++ = '.';
  *out++ = (char)('0' + part / 100);
  *out++ = (char)('0' + part / 10 % 10);
  *out++ = (char)('0' + part % 10);
  return out;
}

static char *
put_figure (char *out, const char *key, gint64 value)
{
  out = put_text (out, "\"");
  out = put_text (out, key);
  out = put_text (out, "\":");
  return put_number (out, value);
}

static char *
put_name (char *out, guint thread, const char *name)
{
  out = put_text (out, ",\n{\"ph\":\"M\",\"pid\":1,\"name\":\"thread_name\",\"tid\":");
  out = put_number (out, thread);
  out = put_text (out, ",\"args\":{\"name\":\"");
  out = put_text (out, name);
  return put_text (out, "\"}}");
}

/* ---- Writing; with the lock of the timeline ---- */

static void
write_out (Timeline *to, const char *text, gsize length)
{
  gsize written = 0;
  while (written < length && to->problem == 0) {
    gssize n = pwrite (to->descriptor, text + written, length - written, (off_t)(to->end + written));
    if (n < 0 && errno != EINTR)
      to->problem = errno;
    written += n > 0 ? (gsize)n : 0;
  }
  /* What was written of an event makes room for the bracket again. */
  if (to->problem != 0 && to->end > 0 && ftruncate (to->descriptor, (off_t)to->end) == 0
      && pwrite (to->descriptor, closing, strlen (closing), (off_t)to->end) < 0)
    return;
}

/* Writes @buffer out, whose lock is held, or drops it. */
static void
empty (Buffer *buffer)
{
  g_mutex_lock (&lock);
  if (buffer->length > 0 && timeline->problem == 0
      && timeline->end + buffer->length + sizeof closing <= timeline->limit) {
    memcpy (buffer->text + buffer->length, closing, sizeof closing - 1);
    write_out (timeline, buffer->text, buffer->length + sizeof closing - 1);
    if (timeline->problem == 0)
      timeline->end += buffer->length;
    else
      timeline->n_dropped += buffer->n_events;
  } else {
    timeline->n_dropped += buffer->n_events;
  }
  g_mutex_unlock (&lock);
  buffer->length = buffer->n_events = 0;
}

/* ---- Events ---- */

/* The calling thread's buffer; NULL when there is no timeline any more. */
static Buffer *
get_buffer (void)
{
  if (own.buffer != NULL && own.generation == __atomic_load_n (&generation, __ATOMIC_ACQUIRE))
    return own.buffer;
  char name[32] = "thread";
  pthread_getname_np (pthread_self (), name, sizeof name);
  g_mutex_lock (&lock);
  own.buffer = NULL;
  own.generation = generation;
  if (timeline != NULL) {
    own.buffer = g_new (Buffer, 1);
    g_mutex_init (&own.buffer->lock);
    g_ptr_array_add (timeline->buffers, own.buffer);
    own.buffer->thread = timeline->buffers->len;
    own.buffer->n_events = 0;
    own.buffer->length = (guint)(put_name (own.buffer->text, own.buffer->thread, name) - own.buffer->text);
  }
  g_mutex_unlock (&lock);
  return own.buffer;
}

void
lb_timeline_thread (const char *name)
{
  Buffer *buffer = __atomic_load_n (&lb_timeline_is_on, __ATOMIC_RELAXED) ? get_buffer () : NULL;
  if (buffer == NULL)
    return;
  g_mutex_lock (&buffer->lock);
  if (buffer->length + LONGEST_EVENT > BUFFER_BYTES)
    empty (buffer);
  buffer->length = (guint)(put_name (buffer->text + buffer->length, buffer->thread, name) - buffer->text);
  g_mutex_unlock (&buffer->lock);
}

void
lb_timeline_record (gint64 began, const char *category, const char *name, const char *key, gint64 value,
                    const char *key_2, gint64 value_2)
{
  gint64 now = lb_timeline_now ();
  Buffer *buffer = get_buffer ();
  if (buffer == NULL)
    return;
  g_mutex_lock (&buffer->lock);
  if (buffer->length + LONGEST_EVENT > BUFFER_BYTES)
    empty (buffer);
  char *out = buffer->text + buffer->length;
  out = put_text (out, ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":");
  out = put_number (out, buffer->thread);
  out = put_text (out, ",\"ts\":");
  out = put_time (out, began - timeline->started);
  out = put_text (out, ",\"dur\":");
  out = put_time (out, now - began);
  out = put_text (out, ",\"cat\":\"");
  out = put_text (out, category);
  out = put_text (out, "\",\"name\":\"");
  out = put_text (out, name);
  *out++ = '"';
  if (key != NULL) {
    out = put_text (out, ",\"args\":{");
    out = put_figure (out, key, value);
    if (key_2 != NULL) {
      *out++ = ',';
      out = put_figure (out, key_2, value_2);
    }
    *out++ = '}';
  }
  *out++ = '}';
  buffer->length = (guint)(out - buffer->text);
  buffer->n_events++;
  g_mutex_unlock (&buffer->lock);
}

/* ---- Life ---- */

static void
buffer_free (gpointer data)
{
  Buffer *buffer = data;
  g_mutex_clear (&buffer->lock);
  g_free (buffer);
}

static void
timeline_free (Timeline *ended)
{
  if (ended->descriptor >= 0)
    close (ended->descriptor);
  g_ptr_array_unref (ended->buffers);
  g_free (ended->path);
  g_free (ended);
}

gboolean
lb_timeline_start (const char *path, guint64 limit, GError **error)
{
  static const char head[] = "[\n{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"limbeck\"}}";
  g_return_val_if_fail (timeline == NULL, FALSE);
  Timeline *made = g_new0 (Timeline, 1);
  made->path = g_strdup (path);
  made->limit = limit;
  made->buffers = g_ptr_array_new_with_free_func (buffer_free);
  made->started = lb_timeline_now ();
  made->descriptor = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
  if (made->descriptor < 0) {
    lb_output_error (path, errno, error);
    timeline_free (made);
    return FALSE;
  }
  g_autofree char *text = g_strconcat (head, closing, NULL);
  write_out (made, text, strlen (text));
  made->end = strlen (head);
  if (made->problem != 0) {
    lb_output_error (path, made->problem, error);
    timeline_free (made);
    return FALSE;
  }
  g_mutex_lock (&lock);
  timeline = made;
  __atomic_store_n (&generation, generation + 1, __ATOMIC_RELEASE);
  g_mutex_unlock (&lock);
  __atomic_store_n (&lb_timeline_is_on, TRUE, __ATOMIC_SEQ_CST);
  return TRUE;
}

/* Empties all buffers there are at this moment. */
static void
empty_all (void)
{
  g_mutex_lock (&lock);
  g_autoptr (GPtrArray) buffers
      = timeline != NULL ? g_ptr_array_copy (timeline->buffers, NULL, NULL) : g_ptr_array_new ();
  g_ptr_array_set_free_func (buffers, NULL);
  g_mutex_unlock (&lock);
  for (guint i = 0; i < buffers->len; i++) {
    Buffer *buffer = buffers->pdata[i];
    g_mutex_lock (&buffer->lock);
    empty (buffer);
    g_mutex_unlock (&buffer->lock);
  }
}

gboolean
lb_timeline_flush (GError **error)
{
  empty_all ();
  g_mutex_lock (&lock);
  gboolean good = timeline == NULL || timeline->problem == 0 || timeline->told;
  if (!good) {
    timeline->told = TRUE;
    lb_output_error (timeline->path, timeline->problem, error);
  }
  g_mutex_unlock (&lock);
  return good;
}

guint64
lb_timeline_dropped (void)
{
  g_mutex_lock (&lock);
  guint64 n_dropped = timeline != NULL ? timeline->n_dropped : 0;
  g_mutex_unlock (&lock);
  return n_dropped;
}

gboolean
lb_timeline_stop (GError **error)
{
  __atomic_store_n (&lb_timeline_is_on, FALSE, __ATOMIC_SEQ_CST);
  empty_all ();
  g_mutex_lock (&lock);
  Timeline *ended = timeline;
  timeline = NULL;
  __atomic_store_n (&generation, generation + 1, __ATOMIC_RELEASE);
  g_mutex_unlock (&lock);
  if (ended == NULL)
    return TRUE;
  int problem = ended->problem;
  if (problem != 0)
    lb_output_error (ended->path, problem, error);
  timeline_free (ended);
  return problem == 0;
}
