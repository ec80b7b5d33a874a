/* Links: order, bounds, end of stream, cancelling, growth, true deadlock. Every test that blocks runs its stages in
 * threads and joins them, so one that hangs is stopped by the test's timeout.
 */
#include <string.h>

#include "base/error.h"
#include "stream/link.h"

static LbPacket *
make_packet (gint64 bytes, guint8 first)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *tensor = lb_tensor_new (LB_U8, LB_SHAPE (bytes));

  if (bytes > 0)
    lb_tensor_u8 (tensor)[0] = first;
  lb_packet_take (packet, "x", tensor);
  return packet;
}

static guint8
first_byte (LbPacket *packet)
{
  return lb_tensor_u8 (lb_packet_get (packet, "x"))[0];
}

/* A stage: one or two links in, one or two out, and what it found. */
typedef struct {
  LbFlow *flow;
  LbLink *in[2], *out[2];
  guint count;
  gint64 bytes;
  guint64 sum;
  GError *error;
} Stage;

static void
end_stage (Stage *stage)
{
  for (guint i = 0; i < 2; i++) {
    if (stage->out[i] != NULL && stage->error == NULL)
      lb_link_close_writer (stage->out[i]);
    if (stage->in[i] != NULL && stage->error == NULL)
      lb_link_close_reader (stage->in[i]);
  }
  lb_flow_stage_ended (stage->flow);
}

/* Writes @count packets of @bytes, each to all outputs. */
static gpointer
write_all (gpointer data)
{
  Stage *stage = data;

  for (guint i = 0; i < stage->count && stage->error == NULL; i++) {
    g_autoptr (LbPacket) packet = make_packet (stage->bytes, (guint8)i);
    for (guint j = 0; j < 2 && stage->error == NULL; j++)
      if (stage->out[j] != NULL)
        lb_link_push (stage->out[j], packet, &stage->error);
  }
  end_stage (stage);
  return NULL;
}

/* Reads all inputs, one after the other, then writes what it has read: @count packets are kept until the inputs end. */
static gpointer
read_all (gpointer data)
{
  Stage *stage = data;
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify)lb_packet_unref);

  stage->count = 0;
  for (guint i = 0; i < 2 && stage->error == NULL; i++) {
    LbPacket *packet = NULL;
    while (stage->in[i] != NULL && lb_link_pull (stage->in[i], &packet, &stage->error) && packet != NULL) {
      stage->sum = stage->sum * 31 + first_byte (packet);
      stage->count++;
      g_ptr_array_add (kept, packet);
    }
  }
  for (guint i = 0; i < kept->len && stage->out[0] != NULL && stage->error == NULL; i++)
    lb_link_push (stage->out[0], kept->pdata[i], &stage->error);
  end_stage (stage);
  return NULL;
}

/* Reads its two inputs in turns, one packet of each. */
static gpointer
read_in_turns (gpointer data)
{
  Stage *stage = data;

  for (gboolean more = TRUE; more && stage->error == NULL;) {
    more = FALSE;
    for (guint i = 0; i < 2 && stage->error == NULL; i++) {
      g_autoptr (LbPacket) packet = NULL;
      if (lb_link_pull (stage->in[i], &packet, &stage->error) && packet != NULL) {
        more = TRUE;
        stage->count++;
        stage->sum = stage->sum * 31 + first_byte (packet);
      }
    }
  }
  end_stage (stage);
  return NULL;
}

static void
join_all (GThread **threads, guint n)
{
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
}

static void
test_passes_in_order (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *link = lb_flow_add_link (flow, "a.x -> b.x", 10000);

  for (guint i = 0; i < 3; i++) {
    g_autoptr (LbPacket) packet = make_packet (100, (guint8)i);
    g_assert_true (lb_link_push (link, packet, NULL));
  }
  lb_link_close_writer (link);
  for (guint i = 0; i < 4; i++) {
    g_autoptr (LbPacket) packet = NULL;
    g_assert_true (lb_link_pull (link, &packet, NULL));
    if (i < 3)
      g_assert_cmpuint (first_byte (packet), ==, i);
    else
      g_assert_null (packet);
  }
  g_assert_cmpstr (lb_link_name (link), ==, "a.x -> b.x");
  g_assert_cmpuint (lb_link_packets (link), ==, 3);
  g_assert_cmpuint (lb_link_bytes (link), ==, 300);
}

