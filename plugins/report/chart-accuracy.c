/* The chart of accuracy against bytes. */
#include "report.h"

#include <math.h>

/* The @index-th shape in its colour, around (x, y). */
static void
marker (GString *page, guint index, double x, double y)
{
  guint colour = index % N_COLOURS;

  switch (index % 5) {
  case 0:
    g_string_append_printf (page, "<circle class=\"k%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", colour, x, y);
    break;
  case 1:
    g_string_append_printf (page, "<rect class=\"k%u\" x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\"/>", colour,
                            x - 4.5, y - 4.5);
    break;
  case 2:
    g_string_append_printf (page, "<path class=\"k%u\" d=\"M%.1f %.1fl5.5 10h-11z\"/>", colour, x, y - 6);
    break;
  case 3:
    g_string_append_printf (page, "<path class=\"k%u\" d=\"M%.1f %.1fl6 6-6 6-6-6z\"/>", colour, x, y - 6);
    break;
  default:
    g_string_append_printf (page, "<path class=\"k%u\" d=\"M%.1f %.1fh11l-5.5 10z\"/>", colour, x - 5.5, y - 4);
  }
}

/* Different architectures of @rows in order; the strings are the rows'. */
static GPtrArray *
architectures_of (GPtrArray *rows)
{
  GPtrArray *names = g_ptr_array_new ();

  for (guint i = 0; i < rows->len; i++) {
    char *name = ((Row *)g_ptr_array_index (rows, i))->architecture;
    if (!g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
      g_ptr_array_add (names, name);
  }
  return names;
}

char
row_letter (GPtrArray *rows, const Row *row)
{
  g_autoptr (GPtrArray) sets = g_ptr_array_new ();
  guint index = 0;

  for (guint i = 0; i < rows->len; i++) {
    char *name = ((Row *)g_ptr_array_index (rows, i))->set;
    if (!g_ptr_array_find_with_equal_func (sets, name, g_str_equal, NULL))
      g_ptr_array_add (sets, name);
  }
  g_ptr_array_find_with_equal_func (sets, row->set, g_str_equal, &index);
  return index < 26 ? (char)('A' + index) : '*';
}

static double
half_bar (const Row *row)
{
  return isnan (row->std) ? 0 : 100 * row->std;
}

static Plane
accuracy_plane (GPtrArray *rows, double width, double height)
{
  double least = G_MAXDOUBLE, most = 1, low = 100, high = 0;

  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);
    double bytes = (double)MAX (row->bytes, 1);
    least = MIN (least, bytes);
    most = MAX (most, bytes);
    low = MIN (low, 100 * row->mean - half_bar (row));
    high = MAX (high, 100 * row->mean + half_bar (row));
  }
  low = MAX (10 * floor (low / 10), 0);
  high = MIN (10 * ceil ((high + 0.1) / 10), 100);
  if (high <= low)
    low = high - 10;
  return (Plane){ .left = 46,
                  .right = width - 18,
                  .top = 22,
                  .bottom = height - 42,
                  .x0 = log2 (least) - 0.7,
                  .x1 = log2 (most) + 0.7,
                  .y0 = low,
                  .y1 = high };
}

static void
accuracy_axes (GString *page, const Plane *plane)
{
  double range = plane->y1 - plane->y0, step = range <= 30 ? 5 : 10;
  /* Factors of 4 or 32 between ticks, whatever leaves room for words. */
  double room = (plane->right - plane->left) / (plane->x1 - plane->x0);
  double stride = 1;

  while (stride * room < 62)
    stride++;
  for (double y = plane->y0; y <= plane->y1; y += step) {
    g_autofree char *words = g_strdup_printf ("%.0f", y);
    svg_line (page, "grid", plane->left, plane_y (plane, y), plane->right, plane_y (plane, y));
    svg_text (page, "quiet", "end", plane->left - 8, plane_y (plane, y) + 4, words);
  }
  for (double x = stride * ceil (plane->x0 / stride); x <= plane->x1; x += stride) {
    g_autofree char *words = lb_format_bytes ((guint64)exp2 (x));
    svg_line (page, "grid", plane_x (plane, x), plane->top, plane_x (plane, x), plane->bottom);
    svg_text (page, "quiet", "middle", plane_x (plane, x), plane->bottom + 18, words);
  }
  svg_line (page, "axis", plane->left, plane->bottom, plane->right, plane->bottom);
  svg_text (page, "quiet", "start", 4, 12, "accuracy, %");
  svg_text (page, "quiet", "end", plane->right, plane->bottom + 36, "bytes stored (images and labels), logarithmic");
}

