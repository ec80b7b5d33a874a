/* Queues: a list of chunks of slots. The writer fills the last chunk, the reader empties the first, and an emptied one
 * goes back to the writer, so that a steady stream allocates nothing.
 *
 * Invariant: a slot, and the pointer to the next chunk, are written before @in counts them and read only after @in was
 * seen to count them; a chunk is handed back after its last slot was read.
 */
#include "stream/queue.h"

#define CHUNK_SLOTS 255

typedef struct {
  LbPacket *packet;
  gsize cost;
} Slot;

struct _LbQueueChunk {
  Slot slots[CHUNK_SLOTS];
  LbQueueChunk *next;
};

void
lb_queue_init (LbQueue *queue)
{
  *queue = (LbQueue){ 0 };
  queue->first = queue->last = g_new (LbQueueChunk, 1);
}

void
lb_queue_clear (LbQueue *queue)
{
  for (LbPacket *packet; (packet = lb_queue_pop (queue)) != NULL;)
    lb_packet_unref (packet);
  g_free (queue->first);
  g_free (queue->spare);
}

static LbQueueChunk *
take_chunk (LbQueue *queue)
{
  LbQueueChunk *spare = __atomic_exchange_n (&queue->spare, NULL, __ATOMIC_ACQUIRE);

  return spare != NULL ? spare : g_new (LbQueueChunk, 1);
}

static void
give_chunk (LbQueue *queue, LbQueueChunk *chunk)
{
  g_free (__atomic_exchange_n (&queue->spare, chunk, __ATOMIC_ACQ_REL));
}

void
lb_queue_push (LbQueue *queue, LbPacket *packet, gsize cost)
{
  if (queue->n_last == CHUNK_SLOTS) {
    LbQueueChunk *chunk = take_chunk (queue);
    queue->last->next = chunk;
    queue->last = chunk;
    queue->n_last = 0;
  }
  queue->last->slots[queue->n_last++] = (Slot){ packet, cost };
  queue->sum_in += cost;
  __atomic_store_n (&queue->in, queue->sum_in, __ATOMIC_SEQ_CST);
}

LbPacket *
lb_queue_pop (LbQueue *queue)
{
  if (queue->sum_out == queue->seen_in) {
    queue->seen_in = __atomic_load_n (&queue->in, __ATOMIC_SEQ_CST);
    if (queue->sum_out == queue->seen_in)
      return NULL;
  }
  if (queue->n_first == CHUNK_SLOTS) {
    LbQueueChunk *emptied = queue->first;
    queue->first = emptied->next;
    queue->n_first = 0;
    give_chunk (queue, emptied);
  }
  Slot slot = queue->first->slots[queue->n_first++];
  queue->sum_out += slot.cost;
  __atomic_store_n (&queue->out, queue->sum_out, __ATOMIC_SEQ_CST);
  return slot.packet;
}

gboolean
lb_queue_has_room (LbQueue *queue, gsize cost, gsize limit)
{
  for (guint attempt = 0; attempt < 2; attempt++) {
    guint64 waits = queue->sum_in - queue->seen_out;
    if (waits == 0 || (waits < limit && cost <= limit - waits))
      return TRUE;
    queue->seen_out = __atomic_load_n (&queue->out, __ATOMIC_SEQ_CST);
  }
  return FALSE;
}

gsize
lb_queue_cost (LbQueue *queue)
{
  /* What was taken out is loaded first, so that the difference is never negative. */
  guint64 out = __atomic_load_n (&queue->out, __ATOMIC_SEQ_CST);

  return (gsize)(__atomic_load_n (&queue->in, __ATOMIC_SEQ_CST) - out);
}
