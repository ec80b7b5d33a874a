/* Trajectories of experts as NumPy's .npz files, expert by expert, so that neither writing nor reading holds more than
 * one of them:
 *
 *   architecture u8 [letters], input i64 [3] (channels, rows, columns), classes i64 [1], mean and std f32 [c],
 *   of whitened images whitening_mean f32 [c, h, w], epochs_apart i64 [1], learning_rate f64 [1],
 *   and of each expert k = 0, 1, ...: index_k i64 [1], training_flops_k f64 [1], parameters_k f32 [s, p]
 *
 * What experts share comes first, and the parameters of an expert are its last member. A reader looks at all headers
 * when the pipeline is checked, and at the numbers when they are read.
 */
#include "npz.h"

#include <math.h>
#include <string.h>

#define MAX_FILE_BYTES   ((gsize)1 << 40)
#define MAX_EXPERT_BYTES ((gsize)8 << 30)

typedef struct {
  char *file;
  gboolean compress;
} Sink;

typedef struct {
  char *file;
  gint64 experts;
} Source;

/* What all experts of a file have in common, in the order written. */
static const char *const shared[]
    = { "architecture", "mean", "std", "whitening_mean", "epochs_apart", "learning_rate", NULL };

/* ---- Writing ---- */

static gboolean
same_tensor (LbTensor *a, LbTensor *b)
{
  if (!a || !b)
    return a == b;
  return lb_tensor_dtype (a) == lb_tensor_dtype (b) && lb_shape_equal (lb_tensor_shape (a), lb_tensor_shape (b))
         && memcmp (lb_tensor_data (a), lb_tensor_data (b), lb_tensor_bytes (a)) == 0;
}

/* Whether expert @number goes with the first: its shared fields, and the @shape of its parameters. */
static gboolean
check_alike (LbStage *stage, LbPacket *first, LbShape shape, LbPacket *packet, guint number, GError **error)
{
  const char *different = NULL;

  for (guint i = 0; shared[i] && !different; i++)
    if (!same_tensor (lb_packet_get (first, shared[i]), lb_packet_get (packet, shared[i])))
      different = shared[i];
  if (!different && !lb_shape_equal (shape, lb_tensor_shape (lb_packet_get (packet, "parameters"))))
    different = "number of snapshots or parameters";
  if (!different)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "'%s': expert %u has another %s than expert 0; expected experts of one kind in a file, so write others "
               "to a file of their own",
               lb_stage_source (stage, "trajectory", 0), number, different);
  return FALSE;
}

static gboolean
add_numbers (LbNpzWriter *writer, const char *name, const gint64 *values, gint64 n, GError **error)
{
  g_autoptr (LbTensor) tensor = lb_tensor_new (LB_I64, LB_SHAPE (n));

  memcpy (lb_tensor_i64 (tensor), values, lb_tensor_bytes (tensor));
  return lb_npz_writer_add (writer, name, tensor, error);
}

static gboolean
add_shared (LbNpzWriter *writer, LbStage *stage, LbPacket *packet, GError **error)
{
  const gint64 input[] = { lb_stage_dim (stage, "c"), lb_stage_dim (stage, "h"), lb_stage_dim (stage, "w") };
  const gint64 classes = lb_stage_dim (stage, "classes");

  if (input[0] == LB_UNKNOWN || input[1] == LB_UNKNOWN || input[2] == LB_UNKNOWN || classes == LB_UNKNOWN) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "'%s' does not tell the size of its networks' input and their classes, which a file needs; correct "
                 "the plugin that sends it",
                 lb_stage_source (stage, "trajectory", 0));
    return FALSE;
  }
  if (!add_numbers (writer, "input", input, 3, error) || !add_numbers (writer, "classes", &classes, 1, error))
    return FALSE;
  for (guint i = 0; shared[i]; i++)
    if (lb_packet_get (packet, shared[i])
        && !lb_npz_writer_add (writer, shared[i], lb_packet_get (packet, shared[i]), error))
      return FALSE;
  return TRUE;
}

