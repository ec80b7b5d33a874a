/* Writing of RO-Crate metadata. Every entity is one object of the graph; what refers to another does so by its @id.
 *
 * What each of the profiles requires is in tests/archive/crate_rules.py, which tests hold written archives against.
 */
#include "archive/crate.h"

#include <string.h>

#include "base/json.h"

#define LICENCE  "https://spdx.org/licenses/CC0-1.0"
#define LANGUAGE "#limbeck-pipeline"
#define ENGINE   "#limbeck"
#define RUN      "#run"

static const struct {
  const char *id, *name, *version;
} profiles[] = { { "https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5" },
                 { "https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5" },
                 { "https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5" },
                 { "https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0" } };

/* ---- Entities ---- */

/* Begins an entity; types are separated by spaces. */
static void
begin (JsonBuilder *builder, const char *id, const char *types, const char *name)
{
  g_auto (GStrv) list = g_strsplit (types, " ", -1);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "@id", id);
  json_builder_set_member_name (builder, "@type");
  if (list[1] != NULL)
    json_builder_begin_array (builder);
  for (guint i = 0; list[i] != NULL; i++)
    json_builder_add_string_value (builder, list[i]);
  if (list[1] != NULL)
    json_builder_end_array (builder);
  if (name != NULL)
    lb_json_add_text (builder, "name", name);
}

static void
end (JsonBuilder *builder)
{
  json_builder_end_object (builder);
}

static void
add_id (JsonBuilder *builder, const char *id)
{
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "@id", id);
  json_builder_end_object (builder);
}

static void
refer (JsonBuilder *builder, const char *name, const char *id)
{
  json_builder_set_member_name (builder, name);
  add_id (builder, id);
}

static void
begin_list (JsonBuilder *builder, const char *name)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
}

static void
end_list (JsonBuilder *builder)
{
  json_builder_end_array (builder);
}

/* A member's name as a relative URI. */
static char *
uri (const char *name)
{
  return g_uri_escape_string (name, "/", FALSE);
}

static char *
local_id (const char *kind, const char *name)
{
  return g_strdup_printf ("#%s/%s", kind, name);
}

/* ---- The crate ---- */

static void
add_descriptor (JsonBuilder *builder)
{
  begin (builder, "ro-crate-metadata.json", "CreativeWork", NULL);
  begin_list (builder, "conformsTo");
  add_id (builder, "https://w3id.org/ro/crate/1.1");
  add_id (builder, profiles[G_N_ELEMENTS (profiles) - 1].id);
  end_list (builder);
  refer (builder, "about", "./");
  end (builder);
}

static void
add_root (JsonBuilder *builder, const LbManifest *manifest, LbPack *pack)
{
  begin (builder, "./", "Dataset", manifest->title);
  lb_json_add_text (builder, "description",
                    "A run of a Limbeck pipeline with all that it takes to check it and to run it again; manifest.json "
                    "says what is here");
  lb_json_add_text (builder, "datePublished", manifest->ended);
  refer (builder, "license", LICENCE);
  begin_list (builder, "conformsTo");
  for (guint i = 0; i < G_N_ELEMENTS (profiles); i++)
    add_id (builder, profiles[i].id);
  end_list (builder);
  begin_list (builder, "hasPart");
  add_id (builder, LB_ARCHIVE_SUMS);
  add_id (builder, LB_ARCHIVE_MANIFEST);
  for (guint i = 0; i < lb_pack_n_members (pack); i++) {
    g_autofree char *id = uri (lb_pack_name (pack, i));
    add_id (builder, id);
  }
  end_list (builder);
  refer (builder, "mainEntity", LB_ARCHIVE_PIPELINE);
  begin_list (builder, "mentions");
  add_id (builder, RUN);
  for (guint i = 0; i < manifest->stages->len; i++) {
    g_autofree char *id = local_id ("action", ((LbManifestStage *)manifest->stages->pdata[i])->name);
    add_id (builder, id);
  }
  end_list (builder);
  end (builder);
}

static void
add_profiles (JsonBuilder *builder)
{
  for (guint i = 0; i < G_N_ELEMENTS (profiles); i++) {
    begin (builder, profiles[i].id, "CreativeWork", profiles[i].name);
    lb_json_add_text (builder, "version", profiles[i].version);
    end (builder);
  }
  begin (builder, LICENCE, "CreativeWork", "Creative Commons Zero v1.0 Universal");
  end (builder);
}

