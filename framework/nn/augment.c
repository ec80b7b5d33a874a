/* Augmentation as graph nodes.
 *
 * All ops of the table in augment.h come down to three, each neutral for some inputs and left out of the graph when no
 * group of the strategy needs it.
 *
 * Color: gain x + grey (mean of x over channels) + level (mean of x) + offset, numbers for each image. Brightness b,
 * saturation s and contrast k give gain = k s, grey = k (1 - s), level = 1 - k, offset = b, as neither of the first two
 * moves the mean of the image other than by b.
 *
 * Geometry: bilinear sampling at affinely mapped places; whole-pixel maps have the weights 1 and 0, so they are exact.
 *
 * Cutout: x (1 - rows columns), with ones where the square is.
 */
#include "nn/augment.h"

#include <math.h>
#include <string.h>

#include "base/angle.h"
#include "base/error.h"

/* Ranges of the published code (VICO-UoE/DatasetCondensation). */
#define SHIFT       0.125
#define CUTOUT      0.5
#define MAX_SCALE   1.2
#define MAX_DEGREES 15.0

/* The least part of an axis that a view covers. */
#define MIN_VIEW 0.5

#define GEOMETRY (LB_AUGMENT_CROP | LB_AUGMENT_FLIP | LB_AUGMENT_SCALE | LB_AUGMENT_ROTATE | LB_AUGMENT_VIEW)

/* An input of a program and what is bound to it; node NULL when the strategy does not need it. */
typedef struct {
  LbNode *node;
  LbTensor *values;
} Input;

struct _LbAugmenter {
  LbAugmentation augmentation;
  LbShape images;                  /* [n, h, w, c] */
  Input gain, grey, level, offset; /* [n, 1, 1, 1]; grey only for several channels */
  Input where;                     /* [n, 10] */
  Input rows, columns;             /* [n, h, 1, 1] and [n, 1, w, 1] */
};

static const struct {
  const char *name;
  LbAugmentGroup group;
} groups[] = {
  { "color", LB_AUGMENT_COLOR }, { "crop", LB_AUGMENT_CROP },   { "cutout", LB_AUGMENT_CUTOUT },
  { "flip", LB_AUGMENT_FLIP },   { "scale", LB_AUGMENT_SCALE }, { "rotate", LB_AUGMENT_ROTATE },
  { "view", LB_AUGMENT_VIEW },
};

/* ---- Strategies ---- */

static gboolean
refuse_group (const char *strategy, const char *word, gboolean twice, GError **error)
{
  const char *names[G_N_ELEMENTS (groups) + 1] = { NULL };

  for (guint k = 0; k < G_N_ELEMENTS (groups); k++)
    names[k] = groups[k].name;
  g_autofree char *known = g_strjoinv (", ", (char **)names);
  g_autofree char *hint = twice ? g_strdup ("") : lb_did_you_mean (word, names);
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE,
               "augmentation '%s' has '%s'%s; expected none, or some of %s, each once, joined by '_' (one is drawn) or "
               "'-' (all are used)%s",
               strategy, word, twice ? " twice" : "", known, hint);
  return FALSE;
}

/* Adds the groups of @term, "color" or "crop_scale_rotate"; *count is how many. */
static gboolean
parse_term (const char *strategy, const char *term, LbAugmentation *augmentation, guint *count, GError **error)
{
  g_auto (GStrv) words = g_strsplit (*term ? term : " ", "_", -1);
  guint added = 0;

  for (guint i = 0; words[i]; i++) {
    guint k = 0;

    while (k < G_N_ELEMENTS (groups) && !g_str_equal (words[i], groups[k].name))
      k++;
    if (k == G_N_ELEMENTS (groups) || ((augmentation->groups | added) & groups[k].group))
      return refuse_group (strategy, words[i], k < G_N_ELEMENTS (groups), error);
    added |= groups[k].group;
  }
  augmentation->groups |= added;
  *count = g_strv_length (words);
  if (*count == 1)
    augmentation->always |= added;
  return TRUE;
}

