/* comparison: how sets compare by the models trained on them, at what storage and training cost. Prints a table when
 * the run has ended and writes it as JSON.
 */
#include "limbeck.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

typedef struct {
  char *title, *baseline, *file;
  char **names;
  GArray *published, *iterations, *published_iterations; /* double, by input; may be shorter */
} Comparison;

static const LbProperty properties[] = {
  LB_STRING (Comparison, title, "title", "Comparison", "Line above the table"),
  LB_STRINGS (
      Comparison, names, "names", "[]",
      "What to call the inputs, in order; inputs of one name are sets of one kind, whose models share a row; left out: "
      "the stages they come from"),
  LB_STRING (Comparison, baseline, "baseline", "",
             "Name of the input that gains are counted from; left out: the first"),
  LB_NUMBERS (Comparison, published, "published", "[]", 0, 100, "%",
              "Published accuracy to stand beside each input, in order; 0 or left out: none"),
  LB_NUMBERS (Comparison, iterations, "iterations", "[]", 0, 1e12, NULL,
              "Iterations that the set of each input was made with, in order; 0 or left out: not to be told"),
  LB_NUMBERS (Comparison, published_iterations, "published-iterations", "[]", 0, 1e12, NULL,
              "Iterations that the published accuracy took; the table marks inputs that were made with fewer"),
  LB_RESULT (Comparison, file, "file", "*.json", "The file to write"),
  LB_PROPERTIES_END,
};

static const LbPort inputs[] = {
  { "metrics", "metrics", NULL, LB_PORT_MANY, "One stream for each set to compare, in the order of the table" },
  LB_PORTS_END,
};

static const LbPort outputs[] = {
  { "rows", "comparison", NULL, 0, "The table, a packet for each row" },
  LB_PORTS_END,
};

/* ---- Figures ---- */

/* All models of one architecture that the inputs of one name told of. */
typedef struct {
  guint link, sets, last_link; /* the first input, how many told, and which was the last */
  char *architecture;
  GArray *accuracies; /* double, fractions */
  gint64 images, bytes;
  double flops;  /* sum over models */
  double making; /* of the first set; NaN when it is not told */
} Row;

static void
row_free (gpointer data)
{
  Row *row = data;

  g_free (row->architecture);
  g_array_unref (row->accuracies);
  g_free (row);
}

static Row *
find_row (GPtrArray *rows, guint link, const char *architecture)
{
  for (guint i = 0; i < rows->len; i++) {
    Row *row = g_ptr_array_index (rows, i);
    if (row->link == link && g_str_equal (row->architecture, architecture))
      return row;
  }
  return NULL;
}

/* The first input that is called as @link is. */
static guint
first_of_name (char *const *names, guint link)
{
  guint first = 0;

  while (!g_str_equal (names[first], names[link]))
    first++;
  return first;
}

/* Adds what input @link told of one model to the row of its name. Sets of one row must be of one size, or its storage
 * would be that of none. */
static gboolean
add_metrics (GPtrArray *rows, char *const *names, guint link, LbPacket *metrics, GError **error)
{
  g_autofree char *architecture = lb_packet_get_text (metrics, "architecture");
  guint first = first_of_name (names, link);
  Row *row = find_row (rows, first, architecture);
  double accuracy = lb_tensor_f64 (lb_packet_get (metrics, "accuracy"))[0];
  gint64 images = lb_tensor_i64 (lb_packet_get (metrics, "set_images"))[0];
  gint64 bytes = lb_tensor_i64 (lb_packet_get (metrics, "set_bytes"))[0];

  if (!row) {
    LbTensor *making = lb_packet_get (metrics, "set_flops");

    row = g_new0 (Row, 1);
    *row = (Row){ .link = first, .last_link = link, .sets = 1, .images = images, .bytes = bytes };
    row->making = making ? lb_tensor_f64 (making)[0] : NAN;
    row->architecture = g_steal_pointer (&architecture);
    row->accuracies = g_array_new (FALSE, FALSE, sizeof (double));
    g_ptr_array_add (rows, row);
  }
  if (link != row->last_link) {
    row->last_link = link;
    row->sets++;
    if (images != row->images || bytes != row->bytes) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "two inputs are called '%s', but their sets have %" G_GINT64_FORMAT " images of %" G_GINT64_FORMAT
                   " bytes and %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                   "; expected sets of one kind, so give them two names",
                   names[link], row->images, row->bytes, images, bytes);
      return FALSE;
    }
  }
  g_array_append_val (row->accuracies, accuracy);
  row->flops += lb_tensor_f64 (lb_packet_get (metrics, "training_flops"))[0];
  return TRUE;
}

