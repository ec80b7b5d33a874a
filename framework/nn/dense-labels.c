/* Coding and decoding of dense labels. */
#include "nn/dense-labels.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

/* A u8 label is cut into this many parts. */
#define PARTS 255

/* How far the sum of f32 and f16 probabilities may be from 1. */
#define TOLERANCE 1e-3

/* ---- Sizes ---- */

LbDType
lb_dense_labels_dtype (LbLabelPrecision precision)
{
  return precision == LB_LABELS_F32 ? LB_F32 : precision == LB_LABELS_F16 ? LB_F16 : LB_U8;
}

LbDType
lb_dense_labels_named_dtype (gint64 classes)
{
  return classes <= 256 ? LB_U8 : LB_I32;
}

gint64
lb_dense_labels_kept (LbLabelPrecision precision, gint64 kept, gint64 classes)
{
  return precision == LB_LABELS_TOP_K ? kept : classes;
}

gint64
lb_dense_labels_bytes (LbLabelPrecision precision, gint64 kept, gint64 classes)
{
  gsize each = lb_dtype_size (lb_dense_labels_dtype (precision));

  if (precision == LB_LABELS_TOP_K)
    each += lb_dtype_size (lb_dense_labels_named_dtype (classes));
  return (gint64)each * lb_dense_labels_kept (precision, kept, classes);
}

/* ---- Coding ---- */

typedef struct {
  double lost; /* by rounding down, in parts */
  guint32 place;
} Loss;

/* Most lost first, of equal ones the first. */
static int
compare_losses (gconstpointer a, gconstpointer b)
{
  const Loss *x = a, *y = b;

  if (x->lost != y->lost)
    return x->lost > y->lost ? -1 : 1;
  return x->place < y->place ? -1 : 1;
}

/* The shares @p[0 .. n), of their sum, in whole parts @q that sum to PARTS. @losses has room for n. */
static void
apportion (const double *p, gint64 n, guint8 *q, Loss *losses)
{
  double sum = 0;
  int missing = PARTS;

  for (gint64 i = 0; i < n; i++)
    sum += p[i];
  for (gint64 i = 0; i < n; i++) {
    double parts = PARTS * p[i] / sum;

    q[i] = (guint8)MIN (floor (parts), missing);
    missing -= q[i];
    losses[i] = (Loss){ parts - q[i], (guint32)i };
  }
  qsort (losses, (gsize)n, sizeof *losses, compare_losses);
  for (gint64 i = 0; missing > 0; i = (i + 1) % n, missing--)
    q[losses[i].place]++;
}

typedef struct {
  float p;
  guint32 class;
} Answer;

/* Most likely first, of equal ones the first. */
static int
compare_answers (gconstpointer a, gconstpointer b)
{
  const Answer *x = a, *y = b;

  if (x->p != y->p)
    return x->p > y->p ? -1 : 1;
  return x->class < y->class ? -1 : 1;
}

/* Room for coding one label. */
typedef struct {
  Answer *answers;
  double *shares;
  Loss *losses;
  guint8 *parts;
} Desk;

/* The @kept most likely of @p[0 .. classes) in parts @q and their classes in @answers of the desk. What is left is one
 * more share, which the others have together. */
static void
code_top (const float *p, gint64 classes, gint64 kept, guint8 *q, Desk *desk)
{
  double rest = 0;

  for (gint64 k = 0; k < classes; k++)
    desk->answers[k] = (Answer){ p[k], (guint32)k };
  qsort (desk->answers, (gsize)classes, sizeof *desk->answers, compare_answers);
  for (gint64 i = 0; i < classes; i++) {
    if (i < kept)
      desk->shares[i] = desk->answers[i].p;
    else
      rest += desk->answers[i].p;
  }
  desk->shares[kept] = rest;
  apportion (desk->shares, kept < classes ? kept + 1 : kept, desk->parts, desk->losses);
  memcpy (q, desk->parts, (gsize)kept);
}

static void
code_row (const float *p, gint64 classes, gint64 kept, gint64 row, LbTensor *labels, LbTensor *named, Desk *desk)
{
  guint8 *q = lb_tensor_u8 (labels) + row * kept;

  if (!named) {
    for (gint64 k = 0; k < classes; k++)
      desk->shares[k] = p[k];
    apportion (desk->shares, classes, q, desk->losses);
    return;
  }
  code_top (p, classes, kept, q, desk);
  for (gint64 i = 0; i < kept; i++) {
    if (lb_tensor_dtype (named) == LB_U8)
      lb_tensor_u8 (named)[row * kept + i] = (guint8)desk->answers[i].class;
    else
      lb_tensor_i32 (named)[row * kept + i] = (gint32)desk->answers[i].class;
  }
}

