/* The command as its users meet it: exit status, what goes to which stream, signals. */
#include <signal.h>
#include <sys/wait.h>

#include <json-glib/json-glib.h>

#include "fixture.h"
#include "timeline.h"

/* What a command left behind. */
typedef struct {
  int status; /* exit status; 128 + the signal when one killed it */
  char *out, *err;
} Result;

static void
result_clear (Result *result)
{
  g_free (result->out);
  g_free (result->err);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Result, result_clear)

static char **
make_environment (Fixture *fixture)
{
  g_autofree char *plugins = g_test_build_filename (G_TEST_BUILT, "pipeline", NULL);
  g_autofree char *schemas = g_build_filename (fixture->directory, "schemas", NULL);
  char **environment = g_get_environ ();
  environment = g_environ_setenv (environment, "LIMBECK_PLUGIN_PATH", plugins, TRUE);
  environment = g_environ_setenv (environment, "LIMBECK_SCHEMA_PATH", schemas, TRUE);
  return g_environ_setenv (environment, "LC_ALL", "C.UTF-8", TRUE);
}

/* @arguments are separated by spaces. */
static char **
make_command (const char *arguments)
{
  g_autofree char *line = g_strconcat (g_getenv ("LIMBECK_COMMAND"), " ", arguments, NULL);
  char **words = NULL;
  g_assert_true (g_shell_parse_argv (line, NULL, &words, NULL));
  return words;
}

static int
exit_status (int wait_status)
{
  return WIFEXITED (wait_status) ? WEXITSTATUS (wait_status) : 128 + WTERMSIG (wait_status);
}

/* Runs the command in the fixture's directory. */
static Result
run_command (Fixture *fixture, const char *arguments)
{
  Result result = { 0 };
  int status;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = make_command (arguments), environment = make_environment (fixture);
  g_spawn_sync (fixture->directory, words, environment, G_SPAWN_DEFAULT, NULL, NULL, &result.out, &result.err, &status,
                &error);
  g_assert_no_error (error);
  result.status = exit_status (status);
  return result;
}

static void
assert_fails (Fixture *fixture, const char *arguments, int status, const char *message)
{
  g_auto (Result) result = run_command (fixture, arguments);
  assert_contains (result.err, message);
  g_assert_cmpint (result.status, ==, status);
  g_assert_cmpstr (result.out, ==, "");
}

static void
test_usage_errors_exit_with_2 (Fixture *fixture, gconstpointer data)
{
  assert_fails (fixture, "", 2, "Usage: limbeck COMMAND");
  assert_fails (fixture, "rum x.yaml", 2, "limbeck: 'rum' is not a command; did you mean 'run'?\n");
  assert_fails (fixture, "run", 2, "limbeck: FILE is missing; see 'limbeck run --help'\n");
  assert_fails (fixture, "check a.yaml b.yaml", 2, "limbeck: 'b.yaml' is one argument too many");
  assert_fails (fixture, "run --thread 2 a.yaml", 2, "Unknown option --thread");
  assert_fails (fixture, "run --threads 0 a.yaml", 2,
                "limbeck: --threads is '0'; expected a whole number from 1 to 1024\n");
  assert_fails (fixture, "run --format xml a.yaml", 2, "limbeck: --format is 'xml'; expected one of text, json\n");
  assert_fails (fixture, "graph --format png a.yaml", 2, "limbeck: --format is 'png'; expected one of dot, svg\n");
  assert_fails (
      fixture, "inspect countre", 2,
      "limbeck: 'countre' is neither a stage type nor a stream schema nor an architecture; did you mean 'counter'?\n");
  g_setenv ("LIMBECK_KERNELS", "quantum", TRUE);
  assert_fails (fixture, "inspect", 2, "LIMBECK_KERNELS is 'quantum'; expected baseline, x86-64-v3 or x86-64-v4");
  g_setenv ("LIMBECK_KERNELS", "baseline", TRUE);
  g_auto (Result) result = run_command (fixture, "--version");
  g_unsetenv ("LIMBECK_KERNELS");
  assert_contains (result.out, "kernels baseline");
}

