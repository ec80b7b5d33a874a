/* What charts are drawn with. */
#include "report.h"

double
plane_x (const Plane *plane, double x)
{
  return plane->left + (plane->right - plane->left) * (x - plane->x0) / (plane->x1 - plane->x0);
}

double
plane_y (const Plane *plane, double y)
{
  return plane->bottom - (plane->bottom - plane->top) * (y - plane->y0) / (plane->y1 - plane->y0);
}

void
svg_line (GString *page, const char *class, double x1, double y1, double x2, double y2)
{
  g_string_append_printf (page, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, x1, y1,
                          x2, y2);
}

void
svg_text (GString *page, const char *class, const char *anchor, double x, double y, const char *words)
{
  html_printf (page, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>", class, anchor, x, y,
               words);
}
