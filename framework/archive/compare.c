/* Comparing runs. */
#include "archive/compare.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/format.h"
#include "archive/difference.h"

typedef struct {
  const LbRunSide *first, *second;
  gboolean close;
  double tolerance;
  GPtrArray *parted;
  guint n_compared, n_unknown;
} Comparison;

static void G_GNUC_PRINTF (2, 3) tell (GPtrArray *lines, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_ptr_array_add (lines, g_strdup_vprintf (format, arguments));
  va_end (arguments);
}

/* ---- Tensors ---- */

/* Arrays are packed some ten times; a file that promises more is a trap. */
#define MOST_FACTOR 100

static GArray *
read_arrays (const char *path)
{
  struct stat status;
  return stat (path, &status) == 0 ? lb_npz_read (path, ((gsize)1 << 20) + (gsize)status.st_size * MOST_FACTOR, NULL)
                                   : NULL;
}

static GArray *
read_packet (const LbRunSide *side, const LbManifestStage *stage, const LbManifestOutput *output, guint index)
{
  g_autofree char *member = lb_manifest_packet_member (stage, output, index);
  g_autofree char *path
      = side->packets != NULL ? g_build_filename (side->packets, member + strlen ("packets/"), NULL) : NULL;
  if (path != NULL && g_file_test (path, G_FILE_TEST_EXISTS))
    return read_arrays (path);
  guint place = 0;
  while (place < stage->outputs->len && stage->outputs->pdata[place] != output)
    place++;
  return side->read != NULL ? side->read (side->data, stage->name, place, index) : NULL;
}

static LbTensor *
find_tensor (const GArray *tensors, const char *name)
{
  for (guint i = 0; tensors != NULL && i < tensors->len; i++)
    if (strcmp (g_array_index (tensors, LbNamedTensor, i).name, name) == 0)
      return g_array_index (tensors, LbNamedTensor, i).tensor;
  return NULL;
}

static const LbManifestTensor *
find_digest (const LbManifestPacket *packet, const char *name)
{
  for (guint i = 0; i < packet->tensors->len; i++) {
    const LbManifestTensor *tensor = packet->tensors->pdata[i];
    if (strcmp (tensor->name, name) == 0)
      return tensor;
  }
  return NULL;
}

/* Whether @tensor is the text of a SHA-256 digest, such as that of the images that dense labels belong to. */
static gboolean
is_digest (const LbTensor *tensor)
{
  if (lb_tensor_dtype (tensor) != LB_U8 || lb_tensor_size (tensor) != 64)
    return FALSE;
  for (guint i = 0; i < 64; i++)
    if (!g_ascii_isxdigit (lb_tensor_u8 (tensor)[i]))
      return FALSE;
  return TRUE;
}

/* How two tensors of different digest differ, as the end of a sentence; NULL when they are close enough. */
static char *
difference (Comparison *comparison, LbTensor *before, LbTensor *now)
{
  if (before == NULL || now == NULL) {
    comparison->n_unknown++;
    return comparison->close ? NULL
                             : g_strdup ("; by how much is not known, as the values were not kept (--with-store)");
  }
  LbDifference found = lb_difference (before, now);
  if (!found.is_comparable)
    return g_strdup ("");
  if (comparison->close && found.largest <= comparison->tolerance * found.magnitude)
    return NULL;
  /* Of two digests no more can be said than of what they are digests of, which is compared itself. */
  if (comparison->close && is_digest (before) && is_digest (now))
    return NULL;
  return g_strdup_printf ("; %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                          " elements differ, the largest difference is %.6g "
                          "beside a largest magnitude of %.6g",
                          found.n_different, lb_tensor_size (before), found.largest, found.magnitude);
}

