/* Deciding what to run. A stage runs when its result is not kept, or when its packets are not and a stage that runs
 * reads them; a damaged result is found before that is settled, because the stages before it may then have to run, too.
 */
#include "pipeline/reuse.h"

#include <string.h>
#include <sys/stat.h>

#include "base/format.h"
#include "pipeline/checkpoint.h"
#include "pipeline/recipe.h"

const char *
lb_reuse_word (LbReuseKind kind)
{
  static const char *const words[]
      = { [LB_REUSE_NOT] = "run", [LB_REUSE_CHECKPOINT] = "resumed", [LB_REUSE_RESULT] = "reused" };
  return words[kind];
}

static guint
count_outputs (const LbPlanStage *stage)
{
  const LbPort *ports = stage->entry->type->outputs;
  guint n = 0;
  while (ports != NULL && ports[n].name != NULL)
    n++;
  return n;
}

void
lb_reuse_free (LbReuse *reuse)
{
  if (reuse == NULL)
    return;
  for (guint i = 0; i < reuse->n_stages; i++) {
    LbReuseStage *stage = &reuse->stages[i];
    g_free (stage->why);
    g_free (stage->key);
    g_free (stage->recipe);
    g_free (stage->shorter);
    lb_ledger_free (stage->result);
    lb_store_unlock (stage->lock);
  }
  g_free (reuse->stages);
  g_ptr_array_unref (reuse->notices);
  g_free (reuse);
}

/* ---- Results ---- */

/* Takes a damaged result out of use, unless another run is using it. */
static void
drop_result (LbReuse *reuse, const LbPlan *plan, guint index, const GError *damage, gboolean look_only)
{
  LbReuseStage *stage = &reuse->stages[index];
  g_autofree char *path = lb_store_result_path (reuse->store, stage->key), *aside = NULL;
  g_autoptr (LbStoreLock) lock = NULL;
  g_clear_pointer (&stage->result, lb_ledger_free);
  g_clear_pointer (&stage->lock, lb_store_unlock);
  if (!look_only && lb_store_try_lock (reuse->store, stage->key, FALSE, &lock, NULL) && lock != NULL)
    aside = lb_store_set_aside (reuse->store, path);
  g_autofree char *where = aside != NULL ? g_strdup_printf (", set aside as '%s'", aside) : g_strdup ("");
  g_ptr_array_add (reuse->notices,
                   g_strdup_printf ("stage '%s': its kept result is damaged%s, and is computed again: %s",
                                    plan->stages[index].written->name, where, damage->message));
}

static gboolean
find_result (LbReuse *reuse, const LbPlan *plan, guint index, gboolean look_only, GError **error)
{
  LbReuseStage *stage = &reuse->stages[index];
  g_autoptr (GError) damage = NULL;
  g_autofree char *path = lb_store_result_path (reuse->store, stage->key);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!lb_store_try_lock (reuse->store, stage->key, TRUE, &stage->lock, error))
    return FALSE;
  if (stage->lock == NULL)
    return TRUE;
  if (!lb_store_read (reuse->store, stage->key, count_outputs (&plan->stages[index]), &stage->result, &damage))
    drop_result (reuse, plan, index, damage, look_only);
  else if (stage->result == NULL)
    g_clear_pointer (&stage->lock, lb_store_unlock);
  return TRUE;
}

/* Settles which stages run and which packets are needed. */
static void
settle (LbReuse *reuse, const LbPlan *plan)
{
  for (guint i = 0; i < reuse->n_stages; i++)
    reuse->stages[i].send = FALSE;
  for (guint k = plan->n_ordered; k-- > 0;) {
    guint i = plan->order[k];
    LbReuseStage *stage = &reuse->stages[i];
    gboolean there = stage->result != NULL && (stage->result->has_packets || !stage->send);
    stage->kind = there ? LB_REUSE_RESULT : LB_REUSE_NOT;
    for (guint j = 0; !there && j < plan->stages[i].links->len; j++)
      reuse->stages[g_array_index (plan->stages[i].links, LbPlanLink, j).source].send = TRUE;
  }
}

