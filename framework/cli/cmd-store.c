/* limbeck store: what is kept of earlier runs, whether it is whole, and its removal. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/table.h"
#include "pipeline/checkpoint.h"

typedef struct {
  char *path, *max_size, *older_than;
  gboolean all;
  GStrv words;
  double max_bytes, max_age; /* infinite where not given */
} Options;

static void
options_clear (Options *options)
{
  g_free (options->path);
  g_free (options->max_size);
  g_free (options->older_than);
  g_strfreev (options->words);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
parse_limits (Options *options)
{
  char *end = NULL;
  guint64 bytes = 0;
  options->max_bytes = options->max_age = INFINITY;
  if (options->max_size != NULL && !lb_memory_parse (options->max_size, &bytes)) {
    lb_command_usage ("--max-size is '%s'; expected a size such as 500M or 20G", options->max_size);
    return FALSE;
  }
  if (options->max_size != NULL)
    options->max_bytes = (double)bytes;
  if (options->older_than != NULL) {
    options->max_age = g_ascii_strtod (options->older_than, &end) * 86400;
    if (end == options->older_than || *end != '\0' || !(options->max_age >= 0)) {
      lb_command_usage ("--older-than is '%s'; expected a number of days", options->older_than);
      return FALSE;
    }
  }
  return TRUE;
}

static LbParsed
parse (int argc, char **argv, Options *options)
{
  const GOptionEntry entries[] = {
    { "store", 0, 0, G_OPTION_ARG_FILENAME, &options->path,
      "The store (default: what LIMBECK_STORE names, or $XDG_CACHE_HOME/limbeck)", "DIR" },
    { "older-than", 0, 0, G_OPTION_ARG_FILENAME, &options->older_than, "prune: what was not used for so many days",
      "DAYS" },
    { "max-size", 0, 0, G_OPTION_ARG_FILENAME, &options->max_size,
      "prune: what was not used for longest, until the rest is no larger", "SIZE" },
    { "all", 0, 0, G_OPTION_ARG_NONE, &options->all, "prune: everything", NULL },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (
      argc, argv, entries, "list|verify|prune", "Looks after the results that runs have kept.",
      "list     all results and unfinished work, the last used first\n"
      "verify   reads everything and compares digests; what is damaged is set aside, and exit status 5\n"
      "prune    removes what the options say, and what was set aside; what a run is using stays\n",
      1, 1, &options->words);
  return parsed == LB_PARSED && !parse_limits (options) ? LB_PARSED_WRONG : parsed;
}

static char *
format_time (gint64 seconds)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (seconds);
  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M") : g_strdup ("?");
}

static int
list (LbStore *store)
{
  g_autoptr (GPtrArray) items = lb_store_items (store);
  g_autoptr (LbTable) table = lb_table_new ("lllrl");
  guint64 bytes = 0, aside = lb_store_aside_bytes (store, FALSE);
  lb_table_add (table, "stage", "plugin", "key", "size", "last used");
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    g_autofree char *key = g_strndup (item->key, 12), *size = lb_format_bytes (item->bytes);
    g_autofree char *time = format_time (item->used);
    g_autofree char *used = g_strconcat (time, item->finished ? "" : "  unfinished", NULL);
    lb_table_add (table, item->stage, item->type, key, size, used);
    bytes += item->bytes;
  }
  g_autofree char *text = lb_table_to_text (table, 0), *size = lb_format_bytes (bytes);
  printf ("%s\n%u entr%s, %s in %s\n", text, items->len, items->len == 1 ? "y" : "ies", size, lb_store_path (store));
  if (aside > 0) {
    g_autofree char *damaged = lb_format_bytes (aside);
    printf ("%s more were found damaged and set aside; 'limbeck store prune' removes them\n", damaged);
  }
  return 0;
}