static void
test_help_and_version (Fixture *fixture, gconstpointer data)
{
  g_auto (Result) help = run_command (fixture, "--help");
  g_assert_cmpint (help.status, ==, 0);
  assert_contains (help.out, "Exit status:");
  assert_contains (help.out, "130  stopped by SIGINT");
  g_auto (Result) run_help = run_command (fixture, "run --help");
  g_assert_cmpint (run_help.status, ==, 0);
  assert_contains (run_help.out, "--set=STAGE.PROPERTY=VALUE");
  g_auto (Result) version = run_command (fixture, "--version");
  g_assert_cmpint (version.status, ==, 0);
  g_assert_true (g_str_has_prefix (version.out, "limbeck " LB_VERSION "\n"));
  g_assert_cmpuint (strlen (version.out), >, strlen ("limbeck " LB_VERSION "\n") + 1);
}

static void
test_missing_file (Fixture *fixture, gconstpointer data)
{
  assert_fails (fixture, "run nowhere.yaml", 3, "nowhere.yaml");
}

static const char broken[] = "limbeck: 1\n"
                             "stages:\n"
                             "  a: {plugin: countre}\n"
                             "  b: {plugin: counter, with: {siez: 3}}\n"
                             "  c: {plugin: doubler, inputs: {numbers: d.numbers}}\n";

static void
test_check_tells_all_mistakes (Fixture *fixture, gconstpointer data)
{
  static const char expected[]
      = "p.yaml:3:15: stage 'a': plugin 'countre' is not known; did you mean 'counter'?\n"
        "p.yaml:4:31: stage 'b': plugin 'counter' has no property 'siez'; did you mean 'size'?\n"
        "p.yaml:5:42: stage 'c': input 'numbers' reads 'd.numbers', but there is no stage 'd'; known are a, b, c\n"
        "limbeck: 'p.yaml' has 3 mistakes\n";
  write_text (fixture->directory, "p.yaml", broken);
  assert_fails (fixture, "check p.yaml", 3, expected);
  assert_fails (fixture, "run p.yaml", 3, expected);
  g_assert_false (file_exists (fixture->directory, "p.out"));
}

static const char good[] = "limbeck: 1\n"
                           "title: Sums\n"
                           "params: {n: 4}\n"
                           "stages:\n"
                           "  source: {plugin: counter, with: {packets: \"${n}\"}}\n"
                           "  end: {plugin: sum, inputs: {numbers: source.numbers}}\n";

static void
test_check_prints_types_and_cost (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml", good);
  g_auto (Result) result = run_command (fixture, "check p.yaml --param n=7");
  g_assert_cmpint (result.status, ==, 0);
  g_assert_cmpstr (result.err, ==, "");
  assert_contains (result.out, "  source.numbers: numbers {n 1}\n      values f64[1]\n");
  assert_contains (result.out, "7 FLOP");
  g_assert_false (file_exists (fixture->directory, "p.out"));
}

static void
test_run_prints_reports_and_costs (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml", good);
  g_auto (Result) result = run_command (fixture, "run p.yaml --set source.size=2 --threads 1");
  g_assert_cmpint (result.status, ==, 0);
  g_assert_true (g_str_has_prefix (result.out, "end: 12\n"));
  assert_contains (result.out, "stage   plugin  ");
  assert_contains (result.out, "on 1 thread. Results are in p.out\n");
  assert_contains (result.err, "source: done after ");
  g_autofree char *sum = g_build_filename (fixture->directory, "p.out", "end.txt", NULL);
  g_assert_true (g_file_test (sum, G_FILE_TEST_EXISTS));
}

static void
test_run_prints_json (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml", good);
  g_auto (Result) result = run_command (fixture, "run --quiet --format=json --output other/place --seed 5 p.yaml");
  g_assert_cmpint (result.status, ==, 0);
  g_assert_cmpstr (result.err, ==, "");
  g_autoptr (JsonNode) root = json_from_string (result.out, NULL);
  g_assert_nonnull (root);
  g_assert_cmpint (json_object_get_int_member (json_node_get_object (root), "seed"), ==, 5);
  g_autofree char *written = read_text (fixture->directory, "other/place/metrics.json");
  g_assert_cmpstr (result.out, ==, written);
}

