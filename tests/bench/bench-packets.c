/* How many packets a second go through a chain of three stages: one makes them, one passes them on, one drops them.
 *
 *   bench-packets links   PACKETS   packets without fields over bare links, one thread for each stage
 *   bench-packets stages  PACKETS   the same packets through a pipeline run by the runtime, which checks them against
 *                                   their schema and digests them at each output
 *   bench-packets tensors PACKETS   the same, but each packet has a tensor of no bytes
 *
 * Prints the seconds between the first packet made and the last one dropped, and for stages also how often links grew.
 * tests/bench/packets runs it beside GStreamer.
 */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/run.h"
#include "stream/link.h"

/* As many packets wait in a link as buffers in bench-packets-gst's queue. */
#define LINK_CAPACITY (4096 * 64)

static gint64 n_packets, n_dropped, began, ended;
static gboolean with_tensors;

/* ---- Bare links ---- */

typedef struct {
  LbFlow *flow;
  LbLink *in, *out;
} Node;

static void
leave (Node *node)
{
  if (node->out != NULL)
    lb_link_close_writer (node->out);
  if (node->in != NULL)
    lb_link_close_reader (node->in);
  lb_flow_stage_ended (node->flow);
}

static gpointer
make (gpointer data)
{
  Node *node = data;

  began = g_get_monotonic_time ();
  for (gint64 i = 0; i < n_packets; i++) {
    g_autoptr (LbPacket) packet = lb_packet_new ();
    lb_link_push (node->out, packet, NULL);
  }
  leave (node);
  return NULL;
}

static gpointer
pass (gpointer data)
{
  Node *node = data;

  for (LbPacket *packet; lb_link_pull (node->in, &packet, NULL) && packet != NULL; lb_packet_unref (packet))
    lb_link_push (node->out, packet, NULL);
  leave (node);
  return NULL;
}

static gpointer
drop (gpointer data)
{
  Node *node = data;

  for (LbPacket *packet; lb_link_pull (node->in, &packet, NULL) && packet != NULL; lb_packet_unref (packet))
    n_dropped++;
  ended = g_get_monotonic_time ();
  leave (node);
  return NULL;
}

