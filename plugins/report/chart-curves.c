/* Charts of curves: what stages told of their progress. */
#include "report.h"

#include <math.h>
#include <string.h>

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
    svg_line (page, "grid", plane->left, plane_y (plane, y), plane->right, plane_y (plane, y));
    svg_text (page, "quiet", "end", plane->left - 6, plane_y (plane, y) + 4, words);
  }
  svg_line (page, "axis", plane->left, plane->bottom, plane->right, plane->bottom);
  svg_text (page, "quiet", "start", plane->left, plane->bottom + 17, "0");
  svg_text (page, "quiet", "end", plane->right, plane->bottom + 17, last);
  svg_text (page, "quiet", "middle", (plane->left + plane->right) / 2, plane->bottom + 17, "steps");
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
