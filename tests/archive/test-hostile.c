/* Archives that somebody has changed or made up: each is refused with a sentence that names what is wrong, nothing is
 * written outside the folder that members are unpacked to, and memory stays bounded.
 */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include <glib/gstdio.h>

#include "archive/reader.h"
#include "base/error.h"
#include "base/memory.h"
#include "pipeline/store.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#  define SANITIZED 1
#else
#  define SANITIZED 0
#endif

typedef struct {
  char *name;
  guint type;   /* AE_IFREG and the like */
  char *target; /* of a link, or NULL */
  gboolean is_hard;
  guint8 *data;
  gsize length;
  guint64 declared; /* 0: as long as it is */
} Member;

typedef struct {
  char *root;      /* of all that the test writes */
  GArray *members; /* of the committed archive */
} Fixture;

static void
member_clear (gpointer data)
{
  Member *member = data;
  g_free (member->name);
  g_free (member->target);
  g_free (member->data);
}

static GArray *
members_new (void)
{
  GArray *members = g_array_new (FALSE, TRUE, sizeof (Member));
  g_array_set_clear_func (members, member_clear);
  return members;
}

static void
add (GArray *members, const char *name, gconstpointer data, gsize length)
{
  Member member = { .name = g_strdup (name), .type = AE_IFREG, .data = g_memdup2 (data, length), .length = length };
  g_array_append_val (members, member);
}

static GArray *
copy (const GArray *members)
{
  GArray *copies = members_new ();
  for (guint i = 0; i < members->len; i++) {
    const Member *member = &g_array_index (members, Member, i);
    add (copies, member->name, member->data, member->length);
  }
  return copies;
}

static Member *
find (GArray *members, const char *name)
{
  for (guint i = 0; i < members->len; i++)
    if (strcmp (g_array_index (members, Member, i).name, name) == 0)
      return &g_array_index (members, Member, i);
  g_assert_not_reached ();
}

static int
compare_members (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Member *)a)->name, ((const Member *)b)->name);
}

/* Puts members in order, and the list of digests that fits in front. */
static void
renew_sums (GArray *members)
{
  g_autoptr (GString) sums = g_string_new (NULL);
  for (guint i = members->len; i-- > 0;)
    if (strcmp (g_array_index (members, Member, i).name, "SHA256SUMS") == 0)
      g_array_remove_index (members, i);
  g_array_sort (members, compare_members);
  for (guint i = 0; i < members->len; i++) {
    const Member *member = &g_array_index (members, Member, i);
    char digest[LB_DIGEST_SIZE];
    lb_sha256_of (member->data, member->length, digest);
    g_string_append_printf (sums, "%s  %s\n", digest, member->name);
  }
  add (members, "SHA256SUMS", sums->str, sums->len);
  g_array_sort (members, compare_members);
}

static char *
committed (void)
{
  return g_test_build_filename (G_TEST_DIST, "archive", "small.tar.zst", NULL);
}

static void
read_committed (GArray *members)
{
  g_autofree char *path = committed ();
  struct archive *archive = archive_read_new ();
  struct archive_entry *entry;
  archive_read_support_filter_zstd (archive);
  archive_read_support_format_tar (archive);
  g_assert_cmpint (archive_read_open_filename (archive, path, 65536), ==, ARCHIVE_OK);
  while (archive_read_next_header (archive, &entry) == ARCHIVE_OK) {
    gsize length = (gsize)archive_entry_size (entry);
    g_autofree guint8 *data = g_malloc (length + 1);
    g_assert_cmpint (archive_read_data (archive, data, length), ==, (gssize)length);
    add (members, archive_entry_pathname (entry), data, length);
  }
  archive_read_free (archive);
}

static void
fixture_set_up (Fixture *fixture, gconstpointer data)
{
  fixture->root = g_dir_make_tmp ("limbeck-hostile-XXXXXX", NULL);
  fixture->members = members_new ();
  read_committed (fixture->members);
}

static void
fixture_tear_down (Fixture *fixture, gconstpointer data)
{
  lb_store_remove_tree (fixture->root);
  g_array_unref (fixture->members);
  g_free (fixture->root);
}

