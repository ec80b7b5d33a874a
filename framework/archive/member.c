/* Names of members. */
#include "archive/member.h"

#include <string.h>

#define MOST_PART 255

static const char *
part_fault (const char *part)
{
  if (*part == '\0')
    return "has an empty part";
  if (strcmp (part, ".") == 0 || strcmp (part, "..") == 0)
    return "has a part that leads out of its folder";
  if (strlen (part) > MOST_PART)
    return "has a part that is too long";
  return NULL;
}

const char *
lb_member_fault (const char *name)
{
  static const char *const files[]
      = { LB_ARCHIVE_SUMS, LB_ARCHIVE_CRATE, LB_ARCHIVE_MANIFEST, LB_ARCHIVE_PIPELINE, LB_ARCHIVE_WRITTEN, NULL };
  static const char *const folders[] = { "inputs", "outputs", "packets", "run", "schemas", NULL };
  if (strlen (name) > LB_ARCHIVE_MOST_NAME)
    return "is too long";
  if (!g_utf8_validate (name, -1, NULL))
    return "is not UTF-8";
  for (const char *c = name; *c != '\0'; c++)
    if (g_ascii_iscntrl (*c) || *c == '\\' || *c == ':')
      return "has a character that not every file system takes";
  if (name[0] == '/')
    return "is absolute";
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    if (part_fault (parts[i]) != NULL)
      return part_fault (parts[i]);
  if (!g_strv_contains (parts[1] != NULL ? folders : files, parts[0]))
    return "is none that an archive has";
  return NULL;
}

/* ---- Sets ---- */

struct _LbMemberNames {
  GHashTable *files, *folders; /* names without capital letters */
};

LbMemberNames *
lb_member_names_new (void)
{
  LbMemberNames *names = g_new (LbMemberNames, 1);
  names->files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  names->folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return names;
}

void
lb_member_names_free (LbMemberNames *names)
{
  if (names == NULL)
    return;
  g_hash_table_unref (names->files);
  g_hash_table_unref (names->folders);
  g_free (names);
}

const char *
lb_member_names_add (LbMemberNames *names, const char *name)
{
  /* Composed and decomposed letters are the same to some file systems. */
  g_autofree char *folded = g_utf8_casefold (name, -1), *plain = g_utf8_normalize (folded, -1, G_NORMALIZE_ALL);
  if (plain == NULL || g_hash_table_contains (names->files, plain))
    return "is there twice, but for capital letters perhaps";
  if (g_hash_table_contains (names->folders, plain))
    return "is a file and a folder";
  for (char *slash = strchr (plain, '/'); slash != NULL; slash = strchr (slash + 1, '/')) {
    g_autofree char *folder = g_strndup (plain, slash - plain);
    if (g_hash_table_contains (names->files, folder))
      return "lies in what is a file";
    g_hash_table_add (names->folders, g_steal_pointer (&folder));
  }
  g_hash_table_add (names->files, g_steal_pointer (&plain));
  return NULL;
}
