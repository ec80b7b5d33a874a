/* Ledgers and their JSON form. Floating-point numbers are written as hexadecimal text: JSON knows neither infinity nor
 * not-a-number, which metrics may be.
 */
#include "pipeline/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

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
add_exactly (JsonBuilder *builder, const char *name, double value)
{
  char text[64];
  snprintf (text, sizeof text, "%a", value);
  lb_json_add_text (builder, name, text);
}

static void
add_kept (JsonBuilder *builder, const GArray *kept)
{
  json_builder_begin_array (builder);
  for (guint i = 0; i < kept->len; i++) {
    const LbKept *entry = &g_array_index (kept, LbKept, i);
    json_builder_begin_object (builder);
    if (entry->name != NULL)
      lb_json_add_text (builder, "name", entry->name);
    lb_json_add_integer (builder, "bytes", (gint64)entry->bytes);
    lb_json_add_text (builder, "sha256", entry->digest);
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
      lb_json_add_text (builder, "name", field->name);
      lb_json_add_text (builder, "type", field->type);
      lb_json_add_text (builder, "sha256", field->digest);
      json_builder_end_object (builder);
    }
    json_builder_end_array (builder);
  }
  for (guint i = 0; i < sent->groups->len; i++) {
    const LbSentGroup *group = &g_array_index (sent->groups, LbSentGroup, i);
    char digest[LB_DIGEST_SIZE];
    lb_digest_to_text (group->digest, digest);
    json_builder_begin_object (builder);
    lb_json_add_integer (builder, "packets", (gint64)group->n);
    lb_json_add_text (builder, "sha256", digest);
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
    lb_json_add_text (builder, "name", metric->name);
    add_exactly (builder, "value", metric->value);
    lb_json_add_text (builder, "unit", metric->unit);
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
  lb_json_add_integer (builder, "bytes_out", (gint64)ledger->bytes_out);
  add_exactly (builder, "seconds", ledger->seconds);
  json_builder_end_object (builder);
  return lb_json_to_text (builder, FALSE);
}

/* ---- From JSON ---- */

