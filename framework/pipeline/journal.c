/* Writing of a run's journal.
 *
 * Invariants: each file is appended to in whole lines, continued where the system cut a write short; what could not be
 * written stays in memory in order. All texts that wait are behind @lock; descriptors belong to the flushing thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "pipeline/journal.h"

/* What may wait of one file while the disk is full; lines that come then are counted only. */
#define MOST_WAITING (16 << 20)

typedef struct {
  char *path;
  int descriptor;
  GString *waiting;
  guint64 lost; /* lines */
} Stream;

enum { LOG, CSV, JSONL, N_STREAMS };
static const char *const stream_names[N_STREAMS] = { "log.txt", "metrics.csv", "metrics.jsonl" };

struct _LbJournal {
  char *directory;
  Stream streams[N_STREAMS];
  GMutex lock;
};

char *
lb_journal_path (const char *directory, const char *file)
{
  return g_build_filename (directory, LB_JOURNAL_FOLDER, file, NULL);
}

/* ---- The lock: of the open file, so that it ends with its last descriptor ---- */

static struct flock
whole_file (void)
{
  return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static gboolean
take_lock (const char *directory, int descriptor, GError **error)
{
  struct flock lock = whole_file ();
  if (fcntl (descriptor, F_OFD_SETLK, &lock) == 0)
    return TRUE;
  /* A file system without locks is no reason not to run. */
  if (errno != EAGAIN && errno != EACCES)
    return TRUE;
  g_set_error (
      error, LB_ERROR, LB_ERROR_OUTPUT,
      "output directory '%s' is being written by another run; wait for it (limbeck status tells how far it is), "
      "or name another with --output",
      directory);
  return FALSE;
}

gboolean
lb_journal_is_live (const char *directory)
{
  g_autofree char *path = lb_journal_path (directory, stream_names[LOG]);
  int descriptor = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct flock lock = whole_file ();
  /* Asks only, so that it never stands in the way of a run that starts. */
  gboolean live = descriptor >= 0 && fcntl (descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  if (descriptor >= 0)
    close (descriptor);
  return live;
}

/* ---- Life ---- */

static gboolean
open_stream (LbJournal *journal, guint index, int flags, GError **error)
{
  Stream *stream = &journal->streams[index];
  stream->path = lb_journal_path (journal->directory, stream_names[index]);
  stream->waiting = g_string_new (NULL);
  stream->descriptor = open (stream->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | flags, 0666);
  return stream->descriptor >= 0 ? TRUE : lb_output_error (stream->path, errno, error);
}

/* Whether what stands in the directory is of the same pipeline, stopped before its end: then its rows go on. */
static gboolean
goes_on (LbJournal *journal, const char *pipeline_yaml)
{
  g_autofree char *pipeline = lb_journal_path (journal->directory, "pipeline.yaml");
  g_autofree char *end = g_build_filename (journal->directory, "metrics.json", NULL);
  g_autofree char *before = NULL;
  return !g_file_test (end, G_FILE_TEST_EXISTS) && g_file_get_contents (pipeline, &before, NULL, NULL)
         && strcmp (before, pipeline_yaml) == 0;
}

/* Takes away a last line that has no end: the process that wrote it was killed. */
static void
cut_last_line (const Stream *stream)
{
  g_autofree char *text = NULL;
  gsize length;
  if (!g_file_get_contents (stream->path, &text, &length, NULL))
    return;
  while (length > 0 && text[length - 1] != '\n')
    length--;
  if (ftruncate (stream->descriptor, (off_t)length) != 0)
    g_debug ("%s cannot be cut: %s", stream->path, g_strerror (errno));
}

static gboolean
start (LbJournal *journal, const char *pipeline_yaml, GError **error)
{
  g_autofree char *folder = lb_journal_path (journal->directory, NULL);
  g_autofree char *pipeline = lb_journal_path (journal->directory, "pipeline.yaml");
  if (g_mkdir_with_parents (folder, 0777) != 0)
    return lb_output_error (folder, errno, error);
  if (!open_stream (journal, LOG, 0, error) || !take_lock (journal->directory, journal->streams[LOG].descriptor, error))
    return FALSE;
  int flags = goes_on (journal, pipeline_yaml) ? 0 : O_TRUNC;
  if (!open_stream (journal, CSV, flags, error) || !open_stream (journal, JSONL, flags, error))
    return FALSE;
  for (guint i = 0; i < N_STREAMS; i++)
    cut_last_line (&journal->streams[i]);
  if (lseek (journal->streams[CSV].descriptor, 0, SEEK_END) == 0)
    g_string_append (journal->streams[CSV].waiting, "stage,step,name,value,unit\n");
  return lb_file_write (pipeline, pipeline_yaml, strlen (pipeline_yaml), error);
}

LbJournal *
lb_journal_new (const char *directory, const char *pipeline_yaml, GError **error)
{
  g_autoptr (LbJournal) journal = g_new0 (LbJournal, 1);
  journal->directory = g_strdup (directory);
  g_mutex_init (&journal->lock);
  for (guint i = 0; i < N_STREAMS; i++)
    journal->streams[i].descriptor = -1;
  return start (journal, pipeline_yaml, error) ? g_steal_pointer (&journal) : NULL;
}

void
lb_journal_free (LbJournal *journal)
{
  if (journal == NULL)
    return;
  for (guint i = 0; i < N_STREAMS; i++) {
    Stream *stream = &journal->streams[i];
    if (stream->descriptor >= 0)
      close (stream->descriptor);
    if (stream->waiting != NULL)
      g_string_free (stream->waiting, TRUE);
    g_free (stream->path);
  }
  g_mutex_clear (&journal->lock);
  g_free (journal->directory);
  g_free (journal);
}

/* ---- Lines ---- */

static void
add_line (LbJournal *journal, guint index, const char *line)
{
  Stream *stream = &journal->streams[index];
  g_mutex_lock (&journal->lock);
  if (stream->waiting->len < MOST_WAITING)
    g_string_append (stream->waiting, line);
  else
    stream->lost++;
  g_mutex_unlock (&journal->lock);
}

void
lb_journal_log (LbJournal *journal, const char *line)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format_iso8601 (now);
  g_auto (GStrv) lines = g_strsplit (line, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    g_autofree char *stamped = g_strdup_printf ("%s %s\n", time, lines[i]);
    if (lines[i][0] != '\0')
      add_line (journal, LOG, stamped);
  }
}

/* A field of CSV (RFC 4180): in quotes when it holds what separates fields. */
static char *
csv_field (const char *text)
{
  if (strpbrk (text, ",\"\r\n") == NULL)
    return g_strdup (text);
  g_auto (GStrv) parts = g_strsplit (text, "\"", -1);
  g_autofree char *doubled = g_strjoinv ("\"\"", parts);
  return g_strconcat ("\"", doubled, "\"", NULL);
}

/* A string of JSON with its quotes. */
static char *
json_string (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *out = g_string_new ("\"");
  for (const char *c = valid; *c != '\0'; c++) {
    if ((guchar)*c < 0x20)
      g_string_append_printf (out, "\\u%04x", (guint)*c);
    else
      g_string_append_printf (out, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
  }
  g_string_append_c (out, '"');
  return g_string_free (out, FALSE);
}

void
lb_journal_value (LbJournal *journal, const char *stage, guint64 step, const char *name, double value, const char *unit)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_dtostr (number, sizeof number, isnan (value) ? NAN : value);
  g_autofree char *csv_name = csv_field (name), *csv_unit = csv_field (unit != NULL ? unit : "");
  g_autofree char *row
      = g_strdup_printf ("%s,%" G_GUINT64_FORMAT ",%s,%s,%s\n", stage, step, csv_name, number, csv_unit);
  g_autofree char *json_name = json_string (name), *json_unit = unit != NULL ? json_string (unit) : g_strdup ("null");
  g_autofree char *object
      = g_strdup_printf ("{\"stage\":\"%s\",\"step\":%" G_GUINT64_FORMAT ",\"name\":%s,\"value\":%s,\"unit\":%s}\n",
                         stage, step, json_name, isfinite (value) ? number : "null", json_unit);
  add_line (journal, CSV, row);
  add_line (journal, JSONL, object);
}

/* ---- Writing ---- */

/* Writes @text; what could not be written is left in it. */
static gboolean
write_stream (Stream *stream, GString *text, GError **error)
{
  while (text->len > 0) {
    gssize written = write (stream->descriptor, text->str, text->len);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return lb_output_error (stream->path, errno, error);
    g_string_erase (text, 0, written);
  }
  return TRUE;
}

static gboolean
flush_stream (LbJournal *journal, Stream *stream, GError **error)
{
  g_mutex_lock (&journal->lock);
  GString *text = stream->waiting;
  stream->waiting = g_string_new (NULL);
  g_mutex_unlock (&journal->lock);
  gboolean written = write_stream (stream, text, error);
  g_mutex_lock (&journal->lock);
  g_string_prepend_len (stream->waiting, text->str, text->len);
  guint64 lost = written ? stream->lost : 0;
  if (written)
    stream->lost = 0;
  g_mutex_unlock (&journal->lock);
  g_string_free (text, TRUE);
  if (lost == 0)
    return written;
  g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT,
               "%s: lacks %" G_GUINT64_FORMAT " lines that came while it could not be written; what stages compute is "
               "not touched by that",
               stream->path, lost);
  return FALSE;
}

gboolean
lb_journal_flush (LbJournal *journal, GError **error)
{
  GError *first = NULL;
  for (guint i = 0; i < N_STREAMS; i++)
    flush_stream (journal, &journal->streams[i], first == NULL ? &first : NULL);
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, first);
  return FALSE;
}

gboolean
lb_journal_status (LbJournal *journal, const char *json, GError **error)
{
  g_autofree char *path = lb_journal_path (journal->directory, "status.json");
  return lb_file_replace (path, json, strlen (json), error);
}