/* ---- Writing and reading ---- */

static char *
write_members (const Fixture *fixture, const GArray *members, gboolean packed)
{
  char *path = g_build_filename (fixture->root, "hostile.tar", NULL);
  struct archive *archive = archive_write_new ();
  archive_write_set_format_pax_restricted (archive);
  if (packed)
    archive_write_add_filter_zstd (archive);
  g_assert_cmpint (archive_write_open_filename (archive, path), ==, ARCHIVE_OK);
  for (guint i = 0; i < members->len; i++) {
    const Member *member = &g_array_index (members, Member, i);
    struct archive_entry *entry = archive_entry_new ();
    archive_entry_set_pathname (entry, member->name);
    archive_entry_set_filetype (entry, member->type);
    archive_entry_set_perm (entry, 0644);
    archive_entry_set_size (entry, (gint64)MAX (member->length, member->declared));
    if (member->target != NULL && member->is_hard)
      archive_entry_set_hardlink (entry, member->target);
    else if (member->target != NULL)
      archive_entry_set_symlink (entry, member->target);
    /* Names that are not ASCII are a warning in the C locale. */
    g_assert_cmpint (archive_write_header (archive, entry), >=, ARCHIVE_WARN);
    archive_write_data (archive, member->data, member->length);
    archive_entry_free (entry);
    /* One that declares more than it has is the last: nothing behind it, nor what would be filled up. */
    if (member->declared > 0)
      break;
  }
  if (members->len > 0 && g_array_index (members, Member, members->len - 1).declared > 0)
    archive_write_fail (archive);
  archive_write_free (archive);
  return path;
}

/* Reads @path, unpacking into a folder of its own, and sees that nothing came to lie beside it. */
static LbArchive *
read_inside (const Fixture *fixture, const char *path, GError **error)
{
  g_autofree char *cage = g_build_filename (fixture->root, "cage", NULL), *folder = g_build_filename (cage, "in", NULL);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  LbArchive *archive = lb_archive_read (path, folder, NULL, error);
  g_autoptr (GDir) dir = g_dir_open (cage, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "in");
  g_assert_null (g_dir_read_name (dir));
  lb_store_remove_tree (cage);
  return archive;
}

/* That @path is refused with a sentence that holds all of @words, NULL-terminated. */
static void
assert_refused (const Fixture *fixture, const char *path, const char *const *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbArchive) archive = read_inside (fixture, path, &error);
  g_assert_null (archive);
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_true (g_str_has_prefix (error->message, path));
  for (guint i = 0; words[i] != NULL; i++)
    if (strstr (error->message, words[i]) == NULL)
      g_error ("expected '%s' in '%s'", words[i], error->message);
}

static void
assert_members_refused (const Fixture *fixture, const GArray *members, const char *name, const char *what)
{
  g_autofree char *path = write_members (fixture, members, FALSE);
  assert_refused (fixture, path, (const char *const[]){ name, what, NULL });
}

/* ---- Tests ---- */

static void
test_committed_is_good (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *plain = write_members (fixture, fixture->members, FALSE), *packed = committed ();
  for (guint i = 0; i < 2; i++) {
    g_autoptr (LbArchive) archive = read_inside (fixture, i == 0 ? plain : packed, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (archive->members->len, ==, fixture->members->len);
    g_assert_cmpuint (archive->manifest->stages->len, ==, 13);
  }
}

/* Any one bit of any member. */
static void
test_every_byte_counts (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);
  for (guint i = 0; i < (SANITIZED ? 40 : 250); i++) {
    g_autoptr (GArray) members = copy (fixture->members);
    Member *member = &g_array_index (members, Member, (guint)g_rand_int_range (rand, 0, (gint32)members->len));
    gsize at = (gsize)g_rand_int_range (rand, 0, (gint32)member->length);
    member->data[at] ^= (guint8)(1 << g_rand_int_range (rand, 0, 8));
    /* A name in the list of digests that was changed is told as the member that is not listed or not there. */
    gboolean is_list = strcmp (member->name, "SHA256SUMS") == 0;
    g_autofree char *path = write_members (fixture, members, FALSE);
    g_autoptr (GError) error = NULL;
    g_autoptr (LbArchive) archive = lb_archive_read (path, NULL, NULL, &error);
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_nonnull (strstr (error->message, is_list ? "SHA256SUMS" : member->name));
  }
}

