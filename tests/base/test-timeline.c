/* Timelines: what threads do comes out as complete JSON, within bounds, and nothing comes out when it is off. */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "base/timeline.h"
#include "timeline.h"

typedef struct {
  char *directory, *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->directory = g_dir_make_tmp ("limbeck-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->directory, "timeline.json", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_rmdir (fixture->directory);
  g_free (fixture->path);
  g_free (fixture->directory);
}

#define N_EVENTS 3000

/* Pairs of one event inside another. */
static gpointer
work (gpointer data)
{
  lb_timeline_thread (data);
  for (guint i = 0; i < N_EVENTS; i++) {
    gint64 outer = lb_timeline_begin (), inner = lb_timeline_begin ();
    lb_timeline_end (inner, "inner", "short", "i", i, "minus", -(gint64)i);
    lb_timeline_end (outer, "outer", "long", NULL, 0, NULL, 0);
  }
  return NULL;
}

static void
work_in_two_threads (void)
{
  GThread *threads[] = { g_thread_new ("a", work, "first"), g_thread_new ("b", work, "second") };
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

static void
test_holds_what_threads_did (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  Timeline timeline;
  double sum, length, inner;
  g_assert_true (lb_timeline_start (fixture->path, LB_TIMELINE_LIMIT, &error));
  work_in_two_threads ();
  /* A process that is killed here leaves complete JSON: most of it now, all of it after a flush. */
  timeline_read (&timeline, fixture->path);
  g_assert_cmpuint (timeline.events->len, >, 2 * N_EVENTS);
  timeline_clear (&timeline);
  g_assert_true (lb_timeline_flush (&error));
  timeline_read (&timeline, fixture->path);
  g_assert_cmpuint (timeline.events->len, ==, 4 * N_EVENTS);
  timeline_clear (&timeline);
  g_assert_true (lb_timeline_stop (&error));

  timeline_read (&timeline, fixture->path);
  timeline_assert_nested (&timeline);
  g_assert_cmpuint (timeline_sum (&timeline, "inner", "short", "i", &sum, &inner), ==, 2 * N_EVENTS);
  g_assert_cmpfloat (sum, ==, (double)N_EVENTS * (N_EVENTS - 1));
  g_assert_cmpuint (timeline_sum (&timeline, "inner", "short", "minus", &sum, &inner), ==, 2 * N_EVENTS);
  g_assert_cmpfloat (sum, ==, -(double)N_EVENTS * (N_EVENTS - 1));
  g_assert_cmpuint (timeline_sum (&timeline, "outer", "long", NULL, &sum, &length), ==, 2 * N_EVENTS);
  g_assert_cmpfloat (inner, <=, length);
  g_assert_cmpuint (g_hash_table_size (timeline.threads), ==, 2);
  const char *one = g_hash_table_lookup (timeline.threads, GSIZE_TO_POINTER (1));
  g_assert_true (strcmp (one, "first") == 0 || strcmp (one, "second") == 0);
  timeline_clear (&timeline);
}

static void
test_off_does_nothing (Fixture *fixture, gconstpointer data)
{
  g_assert_cmpint (lb_timeline_begin (), ==, 0);
  work_in_two_threads ();
  g_assert_true (lb_timeline_flush (NULL));
  g_assert_true (lb_timeline_stop (NULL));
  /* What happens after one has ended is not in the next. */
  for (guint i = 0; i < 2; i++) {
    Timeline timeline;
    g_assert_true (lb_timeline_start (fixture->path, LB_TIMELINE_LIMIT, NULL));
    lb_timeline_end (lb_timeline_begin (), "c", "n", NULL, 0, NULL, 0);
    g_assert_true (lb_timeline_stop (NULL));
    lb_timeline_end (lb_timeline_begin (), "c", "n", NULL, 0, NULL, 0);
    timeline_read (&timeline, fixture->path);
    g_assert_cmpuint (timeline.events->len, ==, 1);
    timeline_clear (&timeline);
  }
}

static void
test_is_bounded (Fixture *fixture, gconstpointer data)
{
  Timeline timeline;
  g_autofree char *text = NULL;
  gsize length;
  g_assert_true (lb_timeline_start (fixture->path, 200000, NULL));
  work_in_two_threads ();
  g_assert_true (lb_timeline_flush (NULL));
  guint64 n_dropped = lb_timeline_dropped ();
  g_assert_true (lb_timeline_stop (NULL));
  timeline_read (&timeline, fixture->path);
  g_assert_cmpuint (timeline.events->len + n_dropped, ==, 4 * N_EVENTS);
  g_assert_cmpuint (n_dropped, >, 0);
  timeline_clear (&timeline);
  g_assert_true (g_file_get_contents (fixture->path, &text, &length, NULL));
  g_assert_cmpuint (length, <=, 200000);
  g_assert_cmpuint (length, >, 100000);
}

static void
limit_file_size (rlim_t bytes)
{
  struct rlimit limit;
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = bytes;
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

/* A full disk: told once, and what stands there stays complete. */
static void
test_full_disk_is_told (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL, at_end = NULL;
  Timeline timeline;
  g_assert_true (lb_timeline_start (fixture->path, LB_TIMELINE_LIMIT, NULL));
  limit_file_size (100000);
  work_in_two_threads ();
  gboolean flushed = lb_timeline_flush (&error);
  limit_file_size (RLIM_INFINITY);
  g_assert_false (flushed);
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  g_assert_nonnull (strstr (error->message, "timeline.json: cannot be written: the file would be larger"));
  g_assert_true (lb_timeline_flush (NULL));
  guint64 n_dropped = lb_timeline_dropped ();
  g_assert_false (lb_timeline_stop (&at_end));
  g_assert_error (at_end, LB_ERROR, LB_ERROR_OUTPUT);
  timeline_read (&timeline, fixture->path);
  g_assert_cmpuint (timeline.events->len, >, 0);
  g_assert_cmpuint (timeline.events->len + n_dropped, ==, 4 * N_EVENTS);
  timeline_clear (&timeline);
}

static void
test_refuses_a_path_that_cannot_be_made (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (lb_timeline_start (fixture->directory, LB_TIMELINE_LIMIT, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  g_assert_cmpint (lb_timeline_begin (), ==, 0);
}

#define ADD(name, function) g_test_add (name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/timeline/holds-what-threads-did", test_holds_what_threads_did);
  ADD ("/timeline/off-does-nothing", test_off_does_nothing);
  ADD ("/timeline/is-bounded", test_is_bounded);
  ADD ("/timeline/full-disk-is-told", test_full_disk_is_told);
  ADD ("/timeline/refuses-a-path-that-cannot-be-made", test_refuses_a_path_that_cannot_be_made);
  return g_test_run ();
}