static void
test_run_that_fails (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml",
              "limbeck: 1\nstages:\n"
              "  source: {plugin: counter}\n"
              "  fails: {plugin: doubler, inputs: {numbers: source.numbers}, with: {fail-at: 1}}\n"
              "  end: {plugin: sum, inputs: {numbers: fails.doubled}}\n");
  assert_fails (fixture, "run --quiet p.yaml", 7, "limbeck: stage 'fails': packet 1 is too much; send fewer\n");
  g_assert_false (file_exists (fixture->directory, "p.out/end.txt"));
  g_autofree char *log = read_text (fixture->directory, "p.out/run/log.txt");
  assert_contains (log, "stage 'fails': failed after ");
  write_text (fixture->directory, "file", "in the way");
  assert_fails (fixture, "run --output file/x p.yaml", 6, "limbeck: output directory 'file/x' cannot be made: ");
}

static void
test_output_that_nobody_takes (Fixture *fixture, gconstpointer data)
{
  if (!g_file_test ("/dev/full", G_FILE_TEST_EXISTS)) {
    g_test_skip ("needs /dev/full");
    return;
  }
  g_autofree char *line = g_strdup_printf ("exec '%s' --help > /dev/full", g_getenv ("LIMBECK_COMMAND"));
  const char *const words[] = { "sh", "-c", line, NULL };
  g_autofree char *err = NULL;
  int status;
  g_assert_true (g_spawn_sync (NULL, (char **)words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &err, &status, NULL));
  g_assert_cmpint (exit_status (status), ==, LB_ERROR_OUTPUT);
  g_assert_cmpstr (err, ==, "limbeck: standard output cannot be written: No space left on device\n");
}

/* ---- Signals ---- */

static const char endless[] = "limbeck: 1\n"
                              "stages:\n"
                              "  sleeper: {plugin: sleeper, with: {deaf: %s}}\n"
                              "  source: {plugin: counter}\n"
                              "  end: {plugin: sum, inputs: {numbers: source.numbers}}\n";

static void
on_exit_seen (GPid pid, int status, gpointer data)
{
  *(int *)data = status;
}

/* Starts the endless pipeline, sends @n signals once its sum is written, and returns how it ended. */
static int
interrupt (Fixture *fixture, gboolean deaf, int signal_number, guint n, double *seconds)
{
  GPid pid;
  int status = -1;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strdup_printf (endless, deaf ? "true" : "false");
  write_text (fixture->directory, "p.yaml", text);
  g_auto (GStrv) words = make_command ("run --quiet p.yaml"), environment = make_environment (fixture);
  g_spawn_async (fixture->directory, words, environment, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                 NULL, &pid, &error);
  g_assert_no_error (error);
  g_child_watch_add (pid, on_exit_seen, &status);
  while (!file_exists (fixture->directory, "p.out/end.txt") && status == -1) {
    g_main_context_iteration (NULL, FALSE);
    g_usleep (10000);
  }
  gint64 begin = g_get_monotonic_time ();
  for (guint i = 0; i < n; i++) {
    g_usleep (300000);
    kill (pid, signal_number);
  }
  while (status == -1)
    g_main_context_iteration (NULL, TRUE);
  *seconds = (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC;
  g_spawn_close_pid (pid);
  return exit_status (status);
}

static void
test_signals_end_a_run_in_order (Fixture *fixture, gconstpointer data)
{
  static const int signals[] = { SIGINT, SIGTERM };
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++) {
    double seconds;
    g_assert_cmpint (interrupt (fixture, FALSE, signals[i], 1, &seconds), ==, 130);
    g_assert_cmpfloat (seconds, <, 2);
    g_autofree char *kept = read_text (fixture->directory, "p.out/end.txt");
    g_assert_cmpstr (kept, ==, "end: 45");
    g_assert_false (file_exists (fixture->directory, "p.out/metrics.json"));
    g_autofree char *output = g_build_filename (fixture->directory, "p.out", NULL);
    remove_tree (output);
  }
}

static void
test_second_signal_kills (Fixture *fixture, gconstpointer data)
{
  double seconds;
  g_assert_cmpint (interrupt (fixture, TRUE, SIGINT, 2, &seconds), ==, 128 + SIGINT);
  g_assert_cmpfloat (seconds, <, 5);
}

/* ---- Numbers that are not finite ---- */

static const char breaking[] = "limbeck: 1\n"
                               "stages:\n"
                               "  breaks: {plugin: breaker}\n";

