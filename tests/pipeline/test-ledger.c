/* Ledgers: what a long stream leaves, written and read, and cut back to where a checkpoint was. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/ledger.h"

#define SENT 5000

static void
note (LbLedger *ledger, guint from, guint to)
{
  for (guint i = from; i < to; i++) {
    g_autoptr (LbPacket) packet = lb_packet_new ();
    lb_packet_set_number (packet, "number", i);
    lb_ledger_note (ledger, 0, packet);
  }
}

static guint64
count (const LbLedger *ledger)
{
  const LbSent *sent = ledger->sent->pdata[0];
  guint64 n = sent->packets->len;
  for (guint i = 0; i < sent->groups->len; i++)
    n += g_array_index (sent->groups, LbSentGroup, i).n;
  return n;
}

static void
test_logarithm (void)
{
  g_autoptr (LbLedger) ledger = lb_ledger_new (1);
  const LbSent *sent = ledger->sent->pdata[0];

  note (ledger, 0, 1024);
  g_assert_cmpuint (sent->groups->len, ==, 0);
  note (ledger, 1024, 1024 << 4);
  g_assert_cmpuint (sent->packets->len, ==, 1024);
  g_assert_cmpuint (sent->groups->len, ==, 4 * 512);
  g_assert_cmpuint (count (ledger), ==, 1024 << 4);
}

static void
test_json (void)
{
  g_autoptr (LbLedger) ledger = lb_ledger_new (1);
  note (ledger, 0, SENT);
  g_autofree char *text = lb_ledger_to_json (ledger);
  g_autoptr (GError) error = NULL;
  g_autoptr (LbLedger) read = lb_ledger_from_json ("test", text, strlen (text), 1, &error);

  g_assert_no_error (error);
  g_autofree char *again = lb_ledger_to_json (read);
  g_assert_cmpstr (again, ==, text);
  g_assert_cmpuint (count (read), ==, SENT);
}

/* A full ledger as JSON. */
static char *
full (void)
{
  g_autoptr (LbLedger) ledger = lb_ledger_new (1);
  LbKept packet = { .bytes = 7 }, file = { .name = g_strdup ("a/b.png"), .bytes = 9 };
  note (ledger, 0, LB_SENT_SINGLY + 3);
  lb_sha256_of ("x", 1, packet.digest);
  lb_sha256_of ("y", 1, file.digest);
  g_array_append_val ((GArray *)ledger->outputs->pdata[0], packet);
  g_array_append_val (ledger->files, file);
  ledger->has_packets = TRUE;
  g_ptr_array_add (ledger->metrics, lb_metric_new ("loss", INFINITY, NULL));
  g_ptr_array_add (ledger->reports, g_strdup ("told"));
  return lb_ledger_to_json (ledger);
}

