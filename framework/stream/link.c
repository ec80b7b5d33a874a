/* Links and the flow that watches them.
 *
 * Packets pass through a queue without a lock; the flow's mutex is taken only to wait, to wake, to leave and to settle
 * deadlocks, which are a property of all links together. Invariants under that mutex:
 *  - a side of a link is "waiting" from the moment it finds that it must wait until another thread lets it go on;
 *    whoever lets it go on takes the mark away, so a thread that was signalled but does not run yet counts as running;
 *  - @n_waiting is the number of such marks; when it reaches the number of live stages, nobody is left to make
 *    progress, and the one who brought that about settles it at once;
 *  - the packets in a link are at most its capacity together, or there is a single one.
 * A side marks itself and then looks at the queue again; the other changes the queue and then looks for the mark. Both
 * in sequentially consistent order, so one of them sees the other.
 *
 * Waking a thread takes longer than passing hundreds of packets. So a reader that runs dry in the middle of a stream
 * naps instead of asking to be woken, and a writer that finds no room is woken, for a moment, only for half a queue of
 * it. Neither can hide a deadlock: who naps counts as running, and settling looks for writers that have room.
 */
#include "stream/link.h"

#include "base/error.h"
#include "base/timeline.h"
#include "stream/queue.h"

/* What a packet counts at least, so that a link of empty packets is bounded too. */
#define LEAST_COST 64
/* Packets without a wait that make a stream, and how long its reader naps when it runs dry. */
#define STREAM_PACKETS   16
#define NAP_MICROSECONDS 25
/* How long a writer waits for half a queue of room before it makes do with any. */
#define PATIENCE_MICROSECONDS 1000

/* One end of a link, as far as it waits. */
typedef struct {
  gboolean waiting; /* atomic; set and cleared under the lock */
  gboolean left;    /* atomic, likewise */
  gint64 since;     /* atomic: when the present wait began, 0 for none */
  gint64 waited;    /* atomic: microseconds of all waits before */
  GCond go_on;
} Side;

struct _LbLink {
  LbFlow *flow;
  char *name;
  gsize capacity;   /* atomic; changes under the lock, while the writer waits */
  gsize pending;    /* cost of the packet that a waiting writer holds; under the lock */
  gsize wake_level; /* atomic: cost of what waits at which a waiting writer goes on */
  Side reader, writer;
  LbQueue queue;
  guint in_stream;            /* packets that the reader got since it last waited; the reader's */
  guint64 n_packets, n_bytes; /* atomic: ever passed in; the writer's */
};

struct _LbFlow {
  GMutex lock;
  GPtrArray *links; /* LbLink*, in the order they were added */
  guint n_stages;   /* alive */
  guint n_waiting;
  guint n_outside; /* of these, those that wait for something outside of the run */
  guint n_grown;
  gboolean cancelled;
  char *deadlock;   /* the sentence, once there is a true deadlock */
  gboolean stopped; /* atomic: cancelled or deadlocked */
  LbFlowGrown on_grown;
  gpointer on_grown_data;
};

#define LOAD(field)         __atomic_load_n (&(field), __ATOMIC_SEQ_CST)
#define STORE(field, value) __atomic_store_n (&(field), value, __ATOMIC_SEQ_CST)
/* Counters that nobody waits for. */
#define PEEK(field)        __atomic_load_n (&(field), __ATOMIC_RELAXED)
#define NOTE(field, value) __atomic_store_n (&(field), value, __ATOMIC_RELAXED)

static void
link_free (gpointer data)
{
  LbLink *link = data;

  lb_queue_clear (&link->queue);
  g_cond_clear (&link->reader.go_on);
  g_cond_clear (&link->writer.go_on);
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
  lb_queue_init (&link->queue);
  g_cond_init (&link->reader.go_on);
  g_cond_init (&link->writer.go_on);

  g_mutex_lock (&flow->lock);
  g_ptr_array_add (flow->links, link);
  g_mutex_unlock (&flow->lock);
  return link;
}

/* ---- Waiting; all with the flow's lock held ---- */

