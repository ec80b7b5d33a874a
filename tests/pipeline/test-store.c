/* Kept results: what is computed again and what is not, and why; damage; checkpoints; several runs at once. */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job.h"
#include "pipeline/checkpoint.h"

/* ---- walker: sends what it counts, and can be taken up again; counts its steps for the test ---- */

static gint walker_steps;
static GCancellable *stop_after_twenty; /* the run, when the walker has come so far; NULL: not */

typedef struct {
  gint64 steps, pause;
} Walker;

static const LbProperty walker_properties[] = {
  LB_INTEGER (Walker, steps, "steps", "40", 1, 100000, "steps", "steps to go"),
  LB_INTEGER (Walker, pause, "pause", "0", 0, 100000, "microseconds", "pause after each step"),
  LB_PROPERTIES_END,
};

static const LbPort walker_outputs[] = { { "numbers", "numbers", "n=1", 0, "every tenth sum" }, LB_PORTS_END };

static gboolean
walk (LbStage *stage, const Walker *self, gint64 *step, LbTensor *sum, GError **error)
{
  double *value = lb_tensor_f64 (sum);
  g_atomic_int_inc (&walker_steps);
  ++*step;
  *value += (double)*step;
  lb_compute_add_flops (lb_stage_compute (stage), 3);
  if (*step == 20 && stop_after_twenty != NULL)
    g_cancellable_cancel (stop_after_twenty);
  if (*step == 5 && !lb_stage_write (stage, "early.txt", "five", 4, error))
    return FALSE;
  if (*step % 10 != 0)
    return lb_stage_progress (stage, (guint64)*step, (guint64)self->steps, "sum", *value, error);
  LbPacket *packet = lb_packet_new ();
  lb_packet_take (packet, "values", lb_tensor_copy (sum));
  lb_stage_metric (stage, "sum", *value, "numbers");
  lb_stage_report (stage, "ten steps");
  return lb_stage_push (stage, "numbers", packet, error);
}

static gboolean
walker_run (LbStage *stage, gpointer data, GError **error)
{
  const Walker *self = data;
  gint64 step = 0;
  g_autoptr (LbTensor) sum = lb_tensor_new (LB_F64, LB_SHAPE (1));
  g_autoptr (LbState) state = lb_state_new ();
  lb_state_add_counter (state, "step", &step);
  lb_state_add_tensor (state, "sum", sum);
  if (!lb_stage_resume (stage, state, error))
    return FALSE;
  while (step < self->steps) {
    if (!walk (stage, self, &step, sum, error) || !lb_stage_checkpoint (stage, state, error))
      return FALSE;
    g_usleep ((gulong)self->pause);
  }
  if (!lb_stage_keep_end (stage, "steps", state, error))
    return FALSE;
  lb_stage_metric (stage, "sum at the end", *lb_tensor_f64 (sum), "numbers");
  return TRUE;
}

static const LbStageType walker_type = {
  .name = "walker",
  .summary = "walks",
  .outputs = walker_outputs,
  .properties = walker_properties,
  .instance_size = sizeof (Walker),
  .run = walker_run,
};

/* ---- spring: as counter, but its packets are not worth keeping; counts how often it ran ---- */

static gint spring_runs;

static gboolean
spring_run (LbStage *stage, gpointer self, GError **error)
{
  g_atomic_int_inc (&spring_runs);
  return counter_run (stage, self, error);
}

static const LbStageType spring_type = {
  .name = "spring",
  .summary = "sends numbers",
  .outputs = counter_outputs,
  .properties = counter_properties,
  .instance_size = sizeof (Counter),
  .configure = counter_configure,
  .run = spring_run,
  .flags = LB_STAGE_CHEAP,
};

/* ---- Runs ---- */

static void
store_set_up (Fixture *fixture, gconstpointer data)
{
  fixture_set_up (fixture, data);
  g_assert_true (lb_registry_add_type (fixture->registry, &walker_type, NULL));
  g_assert_true (lb_registry_add_type (fixture->registry, &spring_type, NULL));
  walker_steps = spring_runs = 0;
}

