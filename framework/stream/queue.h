/* Queues: packets on their way from one writer to one reader, without a lock between the two.
 *
 * What waits is counted in cost, which the caller chooses and which is never 0; so a queue is empty when as much was
 * taken out as was put in. Both counts only grow and are stored and loaded in sequentially consistent order: whoever
 * puts in (or takes out) and then looks whether the other side sleeps, and whoever says that it sleeps and then looks
 * at the queue once more, cannot miss each other. Private to stream/.
 */
#pragma once

#include "stream/packet.h"

G_BEGIN_DECLS

typedef struct _LbQueueChunk LbQueueChunk;

/* Each side's fields keep to cache lines of their own: a side that writes its own does not slow the other down. */
typedef struct {
  LbQueueChunk *last; /* the writer's from here on */
  guint n_last;
  guint64 sum_in, seen_out;
  guint64 in; /* atomic: cost of all that was put in */
  char apart[64];
  LbQueueChunk *first; /* the reader's from here on */
  guint n_first;
  guint64 sum_out, seen_in;
  guint64 out; /* atomic: cost of all that was taken out */
  char apart_too[64];
  LbQueueChunk *spare; /* atomic: an empty chunk that the reader hands back */
} LbQueue;

void lb_queue_init (LbQueue *queue);
void lb_queue_clear (LbQueue *queue);

/* Takes over the reference to @packet. The writer's. */
void lb_queue_push (LbQueue *queue, LbPacket *packet, gsize cost);

/* The oldest packet, now the caller's; NULL when there is none. The reader's. */
LbPacket *lb_queue_pop (LbQueue *queue);

/* Whether @cost more keeps to @limit, or the queue is empty. The writer's; looks at the reader's count only when it
 * must. */
gboolean lb_queue_has_room (LbQueue *queue, gsize cost, gsize limit);

/* Cost of what waits, as either side may change it at any time. */
gsize lb_queue_cost (LbQueue *queue);

G_END_DECLS