/* FALSE when a result that was counted on is damaged: then all is to be settled again. */
static gboolean
verify (LbReuse *reuse, const LbPlan *plan, int *verified, gboolean look_only)
{
  for (guint i = 0; i < reuse->n_stages; i++) {
    LbReuseStage *stage = &reuse->stages[i];
    g_autoptr (GError) damage = NULL;
    int wanted = stage->send ? 2 : 1;
    if (stage->kind != LB_REUSE_RESULT || verified[i] >= wanted)
      continue;
    g_autofree char *directory = lb_store_result_path (reuse->store, stage->key);
    if (!lb_store_verify (directory, stage->result, stage->send, &damage)) {
      drop_result (reuse, plan, i, damage, look_only);
      return FALSE;
    }
    verified[i] = wanted;
  }
  return TRUE;
}

/* ---- Why ---- */

/* The recipe of the same stage, in results and in unfinished work, that is nearest to the one at hand: it tells what
 * changed. Among equally near ones the last used. */
static char *
nearest_difference (const LbReuse *reuse, const LbReuseStage *stage, GPtrArray *items, const LbPlanStage *planned)
{
  guint fewest = G_MAXUINT;
  char *found = NULL;
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    if (strcmp (item->stage, planned->written->name) != 0 || strcmp (item->type, planned->entry->type->name) != 0
        || strcmp (item->key, stage->key) == 0)
      continue;
    g_autofree char *directory = item->finished ? lb_store_result_path (reuse->store, item->key)
                                                : lb_store_work_path (reuse->store, item->key);
    g_autofree char *recipe = lb_store_recipe (directory);
    guint count = 0;
    g_autofree char *text = recipe != NULL ? lb_recipe_difference (recipe, stage->recipe, &count) : NULL;
    if (text == NULL || count >= fewest)
      continue;
    fewest = count;
    g_free (found);
    found = g_steal_pointer (&text);
  }
  return found;
}

/* The age of the newest checkpoint in the work of @key, in seconds; negative when there is none. */
static double
checkpoint_age (LbStore *store, const char *key)
{
  g_autofree char *work = lb_store_work_path (store, key), *path = NULL;
  g_autoptr (GArray) numbers = lb_checkpoint_numbers (work);
  struct stat status;
  if (numbers->len == 0)
    return -1;
  path = lb_checkpoint_path (work, g_array_index (numbers, guint64, 0));
  if (stat (path, &status) != 0)
    return -1;
  return (double)MAX (g_get_real_time () / G_USEC_PER_SEC - status.st_mtim.tv_sec, 0);
}

/* Whether @recipe is the one in @directory but for a property of which it wants more: *value is how much there was of
 * *property. */
static gboolean
is_shorter (const char *directory, const char *recipe, char **property, gint64 *value)
{
  g_autofree char *earlier = lb_store_recipe (directory), *label = NULL, *before = NULL, *now = NULL;
  gint64 wanted;
  if (earlier == NULL || (label = lb_recipe_only_difference (earlier, recipe)) == NULL
      || !g_str_has_prefix (label, LB_RECIPE_PROPERTY))
    return FALSE;
  before = lb_recipe_get (earlier, label);
  now = lb_recipe_get (recipe, label);
  *property = g_strdup (label + strlen (LB_RECIPE_PROPERTY));
  return g_ascii_string_to_signed (before, 10, G_MININT64, G_MAXINT64, value, NULL)
         && g_ascii_string_to_signed (now, 10, G_MININT64, G_MAXINT64, &wanted, NULL) && *value < wanted;
}

/* Whether the result in @directory has an end that was kept for more of @property; damage is told. */
static gboolean
has_end (const LbReuse *reuse, const char *stage, const char *directory, const char *property)
{
  g_autofree char *end_of = NULL;
  g_autoptr (GError) damage = NULL;
  if (lb_checkpoint_read_end (directory, &end_of, &damage))
    return g_strcmp0 (end_of, property) == 0;
  g_ptr_array_add (reuse->notices,
                   g_strdup_printf ("stage '%s': where an earlier run ended is damaged, and nothing goes "
                                    "on from there: %s",
                                    stage, damage->message));
  return FALSE;
}