/* Small, empty and larger-than-the-link packets all pass a tight link, and nothing has to grow for it. */
static void
test_is_bounded (void)
{
  static const gint64 sizes[] = { 1, 100, 5000 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (LbFlow) flow = lb_flow_new ();
    LbLink *link = lb_flow_add_link (flow, "a -> b", 256);
    Stage writer = { .flow = flow, .out = { link }, .count = 500, .bytes = sizes[i] };
    Stage reader = { .flow = flow, .in = { link } };
    lb_flow_set_stages (flow, 2);
    GThread *threads[] = { g_thread_new ("writer", write_all, &writer), g_thread_new ("reader", read_all, &reader) };
    join_all (threads, 2);
    g_assert_no_error (writer.error);
    g_assert_no_error (reader.error);
    g_assert_cmpuint (reader.count, ==, 500);
    g_assert_cmpuint (lb_flow_n_grown (flow), ==, 0);
  }
}

/* Without a reader, a writer stops at the bound: @count is how many packets of 100 bytes fit 1000. */
static void
test_blocks_when_full (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *link = lb_flow_add_link (flow, "a -> b", 1000);
  Stage writer = { .flow = flow, .out = { link }, .count = 50, .bytes = 100 };

  /* A stage that computes all the time keeps the link from growing. */
  lb_flow_set_stages (flow, 2);
  GThread *thread = g_thread_new ("writer", write_all, &writer);
  while (lb_link_packets (link) < 10)
    g_usleep (100);
  g_usleep (20000);
  g_assert_cmpuint (lb_link_packets (link), ==, 10);
  lb_link_close_reader (link);
  g_thread_join (thread);
  g_assert_no_error (writer.error);
  /* What came after the reader had left was dropped. */
  g_assert_cmpuint (lb_link_packets (link), ==, 10);
}

static void
test_empty_packets_are_bounded (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *link = lb_flow_add_link (flow, "a -> b", 640);
  Stage writer = { .flow = flow, .out = { link }, .count = 50, .bytes = 0 };

  lb_flow_set_stages (flow, 2);
  GThread *thread = g_thread_new ("writer", write_all, &writer);
  while (lb_link_packets (link) < 10)
    g_usleep (100);
  g_usleep (20000);
  g_assert_cmpuint (lb_link_packets (link), ==, 10);
  lb_flow_cancel (flow);
  g_thread_join (thread);
  g_assert_error (writer.error, LB_ERROR, LB_ERROR_CANCELLED);
  g_clear_error (&writer.error);
}

static void
test_reader_gone_stops_nobody (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *left = lb_flow_add_link (flow, "a -> left", 100), *stays = lb_flow_add_link (flow, "a -> stays", 100);
  Stage writer = { .flow = flow, .out = { left, stays }, .count = 200, .bytes = 80 };
  Stage reader = { .flow = flow, .in = { stays } };

  lb_link_close_reader (left);
  lb_flow_set_stages (flow, 2);
  GThread *threads[] = { g_thread_new ("writer", write_all, &writer), g_thread_new ("reader", read_all, &reader) };
  join_all (threads, 2);
  g_assert_no_error (writer.error);
  g_assert_cmpuint (reader.count, ==, 200);
}

/* A diamond: one path passes packets on at once, the other only after it has read them all. The join reads in turns, so
 * every packet of the quick path has to wait: no bound chosen beforehand would do. */
