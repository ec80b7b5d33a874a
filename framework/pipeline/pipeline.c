/* Reading of pipeline files. What cannot be read is told and left out, and reading goes on, so that all mistakes are
 * told at once; a stage with a part left out is marked broken.
 */
#include <string.h>

#include "pipeline/keys.h"
#include "pipeline/names.h"
#include "pipeline/params.h"
#include "pipeline/pipeline.h"

typedef struct {
  LbPipeline *pipeline;
  LbParams *params;
  LbProblems *problems;
} Reader;

static void
input_free (gpointer data)
{
  LbPipelineInput *input = data;
  g_free (input->port);
  g_free (input->stage);
  g_free (input->output);
  g_free (input->source);
  g_free (input);
}

static void
property_free (gpointer data)
{
  LbPipelineProperty *property = data;
  g_free (property->name);
  lb_node_free (property->value);
  g_free (property->argument);
  g_free (property->text);
  g_free (property);
}

static void
stage_free (gpointer data)
{
  LbPipelineStage *stage = data;
  g_free (stage->name);
  g_free (stage->plugin);
  g_ptr_array_unref (stage->inputs);
  g_ptr_array_unref (stage->properties);
  g_free (stage);
}

static void
axis_free (gpointer data)
{
  LbPipelineAxis *axis = data;
  g_free (axis->param);
  g_ptr_array_unref (axis->values);
  g_free (axis);
}

void
lb_pipeline_free (LbPipeline *pipeline)
{
  if (pipeline == NULL)
    return;
  g_ptr_array_unref (pipeline->matrix);
  g_ptr_array_unref (pipeline->stages);
  g_free (pipeline->path);
  g_free (pipeline->directory);
  g_free (pipeline->title);
  g_strfreev (pipeline->overrides.params);
  g_strfreev (pipeline->overrides.settings);
  g_free (pipeline->overrides.seed);
  lb_document_free (pipeline->document);
  g_free (pipeline);
}

LbPipelineStage *
lb_pipeline_find (const LbPipeline *pipeline, const char *name, guint *index)
{
  for (guint i = 0; i < pipeline->stages->len; i++) {
    LbPipelineStage *stage = pipeline->stages->pdata[i];
    if (strcmp (stage->name, name) == 0) {
      if (index != NULL)
        *index = i;
      return stage;
    }
  }
  return NULL;
}

static LbPipelineStage *
stage_new (const LbDocumentNode *place)
{
  LbPipelineStage *stage = g_new0 (LbPipelineStage, 1);
  stage->name = g_strdup (place->text);
  stage->place = place;
  stage->inputs = g_ptr_array_new_with_free_func (input_free);
  stage->properties = g_ptr_array_new_with_free_func (property_free);
  return stage;
}

/* ---- Inputs ---- */

/* Reads "stage.port". A stage name holds no dot, so the first one parts them. */
static void
read_reference (Reader *reader, LbPipelineStage *stage, const LbDocumentNode *key, const LbDocumentNode *node,
                gboolean listed)
{
  LbPipelineInput *input = g_new0 (LbPipelineInput, 1);
  input->port = g_strdup (key->text);
  input->port_place = key;
  input->place = node;
  input->listed = listed;
  g_ptr_array_add (stage->inputs, input);
  const char *dot = node->kind == LB_DOCUMENT_SCALAR ? strchr (node->text, '.') : NULL;
  if (dot == NULL || dot == node->text || dot[1] == '\0') {
    stage->broken = TRUE;
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "stage '%s': input '%s' is %s%s%s; expected STAGE.PORT, such as source.samples", stage->name,
                     key->text, node->kind == LB_DOCUMENT_SCALAR && *node->text ? "'" : "",
                     node->kind == LB_DOCUMENT_SCALAR && *node->text ? node->text : lb_node_kind_name (node),
                     node->kind == LB_DOCUMENT_SCALAR && *node->text ? "'" : "");
    return;
  }
  input->source = g_strdup (node->text);
  input->stage = g_strndup (node->text, dot - node->text);
  input->output = g_strdup (dot + 1);
}

