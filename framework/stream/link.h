/* Links: bounded first-in first-out queues between stages, and the flow that watches all links of a run.
 *
 * Stages are sequential processes that block on reading an empty link and on writing a full one (Kahn, "The semantics
 * of a simple language for parallel programming", 1974), so what they compute cannot depend on scheduling. A bound can
 * make a network stop that would not stop without it: when every live stage is blocked and one of them on a full link,
 * the smallest full link grows (Parks, "Bounded scheduling of process networks", 1995).
 */
#pragma once

#include "stream/packet.h"

G_BEGIN_DECLS

typedef struct _LbFlow LbFlow;
typedef struct _LbLink LbLink;

LbFlow *lb_flow_new (void);
void lb_flow_free (LbFlow *flow);

/* One link with one writer and one reader; the flow's. @capacity in bytes of packets waiting; a packet larger than that
 * passes alone. @name ("distill.samples -> views.samples") is for logs. */
LbLink *lb_flow_add_link (LbFlow *flow, const char *name, gsize capacity);

/* The number of stage threads that are going to run; each tells when it ends. Deadlock is judged among those still
 * alive: when all of them wait for packets that none can send, every push and pull fails with LB_ERROR_PROGRAM. */
void lb_flow_set_stages (LbFlow *flow, guint n_stages);
void lb_flow_stage_ended (LbFlow *flow);

/* Wakes everybody; every push and pull from now on fails with LB_ERROR_CANCELLED. */
void lb_flow_cancel (LbFlow *flow);
gboolean lb_flow_is_cancelled (LbFlow *flow);

/* A stage waits for something outside of the run, such as another run's result: nobody counts on it, but it is no
 * deadlock either. */
void lb_flow_begin_outside (LbFlow *flow);
void lb_flow_end_outside (LbFlow *flow);

/* How often a link was grown to resolve an artificial deadlock. */
guint lb_flow_n_grown (LbFlow *flow);

/* Called each time that happens, from the thread that found it out, with the bounds before and after. It must be quick
 * and call nothing of flows or links. Set before any stage runs. */
typedef void (*LbFlowGrown) (gpointer data, const char *link, gsize from, gsize to);
void lb_flow_on_grown (LbFlow *flow, LbFlowGrown grown, gpointer data);

/* Blocks while the link is full. Keeps its own reference. When the reader has left, the packet is dropped and TRUE is
 * returned: a reader that needs no more does not stop its writer's other readers. FALSE only when cancelled or
 * deadlocked. */
gboolean lb_link_push (LbLink *link, LbPacket *packet, GError **error);

/* Blocks while the link is empty and its writer alive. *packet NULL at end of stream. FALSE only when cancelled or
 * deadlocked. */
gboolean lb_link_pull (LbLink *link, LbPacket **packet, GError **error);

void lb_link_close_writer (LbLink *link);
void lb_link_close_reader (LbLink *link);

const char *lb_link_name (const LbLink *link);

/* What follows may be asked from any thread at any time. */

/* Packets and bytes passed so far. */
guint64 lb_link_packets (LbLink *link);
guint64 lb_link_bytes (LbLink *link);

/* What waits in it now, as counted against its bound: bytes, but 64 at least for each packet. */
gsize lb_link_queued (LbLink *link);

/* Microseconds up to @now (of g_get_monotonic_time()) that its reader has been blocked for want of a packet, or its
 * writer for want of room; *since is when the present wait began, 0 when there is none. */
gint64 lb_link_reader_waited (LbLink *link, gint64 now, gint64 *since);
gint64 lb_link_writer_waited (LbLink *link, gint64 now, gint64 *since);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbFlow, lb_flow_free)

G_END_DECLS
