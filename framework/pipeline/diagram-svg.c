/* The drawing as SVG.
 *
 * A stage stands in an even layer, the label of a stream in the odd layer behind its stage. A stream that has several
 * readers, or a far one, is one line with one label that passes the layers between at nodes of its own and branches off
 * to its readers; so no line runs through a box and no label lies on anything.
 */
#include <cairo-svg.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/diagram.h"
#include "pipeline/layout.h"

#define MARGIN       20.0
#define LAYER_GAP    26.0
#define NODE_GAP     14.0
#define PADDING      12.0
#define BOX_HEIGHT   44.0
#define PORT_HEIGHT  12.0
#define LANE_HEIGHT  8.0
#define LABEL_HEIGHT 16.0
#define TITLE_HEIGHT 36.0
#define ARROW        7.0

typedef enum { FONT_TITLE, FONT_STAGE, FONT_PLUGIN, FONT_LABEL } Font;

/* A label; its node in the layout and its text. */
typedef struct {
  guint node;
  char *text;
} Label;

typedef struct {
  const LbPlan *plan;
  cairo_t *cairo;
  LbLayout *layout;
  guint *layers;  /* of each stage; its node in the layout has the stage's index */
  GArray *labels; /* Label */
} Diagram;

/* ---- Text ---- */

static void
choose_font (cairo_t *cairo, Font font)
{
  static const double sizes[] = { 16, 13, 11, 11 };
  gboolean bold = font == FONT_TITLE || font == FONT_STAGE;
  cairo_select_font_face (cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                          bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size (cairo, sizes[font]);
}

static double
text_width (cairo_t *cairo, Font font, const char *text)
{
  cairo_text_extents_t extents;
  choose_font (cairo, font);
  cairo_text_extents (cairo, text, &extents);
  return ceil (extents.x_advance);
}

/* Centred on @x, standing on @y. */
static void
draw_text (cairo_t *cairo, Font font, double x, double y, const char *text)
{
  double width = text_width (cairo, font, text);
  cairo_move_to (cairo, x - width / 2, y);
  cairo_show_text (cairo, text);
}

/* ---- From plan to layout ---- */

static LbPlanLink *
get_link (const LbPlan *plan, guint stage, guint index)
{
  return &g_array_index (plan->stages[stage].links, LbPlanLink, index);
}

/* The longest way from a source, in stages; sources move up to their first reader. */
static void
choose_layers (Diagram *diagram)
{
  const LbPlan *plan = diagram->plan;
  diagram->layers = g_new0 (guint, plan->n_stages);
  g_autofree guint *first_reader = g_new (guint, plan->n_stages);
  for (guint i = 0; i < plan->n_stages; i++)
    first_reader[i] = G_MAXUINT;
  for (guint i = 0; i < plan->n_ordered; i++) {
    guint stage = plan->order[i];
    for (guint k = 0; k < plan->stages[stage].links->len; k++)
      diagram->layers[stage] = MAX (diagram->layers[stage], diagram->layers[get_link (plan, stage, k)->source] + 2);
    for (guint k = 0; k < plan->stages[stage].links->len; k++) {
      guint source = get_link (plan, stage, k)->source;
      first_reader[source] = MIN (first_reader[source], diagram->layers[stage]);
    }
  }
  for (guint i = 0; i < plan->n_stages; i++)
    if (plan->stages[i].links->len == 0 && first_reader[i] != G_MAXUINT)
      diagram->layers[i] = first_reader[i] - 2;
}

static guint
n_outputs_read (const LbPlan *plan, guint stage)
{
  const LbPort *ports = plan->stages[stage].entry->type->outputs;
  guint n = 0;
  for (guint i = 0; ports != NULL && ports[i].name != NULL; i++)
    n += lb_plan_n_readers (plan, stage, i) > 0;
  return n;
}

static void
add_stage (Diagram *diagram, guint index)
{
  const LbPlanStage *stage = &diagram->plan->stages[index];
  guint ports = MAX (stage->links->len, n_outputs_read (diagram->plan, index));
  double width = MAX (text_width (diagram->cairo, FONT_STAGE, stage->written->name),
                      text_width (diagram->cairo, FONT_PLUGIN, stage->written->plugin));
  lb_layout_add_node (diagram->layout, diagram->layers[index], width + 2 * PADDING,
                      MAX (BOX_HEIGHT, (ports + 1) * PORT_HEIGHT));
}

/* The stages that read one stream, one entry a link. */
static GArray *
find_readers (const LbPlan *plan, guint stage, guint output)
{
  GArray *readers = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < plan->n_stages; i++)
    for (guint k = 0; k < plan->stages[i].links->len; k++)
      if (get_link (plan, i, k)->source == stage && get_link (plan, i, k)->output == output)
        g_array_append_val (readers, i);
  return readers;
}

