/* Ledgers and their JSON form. Floating-point numbers are written as hexadecimal text: JSON knows neither infinity nor
 * not-a-number, which metrics may be.
 */
#include "pipeline/ledger.h"

#include <stdio.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "base/error.h"
#include "base/format.h"

LbMetric *
lb_metric_new (const char *name, double value, const char *unit)
{
  LbMetric *metric = g_new0 (LbMetric, 1);
  *metric = (LbMetric){ g_strdup (name), value, g_strdup (unit) };
  return metric;
}

void
lb_metric_free (LbMetric *metric)
{
  g_free (metric->name);
  g_free (metric->unit);
  g_free (metric);
}

static void
kept_clear (gpointer data)
{
  g_free (((LbKept *)data)->name);
}

static GArray *
kept_array_new (void)
{
  GArray *array = g_array_new (FALSE, FALSE, sizeof (LbKept));
  g_array_set_clear_func (array, kept_clear);
  return array;
}

static void
sent_field_clear (gpointer data)
{
  LbSentField *field = data;
  g_free (field->name);
  g_free (field->type);
}

static GArray *
sent_packet_new (void)
{
  GArray *fields = g_array_new (FALSE, FALSE, sizeof (LbSentField));
  g_array_set_clear_func (fields, sent_field_clear);
  return fields;
}

static void
sent_free (gpointer data)
{
  LbSent *sent = data;
  g_ptr_array_unref (sent->packets);
  g_array_unref (sent->groups);
  g_free (sent);
}

static void
add_output (LbLedger *ledger)
{
  LbSent *sent = g_new (LbSent, 1);
  sent->packets = g_ptr_array_new_with_free_func ((GDestroyNotify)g_array_unref);
  sent->groups = g_array_new (FALSE, FALSE, sizeof (LbSentGroup));
  g_ptr_array_add (ledger->outputs, kept_array_new ());
  g_ptr_array_add (ledger->sent, sent);
}

LbLedger *
lb_ledger_new (guint n_outputs)
{
  LbLedger *ledger = g_new0 (LbLedger, 1);
  ledger->has_packets = TRUE;
  ledger->outputs = g_ptr_array_new_with_free_func ((GDestroyNotify)g_array_unref);
  ledger->sent = g_ptr_array_new_with_free_func (sent_free);
  ledger->sha256 = lb_sha256_new ();
  for (guint i = 0; i < n_outputs; i++)
    add_output (ledger);
  ledger->files = kept_array_new ();
  ledger->metrics = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_metric_free);
  ledger->reports = g_ptr_array_new_with_free_func (g_free);
  return ledger;
}

static void
copy_kept (GArray *to, const GArray *from)
{
  for (guint i = 0; i < from->len; i++) {
    LbKept kept = g_array_index (from, LbKept, i);
    kept.name = g_strdup (kept.name);
    g_array_append_val (to, kept);
  }
}

static void
copy_sent (LbSent *to, const LbSent *from)
{
  for (guint i = 0; i < from->packets->len; i++)
    g_ptr_array_add (to->packets, g_array_ref (from->packets->pdata[i])); /* what was sent does not change */
  g_array_append_vals (to->groups, from->groups->data, from->groups->len);
}

/* Packets of a full group, the one at index @group. */
static guint64
group_size (guint group)
{
  return (guint64)2 << MIN (group / (LB_SENT_SINGLY / 2), 40);
}

static void
note_in_group (LbLedger *ledger, LbSent *sent, const LbPacket *packet)
{
  guint n = sent->groups->len;
  LbSentGroup *last = n > 0 ? &g_array_index (sent->groups, LbSentGroup, n - 1) : NULL;
  if (last == NULL || last->n >= group_size (n - 1)) {
    g_array_set_size (sent->groups, n + 1);
    last = &g_array_index (sent->groups, LbSentGroup, n);
    last->n = 0;
  }
  lb_record_chain (packet, last->n++, last->digest, ledger->sha256);
}

LbSentMark
lb_ledger_mark (const LbLedger *ledger, guint output)
{
  const LbSent *sent = ledger->sent->pdata[output];
  const GArray *kept = ledger->outputs->pdata[output];
  LbSentMark mark = { .n_kept = kept->len, .n_packets = sent->packets->len, .n_groups = sent->groups->len };
  if (mark.n_groups > 0)
    mark.last = g_array_index (sent->groups, LbSentGroup, mark.n_groups - 1);
  return mark;
}

