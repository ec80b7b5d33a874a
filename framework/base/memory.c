/* Memory as Linux tells of it: /proc/self, /proc/meminfo, and the control groups the process is in.
 *
 * Nothing here fails: a file that is not there or says something else makes the answer "not known".
 */
#include "base/memory.h"

#include <string.h>
#include <stdio.h>
#include <sys/mman.h>

#define LARGEST ((guint64)1 << 60)

/* What is asked for large pages: two of x86-64's at least. */
#define LARGE_PAGE   ((gsize)2 << 20)
#define LEAST_LARGES 2

static char *
read_file (const char *path)
{
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

/* The number after @key at the beginning of a line of @text; FALSE when there is none. */
static gboolean
find_number (const char *text, const char *key, guint64 *number)
{
  gsize length = strlen (key);

  for (const char *line = text; line != NULL && *line != '\0';) {
    if (strncmp (line, key, length) == 0) {
      *number = g_ascii_strtoull (line + length, NULL, 10);
      return TRUE;
    }
    line = strchr (line, '\n');
    line = line != NULL ? line + 1 : NULL;
  }
  return FALSE;
}

/* Bytes after @key in @path, where they are told in kB. */
static guint64
bytes_after (const char *path, const char *key)
{
  g_autofree char *text = read_file (path);
  guint64 kilobytes = 0;

  return find_number (text, key, &kilobytes) ? kilobytes * 1024 : 0;
}

guint64
lb_memory_resident (void)
{
  return bytes_after ("/proc/self/status", "VmRSS:");
}

guint64
lb_memory_peak (void)
{
  return bytes_after ("/proc/self/status", "VmHWM:");
}

gboolean
lb_memory_reset_peak (void)
{
  /* 5: see proc(5), clear_refs. Written as it is, for the file has no name to rename to. */
  FILE *file = fopen ("/proc/self/clear_refs", "we");
  gboolean done = file != NULL && fputs ("5", file) >= 0;

  return (file == NULL || fclose (file) == 0) && done;
}

/* ---- What there is ---- */

/* Bytes that the group whose files are in @directory leaves; G_MAXUINT64 when it sets no limit. Pages of files that
 * were not used lately are given back when memory runs short, so they do not count as taken. */
static guint64
left_in_group (const char *directory, const char *limit_name, const char *usage_name, const char *cache_key)
{
  g_autofree char *limit_path = g_build_filename (directory, limit_name, NULL);
  g_autofree char *usage_path = g_build_filename (directory, usage_name, NULL);
  g_autofree char *stat_path = g_build_filename (directory, "memory.stat", NULL);
  g_autofree char *limit_text = read_file (limit_path), *usage_text = read_file (usage_path);
  g_autofree char *stat = read_file (stat_path);
  guint64 limit = 0, usage = 0, cache = 0;

  if (limit_text == NULL || usage_text == NULL || !find_number (limit_text, "", &limit) || limit == 0
      || limit >= LARGEST)
    return G_MAXUINT64;
  find_number (usage_text, "", &usage);
  find_number (stat, cache_key, &cache);
  usage -= MIN (usage, cache);
  return limit > usage ? limit - usage : 0;
}

/* The least that @group, a path under @root, and the groups around it leave. */
static guint64
left_in_groups (const char *root, const char *group, const char *limit_name, const char *usage_name,
                const char *cache_key)
{
  g_autofree char *path = g_strdup (group);
  guint64 left = G_MAXUINT64;

  for (;;) {
    g_autofree char *directory = g_build_filename (root, path, NULL);
    left = MIN (left, left_in_group (directory, limit_name, usage_name, cache_key));
    char *slash = strrchr (path, '/');
    if (slash == NULL)
      return left;
    *slash = '\0';
  }
}

/* Lines of /proc/self/cgroup: "0::/path" for version 2, "9:memory:/path" for version 1. */
static guint64
left_by_control (const char *root)
{
  g_autofree char *path = g_strconcat (root, "/proc/self/cgroup", NULL);
  g_autofree char *second = g_strconcat (root, "/sys/fs/cgroup", NULL);
  g_autofree char *first = g_strconcat (root, "/sys/fs/cgroup/memory", NULL);
  g_autofree char *text = read_file (path);
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);
  guint64 left = G_MAXUINT64;

  for (guint i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3);
    if (g_strv_length (parts) != 3)
      continue;
    g_auto (GStrv) controllers = g_strsplit (parts[1], ",", -1);
    if (strcmp (parts[0], "0") == 0)
      left = MIN (left, left_in_groups (second, parts[2], "memory.max", "memory.current", "inactive_file "));
    else if (g_strv_contains ((const char *const *)controllers, "memory"))
      left = MIN (left, left_in_groups (first, parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes",
                                        "total_inactive_file "));
  }
  return left;
}

guint64
lb_memory_available_under (const char *root)
{
  g_autofree char *path = g_strconcat (root, "/proc/meminfo", NULL);
  guint64 machine = bytes_after (path, "MemAvailable:"), group = left_by_control (root);

  if (group == G_MAXUINT64)
    return machine;
  return machine == 0 ? group : MIN (machine, group);
}

guint64
lb_memory_available (void)
{
  return lb_memory_available_under ("");
}

/* ---- Pages ---- */

void
lb_memory_prefer_large_pages (gpointer memory, gsize bytes)
{
  gsize before = (LARGE_PAGE - (guintptr)memory % LARGE_PAGE) % LARGE_PAGE;

  if (bytes >= LEAST_LARGES * LARGE_PAGE)
    madvise ((char *)memory + before, (bytes - before) / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
}

/* ---- Sizes ---- */

gboolean
lb_memory_parse (const char *text, guint64 *bytes)
{
  static const char units[] = "KMGT";
  gsize length = strspn (text, "0123456789.");
  const char *end = text + length;
  g_autofree char *number = g_strndup (text, length);
  char *rest = NULL;
  double value = g_ascii_isdigit (*text) ? g_ascii_strtod (number, &rest) : 0, factor = 1;

  if (rest == NULL || *rest != '\0')
    return FALSE;
  const char *unit = *end != '\0' ? strchr (units, g_ascii_toupper (*end)) : NULL;
  if (unit != NULL) {
    for (const char *u = units; u <= unit; u++)
      factor *= 1024;
    end++;
    if (g_ascii_strncasecmp (end, "iB", 2) == 0)
      end += 2;
  }
  if (*end != '\0' || !(value * factor >= 1 && value * factor <= (double)LARGEST))
    return FALSE;
  *bytes = (guint64)(value * factor);
  return TRUE;
}
