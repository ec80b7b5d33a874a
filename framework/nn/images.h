/* Images between streams and programs: streams carry [n, c, h, w], programs [n, h, w, c].
 *
 * Streams hold u8 images as stored (0 to 255), or f16 or f32 images already normalised. Either way a set's mean and std
 * (f32 [c], of values scaled to [0, 1]) say how: normalised = (u8 / 255 - mean) / std. Programs compute in f32.
 */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

/* The fields of a set that say how its images were made from stored ones (the last two of whitened sets alone, see
 * whitening.h), for lb_packet_share(): whoever sends images on sends these with them. */
#define LB_NORMALISATION_FIELDS "mean", "std", "whitening_mean", "unwhitening"

/* Copies images @indices[0 .. count) of @images, u8, f16 or f32 [n, c, h, w], normalised, into @out, f32 [>= count, h,
 * w, c].
 * @indices NULL means 0, 1, 2, ... @mean and @std, f32 [c], are used for u8 only. */
void
lb_images_load (LbTensor *images, const guint32 *indices, gint64 count, LbTensor *mean, LbTensor *std, LbTensor *out);

/* The other way, without touching values: f32 [n, h, w, c] into a new f32 [n, c, h, w]. */
LbTensor *lb_images_to_stream (LbTensor *images);

/* Normalised f16 or f32, or stored u8 [n, c, h, w] as u8 [n, c, h, w] for looking at, clipped to 0 .. 255. New tensor.
 */
LbTensor *lb_images_to_u8 (LbTensor *images, LbTensor *mean, LbTensor *std);

/* @images [n, c, h, w] of one of the three dtypes as another: u8 as lb_images_to_u8(), f16 and f32 normalised. A new
 * tensor, or @images again, as a new reference. NULL with LB_ERROR_INPUT when a value is too large for f16 (65504);
 * @whose begins the message. */
LbTensor *
lb_images_convert (const char *whose, LbTensor *images, LbTensor *mean, LbTensor *std, LbDType dtype, GError **error);

/* Whether two sets, or a set and a model, were normalised alike (within 1e-5). If not, FALSE with LB_ERROR_INPUT naming
 * both sides: @ours and @theirs are what to call them, such as "the test set". mean and std are f32 [c]. */
gboolean lb_images_same_normalisation (const char *ours, LbTensor *mean, LbTensor *std, const char *theirs,
                                       LbTensor *their_mean, LbTensor *their_std, GError **error);

/* Whether all @labels, i32 [n], are in {0, ..., @classes - 1}. If not, FALSE with LB_ERROR_INPUT; @whose begins the
 * message. A number of classes that is not known (LB_UNKNOWN) is LB_ERROR_PROGRAM. */
gboolean lb_labels_check (const char *whose, LbTensor *labels, gint64 classes, GError **error);

/* Labels from a file, u8, i32 or i64 [@n], as a new tensor i32 [@n], checked to be 0 to @classes - 1. If they are not,
 * NULL with LB_ERROR_INPUT: "@place: @what has 3 labels for 4 images; ...". */
LbTensor *lb_labels_from (const char *place, const char *what, LbTensor *stored, gint64 n, gint64 classes,
                          GError **error);

/* Images of the class that has fewest. @labels, i32 [n], checked. */
gint64 lb_labels_smallest_class (LbTensor *labels, gint64 classes);

/* The images of each class: indices sorted by class, within a class in order; those of class k lie from first[k] up to
 * first[k + 1]. @labels, i32 [n], checked; @first is filled, @classes + 1 long. Free the indices with g_free(). */
guint32 *lb_images_by_class (LbTensor *labels, gint64 classes, gint64 *first);

G_END_DECLS