static void
read_inputs (Reader *reader, LbPipelineStage *stage, const LbDocumentNode *node)
{
  if (node->kind != LB_DOCUMENT_MAPPING) {
    stage->broken = TRUE;
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "stage '%s': 'inputs' is %s; expected a mapping of ports to STAGE.PORT, or no 'inputs' at all",
                     stage->name, lb_node_kind_name (node));
    return;
  }
  for (guint i = 0; i < node->keys->len; i++) {
    const LbDocumentNode *key = node->keys->pdata[i], *value = node->items->pdata[i];
    if (value->kind != LB_DOCUMENT_SEQUENCE) {
      read_reference (reader, stage, key, value, FALSE);
      continue;
    }
    for (guint k = 0; k < value->items->len; k++)
      read_reference (reader, stage, key, value->items->pdata[k], TRUE);
    if (value->items->len == 0) {
      stage->broken = TRUE;
      lb_problems_add (reader->problems, value, LB_ERROR_PIPELINE,
                       "stage '%s': input '%s' is an empty list; name at least one STAGE.PORT or leave the input out",
                       stage->name, key->text);
    }
  }
}

/* ---- Properties ---- */

/* A copy of @node with params replaced; NULL when that failed. */
static LbDocumentNode *
read_value (Reader *reader, const char *stage, const char *property, const LbDocumentNode *node)
{
  g_autofree char *context = g_strdup_printf ("stage '%s': ", stage);
  if (node->kind == LB_DOCUMENT_SCALAR) {
    LbDocumentNode *list = lb_params_list (reader->params, node);
    return list != NULL ? list : lb_params_replace (reader->params, node, context, reader->problems);
  }
  if (node->kind == LB_DOCUMENT_MAPPING) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "%sproperty '%s' is a mapping; expected a single value or a list", context, property);
    return NULL;
  }
  LbDocumentNode *list = lb_node_new_sequence (node);
  gboolean whole = TRUE;
  for (guint i = 0; i < node->items->len; i++) {
    const LbDocumentNode *item = node->items->pdata[i];
    LbDocumentNode *copy = NULL;
    if (item->kind == LB_DOCUMENT_SCALAR)
      copy = lb_params_replace (reader->params, item, context, reader->problems);
    else
      lb_problems_add (reader->problems, item, LB_ERROR_PIPELINE,
                       "%sproperty '%s' has %s in its list; expected single values", context, property,
                       lb_node_kind_name (item));
    if (copy != NULL)
      g_ptr_array_add (list->items, copy);
    else
      whole = FALSE;
  }
  if (!whole)
    g_clear_pointer (&list, lb_node_free);
  return list;
}

static void
read_with (Reader *reader, LbPipelineStage *stage, const LbDocumentNode *node)
{
  if (node->kind != LB_DOCUMENT_MAPPING) {
    stage->broken = TRUE;
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "stage '%s': 'with' is %s; expected a mapping of properties to values, or no 'with' at all",
                     stage->name, lb_node_kind_name (node));
    return;
  }
  for (guint i = 0; i < node->keys->len; i++) {
    LbPipelineProperty *property = g_new0 (LbPipelineProperty, 1);
    property->place = node->keys->pdata[i];
    property->name = g_strdup (property->place->text);
    property->value = read_value (reader, stage->name, property->name, node->items->pdata[i]);
    if (property->value == NULL)
      stage->broken = TRUE;
    g_ptr_array_add (stage->properties, property);
  }
}

/* ---- Stages ---- */

static void
read_plugin (Reader *reader, LbPipelineStage *stage, const LbDocumentNode *node)
{
  stage->plugin_place = node != NULL ? node : stage->place;
  if (node != NULL && node->kind == LB_DOCUMENT_SCALAR && node->text[0] != '\0') {
    stage->plugin = g_strdup (node->text);
    return;
  }
  stage->broken = TRUE;
  if (node == NULL)
    lb_problems_add (reader->problems, stage->place, LB_ERROR_PIPELINE,
                     "stage '%s': 'plugin' is missing; write which plugin runs it", stage->name);
  else
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "stage '%s': 'plugin' is %s; expected the name of a plugin", stage->name,
                     lb_node_kind_name (node));
}

