/* One stage alone: set its properties, feed its inputs, run it in this thread, look at what it sends, records and
 * writes.
 *
 *   Harness *h = harness_new ("sub-sampler");
 *   harness_set (h, "grid", "3");
 *   harness_feed (h, "samples", "set.samples", "samples", packet, 10);
 *   g_assert_true (harness_run (h, &error));
 *   LbPacket *views = harness_output (h, "views", 0);
 *   harness_free (h);
 */
#pragma once

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "limbeck.h"
#include "plugin/host.h"
#include "plugin/property.h"
#include "plugin/registry.h"

typedef struct {
  const char *port;
  char *source;
  LbSpec *spec;
  GPtrArray *packets;
} HarnessInput;

typedef struct {
  LbRegistry *registry;
  const LbStageType *type;
  gpointer self;
  guint threads;
  guint64 seed;
  char *directory;   /* of outputs; made new, removed at the end */
  GPtrArray *inputs; /* HarnessInput */
  LbConfigured *configured;
  LbFlow *flow;
  GPtrArray *outputs; /* GPtrArray of LbPacket, beside the type's outputs */
  GArray *metrics;    /* double, in the order recorded */
  GString *report;
  guint64 steps; /* progress told of */
  double first_value, last_value;
  double flops; /* that the run counted */
} Harness;

static void
harness_input_free (gpointer data)
{
  HarnessInput *input = data;

  lb_spec_free (input->spec);
  g_ptr_array_unref (input->packets);
  g_free (input->source);
  g_free (input);
}

static inline Harness *
harness_new (const char *type)
{
  static LbRegistry *registry = NULL;
  Harness *h = g_new0 (Harness, 1);
  const LbStageEntry *entry;

  if (!registry)
    registry = lb_registry_new_default ();
  entry = lb_registry_find (registry, type);
  if (!entry)
    g_error ("stage type '%s' is not there", type);
  h->registry = registry;
  h->type = entry->type;
  h->self = g_malloc0 (MAX (h->type->instance_size, 1));
  lb_properties_init (h->type, h->self);
  h->threads = 1;
  h->seed = 7;
  h->directory = g_dir_make_tmp ("limbeck-test-XXXXXX", NULL);
  h->inputs = g_ptr_array_new_with_free_func (harness_input_free);
  h->outputs = g_ptr_array_new_with_free_func ((GDestroyNotify)g_ptr_array_unref);
  h->metrics = g_array_new (FALSE, FALSE, sizeof (double));
  h->report = g_string_new (NULL);
  return h;
}

static inline void
harness_free (Harness *h)
{
  GDir *directory = g_dir_open (h->directory, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (directory))) {
    g_autofree char *path = g_build_filename (h->directory, name, NULL);
    g_unlink (path);
  }
  g_dir_close (directory);
  g_rmdir (h->directory);
  lb_properties_clear (h->type, h->self);
  lb_configured_free (h->configured);
  lb_flow_free (h->flow);
  g_ptr_array_unref (h->inputs);
  g_ptr_array_unref (h->outputs);
  g_array_unref (h->metrics);
  g_string_free (h->report, TRUE);
  g_free (h->self);
  g_free (h->directory);
  g_free (h);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Harness, harness_free)

static inline void
harness_set (Harness *h, const char *property, const char *text)
{
  g_autoptr (GError) error = NULL;
  const LbProperty *row = lb_property_find (h->type, property);

  if (!row || !lb_property_set_text (row, h->self, text, "", &error))
    g_error ("property '%s' of '%s': %s", property, h->type->name, row ? error->message : "not there");
}

/* Links @packet to @port as the stream @source of @schema. Further packets of the same source join its stream.
 * Dimensions are taken from the first packet; @classes of 0 leaves the number of classes unknown. */
static inline void
harness_feed (Harness *h, const char *port, const char *source, const char *schema_name, LbPacket *packet,
              gint64 classes)
{
  const LbSchema *schema = lb_schemas_find (lb_registry_schemas (h->registry), schema_name);
  HarnessInput *input;

  for (guint i = 0; i < h->inputs->len; i++) {
    input = g_ptr_array_index (h->inputs, i);
    if (g_str_equal (input->source, source) && g_str_equal (input->port, port)) {
      g_ptr_array_add (input->packets, lb_packet_ref (packet));
      return;
    }
  }
  input = g_new0 (HarnessInput, 1);
  input->port = port;
  input->source = g_strdup (source);
  input->spec = lb_spec_new (schema);
  input->packets = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref);
  g_ptr_array_add (input->packets, lb_packet_ref (packet));
  g_ptr_array_add (h->inputs, input);
  for (guint f = 0; f < schema->fields->len; f++) {
    const LbField *field = g_ptr_array_index (schema->fields, f);
    LbTensor *tensor = lb_packet_get (packet, field->name);

    g_assert_true (tensor || field->is_optional);
    if (!tensor)
      continue;
    for (guint d = 0; d < field->rank && !field->is_text; d++)
      if (lb_schema_has_symbol (schema, field->dims[d]))
        lb_spec_set_dim (input->spec, field->dims[d], lb_tensor_dim (tensor, d));
    if (!field->is_text)
      lb_spec_set_dtype (input->spec, field->name, lb_tensor_dtype (tensor));
  }
  if (classes)
    lb_spec_set_dim (input->spec, "classes", classes);
}

