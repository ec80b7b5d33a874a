/* Writing of provenance. Objects are written in the order of the schema; lists of plugins, schemas and inputs by name
 * or digest, so that the same run gives the same text.
 */
#include "pipeline/provenance.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/machine.h"
#include "pipeline/digest.h"
#include "pipeline/journal.h"
#include "pipeline/resolved.h"

/* A file or folder that a property names. */
typedef struct {
  guint stage;
  const LbProperty *property;
  char *digest, *name, *path; /* @name: the last part of its path, @path: in an archive */
  char *content;              /* "sha256:DIGEST" */
  gboolean is_folder;
  guint64 bytes; /* of a file */
} Input;

struct _LbProvenance {
  const LbPlan *plan;
  GArray *inputs;             /* Input */
  char *framework_binary;     /* digests */
  GPtrArray *plugins;         /* LbStageEntry*, each plugin's first, by name; borrowed */
  GPtrArray *plugin_binaries; /* char*, beside it */
};

static void
input_clear (gpointer data)
{
  Input *input = data;
  g_free (input->digest);
  g_free (input->name);
  g_free (input->path);
  g_free (input->content);
}

/* ---- Before the run ---- */

/* A name that every file system takes, with the ending, which may tell the format. */
static char *
plain_name (const char *path)
{
  char *name = g_path_get_basename (path);
  for (char *c = name; *c != '\0'; c++)
    if (!g_ascii_isalnum (*c) && strchr ("._-+", *c) == NULL)
      *c = '_';
  if (name[0] == '.' || name[0] == '-')
    name[0] = '_';
  return name;
}

static void
add_input (LbProvenance *provenance, guint stage, const LbProperty *property, const char *path, const char *cache)
{
  struct stat status;
  if (stat (path, &status) != 0)
    return;
  Input input = { .stage = stage, .property = property, .is_folder = S_ISDIR (status.st_mode) };
  input.bytes = input.is_folder ? 0 : (guint64)status.st_size;
  input.digest = lb_digest_of_path (path, cache);
  input.name = plain_name (path);
  input.content = g_strconcat ("sha256:", input.digest, NULL);
  input.path = g_strdup_printf ("inputs/%s/%s", input.digest, input.name);
  g_array_append_val (provenance->inputs, input);
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const LbStageEntry *const *first = a, *const *second = b;
  return strcmp ((*first)->plugin->name, (*second)->plugin->name);
}

static void
add_plugin (LbProvenance *provenance, const LbStageEntry *entry)
{
  for (guint i = 0; i < provenance->plugins->len; i++)
    if (((LbStageEntry *)provenance->plugins->pdata[i])->plugin == entry->plugin)
      return;
  if (entry->plugin != NULL)
    g_ptr_array_add (provenance->plugins, (gpointer)entry);
}

LbProvenance *
lb_provenance_new (const LbPlan *plan, const char *cache)
{
  LbProvenance *provenance = g_new0 (LbProvenance, 1);
  g_autofree char *framework = lb_framework_path ();
  provenance->plan = plan;
  provenance->inputs = g_array_new (FALSE, FALSE, sizeof (Input));
  g_array_set_clear_func (provenance->inputs, input_clear);
  provenance->plugins = g_ptr_array_new ();
  provenance->plugin_binaries = g_ptr_array_new_with_free_func (g_free);
  provenance->framework_binary = lb_digest_of_path (framework, cache);
  for (guint i = 0; i < plan->n_stages; i++) {
    const LbPlanStage *stage = &plan->stages[i];
    for (const LbProperty *row = stage->entry->type->properties; row != NULL && row->name != NULL; row++) {
      const char *path = row->kind == LB_PROPERTY_PATH ? G_STRUCT_MEMBER (char *, stage->self, row->offset) : NULL;
      if (path != NULL && *path != '\0')
        add_input (provenance, i, row, path, cache);
    }
    add_plugin (provenance, stage->entry);
  }
  g_ptr_array_sort (provenance->plugins, compare_entries);
  for (guint i = 0; i < provenance->plugins->len; i++)
    g_ptr_array_add (provenance->plugin_binaries,
                     lb_digest_of_path (((LbStageEntry *)provenance->plugins->pdata[i])->path, cache));
  return provenance;
}

