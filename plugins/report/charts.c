/* Charts as inline SVG: colours come from the style sheet, so they follow light and dark; shapes tell apart what
 * colours do. All numbers have two decimals at most, so that the page is the same wherever it is made.
 */
#include "report.h"

#include <math.h>
#include <string.h>

/* ---- A plane ---- */

/* Maps values to pixels. */
typedef struct {
  double left, right, top, bottom; /* pixels */
  double x0, x1, y0, y1;           /* values at left, right, bottom, top */
} Plane;

static double
plane_x (const Plane *plane, double x)
{
  return plane->left + (plane->right - plane->left) * (x - plane->x0) / (plane->x1 - plane->x0);
}

static double
plane_y (const Plane *plane, double y)
{
  return plane->bottom - (plane->bottom - plane->top) * (y - plane->y0) / (plane->y1 - plane->y0);
}

static void
line (GString *page, const char *class, double x1, double y1, double x2, double y2)
{
  g_string_append_printf (page, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, x1, y1,
                          x2, y2);
}

static void
text (GString *page, const char *class, const char *anchor, double x, double y, const char *words)
{
  html_printf (page, "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>", class, anchor, x, y,
               words);
}

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

/* ---- Accuracy against bytes ---- */

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
    line (page, "grid", plane->left, plane_y (plane, y), plane->right, plane_y (plane, y));
    text (page, "quiet", "end", plane->left - 8, plane_y (plane, y) + 4, words);
  }
  for (double x = stride * ceil (plane->x0 / stride); x <= plane->x1; x += stride) {
    g_autofree char *words = lb_format_bytes ((guint64)exp2 (x));
    line (page, "grid", plane_x (plane, x), plane->top, plane_x (plane, x), plane->bottom);
    text (page, "quiet", "middle", plane_x (plane, x), plane->bottom + 18, words);
  }
  line (page, "axis", plane->left, plane->bottom, plane->right, plane->bottom);
  text (page, "quiet", "start", 4, 12, "accuracy, %");
  text (page, "quiet", "end", plane->right, plane->bottom + 36, "bytes stored (images and labels), logarithmic");
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
    line (page, class, x, high, x, low);
    line (page, class, x - 4, high, x + 4, high);
    line (page, class, x - 4, low, x + 4, low);
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
    text (page, "letter-of", "middle", place.x, place.y, letter);
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

/* ---- Curves ---- */

#define CURVE_WIDTH  320.0
#define CURVE_HEIGHT 190.0
#define MOST_BINS    60
#define LEAST_POINTS 3 /* fewer are no curve */
/* Largest value over smallest from which on a logarithmic scale shows more. */
#define LOGARITHMIC 50.0

/* Values of one architecture's models: the mean of each model in each bin of its steps. */
typedef struct {
  const char *name;
  guint n_models;
  GArray *values; /* double [models, bins]; NaN where a model has none */
} Group;

static void
group_clear (gpointer data)
{
  g_array_unref (((Group *)data)->values);
}

/* Mean and, over two models or more, standard deviation of bin @bin; FALSE when it is empty. */
static gboolean
bin_statistics (const Group *group, guint bin, guint n_bins, double *mean, double *std)
{
  double sum = 0, squares = 0;
  guint n = 0;

  for (guint m = 0; m < group->n_models; m++) {
    double value = g_array_index (group->values, double, m *n_bins + bin);
    if (isnan (value))
      continue;
    sum += value;
    squares += value * value;
    n++;
  }
  *mean = n > 0 ? sum / n : NAN;
  *std = n > 1 ? sqrt (MAX (squares - n * *mean * *mean, 0) / (n - 1)) : 0;
  return n > 0;
}

/* A curve, taken apart. */
typedef struct {
  GArray *groups; /* Group */
  guint n_bins;
  gint64 steps; /* of one model */
  gboolean logarithmic;
  Plane plane;
  double tick; /* between two lines of the grid */
} Curve;