/* As add_exactly() wrote it. */
static double
read_exactly (LbJsonReader *reader, JsonObject *object, const char *name)
{
  const char *text = lb_json_text (reader, object, name, FALSE);
  char *end = NULL;
  double value = text != NULL ? g_ascii_strtod (text, &end) : 0;
  if (text != NULL && (end == text || *end != '\0'))
    lb_json_fail (reader, name, "is '%s', where a number was expected", text);
  return value;
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

/* What a packet and a file have in common. */
static LbKept
read_kept (LbJsonReader *reader, JsonObject *object)
{
  LbKept kept = { .bytes = lb_json_count (reader, object, "bytes") };
  lb_json_digest (reader, object, kept.digest);
  return kept;
}

static void
read_packets (LbJsonReader *reader, GArray *packets, JsonArray *array)
{
  for (guint i = 0; i < lb_json_length (reader, array); i++) {
    LbKept kept = read_kept (reader, lb_json_item (reader, array, "outputs", i));
    g_array_append_val (packets, kept);
  }
}

static void
read_files (LbJsonReader *reader, GArray *files, JsonArray *array)
{
  for (guint i = 0; i < lb_json_length (reader, array); i++) {
    JsonObject *object = lb_json_item (reader, array, "files", i);
    LbKept kept = read_kept (reader, object);
    kept.name = g_strdup (lb_json_text (reader, object, "name", FALSE));
    if (kept.name != NULL && !is_inside (kept.name))
      lb_json_fail (reader, "name", "is '%s', which is no file inside a folder", kept.name);
    g_array_append_val (files, kept);
  }
}

static void
read_sent_fields (LbJsonReader *reader, GArray *fields, JsonArray *array)
{
  for (guint i = 0; i < lb_json_length (reader, array); i++) {
    JsonObject *object = lb_json_item (reader, array, "sent", i);
    LbSentField field = { .name = g_strdup (lb_json_text (reader, object, "name", FALSE)),
                          .type = g_strdup (lb_json_text (reader, object, "type", FALSE)) };
    lb_json_digest (reader, object, field.digest);
    g_array_append_val (fields, field);
  }
}

static void
read_sent_group (LbJsonReader *reader, LbSent *sent, JsonObject *object)
{
  LbSentGroup group = { .n = lb_json_count (reader, object, "packets") };
  char digest[LB_DIGEST_SIZE] = "";
  lb_json_digest (reader, object, digest);
  if (lb_digest_from_text (digest, group.digest) && group.n > 0)
    g_array_append_val (sent->groups, group);
  else
    lb_json_fail (reader, "packets", "of a group is 0, where one or more were expected");
}

static void
read_sent (LbJsonReader *reader, LbSent *sent, JsonArray *array)
{
  for (guint i = 0; i < lb_json_length (reader, array); i++)
    if (i < LB_SENT_SINGLY) {
      GArray *fields = sent_packet_new ();
      g_ptr_array_add (sent->packets, fields);
      read_sent_fields (reader, fields, lb_json_item_array (reader, array, "sent", i));
    } else {
      read_sent_group (reader, sent, lb_json_item (reader, array, "sent", i));
    }
}

static void
read_told (LbJsonReader *reader, LbLedger *ledger, JsonArray *metrics, JsonArray *reports)
{
  for (guint i = 0; i < lb_json_length (reader, metrics); i++) {
    JsonObject *object = lb_json_item (reader, metrics, "metrics", i);
    const char *name = lb_json_text (reader, object, "name", FALSE),
               *unit = lb_json_text (reader, object, "unit", TRUE);
    g_ptr_array_add (ledger->metrics, lb_metric_new (name, read_exactly (reader, object, "value"), unit));
  }
  for (guint i = 0; i < lb_json_length (reader, reports); i++)
    g_ptr_array_add (ledger->reports, g_strdup (lb_json_item_text (reader, reports, "reports", i)));
}

static void
read_ledger (LbJsonReader *reader, LbLedger *ledger, JsonObject *object, gboolean any_outputs)
{
  JsonArray *outputs = lb_json_array (reader, object, "outputs"), *sent = lb_json_array (reader, object, "sent");
  guint n_outputs = lb_json_length (reader, outputs);
  while (any_outputs && ledger->outputs->len < n_outputs)
    add_output (ledger);
  if (n_outputs != ledger->outputs->len || n_outputs != lb_json_length (reader, sent)) {
    lb_json_fail (reader, "outputs", "tells of %u outputs, where %u were expected", n_outputs, ledger->outputs->len);
    return;
  }
  ledger->has_packets = lb_json_boolean (reader, object, "has_packets", FALSE);
  for (guint i = 0; i < n_outputs; i++) {
    read_packets (reader, ledger->outputs->pdata[i], lb_json_item_array (reader, outputs, "outputs", i));
    read_sent (reader, ledger->sent->pdata[i], lb_json_item_array (reader, sent, "sent", i));
  }
  read_files (reader, ledger->files, lb_json_array (reader, object, "files"));
  read_told (reader, ledger, lb_json_array (reader, object, "metrics"), lb_json_array (reader, object, "reports"));
  ledger->flops = read_exactly (reader, object, "flops");
  ledger->bytes_out = lb_json_count (reader, object, "bytes_out");
  ledger->seconds = read_exactly (reader, object, "seconds");
}

LbLedger *
lb_ledger_from_json (const char *path, const char *text, gsize length, guint n_outputs, GError **error)
{
  gboolean any_outputs = n_outputs == LB_ANY_OUTPUTS;
  g_autoptr (LbLedger) ledger = lb_ledger_new (any_outputs ? 0 : n_outputs);
  g_autoptr (JsonNode) root = lb_json_parse (path, text, length, error);
  LbJsonReader reader = { .place = path };
  if (root == NULL)
    return NULL;
  JsonObject *object = lb_json_root (&reader, root);
  if (object != NULL)
    read_ledger (&reader, ledger, object, any_outputs);
  if (reader.error == NULL)
    return g_steal_pointer (&ledger);
  g_propagate_error (error, reader.error);
  return NULL;
}
