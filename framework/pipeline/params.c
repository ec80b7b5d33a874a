/* Params and their replacement in values. A param's own text is taken as it stands: it refers to no other param. That
 * of a list is its items with commas between, as the command line gives lists. */
#include <string.h>

#include "pipeline/names.h"
#include "pipeline/params.h"

typedef struct {
  char *name;
  const LbDocumentNode *place; /* of its name */
  char *text;
  gboolean is_list, overridden, used;
} Param;

struct _LbParams {
  GPtrArray *list; /* Param*, in file order */
};

static void
param_free (gpointer data)
{
  Param *param = data;
  g_free (param->name);
  g_free (param->text);
  g_free (param);
}

static Param *
find (LbParams *params, const char *name)
{
  for (guint i = 0; i < params->list->len; i++) {
    Param *param = params->list->pdata[i];
    if (strcmp (param->name, name) == 0)
      return param;
  }
  return NULL;
}

/* The end of a sentence about the unknown param @word. The param it was taken for counts as used: one mistake, one
 * problem. */
char *
lb_params_suggest (LbParams *params, const char *word)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  for (guint i = 0; i < params->list->len; i++)
    g_ptr_array_add (names, ((Param *)params->list->pdata[i])->name);
  g_ptr_array_add (names, NULL);
  const char *near = lb_nearest_name (word, (const char *const *)names->pdata);
  if (near != NULL)
    find (params, near)->used = TRUE;
  return lb_suggestion (word, (const char *const *)names->pdata);
}

/* The items of the list @value with commas between; new string. */
static char *
read_items (const char *name, const LbDocumentNode *value, LbProblems *problems)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();

  for (guint i = 0; i < value->items->len; i++) {
    const LbDocumentNode *item = value->items->pdata[i];
    if (item->kind != LB_DOCUMENT_SCALAR || *item->text == '\0' || strpbrk (item->text, ",$") != NULL)
      lb_problems_add (problems, item, LB_ERROR_PIPELINE,
                       "param '%s', item %u: expected a single value without commas and without other params in it",
                       name, i + 1);
    else
      g_ptr_array_add (texts, item->text);
  }
  g_ptr_array_add (texts, NULL);
  return g_strjoinv (",", (char **)texts->pdata);
}

static void
read_param (LbParams *params, const LbDocumentNode *key, const LbDocumentNode *value, LbProblems *problems)
{
  if (!lb_name_is_valid (key->text)) {
    lb_problems_add (problems, key, LB_ERROR_PIPELINE, "param '%s' has a name that is not " LB_NAME_RULE, key->text);
    return;
  }
  Param *param = g_new0 (Param, 1);
  param->name = g_strdup (key->text);
  param->place = key;
  param->is_list = value->kind == LB_DOCUMENT_SEQUENCE;
  param->text = param->is_list ? read_items (param->name, value, problems)
                               : g_strdup (value->kind == LB_DOCUMENT_SCALAR ? value->text : "");
  g_ptr_array_add (params->list, param);
  if (value->kind == LB_DOCUMENT_MAPPING)
    lb_problems_add (problems, value, LB_ERROR_PIPELINE, "param '%s' is %s; expected a single value or a list",
                     param->name, lb_node_kind_name (value));
  else if (param->is_list)
    return;
  else if (strstr (value->text, "${") != NULL)
    lb_problems_add (problems, value, LB_ERROR_PIPELINE,
                     "param '%s' refers to another param; ${...} is replaced only in title and in 'with' values",
                     param->name);
}

static void
override (LbParams *params, const char *argument, LbProblems *problems)
{
  const char *equals = strchr (argument, '=');
  if (equals == NULL || equals == argument) {
    lb_problems_add (problems, NULL, LB_ERROR_USAGE, "--param %s: expected NAME=VALUE", argument);
    return;
  }
  g_autofree char *name = g_strndup (argument, equals - argument);
  Param *param = find (params, name);
  if (param == NULL) {
    g_autofree char *hint = lb_params_suggest (params, name);
    lb_problems_add (problems, NULL, LB_ERROR_USAGE, "--param %s: the pipeline has no param '%s'%s", argument, name,
                     hint);
  } else if (param->overridden) {
    lb_problems_add (problems, NULL, LB_ERROR_USAGE, "--param %s: '%s' is given twice; give it once", argument, name);
  } else {
    g_free (param->text);
    param->text = g_strdup (equals + 1);
    param->overridden = TRUE;
  }
}

