/* The registry: plugins that load, and one sentence for each way of not loading; tables that contradict themselves. */
#include <elf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "nn/network.h"
#include "plugin/registry.h"

typedef struct {
  char *directory;
  LbRegistry *registry;
} Fixture;

static void
load_schemas (LbRegistry *registry)
{
  g_autoptr (GError) error = NULL;

  lb_schemas_load (lb_registry_schemas (registry), g_getenv ("LIMBECK_SCHEMA_PATH"), &error);
  g_assert_no_error (error);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->directory = g_dir_make_tmp ("limbeck-registry-XXXXXX", NULL);
  fixture->registry = lb_registry_new ();
  load_schemas (fixture->registry);
}

static void
remove_tree (const char *path)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK)) {
    g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
    for (const char *name; (name = g_dir_read_name (dir)) != NULL;) {
      g_autofree char *inner = g_build_filename (path, name, NULL);
      remove_tree (inner);
    }
  }
  g_remove (path);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  remove_tree (fixture->directory);
  g_free (fixture->directory);
  lb_registry_free (fixture->registry);
}

/* The bytes of the plugin that was built as toy-@name. */
static char *
read_toy (const char *name, gsize *length)
{
  g_autofree char *file = g_strdup_printf ("toy-%s.so", name);
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "plugin", file, NULL);
  g_autoptr (GError) error = NULL;
  char *bytes = NULL;

  g_file_get_contents (path, &bytes, length, &error);
  g_assert_no_error (error);
  return bytes;
}

static char *
write_file (Fixture *fixture, const char *name, const char *bytes, gsize length)
{
  char *path = g_build_filename (fixture->directory, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, bytes, (gssize)length, &error);
  g_assert_no_error (error);
  return path;
}

/* Copies toy-@toy to @name in the test's directory. */
static char *
install (Fixture *fixture, const char *toy, const char *name)
{
  gsize length = 0;
  g_autofree char *bytes = read_toy (toy, &length);

  return write_file (fixture, name, bytes, length);
}