static void
let_go (LbFlow *flow, Side *side)
{
  if (!LOAD (side->waiting))
    return;
  STORE (side->waiting, FALSE);
  flow->n_waiting--;
  g_cond_signal (&side->go_on);
}

static void
let_all_go (LbFlow *flow)
{
  for (guint i = 0; i < flow->links->len; i++) {
    LbLink *link = g_ptr_array_index (flow->links, i);
    let_go (flow, &link->reader);
    let_go (flow, &link->writer);
  }
}

/* Cost of what may wait for a waiting writer's packet to have room beside it. */
static gsize
room_level (const LbLink *link)
{
  return link->capacity > link->pending ? link->capacity - link->pending : 0;
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
    if (!LOAD (link->reader.waiting))
      continue;
    g_string_append_printf (text, "%s'%s'", separator, link->name);
    separator = ", ";
  }
  g_string_append (text,
                   "); these links form a cycle, or a stage ended without closing its outputs: correct how the stages "
                   "are linked");
  return g_strdup (text->str);
}

static void
grow (LbFlow *flow, LbLink *link)
{
  gsize before = link->capacity;

  STORE (link->capacity, lb_queue_cost (&link->queue) + link->pending);
  flow->n_grown++;
  if (flow->on_grown != NULL)
    flow->on_grown (flow->on_grown_data, link->name, before, link->capacity);
  let_go (flow, &link->writer);
}

/* Called whenever a thread starts to wait or a stage ends: when nobody is left running, writers go on that only waited
 * for more room than they need; failing that, the smallest full link grows so that its writer goes on; and without a
 * full link the deadlock is a true one. */
static void
settle (LbFlow *flow)
{
  LbLink *smallest = NULL;
  gboolean settled = FALSE;

  if (flow->n_stages == 0 || flow->n_waiting < flow->n_stages)
    return;
  for (guint i = 0; i < flow->links->len; i++) {
    LbLink *link = g_ptr_array_index (flow->links, i);
    if (!LOAD (link->writer.waiting))
      continue;
    if (lb_queue_cost (&link->queue) <= room_level (link)) {
      let_go (flow, &link->writer);
      settled = TRUE;
    } else if (smallest == NULL || link->capacity < smallest->capacity) {
      smallest = link;
    }
  }
  if (settled)
    return;
  if (smallest != NULL) {
    grow (flow, smallest);
    return;
  }
  if (flow->n_outside > 0)
    return;
  flow->deadlock = deadlock_text (flow);
  STORE (flow->stopped, TRUE);
  let_all_go (flow);
}

/* Sets why the run may not go on. Always FALSE. */
static gboolean
refuse (LbFlow *flow, GError **error)
{
  g_mutex_lock (&flow->lock);
  if (flow->cancelled)
    g_set_error_literal (error, LB_ERROR, LB_ERROR_CANCELLED, "stopped because the run was cancelled");
  else
    g_set_error_literal (error, LB_ERROR, LB_ERROR_PROGRAM, flow->deadlock);
  g_mutex_unlock (&flow->lock);
  return FALSE;
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
  STORE (flow->stopped, TRUE);
  let_all_go (flow);
  g_mutex_unlock (&flow->lock);
}

gboolean
lb_flow_is_cancelled (LbFlow *flow)
{
  if (!LOAD (flow->stopped))
    return FALSE;
  g_mutex_lock (&flow->lock);
  gboolean cancelled = flow->cancelled;
  g_mutex_unlock (&flow->lock);
  return cancelled;
}

void
lb_flow_begin_outside (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  flow->n_waiting++;
  flow->n_outside++;
  settle (flow);
  g_mutex_unlock (&flow->lock);
}

void
lb_flow_end_outside (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  flow->n_waiting--;
  flow->n_outside--;
  g_mutex_unlock (&flow->lock);
}

guint
lb_flow_n_grown (LbFlow *flow)
{
  g_mutex_lock (&flow->lock);
  guint n_grown = flow->n_grown;
  g_mutex_unlock (&flow->lock);
  return n_grown;
}

