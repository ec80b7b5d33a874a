/* A network: an architecture for one input size, with the parameters it turned out to ask for.
 *
 * Invariant: tensors lie in the flat tensor one after the other, the trained ones in the order the architecture asked
 * for them, then the statistics in theirs.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "nn/table.h"

/* Sizes past which the scratch graph would be absurd; far above anything that is trained. */
#define MAX_SIDE     8192
#define MAX_CHANNELS 1024
#define MAX_CLASSES  100000

typedef struct {
  char *name;
  LbShape shape;
  LbInit init;
  gint64 fan_in;
  gint64 first; /* of its elements in the flat tensor */
} Parameter;

struct _LbNetwork {
  LbArchitectureChoice choice;
  LbImageSize input;
  gint64 classes;
  GArray *tensors; /* Parameter: trained, then statistics */
  guint n_trained_tensors;
  gint64 n_trained, n_parameters; /* elements */
  gboolean has_dropout;
};

struct _LbBuilder {
  const LbNetwork *network;
  LbGraph *graph;
  gboolean is_training;
  GArray *trained, *statistics; /* Parameter: discovered on the scratch graph; NULL on a real one */
  LbNode *const *given;         /* on a real one, by tensor */
  guint next_trained, next_statistic;
  LbNode *keys;     /* rows of dropout keys, or NULL */
  guint n_dropouts; /* masks so far */
  LbNode **updated; /* new values of the statistics, or NULL */
  LbNode *features; /* operand of the last linear layer so far */
  LbFeatureMaps *maps; /* the last ones so far; NULL: nobody asks */
};

/* ---- The builder ---- */

static void
parameter_clear (gpointer data)
{
  g_free (((Parameter *)data)->name);
}

/* Writes down a tensor that is asked for on the scratch graph. */
static LbNode *
discover_tensor (LbBuilder *builder, GArray *list, const char *layer, const char *name, LbShape shape, LbInit init,
                 gint64 fan_in)
{
  Parameter parameter = { g_strdup_printf ("%s.%s", layer, name), shape, init, fan_in, 0 };

  g_array_append_val (list, parameter);
  return lb_input (builder->graph, parameter.name, shape);
}

LbNode *
lb_builder_parameter (LbBuilder *builder, const char *layer, const char *name, LbShape shape, LbInit init,
                      gint64 fan_in)
{
  if (builder->given) {
    /* A plugin's mistake; going on would hand out the next tensor for this one. */
    if (builder->next_trained >= builder->network->n_trained_tensors)
      g_error ("architecture '%s' asks for more parameters than when it was first built: '%s.%s'",
               builder->network->choice.name, layer, name);
    return builder->given[builder->next_trained++];
  }
  return discover_tensor (builder, builder->trained, layer, name, shape, init, fan_in);
}

LbNode *
lb_builder_statistic (LbBuilder *builder, const char *layer, const char *name, LbShape shape, LbInit init)
{
  if (builder->given) {
    guint index = builder->network->n_trained_tensors + builder->next_statistic++;
    if (index >= builder->network->tensors->len)
      g_error ("architecture '%s' asks for more statistics than when it was first built: '%s.%s'",
               builder->network->choice.name, layer, name);
    return builder->given[index];
  }
  return discover_tensor (builder, builder->statistics, layer, name, shape, init, 0);
}

void
lb_builder_set_statistic (LbBuilder *builder, LbNode *statistic, LbNode *value)
{
  LbNode *const *first = builder->given + builder->network->n_trained_tensors;

  g_return_if_fail (builder->is_training);
  for (guint i = 0; builder->updated && i < builder->next_statistic; i++)
    if (first[i] == statistic)
      builder->updated[i] = value;
}

gboolean
lb_builder_is_training (const LbBuilder *builder)
{
  return builder->is_training;
}

void
lb_builder_set_features (LbBuilder *builder, LbNode *features)
{
  builder->features = features;
}

void
lb_builder_set_maps (LbBuilder *builder, LbNode *maps, gint64 height, gint64 width)
{
  if (builder->maps)
    *builder->maps = (LbFeatureMaps){ maps, height, width };
}

gboolean
lb_builder_wants_maps (const LbBuilder *builder)
{
  return builder->maps != NULL;
}

const char *
lb_builder_name (const LbBuilder *builder)
{
  return builder->network->choice.name;
}

guint
lb_builder_depth (const LbBuilder *builder)
{
  return builder->network->choice.architecture->depth;
}

gint64
lb_builder_classes (const LbBuilder *builder)
{
  return builder->network->classes;
}

