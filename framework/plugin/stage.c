/* A running stage: what a plugin's run() calls, between the tables of its type and the links of the run.
 *
 * Invariants: a stage belongs to the one thread that runs it; only its counters, links and compute may be looked at
 * from others. A call that the stage's own tables forbid fails with LB_ERROR_PROGRAM and never reaches a link. Messages
 * carry no stage name: the runner puts it in front.
 */
#include "plugin/running.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "plugin/collect.h"
#include "plugin/crash.h"
#include "plugin/port.h"

/* ---- Life ---- */

static void
add_inputs (LbStage *stage, const LbStageSetup *setup)
{
  stage->n_inputs = lb_ports_count (stage->type->inputs);
  stage->inputs = g_new0 (LbInputPort, stage->n_inputs);
  for (guint i = 0; i < stage->n_inputs; i++) {
    const LbPort *port = &stage->type->inputs[i];
    LbInputPort *input = &stage->inputs[i];

    *input = (LbInputPort){ g_ptr_array_new (), g_ptr_array_new_with_free_func (g_free), g_ptr_array_new (), 0 };
    for (guint j = 0; j < setup->n_inputs; j++)
      if (strcmp (setup->inputs[j].port, port->name) == 0) {
        g_ptr_array_add (input->links, setup->inputs[j].link);
        g_ptr_array_add (input->sources, g_strdup (setup->inputs[j].source));
      }
    for (guint j = 0; j < setup->configured->inputs->len; j++) {
      LbConfiguredInput *configured = &g_array_index (setup->configured->inputs, LbConfiguredInput, j);
      if (strcmp (configured->port->name, port->name) == 0)
        g_ptr_array_add (input->specs, configured->spec);
    }
    g_assert (input->specs->len == input->links->len);
  }
}

static void
add_outputs (LbStage *stage, const LbStageSetup *setup)
{
  stage->n_outputs = lb_ports_count (stage->type->outputs);
  stage->outputs = g_new0 (GPtrArray *, stage->n_outputs);
  stage->n_pushed = g_new0 (gint64, stage->n_outputs);
  for (guint i = 0; i < stage->n_outputs; i++) {
    stage->outputs[i] = g_ptr_array_new ();
    for (guint j = 0; j < setup->n_outputs; j++)
      if (strcmp (setup->outputs[j].port, stage->type->outputs[i].name) == 0)
        g_ptr_array_add (stage->outputs[i], setup->outputs[j].link);
  }
}

LbStage *
lb_stage_new (const LbStageSetup *setup)
{
  LbStage *stage = g_new0 (LbStage, 1);

  stage->name = g_strdup (setup->name);
  stage->ancestry = g_strdup (setup->ancestry);
  stage->type = setup->type;
  stage->self = setup->self;
  stage->key = setup->key;
  stage->flow = setup->flow;
  stage->compute = lb_compute_new (setup->pool);
  lb_compute_trace (stage->compute, setup->trace_numerics);
  stage->account = lb_account_new ();
  stage->output_directory = g_strdup (setup->output_directory != NULL ? setup->output_directory : ".");
  stage->configured = setup->configured;
  if (setup->listener != NULL)
    stage->listener = *setup->listener;
  stage->listener_data = setup->listener_data;
  if (setup->keeper != NULL)
    stage->keeper = *setup->keeper;
  stage->keeper_data = setup->keeper_data;
  add_inputs (stage, setup);
  add_outputs (stage, setup);
  return stage;
}

void
lb_stage_free (LbStage *stage)
{
  if (stage == NULL)
    return;
  for (guint i = 0; i < stage->n_inputs; i++) {
    g_ptr_array_unref (stage->inputs[i].links);
    g_ptr_array_unref (stage->inputs[i].sources);
    g_ptr_array_unref (stage->inputs[i].specs);
  }
  for (guint i = 0; i < stage->n_outputs; i++)
    g_ptr_array_unref (stage->outputs[i]);
  g_free (stage->inputs);
  g_free (stage->outputs);
  g_free (stage->n_pushed);
  g_free (stage->name);
  g_free (stage->ancestry);
  g_free (stage->output_directory);
  lb_compute_free (stage->compute);
  lb_account_unref (stage->account);
  g_free (stage);
}

