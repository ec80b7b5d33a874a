/* Names of architectures with options: "convnet-d3:width=64:norm=batch". */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "nn/table.h"

/* ---- One option ---- */

/* "a, b or c"; free with g_free(). */
static char *
join_choices (const char *const *choices)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; choices[i]; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
  return g_string_free (text, FALSE);
}

char *
lb_architecture_option_expected (const LbArchitectureOption *option)
{
  if (option->choices)
    return join_choices (option->choices);
  return g_strdup_printf ("a %s from %g to %g", option->is_whole ? "whole number" : "number", option->minimum,
                          option->maximum);
}

static gboolean
read_choice (const LbArchitectureOption *option, const char *text, double *value)
{
  for (guint i = 0; option->choices[i]; i++)
    if (g_str_equal (option->choices[i], text)) {
      *value = i;
      return TRUE;
    }
  return FALSE;
}

static gboolean
read_number (const LbArchitectureOption *option, const char *text, double *value)
{
  char *end = NULL;

  /* Numbers as a pipeline file has them: no blanks before, nothing behind, no "inf". */
  if (strspn (text, "0123456789.") != strlen (text) || !g_ascii_isdigit (*text))
    return FALSE;
  *value = g_ascii_strtod (text, &end);
  return *end == '\0' && *value >= option->minimum && *value <= option->maximum
         && (!option->is_whole || floor (*value) == *value);
}

gboolean
lb_architecture_option_read (const LbArchitectureOption *option, const char *text, double *value, GError **error)
{
  g_autofree char *expected = NULL, *hint = NULL;

  if (option->choices ? read_choice (option, text, value) : read_number (option, text, value))
    return TRUE;
  expected = lb_architecture_option_expected (option);
  hint = option->choices ? lb_did_you_mean (text, option->choices) : g_strdup ("");
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "option '%s' is '%s'; expected %s%s", option->name, text, expected,
               hint);
  return FALSE;
}

/* ---- A whole name ---- */

/* The architecture called @name. */
static const LbArchitecture *
find_architecture (const char *name, GError **error)
{
  const LbArchitecture *architecture = lb_architecture_find (name);
  g_autofree const char **names = NULL;
  g_autofree char *known = NULL, *hint = NULL;

  if (architecture)
    return architecture;
  names = lb_architecture_names ();
  known = g_strjoinv (", ", (char **)names);
  hint = lb_did_you_mean (name, names);
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "architecture '%s' is not known; expected one of %s%s", name, known,
               hint);
  return NULL;
}

static guint
count_options (const LbArchitecture *architecture)
{
  guint n = 0;

  while (architecture->options && architecture->options[n].name)
    n++;
  return n;
}

/* Fails: @name is no option of @architecture. */
static gboolean
refuse_option (const LbArchitecture *architecture, const char *name, GError **error)
{
  guint n = count_options (architecture);
  g_autofree const char **names = g_new0 (const char *, n + 1);
  g_autofree char *known = NULL, *hint = NULL;

  for (guint i = 0; i < n; i++)
    names[i] = architecture->options[i].name;
  known = g_strjoinv (", ", (char **)names);
  hint = lb_did_you_mean (name, names);
  if (n == 0)
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "option '%s' is not known; '%s' has no options", name,
                 architecture->name);
  else
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "option '%s' is not known; '%s' has %s%s", name,
                 architecture->name, known, hint);
  return FALSE;
}

/* Reads one "OPTION=VALUE"; @given marks the options that were met before. */
static gboolean
read_option (LbArchitectureChoice *choice, const char *text, gboolean *given, GError **error)
{
  const LbArchitecture *architecture = choice->architecture;
  const char *equals = strchr (text, '=');
  g_autofree char *name = NULL;

  if (!equals) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "'%s' is not an option; expected OPTION=VALUE, as in %s:%s=%s",
                 text, architecture->name, count_options (architecture) > 0 ? architecture->options[0].name : "option",
                 count_options (architecture) > 0 ? architecture->options[0].fallback : "value");
    return FALSE;
  }
  name = g_strndup (text, equals - text);
  for (guint i = 0; i < count_options (architecture); i++) {
    if (!g_str_equal (architecture->options[i].name, name))
      continue;
    if (given[i]) {
      g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "option '%s' is given twice; keep one of them", name);
      return FALSE;
    }
    given[i] = TRUE;
    return lb_architecture_option_read (&architecture->options[i], equals + 1, &choice->values[i], error);
  }
  return refuse_option (architecture, name, error);
}

/* Options that differ from their defaults, in the order of the table. */
static char *
canonical_name (const LbArchitectureChoice *choice)
{
  const LbArchitecture *architecture = choice->architecture;
  GString *name = g_string_new (architecture->name);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  for (guint i = 0; i < count_options (architecture); i++) {
    const LbArchitectureOption *option = &architecture->options[i];
    double usual = 0;

    lb_architecture_option_read (option, option->fallback, &usual, NULL);
    if (choice->values[i] == usual)
      continue;
    g_string_append_printf (name, ":%s=%s", option->name,
                            option->choices ? option->choices[(guint)choice->values[i]]
                                            : g_ascii_formatd (number, sizeof number, "%.15g", choice->values[i]));
  }
  return g_string_free (name, FALSE);
}

gboolean
lb_architecture_choose (const char *text, LbArchitectureChoice *choice, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", -1);
  g_autofree gboolean *given = NULL;
  guint n;

  *choice = (LbArchitectureChoice){ .architecture = find_architecture (parts[0] ? parts[0] : "", error) };
  if (!choice->architecture)
    return FALSE;
  n = count_options (choice->architecture);
  choice->values = g_new0 (double, n + 1);
  given = g_new0 (gboolean, n + 1);
  for (guint i = 0; i < n; i++)
    lb_architecture_option_read (&choice->architecture->options[i], choice->architecture->options[i].fallback,
                                 &choice->values[i], NULL);
  for (guint i = 1; parts[i]; i++)
    if (!read_option (choice, parts[i], given, error)) {
      g_prefix_error (error, "architecture '%s': ", text);
      lb_architecture_choice_clear (choice);
      return FALSE;
    }
  choice->name = canonical_name (choice);
  return TRUE;
}

void
lb_architecture_choice_clear (LbArchitectureChoice *choice)
{
  g_clear_pointer (&choice->name, g_free);
  g_clear_pointer (&choice->values, g_free);
}

gboolean
lb_architecture_check (const char *architecture, GError **error)
{
  LbArchitectureChoice choice;
  gboolean good = lb_architecture_choose (architecture, &choice, error);

  lb_architecture_choice_clear (&choice);
  return good;
}