static void
test_cut_short (Fixture *fixture, gconstpointer data)
{
  g_autofree char *plain = write_members (fixture, fixture->members, FALSE), *packed = committed ();
  const char *const paths[] = { plain, packed };
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_autofree char *text = NULL, *cut = g_build_filename (fixture->root, "cut.tar", NULL);
    gsize length;
    g_assert_true (g_file_get_contents (paths[i], &text, &length, NULL));
    for (gsize at = 0; at < length - 10240; at += SANITIZED ? 8192 : 1024) {
      g_assert_true (g_file_set_contents (cut, text, (gssize)at, NULL));
      assert_refused (fixture, cut, (const char *const[]){ NULL });
    }
  }
}

typedef struct {
  const char *name;
  guint type;
  const char *target, *what;
  gboolean is_hard;
} Case;

static void
test_names_and_kinds (Fixture *fixture, gconstpointer data)
{
  static const Case cases[] = {
    { "../x", AE_IFREG, NULL, "leads out of its folder" },
    { "outputs/../../x", AE_IFREG, NULL, "leads out of its folder" },
    { "outputs/./x", AE_IFREG, NULL, "leads out of its folder" },
    { "/tmp/x", AE_IFREG, NULL, "is absolute" },
    { "outputs//x", AE_IFREG, NULL, "has an empty part" },
    { "outputs\\..\\x", AE_IFREG, NULL, "not every file system takes" },
    { "outputs/C:x", AE_IFREG, NULL, "not every file system takes" },
    { "outputs/a\nb", AE_IFREG, NULL, "not every file system takes" },
    { "outputs", AE_IFREG, NULL, "is none that an archive has" },
    { "elsewhere/x", AE_IFREG, NULL, "is none that an archive has" },
    { ".bashrc", AE_IFREG, NULL, "is none that an archive has" },
    { "outputs/x", AE_IFLNK, "../../x", "is a link, a folder or a device" },
    { "outputs/x", AE_IFLNK, "/etc/passwd", "is a link, a folder or a device" },
    { "outputs/x", AE_IFREG, "../../x", "is a link, a folder or a device", TRUE },
    { "outputs/x", AE_IFREG, "SHA256SUMS", "is a link, a folder or a device", TRUE },
    { "outputs/x", AE_IFCHR, NULL, "is a link, a folder or a device" },
    { "outputs/x", AE_IFBLK, NULL, "is a link, a folder or a device" },
    { "outputs/x", AE_IFIFO, NULL, "is a link, a folder or a device" },
    { "outputs/x", AE_IFDIR, NULL, "is a link, a folder or a device" },
  };
  const Member *sums = &g_array_index (fixture->members, Member, 0);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GArray) members = members_new ();
    add (members, sums->name, sums->data, sums->length);
    Member bad = { .name = g_strdup (cases[i].name),
                   .type = cases[i].type,
                   .target = g_strdup (cases[i].target),
                   .is_hard = cases[i].is_hard };
    g_array_append_val (members, bad);
    assert_members_refused (fixture, members, "member '", cases[i].what);
  }
}

static void
test_names_in_each_others_way (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *one, *other, *what;
  } cases[] = { { "outputs/A", "outputs/a", "is there twice, but for capital letters" },
                { "outputs/a\xcc\x8a", "outputs/\xc3\xa5", "is there twice, but for capital letters" },
                { "outputs/Dir/x", "outputs/dir", "is a file and a folder" },
                { "outputs/a", "outputs/a/b", "lies in what is a file" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GArray) members = members_new ();
    add (members, cases[i].one, "1", 1);
    add (members, cases[i].other, "2", 1);
    renew_sums (members);
    assert_members_refused (fixture, members, "member '", cases[i].what);
  }
  g_autoptr (GArray) twice = members_new ();
  add (twice, "outputs/a", "1", 1);
  renew_sums (twice);
  add (twice, "outputs/a", "1", 1);
  assert_members_refused (fixture, twice, "member 'outputs/a'", "is there twice");
}

