/* Drawing of progress. Each update is composed as a whole and written at once, so that a terminal never shows half of
 * it. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/format.h"
#include "pipeline/progress.h"
#include "pipeline/status.h"

#define BAR_WIDTH      20
#define MAX_NAME_WIDTH 24
#define REDRAW_MS      200
#define PLAIN_MS       10000
#define JSON_MS        1000

struct _LbProgress {
  int fd;
  char *point; /* or NULL */
  LbProgressKind kind;
  gint64 began;      /* JSON tells times from there */
  guint block_lines; /* lines on screen that the next redraw replaces */
  gint64 drawn;      /* time of the last redraw of the block */
  GHashTable *shown; /* stage name -> Shown */
  GString *said;     /* lines that wait to be printed; JSON objects for programs */
};

/* What has been printed of one stage. */
typedef struct {
  gboolean started, ended;
  gint64 printed; /* time of the last plain line or JSON object */
  LbActivityState state;
  guint64 reports; /* of progress by then */
} Shown;

LbProgress *
lb_progress_new (int fd, LbProgressKind kind)
{
  LbProgress *progress = g_new0 (LbProgress, 1);
  progress->fd = fd;
  progress->kind = kind;
  progress->began = g_get_monotonic_time ();
  progress->shown = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  progress->said = g_string_new (NULL);
  return progress;
}

void
lb_progress_set_point (LbProgress *progress, const char *point)
{
  g_free (progress->point);
  progress->point = g_strdup (point);
}

void
lb_progress_free (LbProgress *progress)
{
  if (progress == NULL)
    return;
  g_free (progress->point);
  g_hash_table_unref (progress->shown);
  g_string_free (progress->said, TRUE);
  g_free (progress);
}

static void
append_said (LbProgress *progress, GString *out)
{
  g_string_append (out, progress->said->str);
  g_string_truncate (progress->said, 0);
}

static Shown *
get_shown (LbProgress *progress, const char *name)
{
  Shown *shown = g_hash_table_lookup (progress->shown, name);
  if (shown == NULL) {
    shown = g_new0 (Shown, 1);
    g_hash_table_insert (progress->shown, g_strdup (name), shown);
  }
  return shown;
}

static void
write_all (int fd, const GString *text)
{
  gsize written = 0;
  while (written < text->len) {
    gssize n = write (fd, text->str + written, text->len - written);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    written += (gsize)n;
  }
}

/* Puts the point before each line, so that lines of runs side by side can be told apart. */
static void
put_point (const LbProgress *progress, GString *text)
{
  for (gsize at = 0; progress->point != NULL && at < text->len;) {
    g_string_insert (text, (gssize)at, "  ");
    g_string_insert (text, (gssize)at, progress->point);
    const char *end = memchr (text->str + at, '\n', text->len - at);
    at = end != NULL ? (gsize)(end - text->str) + 1 : text->len;
  }
}

/* ---- Lines ---- */

/* Three significant digits or so, for rates. */
static char *
format_rate (double rate)
{
  return g_strdup_printf (rate < 9.995 ? "%.2f/s" : rate < 99.95 ? "%.1f/s" : "%.0f/s", rate);
}

static void
append_bar (GString *line, double fraction)
{
  guint filled = (guint)(CLAMP (fraction, 0, 1) * BAR_WIDTH);
  g_string_append_c (line, '[');
  for (guint i = 0; i < BAR_WIDTH; i++)
    g_string_append_c (line, i < filled ? '=' : i == filled ? '>' : ' ');
  g_string_append (line, "]  ");
}