/* Adds the line of one stream: its label, a node in each layer up to its last reader, and edges. */
static void
add_stream (Diagram *diagram, guint stage, guint output)
{
  g_autoptr (GArray) readers = find_readers (diagram->plan, stage, output);
  guint last = 0, before = stage, label_layer = diagram->layers[stage] + 1;
  for (guint i = 0; i < readers->len; i++)
    last = MAX (last, diagram->layers[g_array_index (readers, guint, i)]);
  if (readers->len == 0)
    return;
  Label label = { .text = lb_diagram_label (diagram->plan, stage, output) };
  for (guint layer = label_layer; layer < last; layer++) {
    gboolean first = layer == label_layer;
    double width = first ? text_width (diagram->cairo, FONT_LABEL, label.text) + 8 : 0;
    guint node = lb_layout_add_node (diagram->layout, layer, width, first ? LABEL_HEIGHT : LANE_HEIGHT);
    lb_layout_add_edge (diagram->layout, before, node);
    if (first)
      label.node = node;
    before = node;
    for (guint i = 0; i < readers->len; i++)
      if (diagram->layers[g_array_index (readers, guint, i)] == layer + 1)
        lb_layout_add_edge (diagram->layout, node, g_array_index (readers, guint, i));
  }
  g_array_append_val (diagram->labels, label);
}

static void
build (Diagram *diagram)
{
  const LbPlan *plan = diagram->plan;
  choose_layers (diagram);
  for (guint i = 0; i < plan->n_stages; i++)
    add_stage (diagram, i);
  for (guint i = 0; i < plan->n_stages; i++) {
    const LbPort *ports = plan->stages[i].entry->type->outputs;
    for (guint k = 0; ports != NULL && ports[k].name != NULL; k++)
      add_stream (diagram, i, k);
  }
  lb_layout_run (diagram->layout, LAYER_GAP, NODE_GAP);
}

/* ---- Drawing ---- */

/* Height at which @edge meets its node @node: edges at one side of a box are spread over it in the order of their other
 * ends, those at a line meet in its middle. */
static double
meeting_height (const Diagram *diagram, guint edge_index, guint node)
{
  const LbLayoutEdge *edge = lb_layout_edge (diagram->layout, edge_index);
  const LbLayoutNode *self = lb_layout_node (diagram->layout, node);
  if (node >= diagram->plan->n_stages)
    return self->y + self->height / 2;
  gboolean leaves = edge->from == node;
  const GArray *siblings = leaves ? self->leaving : self->arriving;
  guint other = lb_layout_node (diagram->layout, leaves ? edge->to : edge->from)->position;
  guint n = siblings->len, before = 0;
  for (guint i = 0; i < n; i++) {
    guint index = g_array_index (siblings, guint, i);
    const LbLayoutEdge *sibling = lb_layout_edge (diagram->layout, index);
    guint position = lb_layout_node (diagram->layout, leaves ? sibling->to : sibling->from)->position;
    before += position < other || (position == other && index < edge_index);
  }
  return self->y + self->height * (before + 1) / (n + 1);
}