double
lb_builder_number (const LbBuilder *builder, const char *option)
{
  const LbArchitectureOption *options = builder->network->choice.architecture->options;

  for (guint i = 0; options && options[i].name; i++)
    if (g_str_equal (options[i].name, option))
      return builder->network->choice.values[i];
  g_error ("architecture '%s' asks for its option '%s', which its table does not have",
           builder->network->choice.architecture->name, option);
}

guint
lb_builder_choice (const LbBuilder *builder, const char *option)
{
  return (guint)lb_builder_number (builder, option);
}

/* Here and not with the other layers, as it is the builder that holds keys and counts masks. */
LbNode *
lb_layer_dropout_at (const char *here, LbBuilder *builder, LbNode *x, double rate)
{
  guint salt = builder->n_dropouts;

  if (rate <= 0)
    return x;
  builder->n_dropouts++;
  if (!builder->keys)
    return x;
  return lb_mul_at (here, x, lb_dropout_mask_at (here, builder->keys, lb_node_shape (x), rate, salt));
}

/* ---- Making ---- */

/* Gives each tensor its place in the flat one. */
static void
place_tensors (LbNetwork *network)
{
  for (guint i = 0; i < network->tensors->len; i++) {
    Parameter *parameter = &g_array_index (network->tensors, Parameter, i);

    parameter->first = network->n_parameters;
    network->n_parameters += lb_shape_size (parameter->shape);
    if (i < network->n_trained_tensors)
      network->n_trained = network->n_parameters;
  }
}

/* Runs the architecture once to learn its parameters. */
static gboolean
discover (LbNetwork *network, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  g_autoptr (GArray) statistics = g_array_new (FALSE, FALSE, sizeof (Parameter));
  const LbArchitecture *architecture = network->choice.architecture;
  LbImageSize size = network->input;
  LbNode *images = lb_input (graph, "images", LB_SHAPE (1, size.height, size.width, size.channels)), *scores;
  LbBuilder builder = { .network = network, .graph = graph, .trained = network->tensors, .statistics = statistics };

  if (architecture->accepts && !architecture->accepts (&builder, size, error))
    return FALSE;
  scores = architecture->build (&builder, images);
  network->n_trained_tensors = network->tensors->len;
  g_array_append_vals (network->tensors, statistics->data, statistics->len);
  network->has_dropout = builder.n_dropouts > 0;
  if (lb_graph_error (graph)) {
    g_propagate_prefixed_error (error, g_error_copy (lb_graph_error (graph)),
                                "architecture '%s': ", network->choice.name);
    return FALSE;
  }
  if (!builder.features || !lb_shape_equal (lb_node_shape (scores), LB_SHAPE (1, network->classes))) {
    g_autofree char *found = lb_shape_to_string (lb_node_shape (scores));
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "architecture '%s' gives scores of shape %s for one image; expected [1, %d] from a linear layer, so end it with "
                 "lb_layer_linear (builder, \"linear\", x, lb_builder_classes (builder))",
                 network->choice.name, found, (int)network->classes);
    return FALSE;
  }
  place_tensors (network);
  return TRUE;
}

static gboolean
check_size (const char *architecture, LbImageSize input, gint64 classes, GError **error)
{
  if (input.channels >= 1 && input.channels <= MAX_CHANNELS && input.height >= 1 && input.height <= MAX_SIDE
      && input.width >= 1 && input.width <= MAX_SIDE && classes >= 1 && classes <= MAX_CLASSES)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "architecture '%s' is asked for %" G_GINT64_FORMAT " channels of %" G_GINT64_FORMAT
               " x %" G_GINT64_FORMAT " pixels and %" G_GINT64_FORMAT
               " classes; expected 1 to %d channels, 1 to %d pixels and 1 to %d classes",
               architecture, input.channels, input.height, input.width, classes, MAX_CHANNELS, MAX_SIDE, MAX_CLASSES);
  return FALSE;
}

LbNetwork *
lb_network_new (const char *architecture, LbImageSize input, gint64 classes, GError **error)
{
  g_autoptr (LbNetwork) network = g_new0 (LbNetwork, 1);

  network->input = input;
  network->classes = classes;
  network->tensors = g_array_new (FALSE, FALSE, sizeof (Parameter));
  g_array_set_clear_func (network->tensors, parameter_clear);
  if (!lb_architecture_choose (architecture, &network->choice, error)
      || !check_size (network->choice.name, input, classes, error) || !discover (network, error))
    return NULL;
  return g_steal_pointer (&network);
}

void
lb_network_free (LbNetwork *network)
{
  if (!network)
    return;
  lb_architecture_choice_clear (&network->choice);
  g_array_unref (network->tensors);
  g_free (network);
}

const char *
lb_network_architecture (const LbNetwork *network)
{
  return network->choice.name;
}

LbImageSize
lb_network_input (const LbNetwork *network)
{
  return network->input;
}