void
lb_ledger_cut (LbLedger *ledger, guint output, const LbSentMark *mark)
{
  LbSent *sent = ledger->sent->pdata[output];
  g_array_set_size (ledger->outputs->pdata[output], mark->n_kept);
  g_ptr_array_set_size (sent->packets, (int)mark->n_packets);
  g_array_set_size (sent->groups, mark->n_groups);
  if (mark->n_groups > 0)
    g_array_index (sent->groups, LbSentGroup, mark->n_groups - 1) = mark->last;
}

void
lb_ledger_note (LbLedger *ledger, guint output, const LbPacket *packet)
{
  LbSent *sent = ledger->sent->pdata[output];
  if (sent->packets->len >= LB_SENT_SINGLY) {
    note_in_group (ledger, sent, packet);
    return;
  }
  GArray *fields = sent_packet_new ();
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const LbTensor *tensor = lb_packet_field_tensor (packet, i);
    g_autofree char *shape = lb_shape_to_string (lb_tensor_shape (tensor)), *digest = lb_tensor_digest (tensor);
    LbSentField field = { .name = g_strdup (lb_packet_field_name (packet, i)) };
    field.type = g_strconcat (lb_dtype_name (lb_tensor_dtype (tensor)), shape, NULL);
    g_strlcpy (field.digest, digest, sizeof field.digest);
    g_array_append_val (fields, field);
  }
  g_ptr_array_add (sent->packets, fields);
}

LbLedger *
lb_ledger_copy (const LbLedger *ledger)
{
  LbLedger *copy = lb_ledger_new (ledger->outputs->len);
  copy->has_packets = ledger->has_packets;
  for (guint i = 0; i < ledger->outputs->len; i++)
    lb_ledger_take_packets (copy, ledger, i);
  copy_kept (copy->files, ledger->files);
  for (guint i = 0; i < ledger->metrics->len; i++) {
    const LbMetric *metric = ledger->metrics->pdata[i];
    g_ptr_array_add (copy->metrics, lb_metric_new (metric->name, metric->value, metric->unit));
  }
  for (guint i = 0; i < ledger->reports->len; i++)
    g_ptr_array_add (copy->reports, g_strdup (ledger->reports->pdata[i]));
  copy->flops = ledger->flops;
  copy->bytes_out = ledger->bytes_out;
  copy->seconds = ledger->seconds;
  return copy;
}

void
lb_ledger_free (LbLedger *ledger)
{
  if (ledger == NULL)
    return;
  g_ptr_array_unref (ledger->outputs);
  g_ptr_array_unref (ledger->sent);
  g_array_unref (ledger->files);
  g_ptr_array_unref (ledger->metrics);
  g_ptr_array_unref (ledger->reports);
  lb_sha256_free (ledger->sha256);
  g_free (ledger);
}

void
lb_ledger_take_packets (LbLedger *ledger, const LbLedger *from, guint output)
{
  copy_kept (ledger->outputs->pdata[output], from->outputs->pdata[output]);
  copy_sent (ledger->sent->pdata[output], from->sent->pdata[output]);
}

void
lb_ledger_take_files (LbLedger *ledger, const LbLedger *from)
{
  copy_kept (ledger->files, from->files);
}

static guint64
sum_bytes (const GArray *kept)
{
  guint64 bytes = 0;
  for (guint i = 0; i < kept->len; i++)
    bytes += g_array_index (kept, LbKept, i).bytes;
  return bytes;
}

guint64
lb_ledger_output_bytes (const LbLedger *ledger, guint output)
{
  return sum_bytes (ledger->outputs->pdata[output]);
}

guint64
lb_ledger_bytes (const LbLedger *ledger)
{
  guint64 bytes = sum_bytes (ledger->files);
  for (guint i = 0; ledger->has_packets && i < ledger->outputs->len; i++)
    bytes += lb_ledger_output_bytes (ledger, i);
  return bytes;
}

/* ---- To JSON ---- */

static void
add_text (JsonBuilder *builder, const char *name, const char *text)
{
  json_builder_set_member_name (builder, name);
  if (text != NULL)
    json_builder_add_string_value (builder, text);
  else
    json_builder_add_null_value (builder);
}

static void
add_exactly (JsonBuilder *builder, const char *name, double value)
{
  char text[64];
  snprintf (text, sizeof text, "%a", value);
  add_text (builder, name, text);
}

static void
add_count (JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64)value);
}

