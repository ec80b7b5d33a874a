/* Dense labels as they are stored: a soft label for each view of each image (LADD, arXiv 2409.16239, section 3), in one
 * of four precisions. Streams and files carry labels as stored, so that what they take can be counted; whoever learns
 * from them decodes them here.
 *
 * | precision | labels                | named                   | bytes of one label         | probability of class k |
 * | f32       | f32 [n, v, classes]   | none                    | 4 classes                  | the number             |
 * | f16       | f16 [n, v, classes]   | none                    | 2 classes                  | the number             |
 * | u8        | u8 [n, v, classes]    | none                    | classes                    | q / 255                |
 * | top-k     | u8 [n, v, kept]       | u8 or i32 [n, v, kept]  | 2 kept, or 5 kept          | q / 255 if named       |
 *
 * The q of a u8 label sum to 255 exactly: each is 255 p rounded down, and what is then missing is added to those that
 * lost most, one each. Those of a top-k label, of the most likely classes, most likely first, sum to 255 at most; what
 * is missing is shared by all other classes alike. Their classes are named in u8 up to 256 classes, in i32 beyond.
 */
#pragma once

#include "tensor/tensor.h"

G_BEGIN_DECLS

/* The fields of an augmented set that say what its views and dense labels are, for lb_packet_share(). */
#define LB_DENSE_LABEL_FIELDS "windows", "dense_labels", "dense_classes", "temperature", "labelled_images"

/* How a label is stored, as in the table above. */
typedef enum { LB_LABELS_F32, LB_LABELS_F16, LB_LABELS_U8, LB_LABELS_TOP_K } LbLabelPrecision;

/* Dtypes of the two tensors, and probabilities in a label, for @classes; @kept of LB_LABELS_TOP_K is 1 to @classes. */
LbDType lb_dense_labels_dtype (LbLabelPrecision precision);
LbDType lb_dense_labels_named_dtype (gint64 classes);
gint64 lb_dense_labels_kept (LbLabelPrecision precision, gint64 kept, gint64 classes);

/* Bytes of one label. */
gint64 lb_dense_labels_bytes (LbLabelPrecision precision, gint64 kept, gint64 classes);

/* @probabilities, f32 [n, v, classes] whose rows sum to 1, as stored. *named is NULL but for top-k. Both are new. */
void lb_dense_labels_encode (LbTensor *probabilities, LbLabelPrecision precision, gint64 kept, LbTensor **labels,
                             LbTensor **named);

/* Stored @labels and @named (NULL for none) of @n images with @views views as probabilities: f32 [n, views, classes],
 * new. NULL with LB_ERROR_INPUT when they are not of these shapes, or a label is not a distribution; @whose begins the
 * message.
 */
LbTensor *lb_dense_labels_decode (const char *whose, LbTensor *labels, LbTensor *named, gint64 n, gint64 views,
                                  gint64 classes, GError **error);

/* Whether labels that were made for images whose lb_tensor_digest() is @labelled are those of @images; NULL: not told,
 * which is taken as it is. If not, FALSE with LB_ERROR_INPUT that has both digests; @whose begins the message. */
gboolean lb_dense_labels_check_images (const char *whose, const char *labelled, LbTensor *images, GError **error);

G_END_DECLS
