/* A network that learns: compiled steps of SGD, for the full batches of an epoch and for the smaller one that may end
 * it.
 *
 *   lb_learner_start (learner, parameters, 0.01);
 *   for each epoch:
 *     lb_learner_begin_epoch (learner, &set, lb_key_index (key, epoch));
 *     while (lb_learner_step (learner, compute, &loss))
 *       ...
 */
#pragma once

#include "nn/network.h"

G_BEGIN_DECLS

/* What a network learns from. Tensors are the caller's. */
typedef struct {
  LbTensor *images;       /* u8 or f32 [n, c, h, w], see images.h */
  LbTensor *labels;       /* i32 [n], checked */
  LbTensor *mean, *std;   /* f32 [c] */
  LbTensor *windows;      /* f32 [v, 4], checked, and ... */
  LbTensor *dense_labels; /* ... f32 [n, v, classes]; used when the settings ask for views */
} LbLearningSet;

typedef struct {
  gint64 batch; /* images of a step; a smaller set is one batch */
  double momentum, weight_decay;
  gint64 views;        /* of each image in a step, drawn without replacement; 0: images alone */
  double dense_weight; /* loss = CE (images, hard labels) + dense_weight CE (views, dense labels) */
} LbLearnerSettings;

typedef struct _LbLearner LbLearner;

/* For sets of @n_images >= 1 images of the network's size. @network is borrowed. LB_ERROR_PROGRAM. */
LbLearner *
lb_learner_new (const LbNetwork *network, gint64 n_images, const LbLearnerSettings *settings, GError **error);
void lb_learner_free (LbLearner *learner);

guint lb_learner_epoch_steps (const LbLearner *learner);
double lb_learner_epoch_flops (const LbLearner *learner);
gsize lb_learner_peak_bytes (const LbLearner *learner, guint threads);

/* From now on @parameters, f32 [p], are trained, in place, at @rate. The momentum starts from zero. */
void lb_learner_start (LbLearner *learner, LbTensor *parameters, double rate);

/* Changes the rate; the momentum starts again from zero. */
void lb_learner_set_rate (LbLearner *learner, double rate);

/* Begins a pass over @set (of n_images), in an order and with views that @key draws. @set is used until the epoch's
 * end. */
void lb_learner_begin_epoch (LbLearner *learner, const LbLearningSet *set, LbKey key);

/* The next step of the epoch. *loss is that of its batch, before the step. FALSE, and no step, when the epoch is over.
 */
gboolean lb_learner_step (LbLearner *learner, LbCompute *compute, double *loss);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbLearner, lb_learner_free)

G_END_DECLS
