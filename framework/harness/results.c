/* What came of a run. */
#include "harness/harness.h"

#include <string.h>

guint
lb_harness_n_outputs (LbHarness *h, const char *port)
{
  return ((GPtrArray *)g_ptr_array_index (h->outputs, harness_output_index (h, port)))->len;
}

LbPacket *
lb_harness_output (LbHarness *h, const char *port, guint index)
{
  GPtrArray *packets = g_ptr_array_index (h->outputs, harness_output_index (h, port));

  if (index >= packets->len)
    g_error ("output '%s' has no packet %u", port, index);
  return g_ptr_array_index (packets, index);
}

guint
lb_harness_n_metrics (LbHarness *h)
{
  return h->figures->len;
}

double
lb_harness_metric_at (LbHarness *h, guint index)
{
  if (index >= h->figures->len)
    g_error ("'%s' recorded no figure %u", h->type->name, index);
  return g_array_index (h->figures, HarnessFigure, index).value;
}

double
lb_harness_metric (LbHarness *h, const char *name)
{
  for (guint i = h->figures->len; i-- > 0;)
    if (g_str_equal (g_array_index (h->figures, HarnessFigure, i).name, name))
      return g_array_index (h->figures, HarnessFigure, i).value;
  g_error ("'%s' recorded no figure '%s'", h->type->name, name);
}

const char *
lb_harness_report (LbHarness *h)
{
  return h->report->str;
}

const char *
lb_harness_directory (LbHarness *h)
{
  return h->directory;
}

guint64
lb_harness_steps (LbHarness *h)
{
  return h->steps;
}

double
lb_harness_first_value (LbHarness *h)
{
  return h->first_value;
}

double
lb_harness_last_value (LbHarness *h)
{
  return h->last_value;
}

double
lb_harness_flops (LbHarness *h)
{
  return h->flops;
}

/* ---- Digest ---- */

static void
add_text (GChecksum *sum, const char *text)
{
  g_checksum_update (sum, (const guchar *)text, (gssize)strlen (text) + 1);
}

static void
add_packets (GChecksum *sum, const char *port, GPtrArray *packets)
{
  add_text (sum, port);
  for (guint p = 0; p < packets->len; p++) {
    LbPacket *packet = g_ptr_array_index (packets, p);

    add_text (sum, "packet");
    for (guint f = 0; f < lb_packet_n_fields (packet); f++) {
      g_autofree char *digest = lb_tensor_digest (lb_packet_field_tensor (packet, f));
      add_text (sum, lb_packet_field_name (packet, f));
      add_text (sum, digest);
    }
  }
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

static void
add_files (GChecksum *sum, const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (directory && (name = g_dir_read_name (directory)))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *inside = g_build_filename (path, g_ptr_array_index (names, i), NULL), *contents = NULL;
    gsize length = 0;

    add_text (sum, g_ptr_array_index (names, i));
    if (g_file_get_contents (inside, &contents, &length, NULL))
      g_checksum_update (sum, (const guchar *)contents, (gssize)length);
  }
}

char *
lb_harness_digest (LbHarness *h)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  for (guint i = 0; i < h->n_outputs; i++)
    add_packets (sum, h->type->outputs[i].name, g_ptr_array_index (h->outputs, i));
  for (guint i = 0; i < h->figures->len; i++) {
    const HarnessFigure *figure = &g_array_index (h->figures, HarnessFigure, i);
    add_text (sum, figure->name);
    g_checksum_update (sum, (const guchar *)&figure->value, sizeof figure->value);
  }
  add_text (sum, h->report->str);
  add_files (sum, h->directory);
  return g_strdup (g_checksum_get_string (sum));
}