LbParams *
lb_params_new (const LbDocumentNode *mapping, const char *const *overrides, LbProblems *problems)
{
  LbParams *params = g_new0 (LbParams, 1);
  params->list = g_ptr_array_new_with_free_func (param_free);
  if (mapping != NULL && mapping->kind != LB_DOCUMENT_MAPPING) {
    lb_problems_add (problems, mapping, LB_ERROR_PIPELINE, "'params' is %s; expected a mapping of names to values",
                     lb_node_kind_name (mapping));
  } else if (mapping != NULL) {
    for (guint i = 0; i < mapping->keys->len; i++)
      read_param (params, mapping->keys->pdata[i], mapping->items->pdata[i], problems);
  }
  for (guint i = 0; overrides != NULL && overrides[i] != NULL; i++)
    override (params, overrides[i], problems);
  return params;
}

void
lb_params_free (LbParams *params)
{
  if (params == NULL)
    return;
  g_ptr_array_unref (params->list);
  g_free (params);
}

/* Appends the text of the param that "${name}..." at @start names, and returns what follows it; NULL when there is
 * none. */
static const char *
replace_one (LbParams *params, const char *start, GString *out, const LbDocumentNode *node, const char *context,
             LbProblems *problems)
{
  const char *end = strchr (start, '}');
  if (end == NULL) {
    lb_problems_add (problems, node, LB_ERROR_PIPELINE,
                     "%s'%s' opens ${ without closing it; write } after the name, or $${ "
                     "for the characters ${",
                     context, node->text);
    return NULL;
  }
  g_autofree char *name = g_strndup (start + 2, end - start - 2);
  Param *param = find (params, name);
  if (param == NULL) {
    g_autofree char *hint = lb_params_suggest (params, name);
    lb_problems_add (problems, node, LB_ERROR_PIPELINE, "%s'${%s}' names no param of this file%s", context, name, hint);
    return NULL;
  }
  param->used = TRUE;
  g_string_append (out, param->text);
  return end + 1;
}

LbDocumentNode *
lb_params_replace (LbParams *params, const LbDocumentNode *node, const char *context, LbProblems *problems)
{
  g_autoptr (GString) out = g_string_new (NULL);
  const char *rest = node->text;
  while (*rest != '\0') {
    if (g_str_has_prefix (rest, "$${")) {
      g_string_append (out, "${");
      rest += 3;
    } else if (g_str_has_prefix (rest, "${")) {
      rest = replace_one (params, rest, out, node, context, problems);
      if (rest == NULL)
        return NULL;
    } else {
      g_string_append_c (out, *rest++);
    }
  }
  return lb_node_new_scalar (node, g_strdup (out->str));
}

LbDocumentNode *
lb_params_list (LbParams *params, const LbDocumentNode *node)
{
  if (!g_str_has_prefix (node->text, "${") || strchr (node->text, '}') != node->text + strlen (node->text) - 1)
    return NULL;
  g_autofree char *name = g_strndup (node->text + 2, strlen (node->text) - 3);
  Param *param = find (params, name);
  if (param == NULL || !param->is_list)
    return NULL;
  param->used = TRUE;
  LbDocumentNode *list = lb_node_new_sequence (node);
  g_auto (GStrv) items = g_strsplit (param->text, ",", -1);
  for (guint i = 0; items[i] != NULL; i++)
    g_ptr_array_add (list->items, lb_node_new_scalar (node, g_strdup (g_strstrip (items[i]))));
  return list;
}

gboolean
lb_params_has (LbParams *params, const char *name, gboolean *overridden)
{
  const Param *param = find (params, name);
  *overridden = param != NULL && param->overridden;
  return param != NULL;
}

void
lb_params_tell_unused (LbParams *params, LbProblems *problems)
{
  for (guint i = 0; i < params->list->len; i++) {
    Param *param = params->list->pdata[i];
    if (!param->used)
      lb_problems_add (problems, param->place, LB_ERROR_PIPELINE,
                       "param '%s' is never used; write ${%s} in a 'with' value or remove it", param->name,
                       param->name);
  }
}

LbDocumentNode *
lb_node_new_scalar (const LbDocumentNode *like, char *text)
{
  LbDocumentNode *node = g_new0 (LbDocumentNode, 1);
  node->kind = LB_DOCUMENT_SCALAR;
  node->line = like->line;
  node->column = like->column;
  node->quoted = like->quoted;
  node->text = text;
  return node;
}

LbDocumentNode *
lb_node_new_sequence (const LbDocumentNode *like)
{
  LbDocumentNode *node = g_new0 (LbDocumentNode, 1);
  node->kind = LB_DOCUMENT_SEQUENCE;
  node->line = like->line;
  node->column = like->column;
  node->items = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_node_free);
  return node;
}

void
lb_node_free (LbDocumentNode *node)
{
  if (node == NULL)
    return;
  g_free (node->text);
  g_clear_pointer (&node->items, g_ptr_array_unref);
  g_free (node);
}
