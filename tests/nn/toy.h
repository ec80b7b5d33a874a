/* A tiny set that any network can tell apart: grey 8 x 8 images whose left (class 0) or right (class 1) half is bright.
 */
#pragma once

#include "nn/numeric.h"

typedef struct {
  LbTensor *images, *labels, *mean, *std;
} Toy;

static inline Toy
toy_new (gint64 n, guint64 seed)
{
  LbRandom random = lb_random (lb_key_derive (lb_key (seed), "toy"));
  Toy toy = { lb_tensor_new (LB_U8, LB_SHAPE (n, 1, 8, 8)), lb_tensor_new (LB_I32, LB_SHAPE (n)),
              TENSOR (LB_SHAPE (1), 0.4f), TENSOR (LB_SHAPE (1), 0.3f) };

  for (gint64 i = 0; i < n; i++) {
    lb_tensor_i32 (toy.labels)[i] = (gint32)(i % 2);
    for (gint64 p = 0; p < 64; p++)
      lb_tensor_u8 (toy.images)[64 * i + p] = (guint8)(lb_random_below (&random, 60) + (p % 8 / 4 == i % 2 ? 150 : 20));
  }
  return toy;
}

static inline void
toy_clear (Toy *toy)
{
  lb_tensor_unref (toy->images);
  lb_tensor_unref (toy->labels);
  lb_tensor_unref (toy->mean);
  lb_tensor_unref (toy->std);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Toy, toy_clear)
