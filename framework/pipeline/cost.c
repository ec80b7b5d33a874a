/* Playing a run through before it runs (cost.h).
 *
 * Time is counted in operations of the whole machine. Between two events (a first packet, an end) the stages at work
 * share it evenly; memory is looked at whenever stages have started.
 */
#include "pipeline/cost.h"

#include "base/format.h"
#include "pipeline/run.h"

typedef enum { WAITS, WORKS, ENDED } State;

typedef struct {
  State state;
  double total, left; /* operations */
} Player;

typedef struct {
  const LbPlan *plan;
  LbCost *cost;
  Player *players; /* beside plan->stages */
} Play;

static const LbPlanLink *
link_of (const Play *play, guint stage, guint index)
{
  return &g_array_index (play->plan->stages[stage].links, LbPlanLink, index);
}

/* ---- Time ---- */

/* Operations that stage @writer still has to do until its first packet on @link is there. A stream of one packet, or of
 * none, is there when its writer has ended. */
static double
left_until_packet (const Play *play, const LbPlanLink *link)
{
  const Player *writer = &play->players[link->source];
  gint64 packets = lb_spec_packets (lb_plan_spec (play->plan, link->source, link->output));

  if (writer->state == WAITS || (packets >= 0 && packets <= 1))
    return G_MAXDOUBLE;
  return packets == LB_UNKNOWN ? 0 : MAX (writer->left - writer->total * (1 - 1 / (double)packets), 0);
}

static gboolean
may_start (const Play *play, guint stage)
{
  for (guint k = 0; k < play->plan->stages[stage].links->len; k++) {
    const LbPlanLink *link = link_of (play, stage, k);
    if (play->players[link->source].state != ENDED && left_until_packet (play, link) > 0)
      return FALSE;
  }
  return TRUE;
}

/* A stage ends when its work is done and all its writers have ended. */
static gboolean
may_end (const Play *play, guint stage)
{
  if (play->players[stage].left > 0)
    return FALSE;
  for (guint k = 0; k < play->plan->stages[stage].links->len; k++)
    if (play->players[link_of (play, stage, k)->source].state != ENDED)
      return FALSE;
  return TRUE;
}

/* Lets the stages at work go on to the next event. FALSE when none is at work. */
static gboolean
advance (Play *play)
{
  double step = G_MAXDOUBLE;

  for (guint i = 0; i < play->plan->n_stages; i++) {
    const Player *player = &play->players[i];
    if (player->state == WORKS && player->left > 0)
      step = MIN (step, player->left);
    for (guint k = 0; player->state == WAITS && k < play->plan->stages[i].links->len; k++) {
      const LbPlanLink *link = link_of (play, i, k);
      double left = left_until_packet (play, link);
      if (play->players[link->source].state == WORKS && left > 0)
        step = MIN (step, left);
    }
  }
  if (step == G_MAXDOUBLE)
    return FALSE;
  for (guint i = 0; i < play->plan->n_stages; i++) {
    Player *player = &play->players[i];
    if (player->state == WORKS)
      /* What rounding leaves of an operation is none. */
      player->left = player->left - step > 0.5 ? player->left - step : 0;
  }
  return TRUE;
}

/* ---- Memory ---- */

/* Packets of a stream of @packets that its writer has made or is making. */
static gint64
packets_made (const Player *writer, gint64 packets)
{
  if (writer->state == ENDED || writer->total <= 0)
    return packets;
  return MIN (packets, 1 + (gint64)((1 - writer->left / writer->total) * (double)packets));
}

/* Bytes alive of output @output of @stage: nothing before it works and after its last reader; one packet, or of a
 * stream of several one that is read and one that is made, unless a reader has not begun and they wait for it. */
static double
alive_bytes (const Play *play, guint stage, guint output)
{
  const LbSpec *spec = lb_plan_spec (play->plan, stage, output);
  gint64 bytes = lb_spec_own_bytes (spec), packets = lb_spec_packets (spec);
  gboolean needed = play->players[stage].state == WORKS, all_read = TRUE;

  if (bytes <= 0 || packets == 0 || play->players[stage].state == WAITS)
    return 0;
  for (guint i = 0; i < play->plan->n_stages; i++)
    for (guint k = 0; k < play->plan->stages[i].links->len; k++) {
      const LbPlanLink *link = link_of (play, i, k);
      if (link->source != stage || link->output != output)
        continue;
      needed |= play->players[i].state != ENDED;
      all_read &= play->players[i].state != WAITS;
    }
  if (!needed)
    return 0;
  if (packets == LB_UNKNOWN || (all_read && packets > 2))
    packets = 2;
  packets = packets_made (&play->players[stage], packets);
  return MIN ((double)packets * (double)bytes, MAX ((double)LB_LINK_CAPACITY, (double)bytes));
}

