/* Reading of manifests. */
#include "archive/manifest.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/provenance.h"

#define MOST_ITEMS 4096
#define TOLERANCE  0.05 /* of tensors where the manifest says none */

/* ---- Names ---- */

/* Of a list whose items are looked up one among the others. */
static guint
short_length (LbJsonReader *reader, JsonArray *array, const char *name)
{
  guint n = lb_json_length (reader, array);
  if (n > MOST_ITEMS)
    lb_json_fail (reader, name, "has %u items, where at most %d were expected", n, MOST_ITEMS);
  return n > MOST_ITEMS ? 0 : n;
}

static char *
take_text (LbJsonReader *reader, JsonObject *object, const char *name, gboolean may_lack)
{
  return g_strdup (lb_json_text (reader, object, name, may_lack));
}

/* A name of a stage or port becomes a part of paths. */
static char *
take_name (LbJsonReader *reader, JsonObject *object, const char *name)
{
  const char *text = lb_json_text (reader, object, name, FALSE);
  gboolean good = text != NULL && g_ascii_isalpha (text[0]) && strlen (text) <= 200;
  for (const char *c = text; good && *c != '\0'; c++)
    good = g_ascii_isalnum (*c) || *c == '-' || *c == '_';
  if (!good)
    lb_json_fail (reader, name, "is no name of a stage or port");
  return g_strdup (good ? text : "");
}

/* A path that is a member's below @folder. */
static char *
take_path (LbJsonReader *reader, JsonObject *object, const char *name, const char *folder)
{
  const char *text = lb_json_text (reader, object, name, FALSE);
  g_autofree char *path = g_strconcat (folder, text, NULL);
  if (text == NULL || lb_member_fault (path) != NULL) {
    lb_json_fail (reader, name, "is no path inside an archive");
    return g_strdup ("");
  }
  return g_strdup (text);
}

/* ---- Facts ---- */

static void
fact_free (gpointer data)
{
  LbFact *fact = data;
  g_free (fact->name);
  g_free (fact->value);
  g_free (fact);
}

static void
add_fact (GPtrArray *facts, char *name, const char *value)
{
  LbFact *fact = g_new (LbFact, 1);
  *fact = (LbFact){ name, g_strdup (value) };
  g_ptr_array_add (facts, fact);
}

const char *
lb_fact_get (const GPtrArray *facts, const char *name)
{
  for (guint i = 0; i < facts->len; i++) {
    const LbFact *fact = facts->pdata[i];
    if (strcmp (fact->name, name) == 0)
      return fact->value;
  }
  return NULL;
}

static void
read_facts (LbJsonReader *reader, GPtrArray *facts, JsonObject *object, const char *prefix, const char *const *names)
{
  for (guint i = 0; names[i] != NULL; i++)
    add_fact (facts, g_strdup_printf ("%s %s", prefix, names[i]), lb_json_text (reader, object, names[i], TRUE));
}

/* An object whose members are all texts. */
static void
read_texts (LbJsonReader *reader, GPtrArray *facts, JsonObject *object)
{
  g_autoptr (GList) names = object != NULL ? json_object_get_members (object) : NULL;
  for (GList *at = names; at != NULL; at = at->next)
    add_fact (facts, g_strdup (at->data), lb_json_text (reader, object, at->data, TRUE));
}

static void
read_overrides (LbJsonReader *reader, LbManifest *manifest, JsonObject *object)
{
  static const char *const lists[] = { "params", "set" };
  const char *seed = object != NULL ? lb_json_text (reader, object, "seed", TRUE) : NULL;
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    JsonArray *array = lb_json_array (reader, object, lists[i]);
    for (guint k = 0; k < lb_json_length (reader, array); k++) {
      const char *text = lb_json_item_text (reader, array, lists[i], k);
      add_fact (manifest->overrides, g_strdup (i == 0 ? "param" : "set"), text);
    }
  }
  if (seed != NULL)
    add_fact (manifest->overrides, g_strdup ("seed"), seed);
}

