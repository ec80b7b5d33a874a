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

#define STAGE_NAME "stage"

typedef struct {
  const LbPort *port;
  char *source;
  LbSpec *spec;
  GPtrArray *packets;
} Input;

typedef struct {
  char *name, *text;
} Setting;

typedef struct {
  char *name;
  double value;
} Figure;

/* What a stopped run is taken up from: the state at the last checkpoint, and how far all else had come by then. */
typedef struct {
  gboolean wanted;
  GArray *state;    /* of lb_state_save(); NULL: there was none */
  guint *n_packets; /* of each output */
  guint n_figures;
  double flops; /* counted */
  gsize report;
} Checkpoint;

struct _LbHarness {
  LbRegistry *registry; /* NULL with a type of the test's: schemas come from the default one */
  const LbStageType *type;
  guint threads, n_outputs;
  guint64 seed;
  GPtrArray *inputs;   /* Input */
  GPtrArray *settings; /* Setting */

  /* The last run. */
  gpointer self;
  LbConfigured *configured;
  LbFlow *flow;
  LbStage *stage;     /* while it runs */
  GPtrArray *outputs; /* GPtrArray of LbPacket, beside the type's */
  GArray *figures;    /* Figure */
  GString *report;
  char *directory;
  guint64 steps, events, cancel_at;
  double first_value, last_value, flops;
  Checkpoint checkpoint;
  GArray *resumed; /* the state that this run was taken up from; it may save others while parts still resume */
  gboolean has_run; /* what lies in ->directory is of a run, and not of the test */
};

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
  Input *input = data;

  lb_spec_free (input->spec);
  g_ptr_array_unref (input->packets);
  g_free (input->source);
  g_free (input);
}

static void
setting_free (gpointer data)
{
  Setting *setting = data;

  g_free (setting->name);
  g_free (setting->text);
  g_free (setting);
}