static void
read_stage (Reader *reader, const LbDocumentNode *key, const LbDocumentNode *node)
{
  LbPipelineStage *stage = stage_new (key);
  g_ptr_array_add (reader->pipeline->stages, stage);
  if (!lb_name_is_valid (key->text)) {
    stage->broken = TRUE;
    lb_problems_add (reader->problems, key, LB_ERROR_PIPELINE, "stage '%s': its name is not " LB_NAME_RULE, key->text);
  }
  if (node->kind != LB_DOCUMENT_MAPPING) {
    stage->broken = TRUE;
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "stage '%s': it is %s; expected a mapping with plugin, inputs and with", stage->name,
                     lb_node_kind_name (node));
    return;
  }
  for (guint i = 0; i < node->keys->len; i++) {
    const LbDocumentNode *part = node->keys->pdata[i];
    g_autofree char *hint = lb_keys_suggest (lb_stage_keys, part->text);
    if (hint == NULL)
      continue;
    stage->broken = TRUE;
    lb_problems_add (reader->problems, part, LB_ERROR_PIPELINE, "stage '%s': key '%s' is not known here%s", stage->name,
                     part->text, hint);
  }
  read_plugin (reader, stage, lb_document_get (node, "plugin"));
  const LbDocumentNode *inputs = lb_document_get (node, "inputs"), *with = lb_document_get (node, "with");
  if (inputs != NULL)
    read_inputs (reader, stage, inputs);
  if (with != NULL)
    read_with (reader, stage, with);
}

static void
read_stages (Reader *reader, const LbDocumentNode *root)
{
  const LbDocumentNode *node = lb_document_get (root, "stages");
  if (node == NULL) {
    lb_problems_add (reader->problems, root, LB_ERROR_PIPELINE,
                     "key 'stages' is missing; a pipeline needs at least one");
  } else if (node->kind != LB_DOCUMENT_MAPPING || node->keys->len == 0) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "'stages' is %s; expected a mapping of stage names to stages",
                     node->kind == LB_DOCUMENT_MAPPING ? "an empty mapping" : lb_node_kind_name (node));
  } else if (node->keys->len > LB_PIPELINE_MAX_STAGES) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE, "'stages' has %u entries; at most %d are possible",
                     node->keys->len, LB_PIPELINE_MAX_STAGES);
  } else {
    for (guint i = 0; i < node->keys->len; i++)
      read_stage (reader, node->keys->pdata[i], node->items->pdata[i]);
  }
}

/* ---- Top level ---- */

/* FALSE when the file is not of the format that the rest of this reader understands. */
static gboolean
read_version (LbProblems *problems, const LbDocumentNode *root)
{
  const LbDocumentNode *node = lb_document_get (root, "limbeck");
  guint64 version;
  if (node == NULL) {
    lb_problems_add (problems, root, LB_ERROR_PIPELINE,
                     "key 'limbeck' is missing; a pipeline file starts with 'limbeck: %d', the version of its format",
                     LB_PIPELINE_FORMAT);
    return FALSE;
  }
  if (node->kind != LB_DOCUMENT_SCALAR || !g_ascii_string_to_unsigned (node->text, 10, 0, G_MAXINT, &version, NULL)) {
    lb_problems_add (problems, node, LB_ERROR_PIPELINE, "'limbeck' is %s; expected the version of the format, %d",
                     node->kind == LB_DOCUMENT_SCALAR && node->text[0] ? node->text : lb_node_kind_name (node),
                     LB_PIPELINE_FORMAT);
    return FALSE;
  }
  if (version != LB_PIPELINE_FORMAT) {
    lb_problems_add (problems, node, LB_ERROR_PIPELINE,
                     "the file is of format version %" G_GUINT64_FORMAT "; this limbeck (" LB_VERSION
                     ") reads version %d; use the limbeck that it was written for",
                     version, LB_PIPELINE_FORMAT);
    return FALSE;
  }
  return TRUE;
}

