/* Links and the flow that watches them.
 *
 * One mutex guards all links of a flow: passing a packet takes far less time than making one, and deadlock is a
 * property of all links together. Invariants under that mutex:
 *  - a side of a link is "waiting" from the moment it finds that it must wait until another thread lets it go on;
 * whoever lets it go on takes the mark away, so a thread that was signalled but does not run yet counts as running;
 *  - @n_waiting is the number of such marks; when it reaches the number of live stages, nobody is left to make
 * progress, and the one who brought that about settles it at once;
 *  - the packets in a link are at most its capacity together, or there is a single one.
 */
#include "stream/link.h"

#include "base/error.h"

/* What a packet counts at least, so that a link of empty packets is bounded too. */
#define LEAST_COST 64

struct _LbLink {
  LbFlow *flow;
  char *name;
  gsize capacity;
  GQueue packets; /* LbPacket* */
  gsize queued;   /* their cost */
  gsize pending;  /* cost of the packet that a waiting writer holds */
  gboolean reader_waiting, writer_waiting;
  gboolean reader_left, writer_left;
  GCond readable, writable;
  guint64 n_packets, n_bytes; /* ever passed in */
};

struct _LbFlow {
  GMutex lock;
  GPtrArray *links; /* LbLink*, in the order they were added */
  guint n_stages;   /* alive */
  guint n_waiting;
  guint n_grown;
  gboolean cancelled;
  char *deadlock; /* the sentence, once there is a true deadlock */
};

static void
link_free (gpointer data)
{
  LbLink *link = data;

  g_queue_clear_full (&link->packets, (GDestroyNotify)lb_packet_unref);
  g_cond_clear (&link->readable);
  g_cond_clear (&link->writable);
  g_free (link->name);
  g_free (link);
}

LbFlow *
lb_flow_new (void)
{
  LbFlow *flow = g_new0 (LbFlow, 1);

  g_mutex_init (&flow->lock);
  flow->links = g_ptr_array_new_with_free_func (link_free);
  return flow;
}

void
lb_flow_free (LbFlow *flow)
{
  if (flow == NULL)
    return;
  g_ptr_array_unref (flow->links);
  g_free (flow->deadlock);
  g_mutex_clear (&flow->lock);
  g_free (flow);
}

LbLink *
lb_flow_add_link (LbFlow *flow, const char *name, gsize capacity)
{
  LbLink *link = g_new0 (LbLink, 1);

  link->flow = flow;
  link->name = g_strdup (name);
  link->capacity = capacity;
  g_queue_init (&link->packets);
  g_cond_init (&link->readable);
  g_cond_init (&link->writable);

  g_mutex_lock (&flow->lock);
  g_ptr_array_add (flow->links, link);
  g_mutex_unlock (&flow->lock);
  return link;
}

/* ---- Waiting; all with the flow's lock held ---- */

static void
let_reader_go (LbLink *link)
{
  if (!link->reader_waiting)
    return;
  link->reader_waiting = FALSE;
  link->flow->n_waiting--;
  g_cond_signal (&link->readable);
}

static void
let_writer_go (LbLink *link)
{
  if (!link->writer_waiting)
    return;
  link->writer_waiting = FALSE;
  link->flow->n_waiting--;
  g_cond_signal (&link->writable);
}

static void
let_all_go (LbFlow *flow)
{
  for (guint i = 0; i < flow->links->len; i++) {
    let_reader_go (g_ptr_array_index (flow->links, i));
    let_writer_go (g_ptr_array_index (flow->links, i));
  }
}

/* The sentence about a deadlock that no growth resolves. */
static char *
deadlock_text (LbFlow *flow)
{
  g_autoptr (GString) text
      = g_string_new ("every stage that still runs waits for a packet that none of them can send (");
  const char *separator = "";

  for (guint i = 0; i < flow->links->len; i++) {
    LbLink *link = g_ptr_array_index (flow->links, i);
    if (!link->reader_waiting)
      continue;
    g_string_append_printf (text, "%s'%s'", separator, link->name);
    separator = ", ";
  }
  g_string_append (text,
                   "); these links form a cycle, or a stage ended without closing its outputs: correct how the stages "
                   "are linked");
  return g_strdup (text->str);
}

/* Called whenever a thread starts to wait or a stage ends: when nobody is left running, the smallest full link grows so
 * that its writer goes on, and without a full link the deadlock is a true one. */
static void
settle (LbFlow *flow)
{
  LbLink *smallest = NULL;

  if (flow->n_stages == 0 || flow->n_waiting < flow->n_stages)
    return;
  for (guint i = 0; i < flow->links->len; i++) {
    LbLink *link = g_ptr_array_index (flow->links, i);
    if (link->writer_waiting && (smallest == NULL || link->capacity < smallest->capacity))
      smallest = link;
  }
  if (smallest != NULL) {
    smallest->capacity = smallest->queued + smallest->pending;
    flow->n_grown++;
    let_writer_go (smallest);
    return;
  }
  flow->deadlock = deadlock_text (flow);
  let_all_go (flow);
}