static const char *
media_type (const char *name)
{
  static const char *const types[][2]
      = { { ".json", "application/json" },   { ".yaml", "application/yaml" }, { ".csv", "text/csv" },
          { ".txt", "text/plain" },          { ".png", "image/png" },         { ".html", "text/html" },
          { ".jsonl", "application/jsonl" }, { ".gz", "application/gzip" },   { ".npz", "application/zip" },
          { "SUMS", "text/plain" } };
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_str_has_suffix (name, types[i][0]))
      return types[i][1];
  return "application/octet-stream";
}

static void
add_file (JsonBuilder *builder, const char *name)
{
  g_autofree char *id = uri (name);
  begin (builder, id, "File", name);
  lb_json_add_text (builder, "encodingFormat", media_type (name));
  if (g_str_has_prefix (name, "run/"))
    refer (builder, "about", RUN);
  end (builder);
}

static void
add_files (JsonBuilder *builder, LbPack *pack)
{
  add_file (builder, LB_ARCHIVE_SUMS);
  add_file (builder, LB_ARCHIVE_MANIFEST);
  for (guint i = 0; i < lb_pack_n_members (pack); i++)
    if (strcmp (lb_pack_name (pack, i), LB_ARCHIVE_PIPELINE) != 0)
      add_file (builder, lb_pack_name (pack, i));
}

/* Inputs that are not carried, or are folders, are no files of the crate; they are known by their digest. */
static char *
input_id (const LbManifestInput *input, LbPack *pack)
{
  for (guint i = 0; i < lb_pack_n_members (pack); i++)
    if (strcmp (lb_pack_name (pack, i), input->path) == 0)
      return uri (input->path);
  return g_strconcat ("urn:sha256:", input->digest, NULL);
}

static void
add_inputs (JsonBuilder *builder, const LbManifest *manifest, LbPack *pack)
{
  g_autoptr (GHashTable) told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < manifest->inputs->len; i++) {
    const LbManifestInput *input = manifest->inputs->pdata[i];
    g_autofree char *id = input_id (input, pack), *name = g_path_get_basename (input->path);
    if (!g_str_has_prefix (id, "urn:") || !g_hash_table_add (told, g_strdup (id)))
      continue;
    begin (builder, id, "CreativeWork", name);
    lb_json_add_text (builder, "sha256", input->digest);
    end (builder);
  }
}

/* ---- The workflow ---- */

static void
add_workflow (JsonBuilder *builder, const LbManifest *manifest)
{
  g_autoptr (GHashTable) told = g_hash_table_new (g_str_hash, g_str_equal);
  begin (builder, LB_ARCHIVE_PIPELINE, "File SoftwareSourceCode ComputationalWorkflow HowTo", manifest->title);
  lb_json_add_text (builder, "encodingFormat", "application/yaml");
  refer (builder, "programmingLanguage", LANGUAGE);
  refer (builder, "license", LICENCE);
  begin_list (builder, "hasPart");
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    g_autofree char *id = local_id ("type", stage->type);
    if (g_hash_table_add (told, stage->type))
      add_id (builder, id);
  }
  end_list (builder);
  begin_list (builder, "step");
  for (guint i = 0; i < manifest->stages->len; i++) {
    g_autofree char *id = local_id ("step", ((LbManifestStage *)manifest->stages->pdata[i])->name);
    add_id (builder, id);
  }
  end_list (builder);
  end (builder);
  begin (builder, LANGUAGE, "ComputerLanguage", "Limbeck pipeline file");
  lb_json_add_text (builder, "version", "1");
  end (builder);
  begin (builder, ENGINE, "SoftwareApplication", "Limbeck");
  lb_json_add_text (builder, "softwareVersion", lb_fact_get (manifest->facts, "framework version"));
  end (builder);
}

static void
add_tools (JsonBuilder *builder, const LbManifest *manifest)
{
  g_autoptr (GHashTable) told = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < manifest->stages->len; i++) {
    const LbManifestStage *stage = manifest->stages->pdata[i];
    g_autofree char *id = local_id ("type", stage->type);
    g_autofree char *fact = g_strdup_printf ("plugin %s version", stage->plugin != NULL ? stage->plugin : "");
    const char *version = lb_fact_get (manifest->plugins, fact);
    if (!g_hash_table_add (told, stage->type))
      continue;
    begin (builder, id, "SoftwareApplication", stage->type);
    lb_json_add_text (builder, "softwareVersion", version != NULL ? version : "0");
    end (builder);
  }
}

/* ---- What happened ---- */

static void
add_times (JsonBuilder *builder, const LbManifest *manifest)
{
  lb_json_add_text (builder, "startTime", manifest->started);
  lb_json_add_text (builder, "endTime", manifest->ended);
}