/* Loading fails with "plugin 'PATH' " and @part, and adds nothing. */
static void
assert_refused (Fixture *fixture, const char *path, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *start = g_strdup_printf ("plugin '%s'", path);

  g_assert_false (lb_registry_load (fixture->registry, path, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
  if (!g_str_has_prefix (error->message, start) || strstr (error->message, part) == NULL)
    g_error ("expected '%s ... %s', found '%s'", start, part, error->message);
  g_autofree const char **names = lb_registry_names (fixture->registry);
  g_assert_null (names[0]);
}

/* ---- Plugins ---- */

static void
test_loads_plugin (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = install (fixture, "good", "good.so");
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_registry_load (fixture->registry, path, &error));
  g_assert_no_error (error);
  const LbStageEntry *entry = lb_registry_find (fixture->registry, "toy");
  g_assert_nonnull (entry);
  g_assert_cmpstr (entry->path, ==, path);
  g_assert_cmpstr (entry->plugin->version, ==, "1.0");
  g_assert_cmpstr (entry->type->summary, ==, "Does nothing");
  g_assert_null (lb_registry_find (fixture->registry, "toys"));
  /* Once more is no second stage. */
  g_assert_true (lb_registry_load (fixture->registry, path, &error));
}

/* Descriptors that end where those of interfaces 1.0 and 1.1 ended. */
static void
test_loads_plugins_of_older_interfaces (Fixture *fixture, gconstpointer data)
{
  for (const char *const *name = (const char *const[]){ "oldest", "older", NULL }; *name != NULL; name++) {
    g_autofree char *file = g_strconcat (*name, ".so", NULL), *path = install (fixture, *name, file);
    g_autoptr (GError) error = NULL;

    g_assert_true (lb_registry_load (fixture->registry, path, &error));
    g_assert_no_error (error);
    const LbStageEntry *entry = lb_registry_find (fixture->registry, *name);
    g_assert_nonnull (entry);
    g_assert_null (lb_plugin_source (entry->plugin));
  }
}

/* What a plugin brings beside stage types is known to every stage after loading; loading it anew changes nothing. */
static void
test_loads_architectures (Fixture *fixture, gconstpointer data)
{
  const LbImageSize size = { 3, 32, 32 };
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "plugin", "network.so", NULL);
  g_autoptr (LbRegistry) second = lb_registry_new ();
  g_autoptr (GError) error = NULL;

  g_assert_null (lb_network_new ("two-layers:width=4", size, 10, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PIPELINE);
  g_clear_error (&error);
  g_assert_true (lb_registry_load (fixture->registry, path, &error));
  g_assert_no_error (error);
  load_schemas (second);
  g_assert_true (lb_registry_load (second, path, &error));
  g_assert_no_error (error);

  g_autoptr (LbNetwork) network = lb_network_new ("two-layers:activation=relu:width=4", size, 10, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (lb_network_architecture (network), ==, "two-layers:width=4:activation=relu");
  g_assert_cmpint (lb_network_n_trained (network), ==, 4 * 27 + 4 + 8 + 4 * 10 + 10);
  g_assert_cmpint (lb_network_n_parameters (network), ==, lb_network_n_trained (network) + 8);
  g_assert_true (lb_network_has_dropout (network));
}

static void
test_refuses_architectures_of_a_known_name (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "plugin", "network-taken.so", NULL);

  assert_refused (fixture, path, "is known already from 'built-in'; keep one of the two on the plugin path");
}

static void
test_scans_in_name_order (Fixture *fixture, gconstpointer data)
{
  g_autofree char *good = install (fixture, "good", "b/good.so"), *other = install (fixture, "other", "a/other.so");
  g_autofree char *text = write_file (fixture, "c.so", "hello", 5), *data_file = write_file (fixture, "d.txt", "x", 1);
  g_autofree char *magic = install (fixture, "magic", "a/zebra.so");
  g_autofree char *loop = g_build_filename (fixture->directory, "a", "loop", NULL);
  g_autofree char *again = g_build_filename (fixture->directory, "z.so", NULL);

  g_assert_cmpint (symlink ("..", loop), ==, 0);
  g_assert_cmpint (symlink ("b/good.so", again), ==, 0);
  lb_registry_scan (fixture->registry, fixture->directory);

  g_autofree const char **names = lb_registry_names (fixture->registry);
  g_assert_cmpstr (names[0], ==, "other");
  g_assert_cmpstr (names[1], ==, "toy");
  g_assert_null (names[2]);
  GPtrArray *problems = lb_registry_problems (fixture->registry);
  g_assert_cmpuint (problems->len, ==, 2);
  g_assert_nonnull (strstr (problems->pdata[0], "a/zebra.so'"));
  g_assert_nonnull (strstr (problems->pdata[1], "c.so' is not a shared object"));
}

static void
test_skips_missing_directory (Fixture *fixture, gconstpointer data)
{
  lb_registry_scan (fixture->registry, "/nonexistent/plugins");
  g_assert_cmpuint (lb_registry_problems (fixture->registry)->len, ==, 0);
}

static void
test_refuses_second_of_a_name (Fixture *fixture, gconstpointer data)
{
  g_autofree char *good = install (fixture, "good", "good.so"), *twin = install (fixture, "twin", "twin.so");

  lb_registry_scan (fixture->registry, fixture->directory);
  GPtrArray *problems = lb_registry_problems (fixture->registry);
  g_autofree char *expected
      = g_strdup_printf ("stage type 'toy' of '%s' is known already from '%s'; keep one of the two on "
                         "the plugin path",
                         twin, good);
  g_assert_cmpuint (problems->len, ==, 1);
  g_assert_cmpstr (problems->pdata[0], ==, expected);
}

static void
test_refuses_wrong_descriptors (Fixture *fixture, gconstpointer data)
{
  static const char *const cases[][2] = {
    { "magic", "magic 0x12345678, expected 0x4c696d62" },
    { "newer-minor", "was built for plugin interface 1.7, but this limbeck (" LB_VERSION ") has interface 1.2; update "
                     "limbeck, or build the plugin against this limbeck" },
    { "newer-major",
      "was built for plugin interface 9.2, but this limbeck (" LB_VERSION ") has interface 1.2; update" },
    { "older-major",
      "was built for plugin interface 0.2, but this limbeck (" LB_VERSION ") has interface 1.2; take a newer "
      "release of the plugin" },
    { "size", "has a descriptor of 4 bytes where interface 1.2 has" },
    { "nameless", "has no name in its descriptor" },
    { "stageless", "has no stage types" },
    { "repeats", "stage type 'toy' is in its descriptor twice" },
    { "table", "stage type 'toy': the default of property 'count' is 'many'; expected a whole number from 1 to 10" },
    { "unexported", "does not export 'limbeck_plugin'" },
    { "symbol", "needs the symbol 'limbeck_test_symbol_that_nobody_has', which neither limbeck " LB_VERSION
                " nor the plugin's libraries have; build it again" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strconcat (cases[i][0], ".so", NULL);
    g_autofree char *path = install (fixture, cases[i][0], name);
    assert_refused (fixture, path, cases[i][1]);
  }
}

static void
test_refuses_what_is_no_object (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = write_file (fixture, "text.so", "#!/bin/sh\n", 10),
                  *empty = write_file (fixture, "empty.so", "", 0);
  g_autofree char *directory = g_build_filename (fixture->directory, "directory.so", NULL);
  g_autofree char *pipe_path = g_build_filename (fixture->directory, "pipe.so", NULL);

  assert_refused (fixture, text,
                  "is not a shared object (no ELF header); remove it from the plugin path or build it again");
  assert_refused (fixture, empty, "is not a shared object");
  assert_refused (fixture, "/nonexistent/x.so", "cannot be opened: No such file or directory");
  g_assert_cmpint (g_mkdir (directory, 0700), ==, 0);
  assert_refused (fixture, directory, "is not a file; remove it from the plugin path");
  g_assert_cmpint (mkfifo (pipe_path, 0600), ==, 0);
  assert_refused (fixture, pipe_path, "is not a file; remove it from the plugin path");
}

static void
test_refuses_other_machines (Fixture *fixture, gconstpointer data)
{
  gsize length = 0;
  g_autofree char *bytes = read_toy ("good", &length);
  Elf64_Ehdr *header = (Elf64_Ehdr *)bytes;
  guint machine = header->e_machine;

  header->e_machine = machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
  g_autofree char *other = write_file (fixture, "other.so", bytes, length);
  assert_refused (fixture, other, "was built for another kind of processor (ELF machine");
  header->e_machine = machine;
  header->e_ident[EI_CLASS] = ELFCLASS32;
  g_autofree char *narrow = write_file (fixture, "narrow.so", bytes, length);
  assert_refused (fixture, narrow, "was built for another word size (ELF class 1, this limbeck has 2)");
  header->e_ident[EI_CLASS] = ELFCLASS64;
  header->e_type = ET_REL;
  g_autofree char *object = write_file (fixture, "object.so", bytes, length);
  assert_refused (fixture, object, "is an ELF file but not a shared object");
}

static void
test_refuses_missing_library (Fixture *fixture, gconstpointer data)
{
  gsize length = 0;
  g_autofree char *bytes = read_toy ("good", &length);
  static const char needed[] = "liblimbeck.so.0";
  char *place = memmem (bytes, length, needed, sizeof needed);

  g_assert_nonnull (place);
  place[sizeof needed - 2] = '9';
  g_autofree char *path = write_file (fixture, "lonely.so", bytes, length);
  assert_refused (fixture, path, "needs the library 'liblimbeck.so.9', which is not installed; install it");
}

/* A copy that was cut off is refused or, where only tables for debuggers are lost, loads; it never crashes. */
static void
test_survives_truncation (Fixture *fixture, gconstpointer data)
{
  gsize length = 0;
  g_autofree char *bytes = read_toy ("other", &length);
  guint refused = 0;

  for (gsize kept = 0; kept < length; kept += kept < 128 ? 7 : 311) {
    g_autoptr (LbRegistry) registry = lb_registry_new ();
    g_autoptr (GError) error = NULL;
    g_autofree char *name = g_strdup_printf ("cut-%u.so", (guint)kept);
    g_autofree char *path = write_file (fixture, name, bytes, kept);
    if (lb_registry_load (registry, path, &error))
      continue;
    refused++;
    g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
    g_assert_nonnull (strstr (error->message, path));
  }
  g_assert_cmpuint (refused, >, 20);
}

static void
test_finds_standard_places (Fixture *fixture, gconstpointer data)
{
  g_autofree char *good = install (fixture, "good", "good.so");
  g_autofree char *path = g_strconcat ("/nonexistent/plugins:", fixture->directory, "::", NULL);
  g_autofree char *schemas = g_strdup (g_getenv ("LIMBECK_SCHEMA_PATH")),
                  *plugins = g_strdup (g_getenv ("LIMBECK_PLUGIN_PATH"));

  g_setenv ("LIMBECK_PLUGIN_PATH", path, TRUE);
  g_autoptr (LbRegistry) registry = lb_registry_new_default ();
  g_assert_nonnull (lb_schemas_find (lb_registry_schemas (registry), "samples"));
  g_assert_nonnull (lb_registry_find (registry, "toy"));
  const char *first = lb_registry_problems (registry)->pdata[0];
  g_assert_cmpstr (first, ==,
                   "LIMBECK_PLUGIN_PATH names '/nonexistent/plugins', which is not a directory; correct the variable");
  g_setenv ("LIMBECK_PLUGIN_PATH", plugins != NULL ? plugins : "", TRUE);
  g_setenv ("LIMBECK_SCHEMA_PATH", schemas, TRUE);
}

static void
test_reports_broken_schemas (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = write_file (fixture, "x.yaml", "schema: x\nversion: none\ndoc: X.\nfields: {a: f32}\n", -1);
  g_autofree char *schemas = g_strdup (g_getenv ("LIMBECK_SCHEMA_PATH"));

  g_setenv ("LIMBECK_SCHEMA_PATH", fixture->directory, TRUE);
  g_autoptr (LbRegistry) registry = lb_registry_new_default ();
  const char *first = lb_registry_problems (registry)->pdata[0];
  g_assert_true (g_str_has_prefix (first, file));
  g_assert_nonnull (strstr (first, "x.yaml:2:10: version must be"));
  g_setenv ("LIMBECK_SCHEMA_PATH", schemas, TRUE);
}

/* ---- Tables ---- */

static gboolean
do_nothing (LbStage *stage, gpointer self, GError **error)
{
  return TRUE;
}

typedef struct {
  gint64 count;
  char *mode;
} Toy;

static const char *const modes[] = { "a", "b", NULL }, *const no_modes[] = { NULL };

#define TYPE(...)                                                                                                      \
  {                                                                                                                    \
    .name = "toy", .summary = "A toy", .run = do_nothing, .instance_size = sizeof (Toy), __VA_ARGS__                   \
  }
#define INPUTS(...)                                                                                                    \
  .inputs = (const LbPort[])                                                                                           \
  {                                                                                                                    \
    __VA_ARGS__, LB_PORTS_END                                                                                          \
  }
#define OUTPUTS(...)                                                                                                   \
  .outputs = (const LbPort[])                                                                                          \
  {                                                                                                                    \
    __VA_ARGS__, LB_PORTS_END                                                                                          \
  }
#define PROPERTIES(...)                                                                                                \
  .properties = (const LbProperty[])                                                                                   \
  {                                                                                                                    \
    __VA_ARGS__, LB_PROPERTIES_END                                                                                     \
  }
#define COUNT(name, fallback, low, high) LB_INTEGER (Toy, count, name, fallback, low, high, NULL, "count")

static void
test_refuses_contradicting_tables (Fixture *fixture, gconstpointer data)
{
  const struct {
    LbStageType type;
    const char *part;
  } cases[] = {
    { { .name = NULL }, "a stage type has no name" },
    { { .name = "My Toy", .summary = "x", .run = do_nothing }, "'My Toy' is not named in small letters" },
    { { .name = "toy", .run = do_nothing }, "stage type 'toy': it has no summary; correct the plugin's table" },
    { { .name = "toy", .summary = "x" }, "it has no run function" },
    { TYPE (INPUTS ({ "in", "smaples", NULL, 0, "x" })),
      "is of schema 'smaples', which is not installed; install smaples.yaml with the plugin or correct its table; did you "
      "mean 'samples'?" },
    { TYPE (INPUTS ({ "in", "samples", NULL, 0, NULL })), "input 'in' has no doc" },
    { TYPE (INPUTS ({ "in", NULL, NULL, 0, "x" })), "input 'in' names no schema" },
    { TYPE (INPUTS ({ "In", "samples", NULL, 0, "x" })), "input 'In' is not named in small letters" },
    { TYPE (INPUTS ({ "in", "samples", NULL, 0, "x" }, { "in", "samples", NULL, 0, "x" })),
      "'in' stands in the table twice" },
    { TYPE (INPUTS ({ "in", "samples", NULL, 8, "x" })), "has flags 0x8" },
    { TYPE (OUTPUTS ({ "out", "samples", NULL, LB_PORT_MANY, "x" })),
      "output 'out' has flags 0x2, of which 0x4 are allowed" },
    { TYPE (OUTPUTS ({ "out", "samples", "n k", 0, "x" })), "schema 'samples' has no dimension 'k'" },
    { TYPE (OUTPUTS ({ "out", "samples", "n c n=2", 0, "x" })), "which names 'n' twice" },
    { TYPE (OUTPUTS ({ "out", "samples", "n=", 0, "x" })), "'n=' is neither SYMBOL, SYMBOL=SYMBOL nor SYMBOL=NUMBER" },
    { TYPE (OUTPUTS ({ "out", "samples", "n=-1", 0, "x" })), "'n=-1' is neither" },
    { TYPE (OUTPUTS ({ "out", "samples", "n=2x", 0, "x" })), "'n=2x' is neither" },
    { TYPE (OUTPUTS ({ "out", "samples", "n=m=k", 0, "x" })), "'n=m=k' is neither" },
    { TYPE (OUTPUTS ({ "out", "samples", "n,c", 0, "x" })), "no dimension 'n,c'" },
    { TYPE (PROPERTIES (COUNT ("a_b", "1", 0, 0))), "property 'a_b' is not named in small letters" },
    { TYPE (PROPERTIES (COUNT ("count", "one", 0, 0))), "the default of property 'count' is 'one'" },
    { TYPE (PROPERTIES (COUNT ("count", "5", 6, 9))), "the default of property 'count' is '5'" },
    { TYPE (PROPERTIES (COUNT ("count", "5", 9, 6))), "has a range whose minimum is not below its maximum" },
    { TYPE (PROPERTIES (COUNT ("count", "5", 0, 0), LB_STRING (Toy, mode, "count", "", "x"))),
      "'count' stands in the table twice" },
    { TYPE (PROPERTIES (COUNT ("count", "5", 0, 0), LB_STRING (Toy, count, "mode", "", "x"))),
      "properties 'count' and 'mode' lie in the same place" },
    { { .name = "toy", .summary = "x", .run = do_nothing, .instance_size = 4, PROPERTIES (COUNT ("count", "5", 0, 0)) },
      "does not lie in a struct of 4 bytes" },
    { TYPE (PROPERTIES (LB_CHOICE (Toy, mode, "mode", "c", modes, "x"))), "the default of property 'mode' is 'c'" },
    { TYPE (PROPERTIES (LB_CHOICE (Toy, mode, "mode", "a", no_modes, "x"))), "is a choice of nothing" },
    { TYPE (PROPERTIES (LB_CHOICE (Toy, mode, "mode", "a", NULL, "x"))), "is a choice of nothing" },
    { TYPE (PROPERTIES (LB_STRING (Toy, mode, "mode", "a", NULL))), "property 'mode' has no doc" },
    { TYPE (PROPERTIES (LB_PATH (Toy, mode, "mode", "data/x", "x"))), "has the relative path 'data/x' as its default" },
    { TYPE (PROPERTIES ({ .name = "mode", .kind = 77, .doc = "x" })), "is of the unknown kind 77" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    if (lb_registry_add_type (fixture->registry, &cases[i].type, &error))
      g_error ("'%s' was not refused", cases[i].part);
    g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
    if (strstr (error->message, cases[i].part) == NULL)
      g_error ("expected '%s' in '%s'", cases[i].part, error->message);
  }
}

static void
test_adds_linked_type (Fixture *fixture, gconstpointer data)
{
  const LbStageType type = TYPE (INPUTS ({ "in", "samples", " n  c=3 h=rows", LB_PORT_MANY, "x" }),
                                 PROPERTIES (LB_CHOICE (Toy, mode, "mode", "b", modes, "x")));
  g_autoptr (GError) error = NULL;

  g_assert_true (lb_registry_add_type (fixture->registry, &type, &error));
  g_assert_no_error (error);
  g_assert_true (lb_registry_find (fixture->registry, "toy")->type == &type);
  g_assert_cmpstr (lb_registry_find (fixture->registry, "toy")->plugin->name, ==, "built-in");
  g_assert_false (lb_registry_add_type (fixture->registry, &type, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_PLUGIN);
}

int
main (int argc, char **argv)
{
  g_autofree char *home = g_dir_make_tmp ("limbeck-home-XXXXXX", NULL);

  /* Nothing that the developer has installed may take part. */
  g_setenv ("HOME", home, TRUE);
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/registry/loads-a-plugin", test_loads_plugin);
  ADD ("/registry/loads-plugins-of-older-interfaces", test_loads_plugins_of_older_interfaces);
  ADD ("/registry/loads-architectures", test_loads_architectures);
  ADD ("/registry/refuses-architectures-of-a-known-name", test_refuses_architectures_of_a_known_name);
  ADD ("/registry/scans-directories-in-name-order", test_scans_in_name_order);
  ADD ("/registry/skips-a-missing-directory", test_skips_missing_directory);
  ADD ("/registry/refuses-a-second-stage-of-a-name", test_refuses_second_of_a_name);
  ADD ("/registry/refuses-wrong-descriptors", test_refuses_wrong_descriptors);
  ADD ("/registry/refuses-what-is-no-shared-object", test_refuses_what_is_no_object);
  ADD ("/registry/refuses-objects-of-other-machines", test_refuses_other_machines);
  ADD ("/registry/refuses-a-missing-library", test_refuses_missing_library);
  ADD ("/registry/survives-truncated-objects", test_survives_truncation);
  ADD ("/registry/finds-the-standard-places", test_finds_standard_places);
  ADD ("/registry/reports-broken-schemas", test_reports_broken_schemas);
  ADD ("/registry/refuses-tables-that-contradict-themselves", test_refuses_contradicting_tables);
  ADD ("/registry/adds-a-linked-type", test_adds_linked_type);
  int status = g_test_run ();
  g_rmdir (home);
  return status;
}