static const char chain[] = "limbeck: 1\n"
                            "stages:\n"
                            "  source: {plugin: counter, with: {packets: 20, size: 2}}\n"
                            "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
                            "  end: {plugin: sum, inputs: {numbers: twice.doubled}}\n";

static const char from_spring[] = "limbeck: 1\n"
                                  "stages:\n"
                                  "  source: {plugin: spring, with: {packets: 20, size: 2}}\n"
                                  "  twice: {plugin: doubler, inputs: {numbers: source.numbers}}\n"
                                  "  end: {plugin: sum, inputs: {numbers: twice.doubled}}\n";

static char *
with (const char *text, const char *part, const char *other)
{
  g_auto (GStrv) pieces = g_strsplit (text, part, 2);
  g_assert_cmpuint (g_strv_length (pieces), ==, 2);
  return g_strjoinv (other, pieces);
}

/* ---- Reuse ---- */

static void
test_second_run_computes_nothing_and_shows_the_same (Fixture *fixture, gconstpointer data)
{
  g_autofree char *metrics = NULL, *again = NULL, *result = NULL, *result_again = NULL;
  g_autofree char *first = run_once (fixture, chain, "a", &metrics, &result);
  g_autofree char *second = run_once (fixture, chain, "b", &again, &result_again);
  g_assert_cmpstr (first, ==, "run run run");
  g_assert_cmpstr (second, ==, "reused reused reused");
  g_assert_cmpstr (again, ==, metrics);
  g_assert_cmpstr (result, ==, "end: 760");
  g_assert_cmpstr (result_again, ==, result);
}

static void
test_reports_appear_again (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = run_once (fixture, chain, "a", NULL, NULL);
  Job job = { 0 };
  job_set_up (&job, fixture, chain, "a");
  job_execute (&job);
  g_assert_cmpuint (lb_run_reports (job.run, 2)->len, ==, 1);
  g_assert_cmpstr (lb_run_reports (job.run, 2)->pdata[0], ==, "end: 760");
  const LbMetric *ratio = lb_run_metrics (job.run, 2)->pdata[2];
  g_assert_true (isnan (ratio->value));
  g_assert_cmpuint (lb_run_activity (job.run, 0)->bytes_out, ==, 320);
  g_assert_cmpfloat (lb_run_activity (job.run, 1)->flops, ==, 40);
  job_tear_down (&job);
}

static void
test_a_changed_property_runs_what_depends_on_it_and_says_why (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = with (chain, "sum,", "sum, with: {result: other.txt},");
  g_autofree char *more = with (chain, "packets: 20", "packets: 30");
  g_autofree char *first = run_once (fixture, chain, "a", NULL, NULL),
                  *last = run_once (fixture, text, "a", NULL, NULL);
  g_assert_cmpstr (last, ==, "reused reused run");
  Job job = { 0 };
  job_set_up (&job, fixture, more, "a");
  g_autoptr (LbReuse) reuse = lb_reuse_decide (job.plan, job.store, "by hand", TRUE, NULL);
  g_assert_cmpstr (reuse->stages[0].why, ==, "property packets changed from 20 to 30");
  g_assert_cmpstr (reuse->stages[1].why, ==, "what source.numbers brings changed");
  job_execute (&job);
  g_autofree char *words = outcomes (&job);
  g_assert_cmpstr (words, ==, "run run run");
  job_tear_down (&job);
}

