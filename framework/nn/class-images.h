/* The images of a set by class, for what draws batches of one class at a time, as distillers do. */
#pragma once

#include "base/random.h"
#include "nn/learner.h"

G_BEGIN_DECLS

/* A set of images, from which those of one class are drawn. */
typedef struct _LbClassImages LbClassImages;

/* Of @set, images, labels, mean and std are used, and kept. NULL and LB_ERROR_INPUT, which begins with @whose, when a
 * label is none of @classes, or a class has fewer than @wanted images. */
LbClassImages *
lb_class_images_new (const char *whose, const LbLearningSet *set, gint64 classes, gint64 wanted, GError **error);
void lb_class_images_free (LbClassImages *set);

/* Images of the class that has fewest, and of class @label. */
gint64 lb_class_images_smallest (const LbClassImages *set);
gint64 lb_class_images_count (const LbClassImages *set, gint64 label);

/* Loads as many images of class @label as @out, f32 [count, h, w, c], takes, normalised, drawn by @key without replacement.
 * The class must have that many. Allocates nothing. */
void lb_class_images_draw (LbClassImages *set, gint64 label, LbKey key, LbTensor *out);

/* Labels of a set that lies class by class, each of @count images: i32 [classes * count], new. */
LbTensor *lb_class_labels (gint64 classes, gint64 count);

/* Bytes that such a set takes beside its tensors. */
gsize lb_class_images_bytes (gint64 n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbClassImages, lb_class_images_free)

G_END_DECLS