static void
run_links (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *first = lb_flow_add_link (flow, "first", LINK_CAPACITY),
         *second = lb_flow_add_link (flow, "second", LINK_CAPACITY);
  Node nodes[] = { { flow, NULL, first }, { flow, first, second }, { flow, second, NULL } };

  lb_flow_set_stages (flow, 3);
  GThread *threads[] = { g_thread_new ("make", make, &nodes[0]), g_thread_new ("pass", pass, &nodes[1]),
                         g_thread_new ("drop", drop, &nodes[2]) };
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

/* ---- A pipeline ---- */

static const LbPort ticks_out[] = { { "ticks", "tick", "n", 0, "ticks" }, LB_PORTS_END };
static const LbPort ticks_in[] = { { "ticks", "tick", "n", LB_PORT_REQUIRED, "ticks" }, LB_PORTS_END };
static const LbProperty none[] = { LB_PROPERTIES_END };

static gboolean
make_configure (LbConfigure *configure, gpointer self, GError **error)
{
  return lb_configure_set_dim (configure, "n", 0, error);
}

static gboolean
make_run (LbStage *stage, gpointer self, GError **error)
{
  began = g_get_monotonic_time ();
  for (gint64 i = 0; i < n_packets; i++) {
    LbPacket *packet = lb_packet_new ();
    if (with_tensors)
      lb_packet_take (packet, "x", lb_tensor_new (LB_U8, LB_SHAPE (0)));
    if (!lb_stage_push (stage, "ticks", packet, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
pass_run (LbStage *stage, gpointer self, GError **error)
{
  LbPacket *packet;
  while (lb_stage_pull (stage, "ticks", &packet, error) && packet != NULL)
    if (!lb_stage_push (stage, "ticks", packet, error))
      return FALSE;
  return error == NULL || *error == NULL;
}

static gboolean
drop_run (LbStage *stage, gpointer self, GError **error)
{
  LbPacket *packet;
  for (; lb_stage_pull (stage, "ticks", &packet, error) && packet != NULL; lb_packet_unref (packet))
    n_dropped++;
  ended = g_get_monotonic_time ();
  return error == NULL || *error == NULL;
}

static const LbStageType types[] = {
  { .name = "make",
    .summary = "makes",
    .outputs = ticks_out,
    .properties = none,
    .instance_size = 1,
    .configure = make_configure,
    .run = make_run },
  { .name = "pass",
    .summary = "passes",
    .inputs = ticks_in,
    .outputs = ticks_out,
    .properties = none,
    .instance_size = 1,
    .run = pass_run },
  { .name = "drop", .summary = "drops", .inputs = ticks_in, .properties = none, .instance_size = 1, .run = drop_run },
};

static const char chain[] = "limbeck: 1\n"
                            "stages:\n"
                            "  make: {plugin: make}\n"
                            "  pass: {plugin: pass, inputs: {ticks: make.ticks}}\n"
                            "  drop: {plugin: drop, inputs: {ticks: pass.ticks}}\n";

static LbRegistry *
make_registry (const char *directory, GError **error)
{
  LbRegistry *registry = lb_registry_new ();
  g_autofree char *schemas = g_build_filename (directory, "schemas", NULL);
  g_autofree char *tick = g_build_filename (schemas, "tick.yaml", NULL);
  static const char text[] = "schema: tick\nversion: 1\ndoc: Nothing.\ndims:\n  n: bytes\nfields:\n"
                             "  x: {type: \"u8[n]\", optional: true}\n";

  g_mkdir (schemas, 0777);
  if (g_file_set_contents (tick, text, -1, error) && lb_schemas_load (lb_registry_schemas (registry), schemas, error)) {
    gboolean added = TRUE;
    for (guint i = 0; added && i < G_N_ELEMENTS (types); i++)
      added = lb_registry_add_type (registry, &types[i], error);
    if (added)
      return registry;
  }
  lb_registry_free (registry);
  return NULL;
}

static gboolean
run_stages (const char *directory, GError **error)
{
  g_autoptr (LbRegistry) registry = make_registry (directory, error);
  if (registry == NULL)
    return FALSE;
  g_autoptr (LbProblems) problems = lb_problems_new ("chain");
  g_autoptr (LbPipeline) pipeline = lb_pipeline_parse ("chain", chain, strlen (chain), NULL, problems);
  g_autoptr (LbPlan) plan = lb_plan_new (pipeline, registry, problems);
  lb_plan_configure (plan, problems);
  if (lb_problems_count (problems) > 0) {
    g_autofree char *text = lb_problems_to_text (problems);
    g_set_error_literal (error, LB_ERROR, LB_ERROR_PIPELINE, text);
    return FALSE;
  }
  g_autofree char *output = g_build_filename (directory, "out", NULL);
  LbRunSettings settings = { .output_directory = output, .threads = 1, .link_capacity = LINK_CAPACITY };
  g_autoptr (LbRun) run = lb_run_new (plan, &settings, error);
  return run != NULL && lb_run_execute (run, NULL, error);
}

static void
remove_directory (const char *path)
{
  g_autofree char *quoted = g_shell_quote (path), *line = g_strconcat ("rm -r ", quoted, NULL);
  g_spawn_command_line_sync (line, NULL, NULL, NULL, NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  if (argc != 3 || (n_packets = g_ascii_strtoll (argv[2], NULL, 10)) <= 0
      || (strcmp (argv[1], "links") != 0 && strcmp (argv[1], "stages") != 0 && strcmp (argv[1], "tensors") != 0)) {
    fputs ("usage: bench-packets links|stages|tensors PACKETS\n", stderr);
    return 2;
  }
  with_tensors = strcmp (argv[1], "tensors") == 0;
  if (strcmp (argv[1], "links") == 0) {
    run_links ();
  } else {
    g_autofree char *directory = g_dir_make_tmp ("limbeck-XXXXXX", &error);
    if (directory != NULL) {
      run_stages (directory, &error);
      remove_directory (directory);
    }
  }
  if (error == NULL && n_dropped == n_packets) {
    printf ("%.6f\n", (double)(ended - began) / G_USEC_PER_SEC);
    return 0;
  }
  fprintf (stderr, "bench-packets: %s\n", error != NULL ? error->message : "packets were lost");
  return 1;
}
