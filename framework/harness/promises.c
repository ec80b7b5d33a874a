/* What every stage promises, each asked for in one call. */
#include "harness/harness.h"

/* LB_ERROR_PROGRAM. Always FALSE. */
static gboolean G_GNUC_PRINTF (3, 4) broken (LbHarness *h, GError **error, const char *format, ...)
{
  va_list arguments;
  g_autofree char *text = NULL;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, LB_ERROR, LB_ERROR_PROGRAM, "stage type '%s' %s", lb_harness_type (h)->name, text);
  return FALSE;
}

gboolean
lb_harness_check_threads (LbHarness *h, GError **error)
{
  static const guint threads[] = { 1, 2, 4 };
  g_autofree char *first = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++) {
    g_autofree char *digest = NULL;

    lb_harness_set_threads (h, threads[i]);
    if (!lb_harness_run (h, error))
      return FALSE;
    digest = lb_harness_digest (h);
    if (!first)
      first = g_strdup (digest);
    if (!g_str_equal (first, digest))
      return broken (h, error, "leaves other bits at %u threads than at 1; sums may not depend on who computes a part",
                     threads[i]);
  }
  lb_harness_set_threads (h, 1);
  return TRUE;
}

gboolean
lb_harness_check_resume (LbHarness *h, guint stops, GError **error)
{
  g_autofree char *whole = NULL;
  guint64 events;

  if (!lb_harness_run (h, error))
    return FALSE;
  whole = lb_harness_digest (h);
  events = lb_harness_events (h);
  for (guint i = 1; i <= MIN (stops, events - 1); i++) {
    guint64 event = 1 + i * (events - 1) / MIN (stops, events - 1);
    g_autofree char *digest = NULL;

    if (!harness_run_in_two (h, event, error))
      return FALSE;
    digest = lb_harness_digest (h);
    if (!g_str_equal (whole, digest))
      return broken (h, error,
                     "leaves other bits when it is stopped at event %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                     " and taken up again; its state must hold all that later steps depend on",
                     event, events);
  }
  return TRUE;
}

/* The whole number that @property is. */
static gint64
value_of (LbHarness *h, const char *property)
{
  const LbProperty *row = lb_property_find (h->type, property);

  if (!row || row->kind != LB_PROPERTY_INTEGER)
    g_error ("stage type '%s' has no whole number '%s'", h->type->name, property);
  return G_STRUCT_MEMBER (gint64, h->self, row->offset);
}

static void
set_value (LbHarness *h, const char *property, gint64 value)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, value);

  lb_harness_set (h, property, text);
}

gboolean
lb_harness_check_longer (LbHarness *h, const char *property, gint64 more, GError **error)
{
  g_autofree char *whole = NULL, *digest = NULL;
  gint64 value;

  if (!lb_harness_configure (h, error))
    return FALSE;
  value = value_of (h, property);
  set_value (h, property, value + more);
  if (!lb_harness_run (h, error))
    return FALSE;
  whole = lb_harness_digest (h);
  set_value (h, property, value);
  if (!lb_harness_run (h, error))
    return FALSE;
  if (g_strcmp0 (h->end_of, property) != 0)
    return broken (h, error, "keeps no end for runs of a larger '%s'; call lb_stage_keep_end() after the last step",
                   property);
  set_value (h, property, value + more);
  if (!harness_run_on (h, error))
    return FALSE;
  digest = lb_harness_digest (h);
  set_value (h, property, value);
  if (!g_str_equal (whole, digest))
    return broken (
        h, error,
        "leaves other bits when it goes on from '%s' of %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT
        "; no step may depend on how many there are, and what only the end tells comes after lb_stage_keep_end()",
        property, value, value + more);
  return TRUE;
}

gboolean
lb_harness_check_cancel (LbHarness *h, guint events, GError **error)
{
  guint64 all;

  if (!lb_harness_run (h, error))
    return FALSE;
  /* Nothing need follow the last event, at which it would be seen. */
  all = MAX (lb_harness_events (h) - 1, 1);
  for (guint64 i = 0; i < MIN (events, all); i++) {
    guint64 event = 1 + i * all / MIN (events, all);
    g_autoptr (GError) reason = NULL;
    gboolean done;

    lb_harness_cancel_at (h, event);
    done = lb_harness_run (h, &reason);
    lb_harness_cancel_at (h, 0);
    if (done)
      return broken (h, error, "goes on to its end when it is cancelled at event %" G_GUINT64_FORMAT, event);
    if (!g_error_matches (reason, LB_ERROR, LB_ERROR_CANCELLED))
      return broken (h, error,
                     "says '%s' when it is cancelled at event %" G_GUINT64_FORMAT
                     "; return FALSE at once, with the error of the call that failed",
                     reason->message, event);
  }
  return TRUE;
}

gboolean
lb_harness_check_configure (LbHarness *h, GError **error)
{
  g_autofree char *before = NULL, *first = NULL, *second = NULL, *after = NULL;

  if (!lb_harness_configure (h, error))
    return FALSE;
  before = harness_properties_text (h);
  first = harness_configured_text (h);
  if (!harness_configure_again (h, error))
    return FALSE;
  second = harness_configured_text (h);
  after = harness_properties_text (h);
  if (!g_str_equal (before, after))
    return broken (h, error, "changes its properties while it is configured: '%s' became '%s'", before, after);
  if (!g_str_equal (first, second))
    return broken (h, error, "tells '%s' when it is configured, and then '%s'", first, second);
  return TRUE;
}
