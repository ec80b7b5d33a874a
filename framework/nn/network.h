/* Network architectures. An architecture is one short file of graph building, listed in one table (architectures.c).
 *
 * A network is an architecture for one input size and number of classes: a list of parameter tensors and a function
 * from images to class scores. Parameters travel as one flat f32 tensor [p], in the order of the list.
 */
#pragma once

#include "base/random.h"
#include "graph/program.h"

G_BEGIN_DECLS

typedef struct {
  gint64 channels, height, width;
} LbImageSize;

typedef struct _LbNetwork LbNetwork;

/* @architecture is a name of the table ("convnet-d3"). Unknown names and input sizes the architecture cannot take fail
 * with LB_ERROR_PIPELINE, naming what is known or possible. */
LbNetwork *lb_network_new (const char *architecture, LbImageSize input, gint64 classes, GError **error);
void lb_network_free (LbNetwork *network);

/* NULL-terminated list of known architecture names. Static. */
const char *const *lb_architecture_names (void);

const char *lb_network_architecture (const LbNetwork *network);
LbImageSize lb_network_input (const LbNetwork *network);
gint64 lb_network_classes (const LbNetwork *network);

/* Parameter tensors and, over all of them, parameters. */
guint lb_network_n_tensors (const LbNetwork *network);
gint64 lb_network_n_parameters (const LbNetwork *network);
const char *lb_network_tensor_name (const LbNetwork *network, guint index); /* "1.conv.weight" */
LbShape lb_network_tensor_shape (const LbNetwork *network, guint index);

/* Fresh parameters, f32 [p], drawn as PyTorch's layers do by default: weights and biases of convolutions and linear
 * layers uniform in +-1/sqrt (fan_in); norm scales 1, offsets 0. New tensor. */
LbTensor *lb_network_initialise (const LbNetwork *network, LbKey key);

/* An input node for each parameter tensor, stored in @parameters (lb_network_n_tensors() long). Names get @prefix. */
void lb_network_inputs (const LbNetwork *network, LbGraph *graph, const char *prefix, LbNode **parameters);

/* Class scores [n, classes] (before softmax) of @images [n, h, w, c]. The graph remembers mistakes. */
LbNode *lb_network_apply (const LbNetwork *network, LbNode *const *parameters, LbNode *images);

/* Binds the pieces of @flat, f32 [p], to the parameter inputs. @flat is shared, not copied: with lb_program_carry() a
 * program trains it in place. */
void lb_network_bind (const LbNetwork *network, LbProgram *program, LbNode *const *parameters, LbTensor *flat);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbNetwork, lb_network_free)

G_END_DECLS
