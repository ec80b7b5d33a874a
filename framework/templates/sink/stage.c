/* my-stage: counts the images of each class, as a table in a file. */
#include "limbeck.h"

/* ---- What a user sets ---- */

typedef struct {
  char *file;
} MyStage;

static const LbProperty properties[] = {
  LB_RESULT (MyStage, file, "file", "*.csv", "File to write"),
  LB_PROPERTIES_END,
};

/* ---- What flows ---- */

static const LbPort inputs[] = {
  { "samples", "samples", "classes", 0, "Images to count" },
  LB_PORTS_END,
};

static gboolean
my_stage_configure (LbConfigure *configure, gpointer data, GError **error)
{
  lb_configure_cost (configure, 0, 0);
  return TRUE;
}

/* ---- The work ---- */

/* Adds the labels of every packet to @counts. */
static gboolean
count (LbStage *stage, gint64 *counts, gint64 classes, GError **error)
{
  LbPacket *next;

  while (lb_stage_pull (stage, "samples", &next, error)) {
    g_autoptr (LbPacket) samples = next;
    if (samples == NULL)
      return TRUE;
    LbTensor *labels = lb_packet_get (samples, "labels");
    if (!lb_labels_check (lb_stage_source (stage, "samples", 0), labels, classes, error))
      return FALSE;
    for (gint64 i = 0; i < lb_tensor_size (labels); i++)
      counts[lb_tensor_i32 (labels)[i]]++;
  }
  return FALSE;
}

static gboolean
my_stage_run (LbStage *stage, gpointer data, GError **error)
{
  const MyStage *self = data;
  gint64 classes = lb_stage_dim (stage, "classes");
  g_autofree gint64 *counts = g_new0 (gint64, MAX (classes, 1));
  g_autoptr (GString) text = g_string_new ("class,images\n");

  if (!count (stage, counts, classes, error))
    return FALSE;
  for (gint64 label = 0; label < classes; label++)
    g_string_append_printf (text, "%d,%d\n", (int)label, (int)counts[label]);
  return lb_stage_write (stage, self->file, text->str, text->len, error);
}

static const LbStageType my_stage_type = {
  .name = "my-stage",
  .summary = "Counts the images of each class",
  .inputs = inputs,
  .properties = properties,
  .instance_size = sizeof (MyStage),
  .configure = my_stage_configure,
  .run = my_stage_run,
};

LB_DEFINE_PLUGIN ("my-stage", "0.1.0", "LGPL-2.1-or-later", &my_stage_type);
