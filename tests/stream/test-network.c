/* Networks of stages drawn by chance: what they compute does not depend on the bounds of their links, and all of them
 * come to their end, however tight the bounds are.
 */
#include <string.h>

#include "stream/link.h"

#define MOST_STAGES 6
#define N_PACKETS   40

/* How a stage reads: one input after the other, in turns, or all of it before it writes anything. */
typedef enum { IN_ORDER, IN_TURNS, HOARDS, N_WAYS } Way;

typedef struct {
  LbFlow *flow;
  GPtrArray *inputs, *outputs; /* LbLink* */
  GPtrArray *hoard;            /* LbPacket* */
  Way way;
  guint64 sum;
  GError *error;
} Stage;

static void
send (Stage *stage, LbPacket *packet)
{
  for (guint i = 0; i < stage->outputs->len && stage->error == NULL; i++)
    lb_link_push (stage->outputs->pdata[i], packet, &stage->error);
}

static void
take (Stage *stage, LbPacket *packet)
{
  stage->sum = stage->sum * 31 + lb_tensor_u8 (lb_packet_get (packet, "x"))[0];
  if (stage->way == HOARDS) {
    g_ptr_array_add (stage->hoard, packet);
    return;
  }
  send (stage, packet);
  lb_packet_unref (packet);
}

static void
read_inputs (Stage *stage)
{
  guint open = stage->inputs->len;
  g_autofree gboolean *ended = g_new0 (gboolean, MAX (open, 1));
  for (guint i = 0; open > 0 && stage->error == NULL;) {
    LbPacket *packet = NULL;
    if (!ended[i] && lb_link_pull (stage->inputs->pdata[i], &packet, &stage->error)) {
      if (packet != NULL)
        take (stage, packet);
      else
        open--;
      ended[i] = packet == NULL;
    }
    if (stage->way == IN_TURNS || ended[i])
      i = (i + 1) % stage->inputs->len;
  }
}

static gpointer
run_stage (gpointer data)
{
  Stage *stage = data;
  for (guint i = 0; stage->inputs->len == 0 && i < N_PACKETS; i++) {
    g_autoptr (LbPacket) packet = lb_packet_new ();
    LbTensor *tensor = lb_tensor_new (LB_U8, LB_SHAPE (1 + i * 7 % 200));
    lb_tensor_u8 (tensor)[0] = (guint8)i;
    lb_packet_take (packet, "x", tensor);
    send (stage, packet);
  }
  read_inputs (stage);
  for (guint i = 0; i < stage->hoard->len; i++)
    send (stage, stage->hoard->pdata[i]);
  for (guint i = 0; i < stage->outputs->len; i++)
    lb_link_close_writer (stage->outputs->pdata[i]);
  for (guint i = 0; i < stage->inputs->len; i++)
    lb_link_close_reader (stage->inputs->pdata[i]);
  lb_flow_stage_ended (stage->flow);
  return NULL;
}

/* Draws network number @seed and runs it; returns a sum over all that each stage read, in order. */
static guint64
run_network (guint32 seed, gsize capacity, guint *n_grown)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  g_autoptr (LbFlow) flow = lb_flow_new ();
  Stage stages[MOST_STAGES] = { 0 };
  GThread *threads[MOST_STAGES];
  guint n = (guint)g_rand_int_range (random, 3, MOST_STAGES + 1);
  guint64 sum = 0;
  for (guint i = 0; i < n; i++) {
    stages[i] = (Stage){ .flow = flow,
                         .inputs = g_ptr_array_new (),
                         .outputs = g_ptr_array_new (),
                         .hoard = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref),
                         .way = (Way)g_rand_int_range (random, 0, N_WAYS) };
    for (gint32 k = i == 0 ? 0 : g_rand_int_range (random, 1, 3); k > 0; k--) {
      LbLink *link = lb_flow_add_link (flow, "a -> b", capacity);
      g_ptr_array_add (stages[i].inputs, link);
      g_ptr_array_add (stages[g_rand_int_range (random, 0, (gint32)i)].outputs, link);
    }
  }
  lb_flow_set_stages (flow, n);
  for (guint i = 0; i < n; i++)
    threads[i] = g_thread_new ("stage", run_stage, &stages[i]);
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  for (guint i = 0; i < n; i++) {
    g_assert_no_error (stages[i].error);
    sum = sum * 1000003 + stages[i].sum;
    g_ptr_array_unref (stages[i].inputs);
    g_ptr_array_unref (stages[i].outputs);
    g_ptr_array_unref (stages[i].hoard);
  }
  *n_grown += lb_flow_n_grown (flow);
  return sum;
}

static void
test_bounds_change_nothing (void)
{
  static const gsize capacities[] = { 0, 100, 640, 4096 };
  guint n_grown = 0, none = 0;
  for (guint32 seed = 1; seed <= 40; seed++) {
    guint64 sum = run_network (seed, (gsize)1 << 30, &none);
    for (guint i = 0; i < G_N_ELEMENTS (capacities); i++)
      g_assert_cmpuint (run_network (seed, capacities[i], &n_grown), ==, sum);
  }
  /* With room for everything nothing has to grow; tight bounds alone would have stopped some of them for good. */
  g_assert_cmpuint (none, ==, 0);
  g_assert_cmpuint (n_grown, >, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/network/bounds-change-nothing-of-what-is-computed", test_bounds_change_nothing);
  return g_test_run ();
}
