/* Architectures: how a network is described, by this library and by plugins.
 *
 * An architecture is one function from images to class scores that asks for its parameters in a fixed order. It is
 * called once on a scratch graph, where the builder writes down every parameter it is asked for, and later on real
 * graphs, where the builder hands back the nodes of the user. So the order of the calls is the order of the parameters,
 * and nothing is said twice.
 *
 *   static LbNode *
 *   build (LbBuilder *builder, LbNode *images)
 *   {
 *     LbNode *x = lb_relu (lb_layer_conv (builder, "conv", images, 32, 3, 1, 1, LB_BIAS_ADDED));
 *     return lb_layer_linear (builder, "linear", lb_avg_pool (x, 2), lb_builder_classes (builder));
 *   }
 *   static const LbArchitecture small = { .name = "small", .summary = "One convolution", .build = build };
 *
 * A plugin lists its architectures with LB_DEFINE_PLUGIN_TABLES; after that, every stage knows them by name.
 */
#pragma once

#include "nn/network.h"

G_BEGIN_DECLS

/* ---- Options: what follows the name, as in "convnet-d3:width=64:norm=batch" ---- */

typedef struct {
  const char *name;
  const char *fallback;       /* the default, written as behind '=' */
  const char *const *choices; /* NULL-terminated; NULL: a number */
  double minimum, maximum;    /* of a number, inclusive */
  gboolean is_whole;          /* a number without fraction */
  const char *doc;            /* one line */
} LbArchitectureOption;

/* Rows of an option table: one of @choices_ (NULL-terminated), or a whole number in a range. */
#define LB_OPTION_CHOICE(name_, choices_, fallback_, doc_)                                                             \
  {                                                                                                                    \
    .name = name_, .fallback = fallback_, .choices = choices_, .doc = doc_                                             \
  }
#define LB_OPTION_INTEGER(name_, fallback_, minimum_, maximum_, doc_)                                                  \
  {                                                                                                                    \
    .name = name_, .fallback = fallback_, .minimum = minimum_, .maximum = maximum_, .is_whole = TRUE, .doc = doc_      \
  }
#define LB_OPTION_NUMBER(name_, fallback_, minimum_, maximum_, doc_)                                                   \
  {                                                                                                                    \
    .name = name_, .fallback = fallback_, .minimum = minimum_, .maximum = maximum_, .doc = doc_                        \
  }
#define LB_OPTIONS_END                                                                                                 \
  {                                                                                                                    \
    .name = NULL                                                                                                       \
  }

/* ---- Rows of the table ---- */

/* What an architecture's function asks for its tensors while it builds a graph. */
typedef struct _LbBuilder LbBuilder;

/* One architecture, as the table of networks and plugins declare it. */
typedef struct {
  const char *name;                    /* "convnet-d3": small letters, digits and '-' */
  const char *summary;                 /* one line */
  const char *description;             /* paragraphs: the paper, and what was decided where it is silent; may be NULL */
  guint depth;                         /* what tells the members of a family apart; lb_builder_depth() */
  const LbArchitectureOption *options; /* ends with LB_OPTIONS_END; NULL: none */
  /* Whether images of this size fit; sets LB_ERROR_PIPELINE, which says what would. NULL: all do. */
  gboolean (*accepts) (LbBuilder *builder, LbImageSize input, GError **error);
  /* Scores [n, classes] of @images [n, h, w, c]. */
  LbNode *(*build) (LbBuilder *builder, LbNode *images);
} LbArchitecture;

/* Adds the rows of @rows, NULL-terminated, all or none; @origin tells where they come from. Rows that stand in the
 * table already are left alone. LB_ERROR_PLUGIN. Plugins let LB_DEFINE_PLUGIN_TABLES call it. */
gboolean lb_architectures_add (const LbArchitecture *const *rows, const char *origin, GError **error);

/* ---- What accepts and build may ask ---- */

const char *lb_builder_name (const LbBuilder *builder); /* with its options: "convnet-d3:width=64" */
guint lb_builder_depth (const LbBuilder *builder);
gint64 lb_builder_classes (const LbBuilder *builder);

/* The value of an option of the row: a number, or which of the choices. Any other name is a programmer error. */
double lb_builder_number (const LbBuilder *builder, const char *option);
guint lb_builder_choice (const LbBuilder *builder, const char *option);

/* How fresh values of a parameter are drawn. */
typedef enum {
  LB_INIT_FAN_IN, /* uniform in +-1/sqrt (fan_in) */
  LB_INIT_NORMAL, /* standard normal */
  LB_INIT_ONE,
  LB_INIT_ZERO
} LbInit;

/* The next parameter: "@layer.@name" of @shape. @fan_in counts the inputs of one output; used by LB_INIT_FAN_IN only.
 */
LbNode *lb_builder_parameter (LbBuilder *builder, const char *layer, const char *name, LbShape shape, LbInit init,
                              gint64 fan_in);

/* The next statistic: a value that training keeps without gradients, such as a running mean. It has a name, a shape and
 * a start like a parameter. */
LbNode *lb_builder_statistic (LbBuilder *builder, const char *layer, const char *name, LbShape shape, LbInit init);

/* What @statistic is to be after this step of training. Once for each statistic, when lb_builder_is_training(). */
void lb_builder_set_statistic (LbBuilder *builder, LbNode *statistic, LbNode *value);