static void
test_seed_name_arithmetic_and_input_files_count (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = g_build_filename (fixture->directory, "input", NULL);
  g_autofree char *with_file = g_strdup_printf ("sum, with: {file: \"%s\"},", file);
  g_autofree char *text = with (chain, "sum,", with_file), *seeded = with (text, "stages", "seed: 5\nstages");
  g_autofree char *named = with (text, "  end:", "  fin:");
  write_text (fixture->directory, "input", "one");
  g_autofree char *first = run_once (fixture, text, "a", NULL, NULL), *same = run_once (fixture, text, "a", NULL, NULL);
  write_text (fixture->directory, "input", "two");
  g_autofree char *changed = run_once (fixture, text, "a", NULL, NULL);
  g_autofree char *other_seed = run_once (fixture, seeded, "a", NULL, NULL);
  g_autofree char *other_name = run_once (fixture, named, "a", NULL, NULL);
  g_assert_cmpstr (same, ==, "reused reused reused");
  g_assert_cmpstr (changed, ==, "reused reused run");
  g_assert_cmpstr (other_seed, ==, "run run run");
  g_assert_cmpstr (other_name, ==, "reused reused run");
  Job job = { 0 };
  job_set_up (&job, fixture, text, "a");
  g_autoptr (LbReuse) reuse = lb_reuse_decide (job.plan, job.store, "another machine", TRUE, NULL);
  g_assert_cmpint (reuse->stages[0].kind, ==, LB_REUSE_NOT);
  job_tear_down (&job);
}

static void
test_a_cheap_source_runs_only_when_its_packets_are_needed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *metrics = NULL, *again = NULL, *third = NULL;
  g_autofree char *first = run_once (fixture, from_spring, "a", &metrics, NULL);
  g_autofree char *second = run_once (fixture, from_spring, "b", &again, NULL);
  g_assert_cmpstr (second, ==, "reused reused reused");
  g_assert_cmpint (spring_runs, ==, 1);
  g_assert_cmpstr (again, ==, metrics);
  g_autofree char *text = with (from_spring, "doubler,", "doubler, with: {fail-at: 1000},");
  g_autofree char *words = run_once (fixture, text, "c", &third, NULL);
  g_assert_cmpstr (words, ==, "run run run");
  g_assert_cmpint (spring_runs, ==, 2);
  g_assert_cmpstr (third, ==, metrics);
}

/* ---- Damage ---- */

/* The directory of the only result of @stage. */
static char *
result_of (Fixture *fixture, const char *stage)
{
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  g_autoptr (LbStore) store = lb_store_open (place, NULL);
  g_autoptr (GPtrArray) items = lb_store_items (store);
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    if (strcmp (item->stage, stage) == 0 && item->finished)
      return lb_store_result_path (store, item->key);
  }
  g_assert_not_reached ();
}

static void
flip (const char *directory, const char *name, glong at)
{
  g_autofree char *path = g_build_filename (directory, name, NULL), *text = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  text[at < 0 ? (glong)length + at : at] ^= 4;
  g_assert_true (g_file_set_contents (path, text, (gssize)length, NULL));
}

/* Asserts that what is damaged is told by its name, and stays where it is. */
static void
look_only (Fixture *fixture, const char *text, const char *named)
{
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  g_autoptr (LbStore) store = lb_store_open (place, NULL);
  g_autoptr (LbProblems) problems = lb_problems_new ("p.yaml");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("dir/p.yaml", text, strlen (text), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, fixture->registry, problems);
  lb_plan_configure (plan, problems);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (LbReuse) reuse = lb_reuse_decide (plan, store, "by hand", TRUE, NULL);
    g_assert_cmpuint (reuse->notices->len, ==, 1);
    assert_contains (reuse->notices->pdata[0], named);
    assert_contains (reuse->notices->pdata[0], "is damaged, and is computed again");
  }
}

static void
assert_repaired (Fixture *fixture, const char *text, const char *expected, const char *named)
{
  g_autofree char *result = NULL;
  Job job = { 0 };
  look_only (fixture, text, named);
  job_set_up (&job, fixture, text, "a");
  job_execute (&job);
  g_autofree char *words = outcomes (&job);
  g_assert_cmpstr (words, ==, expected);
  result = read_text (job.output, "end.txt");
  g_assert_cmpstr (result, ==, "end: 760");
  job_tear_down (&job);
  /* What was damaged lies aside. */
  g_autofree char *aside = g_build_filename (fixture->directory, "store", "aside", NULL);
  g_autoptr (GDir) dir = g_dir_open (aside, 0, NULL);
  g_assert_nonnull (g_dir_read_name (dir));
}

