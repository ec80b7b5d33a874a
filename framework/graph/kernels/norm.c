/* Instance norm and its first and second derivative (formulas in ops-norm.c), vectors across channels, image by image.
 *
 * Sums over pixels are kept for a strip of channels in registers; the last channels of a count that fills no vector run
 * one by one. An image of a ConvNet's first layer is half a megabyte: its passes stay in the second-level cache.
 */
#include "graph/kernels/variant.h"

/* Vectors of a strip: enough independent sums to hide the latency of an addition. */
#define STRIP 4

/* Sums over pixels of up to three terms for each channel, in one pass. TERMS is a block that may use x, y, z (pixels of
 * the images X, Y, Z) and p, q (the channel's P, Q) and adds to s0, s1, s2, which end in S0, S1, S2. */
#define SUM_CHANNELS(TERMS)                                                                                            \
  do {                                                                                                                 \
    gint64 k = 0;                                                                                                      \
    for (; k + STRIP * LANES <= c; k += STRIP * LANES) {                                                               \
      vec t0[STRIP] = { { 0 } }, t1[STRIP] = { { 0 } }, t2[STRIP] = { { 0 } };                                         \
      for (gint64 i = 0; i < m; i++)                                                                                   \
        for (int v = 0; v < STRIP; v++) {                                                                              \
          gint64 o = k + v * LANES;                                                                                    \
          typedef vec number;                                                                                          \
          number x = load (X + i * c + o), y = load (Y + i * c + o), z = load (Z + i * c + o);                         \
          number p = load (P + o), q = load (Q + o);                                                                   \
          number s0 = t0[v], s1 = t1[v], s2 = t2[v];                                                                   \
          TERMS;                                                                                                       \
          t0[v] = s0, t1[v] = s1, t2[v] = s2;                                                                          \
          (void)x, (void)y, (void)z, (void)p, (void)q;                                                                 \
        }                                                                                                              \
      for (int v = 0; v < STRIP; v++) {                                                                                \
        store (S0 + k + v * LANES, t0[v]);                                                                             \
        store (S1 + k + v * LANES, t1[v]);                                                                             \
        store (S2 + k + v * LANES, t2[v]);                                                                             \
      }                                                                                                                \
    }                                                                                                                  \
    for (; k < c; k++) {                                                                                               \
      typedef real number;                                                                                             \
      number s0 = 0, s1 = 0, s2 = 0, p = P[k], q = Q[k];                                                               \
      for (gint64 i = 0; i < m; i++) {                                                                                 \
        number x = X[i * c + k], y = Y[i * c + k], z = Z[i * c + k];                                                   \
        TERMS;                                                                                                         \
        (void)x, (void)y, (void)z;                                                                                     \
      }                                                                                                                \
      (void)p, (void)q;                                                                                                \
      S0[k] = s0, S1[k] = s1, S2[k] = s2;                                                                              \
    }                                                                                                                  \
  } while (0)

/* Mean of each channel of one image into @mean, 1 / sqrt (variance + epsilon) into @r; @unused is two rows of room. */
static void
statistics (const real *X, gint64 m, gint64 c, real epsilon, real *mean, real *r, real *unused)
{
  const real *Y = X, *Z = X, *P = unused, *Q = unused;
  real *S0 = mean, *S1 = unused, *S2 = unused + c;
  memset (unused, 0, 2 * c * sizeof (real));
  SUM_CHANNELS (s0 += x);
  for (gint64 k = 0; k < c; k++)
    mean[k] /= (real)m;
  P = mean, Q = mean;
  S0 = r;
  SUM_CHANNELS (number d = x - p; s0 = MULTIPLY_ADD (d, d, s0));
  for (gint64 k = 0; k < c; k++)
    r[k] = 1 / (real)sqrt ((double)(r[k] / (real)m + epsilon));
}