static void
test_traces_numerics (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "b.yaml", breaking);
  assert_fails (fixture, "run -q b.yaml", 7,
                "stage 'breaks': loss is minus infinite at step 4 where a finite number was expected; be careful; "
                "'limbeck run --trace-numerics' names the operation that it came from\n");
  assert_fails (fixture, "run -q --trace-numerics b.yaml", 7,
                "stage 'breaks': loss is minus infinite at step 4 where a finite number was expected: log, made at ");
  /* A stage that does not look is stopped at its next step. */
  assert_fails (fixture, "run -q --trace-numerics --set breaks.tells=false b.yaml", 7, "stage 'breaks': step 4: log, ");
  g_auto (Result) result = run_command (fixture, "run -q --trace-numerics b.yaml");
  assert_contains (result.err, "tests/pipeline/test-stages.c:");
  assert_contains (result.err, " minus infinite, at [5, 1] of [8, 3]");
  assert_contains (result.err, "operand 1, [8, 3] bound to input 'x', was finite, from 0 to 1");
  g_auto (Result) blind = run_command (fixture, "run -q --set breaks.tells=false b.yaml");
  g_assert_cmpint (blind.status, ==, 0);
}

/* ---- Memory ---- */

static void
test_refuses_what_will_not_fit (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "m.yaml",
              "limbeck: 1\n"
              "stages:\n"
              "  count: {plugin: counter, with: {packets: 1, size: 1000000}}\n"
              "  end: {plugin: sum, inputs: {numbers: count.numbers}}\n");
  /* The counter predicts 8 bytes for each number, beside what the command takes. */
  g_auto (Result) refused = run_command (fixture, "run -q --memory-limit 4M m.yaml");
  g_assert_cmpint (refused.status, ==, 9);
  assert_contains (refused.err, "limbeck: the run is predicted to take ");
  assert_contains (refused.err, " of memory, but 4.00 MiB are allowed; ");
  g_assert_false (file_exists (fixture->directory, "m.out"));
  g_auto (Result) allowed = run_command (fixture, "run -q --memory-limit 4GiB m.yaml");
  g_assert_cmpint (allowed.status, ==, 0);
  g_auto (Result) forced = run_command (fixture, "run -q --memory-limit none m.yaml");
  g_assert_cmpint (forced.status, ==, 0);
  assert_fails (fixture, "run --memory-limit much m.yaml", 2,
                "limbeck: --memory-limit is 'much'; expected a size such as 800M or 4G, or none\n");
}

/* ---- Watching ---- */

/* What limbeck status says of p.out, as an object that goes with *root. */
static JsonObject *
get_status (Fixture *fixture, JsonNode **root)
{
  g_auto (Result) result = run_command (fixture, "status p.out --format json");
  g_assert_cmpstr (result.err, ==, "");
  g_assert_cmpint (result.status, ==, 0);
  g_clear_pointer (root, json_node_unref);
  *root = json_from_string (result.out, NULL);
  g_assert_nonnull (*root);
  return json_node_get_object (*root);
}

static const char *
stage_state (JsonObject *status, guint index)
{
  JsonArray *stages = json_object_get_array_member (status, "stages");
  return json_object_get_string_member (json_array_get_object_element (stages, index), "state");
}

static void
test_status_of_running_and_killed_runs (Fixture *fixture, gconstpointer data)
{
  GPid pid;
  int status = -1;
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = g_strdup_printf (endless, "false");
  write_text (fixture->directory, "p.yaml", text);
  assert_fails (fixture, "status p.out", 5, "limbeck: 'p.out' holds no run that can be told of: ");
  g_auto (GStrv) words = make_command ("run --quiet p.yaml"), environment = make_environment (fixture);
  g_spawn_async (fixture->directory, words, environment, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &error);
  g_assert_no_error (error);
  g_child_watch_add (pid, on_exit_seen, &status);
  JsonObject *object = NULL;
  for (gboolean seen = FALSE; !seen; g_usleep (20000)) {
    if (file_exists (fixture->directory, "p.out/run/status.json"))
      object = get_status (fixture, &root);
    seen = object != NULL && strcmp (stage_state (object, 2), "done") == 0;
  }
  g_assert_cmpstr (json_object_get_string_member (object, "state"), ==, "running");
  g_assert_true (json_object_get_boolean_member (object, "alive"));
  g_assert_cmpint (json_object_get_int_member (object, "pid"), ==, pid);
  g_assert_cmpstr (stage_state (object, 0), ==, "running");
  assert_fails (fixture, "run p.yaml", 6, "limbeck: output directory 'p.out' is being written by another run; ");

  kill (pid, SIGKILL);
  while (status == -1)
    g_main_context_iteration (NULL, TRUE);
  g_spawn_close_pid (pid);
  object = get_status (fixture, &root);
  g_assert_cmpstr (json_object_get_string_member (object, "state"), ==, "killed");
  g_assert_false (json_object_get_boolean_member (object, "alive"));
  g_assert_cmpstr (stage_state (object, 0), ==, "killed");
  g_assert_cmpstr (stage_state (object, 1), ==, "done");
  g_auto (Result) result = run_command (fixture, "status p.out");
  assert_contains (result.out, "killed after ");
  assert_contains (result.out, "\nsleeper  killed ");
  assert_contains (result.out, "Z stage 'end': ");
}