void
lb_provenance_free (LbProvenance *provenance)
{
  if (provenance == NULL)
    return;
  g_array_unref (provenance->inputs);
  g_ptr_array_unref (provenance->plugins);
  g_ptr_array_unref (provenance->plugin_binaries);
  g_free (provenance->framework_binary);
  g_free (provenance);
}

/* ---- Parts of the manifest ---- */

static void
begin (JsonBuilder *builder, const char *name, gboolean list)
{
  if (name != NULL)
    json_builder_set_member_name (builder, name);
  if (list)
    json_builder_begin_array (builder);
  else
    json_builder_begin_object (builder);
}

static void
add_texts (JsonBuilder *builder, const char *name, const char *const *texts)
{
  begin (builder, name, TRUE);
  for (guint i = 0; texts != NULL && texts[i] != NULL; i++)
    json_builder_add_string_value (builder, texts[i]);
  json_builder_end_array (builder);
}

static char *
iso_time (gint64 real_time)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (real_time / G_USEC_PER_SEC);
  return g_date_time_format_iso8601 (time);
}

static void
add_run (JsonBuilder *builder, const LbPipeline *pipeline, const LbProvenanceEnd *end)
{
  g_autofree char *started = iso_time (end->started);
  g_autofree char *ended = iso_time (end->started + (gint64)(end->seconds * G_USEC_PER_SEC));
  begin (builder, "overrides", FALSE);
  add_texts (builder, "params", (const char *const *)pipeline->overrides.params);
  add_texts (builder, "set", (const char *const *)pipeline->overrides.settings);
  lb_json_add_text (builder, "seed", pipeline->overrides.seed);
  json_builder_end_object (builder);
  begin (builder, "run", FALSE);
  lb_json_add_text (builder, "started", started);
  lb_json_add_text (builder, "ended", ended);
  lb_json_add_number (builder, "seconds", end->seconds);
  lb_json_add_integer (builder, "threads", end->threads);
  json_builder_end_object (builder);
}

static void
add_machine (JsonBuilder *builder, const LbProvenance *provenance, const LbProvenanceEnd *end)
{
  g_autofree char *interface = g_strdup_printf ("%d.%d", LB_INTERFACE_MAJOR, LB_INTERFACE_MINOR);
  g_autofree char *processor = lb_machine_processor (), *features = lb_machine_features ();
  g_autofree char *system = lb_machine_system (), *libc = lb_machine_libc ();
  begin (builder, "framework", FALSE);
  lb_json_add_text (builder, "version", LB_VERSION);
  lb_json_add_text (builder, "interface", interface);
  lb_json_add_text (builder, "source", lb_build_source ());
  lb_json_add_text (builder, "binary", provenance->framework_binary);
  lb_json_add_text (builder, "compiler", lb_build_compiler ());
  lb_json_add_text (builder, "flags", lb_build_flags ());
  json_builder_end_object (builder);
  begin (builder, "machine", FALSE);
  lb_json_add_text (builder, "processor", processor);
  lb_json_add_text (builder, "features", features);
  lb_json_add_text (builder, "system", system);
  lb_json_add_text (builder, "libc", libc);
  lb_json_add_text (builder, "arithmetic", end->arithmetic);
  json_builder_end_object (builder);
}