static double
mean (const Row *row)
{
  double sum = 0;

  for (guint i = 0; i < row->accuracies->len; i++)
    sum += g_array_index (row->accuracies, double, i);
  return sum / row->accuracies->len;
}

/* The sample standard deviation (n - 1); NaN for one model. */
static double
deviation (const Row *row)
{
  double centre = mean (row), sum = 0;

  for (guint i = 0; i < row->accuracies->len; i++) {
    double d = g_array_index (row->accuracies, double, i) - centre;
    sum += d * d;
  }
  return row->accuracies->len > 1 ? sqrt (sum / (row->accuracies->len - 1)) : NAN;
}

/* Gain over the same architecture of the baseline; NaN where there is none, and for the baseline itself. */
static double
gain (GPtrArray *rows, const Row *row, guint baseline)
{
  const Row *base = find_row (rows, baseline, row->architecture);

  return base && base != row ? mean (row) - mean (base) : NAN;
}

/* What is given for input @link; 0 when nothing is. */
static double
given (const GArray *numbers, guint link)
{
  return link < numbers->len ? g_array_index (numbers, double, link) : 0;
}

/* Whether the set of input @link was made with fewer iterations than the published one. */
static gboolean
is_shorter (const Comparison *self, guint link)
{
  return given (self->iterations, link) > 0
         && given (self->iterations, link) < given (self->published_iterations, link);
}

/* ---- The table ---- */

enum { SET, ARCHITECTURE, ACCURACY, PUBLISHED, GAIN, MODELS, IMAGES, STORED, MAKING, FLOPS, N_COLUMNS };

static const char *const headings[N_COLUMNS]
    = { "set", "architecture", "accuracy", "published", "gain", "models", "images", "stored", "making", "training" };

/* "70.50 (-0.32)", and what was run shorter; free with g_free(). */
static char *
published_cell (const Comparison *self, const Row *row)
{
  double published = given (self->published, row->link);
  g_autofree char *shorter = NULL, *number = NULL;

  if (is_shorter (self, row->link))
    shorter = g_strdup_printf (" after %.15g of %.15g iterations", given (self->iterations, row->link),
                               given (self->published_iterations, row->link));
  if (published > 0)
    number = g_strdup_printf ("%.2f (%+.2f)", published, 100 * mean (row) - published);
  return g_strconcat (number ? number : "-", shorter, NULL);
}

static void
fill_line (const Comparison *self, char **cells, const char *name, const Row *row, double over)
{
  double std = deviation (row);

  cells[SET] = g_strdup (name);
  cells[ARCHITECTURE] = g_strdup (row->architecture);
  cells[ACCURACY] = isnan (std) ? g_strdup_printf ("%.2f %%", 100 * mean (row))
                                : g_strdup_printf ("%.2f ± %.2f %%", 100 * mean (row), 100 * std);
  cells[PUBLISHED] = published_cell (self, row);
  cells[GAIN] = isnan (over) ? g_strdup ("-") : g_strdup_printf ("%+.2f", 100 * over);
  cells[MODELS] = g_strdup_printf ("%u", row->accuracies->len);
  cells[IMAGES] = lb_format_count ((guint64)MAX (row->images, 0));
  cells[STORED] = lb_format_bytes ((guint64)MAX (row->bytes, 0));
  cells[MAKING] = isnan (row->making) ? g_strdup ("-") : lb_format_flops (row->making);
  cells[FLOPS] = lb_format_flops (row->flops / row->accuracies->len);
}

/* Appends one line; text columns stand to the left, numbers to the right. Columns of no width are left out. */
static void
append_line (GString *text, char *const *cells, const glong *widths)
{
  for (guint c = 0; c < N_COLUMNS; c++) {
    if (widths[c] == 0)
      continue;
    glong fill = widths[c] - g_utf8_strlen (cells[c], -1);
    gboolean left = c == SET || c == ARCHITECTURE || c == PUBLISHED;

    g_string_append_printf (text, "  %*s%s%*s", left ? 0 : (int)fill, "", cells[c], left ? (int)fill : 0, "");
  }
  while (text->len && text->str[text->len - 1] == ' ')
    g_string_truncate (text, text->len - 1);
  g_string_append_c (text, '\n');
}