gboolean
lb_stage_work (LbStage *stage, GError **error)
{
  GError *failure = NULL;
  lb_crash_enter (lb_crash_path ((gconstpointer)stage->type->run), "stage", stage->name);
  lb_account_enter (stage->account);
  gboolean done = stage->type->run (stage, stage->self, &failure);
  lb_account_enter (NULL);
  lb_crash_leave ();

  if (!done && failure == NULL)
    failure = g_error_new (LB_ERROR, LB_ERROR_PROGRAM,
                           "run of stage type '%s' failed without saying why; the plugin must set an error",
                           stage->type->name);
  for (guint i = 0; failure == NULL && i < stage->n_outputs; i++)
    if (!lb_spec_check_end (g_ptr_array_index (stage->configured->outputs, i), stage->n_pushed[i], &failure))
      g_prefix_error (&failure, "output '%s': ", stage->type->outputs[i].name);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

void
lb_stage_close_outputs (LbStage *stage)
{
  for (guint i = 0; i < stage->n_outputs; i++)
    for (guint j = 0; j < stage->outputs[i]->len; j++)
      lb_link_close_writer (g_ptr_array_index (stage->outputs[i], j));
}

void
lb_stage_close_inputs (LbStage *stage)
{
  for (guint i = 0; i < stage->n_inputs; i++)
    for (guint j = 0; j < stage->inputs[i].links->len; j++)
      lb_link_close_reader (g_ptr_array_index (stage->inputs[i].links, j));
}

gboolean
lb_stage_run (LbStage *stage, GError **error)
{
  if (!lb_stage_work (stage, error))
    return FALSE;
  lb_stage_close_outputs (stage);
  lb_stage_close_inputs (stage);
  return TRUE;
}

void
lb_stage_credit (LbStage *stage, double flops, guint64 bytes_out)
{
  lb_compute_add_flops (stage->compute, flops);
  __atomic_fetch_add (&stage->credited, (guint64)(flops + 0.5), __ATOMIC_RELAXED);
  __atomic_store_n (&stage->bytes_out, stage->bytes_out + bytes_out, __ATOMIC_RELAXED);
}

double
lb_stage_credited_flops (LbStage *stage)
{
  return (double)__atomic_load_n (&stage->credited, __ATOMIC_RELAXED);
}

guint64
lb_stage_held_bytes (LbStage *stage)
{
  return lb_account_peak (stage->account);
}

guint64
lb_stage_bytes_out (LbStage *stage)
{
  return __atomic_load_n (&stage->bytes_out, __ATOMIC_RELAXED);
}

/* ---- What a stage asks about itself ---- */

const char *
lb_stage_name (LbStage *stage)
{
  return stage->name;
}

gint64
lb_stage_dim (LbStage *stage, const char *symbol)
{
  const gint64 *value = g_hash_table_lookup (stage->configured->dims, symbol);

  return value != NULL ? *value : LB_UNKNOWN;
}

gboolean
lb_stage_has_port (LbStage *stage, const char *port)
{
  const LbPort *input = lb_ports_find (stage->type->inputs, port);
  const LbPort *output = lb_ports_find (stage->type->outputs, port);

  if (input != NULL)
    return stage->inputs[input - stage->type->inputs].links->len > 0;
  return output != NULL && !stage->configured->unread[output - stage->type->outputs];
}

LbKey
lb_stage_key (LbStage *stage, const char *purpose)
{
  return lb_key_derive (lb_key_derive (stage->key, stage->name), purpose);
}

LbCompute *
lb_stage_compute (LbStage *stage)
{
  return stage->compute;
}

/* ---- Reading ---- */

static LbInputPort *
find_input (LbStage *stage, const char *port, GError **error)
{
  const LbPort *row = lb_ports_find (stage->type->inputs, port);

  if (row != NULL)
    return &stage->inputs[row - stage->type->inputs];
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
               "stage type '%s' reads input '%s', which is not in its table; correct the plugin", stage->type->name,
               port);
  return NULL;
}