void
lb_dense_labels_encode (LbTensor *probabilities, LbLabelPrecision precision, gint64 kept, LbTensor **labels,
                        LbTensor **named)
{
  gint64 n = lb_tensor_dim (probabilities, 0), views = lb_tensor_dim (probabilities, 1);
  gint64 classes = lb_tensor_dim (probabilities, 2);

  g_assert (precision != LB_LABELS_TOP_K || (kept >= 1 && kept <= classes));
  kept = lb_dense_labels_kept (precision, kept, classes);
  *named = NULL;
  if (precision == LB_LABELS_F32 || precision == LB_LABELS_F16) {
    *labels = precision == LB_LABELS_F32 ? lb_tensor_copy (probabilities) : lb_tensor_convert (probabilities, LB_F16);
    return;
  }
  *labels = lb_tensor_new (LB_U8, LB_SHAPE (n, views, kept));
  if (precision == LB_LABELS_TOP_K)
    *named = lb_tensor_new (lb_dense_labels_named_dtype (classes), LB_SHAPE (n, views, kept));

  g_autofree Answer *answers = g_new (Answer, classes);
  g_autofree double *shares = g_new (double, classes + 1);
  g_autofree Loss *losses = g_new (Loss, classes + 1);
  g_autofree guint8 *parts = g_new (guint8, classes + 1);
  Desk desk = { answers, shares, losses, parts };
  for (gint64 row = 0; row < n * views; row++)
    code_row (lb_tensor_f32 (probabilities) + row * classes, classes, kept, row, *labels, *named, &desk);
}

/* ---- Decoding ---- */

/* What is being decoded, and for whom. */
typedef struct {
  const char *whose;
  LbTensor *labels, *named;
  gint64 views, classes, kept;
} Coded;

static gboolean
refuse_row (const Coded *coded, gint64 row, GError **error, const char *format, ...) G_GNUC_PRINTF (4, 5);

static gboolean
refuse_row (const Coded *coded, gint64 row, GError **error, const char *format, ...)
{
  va_list arguments;
  g_autofree char *what = NULL;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "%s: dense label of view %d of image %d %s", coded->whose,
               (int)(row % coded->views), (int)(row / coded->views), what);
  return FALSE;
}

/* A label of f32 or f16, which is in @p already. */
static gboolean
check_numbers (const Coded *coded, gint64 row, const float *p, GError **error)
{
  double sum = 0;
  gboolean good = TRUE;

  for (gint64 k = 0; k < coded->classes; k++) {
    good = good && p[k] >= 0;
    sum += p[k];
  }
  if (good && fabs (sum - 1) <= TOLERANCE)
    return TRUE;
  return refuse_row (coded, row, error, "is not a distribution (it sums to %g); expected probabilities that sum to 1",
                     sum);
}

static int
sum_of_parts (const guint8 *q, gint64 n)
{
  int sum = 0;

  for (gint64 i = 0; i < n; i++)
    sum += q[i];
  return sum;
}

static gboolean
decode_parts (const Coded *coded, gint64 row, float *p, GError **error)
{
  const guint8 *q = lb_tensor_u8 (coded->labels) + row * coded->classes;
  int sum = sum_of_parts (q, coded->classes);

  if (sum != PARTS)
    return refuse_row (coded, row, error, "is not a distribution: its parts sum to %d; expected u8 that sum to %d", sum,
                       PARTS);
  for (gint64 k = 0; k < coded->classes; k++)
    p[k] = (float)q[k] / PARTS;
  return TRUE;
}

static gint64
named_class (const Coded *coded, gint64 at)
{
  return lb_tensor_dtype (coded->named) == LB_U8 ? lb_tensor_u8 (coded->named)[at] : lb_tensor_i32 (coded->named)[at];
}