static void
read_facts_of_machine (LbJsonReader *reader, LbManifest *manifest, JsonObject *root)
{
  static const char *const framework[] = { "version", "interface", "source", "binary", "compiler", "flags", NULL };
  static const char *const machine[] = { "processor", "features", "system", "libc", "arithmetic", NULL };
  static const char *const plugin[] = { "version", "licence", "interface", "source", "binary", NULL };
  read_facts (reader, manifest->facts, lb_json_object (reader, root, "framework"), "framework", framework);
  read_facts (reader, manifest->facts, lb_json_object (reader, root, "machine"), "machine", machine);
  JsonArray *plugins = lb_json_array (reader, root, "plugins");
  for (guint i = 0; i < lb_json_length (reader, plugins); i++) {
    JsonObject *object = lb_json_item (reader, plugins, "plugins", i);
    const char *name = lb_json_text (reader, object, "name", FALSE);
    g_autofree char *prefix = g_strdup_printf ("plugin %s", name != NULL ? name : "");
    read_facts (reader, manifest->plugins, object, prefix, plugin);
  }
  JsonArray *schemas = lb_json_array (reader, root, "schemas");
  for (guint i = 0; i < lb_json_length (reader, schemas); i++) {
    JsonObject *object = lb_json_item (reader, schemas, "schemas", i);
    g_autofree char *path = take_path (reader, object, "path", "");
    add_fact (manifest->schemas, take_text (reader, object, "name", FALSE), path);
  }
}

/* ---- Inputs ---- */

static void
input_free (gpointer data)
{
  LbManifestInput *input = data;
  g_free (input->path);
  g_free (input->found);
  g_free (input);
}

static void
read_inputs (LbJsonReader *reader, LbManifest *manifest, JsonArray *array)
{
  for (guint i = 0; i < short_length (reader, array, "inputs"); i++) {
    JsonObject *object = lb_json_item (reader, array, "inputs", i);
    LbManifestInput *input = g_new0 (LbManifestInput, 1);
    g_ptr_array_add (manifest->inputs, input);
    input->path = take_path (reader, object, "path", "");
    input->is_folder = g_strcmp0 (lb_json_text (reader, object, "kind", FALSE), "folder") == 0;
    input->bytes = input->is_folder ? 0 : lb_json_count (reader, object, "bytes");
    input->found = take_text (reader, object, "found", TRUE);
    lb_json_digest (reader, object, input->digest);
    g_auto (GStrv) parts = g_strsplit (input->path, "/", -1);
    if (g_strv_length (parts) != 3 || strcmp (parts[0], "inputs") != 0 || strcmp (parts[1], input->digest) != 0)
      lb_json_fail (reader, "path", "is not inputs/SHA-256/NAME");
  }
}

/* ---- Stages ---- */

static void
tensor_free (gpointer data)
{
  LbManifestTensor *tensor = data;
  g_free (tensor->name);
  g_free (tensor->type);
  g_free (tensor);
}

static void
packet_free (gpointer data)
{
  LbManifestPacket *packet = data;
  g_ptr_array_unref (packet->tensors);
  g_free (packet);
}

static void
output_free (gpointer data)
{
  LbManifestOutput *output = data;
  g_free (output->port);
  g_free (output->schema);
  g_ptr_array_unref (output->packets);
  g_array_unref (output->groups);
  g_free (output);
}

static void
result_free (gpointer data)
{
  g_free (((LbManifestResult *)data)->name);
  g_free (data);
}

static void
metric_free (gpointer data)
{
  LbManifestMetric *metric = data;
  g_free (metric->name);
  g_free (metric->unit);
  g_free (metric);
}

static void
stage_free (gpointer data)
{
  LbManifestStage *stage = data;
  g_free (stage->name);
  g_free (stage->type);
  g_free (stage->plugin);
  g_ptr_array_unref (stage->sources);
  g_ptr_array_unref (stage->properties);
  g_ptr_array_unref (stage->files);
  g_ptr_array_unref (stage->outputs);
  g_ptr_array_unref (stage->results);
  g_ptr_array_unref (stage->metrics);
  g_free (stage);
}