static void
test_damaged_results_are_computed_again (Fixture *fixture, gconstpointer data)
{
  g_autofree char *other = with (chain, "sum,", "sum, with: {file: elsewhere},");
  g_autofree char *first = run_once (fixture, chain, "a", NULL, NULL);
  g_autofree char *end = result_of (fixture, "end"), *twice = result_of (fixture, "twice");
  flip (end, "files/end.txt", 0);
  assert_repaired (fixture, chain, "reused reused run", "end.txt");
  flip (end, "index", -3);
  assert_repaired (fixture, chain, "reused reused run", "index");
  g_autofree char *index = g_build_filename (end, "index", NULL);
  g_assert_cmpint (truncate (index, 20), ==, 0);
  assert_repaired (fixture, chain, "reused reused run", "index");
  /* Packets are read only when somebody needs them. */
  g_autofree char *packets = g_build_filename (twice, "output-1.packets", NULL);
  g_assert_cmpint (truncate (packets, 900), ==, 0);
  g_autofree char *unread = run_once (fixture, chain, "a", NULL, NULL);
  g_assert_cmpstr (unread, ==, "reused reused reused");
  assert_repaired (fixture, other, "reused run run", "output-1.packets");
}

/* ---- Checkpoints ---- */

static const char walk_text[] = "limbeck: 1\n"
                                "stages:\n"
                                "  walk: {plugin: walker, with: {steps: 400, pause: PAUSE}}\n"
                                "  end: {plugin: sum, inputs: {numbers: walk.numbers}}\n";

