/* A plugin for test-registry that brings an architecture and no stage type; NETWORK_NAME makes it another one, or one
 * that is known already.
 */
#include "limbeck.h"

#ifndef NETWORK_NAME
#  define NETWORK_NAME "two-layers"
#endif

static const LbArchitectureOption options[] = {
  LB_OPTION_INTEGER ("width", "8", 1, 64, "Channels"),
  LB_OPTION_CHOICE ("activation", lb_activation_choices, "sigmoid", "Activation"),
  LB_OPTIONS_END,
};

static LbNode *
build (LbBuilder *builder, LbNode *images)
{
  gint64 width = (gint64)lb_builder_number (builder, "width");
  LbNode *x = lb_layer_conv (builder, "conv", images, width, 3, 2, 1, LB_BIAS_ADDED);

  x = lb_layer_norm_act_pool (builder, "norm", x, LB_NORM_BATCH, lb_builder_choice (builder, "activation"),
                              LB_POOLING_NONE);
  return lb_layer_linear (builder, "linear", lb_global_avg_pool (lb_layer_dropout (builder, x, 0.2)),
                          lb_builder_classes (builder));
}

static const LbArchitecture two_layers
    = { .name = NETWORK_NAME, .summary = "Two layers", .options = options, .build = build };

static const LbArchitecture *const architectures[] = { &two_layers, NULL };

LB_DEFINE_PLUGIN_TABLES ("network", "1.0", "LGPL-2.1-or-later", NULL, architectures);
