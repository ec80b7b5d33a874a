/* Dtypes, shapes and tensors.
 *
 * Invariants: a tensor is contiguous; its bytes belong to it, to a foreign owner, or to the tensor it is a view of,
 * which is never itself a view. Sizes are checked once, when a tensor is made, so that products of its dimensions
 * cannot overflow afterwards.
 */
#include "tensor/tensor.h"

#include "base/account.h"
#include "base/memory.h"
#include <string.h>

#include "tensor/digest.h"
#include "tensor/half.h"

#define ALIGNMENT 64
/* Data of a small tensor lies behind it. Packets are made of small tensors by the million, in one thread and dropped in
 * another: slices are handed from thread to thread in batches, without a lock for each. */
#define SMALL       64
#define SMALL_BLOCK (sizeof (LbTensor) + ALIGNMENT + SMALL)
/* Of a dtype's name and a shape as text. */
#define TYPE_SIZE (8 + LB_MAX_RANK * 22)

G_STATIC_ASSERT (G_BYTE_ORDER == G_LITTLE_ENDIAN);

struct _LbTensor {
  gint references; /* atomic */
  LbDType dtype;
  LbShape shape;
  gint64 size;
  gpointer data;
  gpointer owner;
  GDestroyNotify release; /* called on @owner at the end */
  LbAccount *account;     /* that the bytes are counted on, or NULL */
  gboolean is_small;
};

static const struct {
  const char *name;
  gsize size;
} dtypes[LB_N_DTYPES] = {
  [LB_U8] = { "u8", 1 },   [LB_I32] = { "i32", 4 }, [LB_I64] = { "i64", 8 },
  [LB_F32] = { "f32", 4 }, [LB_F64] = { "f64", 8 }, [LB_F16] = { "f16", 2 },
};

gsize
lb_dtype_size (LbDType dtype)
{
  g_return_val_if_fail ((guint)dtype < LB_N_DTYPES, 0);

  return dtypes[dtype].size;
}

const char *
lb_dtype_name (LbDType dtype)
{
  g_return_val_if_fail ((guint)dtype < LB_N_DTYPES, NULL);

  return dtypes[dtype].name;
}

gboolean
lb_dtype_from_name (const char *name, LbDType *dtype)
{
  for (guint i = 0; i < LB_N_DTYPES; i++) {
    if (strcmp (dtypes[i].name, name) == 0) {
      *dtype = i;
      return TRUE;
    }
  }
  return FALSE;
}

gint64
lb_shape_size (LbShape shape)
{
  gint64 size = 1;
  gboolean too_large = FALSE;

  g_return_val_if_fail (shape.rank <= LB_MAX_RANK, 0);
  for (guint i = 0; i < shape.rank; i++) {
    g_return_val_if_fail (shape.dim[i] >= 0, 0);
    /* A later 0 makes even the largest product 0. */
    if (shape.dim[i] == 0)
      return 0;
    too_large |= __builtin_mul_overflow (size, shape.dim[i], &size);
  }
  return too_large ? G_MAXINT64 : size;
}

gboolean
lb_shape_bytes (LbShape shape, LbDType dtype, gsize *bytes)
{
  if (shape.rank > LB_MAX_RANK || (guint)dtype >= LB_N_DTYPES)
    return FALSE;
  for (guint i = 0; i < shape.rank; i++) {
    if (shape.dim[i] < 0)
      return FALSE;
  }
  /* The largest size is one that pointers can be subtracted in. */
  gint64 size = lb_shape_size (shape);
  if (size > G_MAXSSIZE / 2 / (gint64)dtypes[dtype].size)
    return FALSE;
  *bytes = size * dtypes[dtype].size;
  return TRUE;
}

gboolean
lb_shape_equal (LbShape a, LbShape b)
{
  if (a.rank != b.rank)
    return FALSE;
  for (guint i = 0; i < a.rank; i++) {
    if (a.dim[i] != b.dim[i])
      return FALSE;
  }
  return TRUE;
}

/* Digits of @number at @to, which moves behind them. */
static void
write_number (char **to, gint64 number)
{
  char digits[20];
  guint n = 0;
  guint64 rest = number < 0 ? -(guint64)number : (guint64)number;

  if (number < 0)
    *(*to)++ = '-';
  do
    digits[n++] = '0' + (char)(rest % 10);
  while ((rest /= 10) > 0);
  while (n > 0)
    *(*to)++ = digits[--n];
}

static char *
write_shape (const LbShape *shape, char *to)
{
  *to++ = '[';
  for (guint i = 0; i < MIN (shape->rank, LB_MAX_RANK); i++) {
    if (i > 0)
      to = (char *)memcpy (to, ", ", 2) + 2;
    write_number (&to, shape->dim[i]);
  }
  *to++ = ']';
  *to = '\0';
  return to;
}