static void
test_diamond_grows (void)
{
  guint64 sum = 0;

  for (gsize capacity = 0; capacity <= 4096; capacity += 1024) {
    g_autoptr (LbFlow) flow = lb_flow_new ();
    LbLink *quick = lb_flow_add_link (flow, "a -> d", capacity), *slow = lb_flow_add_link (flow, "a -> c", capacity);
    LbLink *late = lb_flow_add_link (flow, "c -> d", capacity);
    Stage source = { .flow = flow, .out = { quick, slow }, .count = 100, .bytes = 100 };
    Stage keeper = { .flow = flow, .in = { slow }, .out = { late } };
    Stage join = { .flow = flow, .in = { late, quick } };
    lb_flow_set_stages (flow, 3);
    GThread *threads[] = { g_thread_new ("source", write_all, &source), g_thread_new ("keeper", read_all, &keeper),
                           g_thread_new ("join", read_in_turns, &join) };
    join_all (threads, 3);
    g_assert_no_error (source.error);
    g_assert_no_error (keeper.error);
    g_assert_no_error (join.error);
    g_assert_cmpuint (join.count, ==, 200);
    g_assert_cmpuint (lb_flow_n_grown (flow), >, 0);
    /* What comes out does not depend on the bounds. */
    if (capacity > 0)
      g_assert_cmpuint (join.sum, ==, sum);
    sum = join.sum;
  }
}

/* Two links from one writer to one reader that wants all of the second first: only the first may grow. */
static void
test_grows_the_full_link_only (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *wanted = lb_flow_add_link (flow, "a -> b.wanted", 100), *full = lb_flow_add_link (flow, "a -> b.full", 1000);
  Stage writer = { .flow = flow, .out = { full, wanted }, .count = 30, .bytes = 100 };
  Stage reader = { .flow = flow, .in = { wanted, full } };

  lb_flow_set_stages (flow, 2);
  GThread *threads[] = { g_thread_new ("writer", write_all, &writer), g_thread_new ("reader", read_all, &reader) };
  join_all (threads, 2);
  g_assert_no_error (writer.error);
  g_assert_cmpuint (reader.count, ==, 60);
  /* Ten packets fit, each of the other twenty made the link grow by one. */
  g_assert_cmpuint (lb_flow_n_grown (flow), ==, 20);
}

