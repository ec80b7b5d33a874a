/* One stage alone, without a pipeline.
 *
 * Invariant: every run is a new one. The instance, its links and what came of an earlier run are made anew from the
 * properties and packets that the test gave.
 */
#include "harness/harness.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "plugin/host.h"
#include "plugin/port.h"
#include "plugin/property.h"
#include "plugin/registry.h"

/* ---- Life ---- */

static LbRegistry *
default_registry (void)
{
  static LbRegistry *registry;

  if (g_once_init_enter (&registry))
    g_once_init_leave (&registry, lb_registry_new_default ());
  return registry;
}

static void
input_free (gpointer data)
{
  HarnessInput *input = data;

  lb_spec_free (input->spec);
  g_ptr_array_unref (input->packets);
  g_free (input->source);
  g_free (input);
}

static void
setting_free (gpointer data)
{
  HarnessSetting *setting = data;

  g_free (setting->name);
  g_free (setting->text);
  g_free (setting);
}

static void
figure_clear (gpointer data)
{
  g_free (((HarnessFigure *)data)->name);
}

LbHarness *
lb_harness_new_for (const LbStageType *type)
{
  LbHarness *h = g_new0 (LbHarness, 1);

  h->type = type;
  h->registry = default_registry ();
  h->n_outputs = lb_ports_count (type->outputs);
  h->threads = 1;
  h->seed = 7;
  h->directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  h->inputs = g_ptr_array_new_with_free_func (input_free);
  h->settings = g_ptr_array_new_with_free_func (setting_free);
  h->outputs = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);
  h->figures = g_array_new (FALSE, FALSE, sizeof (HarnessFigure));
  g_array_set_clear_func (h->figures, figure_clear);
  h->report = g_string_new (NULL);
  for (guint i = 0; i < h->n_outputs; i++)
    g_ptr_array_add (h->outputs, g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref));
  return h;
}

LbHarness *
lb_harness_new (const char *type)
{
  const LbStageEntry *entry = lb_registry_find (default_registry (), type);
  GPtrArray *problems = lb_registry_problems (default_registry ());

  if (!entry && problems->len > 0)
    g_error ("stage type '%s' is not there; %s", type, (char *)g_ptr_array_index (problems, 0));
  if (!entry)
    g_error ("stage type '%s' is not there; name its directory in LIMBECK_PLUGIN_PATH", type);
  return lb_harness_new_for (entry->type);
}

/* All that lies in the directory. */
void
harness_empty_directory (const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const char *name;

  while (directory && (name = g_dir_read_name (directory))) {
    g_autofree char *inside = g_build_filename (path, name, NULL);

    if (g_file_test (inside, G_FILE_TEST_IS_DIR) && !g_file_test (inside, G_FILE_TEST_IS_SYMLINK)) {
      harness_empty_directory (inside);
      g_rmdir (inside);
    } else {
      g_unlink (inside);
    }
  }
}

static void
forget_configured (LbHarness *h)
{
  if (h->self)
    lb_properties_clear (h->type, h->self);
  g_clear_pointer (&h->self, g_free);
  g_clear_pointer (&h->configured, lb_configured_free);
  g_clear_pointer (&h->flow, lb_flow_free);
}

static void
checkpoint_clear (HarnessCheckpoint *checkpoint)
{
  g_clear_pointer (&checkpoint->state, g_array_unref);
  g_clear_pointer (&checkpoint->n_packets, g_free);
  *checkpoint = (HarnessCheckpoint){ 0 };
}

void
harness_forget_checkpoint (LbHarness *h)
{
  checkpoint_clear (&h->checkpoint);
  checkpoint_clear (&h->end);
  g_clear_pointer (&h->end_of, g_free);
  g_clear_pointer (&h->resumed, g_array_unref);
}

/* What the last run left, but for its files. */
void
harness_forget_results (LbHarness *h)
{
  for (guint i = 0; i < h->n_outputs; i++)
    g_ptr_array_set_size (g_ptr_array_index (h->outputs, i), 0);
  g_array_set_size (h->figures, 0);
  g_string_truncate (h->report, 0);
  h->steps = h->events = 0;
  h->first_value = h->last_value = h->flops = 0;
}

void
lb_harness_free (LbHarness *h)
{
  if (!h)
    return;
  forget_configured (h);
  harness_forget_checkpoint (h);
  harness_empty_directory (h->directory);
  g_rmdir (h->directory);
  g_ptr_array_unref (h->inputs);
  g_ptr_array_unref (h->settings);
  g_ptr_array_unref (h->outputs);
  g_array_unref (h->figures);
  g_string_free (h->report, TRUE);
  g_free (h->directory);
  g_free (h);
}