static void
compare_packet (Comparison *comparison, const LbManifestStage *stage, const LbManifestOutput *output, guint index,
                const LbManifestStage *stage_now, const LbManifestOutput *output_now)
{
  const LbManifestPacket *before = output->packets->pdata[index], *now = output_now->packets->pdata[index];
  g_autoptr (GArray) values = NULL, values_now = NULL;
  for (guint i = 0; i < before->tensors->len; i++) {
    const LbManifestTensor *tensor = before->tensors->pdata[i], *other = find_digest (now, tensor->name);
    comparison->n_compared++;
    if (other != NULL && strcmp (tensor->digest, other->digest) == 0)
      continue;
    g_autofree char *where
        = g_strdup_printf ("stage '%s', output '%s', packet %u of %" G_GUINT64_FORMAT ", tensor '%s'", stage->name,
                           output->port, index + 1, output->n_packets, tensor->name);
    if (other == NULL) {
      tell (comparison->parted, "%s: is not there any more", where);
      continue;
    }
    if (values == NULL)
      values = read_packet (comparison->first, stage, output, index);
    if (values_now == NULL)
      values_now = read_packet (comparison->second, stage_now, output_now, index);
    g_autofree char *by
        = difference (comparison, find_tensor (values, tensor->name), find_tensor (values_now, tensor->name));
    if (by != NULL)
      tell (comparison->parted, "%s: %s with SHA-256 %s, was %s with %s%s", where, other->type, other->digest,
            tensor->type, tensor->digest, by);
  }
}

/* Of packets that are told in groups no more is known than whether they are the same. */
static void
compare_groups (Comparison *comparison, const LbManifestStage *stage, const LbManifestOutput *output,
                const LbManifestOutput *output_now)
{
  for (guint i = 0; i < MIN (output->groups->len, output_now->groups->len); i++) {
    const LbManifestGroup *group = &g_array_index (output->groups, LbManifestGroup, i);
    const LbManifestGroup *now = &g_array_index (output_now->groups, LbManifestGroup, i);
    if (now->first != group->first || now->n != group->n)
      return; /* one of them ends within it */
    comparison->n_compared++;
    if (strcmp (group->digest, now->digest) == 0)
      continue;
    if (comparison->close)
      comparison->n_unknown++;
    else
      tell (comparison->parted,
            "stage '%s', output '%s', packets %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
            ": SHA-256 %s, was %s",
            stage->name, output->port, group->first + 1, group->first + group->n, output->n_packets, now->digest,
            group->digest);
  }
}

static void
compare_outputs (Comparison *comparison, const LbManifestStage *stage, const LbManifestStage *now)
{
  for (guint i = 0; i < stage->outputs->len; i++) {
    const LbManifestOutput *output = stage->outputs->pdata[i], *other = lb_manifest_output (now, output->port);
    if (other == NULL) {
      tell (comparison->parted, "stage '%s': output '%s' is not there any more", stage->name, output->port);
      continue;
    }
    for (guint k = 0; k < MIN (output->packets->len, other->packets->len); k++)
      compare_packet (comparison, stage, output, k, now, other);
    compare_groups (comparison, stage, output, other);
    if (output->n_packets != other->n_packets)
      tell (comparison->parted, "stage '%s', output '%s': %" G_GUINT64_FORMAT " packets, was %" G_GUINT64_FORMAT,
            stage->name, output->port, other->n_packets, output->n_packets);
  }
}

/* ---- Metrics ---- */

static const LbManifestMetric *
find_metric (const LbManifestStage *stage, const char *name, guint nth)
{
  for (guint i = 0; i < stage->metrics->len; i++) {
    const LbManifestMetric *metric = stage->metrics->pdata[i];
    if (strcmp (metric->name, name) == 0 && nth-- == 0)
      return metric;
  }
  return NULL;
}

static void
compare_metrics (Comparison *comparison, const LbManifestStage *stage, const LbManifestStage *now)
{
  for (guint i = 0; i < stage->metrics->len; i++) {
    const LbManifestMetric *metric = stage->metrics->pdata[i];
    guint nth = 0;
    for (guint k = 0; k < i; k++)
      nth += strcmp (((LbManifestMetric *)stage->metrics->pdata[k])->name, metric->name) == 0;
    const LbManifestMetric *other = find_metric (now, metric->name, nth);
    comparison->n_compared++;
    if (other == NULL) {
      tell (comparison->parted, "stage '%s': metric '%s' (%u) is not there any more", stage->name, metric->name,
            nth + 1);
      continue;
    }
    double allowed = comparison->close ? metric->tolerance : 0, off = fabs (other->value - metric->value);
    gboolean same = metric->value == other->value || (isnan (metric->value) && isnan (other->value));
    if (!same && !(off <= allowed))
      tell (comparison->parted,
            "stage '%s': metric '%s' (%u) is %.9g, was %.9g; that is off by %.3g, where %.3g is allowed", stage->name,
            metric->name, nth + 1, other->value, metric->value, off, allowed);
  }
}