static void
test_status_of_ended_runs (Fixture *fixture, gconstpointer data)
{
  g_autoptr (JsonNode) root = NULL;
  write_text (fixture->directory, "p.yaml", good);
  g_auto (Result) done = run_command (fixture, "run --quiet p.yaml");
  JsonObject *object = get_status (fixture, &root);
  g_assert_cmpstr (json_object_get_string_member (object, "state"), ==, "done");
  g_assert_true (json_object_get_null_member (object, "error"));
  g_auto (Result) text = run_command (fixture, "status p.out --lines 1");
  assert_contains (text.out, "Sums (p.yaml)\ndone after ");
  assert_contains (text.out, "\nsource  done   4/4  100% ");
  assert_contains (text.out, "Z done after ");
  write_text (fixture->directory, "p.yaml",
              "limbeck: 1\nstages:\n"
              "  source: {plugin: counter}\n"
              "  fails: {plugin: doubler, inputs: {numbers: source.numbers}, with: {fail-at: 1}}\n");
  g_auto (Result) failed = run_command (fixture, "run --quiet p.yaml");
  object = get_status (fixture, &root);
  g_assert_cmpstr (json_object_get_string_member (object, "state"), ==, "failed");
  g_assert_cmpstr (stage_state (object, 1), ==, "failed");
  g_assert_cmpstr (json_object_get_string_member (object, "error"), ==,
                   "stage 'fails': packet 1 is too much; send fewer");
  write_text (fixture->directory, "p.out/run/status.json", "{\"stages\": [1, {}], \"pid\": \"x\"}");
  g_auto (Result) strange = run_command (fixture, "status p.out");
  g_assert_cmpint (strange.status, ==, 0);
  write_text (fixture->directory, "p.out/run/status.json", "{");
  assert_fails (fixture, "status p.out", 5, "p.out/run/status.json: is not the status of a run");
  g_autofree char *deep = g_strnfill (2000000, '[');
  write_text (fixture->directory, "p.out/run/status.json", deep);
  assert_fails (fixture, "status p.out", 5, "p.out/run/status.json: is not the status of a run");
}

static void
test_progress_for_programs (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml", good);
  g_auto (Result) result = run_command (fixture, "run --progress=json p.yaml");
  g_assert_cmpint (result.status, ==, 0);
  g_auto (GStrv) lines = g_strsplit (result.err, "\n", -1);
  guint n = g_strv_length (lines) - 1, n_stages = 0, n_metrics = 0, n_messages = 0;
  double time = 0;
  for (guint i = 0; i < n; i++) {
    g_autoptr (JsonNode) node = json_from_string (lines[i], NULL);
    g_assert_nonnull (node);
    JsonObject *object = json_node_get_object (node);
    const char *event = json_object_get_string_member (object, "event");
    g_assert_true ((i == 0) == (strcmp (event, "start") == 0));
    g_assert_true ((i == n - 1) == (strcmp (event, "end") == 0));
    n_stages += strcmp (event, "stage") == 0 && strcmp (json_object_get_string_member (object, "state"), "done") == 0;
    n_metrics += strcmp (event, "metric") == 0;
    n_messages += strcmp (event, "message") == 0;
    time = json_object_get_double_member (object, "time");
  }
  g_assert_cmpuint (n_stages, ==, 2);
  g_assert_cmpuint (n_metrics, ==, 3);
  g_assert_cmpuint (n_messages, ==, 1); /* of the ratio that is no number */
  g_assert_cmpfloat (time, >, 0);
  assert_fails (fixture, "run --progress=xml p.yaml", 2,
                "limbeck: --progress is 'xml'; expected one of auto, plain, json, none\n");
}