static inline gboolean
harness_configure (Harness *h, GError **error)
{
  g_autofree LbInputSpec *specs = g_new0 (LbInputSpec, h->inputs->len + 1);
  const char *property;
  int blamed;

  for (guint i = 0; i < h->inputs->len; i++) {
    HarnessInput *input = g_ptr_array_index (h->inputs, i);
    const LbPort *port = h->type->inputs;

    while (!g_str_equal (port->name, input->port))
      port++;
    specs[i] = (LbInputSpec){ port, input->source, input->spec };
  }
  lb_properties_complete (h->type, h->self, "stage");
  h->configured = lb_configure_run (h->type, h->self, lb_registry_schemas (h->registry), specs, h->inputs->len,
                                    h->threads, &property, &blamed, error);
  return h->configured != NULL;
}

static inline void
harness_on_progress (gpointer data, LbStage *stage, guint64 done, guint64 total, const char *what, double value)
{
  Harness *h = data;

  if (h->steps++ == 0)
    h->first_value = value;
  h->last_value = value;
  g_assert_true (total == 0 || done <= total);
}

static inline void
harness_on_metric (gpointer data, LbStage *stage, const char *name, double value, const char *unit)
{
  g_array_append_val (((Harness *)data)->metrics, value);
}

static inline void
harness_on_report (gpointer data, LbStage *stage, const char *text)
{
  g_string_append (((Harness *)data)->report, text);
}

/* Everything that @link holds, until its writer has left. */
static inline GPtrArray *
harness_drain (LbLink *link)
{
  GPtrArray *packets = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref);
  LbPacket *packet;

  while (lb_link_pull (link, &packet, NULL) && packet)
    g_ptr_array_add (packets, packet);
  return packets;
}

/* Configures and runs the stage, once. */
static inline gboolean
harness_run (Harness *h, GError **error)
{
  static const LbStageListener listener = { harness_on_progress, harness_on_metric, harness_on_report };
  g_autoptr (LbPool) pool = lb_pool_new (h->threads);
  g_autofree LbStageLink *inputs = g_new0 (LbStageLink, h->inputs->len + 1), *outputs = NULL;
  guint n_outputs = 0;
  gboolean done;

  if (!harness_configure (h, error))
    return FALSE;
  h->flow = lb_flow_new ();
  for (guint i = 0; i < h->inputs->len; i++) {
    HarnessInput *input = g_ptr_array_index (h->inputs, i);

    inputs[i] = (LbStageLink){ input->port, input->source, lb_flow_add_link (h->flow, input->source, G_MAXSIZE / 2) };
    for (guint p = 0; p < input->packets->len; p++)
      g_assert_true (lb_link_push (inputs[i].link, g_ptr_array_index (input->packets, p), NULL));
    lb_link_close_writer (inputs[i].link);
  }
  while (h->type->outputs && h->type->outputs[n_outputs].name)
    n_outputs++;
  outputs = g_new0 (LbStageLink, n_outputs + 1);
  for (guint i = 0; i < n_outputs; i++)
    outputs[i] = (LbStageLink){ h->type->outputs[i].name, NULL,
                                lb_flow_add_link (h->flow, h->type->outputs[i].name, G_MAXSIZE / 2) };
  lb_flow_set_stages (h->flow, 1);

  LbStageSetup setup = { .name = "stage",
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
                         .n_outputs = n_outputs,
                         .listener = &listener,
                         .listener_data = h };
  g_autoptr (LbStage) stage = lb_stage_new (&setup);
  done = lb_stage_run (stage, error);
  h->flops = lb_compute_flops (lb_stage_compute (stage));
  for (guint i = 0; i < n_outputs && done; i++)
    g_ptr_array_add (h->outputs, harness_drain (outputs[i].link));
  return done;
}

static inline void
harness_run_well (Harness *h)
{
  g_autoptr (GError) error = NULL;

  if (!harness_run (h, &error))
    g_error ("%s", error->message);
}

/* Runs, and expects exactly this error. */
static inline void
harness_refuses (Harness *h, LbError code, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (harness_run (h, &error));
  g_assert_cmpstr (error->message, ==, message);
  g_assert_error (error, LB_ERROR, (int)code);
}

