/* Reading of manifests.
 *
 * A getter takes the object, the member's name and the place for messages; the first that fails sets the error, and all
 * behind it does nothing, so that one check at the end of a part is enough.
 */
#include "archive/manifest.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/provenance.h"

#define MOST_DEPTH 32
#define MOST_ITEMS 4096
#define TOLERANCE  0.05 /* of tensors where the manifest says none */

typedef struct {
  const char *place;
  GError *error; /* the first */
} Reader;

/* ---- JSON ---- */

static gboolean
is_json (const char *text, gsize length)
{
  guint depth = 0;
  gboolean in_string = FALSE;
  for (gsize i = 0; i < length; i++) {
    char c = text[i];
    if (in_string) {
      i += c == '\\';
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    if (c == '[' || c == '{')
      depth++;
    else if ((c == ']' || c == '}') && depth > 0)
      depth--;
    else if (!g_ascii_isalnum (c) && strchr (" \t\r\n\":,+-.", c) == NULL)
      return FALSE;
    if (depth > MOST_DEPTH || c == '\0')
      return FALSE;
  }
  return !in_string && depth == 0;
}

JsonNode *
lb_json_parse (const char *place, const char *text, gsize length, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  if (is_json (text, length) && g_utf8_validate (text, (gssize)length, NULL)
      && json_parser_load_from_data (parser, text, (gssize)length, NULL) && json_parser_get_root (parser) != NULL)
    return json_parser_steal_root (parser);
  lb_input_error (place, error, "is not JSON, or nested deeper than %d levels; get the file again", MOST_DEPTH);
  return NULL;
}

static void G_GNUC_PRINTF (3, 4) fail (Reader *reader, const char *name, const char *format, ...)
{
  if (reader->error != NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  lb_input_error (reader->place, &reader->error, "member '%s' %s; it is not as Limbeck writes it", name, what);
}

/* NULL, for null and with @may_lack for what is not there too. */
static const char *
get_text (Reader *reader, JsonObject *object, const char *name, gboolean may_lack)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;
  if (node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    return json_node_get_string (node);
  if (!may_lack || (node != NULL && !JSON_NODE_HOLDS_NULL (node)))
    fail (reader, name, "is %s, where a text was expected", node == NULL ? "missing" : "no text");
  return NULL;
}

static char *
take_text (Reader *reader, JsonObject *object, const char *name, gboolean may_lack)
{
  return g_strdup (get_text (reader, object, name, may_lack));
}

static void
get_digest (Reader *reader, JsonObject *object, char digest[LB_DIGEST_SIZE])
{
  const char *text = get_text (reader, object, "sha256", FALSE);
  if (lb_is_digest (text))
    g_strlcpy (digest, text, LB_DIGEST_SIZE);
  else
    fail (reader, "sha256", "is no SHA-256 in 64 hexadecimal digits");
}

static guint64
get_count (Reader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;
  if (node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64
      && json_node_get_int (node) >= 0)
    return (guint64)json_node_get_int (node);
  fail (reader, name, "is no whole number of 0 or more");
  return 0;
}

/* A number, or the name of one that JSON does not know. */
static double
get_number (Reader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;
  GType type = node != NULL && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
  if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE)
    return json_node_get_double (node);
  if (type == G_TYPE_STRING
      && g_strv_contains ((const char *const[]){ "nan", "inf", "-inf", NULL }, json_node_get_string (node)))
    return g_ascii_strtod (json_node_get_string (node), NULL);
  fail (reader, name, "is no number");
  return 0;
}

static JsonObject *
get_object (Reader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;
  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);
  fail (reader, name, "is no object");
  return NULL;
}

static JsonArray *
get_array (Reader *reader, JsonObject *object, const char *name)
{
  JsonNode *node = object != NULL ? json_object_get_member (object, name) : NULL;
  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node))
    return json_node_get_array (node);
  fail (reader, name, "is no list");
  return NULL;
}

/* Of a list whose items are looked up one among the others. */
static guint
short_length (Reader *reader, JsonArray *array, const char *name)
{
  guint n = array != NULL && reader->error == NULL ? json_array_get_length (array) : 0;
  if (n > MOST_ITEMS)
    fail (reader, name, "has %u items, where at most %d were expected", n, MOST_ITEMS);
  return n > MOST_ITEMS ? 0 : n;
}

static guint
length (Reader *reader, JsonArray *array)
{
  return array != NULL && reader->error == NULL ? json_array_get_length (array) : 0;
}

static JsonObject *
item (Reader *reader, JsonArray *array, const char *name, guint index)
{
  JsonNode *node = json_array_get_element (array, index);
  if (JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);
  fail (reader, name, "has an item that is no object");
  return NULL;
}

