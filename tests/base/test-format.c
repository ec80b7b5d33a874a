/* Numbers for people: units, rounding at the edge of a unit, independence of the locale. */
#include "base/format.h"

#include <locale.h>
#include <math.h>

#define CHECK(call, expected)                                                                                          \
  G_STMT_START                                                                                                         \
  {                                                                                                                    \
    g_autofree char *text = call;                                                                                      \
    g_assert_cmpstr (text, ==, expected);                                                                              \
  }                                                                                                                    \
  G_STMT_END

static void
test_bytes (void)
{
  CHECK (lb_format_bytes (0), "0 B");
  CHECK (lb_format_bytes (784), "784 B");
  CHECK (lb_format_bytes (1023), "1023 B");
  CHECK (lb_format_bytes (1024), "1.00 KiB");
  CHECK (lb_format_bytes (31360), "30.6 KiB");
  CHECK (lb_format_bytes (1024 * 1024 - 1), "1.00 MiB");
  CHECK (lb_format_bytes (1342177280), "1.25 GiB");
  CHECK (lb_format_bytes (G_MAXUINT64), "16.0 EiB");
}

static void
test_flops (void)
{
  CHECK (lb_format_flops (0), "0 FLOP");
  CHECK (lb_format_flops (2), "2 FLOP");
  CHECK (lb_format_flops (288e6), "288 MFLOP");
  CHECK (lb_format_flops (999.6e6), "1.00 GFLOP");
  CHECK (lb_format_flops (1.024e15), "1.02 PFLOP");
  CHECK (lb_format_flops (1e27), "1000 YFLOP");
  CHECK (lb_format_flops (1e40), "1e+40 FLOP");
  CHECK (lb_format_flops (NAN), "? FLOP");
  CHECK (lb_format_flops (-1), "? FLOP");
}

static void
test_seconds (void)
{
  CHECK (lb_format_seconds (0), "0 ms");
  CHECK (lb_format_seconds (0.0123), "12 ms");
  CHECK (lb_format_seconds (0.4), "0.4 s");
  CHECK (lb_format_seconds (59.94), "59.9 s");
  CHECK (lb_format_seconds (59.96), "1 min 00 s");
  CHECK (lb_format_seconds (185), "3 min 05 s");
  CHECK (lb_format_seconds (3599.7), "1 h 00 min");
  CHECK (lb_format_seconds (2 * 3600 + 7 * 60 + 12), "2 h 07 min");
  CHECK (lb_format_seconds (86399), "1 d 00 h");
  CHECK (lb_format_seconds (10 * 86400.0 + 5 * 3600), "10 d 05 h");
  CHECK (lb_format_seconds (NAN), "? s");
  CHECK (lb_format_seconds (-1), "? s");
}

static void
test_count (void)
{
  CHECK (lb_format_count (0), "0");
  CHECK (lb_format_count (999), "999");
  CHECK (lb_format_count (1000), "1,000");
  CHECK (lb_format_count (60000), "60,000");
  CHECK (lb_format_count (G_MAXUINT64), "18,446,744,073,709,551,615");
}

static void
test_number (void)
{
  CHECK (lb_format_number (0.1), "0.1");
  CHECK (lb_format_number (-2), "-2");
  CHECK (lb_format_number (1e-8), "1e-08");
  CHECK (lb_format_number (1.0 / 3), "0.3333333333333333");
}

/* As json-glib 1.6 writes them, which cannot read the third one back. */
static void
test_json (void)
{
  CHECK (lb_format_json ("[0.10000000000000001,5926561970.0,1e-08.0,-1e+300.0,true,null]"), "[0.1,5926561970.0,1e-08,-1e+300,true,null]");
  CHECK (lb_format_json ("{\"a 1e-08.0 \\\" 5.00\":9223372036854775807,\"b\":-3}"),
         "{\"a 1e-08.0 \\\" 5.00\":9223372036854775807,\"b\":-3}");
  CHECK (lb_format_json (""), "");
}

int
main (int argc, char *argv[])
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/format/bytes-have-three-digits-and-a-unit", test_bytes);
  g_test_add_func ("/format/flops-have-three-digits-and-a-unit", test_flops);
  g_test_add_func ("/format/seconds-become-minutes-hours-days", test_seconds);
  g_test_add_func ("/format/counts-are-grouped", test_count);
  g_test_add_func ("/format/numbers-are-the-shortest-that-read-back", test_number);
  g_test_add_func ("/format/json-of-json-glib-can-be-read", test_json);
  return g_test_run ();
}
