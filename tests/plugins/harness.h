/* What the tests of stages share beside the harness (limbeck-test.h): small packets, and runs that must go well or be
 * refused. */
#pragma once

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "limbeck-test.h"

static inline void
harness_run_well (LbHarness *h)
{
  g_autoptr (GError) error = NULL;

  if (!lb_harness_run (h, &error))
    g_error ("%s", error->message);
}

/* Runs, and expects exactly this error. */
static inline void
harness_refuses (LbHarness *h, LbError code, const char *message)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (lb_harness_run (h, &error));
  g_assert_cmpstr (error->message, ==, message);
  g_assert_error (error, LB_ERROR, (int)code);
}

/* A file, or a directory with all that is in it. */
static inline void
remove_all (const char *path)
{
  GDir *directory = g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name;

  while (directory && (name = g_dir_read_name (directory))) {
    g_autofree char *inner = g_build_filename (path, name, NULL);
    remove_all (inner);
  }
  if (directory)
    g_dir_close (directory);
  g_assert_cmpint (g_remove (path), ==, 0);
}

/* ---- Packets ---- */

static inline LbTensor *
f32_of (LbShape shape, const float *values)
{
  LbTensor *tensor = lb_tensor_new (LB_F32, shape);

  memcpy (lb_tensor_f32 (tensor), values, lb_tensor_bytes (tensor));
  return tensor;
}

/* Grey u8 images of @size x @size that any network can tell apart: image i is of class i % @classes, whose bright
 * column of columns moves to the right with the class. Mean 0.4, std 0.3. */
static inline LbPacket *
toy_samples (gint64 n, gint64 size, gint64 classes, guint64 seed)
{
  LbRandom random = lb_random (lb_key_derive (lb_key (seed), "toy"));
  LbPacket *packet = lb_packet_new ();
  LbTensor *images = lb_tensor_new (LB_U8, LB_SHAPE (n, 1, size, size)), *labels = lb_tensor_new (LB_I32, LB_SHAPE (n));

  for (gint64 i = 0; i < n; i++) {
    lb_tensor_i32 (labels)[i] = (gint32)(i % classes);
    for (gint64 p = 0; p < size * size; p++)
      lb_tensor_u8 (images)[i * size * size + p]
          = (guint8)(lb_random_below (&random, 60) + (p % size * classes / size == i % classes ? 150 : 20));
  }
  lb_packet_take (packet, "images", images);
  lb_packet_take (packet, "labels", labels);
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  return packet;
}

/* The same with every field shared but @field, which becomes @tensor (taken). */
static inline LbPacket *
packet_with (LbPacket *packet, const char *field, LbTensor *tensor)
{
  LbPacket *changed = lb_packet_new ();
  gboolean found = FALSE;

  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    const char *name = lb_packet_field_name (packet, i);

    found = found || g_str_equal (name, field);
    if (g_str_equal (name, field))
      lb_packet_take (changed, name, tensor);
    else
      lb_packet_set (changed, name, lb_packet_field_tensor (packet, i));
  }
  if (!found)
    lb_packet_take (changed, field, tensor);
  return changed;
}

/* A model whose parameters are @parameters (taken). */
static inline LbPacket *
model_packet (const char *architecture, LbTensor *parameters, gint64 index)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "parameters", parameters);
  lb_packet_set_text (packet, "architecture", architecture);
  lb_packet_take (packet, "mean", f32_of (LB_SHAPE (1), (const float[]){ 0.4f }));
  lb_packet_take (packet, "std", f32_of (LB_SHAPE (1), (const float[]){ 0.3f }));
  lb_packet_set_integer (packet, "index", index);
  lb_packet_set_integer (packet, "set_images", 20);
  lb_packet_set_integer (packet, "set_bytes", 1000);
  lb_packet_set_number (packet, "training_flops", 2e9);
  return packet;
}

/* A model of convnet-d1 for grey 8 x 8 images that gives every image the same scores: the biases of its linear layer.
 */
static inline LbPacket *
constant_model (const float *scores, gint64 classes, gint64 index)
{
  g_autoptr (LbNetwork) network = lb_network_new ("convnet-d1", (LbImageSize){ 1, 8, 8 }, classes, NULL);
  gint64 n = lb_network_n_parameters (network);
  LbTensor *parameters = lb_tensor_new (LB_F32, LB_SHAPE (n));

  memcpy (lb_tensor_f32 (parameters) + n - classes, scores, (gsize)classes * sizeof (float));
  return model_packet ("convnet-d1", parameters, index);
}

static inline void
assert_same_tensor (LbTensor *a, LbTensor *b)
{
  g_assert_cmpint (lb_tensor_dtype (a), ==, lb_tensor_dtype (b));
  g_assert_true (lb_shape_equal (lb_tensor_shape (a), lb_tensor_shape (b)));
  g_assert_cmpmem (lb_tensor_data (a), lb_tensor_bytes (a), lb_tensor_data (b), lb_tensor_bytes (b));
}

static inline gboolean
same_bytes (LbTensor *a, LbTensor *b)
{
  return lb_tensor_bytes (a) == lb_tensor_bytes (b)
         && memcmp (lb_tensor_data (a), lb_tensor_data (b), lb_tensor_bytes (a)) == 0;
}
