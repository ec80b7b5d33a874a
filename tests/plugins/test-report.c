/* The report stage alone: what is linked to it stands on the page, escaped. What it tells of runs is looked at in a
 * browser (pipelines/report-test). */
#include "plugins/harness.h"

/* One pixel. */
static const guint8 png[]
    = { 0x89, 'P',  'N',  'G', '\r', '\n', 0x1a, '\n', 0,    0,   0,   13,  'I',  'H', 'D',  'R', 0,
        0,    0,    1,    0,   0,    0,    1,    8,    0,    0,   0,   0,   ':',  '~', 0x9b, 'U', 0,
        0,    0,    10,   'I', 'D',  'A',  'T',  'x',  0x9c, 'c', '`', 0,   0,    0,   2,    0,   1,
        'H',  0xaf, 0xa4, 'q', 0,    0,    0,    0,    'I',  'E', 'N', 'D', 0xae, 'B', '`',  0x82 };

static void
feed_picture (LbHarness *h, const char *source, const char *title)
{
  g_autoptr (LbPacket) packet = lb_picture_packet (png, sizeof png, title, "A <small> picture", "One \"pixel\"");

  lb_harness_feed (h, "pictures", source, "picture", packet, 0);
}

static void
feed_row (LbHarness *h, const char *set, const char *architecture, double first, double second, gint64 bytes,
          double gain)
{
  g_autoptr (LbPacket) packet = lb_packet_new ();
  LbTensor *accuracies = lb_tensor_new (LB_F64, LB_SHAPE (2));

  lb_tensor_f64 (accuracies)[0] = first;
  lb_tensor_f64 (accuracies)[1] = second;
  lb_packet_set_text (packet, "title", "What it bought");
  lb_packet_set_text (packet, "set", set);
  lb_packet_set_text (packet, "architecture", architecture);
  lb_packet_set_text (packet, "baseline", "random & real");
  lb_packet_take (packet, "accuracies", accuracies);
  take_f64 (packet, "gain", gain);
  take_f64 (packet, "published", NAN);
  take_i64 (packet, "images", 10);
  take_i64 (packet, "bytes", bytes);
  take_f64 (packet, "training_flops", 2e9);
  lb_harness_feed (h, "tables", "table.rows", "comparison", packet, 0);
}

/* The page; free with g_free(). */
static char *
run (LbHarness *h)
{
  g_autofree char *path = g_build_filename (lb_harness_directory (h), "stage.html", NULL);
  char *page = NULL;

  harness_run_well (h);
  g_assert_true (g_file_get_contents (path, &page, NULL, NULL));
  g_assert_true (g_utf8_validate (page, -1, NULL));
  return page;
}

static void
assert_has (const char *page, const char *part)
{
  if (!strstr (page, part))
    g_error ("the page has no \"%s\":\n%s", part, strstr (page, "<main>"));
}

static guint
count (const char *page, const char *part)
{
  guint n = 0;

  for (; (page = strstr (page, part)); page += strlen (part))
    n++;
  return n;
}

static void
test_tables_and_their_chart (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("report");
  g_autofree char *page = NULL;

  feed_row (h, "random & real", "convnet-d3", 0.5, 0.6, 7880, NAN);
  feed_row (h, "random & real", "vit", 0.3, 0.32, 7880, NAN);
  feed_row (h, "distilled", "convnet-d3", 0.7, 0.72, 31400, 0.16);
  page = run (h);
  assert_has (page, "<caption>What it bought</caption>");
  assert_has (page, "<span class=\"letter\">A</span>random &amp; real");
  assert_has (page, "<span class=\"letter\">B</span>distilled");
  assert_has (page, ">55.00 ± 7.07 %<");
  assert_has (page, ">71.00 ± 1.41 %<");
  assert_has (page, "<td class=\"number\">+16.00</td><td class=\"number\">2</td><td class=\"number\">10</td><td "
                    "class=\"number\">30.7 KiB</td><td class=\"number\">2.00 GFLOP</td>");
  assert_has (page, "gain in points over ‘random &amp; real’");
  /* Wide and narrow, each with three points, and a letter for each of two sets. */
  g_assert_cmpuint (count (page, "<title>random &amp; real, convnet-d3: 55.00 %</title>"), ==, 2);
  g_assert_cmpuint (count (page, "<title>"), ==, 1 + 2 * 3);
  g_assert_cmpuint (count (page, "class=\"letter-of\""), ==, 2 * 2);
  g_assert_cmpuint (count (page, "nan"), ==, 0);
}

