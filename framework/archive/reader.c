/* Reading and checking.
 *
 * Invariant: a member's bytes count only once its digest has been found right; those that are unpacked are written to
 * files that did not exist, in folders that were made here.
 */
#include "archive/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/document.h"
#include "base/error.h"
#include "base/file.h"
#include "base/unpack.h"

#define PIECE     65536
#define MOST_SUMS ((gsize)16 << 20)
#define MOST_TEXT ((gsize)1 << 20)
/* Data packs hundreds of times at best; a file that promises more is a trap. */
#define MOST_FACTOR 1000
#define MOST_FREE   ((guint64)256 << 20)

typedef struct {
  LbArchive *archive;
  const char *path, *folder;
  const char *const *only;
  LbUnpack *unpack;
  guint8 *piece;
  GPtrArray *listed; /* LbArchiveMember* of SHA256SUMS, without sizes */
  LbMemberNames *names;
  GBytes *kept; /* the text of the last member that is kept */
} Reader;

static void
member_free (gpointer data)
{
  g_free (((LbArchiveMember *)data)->name);
  g_free (data);
}

void
lb_archive_free (LbArchive *archive)
{
  if (archive == NULL)
    return;
  g_free (archive->path);
  g_ptr_array_unref (archive->members);
  lb_manifest_free (archive->manifest);
  g_clear_pointer (&archive->pipeline, g_bytes_unref);
  g_clear_pointer (&archive->written, g_bytes_unref);
  g_free (archive);
}

static int
compare_member (gconstpointer key, gconstpointer item)
{
  return strcmp (key, (*(const LbArchiveMember *const *)item)->name);
}

const LbArchiveMember *
lb_archive_member (const LbArchive *archive, const char *name)
{
  const LbArchiveMember *const *found
      = bsearch (name, archive->members->pdata, archive->members->len, sizeof (gpointer), compare_member);
  return found != NULL ? *found : NULL;
}

gboolean
lb_archive_is (const char *path)
{
  guint64 size;
  guint8 start[512] = { 0 };
  int descriptor = lb_file_open (path, &size, NULL);
  if (descriptor < 0)
    return FALSE;
  gssize got = pread (descriptor, start, sizeof start, 0);
  close (descriptor);
  return (got >= 4 && memcmp (start, "\x28\xb5\x2f\xfd", 4) == 0)
         || (got == sizeof start && memcmp (start + 257, "ustar", 5) == 0);
}

/* Always FALSE; @name may be anything. */
static gboolean
    G_GNUC_PRINTF (4, 5) refuse (const Reader *reader, const char *name, GError **error, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *what = g_strdup_vprintf (format, arguments), *printable = lb_unpack_printable (name);
  va_end (arguments);
  return lb_input_error (reader->path, error, "member '%s' %s; the archive was changed or is none of Limbeck's",
                         printable, what);
}

/* ---- The list of digests ---- */

static gboolean
read_sums_line (Reader *reader, const char *line, GError **error)
{
  g_autofree LbArchiveMember *member = g_new0 (LbArchiveMember, 1);
  if (strlen (line) < LB_DIGEST_SIZE + 2)
    return refuse (reader, LB_ARCHIVE_SUMS, error, "has a line that is no digest and name");
  g_strlcpy (member->digest, line, LB_DIGEST_SIZE);
  const char *name = line + LB_DIGEST_SIZE + 1;
  if (!lb_is_digest (member->digest) || strncmp (line + LB_DIGEST_SIZE - 1, "  ", 2) != 0)
    return refuse (reader, LB_ARCHIVE_SUMS, error, "has a line that is no digest and name");
  if (lb_member_fault (name) != NULL)
    return refuse (reader, name, error, "of " LB_ARCHIVE_SUMS " has a name that %s", lb_member_fault (name));
  member->name = g_strdup (name);
  g_ptr_array_add (reader->listed, g_steal_pointer (&member));
  return TRUE;
}

static gboolean
read_sums (Reader *reader, GError **error)
{
  gsize length;
  const char *bytes = g_bytes_get_data (reader->kept, &length);
  g_autofree char *text = g_strndup (bytes != NULL ? bytes : "", length);
  if (strlen (text) != length || length == 0 || text[length - 1] != '\n')
    return refuse (reader, LB_ARCHIVE_SUMS, error, "is no list of digests");
  text[length - 1] = '\0';
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (!read_sums_line (reader, lines[i], error))
      return FALSE;
  return TRUE;
}

/* ---- Members ---- */