/* Whether the result is whole or in use and about to be changed; it is set aside otherwise, and told. */
static gboolean
verify_item (LbStore *store, const LbStoreItem *item)
{
  g_autoptr (LbStoreLock) lock = NULL;
  g_autoptr (LbLedger) ledger = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = lb_store_result_path (store, item->key), *aside = NULL, *end_of = NULL;
  if (!lb_store_try_lock (store, item->key, TRUE, &lock, &error) || lock == NULL)
    return TRUE;
  if (lb_store_read (store, item->key, LB_ANY_OUTPUTS, &ledger, &error)
      && (ledger == NULL || lb_store_verify (path, ledger, TRUE, &error))
      && lb_checkpoint_read_end (path, &end_of, &error))
    return TRUE;
  g_clear_pointer (&lock, lb_store_unlock);
  if (lb_store_try_lock (store, item->key, FALSE, &lock, NULL) && lock != NULL)
    aside = lb_store_set_aside (store, path);
  fprintf (stderr, "limbeck: the result of stage '%s' is damaged%s%s%s; the next run computes it again: %s\n",
           item->stage, aside != NULL ? ", set aside as '" : "", aside != NULL ? aside : "", aside != NULL ? "'" : "",
           error->message);
  return FALSE;
}

static int
verify (LbStore *store)
{
  g_autoptr (GPtrArray) items = lb_store_items (store);
  guint n = 0, n_damaged = 0;
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    if (!item->finished)
      continue;
    n++;
    n_damaged += !verify_item (store, item);
  }
  printf ("%u result%s, %u damaged\n", n, n == 1 ? "" : "s", n_damaged);
  return n_damaged > 0 ? LB_ERROR_INPUT : 0;
}

static int
prune (LbStore *store, const Options *options)
{
  g_autoptr (GPtrArray) items = lb_store_items (store);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  guint64 kept = 0, removed = lb_store_aside_bytes (store, TRUE);
  guint n_removed = 0, n_used = 0;
  gboolean full = FALSE;
  /* The last used come first, and fill what --max-size leaves. */
  for (guint i = 0; i < items->len; i++) {
    const LbStoreItem *item = items->pdata[i];
    full |= (double)(kept + item->bytes) > options->max_bytes;
    gboolean stays = !options->all && !full && (double)(now - item->used) <= options->max_age;
    gboolean gone = !stays && lb_store_remove (store, item);
    n_used += !stays && !gone;
    n_removed += gone;
    *(gone ? &removed : &kept) += item->bytes;
  }
  g_autofree char *freed = lb_format_bytes (removed), *rest = lb_format_bytes (kept);
  printf ("%u entr%s removed, %s freed; %s stay\n", n_removed, n_removed == 1 ? "y" : "ies", freed, rest);
  if (n_used > 0)
    printf ("%u that a run is using %s left alone\n", n_used, n_used == 1 ? "was" : "were");
  return 0;
}

int
lb_command_store (int argc, char **argv)
{
  static const char *const words[] = { "list", "verify", "prune", NULL };
  g_auto (Options) options = { 0 };
  g_autoptr (LbStore) store = NULL;
  LbParsed parsed = parse (argc, argv, &options);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  if (!g_strv_contains (words, options.words[0])) {
    g_autofree char *hint = lb_suggestion (options.words[0], words);
    return lb_command_usage ("'%s' is nothing to do with a store%s", options.words[0], hint);
  }
  gboolean limits = options.all || options.max_size != NULL || options.older_than != NULL;
  if (limits && strcmp (options.words[0], "prune") != 0)
    return lb_command_usage ("--older-than, --max-size and --all belong to 'limbeck store prune'");
  int status = lb_command_find_store (options.path, &store);
  if (status != 0)
    return status;
  if (store == NULL) {
    puts ("there is no store: runs make one; --store names another place");
    return 0;
  }
  if (strcmp (options.words[0], "list") == 0)
    return list (store);
  return strcmp (options.words[0], "verify") == 0 ? verify (store) : prune (store, &options);
}