static void
append_steps (GString *line, const LbActivity *activity, gint64 now)
{
  g_autofree char *done = lb_format_count (activity->done);
  g_autofree char *total = lb_format_count (activity->total);
  double rate = lb_activity_rate (activity, now);
  if (activity->total > 0)
    g_string_append_printf (line, "%3.0f%%  %s/%s", 100 * MIN (1, (double)activity->done / (double)activity->total),
                            done, total);
  else if (activity->done > 0)
    g_string_append (line, done);
  else
    g_string_append (line, "running");
  if (rate > 0) {
    g_autofree char *speed = format_rate (rate);
    g_string_append_printf (line, "  %s", speed);
  }
  double seconds_left = lb_activity_left (activity, now);
  if (seconds_left > 0) {
    g_autofree char *left = lb_format_seconds (seconds_left);
    g_string_append_printf (line, "  %s left", left);
  } else if (activity->total == 0) {
    g_autofree char *spent = lb_format_seconds (lb_activity_seconds (activity, now));
    g_string_append_printf (line, "  %s", spent);
  }
  if (activity->what[0] != '\0')
    g_string_append_printf (line, "  %s %.4g", activity->what, activity->value);
  if (activity->metric[0] != '\0')
    g_string_append_printf (line, "  %s %.4g", activity->metric, activity->metric_value);
}

/* How far the parts at work are. */
static void
append_parts (GString *line, const LbActivity *activity)
{
  for (guint i = 0; i < activity->n_parts; i++) {
    const LbPartActivity *part = &activity->parts[i];
    g_string_append_printf (line, "%s%u: ", i == 0 ? "  parts " : ", ", part->number);
    if (part->total > 0)
      g_string_append_printf (line, "%.0f%%", 100 * MIN (1, (double)part->done / (double)part->total));
    else
      g_string_append_printf (line, "%" G_GUINT64_FORMAT, part->done);
  }
}

static void
append_end (GString *line, const LbActivity *activity, gint64 now)
{
  static const char *const words[]
      = { [LB_ACTIVITY_DONE] = "done", [LB_ACTIVITY_STOPPED] = "stopped", [LB_ACTIVITY_FAILED] = "failed" };
  g_autofree char *seconds = lb_format_seconds (lb_activity_seconds (activity, now));
  g_string_append_printf (line, "%s after %s", words[activity->state], seconds);
  if (activity->flops > 0) {
    g_autofree char *flops = lb_format_flops (activity->flops);
    g_string_append_printf (line, ", %s", flops);
  }
  if (activity->bytes_out > 0) {
    g_autofree char *bytes = lb_format_bytes (activity->bytes_out);
    g_string_append_printf (line, ", %s sent", bytes);
  }
  if (activity->metric[0] != '\0')
    g_string_append_printf (line, ", %s %.4g", activity->metric, activity->metric_value);
}

char *
lb_progress_line (const LbActivity *activity, gboolean bar, guint width, gint64 now)
{
  g_autoptr (GString) line = g_string_new (NULL);
  if (activity->state == LB_ACTIVITY_WAITING) {
    g_string_append (line, "waiting");
  } else if (activity->state == LB_ACTIVITY_RUNNING) {
    if (bar && activity->total > 0)
      append_bar (line, (double)activity->done / (double)activity->total);
    append_steps (line, activity, now);
    append_parts (line, activity);
  } else {
    append_end (line, activity, now);
  }
  if (g_utf8_strlen (line->str, -1) <= (glong)width)
    return g_strdup (line->str);
  return g_utf8_substring (line->str, 0, width);
}

/* ---- On a terminal ---- */

static void
terminal_size (int fd, guint *columns, guint *rows)
{
  struct winsize size = { 0 };
  gboolean known = ioctl (fd, TIOCGWINSZ, &size) == 0;
  *columns = known && size.ws_col >= 20 ? size.ws_col : 80;
  *rows = known && size.ws_row >= 4 ? size.ws_row : 24;
}

static guint
name_width (const LbActivity *activities, guint n)
{
  gsize width = 0;
  for (guint i = 0; i < n; i++)
    width = MAX (width, strlen (activities[i].name));
  return (guint)MIN (width, MAX_NAME_WIDTH);
}

/* "name   text", never wider than the terminal: a wrapped line would spoil the redrawing. */
static void
append_row (GString *out, const LbActivity *activity, guint names, guint columns, gint64 now)
{
  guint width = columns - 1 > names + 2 ? columns - 1 - names - 2 : 1;
  g_autofree char *line = lb_progress_line (activity, TRUE, width, now);
  g_string_append_printf (out, "%-*.*s  %s\033[K\n", (int)names, (int)names, activity->name, line);
}

