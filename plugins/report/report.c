/* report: one HTML page about a run, with everything in it: pictures, comparisons, training, the pipeline's drawing,
 * what each stage took, and how to run it again. It needs no network and no other file.
 */
#include "report.h"

#include <string.h>

typedef struct {
  char *file, *title, *text;
} Report;

static const LbProperty properties[] = {
  LB_RESULT (Report, file, "file", "*.html", "The file to write"),
  LB_STRING (Report, title, "title", "", "Of the page; left out: the pipeline's title"),
  LB_STRING (Report, text, "text", "", "What to say below the title; empty lines part paragraphs"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "tables", "comparison", NULL, LB_PORT_MANY | LB_PORT_OPTIONAL, "Comparisons: a table and a chart each" },
  { "pictures", "picture", NULL, LB_PORT_MANY | LB_PORT_OPTIONAL, "Contact sheets, heat maps and other pictures" },
  LB_PORTS_END,
};

/* ---- Reading ---- */

/* A list of Row for each linked comparison. */
static GPtrArray *
read_tables (LbStage *stage, GError **error)
{
  g_autoptr (GPtrArray) tables = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);

  for (guint link = 0; link < lb_stage_n_links (stage, "tables"); link++) {
    GPtrArray *rows = g_ptr_array_new_with_free_func (row_free);

    g_ptr_array_add (tables, rows);
    for (;;) {
      g_autoptr (LbPacket) packet = NULL;
      if (!lb_stage_pull_nth (stage, "tables", link, &packet, error))
        return NULL;
      if (!packet)
        break;
      if (lb_tensor_size (lb_packet_get (packet, "accuracies")) == 0) {
        g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                     "row %u of '%s' has no accuracies; expected that of one model at least", rows->len + 1,
                     lb_stage_source (stage, "tables", link));
        return NULL;
      }
      g_ptr_array_add (rows, row_new (packet));
    }
  }
  return g_steal_pointer (&tables);
}

/* All pictures, as packets. */
static GPtrArray *
read_pictures (LbStage *stage, GError **error)
{
  static const guint8 signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref);

  for (guint link = 0; link < lb_stage_n_links (stage, "pictures"); link++)
    for (guint number = 1;; number++) {
      LbPacket *picture = NULL;

      if (!lb_stage_pull_nth (stage, "pictures", link, &picture, error))
        return NULL;
      if (!picture)
        break;
      g_ptr_array_add (pictures, picture);
      LbTensor *png = lb_packet_get (picture, "png");
      if (lb_tensor_bytes (png) >= sizeof signature && memcmp (lb_tensor_u8 (png), signature, sizeof signature) == 0)
        continue;
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "picture %u of '%s' is no PNG file; expected one, so look at the stage that makes it", number,
                   lb_stage_source (stage, "pictures", link));
      return NULL;
    }
  return g_steal_pointer (&pictures);
}

/* What the run tells; an empty object where there is no run. NULL on error. */
static JsonNode *
read_facts (LbStage *stage, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) reason = NULL;

  if (!lb_stage_run_facts (stage, &text, error))
    return NULL;
  JsonNode *facts = json_from_string (text ? text : "{}", &reason);
  if (!facts || !JSON_NODE_HOLDS_OBJECT (facts)) {
    g_clear_pointer (&facts, json_node_unref);
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM, "the facts of the run are no JSON object: %s",
                 reason ? reason->message : "another type");
  }
  return facts;
}

/* ---- Writing ---- */

static void
page_head (GString *page, const char *title)
{
  g_autoptr (GBytes) style = g_resources_lookup_data ("/limbeck/report/style.css", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);

  html_printf (page,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s</title>\n"
               "<link rel=\"icon\" href=\"data:,\">\n<style>\n",
               title);
  g_string_append_len (page, g_bytes_get_data (style, NULL), (gssize)g_bytes_get_size (style));
  g_string_append (page, "</style>\n</head>\n<body>\n<main>\n");
}

static void
page_text (GString *page, const char *text)
{
  g_auto (GStrv) paragraphs = g_strsplit (text, "\n\n", -1);

  for (guint i = 0; paragraphs[i]; i++)
    if (*g_strstrip (paragraphs[i]))
      html_printf (page, "<p>%s</p>\n", paragraphs[i]);
}

static guint32
big_endian (const guint8 *bytes)
{
  return (guint32)bytes[0] << 24 | (guint32)bytes[1] << 16 | (guint32)bytes[2] << 8 | bytes[3];
}

/* With its size, so that the page does not move when it is shown; PNG files begin with it. */
static void
page_picture (GString *page, const LbPacket *picture)
{
  LbTensor *png = lb_packet_get (picture, "png");
  const guint8 *bytes = lb_tensor_u8 (png);
  g_autofree char *title = lb_packet_get_text (picture, "title"), *caption = lb_packet_get_text (picture, "caption");
  g_autofree char *alternative = lb_packet_get_text (picture, "alternative");

  html_printf (page, "<figure><h3>%s</h3><div class=\"scroll\"><img alt=\"%s\" ", title, alternative);
  if (lb_tensor_bytes (png) >= 24)
    html_printf (page, "width=\"%u\" height=\"%u\" ", big_endian (bytes + 16), big_endian (bytes + 20));
  g_string_append (page, "src=\"");
  html_data_uri (page, "image/png", bytes, lb_tensor_bytes (png));
  html_printf (page, "\"></div><figcaption>%s</figcaption></figure>\n", caption);
}

