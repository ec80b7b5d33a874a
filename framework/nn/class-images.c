/* A set sorted by class. */
#include "nn/class-images.h"

#include "base/error.h"
#include "nn/images.h"

struct _LbClassImages {
  LbTensor *images, *mean, *std;
  guint32 *by_class; /* indices of the images, sorted by class, and where each class begins */
  gint64 *first;
  guint32 *order; /* of a draw; as long as the set */
  gint64 smallest;
};

/* Finds the smallest class; one of fewer than @wanted images is an error. */
static gboolean
check_sizes (LbClassImages *sorted, const char *whose, gint64 classes, gint64 wanted, GError **error)
{
  sorted->smallest = sorted->first[classes];
  for (gint64 class = 0; class < classes; class ++) {
    gint64 n = sorted->first[class + 1] - sorted->first[class];

    sorted->smallest = MIN (sorted->smallest, n);
    if (n < wanted) {
      g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                   "'%s' has %d images of class %d; expected at least %d, so ask for fewer images per class, or give a "
                   "larger source",
                   whose, (int)n, (int)class, (int)wanted);
      return FALSE;
    }
  }
  return TRUE;
}

LbClassImages *
lb_class_images_new (const char *whose, const LbLearningSet *set, gint64 classes, gint64 wanted, GError **error)
{
  g_autoptr (LbClassImages) sorted = g_new0 (LbClassImages, 1);

  if (!lb_labels_check (whose, set->labels, classes, error))
    return NULL;
  sorted->images = lb_tensor_ref (set->images);
  sorted->mean = lb_tensor_ref (set->mean);
  sorted->std = lb_tensor_ref (set->std);
  sorted->first = g_new (gint64, classes + 1);
  sorted->by_class = lb_images_by_class (set->labels, classes, sorted->first);
  sorted->order = g_new (guint32, MAX (lb_tensor_size (set->labels), 1));
  return check_sizes (sorted, whose, classes, wanted, error) ? g_steal_pointer (&sorted) : NULL;
}

void
lb_class_images_free (LbClassImages *set)
{
  if (!set)
    return;
  g_clear_pointer (&set->images, lb_tensor_unref);
  g_clear_pointer (&set->mean, lb_tensor_unref);
  g_clear_pointer (&set->std, lb_tensor_unref);
  g_free (set->by_class);
  g_free (set->first);
  g_free (set->order);
  g_free (set);
}

gint64
lb_class_images_smallest (const LbClassImages *set)
{
  return set->smallest;
}

gint64
lb_class_images_count (const LbClassImages *set, gint64 class)
{
  return set->first[class + 1] - set->first[class];
}

void
lb_class_images_draw (LbClassImages *set, gint64 class, LbKey key, LbTensor *out)
{
  gint64 first = set->first[class], count = lb_tensor_dim (out, 0);
  LbRandom random = lb_random (lb_key_index (key, (guint64) class));

  g_assert (count <= set->first[class + 1] - first);
  lb_random_permutation (&random, set->order, (gsize)(set->first[class + 1] - first));
  for (gint64 i = 0; i < count; i++)
    set->order[i] = set->by_class[first + set->order[i]];
  lb_images_load (set->images, set->order, count, set->mean, set->std, out);
}

LbTensor *
lb_class_labels (gint64 classes, gint64 count)
{
  LbTensor *labels = lb_tensor_new (LB_I32, LB_SHAPE (classes * count));

  for (gint64 i = 0; i < classes * count; i++)
    lb_tensor_i32 (labels)[i] = (gint32)(i / count);
  return labels;
}

gsize
lb_class_images_bytes (gint64 n)
{
  return 2 * (gsize)MAX (n, 0) * sizeof (guint32);
}
