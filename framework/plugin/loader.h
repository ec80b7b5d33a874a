/* Opening one plugin file. Private to plugin/. */
#pragma once

#include <gmodule.h>

#include "plugin/stage.h"

G_BEGIN_DECLS

/* Opens the shared object at @path with local binding and checks its descriptor: magic, interface version, size, names;
 * not the tables of its stage types. *@module stays open and is the caller's. LB_ERROR_PLUGIN: one sentence with the
 * path, what is wrong, and the remedy. */
const LbPlugin *lb_plugin_open (const char *path, GModule **module, GError **error);

/* The load function of a descriptor that lb_plugin_open() gave; NULL when it has none, as those of interface 1.0. */
typedef gboolean (*LbPluginLoad) (const char *path, GError **error);
LbPluginLoad lb_plugin_load_function (const LbPlugin *plugin);

G_END_DECLS
