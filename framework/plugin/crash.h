/* Telling whose code crashed. A plugin runs inside this process, so nothing is safe to go on with after it has written
 * to memory that is not its own; what can be done is to end at once, with a sentence that names it. Files appear only
 * when they are complete, so what was finished stays usable. Private to the framework.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* For commands, before anything is loaded: from now on a crash of a plugin's code ends the process with one sentence on
 * stderr and the exit status LB_ERROR_PLUGIN. Other crashes stay what they are. Does nothing in a build with
 * sanitizers, which tell more. */
void lb_crash_report (void);

/* Until lb_crash_leave(), this thread runs code of the plugin at @path: "plugin 'PATH' crashed in @doing 'OF'", or,
 * with @doing of NULL, "while it was loaded". Texts are the caller's and must last. */
void lb_crash_enter (const char *path, const char *doing, const char *of);
void lb_crash_leave (void);

/* The shared object that @function lies in; the system's, which outlives all plugins. */
const char *lb_crash_path (gconstpointer function);

G_END_DECLS
