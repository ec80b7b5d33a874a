/* The runs of a matrix: one for each combination of values, several side by side.
 *
 * Every point is a run of its own with a directory of its own. What points have in common has the same key, so that the
 * first to come computes it and the others wait for it in the store. All points are read and checked before one runs. A
 * point that fails does not stop the others.
 */
#include <signal.h>
#include <stdio.h>

#include <glib-unix.h>

#include "base/memory.h"
#include "base/timeline.h"
#include "cli/run-parts.h"
#include "pipeline/cost.h"

typedef struct {
  char *name; /* "ipc=10,seed=3" */
  LbLoaded loaded;
  double bytes; /* predicted peak */
  LbRun *run;   /* once it has begun */
  GError *error;
} Point;

typedef struct {
  const LbRunOptions *options;
  LbStore *store;
  LbPool *pool;
  GCancellable *cancellable;
  char *output;
  Point *points;
  guint n_points;
  double limit; /* bytes for all that run at once */
  GMutex lock;  /* guards what follows */
  GCond changed;
  guint next, n_active, n_workers;
  double bytes; /* predicted, of those that run */
} Matrix;

/* ---- Points ---- */

/* Reads point @index: the file with the matrix's values for its params. Returns the exit status. */
static int
load_point (Matrix *matrix, const LbLoaded *first, guint index)
{
  Point *point = &matrix->points[index];
  g_auto (GStrv) params = lb_pipeline_point (first->pipeline, index);
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  for (guint i = 0; matrix->options->changes.params != NULL && matrix->options->changes.params[i] != NULL; i++)
    g_ptr_array_add (all, matrix->options->changes.params[i]);
  for (guint i = 0; params[i] != NULL; i++)
    g_ptr_array_add (all, params[i]);
  g_ptr_array_add (all, NULL);
  LbChanges changes = matrix->options->changes;
  changes.params = (char **)all->pdata;
  point->name = g_strjoinv (",", params);
  point->loaded = (LbLoaded){ .threads = first->threads, .until = first->until };
  return lb_command_load (first->pipeline->path, &changes, TRUE, &point->loaded);
}

/* Refuses a point that will not fit even alone. */
static gboolean
check_point (Matrix *matrix, Point *point, guint64 taken, guint64 limit, const char *whose, GError **error)
{
  g_autoptr (LbCost) cost = lb_cost_that_fits (point->loaded.plan, taken, limit, whose, error);
  point->bytes = cost != NULL ? cost->peak_bytes : 0;
  if (cost == NULL || !lb_run_options_only (matrix->options, point->loaded.plan, matrix->store, error)) {
    g_prefix_error (error, "%s: ", point->name);
    return FALSE;
  }
  return TRUE;
}

static int
load_points (Matrix *matrix, const LbLoaded *first)
{
  for (guint i = 0; i < matrix->n_points; i++) {
    int status = load_point (matrix, first, i);
    if (status != 0)
      return status;
  }
  const char *whose;
  guint64 taken = lb_memory_resident (), limit = lb_run_options_memory (matrix->options, taken, &whose);
  matrix->limit = limit != G_MAXUINT64 ? (double)(limit - MIN (taken, limit)) : G_MAXDOUBLE;
  for (guint i = 0; i < matrix->n_points && !matrix->options->dry_run; i++) {
    g_autoptr (GError) error = NULL;
    if (!check_point (matrix, &matrix->points[i], taken, limit, whose, &error))
      return lb_command_fail (error);
  }
  return 0;
}

/* ---- Running ---- */

/* Takes the next point, waiting until it fits beside those that run; NULL when there is none left. */
static Point *
take_point (Matrix *matrix)
{
  Point *point = NULL;
  g_mutex_lock (&matrix->lock);
  while (matrix->next < matrix->n_points && matrix->n_active > 0
         && matrix->bytes + matrix->points[matrix->next].bytes > matrix->limit)
    g_cond_wait (&matrix->changed, &matrix->lock);
  if (matrix->next < matrix->n_points && !g_cancellable_is_cancelled (matrix->cancellable)) {
    point = &matrix->points[matrix->next++];
    matrix->n_active++;
    matrix->bytes += point->bytes;
  }
  g_mutex_unlock (&matrix->lock);
  return point;
}

static void
return_point (Matrix *matrix, const Point *point)
{
  g_mutex_lock (&matrix->lock);
  matrix->n_active--;
  matrix->bytes -= point->bytes;
  g_cond_broadcast (&matrix->changed);
  g_mutex_unlock (&matrix->lock);
}

static void
run_point (Matrix *matrix, Point *point)
{
  g_autoptr (LbProgress) progress = lb_run_options_progress (matrix->options, FALSE);
  g_autofree char *output = g_build_filename (matrix->output, point->name, NULL);
  LbRunSettings settings = lb_run_options_settings (matrix->options, matrix->store);
  if (progress != NULL)
    lb_progress_set_point (progress, point->name);
  settings.output_directory = output;
  settings.progress = progress;
  settings.pool = matrix->pool;
  point->run = lb_run_new (point->loaded.plan, &settings, &point->error);
  if (point->run != NULL)
    lb_run_execute (point->run, matrix->cancellable, &point->error);
  if (point->error != NULL)
    g_prefix_error (&point->error, "%s: ", point->name);
}

