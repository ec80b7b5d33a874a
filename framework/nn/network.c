/* A network: an architecture for one input size, with the parameters it turned out to ask for.
 *
 * Invariant: parameter tensors lie in the flat tensor one after the other, in the order the architecture asked for
 * them.
 */
#include "nn/architecture.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

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
  const LbArchitecture *architecture;
  LbImageSize input;
  gint64 classes;
  GArray *parameters; /* Parameter */
  gint64 n_parameters;
};

struct _LbBuilder {
  const LbNetwork *network;
  LbGraph *graph;
  GArray *discovered;   /* on the scratch graph */
  LbNode *const *given; /* on a real one */
  guint next;
};

static void
parameter_clear (gpointer data)
{
  g_free (((Parameter *)data)->name);
}

LbNode *
lb_builder_parameter (LbBuilder *builder, const char *layer, const char *name, LbShape shape, LbInit init,
                      gint64 fan_in)
{
  if (builder->given)
    return builder->given[builder->next++];

  Parameter parameter = { g_strdup_printf ("%s.%s", layer, name), shape, init, fan_in, 0 };
  g_array_append_val (builder->discovered, parameter);
  return lb_input (builder->graph, parameter.name, shape);
}

gint64
lb_builder_classes (const LbBuilder *builder)
{
  return builder->network->classes;
}

/* Runs the architecture once to learn its parameters. */
static gboolean
discover (LbNetwork *network, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);
  LbImageSize size = network->input;
  LbNode *images = lb_input (graph, "images", LB_SHAPE (1, size.height, size.width, size.channels));
  LbBuilder builder = { .network = network, .graph = graph, .discovered = network->parameters };

  network->architecture->build (network->architecture, &builder, images);
  if (lb_graph_error (graph)) {
    g_propagate_prefixed_error (error, g_error_copy (lb_graph_error (graph)),
                                "architecture '%s': ", network->architecture->name);
    return FALSE;
  }
  for (guint i = 0; i < network->parameters->len; i++) {
    Parameter *parameter = &g_array_index (network->parameters, Parameter, i);

    parameter->first = network->n_parameters;
    network->n_parameters += lb_shape_size (parameter->shape);
  }
  return TRUE;
}

static const LbArchitecture *
find_architecture (const char *name, GError **error)
{
  const LbArchitecture *architecture = lb_architecture_find (name);
  const char *nearest = NULL;
  g_autofree char *known = NULL, *hint = NULL;

  if (architecture)
    return architecture;
  nearest = lb_nearest_name (name, lb_architecture_names ());
  known = g_strjoinv (", ", (char **)lb_architecture_names ());
  hint = nearest ? g_strdup_printf ("; did you mean '%s'?", nearest) : g_strdup ("");
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "architecture '%s' is not known; expected one of %s%s", name, known,
               hint);
  return NULL;
}

LbNetwork *
lb_network_new (const char *architecture, LbImageSize input, gint64 classes, GError **error)
{
  const LbArchitecture *row = find_architecture (architecture, error);
  g_autoptr (LbNetwork) network = NULL;

  if (!row)
    return NULL;
  if (input.channels < 1 || input.channels > MAX_CHANNELS || input.height < 1 || input.height > MAX_SIDE
      || input.width < 1 || input.width > MAX_SIDE || classes < 1 || classes > MAX_CLASSES) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "architecture '%s' is asked for %" G_GINT64_FORMAT " channels of %" G_GINT64_FORMAT
                 " x %" G_GINT64_FORMAT " pixels and %" G_GINT64_FORMAT
                 " classes; expected 1 to %d channels, 1 to %d pixels and 1 to %d classes",
                 architecture, input.channels, input.height, input.width, classes, MAX_CHANNELS, MAX_SIDE, MAX_CLASSES);
    return NULL;
  }
  if (!row->accepts (row, input, error))
    return NULL;

  network = g_new0 (LbNetwork, 1);
  network->architecture = row;
  network->input = input;
  network->classes = classes;
  network->parameters = g_array_new (FALSE, FALSE, sizeof (Parameter));
  g_array_set_clear_func (network->parameters, parameter_clear);
  return discover (network, error) ? g_steal_pointer (&network) : NULL;
}

void
lb_network_free (LbNetwork *network)
{
  if (!network)
    return;
  g_array_unref (network->parameters);
  g_free (network);
}

const char *
lb_network_architecture (const LbNetwork *network)
{
  return network->architecture->name;
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
  return network->parameters->len;
}

gint64
lb_network_n_parameters (const LbNetwork *network)
{
  return network->n_parameters;
}

static const Parameter *
parameter_at (const LbNetwork *network, guint index)
{
  g_assert (index < network->parameters->len);
  return &g_array_index (network->parameters, Parameter, index);
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

LbTensor *
lb_network_initialise (const LbNetwork *network, LbKey key)
{
  LbTensor *flat = lb_tensor_new (LB_F32, LB_SHAPE (network->n_parameters));

  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *parameter = parameter_at (network, i);
    float *values = lb_tensor_f32 (flat) + parameter->first;
    gint64 n = lb_shape_size (parameter->shape);

    if (parameter->init == LB_INIT_FAN_IN) {
      LbRandom random = lb_random (lb_key_derive (key, parameter->name));
      double bound = 1 / sqrt ((double)parameter->fan_in);
      lb_random_fill_uniform (&random, values, n, -bound, bound);
    } else if (parameter->init == LB_INIT_ONE) {
      for (gint64 j = 0; j < n; j++)
        values[j] = 1;
    }
  }
  return flat;
}

void
lb_network_inputs (const LbNetwork *network, LbGraph *graph, const char *prefix, LbNode **parameters)
{
  for (guint i = 0; i < network->parameters->len; i++) {
    g_autofree char *name = g_strconcat (prefix, parameter_at (network, i)->name, NULL);
    parameters[i] = lb_input (graph, name, parameter_at (network, i)->shape);
  }
}

LbNode *
lb_network_apply (const LbNetwork *network, LbNode *const *parameters, LbNode *images)
{
  LbBuilder builder = { .network = network, .graph = lb_node_graph (images), .given = parameters };

  return network->architecture->build (network->architecture, &builder, images);
}

void
lb_network_bind (const LbNetwork *network, LbProgram *program, LbNode *const *parameters, LbTensor *flat)
{
  g_assert (lb_tensor_size (flat) == network->n_parameters);
  for (guint i = 0; i < network->parameters->len; i++) {
    const Parameter *parameter = parameter_at (network, i);
    g_autoptr (LbTensor) piece = lb_tensor_view (flat, parameter->first, parameter->shape);

    lb_program_bind (program, parameters[i], piece);
  }
}