static void
draw_arrow_head (cairo_t *cairo, double x, double y)
{
  cairo_move_to (cairo, x, y);
  cairo_line_to (cairo, x - ARROW, y - ARROW / 2);
  cairo_line_to (cairo, x - ARROW, y + ARROW / 2);
  cairo_close_path (cairo);
  cairo_fill (cairo);
}

static void
draw_edge (const Diagram *diagram, guint index)
{
  cairo_t *cairo = diagram->cairo;
  const LbLayoutEdge *edge = lb_layout_edge (diagram->layout, index);
  const LbLayoutNode *from = lb_layout_node (diagram->layout, edge->from);
  const LbLayoutNode *to = lb_layout_node (diagram->layout, edge->to);
  gboolean arrow = edge->to < diagram->plan->n_stages;
  double x0 = from->x + from->width, y0 = meeting_height (diagram, index, edge->from);
  double x1 = to->x, y1 = meeting_height (diagram, index, edge->to);
  double end = arrow ? x1 - ARROW : x1, middle = (x0 + end) / 2;
  cairo_move_to (cairo, x0, y0);
  cairo_curve_to (cairo, middle, y0, middle, y1, end, y1);
  cairo_stroke (cairo);
  if (arrow)
    draw_arrow_head (cairo, x1, y1);
}

/* The part of a stream's line that passes through a layer. Behind a label it is left out. */
static void
draw_lane (const Diagram *diagram, guint node)
{
  const LbLayoutNode *lane = lb_layout_node (diagram->layout, node);
  double y = lane->y + lane->height / 2;
  cairo_move_to (diagram->cairo, lane->x, y);
  cairo_line_to (diagram->cairo, lane->x + lane->width, y);
  cairo_stroke (diagram->cairo);
}

static void
draw_box (const Diagram *diagram, guint index)
{
  cairo_t *cairo = diagram->cairo;
  const LbPlanStage *stage = &diagram->plan->stages[index];
  const LbLayoutNode *box = lb_layout_node (diagram->layout, index);
  double radius = 6, x = box->x, y = box->y, right = x + box->width, bottom = y + box->height;
  cairo_new_sub_path (cairo);
  cairo_arc (cairo, right - radius, y + radius, radius, -G_PI_2, 0);
  cairo_arc (cairo, right - radius, bottom - radius, radius, 0, G_PI_2);
  cairo_arc (cairo, x + radius, bottom - radius, radius, G_PI_2, G_PI);
  cairo_arc (cairo, x + radius, y + radius, radius, G_PI, 3 * G_PI_2);
  cairo_close_path (cairo);
  if (stage->links->len == 0)
    cairo_set_source_rgb (cairo, 0.91, 0.96, 0.91);
  else if (n_outputs_read (diagram->plan, index) == 0)
    cairo_set_source_rgb (cairo, 0.99, 0.95, 0.87);
  else
    cairo_set_source_rgb (cairo, 0.92, 0.95, 0.99);
  cairo_fill_preserve (cairo);
  cairo_set_source_rgb (cairo, 0.25, 0.33, 0.45);
  cairo_stroke (cairo);

  double middle = (x + right) / 2, centre = (y + bottom) / 2;
  cairo_set_source_rgb (cairo, 0.1, 0.1, 0.12);
  draw_text (cairo, FONT_STAGE, middle, centre - 2, stage->written->name);
  cairo_set_source_rgb (cairo, 0.35, 0.35, 0.4);
  draw_text (cairo, FONT_PLUGIN, middle, centre + 13, stage->written->plugin);
}

static gboolean
is_label (const Diagram *diagram, guint node)
{
  for (guint i = 0; i < diagram->labels->len; i++)
    if (g_array_index (diagram->labels, Label, i).node == node)
      return TRUE;
  return FALSE;
}

