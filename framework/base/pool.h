/* The worker pool that all arithmetic of a process goes through, so that ten stages on two cores do not fight.
 *
 * Invariant: what a job computes may not depend on the number of workers or on which worker runs a task. Callers cut
 * work into tasks by its size alone.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Threads that share the tasks of a job; the caller of lb_pool_run() is one of them. */
typedef struct _LbPool LbPool;

/* A task: @index counts tasks of a job from 0, @worker names the worker that runs it (0 <= worker < lb_pool_threads()),
 * for scratch memory only. */
typedef void (*LbTask) (guint index, guint worker, gpointer data);

/* @threads of 0 means one for each processor this process may run on. */
LbPool *lb_pool_new (guint threads);
void lb_pool_free (LbPool *pool);
guint lb_pool_threads (const LbPool *pool);

/* Runs @task for every index below @n_tasks and returns when all are done. May be called from several threads at once;
 * jobs are served in the order they came, tasks of a job in index order. Must not be called from inside a task. */
void lb_pool_run (LbPool *pool, guint n_tasks, LbTask task, gpointer data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbPool, lb_pool_free)

G_END_DECLS