static gboolean
cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
test_a_stopped_stage_goes_on_and_leaves_the_same (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = with (walk_text, "PAUSE", "1000"), *metrics = NULL, *again = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Job job = { 0 };
  job_set_up (&job, fixture, text, "a");
  stop_after_twenty = cancellable;
  g_assert_false (lb_run_execute (job.run, cancellable, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  stop_after_twenty = NULL;
  job_tear_down (&job);
  g_assert_cmpint (walker_steps, >=, 20);
  g_assert_cmpint (walker_steps, <, 400);

  /* In another directory, where the file written before the stop is missing. */
  job_set_up (&job, fixture, text, "b");
  job_execute (&job);
  g_autofree char *words = outcomes (&job), *early = read_text (job.output, "early.txt");
  g_assert_cmpstr (words, ==, "resumed run");
  /* But for what came after the last checkpoint, nothing was done twice. */
  g_assert_cmpint (walker_steps, >=, 400);
  g_assert_cmpint (walker_steps, <=, 410);
  g_assert_cmpstr (early, ==, "five");
  metrics = reproducible_part (&job);
  g_assert_cmpuint (lb_run_reports (job.run, 0)->len, ==, 40);
  job_tear_down (&job);

  /* Undisturbed, with a store of its own. */
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  remove_tree (place);
  g_autofree char *undisturbed = run_once (fixture, text, "c", &again, NULL);
  g_assert_cmpstr (undisturbed, ==, "run run");
  g_assert_cmpstr (metrics, ==, again);
}

/* ---- A longer run ---- */

static void
remove_store (Fixture *fixture)
{
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  remove_tree (place);
}

static char *
walk_of (const char *steps)
{
  g_autofree char *text = with (walk_text, "PAUSE", "0");
  return with (text, "400", steps);
}

/* Packets, files, metrics and reports of before the end are there again; what was told at it is not. */
static void
test_a_longer_run_goes_on_where_a_shorter_one_ended (Fixture *fixture, gconstpointer data)
{
  g_autofree char *of_75 = walk_of ("75"), *of_95 = walk_of ("95"), *of_400 = walk_of ("400"),
                  *of_200 = walk_of ("200");
  g_autofree char *metrics = NULL, *again = NULL, *shorter = NULL, *shorter_again = NULL;
  g_autofree char *first = run_once (fixture, of_75, "a", NULL, NULL),
                  *next = run_once (fixture, of_95, "a", NULL, NULL);
  g_assert_cmpstr (first, ==, "run run");
  g_assert_cmpstr (next, ==, "resumed run");
  g_assert_cmpint (walker_steps, ==, 95);

  Job job = { 0 };
  job_set_up (&job, fixture, of_400, "b");
  g_autoptr (LbReuse) reuse = lb_reuse_decide (job.plan, job.store, "by hand", TRUE, NULL);
  g_assert_cmpstr (reuse->stages[0].why, ==, "from the end of an earlier run, at steps 95");
  job_execute (&job);
  g_autofree char *words = outcomes (&job), *early = read_text (job.output, "early.txt");
  metrics = reproducible_part (&job);
  /* Three of each step; what the earlier run did is not of this one's time. */
  g_assert_cmpfloat (lb_run_activity (job.run, 0)->flops, ==, 3 * 400);
  g_assert_cmpfloat (lb_run_activity (job.run, 0)->flops_before, ==, 3 * 95);
  job_tear_down (&job);
  g_assert_cmpstr (words, ==, "resumed run");
  g_assert_cmpint (walker_steps, ==, 400);
  g_assert_cmpstr (early, ==, "five");

  /* Not from one that went farther. */
  g_autofree char *between = run_once (fixture, of_200, "c", &shorter, NULL);
  g_assert_cmpstr (between, ==, "resumed run");
  g_assert_cmpint (walker_steps, ==, 400 + 105);

  remove_store (fixture);
  g_autofree char *undisturbed = run_once (fixture, of_400, "d", &again, NULL);
  g_assert_cmpstr (undisturbed, ==, "run run");
  g_assert_cmpstr (metrics, ==, again);
  remove_store (fixture);
  g_autofree char *alone = run_once (fixture, of_200, "e", &shorter_again, NULL);
  g_assert_cmpstr (alone, ==, "run run");
  g_assert_cmpstr (shorter, ==, shorter_again);
}

/* The one checkpoint that a result keeps. */
static void
damage_end (const char *result)
{
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (result);
  g_assert_cmpuint (numbers->len, ==, 1);
  g_autofree char *end = lb_checkpoint_path ("", g_array_index (numbers, guint64, 0));
  flip (result, end, 40);
}

static void
test_a_longer_run_begins_anew_where_the_end_is_damaged (Fixture *fixture, gconstpointer data)
{
  g_autofree char *of_75 = walk_of ("75"), *of_200 = walk_of ("200"), *metrics = NULL, *again = NULL;
  g_autofree char *first = run_once (fixture, of_75, "a", NULL, NULL), *result = result_of (fixture, "walk");

  /* Damage of packets is found when they are to be sent again, that of the end before anything is run. */
  flip (result, "output-1.packets", 40);
  g_autofree char *words = run_once (fixture, of_200, "a", &metrics, NULL);
  g_assert_cmpstr (words, ==, "run run");
  g_assert_cmpint (walker_steps, ==, 75 + 200);

  remove_store (fixture);
  g_autofree char *second = run_once (fixture, of_75, "a", NULL, NULL);
  damage_end (result);
  Job job = { 0 };
  job_set_up (&job, fixture, of_200, "b");
  g_autoptr (LbReuse) reuse = lb_reuse_decide (job.plan, job.store, "by hand", TRUE, NULL);
  g_assert_cmpint (reuse->stages[0].kind, ==, LB_REUSE_NOT);
  g_assert_cmpuint (reuse->notices->len, ==, 1);
  assert_contains (reuse->notices->pdata[0], "where an earlier run ended is damaged");
  job_execute (&job);
  again = reproducible_part (&job);
  job_tear_down (&job);
  g_assert_cmpstr (metrics, ==, again);
}

/* ---- Several runs ---- */

typedef struct {
  Fixture *fixture;
  const char *text;
  const char *output;
  char *metrics;
} Runner;

static gpointer
run_in_thread (gpointer data)
{
  Runner *runner = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_main_context_push_thread_default (context);
  g_autofree char *words = run_once (runner->fixture, runner->text, runner->output, &runner->metrics, NULL);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_two_runs_at_once_compute_each_stage_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = with (walk_text, "PAUSE", "300");
  Runner runners[] = { { fixture, text, "a", NULL }, { fixture, text, "b", NULL }, { fixture, text, "c", NULL } };
  GThread *threads[G_N_ELEMENTS (runners)];
  for (guint i = 0; i < G_N_ELEMENTS (runners); i++)
    threads[i] = g_thread_new ("run", run_in_thread, &runners[i]);
  for (guint i = 0; i < G_N_ELEMENTS (runners); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (walker_steps, ==, 400);
  for (guint i = 0; i < G_N_ELEMENTS (runners); i++) {
    g_assert_cmpstr (runners[i].metrics, ==, runners[0].metrics);
    g_free (i > 0 ? runners[i].metrics : NULL);
  }
  g_free (runners[0].metrics);
}

static void
test_a_run_that_waits_for_another_can_be_stopped (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = with (walk_text, "PAUSE", "0");
  g_autoptr (LbStoreLock) lock = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Job job = { 0 };
  job_set_up (&job, fixture, text, "a");
  g_autoptr (LbReuse) reuse = lb_reuse_decide (job.plan, job.store, "by hand", TRUE, NULL);
  g_assert_true (lb_store_try_lock (job.store, reuse->stages[0].key, FALSE, &lock, NULL));
  g_assert_nonnull (lock);
  g_timeout_add (100, cancel, cancellable);
  g_assert_false (lb_run_execute (job.run, cancellable, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_cmpint (walker_steps, ==, 0);
  job_tear_down (&job);
}

/* ---- The store itself ---- */

static void
test_only_a_store_is_taken_for_one (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (lb_store_open (fixture->directory, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  assert_contains (error->message, "holds something else than a store");
}

static void
test_what_is_used_is_not_removed (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = run_once (fixture, chain, "a", NULL, NULL);
  Job job = { 0 };
  job_set_up (&job, fixture, chain, "b");
  g_autoptr (GPtrArray) items = lb_store_items (job.store);
  g_assert_cmpuint (items->len, ==, 3);
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    g_assert_true (item->finished);
    g_assert_cmpuint (item->bytes, >, 0);
    g_assert_false (lb_store_remove (job.store, item));
  }
  job_tear_down (&job);
  g_autofree char *place = g_build_filename (fixture->directory, "store", NULL);
  g_autoptr (LbStore) store = lb_store_open (place, NULL);
  for (guint i = 0; i < items->len; i++)
    g_assert_true (lb_store_remove (store, items->pdata[i]));
  g_autoptr (GPtrArray) rest = lb_store_items (store);
  g_assert_cmpuint (rest->len, ==, 0);
  g_autofree char *again = run_once (fixture, chain, "a", NULL, NULL);
  g_assert_cmpstr (again, ==, "run run run");
}

#define ADD(name, function) g_test_add ("/store/" name, Fixture, NULL, store_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("second-run-computes-nothing-and-shows-the-same", test_second_run_computes_nothing_and_shows_the_same);
  ADD ("reports-appear-again", test_reports_appear_again);
  ADD ("a-changed-property-runs-what-depends-on-it-and-says-why",
       test_a_changed_property_runs_what_depends_on_it_and_says_why);
  ADD ("seed-name-arithmetic-and-input-files-count", test_seed_name_arithmetic_and_input_files_count);
  ADD ("a-cheap-source-runs-only-when-its-packets-are-needed",
       test_a_cheap_source_runs_only_when_its_packets_are_needed);
  ADD ("damaged-results-are-computed-again", test_damaged_results_are_computed_again);
  ADD ("a-stopped-stage-goes-on-and-leaves-the-same", test_a_stopped_stage_goes_on_and_leaves_the_same);
  ADD ("a-longer-run-goes-on-where-a-shorter-one-ended", test_a_longer_run_goes_on_where_a_shorter_one_ended);
  ADD ("a-longer-run-begins-anew-where-the-end-is-damaged", test_a_longer_run_begins_anew_where_the_end_is_damaged);
  ADD ("two-runs-at-once-compute-each-stage-once", test_two_runs_at_once_compute_each_stage_once);
  ADD ("a-run-that-waits-for-another-can-be-stopped", test_a_run_that_waits_for_another_can_be_stopped);
  ADD ("only-a-store-is-taken-for-one", test_only_a_store_is_taken_for_one);
  ADD ("what-is-used-is-not-removed", test_what_is_used_is_not_removed);
  return g_test_run ();
}
