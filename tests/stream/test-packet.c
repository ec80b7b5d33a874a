/* Packets: order, sharing, text. */
#include <string.h>

#include "stream/packet.h"

static void
test_keeps_order_and_shares (void)
{
  g_autoptr (LbPacket) packet = lb_packet_new ();
  g_autoptr (LbTensor) shared = lb_tensor_new (LB_F32, LB_SHAPE (2, 3));

  lb_packet_set (packet, "zeta", shared);
  lb_packet_take (packet, "alpha", lb_tensor_new (LB_I64, LB_SHAPE (4)));

  g_assert_cmpuint (lb_packet_n_fields (packet), ==, 2);
  g_assert_cmpstr (lb_packet_field_name (packet, 0), ==, "zeta");
  g_assert_cmpstr (lb_packet_field_name (packet, 1), ==, "alpha");
  g_assert_true (lb_packet_get (packet, "zeta") == shared);
  g_assert_true (lb_packet_field_tensor (packet, 1) == lb_packet_get (packet, "alpha"));
  g_assert_null (lb_packet_get (packet, "beta"));
  g_assert_cmpuint (lb_packet_bytes (packet), ==, 2 * 3 * 4 + 4 * 8);
}

static void
test_replaces_in_place (void)
{
  g_autoptr (LbPacket) packet = lb_packet_new ();

  lb_packet_take (packet, "a", lb_tensor_new (LB_F32, LB_SHAPE (2)));
  lb_packet_take (packet, "b", lb_tensor_new (LB_F32, LB_SHAPE (2)));
  lb_packet_take (packet, "a", lb_tensor_new (LB_U8, LB_SHAPE (5)));

  g_assert_cmpuint (lb_packet_n_fields (packet), ==, 2);
  g_assert_cmpstr (lb_packet_field_name (packet, 0), ==, "a");
  g_assert_cmpint (lb_tensor_dtype (lb_packet_get (packet, "a")), ==, LB_U8);
}

static void
test_text_round_trips (void)
{
  static const char *const texts[] = { "convnet-d3", "", "Grüße, 世界" };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (LbPacket) packet = lb_packet_new ();
    lb_packet_set_text (packet, "architecture", texts[i]);
    g_autofree char *back = lb_packet_get_text (packet, "architecture");
    g_assert_cmpstr (back, ==, texts[i]);
    g_assert_cmpint (lb_tensor_dim (lb_packet_get (packet, "architecture"), 0), ==, (gint64)strlen (texts[i]));
  }
}

static void
test_text_of_other_fields_is_null (void)
{
  g_autoptr (LbPacket) packet = lb_packet_new ();

  lb_packet_take (packet, "numbers", lb_tensor_new (LB_F32, LB_SHAPE (3)));
  lb_packet_take (packet, "matrix", lb_tensor_new (LB_U8, LB_SHAPE (3, 3)));
  g_assert_null (lb_packet_get_text (packet, "numbers"));
  g_assert_null (lb_packet_get_text (packet, "matrix"));
  g_assert_null (lb_packet_get_text (packet, "absent"));
}

static void
test_shares_the_fields_that_there_are (void)
{
  g_autoptr (LbPacket) packet = lb_packet_new (), from = lb_packet_new ();

  lb_packet_take (from, "a", lb_tensor_new (LB_U8, LB_SHAPE (1)));
  lb_packet_take (from, "b", lb_tensor_new (LB_U8, LB_SHAPE (2)));
  lb_packet_take (from, "c", lb_tensor_new (LB_U8, LB_SHAPE (3)));
  lb_packet_share (packet, from, "c", "absent", "a", NULL);
  g_assert_cmpuint (lb_packet_n_fields (packet), ==, 2);
  g_assert_true (lb_packet_get (packet, "a") == lb_packet_get (from, "a"));
  g_assert_true (lb_packet_get (packet, "c") == lb_packet_get (from, "c"));
}

static void
test_outlives_its_maker (void)
{
  LbPacket *packet = lb_packet_new ();

  lb_packet_take (packet, "a", lb_tensor_new (LB_U8, LB_SHAPE (1)));
  lb_packet_ref (packet);
  lb_packet_unref (packet);
  g_assert_cmpuint (lb_packet_bytes (packet), ==, 1);
  lb_packet_unref (packet);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/packet/keeps-fields-in-order-and-shares-tensors", test_keeps_order_and_shares);
  g_test_add_func ("/packet/replaces-a-field-in-its-place", test_replaces_in_place);
  g_test_add_func ("/packet/text-round-trips", test_text_round_trips);
  g_test_add_func ("/packet/text-of-other-fields-is-null", test_text_of_other_fields_is_null);
  g_test_add_func ("/packet/shares-the-fields-that-there-are", test_shares_the_fields_that_there_are);
  g_test_add_func ("/packet/outlives-its-maker-while-referenced", test_outlives_its_maker);
  return g_test_run ();
}