static gboolean
add_expert (LbNpzWriter *writer, LbPacket *packet, guint number, GError **error)
{
  static const char *const own[] = { "index", "training_flops", "parameters" };

  for (guint i = 0; i < G_N_ELEMENTS (own); i++) {
    g_autofree char *name = g_strdup_printf ("%s_%u", own[i], number);

    if (!lb_npz_writer_add (writer, name, lb_packet_get (packet, own[i]), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
sink_configure (LbConfigure *configure, gpointer data, GError **error)
{
  lb_configure_cost (configure, 0, 0);
  return TRUE;
}

static gboolean
sink_run (LbStage *stage, gpointer data, GError **error)
{
  Sink *self = data;
  g_autofree char *path = lb_stage_output_path (stage, self->file);
  g_autoptr (LbNpzWriter) writer = lb_npz_writer_new (path, self->compress, error);
  g_autoptr (LbPacket) first = NULL;
  LbShape shape = LB_SCALAR;

  if (!writer)
    return FALSE;
  for (guint number = 0;; number++) {
    g_autoptr (LbPacket) packet = NULL;

    if (!lb_stage_pull (stage, "trajectory", &packet, error))
      return FALSE;
    if (!packet)
      break;
    if (first ? !check_alike (stage, first, shape, packet, number, error) : !add_shared (writer, stage, packet, error))
      return FALSE;
    if (!add_expert (writer, packet, number, error) || !lb_stage_may_go_on (stage, error))
      return FALSE;
    if (!first) {
      first = lb_packet_new ();
      shape = lb_tensor_shape (lb_packet_get (packet, "parameters"));
      for (guint i = 0; shared[i]; i++)
        lb_packet_share (first, packet, shared[i], NULL);
    }
  }
  if (first)
    return lb_npz_writer_commit (writer, error);
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "'%s' has no expert; expected at least one, so look at what the stage before it sends",
               lb_stage_source (stage, "trajectory", 0));
  return FALSE;
}

/* ---- Reading ---- */

/* How far reading of a file has come. */
typedef struct {
  const Source *self;
  LbPacket *fields, *own; /* shared by all, and of the expert at hand */
  char *architecture;
  LbImageSize size;
  gint64 classes, snapshots, p, experts;
  LbStage *stage; /* NULL while the pipeline is checked: then parameters are passed over */
} Reading;

/* Field @name, which must be of @dtype and @shape. */
static LbTensor *
field (Reading *reading, const char *name, LbDType dtype, LbShape shape, GError **error)
{
  LbTensor *tensor = lb_packet_get (reading->own, name);
  if (!tensor)
    tensor = lb_packet_get (reading->fields, name);
  g_autofree char *expected = lb_shape_to_string (shape);
  g_autofree char *found = tensor ? lb_shape_to_string (lb_tensor_shape (tensor)) : NULL;

  if (!tensor)
    lb_input_error (reading->self->file, error,
                    "has no member '%s' in front of the parameters, where %s%s was expected; it is no file of "
                    "trajectories",
                    name, lb_dtype_name (dtype), expected);
  else if (lb_tensor_dtype (tensor) != dtype || !lb_shape_equal (lb_tensor_shape (tensor), shape))
    lb_input_error (reading->self->file, error, "member '%s' is %s%s; expected %s%s", name,
                    lb_dtype_name (lb_tensor_dtype (tensor)), found, lb_dtype_name (dtype), expected);
  else
    return tensor;
  return NULL;
}

/* The whole number @name, from 1 to @most. */
static gboolean
number_field (Reading *reading, const char *name, gint64 most, gint64 *value, GError **error)
{
  LbTensor *tensor = field (reading, name, LB_I64, LB_SHAPE (1), error);

  if (!tensor)
    return FALSE;
  *value = lb_tensor_i64 (tensor)[0];
  if (*value >= 1 && *value <= most)
    return TRUE;
  return lb_input_error (reading->self->file, error,
                         "member '%s' is %" G_GINT64_FORMAT "; expected a number from 1 to %" G_GINT64_FORMAT, name,
                         *value, most);
}

static gboolean
check_numbers (Reading *reading, const char *name, LbTensor *tensor, GError **error)
{
  const float *values = lb_tensor_f32 (tensor);

  for (gint64 i = 0; i < lb_tensor_size (tensor); i++)
    if (!isfinite (values[i]) || (g_str_equal (name, "std") && values[i] <= 0))
      return lb_input_error (reading->self->file, error,
                             "element %" G_GINT64_FORMAT " of member '%s' is %g; expected %s", i, name, values[i],
                             g_str_equal (name, "std") ? "numbers above 0" : "finite numbers");
  return TRUE;
}

/* f32 of @shape, all finite. */
static gboolean
check_field (Reading *reading, const char *name, LbShape shape, GError **error)
{
  LbTensor *tensor = field (reading, name, LB_F32, shape, error);

  return tensor && check_numbers (reading, name, tensor, error);
}

/* What the networks are, and whether there can be such. */
static gboolean
check_network (Reading *reading, GError **error)
{
  LbTensor *input = field (reading, "input", LB_I64, LB_SHAPE (3), error);
  g_autoptr (LbNetwork) network = NULL;
  g_autoptr (GError) reason = NULL;

  if (!input || !number_field (reading, "classes", 100000, &reading->classes, error))
    return FALSE;
  for (guint i = 0; i < 3; i++)
    if (lb_tensor_i64 (input)[i] < 1 || lb_tensor_i64 (input)[i] > 65536)
      return lb_input_error (reading->self->file, error,
                             "member 'input' has the size %" G_GINT64_FORMAT "; expected 1 to 65536",
                             lb_tensor_i64 (input)[i]);
  reading->size = (LbImageSize){ lb_tensor_i64 (input)[0], lb_tensor_i64 (input)[1], lb_tensor_i64 (input)[2] };
  reading->architecture = lb_packet_get_text (reading->fields, "architecture");
  if (!reading->architecture)
    return lb_input_error (reading->self->file, error,
                           "has no member 'architecture' with the letters of a name (u8); it is no file of "
                           "trajectories");
  network = lb_network_new (reading->architecture, reading->size, reading->classes, &reason);
  if (!network)
    return lb_input_error (reading->self->file, error, "%s", reason->message);
  reading->p = lb_network_n_parameters (network);
  return TRUE;
}

static gboolean
check_shared (Reading *reading, GError **error)
{
  gint64 apart;

  if (!check_network (reading, error))
    return FALSE;
  LbImageSize size = reading->size;
  return check_field (reading, "mean", LB_SHAPE (size.channels), error)
         && check_field (reading, "std", LB_SHAPE (size.channels), error)
         && (!lb_packet_get (reading->fields, "whitening_mean")
             || check_field (reading, "whitening_mean", LB_SHAPE (size.channels, size.height, size.width), error))
         && number_field (reading, "epochs_apart", 1000000, &apart, error)
         && field (reading, "learning_rate", LB_F64, LB_SHAPE (1), error);
}

/* Whether @name is that of @what of the expert at hand. */
static gboolean
is_own (const Reading *reading, const char *name, const char *what)
{
  g_autofree char *expected = g_strdup_printf ("%s_%" G_GINT64_FORMAT, what, reading->experts);

  return g_str_equal (name, expected);
}

static gboolean
check_parameters (Reading *reading, const char *name, LbDType dtype, LbShape shape, GError **error)
{
  g_autofree char *found = lb_shape_to_string (shape);
  gsize bytes;

  if (dtype != LB_F32 || shape.rank != 2 || shape.dim[1] != reading->p || shape.dim[0] < 2
      || !lb_shape_bytes (shape, dtype, &bytes) || bytes > MAX_EXPERT_BYTES)
    return lb_input_error (reading->self->file, error,
                           "member '%s' is %s%s; expected f32 with two snapshots at least of the %" G_GINT64_FORMAT
                           " parameters of %s",
                           name, lb_dtype_name (dtype), found, reading->p, reading->architecture);
  if (reading->experts > 0 && shape.dim[0] != reading->snapshots)
    return lb_input_error (reading->self->file, error,
                           "member '%s' has %" G_GINT64_FORMAT " snapshots; expected %" G_GINT64_FORMAT
                           ", as expert 0 has",
                           name, shape.dim[0], reading->snapshots);
  reading->snapshots = shape.dim[0];
  return field (reading, "index", LB_I64, LB_SHAPE (1), error)
         && field (reading, "training_flops", LB_F64, LB_SHAPE (1), error);
}

static gboolean
send_expert (Reading *reading, const char *name, LbTensor *parameters, GError **error)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_set (packet, "parameters", parameters);
  for (guint i = 0; shared[i]; i++)
    lb_packet_share (packet, reading->fields, shared[i], NULL);
  lb_packet_share (packet, reading->own, "index", "training_flops", NULL);
  if (check_numbers (reading, name, parameters, error))
    return lb_stage_push (reading->stage, "trajectory", packet, error);
  lb_packet_unref (packet);
  return FALSE;
}

/* Takes in the parameters of the expert at hand, which end it. */
static gboolean
take_expert (Reading *reading, LbNpzReader *reader, const char *name, LbDType dtype, LbShape shape, GError **error)
{
  if ((reading->experts == 0 && !check_shared (reading, error))
      || !check_parameters (reading, name, dtype, shape, error))
    return FALSE;
  if (reading->stage) {
    g_autoptr (LbTensor) parameters = lb_npz_reader_tensor (reader, error);

    if (!parameters || !send_expert (reading, name, parameters, error))
      return FALSE;
  }
  reading->experts++;
  lb_packet_unref (reading->own);
  reading->own = lb_packet_new ();
  return TRUE;
}

/* Takes in one member. */
static gboolean
take_member (Reading *reading, LbNpzReader *reader, const char *name, LbDType dtype, LbShape shape, GError **error)
{
  static const char *const own[] = { "index", "training_flops" };
  const char *as = NULL;
  gsize bytes;

  if (is_own (reading, name, "parameters"))
    return take_expert (reading, reader, name, dtype, shape, error);
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    if (is_own (reading, name, own[i]))
      as = own[i];
  if (!as && reading->experts > 0)
    return lb_input_error (reading->self->file, error,
                           "has the member '%s' behind expert %" G_GINT64_FORMAT
                           "; expected index, training_flops and parameters of the next",
                           name, reading->experts - 1);
  if (!lb_shape_bytes (shape, dtype, &bytes) || bytes > MAX_EXPERT_BYTES / 64)
    return lb_input_error (reading->self->file, error, "member '%s' is too large to be of trajectories", name);
  LbTensor *tensor = lb_npz_reader_tensor (reader, error);
  if (tensor)
    lb_packet_take (as ? reading->own : reading->fields, as ? as : name, tensor);
  return tensor != NULL;
}

static void
reading_clear (Reading *reading)
{
  lb_packet_unref (reading->fields);
  lb_packet_unref (reading->own);
  g_free (reading->architecture);
}

/* Reads the file from its beginning: every header, and sends the experts when there is a stage. */
static gboolean
read_file (Reading *reading, GError **error)
{
  const char *file = reading->self->file, *name;
  gint64 wanted = reading->self->experts;
  g_autoptr (LbNpzReader) reader = lb_npz_reader_new (file, MAX_FILE_BYTES, error);
  LbDType dtype;
  LbShape shape;

  reading->fields = lb_packet_new ();
  reading->own = lb_packet_new ();
  while (reader && (wanted == 0 || reading->experts < wanted)) {
    if (!lb_npz_reader_next (reader, &name, &dtype, &shape, error))
      return FALSE;
    if (!name)
      break;
    if (!take_member (reading, reader, name, dtype, shape, error))
      return FALSE;
  }
  if (!reader)
    return FALSE;
  if (reading->experts == 0)
    return lb_input_error (file, error,
                           "has no member 'parameters_0'; expected a file of trajectories, as npz-trajectory-sink "
                           "writes it");
  if (reading->experts < wanted)
    return lb_input_error (file, error,
                           "has %" G_GINT64_FORMAT " experts, but %" G_GINT64_FORMAT
                           " were asked for; lower 'experts' or train more",
                           reading->experts, wanted);
  return TRUE;
}

static gboolean
set_types (LbConfigure *configure, const Reading *reading, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (gint64 i = 0; i < reading->experts; i++)
    g_ptr_array_add (names, reading->architecture);
  g_ptr_array_add (names, NULL);
  lb_configure_set_output_texts (configure, "trajectory", "architecture", (const char *const *)names->pdata);
  lb_configure_cost (configure, 0, 0);
  return lb_configure_set_dim (configure, "s", reading->snapshots, error)
         && lb_configure_set_dim (configure, "p", reading->p, error)
         && lb_configure_set_dim (configure, "c", reading->size.channels, error)
         && lb_configure_set_dim (configure, "h", reading->size.height, error)
         && lb_configure_set_dim (configure, "w", reading->size.width, error)
         && lb_configure_set_dim (configure, "classes", reading->classes, error);
}

static gboolean
source_configure (LbConfigure *configure, gpointer data, GError **error)
{
  Reading reading = { .self = data };
  gboolean done = read_file (&reading, error) && set_types (configure, &reading, error);

  reading_clear (&reading);
  return done;
}

static gboolean
source_run (LbStage *stage, gpointer data, GError **error)
{
  Reading reading = { .self = data, .stage = stage };
  gboolean done = read_file (&reading, error);

  reading_clear (&reading);
  return done;
}

/* ---- Descriptors ---- */

static const LbPort sink_inputs[] = {
  { "trajectory", "trajectory", "s p c h w classes", 0, "The experts, all of one kind" },
  LB_PORTS_END,
};

static const LbPort source_outputs[] = {
  { "trajectory", "trajectory", "s p c h w classes", 0, "The experts, in the file's order" },
  LB_PORTS_END,
};

static const LbProperty sink_properties[] = {
  LB_RESULT (Sink, file, "file", "*.npz", "The file to write"),
  LB_BOOLEAN (Sink, compress, "compress", "false", "Whether members are deflated"),
  LB_PROPERTIES_END,
};

static const LbProperty source_properties[] = {
  LB_PATH (Source, file, "file", NULL, "The .npz file"),
  LB_INTEGER (Source, experts, "experts", "0", 0, 65536, "experts", "How many to read, from the first; 0: all"),
  LB_PROPERTIES_END,
};

const LbStageType npz_trajectory_sink_type = {
  .name = "npz-trajectory-sink",
  .summary = "Writes trajectories of experts as an .npz file that NumPy loads",
  .description
  = "Writes what all experts share once (architecture as letters u8, input size, classes, mean, std, epochs_apart, "
    "learning_rate) and of expert k the members index_k, training_flops_k and parameters_k f32 [snapshots, "
    "parameters], each as it arrives, so that no more than one expert is held. The file appears under its name only "
    "when it is complete.",
  .inputs = sink_inputs,
  .properties = sink_properties,
  .instance_size = sizeof (Sink),
  .configure = sink_configure,
  .run = sink_run,
};

const LbStageType npz_trajectory_source_type = {
  .name = "npz-trajectory-source",
  .summary = "Reads trajectories of experts from an .npz file",
  .description = "Reads what npz-trajectory-sink writes, one expert at a time. All members are looked at when the "
                 "pipeline is checked; a file of another kind, and networks that do not fit their architecture, are "
                 "refused.",
  .outputs = source_outputs,
  .properties = source_properties,
  .instance_size = sizeof (Source),
  .configure = source_configure,
  .run = source_run,
  .flags = LB_STAGE_CHEAP,
};