static void
test_pictures_lie_on_the_page (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("report");
  g_autofree char *page = NULL, *base64 = g_base64_encode (png, sizeof png);
  g_autofree char *uri = g_strdup_printf ("src=\"data:image/png;base64,%s\"", base64);

  feed_picture (h, "sheet.picture", "First");
  feed_picture (h, "sheet.picture", "Second");
  feed_picture (h, "looks.picture", "Third");
  page = run (h);
  g_assert_cmpuint (count (page, uri), ==, 3);
  assert_has (page, "<h3>First</h3>");
  assert_has (page, "<h3>Third</h3>");
  assert_has (page, "alt=\"One &quot;pixel&quot;\" width=\"1\" height=\"1\"");
  assert_has (page, "<figcaption>A &lt;small&gt; picture</figcaption>");
}

/* Nothing that is linked can become a part of the page's own text, and nothing is fetched. */
static void
test_words_are_escaped (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("report");
  g_autofree char *page = NULL;

  lb_harness_set (h, "title", "<script>alert (1)</script>");
  lb_harness_set (h, "text", "One & two.\n\nThree < four.");
  feed_picture (h, "sheet.picture", "</main><img src=http://example.org/x>");
  page = run (h);
  assert_has (page, "<h1>&lt;script&gt;alert (1)&lt;/script&gt;</h1>");
  assert_has (page, "<p>One &amp; two.</p>\n<p>Three &lt; four.</p>");
  g_assert_cmpuint (count (page, "<script"), ==, 0);
  g_assert_cmpuint (count (page, "src=http"), ==, 1);
  assert_has (page, "&lt;/main&gt;&lt;img src=http");
}

/* Alone it still is a page; the same one each time. */
static void
test_empty_page (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("report"), again = lb_harness_new ("report");
  g_autofree char *page = run (h), *second = run (again);

  g_assert_true (g_str_has_prefix (page, "<!doctype html>\n<html lang=\"en\">"));
  assert_has (page, "<h1>Report</h1>");
  assert_has (page, "prefers-color-scheme: dark");
  g_assert_cmpuint (count (page, "<section"), ==, 0);
  g_assert_cmpstr (page, ==, second);
}

static void
test_refuses_what_is_no_picture (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("report");
  g_autoptr (LbPacket) packet = lb_picture_packet ("GIF89a...", 9, "t", "c", "a");

  feed_picture (h, "sheet.picture", "Good");
  lb_harness_feed (h, "pictures", "sheet.picture", "picture", packet, 0);
  harness_refuses (h, LB_ERROR_INPUT,
                   "picture 2 of 'sheet.picture' is no PNG file; expected one, so look at the stage that makes it");
}

static void
test_refuses_a_row_without_models (void)
{
  g_autoptr (LbHarness) h = lb_harness_new ("report");
  g_autoptr (LbPacket) packet = lb_packet_new ();

  for (guint i = 0; i < 4; i++)
    lb_packet_set_text (packet, (const char *const[]){ "title", "set", "architecture", "baseline" }[i], "x");
  lb_packet_take (packet, "accuracies", lb_tensor_new (LB_F64, LB_SHAPE (0)));
  take_f64 (packet, "gain", 0);
  take_f64 (packet, "published", 0);
  take_i64 (packet, "images", 0);
  take_i64 (packet, "bytes", 0);
  take_f64 (packet, "training_flops", 0);
  lb_harness_feed (h, "tables", "table.rows", "comparison", packet, 0);
  harness_refuses (h, LB_ERROR_INPUT, "row 1 of 'table.rows' has no accuracies; expected that of one model at least");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/report/tables-and-their-chart", test_tables_and_their_chart);
  g_test_add_func ("/report/pictures-lie-on-the-page", test_pictures_lie_on_the_page);
  g_test_add_func ("/report/words-are-escaped", test_words_are_escaped);
  g_test_add_func ("/report/empty-page", test_empty_page);
  g_test_add_func ("/report/refuses-what-is-no-picture", test_refuses_what_is_no_picture);
  g_test_add_func ("/report/refuses-a-row-without-models", test_refuses_a_row_without_models);
  return g_test_run ();
}