/* Whether any set told what making it took. */
static gboolean
any_making (GPtrArray *rows)
{
  gboolean any = FALSE;

  for (guint i = 0; i < rows->len; i++)
    any = any || !isnan (((const Row *)g_ptr_array_index (rows, i))->making);
  return any;
}

static char *
make_table (const Comparison *self, GPtrArray *rows, char *const *names, guint baseline)
{
  GString *text = g_string_new (NULL);
  glong widths[N_COLUMNS];
  g_autofree char **cells = g_new0 (char *, rows->len *N_COLUMNS);

  for (guint c = 0; c < N_COLUMNS; c++)
    widths[c] = g_utf8_strlen (headings[c], -1);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);

    fill_line (self, cells + i * N_COLUMNS, names[row->link], row, gain (rows, row, baseline));
    for (guint c = 0; c < N_COLUMNS; c++)
      widths[c] = MAX (widths[c], g_utf8_strlen (cells[i * N_COLUMNS + c], -1));
  }
  if (self->published->len == 0 && self->published_iterations->len == 0)
    widths[PUBLISHED] = 0;
  if (!any_making (rows))
    widths[MAKING] = 0;
  g_string_append_printf (text, "%s\n", self->title);
  append_line (text, (char *const *)headings, widths);
  for (guint i = 0; i < rows->len; i++)
    append_line (text, cells + i * N_COLUMNS, widths);
  g_string_append_printf (
      text,
      "Accuracy on the whole test set, mean ± standard deviation over models; gain in points over '%s'; "
      "stored: images and all labels; training: floating-point operations of one model.",
      names[baseline]);
  if (widths[MAKING])
    g_string_append (text, " Making: those of one set, its labeler's training among them.");
  if (widths[PUBLISHED])
    g_string_append (text, " Published: accuracy as published, and how far this is from it in points.");
  for (guint i = 0; i < rows->len * N_COLUMNS; i++)
    g_free (cells[i]);
  return g_string_free (text, FALSE);
}

/* ---- The file ---- */

static void
add_number (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  if (isnan (value))
    json_builder_add_null_value (builder);
  else
    json_builder_add_double_value (builder, value);
}

static void
add_integer (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
add_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_row (const Comparison *self, JsonBuilder *builder, const Row *row, const char *name, double over)
{
  double published = given (self->published, row->link);

  json_builder_begin_object (builder);
  add_text (builder, "set", name);
  add_text (builder, "architecture", row->architecture);
  add_number (builder, "accuracy", mean (row));
  add_number (builder, "std", deviation (row));
  add_number (builder, "gain", over);
  add_number (builder, "published", published > 0 ? published / 100 : NAN);
  json_builder_set_member_name (builder, "shorter_than_published");
  json_builder_add_boolean_value (builder, is_shorter (self, row->link));
  add_integer (builder, "sets", row->sets);
  add_integer (builder, "images", row->images);
  add_integer (builder, "bytes", row->bytes);
  add_number (builder, "making_flops", row->making);
  add_number (builder, "training_flops", row->flops / row->accuracies->len);
  json_builder_set_member_name (builder, "accuracies");
  json_builder_begin_array (builder);
  for (guint i = 0; i < row->accuracies->len; i++)
    json_builder_add_double_value (builder, g_array_index (row->accuracies, double, i));
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static char *
make_json (const Comparison *self, GPtrArray *rows, char *const *names, guint baseline)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;

  json_builder_begin_object (builder);
  add_text (builder, "title", self->title);
  add_text (builder, "baseline", names[baseline]);
  json_builder_set_member_name (builder, "rows");
  json_builder_begin_array (builder);
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);
    add_row (self, builder, row, names[row->link], gain (rows, row, baseline));
  }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  text = json_to_string (root, TRUE);
  g_autofree char *corrected = lb_format_json (text);
  return g_strconcat (corrected, "\n", NULL);
}

/* ---- The stream ---- */

static LbPacket *
row_packet (const Comparison *self, const Row *row, const char *name, const char *baseline, double over)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *accuracies = lb_tensor_new (LB_F64, LB_SHAPE (row->accuracies->len));
  double published = given (self->published, row->link);

  memcpy (lb_tensor_f64 (accuracies), row->accuracies->data, lb_tensor_bytes (accuracies));
  lb_packet_set_text (packet, "title", self->title);
  lb_packet_set_text (packet, "set", name);
  lb_packet_set_text (packet, "architecture", row->architecture);
  lb_packet_set_text (packet, "baseline", baseline);
  lb_packet_take (packet, "accuracies", accuracies);
  lb_packet_set_number (packet, "gain", over);
  lb_packet_set_number (packet, "published", published > 0 ? published / 100 : NAN);
  lb_packet_set_integer (packet, "images", row->images);
  lb_packet_set_integer (packet, "bytes", row->bytes);
  lb_packet_set_number (packet, "making_flops", row->making);
  lb_packet_set_number (packet, "training_flops", row->flops / row->accuracies->len);
  return packet;
}