/* Each piece of text, once replaced, is refused with a sentence that names the member. */
static void
test_refuses_what_is_not_one (void)
{
  static const struct {
    const char *old, *new, *message;
  } cases[] = {
    { "\"has_packets\":true", "\"has_packets\":1", "member 'has_packets' is neither true nor false" },
    { "\"outputs\":[[", "\"outputs\":[{},[", "member 'outputs' tells of 2 outputs, where 1 were expected" },
    { "\"outputs\":[[", "\"outputs\":[[1,", "member 'outputs' has an item that is no object" },
    { "\"sent\":[[[", "\"sent\":[[{},[", "member 'sent' has an item that is no list" },
    { "\"bytes\":7", "\"bytes\":-7", "member 'bytes' is no whole number of 0 or more" },
    { "\"a/b.png\"", "\"a/../../b.png\"", "member 'name' is 'a/../../b.png', which is no file inside a folder" },
    { "\"a/b.png\"", "null", "member 'name' is no text, where a text was expected" },
    { "\"type\":\"f64[1]\"", "\"type\":3", "member 'type' is no text, where a text was expected" },
    { "\"packets\":2", "\"packets\":0", "member 'packets' of a group is 0, where one or more were expected" },
    { "\"value\":\"inf\"", "\"value\":\"infer\"", "member 'value' is 'infer', where a number was expected" },
    { "[\"told\"]", "[3]", "member 'reports' has an item that is no text" },
    { "\"seconds\":", "\"minutes\":", "member 'seconds' is missing, where a text was expected" },
  };
  g_autofree char *text = full ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    const char *at = strstr (text, cases[i].old);
    g_autoptr (GError) error = NULL;
    g_assert_nonnull (at);
    g_autofree char *changed
        = g_strdup_printf ("%.*s%s%s", (int)(at - text), text, cases[i].new, at + strlen (cases[i].old));
    g_assert_null (lb_ledger_from_json ("index", changed, strlen (changed), 1, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
    g_autofree char *expected = g_strdup_printf ("index: %s; it is not as Limbeck writes it", cases[i].message);
    g_assert_cmpstr (error->message, ==, expected);
  }
}

static void
test_refuses_a_cut_one (void)
{
  g_autofree char *text = full ();
  gsize length = strlen (text), step = MAX (length / 500, 1);

  for (gsize i = 0; i + 1 < length; i += step) {
    g_autoptr (GError) error = NULL;
    g_assert_null (lb_ledger_from_json ("index", text, i, 1, &error));
    g_assert_error (error, LB_ERROR, LB_ERROR_INPUT);
  }
}

/* Wherever a stage resumes, in a group or between two, it leaves what one leaves that ran through. */
static void
test_cut (void)
{
  static const guint cuts[] = { 0, 7, 1023, 1024, 1025, 1026, 2047, 2048, 2049, 4097, 4999 };
  g_autoptr (LbLedger) through = lb_ledger_new (1);
  note (through, 0, SENT);
  g_autofree char *expected = lb_ledger_to_json (through);

  for (guint i = 0; i < G_N_ELEMENTS (cuts); i++) {
    g_autoptr (LbLedger) ledger = lb_ledger_new (1);
    note (ledger, 0, cuts[i]);
    LbSentMark mark = lb_ledger_mark (ledger, 0);
    note (ledger, cuts[i], cuts[i] + 300);
    g_autoptr (LbLedger) checkpoint = lb_ledger_copy (ledger);
    lb_ledger_cut (checkpoint, 0, &mark);
    g_assert_cmpuint (count (checkpoint), ==, cuts[i]);

    g_autoptr (LbLedger) resumed = lb_ledger_new (1);
    lb_ledger_take_packets (resumed, checkpoint, 0);
    note (resumed, cuts[i], SENT);
    g_autofree char *text = lb_ledger_to_json (resumed);
    g_assert_cmpstr (text, ==, expected);
  }
}

/* What differs in one packet, differs in its group alone. */
static void
test_one_packet (void)
{
  g_autoptr (LbLedger) one = lb_ledger_new (1), other = lb_ledger_new (1);
  note (one, 0, SENT);
  note (other, 0, 3000);
  note (other, 0, 1);
  note (other, 3001, SENT);
  const LbSent *a = one->sent->pdata[0], *b = other->sent->pdata[0];
  guint64 first = 1024;

  g_assert_cmpuint (a->groups->len, ==, b->groups->len);
  for (guint i = 0; i < a->groups->len; i++) {
    const LbSentGroup *group = &g_array_index (a->groups, LbSentGroup, i);
    gboolean same = memcmp (group->digest, g_array_index (b->groups, LbSentGroup, i).digest, sizeof group->digest) == 0;
    g_assert_true (same == (3000 < first || 3000 >= first + group->n));
    first += group->n;
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ledger/grows-with-the-logarithm", test_logarithm);
  g_test_add_func ("/ledger/json", test_json);
  g_test_add_func ("/ledger/refuses-what-is-not-one", test_refuses_what_is_not_one);
  g_test_add_func ("/ledger/refuses-a-cut-one", test_refuses_a_cut_one);
  g_test_add_func ("/ledger/cut", test_cut);
  g_test_add_func ("/ledger/one-packet", test_one_packet);
  return g_test_run ();
}
