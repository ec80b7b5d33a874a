/* Augmentation of images inside tensor programs, differentiable (twice) to the images: differentiable siamese
 * augmentation (DSA; Zhao, Bilen, arXiv 2102.08259) and the padded random crop with horizontal flip that most
 * classifiers are trained with.
 *
 *   x = lb_augment (images, &augmentation, &augmenter);           while building the graph
 *   lb_augmenter_bind (augmenter, program);                       once
 *   lb_augmenter_draw (augmenter, FALSE, key);                    before each run
 *
 * What is drawn goes into small inputs of the program, so one program serves every draw; an op that is not drawn leaves
 * the images as they are, to the bit. A strategy of DSA names groups of ops; each draw uses one of them, on all images:
 *
 * - color: x + (u - 1/2); then (x - mean over channels) 2u + that mean (nothing on grey); then (x - mean of the image)
 *   (u + 1/2) + that mean
 * - crop: shift by whole pixels, at most int (size / 8 + 1/2) each way, filled with zero
 * - cutout: a square (of int (size / 2 + 1/2) pixels each way) set to zero, its centre anywhere in the image, clipped
 * by it
 * - flip: horizontal, with probability 1/2
 * - scale: by s_x and s_y in [1/1.2, 1.2] about the centre, bilinear, filled with zero
 * - rotate: by at most 15 degrees each way about the centre, bilinear, filled with zero
 * - view: a window that covers from half to all of each axis, the same part of both, anywhere in the image, resized
 *   to it, bilinear: what a
 *   labeler of views is asked about (LADD, arXiv 2409.16239); not one of DSA's
 *
 * with u uniform in [0, 1). Groups joined by "-" are all used on every draw: "crop-flip" is crop and flip together, and
 * "color-flip-crop_scale_rotate" is color, flip and one of the other three, which is how IDC (Kim et al., arXiv
 * 2205.14959) augments.
 */
#pragma once

#include "base/random.h"
#include "graph/program.h"

G_BEGIN_DECLS

/* The augmentations of a strategy, as bits. */
typedef enum {
  LB_AUGMENT_COLOR = 1 << 0,
  LB_AUGMENT_CROP = 1 << 1,
  LB_AUGMENT_CUTOUT = 1 << 2,
  LB_AUGMENT_FLIP = 1 << 3,
  LB_AUGMENT_SCALE = 1 << 4,
  LB_AUGMENT_ROTATE = 1 << 5,
  LB_AUGMENT_VIEW = 1 << 6
} LbAugmentGroup;

/* A strategy. A plain value; all zero is none. */
typedef struct {
  guint groups; /* LbAugmentGroup */
  guint always; /* those of them that are used on every draw; of the others one is drawn */
} LbAugmentation;

/* @strategy is "none" or groups, each once: joined by "_" to choose from, "color_crop_cutout_flip_scale_rotate", or by
 * "-" to use together, at most one of which may be such a choice. Their order does not matter. LB_ERROR_PIPELINE. */
gboolean lb_augmentation_parse (const char *strategy, LbAugmentation *augmentation, GError **error);

/* What one image undergoes: color, then geometry, then cutout. Start from LB_AUGMENT_NOTHING. */
typedef struct {
  double brightness;           /* added */
  double saturation, contrast; /* factors */
  gboolean flip;
  gint64 shift_x, shift_y; /* output pixel (i, j) shows (i + shift_y, j + shift_x) */
  double scale_x, scale_y; /* distances from the centre, in the input over the output */
  double angle;            /* radians; the direction from output to input place */
  double view_x, view_y;   /* the window's centre from that of the image, in pixels of the input; 0 */
  gint64 cut_x, cut_y, cut_width, cut_height; /* pixels set to zero; may reach over the edge */
} LbAugmentParameters;

/* Parameters that change no bit of an image. */
#define LB_AUGMENT_NOTHING ((LbAugmentParameters){ .saturation = 1, .contrast = 1, .scale_x = 1, .scale_y = 1 })

/* The inputs of one lb_augment() in one program. Functions below take NULL for none and do nothing. */
typedef struct _LbAugmenter LbAugmenter;

/* The augmented images, [n, h, w, c] as @images. *augmenter is new; NULL when the strategy is none, which returns
 * @images. Means of color are those of the values given, which are normalised images. */
LbNode *lb_augment (LbNode *images, const LbAugmentation *augmentation, LbAugmenter **augmenter);
void lb_augmenter_free (LbAugmenter *augmenter);

/* Binds the inputs to tensors of the augmenter, which change nothing until something is drawn. */
void lb_augmenter_bind (LbAugmenter *augmenter, LbProgram *program);

/* Draws anew: one group for the call, and its parameters for each image; with @shared those of image 0 for all, so that
 * two augmenters with one key treat their images alike whatever their number (a matching step's real and synthetic
 * ones). */
void lb_augmenter_draw (LbAugmenter *augmenter, gboolean shared, LbKey key);

/* As above for each image, but image i undergoes what that draw gives image @images[i]. */
void lb_augmenter_draw_as (LbAugmenter *augmenter, const guint32 *images, LbKey key);

/* Gives image @image these parameters instead. Only ops of groups in the strategy. */
void lb_augmenter_set (LbAugmenter *augmenter, gint64 image, const LbAugmentParameters *parameters);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbAugmenter, lb_augmenter_free)

G_END_DECLS