/* Links to the sections that @page, everything below, has. */
static void
page_navigation (GString *top, const char *page)
{
  static const struct {
    const char *id, *name;
  } sections[] = { { "results", "Results" },   { "pictures", "Pictures" },  { "training", "Training" },
                   { "pipeline", "Pipeline" }, { "costs", "What it took" }, { "again", "Run it again" } };

  g_string_append (top, "<nav aria-label=\"Sections\">");
  for (guint i = 0; i < G_N_ELEMENTS (sections); i++) {
    g_autofree char *begin = g_strdup_printf ("<section id=\"%s\"", sections[i].id);
    if (strstr (page, begin))
      html_printf (top, "<a href=\"#%s\">%s</a>", sections[i].id, sections[i].name);
  }
  g_string_append (top, "</nav>\n");
}

static void
page_sections (GString *page, GPtrArray *tables, GPtrArray *pictures, JsonObject *facts)
{
  gboolean any = FALSE;

  for (guint i = 0; i < tables->len; i++) {
    GPtrArray *rows = g_ptr_array_index (tables, i);
    if (rows->len == 0)
      continue;
    g_string_append (page, any ? "" : "<section id=\"results\"><h2>Results</h2>\n");
    any = TRUE;
    section_comparison (page, rows);
  }
  g_string_append (page, any ? "</section>\n" : "");
  g_string_append (page, pictures->len ? "<section id=\"pictures\"><h2>Pictures</h2><div class=\"pictures\">\n" : "");
  for (guint i = 0; i < pictures->len; i++)
    page_picture (page, g_ptr_array_index (pictures, i));
  g_string_append (page, pictures->len ? "</div></section>\n" : "");
  section_training (page, facts);
  section_pipeline (page, facts);
  section_costs (page, facts);
  section_again (page, facts);
}

static GString *
make_page (const Report *self, GPtrArray *tables, GPtrArray *pictures, JsonObject *facts)
{
  GString *page = g_string_new (NULL);
  g_autoptr (GString) sections = g_string_new (NULL);
  JsonNode *metrics = json_object_get_member (facts, "metrics");
  const char *title = *self->title ? self->title
                      : metrics    ? json_object_get_string_member (json_node_get_object (metrics), "title")
                                   : "Report";

  page_sections (sections, tables, pictures, facts);
  page_head (page, title);
  html_printf (page, "<header>\n<p class=\"kicker\">Limbeck report</p>\n<h1>%s</h1>\n", title);
  page_text (page, self->text);
  if (metrics)
    header_facts (page, facts);
  page_navigation (page, sections->str);
  g_string_append (page, "</header>\n");
  g_string_append_len (page, sections->str, (gssize)sections->len);
  html_printf (page, "<footer>Made by Limbeck %s.</footer>\n</main>\n</body>\n</html>\n",
               json_object_get_string_member_with_default (facts, "limbeck", LB_VERSION));
  return page;
}

static gboolean
report_run (LbStage *stage, gpointer data, GError **error)
{
  Report *self = data;
  g_autoptr (GPtrArray) tables = read_tables (stage, error);
  g_autoptr (GPtrArray) pictures = tables ? read_pictures (stage, error) : NULL;
  g_autoptr (JsonNode) facts = pictures ? read_facts (stage, error) : NULL;

  if (!facts)
    return FALSE;
  g_autoptr (GString) page = make_page (self, tables, pictures, json_node_get_object (facts));
  return lb_stage_write (stage, self->file, page->str, page->len, error);
}

/* The page and what goes into it are small beside any other stage. */
static gboolean
report_configure (LbConfigure *configure, gpointer data, GError **error)
{
  lb_configure_cost (configure, 0, 0);
  return TRUE;
}

static const LbStageType report_type = {
  .name = "report",
  .summary = "Tells of the whole run on one HTML page that needs nothing else",
  .description
  = "The page holds the tables and pictures that are linked to it and, once all other stages have ended, what the "
    "framework knows of the run: curves of what stages told while they worked (with bands of one standard deviation "
    "over "
    "the models of one trainer), the pipeline's drawing, what each stage took, versions, and the pipeline with every "
    "value filled in. It works without a network, on a phone, in light and dark. As it tells of times, it is made anew "
    "in every run and its bytes differ from run to run.",
  .inputs = inputs,
  .properties = properties,
  .instance_size = sizeof (Report),
  .configure = report_configure,
  .run = report_run,
  .flags = LB_STAGE_CLOSES,
};

LB_DEFINE_PLUGIN ("report", "1.0", "LGPL-2.1-or-later", &report_type);
