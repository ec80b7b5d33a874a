/* Small stage types for the tests of pipelines, linked into tests and, as the plugin test-stages, loaded by the
 * command. */
#pragma once

#include <string.h>

#include "plugin/stage.h"
#include "tensor/tensor.h"

/* ---- counter: sends packets (0), (1), ... of @size equal numbers each ---- */

typedef struct {
  gint64 packets, size;
  char *kind;
} Counter;

static const char *const counter_kinds[] = { "up", "down", NULL };

static const LbProperty counter_properties[] = {
  LB_INTEGER (Counter, packets, "packets", "10", 0, 1000000, "packets", "packets to send"),
  LB_INTEGER (Counter, size, "size", "1", 1, 1000000, "numbers", "numbers in each packet"),
  LB_CHOICE (Counter, kind, "kind", "up", counter_kinds, "whether it counts up or down"),
  LB_PROPERTIES_END,
};

static const LbPort counter_outputs[] = { { "numbers", "numbers", "n", 0, "what was counted" }, LB_PORTS_END };

static gboolean
counter_configure (LbConfigure *configure, gpointer self, GError **error)
{
  const Counter *counter = self;
  if (counter->size == 13)
    return lb_configure_property_error (configure, "size", error, "13 is unlucky; choose another");
  lb_configure_cost (configure, (double)counter->packets, (double)counter->size * 8);
  return lb_configure_set_dim (configure, "n", counter->size, error);
}

static gboolean
counter_run (LbStage *stage, gpointer self, GError **error)
{
  const Counter *counter = self;
  for (gint64 i = 0; i < counter->packets; i++) {
    LbTensor *values = lb_tensor_new (LB_F64, LB_SHAPE (counter->size));
    for (gint64 k = 0; k < counter->size; k++)
      lb_tensor_f64 (values)[k] = (double)(strcmp (counter->kind, "up") == 0 ? i : -i);
    LbPacket *packet = lb_packet_new ();
    lb_packet_take (packet, "values", values);
    if (!lb_stage_push (stage, "numbers", packet, error)
        || !lb_stage_progress (stage, i + 1, counter->packets, "number", (double)i, error))
      return FALSE;
  }
  return TRUE;
}

static const LbStageType counter_type = {
  .name = "counter",
  .summary = "sends numbers",
  .outputs = counter_outputs,
  .properties = counter_properties,
  .instance_size = sizeof (Counter),
  .configure = counter_configure,
  .run = counter_run,
};

/* ---- doubler: doubles what passes; fails at packet @fail_at unless that is negative ---- */

typedef struct {
  gint64 fail_at;
} Doubler;

static const LbProperty doubler_properties[] = {
  LB_INTEGER (Doubler, fail_at, "fail-at", "-1", -1, 1000000, "packets", "packet at which it fails; -1: never"),
  LB_PROPERTIES_END,
};

static const LbPort doubler_inputs[]
    = { { "numbers", "numbers", "n", LB_PORT_REQUIRED, "to be doubled" }, LB_PORTS_END };
static const LbPort doubler_outputs[] = { { "doubled", "numbers", "n", 0, "twice the input" }, LB_PORTS_END };

static gboolean
doubler_run (LbStage *stage, gpointer self, GError **error)
{
  const Doubler *doubler = self;
  for (gint64 i = 0;; i++) {
    g_autoptr (LbPacket) packet = NULL;
    if (!lb_stage_pull (stage, "numbers", &packet, error))
      return FALSE;
    if (packet == NULL)
      return TRUE;
    if (i == doubler->fail_at) {
      g_set_error (error, LB_ERROR, LB_ERROR_NUMERIC, "packet %d is too much; send fewer", (int)i);
      return FALSE;
    }
    LbTensor *values = lb_tensor_copy (lb_packet_get (packet, "values"));
    for (gint64 k = 0; k < lb_tensor_size (values); k++)
      lb_tensor_f64 (values)[k] *= 2;
    lb_compute_add_flops (lb_stage_compute (stage), (double)lb_tensor_size (values));
    LbPacket *doubled = lb_packet_new ();
    lb_packet_take (doubled, "values", values);
    if (!lb_stage_push (stage, "doubled", doubled, error))
      return FALSE;
  }
}

static const LbStageType doubler_type = {
  .name = "doubler",
  .summary = "doubles numbers",
  .inputs = doubler_inputs,
  .outputs = doubler_outputs,
  .properties = doubler_properties,
  .instance_size = sizeof (Doubler),
  .run = doubler_run,
};

/* ---- sum: adds up its streams one after the other, and writes the sum under the stage's name ---- */

typedef struct {
  char *file, *result;
} Sum;

static const LbProperty sum_properties[] = {
  LB_PATH (Sum, file, "file", "", "a path that is not used"),
  LB_RESULT (Sum, result, "result", "*.txt", "where the sum goes"),
  LB_PROPERTIES_END,
};

static const LbPort sum_inputs[] = { { "numbers", "numbers", "", LB_PORT_MANY, "to be added up" },
                                     { "more", "numbers", "", LB_PORT_OPTIONAL, "also added up, after numbers" },
                                     LB_PORTS_END };

static gboolean
sum_port (LbStage *stage, const char *port, double *sum, GError **error)
{
  for (;;) {
    g_autoptr (LbPacket) packet = NULL;
    if (!lb_stage_pull (stage, port, &packet, error))
      return FALSE;
    if (packet == NULL)
      return TRUE;
    const LbTensor *values = lb_packet_get (packet, "values");
    for (gint64 k = 0; k < lb_tensor_size (values); k++)
      *sum += lb_tensor_f64 (values)[k];
  }
}

