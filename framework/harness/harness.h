/* Between the files of the harness. */
#pragma once

#include "limbeck-test.h"

G_BEGIN_DECLS

/* A run that is cancelled at @event, and another that goes on from its last checkpoint. */
gboolean harness_run_in_two (LbHarness *h, guint64 event, GError **error);

/* Configures the instance at hand once more. */
gboolean harness_configure_again (LbHarness *h, GError **error);

/* All properties of the instance at hand, and all that configure told: one text each; free with g_free(). */
char *harness_properties_text (LbHarness *h);
char *harness_configured_text (LbHarness *h);

G_END_DECLS
