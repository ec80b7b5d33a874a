/* The parts of the page that stage report writes. Private to the plugin. All text that comes from outside is escaped
 * where it is written. */
#pragma once

#include <json-glib/json-glib.h>

#include "limbeck.h"

/* ---- HTML ---- */

/* Appends as printf does, with every argument of %s escaped. */
void html_printf (GString *page, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Appends the file as a data URI of @type ("image/png"). */
void html_data_uri (GString *page, const char *type, gconstpointer data, gsize length);

/* ---- What arrives ---- */

/* A row of a comparison. */
typedef struct {
  char *title, *set, *architecture, *baseline;
  double mean, std;       /* of accuracy; std NaN for one model */
  double gain, published; /* NaN where there is none */
  gint64 models, images, bytes;
  double training_flops;
} Row;

void row_free (gpointer row);

/* Reads a packet of schema comparison; new. */
Row *row_new (const LbPacket *packet);

/* ---- Charts, as inline SVG ----
 *
 * Colours come from the style sheet, so they follow light and dark; shapes tell apart what colours do. All numbers have
 * two decimals at most, so that the page is the same wherever it is made. */

#define N_COLOURS 6 /* of the style sheet: classes k0, k1, ... */

/* Maps values to pixels. */
typedef struct {
  double left, right, top, bottom; /* pixels */
  double x0, x1, y0, y1;           /* values at left, right, bottom, top */
} Plane;

double plane_x (const Plane *plane, double x);
double plane_y (const Plane *plane, double y);

/* A line, or words at (x, y), of @class of the style sheet; @anchor: "start", "middle" or "end". */
void svg_line (GString *page, const char *class, double x1, double y1, double x2, double y2);
void svg_text (GString *page, const char *class, const char *anchor, double x, double y, const char *words);

/* The letter that stands for the set of @row in chart and table, the same for rows of one set. */
char row_letter (GPtrArray *rows, const Row *row);

/* Accuracy against bytes of @rows (Row), twice: for wide pages and for narrow ones; and the legend. */
void chart_accuracy (GString *page, GPtrArray *rows);

/* A chart of @curves, JsonObject of the facts of a run, which are all that one stage told under @name: one curve, or
 * one for each of its parts. Bands where several models lie behind it. @models: their architectures, by part; or, where
 * there is one curve, in the order in which its steps belong to them, an equal number each; empty: it is of one model.
 */
void chart_curves (GString *page, const char *name, GPtrArray *curves, JsonArray *models);

/* The part that the name of a curve tells, as in "loss (3)", and the length of the name before it; -1 when there is
 * none. */
gint64 curve_part (const char *name, gsize *length);

/* ---- Sections ---- */

void section_comparison (GString *page, GPtrArray *rows);
void section_training (GString *page, JsonObject *facts);
void section_pipeline (GString *page, JsonObject *facts);
void section_costs (GString *page, JsonObject *facts);
void section_again (GString *page, JsonObject *facts);

/* The figures below the title: how long it took, on what. */
void header_facts (GString *page, JsonObject *facts);