static gboolean
check_name (Reader *reader, const LbUnpackMember *found, GError **error)
{
  const GPtrArray *members = reader->archive->members;
  const LbArchiveMember *last = members->len > 0 ? members->pdata[members->len - 1] : NULL;
  const char *fault = lb_member_fault (found->name);
  if (!found->is_file)
    return refuse (reader, found->name, error, "is a link, a folder or a device, where a regular file was expected");
  if (fault != NULL)
    return refuse (reader, found->name, error, "has a name that %s", fault);
  if (members->len > LB_ARCHIVE_MOST_MEMBERS)
    return refuse (reader, found->name, error, "is one of more than %d", LB_ARCHIVE_MOST_MEMBERS);
  if (last == NULL && strcmp (found->name, LB_ARCHIVE_SUMS) != 0)
    return refuse (reader, found->name, error, "is the first, where " LB_ARCHIVE_SUMS " was expected");
  if (last != NULL && strcmp (found->name, last->name) == 0)
    return refuse (reader, found->name, error, "is there twice");
  if (last != NULL && strcmp (found->name, last->name) < 0)
    return refuse (reader, found->name, error, "is behind '%s', where members are in order of their names", last->name);
  fault = lb_member_names_add (reader->names, found->name);
  return fault == NULL || refuse (reader, found->name, error, "%s", fault);
}

/* The listed member that must come now. */
static gboolean
check_listed (Reader *reader, const char *name, const LbArchiveMember **expected, GError **error)
{
  guint index = reader->archive->members->len - 1;
  *expected = index < reader->listed->len ? reader->listed->pdata[index] : NULL;
  if (*expected != NULL && strcmp ((*expected)->name, name) == 0)
    return TRUE;
  if (*expected != NULL && strcmp ((*expected)->name, name) < 0)
    return refuse (reader, (*expected)->name, error, "is in " LB_ARCHIVE_SUMS " but not there");
  return refuse (reader, name, error, "is not in " LB_ARCHIVE_SUMS);
}

/* Opens the file that a member is unpacked to. */
static int
create (const Reader *reader, const char *name, char **path, GError **error)
{
  *path = g_build_filename (reader->folder, name, NULL);
  g_autofree char *directory = g_path_get_dirname (*path);
  int descriptor = -1;
  if (g_mkdir_with_parents (directory, 0777) == 0)
    descriptor = open (*path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor < 0)
    lb_output_error (*path, errno, error);
  return descriptor;
}

/* How much of a member is kept in memory: 0 for most. */
static gsize
most_kept (const char *name)
{
  if (strcmp (name, LB_ARCHIVE_SUMS) == 0)
    return MOST_SUMS;
  if (strcmp (name, LB_ARCHIVE_MANIFEST) == 0 || strcmp (name, LB_ARCHIVE_CRATE) == 0)
    return LB_MANIFEST_MOST;
  return strcmp (name, LB_ARCHIVE_PIPELINE) == 0 || strcmp (name, LB_ARCHIVE_WRITTEN) == 0 ? MOST_TEXT : 0;
}

/* Passes a member's bytes on, to @descriptor unless negative, and notes their number and digest. */
static gboolean
pass (Reader *reader, LbArchiveMember *member, int descriptor, const char *path, GError **error)
{
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  gsize most = most_kept (member->name), got = PIECE;
  g_autoptr (GByteArray) kept = g_byte_array_new ();
  while (got == PIECE) {
    if (!lb_unpack_read (reader->unpack, reader->piece, PIECE, &got, error))
      return FALSE;
    lb_sha256_add (sha256, reader->piece, got);
    member->bytes += got;
    if (most > 0 && member->bytes > most)
      return refuse (reader, member->name, error,
                     "is longer than %" G_GSIZE_FORMAT " bytes, the most that was expected", most);
    if (most > 0)
      g_byte_array_append (kept, reader->piece, (guint)got);
    if (descriptor >= 0 && !lb_file_put (descriptor, path, reader->piece, got, error))
      return FALSE;
  }
  lb_sha256_end (sha256, member->digest);
  g_clear_pointer (&reader->kept, g_bytes_unref);
  reader->kept = g_byte_array_free_to_bytes (g_steal_pointer (&kept));
  return TRUE;
}

static gboolean
is_unpacked (const Reader *reader, const char *name)
{
  for (guint i = 0; reader->only != NULL && reader->only[i] != NULL; i++)
    if (g_str_has_prefix (name, reader->only[i]))
      return TRUE;
  return reader->folder != NULL && reader->only == NULL;
}

