/* The sections of the page. Those of the run are made of lb_stage_run_facts(); members that are not there make a
 * section shorter and never an error, as a page that lacks a figure is better than none.
 */
#include "report.h"

#include <math.h>
#include <string.h>

/* ---- Reading the facts ---- */

static const char *
get_text (JsonObject *object, const char *member)
{
  const char *found = object ? json_object_get_string_member_with_default (object, member, NULL) : NULL;

  return found ? found : "";
}

/* NaN where there is none. */
static double
get_number (JsonObject *object, const char *member)
{
  return object ? json_object_get_double_member_with_default (object, member, NAN) : NAN;
}

static JsonObject *
get_object (JsonObject *object, const char *member)
{
  JsonNode *node = object ? json_object_get_member (object, member) : NULL;

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static JsonArray *
get_array (JsonObject *object, const char *member)
{
  JsonNode *node = object ? json_object_get_member (object, member) : NULL;

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static guint
array_length (JsonArray *array)
{
  return array ? json_array_get_length (array) : 0;
}

/* The stage called @name in the facts' list; NULL when it is not there. */
static JsonObject *
find_stage (JsonObject *facts, const char *name)
{
  JsonArray *stages = get_array (facts, "stages");

  for (guint i = 0; i < array_length (stages); i++)
    if (g_str_equal (get_text (json_array_get_object_element (stages, i), "name"), name))
      return json_array_get_object_element (stages, i);
  return NULL;
}

/* ---- Below the title ---- */

static void
add_fact (GString *page, const char *what, const char *value)
{
  if (*value)
    html_printf (page, "<div><dt>%s</dt><dd>%s</dd></div>", what, value);
}

void
header_facts (GString *page, JsonObject *facts)
{
  JsonObject *metrics = get_object (facts, "metrics"), *timing = get_object (metrics, "timing");
  JsonObject *memory = get_object (timing, "memory");
  double seconds = get_number (timing, "seconds"), peak = get_number (memory, "peak"), flops = 0;
  JsonArray *stages = get_array (metrics, "stages");
  g_autofree char *seed = g_strdup_printf ("%.0f", get_number (metrics, "seed"));
  g_autofree char *threads = g_strdup_printf ("%.0f", get_number (timing, "threads"));
  g_autofree char *time = isnan (seconds) ? g_strdup ("") : lb_format_seconds (seconds);
  g_autofree char *bytes = isnan (peak) ? g_strdup ("") : lb_format_bytes ((guint64)peak);

  for (guint i = 0; i < array_length (stages); i++)
    flops += MAX (get_number (json_array_get_object_element (stages, i), "flops"), 0);
  g_autofree char *work = lb_format_flops (flops);
  g_string_append (page, "<dl class=\"facts\">");
  add_fact (page, "Pipeline", get_text (metrics, "pipeline"));
  add_fact (page, "Seed", seed);
  add_fact (page, "Took", time);
  add_fact (page, "Threads", threads);
  add_fact (page, "Operations", work);
  add_fact (page, "Memory at most", bytes);
  g_string_append (page, "</dl>\n");
}

/* ---- Comparison ---- */

void
row_free (gpointer data)
{
  Row *row = data;

  g_free (row->title);
  g_free (row->set);
  g_free (row->architecture);
  g_free (row->baseline);
  g_free (row);
}

static double
f64_of (const LbPacket *packet, const char *field)
{
  return lb_tensor_f64 (lb_packet_get (packet, field))[0];
}

Row *
row_new (const LbPacket *packet)
{
  Row *row = g_new0 (Row, 1);
  LbTensor *accuracies = lb_packet_get (packet, "accuracies");
  double squares = 0;

  row->title = lb_packet_get_text (packet, "title");
  row->set = lb_packet_get_text (packet, "set");
  row->architecture = lb_packet_get_text (packet, "architecture");
  row->baseline = lb_packet_get_text (packet, "baseline");
  row->models = lb_tensor_size (accuracies);
  for (gint64 i = 0; i < row->models; i++)
    row->mean += lb_tensor_f64 (accuracies)[i] / (double)row->models;
  for (gint64 i = 0; i < row->models; i++)
    squares += pow (lb_tensor_f64 (accuracies)[i] - row->mean, 2);
  row->std = row->models > 1 ? sqrt (squares / (double)(row->models - 1)) : NAN;
  row->gain = f64_of (packet, "gain");
  row->published = f64_of (packet, "published");
  row->images = lb_tensor_i64 (lb_packet_get (packet, "images"))[0];
  row->bytes = lb_tensor_i64 (lb_packet_get (packet, "bytes"))[0];
  row->training_flops = f64_of (packet, "training_flops");
  return row;
}

/* "+15.59", "-" for NaN; new. */
static char *
points (double difference)
{
  return isnan (difference) ? g_strdup ("–") : g_strdup_printf ("%+.2f", 100 * difference);
}

static void
comparison_row (GString *page, GPtrArray *rows, const Row *row, gboolean has_published)
{
  g_autofree char *gain = points (row->gain), *images = lb_format_count ((guint64)MAX (row->images, 0));
  g_autofree char *bytes = lb_format_bytes ((guint64)MAX (row->bytes, 0)),
                  *flops = lb_format_flops (row->training_flops);

  html_printf (page,
               "<tr><th scope=\"row\"><span class=\"letter\">%c</span>%s<span class=\"narrow note\">%s</span></th><td "
               "class=\"wide\">%s</td><td class=\"number\">%.2f",
               row_letter (rows, row), row->set, row->architecture, row->architecture, 100 * row->mean);
  if (!isnan (row->std))
    html_printf (page, " ± %.2f", 100 * row->std);
  html_printf (page, " %%<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span></td>",
               100 * row->mean);
  if (has_published && isnan (row->published))
    html_printf (page, "<td class=\"number\">–</td>");
  else if (has_published)
    html_printf (page, "<td class=\"number\">%.2f (%+.2f)</td>", 100 * row->published,
                 100 * (row->mean - row->published));
  html_printf (page,
               "<td class=\"number\">%s</td><td class=\"number\">%d</td><td class=\"number\">%s</td><td "
               "class=\"number\">%s</td><td class=\"number\">%s</td></tr>\n",
               gain, (int)row->models, images, bytes, flops);
}

void
section_comparison (GString *page, GPtrArray *rows)
{
  const Row *first = g_ptr_array_index (rows, 0);
  gboolean has_published = FALSE;

  for (guint i = 0; i < rows->len; i++)
    has_published |= !isnan (((Row *)g_ptr_array_index (rows, i))->published);
  html_printf (
      page,
      "<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>"
      "<caption>%s</caption><thead><tr><th scope=\"col\">set</th><th scope=\"col\" class=\"wide\">architecture</th><th "
      "scope=\"col\" class=\"number\">accuracy</th>%s<th scope=\"col\" class=\"number\">gain</th><th "
      "scope=\"col\" class=\"number\">models</th><th scope=\"col\" class=\"number\">images</th><th "
      "scope=\"col\" class=\"number\">stored</th><th scope=\"col\" class=\"number\">training</th></tr></thead>"
      "<tbody>\n",
      first->title, first->title, "");
  if (has_published) {
    /* The heading stands in front of that of the gain. */
    char *gain = g_strrstr (page->str, "<th scope=\"col\" class=\"number\">gain");
    g_string_insert (page, gain - page->str, "<th scope=\"col\" class=\"number\">published</th>");
  }
  for (guint i = 0; i < rows->len; i++)
    comparison_row (page, rows, g_ptr_array_index (rows, i), has_published);
  html_printf (
      page,
      "</tbody></table></div><p class=\"note\">Accuracy on the whole test set, mean and standard deviation over "
      "models; gain in points over ‘%s’; stored: images with all labels; training: floating-point "
      "operations of one model.</p>\n",
      first->baseline);
  chart_accuracy (page, rows);
}

/* ---- Training ---- */

/* The curves from @first on that tell the same of one stage, whatever their part; none when an earlier one does. */
static GPtrArray *
curves_like (JsonArray *curves, guint first, char **name)
{
  GPtrArray *alike = g_ptr_array_new ();
  JsonObject *one = json_array_get_object_element (curves, first);
  gsize length, other_length;

  curve_part (get_text (one, "name"), &length);
  *name = g_strndup (get_text (one, "name"), length);
  for (guint i = 0; i < array_length (curves); i++) {
    JsonObject *other = json_array_get_object_element (curves, i);
    curve_part (get_text (other, "name"), &other_length);
    if (!g_str_equal (get_text (one, "stage"), get_text (other, "stage")) || length != other_length
        || strncmp (*name, get_text (other, "name"), length) != 0)
      continue;
    if (i < first)
      break;
    g_ptr_array_add (alike, other);
  }
  return alike;
}

void
section_training (GString *page, JsonObject *facts)
{
  JsonArray *curves = get_array (facts, "curves");
  g_autoptr (JsonArray) none = json_array_new ();
  g_autoptr (GString) charts = g_string_new (NULL);

  for (guint i = 0; i < array_length (curves); i++) {
    g_autofree char *name = NULL;
    g_autoptr (GPtrArray) alike = curves_like (curves, i, &name);
    const char *stage = get_text (json_array_get_object_element (curves, i), "stage");
    JsonArray *models = get_array (find_stage (facts, stage), "models");
    if (alike->len > 0)
      chart_curves (charts, name, alike, models ? models : none);
  }
  if (charts->len > 0)
    g_string_append_printf (page,
                            "<section id=\"training\"><h2>Training</h2><p>What stages told while they worked. Of "
                            "several models, the mean and a band of one standard deviation to either side.</p><div "
                            "class=\"curves\">\n%s</div></section>\n",
                            charts->str);
}

/* ---- Pipeline ---- */

void
section_pipeline (GString *page, JsonObject *facts)
{
  const char *drawing = get_text (facts, "drawing");

  if (!*drawing)
    return;
  g_string_append (page, "<section id=\"pipeline\"><h2>Pipeline</h2><p>Boxes are stages, lines are streams with their "
                         "type.</p><div class=\"card scroll drawing\" tabindex=\"0\" role=\"region\" "
                         "aria-label=\"Drawing of the pipeline\"><img alt=\"The pipeline: ");
  JsonArray *stages = get_array (facts, "stages");
  for (guint i = 0; i < array_length (stages); i++)
    html_printf (page, "%s%s", i ? ", " : "", get_text (json_array_get_object_element (stages, i), "name"));
  g_string_append (page, "\" src=\"");
  html_data_uri (page, "image/svg+xml", drawing, strlen (drawing));
  g_string_append (page, "\"></div></section>\n");
}

/* ---- Costs ---- */

static void
cost_row (GString *page, JsonObject *facts, JsonObject *stage)
{
  JsonObject *timing = get_object (get_object (facts, "metrics"), "timing");
  const char *name = get_text (stage, "name"), *result = get_text (get_object (timing, "results"), name);
  JsonObject *memory = get_object (get_object (get_object (timing, "memory"), "stages"), name);
  double seconds = get_number (get_object (timing, "stages"), name), flops = get_number (stage, "flops");
  double held = get_number (memory, "held"), sent = get_number (stage, "bytes_out");
  gboolean reused = g_str_equal (result, "reused");
  g_autofree char *time = reused || isnan (seconds) ? g_strdup ("–") : lb_format_seconds (seconds);
  g_autofree char *work = flops > 0 ? lb_format_flops (flops) : g_strdup ("–");
  g_autofree char *bytes = held > 0 ? lb_format_bytes ((guint64)held) : g_strdup ("–");
  g_autofree char *out = sent > 0 ? lb_format_bytes ((guint64)sent) : g_strdup ("–");

  html_printf (page,
               "<tr><th scope=\"row\">%s</th><td>%s %s</td><td>%s</td><td class=\"number\">%s</td><td "
               "class=\"number\">%s</td><td class=\"number\">%s</td><td class=\"number\">%s</td></tr>\n",
               name, get_text (stage, "plugin"), get_text (stage, "version"), result, time, work, bytes, out);
}

void
section_costs (GString *page, JsonObject *facts)
{
  JsonArray *stages = get_array (get_object (facts, "metrics"), "stages");

  if (array_length (stages) == 0)
    return;
  g_string_append (page,
                   "<section id=\"costs\"><h2>What each stage took</h2><p>Stages run side by side, so their times "
                   "do not add up to that of the run. Of a reused stage the result was kept from an earlier "
                   "run.</p><div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What each stage "
                   "took\"><table><thead><tr><th scope=\"col\">stage</th><th scope=\"col\">plugin</th><th "
                   "scope=\"col\">result</th><th scope=\"col\" class=\"number\">time</th><th scope=\"col\" "
                   "class=\"number\">operations</th><th scope=\"col\" class=\"number\">memory</th><th "
                   "scope=\"col\" class=\"number\">sent</th></tr></thead><tbody>\n");
  for (guint i = 0; i < array_length (stages); i++)
    cost_row (page, facts, json_array_get_object_element (stages, i));
  g_string_append (page, "</tbody></table></div></section>\n");
}

/* ---- Again ---- */

void
section_again (GString *page, JsonObject *facts)
{
  JsonObject *metrics = get_object (facts, "metrics");
  const char *pipeline = get_text (facts, "pipeline"), *arithmetic = get_text (metrics, "arithmetic");

  if (!*pipeline)
    return;
  html_printf (page,
               "<section id=\"again\"><h2>Run it again</h2><p>The file below is the pipeline as it was run, with every "
               "value filled in. Saved as <code>pipeline.yaml</code> it gives the same results with Limbeck %s, the "
               "plugins of the table above and the same data:</p><pre>limbeck run pipeline.yaml --output again</pre>"
               "<p class=\"note\">Limbeck %s%s%s</p><details><summary>pipeline.yaml</summary><pre>%s</pre></details>"
               "</section>\n",
               get_text (facts, "limbeck"), get_text (facts, "limbeck"), *arithmetic ? "; " : "", arithmetic, pipeline);
}