/* A label leaves the line free on both sides of its text. */
static void
draw_label (const Diagram *diagram, const Label *label)
{
  cairo_t *cairo = diagram->cairo;
  const LbLayoutNode *node = lb_layout_node (diagram->layout, label->node);
  double y = node->y + node->height / 2, middle = node->x + node->width / 2;
  double half = text_width (cairo, FONT_LABEL, label->text) / 2 + 3;
  cairo_set_source_rgb (cairo, 0.35, 0.4, 0.5);
  cairo_move_to (cairo, node->x, y);
  cairo_line_to (cairo, middle - half, y);
  cairo_move_to (cairo, middle + half, y);
  cairo_line_to (cairo, node->x + node->width, y);
  cairo_stroke (cairo);
  cairo_set_source_rgb (cairo, 0.16, 0.3, 0.5);
  draw_text (cairo, FONT_LABEL, middle, y + 4, label->text);
}

static void
draw (Diagram *diagram, double width, double height)
{
  cairo_t *cairo = diagram->cairo;
  cairo_set_source_rgb (cairo, 1, 1, 1);
  cairo_rectangle (cairo, 0, 0, width, height);
  cairo_fill (cairo);
  cairo_set_source_rgb (cairo, 0.1, 0.1, 0.12);
  draw_text (cairo, FONT_TITLE, width / 2, MARGIN + 14, diagram->plan->pipeline->title);
  cairo_translate (cairo, (width - diagram->layout->width) / 2, MARGIN + TITLE_HEIGHT);
  cairo_set_line_width (cairo, 1.2);
  cairo_set_source_rgb (cairo, 0.35, 0.4, 0.5);
  for (guint i = 0; i < diagram->layout->edges->len; i++)
    draw_edge (diagram, i);
  for (guint i = diagram->plan->n_stages; i < diagram->layout->nodes->len; i++)
    if (!is_label (diagram, i))
      draw_lane (diagram, i);
  for (guint i = 0; i < diagram->labels->len; i++)
    draw_label (diagram, &g_array_index (diagram->labels, Label, i));
  for (guint i = 0; i < diagram->plan->n_stages; i++)
    draw_box (diagram, i);
}

/* ---- SVG ---- */

static cairo_status_t
append_bytes (void *bytes, const unsigned char *data, unsigned int length)
{
  g_byte_array_append (bytes, data, length);
  return CAIRO_STATUS_SUCCESS;
}

/* Texts are measured on a surface of their own, since the size of the drawing follows from them. */
static cairo_t *
make_cairo (GByteArray *bytes, double width, double height)
{
  cairo_surface_t *surface = bytes != NULL ? cairo_svg_surface_create_for_stream (append_bytes, bytes, width, height)
                                           : cairo_svg_surface_create (NULL, width, height);
  cairo_svg_surface_set_document_unit (surface, CAIRO_SVG_UNIT_PX);
  cairo_t *cairo = cairo_create (surface);
  cairo_surface_destroy (surface);
  return cairo;
}

static void
label_clear (gpointer data)
{
  g_free (((Label *)data)->text);
}

GBytes *
lb_diagram_to_svg (const LbPlan *plan, GError **error)
{
  g_autoptr (LbLayout) layout = lb_layout_new ();
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GArray) labels = g_array_new (FALSE, FALSE, sizeof (Label));
  g_array_set_clear_func (labels, label_clear);
  Diagram diagram = { .plan = plan, .layout = layout, .labels = labels, .cairo = make_cairo (NULL, 1, 1) };
  build (&diagram);
  double width = MAX (layout->width, text_width (diagram.cairo, FONT_TITLE, plan->pipeline->title)) + 2 * MARGIN;
  double height = ceil (layout->height + TITLE_HEIGHT + 2 * MARGIN);
  cairo_destroy (diagram.cairo);

  diagram.cairo = make_cairo (bytes, width, height);
  draw (&diagram, width, height);
  g_free (diagram.layers);
  cairo_surface_finish (cairo_get_target (diagram.cairo));
  cairo_status_t status = cairo_status (diagram.cairo);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_status (cairo_get_target (diagram.cairo));
  cairo_destroy (diagram.cairo);
  if (status != CAIRO_STATUS_SUCCESS) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "the pipeline cannot be drawn as SVG: %s; draw it with --format dot", cairo_status_to_string (status));
    return NULL;
  }
  return g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
}
