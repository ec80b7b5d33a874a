/* Every file of the corpus goes through its target, in every build, also without libFuzzer; so does each with one of
 * its bytes changed, and each cut short.
 */
#include "fuzz/targets.h"

#include <string.h>

/* Changed and cut copies of each file. */
#define COPIES 24

static void
run_copies (const FuzzTarget *target, const guint8 *data, gsize length)
{
  g_autofree guint8 *copy = g_memdup2 (data, length);
  for (guint i = 0; i < COPIES && length > 0; i++) {
    gsize at = length * i / COPIES;
    target->run (copy, at);
    copy[at] ^= (guint8)(1 << (i % 8));
    target->run (copy, length);
    copy[at] = data[at];
  }
}

static void
test_replay (gconstpointer data)
{
  const FuzzTarget *target = data;
  g_autofree char *folder = g_test_build_filename (G_TEST_DIST, "fuzz", "corpus", target->name, NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;
  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL), *text = NULL;
    gsize length;
    g_assert_true (g_file_get_contents (path, &text, &length, NULL));
    target->run ((const guint8 *)text, length);
    run_copies (target, (const guint8 *)text, length);
    n++;
  }
  g_assert_cmpuint (n, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (const FuzzTarget *target = fuzz_targets; target->name != NULL; target++) {
    g_autofree char *path = g_strconcat ("/fuzz/replay/", target->name, NULL);
    g_test_add_data_func (path, target, test_replay);
  }
  return g_test_run ();
}
