/* The targets. Readers of files get a file in memory. */
#include "fuzz/targets.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "archive/reader.h"
#include "pipeline/pipeline.h"
#include "pipeline/recipe.h"
#include "pipeline/store.h"
#include "stream/record.h"
#include "tensor/npz.h"
#include "tensor/pickle.h"
#include "tensor/tensors.h"

#define MOST ((gsize)1 << 20)

/* Bytes of a storage that is there, and how many of them. */
#define MOST_STORAGE  4096
#define MOST_STORAGES 16

/* A file in memory that holds @data; its path is "/proc/self/fd/N". */
static int
memory_file (const guint8 *data, gsize length, char path[64])
{
  int descriptor = memfd_create ("fuzz", MFD_CLOEXEC);
  g_assert_cmpint (descriptor, >=, 0);
  g_assert_cmpint (write (descriptor, data, length), ==, (gssize)length);
  g_snprintf (path, 64, "/proc/self/fd/%d", descriptor);
  return descriptor;
}

/* Everything that was unpacked lies below the folder: what lies beside it is gone if a name led out. */
static void
check_inside (const char *root)
{
  g_autoptr (GDir) dir = g_dir_open (root, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "in");
  g_assert_null (g_dir_read_name (dir));
}

static void
run_archive (const guint8 *data, gsize length)
{
  char path[64];
  g_autoptr (GError) error = NULL;
  g_autofree char *root = g_dir_make_tmp ("limbeck-fuzz-XXXXXX", NULL), *folder = g_build_filename (root, "in", NULL);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  int descriptor = memory_file (data, length, path);
  g_autoptr (LbArchive) archive = lb_archive_read (path, folder, NULL, &error);
  g_assert_true ((archive == NULL) == (error != NULL));
  check_inside (root);
  lb_store_remove_tree (root);
  close (descriptor);
}

static void
run_manifest (const guint8 *data, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbManifest) manifest = lb_manifest_parse ("fuzz", (const char *)data, length, &error);
  g_assert_true ((manifest == NULL) == (error != NULL));
}

static void
run_pipeline (const guint8 *data, gsize length)
{
  g_autoptr (LbProblems) problems = lb_problems_new ("fuzz");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("fuzz", (const char *)data, length, NULL, problems);
  g_assert_true (pipeline != NULL || lb_problems_count (problems) > 0);
}

static void
run_npz (const guint8 *data, gsize length)
{
  char path[64];
  g_autoptr (GError) error = NULL;
  int descriptor = memory_file (data, length, path);
  g_autoptr (GArray) tensors = lb_npz_read (path, MOST, &error);
  g_assert_true ((tensors == NULL) == (error != NULL));
  close (descriptor);
}

/* The digest is made to fit, so that bytes get past it. */
static void
run_record (const guint8 *data, gsize length)
{
  char path[64], digest[LB_DIGEST_SIZE];
  g_autoptr (GError) error = NULL;
  int descriptor = memory_file (data, length, path);
  lb_sha256_of (data, length, digest);
  g_autoptr (LbPacket) packet = lb_record_read (descriptor, path, 0, length, digest, &error);
  g_assert_true ((packet == NULL) == (error != NULL));
  close (descriptor);
}

static void
run_ledger (const guint8 *data, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (LbLedger) ledger = lb_ledger_from_json ("fuzz", (const char *)data, length, LB_ANY_OUTPUTS, &error);
  g_assert_true ((ledger == NULL) == (error != NULL));
}

/* Two recipes, the second after a form feed. */
static void
run_recipe (const guint8 *data, gsize length)
{
  g_autofree char *earlier = g_strndup ((const char *)data, length);
  char *feed = strchr (earlier, '\f');
  g_autofree char *later = g_strdup (feed != NULL ? feed + 1 : earlier);
  guint count;
  if (feed != NULL)
    *feed = '\0';
  g_autofree char *text = lb_recipe_difference (earlier, later, &count);
  g_autofree char *label = lb_recipe_only_difference (earlier, later);
  g_autofree char *value = label != NULL ? lb_recipe_get (earlier, label) : NULL;
  g_assert_true (label == NULL || count == 1);
}

static void
add_member (struct archive *zip, const char *name, gconstpointer data, gsize length)
{
  struct archive_entry *entry = archive_entry_new ();
  archive_entry_set_pathname (entry, name);
  archive_entry_set_size (entry, (gint64)length);
  archive_entry_set_filetype (entry, AE_IFREG);
  if (archive_write_header (zip, entry) == ARCHIVE_OK)
    g_assert_cmpint (archive_write_data (zip, data, length), ==, (gssize)length);
  archive_entry_free (entry);
}

/* The bytes are the pickle of a file that has the storages which they name, so that more of them reaches the tensors.
 */
static void
run_pickle (const guint8 *data, gsize length)
{
  static const guint8 zeros[MOST_STORAGE];
  char path[64];
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPickle) pickle = lb_pickle_parse ("fuzz", data, length, NULL);
  struct archive *zip = archive_write_new ();
  int descriptor = memory_file (NULL, 0, path);
  guint n_storages = 0;
  g_assert_cmpint (archive_write_set_format_zip (zip), ==, ARCHIVE_OK);
  g_assert_cmpint (archive_write_zip_set_compression_store (zip), ==, ARCHIVE_OK);
  g_assert_cmpint (archive_write_open_fd (zip, descriptor), ==, ARCHIVE_OK);
  add_member (zip, "fuzz/data.pkl", data, length);
  for (guint i = 0; pickle != NULL && i < pickle->values->len && n_storages < MOST_STORAGES; i++) {
    const LbPickleValue *value = pickle->values->pdata[i];
    if (value->kind != LB_PICKLE_STORAGE || value->integer < 0 || value->integer > MOST_STORAGE / value->element->size)
      continue;
    g_autofree char *name = g_strconcat ("fuzz/data/", value->text, NULL);
    add_member (zip, name, zeros, (gsize)value->integer * value->element->size);
    n_storages++;
  }
  g_assert_cmpint (archive_write_free (zip), ==, ARCHIVE_OK);
  g_autoptr (GArray) tensors = lb_tensors_read (path, MOST, &error);
  g_assert_true ((tensors == NULL) == (error != NULL));
  g_assert_true (tensors == NULL || pickle != NULL);
  close (descriptor);
}

const FuzzTarget fuzz_targets[]
    = { { "archive", run_archive }, { "manifest", run_manifest }, { "pipeline", run_pipeline },
        { "npz", run_npz },         { "pickle", run_pickle },     { "record", run_record },
        { "ledger", run_ledger },   { "recipe", run_recipe },     { NULL, NULL } };