/* The smallest and largest finite value; FALSE when there is none. */
static gboolean
value_range (JsonArray *values, double *least, double *most)
{
  *least = G_MAXDOUBLE;
  *most = -G_MAXDOUBLE;
  for (guint i = 0; i < json_array_get_length (values); i++)
    if (!json_array_get_null_element (values, i)) {
      *least = MIN (*least, json_array_get_double_element (values, i));
      *most = MAX (*most, json_array_get_double_element (values, i));
    }
  return *least <= *most;
}

/* Adds a model of @architecture to its group, and says which model of which group it is. */
static Group *
add_model (Curve *curve, const char *architecture)
{
  Group *group = NULL;
  const double none = NAN;

  for (guint i = 0; i < curve->groups->len; i++)
    if (g_str_equal (g_array_index (curve->groups, Group, i).name, architecture))
      group = &g_array_index (curve->groups, Group, i);
  if (!group) {
    Group new = { architecture, 0, g_array_new (FALSE, FALSE, sizeof (double)) };
    g_array_append_val (curve->groups, new);
    group = &g_array_index (curve->groups, Group, curve->groups->len - 1);
  }
  group->n_models++;
  for (guint b = 0; b < curve->n_bins; b++)
    g_array_append_val (group->values, none);
  return group;
}

/* Sorts the values whose steps are from @first (exclusive) on into the bins of a model. */
static void
fill_model (const Curve *curve, JsonArray *steps, JsonArray *values, gint64 first, double *bins)
{
  g_autofree guint *counts = g_new0 (guint, curve->n_bins);

  for (guint i = 0; i < json_array_get_length (steps); i++) {
    gint64 step = json_array_get_int_element (steps, i) - first;
    if (step < 1 || step > curve->steps || json_array_get_null_element (values, i))
      continue;
    double value = json_array_get_double_element (values, i);
    guint bin = (guint)((step - 1) * curve->n_bins / curve->steps);
    if (curve->logarithmic)
      value = log10 (value);
    bins[bin] = counts[bin] == 0 ? value : bins[bin] + (value - bins[bin]) / (counts[bin] + 1);
    counts[bin]++;
  }
}

gint64
curve_part (const char *name, gsize *length)
{
  const char *open = strrchr (name, '(');
  char *end = NULL;
  gint64 part = open ? g_ascii_strtoll (open + 1, &end, 10) : -1;

  *length = strlen (name);
  if (!open || open < name + 2 || open[-1] != ' ' || end == open + 1 || strcmp (end, ")") != 0)
    return -1;
  *length = (gsize)(open - 1 - name);
  return part;
}

/* The architecture of model @index; "" when there is none. */
static const char *
architecture_of (JsonArray *models, gint64 index)
{
  return index >= 0 && index < json_array_get_length (models) ? json_array_get_string_element (models, (guint)index)
                                                              : "";
}

/* Adds a model of @architecture whose steps are those of @told from @first (exclusive) on. */
static void
fill_curve (Curve *curve, JsonObject *told, gint64 first, const char *architecture)
{
  Group *group = add_model (curve, architecture);

  fill_model (curve, json_object_get_array_member (told, "steps"), json_object_get_array_member (told, "values"), first,
              &g_array_index (group->values, double, (group->n_models - 1) * curve->n_bins));
}

/* The least of 1, 2 and 5 times a power of ten that is @step or more. */
static double
round_step (double step)
{
  double power = pow (10, floor (log10 (step))), factor = step / power;

  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}