/* The digest of a packet follows from those of its tensors. */
static void
check_packet (LbJsonReader *reader, const LbManifestPacket *packet)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  char digest[LB_DIGEST_SIZE];
  for (guint i = 0; i < packet->tensors->len; i++) {
    const LbManifestTensor *tensor = packet->tensors->pdata[i];
    g_string_append_printf (lines, "%s  %s\n", tensor->digest, tensor->name);
  }
  lb_sha256_of (lines->str, lines->len, digest);
  if (strcmp (digest, packet->digest) != 0)
    lb_json_fail (reader, "sha256", "of a packet is %s, which is not that of its tensors' digests, %s", packet->digest,
                  digest);
}

static LbManifestPacket *
read_packet (LbJsonReader *reader, JsonObject *object)
{
  LbManifestPacket *packet = g_new0 (LbManifestPacket, 1);
  JsonArray *tensors = lb_json_array (reader, object, "tensors");
  packet->tensors = g_ptr_array_new_with_free_func (tensor_free);
  lb_json_digest (reader, object, packet->digest);
  for (guint i = 0; i < lb_json_length (reader, tensors); i++) {
    JsonObject *entry = lb_json_item (reader, tensors, "tensors", i);
    LbManifestTensor *tensor = g_new0 (LbManifestTensor, 1);
    g_ptr_array_add (packet->tensors, tensor);
    tensor->name = take_name (reader, entry, "name");
    tensor->type = take_text (reader, entry, "type", FALSE);
    lb_json_digest (reader, entry, tensor->digest);
  }
  if (reader->error == NULL)
    check_packet (reader, packet);
  return packet;
}

/* No run sends more; sums cannot overflow. */
#define MOST_PACKETS ((guint64)1 << 48)

static void
read_group (LbJsonReader *reader, LbManifestOutput *output, JsonObject *object)
{
  LbManifestGroup group = { .first = output->n_packets, .n = lb_json_count (reader, object, "packets") };
  lb_json_digest (reader, object, group.digest);
  if (group.n == 0 || group.n > MOST_PACKETS - group.first)
    lb_json_fail (reader, "packets", "of a group are %" G_GUINT64_FORMAT ", expected one or more", group.n);
  else
    g_array_append_val (output->groups, group);
  output->n_packets += group.n;
}

/* One packet, or behind such ones a group of them. */
static void
read_entry (LbJsonReader *reader, LbManifestOutput *output, JsonObject *object)
{
  if (object != NULL && json_object_has_member (object, "packets")) {
    read_group (reader, output, object);
  } else {
    if (output->groups->len > 0)
      lb_json_fail (reader, "packets", "has a single packet behind a group of them");
    g_ptr_array_add (output->packets, read_packet (reader, object));
    output->n_packets++;
  }
}

static void
read_outputs (LbJsonReader *reader, LbManifestStage *stage, JsonArray *array)
{
  for (guint i = 0; i < short_length (reader, array, "outputs"); i++) {
    JsonObject *object = lb_json_item (reader, array, "outputs", i);
    LbManifestOutput *output = g_new0 (LbManifestOutput, 1);
    output->packets = g_ptr_array_new_with_free_func (packet_free);
    output->groups = g_array_new (FALSE, FALSE, sizeof (LbManifestGroup));
    g_ptr_array_add (stage->outputs, output);
    output->port = take_name (reader, object, "port");
    output->schema = take_text (reader, object, "schema", FALSE);
    output->is_carried = lb_json_boolean (reader, object, "carried", TRUE);
    JsonArray *packets = lb_json_array (reader, object, "packets");
    for (guint k = 0; k < lb_json_length (reader, packets); k++)
      read_entry (reader, output, lb_json_item (reader, packets, "packets", k));
  }
}

static void
read_results (LbJsonReader *reader, LbManifestStage *stage, JsonArray *array)
{
  for (guint i = 0; i < lb_json_length (reader, array); i++) {
    JsonObject *object = lb_json_item (reader, array, "results", i);
    LbManifestResult *result = g_new0 (LbManifestResult, 1);
    g_ptr_array_add (stage->results, result);
    result->name = take_path (reader, object, "name", "outputs/");
    result->bytes = lb_json_count (reader, object, "bytes");
    lb_json_digest (reader, object, result->digest);
  }
}

