/* The table of architectures. A new one is a file with two functions, their prototypes in architecture.h, and a row
 * here. */
#include "nn/architecture.h"

static const LbArchitecture architectures[] = {
  { "convnet-d1", 1, lb_convnet_accepts, lb_convnet_build }, { "convnet-d2", 2, lb_convnet_accepts, lb_convnet_build },
  { "convnet-d3", 3, lb_convnet_accepts, lb_convnet_build }, { "convnet-d4", 4, lb_convnet_accepts, lb_convnet_build },
  { "convnet-d5", 5, lb_convnet_accepts, lb_convnet_build },
};

const LbArchitecture *
lb_architecture_find (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
    if (g_str_equal (architectures[i].name, name))
      return &architectures[i];
  return NULL;
}

const char *const *
lb_architecture_names (void)
{
  static const char *names[G_N_ELEMENTS (architectures) + 1];
  static gsize ready = 0;

  if (g_once_init_enter (&ready)) {
    for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
      names[i] = architectures[i].name;
    g_once_init_leave (&ready, 1);
  }
  return names;
}
