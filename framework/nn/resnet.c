/* ResNet18 as the distillation papers use it (VICO-UoE/DatasetCondensation, after He et al., arXiv 1512.03385, in the
 * form for small images): a 3 x 3 stem without pooling, four stages of two basic blocks with 64, 128, 256 and 512
 * channels, the mean over all pixels, one linear layer. Instance norm in place of batch norm. At 32 x 32 the mean is
 * the published average pooling by 4; larger images are averaged over what remains, as in GeorgeCazenavette/glad.
 */
#include "nn/table.h"

const LbArchitectureOption lb_resnet_options[] = {
  LB_OPTION_CHOICE ("norm", lb_norm_choices, "instance", "Normalisation behind each convolution"),
  LB_OPTIONS_END,
};

/* Convolution without bias, norm, activation: "LAYER.NUMBER.conv", "LAYER.NUMBER.norm". */
static LbNode *
unit (LbBuilder *builder, const char *layer, const char *number, LbNode *x, gint64 out, gint64 size, guint stride,
      LbActivation activation)
{
  g_autofree char *conv = g_strdup_printf ("%s.%s.conv", layer, number);
  g_autofree char *after = g_strdup_printf ("%s.%s.norm", layer, number);

  x = lb_layer_conv (builder, conv, x, out, size, stride, size / 2, LB_BIAS_NONE);
  return lb_layer_norm_act_pool (builder, after, x, lb_builder_choice (builder, "norm"), activation, LB_POOLING_NONE);
}

/* Two convolutions beside a way past them, which is a 1 x 1 convolution where size or channels change. */
static LbNode *
block (LbBuilder *builder, const char *layer, LbNode *x, gint64 out, guint stride)
{
  LbNode *y = unit (builder, layer, "1", x, out, 3, stride, LB_ACTIVATION_RELU);

  y = unit (builder, layer, "2", y, out, 3, 1, LB_ACTIVATION_NONE);
  if (stride != 1 || lb_node_dim (x, 3) != out)
    x = unit (builder, layer, "shortcut", x, out, 1, stride, LB_ACTIVATION_NONE);
  y = lb_relu (lb_add (y, x));
  lb_builder_set_maps (builder, y, lb_node_dim (y, 1), lb_node_dim (y, 2));
  return y;
}

LbNode *
lb_resnet_build (LbBuilder *builder, LbNode *images)
{
  LbNode *x = unit (builder, "0", "1", images, 64, 3, 1, LB_ACTIVATION_RELU);

  for (guint stage = 1; stage <= 4; stage++)
    for (guint i = 1; i <= 2; i++) {
      g_autofree char *layer = g_strdup_printf ("%u.%u", stage, i);

      x = block (builder, layer, x, (gint64)32 << stage, i == 1 && stage > 1 ? 2 : 1);
    }
  return lb_layer_linear (builder, "linear", lb_global_avg_pool (x), lb_builder_classes (builder));
}