gboolean
lb_augmentation_parse (const char *strategy, LbAugmentation *augmentation, GError **error)
{
  guint choices = 0;

  *augmentation = (LbAugmentation){ 0 };
  if (g_str_equal (strategy, "none"))
    return TRUE;

  g_auto (GStrv) terms = g_strsplit (*strategy ? strategy : " ", "-", -1);
  for (guint i = 0; terms[i]; i++) {
    guint count;

    if (!parse_term (strategy, terms[i], augmentation, &count, error))
      return FALSE;
    choices += count > 1;
  }
  if (choices <= 1)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PIPELINE, "augmentation '%s' has %u choices; expected at most one", strategy,
               choices);
  return FALSE;
}

/* ---- Nodes ---- */

static LbNode *
add_input (Input *input, LbGraph *graph, const char *name, LbShape shape)
{
  input->node = lb_batch_input (graph, name, shape);
  return input->node;
}

static LbNode *
color (LbAugmenter *augmenter, LbNode *x)
{
  LbGraph *graph = lb_node_graph (x);
  LbShape shape = augmenter->images;
  LbShape image = LB_SHAPE (shape.dim[0], 1, 1, 1), pixel = LB_SHAPE (shape.dim[0], shape.dim[1], shape.dim[2], 1);
  LbNode *gain = add_input (&augmenter->gain, graph, "gain", image);
  LbNode *level = add_input (&augmenter->level, graph, "level", image);
  LbNode *offset = add_input (&augmenter->offset, graph, "offset", image);
  LbNode *mean = lb_scale (lb_sum_to (x, image), 1.0 / (double)(shape.dim[1] * shape.dim[2] * shape.dim[3]));
  LbNode *result = lb_add (lb_mul (x, gain), lb_add (lb_mul (mean, level), offset));

  if (shape.dim[3] == 1)
    return result;
  LbNode *grey = add_input (&augmenter->grey, graph, "grey", image);
  return lb_add (result, lb_mul (lb_scale (lb_sum_to (x, pixel), 1.0 / (double)shape.dim[3]), grey));
}

static LbNode *
geometry (LbAugmenter *augmenter, LbNode *x)
{
  LbShape shape = augmenter->images;
  LbNode *where = add_input (&augmenter->where, lb_node_graph (x), "where augmented", LB_SHAPE (shape.dim[0], 10));

  return lb_bilinear (x, where, shape.dim[1], shape.dim[2], LB_BORDER_ZERO);
}

static LbNode *
cutout (LbAugmenter *augmenter, LbNode *x)
{
  LbGraph *graph = lb_node_graph (x);
  LbShape shape = augmenter->images;
  LbNode *rows = add_input (&augmenter->rows, graph, "cut rows", LB_SHAPE (shape.dim[0], shape.dim[1], 1, 1));
  LbNode *columns = add_input (&augmenter->columns, graph, "cut columns", LB_SHAPE (shape.dim[0], 1, shape.dim[2], 1));

  return lb_mul (x, lb_affine (lb_mul (rows, columns), -1, 1));
}

LbNode *
lb_augment (LbNode *images, const LbAugmentation *augmentation, LbAugmenter **augmenter)
{
  LbNode *x = images;

  *augmenter = NULL;
  if (!augmentation->groups)
    return images;
  *augmenter = g_new0 (LbAugmenter, 1);
  (*augmenter)->augmentation = *augmentation;
  (*augmenter)->images = lb_node_shape (images);
  if (augmentation->groups & LB_AUGMENT_COLOR)
    x = color (*augmenter, x);
  if (augmentation->groups & GEOMETRY)
    x = geometry (*augmenter, x);
  if (augmentation->groups & LB_AUGMENT_CUTOUT)
    x = cutout (*augmenter, x);
  return x;
}

void
lb_augmenter_free (LbAugmenter *augmenter)
{
  if (!augmenter)
    return;
  Input *inputs[] = { &augmenter->gain,  &augmenter->grey, &augmenter->level,  &augmenter->offset,
                      &augmenter->where, &augmenter->rows, &augmenter->columns };
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    g_clear_pointer (&inputs[i]->values, lb_tensor_unref);
  g_free (augmenter);
}