void
lb_flow_on_grown (LbFlow *flow, LbFlowGrown grown, gpointer data)
{
  flow->on_grown = grown;
  flow->on_grown_data = data;
}

/* ---- Waiting, each side in its own thread ---- */

static gint64
begin_wait (Side *side)
{
  NOTE (side->since, g_get_monotonic_time ());
  return lb_timeline_begin ();
}

static void
end_wait (LbLink *link, Side *side, gint64 began)
{
  lb_timeline_end (began, "wait", link->name, "queued", (gint64)lb_queue_cost (&link->queue), NULL, 0);
  NOTE (side->waited, side->waited + g_get_monotonic_time () - side->since);
  NOTE (side->since, 0);
}

static gboolean
reader_must_wait (LbLink *link)
{
  return lb_queue_cost (&link->queue) == 0 && !LOAD (link->writer.left) && !LOAD (link->flow->stopped);
}

static void
sleep_until_packet (LbLink *link)
{
  LbFlow *flow = link->flow;

  g_mutex_lock (&flow->lock);
  STORE (link->reader.waiting, TRUE);
  if (reader_must_wait (link)) {
    flow->n_waiting++;
    settle (flow);
    while (LOAD (link->reader.waiting))
      g_cond_wait (&link->reader.go_on, &flow->lock);
  } else {
    STORE (link->reader.waiting, FALSE);
  }
  g_mutex_unlock (&flow->lock);
}

/* Returns when there is a packet, or never will be one. */
static void
wait_for_packet (LbLink *link)
{
  gboolean nap = link->in_stream >= STREAM_PACKETS;

  gint64 began = begin_wait (&link->reader);
  while (reader_must_wait (link)) {
    if (nap)
      g_usleep (NAP_MICROSECONDS);
    else
      sleep_until_packet (link);
    nap = FALSE;
  }
  link->in_stream = 0;
  end_wait (link, &link->reader, began);
}

static gboolean
writer_must_wait (LbLink *link, gsize cost)
{
  return !lb_queue_has_room (&link->queue, cost, LOAD (link->capacity)) && !LOAD (link->reader.left)
         && !LOAD (link->flow->stopped);
}

/* Called with the lock held and the writer marked, before it sleeps: at first for half a queue of room, then for any.
 */
static void
sleep_writing (LbLink *link)
{
  LbFlow *flow = link->flow;
  gint64 end = g_get_monotonic_time () + PATIENCE_MICROSECONDS;

  while (LOAD (link->writer.waiting) && g_cond_wait_until (&link->writer.go_on, &flow->lock, end))
    ;
  STORE (link->wake_level, room_level (link));
  if (LOAD (link->writer.waiting) && lb_queue_cost (&link->queue) <= room_level (link))
    let_go (flow, &link->writer);
  while (LOAD (link->writer.waiting))
    g_cond_wait (&link->writer.go_on, &flow->lock);
}

/* Returns when there is room for @cost, or nothing is to be written any more. */
static void
wait_for_room (LbLink *link, gsize cost)
{
  LbFlow *flow = link->flow;

  gint64 began = begin_wait (&link->writer);
  g_mutex_lock (&flow->lock);
  while (writer_must_wait (link, cost)) {
    link->pending = cost;
    STORE (link->wake_level, MIN (room_level (link), link->capacity / 2));
    STORE (link->writer.waiting, TRUE);
    if (!writer_must_wait (link, cost)) {
      STORE (link->writer.waiting, FALSE);
      break;
    }
    flow->n_waiting++;
    settle (flow);
    sleep_writing (link);
  }
  g_mutex_unlock (&flow->lock);
  end_wait (link, &link->writer, began);
}

static void
wake (LbFlow *flow, Side *side)
{
  g_mutex_lock (&flow->lock);
  let_go (flow, side);
  g_mutex_unlock (&flow->lock);
}

/* ---- The links ---- */

/* Lets go of what nobody will read. Under the lock, as either side may come to do it. */
static void
drop_rest (LbLink *link)
{
  g_mutex_lock (&link->flow->lock);
  for (LbPacket *packet; (packet = lb_queue_pop (&link->queue)) != NULL;)
    lb_packet_unref (packet);
  g_mutex_unlock (&link->flow->lock);
}

