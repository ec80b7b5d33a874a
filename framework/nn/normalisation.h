/* How the images of a source are normalised: mean and std of values scaled to [0, 1], normalised = (stored / 255 -
 * mean) / std. Given by the user, as published for a data set, or computed from the images.
 *
 * A source that offers this has an LbNormalisation in its struct and three rows in its property table:
 *
 *   LB_CHOICE (Idx, normalisation.choice, "normalisation", "given", lb_normalisations, LB_NORMALISATION_DOC),
 *   LB_NUMBERS (Idx, normalisation.mean, "mean", "[]", 0, 1, NULL, LB_MEAN_DOC),
 *   LB_NUMBERS (Idx, normalisation.std, "std", "[]", 1e-6, 1e6, NULL, LB_STD_DOC),
 */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

typedef struct {
  char *choice;       /* one of lb_normalisations */
  GArray *mean, *std; /* of double: none, one for all channels, or one for each */
} LbNormalisation;

/* "given" (mean and std; what is left out is computed), and data sets: mnist, fashion-mnist, svhn, cifar10, cifar100
 * and imagenet, whose numbers are those that the public code of DC and of most who compare with it uses
 * (VICO-UoE/DatasetCondensation, utils.py, get_dataset(); cifar100 and imagenet: torchvision's conventional ones).
 * NULL-terminated. */
extern const char *const lb_normalisations[];

/* What the tables of stages say of the properties "normalisation", "mean" and "std". */
#define LB_NORMALISATION_DOC                                                                                           \
  "given: by 'mean' and 'std'; or the name of a data set, for the numbers published code normalises it with"
#define LB_MEAN_DOC                                                                                                    \
  "Mean to normalise with, of values scaled to [0, 1], one for each channel; left out: computed from the images"
#define LB_STD_DOC "Standard deviation to normalise with, one for each channel; left out: computed from the images"

/* Whether this can be the normalisation of images of @channels. If not, the name of the property that is wrong, and
 * what to say of it in @problem (free with g_free()); otherwise NULL. For a stage's configure. */
const char *lb_normalisation_check (const LbNormalisation *normalisation, gint64 channels, char **problem);

/* New tensors f32 [channels] of @images, u8 [n, c, h, w] as stored, or f32: nothing can be computed from these, so both
 * numbers must be there. @place begins the message. LB_ERROR_INPUT. */
gboolean lb_normalisation_make (const LbNormalisation *normalisation, const char *place, LbTensor *images,
                                LbTensor **mean, LbTensor **std, GError **error);

/* Mean and standard deviation of channel @channel of @images, u8 [n, c, h, w], scaled to [0, 1]; exact at any size. */
void lb_images_statistics (LbTensor *images, gint64 channel, double *mean, double *std);

G_END_DECLS