/* TRUE while the run may go on. */
static gboolean
check_running (LbFlow *flow, GError **error)
{
  if (flow->cancelled) {
    g_set_error_literal (error, LB_ERROR, LB_ERROR_CANCELLED, "stopped because the run was cancelled");
    return FALSE;
  }
  if (flow->deadlock != NULL) {
    g_set_error_literal (error, LB_ERROR, LB_ERROR_PROGRAM, flow->deadlock);
    return FALSE;
  }
  return TRUE;
}

static gboolean
is_full (const LbLink *link, gsize cost)
{
  return !g_queue_is_empty ((GQueue *)&link->packets)
         && (link->queued >= link->capacity || cost > link->capacity - link->queued);
}

/* ---- The flow ---- */

void
lb_flow_set_stages (LbFlow *flow, guint n_stages)
{
  g_mutex_lock (&flow->lock);
  flow->n_stages = n_stages;
  settle (flow);
  g_mutex_unlock (&flow->lock);
}

void
lb_flow_stage_ended (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  if (flow->n_stages > 0)
    flow->n_stages--;
  settle (flow);
  g_mutex_unlock (&flow->lock);
}

void
lb_flow_cancel (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  flow->cancelled = TRUE;
  let_all_go (flow);
  g_mutex_unlock (&flow->lock);
}

gboolean
lb_flow_is_cancelled (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  gboolean cancelled = flow->cancelled;
  g_mutex_unlock (&flow->lock);
  return cancelled;
}

guint
lb_flow_n_grown (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  guint n_grown = flow->n_grown;
  g_mutex_unlock (&flow->lock);
  return n_grown;
}

/* ---- The links ---- */

gboolean
lb_link_push (LbLink *link, LbPacket *packet, GError **error)
{
  LbFlow *flow = link->flow;
  gsize bytes = lb_packet_bytes (packet), cost = MAX (bytes, LEAST_COST);

  g_mutex_lock (&flow->lock);
  while (!flow->cancelled && flow->deadlock == NULL && !link->reader_left && is_full (link, cost)) {
    link->pending = cost;
    link->writer_waiting = TRUE;
    flow->n_waiting++;
    settle (flow);
    while (link->writer_waiting)
      g_cond_wait (&link->writable, &flow->lock);
  }
  gboolean running = check_running (flow, error);
  if (running && !link->reader_left) {
    g_queue_push_tail (&link->packets, lb_packet_ref (packet));
    link->queued += cost;
    link->n_packets++;
    link->n_bytes += bytes;
    let_reader_go (link);
  }
  g_mutex_unlock (&flow->lock);
  return running;
}

gboolean
lb_link_pull (LbLink *link, LbPacket **packet, GError **error)
{
  LbFlow *flow = link->flow;

  *packet = NULL;
  g_mutex_lock (&flow->lock);
  while (!flow->cancelled && flow->deadlock == NULL && !link->writer_left && g_queue_is_empty (&link->packets)) {
    link->reader_waiting = TRUE;
    flow->n_waiting++;
    settle (flow);
    while (link->reader_waiting)
      g_cond_wait (&link->readable, &flow->lock);
  }
  gboolean running = check_running (flow, error);
  if (running && !g_queue_is_empty (&link->packets)) {
    *packet = g_queue_pop_head (&link->packets);
    link->queued -= MAX (lb_packet_bytes (*packet), LEAST_COST);
    /* The writer looks again by itself whether its packet fits now; waking it for nothing would hide that it waits. */
    if (link->writer_waiting && !is_full (link, link->pending))
      let_writer_go (link);
  }
  g_mutex_unlock (&flow->lock);
  return running;
}

void
lb_link_close_writer (LbLink *link)
{
  g_mutex_lock (&link->flow->lock);
  link->writer_left = TRUE;
  let_reader_go (link);
  g_mutex_unlock (&link->flow->lock);
}

void
lb_link_close_reader (LbLink *link)
{
  GQueue dropped;

  g_mutex_lock (&link->flow->lock);
  link->reader_left = TRUE;
  dropped = link->packets;
  g_queue_init (&link->packets);
  link->queued = 0;
  let_writer_go (link);
  g_mutex_unlock (&link->flow->lock);
  g_queue_clear_full (&dropped, (GDestroyNotify)lb_packet_unref);
}

const char *
lb_link_name (const LbLink *link)
{
  return link->name;
}

guint64
lb_link_packets (LbLink *link)
{
  g_mutex_lock (&link->flow->lock);
  guint64 packets = link->n_packets;
  g_mutex_unlock (&link->flow->lock);
  return packets;
}

guint64
lb_link_bytes (LbLink *link)
{
  g_mutex_lock (&link->flow->lock);
  guint64 bytes = link->n_bytes;
  g_mutex_unlock (&link->flow->lock);
  return bytes;
}