static inline guint
harness_n_outputs (Harness *h, const char *port)
{
  for (guint i = 0; i < h->outputs->len; i++)
    if (g_str_equal (h->type->outputs[i].name, port))
      return ((GPtrArray *)g_ptr_array_index (h->outputs, i))->len;
  return 0;
}

/* Packet @index of output @port; the harness's. */
static inline LbPacket *
harness_output (Harness *h, const char *port, guint index)
{
  for (guint i = 0; i < h->outputs->len; i++)
    if (g_str_equal (h->type->outputs[i].name, port)) {
      GPtrArray *packets = g_ptr_array_index (h->outputs, i);
      if (index < packets->len)
        return g_ptr_array_index (packets, index);
    }
  g_error ("output '%s' has no packet %u", port, index);
}

/* ---- Packets ---- */

static inline LbTensor *
f32_of (LbShape shape, const float *values)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, shape);

  memcpy (lb_tensor_f32 (tensor), values, lb_tensor_bytes (tensor));
  return tensor;
}

static inline void
take_i64 (LbPacket *packet, const char *field, gint64 value)
{
  LbTensor *tensor = lb_tensor_new (LB_I64, LB_SHAPE (1));

  lb_tensor_i64 (tensor)[0] = value;
  lb_packet_take (packet, field, tensor);
}

static inline void
take_f64 (LbPacket *packet, const char *field, double value)
{
  LbTensor *tensor = lb_tensor_new (LB_F64, LB_SHAPE (1));

  lb_tensor_f64 (tensor)[0] = value;
  lb_packet_take (packet, field, tensor);
}

/* Grey u8 images of @size x @size that any network can tell apart: image i is of class i % @classes, whose bright
 * column of columns moves to the right with the class. Mean 0.4, std 0.3. */
static inline LbPacket *
toy_samples (gint64 n, gint64 size, gint64 classes, guint64 seed)
{
  LbRandom random = lb_random (lb_key_derive (lb_key (seed), "toy"));
  LbPacket *packet = lb_packet_new ();
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (n, 1, size, size)), *labels = lb_tensor_new (LB_I32, LB_SHAPE (n));

  for (gint64 i = 0; i < n; i++) {
    lb_tensor_i32 (labels)[i] = (gint32)(i % classes);
    for (gint64 p = 0; p < size * size; p++)
      lb_tensor_u8 (images)[i * size * size + p]
          = (guint8)(lb_random_below (&random, 60) + (p % size * classes / size == i % classes ? 150 : 20));
  }
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  return packet;
}

/* The same with every field shared but @field, which becomes @tensor (taken). */
static inline LbPacket *
packet_with (LbPacket *packet, const char *field, LbTensor *tensor)
{
  LbPacket *changed = lb_packet_new ();
  gboolean found = FALSE;

  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const char *name = lb_packet_field_name (packet, i);

    found = found || g_str_equal (name, field);
    if (g_str_equal (name, field))
      lb_packet_take (changed, name, tensor);
    else
      lb_packet_set (changed, name, lb_packet_field_tensor (packet, i));
  }
  if (!found)
    lb_packet_take (changed, field, tensor);
  return changed;
}

/* A model whose parameters are @parameters (taken). */
static inline LbPacket *
model_packet (const char *architecture, LbTensor *parameters, gint64 index)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "parameters", parameters);
  lb_packet_set_text (packet, "architecture", architecture);
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  take_i64 (packet, "index", index);
  take_i64 (packet, "set_images", 20);
  take_i64 (packet, "set_bytes", 1000);
  take_f64 (packet, "training_flops", 2e9);
  return packet;
}

/* A model of convnet-d1 for grey 8 x 8 images that gives every image the same scores: the biases of its linear layer.
 */
static inline LbPacket *
constant_model (const float *scores, gint64 classes, gint64 index)
{
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, classes, NULL);
  gint64 n = lb_network_n_parameters (network);
  LbTensor *parameters = lb_tensor_new (LB_F32, LB_SHAPE (n));

  memcpy (lb_tensor_f32 (parameters) + n - classes, scores, (gsize)classes * sizeof (float));
  return model_packet ("convnet-d1", parameters, index);
}

static inline void
assert_same_tensor (LbTensor *a, LbTensor *b)
{
  g_assert_cmpint (lb_tensor_dtype (a), ==, lb_tensor_dtype (b));
  g_assert_true (lb_shape_equal (lb_tensor_shape (a), lb_tensor_shape (b)));
  g_assert_cmpmem (lb_tensor_data (a), lb_tensor_bytes (a), lb_tensor_data (b), lb_tensor_bytes (b));
}

static inline gboolean
same_bytes (LbTensor *a, LbTensor *b)
{
  return lb_tensor_bytes (a) == lb_tensor_bytes (b)
         && memcmp (lb_tensor_data (a), lb_tensor_data (b), lb_tensor_bytes (a)) == 0;
}