/* ---- Result files ---- */

/* The arrays of a result in numpy's format; NULL for any other. */
static GArray *
read_result (const LbRunSide *side, const char *name)
{
  g_autofree char *path = side->results != NULL ? g_build_filename (side->results, name, NULL) : NULL;
  return path != NULL && g_str_has_suffix (name, ".npz") ? read_arrays (path) : NULL;
}

static void
compare_arrays (Comparison *comparison, const LbManifestStage *stage, const char *name, const GArray *before,
                const GArray *now)
{
  for (guint i = 0; i < before->len; i++) {
    const LbNamedTensor *array = &g_array_index (before, LbNamedTensor, i);
    LbTensor *other = find_tensor (now, array->name);
    g_autofree char *digest = lb_tensor_digest (array->tensor), *by = NULL;
    g_autofree char *digest_now = other != NULL ? lb_tensor_digest (other) : NULL;
    if (digest_now != NULL && strcmp (digest, digest_now) == 0)
      continue;
    if (other == NULL || (by = difference (comparison, array->tensor, other)) != NULL)
      tell (comparison->parted, "stage '%s', file '%s', array '%s': %s%s, was %s%s", stage->name, name, array->name,
            digest_now != NULL ? "SHA-256 " : "not there any more", digest_now != NULL ? digest_now : "", digest,
            by != NULL ? by : "");
  }
}

static void
compare_result (Comparison *comparison, const LbManifestStage *stage, const LbManifestResult *result,
                const LbManifestResult *now)
{
  if (strcmp (result->digest, now->digest) == 0)
    return;
  g_autoptr (GArray) before = read_result (comparison->first, result->name);
  g_autoptr (GArray) after = read_result (comparison->second, now->name);
  if (before != NULL && after != NULL)
    compare_arrays (comparison, stage, result->name, before, after);
  /* Of other files nobody knows what would be close. */
  else if (comparison->close)
    comparison->n_unknown++;
  else
    tell (comparison->parted,
          "stage '%s', file '%s': %" G_GUINT64_FORMAT " bytes with SHA-256 %s, was %" G_GUINT64_FORMAT " bytes with %s",
          stage->name, result->name, now->bytes, now->digest, result->bytes, result->digest);
}

static void
compare_results (Comparison *comparison, const LbManifestStage *stage, const LbManifestStage *now)
{
  for (guint i = 0; i < stage->results->len; i++) {
    const LbManifestResult *result = stage->results->pdata[i], *other = NULL;
    for (guint k = 0; other == NULL && k < now->results->len; k++)
      if (strcmp (((LbManifestResult *)now->results->pdata[k])->name, result->name) == 0)
        other = now->results->pdata[k];
    comparison->n_compared++;
    if (other != NULL)
      compare_result (comparison, stage, result, other);
    else
      tell (comparison->parted, "stage '%s': file '%s' is not there any more", stage->name, result->name);
  }
}

LbComparison *
lb_compare_results (const LbRunSide *first, const LbRunSide *second, gboolean close)
{
  Comparison comparison = { .first = first,
                            .second = second,
                            .close = close,
                            .tolerance = first->manifest->tolerance,
                            .parted = g_ptr_array_new_with_free_func (g_free) };
  for (guint i = 0; i < first->manifest->stages->len; i++) {
    const LbManifestStage *stage = first->manifest->stages->pdata[i];
    const LbManifestStage *now = lb_manifest_stage (second->manifest, stage->name);
    if (now == NULL) {
      tell (comparison.parted, "stage '%s' is not there any more", stage->name);
      continue;
    }
    compare_outputs (&comparison, stage, now);
    compare_metrics (&comparison, stage, now);
    if (!stage->closes)
      compare_results (&comparison, stage, now);
  }
  LbComparison *result = g_new (LbComparison, 1);
  *result = (LbComparison){ comparison.parted, comparison.n_compared, comparison.n_unknown };
  return result;
}