static gboolean
push (LbLink *link, LbPacket *packet, gsize bytes, GError **error)
{
  gsize cost = MAX (bytes, LEAST_COST);

  if (writer_must_wait (link, cost))
    wait_for_room (link, cost);
  if (LOAD (link->flow->stopped))
    return refuse (link->flow, error);
  if (LOAD (link->reader.left))
    return TRUE;
  NOTE (link->n_packets, link->n_packets + 1);
  NOTE (link->n_bytes, link->n_bytes + bytes);
  lb_queue_push (&link->queue, lb_packet_ref (packet), cost);
  if (LOAD (link->reader.waiting))
    wake (link->flow, &link->reader);
  if (LOAD (link->reader.left))
    drop_rest (link);
  return TRUE;
}

gboolean
lb_link_push (LbLink *link, LbPacket *packet, GError **error)
{
  gint64 began = lb_timeline_begin ();
  gsize bytes = lb_packet_bytes (packet);
  gboolean pushed = push (link, packet, bytes, error);

  if (pushed)
    lb_timeline_end (began, "push", link->name, "bytes", (gint64)bytes, "packets", (gint64)link->n_packets);
  return pushed;
}

static gboolean
pull (LbLink *link, LbPacket **packet, GError **error)
{
  *packet = NULL;
  if (LOAD (link->flow->stopped))
    return refuse (link->flow, error);
  *packet = lb_queue_pop (&link->queue);
  if (*packet == NULL) {
    wait_for_packet (link);
    if (LOAD (link->flow->stopped))
      return refuse (link->flow, error);
    *packet = lb_queue_pop (&link->queue);
  }
  if (*packet == NULL)
    return TRUE;
  link->in_stream++;
  if (LOAD (link->writer.waiting) && lb_queue_cost (&link->queue) <= LOAD (link->wake_level))
    wake (link->flow, &link->writer);
  return TRUE;
}

gboolean
lb_link_pull (LbLink *link, LbPacket **packet, GError **error)
{
  gint64 began = lb_timeline_begin ();
  gboolean pulled = pull (link, packet, error);

  if (began != 0 && pulled && *packet != NULL)
    lb_timeline_record (began, "pull", link->name, "bytes", (gint64)lb_packet_bytes (*packet), NULL, 0);
  return pulled;
}

void
lb_link_close_writer (LbLink *link)
{
  g_mutex_lock (&link->flow->lock);
  STORE (link->writer.left, TRUE);
  let_go (link->flow, &link->reader);
  g_mutex_unlock (&link->flow->lock);
}

void
lb_link_close_reader (LbLink *link)
{
  /* Without the lock as far as possible: large tensors take their time to go. */
  for (LbPacket *packet; (packet = lb_queue_pop (&link->queue)) != NULL;)
    lb_packet_unref (packet);
  g_mutex_lock (&link->flow->lock);
  STORE (link->reader.left, TRUE);
  let_go (link->flow, &link->writer);
  g_mutex_unlock (&link->flow->lock);
  drop_rest (link);
}

/* ---- Looking at them ---- */

const char *
lb_link_name (const LbLink *link)
{
  return link->name;
}

guint64
lb_link_packets (LbLink *link)
{
  return PEEK (link->n_packets);
}

guint64
lb_link_bytes (LbLink *link)
{
  return PEEK (link->n_bytes);
}

gsize
lb_link_queued (LbLink *link)
{
  return lb_queue_cost (&link->queue);
}

static gint64
side_waited (Side *side, gint64 now, gint64 *since)
{
  gint64 waited = PEEK (side->waited);

  *since = PEEK (side->since);
  return waited + (*since != 0 ? MAX (now - *since, 0) : 0);
}

gint64
lb_link_reader_waited (LbLink *link, gint64 now, gint64 *since)
{
  return side_waited (&link->reader, now, since);
}

gint64
lb_link_writer_waited (LbLink *link, gint64 now, gint64 *since)
{
  return side_waited (&link->writer, now, since);
}
