/* Verifying. */
#include "archive/verify.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/inputs.h"
#include "archive/sequence.h"
#include "archive/side.h"
#include "base/error.h"
#include "base/file.h"
#include "pipeline/run.h"
#include "tensor/npz.h"

/* All that is made on the way. */
typedef struct {
  const char *path;
  const LbVerifySettings *settings;
  char *folder, *unpacked, *output; /* @folder: for all of it */
  LbArchive *archive;
  LbRegistry *registry;
  LbPipeline *pipeline;
  LbPlan *plan;
  LbStore *store; /* for packets of the run, when there are some to compare them with */
} Verify;

static void
verify_clear (Verify *verify)
{
  lb_plan_free (verify->plan);
  lb_pipeline_free (verify->pipeline);
  lb_registry_free (verify->registry);
  lb_store_free (verify->store);
  lb_archive_free (verify->archive);
  if (verify->folder != NULL)
    lb_store_remove_tree (verify->folder);
  g_free (verify->folder);
  g_free (verify->unpacked);
  g_free (verify->output);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Verify, verify_clear)

void
lb_verdict_free (LbVerdict *verdict)
{
  if (verdict == NULL)
    return;
  lb_comparison_free (verdict->comparison);
  g_clear_pointer (&verdict->circumstances, g_ptr_array_unref);
  g_free (verdict);
}

/* ---- Intact ---- */

static gboolean
unpack (Verify *verify, GError **error)
{
  verify->folder = g_dir_make_tmp ("limbeck-XXXXXX", error);
  if (verify->folder == NULL)
    return FALSE;
  verify->unpacked = g_build_filename (verify->folder, "archive", NULL);
  verify->output = g_build_filename (verify->folder, "output", NULL);
  if (g_mkdir_with_parents (verify->unpacked, 0700) != 0)
    return lb_output_error (verify->unpacked, errno, error);
  verify->archive = lb_archive_read (verify->path, verify->unpacked, NULL, error);
  return verify->archive != NULL;
}

/* ---- Loads ---- */

static gboolean
check_packet (const Verify *verify, const char *member, LbSequence *sequence, GError **error)
{
  g_autofree char *path = g_build_filename (verify->unpacked, member, NULL);
  g_autofree char *place = g_strdup_printf ("%s: member '%s'", verify->path, member);
  struct stat status = { 0 };
  /* Not packed, so it cannot unpack to more. */
  g_autoptr (GArray) tensors = stat (path, &status) == 0 ? lb_npz_read (path, (gsize)status.st_size, error) : NULL;
  g_autoptr (LbPacket) packet = lb_packet_new ();
  for (guint i = 0; tensors != NULL && i < tensors->len; i++)
    lb_packet_set (packet, g_array_index (tensors, LbNamedTensor, i).name,
                   g_array_index (tensors, LbNamedTensor, i).tensor);
  return tensors != NULL
         && (lb_sequence_next (sequence, packet)
             || lb_input_error (place, error,
                                "is not the packet that " LB_ARCHIVE_MANIFEST
                                " tells of; the archive was changed or is none of Limbeck's"));
}

/* Whether the packets that are carried are those of the manifest. */
static gboolean
check_packets (const Verify *verify, GError **error)
{
  const LbManifest *manifest = verify->archive->manifest;
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    for (guint k = 0; k < stage->outputs->len; k++) {
      const LbManifestOutput *output = stage->outputs->pdata[k];
      LbSequence sequence = { .output = output };
      while (output->is_carried && sequence.n < output->n_packets) {
        g_autofree char *member = lb_manifest_packet_member (stage, output, sequence.n);
        if (!check_packet (verify, member, &sequence, error))
          return FALSE;
      }
    }
  }
  return TRUE;
}

static gboolean
tell_problems (LbProblems *problems, GError **error)
{
  g_autofree char *text = lb_problems_to_text (problems);
  g_strchomp (text);
  g_set_error (error, LB_ERROR, lb_problems_exit_status (problems), "%s", text);
  return FALSE;
}

