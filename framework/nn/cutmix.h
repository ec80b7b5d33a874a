/* CutMix (Yun et al., arXiv 1905.04899), in the form that IDC trains with (Kim et al., arXiv 2205.14959): one rectangle
 * is drawn for a batch, and there each image shows what another image of the batch shows; its target is mixed in
 * proportion to the areas. The rectangle's sides are sqrt (1 - lambda) of the image's, lambda uniform in [0, 1), its
 * centre is any pixel, and the image's edges clip it.
 *
 *   x = lb_cutmix (images, partners, &cutmix);                    while building the graph
 *   lb_cutmix_bind (cutmix, program);                             once
 *   box = lb_cutmix_draw (0.5, height, width, key);               before each run
 *   lb_cutmix_set (cutmix, &box);
 *
 * Which image is whose partner is the caller's to say, by what it binds to @partners.
 */
#pragma once

#include "base/random.h"
#include "graph/program.h"

G_BEGIN_DECLS

/* Pixels within the image; none of them (.width or .height 0): nothing is mixed. */
typedef struct {
  gint64 x, y, width, height;
} LbCutMixBox;

/* The inputs of one lb_cutmix() in one program. */
typedef struct _LbCutMix LbCutMix;

/* @images outside the rectangle, @partners within; all [n, h, w, c]. Differentiable to both. *cutmix is new. */
LbNode *lb_cutmix (LbNode *images, LbNode *partners, LbCutMix **cutmix);

/* NULL does nothing. */
void lb_cutmix_free (LbCutMix *cutmix);

/* Binds the inputs to tensors of @cutmix, which mix nothing until they are set. */
void lb_cutmix_bind (LbCutMix *cutmix, LbProgram *program);

/* From now on all images of the batch are mixed in @box. */
void lb_cutmix_set (LbCutMix *cutmix, const LbCutMixBox *box);

/* A rectangle with @probability, else an empty one. */
LbCutMixBox lb_cutmix_draw (double probability, gint64 height, gint64 width, LbKey key);

/* The part of the area that @box takes, which is the weight of the partner's target; the own one has the rest. */
double lb_cutmix_share (const LbCutMixBox *box, gint64 height, gint64 width);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbCutMix, lb_cutmix_free)

G_END_DECLS
