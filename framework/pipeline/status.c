/* Building of status.json. */
#include <math.h>
#include <unistd.h>

#include "pipeline/status.h"

/* @text, or null for none. */
static void
add_name (JsonBuilder *builder, const char *name, const char *text)
{
  lb_json_add_text (builder, name, text != NULL && text[0] != '\0' ? text : NULL);
}

static void
add_steps (JsonBuilder *builder, guint64 done, guint64 total)
{
  lb_json_add_integer (builder, "done", (gint64)done);
  if (total > 0)
    lb_json_add_integer (builder, "total", (gint64)total);
  else
    lb_json_add_text (builder, "total", NULL);
}

static void
add_parts (JsonBuilder *builder, const LbActivity *activity)
{
  json_builder_set_member_name (builder, "parts");
  json_builder_begin_array (builder);
  for (guint i = 0; i < activity->n_parts; i++) {
    const LbPartActivity *part = &activity->parts[i];
    json_builder_begin_object (builder);
    lb_json_add_integer (builder, "part", part->number);
    add_steps (builder, part->done, part->total);
    add_name (builder, "name", part->what);
    lb_json_add_number (builder, "value", part->what[0] != '\0' ? part->value : NAN);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

void
lb_status_add_stage (JsonBuilder *builder, const LbActivity *activity, gint64 now)
{
  double rate = lb_activity_rate (activity, now), left = lb_activity_left (activity, now);
  gint64 end = activity->ended != 0 ? activity->ended : now;
  lb_json_add_text (builder, "stage", activity->name);
  lb_json_add_text (builder, "state", lb_activity_state_name (activity->state));
  add_steps (builder, activity->done, activity->total);
  lb_json_add_number (builder, "rate", rate > 0 ? rate : NAN);
  lb_json_add_number (builder, "left", left >= 0 && activity->ended == 0 ? left : NAN);
  lb_json_add_number (builder, "seconds", lb_activity_seconds (activity, end));
  add_name (builder, "name", activity->what);
  lb_json_add_number (builder, "value", activity->what[0] != '\0' ? activity->value : NAN);
  add_name (builder, "metric", activity->metric);
  lb_json_add_number (builder, "metric_value", activity->metric[0] != '\0' ? activity->metric_value : NAN);
  add_name (builder, "waits_for", activity->waits_for);
  add_parts (builder, activity);
}

static char *
iso_time (gint64 real_time)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (real_time / G_USEC_PER_SEC);
  return g_date_time_format_iso8601 (time);
}

char *
lb_status_to_json (const LbStatusHead *head, const LbActivity *activities, guint n, gint64 now)
{
  g_autofree char *started = iso_time (head->started), *updated = iso_time (g_get_real_time ());
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "limbeck", LB_VERSION);
  lb_json_add_integer (builder, "format", 1);
  lb_json_add_text (builder, "title", head->title);
  lb_json_add_text (builder, "pipeline", head->pipeline);
  lb_json_add_integer (builder, "seed", head->seed);
  lb_json_add_integer (builder, "pid", getpid ());
  lb_json_add_text (builder, "host", g_get_host_name ());
  lb_json_add_text (builder, "state", head->state);
  lb_json_add_text (builder, "started", started);
  lb_json_add_text (builder, "updated", updated);
  lb_json_add_number (builder, "seconds", head->seconds);
  lb_json_add_text (builder, "error", head->error);
  json_builder_set_member_name (builder, "stages");
  json_builder_begin_array (builder);
  for (guint i = 0; i < n; i++) {
    json_builder_begin_object (builder);
    lb_status_add_stage (builder, &activities[i], now);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, TRUE);
}
