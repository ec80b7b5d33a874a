/* ConvNet-Dk, the network of most distillation papers (Gidaris and Komodakis, arXiv 1804.09458; Zhao et al., arXiv
 * 2006.05929): k blocks of 3 x 3 convolution to 128 channels, instance norm, ReLU and average pooling by 2; then one
 * linear layer. Grey images of 28 x 28 are padded to 32 x 32 by the first convolution.
 */
#include "base/error.h"
#include "nn/architecture.h"

#define WIDTH 128

static guint
first_pad (LbImageSize input)
{
  return input.channels == 1 && input.height == 28 && input.width == 28 ? 3 : 1;
}

gboolean
lb_convnet_accepts (const LbArchitecture *architecture, LbImageSize input, GError **error)
{
  gint64 grown = 2 * ((gint64)first_pad (input) - 1), step = 1 << architecture->depth;

  if ((input.height + grown) % step == 0 && (input.width + grown) % step == 0)
    return TRUE;
  g_set_error (
      error, LB_ERROR, LB_ERROR_PIPELINE,
      "architecture '%s' halves its images %u times, so it takes sizes that are multiples of %d pixels (and grey "
      "28 x 28, which is padded to 32 x 32 if that is one), but the images are %d x %d; choose another depth",
      architecture->name, architecture->depth, (int)step, (int)input.height, (int)input.width);
  return FALSE;
}

LbNode *
lb_convnet_build (const LbArchitecture *architecture, LbBuilder *builder, LbNode *images)
{
  LbImageSize input = { lb_node_dim (images, 3), lb_node_dim (images, 1), lb_node_dim (images, 2) };
  LbNode *x = images;

  for (guint block = 1; block <= architecture->depth; block++) {
    g_autofree char *conv = g_strdup_printf ("%u.conv", block), *norm = g_strdup_printf ("%u.norm", block);

    x = lb_layer_conv_before_norm (builder, conv, x, WIDTH, 3, block == 1 ? first_pad (input) : 1);
    x = lb_layer_norm_relu_pool (builder, norm, x, 2);
  }
  return lb_layer_linear (builder, "linear", x, lb_builder_classes (builder));
}