static void
add_plugins (JsonBuilder *builder, const LbProvenance *provenance)
{
  begin (builder, "plugins", TRUE);
  for (guint i = 0; i < provenance->plugins->len; i++) {
    const LbPlugin *plugin = ((LbStageEntry *)provenance->plugins->pdata[i])->plugin;
    g_autofree char *interface = g_strdup_printf ("%u.%u", plugin->interface_major, plugin->interface_minor);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", plugin->name);
    lb_json_add_text (builder, "version", plugin->version);
    lb_json_add_text (builder, "licence", plugin->licence);
    lb_json_add_text (builder, "interface", interface);
    lb_json_add_text (builder, "source", lb_plugin_source (plugin));
    lb_json_add_text (builder, "binary", provenance->plugin_binaries->pdata[i]);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

/* The schemas of all outputs and what they extend, by name; free with g_ptr_array_unref(). */
static GPtrArray *
find_schemas (const LbPlan *plan)
{
  LbSchemas *all = lb_registry_schemas (plan->registry);
  g_autofree const char **names = lb_schemas_names (all);
  GPtrArray *used = g_ptr_array_new ();
  for (guint i = 0; names[i] != NULL; i++) {
    const LbSchema *schema = lb_schemas_find (all, names[i]);
    gboolean is_used = FALSE;
    for (guint k = 0; k < plan->n_stages; k++)
      for (guint n = 0; n < plan->stages[k].configured->outputs->len; n++)
        is_used = is_used || lb_schema_is_a (lb_spec_schema (lb_plan_spec (plan, k, n)), schema);
    if (is_used)
      g_ptr_array_add (used, (gpointer)schema);
  }
  return used;
}

static char *
schema_member (const LbSchema *schema)
{
  return g_strdup_printf ("schemas/%s.yaml", schema->name);
}

static void
add_schemas (JsonBuilder *builder, GPtrArray *schemas)
{
  begin (builder, "schemas", TRUE);
  for (guint i = 0; i < schemas->len; i++) {
    const LbSchema *schema = schemas->pdata[i];
    g_autofree char *path = schema_member (schema);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", schema->name);
    lb_json_add_integer (builder, "version", schema->version);
    lb_json_add_text (builder, "path", path);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_inputs (JsonBuilder *builder, const LbProvenance *provenance)
{
  g_autoptr (GHashTable) told = g_hash_table_new (g_str_hash, g_str_equal);
  begin (builder, "inputs", TRUE);
  for (guint i = 0; i < provenance->inputs->len; i++) {
    const Input *input = &g_array_index (provenance->inputs, Input, i);
    const LbPlanStage *stage = &provenance->plan->stages[input->stage];
    if (!g_hash_table_add (told, input->path))
      continue;
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "path", input->path);
    lb_json_add_text (builder, "kind", input->is_folder ? "folder" : "file");
    if (!input->is_folder)
      lb_json_add_integer (builder, "bytes", (gint64)input->bytes);
    lb_json_add_text (builder, "sha256", input->digest);
    lb_json_add_text (builder, "found", G_STRUCT_MEMBER (char *, stage->self, input->property->offset));
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

/* ---- Stages ---- */

static const Input *
find_input (const LbProvenance *provenance, guint stage, const LbProperty *property)
{
  for (guint i = 0; i < provenance->inputs->len; i++) {
    const Input *input = &g_array_index (provenance->inputs, Input, i);
    if (input->stage == stage && input->property == property)
      return input;
  }
  return NULL;
}

static void
add_properties (JsonBuilder *builder, const LbProvenance *provenance, guint index)
{
  const LbPlanStage *stage = &provenance->plan->stages[index];
  begin (builder, "properties", FALSE);
  for (const LbProperty *row = stage->entry->type->properties; row != NULL && row->name != NULL; row++) {
    const Input *input = find_input (provenance, index, row);
    g_autofree char *text = input != NULL ? g_strdup (input->path) : lb_property_to_text (row, stage->self);
    lb_json_add_text (builder, row->name, text);
  }
  json_builder_end_object (builder);
  begin (builder, "files", FALSE);
  for (guint i = 0; i < provenance->inputs->len; i++) {
    const Input *input = &g_array_index (provenance->inputs, Input, i);
    if (input->stage == index)
      lb_json_add_text (builder, input->property->name, input->path);
  }
  json_builder_end_object (builder);
}

static void
add_packet (JsonBuilder *builder, const GArray *fields)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  char digest[LB_DIGEST_SIZE];
  for (guint i = 0; i < fields->len; i++) {
    const LbSentField *field = &g_array_index (fields, LbSentField, i);
    g_string_append_printf (lines, "%s  %s\n", field->digest, field->name);
  }
  lb_sha256_of (lines->str, lines->len, digest);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "sha256", digest);
  begin (builder, "tensors", TRUE);
  for (guint i = 0; i < fields->len; i++) {
    const LbSentField *field = &g_array_index (fields, LbSentField, i);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", field->name);
    lb_json_add_text (builder, "type", field->type);
    lb_json_add_text (builder, "sha256", field->digest);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
add_group (JsonBuilder *builder, const LbSentGroup *group)
{
  char digest[LB_DIGEST_SIZE];
  lb_digest_to_text (group->digest, digest);
  json_builder_begin_object (builder);
  lb_json_add_integer (builder, "packets", (gint64)group->n);
  lb_json_add_text (builder, "sha256", digest);
  json_builder_end_object (builder);
}

static void
add_outputs (JsonBuilder *builder, const LbPlan *plan, guint index, const LbLedger *ledger)
{
  begin (builder, "outputs", TRUE);
  for (guint i = 0; i < ledger->sent->len; i++) {
    const LbSent *sent = ledger->sent->pdata[i];
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "port", lb_plan_output (plan, index, i)->name);
    lb_json_add_text (builder, "schema", lb_spec_schema (lb_plan_spec (plan, index, i))->name);
    begin (builder, "packets", TRUE);
    for (guint k = 0; k < sent->packets->len; k++)
      add_packet (builder, sent->packets->pdata[k]);
    for (guint k = 0; k < sent->groups->len; k++)
      add_group (builder, &g_array_index (sent->groups, LbSentGroup, k));
    json_builder_end_array (builder);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static int
compare_kept (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const LbKept *const *)a)->name, (*(const LbKept *const *)b)->name);
}

static void
add_results (JsonBuilder *builder, const char *directory, const LbLedger *ledger)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  for (guint i = 0; i < ledger->files->len; i++)
    g_ptr_array_add (files, &g_array_index (ledger->files, LbKept, i));
  g_ptr_array_sort (files, compare_kept);
  begin (builder, "results", TRUE);
  for (guint i = 0; i < files->len; i++) {
    const LbKept *file = files->pdata[i];
    g_autofree char *path = g_build_filename (directory, file->name, NULL);
    struct stat status;
    /* One that a stage has named and never written is no result. */
    if (stat (path, &status) != 0)
      continue;
    g_autofree char *digest = lb_digest_of_path (path, NULL);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", file->name);
    lb_json_add_integer (builder, "bytes", (gint64)status.st_size);
    lb_json_add_text (builder, "sha256", digest);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_metrics (JsonBuilder *builder, const GPtrArray *metrics)
{
  begin (builder, "metrics", TRUE);
  for (guint i = 0; i < metrics->len; i++) {
    const LbMetric *metric = metrics->pdata[i];
    gboolean is_fraction = g_strcmp0 (metric->unit, "fraction") == 0;
    double tolerance = is_fraction ? LB_TOLERANCE_FRACTION : LB_TOLERANCE_RELATIVE * fabs (metric->value);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "name", metric->name);
    if (isfinite (metric->value))
      lb_json_add_number (builder, "value", metric->value);
    else
      lb_json_add_text (builder, "value", isnan (metric->value) ? "nan" : metric->value > 0 ? "inf" : "-inf");
    lb_json_add_text (builder, "unit", metric->unit);
    lb_json_add_number (builder, "tolerance", isfinite (tolerance) ? tolerance : 0);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_stage (JsonBuilder *builder, const LbProvenance *provenance, guint index, const LbProvenanceEnd *end)
{
  const LbPlanStage *stage = &provenance->plan->stages[index];
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "name", stage->written->name);
  lb_json_add_text (builder, "type", stage->entry->type->name);
  lb_json_add_text (builder, "plugin", stage->entry->plugin != NULL ? stage->entry->plugin->name : NULL);
  json_builder_set_member_name (builder, "closes");
  json_builder_add_boolean_value (builder, (lb_stage_entry_flags (stage->entry) & LB_STAGE_CLOSES) != 0);
  begin (builder, "inputs", TRUE);
  for (guint i = 0; i < stage->links->len; i++) {
    const LbPlanLink *link = &g_array_index (stage->links, LbPlanLink, i);
    json_builder_begin_object (builder);
    lb_json_add_text (builder, "port", link->port->name);
    lb_json_add_text (builder, "source", link->written->source);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  add_properties (builder, provenance, index);
  add_outputs (builder, provenance->plan, index, end->ledgers[index]);
  add_results (builder, end->output_directory, end->ledgers[index]);
  add_metrics (builder, end->metrics[index]);
  lb_json_add_number (builder, "seconds", end->stage_seconds[index]);
  json_builder_end_object (builder);
}

/* Stages in an order in which each comes behind those it reads. */
static void
add_manifest (JsonBuilder *builder, const LbProvenance *provenance, const LbProvenanceEnd *end, GPtrArray *schemas)
{
  const LbPlan *plan = provenance->plan;
  begin (builder, "manifest", FALSE);
  lb_json_add_integer (builder, "limbeck-archive", LB_MANIFEST_FORMAT);
  lb_json_add_text (builder, "title", plan->pipeline->title);
  lb_json_add_integer (builder, "seed", plan->pipeline->seed);
  add_run (builder, plan->pipeline, end);
  add_machine (builder, provenance, end);
  add_plugins (builder, provenance);
  add_schemas (builder, schemas);
  add_inputs (builder, provenance);
  begin (builder, "stages", TRUE);
  for (guint k = 0; k < plan->n_ordered; k++)
    add_stage (builder, provenance, plan->order[k], end);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* ---- The texts beside it ---- */

static const char *
path_in_archive (gpointer data, guint stage, const LbProperty *property)
{
  const Input *input = find_input (data, stage, property);
  return input != NULL ? input->path : NULL;
}

/* An archive may be run again on inputs that lie under other names, and gives the same bits. Of a path where nothing
 * was when the run began nothing is told. */
static const char *
content_of (gpointer data, guint stage, const LbProperty *property)
{
  if (property->kind != LB_PROPERTY_PATH)
    return NULL;
  const Input *input = find_input (data, stage, property);
  return input != NULL ? input->content : "";
}

char *
lb_provenance_ancestry (const LbProvenance *provenance, guint index)
{
  return lb_plan_ancestry (provenance->plan, index, content_of, (gpointer)provenance);
}

static gboolean
add_schema_text (JsonBuilder *builder, const LbSchema *schema, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  if (!lb_file_read (schema->path, 1 << 20, &bytes, error))
    return FALSE;
  g_autofree char *name = schema_member (schema);
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  lb_json_add_text (builder, name, text);
  return TRUE;
}

gboolean
lb_provenance_write (const LbProvenance *provenance, const LbProvenanceEnd *end, GError **error)
{
  const LbPlan *plan = provenance->plan;
  g_autofree char *path = lb_journal_path (end->output_directory, LB_PROVENANCE_FILE);
  g_autofree char *resolved = lb_plan_to_portable_yaml (plan, path_in_archive, (gpointer)provenance);
  g_autoptr (GPtrArray) schemas = find_schemas (plan);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_manifest (builder, provenance, end, schemas);
  begin (builder, "texts", FALSE);
  lb_json_add_text (builder, "pipeline.written.yaml", plan->pipeline->document->text);
  lb_json_add_text (builder, "pipeline.yaml", resolved);
  for (guint i = 0; i < schemas->len; i++)
    if (!add_schema_text (builder, schemas->pdata[i], error))
      return FALSE;
  json_builder_end_object (builder);
  begin (builder, "keys", FALSE);
  for (guint i = 0; end->keys != NULL && i < plan->n_stages; i++)
    lb_json_add_text (builder, plan->stages[i].written->name, end->keys[i]);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  g_autofree char *text = lb_json_to_text (builder, TRUE);
  return lb_file_write (path, text, strlen (text), error);
}
