/* limbeck new-plugin: a folder with a plugin that builds, passes its test and runs, to start one's own from.
 *
 * The templates (framework/templates) are whole plugins of a stage called my-stage, so they can be read, built and
 * tested as they are; writing one is putting another name in its place. The folder appears under its name when it is
 * complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/command.h"

static const char *const kinds[] = { "distiller", "source", "filter", "sink", NULL };

/* A file of the folder; '*' is the stage's name, and '%' the kind. */
static const struct {
  const char *name, *resource;
} files[] = {
  { "meson.build", "/limbeck/templates/meson.build" }, { "README.md", "/limbeck/templates/README.md" },
  { "*.c", "/limbeck/templates/%/stage.c" },           { "test-*.c", "/limbeck/templates/%/test.c" },
  { "*.yaml", "/limbeck/templates/%/example.yaml" },
};

/* @text with @other in place of each @word; free with g_free(). */
static char *
replaced (const char *text, const char *word, const char *other)
{
  g_auto (GStrv) parts = g_strsplit (text, word, -1);
  return g_strjoinv (other, parts);
}

/* "mean-matching" as "MeanMatching". */
static char *
camel_case (const char *name)
{
  GString *out = g_string_new (NULL);
  gboolean starts = TRUE;

  for (; *name != '\0'; name++) {
    if (*name != '-')
      g_string_append_c (out, starts ? g_ascii_toupper (*name) : *name);
    starts = *name == '-';
  }
  return g_string_free (out, FALSE);
}

/* A template with the stage's name in it. */
static char *
fill (const char *template, const char *name)
{
  g_autofree char *function = replaced (name, "-", "_"), *type = camel_case (name);
  g_autofree char *first = replaced (template, "my-stage", name), *second = replaced (first, "my_stage", function);
  return replaced (second, "MyStage", type);
}

/* ---- What a name may be ---- */

/* Names that meson keeps for itself. */
static const char *const taken[]
    = { "all", "benchmark", "clean", "coverage", "dist", "install", "reconfigure", "test", "uninstall", NULL };

/* The exit status; 0: a stage may be called so. */
static int
check_name (const char *name)
{
  g_autoptr (LbRegistry) registry = NULL;
  const LbStageEntry *known;

  if (!lb_is_name (name, '-') || g_str_has_suffix (name, "-") || strstr (name, "--") != NULL || strlen (name) > 60)
    return lb_command_usage (
        "'%s' cannot be the name of a stage; use small letters, digits and single '-' between them, "
        "starting with a letter, at most 60",
        name);
  if (g_strv_contains (taken, name) || g_str_has_prefix (name, "meson-"))
    return lb_command_usage ("'%s' is a word of the build system meson; choose another name", name);
  registry = lb_registry_new_default ();
  known = lb_registry_find (registry, name);
  if (known != NULL)
    return lb_command_usage ("stage type '%s' is known already from '%s'; choose another name", name, known->path);
  return 0;
}

/* ---- Writing ---- */

static gboolean
write_files (const char *directory, const char *name, const char *kind, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *file = replaced (files[i].name, "*", name), *path = g_build_filename (directory, file, NULL);
    g_autofree char *resource = replaced (files[i].resource, "%", kind);
    g_autoptr (GBytes) bytes = g_resources_lookup_data (resource, G_RESOURCE_LOOKUP_FLAGS_NONE, error);

    if (bytes == NULL)
      return FALSE;
    g_autofree char *template = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
    g_autofree char *text = fill (template, name);
    if (!lb_file_write (path, text, strlen (text), error))
      return FALSE;
  }
  return TRUE;
}

/* What write_files() may have left. */
static void
remove_files (const char *directory, const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *file = replaced (files[i].name, "*", name), *path = g_build_filename (directory, file, NULL);
    g_unlink (path);
  }
  g_rmdir (directory);
}

/* Gives the complete folder @from its name, which must not be there. */
static gboolean
publish (const char *from, const char *to, GError **error)
{
  mode_t mask = umask (0);

  umask (mask);
  if (g_chmod (from, 0777 & ~mask) == 0 && renameat2 (AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return TRUE;
  if (errno == EEXIST) {
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "'%s' is there already; choose another name or --directory", to);
    return FALSE;
  }
  return lb_output_error (to, errno, error);
}

static gboolean
write_folder (const char *path, const char *name, const char *kind, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path), *draft = g_build_filename (parent, ".limbeck-XXXXXX", NULL);

  if (g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, LB_ERROR, LB_ERROR_OUTPUT, "'%s' is there already; choose another name or --directory", path);
    return FALSE;
  }
  if (g_mkdtemp (draft) == NULL)
    return lb_output_error (parent, errno, error);
  if (write_files (draft, name, kind, error) && publish (draft, path, error))
    return TRUE;
  remove_files (draft, name);
  return FALSE;
}

static void
tell (const char *path, const char *name)
{
  printf ("%s: %s.c is the stage, test-%s.c its test, %s.yaml a pipeline that uses it. To build, test and run it:\n"
          "  cd %s\n"
          "  meson setup build\n"
          "  meson test -C build\n"
          "  LIMBECK_PLUGIN_PATH=build limbeck run %s.yaml --output out\n",
          path, name, name, name, path, name);
}

int
lb_command_new_plugin (int argc, char **argv)
{
  g_auto (GStrv) names = NULL;
  g_autofree char *kind = NULL, *directory = NULL;
  const GOptionEntry entries[] = {
    { "kind", 'k', 0, G_OPTION_ARG_STRING, &kind, "What the stage is (default: filter)",
      "distiller|source|filter|sink" },
    { "directory", 'd', 0, G_OPTION_ARG_FILENAME, &directory, "Where to make the folder (default: here)", "DIR" },
    G_OPTION_ENTRY_NULL,
  };
  LbParsed parsed = lb_command_parse (
      argc, argv, entries, "NAME", "Writes a folder NAME with a plugin that builds, passes its test and runs.",
      "NAME becomes the stage's name. The folder holds the stage, a test of it alone, a pipeline that uses\n"
      "it, a meson.build and a README; it needs an installed Limbeck and nothing else of it.",
      1, 1, &names);
  if (parsed != LB_PARSED)
    return parsed == LB_PARSED_HELP ? 0 : LB_ERROR_USAGE;
  g_autoptr (GError) error = NULL;
  int index = lb_command_choice ("kind", kind != NULL ? kind : "filter", kinds);
  int status = index < 0 ? LB_ERROR_USAGE : check_name (names[0]);
  g_autofree char *path = directory != NULL ? g_build_filename (directory, names[0], NULL) : g_strdup (names[0]);
  if (status != 0)
    return status;
  if (!write_folder (path, names[0], kinds[index], &error))
    return lb_command_fail (error);
  tell (path, names[0]);
  return 0;
}
