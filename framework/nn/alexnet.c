/* AlexNet as the distillation papers use it (VICO-UoE/DatasetCondensation, after Krizhevsky et al., NIPS 2012): five
 * convolutions with ReLU, three max poolings by 2, one linear layer; no norm. The first convolution pads grey images,
 * and 28 x 28 of any channels, by 4 instead of 2, so that 28 x 28 ends in 4 x 4 as 32 x 32 in colour does. Other sizes
 * end in an eighth of theirs, as in GeorgeCazenavette/glad, and the linear layer is as large as that asks for.
 */
#include "base/error.h"
#include "nn/table.h"

static guint
first_pad (LbImageSize input)
{
  return input.channels == 1 || (input.height == 28 && input.width == 28) ? 4 : 2;
}

gboolean
lb_alexnet_accepts (LbBuilder *builder, LbImageSize input, GError **error)
{
  gint64 least = 12 - 2 * (gint64)first_pad (input);

  if (input.height >= least && input.width >= least)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "architecture '%s' takes images of at least %d x %d pixels, but these are %d x %d; choose a ConvNet of "
               "little depth",
               lb_builder_name (builder), (int)least, (int)least, (int)input.height, (int)input.width);
  return FALSE;
}

LbNode *
lb_alexnet_build (LbBuilder *builder, LbNode *images)
{
  static const struct {
    gint64 out, size;
    guint pad;
    LbPooling pooling;
  } layers[] = {
    { 128, 5, 0, LB_POOLING_MAX }, /* padded by first_pad() */
    { 192, 5, 2, LB_POOLING_MAX },  { 256, 3, 1, LB_POOLING_NONE },
    { 192, 3, 1, LB_POOLING_NONE }, { 192, 3, 1, LB_POOLING_MAX },
  };
  LbImageSize input = { lb_node_dim (images, 3), lb_node_dim (images, 1), lb_node_dim (images, 2) };
  LbNode *x = images;

  for (guint i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autofree char *conv = g_strdup_printf ("%u.conv", i + 1);

    x = lb_layer_conv (builder, conv, x, layers[i].out, layers[i].size, 1, i == 0 ? first_pad (input) : layers[i].pad,
                       LB_BIAS_ADDED);
    x = lb_layer_norm_act_pool (builder, conv, x, LB_NORM_NONE, LB_ACTIVATION_RELU, layers[i].pooling);
  }
  return lb_layer_linear (builder, "linear", x, lb_builder_classes (builder));
}