static void
refuse_unknown_keys (LbProblems *problems, const LbDocumentNode *root)
{
  for (guint i = 0; i < root->keys->len; i++) {
    const LbDocumentNode *key = root->keys->pdata[i];
    g_autofree char *hint = lb_keys_suggest (lb_pipeline_keys, key->text);
    if (hint != NULL)
      lb_problems_add (problems, key, LB_ERROR_PIPELINE, "key '%s' is not known here%s", key->text, hint);
  }
}

static void
read_title (Reader *reader, const LbDocumentNode *node)
{
  LbDocumentNode *title = NULL;
  if (node == NULL) {
    reader->pipeline->title = g_path_get_basename (reader->pipeline->path);
    return;
  }
  if (node->kind == LB_DOCUMENT_SCALAR)
    title = lb_params_replace (reader->params, node, "", reader->problems);
  else
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE, "'title' is %s; expected one line of text",
                     lb_node_kind_name (node));
  for (const char *c = title != NULL ? title->text : ""; *c != '\0'; c++)
    if (g_ascii_iscntrl (*c)) {
      lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                       "'title' holds a control character; expected one line of text");
      break;
    }
  reader->pipeline->title = g_strdup (title != NULL ? title->text : "");
  lb_node_free (title);
}

#define SEED_RULE "expected a whole number from 0 to 9223372036854775807"

static void
read_seed (Reader *reader, const LbDocumentNode *node, const char *argument)
{
  guint64 seed = 0;
  if (node != NULL
      && (node->kind != LB_DOCUMENT_SCALAR || !g_ascii_string_to_unsigned (node->text, 10, 0, G_MAXINT64, &seed, NULL)))
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE, "'seed' is %s; " SEED_RULE,
                     node->kind == LB_DOCUMENT_SCALAR && node->text[0] ? node->text : lb_node_kind_name (node));
  if (argument != NULL && !g_ascii_string_to_unsigned (argument, 10, 0, G_MAXINT64, &seed, NULL))
    lb_problems_add (reader->problems, NULL, LB_ERROR_USAGE, "--seed %s: " SEED_RULE, argument);
  reader->pipeline->seed = (gint64)seed;
}

/* ---- Matrix ---- */

/* More runs than this are a mistake. */
#define MAX_POINTS 10000

/* Values name directories. */
static gboolean
read_axis_value (Reader *reader, LbPipelineAxis *axis, const LbDocumentNode *node)
{
  if (node->kind != LB_DOCUMENT_SCALAR || node->text[0] == '\0' || strchr (node->text, '/') != NULL
      || strstr (node->text, "${") != NULL) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "matrix: a value of '%s' is %s; expected one without '/' and without ${...}, as it names a run",
                     axis->param, node->kind == LB_DOCUMENT_SCALAR ? node->text : lb_node_kind_name (node));
    return FALSE;
  }
  if (g_ptr_array_find_with_equal_func (axis->values, node->text, g_str_equal, NULL)) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE, "matrix: '%s' has the value '%s' twice; remove one",
                     axis->param, node->text);
    return FALSE;
  }
  g_ptr_array_add (axis->values, g_strdup (node->text));
  return TRUE;
}

static void
read_axis (Reader *reader, const LbDocumentNode *key, const LbDocumentNode *node)
{
  gboolean overridden, good = TRUE;
  if (!lb_params_has (reader->params, key->text, &overridden)) {
    g_autofree char *hint = lb_params_suggest (reader->params, key->text);
    lb_problems_add (reader->problems, key, LB_ERROR_PIPELINE, "matrix: '%s' is no param of this file%s", key->text,
                     hint);
    return;
  }
  if (node->kind != LB_DOCUMENT_SEQUENCE || node->items->len == 0) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE, "matrix: '%s' is %s; expected a list of values",
                     key->text, node->kind == LB_DOCUMENT_SEQUENCE ? "an empty list" : lb_node_kind_name (node));
    return;
  }
  LbPipelineAxis *axis = g_new0 (LbPipelineAxis, 1);
  axis->param = g_strdup (key->text);
  axis->values = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < node->items->len; i++)
    good &= read_axis_value (reader, axis, node->items->pdata[i]);
  if (good && !overridden)
    g_ptr_array_add (reader->pipeline->matrix, axis);
  else
    axis_free (axis);
}

