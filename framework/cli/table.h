/* Tables of text for a terminal. Private to cli/. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _LbTable LbTable;

/* @alignment has one letter a column, 'l' or 'r'. */
LbTable *lb_table_new (const char *alignment);
void lb_table_free (LbTable *table);

/* Adds a row; takes as many texts as there are columns. NULL is an empty cell. */
void lb_table_add (LbTable *table, ...);

/* Columns two spaces apart, each row indented by @indent spaces, no space at the end of a line. Free with g_free(). */
char *lb_table_to_text (const LbTable *table, guint indent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbTable, lb_table_free)

G_END_DECLS