static void
figure_clear (gpointer data)
{
  g_free (((Figure *)data)->name);
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
  h->figures = g_array_new (FALSE, FALSE, sizeof (Figure));
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
static void
empty_directory (const char *path)
{
  g_autoptr (GDir) directory = g_dir_open (path, 0, NULL);
  const char *name;

  while (directory && (name = g_dir_read_name (directory))) {
    g_autofree char *inside = g_build_filename (path, name, NULL);

    if (g_file_test (inside, G_FILE_TEST_IS_DIR) && !g_file_test (inside, G_FILE_TEST_IS_SYMLINK)) {
      empty_directory (inside);
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
forget_checkpoint (LbHarness *h)
{
  g_clear_pointer (&h->checkpoint.state, g_array_unref);
  g_clear_pointer (&h->resumed, g_array_unref);
  g_clear_pointer (&h->checkpoint.n_packets, g_free);
  h->checkpoint = (Checkpoint){ 0 };
}

/* What the last run left, but for its files. */
static void
forget_results (LbHarness *h)
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
  forget_checkpoint (h);
  empty_directory (h->directory);
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
  Setting *setting;

  lb_properties_init (h->type, self);
  if (!row || !lb_property_set_text (row, self, text, "", &error))
    g_error ("property '%s' of '%s': %s", property, h->type->name, row ? error->message : "not there");
  lb_properties_clear (h->type, self);
  setting = g_new0 (Setting, 1);
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

static Input *
find_input (LbHarness *h, const LbPort *port, const char *source)
{
  for (guint i = 0; i < h->inputs->len; i++) {
    Input *input = g_ptr_array_index (h->inputs, i);
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
  Input *input;

  if (!row)
    g_error ("stage type '%s' has no input '%s'", h->type->name, port);
  if (!found)
    g_error ("schema '%s' is not there; name its directory in LIMBECK_SCHEMA_PATH", schema);
  input = find_input (h, row, source);
  if (!input) {
    input = g_new0 (Input, 1);
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
announce_texts (Input *input, const char *field)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < input->packets->len; i++)
    g_ptr_array_add (texts, lb_packet_get_text (g_ptr_array_index (input->packets, i), field));
  g_ptr_array_add (texts, NULL);
  lb_spec_set_texts (input->spec, field, (const char *const *)texts->pdata);
}

/* The stream @source, of one input at least. */
static GPtrArray *
inputs_of (LbHarness *h, const char *source)
{
  GPtrArray *inputs = g_ptr_array_new ();

  for (guint i = 0; i < h->inputs->len; i++)
    if (g_str_equal (((Input *)g_ptr_array_index (h->inputs, i))->source, source))
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
    Input *input = g_ptr_array_index (inputs, i);
    GPtrArray *fields = lb_spec_schema (input->spec)->fields;

    lb_spec_set_packets (input->spec, input->packets->len);
    for (guint f = 0; f < fields->len; f++)
      if (((LbField *)g_ptr_array_index (fields, f))->is_text)
        announce_texts (input, ((LbField *)g_ptr_array_index (fields, f))->name);
  }
}

void
lb_harness_announce_dim (LbHarness *h, const char *source, const char *symbol, gint64 value)
{
  g_autoptr (GPtrArray) inputs = inputs_of (h, source);

  for (guint i = 0; i < inputs->len; i++)
    lb_spec_set_dim (((Input *)g_ptr_array_index (inputs, i))->spec, symbol, value);
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
    const Setting *setting = g_ptr_array_index (h->settings, i);
    lb_property_set_text (lb_property_find (h->type, setting->name), h->self, setting->text, "", NULL);
  }
  lb_properties_complete (h->type, h->self, STAGE_NAME);
}

static gboolean
configure_instance (LbHarness *h, GError **error)
{
  g_autofree LbInputSpec *specs = g_new0 (LbInputSpec, h->inputs->len + 1);
  const char *property;
  int blamed;

  for (guint i = 0; i < h->inputs->len; i++) {
    Input *input = g_ptr_array_index (h->inputs, i);
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

static guint
output_index (LbHarness *h, const char *port)
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
  return lb_spec_dim (g_ptr_array_index (configured (h)->outputs, output_index (h, port)), symbol);
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

/* ---- Run ---- */

static void
count_event (LbHarness *h)
{
  /* Parts of a stage come here from threads of their own. */
  if (__atomic_add_fetch (&h->events, 1, __ATOMIC_RELAXED) == h->cancel_at)
    lb_flow_cancel (h->flow);
}

static void
on_progress (gpointer data, LbStage *stage, guint64 done, guint64 total, const char *what, double value)
{
  LbHarness *h = data;

  if (total > 0 && done > total)
    g_error ("'%s' tells of step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, h->type->name, done, total);
  if (h->steps++ == 0)
    h->first_value = value;
  h->last_value = value;
  count_event (h);
}

static void
on_metric (gpointer data, LbStage *stage, const char *name, double value, const char *unit)
{
  Figure figure = { g_strdup (name), value };

  g_array_append_val (((LbHarness *)data)->figures, figure);
}

static void
on_report (gpointer data, LbStage *stage, const char *text)
{
  g_string_append (((LbHarness *)data)->report, text);
}

static gboolean
keep_resume (gpointer data, LbStage *stage, LbState *state, GError **error)
{
  LbHarness *h = data;

  return !h->resumed || lb_state_restore (state, h->resumed, error);
}

static gboolean
keep_due (gpointer data)
{
  return ((LbHarness *)data)->checkpoint.wanted;
}

static void
keep_checkpoint (gpointer data, LbState *state)
{
  LbHarness *h = data;

  h->checkpoint.state = lb_state_save (state, h->checkpoint.state);
  if (!h->checkpoint.n_packets)
    h->checkpoint.n_packets = g_new0 (guint, h->n_outputs + 1);
  for (guint i = 0; i < h->n_outputs; i++)
    h->checkpoint.n_packets[i] = ((GPtrArray *)g_ptr_array_index (h->outputs, i))->len;
  h->checkpoint.n_figures = h->figures->len;
  h->checkpoint.flops = lb_compute_flops (lb_stage_compute (h->stage));
  h->checkpoint.report = h->report->len;
}

static gboolean
keep_packet (gpointer data, guint output, LbPacket *packet, GError **error)
{
  LbHarness *h = data;

  g_ptr_array_add (g_ptr_array_index (h->outputs, output), lb_packet_ref (packet));
  count_event (h);
  return TRUE;
}

/* Links with all that is fed in them, and links for what is sent. */
static void
make_links (LbHarness *h, LbStageLink *inputs, LbStageLink *outputs)
{
  h->flow = lb_flow_new ();
  for (guint i = 0; i < h->inputs->len; i++) {
    Input *input = g_ptr_array_index (h->inputs, i);

    inputs[i]
        = (LbStageLink){ input->port->name, input->source, lb_flow_add_link (h->flow, input->source, G_MAXSIZE / 2) };
    for (guint p = 0; p < input->packets->len; p++)
      lb_link_push (inputs[i].link, g_ptr_array_index (input->packets, p), NULL);
    lb_link_close_writer (inputs[i].link);
  }
  for (guint i = 0; i < h->n_outputs; i++)
    outputs[i] = (LbStageLink){ h->type->outputs[i].name, NULL,
                                lb_flow_add_link (h->flow, h->type->outputs[i].name, G_MAXSIZE / 2) };
  lb_flow_set_stages (h->flow, 1);
}

/* What had been sent and told by the last checkpoint; the stage goes on behind it. */
static gboolean
bring_back (LbHarness *h, LbStage *stage, GError **error)
{
  const Checkpoint *c = &h->checkpoint;

  g_clear_pointer (&h->resumed, g_array_unref);
  h->resumed = g_steal_pointer (&h->checkpoint.state);
  if (!h->resumed)
    return TRUE;
  for (guint i = 0; i < h->n_outputs; i++) {
    GPtrArray *packets = g_ptr_array_index (h->outputs, i);

    g_ptr_array_set_size (packets, (int)c->n_packets[i]);
    for (guint p = 0; p < packets->len; p++)
      if (!lb_stage_resend (stage, i, g_ptr_array_index (packets, p), error))
        return FALSE;
  }
  lb_stage_credit (stage, c->flops, 0);
  g_array_set_size (h->figures, c->n_figures);
  g_string_truncate (h->report, c->report);
  return TRUE;
}

/* One run of a new instance, from the last checkpoint if there is one. */
static gboolean
run_once (LbHarness *h, GError **error)
{
  static const LbStageListener listener = { on_progress, on_metric, on_report };
  static const LbStageKeeper keeper
      = { .resume = keep_resume, .due = keep_due, .checkpoint = keep_checkpoint, .packet = keep_packet };
  g_autoptr (LbPool) pool = lb_pool_new (h->threads);
  g_autofree LbStageLink *inputs = g_new0 (LbStageLink, h->inputs->len + 1);
  g_autofree LbStageLink *outputs = g_new0 (LbStageLink, h->n_outputs + 1);
  gboolean done;

  if (!lb_harness_configure (h, error))
    return FALSE;
  make_links (h, inputs, outputs);
  LbStageSetup setup = { .name = STAGE_NAME,
                         .type = h->type,
                         .self = h->self,
                         .key = lb_key (h->seed),
                         .flow = h->flow,
                         .pool = pool,
                         .output_directory = h->directory,
                         .configured = h->configured,
                         .inputs = inputs,
                         .n_inputs = h->inputs->len,
                         .outputs = outputs,
                         .n_outputs = h->n_outputs,
                         .listener = &listener,
                         .listener_data = h,
                         .keeper = &keeper,
                         .keeper_data = h };
  g_autoptr (LbStage) stage = h->stage = lb_stage_new (&setup);

  count_event (h);
  done = bring_back (h, stage, error) && lb_stage_run (stage, error);
  h->flops = lb_compute_flops (lb_stage_compute (stage));
  h->stage = NULL;
  return done;
}

static void
start_anew (LbHarness *h)
{
  forget_checkpoint (h);
  forget_results (h);
  if (h->has_run)
    empty_directory (h->directory);
  h->has_run = TRUE;
}

gboolean
lb_harness_run (LbHarness *h, GError **error)
{
  start_anew (h);
  return run_once (h, error);
}

gboolean
harness_run_in_two (LbHarness *h, guint64 event, GError **error)
{
  g_autoptr (GError) reason = NULL;
  gboolean done;

  start_anew (h);
  h->checkpoint.wanted = TRUE;
  h->cancel_at = event;
  done = run_once (h, &reason);
  h->cancel_at = 0;
  if (!done && !g_error_matches (reason, LB_ERROR, LB_ERROR_CANCELLED)) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return FALSE;
  }
  if (done)
    return TRUE;
  if (!h->checkpoint.state) {
    forget_results (h);
    empty_directory (h->directory);
  }
  return run_once (h, error);
}

void
lb_harness_cancel_at (LbHarness *h, guint64 event)
{
  h->cancel_at = event;
}

guint64
lb_harness_events (LbHarness *h)
{
  return h->events;
}

/* ---- What came of it ---- */

guint
lb_harness_n_outputs (LbHarness *h, const char *port)
{
  return ((GPtrArray *)g_ptr_array_index (h->outputs, output_index (h, port)))->len;
}

LbPacket *
lb_harness_output (LbHarness *h, const char *port, guint index)
{
  GPtrArray *packets = g_ptr_array_index (h->outputs, output_index (h, port));

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
  return g_array_index (h->figures, Figure, index).value;
}

double
lb_harness_metric (LbHarness *h, const char *name)
{
  for (guint i = h->figures->len; i-- > 0;)
    if (g_str_equal (g_array_index (h->figures, Figure, i).name, name))
      return g_array_index (h->figures, Figure, i).value;
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
    const Figure *figure = &g_array_index (h->figures, Figure, i);
    add_text (sum, figure->name);
    g_checksum_update (sum, (const guchar *)&figure->value, sizeof figure->value);
  }
  add_text (sum, h->report->str);
  add_files (sum, h->directory);
  return g_strdup (g_checksum_get_string (sum));
}
