/* The targets. Readers of files get a file in memory. */
#include "fuzz/targets.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/reader.h"
#include "pipeline/pipeline.h"
#include "pipeline/store.h"
#include "stream/record.h"
#include "tensor/npz.h"

#define MOST ((gsize)1 << 20)

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

const FuzzTarget fuzz_targets[]
    = { { "archive", run_archive }, { "manifest", run_manifest }, { "pipeline", run_pipeline },
        { "npz", run_npz },         { "record", run_record },     { NULL, NULL } };