static void
add_kept (JsonBuilder *builder, const GArray *kept)
{
  json_builder_begin_array (builder);
  for (guint i = 0; i < kept->len; i++) {
    const LbKept *entry = &g_array_index (kept, LbKept, i);
    json_builder_begin_object (builder);
    if (entry->name != NULL)
      add_text (builder, "name", entry->name);
    add_count (builder, "bytes", entry->bytes);
    add_text (builder, "sha256", entry->digest);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_sent (JsonBuilder *builder, const LbSent *sent)
{
  json_builder_begin_array (builder);
  for (guint i = 0; i < sent->packets->len; i++) {
    const GArray *fields = sent->packets->pdata[i];
    json_builder_begin_array (builder);
    for (guint k = 0; k < fields->len; k++) {
      const LbSentField *field = &g_array_index (fields, LbSentField, k);
      json_builder_begin_object (builder);
      add_text (builder, "name", field->name);
      add_text (builder, "type", field->type);
      add_text (builder, "sha256", field->digest);
      json_builder_end_object (builder);
    }
    json_builder_end_array (builder);
  }
  for (guint i = 0; i < sent->groups->len; i++) {
    const LbSentGroup *group = &g_array_index (sent->groups, LbSentGroup, i);
    char digest[LB_DIGEST_SIZE];
    lb_digest_to_text (group->digest, digest);
    json_builder_begin_object (builder);
    add_count (builder, "packets", group->n);
    add_text (builder, "sha256", digest);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_told (JsonBuilder *builder, const LbLedger *ledger)
{
  json_builder_set_member_name (builder, "metrics");
  json_builder_begin_array (builder);
  for (guint i = 0; i < ledger->metrics->len; i++) {
    const LbMetric *metric = ledger->metrics->pdata[i];
    json_builder_begin_object (builder);
    add_text (builder, "name", metric->name);
    add_exactly (builder, "value", metric->value);
    add_text (builder, "unit", metric->unit);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "reports");
  json_builder_begin_array (builder);
  for (guint i = 0; i < ledger->reports->len; i++)
    json_builder_add_string_value (builder, ledger->reports->pdata[i]);
  json_builder_end_array (builder);
}

char *
lb_ledger_to_json (const LbLedger *ledger)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "has_packets");
  json_builder_add_boolean_value (builder, ledger->has_packets);
  json_builder_set_member_name (builder, "outputs");
  json_builder_begin_array (builder);
  for (guint i = 0; i < ledger->outputs->len; i++)
    add_kept (builder, ledger->outputs->pdata[i]);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "sent");
  json_builder_begin_array (builder);
  for (guint i = 0; i < ledger->sent->len; i++)
    add_sent (builder, ledger->sent->pdata[i]);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "files");
  add_kept (builder, ledger->files);
  add_told (builder, ledger);
  add_exactly (builder, "flops", ledger->flops);
  add_count (builder, "bytes_out", ledger->bytes_out);
  add_exactly (builder, "seconds", ledger->seconds);
  json_builder_end_object (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = json_to_string (root, FALSE);
  return lb_format_json (text);
}

/* ---- From JSON: every getter says by its result whether the member is there and of its kind ---- */

static const char *
get_text (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

static gboolean
get_exactly (JsonObject *object, const char *name, double *value)
{
  const char *text = get_text (object, name);
  char *end = NULL;
  if (text != NULL)
    *value = g_ascii_strtod (text, &end);
  return end != NULL && end != text && *end == '\0';
}

static gboolean
get_count (JsonObject *object, const char *name, guint64 *value)
{
  JsonNode *node = json_object_get_member (object, name);
  gboolean good = node != NULL && json_node_get_value_type (node) == G_TYPE_INT64 && json_node_get_int (node) >= 0;
  if (good)
    *value = (guint64)json_node_get_int (node);
  return good;
}

static JsonArray *
get_array (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static JsonObject *
get_object (JsonArray *array, guint index)
{
  JsonNode *node = json_array_get_element (array, index);
  return JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* Names of result files stay inside the directory of files. */
static gboolean
is_inside (const char *name)
{
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    if (*parts[i] == '\0' || strcmp (parts[i], ".") == 0 || strcmp (parts[i], "..") == 0)
      return FALSE;
  return *name != '\0';
}

static gboolean
read_kept (GArray *kept, JsonArray *array, gboolean named)
{
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++) {
    JsonObject *object = get_object (array, i);
    LbKept entry = { 0 };
    const char *digest = object != NULL ? get_text (object, "sha256") : NULL;
    const char *name = object != NULL ? get_text (object, "name") : NULL;
    if (digest == NULL || strlen (digest) != LB_DIGEST_SIZE - 1 || !get_count (object, "bytes", &entry.bytes)
        || named != (name != NULL) || (named && !is_inside (name)))
      return FALSE;
    entry.name = g_strdup (name);
    g_strlcpy (entry.digest, digest, sizeof entry.digest);
    g_array_append_val (kept, entry);
  }
  return array != NULL;
}

static gboolean
read_sent_fields (GArray *fields, JsonArray *array)
{
  for (guint i = 0; i < json_array_get_length (array); i++) {
    JsonObject *object = get_object (array, i);
    const char *name = object != NULL ? get_text (object, "name") : NULL;
    const char *type = object != NULL ? get_text (object, "type") : NULL;
    const char *digest = object != NULL ? get_text (object, "sha256") : NULL;
    if (name == NULL || type == NULL || !lb_is_digest (digest))
      return FALSE;
    LbSentField field = { .name = g_strdup (name), .type = g_strdup (type) };
    g_strlcpy (field.digest, digest, sizeof field.digest);
    g_array_append_val (fields, field);
  }
  return TRUE;
}

static gboolean
read_sent_group (LbSent *sent, JsonObject *object)
{
  LbSentGroup group;
  if (!lb_digest_from_text (get_text (object, "sha256"), group.digest) || !get_count (object, "packets", &group.n)
      || group.n == 0)
    return FALSE;
  g_array_append_val (sent->groups, group);
  return TRUE;
}

static gboolean
read_sent (LbSent *sent, JsonNode *node)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++) {
    JsonNode *entry = json_array_get_element (array, i);
    if (i >= LB_SENT_SINGLY) {
      if (!JSON_NODE_HOLDS_OBJECT (entry) || !read_sent_group (sent, json_node_get_object (entry)))
        return FALSE;
      continue;
    }
    GArray *fields = sent_packet_new ();
    g_ptr_array_add (sent->packets, fields);
    if (!JSON_NODE_HOLDS_ARRAY (entry) || !read_sent_fields (fields, json_node_get_array (entry)))
      return FALSE;
  }
  return array != NULL;
}

static gboolean
read_told (LbLedger *ledger, JsonArray *metrics, JsonArray *reports)
{
  for (guint i = 0; metrics != NULL && i < json_array_get_length (metrics); i++) {
    JsonObject *object = get_object (metrics, i);
    double value;
    if (object == NULL || get_text (object, "name") == NULL || !get_exactly (object, "value", &value))
      return FALSE;
    g_ptr_array_add (ledger->metrics, lb_metric_new (get_text (object, "name"), value, get_text (object, "unit")));
  }
  for (guint i = 0; reports != NULL && i < json_array_get_length (reports); i++) {
    JsonNode *node = json_array_get_element (reports, i);
    if (json_node_get_value_type (node) != G_TYPE_STRING)
      return FALSE;
    g_ptr_array_add (ledger->reports, g_strdup (json_node_get_string (node)));
  }
  return metrics != NULL && reports != NULL;
}

static gboolean
read_ledger (LbLedger *ledger, JsonObject *object, gboolean any_outputs)
{
  JsonArray *outputs = get_array (object, "outputs"), *sent = get_array (object, "sent");
  JsonNode *has_packets = json_object_get_member (object, "has_packets");
  guint n_outputs = outputs != NULL ? json_array_get_length (outputs) : 0;
  while (any_outputs && ledger->outputs->len < n_outputs)
    add_output (ledger);
  if (outputs == NULL || sent == NULL || json_array_get_length (sent) != n_outputs || n_outputs != ledger->outputs->len
      || has_packets == NULL || json_node_get_value_type (has_packets) != G_TYPE_BOOLEAN)
    return FALSE;
  ledger->has_packets = json_node_get_boolean (has_packets);
  for (guint i = 0; i < ledger->outputs->len; i++) {
    JsonNode *node = json_array_get_element (outputs, i);
    if (!JSON_NODE_HOLDS_ARRAY (node) || !read_kept (ledger->outputs->pdata[i], json_node_get_array (node), FALSE)
        || !read_sent (ledger->sent->pdata[i], json_array_get_element (sent, i)))
      return FALSE;
  }
  return read_kept (ledger->files, get_array (object, "files"), TRUE)
         && read_told (ledger, get_array (object, "metrics"), get_array (object, "reports"))
         && get_exactly (object, "flops", &ledger->flops) && get_count (object, "bytes_out", &ledger->bytes_out)
         && get_exactly (object, "seconds", &ledger->seconds);
}

LbLedger *
lb_ledger_from_json (const char *path, const char *text, gsize length, guint n_outputs, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  gboolean any_outputs = n_outputs == LB_ANY_OUTPUTS;
  g_autoptr (LbLedger) ledger = lb_ledger_new (any_outputs ? 0 : n_outputs);
  gboolean parsed = json_parser_load_from_data (parser, text, (gssize)length, NULL);
  JsonNode *root = parsed ? json_parser_get_root (parser) : NULL;
  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root) && read_ledger (ledger, json_node_get_object (root), any_outputs))
    return g_steal_pointer (&ledger);
  lb_input_error (path, error, "is no list of a stage's results");
  return NULL;
}