/* Five runs of a program: each is in the timeline with its operations, whose kernels lie inside it or on workers. */
static void
test_run_draws_programs (Fixture *fixture, gconstpointer data)
{
  Timeline timeline;
  double flops, length, sum;
  write_text (fixture->directory, "p.yaml", "limbeck: 1\nstages:\n  breaks: {plugin: breaker, with: {tells: false}}\n");
  g_auto (Result) result = run_command (fixture, "run --quiet --trace timeline.json p.yaml");
  g_assert_cmpstr (result.err, ==, "");
  g_assert_cmpint (result.status, ==, 0);
  g_autofree char *path = g_build_filename (fixture->directory, "timeline.json", NULL);
  timeline_read (&timeline, path);
  timeline_assert_nested (&timeline);
  g_assert_cmpuint (timeline_sum (&timeline, "program", NULL, "flops", &flops, &length), ==, 5);
  g_assert_cmpuint (timeline_sum (&timeline, "op", "log", NULL, &sum, &sum), >=, 5);
  g_autofree char *text = read_text (fixture->directory, "p.out/metrics.json");
  g_autoptr (JsonNode) root = json_from_string (text, NULL);
  JsonArray *stages = json_object_get_array_member (json_node_get_object (root), "stages");
  g_assert_cmpfloat (flops, >, 0);
  g_assert_cmpfloat (flops, ==, json_object_get_double_member (json_array_get_object_element (stages, 0), "flops"));
  timeline_clear (&timeline);
  assert_fails (fixture, "run --quiet --trace nowhere/x.json p.yaml", 6,
                "limbeck: nowhere/x.json: cannot be written: ");
}

static void
test_record_that_does_not_fit (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml", good);
  g_autofree char *line
      = g_strdup_printf ("ulimit -f 8; exec '%s' run p.yaml --param n=5000", g_getenv ("LIMBECK_COMMAND"));
  const char *const words[] = { "sh", "-c", line, NULL };
  g_auto (GStrv) environment = make_environment (fixture);
  g_autofree char *out = NULL, *err = NULL;
  int status;
  g_assert_true (g_spawn_sync (fixture->directory, (char **)words, environment, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
                               &err, &status, NULL));
  g_assert_cmpint (exit_status (status), ==, LB_ERROR_OUTPUT);
  assert_contains (err, "run/metrics.csv: cannot be written: the file would be larger than the limit on file sizes; ");
  /* The stages had come to their end, and the next run completes what is missing. */
  g_assert_true (file_exists (fixture->directory, "p.out/end.txt"));
  g_auto (Result) again = run_command (fixture, "run --quiet p.yaml --param n=5000");
  g_assert_cmpint (again.status, ==, 0);
  g_autofree char *csv = read_text (fixture->directory, "p.out/run/metrics.csv");
  assert_contains (csv, "\nsource,5000,number,4999,\n");
}

/* ---- Looking around ---- */

static void
test_inspect_lists (Fixture *fixture, gconstpointer data)
{
  g_auto (Result) result = run_command (fixture, "inspect");
  g_assert_cmpint (result.status, ==, 0);
  assert_contains (result.out, "Stage types:\n");
  assert_contains (result.out, "  doubler ");
  assert_contains (result.out, "Stream schemas:\n");
  assert_contains (result.out, "  numbers ");
  assert_contains (result.out, "Architectures:\n  convnet-d1 ");
}

static void
test_inspect_tells_options_of_an_architecture (Fixture *fixture, gconstpointer data)
{
  g_auto (Result) convnet = run_command (fixture, "inspect convnet-d3"),
                  alexnet = run_command (fixture, "inspect alexnet");
  g_assert_cmpint (convnet.status, ==, 0);
  assert_contains (convnet.out, "Options, behind the name as in convnet-d3:width=128:\n"
                                "  width: a whole number from 1 to 4096, default 128\n");
  assert_contains (convnet.out, "  norm: instance, group, batch or none, default instance\n");
  assert_contains (convnet.out, "From: built-in\n");
  assert_contains (alexnet.out, "It has no options.\n");
}