gint64
lb_stage_waited (LbStage *stage, gint64 now, const LbLink **link, gint64 *since)
{
  gint64 waited = __atomic_load_n (&stage->waited, __ATOMIC_RELAXED), begun;

  *link = NULL;
  *since = 0;
  for (guint i = 0; i < stage->n_inputs; i++)
    for (guint j = 0; j < stage->inputs[i].links->len; j++) {
      waited += lb_link_reader_waited (stage->inputs[i].links->pdata[j], now, &begun);
      if (begun != 0) {
        *link = stage->inputs[i].links->pdata[j];
        *since = begun;
      }
    }
  for (guint i = 0; i < stage->n_outputs; i++)
    for (guint j = 0; j < stage->outputs[i]->len; j++) {
      waited += lb_link_writer_waited (stage->outputs[i]->pdata[j], now, &begun);
      if (begun != 0) {
        *link = stage->outputs[i]->pdata[j];
        *since = begun;
      }
    }
  return waited;
}

/* Which part got a packet would depend on who came first. */
static gboolean
may_read (const LbStage *stage, GError **error)
{
  if (stage->stop == NULL)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
               "a part of stage type '%s' reads an input; correct the plugin: inputs are read before the parts begin",
               stage->type->name);
  return FALSE;
}

gboolean
lb_stage_pull (LbStage *stage, const char *port, LbPacket **packet, GError **error)
{
  LbInputPort *input = find_input (stage, port, error);

  *packet = NULL;
  if (input == NULL || !may_read (stage, error))
    return FALSE;
  for (; input->current < input->links->len; input->current++) {
    if (!lb_link_pull (g_ptr_array_index (input->links, input->current), packet, error))
      return FALSE;
    if (*packet != NULL)
      return TRUE;
  }
  return TRUE;
}

gboolean
lb_stage_pull_nth (LbStage *stage, const char *port, guint index, LbPacket **packet, GError **error)
{
  LbInputPort *input = find_input (stage, port, error);

  *packet = NULL;
  if (input == NULL || !may_read (stage, error))
    return FALSE;
  if (index >= input->links->len)
    return TRUE;
  return lb_link_pull (g_ptr_array_index (input->links, index), packet, error);
}

guint
lb_stage_n_links (LbStage *stage, const char *port)
{
  LbInputPort *input = find_input (stage, port, NULL);

  return input != NULL ? input->links->len : 0;
}

const char *
lb_stage_source (LbStage *stage, const char *port, guint index)
{
  LbInputPort *input = find_input (stage, port, NULL);

  return input != NULL && index < input->sources->len ? g_ptr_array_index (input->sources, index) : NULL;
}

LbPacket *
lb_stage_collect (LbStage *stage, const char *port, GError **error)
{
  LbInputPort *input = find_input (stage, port, error);
  g_autoptr (GPtrArray) packets = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref);
  const LbSchema *schema = NULL;

  if (input == NULL)
    return NULL;
  for (;;) {
    LbPacket *packet = NULL;
    if (!lb_stage_pull (stage, port, &packet, error))
      return NULL;
    if (packet == NULL)
      break;
    g_ptr_array_add (packets, packet);
    if (schema == NULL)
      schema = lb_spec_schema (g_ptr_array_index (input->specs, input->current));
  }
  if (packets->len == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_INPUT,
                 "input '%s' got no packet%s%s%s; it needs one at least, so look at what the stage before it sends",
                 port, input->sources->len > 0 ? " from '" : "",
                 input->sources->len > 0 ? (char *)g_ptr_array_index (input->sources, 0) : "",
                 input->sources->len > 0 ? "'" : "");
    return NULL;
  }
  return lb_packets_join (port, schema, packets, error);
}