/* The running stages, and one line on those that wait or found no place; at most @rows - 1 lines. */
static guint
append_block (GString *out, const LbActivity *activities, guint n, guint columns, guint rows, gint64 now)
{
  guint names = name_width (activities, n), lines = 0, hidden = 0;
  g_autoptr (GString) rest = g_string_new (NULL);
  for (guint i = 0; i < n; i++) {
    if (activities[i].state == LB_ACTIVITY_WAITING) {
      g_string_append_printf (rest, "%s %s", rest->len == 0 ? "waiting:" : "", activities[i].name);
    } else if (activities[i].state == LB_ACTIVITY_RUNNING && lines + 2 < rows) {
      append_row (out, &activities[i], names, columns, now);
      lines++;
    } else if (activities[i].state == LB_ACTIVITY_RUNNING) {
      hidden++;
    }
  }
  if (hidden > 0) {
    g_autofree char *more = g_strdup_printf ("%u more running%s", hidden, rest->len > 0 ? "; " : "");
    g_string_prepend (rest, more);
  }
  if (rest->len == 0)
    return lines;
  g_string_append_printf (out, "%.*s\033[K\n", (int)columns - 1, rest->str);
  return lines + 1;
}

static void
draw_live (LbProgress *progress, const LbActivity *activities, guint n, gint64 now, gboolean last)
{
  guint columns, rows, names = name_width (activities, n);
  g_autoptr (GString) out = g_string_new (NULL);
  terminal_size (progress->fd, &columns, &rows);
  if (progress->block_lines > 0)
    g_string_append_printf (out, "\033[%uA", progress->block_lines);
  append_said (progress, out);
  for (guint i = 0; i < n; i++) {
    Shown *shown = get_shown (progress, activities[i].name);
    if (activities[i].ended == 0 || shown->ended)
      continue;
    shown->ended = TRUE;
    append_row (out, &activities[i], names, columns, now);
  }
  progress->block_lines = last ? 0 : append_block (out, activities, n, columns, rows, now);
  g_string_append (out, "\033[J");
  write_all (progress->fd, out);
}

/* ---- Elsewhere ---- */

static void
append_plain (GString *out, const LbActivity *activity, gint64 now)
{
  g_autofree char *line = lb_progress_line (activity, FALSE, G_MAXINT, now);
  g_string_append_printf (out, "%s: %s\n", activity->name, g_strchug (line));
}

static void
print_plain (LbProgress *progress, const LbActivity *activities, guint n, gint64 now)
{
  g_autoptr (GString) out = g_string_new (NULL);
  append_said (progress, out);
  for (guint i = 0; i < n; i++) {
    const LbActivity *activity = &activities[i];
    Shown *shown = get_shown (progress, activity->name);
    if (activity->ended != 0 && !shown->ended) {
      shown->ended = TRUE;
      append_plain (out, activity, now);
    } else if (activity->state == LB_ACTIVITY_RUNNING && !shown->started) {
      shown->started = TRUE;
      shown->printed = now;
      g_string_append_printf (out, "%s: started\n", activity->name);
    } else if (activity->state == LB_ACTIVITY_RUNNING && now - shown->printed >= PLAIN_MS * 1000) {
      shown->printed = now;
      append_plain (out, activity, now);
    }
  }
  put_point (progress, out);
  write_all (progress->fd, out);
}

/* ---- For programs ---- */

static JsonBuilder *
begin_event (LbProgress *progress, const char *event, gint64 now)
{
  JsonBuilder *builder = json_builder_new ();
  json_builder_begin_object (builder);
  if (progress->point != NULL)
    lb_json_add_text (builder, "point", progress->point);
  lb_json_add_text (builder, "event", event);
  lb_json_add_number (builder, "time", (double)(now - progress->began) / G_USEC_PER_SEC);
  return builder;
}

/* Frees @builder. */
static void
end_event (JsonBuilder *builder, GString *out)
{
  json_builder_end_object (builder);
  g_autofree char *line = lb_json_to_text (builder, FALSE);
  g_string_append (out, line);
  g_object_unref (builder);
}

