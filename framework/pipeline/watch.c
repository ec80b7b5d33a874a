/* Telling a stall. True deadlocks are none of it: links know those at once (link.h). */
#include "base/format.h"
#include "pipeline/watch.h"

LbWatch
lb_watch_new (double patience)
{
  gint64 microseconds = (gint64)(patience * G_USEC_PER_SEC);
  return (LbWatch){ .patience = microseconds, .next_warning = microseconds };
}

static void
append_stage (GString *text, const LbActivity *activity)
{
  if (activity->waits_for != NULL)
    g_string_append_printf (text, "'%s' waits for %s '%s'", activity->name,
                            activity->is_writing ? "room in" : "a packet from", activity->waits_for);
  else
    g_string_append_printf (text, "'%s' neither computes nor waits for a link, so it may wait for a file or a device",
                            activity->name);
}

static char *
stall_text (const LbActivity *activities, guint n, gint64 length)
{
  g_autofree char *seconds = lb_format_seconds ((double)length / G_USEC_PER_SEC);
  g_autoptr (GString) text = g_string_new (NULL);
  const char *separator = "";
  g_string_printf (text, "nothing has moved for %s, and no stage computes: ", seconds);
  for (guint i = 0; i < n; i++) {
    if (activities[i].ended != 0)
      continue;
    g_string_append (text, separator);
    append_stage (text, &activities[i]);
    separator = "; ";
  }
  return g_strdup (text->str);
}

char *
lb_watch_look (LbWatch *watch, const LbActivity *activities, guint n, guint64 moved, double busy, gint64 now)
{
  gint64 length = now - watch->since;
  if (watch->since == 0 || moved != watch->moved
      || busy - watch->busy > 0.01 * (double)length / G_USEC_PER_SEC + 0.02) {
    gboolean told = watch->next_warning > watch->patience;
    g_autofree char *seconds = lb_format_seconds ((double)length / G_USEC_PER_SEC);
    watch->since = now;
    watch->moved = moved;
    watch->busy = busy;
    watch->next_warning = watch->patience;
    return told ? g_strdup_printf ("the run goes on after %s", seconds) : NULL;
  }
  if (length < watch->next_warning)
    return NULL;
  watch->next_warning = 2 * length;
  return stall_text (activities, n, length);
}
