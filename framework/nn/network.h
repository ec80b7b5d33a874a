/* Networks. A network is an architecture (architecture.h) for one input size and number of classes: a list of parameter
 * tensors and a function from images to class scores. Parameters travel as one flat f32 tensor [p], in the order of the
 * list.
 */
#pragma once

#include "base/random.h"
#include "graph/program.h"

G_BEGIN_DECLS

/* Size of the images that a network is built for, in pixels. */
typedef struct {
  gint64 channels, height, width;
} LbImageSize;

/* An architecture at one image size and number of classes: the list of its tensors. It holds no parameters. */
typedef struct _LbNetwork LbNetwork;

/* @architecture is a name of the table, with options behind it where they differ from the defaults ("convnet-d3",
 * "convnet-d3:width=64:norm=batch"; `limbeck inspect` lists them). Unknown names and input sizes the architecture
 * cannot take fail with LB_ERROR_PIPELINE, naming what is known or possible. */
LbNetwork *lb_network_new (const char *architecture, LbImageSize input, gint64 classes, GError **error);
void lb_network_free (LbNetwork *network);

/* Whether @architecture is a known name with known options, where the images are not known yet: as lb_network_new(). */
gboolean lb_architecture_check (const char *architecture, GError **error);

/* In one form, whatever was asked for: options that differ from their defaults, in the order of the table. */
const char *lb_network_architecture (const LbNetwork *network);
LbImageSize lb_network_input (const LbNetwork *network);
gint64 lb_network_classes (const LbNetwork *network);

/* Tensors and, over all of them, elements: p. First come the trained ones, the parameters proper; behind them what
 * training keeps without gradients, such as the running statistics of batch norm (most networks have none). */
guint lb_network_n_tensors (const LbNetwork *network);
gint64 lb_network_n_parameters (const LbNetwork *network);
guint lb_network_n_trained_tensors (const LbNetwork *network);
gint64 lb_network_n_trained (const LbNetwork *network);
const char *lb_network_tensor_name (const LbNetwork *network, guint index); /* "1.conv.weight" */
LbShape lb_network_tensor_shape (const LbNetwork *network, guint index);

/* Fresh parameters, f32 [p], drawn as PyTorch's layers do by default: weights and biases of convolutions and linear
 * layers uniform in +-1/sqrt (fan_in); norm scales and running variances 1, offsets and means 0. New tensor. */
LbTensor *lb_network_initialise (const LbNetwork *network, LbKey key);

/* An input node for each parameter tensor, stored in @parameters (lb_network_n_tensors() long). Names get @prefix. */
void lb_network_inputs (const LbNetwork *network, LbGraph *graph, const char *prefix, LbNode **parameters);

/* Class scores [n, classes] (before softmax) of @images [n, h, w, c], as the network answers when it is asked: running
 * statistics, no dropout, each image alone. The graph remembers mistakes. */
LbNode *lb_network_apply (const LbNetwork *network, LbNode *const *parameters, LbNode *images);

/* The same as the network answers while it is trained: statistics of this batch, and dropout as @keys tells (rows of
 * lb_dropout_keys(), [n, LB_DROPOUT_KEY]; NULL drops nothing). Stores in @statistics, if there are any, what the
 * tensors from lb_network_n_trained_tensors() on are to become. */
LbNode *lb_network_apply_training (const LbNetwork *network, LbNode *const *parameters, LbNode *images, LbNode *keys,
                                   LbNode **statistics);

/* What the classifier, the last linear layer, is given: features [n, d] of @images, as the network answers when it is
 * asked. */
LbNode *lb_network_features (const LbNetwork *network, LbNode *const *parameters, LbNode *images);

/* Feature maps, the last of a network that still have places: [n, height, width, features], or tokens [n, lead + height *
 * width, features] of which the last are places, row by row. */
typedef struct {
  LbNode *node; /* NULL: the network has none */
  gint64 height, width;
} LbFeatureMaps;

/* As lb_network_apply(); also stores the feature maps, for lb_gradients() of scores with respect to them. */
LbNode *lb_network_apply_maps (const LbNetwork *network, LbNode *const *parameters, LbNode *images,
                               LbFeatureMaps *maps);

/* Whether training draws random numbers, and so wants keys. */
gboolean lb_network_has_dropout (const LbNetwork *network);

/* Binds the pieces of @flat, f32 [p], to the parameter inputs. @flat is shared, not copied: with lb_program_carry() a
 * program trains it in place. */
void lb_network_bind (const LbNetwork *network, LbProgram *program, LbNode *const *parameters, LbTensor *flat);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbNetwork, lb_network_free)

G_END_DECLS
