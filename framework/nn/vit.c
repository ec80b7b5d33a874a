/* ViT as the distillation papers use it (GeorgeCazenavette/glad, after Dosovitskiy et al., arXiv 2010.11929): patches
 * mapped to 512 features, a class token and learnt positions; blocks of attention with 8 heads of 64 features and of a
 * two-layer perceptron with GELU, each with a layer norm before it and a way past it; a layer norm and a linear layer
 * on the class token. Dropout follows the positions, each attention and both layers of each perceptron.
 *
 * Published are patches of 4 and 6 blocks at 32 x 32, and patches of 16 and 10 blocks, without layer norms, at 128 x
 * 128. Patches are 4 up to 32 pixels and 16 from 128 on; in between 8, which keeps the published 8 x 8 patches at 64 x
 * 64. Layer norms are an option, on by default at all sizes.
 */
#include "base/error.h"
#include "nn/table.h"

#define FEATURES      512
#define HEADS         8
#define HEAD_FEATURES 64

enum { NORM_LAYER, NORM_NONE };
static const char *const norms[] = { "layer", "none", NULL };

const LbArchitectureOption lb_vit_options[] = {
  LB_OPTION_INTEGER ("patch", "0", 0, 1024, "Pixels of a patch's side; 0: 4 up to 32 pixels, 8 up to 127, else 16"),
  LB_OPTION_INTEGER ("depth", "0", 0, 64, "Blocks; 0: 6 up to 127 pixels, else 10"),
  LB_OPTION_CHOICE ("norm", norms, "layer", "Normalisation before each part of a block; none: as published for 128 px"),
  LB_OPTION_NUMBER ("dropout", "0.1", 0, 0.99, "Share of features dropped in training"),
  LB_OPTIONS_END,
};

static gint64
patch_side (const LbBuilder *builder, gint64 side)
{
  gint64 wanted = (gint64)lb_builder_number (builder, "patch");

  return wanted > 0 ? wanted : side <= 32 ? 4 : side < 128 ? 8 : 16;
}

gboolean
lb_vit_accepts (LbBuilder *builder, LbImageSize input, GError **error)
{
  gint64 patch = patch_side (builder, MAX (input.height, input.width));

  if (input.height % patch == 0 && input.width % patch == 0)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "architecture '%s' cuts images into patches of %d x %d pixels, but the images are %d x %d; give a patch "
               "that divides both, as in vit:patch=7",
               lb_builder_name (builder), (int)patch, (int)patch, (int)input.height, (int)input.width);
  return FALSE;
}

/* Part @index (query, key, value) of x [n, 3, heads, tokens, features of a head]. */
static LbNode *
part_of (LbNode *x, gint64 index)
{
  LbShape shape = lb_node_shape (x);

  return lb_reshape (lb_slice (x, 1, index, 1), LB_SHAPE (shape.dim[0], HEADS, shape.dim[3], HEAD_FEATURES));
}

static LbNode *
attention (LbBuilder *builder, const char *layer, LbNode *x)
{
  g_autofree char *in = g_strdup_printf ("%s.in", layer), *out = g_strdup_printf ("%s.out", layer);
  gint64 n = lb_node_dim (x, 0), tokens = lb_node_dim (x, 1);
  LbNode *all = lb_layer_dense (builder, in, x, 3 * HEADS * HEAD_FEATURES, FALSE);
  LbNode *parts = lb_permute (lb_reshape (all, LB_SHAPE (n, tokens, 3, HEADS, HEAD_FEATURES)), 0, 2, 3, 1, 4);
  LbNode *scores = lb_batch_matmul (part_of (parts, 0), FALSE, part_of (parts, 1), TRUE);
  LbNode *share = lb_softmax (lb_scale (scores, 1. / 8)); /* 1 / sqrt (HEAD_FEATURES) */
  LbNode *heads = lb_permute (lb_batch_matmul (share, FALSE, part_of (parts, 2), FALSE), 0, 2, 1, 3);

  x = lb_layer_dense (builder, out, lb_reshape (heads, LB_SHAPE (n, tokens, HEADS * HEAD_FEATURES)), FEATURES, TRUE);
  return lb_layer_dropout (builder, x, lb_builder_number (builder, "dropout"));
}

static LbNode *
perceptron (LbBuilder *builder, const char *layer, LbNode *x)
{
  g_autofree char *in = g_strdup_printf ("%s.in", layer), *out = g_strdup_printf ("%s.out", layer);
  double rate = lb_builder_number (builder, "dropout");

  x = lb_layer_dropout (builder, lb_gelu (lb_layer_dense (builder, in, x, FEATURES, TRUE)), rate);
  return lb_layer_dropout (builder, lb_layer_dense (builder, out, x, FEATURES, TRUE), rate);
}

static LbNode *
norm (LbBuilder *builder, const char *layer, LbNode *x)
{
  return lb_builder_choice (builder, "norm") == NORM_NONE ? x : lb_layer_layer_norm (builder, layer, x);
}

/* Patches in rows, the class token before them, positions added. */
static LbNode *
embed (LbBuilder *builder, LbNode *images, gint64 patch)
{
  gint64 n = lb_node_dim (images, 0);
  LbNode *patches = lb_layer_conv (builder, "patch", images, FEATURES, patch, (guint)patch, 0, LB_BIAS_ADDED);
  gint64 count = lb_node_dim (patches, 1) * lb_node_dim (patches, 2);
  LbNode *position
      = lb_builder_parameter (builder, "embedding", "position", LB_SHAPE (1, count + 1, FEATURES), LB_INIT_NORMAL, 0);
  LbNode *token = lb_builder_parameter (builder, "embedding", "class", LB_SHAPE (1, 1, FEATURES), LB_INIT_NORMAL, 0);
  LbNode *x = lb_pad (lb_reshape (patches, LB_SHAPE (n, count, FEATURES)), 1, 1, 0);

  return lb_add (x, lb_add (lb_pad (token, 1, 0, count), position));
}

LbNode *
lb_vit_build (LbBuilder *builder, LbNode *images)
{
  guint depth = (guint)lb_builder_number (builder, "depth");
  gint64 height = lb_node_dim (images, 1), width = lb_node_dim (images, 2);
  gint64 patch = patch_side (builder, MAX (height, width));
  LbNode *x = lb_layer_dropout (builder, embed (builder, images, patch), lb_builder_number (builder, "dropout"));

  if (depth == 0)
    depth = MAX (height, width) < 128 ? 6 : 10;
  for (guint i = 1; i <= depth; i++) {
    g_autofree char *first = g_strdup_printf ("%u.attention", i), *second = g_strdup_printf ("%u.perceptron", i);
    g_autofree char *before_first = g_strdup_printf ("%u.norm-1", i), *before_second = g_strdup_printf ("%u.norm-2", i);

    LbNode *tokens = norm (builder, before_first, x);

    /* Behind the last attention only the class token counts, so what goes into it are the last maps. */
    lb_builder_set_maps (builder, tokens, height / patch, width / patch);
    x = lb_add (attention (builder, first, tokens), x);
    x = lb_add (perceptron (builder, second, norm (builder, before_second, x)), x);
  }
  x = lb_reshape (lb_slice (x, 1, 0, 1), LB_SHAPE (lb_node_dim (images, 0), FEATURES));
  return lb_layer_linear (builder, "linear", norm (builder, "norm", x), lb_builder_classes (builder));
}
