/* The state of a run as JSON, for other processes: OUTPUT/run/status.json, and the lines of --progress=json.
 *
 * status.json is one object:
 *   limbeck   version of the command         format    1
 *   title, pipeline, seed                    what is run; @pipeline is the path as given
 *   pid, host                                the process
 *   state     running, done, failed or stopped (by the user). One that says "running" while no process holds the
 *             record's lock was killed
 *   started, updated                         UTC, ISO 8601
 *   seconds   since the start                error     why it failed or stopped, or null
 *   stages    a list of objects as below, in the order of the pipeline file
 *
 * A stage is an object of these members; a number that is not known (yet) is null:
 *   stage     its name
 *   state     waiting (for a packet to come or to be taken), running, done, stopped or failed
 *   done, total                              steps
 *   rate      steps per second               left      seconds until done is total
 *   seconds   of work so far, waiting left out
 *   name, value                              the current value, such as the loss
 *   metric, metric_value                     the figure recorded last
 *   waits_for                                the link that it waits on
 *   parts     of a stage that does several like things side by side, those at work (16 at most): a list of objects with
 *             part (its number), done, total, name and value
 *
 * --progress=json prints one object a line to standard error, each with "event", and "time" in seconds since the start:
 *   start     title, pipeline, pid
 *   stage     the members of a stage: at the start, at most once a second while it works or its state changes, and when
 *             it ends
 *   metric    stage, step, name, value, unit: as in metrics.jsonl (record.h)
 *   message   text: what would be printed for people (warnings, links that grew)
 *   end       state, error
 * Lines that do not begin with '{' are errors of the command itself, for people.
 */
#pragma once

#include "base/json.h"

#include "pipeline/activity.h"

G_BEGIN_DECLS

/* What status.json says of the run as a whole. */
typedef struct {
  const char *title, *pipeline;
  gint64 seed;
  const char *state, *error; /* @error may be NULL */
  gint64 started;            /* of g_get_real_time() */
  double seconds;
} LbStatusHead;

/* The text of status.json. Free with g_free(). */
char *lb_status_to_json (const LbStatusHead *head, const LbActivity *activities, guint n, gint64 now);

/* Adds the members of a stage to the object that @builder is in. */
void lb_status_add_stage (JsonBuilder *builder, const LbActivity *activity, gint64 now);

G_END_DECLS
