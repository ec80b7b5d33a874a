/* Memory: what the process takes, and sizes as people write them. */
#include "base/memory.h"

#include <string.h>

#define BLOCK ((gsize)64 << 20)

static void
test_resident_and_peak (void)
{
  guint64 before = lb_memory_resident ();

  g_assert_cmpuint (before, >, 1 << 20);
  g_assert_cmpuint (lb_memory_available (), >, 0);
  if (!lb_memory_reset_peak ()) {
    g_test_skip ("the system does not let the peak be reset");
    return;
  }
  char *block = g_malloc (BLOCK);
  memset (block, 1, BLOCK);
  g_assert_cmpuint (lb_memory_resident (), >, before + BLOCK / 2);
  g_assert_cmpuint (lb_memory_peak (), >=, lb_memory_resident () - (1 << 20));
  g_free (block);
  g_assert_cmpuint (lb_memory_peak (), >, before + BLOCK / 2);
}

static void
test_sizes (void)
{
  static const struct {
    const char *text;
    guint64 bytes;
  } good[] = { { "1", 1 },
               { "800000000", 800000000 },
               { "512M", (guint64)512 << 20 },
               { "1.5G", (guint64)3 << 29 },
               { "2GiB", (guint64)2 << 30 },
               { "3k", 3072 },
               { "1T", (guint64)1 << 40 } };
  static const char *const bad[] = { "",   "much", "-1",  "0",     "G",    "1X",        "1GB", "1 G",
                                     "1e", "nan",  "0.1", "1GiBs", "0x10", "99999999T", " 1G", "1MM" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++) {
    guint64 bytes = 0;
    g_assert_true (lb_memory_parse (good[i].text, &bytes));
    g_assert_cmpuint (bytes, ==, good[i].bytes);
  }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    guint64 bytes = 7;
    if (lb_memory_parse (bad[i], &bytes))
      g_error ("'%s' was taken as %" G_GUINT64_FORMAT, bad[i], bytes);
    g_assert_cmpuint (bytes, ==, 7);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory/resident-and-peak-follow-what-is-taken", test_resident_and_peak);
  g_test_add_func ("/memory/sizes", test_sizes);
  return g_test_run ();
}
