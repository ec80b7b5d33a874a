/* Experts, on the disk: a hundred of fifty epochs are gigabytes, and a step needs two snapshots of one. */
#include "trajectory-matching.h"

/* What @packet, expert @number of the stream, has that the others have not; NULL: it is of their kind. */
static char *
difference (const Experts *experts, LbPacket *packet, gint64 wanted)
{
  LbTensor *parameters = lb_packet_get (packet, "parameters");
  g_autofree char *architecture = lb_packet_get_text (packet, "architecture");

  if (g_strcmp0 (architecture, experts->architecture) != 0)
    return g_strdup_printf ("is a '%s', the first a '%s'; expected experts of one architecture", architecture,
                            experts->architecture);
  if (lb_tensor_dim (parameters, 1) != experts->parameters)
    return g_strdup_printf ("has %" G_GINT64_FORMAT " parameters, the first %" G_GINT64_FORMAT
                            "; expected experts of one input size and number of classes",
                            lb_tensor_dim (parameters, 1), experts->parameters);
  if (lb_tensor_dim (parameters, 0) < wanted)
    return g_strdup_printf ("has %" G_GINT64_FORMAT " snapshots, but max-start + expert-epochs wants %" G_GINT64_FORMAT
                            " (the start, and one after each epoch); train experts longer, or lower max-start",
                            lb_tensor_dim (parameters, 0), wanted);
  return NULL;
}

/* The first packet tells what all must be. */
static gboolean
experts_begin (Experts *experts, LbStage *stage, LbPacket *packet, GError **error)
{
  g_autofree char *output = lb_stage_output_path (stage, "experts"), *directory = g_path_get_dirname (output);
  LbTensor *whitening = lb_packet_get (packet, "whitening_mean");

  experts->architecture = lb_packet_get_text (packet, "architecture");
  experts->mean = lb_tensor_ref (lb_packet_get (packet, "mean"));
  experts->std = lb_tensor_ref (lb_packet_get (packet, "std"));
  experts->whitening_mean = whitening ? lb_tensor_ref (whitening) : NULL;
  experts->parameters = lb_tensor_dim (lb_packet_get (packet, "parameters"), 1);
  experts->rate = lb_tensor_f64 (lb_packet_get (packet, "learning_rate"))[0];
  experts->scratch = lb_scratch_new (directory, (gsize)experts->parameters * sizeof (float), error);
  return experts->scratch != NULL;
}

/* Takes in one expert: those of its snapshots that are wanted. */
static gboolean
experts_add (Experts *experts, LbStage *stage, LbPacket *packet, gint64 wanted, GError **error)
{
  LbTensor *parameters = lb_packet_get (packet, "parameters");
  g_autofree char *problem = NULL, *theirs = g_strdup_printf ("expert %d of '%s'", (int)experts->n,
                                                              lb_stage_source (stage, "experts", 0));

  if (experts->n == 0 && !experts_begin (experts, stage, packet, error))
    return FALSE;
  if ((problem = difference (experts, packet, wanted))) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "%s %s", theirs, problem);
    return FALSE;
  }
  if (!lb_images_same_normalisation ("the first expert", experts->mean, experts->std, theirs,
                                     lb_packet_get (packet, "mean"), lb_packet_get (packet, "std"), error)
      || !lb_whitening_same ("the first expert", experts->whitening_mean, theirs,
                             lb_packet_get (packet, "whitening_mean"), error))
    return FALSE;
  for (gint64 k = 0; k < wanted; k++)
    if (!lb_scratch_write (experts->scratch, (guint64)(experts->n * wanted + k),
                           lb_tensor_f32 (parameters) + k * experts->parameters, error))
      return FALSE;
  experts->snapshots = wanted;
  experts->flops += lb_tensor_f64 (lb_packet_get (packet, "training_flops"))[0];
  experts->n++;
  return TRUE;
}

gboolean
experts_read (Experts *experts, LbStage *stage, gint64 wanted, GError **error)
{
  for (;;) {
    g_autoptr (LbPacket) packet = NULL;

    if (!lb_stage_pull (stage, "experts", &packet, error))
      return FALSE;
    if (!packet)
      break;
    if (!experts_add (experts, stage, packet, wanted, error))
      return FALSE;
  }
  if (experts->n > 0)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_INPUT, "'%s' has no expert; expected at least one trajectory",
               lb_stage_source (stage, "experts", 0));
  return FALSE;
}

gboolean
experts_load (const Experts *experts, gint64 expert, gint64 epoch, LbTensor *out, GError **error)
{
  return lb_scratch_read (experts->scratch, (guint64)(expert * experts->snapshots + epoch), lb_tensor_f32 (out), error);
}

void
experts_clear (Experts *experts)
{
  LbTensor **tensors[] = { &experts->mean, &experts->std, &experts->whitening_mean };

  g_clear_pointer (&experts->architecture, g_free);
  for (guint i = 0; i < G_N_ELEMENTS (tensors); i++)
    g_clear_pointer (tensors[i], lb_tensor_unref);
  g_clear_pointer (&experts->scratch, lb_scratch_free);
}