/* Finds the result of the same stage that came farthest without going too far. */
static void
find_shorter (const LbReuse *reuse, LbReuseStage *stage, GPtrArray *items, const LbPlanStage *planned)
{
  gint64 farthest = G_MININT64;
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    g_autofree char *directory = NULL, *property = NULL;
    gint64 value;
    if (!item->finished || strcmp (item->stage, planned->written->name) != 0
        || strcmp (item->type, planned->entry->type->name) != 0)
      continue;
    directory = lb_store_result_path (reuse->store, item->key);
    if (!is_shorter (directory, stage->recipe, &property, &value) || value <= farthest
        || !has_end (reuse, planned->written->name, directory, property))
      continue;
    farthest = value;
    g_free (stage->shorter);
    g_free (stage->why);
    stage->shorter = g_strdup (item->key);
    stage->why = g_strdup_printf ("from the end of an earlier run, at %s %" G_GINT64_FORMAT, property, value);
    stage->kind = LB_REUSE_CHECKPOINT;
  }
}

/* The name of a stage that runs and reads stage @index. */
static const char *
reader_that_runs (const LbReuse *reuse, const LbPlan *plan, guint index)
{
  for (guint i = 0; i < plan->n_stages; i++)
    for (guint k = 0; reuse->stages[i].kind != LB_REUSE_RESULT && k < plan->stages[i].links->len; k++)
      if (g_array_index (plan->stages[i].links, LbPlanLink, k).source == index)
        return plan->stages[i].written->name;
  return "?";
}

static void
explain (LbReuse *reuse, const LbPlan *plan, guint index, GPtrArray **items)
{
  LbReuseStage *stage = &reuse->stages[index];
  double age = checkpoint_age (reuse->store, stage->key);
  if (stage->closes) {
    stage->why = g_strdup ("it tells of the whole run");
  } else if (stage->kind == LB_REUSE_RESULT) {
    g_autofree char *seconds = lb_format_seconds (stage->result->seconds);
    stage->why = g_strdup_printf ("nothing that it depends on changed; it took %s", seconds);
  } else if (stage->result != NULL) {
    stage->why = g_strdup_printf ("'%s' needs its packets, which are not kept", reader_that_runs (reuse, plan, index));
  } else if (age >= 0) {
    g_autofree char *seconds = lb_format_seconds (age);
    stage->kind = LB_REUSE_CHECKPOINT;
    stage->why = g_strdup_printf ("from a checkpoint of %s ago", seconds);
  } else {
    if (*items == NULL)
      *items = lb_store_items (reuse->store);
    find_shorter (reuse, stage, *items, &plan->stages[index]);
    if (stage->why == NULL)
      stage->why = nearest_difference (reuse, stage, *items, &plan->stages[index]);
    if (stage->why == NULL)
      stage->why = g_strdup ("no result is kept");
  }
}

LbReuse *
lb_reuse_decide (const LbPlan *plan, LbStore *store, const char *arithmetic, gboolean look_only, GError **error)
{
  g_autoptr (LbReuse) reuse = g_new0 (LbReuse, 1);
  g_autofree char *cache = lb_store_digests_path (store);
  g_autofree char **keys = g_new0 (char *, plan->n_stages + 1);
  g_autofree int *verified = g_new0 (int, plan->n_stages + 1);
  g_autoptr (GPtrArray) items = NULL;
  reuse->store = store;
  reuse->n_stages = plan->n_stages;
  reuse->stages = g_new0 (LbReuseStage, plan->n_stages);
  reuse->notices = g_ptr_array_new_with_free_func (g_free);
  for (guint k = 0; k < plan->n_ordered; k++) {
    guint i = plan->order[k];
    LbReuseStage *stage = &reuse->stages[i];
    stage->cheap = (lb_stage_entry_flags (plan->stages[i].entry) & LB_STAGE_CHEAP) != 0;
    stage->closes = (lb_stage_entry_flags (plan->stages[i].entry) & LB_STAGE_CLOSES) != 0;
    stage->recipe = lb_recipe_text (plan, i, keys, arithmetic, cache);
    stage->key = keys[i] = lb_recipe_key (stage->recipe);
    if (!stage->closes && !find_result (reuse, plan, i, look_only, error))
      return NULL;
  }
  do
    settle (reuse, plan);
  while (!verify (reuse, plan, verified, look_only));
  for (guint i = 0; i < reuse->n_stages; i++)
    explain (reuse, plan, i, &items);
  return g_steal_pointer (&reuse);
}