static gboolean
push_rows (LbStage *stage, const Comparison *self, GPtrArray *rows, char *const *names, guint baseline, GError **error)
{
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index (rows, i);

    if (!lb_stage_push (stage, "rows",
                        row_packet (self, row, names[row->link], names[baseline], gain (rows, row, baseline)), error))
      return FALSE;
  }
  return TRUE;
}

/* ---- The stage ---- */

/* Names of the inputs: as given, or the stages they come from. */
static char **
make_names (LbStage *stage, const Comparison *self, GError **error)
{
  guint n = lb_stage_n_links (stage, "metrics"), given = g_strv_length (self->names);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  if (given && given != n) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "property 'names' has %u names for %u inputs; give one for each input, or leave it out", given, n);
    return NULL;
  }
  for (guint i = 0; i < n; i++) {
    const char *source = lb_stage_source (stage, "metrics", i);

    g_ptr_array_add (names, given ? g_strdup (self->names[i]) : g_strndup (source, strcspn (source, ".")));
  }
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_steal (names, NULL);
}

static gboolean
find_baseline (const Comparison *self, char *const *names, guint *baseline, GError **error)
{
  g_autofree char *known = NULL, *hint = NULL;

  *baseline = 0;
  if (!*self->baseline)
    return TRUE;
  for (guint i = 0; names[i]; i++)
    if (g_str_equal (names[i], self->baseline)) {
      *baseline = i;
      return TRUE;
    }
  known = g_strjoinv (", ", (char **)names);
  hint = lb_did_you_mean (self->baseline, (const char *const *)names);
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "property 'baseline' is '%s'; expected one of %s%s", self->baseline,
               known, hint);
  return FALSE;
}

static gboolean
comparison_run (LbStage *stage, gpointer data, GError **error)
{
  Comparison *self = data;
  g_auto (GStrv) names = make_names (stage, self, error);
  g_autoptr (GPtrArray) rows = g_ptr_array_new_with_free_func (row_free);
  g_autofree char *table = NULL, *json = NULL;
  guint baseline = 0;

  if (!names || !find_baseline (self, names, &baseline, error))
    return FALSE;
  for (guint link = 0; names[link]; link++)
    for (;;) {
      g_autoptr (LbPacket) metrics = NULL;

      if (!lb_stage_pull_nth (stage, "metrics", link, &metrics, error))
        return FALSE;
      if (!metrics)
        break;
      if (!add_metrics (rows, names, link, metrics, error))
        return FALSE;
    }
  if (rows->len == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "no metrics arrived from any input; there is nothing to compare");
    return FALSE;
  }
  table = make_table (self, rows, names, baseline);
  json = make_json (self, rows, names, baseline);
  lb_stage_report (stage, table);
  return lb_stage_write (stage, self->file, json, strlen (json), error)
         && push_rows (stage, self, rows, names, baseline, error);
}

/* A few figures of each model are all that it keeps. */
static gboolean
comparison_configure (LbConfigure *configure, gpointer data, GError **error)
{
  lb_configure_cost (configure, 0, 0);
  return TRUE;
}

static const LbStageType comparison_type = {
  .name = "comparison",
  .summary = "Compares sets by the models trained on them: accuracy, gain, storage, training cost",
  .description
  = "Takes the metrics of any number of evaluators. A row for each input and architecture: accuracy (mean and sample "
    "standard deviation over models), gain over the same architecture of the baseline, images and bytes of the set "
    "the models were trained on (images, hard and dense labels, windows), and floating-point operations of making "
    "one such set (its distiller, its labeler, and training the networks that these asked) and of training one model. "
    "Inputs of one name share a row: 20 students of each of 5 sets, as papers count, are 100 models. With "
    "published, the table has a column of published accuracies and the distance from them; inputs made "
    "with fewer iterations than the published ones are marked as such.",
  .inputs = inputs,
  .outputs = outputs,
  .properties = properties,
  .instance_size = sizeof (Comparison),
  .configure = comparison_configure,
  .run = comparison_run,
};

LB_DEFINE_PLUGIN ("comparison", "1.0", "LGPL-2.1-or-later", &comparison_type);