static void
test_inspect_tells_all_of_a_stage (Fixture *fixture, gconstpointer data)
{
  g_auto (Result) counter = run_command (fixture, "inspect counter");
  g_assert_cmpint (counter.status, ==, 0);
  assert_contains (counter.out, "counter: sends numbers\n");
  assert_contains (counter.out, "Outputs:\n  numbers: numbers\n    what was counted\n    dimensions: n\n");
  assert_contains (counter.out, "values:  f64[n]");
  assert_contains (counter.out,
                   "  packets: whole number from 0 to 1000000, in packets, default 10\n    packets to send\n");
  assert_contains (counter.out, "  my-counter:\n    plugin: counter\n    with:\n      packets: 10\n      size: 1\n"
                                "      kind: up\n");
  assert_contains (counter.out, "Plugin: test-stages 1.2, LGPL-2.1-or-later, ");
  g_auto (Result) sum = run_command (fixture, "inspect sum");
  assert_contains (sum.out, "  numbers: numbers, must be linked, takes a list of streams\n");
  assert_contains (sum.out, "      numbers: [OTHER-STAGE.numbers]\n      more: OTHER-STAGE.numbers    # optional\n");
  g_auto (Result) schema = run_command (fixture, "inspect numbers");
  assert_contains (schema.out, "numbers: stream schema, version 1\n");
  assert_contains (schema.out, "  n  numbers in a packet\n");
}

static void
test_graph_draws (Fixture *fixture, gconstpointer data)
{
  write_text (fixture->directory, "p.yaml", good);
  g_auto (Result) dot = run_command (fixture, "graph p.yaml");
  g_assert_cmpint (dot.status, ==, 0);
  assert_contains (dot.out, "\"source\" -> \"end\" [label=\"numbers\"];");
  g_auto (Result) svg = run_command (fixture, "graph -o drawing.svg p.yaml");
  g_assert_cmpint (svg.status, ==, 0);
  g_autofree char *written = read_text (fixture->directory, "drawing.svg");
  assert_contains (written, "<svg ");
  g_auto (Result) again = run_command (fixture, "graph --format svg p.yaml");
  g_assert_cmpstr (again.out, ==, written);
  assert_fails (fixture, "graph -o p.yaml/x.svg p.yaml", 6, "p.yaml");
}

#define ADD(name, function) g_test_add (name, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (g_getenv ("LIMBECK_COMMAND") == NULL) {
    g_print ("1..0 # SKIP LIMBECK_COMMAND does not name the command\n");
    return 0;
  }
  ADD ("/cli/usage-errors-exit-with-2", test_usage_errors_exit_with_2);
  ADD ("/cli/help-and-version", test_help_and_version);
  ADD ("/cli/missing-file", test_missing_file);
  ADD ("/cli/check-tells-all-mistakes", test_check_tells_all_mistakes);
  ADD ("/cli/check-prints-types-and-cost", test_check_prints_types_and_cost);
  ADD ("/cli/run-prints-reports-and-costs", test_run_prints_reports_and_costs);
  ADD ("/cli/run-prints-json", test_run_prints_json);
  ADD ("/cli/run-that-fails", test_run_that_fails);
  ADD ("/cli/output-that-nobody-takes", test_output_that_nobody_takes);
  ADD ("/cli/signals-end-a-run-in-order", test_signals_end_a_run_in_order);
  ADD ("/cli/second-signal-kills", test_second_signal_kills);
  ADD ("/cli/traces-numbers-that-are-not-finite", test_traces_numerics);
  ADD ("/cli/refuses-what-will-not-fit-in-memory", test_refuses_what_will_not_fit);

  ADD ("/cli/status-of-running-and-killed-runs", test_status_of_running_and_killed_runs);
  ADD ("/cli/status-of-ended-runs", test_status_of_ended_runs);
  ADD ("/cli/progress-for-programs", test_progress_for_programs);
  ADD ("/cli/run-draws-programs", test_run_draws_programs);
  ADD ("/cli/record-that-does-not-fit", test_record_that_does_not_fit);
  ADD ("/cli/inspect-lists", test_inspect_lists);
  ADD ("/cli/inspect-tells-options-of-an-architecture", test_inspect_tells_options_of_an_architecture);
  ADD ("/cli/inspect-tells-all-of-a-stage", test_inspect_tells_all_of_a_stage);
  ADD ("/cli/graph-draws", test_graph_draws);
  return g_test_run ();
}
