/* A step of training on a batch: from images and labels to new parameters, as one compiled program for batches of one
 * size, and what its inputs are bound to. Private to nn/.
 */
#pragma once

#include "nn/learner.h"
#include "nn/train.h"

G_BEGIN_DECLS

/* Moments of an optimiser. */
#define LB_MOST_MOMENTS 2

guint lb_learner_n_moments (const LbLearnerSettings *settings);

/* The settings of Adam; @settings must ask for it. */
LbAdam lb_learner_adam (const LbLearnerSettings *settings);

/* What steps of all sizes change and read in common. */
typedef struct {
  LbTensor *parameters, *moments[LB_MOST_MOMENTS]; /* f32 [p]; NULL where the optimiser has none */
  LbTensor *rate, *corrections[LB_MOST_MOMENTS];   /* f32 [] */
} LbOptimiserState;

/* Images of a set, as many as a step takes; what is drawn for them depends on @key, of the epoch, and on their place.
 */
typedef struct {
  const LbLearningSet *set;
  const guint32 *images;
  LbKey key;
  gint64 place; /* of the first in the epoch */
} LbBatch;

/* One step on batches of one size. */
typedef struct {
  const LbNetwork *network; /* borrowed */
  LbLearnerSettings settings;
  gint64 batch; /* images of one */
  LbProgram *program;
  LbNode **parameters, **moments[LB_MOST_MOMENTS]; /* inputs; NULL where the optimiser has none */
  LbNode *rate, *corrections[LB_MOST_MOMENTS], *images, *targets, *view_images, *where, *view_targets;
  LbNode *keys, *view_keys; /* of dropout; NULL without */
  LbAugmenter *augmenter, *view_augmenter;
  LbNode *loss;
  /* Of CutMix: the images that show through, as they are augmented among the batch; NULL without. */
  LbNode *partners;
  LbAugmenter *partner_augmenter;
  LbCutMix *cutmix;
  guint32 *places, *partner_images; /* [batch]: of the partners in the batch and in the set */
  LbTensor *partner_values;
  /* Of views: the images they are cut from, [batch * views], and an order of windows. */
  guint32 *view_rows, *view_order;
  gint64 n_windows;
  /* What is bound to the inputs of a batch; NULL until the first start. */
  LbTensor *image_values, *target_values, *view_values, *where_values, *view_target_values;
  LbTensor *key_values, *view_key_values;
} LbBatchStep;

/* For batches of @batch images. @network is borrowed. LB_ERROR_PROGRAM. */
LbBatchStep *
lb_batch_step_new (const LbNetwork *network, gint64 batch, const LbLearnerSettings *settings, GError **error);
void lb_batch_step_free (LbBatchStep *step);

/* Bytes held while it runs on @threads workers: the program, and what is bound for a batch. */
gsize lb_batch_step_bytes (const LbBatchStep *step, guint threads);

/* Trains @state from now on. Later calls must have the same rate and corrections. */
void lb_batch_step_bind (LbBatchStep *step, const LbOptimiserState *state);

/* Fills the inputs with @batch; then step->program can run, and step->loss is its loss. */
void lb_batch_step_load (LbBatchStep *step, const LbBatch *batch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbBatchStep, lb_batch_step_free)

G_END_DECLS