static void
test_reports_true_deadlock (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *there = lb_flow_add_link (flow, "a.x -> b.x", 100), *back = lb_flow_add_link (flow, "b.y -> a.y", 100);
  Stage a = { .flow = flow, .in = { back }, .out = { there } }, b = { .flow = flow, .in = { there }, .out = { back } };

  lb_flow_set_stages (flow, 2);
  GThread *threads[] = { g_thread_new ("a", read_all, &a), g_thread_new ("b", read_all, &b) };
  join_all (threads, 2);
  g_assert_error (a.error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_error (b.error, LB_ERROR, LB_ERROR_PROGRAM);
  g_assert_nonnull (
      strstr (a.error->message, "waits for a packet that none of them can send ('a.x -> b.x', 'b.y -> a.y')"));
  g_clear_error (&a.error);
  g_clear_error (&b.error);
}

/* A stage that ended without closing its output leaves its reader waiting for good. */
static void
test_reports_reader_of_a_dead_stage (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *link = lb_flow_add_link (flow, "a -> b", 100);
  Stage reader = { .flow = flow, .in = { link } };

  lb_flow_set_stages (flow, 2);
  GThread *thread = g_thread_new ("reader", read_all, &reader);
  g_usleep (5000);
  lb_flow_stage_ended (flow);
  g_thread_join (thread);
  g_assert_error (reader.error, LB_ERROR, LB_ERROR_PROGRAM);
  g_clear_error (&reader.error);
}

static void
test_cancel_wakes_all (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *full = lb_flow_add_link (flow, "a -> b", 100), *empty = lb_flow_add_link (flow, "b -> c", 100);
  Stage writer = { .flow = flow, .out = { full }, .count = 10, .bytes = 100 };
  Stage reader = { .flow = flow, .in = { empty } };
  g_autoptr (GError) error = NULL;
  g_autoptr (LbPacket) packet = make_packet (1, 0);
  LbPacket *none = NULL;

  lb_flow_set_stages (flow, 3);
  GThread *threads[] = { g_thread_new ("writer", write_all, &writer), g_thread_new ("reader", read_all, &reader) };
  g_usleep (5000);
  g_assert_false (lb_flow_is_cancelled (flow));
  lb_flow_cancel (flow);
  join_all (threads, 2);
  g_assert_true (lb_flow_is_cancelled (flow));
  g_assert_error (writer.error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_error (reader.error, LB_ERROR, LB_ERROR_CANCELLED);
  g_clear_error (&writer.error);
  g_clear_error (&reader.error);

  /* Later calls fail too, even where a packet or room is at hand. */
  g_assert_false (lb_link_push (empty, packet, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (lb_link_pull (full, &none, &error));
  g_assert_error (error, LB_ERROR, LB_ERROR_CANCELLED);
  g_assert_null (none);
}

/* Three stages in a row and a million packets: whatever the interleaving, each arrives once and in order. */
static gpointer
pass_on (gpointer data)
{
  Stage *stage = data;
  LbPacket *packet = NULL;

  while (lb_link_pull (stage->in[0], &packet, &stage->error) && packet != NULL) {
    lb_link_push (stage->out[0], packet, &stage->error);
    lb_packet_unref (packet);
  }
  end_stage (stage);
  return NULL;
}

static gpointer
count_in_order (gpointer data)
{
  Stage *stage = data;
  LbPacket *packet = NULL;

  while (lb_link_pull (stage->in[0], &packet, &stage->error) && packet != NULL) {
    if (first_byte (packet) == (guint8)stage->count)
      stage->count++;
    lb_packet_unref (packet);
  }
  end_stage (stage);
  return NULL;
}

static void
test_million_packets (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *first = lb_flow_add_link (flow, "a -> b", 1 << 16), *second = lb_flow_add_link (flow, "b -> c", 1 << 14);
  Stage writer = { .flow = flow, .out = { first }, .count = 1000000, .bytes = 1 };
  Stage passer = { .flow = flow, .in = { first }, .out = { second } }, reader = { .flow = flow, .in = { second } };

  lb_flow_set_stages (flow, 3);
  GThread *threads[] = { g_thread_new ("writer", write_all, &writer), g_thread_new ("passer", pass_on, &passer),
                         g_thread_new ("reader", count_in_order, &reader) };
  join_all (threads, 3);
  g_assert_no_error (reader.error);
  g_assert_cmpuint (reader.count, ==, 1000000);
  g_assert_cmpuint (lb_link_bytes (second), ==, 1000000);
  g_assert_cmpuint (lb_flow_n_grown (flow), ==, 0);
}

/* ---- Bytes in flight ---- */

/* Tensors that are counted while they live. */
static gint live_bytes, most_live_bytes, n_released; /* atomic, but for the second: the maker's */

static void
count_release (gpointer data)
{
  g_atomic_int_add (&live_bytes, -1000);
  g_atomic_int_inc (&n_released);
  g_free (data);
}

static LbPacket *
make_counted (guint8 first)
{
  LbPacket *packet = lb_packet_new ();
  guint8 *bytes = g_malloc0 (1000);

  bytes[0] = first;
  gint live = g_atomic_int_add (&live_bytes, 1000) + 1000;
  most_live_bytes = MAX (most_live_bytes, live);
  lb_packet_take (packet, "x", lb_tensor_wrap (LB_U8, LB_SHAPE (1000), bytes, bytes, count_release));
  return packet;
}

static gpointer
write_counted (gpointer data)
{
  Stage *stage = data;

  for (guint i = 0; i < stage->count && stage->error == NULL; i++) {
    g_autoptr (LbPacket) packet = make_counted ((guint8)i);
    for (guint j = 0; j < 2 && stage->error == NULL; j++)
      if (stage->out[j] != NULL)
        lb_link_push (stage->out[j], packet, &stage->error);
  }
  end_stage (stage);
  return NULL;
}

/* Takes its time over each packet. */
static gpointer
read_slowly (gpointer data)
{
  Stage *stage = data;
  LbPacket *packet = NULL;

  while (lb_link_pull (stage->in[0], &packet, &stage->error) && packet != NULL) {
    stage->count += first_byte (packet) == (guint8)stage->count;
    stage->bytes = MAX (stage->bytes, (gint64)lb_link_queued (stage->in[0]));
    g_usleep (200);
    lb_packet_unref (packet);
  }
  end_stage (stage);
  return NULL;
}

static void
test_slow_reader_holds_its_writer_back (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *link = lb_flow_add_link (flow, "a -> b", 10000);
  Stage writer = { .flow = flow, .out = { link }, .count = 300 }, reader = { .flow = flow, .in = { link } };
  gint64 now, since;

  most_live_bytes = 0;
  lb_flow_set_stages (flow, 2);
  GThread *threads[]
      = { g_thread_new ("writer", write_counted, &writer), g_thread_new ("reader", read_slowly, &reader) };
  join_all (threads, 2);
  g_assert_cmpuint (reader.count, ==, 300);
  /* Ten wait in the link, one is in the hand of the writer and one in that of the reader. */
  g_assert_cmpint (reader.bytes, <=, 10000);
  g_assert_cmpint (reader.bytes, >=, 8000);
  g_assert_cmpint (most_live_bytes, <=, 12000);
  g_assert_cmpint (most_live_bytes, >=, 9000);
  g_assert_cmpint (live_bytes, ==, 0);
  g_assert_cmpuint (lb_flow_n_grown (flow), ==, 0);
  /* The writer was held back for most of 300 times 200 microseconds. */
  now = g_get_monotonic_time ();
  g_assert_cmpint (lb_link_writer_waited (link, now, &since), >, 10000);
  g_assert_cmpint (since, ==, 0);
}

/* One packet to four readers: each finds the very bytes that were written, and they go when the last has read them. */
#define N_READERS 4

typedef struct {
  Stage stage;
  guint64 addresses;
} FanReader;

static gpointer
note_addresses (gpointer data)
{
  FanReader *reader = data;
  LbPacket *packet = NULL;

  while (lb_link_pull (reader->stage.in[0], &packet, &reader->stage.error) && packet != NULL) {
    reader->addresses = reader->addresses * 31 + (guint64)(gsize)lb_tensor_data (lb_packet_get (packet, "x"));
    reader->stage.count++;
    lb_packet_unref (packet);
  }
  end_stage (&reader->stage);
  return NULL;
}

static void
test_fan_out_copies_nothing (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  FanReader readers[N_READERS] = { 0 };
  GThread *threads[N_READERS];
  guint64 addresses = 0;

  n_released = most_live_bytes = 0;
  lb_flow_set_stages (flow, N_READERS + 1);
  for (guint i = 0; i < N_READERS; i++) {
    readers[i].stage = (Stage){ .flow = flow, .in = { lb_flow_add_link (flow, "a -> b", 5000) } };
    threads[i] = g_thread_new ("reader", note_addresses, &readers[i]);
  }
  for (guint i = 0; i < 200; i++) {
    g_autoptr (LbPacket) packet = make_counted (0);
    addresses = addresses * 31 + (guint64)(gsize)lb_tensor_data (lb_packet_get (packet, "x"));
    for (guint j = 0; j < N_READERS; j++)
      g_assert_true (lb_link_push (readers[j].stage.in[0], packet, NULL));
  }
  for (guint i = 0; i < N_READERS; i++)
    lb_link_close_writer (readers[i].stage.in[0]);
  lb_flow_stage_ended (flow);
  join_all (threads, N_READERS);
  for (guint i = 0; i < N_READERS; i++) {
    g_assert_cmpuint (readers[i].stage.count, ==, 200);
    g_assert_cmpuint (readers[i].addresses, ==, addresses);
  }
  g_assert_cmpint (n_released, ==, 200);
  /* At most what one link holds, and a packet in each hand: nowhere near four links' worth. */
  g_assert_cmpint (most_live_bytes, <=, 5000 + 1000 * (N_READERS + 1));
}

/* What lb_flow_on_grown() told. */
typedef struct {
  guint n;
  gsize bound;
  gboolean is_chain;
} Growth;

static void
note_growth (gpointer data, const char *link, gsize from, gsize to)
{
  Growth *growth = data;

  growth->is_chain &= strcmp (link, "a -> b.full") == 0 && from == growth->bound && to > from;
  growth->bound = to;
  growth->n++;
}

static void
test_tells_of_growth (void)
{
  g_autoptr (LbFlow) flow = lb_flow_new ();
  LbLink *wanted = lb_flow_add_link (flow, "a -> b.wanted", 100), *full = lb_flow_add_link (flow, "a -> b.full", 1000);
  Stage writer = { .flow = flow, .out = { full, wanted }, .count = 30, .bytes = 100 };
  Stage reader = { .flow = flow, .in = { wanted, full } };
  Growth growth = { .bound = 1000, .is_chain = TRUE };

  lb_flow_on_grown (flow, note_growth, &growth);
  lb_flow_set_stages (flow, 2);
  GThread *threads[] = { g_thread_new ("writer", write_all, &writer), g_thread_new ("reader", read_all, &reader) };
  join_all (threads, 2);
  g_assert_cmpuint (growth.n, ==, lb_flow_n_grown (flow));
  g_assert_true (growth.is_chain);
  g_assert_cmpuint (growth.bound, ==, 3000);
}

/* A writer that waits for half a queue of room, and a reader that goes to wait elsewhere before that much is free: the
 * writer has room, so nothing is deadlocked and nothing need grow. */
static gpointer
write_twelve_then_other (gpointer data)
{
  Stage *stage = data;
  g_autoptr (LbPacket) packet = make_packet (100, 0);

  for (guint i = 0; i < 13; i++)
    g_assert_true (lb_link_push (stage->out[i < 12 ? 0 : 1], packet, &stage->error));
  end_stage (stage);
  return NULL;
}

static gpointer
read_two_then_other (gpointer data)
{
  Stage *stage = data;

  while (lb_link_packets (stage->in[0]) < 10)
    g_usleep (10);
  for (guint i = 0; i < 13; i++) {
    g_autoptr (LbPacket) packet = NULL;
    g_assert_true (lb_link_pull (stage->in[i == 2 ? 1 : 0], &packet, &stage->error));
    stage->count += packet != NULL;
  }
  end_stage (stage);
  return NULL;
}

static void
test_room_is_no_deadlock (void)
{
  for (guint round = 0; round < 100; round++) {
    g_autoptr (LbFlow) flow = lb_flow_new ();
    LbLink *full = lb_flow_add_link (flow, "a -> b.full", 1000), *late = lb_flow_add_link (flow, "a -> b.late", 1000);
    Stage writer = { .flow = flow, .out = { full, late } }, reader = { .flow = flow, .in = { full, late } };
    lb_flow_set_stages (flow, 2);
    GThread *threads[] = { g_thread_new ("writer", write_twelve_then_other, &writer),
                           g_thread_new ("reader", read_two_then_other, &reader) };
    join_all (threads, 2);
    g_assert_no_error (writer.error);
    g_assert_no_error (reader.error);
    g_assert_cmpuint (reader.count, ==, 13);
    g_assert_cmpuint (lb_flow_n_grown (flow), ==, 0);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/link/passes-packets-in-order-then-ends", test_passes_in_order);
  g_test_add_func ("/link/passes-packets-of-any-size", test_is_bounded);
  g_test_add_func ("/link/blocks-its-writer-when-full", test_blocks_when_full);
  g_test_add_func ("/link/bounds-empty-packets-too", test_empty_packets_are_bounded);
  g_test_add_func ("/link/reader-that-left-stops-nobody", test_reader_gone_stops_nobody);
  g_test_add_func ("/flow/diamond-grows-and-gives-the-same", test_diamond_grows);
  g_test_add_func ("/flow/grows-the-full-link-only", test_grows_the_full_link_only);
  g_test_add_func ("/flow/reports-a-true-deadlock", test_reports_true_deadlock);
  g_test_add_func ("/flow/reports-the-reader-of-a-dead-stage", test_reports_reader_of_a_dead_stage);
  g_test_add_func ("/flow/cancel-wakes-everybody", test_cancel_wakes_all);
  g_test_add_func ("/link/slow-reader-holds-its-writer-back", test_slow_reader_holds_its_writer_back);
  g_test_add_func ("/link/fan-out-copies-nothing", test_fan_out_copies_nothing);
  g_test_add_func ("/flow/tells-of-growth", test_tells_of_growth);
  g_test_add_func ("/flow/room-is-no-deadlock", test_room_is_no_deadlock);
  g_test_add_func ("/flow/passes-a-million-packets", test_million_packets);
  return g_test_run ();
}