void
KERNEL (instance_norm) (const LbCall *call)
{
  gint64 c = call->output_shape.dim[3], m = call->output_shape.dim[1] * call->output_shape.dim[2];
  real *mean = call->scratch, *r = mean + c, *room = r + c;
  for (gint64 n = 0; n < call->output_shape.dim[0]; n++) {
    const real *x = (const real *)call->inputs[0] + n * m * c;
    real *out = (real *)call->output + n * m * c;
    statistics (x, m, c, call->node->attributes.factor, mean, r, room);
    for (gint64 i = 0; i < m; i++)
      for (gint64 k = 0; k < c; k++)
        out[i * c + k] = (x[i * c + k] - mean[k]) * r[k];
  }
}

/* r (g - mean (g) - xhat mean (g xhat)) */
void
KERNEL (instance_norm_gradient) (const LbCall *call)
{
  gint64 c = call->output_shape.dim[3], m = call->output_shape.dim[1] * call->output_shape.dim[2];
  real *mean = call->scratch, *r = mean + c, *S0 = r + c, *S1 = S0 + c, *S2 = S1 + c;
  for (gint64 n = 0; n < call->output_shape.dim[0]; n++) {
    const real *X = (const real *)call->inputs[0] + n * m * c, *Y = (const real *)call->inputs[1] + n * m * c;
    const real *Z = X, *P = mean, *Q = r;
    real *out = (real *)call->output + n * m * c;
    statistics (X, m, c, call->node->attributes.factor, mean, r, S0);
    SUM_CHANNELS (s0 += y; s1 = MULTIPLY_ADD (y, (x - p) * q, s1));
    for (gint64 k = 0; k < c; k++) {
      S0[k] /= (real)m;
      S1[k] /= (real)m;
    }
    for (gint64 i = 0; i < m; i++)
      for (gint64 k = 0; k < c; k++)
        out[i * c + k] = r[k] * (Y[i * c + k] - S0[k] - (X[i * c + k] - mean[k]) * r[k] * S1[k]);
  }
}

void
KERNEL (instance_norm_second) (const LbCall *call)
{
  gint64 c = call->output_shape.dim[3], m = call->output_shape.dim[1] * call->output_shape.dim[2];
  real *mean = call->scratch, *r = mean + c, *mean_g = r + c, *mean_v = mean_g + c;
  real *A = mean_v + c, *B = A + c, *C = B + c, *room = C + c;
  for (gint64 n = 0; n < call->output_shape.dim[0]; n++) {
    const real *X = (const real *)call->inputs[0] + n * m * c, *Y = (const real *)call->inputs[1] + n * m * c;
    const real *Z = (const real *)call->inputs[2] + n * m * c, *P = room, *Q = room;
    real *out = (real *)call->output + n * m * c, *S0 = mean_g, *S1 = mean_v, *S2 = room;
    statistics (X, m, c, call->node->attributes.factor, mean, r, A);
    memset (room, 0, c * sizeof (real));
    SUM_CHANNELS (s0 += y; s1 += z);
    for (gint64 k = 0; k < c; k++) {
      mean_g[k] /= (real)m;
      mean_v[k] /= (real)m;
    }
    S0 = B, S1 = C, P = mean, Q = r;
    SUM_CHANNELS (number h = (x - p) * q; s0 = MULTIPLY_ADD (y, h, s0); s1 = MULTIPLY_ADD (z, h, s1));
    S0 = A, S1 = room, P = mean_g, Q = mean_v;
    S2 = room;
    SUM_CHANNELS (s0 = MULTIPLY_ADD (y - p, z - q, s0));
    for (gint64 i = 0; i < m; i++)
      for (gint64 k = 0; k < c; k++) {
        real xhat = (X[i * c + k] - mean[k]) * r[k];
        real along = A[k] - 3 * B[k] * C[k] / (real)m;
        real gc = Y[i * c + k] - mean_g[k], vc = Z[i * c + k] - mean_v[k];
        out[i * c + k] = -(r[k] * r[k] / (real)m) * (xhat * along + C[k] * gc + B[k] * vc);
      }
  }
}