/* ---- Writing ---- */

/* FALSE once a traced program has made a value that is not finite. */
static gboolean
check_trace (LbStage *stage, GError **error)
{
  const char *finding = lb_compute_finding (stage->compute);

  if (finding == NULL)
    return TRUE;
  g_set_error (error, LB_ERROR, LB_ERROR_NUMERIC,
               "%s; keep its operands in bounds, or let what feeds it change more slowly", finding);
  return FALSE;
}

gboolean
lb_stage_push (LbStage *stage, const char *port, LbPacket *packet, GError **error)
{
  const LbPort *row = lb_ports_find (stage->type->outputs, port);
  g_autoptr (LbPacket) owned = packet;

  if (row == NULL) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "stage type '%s' writes output '%s', which is not in its table; correct the plugin", stage->type->name,
                 port);
    return FALSE;
  }

  guint index = (guint)(row - stage->type->outputs);
  /* It is checked when it is sent, in its turn. */
  if (stage->stop != NULL)
    return stage->keeper.packet (stage->keeper_data, index, owned, error);
  if (!lb_spec_check_packet (g_ptr_array_index (stage->configured->outputs, index), owned, stage->n_pushed[index],
                             error)) {
    g_prefix_error (error, "output '%s': ", port);
    return FALSE;
  }
  if (!check_trace (stage, error))
    return FALSE;
  if (stage->keeper.packet != NULL && !stage->keeper.packet (stage->keeper_data, index, owned, error))
    return FALSE;
  return lb_stage_resend (stage, index, owned, error);
}

gboolean
lb_stage_resend (LbStage *stage, guint output, LbPacket *packet, GError **error)
{
  stage->n_pushed[output]++;
  __atomic_store_n (&stage->bytes_out, stage->bytes_out + lb_packet_bytes (packet), __ATOMIC_RELAXED);

  gboolean pushed = TRUE;
  for (guint i = 0; pushed && i < stage->outputs[output]->len; i++)
    pushed = lb_link_push (g_ptr_array_index (stage->outputs[output], i), packet, error);
  return pushed;
}

/* ---- Telling ---- */

static gboolean
is_stopped (const LbStage *stage)
{
  return (stage->flow != NULL && lb_flow_is_cancelled (stage->flow))
         || (stage->stop != NULL && g_atomic_int_get (stage->stop) != 0);
}

gboolean
lb_stage_progress (LbStage *stage, guint64 done, guint64 total, const char *what, double value, GError **error)
{
  if (is_stopped (stage)) {
    g_set_error (error, LB_ERROR, LB_ERROR_CANCELLED,
                 "stopped after step %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " because the run was cancelled",
                 done, total);
    return FALSE;
  }
  if (!check_trace (stage, error)) {
    g_prefix_error (error, "step %" G_GUINT64_FORMAT ": ", done);
    return FALSE;
  }
  if (stage->listener.progress != NULL)
    stage->listener.progress (stage->listener_data, stage, done, total, what, value);
  return TRUE;
}

gboolean
lb_stage_check_finite (LbStage *stage, const char *what, guint64 step, double value, const char *advice, GError **error)
{
  const char *finding = lb_compute_finding (stage->compute);
  const char *found = isnan (value) ? "not a number" : value > 0 ? "infinite" : "minus infinite";

  if (isfinite (value))
    return TRUE;
  if (finding != NULL)
    g_set_error (error, LB_ERROR, LB_ERROR_NUMERIC,
                 "%s is %s at step %" G_GUINT64_FORMAT " where a finite number was expected: %s; %s", what, found, step,
                 finding, advice);
  else
    g_set_error (error, LB_ERROR, LB_ERROR_NUMERIC,
                 "%s is %s at step %" G_GUINT64_FORMAT " where a finite number was expected; %s%s", what, found, step,
                 advice,
                 lb_compute_is_traced (stage->compute)
                     ? ""
                     : "; 'limbeck run --trace-numerics' names the operation that it came from");
  return FALSE;
}