/* Whether the network is built to be trained (batch statistics, dropout) or to be asked. */
gboolean lb_builder_is_training (const LbBuilder *builder);

/* ---- Layers with parameters. @layer begins their names. Mistakes name the caller's place. ---- */

/* What becomes of the bias of a convolution. */
typedef enum {
  LB_BIAS_ADDED,
  LB_BIAS_CANCELLED, /* a parameter that is not added: the instance norm behind takes it away again exactly */
  LB_BIAS_NONE       /* no parameter */
} LbBias;

/* Cross-correlation, kernel @size x @size: "LAYER.weight" [out, size, size, in] and, unless it has none, "LAYER.bias"
 * [out]. */
LbNode *lb_layer_conv_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size,
                          guint stride, guint pad, LbBias bias);
#define lb_layer_conv(builder, layer, x, out, size, stride, pad, bias)                                                 \
  lb_layer_conv_at (LB_HERE, builder, layer, x, out, size, stride, pad, bias)

/* How features are normalised; lb_norm_choices are the names in this order. */
typedef enum {
  LB_NORM_INSTANCE, /* each image and channel (Ulyanov et al., arXiv 1607.08022) */
  LB_NORM_GROUP,    /* each image and quarter of the channels (Wu, He, arXiv 1803.08494) */
  LB_NORM_BATCH,    /* each channel over the batch; running statistics when asked (Ioffe, Szegedy, arXiv 1502.03167) */
  LB_NORM_NONE
} LbNorm;

/* In the order of lb_activation_choices, of which LB_ACTIVATION_NONE is none. */
typedef enum { LB_ACTIVATION_RELU, LB_ACTIVATION_SIGMOID, LB_ACTIVATION_LEAKY_RELU, LB_ACTIVATION_NONE } LbActivation;

/* Over windows of 2 x 2; in the order of lb_pooling_choices. */
typedef enum { LB_POOLING_AVG, LB_POOLING_MAX, LB_POOLING_NONE } LbPooling;

/* The bias of a convolution that this norm follows: cancelled by instance norm, else added. */
LbBias lb_norm_bias (LbNorm norm);

extern const char *const lb_norm_choices[];       /* instance, group, batch, none */
extern const char *const lb_activation_choices[]; /* relu, sigmoid, leaky-relu (slope 0.01) */
extern const char *const lb_pooling_choices[];    /* avg, max, none */

/* What follows a convolution: normalisation, activation, pooling of x [n, h, w, c]. With a norm, "LAYER.scale" and
 * "LAYER.offset" [c]; with batch norm also the statistics "LAYER.mean" and "LAYER.variance" [c], which move a tenth of
 * the way at each step, the variance as the unbiased one. Epsilon is 1e-5. Group norm needs channels in fours. */
LbNode *lb_layer_norm_act_pool_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, LbNorm norm,
                                   LbActivation activation, LbPooling pooling);
#define lb_layer_norm_act_pool(builder, layer, x, norm, activation, pooling)                                           \
  lb_layer_norm_act_pool_at (LB_HERE, builder, layer, x, norm, activation, pooling)

/* The classifier (lb_network_features() is what it is given), or a linear layer before it: each image's features,
 * flattened in [h, w, c] order, times "LAYER.weight" [out, features], plus "LAYER.bias" [out].
 */
LbNode *lb_layer_linear_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, gint64 out);
#define lb_layer_linear(builder, layer, x, out) lb_layer_linear_at (LB_HERE, builder, layer, x, out)

/* The same linear map at every place of x [..., features]: "LAYER.weight" [out, features] and, with @bias,
 * "LAYER.bias" [out]. */
LbNode *
lb_layer_dense_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gboolean bias);
#define lb_layer_dense(builder, layer, x, out, bias) lb_layer_dense_at (LB_HERE, builder, layer, x, out, bias)

/* Layer norm over the last axis (Ba et al., arXiv 1607.06450) with "LAYER.scale" and "LAYER.offset" [features]; epsilon
 * 1e-5. */
LbNode *lb_layer_layer_norm_at (const char *here, LbBuilder *builder, const char *layer, LbNode *x);
#define lb_layer_layer_norm(builder, layer, x) lb_layer_layer_norm_at (LB_HERE, builder, layer, x)

/* While training, zeroes each element of x [n, ...] with probability @rate and divides the others by 1 - rate. */
LbNode *lb_layer_dropout_at (const char *here, LbBuilder *builder, LbNode *x, double rate);
#define lb_layer_dropout(builder, x, rate) lb_layer_dropout_at (LB_HERE, builder, x, rate)

/* Says what Grad-CAM (grad-cam.h) shows of the network: feature maps [n, height, width, features], or rows of tokens
 * [n, lead + height * width, features] whose last ones are places of the image, row by row. What the scores are made of
 * must go through this node. The last call counts; without one it is the last convolution with what
 * lb_layer_norm_act_pool() does to it, all but its pooling. */
void lb_builder_set_maps (LbBuilder *builder, LbNode *maps, gint64 height, gint64 width);

/* The mean over all pixels: [n, h, w, c] to [n, c]. */
LbNode *lb_global_avg_pool_at (const char *here, LbNode *x);
#define lb_global_avg_pool(x) lb_global_avg_pool_at (LB_HERE, x)

G_END_DECLS
