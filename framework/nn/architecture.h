/* What an architecture file sees: a row of the table, and the builder that hands out its parameters. Private to nn/.
 *
 * An architecture is one function from images to scores that asks for its parameters in a fixed order. It is called
 * once on a scratch graph, where the builder writes down every parameter it is asked for, and later on real graphs,
 * where the builder hands back the nodes of the user. So the order of the calls is the order of the parameters, and
 * nothing is said twice.
 */
#pragma once

#include "nn/network.h"

G_BEGIN_DECLS

/* How fresh values of a parameter are drawn. */
typedef enum {
  LB_INIT_FAN_IN, /* uniform in +-1/sqrt (fan_in) */
  LB_INIT_ONE,
  LB_INIT_ZERO
} LbInit;

typedef struct _LbBuilder LbBuilder;

/* The next parameter: "@layer.@name" of @shape. @fan_in counts the inputs of one output; used by LB_INIT_FAN_IN only.
 */
LbNode *lb_builder_parameter (LbBuilder *builder, const char *layer, const char *name, LbShape shape, LbInit init,
                              gint64 fan_in);
gint64 lb_builder_classes (const LbBuilder *builder);

typedef struct _LbArchitecture LbArchitecture;
struct _LbArchitecture {
  const char *name;
  guint depth; /* what tells the members of a family apart */
  /* Whether images of this size fit; sets LB_ERROR_PIPELINE, which says what would. */
  gboolean (*accepts) (const LbArchitecture *architecture, LbImageSize input, GError **error);
  /* Scores [n, classes] of @images [n, h, w, c]. */
  LbNode *(*build) (const LbArchitecture *architecture, LbBuilder *builder, LbNode *images);
};

const LbArchitecture *lb_architecture_find (const char *name);

/* ---- Layers with parameters. @layer begins their names. ---- */

/* Cross-correlation with bias, kernel @size x @size, stride 1: "LAYER.weight" [out, size, size, in], "LAYER.bias"
 * [out]. */
LbNode *lb_layer_conv (LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size, guint pad);

/* The same where instance norm follows: whatever the bias adds to a channel the norm takes away again, so it is a
 * parameter, as in the networks of the papers, but not computed; its gradient is 0. */
LbNode *
lb_layer_conv_before_norm (LbBuilder *builder, const char *layer, LbNode *x, gint64 out, gint64 size, guint pad);

/* Instance norm with one scale and offset for each channel, ReLU, average pooling over @pool x @pool: "LAYER.scale",
 * "LAYER.offset" [c]. */
LbNode *lb_layer_norm_relu_pool (LbBuilder *builder, const char *layer, LbNode *x, guint pool);

/* Each image's features, flattened in [h, w, c] order, times "LAYER.weight" [out, features], plus "LAYER.bias" [out].
 */
LbNode *lb_layer_linear (LbBuilder *builder, const char *layer, LbNode *x, gint64 out);

/* ---- The architectures, one file each ---- */

gboolean lb_convnet_accepts (const LbArchitecture *architecture, LbImageSize input, GError **error);
LbNode *lb_convnet_build (const LbArchitecture *architecture, LbBuilder *builder, LbNode *images);

G_END_DECLS