gboolean
lb_stage_may_go_on (LbStage *stage, GError **error)
{
  if (!is_stopped (stage))
    return TRUE;
  g_set_error_literal (error, LB_ERROR, LB_ERROR_CANCELLED, "stopped because the run was cancelled");
  return FALSE;
}

void
lb_stage_count_saving (LbStage *stage, gint64 microseconds)
{
  __atomic_fetch_add (&stage->saving, (guint64)MAX (microseconds, 0), __ATOMIC_RELAXED);
}

gint64
lb_stage_saving (LbStage *stage)
{
  return (gint64)__atomic_load_n (&stage->saving, __ATOMIC_RELAXED);
}

gboolean
lb_stage_resume (LbStage *stage, LbState *state, GError **error)
{
  return stage->keeper.resume == NULL || stage->keeper.resume (stage->keeper_data, stage, state, error);
}

gboolean
lb_stage_checkpoint_due (LbStage *stage)
{
  return stage->keeper.due != NULL && stage->keeper.due (stage->keeper_data);
}

gboolean
lb_stage_checkpoint (LbStage *stage, LbState *state, GError **error)
{
  if (lb_stage_checkpoint_due (stage)) {
    gint64 began = g_get_monotonic_time ();
    stage->keeper.checkpoint (stage->keeper_data, state);
    lb_stage_count_saving (stage, g_get_monotonic_time () - began);
  }
  return lb_stage_may_go_on (stage, error);
}

gboolean
lb_stage_keep_end (LbStage *stage, const char *property, LbState *state, GError **error)
{
  const LbProperty *row = lb_property_find (stage->type, property);

  if (row == NULL || row->kind != LB_PROPERTY_INTEGER) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "the stage keeps its end for property '%s', which is no whole number of its table; correct the plugin",
                 property);
    return FALSE;
  }
  if (stage->keeper.end != NULL)
    stage->keeper.end (stage->keeper_data, property, state);
  return TRUE;
}

void
lb_stage_metric (LbStage *stage, const char *name, double value, const char *unit)
{
  if (stage->keeper.metric != NULL)
    stage->keeper.metric (stage->keeper_data, name, value, unit);
  if (stage->listener.metric != NULL)
    stage->listener.metric (stage->listener_data, stage, name, value, unit);
}

void
lb_stage_report (LbStage *stage, const char *text)
{
  if (stage->keeper.report != NULL)
    stage->keeper.report (stage->keeper_data, text);
  if (stage->listener.report != NULL)
    stage->listener.report (stage->listener_data, stage, text);
}

const char *
lb_stage_ancestry (LbStage *stage)
{
  return stage->ancestry;
}

char *
lb_stage_output_path (LbStage *stage, const char *name)
{
  if (stage->keeper.file != NULL)
    stage->keeper.file (stage->keeper_data, name);
  return g_build_filename (stage->output_directory, name, NULL);
}

gboolean
lb_stage_write (LbStage *stage, const char *name, gconstpointer data, gsize length, GError **error)
{
  g_autofree char *path = lb_stage_output_path (stage, name);

  return lb_file_write (path, data, length, error);
}

/* ---- The run around it ---- */

gboolean
lb_stage_run_facts (LbStage *stage, char **facts, GError **error)
{
  *facts = NULL;
  if ((stage->type->flags & LB_STAGE_CLOSES) == 0) {
    g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM,
                 "stage type '%s' asks for the facts of the run, but does not say that it closes one; correct the "
                 "plugin: its flags need LB_STAGE_CLOSES",
                 stage->type->name);
    return FALSE;
  }
  if (stage->listener.facts == NULL)
    return TRUE;
  gint64 began = g_get_monotonic_time ();
  gboolean told = stage->listener.facts (stage->listener_data, stage, facts, error);
  __atomic_store_n (&stage->waited, stage->waited + g_get_monotonic_time () - began, __ATOMIC_RELAXED);
  return told;
}
