/* Columns as wide as their widest cell, counted in characters. */
#include <string.h>

#include "cli/table.h"

struct _LbTable {
  char *alignment;
  guint n_columns;
  GPtrArray *cells; /* char*, row by row */
};

LbTable *
lb_table_new (const char *alignment)
{
  LbTable *table = g_new0 (LbTable, 1);
  table->alignment = g_strdup (alignment);
  table->n_columns = (guint)strlen (alignment);
  table->cells = g_ptr_array_new_with_free_func (g_free);
  return table;
}

void
lb_table_free (LbTable *table)
{
  if (table == NULL)
    return;
  g_free (table->alignment);
  g_ptr_array_unref (table->cells);
  g_free (table);
}

void
lb_table_add (LbTable *table, ...)
{
  va_list cells;
  va_start (cells, table);
  for (guint i = 0; i < table->n_columns; i++) {
    const char *cell = va_arg (cells, const char *);
    g_ptr_array_add (table->cells, g_strdup (cell != NULL ? cell : ""));
  }
  va_end (cells);
}

static void
append_spaces (GString *text, glong n)
{
  for (glong i = 0; i < n; i++)
    g_string_append_c (text, ' ');
}

char *
lb_table_to_text (const LbTable *table, guint indent)
{
  g_autofree glong *widths = g_new0 (glong, table->n_columns);
  for (guint i = 0; i < table->cells->len; i++)
    widths[i % table->n_columns] = MAX (widths[i % table->n_columns], g_utf8_strlen (table->cells->pdata[i], -1));

  GString *text = g_string_new (NULL);
  for (guint i = 0; i < table->cells->len; i++) {
    guint column = i % table->n_columns;
    glong padding = widths[column] - g_utf8_strlen (table->cells->pdata[i], -1);
    append_spaces (text, column == 0 ? indent : 2);
    if (table->alignment[column] == 'r')
      append_spaces (text, padding);
    g_string_append (text, table->cells->pdata[i]);
    if (table->alignment[column] != 'r')
      append_spaces (text, padding);
    if (column + 1 == table->n_columns) {
      while (text->len > 0 && text->str[text->len - 1] == ' ')
        g_string_truncate (text, text->len - 1);
      g_string_append_c (text, '\n');
    }
  }
  return g_string_free (text, FALSE);
}
