/* Reading timelines back, for tests. */
#pragma once

#include <json-glib/json-glib.h>

typedef struct {
  const char *category, *name; /* the file's */
  gint64 thread;
  double start, length; /* microseconds */
  JsonObject *args;     /* or NULL */
} TimelineEvent;

typedef struct {
  JsonNode *root;
  GArray *events;      /* TimelineEvent: those with a length, by thread and start, longer ones first */
  GHashTable *threads; /* number -> name, the last one given */
} Timeline;

static inline gint
timeline_compare (gconstpointer a, gconstpointer b)
{
  const TimelineEvent *x = a, *y = b;
  if (x->thread != y->thread)
    return x->thread < y->thread ? -1 : 1;
  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  return x->length > y->length ? -1 : x->length < y->length ? 1 : 0;
}

/* Fails the test unless the file is complete JSON. */
static inline void
timeline_read (Timeline *timeline, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  timeline->root = json_from_string (text, &error);
  g_assert_no_error (error);
  timeline->events = g_array_new (FALSE, FALSE, sizeof (TimelineEvent));
  timeline->threads = g_hash_table_new (NULL, NULL);
  JsonArray *array = json_node_get_array (timeline->root);
  for (guint i = 0; i < json_array_get_length (array); i++) {
    JsonObject *object = json_array_get_object_element (array, i);
    JsonObject *args = json_object_has_member (object, "args") ? json_object_get_object_member (object, "args") : NULL;
    if (g_str_equal (json_object_get_string_member (object, "ph"), "X")) {
      TimelineEvent event
          = { json_object_get_string_member (object, "cat"), json_object_get_string_member (object, "name"),
              json_object_get_int_member (object, "tid"),    json_object_get_double_member (object, "ts"),
              json_object_get_double_member (object, "dur"), args };
      g_array_append_val (timeline->events, event);
    } else if (g_str_equal (json_object_get_string_member (object, "name"), "thread_name")) {
      g_hash_table_insert (timeline->threads, GSIZE_TO_POINTER (json_object_get_int_member (object, "tid")),
                           (gpointer)json_object_get_string_member (args, "name"));
    }
  }
  g_array_sort (timeline->events, timeline_compare);
}

static inline void
timeline_clear (Timeline *timeline)
{
  json_node_unref (timeline->root);
  g_array_unref (timeline->events);
  g_hash_table_unref (timeline->threads);
}

/* Events of a thread lie inside each other or beside each other. */
static inline void
timeline_assert_nested (const Timeline *timeline)
{
  g_autoptr (GArray) open = g_array_new (FALSE, FALSE, sizeof (TimelineEvent));
  for (guint i = 0; i < timeline->events->len; i++) {
    const TimelineEvent *event = &g_array_index (timeline->events, TimelineEvent, i);
    while (open->len > 0) {
      const TimelineEvent *outer = &g_array_index (open, TimelineEvent, open->len - 1);
      /* Written with three decimals: the rest is arithmetic of doubles. */
      if (outer->thread == event->thread && event->start < outer->start + outer->length - 1e-4) {
        g_assert_cmpfloat (event->start + event->length, <=, outer->start + outer->length + 1e-3);
        break;
      }
      g_array_set_size (open, open->len - 1);
    }
    g_array_append_val (open, *event);
  }
}

/* Over the events of @category, and of @name unless that is NULL: how many, and the sums of @key and of their lengths.
 */
static inline guint
timeline_sum (const Timeline *timeline, const char *category, const char *name, const char *key, double *sum,
              double *length)
{
  guint n = 0;
  *sum = *length = 0;
  for (guint i = 0; i < timeline->events->len; i++) {
    const TimelineEvent *event = &g_array_index (timeline->events, TimelineEvent, i);
    if (!g_str_equal (event->category, category) || (name != NULL && !g_str_equal (event->name, name)))
      continue;
    n++;
    *length += event->length;
    if (key != NULL)
      *sum += json_object_get_double_member (event->args, key);
  }
  return n;
}