static gboolean
decode_top (const Coded *coded, gint64 row, float *p, GError **error)
{
  gint64 first = row * coded->kept, others = coded->classes - coded->kept;
  const guint8 *q = lb_tensor_u8 (coded->labels) + first;
  int sum = sum_of_parts (q, coded->kept);

  if (sum > PARTS || (sum < PARTS && others == 0))
    return refuse_row (coded, row, error, "is not a distribution: its parts sum to %d; expected u8 that sum to %s%d",
                       sum, others ? "at most " : "", PARTS);
  for (gint64 k = 0; k < coded->classes; k++)
    p[k] = -1;
  for (gint64 i = 0; i < coded->kept; i++) {
    gint64 class = named_class (coded, first + i);

    if (class < 0 || class >= coded->classes || p[class] >= 0)
      return refuse_row (coded, row, error, "names class %d%s; expected different classes from 0 to %d", (int)class,
                         class >= 0 && class < coded->classes ? " twice" : "", (int)coded->classes - 1);
    p[class] = (float)q[i] / PARTS;
  }
  for (gint64 k = 0; k < coded->classes; k++)
    if (p[k] < 0)
      p[k] = (float)(PARTS - sum) / (float)(PARTS * others);
  return TRUE;
}

/* Whether the tensors have the shapes and dtypes of one of the precisions. */
static gboolean
check_form (const Coded *coded, gint64 n, GError **error)
{
  LbShape shape = LB_SHAPE (n, coded->views, coded->kept);
  g_autofree char *found = lb_shape_to_string (lb_tensor_shape (coded->labels));
  g_autofree char *names = coded->named ? lb_shape_to_string (lb_tensor_shape (coded->named)) : NULL;

  if (!lb_shape_equal (lb_tensor_shape (coded->labels), shape)) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "%s: dense labels are %s; expected [%d, %d, %d]: images, windows, classes", coded->whose, found,
                 (int)n, (int)coded->views, (int)coded->kept);
    return FALSE;
  }
  if (!coded->named)
    return TRUE;
  if (lb_tensor_dtype (coded->labels) != LB_U8 || coded->kept > coded->classes
      || lb_tensor_dtype (coded->named) != lb_dense_labels_named_dtype (coded->classes)
      || !lb_shape_equal (lb_tensor_shape (coded->named), shape)) {
    g_set_error (
        error, LB_ERROR, LB_ERROR_INPUT,
        "%s: dense labels are %s%s of the classes named in %s%s; expected u8 and %s of one shape, and at most the %d "
        "classes that there are",
        coded->whose, lb_dtype_name (lb_tensor_dtype (coded->labels)), found,
        lb_dtype_name (lb_tensor_dtype (coded->named)), names,
        lb_dtype_name (lb_dense_labels_named_dtype (coded->classes)), (int)coded->classes);
    return FALSE;
  }
  return TRUE;
}

LbTensor *
lb_dense_labels_decode (const char *whose, LbTensor *labels, LbTensor *named, gint64 n, gint64 views, gint64 classes,
                        GError **error)
{
  gint64 kept = named && lb_tensor_shape (labels).rank == 3 ? lb_tensor_dim (labels, 2) : classes;
  Coded coded = { whose, labels, named, views, classes, kept };
  LbDType dtype = lb_tensor_dtype (labels);
  gboolean good = TRUE;

  if (!check_form (&coded, n, error))
    return NULL;
  g_autoptr (LbTensor) decoded = dtype == LB_F16   ? lb_tensor_convert (labels, LB_F32)
                                 : dtype == LB_F32 ? lb_tensor_ref (labels)
                                                   : lb_tensor_new (LB_F32, LB_SHAPE (n, views, classes));
  for (gint64 row = 0; row < n * views && good; row++) {
    float *p = lb_tensor_f32 (decoded) + row * classes;

    if (dtype != LB_U8)
      good = check_numbers (&coded, row, p, error);
    else
      good = named ? decode_top (&coded, row, p, error) : decode_parts (&coded, row, p, error);
  }
  return good ? g_steal_pointer (&decoded) : NULL;
}

/* ---- Sets ---- */

gboolean
lb_dense_labels_check_images (const char *whose, const char *labelled, LbTensor *images, GError **error)
{
  g_autofree char *found = labelled ? lb_tensor_digest (images) : NULL;

  if (!labelled || g_str_equal (labelled, found))
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
               "%s: the dense labels are those of other images: they were made for images with the SHA-256 %s, but the "
               "set's images have %s; label these images anew, or put back those that were labelled",
               whose, labelled, found);
  return FALSE;
}