void
lb_augmenter_bind (LbAugmenter *augmenter, LbProgram *program)
{
  if (!augmenter)
    return;
  Input *inputs[] = { &augmenter->gain,  &augmenter->grey, &augmenter->level,  &augmenter->offset,
                      &augmenter->where, &augmenter->rows, &augmenter->columns };
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++) {
    if (!inputs[i]->node)
      continue;
    if (!inputs[i]->values)
      inputs[i]->values
          = lb_tensor_new (lb_graph_dtype (lb_node_graph (inputs[i]->node)), lb_node_shape (inputs[i]->node));
    lb_program_bind (program, inputs[i]->node, inputs[i]->values);
  }
  for (gint64 i = 0; i < augmenter->images.dim[0]; i++)
    lb_augmenter_set (augmenter, i, &LB_AUGMENT_NOTHING);
}

/* ---- Parameters ---- */

static void
put (Input *input, gint64 i, double value)
{
  if (!input->node)
    return;
  if (lb_tensor_dtype (input->values) == LB_F64)
    lb_tensor_f64 (input->values)[i] = value;
  else
    lb_tensor_f32 (input->values)[i] = (float)value;
}

/* Output pixel (i, j), flipped about the centre, turned and stretched about it, then shifted. */
static void
set_where (LbAugmenter *augmenter, gint64 image, const LbAugmentParameters *p)
{
  double height = (double)augmenter->images.dim[1], width = (double)augmenter->images.dim[2];
  double cx = (width - 1) / 2, cy = (height - 1) / 2, side = p->flip ? -1 : 1;
  double c, s;
  lb_sine_cosine (p->angle / (G_PI / 2), &s, &c);
  double xx = p->scale_x * c * side, xy = -p->scale_x * s, yx = p->scale_y * s * side, yy = p->scale_y * c;
  double row[10] = { xx,        xy, cx + (double)p->shift_x + p->view_x - xx * cx - xy * cy,
                     yx,        yy, cy + (double)p->shift_y + p->view_y - yx * cx - yy * cy,
                     0,         0,  width - 1,
                     height - 1 };

  for (guint k = 0; k < 10; k++)
    put (&augmenter->where, 10 * image + k, row[k]);
}

static void
set_cut (Input *input, gint64 image, gint64 size, gint64 first, gint64 count)
{
  for (gint64 i = 0; i < size; i++)
    put (input, image * size + i, i >= first && i < first + count);
}

void
lb_augmenter_set (LbAugmenter *augmenter, gint64 image, const LbAugmentParameters *p)
{
  gboolean is_grey;

  if (!augmenter)
    return;
  g_assert (image >= 0 && image < augmenter->images.dim[0]);
  is_grey = augmenter->images.dim[3] == 1;
  put (&augmenter->gain, image, p->contrast * (is_grey ? 1 : p->saturation));
  put (&augmenter->grey, image, p->contrast * (1 - p->saturation));
  put (&augmenter->level, image, 1 - p->contrast);
  put (&augmenter->offset, image, p->brightness);
  if (augmenter->where.node)
    set_where (augmenter, image, p);
  if (augmenter->rows.node) {
    set_cut (&augmenter->rows, image, augmenter->images.dim[1], p->cut_y, p->cut_height);
    set_cut (&augmenter->columns, image, augmenter->images.dim[2], p->cut_x, p->cut_width);
  }
}

/* ---- Drawing ---- */

/* A whole number within @most of 0. */
static gint64
draw_shift (LbRandom *random, gint64 size)
{
  gint64 most = (gint64)(SHIFT * (double)size + 0.5);

  return (gint64)lb_random_below (random, (guint64)(2 * most + 1)) - most;
}

/* Where a square of @length begins whose centre lies within @size; an even one's centre may lie on either edge. */
static gint64
draw_cut (LbRandom *random, gint64 size, gint64 length)
{
  gint64 places = size + (length % 2 == 0 ? 1 : 0);

  return (gint64)lb_random_below (random, (guint64)places) - length / 2;
}