static void
test_order (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) without = copy (fixture->members), swapped = copy (fixture->members), none = members_new ();
  g_array_remove_index (without, 0);
  assert_members_refused (fixture, without, "member 'inputs/", "where SHA256SUMS was expected");
  Member first = g_array_index (swapped, Member, 1);
  g_array_index (swapped, Member, 1) = g_array_index (swapped, Member, 2);
  g_array_index (swapped, Member, 2) = first;
  assert_members_refused (fixture, swapped, first.name, "is in SHA256SUMS but not there");
  assert_members_refused (fixture, none, "member 'SHA256SUMS'", "is missing");
}

static void
test_members_left_out_and_added (Fixture *fixture, gconstpointer data)
{
  for (guint i = 1; i < fixture->members->len; i++) {
    const char *name = g_array_index (fixture->members, Member, i).name;
    g_autoptr (GArray) listed = copy (fixture->members), unlisted = copy (fixture->members);
    g_array_remove_index (listed, i);
    assert_members_refused (fixture, listed, name, "is in SHA256SUMS but not there");
    g_array_remove_index (unlisted, i);
    renew_sums (unlisted);
    assert_members_refused (fixture, unlisted, name, "is missing");
  }
  g_autoptr (GArray) more = copy (fixture->members);
  add (more, "outputs/more.npz", "x", 1);
  renew_sums (more);
  assert_members_refused (fixture, more, "member 'outputs/more.npz'", "knows nothing of");
}

static void
replace (GArray *members, const char *name, const char *text)
{
  Member *member = find (members, name);
  g_free (member->data);
  member->data = (guint8 *)g_strdup (text);
  member->length = strlen (text);
  renew_sums (members);
}

/* A text that fits the list of digests and is not what it should be. */
static void
test_wrong_manifests (Fixture *fixture, gconstpointer data)
{
  const Member *good = find (fixture->members, "manifest.json");
  g_autofree char *text = g_strndup ((char *)good->data, good->length);
  static const struct {
    const char *from, *to, *what;
  } cases[] = { { "\"limbeck-archive\" : 1", "\"limbeck-archive\" : 2", "is of version 2 of the format" },
                { "\"limbeck-archive\" : 1", "\"limbeck-archive\" : -1", "is no whole number" },
                { "\"title\" : ", "\"tilte\" : ", "member 'title' is missing" },
                { "\"outputs\" : [", "\"outputs\" : 3, \"x\" : [", "member 'outputs' is no list" },
                { "\"path\" : \"inputs/", "\"path\" : \"../inputs/", "is no path inside an archive" },
                { "\"name\" : \"result.npz\"", "\"name\" : \"../result.npz\"", "is no path inside an archive" },
                { "\"name\" : \"distill\"", "\"name\" : \"../distill\"", "is no name of a stage" },
                { "\"name\" : \"distill\"", "\"name\" : \"match\"", "is that of two stages" },
                { "\"type\" : \"f32[4, 1, 8, 8]\"", "\"type\" : [[[[]]]]", "member 'type' is no text" },
                { "\"tolerance\" : ", "\"tolerance\" : -1, \"x\" : ", "is no number of 0 or more" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GArray) members = copy (fixture->members);
    g_auto (GStrv) parts = g_strsplit (text, cases[i].from, 2);
    g_assert_nonnull (parts[1]);
    g_autofree char *changed = g_strjoinv (cases[i].to, parts);
    replace (members, "manifest.json", changed);
    assert_members_refused (fixture, members, "manifest.json: ", cases[i].what);
  }
}