gint64
lb_network_classes (const LbNetwork *network)
{
  return network->classes;
}

guint
lb_network_n_tensors (const LbNetwork *network)
{
  return network->tensors->len;
}

gint64
lb_network_n_parameters (const LbNetwork *network)
{
  return network->n_parameters;
}

guint
lb_network_n_trained_tensors (const LbNetwork *network)
{
  return network->n_trained_tensors;
}

gint64
lb_network_n_trained (const LbNetwork *network)
{
  return network->n_trained;
}

gboolean
lb_network_has_dropout (const LbNetwork *network)
{
  return network->has_dropout;
}

static const Parameter *
parameter_at (const LbNetwork *network, guint index)
{
  g_assert (index < network->tensors->len);
  return &g_array_index (network->tensors, Parameter, index);
}

const char *
lb_network_tensor_name (const LbNetwork *network, guint index)
{
  return parameter_at (network, index)->name;
}

LbShape
lb_network_tensor_shape (const LbNetwork *network, guint index)
{
  return parameter_at (network, index)->shape;
}

/* Fresh values of one tensor, which is zero so far. */
static void
initialise (const Parameter *parameter, LbKey key, float *values)
{
  gint64 n = lb_shape_size (parameter->shape);
  LbRandom random = lb_random (lb_key_derive (key, parameter->name));
  double bound = 1 / sqrt ((double)MAX (parameter->fan_in, 1));

  switch (parameter->init) {
  case LB_INIT_FAN_IN:
    lb_random_fill_uniform (&random, values, n, -bound, bound);
    break;
  case LB_INIT_NORMAL:
    lb_random_fill_normal (&random, values, n);
    break;
  case LB_INIT_ONE:
    for (gint64 i = 0; i < n; i++)
      values[i] = 1;
    break;
  case LB_INIT_ZERO:
    break;
  }
}

LbTensor *
lb_network_initialise (const LbNetwork *network, LbKey key)
{
  LbTensor *flat = lb_tensor_new (LB_F32, LB_SHAPE (network->n_parameters));

  for (guint i = 0; i < network->tensors->len; i++)
    initialise (parameter_at (network, i), key, lb_tensor_f32 (flat) + parameter_at (network, i)->first);
  return flat;
}

void
lb_network_inputs (const LbNetwork *network, LbGraph *graph, const char *prefix, LbNode **parameters)
{
  for (guint i = 0; i < network->tensors->len; i++) {
    g_autofree char *name = g_strconcat (prefix, parameter_at (network, i)->name, NULL);
    parameters[i] = lb_input (graph, name, parameter_at (network, i)->shape);
  }
}

LbNode *
lb_network_apply (const LbNetwork *network, LbNode *const *parameters, LbNode *images)
{
  LbBuilder builder = { .network = network, .graph = lb_node_graph (images), .given = parameters };

  return network->choice.architecture->build (&builder, images);
}

LbNode *
lb_network_features (const LbNetwork *network, LbNode *const *parameters, LbNode *images)
{
  LbBuilder builder = { .network = network, .graph = lb_node_graph (images), .given = parameters };

  network->choice.architecture->build (&builder, images);
  return builder.features;
}

LbNode *
lb_network_apply_maps (const LbNetwork *network, LbNode *const *parameters, LbNode *images, LbFeatureMaps *maps)
{
  LbBuilder builder
      = { .network = network, .graph = lb_node_graph (images), .given = parameters, .maps = maps };

  *maps = (LbFeatureMaps){ 0 };
  return network->choice.architecture->build (&builder, images);
}

LbNode *
lb_network_apply_training (const LbNetwork *network, LbNode *const *parameters, LbNode *images, LbNode *keys,
                           LbNode **statistics)
{
  LbBuilder builder = { .network = network,
                        .graph = lb_node_graph (images),
                        .is_training = TRUE,
                        .given = parameters,
                        .keys = keys,
                        .updated = statistics };

  /* One that the architecture leaves alone stays as it is. */
  for (guint i = network->n_trained_tensors; statistics && i < network->tensors->len; i++)
    statistics[i - network->n_trained_tensors] = parameters[i];
  return network->choice.architecture->build (&builder, images);
}

void
lb_network_bind (const LbNetwork *network, LbProgram *program, LbNode *const *parameters, LbTensor *flat)
{
  g_assert (lb_tensor_size (flat) == network->n_parameters);
  for (guint i = 0; i < network->tensors->len; i++) {
    const Parameter *parameter = parameter_at (network, i);
    g_autoptr (LbTensor) piece = lb_tensor_view (flat, parameter->first, parameter->shape);

    lb_program_bind (program, parameters[i], piece);
  }
}