static void
print_json (LbProgress *progress, const LbActivity *activities, guint n, gint64 now)
{
  g_autoptr (GString) out = g_string_new (NULL);
  append_said (progress, out);
  for (guint i = 0; i < n; i++) {
    const LbActivity *activity = &activities[i];
    Shown *shown = get_shown (progress, activity->name);
    gboolean works = activity->state == LB_ACTIVITY_RUNNING || activity->reports != shown->reports;
    gboolean due = works && now - shown->printed >= JSON_MS * 1000;
    if (shown->started && activity->state == shown->state && !due)
      continue;
    /* Stages that hand packets on wait and run many times a second; that is no change worth a line each. */
    if (shown->started && activity->ended == 0 && now - shown->printed < JSON_MS * 1000)
      continue;
    *shown = (Shown){ .started = TRUE, .printed = now, .state = activity->state, .reports = activity->reports };
    JsonBuilder *builder = begin_event (progress, "stage", now);
    lb_status_add_stage (builder, activity, now);
    end_event (builder, out);
  }
  write_all (progress->fd, out);
}

void
lb_progress_begin (LbProgress *progress, const char *title, const char *pipeline)
{
  if (progress->kind != LB_PROGRESS_JSON)
    return;
  JsonBuilder *builder = begin_event (progress, "start", g_get_monotonic_time ());
  lb_json_add_text (builder, "title", title);
  lb_json_add_text (builder, "pipeline", pipeline);
  lb_json_add_integer (builder, "pid", getpid ());
  end_event (builder, progress->said);
}

void
lb_progress_metric (LbProgress *progress, const char *stage, guint64 step, const char *name, double value,
                    const char *unit)
{
  if (progress->kind != LB_PROGRESS_JSON)
    return;
  JsonBuilder *builder = begin_event (progress, "metric", g_get_monotonic_time ());
  lb_json_add_text (builder, "stage", stage);
  lb_json_add_integer (builder, "step", (gint64)step);
  lb_json_add_text (builder, "name", name);
  lb_json_add_number (builder, "value", value);
  lb_json_add_text (builder, "unit", unit);
  end_event (builder, progress->said);
}

void
lb_progress_result (LbProgress *progress, const char *state, const char *error)
{
  if (progress->kind != LB_PROGRESS_JSON)
    return;
  g_autoptr (GString) out = g_string_new (NULL);
  JsonBuilder *builder = begin_event (progress, "end", g_get_monotonic_time ());
  lb_json_add_text (builder, "state", state);
  lb_json_add_text (builder, "error", error);
  append_said (progress, out);
  end_event (builder, out);
  write_all (progress->fd, out);
}

/* ---- All ---- */

void
lb_progress_say (LbProgress *progress, const char *line)
{
  if (progress->kind == LB_PROGRESS_JSON) {
    JsonBuilder *builder = begin_event (progress, "message", g_get_monotonic_time ());
    lb_json_add_text (builder, "text", line);
    end_event (builder, progress->said);
  } else {
    g_string_append_printf (progress->said, "%s%s\n", line, progress->kind == LB_PROGRESS_LIVE ? "\033[K" : "");
  }
}

void
lb_progress_update (LbProgress *progress, const LbActivity *activities, guint n, gint64 now)
{
  if (progress->kind == LB_PROGRESS_JSON) {
    print_json (progress, activities, n, now);
  } else if (progress->kind == LB_PROGRESS_PLAIN) {
    print_plain (progress, activities, n, now);
  } else if (progress->drawn == 0 || now - progress->drawn >= REDRAW_MS * 1000) {
    progress->drawn = now;
    draw_live (progress, activities, n, now, FALSE);
  }
}

void
lb_progress_finish (LbProgress *progress, const LbActivity *activities, guint n, gint64 now)
{
  if (progress->kind == LB_PROGRESS_JSON)
    print_json (progress, activities, n, now);
  else if (progress->kind == LB_PROGRESS_LIVE)
    draw_live (progress, activities, n, now, TRUE);
  else
    print_plain (progress, activities, n, now);
}
