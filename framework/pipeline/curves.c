/* Curves of a record. */
#include "pipeline/curves.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

/* Of a record's rows; each is about a hundred bytes, and their number grows with the logarithm of steps. */
#define MOST_ROWS ((gsize)256 << 20)

typedef struct {
  gint64 step;
  double value;
} Point;

typedef struct {
  char *stage, *name;
  GArray *points; /* Point, as they came */
} Curve;

struct _LbCurves {
  GPtrArray *all; /* Curve* */
};

static void
curve_free (gpointer data)
{
  Curve *curve = data;
  g_free (curve->stage);
  g_free (curve->name);
  g_array_unref (curve->points);
  g_free (curve);
}

void
lb_curves_free (LbCurves *curves)
{
  if (curves == NULL)
    return;
  g_ptr_array_unref (curves->all);
  g_free (curves);
}

/* Adds a row; those with a unit are figures, and no progress. */
static void
add_row (LbCurves *curves, JsonObject *row)
{
  const char *stage = json_object_get_string_member_with_default (row, "stage", "");
  const char *name = json_object_get_string_member_with_default (row, "name", "");
  JsonNode *value = json_object_get_member (row, "value");
  Curve *curve = NULL;
  if (!json_object_get_null_member (row, "unit") || value == NULL)
    return;
  for (guint i = 0; curve == NULL && i < curves->all->len; i++) {
    Curve *other = curves->all->pdata[i];
    if (strcmp (other->stage, stage) == 0 && strcmp (other->name, name) == 0)
      curve = other;
  }
  if (curve == NULL) {
    curve = g_new0 (Curve, 1);
    *curve = (Curve){ g_strdup (stage), g_strdup (name), g_array_new (FALSE, FALSE, sizeof (Point)) };
    g_ptr_array_add (curves->all, curve);
  }
  Point point = { json_object_get_int_member_with_default (row, "step", 0),
                  JSON_NODE_HOLDS_NULL (value) ? NAN : json_node_get_double (value) };
  g_array_append_val (curve->points, point);
}

LbCurves *
lb_curves_read (const char *path)
{
  LbCurves *curves = g_new (LbCurves, 1);
  g_autoptr (GBytes) bytes = NULL;
  curves->all = g_ptr_array_new_with_free_func (curve_free);
  if (!lb_file_read (path, MOST_ROWS, &bytes, NULL))
    return curves;
  gsize length;
  const char *text = g_bytes_get_data (bytes, &length), *end;
  for (; length > 0 && (end = memchr (text, '\n', length)) != NULL; length -= (gsize)(end + 1 - text), text = end + 1) {
    g_autoptr (JsonNode) row = lb_json_parse (path, text, (gsize)(end - text), NULL);
    if (row != NULL && JSON_NODE_HOLDS_OBJECT (row))
      add_row (curves, json_node_get_object (row));
  }
  return curves;
}

static int
compare_steps (gconstpointer a, gconstpointer b)
{
  gint64 first = ((const Point *)a)->step, second = ((const Point *)b)->step;
  return first < second ? -1 : first > second;
}

/* Sorts by step; of several points at one step the last that came counts, as a run that goes on writes rows again. */
static void
tidy (Curve *curve)
{
  GArray *points = curve->points;
  guint n = 0;
  g_array_sort (points, compare_steps); /* keeps the order of equal ones */
  for (guint i = 0; i < points->len; i++) {
    Point point = g_array_index (points, Point, i);
    if (n == 0 || g_array_index (points, Point, n - 1).step != point.step)
      n++;
    g_array_index (points, Point, n - 1) = point;
  }
  g_array_set_size (points, n);
}

static void
add_curve (JsonBuilder *builder, const Curve *curve, const char *stage, gint64 part, gint64 total)
{
  g_autofree char *name = part >= 0 ? g_strdup_printf ("%s (%d)", curve->name, (int)part) : g_strdup (curve->name);
  json_builder_begin_object (builder);
  lb_json_add_text (builder, "stage", stage);
  lb_json_add_text (builder, "name", name);
  lb_json_add_integer (builder, "total", total);
  json_builder_set_member_name (builder, "steps");
  json_builder_begin_array (builder);
  for (guint i = 0; i < curve->points->len; i++)
    json_builder_add_int_value (builder, g_array_index (curve->points, Point, i).step);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "values");
  json_builder_begin_array (builder);
  for (guint i = 0; i < curve->points->len; i++) {
    double value = g_array_index (curve->points, Point, i).value;
    if (isfinite (value))
      json_builder_add_double_value (builder, value);
    else
      json_builder_add_null_value (builder);
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

/* Which part of @stage @curve is of: -1 for the whole, -2 for none of it. */
static gint64
part_of (const Curve *curve, const char *stage)
{
  const char *rest = g_str_has_prefix (curve->stage, stage) ? curve->stage + strlen (stage) : "?";
  if (*rest != '\0' && *rest != '/')
    return -2;
  return *rest == '\0' ? -1 : g_ascii_strtoll (rest + 1, NULL, 10);
}

static int
compare_parts (gconstpointer a, gconstpointer b, gpointer stage)
{
  gint64 first = part_of (*(Curve *const *)a, stage), second = part_of (*(Curve *const *)b, stage);
  return first < second ? -1 : first > second;
}

void
lb_curves_add (LbCurves *curves, JsonBuilder *builder, const char *stage, gint64 done)
{
  g_autoptr (GPtrArray) own = g_ptr_array_new ();
  for (guint k = 0; k < curves->all->len; k++)
    if (part_of (curves->all->pdata[k], stage) >= -1)
      g_ptr_array_add (own, curves->all->pdata[k]);
  g_ptr_array_sort_with_data (own, compare_parts, (gpointer)stage);
  for (guint k = 0; k < own->len; k++) {
    Curve *curve = own->pdata[k];
    gint64 part = part_of (curve, stage);
    tidy (curve);
    add_curve (builder, curve, stage, part,
               part < 0 || curve->points->len == 0
                   ? done
                   : (gint64)g_array_index (curve->points, Point, curve->points->len - 1).step);
  }
}