static void
accuracy_point (GString *page, const Plane *plane, const Row *row, guint shape)
{
  double x = plane_x (plane, log2 ((double)MAX (row->bytes, 1))), y = plane_y (plane, 100 * row->mean);
  double bar = half_bar (row);
  g_autofree char *class = g_strdup_printf ("line k%u", shape % N_COLOURS);

  html_printf (page, "<g><title>%s, %s: %.2f %%</title>", row->set, row->architecture, 100 * row->mean);
  if (bar > 0) {
    double high = plane_y (plane, 100 * row->mean + bar), low = plane_y (plane, 100 * row->mean - bar);
    svg_line (page, class, x, high, x, low);
    svg_line (page, class, x - 4, high, x + 4, high);
    svg_line (page, class, x - 4, low, x + 4, low);
  }
  marker (page, shape, x, y);
  g_string_append (page, "</g>");
}

typedef struct {
  double x, y;
} Place;

/* A letter for each set above its best architecture, moved up where another letter stands already. */
static void
accuracy_letters (GString *page, const Plane *plane, GPtrArray *rows)
{
  g_autoptr (GArray) taken = g_array_new (FALSE, FALSE, sizeof (Place));

  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);
    double top = 0;
    gboolean first = TRUE;

    for (guint k = 0; k < rows->len; k++) {
      const Row *other = g_ptr_array_index (rows, k);
      if (!g_str_equal (row->set, other->set))
        continue;
      first = first && k >= i;
      top = MAX (top, 100 * other->mean + half_bar (other));
    }
    if (!first)
      continue;
    Place place = { plane_x (plane, log2 ((double)MAX (row->bytes, 1))), plane_y (plane, top) - 10 };
    for (guint k = 0; k < taken->len; k++) {
      Place other = g_array_index (taken, Place, k);
      if (fabs (other.x - place.x) < 14 && fabs (other.y - place.y) < 14) {
        place.y = other.y - 14;
        k = (guint)-1; /* look at all again from there */
      }
    }
    g_array_append_val (taken, place);
    char letter[] = { row_letter (rows, row), '\0' };
    svg_text (page, "letter-of", "middle", place.x, place.y, letter);
  }
}

static void
accuracy_svg (GString *page, GPtrArray *rows, GPtrArray *architectures, const char *class, double width, double height)
{
  Plane plane = accuracy_plane (rows, width, height);

  html_printf (page,
               "<svg class=\"%s\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"Accuracy against bytes stored; "
               "the table above has the same figures\">",
               class, width, height);
  accuracy_axes (page, &plane);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);
    guint shape = 0;
    g_ptr_array_find_with_equal_func (architectures, row->architecture, g_str_equal, &shape);
    accuracy_point (page, &plane, row, shape);
  }
  accuracy_letters (page, &plane, rows);
  g_string_append (page, "</svg>\n");
}

void
chart_accuracy (GString *page, GPtrArray *rows)
{
  g_autoptr (GPtrArray) architectures = architectures_of (rows);

  g_string_append (page, "<figure class=\"card chart\"><h3>Accuracy against bytes stored</h3>\n");
  accuracy_svg (page, rows, architectures, "wide", 920, 420);
  accuracy_svg (page, rows, architectures, "narrow", 320, 300);
  g_string_append (page, "<ul class=\"legend\">");
  for (guint i = 0; i < architectures->len; i++) {
    g_string_append (page, "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\">");
    marker (page, i, 7, 7);
    html_printf (page, "</svg>%s</li>", (char *)g_ptr_array_index (architectures, i));
  }
  g_string_append (page,
                   "</ul><figcaption>Letters are the sets of the table. Bars are one standard deviation over models "
                   "to either side.</figcaption></figure>\n");
}