static void
read_matrix (Reader *reader, const LbDocumentNode *node)
{
  if (node == NULL)
    return;
  if (node->kind != LB_DOCUMENT_MAPPING) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "'matrix' is %s; expected a mapping of params to lists of values", lb_node_kind_name (node));
    return;
  }
  for (guint i = 0; i < node->keys->len; i++)
    read_axis (reader, node->keys->pdata[i], node->items->pdata[i]);
  double points = 1;
  for (guint i = 0; i < reader->pipeline->matrix->len; i++)
    points *= ((LbPipelineAxis *)reader->pipeline->matrix->pdata[i])->values->len;
  if (points > MAX_POINTS) {
    lb_problems_add (reader->problems, node, LB_ERROR_PIPELINE,
                     "'matrix' expands into %.0f runs; at most %d are possible", points, MAX_POINTS);
    g_ptr_array_set_size (reader->pipeline->matrix, 0);
  }
}

guint
lb_pipeline_n_points (const LbPipeline *pipeline)
{
  guint n = 1;
  for (guint i = 0; i < pipeline->matrix->len; i++)
    n *= ((LbPipelineAxis *)pipeline->matrix->pdata[i])->values->len;
  return n;
}

char **
lb_pipeline_point (const LbPipeline *pipeline, guint index)
{
  char **params = g_new0 (char *, pipeline->matrix->len + 1);
  for (guint i = pipeline->matrix->len; i-- > 0;) {
    const LbPipelineAxis *axis = pipeline->matrix->pdata[i];
    params[i] = g_strdup_printf ("%s=%s", axis->param, (char *)axis->values->pdata[index % axis->values->len]);
    index /= axis->values->len;
  }
  return params;
}

/* ---- A part of a pipeline ---- */

static void
mark_needed (const LbPipeline *pipeline, guint index, gboolean *needed)
{
  const LbPipelineStage *stage = pipeline->stages->pdata[index];
  if (needed[index])
    return;
  needed[index] = TRUE;
  for (guint i = 0; i < stage->inputs->len; i++) {
    const LbPipelineInput *input = stage->inputs->pdata[i];
    guint source;
    if (input->stage != NULL && lb_pipeline_find (pipeline, input->stage, &source) != NULL)
      mark_needed (pipeline, source, needed);
  }
}

gboolean
lb_pipeline_restrict (LbPipeline *pipeline, const char *name)
{
  g_autofree gboolean *needed = g_new0 (gboolean, pipeline->stages->len + 1);
  guint index;
  if (lb_pipeline_find (pipeline, name, &index) == NULL)
    return FALSE;
  mark_needed (pipeline, index, needed);
  for (guint i = pipeline->stages->len; i-- > 0;)
    if (!needed[i])
      g_ptr_array_remove_index (pipeline->stages, i);
  return TRUE;
}

/* ---- The command line ---- */

