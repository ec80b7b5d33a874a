/* VGG11 as the distillation papers use it (VICO-UoE/DatasetCondensation, after Simonyan and Zisserman, arXiv
 * 1409.1556): eight 3 x 3 convolutions with norm and ReLU, five max poolings by 2, one linear layer. The first
 * convolution pads grey images, and 28 x 28 of any channels, by 3 instead of 1, so that 28 x 28 ends in one pixel as
 * 32 x 32 does. The public code
 * has no head for larger images but one after stretching to 7 x 7 (GeorgeCazenavette/glad); here the linear layer takes
 * what the last pooling leaves: 2 x 2 for 64 x 64, 4 x 4 for 128 x 128.
 */
#include "base/error.h"
#include "nn/table.h"

const LbArchitectureOption lb_vgg_options[] = {
  LB_OPTION_CHOICE ("norm", lb_norm_choices, "instance", "Normalisation behind each convolution"),
  LB_OPTIONS_END,
};

static guint
first_pad (LbImageSize input)
{
  return input.channels == 1 || (input.height == 28 && input.width == 28) ? 3 : 1;
}

gboolean
lb_vgg_accepts (LbBuilder *builder, LbImageSize input, GError **error)
{
  gint64 least = 34 - 2 * (gint64)first_pad (input);

  if (input.height >= least && input.width >= least)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "architecture '%s' halves its images five times and takes %d x %d pixels at least, but these are "
               "%d x %d; choose alexnet, resnet18 or a ConvNet",
               lb_builder_name (builder), (int)least, (int)least, (int)input.height, (int)input.width);
  return FALSE;
}

LbNode *
lb_vgg_build (LbBuilder *builder, LbNode *images)
{
  static const struct {
    gint64 out;
    LbPooling pooling;
  } layers[] = {
    { 64, LB_POOLING_MAX },   { 128, LB_POOLING_MAX }, { 256, LB_POOLING_NONE }, { 256, LB_POOLING_MAX },
    { 512, LB_POOLING_NONE }, { 512, LB_POOLING_MAX }, { 512, LB_POOLING_NONE }, { 512, LB_POOLING_MAX },
  };
  LbNorm norm = lb_builder_choice (builder, "norm");
  LbImageSize input = { lb_node_dim (images, 3), lb_node_dim (images, 1), lb_node_dim (images, 2) };
  LbNode *x = images;

  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autofree char *conv = g_strdup_printf ("%u.conv", i + 1), *after = g_strdup_printf ("%u.norm", i + 1);

    x = lb_layer_conv (builder, conv, x, layers[i].out, 3, 1, i == 0 ? first_pad (input) : 1, lb_norm_bias (norm));
    x = lb_layer_norm_act_pool (builder, after, x, norm, LB_ACTIVATION_RELU, layers[i].pooling);
  }
  return lb_layer_linear (builder, "linear", x, lb_builder_classes (builder));
}