/* ---- What the test gives ---- */

const LbStageType *
lb_harness_type (LbHarness *h)
{
  return h->type;
}

void
lb_harness_set (LbHarness *h, const char *property, const char *text)
{
  g_autofree gpointer self = g_malloc0 (MAX (h->type->instance_size, 1));
  const LbProperty *row = lb_property_find (h->type, property);
  g_autoptr (GError) error = NULL;
  HarnessSetting *setting;

  lb_properties_init (h->type, self);
  if (!row || !lb_property_set_text (row, self, text, "", &error))
    g_error ("property '%s' of '%s': %s", property, h->type->name, row ? error->message : "not there");
  lb_properties_clear (h->type, self);
  setting = g_new0 (HarnessSetting, 1);
  setting->name = g_strdup (property);
  setting->text = g_strdup (text);
  g_ptr_array_add (h->settings, setting);
}

void
lb_harness_set_threads (LbHarness *h, guint threads)
{
  h->threads = threads;
}

void
lb_harness_set_seed (LbHarness *h, guint64 seed)
{
  h->seed = seed;
}

static HarnessInput *
find_input (LbHarness *h, const LbPort *port, const char *source)
{
  for (guint i = 0; i < h->inputs->len; i++) {
    HarnessInput *input = g_ptr_array_index (h->inputs, i);
    if (input->port == port && g_str_equal (input->source, source))
      return input;
  }
  return NULL;
}

/* What is known of a stream whose first packet is @packet. */
static LbSpec *
spec_of (const LbSchema *schema, LbPacket *packet, gint64 classes)
{
  LbSpec *spec = lb_spec_new (schema);

  for (guint f = 0; f < schema->fields->len; f++) {
    const LbField *field = g_ptr_array_index (schema->fields, f);
    LbTensor *tensor = lb_packet_get (packet, field->name);

    if (!tensor && !field->is_optional)
      g_error ("the packet has no field '%s', which schema '%s' asks for", field->name, schema->name);
    if (!tensor || field->is_text)
      continue;
    for (guint d = 0; d < field->rank; d++)
      if (lb_schema_has_symbol (schema, field->dims[d]))
        lb_spec_set_dim (spec, field->dims[d], lb_tensor_dim (tensor, d));
    lb_spec_set_dtype (spec, field->name, lb_tensor_dtype (tensor));
  }
  if (classes)
    lb_spec_set_dim (spec, "classes", classes);
  return spec;
}

void
lb_harness_feed (LbHarness *h, const char *port, const char *source, const char *schema, LbPacket *packet,
                 gint64 classes)
{
  const LbSchema *found = lb_schemas_find (lb_registry_schemas (h->registry), schema);
  const LbPort *row = lb_ports_find (h->type->inputs, port);
  HarnessInput *input;

  if (!row)
    g_error ("stage type '%s' has no input '%s'", h->type->name, port);
  if (!found)
    g_error ("schema '%s' is not there; name its directory in LIMBECK_SCHEMA_PATH", schema);
  input = find_input (h, row, source);
  if (!input) {
    input = g_new0 (HarnessInput, 1);
    input->port = row;
    input->source = g_strdup (source);
    input->spec = spec_of (found, packet, classes);
    input->packets = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref);
    g_ptr_array_add (h->inputs, input);
  }
  g_ptr_array_add (input->packets, lb_packet_ref (packet));
}

/* The texts of @field in all packets. */
static void
announce_texts (HarnessInput *input, const char *field)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < input->packets->len; i++)
    g_ptr_array_add (texts, lb_packet_get_text (g_ptr_array_index (input->packets, i), field));
  g_ptr_array_add (texts, NULL);
  lb_spec_set_texts (input->spec, field, (const char *const *)texts->pdata);
}

/* The number in @field of all packets, where they have the same. */
static void
announce_number (HarnessInput *input, const char *field)
{
  LbTensor *first = lb_packet_get (g_ptr_array_index (input->packets, 0), field);

  for (guint i = 0; i < input->packets->len; i++) {
    LbTensor *number = lb_packet_get (g_ptr_array_index (input->packets, i), field);

    if (!first || !number || lb_tensor_f64 (number)[0] != lb_tensor_f64 (first)[0])
      return;
  }
  lb_spec_set_number (input->spec, field, lb_tensor_f64 (first)[0]);
}

/* The stream @source, of one input at least. */
static GPtrArray *
inputs_of (LbHarness *h, const char *source)
{
  GPtrArray *inputs = g_ptr_array_new ();

  for (guint i = 0; i < h->inputs->len; i++)
    if (g_str_equal (((HarnessInput *)g_ptr_array_index (h->inputs, i))->source, source))
      g_ptr_array_add (inputs, g_ptr_array_index (h->inputs, i));
  if (inputs->len == 0)
    g_error ("nothing is fed as '%s'", source);
  return inputs;
}

