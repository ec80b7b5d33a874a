/* The table of architectures: the library's own, and those that plugins add. A new one is a file with its functions,
 * their prototypes in table.h, and a row here.
 */
#include <string.h>

#include "base/error.h"
#include "nn/table.h"

static const char convnet_summary[] = "ConvNet: blocks of convolution, instance norm, ReLU and average pooling";
static const char convnet_description[]
    = "The network of most distillation papers (arXiv 1804.09458, 2006.05929): 3 x 3 convolutions, one block for each "
      "number of the name, then a linear layer. Use three blocks for 28 and 32 pixels, four for 64, five for 128. "
      "28 x 28 is padded to 32 x 32.";

#define CONVNET(depth_)                                                                                                \
  {                                                                                                                    \
    .name = "convnet-d" #depth_, .summary = convnet_summary, .description = convnet_description, .depth = depth_,      \
    .options = lb_convnet_options, .accepts = lb_convnet_accepts, .build = lb_convnet_build                            \
  }

static const LbArchitecture own[] = {
  CONVNET (1),
  CONVNET (2),
  CONVNET (3),
  CONVNET (4),
  CONVNET (5),
  { .name = "alexnet",
    .summary = "AlexNet for small images: five convolutions, max pooling, no norm",
    .description = "As in the public code of dataset condensation (arXiv 2006.05929). Images end in an eighth of their "
                   "size, 28 x 28 and 32 x 32 in 4 x 4.",
    .accepts = lb_alexnet_accepts,
    .build = lb_alexnet_build },
  { .name = "vgg11",
    .summary = "VGG11 for small images: eight convolutions, instance norm, max pooling",
    .description
    = "As in the public code of dataset condensation (arXiv 2006.05929, 1409.1556). 28 x 28 and 32 x 32 end in one "
      "pixel; of larger images the linear layer takes all that the last pooling leaves.",
    .options = lb_vgg_options,
    .accepts = lb_vgg_accepts,
    .build = lb_vgg_build },
  { .name = "resnet18",
    .summary = "ResNet18 for small images: eight residual blocks, instance norm",
    .description = "As in the public code of dataset condensation (arXiv 2006.05929, 1512.03385): a 3 x 3 stem without "
                   "pooling; the mean over all pixels that remain, at any size.",
    .options = lb_resnet_options,
    .build = lb_resnet_build },
  { .name = "vit",
    .summary = "Vision transformer: patches, 8 heads, 512 features, GELU, dropout",
    .description
    = "As in the public code of GLaD (arXiv 2305.01649, 2010.11929): 6 blocks on 4 x 4 patches of 32 x 32, "
      "10 blocks on 16 x 16 patches of 128 x 128; for 128 x 128 it leaves the layer norms out, which "
      "norm=none does. In between, patches of 8 x 8. Dropout is on in training alone.",
    .options = lb_vit_options,
    .accepts = lb_vit_accepts,
    .build = lb_vit_build },
};

/* ---- Those of plugins ---- */

typedef struct {
  const LbArchitecture *architecture;
  char *origin;
} Added;

static GMutex lock;
static GArray *added; /* Added; only grows, as plugins stay loaded */

/* With the lock held. */
static const Added *
find_added (const char *name)
{
  for (guint i = 0; added && i < added->len; i++)
    if (g_str_equal (g_array_index (added, Added, i).architecture->name, name))
      return &g_array_index (added, Added, i);
  return NULL;
}

static const LbArchitecture *
find_own (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    if (g_str_equal (own[i].name, name))
      return &own[i];
  return NULL;
}

/* Always FALSE: a sentence about the table of a plugin, which only its author can correct. */
static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN, "%s; correct the plugin's table", text);
  return FALSE;
}

/* Small letters, digits and '-', beginning with a letter. */
static gboolean
is_good_name (const char *name)
{
  return name && g_ascii_islower (*name) && strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen (name);
}

static gboolean
check_option (const LbArchitecture *row, const LbArchitectureOption *option, GError **error)
{
  g_autoptr (GError) reason = NULL;
  double value;

  if (!is_good_name (option->name))
    return refuse (error, "option '%s' of architecture '%s' is not named in small letters, digits and '-'",
                   option->name, row->name);
  if (!option->doc || !*option->doc)
    return refuse (error, "option '%s' of architecture '%s' has no doc", option->name, row->name);
  if (option->choices && !option->choices[0])
    return refuse (error, "option '%s' of architecture '%s' is a choice of nothing", option->name, row->name);
  if (!option->fallback || !lb_architecture_option_read (option, option->fallback, &value, &reason))
    return refuse (error, "the default of option '%s' of architecture '%s' is not one of its values", option->name,
                   row->name);
  return TRUE;
}

static gboolean
check_row (const LbArchitecture *row, GError **error)
{
  if (!is_good_name (row->name))
    return refuse (error, "architecture '%s' is not named in small letters, digits and '-'",
                   row->name ? row->name : "");
  if (!row->summary || !*row->summary)
    return refuse (error, "architecture '%s' has no summary", row->name);
  if (!row->build)
    return refuse (error, "architecture '%s' has no build function", row->name);
  for (const LbArchitectureOption *option = row->options; option && option->name; option++)
    if (!check_option (row, option, error))
      return FALSE;
  return TRUE;
}

/* With the lock held: whether @row may be added; one that is there already may. */
static gboolean
check_new (const LbArchitecture *row, const char *origin, GError **error)
{
  const Added *known = find_added (row->name);

  if ((known && known->architecture == row) || (!known && !find_own (row->name)))
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PLUGIN,
               "architecture '%s' of '%s' is known already from '%s'; keep one of the two on the plugin path",
               row->name, origin, known ? known->origin : "built-in");
  return FALSE;
}

gboolean
lb_architectures_add (const LbArchitecture *const *rows, const char *origin, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);

  for (guint i = 0; rows[i]; i++) {
    if (!check_row (rows[i], error) || !check_new (rows[i], origin, error))
      return FALSE;
    for (guint k = 0; k < i; k++)
      if (g_str_equal (rows[k]->name, rows[i]->name))
        return refuse (error, "architecture '%s' stands in the table twice", rows[i]->name);
  }
  if (!added)
    added = g_array_new (FALSE, FALSE, sizeof (Added));
  for (guint i = 0; rows[i]; i++)
    if (!find_added (rows[i]->name)) {
      Added one = { rows[i], g_strdup (origin) };
      g_array_append_val (added, one);
    }
  return TRUE;
}

/* ---- Looking up ---- */

const LbArchitecture *
lb_architecture_find (const char *name)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  const LbArchitecture *found = find_own (name);
  const Added *from_plugin = found ? NULL : find_added (name);

  return from_plugin ? from_plugin->architecture : found;
}

const char *
lb_architecture_origin (const LbArchitecture *architecture)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  const Added *from_plugin = find_added (architecture->name);

  return from_plugin ? from_plugin->origin : "built-in";
}

const char **
lb_architecture_names (void)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&lock);
  guint n_added = added ? added->len : 0, n = 0;
  const char **names = g_new0 (const char *, G_N_ELEMENTS (own) + n_added + 1);

  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    names[n++] = own[i].name;
  for (guint i = 0; i < n_added; i++)
    names[n++] = g_array_index (added, Added, i).architecture->name;
  return names;
}
