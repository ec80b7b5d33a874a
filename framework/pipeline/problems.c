/* The list of problems: kept as found, sorted by place only when told, so that equal places keep the order of finding.
 */
#include "pipeline/problems.h"

typedef struct {
  guint line, column;
  int code;
  char *text;
} Problem;

struct _LbProblems {
  char *path;
  GPtrArray *problems; /* Problem* */
  GPtrArray *notes;    /* char* */
};

static void
problem_free (gpointer data)
{
  Problem *problem = data;
  g_free (problem->text);
  g_free (problem);
}

LbProblems *
lb_problems_new (const char *path)
{
  LbProblems *problems = g_new0 (LbProblems, 1);
  problems->path = g_strdup (path);
  problems->problems = g_ptr_array_new_with_free_func (problem_free);
  problems->notes = g_ptr_array_new_with_free_func (g_free);
  return problems;
}

void
lb_problems_free (LbProblems *problems)
{
  if (problems == NULL)
    return;
  g_free (problems->path);
  g_ptr_array_unref (problems->problems);
  g_ptr_array_unref (problems->notes);
  g_free (problems);
}

/* Text from a file may hold anything; what a terminal would obey is shown instead. */
static char *
escape_controls (const char *text)
{
  GString *safe = g_string_new (NULL);
  for (const guchar *c = (const guchar *)text; *c != '\0'; c++) {
    if (*c < 0x20 || *c == 0x7f)
      g_string_append_printf (safe, "\\x%02x", *c);
    else
      g_string_append_c (safe, (char)*c);
  }
  return g_string_free (safe, FALSE);
}

static void
add (LbProblems *problems, const LbDocumentNode *place, int code, const char *text)
{
  Problem *problem = g_new0 (Problem, 1);
  g_autofree char *sentence = NULL;
  if (place == NULL) {
    problem->line = G_MAXUINT;
    sentence = g_strdup (text);
  } else {
    g_autofree char *where = lb_problems_place (problems, place);
    problem->line = place->line;
    problem->column = place->column;
    sentence = g_strconcat (where, ": ", text, NULL);
  }
  problem->code = code;
  problem->text = escape_controls (sentence);
  g_ptr_array_add (problems->problems, problem);
}

void
lb_problems_add (LbProblems *problems, const LbDocumentNode *place, int code, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  add (problems, place, code, text);
}

void
lb_problems_add_error (LbProblems *problems, const GError *error)
{
  add (problems, NULL, lb_error_exit_status (error), error->message);
}

void
lb_problems_note (LbProblems *problems, const char *text)
{
  g_autofree char *safe = escape_controls (text);
  if (!g_ptr_array_find_with_equal_func (problems->notes, safe, g_str_equal, NULL))
    g_ptr_array_add (problems->notes, g_steal_pointer (&safe));
}

guint
lb_problems_count (const LbProblems *problems)
{
  return problems->problems->len;
}

static int
compare_places (gconstpointer first, gconstpointer second)
{
  const Problem *a = *(Problem *const *)first, *b = *(Problem *const *)second;
  if (a->line != b->line)
    return a->line < b->line ? -1 : 1;
  return (a->column > b->column) - (a->column < b->column);
}

/* g_ptr_array_sort() is stable. */
static void
sort (LbProblems *problems)
{
  g_ptr_array_sort (problems->problems, compare_places);
}

char *
lb_problems_to_text (LbProblems *problems)
{
  GString *text = g_string_new (NULL);
  sort (problems);
  for (guint i = 0; i < problems->problems->len; i++)
    g_string_append_printf (text, "%s\n", ((Problem *)problems->problems->pdata[i])->text);
  for (guint i = 0; i < problems->notes->len; i++)
    g_string_append_printf (text, "%s\n", (char *)problems->notes->pdata[i]);
  return g_string_free (text, FALSE);
}

int
lb_problems_exit_status (LbProblems *problems)
{
  if (problems->problems->len == 0)
    return 0;
  sort (problems);
  return ((Problem *)problems->problems->pdata[0])->code;
}

char *
lb_problems_place (const LbProblems *problems, const LbDocumentNode *place)
{
  return g_strdup_printf ("%s:%u:%u", problems->path, place->line, place->column);
}
