/* The test stages as a plugin. */
#include "limbeck.h"
#include "stages.h"

/* ---- breaker: five steps of a program, in the fourth of which a log is taken of 0 ---- */

typedef struct {
  gboolean tells; /* of its loss */
} Breaker;

static const LbProperty breaker_properties[] = {
  LB_BOOLEAN (Breaker, tells, "tells", "true", "whether it looks at its loss"),
  LB_PROPERTIES_END,
};

static LbProgram *
breaker_compile (LbNode **x, LbNode **loss, GError **error)
{
  g_autoptr (LbGraph) graph = lb_graph_new (LB_F32);

  *x = lb_batch_input (graph, "x", LB_SHAPE (8, 3));
  *loss = lb_sum (lb_scale (lb_log (*x), 2));
  return lb_compile (graph, loss, 1, error);
}

static gboolean
breaker_run (LbStage *stage, gpointer data, GError **error)
{
  LbNode *x, *loss;
  g_autoptr (LbProgram) program = breaker_compile (&x, &loss, error);
  g_autoptr (LbTensor) values = lb_tensor_new (LB_F32, LB_SHAPE (8, 3));

  if (program == NULL)
    return FALSE;
  lb_program_bind (program, x, values);
  for (guint64 step = 1; step <= 5; step++) {
    for (gint64 i = 0; i < lb_tensor_size (values); i++)
      lb_tensor_f32 (values)[i] = step == 4 && i == 16 ? 0 : 1;
    lb_program_run (program, lb_stage_compute (stage));
    if ((((Breaker *)data)->tells
         && !lb_stage_check_finite (stage, "loss", step, lb_program_scalar (program, loss), "be careful", error))
        || !lb_stage_progress (stage, step, 5, NULL, 0, error))
      return FALSE;
  }
  return TRUE;
}

static const LbStageType breaker_type = {
  .name = "breaker",
  .summary = "takes the log of 0",
  .properties = breaker_properties,
  .instance_size = sizeof (Breaker),
  .run = breaker_run,
};

LB_DEFINE_PLUGIN ("test-stages", "1.2", "LGPL-2.1-or-later", &counter_type, &doubler_type, &sum_type, &pair_type,
                  &speaker_type, &sleeper_type, &napper_type, &closer_type, &quitter_type, &breaker_type);