static double
packet_bytes (const Play *play, guint stage)
{
  double sum = 0;

  for (guint output = 0; output < play->plan->stages[stage].configured->outputs->len; output++)
    sum += alive_bytes (play, stage, output);
  return sum;
}

static void
note_memory (Play *play)
{
  double sum = 0;

  for (guint i = 0; i < play->plan->n_stages; i++) {
    LbStageCost *stage = &play->cost->stages[i];
    double packets = packet_bytes (play, i);
    stage->packets = MAX (stage->packets, packets);
    sum += packets + (play->players[i].state == WORKS ? MAX (stage->bytes, 0) : 0);
  }
  play->cost->peak_bytes = MAX (play->cost->peak_bytes, sum);
}

/* ---- The whole ---- */

/* Starts and ends what can; stages without work start and end at once, together with others that do. */
static void
settle (Play *play)
{
  gboolean changed = TRUE;

  while (changed) {
    changed = FALSE;
    for (guint i = 0; i < play->plan->n_stages; i++)
      if (play->players[i].state == WORKS && may_end (play, i)) {
        play->players[i].state = ENDED;
        changed = TRUE;
      }
    for (guint k = 0; k < play->plan->n_ordered; k++) {
      guint i = play->plan->order[k];
      if (play->players[i].state == WAITS && may_start (play, i)) {
        play->players[i].state = WORKS;
        changed = TRUE;
      }
    }
    note_memory (play);
  }
}

LbCost *
lb_cost_new (const LbPlan *plan)
{
  LbCost *cost = g_new0 (LbCost, 1);
  Play play = { .plan = plan, .cost = cost, .players = g_new0 (Player, plan->n_stages) };

  cost->n_stages = plan->n_stages;
  cost->stages = g_new0 (LbStageCost, plan->n_stages);
  for (guint i = 0; i < plan->n_stages; i++) {
    const LbConfigured *configured = plan->stages[i].configured;
    cost->stages[i] = (LbStageCost){ .flops = configured->flops, .bytes = configured->bytes };
    cost->n_silent += configured->flops < 0 || configured->bytes < 0;
    cost->flops += MAX (configured->flops, 0);
    play.players[i].left = play.players[i].total = MAX (configured->flops, 0);
  }
  do
    settle (&play);
  while (advance (&play));
  g_free (play.players);
  return cost;
}

void
lb_cost_free (LbCost *cost)
{
  if (cost == NULL)
    return;
  g_free (cost->stages);
  g_free (cost);
}

static gboolean
fits (const LbCost *cost, guint64 base, guint64 limit)
{
  return (double)base + cost->peak_bytes <= (double)limit;
}

LbCost *
lb_cost_that_fits (LbPlan *plan, guint64 base, guint64 limit, const char *whose, GError **error)
{
  g_autoptr (LbCost) cost = lb_cost_new (plan);
  g_autoptr (LbProblems) problems = lb_problems_new (plan->pipeline->path);

  if (limit != G_MAXUINT64 && !fits (cost, base, limit) && lb_plan_configure_narrow (plan, problems)) {
    lb_cost_free (cost);
    cost = lb_cost_new (plan);
  }
  return limit == G_MAXUINT64 || lb_cost_fits (cost, base, limit, whose, error) ? g_steal_pointer (&cost) : NULL;
}

gboolean
lb_cost_fits (const LbCost *cost, guint64 base, guint64 limit, const char *whose, GError **error)
{
  if (fits (cost, base, limit))
    return TRUE;
  g_autofree char *needed = lb_format_bytes (base + (guint64)cost->peak_bytes);
  g_autofree char *there = lb_format_bytes (limit);
  g_set_error (error, LB_ERROR, LB_ERROR_MEMORY,
               "the run is predicted to take %s of memory, but %s %s; make batches or sets smaller or use fewer "
               "--threads ('limbeck check' shows what each stage takes), or give --memory-limit another size, or none "
               "to run all the same",
               needed, there, whose);
  return FALSE;
}
