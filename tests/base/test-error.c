/* Exit statuses and the nearest known name. */
#include "base/error.h"

#include <gio/gio.h>

static void
test_exit_status (void)
{
  g_autoptr (GError) ours = g_error_new_literal (LB_ERROR, LB_ERROR_INPUT, "");
  g_autoptr (GError) other = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "");

  g_assert_cmpint (lb_error_exit_status (NULL), ==, 0);
  g_assert_cmpint (lb_error_exit_status (ours), ==, 5);
  g_assert_cmpint (lb_error_exit_status (other), ==, 1);
}

static void
test_nearest (void)
{
  static const char *const known[] = { "images-per-class", "iterations", "learning-rate", "seed", "ipc", NULL };
  static const char *const none[] = { NULL };
  static const struct {
    const char *word, *nearest;
  } cases[] = {
    { "images-per-clas", "images-per-class" },
    { "image_per_class", "images-per-class" },
    { "Images-Per-Class", "images-per-class" },
    { "iteratoins", "iterations" },
    { "lerning-rate", "learning-rate" },
    { "sede", "seed" },
    { "icp", "ipc" },
    { "seed", "seed" },
    { "epochs", NULL },
    { "x", NULL },
    { "", NULL },
    { "rate", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpstr (lb_nearest_name (cases[i].word, known), ==, cases[i].nearest);
  g_assert_null (lb_nearest_name ("seed", none));
}

static void
test_first_of_equals (void)
{
  static const char *const known[] = { "label", "labex", "labeled", NULL };

  g_assert_true (lb_nearest_name ("labey", known) == known[0]);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/code-is-the-exit-status", test_exit_status);
  g_test_add_func ("/error/nearest-name-is-a-likely-typing-mistake", test_nearest);
  g_test_add_func ("/error/first-of-equally-near-names-wins", test_first_of_equals);
  return g_test_run ();
}