static void
read_metrics (LbJsonReader *reader, LbManifestStage *stage, JsonArray *array)
{
  for (guint i = 0; i < lb_json_length (reader, array); i++) {
    JsonObject *object = lb_json_item (reader, array, "metrics", i);
    LbManifestMetric *metric = g_new0 (LbManifestMetric, 1);
    g_ptr_array_add (stage->metrics, metric);
    metric->name = take_text (reader, object, "name", FALSE);
    metric->unit = take_text (reader, object, "unit", TRUE);
    metric->value = lb_json_number (reader, object, "value");
    metric->tolerance = lb_json_number (reader, object, "tolerance");
    if (!(metric->tolerance >= 0 && isfinite (metric->tolerance)))
      lb_json_fail (reader, "tolerance", "is no number of 0 or more");
  }
}

static void
read_files (LbJsonReader *reader, const LbManifest *manifest, LbManifestStage *stage, JsonObject *object)
{
  read_texts (reader, stage->files, object);
  for (guint i = 0; i < stage->files->len; i++) {
    const LbFact *file = stage->files->pdata[i];
    if (file->value == NULL || lb_manifest_input (manifest, file->value) == NULL)
      lb_json_fail (reader, file->name, "of a stage's files names no input");
  }
}

static void
read_stages (LbJsonReader *reader, LbManifest *manifest, JsonArray *array)
{
  for (guint i = 0; i < short_length (reader, array, "stages"); i++) {
    JsonObject *object = lb_json_item (reader, array, "stages", i);
    LbManifestStage *stage = g_new0 (LbManifestStage, 1);
    stage->sources = g_ptr_array_new_with_free_func (fact_free);
    stage->properties = g_ptr_array_new_with_free_func (fact_free);
    stage->files = g_ptr_array_new_with_free_func (fact_free);
    stage->outputs = g_ptr_array_new_with_free_func (output_free);
    stage->results = g_ptr_array_new_with_free_func (result_free);
    stage->metrics = g_ptr_array_new_with_free_func (metric_free);
    g_autofree char *name = take_name (reader, object, "name");
    if (lb_manifest_stage (manifest, name) != NULL)
      lb_json_fail (reader, "name", "is that of two stages, '%s'", name);
    g_ptr_array_add (manifest->stages, stage);
    stage->name = g_steal_pointer (&name);
    stage->type = take_text (reader, object, "type", FALSE);
    stage->plugin = take_text (reader, object, "plugin", TRUE);
    stage->closes = lb_json_boolean (reader, object, "closes", TRUE);
    JsonArray *sources = lb_json_array (reader, object, "inputs");
    for (guint k = 0; k < lb_json_length (reader, sources); k++) {
      JsonObject *source = lb_json_item (reader, sources, "inputs", k);
      add_fact (stage->sources, take_text (reader, source, "port", FALSE),
                lb_json_text (reader, source, "source", FALSE));
    }
    read_texts (reader, stage->properties, lb_json_object (reader, object, "properties"));
    read_files (reader, manifest, stage, lb_json_object (reader, object, "files"));
    read_outputs (reader, stage, lb_json_array (reader, object, "outputs"));
    read_results (reader, stage, lb_json_array (reader, object, "results"));
    read_metrics (reader, stage, lb_json_array (reader, object, "metrics"));
    lb_json_number (reader, object, "seconds"); /* told to people alone */
  }
}

/* ---- The whole ---- */

static void
read_version (LbJsonReader *reader, JsonObject *root)
{
  guint64 version = lb_json_count (reader, root, "limbeck-archive");
  if (reader->error == NULL && version != LB_MANIFEST_FORMAT)
    lb_input_error (reader->place, &reader->error,
                    "is of version %" G_GUINT64_FORMAT " of the format, where this limbeck (" LB_VERSION
                    ") reads version %d; take a newer limbeck",
                    version, LB_MANIFEST_FORMAT);
}

