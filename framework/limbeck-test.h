/* The harness: one stage alone, for the tests of those who write stages. It feeds packets, sets properties, runs the
 * stage in the calling thread and looks at what it sends, records and writes, without a pipeline. Library:
 * limbeck-test.
 *
 *   LbHarness *h = lb_harness_new ("sub-sampler");
 *   lb_harness_set (h, "grid", "3");
 *   lb_harness_feed (h, "samples", "set.samples", "samples", packet, 10);
 *   g_assert_true (lb_harness_run (h, &error));
 *   LbPacket *views = lb_harness_output (h, "views", 0);
 *   lb_harness_free (h);
 *
 * and what every stage promises can be asked for in one call each:
 *
 *   lb_harness_check_threads (h, &error)        the same bits at 1, 2 and 4 threads
 *   lb_harness_check_resume (h, 4, &error)      stopped and taken up again, the same bits
 *   lb_harness_check_cancel (h, 8, &error)      cancelled anywhere, it ends at once
 *   lb_harness_check_longer (h, "iterations", 2, &error)   more iterations go on from the end of fewer
 *
 * What the harness is told wrongly (an unknown stage, port, schema or property) ends the test with a message, as
 * g_error() does; what the stage does wrong is a GError.
 */
#pragma once

#include "limbeck.h"

G_BEGIN_DECLS

/* One stage, with what a test gave it and what came of its last run. Of one thread. */
typedef struct _LbHarness LbHarness;

/* A stage of the type @type, from the plugins of the search path (LIMBECK_PLUGIN_PATH and the standard places). */
LbHarness *lb_harness_new (const char *type);
/* The same for a type that is linked into the test; it must outlive the harness. */
LbHarness *lb_harness_new_for (const LbStageType *type);
void lb_harness_free (LbHarness *h);

/* The type it was made for; the plugin's. */
const LbStageType *lb_harness_type (LbHarness *h);

/* Sets a property, written as in a pipeline file. */
void lb_harness_set (LbHarness *h, const char *property, const char *text);

/* Threads that programs run on (1), and the pipeline's seed (7). */
void lb_harness_set_threads (LbHarness *h, guint threads);
void lb_harness_set_seed (LbHarness *h, guint64 seed);

/* Links @packet to input @port as the stream @source ("set.samples") of @schema. Further packets of the same source
 * join its stream. Dimensions are taken from the first packet; @classes of 0 leaves the number of classes unknown. */
void lb_harness_feed (LbHarness *h, const char *port, const char *source, const char *schema, LbPacket *packet,
                      gint64 classes);

/* The stream @source tells, before it flows, how many packets it has, what their texts say and which numbers all of
 * them hold, as most stages do for those that read them; until then none of it is known. Call it once all its packets
 * are fed. */
void lb_harness_announce (LbHarness *h, const char *source);

/* And a dimension that no field shows, such as least of samples. */
void lb_harness_announce_dim (LbHarness *h, const char *source, const char *symbol, gint64 value);

/* ---- Configure and run ---- */

/* Checks links and properties as `limbeck check` does. */
gboolean lb_harness_configure (LbHarness *h, GError **error);
/* After it: a dimension symbol of the stage, LB_UNKNOWN when not known; one of output @port's stream; and the predicted
 * cost, negative when the stage does not tell. */
gint64 lb_harness_dim (LbHarness *h, const char *symbol);
gint64 lb_harness_output_dim (LbHarness *h, const char *port, const char *symbol);
double lb_harness_predicted_flops (LbHarness *h);
double lb_harness_predicted_bytes (LbHarness *h);

/* Configures and runs the stage to its end. Each run is a new one, with the properties and packets given; outputs,
 * metrics and files of the last are kept. */
gboolean lb_harness_run (LbHarness *h, GError **error);

/* The run that follows is cancelled at its @event-th event: its start is the first, and then each step that it tells of
 * and each packet that it sends. 0: it is not. */
void lb_harness_cancel_at (LbHarness *h, guint64 event);
/* How many events the last run had. */
guint64 lb_harness_events (LbHarness *h);

/* ---- What came of the last run; all of it the harness's ---- */

/* Packets that output @port sent, and one of them. A stage that failed has sent none. */
guint lb_harness_n_outputs (LbHarness *h, const char *port);
LbPacket *lb_harness_output (LbHarness *h, const char *port, guint index);

/* Figures in the order recorded, and by name (which must be there; of several the last). */
guint lb_harness_n_metrics (LbHarness *h);
double lb_harness_metric_at (LbHarness *h, guint index);
double lb_harness_metric (LbHarness *h, const char *name);

const char *lb_harness_report (LbHarness *h);
/* Where result files lie; removed with the harness. */
const char *lb_harness_directory (LbHarness *h);
guint64 lb_harness_steps (LbHarness *h); /* that progress was told of */
double lb_harness_first_value (LbHarness *h);
double lb_harness_last_value (LbHarness *h);
double lb_harness_flops (LbHarness *h); /* counted */

/* SHA-256 over all packets, metrics, reports and result files, in order; free with g_free(). */
char *lb_harness_digest (LbHarness *h);

/* ---- What every stage promises; each runs the stage several times. LB_ERROR_PROGRAM with what differed ---- */

/* The same bits at 1, 2 and 4 threads. */
gboolean lb_harness_check_threads (LbHarness *h, GError **error);

/* Stopped at up to @stops events, spread evenly over the run, and taken up from its last checkpoint, it leaves
 * the same bits as a run that was never stopped. A stage that saves nothing starts again, which is also right. */
gboolean lb_harness_check_resume (LbHarness *h, guint stops, GError **error);

/* Having come to its end, and taken up there with a property @property (a whole number, "iterations") that is larger by
 * @more, it leaves the same bits as one that ran so far at once (lb_stage_keep_end()). The property is left as it was.
 * Since 1.2. */
gboolean lb_harness_check_longer (LbHarness *h, const char *property, gint64 more, GError **error);

/* Cancelled at up to @events events, spread evenly over the run, it returns LB_ERROR_CANCELLED. */
gboolean lb_harness_check_cancel (LbHarness *h, guint events, GError **error);

/* Configured twice it tells the same, and changes none of its properties. */
gboolean lb_harness_check_configure (LbHarness *h, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbHarness, lb_harness_free)

G_END_DECLS
