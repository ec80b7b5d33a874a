/* Records: every bit of a packet comes back, and no changed, cut or hostile record gives one. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "stream/record.h"

static gboolean
append (gpointer data, gconstpointer bytes, gsize length, GError **error)
{
  g_byte_array_append (data, bytes, (guint)length);
  return TRUE;
}

static LbPacket *
some_packet (void)
{
  LbPacket *packet = lb_packet_new ();
  LbTensor *values = lb_tensor_new (LB_F64, LB_SHAPE (2, 3));
  for (int i = 0; i < 6; i++)
    lb_tensor_f64 (values)[i] = 1.0 / (i - 3);
  lb_packet_take (packet, "values", values);
  lb_packet_take (packet, "nothing", lb_tensor_new (LB_U8, LB_SHAPE (0, 4)));
  lb_packet_take (packet, "scalar", lb_tensor_new (LB_I32, LB_SCALAR));
  lb_packet_set_text (packet, "text", "two\nlines");
  return packet;
}

/* Two records of @packet, one behind the other. */
typedef struct {
  GByteArray *bytes;
  guint64 length;
  char digest[LB_DIGEST_SIZE];
} Written;

static Written
write_twice (const LbPacket *packet)
{
  Written written = { .bytes = g_byte_array_new () };
  g_assert_true (lb_record_write (packet, append, written.bytes, &written.length, written.digest, NULL));
  g_assert_true (lb_record_write (packet, append, written.bytes, &written.length, written.digest, NULL));
  g_assert_cmpuint (written.bytes->len, ==, 2 * written.length);
  return written;
}

static int
open_with (const guint8 *bytes, gsize length)
{
  g_autofree char *path = NULL;
  int descriptor = g_file_open_tmp ("limbeck-record-XXXXXX", &path, NULL);
  g_assert_cmpint (descriptor, >=, 0);
  g_assert_cmpint (write (descriptor, bytes, length), ==, (gssize)length);
  g_unlink (path);
  return descriptor;
}

static void
test_every_bit_comes_back (void)
{
  g_autoptr (LbPacket) packet = some_packet ();
  g_autoptr (GError) error = NULL;
  Written written = write_twice (packet);
  int descriptor = open_with (written.bytes->data, written.bytes->len);
  g_autoptr (LbPacket) back = lb_record_read (descriptor, "f", written.length, written.length, written.digest, &error);
  g_assert_no_error (error);
  g_assert_true (lb_record_verify (descriptor, "f", 0, written.length, written.digest, &error));
  g_assert_cmpuint (lb_packet_n_fields (back), ==, lb_packet_n_fields (packet));
  for (guint i = 0; i < lb_packet_n_fields (packet); i++) {
    g_autofree char *before = lb_tensor_digest (lb_packet_field_tensor (packet, i));
    g_autofree char *after = lb_tensor_digest (lb_packet_field_tensor (back, i));
    g_assert_cmpstr (lb_packet_field_name (back, i), ==, lb_packet_field_name (packet, i));
    g_assert_cmpstr (after, ==, before);
  }
  close (descriptor);
  g_byte_array_unref (written.bytes);
}

static void
test_a_cut_record_is_refused_at_every_length (void)
{
  g_autoptr (LbPacket) packet = some_packet ();
  Written written = write_twice (packet);
  for (guint64 length = 0; length < written.length; length++) {
    g_autoptr (GError) error = NULL;
    int descriptor = open_with (written.bytes->data, length);
    g_assert_null (lb_record_read (descriptor, "f", 0, written.length, written.digest, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_assert_false (lb_record_verify (descriptor, "f", 0, written.length, written.digest, NULL));
    close (descriptor);
  }
  g_byte_array_unref (written.bytes);
}

/* Also where the digest is made to fit what is wrong: sizes are not believed. */
static void
test_a_changed_record_is_refused_at_every_byte (void)
{
  g_autoptr (LbPacket) packet = some_packet ();
  Written written = write_twice (packet);
  for (guint64 at = 0; at < written.length; at++) {
    g_autoptr (GError) error = NULL;
    written.bytes->data[at] ^= 0x80;
    int descriptor = open_with (written.bytes->data, written.length);
    g_autofree char *digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, written.bytes->data, written.length);
    g_assert_null (lb_record_read (descriptor, "f", 0, written.length, written.digest, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_autoptr (LbPacket) forged = lb_record_read (descriptor, "f", 0, written.length, digest, NULL);
    g_assert_true (forged == NULL || lb_packet_bytes (forged) <= written.length);
    close (descriptor);
    written.bytes->data[at] ^= 0x80;
  }
  g_byte_array_unref (written.bytes);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/record/every-bit-comes-back", test_every_bit_comes_back);
  g_test_add_func ("/record/a-cut-record-is-refused-at-every-length", test_a_cut_record_is_refused_at_every_length);
  g_test_add_func ("/record/a-changed-record-is-refused-at-every-byte", test_a_changed_record_is_refused_at_every_byte);
  return g_test_run ();
}
