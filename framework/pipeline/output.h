/* The directory that a run writes to. Private to pipeline/; lb_run_default_output() is in run.h. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Makes @directory if need be, and sees that files can be made in it: LB_ERROR_OUTPUT, with the remedy. */
gboolean lb_output_prepare (const char *directory, GError **error);

G_END_DECLS