static void
choose_plane (Curve *curve)
{
  double low = G_MAXDOUBLE, high = -G_MAXDOUBLE, mean, std;

  for (guint g = 0; g < curve->groups->len; g++)
    for (guint b = 0; b < curve->n_bins; b++)
      if (bin_statistics (&g_array_index (curve->groups, Group, g), b, curve->n_bins, &mean, &std)) {
        low = MIN (low, mean - std);
        high = MAX (high, mean + std);
      }
  if (high <= low) {
    low -= 0.5;
    high += 0.5;
  }
  curve->tick = curve->logarithmic ? ceil ((high - low) / 5) : round_step ((high - low) / 4);
  low = curve->tick * floor (low / curve->tick);
  high = curve->tick * ceil (high / curve->tick);
  curve->plane = (Plane){ .left = 46,
                          .right = CURVE_WIDTH - 8,
                          .top = 8,
                          .bottom = CURVE_HEIGHT - 24,
                          .x0 = 0,
                          .x1 = (double)curve->steps,
                          .y0 = low,
                          .y1 = high };
}

/* What stands beside the line of the grid at @y: "0.05", "3,000"; new. */
static char *
tick_words (const Curve *curve, double y)
{
  double value = curve->logarithmic ? pow (10, y) : y, size = fabs (value);

  if (!curve->logarithmic && size < curve->tick / 2)
    return g_strdup ("0");
  g_autofree char *words
      = size >= 1000 && size < 1e6 ? lb_format_count ((guint64)size) : g_strdup_printf ("%.4g", size);
  return g_strconcat (value < 0 ? "-" : "", words, NULL);
}

static void
curve_axes (GString *page, const Curve *curve)
{
  const Plane *plane = &curve->plane;
  g_autofree char *last = lb_format_count ((guint64)curve->steps);
  guint n = (guint)lround ((plane->y1 - plane->y0) / curve->tick);

  for (guint i = 0; i <= n; i++) {
    double y = plane->y0 + i * curve->tick;
    g_autofree char *words = tick_words (curve, y);
    line (page, "grid", plane->left, plane_y (plane, y), plane->right, plane_y (plane, y));
    text (page, "quiet", "end", plane->left - 6, plane_y (plane, y) + 4, words);
  }
  line (page, "axis", plane->left, plane->bottom, plane->right, plane->bottom);
  text (page, "quiet", "start", plane->left, plane->bottom + 17, "0");
  text (page, "quiet", "end", plane->right, plane->bottom + 17, last);
  text (page, "quiet", "middle", (plane->left + plane->right) / 2, plane->bottom + 17, "steps");
}

/* The band, up and back, and the line of the mean. */
static void
curve_group (GString *page, const Curve *curve, const Group *group, guint colour)
{
  g_autoptr (GString) line_points = g_string_new (NULL), upper = g_string_new (NULL), lower = g_string_new (NULL);
  double mean, std;

  for (guint b = 0; b < curve->n_bins; b++) {
    if (!bin_statistics (group, b, curve->n_bins, &mean, &std))
      continue;
    double x = plane_x (&curve->plane, (b + 0.5) * (double)curve->steps / curve->n_bins);
    g_autofree char *low = g_strdup_printf ("%.1f,%.1f ", x, plane_y (&curve->plane, mean - std));
    g_string_append_printf (line_points, "%.1f,%.1f ", x, plane_y (&curve->plane, mean));
    g_string_append_printf (upper, "%.1f,%.1f ", x, plane_y (&curve->plane, mean + std));
    g_string_prepend (lower, low);
  }
  if (group->n_models > 1)
    g_string_append_printf (page, "<polygon class=\"band k%u\" points=\"%s%s\"/>", colour, upper->str, lower->str);
  g_string_append_printf (page, "<polyline class=\"line k%u\" style=\"fill:none\" points=\"%s\"/>", colour,
                          line_points->str);
}

static void
curve_legend (GString *page, const Curve *curve)
{
  if (!*g_array_index (curve->groups, Group, 0).name)
    return;
  g_string_append (page, "<ul class=\"legend\">");
  for (guint g = 0; g < curve->groups->len; g++) {
    const Group *group = &g_array_index (curve->groups, Group, g);
    html_printf (page,
                 "<li><svg viewBox=\"0 0 14 14\" aria-hidden=\"true\"><rect class=\"k%u\" y=\"5\" width=\"14\" "
                 "height=\"4\"/></svg>%s, %u models</li>",
                 g % N_COLOURS, group->name, group->n_models);
  }
  g_string_append (page, "</ul>");
}

