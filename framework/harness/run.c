/* Running the stage, in one go or in two. */
#include "harness/harness.h"

static void
count_event (LbHarness *h)
{
  /* Parts of a stage come here from threads of their own. */
  if (__atomic_add_fetch (&h->events, 1, __ATOMIC_RELAXED) == h->cancel_at)
    lb_flow_cancel (h->flow);
}

static void
on_progress (gpointer data, LbStage *stage, guint64 done, guint64 total, const char *what, double value)
{
  LbHarness *h = data;

  if (total > 0 && done > total)
    g_error ("'%s' tells of step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT, h->type->name, done, total);
  if (h->steps++ == 0)
    h->first_value = value;
  h->last_value = value;
  count_event (h);
}

static void
on_metric (gpointer data, LbStage *stage, const char *name, double value, const char *unit)
{
  HarnessFigure figure = { g_strdup (name), value };

  g_array_append_val (((LbHarness *)data)->figures, figure);
}

static void
on_report (gpointer data, LbStage *stage, const char *text)
{
  g_string_append (((LbHarness *)data)->report, text);
}

static gboolean
keep_resume (gpointer data, LbStage *stage, LbState *state, GError **error)
{
  LbHarness *h = data;

  return !h->resumed || lb_state_restore (state, h->resumed, error);
}

static gboolean
keep_due (gpointer data)
{
  return ((LbHarness *)data)->checkpoint.wanted;
}

static void
take_checkpoint (LbHarness *h, HarnessCheckpoint *checkpoint, LbState *state)
{
  checkpoint->state = lb_state_save (state, checkpoint->state);
  if (!checkpoint->n_packets)
    checkpoint->n_packets = g_new0 (guint, h->n_outputs + 1);
  for (guint i = 0; i < h->n_outputs; i++)
    checkpoint->n_packets[i] = ((GPtrArray *)g_ptr_array_index (h->outputs, i))->len;
  checkpoint->n_figures = h->figures->len;
  checkpoint->flops = lb_compute_flops (lb_stage_compute (h->stage));
  checkpoint->report = h->report->len;
}

static void
keep_checkpoint (gpointer data, LbState *state)
{
  LbHarness *h = data;

  take_checkpoint (h, &h->checkpoint, state);
}

static void
keep_end (gpointer data, const char *property, LbState *state)
{
  LbHarness *h = data;

  take_checkpoint (h, &h->end, state);
  g_free (h->end_of);
  h->end_of = g_strdup (property);
}

static gboolean
keep_packet (gpointer data, guint output, LbPacket *packet, GError **error)
{
  LbHarness *h = data;

  g_ptr_array_add (g_ptr_array_index (h->outputs, output), lb_packet_ref (packet));
  count_event (h);
  return TRUE;
}

/* Links with all that is fed in them, and links for what is sent. */
static void
make_links (LbHarness *h, LbStageLink *inputs, LbStageLink *outputs)
{
  h->flow = lb_flow_new ();
  for (guint i = 0; i < h->inputs->len; i++) {
    HarnessInput *input = g_ptr_array_index (h->inputs, i);

    inputs[i]
        = (LbStageLink){ input->port->name, input->source, lb_flow_add_link (h->flow, input->source, G_MAXSIZE / 2) };
    for (guint p = 0; p < input->packets->len; p++)
      lb_link_push (inputs[i].link, g_ptr_array_index (input->packets, p), NULL);
    lb_link_close_writer (inputs[i].link);
  }
  for (guint i = 0; i < h->n_outputs; i++)
    outputs[i] = (LbStageLink){ h->type->outputs[i].name, NULL,
                                lb_flow_add_link (h->flow, h->type->outputs[i].name, G_MAXSIZE / 2) };
  lb_flow_set_stages (h->flow, 1);
}

/* What had been sent and told by the last checkpoint; the stage goes on behind it. */
static gboolean
bring_back (LbHarness *h, LbStage *stage, GError **error)
{
  const HarnessCheckpoint *c = &h->checkpoint;

  g_clear_pointer (&h->resumed, g_array_unref);
  h->resumed = g_steal_pointer (&h->checkpoint.state);
  if (!h->resumed)
    return TRUE;
  for (guint i = 0; i < h->n_outputs; i++) {
    GPtrArray *packets = g_ptr_array_index (h->outputs, i);

    g_ptr_array_set_size (packets, (int)c->n_packets[i]);
    for (guint p = 0; p < packets->len; p++)
      if (!lb_stage_resend (stage, i, g_ptr_array_index (packets, p), error))
        return FALSE;
  }
  lb_stage_credit (stage, c->flops, 0);
  g_array_set_size (h->figures, c->n_figures);
  g_string_truncate (h->report, c->report);
  return TRUE;
}

/* One run of a new instance, from the last checkpoint if there is one. */
static gboolean
run_once (LbHarness *h, GError **error)
{
  static const LbStageListener listener = { on_progress, on_metric, on_report };
  static const LbStageKeeper keeper = {
    .resume = keep_resume, .due = keep_due, .checkpoint = keep_checkpoint, .packet = keep_packet, .end = keep_end
  };
  g_autoptr (LbPool) pool = lb_pool_new (h->threads);
  g_autofree LbStageLink *inputs = g_new0 (LbStageLink, h->inputs->len + 1);
  g_autofree LbStageLink *outputs = g_new0 (LbStageLink, h->n_outputs + 1);
  gboolean done;

  if (!lb_harness_configure (h, error))
    return FALSE;
  make_links (h, inputs, outputs);
  LbStageSetup setup = { .name = HARNESS_STAGE_NAME,
                         .type = h->type,
                         .self = h->self,
                         .key = lb_key (h->seed),
                         .flow = h->flow,
                         .pool = pool,
                         .output_directory = h->directory,
                         .configured = h->configured,
                         .inputs = inputs,
                         .n_inputs = h->inputs->len,
                         .outputs = outputs,
                         .n_outputs = h->n_outputs,
                         .listener = &listener,
                         .listener_data = h,
                         .keeper = &keeper,
                         .keeper_data = h };
  g_autoptr (LbStage) stage = h->stage = lb_stage_new (&setup);

  count_event (h);
  done = bring_back (h, stage, error) && lb_stage_run (stage, error);
  h->flops = lb_compute_flops (lb_stage_compute (stage));
  h->stage = NULL;
  return done;
}

static void
start_anew (LbHarness *h)
{
  harness_forget_checkpoint (h);
  harness_forget_results (h);
  if (h->has_run)
    harness_empty_directory (h->directory);
  h->has_run = TRUE;
}

gboolean
lb_harness_run (LbHarness *h, GError **error)
{
  start_anew (h);
  return run_once (h, error);
}

gboolean
harness_run_in_two (LbHarness *h, guint64 event, GError **error)
{
  g_autoptr (GError) reason = NULL;
  gboolean done;

  start_anew (h);
  h->checkpoint.wanted = TRUE;
  h->cancel_at = event;
  done = run_once (h, &reason);
  h->cancel_at = 0;
  if (!done && !g_error_matches (reason, LB_ERROR, LB_ERROR_CANCELLED)) {
    g_propagate_error (error, g_steal_pointer (&reason));
    return FALSE;
  }
  if (done)
    return TRUE;
  if (!h->checkpoint.state) {
    harness_forget_results (h);
    harness_empty_directory (h->directory);
  }
  return run_once (h, error);
}

gboolean
harness_run_on (LbHarness *h, GError **error)
{
  g_free (h->checkpoint.n_packets);
  g_clear_pointer (&h->checkpoint.state, g_array_unref);
  h->checkpoint = h->end;
  h->end = (HarnessCheckpoint){ 0 };
  return run_once (h, error);
}

void
lb_harness_cancel_at (LbHarness *h, guint64 event)
{
  h->cancel_at = event;
}

guint64
lb_harness_events (LbHarness *h)
{
  return h->events;
}
