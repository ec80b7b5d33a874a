/* Drawing of progress. Each update is composed as a whole and written at once, so that a terminal never shows half of
 * it. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/format.h"
#include "pipeline/progress.h"

#define BAR_WIDTH      20
#define MAX_NAME_WIDTH 24
#define REDRAW_MS      200
#define PLAIN_MS       10000

struct _LbProgress {
  int fd;
  gboolean live;
  guint block_lines; /* lines on screen that the next redraw replaces */
  gint64 drawn;      /* time of the last redraw of the block */
  GHashTable *shown; /* stage name -> Shown */
  GString *said;     /* lines that wait to be printed */
};

/* What has been printed of one stage. */
typedef struct {
  gboolean started, ended;
  gint64 printed; /* time of the last plain line */
} Shown;

LbProgress *
lb_progress_new (int fd, gboolean live)
{
  LbProgress *progress = g_new0 (LbProgress, 1);
  progress->fd = fd;
  progress->live = live;
  progress->shown = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  progress->said = g_string_new (NULL);
  return progress;
}

void
lb_progress_free (LbProgress *progress)
{
  if (progress == NULL)
    return;
  g_hash_table_unref (progress->shown);
  g_string_free (progress->said, TRUE);
  g_free (progress);
}

void
lb_progress_say (LbProgress *progress, const char *line)
{
  g_string_append_printf (progress->said, "%s%s\n", line, progress->live ? "\033[K" : "");
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
  if (rate > 0 && activity->total > activity->done) {
    g_autofree char *left = lb_format_seconds ((double)(activity->total - activity->done) / rate);
    g_string_append_printf (line, "  %s left", left);
  } else if (activity->total == 0) {
    g_autofree char *spent = lb_format_seconds (lb_activity_seconds (activity, now));
    g_string_append_printf (line, "  %s", spent);
  }
  if (activity->what[0] != '\0')
    g_string_append_printf (line, "  %s %.4g", activity->what, activity->value);
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
  write_all (progress->fd, out);
}

/* ---- Both ---- */

void
lb_progress_update (LbProgress *progress, const LbActivity *activities, guint n, gint64 now)
{
  if (!progress->live) {
    print_plain (progress, activities, n, now);
  } else if (progress->drawn == 0 || now - progress->drawn >= REDRAW_MS * 1000) {
    progress->drawn = now;
    draw_live (progress, activities, n, now, FALSE);
  }
}

void
lb_progress_finish (LbProgress *progress, const LbActivity *activities, guint n, gint64 now)
{
  if (progress->live)
    draw_live (progress, activities, n, now, TRUE);
  else
    print_plain (progress, activities, n, now);
}
