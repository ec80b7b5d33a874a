/* A network that learns, in its training mode (batch statistics, dropout): compiled steps of an optimiser, for the full
 * batches of an epoch and for the smaller one that may end it.
 *
 *   lb_learner_start (learner, parameters, 0.01);
 *   while ((epoch = lb_learner_epochs (learner)) < epochs) {
 *     lb_learner_begin_epoch (learner, &set, lb_key_index (key, epoch));
 *     while (lb_learner_step (learner, compute, &loss))
 *       ...
 *   }
 *
 * All that the rest of a training depends on, beside network, settings and set, is the learner's state: it can be saved
 * between any two steps and restored in a learner that was made alike, and what follows has the same bits.
 */
#pragma once

#include "nn/augment.h"
#include "nn/cutmix.h"
#include "nn/network.h"
#include "nn/schedule.h"
#include "tensor/npz.h"

G_BEGIN_DECLS

/* What a network learns from. Tensors are the caller's. */
typedef struct {
  LbTensor *images;       /* u8 or f32 [n, c, h, w], see images.h */
  LbTensor *labels;       /* i32 [n], checked */
  LbTensor *mean, *std;   /* f32 [c] */
  LbTensor *windows;      /* f32 [v, 4], checked, and ... */
  LbTensor *dense_labels; /* ... f32 [n, v, classes]; used when the settings ask for views */
} LbLearningSet;

typedef enum {
  LB_OPTIMISER_SGD,  /* with .momentum */
  LB_OPTIMISER_ADAM, /* with .beta1, .beta2, .epsilon, as lb_adam_step() */
  LB_OPTIMISER_ADAMW
} LbOptimiser;

typedef struct {
  gint64 batch; /* images of a step; a smaller set is one batch */
  LbOptimiser optimiser;
  double momentum, weight_decay;
  double beta1, beta2, epsilon;
  double clip;         /* norm that gradients are clipped to, as lb_clip_norm(); 0: none */
  LbSchedule schedule; /* of the rate; all zero: constant */
  /* Weight of the past in an exponential moving average of the parameters, after each step t = 0, 1, ...: average = d
   * average + (1 - d) parameters with d = min (average_decay, (1 + t) / (10 + t)), so that it does not remember the
   * start; 0: none. */
  double average_decay;
  LbAugmentation augmentation; /* of images, and of views once they are cut; drawn for each image */
  double cutmix; /* probability that the images of a step, once augmented, are mixed; views never are (cutmix.h) */
  gint64 views;  /* of each image in a step, drawn without replacement; 0: images alone */
  /* loss = CE (images, hard labels) + dense_weight CE (views, dense labels), the scores of views divided by T =
   * dense_temperature before softmax; 0 is 1 there. That makes gradients smaller by T, and in the limit of high ones by
   * T^2, which a dense_weight of T^2 makes up for (Hinton, Vinyals, Dean, arXiv 1503.02531, section 2). */
  double dense_weight, dense_temperature;
  /* Weight of lb_gradient_penalty() at the images of the batch as they are in the set, in training mode; what batch
   * norm sees there moves no statistics. 0: none. */
  double gradient_penalty;
} LbLearnerSettings;

/* A training: its compiled steps and where it stands. */
typedef struct _LbLearner LbLearner;

/* For sets of @n_images >= 1 images of the network's size. @network is borrowed. LB_ERROR_PROGRAM. */
LbLearner *
lb_learner_new (const LbNetwork *network, gint64 n_images, const LbLearnerSettings *settings, GError **error);
void lb_learner_free (LbLearner *learner);

/* Steps of one epoch, and the floating-point operations that it takes. */
guint lb_learner_epoch_steps (const LbLearner *learner);
double lb_learner_epoch_flops (const LbLearner *learner);

/* Bytes held while it learns on @threads workers: programs, batches, moments and average; not the parameters, not the
 * set. */
gsize lb_learner_peak_bytes (const LbLearner *learner, guint threads);

/* From now on @parameters, f32 [p], are trained, in place, at @rate times the schedule's factor. Moments and counters
 * start from zero, the average from @parameters. */
void lb_learner_start (LbLearner *learner, LbTensor *parameters, double rate);

/* Begins a pass over @set (of n_images), in an order and with views, augmentation and dropout that @key draws.
 * @set is used until the epoch's end. */
void lb_learner_begin_epoch (LbLearner *learner, const LbLearningSet *set, LbKey key);

/* The next step of the epoch. *loss is that of its batch, before the step. FALSE, and no step, when the epoch is over.
 */
gboolean lb_learner_step (LbLearner *learner, LbCompute *compute, double *loss);

/* Complete epochs since the start, and whether another one has begun. */
guint64 lb_learner_epochs (const LbLearner *learner);
gboolean lb_learner_in_epoch (const LbLearner *learner);

/* Steps since the start. */
guint64 lb_learner_steps (const LbLearner *learner);

/* What the training gives: the average when the settings ask for one, else the parameters. The learner's. */
LbTensor *lb_learner_result (const LbLearner *learner);

/* The state, as an array of LbNamedTensor that frees its elements: "parameters", "moment1", "moment2" and "average"
 * (f32 [p], those that there are) and "position" (i64 [5]). The tensors are the learner's own: write them before the
 * next step. */
GArray *lb_learner_save (const LbLearner *learner);

/* Goes on from @state after lb_learner_start() with the same rate: overwrites the parameters given there. @set is that
 * of the epoch at hand. Then, when lb_learner_in_epoch(), lb_learner_step() finishes that epoch; it must not be begun
 * again. FALSE and LB_ERROR_INPUT, with nothing changed, when @state is not that of such a learner. */
gboolean lb_learner_restore (LbLearner *learner, const LbLearningSet *set, GArray *state, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbLearner, lb_learner_free)

G_END_DECLS