static gboolean
load (Verify *verify, GError **error)
{
  LbInputPlaces places = { .unpacked = verify->unpacked, .folders = verify->settings->folders };
  g_auto (GStrv) inputs = lb_inputs_find (verify->archive->manifest, &places, error);
  if (inputs == NULL) {
    g_prefix_error (error, "%s: ", verify->path);
    return FALSE;
  }
  g_autoptr (LbProblems) problems = lb_problems_new (verify->path);
  g_autofree char *place = g_strdup_printf ("%s: " LB_ARCHIVE_PIPELINE, verify->path);
  LbPipelineOverrides overrides = { .found = (const char *const *)inputs };
  gsize length;
  const char *text = g_bytes_get_data (verify->archive->pipeline, &length);
  verify->pipeline = lb_pipeline_parse (place, text, length, &overrides, problems);
  if (verify->pipeline == NULL)
    return tell_problems (problems, error);
  verify->registry = lb_registry_new_default ();
  verify->plan = lb_plan_new (verify->pipeline, verify->registry, problems);
  if (verify->settings->threads > 0)
    verify->plan->threads = verify->settings->threads;
  lb_plan_configure (verify->plan, problems);
  return lb_problems_count (problems) == 0 || tell_problems (problems, error);
}

/* ---- Close and exact ---- */

static gboolean
carries_packets (const LbManifest *manifest)
{
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    for (guint k = 0; k < stage->outputs->len; k++)
      if (((LbManifestOutput *)stage->outputs->pdata[k])->is_carried)
        return TRUE;
  }
  return FALSE;
}

static gboolean
run (Verify *verify, GError **error)
{
  g_autofree char *store = g_build_filename (verify->folder, "store", NULL);
  if (carries_packets (verify->archive->manifest) && (verify->store = lb_store_open (store, error)) == NULL)
    return FALSE;
  LbRunSettings settings = { .output_directory = verify->output,
                             .threads = verify->settings->threads,
                             .arithmetic = verify->settings->arithmetic,
                             .progress = verify->settings->progress,
                             .store = verify->store };
  g_autoptr (LbRun) again = lb_run_new (verify->plan, &settings, error);
  return again != NULL && lb_run_execute (again, verify->settings->cancellable, error);
}

static gboolean
compare (Verify *verify, LbVerdict *verdict, GError **error)
{
  g_autofree char *results = g_build_filename (verify->unpacked, "outputs", NULL);
  g_autofree char *packets = g_build_filename (verify->unpacked, "packets", NULL);
  g_autoptr (LbSide) now = lb_side_open (verify->output, verify->store, error);
  if (now == NULL)
    return FALSE;
  LbRunSide before = { .manifest = verify->archive->manifest, .results = results, .packets = packets };
  verdict->comparison = lb_compare_results (&before, lb_side_run (now), verify->settings->level == LB_VERIFY_CLOSE);
  verdict->circumstances = lb_compare_circumstances (before.manifest, lb_side_run (now)->manifest);
  return TRUE;
}

LbVerdict *
lb_archive_verify (const char *path, const LbVerifySettings *settings, GError **error)
{
  g_auto (Verify) verify = { .path = path, .settings = settings };
  g_autoptr (LbVerdict) verdict = g_new0 (LbVerdict, 1);
  if (settings->level == LB_VERIFY_INTACT)
    verify.archive = lb_archive_read (path, NULL, NULL, error);
  else if (!unpack (&verify, error) || !check_packets (&verify, error) || !load (&verify, error))
    return NULL;
  if (verify.archive == NULL)
    return NULL;
  verdict->n_members = verify.archive->members->len;
  if (settings->level >= LB_VERIFY_CLOSE && (!run (&verify, error) || !compare (&verify, verdict, error)))
    return NULL;
  return g_steal_pointer (&verdict);
}
