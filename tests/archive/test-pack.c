/* Packing: bytes that depend on names and contents alone, and files that are too many or do not stay as they were. */
#include <string.h>

#include "archive/member.h"
#include "archive/pack.h"
#include "base/error.h"
#include "one-file.h"

#define PACKED "outputs/text"

static GBytes *
write_pack (OneFile *fixture, LbPack *pack)
{
  GBytes *bytes = NULL;
  g_autoptr (GError) error = NULL;
  lb_pack_write (pack, fixture->path, &error);
  g_assert_no_error (error);
  g_assert_true (lb_file_read (fixture->path, 1 << 20, &bytes, NULL));
  return bytes;
}

static void
test_order_of_adding_does_not_count (OneFile *fixture, gconstpointer data)
{
  static const char *const names[] = { "run/log.txt", "outputs/a", "outputs/b" };
  g_autoptr (GBytes) first = NULL;
  for (guint turn = 0; turn < 3; turn++) {
    g_autoptr (LbPack) pack = lb_pack_new ();
    for (guint i = 0; i < 3; i++) {
      const char *name = names[(turn + i) % 3];
      g_assert_true (lb_pack_add_text (pack, name, name, NULL));
    }
    g_autoptr (GBytes) bytes = write_pack (fixture, pack);
    if (first == NULL)
      first = g_bytes_ref (bytes);
    g_assert_true (g_bytes_equal (bytes, first));
  }
}

static gboolean
make_numbers (gpointer data, LbByteSink sink, gpointer to, GError **error)
{
  guint *calls = data;
  g_autofree char *text = g_strdup_printf ("%u", (*calls)++);
  return sink (to, text, strlen (text), error);
}

/* A member whose bytes are others the second time is refused, however long it is then. */
static void
test_bytes_must_stay (OneFile *fixture, gconstpointer data)
{
  for (guint start = 7; start <= 9; start++) {
    guint *calls = g_new (guint, 1);
    *calls = start;
    g_autoptr (LbPack) pack = lb_pack_new ();
    g_autoptr (GError) error = NULL;
    g_assert_true (lb_pack_add (pack, PACKED, "a place", make_numbers, calls, g_free, NULL));
    g_assert_false (lb_pack_write (pack, fixture->path, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_cmpstr (error->message, ==,
                     "a place: changed while it was being packed; leave it alone until the archive is written");
    g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  }
}

static void
test_files_must_stay (OneFile *fixture, gconstpointer data)
{
  static const char *const later[] = { "longer than it was", "short", "other text" };
  g_autofree char *file = g_build_filename (fixture->directory, "packed", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (later); i++) {
    g_autoptr (LbPack) pack = lb_pack_new ();
    g_autoptr (GError) error = NULL;
    g_assert_true (g_file_set_contents (file, "first text", -1, NULL));
    g_assert_true (lb_pack_add_file (pack, PACKED, file, NULL, NULL));
    g_assert_true (g_file_set_contents (file, later[i], -1, NULL));
    g_assert_false (lb_pack_write (pack, fixture->path, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_true (g_str_has_prefix (error->message, file));
    g_assert_nonnull (strstr (error->message, "changed while it was being packed"));
    g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  }
  g_remove (file);
}

static void
test_too_many (OneFile *fixture, gconstpointer data)
{
  g_autoptr (LbPack) pack = lb_pack_new ();
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < LB_ARCHIVE_MOST_MEMBERS; i++) {
    g_autofree char *name = g_strdup_printf ("packets/stage/port/%u.npz", i);
    g_assert_true (lb_pack_add_text (pack, name, "", NULL));
  }
  g_assert_false (lb_pack_add_text (pack, "packets/stage/port/last.npz", "", &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_cmpstr (
      error->message, ==,
      "packets/stage/port/last.npz: is one file too many for an archive, which has at most 65535; leave out "
      "the packets (--with-store), or make a tar file of an input folder of many files");
}

static void
test_names (OneFile *fixture, gconstpointer data)
{
  static const struct {
    const char *name, *fault;
  } wrong[] = { { "outputs/../x", "has a part that leads out of its folder" },
                { "outputs/TEXT", "is there twice, but for capital letters perhaps" },
                { "outputs/text/more", "lies in what is a file" },
                { "elsewhere/x", "is none that an archive has" } };
  g_autoptr (LbPack) pack = lb_pack_new ();
  g_assert_true (lb_pack_add_text (pack, PACKED, "", NULL));
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *expected = g_strdup_printf ("%s: cannot be put into an archive: the name '%s' %s; rename it",
                                                 wrong[i].name, wrong[i].name, wrong[i].fault);
    g_assert_false (lb_pack_add_text (pack, wrong[i].name, "", &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_cmpstr (error->message, ==, expected);
  }
}

#define ADD(name, function) g_test_add ("/pack/" name, OneFile, NULL, one_file_set_up, function, one_file_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("order-of-adding-does-not-count", test_order_of_adding_does_not_count);
  ADD ("bytes-must-stay", test_bytes_must_stay);
  ADD ("files-must-stay", test_files_must_stay);
  ADD ("too-many", test_too_many);
  ADD ("names", test_names);
  return g_test_run ();
}