void
lb_harness_announce (LbHarness *h, const char *source)
{
  g_autoptr (GPtrArray) inputs = inputs_of (h, source);

  for (guint i = 0; i < inputs->len; i++) {
    HarnessInput *input = g_ptr_array_index (inputs, i);
    GPtrArray *fields = lb_spec_schema (input->spec)->fields;

    lb_spec_set_packets (input->spec, input->packets->len);
    for (guint f = 0; f < fields->len; f++) {
      const LbField *field = g_ptr_array_index (fields, f);

      if (field->is_text)
        announce_texts (input, field->name);
      else if (lb_field_holds_number (field))
        announce_number (input, field->name);
    }
  }
}

void
lb_harness_announce_dim (LbHarness *h, const char *source, const char *symbol, gint64 value)
{
  g_autoptr (GPtrArray) inputs = inputs_of (h, source);

  for (guint i = 0; i < inputs->len; i++)
    lb_spec_set_dim (((HarnessInput *)g_ptr_array_index (inputs, i))->spec, symbol, value);
}

/* ---- Configure ---- */

/* An instance with the properties given. */
static void
make_instance (LbHarness *h)
{
  forget_configured (h);
  h->self = g_malloc0 (MAX (h->type->instance_size, 1));
  lb_properties_init (h->type, h->self);
  for (guint i = 0; i < h->settings->len; i++) {
    const HarnessSetting *setting = g_ptr_array_index (h->settings, i);
    lb_property_set_text (lb_property_find (h->type, setting->name), h->self, setting->text, "", NULL);
  }
  lb_properties_complete (h->type, h->self, HARNESS_STAGE_NAME);
}

static gboolean
configure_instance (LbHarness *h, GError **error)
{
  g_autofree LbInputSpec *specs = g_new0 (LbInputSpec, h->inputs->len + 1);
  const char *property;
  int blamed;

  for (guint i = 0; i < h->inputs->len; i++) {
    HarnessInput *input = g_ptr_array_index (h->inputs, i);
    specs[i] = (LbInputSpec){ input->port, input->source, input->spec };
  }
  g_clear_pointer (&h->configured, lb_configured_free);
  h->configured = lb_configure_run (h->type, h->self, lb_registry_schemas (h->registry), specs, h->inputs->len,
                                    h->threads, &property, &blamed, error);
  return h->configured != NULL;
}

gboolean
lb_harness_configure (LbHarness *h, GError **error)
{
  make_instance (h);
  return configure_instance (h, error);
}

gboolean
harness_configure_again (LbHarness *h, GError **error)
{
  return configure_instance (h, error);
}

char *
harness_properties_text (LbHarness *h)
{
  GString *text = g_string_new (NULL);

  for (const LbProperty *p = h->type->properties; p && p->name; p++) {
    g_autofree char *value = lb_property_to_text (p, h->self);
    g_string_append_printf (text, "%s%s: %s", text->len ? ", " : "", p->name, value);
  }
  return g_string_free (text, FALSE);
}

char *
harness_configured_text (LbHarness *h)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < h->n_outputs; i++) {
    g_autofree char *spec = lb_spec_to_string (g_ptr_array_index (h->configured->outputs, i));
    g_string_append_printf (text, "%s: %s; ", h->type->outputs[i].name, spec);
  }
  g_string_append_printf (text, "%.17g operations, %.17g bytes", h->configured->flops, h->configured->bytes);
  return g_string_free (text, FALSE);
}

static LbConfigured *
configured (LbHarness *h)
{
  if (!h->configured)
    g_error ("'%s' is not configured; call lb_harness_configure() first", h->type->name);
  return h->configured;
}

guint
harness_output_index (LbHarness *h, const char *port)
{
  const LbPort *row = lb_ports_find (h->type->outputs, port);

  if (!row)
    g_error ("stage type '%s' has no output '%s'", h->type->name, port);
  return (guint)(row - h->type->outputs);
}

gint64
lb_harness_dim (LbHarness *h, const char *symbol)
{
  const gint64 *value = g_hash_table_lookup (configured (h)->dims, symbol);

  return value ? *value : LB_UNKNOWN;
}

gint64
lb_harness_output_dim (LbHarness *h, const char *port, const char *symbol)
{
  return lb_spec_dim (g_ptr_array_index (configured (h)->outputs, harness_output_index (h, port)), symbol);
}

double
lb_harness_predicted_flops (LbHarness *h)
{
  return configured (h)->flops;
}

double
lb_harness_predicted_bytes (LbHarness *h)
{
  return configured (h)->bytes;
}