static gpointer
worker (gpointer data)
{
  Matrix *matrix = data;
  Point *point;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_main_context_push_thread_default (context);
  while ((point = take_point (matrix)) != NULL) {
    run_point (matrix, point);
    return_point (matrix, point);
  }
  g_main_context_pop_thread_default (context);
  g_mutex_lock (&matrix->lock);
  matrix->n_workers--;
  g_mutex_unlock (&matrix->lock);
  g_main_context_wakeup (NULL);
  return NULL;
}

static guint
n_workers (Matrix *matrix)
{
  g_mutex_lock (&matrix->lock);
  guint n = matrix->n_workers;
  g_mutex_unlock (&matrix->lock);
  return n;
}

/* The first signal stops all runs in order; without its source the next one acts as always, and kills. */
static gboolean
on_signal (gpointer data)
{
  Matrix *matrix = data;
  signal (SIGINT, SIG_DFL);
  signal (SIGTERM, SIG_DFL);
  fprintf (stderr, "limbeck: stopping; another signal kills at once\n");
  g_cancellable_cancel (matrix->cancellable);
  return G_SOURCE_CONTINUE;
}

static void
run_points (Matrix *matrix)
{
  guint n = MIN (matrix->options->n_jobs != 0 ? matrix->options->n_jobs : g_get_num_processors (), matrix->n_points);
  guint sources[] = { g_unix_signal_add (SIGINT, on_signal, matrix), g_unix_signal_add (SIGTERM, on_signal, matrix) };
  g_autofree GThread **threads = g_new0 (GThread *, n);
  matrix->n_workers = n;
  for (guint i = 0; i < n; i++)
    threads[i] = g_thread_new ("matrix", worker, matrix);
  while (n_workers (matrix) > 0)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
}

/* ---- The end ---- */

/* Prints what every point found, in the order of the matrix; the exit status of the first that failed. */
static int
print_points (const Matrix *matrix)
{
  gboolean json = matrix->options->output_format == LB_FORMAT_JSON;
  int status = 0;
  guint n_printed = 0;
  if (json)
    printf ("[");
  for (guint i = 0; i < matrix->n_points; i++) {
    const Point *point = &matrix->points[i];
    if (point->error != NULL) {
      int failed = lb_command_fail (point->error);
      status = status != 0 ? status : failed;
    } else if (point->run != NULL) {
      if (json)
        printf ("%s", n_printed > 0 ? "," : "");
      else if (!matrix->options->quiet)
        printf ("%s== %s\n\n", n_printed > 0 ? "\n" : "", point->name);
      lb_run_print (point->run, matrix->options);
      n_printed++;
    }
  }
  if (json)
    printf ("]\n");
  return status == 0 && g_cancellable_is_cancelled (matrix->cancellable) ? LB_ERROR_CANCELLED : status;
}

static int
print_plans (const Matrix *matrix)
{
  int status = 0;
  for (guint i = 0; i < matrix->n_points && status == 0; i++)
    status = lb_run_print_plan (matrix->points[i].loaded.plan, matrix->store, matrix->points[i].name);
  return status;
}

static int
run_and_print (Matrix *matrix)
{
  g_autoptr (GError) error = NULL;
  if (matrix->options->trace != NULL && !lb_timeline_start (matrix->options->trace, LB_TIMELINE_LIMIT, &error))
    return lb_command_fail (error);
  matrix->pool = lb_pool_new (matrix->options->n_threads);
  run_points (matrix);
  gboolean traced = lb_timeline_stop (&error);
  int status = print_points (matrix);
  return status == 0 && !traced ? lb_command_fail (error) : status;
}

static void
matrix_clear (Matrix *matrix)
{
  for (guint i = 0; i < matrix->n_points; i++) {
    lb_run_free (matrix->points[i].run);
    lb_loaded_clear (&matrix->points[i].loaded);
    g_clear_error (&matrix->points[i].error);
    g_free (matrix->points[i].name);
  }
  g_free (matrix->points);
  g_clear_pointer (&matrix->pool, lb_pool_free);
  g_object_unref (matrix->cancellable);
  g_free (matrix->output);
  g_mutex_clear (&matrix->lock);
  g_cond_clear (&matrix->changed);
}

int
lb_run_matrix (const LbRunOptions *options, const LbLoaded *first, LbStore *store)
{
  Matrix matrix = { .options = options, .store = store, .n_points = lb_pipeline_n_points (first->pipeline) };
  matrix.points = g_new0 (Point, matrix.n_points);
  matrix.cancellable = g_cancellable_new ();
  matrix.output = options->output != NULL ? g_strdup (options->output) : lb_run_default_output (first->pipeline->path);
  g_mutex_init (&matrix.lock);
  g_cond_init (&matrix.changed);
  int status = load_points (&matrix, first);
  if (status == 0)
    status = options->dry_run ? print_plans (&matrix) : run_and_print (&matrix);
  matrix_clear (&matrix);
  return status;
}
