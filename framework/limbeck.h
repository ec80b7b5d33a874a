/* The one header that a plugin includes. */
#pragma once

#include "base/compute.h"
#include "base/error.h"
#include "base/file.h"
#include "base/format.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/scratch.h"
#include "base/unpack.h"
#include "graph/graph.h"
#include "graph/program.h"
#include "nn/architecture.h"
#include "nn/augment.h"
#include "nn/class-images.h"
#include "nn/cutmix.h"
#include "nn/dense-labels.h"
#include "nn/grad-cam.h"
#include "nn/images.h"
#include "nn/k-means.h"
#include "nn/learner.h"
#include "nn/network.h"
#include "nn/normalisation.h"
#include "nn/predictor.h"
#include "nn/schedule.h"
#include "nn/train.h"
#include "nn/views.h"
#include "nn/whitening.h"
#include "plugin/stage.h"
#include "stream/packet.h"
#include "stream/picture.h"
#include "tensor/half.h"
#include "tensor/npz.h"
#include "tensor/state.h"
#include "tensor/tensor.h"
#include "tensor/tensors.h"

/* At the end of a plugin's file, in place of LB_DEFINE_PLUGIN, when it brings architectures: @stages and @architectures
 * are NULL-terminated arrays of pointers; @stages may be NULL.
 *
 *   static const LbArchitecture *const architectures[] = { &small, &large, NULL };
 *   LB_DEFINE_PLUGIN_TABLES ("my-networks", "1.0", "LGPL-2.1-or-later", NULL, architectures);
 */
#define LB_DEFINE_PLUGIN_TABLES(name_, version_, licence_, stages_, architectures_)                                    \
  static gboolean limbeck_load (const char *path, GError **error)                                                      \
  {                                                                                                                    \
    return lb_architectures_add (architectures_, path, error);                                                         \
  }                                                                                                                    \
  extern const LbPlugin limbeck_plugin;                                                                                \
  G_MODULE_EXPORT const LbPlugin limbeck_plugin                                                                        \
      = { LB_PLUGIN_MAGIC, LB_INTERFACE_MAJOR, LB_INTERFACE_MINOR, sizeof (LbPlugin), name_, version_, licence_,       \
          stages_,         limbeck_load,    LB_PLUGIN_SOURCE }