/* A name of a stage or port becomes a part of paths. */
static char *
take_name (Reader *reader, JsonObject *object, const char *name)
{
  const char *text = get_text (reader, object, name, FALSE);
  gboolean good = text != NULL && g_ascii_isalpha (text[0]) && strlen (text) <= 200;
  for (const char *c = text; good && *c != '\0'; c++)
    good = g_ascii_isalnum (*c) || *c == '-' || *c == '_';
  if (!good)
    fail (reader, name, "is no name of a stage or port");
  return g_strdup (good ? text : "");
}

/* A path that is a member's below @folder. */
static char *
take_path (Reader *reader, JsonObject *object, const char *name, const char *folder)
{
  const char *text = get_text (reader, object, name, FALSE);
  g_autofree char *path = g_strconcat (folder, text, NULL);
  if (text == NULL || lb_member_fault (path) != NULL) {
    fail (reader, name, "is no path inside an archive");
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
read_facts (Reader *reader, GPtrArray *facts, JsonObject *object, const char *prefix, const char *const *names)
{
  for (guint i = 0; names[i] != NULL; i++)
    add_fact (facts, g_strdup_printf ("%s %s", prefix, names[i]), get_text (reader, object, names[i], TRUE));
}

/* An object whose members are all texts. */
static void
read_texts (Reader *reader, GPtrArray *facts, JsonObject *object)
{
  g_autoptr (GList) names = object != NULL ? json_object_get_members (object) : NULL;
  for (GList *at = names; at != NULL; at = at->next)
    add_fact (facts, g_strdup (at->data), get_text (reader, object, at->data, TRUE));
}

static void
read_overrides (Reader *reader, LbManifest *manifest, JsonObject *object)
{
  static const char *const lists[] = { "params", "set" };
  const char *seed = object != NULL ? get_text (reader, object, "seed", TRUE) : NULL;
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++) {
    JsonArray *array = get_array (reader, object, lists[i]);
    for (guint k = 0; k < length (reader, array); k++) {
      JsonNode *node = json_array_get_element (array, k);
      if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
        add_fact (manifest->overrides, g_strdup (i == 0 ? "param" : "set"), json_node_get_string (node));
      else
        fail (reader, lists[i], "has an item that is no text");
    }
  }
  if (seed != NULL)
    add_fact (manifest->overrides, g_strdup ("seed"), seed);
}

static void
read_facts_of_machine (Reader *reader, LbManifest *manifest, JsonObject *root)
{
  static const char *const framework[] = { "version", "interface", "source", "binary", "compiler", "flags", NULL };
  static const char *const machine[] = { "processor", "features", "system", "libc", "arithmetic", NULL };
  static const char *const plugin[] = { "version", "licence", "interface", "source", "binary", NULL };
  read_facts (reader, manifest->facts, get_object (reader, root, "framework"), "framework", framework);
  read_facts (reader, manifest->facts, get_object (reader, root, "machine"), "machine", machine);
  JsonArray *plugins = get_array (reader, root, "plugins");
  for (guint i = 0; i < length (reader, plugins); i++) {
    JsonObject *object = item (reader, plugins, "plugins", i);
    const char *name = get_text (reader, object, "name", FALSE);
    g_autofree char *prefix = g_strdup_printf ("plugin %s", name != NULL ? name : "");
    read_facts (reader, manifest->plugins, object, prefix, plugin);
  }
  JsonArray *schemas = get_array (reader, root, "schemas");
  for (guint i = 0; i < length (reader, schemas); i++) {
    JsonObject *object = item (reader, schemas, "schemas", i);
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
read_inputs (Reader *reader, LbManifest *manifest, JsonArray *array)
{
  for (guint i = 0; i < short_length (reader, array, "inputs"); i++) {
    JsonObject *object = item (reader, array, "inputs", i);
    LbManifestInput *input = g_new0 (LbManifestInput, 1);
    g_ptr_array_add (manifest->inputs, input);
    input->path = take_path (reader, object, "path", "");
    input->is_folder = g_strcmp0 (get_text (reader, object, "kind", FALSE), "folder") == 0;
    input->bytes = input->is_folder ? 0 : get_count (reader, object, "bytes");
    input->found = take_text (reader, object, "found", TRUE);
    get_digest (reader, object, input->digest);
    g_auto (GStrv) parts = g_strsplit (input->path, "/", -1);
    if (g_strv_length (parts) != 3 || strcmp (parts[0], "inputs") != 0 || strcmp (parts[1], input->digest) != 0)
      fail (reader, "path", "is not inputs/SHA-256/NAME");
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
check_packet (Reader *reader, const LbManifestPacket *packet)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  char digest[LB_DIGEST_SIZE];
  for (guint i = 0; i < packet->tensors->len; i++) {
    const LbManifestTensor *tensor = packet->tensors->pdata[i];
    g_string_append_printf (lines, "%s  %s\n", tensor->digest, tensor->name);
  }
  lb_sha256_of (lines->str, lines->len, digest);
  if (strcmp (digest, packet->digest) != 0)
    fail (reader, "sha256", "of a packet is %s, which is not that of its tensors' digests, %s", packet->digest, digest);
}

static LbManifestPacket *
read_packet (Reader *reader, JsonObject *object)
{
  LbManifestPacket *packet = g_new0 (LbManifestPacket, 1);
  JsonArray *tensors = get_array (reader, object, "tensors");
  packet->tensors = g_ptr_array_new_with_free_func (tensor_free);
  get_digest (reader, object, packet->digest);
  for (guint i = 0; i < length (reader, tensors); i++) {
    JsonObject *entry = item (reader, tensors, "tensors", i);
    LbManifestTensor *tensor = g_new0 (LbManifestTensor, 1);
    g_ptr_array_add (packet->tensors, tensor);
    tensor->name = take_name (reader, entry, "name");
    tensor->type = take_text (reader, entry, "type", FALSE);
    get_digest (reader, entry, tensor->digest);
  }
  if (reader->error == NULL)
    check_packet (reader, packet);
  return packet;
}

/* No run sends more; sums cannot overflow. */
#define MOST_PACKETS ((guint64)1 << 48)

static void
read_group (Reader *reader, LbManifestOutput *output, JsonObject *object)
{
  LbManifestGroup group = { .first = output->n_packets, .n = get_count (reader, object, "packets") };
  get_digest (reader, object, group.digest);
  if (group.n == 0 || group.n > MOST_PACKETS - group.first)
    fail (reader, "packets", "of a group are %" G_GUINT64_FORMAT ", expected one or more", group.n);
  else
    g_array_append_val (output->groups, group);
  output->n_packets += group.n;
}

/* One packet, or behind such ones a group of them. */
static void
read_entry (Reader *reader, LbManifestOutput *output, JsonObject *object)
{
  if (object != NULL && json_object_has_member (object, "packets")) {
    read_group (reader, output, object);
  } else {
    if (output->groups->len > 0)
      fail (reader, "packets", "has a single packet behind a group of them");
    g_ptr_array_add (output->packets, read_packet (reader, object));
    output->n_packets++;
  }
}

static void
read_outputs (Reader *reader, LbManifestStage *stage, JsonArray *array)
{
  for (guint i = 0; i < short_length (reader, array, "outputs"); i++) {
    JsonObject *object = item (reader, array, "outputs", i);
    LbManifestOutput *output = g_new0 (LbManifestOutput, 1);
    output->packets = g_ptr_array_new_with_free_func (packet_free);
    output->groups = g_array_new (FALSE, FALSE, sizeof (LbManifestGroup));
    g_ptr_array_add (stage->outputs, output);
    output->port = take_name (reader, object, "port");
    output->schema = take_text (reader, object, "schema", FALSE);
    output->is_carried = object != NULL && json_object_get_boolean_member_with_default (object, "carried", FALSE);
    JsonArray *packets = get_array (reader, object, "packets");
    for (guint k = 0; k < length (reader, packets); k++)
      read_entry (reader, output, item (reader, packets, "packets", k));
  }
}

static void
read_results (Reader *reader, LbManifestStage *stage, JsonArray *array)
{
  for (guint i = 0; i < length (reader, array); i++) {
    JsonObject *object = item (reader, array, "results", i);
    LbManifestResult *result = g_new0 (LbManifestResult, 1);
    g_ptr_array_add (stage->results, result);
    result->name = take_path (reader, object, "name", "outputs/");
    result->bytes = get_count (reader, object, "bytes");
    get_digest (reader, object, result->digest);
  }
}

static void
read_metrics (Reader *reader, LbManifestStage *stage, JsonArray *array)
{
  for (guint i = 0; i < length (reader, array); i++) {
    JsonObject *object = item (reader, array, "metrics", i);
    LbManifestMetric *metric = g_new0 (LbManifestMetric, 1);
    g_ptr_array_add (stage->metrics, metric);
    metric->name = take_text (reader, object, "name", FALSE);
    metric->unit = take_text (reader, object, "unit", TRUE);
    metric->value = get_number (reader, object, "value");
    metric->tolerance = get_number (reader, object, "tolerance");
    if (!(metric->tolerance >= 0 && isfinite (metric->tolerance)))
      fail (reader, "tolerance", "is no number of 0 or more");
  }
}

static void
read_files (Reader *reader, const LbManifest *manifest, LbManifestStage *stage, JsonObject *object)
{
  read_texts (reader, stage->files, object);
  for (guint i = 0; i < stage->files->len; i++) {
    const LbFact *file = stage->files->pdata[i];
    if (file->value == NULL || lb_manifest_input (manifest, file->value) == NULL)
      fail (reader, file->name, "of a stage's files names no input");
  }
}

static void
read_stages (Reader *reader, LbManifest *manifest, JsonArray *array)
{
  for (guint i = 0; i < short_length (reader, array, "stages"); i++) {
    JsonObject *object = item (reader, array, "stages", i);
    LbManifestStage *stage = g_new0 (LbManifestStage, 1);
    stage->sources = g_ptr_array_new_with_free_func (fact_free);
    stage->properties = g_ptr_array_new_with_free_func (fact_free);
    stage->files = g_ptr_array_new_with_free_func (fact_free);
    stage->outputs = g_ptr_array_new_with_free_func (output_free);
    stage->results = g_ptr_array_new_with_free_func (result_free);
    stage->metrics = g_ptr_array_new_with_free_func (metric_free);
    g_autofree char *name = take_name (reader, object, "name");
    if (lb_manifest_stage (manifest, name) != NULL)
      fail (reader, "name", "is that of two stages, '%s'", name);
    g_ptr_array_add (manifest->stages, stage);
    stage->name = g_steal_pointer (&name);
    stage->type = take_text (reader, object, "type", FALSE);
    stage->plugin = take_text (reader, object, "plugin", TRUE);
    stage->closes = object != NULL && json_object_get_boolean_member_with_default (object, "closes", FALSE);
    JsonArray *sources = get_array (reader, object, "inputs");
    for (guint k = 0; k < length (reader, sources); k++) {
      JsonObject *source = item (reader, sources, "inputs", k);
      add_fact (stage->sources, take_text (reader, source, "port", FALSE), get_text (reader, source, "source", FALSE));
    }
    read_texts (reader, stage->properties, get_object (reader, object, "properties"));
    read_files (reader, manifest, stage, get_object (reader, object, "files"));
    read_outputs (reader, stage, get_array (reader, object, "outputs"));
    read_results (reader, stage, get_array (reader, object, "results"));
    read_metrics (reader, stage, get_array (reader, object, "metrics"));
  }
}

/* ---- The whole ---- */

static void
read_version (Reader *reader, JsonObject *root)
{
  guint64 version = get_count (reader, root, "limbeck-archive");
  if (reader->error == NULL && version != LB_MANIFEST_FORMAT)
    lb_input_error (reader->place, &reader->error,
                    "is of version %" G_GUINT64_FORMAT " of the format, where this limbeck (" LB_VERSION
                    ") reads version %d; take a newer limbeck",
                    version, LB_MANIFEST_FORMAT);
}

static void
read_manifest (Reader *reader, LbManifest *manifest, JsonObject *root)
{
  read_version (reader, root);
  JsonObject *run = get_object (reader, root, "run");
  manifest->title = take_text (reader, root, "title", FALSE);
  manifest->seed = g_strdup_printf ("%" G_GUINT64_FORMAT, get_count (reader, root, "seed"));
  manifest->started = take_text (reader, run, "started", FALSE);
  manifest->ended = take_text (reader, run, "ended", FALSE);
  read_overrides (reader, manifest, get_object (reader, root, "overrides"));
  read_facts_of_machine (reader, manifest, root);
  read_inputs (reader, manifest, get_array (reader, root, "inputs"));
  read_stages (reader, manifest, get_array (reader, root, "stages"));
  manifest->has_inputs = json_object_get_boolean_member_with_default (root, "has-inputs", FALSE);
  manifest->tolerance = json_object_has_member (root, "tolerance") ? get_number (reader, root, "tolerance") : TOLERANCE;
  if (!(manifest->tolerance >= 0 && isfinite (manifest->tolerance)))
    fail (reader, "tolerance", "is no number of 0 or more");
}

LbManifest *
lb_manifest_parse (const char *place, const char *text, gsize length, GError **error)
{
  g_autoptr (JsonNode) root = lb_json_parse (place, text, length, error);
  Reader reader = { .place = place };
  if (root == NULL)
    return NULL;
  g_autoptr (LbManifest) manifest = g_new0 (LbManifest, 1);
  manifest->overrides = g_ptr_array_new_with_free_func (fact_free);
  manifest->facts = g_ptr_array_new_with_free_func (fact_free);
  manifest->plugins = g_ptr_array_new_with_free_func (fact_free);
  manifest->schemas = g_ptr_array_new_with_free_func (fact_free);
  manifest->inputs = g_ptr_array_new_with_free_func (input_free);
  manifest->stages = g_ptr_array_new_with_free_func (stage_free);
  if (JSON_NODE_HOLDS_OBJECT (root))
    read_manifest (&reader, manifest, json_node_get_object (root));
  else
    lb_input_error (place, &reader.error, "is no JSON object; get the file again");
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
