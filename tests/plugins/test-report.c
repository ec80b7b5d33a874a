/* The report stage alone: what is linked to it stands on the page, escaped. What it tells of runs is looked at in a
 * browser (pipelines/report-test). */
#include "plugins/harness.h"

#include "../../plugins/report/report.h"

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
  lb_packet_set_number (packet, "gain", gain);
  lb_packet_set_number (packet, "published", NAN);
  lb_packet_set_integer (packet, "images", 10);
  lb_packet_set_integer (packet, "bytes", bytes);
  lb_packet_set_number (packet, "making_flops", NAN);
  lb_packet_set_number (packet, "training_flops", 2e9);
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
  lb_packet_set_number (packet, "gain", 0);
  lb_packet_set_number (packet, "published", 0);
  lb_packet_set_integer (packet, "images", 0);
  lb_packet_set_integer (packet, "bytes", 0);
  lb_packet_set_number (packet, "making_flops", 0);
  lb_packet_set_number (packet, "training_flops", 0);
  lb_harness_feed (h, "tables", "table.rows", "comparison", packet, 0);
  harness_refuses (h, LB_ERROR_INPUT, "row 1 of 'table.rows' has no accuracies; expected that of one model at least");
}

/* ---- Curves, from facts as a run tells them ---- */

/* A curve of @n steps that falls from @start to nearly 0 in each of @repeats equal parts. */
static JsonObject *
curve (const char *name, guint n, guint repeats, double start)
{
  JsonObject *object = json_object_new ();
  JsonArray *steps = json_array_new (), *values = json_array_new ();

  for (guint i = 0; i < n * repeats; i++) {
    json_array_add_int_element (steps, i + 1);
    json_array_add_double_element (values, start * (1 + 0.1 * (i / n)) * (n - i % n) / n);
  }
  json_object_set_string_member (object, "stage", "students");
  json_object_set_string_member (object, "name", name);
  json_object_set_int_member (object, "total", n * repeats);
  json_object_set_array_member (object, "steps", steps);
  json_object_set_array_member (object, "values", values);
  return object;
}

static char *
training (JsonArray *curves, const char *const *models)
{
  g_autoptr (JsonObject) facts = json_object_new ();
  JsonArray *stages = json_array_new (), *sent = json_array_new ();
  JsonObject *stage = json_object_new ();
  GString *page = g_string_new (NULL);

  for (; *models; models++)
    json_array_add_string_element (sent, *models);
  json_object_set_string_member (stage, "name", "students");
  json_object_set_array_member (stage, "models", sent);
  json_array_add_object_element (stages, stage);
  json_object_set_array_member (facts, "stages", stages);
  json_object_set_array_member (facts, "curves", curves);
  section_training (page, facts);
  return g_string_free (page, FALSE);
}

/* Three models that one curve tells of one after the other are a band over the steps of one. */
static void
test_models_in_turn_are_a_band (void)
{
  JsonArray *curves = json_array_new ();

  json_array_add_object_element (curves, curve ("loss", 10, 3, 2));
  g_autofree char *page = training (curves, (const char *const[]){ "vit", "vit", "vit", NULL });
  g_assert_cmpuint (count (page, "<figure"), ==, 1);
  g_assert_cmpuint (count (page, "class=\"band k0\""), ==, 1);
  assert_has (page, "</svg>vit, 3 models</li>");
  assert_has (page, "loss of stage students over 10 steps, from 2.2 to 0.22");
}

/* Parts side by side, each with a curve of its own, are one chart with a band for each architecture. */
static void
test_parts_are_a_band (void)
{
  JsonArray *curves = json_array_new ();

  for (guint part = 0; part < 4; part++) {
    g_autofree char *name = g_strdup_printf ("loss (%u)", part);
    json_array_add_object_element (curves, curve (name, 10, 1, 1 + part));
  }
  g_autofree char *page = training (curves, (const char *const[]){ "vit", "vit", "alexnet", "alexnet", NULL });
  g_assert_cmpuint (count (page, "<figure"), ==, 1);
  assert_has (page, "<div class=\"note\">loss</div>");
  g_assert_cmpuint (count (page, "class=\"band k0\""), ==, 1);
  g_assert_cmpuint (count (page, "class=\"band k1\""), ==, 1);
  assert_has (page, "</svg>alexnet, 2 models</li>");
  assert_has (page, "loss of stage students over 10 steps, from 1.5 to 0.15");
}

/* A figure told once or twice is no curve, and what is no number leaves a gap and nothing else. */
static void
test_short_and_broken_curves (void)
{
  JsonArray *curves = json_array_new ();
  JsonObject *broken = curve ("loss", 10, 1, 2), *void_of_numbers = curve ("gain", 3, 1, 2);

  json_array_remove_element (json_object_get_array_member (broken, "values"), 9);
  json_array_add_null_element (json_object_get_array_member (broken, "values"));
  for (guint i = 0; i < 3; i++) {
    json_array_remove_element (json_object_get_array_member (void_of_numbers, "values"), 0);
    json_array_add_null_element (json_object_get_array_member (void_of_numbers, "values"));
  }
  json_array_add_object_element (curves, curve ("first loss", 1, 1, 2));
  json_array_add_object_element (curves, void_of_numbers);
  json_array_add_object_element (curves, broken);
  g_autofree char *page = training (curves, (const char *const[]){ NULL });
  g_assert_cmpuint (count (page, "<figure"), ==, 1);
  g_assert_cmpuint (count (page, "nan"), ==, 0);
  g_assert_cmpuint (count (page, "class=\"band"), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/report/tables-and-their-chart", test_tables_and_their_chart);
  g_test_add_func ("/report/pictures-lie-on-the-page", test_pictures_lie_on_the_page);
  g_test_add_func ("/report/words-are-escaped", test_words_are_escaped);
  g_test_add_func ("/report/empty-page", test_empty_page);
  g_test_add_func ("/report/models-in-turn-are-a-band", test_models_in_turn_are_a_band);
  g_test_add_func ("/report/parts-are-a-band", test_parts_are_a_band);
  g_test_add_func ("/report/short-and-broken-curves", test_short_and_broken_curves);
  g_test_add_func ("/report/refuses-what-is-no-picture", test_refuses_what_is_no_picture);
  g_test_add_func ("/report/refuses-a-row-without-models", test_refuses_a_row_without_models);
  return g_test_run ();
}