static gboolean
sum_run (LbStage *stage, gpointer data, GError **error)
{
  const Sum *self = data;
  double sum = 0;
  if (!sum_port (stage, "numbers", &sum, error))
    return FALSE;
  lb_stage_metric (stage, "sum", sum, "numbers");
  if (!sum_port (stage, "more", &sum, error))
    return FALSE;
  lb_stage_metric (stage, "sum", sum, "numbers");
  lb_stage_metric (stage, "ratio", sum / 0.0 - sum / 0.0, NULL);
  g_autofree char *text = g_strdup_printf ("%s: %g", lb_stage_name (stage), sum);
  lb_stage_report (stage, text);
  return lb_stage_write (stage, self->result, text, strlen (text), error);
}

static const LbStageType sum_type = {
  .name = "sum",
  .summary = "adds numbers up",
  .description = "Adds up all numbers of all its streams.",
  .inputs = sum_inputs,
  .properties = sum_properties,
  .instance_size = sizeof (Sum),
  .run = sum_run,
};

/* ---- pair: reads two streams whose packets have the same size ---- */

static const LbPort pair_inputs[] = { { "left", "numbers", "n", LB_PORT_REQUIRED, "one side" },
                                      { "right", "numbers", "n", LB_PORT_REQUIRED, "the other side" },
                                      LB_PORTS_END };

static gboolean
pair_run (LbStage *stage, gpointer self, GError **error)
{
  double sum = 0;
  return sum_port (stage, "left", &sum, error) && sum_port (stage, "right", &sum, error);
}

static const LbStageType pair_type = {
  .name = "pair",
  .summary = "reads two streams of one size",
  .inputs = pair_inputs,
  .instance_size = 1,
  .run = pair_run,
};

/* ---- speaker: a stream of another schema; @text must be given ---- */

typedef struct {
  char *text;
} Speaker;

static const LbProperty speaker_properties[] = {
  LB_STRING (Speaker, text, "text", NULL, "what it says"),
  LB_PROPERTIES_END,
};

static const LbPort speaker_outputs[] = { { "words", "words", "", 0, "what was said" }, LB_PORTS_END };

static gboolean
speaker_run (LbStage *stage, gpointer self, GError **error)
{
  LbPacket *packet = lb_packet_new ();
  lb_packet_set_text (packet, "text", ((Speaker *)self)->text);
  return lb_stage_push (stage, "words", packet, error);
}

static const LbStageType speaker_type = {
  .name = "speaker",
  .summary = "says something",
  .outputs = speaker_outputs,
  .properties = speaker_properties,
  .instance_size = sizeof (Speaker),
  .run = speaker_run,
};

/* ---- sleeper: works until it is stopped; when @deaf it does not notice for half a minute ---- */

typedef struct {
  gboolean deaf;
} Sleeper;

static const LbProperty sleeper_properties[] = {
  LB_BOOLEAN (Sleeper, deaf, "deaf", "false", "does not notice that the run is stopped"),
  LB_PROPERTIES_END,
};

static gboolean
sleeper_run (LbStage *stage, gpointer self, GError **error)
{
  for (guint64 i = 0; lb_stage_progress (stage, i, 0, NULL, 0, error); i++)
    g_usleep (((Sleeper *)self)->deaf ? 30 * G_USEC_PER_SEC : 10000);
  return FALSE;
}

static const LbStageType sleeper_type = {
  .name = "sleeper",
  .summary = "sleeps",
  .properties = sleeper_properties,
  .instance_size = sizeof (Sleeper),
  .run = sleeper_run,
};

/* ---- napper: does nothing for a while, then sends a packet ---- */

typedef struct {
  gint64 milliseconds;
} Napper;

static const LbProperty napper_properties[] = {
  LB_INTEGER (Napper, milliseconds, "milliseconds", "100", 0, 100000, "milliseconds", "how long it does nothing"),
  LB_PROPERTIES_END,
};

static gboolean
napper_run (LbStage *stage, gpointer self, GError **error)
{
  LbPacket *packet = lb_packet_new ();
  g_usleep ((gulong)((Napper *)self)->milliseconds * 1000);
  lb_packet_take (packet, "values", lb_tensor_new (LB_F64, LB_SHAPE (1)));
  return lb_stage_push (stage, "numbers", packet, error);
}

static const LbStageType napper_type = {
  .name = "napper",
  .summary = "naps",
  .outputs = counter_outputs,
  .properties = napper_properties,
  .instance_size = sizeof (Napper),
  .run = napper_run,
};

/* ---- closer: writes what the run tells of itself, after all others ---- */

static const LbPort closer_inputs[]
    = { { "numbers", "numbers", "", LB_PORT_MANY | LB_PORT_OPTIONAL, "read to their end first" }, LB_PORTS_END };

static gboolean
closer_run (LbStage *stage, gpointer self, GError **error)
{
  g_autofree char *facts = NULL, *name = g_strconcat (lb_stage_name (stage), ".facts", NULL);
  double sum = 0;
  if (!sum_port (stage, "numbers", &sum, error) || !lb_stage_run_facts (stage, &facts, error))
    return FALSE;
  return lb_stage_write (stage, name, facts, strlen (facts), error);
}

static const LbStageType closer_type = {
  .name = "closer",
  .summary = "tells of the run",
  .inputs = closer_inputs,
  .instance_size = 1,
  .run = closer_run,
  .flags = LB_STAGE_CLOSES,
};

/* ---- quitter: says that it was cancelled when nobody did ---- */

static gboolean
quitter_run (LbStage *stage, gpointer self, GError **error)
{
  g_set_error_literal (error, LB_ERROR, LB_ERROR_CANCELLED, "gave up");
  return FALSE;
}

static const LbStageType quitter_type
    = { .name = "quitter", .summary = "gives up", .instance_size = 1, .run = quitter_run };
