/* Tests with one file in a folder of its own. */
#pragma once

#include <glib/gstdio.h>

typedef struct {
  char *directory, *path;
} OneFile;

static inline void
one_file_set_up (OneFile *fixture, gconstpointer data)
{
  fixture->directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->directory, "file", NULL);
}

static inline void
one_file_tear_down (OneFile *fixture, gconstpointer data)
{
  g_remove (fixture->path);
  g_assert_cmpint (g_rmdir (fixture->directory), ==, 0);
  g_free (fixture->path);
  g_free (fixture->directory);
}

/* Without lb_file_write()'s fsync, which thousands of files would wait for. */
static inline void
one_file_put (const OneFile *fixture, gconstpointer data, gsize length)
{
  FILE *file = g_fopen (fixture->path, "w");

  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (data, 1, length, file), ==, length);
  g_assert_cmpint (fclose (file), ==, 0);
}
