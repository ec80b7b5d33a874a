/* k-means: a start, and Lloyd's iterations. */
#include "nn/k-means.h"

#include <math.h>
#include <string.h>

#define ITERATIONS 100
#define LANES      16 /* partial sums of a distance, whatever the width of the machine's vectors */

typedef struct {
  const float *points;
  float *centres;
  gint64 n, k, d;
  float *nearest;   /* [n]: squared distance to the nearest centre */
  guint32 *cluster; /* [n] */
  double *sums;     /* [k, d] */
  gint64 *counts;   /* [k] */
} Clustering;

static float
squared_distance (const float *a, const float *b, gint64 d)
{
  float lanes[LANES] = { 0 };
  gint64 i = 0;

  for (; i + LANES <= d; i += LANES)
    for (gint64 lane = 0; lane < LANES; lane++) {
      float difference = a[i + lane] - b[i + lane];
      lanes[lane] += difference * difference;
    }
  for (gint64 lane = 0; i < d; i++, lane++) {
    float difference = a[i] - b[i];
    lanes[lane] += difference * difference;
  }
  for (gint64 half = LANES / 2; half > 0; half /= 2)
    for (gint64 lane = 0; lane < half; lane++)
      lanes[lane] += lanes[lane + half];
  return lanes[0];
}

/* ---- The start ---- */

static void
place_centre (Clustering *c, gint64 centre, gint64 point)
{
  memcpy (c->centres + centre * c->d, c->points + point * c->d, (gsize)c->d * sizeof (float));
}

/* A point, with a probability in proportion to its distance; any, when all lie on centres. */
static gint64
draw_point (const Clustering *c, LbRandom *random)
{
  double total = 0, wanted;
  gint64 point = 0;

  for (gint64 i = 0; i < c->n; i++)
    total += c->nearest[i];
  if (!(total > 0))
    return (gint64)lb_random_below (random, (guint64)c->n);
  wanted = lb_random_uniform (random) * total;
  for (gint64 i = 0; i < c->n && wanted >= 0; i++)
    if (c->nearest[i] > 0) {
      point = i;
      wanted -= c->nearest[i];
    }
  return point;
}

static void
start (Clustering *c, LbRandom *random)
{
  place_centre (c, 0, (gint64)lb_random_below (random, (guint64)c->n));
  for (gint64 i = 0; i < c->n; i++)
    c->nearest[i] = INFINITY;
  for (gint64 centre = 1; centre < c->k; centre++) {
    for (gint64 i = 0; i < c->n; i++)
      c->nearest[i]
          = MIN (c->nearest[i], squared_distance (c->points + i * c->d, c->centres + (centre - 1) * c->d, c->d));
    place_centre (c, centre, draw_point (c, random));
  }
}

/* ---- Iterations ---- */

/* Each point into the cluster of its nearest centre; how many came into another one. */
static gint64
assign (Clustering *c)
{
  gint64 moved = 0;

  for (gint64 i = 0; i < c->n; i++) {
    guint32 best = 0;
    float least = INFINITY;

    for (gint64 centre = 0; centre < c->k; centre++) {
      float distance = squared_distance (c->points + i * c->d, c->centres + centre * c->d, c->d);

      if (distance < least) {
        least = distance;
        best = (guint32)centre;
      }
    }
    moved += best != c->cluster[i];
    c->cluster[i] = best;
  }
  return moved;
}

static void
move_centres (Clustering *c)
{
  memset (c->sums, 0, (gsize)(c->k * c->d) * sizeof *c->sums);
  memset (c->counts, 0, (gsize)c->k * sizeof *c->counts);
  for (gint64 i = 0; i < c->n; i++) {
    double *sum = c->sums + c->cluster[i] * c->d;

    c->counts[c->cluster[i]]++;
    for (gint64 j = 0; j < c->d; j++)
      sum[j] += c->points[i * c->d + j];
  }
  for (gint64 centre = 0; centre < c->k; centre++)
    for (gint64 j = 0; j < c->d && c->counts[centre] > 0; j++)
      c->centres[centre * c->d + j] = (float)(c->sums[centre * c->d + j] / (double)c->counts[centre]);
}

void
lb_k_means (const LbTensor *points, LbKey key, LbTensor *centres)
{
  gint64 n = lb_tensor_dim (points, 0), k = lb_tensor_dim (centres, 0), d = lb_tensor_size (points) / MAX (n, 1);
  g_autofree float *nearest = g_new (float, n);
  g_autofree guint32 *cluster = g_new (guint32, n);
  g_autofree double *sums = g_new (double, k *d);
  g_autofree gint64 *counts = g_new (gint64, k);
  Clustering c = { lb_tensor_f32 (points), lb_tensor_f32 (centres), n, k, d, nearest, cluster, sums, counts };
  LbRandom random = lb_random (key);

  g_assert (k >= 1 && k <= n && lb_tensor_size (centres) == k * d);
  start (&c, &random);
  for (gint64 i = 0; i < n; i++)
    cluster[i] = G_MAXUINT32;
  for (guint iteration = 0; iteration < ITERATIONS && assign (&c) > 0; iteration++)
    move_centres (&c);
}

gsize
lb_k_means_bytes (gint64 n, gint64 k, gint64 d)
{
  return (gsize)n * (sizeof (float) + sizeof (guint32)) + (gsize)k * ((gsize)d * sizeof (double) + sizeof (gint64));
}
