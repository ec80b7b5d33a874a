/* How far two tensors are apart. Private to archive/. */
#pragma once

#include "tensor/npz.h"

G_BEGIN_DECLS

typedef struct {
  gboolean is_comparable; /* both have the same dtype and shape */
  gint64 n_different;     /* elements that are not the same bits */
  double largest;         /* difference of two elements; infinite where one is a number and the other is none */
  double magnitude;       /* of the largest element of the first, of those that are finite */
} LbDifference;

LbDifference lb_difference (const LbTensor *first, const LbTensor *second);

G_END_DECLS