static void
add_results (JsonBuilder *builder, const LbManifestStage *stage)
{
  for (guint i = 0; i < stage->results->len; i++) {
    g_autofree char *name = g_strconcat ("outputs/", ((LbManifestResult *)stage->results->pdata[i])->name, NULL);
    g_autofree char *id = uri (name);
    add_id (builder, id);
  }
}

static void
add_run (JsonBuilder *builder, const LbManifest *manifest, LbPack *pack)
{
  begin (builder, RUN, "CreateAction", manifest->title);
  add_times (builder, manifest);
  refer (builder, "instrument", LB_ARCHIVE_PIPELINE);
  begin_list (builder, "object");
  for (guint i = 0; i < manifest->inputs->len; i++) {
    g_autofree char *id = input_id (manifest->inputs->pdata[i], pack);
    add_id (builder, id);
  }
  end_list (builder);
  begin_list (builder, "result");
  for (guint i = 0; i < manifest->stages->len; i++)
    add_results (builder, manifest->stages->pdata[i]);
  end_list (builder);
  end (builder);
  begin (builder, "#engine-run", "OrganizeAction", "Run of Limbeck");
  add_times (builder, manifest);
  refer (builder, "instrument", ENGINE);
  refer (builder, "result", RUN);
  begin_list (builder, "object");
  for (guint i = 0; i < manifest->stages->len; i++) {
    g_autofree char *id = local_id ("control", ((LbManifestStage *)manifest->stages->pdata[i])->name);
    add_id (builder, id);
  }
  end_list (builder);
  end (builder);
}

static void
add_property_values (JsonBuilder *builder, const LbManifestStage *stage)
{
  for (guint i = 0; i < stage->properties->len; i++) {
    const LbFact *property = stage->properties->pdata[i];
    g_autofree char *id = g_strdup_printf ("#value/%s/%s", stage->name, property->name);
    begin (builder, id, "PropertyValue", property->name);
    lb_json_add_text (builder, "value", property->value != NULL ? property->value : "");
    end (builder);
  }
}

static void
add_action (JsonBuilder *builder, const LbManifest *manifest, const LbManifestStage *stage, LbPack *pack)
{
  g_autofree char *id = local_id ("action", stage->name), *tool = local_id ("type", stage->type);
  begin (builder, id, "CreateAction", stage->name);
  lb_json_add_text (builder, "endTime", manifest->ended);
  refer (builder, "instrument", tool);
  begin_list (builder, "object");
  for (guint i = 0; i < stage->files->len; i++) {
    const LbFact *file = stage->files->pdata[i];
    const LbManifestInput *input = lb_manifest_input (manifest, file->value);
    g_autofree char *input_uri = input_id (input, pack);
    add_id (builder, input_uri);
  }
  for (guint i = 0; i < stage->properties->len; i++) {
    g_autofree char *value
        = g_strdup_printf ("#value/%s/%s", stage->name, ((LbFact *)stage->properties->pdata[i])->name);
    add_id (builder, value);
  }
  end_list (builder);
  begin_list (builder, "result");
  add_results (builder, stage);
  end_list (builder);
  end (builder);
}

static void
add_stage (JsonBuilder *builder, const LbManifest *manifest, guint index, LbPack *pack)
{
  const LbManifestStage *stage = manifest->stages->pdata[index];
  g_autofree char *step = local_id ("step", stage->name), *tool = local_id ("type", stage->type);
  g_autofree char *control = local_id ("control", stage->name), *action = local_id ("action", stage->name);
  g_autofree char *position = g_strdup_printf ("%u", index + 1);
  begin (builder, step, "HowToStep", stage->name);
  lb_json_add_text (builder, "position", position);
  refer (builder, "workExample", tool);
  end (builder);
  begin (builder, control, "ControlAction", stage->name);
  refer (builder, "instrument", step);
  refer (builder, "object", action);
  end (builder);
  add_action (builder, manifest, stage, pack);
  add_property_values (builder, stage);
}

char *
lb_crate_to_json (const LbManifest *manifest, LbPack *pack)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  begin_list (builder, "@context");
  json_builder_add_string_value (builder, "https://w3id.org/ro/crate/1.1/context");
  json_builder_add_string_value (builder, "https://w3id.org/ro/terms/workflow-run/context");
  end_list (builder);
  begin_list (builder, "@graph");
  add_descriptor (builder);
  add_root (builder, manifest, pack);
  add_profiles (builder);
  add_workflow (builder, manifest);
  add_tools (builder, manifest);
  add_run (builder, manifest, pack);
  for (guint i = 0; i < manifest->stages->len; i++)
    add_stage (builder, manifest, i, pack);
  add_files (builder, pack);
  add_inputs (builder, manifest, pack);
  end_list (builder);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, TRUE);
}
