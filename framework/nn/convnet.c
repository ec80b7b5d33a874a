/* ConvNet-Dk, the network of most distillation papers (Gidaris and Komodakis, arXiv 1804.09458; Zhao et al., arXiv
 * 2006.05929): k blocks of 3 x 3 convolution to 128 channels, instance norm, ReLU and average pooling by 2; then one
 * linear layer. Images of 28 x 28 are padded to 32 x 32 by the first convolution: grey ones as published, colour ones
 * alike.
 */
#include "base/error.h"
#include "nn/table.h"

const LbArchitectureOption lb_convnet_options[] = {
  LB_OPTION_INTEGER ("width", "128", 1, 4096, "Channels of every convolution"),
  LB_OPTION_CHOICE ("norm", lb_norm_choices, "instance", "Normalisation behind each convolution"),
  LB_OPTION_CHOICE ("activation", lb_activation_choices, "relu", "Activation of each block"),
  LB_OPTION_CHOICE ("pooling", lb_pooling_choices, "avg", "Pooling by 2 at the end of each block"),
  LB_OPTIONS_END,
};

static guint
first_pad (LbImageSize input)
{
  return input.height == 28 && input.width == 28 ? 3 : 1;
}

gboolean
lb_convnet_accepts (LbBuilder *builder, LbImageSize input, GError **error)
{
  gint64 grown = 2 * ((gint64)first_pad (input) - 1), step = 1 << lb_builder_depth (builder);
  gint64 width = (gint64)lb_builder_number (builder, "width");

  if (lb_builder_choice (builder, "norm") == LB_NORM_GROUP && width % 4 != 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
                 "architecture '%s' normalises four groups of channels, so its width must be a multiple of 4",
                 lb_builder_name (builder));
    return FALSE;
  }
  if (lb_builder_choice (builder, "pooling") == LB_POOLING_NONE
      || ((input.height + grown) % step == 0 && (input.width + grown) % step == 0))
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "architecture '%s' halves its images %u times, so it takes sizes that are multiples of %d pixels (and "
               "28 x 28, which is padded to 32 x 32 if that is one), but the images are %d x %d; choose another depth",
               lb_builder_name (builder), lb_builder_depth (builder), (int)step, (int)input.height, (int)input.width);
  return FALSE;
}

LbNode *
lb_convnet_build (LbBuilder *builder, LbNode *images)
{
  LbImageSize input = { lb_node_dim (images, 3), lb_node_dim (images, 1), lb_node_dim (images, 2) };
  gint64 width = (gint64)lb_builder_number (builder, "width");
  LbNorm norm = lb_builder_choice (builder, "norm");
  LbActivation activation = lb_builder_choice (builder, "activation");
  LbPooling pooling = lb_builder_choice (builder, "pooling");
  LbNode *x = images;

  for (guint block = 1; block <= lb_builder_depth (builder); block++) {
    g_autofree char *conv = g_strdup_printf ("%u.conv", block), *after = g_strdup_printf ("%u.norm", block);

    x = lb_layer_conv (builder, conv, x, width, 3, 1, block == 1 ? first_pad (input) : 1, lb_norm_bias (norm));
    x = lb_layer_norm_act_pool (builder, after, x, norm, activation, pooling);
  }
  return lb_layer_linear (builder, "linear", x, lb_builder_classes (builder));
}