static gboolean
read_bytes (Reader *reader, LbArchiveMember *member, GError **error)
{
  g_autofree char *path = NULL;
  gboolean unpacked = is_unpacked (reader, member->name);
  int descriptor = unpacked ? create (reader, member->name, &path, error) : -1;
  if (unpacked && descriptor < 0)
    return FALSE;
  gboolean good = pass (reader, member, descriptor, path, error);
  if (descriptor >= 0 && close (descriptor) != 0 && good)
    good = lb_output_error (path, errno, error);
  return good;
}

/* ---- What members say ---- */

static gboolean
take_manifest (Reader *reader, GError **error)
{
  g_autofree char *place = g_strdup_printf ("%s: " LB_ARCHIVE_MANIFEST, reader->path);
  gsize length;
  const char *text = g_bytes_get_data (reader->kept, &length);
  reader->archive->manifest = lb_manifest_parse (place, text != NULL ? text : "", length, error);
  return reader->archive->manifest != NULL;
}

static gboolean
check_crate (Reader *reader, GError **error)
{
  g_autofree char *place = g_strdup_printf ("%s: " LB_ARCHIVE_CRATE, reader->path);
  gsize length;
  const char *text = g_bytes_get_data (reader->kept, &length);
  g_autoptr (JsonNode) root = lb_json_parse (place, text != NULL ? text : "", length, error);
  return root != NULL;
}

static gboolean
take_pipeline (Reader *reader, const char *name, GBytes **bytes, GError **error)
{
  g_autofree char *place = g_strdup_printf ("%s: %s", reader->path, name);
  gsize length;
  const char *text = g_bytes_get_data (reader->kept, &length);
  g_autoptr (LbDocument) document = lb_document_parse (place, text != NULL ? text : "", length, LB_ERROR_INPUT, error);
  *bytes = g_bytes_ref (reader->kept);
  return document != NULL;
}

static gboolean
use_member (Reader *reader, const char *name, GError **error)
{
  if (strcmp (name, LB_ARCHIVE_SUMS) == 0)
    return read_sums (reader, error);
  if (strcmp (name, LB_ARCHIVE_MANIFEST) == 0)
    return take_manifest (reader, error);
  if (strcmp (name, LB_ARCHIVE_CRATE) == 0)
    return check_crate (reader, error);
  if (strcmp (name, LB_ARCHIVE_PIPELINE) == 0)
    return take_pipeline (reader, name, &reader->archive->pipeline, error);
  if (strcmp (name, LB_ARCHIVE_WRITTEN) == 0)
    return take_pipeline (reader, name, &reader->archive->written, error);
  return TRUE;
}

static gboolean
read_member (Reader *reader, const LbUnpackMember *found, GError **error)
{
  gboolean is_first = reader->archive->members->len == 0;
  const LbArchiveMember *expected = NULL;
  if (!check_name (reader, found, error) || (!is_first && !check_listed (reader, found->name, &expected, error)))
    return FALSE;
  LbArchiveMember *member = g_new0 (LbArchiveMember, 1);
  member->name = g_strdup (found->name);
  g_ptr_array_add (reader->archive->members, member);
  if (!read_bytes (reader, member, error))
    return FALSE;
  if (expected != NULL && strcmp (expected->digest, member->digest) != 0)
    return refuse (reader, member->name, error, "has the SHA-256 %s, where " LB_ARCHIVE_SUMS " says %s", member->digest,
                   expected->digest);
  return use_member (reader, member->name, error);
}

static gboolean
read_members (Reader *reader, GError **error)
{
  const LbUnpackMember *found;
  do
    if (!lb_unpack_next (reader->unpack, &found, error) || (found != NULL && !read_member (reader, found, error)))
      return FALSE;
  while (found != NULL);
  guint n = reader->archive->members->len;
  if (n == 0)
    return refuse (reader, LB_ARCHIVE_SUMS, error, "is missing");
  if (n - 1 < reader->listed->len)
    return refuse (reader, ((LbArchiveMember *)reader->listed->pdata[n - 1])->name, error,
                   "is in " LB_ARCHIVE_SUMS " but not there");
  return TRUE;
}

/* ---- Whether manifest and members agree ---- */

static gboolean
expect (const Reader *reader, GHashTable *known, const char *name, const char *digest, GError **error)
{
  const LbArchiveMember *member = lb_archive_member (reader->archive, name);
  if (member == NULL)
    return refuse (reader, name, error, "is missing");
  if (digest != NULL && strcmp (member->digest, digest) != 0)
    return refuse (reader, name, error, "has the SHA-256 %s, where " LB_ARCHIVE_MANIFEST " says %s", member->digest,
                   digest);
  g_hash_table_add (known, (gpointer)member->name);
  return TRUE;
}