/* What the chart shows, in words: where the first group's curve begins and ends. */
static void
curve_label (GString *page, const Curve *curve, const char *stage, const char *name)
{
  const Group *group = &g_array_index (curve->groups, Group, 0);
  double first = NAN, last = NAN, mean, std;

  for (guint b = 0; b < curve->n_bins; b++)
    if (bin_statistics (group, b, curve->n_bins, &mean, &std)) {
      first = isnan (first) ? mean : first;
      last = mean;
    }
  html_printf (page, "%s of stage %s over %d steps, from %.3g to %.3g", name, stage, (int)curve->steps,
               curve->logarithmic ? pow (10, first) : first, curve->logarithmic ? pow (10, last) : last);
}

/* How many steps one model makes, and how the values are shown; FALSE when there are too few for a curve. */
static gboolean
measure (Curve *curve, GPtrArray *curves, guint n_parts)
{
  double least = G_MAXDOUBLE, most = -G_MAXDOUBLE, low, high;

  for (guint i = 0; i < curves->len; i++) {
    JsonArray *values = json_object_get_array_member (g_ptr_array_index (curves, i), "values");
    gint64 total = json_object_get_int_member (g_ptr_array_index (curves, i), "total");
    if (json_array_get_length (values) < LEAST_POINTS || !value_range (values, &low, &high))
      continue;
    least = MIN (least, low);
    most = MAX (most, high);
    curve->steps = MAX (curve->steps, MAX (total / n_parts, 1));
  }
  curve->n_bins = (guint)MIN (curve->steps, MOST_BINS);
  curve->logarithmic = least > 0 && most / least > LOGARITHMIC;
  return least <= most;
}

static void
draw_curve (GString *page, const Curve *curve, const char *stage, const char *name)
{
  html_printf (page, "<figure class=\"card chart\"><h3>%s</h3><div class=\"note\">%s%s</div>", stage, name,
               curve->logarithmic ? ", logarithmic scale" : "");
  g_string_append_printf (page, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", CURVE_WIDTH, CURVE_HEIGHT);
  curve_label (page, curve, stage, name);
  g_string_append (page, "\">");
  curve_axes (page, curve);
  for (guint g = 0; g < curve->groups->len; g++)
    curve_group (page, curve, &g_array_index (curve->groups, Group, g), g % N_COLOURS);
  g_string_append (page, "</svg>");
  curve_legend (page, curve);
  g_string_append (page, "</figure>\n");
}

void
chart_curves (GString *page, const char *name, GPtrArray *curves, JsonArray *models)
{
  JsonObject *first = g_ptr_array_index (curves, 0);
  gint64 total = json_object_get_int_member (first, "total");
  guint n_models = json_array_get_length (models);
  gsize length;
  gboolean has_parts = curve_part (json_object_get_string_member (first, "name"), &length) >= 0;
  guint n_parts = !has_parts && n_models > 1 && total % n_models == 0 ? n_models : 1;
  Curve curve = { 0 };

  if (!measure (&curve, curves, n_parts))
    return;
  curve.groups = g_array_new (FALSE, FALSE, sizeof (Group));
  g_array_set_clear_func (curve.groups, group_clear);
  for (guint i = 0; has_parts && i < curves->len; i++) {
    JsonObject *told = g_ptr_array_index (curves, i);
    fill_curve (&curve, told, 0,
                architecture_of (models, curve_part (json_object_get_string_member (told, "name"), &length)));
  }
  for (guint part = 0; !has_parts && part < n_parts; part++)
    fill_curve (&curve, first, part * curve.steps, n_parts > 1 ? architecture_of (models, part) : "");
  choose_plane (&curve);
  draw_curve (page, &curve, json_object_get_string_member (first, "stage"), name);
  g_array_unref (curve.groups);
}
