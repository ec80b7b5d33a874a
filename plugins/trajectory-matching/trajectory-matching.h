/* Inside trajectory-matching: what its files share. */
#pragma once

#include "limbeck.h"

typedef struct {
  char *start, *augmentation, *gradient, *last_good;
  gint64 images_per_class, iterations, inner_steps, expert_epochs, max_start, start_growth, synthetic_batch;
  double image_learning_rate, image_momentum, inner_learning_rate, rate_learning_rate, intermediate_weight, clip,
      label_learning_rate, label_confidence;
  gboolean learn_labels;
} TrajectoryMatching;

/* ---- experts.c: their snapshots, on the disk ---- */

typedef struct {
  char *architecture; /* of all experts */
  LbTensor *mean, *std, *whitening_mean;
  gint64 n, snapshots, parameters; /* experts, snapshots of each, elements of one */
  double rate;                     /* that the first expert was trained with */
  double flops;                    /* of training all of them */
  LbScratch *scratch;
} Experts;

/* Reads all packets of input 'experts'; each must have @wanted snapshots. */
gboolean experts_read (Experts *experts, LbStage *stage, gint64 wanted, GError **error);
/* Snapshot @epoch of expert @expert into @out, f32 [p]. */
gboolean experts_load (const Experts *experts, gint64 expert, gint64 epoch, LbTensor *out, GError **error);
void experts_clear (Experts *experts);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Experts, experts_clear)

/* ---- unroll.c: the inner loop and its gradient ---- */

/* What one step of the inner loop is: a batch of synthetic images, augmented, and their cross-entropy. Two programs
 * have these inputs. */
typedef struct {
  LbGraph *graph;
  LbNode *images, *labels, *rate, *loss, **parameters, **gradients; /* gradients of the loss by each parameter tensor */
  LbAugmenter *augmenter;                                           /* NULL without augmentation */
  LbProgram *program;
} InnerStep;

/* N steps theta <- theta - rate dCE (batch)/dtheta, and the gradient of what they end in, backward one step at a time:
 * with lambda = dL/dtheta_k+1, g_k = dCE (theta_k)/dtheta and s = <lambda, g_k>, lambda held fixed,
 *
 *   dL/dimages -= rate ds/dimages,   dL/drate -= s,   dL/dtheta_k = lambda - rate ds/dtheta_k
 *
 * which needs theta_k alone: they lie on the disk. Exactly the gradient of the unrolled graph. */
typedef struct {
  const LbNetwork *network; /* borrowed */
  LbDType dtype;
  gint64 n, batch, steps;  /* synthetic images, those of a step, and steps */
  gboolean soft, detached; /* labels are logits that are learned; lambda is not carried through the steps (TESLA) */
  InnerStep forward, backward;
  LbNode **lambda, *product, *by_images, *by_labels;                    /* of @backward; by_labels NULL unless soft */
  LbTensor *batch_images, *batch_labels, *rate_value, *theta, *adjoint; /* theta_k and lambda, f32 [p] */
  LbScratch *tape;                                                      /* theta_0 .. theta_(N - 1) */
  guint32 *order;                                                       /* [steps * batch] images of the steps */
  guint32 *permutation;                                                 /* [n] */
} Unroll;

/* Synthetic images and what is learned with them: f32 [n, h, w, c] and f32 [n, classes], one-hot rows or logits. */
typedef struct {
  LbTensor *images, *labels;
} Synthetic;

/* @dtype is LB_F32 but in tests. The tensors that it binds are of it, too. */
gboolean
unroll_build (Unroll *unroll, const LbNetwork *network, const TrajectoryMatching *self, LbDType dtype, GError **error);
/* Makes what the programs are bound to; the tape lies in @directory. */
gboolean unroll_bind (Unroll *unroll, const char *directory, GError **error);
/* Draws the batches of all steps. */
void unroll_draw (Unroll *unroll, LbKey key);
/* Step @step = 0, 1, ... forward: moves ->theta, which is put on the tape; *loss is that of the batch before. @key
 * draws the augmentation of all steps. */
gboolean unroll_forward (Unroll *unroll, gint64 step, const Synthetic *synthetic, double rate, double *loss, LbKey key,
                         LbCompute *compute, GError **error);
/* Step @step backward, after those behind it: adds to @gradient and *by_rate, and makes of ->adjoint, dL/dtheta_k+1,
 * dL/dtheta_k. ->theta is theta_k then. */
gboolean unroll_backward (Unroll *unroll, gint64 step, const Synthetic *synthetic, const Synthetic *gradient,
                          double rate, double *by_rate, LbKey key, LbCompute *compute, GError **error);
/* Operations of all steps forward and backward, and bytes of both programs and what is bound to them. */
double unroll_flops (const Unroll *unroll);
double unroll_bytes (const Unroll *unroll, guint threads);
void unroll_clear (Unroll *unroll);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Unroll, unroll_clear)

/* ---- distil.c: the outer loop ---- */

typedef struct {
  const TrajectoryMatching *self;
  LbStage *stage;
  LbNetwork *network;
  LbPacket *normalisation; /* those fields of the source */
  gint64 classes;
  Experts experts;
  Unroll unroll;
  Synthetic synthetic, gradient, momentum; /* labels are moved only when they are learned */
  LbTensor *target;                        /* f32 [p], the expert's snapshot that a step aims at */
  double *apart;                           /* [M + 1] squared distances of the expert's snapshots from the start */
  double log_rate, rate_momentum;          /* logarithm of the inner learning rate */
  double first_rate;                       /* which it began with */
  double loss;                             /* of the last iteration */
  gint64 iteration;
} Distillation;

/* From ->synthetic.images, f32 [n, h, w, c], class by class, which the caller gives. */
gboolean distillation_run (Distillation *d, GError **error);
/* Images, hard labels, normalisation and inner learning rate, new; and the same with a soft label for each image, as
 * that of one view, the whole image. */
LbPacket *distillation_samples (const Distillation *d);
LbPacket *distillation_augmented (const Distillation *d);
/* Floating-point operations of a whole run, and bytes, once ->unroll is built. */
double distillation_flops (const Distillation *d);
double distillation_bytes (const Distillation *d, guint threads);
void distillation_clear (Distillation *d);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Distillation, distillation_clear)
