/* Memory: what the process takes, and sizes as people write them. */
#include "base/memory.h"

#include "base/account.h"

#include <ftw.h>
#include <glib/gstdio.h>
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

/* ---- Machines made of files ---- */

static void
write_file (const char *root, const char *path, const char *text)
{
  g_autofree char *whole = g_build_filename (root, path, NULL), *directory = g_path_get_dirname (whole);

  g_assert_cmpint (g_mkdir_with_parents (directory, 0777), ==, 0);
  g_assert_true (g_file_set_contents (whole, text, -1, NULL));
}

static int
remove_entry (const char *path, const struct stat *status, int kind, struct FTW *walk)
{
  return g_remove (path);
}

static void
test_available (void)
{
  g_autofree char *root = g_dir_make_tmp ("limbeck-XXXXXX", NULL);

  g_assert_cmpuint (lb_memory_available_under (root), ==, 0);
  write_file (root, "proc/meminfo", "MemTotal: 900000 kB\nMemAvailable:  800000 kB\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 800000 * 1024);

  /* Version 2: no limit, then one of a group around it, then a lesser one of its own. */
  write_file (root, "proc/self/cgroup", "0::/user/job\n");
  write_file (root, "sys/fs/cgroup/user/job/memory.max", "max\n");
  write_file (root, "sys/fs/cgroup/user/job/memory.current", "50000000\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 800000 * 1024);
  write_file (root, "sys/fs/cgroup/user/memory.max", "300000000\n");
  write_file (root, "sys/fs/cgroup/user/memory.current", "100000000\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 200000000);
  write_file (root, "sys/fs/cgroup/user/job/memory.max", "60000000\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 10000000);
  /* What the kernel keeps of files that were not used lately can be had. */
  write_file (root, "sys/fs/cgroup/user/job/memory.stat", "anon 1\ninactive_file 20000000\nactive_file 3\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 30000000);
  write_file (root, "sys/fs/cgroup/user/job/memory.current", "99000000\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 0);

  /* Version 1. */
  write_file (root, "proc/self/cgroup", "3:cpu,cpuacct:/a\n9:memory:/box\n0::/\n");
  write_file (root, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
  write_file (root, "sys/fs/cgroup/memory/box/memory.usage_in_bytes", "1000\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 800000 * 1024);
  write_file (root, "sys/fs/cgroup/memory/box/memory.limit_in_bytes", "5000\n");
  g_assert_cmpuint (lb_memory_available_under (root), ==, 4000);
  nftw (root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- Accounts ---- */

static gpointer
give_elsewhere (gpointer account)
{
  lb_account_give (account, 70);
  return NULL;
}

static void
test_accounts (void)
{
  LbAccount *account = lb_account_new ();

  g_assert_null (lb_account_take (5));
  lb_account_enter (account);
  LbAccount *first = lb_account_take (70), *second = lb_account_take (30);
  g_assert_cmpuint (lb_account_peak (account), ==, 100);
  g_thread_join (g_thread_new (NULL, give_elsewhere, first));
  LbAccount *third = lb_account_take (60);
  g_assert_cmpuint (lb_account_peak (account), ==, 100);
  LbAccount *fourth = lb_account_take (20);
  g_assert_cmpuint (lb_account_peak (account), ==, 110);
  lb_account_enter (NULL);
  g_assert_null (lb_account_take (500));
  /* What is counted keeps the account alive. */
  lb_account_unref (account);
  lb_account_give (second, 30);
  lb_account_give (third, 60);
  g_assert_cmpuint (lb_account_peak (fourth), ==, 110);
  lb_account_give (fourth, 20);
  lb_account_give (NULL, 9);
}

/* ---- Sizes ---- */

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
  g_test_add_func ("/memory/available-is-what-machine-and-groups-leave", test_available);
  g_test_add_func ("/memory/accounts", test_accounts);
  g_test_add_func ("/memory/sizes", test_sizes);
  return g_test_run ();
}
