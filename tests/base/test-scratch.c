/* Scratch files: what was written is read, and nothing of them is left. */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/scratch.h"

#define RECORD 10000

static void
fill (guint8 *record, guint8 value)
{
  for (guint i = 0; i < RECORD; i++)
    record[i] = (guint8)(value + i);
}

static void
test_records_come_back (void)
{
  g_autofree char *parent = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_autofree char *directory = g_build_filename (parent, "made", NULL);
  g_autoptr (GError) error = NULL;
  LbScratch *scratch = lb_scratch_new (directory, RECORD, &error);
  guint8 written[RECORD], found[RECORD];
  static const guint order[] = { 5, 0, 2, 5 };

  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (order); i++) {
    fill (written, (guint8)(order[i] + 10 * i));
    g_assert_true (lb_scratch_write (scratch, order[i], written, &error));
  }
  for (guint i = 1; i < G_N_ELEMENTS (order); i++) {
    fill (written, (guint8)(order[i] + 10 * i));
    g_assert_true (lb_scratch_read (scratch, order[i], found, &error));
    g_assert_cmpmem (found, RECORD, written, RECORD);
  }
  lb_scratch_free (scratch);
  /* The directory is empty. */
  g_assert_cmpint (g_rmdir (directory), ==, 0);
  g_assert_cmpint (g_rmdir (parent), ==, 0);
}

static void
test_what_is_behind_the_end_is_an_error (void)
{
  g_autofree char *directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbScratch) scratch = lb_scratch_new (directory, RECORD, &error);
  guint8 found[RECORD];

  g_assert_no_error (error);
  g_assert_false (lb_scratch_read (scratch, 3, found, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  g_assert_nonnull (strstr (error->message, directory));
  g_assert_cmpint (g_rmdir (directory), ==, 0);
}

static void
test_a_file_in_the_way_is_named (void)
{
  g_autofree char *directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (directory, "file", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_assert_null (lb_scratch_new (file, RECORD, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_OUTPUT);
  g_assert_nonnull (strstr (error->message, file));
  g_unlink (file);
  g_rmdir (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/scratch/records-come-back", test_records_come_back);
  g_test_add_func ("/scratch/what-is-behind-the-end-is-an-error", test_what_is_behind_the_end_is_an_error);
  g_test_add_func ("/scratch/a-file-in-the-way-is-named", test_a_file_in_the_way_is_named);
  return g_test_run ();
}