static void
read_manifest (LbJsonReader *reader, LbManifest *manifest, JsonObject *root)
{
  read_version (reader, root);
  JsonObject *run = lb_json_object (reader, root, "run");
  manifest->title = take_text (reader, root, "title", FALSE);
  manifest->seed = g_strdup_printf ("%" G_GUINT64_FORMAT, lb_json_count (reader, root, "seed"));
  manifest->started = take_text (reader, run, "started", FALSE);
  manifest->ended = take_text (reader, run, "ended", FALSE);
  read_overrides (reader, manifest, lb_json_object (reader, root, "overrides"));
  read_facts_of_machine (reader, manifest, root);
  read_inputs (reader, manifest, lb_json_array (reader, root, "inputs"));
  read_stages (reader, manifest, lb_json_array (reader, root, "stages"));
  manifest->has_inputs = lb_json_boolean (reader, root, "has-inputs", TRUE);
  manifest->tolerance
      = json_object_has_member (root, "tolerance") ? lb_json_number (reader, root, "tolerance") : TOLERANCE;
  if (!(manifest->tolerance >= 0 && isfinite (manifest->tolerance)))
    lb_json_fail (reader, "tolerance", "is no number of 0 or more");
}

LbManifest *
lb_manifest_parse (const char *place, const char *text, gsize length, GError **error)
{
  g_autoptr (JsonNode) root = lb_json_parse (place, text, length, error);
  LbJsonReader reader = { .place = place };
  if (root == NULL)
    return NULL;
  g_autoptr (LbManifest) manifest = g_new0 (LbManifest, 1);
  manifest->overrides = g_ptr_array_new_with_free_func (fact_free);
  manifest->facts = g_ptr_array_new_with_free_func (fact_free);
  manifest->plugins = g_ptr_array_new_with_free_func (fact_free);
  manifest->schemas = g_ptr_array_new_with_free_func (fact_free);
  manifest->inputs = g_ptr_array_new_with_free_func (input_free);
  manifest->stages = g_ptr_array_new_with_free_func (stage_free);
  JsonObject *object = lb_json_root (&reader, root);
  if (object != NULL)
    read_manifest (&reader, manifest, object);
  if (reader.error == NULL)
    return g_steal_pointer (&manifest);
  g_propagate_error (error, reader.error);
  return NULL;
}

void
lb_manifest_free (LbManifest *manifest)
{
  if (manifest == NULL)
    return;
  g_free (manifest->title);
  g_free (manifest->seed);
  g_free (manifest->started);
  g_free (manifest->ended);
  g_ptr_array_unref (manifest->overrides);
  g_ptr_array_unref (manifest->facts);
  g_ptr_array_unref (manifest->plugins);
  g_ptr_array_unref (manifest->schemas);
  g_ptr_array_unref (manifest->inputs);
  g_ptr_array_unref (manifest->stages);
  g_free (manifest);
}

const LbManifestStage *
lb_manifest_stage (const LbManifest *manifest, const char *name)
{
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    if (strcmp (stage->name, name) == 0)
      return stage;
  }
  return NULL;
}

const LbManifestOutput *
lb_manifest_output (const LbManifestStage *stage, const char *port)
{
  for (guint i = 0; i < stage->outputs->len; i++) {
    const LbManifestOutput *output = stage->outputs->pdata[i];
    if (strcmp (output->port, port) == 0)
      return output;
  }
  return NULL;
}

const LbManifestInput *
lb_manifest_input (const LbManifest *manifest, const char *path)
{
  for (guint i = 0; i < manifest->inputs->len; i++) {
    const LbManifestInput *input = manifest->inputs->pdata[i];
    if (strcmp (input->path, path) == 0)
      return input;
  }
  return NULL;
}

char *
lb_manifest_packet_member (const LbManifestStage *stage, const LbManifestOutput *output, guint64 index)
{
  return g_strdup_printf ("packets/%s/%s/%06" G_GUINT64_FORMAT ".npz", stage->name, output->port, index + 1);
}