static gboolean
expect_stage (const Reader *reader, GHashTable *known, const LbManifestStage *stage, GError **error)
{
  for (guint i = 0; i < stage->results->len; i++) {
    const LbManifestResult *result = stage->results->pdata[i];
    g_autofree char *name = g_strconcat ("outputs/", result->name, NULL);
    if (!expect (reader, known, name, result->digest, error))
      return FALSE;
  }
  for (guint i = 0; i < stage->outputs->len; i++) {
    const LbManifestOutput *output = stage->outputs->pdata[i];
    for (guint64 k = 0; output->is_carried && k < output->n_packets; k++) {
      g_autofree char *name = lb_manifest_packet_member (stage, output, k);
      if (!expect (reader, known, name, NULL, error))
        return FALSE;
    }
  }
  return TRUE;
}

/* A folder's digest is known only once it is unpacked (inputs.h); here that something is there. */
static gboolean
expect_input (const Reader *reader, GHashTable *known, const LbManifestInput *input, GError **error)
{
  gboolean found = FALSE;
  g_autofree char *prefix = g_strconcat (input->path, "/", NULL);
  if (!input->is_folder)
    return expect (reader, known, input->path, input->digest, error);
  for (guint i = 0; i < reader->archive->members->len; i++) {
    const LbArchiveMember *member = reader->archive->members->pdata[i];
    if (!g_str_has_prefix (member->name, prefix))
      continue;
    g_hash_table_add (known, member->name);
    found = TRUE;
  }
  return found || refuse (reader, input->path, error, "is missing");
}

static gboolean
check_members (const Reader *reader, GError **error)
{
  static const char *const always[]
      = { LB_ARCHIVE_SUMS, LB_ARCHIVE_MANIFEST, LB_ARCHIVE_CRATE,   LB_ARCHIVE_WRITTEN, LB_ARCHIVE_PIPELINE,
          "run/log.txt",   "run/metrics.csv",   "run/metrics.json", "run/metrics.jsonl" };
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  const LbManifest *manifest = reader->archive->manifest;
  for (guint i = 0; i < G_N_ELEMENTS (always); i++)
    if (!expect (reader, known, always[i], NULL, error))
      return FALSE;
  for (guint i = 0; i < manifest->schemas->len; i++)
    if (!expect (reader, known, ((LbFact *)manifest->schemas->pdata[i])->value, NULL, error))
      return FALSE;
  for (guint i = 0; manifest->has_inputs && i < manifest->inputs->len; i++)
    if (!expect_input (reader, known, manifest->inputs->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < manifest->stages->len; i++)
    if (!expect_stage (reader, known, manifest->stages->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < reader->archive->members->len; i++) {
    const LbArchiveMember *member = reader->archive->members->pdata[i];
    if (!g_hash_table_contains (known, member->name))
      return refuse (reader, member->name, error, "is one that " LB_ARCHIVE_MANIFEST " knows nothing of");
  }
  return TRUE;
}

LbArchive *
lb_archive_read (const char *path, const char *folder, const char *const *only, GError **error)
{
  g_autoptr (LbUnpack) unpack = lb_unpack_open (path, LB_UNPACK_TAR, "an archive of Limbeck (.tar.zst)", error);
  if (unpack == NULL)
    return NULL;
  g_autoptr (LbArchive) archive = g_new0 (LbArchive, 1);
  g_autofree guint8 *piece = g_malloc (PIECE);
  g_autoptr (GPtrArray) listed = g_ptr_array_new_with_free_func (member_free);
  g_autoptr (LbMemberNames) names = lb_member_names_new ();
  Reader reader = { archive, path, folder, only, unpack, piece, listed, names, NULL };
  archive->path = g_strdup (path);
  archive->bytes = lb_unpack_file_size (unpack);
  archive->members = g_ptr_array_new_with_free_func (member_free);
  lb_unpack_limit (unpack, MOST_FREE + archive->bytes * MOST_FACTOR);
  gboolean good = read_members (&reader, error)
                  && (archive->manifest != NULL || refuse (&reader, LB_ARCHIVE_MANIFEST, error, "is missing"))
                  && check_members (&reader, error);
  g_clear_pointer (&reader.kept, g_bytes_unref);
  return good ? g_steal_pointer (&archive) : NULL;
}
