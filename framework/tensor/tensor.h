/* Tensors: typed arrays with a shape, in C (row-major) order, always contiguous, 64-byte aligned.
 *
 * A tensor is reference-counted. One that was sent in a packet must not be changed any more; one that only its maker
 * holds may be. Views share the bytes of the tensor they were cut from and keep it alive.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Most dimensions of a tensor. */
#define LB_MAX_RANK 6

/* Types of elements: unsigned and signed integers, and IEEE binary floating point. */
typedef enum { LB_U8, LB_I32, LB_I64, LB_F32, LB_F64, LB_F16, LB_N_DTYPES } LbDType;

/* Bytes of one element. */
gsize lb_dtype_size (LbDType dtype);

/* "u8", "i32", "i64", "f32", "f64", "f16"; the last for storage alone. */
const char *lb_dtype_name (LbDType dtype);
gboolean lb_dtype_from_name (const char *name, LbDType *dtype);

/* A plain value. Rank 0 is a scalar; a dimension may be 0. */
typedef struct {
  guint rank;
  gint64 dim[LB_MAX_RANK];
} LbShape;

/* LB_SHAPE (256, 28, 28, 1) */
#define LB_SHAPE(...)                                                                                                  \
  ((LbShape){ .rank = sizeof ((gint64[]){ __VA_ARGS__ }) / sizeof (gint64), .dim = { __VA_ARGS__ } })
#define LB_SCALAR ((LbShape){ .rank = 0 })

/* Number of elements; G_MAXINT64 when there are more than that. No dimension may be negative. */
gint64 lb_shape_size (LbShape shape);
/* For shapes that come from outside: FALSE when the rank is too high, a dimension is negative or the bytes of such a
 * tensor cannot be counted; otherwise TRUE and their number in @bytes. */
gboolean lb_shape_bytes (LbShape shape, LbDType dtype, gsize *bytes);
gboolean lb_shape_equal (LbShape a, LbShape b);
/* "[256, 28, 28, 1]"; free with g_free(). */
char *lb_shape_to_string (LbShape shape);

/* Elements of one dtype, row-major and contiguous. Reference-counted. */
typedef struct _LbTensor LbTensor;

/* Zero-filled. Aborts when memory is exhausted, as g_malloc() does; sizes that come from files are to be checked first.
 */
LbTensor *lb_tensor_new (LbDType dtype, LbShape shape);
/* The same for a shape from outside: NULL when it is impossible or memory is exhausted. */
LbTensor *lb_tensor_try_new (LbDType dtype, LbShape shape);

/* Takes no copy: @data (aligned to its dtype at least) stays with @owner, released by @release (@owner) at the end. */
LbTensor *lb_tensor_wrap (LbDType dtype, LbShape shape, gpointer data, gpointer owner, GDestroyNotify release);

/* Elements [@first, @first + size of @shape) of @tensor in row-major order, seen as @shape. Shares and keeps @tensor.
 */
LbTensor *lb_tensor_view (LbTensor *tensor, gint64 first, LbShape shape);

/* A new tensor of the same elements. */
LbTensor *lb_tensor_copy (const LbTensor *tensor);

/* Rows @rows[0 .. count) along the first dimension, which there must be, in this order. New tensor. */
LbTensor *lb_tensor_select (const LbTensor *tensor, const guint32 *rows, gint64 count);
LbTensor *lb_tensor_ref (LbTensor *tensor);
void lb_tensor_unref (LbTensor *tensor);

/* Whether there is another reference than the caller's, or a view. FALSE stays so until the caller gives one away. */
gboolean lb_tensor_is_shared (const LbTensor *tensor);

LbDType lb_tensor_dtype (const LbTensor *tensor);
LbShape lb_tensor_shape (const LbTensor *tensor);
/* Dimension @axis; the axis must exist. */
gint64 lb_tensor_dim (const LbTensor *tensor, guint axis);
gint64 lb_tensor_size (const LbTensor *tensor);
gsize lb_tensor_bytes (const LbTensor *tensor);

/* The elements. The typed forms check the dtype (a mismatch is a programmer error). */
gpointer lb_tensor_data (const LbTensor *tensor);
guint8 *lb_tensor_u8 (const LbTensor *tensor);
gint32 *lb_tensor_i32 (const LbTensor *tensor);
gint64 *lb_tensor_i64 (const LbTensor *tensor);
float *lb_tensor_f32 (const LbTensor *tensor);
double *lb_tensor_f64 (const LbTensor *tensor);
guint16 *lb_tensor_f16 (const LbTensor *tensor); /* see half.h */

/* An f32 tensor as f16, rounded to the nearest, or an f16 one as f32, exactly. New tensor. */
LbTensor *lb_tensor_convert (const LbTensor *tensor, LbDType dtype);

/* SHA-256 over dtype, shape and elements, in hexadecimal; free with g_free(). */
char *lb_tensor_digest (const LbTensor *tensor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbTensor, lb_tensor_unref)

G_END_DECLS
