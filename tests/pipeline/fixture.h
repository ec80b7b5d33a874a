/* What the tests of pipelines share: a scratch directory with schemas, a registry of the test stages, checks of texts.
 */
#pragma once

#include <ftw.h>
#include <glib/gstdio.h>

#include "pipeline/plan.h"
#include "stages.h"

typedef struct {
  char *directory;
  LbRegistry *registry;
} Fixture;

static inline void
write_text (const char *directory, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  g_autoptr (GError) error = NULL;
  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

static inline char *
read_text (const char *directory, const char *name)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  g_autoptr (GError) error = NULL;
  char *text = NULL;
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static inline gboolean
file_exists (const char *directory, const char *name)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static inline int
remove_entry (const char *path, const struct stat *status, int kind, struct FTW *walk)
{
  return g_remove (path);
}

static inline void
remove_tree (const char *directory)
{
  nftw (directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void
write_schemas (const char *directory)
{
  write_text (
      directory, "numbers.yaml",
      "schema: numbers\nversion: 1\ndoc: Numbers.\ndims:\n  n: numbers in a packet\nfields:\n  values: f64[n]\n");
  write_text (directory, "words.yaml", "schema: words\nversion: 1\ndoc: Words.\nfields:\n  text: text\n");
}

static inline void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  static const LbStageType *const types[] = { &counter_type, &doubler_type, &sum_type,    &pair_type,
                                              &speaker_type, &sleeper_type, &napper_type, &closer_type,
                                              &quitter_type };
  g_autoptr (GError) error = NULL;
  fixture->directory = g_dir_make_tmp ("limbeck-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *schemas = g_build_filename (fixture->directory, "schemas", NULL);
  g_mkdir (schemas, 0777);
  write_schemas (schemas);
  fixture->registry = lb_registry_new ();
  lb_schemas_load (lb_registry_schemas (fixture->registry), schemas, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    lb_registry_add_type (fixture->registry, types[i], &error);
    g_assert_no_error (error);
  }
}

static inline void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  lb_registry_free (fixture->registry);
  remove_tree (fixture->directory);
  g_free (fixture->directory);
}

static inline void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("expected \"%s\" in:\n%s", part, text);
}