/* Adds one --set STAGE.PROPERTY=VALUE to the stage it names. */
static void
read_setting (Reader *reader, const char *argument)
{
  const char *dot = strchr (argument, '.'), *equals = strchr (argument, '=');
  if (dot == NULL || equals == NULL || dot > equals || dot == argument || equals == dot + 1) {
    lb_problems_add (reader->problems, NULL, LB_ERROR_USAGE, "--set %s: expected STAGE.PROPERTY=VALUE", argument);
    return;
  }
  g_autofree char *name = g_strndup (argument, dot - argument);
  g_autofree char *property_name = g_strndup (dot + 1, equals - dot - 1);
  LbPipelineStage *stage = lb_pipeline_find (reader->pipeline, name, NULL);
  if (stage == NULL) {
    g_autoptr (GPtrArray) names = g_ptr_array_new ();
    for (guint i = 0; i < reader->pipeline->stages->len; i++)
      g_ptr_array_add (names, ((LbPipelineStage *)reader->pipeline->stages->pdata[i])->name);
    g_ptr_array_add (names, NULL);
    g_autofree char *hint = lb_suggestion (name, (const char *const *)names->pdata);
    lb_problems_add (reader->problems, NULL, LB_ERROR_USAGE, "--set %s: the pipeline has no stage '%s'%s", argument,
                     name, hint);
    return;
  }
  for (guint i = 0; i < stage->properties->len; i++) {
    LbPipelineProperty *other = stage->properties->pdata[i];
    if (other->argument != NULL && strcmp (other->name, property_name) == 0) {
      lb_problems_add (reader->problems, NULL, LB_ERROR_USAGE, "--set %s: '%s.%s' is set twice; set it once", argument,
                       name, property_name);
      return;
    }
  }
  LbPipelineProperty *property = g_new0 (LbPipelineProperty, 1);
  property->name = g_steal_pointer (&property_name);
  property->argument = g_strdup (argument);
  property->text = g_strdup (equals + 1);
  g_ptr_array_add (stage->properties, property);
}

/* Takes @document. */
static LbPipeline *
read_document (const char *path, LbDocument *document, const LbPipelineOverrides *overrides, LbProblems *problems)
{
  if (!read_version (problems, document->root)) {
    lb_document_free (document);
    return NULL;
  }
  const LbDocumentNode *root = document->root;
  static const LbPipelineOverrides none;
  if (overrides == NULL)
    overrides = &none;
  LbPipeline *pipeline = g_new0 (LbPipeline, 1);
  pipeline->document = document;
  pipeline->path = g_strdup (path);
  pipeline->directory = g_path_get_dirname (path);
  pipeline->overrides.params = g_strdupv ((char **)overrides->params);
  pipeline->overrides.settings = g_strdupv ((char **)overrides->settings);
  pipeline->overrides.seed = g_strdup (overrides->seed);
  pipeline->stages = g_ptr_array_new_with_free_func (stage_free);
  pipeline->matrix = g_ptr_array_new_with_free_func (axis_free);
  g_autoptr (LbParams) params = lb_params_new (lb_document_get (root, "params"), overrides->params, problems);
  Reader reader = { pipeline, params, problems };
  refuse_unknown_keys (problems, root);
  read_title (&reader, lb_document_get (root, "title"));
  read_seed (&reader, lb_document_get (root, "seed"), overrides->seed);
  read_stages (&reader, root);
  read_matrix (&reader, lb_document_get (root, "matrix"));
  for (guint i = 0; overrides->settings != NULL && overrides->settings[i] != NULL; i++)
    read_setting (&reader, overrides->settings[i]);
  for (guint i = 0; overrides->found != NULL && overrides->found[i] != NULL; i++)
    read_setting (&reader, overrides->found[i]);
  lb_params_tell_unused (params, problems);
  return pipeline;
}

LbPipeline *
lb_pipeline_read (const char *path, const LbPipelineOverrides *overrides, LbProblems *problems)
{
  g_autoptr (GError) error = NULL;
  LbDocument *document = lb_document_read (path, LB_ERROR_PIPELINE, &error);
  if (document == NULL) {
    lb_problems_add_error (problems, error);
    return NULL;
  }
  return read_document (path, document, overrides, problems);
}

LbPipeline *
lb_pipeline_parse (const char *path, const char *text, gsize length, const LbPipelineOverrides *overrides,
                   LbProblems *problems)
{
  g_autoptr (GError) error = NULL;
  LbDocument *document = lb_document_parse (path, text, length, LB_ERROR_PIPELINE, &error);
  if (document == NULL) {
    lb_problems_add_error (problems, error);
    return NULL;
  }
  return read_document (path, document, overrides, problems);
}