void
lb_comparison_free (LbComparison *comparison)
{
  if (comparison == NULL)
    return;
  g_ptr_array_unref (comparison->parted);
  g_free (comparison);
}

/* ---- Circumstances ---- */

static void
compare_facts (GPtrArray *lines, const char *prefix, const GPtrArray *first, const GPtrArray *second)
{
  for (guint i = 0; i < first->len; i++) {
    const LbFact *fact = first->pdata[i];
    const char *now = lb_fact_get (second, fact->name);
    if (g_strcmp0 (fact->value, now) != 0)
      tell (lines, "%s%s: %s, was %s", prefix, fact->name, now != NULL ? now : "not told",
            fact->value != NULL ? fact->value : "not told");
  }
  for (guint i = 0; i < second->len; i++) {
    const LbFact *fact = second->pdata[i];
    gboolean known = FALSE;
    for (guint k = 0; !known && k < first->len; k++)
      known = strcmp (((LbFact *)first->pdata[k])->name, fact->name) == 0;
    if (!known)
      tell (lines, "%s%s: %s, was not there", prefix, fact->name, fact->value != NULL ? fact->value : "not told");
  }
}

/* Overrides share names: they are compared in order. */
static void
compare_overrides (GPtrArray *lines, const GPtrArray *first, const GPtrArray *second)
{
  for (guint i = 0; i < MAX (first->len, second->len); i++) {
    const LbFact *before = i < first->len ? first->pdata[i] : NULL, *now = i < second->len ? second->pdata[i] : NULL;
    if (before == NULL || now == NULL || strcmp (before->value, now->value) != 0)
      tell (lines, "given on the command line: --%s %s, was --%s %s", now != NULL ? now->name : "",
            now != NULL ? now->value : "", before != NULL ? before->name : "", before != NULL ? before->value : "");
  }
}

static void
compare_inputs (GPtrArray *lines, const LbManifestStage *first, const LbManifestStage *second)
{
  g_autofree char *prefix = g_strdup_printf ("stage '%s', file of property ", first->name);
  compare_facts (lines, prefix, first->files, second->files);
}

static void
compare_stage (GPtrArray *lines, const LbManifestStage *first, const LbManifestStage *second)
{
  g_autofree char *prefix = g_strdup_printf ("stage '%s', property ", first->name);
  if (strcmp (first->type, second->type) != 0)
    tell (lines, "stage '%s': plugin %s, was %s", first->name, second->type, first->type);
  compare_facts (lines, prefix, first->properties, second->properties);
  compare_inputs (lines, first, second);
  for (guint i = 0; i < MAX (first->sources->len, second->sources->len); i++) {
    const LbFact *before = i < first->sources->len ? first->sources->pdata[i] : NULL;
    const LbFact *now = i < second->sources->len ? second->sources->pdata[i] : NULL;
    if (before == NULL || now == NULL || strcmp (before->value, now->value) != 0
        || strcmp (before->name, now->name) != 0)
      tell (lines, "stage '%s', input %u: %s, was %s", first->name, i + 1, now != NULL ? now->value : "none",
            before != NULL ? before->value : "none");
  }
}

GPtrArray *
lb_compare_circumstances (const LbManifest *first, const LbManifest *second)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  if (strcmp (first->title, second->title) != 0)
    tell (lines, "title: %s, was %s", second->title, first->title);
  if (strcmp (first->seed, second->seed) != 0)
    tell (lines, "seed: %s, was %s", second->seed, first->seed);
  compare_overrides (lines, first->overrides, second->overrides);
  compare_facts (lines, "", first->facts, second->facts);
  compare_facts (lines, "", first->plugins, second->plugins);
  for (guint i = 0; i < first->stages->len; i++) {
    const LbManifestStage *stage = first->stages->pdata[i];
    const LbManifestStage *now = lb_manifest_stage (second, stage->name);
    if (now != NULL)
      compare_stage (lines, stage, now);
    else
      tell (lines, "stage '%s': not there any more", stage->name);
  }
  for (guint i = 0; i < second->stages->len; i++)
    if (lb_manifest_stage (first, ((LbManifestStage *)second->stages->pdata[i])->name) == NULL)
      tell (lines, "stage '%s': was not there", ((LbManifestStage *)second->stages->pdata[i])->name);
  return lines;
}
