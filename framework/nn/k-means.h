/* Clusters of points. */
#pragma once

#include "base/random.h"
#include "tensor/tensor.h"

G_BEGIN_DECLS

/* Centres of clusters of @points, f32 [n, ...], into @centres, f32 [k, ...] with k <= n: k-means by Lloyd's iterations
 * (IEEE Transactions on Information Theory 28, 1982) until no point changes its cluster, a hundred at most. @key draws
 * the start: each next centre is a point taken with a probability in proportion to its squared distance from the
 * nearest centre before it (k-means++; Arthur, Vassilvitskii, SODA 2007). A cluster that loses all of its points keeps
 * its centre, and of equally near centres the first counts. Means are summed in double precision in the order of the
 * points. */
void lb_k_means (const LbTensor *points, LbKey key, LbTensor *centres);

/* Bytes that this takes beside both tensors, for @n points of @d numbers. */
gsize lb_k_means_bytes (gint64 n, gint64 k, gint64 d);

G_END_DECLS
