/* The worker pool.
 *
 * A pool of n threads has n seats: n - 1 belong to threads of its own, the last is taken by whichever caller of
 * lb_pool_run() finds it free. So n threads compute and none is kept busy with waiting, and a pool of one thread needs
 * no hand-over at all.
 *
 * Invariants, all under the mutex: the queue holds the jobs that still have tasks to hand out, oldest first; a task is
 * handed out once, from the oldest job; the last seat is free while a job waits in the queue only as long as its
 * sleeping owner takes to wake up. A job lives on its caller's stack: nobody touches it after its last task was counted
 * as done and the mutex was released.
 *
 * Whoever runs out of work looks out for more for a few microseconds before going to sleep, because jobs come in quick
 * succession and waking a thread takes longer than many a task.
 */
#include "base/pool.h"

#include "base/timeline.h"

#include <fenv.h>

#define SPIN_MICROSECONDS 20
#define MAX_THREADS       1024

typedef struct _Job Job;
struct _Job {
  LbTask task;
  gpointer data;
  guint n_tasks;
  guint n_taken;
  guint n_done; /* also read without the mutex */
  gboolean owner_sleeps;
  GCond wake_owner;
  Job *younger;
};

struct _LbPool {
  GMutex mutex;
  GCond wake_workers;
  Job *oldest, *youngest;
  guint n_queued; /* also read without the mutex */
  guint n_sleeping;
  gboolean last_seat_taken;
  gboolean closing;
  guint n_threads;
  GPtrArray *workers; /* GThread* */
};

typedef struct {
  LbPool *pool;
  guint seat;
} Worker;

static __thread gboolean inside_task;

/* Wakes the owner of the oldest job when the last seat is free for it. */
static void
offer_last_seat (LbPool *pool)
{
  if (!pool->last_seat_taken && pool->oldest != NULL && pool->oldest->owner_sleeps)
    g_cond_signal (&pool->oldest->wake_owner);
}

/* Runs the next task of the oldest job. Called, and returns, with the mutex held. */
static void
run_next_task (LbPool *pool, guint seat)
{
  Job *job = pool->oldest;
  guint index = job->n_taken++;

  if (job->n_taken == job->n_tasks) {
    pool->oldest = job->younger;
    if (pool->oldest == NULL)
      pool->youngest = NULL;
    __atomic_store_n (&pool->n_queued, pool->n_queued - 1, __ATOMIC_RELAXED);
    offer_last_seat (pool);
  }
  g_mutex_unlock (&pool->mutex);
  inside_task = TRUE;
  job->task (index, seat, job->data);
  inside_task = FALSE;
  g_mutex_lock (&pool->mutex);
  __atomic_store_n (&job->n_done, job->n_done + 1, __ATOMIC_RELAXED);
  if (job->n_done == job->n_tasks && job->owner_sleeps)
    g_cond_signal (&job->wake_owner);
}

static inline void
pause_briefly (void)
{
#ifdef __x86_64__
  __builtin_ia32_pause ();
#endif
}

/* Looks at *@word for a moment, without the mutex, until it is @value (@equal) or something else (not @equal). */
static void
watch (LbPool *pool, const guint *word, guint value, gboolean equal)
{
  g_mutex_unlock (&pool->mutex);
  gint64 end = g_get_monotonic_time () + SPIN_MICROSECONDS;
  do {
    for (int i = 0; i < 16; i++) {
      if ((__atomic_load_n (word, __ATOMIC_RELAXED) == value) == equal)
        goto seen;
      pause_briefly ();
    }
  } while (g_get_monotonic_time () < end);
seen:
  g_mutex_lock (&pool->mutex);
}

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  LbPool *pool = worker->pool;
  g_autofree char *name = g_strdup_printf ("worker %u", worker->seat + 1);

  lb_timeline_thread (name);

  /* Arithmetic as IEEE has it, whatever the thread that made the pool was set to: threads inherit it. */
  fesetenv (FE_DFL_ENV);
  g_mutex_lock (&pool->mutex);
  while (!pool->closing) {
    if (pool->oldest == NULL)
      watch (pool, &pool->n_queued, 0, FALSE);
    while (pool->oldest == NULL && !pool->closing) {
      pool->n_sleeping++;
      g_cond_wait (&pool->wake_workers, &pool->mutex);
      pool->n_sleeping--;
    }
    while (pool->oldest != NULL)
      run_next_task (pool, worker->seat);
  }
  g_mutex_unlock (&pool->mutex);
  g_free (worker);
  return NULL;
}