static void
test_texts_that_are_none (Fixture *fixture, gconstpointer data)
{
  g_autofree char *deep = g_strnfill (200000, '['), *long_text = g_strnfill (2 << 20, '#');
  const struct {
    const char *member, *text, *what;
  } cases[] = { { "manifest.json", "", "is not JSON" },
                { "manifest.json", "[]", "is no JSON object" },
                { "manifest.json", deep, "is not JSON, or nested deeper" },
                { "manifest.json", "{\"a\": \"\xff\"}", "is not JSON" },
                { "ro-crate-metadata.json", deep, "is not JSON, or nested deeper" },
                { "pipeline.yaml", "a: &b [*b]", "pipeline.yaml:1:" },
                { "pipeline.yaml", deep, "pipeline.yaml:1:" },
                { "pipeline.yaml", long_text, "the most that was expected" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GArray) members = copy (fixture->members);
    replace (members, cases[i].member, cases[i].text);
    assert_members_refused (fixture, members, cases[i].member, cases[i].what);
  }
}

static void
test_list_that_is_none (Fixture *fixture, gconstpointer data)
{
  static const char *const texts[] = { "", "\n", "x\n", "0123  outputs/x\n", "no end", NULL };
  for (guint i = 0; texts[i] != NULL; i++) {
    g_autoptr (GArray) members = members_new ();
    add (members, "SHA256SUMS", texts[i], strlen (texts[i]));
    assert_members_refused (fixture, members, "member '", "; the archive was changed");
  }
}

/* A header that promises a terabyte which is not there. */
static void
test_huge_declared_size (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) members = members_new ();
  add (members, "outputs/x", "1", 1);
  renew_sums (members);
  find (members, "outputs/x")->declared = (guint64)1 << 40;
  g_autofree char *path = write_members (fixture, members, FALSE);
  assert_refused (fixture, path, (const char *const[]){ NULL });
}

/* A gibibyte of zeros in a small file. */
static void
test_bomb (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) members = members_new ();
  gsize length = (gsize)1 << 30;
  add (members, "outputs/x", "", 0);
  renew_sums (members);
  Member *bomb = find (members, "outputs/x");
  bomb->data = g_malloc0 (length);
  bomb->length = length;
  g_autofree char *path = write_members (fixture, members, TRUE);
  g_clear_pointer (&bomb->data, g_free);
  gboolean knows = lb_memory_reset_peak ();
  guint64 before = lb_memory_resident ();
  assert_refused (fixture, path, (const char *const[]){ "unpacks to more than", NULL });
  if (knows && !SANITIZED)
    g_assert_cmpuint (lb_memory_peak () - before, <, (guint64)64 << 20);
}

static void
test_too_many_members (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GArray) members = members_new ();
  for (guint i = 0; i < 100000; i++) {
    g_autofree char *name = g_strdup_printf ("outputs/%06u", i);
    add (members, name, "", 0);
  }
  renew_sums (members);
  g_autofree char *path = write_members (fixture, members, FALSE);
  g_autoptr (GError) error = NULL;
  gboolean knows = lb_memory_reset_peak ();
  guint64 before = lb_memory_resident ();
  g_autoptr (LbArchive) archive = lb_archive_read (path, NULL, NULL, &error);
  g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "more than 65535"));
  if (knows && !SANITIZED)
    g_assert_cmpuint (lb_memory_peak () - before, <, (guint64)128 << 20);
}

#define ADD(path, function) g_test_add (path, Fixture, NULL, fixture_set_up, function, fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/hostile/committed-is-good", test_committed_is_good);
  ADD ("/hostile/every-byte-counts", test_every_byte_counts);
  ADD ("/hostile/cut-short", test_cut_short);
  ADD ("/hostile/names-and-kinds", test_names_and_kinds);
  ADD ("/hostile/names-in-each-others-way", test_names_in_each_others_way);
  ADD ("/hostile/order", test_order);
  ADD ("/hostile/members-left-out-and-added", test_members_left_out_and_added);
  ADD ("/hostile/wrong-manifests", test_wrong_manifests);
  ADD ("/hostile/texts-that-are-none", test_texts_that_are_none);
  ADD ("/hostile/list-that-is-none", test_list_that_is_none);
  if (!SANITIZED) {
    /* libarchive, which writes this one, keeps its buffer when it is closed within an entry. */
    ADD ("/hostile/huge-declared-size", test_huge_declared_size);
    ADD ("/hostile/bomb", test_bomb);
    ADD ("/hostile/too-many-members", test_too_many_members);
  }
  return g_test_run ();
}
