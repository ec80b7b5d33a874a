/* Kinds of user error, their exit status, and the nearest known name for a typing mistake. */
#include "base/error.h"

#include <string.h>

G_DEFINE_QUARK (lb - error - quark, lb_error)

int
lb_error_exit_status (const GError *error)
{
  if (error == NULL)
    return 0;
  return error->domain == LB_ERROR ? error->code : 1;
}

gboolean
lb_input_error (const char *path, GError **error, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "%s: %s", path, text);
  return FALSE;
}

/* Upper and lower case, and '_' and '-', are one letter here: who writes one for the other means the same name. */
static char
fold (char letter)
{
  return letter == '_' ? '-' : g_ascii_tolower (letter);
}

/* Edit distance where inserting, deleting, changing a letter and swapping two neighbours cost 1 each. */
static gsize
edit_distance (const char *a, gsize length_a, const char *b, gsize length_b)
{
  g_autofree gsize *rows = g_new (gsize, 3 * (length_b + 1));
  gsize *before = rows, *last = before + length_b + 1, *row = last + length_b + 1;

  for (gsize j = 0; j <= length_b; j++)
    last[j] = j;
  for (gsize i = 1; i <= length_a; i++) {
    row[0] = i;
    for (gsize j = 1; j <= length_b; j++) {
      char x = fold (a[i - 1]), y = fold (b[j - 1]);
      gsize best = last[j - 1] + (x != y);
      best = MIN (best, MIN (last[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && x == fold (b[j - 2]) && fold (a[i - 2]) == y)
        best = MIN (best, before[j - 2] + 1);
      row[j] = best;
    }
    gsize *free_row = before;
    before = last;
    last = row;
    row = free_row;
  }
  return last[length_b];
}

const char *
lb_nearest_name (const char *word, const char *const *known)
{
  const char *nearest = NULL;
  gsize least = G_MAXSIZE, length = strlen (word);

  for (; *known != NULL; known++) {
    gsize other = strlen (*known), longer = MAX (length, other), shorter = MIN (length, other);
    /* The distance is at least the difference in length; this also bounds the work for a very long word. */
    if (3 * (longer - shorter) > longer)
      continue;
    gsize distance = edit_distance (word, length, *known, other);
    if (3 * distance <= longer && distance < least) {
      least = distance;
      nearest = *known;
    }
  }
  return nearest;
}

char *
lb_did_you_mean (const char *word, const char *const *known)
{
  const char *near = lb_nearest_name (word, known);
  return near != NULL ? g_strdup_printf ("; did you mean '%s'?", near) : g_strdup ("");
}

char *
lb_suggestion (const char *word, const char *const *known)
{
  if (known[0] == NULL)
    return g_strdup ("; there are none");
  if (lb_nearest_name (word, known) != NULL)
    return lb_did_you_mean (word, known);
  g_autofree char *list = g_strjoinv (", ", (char **)known);
  return g_strdup_printf ("; known are %s", list);
}