static double
draw_between (LbRandom *random, double low, double high)
{
  return low + (high - low) * lb_random_uniform (random);
}

static void
draw_group (LbAugmentGroup group, LbShape images, LbRandom *random, LbAugmentParameters *p)
{
  gint64 height = images.dim[1], width = images.dim[2];

  switch (group) {
  case LB_AUGMENT_COLOR:
    p->brightness = draw_between (random, -0.5, 0.5);
    p->saturation = draw_between (random, 0, 2);
    p->contrast = draw_between (random, 0.5, 1.5);
    break;
  case LB_AUGMENT_CROP:
    p->shift_x = draw_shift (random, width);
    p->shift_y = draw_shift (random, height);
    break;
  case LB_AUGMENT_CUTOUT:
    p->cut_width = (gint64)(CUTOUT * (double)width + 0.5);
    p->cut_height = (gint64)(CUTOUT * (double)height + 0.5);
    p->cut_x = draw_cut (random, width, p->cut_width);
    p->cut_y = draw_cut (random, height, p->cut_height);
    break;
  case LB_AUGMENT_FLIP:
    p->flip = lb_random_uniform (random) < 0.5;
    break;
  case LB_AUGMENT_SCALE:
    p->scale_x = draw_between (random, 1 / MAX_SCALE, MAX_SCALE);
    p->scale_y = draw_between (random, 1 / MAX_SCALE, MAX_SCALE);
    break;
  case LB_AUGMENT_ROTATE:
    p->angle = draw_between (random, -MAX_DEGREES, MAX_DEGREES) * G_PI / 180;
    break;
  case LB_AUGMENT_VIEW: {
    /* The centres of its pixels lie among those of the image. With other groups it is a window of what they see. */
    double part = draw_between (random, MIN_VIEW, 1), slack = (1 - part) / 2;

    p->view_x = draw_between (random, -slack, slack) * (double)(width - 1);
    p->view_y = draw_between (random, -slack, slack) * (double)(height - 1);
    p->scale_x *= part;
    p->scale_y *= part;
    break;
  }
  }
}

/* The groups of one draw: those that are always used, and one of the others. */
static guint
draw_groups (const LbAugmentation *augmentation, LbKey key)
{
  LbRandom random = lb_random (lb_key_derive (key, "group"));
  guint drawn = augmentation->always, others = augmentation->groups & ~drawn;
  guint64 skip = others ? lb_random_below (&random, (guint64)__builtin_popcount (others)) : 0;

  for (guint k = 0; k < G_N_ELEMENTS (groups); k++)
    if ((others & groups[k].group) && skip-- == 0)
      drawn |= groups[k].group;
  return drawn;
}

static LbAugmentParameters
draw_image (LbShape images, guint drawn, LbKey key)
{
  LbRandom random = lb_random (key);
  LbAugmentParameters parameters = LB_AUGMENT_NOTHING;

  for (guint k = 0; k < G_N_ELEMENTS (groups); k++)
    if (drawn & groups[k].group)
      draw_group (groups[k].group, images, &random, &parameters);
  return parameters;
}

static void
draw_all (LbAugmenter *augmenter, gboolean shared, const guint32 *images, LbKey key)
{
  LbKey each = lb_key_derive (key, "image");
  guint drawn;

  if (!augmenter)
    return;
  drawn = draw_groups (&augmenter->augmentation, key);
  for (gint64 i = 0; i < augmenter->images.dim[0]; i++) {
    guint64 image = shared ? 0 : images ? images[i] : (guint64)i;
    LbAugmentParameters parameters = draw_image (augmenter->images, drawn, lb_key_index (each, image));

    lb_augmenter_set (augmenter, i, &parameters);
  }
}

void
lb_augmenter_draw (LbAugmenter *augmenter, gboolean shared, LbKey key)
{
  draw_all (augmenter, shared, NULL, key);
}

void
lb_augmenter_draw_as (LbAugmenter *augmenter, const guint32 *images, LbKey key)
{
  draw_all (augmenter, FALSE, images, key);
}