char *
lb_shape_to_string (LbShape shape)
{
  char text[TYPE_SIZE];

  write_shape (&shape, text);
  return g_strdup (text);
}

/* "f32[10, 3]"; returns its length. Packets come by the million: no memory is taken, and no printf(). */
static gsize
write_type (const LbTensor *tensor, char text[TYPE_SIZE])
{
  return (gsize)(write_shape (&tensor->shape, g_stpcpy (text, dtypes[tensor->dtype].name)) - text);
}

static LbTensor *
fill (LbTensor *tensor, LbDType dtype, LbShape shape, gpointer data, gpointer owner, GDestroyNotify release)
{
  /* Dimensions beyond the rank are 0, so that equal shapes are equal bytes. */
  for (guint i = shape.rank; i < LB_MAX_RANK; i++)
    shape.dim[i] = 0;
  *tensor = (LbTensor){ .references = 1,
                        .dtype = dtype,
                        .shape = shape,
                        .size = lb_shape_size (shape),
                        .data = data,
                        .owner = owner,
                        .release = release };
  return tensor;
}

static LbTensor *
tensor_over (LbDType dtype, LbShape shape, gpointer data, gpointer owner, GDestroyNotify release)
{
  return fill (g_slice_new (LbTensor), dtype, shape, data, owner, release);
}

static gpointer
align (char *block)
{
  gsize misaligned = (guintptr)block % ALIGNMENT;

  return block + (misaligned > 0 ? ALIGNMENT - misaligned : 0);
}

static LbTensor *
allocate_small (LbDType dtype, LbShape shape, gsize bytes)
{
  char *block = g_slice_alloc (SMALL_BLOCK);
  LbTensor *tensor = fill ((LbTensor *)block, dtype, shape, align (block + sizeof (LbTensor)), NULL, NULL);

  memset (tensor->data, 0, bytes);

  tensor->is_small = TRUE;
  return tensor;
}

/* Takes zeroed memory from calloc(), which gives large blocks as fresh pages that nobody has to touch first, and aligns
 * by hand, which keeps it so. */
static LbTensor *
allocate (LbDType dtype, LbShape shape, gsize bytes)
{
  char *block = bytes > SMALL ? g_try_malloc0 (bytes + ALIGNMENT) : NULL;

  if (bytes > SMALL && block == NULL)
    return NULL;
  lb_memory_prefer_large_pages (block, bytes);
  LbTensor *tensor
      = block == NULL ? allocate_small (dtype, shape, bytes) : tensor_over (dtype, shape, align (block), block, g_free);
  tensor->account = bytes > 0 ? lb_account_take (bytes) : NULL;
  return tensor;
}

LbTensor *
lb_tensor_try_new (LbDType dtype, LbShape shape)
{
  gsize bytes;

  return lb_shape_bytes (shape, dtype, &bytes) ? allocate (dtype, shape, bytes) : NULL;
}

LbTensor *
lb_tensor_new (LbDType dtype, LbShape shape)
{
  LbTensor *tensor = lb_tensor_try_new (dtype, shape);

  if (tensor == NULL) {
    g_autofree char *dims = lb_shape_to_string (shape);
    g_error ("there is no memory for a tensor %s%s", (guint)dtype < LB_N_DTYPES ? dtypes[dtype].name : "?", dims);
  }
  return tensor;
}

LbTensor *
lb_tensor_wrap (LbDType dtype, LbShape shape, gpointer data, gpointer owner, GDestroyNotify release)
{
  gsize bytes;

  g_return_val_if_fail (lb_shape_bytes (shape, dtype, &bytes), NULL);
  g_return_val_if_fail ((guintptr)data % dtypes[dtype].size == 0, NULL);

  return tensor_over (dtype, shape, data, owner, release);
}

LbTensor *
lb_tensor_view (LbTensor *tensor, gint64 first, LbShape shape)
{
  gsize bytes;

  g_return_val_if_fail (tensor != NULL, NULL);
  g_return_val_if_fail (lb_shape_bytes (shape, tensor->dtype, &bytes), NULL);
  g_return_val_if_fail (first >= 0 && first <= tensor->size, NULL);
  g_return_val_if_fail (lb_shape_size (shape) <= tensor->size - first, NULL);

  /* A view of a view holds the tensor underneath, so that chains do not grow. */
  LbTensor *base = tensor->release == (GDestroyNotify)lb_tensor_unref ? tensor->owner : tensor;
  char *data = (char *)tensor->data + first * dtypes[tensor->dtype].size;
  return tensor_over (tensor->dtype, shape, data, lb_tensor_ref (base), (GDestroyNotify)lb_tensor_unref);
}

LbTensor *
lb_tensor_copy (const LbTensor *tensor)
{
  LbTensor *copy = lb_tensor_new (tensor->dtype, tensor->shape);

  memcpy (copy->data, tensor->data, lb_tensor_bytes (tensor));
  return copy;
}