LbPool *
lb_pool_new (guint threads)
{
  LbPool *pool = g_new0 (LbPool, 1);

  g_mutex_init (&pool->mutex);
  g_cond_init (&pool->wake_workers);
  pool->workers = g_ptr_array_new ();
  threads = CLAMP (threads == 0 ? g_get_num_processors () : threads, 1, MAX_THREADS);
  while (pool->workers->len + 1 < threads) {
    Worker *worker = g_new (Worker, 1);
    *worker = (Worker){ .pool = pool, .seat = pool->workers->len };
    GThread *thread = g_thread_try_new ("limbeck-worker", work, worker, NULL);
    /* With fewer threads than wished for the results are the same. */
    if (thread == NULL) {
      g_free (worker);
      break;
    }
    g_ptr_array_add (pool->workers, thread);
  }
  pool->n_threads = pool->workers->len + 1;
  return pool;
}

void
lb_pool_free (LbPool *pool)
{
  if (pool == NULL)
    return;
  g_mutex_lock (&pool->mutex);
  pool->closing = TRUE;
  g_cond_broadcast (&pool->wake_workers);
  g_mutex_unlock (&pool->mutex);
  for (guint i = 0; i < pool->workers->len; i++)
    g_thread_join (pool->workers->pdata[i]);
  g_ptr_array_unref (pool->workers);
  g_cond_clear (&pool->wake_workers);
  g_mutex_clear (&pool->mutex);
  g_free (pool);
}

guint
lb_pool_threads (const LbPool *pool)
{
  return pool->n_threads;
}

static void
enqueue (LbPool *pool, Job *job)
{
  if (pool->youngest != NULL)
    pool->youngest->younger = job;
  else
    pool->oldest = job;
  pool->youngest = job;
  __atomic_store_n (&pool->n_queued, pool->n_queued + 1, __ATOMIC_RELAXED);
  /* The caller takes one task itself if it can. */
  guint wanted = MIN (pool->n_sleeping, pool->last_seat_taken ? job->n_tasks : job->n_tasks - 1);
  if (wanted > 0 && wanted == pool->n_sleeping)
    g_cond_broadcast (&pool->wake_workers);
  else
    for (guint i = 0; i < wanted; i++)
      g_cond_signal (&pool->wake_workers);
}

/* Serves from the last seat until all tasks of @job are handed out. */
static void
take_last_seat (LbPool *pool, Job *job)
{
  pool->last_seat_taken = TRUE;
  while (job->n_taken < job->n_tasks)
    run_next_task (pool, pool->n_threads - 1);
  pool->last_seat_taken = FALSE;
  offer_last_seat (pool);
}

void
lb_pool_run (LbPool *pool, guint n_tasks, LbTask task, gpointer data)
{
  Job job = { .task = task, .data = data, .n_tasks = n_tasks };

  if (inside_task)
    g_error ("lb_pool_run() was called from inside a task, which would deadlock; cut the work into tasks beforehand");
  if (n_tasks == 0)
    return;
  g_cond_init (&job.wake_owner);
  g_mutex_lock (&pool->mutex);
  enqueue (pool, &job);
  gboolean watched = FALSE;
  while (job.n_done < n_tasks) {
    if (!pool->last_seat_taken && job.n_taken < n_tasks) {
      take_last_seat (pool, &job);
      watched = FALSE;
    } else if (!watched) {
      watch (pool, &job.n_done, n_tasks, TRUE);
      watched = TRUE;
    } else {
      job.owner_sleeps = TRUE;
      g_cond_wait (&job.wake_owner, &pool->mutex);
      job.owner_sleeps = FALSE;
    }
  }
  g_mutex_unlock (&pool->mutex);
  g_cond_clear (&job.wake_owner);
}
