/* The journal of a run: files in OUTPUT/run/ that are written while it runs, so that people and tools can follow it.
 *
 *   pipeline.yaml   what is run: the resolved pipeline (resolved.h); runs again by itself
 *   log.txt         one line an event, "2026-11-24T02:10:11Z text"; runs into the same directory follow each other
 *   metrics.csv     stage,step,name,value,unit: a row for each figure that a stage records, and for the current value
 *                   that it tells with its progress (the loss, say) at steps chosen by their number alone; for one of
 *                   several parts, such as networks, the stage is STAGE/NUMBER, and the steps are those of the part
 *   metrics.jsonl   the same rows as one JSON object a line; a value that is not finite is null
 *   status.json     the state of the run (status.h), replaced about once a second
 *
 * Rows of one stage are in order and the same in every run; those of different stages come as they happen. A run that
 * goes on where one of the same pipeline was stopped appends to its rows: of two rows of the same stage, step and name
 * the later one counts. A line is complete when it ends; a reader leaves an unended last line for later.
 *
 * The process that writes holds a lock on log.txt, which the system takes away however it ends: that tells a run that
 * goes on from one that was killed, and keeps two from writing to one directory.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define LB_JOURNAL_FOLDER "run"

typedef struct _LbJournal LbJournal;

/* Makes @directory/run/ and starts its files: LB_ERROR_OUTPUT, also when another process writes there. */
LbJournal *lb_journal_new (const char *directory, const char *pipeline_yaml, GError **error);
void lb_journal_free (LbJournal *journal);

/* Both from any thread; the text waits in memory for lb_journal_flush(). @unit may be NULL. */
void lb_journal_log (LbJournal *journal, const char *line);
void lb_journal_value (LbJournal *journal, const char *stage, guint64 step, const char *name, double value,
                       const char *unit);

/* Writes what waits. LB_ERROR_OUTPUT when it cannot be written: it then goes on waiting, and the next call tries again,
 * so that a full disk loses nothing if room is made in time. From one thread at a time. */
gboolean lb_journal_flush (LbJournal *journal, GError **error);

/* Replaces status.json. */
gboolean lb_journal_status (LbJournal *journal, const char *json, GError **error);

/* Whether a process writes the journal in @directory at this moment. */
gboolean lb_journal_is_live (const char *directory);

/* The path of one of its files; free with g_free(). */
char *lb_journal_path (const char *directory, const char *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LbJournal, lb_journal_free)

G_END_DECLS
