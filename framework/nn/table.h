/* The table of architectures, and reading the names that choose from it. Private to nn/, but for what `limbeck inspect`
 * shows.
 */
#pragma once

#include "nn/architecture.h"

G_BEGIN_DECLS

/* NULL-terminated list of known names: those of the library in the table's order, then those of plugins in the order of
 * loading. Free with g_free(). */
const char **lb_architecture_names (void);

/* The row of this name (without options); NULL if there is none. Good for the life of the process. */
const LbArchitecture *lb_architecture_find (const char *name);

/* Who brought it: "built-in", or the path of a plugin. */
const char *lb_architecture_origin (const LbArchitecture *architecture);

/* ---- An architecture with a value for each option ---- */

typedef struct {
  const LbArchitecture *architecture;
  char *name;     /* in canonical form */
  double *values; /* by option: a number, or which of the choices */
} LbArchitectureChoice;

/* Reads "NAME:OPTION=VALUE:...". LB_ERROR_PIPELINE, naming what is known. */
gboolean lb_architecture_choose (const char *text, LbArchitectureChoice *choice, GError **error);
void lb_architecture_choice_clear (LbArchitectureChoice *choice);

/* The value that @text stands for; LB_ERROR_PIPELINE, naming what is expected. */
gboolean
lb_architecture_option_read (const LbArchitectureOption *option, const char *text, double *value, GError **error);

/* "a whole number from 1 to 4096", "instance, group, batch or none". */
char *lb_architecture_option_expected (const LbArchitectureOption *option);

/* ---- Between builder and layers ---- */

/* What a linear layer is given, [n, d]: the network's features, if no other linear layer follows. */
void lb_builder_set_features (LbBuilder *builder, LbNode *features);

/* Whether lb_builder_set_maps() is listened to: then feature maps must stand alone, and not inside of an op that also
 * pools them. */
gboolean lb_builder_wants_maps (const LbBuilder *builder);

/* ---- The library's own, one file each ---- */

extern const LbArchitectureOption lb_convnet_options[], lb_vgg_options[], lb_resnet_options[], lb_vit_options[];

gboolean lb_convnet_accepts (LbBuilder *builder, LbImageSize input, GError **error);
LbNode *lb_convnet_build (LbBuilder *builder, LbNode *images);
gboolean lb_alexnet_accepts (LbBuilder *builder, LbImageSize input, GError **error);
LbNode *lb_alexnet_build (LbBuilder *builder, LbNode *images);
gboolean lb_vgg_accepts (LbBuilder *builder, LbImageSize input, GError **error);
LbNode *lb_vgg_build (LbBuilder *builder, LbNode *images);
LbNode *lb_resnet_build (LbBuilder *builder, LbNode *images);
gboolean lb_vit_accepts (LbBuilder *builder, LbImageSize input, GError **error);
LbNode *lb_vit_build (LbBuilder *builder, LbNode *images);

G_END_DECLS