LbTensor *
lb_tensor_select (const LbTensor *tensor, const guint32 *rows, gint64 count)
{
  LbShape shape = tensor->shape;
  gsize bytes;
  LbTensor *chosen;

  g_return_val_if_fail (shape.rank > 0, NULL);
  bytes = lb_tensor_bytes (tensor) / (gsize)MAX (shape.dim[0], 1);
  shape.dim[0] = count;
  chosen = lb_tensor_new (tensor->dtype, shape);
  for (gint64 i = 0; i < count; i++) {
    g_assert (rows[i] < tensor->shape.dim[0]);
    memcpy ((guint8 *)chosen->data + (gsize)i * bytes, (const guint8 *)tensor->data + rows[i] * bytes, bytes);
  }
  return chosen;
}

LbTensor *
lb_tensor_ref (LbTensor *tensor)
{
  g_return_val_if_fail (tensor != NULL, NULL);

  g_atomic_int_inc (&tensor->references);
  return tensor;
}

void
lb_tensor_unref (LbTensor *tensor)
{
  if (tensor == NULL || !g_atomic_int_dec_and_test (&tensor->references))
    return;
  if (tensor->release != NULL)
    tensor->release (tensor->owner);
  if (tensor->account != NULL)
    lb_account_give (tensor->account, lb_tensor_bytes (tensor));
  if (tensor->is_small)
    g_slice_free1 (SMALL_BLOCK, tensor);
  else
    g_slice_free (LbTensor, tensor);
}

gboolean
lb_tensor_is_shared (const LbTensor *tensor)
{
  return g_atomic_int_get (&tensor->references) > 1;
}

LbDType
lb_tensor_dtype (const LbTensor *tensor)
{
  return tensor->dtype;
}

LbShape
lb_tensor_shape (const LbTensor *tensor)
{
  return tensor->shape;
}

gint64
lb_tensor_dim (const LbTensor *tensor, guint axis)
{
  g_return_val_if_fail (axis < tensor->shape.rank, 0);

  return tensor->shape.dim[axis];
}

gint64
lb_tensor_size (const LbTensor *tensor)
{
  return tensor->size;
}

gsize
lb_tensor_bytes (const LbTensor *tensor)
{
  return tensor->size * dtypes[tensor->dtype].size;
}

gpointer
lb_tensor_data (const LbTensor *tensor)
{
  return tensor->data;
}

guint8 *
lb_tensor_u8 (const LbTensor *tensor)
{
  g_return_val_if_fail (tensor->dtype == LB_U8, NULL);

  return tensor->data;
}

gint32 *
lb_tensor_i32 (const LbTensor *tensor)
{
  g_return_val_if_fail (tensor->dtype == LB_I32, NULL);

  return tensor->data;
}

gint64 *
lb_tensor_i64 (const LbTensor *tensor)
{
  g_return_val_if_fail (tensor->dtype == LB_I64, NULL);

  return tensor->data;
}

float *
lb_tensor_f32 (const LbTensor *tensor)
{
  g_return_val_if_fail (tensor->dtype == LB_F32, NULL);

  return tensor->data;
}

double *
lb_tensor_f64 (const LbTensor *tensor)
{
  g_return_val_if_fail (tensor->dtype == LB_F64, NULL);

  return tensor->data;
}

guint16 *
lb_tensor_f16 (const LbTensor *tensor)
{
  g_return_val_if_fail (tensor->dtype == LB_F16, NULL);

  return tensor->data;
}

LbTensor *
lb_tensor_convert (const LbTensor *tensor, LbDType dtype)
{
  g_return_val_if_fail ((tensor->dtype == LB_F32 && dtype == LB_F16) || (tensor->dtype == LB_F16 && dtype == LB_F32),
                        NULL);
  LbTensor *converted = lb_tensor_new (dtype, tensor->shape);

  if (dtype == LB_F16)
    lb_f16_from_f32 (tensor->data, converted->data, (gsize)tensor->size);
  else
    lb_f16_to_f32 (tensor->data, converted->data, (gsize)tensor->size);
  return converted;
}

void
lb_tensor_add_to_digest (const LbTensor *tensor, LbSha256 *sha256)
{
  char type[TYPE_SIZE];

  lb_sha256_add (sha256, type, write_type (tensor, type));
  lb_sha256_add (sha256, tensor->data, lb_tensor_bytes (tensor));
}

char *
lb_tensor_digest (const LbTensor *tensor)
{
  g_autoptr (LbSha256) sha256 = lb_sha256_new ();
  char digest[LB_DIGEST_SIZE];

  lb_tensor_add_to_digest (tensor, sha256);
  lb_sha256_end (sha256, digest);
  return g_strdup (digest);
}
