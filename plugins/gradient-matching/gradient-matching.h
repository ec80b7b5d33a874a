/* Inside gradient-matching: what its files share.
 *
 * Synthetic images are kept as the small ones they are made of: with formation f, a stored image is f x f small images
 * of 1/f of its sides, and what networks see is each of them enlarged. Small images lie class by class, stored image by
 * stored image, row by row. Without formation (1) small, stored and seen images are the same.
 */
#pragma once

#include "limbeck.h"

typedef struct {
  char *architecture, *start, *augmentation, *distance, *network_data, *network_augmentation, *image_schedule;
  gint64 images_per_class, formation, iterations, outer_steps, inner_epochs, real_batch, synthetic_batch, batch,
      network_images;
  double image_learning_rate, image_momentum, learning_rate, momentum, weight_decay, network_cutmix;
  gboolean clamp;
} GradientMatching;

/* ---- distance.c ---- */

/* In the order of the property's choices. */
typedef enum { DISTANCE_OURS, DISTANCE_MSE, DISTANCE_COS, DISTANCE_L1 } Distance;

/* Whether the gradient of a tensor of @shape takes part. */
gboolean distance_takes (Distance distance, LbShape shape);

/* The distance of gradients @real and @synthetic of @n tensors, a scalar. */
LbNode *distance_build (Distance distance, LbNode *const *real, LbNode *const *synthetic, guint n);

/* ---- match.c and statistics.c: the programs, compiled once, used for every class and network ---- */

/* One side of the match: a batch of images of one class, and the gradients that its mean cross-entropy has with respect
 * to those of the network's tensors that the distance takes. */
typedef struct {
  guint n_weights;
  LbGraph *graph;
  LbNode *images, *enlarging, *targets, **parameters, **gradients; /* enlarging NULL without formation */
  LbAugmenter *augmenter;                                          /* NULL without augmentation */
  LbProgram *program;
  LbTensor *image_values, *enlarging_values, *target_values;
} Side;

typedef struct {
  Side real, ours;                            /* @ours takes the gradients of @real as inputs ... */
  LbNode **given, *distance, *image_gradient; /* ... these, and ends in these */
} Match;

/* Sizes: of the batch of real images, and of that of synthetic small ones. */
gboolean match_build (Match *match, const LbNetwork *network, const GradientMatching *self, gint64 real, gint64 small,
                      GError **error);
/* Gives the programs batches of their own, and the network's parameters in @flat. */
void match_bind (Match *match, const LbNetwork *network, LbTensor *flat);
double match_flops (const Match *match);
gsize match_bytes (const Match *match, guint threads);
void match_clear (Match *match);

/* Of a network with batch norm: one pass of a batch of real images, as in training, moves its running statistics, with
 * which it then answers while gradients are matched. That is how the public code of dataset condensation treats it, as
 * a batch of synthetic images of one class has no statistics worth the name. */
typedef struct {
  gint64 each; /* images of a class in the batch */
  LbNode *images, **parameters;
  LbProgram *program; /* NULL when the network keeps no statistics */
  LbTensor *image_values;
} Statistics;

/* For @classes, of which the smallest has @smallest images, or LB_UNKNOWN. */
gboolean statistics_build (Statistics *statistics, const LbNetwork *network, gint64 smallest, GError **error);
/* Those in @flat, the network's parameters, are moved from now on. */
void statistics_bind (Statistics *statistics, const LbNetwork *network, LbTensor *flat);
/* A pass of images drawn with @key. */
void statistics_move (Statistics *statistics, LbClassImages *source, LbKey key, LbCompute *compute);
double statistics_flops (const Statistics *statistics);
gsize statistics_bytes (const Statistics *statistics, guint threads);
void statistics_clear (Statistics *statistics);

/* Makes of small images [n, h / f, w / f, c] what networks see, [n, h, w, c]. */
typedef struct {
  LbNode *images, *enlarging, *seen;
  LbProgram *program;
  LbTensor *enlarging_values;
} Enlarger;

/* @n small images, @formation x @formation of which fill one of @size. */
gboolean enlarger_build (Enlarger *enlarger, gint64 n, LbImageSize size, gint64 formation, GError **error);
/* @small, of the size above, is what it enlarges from now on. */
void enlarger_bind (Enlarger *enlarger, LbTensor *small);
gsize enlarger_bytes (const Enlarger *enlarger, guint threads);
void enlarger_clear (Enlarger *enlarger);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Enlarger, enlarger_clear)

/* ---- formation.c: formed sets that were stored ---- */

extern const LbStageType formation_type;

/* Puts the small images of each stored one beside and below each other: [n * f * f, h, w, c] becomes [n, h f, w f, c],
 * f32, new. What stage 'formation' takes apart again. */
LbTensor *formation_compose (LbTensor *small, gint64 formation);

/* ---- distil.c: the loops ---- */

typedef struct {
  const GradientMatching *self;
  LbStage *stage;
  LbNetwork *network;
  gint64 classes, outer_steps, inner_epochs;
  LbPacket *source; /* borrowed */
  LbClassImages *by_class;
  gint64 small;                              /* small images of a class ... */
  gint64 matched;                            /* ... and those of them in a step */
  guint32 *chosen;                           /* [small]: which, in front */
  LbTensor *synthetic, *gradient, *momentum; /* f32 [classes * small, h / f, w / f, c] */
  LbTensor *labels;                          /* i32, of the small images */
  LbTensor *parameters;                      /* f32 [p], of the network at hand */
  Match match;
  Statistics statistics;
  Enlarger enlarger;                   /* with formation */
  LbLearner *learner;                  /* trains the network between steps; NULL when there is one step */
  LbTensor *real_images, *real_labels; /* what it learns from, when that is the source */
  guint32 *order;                      /* of the source's images, to draw those */
  gint64 network_images;               /* how many; of the synthetic ones: all */
  gint64 images;                       /* of the source */
  gint64 iteration, outer, step;       /* networks and steps with this one that are over; steps in all */
  double loss;                         /* of the last step */
  gint64 training;                     /* whether the network is being trained, 0 or 1 */
} Distillation;

/* What the loops are when properties leave them open, and programs for a source of @images images, its smallest class
 * having @smallest; LB_UNKNOWN: enough. */
gboolean distillation_compile (Distillation *d, gint64 images, gint64 smallest, GError **error);

/* What a whole run takes, once compiled. */
double distillation_flops (const Distillation *d);
double distillation_bytes (const Distillation *d, guint threads);

/* From the first step to the last. */
gboolean distillation_run (Distillation *d, GError **error);

void distillation_clear (Distillation *d);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Distillation, distillation_clear)

/* ---- images.c: the synthetic images of a distillation ---- */

/* Makes them: noise, or drawn from the source. */
void images_start (Distillation *d);

/* Puts those of @class, or those of them that @key chooses, into the batch that is matched; and takes their gradient
 * from there to that of all, where that of the others is zero. */
void images_load (Distillation *d, gint64 class, LbKey key);
void images_store_gradient (Distillation *d, gint64 class);

/* SGD with momentum on all at once. LB_ERROR_NUMERIC when they diverge. */
gboolean images_move (Distillation *d, GError **error);

/* Brings pixels back to values that can be stored, 0 to 1 before normalisation. */
void images_clamp (Distillation *d);

/* What networks see of them, f32 [n, h, w, c]; new reference. */
LbTensor *images_seen (Distillation *d);

/* What is sent of them: as networks see them, or as they are stored. New. */
LbPacket *images_seen_packet (Distillation *d);
LbPacket *images_stored_packet (Distillation *d);
