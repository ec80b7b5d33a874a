/* The worker pool: each task once, in order, whoever calls and however many threads there are. */
#include "base/pool.h"

enum { MOST_THREADS = 4, MOST_TASKS = 5000 };

typedef struct {
  guint n_threads;
  gint runs[MOST_TASKS];
  gint bad_worker;
  gint shared_worker;
  gint busy[MOST_THREADS];
} Record;

static void
record_run (guint index, guint worker, gpointer data)
{
  Record *record = data;

  g_atomic_int_inc (&record->runs[index]);
  if (worker >= record->n_threads) {
    g_atomic_int_inc (&record->bad_worker);
    return;
  }
  if (g_atomic_int_add (&record->busy[worker], 1) != 0)
    g_atomic_int_inc (&record->shared_worker);
  for (volatile int i = 0; i < 200; i++)
    ;
  g_atomic_int_add (&record->busy[worker], -1);
}

static void
check_runs (const Record *record, guint n_tasks, int times)
{
  for (guint i = 0; i < MOST_TASKS; i++)
    g_assert_cmpint (record->runs[i], ==, i < n_tasks ? times : 0);
  g_assert_cmpint (record->bad_worker, ==, 0);
  g_assert_cmpint (record->shared_worker, ==, 0);
}

static void
test_each_once (void)
{
  static const guint sizes[] = { 0, 1, 2, 3, 7, 100, MOST_TASKS };

  for (guint threads = 1; threads <= MOST_THREADS; threads++) {
    g_autoptr (LbPool) pool = lb_pool_new (threads);
    g_assert_cmpuint (lb_pool_threads (pool), ==, threads);
    for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
      g_autofree Record *record = g_new0 (Record, 1);
      record->n_threads = threads;
      lb_pool_run (pool, sizes[i], record_run, record);
      check_runs (record, sizes[i], 1);
    }
  }
}

typedef struct {
  LbPool *pool;
  Record *record;
  guint n_jobs, n_tasks;
} Caller;

static gpointer
call_often (gpointer data)
{
  const Caller *caller = data;

  for (guint i = 0; i < caller->n_jobs; i++) {
    lb_pool_run (caller->pool, caller->n_tasks, record_run, caller->record);
    /* Now and then long enough for the others to fall asleep. */
    if (i % 100 == 0)
      g_usleep (200);
  }
  return NULL;
}

static void
test_several_callers (void)
{
  enum { CALLERS = 5, JOBS = 400 };

  for (guint threads = 1; threads <= MOST_THREADS; threads++) {
    g_autoptr (LbPool) pool = lb_pool_new (threads);
    g_autofree Record *record = g_new0 (Record, 1);
    GThread *thread[CALLERS];
    Caller caller = { .pool = pool, .record = record, .n_jobs = JOBS, .n_tasks = 7 };
    record->n_threads = threads;
    for (guint i = 0; i < CALLERS; i++)
      thread[i] = g_thread_new ("caller", call_often, &caller);
    for (guint i = 0; i < CALLERS; i++)
      g_thread_join (thread[i]);
    check_runs (record, 7, CALLERS * JOBS);
  }
}

static void
record_order (guint index, guint worker, gpointer data)
{
  gint *last = data;

  g_assert_cmpint (*last, ==, (gint)index - 1);
  *last = index;
}

static void
test_index_order (void)
{
  g_autoptr (LbPool) pool = lb_pool_new (1);
  gint last = -1;

  lb_pool_run (pool, 1000, record_order, &last);
  g_assert_cmpint (last, ==, 999);
}

/* Tasks that only end once all of them run at the same time. */
static void
meet (guint index, guint worker, gpointer data)
{
  gint *met = data;

  g_atomic_int_inc (met);
  while (g_atomic_int_get (met) < MOST_THREADS)
    g_thread_yield ();
}

static void
test_all_threads_work (void)
{
  g_autoptr (LbPool) pool = lb_pool_new (MOST_THREADS);

  for (guint i = 0; i < 50; i++) {
    gint met = 0;
    lb_pool_run (pool, MOST_THREADS, meet, &met);
    if (i % 10 == 0)
      g_usleep (1000);
  }
}

typedef struct {
  gint started, go_on;
  GString *log;
} Queue;

static void
hold_up (guint index, guint worker, gpointer data)
{
  Queue *queue = data;

  g_atomic_int_set (&queue->started, 1);
  while (!g_atomic_int_get (&queue->go_on))
    g_usleep (100);
}

typedef struct {
  LbPool *pool;
  Queue *queue;
  LbTask task;
} Submission;

static void
log_a (guint index, guint worker, gpointer data)
{
  g_string_append_c (((Queue *)data)->log, 'a');
}

static void
log_b (guint index, guint worker, gpointer data)
{
  g_string_append_c (((Queue *)data)->log, 'b');
}

static gpointer
submit (gpointer data)
{
  Submission *submission = data;

  lb_pool_run (submission->pool, 3, submission->task, submission->queue);
  return NULL;
}

static gpointer
submit_one (gpointer data)
{
  Submission *submission = data;

  lb_pool_run (submission->pool, 1, submission->task, submission->queue);
  return NULL;
}

static void
test_jobs_in_order (void)
{
  g_autoptr (LbPool) pool = lb_pool_new (1);
  g_autoptr (GString) log = g_string_new (NULL);
  Queue queue = { .log = log };
  Submission first = { pool, &queue, hold_up }, a = { pool, &queue, log_a }, b = { pool, &queue, log_b };

  GThread *holding = g_thread_new ("first", submit_one, &first);
  while (!g_atomic_int_get (&queue.started))
    g_usleep (100);
  GThread *thread_a = g_thread_new ("a", submit, &a);
  g_usleep (50000);
  GThread *thread_b = g_thread_new ("b", submit, &b);
  g_usleep (50000);
  g_assert_cmpstr (log->str, ==, "");
  g_atomic_int_set (&queue.go_on, 1);
  g_thread_join (holding);
  g_thread_join (thread_a);
  g_thread_join (thread_b);
  g_assert_cmpstr (log->str, ==, "aaabbb");
}

static void
test_default_size (void)
{
  g_autoptr (LbPool) pool = lb_pool_new (0);

  g_assert_cmpuint (lb_pool_threads (pool), ==, g_get_num_processors ());
}

static void
call_again (guint index, guint worker, gpointer data)
{
  lb_pool_run (data, 1, record_run, NULL);
}

static void
test_no_nesting (void)
{
  if (g_test_subprocess ()) {
    g_autoptr (LbPool) pool = lb_pool_new (1);
    lb_pool_run (pool, 1, call_again, pool);
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*from inside a task*");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool/runs-every-task-once", test_each_once);
  g_test_add_func ("/pool/serves-several-callers-at-once", test_several_callers);
  g_test_add_func ("/pool/hands-out-tasks-in-index-order", test_index_order);
  g_test_add_func ("/pool/serves-jobs-in-the-order-they-came", test_jobs_in_order);
  g_test_add_func ("/pool/puts-every-thread-to-work", test_all_threads_work);
  g_test_add_func ("/pool/has-a-thread-for-each-processor-by-default", test_default_size);
  g_test_add_func ("/pool/refuses-a-call-from-inside-a-task", test_no_nesting);
  return g_test_run ();
}
