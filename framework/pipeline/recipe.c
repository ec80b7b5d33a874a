/* Writing and comparing of recipes. */
#include "pipeline/recipe.h"

#include <string.h>

#include "pipeline/digest.h"

/* Raised when the meaning of a recipe or the form of what is kept changes. */
#define STORE_FORMAT "2"

/* ---- Writing ---- */

static void
add (GString *text, const char *label, const char *value)
{
  g_autofree char *plain = g_strescape (value, "\"\\");
  g_string_append_printf (text, "%s: %s\n", label, plain);
}

static void
add_binary (GString *text, const char *label, const char *path, const char *cache)
{
  g_autofree char *digest = lb_digest_of_path (path, cache);
  add (text, label, digest);
}

/* Files are named by what is in them: moving a data set changes nothing. The last part of the name stays, as its ending
 * may tell a reader the format. */
static void
add_files (GString *text, const LbProperty *property, const char *path, const char *cache)
{
  g_autofree char *label = g_strconcat ("file ", property->name, NULL);
  g_autofree char *base = g_path_get_basename (path), *digest = lb_digest_of_path (path, cache);
  g_autofree char *value = g_strdup_printf ("%s %s", base, digest);
  add (text, label, value);
}

static void
add_property (GString *text, const LbProperty *property, gconstpointer self, const char *cache)
{
  const char *path = property->kind == LB_PROPERTY_PATH ? G_STRUCT_MEMBER (char *, self, property->offset) : NULL;
  if (path != NULL && *path != '\0') {
    add_files (text, property, path, cache);
    return;
  }
  g_autofree char *label = g_strconcat (LB_RECIPE_PROPERTY, property->name, NULL);
  g_autofree char *value = lb_property_to_text (property, self);
  add (text, label, value);
}

static void
add_inputs (GString *text, const LbPlanStage *stage, char *const *keys)
{
  for (guint i = 0; i < stage->links->len; i++) {
    const LbPlanLink *link = &g_array_index (stage->links, LbPlanLink, i);
    g_autofree char *label = g_strdup_printf ("input %u %s", i + 1, link->port->name);
    g_autofree char *value = g_strdup_printf ("%s of %s", link->written->source, keys[link->source]);
    add (text, label, value);
  }
}

/* Who reads an output changes what a stage does only where it makes it on demand. */
static void
add_demand (GString *text, const LbPlanStage *stage)
{
  const LbPort *ports = stage->entry->type->outputs;
  for (guint i = 0; ports != NULL && ports[i].name != NULL; i++)
    if ((ports[i].flags & LB_PORT_ON_DEMAND) != 0) {
      g_autofree char *label = g_strconcat ("output ", ports[i].name, NULL);
      add (text, label, stage->configured->unread[i] ? "not read" : "read");
    }
}

char *
lb_recipe_text (const LbPlan *plan, guint index, char *const *keys, const char *arithmetic, const char *cache)
{
  const LbPlanStage *stage = &plan->stages[index];
  const LbStageEntry *entry = stage->entry;
  g_autofree char *framework = lb_framework_path ();
  g_autofree char *seed = g_strdup_printf ("%" G_GINT64_FORMAT, plan->pipeline->seed);
  /* A type that is linked in comes with the executable. */
  const char *binary = g_file_test (entry->path, G_FILE_TEST_IS_REGULAR) ? entry->path : "/proc/self/exe";
  GString *text = g_string_new (NULL);
  add (text, "store", STORE_FORMAT);
  add (text, "stage", stage->written->name);
  add (text, "type", entry->type->name);
  add (text, "plugin", entry->plugin->name);
  add (text, "plugin version", entry->plugin->version);
  add_binary (text, "plugin binary", binary, cache);
  add (text, "framework version", LB_VERSION);
  add_binary (text, "framework binary", framework, cache);
  add (text, "arithmetic", arithmetic != NULL ? arithmetic : "");
  add (text, "seed", seed);
  for (const LbProperty *row = entry->type->properties; row != NULL && row->name != NULL; row++)
    add_property (text, row, stage->self, cache);
  add_inputs (text, stage, keys);
  add_demand (text, stage);
  return g_string_free (text, FALSE);
}

char *
lb_recipe_key (const char *recipe)
{
  return lb_digest_of_text (recipe);
}

/* ---- Reading ---- */

/* The start of @label's value in @recipe, or NULL. */
static const char *
find_value (const char *recipe, const char *label)
{
  gsize length = strlen (label);
  for (const char *line = recipe; line != NULL && *line != '\0';) {
    if (strncmp (line, label, length) == 0 && strncmp (line + length, ": ", 2) == 0)
      return line + length + 2;
    line = strchr (line, '\n');
    line = line != NULL ? line + 1 : NULL;
  }
  return NULL;
}

char *
lb_recipe_get (const char *recipe, const char *label)
{
  const char *value = find_value (recipe, label);
  return value != NULL ? g_strndup (value, strcspn (value, "\n")) : NULL;
}

/* How a sentence says that @label is not what it was. */
static char *
difference_text (const char *label, const char *before, const char *now)
{
  if (g_str_has_prefix (label, LB_RECIPE_PROPERTY))
    return g_strdup_printf ("%s changed from %s to %s", label, before != NULL && *before ? before : "nothing",
                            *now ? now : "nothing");
  if (g_str_has_prefix (label, "input ")) {
    g_autofree char *source = g_strndup (now, strcspn (now, " "));
    return g_strdup_printf ("what %s brings changed", source);
  }
  if (g_str_has_prefix (label, "output "))
    return g_strdup_printf ("%s is %s now", label, now);
  if (g_str_has_prefix (label, "file "))
    return g_strdup_printf ("the file of property %s changed", label + strlen ("file "));
  if (g_str_has_suffix (label, " binary"))
    return g_strdup_printf ("the %.*s was built anew", (int)(strlen (label) - strlen (" binary")), label);
  return g_strdup_printf ("%s changed from %s to %s", label, before != NULL ? before : "nothing", now);
}

/* The first label of @recipe whose value is another in @earlier, NULL when there is none, and how many there are. */
static char *
first_difference (const char *earlier, const char *recipe, guint *count)
{
  g_auto (GStrv) lines = g_strsplit (recipe, "\n", -1);
  char *first = NULL;
  *count = 0;
  for (guint i = 0; lines[i] != NULL; i++) {
    char *colon = strstr (lines[i], ": ");
    if (colon == NULL)
      continue;
    *colon = '\0';
    g_autofree char *before = lb_recipe_get (earlier, lines[i]);
    if (g_strcmp0 (before, colon + 2) == 0)
      continue;
    ++*count;
    if (first == NULL)
      first = g_strdup (lines[i]);
  }
  return first;
}

char *
lb_recipe_difference (const char *earlier, const char *recipe, guint *count)
{
  g_autofree char *label = first_difference (earlier, recipe, count);
  if (label == NULL)
    return g_strdup ("something that it no longer depends on changed");
  g_autofree char *before = lb_recipe_get (earlier, label), *now = lb_recipe_get (recipe, label);
  g_autofree char *first = difference_text (label, before, now);
  if (*count == 1)
    return g_steal_pointer (&first);
  return g_strdup_printf ("%s, and %u more thing%s changed", first, *count - 1, *count == 2 ? "" : "s");
}

char *
lb_recipe_only_difference (const char *earlier, const char *recipe)
{
  guint count, count_back;
  g_autofree char *label = first_difference (earlier, recipe, &count);
  g_autofree char *back = first_difference (recipe, earlier, &count_back);
  return count == 1 && count_back == 1 ? g_steal_pointer (&label) : NULL;
}
